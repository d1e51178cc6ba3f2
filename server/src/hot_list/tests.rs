#![allow(clippy::unwrap_used)]

use packet::{
    Compartment, Confidence, DocumentId, Entry, Finding, Mention, MentionWhat, OutcomeState, Query,
    QueryWhat, Topic,
};

use super::alerts::NEAR_MS_MAX;
use super::names::Wanted;
use super::*;
use crate::intake::{CallReport, CallStatus};
use crate::log::document;
use crate::standing::bench::{Bench, HERE, HOUR_MS, NEAR_BY};

fn confidence(stands: &crate::standing::bench::Stands) -> Confidence {
    match &stands.entry {
        Entry::Finding(finding) => finding.confidence,
        other => panic!("{other:?} is no finding"),
    }
}

#[test]
fn a_call_that_names_a_listed_plate_has_a_finding_and_an_entry_finds_the_calls_that_named_it() {
    for entry_first in [true, false] {
        let mut bench = Bench::new();
        let entry = bench.stolen("KRT482");
        if entry_first {
            bench.list(entry.clone());
        }
        let call = bench.call_naming("1", "KRT482 WI");
        let other = bench.call_naming("2", "KRT483 WI");
        if !entry_first {
            bench.list(entry);
        }
        let hot = bench.hot(call);
        assert_eq!(hot.len(), 1, "{hot:?}");
        let Entry::Finding(finding) = &hot[0].entry else {
            panic!("{hot:?}")
        };
        assert_eq!(
            (finding.topic, finding.confidence, finding.title.as_str()),
            (Topic::Stolen, Confidence::Exact, "Stolen: KRT482 WI")
        );
        assert_eq!(finding.source, "Hot list: Stolen vehicles");
        assert!(
            finding
                .text
                .contains("Listed by K. Lund (County sheriff), until 2026-01-02")
        );
        assert!(finding.ends_ms.is_some());
        assert!(bench.hot(other).is_empty());
    }
}

#[test]
fn what_is_a_danger_is_a_caution_in_safety_with_its_end() {
    let mut bench = Bench::new();
    bench.list(HotEntry {
        danger: true,
        text: "Driver is armed".into(),
        ..bench.stolen("KRT482")
    });
    let call = bench.call_naming("1", "KRT482");
    let hot = bench.hot(call);
    assert_eq!(hot.len(), 2, "{hot:?}");
    let Entry::Caution(caution) = &hot[0].entry else {
        panic!("{hot:?}")
    };
    assert!(hot[0].in_safety());
    assert_eq!(
        caution.text,
        "Stolen: KRT482 WI. Driver is armed A lead to verify: only a part matches."
    );
    assert!(caution.ends_ms.is_some());
    // The state was not said: not more than a lead.
    assert_eq!(confidence(&hot[1]), Confidence::Partial);
}

