//! Five bad tries within fifteen minutes, then a supervisor (AC-7).
//!
//! No I/O here: whoever calls keeps what changed, and keeps it *before* the PIN or the
//! code is tried. A device that dies while it tries has used that try up.

use packet::DeviceNumber;
use packet::custody::release_code;
use serde::{Deserialize, Serialize};

pub(crate) const TRIES_MAX: usize = 5;
const WITHIN_MS: u64 = 15 * 60 * 1_000;
/// Wrong codes that a device takes before only the center itself can release it.
pub(crate) const CODE_TRIES_MAX: u8 = 5;

/// The clocks as they were when something was last kept. Not kept themselves: what passed
/// while the program did not run counts as nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Moment {
    pub(crate) boot_ms: u64,
    pub(crate) wall_ms: i64,
}

impl Moment {
    /// How much has surely passed between these two, of one run of the program.
    pub(crate) fn surely_until(self, later: Self) -> u64 {
        let by_boot = later.boot_ms.saturating_sub(self.boot_ms);
        let by_wall = later.wall_ms.saturating_sub(self.wall_ms);
        by_boot.min(u64::try_from(by_wall).unwrap_or(0))
    }

    /// How much may have passed.
    pub(crate) fn perhaps_until(self, later: Self) -> u64 {
        let by_boot = later.boot_ms.saturating_sub(self.boot_ms);
        let by_wall = later.wall_ms.saturating_sub(self.wall_ms);
        by_boot.max(u64::try_from(by_wall).unwrap_or(0))
    }
}

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Tries {
    /// How long ago the bad ones were.
    ages_ms: Vec<u64>,
    /// Set while the device is locked out: the digits on its screen.
    challenge: Option<String>,
    code_tries: u8,
    /// How often it was locked out: no challenge comes twice.
    lockouts: u32,
    /// The last of the center's releases that this device knows.
    releases: u64,
}

/// The device takes no more tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Enough;

impl Tries {
    /// So much time has surely passed. What is locked out stays so.
    pub(crate) fn pass(&mut self, ms: u64) {
        for age_ms in &mut self.ages_ms {
            *age_ms = age_ms.saturating_add(ms);
        }
        self.ages_ms.retain(|age_ms| *age_ms < WITHIN_MS);
    }

    /// The device takes part in AC-7 for good where what it kept of it is gone.
    pub(crate) fn lost(random: u32) -> Self {
        let mut tries = Self::default();
        tries.lock_out(random);
        tries
    }

    fn lock_out(&mut self, random: u32) {
        self.lockouts = self.lockouts.wrapping_add(1);
        self.code_tries = 0;
        self.challenge = Some(format!(
            "{:03}{:05}",
            self.lockouts % 1_000,
            random % 100_000
        ));
    }

    /// Counts a try as bad, to be kept before it is made.
    pub(crate) fn begin(&mut self, random: u32) -> Result<(), Enough> {
        if self.challenge.is_some() {
            return Err(Enough);
        }
        self.ages_ms.push(0);
        if self.ages_ms.len() >= TRIES_MAX {
            self.lock_out(random);
        }
        Ok(())
    }

    /// It was a good one.
    pub(crate) fn good(&mut self) {
        self.ages_ms.clear();
        self.challenge = None;
        self.code_tries = 0;
    }

    /// Counts a try of a code, to be kept before [`Tries::answers`] is asked.
    pub(crate) fn begin_code(&mut self) -> Result<(), Enough> {
        if self.challenge.is_none() || self.code_tries >= CODE_TRIES_MAX {
            return Err(Enough);
        }
        self.code_tries += 1;
        Ok(())
    }

    /// Whether this is the code to the challenge.
    pub(crate) fn answers(&self, secret: &[u8], device: DeviceNumber, code: &str) -> bool {
        self.challenge.as_ref().is_some_and(|challenge| {
            let right = release_code(secret, device, challenge);
            aws_lc_rs::constant_time::verify_slices_are_equal(right.as_bytes(), code.as_bytes())
                .is_ok()
        })
    }

