//! A change without what its place in the document says already.
//!
//! A change's bytes are mostly what a receiver can work out: hashes of the changes that it
//! stands on, which the receiver has; its author and number, which follow its author's
//! change before; its first operation, which follows theirs; Automerge's columns, which
//! follow the entry. A change has one form only ([`packet::inspect`]), so the entry and
//! the `seq`s of what it stands on are enough to write it anew, byte for byte. A note
//! then costs little more than its words.
//!
//! In CBOR, one after the other: the `seq`s that it stands on, each as how far before its
//! own; which of them is the author's own last, from 1, or 0 and the author; the author's
//! time, as how long before the center's receipt; by how much the author's clock was off;
//! the first two bytes of the hash; the entry's fields, and [`INSTEAD`] as one of them where it
//! was written anew.

use minicbor::data::Type;
use minicbor::{Decoder, Encoder};
use packet::change::{DEPS_MAX, INSTEAD, take_instead};
use packet::entry::FIELDS_MAX;
use packet::{Actor, ChangeHash, Composed, Draft, Entry, EntryId, Inspected, Written, compose};
use serde_json::{Map, Value};

use crate::frame::FrameError;

/// What is known of a change that another stands on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Standing {
    pub hash: ChangeHash,
    pub id: EntryId,
    pub max_op: u64,
}

/// Where a change stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    pub seq: u64,
    /// The center's receipt: milliseconds since 1970, UTC.
    pub received_ms: i64,
}

/// Why a change cannot be written anew from its brief.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BriefError {
    /// A change that it stands on is not here: the document has to come anew.
    #[error("the change stands on {0}, which is not here")]
    Missing(u64),
    #[error("the change cannot be read: {0}")]
    Malformed(String),
    /// This build writes changes otherwise than the one that wrote it.
    #[error("the change came out as another")]
    Differs,
}

impl From<BriefError> for FrameError {
    fn from(error: BriefError) -> Self {
        Self::Body(error.to_string())
    }
}

/// The brief of a change, where what it stands on is known: `standing` in the order of
/// its `deps`. `None` when it cannot be written anew from one; then it goes as it is.
#[must_use]
pub fn abridge(change: &Inspected, place: Place, standing: &[(u64, EntryId)]) -> Option<Vec<u8>> {
    let own = standing.iter().position(|(_, id)| {
        id.actor == change.id.actor && id.number.checked_add(1) == Some(change.id.number)
    });
    let is_first = own.is_none() && change.id.number == 1;
    if standing.len() != change.deps.len() || !(own.is_some() || is_first) {
        return None;
    }
    let mut fields: Vec<_> = change.written.entry.to_fields().ok()?.into_iter().collect();
    if let Some(instead) = change.written.instead {
        fields.push((INSTEAD.into(), instead.to_string().into()));
    }
    fields.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
    let mut e = Encoder::new(Vec::with_capacity(256));
    // Writing into a `Vec` cannot fail.
    let _ = (|| {
        e.array(standing.len() as u64)?;
        for (seq, _) in standing {
            e.u64(place.seq.wrapping_sub(*seq))?;
        }
        match own {
            Some(at) => e.u64(at as u64 + 1)?,
            None => e.u8(0)?.bytes(&change.id.actor.0)?,
        };
        e.i64(place.received_ms.wrapping_sub(change.time_ms))?;
        e.encode(change.written.clock_off_ms)?;
        e.bytes(check(&change.hash))?;
        e.map(fields.len() as u64)?;
        for (name, value) in &fields {
            e.str(name)?;
            match value {
                Value::String(text) => e.str(text)?,
                Value::Bool(yes) => e.bool(*yes)?,
                value => e.i64(value.as_i64().unwrap_or_default())?,
            };
        }
        Ok::<_, minicbor::encode::Error<std::convert::Infallible>>(())
    })();
    Some(e.into_writer())
}

