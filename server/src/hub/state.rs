//! What the hub knows: calls, the units that have them, and who is connected.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use packet::{CallId, DeviceNumber, DocumentId};
use sync::frame::ByeWhy;
use sync::relay::{Granted, Urgency};

use super::inbox::{Inbox, Told};
use crate::log::{Committed, Happening, Ledger};
use crate::policy::{Carries, Carrying};

/// How far a document goes.
#[derive(Debug, Clone, Copy)]
pub(super) struct Reach {
    /// Its first change; 0 for those that every packet has. Of a restricted one nobody is
    /// told before there is something in it.
    pub(super) first: u64,
    pub(super) last: u64,
}

#[derive(Debug)]
pub(super) struct CallState {
    /// Whose call it is.
    pub(super) agency: String,
    pub(super) live: bool,
    pub(super) priority: u8,
    pub(super) documents: BTreeMap<DocumentId, Reach>,
    /// The units that have it, and since which `seq`.
    pub(super) units: HashMap<String, u64>,
}

#[derive(Debug)]
pub(super) struct Session {
    pub(super) device: DeviceNumber,
    /// What its device may have.
    pub(super) carries: Carries,
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

/// The documents that every packet has.
pub(super) fn documents_of(call: CallId) -> [DocumentId; 2] {
    Ledger::carried().map(|compartment| DocumentId::new(call, compartment))
}

impl CallState {
    /// What this device may have of it, with a grant from there on.
    pub(super) fn granted(&self, from: u64, carrying: &Carrying<'_>) -> Vec<Granted> {
        self.documents
            .iter()
            .filter(|(document, _)| carrying.may_have(&self.agency, document.compartment))
            .map(|(&document, reach)| Granted {
                document,
                from: from.max(reach.first),
                last: reach.last,
                urgency: self.urgency(document),
            })
            .collect()
    }

