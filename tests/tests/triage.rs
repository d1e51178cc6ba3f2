//! What triage makes of the labelled narratives, held against what the docs say of it.
#![allow(clippy::unwrap_used)]

use forerunner_tests::narratives::{docs, halves, promised, scores, table, with_table};
use server::triage::score::KINDS;
use server::triage::{EntityWhat, Rules};

#[test]
fn the_table_in_the_docs_is_current() {
    let (halves, docs) = (halves(), std::fs::read_to_string(docs()).unwrap());
    let current = with_table(&docs, &table(&halves, &scores(&halves)));
    assert!(
        docs == current,
        "run `cargo xtask bench triage`: docs/triage.md has another table"
    );
}

#[test]
fn plates_are_as_precise_as_the_docs_promise() {
    let halves = halves();
    let least = promised(&std::fs::read_to_string(docs()).unwrap());
    let plates = KINDS.iter().position(|kind| *kind == "plates").unwrap();
    for (half, score) in halves.iter().zip(scores(&halves)) {
        let precision = score.tallies[plates].precision().unwrap();
        assert!(
            precision >= least,
            "{}: {precision}, promised {least}",
            half.name
        );
    }
}

#[test]
fn the_halves_are_whole_and_have_nothing_in_common() {
    let [seen, unseen] = halves();
    assert_eq!(
        (
            seen.narratives.narrative.len(),
            unseen.narratives.narrative.len()
        ),
        (223, 223)
    );
    let unseen = unseen.narratives.narrative;
    let twice = seen
        .narratives
        .narrative
        .iter()
        .find(|one| unseen.iter().any(|other| other.text == one.text));
    assert!(twice.is_none(), "{twice:?}");
}

#[test]
fn every_plate_of_the_demos_evening_is_found_and_nothing_else_is_taken_for_one() {
    let rules = Rules::default();
    let mut plates = 0;
    for call in sim::evening(7) {
        // Whoever wrote the narratives always says so.
        let words: Vec<&str> = call.narrative.split([' ', ',', '.']).collect();
        let said = words
            .windows(2)
            .filter(|pair| pair[0].eq_ignore_ascii_case("PLATE"));
        let mut said: Vec<String> = said.map(|pair| pair[1].to_owned()).collect();
        let entities = rules.entities(&call.narrative).into_iter();
        let found = entities.filter_map(|entity| match entity.what {
            EntityWhat::Plate(plate) if !plate.partial => Some(plate.plate),
            _ => None,
        });
        let mut found: Vec<String> = found.collect();
        said.sort_unstable();
        found.sort_unstable();
        assert_eq!(found, said, "{}", call.narrative);
        plates += said.len();
    }
    assert!(plates > 100, "{plates}");
}
