//! Legal holds, and reviews that give a document another period.

use packet::DocumentId;
use rusqlite::{Connection, OptionalExtension, params};

use crate::audit::{self, Record};
use crate::log::{Ledger, LogError, reach};
use crate::policy::{Act, Actor};

/// A hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub at_ms: i64,
    pub by: String,
    pub why: String,
}

/// The hold on this document.
///
/// # Errors
/// When the store fails.
pub fn of(connection: &Connection, document: DocumentId) -> Result<Option<Hold>, LogError> {
    let hold = connection
        .prepare_cached(
            "SELECT at_ms, by, why FROM holds WHERE document = ?1 AND ended_ms IS NULL",
        )?
        .query_row([document.to_bytes()], |row| {
            Ok(Hold {
                at_ms: row.get(0)?,
                by: row.get(1)?,
                why: row.get(2)?,
            })
        })
        .optional()?;
    Ok(hold)
}

/// Keeps a document from being purged. Who may is decided before.
///
/// # Errors
/// [`LogError::Unknown`] where there is no such document, [`LogError::Conflict`] where it is on
/// hold already, or the store's.
pub fn begin(
    ledger: &Ledger<'_>,
    document: DocumentId,
    by: &Actor,
    why: &str,
) -> Result<(), LogError> {
    must_be(ledger, document)?;
    if of(ledger.sql(), document)?.is_some() {
        return Err(LogError::Conflict("It is on hold already.".into()));
    }
    ledger
        .sql()
        .prepare_cached("INSERT INTO holds (document, at_ms, by, why) VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![document.to_bytes(), ledger.now_ms(), by.name, why])?;
    record(ledger, document, by, format!("on hold: {why}"))
}

/// Ends the hold. Who may is decided before.
///
/// # Errors
/// [`LogError::Conflict`] where it is not on hold, or the store's.
pub fn end(
    ledger: &Ledger<'_>,
    document: DocumentId,
    by: &Actor,
    why: &str,
) -> Result<(), LogError> {
    let ended = ledger
        .sql()
        .prepare_cached(
            "UPDATE holds SET ended_ms = ?2, ended_by = ?3, ended_why = ?4
             WHERE document = ?1 AND ended_ms IS NULL",
        )?
        .execute(params![document.to_bytes(), ledger.now_ms(), by.name, why])?;
    if ended == 0 {
        return Err(LogError::Conflict("It is not on hold.".into()));
    }
    record(ledger, document, by, format!("no longer on hold: {why}"))
}

/// Somebody has reviewed the document: it is kept for another period from now on. Who may is
/// decided before.
///
/// # Errors
/// [`LogError::Unknown`] where there is no such document, or the store's.
pub fn retain(
    ledger: &Ledger<'_>,
    document: DocumentId,
    by: &Actor,
    why: &str,
) -> Result<(), LogError> {
    must_be(ledger, document)?;
    ledger
        .sql()
        .prepare_cached("INSERT OR REPLACE INTO retained VALUES (?1, ?2, ?3, ?4)")?
        .execute(params![document.to_bytes(), ledger.now_ms(), by.name, why])?;
    record(
        ledger,
        document,
        by,
        format!("kept for another period: {why}"),
    )
}

fn must_be(ledger: &Ledger<'_>, document: DocumentId) -> Result<(), LogError> {
    match reach(ledger.sql(), document)? {
        Some(_) => Ok(()),
        None => Err(LogError::Unknown {
            what: "document",
            id: document.to_string(),
        }),
    }
}

fn record(
    ledger: &Ledger<'_>,
    document: DocumentId,
    by: &Actor,
    detail: String,
) -> Result<(), LogError> {
    audit::record(
        ledger,
        &Record {
            object: document.to_string(),
            detail,
            ..Record::by(by, Act::Retain(document.compartment))
        },
    )
}
