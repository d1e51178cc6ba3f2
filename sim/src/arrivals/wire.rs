//! One connection between a device and the center, over links that change and go away.
//!
//! A moving car keeps its connection while the link under it changes, and through a short
//! dead zone too: TCP sends again what was not answered, after a time that doubles with
//! each try in vain (RFC 6298, section 5.5). So what was under way when the link went comes
//! out some time *after* the link is back, up to as long as it was away. Either end may give
//! the connection up before, and the device then dials anew.

use std::collections::VecDeque;

use fastrand::Rng;

use super::event::End;
use crate::stage::network::Network;

/// With a small `TCP_NOTSENT_LOWAT` a sender is let on when this much time's worth waits.
const UNSENT_MS_MAX: u64 = 20;
/// What the kernel takes while nothing can be sent.
const HELD_BYTES_MAX: usize = 16 * 1024;
/// Longest time between two tries to send again (RFC 6298, section 2.5: at least 60 s; Linux).
const RETRANSMIT_MS_MAX: u64 = 120_000;
/// TCP's, TLS's and WebSocket's own bytes of one message.
const FRAMING_BYTES: usize = 66;

/// What goes through a wire.
#[derive(Debug)]
pub(super) enum Load {
    Message(Vec<u8>),
    /// The other end has closed.
    Close,
    /// The request with the device's hello, of so many bytes.
    Hello(usize),
    /// The upgrade's answer, of so many bytes.
    Upgraded(usize),
}

impl Load {
    fn bytes(&self) -> usize {
        match self {
            Self::Message(bytes) => bytes.len() + FRAMING_BYTES,
            Self::Close => FRAMING_BYTES,
            Self::Hello(bytes) | Self::Upgraded(bytes) => *bytes,
        }
    }
}

#[derive(Debug, Default)]
struct Pipe {
    /// In their order; each comes out then, while the link is there.
    under_way: VecDeque<(u64, Load)>,
    /// When the last byte so far has left the sender.
    free_ms: u64,
    last_out_ms: u64,
    /// Since when nothing that was sent can be answered.
    stalled_ms: Option<u64>,
    /// Counts up when what is under way is held up: what was planned for it is void.
    held: u64,
}

#[derive(Debug)]
pub(super) struct Wire {
    pub(super) officer: usize,
    pub(super) dialled_ms: u64,
    /// `None` in a dead zone.
    link: Option<Network>,
    pub(super) open_at_device: bool,
    pub(super) open_at_center: bool,
    /// The device went off in the middle of it: nothing comes through any more.
    is_cut: bool,
    /// When the ends look again.
    poll_device_ms: u64,
    poll_center_ms: u64,
    up: Pipe,
    down: Pipe,
}

/// When something comes out: to be planned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Out {
    pub(super) at_ms: u64,
    pub(super) at: End,
    pub(super) held: u64,
}

