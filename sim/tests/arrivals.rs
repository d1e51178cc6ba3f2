//! Who arrives first, in a small city: the figures, that a seed gives the same ones to the
//! byte, and that they fall for each reason that there is.

#![allow(clippy::unwrap_used)]

#[path = "common/arrivals.rs"]
mod common;

use common::{because_of, easy, live};
use forerunner_sim::arrivals::{Model, Report};

fn share(part: usize, whole: usize) -> f64 {
    part as f64 / whole as f64
}

#[test]
fn in_a_small_city_what_was_known_was_there() {
    let report = live(1, Model::default());
    let all = &report.all;
    println!(
        "{} calls, {} reachable, {} complete, {} everything; the center says {:?}",
        all.calls,
        all.reachable,
        all.complete_before_arrival,
        all.everything_asked_answered_and_there,
        report.center_measures
    );
    assert!(all.calls > 80 && report.apart.officer_initiated.calls > 20);
    assert_eq!(report.nobody_came, 0);
    assert!(share(all.complete_before_arrival, all.reachable) > 0.98);
    assert!(all.reachable <= all.calls);
    assert_eq!(
        all.misses.len(),
        all.calls - all.everything_asked_answered_and_there
    );
    assert!(all.misses.iter().all(|miss| !miss.why.is_empty()));
    // The center hears of what is there, never of what is not; and nearly all of it.
    let center = &report.center_measures;
    assert!(center.calls <= all.calls && share(center.calls, all.calls) > 0.97);
    assert_eq!(center.overstated, 0);
    assert!(share(center.complete_before_arrival, all.complete_before_arrival) > 0.95);
    let first = serde_json::to_value(&report).unwrap()["priority_1"].clone();
    for key in [
        "calls",
        "reachable",
        "lead_s",
        "misses",
        "complete_before_arrival",
    ] {
        assert!(!first[key].is_null(), "{key} of {first}");
    }
    let html = report.html();
    assert!(html.contains("Simulated.") && html.matches("<svg").count() >= 3);
    for outside in ["http://", "https://", "src=", "<link"] {
        assert!(!html.contains(outside), "the page needs {outside}");
    }
}

#[test]
fn a_seed_has_one_report_to_the_byte() {
    let [first, again, other] = [3, 3, 4].map(|seed| live(seed, Model::default()));
    let json = |report: &Report| serde_json::to_string(report).unwrap();
    assert_eq!(json(&first), json(&again));
    assert_eq!(first.html(), again.html());
    assert_ne!(json(&first), json(&other));
}

#[test]
fn in_a_city_where_nothing_goes_wrong_nothing_is_missed() {
    let all = live(1, easy()).all;
    // Nobody can be reached for ten seconds who was there after five.
    assert_eq!(because_of(&all, "late assignment"), all.misses.len());
    assert!(share(all.reachable, all.calls) > 0.97);
    assert_eq!(all.complete_before_arrival, all.reachable);
}

#[test]
fn dead_sources_are_misses_and_are_named() {
    let mut model = easy();
    for source in &mut model.sources[..2] {
        (source.up_h, source.down_min) = (0.0, 1e9);
    }
    let all = live(1, model).all;
    assert_eq!(all.everything_asked_answered_and_there, 0);
    // A source that nobody hears from costs nothing of what the others said.
    assert_eq!(all.complete_before_arrival, all.reachable);
    for name in ["City records", "County records"] {
        let dead = because_of(&all, &format!("dead source: {name}"));
        let slow = because_of(&all, &format!("slow source: {name}"));
        assert_eq!(dead + slow, all.calls, "{name}");
        assert!(dead > all.calls / 2, "{name}: {dead}");
    }
    assert_eq!(
        all.would_raise[0].without,
        "any source down, slow or refusing"
    );
    assert_eq!(all.would_raise[0].calls, all.calls);
}

#[test]
fn a_source_that_thinks_for_minutes_is_slow() {
    let mut model = easy();
    let slow = &mut model.sources[0];
    (slow.median_ms, slow.timeout_ms) = (600_000.0, 60_000);
    let all = live(1, model).all;
    let why = because_of(&all, "slow source: City records");
    assert!(why > 0 && because_of(&all, "no coverage") == 0, "{why}");
}

#[test]
fn without_coverage_nobody_is_reachable_and_each_miss_says_so() {
    let model = Model {
        dead_share: 1.0,
        ..easy()
    };
    let report = live(1, model);
    let all = &report.all;
    assert_eq!(
        (all.reachable, all.everything_asked_answered_and_there),
        (0, 0)
    );
    let late = because_of(all, "late assignment");
    assert_eq!(because_of(all, "no coverage") + late, all.calls);
    assert!(late < all.calls / 10);
    assert!(report.modelled.travel_without_link_share > 0.99);
}

#[test]
fn who_is_told_of_a_unit_at_its_arrival_is_told_too_late() {
    let model = Model {
        assigned_at_arrival: true,
        ..easy()
    };
    let all = live(1, model).all;
    assert_eq!(all.reachable, 0);
    assert_eq!(because_of(&all, "late assignment"), all.calls);
}

#[test]
fn a_device_that_is_off_has_nothing() {
    let model = Model {
        device_on_h: 0.02,
        device_off_min: 600.0,
        ..easy()
    };
    let all = live(1, model).all;
    assert!(because_of(&all, "device off") > all.calls / 2);
}

#[test]
fn more_dead_zones_and_more_outages_make_the_figures_fall() {
    let little = live(1, Model::default()).all;
    let mut model = Model {
        dead_share: 0.6,
        ..Model::default()
    };
    for source in &mut model.sources {
        source.up_h /= 20.0;
    }
    let much = live(1, model).all;
    assert!(much.reachable < little.reachable);
    assert!(much.everything_asked_answered_and_there < little.everything_asked_answered_and_there);
}

#[test]
fn what_would_raise_the_figure_raises_it_by_as_much() {
    let mut model = Model::default();
    for source in &mut model.sources {
        source.up_h /= 30.0;
    }
    let before = live(5, model.clone()).all;
    let said = before
        .would_raise
        .iter()
        .find(|r| r.without == "any source down");
    let said = said.unwrap().calls;
    for source in &mut model.sources {
        source.up_h = 1e9;
    }
    let after = live(5, model).all;
    let raised =
        after.everything_asked_answered_and_there - before.everything_asked_answered_and_there;
    println!("{said} said, {raised} raised, of {}", before.calls);
    // Two cities of one seed: what is lost on a link differs, and what was only slow is slow.
    assert!(said > 10 && raised.abs_diff(said) <= 3, "{said} {raised}");
}
