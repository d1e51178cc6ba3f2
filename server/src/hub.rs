//! Who is connected, and who may have what: the live picture beside the log.
//!
//! The writer tells the hub what it committed, in order and under one lock; a session
//! takes its standing under the same lock. So nothing falls between what a session was
//! told at its start and what it is told after. The hub keeps numbers, never changes:
//! for each granted document its last `seq`, for each session which documents grew.

mod inbox;
mod state;

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packet::{CallId, Compartment, DeviceNumber, DocumentId};
use rusqlite::Connection;
use sync::frame::{ByeWhy, SeenFrame};
use sync::limits::SEEN_QUEUE_MAX;
use sync::relay::Granted;
use tokio::sync::watch;

pub use inbox::News;
use inbox::{Bell, Inbox};
use state::{CallState, Reach, Session, State, documents_of};

use crate::log::{Happening, LogError, reach};
use crate::policy::{Carries, agency_of};

/// A session's place in the hub; leaves it when dropped.
#[derive(Debug)]
pub struct Place {
    hub: Hub,
    number: u64,
    unit: Option<String>,
    inbox: Arc<Inbox>,
}

#[derive(Debug, Clone, Default)]
pub struct Hub {
    state: Arc<Mutex<State>>,
    bell: Arc<Bell>,
    /// Rises with every order to a device.
    orders: Arc<watch::Sender<u64>>,
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
            // A beat's packet is no call: it is never live, and never urgent.
            "SELECT unit, grants.call, from_seq, coalesce(open, 0), coalesce(priority, 5)
             FROM grants LEFT JOIN calls ON calls.call = grants.call WHERE to_seq IS NULL",
        )?;
        let mut rows = grants.query([])?;
        while let Some(row) = rows.next()? {
            let call = CallId(row.get::<_, i64>(1)?.cast_unsigned());
            let from = row.get::<_, i64>(2)?.unsigned_abs();
            let (unit, live, priority) = (row.get::<_, String>(0)?, row.get(3)?, row.get(4)?);
            let documents = reach_of(connection, call)?;
            let agency = agency_of(connection, call)?.unwrap_or_default();
            let known = state.calls.entry(call).or_insert(CallState {
                agency,
                live,
                priority,
                documents,
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

    /// A session begins, of a device that may have what `carries` says. What of its unit's
    /// calls is granted to it now, and the log's head.
    #[must_use]
    pub fn join(
        &self,
        device: DeviceNumber,
        unit: Option<&str>,
        carries: Carries,
    ) -> (Place, u64, Vec<Granted>) {
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
        let granted = state.granted(unit.as_deref(), &carries.now());
        state
            .device_sessions
            .entry(device)
            .or_default()
            .push(number);
        state.sessions.insert(
            number,
            Session {
                device,
                carries,
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
    /// by [`Hub::ring`].
    pub fn publish(&self, happenings: &[Happening]) {
        let mut told = Vec::new();
        {
            let mut state = self.lock();
            for happening in happenings {
                state.take(happening, &mut told);
            }
        }
        self.bell.lock().append(&mut told);
        self.bell.notify.notify_one();
    }

    /// Policies, people or the date have changed: what each device that is connected may have
    /// is decided anew. A document that it may no longer have leaves it as one of a unit that
    /// was released does.
    pub fn decide_anew(&self) {
        let mut told = Vec::new();
        self.lock().decide_anew(&mut told);
        self.bell.lock().append(&mut told);
        self.bell.notify.notify_one();
    }

    /// Wakes sessions for as long as it is polled. Woken from where they run, and all at
    /// once, they send what there is before the first of them hears its device's answer;
    /// woken by the writer, one by one, the last devices waited for the first ones' answers.
    pub async fn ring(&self) {
        loop {
            self.bell.notify.notified().await;
            for inbox in std::mem::take(&mut *self.bell.lock()) {
                inbox.notify.notify_one();
            }
        }
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

    /// There is an order for this device: its sessions end, and if it is locked, what it
    /// asked is answered.
    pub fn order(&self, device: DeviceNumber) {
        self.close_device(device, "the center has an order for this device");
        self.orders.send_modify(|orders| *orders += 1);
    }

    /// Changes whenever there is an order for any device.
    #[must_use]
    pub fn orders(&self) -> watch::Receiver<u64> {
        self.orders.subscribe()
    }

    /// How many devices are connected, and how many calls units carry.
    #[must_use]
    pub fn counts(&self) -> (usize, usize) {
        let state = self.lock();
        let calls = state.calls.keys().filter(|call| !call.is_beat());
        (state.sessions.len(), calls.count())
    }

    /// Whether this device is connected.
    #[must_use]
    pub fn is_connected(&self, device: DeviceNumber) -> bool {
        self.lock().device_sessions.contains_key(&device)
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

/// The documents of a call and how far they go.
fn reach_of(
    connection: &Connection,
    call: CallId,
) -> Result<BTreeMap<DocumentId, Reach>, LogError> {
    let always = documents_of(call);
    let mut documents = BTreeMap::new();
    for document in Compartment::ALL.map(|compartment| DocumentId::new(call, compartment)) {
        let found = reach(connection, document)?;
        if always.contains(&document) {
            let last = found.map_or(0, |(_, last)| last);
            documents.insert(document, Reach { first: 0, last });
        } else if let Some((first, last)) = found {
            documents.insert(document, Reach { first, last });
        }
    }
    Ok(documents)
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
