//! At most so many attempts in a minute.

/// Attempts that may come at once: what is due in so many milliseconds.
const BURST_MS: i64 = 5_000;

/// The virtual scheduling algorithm (ITU-T I.371, annex A), in microseconds so that whole
/// numbers do.
#[derive(Debug)]
pub(super) struct Rate {
    step_us: i64,
    burst_us: i64,
    /// When the next attempt would be due if they came evenly.
    due_us: i64,
}

impl Rate {
    pub(super) fn new(per_minute_max: u32) -> Self {
        let step_us = 60_000_000 / i64::from(per_minute_max.max(1));
        Self {
            step_us,
            burst_us: (BURST_MS * 1_000 - step_us).max(0),
            due_us: i64::MIN / 2,
        }
    }

    pub(super) fn next_ms(&self) -> i64 {
        // Rounded up: a moment too soon would be asked for again and again.
        -(self.burst_us - self.due_us).div_euclid(1_000)
    }

    pub(super) fn take(&mut self, now_ms: i64) {
        self.due_us = self.due_us.max(now_ms * 1_000) + self.step_us;
    }
}
