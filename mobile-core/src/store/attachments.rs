//! The contents of attachments: what is here of each, what is asked for, what is to be sent.
//!
//! They lie in the same encrypted file as the packets, in chunks, so that what came before
//! a link broke is kept and the rest is asked for from there. All bytes of a content count
//! as here only once they fit its hash.
//!
//! An attachment is *at the center* when the center's own entry says so ([`packet::Attachment`]);
//! until then what this device attached is kept whatever the quota says. Of all else the
//! whole images give way first: those of closed calls, then what was looked at longest ago.
//! Thumbnails are small, are asked for by themselves and stay as long as their packet does.

mod ask;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use packet::entry::ATTACHMENT_BYTES_MAX;
use packet::{Attachment, Author, ChangeHash, DocumentId, EntryId};
use rusqlite::{OptionalExtension, Transaction};

use super::StoreError;

/// Most bytes of attachments on a device, with what is on its way to it.
pub const ATTACHMENTS_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// What an officer attaches is cut into chunks of this size.
const CHUNK_BYTES: usize = 64 * 1024;

/// A content by its SHA-256.
pub(crate) type Blob = [u8; 32];

/// How far something that this device attached has come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upload {
    /// Durable at the center.
    pub(crate) bytes: u32,
    pub(crate) refused: Option<String>,
}

/// What is here of a content.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Content {
    pub(crate) bytes: u32,
    pub(crate) is_whole: bool,
    pub(crate) is_wanted: bool,
    /// `None` for what others attached, and for what the center has confirmed.
    pub(crate) upload: Option<Upload>,
}

fn digits(blob: &Blob) -> String {
    HEXLOWER.encode(blob)
}

fn blob_of(digits: &str) -> Result<Blob, StoreError> {
    let bytes = HEXLOWER.decode(digits.as_bytes()).ok();
    bytes
        .and_then(|bytes| bytes.try_into().ok())
        .ok_or(StoreError::Damaged("an attachment's hash"))
}

/// Keeps what an attachment entry names, and asks for its thumbnail.
pub(super) fn named(
    tx: &Transaction<'_>,
    document: DocumentId,
    hash: ChangeHash,
    id: EntryId,
    attachment: &Attachment,
) -> Result<(), StoreError> {
    let is_confirmed = matches!(id.actor.author(), Author::Center(_));
    tx.prepare_cached(
        "INSERT OR REPLACE INTO attached (hash, doc, blob, thumbnail, total, confirmed)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?
    .execute((
        hash.0,
        document.to_bytes(),
        &attachment.blob,
        &attachment.thumbnail,
        attachment.bytes,
        is_confirmed,
    ))?;
    if !is_confirmed {
        return Ok(());
    }
    tx.prepare_cached("DELETE FROM puts WHERE doc = ?1 AND blob = ?2")?
        .execute((document.to_bytes(), &attachment.blob))?;
    if let Some(thumbnail) = &attachment.thumbnail {
        tx.prepare_cached(
            "INSERT INTO blobs (blob, wanted, is_thumbnail) VALUES (?1, 1, 1) ON CONFLICT DO NOTHING",
        )?
        .execute([thumbnail])?;
    }
    Ok(())
}

/// Keeps what the officer attached, to be sent when its entry is at the center.
pub(super) fn keep_own(
    tx: &Transaction<'_>,
    document: DocumentId,
    blob: &str,
    content: &[u8],
) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT OR REPLACE INTO puts (doc, blob) VALUES (?1, ?2)")?
        .execute((document.to_bytes(), blob))?;
    if here(tx, blob)?.is_whole {
        return Ok(());
    }
    make_room(tx, content.len() as u64, blob)?;
    tx.prepare_cached("DELETE FROM blobs WHERE blob = ?1")?
        .execute([blob])?;
    tx.prepare_cached(
        "INSERT INTO blobs (blob, total, bytes, used) VALUES (?1, ?2, ?2, (SELECT coalesce(max(used), 0) + 1 FROM blobs))",
    )?
    .execute((blob, content.len()))?;
    for (n, chunk) in content.chunks(CHUNK_BYTES).enumerate() {
        add_chunk(tx, blob, n * CHUNK_BYTES, chunk)?;
    }
    Ok(())
}

fn add_chunk(tx: &Transaction<'_>, blob: &str, at: usize, data: &[u8]) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT INTO chunks (blob, at, data) VALUES (?1, ?2, ?3)")?
        .execute((blob, at, data))?;
    Ok(())
}

