//! The language packages, generated from mobile-core's library.
//!
//! The generated module is committed, so that whoever reads the package sees what
//! they get and a review shows what a change does to apps. The tests say when it
//! is stale. The shared library is built for one machine and stays out of git.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace;

/// Named by UniFFI after the crate.
const PYTHON_MODULE: &str = "forerunner_mobile_core.py";

/// `cargo xtask bindings python`.
pub(crate) fn write_python() -> Result<(), Failure> {
    let release = build()?;
    let package = package();
    generate(&release, &package)?;
    place_library(&release)?;
    println!("written: {}", package.join(PYTHON_MODULE).display());
    Ok(())
}

/// `cargo xtask bindings python --check`.
pub(crate) fn check_python() -> Result<(), Failure> {
    check_built_python(&build()?)
}

/// Compares the committed module with what the library in `release` gives now.
pub(crate) fn check_built_python(release: &Path) -> Result<(), Failure> {
    let fresh_dir = release.join("bindings-check");
    generate(release, &fresh_dir)?;
    let read = |path: PathBuf| {
        std::fs::read_to_string(&path).map_err(Failure::while_doing(path.display()))
    };
    let committed = read(package().join(PYTHON_MODULE))?;
    let fresh = read(fresh_dir.join(PYTHON_MODULE))?;
    match difference(&committed, &fresh) {
        None => {
            println!("bindings/python is current");
            Ok(())
        }
        Some(difference) => Err(Failure::Failed(format!(
            "bindings/python is not what mobile-core gives now; \
             please run `cargo xtask bindings python` and commit\n{difference}"
        ))),
    }
}

/// Puts the shared library beside the module that loads it.
pub(crate) fn place_library(release: &Path) -> Result<(), Failure> {
    let (from, to) = (library(release), library(&package()));
    std::fs::copy(&from, &to)
        .map(|_| ())
        .map_err(Failure::while_doing(format!(
            "copy {} to {}",
            from.display(),
            to.display()
        )))
}

/// All of the workspace: with fewer crates named, their dependencies would be built
/// once more, with fewer features.
fn build() -> Result<PathBuf, Failure> {
    process::run(workspace::cargo().args(["build", "--release", "--workspace"]))?;
    workspace::release_dir()
}

/// Unformatted: formatters differ from machine to machine, and the check compares text.
fn generate(release: &Path, out_dir: &Path) -> Result<(), Failure> {
    let generator = format!("forerunner-bindgen{}", std::env::consts::EXE_SUFFIX);
    let mut command = Command::new(release.join(generator));
    command.args([
        "generate",
        "--language",
        "python",
        "--no-format",
        "--out-dir",
    ]);
    command.arg(out_dir).arg(library(release));
    process::run(command.current_dir(workspace::root()))
}

fn library(folder: &Path) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    folder.join(format!("{DLL_PREFIX}forerunner_mobile_core{DLL_SUFFIX}"))
}

fn package() -> PathBuf {
    workspace::root().join("bindings/python/forerunner")
}

/// Where two texts begin to differ, and by how much; `None` if they do not.
fn difference(committed: &str, fresh: &str) -> Option<String> {
    if committed == fresh {
        return None;
    }
    let (old, new): (Vec<_>, Vec<_>) = (committed.lines().collect(), fresh.lines().collect());
    let same = old
        .iter()
        .zip(&new)
        .take_while(|(old, new)| old == new)
        .count();
    let line = |lines: &[&str]| lines.get(same).copied().unwrap_or("(end)").to_owned();
    Some(format!(
        "first difference in line {}:\n  - {}\n  + {}\n{} lines committed, {} now",
        same + 1,
        line(&old),
        line(&new),
        old.len(),
        new.len()
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_difference_is_shown() {
        assert_eq!(difference("a\nb\n", "a\nb\n"), None);
        let text = difference("a\nb\n", "a\nc\nd\n").unwrap_or_default();
        assert!(
            text.contains("line 2:\n  - b\n  + c\n2 lines committed, 3 now"),
            "{text}"
        );
        let text = difference("a\n", "a\nb\n").unwrap_or_default();
        assert!(text.contains("line 2:\n  - (end)\n  + b\n"), "{text}");
    }
}