#[test]
fn notes_findings_queries_and_mentions_name_things_too() {
    let mut bench = Bench::new();
    bench.list(bench.stolen("KRT482"));
    bench.list(HotEntry {
        kind: HotKind::Wanted,
        wanted: Wanted {
            name: Some("Doe, Jane".into()),
            date_of_birth: Some("1980-02-03".parse().unwrap()),
            ..Wanted::default()
        },
        ..bench.stolen("KRT482")
    });
    bench.list(HotEntry {
        kind: HotKind::Bolo,
        wanted: Wanted {
            vehicle: Some("red Ford F150 with a ladder rack".into()),
            phone: Some("414-555-0123".into()),
            ..Wanted::default()
        },
        ..bench.stolen("KRT482")
    });
    let finding = |text: &str| {
        Entry::Finding(Finding {
            source: "Records".into(),
            title: "1 prior incident".into(),
            text: text.into(),
            query: "1 A ST".into(),
            recorded_ms: None,
            answered_ms: 1,
            confidence: Confidence::Exact,
            topic: Topic::Record,
            link: None,
            ends_ms: None,
            answers: None,
        })
    };
    let mention = |what, value: &str| {
        Entry::Mention(Mention {
            what,
            value: value.into(),
            words: value.into(),
            of: None,
        })
    };
    let query = |what, value: &str| {
        Entry::Query(Query {
            what,
            value: value.into(),
            by: "Diaz (1A1)".into(),
            purpose: None,
            reason: None,
        })
    };
    let note = |text: &str| {
        Entry::Note(packet::Note {
            text: text.into(),
            by: "Diaz".into(),
        })
    };
    for (number, (entry, title, how)) in [
        (note("tag KRT482 WI seen"), "Stolen", Confidence::Exact),
        (note("jane doe is inside"), "Wanted", Confidence::Partial),
        (note("call back (414) 555-0123"), "BOLO", Confidence::Exact),
        (
            finding("Associated: DOE, JANE, dob 02/03/1980"),
            "Wanted",
            Confidence::Exact,
        ),
        (
            mention(MentionWhat::Plate, "KRT482 WI"),
            "Stolen",
            Confidence::Exact,
        ),
        (
            mention(MentionWhat::PartialPlate, "T48"),
            "Stolen",
            Confidence::Partial,
        ),
        (
            mention(MentionWhat::Vehicle, "RED FORD F150"),
            "BOLO",
            Confidence::Partial,
        ),
        (
            mention(MentionWhat::Phone, "4145550123"),
            "BOLO",
            Confidence::Exact,
        ),
        (
            mention(MentionWhat::Person, "Dow, Jane 1980-02-03"),
            "Wanted",
            Confidence::Phonetic,
        ),
        (
            query(QueryWhat::Plate, "KRT-482 WI"),
            "Stolen",
            Confidence::Exact,
        ),
        (
            query(QueryWhat::Person, "Doe, Jane 1980-02-03"),
            "Wanted",
            Confidence::Exact,
        ),
    ]
    .into_iter()
    .enumerate()
    {
        let call = bench.tell(bench.report(&number.to_string()));
        let document_id = DocumentId::new(call, Compartment::Call);
        let is_query = matches!(entry, Entry::Query(_));
        let shown = format!("{entry:?}");
        let id = bench.add(document_id, entry);
        let hot = bench.hot(call);
        assert_eq!(hot.len(), 1, "{shown}: {hot:?}");
        assert!(hot[0].text().contains(&format!("| {title}: ")), "{hot:?}");
        assert_eq!(confidence(&hot[0]), how, "{shown}");
        let Entry::Finding(found) = &hot[0].entry else {
            unreachable!("it was a finding")
        };
        assert_eq!(found.answers, is_query.then_some(id));
    }
    let call = bench.tell(bench.report("nothing"));
    let asked = DocumentId::new(call, Compartment::Call);
    bench.add(asked, query(QueryWhat::Plate, "ZZZ999 WI"));
    let logged = bench.read(|connection| document(connection, asked));
    let outcome = logged
        .iter()
        .find_map(|l| match &l.inspected.written.entry {
            Entry::Outcome(outcome) => Some(outcome.state),
            _ => None,
        });
    assert_eq!(outcome, Some(OutcomeState::NothingFound));
}

#[test]
fn what_is_said_again_is_found_once_and_what_is_surer_once_more() {
    let mut bench = Bench::new();
    bench.list(bench.stolen("KRT482"));
    let call = bench.call_naming("1", "KRT482");
    for _ in 0..2 {
        bench.note(call, "plate KRT482 again");
        let again = CallReport {
            narrative: vec!["red car left, plate KRT482".into(), "still here".into()],
            ..bench.report("1")
        };
        bench.pass(1_000);
        bench.tell(again);
    }
    assert_eq!(bench.hot(call).len(), 1);
    bench.note(call, "plate KRT482 WI");
    let hot = bench.hot(call);
    assert_eq!(hot.len(), 2, "{hot:?}");
    assert_eq!(confidence(&hot[1]), Confidence::Exact);
}

