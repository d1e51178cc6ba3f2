//! How large the library is that an app carries.

use std::path::Path;
use std::process::{Command, Stdio};

use super::library;
use crate::failure::Failure;
use crate::process;
use crate::workspace;

/// `cargo xtask bindings size`: before and after what is done to make it small.
pub(super) fn print(release: &Path) -> Result<(), Failure> {
    // With the features of mobile-core alone, as the packages' scripts build it.
    let mut build = workspace::cargo();
    build.args(["build", "--profile", "device", "--lib"]);
    process::run(build.args(["-p", "forerunner-mobile-core"]))?;
    let built = library(release);
    let stripped = release.join("bindings-check/stripped");
    let mut strip = Command::new("strip");
    strip.arg("--strip-unneeded").arg("-o").arg(&stripped);
    process::run(strip.arg(&built))?;
    let small = library(&release.with_file_name("device"));
    println!("| the library for this machine | bytes | packed by gzip |");
    println!("| --- | --: | --: |");
    for (name, path) in [
        ("as the tests run it, with symbols", &built),
        ("the same, stripped", &stripped),
        (
            "profile `device`: `opt-level = \"z\"`, fat LTO, one unit, stripped",
            &small,
        ),
    ] {
        println!("| {name} | {} | {} |", bytes(path)?, packed(path)?);
    }
    Ok(())
}

fn bytes(path: &Path) -> Result<u64, Failure> {
    let data = path
        .metadata()
        .map_err(Failure::while_doing(path.display()));
    data.map(|data| data.len())
}

/// As a store sends it.
fn packed(path: &Path) -> Result<usize, Failure> {
    let mut gzip = Command::new("gzip");
    gzip.arg("-9c").arg(path).stdout(Stdio::piped());
    let packed = gzip.output().map_err(Failure::while_doing("gzip"))?;
    Ok(packed.stdout.len())
}