/// Writes the change anew. `standing` says what is known of the document's change with
/// that `seq`.
///
/// # Errors
/// See [`BriefError`].
pub fn restore(
    brief: &[u8],
    place: Place,
    mut standing: impl FnMut(u64) -> Option<Standing>,
) -> Result<Composed, BriefError> {
    let read = read(brief).map_err(|e| BriefError::Malformed(e.to_string()))?;
    let mut known = Vec::with_capacity(read.back.len());
    for back in &read.back {
        let seq = place.seq.wrapping_sub(*back);
        known.push(standing(seq).ok_or(BriefError::Missing(seq))?);
    }
    let id = match read.author {
        Author::First(actor) => EntryId { actor, number: 1 },
        Author::Own(at) => {
            let own = known.get(at).ok_or_else(|| malformed("its author"))?.id;
            EntryId {
                actor: own.actor,
                number: own.number.saturating_add(1),
            }
        }
    };
    let max_op = known.iter().map(|known| known.max_op).max().unwrap_or(0);
    let mut fields = read.fields;
    let instead = take_instead(&mut fields).map_err(|e| malformed(&e.to_string()))?;
    let entry = Entry::from_fields(fields).map_err(|e| malformed(&e.to_string()))?;
    let composed = compose(&Draft {
        actor: id.actor,
        number: id.number,
        deps: known.iter().map(|known| known.hash).collect(),
        start_op: max_op.saturating_add(1),
        time_ms: place.received_ms.wrapping_sub(read.ago_ms),
        written: &Written {
            entry,
            clock_off_ms: read.clock_off_ms,
            instead,
        },
    });
    let composed = composed.map_err(|e| malformed(&e.to_string()))?;
    if check(&composed.hash) != read.check {
        return Err(BriefError::Differs);
    }
    Ok(composed)
}

enum Author {
    First(Actor),
    /// Which of the changes that it stands on is the author's own.
    Own(usize),
}

struct Read<'b> {
    back: Vec<u64>,
    author: Author,
    ago_ms: i64,
    clock_off_ms: Option<i64>,
    check: &'b [u8],
    fields: Map<String, Value>,
}

fn read(brief: &[u8]) -> Result<Read<'_>, minicbor::decode::Error> {
    let wrong = |what: String| minicbor::decode::Error::message(what);
    let bounded = |found: Option<u64>, most: usize| match found {
        Some(found) if found <= most as u64 => Ok(found),
        _ => Err(wrong("too much, or without end".into())),
    };
    let mut d = Decoder::new(brief);
    let mut back = Vec::new();
    for _ in 0..bounded(d.array()?, DEPS_MAX)? {
        back.push(d.u64()?);
    }
    let author = match d.u64()? {
        0 => Author::First(Actor::from_bytes(d.bytes()?).map_err(|e| wrong(e.to_string()))?),
        at => Author::Own(usize::try_from(at - 1).unwrap_or(usize::MAX)),
    };
    let (ago_ms, clock_off_ms, check) = (d.i64()?, d.decode()?, d.bytes()?);
    let mut fields = Map::new();
    for _ in 0..bounded(d.map()?, FIELDS_MAX + 1)? {
        let name = d.str()?.to_owned();
        let value = match d.datatype()? {
            Type::String => Value::from(d.str()?),
            Type::Bool => Value::from(d.bool()?),
            _ => Value::from(d.i64()?),
        };
        fields.insert(name, value);
    }
    if d.position() != brief.len() {
        return Err(wrong("bytes are left over".into()));
    }
    Ok(Read {
        back,
        author,
        ago_ms,
        clock_off_ms,
        check,
        fields,
    })
}

fn malformed(what: &str) -> BriefError {
    BriefError::Malformed(what.to_owned())
}

