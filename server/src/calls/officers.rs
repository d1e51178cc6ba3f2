//! Packets that officers open on their devices, with or without a link.

use packet::{CallId, Facts};
use rusqlite::params;

use super::rows::{insert, is_open};
use super::units::{assign, grant};
use crate::log::{Happening, Ledger, LogError};

/// Most packets that a sign-on gives its unit back.
const ADOPTED_MAX: i64 = 100;

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

pub(super) fn opened_by(
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
