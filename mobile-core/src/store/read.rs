//! What screens and the sync driver read.

use std::collections::BTreeMap;

use packet::{CallId, ChangeHash, Compartment, DocumentId, Entry, EntryId, Proof};
use rusqlite::{Rows, Transaction};
use sync::device::{Kept, Unsent};
use sync::limits::EXCEPTIONS_MAX;

use super::leases::Leases;
use super::meta::{WANTS_WHOLE, document, get_u64};
use super::rows::{CHANGE_COLUMNS, REFUSED_COLUMNS, Row, change, refused};
use super::{Store, StoreError};

/// The sync machine's beginning, and how far it has read the outbox.
#[derive(Debug)]
pub(crate) struct Loaded {
    pub(crate) kept: Kept,
    pub(crate) outbox_high: i64,
}

/// A document that was on a lit, unlocked screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ShownRow {
    pub(crate) document: DocumentId,
    pub(crate) through: u64,
    pub(crate) at_ms: i64,
}

/// What a list of packets is made of.
#[derive(Debug, Default)]
pub(crate) struct PacketRows {
    /// Facts, cautions and what speaks of them, in the order of the log.
    pub(crate) entries: Vec<Row>,
    pub(crate) newest_ms: i64,
    pub(crate) unsent: usize,
    pub(crate) opened_here: bool,
}

/// What the center has in its order, what it had and lost in the order of before, my newer
/// unsent entries last.
const LOG_ORDER: &str = "seq IS NULL, seq, again IS NULL, again, n";
/// What only waits to be given back of a packet that the officer may not have any more.
pub(super) const IS_HIDDEN: &str = "(again IS NOT NULL AND mine = 0 AND NOT EXISTS (
     SELECT 1 FROM documents WHERE documents.doc = changes.doc AND (standing > 0 OR opened = 1)))";

/// The first and the last document of a call, by key.
pub(super) fn documents_of(call: CallId) -> ([u8; 9], [u8; 9]) {
    let [first, .., last] = Compartment::ALL;
    (
        DocumentId::new(call, first).to_bytes(),
        DocumentId::new(call, last).to_bytes(),
    )
}

/// What is unsent, from the outbox's rows after `after`, and the last row's number.
fn outbox_after(tx: &Transaction<'_>, after: i64) -> Result<(Vec<Unsent>, i64), StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT n, doc, hash, bytes, signature, NULL, NULL, 0 FROM outbox WHERE n > ?1 AND refused IS NULL ORDER BY n",
    )?;
    unsent(statement.query([after])?, after, None)
}

/// All that is to be offered, and the outbox's last row. In each document what the center
/// had and lost comes first, in the order that it had, others' changes among mine: each
/// stands on what came before it.
pub(super) fn all_unsent(
    tx: &Transaction<'_>,
    leases: &Leases,
) -> Result<(Vec<Unsent>, i64), StoreError> {
    let mut statement = tx.prepare_cached(
        "SELECT * FROM (
             SELECT outbox.n, outbox.doc, outbox.hash, outbox.bytes, outbox.signature, NULL, again, 0
             FROM outbox LEFT JOIN changes ON changes.hash = outbox.hash WHERE refused IS NULL
             UNION ALL
             SELECT 0, doc, hash, bytes, NULL, mac, again, kind = 'sealed' FROM changes
             WHERE again IS NOT NULL AND hash NOT IN (SELECT hash FROM outbox))
         ORDER BY again IS NULL, again, n",
    )?;
    unsent(statement.query([])?, 0, Some(leases))
}

/// What is under its document's own key is opened; what cannot be, stays.
fn unsent(
    mut rows: Rows<'_>,
    after: i64,
    leases: Option<&Leases>,
) -> Result<(Vec<Unsent>, i64), StoreError> {
    let (mut unsent, mut high) = (Vec::new(), after);
    while let Some(row) = rows.next()? {
        high = high.max(row.get(0)?);
        let signature: Option<Vec<u8>> = row.get(4)?;
        let document = document(&row.get::<_, Vec<u8>>(1)?)?;
        let hash = ChangeHash(row.get(2)?);
        let mut bytes: Vec<u8> = row.get(3)?;
        if row.get::<_, bool>(7)? {
            match leases.and_then(|leases| leases.unseal(document, hash, &bytes)) {
                Some(plain) => bytes = plain,
                None => continue,
            }
        }
        unsent.push(Unsent {
            document,
            hash,
            bytes,
            proof: match signature {
                Some(signature) => Proof::Signature(signature),
                None => Proof::CenterMac(row.get(5)?),
            },
        });
    }
    Ok((unsent, high))
}

fn any_is_over(tx: &Transaction<'_>) -> Result<bool, StoreError> {
    let sql = "SELECT EXISTS (SELECT 1 FROM documents WHERE standing = 1 AND leased = 2)";
    Ok(tx.prepare_cached(sql)?.query_row([], |row| row.get(0))?)
}

