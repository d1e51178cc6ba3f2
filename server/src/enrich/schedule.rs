//! When each source is asked what: a state machine without I/O.
//!
//! Clock and randomness are arguments; one call in, [`Effects`] out. The center drives it
//! with sockets and a real clock, a simulated city with modelled sources in virtual time:
//! it is the same machine.
//!
//! ```text
//! ask ─▶ fresh in the cache? ─▶ tell
//!          │ no
//!          ├─ asked already for another packet? ─▶ wait with it
//!          ▼
//!        ready, the most urgent first ─▶ breaker, rate, places ─▶ fetch ─▶ answered? ─▶ tell
//!          ▲                                                        │ no
//!          └──────────── later, with jitter ◀───────────────────────┘
//! ```
//!
//! What holds:
//! * Sources share nothing but this machine's turn. Of the bound on all that is in flight
//!   each has its own part, so one that hangs never takes the place of another.
//! * Each asker hears one final word by its deadline: answered, refused, failed or timed
//!   out. Before it, at the earliest [`ANNOUNCE_AFTER_MS`] after it asked, at most two more:
//!   that the source has been asked, and that it is being asked again.
//! * A source that fails [`BREAKER_FAILURES`](breaker::BREAKER_FAILURES) times in a row is
//!   left alone for a while; then one question, the most urgent, tries whether it is back.
//! * The same question for two packets is asked once, and both are told.
//!
//! # How to drive it
//! Call [`Scheduler::ask`] for each question, [`Scheduler::fetched`] with what became of
//! each [`Fetch`], and [`Scheduler::due`] when [`Scheduler::due_ms`] has come. After each
//! call do what it says: begin each `fetch`, give up each `stop`, pass on each `tell`. An
//! attempt that was stopped may still be reported: it is ignored.
//!
//! ```
//! use forerunner_server::enrich::schedule::{Ask, Effects, Fetched, Limits, Scheduler, Told};
//!
//! // Two modelled sources: one answers after 40 ms, one never does.
//! let limits = Limits { timeout_ms: 3_000, deadline_ms: 10_000, ..Limits::default() };
//! let mut scheduler = Scheduler::<&str, &str, &str>::new(&[limits, limits], 256);
//! let mut answers = Vec::new(); // (when, attempt)
//! let mut told = Vec::new();
//! let mut obey = |now_ms: i64, effects: Effects<&'static str, &'static str, &'static str>,
//!                 answers: &mut Vec<(i64, u64)>| {
//!     for fetch in effects.fetch {
//!         if fetch.source == 0 {
//!             answers.push((now_ms + 40, fetch.attempt));
//!         }
//!     }
//!     answers.retain(|(_, attempt)| !effects.stop.contains(attempt));
//!     told.extend(effects.tell.into_iter().map(|tell| (now_ms, tell)));
//! };
//!
//! for source in 0..2 {
//!     let ask = Ask { waiter: "call 1", source, question: "12 N MAIN ST", urgency: 1 };
//!     let effects = scheduler.ask(0, ask);
//!     obey(0, effects, &mut answers);
//! }
//! // The next thing to happen is an answer, or what the scheduler waits for.
//! loop {
//!     let next = answers.iter().copied().min();
//!     match (next, scheduler.due_ms()) {
//!         (Some((at, attempt)), due) if due.is_none_or(|due| at <= due) => {
//!             answers.retain(|(_, other)| *other != attempt);
//!             let effects = scheduler.fetched(at, 7, attempt, Fetched::Answer("2 incidents"));
//!             obey(at, effects, &mut answers);
//!         }
//!         (_, Some(at)) => {
//!             let effects = scheduler.due(at, 7);
//!             obey(at, effects, &mut answers);
//!         }
//!         _ => break,
//!     }
//! }
//! assert!(matches!(told[0], (40, ref tell) if tell.source == 0
//!     && matches!(tell.told, Told::Answered { took_ms: 40, .. })));
//! let (at_ms, last) = &told[told.len() - 1];
//! assert!(*at_ms <= 10_000 && last.source == 1);
//! assert!(matches!(last.told, Told::TimedOut { .. }));
//! ```

