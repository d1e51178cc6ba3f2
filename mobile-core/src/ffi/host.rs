//! What a host in another language gives, in the core's shapes.

use std::fmt;
use std::sync::Arc;

use super::FfiError;
use crate::host::{BootClock, LogLevel, Logger, SystemClock, TracingLogger};
use crate::identity::{KeyStore, KeyStoreError, Signer, SignerError};

/// Small secrets by name; see [`KeyStore`].
#[uniffi::export(with_foreign)]
pub trait HostKeyStore: Send + Sync {
    fn load(&self, name: String) -> Result<Option<Vec<u8>>, FfiError>;
    fn save(&self, name: String, value: Vec<u8>) -> Result<(), FfiError>;
    fn erase(&self, name: String) -> Result<(), FfiError>;
}

/// The device's P-256 key; see [`Signer`].
#[uniffi::export(with_foreign)]
pub trait HostSigner: Send + Sync {
    /// Uncompressed point, 65 bytes.
    fn public_key(&self) -> Vec<u8>;
    /// ECDSA with SHA-256 over `message`, DER.
    fn sign(&self, message: Vec<u8>) -> Result<Vec<u8>, FfiError>;
}

/// See [`BootClock`].
#[uniffi::export(with_foreign)]
pub trait HostClock: Send + Sync {
    fn now_ms(&self) -> u64;
    fn wall_ms(&self) -> i64;
}

/// See [`Logger`].
#[uniffi::export(with_foreign)]
pub trait HostLogger: Send + Sync {
    fn log(&self, is_warning: bool, message: String);
}

struct Foreign<T: ?Sized>(Arc<T>);

impl<T: ?Sized> fmt::Debug for Foreign<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Foreign")
    }
}

pub(super) fn keys(keys: Arc<dyn HostKeyStore>) -> Arc<dyn KeyStore> {
    Arc::new(Foreign(keys))
}

pub(super) fn signer(signer: Arc<dyn HostSigner>) -> Arc<dyn Signer> {
    Arc::new(Foreign(signer))
}

pub(super) fn clock(clock: Option<Arc<dyn HostClock>>) -> Arc<dyn BootClock> {
    match clock {
        Some(clock) => Arc::new(Foreign(clock)),
        None => Arc::new(SystemClock::new()),
    }
}

pub(super) fn logger(logger: Option<Arc<dyn HostLogger>>) -> Arc<dyn Logger> {
    match logger {
        Some(logger) => Arc::new(Foreign(logger)),
        None => Arc::new(TracingLogger),
    }
}

impl KeyStore for Foreign<dyn HostKeyStore> {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.0.load(name.to_owned()).map_err(host_error)
    }

    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeyStoreError> {
        let value = value.to_vec();
        self.0.save(name.to_owned(), value).map_err(host_error)
    }

    fn erase(&self, name: &str) -> Result<(), KeyStoreError> {
        self.0.erase(name.to_owned()).map_err(host_error)
    }
}

fn host_error(error: FfiError) -> KeyStoreError {
    KeyStoreError::Host(error.to_string())
}

impl Signer for Foreign<dyn HostSigner> {
    fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let signature = self.0.sign(message.to_vec());
        signature.map_err(|error| SignerError::Failed(error.to_string()))
    }
}

impl BootClock for Foreign<dyn HostClock> {
    fn now_ms(&self) -> u64 {
        self.0.now_ms()
    }

    fn wall_ms(&self) -> i64 {
        self.0.wall_ms()
    }
}

impl Logger for Foreign<dyn HostLogger> {
    fn log(&self, level: LogLevel, message: &str) {
        self.0.log(level == LogLevel::Warning, message.to_owned());
    }
}
