//! Links as officers have them: slow, lossy, cut without a word.
//!
//! Under a session there is TCP: within one connection nothing is lost or reordered, a
//! lost packet is a delay. What is lost is whole connections, and what was under way in
//! them may still come out at the center after the device has dialled anew.

use fastrand::Rng;

use super::event::End;
use crate::stage::network::{Network, network};

/// With a small `TCP_NOTSENT_LOWAT` a sender is let on when this much time's worth waits.
const UNSENT_MS_MAX: u64 = 20;

pub(super) const NETWORKS: [Network; 9] = [
    network("narrow radio", 1_200, 600, 2, false),
    network("radio", 9_600, 300, 0, false),
    network("bad radio", 9_600, 300, 10, true),
    network("edge", 64_000, 200, 2, false),
    network("satellite", 512_000, 300, 1, true),
    network("lte", 5_000_000, 40, 0, false),
    network("crowded lte", 1_000_000, 90, 10, false),
    network("wifi", 30_000_000, 5, 1, true),
    network("dock", 100_000_000, 1, 0, false),
];
/// What is left when all is healed.
pub(super) const HEALED: Network = network("healed", 1_000_000, 50, 0, false);

#[derive(Debug, Default)]
struct Pipe {
    /// When the last byte so far has left the sender.
    free_ms: u64,
    last_arrival_ms: u64,
}

/// A connection that no more bytes come through; those under way may come late.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Cut {
    /// What was on its way to the center comes out this much later; or never.
    pub(super) late_ms: Option<u64>,
}

/// One connection between a device and the center.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) officer: usize,
    pub(super) network: Network,
    pub(super) dialled_ms: u64,
    pub(super) cut: Option<Cut>,
    /// Whether each end still believes in it.
    pub(super) open_at_device: bool,
    pub(super) open_at_center: bool,
    /// When the ends look again.
    pub(super) poll_device_ms: u64,
    pub(super) poll_center_ms: u64,
    up: Pipe,
    down: Pipe,
}

impl Wire {
    pub(super) fn new(officer: usize, network: Network, now_ms: u64) -> Self {
        Self {
            officer,
            network,
            dialled_ms: now_ms,
            cut: None,
            open_at_device: true,
            open_at_center: false,
            poll_device_ms: u64::MAX,
            poll_center_ms: u64::MAX,
            up: Pipe::default(),
            down: Pipe::default(),
        }
    }

    fn pipe(&mut self, from: End) -> &mut Pipe {
        match from {
            End::Device => &mut self.up,
            End::Center => &mut self.down,
        }
    }

    /// Sends this many bytes from one end; when they come out at the other.
    pub(super) fn send(&mut self, from: End, bytes: usize, now_ms: u64, rng: &mut Rng) -> u64 {
        let network = self.network;
        let held_ms = network.held_ms(bytes, rng);
        let pipe = self.pipe(from);
        pipe.free_ms = pipe.free_ms.max(now_ms) + network.sending_ms(bytes);
        let arrival_ms = pipe.free_ms + network.latency_ms + held_ms;
        pipe.last_arrival_ms = pipe.last_arrival_ms.max(arrival_ms);
        pipe.last_arrival_ms
    }

    /// When this end may send more; now, if it may.
    pub(super) fn room_ms(&mut self, from: End, now_ms: u64) -> u64 {
        if self.network.takes_all {
            return now_ms;
        }
        let free_ms = self.pipe(from).free_ms;
        free_ms.saturating_sub(UNSENT_MS_MAX).max(now_ms)
    }

    /// Whether to plan a look at this end then: not when a nearer one is planned.
    pub(super) fn plans_poll(&mut self, at: End, at_ms: u64, now_ms: u64) -> bool {
        let planned_ms = match at {
            End::Device => &mut self.poll_device_ms,
            End::Center => &mut self.poll_center_ms,
        };
        let is_nearer = at_ms < *planned_ms || *planned_ms <= now_ms;
        if is_nearer {
            *planned_ms = at_ms;
        }
        is_nearer
    }
}
