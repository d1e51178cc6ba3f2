//! Kinds of link: how fast, how far, how much is lost.

use fastrand::Rng;

/// Payload of one TCP segment.
const SEGMENT_BYTES: usize = 1_400;
/// The least time until TCP sends a lost segment again (RFC 6298: 1 s; Linux: 200 ms).
const RETRANSMIT_MS_MIN: u64 = 200;

/// A kind of link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Network {
    pub(crate) name: &'static str,
    pub(crate) bits_per_s: u64,
    /// One way.
    pub(crate) latency_ms: u64,
    pub(crate) loss_percent: u64,
    /// The sender's buffer takes everything at once.
    pub(crate) takes_all: bool,
}

pub(crate) const fn network(
    name: &'static str,
    bits_per_s: u64,
    latency_ms: u64,
    loss_percent: u64,
    takes_all: bool,
) -> Network {
    Network {
        name,
        bits_per_s,
        latency_ms,
        loss_percent,
        takes_all,
    }
}

impl Network {
    /// How long so many bytes take to leave.
    pub(crate) fn sending_ms(self, bytes: usize) -> u64 {
        (bytes as u64 * 8_000).div_ceil(self.bits_per_s)
    }

    /// How long what is lost of them holds them up: TCP sends it again.
    pub(crate) fn held_ms(self, bytes: usize, rng: &mut Rng) -> u64 {
        let mut held_ms = 0;
        for _ in 0..=bytes / SEGMENT_BYTES {
            if rng.u64(..100) < self.loss_percent {
                held_ms += self.retransmit_ms();
            }
        }
        held_ms
    }

    /// How long TCP waits for an answer before it sends a segment again.
    pub(crate) fn retransmit_ms(self) -> u64 {
        RETRANSMIT_MS_MIN + 2 * self.latency_ms
    }
}
