//! The log's file with all that writing to it needs, on one thread.
//!
//! The writer thread sits at one; so does a simulated city, where everything happens on
//! one thread and time is virtual. What a commit means is decided here and nowhere else.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use aws_lc_rs::rand;
use packet::Author;
use packet::sabotage::{Sabotage, is_on};
use packet::signature::MacKey;
use rusqlite::{Connection, TransactionBehavior};

use super::documents::Documents;
use super::{Happening, Ledger, LogError, LogOptions, Readers, Recent, ledger, schema, seal};
use crate::calls::LinksConfig;
use crate::clock::Clock;
use crate::intake::CallReport;
use crate::policy::LivePolicies;
use crate::triage::{Entity, Triage};

type Fill = dyn Fn(&mut [u8]) + Send + Sync;
/// What words name.
type ReadWords = dyn Fn(&str) -> Vec<Entity> + Send + Sync;
type TriageReport = dyn Fn(&CallReport) -> Triage + Send + Sync;
type Publish = dyn FnMut(&[Happening]) + Send;

/// What the log takes from outside: the time, and randomness for ids that nobody guesses.
#[derive(Clone)]
pub struct Surroundings {
    pub clock: Clock,
    random: Arc<Fill>,
    read_words: Option<Arc<ReadWords>>,
    triage: Option<Arc<TriageReport>>,
    links: Option<LinksConfig>,
    policies: Option<Arc<LivePolicies>>,
}

impl Surroundings {
    /// `random` fills what it is given.
    #[must_use]
    pub fn new(clock: Clock, random: impl Fn(&mut [u8]) + Send + Sync + 'static) -> Self {
        Self {
            clock,
            random: Arc::new(random),
            read_words: None,
            triage: None,
            links: None,
            policies: None,
        }
    }

    /// What is logged is read by this, and what it names is kept ([`crate::mentions`]).
    /// Without one nobody reads it.
    #[must_use]
    pub fn reading(self, words: impl Fn(&str) -> Vec<Entity> + Send + Sync + 'static) -> Self {
        Self {
            read_words: Some(Arc::new(words)),
            ..self
        }
    }

    /// Packets that officers open are triaged by this when they come. Without one they stay
    /// as the device has made them.
    #[must_use]
    pub fn triaging(self, by: impl Fn(&CallReport) -> Triage + Send + Sync + 'static) -> Self {
        Self {
            triage: Some(Arc::new(by)),
            ..self
        }
    }

    /// Who may write, and what a packet may say of another, is decided by these policies.
    /// Without them the built-in ones decide, by roles alone.
    #[must_use]
    pub fn deciding(self, policies: Arc<LivePolicies>) -> Self {
        Self {
            policies: Some(policies),
            ..self
        }
    }

    /// Calls that may be about the same event are linked within these limits.
    #[must_use]
    pub fn linking(self, links: LinksConfig) -> Self {
        Self {
            links: Some(links),
            ..self
        }
    }

    pub(super) fn triage(&self, report: &CallReport) -> Option<Triage> {
        self.triage.as_ref().map(|triage| triage(report))
    }

    pub(super) fn links(&self) -> Option<LinksConfig> {
        self.links
    }

    pub(super) fn policies(&self) -> Option<&LivePolicies> {
        self.policies.as_deref()
    }

    pub(super) fn names_in(&self, words: &str) -> Vec<Entity> {
        self.read_words
            .as_ref()
            .map_or_else(Vec::new, |read| read(words))
    }

    pub(super) fn random<const BYTES: usize>(&self) -> [u8; BYTES] {
        let mut bytes = [0; BYTES];
        (self.random)(&mut bytes);
        bytes
    }
}

impl Default for Surroundings {
    /// The system's.
    fn default() -> Self {
        Self::new(Clock::default(), |bytes| {
            let _ = rand::fill(bytes);
        })
    }
}

impl fmt::Debug for Surroundings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Surroundings")
    }
}

type AfterCommit = Box<dyn FnOnce(Result<(), &LogError>) + Send>;
type Work = Box<dyn FnOnce(&mut Ledger<'_>) -> AfterCommit + Send>;

/// One piece of work for the log, and whom to answer after its commit.
pub struct Task(Work);

impl fmt::Debug for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Task")
    }
}