#[test]
fn a_closed_call_is_not_told_and_one_that_opens_again_is() {
    let mut bench = Bench::new();
    let call = bench.call_naming("1", "KRT482 WI");
    bench.note(call, "also plate ABC123 WI");
    bench.pass(1_000);
    let closed = CallReport {
        status: CallStatus::Closed {
            disposition: "Advised".into(),
        },
        ..bench.report("1")
    };
    bench.tell(closed);
    bench.list(bench.stolen("KRT482"));
    assert!(bench.hot(call).is_empty());
    bench.pass(1_000);
    // Its caller names another plate besides: what was named before is known all the same.
    bench.call_naming("1", "KRT482 WI, then plate XYZ789 WI");
    assert_eq!(bench.hot(call).len(), 1);
    bench.list(bench.stolen("ABC123"));
    assert_eq!(bench.hot(call).len(), 2, "what a note named is known again");
}

#[test]
fn the_units_of_calls_near_by_are_alerted_and_those_far_off_are_not() {
    let mut bench = Bench::new();
    let at = |bench: &Bench, number: &str, (latitude, longitude): (f64, f64), units: &[&str]| {
        CallReport {
            latitude: Some(latitude),
            longitude: Some(longitude),
            units: units.iter().map(|unit| (*unit).into()).collect(),
            ..bench.report(number)
        }
    };
    let near = bench.tell(at(&bench, "near", NEAR_BY, &["1A"]));
    let far = bench.tell(at(&bench, "far", (43.15, -87.95), &["1B"]));
    let unattended = bench.tell(at(&bench, "unattended", NEAR_BY, &[]));
    let id = bench.list(HotEntry {
        danger: true,
        ..bench.stolen("KRT482")
    });
    let call = CallReport {
        narrative: vec!["plate KRT482 WI".into()],
        ..at(&bench, "here", HERE, &["1C"])
    };
    let here = bench.tell(call);
    let hot = bench.hot(near);
    assert_eq!(hot.len(), 1, "{hot:?}");
    assert!(hot[0].in_safety() && hot[0].text().contains("Near by, at here N 35TH ST"));
    assert!(bench.hot(far).is_empty() && bench.hot(unattended).is_empty());
    assert_eq!(bench.hot(here).len(), 2);

    // It is old soon, long before the entry ends; and it goes with the entry.
    bench.pass(NEAR_MS_MAX);
    bench.due();
    assert_eq!(bench.hot(near)[0].withdrawn, 1);
    assert_eq!(bench.hot(here)[0].withdrawn, 0);
    bench.note(here, "plate KRT482 IL or WI? KRT482 wi");
    bench.clear(id).unwrap();
    assert!(bench.hot(here).iter().all(|stands| stands.withdrawn == 1));
    assert_eq!(bench.hot(near)[0].withdrawn, 1);
}

#[test]
fn a_cleared_entry_withdraws_all_that_came_of_it_in_the_same_commit() {
    let mut bench = Bench::new();
    let id = bench.list(HotEntry {
        danger: true,
        ..bench.stolen("KRT482")
    });
    let other = bench.list(bench.stolen("ABC123"));
    let call = bench.call_naming("1", "KRT482 WI");
    bench.note(call, "plate ABC123 WI");
    bench.clear(id).unwrap();
    let withdrawn: Vec<_> = bench
        .hot(call)
        .iter()
        .map(|stands| (stands.text().contains("KRT482"), stands.withdrawn))
        .collect();
    assert_eq!(withdrawn, [(true, 1), (true, 1), (false, 0)]);
    assert!(matches!(bench.clear(id), Err(LogError::Unknown { .. })));
    // It is not found any more, and nothing is withdrawn twice.
    let later = bench.call_naming("2", "KRT482 WI");
    assert!(bench.hot(later).is_empty());
    bench.restart();
    assert!(bench.hot(call).iter().all(|stands| stands.withdrawn <= 1));
    bench.clear(other).unwrap();
}

#[test]
fn a_withdrawal_that_is_not_committed_has_not_happened() {
    let mut bench = Bench::new();
    let id = bench.list(bench.stolen("KRT482"));
    let call = bench.call_naming("1", "KRT482 WI");
    let cut_off = bench.write(move |ledger| {
        clear(ledger, id, "R. Ito")?;
        Err::<(), _>(LogError::Store("the power fails".into()))
    });
    assert!(cut_off.is_err());
    bench.restart();
    assert_eq!(bench.hot(call)[0].withdrawn, 0);
    // The entry is live as before, and is cleared once.
    bench.clear(id).unwrap();
    bench.restart();
    assert_eq!(bench.hot(call)[0].withdrawn, 1);
}

