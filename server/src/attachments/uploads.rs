//! What a device sends, from its first byte to the center's entry.
//!
//! A device may send what its own entry names, no more: so the entry comes first, is
//! admitted like any other, and tells everybody that something is on its way. What is
//! durable is answered as a number of bytes, and a device that comes back goes on there.
//! The last byte is answered only after the whole was checked and the center's entry is
//! in the log, both in one commit: a device that hears *all of it* hears the truth.

use std::sync::Arc;

use packet::{Attachment, Correction, DeviceNumber, DocumentId, Entry, Kind};
use rusqlite::{OptionalExtension, params};

use super::contents::{self, Unfinished};
use super::names::{self, Named};
use super::{AttachmentError, Blob, digits};
use crate::audit::{self, Record};
use crate::center::Center;
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// Most uploads that one device may have unfinished.
pub const UNFINISHED_MAX: usize = 64;
/// Who speaks where an attachment was not taken.
const CENTER: &str = "Center";

/// How much of an upload is durable at the center.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Have {
    /// From its beginning on; the whole size says that all of it was checked too.
    pub bytes: u32,
    /// It is not taken, and why.
    pub refusal: Option<String>,
}

impl Have {
    fn bytes(bytes: u32) -> Self {
        Self {
            bytes,
            refusal: None,
        }
    }

    fn refused(reason: impl Into<String>) -> Self {
        Self {
            bytes: 0,
            refusal: Some(reason.into()),
        }
    }
}

/// Where an upload stands within a commit.
enum Standing {
    Answered(Have),
    /// All bytes are durable; whether they are the right ones is to be seen.
    Complete,
}

/// A device says that it has this content of an entry of its own to send.
///
/// # Errors
/// The log's; what is not taken is an answer.
pub async fn announce(
    center: &Arc<Center>,
    device: DeviceNumber,
    document: DocumentId,
    blob: Blob,
    bytes: u32,
) -> Result<Have, LogError> {
    let standing = center
        .log
        .write(move |ledger| answered(begin(ledger, device, document, &blob, bytes)))
        .await?;
    settled(center, device, blob, standing).await
}

/// Keeps what comes next of an upload. What came before is passed over; what lies ahead
/// of a gap is not kept, and the answer says where the gap is.
///
/// # Errors
/// The log's; what is not taken is an answer.
pub async fn chunk(
    center: &Arc<Center>,
    device: DeviceNumber,
    blob: Blob,
    offset: u32,
    data: Vec<u8>,
) -> Result<Have, LogError> {
    let standing = center
        .log
        .write(move |ledger| answered(store(ledger, device, &blob, offset, &data)))
        .await?;
    settled(center, device, blob, standing).await
}

fn answered(standing: Result<Standing, AttachmentError>) -> Result<Standing, LogError> {
    match standing {
        Ok(standing) => Ok(standing),
        Err(AttachmentError::Refused(reason)) => Ok(Standing::Answered(Have::refused(reason))),
        Err(AttachmentError::Log(e)) => Err(e),
    }
}

