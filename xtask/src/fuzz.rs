//! `cargo xtask fuzz`: libFuzzer on the targets in `fuzz/`, each for some minutes.
//!
//! The compiler is the one that builds everything else: `RUSTC_BOOTSTRAP` lets it take
//! the fuzzer's flags. Without a sanitizer: our code has nothing unsafe, what the
//! functions assert is asserted, and their memory is counted. What is found lies in
//! `fuzz/found/TARGET` (inputs that reach something new) and `fuzz/artifacts/TARGET`
//! (inputs that break something).

use std::path::Path;
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace;

const MINUTES: u64 = 5;
/// Longer ones are slow and reach nothing that shorter ones do not.
const INPUT_BYTES_MAX: usize = 4 * 1024;
/// One input that takes this long is a finding.
const INPUT_S_MAX: u64 = 10;

const USAGE: &str = "\
cargo xtask fuzz [TARGET] [--minutes N]

  libFuzzer on one target of fuzz/ or on each in turn, 5 minutes or N. The first run
  builds all of it once more, instrumented, into fuzz/target: that takes many minutes.

  It needs cargo-fuzz (cargo install cargo-fuzz --locked) and a C++ compiler, and no
  nightly toolchain.

  fuzz/found/TARGET      inputs that reach something new; the next run goes on from them
  fuzz/artifacts/TARGET  inputs that break something: the command then fails. Each becomes
                         a file in fuzz/corpus/TARGET
  fuzz/corpus/TARGET     what the tests run again each time (tests/tests/corpora.rs)
";

/// `[TARGET] [--minutes N]`.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let folder = workspace::root().join("fuzz");
    let all = targets(&folder)?;
    if let ["help" | "--help" | "-h"] = arguments {
        println!("{USAGE}\n  The targets are {}.", all.join(", "));
        return Ok(());
    }
    let (target, minutes) = match arguments {
        [] => (None, MINUTES),
        ["--minutes", minutes] => (None, parse(minutes)?),
        [target] => (Some(*target), MINUTES),
        [target, "--minutes", minutes] => (Some(*target), parse(minutes)?),
        _ => return Err(Failure::Usage("fuzz [TARGET] [--minutes N]".into())),
    };
    let chosen: Vec<&String> = all
        .iter()
        .filter(|name| target.is_none_or(|target| target == name.as_str()))
        .collect();
    if chosen.is_empty() {
        let names = all.join(", ");
        return Err(Failure::Usage(format!("the targets are {names}")));
    }
    ensure_cargo_fuzz()?;
    let mut broken = Vec::new();
    for name in chosen {
        println!("fuzz: {name}, {minutes} minutes");
        // The others are run all the same: one run tells all that is wrong.
        if let Err(failure) = fuzz(&folder, name, minutes) {
            eprintln!("{failure}");
            broken.push(name.as_str());
        }
    }
    if broken.is_empty() {
        Ok(())
    } else {
        let broken = broken.join(", ");
        Err(Failure::Failed(format!(
            "fuzzing broke {broken}: the inputs are in fuzz/artifacts"
        )))
    }
}

fn parse(minutes: &str) -> Result<u64, Failure> {
    let wrong = |_| Failure::Usage(format!("`{minutes}` is no number of minutes"));
    minutes.parse().map_err(wrong)
}

fn ensure_cargo_fuzz() -> Result<(), Failure> {
    if process::output(workspace::cargo().args(["fuzz", "--version"])).is_none() {
        return Err(Failure::Failed(
            "missing: cargo fuzz. Please run\n\n  cargo install cargo-fuzz --locked\n".into(),
        ));
    }
    if process::find("c++").is_none() {
        return Err(Failure::Failed(
            "missing: a C++ compiler (for libFuzzer; Debian's package is g++)".into(),
        ));
    }
    Ok(())
}

/// The files in `fuzz_targets`, by name.
fn targets(folder: &Path) -> Result<Vec<String>, Failure> {
    let folder = folder.join("fuzz_targets");
    let doing = || Failure::while_doing(folder.display().to_string());
    let mut names = Vec::new();
    for entry in std::fs::read_dir(&folder).map_err(doing())? {
        let path = entry.map_err(doing())?.path();
        if let Some(name) = path.file_stem() {
            names.push(name.to_string_lossy().into_owned());
        }
    }
    names.sort();
    Ok(names)
}

fn fuzz(folder: &Path, name: &str, minutes: u64) -> Result<(), Failure> {
    let found = folder.join("found").join(name);
    std::fs::create_dir_all(&found).map_err(Failure::while_doing(found.display()))?;
    // New inputs go into the first folder; the others are only read.
    let kept = folder.join("corpus").join(name);
    let mut command: Command = workspace::cargo();
    command
        .args([
            "fuzz",
            "run",
            "--release",
            "--sanitizer",
            "none",
            "--fuzz-dir",
        ])
        .arg(folder)
        .arg(name)
        .args([&found, &kept])
        .arg("--")
        .arg(format!("-max_total_time={}", minutes * 60))
        .arg(format!("-max_len={INPUT_BYTES_MAX}"))
        .arg(format!("-timeout={INPUT_S_MAX}"))
        .arg("-print_final_stats=1")
        .env("RUSTC_BOOTSTRAP", "1")
        .env("FORERUNNER_SEEDS", &found);
    process::run(&mut command)
}
