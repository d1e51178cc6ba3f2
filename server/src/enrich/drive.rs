//! Drives the scheduler with a real clock and real sources.
//!
//! One task owns the [`Scheduler`]. What is to be asked is planned beside it, each attempt
//! is a task of its own, and what askers are told is written by one more, in order.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use aws_lc_rs::rand;
use packet::{CallId, EntryId};
use tokio::sync::mpsc;
use tokio::task::{AbortHandle, Id, JoinSet};
use tokio_util::sync::CancellationToken;

use super::map::Brings;
use super::plan::{Asker, Behalf, Planned, urgency};
use super::ready::{Planner, Ready};
use super::schedule::{Ask, Effects, Fetched, Scheduler, Tell, Told};
use super::sources::Sources;
use super::write::{set_asked, write_told};
use super::{Asked, IN_FLIGHT_MAX, Question};
use crate::center::Center;
use crate::clock;
use crate::log::{Ledger, LogError};

/// Most occasions that are planned at a time.
const PLANS_MAX: usize = 16;
/// Most words to askers that wait to be written; beyond it the scheduler waits.
const TOLD_MAX: usize = 1_024;
/// Most of them in one go.
const TOLD_AT_ONCE_MAX: usize = 64;

type Answer = Arc<Brings>;
type Attempt = (u64, Fetched<Answer>);

/// A word to an asker on its way to the log.
struct ToWrite {
    tell: Tell<Asker, Answer>,
    /// Nothing else is waited for on this behalf.
    is_last: bool,
}

/// Asks until told to stop. What is in flight then is given up, and asked again at the
/// next start.
pub fn run(
    center: Arc<Center>,
    sources: Sources,
    asked: Asked,
    stop: CancellationToken,
) -> impl Future<Output = ()> + Send {
    let (told, to_write) = mpsc::channel(TOLD_MAX);
    let writing = write(center.clone(), sources.clone(), to_write);
    let driver = Driver {
        scheduler: Scheduler::new(&sources.limits(), IN_FLIGHT_MAX),
        began: Instant::now(),
        began_ms: clock::now_ms(),
        sources,
        attempts: JoinSet::new(),
        handles: HashMap::new(),
        outstanding: HashMap::new(),
        planner: Planner::new(center),
        told,
    };
    async move {
        // What was told is written before the log closes: the writer ends after the driver.
        tokio::join!(driver.drive(asked, stop), writing);
    }
}

struct Driver {
    scheduler: Scheduler<Asker, Question, Answer>,
    began: Instant,
    /// The center's clock then. From there on this one does not jump.
    began_ms: i64,
    sources: Sources,
    attempts: JoinSet<Attempt>,
    handles: HashMap<u64, AbortHandle>,
    /// How many last words each occasion waits for.
    outstanding: HashMap<(CallId, Option<EntryId>), usize>,
    planner: Planner,
    told: mpsc::Sender<ToWrite>,
}

impl Driver {
    async fn drive(mut self, mut asked: Asked, stop: CancellationToken) {
        let mut plans: JoinSet<Option<Ready>> = JoinSet::new();
        loop {
            let due = sleep_until(self.scheduler.due_ms(), self.now_ms());
            tokio::select! {
                () = stop.cancelled() => return,
                occasion = asked.0.recv(), if plans.len() < PLANS_MAX => match occasion {
                    Some(occasion) => {
                        plans.spawn(self.planner.clone().ready(occasion));
                    }
                    None => return,
                },
                Some(ready) = plans.join_next() => {
                    if let Ok(Some(ready)) = ready {
                        self.ask(ready).await;
                    }
                }
                Some(attempt) = self.attempts.join_next_with_id() => self.fetched(attempt).await,
                () = due => {
                    let effects = self.scheduler.due(self.now_ms(), random());
                    self.obey(effects).await;
                }
            }
        }
    }

    fn now_ms(&self) -> i64 {
        let elapsed = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        self.began_ms.saturating_add(elapsed)
    }

    async fn ask(&mut self, ready: Ready) {
        let Behalf { call, query, .. } = ready.behalf;
        let urgency = urgency(ready.priority, &ready.behalf);
        for Planned {
            source, question, ..
        } in &ready.asked_before
        {
            self.scheduler.hurry(*source, question, urgency);
        }
        // All of them before the first: an answer that is at hand is told at once, and is not
        // the last while others are still to be asked.
        if !ready.asks.is_empty() {
            *self.outstanding.entry((call, query)).or_default() += ready.asks.len();
        }
        for planned in ready.asks {
            let ask = Ask {
                waiter: planned.asker,
                source: planned.source,
                question: planned.question,
                urgency,
            };
            let effects = self.scheduler.ask(self.now_ms(), ask);
            self.obey(effects).await;
        }
    }

