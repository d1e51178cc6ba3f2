//! The tree as the store keeps it, and its checkpoints.
//!
//! Leaves' hashes stand in the rows. Of what is above them only every eighth level is kept:
//! whole subtrees of 256 leaves, of 256 of those, and so on, written when a checkpoint is
//! made. A proof reads at most two blocks of 256 hashes a level and works out the rest.

use rusqlite::{Connection, OptionalExtension, params};

use super::entry::{COLUMNS, Entries, last};
use super::note::{Checkpoint, KeyKind, Note, NoteError, SigningKey, VerifierKey};
use super::tree::{BLOCK, BLOCK_LEVELS, Blocks, Hash, Tree};
use crate::log::LogError;

/// The tree of the store that this connection has open.
#[derive(Debug, Clone, Copy)]
pub struct Stored<'a>(pub &'a Connection);

impl Blocks for Stored<'_> {
    type Error = LogError;

    fn block(&self, level: u8, block: u64) -> Result<Vec<Hash>, LogError> {
        let (sql, from) = if level == 0 {
            // Numbers begin with 1, leaves with 0.
            (
                "SELECT id - 1, leaf FROM audit WHERE id > ?1 AND id <= ?2 AND ?3 = 0 ORDER BY id",
                block * BLOCK,
            )
        } else {
            (
                "SELECT position, hash FROM audit_nodes WHERE position >= ?1 AND position < ?2 AND level = ?3 ORDER BY position",
                block * BLOCK,
            )
        };
        let mut statement = self.0.prepare_cached(sql)?;
        let bounds = params![from.cast_signed(), (from + BLOCK).cast_signed(), level];
        let mut rows = statement.query(bounds)?;
        let mut hashes = Vec::with_capacity(BLOCK as usize);
        while let Some(row) = rows.next()? {
            let position: i64 = row.get(0)?;
            let hash: Option<[u8; 32]> = row.get(1)?;
            match hash {
                Some(hash) if position.unsigned_abs() == from + hashes.len() as u64 => {
                    hashes.push(Hash(hash));
                }
                // What is behind a gap is not known by its place.
                _ => break,
            }
        }
        Ok(hashes)
    }

    fn missing(&self, level: u8, position: u64) -> LogError {
        let (from, to) = (position << level, ((position + 1) << level) - 1);
        LogError::Store(format!(
            "the audit log has no hash of its entries {} to {}: they are missing, or were purged",
            from + 1,
            to + 1
        ))
    }
}

/// As this center's audit log is called in its checkpoints. A log that was restored from a
/// backup is another log: what was signed of the lost one it may contradict.
#[must_use]
pub fn origin(center: [u8; 16], incarnation: u64) -> String {
    let center = data_encoding::HEXLOWER.encode(&center);
    format!("forerunner/{center}/audit/{incarnation:016x}")
}

/// The key by which this origin's checkpoints are verified, of the center's public key. An
/// origin of another center has none.
pub fn verifier(
    center: [u8; 16],
    public: [u8; 32],
    origin: &str,
) -> Result<VerifierKey, NoteError> {
    let center = data_encoding::HEXLOWER.encode(&center);
    if !origin.starts_with(&format!("forerunner/{center}/audit/")) {
        return Err(NoteError::OtherLog {
            found: origin.to_owned(),
            wanted: format!("center {center}"),
        });
    }
    VerifierKey::new(origin, KeyKind::Note, public)
}

/// A checkpoint as it is kept.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptCheckpoint {
    pub size: u64,
    pub at_ms: i64,
    pub origin: String,
    /// As the center has signed it.
    pub note: String,
}

const CHECKPOINT: &str = "SELECT size, at_ms, origin, note FROM audit_checkpoints";

fn kept(row: &rusqlite::Row<'_>) -> rusqlite::Result<KeptCheckpoint> {
    Ok(KeptCheckpoint {
        size: row.get::<_, i64>(0)?.unsigned_abs(),
        at_ms: row.get(1)?,
        origin: row.get(2)?,
        note: row.get(3)?,
    })
}

/// The largest.
///
/// # Errors
/// When the store fails.
pub fn latest(connection: &Connection) -> Result<Option<KeptCheckpoint>, LogError> {
    let sql = format!("{CHECKPOINT} ORDER BY size DESC LIMIT 1");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([], kept)
        .optional()?;
    Ok(found)
}

/// The one of this size.
///
/// # Errors
/// When the store fails.
pub fn of_size(connection: &Connection, size: u64) -> Result<Option<KeptCheckpoint>, LogError> {
    let sql = format!("{CHECKPOINT} WHERE size = ?1");
    let found = connection
        .prepare_cached(&sql)?
        .query_row([size.cast_signed()], kept)
        .optional()?;
    Ok(found)
}

/// All of them, the smallest first.
///
/// # Errors
/// When the store fails.
pub fn all(connection: &Connection) -> Result<Vec<KeptCheckpoint>, LogError> {
    let mut statement = connection.prepare(&format!("{CHECKPOINT} ORDER BY size"))?;
    let all = statement.query_map([], kept)?.collect::<Result<_, _>>()?;
    Ok(all)
}

