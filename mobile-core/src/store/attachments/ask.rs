//! What sessions and screens ask of the contents.

use packet::{CallId, DocumentId};
use rusqlite::{OptionalExtension, Transaction};

use super::{Blob, Content, Upload, blob_of, content, digits, here, make_room};
use crate::store::meta::document;
use crate::store::read::documents_of;
use crate::store::{Store, StoreError};

/// What is here of a content, and all of it where it is whole.
type Found = (Content, Option<Vec<u8>>);

impl Store {
    /// What is to be asked for, thumbnails first: a blob, and how much of it is here. Only
    /// what the center has said that it has.
    pub(crate) fn wants(&self, at_most: usize) -> Result<Vec<(Blob, u64)>, StoreError> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT blob, bytes FROM blobs WHERE wanted = 1 AND EXISTS (
                     SELECT 1 FROM attached WHERE confirmed = 1
                         AND (attached.blob = blobs.blob OR attached.thumbnail = blobs.blob))
                 ORDER BY is_thumbnail DESC, used LIMIT ?1",
            )?
            .query_and_then([at_most], |row| {
                Ok((blob_of(&row.get::<_, String>(0)?)?, row.get(1)?))
            })?
            .collect()
        })
    }

    /// What is to be sent: where, what, and its size.
    pub(crate) fn puts(&self, at_most: usize) -> Result<Vec<(DocumentId, Blob, u64)>, StoreError> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT doc, blob, total FROM puts JOIN blobs USING (blob)
                 WHERE ready = 1 AND refused IS NULL AND blobs.bytes = total ORDER BY used LIMIT ?1",
            )?
            .query_and_then([at_most], |row| {
                let place = document(&row.get::<_, Vec<u8>>(0)?)?;
                Ok((place, blob_of(&row.get::<_, String>(1)?)?, row.get(2)?))
            })?
            .collect()
        })
    }

    /// At most so many bytes of a content, from `offset` on; empty behind what is here.
    pub(crate) fn chunk_of(
        &self,
        blob: &Blob,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Vec<u8>, StoreError> {
        self.read(|tx| {
            let mut statement = tx.prepare_cached(
                "SELECT at, data FROM chunks WHERE blob = ?1 AND at >=
                     coalesce((SELECT max(at) FROM chunks WHERE blob = ?1 AND at <= ?2), 0) ORDER BY at",
            )?;
            let mut rows = statement.query((digits(blob), offset))?;
            let mut chunk = Vec::new();
            while chunk.len() < bytes_max
                && let Some(row) = rows.next()?
            {
                let at: u64 = row.get(0)?;
                let data = row.get_ref(1)?.as_blob().unwrap_or_default();
                let from = (offset + chunk.len() as u64).saturating_sub(at) as usize;
                let data = data.get(from..).unwrap_or_default();
                chunk.extend_from_slice(&data[..data.len().min(bytes_max - chunk.len())]);
            }
            Ok(chunk)
        })
    }

    /// The officer wants the whole; `false` when it is here. Room is made for it.
    pub(crate) fn fetch(&self, digits: &str) -> Result<bool, StoreError> {
        self.write(|tx, _| {
            if here(tx, digits)?.is_whole {
                return Ok(false);
            }
            let total: Option<u64> = tx
                .prepare_cached("SELECT total FROM attached WHERE blob = ?1")?
                .query_row([digits], |row| row.get(0))
                .optional()?;
            let total = total.ok_or(StoreError::NotHere)?;
            make_room(tx, total, digits)?;
            tx.prepare_cached(
                "INSERT INTO blobs (blob, total, wanted, used)
                     VALUES (?1, ?2, 1, (SELECT coalesce(max(used), 0) + 1 FROM blobs))
                 ON CONFLICT DO UPDATE SET wanted = 1, total = excluded.total, used = excluded.used",
            )?
            .execute((digits, total))?;
            Ok(true)
        })
    }

    /// What is here of a blob, and its content where it is whole; `None` for one that no
    /// packet here names.
    pub(crate) fn attachment(&self, digits: &str) -> Result<Option<Found>, StoreError> {
        self.read(|tx| {
            let is_named: bool = tx
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM attached WHERE blob = ?1 OR thumbnail = ?1)
                         OR EXISTS (SELECT 1 FROM puts WHERE blob = ?1)",
                )?
                .query_row([digits], |row| row.get(0))?;
            if !is_named {
                return Ok(None);
            }
            let here = here(tx, digits)?;
            let content = here.is_whole.then(|| content(tx, digits)).transpose()?;
            Ok(Some((here, content)))
        })
    }

    /// What is here of all that a packet's attachments name, thumbnails among them.
    pub(crate) fn attachments(
        &self,
        call: CallId,
    ) -> Result<Vec<(DocumentId, String, Content)>, StoreError> {
        self.read(|tx| {
            let names: Vec<(Vec<u8>, String)> = tx
                .prepare_cached(
                    "SELECT doc, blob FROM attached WHERE doc BETWEEN ?1 AND ?2
                     UNION SELECT doc, thumbnail FROM attached
                         WHERE doc BETWEEN ?1 AND ?2 AND thumbnail IS NOT NULL
                     UNION SELECT doc, blob FROM puts WHERE doc BETWEEN ?1 AND ?2",
                )?
                .query_map(documents_of(call), |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            let mut all = Vec::with_capacity(names.len());
            for (place, blob) in names {
                let mut content = here(tx, &blob)?;
                content.upload = upload(tx, &place, &blob)?;
                all.push((document(&place)?, blob, content));
            }
            Ok(all)
        })
    }
}

fn upload(tx: &Transaction<'_>, place: &[u8], blob: &str) -> Result<Option<Upload>, StoreError> {
    Ok(tx
        .prepare_cached("SELECT bytes, refused FROM puts WHERE doc = ?1 AND blob = ?2")?
        .query_row((place, blob), |row| {
            Ok(Upload {
                bytes: row.get(0)?,
                refused: row.get(1)?,
            })
        })
        .optional()?)
}