    async fn fetched(&mut self, attempt: Result<(Id, Attempt), tokio::task::JoinError>) {
        let (attempt, fetched) = match attempt {
            Ok((_, attempt)) => attempt,
            Err(e) => {
                let of_task = |(_, handle): &(&u64, &AbortHandle)| handle.id() == e.id();
                let Some((attempt, _)) = self.handles.iter().find(of_task) else {
                    // It was given up.
                    return;
                };
                let why = "what reads its answer gave up".to_owned();
                (*attempt, Fetched::Failed { why, again: false })
            }
        };
        self.handles.remove(&attempt);
        let effects = self
            .scheduler
            .fetched(self.now_ms(), random(), attempt, fetched);
        self.obey(effects).await;
    }

    async fn obey(&mut self, effects: Effects<Asker, Question, Answer>) {
        for attempt in effects.stop {
            if let Some(handle) = self.handles.remove(&attempt) {
                handle.abort();
            }
        }
        for fetch in effects.fetch {
            let (sources, attempt) = (self.sources.clone(), fetch.attempt);
            let handle = self.attempts.spawn(async move {
                let fetched = match sources.get(fetch.source) {
                    Some(source) => source.fetch(&fetch.question).await,
                    None => Fetched::Failed {
                        why: "there is no such source".into(),
                        again: false,
                    },
                };
                (attempt, fetched)
            });
            self.handles.insert(attempt, handle);
        }
        for tell in effects.tell {
            let is_last = tell.told.is_final() && self.was_last(&tell.waiter.behalf);
            // The writer ends only after this.
            let _ = self.told.send(ToWrite { tell, is_last }).await;
        }
    }

    fn was_last(&mut self, behalf: &Behalf) -> bool {
        let key = (behalf.call, behalf.query);
        let Some(left) = self.outstanding.get_mut(&key) else {
            return false;
        };
        *left -= 1;
        let is_last = *left == 0;
        if is_last {
            self.outstanding.remove(&key);
        }
        is_last
    }
}

async fn sleep_until(due_ms: Option<i64>, now_ms: i64) {
    match due_ms {
        Some(due_ms) => {
            let wait_ms = u64::try_from(due_ms - now_ms).unwrap_or(0);
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        None => std::future::pending().await,
    }
}

fn random() -> u64 {
    let mut bytes = [0; 8];
    // Without randomness attempts come back in step: slower, not wrong.
    let _ = rand::fill(&mut bytes);
    u64::from_ne_bytes(bytes)
}

/// Writes what askers are told, in order, as much at a time as there is.
async fn write(center: Arc<Center>, sources: Sources, mut to_write: mpsc::Receiver<ToWrite>) {
    let mut batch = Vec::new();
    while to_write.recv_many(&mut batch, TOLD_AT_ONCE_MAX).await > 0 {
        let writing = batch.drain(..).map(|word| {
            let (center, sources) = (center.clone(), sources.clone());
            async move { write_one(&center, &sources, word).await }
        });
        for written in futures_util::future::join_all(writing).await {
            if let Err(e) = written {
                tracing::warn!(error = %e, "what a source answered could not be written");
            }
        }
    }
}

async fn write_one(center: &Center, sources: &Sources, word: ToWrite) -> Result<(), LogError> {
    let ToWrite { tell, is_last } = word;
    if let Told::Answered { answer, .. } = &tell.told {
        let findings = answer.findings.len();
        center.metrics.findings.inc_by(findings as u64);
    }
    let sources = sources.clone();
    let write = move |ledger: &mut Ledger<'_>| {
        let source = sources.get(tell.source).ok_or_else(|| LogError::Unknown {
            what: "source",
            id: tell.source.to_string(),
        })?;
        write_told(ledger, &source.config, &tell.waiter, &tell.told)?;
        let behalf = &tell.waiter.behalf;
        if is_last && behalf.query.is_none() {
            set_asked(ledger, behalf.call, true)?;
        }
        Ok(())
    };
    center.log.write(write).await
}

#[cfg(test)]
mod tests;
