//! Links: two calls that are, or may be, about the same event.
//!
//! Two CADs hear of one shooting; an officer makes a stop and dispatch enters it later.
//! The packets stay two, each with its own people and its own record; what is made is a
//! [`Link`] entry in both, and a row here for either way. A rule proposes it or makes it
//! ([`rule`]), or a person does; a person may undo it, and what a person has undone no rule
//! makes again. An entry that is undone is withdrawn by a correction, and who withdraws the
//! one withdraws the other.
//!
//! # Who may see it
//! Who has the one packet need not have the other, and a link lets nobody see it: no unit is
//! put on a call by a link, and the entry says of the other call only its id, which opens
//! nothing, and what both have in common: no number, agency, place or name of the other's.
//! A person's own words for it (`why`) stand in both packets, and the doors that take them
//! say so. Screens add what the other call is only from what they may read anyway.

pub(super) mod rule;

use packet::entry::NAME_CHARS_MAX;
use packet::{Author, CallId, Compartment, Correction, DocumentId, Entry, EntryId, Link, LinkHow};
use rusqlite::{Connection, OptionalExtension, params};

use super::life;
use crate::log::{Ledger, LogError};

/// Most links of one call.
pub const LINKS_MAX: i64 = 32;
/// Who has withdrawn a link, where that was an officer on the other call.
const OTHERS_OFFICER: &str = "An officer on the other call";

/// A link as one of its two calls has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Linked {
    pub other: CallId,
    pub how: LinkHow,
    pub why: String,
    pub by: String,
    pub at_ms: i64,
}

/// Links two calls; false when they are linked already, or somebody else has undone it and
/// no person says so now. What was only proposed is a link from then on.
///
/// # Errors
/// When one of them is not known, has too many links, or both are the same; or the store's.
pub fn link(
    ledger: &mut Ledger<'_>,
    call: CallId,
    other: CallId,
    how: LinkHow,
    why: &str,
    by: &str,
) -> Result<bool, LogError> {
    if call == other {
        return Err(LogError::Conflict(
            "a call is not linked with itself".into(),
        ));
    }
    for call in [call, other] {
        if life::of(ledger, call)?.is_none() {
            return Err(LogError::Unknown {
                what: "call",
                id: call.to_string(),
            });
        }
    }
    let before = [known(ledger, call, other)?, known(ledger, other, call)?];
    let proposed = match &before[0] {
        None => false,
        Some(Known {
            undone_by: Some(undone_by),
            ..
        }) => {
            if how != LinkHow::Hand && undone_by != by {
                return Ok(false);
            }
            false
        }
        Some(known) if known.how != LinkHow::Proposed || how == LinkHow::Proposed => {
            return Ok(false);
        }
        Some(_) => true,
    };
    for call in [call, other] {
        if !proposed && count(ledger.sql(), call)? >= LINKS_MAX {
            return Err(LogError::Conflict(format!(
                "call {call} has {LINKS_MAX} links, which is the most"
            )));
        }
    }
    for (call, other) in [(call, other), (other, call)] {
        let link = Link {
            other,
            how,
            why: why.chars().take(NAME_CHARS_MAX).collect(),
            by: by.to_owned(),
        };
        ledger.append(DocumentId::new(call, Compartment::Call), Entry::Link(link))?;
    }
    // Afterwards, so that there is no moment at which they are not linked.
    for (call, before) in [call, other].into_iter().zip(before) {
        if let Some(before) = before.filter(|before| before.undone_by.is_none()) {
            withdraw(ledger, call, before.entry, by)?;
        }
    }
    Ok(true)
}

/// Undoes a link, or says no to a proposed one, in both packets.
///
/// # Errors
/// When there is none, or the store fails.
pub fn unlink(
    ledger: &mut Ledger<'_>,
    call: CallId,
    other: CallId,
    by: &str,
) -> Result<(), LogError> {
    let Some(known) = known(ledger, call, other)?.filter(|known| known.undone_by.is_none()) else {
        return Err(LogError::Unknown {
            what: "link with call",
            id: other.to_string(),
        });
    };
    withdraw(ledger, call, known.entry, by)
}

