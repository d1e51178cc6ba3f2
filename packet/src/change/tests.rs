//! What is written is read, and what would not be taken is not written.

#![allow(clippy::unwrap_used)]
use super::*;
use crate::entry::{
    Acknowledgement, CallState, Caution, Confidence, Correction, Entry, Facts, Finding, Note,
    Outcome, OutcomeState, Query, QueryWhat, Topic, UnitState, UnitStatus,
};
use crate::ids::{Author, DeviceNumber};
use proptest::prelude::*;
use serde_json::{Map, Value};

fn draft(written: &Written) -> Draft<'_> {
    Draft {
        actor: Actor::new(Author::Device(DeviceNumber(7)), [1, 2, 3, 4]),
        number: 3,
        deps: vec![ChangeHash([9; 32]), ChangeHash([4; 32])],
        start_op: 40,
        time_ms: 1_790_000_000_000,
        written,
    }
}

fn note(text: &str) -> Written {
    let note = Note {
        text: text.into(),
        by: "Diaz (4A12)".into(),
    };
    Written {
        entry: Entry::Note(note),
        clock_off_ms: Some(-5),
        instead: None,
    }
}

fn one_of_each() -> Vec<Entry> {
    let by = || "Diaz (4A12)".to_owned();
    let of = EntryId {
        actor: Actor([3; 8]),
        number: 4,
    };
    vec![
        Entry::Facts(Facts {
            agency: "cedarport-pd".into(),
            number: "26-1".into(),
            nature: "SHOTS FIRED".into(),
            category: "weapons".into(),
            priority: 1,
            reason: "nature".into(),
            location: "100 N MAIN ST".into(),
            latitude_e6: Some(-90_000_000),
            longitude_e6: Some(180_000_000),
            district: None,
            narrative: Some("man with gun".into()),
            received_ms: 1,
            state: CallState::Open,
            disposition: None,
        }),
        Entry::Note(Note {
            text: "n".into(),
            by: by(),
        }),
        Entry::Caution(Caution {
            text: "c".into(),
            by: by(),
            ends_ms: None,
        }),
        Entry::Finding(Finding {
            source: "records".into(),
            title: "t".into(),
            text: "x".into(),
            query: String::new(),
            recorded_ms: Some(i64::MIN),
            answered_ms: i64::MAX,
            confidence: Confidence::Partial,
            topic: Topic::Record,
            link: None,
            ends_ms: None,
            answers: None,
        }),
        Entry::Outcome(Outcome {
            source: "records".into(),
            query: "q".into(),
            state: OutcomeState::TimedOut,
            took_ms: Some(3),
            detail: None,
            as_of_ms: None,
            answers: None,
        }),
        Entry::Query(Query {
            what: QueryWhat::Plate,
            value: "ABC123".into(),
            by: by(),
            purpose: None,
            reason: None,
        }),
        Entry::UnitStatus(UnitStatus {
            unit: "4A12".into(),
            status: UnitState::OnScene,
            by: by(),
        }),
        Entry::Correction(Correction {
            of,
            text: None,
            by: by(),
        }),
        Entry::Acknowledgement(Acknowledgement {
            of,
            by: by(),
            unit: "4A12".into(),
        }),
        Entry::Other {
            kind: "drone_feed".into(),
            fields: Map::from_iter([
                ("url".into(), Value::from("rtsp://x")),
                ("live".into(), true.into()),
                ("count".into(), (-3).into()),
                ("empty".into(), "".into()),
            ]),
        },
    ]
}

#[test]
fn every_kind_is_read_as_it_was_written() {
    for entry in one_of_each() {
        for clock_off_ms in [None, Some(0), Some(i64::MIN)] {
            let written = Written {
                entry: entry.clone(),
                clock_off_ms,
                instead: None,
            };
            let draft = draft(&written);
            let composed = compose(&draft).unwrap();
            let inspected = inspect(&composed.bytes).unwrap();
            assert_eq!(inspected.written, written);
            assert_eq!(
                inspected.id,
                EntryId {
                    actor: draft.actor,
                    number: 3
                }
            );
            assert_eq!(inspected.deps, [ChangeHash([4; 32]), ChangeHash([9; 32])]);
            assert_eq!(
                (inspected.start_op, inspected.time_ms),
                (40, 1_790_000_000_000)
            );
            assert_eq!(
                (composed.hash, composed.id, composed.max_op),
                (inspected.hash, inspected.id, inspected.max_op)
            );
            assert_eq!(change_hash(&composed.bytes).unwrap(), composed.hash);
            let automerge = automerge::Change::try_from(&composed.bytes[..]).unwrap();
            assert_eq!(automerge.hash().0, composed.hash.0);
            assert_eq!(automerge.max_op(), composed.max_op);
        }
    }
}

