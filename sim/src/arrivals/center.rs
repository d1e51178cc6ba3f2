//! The center: the real log on a real file, the real hub, and what waits for its next commit.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};

use fastrand::Rng;
use packet::{CallId, CenterId, ChangeHash, DeviceNumber, DocumentId, Entry, Refusal};
use server::calls;
use server::clock::Clock;
use server::hub::Hub;
use server::identity::CenterKeys;
use server::log::{
    Appended, Desk, Happening, Ledger, LogError, LogOptions, Readers, Surroundings, Task,
};
use server::receipts::{self, Batch, Carrier, ReceiptKind, Report};
use server::triage::Rules;
use sync::frame::SeenFrame;

use super::event::Event;
use super::session::Session;
use super::{City, CityError, Step};

/// A commit takes this long, at least and at most.
const COMMIT_MS: std::ops::RangeInclusive<u64> = 1..=15;
/// How long the center gathers what sessions say, as `server::receipts` does.
const GATHER_MS: u64 = 40;
/// How often the center looks at what is due by time.
const TICK_MS: u64 = 30_000;
/// How long units keep the packet of a call that is over: the configuration's default.
const KEEP_CLOSED_MS: i64 = 1_800_000;
/// Most packets that are taken from units in one commit.
const ENDED_PER_COMMIT_MAX: usize = 200;

/// What became of a task.
#[derive(Debug)]
pub(super) enum Answer {
    Opened {
        call: usize,
        id: CallId,
    },
    Offer {
        wire: u64,
        hash: ChangeHash,
        result: Result<Appended, Refusal>,
    },
    Failed(LogError),
}

pub(super) struct Center {
    desk: Desk,
    pub(super) hub: Hub,
    pub(super) keys: CenterKeys,
    pub(super) rules: Rules,
    pub(super) sessions: BTreeMap<u64, Session>,
    wall: Arc<AtomicI64>,
    tasks: Vec<Task>,
    happened: Arc<Mutex<Vec<Happening>>>,
    answers: (Sender<Answer>, Receiver<Answer>),
    /// What sessions said and is not written yet.
    said: Vec<(Arc<Carrier>, Report, i64)>,
    /// What of *delivered* is on record: it is not kept twice.
    delivered: HashMap<(DeviceNumber, DocumentId), u64>,
}

impl Center {
    pub(super) fn new(folder: &Path, seed: u64) -> Step<Self> {
        let names = ["localhost".to_owned()];
        let keys = CenterKeys::open_or_create(&folder.join("keys"), &names)?;
        let options = LogOptions {
            center: CenterId(keys.center_id()),
            store_key: *keys.store_key(),
            mac_key: *keys.mac_key(),
        };
        let (hub, happened) = (Hub::default(), Arc::new(Mutex::new(Vec::new())));
        let wall = Arc::new(AtomicI64::new(0));
        let random = Mutex::new(Rng::with_seed(seed));
        let told = wall.clone();
        let surroundings = Surroundings::new(
            Clock::new(move || told.load(Ordering::Relaxed)),
            move |bytes| {
                random
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .fill(bytes);
            },
        );
        let desk = {
            let (hub, happened) = (hub.clone(), happened.clone());
            Desk::open(
                &folder.join("center.db"),
                &options,
                &surroundings,
                move |happenings| {
                    hub.publish(happenings);
                    let mut all = happened.lock().unwrap_or_else(PoisonError::into_inner);
                    all.extend_from_slice(happenings);
                },
            )?
        };
        Ok(Self {
            desk,
            hub,
            keys,
            rules: Rules::default(),
            sessions: BTreeMap::new(),
            wall,
            tasks: Vec::new(),
            happened,
            answers: channel(),
            said: Vec::new(),
            delivered: HashMap::new(),
        })
    }

    pub(super) fn set_clock(&self, wall_ms: i64) {
        self.wall.store(wall_ms, Ordering::Relaxed);
    }

    pub(super) fn wall_ms(&self) -> i64 {
        self.wall.load(Ordering::Relaxed)
    }

    pub(super) fn incarnation(&self) -> u64 {
        self.desk.incarnation()
    }

    pub(super) fn recent(&self) -> &server::log::Recent {
        self.desk.recent()
    }

    pub(super) fn readers(&self) -> &Readers {
        self.desk.readers()
    }

    /// One task, committed at once.
    pub(super) fn write_now<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> Step<T> {
        let (answer, answered) = channel();
        self.desk.commit([Task::new(work, move |result| {
            // Whoever waits is below.
            let _ = answer.send(result);
        })]);
        let answered = answered.try_recv();
        Ok(answered.map_err(CityError::new)??)
    }
}

