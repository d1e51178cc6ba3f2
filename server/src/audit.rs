//! The one place that records: who did or saw what, and whether they might.
//!
//! A plain table until the Merkle log stands behind the same seam (a later issue).

use packet::DeviceNumber;
use rusqlite::{Connection, params};

use crate::log::{Ledger, LogError};
use crate::policy::Act;
use crate::receipts::Carriers;

/// One line of the audit log.
#[derive(Debug, Clone)]
pub struct Record {
    /// The person, the system or the device, as the center knows it.
    pub who: String,
    pub device: Option<DeviceNumber>,
    pub act: Act,
    /// The document, call or device that it was done to.
    pub object: String,
    pub allowed: bool,
    /// From which `seq` to which, under which reason.
    pub detail: String,
}

/// Records it in the transaction at hand: what is done and its record stand or fall together.
///
/// # Errors
/// When the store fails.
pub fn record(ledger: &Ledger<'_>, record: &Record) -> Result<(), LogError> {
    record_in(ledger.sql(), record, ledger.now_ms())
}

/// Records that all these carriers were given the same: one row, which the store's view
/// `audit_by_person` shows as a line each.
///
/// # Errors
/// When the store fails.
pub fn record_given(
    ledger: &Ledger<'_>,
    carriers: &Carriers,
    act: Act,
    object: &str,
    detail: &str,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("INSERT INTO audit (at_ms, who, act, object, allowed, detail, carriers) VALUES (?1, ?2, ?3, ?4, 1, ?5, ?6)")?
        .execute(params![
            ledger.now_ms(),
            format!("{} devices", carriers.count()),
            act.name(),
            object,
            detail,
            carriers.json()
        ])?;
    Ok(())
}

/// As [`record`], for who works on the log's store while no center runs on it, or beside one.
pub(crate) fn record_in(
    connection: &Connection,
    record: &Record,
    now_ms: i64,
) -> Result<(), LogError> {
    connection
        .prepare_cached("INSERT INTO audit (at_ms, who, device, act, object, allowed, detail) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            now_ms,
            record.who,
            record.device.map(|d| d.0),
            record.act.name(),
            record.object,
            record.allowed,
            record.detail
        ])?;
    Ok(())
}
