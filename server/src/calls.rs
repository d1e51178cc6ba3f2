//! The calls: opened, updated, assigned, closed. What dispatch says becomes entries
//! of the packet's documents; what the board shows is kept beside them.

mod given_back;

use packet::{
    CallId, CallState, Compartment, DocumentId, Entry, EntryId, Facts, UnitState, UnitStatus,
};
use rusqlite::{OptionalExtension, params};

use crate::intake::{CallReport, CallStatus};
use crate::log::{Happening, Ledger, LogError};
use crate::triage::Triage;

pub(crate) use given_back::given_back;

/// Most units on one call.
pub const UNITS_MAX: i64 = 64;
/// Most packets that a sign-on gives its unit back.
const ADOPTED_MAX: i64 = 100;
/// Who assigns, as screens show it.
const DISPATCH: &str = "Dispatch";

/// What a report came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    pub call: CallId,
    pub news: News,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    New,
    Updated,
    /// It came before, or is older than what is here: nothing was written.
    Unchanged,
}

struct Kept {
    call: CallId,
    report: String,
    updated_ms: i64,
}

/// Takes what dispatch says of a call: opens it, or updates it. A report that came
/// before, or is older than the last, changes nothing.
///
/// # Errors
/// When the store fails or the report does not fit into an entry.
pub fn report(
    ledger: &mut Ledger<'_>,
    report: &CallReport,
    triage: &Triage,
) -> Result<Reported, LogError> {
    let text = serde_json::to_string(report).map_err(|e| LogError::Store(e.to_string()))?;
    let updated_ms = report.updated.as_millisecond();
    match find(ledger, &report.agency, &report.number)? {
        None => open(ledger, report, triage, &text).map(|call| Reported {
            call,
            news: News::New,
        }),
        Some(kept) if kept.report == text || updated_ms < kept.updated_ms => Ok(Reported {
            call: kept.call,
            news: News::Unchanged,
        }),
        Some(kept) => {
            update(ledger, kept.call, report, triage, &text)?;
            Ok(Reported {
                call: kept.call,
                news: News::Updated,
            })
        }
    }
}

fn find(ledger: &Ledger<'_>, agency: &str, number: &str) -> Result<Option<Kept>, LogError> {
    let mut statement =
        ledger.sql().prepare_cached("SELECT call, report, updated_ms FROM calls WHERE agency = ?1 AND number = ?2 AND number <> ''")?;
    let kept = statement
        .query_row([agency, number], |row| {
            Ok(Kept {
                call: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
                report: row.get(1)?,
                updated_ms: row.get(2)?,
            })
        })
        .optional()?;
    Ok(kept)
}

fn open(
    ledger: &mut Ledger<'_>,
    report: &CallReport,
    triage: &Triage,
    text: &str,
) -> Result<CallId, LogError> {
    let call = ledger.new_call()?;
    let facts = facts(report, triage);
    insert(ledger, call, &facts, text, report.updated.as_millisecond())?;
    write_facts(ledger, call, &facts)?;
    for caution in &triage.cautions {
        write_caution(ledger, call, &caution.text)?;
    }
    for unit in &report.units {
        assign(ledger, call, unit)?;
    }
    ledger.tell(Happening::Call {
        call,
        open: is_open(&facts),
        priority: facts.priority,
        opened: true,
    });
    if !is_open(&facts) {
        closed(ledger, call)?;
    }
    Ok(call)
}

fn update(
    ledger: &mut Ledger<'_>,
    call: CallId,
    report: &CallReport,
    triage: &Triage,
    text: &str,
) -> Result<(), LogError> {
    let facts = facts(report, triage);
    let known: Vec<String> = entries(ledger, DocumentId::new(call, Compartment::Safety))?
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Caution(caution) => Some(caution.text),
            _ => None,
        })
        .collect();
    ledger
        .sql()
        .prepare_cached(
            "UPDATE calls SET report = ?2, updated_ms = ?3, open = ?4, priority = ?5, nature = ?6, location = ?7, address = ?8, seen_ms = ?9
             WHERE call = ?1",
        )?
        .execute(params![
            call.0.cast_signed(),
            text,
            report.updated.as_millisecond(),
            is_open(&facts),
            facts.priority,
            facts.nature,
            facts.location,
            address_key(&facts.location),
            ledger.now_ms()
        ])?;
    write_facts(ledger, call, &facts)?;
    for caution in triage
        .cautions
        .iter()
        .filter(|caution| !known.contains(&caution.text))
    {
        write_caution(ledger, call, &caution.text)?;
    }
    for unit in &report.units {
        assign(ledger, call, unit)?;
    }
    ledger.tell(Happening::Call {
        call,
        open: is_open(&facts),
        priority: facts.priority,
        opened: false,
    });
    if !is_open(&facts) {
        closed(ledger, call)?;
    }
    Ok(())
}

fn entries(ledger: &Ledger<'_>, document: DocumentId) -> Result<Vec<Entry>, LogError> {
    let logged = crate::log::document(ledger.sql(), document)?;
    Ok(logged
        .into_iter()
        .map(|l| l.inspected.written.entry)
        .collect())
}

