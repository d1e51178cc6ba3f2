//! Walks the contents of a change before Automerge sees them.
//!
//! Automerge 0.12 believes the lengths it reads: a run-length column of a few bytes
//! becomes billions of operations, a count of dependencies an allocation. So every
//! length is added up here first, against limits with names, without allocating,
//! and only the columns that a change of ours has may stand in it at all.

use super::reader::{Reader, malformed};
use super::{DEPS_MAX, OPS_MAX};
use crate::admission::Refusal;
use crate::ids::{Actor, ChangeHash, EntryId};

/// 9999-12-31, the last day that calendars agree on; farther times overflow Automerge's deltas.
const TIME_MS_MAX: i64 = 253_402_300_799_999;
/// Automerge counts operations in 32 bits.
const OPERATION_MAX: u64 = u32::MAX as u64;

// A column's specification is its id, shifted by four, a bit for deflate (8), and its type.
const OBJECT_ACTOR: u64 = 0x01;
const OBJECT_COUNTER: u64 = 0x02;
const KEY_STRING: u64 = 0x15;
const INSERT: u64 = 0x34;
const ACTION: u64 = 0x42;
const VALUE_META: u64 = 0x56;
const VALUE: u64 = 0x57;
const PRED_COUNT: u64 = 0x70;
/// All that a change of ours has, in Automerge's order. What is not here is absent for
/// a reason: predecessors overwrite, keys by actor and counter are list positions,
/// expand and mark are rich text.
const COLUMNS: [u64; 8] = [
    OBJECT_ACTOR,
    OBJECT_COUNTER,
    KEY_STRING,
    INSERT,
    ACTION,
    VALUE_META,
    VALUE,
    PRED_COUNT,
];
const DEFLATE: u64 = 0x08;

/// What stands before a change's operations, and how many of them there are.
#[derive(Debug)]
pub(super) struct Walked {
    pub(super) id: EntryId,
    pub(super) deps: Vec<ChangeHash>,
    pub(super) start_op: u64,
    pub(super) time_ms: i64,
    pub(super) operations: u64,
}

impl Walked {
    pub(super) fn max_op(&self) -> u64 {
        self.start_op + self.operations - 1
    }
}

pub(super) fn walk(mut reader: Reader<'_>) -> Result<Walked, Refusal> {
    let deps = dependencies(&mut reader)?;
    let actor_bytes = reader.unsigned()?;
    let actor = Actor::from_bytes(reader.take(actor_bytes)?)
        .map_err(|_| malformed("its actor is not 8 bytes"))?;
    let number = reader.unsigned()?;
    if !(1..=OPERATION_MAX).contains(&number) {
        return Err(malformed("its change number is out of range"));
    }
    let start_op = reader.unsigned()?;
    if !(1..=OPERATION_MAX - OPS_MAX).contains(&start_op) {
        return Err(malformed("its first operation's number is out of range"));
    }
    let time_ms = reader.signed()?;
    if !(0..=TIME_MS_MAX).contains(&time_ms) {
        return Err(Refusal::Time);
    }
    if reader.unsigned()? != 0 {
        return Err(malformed("it carries a message"));
    }
    if reader.unsigned()? != 0 {
        return Err(Refusal::NotAddOnly("it names other actors".into()));
    }
    let lengths = column_lengths(&mut reader)?;
    let operations = columns(&mut reader, lengths)?;
    if !reader.is_empty() {
        return Err(malformed("it carries extra bytes"));
    }
    Ok(Walked {
        id: EntryId { actor, number },
        deps,
        start_op,
        time_ms,
        operations,
    })
}

fn dependencies(reader: &mut Reader<'_>) -> Result<Vec<ChangeHash>, Refusal> {
    let count = reader.unsigned()?;
    if count > DEPS_MAX as u64 {
        return Err(Refusal::Malformed(format!(
            "it names {count} dependencies, at most {DEPS_MAX} are taken"
        )));
    }
    let mut deps = Vec::with_capacity(DEPS_MAX);
    for _ in 0..count {
        let dep = ChangeHash(reader.array()?);
        if deps.last().is_some_and(|before| *before >= dep) {
            return Err(malformed("its dependencies are not in order"));
        }
        deps.push(dep);
    }
    Ok(deps)
}

