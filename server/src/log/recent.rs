//! What was committed lately, each packed once, for all sessions.
//!
//! Nearly everything that a session sends was committed a moment ago. Two hundred
//! devices on one call then share one packed change instead of reading the log two
//! hundred times. Bounded by count; what has left is read from the log.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use packet::DocumentId;
use sync::codec::{self, DICTIONARY_NEWEST, RAW};
use sync::frame::ChangeItem;
use sync::limits::CHANGES_PER_FRAME_MAX;
use sync::relay::PackedChange;

use super::{Committed, Happening};

/// Most changes that are kept.
const RECENT_MAX: usize = 8_192;

/// Changes of one document for one session, ready to send.
#[derive(Debug, Clone)]
pub struct Slice {
    pub changes: Vec<PackedChange>,
    /// With these the device has the document through this `seq`.
    pub through: u64,
}

#[derive(Debug)]
struct Kept {
    committed: Arc<Committed>,
    /// By dictionary: once each, however many receive it.
    packed: [OnceLock<PackedChange>; DICTIONARY_NEWEST as usize + 1],
}

#[derive(Debug, Default)]
struct Inner {
    /// The log up to here is not (any more) complete here.
    gone: u64,
    order: VecDeque<DocumentId>,
    documents: HashMap<DocumentId, VecDeque<Arc<Kept>>>,
}

/// The ring of recent changes. Locks are held for moves of pointers only.
#[derive(Debug)]
pub struct Recent {
    inner: Mutex<Inner>,
}

impl Recent {
    pub(super) fn new(head: u64) -> Self {
        Self {
            inner: Mutex::new(Inner {
                gone: head,
                ..Inner::default()
            }),
        }
    }

    pub(super) fn add(&self, happenings: &[Happening]) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        for happening in happenings {
            let Happening::Change(committed) = happening else {
                continue;
            };
            let kept = Arc::new(Kept {
                committed: committed.clone(),
                packed: Default::default(),
            });
            inner
                .documents
                .entry(committed.document)
                .or_default()
                .push_back(kept);
            inner.order.push_back(committed.document);
            if inner.order.len() > RECENT_MAX {
                inner.drop_oldest();
            }
        }
    }

    /// The changes of a document after `after`, when all of them are here. `skip`
    /// leaves out what this session's device offered in it: it was answered.
    pub fn slice(
        &self,
        document: DocumentId,
        after: u64,
        bytes_max: usize,
        skip: &BTreeSet<u64>,
        dictionary: u16,
    ) -> Option<Slice> {
        let kept: Vec<Arc<Kept>> = {
            let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
            if after < inner.gone {
                return None;
            }
            let all = inner.documents.get(&document)?;
            let from = all.partition_point(|kept| kept.committed.seq <= after);
            let found = all.range(from..).take(CHANGES_PER_FRAME_MAX);
            found.cloned().collect()
        };
        let mut taker = Taker::new(after, bytes_max, skip);
        for kept in kept {
            let packed = || {
                let once = kept
                    .packed
                    .get(usize::from(dictionary))
                    .unwrap_or(&kept.packed[usize::from(RAW)]);
                once.get_or_init(|| pack(&kept.committed, dictionary))
                    .clone()
            };
            if !taker.take(kept.committed.seq, packed) {
                break;
            }
        }
        Some(taker.slice)
    }

    /// The changes of a document in this stretch that are still here.
    #[must_use]
    pub fn committed(&self, document: DocumentId, after: u64, through: u64) -> Vec<Arc<Committed>> {
        let inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        inner.documents.get(&document).map_or_else(Vec::new, |all| {
            let from = all.partition_point(|kept| kept.committed.seq <= after);
            all.range(from..)
                .map(|kept| &kept.committed)
                .take_while(|committed| committed.seq <= through)
                .cloned()
                .collect()
        })
    }
}

impl Inner {
    fn drop_oldest(&mut self) {
        let Some(document) = self.order.pop_front() else {
            return;
        };
        if let Some(all) = self.documents.get_mut(&document) {
            if let Some(oldest) = all.pop_front() {
                self.gone = self.gone.max(oldest.committed.seq);
            }
            if all.is_empty() {
                self.documents.remove(&document);
            }
        }
    }
}

/// Packs a change as all its receivers get it: its brief was packed when it was logged.
fn pack(committed: &Committed, dictionary: u16) -> PackedChange {
    let brief = committed
        .brief
        .clone()
        .filter(|_| dictionary >= DICTIONARY_NEWEST);
    PackedChange::new(&ChangeItem {
        seq: committed.seq,
        received_ms: committed.received_ms,
        mac: committed.mac,
        body: brief.unwrap_or_else(|| codec::pack(&committed.bytes, dictionary)),
    })
}

/// Takes changes in order until a frame is full.
#[derive(Debug)]
pub(super) struct Taker<'a> {
    pub(super) slice: Slice,
    bytes_left: usize,
    skip: &'a BTreeSet<u64>,
}

impl<'a> Taker<'a> {
    pub(super) fn new(after: u64, bytes_max: usize, skip: &'a BTreeSet<u64>) -> Self {
        Self {
            slice: Slice {
                changes: Vec::new(),
                through: after,
            },
            bytes_left: bytes_max,
            skip,
        }
    }

    /// False when the frame is full, and this change was not taken.
    pub(super) fn take(&mut self, seq: u64, packed: impl FnOnce() -> PackedChange) -> bool {
        if self.skip.contains(&seq) {
            self.slice.through = seq;
            return true;
        }
        if self.slice.changes.len() >= CHANGES_PER_FRAME_MAX {
            return false;
        }
        let packed = packed();
        let bytes = packed.encoded().len();
        if bytes > self.bytes_left && !self.slice.changes.is_empty() {
            return false;
        }
        self.bytes_left = self.bytes_left.saturating_sub(bytes);
        self.slice.through = seq;
        self.slice.changes.push(packed);
        true
    }
}