impl Task {
    /// An error of `work` takes back all that it did and nothing else. `answer` gets its
    /// result after the commit of its group, or why the group was not committed.
    pub fn new<T, E>(
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, E> + Send + 'static,
        answer: impl FnOnce(Result<T, E>) + Send + 'static,
    ) -> Self
    where
        T: Send + 'static,
        E: From<LogError> + Send + 'static,
    {
        Self(Box::new(move |ledger| {
            let result = ledger.in_savepoint(work);
            Box::new(move |committed| {
                answer(result.and_then(|value| match committed {
                    Ok(()) => Ok(value),
                    Err(LogError::Full) => Err(LogError::Full.into()),
                    Err(e) => Err(LogError::Store(e.to_string()).into()),
                }));
            })
        }))
    }
}

/// Writes to the log. There is one at a time for a file.
pub struct Desk {
    connection: Connection,
    documents: Documents,
    recent: Arc<Recent>,
    readers: Readers,
    incarnation: u64,
    surroundings: Surroundings,
    publish: Box<Publish>,
}

impl fmt::Debug for Desk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Desk")
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
}

impl Desk {
    /// Opens the log, or makes it. `publish` is told what happened after each commit and
    /// before the answers, in the order of the log.
    ///
    /// # Errors
    /// When the file cannot be opened with this key, in one sentence.
    pub fn open(
        path: &Path,
        options: &LogOptions,
        surroundings: &Surroundings,
        publish: impl FnMut(&[Happening]) + Send + 'static,
    ) -> Result<Self, LogError> {
        let at = |reason: String| LogError::Open {
            path: path.display().to_string(),
            reason,
        };
        let mut connection = schema::open(path, &options.store_key).map_err(&at)?;
        let incarnation =
            schema::incarnation(&mut connection, surroundings).map_err(|e| at(e.to_string()))?;
        if seal::is_parted(&connection).map_err(|e| at(e.to_string()))? {
            return Err(at(
                "it is a backup: `forerunner restore` makes a center of it".into(),
            ));
        }
        crate::search::index::backfill(&mut connection)?;
        crate::audit::entry::backfill(&mut connection)?;
        let recent = Arc::new(Recent::new(ledger::head(&connection)?));
        let documents = Documents::new(
            options.center,
            Author::Center(incarnation_issuer(incarnation)),
            surroundings.random(),
            MacKey::new(&options.mac_key),
        );
        Ok(Self {
            connection,
            documents,
            recent,
            readers: Readers::new(path, &options.store_key),
            incarnation,
            surroundings: surroundings.clone(),
            publish: Box::new(publish),
        })
    }

    #[must_use]
    pub fn incarnation(&self) -> u64 {
        self.incarnation
    }

    /// What was committed lately, packed once for all who receive it.
    #[must_use]
    pub fn recent(&self) -> &Arc<Recent> {
        &self.recent
    }

    #[must_use]
    pub fn readers(&self) -> &Readers {
        &self.readers
    }

    /// Runs each task in a savepoint, commits them as one group, publishes what happened,
    /// and only then answers.
    pub fn commit(&mut self, group: impl IntoIterator<Item = Task>) {
        let mut answers = Vec::new();
        let committed = self.write(group, &mut answers);
        let result = match &committed {
            Ok(happenings) => {
                if !happenings.is_empty() {
                    self.recent.add(happenings);
                    (self.publish)(happenings);
                }
                Ok(())
            }
            Err(e) => {
                tracing::error!(error = %e, "the log could not commit");
                self.documents.forget_all();
                Err(e)
            }
        };
        for answer in answers {
            answer(result);
        }
    }

    /// On an error to begin, the tasks are dropped, and with them whoever waits for one.
    fn write(
        &mut self,
        group: impl IntoIterator<Item = Task>,
        answers: &mut Vec<AfterCommit>,
    ) -> Result<Vec<Happening>, LogError> {
        let transaction = self
            .connection
            .transaction_with_behavior(TransactionBehavior::Immediate)?;
        let mut ledger = Ledger::new(&transaction, &mut self.documents, &self.surroundings)?;
        for Task(work) in group {
            answers.push(work(&mut ledger));
        }
        let done = ledger.finish()?;
        if is_on(Sabotage::AcknowledgeBeforeCommit) {
            answers.drain(..).for_each(|answer| answer(Ok(())));
        }
        transaction.commit()?;
        if done.purged {
            self.empty_write_ahead_log();
        }
        Ok(done.happenings)
    }

