//! What is known of one call by somebody who sees both ends: when each thing was written at
//! the center, when it was durable on the device, when there was a link.

use std::collections::{BTreeMap, BTreeSet};

use packet::{CallId, DocumentId, Entry, OutcomeState};
use server::arrivals::{DELIVERY_MS, LINK_MS_MIN, Why, tells};
use server::log::Committed;

use super::{City, CityError, Step};

/// What one delivery takes, as the center's own measure has it.
pub(super) const ONE_DELIVERY_MS: u64 = DELIVERY_MS.unsigned_abs();
/// A unit could be reached when it had a link for so long in one piece.
pub(super) const REACHABLE_MS: u64 = LINK_MS_MIN.unsigned_abs();

/// A question to a source.
#[derive(Debug, Default, Clone)]
struct Question {
    /// What became of it so far: state, document, `seq`.
    said: Option<(OutcomeState, DocumentId, u64)>,
}

/// A call, as both ends saw it.
#[derive(Debug, Default)]
pub(super) struct Record {
    pub(super) opened_ms: u64,
    pub(super) assigned_ms: u64,
    /// The officer of the primary unit.
    pub(super) officer: Option<usize>,
    /// All that the center wrote that tells something, in the order of the log.
    written: Vec<(DocumentId, u64, u64)>,
    /// By source and words.
    questions: BTreeMap<(String, String), Question>,
    /// On the primary unit's device through this `seq`, since then.
    durable: Vec<(DocumentId, u64, u64)>,
    /// Whether the primary unit's device had a link, and was on, from then on.
    links: Vec<(u64, Link)>,
    pub(super) moving_ms: u64,
    /// From the assignment to the arrival without a link.
    pub(super) dead_ms: u64,
    pub(super) judged: Option<Judged>,
    /// Of a call that nobody travels to: from its opening until all that was asked was
    /// answered and there; `None` when that did not come before its end.
    pub(super) there_ms: Option<u64>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Link {
    Up,
    Dead,
    Off,
}

/// What the arrival of the primary unit came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) arrived_ms: u64,
    pub(super) is_reachable: bool,
    /// From when all that was written in time was there to the arrival.
    pub(super) lead_ms: Option<u64>,
    /// Why not everything that was asked was answered and there; empty when it was.
    pub(super) why: BTreeSet<Why>,
}

impl Judged {
    pub(super) fn is_complete(&self) -> bool {
        self.lead_ms.is_some()
    }
}

impl Record {
    /// Through which `seq` of each document the device must be, of what was written by then;
    /// and when the last of it was written.
    fn wanted(&self, by_ms: u64) -> (BTreeMap<DocumentId, u64>, u64) {
        let mut wanted = BTreeMap::new();
        let mut last_ms = 0;
        for &(document, seq, at_ms) in self.written.iter().filter(|(.., at)| *at <= by_ms) {
            wanted.insert(document, seq);
            last_ms = last_ms.max(at_ms);
        }
        (wanted, last_ms)
    }

    /// Since when the device has all of this.
    fn since_ms(&self, wanted: &BTreeMap<DocumentId, u64>) -> Option<u64> {
        let since = |(document, seq): (&DocumentId, &u64)| {
            let mut steps = self.durable.iter();
            let first = steps.find(|(id, through, _)| id == document && through >= seq);
            first.map(|(.., at_ms)| *at_ms)
        };
        let all: Option<Vec<u64>> = wanted.iter().map(since).collect();
        all?.into_iter().max()
    }

    /// The longest time with a link, in one piece, between these.
    fn longest_link_ms(&self, from_ms: u64, to_ms: u64) -> u64 {
        let ends = self.links.iter().skip(1).map(|(at, _)| *at).chain([to_ms]);
        let mut longest_ms = 0;
        let mut began_ms = None;
        for ((at, link), end) in self.links.iter().zip(ends) {
            if *link != Link::Up {
                began_ms = None;
                continue;
            }
            let began = *began_ms.get_or_insert((*at).max(from_ms));
            longest_ms = longest_ms.max(end.min(to_ms).saturating_sub(began));
        }
        longest_ms
    }

    fn was_off(&self) -> bool {
        self.links.iter().any(|(_, link)| *link == Link::Off)
    }