impl City {
    /// A task for the log; the group that it goes with is committed soon.
    pub(super) fn task<T, E>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, E> + Send + 'static,
        answer: impl FnOnce(Result<T, E>) -> Option<Answer> + Send + 'static,
    ) where
        T: Send + 'static,
        E: From<LogError> + Send + 'static,
    {
        if self.center.tasks.is_empty() {
            let in_ms = self.rng.u64(COMMIT_MS);
            self.queue.plan(self.now_ms + in_ms, Event::Group);
        }
        let answers = self.center.answers.0.clone();
        let task = Task::new(work, move |result| {
            if let Some(answer) = answer(result) {
                // The city outlives its center's answers.
                let _ = answers.send(answer);
            }
        });
        self.center.tasks.push(task);
    }

    /// … of which only a failure is of interest.
    pub(super) fn desk_task(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<(), LogError> + Send + 'static,
    ) {
        self.task(work, |result: Result<(), LogError>| {
            result.err().map(Answer::Failed)
        });
    }

    /// Commits what waits, and hands on what came of it.
    pub(super) fn group(&mut self) -> Step {
        let tasks = std::mem::take(&mut self.center.tasks);
        self.center.desk.commit(tasks);
        self.stats.commits += 1;
        while let Ok(answer) = self.center.answers.1.try_recv() {
            match answer {
                Answer::Opened { call, id } => self.opened(call, id),
                Answer::Offer { wire, hash, result } => self.offer_answered(wire, hash, result),
                Answer::Failed(e) => return Err(e.into()),
            }
        }
        let happened = {
            let mut all = self
                .center
                .happened
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            std::mem::take(&mut *all)
        };
        let mut told: Vec<usize> = Vec::new();
        for happening in &happened {
            self.take(happening, &mut told)?;
        }
        told.sort_unstable();
        told.dedup();
        told.into_iter().try_for_each(|officer| {
            let wire = self.officers[officer].wire;
            wire.map_or(Ok(()), |wire| self.poll_session(wire))
        })
    }

    /// Notes what happened. `told`: the officers whose sessions have news.
    fn take(&mut self, happening: &Happening, told: &mut Vec<usize>) -> Step {
        match happening {
            Happening::Change(change) => {
                let call = change.document.call;
                self.written(change);
                told.extend(self.on_call.get(&call).into_iter().flatten());
                told.extend(change.device.and_then(|device| self.officer_of(device)));
            }
            Happening::Granted { unit, call, .. } => {
                if let Some(officer) = self.units.get(unit) {
                    self.on_call.entry(*call).or_default().push(*officer);
                    told.push(*officer);
                }
            }
            Happening::Ended { unit, call } => {
                if let (Some(officer), Some(on_it)) =
                    (self.units.get(unit), self.on_call.get_mut(call))
                {
                    on_it.retain(|other| other != officer);
                    if on_it.is_empty() {
                        self.on_call.remove(call);
                    }
                    told.push(*officer);
                }
            }
            Happening::Call {
                call, opened: true, ..
            } => self.ask_sources(*call)?,
            Happening::Call { call, .. } => {
                told.extend(self.on_call.get(call).into_iter().flatten());
            }
            Happening::Receipt(receipt) if receipt.kind == ReceiptKind::Shown => {
                self.pass_on(receipt, told)?;
            }
            Happening::Receipt(_)
            | Happening::Delivered(_)
            | Happening::Held(_)
            | Happening::DeviceRevoked(_) => {}
        }
        Ok(())
    }

    /// Tells the devices that wrote something who has seen it, as the center does.
    fn pass_on(&mut self, receipt: &receipts::Receipt, told: &mut Vec<usize>) -> Step {
        let (document, after, through) = (receipt.document, receipt.after, receipt.through);
        let mut authors = self
            .center
            .readers()
            .read_blocking(|connection| receipts::authors(connection, document, after, through))?;
        authors.retain(|author| Some(*author) != receipt.device);
        let seen = SeenFrame {
            number: receipt.number,
            document,
            through,
            who: receipt.who.clone(),
            at_ms: receipt.at_ms,
        };
        self.center.hub.seen(&authors, &seen);
        told.extend(authors.into_iter().filter_map(|a| self.officer_of(a)));
        Ok(())
    }

    fn officer_of(&self, device: DeviceNumber) -> Option<usize> {
        self.devices.get(&device).copied()
    }

    /// What a session has to say is gathered for a moment.
    pub(super) fn say(&mut self, carrier: &Arc<Carrier>, mut report: Report) {
        let known = &mut self.center.delivered;
        report.delivered.retain(|document, through| {
            let known = known.entry((carrier.device, *document)).or_insert(0);
            let is_news = *through > *known;
            *known = (*known).max(*through);
            is_news
        });
        if report.is_empty() {
            return;
        }
        if self.center.said.is_empty() {
            self.queue.plan(self.now_ms + GATHER_MS, Event::Gathered);
        }
        let at_ms = self.center.wall_ms();
        self.center.said.push((carrier.clone(), report, at_ms));
    }

    pub(super) fn gathered(&mut self) {
        let mut batch = Batch::default();
        for (carrier, report, at_ms) in std::mem::take(&mut self.center.said) {
            batch.add(&carrier, report, at_ms);
        }
        self.task(
            move |ledger| batch.write(ledger),
            |kept: Result<receipts::Kept, LogError>| match kept {
                Ok(kept) => {
                    kept.committed();
                    None
                }
                Err(e) => Some(Answer::Failed(e)),
            },
        );
    }

    /// What is due by time, as the center's own tick.
    pub(super) fn tick(&mut self) {
        self.desk_task(|ledger| {
            let grace = calls::Grace::Ms(KEEP_CLOSED_MS);
            calls::end_closed(ledger, grace, ENDED_PER_COMMIT_MAX).map(drop)
        });
        self.queue.plan(self.now_ms + TICK_MS, Event::Tick);
    }

    /// The center itself writes an entry.
    pub(super) fn append(&mut self, document: DocumentId, entry: Entry) {
        self.desk_task(move |ledger| ledger.append(document, entry).map(drop));
    }
}
