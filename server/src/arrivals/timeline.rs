//! What happened to one call, and when.

use std::collections::BTreeMap;

use packet::{
    Author, CallId, Compartment, DeviceNumber, DocumentId, Entry, OutcomeState, UnitState,
};
use rusqlite::{Connection, params};

use super::NO_TRAVEL;
use crate::contacts::{self, Contact};
use crate::hub::Hub;
use crate::log::{Ledger, LogError, Logged, document};

/// Most receipts of one document that are read, the oldest: what is asked is who had it first.
const RECEIPTS_MAX: usize = 8_192;
/// Most devices of one unit that are looked at.
const DEVICES_MAX: usize = 64;

/// A call's way through the center. Times in milliseconds since 1970 by the center's clock,
/// where nothing else is said.
#[derive(Debug, Clone)]
pub struct Timeline {
    pub call: CallId,
    pub agency: String,
    pub number: String,
    pub nature: String,
    pub category: String,
    pub priority: u8,
    /// By CAD's clock.
    pub received_ms: i64,
    pub opened_ms: i64,
    /// All that the center wrote that [`tells`] something, in the order of the log: document,
    /// `seq`, when.
    pub written: Vec<(DocumentId, u64, i64)>,
    /// What sources were asked, in the order of their first word.
    pub questions: Vec<Question>,
    /// In the order of their assignment.
    pub units: Vec<UnitTimes>,
    /// The devices of those units.
    pub devices: Vec<DeviceTimes>,
}

/// One question to one source, and all that became of it.
#[derive(Debug, Clone)]
pub struct Question {
    pub source: String,
    pub query: String,
    pub said: Vec<Said>,
}

/// What became of a question, as the packet says it.
#[derive(Debug, Clone, Copy)]
pub struct Said {
    pub state: OutcomeState,
    pub document: DocumentId,
    pub seq: u64,
    pub at_ms: i64,
    pub took_ms: Option<u32>,
}

/// One unit on the call, once: a unit that comes back has another.
#[derive(Debug, Clone)]
pub struct UnitTimes {
    pub unit: String,
    pub assigned_ms: i64,
    pub cleared_ms: Option<i64>,
    /// By the officer's clock, put right; at the latest when the center heard of it.
    pub en_route_ms: Option<i64>,
    pub on_scene_ms: Option<i64>,
}

/// How far the packet came on one device.
#[derive(Debug, Clone)]
pub struct DeviceTimes {
    pub device: DeviceNumber,
    pub unit: String,
    pub label: String,
    /// Durable there, document by document, in the order in which the center heard of it.
    pub delivered: BTreeMap<DocumentId, Vec<Step>>,
    /// First on a lit, unlocked screen.
    pub shown_ms: Option<i64>,
    /// Its sessions, the newest first.
    pub contacts: Vec<Contact>,
    /// In session now.
    pub is_connected: bool,
}

/// A document through here, since then.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub through: u64,
    pub at_ms: i64,
}

/// Whether an entry tells something of the call that its officers should know: not where a
/// unit is, and not that a source still thinks.
#[must_use]
pub fn tells(entry: &Entry) -> bool {
    match entry {
        Entry::UnitStatus(_) => false,
        Entry::Outcome(outcome) => {
            !matches!(outcome.state, OutcomeState::Asked | OutcomeState::Retrying)
        }
        _ => true,
    }
}

/// One document's entries, in the order of the log.
pub(crate) type Entries<'a> = (DocumentId, &'a [Logged]);

