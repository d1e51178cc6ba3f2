//! What the center wrote because of something that ends, and its withdrawal.
//!
//! A hot-list entry is cleared, a premise caution ends: whatever was written from it must
//! go too, as urgently as it came, once, and whatever happens to the center meanwhile. So
//! every entry of the center's that says when it ends has a row here from the commit that
//! logged it. To end it sooner is to set the row's end to now. What is due is withdrawn by
//! a [`Correction`] without text in the entry's own document, so it is as urgent there as
//! the entry was, and its row is marked by the very commit that logs the correction:
//! a kill before it loses nothing, a kill after it repeats nothing.
//!
//! Also a correction that a person wrote, or one that devices give back to a restored log,
//! marks the row: nothing is withdrawn twice.

#[cfg(test)]
pub(crate) mod bench;
#[cfg(test)]
mod tests;

use packet::{Author, CallId, Compartment, Correction, DocumentId, Entry, EntryId};
use rusqlite::{OptionalExtension, params};

use crate::log::{Committed, Ledger, LogError};

/// Most entries that are withdrawn in one commit.
pub const WITHDRAWN_PER_COMMIT_MAX: usize = 200;
/// Who withdraws what ended by itself.
const BY_ITSELF: &str = "The center: its end has come";

/// Why an entry was written, by the row that ends: `hot 12`, `premise 3`.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Cause(String);

impl Cause {
    pub(crate) fn hot(id: i64) -> Self {
        Self(format!("hot {id}"))
    }

    pub(crate) fn premise(id: i64) -> Self {
        Self(format!("premise {id}"))
    }

    /// The premise caution that it is, if it is one.
    pub(crate) fn premise_id(&self) -> Option<i64> {
        self.0.strip_prefix("premise ")?.parse().ok()
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// What an entry is to its packet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// The packet names what is listed.
    Found,
    /// Something that is listed was met near by.
    Near,
    /// A beat's packet carries it, before there is a call.
    Carried,
    /// It is kept with the place.
    Premise,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Self::Found => "found",
            Self::Near => "near",
            Self::Carried => "carried",
            Self::Premise => "premise",
        }
    }
}

/// Writes an entry that says when it ends, because of this. Where the document is full it
/// cannot be written, which is said in the center's own log: what else is at hand goes on.
///
/// # Errors
/// When the entry breaks a limit or the store fails.
pub(crate) fn write(
    ledger: &mut Ledger<'_>,
    document: DocumentId,
    entry: Entry,
    cause: &Cause,
    role: Role,
    is_exact: bool,
) -> Result<(), LogError> {
    if !ledger.has_room(document)? {
        tracing::error!(%document, cause = %cause.as_str(), "a document is full: what is listed cannot be written into it");
        return Ok(());
    }
    let appended = ledger.append(document, entry)?;
    ledger
        .sql()
        .prepare_cached(
            "UPDATE standing SET cause = ?3, role = ?4, is_exact = ?5 WHERE document = ?1 AND entry = ?2",
        )?
        .execute(params![
            document.to_bytes(),
            appended.id.to_string(),
            cause.as_str(),
            role.name(),
            is_exact
        ])?;
    Ok(())
}

/// Whether something was written into this packet because of this in this role since then,
/// no less exact; also when it was withdrawn: a person may have done so.
pub(crate) fn was_written(
    ledger: &Ledger<'_>,
    cause: &Cause,
    call: CallId,
    role: Role,
    is_exact: bool,
    since_ms: i64,
) -> Result<bool, LogError> {
    let was = ledger
        .sql()
        .prepare_cached(
            "SELECT 1 FROM standing WHERE cause = ?1 AND call = ?2 AND role = ?3 AND is_exact >= ?4 AND written_ms >= ?5",
        )?
        .exists(params![
            cause.as_str(),
            call.0.cast_signed(),
            role.name(),
            is_exact,
            since_ms
        ])?;
    Ok(was)
}

/// The causes of what was written into this packet in this role.
pub(crate) fn causes_in(
    ledger: &Ledger<'_>,
    call: CallId,
    role: Role,
) -> Result<Vec<Cause>, LogError> {
    let causes = ledger
        .sql()
        .prepare_cached(
            "SELECT cause FROM standing WHERE call = ?1 AND role = ?2 AND cause IS NOT NULL",
        )?
        .query_map(params![call.0.cast_signed(), role.name()], |row| {
            row.get(0).map(Cause)
        })?
        .collect::<Result<_, _>>()?;
    Ok(causes)
}

