//! What is looked things up in: words and places, beside the log.
//!
//! It is written in the commit of the change that it is about, so that it is never behind
//! and never ahead of the log; a backup is without it ([`leave_out`]). An entry's words go into a full-text
//! index without the words themselves (those are in the change), a call's place into an
//! R*Tree. What one entry adds is bounded by the entry's own limits; only kinds that
//! somebody looks for are in it.
//!
//! A log that was written before there was an index is read through once, at its opening,
//! a batch a commit ([`backfill`]): a start that is cut short goes on where it was.

use packet::{Compartment, DocumentId, Entry, EntryId, Facts, inspect};
use rusqlite::{Connection, OptionalExtension, params};

use super::place::Point;
use super::terms;
use crate::log::LogError;

/// Changes that one commit of [`backfill`] adds.
const BACKFILLED_PER_COMMIT_MAX: i64 = 2_000;

/// Adds a change that is being logged, within its transaction.
///
/// # Errors
/// When the store fails.
pub(crate) fn add(
    connection: &Connection,
    seq: u64,
    document: DocumentId,
    id: EntryId,
    entry: &Entry,
) -> Result<(), LogError> {
    // What a beat carries stands in the lists that it came from, and is no call.
    if document.call.is_beat() {
        return Ok(());
    }
    if let (Entry::Facts(facts), Compartment::Call) = (entry, document.compartment) {
        locate(connection, document, facts)?;
    }
    if let Entry::Correction(correction) = entry {
        connection
            .prepare_cached(
                "UPDATE search_entries SET corrected = 1 WHERE call = ?1 AND compartment = ?2 AND entry = ?3",
            )?
            .execute(params![
                document.call.0.cast_signed(),
                document.compartment as u8,
                correction.of.to_string()
            ])?;
    }
    let words = terms::of_entry(entry);
    if words.is_empty() {
        return Ok(());
    }
    connection
        .prepare_cached(
            "INSERT INTO search_entries (seq, call, compartment, entry, kind) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            seq.cast_signed(),
            document.call.0.cast_signed(),
            document.compartment as u8,
            id.to_string(),
            kind(entry)
        ])?;
    connection
        .prepare_cached("INSERT INTO entry_words (rowid, words) VALUES (?1, ?2)")?
        .execute(params![seq.cast_signed(), words])?;
    Ok(())
}

/// Takes out what there is of a document that is purged, while its entries can be read.
///
/// # Errors
/// When the store fails.
pub(crate) fn forget(connection: &Connection, document: DocumentId) -> Result<(), LogError> {
    for logged in crate::log::document(connection, document)? {
        let seq = logged.seq.cast_signed();
        let is_in = connection
            .prepare_cached("DELETE FROM search_entries WHERE seq = ?1")?
            .execute([seq])?;
        if is_in > 0 {
            let words = terms::of_entry(&logged.inspected.written.entry);
            connection
                .prepare_cached(
                    "INSERT INTO entry_words (entry_words, rowid, words) VALUES ('delete', ?1, ?2)",
                )?
                .execute(params![seq, words])?;
        }
    }
    if document.compartment == Compartment::Call {
        for sql in [
            "DELETE FROM call_outcomes WHERE call = ?1",
            "DELETE FROM call_places WHERE call = ?1",
        ] {
            let call = document.call.0.cast_signed();
            connection.prepare_cached(sql)?.execute([call])?;
        }
    }
    Ok(())
}

/// Empties the index of a copy of the log, which is filled again when that is opened: a
/// backup holds nobody's words but under their document's key.
///
/// # Errors
/// When the store fails.
pub(crate) fn leave_out(connection: &Connection) -> Result<(), LogError> {
    connection.execute_batch(
        "DELETE FROM search_entries;
         INSERT INTO entry_words (entry_words) VALUES ('delete-all');
         DELETE FROM call_outcomes;
         DELETE FROM call_places;
         DELETE FROM meta WHERE name IN ('unindexed_through', 'indexed_through');
         INSERT INTO meta SELECT 'unindexed_through', max(seq) FROM changes HAVING max(seq) IS NOT NULL;",
    )?;
    Ok(())
}

