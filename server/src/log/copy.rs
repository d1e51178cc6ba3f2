//! Copies of the log's file: taken beside a running center, checked, and begun anew.
//!
//! A copy is made by SQLite itself, in one read transaction (`VACUUM INTO`): it is the log
//! as it stood at one commit, whole, without a WAL and under the same key, while the
//! center goes on writing.

use std::path::Path;

use rusqlite::Connection;

use super::{LogError, Surroundings, about, ledger, restored, schema, seal};
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

/// Copies the log at `from`, which a center may be writing to, to the new file `to`, and the
/// keys of its documents to the new file `keys_to`; the record of it stays in the log itself.
/// The files are not synced yet.
pub(crate) fn copy(
    from: &Path,
    key: &[u8; 32],
    to: &Path,
    keys_to: &Path,
    record: &Record,
) -> Result<(), LogError> {
    let mut connection = beside(from, key)?;
    if !has_keys(&connection, "content_keys")? {
        return Err(at(from)(
            "it is of an earlier version: start its center with this one before a backup".into(),
        ));
    }
    audit::record_in(&mut connection, record, clock::now_ms())?;
    about::give_keys(&connection)?;
    connection.execute("VACUUM INTO ?1", [to.to_string_lossy()])?;
    let mut copy = connect(to, key)?;
    seal::part(&mut copy, key, keys_to)?;
    close(copy)
}

/// Whether this log has such keys; one of an earlier version may have none.
fn has_keys(connection: &Connection, of: &str) -> Result<bool, LogError> {
    let mut statement = connection.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1")?;
    Ok(statement.exists([of])?)
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

/// Makes another log of the copy at `path`, at this time, with the document keys in
/// `keys_from`. Returns its incarnation.
pub(crate) fn begin_anew_at(
    path: &Path,
    key: &[u8; 32],
    now_ms: i64,
    keys_from: Option<&Path>,
    record: &Record,
) -> Result<u64, LogError> {
    let mut purged = Vec::new();
    let mut copy = connect(path, key)?;
    // A copy of an earlier version is not sealed: it is when it is brought up to date.
    if has_keys(&copy, "document_keys")? && seal::is_parted(&copy)? {
        let keys_from = keys_from.ok_or_else(|| {
            at(path)(
                "its documents are sealed: name the file of document keys (--document-keys)".into(),
            )
        })?;
        purged = seal::join(&mut copy, key, keys_from)?;
        let without_key = seal::without_key(&copy)?;
        if without_key > 0 {
            return Err(at(path)(format!(
                "{} has no key of {without_key} of its documents and attachments: it is older than this backup",
                keys_from.display()
            )));
        }
    }
    close(copy)?;
    let mut connection = schema::open(path, key).map_err(at(path))?;
    seal::purge_again(&mut connection, &purged)?;
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
