#![allow(clippy::unwrap_used)]

use super::*;
use crate::intake::{CallReport, CallStatus};
use crate::standing::bench::{Bench, HOUR_MS};

const ADDRESS: &str = "5237 N 35TH ST,MKE";

fn dog(bench: &Bench) -> Premise {
    Premise {
        location: ADDRESS.into(),
        latitude: None,
        longitude: None,
        district: None,
        text: "Large dog in the yard".into(),
        set_by: "Diaz (1A1)".into(),
        ends: bench.in_hours(9),
    }
}

fn keep(bench: &mut Bench, premise: Premise) -> i64 {
    let premise = premise.checked(bench.now_ms()).unwrap();
    bench.write(move |ledger| add(ledger, &premise)).unwrap()
}

fn call_at(bench: &mut Bench, number: &str, location: &str) -> CallId {
    let report = CallReport {
        location: location.into(),
        ..bench.report(number)
    };
    bench.tell(report)
}

/// Text, author, how often it was withdrawn.
fn cautions(bench: &Bench, call: CallId) -> Vec<(String, String, usize)> {
    let said = bench.said(call).into_iter();
    said.filter_map(|stands| match stands.entry {
        Entry::Caution(caution) => {
            assert!(
                caution.ends_ms.is_some() && stands.document.compartment == Compartment::Safety
            );
            Some((caution.text, caution.by, stands.withdrawn))
        }
        _ => None,
    })
    .collect()
}

#[test]
fn a_call_at_the_building_has_the_caution_with_who_set_it_and_open_calls_get_it_at_once() {
    let mut bench = Bench::new();
    let before = call_at(&mut bench, "1", "5237 n 35th st, MKE");
    let elsewhere = call_at(&mut bench, "2", "5239 N 35TH ST,MKE");
    let premise = dog(&bench);
    keep(&mut bench, premise);
    let after = call_at(&mut bench, "3", ADDRESS);
    let text = "Large dog in the yard".to_owned();
    let wanted = [(text, "Premise: Diaz (1A1)".to_owned(), 0)];
    assert_eq!(cautions(&bench, before), wanted);
    assert_eq!(cautions(&bench, after), wanted);
    assert!(cautions(&bench, elsewhere).is_empty());
    // Told again, it is not written again.
    bench.pass(1_000);
    call_at(&mut bench, "3", ADDRESS);
    assert_eq!(cautions(&bench, after).len(), 1);
}

#[test]
fn one_that_ends_is_withdrawn_by_whom_it_was_ended_and_comes_to_no_call_any_more() {
    let mut bench = Bench::new();
    let premise = dog(&bench);
    let id = keep(&mut bench, premise);
    let call = call_at(&mut bench, "1", ADDRESS);
    bench
        .write(move |ledger| end(ledger, id, "K. Lund"))
        .unwrap();
    assert_eq!(cautions(&bench, call)[0].2, 1);
    let again = bench.write(move |ledger| end(ledger, id, "K. Lund"));
    assert!(matches!(again, Err(LogError::Unknown { .. })));
    let later = call_at(&mut bench, "2", ADDRESS);
    assert!(cautions(&bench, later).is_empty());
    let ended = bench.read(|c| page(c, Some(false), None, 10)).1;
    assert_eq!(ended[0].ended_by.as_deref(), Some("K. Lund"));
}

#[test]
fn one_whose_end_has_come_is_withdrawn_at_the_next_start_too() {
    let mut bench = Bench::new();
    let premise = dog(&bench);
    keep(&mut bench, premise);
    let call = call_at(&mut bench, "1", ADDRESS);
    bench.pass(9 * HOUR_MS);
    let late = call_at(&mut bench, "2", ADDRESS);
    assert!(cautions(&bench, late).is_empty());
    bench.restart();
    bench.due();
    assert_eq!(cautions(&bench, call)[0].2, 1);
    assert_eq!(bench.read(|c| page(c, Some(true), None, 10)).0, 0);
}

#[test]
fn a_call_that_turns_out_to_be_elsewhere_loses_the_cautions_of_the_first_place() {
    let mut bench = Bench::new();
    let premise = dog(&bench);
    keep(&mut bench, premise);
    let other = Premise {
        location: "9 S 1ST ST".into(),
        text: "Armed resident".into(),
        ..dog(&bench)
    };
    keep(&mut bench, other);
    let call = call_at(&mut bench, "1", ADDRESS);
    bench.pass(1_000);
    call_at(&mut bench, "1", "9 S 1ST ST");
    let all = cautions(&bench, call);
    let short: Vec<_> = all.iter().map(|(text, _, n)| (text.as_str(), *n)).collect();
    assert_eq!(short, [("Large dog in the yard", 1), ("Armed resident", 0)]);
}

#[test]
fn a_closed_call_gets_none() {
    let mut bench = Bench::new();
    let premise = dog(&bench);
    keep(&mut bench, premise);
    let closed = CallReport {
        location: ADDRESS.into(),
        status: CallStatus::Closed {
            disposition: "Advised".into(),
        },
        ..bench.report("1")
    };
    let call = bench.tell(closed);
    assert!(cautions(&bench, call).is_empty());
}

#[test]
fn a_place_takes_so_many_and_what_breaks_a_limit_is_named() {
    let mut bench = Bench::new();
    for _ in 0..AT_A_PLACE_MAX {
        let premise = dog(&bench);
        keep(&mut bench, premise);
    }
    let one_more = dog(&bench);
    let added = bench.write(move |ledger| add(ledger, &one_more));
    assert!(matches!(added, Err(LogError::Conflict(_))));
    type Breaks = fn(&mut Premise);
    let broken: [(&str, Breaks); 6] = [
        ("location", |p| p.location = " , MKE".into()),
        ("text", |p| p.text = String::new()),
        ("set_by", |p| p.set_by = "x".repeat(NAME_CHARS_MAX + 1)),
        ("latitude", |p| {
            (p.latitude, p.longitude) = (Some(f64::NAN), Some(0.0))
        }),
        ("longitude", |p| p.latitude = Some(43.0)),
        ("ends", |p| p.ends = Timestamp::UNIX_EPOCH),
    ];
    for (name, breaks) in broken {
        let mut premise = dog(&bench);
        breaks(&mut premise);
        let error = premise.checked(bench.now_ms()).unwrap_err().to_string();
        assert!(error.starts_with(name), "{name}: {error}");
    }
}
