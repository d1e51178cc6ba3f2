//! Cautions that are derived from a restricted record: *armed, caution*, without the record.
//!
//! `safety` is read by everybody who has the call, so what comes there of a source whose
//! findings stand in `records`, `juvenile` or `intel` is a release of it. It goes by itself
//! where the agency that owns the source has approved that before for what the record is
//! about (`releases` in `[[sources]]`); else it is held, and waits for a person who may
//! release it ([`crate::policy::Act::ReleaseCaution`] of the source). Either way it is on
//! record: by which rule or by whom, and when.

use packet::{CallId, Caution, Compartment, DocumentId, Entry};
use rusqlite::{Connection, OptionalExtension, params};

use super::config::{ReleaseRule, SourceConfig};
use super::map::Brings;
use crate::audit::{self, Record};
use crate::log::{Happening, Ledger, LogError};
use crate::policy::{Act, CENTER};

/// Most that wait of one call.
const HELD_PER_CALL_MAX: i64 = 64;

/// A caution that waits for a person.
#[derive(Debug, Clone)]
pub struct Held {
    pub number: i64,
    pub call: CallId,
    pub source: String,
    /// Whose the source is.
    pub agency: String,
    pub compartment: Compartment,
    pub caution: Caution,
    pub at_ms: i64,
}

/// The rule by which a caution of this answer goes by itself.
fn rule<'a>(source: &'a SourceConfig, brings: &Brings) -> Option<&'a ReleaseRule> {
    let is_of = |rule: &&ReleaseRule| brings.findings.iter().any(|f| f.topic == rule.topic);
    source.releases.iter().find(is_of)
}

/// Writes a caution of a source's answer, or holds it.
///
/// # Errors
/// When the entry breaks a limit or the store fails.
pub(super) fn write_or_hold(
    ledger: &mut Ledger<'_>,
    source: &SourceConfig,
    call: CallId,
    brings: &Brings,
    caution: &Caution,
) -> Result<(), LogError> {
    let safety = DocumentId::new(call, Compartment::Safety);
    if Ledger::carried().contains(&source.compartment) {
        ledger.append(safety, Entry::Caution(caution.clone()))?;
        return Ok(());
    }
    let place = source.compartment.name();
    let detail = match rule(source, brings) {
        Some(rule) => {
            let appended = ledger.append(safety, Entry::Caution(caution.clone()))?;
            format!(
                "{}, of {place}: released as {} by the rule that {} approved on {}",
                source.name, appended.seq, rule.approved_by, rule.on
            )
        }
        None => {
            hold(ledger, source, call, caution)?;
            format!("{}, of {place}: held for a person", source.name)
        }
    };
    record(ledger, "The center, by itself", call, true, detail)
}

fn hold(
    ledger: &mut Ledger<'_>,
    source: &SourceConfig,
    call: CallId,
    caution: &Caution,
) -> Result<(), LogError> {
    let text = serde_json::to_string(caution).map_err(|e| LogError::Store(e.to_string()))?;
    let number = call.0.cast_signed();
    // The same answer asked for again is the same caution.
    let is_there = ledger
        .sql()
        .prepare_cached(
            "SELECT 1 FROM held_cautions WHERE call = ?1 AND source = ?2 AND caution = ?3",
        )?
        .exists(params![number, source.name, text])?;
    let waiting: i64 = ledger
        .sql()
        .prepare_cached(
            "SELECT count(*) FROM held_cautions WHERE call = ?1 AND decided_ms IS NULL",
        )?
        .query_row([number], |row| row.get(0))?;
    if is_there || waiting >= HELD_PER_CALL_MAX {
        return Ok(());
    }
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO held_cautions (call, source, agency, compartment, caution, at_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            number,
            source.name,
            source.agency.as_deref().unwrap_or(CENTER),
            source.compartment as u8,
            text,
            ledger.now_ms()
        ])?;
    ledger.tell(Happening::Held(call));
    Ok(())
}

const COLUMNS: &str = "held, call, source, agency, compartment, caution, at_ms";

fn read(row: &rusqlite::Row<'_>) -> rusqlite::Result<Option<Held>> {
    let compartment = Compartment::ALL
        .into_iter()
        .find(|compartment| *compartment as i64 == row.get::<_, i64>(4).unwrap_or(-1));
    let caution: Option<Caution> = serde_json::from_str(&row.get::<_, String>(5)?).ok();
    let (Some(compartment), Some(caution)) = (compartment, caution) else {
        return Ok(None);
    };
    Ok(Some(Held {
        number: row.get(0)?,
        call: CallId(row.get::<_, i64>(1)?.cast_unsigned()),
        source: row.get(2)?,
        agency: row.get(3)?,
        compartment,
        caution,
        at_ms: row.get(6)?,
    }))
}

/// What waits, the oldest first: of this call, or of all that are open.
///
/// # Errors
/// When the store fails.
pub fn waiting(connection: &Connection, call: Option<CallId>) -> Result<Vec<Held>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM held_cautions AS h
         WHERE decided_ms IS NULL AND (?1 = h.call OR ?1 IS NULL AND EXISTS
             (SELECT 1 FROM calls WHERE calls.call = h.call AND open = 1))
         ORDER BY held LIMIT 200"
    ))?;
    let rows = statement.query_map([call.map(|call| call.0.cast_signed())], read)?;
    let all: Vec<Option<Held>> = rows.collect::<Result<_, _>>()?;
    Ok(all.into_iter().flatten().collect())
}

/// One that waits, of this call.
///
/// # Errors
/// When the store fails.
pub fn find(connection: &Connection, call: CallId, number: i64) -> Result<Option<Held>, LogError> {
    let held = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM held_cautions
             WHERE held = ?1 AND call = ?2 AND decided_ms IS NULL"
        ))?
        .query_row(params![number, call.0.cast_signed()], read)
        .optional()?;
    Ok(held.flatten())
}

/// A person has decided: it is written into `safety`, or it is not. Who may is decided before.
///
/// # Errors
/// When it does not wait, or the store fails.
pub fn settle(
    ledger: &mut Ledger<'_>,
    call: CallId,
    number: i64,
    released: bool,
    by: &str,
) -> Result<(), LogError> {
    let held = find(ledger.sql(), call, number)?.ok_or_else(|| LogError::Unknown {
        what: "caution that waits",
        id: number.to_string(),
    })?;
    ledger
        .sql()
        .prepare_cached(
            "UPDATE held_cautions SET decided_ms = ?2, decided_by = ?3, released = ?4 WHERE held = ?1",
        )?
        .execute(params![number, ledger.now_ms(), by, released])?;
    let place = held.compartment.name();
    let detail = if released {
        let safety = DocumentId::new(call, Compartment::Safety);
        let appended = ledger.append(safety, Entry::Caution(held.caution))?;
        format!("{}, of {place}: released as {}", held.source, appended.seq)
    } else {
        format!("{}, of {place}: not released", held.source)
    };
    ledger.tell(Happening::Held(call));
    record(ledger, by, call, released, detail)
}

fn record(
    ledger: &Ledger<'_>,
    who: &str,
    call: CallId,
    allowed: bool,
    detail: String,
) -> Result<(), LogError> {
    audit::record(
        ledger,
        &Record {
            who: who.to_owned(),
            device: None,
            act: Act::ReleaseCaution,
            object: call.to_string(),
            allowed,
            detail,
        },
    )
}
