//! A watched folder: each CSV file in it is read once it is whole.
//!
//! The folder is the CAD's, and the center only reads there: what it has read it remembers
//! beside its log, by name, size and time, in the same commit as the last of the calls. A
//! file that changed afterwards is read again from its beginning, which costs nothing but
//! the reading: a row that came before changes nothing ([`crate::calls`]). So does a center
//! that was killed in the middle of a file.
//!
//! **Half-written files are not read.** A file is whole when nothing about it has changed
//! for two seconds and it ends with a line's end; one whose last line never ends is taken
//! as it is after a minute. Only names that end with `.csv` are looked at, and none that
//! begins with a dot: whoever writes under another name and renames is read at once.

use std::collections::{BTreeMap, HashMap};
use std::fs::File;
use std::io::{BufReader, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use rusqlite::params;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::Cad;
use super::doors::{Placed, take};
use crate::center::Center;
use crate::clock;
use crate::intake::CallReport;
use crate::intake::csv::{BadRow, CallRows};
use crate::log::LogError;

/// How often the folder is looked at.
const LOOK: Duration = Duration::from_secs(1);
/// How long nothing about a file may have changed …
const SETTLED: Duration = Duration::from_secs(2);
/// … and where its last line has no end.
const SETTLED_WITHOUT_END: Duration = Duration::from_secs(60);
/// Most files of one folder.
const FILES_MAX: usize = 10_000;
/// Most rows in one commit.
const ROWS_PER_COMMIT_MAX: usize = 128;

/// What tells a file from what it was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Version {
    bytes: u64,
    modified_ms: i64,
}

/// A file that has not been read yet, and since when it has not changed.
#[derive(Debug, Clone, Copy)]
struct Growing {
    version: Version,
    since: Instant,
}

/// What is known of the folder between two looks.
#[derive(Debug, Default)]
struct Known {
    /// Read, as it was then.
    done: HashMap<String, Version>,
    growing: HashMap<String, Growing>,
}

pub(super) async fn watch(
    center: Arc<Center>,
    agency: String,
    folder: PathBuf,
    stop: CancellationToken,
) {
    let Some(cad) = center.cads.of(&agency) else {
        return;
    };
    let mut known = None;
    loop {
        let look = async {
            if known.is_none() {
                known = Some(Known::read(&center, &agency).await?);
            }
            match &mut known {
                Some(known) => known.look(&center, cad, &folder).await,
                None => Ok(()),
            }
        };
        // A look that is given up is made again from the start of its file.
        let looked = tokio::select! {
            looked = look => looked,
            () = stop.cancelled() => return,
        };
        match looked {
            Ok(()) => cad.folder.heard(clock::now_ms()),
            Err(why) => cad.folder.troubled(&agency, why),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK) => {}
            () = stop.cancelled() => return,
        }
    }
}

impl Known {
    async fn read(center: &Center, agency: &str) -> Result<Self, String> {
        let agency = agency.to_owned();
        let read = center.log.readers().read(move |connection| {
            let mut statement = connection
                .prepare("SELECT name, bytes, modified_ms FROM cad_files WHERE agency = ?1")?;
            let done = statement.query_map([agency], |row| {
                let version = Version {
                    bytes: row.get(1)?,
                    modified_ms: row.get(2)?,
                };
                Ok((row.get(0)?, version))
            })?;
            Ok(done.collect::<Result<_, _>>()?)
        });
        Ok(Self {
            done: read.await.map_err(|e| e.to_string())?,
            growing: HashMap::new(),
        })
    }

    async fn look(&mut self, center: &Center, cad: &Cad, folder: &Path) -> Result<(), String> {
        let files = {
            let folder = folder.to_owned();
            blocking(move || list(&folder)).await?
        };
        self.forget_what_is_gone(center, cad, &files).await?;
        let mut ready = Vec::new();
        for (name, version) in files {
            if self.done.get(&name) == Some(&version) {
                continue;
            }
            let now = Instant::now();
            let growing = self.growing.entry(name.clone()).or_insert(Growing {
                version,
                since: now,
            });
            if growing.version != version {
                *growing = Growing {
                    version,
                    since: now,
                };
            }
            let rests = now - growing.since;
            let path = folder.join(&name);
            if rests >= SETTLED_WITHOUT_END
                || (rests >= SETTLED && blocking(move || ends_with_a_line(&path)).await?)
            {
                ready.push((name, version));
            }
        }
        // The oldest first, as they were written.
        ready.sort_by(|(a, of_a), (b, of_b)| (of_a.modified_ms, a).cmp(&(of_b.modified_ms, b)));
        for (name, version) in ready {
            read_file(center, cad, folder, &name, version).await?;
            self.growing.remove(&name);
            self.done.insert(name, version);
        }
        Ok(())
    }

