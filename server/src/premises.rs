//! Premise cautions: what can hurt at a place, who says so, and until when.
//!
//! A call at that building gets it in `safety` with the call itself, in one commit. When
//! it ends, or is ended early, it is withdrawn wherever it was written
//! ([`crate::standing`]), and so it is from a call that turns out to be elsewhere.

#[cfg(test)]
mod tests;

use std::sync::Arc;

use jiff::Timestamp;
use packet::{
    CallId, CallState, Caution, Compartment, DocumentId, Entry, EntryError, Facts, entry, lookup,
};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use crate::audit::{self, Record};
use crate::beats;
use crate::center::Center;
use crate::hot_list::entry::{ends, field, optional, trim};
use crate::intake::report::{LATITUDE_DEGREES_MAX, LONGITUDE_DEGREES_MAX, in_range};
use crate::log::{Committed, Ledger, LogError};
use crate::policy::Act;
use crate::standing::{self, Cause, Role, WITHDRAWN_PER_COMMIT_MAX};

/// Most premise cautions that are live at a time.
pub const PREMISES_MAX: usize = 50_000;
/// Most of one building.
pub const AT_A_PLACE_MAX: usize = 10;
/// Most premise cautions on one page of a list.
pub const PAGE_MAX: usize = 500;
/// How long one that has ended is kept, to be looked up.
const KEPT_ENDED_MS: i64 = 90 * 24 * 60 * 60 * 1_000;
const TEXT_CHARS_MAX: usize = 1_000;
const NAME_CHARS_MAX: usize = 120;

/// A premise caution as it is given, and kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Premise {
    /// The address, as dispatch writes it.
    pub location: String,
    /// Degrees, WGS 84; there is a longitude where there is a latitude.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    pub text: String,
    /// Who says so.
    pub set_by: String,
    pub ends: Timestamp,
}

impl Premise {
    /// The premise in the form in which it is kept.
    ///
    /// # Errors
    /// Names the first field that breaks a limit, and what was wanted.
    pub fn checked(mut self, now_ms: i64) -> Result<Self, EntryError> {
        trim("location", &mut self.location, entry::NAME_CHARS_MAX)?;
        trim("text", &mut self.text, TEXT_CHARS_MAX)?;
        trim("set_by", &mut self.set_by, NAME_CHARS_MAX)?;
        optional("district", &mut self.district, NAME_CHARS_MAX)?;
        if place_key(&self.location).is_empty() {
            return Err(field("location", "a street address"));
        }
        let is_within =
            |degrees: Option<f64>, max| degrees.is_none_or(|degrees| in_range(degrees, max));
        if !is_within(self.latitude, LATITUDE_DEGREES_MAX) {
            return Err(field("latitude", "degrees from -90 to 90"));
        }
        if !is_within(self.longitude, LONGITUDE_DEGREES_MAX)
            || self.latitude.is_some() != self.longitude.is_some()
        {
            return Err(field(
                "longitude",
                "degrees from -180 to 180, where there is a latitude and only there",
            ));
        }
        ends(self.ends, now_ms)?;
        Ok(self)
    }

    #[must_use]
    pub fn position(&self) -> Option<(f64, f64)> {
        self.latitude.zip(self.longitude)
    }
}

/// One with its number.
#[derive(Debug, Clone, PartialEq)]
pub struct Kept {
    pub id: i64,
    pub premise: Premise,
    pub added_ms: i64,
    pub ended_ms: Option<i64>,
    pub ended_by: Option<String>,
}

/// The one way from a location to the building by which premises are found.
fn place_key(location: &str) -> String {
    lookup::place(location)
}

const COLUMNS: &str = "id, premises.premise, added_ms, ended_ms, ended_by";

fn kept(row: &Row<'_>) -> Result<Kept, LogError> {
    let premise: String = row.get(1)?;
    Ok(Kept {
        id: row.get(0)?,
        premise: serde_json::from_str(&premise)
            .map_err(|e| LogError::Store(format!("a premise caution cannot be read: {e}")))?,
        added_ms: row.get(2)?,
        ended_ms: row.get(3)?,
        ended_by: row.get(4)?,
    })
}

