//! How much may be under way on a link, learnt from what comes back.
//!
//! What was sent and not yet answered sits in somebody's buffer, where a caution
//! cannot pass it. So a session keeps at most [`WINDOW_MS`] of the link's measured
//! rate under way, and packs frames that the link takes in a fraction of that.

use std::collections::VecDeque;

use packet::sabotage::{Sabotage, is_on};

use crate::life::Expected;
use crate::limits::{
    FRAME_BYTES_TARGET_MAX, FRAME_BYTES_TARGET_MIN, MESSAGES_UNDER_WAY_MAX, WINDOW_BYTES_MAX,
    WINDOW_BYTES_MIN, WINDOW_BYTES_START, WINDOW_MS,
};

#[derive(Debug)]
struct Sent {
    bytes: u64,
    /// What had been answered when it left, and when that was known: the rate is
    /// measured from there, over a round trip at least. The time between two answers
    /// alone says nothing: they may have waited for each other on the way.
    answered_bytes: u64,
    answered_ms: u64,
    sent_ms: u64,
}

/// What the time before the first frame says of a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake {
    /// What came from the peer …
    pub bytes: u64,
    /// … in this time, round trips and all: so a link is at least that fast.
    pub ms: u64,
}

/// The messages that are under way, and the window that they have to fit in.
#[derive(Debug)]
pub(crate) struct Link {
    under_way: VecDeque<Sent>,
    bytes_under_way: u64,
    window_bytes: u64,
    /// Bytes a second, smoothed; `None` until the first answer.
    rate: Option<u64>,
    answered_bytes: u64,
    last_answer_ms: u64,
    messages_answered: u64,
    /// From the sending of a message to its answer, smoothed.
    round_trip_ms: Option<u64>,
}

impl Link {
    /// `handshake`: what came before, where it is known.
    pub(crate) fn new(handshake: Option<Handshake>) -> Self {
        let measured = handshake.map_or(0, |h| h.bytes.saturating_mul(WINDOW_MS) / h.ms.max(1));
        Self {
            under_way: VecDeque::new(),
            bytes_under_way: 0,
            window_bytes: measured.clamp(WINDOW_BYTES_START, WINDOW_BYTES_MAX),
            rate: None,
            answered_bytes: 0,
            last_answer_ms: 0,
            messages_answered: 0,
            round_trip_ms: None,
        }
    }

    pub(crate) fn sent(&mut self, bytes: usize, now_ms: u64) {
        let bytes = bytes as u64;
        // The link was idle before this left: its rate says nothing of that time.
        if self.under_way.is_empty() {
            self.last_answer_ms = now_ms;
        }
        self.bytes_under_way += bytes;
        self.under_way.push_back(Sent {
            bytes,
            answered_bytes: self.answered_bytes,
            answered_ms: self.last_answer_ms,
            sent_ms: now_ms,
        });
    }

    /// The peer has the first `messages` messages of the session. Returns how many of
    /// those are news, or `None` when more are claimed than were sent.
    pub(crate) fn answered(&mut self, messages: u64, now_ms: u64) -> Option<usize> {
        self.take(messages, now_ms, |sent, _| {
            (sent.answered_bytes, sent.answered_ms)
        })
    }

    /// … and had the last of them at `at_ms`, but waited for more before it said so. The
    /// earlier ones waited longer: the last alone measures the link.
    pub(crate) fn answered_late(&mut self, messages: u64, at_ms: u64) -> Option<usize> {
        self.take(messages, at_ms, |sent, before| (before, sent.sent_ms))
    }

    /// `since`: from how many answered bytes, and which time on, a message measures the
    /// rate; what was answered before it is given.
    fn take(
        &mut self,
        messages: u64,
        now_ms: u64,
        since_of: impl Fn(&Sent, u64) -> (u64, u64),
    ) -> Option<usize> {
        let news = messages.checked_sub(self.messages_answered)?;
        let news = usize::try_from(news)
            .ok()
            .filter(|news| *news <= self.under_way.len())?;
        let mut since = (self.answered_bytes, now_ms);
        let mut took_ms = 0;
        for sent in self.under_way.drain(..news) {
            self.bytes_under_way -= sent.bytes;
            since = since_of(&sent, self.answered_bytes);
            self.answered_bytes += sent.bytes;
            took_ms = now_ms.saturating_sub(sent.sent_ms);
        }
        if news > 0 {
            self.messages_answered = messages;
            self.last_answer_ms = now_ms;
            let before_ms = self.round_trip_ms.unwrap_or(took_ms);
            self.round_trip_ms = Some((3 * before_ms + took_ms) / 4);
            self.learn(
                self.answered_bytes - since.0,
                now_ms.saturating_sub(since.1).max(1),
            );
        }
        Some(news)
    }

