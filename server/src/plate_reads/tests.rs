#![allow(clippy::unwrap_used)]

use packet::Caution;

use super::*;
use crate::hot_list::HotEntry;
use crate::log::document;
use crate::standing::bench::{Bench, HOUR_MS, KEEP_MS, NEAR_BY, Stands};

const MINUTE_MS: i64 = 60 * 1_000;

/// What a packet was told of reads.
fn told(bench: &Bench, call: CallId) -> Vec<Stands> {
    let mut said = bench.said(call);
    said.retain(|stands| stands.text().starts_with(SOURCE));
    said
}

fn report(bench: &Bench, call: CallId) -> CallReport {
    let report: String = bench.read(|connection| {
        let statement = "SELECT report FROM calls WHERE call = ?1";
        Ok(connection.query_row(statement, [call.0.cast_signed()], |row| row.get(0))?)
    });
    serde_json::from_str(&report).unwrap()
}

fn kept(bench: &Bench) -> i64 {
    bench.read(|c| Ok(c.query_row("SELECT count(*) FROM plate_reads", [], |row| row.get(0))?))
}

#[test]
fn a_read_of_a_listed_plate_opens_a_packet_once_and_alerts_the_units_near_by() {
    let mut bench = Bench::new();
    let near = CallReport {
        latitude: Some(NEAR_BY.0),
        longitude: Some(NEAR_BY.1),
        units: vec!["1A".into()],
        ..bench.report("near")
    };
    let near = bench.tell(near);
    bench.list(HotEntry {
        danger: true,
        text: "Driver is armed".into(),
        ..bench.stolen("KRT482")
    });
    let taken = bench.see(bench.plate_read("krt-482", "CAM 1"));
    assert_eq!((taken.taken, taken.calls.len()), (1, 1));
    let call = taken.calls[0];
    let opened = report(&bench, call);
    assert_eq!(
        (
            opened.nature.as_str(),
            opened.number.as_str(),
            opened.priority
        ),
        (NATURE, "PR-1", Some(1))
    );
    assert_eq!(opened.location, "N 35TH ST at W VLIET ST");
    let hot = bench.hot(call);
    assert!(matches!(&hot[0].entry, Entry::Caution(Caution { text, .. })
        if text == "Stolen: KRT482 WI. Driver is armed"));
    assert_eq!(told(&bench, call).len(), 1);
    assert_eq!(bench.hot(near).len(), 1);

    // Read again: the packet is there, and is told of the other camera only.
    bench.pass(MINUTE_MS);
    let again = bench.see(bench.plate_read("KRT482", "CAM 1"));
    assert_eq!(again.calls, [call]);
    bench.see(bench.plate_read("KRT482", "CAM 2"));
    assert_eq!(told(&bench, call).len(), 2);
    assert_eq!(bench.calls().len(), 2);
    assert_eq!(bench.hot(near).len(), 1, "it was alerted a minute ago");
}

#[test]
fn a_read_is_told_to_the_open_calls_that_name_the_plate_listed_or_not() {
    let mut bench = Bench::new();
    let call = bench.call_naming("1", "ABC123 WI");
    let other = bench.call_naming("2", "ABC124 WI");
    assert_eq!(bench.see(bench.plate_read("ABC123", "CAM 1")).calls, [call]);
    let told_of = told(&bench, call);
    assert_eq!(told_of.len(), 1);
    assert!(
        told_of[0].text().contains("ABC123 WI was read")
            && told_of[0]
                .text()
                .contains("N 35TH ST at W VLIET ST (CAM 1), the reader is 97 % sure"),
        "{told_of:?}"
    );
    assert!(told(&bench, other).is_empty());
    assert_eq!(bench.see(bench.plate_read("ZZZ999", "CAM 1")).calls, []);
    assert_eq!(bench.calls().len(), 2);
}

#[test]
fn a_call_that_comes_later_is_told_of_the_newest_reads() {
    let mut bench = Bench::new();
    for camera in ["CAM 1", "CAM 2", "CAM 3", "CAM 4"] {
        bench.see(bench.plate_read("ABC123", camera));
        bench.pass(MINUTE_MS);
    }
    let call = bench.call_naming("1", "ABC123 WI");
    let told_of = told(&bench, call);
    assert_eq!(told_of.len(), SEEN_BEFORE_MAX);
    assert!(told_of[0].text().contains("CAM 4"), "{told_of:?}");
    assert!(
        told_of
            .iter()
            .all(|stands| !stands.text().contains("CAM 1"))
    );
}

#[test]
fn an_entry_that_comes_later_opens_a_packet_while_the_car_may_be_near() {
    for (minutes, opens) in [(20, true), (40, false)] {
        let mut bench = Bench::new();
        bench.see(bench.plate_read("KRT482", "CAM 1"));
        bench.pass(minutes * MINUTE_MS);
        bench.list(bench.stolen("KRT482"));
        assert_eq!(bench.calls().len(), usize::from(opens), "{minutes}");
        for call in bench.calls() {
            assert_eq!((bench.hot(call).len(), told(&bench, call).len()), (1, 1));
        }
    }
    // A part of a plate finds them too, where it says how the plate begins.
    for (part, opens) in [("KRT4*", true), ("*T482", false)] {
        let mut bench = Bench::new();
        bench.see(bench.plate_read("KRT482", "CAM 1"));
        bench.list(bench.stolen(part));
        assert_eq!(bench.calls().len(), usize::from(opens), "{part}");
    }
}