/// What a line in the list of packets is made of.
fn is_of_list(row: &Row) -> bool {
    matches!(
        row.written.entry,
        Entry::Facts(_) | Entry::Caution(_) | Entry::Acknowledgement(_) | Entry::Correction(_)
    )
}

impl Store {
    pub(crate) fn load(&self) -> Result<Loaded, StoreError> {
        self.read(|tx| {
            let mut statement =
                tx.prepare_cached("SELECT doc, apart FROM documents WHERE standing = 1")?;
            let documents = statement
                .query_and_then([], |row| {
                    let apart: Option<i64> = row.get(1)?;
                    let id = document(&row.get::<_, Vec<u8>>(0)?)?;
                    Ok((id, apart.map(i64::cast_unsigned)))
                })?
                .collect::<Result<Vec<_>, StoreError>>()?;
            let (outbox, outbox_high) = all_unsent(tx, &self.0.leases)?;
            // Of documents whose lease has ended the center knows by the hello's list alone.
            // Where not all fit, it has to ask what is here.
            let apart = documents.iter().filter(|(_, apart)| apart.is_some());
            let is_said = apart.count() <= EXCEPTIONS_MAX || !any_is_over(tx)?;
            let kept = Kept {
                incarnation: get_u64(tx, "incarnation")?,
                position: get_u64(tx, "position")?,
                digest: if is_said { get_u64(tx, "digest")? } else { 0 },
                dictionary: u16::try_from(get_u64(tx, "dictionary")?).unwrap_or(0),
                documents,
                wants_whole: get_u64(tx, WANTS_WHOLE)? == 1,
                receipts: get_u64(tx, "receipts")?,
                outbox,
            };
            Ok(Loaded { kept, outbox_high })
        })
    }

    pub(crate) fn outbox_after(&self, after: i64) -> Result<(Vec<Unsent>, i64), StoreError> {
        self.read(|tx| outbox_after(tx, after))
    }

    /// How much is unsent, without what was refused.
    pub(crate) fn outbox_len(&self) -> Result<usize, StoreError> {
        self.read(|tx| {
            let sql = "SELECT count(*) FROM outbox WHERE refused IS NULL";
            let unsent: u32 = tx.query_row(sql, [], |row| row.get(0))?;
            Ok(unsent as usize)
        })
    }

    /// The changes that wait: sealed files of others have lost their store.
    pub(crate) fn is_waiting(&self, hash: ChangeHash) -> Result<bool, StoreError> {
        self.read(|tx| {
            let sql = "SELECT EXISTS (SELECT 1 FROM outbox WHERE hash = ?1)";
            Ok(tx.query_row(sql, [hash.0], |row| row.get(0))?)
        })
    }

