//! Whether mobile-core is right for a phone, as far as a compiler's front end can tell.
//!
//! Rust's standard library for these targets is in no Debian package, so it is built from
//! source by `-Zbuild-std`, which a stable compiler allows under `RUSTC_BOOTSTRAP`. Nothing
//! is linked: that needs Android's NDK or Xcode.

use std::path::PathBuf;
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace;

const TARGETS: [&str; 2] = ["aarch64-linux-android", "aarch64-apple-ios"];

/// `cargo xtask bindings check-targets`.
pub(super) fn check() -> Result<(), Failure> {
    let mut failed = Vec::new();
    for target in TARGETS {
        println!("\n== {target}");
        match process::run(&mut command(target)?) {
            Ok(()) => println!("{target}: type-checked, not linked"),
            Err(failure) => {
                eprintln!("xtask: {failure}");
                failed.push(target);
            }
        }
    }
    match failed.as_slice() {
        [] => Ok(()),
        failed => Err(Failure::Failed(format!(
            "not type-checked: {}; docs/mobile/targets.md says what is needed",
            failed.join(", ")
        ))),
    }
}

fn command(target: &str) -> Result<Command, Failure> {
    let mut command = workspace::cargo();
    command.args(["check", "-p", "forerunner-mobile-core", "--lib"]);
    command.args(["--target", target, "-Zbuild-std=std,panic_unwind"]);
    command.env("RUSTC_BOOTSTRAP", "1");
    // C of the dependencies is not compiled here: a C compiler that says yes stands in.
    let _: PathBuf = workspace::release_dir()?;
    Ok(command)
}
