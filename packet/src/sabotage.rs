//! Switches that break a promise each, to see that it is noticed.
//!
//! A check that nobody has seen fail is a hope. With the feature `sabotage` one switch
//! can be on at a time, on one thread, and the simulated city has to find out; without
//! it, which is how everything is built that anybody uses, [`is_on`] is `false` and
//! leaves nothing behind.

/// What is broken while the switch is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sabotage {
    /// The center answers before its log has committed.
    AcknowledgeBeforeCommit,
    /// The device reports as delivered what its store has not committed.
    DeliverBeforeCommit,
    /// What was written behind a refused change is forgotten.
    DropSuccessors,
    /// A refused entry is forgotten, words and all.
    ForgetRefused,
    /// An entry is kept without its sealed copy.
    SkipSealing,
    /// The log looks up no change that it has already.
    LogTwice,
    /// What a device says it has is believed, whatever its digest.
    SkipDigest,
    /// A device takes a restored log for the one it knew.
    IgnoreIncarnation,
    /// The least urgent document goes first, and the least urgent question.
    IgnorePriority,
    /// A session puts everything under way that there is.
    GrowWindow,
    /// A device puts its whole outbox under way.
    GrowOffers,
    /// A position is told while changes are still to be sent.
    PositionTooEarly,
    /// Any call may be written to.
    SkipGrantCheck,
    /// A device does not hear that a grant has ended.
    RevokeUntold,
    /// … or hears it, and keeps what it has.
    KeepRevoked,
    SkipSignature,
    SkipActor,
    SkipTime,
}

impl Sabotage {
    pub const ALL: [Self; 18] = [
        Self::AcknowledgeBeforeCommit,
        Self::DeliverBeforeCommit,
        Self::DropSuccessors,
        Self::ForgetRefused,
        Self::SkipSealing,
        Self::LogTwice,
        Self::SkipDigest,
        Self::IgnoreIncarnation,
        Self::IgnorePriority,
        Self::GrowWindow,
        Self::GrowOffers,
        Self::PositionTooEarly,
        Self::SkipGrantCheck,
        Self::RevokeUntold,
        Self::KeepRevoked,
        Self::SkipSignature,
        Self::SkipActor,
        Self::SkipTime,
    ];
}

#[cfg(feature = "sabotage")]
mod switch {
    use std::cell::Cell;

    use super::Sabotage;

    thread_local! {
        static ON: Cell<Option<Sabotage>> = const { Cell::new(None) };
    }

    /// Turns this one on, and every other off, on this thread.
    pub fn turn_on(sabotage: Option<Sabotage>) {
        ON.set(sabotage);
    }

    /// Whether this is broken now, on this thread.
    #[must_use]
    pub fn is_on(sabotage: Sabotage) -> bool {
        ON.get() == Some(sabotage)
    }
}

#[cfg(feature = "sabotage")]
pub use switch::{is_on, turn_on};

/// Nothing is ever broken on purpose.
#[cfg(not(feature = "sabotage"))]
#[must_use]
pub const fn is_on(_: Sabotage) -> bool {
    false
}