/// The note with each witness's line under it.
///
/// # Errors
/// When the store fails.
pub fn with_cosignatures(
    connection: &Connection,
    checkpoint: &KeptCheckpoint,
) -> Result<String, LogError> {
    let mut statement = connection
        .prepare_cached("SELECT line FROM audit_cosignatures WHERE size = ?1 ORDER BY witness")?;
    let lines = statement.query_map([checkpoint.size.cast_signed()], |row| {
        row.get::<_, String>(0)
    })?;
    let mut note = checkpoint.note.clone();
    for line in lines {
        note += &line?;
    }
    Ok(note)
}

/// Signs what is there, when that is more than was signed last. Returns the newest
/// checkpoint; `None` of a log with no entry.
///
/// # Errors
/// When the store fails, or the entries are not those that were signed before.
pub fn checkpoint(
    connection: &Connection,
    key: &SigningKey,
    now_ms: i64,
) -> Result<Option<KeptCheckpoint>, LogError> {
    let latest = latest(connection)?;
    let signed = latest.as_ref().map_or(0, |latest| latest.size);
    let size = last(connection)?;
    if size == signed {
        return Ok(latest);
    }
    if size < signed {
        return Err(LogError::Store(format!(
            "the audit log ends with entry {size}, and {signed} entries were signed: the last are missing"
        )));
    }
    let mut edge = Tree::new(Stored(connection)).edge(signed)?;
    if let Some(latest) = &latest {
        // Nothing is signed that contradicts what was signed before.
        let note = Note::read(&latest.note);
        let stands = note.and_then(|note| Checkpoint::of(&note));
        if stands.is_ok_and(|stands| stands.root != edge.root()) {
            return Err(LogError::Store(format!(
                "the audit log's first {signed} entries are not those that were signed"
            )));
        }
    }
    let mut nodes = connection.prepare_cached(
        "INSERT OR REPLACE INTO audit_nodes (level, position, hash) VALUES (?1, ?2, ?3)",
    )?;
    for leaf in leaves(connection, signed)? {
        let mut whole = Vec::new();
        edge.add(leaf, |level, position, hash| {
            if level.is_multiple_of(BLOCK_LEVELS) {
                whole.push((level, position, *hash));
            }
        });
        for (level, position, hash) in whole {
            nodes.execute(params![level, position.cast_signed(), hash.0])?;
        }
    }
    let made = Checkpoint {
        origin: key.verifier().name().to_owned(),
        size: edge.size(),
        root: edge.root(),
    };
    let kept = KeptCheckpoint {
        size: made.size,
        at_ms: now_ms,
        origin: made.origin.clone(),
        note: key.sign(&made.text()),
    };
    connection
        .prepare_cached(
            "INSERT OR REPLACE INTO audit_checkpoints (size, at_ms, origin, note) VALUES (?1, ?2, ?3, ?4)",
        )?
        .execute(params![kept.size.cast_signed(), kept.at_ms, kept.origin, kept.note])?;
    Ok(Some(kept))
}

/// The hashes of what was entered after this many. What stands there without one (an older
/// version wrote it beside the center) is entered now.
fn leaves(connection: &Connection, after: u64) -> Result<Vec<Hash>, LogError> {
    let mut bare =
        connection.prepare_cached("SELECT id, leaf FROM audit WHERE id > ?1 ORDER BY id")?;
    let mut rows = bare.query([after.cast_signed()])?;
    let mut leaves = Vec::new();
    while let Some(row) = rows.next()? {
        let id = row.get::<_, i64>(0)?.unsigned_abs();
        let wanted = after + leaves.len() as u64 + 1;
        if id != wanted {
            let why = format!("the audit log has no entry {wanted}");
            return Err(LogError::Store(why));
        }
        leaves.push(match row.get::<_, Option<[u8; 32]>>(1)? {
            Some(leaf) => Hash(leaf),
            None => enter_late(connection, id)?,
        });
    }
    Ok(leaves)
}

pub(super) fn enter_late(connection: &Connection, id: u64) -> Result<Hash, LogError> {
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE id = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut rows = statement.query([id.cast_signed()])?;
    let row = rows.next()?;
    let row = row.ok_or_else(|| LogError::Store(format!("the audit log has no entry {id}")))?;
    let (entry, _) = Entries::default().entry(connection, row)?;
    let leaf = entry.leaf_hash();
    connection.execute(
        "UPDATE audit SET leaf = ?2 WHERE id = ?1",
        params![id.cast_signed(), leaf.0],
    )?;
    Ok(leaf)
}

/// Entries through here were purged: whole blocks, of which the subtrees' hashes are left.
///
/// # Errors
/// When the store fails.
pub fn purged_through(connection: &Connection) -> Result<u64, LogError> {
    let through: Option<i64> = connection
        .prepare_cached("SELECT value FROM meta WHERE name = 'audit_purged_through'")?
        .query_row([], |row| row.get(0))
        .optional()?;
    Ok(through.unwrap_or(0).unsigned_abs())
}
