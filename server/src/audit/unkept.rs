//! What ought to be on record and could not be written: kept beside the log, told to
//! everybody at the console, entered when there is room again (CJIS AU-5).
//!
//! A full disk is the usual reason, and then no file can grow either. So the file beside the
//! log has its whole length from the center's start on: a record is written into room that
//! is there already. Each is sealed to the center's own key (HPKE), as it says who saw what
//! (SC-28). When even that room is spent, a record stands in the center's own messages and
//! is counted as lost; the console says so.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use rusqlite::params;
use serde::{Deserialize, Serialize};

use super::{Entry, Record, Subject, entry, record};
use crate::clock;
use crate::identity::CenterKeys;
use crate::log::{Log, LogError};
use crate::policy::Act;

const FILE: &str = "audit-unkept";
/// Room for about a thousand records.
const FILE_BYTES: u64 = 1024 * 1024;
/// Longest sealed record.
const RECORD_BYTES_MAX: usize = 64 * 1024;
const SEALED_INFO: &[u8] = b"forerunner audit entry that could not be written";

/// What waits, and what of it people were told.
#[derive(Debug)]
pub struct Unkept {
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// `None`: it cannot be used.
    file: Option<File>,
    /// Where the next record goes.
    at: u64,
    waiting: usize,
    lost: u64,
    /// Of the failure that lasts.
    began_ms: Option<i64>,
    why: String,
    /// Of failures that are over, those that nobody has seen.
    unseen: u64,
    /// What was found not to be as it was written.
    tampered: Option<String>,
}

/// What everybody at the console is told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    /// It lasts.
    pub lasts: bool,
    pub text: String,
}

