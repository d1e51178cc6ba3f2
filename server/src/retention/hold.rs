//! Legal holds, and reviews that give a document another period.

use packet::DocumentId;
use rusqlite::{Connection, params};

use crate::audit::{self, Record};
use crate::log::{Ledger, LogError, reach};
use crate::policy::{Act, Actor, CENTER};

/// Most holds that are listed, the newest.
const HOLDS_MAX: i64 = 500;

/// A hold that is in force.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    pub document: DocumentId,
    /// CAD's number of the call; empty where it has none.
    pub number: String,
    pub at_ms: i64,
    pub by: String,
    pub why: String,
}

/// Whether this document is on hold.
///
/// # Errors
/// When the store fails.
pub fn is_on(connection: &Connection, document: DocumentId) -> Result<bool, LogError> {
    let mut statement = connection
        .prepare_cached("SELECT 1 FROM holds WHERE document = ?1 AND ended_ms IS NULL")?;
    Ok(statement.exists([document.to_bytes()])?)
}

/// The holds on what is this agency's, the newest first.
///
/// # Errors
/// When the store fails.
pub fn in_force(connection: &Connection, agency: &str) -> Result<Vec<Hold>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT document, coalesce(number, ''), at_ms, by, why FROM holds LEFT JOIN calls USING (call)
         WHERE ended_ms IS NULL AND coalesce(agency, ?2) = ?1 ORDER BY hold DESC LIMIT ?3",
    )?;
    let mut rows = statement.query(params![agency, CENTER, HOLDS_MAX])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Hold {
            document: super::document_of(row)?,
            number: row.get(1)?,
            at_ms: row.get(2)?,
            by: row.get(3)?,
            why: row.get(4)?,
        });
    }
    Ok(all)
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
    if is_on(ledger.sql(), document)? {
        return Err(LogError::Conflict("It is on hold already.".into()));
    }
    ledger
        .sql()
        .prepare_cached(
            "INSERT INTO holds (document, call, at_ms, by, why) VALUES (?1, ?2, ?3, ?4, ?5)",
        )?
        .execute(params![
            document.to_bytes(),
            document.call.0.cast_signed(),
            ledger.now_ms(),
            by.name,
            why
        ])?;
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
