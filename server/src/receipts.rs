//! Receipts: *delivered* (durable on a device) and *shown* (was on a lit, unlocked
//! screen). *Acknowledged* is an entry of the packet itself, signed by the device.
//!
//! *Shown* is a row each: few are shown a packet at the same moment, and who wrote it hears
//! of each. *Delivered* is the one thing that every device on a call says of every change:
//! it is gathered for a moment ([`Reports`]) and kept as one row for all devices that came
//! equally far ([`Batch`]).

mod batch;
mod carriers;
mod reports;
#[cfg(test)]
pub(crate) mod tests;

use packet::{CallId, DeviceNumber, DocumentId};
use rusqlite::{Connection, OptionalExtension, params};
use sync::frame::SeenFrame;
use sync::limits::SEEN_QUEUE_MAX;

use crate::log::{Happening, Ledger, LogError};

pub use batch::{Batch, Kept, Report};
pub use carriers::Carrier;
pub(crate) use carriers::Rows;
pub use reports::{Collector, Reports, reports};

/// Most receipts that one packet's page shows, the newest.
pub const SHOWN_ON_A_PAGE_MAX: usize = 2_000;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ReceiptKind {
    Delivered = 0,
    Shown = 1,
}

/// One document through one `seq`, on one device or screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Receipt {
    pub number: u64,
    pub kind: ReceiptKind,
    pub document: DocumentId,
    /// What this receipt adds: after here …
    pub after: u64,
    /// … through here.
    pub through: u64,
    /// `None`: an analyst's screen.
    pub device: Option<DeviceNumber>,
    /// The device as people call it, or who looked.
    pub who: String,
    pub at_ms: i64,
}

/// Who looked.
#[derive(Debug, Clone)]
pub struct Holder {
    /// `None`: an analyst's screen.
    pub device: Option<DeviceNumber>,
    pub who: String,
}

/// Keeps that a document was shown through here, unless that says nothing new.
///
/// # Errors
/// When the store fails.
pub fn shown(
    ledger: &mut Ledger<'_>,
    holder: &Holder,
    document: DocumentId,
    through: u64,
    at_ms: i64,
) -> Result<(), LogError> {
    let kind = ReceiptKind::Shown;
    let after: Option<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT max(through) FROM receipts WHERE document = ?1 AND kind = ?2 AND who = ?3 AND device IS ?4",
        )?
        .query_row(
            params![document.to_bytes(), kind as i64, holder.who, holder.device.map(|d| d.0)],
            |row| row.get(0),
        )?;
    let after = after.unwrap_or(0).unsigned_abs();
    if through <= after {
        return Ok(());
    }
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO receipts (kind, document, through, device, who, at_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            kind as i64,
            document.to_bytes(),
            through.cast_signed(),
            holder.device.map(|d| d.0),
            holder.who,
            // A screen's clock may be wrong; a receipt is never from the future.
            at_ms.min(ledger.now_ms())
        ])?;
    let number = ledger.sql().last_insert_rowid().unsigned_abs();
    ledger.tell(Happening::Receipt(Receipt {
        number,
        kind,
        document,
        after,
        through,
        device: holder.device,
        who: holder.who.clone(),
        at_ms,
    }));
    Ok(())
}

/// The receipts of a call's document, oldest first, at most [`SHOWN_ON_A_PAGE_MAX`].
///
/// # Errors
/// When the store fails.
pub fn of_document(
    connection: &Connection,
    document: DocumentId,
) -> Result<Vec<Receipt>, LogError> {
    let mut all = rows_of(connection, document)?;
    all.extend(batch::of_document(connection, document)?);
    // Stable: what one device came through stays in its order.
    all.sort_by_key(|receipt| receipt.at_ms);
    all.drain(..all.len().saturating_sub(SHOWN_ON_A_PAGE_MAX));
    Ok(all)
}

/// *Shown*, and what of *delivered* was kept before there were batches.
fn rows_of(connection: &Connection, document: DocumentId) -> Result<Vec<Receipt>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, kind, through, device, who, at_ms FROM receipts WHERE document = ?1 ORDER BY number DESC LIMIT ?2",
    )?;
    let mut all: Vec<Receipt> = statement
        .query_map(params![document.to_bytes(), SHOWN_ON_A_PAGE_MAX], |row| {
            Ok(Receipt {
                number: row.get::<_, i64>(0)?.unsigned_abs(),
                kind: if row.get::<_, i64>(1)? == 0 {
                    ReceiptKind::Delivered
                } else {
                    ReceiptKind::Shown
                },
                document,
                after: 0,
                through: row.get::<_, i64>(2)?.unsigned_abs(),
                device: row.get::<_, Option<u32>>(3)?.map(DeviceNumber),
                who: row.get(4)?,
                at_ms: row.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    all.reverse();
    Ok(all)
}

/// Who has seen what this device wrote, after the last receipt that it knows.
///
/// # Errors
/// When the store fails.
pub fn seen_of(
    connection: &Connection,
    device: DeviceNumber,
    after: u64,
) -> Result<Vec<SeenFrame>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, document, through, who, at_ms FROM receipts
         WHERE kind = 1 AND number > ?2 AND device IS NOT ?1
           AND document IN (SELECT DISTINCT document FROM changes WHERE device = ?1)
         ORDER BY number DESC LIMIT ?3",
    )?;
    let mut seen: Vec<SeenFrame> = statement
        .query_map(
            params![device.0, after.cast_signed(), SEEN_QUEUE_MAX],
            |row| {
                let document: [u8; DocumentId::BYTES] = row.get(1)?;
                Ok((
                    row.get::<_, i64>(0)?,
                    document,
                    row.get::<_, i64>(2)?,
                    row.get(3)?,
                    row.get(4)?,
                ))
            },
        )?
        .filter_map(|row| match row {
            Ok((number, document, through, who, at_ms)) => {
                DocumentId::from_bytes(&document).ok().map(|document| {
                    Ok(SeenFrame {
                        number: number.unsigned_abs(),
                        document,
                        through: through.unsigned_abs(),
                        who,
                        at_ms,
                    })
                })
            }
            Err(e) => Some(Err(e)),
        })
        .collect::<Result<_, _>>()?;
    seen.reverse();
    Ok(seen)
}

/// The devices that wrote in this stretch of a document: they hear who saw it.
///
/// # Errors
/// When the store fails.
pub fn authors(
    connection: &Connection,
    document: DocumentId,
    after: u64,
    through: u64,
) -> Result<Vec<DeviceNumber>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT DISTINCT device FROM changes WHERE document = ?1 AND seq > ?2 AND seq <= ?3 AND device IS NOT NULL",
    )?;
    let devices = statement
        .query_map(
            params![
                document.to_bytes(),
                after.cast_signed(),
                through.cast_signed()
            ],
            |row| row.get(0).map(DeviceNumber),
        )?
        .collect::<Result<_, _>>()?;
    Ok(devices)
}

/// The oldest caution of a call that nobody has acknowledged, by the center's receipt.
///
/// # Errors
/// When the store fails.
pub fn caution_waiting_since(
    connection: &Connection,
    call: CallId,
) -> Result<Option<i64>, LogError> {
    let since = connection
        .prepare_cached(
            "SELECT min(received_ms) FROM cautions WHERE call = ?1 AND settled_ms IS NULL",
        )?
        .query_row([call.0.cast_signed()], |row| row.get(0))
        .optional()?
        .flatten();
    Ok(since)
}
