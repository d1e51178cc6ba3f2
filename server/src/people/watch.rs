//! What is due by time, and who is told at once that a session or a person changed.
//!
//! Whoever shows something over a socket watches [`Changes`] and looks at its own session
//! when they say so: it is rare, and the look is one read by a key.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{accounts, sessions};
use crate::center::Center;
use crate::clock;
use crate::log::{Ledger, LogError};

const TICK_MS: u64 = 1_000;
/// Accounts that nobody uses are looked for so often.
const IDLE_EVERY_TICKS: u64 = 60;

/// Counts the changes to sessions and people.
#[derive(Debug)]
pub struct Changes(watch::Sender<u64>);

impl Default for Changes {
    fn default() -> Self {
        Self(watch::channel(0).0)
    }
}

impl Changes {
    #[must_use]
    pub fn subscribe(&self) -> watch::Receiver<u64> {
        self.0.subscribe()
    }

    pub fn tell(&self) {
        self.0.send_modify(|count| *count = count.wrapping_add(1));
    }
}

/// Changes people or sessions: what was committed is told at once to whoever it concerns.
///
/// # Errors
/// The work's own, or the log's.
pub async fn change<T, E>(
    center: &Center,
    work: impl FnOnce(&mut Ledger<'_>) -> Result<T, E> + Send + 'static,
) -> Result<T, E>
where
    T: Send + 'static,
    E: From<LogError> + Send + 'static,
{
    let done = center.log.write(work).await;
    center.people.changes.tell();
    done
}

/// Locks and ends sessions, and disables accounts, when it is time.
pub async fn run(center: Arc<Center>, stop: CancellationToken) {
    let mut ticks = 0_u64;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(TICK_MS)) => {}
            () = stop.cancelled() => return,
        }
        let disables = ticks.is_multiple_of(IDLE_EVERY_TICKS);
        ticks = ticks.wrapping_add(1);
        if let Err(e) = look(&center, disables).await {
            tracing::warn!(error = %e, "sessions and accounts that are over stand for now");
        }
    }
}

/// One look.
///
/// # Errors
/// When the store fails.
pub async fn look(center: &Center, disables: bool) -> Result<(), LogError> {
    let now_ms = clock::now_ms();
    let read = move |connection: &rusqlite::Connection| sessions::due(connection, now_ms);
    if !center.log.readers().read(read).await?.is_empty() {
        change(center, sessions::end_due).await?;
    }
    if disables {
        change(center, accounts::disable_idle).await?;
    }
    Ok(())
}
