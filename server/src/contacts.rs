//! When a device was in session with the center.
//!
//! A row a session, written when it begins and when it ends: what came in between, its
//! receipts say. It tells a device that had no signal from one that was off.

use packet::DeviceNumber;
use rusqlite::{Connection, params};

use crate::log::{Ledger, LogError};

/// Most sessions of one device that are looked at, the newest.
const CONTACTS_MAX: usize = 64;

/// One session of a device.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Contact {
    pub began_ms: i64,
    /// When the device was last heard; `None` while the session lasts, and of one that the
    /// center did not live to see the end of.
    pub heard_ms: Option<i64>,
}

/// Keeps that a session began, or how long it was.
///
/// # Errors
/// When the store fails.
pub fn keep(ledger: &Ledger<'_>, device: DeviceNumber, contact: Contact) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO contacts (device, began_ms, heard_ms) VALUES (?1, ?2, ?3)
             ON CONFLICT (device, began_ms) DO UPDATE SET heard_ms = excluded.heard_ms",
        )?
        .execute(params![device.0, contact.began_ms, contact.heard_ms])?;
    Ok(())
}

/// The sessions that a device began before this time, the newest first.
///
/// # Errors
/// When the store fails.
pub fn before(
    connection: &Connection,
    device: DeviceNumber,
    before_ms: i64,
) -> Result<Vec<Contact>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT began_ms, heard_ms FROM contacts WHERE device = ?1 AND began_ms <= ?2
         ORDER BY began_ms DESC LIMIT ?3",
    )?;
    let contacts = statement.query_map(params![device.0, before_ms, CONTACTS_MAX], |row| {
        Ok(Contact {
            began_ms: row.get(0)?,
            heard_ms: row.get(1)?,
        })
    })?;
    Ok(contacts.collect::<Result<_, _>>()?)
}
