//! The labelled narratives beside this crate, and the table of what triage makes of them.

use std::path::{Path, PathBuf};

use server::triage::Rules;
use server::triage::score::{KINDS, Narratives, Score, score};

/// Around the table in `docs/triage.md`.
const BEGIN: &str = "<!-- The table: written by `cargo xtask bench triage`. -->\n";
const END: &str = "<!-- The table's end. -->\n";
/// Ahead of the least precision that the docs promise of plates, in percent.
const PROMISE: &str = "Of the plates that are found, at least ";

/// One half of the narratives.
#[derive(Debug)]
pub struct Half {
    pub name: &'static str,
    pub narratives: Narratives,
}

/// The half that rules were written with, and the one that was not looked at.
#[must_use]
pub fn halves() -> [Half; 2] {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("narratives");
    ["seen", "unseen"].map(|name| Half {
        name,
        narratives: Narratives::read(&folder.join(format!("{name}.toml"))).unwrap(),
    })
}

/// Both halves by the built-in rules.
#[must_use]
pub fn scores(halves: &[Half; 2]) -> [Score; 2] {
    let rules = Rules::default();
    [0, 1].map(|half| score(&rules, &halves[half].narratives))
}

/// The table of the docs, in Markdown.
#[must_use]
pub fn table(halves: &[Half; 2], scores: &[Score; 2]) -> String {
    let mut table = String::from(
        "| | marked | found | right | precision | recall | | marked | found | right | precision | recall |\n\
         | --- | --: | --: | --: | --: | --: | --- | --: | --: | --: | --: | --: |\n",
    );
    for (at, kind) in KINDS.iter().enumerate() {
        let half = |half: usize| {
            let tally = scores[half].tallies[at];
            let share = |share: Option<f64>| {
                share.map_or("–".to_owned(), |share| format!("{:.1}%", share * 100.0))
            };
            format!(
                "{} | {} | {} | {} | {}",
                tally.marked,
                tally.found,
                tally.right,
                share(tally.precision()),
                share(tally.recall())
            )
        };
        let names = [0, 1].map(|half| halves[half].name);
        table.push_str(&format!(
            "| {kind}, {} | {} | {} | {} |\n",
            names[0],
            half(0),
            names[1],
            half(1)
        ));
    }
    table
}

/// Where the docs are.
#[must_use]
pub fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/triage.md")
}

/// The docs with this table in the place of theirs.
#[must_use]
pub fn with_table(docs: &str, table: &str) -> String {
    let begin = docs.find(BEGIN).unwrap() + BEGIN.len();
    let end = docs.find(END).unwrap();
    format!("{}{table}{}", &docs[..begin], &docs[end..])
}

/// The precision of plates that the docs promise, as a share.
#[must_use]
pub fn promised(docs: &str) -> f64 {
    let said = &docs[docs.find(PROMISE).unwrap() + PROMISE.len()..];
    let percent: String = said
        .chars()
        .take_while(|sign| sign.is_ascii_digit() || *sign == '.')
        .collect();
    percent.trim_end_matches('.').parse::<f64>().unwrap() / 100.0
}