#[test]
fn a_reader_in_doubt_makes_a_lead_and_not_more() {
    let mut bench = Bench::new();
    bench.list(bench.stolen("KRT482"));
    let doubtful = PlateRead {
        confidence: Some(0.6),
        ..bench.plate_read("KRT482", "CAM 1")
    };
    let call = bench.see(doubtful).calls[0];
    let leads = [bench.hot(call), told(&bench, call)].concat();
    assert_eq!(leads.len(), 2, "{leads:?}");
    for lead in leads {
        let Entry::Finding(finding) = &lead.entry else {
            panic!("{lead:?}")
        };
        assert_eq!(finding.confidence, Confidence::Partial, "{finding:?}");
    }
    let said = report(&bench, call).narrative.concat();
    assert!(said.contains("60 % sure. A lead to verify."), "{said}");
}

#[test]
fn reads_are_deleted_for_good_after_their_hours_and_match_nothing_then() {
    let mut bench = Bench::new();
    let read = bench.plate_read("KRT482", "CAM 1");
    bench.see(read.clone());
    let again = bench.see(read.clone());
    assert_eq!((again.taken, again.left_out), (0, 1), "it came before");
    bench.pass(KEEP_MS - 1);
    bench.due();
    assert_eq!(kept(&bench), 1);
    bench.pass(1);
    bench.due();
    assert_eq!(kept(&bench), 0);
    let old = bench.see(read);
    assert_eq!(
        (old.taken, old.left_out),
        (0, 1),
        "it is older than they are kept"
    );
    let call = bench.call_naming("1", "KRT482 WI");
    assert!(told(&bench, call).is_empty());
}

#[test]
fn the_center_closes_a_packet_that_it_opened_when_the_plate_is_not_read_any_more() {
    let mut bench = Bench::new();
    bench.list(bench.stolen("KRT482"));
    let cleared = bench.list(bench.stolen("ABC123"));
    let call = bench.see(bench.plate_read("KRT482", "CAM 1")).calls[0];
    let other = bench.see(bench.plate_read("ABC123", "CAM 1")).calls[0];
    bench.clear(cleared).unwrap();
    bench.due();
    let disposition = |bench: &Bench, call| match report(bench, call).status {
        CallStatus::Closed { disposition } => disposition,
        CallStatus::Open => "open".into(),
    };
    assert_eq!(disposition(&bench, other), "The listing has ended");
    bench.pass(HOUR_MS);
    bench.see(bench.plate_read("KRT482", "CAM 2"));
    bench.pass(HOUR_MS);
    bench.due();
    assert_eq!(disposition(&bench, call), "open");
    bench.pass(HOUR_MS);
    bench.due();
    assert_eq!(disposition(&bench, call), "Not read again");
    // The next read is news again.
    let next = bench.see(bench.plate_read("KRT482", "CAM 3")).calls[0];
    assert_ne!(next, call);
    assert_eq!(report(&bench, next).number, "PR-3");
}

#[test]
fn a_query_is_answered_by_the_reads_of_the_plate() {
    let mut bench = Bench::new();
    bench.see(bench.plate_read("ABC123", "CAM 1"));
    let call = bench.tell(bench.report("1"));
    let words = DocumentId::new(call, Compartment::Call);
    let query = Entry::Query(packet::Query {
        what: packet::QueryWhat::Plate,
        value: "ABC123 WI".into(),
        by: "Diaz".into(),
        purpose: None,
        reason: None,
    });
    let asked = bench.add(words, query);
    let Entry::Finding(finding) = &told(&bench, call)[0].entry else {
        panic!("a finding")
    };
    assert_eq!(finding.answers, Some(asked));
    let logged = bench.read(|connection| document(connection, words));
    let answered = logged.iter().any(|l| match &l.inspected.written.entry {
        Entry::Outcome(outcome) => {
            outcome.state == packet::OutcomeState::Answered && outcome.answers == Some(asked)
        }
        _ => false,
    });
    assert!(answered);
}

#[test]
fn what_breaks_a_limit_is_named_with_what_was_wanted() {
    let bench = Bench::new();
    type Breaks = fn(&mut PlateRead);
    let broken: [(&str, Breaks); 7] = [
        ("plate", |r| r.plate = " - ".into()),
        ("plate", |r| r.plate = "A".repeat(PLATE_CHARS_MAX + 1)),
        ("camera", |r| r.camera = String::new()),
        ("latitude", |r| r.latitude = Some(91.0)),
        ("longitude", |r| r.longitude = None),
        ("confidence", |r| r.confidence = Some(97.0)),
        ("read", |r| r.read = Timestamp::MAX),
    ];
    let good = bench.plate_read("KRT482", "CAM 1");
    good.clone().checked(bench.now_ms()).unwrap();
    for (name, breaks) in broken {
        let mut read = good.clone();
        breaks(&mut read);
        let error = read.checked(bench.now_ms()).unwrap_err().to_string();
        assert!(error.starts_with(name), "{name}: {error}");
    }
    assert!(PlateReadsConfig { keep_hours: 0 }.check().is_err());
    assert!(PlateReadsConfig::default().check().is_ok());
}