fn is_open(facts: &Facts) -> bool {
    facts.state == CallState::Open
}

fn insert(
    ledger: &Ledger<'_>,
    call: CallId,
    facts: &Facts,
    report: &str,
    updated_ms: i64,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO calls (call, agency, number, report, updated_ms, received_ms, open, priority, nature, location, address, seen_ms)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)",
        )?
        .execute(params![
            call.0.cast_signed(),
            facts.agency,
            facts.number,
            report,
            updated_ms,
            facts.received_ms,
            is_open(facts),
            facts.priority,
            facts.nature,
            facts.location,
            address_key(&facts.location),
            ledger.now_ms()
        ])?;
    Ok(())
}

/// The facts in the call's document; and in `safety`, without the words, so that a
/// caution can be read with the place it is about and nothing else.
fn write_facts(ledger: &mut Ledger<'_>, call: CallId, facts: &Facts) -> Result<(), LogError> {
    let brief = Facts {
        narrative: None,
        reason: String::new(),
        district: None,
        ..facts.clone()
    };
    ledger.append(
        DocumentId::new(call, Compartment::Safety),
        Entry::Facts(brief),
    )?;
    ledger.append(
        DocumentId::new(call, Compartment::Call),
        Entry::Facts(facts.clone()),
    )?;
    Ok(())
}

fn write_caution(ledger: &mut Ledger<'_>, call: CallId, text: &str) -> Result<(), LogError> {
    let caution = packet::Caution {
        text: text.to_owned(),
        by: "Triage".to_owned(),
        ends_ms: None,
    };
    ledger.append(
        DocumentId::new(call, Compartment::Safety),
        Entry::Caution(caution),
    )?;
    Ok(())
}

fn facts(report: &CallReport, triage: &Triage) -> Facts {
    let micro = |degrees: Option<f64>| {
        #[allow(clippy::cast_possible_truncation)] // intake has held it against ±180
        degrees.map(|degrees| (degrees * 1e6).round() as i32)
    };
    let (state, disposition) = match &report.status {
        CallStatus::Open => (CallState::Open, None),
        CallStatus::Closed { disposition } => (
            CallState::Closed,
            Some(cut(disposition, packet::entry::NAME_CHARS_MAX)),
        ),
    };
    let narrative = report.narrative.join("\n");
    Facts {
        agency: report.agency.clone(),
        number: report.number.clone(),
        nature: report.nature.clone(),
        category: triage.category.clone(),
        priority: triage.priority,
        reason: cut(&triage.reasons.join("; "), packet::entry::TEXT_CHARS_MAX),
        location: report.location.clone(),
        latitude_e6: micro(report.latitude),
        longitude_e6: micro(report.longitude),
        district: report.district.clone(),
        narrative: (!narrative.is_empty()).then(|| cut(&narrative, packet::entry::TEXT_CHARS_MAX)),
        received_ms: report.received.as_millisecond(),
        state,
        disposition,
    }
}

/// The whole text stays in the report; the entry says that it goes on.
fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}

/// How addresses are compared until they are normalised (USPS Publication 28, a later
/// issue): upper case, single spaces, nothing after the first comma.
#[must_use]
pub fn address_key(location: &str) -> String {
    let street = location.split(',').next().unwrap_or_default();
    street
        .split_whitespace()
        .map(str::to_uppercase)
        .collect::<Vec<_>>()
        .join(" ")
}