mod breaker;
mod job;
mod rate;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashMap};
use std::hash::Hash;
use std::num::NonZeroUsize;

use lru::LruCache;
use packet::sabotage::{Sabotage, is_on};

use self::breaker::Breaker;
pub use self::breaker::{BREAKER_FAILURES, BREAKER_OPEN_MS, BREAKER_OPEN_MS_MAX};
use self::job::{Job, State, Waiter};
use self::rate::Rate;

/// An answer that takes longer than this is announced: *asked*, and being waited for.
pub const ANNOUNCE_AFTER_MS: i64 = 1_500;
/// Most times that one question is put to one source.
pub const ATTEMPTS_MAX: u8 = 8;
/// How long after a failure it is asked again, at most; twice as long after each …
pub const RETRY_MS: i64 = 500;
/// … up to this. Half of it is certain, half is chance, so that many do not come back at once.
pub const RETRY_MS_MAX: i64 = 15_000;
/// Most questions that wait for one source. Beyond it the least urgent is given up.
pub const WAITING_MAX: usize = 4_096;
/// Most packets that wait for one question; one more asks it again.
pub const WAITERS_MAX: usize = 256;
/// Most answers of one source that are kept.
pub const CACHED_MAX: usize = 1_024;

/// How one source may be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// How long one attempt may take.
    pub timeout_ms: u32,
    /// How long an asker is kept waiting, with all attempts.
    pub deadline_ms: u32,
    /// Most attempts at a time.
    pub in_flight_max: u16,
    /// Most attempts in a minute, of which a twelfth may come at once.
    pub per_minute_max: u32,
    /// How long an answer is good for whoever asks the same; 0: only for those who wait for it.
    pub cache_ms: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            timeout_ms: 3_000,
            deadline_ms: 120_000,
            in_flight_max: 8,
            per_minute_max: 6_000,
            cache_ms: 60_000,
        }
    }
}

/// A question to one source on behalf of a packet. The same `waiter` asking the same again
/// only makes it more urgent.
#[derive(Debug, Clone)]
pub struct Ask<W, Q> {
    /// Whoever is told; the caller's own.
    pub waiter: W,
    /// Its place in the list that [`Scheduler::new`] was given.
    pub source: usize,
    /// Equal questions are asked once: all that makes a difference to the source is in it.
    pub question: Q,
    /// The lower the sooner.
    pub urgency: u8,
}

/// To be done now.
#[derive(Debug, Clone)]
pub struct Fetch<Q> {
    /// To report it by.
    pub attempt: u64,
    pub source: usize,
    pub question: Q,
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fetched<A> {
    /// It answered; that it knows nothing is an answer too.
    Answer(A),
    /// It will not tell us, and says so: asking again would not help.
    Refused(String),
    /// `again`: another attempt may fare better.
    Failed { why: String, again: bool },
}

/// What an asker hears of its question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Told<A> {
    /// No answer yet.
    Asked,
    /// It failed or did not answer, and is asked again.
    Retrying {
        why: String,
    },
    /// The last word, as are all that follow.
    Answered {
        answer: A,
        /// When the source gave it: earlier than now where it was kept.
        as_of_ms: i64,
        /// Since this asker asked.
        took_ms: i64,
    },
    Refused {
        why: String,
        took_ms: i64,
    },
    Failed {
        why: String,
        took_ms: i64,
    },
    TimedOut {
        why: String,
        took_ms: i64,
    },
}

impl<A> Told<A> {
    /// Whether nothing follows.
    #[must_use]
    pub fn is_final(&self) -> bool {
        !matches!(self, Self::Asked | Self::Retrying { .. })
    }
}

#[derive(Debug, Clone)]
pub struct Tell<W, A> {
    pub waiter: W,
    pub source: usize,
    pub told: Told<A>,
}

