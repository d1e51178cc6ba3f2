//! One key a document: what the log keeps of a document's changes is sealed under it
//! (AES-256-GCM), so that a purge which destroys the key destroys the changes wherever
//! copies of them are.
//!
//! A key is random, made with the document's first change, in the same commit. Reading goes
//! by the view `readable`, which opens what has a key and leaves out what has none: a
//! document that was purged has no entries, for whoever asks. A backup has no keys; those
//! are in a file of their own, of which there is one, replaced by each backup
//! (docs/adr/0026-purge.md).
//!
//! The nonce is of the change's own hash, which no other content has.

use std::path::Path;

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use packet::DocumentId;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::ValueRef;
use rusqlite::{Connection, params};

use super::LogError;

pub(super) const KEY_BYTES: usize = 32;

/// What of a change is sealed. Each has a nonce of its own.
#[derive(Debug, Clone, Copy)]
pub(super) enum Part {
    Bytes = 0,
    Brief = 1,
}

/// The key, the hash or the document has not the length that it must have; or what was
/// sealed was altered.
#[derive(Debug, thiserror::Error)]
#[error("what was sealed does not open with its document's key")]
pub(super) struct SealError;

fn key(key: &[u8]) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError)?;
    Ok(LessSafeKey::new(key))
}

fn nonce(hash: &[u8], part: usize) -> Result<Nonce, SealError> {
    let at = part * NONCE_LEN;
    let nonce = hash.get(at..at + NONCE_LEN).ok_or(SealError)?;
    Nonce::try_assume_unique_for_key(nonce).map_err(|_| SealError)
}

pub(super) fn seal(
    document_key: &[u8],
    document: &[u8],
    hash: &[u8],
    part: Part,
    plain: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut sealed = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(plain);
    let nonce = nonce(hash, part as usize)?;
    key(document_key)?
        .seal_in_place_append_tag(nonce, Aad::from(document), &mut sealed)
        .map_err(|_| SealError)?;
    Ok(sealed)
}

fn open(
    document_key: &[u8],
    document: &[u8],
    hash: &[u8],
    part: usize,
    sealed: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut plain = sealed.to_vec();
    let bytes = key(document_key)?
        .open_in_place(nonce(hash, part)?, Aad::from(document), &mut plain)
        .map_err(|_| SealError)?
        .len();
    plain.truncate(bytes);
    Ok(plain)
}

/// Teaches this connection `opened(key, document, hash, part, sealed)`, by which the view
/// `readable` reads.
pub(super) fn teach(connection: &Connection) -> rusqlite::Result<()> {
    fn opened(context: &Context<'_>) -> rusqlite::Result<Option<Vec<u8>>> {
        let blob = |at: usize| Ok::<_, rusqlite::Error>(context.get_raw(at).as_blob()?);
        if matches!(context.get_raw(4), ValueRef::Null) {
            return Ok(None);
        }
        let part = context.get(3)?;
        let plain = open(blob(0)?, blob(1)?, blob(2)?, part, blob(4)?);
        let plain = plain.map_err(|e| rusqlite::Error::UserFunctionError(e.into()))?;
        Ok(Some(plain))
    }
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("opened", 5, flags, opened)
}

/// Seals what was logged before there were keys: in the commit that makes their table.
pub(super) fn seal_all(connection: &Connection) -> rusqlite::Result<()> {
    let failed = |e: SealError| rusqlite::Error::UserFunctionError(e.into());
    let mut documents = connection.prepare("SELECT DISTINCT document FROM changes")?;
    let mut add_key = connection.prepare("INSERT INTO document_keys VALUES (?1, ?2)")?;
    let mut all =
        connection.prepare("SELECT seq, hash, bytes, brief FROM changes WHERE document = ?1")?;
    let mut update =
        connection.prepare("UPDATE changes SET bytes = ?2, brief = ?3 WHERE seq = ?1")?;
    let documents: Vec<Vec<u8>> = documents
        .query_map([], |row| row.get(0))?
        .collect::<Result<_, _>>()?;
    for document in documents {
        let mut key = [0; KEY_BYTES];
        rand::fill(&mut key).map_err(|_| failed(SealError))?;
        add_key.execute(params![document, key])?;
        let mut rows = all.query([&document])?;
        while let Some(row) = rows.next()? {
            let (seq, hash): (i64, Vec<u8>) = (row.get(0)?, row.get(1)?);
            let (bytes, brief): (Vec<u8>, Option<Vec<u8>>) = (row.get(2)?, row.get(3)?);
            let sealed =
                |part, plain: &[u8]| seal(&key, &document, &hash, part, plain).map_err(failed);
            let brief = brief.map(|brief| sealed(Part::Brief, &brief)).transpose()?;
            update.execute(params![seq, sealed(Part::Bytes, &bytes)?, brief])?;
        }
    }
    Ok(())
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

/// Moves the keys of this copy of the log into the new file `to`, under the log's own key,
/// with what was purged. In the copy no word of a document is left but under its key.
pub(super) fn part(copy: &Connection, key: &[u8; 32], to: &Path) -> Result<(), LogError> {
    attach(copy, key, to)?;
    copy.execute_batch(
        "CREATE TABLE kept.document_keys AS SELECT * FROM main.document_keys;
         CREATE TABLE kept.purges AS SELECT * FROM main.purges;
         DETACH kept;
         PRAGMA secure_delete = ON;
         DELETE FROM document_keys;",
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

    const KEY: [u8; KEY_BYTES] = [1; KEY_BYTES];
    const HASH: [u8; 32] = [2; 32];

    #[test]
    fn what_was_sealed_opens_with_its_key_as_what_it_was_and_with_nothing_else() {
        let sealed = seal(&KEY, b"document", &HASH, Part::Bytes, b"armed").unwrap();
        let bytes = Part::Bytes as usize;
        assert_eq!(
            open(&KEY, b"document", &HASH, bytes, &sealed).unwrap(),
            b"armed"
        );
        let mut altered = sealed.clone();
        altered[0] ^= 1;
        for opened in [
            open(&[3; 32], b"document", &HASH, bytes, &sealed),
            open(&KEY, b"another", &HASH, bytes, &sealed),
            open(&KEY, b"document", &[4; 32], bytes, &sealed),
            open(&KEY, b"document", &HASH, bytes, &altered),
            open(&KEY, b"document", &HASH, bytes, b""),
            open(b"short", b"document", &HASH, bytes, &sealed),
        ] {
            opened.unwrap_err();
        }
        let mut other_half = HASH;
        other_half[20] = 9;
        open(
            &KEY,
            b"document",
            &other_half,
            Part::Brief as usize,
            &sealed,
        )
        .unwrap_err();
    }
}
