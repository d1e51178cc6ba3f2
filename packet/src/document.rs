//! A document and what is known of its history.
//!
//! A change can be judged without the document's contents: which changes are known,
//! how far each actor has come, and where each change's operations end. That is the
//! [`Lineage`], small enough to keep where the contents are not. The [`Document`] adds
//! Automerge. Changes are the truth; a saved document is a cache.

mod lineage;

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use automerge::{Automerge, ReadDoc};

use crate::admission::Refusal;
use crate::change::Inspected;
use crate::ids::ChangeHash;

pub use lineage::{Basis, DOCUMENT_CHANGES_MAX, Lineage};

/// One document: its history and its contents.
#[derive(Clone)]
pub struct Document {
    lineage: Lineage,
    automerge: Automerge,
}

/// Without the contents: what prints ends in logs.
impl fmt::Debug for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Document")
            .field("changes", &self.lineage.len())
            .finish_non_exhaustive()
    }
}

impl Default for Document {
    fn default() -> Self {
        Self::new()
    }
}

impl Document {
    #[must_use]
    pub fn new() -> Self {
        Self {
            lineage: Lineage::default(),
            automerge: Automerge::new(),
        }
    }

    #[must_use]
    pub fn lineage(&self) -> &Lineage {
        &self.lineage
    }

    /// Builds a document from changes that were admitted before, in their log's order.
    ///
    /// One step for all of them: change by change costs a clone each, which for thousands
    /// of changes is seconds instead of a tenth of one.
    ///
    /// # Errors
    /// When a change cannot come where it stands, or Automerge does not take it.
    pub fn from_changes<'a>(
        changes: impl IntoIterator<Item = (Inspected, &'a [u8])>,
    ) -> Result<Self, Refusal> {
        let mut document = Self::new();
        let mut all = Vec::new();
        for (change, bytes) in changes {
            document.lineage.check(&change)?;
            document.lineage.add(change.hash, change.id, change.max_op);
            document.lineage.stands_for(&change);
            all.push((change.hash, bytes));
        }
        document.automerge = guarded_apply(&document.automerge, &all)?;
        Ok(document)
    }

    /// Adds a change that was inspected. The document is as before when it cannot be added:
    /// Automerge works on a clone, because a panic midway leaves it half changed.
    ///
    /// # Errors
    /// When the change cannot come next, or Automerge does not take it.
    pub fn apply(&mut self, change: &Inspected, bytes: &[u8]) -> Result<(), Refusal> {
        self.lineage.check(change)?;
        self.automerge = guarded_apply(&self.automerge, &[(change.hash, bytes)])?;
        self.lineage.add(change.hash, change.id, change.max_op);
        self.lineage.stands_for(change);
        Ok(())
    }

    /// The whole document as Automerge saves it: a cache, never what a change is taken from.
    #[must_use]
    pub fn save(&self) -> Vec<u8> {
        self.automerge.save()
    }
}

fn guarded_apply(
    before: &Automerge,
    changes: &[(ChangeHash, &[u8])],
) -> Result<Automerge, Refusal> {
    let applied = catch_unwind(AssertUnwindSafe(|| applied(before, changes)));
    applied.ok().flatten().ok_or(Refusal::Inapplicable)
}