impl Unkept {
    /// Opens the file in the center's data folder, or makes it. What a former run left there
    /// waits on.
    #[must_use]
    pub fn open(data: &Path, unseen: u64) -> Self {
        let mut state = State {
            file: None,
            at: 0,
            waiting: 0,
            lost: 0,
            began_ms: None,
            why: String::new(),
            unseen,
            tampered: None,
        };
        match open(&data.join(FILE)) {
            Ok(mut file) => {
                let sealed = read(&mut file).unwrap_or_default();
                state.waiting = sealed.len();
                state.at = sealed.iter().map(|sealed| sealed.len() as u64 + 4).sum();
                if state.waiting > 0 {
                    state.began_ms = Some(clock::now_ms());
                    state.why = "the center stopped before it could enter them".into();
                }
                state.file = Some(file);
            }
            Err(error) => {
                tracing::error!(%error, "there is no room beside the log for what cannot be written to it");
            }
        }
        Self {
            state: Mutex::new(state),
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what could not be entered.
    pub fn keep(&self, keys: &CenterKeys, records: &[Record], why: &LogError) {
        let now_ms = clock::now_ms();
        let mut state = self.state();
        for record in records {
            match state.put(keys, record, now_ms) {
                Ok(()) => state.waiting += 1,
                Err(error) => {
                    state.lost += 1;
                    let subjects = record.subjects.len();
                    tracing::error!(
                        %error, who = %record.who, act = %record.act.name(), object = %record.object,
                        stretch = ?record.stretch, detail = %record.detail, subjects,
                        "a disclosure could not be put on record, nor kept beside the log"
                    );
                }
            }
        }
        state.began_ms.get_or_insert(now_ms);
        state.why = why.to_string();
    }

    /// Tells everybody that the log is not as it was written; `false` where they were told.
    pub fn tampered(&self, what: &str) -> bool {
        let mut state = self.state();
        let is_news = state.tampered.as_deref() != Some(what);
        if is_news {
            tracing::error!(what, "the audit log is not as it was written");
            state.tampered = Some(what.to_owned());
        }
        is_news
    }

    #[must_use]
    pub fn waiting(&self) -> usize {
        self.state().waiting
    }

    /// What is to be told; `None` when all is on record and what was not was seen.
    #[must_use]
    pub fn alert(&self) -> Option<Alert> {
        let state = self.state();
        if let Some(what) = &state.tampered {
            let text = format!("The audit log is not as it was written: {what}.");
            return Some(Alert { lasts: true, text });
        }
        let lost = match state.lost {
            0 => String::new(),
            lost => {
                format!(" {lost} found no room anywhere: they stand in the center's own messages.")
            }
        };
        if state.began_ms.is_some() {
            let text = format!(
                "Auditing fails: {}. {} records wait beside the log to be entered.{lost}",
                state.why, state.waiting
            );
            return Some(Alert { lasts: true, text });
        }
        (state.unseen > 0).then(|| Alert {
            lasts: false,
            text: "Auditing failed for a time. Somebody who reviews the audit log has to see it."
                .into(),
        })
    }

    /// Enters what waits, oldest first. Says how many were entered.
    ///
    /// # Errors
    /// When the log cannot take them yet.
    pub async fn enter(&self, keys: &CenterKeys, log: &Log) -> Result<usize, LogError> {
        let (sealed, lost, began_ms, why) = {
            let mut state = self.state();
            let Some(began_ms) = state.began_ms else {
                return Ok(0);
            };
            let sealed = state.file.as_mut().map(read).transpose();
            let sealed = sealed.map_err(|e| LogError::Store(e.to_string()))?;
            (
                sealed.unwrap_or_default(),
                state.lost,
                began_ms,
                state.why.clone(),
            )
        };
        let taken = sealed.len();
        let mut waited = Vec::with_capacity(taken);
        for sealed in &sealed {
            let opened = keys.unseal(SEALED_INFO, b"", sealed).ok();
            match opened.and_then(|json| serde_json::from_slice::<Waiting>(&json).ok()) {
                Some(record) => waited.push(record),
                None => tracing::error!("something beside the log is no record of this center"),
            }
        }
        let count = waited.len();
        let now_ms = clock::now_ms();
        log.write(move |ledger| {
            for Waiting { entry, subjects } in waited {
                let mut hashed = Vec::with_capacity(subjects.len());
                for (kind, value) in &subjects {
                    if let Some(subject) = Subject::read(kind, value) {
                        hashed.push(super::subjects::hash(ledger.sql(), &subject)?);
                    }
                }
                let entry = Entry {
                    id: entry::last(ledger.sql())? + 1,
                    subjects: hashed,
                    ..entry
                };
                entry::insert(ledger.sql(), &entry, None)?;
            }
            ledger.sql().execute(
                "INSERT INTO audit_failures (began_ms, ended_ms, why, late, lost) VALUES (?1, ?2, ?3, ?4, ?5)",
                params![began_ms, now_ms, why, count as i64, lost.cast_signed()],
            )?;
            let failed = Record {
                detail: format!("auditing failed ({why}): {count} entries were made late, {lost} are lost"),
                ..Record::of("the center", Act::AuditFailed)
            };
            record(ledger, &failed)
        })
        .await?;
        let mut state = self.state();
        state.unseen += 1;
        state.lost -= lost;
        let dropped = state.drop_first(taken);
        dropped.map_err(|e| LogError::Store(e.to_string()))?;
        Ok(count)
    }

    /// Somebody has seen what failed.
    pub fn seen(&self) {
        let mut state = self.state();
        state.unseen = 0;
        state.tampered = None;
    }
}

impl State {
    fn put(&mut self, keys: &CenterKeys, record: &Record, now_ms: i64) -> io::Result<()> {
        let entry = Entry {
            act: record.act.name(),
            after: record.stretch.map(|(after, _)| after),
            agency: record.agency.clone(),
            allowed: record.allowed,
            at_ms: now_ms,
            carriers: Vec::new(),
            detail: record.detail.clone(),
            device: record.device.map(|device| device.0),
            from: super::came_from::current(),
            id: 0,
            object: record.object.clone(),
            policies: Vec::new(),
            purpose: record.purpose.clone(),
            reason: record.reason.clone(),
            receiver: None,
            subjects: Vec::new(),
            through: record.stretch.map(|(_, through)| through),
            who: record.who.clone(),
        };
        let plain = record.subjects.iter();
        let subjects = plain.map(|subject| (subject.kind().to_owned(), subject.value().to_owned()));
        let waiting = Waiting {
            entry,
            subjects: subjects.collect(),
        };
        let json = serde_json::to_vec(&waiting)?;
        let sealed = keys
            .seal(SEALED_INFO, b"", &json)
            .map_err(io::Error::other)?;
        let full = || io::Error::from(io::ErrorKind::StorageFull);
        let length = u32::try_from(sealed.len()).map_err(|_| full())?;
        let end = self.at + 4 + u64::from(length);
        // A length of 0 ends the list.
        if sealed.len() > RECORD_BYTES_MAX || end + 4 > FILE_BYTES {
            return Err(full());
        }
        let file = self.file.as_mut().ok_or_else(full)?;
        file.seek(SeekFrom::Start(self.at))?;
        file.write_all(&[&length.to_be_bytes(), &sealed[..], &[0; 4]].concat())?;
        file.sync_data()?;
        self.at = end;
        Ok(())
    }

    /// Those are entered; what came behind them meanwhile waits on.
    fn drop_first(&mut self, count: usize) -> io::Result<()> {
        let mut left = Vec::new();
        if let Some(file) = &mut self.file {
            for sealed in read(file)?.iter().skip(count) {
                let length = u32::try_from(sealed.len()).unwrap_or_default();
                left.extend_from_slice(&length.to_be_bytes());
                left.extend_from_slice(sealed);
            }
            self.at = left.len() as u64;
            left.extend_from_slice(&[0; 4]);
            file.seek(SeekFrom::Start(0))?;
            file.write_all(&left)?;
            file.sync_data()?;
        }
        self.waiting = self.waiting.saturating_sub(count);
        if self.waiting == 0 && self.lost == 0 {
            self.began_ms = None;
        }
        Ok(())
    }
}

/// As a record lies in the file, under its seal.
#[derive(Debug, Serialize, Deserialize)]
struct Waiting {
    entry: Entry,
    /// Kind and value: the key of their hashes is in the log.
    subjects: Vec<(String, String)>,
}

fn open(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.open(path)?;
    let has = file.metadata()?.len();
    if has < FILE_BYTES {
        // Written, not only made longer: a hole has no room.
        file.seek(SeekFrom::Start(has))?;
        io::copy(&mut io::repeat(0).take(FILE_BYTES - has), &mut file)?;
        file.sync_all()?;
    }
    Ok(file)
}

fn read(file: &mut File) -> io::Result<Vec<Vec<u8>>> {
    file.seek(SeekFrom::Start(0))?;
    let mut all = Vec::new();
    loop {
        let mut length = [0; 4];
        match file.read_exact(&mut length) {
            Ok(()) => {}
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => return Ok(all),
            Err(e) => return Err(e),
        }
        let length = u32::from_be_bytes(length) as usize;
        if length == 0 || length > RECORD_BYTES_MAX {
            return Ok(all);
        }
        let mut sealed = vec![0; length];
        file.read_exact(&mut sealed)?;
        all.push(sealed);
    }
}
