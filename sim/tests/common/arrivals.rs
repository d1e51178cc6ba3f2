//! A small city: the evening's first calls and few officers.

#![allow(clippy::unwrap_used, dead_code, unreachable_pub)]

use forerunner_sim::arrivals::{Figures, Model, Options, Report, run};
use forerunner_sim::evening;
use jiff::tz::TimeZone;
use server::intake::CallReport;
use server::intake::csv::CallRows;

const CALLS: usize = 200;
const OFFICERS: usize = 20;

/// The evening's first calls, as a file of them reads.
fn calls() -> Vec<CallReport> {
    let quoted = |text: &str| format!("\"{}\"", text.replace('"', "\"\""));
    let mut csv =
        "id,time,location,latitude,longitude,district,nature,status,narrative\n".to_owned();
    for call in evening(7).iter().take(CALLS) {
        let fields = [
            call.id.clone(),
            call.time.clone(),
            quoted(&call.location),
            call.latitude.to_string(),
            call.longitude.to_string(),
            call.district.clone(),
            call.nature.clone(),
            call.status.clone(),
            quoted(&call.narrative),
        ];
        csv.push_str(&fields.join(","));
        csv.push('\n');
    }
    let rows = CallRows::open(csv.as_bytes(), "city", TimeZone::UTC).unwrap();
    rows.map(Result::unwrap).collect()
}

pub fn live(seed: u64, model: Model) -> Report {
    run(Options {
        calls: calls(),
        officers: OFFICERS,
        seed,
        model,
    })
    .unwrap()
}

/// A city whose model a test breaks in one place, and nothing else can go wrong.
pub fn easy() -> Model {
    let mut model = Model {
        dead_share: 0.0,
        device_on_h: 1e9,
        ..Model::default()
    };
    for source in &mut model.sources {
        source.up_h = 1e9;
        source.sigma = 0.1;
    }
    model
}

/// How often this is the reason.
pub fn because_of(figures: &Figures, why: &str) -> usize {
    let misses = figures.misses.iter();
    misses.filter(|miss| miss.why.contains(why)).count()
}
