//! How large the library is that an app carries.

use std::path::Path;
use std::process::Command;

use super::library;
use crate::failure::Failure;
use crate::process;

/// `cargo xtask bindings size`.
pub(super) fn print(release: &Path) -> Result<(), Failure> {
    let built = library(release);
    let stripped = release.join("bindings-check/stripped");
    let mut strip = Command::new("strip");
    process::run(
        strip
            .arg("--strip-unneeded")
            .arg("-o")
            .arg(&stripped)
            .arg(&built),
    )?;
    let size = |path: &Path| {
        let data = path
            .metadata()
            .map_err(Failure::while_doing(path.display()));
        data.map(|data| data.len())
    };
    println!("as built, with symbols: {} bytes", size(&built)?);
    println!("stripped, as shipped:   {} bytes", size(&stripped)?);
    Ok(())
}
