//! Counts of tests, read from what four test runners print.
//!
//! The runners agree on nothing, so each has its reader; all fill one [`Tally`].
//! A runner that fails without having said so in its figures (it crashed, or did
//! not compile) counts as one failed test, so that a failure is never lost.

use std::collections::BTreeSet;

/// What became of the tests of one runner, or of all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u64,
    pub(crate) failed: u64,
    pub(crate) skipped: u64,
    /// `name: reason` where the runner tells it.
    pub(crate) skipped_names: Vec<String>,
}

impl Tally {
    pub(crate) fn add(&mut self, other: Tally) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
        self.skipped_names.extend(other.skipped_names);
    }

    /// Must be called when the runner has ended.
    pub(crate) fn settle(&mut self, succeeded: bool) {
        if !succeeded && self.failed == 0 {
            self.failed = 1;
        }
    }

    /// Tests that found at run time that they cannot run announce it in a file, one
    /// `name: reason` a line, and return as if they had passed: libtest knows no
    /// other way. They are counted as what they are.
    pub(crate) fn take_announced(&mut self, announced: &str) {
        let lines = announced.lines().map(str::trim).filter(|l| !l.is_empty());
        let names: BTreeSet<&str> = lines.collect();
        let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
        self.passed = self.passed.saturating_sub(count);
        self.skipped += count;
        self.skipped_names
            .extend(names.into_iter().map(str::to_owned));
    }

    /// libtest: one `test result:` line a test binary.
    pub(crate) fn read_cargo(&mut self, line: &str) {
        if let Some(result) = line.strip_prefix("test result: ") {
            self.passed += number_before(result, " passed").unwrap_or(0);
            self.failed += number_before(result, " failed").unwrap_or(0);
            self.skipped += number_before(result, " ignored").unwrap_or(0);
        } else if let Some(test) = line.strip_prefix("test ")
            && let Some((name, reason)) = test.split_once(" ... ignored")
        {
            self.skipped_names
                .push(named(name, reason.trim_start_matches(", ")));
        }
    }

    /// Node's TAP: totals at the end, as comments. A test may print comments too,
    /// so the last one counts; what was cancelled has not passed.
    pub(crate) fn read_tap(&mut self, totals: &mut TapTotals, line: &str) {
        let total = |name: &str| line.strip_prefix(name).and_then(|n| n.parse::<u64>().ok());
        if let Some(count) = total("# pass ") {
            totals.passed = count;
        } else if let Some(count) = total("# fail ") {
            totals.failed = count;
        } else if let Some(count) = total("# cancelled ") {
            totals.cancelled = count;
        } else if let Some(count) = total("# skipped ") {
            totals.skipped = count;
        } else if let Some((test, reason)) = line.trim_start().split_once(" # SKIP") {
            let name = test.split_once(" - ").map_or(test, |(_, name)| name);
            self.skipped_names.push(named(name, reason.trim()));
        }
        self.passed = totals.passed;
        self.failed = totals.failed + totals.cancelled;
        self.skipped = totals.skipped;
    }

    /// JUnit's console launcher, at the end: `[ 3 tests successful ]` and its like. What
    /// fails before its first test counts as one that failed.
    pub(crate) fn read_junit(&mut self, line: &str) {
        let Some(total) = line.strip_prefix('[').and_then(|l| l.strip_suffix(']')) else {
            return;
        };
        let mut words = total.split_whitespace();
        let count = words.next().and_then(|word| word.parse::<u64>().ok());
        let what = words.collect::<Vec<_>>().join(" ");
        match (count, what.as_str()) {
            (Some(count), "tests successful") => self.passed += count,
            (Some(count), "tests failed" | "containers failed") => self.failed += count,
            (Some(count), "tests skipped" | "tests aborted") => self.skipped += count,
            _ => {}
        }
    }

    /// Python's unittest, verbose: `Ran N tests`, then `OK (…)` or `FAILED (…)`.
    pub(crate) fn read_unittest(&mut self, line: &str) {
        if let Some(ran) = line.strip_prefix("Ran ") {
            self.passed = number_before(ran, " test").unwrap_or(0);
        } else if line.starts_with("OK") || line.starts_with("FAILED (") {
            let count = |what: &str| number_after(line, what).unwrap_or(0);
            // The space or bracket before the word tells `failures` from `expected failures`.
            let failed = count("(failures=") + count("errors=") + count("unexpected successes=");
            let skipped = count("skipped=");
            self.failed += failed;
            self.skipped += skipped;
            self.passed = self.passed.saturating_sub(failed + skipped);
        } else if let Some((test, reason)) = line.split_once(" ... skipped ") {
            self.skipped_names
                .push(named(test, reason.trim_matches(['\'', '"'])));
        }
    }
}

