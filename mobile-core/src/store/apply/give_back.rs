//! A center that was restored from a backup, given back what it lost.
//!
//! Everything that was in its log is offered to it once more, in the order that it had:
//! what this device wrote with its signature, from the outbox as ever; what others wrote
//! with the center's own MAC, which came with it. Until the center has answered, all of it
//! is unsent work: it survives restarts and what the center grants or revokes meanwhile.
//! A packet that the center does not know yet is kept whole until it was given back, and
//! leaves then unless it was granted again.

use packet::{CallId, ChangeHash, DocumentId};
use rusqlite::OptionalExtension;

use super::super::meta::{document, get_u64, set_u64};
use super::super::read::documents_of;
use super::{Session, StoreError};

impl Session<'_> {
    /// Another log begins: nothing that is here is there.
    pub(super) fn give_back(&mut self) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        // What was left over from an earlier loss comes after what this log had already.
        tx.execute(
            "UPDATE changes SET seq = NULL, again = place.again FROM (
                 SELECT n, row_number() OVER (ORDER BY seq IS NULL, seq, again, n) AS again FROM changes
                 WHERE (seq IS NOT NULL OR again IS NOT NULL)
                   AND (length(mac) = 16 OR (signature IS NOT NULL AND entry IS NOT NULL))) AS place
             WHERE changes.n = place.n",
            [],
        )?;
        tx.execute(
            "UPDATE changes SET seq = NULL WHERE seq IS NOT NULL AND again IS NULL",
            [],
        )?;
        // Receipts speak of the numbers that the lost log gave.
        tx.execute_batch("DELETE FROM seen; DELETE FROM shown;")?;
        set_u64(tx, "receipts", 0)?;
        self.offer_mine_again()?;
        let mut statement =
            tx.prepare("SELECT DISTINCT doc FROM changes WHERE again IS NOT NULL")?;
        for id in statement.query_and_then([], |row| document(&row.get::<_, Vec<u8>>(0)?))? {
            self.rewritten.insert(id?);
        }
        self.desk.lineages.clear();
        Ok(())
    }

    /// Mine that the lost log had go into the outbox again, before what it never had.
    fn offer_mine_again(&mut self) -> Result<(), StoreError> {
        const MINE: &str = "FROM changes
             WHERE again IS NOT NULL AND signature IS NOT NULL AND entry IS NOT NULL ORDER BY again";
        let tx = self.desk.tx;
        let mut statement = tx.prepare(&format!("SELECT hash, doc, bytes, signature {MINE}"))?;
        let mine = statement
            .query_and_then([], |row| {
                Ok((
                    ChangeHash(row.get(0)?),
                    document(&row.get::<_, Vec<u8>>(1)?)?,
                    row.get(2)?,
                    row.get(3)?,
                ))
            })?
            .collect::<Result<Vec<(_, _, Vec<u8>, Vec<u8>)>, StoreError>>()?;
        for (hash, document, bytes, signature) in mine {
            self.desk.seal(document, hash, &bytes, &signature)?;
        }
        let newest: i64 = tx.query_row("SELECT coalesce(max(n), 0) FROM outbox", [], |row| {
            row.get(0)
        })?;
        tx.execute_batch(&format!(
            "DELETE FROM outbox WHERE hash IN (SELECT hash FROM changes WHERE again IS NOT NULL);
             INSERT INTO outbox (hash, doc, entry, kind, fields, clock_off_ms, author_ms, bytes, signature)
                 SELECT hash, doc, entry, kind, fields, clock_off_ms, author_ms, bytes, signature {MINE}"
        ))?;
        tx.execute(
            "UPDATE outbox SET n = n + (SELECT max(n) FROM outbox) WHERE n <= ?1 AND refused IS NULL",
            [newest],
        )?;
        // Numbers only ever grow, or what is written next would be taken for known.
        tx.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, (SELECT coalesce(max(n), 0) FROM outbox))
             WHERE name = 'outbox'",
            [],
        )?;
        Ok(())
    }

    /// Whether anything of this call is still to be given back.
    pub(super) fn is_given_back(&self, call: CallId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM changes WHERE doc BETWEEN ?1 AND ?2 AND again IS NOT NULL)";
        let mut statement = self.desk.tx.prepare_cached(sql)?;
        Ok(statement.query_row(documents_of(call), |row| row.get(0))?)
    }

    /// The center has answered about some of this call. When it has about all, and has said
    /// before what it grants, what is not granted goes.
    pub(super) fn let_go(&mut self, call: CallId) -> Result<(), StoreError> {
        let tx = self.desk.tx;
        let mut statement = tx.prepare_cached(
            "SELECT doc FROM documents WHERE doc BETWEEN ?1 AND ?2 AND standing = 2",
        )?;
        let left = statement
            .query_and_then(documents_of(call), |row| {
                document(&row.get::<_, Vec<u8>>(0)?)
            })?
            .collect::<Result<Vec<DocumentId>, _>>()?;
        if left.is_empty() || get_u64(tx, "position")? == 0 || self.is_given_back(call)? {
            return Ok(());
        }
        left.into_iter().try_for_each(|id| self.ungrant(id))
    }

    /// A change that was given back and is refused: if it is another's, the center's word
    /// is that it goes. Mine is kept like any that is refused.
    pub(super) fn is_not_taken_back(&mut self, hash: ChangeHash) -> Result<bool, StoreError> {
        let tx = self.desk.tx;
        let given_back: Option<(Vec<u8>, bool)> = tx
            .prepare_cached(
                "UPDATE changes SET again = NULL WHERE hash = ?1 AND again IS NOT NULL RETURNING doc, mine",
            )?
            .query_row([hash.0], |row| Ok((row.get(0)?, row.get(1)?)))
            .optional()?;
        let Some((place, mine)) = given_back else {
            return Ok(false);
        };
        let id = document(&place)?;
        if mine {
            // One that came down after the store was lost has no row there, and no signature.
            tx.execute(
                "INSERT OR IGNORE INTO outbox (hash, doc, entry, kind, fields, clock_off_ms, author_ms, bytes, signature)
                 SELECT hash, doc, entry, kind, fields, clock_off_ms, author_ms, bytes, x'' FROM changes
                 WHERE hash = ?1",
                [hash.0],
            )?;
            return Ok(false);
        }
        tx.execute("DELETE FROM changes WHERE hash = ?1", [hash.0])?;
        self.desk.lineages.forget(id);
        self.let_go(id.call)?;
        Ok(true)
    }
}
