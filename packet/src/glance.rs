//! What of a packet is read at one glance: at most five lines, and what ranks them.
//!
//! An officer opens a packet while driving to the door. So that the first look says what
//! can hurt and what to do, a packet opens on the [`LINES_MAX`] lines that matter most,
//! each with who says it and how fresh it is; all else stands below. Which entry becomes a
//! line, and which line comes first, is a table ([`RULES`], and in words
//! `docs/one-glance.md`), so that whoever runs a center can read it and argue with it.
//!
//! It is worked out here, from entries alone, because console and device must show the
//! same five: neither reads the other's code.

mod lines;
mod rules;
#[cfg(test)]
mod tests;

use crate::entry::Entry;
use crate::ids::{Compartment, EntryId};

pub use lines::glance;
pub use rules::{RULES, Rank, Rule, VIOLENCE_WORDS, names_violence};

/// Most lines that a packet opens on.
pub const LINES_MAX: usize = 5;
/// Longest text of a line, in characters.
pub const LINE_CHARS_MAX: usize = 160;

/// An entry as whoever looks at the packet has it. What the center refused is not among them.
#[derive(Debug, Clone, Copy)]
pub struct Said<'a> {
    pub id: EntryId,
    pub compartment: Compartment,
    pub entry: &'a Entry,
    /// The center's receipt; the author's clock for what the center does not have yet.
    pub at_ms: i64,
    /// Whoever looks wrote it themselves.
    pub mine: bool,
}

/// What a packet opens on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Glance {
    /// The most important first, at most [`LINES_MAX`].
    pub lines: Vec<Line>,
    /// Entries that could have been a line and are not: they stand below.
    pub below: usize,
    /// … of them cautions.
    pub cautions_below: usize,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    pub rank: Rank,
    /// The entry that it is read from.
    pub id: EntryId,
    pub compartment: Compartment,
    pub text: String,
    /// Who says so: a source, or a person.
    pub source: String,
    pub fresh: Fresh,
    /// It is not an exact match: a lead to verify.
    pub is_lead: bool,
    /// What a tap opens, such as a camera's stream.
    pub link: Option<String>,
    /// Further entries of this rank that have no line of their own.
    pub more: usize,
}

/// How fresh a line is. Milliseconds since 1970, UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fresh {
    /// The record itself is of this time.
    Recorded(i64),
    /// The source answered then, and names no time of its record.
    Answered(i64),
    /// A person or the center wrote it then.
    Written(i64),
}