#[test]
fn an_entry_that_ends_by_itself_withdraws_once_also_across_a_restart() {
    let mut bench = Bench::new();
    bench.list(bench.stolen("KRT482"));
    let call = bench.call_naming("1", "KRT482 WI");
    bench.pass(23 * HOUR_MS);
    bench.due();
    assert_eq!(bench.hot(call)[0].withdrawn, 0);
    bench.pass(HOUR_MS);
    bench.restart();
    bench.restart();
    bench.due();
    assert_eq!(bench.hot(call)[0].withdrawn, 1);
    let late = bench.call_naming("2", "KRT482 WI");
    assert!(bench.hot(late).is_empty());
    let listed = bench.read(|c| page(c, Which::Ended, None, 10)).1;
    assert_eq!(listed[0].ended_by.as_deref(), Some("its end has come"));
}

#[test]
fn what_a_person_withdrew_is_neither_withdrawn_again_nor_found_again() {
    let mut bench = Bench::new();
    let id = bench.list(bench.stolen("KRT482"));
    let call = bench.call_naming("1", "KRT482");
    let found = bench.hot(call).remove(0);
    let correction = packet::Correction {
        of: found.id,
        text: None,
        by: "An analyst".into(),
    };
    bench.add(found.document, Entry::Correction(correction));
    bench.note(call, "plate KRT482, as said");
    assert_eq!(bench.hot(call).len(), 1);
    bench.clear(id).unwrap();
    assert_eq!(bench.hot(call)[0].withdrawn, 1);
}

#[test]
fn a_whole_list_replaces_what_it_had_and_leaves_the_others_alone() {
    let mut bench = Bench::new();
    let numbered = |bench: &Bench, number: &str, plate: &str| HotEntry {
        number: Some(number.into()),
        ..bench.stolen(plate)
    };
    let of_another = HotEntry {
        list: "Another".into(),
        ..numbered(&bench, "1", "ZZZ999")
    };
    bench.list(of_another);
    let (kept, gone, otherwise) = (
        numbered(&bench, "1", "AAA111"),
        numbered(&bench, "2", "BBB222"),
        numbered(&bench, "3", "CCC333"),
    );
    for entry in [&kept, &gone, &otherwise] {
        bench.list(entry.clone());
    }
    let mut calls = Vec::new();
    for (number, plate) in ["AAA111", "BBB222", "CCC333", "ZZZ999"].iter().enumerate() {
        calls.push(bench.call_naming(&number.to_string(), &format!("{plate} WI")));
    }
    let file = vec![
        kept,
        HotEntry {
            text: "Seen on the lake shore".into(),
            ..otherwise
        },
        numbered(&bench, "4", "DDD444"),
    ];
    let numbers: HashSet<_> = file.iter().map(|entry| entry.number().to_owned()).collect();
    let replaced = bench
        .write(move |ledger| {
            let mut replaced = Replaced::default();
            let triage = |report: &CallReport| crate::triage::Rules::default().triage(report);
            take_some(ledger, &file, &triage, &mut replaced)?;
            replaced.ended += drop_unlisted(ledger, "Stolen vehicles", &numbers, 100)?;
            Ok(replaced)
        })
        .unwrap();
    let wanted = Replaced {
        added: 2,
        unchanged: 1,
        ended: 2,
    };
    assert_eq!(replaced, wanted);
    let stands = |call| -> Vec<usize> { bench.hot(call).iter().map(|s| s.withdrawn).collect() };
    assert_eq!(stands(calls[0]), [0], "unchanged");
    assert_eq!(stands(calls[1]), [1], "not listed any more");
    assert_eq!(stands(calls[2]), [1, 0], "listed otherwise");
    assert_eq!(stands(calls[3]), [0], "of another list");
}
