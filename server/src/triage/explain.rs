//! Which rule said what: for a person who wants to know why a call has its priority, or why
//! a word did not count.

use std::fmt;

use packet::{CallId, Compartment, DocumentId, Entry};
use rusqlite::{Connection, OptionalExtension};

use super::rules::Verdict;
use super::words::Narrative;
use super::{Entity, EntityWhat, Person, Rules, Triage, Vehicle};
use crate::audit::{self, Record};
use crate::clock;
use crate::config::Config;
use crate::identity::{KeysError, LogKey};
use crate::intake::{CallReport, CallStatus};
use crate::log::{self, LogError};
use crate::policy::{Act, Role, decide};

/// What is explained of one call, or of words alone.
#[derive(Debug)]
pub struct Explanation {
    pub triage: Triage,
    /// Every phrase of a rule that stands in the words, and whether it counted.
    pub heard: Vec<Heard>,
    /// Where its words stand, and what is named there.
    pub entities: Vec<(String, Entity)>,
    /// The priority and the reason that are in the packet.
    pub logged: Option<(u8, String)>,
}

/// A phrase of a rule in the words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heard {
    pub rule: String,
    pub words: String,
    pub verdict: Verdict,
}

/// Why a call cannot be explained.
#[derive(Debug, thiserror::Error)]
pub enum ExplainError {
    #[error("there is no call {0} here: wanted a call's id, or AGENCY/NUMBER")]
    Unknown(String),
    #[error("the call's report cannot be read: {0}")]
    Report(String),
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Log(#[from] LogError),
}

impl Rules {
    /// Explains what these rules make of a report, and of notes (who wrote it, and what).
    #[must_use]
    pub fn explain(&self, report: &CallReport, notes: &[(String, String)]) -> Explanation {
        let narrative = ("narrative".to_owned(), report.narrative.join("\n"));
        let texts: Vec<_> = [narrative]
            .into_iter()
            .chain(notes.iter().cloned())
            .collect();
        let mut heard = Vec::new();
        for text in &report.narrative {
            let narrative = Narrative::of(text);
            heard.extend(
                self.judged(&narrative)
                    .into_iter()
                    .map(|(hit, verdict)| Heard {
                        rule: self.words[hit.rule].name.clone(),
                        words: narrative.text(&hit.tokens).to_owned(),
                        verdict,
                    }),
            );
        }
        let named = texts.iter().flat_map(|(from, text)| {
            let entities = self.entities(text).into_iter();
            entities.map(move |entity| (from.clone(), entity))
        });
        Explanation {
            triage: self.triage(report),
            heard,
            entities: named.collect(),
            logged: None,
        }
    }

    /// As [`Rules::explain`], for a nature and words alone.
    #[must_use]
    pub fn explain_words(&self, nature: &str, words: &str) -> Explanation {
        self.explain(&of_words(nature, words), &[])
    }
}

/// A report that says nothing but this.
pub(crate) fn of_words(nature: &str, words: &str) -> CallReport {
    CallReport {
        agency: String::new(),
        number: String::new(),
        received: jiff::Timestamp::UNIX_EPOCH,
        updated: jiff::Timestamp::UNIX_EPOCH,
        nature: nature.to_owned(),
        location: String::new(),
        latitude: None,
        longitude: None,
        district: None,
        priority: None,
        narrative: vec![words.to_owned()],
        plates: Vec::new(),
        units: Vec::new(),
        status: CallStatus::Open,
    }
}

/// Explains a call of the center of this configuration, which may be running. `call` is an
/// id or `AGENCY/NUMBER`. Who asks is put on record as the operator, who has the keys.
///
/// # Errors
/// When there is no such call, or the log cannot be read.
pub fn explain_call(
    config: &Config,
    rules: &Rules,
    call: &str,
) -> Result<Explanation, ExplainError> {
    let key = LogKey::open(&config.data.join("keys"))?;
    let mut connection = log::beside(&config.data.join("center.db"), &key.store_key)?;
    let found = find(&connection, call)?;
    let record = Record {
        object: found.map_or_else(
            || call.chars().take(100).collect(),
            |found| found.to_string(),
        ),
        allowed: decide(Role::Operator, Act::ExplainTriage),
        ..Record::of(Role::Operator.name(), Act::ExplainTriage)
    };
    audit::record_in(&mut connection, &record, clock::now_ms())?;
    let Some(found) = found else {
        return Err(ExplainError::Unknown(call.to_owned()));
    };
    explain_of(&connection, rules, found)
}

fn explain_of(
    connection: &Connection,
    rules: &Rules,
    call: CallId,
) -> Result<Explanation, ExplainError> {
    let text: String = connection
        .query_row(
            "SELECT report FROM calls WHERE call = ?1",
            [call.0.cast_signed()],
            |row| row.get(0),
        )
        .map_err(LogError::from)?;
    let mut facts = None;
    let mut notes = Vec::new();
    for logged in log::document(connection, DocumentId::new(call, Compartment::Call))? {
        match logged.inspected.written.entry {
            Entry::Facts(newer) => facts = Some(newer),
            Entry::Note(note) => notes.push((format!("note by {}", note.by), note.text)),
            _ => {}
        }
    }
    // A packet that an officer opened has no report: its facts say as much.
    let report = if text.is_empty() {
        let facts = facts.clone();
        let words = facts.as_ref().and_then(|facts| facts.narrative.clone());
        let nature = facts.map(|facts| facts.nature).unwrap_or_default();
        of_words(&nature, &words.unwrap_or_default())
    } else {
        serde_json::from_str(&text).map_err(|e| ExplainError::Report(e.to_string()))?
    };
    Ok(Explanation {
        logged: facts.map(|facts| (facts.priority, facts.reason)),
        ..rules.explain(&report, &notes)
    })
}

fn find(connection: &Connection, call: &str) -> Result<Option<CallId>, LogError> {
    let id = |row: &rusqlite::Row<'_>| {
        row.get::<_, i64>(0)
            .map(|call| CallId(call.cast_unsigned()))
    };
    if let Ok(known) = call.parse::<CallId>() {
        let found = connection
            .query_row(
                "SELECT call FROM calls WHERE call = ?1",
                [known.0.cast_signed()],
                id,
            )
            .optional()?;
        if found.is_some() {
            return Ok(found);
        }
    }
    let Some((agency, number)) = call.split_once('/') else {
        return Ok(None);
    };
    let found = connection
        .query_row(
            "SELECT call FROM calls WHERE agency = ?1 AND number = ?2",
            [agency, number],
            id,
        )
        .optional()?;
    Ok(found)
}

