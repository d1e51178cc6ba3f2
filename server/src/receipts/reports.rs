//! The way from the sessions to the log: reports wait for a moment, and go as one.
//!
//! A session never waits for it. What finds no room stays with the session, as a position,
//! and goes with its next report. What a session said is durable a moment later; nobody is
//! told before. That the disk is full holds it up and loses nothing.

use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use packet::{DeviceNumber, DocumentId};
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::TrySendError;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use super::{Batch, Carrier, Report};
use crate::audit::Record;
use crate::clock;
use crate::log::{Log, LogError};

/// Most reports that wait; beyond it they stay with their sessions.
const WAITING_MAX: usize = 16 * 1_024;
/// Most reports in one piece of the log's work: a note does not wait long behind it.
const TOGETHER_MAX: usize = 4 * 1_024;
/// How long reports are gathered.
const GATHER_MS: u64 = 40;
/// How long the log rests when it could not keep them.
const REST_MS: u64 = 1_000;
/// Most positions that are remembered as kept; of an older one a repetition is kept too.
const KNOWN_MAX: NonZeroUsize = NonZeroUsize::new(512 * 1_024).unwrap();

#[derive(Debug)]
struct Waiting {
    carrier: Arc<Carrier>,
    report: Report,
    at_ms: i64,
}

/// Where sessions hand in what they have to say.
#[derive(Debug, Clone)]
pub struct Reports {
    queue: mpsc::Sender<Waiting>,
}

/// Takes what is handed in to the log.
#[derive(Debug)]
pub struct Collector {
    queue: mpsc::Receiver<Waiting>,
    /// What each device has of a document, as far as it is on record: a device tells at
    /// each hello what it holds, and nearly always that is known.
    known: LruCache<(DeviceNumber, DocumentId), u64>,
}

/// Both ends.
#[must_use]
pub fn reports() -> (Reports, Collector) {
    let (handed_in, queue) = mpsc::channel(WAITING_MAX);
    let collector = Collector {
        queue,
        known: LruCache::unbounded(),
    };
    (Reports { queue: handed_in }, collector)
}

impl Reports {
    /// Hands in what there is. Without room it stays where it is, to be handed in later.
    pub fn hand_in(&self, carrier: &Arc<Carrier>, report: &mut Report) {
        if report.is_empty() {
            return;
        }
        let sent = self.queue.try_send(waiting(carrier, report));
        if let Err(TrySendError::Full(back) | TrySendError::Closed(back)) = sent {
            *report = back.report;
        }
    }

    /// … and waits for room: the session ends.
    pub async fn hand_in_last(&self, carrier: &Arc<Carrier>, mut report: Report) {
        if report.is_empty() {
            return;
        }
        let sent = self.queue.send(waiting(carrier, &mut report)).await;
        if let Err(mpsc::error::SendError(back)) = sent {
            let mut batch = Batch::default();
            batch.add(carrier, back.report, back.at_ms);
            for record in batch.on_record() {
                tracing::error!(
                    ?record,
                    "what happened in a session could not be put on record"
                );
            }
        }
    }
}

fn waiting(carrier: &Arc<Carrier>, report: &mut Report) -> Waiting {
    Waiting {
        carrier: carrier.clone(),
        report: std::mem::take(report),
        at_ms: clock::now_ms(),
    }
}

impl Collector {
    /// Runs until `stop`, and then until what was handed in before is kept.
    /// `unkept` is given what ought to be on record, and the log would not take at the end.
    pub async fn run(
        mut self,
        log: Log,
        stop: CancellationToken,
        unkept: impl Fn(&[Record], &LogError),
    ) {
        while let Some(first) = self.first(&stop).await {
            tokio::select! {
                () = sleep(Duration::from_millis(GATHER_MS)) => {}
                () = stop.cancelled() => {}
            }
            let mut batch = Batch::default();
            self.add(&mut batch, first);
            for _ in 1..TOGETHER_MAX {
                let Ok(next) = self.queue.try_recv() else {
                    break;
                };
                self.add(&mut batch, next);
            }
            keep(&log, Arc::new(batch), &stop, &unkept).await;
        }
    }

    async fn first(&mut self, stop: &CancellationToken) -> Option<Waiting> {
        tokio::select! {
            first = self.queue.recv() => return first,
            () = stop.cancelled() => self.queue.close(),
        }
        self.queue.recv().await
    }

    fn add(&mut self, batch: &mut Batch, waiting: Waiting) {
        let Waiting {
            carrier,
            mut report,
            at_ms,
        } = waiting;
        report.delivered.retain(|document, through| {
            let known = self
                .known
                .get_or_insert_mut((carrier.device, *document), || 0);
            let is_news = *through > *known;
            *known = (*known).max(*through);
            is_news
        });
        while self.known.len() > KNOWN_MAX.get() {
            self.known.pop_lru();
        }
        batch.add(&carrier, report, at_ms);
    }
}

/// Tries until it is kept; a center that stops tries once more.
async fn keep(
    log: &Log,
    batch: Arc<Batch>,
    stop: &CancellationToken,
    unkept: &impl Fn(&[Record], &LogError),
) {
    loop {
        let is_last = stop.is_cancelled();
        let work = batch.clone();
        match log.write(move |ledger| work.write(ledger)).await {
            Ok(kept) => return kept.committed(),
            Err(error) if is_last => return unkept(&batch.on_record(), &error),
            Err(error) => tracing::warn!(%error, "receipts wait for the log"),
        }
        tokio::select! {
            () = sleep(Duration::from_millis(REST_MS)) => {}
            () = stop.cancelled() => {}
        }
    }
}
