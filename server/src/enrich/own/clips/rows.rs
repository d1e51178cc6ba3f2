//! What was asked for and how far it has come, in the store.

use std::collections::HashSet;

use packet::{DocumentId, Entry, EntryId, Finding, Outcome, OutcomeState, Query, QueryWhat};
use rusqlite::{Connection, params};

use super::{PER_CALL_MAX, WAITING_MAX};
use crate::log::{Ledger, LogError};

/// A recording that is waited for.
#[derive(Debug, Clone)]
pub(super) struct Clip {
    pub(super) clip: i64,
    pub(super) document: DocumentId,
    /// The query.
    pub(super) entry: EntryId,
    pub(super) value: String,
    pub(super) asked_ms: i64,
    /// As the video system calls it.
    pub(super) job: Option<String>,
    pub(super) failures: u32,
}

/// What is due, and when something is next.
#[derive(Debug, Default)]
pub(super) struct Due {
    pub(super) clips: Vec<Clip>,
    pub(super) next_ms: Option<i64>,
    /// All that have not come to their end.
    pub(super) waiting: u64,
}

/// How a step ends.
#[derive(Debug)]
pub(super) enum Then {
    /// It is looked at again then; `job` as the video system calls it from now on.
    Again {
        due_ms: i64,
        job: Option<String>,
        failures: u32,
    },
    End,
}

/// Keeps what a query asks for, in the query's own commit.
pub(crate) fn add(
    ledger: &mut Ledger<'_>,
    document: DocumentId,
    id: EntryId,
    query: &Query,
) -> Result<(), LogError> {
    if query.what != QueryWhat::Clip {
        return Ok(());
    }
    let (waiting, of_call): (u64, u64) = ledger
        .sql()
        .prepare_cached(
            "SELECT (SELECT count(*) FROM clips WHERE due_ms IS NOT NULL), (SELECT count(*) FROM clips WHERE document = ?1)",
        )?
        .query_row([document.to_bytes()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if waiting >= WAITING_MAX || of_call >= PER_CALL_MAX {
        let why = if of_call >= PER_CALL_MAX {
            format!("{PER_CALL_MAX} recordings of one call is the most")
        } else {
            format!("{WAITING_MAX} recordings are waited for, which is the most")
        };
        let outcome = Outcome {
            detail: Some(why),
            ..outcome("Recordings", query.value.clone(), OutcomeState::Refused, id)
        };
        ledger.append(document, Entry::Outcome(outcome))?;
        return Ok(());
    }
    ledger
        .sql()
        .prepare_cached(
            "INSERT OR IGNORE INTO clips (document, entry, value, asked_ms, due_ms) VALUES (?1, ?2, ?3, ?4, ?4)",
        )?
        .execute(params![
            document.to_bytes(),
            id.to_string(),
            query.value,
            ledger.now_ms()
        ])?;
    Ok(())
}

pub(super) fn outcome(
    source: &str,
    query: String,
    state: OutcomeState,
    answers: EntryId,
) -> Outcome {
    Outcome {
        source: source.into(),
        query,
        state,
        took_ms: None,
        detail: None,
        as_of_ms: None,
        answers: Some(answers),
    }
}

/// What is due now, but for what is in flight; as many as there are places for.
pub(super) fn due(
    connection: &Connection,
    in_flight: &HashSet<i64>,
    places: usize,
    now_ms: i64,
) -> Result<Due, LogError> {
    let mut due = Due {
        waiting: connection
            .prepare_cached("SELECT count(*) FROM clips WHERE due_ms IS NOT NULL")?
            .query_row([], |row| row.get(0))?,
        ..Due::default()
    };
    let mut statement = connection.prepare_cached(
        "SELECT clip, document, entry, value, asked_ms, job, failures, due_ms FROM clips
         WHERE due_ms IS NOT NULL ORDER BY due_ms, clip LIMIT ?1",
    )?;
    let mut rows = statement.query([WAITING_MAX])?;
    while let Some(row) = rows.next()? {
        let (clip, due_ms): (i64, i64) = (row.get(0)?, row.get(7)?);
        if in_flight.contains(&clip) {
            continue;
        }
        if due_ms > now_ms || in_flight.len() + due.clips.len() >= places {
            due.next_ms = Some(due_ms);
            break;
        }
        let unreadable = |e: packet::IdError| LogError::Store(e.to_string());
        due.clips.push(Clip {
            clip,
            document: DocumentId::from_bytes(&row.get::<_, Vec<u8>>(1)?).map_err(unreadable)?,
            entry: row.get::<_, String>(2)?.parse().map_err(unreadable)?,
            value: row.get(3)?,
            asked_ms: row.get(4)?,
            job: row.get(5)?,
            failures: row.get(6)?,
        });
    }
    Ok(due)
}

/// A step was taken: how it goes on, and what the packet is told, in one commit.
pub(super) fn keep(
    ledger: &mut Ledger<'_>,
    clip: &Clip,
    then: &Then,
    finding: Option<Finding>,
    outcome: Option<Outcome>,
) -> Result<(), LogError> {
    let (due_ms, job, failures) = match then {
        Then::Again {
            due_ms,
            job,
            failures,
        } => (Some(*due_ms), job.as_deref(), *failures),
        Then::End => (None, clip.job.as_deref(), clip.failures),
    };
    ledger
        .sql()
        .prepare_cached("UPDATE clips SET due_ms = ?2, job = ?3, failures = ?4 WHERE clip = ?1")?
        .execute(params![clip.clip, due_ms, job, failures])?;
    if let Some(finding) = finding {
        ledger.append(clip.document, Entry::Finding(finding))?;
    }
    if let Some(outcome) = outcome {
        ledger.append(clip.document, Entry::Outcome(outcome))?;
    }
    Ok(())
}