fn column_lengths(reader: &mut Reader<'_>) -> Result<[u64; COLUMNS.len()], Refusal> {
    let count = reader.unsigned()?;
    let mut lengths = [0; COLUMNS.len()];
    // Named one by one, so that a refusal can say which column does not belong.
    for (index, wanted) in COLUMNS.into_iter().enumerate() {
        if index as u64 >= count {
            return Err(Refusal::Malformed(format!(
                "column {wanted:#04x} is missing"
            )));
        }
        let found = reader.unsigned()?;
        if found & DEFLATE != 0 {
            return Err(Refusal::Compressed);
        }
        if found != wanted {
            return Err(Refusal::NotAddOnly(format!(
                "column {found:#04x} stands where {wanted:#04x} belongs"
            )));
        }
        lengths[index] = reader.unsigned()?;
    }
    if count > COLUMNS.len() as u64 {
        let found = reader.unsigned()?;
        return Err(Refusal::NotAddOnly(format!(
            "column {found:#04x} has no place in an entry"
        )));
    }
    Ok(lengths)
}

/// Adds up every column's runs; all must come to the same number of operations.
fn columns(reader: &mut Reader<'_>, lengths: [u64; COLUMNS.len()]) -> Result<u64, Refusal> {
    let mut operations = None;
    let mut value_bytes = 0;
    for (spec, length) in COLUMNS.into_iter().zip(lengths) {
        let column = Reader::new(reader.take(length)?);
        let rows = match spec {
            KEY_STRING => {
                runs(column, |column| {
                    let length = column.unsigned()?;
                    column.take(length).map(|_| 0)
                })?
                .0
            }
            INSERT => insert(column)?,
            VALUE_META => {
                // The low four bits are the value's type, the rest its length in bytes.
                let (rows, bytes) = runs(column, |column| Ok(column.unsigned()? >> 4))?;
                value_bytes = bytes;
                rows
            }
            VALUE => {
                if column.left() as u64 != value_bytes {
                    return Err(malformed("the values' lengths do not add up"));
                }
                continue;
            }
            PRED_COUNT => {
                let (rows, predecessors) = runs(column, Reader::unsigned)?;
                if predecessors != 0 {
                    return Err(Refusal::NotAddOnly(
                        "an operation overwrites another".into(),
                    ));
                }
                rows
            }
            _ => runs(column, |column| column.unsigned().map(|_| 0))?.0,
        };
        if *operations.get_or_insert(rows) != rows {
            return Err(malformed("its columns are not equally long"));
        }
    }
    operations
        .filter(|operations| *operations > 0)
        .ok_or_else(|| malformed("it holds no operations"))
}

/// Walks a run-length column: how many rows it has, and the sum over them of what `value` reads.
fn runs<'a>(
    mut column: Reader<'a>,
    mut value: impl FnMut(&mut Reader<'a>) -> Result<u64, Refusal>,
) -> Result<(u64, u64), Refusal> {
    let mut rows = 0;
    let mut sum = 0_u64;
    while !column.is_empty() {
        let run = column.signed()?;
        // 0: that many rows of nothing; above: one value so often; below: so many values.
        let length = if run == 0 {
            column.unsigned()?
        } else {
            run.unsigned_abs()
        };
        rows = add_rows(rows, length)?;
        let (values, times) = match run {
            0 => (0, 0),
            1.. => (1, length),
            _ => (length, 1),
        };
        for _ in 0..values {
            sum = sum.saturating_add(value(&mut column)?.saturating_mul(times));
        }
    }
    Ok((rows, sum))
}

/// Walks the insert column, run lengths of false and true in turn: all rows must be false.
fn insert(mut column: Reader<'_>) -> Result<u64, Refusal> {
    let rows = add_rows(0, column.unsigned()?)?;
    if column.is_empty() {
        Ok(rows)
    } else {
        Err(Refusal::NotAddOnly("it inserts into a list".into()))
    }
}

fn add_rows(rows: u64, run: u64) -> Result<u64, Refusal> {
    let operations = rows.saturating_add(run);
    // A run of nothing would let a column spin without growing.
    if run == 0 {
        return Err(malformed("a run has no length"));
    }
    if operations > OPS_MAX {
        return Err(Refusal::TooManyOperations {
            operations,
            operations_max: OPS_MAX,
        });
    }
    Ok(operations)
}