fn begin(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    document: DocumentId,
    blob: &Blob,
    bytes: u32,
) -> Result<Standing, AttachmentError> {
    let refused = |reason: &str| Err(AttachmentError::Refused(reason.into()));
    let Some(named) = names::by_device(ledger.sql(), document, device, blob)? else {
        return refused("No entry of this device names what it sends.");
    };
    if named.attachment.bytes != bytes {
        return refused("The entry names another size.");
    }
    if let Some(reason) = refusal_of(ledger, device, blob)? {
        return Err(AttachmentError::Refused(reason));
    }
    // Once sent by this device, it is known to have it: also for another call.
    if let Some(thumbnail) = sent_before(ledger, device, blob)? {
        confirm(ledger, document, device, named, thumbnail.as_ref())?;
        return Ok(Standing::Answered(Have::bytes(bytes)));
    }
    let upload = match contents::unfinished(ledger.sql(), blob, device)? {
        Some(upload) => upload,
        None if contents::unfinished_of(ledger.sql(), device)? >= UNFINISHED_MAX => {
            return refused("Too many attachments of this device are unfinished.");
        }
        None => Unfinished {
            content: contents::begin(ledger, blob, Some(device), bytes)?,
            bytes,
            stored: 0,
        },
    };
    ledger
        .sql()
        .prepare_cached(
            "INSERT OR IGNORE INTO uploads (blob, device, document) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![blob, device.0, document.to_bytes()])?;
    Ok(standing(upload))
}

fn standing(upload: Unfinished) -> Standing {
    if upload.stored == upload.bytes {
        Standing::Complete
    } else {
        Standing::Answered(Have::bytes(upload.stored))
    }
}

fn store(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    blob: &Blob,
    offset: u32,
    data: &[u8],
) -> Result<Standing, AttachmentError> {
    let Some(mut upload) = contents::unfinished(ledger.sql(), blob, device)? else {
        let refusal = refusal_of(ledger, device, blob)?;
        let reason = refusal.unwrap_or_else(|| "This was not announced.".into());
        return Err(AttachmentError::Refused(reason));
    };
    let end = u64::from(offset) + data.len() as u64;
    if end > u64::from(upload.bytes) {
        return Err(AttachmentError::Refused(
            "More was sent than the entry says.".into(),
        ));
    }
    let known = upload
        .stored
        .checked_sub(offset)
        .map(|known| known as usize);
    if let Some(new) = known.and_then(|known| data.get(known..))
        && !new.is_empty()
    {
        contents::extend(ledger, upload.content, upload.stored, new)?;
        upload.stored += new.len() as u32;
    }
    Ok(standing(upload))
}

/// Why this device's content was not taken, when it was not.
fn refusal_of(
    ledger: &Ledger<'_>,
    device: DeviceNumber,
    blob: &Blob,
) -> Result<Option<String>, LogError> {
    let reason = ledger
        .sql()
        .prepare_cached(
            "SELECT refused FROM uploads WHERE blob = ?1 AND device = ?2 AND refused IS NOT NULL",
        )?
        .query_row(params![blob, device.0], |row| row.get(0))
        .optional()?;
    Ok(reason)
}

/// Whether this device has sent the whole of it before, which the center still has; and
/// its thumbnail.
fn sent_before(
    ledger: &Ledger<'_>,
    device: DeviceNumber,
    blob: &Blob,
) -> Result<Option<Option<Blob>>, LogError> {
    if contents::whole(ledger.sql(), blob)?.is_none() {
        return Ok(None);
    }
    let thumbnail = ledger
        .sql()
        .prepare_cached(
            "SELECT thumbnail FROM uploads JOIN attachments
                 ON attachments.document = uploads.document AND attachments.blob = uploads.blob
             WHERE uploads.blob = ?1 AND uploads.device = ?2 AND done = 1 AND attachments.device IS NULL LIMIT 1",
        )?
        .query_row(params![blob, device.0], |row| row.get(0))
        .optional()?;
    Ok(thumbnail)
}

/// Looks at what is complete, and says what became of it.
async fn settled(
    center: &Arc<Center>,
    device: DeviceNumber,
    blob: Blob,
    standing: Standing,
) -> Result<Have, LogError> {
    if let Standing::Answered(have) = standing {
        return Ok(have);
    }
    let turn = center.workbench.turn().await.ok_or(LogError::Stopping)?;
    let reading = move |connection: &rusqlite::Connection| {
        let Some(upload) = contents::unfinished(connection, &blob, device)? else {
            return Ok(None);
        };
        let content = contents::piece(connection, upload.content, 0, upload.bytes as usize)?;
        let media_type = connection
            .prepare_cached("SELECT media_type FROM attachments WHERE blob = ?1 AND device = ?2")?
            .query_row(params![blob, device.0], |row| row.get(0))?;
        Ok(Some((Arc::<[u8]>::from(content), media_type)))
    };
    let Some((content, media_type)) = center.log.readers().read(reading).await? else {
        return Ok(Have::refused("It was taken away meanwhile."));
    };
    let verdict = match turn.inspect(content, media_type).await {
        Ok(inspected) if inspected.blob == blob => Ok(inspected.thumbnail),
        Ok(_) => Err("What was sent does not fit the hash that its entry names.".to_owned()),
        Err(e) => Err(e.to_string()),
    };
    center
        .log
        .write(move |ledger| settle(ledger, device, &blob, verdict))
        .await
}

/// The verdict's consequences, in one commit.
fn settle(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    blob: &Blob,
    verdict: Result<Option<Vec<u8>>, String>,
) -> Result<Have, LogError> {
    let Some(upload) = contents::unfinished(ledger.sql(), blob, device)? else {
        return Ok(Have::refused("It was taken away meanwhile."));
    };
    let kept = verdict.and_then(|thumbnail| keep(ledger, thumbnail.as_deref()));
    let thumbnail = match kept {
        Ok(thumbnail) => thumbnail,
        Err(reason) => return refuse(ledger, device, blob, upload, reason),
    };
    contents::finish(ledger, blob, upload.content)?;
    for document in documents(ledger, device, blob)? {
        if let Some(named) = names::by_device(ledger.sql(), document, device, blob)? {
            confirm(ledger, document, device, named, thumbnail.as_ref())?;
        }
    }
    Ok(Have::bytes(upload.bytes))
}

fn keep(ledger: &Ledger<'_>, thumbnail: Option<&[u8]>) -> Result<Option<Blob>, String> {
    let Some(thumbnail) = thumbnail else {
        return Ok(None);
    };
    let blob = super::image::hash(thumbnail);
    contents::keep(ledger, &blob, thumbnail).map_err(|e| e.to_string())?;
    Ok(Some(blob))
}

/// The documents in which this device announced the blob and that are not settled.
fn documents(
    ledger: &Ledger<'_>,
    device: DeviceNumber,
    blob: &Blob,
) -> Result<Vec<DocumentId>, LogError> {
    let mut statement = ledger.sql().prepare_cached(
        "SELECT document FROM uploads WHERE blob = ?1 AND device = ?2 AND done = 0 AND refused IS NULL",
    )?;
    let rows = statement.query_map(params![blob, device.0], |row| row.get::<_, Vec<u8>>(0))?;
    rows.map(|row| DocumentId::from_bytes(&row?).map_err(|e| LogError::Store(e.to_string())))
        .collect()
}

/// The center says that it has all of it.
fn confirm(
    ledger: &mut Ledger<'_>,
    document: DocumentId,
    device: DeviceNumber,
    named: Named,
    thumbnail: Option<&Blob>,
) -> Result<(), LogError> {
    let Some(blob) = super::blob_of(&named.attachment.blob) else {
        return Ok(());
    };
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO uploads (blob, device, document, done) VALUES (?1, ?2, ?3, 1)
             ON CONFLICT DO UPDATE SET done = 1",
        )?
        .execute(params![blob, device.0, document.to_bytes()])?;
    if !names::is_confirmed(ledger.sql(), document, &blob)? {
        let attachment = Attachment {
            thumbnail: thumbnail.map(digits),
            ..named.attachment
        };
        ledger.append(document, Entry::Attachment(attachment))?;
    }
    record(ledger, device, document, &blob, true, String::new())
}

