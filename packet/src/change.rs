//! One entry as the bytes of one Automerge change, and back.
//!
//! Automerge 0.12 is not safe on bytes that others wrote: a few kilobytes become
//! gigabytes, some panic, some are taken and leave a document that does not load
//! again. So [`inspect`] never trusts it alone:
//!
//! 1. the chunk's header and checksum are read by us: that is the hash a device signs;
//! 2. the size has a cap;
//! 3. every length in the contents is added up by us against limits, and only the
//!    columns that an entry has may be there;
//! 4. only then Automerge decodes, under `catch_unwind`;
//! 5. the decoded operations must obey the add-only rule;
//! 6. they are encoded again, and must come out as the very same bytes: with one
//!    encoding a change there is nothing that two readers could read differently.

mod chunk;
mod columns;
mod operations;
mod reader;
#[cfg(test)]
mod tests;

use std::num::NonZeroU64;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::admission::Refusal;
use crate::entry::{EntryError, FIELDS_MAX, Written};
use crate::ids::{Actor, ChangeHash, EntryId};

pub use operations::{INSTEAD, take_instead};

/// Largest change that is written or taken.
pub const CHANGE_BYTES_MAX: usize = 12 * 1024;
/// Most changes that one change stands on directly.
pub const DEPS_MAX: usize = 8;
/// Most operations of a change: the entry's map, its fields, its clock's difference, and
/// what it is written instead of.
pub const OPS_MAX: u64 = 1 + FIELDS_MAX as u64 + 2;

/// What a change is made of.
#[derive(Debug, Clone)]
pub struct Draft<'a> {
    pub actor: Actor,
    /// The actor's next change number, from 1.
    pub number: u64,
    pub deps: Vec<ChangeHash>,
    pub start_op: u64,
    /// The author's clock: milliseconds since 1970, UTC.
    pub time_ms: i64,
    pub written: &'a Written,
}

/// A change that was just written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Composed {
    pub bytes: Vec<u8>,
    pub hash: ChangeHash,
    pub id: EntryId,
    pub max_op: u64,
}

/// What a change says, with all checked that needs nothing but its bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspected {
    pub hash: ChangeHash,
    pub id: EntryId,
    pub deps: Vec<ChangeHash>,
    pub start_op: u64,
    pub max_op: u64,
    pub time_ms: i64,
    pub written: Written,
}

impl Inspected {
    /// When its author wrote it, by the center's clock: milliseconds since 1970, UTC. As
    /// good as the author's word for it.
    #[must_use]
    pub fn written_ms(&self) -> i64 {
        let off_ms = self.written.clock_off_ms.unwrap_or(0);
        self.time_ms.saturating_sub(off_ms)
    }
}

/// Writes one entry as one change.
///
/// # Errors
/// When the entry breaks a limit, or the change would not be taken by [`inspect`].
pub fn compose(draft: &Draft<'_>) -> Result<Composed, EntryError> {
    let unfit = |problem: String| EntryError::Shape {
        kind: "change".into(),
        problem,
    };
    let start_op =
        NonZeroU64::new(draft.start_op).ok_or_else(|| unfit("starts at operation 0".into()))?;
    let expanded = operations::expand(draft, start_op)?;
    let change = automerge::Change::from(expanded);
    let bytes = change.raw_bytes().to_vec();
    // One door: what is written here is what is taken everywhere.
    let inspected = inspect(&bytes).map_err(|refusal| match refusal {
        Refusal::Entry(error) => error,
        other => unfit(other.to_string()),
    })?;
    Ok(Composed {
        bytes,
        hash: inspected.hash,
        id: inspected.id,
        max_op: inspected.max_op,
    })
}

/// The hash by which a change is known; its chunk's form and checksum are checked.
///
/// # Errors
/// When the bytes are not one whole, uncompressed change chunk.
pub fn change_hash(bytes: &[u8]) -> Result<ChangeHash, Refusal> {
    Ok(chunk::open(bytes)?.hash)
}

/// Reads a change that anyone may have written.
///
/// A kind that this version does not know is read as [`crate::Entry::Other`].
///
/// # Errors
/// Says which of the module's steps it did not pass.
pub fn inspect(bytes: &[u8]) -> Result<Inspected, Refusal> {
    let chunk = chunk::open(bytes)?;
    if bytes.len() > CHANGE_BYTES_MAX {
        return Err(Refusal::TooLarge {
            bytes: bytes.len(),
            bytes_max: CHANGE_BYTES_MAX,
        });
    }
    let walked = columns::walk(chunk.contents)?;
    let expanded = guarded(|| {
        automerge::Change::try_from(bytes)
            .ok()
            .map(|change| change.decode())
    })?;
    let written = operations::read(&expanded, walked.id)?;
    let again = guarded(|| Some(automerge::Change::from(expanded)))?;
    if again.raw_bytes() != bytes {
        return Err(reader::malformed("it is not in its one form"));
    }
    Ok(Inspected {
        hash: chunk.hash,
        max_op: walked.max_op(),
        id: walked.id,
        deps: walked.deps,
        start_op: walked.start_op,
        time_ms: walked.time_ms,
        written,
    })
}

/// Automerge, where it meets what others wrote: a panic is a refusal.
fn guarded<T>(work: impl FnOnce() -> Option<T>) -> Result<T, Refusal> {
    catch_unwind(AssertUnwindSafe(work))
        .ok()
        .flatten()
        .ok_or_else(|| reader::malformed("Automerge cannot read it"))
}