impl Timeline {
    /// Reads a call's; `None` when there is no such packet.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read(
        connection: &Connection,
        hub: &Hub,
        call: CallId,
    ) -> Result<Option<Self>, LogError> {
        let mut documents = Vec::new();
        for compartment in Ledger::carried() {
            let id = DocumentId::new(call, compartment);
            documents.push((id, document(connection, id)?));
        }
        let entries: Vec<Entries<'_>> = documents
            .iter()
            .map(|(id, entries)| (*id, entries.as_slice()))
            .collect();
        Self::of(connection, hub, call, &entries)
    }

    /// … of what was read of its documents before.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn of(
        connection: &Connection,
        hub: &Hub,
        call: CallId,
        documents: &[Entries<'_>],
    ) -> Result<Option<Self>, LogError> {
        let mut all: Vec<(DocumentId, &Logged)> = documents
            .iter()
            .flat_map(|(id, entries)| entries.iter().map(|logged| (*id, logged)))
            .collect();
        all.sort_by_key(|(_, logged)| logged.seq);
        let Some((_, first)) = all.first() else {
            return Ok(None);
        };
        let mut timeline = Self {
            call,
            agency: String::new(),
            number: String::new(),
            nature: String::new(),
            category: String::new(),
            priority: 3,
            received_ms: first.received_ms,
            opened_ms: first.received_ms,
            written: Vec::new(),
            questions: Vec::new(),
            units: units(connection, call, &all)?,
            devices: Vec::new(),
        };
        for (document, logged) in all {
            timeline.take(document, logged);
        }
        timeline.devices = devices(connection, hub, &timeline)?;
        Ok(Some(timeline))
    }

    fn take(&mut self, document: DocumentId, logged: &Logged) {
        if logged.device.is_none() && tells(&logged.inspected.written.entry) {
            self.written
                .push((document, logged.seq, logged.received_ms));
        }
        match &logged.inspected.written.entry {
            // The call's own document says more than the brief one.
            Entry::Facts(facts)
                if document.compartment == Compartment::Call || self.nature.is_empty() =>
            {
                self.agency.clone_from(&facts.agency);
                self.number.clone_from(&facts.number);
                self.nature.clone_from(&facts.nature);
                self.category.clone_from(&facts.category);
                self.priority = facts.priority;
                self.received_ms = facts.received_ms;
            }
            Entry::Outcome(outcome) => {
                let said = Said {
                    state: outcome.state,
                    document,
                    seq: logged.seq,
                    at_ms: logged.received_ms,
                    took_ms: outcome.took_ms,
                };
                let known = self
                    .questions
                    .iter_mut()
                    .find(|q| q.source == outcome.source && q.query == outcome.query);
                match known {
                    Some(question) => question.said.push(said),
                    None => self.questions.push(Question {
                        source: outcome.source.clone(),
                        query: outcome.query.clone(),
                        said: vec![said],
                    }),
                }
            }
            Entry::UnitStatus(status) => {
                let mut at_ms = logged.received_ms;
                if logged.device.is_some() {
                    let off_ms = logged.inspected.written.clock_off_ms.unwrap_or(0);
                    at_ms = at_ms.min(logged.inspected.time_ms.saturating_sub(off_ms));
                }
                self.unit_says(&status.unit, status.status, at_ms);
            }
            _ => {}
        }
    }

    /// It belongs to the unit's last assignment before it: a tap without signal comes late.
    fn unit_says(&mut self, unit: &str, state: UnitState, at_ms: i64) {
        let mut own = self.units.iter_mut().filter(|times| times.unit == unit);
        let Some(first) = own.next() else {
            return;
        };
        let times = own.fold(first, |best, next| {
            if next.assigned_ms <= at_ms {
                next
            } else {
                best
            }
        });
        let place = match state {
            UnitState::EnRoute => &mut times.en_route_ms,
            UnitState::OnScene => &mut times.on_scene_ms,
            UnitState::Assigned | UnitState::Clear => return,
        };
        *place = Some(place.map_or(at_ms, |known| known.min(at_ms)));
    }

    /// Whether somebody has to travel to it.
    #[must_use]
    pub fn has_travel(&self) -> bool {
        matches!(self.call.author(), Author::Center(_))
            && !NO_TRAVEL.contains(&self.category.as_str())
    }

    /// The unit that the measure looks at, and when it was on scene.
    #[must_use]
    pub fn primary(&self) -> Option<(&UnitTimes, i64)> {
        self.units
            .iter()
            .find_map(|unit| Some((unit, unit.on_scene_ms?)))
    }
}

impl Question {
    /// What was known of it at this time.
    #[must_use]
    pub fn at(&self, at_ms: i64) -> Option<&Said> {
        self.said.iter().rev().find(|said| said.at_ms <= at_ms)
    }
}

impl DeviceTimes {
    /// Since when a document is durable there through this `seq`, as far as the center heard.
    #[must_use]
    pub fn since(&self, document: DocumentId, seq: u64) -> Option<i64> {
        let steps = self.delivered.get(&document)?;
        let first = steps.iter().find(|step| step.through >= seq)?;
        Some(first.at_ms)
    }
}

