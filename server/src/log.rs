//! The center's one ordered, durable list of accepted changes, and all that is
//! decided with it.
//!
//! One thread writes. Work reaches it as closures over a [`Ledger`]; it takes as
//! many as wait, runs each in a savepoint, commits them **as one group** with
//! `synchronous=FULL`, and only then answers and publishes. So whoever hears *yes*
//! hears of something durable, `seq` is gapless without a lock, and a busy center
//! pays one `fsync` for many changes.
//!
//! ```text
//! work ─▶ [bounded queue] ─▶ writer thread: savepoint each … COMMIT ─▶ answers
//!                                                                  └─▶ publish ─▶ hub, board, enrichment
//! ```

mod about;
mod copy;
mod desk;
mod documents;
mod ledger;
mod read;
mod recent;
mod restored;
mod schema;
mod seal;

use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use packet::CenterId;
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::audit::came_from;

pub(crate) use about::forget as forget_beside;
pub(crate) use copy::{Copied, begin_anew_at, beside, check, copy, put_on_record, to_read};
pub use desk::{Desk, Surroundings, Task};
pub(crate) use ledger::reach;
pub use ledger::{Appended, Committed, Happening, Ledger, OfferedBy};
pub use read::{Logged, Readers, document, document_after, slice};
pub use recent::{Recent, Slice};
pub(crate) use restored::new_since_restore;
pub use restored::{Restored, begin_anew, restored};

/// Most pieces of work that wait for the writer; beyond it callers wait.
const QUEUE_MAX: usize = 1_024;
/// Most pieces of work in one commit.
const GROUP_MAX: usize = 512;
/// How far a subscriber may fall behind before it has to read the log again.
const PUBLISHED_MAX: usize = 4_096;

#[derive(Debug, thiserror::Error)]
pub enum LogError {
    #[error("the center's log cannot be opened at {path}: {reason}")]
    Open { path: String, reason: String },
    /// Nothing of it was written; nothing before it is lost.
    #[error("the center cannot write: its disk is full")]
    Full,
    #[error("the center's store failed: {0}")]
    Store(String),
    #[error("the center is stopping")]
    Stopping,
    #[error("{0}")]
    Entry(#[from] packet::EntryError),
    #[error("{what} {id} is not known here")]
    Unknown { what: &'static str, id: String },
    /// What was asked does not go with what is there.
    #[error("{0}")]
    Conflict(String),
}

impl From<rusqlite::Error> for LogError {
    fn from(e: rusqlite::Error) -> Self {
        match e.sqlite_error_code() {
            Some(rusqlite::ErrorCode::DiskFull) => Self::Full,
            _ => Self::Store(e.to_string()),
        }
    }
}

/// What the log needs to know of the center that owns it.
#[derive(Debug, Clone)]
pub struct LogOptions {
    pub center: CenterId,
    /// SQLCipher's raw key.
    pub store_key: [u8; 32],
    pub mac_key: [u8; 32],
}

/// A handle on the log; cheap to clone. The writer stops when the last one is gone.
#[derive(Debug, Clone)]
pub struct Log {
    work: mpsc::Sender<Task>,
    readers: Readers,
    recent: Arc<Recent>,
    published: broadcast::Sender<Arc<[Happening]>>,
    incarnation: u64,
    /// Last: the queue closes before it is waited for.
    _writer: Arc<Writer>,
}

/// The thread ends by itself when the queue closes, after the commit that it is in.
///
/// Whoever lets go of the log last waits for that: a process that ended meanwhile would
/// tear SQLCipher's own state down under the thread that closes the file.
#[derive(Debug)]
struct Writer {
    thread: Option<JoinHandle<()>>,
}

impl Drop for Writer {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.thread().id() != std::thread::current().id()
        {
            // What the thread had to say of its own panic it has said.
            let _ = thread.join();
        }
    }
}

impl Log {
    /// Opens the log, or makes it. `publish` is called by the writer after each
    /// commit and before the answers, in the order of the log.
    ///
    /// # Errors
    /// When the file cannot be opened with this key, in one sentence.
    pub fn open(
        path: &Path,
        options: &LogOptions,
        publish: impl FnMut(&[Happening]) + Send + 'static,
    ) -> Result<Self, LogError> {
        Self::open_in(path, options, &Surroundings::default(), publish)
    }

    /// As [`Log::open`], with what it takes from outside.
    ///
    /// # Errors
    /// As [`Log::open`].
    pub fn open_in(
        path: &Path,
        options: &LogOptions,
        surroundings: &Surroundings,
        mut publish: impl FnMut(&[Happening]) + Send + 'static,
    ) -> Result<Self, LogError> {
        let (published, _) = broadcast::channel(PUBLISHED_MAX);
        let desk = {
            let published = published.clone();
            Desk::open(path, options, surroundings, move |happenings| {
                publish(happenings);
                // Nobody listening is no error.
                let _ = published.send(happenings.into());
            })?
        };
        let incarnation = desk.incarnation();
        let (recent, readers) = (desk.recent().clone(), desk.readers().clone());
        let (work, queue) = mpsc::channel(QUEUE_MAX);
        let writer = std::thread::Builder::new()
            .name("log-writer".into())
            .spawn(move || write_groups(desk, queue))
            .map_err(|e| LogError::Open {
                path: path.display().to_string(),
                reason: e.to_string(),
            })?;
        Ok(Self {
            work,
            readers,
            recent,
            published,
            incarnation,
            _writer: Arc::new(Writer {
                thread: Some(writer),
            }),
        })
    }

    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// What was committed lately, packed once for all who receive it.
    #[must_use]
    pub fn recent(&self) -> &Recent {
        &self.recent
    }

    #[must_use]
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// What happens from now on, a group at a time. One that falls too far behind is
    /// told so and reads the log again.
    #[must_use]
    pub fn subscribe(&self) -> broadcast::Receiver<Arc<[Happening]>> {
        self.published.subscribe()
    }

    /// Runs `work` in the next group and answers after its commit. An error takes
    /// back all that this work did and nothing else.
    ///
    /// # Errors
    /// The work's own, or why the group was not committed.
    pub async fn write<T, E>(
        &self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, E> + Send + 'static,
    ) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<LogError> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        let came_from = came_from::current();
        let work = move |ledger: &mut Ledger<'_>| {
            ledger.comes_from(came_from);
            work(ledger)
        };
        // The caller may have gone: what is committed stays committed.
        let task = Task::new(work, |result| drop(answer.send(result)));
        self.work.send(task).await.map_err(|_| LogError::Stopping)?;
        answered.await.map_err(|_| LogError::Stopping)?
    }
}

fn write_groups(mut desk: Desk, mut queue: mpsc::Receiver<Task>) {
    let mut group = Vec::with_capacity(GROUP_MAX);
    while queue.blocking_recv_many(&mut group, GROUP_MAX) > 0 {
        desk.commit(group.drain(..));
    }
}