    fn urgency(&self, document: DocumentId) -> Urgency {
        // What is known of a beat goes behind all that is about a live call.
        let is_live = self.live && !document.call.is_beat();
        Urgency::of(document.compartment, is_live, self.priority)
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
                self.grow(change, told);
                self.head = change.seq;
            }
            Happening::Granted {
                unit,
                call,
                from,
                priority,
                agency,
                restricted,
            } => {
                let known = self.call(*call, *priority, agency);
                for &(document, first, last) in restricted {
                    known.documents.insert(document, Reach { first, last });
                }
                self.grant(unit, *call, *from, told);
            }
            Happening::Ended { unit, call } => self.end(unit, *call, told),
            Happening::Call {
                call,
                open,
                priority,
                agency,
                ..
            } => {
                self.owned_by(*call, agency, told);
                self.rank(*call, *open, *priority, told);
            }
            Happening::DeviceRevoked(device) => {
                for session in self.sessions_of_device(*device) {
                    session.inbox.close(
                        ByeWhy::Standing,
                        "this device is no longer in good standing",
                    );
                }
            }
            Happening::Receipt(_) | Happening::Delivered(_) | Happening::Held(_) => {}
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
            // Of what its device does not have a session takes no notice.
            let documents = known.documents.keys();
            session.inbox.fill(told, |waiting| {
                waiting
                    .urgency
                    .extend(documents.map(|document| (*document, known.urgency(*document))));
            });
        }
    }

    fn grow(&mut self, change: &Committed, told: &mut Told) {
        let Some(call) = self.calls.get_mut(&change.document.call) else {
            return;
        };
        let (document, seq) = (change.document, change.seq);
        let is_first = !call.documents.contains_key(&document);
        let reach = call.documents.entry(document).or_insert(Reach {
            first: seq,
            last: seq,
        });
        reach.last = seq;
        let call = &*call;
        for (unit, from) in &call.units {
            for number in self.unit_sessions.get(unit).into_iter().flatten() {
                let Some(session) = self.sessions.get(number) else {
                    continue;
                };
                let may =
                    |carries: &Carries| carries.now().may_have(&call.agency, document.compartment);
                if is_first && !may(&session.carries) {
                    continue;
                }
                session.inbox.fill(told, |waiting| {
                    if is_first {
                        waiting.granted.push(Granted {
                            document,
                            from: seq.max(*from),
                            last: seq,
                            urgency: call.urgency(document),
                        });
                    }
                    waiting.grown.insert(document, seq);
                });
            }
        }
    }

    /// A call that some unit has, or is about to have.
    fn call(&mut self, call: CallId, priority: u8, agency: &str) -> &mut CallState {
        let head = self.head;
        self.calls.entry(call).or_insert_with(|| CallState {
            agency: agency.to_owned(),
            live: true,
            priority,
            // What the call's documents hold was committed no later than the grant: a
            // document without anything to fetch costs one empty fetch.
            documents: documents_of(call)
                .map(|document| {
                    let reach = Reach {
                        first: 0,
                        last: head,
                    };
                    (document, reach)
                })
                .into(),
            units: HashMap::new(),
        })
    }

    fn grant(&mut self, unit: &str, call: CallId, from: u64, told: &mut Told) {
        let Some(known) = self.calls.get_mut(&call) else {
            return;
        };
        known.units.insert(unit.to_owned(), from);
        self.by_unit
            .entry(unit.to_owned())
            .or_default()
            .insert(call);
        for number in self.unit_sessions.get(unit).into_iter().flatten() {
            if let Some(session) = self.sessions.get(number) {
                let granted = known.granted(from, &session.carries.now());
                session.inbox.fill(told, |waiting| {
                    waiting.ended.retain(|document| document.call != call);
                    waiting.granted.extend(&granted);
                });
            }
        }
    }

    /// Whose call it is may be learnt late: who may have it is decided anew.
    fn owned_by(&mut self, call: CallId, agency: &str, told: &mut Told) {
        let Some(known) = self.calls.get_mut(&call) else {
            return;
        };
        if known.agency == agency {
            return;
        }
        known.agency = agency.to_owned();
        let known = &*known;
        for (unit, from) in &known.units {
            for number in self.unit_sessions.get(unit).into_iter().flatten() {
                if let Some(session) = self.sessions.get(number) {
                    session.decide(known, *from, told);
                }
            }
        }
    }

    /// What of a unit's calls this device may have.
    pub(super) fn granted(&self, unit: Option<&str>, carrying: &Carrying<'_>) -> Vec<Granted> {
        let calls = unit
            .and_then(|unit| self.by_unit.get(unit))
            .into_iter()
            .flatten();
        let known = calls.filter_map(|call| self.calls.get(call));
        known
            .filter_map(|known| Some((known, *known.units.get(unit?)?)))
            .flat_map(|(known, from)| known.granted(from, carrying))
            .collect()
    }

    /// Decides anew about all that devices which are connected may have.
    pub(super) fn decide_anew(&self, told: &mut Told) {
        for (unit, numbers) in &self.unit_sessions {
            let calls = self.by_unit.get(unit).into_iter().flatten();
            for known in calls.filter_map(|call| self.calls.get(call)) {
                let Some(from) = known.units.get(unit) else {
                    continue;
                };
                for session in numbers
                    .iter()
                    .filter_map(|number| self.sessions.get(number))
                {
                    session.decide(known, *from, told);
                }
            }
        }
    }

    pub(super) fn end(&mut self, unit: &str, call: CallId, told: &mut Told) {
        let documents: Vec<DocumentId> = match self.calls.get(&call) {
            Some(known) => known.documents.keys().copied().collect(),
            None => documents_of(call).into(),
        };
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
                    waiting.ended.extend(&documents);
                });
            }
        }
    }
}

impl Session {
    /// Tells it what its device may have of this call and what it may not: of the one what it
    /// has already, and of the other what it never had, it takes no notice.
    fn decide(&self, call: &CallState, from: u64, told: &mut Told) {
        let granted = call.granted(from, &self.carries.now());
        let is_granted =
            |document: &DocumentId| granted.iter().any(|granted| granted.document == *document);
        self.inbox.fill(told, |waiting| {
            let of_call = |document: &DocumentId| call.documents.contains_key(document);
            waiting.granted.retain(|old| !of_call(&old.document));
            waiting.ended.retain(|document| !of_call(document));
            let ended = call
                .documents
                .keys()
                .filter(|document| !is_granted(document));
            waiting.ended.extend(ended);
            waiting
                .grown
                .retain(|document, _| !of_call(document) || is_granted(document));
            waiting.granted.extend(&granted);
        });
    }
}
