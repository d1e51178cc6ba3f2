//! Power cuts: what a disk may hold when the power fails in the middle of anything.
//!
//! `kill -9` leaves everything that was written; a power cut leaves what was *synced*, and
//! of the rest whatever the disk had got to. [`Recorder`] is a SQLite VFS over the
//! system's own that notes down each write, truncation, sync and deletion. [`Disk`] plays
//! the notes up to any moment and gives what may lie there then: all that was synced,
//! and of what came after a file's last sync any part in any order, torn at sectors.
//!
//! What SQLite did not write is not modelled: the sealed files beside a device's store.

mod disk;
mod vfs;

pub use disk::Disk;
pub use vfs::{Event, Recorder, Tape};