/// As `search_entries` names it.
pub(super) fn kind(entry: &Entry) -> String {
    format!("{:?}", entry.kind()).to_lowercase()
}

/// The call's place and outcome, as its last facts say. Its address stands in `calls`.
fn locate(connection: &Connection, document: DocumentId, facts: &Facts) -> Result<(), LogError> {
    let call = document.call.0.cast_signed();
    connection
        .prepare_cached("INSERT OR REPLACE INTO call_outcomes (call, disposition) VALUES (?1, ?2)")?
        .execute(params![
            call,
            facts.disposition.as_deref().unwrap_or_default()
        ])?;
    connection
        .prepare_cached("DELETE FROM call_places WHERE call = ?1")?
        .execute([call])?;
    if let Some((latitude, longitude)) = facts.latitude_e6.zip(facts.longitude_e6) {
        connection
            .prepare_cached(
                "INSERT INTO call_places (call, south, north, west, east) VALUES (?1, ?2, ?2, ?3, ?3)",
            )?
            .execute(params![call, latitude, longitude])?;
    }
    Ok(())
}

/// Where a call is.
pub(crate) fn point_of(
    connection: &Connection,
    call: packet::CallId,
) -> Result<Option<Point>, LogError> {
    let point = connection
        .prepare_cached("SELECT south, west FROM call_places WHERE call = ?1")?
        .query_row([call.0.cast_signed()], |row| {
            Ok(Point {
                latitude_e6: row.get(0)?,
                longitude_e6: row.get(1)?,
            })
        })
        .optional()?;
    Ok(point)
}

/// Adds what was logged before there was an index, at the opening of the log.
pub(crate) fn backfill(connection: &mut Connection) -> Result<(), LogError> {
    while let Some((after, through)) = left(connection)? {
        let transaction = connection.transaction()?;
        let done = add_some(&transaction, after, through)?;
        if done >= through {
            transaction.execute(
                "DELETE FROM meta WHERE name IN ('unindexed_through', 'indexed_through')",
                [],
            )?;
        } else {
            transaction.execute(
                "INSERT OR REPLACE INTO meta VALUES ('indexed_through', ?1)",
                [done],
            )?;
        }
        transaction.commit()?;
    }
    Ok(())
}

/// From which change on, and through which, the index is behind.
fn left(connection: &Connection) -> Result<Option<(i64, i64)>, LogError> {
    let value = |name: &str| {
        connection
            .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| {
                row.get::<_, i64>(0)
            })
            .optional()
    };
    let through = value("unindexed_through")?;
    let after = value("indexed_through")?.unwrap_or(0);
    Ok(through.map(|through| (after, through)))
}

fn add_some(connection: &Connection, after: i64, through: i64) -> Result<i64, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT seq, document, bytes FROM readable WHERE seq > ?1 AND seq <= ?2 ORDER BY seq LIMIT ?3",
    )?;
    let mut rows = statement.query(params![after, through, BACKFILLED_PER_COMMIT_MAX])?;
    let mut done = through;
    let mut count = 0;
    while let Some(row) = rows.next()? {
        let seq: i64 = row.get(0)?;
        let unreadable = |e: String| LogError::Store(format!("change {seq}: {e}"));
        let document = DocumentId::from_bytes(&row.get::<_, Vec<u8>>(1)?)
            .map_err(|e| unreadable(e.to_string()))?;
        let change = inspect(&row.get::<_, Vec<u8>>(2)?).map_err(|e| unreadable(e.to_string()))?;
        let entry = &change.written.entry;
        add(connection, seq.unsigned_abs(), document, change.id, entry)?;
        count += 1;
        if count == BACKFILLED_PER_COMMIT_MAX {
            done = seq;
        }
    }
    Ok(done)
}