    pub(crate) fn packets(&self) -> Result<BTreeMap<CallId, PacketRows>, StoreError> {
        self.read(|tx| {
            let mut packets: BTreeMap<CallId, PacketRows> = BTreeMap::new();
            let mut statement = tx.prepare_cached(
                "SELECT doc, opened FROM documents
                 WHERE standing > 0 OR opened = 1 OR EXISTS (SELECT 1 FROM outbox WHERE outbox.doc = documents.doc)",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let call = document(&row.get::<_, Vec<u8>>(0)?)?.call;
                packets.entry(call).or_default().opened_here |= row.get::<_, bool>(1)?;
            }
            let mut statement = tx.prepare_cached(&format!(
                "SELECT doc, max(coalesce(received_ms, author_ms, 0)) FROM changes
                 WHERE NOT {IS_HIDDEN} GROUP BY doc"
            ))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let call = document(&row.get::<_, Vec<u8>>(0)?)?.call;
                let packet = packets.entry(call).or_default();
                packet.newest_ms = packet.newest_ms.max(row.get(1)?);
            }
            // An attachment whose entry is at the center, and whose content is not, is unsent.
            let mut statement = tx.prepare_cached(
                "SELECT doc, count(*) FROM (
                     SELECT doc FROM outbox WHERE refused IS NULL
                     UNION ALL SELECT doc FROM puts WHERE refused IS NULL AND ready = 1)
                 GROUP BY doc",
            )?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let call = document(&row.get::<_, Vec<u8>>(0)?)?.call;
                packets.entry(call).or_default().unsent += row.get::<_, u32>(1)? as usize;
            }
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {CHANGE_COLUMNS} FROM changes
                 WHERE kind IN ('facts', 'caution', 'acknowledgement', 'correction', 'sealed') AND NOT {IS_HIDDEN}
                 ORDER BY {LOG_ORDER}"
            ))?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let Some(row) = change(row, &self.0.leases)?.filter(is_of_list) else {
                    continue;
                };
                let packet = packets.entry(row.document.call).or_default();
                packet.entries.push(row);
            }
            Ok(packets)
        })
    }

    /// All entries of a packet in the order of the log, my unsent and refused ones last;
    /// `None` where the packet is not here.
    pub(crate) fn packet(&self, call: CallId) -> Result<Option<Vec<Row>>, StoreError> {
        let (first, last) = documents_of(call);
        self.read(|tx| {
            let here: bool = tx
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM documents WHERE doc BETWEEN ?1 AND ?2
                     AND (standing > 0 OR opened = 1 OR EXISTS (SELECT 1 FROM outbox WHERE outbox.doc = documents.doc)))",
                )?
                .query_row((first, last), |row| row.get(0))?;
            if !here {
                return Ok(None);
            }
            let mut entries = tx
                .prepare_cached(&format!(
                    "SELECT {CHANGE_COLUMNS} FROM changes
                     WHERE doc BETWEEN ?1 AND ?2 AND NOT {IS_HIDDEN} ORDER BY {LOG_ORDER}"
                ))?
                .query_and_then((first, last), |row| change(row, &self.0.leases))?
                .filter_map(Result::transpose)
                .collect::<Result<Vec<_>, _>>()?;
            let mut statement = tx.prepare_cached(&format!(
                "SELECT {REFUSED_COLUMNS} FROM outbox
                 WHERE doc BETWEEN ?1 AND ?2 AND refused IS NOT NULL ORDER BY n"
            ))?;
            for row in statement.query_and_then((first, last), refused)? {
                entries.push(row?);
            }
            Ok(Some(entries))
        })
    }

    /// Who saw how far of which of the call's documents, and when.
    pub(crate) fn seen(
        &self,
        call: CallId,
    ) -> Result<Vec<(DocumentId, u64, String, i64)>, StoreError> {
        self.read(|tx| {
            tx.prepare_cached(
                "SELECT doc, through, who, at_ms FROM seen WHERE doc BETWEEN ?1 AND ?2 ORDER BY at_ms",
            )?
            .query_and_then(documents_of(call), |row| {
                let through: i64 = row.get(1)?;
                let id = document(&row.get::<_, Vec<u8>>(0)?)?;
                Ok((id, through.cast_unsigned(), row.get(2)?, row.get(3)?))
            })?
            .collect()
        })
    }

    /// Whether the document has this entry.
    pub(crate) fn has(&self, document: DocumentId, id: EntryId) -> Result<bool, StoreError> {
        self.read(|tx| {
            Ok(tx
                .prepare_cached(
                    "SELECT EXISTS (SELECT 1 FROM changes WHERE doc = ?1 AND entry = ?2)",
                )?
                .query_row((document.to_bytes(), id.to_string()), |row| row.get(0))?)
        })
    }

    /// The call's documents were on a lit, unlocked screen with all that is here of them.
    /// Says whether that is news.
    pub(crate) fn show(&self, call: CallId, at_ms: i64) -> Result<bool, StoreError> {
        let (first, last) = documents_of(call);
        // Most looks are at what was seen before: they write nothing.
        let news = "SELECT doc, max(seq) AS through FROM changes
             WHERE doc BETWEEN ?1 AND ?2 AND seq IS NOT NULL GROUP BY doc
             HAVING through > coalesce((SELECT shown.through FROM shown WHERE shown.doc = changes.doc), 0)";
        let is_news: bool = self.read(|tx| {
            Ok(tx
                .prepare_cached(&format!("SELECT EXISTS ({news})"))?
                .query_row((first, last), |row| row.get(0))?)
        })?;
        if is_news {
            self.write(|tx, _| {
                tx.prepare_cached(&format!(
                    "INSERT OR REPLACE INTO shown (doc, through, at_ms, told)
                     SELECT doc, through, ?3, 0 FROM ({news})"
                ))?
                .execute((first, last, at_ms))?;
                Ok(())
            })?;
        }
        Ok(is_news)
    }

    /// What the center does not know yet to have been shown.
    pub(crate) fn untold(&self) -> Result<Vec<ShownRow>, StoreError> {
        self.read(|tx| {
            tx.prepare_cached("SELECT doc, through, at_ms FROM shown WHERE told = 0")?
                .query_and_then([], |row| {
                    let through: i64 = row.get(1)?;
                    Ok(ShownRow {
                        document: document(&row.get::<_, Vec<u8>>(0)?)?,
                        through: through.cast_unsigned(),
                        at_ms: row.get(2)?,
                    })
                })?
                .collect()
        })
    }

    pub(crate) fn told(&self, shown: &[ShownRow]) -> Result<(), StoreError> {
        self.write(|tx, _| {
            for row in shown {
                tx.prepare_cached("UPDATE shown SET told = 1 WHERE doc = ?1 AND through = ?2")?
                    .execute((row.document.to_bytes(), row.through.cast_signed()))?;
            }
            Ok(())
        })
    }
}
