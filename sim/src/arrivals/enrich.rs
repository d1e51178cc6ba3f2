//! The real scheduler of questions, over modelled sources.

use std::collections::HashMap;

use packet::entry::NAME_CHARS_MAX;
use packet::{CallId, Compartment, DocumentId, Entry, Outcome, OutcomeState};
use server::enrich::schedule::{Ask, Effects, Fetched, Limits, Scheduler, Tell, Told};
use server::log::{Ledger, LogError};

use super::event::Event;
use super::model::{Model, Trigger};
use super::sources::{Known, Reply, Sources};
use super::{City, Step};

/// Most attempts at all sources together, as the center has it.
const IN_FLIGHT_MAX: usize = 256;

/// Who waits for an answer: a call, with the question in the words that screens show.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waiter {
    call: CallId,
    query: String,
}

type Doing = Effects<Waiter, String, Known>;

#[derive(Debug)]
pub(super) struct Enrich {
    scheduler: Scheduler<Waiter, String, Known>,
    sources: Sources,
    /// What will come of the attempts that are under way.
    replies: HashMap<u64, Fetched<Known>>,
    /// When the scheduler is to be asked again, as far as that is planned.
    due_ms: u64,
}

impl Enrich {
    pub(super) fn new(seed: u64, model: &Model, until_ms: u64) -> Self {
        let limits: Vec<Limits> = model
            .sources
            .iter()
            .map(|source| Limits {
                timeout_ms: source.timeout_ms,
                per_minute_max: source.per_minute_max,
                ..Limits::default()
            })
            .collect();
        Self {
            scheduler: Scheduler::new(&limits, IN_FLIGHT_MAX),
            sources: Sources::new(seed, model, until_ms),
            replies: HashMap::new(),
            due_ms: u64::MAX,
        }
    }
}

impl City {
    /// The scheduler's clock: milliseconds of virtual time.
    fn scheduler_ms(&self) -> i64 {
        self.now_ms.cast_signed()
    }

    /// A call is new: everything that can be asked about it is asked.
    pub(super) fn ask_sources(&mut self, id: CallId) -> Step {
        let Some(&call) = self.by_id.get(&id) else {
            return Ok(());
        };
        let call = &self.calls.all[call];
        let report = &call.report;
        let urgency = call.priority;
        let mut questions = vec![(Trigger::Address, report.location.clone())];
        if let Some((latitude, longitude)) = report.latitude.zip(report.longitude) {
            questions.push((Trigger::Position, format!("{latitude:.5}, {longitude:.5}")));
        }
        let plates = report.plates.iter().chain(&call.plates);
        questions.extend(plates.map(|plate| (Trigger::Plate, plate.clone())));
        for (trigger, query) in questions {
            let query: String = query.chars().take(NAME_CHARS_MAX).collect();
            for source in self.enrich.sources.asked_by(trigger) {
                let ask = Ask {
                    waiter: Waiter {
                        call: id,
                        query: query.clone(),
                    },
                    source,
                    question: query.clone(),
                    urgency,
                };
                let name = self.enrich.sources.name(source);
                self.note_question(id, name, &query);
                let doing = self.enrich.scheduler.ask(self.scheduler_ms(), ask);
                self.obey(doing);
            }
        }
        Ok(())
    }

    /// An attempt's reply is here.
    pub(super) fn source_replies(&mut self, attempt: u64) {
        let Some(fetched) = self.enrich.replies.remove(&attempt) else {
            return;
        };
        let (now_ms, random) = (self.scheduler_ms(), self.rng.u64(..));
        let doing = self
            .enrich
            .scheduler
            .fetched(now_ms, random, attempt, fetched);
        self.obey(doing);
    }

    /// The scheduler's time has come.
    pub(super) fn scheduler_due(&mut self) {
        if self.enrich.due_ms > self.now_ms {
            return;
        }
        self.enrich.due_ms = u64::MAX;
        let (now_ms, random) = (self.scheduler_ms(), self.rng.u64(..));
        let doing = self.enrich.scheduler.due(now_ms, random);
        self.obey(doing);
    }

    fn obey(&mut self, doing: Doing) {
        for attempt in doing.stop {
            self.enrich.replies.remove(&attempt);
        }
        let wall_ms = self.center.wall_ms();
        for fetch in doing.fetch {
            let sources = &mut self.enrich.sources;
            let reply = sources.ask(fetch.source, &fetch.question, self.now_ms, wall_ms);
            let (in_ms, fetched) = match reply {
                Reply::Answer(in_ms, known) => (in_ms, Fetched::Answer(known)),
                Reply::Down(in_ms) => (
                    in_ms,
                    Fetched::Failed {
                        why: "it is down".into(),
                        again: true,
                    },
                ),
                Reply::Silence => continue,
            };
            self.enrich.replies.insert(fetch.attempt, fetched);
            let attempt = fetch.attempt;
            let at_ms = self.now_ms + in_ms;
            self.queue.plan(at_ms, Event::Answer { attempt });
        }
        for tell in doing.tell {
            self.tell(tell);
        }
        let due_ms = self.enrich.scheduler.due_ms();
        if let Some(due_ms) = due_ms.map(|ms| ms.max(0).unsigned_abs())
            && due_ms < self.enrich.due_ms
        {
            self.enrich.due_ms = due_ms.max(self.now_ms);
            self.queue.plan(self.enrich.due_ms, Event::Due);
        }
    }

    /// What became of a question is written to its packet.
    fn tell(&mut self, tell: Tell<Waiter, Known>) {
        let (state, took_ms, detail, known) = match tell.told {
            Told::Asked => (OutcomeState::Asked, None, None, Known::default()),
            Told::Retrying { why } => (OutcomeState::Retrying, None, Some(why), Known::default()),
            Told::Answered {
                answer, took_ms, ..
            } if answer == Known::default() => {
                (OutcomeState::NothingFound, Some(took_ms), None, answer)
            }
            Told::Answered {
                answer, took_ms, ..
            } => (OutcomeState::Answered, Some(took_ms), None, answer),
            Told::Refused { why, took_ms } => (
                OutcomeState::Refused,
                Some(took_ms),
                Some(why),
                Known::default(),
            ),
            Told::Failed { why, took_ms } => (
                OutcomeState::Failed,
                Some(took_ms),
                Some(why),
                Known::default(),
            ),
            Told::TimedOut { why, took_ms } => (
                OutcomeState::TimedOut,
                Some(took_ms),
                Some(why),
                Known::default(),
            ),
        };
        let outcome = Outcome {
            source: self.enrich.sources.name(tell.source).to_owned(),
            query: tell.waiter.query,
            state,
            took_ms: took_ms.map(|ms| u32::try_from(ms).unwrap_or(u32::MAX)),
            detail,
            as_of_ms: None,
            answers: None,
        };
        let call = tell.waiter.call;
        self.desk_task(move |ledger| write_answer(ledger, call, outcome, known));
    }
}

/// Cautions first: they are what somebody may be hurt by waiting for.
fn write_answer(
    ledger: &mut Ledger<'_>,
    call: CallId,
    outcome: Outcome,
    known: Known,
) -> Result<(), LogError> {
    let safety = DocumentId::new(call, Compartment::Safety);
    let document = DocumentId::new(call, Compartment::Call);
    for caution in known.cautions {
        ledger.append(safety, Entry::Caution(caution))?;
    }
    for finding in known.findings {
        ledger.append(document, Entry::Finding(finding))?;
    }
    ledger.append(document, Entry::Outcome(outcome))?;
    Ok(())
}
