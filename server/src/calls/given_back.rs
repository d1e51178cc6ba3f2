//! Calls made anew from what devices give back to a restored center.
//!
//! The board, the grants and the cautions are kept beside the log, and a log that was
//! restored knows nothing of what was opened, assigned or closed after the backup. The
//! entries do: so each that comes back does once more what it did.
//!
//! What is said since the restore is newer than all that is given back, and must stay what
//! counts though it stands lower in the log: of several facts (and unit states, and
//! sources' outcomes) the highest in the log is current. So it is said again, above.

use packet::{
    Author, CallId, Compartment, DocumentId, Entry, Facts, Inspected, Note, UnitState, UnitStatus,
};
use rusqlite::{OptionalExtension, params};

use super::rows::{closed, insert, is_open};
use super::units::{UNITS_MAX, end_grant, grant, granted, units_on};
use crate::address;
use crate::log::{Happening, Ledger, LogError, new_since_restore};

/// Who writes that a call has two packets, as screens show it.
const CENTER: &str = "The center";

/// Does for the board and the grants what this entry did when it was first logged.
pub(crate) fn given_back(
    ledger: &mut Ledger<'_>,
    seq: u64,
    document: DocumentId,
    change: &Inspected,
) -> Result<(), LogError> {
    if document.call.is_beat() {
        // What the beats carry is made anew of what is listed.
        return Ok(());
    }
    if let Some(newer) = newer(ledger, document, change)? {
        return ledger.append(document, newer).map(|_| ());
    }
    match &change.written.entry {
        Entry::Facts(facts) => take_facts(ledger, seq, document.call, facts, change),
        Entry::UnitStatus(status) if is_centers(change) => {
            take_status(ledger, seq, document.call, status)
        }
        _ => Ok(()),
    }
}

fn is_centers(change: &Inspected) -> bool {
    matches!(change.id.actor.author(), Author::Center(_))
}

/// What an entry says the current state of, where it is of that sort.
#[derive(PartialEq, Eq)]
enum Subject<'a> {
    Call,
    Unit(&'a str),
    Question(&'a str, &'a str),
}

fn subject(entry: &Entry) -> Option<Subject<'_>> {
    match entry {
        Entry::Facts(_) => Some(Subject::Call),
        Entry::UnitStatus(status) => Some(Subject::Unit(&status.unit)),
        Entry::Outcome(outcome) => Some(Subject::Question(&outcome.source, &outcome.query)),
        _ => None,
    }
}

/// The newest entry about the same thing, if that was written after this one and since
/// the restore.
fn newer(
    ledger: &Ledger<'_>,
    document: DocumentId,
    change: &Inspected,
) -> Result<Option<Entry>, LogError> {
    let Some(wanted) = subject(&change.written.entry) else {
        return Ok(None);
    };
    let newest = new_since_restore(ledger.sql(), document)?
        .into_iter()
        .filter(|other| subject(&other.written.entry).as_ref() == Some(&wanted))
        .max_by_key(Inspected::written_ms)
        .filter(|other| other.written_ms() > change.written_ms());
    Ok(newest.map(|other| other.written.entry))
}

fn take_facts(
    ledger: &mut Ledger<'_>,
    seq: u64,
    call: CallId,
    facts: &Facts,
    change: &Inspected,
) -> Result<(), LogError> {
    let address = address::normalise(&facts.location);
    let known = ledger
        .sql()
        .prepare_cached(
            "UPDATE calls SET open = ?2, priority = ?3, nature = ?4, location = ?5, address = ?6, apartment = ?7, seen_ms = max(seen_ms, ?8), category = ?9
             WHERE call = ?1",
        )?
        .execute(params![
            call.0.cast_signed(),
            is_open(facts),
            facts.priority,
            facts.nature,
            facts.location,
            address.building,
            address.unit,
            change.written_ms(),
            facts.category
        ])?;
    if known == 0 {
        open_again(ledger, seq, call, facts, change)?;
    }
    let agency = ledger.agency_of(call)?;
    ledger.tell(Happening::Call {
        agency,
        call,
        open: is_open(facts),
        priority: facts.priority,
        opened: false,
    });
    if is_open(facts) {
        Ok(())
    } else {
        closed(ledger, call)
    }
}

/// The call's row on the board, as it was. Its sources were asked: the findings come back too.
fn open_again(
    ledger: &mut Ledger<'_>,
    seq: u64,
    call: CallId,
    facts: &Facts,
    change: &Inspected,
) -> Result<(), LogError> {
    let other = holder_of_number(ledger, facts)?;
    let number = if is_centers(change) && other.is_none() {
        facts.number.clone()
    } else {
        // Dispatch has told the call again since, or a device claims its number.
        String::new()
    };
    let facts = Facts {
        number,
        ..facts.clone()
    };
    insert(ledger, call, &facts, "", facts.received_ms)?;
    ledger
        .sql()
        .prepare_cached("UPDATE calls SET asked = 1, seen_ms = ?2 WHERE call = ?1")?
        .execute(params![call.0.cast_signed(), change.written_ms()])?;
    match change.id.actor.author() {
        Author::Center(_) => match other {
            Some(other) => say_that_there_are_two(ledger, other, call),
            None => Ok(()),
        },
        Author::Device(device) => match crate::shifts::unit_of(ledger.sql(), device)? {
            Some(unit) => grant(ledger, call, &unit, seq, facts.priority),
            // It is known again when the officer signs on.
            None => Ok(()),
        },
    }
}

fn holder_of_number(ledger: &Ledger<'_>, facts: &Facts) -> Result<Option<CallId>, LogError> {
    let holder: Option<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT call FROM calls WHERE agency = ?1 AND number = ?2 AND number <> ''",
        )?
        .query_row([&facts.agency, &facts.number], |row| row.get(0))
        .optional()?;
    Ok(holder.map(|call| CallId(call.cast_unsigned())))
}

/// Two packets cannot become one: whoever reads the one that dispatch knows is told of the other.
fn say_that_there_are_two(
    ledger: &mut Ledger<'_>,
    known: CallId,
    given_back: CallId,
) -> Result<(), LogError> {
    let note = Note {
        text: format!(
            "This call has another packet, {given_back}, from before the center was restored."
        ),
        by: CENTER.to_owned(),
    };
    let words = DocumentId::new(known, Compartment::Call);
    ledger.append(words, Entry::Note(note)).map(|_| ())
}

/// What dispatch said of a unit: the grants follow it again, from its new place in the log.
fn take_status(
    ledger: &mut Ledger<'_>,
    seq: u64,
    call: CallId,
    status: &UnitStatus,
) -> Result<(), LogError> {
    let priority: Option<u8> = ledger
        .sql()
        .prepare_cached("SELECT priority FROM calls WHERE call = ?1")?
        .query_row([call.0.cast_signed()], |row| row.get(0))
        .optional()?;
    let has_it = granted(ledger, call, &status.unit)?;
    match (status.status, priority) {
        (UnitState::Assigned, Some(priority)) if !has_it && units_on(ledger, call)? < UNITS_MAX => {
            grant(ledger, call, &status.unit, seq, priority)
        }
        (UnitState::Clear, _) if has_it => end_grant(ledger, call, &status.unit, seq),
        _ => Ok(()),
    }
}
