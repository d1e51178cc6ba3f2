//! The entries as they are kept.

use std::collections::HashSet;

use rusqlite::{Connection, OptionalExtension, Row, params};

use super::HotEntry;
use crate::log::{Ledger, LogError};

/// Most entries on one page of a list.
pub const PAGE_MAX: usize = 500;

/// An entry with its number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub id: i64,
    pub entry: HotEntry,
    pub added_ms: i64,
    pub ended_ms: Option<i64>,
    /// Why it ended, and by whom.
    pub ended_by: Option<String>,
}

/// Which entries are asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Which {
    Live,
    Ended,
    All,
}

const COLUMNS: &str = "id, entry, added_ms, ended_ms, ended_by";

fn listed(row: &Row<'_>) -> Result<Listed, LogError> {
    let entry: String = row.get(1)?;
    Ok(Listed {
        id: row.get(0)?,
        entry: serde_json::from_str(&entry)
            .map_err(|e| LogError::Store(format!("a hot-list entry cannot be read: {e}")))?,
        added_ms: row.get(2)?,
        ended_ms: row.get(3)?,
        ended_by: row.get(4)?,
    })
}

pub(super) fn insert(ledger: &Ledger<'_>, entry: &HotEntry) -> Result<Listed, LogError> {
    let text = serde_json::to_string(entry).map_err(|e| LogError::Store(e.to_string()))?;
    let now_ms = ledger.now_ms();
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO hot_list (list, number, danger, entry, added_ms, ends_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
        )?
        .execute(params![
            entry.list,
            entry.number(),
            entry.danger,
            text,
            now_ms,
            entry.ends.as_millisecond()
        ])?;
    let id = ledger.sql().last_insert_rowid();
    for key in entry.wanted.keys() {
        ledger
            .sql()
            .prepare_cached("INSERT OR IGNORE INTO hot_keys (key, hot) VALUES (?1, ?2)")?
            .execute(params![key, id])?;
    }
    Ok(Listed {
        id,
        entry: entry.clone(),
        added_ms: now_ms,
        ended_ms: None,
        ended_by: None,
    })
}

/// Of a row only its end is ever changed.
pub(super) fn end(ledger: &Ledger<'_>, id: i64, at_ms: i64, by: &str) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "UPDATE hot_list SET ended_ms = ?2, ended_by = ?3 WHERE id = ?1 AND ended_ms IS NULL",
        )?
        .execute(params![id, at_ms, by])?;
    ledger
        .sql()
        .prepare_cached("DELETE FROM hot_keys WHERE hot = ?1")?
        .execute([id])?;
    Ok(())
}

/// The entry of this number, while it is live.
///
/// # Errors
/// When the store fails.
pub fn live(connection: &Connection, id: i64, now_ms: i64) -> Result<Option<Listed>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM hot_list WHERE id = ?1 AND ended_ms IS NULL AND ends_ms > ?2"
    ))?;
    let mut rows = statement.query(params![id, now_ms])?;
    rows.next()?.map(listed).transpose()
}

pub(super) fn by_number(
    connection: &Connection,
    list: &str,
    number: &str,
) -> Result<Option<Listed>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM hot_list WHERE list = ?1 AND number = ?2 AND ended_ms IS NULL"
    ))?;
    let mut rows = statement.query([list, number])?;
    rows.next()?.map(listed).transpose()
}

pub(super) fn not_among(
    connection: &Connection,
    list: &str,
    numbers: &HashSet<String>,
    at_most: usize,
) -> Result<Vec<Listed>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM hot_list WHERE list = ?1 AND ended_ms IS NULL ORDER BY id"
    ))?;
    let mut rows = statement.query([list])?;
    let mut gone = Vec::new();
    while let Some(row) = rows.next()?
        && gone.len() < at_most
    {
        let listed = listed(row)?;
        if !numbers.contains(listed.entry.number()) {
            gone.push(listed);
        }
    }
    Ok(gone)
}

/// Entries whose end has come and that are not marked yet.
pub(super) fn over(
    connection: &Connection,
    now_ms: i64,
    at_most: usize,
) -> Result<Vec<Listed>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM hot_list WHERE ended_ms IS NULL AND ends_ms <= ?1 ORDER BY ends_ms LIMIT ?2"
    ))?;
    let mut rows = statement.query(params![now_ms, at_most])?;
    let mut over = Vec::new();
    while let Some(row) = rows.next()? {
        over.push(listed(row)?);
    }
    Ok(over)
}

pub(super) fn forget(
    ledger: &Ledger<'_>,
    ended_before_ms: i64,
    at_most: usize,
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached(
            "DELETE FROM hot_list WHERE id IN (SELECT id FROM hot_list WHERE ended_ms < ?1 LIMIT ?2)",
        )?
        .execute(params![ended_before_ms, at_most])?;
    Ok(())
}

/// The numbers of live entries for a beat's packet: what can hurt first, then the newest.
pub(crate) fn to_carry(
    connection: &Connection,
    beat: &str,
    now_ms: i64,
    at_most: usize,
) -> Result<Vec<i64>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT id FROM hot_list WHERE ended_ms IS NULL AND ends_ms > ?2
           AND (entry ->> '$.beats' IS NULL
                OR EXISTS (SELECT 1 FROM json_each(entry, '$.beats') AS own WHERE own.value = ?1))
         ORDER BY danger DESC, id DESC LIMIT ?3",
    )?;
    let ids = statement.query_map(params![beat, now_ms, at_most], |row| row.get(0))?;
    Ok(ids.collect::<Result<_, _>>()?)
}

pub(super) fn count_live(connection: &Connection) -> Result<usize, LogError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM hot_list WHERE ended_ms IS NULL")?
        .query_row([], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

pub(super) fn count_of(connection: &Connection, list: &str) -> Result<usize, LogError> {
    let count: i64 = connection
        .prepare_cached("SELECT count(*) FROM hot_list WHERE list = ?1 AND ended_ms IS NULL")?
        .query_row([list], |row| row.get(0))?;
    Ok(usize::try_from(count).unwrap_or(0))
}

/// Entries with numbers below `before`, the newest first, and how many there are.
///
/// # Errors
/// When the store fails.
pub fn page(
    connection: &Connection,
    which: Which,
    before: Option<i64>,
    limit: usize,
) -> Result<(u64, Vec<Listed>), LogError> {
    let ended = match which {
        Which::Live => Some(false),
        Which::Ended => Some(true),
        Which::All => None,
    };
    let total: Option<i64> = connection
        .prepare_cached(
            "SELECT count(*) FROM hot_list WHERE ?1 IS NULL OR (ended_ms IS NOT NULL) = ?1",
        )?
        .query_row([ended], |row| row.get(0))
        .optional()?;
    let mut statement = connection.prepare_cached(&format!(
        "SELECT {COLUMNS} FROM hot_list WHERE (?1 IS NULL OR (ended_ms IS NOT NULL) = ?1) AND id < ?2
         ORDER BY id DESC LIMIT ?3"
    ))?;
    let before = before.unwrap_or(i64::MAX);
    let mut rows = statement.query(params![ended, before, limit.min(PAGE_MAX + 1)])?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        found.push(listed(row)?);
    }
    Ok((total.unwrap_or(0).unsigned_abs(), found))
}
