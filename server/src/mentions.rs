//! What packets name: each plate, vehicle, phone, person, place, weapon and danger that a
//! call's words or a note speak of, as an entry of the packet and as a row of an index.
//!
//! Words reach a packet as facts, notes and corrections, whoever wrote them: dispatch, an
//! analyst, an officer who was out of reach. All of them pass [`crate::calls::count`] when
//! they are logged, so there each is read, and a [`Mention`] of what it names stands behind
//! it in the same commit: once for a call, with the words that it was read from. Only in
//! the compartment `call`: what is restricted is not told in words of its own.
//!
//! # The index
//! ```sql
//! mentions (call, what, value, key, seq)   -- PRIMARY KEY (call, what, value)
//! mentions_by_key ON mentions (what, key)
//! ```
//! | `what` | `value`, as the entry has it | `key`, by which two are the same |
//! |---|---|---|
//! | `plate` | `ABC123 WI` (the state where it is said) | `ABC123` |
//! | `partial_plate` | `32Q OK` | `32Q` |
//! | `phone` | `4145550118` | `4145550118` |
//! | `person` | `OWENS, JAMAR T 1990-08-08` (what is known of it) | `OWENS, JAMAR` |
//! | `address` | `5237 N 35TH ST APT 4` | `5237 N 35TH ST` |
//! | `vehicle` | `gray 2015 Honda Civic` | `GRAY 2015 HONDA CIVIC` |
//! | `weapon` | `gun: handgun` | `gun` |
//! | `danger` | `threat: kill him` | `threat` |
//!
//! Values of the first four are what [`packet::Subject::parse`] reads. `seq` is the entry's
//! place in the log. A person whose family name is not said has no entry (two DAVIDs are
//! not one), and no more has a description alone: both stand in the words themselves. What
//! is corrected or withdrawn afterwards stays in the index; the entry says what it is of.

use packet::entry::NAME_CHARS_MAX;
use packet::{CallId, Compartment, DocumentId, Entry, EntryId, Mention, MentionWhat, Subject};
use rusqlite::params;

use crate::log::{Ledger, LogError};
use crate::triage::{Entity, EntityWhat};

/// Most mentions of one call: a document is bounded.
const MENTIONS_MAX: i64 = 300;

/// Reads words that were just logged, and writes what they name behind them. `of` is the
/// note that they stand in; `None`: the call's facts.
///
/// # Errors
/// When the store fails.
pub(crate) fn read(
    ledger: &mut Ledger<'_>,
    document: DocumentId,
    of: Option<EntryId>,
    words: &str,
) -> Result<(), LogError> {
    if document.compartment != Compartment::Call {
        return Ok(());
    }
    for entity in ledger.names_in(words) {
        let Some(mention) = mention(&entity, of) else {
            continue;
        };
        if is_known(ledger, document.call, &mention)? {
            continue;
        }
        ledger.append(document, Entry::Mention(mention))?;
    }
    Ok(())
}

/// Keeps the index beside an entry that was just logged.
///
/// # Errors
/// When the store fails.
pub(crate) fn index(
    ledger: &Ledger<'_>,
    call: CallId,
    mention: &Mention,
    seq: u64,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("INSERT OR IGNORE INTO mentions (call, what, value, key, seq) VALUES (?1, ?2, ?3, ?4, ?5)")?
        .execute(params![
            call.0.cast_signed(),
            name(mention.what),
            mention.value,
            key(mention.what, &mention.value),
            seq.cast_signed()
        ])?;
    Ok(())
}

/// Whether the call has it, or as many as it may have.
fn is_known(ledger: &Ledger<'_>, call: CallId, mention: &Mention) -> Result<bool, LogError> {
    let (same, all): (i64, i64) = ledger
        .sql()
        .prepare_cached(
            "SELECT coalesce(sum(what = ?2 AND value = ?3), 0), count(*) FROM mentions WHERE call = ?1",
        )?
        .query_row(params![call.0.cast_signed(), name(mention.what), mention.value], |row| {
            Ok((row.get(0)?, row.get(1)?))
        })?;
    Ok(same > 0 || all >= MENTIONS_MAX)
}

/// As the index calls it.
#[must_use]
pub fn name(what: MentionWhat) -> &'static str {
    match what {
        MentionWhat::Plate => "plate",
        MentionWhat::PartialPlate => "partial_plate",
        MentionWhat::Vehicle => "vehicle",
        MentionWhat::Phone => "phone",
        MentionWhat::Person => "person",
        MentionWhat::Address => "address",
        MentionWhat::Weapon => "weapon",
        MentionWhat::Danger => "danger",
    }
}

/// By which two values of one kind are the same: what the index is asked with.
#[must_use]
pub fn key(what: MentionWhat, value: &str) -> String {
    let subject = |asks| Subject::parse(asks, value).ok();
    match what {
        MentionWhat::Plate | MentionWhat::PartialPlate => match subject(packet::QueryWhat::Plate) {
            Some(Subject::Plate { plate, .. }) => plate,
            _ => packet::lookup::plate(value),
        },
        MentionWhat::Person => match subject(packet::QueryWhat::Person) {
            Some(Subject::Person { last, first, .. }) => {
                let first = first.split(' ').next().unwrap_or_default();
                format!("{last}, {first}")
            }
            _ => String::new(),
        },
        MentionWhat::Phone => value.to_owned(),
        MentionWhat::Address => packet::lookup::place(value),
        MentionWhat::Vehicle => value.to_uppercase(),
        MentionWhat::Weapon | MentionWhat::Danger => {
            value.split(':').next().unwrap_or_default().to_owned()
        }
    }
}

fn mention(entity: &Entity, of: Option<EntryId>) -> Option<Mention> {
    let what = match &entity.what {
        EntityWhat::Plate(plate) if plate.partial => MentionWhat::PartialPlate,
        EntityWhat::Plate(_) => MentionWhat::Plate,
        EntityWhat::Vehicle(_) => MentionWhat::Vehicle,
        EntityWhat::Phone(_) => MentionWhat::Phone,
        EntityWhat::Person(_) => MentionWhat::Person,
        EntityWhat::Address(_) => MentionWhat::Address,
        EntityWhat::Weapon(_) => MentionWhat::Weapon,
        EntityWhat::Danger(_) => MentionWhat::Danger,
    };
    let value = match &entity.what {
        EntityWhat::Vehicle(vehicle) => vehicle.to_string(),
        EntityWhat::Weapon(kind) | EntityWhat::Danger(kind) => {
            format!("{kind}: {}", entity.words.to_lowercase())
        }
        _ => entity.subject()?.shown(),
    };
    let cut = |text: &str| text.chars().take(NAME_CHARS_MAX).collect();
    Some(Mention {
        what,
        value: cut(&value),
        words: cut(&entity.words),
        of,
    })
}

#[cfg(test)]
mod tests;
