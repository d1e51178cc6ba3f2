//! The device's P-256 key: used here, kept elsewhere.

use std::fmt;
use std::sync::Arc;

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use rcgen::{
    CertificateParams, DistinguishedName, PKCS_ECDSA_P256_SHA256, PublicKeyData, SignatureAlgorithm,
};

/// Bytes of an uncompressed P-256 point (SEC 1, 2.3.3).
pub(super) const P256_POINT_BYTES: usize = 65;

/// Why the host did not sign.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignerError {
    /// Passing: the key answers again once the device is unlocked.
    #[error("the device's key is locked")]
    Locked,
    /// For good: the device must be enrolled anew.
    #[error("the device's key is gone")]
    Gone,
    #[error("the device's key cannot be used: {0}")]
    Failed(String),
}

/// The device's private key, wherever the host keeps it (Secure Enclave, StrongBox, TPM).
///
/// `sign` blocks for as long as the hardware takes, and is called within TLS
/// handshakes: up to some hundred milliseconds, once a full handshake.
pub trait Signer: Send + Sync + fmt::Debug {
    /// Uncompressed P-256 point, 65 bytes; the same at every call.
    fn public_key(&self) -> Vec<u8>;

    /// ECDSA with P-256 and SHA-256 over `message` (which the callee hashes), as an
    /// ASN.1 DER `ECDSA-Sig-Value` (RFC 3279, section 2.2.3).
    ///
    /// # Errors
    /// [`SignerError`], by whether waiting, enrolling anew, or neither helps.
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError>;
}

/// A key in this process's memory, for hosts without secure hardware.
pub struct SoftwareSigner {
    key: EcdsaKeyPair,
    random: SystemRandom,
}

impl fmt::Debug for SoftwareSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SoftwareSigner").finish_non_exhaustive()
    }
}

impl SoftwareSigner {
    /// # Errors
    /// [`SignerError::Failed`] where the machine gives no randomness.
    pub fn generate() -> Result<Self, SignerError> {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING);
        let key = key.map_err(|_| SignerError::Failed("no key could be generated".into()))?;
        Ok(Self {
            key,
            random: SystemRandom::new(),
        })
    }

    /// A key kept as [`Self::to_pkcs8`] gave it.
    ///
    /// # Errors
    /// [`SignerError::Failed`] for anything but a P-256 key in PKCS#8.
    pub fn from_pkcs8(pkcs8: &[u8]) -> Result<Self, SignerError> {
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8);
        let key =
            key.map_err(|_| SignerError::Failed("what was kept is not a P-256 key".into()))?;
        Ok(Self {
            key,
            random: SystemRandom::new(),
        })
    }

    /// The key as PKCS#8 DER (RFC 5208), for a [`super::KeyStore`].
    ///
    /// # Errors
    /// [`SignerError::Failed`] where memory runs out.
    pub fn to_pkcs8(&self) -> Result<Vec<u8>, SignerError> {
        let document = self
            .key
            .to_pkcs8v1()
            .map_err(|_| SignerError::Failed("the key could not be written".into()))?;
        Ok(document.as_ref().to_vec())
    }
}

impl Signer for SoftwareSigner {
    fn public_key(&self) -> Vec<u8> {
        self.key.public_key().as_ref().to_vec()
    }

    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, SignerError> {
        let signature = self.key.sign(&self.random, message);
        let signature =
            signature.map_err(|_| SignerError::Failed("no signature could be made".into()))?;
        Ok(signature.as_ref().to_vec())
    }
}

/// Why there is no certificate request.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SigningRequestError {
    #[error("the host's public key is not an uncompressed P-256 point")]
    PublicKey,
    #[error("the request could not be signed: {0}")]
    Signing(String),
}

/// A request for a device certificate (PKCS#10, RFC 2986, DER).
///
/// It has no subject: the center names its devices, and takes only the key from here.
///
/// # Errors
/// Where the host's signer does not sign, or its key is not what [`Signer`] asks for.
pub fn signing_request(signer: &Arc<dyn Signer>) -> Result<Vec<u8>, SigningRequestError> {
    let public_key = signer.public_key();
    if public_key.len() != P256_POINT_BYTES || public_key.first() != Some(&4) {
        return Err(SigningRequestError::PublicKey);
    }
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    let request = params.serialize_request(&RequestKey {
        public_key,
        signer: signer.as_ref(),
    });
    Ok(request
        .map_err(|error| SigningRequestError::Signing(error.to_string()))?
        .der()
        .to_vec())
}

/// The host's key as rcgen wants to see it.
struct RequestKey<'a> {
    public_key: Vec<u8>,
    signer: &'a dyn Signer,
}

impl PublicKeyData for RequestKey<'_> {
    fn der_bytes(&self) -> &[u8] {
        &self.public_key
    }

    fn algorithm(&self) -> &'static SignatureAlgorithm {
        &PKCS_ECDSA_P256_SHA256
    }
}

impl rcgen::SigningKey for RequestKey<'_> {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
        self.signer.sign(message).map_err(|error| {
            tracing::warn!(%error, "the host did not sign the certificate request");
            rcgen::Error::RemoteKeyError
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};

    use super::*;

    #[test]
    fn a_key_that_was_kept_is_the_same_key() {
        let signer = SoftwareSigner::generate().unwrap();
        let kept = SoftwareSigner::from_pkcs8(&signer.to_pkcs8().unwrap()).unwrap();
        assert_eq!(kept.public_key(), signer.public_key());
        assert_eq!(signer.public_key().len(), P256_POINT_BYTES);
        let signature = kept.sign(b"a change").unwrap();
        let public_key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, signer.public_key());
        public_key.verify(b"a change", &signature).unwrap();
        public_key.verify(b"another", &signature).unwrap_err();
    }

    #[test]
    fn what_is_no_key_is_refused() {
        assert!(SoftwareSigner::from_pkcs8(b"no key").is_err());
    }

    #[test]
    fn debug_shows_no_key() {
        assert_eq!(
            format!("{:?}", SoftwareSigner::generate().unwrap()),
            "SoftwareSigner { .. }"
        );
    }

    #[derive(Debug)]
    struct BrokenHost(Vec<u8>);

    impl Signer for BrokenHost {
        fn public_key(&self) -> Vec<u8> {
            self.0.clone()
        }

        fn sign(&self, _message: &[u8]) -> Result<Vec<u8>, SignerError> {
            Err(SignerError::Locked)
        }
    }

    #[test]
    fn a_host_that_does_not_sign_gives_an_error_and_no_request() {
        let point = SoftwareSigner::generate().unwrap().public_key();
        let locked: Arc<dyn Signer> = Arc::new(BrokenHost(point.clone()));
        assert!(matches!(
            signing_request(&locked),
            Err(SigningRequestError::Signing(_))
        ));
        let compressed: Arc<dyn Signer> = Arc::new(BrokenHost(point[..33].to_vec()));
        assert_eq!(
            signing_request(&compressed),
            Err(SigningRequestError::PublicKey)
        );
    }
}
