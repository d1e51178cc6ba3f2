//! What nobody that the center knows was denied, within bounds: whoever can reach a port must
//! not be able to fill the audit log, or bury in it what somebody else did.
//!
//! In each minute so many are entered one by one; the next entry after that says how many
//! were not.

use std::sync::{Mutex, PoisonError};

/// Entered one by one in a minute.
const PER_MINUTE_MAX: u32 = 60;
const MINUTE_MS: i64 = 60_000;

#[derive(Debug, Default)]
struct State {
    since_ms: i64,
    entered: u32,
    left_out: u64,
}

/// How many were entered in this minute, and how many were not.
#[derive(Debug, Default)]
pub struct Strangers(Mutex<State>);

impl Strangers {
    /// `None`: this one is only counted. Else how many before it were.
    pub fn enter(&self, now_ms: i64) -> Option<u64> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if !(0..MINUTE_MS).contains(&(now_ms - state.since_ms)) {
            state.since_ms = now_ms;
            state.entered = 0;
        }
        if state.entered >= PER_MINUTE_MAX {
            state.left_out += 1;
            return None;
        }
        state.entered += 1;
        Some(std::mem::take(&mut state.left_out))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_of_strangers_is_entered_in_part_and_counted_whole() {
        let strangers = Strangers::default();
        let entered = (0..1_000).filter_map(|ms| strangers.enter(ms)).count();
        assert_eq!(entered, PER_MINUTE_MAX as usize);
        assert_eq!(strangers.enter(MINUTE_MS), Some(1_000 - 60));
        assert_eq!(strangers.enter(MINUTE_MS + 1), Some(0));
        // A clock that is set back does not shut the door for longer.
        assert_eq!(strangers.enter(-1), Some(0));
    }
}
