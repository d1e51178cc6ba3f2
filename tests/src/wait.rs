//! Waiting for what must come, with a deadline that only a failed test meets.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

/// Far beyond what anything here takes, on a machine that is busy with other tests.
pub const PATIENCE: Duration = Duration::from_secs(90);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// Asks `look` until it has something to give.
pub async fn until<T>(what: &str, mut look: impl AsyncFnMut() -> Option<T>) -> T {
    let looking = async {
        loop {
            if let Some(found) = look().await {
                return found;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
    };
    match tokio::time::timeout(PATIENCE, looking).await {
        Ok(found) => found,
        Err(_) => panic!("in {PATIENCE:?} it did not come about that {what}"),
    }
}

/// A file beside the repository; `None`, said and put on the list of skipped tests,
/// where it is not there.
#[must_use]
pub fn shared_file(name: &str, test: &str) -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared")).join(name);
    if path.exists() {
        return Some(path);
    }
    skipped(test, &format!("{name} is not there"));
    None
}

/// Says that a test is skipped, and puts it on the list of those.
pub(crate) fn skipped(test: &str, why: &str) {
    println!("SKIPPED {test}: {why}");
    if let Some(list) = std::env::var_os("FORERUNNER_SKIPPED") {
        let appended = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(list)
            .and_then(|mut file| writeln!(file, "{test}: {why}"));
        appended.expect("the list of skipped tests");
    }
}
