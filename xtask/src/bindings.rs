//! The language packages, generated from mobile-core's library.
//!
//! What is generated is committed, so that whoever reads a package sees what they get and
//! a review shows what a change does to apps. The tests say when it is stale. The shared
//! library is built for one machine and stays out of git.
//!
//! `bindings/api.txt` is the border in words. When it changes, the packages' changelog has
//! to say so: its newest section must name the fingerprint that the file's first line bears.

mod difference;
pub(crate) mod kotlin;
mod size;
pub(crate) mod swift;
mod targets;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace;

const USAGE: &str =
    "bindings takes all, python, kotlin or swift (and --check), check-targets or size";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Language {
    Python,
    Kotlin,
    Swift,
}

impl Language {
    const ALL: [Self; 3] = [Self::Python, Self::Kotlin, Self::Swift];

    /// As UniFFI calls it.
    fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Kotlin => "kotlin",
            Self::Swift => "swift",
        }
    }

    /// What the generator writes, and where in `bindings/` it belongs.
    fn files(self) -> &'static [(&'static str, &'static str)] {
        match self {
            Self::Python => &[(
                "forerunner_mobile_core.py",
                "python/forerunner/forerunner_mobile_core.py",
            )],
            Self::Kotlin => &[(
                "forerunner/mobile/forerunner_mobile_core.kt",
                "kotlin/src/main/kotlin/forerunner/mobile/forerunner_mobile_core.kt",
            )],
            Self::Swift => &[
                (
                    "ForerunnerCore.swift",
                    "swift/Sources/ForerunnerCore/ForerunnerCore.swift",
                ),
                (
                    "ForerunnerFFI.h",
                    "swift/Sources/ForerunnerFFI/include/ForerunnerFFI.h",
                ),
            ],
        }
    }
}

/// `cargo xtask bindings …`.
pub(crate) fn run(arguments: &[&str]) -> Result<(), Failure> {
    let languages = |name: &str| match name {
        "all" => Some(Language::ALL.to_vec()),
        name => Language::ALL
            .into_iter()
            .find(|language| language.name() == name)
            .map(|language| vec![language]),
    };
    match arguments {
        ["check-targets"] => targets::check(&build()?),
        ["size"] => size::print(&build()?),
        [name] => write(&languages(name).ok_or(Failure::Usage(USAGE.into()))?),
        [name, "--check"] => {
            languages(name).ok_or(Failure::Usage(USAGE.into()))?;
            check_built(&build()?)
        }
        _ => Err(Failure::Usage(USAGE.into())),
    }
}

/// `cargo xtask bench device`: with what calls mobile-core from Python and from Kotlin. The
/// figures of a language that is not on this machine are not measured.
pub(crate) fn bench(arguments: &[&str]) -> Result<(), Failure> {
    let release = build()?;
    place_library(&release)?;
    let mut command = Command::new(release.join("bench"));
    command.arg("device").args(arguments);
    command.env("FORERUNNER_PYTHON", folder().join("python"));
    match kotlin::class_path(&release) {
        Ok(path) => {
            command.env("FORERUNNER_KOTLIN", path);
            command.env("FORERUNNER_LIBRARY", library(&release));
        }
        Err(failure) => eprintln!("xtask: without Kotlin: {failure}"),
    }
    process::run(&mut command)
}

fn write(languages: &[Language]) -> Result<(), Failure> {
    let release = build()?;
    for language in languages {
        let made = generate(&release, *language)?;
        for (from, to) in language.files() {
            copy(&made.join(from), &folder().join(to))?;
            println!("written: bindings/{to}");
        }
    }
    let api = describe(&release)?;
    let path = folder().join("api.txt");
    std::fs::write(&path, &api).map_err(Failure::while_doing(path.display()))?;
    println!("written: bindings/api.txt");
    if !is_told(&read(&folder().join("CHANGELOG.md"))?, fingerprint(&api)) {
        println!(
            "the border has changed: please say in bindings/CHANGELOG.md, under Unreleased, what \
             that is for apps, and name {} there",
            fingerprint(&api)
        );
    }
    place_library(&release)
}

