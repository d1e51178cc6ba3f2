//! What is asked of which source, for a packet. No I/O: a simulated city plans with it too.

use packet::{CallId, DeviceNumber, EntryId, Query, Subject, SubjectError};

use super::config::{Asks, SourceConfig};
use super::connect::Question;
use super::fill::Name;
use crate::audit;
use crate::config::PurposeConfig;
use crate::policy::{Act, Role, decide};

/// As outcomes name the center itself, where it does not put a question to anybody.
pub const CENTER: &str = "This center";
/// Who asks where nobody does.
pub const AUTOMATIC: &str = "The center, by itself";

/// On whose behalf it is asked, and why. What is told goes by it, and on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behalf {
    pub call: CallId,
    /// The query that it answers; `None`: the call is new, and everything is asked.
    pub query: Option<EntryId>,
    /// As the audit log names them.
    pub by: String,
    pub device: Option<DeviceNumber>,
    pub role: Role,
    /// Always one of the center's codes, or words that are none.
    pub purpose: String,
    pub reason: Option<String>,
}

impl Behalf {
    /// The center asks by itself, for the first of its purposes, about a call that is new.
    #[must_use]
    pub fn of_new_call(call: CallId, nature: &str, purposes: &[PurposeConfig]) -> Self {
        Self {
            call,
            query: None,
            by: AUTOMATIC.into(),
            device: None,
            role: Role::Dispatch,
            purpose: first_code(purposes),
            reason: Some(format!("a new call: {nature}")),
        }
    }

    /// A person asks. A query without a purpose is for the first of the center's.
    #[must_use]
    pub fn of_query(
        call: CallId,
        id: EntryId,
        query: &Query,
        device: Option<DeviceNumber>,
        purposes: &[PurposeConfig],
    ) -> Self {
        let filled = |text: &Option<String>| text.clone().filter(|text| !text.trim().is_empty());
        Self {
            call,
            query: Some(id),
            by: query.by.clone(),
            device,
            role: match device {
                Some(_) => Role::Officer,
                None => Role::Analyst,
            },
            purpose: filled(&query.purpose).unwrap_or_else(|| first_code(purposes)),
            reason: filled(&query.reason),
        }
    }
}

fn first_code(purposes: &[PurposeConfig]) -> String {
    purposes.first().map(|p| p.code.clone()).unwrap_or_default()
}

/// Who is told what comes of a question to one source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Asker {
    pub behalf: Behalf,
    /// What was asked, as screens show it.
    pub shown: String,
    /// … and as the audit log has it, as a keyed hash.
    pub subject: Option<audit::Subject>,
}

/// One question to one source.
#[derive(Debug, Clone)]
pub struct Planned {
    /// Its place among the center's sources.
    pub source: usize,
    pub question: Question,
    pub asker: Asker,
}

/// Something that is not asked, and is said instead of being asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotAsked {
    pub source: String,
    pub shown: String,
    pub subject: Option<audit::Subject>,
    pub why: String,
}

/// All that is asked, and all that is not.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    pub asks: Vec<Planned>,
    pub not_asked: Vec<NotAsked>,
}

/// Plans what is asked about these subjects.
#[must_use]
pub fn plan(
    sources: &[SourceConfig],
    purposes: &[PurposeConfig],
    behalf: &Behalf,
    subjects: &[Subject],
) -> Plan {
    let mut plan = Plan::default();
    if !purposes.iter().any(|known| known.code == behalf.purpose) {
        let known: Vec<_> = purposes.iter().map(|p| p.code.as_str()).collect();
        let why = format!(
            "there is no purpose {}: one of {} is wanted",
            behalf.purpose,
            known.join(", ")
        );
        plan.not_asked
            .extend(subjects.iter().map(|subject| not_by_center(subject, &why)));
        return plan;
    }
    for subject in subjects {
        let asks = Asks::of(subject);
        let before = plan.asks.len() + plan.not_asked.len();
        for (at, source) in sources.iter().enumerate() {
            let wanted = behalf.query.is_some() || source.automatic;
            if !source.asks.contains(&asks) || !wanted {
                continue;
            }
            match why_not(source, behalf) {
                Some(why) => plan.not_asked.push(NotAsked {
                    source: source.name.clone(),
                    shown: subject.shown(),
                    subject: audit::Subject::of(subject),
                    why,
                }),
                None => plan.asks.push(planned(at, source, subject, behalf)),
            }
        }
        if behalf.query.is_some() && plan.asks.len() + plan.not_asked.len() == before {
            let why = format!("no agency's source is asked about: {}", asks.word());
            plan.not_asked.push(not_by_center(subject, &why));
        }
    }
    plan
}

/// A query that asks about nothing.
#[must_use]
pub fn not_understood(query: &Query, error: &SubjectError) -> NotAsked {
    NotAsked {
        source: CENTER.into(),
        shown: query.value.clone(),
        subject: audit::Subject::read("words", &query.value),
        why: format!("not asked: {error} is wanted"),
    }
}

fn not_by_center(subject: &Subject, why: &str) -> NotAsked {
    NotAsked {
        source: CENTER.into(),
        shown: subject.shown(),
        subject: audit::Subject::of(subject),
        why: why.to_owned(),
    }
}

fn why_not(source: &SourceConfig, behalf: &Behalf) -> Option<String> {
    if !decide(behalf.role, Act::AskSource) {
        return Some("whoever asks may not".into());
    }
    if !source.purposes.is_empty() && !source.purposes.contains(&behalf.purpose) {
        return Some(format!(
            "it is not asked for purpose {}: only for {}",
            behalf.purpose,
            source.purposes.join(", ")
        ));
    }
    if source.reason && behalf.reason.is_none() {
        return Some("it wants a reason".into());
    }
    None
}

fn planned(at: usize, source: &SourceConfig, subject: &Subject, behalf: &Behalf) -> Planned {
    let purpose = Some(behalf.purpose.clone());
    Planned {
        source: at,
        question: Question {
            subject: subject.clone(),
            purpose: purpose.filter(|_| source.tells(Name::Purpose)),
            reason: behalf.reason.clone().filter(|_| source.tells(Name::Reason)),
        },
        asker: Asker {
            behalf: behalf.clone(),
            shown: subject.shown(),
            subject: audit::Subject::of(subject),
        },
    }
}

/// How soon a question is asked: the most urgent call first, and of two as urgent a
/// person's query before what the center asks by itself.
#[must_use]
pub fn urgency(priority: u8, behalf: &Behalf) -> u8 {
    priority
        .saturating_mul(2)
        .saturating_add(u8::from(behalf.query.is_none()))
}
