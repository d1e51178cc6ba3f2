//! The end of a document: its key, all that was derived from it, and its contents.
//!
//! | what | |
//! |---|---|
//! | its key | destroyed: no copy of the log opens its entries any more |
//! | its entries, what devices offered and was refused | overwritten; their places in the log stay, so that it is without a gap |
//! | words, places, and what stands beside the log about it (`log::about`: names, notices, held cautions, …) | deleted |
//! | attachments that no other document has | deleted, and their keys |
//! | of the packet's own document: the call's row | its number, nature and place are overwritten |
//! | who saw it, and when | stays: the audit log and the receipts |
//!
//! Pages that held any of it are overwritten (`secure_delete`), and the write-ahead log is
//! emptied after the commit.

use packet::DocumentId;
use rusqlite::{Connection, params};

use crate::audit::{self, Record};
use crate::log::{Ledger, LogError, forget_beside, reach};
use crate::policy::{Act, Actor, CENTER};
use crate::{attachments, search};

/// Most purges that are listed.
const PURGED_MAX: i64 = 100;

/// Who purges what nobody has kept.
const BY_ITSELF: &str = "The center, by itself";
/// What stands where a call's nature stood.
pub const PURGED_NATURE: &str = "PURGED";

/// A document that is no more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Purged {
    pub document: DocumentId,
    pub at_ms: i64,
    pub by: String,
    pub why: String,
}

/// What was purged of this agency's, the newest first.
///
/// # Errors
/// When the store fails.
pub fn purged(connection: &Connection, agency: &str) -> Result<Vec<Purged>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT document, at_ms, by, why FROM purges LEFT JOIN calls USING (call)
         WHERE coalesce(agency, ?2) = ?1 ORDER BY at_ms DESC LIMIT ?3",
    )?;
    let mut rows = statement.query(params![agency, CENTER, PURGED_MAX])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Purged {
            document: super::document_of(row)?,
            at_ms: row.get(1)?,
            by: row.get(2)?,
            why: row.get(3)?,
        });
    }
    Ok(all)
}

/// Purges a document: for this person, who may is decided before, or by itself when its
/// period is over.
///
/// # Errors
/// [`LogError::Unknown`] where there is none, [`LogError::Conflict`] while it is on hold, its
/// call is open or units have it, or the store's.
pub fn purge(
    ledger: &mut Ledger<'_>,
    document: DocumentId,
    by: Option<&Actor>,
    why: &str,
) -> Result<(), LogError> {
    let (first, last) = reach(ledger.sql(), document)?.ok_or_else(|| LogError::Unknown {
        what: "document",
        id: document.to_string(),
    })?;
    if super::hold::is_on(ledger.sql(), document)? {
        return Err(LogError::Conflict(
            "It is on hold: end the hold first.".into(),
        ));
    }
    let is_open = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM calls WHERE call = ?1 AND open = 1")?
        .exists([document.call.0.cast_signed()])?;
    if is_open {
        return Err(LogError::Conflict(
            "Its call is still open: a packet is purged after its call has closed.".into(),
        ));
    }
    let is_carried = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM grants WHERE call = ?1 AND to_seq IS NULL")?
        .exists([document.call.0.cast_signed()])?;
    if is_carried {
        return Err(LogError::Conflict(
            "Units still have the packet: it is purged when they have it no longer.".into(),
        ));
    }
    let act = Act::Purge(document.compartment);
    let record = Record {
        object: document.to_string(),
        detail: format!("entries {first} to {last}, their key destroyed: {why}"),
        ..by.map_or_else(|| Record::of(BY_ITSELF, act), |by| Record::by(by, act))
    };
    ledger.sql().pragma_update(None, "secure_delete", true)?;
    let forgotten = forget(ledger.sql(), document);
    ledger.sql().pragma_update(None, "secure_delete", "FAST")?;
    forgotten?;
    ledger
        .sql()
        .prepare_cached("INSERT INTO purges VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)")?
        .execute(params![
            document.to_bytes(),
            document.call.0.cast_signed(),
            ledger.now_ms(),
            record.who,
            why,
            first.cast_signed(),
            last.cast_signed()
        ])?;
    ledger.forgets(document);
    audit::record(ledger, &record)
}

/// Destroys what there is of a document. A restored log does this too, of what was purged
/// after its backup.
pub(crate) fn forget(connection: &Connection, document: DocumentId) -> Result<(), LogError> {
    // While its words can be read: they are taken out of the index by what they are.
    search::index::forget(connection, document)?;
    attachments::forget(connection, document)?;
    let id = document.to_bytes();
    for sql in [
        "DELETE FROM document_keys WHERE document = ?1",
        "UPDATE changes SET bytes = zeroblob(0), brief = NULL WHERE document = ?1",
    ] {
        connection.prepare_cached(sql)?.execute([id])?;
    }
    forget_beside(connection, document)
}
