//! One key a document: what the log keeps of a document's changes is sealed under it
//! ([`packet::sealed`]), so that a purge which destroys the key destroys the changes wherever
//! copies of them are.
//!
//! A key is random, made with the document's first change, in the same commit. Reading goes
//! by the view `readable`, which opens what has a key and leaves out what has none: a
//! document that was purged has no entries, for whoever asks. An attachment's content has a
//! key of its own, since several documents may name it ([`crate::attachments`]). A backup has
//! none of these keys, and nothing that stands beside the log about a document but under its
//! key ([`about`]); the keys are in a file of their own, of which there is one, replaced by
//! each backup (docs/adr/0026-purge.md).

use std::path::Path;

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use packet::sealed::{self, KEY_BYTES, NONCE_BYTES, SealError};
use packet::{CallId, Compartment, DocumentId};
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::{LogError, about};

/// What of a change is sealed; none opens as the other. (In SQL besides: 2, a chunk of a
/// content; 3, a row beside the log in a backup.)
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
/// `readable` reads, and `sealed` of the same; a place may be named by numbers and words as
/// well. And `fresh_key()`, and `document_of(call, compartment)`.
pub(super) fn teach(connection: &Connection) -> rusqlite::Result<()> {
    type Work = fn(&[u8; KEY_BYTES], &[u8], &[u8]) -> Result<Vec<u8>, SealError>;
    fn with(context: &Context<'_>, work: Work) -> rusqlite::Result<Option<Vec<u8>>> {
        let failed = |e: SealError| rusqlite::Error::UserFunctionError(e.into());
        let blob = |at: usize| Ok::<_, rusqlite::Error>(context.get_raw(at).as_blob()?);
        if matches!(context.get_raw(4), ValueRef::Null) {
            return Ok(None);
        }
        let named = |at: usize| match context.get_raw(at) {
            ValueRef::Integer(number) => Ok(number.to_be_bytes().to_vec()),
            ValueRef::Text(bytes) => Ok(bytes.to_vec()),
            _ => blob(at).map(<[u8]>::to_vec),
        };
        let key = blob(0)?.try_into().map_err(|_| failed(SealError))?;
        let place = place(&named(1)?, &named(2)?, context.get(3)?);
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
    })?;
    connection.create_scalar_function("document_of", 2, flags | is_same, |context| {
        let call: Option<i64> = context.get(0)?;
        let compartment = Compartment::from_number(context.get(1)?);
        let call = call.map(|call| CallId(call.cast_unsigned()));
        let document = call.zip(compartment);
        Ok(document.map(|(call, compartment)| DocumentId::new(call, compartment).to_bytes()))
    })
}

/// How many documents and contents have neither a key nor a purge that says why: what they
/// had can not be read any more.
pub(super) fn without_key(connection: &Connection) -> rusqlite::Result<u64> {
    let beside = if about::is_sealed(connection)? {
        "UNION SELECT owner FROM sealed_rows"
    } else {
        ""
    };
    connection.query_row(
        &format!(
            "SELECT count(*) FROM (SELECT document FROM changes {beside} EXCEPT
                 SELECT document FROM document_keys EXCEPT SELECT document FROM purges)"
        ),
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
pub(super) fn part(copy: &mut Connection, key: &[u8; 32], to: &Path) -> Result<(), LogError> {
    attach(copy, key, to)?;
    copy.execute_batch(
        "CREATE TABLE kept.document_keys AS SELECT * FROM main.document_keys;
         CREATE TABLE kept.content_keys AS SELECT * FROM main.content_keys;
         CREATE TABLE kept.purges AS SELECT * FROM main.purges;
         DETACH kept;
         PRAGMA secure_delete = ON;",
    )?;
    let transaction = copy.transaction()?;
    about::seal(&transaction)?;
    crate::search::index::leave_out(&transaction)?;
    transaction.execute_batch(
        "DELETE FROM document_keys;
         DELETE FROM content_keys;
         INSERT INTO meta VALUES ('keys_are_elsewhere', 1);",
    )?;
    transaction.commit()?;
    copy.execute_batch("VACUUM")?;
    Ok(())
}

/// Brings the keys of a restored copy back, and with them what is sealed in it. Returns what
/// was purged since it was made, for [`purge_again`]. The copy is of the version that made it:
/// no migration has met what was sealed.
pub(super) fn join(
    copy: &mut Connection,
    key: &[u8; 32],
    from: &Path,
) -> Result<Vec<DocumentId>, LogError> {
    attach(copy, key, from)?;
    let is_sealed = about::is_sealed(copy)?;
    let has_content_keys = copy
        .prepare("SELECT 1 FROM kept.sqlite_schema WHERE name = 'content_keys'")?
        .exists([])?;
    let transaction = copy.transaction()?;
    let beside = if is_sealed {
        "OR document IN (SELECT owner FROM sealed_rows)"
    } else {
        ""
    };
    transaction.execute_batch(&format!(
        "INSERT OR IGNORE INTO main.document_keys SELECT document, key FROM kept.document_keys
             WHERE document IN (SELECT document FROM changes) {beside};"
    ))?;
    if is_sealed && has_content_keys {
        transaction.execute_batch(
            "INSERT INTO main.content_keys SELECT content, key FROM kept.content_keys
                 WHERE content IN (SELECT owner FROM sealed_rows);",
        )?;
    }
    let purged: Vec<Vec<u8>> = transaction
        .prepare("SELECT document FROM kept.purges WHERE document NOT IN (SELECT document FROM main.purges)")?
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    transaction.execute_batch("INSERT OR IGNORE INTO main.purges SELECT * FROM kept.purges;")?;
    if is_sealed {
        about::open(&transaction)?;
    }
    if without_key(&transaction)? == 0 {
        transaction.execute_batch(
            "DELETE FROM meta WHERE name = 'keys_are_elsewhere';
             DROP TABLE IF EXISTS sealed_rows;
             DROP TABLE IF EXISTS content_names;",
        )?;
    }
    transaction.commit()?;
    copy.execute_batch("DETACH kept;")?;
    purged
        .iter()
        .map(|id| DocumentId::from_bytes(id).map_err(|e| LogError::Store(e.to_string())))
        .collect()
}

/// What [`join`] found purged since, in the copy that is of this version now: one of before
/// has it in the clear, and every one has its empty places.
pub(super) fn purge_again(copy: &mut Connection, purged: &[DocumentId]) -> Result<(), LogError> {
    let transaction = copy.transaction()?;
    for document in purged {
        crate::retention::purge::forget(&transaction, *document)?;
    }
    transaction.commit()?;
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
