//! The bytes of attachments, in the center's store.
//!
//! A content is whole and checked (`device` is NULL, one for each blob), or one device's
//! unfinished upload: two devices that send the same blob do not touch each other's, so
//! that a hostile one cannot spoil an honest one's.
//!
//! Each content is sealed, chunk by chunk, under a random key of its own, which goes when the
//! content does: a backup has the chunks and not the keys ([`crate::log`], docs/adr/0026-purge.md).
//! Its number is random and never given twice, so that no content meets the key of another
//! that was dropped. Offsets and sizes are of the content itself; what sealing adds is nobody's.

use packet::DeviceNumber;
use rusqlite::{Connection, OptionalExtension, params};

use super::{AttachmentError, Blob};
use crate::clock;
use crate::log::{Ledger, LogError};

/// Most bytes of attachments that a center keeps, unfinished ones with their whole size.
pub const CONTENTS_BYTES_MAX: u64 = 64 * 1024 * 1024 * 1024;
/// How long an upload that nothing came of any more is kept. A device that comes back
/// later begins anew.
pub const UNFINISHED_MS_MAX: i64 = 7 * 24 * 60 * 60 * 1_000;
/// What comes whole is cut into chunks of this size.
const CHUNK_BYTES: usize = 64 * 1024;
/// Most unfinished uploads that are swept in one commit.
const SWEPT_PER_COMMIT_MAX: usize = 8;

/// An unfinished upload.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unfinished {
    pub(super) content: i64,
    /// Its whole size, as it was announced.
    pub(super) bytes: u32,
    /// Durable from its beginning on.
    pub(super) stored: u32,
}

/// The whole content of this blob, and its size.
///
/// # Errors
/// When the store fails.
pub(crate) fn whole(connection: &Connection, blob: &Blob) -> Result<Option<(i64, u32)>, LogError> {
    let found = connection
        .prepare_cached("SELECT content, bytes FROM contents WHERE blob = ?1 AND device IS NULL")?
        .query_row([blob], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found)
}

