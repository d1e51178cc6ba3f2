//! Leaves a source alone that fails again and again.

use super::jittered;

/// So many failures in a row open the breaker.
pub const BREAKER_FAILURES: u32 = 5;
/// How long the source is then left alone, at most; twice as long after each try in vain …
pub const BREAKER_OPEN_MS: i64 = 5_000;
/// … up to this.
pub const BREAKER_OPEN_MS_MAX: i64 = 60_000;

#[derive(Debug, Default)]
pub(super) struct Breaker {
    /// In a row.
    failures: u32,
    state: State,
}

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
enum State {
    #[default]
    Closed,
    Open {
        until_ms: i64,
    },
    /// One question is out to see whether it is back.
    Trying,
}

impl Breaker {
    /// From when on it may be asked; `None` while one question tries it.
    pub(super) fn next_ms(&self) -> Option<i64> {
        match self.state {
            State::Closed => Some(i64::MIN),
            State::Open { until_ms } => Some(until_ms),
            State::Trying => None,
        }
    }

    pub(super) fn is_open(&self) -> bool {
        self.state != State::Closed
    }

    pub(super) fn asked(&mut self, now_ms: i64) {
        if let State::Open { until_ms } = self.state
            && until_ms <= now_ms
        {
            self.state = State::Trying;
        }
    }

    pub(super) fn succeeded(&mut self) {
        *self = Self::default();
    }

    pub(super) fn failed(&mut self, now_ms: i64, random: u64) {
        // What was under way when it opened says nothing new.
        if matches!(self.state, State::Open { .. }) {
            return;
        }
        self.failures = self.failures.saturating_add(1);
        if self.failures < BREAKER_FAILURES {
            return;
        }
        let tries = (self.failures - BREAKER_FAILURES).min(10);
        let open_ms = (BREAKER_OPEN_MS << tries).min(BREAKER_OPEN_MS_MAX);
        self.state = State::Open {
            until_ms: now_ms + jittered(open_ms, random),
        };
    }

    /// Nobody waits for the question any more that tried it: the next one may.
    pub(super) fn given_up(&mut self) {
        if self.state == State::Trying {
            self.state = State::Open { until_ms: i64::MIN };
        }
    }
}
