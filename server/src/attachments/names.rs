//! Which entry names which blob, and so who may have it.

use packet::{Attachment, Author, CallId, Compartment, DeviceNumber, DocumentId, EntryId};
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::contents::drop_content;
use super::{Blob, blob_of, whole};
use crate::log::{Ledger, LogError};

/// A content that somebody may have, and the entry that says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub document: DocumentId,
    /// In the center's store.
    pub(crate) content: i64,
    /// Of the content: a thumbnail's own, where that was asked for.
    pub bytes: u32,
    pub media_type: String,
    pub name: String,
    /// Of the attachment that was asked for.
    pub thumbnail: Option<Blob>,
}

/// A device's attachment entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) entry: EntryId,
    pub(super) attachment: Attachment,
}

/// What a document that is purged names: nobody has it by this document any more, and what no
/// other names is deleted.
///
/// # Errors
/// When the store fails.
pub(crate) fn forget(connection: &Connection, document: DocumentId) -> Result<(), LogError> {
    let id = document.to_bytes();
    let mut blobs: Vec<Blob> = connection
        .prepare_cached(
            "SELECT blob FROM attachments WHERE document = ?1
             UNION SELECT thumbnail FROM attachments WHERE document = ?1 AND thumbnail IS NOT NULL
             UNION SELECT blob FROM uploads WHERE document = ?1",
        )?
        .query_map([id], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for sql in [
        "DELETE FROM attachments WHERE document = ?1",
        "DELETE FROM uploads WHERE document = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([id])?;
    }
    let mut named = connection.prepare_cached(
        "SELECT 1 FROM attachments WHERE blob = ?1 OR thumbnail = ?1
         UNION ALL SELECT 1 FROM uploads WHERE blob = ?1",
    )?;
    let mut contents = connection.prepare_cached("SELECT content FROM contents WHERE blob = ?1")?;
    for blob in blobs.drain(..) {
        if named.exists([blob])? {
            continue;
        }
        let found = contents.query_map([blob], |row| row.get(0))?;
        for content in found.collect::<Result<Vec<i64>, _>>()? {
            drop_content(connection, content)?;
        }
    }
    Ok(())
}

/// Keeps beside an attachment entry, which was just logged, what it names.
///
/// # Errors
/// When the store fails.
pub(crate) fn named(
    ledger: &Ledger<'_>,
    document: DocumentId,
    id: EntryId,
    attachment: &Attachment,
) -> Result<(), LogError> {
    let device = match id.actor.author() {
        Author::Device(device) => Some(device.0),
        Author::Center(_) => None,
    };
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO attachments (document, entry, call, device, blob, thumbnail, media_type, bytes, name, by)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
        )?
        .execute(params![
            document.to_bytes(),
            id.to_string(),
            document.call.0.cast_signed(),
            device,
            blob_of(&attachment.blob),
            attachment.thumbnail.as_deref().and_then(blob_of),
            attachment.media_type,
            attachment.bytes,
            attachment.name,
            attachment.by,
        ])?;
    Ok(())
}

/// This device's first entry in this document that names the blob.
pub(super) fn by_device(
    connection: &Connection,
    document: DocumentId,
    device: DeviceNumber,
    blob: &Blob,
) -> Result<Option<Named>, LogError> {
    let found = connection
        .prepare_cached(
            "SELECT entry, media_type, bytes, name, by FROM attachments
             WHERE document = ?1 AND device = ?2 AND blob = ?3 ORDER BY entry LIMIT 1",
        )?
        .query_row(params![document.to_bytes(), device.0, blob], |row| {
            let attachment = Attachment {
                blob: super::digits(blob),
                thumbnail: None,
                media_type: row.get(1)?,
                bytes: row.get(2)?,
                name: row.get(3)?,
                by: row.get(4)?,
            };
            Ok((row.get::<_, String>(0)?, attachment))
        })
        .optional()?;
    found
        .map(|(entry, attachment)| {
            let entry = entry
                .parse()
                .map_err(|e: packet::IdError| LogError::Store(e.to_string()))?;
            Ok(Named { entry, attachment })
        })
        .transpose()
}

/// Whether the center has said in this document that it has the blob.
pub(super) fn is_confirmed(
    connection: &Connection,
    document: DocumentId,
    blob: &Blob,
) -> Result<bool, LogError> {
    let is = connection
        .prepare_cached(
            "SELECT 1 FROM attachments WHERE document = ?1 AND blob = ?2 AND device IS NULL",
        )?
        .exists(params![document.to_bytes(), blob])?;
    Ok(is)
}

/// What the center's own entries name: nothing else is given to anybody.
const CONFIRMED: &str =
    "SELECT document, blob = ?1, media_type, name, thumbnail FROM attachments AS a
     WHERE (blob = ?1 OR thumbnail = ?1) AND device IS NULL";

/// For whoever may see every packet.
///
/// # Errors
/// When the store fails.
pub fn find(connection: &Connection, blob: &Blob) -> Result<Option<Found>, LogError> {
    let sql = format!("{CONFIRMED} LIMIT 1");
    found(connection, blob, &sql, params![blob])
}

/// For whoever looks at this call's packet.
///
/// # Errors
/// When the store fails.
pub fn find_in_call(
    connection: &Connection,
    blob: &Blob,
    call: CallId,
) -> Result<Option<Found>, LogError> {
    let sql = format!("{CONFIRMED} AND call = ?2 LIMIT 1");
    found(connection, blob, &sql, params![blob, call.0.cast_signed()])
}

/// For a unit's device: the unit has a call whose packet names the blob. What is not known
/// and what this unit may not have look the same.
///
/// # Errors
/// When the store fails.
pub fn find_of_unit(
    connection: &Connection,
    blob: &Blob,
    unit: &str,
) -> Result<Option<Found>, LogError> {
    let sql = format!(
        "{CONFIRMED} AND EXISTS (SELECT 1 FROM grants WHERE grants.call = a.call AND unit = ?2 AND to_seq IS NULL) LIMIT 1"
    );
    found(connection, blob, &sql, params![blob, unit])
}

fn found(
    connection: &Connection,
    blob: &Blob,
    sql: &str,
    parameters: &[&dyn rusqlite::ToSql],
) -> Result<Option<Found>, LogError> {
    let named = connection
        .prepare_cached(sql)?
        .query_row(parameters, in_words)
        .optional()?;
    let (Some(named), Some((content, bytes))) = (named, whole(connection, blob)?) else {
        return Ok(None);
    };
    let (document, is_whole, media_type, name, thumbnail) = named;
    let document = DocumentId::from_bytes(&document).map_err(|e| LogError::Store(e.to_string()))?;
    // What attachments stand in; another compartment has other readers.
    if document.compartment != Compartment::Call {
        return Ok(None);
    }
    Ok(Some(Found {
        document,
        content,
        bytes,
        media_type: if is_whole {
            media_type
        } else {
            "image/jpeg".into()
        },
        name,
        thumbnail,
    }))
}

type NamedRow = (Vec<u8>, bool, String, String, Option<Blob>);

fn in_words(row: &Row<'_>) -> rusqlite::Result<NamedRow> {
    Ok((
        row.get(0)?,
        row.get(1)?,
        row.get(2)?,
        row.get(3)?,
        row.get(4)?,
    ))
}
