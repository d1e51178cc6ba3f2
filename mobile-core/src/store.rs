//! What this device has: one encrypted SQLite file, in a folder of its own.
//!
//! One writer behind a lock, since SQLite has one anyway, and a few readers that
//! see the last commit (WAL) and never wait for it. All calls block, for as long as
//! a disk takes: async callers go through [`Store::run`].
//!
//! `synchronous=FULL`: a commit is durable when it returns, which is what the sync
//! driver tells the center and the screen tells the officer. SQLCipher encrypts each
//! page with a raw 32-byte key, which is here only while the store is open ([`crate::lock`]).
//!
//! A store that does not open is renamed aside and never deleted: it may hold
//! unsent work. Its sealed copies lie in `sealed/`, beside the store ([`seal`]).

mod apply;
mod attachments;
mod connection;
mod erase;
mod leases;
mod lineages;
mod meta;
mod read;
mod rows;
mod schema;
mod seal;
#[cfg(test)]
mod tests;
mod words;
mod write;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use packet::EntryError;
use rusqlite::{Connection, ErrorCode};

use crate::identity::{KeyStore, KeyStoreError, SealError, SignerError};
use crate::lock::tries::Moment;
use leases::Leases;
use lineages::Lineages;

pub use attachments::ATTACHMENTS_BYTES_MAX;
pub(crate) use attachments::{Blob, Content};
pub(crate) use connection::{KEY_BYTES, KEY_NAME, StoreKey, new_key};
pub(crate) use erase::erase_files;
pub(crate) use leases::{LEASE_CLOCK, LEASE_KEYS};
pub(crate) use meta::Contact;
pub(crate) use read::{PacketRows, ShownRow};
pub(crate) use rows::{Row, Standing};
pub(crate) use seal::Sealed;
pub(crate) use words::Asked;
pub(crate) use write::{Intent, Pen};

/// Most entries that wait on a device, refused ones among them. A shift writes
/// some dozens; more is a fault in a loop.
pub const OUTBOX_ENTRIES_MAX: usize = 10_000;
/// Screens read side by side; more wait.
const READERS_MAX: usize = 4;

