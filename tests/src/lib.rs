//! What the tests that need more than one crate share: a center, devices and callers
//! over real sockets, TLS and files.
//!
//! * [`TestCenter`] serves in this process, [`ServedCenter`] is the `forerunner` binary
//!   in one of its own, which can be killed.
//! * [`TestDevice`] is an officer's device as a host would run it.
//! * [`HostileDevice`] has a certificate and speaks the protocol by hand.
//! * [`TestApi`] is dispatch, or an analyst's browser.
//! * [`TestPasskey`] is what that analyst signs in with.
//! * [`fuzz`] is what the fuzz targets run.
//! * [`power`] is a disk whose power fails.
//! * [`TestProvider`] is an agency's own sign-in, which may lie.
//! * [`Postgres`] is Debian's PostgreSQL, for a test of its own.
//! * [`TestSource`] is an agency's database that may be as bad as it likes.
//! * [`simulated`] is a center on turmoil's network, where time is simulated.
//! * [`SlowLink`] is a link between them that is slow, counted, and can be cut.
//! * [`narratives`] are the labelled ones that triage is measured against.
//! * [`KernelLink`] is one that the kernel makes slow, where it may.
//! * [`until`] waits for something to become so; nothing here sleeps and hopes.

// Everything here runs in tests only: what does not hold ends the test.
#![allow(clippy::unwrap_used, clippy::missing_panics_doc)]

mod api;
mod center;
mod config;
mod device;
pub mod fuzz;
mod hostile;
mod kernel_link;
mod ledger;
pub mod narratives;
mod passkey;
mod picture;
mod postgres;
pub mod power;
mod provider;
mod served;
pub mod simulated;
mod slow_link;
mod sources;
mod wait;

pub use api::{Answer, Download, TestApi};
pub use center::TestCenter;
pub use config::{AGENCY, MORE_BADGES, UNITS, config_text};
pub use device::{SkewedClock, TestDevice, note_texts, notes};
pub use hostile::{Ended, HostileDevice, HostileSession, reseal};
pub use kernel_link::KernelLink;
pub use ledger::{LedgerCopy, LoggedEntry};
pub use passkey::TestPasskey;
pub use picture::{lying_png, noise_png};
pub use postgres::Postgres;
pub use provider::{Lie, TestProvider};
pub use served::{ServedCenter, forerunner_binary};
pub use slow_link::SlowLink;
pub use sources::{Manner, TestSource};
pub use wait::{PATIENCE, shared_file, until};
