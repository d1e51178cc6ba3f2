//! `cargo xtask fips`: the command with the validated cryptographic module (FIPS 140-3),
//! by the versions that its certificate names.
//!
//! The workspace in `fips/` has a lock of its own, since those versions are behind what
//! everybody else builds with; the sources are the same.

use crate::failure::Failure;
use crate::process;
use crate::workspace;

/// What the module is built with: it is C, assembly and a little Go.
const TOOLS: [&str; 3] = ["cc", "cmake", "go"];

pub(crate) fn build() -> Result<(), Failure> {
    let missing: Vec<&str> = TOOLS
        .into_iter()
        .filter(|tool| process::find(tool).is_none())
        .collect();
    if !missing.is_empty() {
        return Err(Failure::Failed(format!(
            "missing: {}. On Debian: apt-get install gcc cmake golang-go",
            missing.join(", ")
        )));
    }
    let root = workspace::root();
    process::run(
        workspace::cargo()
            .args(["build", "--release", "--locked", "--manifest-path"])
            .arg(root.join("fips/Cargo.toml"))
            .arg("--target-dir")
            .arg(root.join("target/fips")),
    )?;
    println!("target/fips/release/forerunner");
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::collections::BTreeSet;

    use super::*;

    /// The names under `[dependencies]`.
    fn dependencies(manifest: &str) -> BTreeSet<String> {
        let text = std::fs::read_to_string(workspace::root().join(manifest)).unwrap();
        let (_, rest) = text.split_once("[dependencies]\n").unwrap();
        rest.lines()
            .take_while(|line| !line.starts_with('['))
            .filter_map(|line| line.split([' ', '.']).next())
            .filter(|name| !name.is_empty() && !name.starts_with('#'))
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn the_command_with_the_validated_module_is_made_of_the_same_crates() {
        let mut expected = dependencies("cli/Cargo.toml");
        expected.extend(["aws-lc-rs".into(), "rustls".into()]);
        assert_eq!(dependencies("fips/Cargo.toml"), expected);
    }
}