fn applied(before: &Automerge, changes: &[(ChangeHash, &[u8])]) -> Option<Automerge> {
    let mut decoded = Vec::with_capacity(changes.len());
    for (hash, bytes) in changes {
        let change = automerge::Change::try_from(*bytes).ok()?;
        if change.hash().0 != hash.0 {
            return None;
        }
        decoded.push(change);
    }
    let mut after = before.clone();
    after.apply_changes(decoded).ok()?;
    // Automerge queues what it cannot place, and says nothing.
    let has = |hash: &ChangeHash| {
        after
            .get_change_meta_by_hash(&automerge::ChangeHash(hash.0))
            .is_some()
    };
    let taken = changes.iter().all(|(hash, _)| has(hash)) && after.get_missing_deps(&[]).is_empty();
    taken.then_some(after)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::change::{Composed, Draft, compose, inspect};
    use crate::entry::{Entry, Note, Written};
    use crate::ids::{Actor, EntryId};

    const A: Actor = Actor([1; 8]);
    const B: Actor = Actor([2; 8]);

    fn write(actor: Actor, basis: Basis, text: &str) -> Composed {
        let note = Entry::Note(Note {
            text: text.into(),
            by: "Diaz".into(),
        });
        let written = Written {
            entry: note,
            clock_off_ms: None,
            instead: None,
        };
        let Basis {
            deps,
            number,
            start_op,
        } = basis;
        compose(&Draft {
            actor,
            number,
            deps,
            start_op,
            time_ms: 5,
            written: &written,
        })
        .unwrap()
    }

    fn add(document: &mut Document, actor: Actor, text: &str) -> ChangeHash {
        let change = write(actor, document.lineage().basis(actor), text);
        document
            .apply(&inspect(&change.bytes).unwrap(), &change.bytes)
            .unwrap();
        change.hash
    }

    #[test]
    fn what_a_basis_says_fits_the_document() {
        let mut document = Document::new();
        assert!(document.lineage().is_empty());
        assert_eq!(
            document.lineage().basis(A),
            Basis {
                deps: vec![],
                number: 1,
                start_op: 1
            }
        );
        let first = add(&mut document, A, "one");
        // kind, text, by, and the map that holds them.
        assert_eq!(
            document.lineage().basis(A),
            Basis {
                deps: vec![first],
                number: 2,
                start_op: 5
            }
        );
        let second = add(&mut document, B, "two");
        let mut deps = vec![first, second];
        deps.sort_unstable();
        assert_eq!(
            document.lineage().basis(A),
            Basis {
                deps,
                number: 2,
                start_op: 9
            }
        );
        for text in ["three", "four", "five"] {
            add(&mut document, A, text);
            add(&mut document, B, text);
        }
        assert_eq!(document.lineage().len(), 8);
        assert!(
            document.lineage().knows(&first) && !document.lineage().knows(&ChangeHash([0; 32]))
        );
        let loaded = Automerge::load(&document.save()).unwrap();
        assert_eq!(loaded.get_changes(&[]).len(), 8);
    }

    #[test]
    fn two_writers_who_do_not_see_each_other_both_fit() {
        let mut document = Document::new();
        add(&mut document, A, "base");
        let before = document.lineage().clone();
        add(&mut document, A, "mine");
        let theirs = write(B, before.basis(B), "theirs");
        document
            .apply(&inspect(&theirs.bytes).unwrap(), &theirs.bytes)
            .unwrap();
        add(&mut document, A, "after");
        assert_eq!(document.lineage().len(), 4);
    }

    fn refused(document: &Document, actor: Actor, change: impl FnOnce(&mut Basis)) -> Refusal {
        let mut basis = document.lineage().basis(actor);
        change(&mut basis);
        let composed = write(actor, basis, "x");
        let mut after = document.clone();
        let refusal = after
            .apply(&inspect(&composed.bytes).unwrap(), &composed.bytes)
            .unwrap_err();
        assert_eq!(after.save(), document.save());
        assert_eq!(after.lineage().len(), document.lineage().len());
        refusal
    }

    #[test]
    fn a_change_that_cannot_come_next_is_refused_and_leaves_no_trace() {
        let mut document = Document::new();
        let first = add(&mut document, A, "one");
        let second = add(&mut document, B, "two");
        let number = |wanted, found| Refusal::WrongNumber { wanted, found };
        assert_eq!(refused(&document, A, |b| b.number = 1), number(2, 1));
        assert_eq!(refused(&document, A, |b| b.number = 3), number(2, 3));
        assert_eq!(
            refused(&document, A, |b| b.deps.push(ChangeHash([0; 32]))),
            Refusal::UnknownDependency
        );
        let start = |wanted, found| Refusal::StartOperation { wanted, found };
        assert_eq!(refused(&document, A, |b| b.start_op = 8), start(9, 8));
        assert_eq!(refused(&document, A, |b| b.start_op = 10), start(9, 10));
        assert_eq!(
            refused(&document, A, |b| b.deps = vec![second]),
            Refusal::SkipsOwnChange
        );
        assert_eq!(
            refused(&document, Actor([3; 8]), |b| b.deps = vec![]),
            start(1, 9)
        );
        assert_eq!(
            refused(&document, Actor([3; 8]), |b| b.deps = vec![first]),
            start(5, 9)
        );
    }

    #[test]
    fn a_document_built_from_its_log_is_the_same_document() {
        let mut document = Document::new();
        let mut log = Vec::new();
        for (actor, text) in [(A, "one"), (B, "two"), (A, "three"), (B, "four")] {
            let change = write(actor, document.lineage().basis(actor), text);
            document
                .apply(&inspect(&change.bytes).unwrap(), &change.bytes)
                .unwrap();
            log.push(change.bytes);
        }
        fn read(bytes: &[u8]) -> (Inspected, &[u8]) {
            (inspect(bytes).unwrap(), bytes)
        }
        let again = Document::from_changes(log.iter().map(|bytes| read(bytes))).unwrap();
        assert_eq!(again.save(), document.save());
        assert_eq!(again.lineage().basis(A), document.lineage().basis(A));
        let reversed = Document::from_changes(log.iter().rev().map(|bytes| read(bytes)));
        assert_eq!(
            reversed.unwrap_err(),
            Refusal::WrongNumber {
                wanted: 1,
                found: 2
            }
        );
        assert_eq!(format!("{again:?}"), "Document { changes: 4, .. }");
    }

    #[test]
    fn bytes_of_another_change_are_not_applied() {
        let mut document = Document::new();
        let basis = document.lineage().basis(A);
        let said = inspect(&write(A, basis.clone(), "said").bytes).unwrap();
        let other = write(A, basis, "other");
        assert_eq!(
            document.apply(&said, &other.bytes).unwrap_err(),
            Refusal::Inapplicable
        );
        assert!(document.lineage().is_empty());
    }

    #[test]
    fn a_full_document_takes_no_more() {
        let mut lineage = Lineage::default();
        for number in 1..=DOCUMENT_CHANGES_MAX as u64 {
            let mut hash = ChangeHash([0; 32]);
            hash.0[..8].copy_from_slice(&number.to_be_bytes());
            lineage.add(hash, EntryId { actor: A, number }, number);
        }
        let next = inspect(&write(A, lineage.basis(A), "x").bytes).unwrap();
        assert_eq!(lineage.check(&next), Err(Refusal::DocumentFull));
    }
}
