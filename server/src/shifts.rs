//! Officers' shifts: at sign-on an officer is bound to a unit and a device.
//!
//! Where the officer's agency has a provider for that, it says who signs on
//! ([`crate::people::oidc`]); elsewhere the device's certificate, and the PIN that opens the
//! device, vouch for the badge. The token that comes of it is a proof apart from the
//! certificate, and every hello carries it.

use aws_lc_rs::{digest, rand};
use packet::DeviceNumber;
use rusqlite::{Connection, OptionalExtension, params};

use crate::log::{Ledger, LogError};

/// A shift ends at the latest then (CJIS IA-5: 12 hours).
pub const SHIFT_MS: i64 = 12 * 60 * 60 * 1_000;

/// How long after a unit has left a call its devices' notes are still taken.
pub const LATE_MS_MAX: i64 = 30 * 24 * 60 * 60 * 1_000;

/// An officer on a unit, on one device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shift {
    pub device: DeviceNumber,
    /// As screens show it.
    pub officer: String,
    pub badge: String,
    pub unit: String,
    pub agency: String,
    pub expires_ms: i64,
}

impl Shift {
    /// The officer as entries and the audit log name them.
    #[must_use]
    pub fn by(&self) -> String {
        format!("{} ({})", self.officer, self.unit)
    }
}

/// Begins a shift; one that was open on this device ends. Returns the token.
///
/// # Errors
/// When the store fails.
pub fn sign_on(ledger: &mut Ledger<'_>, shift: &Shift) -> Result<[u8; 16], LogError> {
    // 128 bits that nobody guesses: it crosses the link at each contact.
    let mut token = [0; 16];
    rand::fill(&mut token).map_err(|_| LogError::Store("no randomness".into()))?;
    sign_off(ledger, shift.device)?;
    ledger.sql().execute(
        "INSERT INTO shifts (token, device, officer, badge, unit, agency, expires_ms, began_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
        params![
            hash(&token),
            shift.device.0,
            shift.officer,
            shift.badge,
            shift.unit,
            shift.agency,
            shift.expires_ms,
            ledger.now_ms()
        ],
    )?;
    Ok(token)
}

/// Of which of its stores the device says that the shift is, and whether a PIN opens that.
///
/// # Errors
/// When the store fails.
pub fn keep_store(
    ledger: &Ledger<'_>,
    token: &[u8],
    store: &str,
    pin: bool,
) -> Result<(), LogError> {
    ledger.sql().execute(
        "UPDATE shifts SET store = ?2, pin = ?3 WHERE token = ?1",
        params![hash(token), store, pin],
    )?;
    Ok(())
}

/// Whether the center gave this token to this device, whatever became of the shift.
///
/// # Errors
/// When the store fails.
pub fn is_known(
    connection: &Connection,
    device: DeviceNumber,
    token: &[u8],
) -> Result<bool, LogError> {
    let known = connection
        .prepare_cached("SELECT 1 FROM shifts WHERE token = ?1 AND device = ?2")?
        .exists(params![hash(token), device.0])?;
    Ok(known)
}

/// Ends the device's shift.
///
/// # Errors
/// When the store fails.
pub fn sign_off(ledger: &mut Ledger<'_>, device: DeviceNumber) -> Result<(), LogError> {
    ledger.sql().execute(
        "UPDATE shifts SET ended_ms = ?2 WHERE device = ?1 AND ended_ms IS NULL",
        params![device.0, ledger.now_ms()],
    )?;
    Ok(())
}

fn hash(token: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, token).as_ref().to_vec()
}

/// The shift that this token proves, while it lasts.
///
/// # Errors
/// When the store fails.
pub fn find(
    connection: &Connection,
    device: DeviceNumber,
    token: &[u8],
    now_ms: i64,
) -> Result<Option<Shift>, LogError> {
    let shift = connection
        .prepare_cached(
            "SELECT officer, badge, unit, agency, expires_ms FROM shifts WHERE token = ?1 AND device = ?2 AND expires_ms > ?3 AND ended_ms IS NULL",
        )?
        .query_row(params![hash(token), device.0, now_ms], |row| {
            Ok(Shift {
                device,
                officer: row.get(0)?,
                badge: row.get(1)?,
                unit: row.get(2)?,
                agency: row.get(3)?,
                expires_ms: row.get(4)?,
            })
        })
        .optional()?;
    Ok(shift)
}

/// The unit that a device is signed on for.
///
/// # Errors
/// When the store fails.
pub fn unit_of(connection: &Connection, device: DeviceNumber) -> Result<Option<String>, LogError> {
    let unit = connection
        .prepare_cached("SELECT unit FROM shifts WHERE device = ?1 AND ended_ms IS NULL")?
        .query_row([device.0], |row| row.get(0))
        .optional()?;
    Ok(unit)
}

/// Whether a change of this device is about a call that it may write to: its unit has
/// the call, or had it lately (what was written offline comes late).
///
/// # Errors
/// When the store fails.
pub fn may_write_to(
    connection: &Connection,
    device: DeviceNumber,
    call: packet::CallId,
    now_ms: i64,
) -> Result<bool, LogError> {
    let may = connection
        .prepare_cached(
            "SELECT 1 FROM grants JOIN shifts ON shifts.unit = grants.unit
             WHERE shifts.device = ?1 AND grants.call = ?2 AND (grants.to_seq IS NULL OR grants.ended_ms > ?3)",
        )?
        .exists(params![device.0, call.0.cast_signed(), now_ms - LATE_MS_MAX])?;
    Ok(may || call.author() == packet::Author::Device(device))
}