/// Drops whole contents that may give way, until there is room for so many bytes more.
fn make_room(tx: &Transaction<'_>, bytes: u64, for_blob: &str) -> Result<(), StoreError> {
    loop {
        let used: i64 = tx
            .prepare_cached(
                "SELECT coalesce(sum(CASE wanted WHEN 1 THEN coalesce(total, bytes) ELSE bytes END), 0)
                 FROM blobs WHERE blob <> ?1",
            )?
            .query_row([for_blob], |row| row.get(0))?;
        if used.unsigned_abs() + bytes <= ATTACHMENTS_BYTES_MAX {
            return Ok(());
        }
        // Of several facts the highest in the log is current, this device's unsent last.
        let gave_way = tx
            .prepare_cached(
                "DELETE FROM blobs WHERE blob = (
                     SELECT blob FROM blobs AS b
                     WHERE is_thumbnail = 0 AND wanted = 0 AND blob <> ?1
                         AND blob NOT IN (SELECT blob FROM puts)
                     ORDER BY EXISTS (
                         SELECT 1 FROM attached WHERE attached.blob = b.blob AND coalesce((
                             SELECT json_extract(fields, '$.state') FROM changes
                             WHERE changes.doc = attached.doc AND kind = 'facts'
                             ORDER BY seq IS NULL DESC, seq DESC LIMIT 1), 'open') = 'open'), used
                     LIMIT 1)",
            )?
            .execute([for_blob])?;
        if gave_way == 0 {
            return Err(StoreError::AttachmentsFull);
        }
    }
}

/// The center has an entry of mine: its content may follow. Says whether it has one.
pub(super) fn entry_accepted(tx: &Transaction<'_>, hash: ChangeHash) -> Result<bool, StoreError> {
    let ready = tx
        .prepare_cached(
            "UPDATE puts SET ready = 1 WHERE (doc, blob) = (SELECT doc, blob FROM attached WHERE hash = ?1)",
        )?
        .execute([hash.0])?;
    Ok(ready > 0)
}

/// … or did not take it: then its content is kept, and not sent.
pub(super) fn entry_refused(
    tx: &Transaction<'_>,
    hash: ChangeHash,
    reason: &str,
) -> Result<(), StoreError> {
    tx.prepare_cached(
        "UPDATE puts SET refused = ?2 WHERE (doc, blob) = (SELECT doc, blob FROM attached WHERE hash = ?1)",
    )?
    .execute((hash.0, reason))?;
    Ok(())
}

/// Another log does not have what this device attached: it is sent once more, as far as
/// it is still here. Its entries are offered again first.
pub(super) fn send_again(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute_batch(
        "UPDATE puts SET ready = 0, bytes = 0;
         INSERT OR IGNORE INTO puts (doc, blob)
             SELECT attached.doc, attached.blob FROM attached
             JOIN changes ON changes.hash = attached.hash AND mine = 1 AND signature IS NOT NULL
             JOIN blobs ON blobs.blob = attached.blob AND blobs.bytes = blobs.total;",
    )?;
    Ok(())
}

/// What no packet here names any more goes, all but what is unsent.
pub(super) fn collect(tx: &Transaction<'_>) -> Result<(), StoreError> {
    tx.execute_batch(
        "DELETE FROM attached WHERE hash NOT IN (SELECT hash FROM changes);
         DELETE FROM blobs WHERE blob NOT IN (
             SELECT blob FROM attached
             UNION SELECT thumbnail FROM attached WHERE thumbnail IS NOT NULL
             UNION SELECT blob FROM puts);",
    )?;
    Ok(())
}

/// The center has nothing of it for this device. Thumbnails are asked for again in the
/// next session, all else when the officer asks again.
fn not_there(tx: &Transaction<'_>, blob: &Blob) -> Result<(), StoreError> {
    tx.prepare_cached("UPDATE blobs SET wanted = is_thumbnail WHERE blob = ?1 AND wanted = 1")?
        .execute([digits(blob)])?;
    Ok(())
}