    /// In it are pages as they were before a purge. A reader that is at it for long keeps it
    /// from being emptied; the next purge, or the end of the center, does it then.
    fn empty_write_ahead_log(&self) {
        let is_busy = self
            .connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0));
        if !matches!(is_busy, Ok(false)) {
            tracing::warn!("the write-ahead log still holds what it held before the purge");
        }
    }
}

/// The center writes as another author in each incarnation, so that its changes
/// never collide with those of before a restore.
pub(super) fn incarnation_issuer(incarnation: u64) -> u32 {
    u32::try_from(incarnation & 0x7fff_ffff).unwrap_or_default() | 1 << 31
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::sync::mpsc;

    use packet::{CallId, Compartment, DocumentId};

    use super::*;
    use crate::search::tests::{desk, note};

    const GROUP: usize = 5;

    /// Where a full disk strikes first is chance: in a change, in the index, or in the
    /// statement that only begins or ends a piece of work. So notes are of many lengths, and
    /// for each there is a page more of room every time, until all of a group fits.
    #[test]
    fn on_a_full_disk_who_hears_yes_is_in_the_log_and_nobody_else_is() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(&folder);
        let call = DocumentId::new(CallId::new(Author::Center(7), 1), Compartment::Call);
        let mut refused = 0;
        for words in 1..=100 {
            for room in 0.. {
                let before = head_of(&desk);
                desk.commit([room_for(room)]);
                let (answers, answered) = mpsc::channel();
                desk.commit((0..GROUP).map(|number| {
                    // Words that no other note has: the index needs room for each.
                    let word = |n| format!("w{words}x{room}x{number}x{n}");
                    let text = (0..words).map(word).collect::<Vec<_>>().join(" ");
                    let answers = answers.clone();
                    Task::new(
                        move |ledger| ledger.append(call, note(&text)),
                        move |result| answers.send(result).unwrap(),
                    )
                }));
                desk.commit([room_for(1 << 30)]);

                drop(answers);
                let answers: Vec<_> = answered.iter().collect();
                assert_eq!(answers.len(), GROUP);
                let said: Vec<u64> = answers.iter().flatten().map(|note| note.seq).collect();
                let logged: Vec<u64> = (before + 1..=head_of(&desk)).collect();
                assert_eq!(said, logged, "{words} words, {room} pages: {answers:?}");
                if said.len() == GROUP {
                    break;
                }
                refused += GROUP - said.len();
            }
        }
        assert!(refused > 0, "the disk was never full");
    }

    /// Each with a nonce of its own, though the key is one (docs/adr/0026-purge.md).
    #[test]
    fn no_two_parts_of_changes_are_sealed_with_one_nonce() {
        let folder = tempfile::tempdir().unwrap();
        let mut desk = desk(&folder);
        let call = DocumentId::new(CallId::new(Author::Center(7), 1), Compartment::Call);
        for text in ["one", "two"] {
            let write = move |ledger: &mut Ledger<'_>| ledger.append(call, note(text)).map(drop);
            desk.commit([Task::new(write, |written: Result<(), LogError>| {
                written.unwrap();
            })]);
        }
        let nonces = desk.readers().read_blocking(|connection| {
            Ok(connection.query_row(
                "SELECT count(*), count(DISTINCT substr(sealed, 1, 12)) FROM
                     (SELECT bytes AS sealed FROM changes UNION ALL SELECT brief FROM changes)
                 WHERE sealed IS NOT NULL",
                [],
                |row| Ok((row.get(0)?, row.get(1)?)),
            )?)
        });
        let (parts, nonces): (u32, u32) = nonces.unwrap();
        assert_eq!((parts, nonces), (4, 4));
    }

    /// The disk has so many pages left.
    fn room_for(pages: i64) -> Task {
        let limit = move |ledger: &mut Ledger<'_>| {
            let count: i64 = ledger
                .sql()
                .query_row("PRAGMA page_count", [], |row| row.get(0))?;
            let limit = format!("PRAGMA max_page_count = {}", count + pages);
            ledger.sql().query_row(&limit, [], |_| Ok(()))?;
            Ok(())
        };
        Task::new(limit, |limited: Result<(), LogError>| limited.unwrap())
    }

    fn head_of(desk: &Desk) -> u64 {
        desk.readers().read_blocking(ledger::head).unwrap()
    }
}
