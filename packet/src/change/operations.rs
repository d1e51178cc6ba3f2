//! The add-only rule: what the operations of a change may be.
//!
//! A change adds one entry and touches no other, so that nothing that was written can
//! be replaced by what comes later. The first operation makes the entry's map, under
//! the one key that no other change can have; the others each set one of its fields, once.

use std::num::NonZeroU64;

use automerge::legacy::{Key, ObjectId, Op, OpId, OpType, SortedVec};
use automerge::{ActorId, ExpandedChange, ObjType, ScalarValue};
use serde_json::{Map, Value};

use super::Draft;
use crate::admission::Refusal;
use crate::entry::{Entry, EntryError, Written};
use crate::ids::{ChangeHash, EntryId};

/// The field for [`Written::clock_off_ms`].
const CLOCK_OFF: &str = "off";
/// The field for [`Written::instead`]: 64 lower-case hexadecimal digits.
pub const INSTEAD: &str = "instead";
/// Longest name of a field, in bytes.
const FIELD_NAME_BYTES_MAX: usize = 64;

fn unfit(problem: impl Into<String>) -> EntryError {
    EntryError::Shape {
        kind: "entry".into(),
        problem: problem.into(),
    }
}

/// The operations that write an entry: see the module.
pub(super) fn expand(
    draft: &Draft<'_>,
    start_op: NonZeroU64,
) -> Result<ExpandedChange, EntryError> {
    let id = EntryId {
        actor: draft.actor,
        number: draft.number,
    };
    let actor_id = ActorId::from(&draft.actor.0[..]);
    let map = ObjectId::Id(OpId(start_op.get(), actor_id.clone()));
    let mut operations = vec![operation(
        OpType::Make(ObjType::Map),
        ObjectId::Root,
        &id.to_string(),
    )];
    for (field, value) in fields(draft.written)? {
        operations.push(operation(
            OpType::Put(scalar(&field, &value)?),
            map.clone(),
            &field,
        ));
    }
    let mut deps: Vec<_> = draft
        .deps
        .iter()
        .map(|dep| automerge::ChangeHash(dep.0))
        .collect();
    deps.sort_unstable();
    deps.dedup();
    Ok(ExpandedChange {
        operations,
        actor_id,
        hash: None,
        seq: draft.number,
        start_op,
        time: draft.time_ms,
        message: None,
        deps,
        extra_bytes: Vec::new(),
        author: None,
    })
}

fn operation(action: OpType, obj: ObjectId, key: &str) -> Op {
    Op {
        action,
        obj,
        key: Key::Map(key.into()),
        pred: SortedVec::new(),
        insert: false,
    }
}

/// The fields in the order of their names, which is the one order that is taken.
fn fields(written: &Written) -> Result<Vec<(String, Value)>, EntryError> {
    let fields = written.entry.to_fields()?;
    // An unknown kind may hold what cannot be told from a known one, or from `off`.
    let is_ours = fields.contains_key(CLOCK_OFF) || fields.contains_key(INSTEAD);
    if is_ours || Entry::from_fields(fields.clone())? != written.entry {
        return Err(unfit("would not be read as it was written"));
    }
    let mut fields: Vec<_> = fields.into_iter().collect();
    if let Some(off) = written.clock_off_ms {
        fields.push((CLOCK_OFF.into(), off.into()));
    }
    if let Some(instead) = written.instead {
        fields.push((INSTEAD.into(), instead.to_string().into()));
    }
    fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    Ok(fields)
}

fn scalar(field: &str, value: &Value) -> Result<ScalarValue, EntryError> {
    if field.is_empty() || field.len() > FIELD_NAME_BYTES_MAX {
        return Err(unfit(format!("has a field name of {} bytes", field.len())));
    }
    match value {
        Value::String(text) => Ok(ScalarValue::Str(text.into())),
        Value::Bool(yes) => Ok(ScalarValue::Boolean(*yes)),
        Value::Number(number) => number
            .as_i64()
            .map(ScalarValue::Int)
            .ok_or_else(|| unfit(format!("has no whole number in {field}"))),
        _ => Err(unfit(format!("is not flat: {field}"))),
    }
}

/// Reads what [`expand`] wrote, and nothing else.
pub(super) fn read(change: &ExpandedChange, id: EntryId) -> Result<Written, Refusal> {
    let not = |what: &str| Refusal::NotAddOnly(what.to_owned());
    let (make, puts) = change
        .operations
        .split_first()
        .ok_or_else(|| not("it adds no entry"))?;
    check_shape(make)?;
    if make.action != OpType::Make(ObjType::Map) || make.obj != ObjectId::Root {
        return Err(not("it does not begin with an entry of its own"));
    }
    if make.key != Key::Map(id.to_string().into()) {
        return Err(not("its entry does not stand under its own name"));
    }
    let map = ObjectId::Id(OpId(change.start_op.get(), change.actor_id.clone()));
    let mut fields = Map::new();
    let mut before = None;
    for put in puts {
        check_shape(put)?;
        if put.obj != map {
            return Err(not("it writes outside its own entry"));
        }
        let Key::Map(name) = &put.key else {
            return Err(not("it writes into a list"));
        };
        if name.is_empty() || name.len() > FIELD_NAME_BYTES_MAX {
            return Err(not("a field's name is empty or too long"));
        }
        if before.is_some_and(|before| before >= name) {
            return Err(not("a field is set twice or out of order"));
        }
        before = Some(name);
        let value = match &put.action {
            OpType::Put(ScalarValue::Str(text)) => Value::from(text.as_str()),
            OpType::Put(ScalarValue::Int(number)) => Value::from(*number),
            OpType::Put(ScalarValue::Boolean(yes)) => Value::from(*yes),
            OpType::Put(_) => return Err(not("a field is neither text, whole number nor yes/no")),
            _ => return Err(not("it does more than set fields")),
        };
        fields.insert(name.to_string(), value);
    }
    let clock_off_ms = match fields.remove(CLOCK_OFF) {
        None => None,
        Some(off) => Some(
            off.as_i64()
                .ok_or_else(|| not("the clock's difference is not a whole number"))?,
        ),
    };
    let instead = take_instead(&mut fields)?;
    let count = fields.len();
    let entry = Entry::from_fields(fields).map_err(Refusal::Entry)?;
    // A field that may be left out where it is empty, and is there: whoever writes the
    // entry anew would write another change.
    if entry.to_fields().map_err(Refusal::Entry)?.len() != count {
        return Err(not("a field that says nothing is written out"));
    }
    Ok(Written {
        entry,
        clock_off_ms,
        instead,
    })
}

/// Takes [`INSTEAD`] from among an entry's fields, where it is one of them.
///
/// # Errors
/// When it is no change's hash.
pub fn take_instead(fields: &mut Map<String, Value>) -> Result<Option<ChangeHash>, Refusal> {
    let Some(hash) = fields.remove(INSTEAD) else {
        return Ok(None);
    };
    let hash = hash.as_str().and_then(|hash| hash.parse().ok());
    hash.map(Some).ok_or_else(|| {
        Refusal::NotAddOnly("what it is written instead of is no change's hash".into())
    })
}

fn check_shape(operation: &Op) -> Result<(), Refusal> {
    if !operation.pred.is_empty() {
        return Err(Refusal::NotAddOnly(
            "an operation overwrites another".into(),
        ));
    }
    if operation.insert {
        return Err(Refusal::NotAddOnly("it inserts into a list".into()));
    }
    Ok(())
}
