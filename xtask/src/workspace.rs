//! Where things are. Cargo is asked for what the user may have moved.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;

/// The folder of the workspace: this crate's parent.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// The cargo that runs us, at the root.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The folder of release builds, wherever the target directory is set to be.
pub(crate) fn release_dir() -> Result<PathBuf, Failure> {
    let mut command = cargo();
    command.args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]);
    process::output(&mut command)
        .and_then(|metadata| target_directory(&metadata))
        .map(|target| target.join("release"))
        .ok_or_else(|| Failure::Failed("cargo metadata does not tell the target directory".into()))
}

/// Picks the one field that is needed out of cargo's JSON.
fn target_directory(metadata: &str) -> Option<PathBuf> {
    let (_, rest) = metadata.split_once(r#""target_directory":""#)?;
    let (path, _) = rest.split_once('"')?;
    Some(PathBuf::from(path.replace(r"\\", r"\")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_target_directory_is_read_from_cargo_metadata() {
        let metadata = r#"{"packages":[],"target_directory":"/home/a b/target","version":1}"#;
        let expected = Some(PathBuf::from("/home/a b/target"));
        assert_eq!(target_directory(metadata), expected);
        assert_eq!(target_directory("{}"), None);
    }

    #[test]
    fn the_root_is_the_folder_with_the_workspace_manifest() {
        assert!(root().join("xtask/Cargo.toml").is_file());
    }
}
