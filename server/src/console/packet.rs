//! A packet as its page shows it: its entries in the order of the log, what stands
//! about it in the store's other tables, and both put into words.

mod devices;
mod entries;
mod facts;
mod glance;
mod life;
mod sources;
mod timeline;
mod units;

use std::collections::HashSet;
use std::sync::Arc;

use ::packet::{CallId, Compartment, DeviceNumber, DocumentId};
use askama::Template;
use rusqlite::{Connection, params};

use self::devices::Devices;
use super::view::{PacketView, QueriesView, ShownThroughView, TimelineView};
use super::{Console, board};
use crate::arrivals::Timeline;
use crate::calls;
use crate::center::Center;
use crate::clock;
use crate::enrich::held::{self, Held};
use crate::log::{LogError, Logged, document_after};
use crate::policy::{Sight, agency_of};
use crate::receipts::{self, Receipt};

/// Most entries of one region of the page, the newest.
const REGION_ENTRIES_MAX: usize = 300;

/// One document's entries so far.
#[derive(Debug)]
struct Read {
    document: DocumentId,
    entries: Vec<Logged>,
}

impl Read {
    fn new(call: CallId, compartment: Compartment) -> Self {
        Self {
            document: DocumentId::new(call, compartment),
            entries: Vec::new(),
        }
    }

    fn last(&self) -> u64 {
        self.entries.last().map_or(0, |logged| logged.seq)
    }
}

/// What a page knows of its packet. Entries are never changed, so that a look reads
/// only what came after the last.
#[derive(Debug)]
pub(super) struct Known {
    call: CallId,
    /// What whoever looks may see.
    sight: Sight,
    /// Those that they may see; none before the first look.
    documents: Vec<Read>,
}

/// What a look gives.
#[derive(Debug)]
pub(super) struct Look {
    pub(super) packet: PacketView,
    /// The calls whose number, nature and place are shown beside it.
    pub(super) linked: Vec<CallId>,
    pub(super) open_calls: u64,
}

/// What stands about the packet beside its entries, in one state of the store.
#[derive(Debug)]
struct Beside {
    /// For each document, oldest first.
    receipts: Vec<Vec<Receipt>>,
    /// Cautions that nobody has acknowledged.
    waiting: HashSet<String>,
    /// The units that have the packet.
    units: Vec<String>,
    signed_on: Vec<SignedOn>,
    linked: life::Others,
    /// Cautions that wait for this person, or another who may release them.
    held: Vec<Held>,
    timeline: Option<Timeline>,
    now_ms: i64,
}

/// An officer at a device of a unit.
#[derive(Debug)]
struct SignedOn {
    unit: String,
    device: DeviceNumber,
    /// What people call the device.
    label: String,
    officer: String,
}

impl Known {
    pub(super) fn new(call: CallId, sight: Sight) -> Self {
        Self {
            call,
            sight,
            documents: Vec::new(),
        }
    }

    /// Of whoever may see nothing.
    pub(super) fn nothing(call: CallId) -> Self {
        Self::new(call, Sight::everywhere(&[]))
    }

    pub(super) fn call(&self) -> CallId {
        self.call
    }

    /// The highest `seq` of the packet.
    pub(super) fn through(&self) -> u64 {
        self.documents.iter().map(Read::last).max().unwrap_or(0)
    }

    /// What there is of each document after this `seq`.
    pub(super) fn stretches(&self, after: u64) -> Vec<(DocumentId, u64, u64)> {
        self.documents
            .iter()
            .filter(|read| read.last() > after)
            .map(|read| (read.document, after, read.last()))
            .collect()
    }

    /// The last `seq` of each document that is not beyond this one.
    pub(super) fn lasts(&self, through: u64) -> Vec<(DocumentId, u64)> {
        self.documents
            .iter()
            .filter_map(|read| {
                let upto = read.entries.partition_point(|logged| logged.seq <= through);
                let last = read.entries.get(upto.checked_sub(1)?)?;
                Some((read.document, last.seq))
            })
            .collect()
    }