/// Enough of a hash to tell whether another build came to another one.
fn check(hash: &ChangeHash) -> &[u8] {
    &hash.0[..2]
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use packet::{Lineage, Note, inspect};
    use proptest::prelude::*;

    use super::*;

    const RECEIVED_MS: i64 = 1_800_000_000_000;

    /// A document's changes in the order of the log, and where each stands.
    #[derive(Default)]
    struct Log {
        lineage: Lineage,
        by_seq: HashMap<u64, Standing>,
        seqs: HashMap<ChangeHash, (u64, EntryId)>,
    }

    impl Log {
        fn write(&mut self, actor: Actor, seq: u64, text: &str, off: Option<i64>) -> Inspected {
            let basis = self.lineage.basis(actor);
            let written = Written {
                entry: Entry::Note(Note {
                    text: text.into(),
                    by: "A. Ferris (4A12)".into(),
                }),
                clock_off_ms: off,
                instead: off.filter(|off| off % 3 == 0).map(|_| ChangeHash([3; 32])),
            };
            let composed = compose(&Draft {
                actor,
                number: basis.number,
                deps: basis.deps,
                start_op: basis.start_op,
                time_ms: RECEIVED_MS - 70,
                written: &written,
            });
            let change = inspect(&composed.unwrap().bytes).unwrap();
            self.lineage.add(change.hash, change.id, change.max_op);
            self.seqs.insert(change.hash, (seq, change.id));
            let (hash, id, max_op) = (change.hash, change.id, change.max_op);
            self.by_seq.insert(seq, Standing { hash, id, max_op });
            change
        }

        fn brief(&self, change: &Inspected, seq: u64) -> Vec<u8> {
            let standing: Vec<_> = change.deps.iter().map(|dep| self.seqs[dep]).collect();
            let received_ms = RECEIVED_MS;
            abridge(change, Place { seq, received_ms }, &standing).unwrap()
        }
    }

    fn place(seq: u64) -> Place {
        Place {
            seq,
            received_ms: RECEIVED_MS,
        }
    }

    proptest! {
        #[test]
        fn a_change_comes_out_of_its_brief_byte_for_byte(
            writes in proptest::collection::vec((0..4_u8, 1..9_u64, "[ -~]{1,150}", any::<Option<i16>>()), 1..30)
        ) {
            let (mut log, mut seq) = (Log::default(), 0);
            for (actor, gap, text, off) in writes {
                prop_assume!(!text.trim().is_empty());
                seq += gap;
                let change = log.write(Actor([actor; 8]), seq, &text, off.map(i64::from));
                let brief = log.brief(&change, seq);
                let again = restore(&brief, place(seq), |seq| log.by_seq.get(&seq).copied()).unwrap();
                prop_assert_eq!(again.hash, change.hash);
                prop_assert_eq!(inspect(&again.bytes).unwrap(), change);
            }
        }

        #[test]
        fn whatever_bytes_come_they_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = restore(&bytes, place(5), |_| None);
        }
    }

    #[test]
    fn a_brief_that_stands_on_what_is_not_here_says_so() {
        let mut log = Log::default();
        log.write(Actor([1; 8]), 4, "one", None);
        let second = log.write(Actor([1; 8]), 9, "two", None);
        let brief = log.brief(&second, 9);
        assert_eq!(
            restore(&brief, place(9), |_| None),
            Err(BriefError::Missing(4))
        );
        // Where it stands on another change, the hash is another.
        let mut other = Log::default();
        other.write(Actor([1; 8]), 4, "another", None);
        let found = restore(&brief, place(9), |seq| other.by_seq.get(&seq).copied());
        assert_eq!(found, Err(BriefError::Differs));
    }

    #[test]
    fn a_brief_is_little_more_than_the_words() {
        let mut log = Log::default();
        log.write(Actor([1; 8]), 4, "one", None);
        let text = "Silver sedan seen leaving north, partial plate";
        let second = log.write(Actor([1; 8]), 9, text, Some(-31));
        let words = text.len() + "A. Ferris (4A12)".len();
        let brief = log.brief(&second, 9);
        assert!(brief.len() < words + 45, "{} for {words}", brief.len());
    }
}
