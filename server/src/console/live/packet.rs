//! A packet page's socket: looks at its own packet when something happened to it,
//! and sends the regions that differ.

use std::sync::Arc;
use std::time::Duration;

use ::packet::{CallId, DocumentId};
use axum::extract::ws::Utf8Bytes;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::{Heard, Line, heartbeat};
use crate::clock;
use crate::console::packet::{Known, Look};
use crate::console::{Console, disclosure};
use crate::log::{Happening, LogError};
use crate::policy::Actor;
use crate::receipts::{self, Holder};

/// Least time between two looks at the packet.
const REST_MS: u64 = 200;

/// What the page has.
struct Page {
    known: Known,
    /// Each region as it was last sent.
    sent: Vec<String>,
    /// The linked calls that are on record as shown.
    linked: Vec<CallId>,
    /// Sent and on record up to here.
    through: u64,
}

pub(super) async fn run(console: &Arc<Console>, line: &mut Line, call: CallId) {
    // Before the first look, so that nothing falls between.
    let mut happenings = console.center.log.subscribe();
    let mut page = Page {
        known: Known::new(call, console.sight(&line.actor)),
        sent: Vec::new(),
        linked: Vec::new(),
        through: 0,
    };
    let mut notices = console.notices.subscribe();
    let mut ticks = heartbeat();
    let mut is_old = false;
    let mut rested = Instant::now();
    loop {
        let look = tokio::select! {
            group = happenings.recv() => {
                match group {
                    Ok(group) => is_old |= group.iter().any(|h| concerns(h, call)),
                    Err(RecvError::Lagged(_)) => is_old = true,
                    Err(RecvError::Closed) => return,
                }
                false
            }
            () = tokio::time::sleep_until(rested), if is_old => true,
            // A saved search found something: the header says so.
            Ok(()) = notices.changed() => true,
            // Also for what is not in the log: which devices are connected.
            _ = ticks.tick() => true,
            heard = line.hear() => match heard {
                Heard::Shown(through) => {
                    page.shown(console, &line.actor, through).await;
                    false
                }
                Heard::Nothing => false,
                Heard::Gone => return,
            },
        };
        if look {
            is_old = false;
            rested = Instant::now() + Duration::from_millis(REST_MS);
            if !page.look(console, line).await {
                return;
            }
        }
    }
}

fn concerns(happening: &Happening, call: CallId) -> bool {
    match happening {
        Happening::Change(change) => change.document.call == call,
        Happening::Receipt(receipt) => receipt.document.call == call,
        Happening::Delivered(document) => document.call == call,
        Happening::Granted { call: other, .. }
        | Happening::Ended { call: other, .. }
        | Happening::Held(other)
        | Happening::Call { call: other, .. } => *other == call,
        Happening::DeviceRevoked(_) => false,
    }
}

impl Page {
    /// Looks, sends what differs and puts it on record. False when the page is over.
    async fn look(&mut self, console: &Arc<Console>, line: &mut Line) -> bool {
        let call = self.known.call();
        let known = std::mem::replace(&mut self.known, Known::nothing(call));
        let Look {
            packet,
            linked,
            open_calls,
        } = match known.look(console).await {
            Ok(Some((known, look))) => {
                self.known = known;
                look
            }
            Ok(None) => return false,
            Err(e) => {
                // Silence tells the page that the center is not well.
                tracing::warn!(error = %e, "a packet could not be read");
                return true;
            }
        };
        let Ok(regions) = packet.regions() else {
            return false;
        };
        let differ = self.differing(&regions);
        self.sent = regions;
        if !line.say_header(console, open_calls).await {
            return false;
        }
        if differ.is_empty() {
            return true;
        }
        let stretches = self.known.stretches(self.through);
        self.through = self.known.through();
        disclosure::packet(console, &line.actor, &stretches).await;
        let mut fresh = linked.clone();
        fresh.retain(|call| !self.linked.contains(call));
        disclosure::linked(console, &line.actor, call, &fresh).await;
        self.linked = linked;
        line.say(Utf8Bytes::from(differ)).await
    }

    fn differing(&self, regions: &[String]) -> String {
        regions
            .iter()
            .enumerate()
            .filter(|(number, region)| self.sent.get(*number) != Some(region))
            .map(|(_, region)| region.as_str())
            .collect()
    }

    /// The analyst saw it through here: their screen was on and this page in front.
    async fn shown(&self, console: &Arc<Console>, actor: &Actor, through: u64) {
        // What was never sent was never seen.
        let seen = self.known.lasts(through.min(self.through));
        let who = actor.name.clone();
        let kept = console
            .center
            .log
            .write(move |ledger| {
                let analyst = Holder { device: None, who };
                let now_ms = clock::now_ms();
                seen.into_iter()
                    .try_for_each(|(document, through): (DocumentId, u64)| {
                        receipts::shown(ledger, &analyst, document, through, now_ms)
                    })
            })
            .await;
        if let Err(LogError::Full | LogError::Store(_)) = kept {
            tracing::warn!("that the analyst saw a packet could not be kept");
        }
    }
}