/// Compares what is committed with what the library in `release` gives now.
pub(crate) fn check_built(release: &Path) -> Result<(), Failure> {
    for language in Language::ALL {
        let made = generate(release, language)?;
        for (from, to) in language.files() {
            compare(to, &read(&made.join(from))?)?;
        }
    }
    let api = describe(release)?;
    compare("api.txt", &api)?;
    if !is_told(&read(&folder().join("CHANGELOG.md"))?, fingerprint(&api)) {
        return Err(Failure::Failed(format!(
            "the border of the packages has changed, and bindings/CHANGELOG.md does not say so: \
             its first section has to name `{}` (bindings/api.txt) beside what changes for apps",
            fingerprint(&api)
        )));
    }
    println!("bindings/ is current, and its changelog names the border");
    Ok(())
}

fn compare(file: &str, fresh: &str) -> Result<(), Failure> {
    match difference::between(&read(&folder().join(file))?, fresh) {
        None => Ok(()),
        Some(difference) => Err(Failure::Failed(format!(
            "bindings/{file} is not what mobile-core gives now; \
             please run `cargo xtask bindings all` and commit\n{difference}"
        ))),
    }
}

/// Puts the shared library beside the Python module that loads it.
pub(crate) fn place_library(release: &Path) -> Result<(), Failure> {
    copy(
        &library(release),
        &library(&folder().join("python/forerunner")),
    )
}

/// All of the workspace: with fewer crates named, their dependencies would be built
/// once more, with fewer features.
fn build() -> Result<PathBuf, Failure> {
    process::run(workspace::cargo().args(["build", "--release", "--workspace"]))?;
    workspace::release_dir()
}

/// Unformatted: formatters differ from machine to machine, and the check compares text.
fn generate(release: &Path, language: Language) -> Result<PathBuf, Failure> {
    let out_dir = release.join("bindings-check").join(language.name());
    let mut command = Command::new(generator(release));
    command.args(["generate", "--language", language.name()]);
    command.args(["--no-format", "--out-dir"]);
    command.arg(&out_dir).arg(library(release));
    process::run(command.current_dir(workspace::root()))?;
    Ok(out_dir)
}

fn describe(release: &Path) -> Result<String, Failure> {
    let mut command = Command::new(generator(release));
    process::output(command.arg("describe").arg(library(release)))
        .ok_or_else(|| Failure::Failed("forerunner-bindgen describe did not work".into()))
}

/// Of the first line of `api.txt`.
fn fingerprint(api: &str) -> &str {
    let (_, rest) = api.split_once("fingerprint ").unwrap_or_default();
    rest.split(':').next().unwrap_or_default()
}

/// Whether the changelog's first section names this border.
fn is_told(changelog: &str, fingerprint: &str) -> bool {
    let newest = changelog.split("\n## ").nth(1).unwrap_or_default();
    !fingerprint.is_empty() && newest.contains(fingerprint)
}

fn generator(release: &Path) -> PathBuf {
    release.join(format!(
        "forerunner-bindgen{}",
        std::env::consts::EXE_SUFFIX
    ))
}

fn library(folder: &Path) -> PathBuf {
    use std::env::consts::{DLL_PREFIX, DLL_SUFFIX};
    folder.join(format!("{DLL_PREFIX}forerunner_mobile_core{DLL_SUFFIX}"))
}

fn folder() -> PathBuf {
    workspace::root().join("bindings")
}

fn read(path: &Path) -> Result<String, Failure> {
    std::fs::read_to_string(path).map_err(Failure::while_doing(path.display()))
}

fn copy(from: &Path, to: &Path) -> Result<(), Failure> {
    let doing = || Failure::while_doing(format!("copy {} to {}", from.display(), to.display()));
    if let Some(parent) = to.parent() {
        std::fs::create_dir_all(parent).map_err(doing())?;
    }
    std::fs::copy(from, to).map(|_| ()).map_err(doing())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_border_counts_as_told_only_in_the_newest_section() {
        let api = "# The border of the packages, fingerprint 00ff: written by";
        assert_eq!(fingerprint(api), "00ff");
        let told = "# Changelog\n\n## Unreleased\nBorder `00ff`.\n\n## 0.1\nBorder `0001`.\n";
        assert!(is_told(told, "00ff"));
        assert!(!is_told(told, "0001"));
        assert!(!is_told(told, ""));
        assert!(!is_told("no sections: 00ff", "00ff"));
    }
}
