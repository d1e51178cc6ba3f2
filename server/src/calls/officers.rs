//! Packets that officers open on their devices, with or without a link.

use jiff::Timestamp;
use packet::entry::TEXT_CHARS_MAX;
use packet::{Author, CallId, Compartment, DeviceNumber, DocumentId, EntryId, Facts};
use rusqlite::params;

use super::facts::{cut, warn, write};
use super::life;
use super::links::rule;
use super::rows::{closed, insert, is_open, update};
use super::units::{assign, grant};
use crate::devices;
use crate::intake::{CallReport, CallStatus};
use crate::log::{Happening, Ledger, LogError};
use crate::triage::CATEGORY_UNSORTED;

/// Most packets that a sign-on gives its unit back.
const ADOPTED_MAX: i64 = 100;

/// Gives a unit that signs on at a device the packets which that device opened and no
/// unit has: a restored center takes them in before it knows who works there.
///
/// # Errors
/// When the store fails.
pub fn adopt(ledger: &mut Ledger<'_>, device: DeviceNumber, unit: &str) -> Result<(), LogError> {
    let first = CallId::new(Author::Device(device), 0);
    let last = CallId::new(Author::Device(device), u32::MAX);
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

/// A device has said what its own packet is about. The first time it becomes a call, with
/// its own unit on it, which the sources are asked about.
pub(super) fn said(
    ledger: &mut Ledger<'_>,
    seq: u64,
    document: DocumentId,
    facts: &Facts,
    device: DeviceNumber,
) -> Result<(), LogError> {
    let call = document.call;
    // Its number is CAD's to give, and its agency is its device's: one that claims them is
    // not believed.
    let agency = devices::find(ledger.sql(), device)?.map(|device| device.agency);
    let facts = Facts {
        number: String::new(),
        agency: agency.unwrap_or_default(),
        ..facts.clone()
    };
    if life::of(ledger, call)?.is_none() {
        insert(ledger, call, &facts, "", ledger.now_ms())?;
        if let Some(unit) = crate::shifts::unit_of(ledger.sql(), device)? {
            grant(ledger, call, &unit, seq, facts.priority)?;
        }
        let agency = ledger.agency_of(call)?;
        ledger.tell(Happening::Call {
            agency,
            call,
            open: is_open(&facts),
            priority: facts.priority,
            opened: true,
        });
    }
    // The brief facts come first; those of the call's own document are the whole.
    if document.compartment != Compartment::Call {
        return Ok(());
    }
    let facts = triaged(ledger, call, facts)?;
    update(ledger, call, &facts, "", ledger.now_ms())?;
    let agency = ledger.agency_of(call)?;
    ledger.tell(Happening::Call {
        agency,
        call,
        open: is_open(&facts),
        priority: facts.priority,
        opened: false,
    });
    if !is_open(&facts) {
        closed(ledger, call)?;
    }
    rule::look(ledger, call)
}

/// What the center makes of the packet: the device knows no rules. The facts as they are
/// from then on, which the center has written where they differ.
fn triaged(ledger: &mut Ledger<'_>, call: CallId, facts: Facts) -> Result<Facts, LogError> {
    let time = |ms| Timestamp::from_millisecond(ms).unwrap_or_default();
    let report = CallReport {
        agency: facts.agency.clone(),
        number: String::new(),
        received: time(facts.received_ms),
        updated: time(ledger.now_ms()),
        nature: facts.nature.clone(),
        location: facts.location.clone(),
        latitude: None,
        longitude: None,
        district: facts.district.clone(),
        priority: None,
        narrative: facts.narrative.iter().cloned().collect(),
        plates: Vec::new(),
        units: Vec::new(),
        status: CallStatus::Open,
    };
    let Some(triage) = ledger.triage(&report) else {
        return Ok(facts);
    };
    let reasons = triage.reasons.join("; ");
    let category = if triage.category == CATEGORY_UNSORTED {
        facts.category.clone()
    } else {
        triage.category.clone()
    };
    let triaged = Facts {
        category,
        priority: triage.priority,
        reason: cut(&format!("{}; {reasons}", facts.reason), TEXT_CHARS_MAX),
        ..facts.clone()
    };
    if (triaged.priority, &triaged.category) == (facts.priority, &facts.category) {
        return Ok(facts);
    }
    write(ledger, call, &triaged, &report)?;
    warn(ledger, call, &triage)?;
    Ok(triaged)
}

/// An officer has added words to a packet: they may name dispatch's call.
pub(super) fn noted(ledger: &mut Ledger<'_>, call: CallId, note: EntryId) -> Result<(), LogError> {
    let is_officers = |author| matches!(author, Author::Device(_));
    if is_officers(call.author()) && is_officers(note.actor.author()) {
        rule::look(ledger, call)?;
    }
    Ok(())
}