/// What one call asks of the driver, in this order.
#[derive(Debug)]
pub struct Effects<W, Q, A> {
    /// Attempts to give up.
    pub stop: Vec<u64>,
    /// Attempts to begin.
    pub fetch: Vec<Fetch<Q>>,
    pub tell: Vec<Tell<W, A>>,
}

impl<W, Q, A> Default for Effects<W, Q, A> {
    fn default() -> Self {
        Self {
            stop: Vec::new(),
            fetch: Vec::new(),
            tell: Vec::new(),
        }
    }
}

/// See the module. `W` is whoever is told, `Q` a question, `A` an answer.
#[derive(Debug)]
pub struct Scheduler<W, Q: Eq + Hash, A> {
    sources: Vec<Source<Q, A>>,
    jobs: HashMap<u64, Job<W, Q>>,
    /// Attempts in flight, each with its job.
    attempts: HashMap<u64, u64>,
    /// (when, job), the soonest first; each job is in it once.
    timers: BTreeSet<(i64, u64)>,
    last_job: u64,
    last_attempt: u64,
    effects: Effects<W, Q, A>,
}

#[derive(Debug)]
struct Source<Q: Eq + Hash, A> {
    limits: Limits,
    in_flight: usize,
    in_flight_max: usize,
    /// (urgency, job): what may be asked as soon as there is a place.
    ready: BTreeSet<(u8, u64)>,
    /// The job that a further asker of a question waits with.
    open: HashMap<Q, u64>,
    breaker: Breaker,
    rate: Rate,
    kept: LruCache<Q, (A, i64)>,
}

impl<Q: Eq + Hash, A> Source<Q, A> {
    /// When something of what is ready may be asked; `None` while that is not for the
    /// clock to say.
    fn next_ms(&self) -> Option<i64> {
        if self.ready.is_empty() || self.in_flight >= self.in_flight_max {
            return None;
        }
        Some(self.breaker.next_ms()?.max(self.rate.next_ms()))
    }
}