/// Puts a unit on a call: its devices may have the packet from this change on.
/// Nothing happens when it is on it already.
///
/// # Errors
/// When the call is not known, has too many units, or the store fails.
pub fn assign(ledger: &mut Ledger<'_>, call: CallId, unit: &str) -> Result<(), LogError> {
    let priority = priority(ledger, call)?;
    if granted(ledger, call, unit)? {
        return Ok(());
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
    grant(ledger, call, unit, assigned.seq, priority)
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
    ledger.tell(Happening::Granted {
        unit: unit.to_owned(),
        call,
        from,
        priority,
    });
    Ok(())
}

fn units_on(ledger: &Ledger<'_>, call: CallId) -> Result<i64, LogError> {
    let units = ledger
        .sql()
        .prepare_cached("SELECT count(*) FROM grants WHERE call = ?1 AND to_seq IS NULL")?
        .query_row([call.0.cast_signed()], |row| row.get(0))?;
    Ok(units)
}

fn granted(ledger: &Ledger<'_>, call: CallId, unit: &str) -> Result<bool, LogError> {
    let granted = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM grants WHERE call = ?1 AND unit = ?2 AND to_seq IS NULL")?
        .exists(params![call.0.cast_signed(), unit])?;
    Ok(granted)
}

fn priority(ledger: &Ledger<'_>, call: CallId) -> Result<u8, LogError> {
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

/// Nobody has to acknowledge the cautions of a call that is over.
fn closed(ledger: &Ledger<'_>, call: CallId) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "UPDATE cautions SET settled_ms = ?2 WHERE call = ?1 AND settled_ms IS NULL",
        )?
        .execute(params![call.0.cast_signed(), ledger.now_ms()])?;
    Ok(())
}

/// Takes the packets of calls that were closed before this time from the units that
/// still have them: reports are written after a call, so not at once. Returns how many.
///
/// # Errors
/// When the store fails.
pub fn end_closed(
    ledger: &mut Ledger<'_>,
    closed_before_ms: i64,
    at_most: usize,
) -> Result<usize, LogError> {
    let ended: Vec<(String, i64)> = ledger
        .sql()
        .prepare_cached(
            "SELECT unit, grants.call FROM grants JOIN calls ON calls.call = grants.call
             WHERE to_seq IS NULL AND open = 0 AND seen_ms <= ?1 LIMIT ?2",
        )?
        .query_map(params![closed_before_ms, at_most], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?
        .collect::<Result<_, _>>()?;
    for (unit, call) in &ended {
        release(ledger, CallId(call.cast_unsigned()), unit)?;
    }
    Ok(ended.len())
}

/// Keeps the board's counts beside a change that was just logged; and makes a call of
/// a packet that an officer opened, with its own unit on it.
pub(crate) fn count(
    ledger: &mut Ledger<'_>,
    seq: u64,
    document: DocumentId,
    id: EntryId,
    entry: &Entry,
    received_ms: i64,
) -> Result<(), LogError> {
    if document.call.is_beat() {
        return Ok(());
    }
    let call = document.call.0.cast_signed();
    match entry {
        Entry::Facts(facts) => {
            if let packet::Author::Device(device) = id.actor.author() {
                opened_by(ledger, seq, document.call, facts, device)?;
            }
        }
        Entry::Finding(_) => {
            ledger
                .sql()
                .prepare_cached("UPDATE calls SET findings = findings + 1 WHERE call = ?1")?
                .execute([call])?;
        }
        Entry::Caution(_) => {
            ledger
                .sql()
                .prepare_cached("UPDATE calls SET cautions = cautions + 1 WHERE call = ?1")?
                .execute([call])?;
            ledger
                .sql()
                .prepare_cached(
                    "INSERT INTO cautions (entry, call, received_ms) VALUES (?1, ?2, ?3)",
                )?
                .execute(params![id.to_string(), call, received_ms])?;
        }
        Entry::Acknowledgement(packet::Acknowledgement { of, .. })
        | Entry::Correction(packet::Correction { of, .. }) => {
            ledger
                .sql()
                .prepare_cached("UPDATE cautions SET settled_ms = ?3 WHERE entry = ?1 AND call = ?2 AND settled_ms IS NULL")?
                .execute(params![of.to_string(), call, received_ms])?;
        }
        Entry::Attachment(attachment) => {
            crate::attachments::named(ledger, document, id, attachment)?;
        }
        Entry::Note(_)
        | Entry::Outcome(_)
        | Entry::Query(_)
        | Entry::UnitStatus(_)
        | Entry::Mention(_)
        | Entry::Link(_)
        | Entry::Other { .. } => {}
    }
    Ok(())
}

/// Gives a unit that signs on at a device the packets which that device opened and no
/// unit has: a restored center takes them in before it knows who works there.
///
/// # Errors
/// When the store fails.
pub fn adopt(
    ledger: &mut Ledger<'_>,
    device: packet::DeviceNumber,
    unit: &str,
) -> Result<(), LogError> {
    let first = CallId::new(packet::Author::Device(device), 0);
    let last = CallId::new(packet::Author::Device(device), u32::MAX);
    let orphans: Vec<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT call FROM calls WHERE call BETWEEN ?1 AND ?2 AND open = 1
             AND NOT EXISTS (SELECT 1 FROM grants WHERE grants.call = calls.call) LIMIT ?3",
        )?
        .query_map(
            params![first.0.cast_signed(), last.0.cast_signed(), ADOPTED_MAX],
            |row| row.get(0),
        )?
        .collect::<Result<_, _>>()?;
    orphans
        .into_iter()
        .try_for_each(|call| assign(ledger, CallId(call.cast_unsigned()), unit))
}

fn opened_by(
    ledger: &mut Ledger<'_>,
    seq: u64,
    call: CallId,
    facts: &Facts,
    device: packet::DeviceNumber,
) -> Result<(), LogError> {
    let known = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM calls WHERE call = ?1")?
        .exists([call.0.cast_signed()])?;
    if known {
        return Ok(());
    }
    // Its number is CAD's to give: a device that claims one is not believed.
    let facts = Facts {
        number: String::new(),
        ..facts.clone()
    };
    insert(ledger, call, &facts, "", ledger.now_ms())?;
    if let Some(unit) = crate::shifts::unit_of(ledger.sql(), device)? {
        grant(ledger, call, &unit, seq, facts.priority)?;
    }
    ledger.tell(Happening::Call {
        call,
        open: is_open(&facts),
        priority: facts.priority,
        opened: true,
    });
    Ok(())
}
