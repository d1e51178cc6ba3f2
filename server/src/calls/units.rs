//! Units on a call: put on it and taken off, by hand or by what dispatch says of them.
//!
//! Of each unit two words of dispatch's are kept with their times: whether it is on the
//! call, and what it does. Each is the last by time; of two at the same millisecond the
//! one that comes later in a unit's work counts. What has been done about it (the grant,
//! the entry) follows when the sum of both changes.

use jiff::Timestamp;
use packet::{Author, CallId, Compartment, DocumentId, Entry, UnitState, UnitStatus};
use rusqlite::{Connection, OptionalExtension, params};

use super::{Origin, links};
use crate::intake::UnitReport;
use crate::log::{Happening, Ledger, LogError, document, reach};

/// Most units on one call.
pub const UNITS_MAX: i64 = 64;
/// Who assigns, as screens show it.
pub(crate) const DISPATCH: &str = "Dispatch";

/// Puts a unit on a call: its devices may have the packet from this change on.
/// Nothing happens when it is on it already.
///
/// # Errors
/// When the call is not known, has too many units, or the store fails.
pub fn assign(ledger: &mut Ledger<'_>, call: CallId, unit: &str) -> Result<(), LogError> {
    if put_on(ledger, call, unit)? {
        // An officer of the unit may have opened a packet about it.
        links::rule::look(ledger, call)?;
    }
    Ok(())
}

/// True when it was not on it already.
fn put_on(ledger: &mut Ledger<'_>, call: CallId, unit: &str) -> Result<bool, LogError> {
    let priority = priority(ledger, call)?;
    if granted(ledger, call, unit)? {
        return Ok(false);
    }
    if units_on(ledger, call)? >= UNITS_MAX {
        return Err(LogError::Conflict(format!(
            "call {call} has {UNITS_MAX} units, which is the most"
        )));
    }
    let status = UnitStatus {
        unit: unit.to_owned(),
        status: UnitState::Assigned,
        by: DISPATCH.to_owned(),
    };
    let assigned = ledger.append(
        DocumentId::new(call, Compartment::Call),
        Entry::UnitStatus(status),
    )?;
    grant(ledger, call, unit, assigned.seq, priority)?;
    Ok(true)
}

pub(crate) fn grant(
    ledger: &mut Ledger<'_>,
    call: CallId,
    unit: &str,
    from: u64,
    priority: u8,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("INSERT INTO grants (unit, call, from_seq) VALUES (?1, ?2, ?3)")?
        .execute(params![unit, call.0.cast_signed(), from.cast_signed()])?;
    let mut restricted = Vec::new();
    for compartment in Compartment::ALL {
        let document = DocumentId::new(call, compartment);
        let found = if Ledger::carried().contains(&compartment) {
            None
        } else {
            reach(ledger.sql(), document)?
        };
        restricted.extend(found.map(|(first, last)| (document, first, last)));
    }
    let agency = ledger.agency_of(call)?;
    ledger.tell(Happening::Granted {
        unit: unit.to_owned(),
        call,
        from,
        priority,
        agency,
        restricted,
    });
    Ok(())
}

pub(super) fn units_on(ledger: &Ledger<'_>, call: CallId) -> Result<i64, LogError> {
    let units = ledger
        .sql()
        .prepare_cached("SELECT count(*) FROM grants WHERE call = ?1 AND to_seq IS NULL")?
        .query_row([call.0.cast_signed()], |row| row.get(0))?;
    Ok(units)
}

/// The units on a call, in the order in which they came to it.
///
/// # Errors
/// When the store fails.
pub(crate) fn on_it(connection: &Connection, call: CallId) -> Result<Vec<String>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT unit FROM grants WHERE call = ?1 AND to_seq IS NULL ORDER BY from_seq",
    )?;
    let units = statement.query_map([call.0.cast_signed()], |row| row.get(0))?;
    Ok(units.collect::<Result<_, _>>()?)
}

pub(super) fn granted(ledger: &Ledger<'_>, call: CallId, unit: &str) -> Result<bool, LogError> {
    let granted = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM grants WHERE call = ?1 AND unit = ?2 AND to_seq IS NULL")?
        .exists(params![call.0.cast_signed(), unit])?;
    Ok(granted)
}

pub(super) fn priority(ledger: &Ledger<'_>, call: CallId) -> Result<u8, LogError> {
    ledger
        .sql()
        .prepare_cached("SELECT priority FROM calls WHERE call = ?1")?
        .query_row([call.0.cast_signed()], |row| row.get(0))
        .optional()?
        .ok_or_else(|| LogError::Unknown {
            what: "call",
            id: call.to_string(),
        })
}

