//! How much of the shift is left: what only ever runs down, but for the center's word.

use serde::{Deserialize, Serialize};

use super::tries::Moment;

/// A shift lasts no longer, whatever a center says (IA-5).
pub(crate) const SHIFT_MS_MAX: i64 = 12 * 60 * 60 * 1_000;

/// As it is kept: how much was left at this time of the wall clock, which is the latest
/// that was seen in this shift.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KeptShift {
    left_ms: i64,
    wall_ms: i64,
}

/// … and as it runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShiftClock {
    left_ms: i64,
    at: Moment,
}

impl ShiftClock {
    /// The center says that so much is left.
    pub(crate) fn new(left_ms: i64, now: Moment) -> Self {
        Self {
            left_ms: left_ms.min(SHIFT_MS_MAX),
            at: now,
        }
    }

    /// What was kept, in a program that starts now. The boot clock may have begun anew, so
    /// of the time in between only the wall clock can tell.
    pub(crate) fn load(kept: KeptShift, now: Moment) -> Self {
        let then = Moment {
            wall_ms: kept.wall_ms,
            ..now
        };
        Self {
            left_ms: kept.left_ms,
            at: then,
        }
    }

    pub(crate) fn left_ms(&self, now: Moment) -> i64 {
        let passed = self.at.perhaps_until(now);
        self.left_ms
            .saturating_sub(i64::try_from(passed).unwrap_or(i64::MAX))
            .max(0)
    }

    /// Runs the clock down to now; what is to be kept of it. A wall clock that went back is
    /// not believed: the latest that was seen stays.
    pub(crate) fn keep(&mut self, now: Moment) -> KeptShift {
        self.left_ms = self.left_ms(now);
        self.at = Moment {
            boot_ms: now.boot_ms,
            wall_ms: now.wall_ms.max(self.at.wall_ms),
        };
        KeptShift {
            left_ms: self.left_ms,
            wall_ms: self.at.wall_ms,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: i64 = 60 * 60 * 1_000;

    fn at(boot_h: i64, wall_h: i64) -> Moment {
        Moment {
            boot_ms: (boot_h * H).unsigned_abs(),
            wall_ms: wall_h * H,
        }
    }

    #[test]
    fn a_shift_lasts_twelve_hours_at_the_most() {
        let clock = ShiftClock::new(i64::MAX, at(0, 100));
        assert_eq!(clock.left_ms(at(0, 100)), 12 * H);
        assert_eq!(clock.left_ms(at(11, 111)), H);
        assert_eq!(clock.left_ms(at(13, 113)), 0);
    }

    #[test]
    fn setting_the_clock_back_gives_no_time_and_neither_does_a_restart() {
        let mut clock = ShiftClock::new(12 * H, at(0, 100));
        // Set back by a day after five hours: the boot clock has counted.
        assert_eq!(clock.left_ms(at(5, 76)), 7 * H);
        let kept = clock.keep(at(5, 76));
        // Restarted with the clock still back: nothing is given back, and it runs on.
        let clock = ShiftClock::load(kept, at(0, 77));
        assert_eq!(clock.left_ms(at(0, 77)), 7 * H);
        assert_eq!(clock.left_ms(at(3, 80)), 4 * H);
        // The clock is right again: what passed while it was off has passed.
        assert_eq!(clock.left_ms(at(3, 108)), 0);
    }

    #[test]
    fn what_passed_while_the_program_did_not_run_has_passed() {
        let mut clock = ShiftClock::new(12 * H, at(0, 100));
        let kept = clock.keep(at(1, 101));
        assert_eq!(
            ShiftClock::load(kept, at(0, 106)).left_ms(at(0, 106)),
            6 * H
        );
    }
}
