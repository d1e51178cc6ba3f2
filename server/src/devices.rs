//! The devices: enrolled once with a one-time code, known by number and key.
//!
//! [`custody`] is what the center has them do with what they were given, and what they
//! answer; [`list`] is all of them, as a supervisor looks at them.

pub mod custody;
pub mod list;

use aws_lc_rs::{digest, rand};
use data_encoding::BASE32_NOPAD;
use packet::DeviceNumber;
use rusqlite::{Connection, OptionalExtension, params};

use crate::identity::DevicePeer;
use crate::log::{Happening, Ledger, LogError, restored};

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
    /// Fixed in a vehicle: it does not lock for want of use (AC-11).
    pub mounted: bool,
    /// An order to erase that it has not confirmed: it gets nothing else before.
    pub erase_order: Option<i64>,
}

/// Makes a one-time code for a device of this agency. Only its hash is kept.
///
/// # Errors
/// When the store fails.
pub fn new_code(ledger: &mut Ledger<'_>, agency: &str, label: &str) -> Result<String, LogError> {
    new_code_for(ledger, agency, label, false)
}

/// … and says whether the device is fixed in a vehicle.
///
/// # Errors
/// When the store fails.
pub fn new_code_for(
    ledger: &mut Ledger<'_>,
    agency: &str,
    label: &str,
    mounted: bool,
) -> Result<String, LogError> {
    let mut random = [0; 10];
    rand::fill(&mut random).map_err(|_| LogError::Store("no randomness".into()))?;
    let code = BASE32_NOPAD.encode(&random);
    let now_ms = ledger.now_ms();
    ledger.sql().execute(
        "DELETE FROM enrolment_codes WHERE expires_ms < ?1",
        [now_ms],
    )?;
    ledger.sql().execute(
        "INSERT INTO enrolment_codes (code, agency, label, expires_ms, mounted) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![hash(&code), agency, label, now_ms + CODE_MS, mounted],
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
    let spent: Option<(String, String, bool)> = ledger
        .sql()
        .query_row(
            "DELETE FROM enrolment_codes WHERE code = ?1 AND expires_ms >= ?2 RETURNING agency, label, mounted",
            params![hash(code), ledger.now_ms()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let (agency, label, mounted) = spent.ok_or_else(|| LogError::Unknown {
        what: "enrolment code",
        id: "(not repeated here)".into(),
    })?;
    let last: Option<u32> =
        ledger
            .sql()
            .query_row("SELECT max(device) FROM devices", [], |row| row.get(0))?;
    let skipped = restored(ledger.sql())?.map_or(0, |restored| restored.device_max);
    let device = Device {
        number: DeviceNumber(last.unwrap_or(0).max(skipped) + 1),
        agency,
        label,
        public_key: public_key.to_vec(),
        revoked: false,
        mounted,
        erase_order: None,
    };
    insert(ledger, &device)?;
    Ok(device)
}

fn insert(ledger: &Ledger<'_>, device: &Device) -> Result<(), LogError> {
    ledger.sql().execute(
        "INSERT INTO devices (device, agency, label, public_key, mounted) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            device.number.0,
            device.agency,
            device.label,
            device.public_key,
            device.mounted
        ],
    )?;
    Ok(())
}

/// Takes in again a device that was enrolled after the backup which this log was restored
/// from: its certificate, which only this center can have given, says who it is. `None`
/// where the lost log cannot have known it either.
///
/// # Errors
/// When the store fails.
pub fn readmit(
    ledger: &mut Ledger<'_>,
    certificate: &DevicePeer,
) -> Result<Option<Device>, LogError> {
    let number = DeviceNumber(certificate.device);
    let lost = restored(ledger.sql())?.is_some_and(|restored| number.0 <= restored.device_max);
    if !lost {
        return Ok(None);
    }
    if let Some(known) = find(ledger.sql(), number)? {
        return Ok(Some(known));
    }
    let device = Device {
        number,
        agency: certificate.agency.clone(),
        label: format!("{number} (enrolled after the backup)"),
        public_key: certificate.public_key.clone(),
        revoked: false,
        mounted: false,
        erase_order: None,
    };
    insert(ledger, &device)?;
    Ok(Some(device))
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
        .prepare_cached(
            "SELECT agency, label, public_key, revoked_ms IS NOT NULL, mounted,
                    (SELECT min(number) FROM erase_orders WHERE device = ?1 AND confirmed_ms IS NULL)
             FROM devices WHERE device = ?1",
        )?
        .query_row([number.0], |row| {
            Ok(Device {
                number,
                agency: row.get(0)?,
                label: row.get(1)?,
                public_key: row.get(2)?,
                revoked: row.get(3)?,
                mounted: row.get(4)?,
                erase_order: row.get(5)?,
            })
        })
        .optional()?;
    Ok(device)
}
