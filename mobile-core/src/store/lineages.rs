//! What is known of documents' histories, rebuilt from the changes when needed.

use std::collections::HashMap;

use packet::{ChangeHash, DocumentId, EntryId, Lineage};
use rusqlite::Transaction;

use super::StoreError;

/// Documents whose histories are kept in memory: those that an officer writes to now.
const LINEAGES_MAX: usize = 32;

#[derive(Default)]
pub(crate) struct Lineages {
    kept: HashMap<DocumentId, Lineage>,
}

impl Lineages {
    /// The document's history: what the center has, and what it is going to be offered or
    /// given back. A change that is neither is no ground to stand on.
    pub(super) fn of(
        &mut self,
        tx: &Transaction<'_>,
        document: DocumentId,
    ) -> Result<&mut Lineage, StoreError> {
        if !self.kept.contains_key(&document) {
            if self.kept.len() >= LINEAGES_MAX {
                self.kept.clear();
            }
            self.kept.insert(document, rebuild(tx, document)?);
        }
        Ok(self.kept.entry(document).or_default())
    }

    /// A change came that may not be in a history yet.
    pub(super) fn add(&mut self, document: DocumentId, hash: ChangeHash, id: EntryId, max_op: u64) {
        if let Some(lineage) = self.kept.get_mut(&document) {
            lineage.add(hash, id, max_op);
        }
    }

    pub(super) fn forget(&mut self, document: DocumentId) {
        self.kept.remove(&document);
    }

    pub(super) fn clear(&mut self) {
        self.kept.clear();
    }
}

fn rebuild(tx: &Transaction<'_>, document: DocumentId) -> Result<Lineage, StoreError> {
    let mut lineage = Lineage::default();
    let mut statement = tx.prepare_cached(
        "SELECT hash, entry, max_op FROM changes WHERE doc = ?1 AND entry IS NOT NULL
         AND (seq IS NOT NULL OR again IS NOT NULL
              OR hash IN (SELECT hash FROM outbox WHERE doc = ?1 AND refused IS NULL))
         ORDER BY seq IS NULL, seq, again IS NULL, again, n",
    )?;
    let mut rows = statement.query([document.to_bytes()])?;
    while let Some(row) = rows.next()? {
        let entry: String = row.get(1)?;
        let id = entry
            .parse()
            .map_err(|_| StoreError::Damaged("an entry's id"))?;
        let max_op: i64 = row.get(2)?;
        lineage.add(ChangeHash(row.get(0)?), id, max_op.cast_unsigned());
    }
    Ok(lineage)
}