    fn learn(&mut self, bytes: u64, took_ms: u64) {
        let sample = bytes.saturating_mul(1_000) / took_ms;
        // A burst that fits in one round trip measures the round trip, so the rate
        // rises at once and falls slowly.
        let rate = match self.rate {
            Some(rate) if sample < rate => rate - (rate - sample) / 4,
            Some(_) => sample,
            // Nor says the first answer how slow the link is: it came a round trip late.
            None => sample.max(WINDOW_BYTES_START * 1_000 / WINDOW_MS),
        };
        self.rate = Some(rate);
        self.window_bytes =
            (rate.saturating_mul(WINDOW_MS) / 1_000).clamp(WINDOW_BYTES_MIN, WINDOW_BYTES_MAX);
    }

    /// Whether another frame may be sent now. With nothing under way, always.
    pub(crate) fn has_room(&self) -> bool {
        self.bytes_under_way == 0
            || (self.bytes_under_way < self.window_bytes && !self.is_full())
            || is_on(Sabotage::GrowWindow)
    }

    /// What a silence on this link is to be held against.
    pub(crate) fn expected(&self) -> Expected {
        Expected {
            since_ms: self.under_way.front().map(|sent| sent.sent_ms),
            round_trip_ms: self.round_trip_ms,
        }
    }

    /// Whether the peer owes so many answers that it gets nothing more, however small.
    pub(crate) fn is_full(&self) -> bool {
        self.under_way.len() >= MESSAGES_UNDER_WAY_MAX
    }

    /// Whether each byte counts, as far as is known.
    pub(crate) fn is_slow(&self) -> bool {
        self.frame_bytes() == FRAME_BYTES_TARGET_MIN
    }

    /// How large the next message should be.
    pub(crate) fn frame_bytes(&self) -> usize {
        let room = usize::try_from(self.window_bytes / 4).unwrap_or(FRAME_BYTES_TARGET_MAX);
        room.clamp(FRAME_BYTES_TARGET_MIN, FRAME_BYTES_TARGET_MAX)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_slow_link_gets_a_small_window_and_a_fast_one_a_large() {
        let run = |bytes_per_s: u64| {
            let mut link = Link::new(None);
            let (mut now, mut frames) = (1_000, 0);
            for _ in 0..40 {
                let bytes = link.frame_bytes();
                link.sent(bytes, now);
                now += (bytes as u64 * 1_000 / bytes_per_s).max(1);
                frames += 1;
                assert_eq!(link.answered(frames, now), Some(1));
            }
            link
        };
        let slow = run(1_200);
        assert!(slow.window_bytes <= 2_400, "{slow:?}");
        assert_eq!(slow.frame_bytes(), FRAME_BYTES_TARGET_MIN);
        let fast = run(12_000_000);
        assert!(fast.window_bytes > 500_000, "{fast:?}");
        assert_eq!(fast.frame_bytes(), FRAME_BYTES_TARGET_MAX);
    }

    #[test]
    fn answers_that_come_in_a_bunch_do_not_open_the_window() {
        let (mut link, mut now, mut frames, mut sent) = (Link::new(None), 1_000, 0, 0);
        for _ in 0..40 {
            let mut bytes = 0;
            while link.has_room() {
                link.sent(512, now);
                (sent, bytes) = (sent + 1, bytes + 512);
            }
            // A link of 1,200 bytes a second, whose answers wait for each other.
            now += bytes * 1_000 / 1_200;
            while frames < sent {
                frames += 1;
                now += 1;
                link.answered(frames, now).unwrap();
            }
            assert!(link.window_bytes <= 2 * 1_024 + 512, "{link:?}");
        }
    }

    #[test]
    fn a_quick_handshake_opens_the_window_and_a_slow_one_does_not() {
        let window = |ms| Link::new(Some(Handshake { bytes: 600, ms })).window_bytes;
        assert_eq!(window(0), 900_000);
        assert_eq!(window(20), 45_000);
        // A resumed handshake at 9,600 bit/s and 600 ms round trip.
        assert_eq!(window(1_800), WINDOW_BYTES_START);
    }

    #[test]
    fn a_first_answer_that_comes_a_round_trip_late_leaves_the_window_open() {
        let mut link = Link::new(Some(Handshake {
            bytes: 600,
            ms: 1_600,
        }));
        while link.has_room() {
            link.sent(400, 0);
        }
        // Two of them at 1,200 bytes a second, and 600 ms.
        assert_eq!(link.answered(2, 1_270), Some(2));
        assert!(link.has_room(), "{link:?}");
        // What is as slow again and again is slow.
        for messages in 3..40 {
            link.sent(400, 1_270 * (messages - 2));
            link.answered(messages, 1_270 * (messages - 1)).unwrap();
        }
        assert!(link.window_bytes < WINDOW_BYTES_START, "{link:?}");
    }

    #[test]
    fn what_is_under_way_is_bounded_by_the_window() {
        let mut link = Link::new(None);
        let mut sent = 0;
        while link.has_room() {
            link.sent(1_000, 0);
            sent += 1_000;
        }
        assert!(sent < WINDOW_BYTES_START + 1_000);
        assert_eq!(link.answered(99, 5), None, "more than was sent");
        assert_eq!(link.answered(1, 5), Some(1));
        assert_eq!(link.answered(1, 5), Some(0));
        assert_eq!(link.answered(0, 5), None, "never backwards");
    }
}
