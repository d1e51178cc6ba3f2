//! What a log knows of having been restored from a backup.
//!
//! A restored log is another log: it has a new incarnation, so that no device takes its
//! `seq`s for those of the log that was lost, and the center writes in it as another
//! author. What the lost log gave out after the backup (numbers of devices) is never given
//! out again. What it knew and the backup does not (who worked where, who had which call)
//! is gone; [`Restored::covers`] says for which entries that has to be borne with.

use packet::{DocumentId, Inspected, inspect};
use rusqlite::{Connection, OptionalExtension, params};

use super::desk::{Surroundings, incarnation_issuer};
use super::{LogError, schema};
use crate::shifts::{LATE_MS_MAX, SHIFT_MS};

/// More devices than are enrolled between a backup and the loss of the log.
const DEVICE_NUMBERS_SKIPPED: u32 = 100_000;

/// The last restore of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Restored {
    /// When, by the center's clock.
    pub at_ms: i64,
    /// The last `seq` of the backup.
    pub head: u64,
    /// The lost log gave no device a number above this one.
    pub device_max: u32,
}

impl Restored {
    /// Whether an entry is of a time of which nobody can say any more whose unit had which
    /// call: until the longest shift that the lost log may have known has ended. For as
    /// long as late entries are taken at all.
    #[must_use]
    pub fn covers(&self, written_ms: i64, now_ms: i64) -> bool {
        written_ms <= self.at_ms.saturating_add(SHIFT_MS)
            && now_ms <= self.at_ms.saturating_add(LATE_MS_MAX)
    }
}

/// The last restore; `None` of a log that never was.
///
/// # Errors
/// When the store fails.
pub fn restored(connection: &Connection) -> Result<Option<Restored>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT at.value, head.value, device.value FROM meta AS at
         JOIN meta AS head ON head.name = 'restored_head'
         JOIN meta AS device ON device.name = 'restored_device_max'
         WHERE at.name = 'restored_ms'",
    )?;
    let found = statement
        .query_row([], |row| {
            Ok(Restored {
                at_ms: row.get(0)?,
                head: row.get::<_, i64>(1)?.unsigned_abs(),
                device_max: row.get(2)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Makes another log of the copy of one that this connection has open. Returns its
/// incarnation.
///
/// # Errors
/// When the copy cannot be read or written.
pub fn begin_anew(
    connection: &mut Connection,
    surroundings: &Surroundings,
    now_ms: i64,
) -> rusqlite::Result<u64> {
    let before = schema::incarnation(connection, surroundings)?;
    let transaction = connection.transaction()?;
    let fresh = std::iter::repeat_with(|| schema::fresh_incarnation(surroundings.random()))
        .find(|fresh| incarnation_issuer(*fresh) != incarnation_issuer(before))
        .unwrap_or_default();
    let device_max: u32 = transaction.query_row(
        "SELECT max(coalesce((SELECT max(device) FROM devices), 0),
                    coalesce((SELECT value FROM meta WHERE name = 'restored_device_max'), 0))",
        [],
        |row| row.get(0),
    )?;
    let head: i64 =
        transaction.query_row("SELECT coalesce(max(seq), 0) FROM changes", [], |row| {
            row.get(0)
        })?;
    let skipped_to = device_max.saturating_add(DEVICE_NUMBERS_SKIPPED);
    for (name, value) in [
        ("incarnation", fresh.cast_signed()),
        ("restored_ms", now_ms),
        ("restored_head", head),
        ("restored_device_max", i64::from(skipped_to)),
    ] {
        transaction.execute(
            "INSERT OR REPLACE INTO meta VALUES (?1, ?2)",
            params![name, value],
        )?;
    }
    // One that was spent after the backup must not be good once more.
    transaction.execute("DELETE FROM enrolment_codes", [])?;
    transaction.execute("DELETE FROM sign_in_links", [])?;
    // Nor a session that was ended after it.
    transaction.execute(
        "UPDATE console_sessions SET ended_ms = ?1 WHERE ended_ms IS NULL",
        [now_ms],
    )?;
    transaction.commit()?;
    Ok(fresh)
}

/// What was written into this document since the restore, and not given back.
///
/// # Errors
/// When the store fails or a change in it cannot be read.
pub(crate) fn new_since_restore(
    connection: &Connection,
    document: DocumentId,
) -> Result<Vec<Inspected>, LogError> {
    let Some(restored) = restored(connection)? else {
        return Ok(Vec::new());
    };
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM readable WHERE document = ?1 AND seq > ?2 AND given_back_by IS NULL ORDER BY seq",
    )?;
    let mut rows = statement.query(params![document.to_bytes(), restored.head.cast_signed()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        all.push(inspect(&bytes).map_err(|e| LogError::Store(format!("{document}: {e}")))?);
    }
    Ok(all)
}