    /// The center has released the device so often. Whether that was news.
    pub(crate) fn released(&mut self, releases: u64) -> bool {
        if releases <= self.releases {
            return false;
        }
        self.releases = releases;
        self.good();
        true
    }

    pub(crate) fn releases(&self) -> u64 {
        self.releases
    }

    pub(crate) fn challenge(&self) -> Option<&str> {
        self.challenge.as_deref()
    }

    pub(crate) fn tries_left(&self) -> u8 {
        let left = TRIES_MAX.saturating_sub(self.ages_ms.len());
        u8::try_from(left).unwrap_or(u8::MAX)
    }

    pub(crate) fn code_tries_left(&self) -> u8 {
        CODE_TRIES_MAX.saturating_sub(self.code_tries)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn bad(tries: &mut Tries, count: usize) {
        for _ in 0..count {
            tries.begin(12_345).unwrap();
        }
    }

    #[test]
    fn the_fifth_bad_try_within_fifteen_minutes_is_the_last() {
        let mut tries = Tries::default();
        bad(&mut tries, 4);
        assert_eq!((tries.tries_left(), tries.challenge()), (1, None));
        bad(&mut tries, 1);
        assert_eq!(tries.challenge(), Some("00112345"));
        assert_eq!(tries.begin(1), Err(Enough));
        // Time alone releases nobody.
        tries.pass(u64::MAX);
        assert_eq!(tries.begin(1), Err(Enough));
    }

    #[test]
    fn a_try_of_more_than_fifteen_minutes_ago_no_longer_counts() {
        let mut tries = Tries::default();
        bad(&mut tries, 4);
        tries.pass(WITHIN_MS - 1);
        assert_eq!(tries.tries_left(), 1);
        tries.pass(1);
        assert_eq!(tries.tries_left(), 5);
    }

    #[test]
    fn a_good_try_wipes_the_slate_even_the_fifth() {
        let mut tries = Tries::default();
        bad(&mut tries, 5);
        tries.good();
        assert_eq!((tries.tries_left(), tries.challenge()), (5, None));
    }

    #[test]
    fn a_code_works_once_and_five_wrong_ones_end_the_codes() {
        let device = DeviceNumber(7);
        let mut tries = Tries::default();
        bad(&mut tries, 5);
        let first = release_code(&[1; 32], device, tries.challenge().unwrap());
        tries.begin_code().unwrap();
        assert!(!tries.answers(&[1; 32], device, "00000000"));
        tries.begin_code().unwrap();
        assert!(tries.answers(&[1; 32], device, &first));
        tries.good();
        // Locked out again, even by the same chance: the old code is no good.
        bad(&mut tries, 5);
        assert!(!tries.answers(&[1; 32], device, &first));
        for _ in 0..CODE_TRIES_MAX {
            tries.begin_code().unwrap();
        }
        assert_eq!(tries.begin_code(), Err(Enough));
        // The center itself still can, each of its releases once.
        assert!(tries.released(3));
        assert_eq!(tries.tries_left(), 5);
        bad(&mut tries, 5);
        assert!(!tries.released(3));
        assert!(tries.released(4));
    }

    #[test]
    fn time_has_surely_passed_only_where_both_clocks_say_so() {
        let at = |boot_ms, wall_ms| Moment { boot_ms, wall_ms };
        let begin = at(1_000, 50_000);
        for (later, surely, perhaps) in [
            (at(1_500, 50_500), 500, 500),
            // The clock was set forward, or the laptop slept.
            (at(1_500, 9_999_999), 500, 9_949_999),
            // It was set back.
            (at(1_500, 10), 0, 500),
            // Restarted, as a boot clock shows it.
            (at(3, 51_000), 0, 1_000),
            (at(3, 3), 0, 0),
        ] {
            assert_eq!(begin.surely_until(later), surely, "{later:?}");
            assert_eq!(begin.perhaps_until(later), perhaps, "{later:?}");
        }
    }
}
