//! What a call's timeline comes to: whether all was there before the officer, and why not.

use std::collections::BTreeSet;
use std::fmt;

use packet::{DocumentId, OutcomeState};

use super::{DELIVERY_MS, DeviceTimes, LINK_MS_MIN, OFF_MS, Timeline, UnitTimes};

/// Why not everything that was asked was answered and there.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Why {
    /// Nobody was signed on to a device for the unit.
    NoDevice,
    /// The unit was there [`LINK_MS_MIN`] after it was assigned, or sooner.
    LateAssignment,
    /// Its devices were not heard from for half an hour before it was assigned, nor since.
    DeviceOff,
    /// No device of it was in contact since it was assigned, or since the last answer.
    NoCoverage,
    /// A device was in contact, and did not have all the same.
    SlowLink,
    /// This source had not answered yet.
    SlowSource(String),
    /// This source was given up.
    DeadSource(String),
    /// This source would not answer this.
    Refused(String),
}

impl Why {
    /// The kind of reason, without the source's name.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::NoDevice => "no device signed on",
            Self::LateAssignment => "late assignment",
            Self::DeviceOff => "device off",
            Self::NoCoverage => "no coverage",
            Self::SlowLink => "slow link",
            Self::SlowSource(_) => "slow source",
            Self::DeadSource(_) => "dead source",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SlowSource(source) | Self::DeadSource(source) | Self::Refused(source) => {
                write!(f, "{}: {source}", self.kind())
            }
            _ => f.write_str(self.kind()),
        }
    }
}

/// The arrival of a call's primary unit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arrival {
    pub unit: String,
    pub assigned_ms: i64,
    pub at_ms: i64,
    /// Since when a device of the unit had all that the center had written in time: before
    /// the arrival, or not at all.
    pub complete_ms: Option<i64>,
    /// Why not everything that was asked was answered and there; empty when it was.
    pub why: BTreeSet<Why>,
}

impl Arrival {
    /// Judges a call; `None` where nobody came to the scene yet.
    #[must_use]
    pub fn of(timeline: &Timeline) -> Option<Self> {
        let (unit, at_ms) = timeline.primary()?;
        let devices: Vec<&DeviceTimes> = timeline
            .devices
            .iter()
            .filter(|times| times.unit == unit.unit)
            .collect();
        // Of a packet that was opened at the arrival nothing was there in time.
        let in_time = Wanted::written_before(timeline, at_ms - DELIVERY_MS);
        let had = |wanted: &Wanted| {
            let since = devices.iter().filter_map(|times| wanted.since(times));
            since.min().filter(|since_ms| *since_ms <= at_ms)
        };
        let complete_ms = had(&in_time);
        let mut why: BTreeSet<Why> = timeline
            .questions
            .iter()
            .filter_map(|question| {
                let source = || question.source.clone();
                match question.at(at_ms)?.state {
                    OutcomeState::Answered | OutcomeState::NothingFound => None,
                    OutcomeState::Asked | OutcomeState::Retrying => Some(Why::SlowSource(source())),
                    OutcomeState::Refused => Some(Why::Refused(source())),
                    OutcomeState::Failed | OutcomeState::TimedOut => {
                        Some(Why::DeadSource(source()))
                    }
                }
            })
            .collect();
        // A question whose first word came after the arrival was asked before it.
        why.extend(timeline.questions.iter().filter_map(|question| {
            let first = question.said.first()?;
            let asked_ms = first.at_ms - i64::from(first.took_ms.unwrap_or(0));
            let is_late = first.at_ms > at_ms && asked_ms <= at_ms;
            is_late.then(|| Why::SlowSource(question.source.clone()))
        }));
        let answers = Wanted::answered_before(timeline, at_ms);
        if complete_ms.is_none() {
            why.insert(why_not_there(&devices, unit, at_ms, &in_time));
        } else if !answers.through.is_empty() && had(&answers).is_none() {
            why.insert(why_not_there(&devices, unit, at_ms, &answers));
        }
        Some(Self {
            unit: unit.unit.clone(),
            assigned_ms: unit.assigned_ms,
            at_ms,
            complete_ms,
            why,
        })
    }

    /// Everything that was asked was answered and there.
    #[must_use]
    pub fn is_everything(&self) -> bool {
        self.why.is_empty()
    }

    /// From when all was there to the arrival.
    #[must_use]
    pub fn lead_ms(&self) -> Option<i64> {
        Some(self.at_ms - self.complete_ms?)
    }
}

/// What a device has to have: documents through a `seq` each, the last of them since then.
#[derive(Debug, Default)]
struct Wanted {
    through: Vec<(DocumentId, u64)>,
    last_ms: i64,
}

impl Wanted {
    fn add(&mut self, document: DocumentId, seq: u64, at_ms: i64) {
        self.last_ms = self.last_ms.max(at_ms);
        match self.through.iter_mut().find(|(id, _)| *id == document) {
            Some((_, through)) => *through = (*through).max(seq),
            None => self.through.push((document, seq)),
        }
    }

    fn written_before(timeline: &Timeline, before_ms: i64) -> Self {
        let mut wanted = Self::default();
        for &(document, seq, at_ms) in &timeline.written {
            if at_ms <= before_ms {
                wanted.add(document, seq, at_ms);
            }
        }
        wanted
    }

    fn answered_before(timeline: &Timeline, before_ms: i64) -> Self {
        let mut wanted = Self::default();
        for said in timeline.questions.iter().filter_map(|q| q.at(before_ms)) {
            wanted.add(said.document, said.seq, said.at_ms);
        }
        wanted
    }

    /// Since when this device has it, as far as the center heard; `None` also where nothing
    /// is wanted.
    fn since(&self, times: &DeviceTimes) -> Option<i64> {
        let since = |(document, seq): &(DocumentId, u64)| times.since(*document, *seq);
        let all: Option<Vec<i64>> = self.through.iter().map(since).collect();
        all?.into_iter().max()
    }
}

fn why_not_there(devices: &[&DeviceTimes], unit: &UnitTimes, at_ms: i64, wanted: &Wanted) -> Why {
    if devices.is_empty() {
        return Why::NoDevice;
    }
    if unit.assigned_ms > at_ms - LINK_MS_MIN {
        return Why::LateAssignment;
    }
    let between = |from_ms| {
        devices
            .iter()
            .any(|times| in_contact(times, from_ms, at_ms))
    };
    if between(wanted.last_ms.max(unit.assigned_ms)) {
        return Why::SlowLink;
    }
    if between(unit.assigned_ms - OFF_MS) {
        return Why::NoCoverage;
    }
    Why::DeviceOff
}

/// Whether the center heard the device in this time.
fn in_contact(times: &DeviceTimes, from_ms: i64, to_ms: i64) -> bool {
    let mut steps = times.delivered.values().flatten();
    let confirmed = steps.any(|step| (from_ms..=to_ms).contains(&step.at_ms));
    confirmed
        || times.contacts.iter().enumerate().any(|(newest, contact)| {
            // The newest, and it is in session now: so it was all the time.
            let lasts = newest == 0 && contact.heard_ms.is_none() && times.is_connected;
            let heard_ms = if lasts {
                i64::MAX
            } else {
                contact.heard_ms.unwrap_or(contact.began_ms)
            };
            contact.began_ms <= to_ms && heard_ms >= from_ms
        })
}
