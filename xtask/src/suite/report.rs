//! What was run, how long it took, and how it ended.

use std::fmt::Write;
use std::time::{Duration, Instant};

use crate::failure::Failure;
use crate::tally::Tally;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outcome {
    Good,
    Failed,
    NotRun,
}

#[derive(Debug)]
struct Step {
    name: &'static str,
    outcome: Outcome,
    took: Duration,
    tally: Option<Tally>,
}

/// Runs steps and remembers what came of them.
#[derive(Debug, Default)]
pub(crate) struct Report {
    steps: Vec<Step>,
}

impl Report {
    /// A step that holds no tests. Returns whether it went well.
    pub(crate) fn check(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<(), Failure>,
    ) -> bool {
        self.run(name, || step().map(|()| None))
    }

    /// The same, where it needs the build.
    pub(crate) fn check_if(
        &mut self,
        built: bool,
        name: &'static str,
        step: impl FnOnce() -> Result<(), Failure>,
    ) {
        if built {
            self.check(name, step);
        } else {
            self.not_run(name);
        }
    }

    /// A step that holds tests, and needs the build.
    pub(crate) fn tests_if(
        &mut self,
        built: bool,
        name: &'static str,
        step: impl FnOnce() -> Result<Tally, Failure>,
    ) {
        if built {
            self.run(name, || step().map(Some));
        } else {
            self.not_run(name);
        }
    }

    fn run(
        &mut self,
        name: &'static str,
        step: impl FnOnce() -> Result<Option<Tally>, Failure>,
    ) -> bool {
        println!("\n== {name}");
        let start = Instant::now();
        let (outcome, tally) = match step() {
            Ok(Some(tally)) if tally.failed > 0 => (Outcome::Failed, Some(tally)),
            Ok(tally) => (Outcome::Good, tally),
            Err(failure) => {
                eprintln!("xtask: {failure}");
                (Outcome::Failed, None)
            }
        };
        let took = start.elapsed();
        self.steps.push(Step {
            name,
            outcome,
            took,
            tally,
        });
        outcome == Outcome::Good
    }

    fn not_run(&mut self, name: &'static str) {
        let (outcome, took) = (Outcome::NotRun, Duration::ZERO);
        self.steps.push(Step {
            name,
            outcome,
            took,
            tally: None,
        });
    }

    /// Prints the table, what was skipped and, last, the totals. Nothing passed is
    /// a failure where there should have been tests.
    pub(crate) fn finish(&self, has_tests: bool) -> Result<(), Failure> {
        print!("\n{}", self.text());
        let all_good = self.steps.iter().all(|step| step.outcome == Outcome::Good);
        let total = self.total();
        if all_good && total.failed == 0 && (total.passed > 0 || !has_tests) {
            Ok(())
        } else {
            Err(Failure::Reported)
        }
    }

    fn total(&self) -> Tally {
        let mut total = Tally::default();
        for tally in self.steps.iter().filter_map(|step| step.tally.clone()) {
            total.add(tally);
        }
        total
    }

    fn text(&self) -> String {
        let mut text = String::new();
        for Step {
            name,
            outcome,
            took,
            tally,
        } in &self.steps
        {
            let outcome = match outcome {
                Outcome::Good => "ok",
                Outcome::Failed => "FAILED",
                Outcome::NotRun => "not run",
            };
            let took_s = took.as_secs_f64();
            let counts = tally.as_ref().map(counts).unwrap_or_default();
            let row = format!("{name:<14} {outcome:<8} {took_s:>8.1} s  {counts}");
            // Writing to a string cannot fail.
            let _ = writeln!(text, "{}", row.trim_end());
        }
        let total = self.total();
        if !total.skipped_names.is_empty() {
            text.push_str("\nskipped:\n");
            for name in &total.skipped_names {
                let _ = writeln!(text, "  {name}");
            }
        }
        let _ = writeln!(text, "\n{}", counts(&total));
        text
    }
}

fn counts(tally: &Tally) -> String {
    let Tally {
        passed,
        failed,
        skipped,
        ..
    } = tally;
    format!("{passed} passed, {failed} failed, {skipped} skipped")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(passed: u64, failed: u64) -> Tally {
        Tally {
            passed,
            failed,
            ..Tally::default()
        }
    }

    #[test]
    fn the_last_line_adds_up_all_tests() {
        let mut report = Report::default();
        report.tests_if(true, "one", || Ok(tally(2, 0)));
        report.tests_if(true, "two", || {
            let skipped_names = vec!["sound: no card".to_owned()];
            Ok(Tally {
                skipped: 1,
                skipped_names,
                ..tally(3, 0)
            })
        });
        let text = report.text();
        assert!(text.contains("\n  sound: no card\n"));
        assert_eq!(text.lines().last(), Some("5 passed, 0 failed, 1 skipped"));
        assert!(report.finish(true).is_ok());
    }

    #[test]
    fn a_failed_test_a_failed_step_or_no_test_at_all_is_a_failure() {
        let mut failed_test = Report::default();
        failed_test.tests_if(true, "one", || Ok(tally(2, 1)));
        assert!(failed_test.finish(true).is_err());

        let mut failed_step = Report::default();
        assert!(!failed_step.check("format", || Err(Failure::Reported)));
        failed_step.tests_if(true, "one", || Ok(tally(2, 0)));
        assert!(failed_step.finish(true).is_err());

        let mut no_test = Report::default();
        assert!(no_test.check("format", || Ok(())));
        assert!(no_test.finish(true).is_err());
        assert!(no_test.finish(false).is_ok());
    }

    #[test]
    fn what_needs_a_build_that_failed_is_not_run_and_the_table_says_so() {
        let mut report = Report::default();
        report.tests_if(false, "rust tests", || panic!("must not run"));
        assert!(report.text().contains("not run"));
        assert!(report.finish(false).is_err());
    }
}
