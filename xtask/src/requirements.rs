//! What the tests need of the machine, checked before anything is built: it is
//! better to hear in the first second that Chromium is missing than after the build.
//!
//! On Debian as root (a container, the CI) what is missing is installed. Anyone
//! else is told the commands: a task runner that calls `sudo` surprises people.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::suite::Part;
use crate::workspace;

/// What the pinned playwright-core asks for.
const NODE_MAJOR_MIN: u32 = 20;

struct Requirement {
    what: &'static str,
    parts: &'static [Part],
    is_there: fn() -> bool,
    /// Debian's packages that bring it.
    packages: &'static [&'static str],
}

/// Those whose tools come from npm.
const NODE: &[Part] = &[Part::Browser, Part::Python, Part::Kotlin, Part::Swift];

const REQUIREMENTS: &[Requirement] = &[
    Requirement {
        what: "a C compiler (for SQLCipher, OpenSSL, AWS-LC, zstd)",
        parts: &Part::ALL,
        is_there: || process::find("cc").is_some(),
        packages: &["gcc", "libc6-dev"],
    },
    Requirement {
        what: "make (for OpenSSL)",
        parts: &Part::ALL,
        is_there: || process::find("make").is_some(),
        packages: &["make"],
    },
    Requirement {
        what: "perl (for OpenSSL)",
        parts: &Part::ALL,
        is_there: || process::find("perl").is_some(),
        packages: &["perl"],
    },
    Requirement {
        what: "PostgreSQL (the tests start one of their own)",
        parts: &[Part::Rust],
        is_there: postgres_is_there,
        packages: &["postgresql"],
    },
    Requirement {
        what: "Chromium",
        parts: &[Part::Browser],
        is_there: || chromium().is_some(),
        packages: &["chromium", "fonts-dejavu-core"],
    },
    Requirement {
        what: "Node",
        parts: NODE,
        is_there: || process::find("node").is_some(),
        packages: &["nodejs"],
    },
    Requirement {
        what: "npm",
        parts: NODE,
        is_there: || process::find("npm").is_some(),
        packages: &["npm"],
    },
    Requirement {
        what: "Java (17 or newer)",
        parts: &[Part::Kotlin],
        is_there: || process::find("java").is_some(),
        packages: &["default-jdk-headless"],
    },
    Requirement {
        what: "JNA (the Kotlin package calls the library with it)",
        parts: &[Part::Kotlin],
        is_there: || jar("jna.jar").is_file() && Path::new("/usr/share/doc/libjna-jni").is_dir(),
        packages: &["libjna-java", "libjna-jni"],
    },
    Requirement {
        what: "JUnit 5",
        parts: &[Part::Kotlin],
        is_there: || jar("junit-platform-console.jar").is_file(),
        packages: &["junit5"],
    },
    Requirement {
        what: "Clang (for the Swift package's header)",
        parts: &[Part::Swift],
        is_there: || process::find("clang").is_some(),
        packages: &["clang"],
    },
    Requirement {
        what: "Python 3",
        parts: &[Part::Python],
        is_there: || process::find("python3").is_some(),
        packages: &["python3"],
    },
];

/// Sees to it that all that `parts` need is there, or says what to do.
pub(crate) fn ensure(parts: &[Part]) -> Result<(), Failure> {
    if parts.contains(&Part::Lint) {
        ensure_cargo_components()?;
    }
    let missing = missing(parts);
    if !missing.is_empty() {
        install(&missing)?;
    }
    if parts.iter().any(|part| NODE.contains(part)) {
        ensure_node_version()?;
    }
    if parts.contains(&Part::Browser) {
        ensure_node_modules("tests/browser")?;
    }
    if parts
        .iter()
        .any(|part| *part != Part::Browser && NODE.contains(part))
    {
        ensure_node_modules("bindings")?;
    }
    Ok(())
}

/// Where Debian puts what Java programs share.
pub(crate) fn jar(name: &str) -> PathBuf {
    Path::new("/usr/share/java").join(name)
}

/// A file of the compilers and checkers that `bindings/package.json` names.
pub(crate) fn tool(path: &str) -> PathBuf {
    workspace::root().join("bindings/node_modules").join(path)
}

/// Where the tests look for it (`tests/src/postgres.rs`): a client alone has the folder too.
fn postgres_is_there() -> bool {
    let versions = Path::new("/usr/lib/postgresql").read_dir();
    let mut versions = versions.into_iter().flatten().flatten();
    versions.any(|version| version.path().join("bin/initdb").is_file())
}

