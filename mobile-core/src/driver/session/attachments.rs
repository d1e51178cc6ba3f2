//! Attachments in a session: what is asked for, and what is sent.
//!
//! The store knows what is to come and to go; each session tells the center anew, from
//! how much is there. So it does not matter where the last one broke off.

use std::collections::{HashMap, HashSet};

use packet::DocumentId;
use sync::device::Store as Operation;
use sync::frame::BlobId;
use sync::limits::WANTS_MAX;

use super::Session;
use crate::store::{Blob, Store};

/// What the center was told in this session.
#[derive(Debug, Default)]
pub(super) struct Told {
    /// Asked for, and not ended.
    wanted: HashSet<Blob>,
    /// Announced, and whether the center has said its last word of it. One of a blob at a
    /// time: the center's answers name the blob alone.
    puts: HashMap<(DocumentId, Blob), bool>,
}

impl Told {
    /// What is about to be committed ends some of it.
    pub(super) fn hear(&mut self, operations: &[Operation]) {
        for operation in operations {
            match operation {
                Operation::Chunk {
                    blob,
                    offset,
                    total,
                    bytes,
                } if offset + bytes.len() as u64 >= *total => {
                    self.wanted.remove(&blob.0);
                }
                _ => {}
            }
        }
    }

    /// Of what the device sends the center has all, or does not take it.
    fn end(&mut self, is_sent: impl Fn(&Blob) -> bool) {
        for ((_, blob), ended) in &mut self.puts {
            *ended |= is_sent(blob);
        }
    }

    fn sends(&self, blob: &Blob) -> bool {
        self.puts
            .iter()
            .any(|((_, sent), ended)| sent == blob && !ended)
    }
}

impl Session<'_> {
    /// Tells the center what is wanted and what is to be sent now, as far as it was not told.
    pub(super) async fn tell_attachments(&mut self) -> Result<(), String> {
        let read = |store: &Store| Ok((store.wants(WANTS_MAX)?, store.puts(WANTS_MAX)?));
        let (wants, puts) = self
            .core
            .0
            .store
            .run(read)
            .await
            .map_err(|error| error.to_string())?;
        let listed: HashSet<Blob> = wants.iter().map(|(blob, _)| *blob).collect();
        for gone in self.attachments.wanted.difference(&listed) {
            self.device.unwant(BlobId(*gone));
        }
        self.attachments.wanted.retain(|blob| listed.contains(blob));
        for (blob, offset) in wants {
            if self.attachments.wanted.insert(blob) {
                self.device.want(BlobId(blob), offset);
            }
        }
        for (document, blob, total) in puts {
            let is_told = self.attachments.puts.contains_key(&(document, blob));
            if !is_told && !self.attachments.sends(&blob) {
                self.attachments.puts.insert((document, blob), false);
                self.device.put(document, BlobId(blob), total);
            }
        }
        Ok(())
    }

    /// What the link has room for now, from the store.
    pub(super) async fn send_piece(
        &mut self,
        blob: BlobId,
        offset: u64,
        bytes_max: usize,
    ) -> Result<(), String> {
        let read = move |store: &Store| store.chunk_of(&blob.0, offset, bytes_max);
        let bytes = self.core.0.store.run(read).await;
        let bytes = bytes.map_err(|error| error.to_string())?;
        let now_ms = self.now_ms();
        self.device.chunk(blob, offset, bytes, now_ms);
        Ok(())
    }

    /// What a commit has ended, by the store's word.
    pub(super) fn attachments_ended(&mut self, ended: &[Blob]) {
        self.attachments.end(|blob| ended.contains(blob));
    }
}
