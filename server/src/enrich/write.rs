//! What came of a question, into the packet and on record.

use std::sync::Arc;

use packet::entry::NAME_CHARS_MAX;
use packet::{CallId, Compartment, DocumentId, Entry, Finding, Outcome, OutcomeState};

use super::config::SourceConfig;
use super::held;
use super::map::Brings;
use super::plan::{Asker, Behalf, NotAsked, Planned};
use super::schedule::Told;
use crate::audit::{self, Record};
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// An answer that is younger is as fresh as the entry that tells of it.
const FRESH_MS: i64 = 1_000;

/// Puts on record what is about to be asked of whom, on whose behalf and why. To be
/// committed before it is asked.
///
/// # Errors
/// When the store fails.
pub fn record_asked<'a>(
    ledger: &Ledger<'_>,
    asks: impl IntoIterator<Item = (&'a Planned, &'a SourceConfig)>,
) -> Result<(), LogError> {
    for (planned, source) in asks {
        let asker = &planned.asker;
        let asked = on_record(&asker.behalf, &source.name, asker.subject.as_ref(), "asked");
        audit::record(ledger, &asked)?;
    }
    Ok(())
}

/// Writes what an asker is told. `as_of_ms` of an answer is by the center's clock.
///
/// # Errors
/// When an entry breaks a limit or the store fails.
pub fn write_told(
    ledger: &mut Ledger<'_>,
    source: &SourceConfig,
    asker: &Asker,
    told: &Told<Arc<Brings>>,
) -> Result<(), LogError> {
    let took = |ms: i64| Some(u32::try_from(ms.max(0)).unwrap_or(u32::MAX));
    let (state, took_ms, detail, as_of_ms) = match told {
        Told::Asked => (OutcomeState::Asked, None, None, None),
        Told::Retrying { why } => (OutcomeState::Retrying, None, Some(why.clone()), None),
        Told::Answered {
            answer,
            as_of_ms,
            took_ms,
        } => {
            // Whether there is a record is for those who may see it: all who have the call read
            // this.
            let state = if answer.is_nothing() && is_open(source) {
                OutcomeState::NothingFound
            } else {
                OutcomeState::Answered
            };
            let detail = besides(source, answer);
            let is_kept = ledger.now_ms() - as_of_ms > FRESH_MS;
            (state, took(*took_ms), detail, is_kept.then_some(*as_of_ms))
        }
        Told::Refused { why, took_ms } => (
            OutcomeState::Refused,
            took(*took_ms),
            Some(why.clone()),
            None,
        ),
        Told::Failed { why, took_ms } => (
            OutcomeState::Failed,
            took(*took_ms),
            Some(why.clone()),
            None,
        ),
        Told::TimedOut { why, took_ms } => (
            OutcomeState::TimedOut,
            took(*took_ms),
            Some(why.clone()),
            None,
        ),
    };
    let outcome = Outcome {
        source: source.name.clone(),
        query: short(&asker.shown),
        state,
        took_ms,
        detail: detail.as_deref().map(short),
        as_of_ms,
        answers: asker.behalf.query,
    };
    if let Told::Answered {
        answer, as_of_ms, ..
    } = told
    {
        write_brings(ledger, source, asker, answer, *as_of_ms)?;
    }
    if told.is_final() {
        let said = said(told);
        let told = on_record(&asker.behalf, &source.name, asker.subject.as_ref(), &said);
        audit::record(ledger, &told)?;
    }
    let document = DocumentId::new(asker.behalf.call, Compartment::Call);
    ledger.append(document, Entry::Outcome(outcome))?;
    Ok(())
}

/// What it gives may be seen by everybody who has the call.
fn is_open(source: &SourceConfig) -> bool {
    Ledger::carried().contains(&source.compartment)
}

/// What a person could otherwise only wonder about.
fn besides(source: &SourceConfig, answer: &Brings) -> Option<String> {
    let place = source.compartment.name();
    if !is_open(source) {
        return Some(format!(
            "what it said stands in {place}, for who may see that"
        ));
    }
    let mut said = Vec::new();
    if source.compartment != Compartment::Call && !answer.findings.is_empty() {
        let findings = answer.findings.len();
        said.push(format!("{findings} found, kept in {place}"));
    }
    if answer.left_out > 0 {
        said.push(format!("{} more than are shown", answer.left_out));
    }
    (!said.is_empty()).then(|| said.join("; "))
}

/// Writes what is not asked.
///
/// # Errors
/// As [`write_told`].
pub fn write_not_asked(
    ledger: &mut Ledger<'_>,
    behalf: &Behalf,
    not_asked: &NotAsked,
) -> Result<(), LogError> {
    let said = format!("not asked: {}", not_asked.why);
    let denied = Record {
        allowed: false,
        ..on_record(behalf, &not_asked.source, not_asked.subject.as_ref(), &said)
    };
    audit::record(ledger, &denied)?;
    let outcome = Outcome {
        source: not_asked.source.clone(),
        query: short(&not_asked.shown),
        state: OutcomeState::Refused,
        took_ms: None,
        detail: Some(short(&not_asked.why)),
        as_of_ms: None,
        answers: behalf.query,
    };
    let document = DocumentId::new(behalf.call, Compartment::Call);
    ledger.append(document, Entry::Outcome(outcome))?;
    Ok(())
}

/// Cautions first: they are what somebody may be hurt by waiting for.
fn write_brings(
    ledger: &mut Ledger<'_>,
    source: &SourceConfig,
    asker: &Asker,
    brings: &Brings,
    as_of_ms: i64,
) -> Result<(), LogError> {
    let Behalf { call, query, .. } = asker.behalf;
    let compartment = source.compartment;
    for caution in &brings.cautions {
        held::write_or_hold(ledger, source, call, brings, caution)?;
    }
    for finding in &brings.findings {
        let finding = Finding {
            query: short(&asker.shown),
            answered_ms: as_of_ms,
            // It names an entry of its own document, where queries are.
            answers: query.filter(|_| compartment == Compartment::Call),
            ..finding.clone()
        };
        let document = DocumentId::new(call, compartment);
        ledger.append(document, Entry::Finding(finding))?;
    }
    Ok(())
}

/// How a question ended. Why a source failed stands in the packet alone: its words may have
/// the subject in them.
fn said(told: &Told<Arc<Brings>>) -> String {
    match told {
        Told::Answered { answer, .. } => format!(
            "answered: {} findings, {} cautions",
            answer.findings.len(),
            answer.cautions.len()
        ),
        Told::Refused { .. } => "refused".into(),
        Told::Failed { .. } => "failed".into(),
        Told::TimedOut { .. } => "timed out".into(),
        Told::Asked | Told::Retrying { .. } => String::new(),
    }
}

fn on_record(
    behalf: &Behalf,
    source: &str,
    subject: Option<&audit::Subject>,
    what: &str,
) -> Record {
    Record {
        device: behalf.device,
        object: behalf.call.to_string(),
        detail: format!("{source}: {what}"),
        subjects: subject.cloned().into_iter().collect(),
        purpose: Some(behalf.purpose.clone()),
        reason: behalf.reason.clone(),
        ..Record::of(behalf.by.clone(), Act::AskSource)
    }
}

/// Keeps whether all that is known of a call has been asked about: what has not is asked
/// again after a restart.
///
/// # Errors
/// When the store fails.
pub fn set_asked(ledger: &Ledger<'_>, call: CallId, asked: bool) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("UPDATE calls SET asked = ?2 WHERE call = ?1")?
        .execute(rusqlite::params![call.0.cast_signed(), asked])?;
    Ok(())
}

/// Within the limit of a name.
fn short(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}
