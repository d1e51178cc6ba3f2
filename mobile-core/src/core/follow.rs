//! Following what a screen shows: the state as it is now, and then what has changed.
//!
//! Nothing is queued. Whoever is slow hears the difference between what they were told
//! last and what holds when they ask again, however much lay between: so a follower costs
//! one copy of what it was told and never grows. Every wait here may be dropped at any
//! moment; the next one tells what the dropped one would have.

mod difference;

use std::time::Duration;

use packet::{CallId, EntryId, Facts, Glance};
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Core, Gate, Lease};
use crate::view::{EntryView, Packet, PacketSummary};
use crate::{CoreError, LinkState};

pub use difference::Difference;

/// Between two things that one follower is told: a catch-up commits dozens of times a
/// second, and no eye follows that. The first change after a calm is told at once.
const PACE_MS_MIN: u64 = 100;

/// Within a packet an entry is known by its compartment and its id.
pub type EntryKey = (packet::Compartment, EntryId);

/// What became of one packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PacketNews {
    /// All of it: the first time, and when it comes to the device.
    Whole { packet: Packet, glance: Glance },
    Changed {
        facts: Option<Facts>,
        glance: Glance,
        entries: Difference<EntryKey, EntryView>,
        /// All of them, as they are now.
        leases: Vec<Lease>,
    },
    /// It is not on this device: not yet, or not any more.
    NotHere,
}

/// What became of the list of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ListNews {
    Whole(Vec<PacketSummary>),
    Changed(Difference<CallId, PacketSummary>),
}

/// When to look again.
#[derive(Debug)]
struct Changes {
    core: Core,
    stored: watch::Receiver<u64>,
    gate: watch::Receiver<Gate>,
    /// Something has changed since the last that was told.
    is_due: bool,
    told: Option<Instant>,
}

impl Changes {
    fn of(core: &Core) -> Self {
        Self {
            core: core.clone(),
            stored: core.changes(),
            gate: core.0.gate.subscribe(),
            is_due: true,
            told: None,
        }
    }

    /// Until there may be something to tell, and it is time to.
    async fn due(&mut self) {
        if !self.is_due {
            // The core is held here, so its sender is never gone.
            let _ = self.stored.changed().await;
            self.is_due = true;
        }
        if let Some(told) = self.told {
            tokio::time::sleep_until(told + Duration::from_millis(PACE_MS_MIN)).await;
        }
        // What is stored from here on is seen by the read that follows, or is due again.
        self.stored.borrow_and_update();
    }

    /// The store is closed: nothing can be told before it is open.
    async fn resumed(&mut self) {
        let _ = self.gate.wait_for(|gate| !gate.paused).await;
    }

    fn told(&mut self) {
        self.is_due = false;
        self.told = Some(Instant::now());
    }

    /// What was looked at is as it was told.
    fn same(&mut self) {
        self.is_due = false;
    }
}

/// Tells of one packet. Made by [`Core::follow_packet`].
#[derive(Debug)]
pub struct PacketFollower {
    changes: Changes,
    call: CallId,
    last: Option<Option<(Packet, Glance)>>,
}

impl PacketFollower {
    /// The packet as it is the first time; then, once it is different, what is.
    ///
    /// # Errors
    /// When the store cannot be read. While it is paused, this waits.
    pub async fn next(&mut self) -> Result<PacketNews, CoreError> {
        loop {
            self.changes.due().await;
            let now = match self.changes.core.packet(self.call).await {
                Err(CoreError::Paused) => {
                    self.changes.resumed().await;
                    continue;
                }
                packet => packet?.map(|packet| {
                    let glance = self.changes.core.glance(&packet);
                    (packet, glance)
                }),
            };
            if self.last.as_ref() == Some(&now) {
                self.changes.same();
                continue;
            }
            let news = packet_news(self.last.as_ref(), &now);
            self.last = Some(now);
            self.changes.told();
            return Ok(news);
        }
    }
}

fn packet_news(
    last: Option<&Option<(Packet, Glance)>>,
    now: &Option<(Packet, Glance)>,
) -> PacketNews {
    let Some((packet, glance)) = now.clone() else {
        return PacketNews::NotHere;
    };
    match last {
        Some(Some((before, _))) => PacketNews::Changed {
            entries: Difference::between(&before.entries, &packet.entries, |entry| {
                (entry.document.compartment, entry.id)
            }),
            facts: packet.facts,
            leases: packet.leases,
            glance,
        },
        _ => PacketNews::Whole { packet, glance },
    }
}

/// Tells of the list of packets. Made by [`Core::follow_packets`].
#[derive(Debug)]
pub struct ListFollower {
    changes: Changes,
    last: Option<Vec<PacketSummary>>,
}

impl ListFollower {
    /// The list as it is the first time; then, once it is different, what is.
    ///
    /// # Errors
    /// When the store cannot be read. While it is paused, this waits.
    pub async fn next(&mut self) -> Result<ListNews, CoreError> {
        loop {
            self.changes.due().await;
            let now = match self.changes.core.packets().await {
                Err(CoreError::Paused) => {
                    self.changes.resumed().await;
                    continue;
                }
                packets => packets?,
            };
            if self.last.as_ref() == Some(&now) {
                self.changes.same();
                continue;
            }
            let news = match &self.last {
                Some(before) => {
                    ListNews::Changed(Difference::between(before, &now, |packet| packet.call))
                }
                None => ListNews::Whole(now.clone()),
            };
            self.last = Some(now);
            self.changes.told();
            return Ok(news);
        }
    }
}

/// Tells of the link. Made by [`Core::follow_link`].
#[derive(Debug)]
pub struct LinkFollower {
    link: watch::Receiver<LinkState>,
    is_first: bool,
}

impl LinkFollower {
    /// The link as it is the first time; then as it is once it has changed. `None` when
    /// the device is gone.
    pub async fn next(&mut self) -> Option<LinkState> {
        if !self.is_first {
            self.link.changed().await.ok()?;
        }
        self.is_first = false;
        Some(self.link.borrow_and_update().clone())
    }
}

impl Core {
    /// Follows one packet, whether it is on this device yet or not.
    #[must_use]
    pub fn follow_packet(&self, call: CallId) -> PacketFollower {
        PacketFollower {
            changes: Changes::of(self),
            call,
            last: None,
        }
    }

    /// Follows the list of packets.
    #[must_use]
    pub fn follow_packets(&self) -> ListFollower {
        ListFollower {
            changes: Changes::of(self),
            last: None,
        }
    }

    /// Follows whether there is a session with the center.
    #[must_use]
    pub fn follow_link(&self) -> LinkFollower {
        LinkFollower {
            link: self.link(),
            is_first: true,
        }
    }
}
