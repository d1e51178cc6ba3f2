//! A device: a store that changes only by commits, and the machine over it.

use std::collections::BTreeMap;

use packet::{ChangeHash, DocumentId, Proof};
use sync::codec::Unpacked;
use sync::device::{Device, Kept, Store, Unsent};
use sync::frame::BlobId;

use crate::note::{Note, hash};

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    OnDevice,
    AtCenter,
    Refused,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Held {
    pub(crate) granted: bool,
    pub(crate) apart: Option<u64>,
    /// By hash, with the `seq`.
    pub(crate) changes: BTreeMap<ChangeHash, u64>,
}

/// What survives a crash.
#[derive(Debug, Clone, Default)]
pub(crate) struct Disk {
    pub(crate) incarnation: u64,
    pub(crate) position: u64,
    pub(crate) digest: u64,
    pub(crate) dictionary: u16,
    pub(crate) documents: BTreeMap<DocumentId, Held>,
    pub(crate) outbox: Vec<Unsent>,
    pub(crate) receipts: u64,
    /// Attachments, as far as they are here; and how far mine are at the center.
    pub(crate) blobs: BTreeMap<BlobId, Vec<u8>>,
    pub(crate) sent: BTreeMap<BlobId, u64>,
    /// By note number: everything that the officer ever wrote.
    pub(crate) notes: BTreeMap<u64, (DocumentId, State)>,
    actors: BTreeMap<DocumentId, (u64, u64)>,
    counter: u64,
    /// Changes that came though they were here.
    pub(crate) came_again: usize,
    pub(crate) resets: usize,
    pub(crate) refusals: usize,
}

pub(crate) struct Officer {
    pub(crate) number: usize,
    pub(crate) disk: Disk,
    pub(crate) device: Device,
    /// What frames asked for and is not committed yet.
    pub(crate) uncommitted: Vec<Store>,
    pub(crate) seen: Vec<String>,
}

impl Officer {
    pub(crate) fn new(number: usize) -> Self {
        Self {
            number,
            disk: Disk::default(),
            device: Device::new(Kept::default()),
            uncommitted: Vec::new(),
            seen: Vec::new(),
        }
    }

    /// The process dies: what was not committed is gone, the machine with it.
    pub(crate) fn crash(&mut self) {
        self.uncommitted.clear();
        let disk = &self.disk;
        let granted = disk.documents.iter().filter(|(_, held)| held.granted);
        self.device = Device::new(Kept {
            incarnation: disk.incarnation,
            position: disk.position,
            digest: disk.digest,
            dictionary: disk.dictionary,
            documents: granted.map(|(id, held)| (*id, held.apart)).collect(),
            receipts: disk.receipts,
            outbox: disk.outbox.clone(),
            wants_whole: true,
        });
    }

    pub(crate) fn fetch_chunk(&mut self, blob: BlobId, offset: u64, bytes_max: usize, now_ms: u64) {
        let whole = &self.disk.blobs[&blob];
        let from = whole.len().min(offset as usize);
        let to = whole.len().min(from + bytes_max);
        let piece = whole[from..to].to_vec();
        self.device.chunk(blob, offset, piece, now_ms);
    }

    pub(crate) fn write(&mut self, document: DocumentId, bytes: usize, forbidden: bool) -> u64 {
        self.disk.counter += 1;
        let number = (self.number as u64) << 32 | self.disk.counter;
        self.disk.notes.insert(number, (document, State::OnDevice));
        let unsent = self.compose(document, number, bytes, forbidden);
        self.disk.outbox.push(unsent.clone());
        self.device.written(unsent);
        number
    }

    fn compose(
        &mut self,
        document: DocumentId,
        number: u64,
        bytes: usize,
        forbidden: bool,
    ) -> Unsent {
        self.disk.counter += 1;
        let counter = self.disk.counter;
        let (actor, change_number) = self
            .disk
            .actors
            .entry(document)
            .or_insert(((self.number as u64) << 32 | counter, 0));
        *change_number += 1;
        let note = Note {
            hash: hash(self.number as u64, counter),
            number,
            actor: *actor,
            change_number: *change_number,
            forbidden,
        };
        Unsent {
            document,
            hash: note.hash,
            bytes: note.bytes(bytes),
            proof: Proof::Signature(vec![1; 70]),
        }
    }

