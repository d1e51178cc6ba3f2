//! Opening the file: its key, its folder, and what to do when it does not open.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use rusqlite::{Connection, ErrorCode, OpenFlags};
use zeroize::Zeroizing;

use super::{StoreError, schema};
use crate::identity::{KeyStore, SignerError};

/// The store's key in the host's key store.
pub(crate) const KEY_NAME: &str = "store-key";
pub(crate) const KEY_BYTES: usize = 32;
/// Opens the store; gone from memory when dropped.
pub(crate) type StoreKey = Zeroizing<[u8; KEY_BYTES]>;
/// Folders beside the store's own whose store did not open.
pub(super) const SET_ASIDE: &str = "store.set-aside-";

/// A key that nobody has seen.
pub(crate) fn new_key() -> Result<StoreKey, StoreError> {
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    rand::fill(&mut *key)
        .map_err(|_| SignerError::Failed("the machine gives no randomness".into()))?;
    Ok(key)
}

/// The key as it lies open in the host's key store, made where there is none.
pub(super) fn plain_key(keys: &dyn KeyStore) -> Result<StoreKey, StoreError> {
    let key = match keys.load(KEY_NAME)? {
        Some(kept) => {
            let kept = Zeroizing::new(kept);
            let key = <[u8; KEY_BYTES]>::try_from(&kept[..]);
            return Ok(Zeroizing::new(
                key.map_err(|_| StoreError::Damaged("its key is none"))?,
            ));
        }
        None => new_key()?,
    };
    keys.save(KEY_NAME, &*key)?;
    Ok(key)
}

pub(super) fn file_in(directory: &Path) -> PathBuf {
    directory.join("store").join("packets.db")
}
/// How long a connection waits for another's lock; the writer's checkpoint is the longest.
const BUSY_MS_MAX: u64 = 5_000;

pub(super) struct Opened {
    pub(super) connection: Connection,
    pub(super) set_aside: Option<PathBuf>,
}

/// Opens the store, made where it is missing; one that cannot be read is set aside first.
pub(super) fn open(directory: &Path, key: &StoreKey, now_ms: i64) -> Result<Opened, StoreError> {
    let folder = directory.join("store");
    let file = file_in(directory);
    fs::create_dir_all(&folder)?;
    match open_whole(&file, key) {
        Ok(connection) => Ok(Opened {
            connection,
            set_aside: None,
        }),
        Err(error) if is_unreadable(&error) => {
            let aside = set_aside(directory, &folder, now_ms)?;
            fs::create_dir_all(&folder)?;
            Ok(Opened {
                connection: open_whole(&file, key)?,
                set_aside: Some(aside),
            })
        }
        Err(error) => Err(error),
    }
}

/// One that was open before.
pub(super) fn reopen(file: &Path, key: &StoreKey) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE
        | OpenFlags::SQLITE_OPEN_CREATE
        | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(file, flags)?;
    // Its own log goes to the process's error stream; what is wrong, its errors say.
    connection.execute_batch("PRAGMA cipher_log_level = NONE")?;
    // A raw key: no passphrase to stretch, so opening costs milliseconds.
    let pragma = Zeroizing::new(format!("PRAGMA key = \"x'{}'\"", HEXLOWER.encode(&**key)));
    connection.execute_batch(&pragma)?;
    connection.busy_timeout(Duration::from_millis(BUSY_MS_MAX))?;
    // EXTRA is FULL where there is a WAL. Before there is one it also makes the end of the
    // rollback journal durable: one that a power cut brings back takes back the whole store.
    connection.execute_batch(
        "PRAGMA synchronous = EXTRA; PRAGMA journal_mode = WAL; PRAGMA foreign_keys = ON;
         PRAGMA temp_store = MEMORY; PRAGMA secure_delete = ON;",
    )?;
    Ok(connection)
}

fn open_whole(file: &Path, key: &StoreKey) -> Result<Connection, StoreError> {
    let mut connection = reopen(file, key)?;
    check_pages(&connection)?;
    schema::migrate(&mut connection)?;
    Ok(connection)
}

/// Every page, of which SQLCipher authenticates each. Table by table: asked about all at once,
/// SQLite has FTS5 hold its index against every word, which takes longer than all else.
fn check_pages(connection: &Connection) -> Result<(), StoreError> {
    let mut statement = connection
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND rootpage > 0")?;
    let tables = statement.query_map([], |row| row.get::<_, String>(0))?;
    for table in tables {
        let check = format!("PRAGMA quick_check('{}')", table?);
        let found: String = connection.query_row(&check, [], |row| row.get(0))?;
        if found != "ok" {
            return Err(StoreError::Damaged("its pages do not fit together"));
        }
    }
    Ok(())
}

/// Whether opening it again would fail again. A full disk, a lock, a missing right may pass.
fn is_unreadable(error: &StoreError) -> bool {
    match error {
        StoreError::Damaged(_) => true,
        StoreError::Sqlite(error) => matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt)
        ),
        _ => false,
    }
}

fn set_aside(directory: &Path, folder: &Path, now_ms: i64) -> Result<PathBuf, StoreError> {
    // Two in one millisecond: the next free name, within reason.
    for later_ms in 0..1_000 {
        let aside = directory.join(format!("{SET_ASIDE}{}", now_ms + later_ms));
        if !aside.exists() {
            fs::rename(folder, &aside)?;
            return Ok(aside);
        }
    }
    Err(StoreError::Damaged("it could not be set aside"))
}

pub(super) fn close(connection: Connection) -> Result<(), StoreError> {
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    connection.close().map_err(|(_, error)| error.into())
}
