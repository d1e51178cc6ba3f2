//! The center: the real log on a real file, the real hub, and its bad days.
//!
//! A crash takes the files as they lie at that moment, in the middle of a transaction if
//! it comes there, and starts again from the copy.

use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use packet::{CallId, CenterId, ChangeHash, DeviceNumber, DocumentId, Refusal};
use server::clock::Clock;
use server::hub::Hub;
use server::identity::CenterKeys;
use server::log::{
    Appended, Desk, Happening, Ledger, LogError, LogOptions, Surroundings, Task, document,
};
use server::receipts::{self, ReceiptKind};
use server::triage::Rules;
use sync::frame::SeenFrame;

use super::event::Event;
use super::fault::{Fault, Invariant, Step, broken, must};
use super::restores::Backup;
use super::session::Session;
use super::witness::{Page, Seen, serial_of};
use super::{World, wall_ms};

/// A commit takes this long, at least and at most.
const COMMIT_MS: std::ops::RangeInclusive<u64> = 1..=15;

/// Where in the next commit the center's power goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CrashPoint {
    /// Within the transaction.
    BeforeCommit,
    /// What was committed is published to nobody, nobody is answered.
    BeforeAnswers,
}

/// What became of a task.
#[derive(Debug)]
pub(super) enum Answer {
    Offer {
        wire: u64,
        hash: ChangeHash,
        result: Result<Result<Appended, Refusal>, LogError>,
        /// Whether another connection found it on the disk when the answer was given.
        on_disk: bool,
    },
    Kept {
        wire: u64,
        result: Result<(), LogError>,
    },
    Desk {
        what: String,
        result: Result<(), LogError>,
    },
}

/// A center that runs.
pub(super) struct Running {
    pub(super) desk: Desk,
    pub(super) hub: Hub,
    pub(super) sessions: BTreeMap<u64, Session>,
    pub(super) boot: u64,
    tasks: Vec<Task>,
    happened: Arc<Mutex<Vec<Happening>>>,
    answers: (Sender<Answer>, Receiver<Answer>),
}

pub(super) struct Center {
    folder: PathBuf,
    file: PathBuf,
    copies: u64,
    boots: u64,
    pub(super) keys: CenterKeys,
    options: LogOptions,
    pub(super) rules: Rules,
    /// The center's own clock.
    wall: Arc<AtomicI64>,
    pub(super) wall_off_ms: i64,
    random: Arc<Mutex<Rng>>,
    pub(super) running: Option<Running>,
    pub(super) crash_due: Option<CrashPoint>,
    pub(super) backup: Option<Backup>,
}

/// Thrown through a transaction: the power is gone.
struct PowerCut;

impl Center {
    pub(super) fn new(folder: &Path, seed: u64) -> Step<Self> {
        let names = ["localhost".to_owned()];
        let keys =
            CenterKeys::open_or_create(&folder.join("keys"), &names).map_err(Fault::of_world)?;
        let options = LogOptions {
            center: CenterId(keys.center_id()),
            store_key: *keys.store_key(),
            mac_key: *keys.mac_key(),
        };
        Ok(Self {
            folder: folder.to_owned(),
            file: folder.join("center.db"),
            copies: 0,
            boots: 0,
            keys,
            options,
            rules: Rules::default(),
            wall: Arc::new(AtomicI64::new(0)),
            wall_off_ms: 0,
            random: Arc::new(Mutex::new(Rng::with_seed(seed))),
            running: None,
            crash_due: None,
            backup: None,
        })
    }

    pub(super) fn set_clock(&self, now_ms: u64) {
        self.wall
            .store(wall_ms(now_ms) + self.wall_off_ms, Ordering::Relaxed);
    }

    pub(super) fn wall_ms(&self) -> i64 {
        self.wall.load(Ordering::Relaxed)
    }

    pub(super) fn surroundings(&self) -> Surroundings {
        let (wall, random) = (self.wall.clone(), self.random.clone());
        Surroundings::new(
            Clock::new(move || wall.load(Ordering::Relaxed)),
            move |bytes| {
                random
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .fill(bytes);
            },
        )
    }

