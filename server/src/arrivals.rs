//! Whether everything that was known arrived before the officer did: the measure of the
//! mission, taken from what the center keeps anyway.
//!
//! A call's [`Timeline`] is derived from its entries, its grants and its receipts. Two
//! things stand nowhere in those and are kept for it: when a shift began, and when a
//! device was in contact ([`crate::contacts`]). [`Arrival`] judges a timeline; [`Book`]
//! judges the calls of some hours and [`Figures`] adds them up; [`watch`] tells Prometheus.
//!
//! # What is measured, exactly
//! * **The primary unit** is, of the units that came to the scene, the one that was
//!   assigned first. Its **arrival** is its *on scene*: by the officer's clock, less what
//!   that clock was off by at its last contact, and never later than the center's receipt.
//! * A call **had it** (`complete`) when all that the center had written to its packet (facts,
//!   cautions, findings, notes, what became of each question: [`tells`]) [`DELIVERY_MS`] before the arrival was durable on a device of the primary unit at the
//!   arrival, by the center's receipt of the device's word: so a word that came late counts
//!   as late. The **lead** is from then to the arrival.
//! * **Everything asked, answered and there** also wants that every question that was put
//!   to a source had its answer (or *nothing found*) by the arrival, and that it was on the
//!   device. A dead source, a unit without a signal, a late assignment: each is a miss.
//! * Each miss says [`Why`], as far as the center can know.
//! * What has no way to travel (packets that an officer opened, stops, patrol and paper)
//!   is counted apart, and so is a call to which nobody came.

mod arrival;
mod book;
mod figures;
#[cfg(test)]
mod tests;
mod timeline;
pub mod watch;

pub use arrival::{Arrival, Why};
pub use book::{Book, HOURS_MAX, Miss, Report};
pub use figures::{Figures, FiguresView, LeadView, SourceFigures, SourceView};
pub use timeline::{DeviceTimes, Question, Said, Step, Timeline, UnitTimes, tells};

/// What one delivery takes on a link that is there, with the word back: a device may keep
/// that to itself for 0.6 s, the center gathers for 0.04 s, a mobile network is some tenths
/// away. What comes later than this before an arrival is not asked for at it.
pub const DELIVERY_MS: i64 = 2_000;
/// A unit that is assigned later than this before its arrival could hardly be told.
pub const LINK_MS_MIN: i64 = 10_000;
/// A device that was not heard from for so long before the assignment was off.
const OFF_MS: i64 = 30 * 60 * 1_000;
/// Categories of calls that nobody travels to.
const NO_TRAVEL: [&str; 2] = ["stop", "routine"];
