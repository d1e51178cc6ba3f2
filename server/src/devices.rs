//! The devices: enrolled once with a one-time code, known by number and key.

use aws_lc_rs::{digest, rand};
use data_encoding::BASE32_NOPAD;
use packet::DeviceNumber;
use rusqlite::{Connection, OptionalExtension, params};

use crate::log::{Happening, Ledger, LogError};

/// How long an enrolment code is good for.
const CODE_MS: i64 = 24 * 60 * 60 * 1_000;

/// A device as the center knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Device {
    pub number: DeviceNumber,
    pub agency: String,
    /// What people call it: "MDT 2".
    pub label: String,
    pub public_key: Vec<u8>,
    pub revoked: bool,
}

/// Makes a one-time code for a device of this agency. Only its hash is kept.
///
/// # Errors
/// When the store fails.
pub fn new_code(ledger: &mut Ledger<'_>, agency: &str, label: &str) -> Result<String, LogError> {
    let mut random = [0; 10];
    rand::fill(&mut random).map_err(|_| LogError::Store("no randomness".into()))?;
    let code = BASE32_NOPAD.encode(&random);
    let now_ms = ledger.now_ms();
    ledger.sql().execute(
        "DELETE FROM enrolment_codes WHERE expires_ms < ?1",
        [now_ms],
    )?;
    ledger.sql().execute(
        "INSERT INTO enrolment_codes (code, agency, label, expires_ms) VALUES (?1, ?2, ?3, ?4)",
        params![hash(&code), agency, label, now_ms + CODE_MS],
    )?;
    Ok(code)
}

fn hash(code: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, code.as_bytes())
        .as_ref()
        .to_vec()
}

/// Spends the code and gives the device its number.
///
/// # Errors
/// When the code is unknown, spent or expired ([`LogError::Unknown`]), or the store fails.
pub fn enrol(ledger: &mut Ledger<'_>, code: &str, public_key: &[u8]) -> Result<Device, LogError> {
    let spent: Option<(String, String)> = ledger
        .sql()
        .query_row(
            "DELETE FROM enrolment_codes WHERE code = ?1 AND expires_ms >= ?2 RETURNING agency, label",
            params![hash(code), ledger.now_ms()],
            |row| Ok((row.get(0)?, row.get(1)?)),
        )
        .optional()?;
    let (agency, label) = spent.ok_or_else(|| LogError::Unknown {
        what: "enrolment code",
        id: "(not repeated here)".into(),
    })?;
    let last: Option<u32> =
        ledger
            .sql()
            .query_row("SELECT max(device) FROM devices", [], |row| row.get(0))?;
    let number = DeviceNumber(last.unwrap_or(0) + 1);
    ledger.sql().execute(
        "INSERT INTO devices (device, agency, label, public_key) VALUES (?1, ?2, ?3, ?4)",
        params![number.0, agency, label, public_key],
    )?;
    Ok(Device {
        number,
        agency,
        label,
        public_key: public_key.to_vec(),
        revoked: false,
    })
}

/// Takes a device out of good standing, now: its session ends.
///
/// # Errors
/// When it is not known or the store fails.
pub fn revoke(ledger: &mut Ledger<'_>, number: DeviceNumber) -> Result<(), LogError> {
    let changed = ledger.sql().execute(
        "UPDATE devices SET revoked_ms = coalesce(revoked_ms, ?2) WHERE device = ?1",
        params![number.0, ledger.now_ms()],
    )?;
    if changed == 0 {
        return Err(LogError::Unknown {
            what: "device",
            id: number.to_string(),
        });
    }
    ledger.tell(Happening::DeviceRevoked(number));
    Ok(())
}

/// # Errors
/// When the store fails.
pub fn find(connection: &Connection, number: DeviceNumber) -> Result<Option<Device>, LogError> {
    let device = connection
        .prepare_cached("SELECT agency, label, public_key, revoked_ms IS NOT NULL FROM devices WHERE device = ?1")?
        .query_row([number.0], |row| {
            Ok(Device { number, agency: row.get(0)?, label: row.get(1)?, public_key: row.get(2)?, revoked: row.get(3)? })
        })
        .optional()?;
    Ok(device)
}
