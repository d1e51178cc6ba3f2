//! One contact within a budget: for an app that the system wakes for some seconds.
//!
//! A background task of iOS or a worker of Android gets so much time, and an officer's
//! data plan so many bytes. Within both, everything that waits is exchanged; what does not
//! fit comes with the next contact, since each takes up where the last one ended, whichever
//! way it ended. Calling it once more than needed costs one handshake and changes nothing.

use std::time::Duration;

use packet::CallId;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Core, Metrics};
use crate::{CoreError, LinkState};

/// Dials that may come to nothing before there is held to be no way: the next task finds
/// one, and until then only the battery would be spent.
const DIALS_MAX: u64 = 4;
/// A center with nothing to say for so long, once it has welcomed us and has all of ours,
/// has nothing to say.
const QUIET_MS: u64 = 1_000;

/// What a contact may cost.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Budget {
    pub ms_max: u64,
    /// Frames in both directions. What is under way when it is spent is still taken, at
    /// most what the link carries in some two seconds. TLS and TCP come on top: see the docs.
    pub bytes_max: u64,
    /// With a call that is not on this device yet: its packet is all that is waited for.
    pub call: Option<CallId>,
}

/// Why a contact ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ended {
    /// All that the center has for this device is here, by its own word, and it has all
    /// that was written here.
    CaughtUp,
    /// The center has all that was written here, and said nothing for a second.
    Quiet,
    /// The packet that was asked for is here.
    CallIsHere,
    /// The time is over. What came is kept.
    TimeSpent,
    /// So are the bytes.
    BytesSpent,
    /// By [`CancellationToken::cancel`].
    Cancelled,
    /// The app closed the store.
    Paused,
    /// No session came about; why, in words for the officer.
    NoLink { why: String },
}

/// What came of a contact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Synced {
    pub ended: Ended,
    pub took_ms: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// Entries written here that the center does not have yet. `None` where the store was
    /// closed meanwhile.
    pub unsent: Option<u64>,
}

/// How far the driver is, for who waits for it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Progress {
    /// Rises when a dial came to nothing or a session ended.
    pub(crate) ends: u64,
    /// The center has answered the hello of the session that is open.
    pub(crate) welcomed: bool,
    /// In this session the center has said that nothing is left to send, and it has sent
    /// nothing since.
    pub(crate) is_told_all: bool,
    /// Rises with each message, either way.
    pub(crate) messages: u64,
}

impl Core {
    /// Exchanges what waits with the center, within `budget`, and says what came of it. It
    /// dials by itself, or uses the session that [`Core::start`] keeps.
    ///
    /// # Errors
    /// [`CoreError::NotEnrolled`]; [`CoreError::Paused`] when the store is closed before it begins.
    pub async fn sync_once(
        &self,
        budget: Budget,
        cancelled: CancellationToken,
    ) -> Result<Synced, CoreError> {
        if !self.is_enrolled() {
            return Err(CoreError::NotEnrolled);
        }
        if self.0.gate.borrow().paused {
            return Err(CoreError::Paused);
        }
        let (began, before) = (Instant::now(), self.metrics());
        let awaited = match budget.call {
            Some(call) if self.packet(call).await?.is_none() => Some(call),
            _ => None,
        };
        // Ends the driver also when this future is dropped.
        let stop = CancellationToken::new();
        let guard = stop.clone().drop_guard();
        let core = self.clone();
        let driver = tokio::spawn(async move { core.run(stop).await });
        // One that was waiting between two dials dials now.
        self.network_changed();
        let deadline = began + Duration::from_millis(budget.ms_max);
        let ended = tokio::select! {
            ended = self.until_even(budget.bytes_max, before, awaited) => ended,
            () = tokio::time::sleep_until(deadline) => Ended::TimeSpent,
            () = cancelled.cancelled() => Ended::Cancelled,
        };
        drop(guard);
        // The driver ends between two commits, never within one.
        let _ = driver.await;
        let after = self.metrics();
        Ok(Synced {
            ended,
            took_ms: u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX),
            bytes_received: after.bytes_received - before.bytes_received,
            bytes_sent: after.bytes_sent - before.bytes_sent,
            unsent: self.outbox_len().await.ok().map(|unsent| unsent as u64),
        })
    }

    async fn until_even(&self, bytes_max: u64, before: Metrics, awaited: Option<CallId>) -> Ended {
        let mut progress = self.0.progress.subscribe();
        let mut gate = self.0.gate.subscribe();
        let ends = progress.borrow().ends;
        loop {
            let now = *progress.borrow_and_update();
            let gate_now = *gate.borrow_and_update();
            if gate_now.paused {
                return Ended::Paused;
            }
            if gate_now.cut || (!now.welcomed && now.ends - ends >= DIALS_MAX) {
                return Ended::NoLink {
                    why: self.why_offline(),
                };
            }
            let metrics = self.metrics();
            let bytes = metrics.bytes_received + metrics.bytes_sent
                - before.bytes_received
                - before.bytes_sent;
            if bytes > bytes_max {
                return Ended::BytesSpent;
            }
            if let Some(call) = awaited
                && matches!(self.packet(call).await, Ok(Some(_)))
            {
                return Ended::CallIsHere;
            }
            if now.is_told_all && self.is_all_sent().await {
                return Ended::CaughtUp;
            }
            let quiet = tokio::time::sleep(Duration::from_millis(QUIET_MS));
            tokio::select! {
                // The sender lives as long as this device.
                _ = progress.changed() => {}
                _ = gate.changed() => {}
                () = quiet, if now.welcomed => {
                    if self.is_all_sent().await {
                        return Ended::Quiet;
                    }
                }
            }
        }
    }

    /// The center has the entries and the attachments of this device, or has refused them.
    async fn is_all_sent(&self) -> bool {
        let read =
            |store: &crate::store::Store| Ok(store.outbox_len()? == 0 && store.puts(1)?.is_empty());
        self.0.store.run(read).await.unwrap_or(false)
    }

    fn why_offline(&self) -> String {
        match &*self.0.link.borrow() {
            LinkState::Offline { why, .. } => why.clone(),
            LinkState::Online { .. } => String::new(),
        }
    }
}
