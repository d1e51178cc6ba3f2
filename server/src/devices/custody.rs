//! What the center has a device do with what it was given, and what the device answers.
//!
//! An order to erase stands until the device's receipt is here. Until then the device gets
//! nothing else: no session, no shift. A receipt is believed for its signature, by the key
//! that was enrolled, and is kept as it came.

use aws_lc_rs::rand;
use packet::custody::{
    ERASURE_BYTES_MAX, ErasedWhy, Erasure, RELEASE_SECRET_BYTES, digits, erasure_signing_input,
    release_code,
};
use packet::{CenterId, DeviceNumber, signature};
use rusqlite::{Connection, OptionalExtension, params};

use super::Device;
use crate::log::{Ledger, LogError};

/// A device that goes on saying the same is put on record again after this.
const SAID_AGAIN_MS: i64 = 60_000;

/// Why a receipt was not taken.
#[derive(Debug, thiserror::Error)]
pub enum ReceiptError {
    #[error("statement: the words of an erasure's receipt, at most {ERASURE_BYTES_MAX} bytes: {0}")]
    Statement(String),
    #[error("signature: this device's own over the statement")]
    Signature,
    #[error("statement: of this device, to this center")]
    Addressee,
}

/// Reads a receipt and checks whose it is.
///
/// # Errors
/// [`ReceiptError`].
pub fn read_receipt(
    device: &Device,
    center: CenterId,
    statement: &str,
    signature_der: &[u8],
) -> Result<Erasure, ReceiptError> {
    if statement.len() > ERASURE_BYTES_MAX {
        return Err(ReceiptError::Statement("it is longer".into()));
    }
    let input = erasure_signing_input(statement.as_bytes());
    if !signature::verify(&device.public_key, &input, signature_der) {
        return Err(ReceiptError::Signature);
    }
    let erasure: Erasure =
        serde_json::from_str(statement).map_err(|e| ReceiptError::Statement(e.to_string()))?;
    let center = data_encoding::HEXLOWER.encode(&center.0);
    if erasure.device != device.number || erasure.center != center {
        return Err(ReceiptError::Addressee);
    }
    Ok(erasure)
}

/// Keeps a receipt; the order that it names is confirmed, and the shift of the store that is
/// gone has ended. The same one again changes nothing. Whether it was news.
///
/// # Errors
/// When the store fails.
pub fn keep_receipt(
    ledger: &mut Ledger<'_>,
    erasure: &Erasure,
    statement: &str,
    signature_der: &[u8],
) -> Result<bool, LogError> {
    let why = match erasure.why {
        ErasedWhy::EndOfShift => "end of shift",
        ErasedWhy::Ordered => "ordered",
    };
    let number = |count: u64| i64::try_from(count).unwrap_or(i64::MAX);
    let now_ms = ledger.now_ms();
    let kept = ledger.sql().execute(
        "INSERT OR IGNORE INTO erasures (device, store, received_ms, why, erase_order, at_ms, sealed, attachments_lost, statement, signature)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        params![
            erasure.device.0,
            erasure.store,
            now_ms,
            why,
            erasure.order,
            erasure.at_ms.saturating_sub(erasure.clock_off_ms.unwrap_or(0)),
            number(erasure.sealed),
            erasure.attachments_lost.map(number),
            statement,
            signature_der
        ],
    )?;
    if let Some(order) = erasure.order {
        ledger.sql().execute(
            "UPDATE erase_orders SET confirmed_ms = coalesce(confirmed_ms, ?3) WHERE number = ?1 AND device = ?2",
            params![order, erasure.device.0, now_ms],
        )?;
    }
    ledger.sql().execute(
        "UPDATE shifts SET ended_ms = ?3 WHERE device = ?1 AND store = ?2 AND ended_ms IS NULL",
        params![erasure.device.0, erasure.store, now_ms],
    )?;
    Ok(kept > 0)
}

/// Orders a device to erase what it was given; an order that stands already is that order.
///
/// # Errors
/// When the device is not known ([`LogError::Unknown`]) or the store fails.
pub fn order_erasure(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    by: &str,
) -> Result<i64, LogError> {
    let known = super::find(ledger.sql(), device)?.ok_or_else(|| unknown(device))?;
    if let Some(standing) = known.erase_order {
        return Ok(standing);
    }
    ledger.sql().execute(
        "INSERT INTO erase_orders (device, ordered_ms, ordered_by) VALUES (?1, ?2, ?3)",
        params![device.0, ledger.now_ms(), by],
    )?;
    Ok(ledger.sql().last_insert_rowid())
}