/// Keeps a caution with its place. Open calls there get it at once. Returns its number.
///
/// # Errors
/// When there are too many ([`LogError::Conflict`]), or the store fails.
pub fn add(ledger: &mut Ledger<'_>, premise: &Premise) -> Result<i64, LogError> {
    let address = place_key(&premise.location);
    let (all, here): (i64, i64) = ledger
        .sql()
        .prepare_cached(
            "SELECT (SELECT count(*) FROM premises WHERE ended_ms IS NULL),
                    (SELECT count(*) FROM premises WHERE ended_ms IS NULL AND address = ?1)",
        )?
        .query_row([&address], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let most = |count: i64, max: usize| usize::try_from(count).unwrap_or(0) >= max;
    if most(all, PREMISES_MAX) || most(here, AT_A_PLACE_MAX) {
        return Err(LogError::Conflict(format!(
            "at most {AT_A_PLACE_MAX} cautions are kept with a place, and {PREMISES_MAX} in all: end one first"
        )));
    }
    let text = serde_json::to_string(premise).map_err(|e| LogError::Store(e.to_string()))?;
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO premises (address, premise, added_ms, ends_ms) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![
            address,
            text,
            ledger.now_ms(),
            premise.ends.as_millisecond()
        ])?;
    let id = ledger.sql().last_insert_rowid();
    let kept = Kept {
        id,
        premise: premise.clone(),
        added_ms: ledger.now_ms(),
        ended_ms: None,
        ended_by: None,
    };
    beats::premise_added(ledger, &kept)?;
    let open: Vec<i64> = ledger
        .sql()
        .prepare_cached("SELECT call FROM calls WHERE address = ?1 AND open = 1")?
        .query_map([&address], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for call in open {
        write(ledger, CallId(call.cast_unsigned()), &kept)?;
    }
    Ok(id)
}

fn write(ledger: &mut Ledger<'_>, call: CallId, kept: &Kept) -> Result<(), LogError> {
    let cause = Cause::premise(kept.id);
    if standing::was_written(ledger, &cause, call, Role::Premise, true, 0)? {
        return Ok(());
    }
    let caution = Caution {
        text: kept.premise.text.clone(),
        by: format!("Premise: {}", kept.premise.set_by),
        ends_ms: Some(kept.premise.ends.as_millisecond()),
    };
    let safety = DocumentId::new(call, Compartment::Safety);
    standing::write(
        ledger,
        safety,
        Entry::Caution(caution),
        &cause,
        Role::Premise,
        true,
    )
}

/// Ends one before its time: it is withdrawn wherever it was written.
///
/// # Errors
/// When it is not known or has ended ([`LogError::Unknown`]), or the store fails.
pub fn end(ledger: &mut Ledger<'_>, id: i64, by: &str) -> Result<(), LogError> {
    let now_ms = ledger.now_ms();
    let ended = ledger
        .sql()
        .prepare_cached(
            "UPDATE premises SET ended_ms = ?2, ended_by = ?3 WHERE id = ?1 AND ended_ms IS NULL AND ends_ms > ?2",
        )?
        .execute(params![id, now_ms, by])?;
    if ended == 0 {
        return Err(LogError::Unknown {
            what: "live premise caution",
            id: id.to_string(),
        });
    }
    standing::end(
        ledger,
        &Cause::premise(id),
        None,
        &format!("Premise: ended by {by}"),
    )?;
    beats::premise_ended(ledger, id)?;
    standing::withdraw_due(ledger, WITHDRAWN_PER_COMMIT_MAX)?;
    Ok(())
}

/// Marks those whose end has come, at most so many, and forgets those that ended long ago.
/// Returns how many ended.
///
/// # Errors
/// When the store fails.
pub fn expire(ledger: &mut Ledger<'_>, at_most: usize) -> Result<usize, LogError> {
    let now_ms = ledger.now_ms();
    let over: Vec<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT id FROM premises WHERE ended_ms IS NULL AND ends_ms <= ?1 LIMIT ?2",
        )?
        .query_map(params![now_ms, at_most], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for id in &over {
        ledger
            .sql()
            .prepare_cached(
                "UPDATE premises SET ended_ms = ends_ms, ended_by = 'its own date' WHERE id = ?1",
            )?
            .execute([id])?;
        beats::premise_ended(ledger, *id)?;
    }
    ledger
        .sql()
        .prepare_cached(
            "DELETE FROM premises WHERE id IN (SELECT id FROM premises WHERE ended_ms < ?1 LIMIT ?2)",
        )?
        .execute(params![now_ms - KEPT_ENDED_MS, at_most])?;
    Ok(over.len())
}

/// What is logged of a call's place: the building's cautions come to it, those of another
/// building leave it. A fault in one of them is no reason not to take the call.
///
/// # Errors
/// When the store fails.
pub(crate) fn logged(ledger: &mut Ledger<'_>, change: &Committed) -> Result<(), LogError> {
    let Entry::Facts(facts) = &change.entry else {
        return Ok(());
    };
    if change.document.compartment != Compartment::Call
        || change.given_back
        || change.document.call.is_beat()
    {
        return Ok(());
    }
    match arrive(ledger, change.document.call, facts) {
        Err(LogError::Entry(e)) => {
            tracing::error!(error = %e, call = %change.document.call, "a premise caution could not be written");
            Ok(())
        }
        arrived => arrived,
    }
}

fn arrive(ledger: &mut Ledger<'_>, call: CallId, facts: &Facts) -> Result<(), LogError> {
    let address = place_key(&facts.location);
    let here = at(ledger.sql(), &address, ledger.now_ms())?;
    let mut is_elsewhere = false;
    for cause in standing::causes_in(ledger, call, Role::Premise)? {
        let Some(id) = cause.premise_id() else {
            continue;
        };
        if !is_of(ledger, id, &address)? {
            let by = "The center: the call is at another place";
            is_elsewhere |= standing::end(ledger, &cause, Some(call), by)?;
        }
    }
    if is_elsewhere {
        standing::withdraw_due(ledger, WITHDRAWN_PER_COMMIT_MAX)?;
    }
    if facts.state == CallState::Open {
        for kept in &here {
            write(ledger, call, kept)?;
        }
    }
    Ok(())
}

/// Whether this premise caution is of this building; one that is forgotten is of none.
fn is_of(ledger: &Ledger<'_>, id: i64, address: &str) -> Result<bool, LogError> {
    let is_of = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM premises WHERE id = ?1 AND address = ?2")?
        .exists(params![id, address])?;
    Ok(is_of)
}

fn at(connection: &Connection, address: &str, now_ms: i64) -> Result<Vec<Kept>, LogError> {
    if address.is_empty() {
        return Ok(Vec::new());
    }
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM premises WHERE address = ?1 AND ended_ms IS NULL AND ends_ms > ?2 LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![address, now_ms, AT_A_PLACE_MAX])?;
    let mut here = Vec::new();
    while let Some(row) = rows.next()? {
        here.push(kept(row)?);
    }
    Ok(here)
}

