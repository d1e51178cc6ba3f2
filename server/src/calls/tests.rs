#![allow(clippy::unwrap_used)]

mod eidos;
mod life;
mod links;

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::mpsc;

use jiff::Timestamp;
use packet::{CallId, CenterId, Compartment, DocumentId, Entry, Facts, UnitState};
use proptest::prelude::*;

use super::{News, Reported, release, report};
use crate::intake::{CallReport, CallStatus, UnitReport};
use crate::log::{Desk, Ledger, LogError, LogOptions, Surroundings, Task, document};
use crate::triage::Rules;

/// The log with nobody around it.
struct Bench {
    desk: Desk,
    rules: Rules,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::within(Surroundings::default())
    }

    fn within(surroundings: Surroundings) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LogOptions {
            center: CenterId([1; 16]),
            store_key: [2; 32],
            mac_key: [3; 32],
        };
        let path = folder.path().join("center.db");
        let desk = Desk::open(&path, &options, &surroundings, |_| ()).unwrap();
        Self {
            desk,
            rules: Rules::default(),
            _folder: folder,
        }
    }

    fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> T {
        let (answer, answered) = mpsc::channel();
        let task = Task::new(work, move |result| answer.send(result).unwrap());
        self.desk.commit([task]);
        answered.recv().unwrap().unwrap()
    }

    fn tell(&mut self, told: CallReport) -> Reported {
        let triage = self.rules.triage(&told);
        self.write(move |ledger| report(ledger, &told, &triage))
    }

    fn state(&mut self, call: CallId) -> State {
        self.write(move |ledger| State::of(ledger, call))
    }
}

/// What a call comes to.
#[derive(Debug, PartialEq)]
struct State {
    open: bool,
    priority: u8,
    updated_ms: i64,
    /// In each document, but for the call's own number.
    facts: Vec<Facts>,
    cautions: BTreeSet<String>,
    /// Those that have the packet, and what they do as dispatch says.
    units: BTreeMap<String, UnitState>,
}

