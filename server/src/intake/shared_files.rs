//! Files that lie beside the repository and are not part of it: NENA's samples
//! and a real fortnight of calls. A test that wants one and does not find it
//! says so, and the whole test run can list those in the end.

use std::io::Write as _;
use std::path::PathBuf;

/// The path of `name` in the folder beside the repository; `None`, and a line
/// in the list of skipped tests, where it is not there.
pub(crate) fn shared_file(name: &str, test: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(name);
    if path.exists() {
        return Some(path);
    }
    println!("SKIPPED {test}: {name} is not there");
    if let Some(list) = std::env::var_os("FORERUNNER_SKIPPED") {
        let appended = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(list)
            .and_then(|mut file| writeln!(file, "{test}"));
        assert!(appended.is_ok(), "the list of skipped tests: {appended:?}");
    }
    None
}
