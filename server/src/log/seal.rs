//! One key a document: what the log keeps of a document's changes is sealed under it
//! ([`packet::sealed`]), so that a purge which destroys the key destroys the changes wherever
//! copies of them are.
//!
//! A key is random, made with the document's first change, in the same commit. Reading goes
//! by the view `readable`, which opens what has a key and leaves out what has none: a
//! document that was purged has no entries, for whoever asks. A backup has no keys; those
//! are in a file of their own, of which there is one, replaced by each backup
//! (docs/adr/0026-purge.md).

use std::path::Path;

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use packet::DocumentId;
use packet::sealed::{self, KEY_BYTES, NONCE_BYTES, SealError};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::LogError;

/// What of a change is sealed; none opens as the other.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Bytes = 0,
    Brief = 1,
}

fn place(document: &[u8], hash: &[u8], part: u8) -> Vec<u8> {
    [document, hash, &[part]].concat()
}

pub(super) fn seal(
    key: &[u8; KEY_BYTES],
    document: DocumentId,
    hash: &[u8],
    part: Part,
    nonce: [u8; NONCE_BYTES],
    plain: &[u8],
) -> Result<Vec<u8>, LogError> {
    let place = place(&document.to_bytes(), hash, part as u8);
    sealed::seal(key, &place, nonce, plain).map_err(|e| LogError::Store(e.to_string()))
}

/// Teaches this connection `opened(key, document, hash, part, sealed)`, by which the view
/// `readable` reads; and, for the migration that sealed what was there, `sealed` of the same
/// and `fresh_key()`.
pub(super) fn teach(connection: &Connection) -> rusqlite::Result<()> {
    type Work = fn(&[u8; KEY_BYTES], &[u8], &[u8]) -> Result<Vec<u8>, SealError>;
    fn with(context: &Context<'_>, work: Work) -> rusqlite::Result<Option<Vec<u8>>> {
        let failed = |e: SealError| rusqlite::Error::UserFunctionError(e.into());
        let blob = |at: usize| Ok::<_, rusqlite::Error>(context.get_raw(at).as_blob()?);
        if matches!(context.get_raw(4), ValueRef::Null) {
            return Ok(None);
        }
        let key = blob(0)?.try_into().map_err(|_| failed(SealError))?;
        let place = place(blob(1)?, blob(2)?, context.get(3)?);
        work(key, &place, blob(4)?).map(Some).map_err(failed)
    }
    fn fresh<const BYTES: usize>() -> Result<[u8; BYTES], SealError> {
        let mut bytes = [0; BYTES];
        rand::fill(&mut bytes).map_err(|_| SealError)?;
        Ok(bytes)
    }
    let flags = FunctionFlags::SQLITE_UTF8;
    let opened = |context: &Context<'_>| with(context, sealed::open);
    let is_same = FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("opened", 5, flags | is_same, opened)?;
    connection.create_scalar_function("sealed", 5, flags, |context| {
        with(context, |key, place, plain| {
            sealed::seal(key, place, fresh()?, plain)
        })
    })?;
    connection.create_scalar_function("fresh_key", 0, flags, |_| {
        fresh::<KEY_BYTES>().map_err(|e| rusqlite::Error::UserFunctionError(e.into()))
    })
}

/// How many documents have neither a key nor a purge that says why: what they had can not be
/// read any more.
pub(super) fn without_key(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row(
        "SELECT count(*) FROM (SELECT document FROM changes EXCEPT
             SELECT document FROM document_keys EXCEPT SELECT document FROM purges)",
        [],
        |row| row.get(0),
    )
}

/// Whether this is a copy whose keys were moved out, and not brought back.
pub(super) fn is_parted(connection: &Connection) -> rusqlite::Result<bool> {
    let mut statement =
        connection.prepare("SELECT 1 FROM meta WHERE name = 'keys_are_elsewhere'")?;
    statement.exists([])
}

/// Moves the keys of this copy of the log into the new file `to`, under the log's own key,
/// with what was purged. In the copy no word of a document is left but under its key.
pub(super) fn part(copy: &Connection, key: &[u8; 32], to: &Path) -> Result<(), LogError> {
    attach(copy, key, to)?;
    copy.execute_batch(
        "CREATE TABLE kept.document_keys AS SELECT * FROM main.document_keys;
         CREATE TABLE kept.purges AS SELECT * FROM main.purges;
         DETACH kept;
         PRAGMA secure_delete = ON;
         DELETE FROM document_keys;
         INSERT INTO meta VALUES ('keys_are_elsewhere', 1);",
    )?;
    crate::search::index::leave_out(copy)?;
    copy.execute_batch("VACUUM")?;
    Ok(())
}

/// Brings the keys of a restored copy back, and purges in it what was purged since.
pub(super) fn join(copy: &mut Connection, key: &[u8; 32], from: &Path) -> Result<(), LogError> {
    attach(copy, key, from)?;
    let transaction = copy.transaction()?;
    transaction.execute_batch(
        "INSERT INTO main.document_keys SELECT document, key FROM kept.document_keys
             WHERE document IN (SELECT document FROM changes);",
    )?;
    let purged: Vec<Vec<u8>> = transaction
        .prepare("SELECT document FROM kept.purges WHERE document NOT IN (SELECT document FROM main.purges)")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    transaction.execute_batch("INSERT OR IGNORE INTO main.purges SELECT * FROM kept.purges;")?;
    for document in purged {
        let document =
            DocumentId::from_bytes(&document).map_err(|e| LogError::Store(e.to_string()))?;
        crate::retention::purge::forget(&transaction, document)?;
    }
    transaction.execute("DELETE FROM meta WHERE name = 'keys_are_elsewhere'", [])?;
    transaction.commit()?;
    copy.execute_batch("DETACH kept;")?;
    Ok(())
}

fn attach(connection: &Connection, key: &[u8; 32], path: &Path) -> Result<(), LogError> {
    let key = format!("x'{}'", HEXLOWER.encode(key));
    connection.execute(
        "ATTACH ?1 AS kept KEY ?2",
        params![path.to_string_lossy(), key],
    )?;
    // A file of another center's does not open, and is told here.
    connection.query_row("SELECT count(*) FROM kept.sqlite_schema", [], |_| Ok(()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_sealed_twice_is_never_sealed_alike_and_no_part_opens_as_the_other() {
        let connection = Connection::open_in_memory().unwrap();
        teach(&connection).unwrap();
        let ask = |sql: &str| -> rusqlite::Result<bool> {
            connection.query_row(sql, [], |row| row.get(0))
        };
        let sealed = |part| format!("sealed(zeroblob(32), x'01', x'02', {part}, x'aabb')");
        let opened = |part, of: &str| format!("opened(zeroblob(32), x'01', x'02', {part}, {of})");
        let same = ask(&format!("SELECT {} = {}", sealed(0), sealed(0)));
        assert!(!same.unwrap(), "a nonce is used once");
        let back = ask(&format!("SELECT {} = x'aabb'", opened(1, &sealed(1))));
        assert!(back.unwrap());
        ask(&format!("SELECT {} = x'aabb'", opened(1, &sealed(0)))).unwrap_err();
        let key = ask("SELECT length(fresh_key()) = 32 AND fresh_key() <> fresh_key()");
        assert!(key.unwrap());
    }
}