/// Why the store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    #[error("the disk is full")]
    DiskFull,
    #[error("the store is closed while the app is suspended")]
    Paused,
    #[error("the device is locked")]
    Locked,
    #[error("the outbox holds {OUTBOX_ENTRIES_MAX} entries")]
    OutboxFull,
    #[error("the device holds {ATTACHMENTS_BYTES_MAX} bytes of attachments that cannot give way")]
    AttachmentsFull,
    #[error("this is not on the device")]
    NotHere,
    #[error(transparent)]
    Entry(#[from] EntryError),
    #[error(transparent)]
    Keys(#[from] KeyStoreError),
    #[error(transparent)]
    Signer(#[from] SignerError),
    #[error(transparent)]
    Seal(#[from] SealError),
    #[error("a file beside the store: {0}")]
    Io(std::io::Error),
    #[error("what is stored cannot be read: {0}")]
    Damaged(&'static str),
    #[error(transparent)]
    Sqlite(rusqlite::Error),
    #[error("the task that worked on the store is gone")]
    Gone,
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        match error.sqlite_error_code() {
            Some(ErrorCode::DiskFull) => Self::DiskFull,
            _ => Self::Sqlite(error),
        }
    }
}

impl From<std::io::Error> for StoreError {
    fn from(error: std::io::Error) -> Self {
        match error.kind() {
            std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded => Self::DiskFull,
            _ => Self::Io(error),
        }
    }
}

/// The connection that writes, and what it remembers between writes.
struct Writer {
    connection: Connection,
    lineages: Lineages,
}

#[derive(Default)]
struct Readers {
    idle: Vec<Connection>,
    open: usize,
    closed: Option<Closed>,
}

/// Why the store is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Closed {
    /// The app is suspended; the key is still here.
    Paused,
    Locked,
}

impl From<Closed> for StoreError {
    fn from(closed: Closed) -> Self {
        match closed {
            Closed::Paused => Self::Paused,
            Closed::Locked => Self::Locked,
        }
    }
}

struct Inner {
    directory: PathBuf,
    file: PathBuf,
    sealed: Sealed,
    leases: Leases,
    /// `None` while the device is locked.
    key: Mutex<Option<StoreKey>>,
    writer: Mutex<Option<Writer>>,
    readers: Mutex<Readers>,
    reader_back: Condvar,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Store(Arc<Inner>);

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").finish_non_exhaustive()
    }
}

/// A panic while the lock was held rolled its transaction back: what it guards is whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Store {
    /// Opens the store in `directory`, or makes it, with the key as it lies open in the
    /// host's key store. Says where an older one was put that did not open.
    pub(crate) fn open(
        directory: &Path,
        keys: Arc<dyn KeyStore>,
        now_ms: i64,
    ) -> Result<(Self, Option<PathBuf>), StoreError> {
        let key = connection::plain_key(keys.as_ref())?;
        let now = Moment {
            boot_ms: 0,
            wall_ms: now_ms,
        };
        let store = Self::locked(directory, keys, now)?;
        let set_aside = store.unlock(key, now_ms)?;
        Ok((store, set_aside))
    }

    /// The store in `directory`, closed: what is sealed beside it can be handed in.
    /// Leases that are over have lost their keys when this returns.
    pub(crate) fn locked(
        directory: &Path,
        keys: Arc<dyn KeyStore>,
        now: Moment,
    ) -> Result<Self, StoreError> {
        let inner = Inner {
            leases: Leases::open(keys, now)?,
            directory: directory.to_owned(),
            file: connection::file_in(directory),
            sealed: Sealed::open(directory)?,
            key: Mutex::new(None),
            writer: Mutex::new(None),
            readers: Mutex::new(Readers {
                closed: Some(Closed::Locked),
                ..Readers::default()
            }),
            reader_back: Condvar::new(),
        };
        Ok(Self(Arc::new(inner)))
    }

    /// Opens it, made where it is missing. Says where an older one was put that this key
    /// does not open.
    pub(crate) fn unlock(&self, key: StoreKey, now_ms: i64) -> Result<Option<PathBuf>, StoreError> {
        let mut writer = lock(&self.0.writer);
        if writer.is_some() {
            return Ok(None);
        }
        let opened = connection::open(&self.0.directory, &key, now_ms)?;
        *writer = Some(Writer {
            connection: opened.connection,
            lineages: Lineages::default(),
        });
        *lock(&self.0.key) = Some(key);
        lock(&self.0.readers).closed = None;
        drop(writer);
        self.0.leases.unlock()?;
        self.settle_leases()?;
        Ok(opened.set_aside)
    }

    /// Ends what runs, writes the WAL back, closes every file and forgets the key.
    pub(crate) fn lock(&self) -> Result<(), StoreError> {
        let closed = self.close(Closed::Locked);
        // Whatever the disk said: the key is not left behind.
        *lock(&self.0.key) = None;
        self.0.leases.lock();
        closed
    }

    /// What opens it, while it is open.
    pub(crate) fn key(&self) -> Option<StoreKey> {
        lock(&self.0.key).clone()
    }

    /// Work on the store, off the async threads.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Self) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let store = self.clone();
        tokio::task::spawn_blocking(move || work(&store))
            .await
            .map_err(|_| StoreError::Gone)?
    }

    pub(crate) fn sealed(&self) -> &Sealed {
        &self.0.sealed
    }

    /// One transaction. What the writer remembers is forgotten when it fails.
    pub(crate) fn write<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>, &mut Lineages) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut guard = lock(&self.0.writer);
        let writer = guard.as_mut().ok_or_else(|| self.why_closed())?;
        let result = (|| {
            let transaction = writer
                .connection
                .transaction_with_behavior(rusqlite::TransactionBehavior::Immediate)?;
            let done = work(&transaction, &mut writer.lineages)?;
            transaction.commit()?;
            Ok(done)
        })();
        if result.is_err() {
            writer.lineages.clear();
        }
        result
    }

    /// One consistent look at what is committed.
    pub(crate) fn read<T>(
        &self,
        work: impl FnOnce(&rusqlite::Transaction<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut connection = self.take_reader()?;
        let result = (|| {
            let transaction = connection.transaction()?;
            work(&transaction)
        })();
        self.give_back(connection);
        result
    }

    fn take_reader(&self) -> Result<Connection, StoreError> {
        let mut readers = lock(&self.0.readers);
        loop {
            if let Some(closed) = readers.closed {
                return Err(closed.into());
            }
            if let Some(connection) = readers.idle.pop() {
                return Ok(connection);
            }
            if readers.open < READERS_MAX {
                let key = self.key().ok_or(StoreError::Locked)?;
                let connection = connection::reopen(&self.0.file, &key)?;
                readers.open += 1;
                return Ok(connection);
            }
            readers = self
                .0
                .reader_back
                .wait(readers)
                .unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut readers = lock(&self.0.readers);
        if readers.closed.is_some() {
            readers.open -= 1;
        } else {
            readers.idle.push(connection);
        }
        self.0.reader_back.notify_all();
    }

    /// Nothing was ever granted to it or written in it.
    pub(crate) fn is_unused(&self) -> Result<bool, StoreError> {
        self.read(|tx| {
            Ok(tx.query_row(
                "SELECT NOT EXISTS (SELECT 1 FROM changes) AND NOT EXISTS (SELECT 1 FROM outbox)
                    AND NOT EXISTS (SELECT 1 FROM meta WHERE name = 'shift')",
                [],
                |row| row.get(0),
            )?)
        })
    }

    /// How many attachments of this device's the center does not have whole: what the end of
    /// a shift would lose.
    pub(crate) fn unsent_attachments(&self) -> Result<u64, StoreError> {
        self.read(|tx| {
            let unsent = "SELECT count(*) FROM puts WHERE refused IS NULL";
            Ok(tx
                .query_row(unsent, [], |row| row.get::<_, i64>(0))?
                .unsigned_abs())
        })
    }

    fn why_closed(&self) -> StoreError {
        lock(&self.0.readers)
            .closed
            .map_or(StoreError::Locked, Into::into)
    }

    /// Ends what runs, writes the WAL back and closes every file: an app that is
    /// suspended while it holds a file lock is killed (iOS).
    pub(crate) fn pause(&self) -> Result<(), StoreError> {
        self.close(Closed::Paused)
    }

    fn close(&self, why: Closed) -> Result<(), StoreError> {
        let mut readers = lock(&self.0.readers);
        // What is locked does not become paused: resuming must not open it.
        if readers.closed != Some(Closed::Locked) {
            readers.closed = Some(why);
        }
        readers.open -= readers.idle.len();
        readers.idle.clear();
        while readers.open > 0 {
            readers = self
                .0
                .reader_back
                .wait(readers)
                .unwrap_or_else(PoisonError::into_inner);
        }
        drop(readers);
        if let Some(writer) = lock(&self.0.writer).take() {
            connection::close(writer.connection)?;
        }
        self.0.reader_back.notify_all();
        Ok(())
    }

    /// Opens again what was paused; what is locked stays so.
    pub(crate) fn resume(&self) -> Result<(), StoreError> {
        let mut writer = lock(&self.0.writer);
        let Some(key) = self.key() else { return Ok(()) };
        if writer.is_none() {
            *writer = Some(Writer {
                connection: connection::reopen(&self.0.file, &key)?,
                lineages: Lineages::default(),
            });
        }
        lock(&self.0.readers).closed = None;
        drop(writer);
        // A lease may have ended meanwhile.
        self.settle_leases()?;
        Ok(())
    }
}