/// The upload goes, and every packet that was told of it hears why.
fn refuse(
    ledger: &mut Ledger<'_>,
    device: DeviceNumber,
    blob: &Blob,
    upload: Unfinished,
    reason: String,
) -> Result<Have, LogError> {
    contents::drop_content(ledger.sql(), upload.content)?;
    for document in documents(ledger, device, blob)? {
        if let Some(named) = names::by_device(ledger.sql(), document, device, blob)? {
            let correction = Correction {
                of: named.entry,
                text: Some(format!("Not taken. {reason}")),
                by: CENTER.into(),
            };
            ledger.append(document, Entry::Correction(correction))?;
        }
        record(ledger, device, document, blob, false, reason.clone())?;
    }
    ledger
        .sql()
        .prepare_cached("UPDATE uploads SET refused = ?3 WHERE blob = ?1 AND device = ?2")?
        .execute(params![blob, device.0, reason])?;
    Ok(Have::refused(reason))
}

fn record(
    ledger: &Ledger<'_>,
    device: DeviceNumber,
    document: DocumentId,
    blob: &Blob,
    allowed: bool,
    detail: String,
) -> Result<(), LogError> {
    audit::record(
        ledger,
        &Record {
            device: Some(device),
            object: format!("{document} {}", digits(blob)),
            allowed,
            detail,
            ..Record::of(CENTER, Act::Write(Kind::Attachment))
        },
    )
}
