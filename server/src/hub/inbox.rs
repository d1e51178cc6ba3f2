//! What waits for one session, and how it is woken.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use packet::DocumentId;
use sync::frame::{ByeWhy, SeenFrame};
use sync::relay::{Granted, Urgency};
use tokio::sync::Notify;

/// What waits for one session: bounded by its grants and by [`sync::limits::SEEN_QUEUE_MAX`].
#[derive(Debug, Default)]
pub(super) struct Waiting {
    pub(super) grown: BTreeMap<DocumentId, u64>,
    pub(super) granted: Vec<Granted>,
    pub(super) ended: Vec<DocumentId>,
    pub(super) urgency: BTreeMap<DocumentId, Urgency>,
    pub(super) seen: Vec<SeenFrame>,
    pub(super) close: Option<(ByeWhy, String)>,
    /// Its session is among those that are woken next.
    pub(super) is_told: bool,
}

#[derive(Debug, Default)]
pub(super) struct Inbox {
    pub(super) waiting: Mutex<Waiting>,
    pub(super) notify: Notify,
}

/// What a session is told since it last asked.
#[derive(Debug, Default)]
pub struct News {
    pub head: u64,
    pub grown: Vec<(DocumentId, u64)>,
    pub granted: Vec<Granted>,
    pub ended: Vec<DocumentId>,
    /// Of calls that were upgraded, downgraded, closed or opened again.
    pub urgency: Vec<(DocumentId, Urgency)>,
    pub seen: Vec<SeenFrame>,
    pub close: Option<(ByeWhy, String)>,
}

impl Inbox {
    /// Puts something in, for a session that is woken later.
    pub(super) fn fill(self: &Arc<Self>, told: &mut Told, what: impl FnOnce(&mut Waiting)) {
        let mut waiting = self.lock();
        what(&mut waiting);
        if !std::mem::replace(&mut waiting.is_told, true) {
            told.push(self.clone());
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn tell(&self, what: impl FnOnce(&mut Waiting)) {
        what(&mut self.lock());
        self.notify.notify_one();
    }

    pub(super) fn close(&self, why: ByeWhy, reason: &str) {
        self.tell(|waiting| {
            waiting
                .close
                .get_or_insert_with(|| (why, reason.to_owned()));
        });
    }
}

/// The sessions that were told something and are not woken yet.
pub(super) type Told = Vec<Arc<Inbox>>;

/// Who was told something by the log and has yet to be woken.
#[derive(Debug, Default)]
pub(super) struct Bell {
    pub(super) told: Mutex<Told>,
    pub(super) notify: Notify,
}

impl Bell {
    pub(super) fn lock(&self) -> MutexGuard<'_, Told> {
        self.told.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