/// The browser of the browser tests: what `CHROMIUM` names, or the system's.
pub(crate) fn chromium() -> Option<PathBuf> {
    match std::env::var_os("CHROMIUM") {
        Some(path) => Some(PathBuf::from(path)).filter(|path| path.is_file()),
        None => ["chromium", "chromium-browser", "google-chrome"]
            .into_iter()
            .find_map(process::find),
    }
}

fn missing(parts: &[Part]) -> Vec<&'static Requirement> {
    let needed = REQUIREMENTS
        .iter()
        .filter(|requirement| requirement.parts.iter().any(|part| parts.contains(part)));
    needed
        .filter(|requirement| !(requirement.is_there)())
        .collect()
}

fn install(missing: &[&Requirement]) -> Result<(), Failure> {
    let what: Vec<_> = missing.iter().map(|requirement| requirement.what).collect();
    let what = what.join(", ");
    let packages: BTreeSet<_> = missing.iter().flat_map(|r| r.packages).copied().collect();
    let packages: Vec<_> = packages.into_iter().collect();
    if process::find("apt-get").is_none() {
        return Err(Failure::Failed(format!(
            "missing: {what}. Please install it with this system's package manager \
             (Debian's names: {})",
            packages.join(" ")
        )));
    }
    if !is_root() {
        return Err(Failure::Failed(format!(
            "missing: {what}. Please run\n\n  sudo apt-get update\n  \
             sudo apt-get install -y --no-install-recommends {}\n",
            packages.join(" ")
        )));
    }
    println!("missing: {what}; installing {}", packages.join(" "));
    process::run(Command::new("apt-get").arg("update"))?;
    let mut command = Command::new("apt-get");
    command.env("DEBIAN_FRONTEND", "noninteractive");
    command.args(["install", "-y", "--no-install-recommends"]);
    process::run(command.args(packages))
}

/// The effective user, as Linux tells it; elsewhere nobody is root, and is told the commands.
fn is_root() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let uids = status.lines().find_map(|line| line.strip_prefix("Uid:"));
    uids.and_then(|uids| uids.split_whitespace().nth(1)) == Some("0")
}

fn ensure_cargo_components() -> Result<(), Failure> {
    for component in ["fmt", "clippy"] {
        if process::output(workspace::cargo().args([component, "--version"])).is_none() {
            return Err(Failure::Failed(format!(
                "missing: cargo {component}. Please run\n\n  rustup component add rustfmt clippy\n"
            )));
        }
    }
    Ok(())
}

fn ensure_node_version() -> Result<(), Failure> {
    let version = process::output(Command::new("node").arg("--version")).unwrap_or_default();
    match node_major(&version) {
        Some(major) if major >= NODE_MAJOR_MIN => Ok(()),
        _ => Err(Failure::Failed(format!(
            "Node {NODE_MAJOR_MIN} or newer is needed, and `node --version` says `{}` \
             (Debian 13 has a new enough one, Debian 12 has not)",
            version.trim()
        ))),
    }
}

fn node_major(version: &str) -> Option<u32> {
    version
        .trim()
        .strip_prefix('v')?
        .split('.')
        .next()?
        .parse()
        .ok()
}

/// `npm ci`, unless what it would install is there: npm keeps its own copy of the
/// lockfile beside the modules, and that is as new as the last install.
fn ensure_node_modules(folder: &str) -> Result<(), Failure> {
    let folder = workspace::root().join(folder);
    let changed = |file: &str| {
        folder
            .join(file)
            .metadata()
            .and_then(|data| data.modified())
            .ok()
    };
    let installed = changed("node_modules/.package-lock.json");
    if installed.is_some() && installed >= changed("package-lock.json") {
        return Ok(());
    }
    let mut command = Command::new("npm");
    command.args(["ci", "--ignore-scripts", "--no-audit", "--no-fund"]);
    process::run(command.current_dir(folder))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_major_version_of_node_is_read() {
        assert_eq!(node_major("v20.20.2\n"), Some(20));
        assert_eq!(node_major(""), None);
    }

    #[test]
    fn each_requirement_names_packages_and_who_needs_it() {
        for requirement in REQUIREMENTS {
            assert!(!requirement.packages.is_empty(), "{}", requirement.what);
            assert!(!requirement.parts.is_empty(), "{}", requirement.what);
        }
    }
}