/// Takes a unit off a call: the packet leaves its devices.
///
/// # Errors
/// When the call is not known, the unit is not on it, or the store fails.
pub fn release(ledger: &mut Ledger<'_>, call: CallId, unit: &str) -> Result<(), LogError> {
    priority(ledger, call)?;
    if !granted(ledger, call, unit)? {
        return Err(LogError::Unknown {
            what: "unit on this call",
            id: unit.to_owned(),
        });
    }
    let status = UnitStatus {
        unit: unit.to_owned(),
        status: UnitState::Clear,
        by: DISPATCH.to_owned(),
    };
    let cleared = ledger.append(
        DocumentId::new(call, Compartment::Call),
        Entry::UnitStatus(status),
    )?;
    end_grant(ledger, call, unit, cleared.seq)
}

pub(crate) fn end_grant(
    ledger: &mut Ledger<'_>,
    call: CallId,
    unit: &str,
    to: u64,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("UPDATE grants SET to_seq = ?3, ended_ms = ?4 WHERE call = ?1 AND unit = ?2 AND to_seq IS NULL")?
        .execute(params![call.0.cast_signed(), unit, to.cast_signed(), ledger.now_ms()])?;
    ledger.tell(Happening::Ended {
        unit: unit.to_owned(),
        call,
    });
    Ok(())
}

/// How long units keep the packet of a call that was closed: reports are written after a
/// call, so not at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grace {
    /// To the end of the shift in which it was closed, on any of the unit's devices.
    Shift,
    Ms(i64),
}

/// Takes the packets of closed calls whose grace is over from the units that still have
/// them. Returns how many.
///
/// # Errors
/// When the store fails.
pub fn end_closed(
    ledger: &mut Ledger<'_>,
    grace: Grace,
    at_most: usize,
) -> Result<usize, LogError> {
    let now_ms = ledger.now_ms();
    // Nobody writes reports of a shift that ended, or began after the call had.
    let (over, before_ms) = match grace {
        Grace::Shift => (
            "NOT EXISTS (SELECT 1 FROM shifts WHERE shifts.unit = grants.unit
                 AND shifts.ended_ms IS NULL AND shifts.expires_ms > ?1
                 AND shifts.began_ms <= calls.seen_ms)",
            now_ms,
        ),
        Grace::Ms(ms) => ("calls.seen_ms <= ?1", now_ms - ms),
    };
    let ended: Vec<(String, i64)> = ledger
        .sql()
        .prepare_cached(&format!(
            "SELECT grants.unit, grants.call FROM grants JOIN calls ON calls.call = grants.call
             WHERE to_seq IS NULL AND open = 0 AND {over} LIMIT ?2"
        ))?
        .query_map(params![before_ms, at_most], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (unit, call) in &ended {
        release(ledger, CallId(call.cast_unsigned()), unit)?;
    }
    Ok(ended.len())
}

/// What dispatch has said of a unit so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Heard {
    /// When it was last said to be on the call or not, and which.
    on: Option<(i64, bool)>,
    /// What it was last said to do, and since when.
    doing: Option<(i64, UnitState)>,
}

impl Heard {
    fn hear(&mut self, at_ms: i64, status: Option<UnitState>) {
        let leaves = status == Some(UnitState::Clear);
        if self
            .on
            .is_none_or(|(last_ms, is_on)| (at_ms, leaves) > (last_ms, !is_on))
        {
            self.on = Some((at_ms, !leaves));
        }
        if let Some(status) = status
            && self
                .doing
                .is_none_or(|(last_ms, last)| (at_ms, status as u8) > (last_ms, last as u8))
        {
            self.doing = Some((at_ms, status));
        }
    }

    /// Hears what a sum of messages says: which of two is later was decided there.
    fn hear_sum(&mut self, at_ms: i64, status: Option<UnitState>) {
        if self.on.is_none_or(|(last_ms, _)| at_ms >= last_ms) {
            self.on = Some((at_ms, status != Some(UnitState::Clear)));
            self.doing = status.map(|status| (at_ms, status));
        }
    }

    /// What it comes to; `None`: the unit is not on the call.
    fn state(self) -> Option<UnitState> {
        match (self.on, self.doing) {
            (Some((_, true)), Some((_, UnitState::Clear)) | None) => Some(UnitState::Assigned),
            (Some((_, true)), Some((_, doing))) => Some(doing),
            _ => None,
        }
    }
}

