//! Tells Prometheus of each arrival, once, when the receipts of it have come in.

use std::collections::VecDeque;
use std::num::NonZeroUsize;
use std::sync::Arc;
use std::time::Duration;

use lru::LruCache;
use packet::{CallId, Entry, UnitState};
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::{Arrival, Timeline};
use crate::center::Center;
use crate::log::Happening;

/// How long after the word *on scene* an arrival is judged: what the device had by then is
/// known, where it was in contact.
const SETTLE_MS: u64 = 60_000;
/// Most arrivals that wait to be judged; one beyond it is counted by nobody but the report.
const WAITING_MAX: usize = 4_096;
/// Most calls of which it is known that they were counted.
const COUNTED_MAX: NonZeroUsize = NonZeroUsize::new(16_384).unwrap();

/// Until the center stops.
pub async fn run(center: Arc<Center>, stop: CancellationToken) {
    let mut happenings = center.log.subscribe();
    let mut counted: LruCache<CallId, ()> = LruCache::new(COUNTED_MAX);
    let mut waiting: VecDeque<(Instant, CallId)> = VecDeque::new();
    loop {
        let due = waiting.front().map(|(due, _)| *due);
        tokio::select! {
            group = happenings.recv() => match group {
                Ok(group) => {
                    let due = Instant::now() + Duration::from_millis(SETTLE_MS);
                    for call in group.iter().filter_map(arrived) {
                        if waiting.len() < WAITING_MAX && counted.put(call, ()).is_none() {
                            waiting.push_back((due, call));
                        }
                    }
                }
                Err(RecvError::Lagged(_)) => {}
                Err(RecvError::Closed) => return,
            },
            () = tokio::time::sleep_until(due.unwrap_or_else(Instant::now)), if due.is_some() => {
                if let Some((_, call)) = waiting.pop_front() {
                    count(&center, call).await;
                }
            }
            () = stop.cancelled() => return,
        }
    }
}

fn arrived(happening: &Happening) -> Option<CallId> {
    match happening {
        Happening::Change(change) => match &change.entry {
            Entry::UnitStatus(status) if status.status == UnitState::OnScene => {
                Some(change.document.call)
            }
            _ => None,
        },
        _ => None,
    }
}

async fn count(center: &Arc<Center>, call: CallId) {
    let hub = center.hub.clone();
    let read = center
        .log
        .readers()
        .read(move |connection| Timeline::read(connection, &hub, call))
        .await;
    match read {
        Ok(Some(timeline)) if timeline.has_travel() => {
            if let Some(arrival) = Arrival::of(&timeline) {
                center.metrics.arrived(timeline.priority, &arrival);
            }
        }
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, %call, "an arrival could not be counted"),
    }
}
