//! Calls that are told as EIDOs: what was said of an incident, beside its call.
//!
//! The messages of an incident are put together first ([`Eido::merge`]), and the call
//! follows from the sum. So a part that came late changes the call although it is old, and
//! which call an incident is, is known by the document's `$id` and not by what a part of it
//! happens to say of agency and number.

use packet::CallId;
use rusqlite::{Connection, OptionalExtension, params};

use super::{News, Origin, Reported, facts, fold, life, open, written};
use crate::intake::eido::Eido;
use crate::intake::{CallReport, IntakeError};
use crate::log::{Ledger, LogError};
use crate::triage::Triage;

/// Most incidents of which nothing says yet what they are about, the newest.
const AWAITED_MAX: i64 = 1_000;

/// Why an EIDO was not taken.
#[derive(Debug, thiserror::Error)]
pub enum EidoError {
    #[error(transparent)]
    Intake(#[from] IntakeError),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// What an EIDO came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    Call(Reported),
    /// It is kept until its incident, or its call, comes.
    Awaited,
}

struct Sum {
    eido: Eido,
    call: Option<CallId>,
}

/// Takes a message: adds it to what was said of its incident, and opens or updates the
/// call. `understand` puts the report into the center's words.
///
/// # Errors
/// When the sum does not fit, or the store fails.
pub fn tell(
    ledger: &mut Ledger<'_>,
    message: Eido,
    understand: impl Fn(&mut CallReport) -> Triage,
) -> Result<Taken, EidoError> {
    let kept = find(ledger, message.id())?;
    let (sum, call, is_news) = match kept {
        Some(Sum { eido, call }) => {
            let mut sum = eido.clone();
            sum.merge(message);
            let is_news = sum != eido;
            (sum, call, is_news)
        }
        None => (message, None, true),
    };
    if let (false, Some(call)) = (is_news, call) {
        return Ok(Taken::Call(Reported::unchanged(call)));
    }
    let Some(mut report) = sum.report()? else {
        keep(ledger, &sum, None)?;
        return Ok(Taken::Awaited);
    };
    report.units = sum.units()?;
    let triage = understand(&mut report);
    let known = match call {
        Some(call) => life::of(ledger, call)?,
        None => life::find(ledger, &report.agency, &report.number)?,
    };
    let text = written(&report)?;
    let mut reported = match known {
        None => open(ledger, &report, &triage, &text, Origin::Sum)?,
        Some(known) => fold(ledger, &known, &report, &triage, &text, Origin::Sum)?,
    };
    let mut former = CallReport {
        narrative: sum.former_words(),
        ..report
    };
    if facts::warn(ledger, reported.call, &understand(&mut former))?
        && reported.news == News::Unchanged
    {
        reported.news = News::Updated;
    }
    keep(ledger, &sum, Some(reported.call))?;
    Ok(Taken::Call(reported))
}

fn find(ledger: &Ledger<'_>, id: &str) -> Result<Option<Sum>, EidoError> {
    let kept: Option<(Option<i64>, String)> = ledger
        .sql()
        .prepare_cached("SELECT call, written FROM eidos WHERE id = ?1")
        .and_then(|mut statement| {
            let found = statement.query_row([id], |row| Ok((row.get(0)?, row.get(1)?)));
            found.optional()
        })
        .map_err(LogError::from)?;
    let sum = kept.map(|(call, text)| {
        Ok(Sum {
            eido: Eido::of_written(id, &text)?,
            call: call.map(|call| CallId(call.cast_unsigned())),
        })
    });
    sum.transpose()
}

fn keep(ledger: &Ledger<'_>, sum: &Eido, call: Option<CallId>) -> Result<(), EidoError> {
    let written = sum.written()?;
    keep_written(ledger, sum, call, &written).map_err(EidoError::from)
}

fn keep_written(
    ledger: &Ledger<'_>,
    sum: &Eido,
    call: Option<CallId>,
    written: &str,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO eidos (id, call, updated_ms, seen_ms, written) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (id) DO UPDATE SET call = ?2, updated_ms = ?3, seen_ms = ?4, written = ?5",
        )?
        .execute(params![
            sum.id(),
            call.map(|call| call.0.cast_signed()),
            sum.updated().as_millisecond(),
            ledger.now_ms(),
            written
        ])?;
    if call.is_none() {
        ledger
            .sql()
            .prepare_cached(
                "DELETE FROM eidos WHERE call IS NULL AND id NOT IN
                 (SELECT id FROM eidos WHERE call IS NULL ORDER BY seen_ms DESC LIMIT ?1)",
            )?
            .execute([AWAITED_MAX])?;
    }
    Ok(())
}

/// All that was said of a call by EIDO, where it was.
///
/// # Errors
/// When the store fails, or what it has cannot be read.
pub(crate) fn of_call(connection: &Connection, call: CallId) -> Result<Option<Eido>, LogError> {
    let mut statement = connection
        .prepare_cached("SELECT id, written FROM eidos WHERE call = ?1 ORDER BY updated_ms DESC")?;
    let kept: Vec<(String, String)> = statement
        .query_map([call.0.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))?
        .collect::<Result<_, _>>()?;
    let mut sum: Option<Eido> = None;
    for (id, text) in kept {
        let eido = Eido::of_written(&id, &text).map_err(|e| LogError::Store(e.to_string()))?;
        match &mut sum {
            Some(sum) => sum.merge(eido),
            None => sum = Some(eido),
        }
    }
    Ok(sum)
}
