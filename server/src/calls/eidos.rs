//! Calls that are told as EIDOs: what was said of an incident, beside its call.
//!
//! The messages of an incident are put together first ([`Eido::merge`]), and the call
//! follows from the sum. So a part that came late changes the call although it is old, and
//! which call an incident is, is known by the document's `$id` and not by what a part of it
//! happens to say of agency and number.

use packet::{CallId, LinkHow};
use rusqlite::{Connection, OptionalExtension, params};

use super::{News, Origin, Reported, facts, fold, life, links, open, units, written};
use crate::intake::eido::{Eido, LinkSaid};
use crate::intake::{CallReport, IntakeError};
use crate::log::{Ledger, LogError};
use crate::triage::Triage;

/// Most incidents of which nothing says yet what they are about, the newest.
const AWAITED_MAX: i64 = 1_000;

/// Most other incidents that one says it is linked with, and that are looked at.
const LINKS_SAID_MAX: usize = 100;

/// Who links by an incident's word, as screens show it.
const SENDER: &str = "Dispatch, by EIDO";

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
/// call. `own`: the call that this center has given out under the document's `$id`.
/// `understand` puts a report into the center's words.
///
/// # Errors
/// When the sum does not fit, or the store fails.
pub fn tell(
    ledger: &mut Ledger<'_>,
    message: Eido,
    own: Option<CallId>,
    understand: impl Fn(&mut CallReport) -> Triage,
) -> Result<Taken, EidoError> {
    let own = match own {
        Some(own) => life::of(ledger, own)?.map(|known| known.call),
        None => None,
    };
    let (sum, call, is_news) = match find(ledger, message.id())? {
        Some(Sum { eido, call }) => {
            let mut sum = eido.clone();
            sum.merge(message);
            let is_news = sum != eido;
            (sum, call.or(own), is_news)
        }
        None => (message, own, true),
    };
    if let (false, Some(call)) = (is_news, call) {
        return Ok(Taken::Call(Reported::unchanged(call)));
    }
    let taken = match (sum.report()?, call) {
        (Some(report), _) => Taken::Call(follow(ledger, &sum, call, report, understand)?),
        (None, Some(call)) => Taken::Call(add(ledger, &sum, call)?),
        (None, None) => Taken::Awaited,
    };
    let call = match taken {
        Taken::Call(reported) => Some(reported.call),
        Taken::Awaited => None,
    };
    let written = sum.written()?;
    keep(ledger, &sum, call, &written)?;
    if let Some(call) = call {
        follow_links(ledger, &sum, call)?;
    }
    Ok(taken)
}

/// Links the call with those that its incident, or theirs, says it is linked with.
fn follow_links(ledger: &mut Ledger<'_>, sum: &Eido, call: CallId) -> Result<(), LogError> {
    let said = sum.links();
    ledger
        .sql()
        .prepare_cached("DELETE FROM eido_links WHERE id = ?1")?
        .execute([sum.id()])?;
    for (other, said) in said.iter().take(LINKS_SAID_MAX) {
        let its_call = call_of(ledger, other)?;
        match (said, its_call) {
            (LinkSaid::Linked, its_call) => {
                ledger
                    .sql()
                    .prepare_cached("INSERT INTO eido_links (id, other) VALUES (?1, ?2)")?
                    .execute([sum.id(), other])?;
                if let Some(other) = its_call {
                    link(ledger, call, other)?;
                }
            }
            (LinkSaid::Unlinked, Some(other)) => {
                let links = links::of_call(ledger.sql(), call)?;
                if links
                    .iter()
                    .any(|link| link.other == other && link.how != LinkHow::Hand)
                {
                    links::unlink(ledger, call, other, SENDER)?;
                }
            }
            (LinkSaid::Unlinked, None) => {}
        }
    }
    let theirs: Vec<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT DISTINCT call FROM eido_links JOIN eidos ON eidos.id = eido_links.id
             WHERE other = ?1 AND call IS NOT NULL AND call <> ?2 LIMIT ?3",
        )?
        .query_map(
            params![sum.id(), call.0.cast_signed(), links::LINKS_MAX],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    theirs
        .into_iter()
        .try_for_each(|other| link(ledger, call, CallId(other.cast_unsigned())))
}

/// By dispatch's word, also after its word to the contrary. What anybody else has undone
/// stays so, and too many links hinder nothing.
fn link(ledger: &mut Ledger<'_>, call: CallId, other: CallId) -> Result<(), LogError> {
    let why = "dispatch says that they are linked";
    match links::link(ledger, call, other, LinkHow::Rule, why, SENDER) {
        Ok(_) | Err(LogError::Conflict(_)) => Ok(()),
        Err(e) => Err(e),
    }
}

fn call_of(ledger: &Ledger<'_>, id: &str) -> Result<Option<CallId>, LogError> {
    let call: Option<Option<i64>> = ledger
        .sql()
        .prepare_cached("SELECT call FROM eidos WHERE id = ?1")?
        .query_row([id], |row| row.get(0))
        .optional()?;
    Ok(call.flatten().map(|call| CallId(call.cast_unsigned())))
}

/// Opens or updates the call that the sum is about.
fn follow(
    ledger: &mut Ledger<'_>,
    sum: &Eido,
    call: Option<CallId>,
    mut report: CallReport,
    understand: impl Fn(&mut CallReport) -> Triage,
) -> Result<Reported, EidoError> {
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
    Ok(reported)
}

/// What another agency adds to an incident of this center's own: words become notes, units
/// are heard, and the facts stay who they were.
fn add(ledger: &mut Ledger<'_>, sum: &Eido, call: CallId) -> Result<Reported, EidoError> {
    let noted = facts::note_once(ledger, call, &sum.words()?)?;
    let moved = units::hear(ledger, call, &sum.units()?, sum.updated(), Origin::Sum)?;
    let news = if noted || moved {
        News::Updated
    } else {
        News::Unchanged
    };
    Ok(Reported { call, news })
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

fn keep(
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