/// The call's grants in the order of the log, with the time of the change that each began with.
fn units(
    connection: &Connection,
    call: CallId,
    all: &[(DocumentId, &Logged)],
) -> Result<Vec<UnitTimes>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT unit, from_seq, ended_ms FROM grants WHERE call = ?1 ORDER BY from_seq",
    )?;
    let mut rows = statement.query([call.0.cast_signed()])?;
    let mut units = Vec::new();
    while let Some(row) = rows.next()? {
        let from = row.get::<_, i64>(1)?.unsigned_abs();
        let began = all
            .iter()
            .find(|(_, logged)| logged.seq == from)
            .or(all.first());
        units.push(UnitTimes {
            unit: row.get(0)?,
            assigned_ms: began.map_or(0, |(_, logged)| logged.received_ms),
            cleared_ms: row.get(2)?,
            en_route_ms: None,
            on_scene_ms: None,
        });
    }
    Ok(units)
}

/// The devices that somebody of the call's units was signed on to while the unit had it.
fn devices(
    connection: &Connection,
    hub: &Hub,
    timeline: &Timeline,
) -> Result<Vec<DeviceTimes>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT shifts.device, label FROM shifts JOIN devices ON devices.device = shifts.device
         WHERE unit = ?1 AND began_ms <= ?3 AND coalesce(ended_ms, expires_ms) > ?2
         ORDER BY shifts.device LIMIT ?4",
    )?;
    let mut devices: Vec<DeviceTimes> = Vec::new();
    for times in &timeline.units {
        let end_ms = times.on_scene_ms.or(times.cleared_ms).unwrap_or(i64::MAX);
        let wanted = params![
            times.unit,
            times.assigned_ms,
            end_ms.max(times.assigned_ms),
            DEVICES_MAX
        ];
        let found = statement.query_map(wanted, |row| {
            Ok((row.get(0).map(DeviceNumber)?, row.get::<_, String>(1)?))
        })?;
        for found in found {
            let (device, label) = found?;
            if devices.iter().any(|known| known.device == device) {
                continue;
            }
            devices.push(DeviceTimes {
                device,
                unit: times.unit.clone(),
                label,
                delivered: BTreeMap::new(),
                shown_ms: None,
                contacts: contacts::before(connection, device, end_ms)?,
                is_connected: hub.is_connected(device),
            });
        }
    }
    for compartment in Ledger::carried() {
        let document = DocumentId::new(timeline.call, compartment);
        receipts(connection, document, &mut devices)?;
    }
    Ok(devices)
}

fn receipts(
    connection: &Connection,
    document: DocumentId,
    devices: &mut [DeviceTimes],
) -> Result<(), LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT carrier.device, delivery.through, delivery.at_ms
         FROM (SELECT * FROM deliveries WHERE document = ?1 ORDER BY delivery LIMIT ?2) AS delivery,
              json_each(delivery.carriers) AS each
         JOIN carriers AS carrier ON carrier.carrier = each.value
         ORDER BY delivery.delivery",
    )?;
    let mut rows = statement.query(params![document.to_bytes(), RECEIPTS_MAX])?;
    while let Some(row) = rows.next()? {
        let device = DeviceNumber(row.get(0)?);
        let step = Step {
            through: row.get::<_, i64>(1)?.unsigned_abs(),
            at_ms: row.get(2)?,
        };
        if let Some(times) = devices.iter_mut().find(|times| times.device == device) {
            times.delivered.entry(document).or_default().push(step);
        }
    }
    let mut statement = connection.prepare_cached(
        "SELECT device, min(at_ms) FROM receipts
         WHERE document = ?1 AND kind = 1 AND device IS NOT NULL GROUP BY device",
    )?;
    let mut rows = statement.query([document.to_bytes()])?;
    while let Some(row) = rows.next()? {
        let (device, at_ms) = (DeviceNumber(row.get(0)?), row.get::<_, i64>(1)?);
        if let Some(times) = devices.iter_mut().find(|times| times.device == device) {
            let known = times.shown_ms.unwrap_or(i64::MAX);
            times.shown_ms = Some(known.min(at_ms));
        }
    }
    Ok(())
}
