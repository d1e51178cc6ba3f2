//! Whether mobile-core is right for a phone, as far as a compiler's front end can tell.
//!
//! No Rust for phones is in Debian, so the standard library is checked from its sources by
//! `-Zbuild-std`, which a stable compiler allows under `RUSTC_BOOTSTRAP`; compiler and sources
//! are those of `rustc-web` and `rust-web-src`. Checking makes no machine code, so the C of
//! the dependencies is not needed either: a C compiler that says yes stands in for one that
//! would need Android's NDK or Xcode. Nothing is linked.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::Failure;
use crate::process;
use crate::workspace;

const TARGETS: [&str; 2] = ["aarch64-linux-android", "aarch64-apple-ios"];
/// Debian's, whatever else is on the path.
const RUSTC: &str = "/usr/bin/rustc";
const CARGO: &str = "/usr/bin/cargo";
const SOURCES: &str = "/usr/lib/rustlib/src/rust/library";

/// Makes the file that is asked for, empty. What a header says (`-E`), it asks the machine's
/// own compiler, without the words that only the target's would know.
const CC: &str = r#"#!/bin/sh
out= last=
for word in "$@"; do
  [ "$last" = -o ] && out=$word
  last=$word
done
# The question by which Microsoft's compiler is told from others.
case " $* " in *" -? "*) exit 1 ;; esac
case " $* " in *" -E "*)
  for word in "$@"; do
    shift
    case $word in --target=*|-arch|arm64|-miphoneos*|-mios*|-isysroot) ;; *) set -- "$@" "$word" ;; esac
  done
  exec cc "$@" ;;
esac
[ -n "$out" ] && : > "$out"
exit 0
"#;
const AR: &str = r#"#!/bin/sh
for word in "$@"; do case $word in *.a) : > "$word" ;; esac; done
exit 0
"#;

/// `cargo xtask bindings check-targets`.
pub(super) fn check(release: &Path) -> Result<(), Failure> {
    if ![RUSTC, CARGO, SOURCES]
        .iter()
        .all(|path| Path::new(path).exists())
    {
        return Err(Failure::Failed(
            "missing: a compiler with the sources of its standard library. Please run\n\n  \
             sudo apt-get install -y --no-install-recommends rustc-web cargo-web rust-web-src\n"
                .into(),
        ));
    }
    let folder = release.join("bindings-check/phones");
    let (cc, ar) = (folder.join("cc"), folder.join("ar"));
    fs::create_dir_all(&folder).map_err(Failure::while_doing(folder.display()))?;
    write_program(&cc, CC)?;
    write_program(&ar, AR)?;
    let openssl = openssl(release)?;
    let mut failed = Vec::new();
    for target in TARGETS {
        println!("\n== {target}");
        match process::run(&mut command(target, &folder, &cc, &ar, &openssl)) {
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
            "not type-checked: {}; docs/mobile/targets.md says what is known",
            failed.join(", ")
        ))),
    }
}

fn command(target: &str, folder: &Path, cc: &Path, ar: &Path, openssl: &Path) -> Command {
    let mut command = Command::new(CARGO);
    command.current_dir(workspace::root());
    command.args([
        "check",
        "-p",
        "forerunner-mobile-core",
        "--lib",
        "--target",
        target,
    ]);
    // A folder of its own: another compiler's work would be thrown away by each.
    command
        .arg("-Zbuild-std=std,panic_unwind")
        .arg("--target-dir")
        .arg(folder);
    command.env("RUSTC", RUSTC).env("RUSTC_BOOTSTRAP", "1");
    command.env_remove("RUSTUP_TOOLCHAIN").env_remove("CARGO");
    let name = target.replace('-', "_");
    command
        .env(format!("CC_{name}"), cc)
        .env(format!("CXX_{name}"), cc);
    command.env(format!("AR_{name}"), ar);
    // The headers of the OpenSSL that was built for this machine say the same for a phone.
    command
        .env("OPENSSL_NO_VENDOR", "1")
        .env("OPENSSL_STATIC", "1");
    command.env("OPENSSL_DIR", openssl);
    // Any folder but the root, instead of asking Xcode.
    command.env("SDKROOT", folder);
    command
}

/// Where the build for this machine has put OpenSSL's headers.
fn openssl(release: &Path) -> Result<PathBuf, Failure> {
    let builds = release.join("build");
    let found = fs::read_dir(&builds).map_err(Failure::while_doing(builds.display()))?;
    found
        .flatten()
        .filter(|entry| {
            entry
                .file_name()
                .to_string_lossy()
                .starts_with("openssl-sys-")
        })
        .map(|entry| entry.path().join("out/openssl-build/install"))
        .find(|install| install.join("include").is_dir())
        .ok_or_else(|| Failure::Failed("the release build has left no headers of OpenSSL".into()))
}

fn write_program(path: &Path, text: &str) -> Result<(), Failure> {
    fs::write(path, text).map_err(Failure::while_doing(path.display()))?;
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(path, fs::Permissions::from_mode(0o755))
            .map_err(Failure::while_doing(path.display()))?;
    }
    Ok(())
}