/// The other packet's entry goes with it: [`undone`].
fn withdraw(
    ledger: &mut Ledger<'_>,
    call: CallId,
    entry: EntryId,
    by: &str,
) -> Result<(), LogError> {
    let correction = Correction {
        of: entry,
        text: None,
        by: by.to_owned(),
    };
    let document = DocumentId::new(call, Compartment::Call);
    ledger
        .append(document, Entry::Correction(correction))
        .map(|_| ())
}

/// The links of a call, the newest last.
///
/// # Errors
/// When the store fails.
pub fn of_call(connection: &Connection, call: CallId) -> Result<Vec<Linked>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT other, how, why, by, at_ms FROM links WHERE call = ?1 AND undone_by IS NULL ORDER BY at_ms, other",
    )?;
    let links = statement.query_map([call.0.cast_signed()], |row| {
        Ok(Linked {
            other: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
            how: how_of(row.get(1)?),
            why: row.get(2)?,
            by: row.get(3)?,
            at_ms: row.get(4)?,
        })
    })?;
    Ok(links.collect::<Result<_, _>>()?)
}

fn count(connection: &Connection, call: CallId) -> Result<i64, LogError> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM links WHERE call = ?1 AND undone_by IS NULL")?
        .query_row([call.0.cast_signed()], |row| row.get(0))?;
    Ok(count)
}

/// Keeps a link that was just logged, also one that is given back to a restored center.
pub(super) fn logged(
    ledger: &Ledger<'_>,
    call: CallId,
    entry: EntryId,
    link: &Link,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "INSERT OR REPLACE INTO links (call, other, how, why, by, at_ms, entry) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute(params![
            call.0.cast_signed(),
            link.other.0.cast_signed(),
            link.how as u8,
            link.why,
            link.by,
            ledger.now_ms(),
            entry.to_string()
        ])?;
    Ok(())
}

/// A correction was just logged: where it withdraws a link it withdraws the other's too.
/// Which of its officers did so is this packet's to know, not the other's.
pub(super) fn undone(
    ledger: &mut Ledger<'_>,
    call: CallId,
    id: EntryId,
    correction: &Correction,
) -> Result<(), LogError> {
    let other: Option<i64> = ledger
        .sql()
        .prepare_cached(
            "UPDATE links SET undone_by = ?3 WHERE call = ?1 AND entry = ?2 AND undone_by IS NULL RETURNING other",
        )?
        .query_row(
            params![call.0.cast_signed(), correction.of.to_string(), correction.by],
            |row| row.get(0),
        )
        .optional()?;
    let Some(other) = other.map(|other| CallId(other.cast_unsigned())) else {
        return Ok(());
    };
    let by = match id.actor.author() {
        Author::Center(_) => &correction.by,
        Author::Device(_) => OTHERS_OFFICER,
    };
    match known(ledger, other, call)? {
        Some(known) if known.undone_by.is_none() => withdraw(ledger, other, known.entry, by),
        _ => Ok(()),
    }
}

struct Known {
    how: LinkHow,
    entry: EntryId,
    undone_by: Option<String>,
}

fn known(ledger: &Ledger<'_>, call: CallId, other: CallId) -> Result<Option<Known>, LogError> {
    let found: Option<(u8, String, Option<String>)> = ledger
        .sql()
        .prepare_cached("SELECT how, entry, undone_by FROM links WHERE call = ?1 AND other = ?2")?
        .query_row(
            params![call.0.cast_signed(), other.0.cast_signed()],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )
        .optional()?;
    let known = found.map(|(how, entry, undone_by)| {
        let entry = entry
            .parse()
            .map_err(|e: packet::IdError| LogError::Store(e.to_string()))?;
        Ok(Known {
            how: how_of(how),
            entry,
            undone_by,
        })
    });
    known.transpose()
}

fn how_of(number: u8) -> LinkHow {
    [LinkHow::Proposed, LinkHow::Rule]
        .into_iter()
        .find(|how| *how as u8 == number)
        .unwrap_or(LinkHow::Hand)
}
