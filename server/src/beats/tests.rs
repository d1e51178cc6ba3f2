#![allow(clippy::unwrap_used)]

use jiff::Timestamp;
use packet::{Compartment, DeviceNumber, DocumentId, Entry, Topic};

use super::*;
use crate::hot_list::HotEntry;
use crate::premises::Premise;
use crate::shifts::{self, Shift};
use crate::standing::bench::{Bench, HERE};

fn north() -> BeatConfig {
    BeatConfig {
        id: "N1".into(),
        name: "North 1".into(),
        agency: "pd".into(),
        districts: vec!["5".into()],
        area: vec![[43.0, -88.0], [43.1, -88.0], [43.1, -87.9], [43.0, -87.9]],
        units: vec!["1A".into(), "1B".into()],
    }
}

fn premise(location: &str, ends: Timestamp) -> Premise {
    Premise {
        location: location.into(),
        latitude: Some(HERE.0),
        longitude: Some(HERE.1),
        district: None,
        text: "Large dog".into(),
        set_by: "Diaz".into(),
        ends,
    }
}

fn with(beats: Vec<BeatConfig>) -> Bench {
    let mut bench = Bench::new();
    bench
        .write(move |ledger| configure(ledger, &beats))
        .unwrap();
    bench.due();
    bench
}

fn keep(bench: &mut Bench, premise: Premise) -> i64 {
    let id = bench
        .write(move |ledger| premises::add(ledger, &premise))
        .unwrap();
    bench.due();
    id
}

fn sign_on(bench: &mut Bench, unit: &'static str) {
    bench
        .write(move |ledger| {
            let shift = Shift {
                device: DeviceNumber(1),
                officer: "Diaz".into(),
                badge: "7".into(),
                unit: unit.into(),
                agency: "pd".into(),
                expires_ms: i64::MAX,
            };
            shifts::sign_on(ledger, &shift)?;
            super::sign_on(ledger, unit)
        })
        .unwrap();
}

fn units(bench: &Bench, call: CallId) -> Vec<String> {
    bench.read(|connection| {
        let mut statement = connection
            .prepare("SELECT unit FROM grants WHERE call = ?1 AND to_seq IS NULL ORDER BY unit")?;
        let units = statement.query_map([call.0.cast_signed()], |row| row.get(0))?;
        Ok(units.collect::<Result<_, _>>()?)
    })
}

/// The titles of what stands in the packet, by compartment.
fn carried(bench: &Bench, call: CallId) -> Vec<(Compartment, String)> {
    let said = bench.said(call).into_iter();
    said.filter(|stands| stands.withdrawn == 0)
        .filter_map(|stands| match stands.entry {
            Entry::Finding(finding) => Some((stands.document.compartment, finding.title)),
            _ => None,
        })
        .collect()
}

#[test]
fn a_beats_packet_carries_its_premises_and_the_lists_what_can_hurt_in_safety() {
    let mut bench = with(vec![north()]);
    let ends = bench.in_hours(9);
    keep(&mut bench, premise("1 N 35TH ST,MKE", ends));
    let far = Premise {
        latitude: Some(44.0),
        ..premise("2 N 35TH ST,MKE", ends)
    };
    keep(&mut bench, far);
    let by_district = Premise {
        latitude: None,
        longitude: None,
        district: Some("5".into()),
        ..premise("3 N 35TH ST,MKE", ends)
    };
    keep(&mut bench, by_district);
    bench.list(bench.stolen("KRT482"));
    bench.list(HotEntry {
        danger: true,
        ..bench.stolen("ABC123")
    });
    bench.list(HotEntry {
        beats: vec!["S9".into()],
        ..bench.stolen("ZZZ999")
    });
    let [packet] = &bench.read(packets)[..] else {
        panic!("one packet")
    };
    assert!(packet.given && packet.call.is_beat() && !packet.is_short);
    let (safety, call) = (Compartment::Safety, Compartment::Call);
    let mut found = carried(&bench, packet.call);
    found.sort();
    assert_eq!(
        found,
        [
            (safety, "1 N 35TH ST,MKE".to_owned()),
            (safety, "3 N 35TH ST,MKE".to_owned()),
            (safety, "Stolen: ABC123 WI".to_owned()),
            (call, "Stolen: KRT482 WI".to_owned()),
        ]
    );
    let premise = bench.said(packet.call).remove(0);
    let Entry::Finding(finding) = &premise.entry else {
        panic!("{premise:?}")
    };
    assert_eq!(finding.topic, Topic::Premise);
    assert_eq!(finding.ends_ms, Some(ends.as_millisecond()));
    assert!(finding.text.starts_with("Large dog\nSet by Diaz, until "));
    // It is no call, for anybody who lists or counts calls.
    assert!(bench.calls().is_empty());
}

