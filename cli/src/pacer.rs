//! Replays calls at a pace: each opens when it came and closes some time after.
//!
//! A replayed call is stamped with the moment it is replayed, as a live one would be;
//! when it came in the file stands in its narrative. How long a call lasts is
//! **modelled** (12 to 45 minutes of the file's time): such files do not say it.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use jiff::Timestamp;
use server::intake::csv::BadRow;
use server::intake::{CallReport, CallStatus};
use tokio_util::sync::CancellationToken;

use crate::speed::Speed;

/// What happens next in the file.
#[derive(Debug, Clone)]
pub(crate) enum Event {
    Opened(CallReport),
    Closed(CallReport),
    Bad(BadRow),
}

/// A call that is open in the replay: closes at this second of the file's time.
#[derive(Debug)]
struct Closing {
    at_s: i64,
    report: CallReport,
}

impl PartialEq for Closing {
    fn eq(&self, other: &Self) -> bool {
        self.at_s == other.at_s
    }
}
impl Eq for Closing {}
impl PartialOrd for Closing {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Closing {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.at_s.cmp(&other.at_s)
    }
}

pub(crate) struct Pacer<I: Iterator> {
    rows: std::iter::Peekable<I>,
    closings: BinaryHeap<Reverse<Closing>>,
    speed: Speed,
    now_s: Option<i64>,
}

impl<I: Iterator<Item = Result<CallReport, BadRow>>> Pacer<I> {
    pub(crate) fn new(rows: I, speed: Speed) -> Self {
        Self {
            rows: rows.peekable(),
            closings: BinaryHeap::new(),
            speed,
            now_s: None,
        }
    }

    /// The next event if its time has come already, or at `max`.
    pub(crate) async fn next_due(&mut self, stop: &CancellationToken) -> Option<Event> {
        if self.speed == Speed::Max {
            self.next(stop).await
        } else {
            None
        }
    }

    /// The next event, when its time has come; `None` at the end, or when told to stop.
    pub(crate) async fn next(&mut self, stop: &CancellationToken) -> Option<Event> {
        let opens_at = match self.rows.peek() {
            Some(Ok(report)) => Some(report.received.as_second()),
            Some(Err(_)) => return self.rows.next().and_then(Result::err).map(Event::Bad),
            None => None,
        };
        let closes_at = self.closings.peek().map(|Reverse(closing)| closing.at_s);
        let (at_s, closes) = match (opens_at, closes_at) {
            (Some(opens), Some(closes)) if closes <= opens => (closes, true),
            (Some(opens), _) => (opens, false),
            (None, Some(closes)) => (closes, true),
            (None, None) => return None,
        };
        self.wait_until(at_s, stop).await?;
        if closes {
            return self
                .closings
                .pop()
                .map(|Reverse(closing)| Event::Closed(stamp_closed(closing.report)));
        }
        let report = self.rows.next()?.ok()?;
        let opened = stamp_opened(report.clone());
        let lasts_s = 720 + i64::from(spread(&report.number) % 1_980);
        let closing = CallReport {
            status: report.status,
            ..opened.clone()
        };
        self.closings.push(Reverse(Closing {
            at_s: at_s + lasts_s,
            report: closing,
        }));
        Some(Event::Opened(opened))
    }

    async fn wait_until(&mut self, at_s: i64, stop: &CancellationToken) -> Option<()> {
        let now_s = *self.now_s.get_or_insert(at_s);
        self.now_s = Some(now_s.max(at_s));
        #[allow(clippy::cast_precision_loss)] // seconds of two weeks
        let wait = self.speed.real((at_s - now_s).max(0) as f64);
        if stop.is_cancelled() {
            return None;
        }
        if wait.is_zero() {
            return Some(());
        }
        tokio::select! {
            () = tokio::time::sleep(wait) => Some(()),
            () = stop.cancelled() => None,
        }
    }
}

fn stamp_opened(report: CallReport) -> CallReport {
    let now = Timestamp::now();
    let mut narrative = report.narrative;
    narrative.push(format!(
        "Replayed from a call of {}.",
        report.received.strftime("%Y-%m-%d %H:%M:%S UTC")
    ));
    CallReport {
        received: now,
        updated: now,
        narrative,
        status: CallStatus::Open,
        ..report
    }
}

fn stamp_closed(report: CallReport) -> CallReport {
    let status = match report.status {
        CallStatus::Closed { disposition } => CallStatus::Closed { disposition },
        CallStatus::Open => CallStatus::Closed {
            disposition: "Open at the end of the file".into(),
        },
    };
    CallReport {
        updated: Timestamp::now(),
        status,
        ..report
    }
}

/// Spreads numbers evenly, the same at every run (FNV-1a).
pub(crate) fn spread(text: &str) -> u32 {
    text.bytes().fold(0x811c_9dc5, |hash: u32, byte| {
        (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
    })
}