impl State {
    fn of(ledger: &mut Ledger<'_>, call: CallId) -> Result<Self, LogError> {
        let (open, priority, updated_ms) = ledger.sql().query_row(
            "SELECT open, priority, updated_ms FROM calls WHERE call = ?1",
            [call.0.cast_signed()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?;
        let mut statement = ledger
            .sql()
            .prepare("SELECT unit FROM grants WHERE call = ?1 AND to_seq IS NULL")?;
        let on_it: Vec<String> = statement
            .query_map([call.0.cast_signed()], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let mut state = Self {
            open,
            priority,
            updated_ms,
            facts: Vec::new(),
            cautions: BTreeSet::new(),
            units: BTreeMap::new(),
        };
        for compartment in [Compartment::Safety, Compartment::Call] {
            let mut current = None;
            for logged in document(ledger.sql(), DocumentId::new(call, compartment))? {
                match logged.inspected.written.entry {
                    Entry::Facts(facts) => current = Some(facts),
                    Entry::Caution(caution) => drop(state.cautions.insert(caution.text)),
                    Entry::UnitStatus(status) if on_it.contains(&status.unit) => {
                        state.units.insert(status.unit, status.status);
                    }
                    _ => {}
                }
            }
            state.facts.extend(current.map(|facts| Facts {
                number: String::new(),
                ..facts
            }));
        }
        Ok(state)
    }
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).unwrap()
}

fn said(number: &str, second: i64) -> CallReport {
    CallReport {
        agency: "pd".into(),
        number: number.into(),
        received: at(0),
        updated: at(second),
        nature: "TRESPASS".into(),
        location: "1 MAIN ST".into(),
        latitude: None,
        longitude: None,
        district: None,
        priority: None,
        narrative: Vec::new(),
        plates: Vec::new(),
        units: Vec::new(),
        status: CallStatus::Open,
    }
}

fn unit(name: &str, status: UnitState) -> UnitReport {
    UnitReport {
        status: Some(status),
        ..name.into()
    }
}

fn some_unit() -> impl Strategy<Value = UnitReport> {
    let states = [
        None,
        Some(UnitState::Assigned),
        Some(UnitState::EnRoute),
        Some(UnitState::OnScene),
        Some(UnitState::Clear),
        Some(UnitState::Clear),
    ];
    (
        prop::sample::select(&["1A1", "1A2", "1B1"][..]),
        prop::sample::select(states.to_vec()),
        prop::option::of(0..8_i64),
    )
        .prop_map(|(unit, status, second)| UnitReport {
            unit: unit.into(),
            status,
            at: second.map(at),
        })
}

/// A message of the call; the seconds are few, so that some are the same.
fn some_message() -> impl Strategy<Value = CallReport> {
    (
        0..8_i64,
        prop::sample::select(&["TRESPASS", "SHOTS FIRED", "NOISE NUISANCE"][..]),
        prop::sample::select(&["", "he has a gun", "he has a knife", "loud"][..]),
        prop::option::of(prop::sample::select(&["Advised", "Arrest"][..])),
        prop::option::of(1..=5_u8),
        prop::collection::vec(some_unit(), 0..4),
    )
        .prop_map(
            |(second, nature, words, disposition, priority, units)| CallReport {
                nature: nature.into(),
                narrative: Some(words.to_owned())
                    .into_iter()
                    .filter(|w| !w.is_empty())
                    .collect(),
                status: disposition.map_or(CallStatus::Open, |disposition| CallStatus::Closed {
                    disposition: disposition.into(),
                }),
                priority,
                units,
                ..said("", second)
            },
        )
}

#[test]
fn any_order_and_repetition_of_a_calls_messages_ends_as_in_order() {
    let messages = prop::collection::vec(some_message(), 1..8);
    any_order_is_the_same(messages, 200, |bench, name, order| {
        let told = order.iter().map(|message| {
            let number = name.to_owned();
            bench
                .tell(CallReport {
                    number,
                    ..message.clone()
                })
                .call
        });
        let call = told.last().unwrap();
        bench.state(call)
    });
}

/// Holds `tell` to it that the state is the same in whatever order, and however often, the
/// messages come; under each name they are of another call.
fn any_order_is_the_same<T: Clone + std::fmt::Debug>(
    messages: impl Strategy<Value = Vec<T>>,
    cases: u32,
    tell: impl Fn(&mut Bench, &str, &[T]) -> State,
) {
    let bench = RefCell::new((Bench::new(), 0));
    let again = prop::collection::vec(any::<prop::sample::Index>(), 0..12);
    let mut runner = prop::test_runner::TestRunner::new(ProptestConfig {
        cases,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let judged = runner.run(
        &(messages, again, any::<u64>()),
        |(messages, again, seed)| {
            let (bench, case) = &mut *bench.borrow_mut();
            *case += 1;
            let mut any_order = messages.clone();
            any_order.extend(again.iter().map(|index| index.get(&messages).clone()));
            shuffle(&mut any_order, seed);
            let wanted = tell(bench, &format!("in-{case}"), &messages);
            let found = tell(bench, &format!("any-{case}"), &any_order);
            prop_assert_eq!(wanted, found, "{:#?}", any_order);
            Ok(())
        },
    );
    judged.unwrap_or_else(|failed| panic!("{failed}"));
}

fn shuffle<T>(items: &mut [T], mut seed: u64) {
    for last in (1..items.len()).rev() {
        // Knuth's generator: the order is proptest's matter, not ours.
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        items.swap(last, (seed >> 33) as usize % (last + 1));
    }
}

#[test]
fn a_late_message_moves_nothing_back_but_its_warning_is_heard() {
    let mut bench = Bench::new();
    let closed = CallReport {
        nature: "SHOTS FIRED".into(),
        status: CallStatus::Closed {
            disposition: "Arrest".into(),
        },
        units: vec![unit("1A1", UnitState::OnScene)],
        ..said("7", 60)
    };
    let call = bench.tell(closed.clone()).call;
    let before = bench.state(call);
    let late = CallReport {
        narrative: vec!["he has a gun".into()],
        units: vec![unit("1A1", UnitState::EnRoute)],
        ..said("7", 30)
    };
    let told = bench.tell(late.clone());
    assert_eq!((told.call, told.news), (call, News::Updated));
    let after = bench.state(call);
    assert_eq!(after.cautions.len(), 1);
    assert_eq!(
        State {
            cautions: BTreeSet::new(),
            ..after
        },
        before
    );
    assert_eq!(bench.tell(late).news, News::Unchanged);
    assert_eq!(bench.tell(closed).news, News::Unchanged);
}

#[test]
fn a_call_that_was_closed_is_reopened_by_a_later_word_alone() {
    let mut bench = Bench::new();
    let call = bench.tell(said("7", 0)).call;
    let closed = CallReport {
        status: CallStatus::Closed {
            disposition: "Advised".into(),
        },
        ..said("7", 10)
    };
    bench.tell(closed);
    assert!(!bench.state(call).open);
    bench.tell(said("7", 5));
    assert!(!bench.state(call).open);
    bench.tell(said("7", 20));
    assert!(bench.state(call).open);
}

#[test]
fn a_unit_leaves_when_it_is_said_to_and_not_by_being_left_out() {
    let mut bench = Bench::new();
    let both = CallReport {
        units: vec!["1A1".into(), unit("1A2", UnitState::EnRoute)],
        ..said("7", 0)
    };
    let call = bench.tell(both).call;
    bench.tell(said("7", 10));
    let units = |bench: &mut Bench| bench.state(call).units;
    assert_eq!(
        units(&mut bench),
        BTreeMap::from([
            ("1A1".into(), UnitState::Assigned),
            ("1A2".into(), UnitState::EnRoute)
        ])
    );
    bench.tell(CallReport {
        units: vec![unit("1A2", UnitState::Clear)],
        ..said("7", 20)
    });
    assert_eq!(units(&mut bench).len(), 1);
    // By hand, until dispatch says something new of it.
    bench.write(move |ledger| release(ledger, call, "1A1"));
    assert_eq!(units(&mut bench).len(), 0);
    bench.tell(CallReport {
        units: vec!["1A1".into()],
        ..said("7", 0)
    });
    assert_eq!(units(&mut bench).len(), 0);
    bench.tell(CallReport {
        units: vec!["1A1".into()],
        ..said("7", 30)
    });
    assert_eq!(units(&mut bench).len(), 1);
}

#[test]
fn of_a_long_narrative_the_newest_is_in_the_facts_and_nothing_is_lost() {
    let mut bench = Bench::new();
    let items: Vec<String> = (0..4).map(|n| format!("{n}{}", "x".repeat(900))).collect();
    let call = bench
        .tell(CallReport {
            narrative: items[..3].to_vec(),
            ..said("7", 0)
        })
        .call;
    bench.tell(CallReport {
        narrative: items.clone(),
        ..said("7", 1)
    });
    let facts = bench.state(call).facts;
    let narrative = facts[1].narrative.as_deref().unwrap();
    assert_eq!(narrative, format!("{}\n{}", items[2], items[3]));
    let notes = bench.write(move |ledger| {
        let entries = document(ledger.sql(), DocumentId::new(call, Compartment::Call))?;
        let notes = entries
            .into_iter()
            .filter_map(|logged| match logged.inspected.written.entry {
                Entry::Note(note) => Some(note.text),
                _ => None,
            });
        Ok(notes.collect::<Vec<_>>())
    });
    assert_eq!(notes, items[..2]);
}