    /// One transaction; then the machine is told.
    pub(crate) fn commit(&mut self) {
        let mut rewritten = Vec::new();
        for store in std::mem::take(&mut self.uncommitted) {
            rewritten.extend(self.apply(store));
        }
        for document in rewritten {
            let outbox = self.disk.outbox.iter();
            let of_document = outbox.filter(|unsent| unsent.document == document);
            self.device
                .rewritten(document, of_document.cloned().collect());
        }
        self.device.committed();
    }

    fn apply(&mut self, store: Store) -> Option<DocumentId> {
        let disk = &mut self.disk;
        match store {
            Store::Welcome {
                incarnation,
                dictionary,
                digest,
                anew,
                ..
            } => {
                disk.incarnation = incarnation;
                disk.dictionary = dictionary;
                disk.digest = digest;
                if anew {
                    disk.resets += 1;
                    disk.position = 0;
                    for held in disk.documents.values_mut() {
                        held.granted = false;
                    }
                }
            }
            Store::Grant(document) => {
                let held = disk.documents.entry(document).or_default();
                held.granted = true;
                held.apart = Some(0);
            }
            Store::Revoke(document) => {
                disk.documents.remove(&document);
            }
            Store::Changes {
                document,
                changes,
                through,
            } => {
                let held = disk.documents.get_mut(&document).unwrap();
                assert!(held.granted, "changes before their grant");
                for change in changes {
                    let Unpacked::Change(bytes) = change.body else {
                        panic!("these changes have no brief")
                    };
                    let hash = Note::read(&bytes).hash;
                    let old = held.changes.insert(hash, change.seq);
                    disk.came_again += usize::from(old.is_some());
                }
                held.apart = Some(through);
            }
            Store::Position { position, digest } => {
                assert!(position >= disk.position, "a position never falls");
                (disk.position, disk.digest) = (position, digest);
                disk.documents.retain(|_, held| held.granted);
                for held in disk.documents.values_mut() {
                    held.apart = None;
                }
            }
            Store::Accepted { hash, seq, .. } => {
                let at = disk.outbox.iter().position(|unsent| unsent.hash == hash)?;
                let unsent = disk.outbox.remove(at);
                let note = Note::read(&unsent.bytes);
                disk.notes.get_mut(&note.number).unwrap().1 = State::AtCenter;
                if let Some(held) = disk.documents.get_mut(&unsent.document) {
                    held.changes.insert(hash, seq);
                }
            }
            Store::Refused { hash, .. } => return self.refused(hash),
            Store::Chunk {
                blob,
                offset,
                bytes,
                ..
            } => {
                let here = disk.blobs.entry(blob).or_default();
                here.truncate(offset as usize);
                here.extend(bytes);
            }
            Store::Have { blob, bytes, .. } => {
                disk.sent.insert(blob, bytes);
            }
            Store::Seen { number, who, .. } => {
                disk.receipts = disk.receipts.max(number);
                self.seen.push(who);
            }
        }
        None
    }

    fn refused(&mut self, hash: ChangeHash) -> Option<DocumentId> {
        let outbox = &mut self.disk.outbox;
        let at = outbox.iter().position(|unsent| unsent.hash == hash)?;
        let refused = outbox.remove(at);
        let document = refused.document;
        let note = Note::read(&refused.bytes);
        self.disk.refusals += 1;
        self.disk.notes.get_mut(&note.number).unwrap().1 = State::Refused;
        self.disk.actors.remove(&document);
        for later in at..self.disk.outbox.len() {
            if self.disk.outbox[later].document == document {
                let bytes = self.disk.outbox[later].bytes.clone();
                let old = Note::read(&bytes);
                self.disk.outbox[later] =
                    self.compose(document, old.number, bytes.len(), old.forbidden);
            }
        }
        Some(document)
    }

    pub(crate) fn has(&self, document: DocumentId) -> bool {
        let held = self.disk.documents.get(&document);
        held.is_some_and(|held| held.granted)
    }

    pub(crate) fn count(&self, document: DocumentId) -> usize {
        let held = self.disk.documents.get(&document);
        held.map_or(0, |held| held.changes.len())
    }

    pub(crate) fn state(&self, note: u64) -> State {
        self.disk.notes[&note].1
    }
}
