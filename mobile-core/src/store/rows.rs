//! An entry as it stands in the tables.

use packet::{ChangeHash, DocumentId, Entry, EntryId, Written, inspect};
use rusqlite::Row as SqlRow;
use serde_json::Map;

use super::StoreError;
use super::leases::Leases;
use super::meta::document;

/// The kind that an entry has which this app cannot read.
pub(super) const UNREADABLE: &str = "unreadable";
/// The kind that a row has whose change is under its document's own key; what kind of entry
/// it is, is in the change.
pub(super) const SEALED: &str = "sealed";

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Standing {
    OnDevice,
    AtCenter,
    Refused(String),
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) document: DocumentId,
    pub(crate) id: EntryId,
    pub(crate) written: Written,
    pub(crate) author_ms: i64,
    pub(crate) received_ms: Option<i64>,
    pub(crate) seq: Option<u64>,
    /// This device wrote it.
    pub(crate) mine: bool,
    pub(crate) standing: Standing,
}

/// The columns of `changes` that [`change`] reads.
pub(super) const CHANGE_COLUMNS: &str =
    "doc, entry, kind, fields, clock_off_ms, author_ms, received_ms, seq, mine, hash,
     CASE kind WHEN 'sealed' THEN bytes END";
/// The columns of `outbox` that [`refused`] reads.
pub(super) const REFUSED_COLUMNS: &str =
    "doc, entry, kind, fields, clock_off_ms, author_ms, refused";

/// `None` where the lease of its document is over.
pub(super) fn change(row: &SqlRow<'_>, leases: &Leases) -> Result<Option<Row>, StoreError> {
    let entry: Option<String> = row.get(1)?;
    let seq: Option<i64> = row.get(7)?;
    let hash: Vec<u8> = row.get(9)?;
    let id = match entry {
        Some(entry) => parse_id(&entry)?,
        // Not its own name, which cannot be read, but one that stays the same.
        None => EntryId {
            actor: packet::Actor::from_bytes(hash.get(..8).unwrap_or_default())
                .map_err(|_| StoreError::Damaged("a change's hash"))?,
            number: 1,
        },
    };
    let place = document(&row.get::<_, Vec<u8>>(0)?)?;
    let sealed: Option<Vec<u8>> = row.get(10)?;
    let (said, author_ms) = match sealed {
        None => (written(row.get(2)?, row.get(3)?, row.get(4)?), row.get(5)?),
        Some(sealed) => {
            let hash = ChangeHash(row.get(9)?);
            let Some(bytes) = leases.unseal(place, hash, &sealed) else {
                return Ok(None);
            };
            match inspect(&bytes) {
                Ok(change) => (change.written, Some(change.time_ms)),
                Err(_) => (written(UNREADABLE.into(), None, None), None),
            }
        }
    };
    Ok(Some(Row {
        document: place,
        id,
        written: said,
        author_ms: author_ms.or(row.get(6)?).unwrap_or(0),
        received_ms: row.get(6)?,
        seq: seq.map(i64::cast_unsigned),
        mine: row.get(8)?,
        standing: if seq.is_some() {
            Standing::AtCenter
        } else {
            Standing::OnDevice
        },
    }))
}

pub(super) fn refused(row: &SqlRow<'_>) -> Result<Row, StoreError> {
    Ok(Row {
        document: document(&row.get::<_, Vec<u8>>(0)?)?,
        id: parse_id(&row.get::<_, String>(1)?)?,
        written: written(row.get(2)?, row.get(3)?, row.get(4)?),
        author_ms: row.get(5)?,
        received_ms: None,
        seq: None,
        mine: true,
        standing: Standing::Refused(row.get(6)?),
    })
}

fn parse_id(text: &str) -> Result<EntryId, StoreError> {
    text.parse()
        .map_err(|_| StoreError::Damaged("an entry's id"))
}

/// What cannot be read is shown as such: one bad row must not hide a packet.
pub(super) fn written(kind: String, fields: Option<String>, clock_off_ms: Option<i64>) -> Written {
    let entry = fields
        .and_then(|fields| serde_json::from_str(&fields).ok())
        .and_then(|fields| Entry::from_fields(fields).ok());
    Written {
        entry: entry.unwrap_or_else(|| Entry::Other {
            kind,
            fields: Map::new(),
        }),
        clock_off_ms,
        instead: None,
    }
}

/// The entry's fields as JSON, and its kind.
pub(super) fn fields(entry: &Entry) -> Result<(String, String), StoreError> {
    let fields = entry.to_fields()?;
    let kind = fields.get("kind").and_then(|kind| kind.as_str());
    let kind = kind.unwrap_or(UNREADABLE).to_owned();
    let fields =
        serde_json::to_string(&fields).map_err(|_| StoreError::Damaged("an entry's fields"))?;
    Ok((kind, fields))
}
