//! Attachments in a session: what the device sends, and what it asks for.
//!
//! Uploads have a queue of their own: looking at a whole image takes a while, and answers
//! to offers do not wait for it.

use futures_util::FutureExt;
use packet::DocumentId;
use sync::frame::{BlobId, ByeWhy};

use super::Session;
use crate::attachments::{self, Found, Have, digits, find_of_unit};
use crate::log::LogError;
use crate::policy::{Act, agency_of};

/// Most attachments that a session remembers to have put on record; an older one is put on
/// record once more.
const RECORDED_MAX: usize = 1_024;

/// What became of a piece of an upload, or of its announcement.
pub(super) type Uploaded = (BlobId, Result<Have, LogError>);

impl Session {
    /// The device has this to send.
    pub(super) fn put(&mut self, document: DocumentId, blob: BlobId, bytes: u64) {
        if !self.carries.now().may_attach() {
            let reason = "This device may not attach anything.";
            self.relay.have(blob, 0, Some(reason.into()));
            return;
        }
        let (center, device) = (self.center.clone(), self.speaker.device.number);
        // What is too large for a number is not the size that its entry names.
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        let announced = async move {
            let have = attachments::announce(&center, device, document, blob.0, bytes).await;
            (blob, have)
        };
        self.uploads.push_back(announced.boxed());
    }

    /// … and this is a piece of it.
    pub(super) fn piece(&mut self, blob: BlobId, offset: u64, bytes: Vec<u8>) {
        let (center, device) = (self.center.clone(), self.speaker.device.number);
        let offset = u32::try_from(offset).unwrap_or(u32::MAX);
        let stored = async move {
            let have = attachments::chunk(&center, device, blob.0, offset, bytes).await;
            (blob, have)
        };
        self.uploads.push_back(stored.boxed());
    }

    pub(super) fn uploaded(&mut self, (blob, have): Uploaded) {
        match have {
            Ok(have) => self.relay.have(blob, u64::from(have.bytes), have.refusal),
            // Nothing is refused for the center's own trouble: the device comes back with it.
            Err(e) => self.relay.close(ByeWhy::Busy, &e.to_string(), 5_000),
        }
    }

    /// What the relay asks for, where this device may have it now. It is asked for each
    /// piece: a unit that leaves the call gets no further.
    pub(super) async fn fetch_chunk(
        &mut self,
        blob: BlobId,
        offset: u64,
        bytes_max: usize,
    ) -> Result<(), LogError> {
        let found = self.look(blob, offset, bytes_max).await?;
        if self.recorded.insert(blob) {
            if self.recorded.len() > RECORDED_MAX {
                self.recorded.pop_first();
            }
            self.record_fetch(blob, offset, found.as_ref().map(|(found, _)| found));
        }
        let (total, bytes) = found.map_or((0, Vec::new()), |(found, bytes)| {
            (u64::from(found.bytes), bytes)
        });
        self.relay.chunk(blob, offset, bytes, total);
        Ok(())
    }

    async fn look(
        &mut self,
        blob: BlobId,
        offset: u64,
        bytes_max: usize,
    ) -> Result<Option<(Found, Vec<u8>)>, LogError> {
        let carries = self.carries.clone();
        let (Some(shift), Ok(offset)) = (&self.speaker.shift, u32::try_from(offset)) else {
            return Ok(None);
        };
        let unit = shift.unit.clone();
        self.center
            .log
            .readers()
            .read(move |connection| {
                let Some(found) = find_of_unit(connection, &blob.0, &unit)? else {
                    return Ok(None);
                };
                let DocumentId { call, compartment } = found.document;
                let agency = agency_of(connection, call)?.unwrap_or_default();
                if !carries.now().may_fetch(&agency, compartment) {
                    return Ok(None);
                }
                let bytes = attachments::piece(connection, found.content, offset, bytes_max)?;
                Ok(Some((found, bytes)))
            })
            .await
    }

    /// Once in a session, as far as it remembers: what it is given, or that it is not.
    fn record_fetch(&mut self, blob: BlobId, offset: u64, found: Option<&Found>) {
        let blob = digits(&blob.0);
        let mut record = match found {
            Some(found) => self.record(
                Act::FetchAttachment,
                format!("{} {blob}", found.document),
                format!("{offset}..{}", found.bytes),
            ),
            None => self.record(Act::FetchAttachment, blob, String::new()),
        };
        record.allowed = found.is_some();
        self.report.records.push(record);
    }
}
