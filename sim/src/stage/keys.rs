//! Keys and signatures of simulated devices.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mobile_core::identity::{KeyStore, KeyStoreError, Signer, SignerError, SoftwareSigner};

/// Keys in memory: they outlive every crash, as a phone's key store does.
#[derive(Debug, Default)]
pub(crate) struct MemoryKeys(Mutex<HashMap<String, Vec<u8>>>);

impl KeyStore for MemoryKeys {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(keys.get(name).cloned())
    }

    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeyStoreError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.insert(name.to_owned(), value.to_vec());
        Ok(())
    }

    fn erase(&self, name: &str) -> Result<(), KeyStoreError> {
        let mut keys = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        keys.remove(name);
        Ok(())
    }
}

/// ECDSA is random, and its DER 70 to 72 bytes long: this one's is always 71, so that
/// what crosses a link has the same size in every run of a seed.
#[derive(Debug)]
pub(crate) struct EvenSigner(pub(crate) SoftwareSigner);

impl Signer for EvenSigner {
    fn public_key(&self) -> Vec<u8> {
        self.0.public_key()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        /// Half of all signatures have the length: this many never fail.
        const TRIES_MAX: usize = 1_000;
        const DER_BYTES: usize = 71;
        for _ in 0..TRIES_MAX {
            let signature = self.0.sign(message)?;
            if signature.len() == DER_BYTES {
                return Ok(signature);
            }
        }
        Err(SignerError::Failed("no signature of the length".into()))
    }
}