    /// Judges the arrival. `held`: what the device's store holds of the call.
    fn judge(&self, arrived_ms: u64, held: &BTreeSet<u64>) -> Step<Judged> {
        let by_ms = arrived_ms.saturating_sub(ONE_DELIVERY_MS);
        let (wanted, last_ms) = self.wanted(by_ms);
        let since_ms = self.since_ms(&wanted).filter(|_| !wanted.is_empty());
        // The books are held against the device's own store.
        let in_store = self
            .written
            .iter()
            .filter(|(.., at_ms)| *at_ms <= by_ms)
            .all(|(_, seq, _)| held.contains(seq));
        if since_ms.is_some() && !in_store {
            return Err(CityError::new("a device does not hold what it committed"));
        }
        let lead_ms = since_ms.map(|since_ms| arrived_ms - since_ms);
        let mut why = BTreeSet::new();
        let mut answers_there = true;
        for ((source, _), question) in &self.questions {
            let name = || source.clone();
            match question.said {
                Some((OutcomeState::Answered | OutcomeState::NothingFound, _, seq)) => {
                    answers_there &= held.contains(&seq);
                }
                Some((OutcomeState::Failed | OutcomeState::TimedOut, ..)) => {
                    why.insert(Why::DeadSource(name()));
                }
                Some((OutcomeState::Refused, ..)) => drop(why.insert(Why::Refused(name()))),
                Some((OutcomeState::Asked | OutcomeState::Retrying, ..)) | None => {
                    why.insert(Why::SlowSource(name()));
                }
            }
        }
        if lead_ms.is_none() || !answers_there {
            let last_ms = if lead_ms.is_none() {
                last_ms
            } else {
                self.written.last().map_or(0, |(.., at_ms)| *at_ms)
            };
            why.insert(self.why_not_there(arrived_ms, last_ms));
        }
        Ok(Judged {
            arrived_ms,
            is_reachable: self.longest_link_ms(self.assigned_ms, arrived_ms) >= REACHABLE_MS,
            lead_ms,
            why,
        })
    }

    fn why_not_there(&self, arrived_ms: u64, last_ms: u64) -> Why {
        let after_ms = self.assigned_ms.max(last_ms);
        if arrived_ms.saturating_sub(self.assigned_ms) < REACHABLE_MS {
            Why::LateAssignment
        } else if self.longest_link_ms(after_ms, arrived_ms) >= ONE_DELIVERY_MS {
            Why::SlowLink
        } else if self.was_off() {
            Why::DeviceOff
        } else {
            Why::NoCoverage
        }
    }
}

impl City {
    /// The center wrote, or took, a change.
    pub(super) fn written(&mut self, change: &Committed) {
        let now_ms = self.now_ms;
        let Some(record) = self.record_of(change.document.call) else {
            return;
        };
        if record.opened_ms == 0 {
            record.opened_ms = now_ms;
        }
        if change.device.is_some() || record.judged.is_some() {
            return;
        }
        if tells(&change.entry) {
            record.written.push((change.document, change.seq, now_ms));
        }
        if let Entry::Outcome(outcome) = &change.entry {
            let said = (outcome.state, change.document, change.seq);
            let key = (outcome.source.clone(), outcome.query.clone());
            record.questions.entry(key).or_default().said = Some(said);
        }
    }

    /// A source is being asked about a call.
    pub(super) fn note_question(&mut self, id: CallId, source: &str, query: &str) {
        if let Some(record) = self.record_of(id) {
            let question = (source.to_owned(), query.to_owned());
            record.questions.entry(question).or_default();
        }
    }

    /// A document is on an officer's device through here, durably.
    pub(super) fn durable(&mut self, officer: usize, document: DocumentId, through: u64) {
        let now_ms = self.now_ms;
        if let Some(record) = self.record_of(document.call)
            && record.officer == Some(officer)
        {
            record.durable.push((document, through, now_ms));
        }
    }

    /// An officer's device has another link, or none.
    pub(super) fn note_link(&mut self, index: usize) {
        let officer = &self.officers[index];
        let link = match officer.link() {
            Some(_) => Link::Up,
            None if officer.is_off => Link::Off,
            None => Link::Dead,
        };
        let now_ms = self.now_ms;
        let Some(call) = officer.call else {
            return;
        };
        let record = &mut self.records[call];
        if record.officer == Some(index) && record.judged.is_none() {
            record.links.push((now_ms, link));
        }
    }

    /// The primary unit is at the scene.
    pub(super) fn judge(&mut self, call: usize, officer: usize) -> Step {
        let Some(id) = self.calls.all[call].id else {
            return Ok(());
        };
        let held = self.held(officer, id)?;
        let judged = self.records[call].judge(self.now_ms, &held)?;
        self.records[call].judged = Some(judged);
        Ok(())
    }

    /// The unit leaves a call that nobody travelled to.
    pub(super) fn judge_apart(&mut self, call: usize) {
        let record = &mut self.records[call];
        let mut wanted = BTreeMap::new();
        for question in record.questions.values() {
            let Some((OutcomeState::Answered | OutcomeState::NothingFound, document, seq)) =
                question.said
            else {
                return;
            };
            let through = wanted.entry(document).or_insert(seq);
            *through = seq.max(*through);
        }
        let since_ms = record.since_ms(&wanted);
        record.there_ms = since_ms.map(|since_ms| since_ms.saturating_sub(record.opened_ms));
    }

    fn record_of(&mut self, id: CallId) -> Option<&mut Record> {
        let call = *self.by_id.get(&id)?;
        self.records.get_mut(call)
    }
}