pub(super) fn unfinished(
    connection: &Connection,
    blob: &Blob,
    device: DeviceNumber,
) -> Result<Option<Unfinished>, LogError> {
    let found = connection
        .prepare_cached(
            "SELECT content, bytes, stored FROM contents WHERE blob = ?1 AND device = ?2",
        )?
        .query_row(params![blob, device.0], |row| {
            Ok(Unfinished {
                content: row.get(0)?,
                bytes: row.get(1)?,
                stored: row.get(2)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// How many uploads of this device are unfinished.
pub(super) fn unfinished_of(
    connection: &Connection,
    device: DeviceNumber,
) -> Result<usize, LogError> {
    let count: u32 = connection
        .prepare_cached("SELECT count(*) FROM contents WHERE device = ?1")?
        .query_row([device.0], |row| row.get(0))?;
    Ok(count as usize)
}

/// Makes room for a content of this size; it has nothing yet. `device`: who sends it.
///
/// # Errors
/// When the center's quota is used up, or the store fails.
pub(super) fn begin(
    ledger: &Ledger<'_>,
    blob: &Blob,
    device: Option<DeviceNumber>,
    bytes: u32,
) -> Result<i64, AttachmentError> {
    let used: i64 = ledger
        .sql()
        .prepare_cached("SELECT coalesce(sum(bytes), 0) FROM contents")?
        .query_row([], |row| row.get(0))?;
    if used.unsigned_abs() + u64::from(bytes) > CONTENTS_BYTES_MAX {
        return Err(AttachmentError::Refused(
            "The center has no room for more attachments.".into(),
        ));
    }
    let (content, key) = ledger.fresh_content();
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO contents (content, blob, device, bytes, touched_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![content, blob, device.map(|d| d.0), bytes, clock::now_ms()])?;
    ledger
        .sql()
        .prepare_cached("INSERT INTO content_keys (content, key) VALUES (?1, ?2)")?
        .execute(params![content, key])?;
    Ok(content)
}

/// Adds what comes next; the caller knows where that is.
pub(super) fn extend(
    ledger: &Ledger<'_>,
    content: i64,
    at: u32,
    data: &[u8],
) -> Result<(), LogError> {
    let sealed = ledger
        .sql()
        .prepare_cached(
            "INSERT INTO chunks (content, at, data)
                 SELECT content, ?2, sealed(key, content, ?2, 2, ?3) FROM content_keys WHERE content = ?1",
        )?
        .execute(params![content, at, data])?;
    if sealed != 1 {
        return Err(LogError::Store(format!("content {content} has no key")));
    }
    ledger
        .sql()
        .prepare_cached("UPDATE contents SET stored = ?2, touched_ms = ?3 WHERE content = ?1")?
        .execute(params![content, at as usize + data.len(), clock::now_ms()])?;
    Ok(())
}

/// Keeps a content that came whole and was checked; nothing happens when it is there.
///
/// # Errors
/// As [`begin`].
pub(super) fn keep(ledger: &Ledger<'_>, blob: &Blob, data: &[u8]) -> Result<(), AttachmentError> {
    if whole(ledger.sql(), blob)?.is_some() {
        return Ok(());
    }
    let bytes = u32::try_from(data.len())
        .map_err(|_| AttachmentError::Refused("The file is too large.".into()))?;
    let content = begin(ledger, blob, None, bytes)?;
    let mut at = 0;
    for chunk in data.chunks(CHUNK_BYTES) {
        extend(ledger, content, at, chunk)?;
        at += chunk.len() as u32;
    }
    Ok(())
}

/// An upload was found to be whole: from now on it is nobody's own.
pub(super) fn finish(ledger: &Ledger<'_>, blob: &Blob, content: i64) -> Result<(), LogError> {
    if whole(ledger.sql(), blob)?.is_some() {
        return drop_content(ledger.sql(), content);
    }
    ledger
        .sql()
        .prepare_cached("UPDATE contents SET device = NULL WHERE content = ?1")?
        .execute([content])?;
    Ok(())
}

pub(super) fn drop_content(connection: &Connection, content: i64) -> Result<(), LogError> {
    for sql in [
        "DELETE FROM chunks WHERE content = ?1",
        "DELETE FROM contents WHERE content = ?1",
        "DELETE FROM content_keys WHERE content = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([content])?;
    }
    Ok(())
}

/// At most `bytes_max` bytes of a content from `offset` on; empty behind its end.
///
/// # Errors
/// When the store fails.
pub(crate) fn piece(
    connection: &Connection,
    content: i64,
    offset: u32,
    bytes_max: usize,
) -> Result<Vec<u8>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT at, opened(key, content, at, 2, data) FROM chunks JOIN content_keys USING (content)
         WHERE content = ?1 AND at >=
             coalesce((SELECT max(at) FROM chunks WHERE content = ?1 AND at <= ?2), 0)
         ORDER BY at",
    )?;
    let mut rows = statement.query(params![content, offset])?;
    let mut piece = Vec::new();
    while piece.len() < bytes_max
        && let Some(row) = rows.next()?
    {
        let at: u32 = row.get(0)?;
        let data = row.get_ref(1)?.as_blob().unwrap_or_default();
        let from = (offset as usize + piece.len()).saturating_sub(at as usize);
        let data = data.get(from..).unwrap_or_default();
        piece.extend_from_slice(&data[..data.len().min(bytes_max - piece.len())]);
    }
    Ok(piece)
}

/// Drops what nothing came of any more. Returns how many.
///
/// # Errors
/// When the store fails.
pub fn sweep(ledger: &mut Ledger<'_>, touched_before_ms: i64) -> Result<usize, LogError> {
    let left: Vec<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT content FROM contents WHERE device IS NOT NULL AND touched_ms < ?1 LIMIT ?2",
        )?
        .query_map(params![touched_before_ms, SWEPT_PER_COMMIT_MAX], |row| {
            row.get(0)
        })?
        .collect::<Result<_, _>>()?;
    left.iter()
        .try_for_each(|content| drop_content(ledger.sql(), *content))?;
    Ok(left.len())
}
