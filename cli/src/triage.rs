//! `forerunner triage`: which rule said what, and how well the rules do.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use server::config::Config;
use server::triage::explain::explain_call;
use server::triage::score::{KINDS, Narratives, score};
use server::triage::{LiveRules, Rules};

use crate::Ended;

#[derive(Debug, Args)]
pub(crate) struct TriageArgs {
    #[command(subcommand)]
    command: TriageCommand,
}

#[derive(Debug, Subcommand)]
enum TriageCommand {
    /// Say which rule said what of a call, and what its words name. The center may be
    /// running; that it was asked is put on record.
    Explain(ExplainArgs),
    /// Hold the rules against narratives that somebody has marked.
    Score(ScoreArgs),
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// A call's id, or AGENCY/NUMBER.
    #[arg(required_unless_present = "text", conflicts_with = "text")]
    call: Option<String>,
    /// Words instead of a call.
    #[arg(long)]
    text: Option<String>,
    /// The nature of a call with these words.
    #[arg(long, requires = "text", default_value = "")]
    nature: String,
    /// The center's configuration; for words, without one the built-in rules speak.
    #[arg(long, value_name = "FILE", required_unless_present = "text")]
    config: Option<PathBuf>,
}

#[derive(Debug, Args)]
struct ScoreArgs {
    /// Marked narratives (the form is told in tests/narratives/README.md).
    #[arg(required = true, value_name = "FILE")]
    narratives: Vec<PathBuf>,
    /// The center's configuration; without one the built-in rules are scored.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// List what was missed and what is wrong.
    #[arg(long)]
    mistakes: bool,
}

pub(crate) fn run(args: &TriageArgs) -> Ended {
    match &args.command {
        TriageCommand::Explain(args) => explain(args),
        TriageCommand::Score(args) => score_files(args),
    }
}

fn explain(args: &ExplainArgs) -> Ended {
    let config = read(args.config.as_ref())?;
    let rules = rules(config.as_ref())?;
    let explained = match (&args.call, &args.text, &config) {
        (Some(call), _, Some(config)) => {
            explain_call(config, &rules, call).map_err(|e| e.to_string())?
        }
        (_, Some(text), _) => rules.explain_words(&args.nature, text),
        _ => return Err("wanted a call and --config, or --text".into()),
    };
    print!("{explained}");
    Ok(())
}

fn score_files(args: &ScoreArgs) -> Ended {
    let rules = rules(read(args.config.as_ref())?.as_ref())?;
    for file in &args.narratives {
        let narratives = Narratives::read(file).map_err(|e| e.to_string())?;
        let score = score(&rules, &narratives);
        println!(
            "{}: {} narratives",
            file.display(),
            narratives.narrative.len()
        );
        println!(
            "{:16} {:>6} {:>6} {:>6} {:>9} {:>7}",
            "", "marked", "found", "right", "precision", "recall"
        );
        for (kind, tally) in KINDS.iter().zip(score.tallies) {
            let share =
                |share: Option<f64>| share.map_or("–".to_owned(), |share| format!("{share:.3}"));
            println!(
                "{kind:16} {:>6} {:>6} {:>6} {:>9} {:>7}",
                tally.marked,
                tally.found,
                tally.right,
                share(tally.precision()),
                share(tally.recall())
            );
        }
        for mistake in score.mistakes.iter().filter(|_| args.mistakes) {
            let what = if mistake.missed { "missed" } else { "wrong" };
            println!(
                "{what} {}: {} {:?} in {:?}",
                mistake.kind, mistake.value, mistake.words, mistake.text
            );
        }
    }
    Ok(())
}

fn read(path: Option<&PathBuf>) -> Result<Option<Config>, String> {
    path.map(|path| Config::read(path).map_err(|e| e.to_string()))
        .transpose()
}

fn rules(config: Option<&Config>) -> Result<std::sync::Arc<Rules>, String> {
    let path = config.and_then(|config| config.triage.as_deref());
    Ok(LiveRules::open(path)?.current())
}
