//! Attachments: given to a packet, fetched, looked at.

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use packet::{Attachment, CallId, Compartment, DocumentId, EntryId};

use super::Core;
use crate::CoreError;

/// What is here of an attachment's content, or of a thumbnail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttachmentContent {
    /// On this device, from the beginning on.
    pub bytes_here: u32,
    /// The whole, once it is here and fits its hash.
    pub content: Option<Vec<u8>>,
}

impl Core {
    /// Attaches an image or another small file to a packet. Its entry is sent like a note,
    /// its content behind everything else, when there is a link.
    ///
    /// `media_type` as RFC 6838 has it, such as `image/jpeg`; `name` is a file's name
    /// without folders. Unlike entries, content that the center does not have yet is not
    /// sealed beside the store: a lost key loses it.
    ///
    /// # Errors
    /// As [`Core::add_note`]; [`CoreError::AttachmentsFull`].
    pub async fn attach(
        &self,
        call: CallId,
        content: Vec<u8>,
        media_type: &str,
        name: &str,
    ) -> Result<EntryId, CoreError> {
        let by = self.signed_on()?.by();
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        let attachment = Attachment {
            blob: HEXLOWER.encode(digest::digest(&digest::SHA256, &content).as_ref()),
            thumbnail: None,
            media_type: media_type.to_owned(),
            // Too much for a number is too much for an attachment.
            bytes: u32::try_from(content.len()).unwrap_or(u32::MAX),
            name: name.to_owned(),
            by,
        };
        let document = DocumentId::new(call, Compartment::Call);
        let author_ms = self.0.clock.wall_ms();
        let id = self
            .0
            .store
            .run(move |store| {
                store.attach(&enrolled.pen, document, attachment, &content, author_ms)
            })
            .await?;
        self.bump();
        self.0.work.notify_one();
        Ok(id)
    }

    /// Asks for the whole content of an attachment. It comes when there is a link and
    /// nothing else to bring; asking again changes nothing.
    ///
    /// # Errors
    /// [`CoreError::NotHere`] when no packet here names it; [`CoreError::AttachmentsFull`].
    pub async fn fetch(&self, blob: &str) -> Result<(), CoreError> {
        let blob = blob.to_owned();
        if self.0.store.run(move |store| store.fetch(&blob)).await? {
            self.bump();
            self.0.work.notify_one();
        }
        Ok(())
    }

    /// What is here of an attachment's content, or of a thumbnail; `None` where no packet
    /// on this device names it.
    ///
    /// # Errors
    /// When the store is closed ([`Core::pause`]) or cannot be read.
    pub async fn attachment(&self, blob: &str) -> Result<Option<AttachmentContent>, CoreError> {
        let blob = blob.to_owned();
        self.must_be_open()?;
        let found = self.0.store.run(move |store| store.attachment(&blob));
        Ok(found.await?.map(|(here, content)| AttachmentContent {
            bytes_here: here.bytes,
            content,
        }))
    }
}
