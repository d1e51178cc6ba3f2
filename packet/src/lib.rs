//! What a call packet is. No I/O.
//!
//! A **packet** is all that is known about one call: one Automerge document per
//! [`Compartment`]. A document is *add-only*: every change adds exactly one
//! [`Entry`] and never touches another, so a change can be judged by its own
//! operations and nothing that was written can be replaced by what comes later.
//!
//! ```text
//! Entry ──compose──▶ change bytes ──sign──▶ Offer ──admit──▶ Document
//!   (typed)            (Automerge)                              │
//!   ◀───────────────────────inspect─────────────────────────────┘
//! ```
//!
//! * [`ids`]: who and what things are called.
//! * [`entry`]: the kinds of entry, their fields and limits, who may write which.
//! * [`address`]: one spelling for one place, by USPS Publication 28.
//! * [`custody`]: the receipt of an erasure, and the code that releases a locked device.
//! * [`change`]: one entry as the bytes of one Automerge change, and back, guarded.
//! * [`document`]: what is known of a document's history, and the document itself.
//! * [`glance`]: the few lines that a packet opens on.
//! * [`admission`]: whether the center takes a device's change.
//! * [`lookup`]: how plates, places and words are compared, at the center and offline.
//! * [`sealed`]: what is kept under a key of its own, at the center and on a device.
//! * [`signature`]: a device's signature and the center's MAC over a change.
//! * [`subject`]: what a query is about, in the form in which it is looked up.

pub mod address;
pub mod admission;
pub mod change;
pub mod custody;
pub mod document;
pub mod entry;
pub mod glance;
pub mod ids;
pub mod lookup;
pub mod sabotage;
pub mod sealed;
pub mod signature;
pub mod subject;

pub use admission::{Admission, Offer, Proof, Refusal, admit};
pub use change::{Composed, Draft, Inspected, change_hash, compose, inspect};
pub use document::{Document, Lineage};
pub use entry::{
    Acknowledgement, Attachment, CallState, Caution, Confidence, Correction, Entry, EntryError,
    Facts, Finding, Kind, Link, LinkHow, Mention, MentionWhat, Note, Outcome, OutcomeState, Query,
    QueryWhat, Topic, UnitState, UnitStatus, Written, may_write,
};
pub use glance::{Glance, glance};
pub use ids::{
    Actor, Author, CallId, CenterId, ChangeHash, Compartment, DeviceNumber, DocumentId, EntryId,
    IdError,
};
pub use subject::{Subject, SubjectError};
