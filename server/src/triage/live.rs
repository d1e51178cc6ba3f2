//! The table of rules in a running center: read again when its file changes.
//!
//! Once a second the file's state is looked at, and a file that changed is read. One that
//! is wrong changes nothing: the rules that were in force stay, and the fault is said with
//! its line and column in the log, on the board and as `forerunner_triage_rules_wrong`,
//! until the file is right.

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::Rules;
use crate::metrics::Metrics;

/// How often the file is looked at.
const LOOK_MS: u64 = 1_000;
/// Largest table that is read.
const BYTES_MAX: u64 = 8 * 1024 * 1024;

/// The rules in force.
#[derive(Debug)]
pub struct LiveRules {
    path: Option<PathBuf>,
    /// The file as it was when it was read at the start.
    read_at: Stamp,
    rules: RwLock<Arc<Rules>>,
    /// What is wrong with the file as it stands now.
    fault: watch::Sender<Option<String>>,
}

/// By this a changed file is told from an unchanged one.
type Stamp = Option<(SystemTime, u64)>;

impl LiveRules {
    /// Reads the table at `path`; the built-in one where there is none.
    ///
    /// # Errors
    /// In one sentence that names the file, the line and the column.
    pub fn open(path: Option<&Path>) -> Result<Self, String> {
        // Before it is read: what is written meanwhile is a change.
        let read_at = path.and_then(stamp);
        let rules = match path {
            Some(path) => read(path)?,
            None => Rules::default(),
        };
        Ok(Self {
            path: path.map(Path::to_owned),
            read_at,
            rules: RwLock::new(Arc::new(rules)),
            fault: watch::channel(None).0,
        })
    }

    #[must_use]
    pub fn current(&self) -> Arc<Rules> {
        self.rules
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// What is wrong with the file, and each change of that.
    #[must_use]
    pub fn fault(&self) -> watch::Receiver<Option<String>> {
        self.fault.subscribe()
    }

    /// Reads the file again and puts it in force where it is right.
    fn reload(&self, path: &Path) {
        match read(path) {
            Ok(rules) => {
                *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
                self.fault.send_replace(None);
                tracing::info!(path = %path.display(), "the triage table was read again");
            }
            Err(fault) => {
                tracing::error!(%fault, "the triage table is wrong; the rules of before stay");
                self.fault.send_replace(Some(fault));
            }
        }
    }

    /// Looks at the file until told to stop.
    pub async fn watch(self: Arc<Self>, metrics: Arc<Metrics>, stop: CancellationToken) {
        let Some(path) = self.path.clone() else {
            return;
        };
        let mut known = self.read_at;
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
                () = stop.cancelled() => return,
            }
            let now = stamp(&path);
            if now == known {
                continue;
            }
            known = now;
            let (rules, at) = (self.clone(), path.clone());
            // Reading and parsing may take a moment.
            let read = tokio::task::spawn_blocking(move || rules.reload(&at));
            if read.await.is_ok() {
                metrics
                    .triage_rules_wrong
                    .set(i64::from(self.fault.borrow().is_some()));
            }
        }
    }
}

fn stamp(path: &Path) -> Stamp {
    let file = std::fs::metadata(path).ok()?;
    Some((file.modified().ok()?, file.len()))
}

fn read(path: &Path) -> Result<Rules, String> {
    let failed = |reason: String| format!("{}: {reason}", path.display());
    let bytes = std::fs::metadata(path)
        .map_err(|e| failed(e.to_string()))?
        .len();
    if bytes > BYTES_MAX {
        return Err(failed(format!(
            "it has {bytes} bytes, at most {BYTES_MAX} are read"
        )));
    }
    let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
    Rules::parse(&text).map_err(|e| failed(e.to_string()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const TABLE: &str = "default_priority = 3\n[[nature]]\nrule = \"r\"\ncategory = \"music\"\npriority = 5\nprefix = [\"BRASS\"]\n";

    fn priority(rules: &LiveRules) -> u8 {
        rules.current().nature("BRASS BAND").unwrap().priority
    }

    #[tokio::test]
    async fn a_changed_table_is_in_force_without_a_restart_and_a_wrong_one_changes_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("triage.toml");
        std::fs::write(&path, TABLE).unwrap();
        let rules = Arc::new(LiveRules::open(Some(&path)).unwrap());
        let (metrics, stop) = (Metrics::new(), CancellationToken::new());
        let watching = tokio::spawn(rules.clone().watch(metrics.clone(), stop.clone()));
        let mut fault = rules.fault();
        assert_eq!(priority(&rules), 5);

        std::fs::write(&path, TABLE.replace("= 5", "= 6  # oops")).unwrap();
        fault.changed().await.unwrap();
        let said = fault.borrow_and_update().clone().unwrap();
        assert!(
            said.contains("triage.toml: line 5, column 12: priority 6"),
            "{said}"
        );
        assert_eq!(priority(&rules), 5);

        std::fs::write(&path, TABLE.replace("= 5", "= 2")).unwrap();
        fault.changed().await.unwrap();
        assert_eq!((priority(&rules), fault.borrow().clone()), (2, None));

        std::fs::remove_file(&path).unwrap();
        fault.changed().await.unwrap();
        assert!(fault.borrow().is_some());
        assert_eq!(priority(&rules), 2);
        stop.cancel();
        watching.await.unwrap();
        assert!(metrics.text().contains("forerunner_triage_rules_wrong 1"));
    }

    #[test]
    fn a_center_does_not_start_with_a_wrong_table() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("triage.toml");
        std::fs::write(&path, "default_priority = 9").unwrap();
        let why = LiveRules::open(Some(&path)).unwrap_err();
        assert!(why.contains("line 1, column 20"), "{why}");
        assert!(LiveRules::open(Some(folder.path())).is_err());
    }
}