    /// Reads on and puts it into words; `None` when there is no such packet.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) async fn look(
        mut self,
        console: &Arc<Console>,
    ) -> Result<Option<(Self, Look)>, LogError> {
        let reading = console.clone();
        console
            .center
            .log
            .readers()
            .read(move |connection| {
                if self.documents.is_empty() {
                    let agency = agency_of(connection, self.call)?.unwrap_or_default();
                    let seen = self.sight.compartments(&agency).iter();
                    self.documents = seen.map(|c| Read::new(self.call, *c)).collect();
                }
                for read in &mut self.documents {
                    let more = document_after(connection, read.document, read.last())?;
                    read.entries.extend(more);
                }
                if self.documents.iter().all(|read| read.entries.is_empty()) {
                    return Ok(None);
                }
                let beside = self.beside(connection, &reading.center)?;
                let look = Look {
                    packet: self.view(&reading, &beside),
                    linked: beside.linked.shown(),
                    open_calls: board::open_calls(connection, &self.sight)?,
                };
                Ok(Some((self, look)))
            })
            .await
    }

    fn beside(&self, connection: &Connection, center: &Center) -> Result<Beside, LogError> {
        let (hub, config) = (&center.hub, &center.config);
        let now_ms = clock::now_ms();
        let receipts = self
            .documents
            .iter()
            .map(|read| receipts::of_document(connection, read.document));
        let waiting = connection
            .prepare_cached("SELECT entry FROM cautions WHERE call = ?1 AND settled_ms IS NULL")?
            .query_map([self.call.0.cast_signed()], |row| row.get(0))?
            .collect::<Result<_, _>>()?;
        let entries: Vec<_> = self
            .documents
            .iter()
            .map(|read| (read.document, read.entries.as_slice()))
            .collect();
        Ok(Beside {
            receipts: receipts.collect::<Result<_, _>>()?,
            waiting,
            units: calls::units_on_it(connection, self.call)?,
            signed_on: signed_on(connection, self.call, now_ms)?,
            held: held::waiting(connection, Some(self.call))?
                .into_iter()
                .filter(|held| self.sight.releases(&held.agency))
                .collect(),
            linked: life::Others::of(connection, self.call, config, &self.sight)?,
            timeline: Timeline::of(connection, hub, self.call, &entries)?,
            now_ms,
        })
    }

    fn view(&self, console: &Console, beside: &Beside) -> PacketView {
        let config = &console.center.config;
        let devices = Devices::new(&self.documents, beside, &console.times);
        let said = entries::Said::new(&self.documents, beside, &devices, &console.times);
        PacketView {
            id: self.call.to_string(),
            glance: glance::view(&self.documents, &console.times, beside.now_ms),
            around: facts::around(&self.documents),
            facts: facts::view(&self.documents, config, &console.times, beside.now_ms),
            cautions: said.cautions(),
            findings: said.findings(),
            notes: said.notes(),
            sources: sources::view(&self.documents, config, &console.times, beside.now_ms),
            queries: QueriesView {
                call_id: self.call.to_string(),
                purposes: config
                    .purposes
                    .iter()
                    .map(|purpose| (purpose.code.clone(), purpose.name.clone()))
                    .collect(),
            },
            units: units::view(&self.documents, beside, &console.center, &console.times),
            life: life::view(
                self.call,
                &self.documents,
                &beside.linked,
                &console.times,
                beside.now_ms,
            ),
            timeline: beside.timeline.as_ref().map_or_else(
                || TimelineView {
                    verdict: String::new(),
                    moments: Vec::new(),
                },
                |timeline| timeline::view(timeline, &console.times, beside.now_ms),
            ),
            shown_through: ShownThroughView {
                through: self.through().to_string(),
            },
        }
    }
}

impl PacketView {
    /// Each region's HTML, in the order in which they are sent.
    pub(super) fn regions(&self) -> Result<Vec<String>, askama::Error> {
        [
            self.glance.render(),
            self.facts.render(),
            self.cautions.render(),
            self.findings.render(),
            self.notes.render(),
            self.sources.render(),
            self.units.render(),
            self.life.render(),
            self.timeline.render(),
            self.shown_through.render(),
        ]
        .into_iter()
        .collect()
    }
}

fn signed_on(
    connection: &Connection,
    call: CallId,
    now_ms: i64,
) -> Result<Vec<SignedOn>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT grants.unit, shifts.device, label, officer FROM grants
         JOIN shifts ON shifts.unit = grants.unit AND shifts.ended_ms IS NULL
         JOIN devices ON devices.device = shifts.device
         WHERE grants.call = ?1 AND to_seq IS NULL AND expires_ms > ?2 AND revoked_ms IS NULL
         ORDER BY from_seq, shifts.device",
    )?;
    let rows = statement.query_map(params![call.0.cast_signed(), now_ms], |row| {
        Ok(SignedOn {
            unit: row.get(0)?,
            device: row.get(1).map(DeviceNumber)?,
            label: row.get(2)?,
            officer: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<Result<_, _>>()?)
}