#[test]
fn what_a_beat_carries_is_no_call_that_a_search_finds() {
    let mut bench = with(vec![north()]);
    let ends = bench.in_hours(9);
    keep(&mut bench, premise("1 N 35TH ST,MKE", ends));
    bench.list(bench.stolen("KRT482"));
    let packet = bench.read(packets)[0].call.0.cast_signed();
    let indexed: i64 = bench.read(|connection| {
        let mut statement =
            connection.prepare("SELECT count(*) FROM search_entries WHERE call = ?1")?;
        Ok(statement.query_row([packet], |row| row.get(0))?)
    });
    assert_eq!(indexed, 0);
}

#[test]
fn a_units_sign_on_gives_it_its_beats_packet_once() {
    let mut bench = with(vec![north()]);
    let packet = bench.read(packets).remove(0).call;
    assert!(units(&bench, packet).is_empty());
    sign_on(&mut bench, "1A");
    sign_on(&mut bench, "1A");
    sign_on(&mut bench, "9Z");
    assert_eq!(units(&bench, packet), ["1A"]);
}

#[test]
fn what_ends_leaves_the_packet_by_a_withdrawal() {
    let mut bench = with(vec![north()]);
    let ends = bench.in_hours(2);
    let ended = keep(&mut bench, premise("1 N 35TH ST", ends));
    keep(&mut bench, premise("2 N 35TH ST", ends));
    let id = bench.list(bench.stolen("KRT482"));
    let packet = bench.read(packets).remove(0).call;
    assert_eq!(carried(&bench, packet).len(), 3);
    bench.clear(id).unwrap();
    bench
        .write(move |ledger| premises::end(ledger, ended, "Diaz"))
        .unwrap();
    assert_eq!(carried(&bench, packet).len(), 1);
    bench.pass(2 * 60 * 60 * 1_000);
    bench.due();
    assert!(carried(&bench, packet).is_empty());
    assert!(
        bench
            .said(packet)
            .iter()
            .all(|stands| stands.withdrawn == 1)
    );
}

#[test]
fn a_packet_is_short_of_what_it_has_no_room_for_and_says_so() {
    let mut bench = with(vec![north()]);
    let dangers = 3;
    for number in 0..HOT_CARRIED_MAX + 5 {
        let entry = HotEntry {
            // The oldest are the dangers: they come first all the same.
            danger: number < dangers,
            ..bench.stolen(&format!("AAA{number:04}"))
        };
        bench
            .write(move |ledger| {
                let triage = |report: &_| crate::triage::Rules::default().triage(report);
                crate::hot_list::add(ledger, &entry, &triage)
            })
            .unwrap();
    }
    bench.due();
    let packet = bench.read(packets).remove(0);
    assert!(packet.is_short);
    let carried = carried(&bench, packet.call);
    assert_eq!(carried.len(), HOT_CARRIED_MAX);
    let in_safety = carried.iter().filter(|(c, _)| *c == Compartment::Safety);
    assert_eq!(in_safety.count(), dangers);
    let words = DocumentId::new(packet.call, Compartment::Call);
    let notes = bench.read(|connection| crate::log::document(connection, words));
    let is_note = |l: &&crate::log::Logged| matches!(l.inspected.written.entry, Entry::Note(_));
    assert_eq!(notes.iter().filter(is_note).count(), 1);
    // What had no room has it when another is cleared.
    let left_out = format!("Stolen: AAA{:04} WI", dangers);
    assert!(!carried.iter().any(|(_, title)| *title == left_out));
    let newest = bench
        .read(|c| crate::hot_list::page(c, crate::hot_list::Which::Live, None, 5))
        .1;
    for listed in newest {
        bench.clear(listed.id).unwrap();
    }
    bench.due();
    assert!(
        super::tests::carried(&bench, packet.call)
            .iter()
            .any(|(_, title)| *title == left_out)
    );
}