    fn open(&mut self) -> Step<()> {
        let hub = Hub::default();
        let happened = Arc::new(Mutex::new(Vec::new()));
        let desk = {
            let (hub, happened) = (hub.clone(), happened.clone());
            let publish = move |happenings: &[Happening]| {
                hub.publish(happenings);
                let mut all = happened.lock().unwrap_or_else(PoisonError::into_inner);
                all.extend_from_slice(happenings);
            };
            Desk::open(&self.file, &self.options, &self.surroundings(), publish)
                .map_err(Fault::of_world)?
        };
        desk.readers()
            .read_blocking(|connection| hub.load(connection))
            .map_err(Fault::of_world)?;
        self.boots += 1;
        self.running = Some(Running {
            desk,
            hub,
            sessions: BTreeMap::new(),
            boot: self.boots,
            tasks: Vec::new(),
            happened,
            answers: channel(),
        });
        Ok(())
    }

    /// The file, beside the center.
    pub(super) fn connect(&self) -> rusqlite::Result<rusqlite::Connection> {
        let connection = rusqlite::Connection::open(&self.file)?;
        let key = HexKey(&self.options.store_key);
        connection.execute_batch(&format!("PRAGMA key = \"x'{key}'\""))?;
        Ok(connection)
    }

    /// The files as they lie now, under a new name.
    pub(super) fn copy_name(&mut self) -> PathBuf {
        self.copies += 1;
        self.folder.join(format!("center-{}.db", self.copies))
    }

    pub(super) fn read<T>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> Result<T, LogError>,
    ) -> Step<T> {
        let running = self
            .running
            .as_ref()
            .ok_or_else(|| broken(Invariant::World, "the center is read while it is down"))?;
        running
            .desk
            .readers()
            .read_blocking(read)
            .map_err(Fault::of_world)
    }
}

pub(super) fn copy_files(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::copy(from, to)?;
    let wal = |path: &Path| PathBuf::from(format!("{}-wal", path.display()));
    if wal(from).exists() {
        std::fs::copy(wal(from), wal(to))?;
    }
    Ok(())
}

pub(super) fn remove_files(file: &Path) {
    for suffix in ["", "-wal", "-shm"] {
        // What is not there need not go; what stays goes with the folder.
        let _ = std::fs::remove_file(format!("{}{suffix}", file.display()));
    }
}

/// All changes and grants, as the disk has them.
fn page_of(connection: &rusqlite::Connection) -> Result<Page, LogError> {
    let mut page = Page::default();
    let mut statement = connection.prepare("SELECT DISTINCT document FROM changes")?;
    let documents = statement
        .query_map([], |row| row.get::<_, [u8; DocumentId::BYTES]>(0))?
        .collect::<Result<Vec<_>, _>>()?;
    let mut all = Vec::new();
    for id in documents {
        let id = DocumentId::from_bytes(&id).map_err(|e| LogError::Store(e.to_string()))?;
        for logged in document(connection, id)? {
            let seen = Seen {
                document: id,
                hash: logged.inspected.hash,
                device: logged.device,
                serial: serial_of(&logged.inspected.written.entry).map(str::to_owned),
            };
            all.push((logged.seq, seen));
        }
    }
    all.sort_by_key(|(seq, _)| *seq);
    for (seq, seen) in all {
        page.add(seq, seen)
            .map_err(|fault| LogError::Conflict(fault.what))?;
    }
    let mut statement = connection.prepare("SELECT unit, call, from_seq, to_seq FROM grants")?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let call = CallId(row.get::<_, i64>(1)?.cast_unsigned());
        let to: Option<i64> = row.get(3)?;
        page.granted(
            &row.get::<_, String>(0)?,
            call,
            row.get::<_, i64>(2)?.unsigned_abs(),
            to.map(i64::unsigned_abs),
        );
    }
    Ok(page)
}

