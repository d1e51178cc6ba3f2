//! What an app needs in the background: one contact, a push, and what it all costs.

use super::{FfiError, Officer, call_id};
use crate::core::{Budget, Ended, Synced};

/// What one contact may cost.
#[derive(Debug, Clone, uniffi::Record)]
pub struct SyncBudget {
    /// Everything included: less than the system gives the task, with some seconds to spare.
    pub ms_max: u64,
    /// Frames in both directions; TLS and TCP come on top.
    pub bytes_max: u64,
    /// A call whose packet is not here yet: then the contact ends as soon as it is.
    #[uniffi(default = None)]
    pub call: Option<String>,
}

/// Why a contact ended. Whichever it is: what came is kept, and the next one goes on there.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum SyncEnd {
    /// All is here, by the center's word, and it has all that was written here.
    CaughtUp,
    /// The center has all that was written here, and had nothing to say.
    Quiet,
    /// The packet that was asked for is here.
    CallIsHere,
    TimeSpent,
    BytesSpent,
    /// [`Officer::cancel`] was called.
    Cancelled,
    /// [`Officer::pause`] was called.
    Paused,
    /// No session came about: try again when the system next gives the app time.
    NoLink {
        why: String,
    },
}

/// What came of a contact.
#[derive(Debug, Clone, uniffi::Record)]
pub struct SyncReport {
    pub end: SyncEnd,
    pub took_ms: u64,
    pub bytes_received: u64,
    pub bytes_sent: u64,
    /// Entries written here that the center does not have yet; `None` where the store was
    /// closed meanwhile.
    pub unsent: Option<u64>,
}

impl From<Synced> for SyncReport {
    fn from(synced: Synced) -> Self {
        let end = match synced.ended {
            Ended::CaughtUp => SyncEnd::CaughtUp,
            Ended::Quiet => SyncEnd::Quiet,
            Ended::CallIsHere => SyncEnd::CallIsHere,
            Ended::TimeSpent => SyncEnd::TimeSpent,
            Ended::BytesSpent => SyncEnd::BytesSpent,
            Ended::Cancelled => SyncEnd::Cancelled,
            Ended::Paused => SyncEnd::Paused,
            Ended::NoLink { why } => SyncEnd::NoLink { why },
        };
        Self {
            end,
            took_ms: synced.took_ms,
            bytes_received: synced.bytes_received,
            bytes_sent: synced.bytes_sent,
            unsent: synced.unsent,
        }
    }
}

/// What woke the app.
#[derive(Debug, Clone, uniffi::Record)]
pub struct WokenRecord {
    /// The call to sync first: put it into [`SyncBudget`]. `None`: whatever there is.
    pub call: Option<String>,
    /// Its packet is on this device already, so something of it has changed.
    pub is_here: bool,
}

/// Counts since the device was opened.
#[derive(Debug, Clone, uniffi::Record)]
pub struct MetricsRecord {
    /// Sessions that the center welcomed.
    pub sessions: u64,
    /// … in which everything had to come anew.
    pub resets: u64,
    /// Connections that were tried.
    pub dials: u64,
    /// Times that the driver woke: for a message, for something written here, or because a
    /// time had come.
    pub wake_ups: u64,
    pub frames_received: u64,
    pub bytes_received: u64,
    pub frames_sent: u64,
    pub bytes_sent: u64,
    /// Transactions with what the center said.
    pub commits: u64,
    /// How old what is here may be: since the center was last heard, as well as this device
    /// knows the center's clock. `None` before the first contact.
    pub age_ms: Option<i64>,
}

#[uniffi::export]
impl Officer {
    /// Exchanges what waits with the center, within `budget`; dials by itself, or uses the
    /// session that [`Officer::start`] keeps. Blocks for `ms_max` at the most.
    pub fn sync_once(&self, budget: SyncBudget) -> Result<SyncReport, FfiError> {
        let budget = Budget {
            ms_max: budget.ms_max,
            bytes_max: budget.bytes_max,
            call: budget.call.as_deref().map(call_id).transpose()?,
        };
        let synced = self.core.sync_once(budget, self.cancellation());
        Ok(self.runtime.block_on(synced)?.into())
    }

    /// Reads the payload of a push, which says at most which call to sync first. One that
    /// cannot be read is taken for one that names no call.
    pub fn woken_by(&self, payload: String) -> Result<WokenRecord, FfiError> {
        let woken = self.runtime.block_on(self.core.woken_by(&payload))?;
        Ok(WokenRecord {
            call: woken.call.map(|call| call.to_string()),
            is_here: woken.is_here,
        })
    }

    pub fn metrics(&self) -> MetricsRecord {
        let metrics = self.core.metrics();
        MetricsRecord {
            sessions: metrics.sessions,
            resets: metrics.resets,
            dials: metrics.dials,
            wake_ups: metrics.wake_ups,
            frames_received: metrics.frames_received,
            bytes_received: metrics.bytes_received,
            frames_sent: metrics.frames_sent,
            bytes_sent: metrics.bytes_sent,
            commits: metrics.commits,
            age_ms: self.core.age_ms(),
        }
    }
}
