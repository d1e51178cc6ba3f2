//! Who this device is, and which center it believes.
//!
//! The device's key signs twice: TLS handshakes, and each change that is written
//! here. On phones it lives in secure hardware and is never seen by this library,
//! so all that is asked for is a [`Signer`]. What must be kept but cannot live in
//! such hardware (the store's key, the device's certificate) goes through a
//! [`KeyStore`] of the host. A center is believed by its one certificate, pinned
//! at enrolment: no public authority can speak for it.

mod key_store;
mod seal;
mod signer;
mod tls;

pub use key_store::{FileKeyStore, KeyStore, KeyStoreError};
pub use seal::{SealError, seal_to_center};
pub use signer::{Signer, SignerError, SigningRequestError, SoftwareSigner, signing_request};
pub use tls::{ClientConfigError, client_config};
