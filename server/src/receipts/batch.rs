//! What many sessions have to say, as few rows.
//!
//! A note to two hundred devices is one change of the log. That all of them were sent it,
//! and then had it, are two rows more: one of the audit log and one delivery, each with the
//! list of those it is about. A row a device would cost ten times what the note does.

use std::collections::BTreeMap;
use std::sync::Arc;

use packet::{DeviceNumber, DocumentId};
use rusqlite::{Connection, params};

use super::carriers::Rows;
use super::{Carrier, Holder, Receipt, ReceiptKind, SHOWN_ON_A_PAGE_MAX, shown};
use crate::audit::{self, Record};
use crate::contacts::{self, Contact};
use crate::log::{Happening, Ledger, LogError};
use crate::policy::Act;

/// Receipts of different seconds stay apart, so that a row's time is true for all in it.
const TOGETHER_MS: i64 = 1_000;

/// What one session has to say: a position a document, however long it waits.
#[derive(Debug, Default)]
pub struct Report {
    /// Sent to the device: after, through.
    pub sent: BTreeMap<DocumentId, (u64, u64)>,
    /// Durable there through this `seq`.
    pub delivered: BTreeMap<DocumentId, u64>,
    /// On a lit, unlocked screen: through, and when by the device's clock.
    pub shown: BTreeMap<DocumentId, (u64, i64)>,
    /// What else happened in the session.
    pub records: Vec<Record>,
    /// The session itself: it began, or it ended.
    pub contact: Option<Contact>,
}

impl Report {
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.sent.is_empty()
            && self.delivered.is_empty()
            && self.shown.is_empty()
            && self.records.is_empty()
            && self.contact.is_none()
    }

    /// Whether something in it is to be kept now. What was sent waits for what comes of it.
    #[must_use]
    pub fn is_due(&self) -> bool {
        !self.delivered.is_empty()
            || !self.shown.is_empty()
            || !self.records.is_empty()
            || self.contact.is_some()
    }

    /// These changes of a document are being sent.
    pub fn sends(&mut self, document: DocumentId, after: u64, through: u64) {
        let sent = self.sent.entry(document).or_insert((after, through));
        sent.1 = sent.1.max(through);
    }
}

/// Receipts of the same document through the same `seq`, in the same second.
#[derive(Debug)]
struct Delivered {
    /// The last one's: none of them was later.
    at_ms: i64,
    carriers: Vec<Arc<Carrier>>,
}

#[derive(Debug)]
struct Shown {
    holder: Holder,
    document: DocumentId,
    through: u64,
    at_ms: i64,
}

/// What is written at once.
#[derive(Debug, Default)]
pub struct Batch {
    sent: BTreeMap<(DocumentId, u64, u64), Vec<Arc<Carrier>>>,
    delivered: BTreeMap<(DocumentId, u64, i64), Delivered>,
    shown: Vec<Shown>,
    records: Vec<Record>,
    contacts: Vec<(DeviceNumber, Contact)>,
}

impl Batch {
    /// Takes a report that came at this time.
    pub fn add(&mut self, carrier: &Arc<Carrier>, report: Report, at_ms: i64) {
        for (document, (after, through)) in report.sent {
            let sent = self.sent.entry((document, after, through)).or_default();
            sent.push(carrier.clone());
        }
        for (document, through) in report.delivered {
            let key = (document, through, at_ms.div_euclid(TOGETHER_MS));
            let delivered = self.delivered.entry(key).or_insert(Delivered {
                at_ms,
                carriers: Vec::new(),
            });
            delivered.at_ms = delivered.at_ms.max(at_ms);
            delivered.carriers.push(carrier.clone());
        }
        for (document, (through, at_ms)) in report.shown {
            self.shown.push(Shown {
                holder: Holder {
                    device: Some(carrier.device),
                    who: carrier.who.clone(),
                },
                document,
                through,
                at_ms,
            });
        }
        self.records.extend(report.records);
        self.contacts
            .extend(report.contact.map(|contact| (carrier.device, contact)));
    }

    /// Writes all of it. What is returned is to be told of the commit.
    ///
    /// # Errors
    /// When the store fails.
    pub fn write(&self, ledger: &mut Ledger<'_>) -> Result<Kept, LogError> {
        let mut rows = Rows::default();
        for record in &self.records {
            audit::record(ledger, record)?;
        }
        for ((document, after, through), carriers) in &self.sent {
            let given = Record {
                object: document.to_string(),
                stretch: Some((*after, *through)),
                ..Record::of("", Act::Carry(document.compartment))
            };
            audit::record_given(ledger, carriers, &mut rows, &given)?;
        }
        for ((document, through, _), delivered) in &self.delivered {
            let carriers = rows.list(ledger, &delivered.carriers)?;
            ledger
                .sql()
                .prepare_cached(
                    "INSERT INTO deliveries (document, through, at_ms, carriers) VALUES (?1, ?2, ?3, ?4)",
                )?
                .execute(params![
                    document.to_bytes(),
                    through.cast_signed(),
                    delivered.at_ms,
                    carriers
                ])?;
            ledger.tell(Happening::Delivered(*document));
        }
        for (device, contact) in &self.contacts {
            contacts::keep(ledger, *device, *contact)?;
        }
        for seen in &self.shown {
            shown(
                ledger,
                &seen.holder,
                seen.document,
                seen.through,
                seen.at_ms,
            )?;
        }
        Ok(Kept(rows))
    }

    /// What of it ought to be on record, a record a person.
    pub(super) fn on_record(&self) -> Vec<Record> {
        let sent = self
            .sent
            .iter()
            .flat_map(|((document, after, through), carriers)| {
                carriers.iter().map(|carrier| Record {
                    device: Some(carrier.device),
                    object: document.to_string(),
                    stretch: Some((*after, *through)),
                    ..Record::of(carrier.who.clone(), Act::Carry(document.compartment))
                })
            });
        self.records.iter().cloned().chain(sent).collect()
    }
}

/// What was written, before its commit.
#[derive(Debug)]
pub struct Kept(Rows);

impl Kept {
    /// It is durable.
    pub fn committed(self) {
        self.0.committed();
    }
}

/// The newest deliveries of a document, oldest first: one receipt a device.
pub(super) fn of_document(
    connection: &Connection,
    document: DocumentId,
) -> Result<Vec<Receipt>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT delivery, through, device, screen, at_ms
         FROM (SELECT * FROM deliveries WHERE document = ?1 ORDER BY delivery DESC LIMIT ?2) AS newest,
              json_each(newest.carriers) AS each
         JOIN carriers AS carrier ON carrier.carrier = each.value
         ORDER BY delivery DESC LIMIT ?2",
    )?;
    let mut all: Vec<Receipt> = statement
        .query_map(params![document.to_bytes(), SHOWN_ON_A_PAGE_MAX], |row| {
            Ok(Receipt {
                number: row.get::<_, i64>(0)?.unsigned_abs(),
                kind: ReceiptKind::Delivered,
                document,
                after: 0,
                through: row.get::<_, i64>(1)?.unsigned_abs(),
                device: row.get::<_, Option<u32>>(2)?.map(DeviceNumber),
                who: row.get(3)?,
                at_ms: row.get(4)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    all.reverse();
    Ok(all)
}
