//! Who the center is, and how it knows a device.
//!
//! The center is its own certificate authority: an agency holds the keys of
//! its center (CJIS SC-12), no third party can speak for it, and a device needs
//! to trust one certificate and nothing else. A device is known by a client
//! certificate over a P-256 key, because that is what the secure hardware of
//! phones can hold, and because it arrives within the handshake: no extra round
//! trip says who is calling. The officer's session is a second, separate proof
//! and no part of this module.
//!
//! - [`keys`]: all secrets of the center, in one folder behind one interface.
//! - [`certificates`]: a device's certificate, made and read.
//! - [`tls`]: the sync port's TLS 1.3.

mod audit_key;
pub mod certificates;
mod files;
pub mod keys;
mod late;
mod stored;
pub mod tls;

pub(crate) use audit_key::AUDIT_FILE;
pub use audit_key::AuditKey;
pub use certificates::{
    CertificateError, DevicePeer, IssuedCertificate, peer_of, public_key_of_request,
};
pub use keys::{CenterKeys, KeysError, LogKey, UnsealError};
pub use late::RENEWED_LATE_MS_MAX;
pub use tls::{IS_FIPS_BUILD, KeyExchange, TlsConfigError, is_fips_in_force, server_config};
