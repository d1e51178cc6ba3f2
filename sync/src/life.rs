//! Whether the link still lives. Any byte counts as a sign of life.

use crate::limits::{QUIET_MS_MAX, SILENCE_MS_MAX};

#[derive(Debug)]
pub(crate) struct Life {
    heard_ms: u64,
    asked: bool,
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

impl Life {
    pub(crate) fn new(now_ms: u64) -> Self {
        Self {
            heard_ms: now_ms,
            asked: false,
        }
    }

    pub(crate) fn heard(&mut self, now_ms: u64) {
        self.heard_ms = self.heard_ms.max(now_ms);
        self.asked = false;
    }

    pub(crate) fn pulse(&mut self, now_ms: u64) -> Pulse {
        let silent_ms = now_ms.saturating_sub(self.heard_ms);
        if silent_ms >= SILENCE_MS_MAX {
            return Pulse::Dead;
        }
        if silent_ms < QUIET_MS_MAX {
            return Pulse::Wait {
                until_ms: self.heard_ms + QUIET_MS_MAX,
            };
        }
        if self.asked {
            return Pulse::Wait {
                until_ms: self.heard_ms + SILENCE_MS_MAX,
            };
        }
        self.asked = true;
        Pulse::Ask
    }
}