/// What came of a content. What was not asked for, and what leaves a gap, is passed over.
/// Says whether that ends it.
pub(super) fn received(
    tx: &Transaction<'_>,
    blob: &Blob,
    offset: u64,
    data: &[u8],
    total: u64,
) -> Result<bool, StoreError> {
    if data.is_empty() {
        not_there(tx, blob)?;
        return Ok(true);
    }
    let digits = digits(blob);
    let Some(bytes) = wanted(tx, &digits, total)? else {
        return Ok(false);
    };
    let known = usize::try_from(bytes.saturating_sub(offset)).unwrap_or(usize::MAX);
    let (Some(new), true) = (data.get(known..), offset <= bytes) else {
        return Ok(false);
    };
    let through = bytes + new.len() as u64;
    if new.is_empty() || through > total {
        return Ok(false);
    }
    add_chunk(tx, &digits, bytes as usize, new)?;
    tx.prepare_cached("UPDATE blobs SET total = ?2, bytes = ?3, wanted = ?4 WHERE blob = ?1")?
        .execute((&digits, total, through, through < total))?;
    if through == total && hash_of(&content(tx, &digits)?) != *blob {
        // Not asked for again by itself: an officer who wants it taps again.
        tx.prepare_cached("DELETE FROM chunks WHERE blob = ?1")?
            .execute([&digits])?;
        tx.prepare_cached("UPDATE blobs SET bytes = 0, total = NULL WHERE blob = ?1")?
            .execute([&digits])?;
    }
    Ok(through == total)
}

/// How much is here of what is asked for, when it can be of this size.
fn wanted(tx: &Transaction<'_>, digits: &str, total: u64) -> Result<Option<u64>, StoreError> {
    let found: Option<(Option<u64>, u64)> = tx
        .prepare_cached("SELECT total, bytes FROM blobs WHERE blob = ?1 AND wanted = 1")?
        .query_row([digits], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    Ok(found.and_then(|(known, bytes)| {
        let fits = known.is_none_or(|known| known == total);
        (fits && total <= u64::from(ATTACHMENT_BYTES_MAX)).then_some(bytes)
    }))
}

/// How far the center has what this device sends. Says whether that ends it: with all of it,
/// or with the reason why not.
pub(super) fn at_center(
    tx: &Transaction<'_>,
    blob: &Blob,
    bytes: u64,
    refused: Option<&str>,
) -> Result<bool, StoreError> {
    let digits = digits(blob);
    tx.prepare_cached(
        "UPDATE puts SET bytes = ?2, refused = ?3 WHERE blob = ?1 AND ready = 1 AND refused IS NULL",
    )?
    .execute((&digits, bytes, refused))?;
    let is_all: bool = tx
        .prepare_cached("SELECT EXISTS (SELECT 1 FROM blobs WHERE blob = ?1 AND total = ?2)")?
        .query_row((&digits, bytes), |row| row.get(0))?;
    // The center's own entry says that it has all, where this device may have that entry; one
    // that was given back to the center is here already, and does not come again.
    let ended = tx
        .prepare_cached(
            "DELETE FROM puts WHERE blob = ?1 AND ready = 1 AND refused IS NULL
             AND bytes = (SELECT total FROM blobs WHERE blob = ?1)
             AND (doc NOT IN (SELECT doc FROM documents WHERE standing = 1)
                 OR EXISTS (SELECT 1 FROM attached
                     WHERE attached.doc = puts.doc AND attached.blob = puts.blob AND confirmed = 1))",
        )?
        .execute([&digits])?;
    if ended > 0 {
        collect(tx)?;
    }
    Ok(refused.is_some() || is_all || ended > 0)
}

fn hash_of(content: &[u8]) -> Blob {
    let mut blob = [0; 32];
    blob.copy_from_slice(digest::digest(&digest::SHA256, content).as_ref());
    blob
}

fn content(tx: &Transaction<'_>, digits: &str) -> Result<Vec<u8>, StoreError> {
    let mut statement = tx.prepare_cached("SELECT data FROM chunks WHERE blob = ?1 ORDER BY at")?;
    let mut rows = statement.query([digits])?;
    let mut content = Vec::new();
    while let Some(row) = rows.next()? {
        content.extend_from_slice(row.get_ref(0)?.as_blob().unwrap_or_default());
    }
    Ok(content)
}

fn here(tx: &Transaction<'_>, digits: &str) -> Result<Content, StoreError> {
    let found = tx
        .prepare_cached(
            "SELECT bytes, coalesce(bytes = total, 0), wanted FROM blobs WHERE blob = ?1",
        )?
        .query_row([digits], |row| {
            Ok(Content {
                bytes: row.get(0)?,
                is_whole: row.get(1)?,
                is_wanted: row.get(2)?,
                upload: None,
            })
        })
        .optional()?;
    Ok(found.unwrap_or_default())
}
