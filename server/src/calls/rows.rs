//! A call's row: what the board and the lists show, beside the log.

use packet::{CallId, CallState, DocumentId, Entry, EntryId, Facts};
use rusqlite::params;

use super::{links, officers};
use crate::address;
use crate::log::{Ledger, LogError};
use crate::mentions;

pub(super) fn is_open(facts: &Facts) -> bool {
    facts.state == CallState::Open
}

pub(super) fn insert(
    ledger: &Ledger<'_>,
    call: CallId,
    facts: &Facts,
    report: &str,
    updated_ms: i64,
) -> Result<(), LogError> {
    let address = address::normalise(&facts.location);
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO calls (call, agency, number, report, updated_ms, received_ms, open, priority, nature, location, address, apartment, seen_ms, category)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)",
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
            address.building,
            address.unit,
            ledger.now_ms(),
            facts.category
        ])?;
    Ok(())
}

/// The current report's row. An EIDO may learn late whose call it is and by which number;
/// one that another call has already stays that call's.
pub(super) fn update(
    ledger: &Ledger<'_>,
    call: CallId,
    facts: &Facts,
    report: &str,
    updated_ms: i64,
) -> Result<(), LogError> {
    let address = address::normalise(&facts.location);
    ledger
        .sql()
        .prepare_cached(
            "UPDATE calls SET report = ?2, updated_ms = ?3, open = ?4, priority = ?5, nature = ?6, location = ?7, address = ?8, apartment = ?9, seen_ms = ?10, category = ?11
             WHERE call = ?1",
        )?
        .execute(params![
            call.0.cast_signed(),
            report,
            updated_ms,
            is_open(facts),
            facts.priority,
            facts.nature,
            facts.location,
            address.building,
            address.unit,
            ledger.now_ms(),
            facts.category
        ])?;
    ledger
        .sql()
        .prepare_cached(
            "UPDATE calls SET agency = ?2, number = ?3 WHERE call = ?1 AND (agency <> ?2 OR number <> ?3)
             AND NOT EXISTS (SELECT 1 FROM calls WHERE agency = ?2 AND number = ?3)",
        )?
        .execute(params![call.0.cast_signed(), facts.agency, facts.number])?;
    Ok(())
}

/// Nobody has to acknowledge the cautions of a call that is over.
pub(super) fn closed(ledger: &Ledger<'_>, call: CallId) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "UPDATE cautions SET settled_ms = ?2 WHERE call = ?1 AND settled_ms IS NULL",
        )?
        .execute(params![call.0.cast_signed(), ledger.now_ms()])?;
    Ok(())
}

/// Keeps the board's counts beside a change that was just logged; and makes a call of
/// a packet that an officer opened, with its own unit on it. What is given back to a
/// restored center was a call before.
pub(crate) fn count(
    ledger: &mut Ledger<'_>,
    seq: u64,
    document: DocumentId,
    id: EntryId,
    entry: &Entry,
    received_ms: i64,
    given_back: bool,
) -> Result<(), LogError> {
    if document.call.is_beat() {
        return Ok(());
    }
    let call = document.call.0.cast_signed();
    match entry {
        Entry::Facts(facts) => {
            if let (packet::Author::Device(device), false) = (id.actor.author(), given_back) {
                officers::said(ledger, seq, document, facts, device)?;
            }
            if let Some(words) = &facts.narrative {
                mentions::read(ledger, document, None, words)?;
            }
        }
        Entry::Note(note) => {
            mentions::read(ledger, document, Some(id), &note.text)?;
            officers::noted(ledger, document.call, id)?;
        }
        Entry::Mention(mention) => mentions::index(ledger, document.call, mention, seq)?,
        // What is restricted is counted on no board.
        Entry::Finding(_) if Ledger::carried().contains(&document.compartment) => {
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
            if let Entry::Correction(correction) = entry {
                match &correction.text {
                    Some(words) => mentions::read(ledger, document, Some(id), words)?,
                    None => links::undone(ledger, document.call, id, correction)?,
                }
            }
        }
        Entry::Attachment(attachment) => {
            crate::attachments::named(ledger, document, id, attachment)?;
        }
        Entry::Link(link) => links::logged(ledger, document.call, id, link)?,
        Entry::Finding(_)
        | Entry::Outcome(_)
        | Entry::Query(_)
        | Entry::UnitStatus(_)
        | Entry::Other { .. } => {}
    }
    Ok(())
}