    /// So that the list of what was read is never longer than the folder.
    async fn forget_what_is_gone(
        &mut self,
        center: &Center,
        cad: &Cad,
        files: &BTreeMap<String, Version>,
    ) -> Result<(), String> {
        self.growing.retain(|name, _| files.contains_key(name));
        let gone: Vec<String> = self
            .done
            .keys()
            .filter(|name| !files.contains_key(*name))
            .cloned()
            .collect();
        if gone.is_empty() {
            return Ok(());
        }
        let (agency, names) = (cad.agency.clone(), gone.clone());
        let forgotten = center.log.write(move |ledger| {
            let mut statement = ledger
                .sql()
                .prepare_cached("DELETE FROM cad_files WHERE agency = ?1 AND name = ?2")?;
            for name in &names {
                statement.execute([&agency, name])?;
            }
            Ok::<(), LogError>(())
        });
        forgotten.await.map_err(|e| e.to_string())?;
        for name in &gone {
            self.done.remove(name);
        }
        Ok(())
    }
}

/// Runs it off the async threads.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, String> + Send + 'static,
) -> Result<T, String> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| e.to_string())?
}

fn list(folder: &Path) -> Result<BTreeMap<String, Version>, String> {
    let failed = |e: std::io::Error| format!("the folder {} cannot be read: {e}", folder.display());
    let mut files = BTreeMap::new();
    for entry in folder.read_dir().map_err(failed)? {
        let entry = entry.map_err(failed)?;
        let Ok(name) = entry.file_name().into_string() else {
            continue;
        };
        if name.starts_with('.') || !name.to_ascii_lowercase().ends_with(".csv") {
            continue;
        }
        // One that has just been taken away again is none.
        let Ok(about) = entry.metadata() else {
            continue;
        };
        if !about.is_file() {
            continue;
        }
        if files.len() >= FILES_MAX {
            return Err(format!(
                "the folder {} has more than {FILES_MAX} files: take away those that were read",
                folder.display()
            ));
        }
        let modified = about.modified().unwrap_or(SystemTime::UNIX_EPOCH);
        let modified_ms = Timestamp::try_from(modified).map_or(0, Timestamp::as_millisecond);
        files.insert(
            name,
            Version {
                bytes: about.len(),
                modified_ms,
            },
        );
    }
    Ok(files)
}

fn ends_with_a_line(path: &Path) -> Result<bool, String> {
    let last = || -> std::io::Result<bool> {
        let mut file = File::open(path)?;
        if file.metadata()?.len() == 0 {
            return Ok(false);
        }
        file.seek(SeekFrom::End(-1))?;
        let mut last = [0];
        file.read_exact(&mut last)?;
        Ok(last == *b"\n")
    };
    last().map_err(|e| format!("{} cannot be read: {e}", path.display()))
}

type Rows = CallRows<BufReader<File>>;

/// Reads a file from its beginning; that it was read is kept with the last of its calls.
async fn read_file(
    center: &Center,
    cad: &Cad,
    folder: &Path,
    name: &str,
    version: Version,
) -> Result<(), String> {
    let (agency, zone) = (cad.agency.clone(), cad.zone.clone());
    let path = folder.join(name);
    let opened =
        blocking(move || {
            let file =
                File::open(&path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
            let written = Timestamp::from_millisecond(version.modified_ms).unwrap_or_default();
            Ok(CallRows::open(BufReader::new(file), &agency, zone)
                .map(|rows| rows.written_by(written)))
        });
    let mut rows = match opened.await? {
        Ok(rows) => Some(rows),
        // Nothing in it can be read; when it is mended it is another version.
        Err(e) => {
            cad.folder.skipped(&cad.agency, format!("{name}: {e}"));
            None
        }
    };
    loop {
        let (rest, read) = match rows {
            Some(rows) => blocking(move || Ok(some_rows(rows))).await?,
            None => (None, Vec::new()),
        };
        rows = rest;
        let mut placed = Vec::new();
        for row in read {
            match row {
                Ok((place, report)) => placed.push(Placed {
                    place: format!("{name}: call {place}"),
                    report,
                }),
                Err(bad) => cad.folder.skipped(&cad.agency, format!("{name}: {bad}")),
            }
        }
        let is_last = rows.is_none();
        let (agency, file) = (cad.agency.clone(), name.to_owned());
        let mark = move |ledger: &crate::log::Ledger<'_>| {
            if is_last {
                ledger
                    .sql()
                    .prepare_cached("INSERT OR REPLACE INTO cad_files (agency, name, bytes, modified_ms) VALUES (?1, ?2, ?3, ?4)")?
                    .execute(params![agency, file, version.bytes, version.modified_ms])?;
            }
            Ok(())
        };
        take(center, &cad.agency, &cad.folder, placed, mark)
            .await
            .map_err(|e| e.to_string())?;
        if is_last {
            return Ok(());
        }
    }
}

/// The next rows, with their calls' numbers; without the file when it has ended.
#[allow(clippy::type_complexity)] // once, here
fn some_rows(mut rows: Rows) -> (Option<Rows>, Vec<Result<(String, CallReport), BadRow>>) {
    let read: Vec<_> = rows
        .by_ref()
        .take(ROWS_PER_COMMIT_MAX)
        .map(|row| row.map(|report| (report.number.clone(), report)))
        .collect();
    let is_over = read.len() < ROWS_PER_COMMIT_MAX;
    ((!is_over).then_some(rows), read)
}
