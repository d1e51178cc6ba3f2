//! Searches that somebody keeps under a name, and the notices that they gave.

use packet::CallId;
use rusqlite::{Connection, OptionalExtension, params};

use super::criteria::Criteria;
use super::find::{self, FoundEntry};
use crate::log::{Ledger, LogError};
use crate::policy::Sight;

/// Most searches that one person keeps, and that the center keeps for all: each is looked
/// at again whenever something new was written.
pub const SAVED_PER_OWNER_MAX: u64 = 100;
pub const SAVED_MAX: u64 = 1_000;
/// Longest name, in characters.
pub const NAME_CHARS_MAX: usize = 80;
/// Most notices of one search that nobody has seen; what comes beyond is counted.
pub const UNSEEN_PER_SEARCH_MAX: u64 = 500;
/// How long a notice that was seen is kept, so that it is not given twice.
pub const SEEN_KEPT_MS: i64 = 90 * 24 * 60 * 60 * 1_000;
/// Most notices that one page shows.
pub const NOTICES_SHOWN_MAX: usize = 100;

/// A search under its name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    pub search: i64,
    pub name: String,
    pub criteria: Criteria,
    pub created_ms: i64,
    /// Notices that nobody has seen.
    pub unseen: u64,
    /// Notices that there was no room for.
    pub untold: u64,
}

/// A saved search matched an entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    pub notice: i64,
    /// The search's name.
    pub name: String,
    pub call: CallId,
    pub nature: String,
    pub location: String,
    pub at_ms: i64,
    pub entry: FoundEntry,
}

/// Keeps a search; what is in the log already gives no notice. One of this name is replaced.
///
/// # Errors
/// When it has no good name, there are too many, or the store fails.
pub fn save(
    ledger: &mut Ledger<'_>,
    owner: &str,
    name: &str,
    criteria: &Criteria,
) -> Result<i64, LogError> {
    let name = name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(LogError::Entry(packet::EntryError::Field {
            field: "name",
            wanted: format!("a name of 1 to {NAME_CHARS_MAX} characters"),
        }));
    }
    forget_by_name(ledger, owner, name)?;
    let (all, own): (u64, u64) = ledger
        .sql()
        .prepare_cached("SELECT count(*), count(*) FILTER (WHERE owner = ?1) FROM saved_searches")?
        .query_row([owner], |row| Ok((row.get(0)?, row.get(1)?)))?;
    if own >= SAVED_PER_OWNER_MAX || all >= SAVED_MAX {
        return Err(LogError::Conflict(format!(
            "no more searches can be saved: {SAVED_PER_OWNER_MAX} of one person and {SAVED_MAX} of all is the most"
        )));
    }
    let text = serde_json::to_string(criteria).map_err(|e| LogError::Store(e.to_string()))?;
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO saved_searches (owner, name, criteria, created_ms, after_seq) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            owner,
            name,
            text,
            ledger.now_ms(),
            ledger.head().cast_signed()
        ])?;
    Ok(ledger.sql().last_insert_rowid())
}

fn forget_by_name(ledger: &Ledger<'_>, owner: &str, name: &str) -> Result<(), LogError> {
    let known: Option<i64> = ledger
        .sql()
        .prepare_cached("SELECT search FROM saved_searches WHERE owner = ?1 AND name = ?2")?
        .query_row([owner, name], |row| row.get(0))
        .optional()?;
    known.map_or(Ok(()), |search| drop_search(ledger, search))
}

/// Forgets a search and its notices.
///
/// # Errors
/// When this owner has no such search, or the store fails.
pub fn forget(ledger: &mut Ledger<'_>, owner: &str, search: i64) -> Result<(), LogError> {
    let is_own = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM saved_searches WHERE owner = ?1 AND search = ?2")?
        .exists(params![owner, search])?;
    if !is_own {
        return Err(LogError::Unknown {
            what: "saved search",
            id: search.to_string(),
        });
    }
    drop_search(ledger, search)
}

fn drop_search(ledger: &Ledger<'_>, search: i64) -> Result<(), LogError> {
    for sql in [
        "DELETE FROM notices WHERE search = ?1",
        "DELETE FROM saved_searches WHERE search = ?1",
    ] {
        ledger.sql().prepare_cached(sql)?.execute([search])?;
    }
    Ok(())
}