impl<W, Q, A> Scheduler<W, Q, A>
where
    W: Clone,
    Q: Clone + Eq + Hash,
    A: Clone,
{
    /// A scheduler of these sources, with at most `in_flight_max` attempts at all of them
    /// together, divided evenly.
    #[must_use]
    pub fn new(sources: &[Limits], in_flight_max: usize) -> Self {
        let part = (in_flight_max / sources.len().max(1)).max(1);
        let cached_max = NonZeroUsize::new(CACHED_MAX).unwrap_or(NonZeroUsize::MIN);
        let sources = sources.iter().map(|limits| Source {
            limits: *limits,
            in_flight: 0,
            in_flight_max: usize::from(limits.in_flight_max).clamp(1, part),
            ready: BTreeSet::new(),
            open: HashMap::new(),
            breaker: Breaker::default(),
            rate: Rate::new(limits.per_minute_max),
            kept: LruCache::new(cached_max),
        });
        Self {
            sources: sources.collect(),
            jobs: HashMap::new(),
            attempts: HashMap::new(),
            timers: BTreeSet::new(),
            last_job: 0,
            last_attempt: 0,
            effects: Effects::default(),
        }
    }

    /// Takes a question. `now_ms` never goes back from call to call.
    pub fn ask(&mut self, now_ms: i64, ask: Ask<W, Q>) -> Effects<W, Q, A> {
        let Some(source) = self.sources.get_mut(ask.source) else {
            return Effects::default();
        };
        if let Some((answer, as_of_ms)) = source.kept.get(&ask.question) {
            if now_ms - *as_of_ms < i64::from(source.limits.cache_ms) {
                let told = Told::Answered {
                    answer: answer.clone(),
                    as_of_ms: *as_of_ms,
                    took_ms: 0,
                };
                self.effects.tell.push(Tell {
                    waiter: ask.waiter,
                    source: ask.source,
                    told,
                });
                return std::mem::take(&mut self.effects);
            }
            source.kept.pop(&ask.question);
        }
        let open = source.open.get(&ask.question).copied();
        match open.filter(|job| self.join(*job, now_ms, &ask)) {
            Some(_) => {}
            None => self.open(now_ms, ask.clone()),
        }
        self.start(ask.source, now_ms);
        self.give_up_the_least_urgent(ask.source, now_ms);
        std::mem::take(&mut self.effects)
    }

    /// Makes a question more urgent that is open; nothing where it is not.
    pub fn hurry(&mut self, source: usize, question: &Q, urgency: u8) {
        let Some(source) = self.sources.get_mut(source) else {
            return;
        };
        let open = source.open.get(question);
        if let Some((id, job)) = open.and_then(|id| Some((*id, self.jobs.get_mut(id)?)))
            && urgency < job.urgency
        {
            if source.ready.remove(&(job.urgency, id)) {
                source.ready.insert((urgency, id));
            }
            job.urgency = urgency;
        }
    }

    /// Takes what became of an attempt. `random` is any number, another for each call.
    pub fn fetched(
        &mut self,
        now_ms: i64,
        random: u64,
        attempt: u64,
        fetched: Fetched<A>,
    ) -> Effects<W, Q, A> {
        let Some(id) = self.attempts.remove(&attempt) else {
            return Effects::default();
        };
        let Some(job) = self.jobs.get(&id) else {
            return Effects::default();
        };
        let at = job.source;
        let source = &mut self.sources[at];
        source.in_flight -= 1;
        match fetched {
            Fetched::Answer(answer) => {
                source.breaker.succeeded();
                if source.limits.cache_ms > 0 {
                    let question = job.question.clone();
                    source.kept.put(question, (answer.clone(), now_ms));
                }
                self.finish(
                    id,
                    |took_ms| Told::Answered {
                        answer: answer.clone(),
                        as_of_ms: now_ms,
                        took_ms,
                    },
                    now_ms,
                );
            }
            Fetched::Refused(why) => {
                source.breaker.succeeded();
                self.finish(
                    id,
                    |took_ms| Told::Refused {
                        why: why.clone(),
                        took_ms,
                    },
                    now_ms,
                );
            }
            Fetched::Failed { why, again } => {
                source.breaker.failed(now_ms, random);
                let lapse = job::Lapse::Failed(why);
                if again {
                    self.retry(id, now_ms, random, lapse);
                } else {
                    self.finish(id, |took_ms| lapse.told(took_ms), now_ms);
                }
            }
        }
        self.start(at, now_ms);
        std::mem::take(&mut self.effects)
    }

    /// When [`Scheduler::due`] has something to do; `None` while it waits for nothing.
    #[must_use]
    pub fn due_ms(&self) -> Option<i64> {
        let timer = self.timers.first().map(|(at, _)| *at);
        let sources = self.sources.iter().filter_map(Source::next_ms).min();
        timer.into_iter().chain(sources).min()
    }

    /// Does what time brings.
    pub fn due(&mut self, now_ms: i64, random: u64) -> Effects<W, Q, A> {
        while let Some((at, id)) = self.timers.first().copied() {
            if at > now_ms {
                break;
            }
            self.timers.pop_first();
            self.job_due(id, now_ms, random);
        }
        for source in 0..self.sources.len() {
            self.start(source, now_ms);
        }
        std::mem::take(&mut self.effects)
    }

    /// Whether a source is left alone because it failed too often in a row.
    #[must_use]
    pub fn is_left_alone(&self, source: usize) -> bool {
        self.sources
            .get(source)
            .is_some_and(|source| source.breaker.is_open())
    }

    /// Questions that wait or are being asked.
    #[must_use]
    pub fn open_questions(&self) -> usize {
        self.jobs.len()
    }

    /// Waits with a question that is open; false where it takes no more.
    fn join(&mut self, id: u64, now_ms: i64, ask: &Ask<W, Q>) -> bool {
        let Some(job) = self.jobs.get_mut(&id) else {
            return false;
        };
        if job.waiters.len() >= WAITERS_MAX {
            return false;
        }
        let deadline_ms = now_ms + i64::from(self.sources[ask.source].limits.deadline_ms);
        job.waiters
            .push(Waiter::new(ask.waiter.clone(), now_ms, deadline_ms));
        self.hurry(ask.source, &ask.question, ask.urgency);
        self.set_timer(id);
        true
    }

    fn open(&mut self, now_ms: i64, ask: Ask<W, Q>) {
        self.last_job += 1;
        let id = self.last_job;
        let source = &mut self.sources[ask.source];
        source.ready.insert((ask.urgency, id));
        source.open.insert(ask.question.clone(), id);
        let deadline_ms = now_ms + i64::from(source.limits.deadline_ms);
        let job = Job {
            source: ask.source,
            question: ask.question,
            urgency: ask.urgency,
            waiters: vec![Waiter::new(ask.waiter, now_ms, deadline_ms)],
            state: State::Ready,
            attempts: 0,
            lapse: None,
            timer_ms: i64::MAX,
        };
        self.jobs.insert(id, job);
        self.set_timer(id);
    }

    /// Asks what may be asked now, the most urgent first.
    fn start(&mut self, at: usize, now_ms: i64) {
        let source = &mut self.sources[at];
        while source.next_ms().is_some_and(|next| next <= now_ms) {
            let next = if is_on(Sabotage::IgnorePriority) {
                source.ready.pop_last()
            } else {
                source.ready.pop_first()
            };
            let Some((_, id)) = next else {
                return;
            };
            let Some(job) = self.jobs.get_mut(&id) else {
                continue;
            };
            source.in_flight += 1;
            source.breaker.asked(now_ms);
            source.rate.take(now_ms);
            self.last_attempt += 1;
            let attempt = self.last_attempt;
            job.attempts += 1;
            job.state = State::InFlight {
                attempt,
                until_ms: now_ms + i64::from(source.limits.timeout_ms),
            };
            self.attempts.insert(attempt, id);
            self.effects.fetch.push(Fetch {
                attempt,
                source: at,
                question: job.question.clone(),
            });
            let timers = &mut self.timers;
            job.set_timer(id, timers);
        }
    }

    fn give_up_the_least_urgent(&mut self, at: usize, now_ms: i64) {
        while self.sources[at].ready.len() > WAITING_MAX {
            let Some((_, id)) = self.sources[at].ready.pop_last() else {
                return;
            };
            let why = format!("over {WAITING_MAX} questions wait for it");
            self.finish(
                id,
                |took_ms| Told::Failed {
                    why: why.clone(),
                    took_ms,
                },
                now_ms,
            );
        }
    }

    /// What is due of one job; its timer has been taken out.
    fn job_due(&mut self, id: u64, now_ms: i64, random: u64) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        job.timer_ms = i64::MAX;
        let at = job.source;
        match job.state {
            State::InFlight { attempt, until_ms } if until_ms <= now_ms => {
                let source = &mut self.sources[at];
                let lapse = job::Lapse::TimedOut(source.limits.timeout_ms);
                source.in_flight -= 1;
                source.breaker.failed(now_ms, random);
                self.attempts.remove(&attempt);
                self.effects.stop.push(attempt);
                self.retry(id, now_ms, random, lapse);
            }
            State::Later { from_ms } if from_ms <= now_ms => {
                job.state = State::Ready;
                self.sources[at].ready.insert((job.urgency, id));
            }
            _ => {}
        }
        self.announce(id, now_ms);
        self.end_late_waits(id, now_ms);
        self.set_timer(id);
    }

    /// Asks again later, or ends it where nobody would hear the answer.
    fn retry(&mut self, id: u64, now_ms: i64, random: u64, lapse: job::Lapse) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let wait_ms = (RETRY_MS << (job.attempts - 1).min(10)).min(RETRY_MS_MAX);
        let from_ms = now_ms + jittered(wait_ms, random ^ id);
        let last_ms = job.waiters.iter().map(|waiter| waiter.deadline_ms).max();
        if job.attempts >= ATTEMPTS_MAX || last_ms.is_none_or(|last| last <= from_ms) {
            self.finish(id, |took_ms| lapse.told(took_ms), now_ms);
            return;
        }
        job.lapse = Some(lapse);
        job.state = State::Later { from_ms };
        self.announce(id, now_ms);
        self.set_timer(id);
    }

    /// Tells those who have waited long enough how it stands, where that is news.
    fn announce(&mut self, id: u64, now_ms: i64) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let lapse = job.lapse.as_ref();
        for waiter in &mut job.waiters {
            if let Some(told) = waiter.news(lapse, now_ms) {
                self.effects.tell.push(Tell {
                    waiter: waiter.waiter.clone(),
                    source: job.source,
                    told,
                });
            }
        }
    }

    /// The last word to those whose deadline has come.
    fn end_late_waits(&mut self, id: u64, now_ms: i64) {
        let Some(job) = self.jobs.get_mut(&id) else {
            return;
        };
        let source = &self.sources[job.source];
        let (late, waiting): (Vec<_>, Vec<_>) = std::mem::take(&mut job.waiters)
            .into_iter()
            .partition(|waiter| waiter.deadline_ms <= now_ms);
        job.waiters = waiting;
        for waiter in late {
            let took_ms = now_ms - waiter.asked_ms;
            let told = match (&job.lapse, job.attempts) {
                (Some(lapse), _) => lapse.told(took_ms),
                (None, 0) if source.breaker.is_open() => Told::Failed {
                    why: "it was not asked: it has failed too often in a row".into(),
                    took_ms,
                },
                (None, 0) => Told::Failed {
                    why: "it was not asked: too much was to be asked before".into(),
                    took_ms,
                },
                (None, _) => Told::TimedOut {
                    why: format!("no answer in {took_ms} ms"),
                    took_ms,
                },
            };
            self.effects.tell.push(Tell {
                waiter: waiter.waiter,
                source: job.source,
                told,
            });
        }
        if job.waiters.is_empty() {
            self.close(id);
        }
    }

    /// The last word to all who wait for it.
    fn finish(&mut self, id: u64, told: impl Fn(i64) -> Told<A>, now_ms: i64) {
        let Some(job) = self.close(id) else {
            return;
        };
        for waiter in job.waiters {
            self.effects.tell.push(Tell {
                told: told(now_ms - waiter.asked_ms),
                waiter: waiter.waiter,
                source: job.source,
            });
        }
    }

    /// Nothing more is done about it.
    fn close(&mut self, id: u64) -> Option<Job<W, Q>> {
        let job = self.jobs.remove(&id)?;
        self.timers.remove(&(job.timer_ms, id));
        let source = &mut self.sources[job.source];
        source.ready.remove(&(job.urgency, id));
        if source.open.get(&job.question) == Some(&id) {
            source.open.remove(&job.question);
        }
        if let State::InFlight { attempt, .. } = job.state
            && self.attempts.remove(&attempt).is_some()
        {
            source.in_flight -= 1;
            source.breaker.given_up();
            self.effects.stop.push(attempt);
        }
        Some(job)
    }

    fn set_timer(&mut self, id: u64) {
        if let Some(job) = self.jobs.get_mut(&id) {
            job.set_timer(id, &mut self.timers);
        }
    }
}

/// Between half of it and all of it.
fn jittered(ms: i64, random: u64) -> i64 {
    // SplitMix64's last step: near numbers come out far apart.
    let mut mixed = random.wrapping_add(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^= mixed >> 31;
    let half = ms / 2;
    half + (mixed % (half.unsigned_abs() + 1)).cast_signed()
}
