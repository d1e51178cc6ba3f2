//! The officer's device: what it keeps, what it sends, what a screen shows.
//!
//! ```text
//!  screen ──▶ Core::add_note … ──▶ store + outbox + sealed file ──▶ driver ──▶ center
//!  screen ◀── Core::packet …   ◀── store ◀──── one transaction ◀─── driver ◀── center
//! ```
//!
//! * [`Core`] is all that a host uses. Everything it reads and writes is on the
//!   device: no call of a screen waits for the network but enrolment and sign-on.
//! * `store` is one encrypted file. A note is kept when its call returns, and each
//!   unsent entry lies beside the store once more, sealed to the center.
//! * `driver` keeps one session with the center alive, and commits what it says
//!   before it says that it was delivered.
//! * [`lock`] is what opens the store, and when it closes: PIN, shift, the officer's absence.
//! * [`identity`] is the device's key, its certificate and the center it believes.
//! * [`ffi`] is the same for other languages, without logic of its own.

mod core;
mod driver;
mod error;
pub mod ffi;
mod host;
pub mod identity;
pub mod lock;
mod net;
mod shift;
#[doc(hidden)]
pub mod simulation;
mod store;
mod ticket;
mod view;

pub use crate::core::{
    AttachmentContent, Budget, Core, Difference, Ended, EntryKey, FOUND_MAX, Intel, Lease,
    LeaseState, LinkFollower, ListFollower, ListNews, Metrics, Opened, Options, PacketFollower,
    PacketNews, Synced, Unlocked, Woken,
};
pub use driver::LinkState;
pub use error::CoreError;
pub use host::{BootClock, LogLevel, Logger, SystemClock, TracingLogger};
pub use lock::{LockRules, LockState, LockedWhy, PinHash, ShiftLeft};
pub use shift::{Purpose, Shift};
pub use store::{ATTACHMENTS_BYTES_MAX, OUTBOX_ENTRIES_MAX, StoreError};
pub use ticket::Ticket;
pub use tokio_util::sync::CancellationToken;
pub use view::{
    AttachmentState, AttachmentView, EntryView, Found, MineState, OpenPacket, Packet,
    PacketSummary, ShownTo,
};

/// How bytes get to the center, for tests that replace the network. Not for hosts.
#[doc(hidden)]
pub mod network {
    pub use crate::net::{Connecting, Connection, Connector, NetError};
}

uniffi::setup_scaffolding!();
