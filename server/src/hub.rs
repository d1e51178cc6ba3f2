//! Who is connected, and who may have what: the live picture beside the log.
//!
//! The writer tells the hub what it committed, in order and under one lock; a session
//! takes its standing under the same lock. So nothing falls between what a session was
//! told at its start and what it is told after. The hub keeps numbers, never changes:
//! for each granted document its last `seq`, for each session which documents grew.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packet::{CallId, DeviceNumber, DocumentId};
use rusqlite::Connection;
use sync::frame::{ByeWhy, SeenFrame};
use sync::limits::SEEN_QUEUE_MAX;
use sync::relay::{Granted, Urgency};
use tokio::sync::Notify;

use crate::log::{Happening, Ledger, LogError};

/// What waits for one session: bounded by its grants and by [`SEEN_QUEUE_MAX`].
#[derive(Debug, Default)]
struct Waiting {
    grown: BTreeMap<DocumentId, u64>,
    granted: Vec<Granted>,
    ended: Vec<DocumentId>,
    urgency: BTreeMap<DocumentId, Urgency>,
    seen: Vec<SeenFrame>,
    close: Option<(ByeWhy, String)>,
    /// Its session is among those that are woken next.
    is_told: bool,
}

/// A session's place in the hub; leaves it when dropped.
#[derive(Debug)]
pub struct Place {
    hub: Hub,
    number: u64,
    unit: Option<String>,
    inbox: Arc<Inbox>,
}

#[derive(Debug, Default)]
struct Inbox {
    waiting: Mutex<Waiting>,
    notify: Notify,
}

/// What a session is told since it last asked.
#[derive(Debug, Default)]
pub struct News {
    pub head: u64,
    pub grown: Vec<(DocumentId, u64)>,
    pub granted: Vec<Granted>,
    pub ended: Vec<DocumentId>,
    /// Of calls that were upgraded, downgraded, closed or opened again.
    pub urgency: Vec<(DocumentId, Urgency)>,
    pub seen: Vec<SeenFrame>,
    pub close: Option<(ByeWhy, String)>,
}

#[derive(Debug)]
struct CallState {
    live: bool,
    priority: u8,
    last: BTreeMap<DocumentId, u64>,
    /// The units that have it, and since which `seq`.
    units: HashMap<String, u64>,
}

#[derive(Debug)]
struct Session {
    device: DeviceNumber,
    inbox: Arc<Inbox>,
}

#[derive(Debug, Default)]
struct State {
    head: u64,
    next_session: u64,
    /// The calls that some unit has.
    calls: HashMap<CallId, CallState>,
    by_unit: HashMap<String, HashSet<CallId>>,
    sessions: HashMap<u64, Session>,
    /// One each, but for a moment when a device comes back before its old link is gone.
    device_sessions: HashMap<DeviceNumber, Vec<u64>>,
    unit_sessions: HashMap<String, HashSet<u64>>,
}

#[derive(Debug, Clone, Default)]
pub struct Hub {
    state: Arc<Mutex<State>>,
}

impl Hub {
    /// Reads what is granted from the log's store, before anything is written to it.
    ///
    /// # Errors
    /// When the store fails.
    pub fn load(&self, connection: &Connection) -> Result<(), LogError> {
        let mut state = self.lock();
        state.head = connection
            .query_row("SELECT coalesce(max(seq), 0) FROM changes", [], |row| {
                row.get::<_, i64>(0)
            })?
            .unsigned_abs();
        let mut grants = connection.prepare(
            "SELECT unit, grants.call, from_seq, open, priority FROM grants JOIN calls ON calls.call = grants.call WHERE to_seq IS NULL",
        )?;
        let mut rows = grants.query([])?;
        while let Some(row) = rows.next()? {
            let call = CallId(row.get::<_, i64>(1)?.cast_unsigned());
            let from = row.get::<_, i64>(2)?.unsigned_abs();
            let mut last = BTreeMap::new();
            for document in documents_of(call) {
                let seq: Option<i64> = connection
                    .prepare_cached("SELECT max(seq) FROM changes WHERE document = ?1")?
                    .query_row([document.to_bytes()], |row| row.get(0))?;
                last.insert(document, seq.unwrap_or(0).unsigned_abs());
            }
            let (unit, live, priority) = (row.get::<_, String>(0)?, row.get(3)?, row.get(4)?);
            let known = state.calls.entry(call).or_insert(CallState {
                live,
                priority,
                last,
                units: HashMap::new(),
            });
            known.units.insert(unit.clone(), from);
            state.by_unit.entry(unit).or_default().insert(call);
        }
        Ok(())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A session begins. What is granted to its unit now, and the log's head.
    #[must_use]
    pub fn join(&self, device: DeviceNumber, unit: Option<&str>) -> (Place, u64, Vec<Granted>) {
        let mut state = self.lock();
        // One session a device: a new one means that the old link is gone.
        for old in state.sessions_of_device(device) {
            old.inbox
                .close(ByeWhy::Standing, "the device opened another session");
        }
        state.next_session += 1;
        let number = state.next_session;
        let inbox = Arc::new(Inbox::default());
        let unit = unit.map(str::to_owned);
        state
            .device_sessions
            .entry(device)
            .or_default()
            .push(number);
        state.sessions.insert(
            number,
            Session {
                device,
                inbox: inbox.clone(),
            },
        );
        if let Some(unit) = &unit {
            state
                .unit_sessions
                .entry(unit.clone())
                .or_default()
                .insert(number);
        }
        let granted = unit
            .as_ref()
            .and_then(|unit| state.by_unit.get(unit))
            .map_or_else(Vec::new, |calls| {
                calls
                    .iter()
                    .filter_map(|call| {
                        let known = state.calls.get(call)?;
                        let from = *known.units.get(unit.as_ref()?)?;
                        Some(known.granted(from))
                    })
                    .flatten()
                    .collect()
            });
        (
            Place {
                hub: self.clone(),
                number,
                unit,
                inbox,
            },
            state.head,
            granted,
        )
    }

    /// Takes what was committed. Called by the log's writer, in order. Sessions are woken
    /// when all is told and the lock is free: each asks for it as it wakes.
    pub fn publish(&self, happenings: &[Happening]) {
        let mut told = Vec::new();
        {
            let mut state = self.lock();
            for happening in happenings {
                state.take(happening, &mut told);
            }
        }
        told.iter().for_each(|inbox| inbox.notify.notify_one());
    }

    /// Tells these devices' sessions that somebody saw what they wrote.
    pub fn seen(&self, authors: &[DeviceNumber], seen: &SeenFrame) {
        let state = self.lock();
        for session in authors.iter().flat_map(|a| state.sessions_of_device(*a)) {
            session.inbox.tell(|waiting| {
                if waiting.seen.len() < SEEN_QUEUE_MAX {
                    waiting.seen.push(seen.clone());
                }
            });
        }
    }

    /// The sessions of a device end: it signed on anew, or off.
    pub fn close_device(&self, device: DeviceNumber, reason: &str) {
        let state = self.lock();
        for session in state.sessions_of_device(device) {
            session.inbox.close(ByeWhy::Standing, reason);
        }
    }

    /// How many devices are connected, and how many calls units carry.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        (state.sessions.len(), state.calls.len())
    }

