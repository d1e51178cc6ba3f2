//! `cargo xtask bench triage`: precision and recall on the labelled narratives, into
//! `docs/triage.md` too, and how long a narrative takes.

use std::time::Instant;

use forerunner_tests::narratives::{docs, halves, scores, table, with_table};
use server::triage::Rules;
use server::triage::score::KINDS;

use crate::row::{Row, median, quantile};

/// How often each narrative is read for its time.
const ROUNDS: usize = 20;

pub(crate) fn run() -> Vec<Row> {
    let halves = halves();
    let scores = scores(&halves);
    let (path, table) = (docs(), table(&halves, &scores));
    let before = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, with_table(&before, &table)).unwrap();
    println!("{table}");

    let mut rows = Vec::new();
    for (half, score) in halves.iter().zip(&scores) {
        for (kind, tally) in KINDS.iter().zip(score.tallies) {
            let work = format!(
                "triage of {} {} narratives",
                half.narratives.narrative.len(),
                half.name
            );
            let percent = |right: Option<f64>| right.map(|right| (1.0 - right) * 100.0);
            for (figure, share) in [
                (
                    format!("{kind}: wrong, of what was found"),
                    percent(tally.precision()),
                ),
                (
                    format!("{kind}: missed, of what is there"),
                    percent(tally.recall()),
                ),
            ] {
                let row = Row::new(&work, figure);
                rows.push(match share {
                    Some(share) => row.ours(share, "%"),
                    None => row,
                });
            }
        }
    }
    let rules = Rules::default();
    let texts: Vec<&str> = halves
        .iter()
        .flat_map(|half| {
            half.narratives
                .narrative
                .iter()
                .map(|marked| marked.text.as_str())
        })
        .collect();
    let mut us = Vec::with_capacity(ROUNDS * texts.len());
    for _ in 0..ROUNDS {
        for text in &texts {
            let began = Instant::now();
            std::hint::black_box(rules.entities(text));
            us.push(began.elapsed().as_secs_f64() * 1e6);
        }
    }
    rows.push(Row::new("triage, a narrative", "p50").ours(median(&us), "µs"));
    rows.push(Row::new("triage, a narrative", "p99").ours(quantile(&us, 0.99), "µs"));
    rows
}
