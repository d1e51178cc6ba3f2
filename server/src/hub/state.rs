//! What the hub knows: calls, the units that have them, and who is connected.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use packet::{CallId, DeviceNumber, DocumentId};
use sync::frame::ByeWhy;
use sync::relay::{Granted, Urgency};

use super::inbox::{Inbox, Told};
use crate::log::{Happening, Ledger};

#[derive(Debug)]
pub(super) struct CallState {
    pub(super) live: bool,
    pub(super) priority: u8,
    pub(super) last: BTreeMap<DocumentId, u64>,
    /// The units that have it, and since which `seq`.
    pub(super) units: HashMap<String, u64>,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) device: DeviceNumber,
    pub(super) inbox: Arc<Inbox>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) head: u64,
    pub(super) next_session: u64,
    /// The calls that some unit has.
    pub(super) calls: HashMap<CallId, CallState>,
    pub(super) by_unit: HashMap<String, HashSet<CallId>>,
    pub(super) sessions: HashMap<u64, Session>,
    /// One each, but for a moment when a device comes back before its old link is gone.
    pub(super) device_sessions: HashMap<DeviceNumber, Vec<u64>>,
    pub(super) unit_sessions: HashMap<String, HashSet<u64>>,
}

/// The documents of a call that devices carry.
pub(super) fn documents_of(call: CallId) -> [DocumentId; 2] {
    Ledger::carried().map(|compartment| DocumentId::new(call, compartment))
}

impl CallState {
    pub(super) fn granted(&self, from: u64) -> Vec<Granted> {
        self.last
            .iter()
            .map(|(&document, &last)| Granted {
                document,
                from,
                last,
                // What is known of a beat goes behind all that is about a live call.
                urgency: Urgency::of(
                    document.compartment,
                    self.live && !document.call.is_beat(),
                    self.priority,
                ),
            })
            .collect()
    }
}

pub(super) fn sessions_of<'a>(
    call: &'a CallState,
    unit_sessions: &'a HashMap<String, HashSet<u64>>,
    sessions: &'a HashMap<u64, Session>,
) -> impl Iterator<Item = &'a Session> {
    call.units
        .keys()
        .filter_map(|unit| unit_sessions.get(unit))
        .flatten()
        .filter_map(|number| sessions.get(number))
}

impl State {
    pub(super) fn take(&mut self, happening: &Happening, told: &mut Told) {
        match happening {
            Happening::Change(change) => {
                if let Some(call) = self.calls.get_mut(&change.document.call) {
                    call.last.insert(change.document, change.seq);
                    for session in sessions_of(call, &self.unit_sessions, &self.sessions) {
                        session.inbox.fill(told, |waiting| {
                            waiting.grown.insert(change.document, change.seq);
                        });
                    }
                }
                self.head = change.seq;
            }
            Happening::Granted {
                unit,
                call,
                from,
                priority,
            } => self.grant(unit, *call, *from, *priority, told),
            Happening::Ended { unit, call } => self.end(unit, *call, told),
            Happening::Call {
                call,
                open,
                priority,
                ..
            } => self.rank(*call, *open, *priority, told),
            Happening::DeviceRevoked(device) => {
                for session in self.sessions_of_device(*device) {
                    session.inbox.close(
                        ByeWhy::Standing,
                        "this device is no longer in good standing",
                    );
                }
            }
            Happening::Receipt(_) | Happening::Delivered(_) => {}
        }
    }

    pub(super) fn sessions_of_device(
        &self,
        device: DeviceNumber,
    ) -> impl Iterator<Item = &Session> {
        let numbers = self.device_sessions.get(&device).into_iter().flatten();
        numbers.filter_map(|number| self.sessions.get(number))
    }

    pub(super) fn rank(&mut self, call: CallId, live: bool, priority: u8, told: &mut Told) {
        let Some(known) = self.calls.get_mut(&call) else {
            return;
        };
        if (known.live, known.priority) == (live, priority) {
            return;
        }
        (known.live, known.priority) = (live, priority);
        for session in sessions_of(known, &self.unit_sessions, &self.sessions) {
            session.inbox.fill(told, |waiting| {
                let granted = known.granted(0).into_iter();
                waiting
                    .urgency
                    .extend(granted.map(|g| (g.document, g.urgency)));
            });
        }
    }

    pub(super) fn grant(
        &mut self,
        unit: &str,
        call: CallId,
        from: u64,
        priority: u8,
        told: &mut Told,
    ) {
        let head = self.head;
        let known = self.calls.entry(call).or_insert_with(|| CallState {
            live: true,
            priority,
            // What the call's documents hold was committed no later than the grant: a
            // document without anything to fetch costs one empty fetch.
            last: documents_of(call).map(|document| (document, head)).into(),
            units: HashMap::new(),
        });
        known.units.insert(unit.to_owned(), from);
        self.by_unit
            .entry(unit.to_owned())
            .or_default()
            .insert(call);
        let granted = known.granted(from);
        for number in self.unit_sessions.get(unit).into_iter().flatten() {
            if let Some(session) = self.sessions.get(number) {
                session.inbox.fill(told, |waiting| {
                    waiting.ended.retain(|document| document.call != call);
                    waiting.granted.extend(&granted);
                });
            }
        }
    }

    pub(super) fn end(&mut self, unit: &str, call: CallId, told: &mut Told) {
        if let Some(known) = self.calls.get_mut(&call) {
            known.units.remove(unit);
            if known.units.is_empty() {
                self.calls.remove(&call);
            }
        }
        if let Some(calls) = self.by_unit.get_mut(unit) {
            calls.remove(&call);
            if calls.is_empty() {
                self.by_unit.remove(unit);
            }
        }
        for number in self.unit_sessions.get(unit).into_iter().flatten() {
            if let Some(session) = self.sessions.get(number) {
                session.inbox.fill(told, |waiting| {
                    waiting
                        .granted
                        .retain(|granted| granted.document.call != call);
                    waiting.grown.retain(|document, _| document.call != call);
                    waiting.ended.extend(documents_of(call));
                });
            }
        }
    }
}
