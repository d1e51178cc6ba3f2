//! The sabotaged build: our crates once more, with switches that break a promise each.
//!
//! It has a target folder of its own. `mobile-core` is a shared library too, whose file
//! cargo names without a hash: built with other features in the same folder, it would
//! take the place of the one that everything else links with. What our crates stand on
//! is the same in both builds, so it is linked over instead of built again.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process::{self, Stream};
use crate::tally::Tally;
use crate::workspace;

/// What every one of our crates' files has in its name.
const OURS: [&str; 2] = ["forerunner", "xtask"];

/// Breaks each promise once and sees that it is noticed; prints the table.
pub(crate) fn run(release: &Path) -> Result<Tally, Failure> {
    let target = target_of(release);
    let doing = || Failure::while_doing(target.display().to_string());
    for part in [".fingerprint", "build", "deps"] {
        link_all(&release.join(part), &target.join("release").join(part)).map_err(doing())?;
    }
    let mut tally = Tally::default();
    let good = process::run_reading(&mut command(&target), Stream::Out, |line| {
        tally.read_cargo(line);
    })?;
    tally.settle(good);
    Ok(tally)
}

fn target_of(release: &Path) -> PathBuf {
    release.with_file_name("sabotage")
}

fn command(target: &Path) -> Command {
    let mut command = workspace::cargo();
    command.args(["test", "--release", "--workspace"]);
    command.args(["--features", "forerunner-sim/sabotage"]);
    command.args(["--test", "sabotage", "--test", "arrivals_sabotage"]);
    command.args(["--", "--nocapture"]);
    command.env("CARGO_TARGET_DIR", target);
    command
}

/// Links what is not ours and not there yet, folder by folder.
fn link_all(from: &Path, to: &Path) -> std::io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        let name = entry.file_name();
        if is_ours(&name.to_string_lossy()) {
            continue;
        }
        let there = to.join(&name);
        if entry.file_type()?.is_dir() {
            link_all(&entry.path(), &there)?;
        } else if !there.exists() {
            // A link keeps the file's time, by which cargo tells what is new.
            fs::hard_link(entry.path(), &there)?;
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    OURS.iter().any(|ours| name.contains(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_own_crates_are_told_from_what_they_stand_on() {
        assert!(is_ours("libforerunner_mobile_core.rlib"));
        assert!(is_ours("xtask-0f3a"));
        assert!(!is_ours("libautomerge-7a0c.rlib"));
    }
}
