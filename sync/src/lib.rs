//! How changes travel between the center and its devices.
//!
//! Everything here is without I/O: clock and bytes are arguments, so that a whole
//! city can run in virtual time. [`device::Device`] is one end, [`relay::Relay`]
//! the other; [`frame`] is what crosses.
//!
//! # The protocol
//!
//! The center's **log** is one ordered list of accepted changes; each has a `seq`,
//! gapless. A device may have the documents that are granted to it. What it has is
//! one number, its **position**: everything of its documents up to that `seq`; and a
//! short list of documents that stand elsewhere (a late grant, a history that was
//! cut off). So catching up takes one round trip:
//!
//! ```text
//! device                                   center
//!   │── hello (in the upgrade request) ──────▶│  version, position, exceptions, digest
//!   │── offer, offer, … (the outbox) ────────▶│  admitted one by one, logged, then answered
//!   │◀─ welcome ──────────────────────────────│  or bye, with the reason
//!   │◀─ grant / revoke ───────────────────────│  what changed since the position
//!   │◀─ changes (most urgent document first) ─│
//!   │◀─ accepted / refused ───────────────────│  after the log's commit
//!   │── delivered (messages) ────────────────▶│  after the device's commit
//!   │◀─ position ─────────────────────────────│  nothing is left: stand here
//!   │── shown ───────────────────────────────▶│  was on a lit, unlocked screen
//!   │◀─ seen ─────────────────────────────────│  somebody saw what you wrote
//!   │── want · put · chunk ──────────────────▶│  attachments, when nothing else waits
//!   │◀─ chunk · have ─────────────────────────│
//!   │◀─ ping / pong ─────────────────────────▶│  any byte is a sign of life
//! ```
//!
//! * **Version.** A hello names one; a center that does not speak it answers *bye*
//!   with both numbers, and the device comes back hours later or after an update.
//! * **Agreement.** The hello's digest covers the log's incarnation and the documents
//!   granted at its position. When it is not what the center knows, the welcome says
//!   *compare*, and the device says through which `seq` it has each document: that
//!   costs one round trip more and sends nothing twice. Where the log is another, it has
//!   none of it: all is granted and sent anew (a change is known by its hash, so nothing
//!   doubles), and what is not granted again leaves the device.
//! * **Small.** A message is a sequence of frames. A change goes down as its [`brief`],
//!   packed once for all who receive it; on a slow link the small ones of a message are
//!   packed together ([`frame::BundleFrame`]).
//! * **Urgent first.** At most [`limits::WINDOW_MS`] of the link's measured rate is
//!   under way; each message is chosen when it can be sent ([`relay::Urgency`]), and a
//!   frame that is too long for the link crosses in parts, which what is urgent passes.
//!   How large the window begins is told by how long the handshake took.
//! * **Acknowledged means durable.** *Accepted* follows the log's commit, *delivered*
//!   the device's. What is not accepted is offered again in the next session; a
//!   change that the center has is accepted again and logged once.
//! * **Refusal.** The device goes back to what was accepted, takes a new actor for
//!   the document and writes its later work anew. What it had offered behind the
//!   refused change is refused too (it stands on a change that is not there); those
//!   answers name changes that the device no longer has, and fall away.
//! * **Attachments** go in pieces, behind everything else, each from where the other
//!   side says that it stands: a link that breaks costs what was under way.
//!
//! # Example
//!
//! ```
//! use forerunner_sync::device::{self, Device, Kept, Store};
//! use forerunner_sync::relay::{self, Relay, Standing};
//!
//! let mut device = Device::new(Kept::default());
//! let hello = device.dial(b"shift token".to_vec(), 0);
//! let standing = Standing { incarnation: 7, head: 0, center_now_ms: 0, granted: vec![], ended: vec![] };
//! let mut relay = Relay::open(&hello, standing, None, 0).unwrap();
//!
//! let relay::Next::Send(welcome) = relay.next(0) else { panic!("the welcome comes first") };
//! let effects = device.message(&welcome, 1)?;
//! assert!(matches!(effects.store[..], [Store::Welcome { incarnation: 7, .. }, Store::Position { .. }]));
//! // … the caller commits `effects.store` …
//! device.committed();
//! let device::Next::Send(delivered) = device.next(1) else { panic!("delivered, after the commit") };
//! assert_eq!(relay.message(&delivered, 2)?, [relay::Event::Delivered { through: vec![], held_ms: 0 }]);
//! # Ok::<(), forerunner_sync::frame::FrameError>(())
//! ```

pub mod brief;
mod bundle;
pub mod codec;
pub mod device;
pub mod frame;
mod life;
pub mod limits;
mod link;
pub mod relay;
mod slices;

pub use bundle::decode_down;
pub use link::Handshake;

use frame::FrameError;

/// Holds a count from the wire against its limit.
fn at_most(what: &'static str, found: usize, most: usize) -> Result<(), FrameError> {
    if found > most {
        Err(FrameError::OverLimit { what, found, most })
    } else {
        Ok(())
    }
}
