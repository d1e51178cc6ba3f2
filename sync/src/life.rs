//! Whether the link still lives. Any byte counts as a sign of life.
//!
//! How long a side waits follows the link: what is nothing on a modem (its own answer
//! may stand behind two seconds of bytes) is death on a fast link. A fixed time would
//! either make a slow link dial for ever or hide a dead one for a minute.

use crate::limits::{ASK_MS_MIN, PATIENCE_MS_MAX, PATIENCE_MS_MIN, QUIET_MS_MAX};

#[derive(Debug)]
pub(crate) struct Life {
    heard_ms: u64,
    asked_ms: Option<u64>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Pulse {
    /// It is quiet: ask for a sign of life.
    Ask,
    Wait {
        until_ms: u64,
    },
    Dead,
}

/// What the link says of itself.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Expected {
    /// Since when an answer to something is due.
    pub(crate) since_ms: Option<u64>,
    /// How long an answer takes here; `None` before the first.
    pub(crate) round_trip_ms: Option<u64>,
}

impl Life {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            heard_ms: now_ms,
            asked_ms: None,
        }
    }

    pub(crate) fn heard(&mut self, now_ms: u64) {
        self.heard_ms = self.heard_ms.max(now_ms);
        self.asked_ms = None;
    }

    pub(crate) fn pulse(&mut self, now_ms: u64, expected: Expected) -> Pulse {
        if let Some(asked_ms) = self.asked_ms {
            let until_ms = asked_ms + patience_ms(expected.round_trip_ms);
            return if now_ms >= until_ms {
                Pulse::Dead
            } else {
                Pulse::Wait { until_ms }
            };
        }
        let until_ms = match (expected.since_ms, expected.round_trip_ms) {
            (Some(since_ms), Some(round_trip_ms)) => {
                let due_ms = (2 * round_trip_ms + ASK_MS_MIN).min(QUIET_MS_MAX);
                self.heard_ms.max(since_ms) + due_ms
            }
            _ => self.heard_ms + QUIET_MS_MAX,
        };
        if now_ms < until_ms {
            return Pulse::Wait { until_ms };
        }
        self.asked_ms = Some(now_ms);
        Pulse::Ask
    }
}

/// How long an asked peer may stay silent.
fn patience_ms(round_trip_ms: Option<u64>) -> u64 {
    round_trip_ms.map_or(PATIENCE_MS_MAX, |ms| {
        (4 * ms).clamp(PATIENCE_MS_MIN, PATIENCE_MS_MAX)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// When a link that has gone silent is given up.
    fn given_up_ms(expected: Expected) -> u64 {
        let mut life = Life::new(0);
        let mut now_ms = 0;
        loop {
            match life.pulse(now_ms, expected) {
                Pulse::Ask => {}
                Pulse::Wait { until_ms } => now_ms = until_ms,
                Pulse::Dead => return now_ms,
            }
        }
    }

    #[test]
    fn a_fast_link_that_owes_an_answer_is_given_up_in_seconds() {
        let owes = |round_trip_ms| Expected {
            since_ms: Some(0),
            round_trip_ms: Some(round_trip_ms),
        };
        assert!(given_up_ms(owes(40)) < 10_000);
        // A modem's answers stand behind its own bytes.
        assert!(given_up_ms(owes(4_000)) > 20_000);
    }

    #[test]
    fn an_idle_link_is_asked_before_it_is_given_up() {
        let idle = Expected {
            since_ms: None,
            round_trip_ms: Some(40),
        };
        let mut life = Life::new(0);
        assert_eq!(
            life.pulse(0, idle),
            Pulse::Wait {
                until_ms: QUIET_MS_MAX
            }
        );
        assert_eq!(life.pulse(QUIET_MS_MAX, idle), Pulse::Ask);
        life.heard(QUIET_MS_MAX + 100);
        assert_eq!(
            life.pulse(QUIET_MS_MAX + 100, idle),
            Pulse::Wait {
                until_ms: 2 * QUIET_MS_MAX + 100
            }
        );
        assert!(given_up_ms(idle) <= QUIET_MS_MAX + PATIENCE_MS_MIN);
        assert_eq!(
            given_up_ms(Expected::default()),
            QUIET_MS_MAX + PATIENCE_MS_MAX,
            "nothing is known yet"
        );
    }
}
