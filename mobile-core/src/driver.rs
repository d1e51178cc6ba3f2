//! Keeps one session with the center alive.
//!
//! One dial at a time. Between two of them passes a time that grows and is never the
//! same on two devices: a city's devices must not come back in one moment. It is cut
//! short when the host says that the network has changed; not when the center itself
//! said to come back later.

mod locked;
mod session;
#[cfg(test)]
mod tests;

use std::time::Duration;

use futures_util::FutureExt;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::core::Gate;
use crate::host::LogLevel;
use crate::{Core, CoreError};

/// The first wait between two dials, and the longest, where the center is there and says no.
const BACKOFF_MS_START: u64 = 250;
const BACKOFF_MS_MAX: u64 = 10_000;
/// Where nothing answers at all, no center is spared by waiting: only the battery is. So
/// dials stay this close for so long, for a link that comes and goes; then they thin out.
const NO_WAY_MS_MAX: u64 = 500;
const NO_WAY_QUICK_DIALS: u32 = 120;
const NO_WAY_MS_MAX_LATER: u64 = 5_000;
/// The longest that a center can ask a device to stay away.
const RETRY_AFTER_MS_MAX: u64 = 24 * 60 * 60 * 1_000;

/// Whether there is a session with the center. Times by the device's clock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LinkState {
    Online {
        since_ms: i64,
    },
    /// … and why not, in words for the officer.
    Offline {
        since_ms: i64,
        why: String,
    },
}

/// How a session ended.
#[derive(Debug)]
struct End {
    why: String,
    /// The center had answered the hello.
    welcomed: bool,
    /// Nothing had answered at all.
    no_way: bool,
    /// The center ended it, or refused it, for how the device stands.
    standing: bool,
    /// The center says when to come back.
    retry_after_ms: Option<u64>,
}

pub(crate) async fn run(core: &Core, stop: &CancellationToken) {
    let mut gate = core.0.gate.subscribe();
    let mut failures = Failures::default();
    loop {
        let Some(seen) = open_gate(core, &mut gate, stop).await else {
            break;
        };
        if seen.locked {
            locked::run(core, &mut gate, stop).await;
            continue;
        }
        // What came before this dial is answered by it.
        let _ = core.0.network.notified().now_or_never();
        tokio::select! {
            () = before_a_session(core) => {}
            () = stop.cancelled() => break,
        }
        let end = {
            let _session = core.0.in_session.lock().await;
            session::run(core, &mut gate, stop).await
        };
        failures.count(end.welcomed, end.no_way);
        core.0
            .log
            .log(LogLevel::Info, &format!("no session: {}", end.why));
        set_offline(core, end.why);
        core.0.progress.send_modify(|progress| {
            progress.ends += 1;
            progress.welcomed = false;
            progress.is_told_all = false;
        });
        if end.standing {
            tokio::select! {
                asked = core.ask_standing(0) => log_failed(core, "how it stands", asked),
                () = stop.cancelled() => break,
            }
        }
        if stop.is_cancelled() {
            break;
        }
        wait(core, &mut gate, stop, seen, &failures, end.retry_after_ms).await;
    }
    set_offline(core, "stopped".into());
}

/// What is due at the center before it is asked for a session; most times nothing.
async fn before_a_session(core: &Core) {
    core.renew_if_ended().await;
    if core.owes_receipts() {
        core.hand_in_receipts().await;
    }
}

fn log_failed(core: &Core, what: &str, done: Result<(), CoreError>) {
    if let Err(error) = done {
        let words = format!("the center was not asked {what}: {error}");
        core.0.log.log(LogLevel::Info, &words);
    }
}

/// The dials since the last session that came to nothing.
#[derive(Debug, Default)]
pub(crate) struct Failures {
    /// The center, or something in its place, said no.
    refused: u32,
    no_way: u32,
}

impl Failures {
    pub(crate) fn count(&mut self, welcomed: bool, no_way: bool) {
        if no_way {
            self.no_way += 1;
        } else if welcomed {
            *self = Self::default();
        } else {
            self.refused += 1;
            self.no_way = 0;
        }
    }

    /// The longest wait before the next dial; the shortest is half of it.
    pub(crate) fn ceiling_ms(&self) -> u64 {
        match self.no_way {
            0 => BACKOFF_MS_START
                .saturating_mul(1 << self.refused.min(16))
                .min(BACKOFF_MS_MAX),
            1..=NO_WAY_QUICK_DIALS => NO_WAY_MS_MAX,
            _ => NO_WAY_MS_MAX_LATER,
        }
    }
}

/// Waits until a session may be; `None` when it is to stop.
async fn open_gate(
    core: &Core,
    gate: &mut watch::Receiver<Gate>,
    stop: &CancellationToken,
) -> Option<Gate> {
    loop {
        let now = *gate.borrow_and_update();
        let closed = match now {
            Gate { paused: true, .. } => "suspended",
            Gate { cut: true, .. } => "the network is cut off",
            _ if !core.is_enrolled() => "this device is not enrolled",
            Gate { locked: true, .. } => return (!stop.is_cancelled()).then_some(now),
            _ => return (!stop.is_cancelled()).then_some(now),
        };
        set_offline(core, closed.into());
        tokio::select! {
            changed = gate.changed() => changed.ok()?,
            () = stop.cancelled() => return None,
        }
    }
}

async fn wait(
    core: &Core,
    gate: &mut watch::Receiver<Gate>,
    stop: &CancellationToken,
    seen: Gate,
    failures: &Failures,
    retry_after_ms: Option<u64>,
) {
    let ceiling_ms = failures.ceiling_ms();
    let backoff_ms = fastrand::u64(ceiling_ms / 2..=ceiling_ms);
    let held = retry_after_ms.is_some_and(|ms| ms > 0);
    // Those whom the center sends away in one moment do not come back in one.
    let wait_ms = backoff_ms + retry_after_ms.unwrap_or(0).min(RETRY_AFTER_MS_MAX);
    tokio::select! {
        () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
        () = core.0.network.notified(), if !held => {}
        // Another shift, or the network that is no longer cut off.
        _ = gate.wait_for(|now| *now != seen) => {}
        () = stop.cancelled() => {}
    }
}

/// Since when is said once: a failed dial does not make it later.
fn set_offline(core: &Core, why: String) {
    core.0.link.send_if_modified(|link| {
        let since_ms = match link {
            LinkState::Offline { why: before, .. } if *before == why => return false,
            LinkState::Offline { since_ms, .. } => *since_ms,
            LinkState::Online { .. } => core.0.clock.wall_ms(),
        };
        *link = LinkState::Offline { since_ms, why };
        true
    });
}