/// Folds what a report says of units into what was said before, and does what follows.
/// True when something did.
pub(super) fn hear(
    ledger: &mut Ledger<'_>,
    call: CallId,
    told: &[UnitReport],
    updated: Timestamp,
    origin: Origin,
) -> Result<bool, LogError> {
    let mut moved = false;
    let at_ms = |word: &UnitReport| word.at.unwrap_or(updated).as_millisecond();
    let mut words: Vec<&UnitReport> = told.iter().collect();
    words.sort_by_key(|word| (at_ms(word), word.status.map(|status| status as u8)));
    for word in words {
        let before = heard(ledger, call, &word.unit)?;
        let mut now = before;
        match origin {
            Origin::Message => now.hear(at_ms(word), word.status),
            Origin::Sum => now.hear_sum(at_ms(word), word.status),
        }
        if now != before {
            keep(ledger, call, &word.unit, now)?;
            moved |= follow(ledger, call, &word.unit, before, now)?;
        }
    }
    Ok(moved)
}

fn follow(
    ledger: &mut Ledger<'_>,
    call: CallId,
    unit: &str,
    before: Heard,
    now: Heard,
) -> Result<bool, LogError> {
    let has_it = granted(ledger, call, unit)?;
    let Some(state) = now.state() else {
        if has_it {
            release(ledger, call, unit)?;
        }
        return Ok(has_it);
    };
    // A new word that it is on the call puts it back on, also after it was taken off by hand.
    let comes = !has_it && now.on != before.on;
    if comes {
        put_on(ledger, call, unit)?;
    }
    let said = if comes {
        Some(UnitState::Assigned)
    } else {
        before.state()
    };
    let (Some((since_ms, _)), true) = (now.doing, said != Some(state)) else {
        return Ok(comes);
    };
    if (!has_it && !comes) || was_said_later(ledger, call, unit, since_ms)? {
        return Ok(comes);
    }
    let status = UnitStatus {
        unit: unit.to_owned(),
        status: state,
        by: DISPATCH.to_owned(),
    };
    ledger.append(
        DocumentId::new(call, Compartment::Call),
        Entry::UnitStatus(status),
    )?;
    Ok(true)
}

/// Whether the unit's own officers have said since what it does: they know better.
fn was_said_later(
    ledger: &Ledger<'_>,
    call: CallId,
    unit: &str,
    since_ms: i64,
) -> Result<bool, LogError> {
    let logged = document(ledger.sql(), DocumentId::new(call, Compartment::Call))?;
    Ok(logged.iter().any(|logged| {
        let change = &logged.inspected;
        matches!(&change.written.entry, Entry::UnitStatus(status) if status.unit == unit)
            && matches!(change.id.actor.author(), Author::Device(_))
            && change.written_ms() > since_ms
    }))
}

fn heard(ledger: &Ledger<'_>, call: CallId, unit: &str) -> Result<Heard, LogError> {
    let heard = ledger
        .sql()
        .prepare_cached(
            "SELECT on_ms, is_on, doing_ms, doing FROM heard_units WHERE call = ?1 AND unit = ?2",
        )?
        .query_row(params![call.0.cast_signed(), unit], |row| {
            let doing = row.get::<_, Option<i64>>(2)?;
            let state = row.get::<_, Option<u8>>(3)?.and_then(state_of);
            Ok(Heard {
                on: Some((row.get(0)?, row.get(1)?)),
                doing: doing.zip(state),
            })
        })
        .optional()?;
    Ok(heard.unwrap_or_default())
}

fn keep(ledger: &Ledger<'_>, call: CallId, unit: &str, heard: Heard) -> Result<(), LogError> {
    let (on_ms, is_on) = heard.on.unwrap_or_default();
    let (doing_ms, doing) = heard.doing.map(|(ms, state)| (ms, state as u8)).unzip();
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO heard_units (call, unit, on_ms, is_on, doing_ms, doing)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (call, unit) DO UPDATE
             SET on_ms = ?3, is_on = ?4, doing_ms = ?5, doing = ?6",
        )?
        .execute(params![
            call.0.cast_signed(),
            unit,
            on_ms,
            is_on,
            doing_ms,
            doing
        ])?;
    Ok(())
}

fn state_of(number: u8) -> Option<UnitState> {
    [
        UnitState::Assigned,
        UnitState::EnRoute,
        UnitState::OnScene,
        UnitState::Clear,
    ]
    .into_iter()
    .find(|state| *state as u8 == number)
}
