//! The Kotlin package on the JVM: compiled by npm's Kotlin compiler, with the coroutines
//! that come in it, run by Debian's JNA and JUnit. No Gradle: that would fetch its own.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{folder, library};
use crate::failure::Failure;
use crate::process;
use crate::requirements::{jar, tool};

/// Small, and collected by one thread: so that what a leak keeps shows in the size of the
/// process, and does not drown in a heap that grows because it may.
const JAVA: [&str; 2] = ["-Xmx128m", "-XX:+UseSerialGC"];
const COMPILES_WITH: [&str; 5] = [
    "jna.jar",
    "junit-jupiter-api.jar",
    "apiguardian-api.jar",
    "opentest4j.jar",
    "junit-platform-commons.jar",
];
const RUNS_WITH: [&str; 11] = [
    "jna.jar",
    "junit-jupiter-api.jar",
    "junit-jupiter-engine.jar",
    "junit-platform-commons.jar",
    "junit-platform-engine.jar",
    "junit-platform-launcher.jar",
    "junit-platform-console.jar",
    "junit-platform-reporting.jar",
    "opentest4j.jar",
    "opentest4j-reporting-events.jar",
    "apiguardian-api.jar",
];

/// Compiles the package, its tests and the sample as one module; says how to run the tests.
pub(crate) fn tests(release: &Path) -> Result<Command, Failure> {
    let path = class_path(release)?;
    let mut command = Command::new("java");
    command.args(JAVA);
    let mut override_ =
        OsString::from("-Duniffi.component.forerunner_mobile_core.libraryOverride=");
    override_.push(library(release));
    command.arg(override_);
    command.arg("-cp").arg(path);
    command.arg("org.junit.platform.console.ConsoleLauncher");
    command.args([
        "--disable-banner",
        "--disable-ansi-colors",
        "--details=tree",
    ]);
    let mut scan = OsString::from("--scan-classpath=");
    scan.push(classes(release));
    command.arg(scan).current_dir(folder().join("kotlin"));
    Ok(command)
}

fn classes(release: &Path) -> PathBuf {
    release.join("bindings-kotlin")
}

/// Compiles them, and says where all is that they run with.
pub(super) fn class_path(release: &Path) -> Result<OsString, Failure> {
    let classes = classes(release);
    if classes.exists() {
        std::fs::remove_dir_all(&classes).map_err(Failure::while_doing(classes.display()))?;
    }
    compile(&classes)?;
    let compiler = ["kotlin-stdlib.jar", "kotlinx-coroutines-core-jvm.jar"].map(kotlin_jar);
    let mut path = vec![classes];
    path.extend(compiler);
    path.extend(RUNS_WITH.map(jar));
    // Debian's newer console asks for it.
    path.push(jar("picocli.jar"));
    joined(path)
}

fn compile(classes: &Path) -> Result<(), Failure> {
    let mut path = vec![kotlin_jar("kotlinx-coroutines-core-jvm.jar")];
    path.extend(COMPILES_WITH.map(jar));
    // npm's package lacks the executable bit.
    let mut command = Command::new("bash");
    command.arg(tool("kotlin-compiler/bin/kotlinc"));
    command.args(["-Werror", "-jvm-target", "17", "-cp"]);
    command.arg(joined(path)?).arg("-d").arg(classes);
    command.args(["src/main/kotlin", "src/test/kotlin", "sample"]);
    process::run(command.current_dir(folder().join("kotlin")))
}

fn kotlin_jar(name: &str) -> PathBuf {
    tool("kotlin-compiler/lib").join(name)
}

fn joined(path: Vec<PathBuf>) -> Result<OsString, Failure> {
    std::env::join_paths(path).map_err(|error| Failure::Failed(error.to_string()))
}