impl fmt::Display for Explanation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Priority {}, category {}",
            self.triage.priority, self.triage.category
        )?;
        for reason in &self.triage.reasons {
            writeln!(f, "  {reason}")?;
        }
        if let Some((priority, reason)) = &self.logged {
            writeln!(f, "In the packet: priority {priority}: {reason}")?;
        }
        writeln!(
            f,
            "Words of the rules in the narrative: {}",
            none_or(self.heard.len())
        )?;
        for heard in &self.heard {
            let verdict = match heard.verdict {
                Verdict::Counts => "counts",
                Verdict::Denied => "denied in the text",
                Verdict::Excepted => "an exception of its rule",
            };
            writeln!(f, "  \"{}\": rule {}, {verdict}", heard.words, heard.rule)?;
        }
        writeln!(f, "Cautions: {}", none_or(self.triage.cautions.len()))?;
        for caution in &self.triage.cautions {
            writeln!(f, "  {}", caution.text)?;
        }
        writeln!(f, "Named: {}", none_or(self.entities.len()))?;
        for (from, entity) in &self.entities {
            writeln!(f, "  {}, from \"{}\" ({from})", entity.what, entity.words)?;
        }
        Ok(())
    }
}

fn none_or(count: usize) -> String {
    if count == 0 {
        "none".to_owned()
    } else {
        count.to_string()
    }
}

impl fmt::Display for EntityWhat {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plate(plate) => {
                let part = if plate.partial {
                    "part of a plate"
                } else {
                    "plate"
                };
                write!(f, "{part} {}", plate.plate)?;
                plate
                    .state
                    .iter()
                    .try_for_each(|state| write!(f, " {state}"))
            }
            Self::Vehicle(vehicle) => write!(f, "vehicle {vehicle}"),
            Self::Phone(digits) => write!(f, "phone {digits}"),
            Self::Person(person) => write!(f, "person {person}"),
            Self::Address(address) => {
                write!(f, "address {}", address.building)?;
                let unit = &address.unit;
                if unit.is_empty() {
                    Ok(())
                } else {
                    write!(f, " {unit}")
                }
            }
            Self::Weapon(kind) => write!(f, "weapon {kind}"),
            Self::Danger(kind) => write!(f, "danger {kind}"),
        }
    }
}

impl fmt::Display for Vehicle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let year = self.year.map(|year| year.to_string());
        let parts = [&self.color, &year, &self.make, &self.model, &self.body];
        let parts: Vec<&str> = parts
            .into_iter()
            .filter_map(|part| part.as_deref())
            .collect();
        f.write_str(&parts.join(" "))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = self.name();
        let born = self.born.as_ref().map(|born| format!("born {born}"));
        let parts: Vec<&str> = [
            name.as_deref(),
            born.as_deref(),
            self.description.as_deref(),
        ]
        .into_iter()
        .flatten()
        .collect();
        f.write_str(&parts.join(", "))
    }
}