/// The live premise caution of this number.
///
/// # Errors
/// When the store fails.
pub(crate) fn live(
    connection: &Connection,
    id: i64,
    now_ms: i64,
) -> Result<Option<Kept>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM premises WHERE id = ?1 AND ended_ms IS NULL AND ends_ms > ?2"
    ))?;
    let mut rows = statement.query(params![id, now_ms])?;
    rows.next()?.map(kept).transpose()
}

/// The numbers of the live ones for a beat's packet, the newest first.
pub(crate) fn to_carry(
    connection: &Connection,
    beat: &str,
    now_ms: i64,
    at_most: usize,
) -> Result<Vec<i64>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM premises JOIN beat_premises ON beat_premises.premise = id
         WHERE beat = ?1 AND ended_ms IS NULL AND ends_ms > ?2 ORDER BY id DESC LIMIT ?3",
    )?;
    let ids = statement.query_map(params![beat, now_ms, at_most], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

/// Every live one, once at the start: how buildings are told apart, and where the beats
/// are, may have changed since it was added.
pub(crate) fn each_live(
    ledger: &mut Ledger<'_>,
    mut each: impl FnMut(&Ledger<'_>, &Kept) -> Result<(), LogError>,
) -> Result<(), LogError> {
    let mut all = Vec::new();
    {
        let mut statement = ledger.sql().prepare(&format!(
            "SELECT {COLUMNS} FROM premises WHERE ended_ms IS NULL"
        ))?;
        let mut rows = statement.query([])?;
        while let Some(row) = rows.next()? {
            all.push(kept(row)?);
        }
    }
    for kept in &all {
        ledger
            .sql()
            .prepare_cached("UPDATE premises SET address = ?2 WHERE id = ?1 AND address <> ?2")?
            .execute(params![kept.id, place_key(&kept.premise.location)])?;
        each(ledger, kept)?;
    }
    Ok(())
}

/// Those with numbers below `before`, the newest first, and how many there are.
///
/// # Errors
/// When the store fails.
pub fn page(
    connection: &Connection,
    is_live: Option<bool>,
    before: Option<i64>,
    limit: usize,
) -> Result<(u64, Vec<Kept>), LogError> {
    let total: Option<i64> = connection
        .prepare_cached(
            "SELECT count(*) FROM premises WHERE ?1 IS NULL OR (ended_ms IS NULL) = ?1",
        )?
        .query_row([is_live], |row| row.get(0))
        .optional()?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM premises WHERE (?1 IS NULL OR (ended_ms IS NULL) = ?1) AND id < ?2
         ORDER BY id DESC LIMIT ?3"
    ))?;
    let mut rows = statement.query(params![
        is_live,
        before.unwrap_or(i64::MAX),
        limit.min(PAGE_MAX + 1)
    ])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(kept(row)?);
    }
    Ok((total.unwrap_or(0).unsigned_abs(), found))
}

/// Adds one for somebody who may.
///
/// # Errors
/// As [`add`].
pub async fn add_for(center: &Arc<Center>, premise: Premise, who: &str) -> Result<i64, LogError> {
    let who = who.to_owned();
    let id = center
        .log
        .write(move |ledger| {
            let id = add(ledger, &premise)?;
            let record = record(&who, Act::SetPremise, id, String::new());
            audit::record(ledger, &record)?;
            Ok::<_, LogError>(id)
        })
        .await?;
    beats::tend(center).await?;
    Ok(id)
}

/// Ends one for somebody who may.
///
/// # Errors
/// As [`end`].
pub async fn end_for(center: &Arc<Center>, id: i64, who: &str, by: &str) -> Result<(), LogError> {
    let (who, by) = (who.to_owned(), by.to_owned());
    center
        .log
        .write(move |ledger| {
            end(ledger, id, &by)?;
            audit::record(ledger, &record(&who, Act::EndPremise, id, by))
        })
        .await?;
    beats::tend(center).await
}

fn record(who: &str, act: Act, id: i64, detail: String) -> Record {
    Record {
        object: id.to_string(),
        detail,
        ..Record::of(who, act)
    }
}