fn unknown(device: DeviceNumber) -> LogError {
    LogError::Unknown {
        what: "device",
        id: device.to_string(),
    }
}

/// Gives the device's officer the tries of the PIN back, once it asks.
///
/// # Errors
/// As [`order_erasure`].
pub fn release(ledger: &mut Ledger<'_>, device: DeviceNumber) -> Result<(), LogError> {
    let sql = "UPDATE devices SET releases = releases + 1 WHERE device = ?1";
    match ledger.sql().execute(sql, [device.0])? {
        0 => Err(unknown(device)),
        _ => Ok(()),
    }
}

/// How often the device was released.
///
/// # Errors
/// When the store fails.
pub fn releases(connection: &Connection, device: DeviceNumber) -> Result<u64, LogError> {
    let releases: i64 = connection
        .prepare_cached("SELECT releases FROM devices WHERE device = ?1")?
        .query_row([device.0], |row| row.get(0))?;
    Ok(releases.unsigned_abs())
}

/// The code to read out for the digits that the device shows. `None`: the device shares no
/// secret yet (it gets one with its next certificate).
///
/// # Errors
/// [`LogError::Conflict`] for what are no such digits; as [`order_erasure`].
pub fn code_for(
    connection: &Connection,
    device: DeviceNumber,
    challenge: &str,
) -> Result<Option<String>, LogError> {
    let challenge = digits(challenge)
        .ok_or_else(|| LogError::Conflict("challenge: the eight digits on its screen".into()))?;
    let secret: Option<Option<Vec<u8>>> = connection
        .prepare_cached("SELECT release_secret FROM devices WHERE device = ?1")?
        .query_row([device.0], |row| row.get(0))
        .optional()?;
    let secret = secret.ok_or_else(|| unknown(device))?;
    Ok(secret.map(|secret| release_code(&secret, device, &challenge)))
}

/// The secret that the device's codes are made of, drawn where there is none.
///
/// # Errors
/// When the store fails.
pub fn release_secret(ledger: &mut Ledger<'_>, device: DeviceNumber) -> Result<Vec<u8>, LogError> {
    let mut fresh = [0; RELEASE_SECRET_BYTES];
    rand::fill(&mut fresh).map_err(|_| LogError::Store("no randomness".into()))?;
    let secret = ledger.sql().query_row(
        "UPDATE devices SET release_secret = coalesce(release_secret, ?2) WHERE device = ?1 RETURNING release_secret",
        params![device.0, fresh],
        |row| row.get(0),
    )?;
    Ok(secret)
}

/// Until when the device's newest certificate is good.
///
/// # Errors
/// When the store fails.
pub fn certified(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    until_ms: i64,
) -> Result<(), LogError> {
    ledger.sql().execute(
        "UPDATE devices SET certificate_until_ms = ?2 WHERE device = ?1",
        params![device.0, until_ms],
    )?;
    Ok(())
}

/// Says whether the device is fixed in a vehicle.
///
/// # Errors
/// As [`order_erasure`].
pub fn set_mounted(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    mounted: bool,
) -> Result<(), LogError> {
    let sql = "UPDATE devices SET mounted = ?2 WHERE device = ?1";
    match ledger.sql().execute(sql, params![device.0, mounted])? {
        0 => Err(unknown(device)),
        _ => Ok(()),
    }
}

/// Whether what the device says of itself is worth a commit: it is new, or was long ago, or
/// the device has had a session since.
///
/// # Errors
/// When the store fails.
pub fn is_news(
    connection: &Connection,
    device: DeviceNumber,
    said: &str,
    sealed: u64,
    now_ms: i64,
) -> Result<bool, LogError> {
    let same = connection
        .prepare_cached(
            "SELECT 1 FROM devices WHERE device = ?1 AND said = ?2 AND sealed = ?3 AND said_ms > ?4
               AND said_ms >= coalesce((SELECT max(began_ms) FROM contacts WHERE device = ?1), 0)",
        )?
        .exists(params![
            device.0,
            said,
            sealed.cast_signed(),
            now_ms - SAID_AGAIN_MS
        ])?;
    Ok(!same)
}

/// Keeps what the device says of itself.
///
/// # Errors
/// When the store fails.
pub fn said(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    said: &str,
    sealed: u64,
) -> Result<(), LogError> {
    ledger.sql().execute(
        "UPDATE devices SET said = ?2, sealed = ?3, said_ms = ?4 WHERE device = ?1",
        params![device.0, said, sealed.cast_signed(), ledger.now_ms()],
    )?;
    Ok(())
}
