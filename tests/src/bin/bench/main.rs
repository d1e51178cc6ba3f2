//! `cargo xtask bench NAME [--json FILE]`: how fast, beside the limit, in one run.
//!
//! Numbers are medians; less is better in every row. `--peers` is taken and answered
//! with an empty column where a benchmark has none.

// A benchmark that cannot go on ends, and says where.
#![allow(clippy::unwrap_used)]

mod light;
mod limit;
mod note_to_device;

use std::collections::BTreeMap;

use serde::Serialize;

/// One row of a benchmark's result.
#[derive(Debug, Serialize)]
struct Row {
    work: &'static str,
    figure: &'static str,
    unit: &'static str,
    ours: Option<f64>,
    goal: Option<f64>,
    limit: Option<f64>,
    peers: BTreeMap<String, f64>,
}

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let json = args
        .iter()
        .position(|arg| arg == "--json")
        .and_then(|at| args.get(at + 1));
    let rows = match args.first().map(String::as_str) {
        Some("note-to-device") => note_to_device::run().await,
        other => {
            eprintln!(
                "There is no benchmark {}: note-to-device",
                other.unwrap_or("without a name")
            );
            std::process::exit(2);
        }
    };
    for row in &rows {
        let shown =
            |value: Option<f64>| value.map_or("–".to_owned(), |value| format!("{value:.2}"));
        println!(
            "{:<44} {:<22} {:>10} {:<4} limit {}",
            row.work,
            row.figure,
            shown(row.ours),
            row.unit,
            shown(row.limit)
        );
    }
    if let Some(file) = json {
        std::fs::write(file, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
    }
}
