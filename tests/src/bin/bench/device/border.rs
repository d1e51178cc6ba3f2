//! What a call costs from Kotlin and from Python, beside the same call made in Rust.
//!
//! Two calls: one that does nothing but cross (`metrics`), and a note, which is three
//! `fsync`s and a signature wherever it is called from. Each language writes to a copy of the
//! same store. What runs Kotlin and Python is found in `FORERUNNER_KOTLIN` (a class path) and
//! `FORERUNNER_PYTHON` (the package's folder), which `cargo xtask bench device` sets; without
//! them their figures are not measured.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use serde_json::Value;

use super::full::{Full, open};
use crate::row::{Row, median};

const NOTES: usize = 300;
const CROSSINGS: usize = 20_000;
const ROUNDS: usize = 3;

/// Medians, in microseconds.
#[derive(Debug, Default)]
struct Costs {
    note: Vec<f64>,
    crossing: Vec<f64>,
}

impl Costs {
    fn add(&mut self, said: Option<(f64, f64)>) {
        if let Some((note, crossing)) = said {
            self.note.push(note);
            self.crossing.push(crossing);
        }
    }
}

async fn in_rust(full: &Full) -> (f64, f64) {
    let folder = full.copy();
    let core = open(folder.path());
    let mut notes = Vec::with_capacity(NOTES);
    for n in 0..NOTES {
        let began = Instant::now();
        core.add_note(full.call, &format!("note {n} of what is measured"))
            .await
            .unwrap();
        notes.push(began.elapsed().as_secs_f64() * 1e6);
    }
    let began = Instant::now();
    for _ in 0..CROSSINGS {
        std::hint::black_box(core.metrics());
    }
    #[allow(clippy::cast_precision_loss)]
    let crossing = began.elapsed().as_secs_f64() * 1e6 / CROSSINGS as f64;
    core.pause().await.unwrap();
    (median(&notes), crossing)
}

fn python(folder: &Path, call: &str) -> Option<(f64, f64)> {
    let package = std::env::var_os("FORERUNNER_PYTHON")?;
    let script = Path::new(&package).join("tests/note_cost.py");
    let mut command = Command::new("python3");
    command.arg(script).arg(folder).arg(call);
    said(command.args(counts()).env("PYTHONPATH", package))
}

fn kotlin(folder: &Path, call: &str) -> Option<(f64, f64)> {
    let class_path = std::env::var_os("FORERUNNER_KOTLIN")?;
    let library = std::env::var("FORERUNNER_LIBRARY").ok()?;
    let mut command = Command::new("java");
    command.arg("-cp").arg(class_path).arg(format!(
        "-Duniffi.component.forerunner_mobile_core.libraryOverride={library}"
    ));
    command
        .arg("forerunner.mobile.NoteCostKt")
        .arg(folder)
        .arg(call);
    said(command.args(counts()))
}

fn counts() -> [String; 2] {
    [NOTES.to_string(), CROSSINGS.to_string()]
}

/// The line of JSON that it says last.
fn said(command: &mut Command) -> Option<(f64, f64)> {
    let output = command.output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let Some(said) = text
        .lines()
        .last()
        .and_then(|line| serde_json::from_str::<Value>(line).ok())
    else {
        eprintln!("{}", String::from_utf8_lossy(&output.stderr));
        return None;
    };
    Some((said["note_us"].as_f64()?, said["crossing_us"].as_f64()?))
}

pub(super) async fn run(full: &Full) -> Vec<Row> {
    let call = full.call.to_string();
    let [mut rust, mut from_python, mut from_kotlin] = <[Costs; 3]>::default();
    for _ in 0..ROUNDS {
        rust.add(Some(in_rust(full).await));
        from_python.add(python(full.copy().path(), &call));
        from_kotlin.add(kotlin(full.copy().path(), &call));
    }
    let mut rows = Vec::new();
    for (language, costs) in [("Kotlin", &from_kotlin), ("Python", &from_python)] {
        let work = format!("from {language}");
        let mut row = |figure, ours: &[f64], rust: &[f64]| {
            let mut row = Row::new(&work, figure);
            if !ours.is_empty() {
                row = row.ours(median(ours), "µs");
            }
            row.peers
                .insert("the same call in Rust".into(), Some(median(rust)));
            rows.push(row);
        };
        row("a note, until it is durable", &costs.note, &rust.note);
        row(
            "a call that only crosses (metrics)",
            &costs.crossing,
            &rust.crossing,
        );
    }
    rows
}
