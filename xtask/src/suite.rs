//! The suite: its steps in order, and what is said at the end.
//!
//! A failed step does not stop the others, so one run tells all that is wrong;
//! only what needs the build is left out when the build fails.

mod report;
mod steps;

use crate::failure::Failure;
use crate::process;
use crate::requirements;
use crate::sabotage;
use crate::workspace;
use report::Report;

/// What can be asked for alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Lint,
    Rust,
    Browser,
    Python,
    Kotlin,
    Swift,
}

impl Part {
    pub(crate) const ALL: [Part; 6] = [
        Part::Lint,
        Part::Rust,
        Part::Browser,
        Part::Python,
        Part::Kotlin,
        Part::Swift,
    ];

    pub(crate) fn parse(name: &str) -> Result<Self, Failure> {
        match name {
            "lint" => Ok(Part::Lint),
            "rust" => Ok(Part::Rust),
            "browser" => Ok(Part::Browser),
            "python" => Ok(Part::Python),
            "kotlin" => Ok(Part::Kotlin),
            "swift" => Ok(Part::Swift),
            _ => Err(Failure::Usage(format!(
                "`{name}` is no part of the tests: lint, rust, browser, python, kotlin or swift"
            ))),
        }
    }
}

/// `cargo xtask test`.
pub(crate) fn test(parts: &[Part]) -> Result<(), Failure> {
    requirements::ensure(parts)?;
    let mut report = Report::default();
    run_parts(parts, &mut report)?;
    report.finish(parts != [Part::Lint])
}

/// `cargo xtask ci`: the tests, and the rules about dependencies. The advisory
/// database is left out: it changes without any change here.
pub(crate) fn ci() -> Result<(), Failure> {
    if process::output(workspace::cargo().args(["deny", "--version"])).is_none() {
        return Err(Failure::Failed(
            "missing: cargo deny. Please run\n\n  cargo install cargo-deny --locked\n".into(),
        ));
    }
    requirements::ensure(&Part::ALL)?;
    let mut report = Report::default();
    run_parts(&Part::ALL, &mut report)?;
    report.check("dependencies", steps::dependencies);
    report.finish(true)
}

fn run_parts(parts: &[Part], report: &mut Report) -> Result<(), Failure> {
    let release = workspace::release_dir()?;
    let has = |part: Part| parts.contains(&part);
    if has(Part::Lint) {
        report.check("format", steps::format);
        report.check("clippy", steps::clippy);
    }
    if parts == [Part::Lint] {
        return Ok(());
    }
    let built = report.check("build", steps::build);
    if has(Part::Rust) {
        report.tests_if(built, "rust tests", || steps::rust_tests(&release));
        report.tests_if(built, "sabotage", || sabotage::run(&release));
    }
    if has(Part::Browser) {
        report.tests_if(built, "browser tests", || steps::browser_tests(&release));
    }
    if has(Part::Python) || has(Part::Kotlin) || has(Part::Swift) {
        report.check_if(built, "bindings", || steps::bindings(&release));
    }
    if has(Part::Python) {
        report.check("python types", steps::python_types);
        report.tests_if(built, "python tests", || steps::python_tests(&release));
    }
    if has(Part::Kotlin) {
        report.tests_if(built, "kotlin tests", || steps::kotlin_tests(&release));
    }
    if has(Part::Swift) {
        report.tests_if(true, "swift checks", steps::swift_checks);
    }
    Ok(())
}