    /// The devices of this unit that are connected.
    #[must_use]
    pub fn devices_of(&self, unit: &str) -> Vec<DeviceNumber> {
        let state = self.lock();
        let numbers = state.unit_sessions.get(unit).into_iter().flatten();
        numbers
            .filter_map(|number| state.sessions.get(number))
            .map(|session| session.device)
            .collect()
    }
}

/// The documents of a call that devices carry.
fn documents_of(call: CallId) -> [DocumentId; 2] {
    Ledger::carried().map(|compartment| DocumentId::new(call, compartment))
}

impl CallState {
    fn granted(&self, from: u64) -> Vec<Granted> {
        self.last
            .iter()
            .map(|(&document, &last)| Granted {
                document,
                from,
                last,
                urgency: Urgency::of(document.compartment, self.live, self.priority),
            })
            .collect()
    }
}

fn sessions_of<'a>(
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

/// The sessions that were told something and are not woken yet.
type Told = Vec<Arc<Inbox>>;

impl State {
    fn take(&mut self, happening: &Happening, told: &mut Told) {
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

    fn sessions_of_device(&self, device: DeviceNumber) -> impl Iterator<Item = &Session> {
        let numbers = self.device_sessions.get(&device).into_iter().flatten();
        numbers.filter_map(|number| self.sessions.get(number))
    }

    fn rank(&mut self, call: CallId, live: bool, priority: u8, told: &mut Told) {
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

    fn grant(&mut self, unit: &str, call: CallId, from: u64, priority: u8, told: &mut Told) {
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

    fn end(&mut self, unit: &str, call: CallId, told: &mut Told) {
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

impl Inbox {
    /// Puts something in, for a session that is woken later.
    fn fill(self: &Arc<Self>, told: &mut Told, what: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        what(&mut waiting);
        if !std::mem::replace(&mut waiting.is_told, true) {
            told.push(self.clone());
        }
    }

    fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn tell(&self, what: impl FnOnce(&mut Waiting)) {
        what(&mut self.lock());
        self.notify.notify_one();
    }

    fn close(&self, why: ByeWhy, reason: &str) {
        self.tell(|waiting| {
            waiting
                .close
                .get_or_insert_with(|| (why, reason.to_owned()));
        });
    }
}

impl Place {
    /// Waits until there is news.
    pub async fn news(&self) {
        self.inbox.notify.notified().await;
    }

    /// What there is, and the head that it reaches up to.
    #[must_use]
    pub fn take(&self) -> News {
        // The head first, under the hub's lock: all that grew up to it has been told.
        let state = self.hub.lock();
        let waiting = std::mem::take(&mut *self.inbox.lock());
        News {
            head: state.head,
            grown: waiting.grown.into_iter().collect(),
            granted: waiting.granted,
            ended: waiting.ended,
            urgency: waiting.urgency.into_iter().collect(),
            seen: waiting.seen,
            close: waiting.close,
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = self.hub.lock();
        if let Some(session) = state.sessions.remove(&self.number)
            && let Some(numbers) = state.device_sessions.get_mut(&session.device)
        {
            numbers.retain(|number| *number != self.number);
            if numbers.is_empty() {
                state.device_sessions.remove(&session.device);
            }
        }
        if let Some(unit) = &self.unit
            && let Some(sessions) = state.unit_sessions.get_mut(unit)
        {
            sessions.remove(&self.number);
            if sessions.is_empty() {
                state.unit_sessions.remove(unit);
            }
        }
    }
}
