//! Reading what is committed: a small pool of connections beside the writer.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use packet::{DeviceNumber, DocumentId, Inspected, inspect};
use rusqlite::Connection;
use sync::codec::{self, DICTIONARY_NEWEST};
use sync::frame::ChangeItem;
use sync::limits::CHANGES_PER_FRAME_MAX;
use sync::relay::PackedChange;
use tokio::sync::Semaphore;

use super::recent::{Slice, Taker};
use super::{LogError, schema};

/// Most reads at a time, and connections: when ten thousand devices come back at once,
/// opening another for each would cost more than reading, and a page cache each.
const READS_MAX: usize = 4;
/// Of a reader's pages, in memory.
const CACHE_KIB: i64 = 512;

/// A change as it stands in the log.
#[derive(Debug)]
pub struct Logged {
    pub seq: u64,
    pub device: Option<DeviceNumber>,
    pub received_ms: i64,
    pub inspected: Inspected,
}

/// Reads on blocking threads; each read sees one consistent state.
#[derive(Debug, Clone)]
pub struct Readers {
    inner: Arc<Inner>,
}

struct Inner {
    path: PathBuf,
    key: [u8; 32],
    idle: Mutex<Vec<Connection>>,
    turns: Arc<Semaphore>,
}

impl std::fmt::Debug for Inner {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Readers")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

impl Readers {
    pub(super) fn new(path: &Path, key: &[u8; 32]) -> Self {
        Self {
            inner: Arc::new(Inner {
                path: path.into(),
                key: *key,
                idle: Mutex::new(Vec::new()),
                turns: Arc::new(Semaphore::new(READS_MAX)),
            }),
        }
    }

    /// Runs `read` in one read transaction, off the async threads.
    ///
    /// # Errors
    /// The read's own, or the store's.
    pub async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let inner = self.inner.clone();
        let turn = inner.turns.clone().acquire_owned().await;
        let turn = turn.map_err(|_| LogError::Stopping)?;
        let reading = tokio::task::spawn_blocking(move || {
            let result = inner.run(read);
            // Given back by whoever reads: the caller may have gone.
            drop(turn);
            result
        });
        reading.await.map_err(|e| LogError::Store(e.to_string()))?
    }

    /// As [`Readers::read`], on this thread: for a start, before anything serves.
    ///
    /// # Errors
    /// The read's own, or the store's.
    pub fn read_blocking<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, LogError>,
    ) -> Result<T, LogError> {
        self.inner.run(read)
    }
}

impl Inner {
    fn run<T>(&self, read: impl FnOnce(&Connection) -> Result<T, LogError>) -> Result<T, LogError> {
        let idle = self
            .idle
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        let mut connection = match idle {
            Some(connection) => connection,
            None => {
                let connection = schema::connect(&self.path, &self.key)?;
                connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
                connection
            }
        };
        let transaction = connection.transaction()?;
        let result = read(&transaction);
        transaction.finish()?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < READS_MAX {
            idle.push(connection);
        }
        result
    }
}

/// The changes of a document after `after`, packed for one session: what
/// [`super::Recent::slice`] gives when it has them all.
///
/// # Errors
/// When the store fails.
pub fn slice(
    connection: &Connection,
    document: DocumentId,
    after: u64,
    bytes_max: usize,
    skip: &BTreeSet<u64>,
    dictionary: u16,
) -> Result<Slice, LogError> {
    let mut taker = Taker::new(after, bytes_max, skip);
    let mut statement = connection.prepare_cached(
        "SELECT seq, received_ms, mac, CASE WHEN has_brief THEN brief END,
             CASE WHEN NOT has_brief OR ?4 THEN bytes END
         FROM readable WHERE document = ?1 AND seq > ?2 ORDER BY seq LIMIT ?3",
    )?;
    let whole = dictionary < DICTIONARY_NEWEST;
    let mut rows = statement.query(rusqlite::params![
        document.to_bytes(),
        after.cast_signed(),
        CHANGES_PER_FRAME_MAX,
        whole
    ])?;
    while let Some(row) = rows.next()? {
        let seq = row.get::<_, i64>(0)?.unsigned_abs();
        let body = match row.get::<_, Option<Vec<u8>>>(3)? {
            Some(brief) if !whole => brief,
            _ => codec::pack(&row.get::<_, Vec<u8>>(4)?, dictionary),
        };
        let item = ChangeItem {
            seq,
            received_ms: row.get(1)?,
            mac: row.get(2)?,
            body,
        };
        if !taker.take(seq, || PackedChange::new(&item)) {
            break;
        }
    }
    Ok(taker.slice)
}

/// All changes of a document, in the order of the log.
///
/// # Errors
/// When the store fails or a change in it cannot be read.
pub fn document(connection: &Connection, document: DocumentId) -> Result<Vec<Logged>, LogError> {
    document_after(connection, document, 0)
}

/// The changes of a document after this `seq`, in the order of the log.
///
/// # Errors
/// As [`document`].
pub fn document_after(
    connection: &Connection,
    document: DocumentId,
    after: u64,
) -> Result<Vec<Logged>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, device, received_ms, bytes FROM readable WHERE document = ?1 AND seq > ?2 ORDER BY seq",
    )?;
    let mut rows = statement.query(rusqlite::params![document.to_bytes(), after.cast_signed()])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes = row
            .get_ref(3)?
            .as_blob()
            .map_err(|e| LogError::Store(e.to_string()))?;
        all.push(Logged {
            seq: row.get::<_, i64>(0)?.unsigned_abs(),
            device: row.get::<_, Option<u32>>(1)?.map(DeviceNumber),
            received_ms: row.get(2)?,
            inspected: inspect(bytes).map_err(|e| LogError::Store(format!("{document}: {e}")))?,
        });
    }
    Ok(all)
}