/// All that was written because of this ends now, in every packet or in one. `by` is who
/// withdraws it, as screens show it. False where nothing of it stands.
///
/// # Errors
/// When the store fails.
pub(crate) fn end(
    ledger: &Ledger<'_>,
    cause: &Cause,
    only_in: Option<CallId>,
    by: &str,
) -> Result<bool, LogError> {
    let by: String = by.chars().take(packet::entry::NAME_CHARS_MAX).collect();
    let ended = ledger
        .sql()
        .prepare_cached(
            "UPDATE standing SET ends_ms = min(ends_ms, ?2), ended_by = ?3
             WHERE cause = ?1 AND (?4 IS NULL OR call = ?4) AND withdrawn_ms IS NULL",
        )?
        .execute(params![
            cause.as_str(),
            ledger.now_ms(),
            by,
            only_in.map(|call| call.0.cast_signed())
        ])?;
    Ok(ended > 0)
}

/// Nobody has this packet any more: what is in it is history, and is left as it is.
///
/// # Errors
/// When the store fails.
pub(crate) fn retire(ledger: &Ledger<'_>, call: CallId) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("DELETE FROM standing WHERE call = ?1")?
        .execute([call.0.cast_signed()])?;
    Ok(())
}

/// Withdraws what is due, what can hurt first, at most so much. Returns how much.
///
/// # Errors
/// When the store fails.
pub fn withdraw_due(ledger: &mut Ledger<'_>, at_most: usize) -> Result<usize, LogError> {
    let due: Vec<([u8; DocumentId::BYTES], String, Option<String>)> = ledger
        .sql()
        .prepare_cached(
            "SELECT document, entry, ended_by FROM standing WHERE withdrawn_ms IS NULL AND ends_ms <= ?1
             ORDER BY substr(document, 9, 1), ends_ms LIMIT ?2",
        )?
        .query_map(params![ledger.now_ms(), at_most], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?
        .collect::<Result<_, _>>()?;
    for (document, entry, by) in &due {
        let damaged = |e: packet::IdError| LogError::Store(e.to_string());
        let document = DocumentId::from_bytes(document).map_err(damaged)?;
        let of: EntryId = entry.parse().map_err(damaged)?;
        if ledger.has_room(document)? {
            let by = by.as_deref().unwrap_or(BY_ITSELF).to_owned();
            let correction = Correction { of, text: None, by };
            ledger.append(document, Entry::Correction(correction))?;
        } else {
            tracing::error!(%document, entry = %of, "a document is full: what has ended cannot be withdrawn in it");
            withdrawn(ledger, document, of)?;
        }
    }
    Ok(due.len())
}

/// Keeps in mind what was logged that ends, and what was withdrawn, by whomever.
///
/// # Errors
/// When the store fails.
pub(crate) fn logged(ledger: &Ledger<'_>, change: &Committed) -> Result<(), LogError> {
    let ends_ms = match &change.entry {
        Entry::Caution(caution) => caution.ends_ms,
        Entry::Finding(finding) => finding.ends_ms,
        Entry::Correction(Correction { of, text: None, .. }) => {
            return withdrawn(ledger, change.document, *of);
        }
        _ => None,
    };
    let (Some(ends_ms), Author::Center(_)) = (ends_ms, change.id.actor.author()) else {
        return Ok(());
    };
    ledger
        .sql()
        .prepare_cached(
            "INSERT OR IGNORE INTO standing (document, entry, call, written_ms, ends_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            change.document.to_bytes(),
            change.id.to_string(),
            change.document.call.0.cast_signed(),
            change.received_ms,
            ends_ms
        ])?;
    Ok(())
}

fn withdrawn(ledger: &Ledger<'_>, document: DocumentId, of: EntryId) -> Result<(), LogError> {
    let marked = ledger
        .sql()
        .prepare_cached(
            "UPDATE standing SET withdrawn_ms = ?3 WHERE document = ?1 AND entry = ?2 AND withdrawn_ms IS NULL",
        )?
        .execute(params![document.to_bytes(), of.to_string(), ledger.now_ms()])?;
    if marked > 0 && document.call.is_beat() {
        // There is room for another.
        crate::beats::packet_changed(ledger, document.call)?;
    }
    Ok(())
}

/// Forgets what was withdrawn before this time, at most so much.
///
/// # Errors
/// When the store fails.
pub(crate) fn forget(
    ledger: &Ledger<'_>,
    withdrawn_before_ms: i64,
    at_most: usize,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "DELETE FROM standing WHERE (document, entry) IN
                 (SELECT document, entry FROM standing WHERE withdrawn_ms < ?1 LIMIT ?2)",
        )?
        .execute(params![withdrawn_before_ms, at_most])?;
    Ok(())
}

/// How much stands that will be withdrawn.
///
/// # Errors
/// When the store fails.
pub fn count(connection: &rusqlite::Connection) -> Result<i64, LogError> {
    let count = connection
        .prepare_cached("SELECT count(*) FROM standing WHERE withdrawn_ms IS NULL")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(count.unwrap_or(0))
}

/// The document of what can hurt, and of the rest.
pub(crate) fn document_of(call: CallId, can_hurt: bool) -> DocumentId {
    let compartment = if can_hurt {
        Compartment::Safety
    } else {
        Compartment::Call
    };
    DocumentId::new(call, compartment)
}