#[test]
fn an_entry_of_the_most_fields_fits() {
    let fields = (1..FIELDS_MAX)
        .map(|i| (format!("field{i}"), Value::from(i)))
        .collect();
    let entry = Entry::Other {
        kind: "wide".into(),
        fields,
    };
    let written = Written {
        entry,
        clock_off_ms: Some(1),
        instead: Some(ChangeHash([4; 32])),
    };
    let composed = compose(&draft(&written)).unwrap();
    assert_eq!(composed.max_op, 40 + OPS_MAX - 1);
    assert_eq!(inspect(&composed.bytes).unwrap().written, written);
}

#[test]
fn what_would_not_be_taken_is_not_written() {
    let other = |kind: &str, field: &str, value: Value| {
        let fields = Map::from_iter([(field.to_owned(), value)]);
        Written {
            entry: Entry::Other {
                kind: kind.into(),
                fields,
            },
            clock_off_ms: None,
            instead: None,
        }
    };
    for bad in [
        other("drone", "off", 1.into()),
        other("drone", "kind", "x".into()),
        other("drone", "", "x".into()),
        other("drone", &"x".repeat(65), "x".into()),
        other("drone", "height", 1.5.into()),
        other("drone", "height", u64::MAX.into()),
        other("drone", "height", Value::Null),
        other("drone", "height", Value::Array(vec![])),
        other("note", "text", "x".into()),
        note(" "),
    ] {
        assert!(compose(&draft(&bad)).is_err(), "{bad:?}");
    }
    let good = note("x");
    for bad in [
        Draft {
            number: 0,
            ..draft(&good)
        },
        Draft {
            start_op: 0,
            ..draft(&good)
        },
        Draft {
            start_op: u64::from(u32::MAX),
            ..draft(&good)
        },
        Draft {
            time_ms: -1,
            ..draft(&good)
        },
        Draft {
            deps: (0..=DEPS_MAX as u8).map(|i| ChangeHash([i; 32])).collect(),
            ..draft(&good)
        },
    ] {
        assert!(compose(&bad).is_err(), "{bad:?}");
    }
}

#[test]
fn an_entry_of_long_texts_that_breaks_the_size_cap_is_not_written() {
    let mut entry = one_of_each().remove(0);
    let Entry::Facts(facts) = &mut entry else {
        panic!("facts come first")
    };
    facts.reason = "\u{1f693}".repeat(2_000);
    facts.narrative = Some("\u{1f693}".repeat(2_000));
    let written = Written {
        entry,
        clock_off_ms: None,
        instead: None,
    };
    assert!(
        compose(&draft(&written))
            .unwrap_err()
            .to_string()
            .contains("too large")
    );
}

proptest! {
    #[test]
    fn any_note_is_read_as_it_was_written(
        text in "\\PC{1,300}|(.|\\s){1,60}",
        by in "\\PC{1,50}",
        clock_off_ms: Option<i64>,
        number in 1..u64::from(u32::MAX),
        start_op in 1..u64::from(u32::MAX) - OPS_MAX,
        time_ms in 0..253_402_300_799_999_i64,
        actor: [u8; 8],
        deps in proptest::collection::vec(any::<[u8; 32]>(), 0..=DEPS_MAX),
    ) {
        let written = Written { entry: Entry::Note(Note { text, by }), clock_off_ms, instead: clock_off_ms.map(|_| ChangeHash([4; 32])) };
        prop_assume!(written.entry.check().is_ok());
        let mut deps: Vec<_> = deps.into_iter().map(ChangeHash).collect();
        let draft = Draft { actor: Actor(actor), number, deps: deps.clone(), start_op, time_ms, written: &written };
        let composed = compose(&draft).unwrap();
        let inspected = inspect(&composed.bytes).unwrap();
        deps.sort_unstable();
        deps.dedup();
        prop_assert_eq!(&inspected.written, &written);
        prop_assert_eq!(inspected.id, EntryId { actor: Actor(actor), number });
        prop_assert_eq!(inspected.deps, deps);
        prop_assert_eq!((inspected.start_op, inspected.time_ms), (start_op, time_ms));
    }

    #[test]
    fn any_bytes_are_inspected_without_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        prop_assert!(inspect(&bytes).is_err());
    }
}
