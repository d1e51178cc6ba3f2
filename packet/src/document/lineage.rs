//! What a document's history says without its contents: enough to write to it and to judge.

use std::collections::{HashMap, HashSet};

use crate::admission::Refusal;
use crate::change::Inspected;
use crate::ids::{Actor, Author, ChangeHash, EntryId};

/// Most changes that a document takes: months of a long call; more is a fault in a loop.
pub const DOCUMENT_CHANGES_MAX: usize = 20_000;

/// What must be known of a document's history to write to it and to judge changes: no contents.
#[derive(Debug, Clone, Default)]
pub struct Lineage {
    changes: HashMap<ChangeHash, Known>,
    /// Each actor's last change.
    last: HashMap<Actor, Last>,
    newest: Option<ChangeHash>,
    /// What known changes were written instead of, and by whom: nobody stands in for another.
    instead: HashSet<(ChangeHash, Author)>,
}

#[derive(Debug, Clone, Copy)]
struct Known {
    id: EntryId,
    /// Its last operation.
    max_op: u64,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    number: u64,
    hash: ChangeHash,
}

/// What a next change stands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Basis {
    pub deps: Vec<ChangeHash>,
    pub number: u64,
    pub start_op: u64,
}

impl Lineage {
    pub fn add(&mut self, hash: ChangeHash, id: EntryId, max_op: u64) {
        self.changes.insert(hash, Known { id, max_op });
        self.newest = Some(hash);
        let last = self.last.entry(id.actor).or_insert(Last {
            number: id.number,
            hash,
        });
        if id.number > last.number {
            *last = Last {
                number: id.number,
                hash,
            };
        }
    }

    /// Remembers what a known change was written instead of.
    pub fn stands_for(&mut self, change: &Inspected) {
        let author = change.id.actor.author();
        self.instead
            .extend(change.written.instead.map(|instead| (instead, author)));
    }

    /// Whether its author's entry is known from another change: the one that this one was
    /// written instead of, or one that was written instead of the same or of this.
    #[must_use]
    pub fn has_in_another_form(&self, change: &Inspected) -> bool {
        let author = change.id.actor.author();
        let stood_for = |hash: ChangeHash| self.instead.contains(&(hash, author));
        let first = change.written.instead;
        stood_for(change.hash) || first.is_some_and(|first| self.knows(&first) || stood_for(first))
    }

    #[must_use]
    pub fn knows(&self, hash: &ChangeHash) -> bool {
        self.changes.contains_key(hash)
    }

    /// The entry that a known change added.
    #[must_use]
    pub fn entry(&self, hash: &ChangeHash) -> Option<EntryId> {
        self.changes.get(hash).map(|known| known.id)
    }

    /// The number that this actor's next change has; 1 if the actor is new.
    #[must_use]
    pub fn next_number(&self, actor: Actor) -> u64 {
        self.last
            .get(&actor)
            .map_or(1, |last| last.number.saturating_add(1))
    }

    /// How many changes are known.
    #[must_use]
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// What a next change by this actor stands on: its own last change, without which its
    /// operations' numbers could repeat, and the newest change known.
    #[must_use]
    pub fn basis(&self, actor: Actor) -> Basis {
        let own = self.last.get(&actor).map(|last| last.hash);
        let mut deps: Vec<_> = own.into_iter().chain(self.newest).collect();
        deps.sort_unstable();
        deps.dedup();
        let max_op = deps
            .iter()
            .filter_map(|dep| self.changes.get(dep))
            .map(|known| known.max_op)
            .max()
            .unwrap_or(0);
        Basis {
            deps,
            number: self.next_number(actor),
            start_op: max_op.saturating_add(1),
        }
    }

    /// Whether this change can come next: its number, its dependencies, its first operation.
    ///
    /// # Errors
    /// Names the first of these that is wrong, or that the document is full.
    pub fn check(&self, change: &Inspected) -> Result<(), Refusal> {
        if self.len() >= DOCUMENT_CHANGES_MAX {
            return Err(Refusal::DocumentFull);
        }
        let wanted = self.next_number(change.id.actor);
        if change.id.number != wanted {
            return Err(Refusal::WrongNumber {
                wanted,
                found: change.id.number,
            });
        }
        let mut max_op = 0;
        for dep in &change.deps {
            let known = self.changes.get(dep).ok_or(Refusal::UnknownDependency)?;
            max_op = max_op.max(known.max_op);
        }
        if let Some(own) = self.last.get(&change.id.actor)
            && !change.deps.contains(&own.hash)
        {
            return Err(Refusal::SkipsOwnChange);
        }
        let wanted = max_op.saturating_add(1);
        if change.start_op != wanted {
            return Err(Refusal::StartOperation {
                wanted,
                found: change.start_op,
            });
        }
        Ok(())
    }
}