/// The totals that Node's TAP has told so far.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TapTotals {
    passed: u64,
    failed: u64,
    cancelled: u64,
    skipped: u64,
}

fn named(name: &str, reason: &str) -> String {
    if reason.is_empty() {
        name.to_owned()
    } else {
        format!("{name}: {reason}")
    }
}

fn number_before(text: &str, word: &str) -> Option<u64> {
    let (before, _) = text.split_once(word)?;
    before.rsplit(' ').next()?.parse().ok()
}

fn number_after(text: &str, word: &str) -> Option<u64> {
    let (_, after) = text.split_once(word)?;
    after.split([',', ')']).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(tally: &Tally) -> (u64, u64, u64) {
        (tally.passed, tally.failed, tally.skipped)
    }

    #[test]
    fn the_results_of_several_test_binaries_add_up() {
        let mut tally = Tally::default();
        for line in [
            "test sends::a_note ... ok",
            "test sends::a_photo ... ignored, needs a camera",
            "test result: ok. 3 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.00s",
            "test result: FAILED. 10 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 1.20s",
        ] {
            tally.read_cargo(line);
        }
        assert_eq!(counts(&tally), (13, 2, 1));
        assert_eq!(tally.skipped_names, ["sends::a_photo: needs a camera"]);
    }

    #[test]
    fn a_test_that_announced_its_skip_did_not_pass() {
        let mut tally = Tally {
            passed: 5,
            ..Tally::default()
        };
        tally.take_announced("tests::b: no network\ntests::a: no clock\ntests::b: no network\n\n");
        assert_eq!(counts(&tally), (3, 0, 2));
        assert_eq!(
            tally.skipped_names,
            ["tests::a: no clock", "tests::b: no network"]
        );
    }

    #[test]
    fn a_runner_that_ends_badly_without_figures_counts_as_a_failure() {
        let mut tally = Tally::default();
        tally.read_cargo("test result: ok. 3 passed; 0 failed; 0 ignored");
        tally.settle(false);
        assert_eq!(counts(&tally), (3, 1, 0));
        tally.settle(true);
        assert_eq!(counts(&tally), (3, 1, 0));
    }

    #[test]
    fn the_last_totals_of_tap_count_and_cancelled_tests_failed() {
        let (mut tally, mut totals) = (Tally::default(), TapTotals::default());
        for line in [
            "# pass 99",
            "ok 1 - the page opens",
            "    ok 2 - the page rings # SKIP no sound here",
            "# tests 6",
            "# pass 3",
            "# fail 1",
            "# cancelled 1",
            "# skipped 1",
        ] {
            tally.read_tap(&mut totals, line);
        }
        assert_eq!(counts(&tally), (3, 2, 1));
        assert_eq!(tally.skipped_names, ["the page rings: no sound here"]);
    }

    #[test]
    fn the_totals_of_junit_are_read_and_a_class_that_cannot_start_failed() {
        let mut tally = Tally::default();
        for line in [
            "[         2 containers successful ]",
            "[         1 containers failed     ]",
            "[        17 tests found           ]",
            "[         1 tests skipped         ]",
            "[        14 tests successful      ]",
            "[         2 tests failed          ]",
        ] {
            tally.read_junit(line);
        }
        assert_eq!(counts(&tally), (14, 3, 1));
    }

    #[test]
    fn unittest_is_read_whether_it_is_well_or_not() {
        let read = |lines: &[&str]| {
            let mut tally = Tally::default();
            lines.iter().for_each(|line| tally.read_unittest(line));
            tally
        };
        assert_eq!(counts(&read(&["Ran 4 tests in 0.1s", "OK"])), (4, 0, 0));
        assert_eq!(
            counts(&read(&["Ran 1 test in 0.1s", "FAILED (errors=1)"])),
            (0, 1, 0)
        );
        let tally = read(&[
            "test_b (t.T.test_b) ... skipped 'no server'",
            "Ran 9 tests in 0.1s",
            "FAILED (failures=1, errors=2, skipped=1, expected failures=3)",
        ]);
        assert_eq!(counts(&tally), (5, 3, 1));
        assert_eq!(tally.skipped_names, ["test_b (t.T.test_b): no server"]);
        let tally = read(&["Ran 3 tests in 0.1s", "OK (expected failures=2)"]);
        assert_eq!(counts(&tally), (3, 0, 0));
    }
}