impl Wire {
    pub(super) fn new(officer: usize, link: Network, now_ms: u64) -> Self {
        Self {
            officer,
            dialled_ms: now_ms,
            link: Some(link),
            open_at_device: true,
            open_at_center: false,
            is_cut: false,
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

    /// Sends from one end; when it comes out at the other, if nothing holds it up.
    /// `after_ms`: it leaves so much later, for round trips that come before it.
    pub(super) fn send(
        &mut self,
        from: End,
        load: Load,
        after_ms: u64,
        now_ms: u64,
        rng: &mut Rng,
    ) -> Option<Out> {
        let link = self.link;
        let pipe = self.pipe(from);
        let Some(link) = link else {
            pipe.stalled_ms.get_or_insert(now_ms);
            pipe.under_way.push_back((u64::MAX, load));
            return None;
        };
        Some(pipe.send(link, load, from, now_ms + after_ms, rng))
    }

    /// The link is another, or gone, or back. What comes out when, to be planned.
    pub(super) fn link_is(
        &mut self,
        link: Option<Network>,
        now_ms: u64,
        rng: &mut Rng,
    ) -> Vec<Out> {
        let link = link.filter(|_| !self.is_cut);
        let had = std::mem::replace(&mut self.link, link);
        match (had, link) {
            (Some(_), None) => {
                self.up.hold(now_ms);
                self.down.hold(now_ms);
                Vec::new()
            }
            (None, Some(link)) => {
                let mut out = self.up.go_on(link, End::Device, now_ms, rng);
                out.extend(self.down.go_on(link, End::Center, now_ms, rng));
                out
            }
            _ => Vec::new(),
        }
    }

    /// The device is gone, without a word.
    pub(super) fn cut(&mut self, now_ms: u64, rng: &mut Rng) {
        self.is_cut = true;
        self.open_at_device = false;
        self.link_is(None, now_ms, rng);
    }

    /// What comes out at this end, if what was planned still holds.
    pub(super) fn out(&mut self, at: End, held: u64) -> Option<Load> {
        let from = match at {
            End::Device => End::Center,
            End::Center => End::Device,
        };
        let pipe = self.pipe(from);
        if pipe.held != held {
            return None;
        }
        pipe.under_way.pop_front().map(|(_, load)| load)
    }

    /// When this end may send more: now, later, or, `None`, when the link is back.
    pub(super) fn room_ms(&mut self, from: End, now_ms: u64) -> Option<u64> {
        let is_up = self.link.is_some();
        let pipe = self.pipe(from);
        if is_up {
            let free_ms = pipe.free_ms.saturating_sub(UNSENT_MS_MAX);
            return Some(free_ms.max(now_ms));
        }
        let held: usize = pipe.under_way.iter().map(|(_, load)| load.bytes()).sum();
        (held < HELD_BYTES_MAX).then_some(now_ms)
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

impl Pipe {
    fn send(&mut self, link: Network, load: Load, from: End, at_ms: u64, rng: &mut Rng) -> Out {
        let bytes = load.bytes();
        self.free_ms = self.free_ms.max(at_ms) + link.sending_ms(bytes);
        let out_ms = self.free_ms + link.latency_ms + link.held_ms(bytes, rng);
        self.last_out_ms = self.last_out_ms.max(out_ms);
        self.under_way.push_back((self.last_out_ms, load));
        Out {
            at_ms: self.last_out_ms,
            at: match from {
                End::Device => End::Center,
                End::Center => End::Device,
            },
            held: self.held,
        }
    }

    /// The link is gone: what is under way is lost, and will be sent again.
    fn hold(&mut self, now_ms: u64) {
        self.held += 1;
        if !self.under_way.is_empty() {
            self.stalled_ms.get_or_insert(now_ms);
        }
    }

    /// The link is back: at TCP's next try all that is held goes.
    fn go_on(&mut self, link: Network, from: End, now_ms: u64, rng: &mut Rng) -> Vec<Out> {
        self.held += 1;
        let resumes_ms = self
            .stalled_ms
            .take()
            .map_or(now_ms, |since_ms| next_try_ms(link, since_ms, now_ms));
        self.free_ms = resumes_ms;
        self.last_out_ms = resumes_ms;
        let held = std::mem::take(&mut self.under_way);
        held.into_iter()
            .map(|(_, load)| self.send(link, load, from, resumes_ms, rng))
            .collect()
    }
}

/// TCP's first try to send again that is not before now.
fn next_try_ms(link: Network, since_ms: u64, now_ms: u64) -> u64 {
    let mut wait_ms = link.retransmit_ms();
    let mut at_ms = since_ms + wait_ms;
    while at_ms < now_ms {
        wait_ms = (2 * wait_ms).min(RETRANSMIT_MS_MAX);
        at_ms += wait_ms;
    }
    at_ms
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::arrivals::model::LTE;

    const SURE: Network = Network {
        loss_percent: 0,
        ..LTE
    };

    fn message(bytes: usize) -> Load {
        Load::Message(vec![0; bytes])
    }

    #[test]
    fn what_is_under_way_when_the_link_goes_comes_after_it_is_back() {
        let mut rng = Rng::with_seed(1);
        let mut wire = Wire::new(0, SURE, 0);
        let out = wire.send(End::Center, message(100), 0, 1_000, &mut rng);
        let first = out.unwrap();
        assert_eq!(first.at_ms, 1_041);
        assert!(wire.link_is(None, 1_020, &mut rng).is_empty());
        assert!(wire.out(End::Device, first.held).is_none());
        assert!(
            wire.send(End::Center, message(9), 0, 1_500, &mut rng)
                .is_none()
        );
        let out = wire.link_is(Some(SURE), 9_000, &mut rng);
        // Tried at 1.3, 1.86, 2.98, 5.22 and 9.7 s.
        assert_eq!(out.len(), 2);
        assert_eq!(out[0].at_ms, 1_020 + 280 * 31 + 41);
        assert!(out[1].at_ms > out[0].at_ms);
        for out in out {
            assert!(wire.out(End::Device, out.held).is_some());
        }
    }

    #[test]
    fn a_dead_link_takes_so_much_and_no_more() {
        let mut rng = Rng::with_seed(1);
        let mut wire = Wire::new(0, SURE, 0);
        wire.link_is(None, 0, &mut rng);
        assert_eq!(wire.room_ms(End::Device, 5), Some(5));
        wire.send(End::Device, message(HELD_BYTES_MAX), 0, 5, &mut rng);
        assert_eq!(wire.room_ms(End::Device, 6), None);
    }

    #[test]
    fn a_change_of_the_kind_of_link_loses_nothing() {
        let mut rng = Rng::with_seed(1);
        let mut wire = Wire::new(0, SURE, 0);
        let out = wire.send(End::Device, message(10), 0, 0, &mut rng).unwrap();
        let other = Network {
            latency_ms: 300,
            ..SURE
        };
        assert!(wire.link_is(Some(other), 10, &mut rng).is_empty());
        assert!(wire.out(End::Center, out.held).is_some());
    }
}
