//! What was found to be broken, by the invariant's number in ARCHITECTURE.md.

use std::fmt;

/// What must always hold, as far as a simulation can look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Invariant {
    /// Acknowledged means durable.
    Durable,
    /// A change is in a log or a store once, and so is what its officer wrote.
    Idempotent,
    UrgentFirst,
    /// A document's position is the truth.
    Order,
    Bounded,
    /// What was refused is kept with its words, and what follows goes on.
    NoWedge,
    /// Nothing without a grant.
    Denied,
    /// With all healed, everything comes to rest, the same everywhere.
    Converges,
    /// The world itself does not work: a file that cannot be written, a store that fails.
    World,
}

impl fmt::Display for Invariant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Durable => "1 acknowledged means durable",
            Self::Idempotent => "2 idempotent",
            Self::UrgentFirst => "4 urgent first",
            Self::Order => "5 order within a document",
            Self::Bounded => "6 bounded",
            Self::NoWedge => "8 refusal never wedges",
            Self::Denied => "9 deny by default",
            Self::Converges => "all converges",
            Self::World => "the simulated world works",
        })
    }
}

/// One broken promise, in a sentence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub(super) invariant: Invariant,
    pub(super) what: String,
}

pub(super) type Step<T = ()> = Result<T, Fault>;

/// Holds a promise against what is.
pub(super) fn must(holds: bool, invariant: Invariant, what: impl FnOnce() -> String) -> Step {
    if holds {
        Ok(())
    } else {
        Err(broken(invariant, what()))
    }
}

pub(super) fn broken(invariant: Invariant, what: impl Into<String>) -> Fault {
    Fault {
        invariant,
        what: what.into(),
    }
}

impl Fault {
    /// Of the world, not of what is tried in it.
    pub(super) fn of_world(error: impl fmt::Display) -> Self {
        broken(Invariant::World, error.to_string())
    }
}
