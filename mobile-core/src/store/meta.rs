//! Single values: where this device stands, its last contact, the shift.

use packet::DocumentId;
use rusqlite::types::{FromSql, ToSql};
use rusqlite::{OptionalExtension, Transaction};

use super::{Store, StoreError};
use crate::shift::Shift;

/// Set while changes have to come whole ([`sync::device::Kept::wants_whole`]).
pub(super) const WANTS_WHOLE: &str = "wants_whole";

/// When the center was last heard, and what this device's clock was off by then.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Contact {
    /// By the center's clock.
    pub(crate) last_ms: Option<i64>,
    /// The device's clock less the center's.
    pub(crate) clock_off_ms: Option<i64>,
}

pub(super) fn get<T: FromSql>(tx: &Transaction<'_>, name: &str) -> Result<Option<T>, StoreError> {
    let mut statement = tx.prepare_cached("SELECT value FROM meta WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get(0)).optional()?)
}

pub(super) fn set(tx: &Transaction<'_>, name: &str, value: impl ToSql) -> Result<(), StoreError> {
    tx.prepare_cached("INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)")?
        .execute((name, value))?;
    Ok(())
}

/// SQLite's integers are signed; these are kept by their bits.
pub(super) fn get_u64(tx: &Transaction<'_>, name: &str) -> Result<u64, StoreError> {
    Ok(get::<i64>(tx, name)?.unwrap_or(0).cast_unsigned())
}

pub(super) fn set_u64(tx: &Transaction<'_>, name: &str, value: u64) -> Result<(), StoreError> {
    set(tx, name, value.cast_signed())
}

pub(super) fn contact(tx: &Transaction<'_>) -> Result<Contact, StoreError> {
    Ok(Contact {
        last_ms: get(tx, "last_contact_ms")?,
        clock_off_ms: get(tx, "clock_off_ms")?,
    })
}

pub(super) fn document(bytes: &[u8]) -> Result<DocumentId, StoreError> {
    DocumentId::from_bytes(bytes).map_err(|_| StoreError::Damaged("a document's id"))
}

impl Store {
    pub(crate) fn contact(&self) -> Result<Contact, StoreError> {
        self.read(contact)
    }

    pub(crate) fn shift(&self) -> Result<Option<Shift>, StoreError> {
        let kept: Option<String> = self.read(|tx| get(tx, "shift"))?;
        kept.map(|kept| serde_json::from_str(&kept).map_err(|_| StoreError::Damaged("the shift")))
            .transpose()
    }

    /// Keeps the shift, or ends it.
    pub(crate) fn set_shift(&self, shift: Option<&Shift>) -> Result<(), StoreError> {
        let kept = shift
            .map(serde_json::to_string)
            .transpose()
            .map_err(|_| StoreError::Damaged("the shift"))?;
        self.write(|tx, _| match &kept {
            Some(kept) => set(tx, "shift", kept),
            None => {
                tx.execute("DELETE FROM meta WHERE name = 'shift'", [])?;
                Ok(())
            }
        })
    }
}
