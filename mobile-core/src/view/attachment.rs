//! How far attachments have come.
//!
//! The center's own entry about a blob says that it has all of it; where a device has
//! attached the blob, that second entry is no news of its own but the first one's progress,
//! so it is not shown beside it.

use std::collections::{HashMap, HashSet};

use packet::{Attachment, Author, DocumentId, Entry};

use crate::store::{Content, Row};

/// An attachment's content, as far as a screen shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentView {
    /// SHA-256 of the content, as [`crate::Core::attachment`] takes it.
    pub blob: String,
    /// … of its thumbnail, when that is on this device.
    pub thumbnail: Option<String>,
    /// On this device, from the beginning on.
    pub bytes_here: u32,
    pub state: AttachmentState,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AttachmentState {
    /// Another device is still sending it: there is nothing to fetch yet.
    OnItsWay,
    /// The center has it. It comes when it is asked for ([`crate::Core::fetch`]).
    AtCenter,
    /// It was asked for, and is coming.
    Coming,
    /// The whole is on this device, and at the center.
    Here,
    /// Attached on this device: the whole is here, and so much of it at the center.
    Sending { bytes_at_center: u32 },
    /// Attached on this device, and not taken. It is kept here.
    Refused { reason: String },
}

/// By document and blob.
type Key = (DocumentId, String);

/// What is known of a packet's attachments.
#[derive(Debug)]
pub(super) struct Attachments {
    /// What the center says that it has, and by which change.
    confirmed: HashMap<Key, (u64, Option<String>)>,
    /// What devices have attached.
    by_devices: HashSet<Key>,
    contents: HashMap<Key, Content>,
}

fn of(row: &Row) -> Option<(&Attachment, Key)> {
    match &row.written.entry {
        Entry::Attachment(attachment) => {
            Some((attachment, (row.document, attachment.blob.clone())))
        }
        _ => None,
    }
}

fn is_centers(row: &Row) -> bool {
    matches!(row.id.actor.author(), Author::Center(_))
}

impl Attachments {
    pub(super) fn of(rows: &[Row], contents: &[(DocumentId, String, Content)]) -> Self {
        let contents = contents.iter().cloned();
        let mut all = Self {
            confirmed: HashMap::new(),
            by_devices: HashSet::new(),
            contents: contents
                .map(|(document, blob, content)| ((document, blob), content))
                .collect(),
        };
        for row in rows {
            let Some((attachment, key)) = of(row) else {
                continue;
            };
            match row.seq {
                Some(seq) if is_centers(row) => {
                    let thumbnail = attachment.thumbnail.clone();
                    all.confirmed.entry(key).or_insert((seq, thumbnail));
                }
                _ if !is_centers(row) => {
                    all.by_devices.insert(key);
                }
                _ => {}
            }
        }
        all
    }

    /// Without the center's entries about what a device has attached.
    pub(super) fn shown(&self, rows: Vec<Row>) -> Vec<Row> {
        let is_news = |row: &Row| match of(row) {
            Some((_, key)) => !is_centers(row) || !self.by_devices.contains(&key),
            None => true,
        };
        rows.into_iter().filter(is_news).collect()
    }

    /// Since which change the center has all that the entry speaks of: its own, or for an
    /// attachment the one by which the center says so.
    pub(super) fn whole_since(&self, row: &Row) -> Option<u64> {
        match of(row) {
            Some((_, key)) => {
                let content = self.contents.get(&key);
                if content.is_some_and(|content| content.upload.is_some()) {
                    return None;
                }
                let (seq, _) = self.confirmed.get(&key)?;
                row.seq.map(|own| own.max(*seq))
            }
            None => row.seq,
        }
    }

    /// Why the content was not taken, though its entry was.
    pub(super) fn refusal(&self, row: &Row) -> Option<String> {
        let (_, key) = of(row)?;
        self.contents.get(&key)?.upload.as_ref()?.refused.clone()
    }

    pub(super) fn view(&self, row: &Row) -> Option<AttachmentView> {
        let (attachment, key) = of(row)?;
        let content = self.contents.get(&key).cloned().unwrap_or_default();
        let confirmed = self.confirmed.get(&key);
        let thumbnail = confirmed
            .and_then(|(_, thumbnail)| thumbnail.clone())
            .filter(|thumbnail| {
                let key = (row.document, thumbnail.clone());
                self.contents.get(&key).is_some_and(|here| here.is_whole)
            });
        let state = match (&content.upload, confirmed) {
            // Also of what a center has confirmed and lost: it gets it again.
            (Some(upload), _) => match &upload.refused {
                Some(reason) => AttachmentState::Refused {
                    reason: reason.clone(),
                },
                None => AttachmentState::Sending {
                    bytes_at_center: upload.bytes,
                },
            },
            (None, Some(_)) if content.is_whole => AttachmentState::Here,
            (None, _) if content.is_wanted => AttachmentState::Coming,
            (None, Some(_)) => AttachmentState::AtCenter,
            (None, None) => AttachmentState::OnItsWay,
        };
        Some(AttachmentView {
            blob: attachment.blob.clone(),
            thumbnail,
            bytes_here: content.bytes,
            state,
        })
    }
}
