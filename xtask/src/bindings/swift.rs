//! What can be checked of the Swift package where there is no Swift compiler: that Clang
//! takes the header and the module map, and that a grammar of Swift takes the sources.

use std::process::Command;

use super::folder;
use crate::failure::Failure;
use crate::process;

pub(crate) fn check() -> Result<(), Failure> {
    let package = folder().join("swift");
    // A module is built only when something imports it.
    let mut clang = Command::new("clang");
    clang.args(["-x", "objective-c", "-fsyntax-only", "-fmodules", "-Werror"]);
    clang.args(["-I", "Sources/ForerunnerFFI/include", "checks/import.m"]);
    clang.arg(format!(
        "-fmodules-cache-path={}",
        crate::workspace::release_dir()?
            .join("bindings-check/modules")
            .display()
    ));
    process::run(clang.current_dir(&package))?;
    println!("the header and the module map: taken by Clang");
    let mut grammar = Command::new("node");
    process::run(grammar.arg("checks/grammar.mjs").current_dir(&package))?;
    println!("not compiled and not run: there is no Swift compiler here");
    Ok(())
}
