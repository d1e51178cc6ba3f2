//! Whatever comes in whatever order, what is said because of something that has ended does
//! not stand, and what is listed is said wherever it is named.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use packet::CallId;
use proptest::prelude::*;
use proptest::test_runner::Config as ProptestConfig;

use super::bench::{Bench, HOUR_MS};
use crate::beats::{self, BeatConfig};
use crate::hot_list::HotEntry;
use crate::intake::{CallReport, CallStatus};
use crate::premises::{self, Premise};

const PLATES: [&str; 3] = ["KRT482", "ABC123", "XYZ789"];

#[derive(Debug, Clone)]
enum Act {
    /// A call with this number names this plate.
    Call(usize, usize),
    Close(usize),
    Note(usize, usize),
    /// For so many hours; a danger or not.
    List(usize, i64, bool),
    Clear(usize),
    Read(usize),
    /// At the place of this call, for so many hours.
    Premise(usize, i64),
    EndPremise(usize),
    Pass(i64),
    /// Killed after its last commit, and started again.
    Restart,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let (plate, number) = (0..PLATES.len(), 0..3_usize);
    let act = prop_oneof![
        4 => (number.clone(), plate.clone()).prop_map(|(n, p)| Act::Call(n, p)),
        1 => number.clone().prop_map(Act::Close),
        1 => (number.clone(), plate.clone()).prop_map(|(n, p)| Act::Note(n, p)),
        4 => (plate.clone(), 1..6_i64, any::<bool>()).prop_map(|(p, h, d)| Act::List(p, h, d)),
        2 => (0..6_usize).prop_map(Act::Clear),
        2 => plate.prop_map(Act::Read),
        2 => (number, 1..6_i64).prop_map(|(n, h)| Act::Premise(n, h)),
        1 => (0..6_usize).prop_map(Act::EndPremise),
        2 => (1..4_i64).prop_map(|hours| Act::Pass(hours * HOUR_MS)),
        1 => Just(Act::Restart),
    ];
    proptest::collection::vec(act, 1..24)
}

