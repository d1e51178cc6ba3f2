//! One question to one source, and those who wait for the answer.

use std::collections::BTreeSet;

use super::{ANNOUNCE_AFTER_MS, Told};

#[derive(Debug)]
pub(super) struct Job<W, Q> {
    pub(super) source: usize,
    pub(super) question: Q,
    /// Of the most urgent of those who wait.
    pub(super) urgency: u8,
    pub(super) waiters: Vec<Waiter<W>>,
    pub(super) state: State,
    pub(super) attempts: u8,
    /// Why the last attempt brought nothing.
    pub(super) lapse: Option<Lapse>,
    /// Where it stands among the timers; `i64::MAX` when it does not.
    pub(super) timer_ms: i64,
}

#[derive(Debug, Clone, Copy)]
pub(super) enum State {
    Ready,
    InFlight { attempt: u64, until_ms: i64 },
    Later { from_ms: i64 },
}

/// Why an attempt brought nothing.
#[derive(Debug, Clone)]
pub(super) enum Lapse {
    Failed(String),
    /// Within so many milliseconds.
    TimedOut(u32),
}

impl Lapse {
    fn why(&self) -> String {
        match self {
            Self::Failed(why) => why.clone(),
            Self::TimedOut(ms) => format!("no answer in {ms} ms"),
        }
    }

    /// As the last word.
    pub(super) fn told<A>(&self, took_ms: i64) -> Told<A> {
        let why = self.why();
        match self {
            Self::Failed(_) => Told::Failed { why, took_ms },
            Self::TimedOut(_) => Told::TimedOut { why, took_ms },
        }
    }
}

#[derive(Debug)]
pub(super) struct Waiter<W> {
    pub(super) waiter: W,
    pub(super) asked_ms: i64,
    pub(super) deadline_ms: i64,
    heard: Heard,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Heard {
    Nothing,
    Asked,
    Retrying,
}

impl<W> Waiter<W> {
    pub(super) fn new(waiter: W, asked_ms: i64, deadline_ms: i64) -> Self {
        Self {
            waiter,
            asked_ms,
            deadline_ms,
            heard: Heard::Nothing,
        }
    }

    /// When it is to hear how it stands, where it has heard nothing.
    fn announce_ms(&self) -> i64 {
        match self.heard {
            Heard::Nothing => self.asked_ms + ANNOUNCE_AFTER_MS,
            Heard::Asked | Heard::Retrying => i64::MAX,
        }
    }

    /// How it stands, where that is news to one who has waited long enough.
    pub(super) fn news<A>(&mut self, lapse: Option<&Lapse>, now_ms: i64) -> Option<Told<A>> {
        if now_ms < self.asked_ms + ANNOUNCE_AFTER_MS {
            return None;
        }
        match (lapse, self.heard) {
            (Some(lapse), Heard::Nothing | Heard::Asked) => {
                self.heard = Heard::Retrying;
                Some(Told::Retrying { why: lapse.why() })
            }
            (None, Heard::Nothing) => {
                self.heard = Heard::Asked;
                Some(Told::Asked)
            }
            _ => None,
        }
    }
}

impl<W, Q> Job<W, Q> {
    /// Puts it among the timers for the next thing that time brings to it.
    pub(super) fn set_timer(&mut self, id: u64, timers: &mut BTreeSet<(i64, u64)>) {
        let of_state = match self.state {
            State::Ready => i64::MAX,
            State::InFlight { until_ms, .. } => until_ms,
            State::Later { from_ms } => from_ms,
        };
        let of_waiters = self
            .waiters
            .iter()
            .map(|waiter| waiter.deadline_ms.min(waiter.announce_ms()));
        let next_ms = of_waiters.chain([of_state]).min().unwrap_or(of_state);
        if next_ms != self.timer_ms {
            timers.remove(&(self.timer_ms, id));
            timers.insert((next_ms, id));
            self.timer_ms = next_ms;
        }
    }
}
