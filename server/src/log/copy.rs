//! Copies of the log's file: taken beside a running center, checked, and begun anew.
//!
//! A copy is made by SQLite itself, in one read transaction (`VACUUM INTO`): it is the log
//! as it stood at one commit, whole, without a WAL and under the same key, while the
//! center goes on writing.

use std::path::Path;

use rusqlite::Connection;

use super::{LogError, Surroundings, ledger, restored, schema};
use crate::audit::{self, Record};
use crate::clock;

/// What a copy holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Copied {
    pub(crate) incarnation: u64,
    pub(crate) head: u64,
}

fn at(path: &Path) -> impl Fn(String) -> LogError {
    let path = path.display().to_string();
    move |reason| LogError::Open {
        path: path.clone(),
        reason,
    }
}

/// Without a migration: a center of another version may be running on it.
fn connect(path: &Path, key: &[u8; 32]) -> Result<Connection, LogError> {
    schema::connect(path, key).map_err(|e| at(path)(schema::why_not_opened(&e)))
}

/// The log at `path` for whoever works beside a center that may be writing to it: to read,
/// and to put on record that it was read.
pub(crate) fn beside(path: &Path, key: &[u8; 32]) -> Result<Connection, LogError> {
    // Opening would make one where there is none.
    if !path.exists() {
        return Err(at(path)("there is no log".into()));
    }
    connect(path, key)
}

/// … only to read. A file that has no WAL beside it is a backup, or of a center that has
/// stopped: nothing is made beside it.
pub(crate) fn to_read(path: &Path, key: &[u8; 32]) -> Result<Connection, LogError> {
    let mut wal = path.as_os_str().to_owned();
    wal.push("-wal");
    if Path::new(&wal).exists() {
        return beside(path, key);
    }
    schema::connect_to_read(path, key).map_err(|e| at(path)(schema::why_not_opened(&e)))
}

/// Copies the log at `from`, which a center may be writing to, to the new file `to`; the
/// record of it stays in the log itself. The file is not synced yet.
pub(crate) fn copy(
    from: &Path,
    key: &[u8; 32],
    to: &Path,
    record: &Record,
) -> Result<(), LogError> {
    let mut connection = beside(from, key)?;
    audit::record_in(&mut connection, record, clock::now_ms())?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    Ok(())
}

/// Puts something on the record of the log at `path`, which a center may be writing to.
pub(crate) fn put_on_record(path: &Path, key: &[u8; 32], record: &Record) -> Result<(), LogError> {
    let mut connection = connect(path, key)?;
    audit::record_in(&mut connection, record, clock::now_ms())
}

/// Reads a copy from its first page to its last, and says what it holds.
pub(crate) fn check(path: &Path, key: &[u8; 32]) -> Result<Copied, LogError> {
    let mut connection = connect(path, key)?;
    let found: String = connection.query_row("PRAGMA integrity_check(1)", [], |row| row.get(0))?;
    if found != "ok" {
        return Err(at(path)(found));
    }
    let copied = Copied {
        incarnation: schema::incarnation(&mut connection, &Surroundings::default())?,
        head: ledger::head(&connection)?,
    };
    close(connection)?;
    Ok(copied)
}

/// Makes another log of the copy at `path`, at this time. Returns its incarnation.
pub(crate) fn begin_anew_at(
    path: &Path,
    key: &[u8; 32],
    now_ms: i64,
    record: &Record,
) -> Result<u64, LogError> {
    let mut connection = schema::open(path, key).map_err(at(path))?;
    let incarnation = restored::begin_anew(&mut connection, &Surroundings::default(), now_ms)?;
    audit::record_in(&mut connection, record, clock::now_ms())?;
    close(connection)?;
    Ok(incarnation)
}

/// One file is left: no WAL.
fn close(connection: Connection) -> Result<(), LogError> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, e)| e.into())
}