impl World {
    /// Starts the center from its file. What was answered before must be in it.
    pub(super) fn start_center(&mut self) -> Step {
        if self.center.running.is_some() {
            return Ok(());
        }
        self.center.open()?;
        let Some(running) = &self.center.running else {
            return Ok(());
        };
        let incarnation = running.desk.incarnation();
        let page = self.center.read(page_of)?;
        if let Some(known) = self.witness.pages.get(&incarnation) {
            must(page.head() == known.head(), Invariant::Durable, || {
                format!(
                    "the log has {} changes after a start, {} were committed",
                    page.head(),
                    known.head()
                )
            })?;
            let same = |(a, b): (&Seen, &Seen)| a.hash == b.hash && a.document == b.document;
            let same = page.changes.iter().zip(&known.changes).all(same);
            must(same, Invariant::Durable, || {
                "the log has other changes after a start than were committed".into()
            })?;
        }
        self.note(&format!("C start head={}", page.head()));
        let is_restored = self.witness.begins(incarnation, page);
        if is_restored {
            self.revoke_again();
        }
        self.queue.plan(self.now_ms + 5_000, Event::Tick);
        Ok(())
    }

    /// A task for the log; the group that it goes with is committed soon.
    pub(super) fn task<T, E>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, E> + Send + 'static,
        answer: impl FnOnce(Result<T, E>, &dyn Fn(&ChangeHash) -> Option<u64>) -> Answer
        + Send
        + 'static,
    ) where
        T: Send + 'static,
        E: From<LogError> + Send + 'static,
    {
        let in_ms = self.rng.u64(COMMIT_MS);
        let Some(running) = &mut self.center.running else {
            return;
        };
        if running.tasks.is_empty() {
            let boot = running.boot;
            self.queue.plan(self.now_ms + in_ms, Event::Group { boot });
        }
        let (answers, readers) = (running.answers.0.clone(), running.desk.readers().clone());
        let task = Task::new(work, move |result| {
            let on_disk = |hash: &ChangeHash| {
                let found = readers.read_blocking(|connection| {
                    let mut statement =
                        connection.prepare_cached("SELECT seq FROM changes WHERE hash = ?1")?;
                    Ok(statement.query_row([hash.0], |row| row.get::<_, i64>(0))?)
                });
                found.ok().map(i64::unsigned_abs)
            };
            // The world outlives its center, and takes every answer.
            let _ = answers.send(answer(result, &on_disk));
        });
        running.tasks.push(task);
    }

    /// Something that the center's own people do.
    pub(super) fn desk_task(
        &mut self,
        what: String,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<(), LogError> + Send + 'static,
    ) {
        self.task(work, move |result, _| Answer::Desk { what, result });
    }

    /// One task, committed at once.
    pub(super) fn write_now<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> Step<Option<T>> {
        let Some(running) = &mut self.center.running else {
            return Ok(None);
        };
        let (answer, answered) = channel();
        running.desk.commit([Task::new(work, move |result| {
            let _ = answer.send(result);
        })]);
        self.published()?;
        match answered.try_recv() {
            Ok(Ok(value)) => Ok(Some(value)),
            Ok(Err(LogError::Full)) => Ok(None),
            Ok(Err(e)) => Err(Fault::of_world(e)),
            Err(e) => Err(Fault::of_world(e)),
        }
    }

    /// Commits what waits, unless the power goes first.
    pub(super) fn group(&mut self, boot: u64) -> Step {
        let crash = self.center.crash_due;
        let copy = match crash {
            Some(CrashPoint::BeforeCommit) => Some(self.center.copy_name()),
            _ => None,
        };
        let from = self.center.file.clone();
        let Some(running) = &mut self.center.running else {
            return Ok(());
        };
        if running.boot != boot {
            return Ok(());
        }
        let mut tasks = std::mem::take(&mut running.tasks);
        if let Some(copy) = copy.clone() {
            let at = self.rng.usize(0..=tasks.len());
            let cut = move |_: &mut Ledger<'_>| -> Result<(), LogError> {
                copy_files(&from, &copy).map_err(|e| LogError::Store(e.to_string()))?;
                resume_unwind(Box::new(PowerCut))
            };
            tasks.insert(at, Task::new(cut, |_| {}));
        }
        let count = tasks.len();
        let committed = catch_unwind(AssertUnwindSafe(|| running.desk.commit(tasks)));
        if committed.is_err() {
            self.note("C power cut within a commit");
            return self.crash_center(copy);
        }
        self.stats.commits += 1;
        self.published()?;
        if crash == Some(CrashPoint::BeforeAnswers) {
            self.note("C power cut before the answers");
            return self.crash_center(None);
        }
        let head = self.witness.page()?.head();
        self.note(&format!("C commit tasks={count} head={head}"));
        self.answered()?;
        self.poll_all_sessions()
    }

    /// Hands on what the log published.
    fn published(&mut self) -> Step {
        let Some(running) = &self.center.running else {
            return Ok(());
        };
        let happened = std::mem::take(
            &mut *running
                .happened
                .lock()
                .unwrap_or_else(PoisonError::into_inner),
        );
        for happening in &happened {
            if matches!(happening, Happening::Change(_)) {
                self.stats.changes += 1;
            }
            self.witness.take(happening)?;
            self.pass_on_receipt(happening)?;
        }
        Ok(())
    }

    /// Tells the devices that wrote something who has seen it, as the center does.
    fn pass_on_receipt(&mut self, happening: &Happening) -> Step {
        let Happening::Receipt(receipt) = happening else {
            return Ok(());
        };
        if receipt.kind != ReceiptKind::Shown {
            return Ok(());
        }
        let (document, after, through) = (receipt.document, receipt.after, receipt.through);
        let mut authors: Vec<DeviceNumber> = self
            .center
            .read(|connection| receipts::authors(connection, document, after, through))?;
        authors.retain(|author| Some(*author) != receipt.device);
        let seen = SeenFrame {
            number: receipt.number,
            document,
            through,
            who: receipt.who.clone(),
            at_ms: receipt.at_ms,
        };
        if let Some(running) = &self.center.running {
            running.hub.seen(&authors, &seen);
        }
        Ok(())
    }

    fn answered(&mut self) -> Step {
        loop {
            let answer = match &self.center.running {
                Some(running) => running.answers.1.try_recv(),
                None => return Ok(()),
            };
            let Ok(answer) = answer else { return Ok(()) };
            match answer {
                Answer::Offer {
                    wire,
                    hash,
                    result,
                    on_disk,
                } => self.offer_answered(wire, hash, result, on_disk)?,
                Answer::Kept { wire, result } => self.kept(wire, result)?,
                Answer::Desk { what, result } => {
                    if let Err(e) = result {
                        self.note(&format!("C {what}: {e}"));
                    }
                }
            }
        }
    }

    /// The power goes. What no transaction committed is gone, with all sessions.
    pub(super) fn crash_center(&mut self, copy: Option<PathBuf>) -> Step {
        let copy = match copy {
            Some(copy) => copy,
            None => {
                let copy = self.center.copy_name();
                copy_files(&self.center.file, &copy).map_err(Fault::of_world)?;
                copy
            }
        };
        self.center.crash_due = None;
        let Some(running) = self.center.running.take() else {
            return Ok(());
        };
        self.stats.center_crashes += 1;
        let wires: Vec<u64> = running.sessions.keys().copied().collect();
        drop(running);
        remove_files(&self.center.file);
        self.center.file = copy;
        for wire in wires {
            self.center_is_gone(wire);
        }
        let in_ms = self.rng.u64(500..20_000);
        self.note(&format!("C crash, back in {in_ms} ms"));
        self.queue.plan(self.now_ms + in_ms, Event::StartCenter);
        Ok(())
    }

    /// What is due by time, as the center's own tick.
    pub(super) fn tick(&mut self, keep_closed_ms: i64) {
        let Some(_) = &self.center.running else {
            return;
        };
        self.desk_task("end closed".into(), move |ledger| {
            let grace = server::calls::Grace::Ms(keep_closed_ms);
            server::calls::end_closed(ledger, grace, 50).map(drop)
        });
        self.queue.plan(self.now_ms + 5_000, Event::Tick);
    }

    /// The center's disk is full, or has room again.
    pub(super) fn limit_center_disk(&mut self, is_full: bool) -> Step {
        let limited = self.write_now(move |ledger| {
            let pages: i64 = if is_full {
                ledger
                    .sql()
                    .query_row("PRAGMA page_count", [], |row| row.get(0))?
            } else {
                1 << 30
            };
            ledger
                .sql()
                .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))?;
            Ok(())
        })?;
        if limited.is_some() {
            self.note(if is_full {
                "C disk full"
            } else {
                "C disk has room"
            });
        }
        Ok(())
    }
}

struct HexKey<'a>(&'a [u8; 32]);

impl std::fmt::Display for HexKey<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}
