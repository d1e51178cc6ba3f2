//! Who catches up from the disk now, when everybody comes back at once.
//!
//! What was committed lately is in memory and costs nothing to send; what is older is
//! read from the log, and ten thousand devices that read it at once would take the
//! memory and the disk from the caution that is written in that moment. So reads of what
//! is not urgent go in turns: a few at a time, each for one frame, in the order they were
//! asked for. What can hurt never waits here.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// The right to one read; given back when it is dropped. `None` when the center stops.
pub type Turn = Option<OwnedSemaphorePermit>;

#[derive(Debug)]
pub struct Turns {
    free: Arc<Semaphore>,
    waiting: Arc<AtomicUsize>,
    waiting_max: usize,
}

/// Counts one that waits, for as long as it does.
struct Waiting(Arc<AtomicUsize>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Turns {
    #[must_use]
    pub fn new(at_once: usize, waiting_max: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(at_once)),
            waiting: Arc::default(),
            waiting_max,
        }
    }

    /// Asks for a turn; `None` when too many wait already.
    #[must_use]
    pub fn ask(&self) -> Option<BoxFuture<'static, Turn>> {
        if self.waiting.fetch_add(1, Ordering::Relaxed) >= self.waiting_max {
            self.waiting.fetch_sub(1, Ordering::Relaxed);
            return None;
        }
        let (free, waiting) = (self.free.clone(), Waiting(self.waiting.clone()));
        let turn = async move {
            let turn = free.acquire_owned().await.ok();
            drop(waiting);
            turn
        };
        Some(turn.boxed())
    }

    /// How many wait now.
    #[must_use]
    pub fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[tokio::test]
    async fn turns_come_in_the_order_they_were_asked_for_and_only_so_many_wait() {
        let turns = Turns::new(1, 2);
        let first = turns.ask().unwrap().await;
        assert!(first.is_some());
        let mut second = turns.ask().unwrap();
        let mut third = turns.ask().unwrap();
        assert!(turns.ask().is_none(), "two wait");
        assert_eq!(turns.waiting(), 2);
        assert!((&mut second).now_or_never().is_none());
        assert!((&mut third).now_or_never().is_none());
        drop(first);
        assert!(
            (&mut third).now_or_never().is_none(),
            "the second is before it"
        );
        let turn = second.await;
        drop(third);
        assert_eq!(turns.waiting(), 0, "who leaves no longer waits");
        drop(turn);
        assert!(turns.ask().unwrap().await.is_some());
    }
}