#[test]
fn a_packet_that_has_grown_too_far_is_followed_by_another_that_is_full_before_it_is_given() {
    let mut bench = with(vec![north()]);
    sign_on(&mut bench, "1A");
    let ends = bench.in_hours(9);
    for number in 0..FILLED_PER_COMMIT_MAX + 3 {
        keep(&mut bench, premise(&format!("{number} N 35TH ST"), ends));
    }
    let old = bench.read(packets).remove(0).call;
    bench
        .write(move |ledger| {
            ledger
                .sql()
                .execute("UPDATE beat_packets SET changes = ?1", [CHANGES_MAX + 1])?;
            packet_changed(ledger, old)
        })
        .unwrap();
    // Some entries a commit: meanwhile the unit keeps what it has.
    assert!(bench.write(tend_some).unwrap());
    assert_eq!(units(&bench, old), ["1A"]);
    let filling = bench.read(packets);
    assert_eq!(filling.len(), 2);
    bench.restart();
    let [new] = &bench.read(packets)[..] else {
        panic!("the old one is retired")
    };
    assert!(new.call != old && new.given);
    assert_eq!(carried(&bench, new.call).len(), FILLED_PER_COMMIT_MAX + 3);
    assert_eq!(units(&bench, new.call), ["1A"]);
    assert!(units(&bench, old).is_empty());
    // Nobody has the old one: nothing more is written into it.
    let before = bench.said(old);
    bench.pass(9 * 60 * 60 * 1_000);
    bench.due();
    assert!(carried(&bench, new.call).is_empty());
    assert_eq!(bench.said(old).len(), before.len());
    assert!(bench.said(old).iter().all(|stands| stands.withdrawn == 0));
}

#[test]
fn a_beat_that_is_configured_otherwise_is_so_at_the_next_start() {
    let mut bench = with(vec![north()]);
    sign_on(&mut bench, "1A");
    let packet = bench.read(packets).remove(0).call;
    let without = BeatConfig {
        units: vec!["1B".into()],
        ..north()
    };
    bench
        .write(move |ledger| configure(ledger, &[without]))
        .unwrap();
    bench.due();
    assert!(units(&bench, packet).is_empty());
    assert_eq!(bench.read(packets).len(), 1);
    bench.write(|ledger| configure(ledger, &[])).unwrap();
    bench.due();
    assert!(bench.read(packets).is_empty());
}

#[test]
fn an_alert_reaches_the_beats_packet_that_the_place_is_in() {
    let south = BeatConfig {
        id: "S1".into(),
        area: vec![[42.0, -88.0], [42.1, -88.0], [42.1, -87.9]],
        districts: vec![],
        ..north()
    };
    let mut bench = with(vec![north(), south]);
    bench.list(HotEntry {
        danger: true,
        beats: vec!["nowhere".into()],
        ..bench.stolen("KRT482")
    });
    bench.call_naming("1", "KRT482 WI");
    let packets = bench.read(packets);
    let of = |beat: &str| {
        packets
            .iter()
            .find(|packet| packet.beat == beat)
            .unwrap()
            .call
    };
    let alerts = bench.hot(of("N1"));
    assert_eq!(alerts.len(), 1, "{alerts:?}");
    assert!(matches!(alerts[0].entry, Entry::Caution(_)) && alerts[0].in_safety());
    assert!(bench.hot(of("S1")).is_empty());
}