/// An owner's searches, by name.
///
/// # Errors
/// When the store fails.
pub fn of_owner(connection: &Connection, owner: &str) -> Result<Vec<Saved>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT search, name, criteria, created_ms, untold,
             (SELECT count(*) FROM notices AS n WHERE n.search = s.search AND seen_ms IS NULL)
         FROM saved_searches AS s WHERE owner = ?1 ORDER BY name LIMIT ?2",
    )?;
    let mut rows = statement.query(params![owner, SAVED_PER_OWNER_MAX])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Saved {
            search: row.get(0)?,
            name: row.get(1)?,
            criteria: criteria(&row.get::<_, String>(2)?)?,
            created_ms: row.get(3)?,
            untold: row.get(4)?,
            unseen: row.get(5)?,
        });
    }
    Ok(all)
}

pub(super) fn criteria(text: &str) -> Result<Criteria, LogError> {
    serde_json::from_str(text).map_err(|e| LogError::Store(format!("a saved search: {e}")))
}

/// How many notices of this owner nobody has seen.
///
/// # Errors
/// When the store fails.
pub fn unseen(connection: &Connection, owner: &str, sight: &Sight) -> Result<u64, LogError> {
    let seen = in_sight(sight);
    let count = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM notices AS n JOIN saved_searches AS s ON s.search = n.search
             JOIN calls AS c ON c.call = n.call
             WHERE owner = ?1 AND n.seen_ms IS NULL AND {seen}"
        ))?
        .query_row([owner], |row| row.get(0))?;
    Ok(count)
}

/// A notice's call may be known of, and its entry seen.
fn in_sight(sight: &Sight) -> String {
    let compartment = "(SELECT compartment FROM search_entries AS e WHERE e.seq = n.seq)";
    format!(
        "{} AND {}",
        sight.knows("c.agency"),
        sight.condition(compartment, "c.agency")
    )
}

/// The newest notices that this owner has not seen, of what may be seen.
///
/// # Errors
/// When the store fails.
pub fn notices(
    connection: &Connection,
    owner: &str,
    sight: &Sight,
) -> Result<Vec<Notice>, LogError> {
    let seen = in_sight(sight);
    let mut statement = connection.prepare_cached(&format!(
        "SELECT notice, s.name, n.call, c.nature, c.location, at_ms, seq,
             (SELECT corrected FROM search_entries AS e WHERE e.seq = n.seq)
         FROM notices AS n JOIN saved_searches AS s ON s.search = n.search
         JOIN calls AS c ON c.call = n.call
         WHERE owner = ?1 AND n.seen_ms IS NULL AND {seen} ORDER BY notice DESC LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![owner, NOTICES_SHOWN_MAX])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let seq = row.get::<_, i64>(6)?.unsigned_abs();
        let corrected: Option<bool> = row.get(7)?;
        all.push(Notice {
            notice: row.get(0)?,
            name: row.get(1)?,
            call: CallId(row.get::<_, i64>(2)?.cast_unsigned()),
            nature: row.get(3)?,
            location: row.get(4)?,
            at_ms: row.get(5)?,
            entry: find::entry(connection, seq, corrected.unwrap_or(false), &[])?,
        });
    }
    Ok(all)
}

/// The owner has seen a notice, or all of them.
///
/// # Errors
/// When this owner has no such notice, or the store fails.
pub fn seen(ledger: &mut Ledger<'_>, owner: &str, notice: Option<i64>) -> Result<(), LogError> {
    let seen = ledger
        .sql()
        .prepare_cached(
            "UPDATE notices SET seen_ms = ?3 WHERE seen_ms IS NULL AND (?2 IS NULL OR notice = ?2)
             AND search IN (SELECT search FROM saved_searches WHERE owner = ?1)",
        )?
        .execute(params![owner, notice, ledger.now_ms()])?;
    if notice.is_none() {
        ledger
            .sql()
            .prepare_cached("UPDATE saved_searches SET untold = 0 WHERE owner = ?1")?
            .execute([owner])?;
    }
    match notice {
        Some(notice) if seen == 0 => Err(LogError::Unknown {
            what: "notice",
            id: notice.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Drops what was seen long ago.
///
/// # Errors
/// When the store fails.
pub(super) fn sweep(ledger: &Ledger<'_>) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("DELETE FROM notices WHERE seen_ms < ?1")?
        .execute([ledger.now_ms() - SEEN_KEPT_MS])?;
    Ok(())
}
