//! One function a step.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::bindings;
use crate::failure::Failure;
use crate::process::{self, Stream};
use crate::requirements;
use crate::tally::{Tally, TapTotals};
use crate::workspace;

pub(crate) fn format() -> Result<(), Failure> {
    process::run(workspace::cargo().args(["fmt", "--all", "--check"]))
}

pub(crate) fn clippy() -> Result<(), Failure> {
    process::run(workspace::cargo().args([
        "clippy",
        "--release",
        "--workspace",
        "--all-targets",
        "--",
        "-D",
        "warnings",
    ]))
}

pub(crate) fn build() -> Result<(), Failure> {
    process::run(workspace::cargo().args(["build", "--release", "--workspace"]))
}

pub(crate) fn dependencies() -> Result<(), Failure> {
    process::run(workspace::cargo().args(["deny", "check", "bans", "licenses", "sources"]))
}

/// The build has been made: no need to build again.
pub(crate) fn bindings(release: &Path) -> Result<(), Failure> {
    bindings::check_built(release)
}

/// What an integrator's type checker says of the Python package and its tests.
pub(crate) fn python_types() -> Result<(), Failure> {
    let package = workspace::root().join("bindings/python");
    let mut command = Command::new("node");
    command.arg(requirements::tool("pyright/index.js"));
    process::run(command.arg("--project").arg(&package).current_dir(package))
}

pub(crate) fn kotlin_tests(release: &Path) -> Result<Tally, Failure> {
    let mut tally = Tally::default();
    let mut command = bindings::kotlin::tests(release)?;
    command.env("FORERUNNER_BIN", forerunner(release));
    let good = process::run_reading(&mut command, Stream::Out, |line| tally.read_junit(line))?;
    tally.settle(good);
    Ok(tally)
}

pub(crate) fn swift_checks() -> Result<Tally, Failure> {
    let (mut tally, mut totals) = (Tally::default(), TapTotals::default());
    let good = process::run_reading(&mut bindings::swift::checks(), Stream::Out, |line| {
        tally.read_tap(&mut totals, line);
    })?;
    tally.settle(good);
    Ok(tally)
}

pub(crate) fn rust_tests(release: &Path) -> Result<Tally, Failure> {
    let announced = release.join("skipped-tests.txt");
    let doing = || Failure::while_doing(announced.display().to_string());
    std::fs::write(&announced, "").map_err(doing())?;
    let mut command = workspace::cargo();
    command.args(["test", "--release", "--workspace", "--no-fail-fast"]);
    command.env("FORERUNNER_SKIPPED", &announced);
    let mut tally = Tally::default();
    let good = process::run_reading(&mut command, Stream::Out, |line| tally.read_cargo(line))?;
    tally.settle(good);
    tally.take_announced(&std::fs::read_to_string(&announced).map_err(doing())?);
    Ok(tally)
}

/// The files are named one by one: what `node --test FOLDER` means has changed
/// between versions. One file at a time: each starts a center and a browser.
pub(crate) fn browser_tests(release: &Path) -> Result<Tally, Failure> {
    let folder = workspace::root().join("tests/browser");
    let files = test_files(&folder)?;
    let mut command = Command::new("node");
    command.args(["--test", "--test-reporter=tap", "--test-concurrency=1"]);
    command.args(files).current_dir(folder);
    command.env("FORERUNNER_BIN", forerunner(release));
    if let Some(chromium) = requirements::chromium() {
        command.env("CHROMIUM", chromium);
    }
    let (mut tally, mut totals) = (Tally::default(), TapTotals::default());
    let good = process::run_reading(&mut command, Stream::Out, |line| {
        tally.read_tap(&mut totals, line);
    })?;
    tally.settle(good);
    Ok(tally)
}

pub(crate) fn python_tests(release: &Path) -> Result<Tally, Failure> {
    bindings::place_library(release)?;
    let package = workspace::root().join("bindings/python");
    let mut command = Command::new("python3");
    command.args([
        "-m",
        "unittest",
        "discover",
        "--verbose",
        "--start-directory",
        "tests",
    ]);
    command.env("PYTHONPATH", &package).current_dir(&package);
    command.env("FORERUNNER_BIN", forerunner(release));
    let mut tally = Tally::default();
    let good = process::run_reading(&mut command, Stream::Err, |line| tally.read_unittest(line))?;
    tally.settle(good);
    Ok(tally)
}

fn forerunner(release: &Path) -> PathBuf {
    release.join(format!("forerunner{}", std::env::consts::EXE_SUFFIX))
}

fn test_files(folder: &Path) -> Result<Vec<PathBuf>, Failure> {
    let doing = || Failure::while_doing(folder.display().to_string());
    let mut files = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(doing())? {
        let path = entry.map_err(doing())?.path();
        if path.to_string_lossy().ends_with(".test.mjs") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}