/// What the test itself knows, beside the center.
struct World {
    bench: Bench,
    /// Entries by the words that only they have: plate, end, whether cleared, id.
    listed: Vec<(String, &'static str, i64, bool, i64)>,
    /// Premises: words, end, whether ended, id.
    kept: Vec<(String, i64, bool, i64)>,
    /// By number: the call, the plates that it names, whether it is open.
    calls: BTreeMap<usize, (CallId, Vec<&'static str>, bool)>,
}

impl World {
    fn new() -> Self {
        let mut bench = Bench::new();
        let beat = BeatConfig {
            id: "N1".into(),
            name: "North 1".into(),
            agency: "pd".into(),
            districts: vec![],
            area: vec![[43.0, -88.0], [43.1, -88.0], [43.1, -87.9], [43.0, -87.9]],
            units: vec!["1A".into()],
        };
        bench
            .write(move |ledger| beats::configure(ledger, &[beat]))
            .unwrap();
        bench.due();
        Self {
            bench,
            listed: Vec::new(),
            kept: Vec::new(),
            calls: BTreeMap::new(),
        }
    }

    fn tell(&mut self, number: usize, plate: Option<&'static str>, is_open: bool) {
        self.bench.pass(1_000);
        let report = CallReport {
            narrative: plate.map(|p| format!("plate {p} WI")).into_iter().collect(),
            units: vec!["1A".into()],
            status: if is_open {
                CallStatus::Open
            } else {
                CallStatus::Closed {
                    disposition: "Advised".into(),
                }
            },
            ..self.bench.report(&number.to_string())
        };
        let call = self.bench.tell(report);
        let known = self.calls.entry(number).or_insert((call, vec![], is_open));
        known.1.extend(plate);
        known.2 = is_open;
    }

    fn act(&mut self, act: Act) {
        match act {
            Act::Call(number, plate) => self.tell(number, Some(PLATES[plate]), true),
            Act::Close(number) => {
                if self.calls.contains_key(&number) {
                    self.tell(number, None, false);
                }
            }
            Act::Note(number, plate) => {
                if let Some((call, plates, _)) = self.calls.get_mut(&number) {
                    let plate = PLATES[plate];
                    plates.push(plate);
                    let (call, text) = (*call, format!("also plate {plate} WI"));
                    self.bench.note(call, &text);
                }
            }
            Act::List(plate, hours, danger) => {
                let words = format!("entry-{}-", self.listed.len());
                let entry = HotEntry {
                    text: words.clone(),
                    ends: self.bench.in_hours(hours),
                    danger,
                    ..self.bench.stolen(PLATES[plate])
                };
                let ends_ms = entry.ends.as_millisecond();
                let id = self.bench.list(entry);
                self.listed.push((words, PLATES[plate], ends_ms, false, id));
            }
            Act::Clear(which) => {
                if let Some((_, _, ends_ms, cleared, id)) = self.listed.get_mut(which) {
                    let is_live = !*cleared && *ends_ms > self.bench.now_ms();
                    assert_eq!(self.bench.clear(*id).is_ok(), is_live);
                    *cleared = true;
                }
            }
            Act::Read(plate) => {
                self.bench.pass(1_000);
                self.bench
                    .see(self.bench.plate_read(PLATES[plate], "CAM 1"));
            }
            Act::Premise(number, hours) => {
                let words = format!("premise-{}-", self.kept.len());
                let premise = Premise {
                    location: format!("{number} N 35TH ST"),
                    latitude: Some(super::bench::HERE.0),
                    longitude: Some(super::bench::HERE.1),
                    district: None,
                    text: words.clone(),
                    set_by: "Diaz".into(),
                    ends: self.bench.in_hours(hours),
                };
                let ends_ms = premise.ends.as_millisecond();
                let id = self.bench.write(move |l| premises::add(l, &premise));
                if let Ok(id) = id {
                    self.kept.push((words, ends_ms, false, id));
                }
            }
            Act::EndPremise(which) => {
                if let Some((_, _, ended, id)) = self.kept.get_mut(which) {
                    let id = *id;
                    let _ = self.bench.write(move |l| premises::end(l, id, "Diaz"));
                    *ended = true;
                }
            }
            Act::Pass(ms) => self.bench.pass(ms),
            Act::Restart => self.bench.restart(),
        }
    }

    /// Whether what has these words in it may stand.
    fn may_stand(&self, text: &str, ends_ms: i64) -> bool {
        let now_ms = self.bench.now_ms();
        let of_entry = self
            .listed
            .iter()
            .find(|(words, ..)| text.contains(words.as_str()));
        let of_premise = self
            .kept
            .iter()
            .find(|(words, ..)| text.contains(words.as_str()));
        let is_live = match (of_entry, of_premise) {
            (Some((_, _, ends_ms, cleared, _)), _) => !cleared && *ends_ms > now_ms,
            (_, Some((_, ends_ms, ended, _))) => !ended && *ends_ms > now_ms,
            (None, None) => panic!("nobody knows where this comes from: {text}"),
        };
        is_live && ends_ms > now_ms
    }

    fn check(&self) {
        let beats = self.bench.read(beats::packets);
        let beats = beats.into_iter().map(|packet| packet.call);
        for call in self.bench.calls().into_iter().chain(beats) {
            for stands in self.bench.said(call) {
                let ends_ms = match &stands.entry {
                    packet::Entry::Finding(finding) => finding.ends_ms,
                    packet::Entry::Caution(caution) => caution.ends_ms,
                    _ => None,
                };
                // A plate read does not end: it was so.
                let Some(ends_ms) = ends_ms else { continue };
                let wanted = usize::from(!self.may_stand(&stands.text(), ends_ms));
                assert_eq!(stands.withdrawn, wanted, "{stands:?}");
            }
        }
        let now_ms = self.bench.now_ms();
        for (call, plates, is_open) in self.calls.values() {
            for (words, plate, ends_ms, cleared, _) in &self.listed {
                if *is_open && !cleared && *ends_ms > now_ms && plates.contains(plate) {
                    let hot = self.bench.hot(*call);
                    let says = |s: &super::bench::Stands| {
                        s.withdrawn == 0 && s.text().contains(words.as_str())
                    };
                    assert!(hot.iter().any(says), "{words} is not on {call}: {hot:?}");
                }
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn in_any_order_nothing_stands_of_what_has_ended_and_all_stands_of_what_has_not(acts in acts()) {
        let mut world = World::new();
        for act in acts {
            world.act(act);
            world.bench.due();
            world.check();
        }
    }
}
