//! What comes whole: over the API, from the console.

use std::sync::Arc;

use packet::{Attachment, CallId, Compartment, DocumentId, Entry, EntryId, Kind};

use super::{AttachmentError, Blob, contents, digits};
use crate::audit::{self, Record};
use crate::center::Center;
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// A file that somebody gives to a call.
#[derive(Debug, Clone)]
pub struct File {
    pub content: Arc<[u8]>,
    pub media_type: String,
    pub name: String,
    /// As the packet names the person or system.
    pub by: String,
}

/// A file that is now one of the packet's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Added {
    pub entry: EntryId,
    pub blob: Blob,
    pub thumbnail: Option<Blob>,
}

/// Takes the file, and tells the packet of it: content and entry are one commit. Who may
/// is decided before.
///
/// # Errors
/// When the call is not known, the file is not taken, or the log cannot write it.
pub async fn add(
    center: &Arc<Center>,
    call: CallId,
    file: File,
    who: &str,
) -> Result<Added, AttachmentError> {
    let attachment = Attachment {
        // Its hash comes with the look at it; all else is held against its limits now.
        blob: digits(&[0; 32]),
        thumbnail: None,
        media_type: file.media_type.clone(),
        bytes: u32::try_from(file.content.len()).unwrap_or(u32::MAX),
        name: file.name,
        by: file.by,
    };
    Entry::Attachment(attachment.clone())
        .check()
        .map_err(LogError::from)?;
    let turn = center.workbench.turn().await.ok_or(LogError::Stopping)?;
    let inspected = turn
        .inspect(file.content.clone(), file.media_type)
        .await
        .map_err(|e| AttachmentError::Refused(e.to_string()))?;
    let (who, content) = (who.to_owned(), file.content);
    center
        .log
        .write(move |ledger| {
            must_be_known(ledger, call)?;
            let thumbnail = match &inspected.thumbnail {
                Some(jpeg) => {
                    let blob = super::image::hash(jpeg);
                    contents::keep(ledger, &blob, jpeg)?;
                    Some(blob)
                }
                None => None,
            };
            contents::keep(ledger, &inspected.blob, &content)?;
            let document = DocumentId::new(call, Compartment::Call);
            let attachment = Attachment {
                blob: digits(&inspected.blob),
                thumbnail: thumbnail.as_ref().map(digits),
                ..attachment
            };
            let object = format!("{document} {}", attachment.blob);
            let appended = ledger.append(document, Entry::Attachment(attachment))?;
            audit::record(
                ledger,
                &Record {
                    object,
                    detail: appended.seq.to_string(),
                    ..Record::of(who, Act::Write(Kind::Attachment))
                },
            )?;
            Ok(Added {
                entry: appended.id,
                blob: inspected.blob,
                thumbnail,
            })
        })
        .await
}

fn must_be_known(ledger: &Ledger<'_>, call: CallId) -> Result<(), LogError> {
    let is_known = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM calls WHERE call = ?1")?
        .exists([call.0.cast_signed()])?;
    if is_known {
        Ok(())
    } else {
        Err(LogError::Unknown {
            what: "call",
            id: call.to_string(),
        })
    }
}
