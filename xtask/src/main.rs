//! `cargo xtask`: what a contributor runs, one command each.
//!
//! Standard library only: this crate is compiled before anything else can be
//! checked, so it must build in a second and never wait for a download.
//! `.ci/run` calls `cargo xtask test` and nothing else, so that what the CI
//! runs and what a contributor runs cannot drift apart.

mod bindings;
mod failure;
mod fips;
mod fuzz;
mod process;
mod requirements;
mod sabotage;
mod suite;
mod tally;
mod workspace;

use std::process::ExitCode;

use failure::Failure;
use suite::Part;

/// What a night is long enough for.
const SIM_HOURS: &str = "250";

const USAGE: &str = "\
cargo xtask COMMAND

  test [PART]                 everything that must hold, or one part of it:
                                lint     cargo fmt --check, clippy without warnings
                                rust     the tests of all crates, and the doc tests
                                browser  the pages, in Chromium
                                python   the Python package: its types and its tests
                                kotlin   the Kotlin package on the JVM, and its sample
                                swift    what can be checked of it without a Swift compiler
                              and with each of these three that all packages are current
                              The last line reads `N passed, N failed, N skipped`.
  ci                          test, and then cargo deny (bans, licenses, sources)
  bench NAME [--json FILE] [--peers]
                              a benchmark of tests/, built in release and given all that follows
  fuzz [TARGET] [--minutes N] libFuzzer on one target of fuzz/ or on each, 5 minutes
  fips                        the forerunner command with the validated cryptographic module
                              (FIPS 140-3), in target/fips/release; needs cmake and Go
  sim [--hours N]             the city in virtual time, seed after seed: 250 simulated
                              hours, or as many as are asked for
  dictionary                  train sync/dictionary/2.zdict on the made-up city's
                              packets; a shipped dictionary never changes
  bindings all [--check]      generate what is generated in bindings/ from mobile-core, and
                              the description of the border; with --check, only say whether
                              the committed is current. One alone: python, kotlin, swift
  bindings check-targets      type-check mobile-core for Android and iOS
  bindings size               the size of the library, as the tests run it and as an app
                              carries it (profile `device`, built for this)

What is missing on this machine (Chromium, Node, Python, Java, PostgreSQL, a C compiler) is named,
and on Debian as root installed, by `test` and `ci` before they start.
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match run(&arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // `Reported` has said everything already, and its last line must stay the last.
            if !matches!(failure, Failure::Reported) {
                eprintln!("xtask: {failure}");
            }
            failure.exit_code()
        }
    }
}

fn run(arguments: &[&str]) -> Result<(), Failure> {
    match arguments {
        [] | ["help" | "--help" | "-h"] => {
            print!("{USAGE}");
            Ok(())
        }
        ["test"] => suite::test(&Part::ALL),
        ["test", part] => suite::test(&[Part::parse(part)?]),
        ["ci"] => suite::ci(),
        ["bench", "device", rest @ ..] => bindings::bench(rest),
        ["bench", rest @ ..] => run_binary("bench", rest),
        ["fuzz", rest @ ..] => fuzz::run(rest),
        ["fips"] => fips::build(),
        ["sim"] => run_binary("forerunner", &["simulate", "--hours", SIM_HOURS]),
        ["sim", rest @ ..] => run_binary("forerunner", &[&["simulate"], rest].concat()),
        ["dictionary"] => run_binary("dictionary", &[]),
        ["bindings", rest @ ..] => bindings::run(rest),
        other => Err(Failure::Usage(format!(
            "`{}` is not a command; `cargo xtask --help` lists them",
            other.join(" ")
        ))),
    }
}

/// Benchmarks and the dictionary need many crates, so they live in `tests/`; this only
/// saves typing.
fn run_binary(name: &str, arguments: &[&str]) -> Result<(), Failure> {
    process::run(workspace::cargo().args(["build", "--release", "--workspace"]))?;
    let mut command = std::process::Command::new(workspace::release_dir()?.join(name));
    process::run(command.args(arguments))
}
