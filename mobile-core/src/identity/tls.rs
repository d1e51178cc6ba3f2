//! TLS to the center: version 1.3 only, one trusted authority, the host's key.

use std::sync::Arc;

use rustls::client::{Resumption, VerifierBuilderError, WebPkiServerVerifier};
use rustls::crypto::aws_lc_rs::{cipher_suite, default_provider, kx_group};
use rustls::crypto::{CryptoProvider, WebPkiSupportedAlgorithms};
use rustls::pki_types::{CertificateDer, SubjectPublicKeyInfoDer, alg_id};
use rustls::sign::{self, CertifiedKey, SigningKey, SingleCertAndKey, public_key_to_spki};
use rustls::{ClientConfig, RootCertStore, SignatureAlgorithm, SignatureScheme, version};

use super::signer::Signer;

/// Nodes of one center whose sessions are remembered.
const RESUMABLE_NODES_MAX: usize = 16;

/// Why no connection to the center can be made.
#[derive(Debug, thiserror::Error)]
pub enum ClientConfigError {
    #[error("the center's certificate is not one: {0}")]
    Center(rustls::Error),
    #[error("the center's certificate cannot be trusted: {0}")]
    Verifier(#[from] VerifierBuilderError),
    #[error("the device's certificate is not for the device's key: {0}")]
    Identity(rustls::Error),
    #[error("TLS 1.3 is not available: {0}")]
    Protocol(rustls::Error),
}

/// TLS as this device speaks it: to the center whose authority is `ca_der` and to
/// nobody else, as the device that `identity` (certificate, DER, and its key) says,
/// or as nobody (enrolment).
///
/// Keep what is returned for as long as the identity lasts: it remembers sessions,
/// and resuming one saves the certificates and the host's signature.
///
/// What is offered is what a center of ours has, since each contact over a slow link
/// carries all of it: signatures by P-256 with SHA-256, and of the suites those that FIPS
/// 140-3 approves. AES-128 goes first: its hash is SHA-256, and a resumed handshake holds
/// three of them, 16 bytes shorter each than SHA-384's. That is 128 bits of strength, as
/// P-256 and X25519 have it.
///
/// The small key exchange is offered first and the post-quantum one is known: the
/// center chooses, and only one that insists costs the kilobyte and the round trip.
///
/// # Errors
/// [`ClientConfigError`], by which of the certificates does not serve.
pub fn client_config(
    ca_der: &[u8],
    identity: Option<(Vec<u8>, Arc<dyn Signer>)>,
) -> Result<Arc<ClientConfig>, ClientConfigError> {
    let kx_groups = if cfg!(feature = "fips") {
        // X25519 is not among what the validated module has approved.
        vec![kx_group::SECP256R1, kx_group::SECP256R1MLKEM768]
    } else {
        vec![
            kx_group::X25519,
            kx_group::SECP256R1,
            kx_group::X25519MLKEM768,
        ]
    };
    let default = default_provider();
    let provider = Arc::new(CryptoProvider {
        kx_groups,
        cipher_suites: vec![
            cipher_suite::TLS13_AES_128_GCM_SHA256,
            cipher_suite::TLS13_AES_256_GCM_SHA384,
        ],
        signature_verification_algorithms: signed_by_center(
            default.signature_verification_algorithms,
        ),
        ..default
    });
    let mut roots = RootCertStore::empty();
    roots
        .add(CertificateDer::from(ca_der))
        .map_err(ClientConfigError::Center)?;
    let verifier =
        WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone()).build()?;

    let config = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])
        .map_err(ClientConfigError::Protocol)?
        .with_webpki_verifier(verifier);
    let mut config = match identity {
        Some((certificate, signer)) => {
            let key = Arc::new(HostKey {
                public_key: signer.public_key(),
                signer,
            });
            let certified = CertifiedKey::new(vec![CertificateDer::from(certificate)], key);
            certified
                .keys_match()
                .map_err(ClientConfigError::Identity)?;
            config.with_client_cert_resolver(Arc::new(SingleCertAndKey::from(certified)))
        }
        None => config.with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = Resumption::in_memory_sessions(RESUMABLE_NODES_MAX);
    Ok(Arc::new(config))
}

/// Of these, what the center signs with.
fn signed_by_center(all: WebPkiSupportedAlgorithms) -> WebPkiSupportedAlgorithms {
    let wanted =
        |(scheme, _): &(SignatureScheme, _)| *scheme == SignatureScheme::ECDSA_NISTP256_SHA256;
    let at = all.mapping.iter().position(wanted);
    WebPkiSupportedAlgorithms {
        mapping: at
            .and_then(|at| all.mapping.get(at..=at))
            .unwrap_or_default(),
        ..all
    }
}

/// The host's key as rustls wants to see it.
#[derive(Debug)]
struct HostKey {
    public_key: Vec<u8>,
    signer: Arc<dyn Signer>,
}

impl SigningKey for HostKey {
    fn choose_scheme(&self, offered: &[SignatureScheme]) -> Option<Box<dyn sign::Signer>> {
        offered
            .contains(&SignatureScheme::ECDSA_NISTP256_SHA256)
            .then(|| Box::new(HostSigner(self.signer.clone())) as Box<dyn sign::Signer>)
    }

    fn public_key(&self) -> Option<SubjectPublicKeyInfoDer<'_>> {
        Some(public_key_to_spki(&alg_id::ECDSA_P256, &self.public_key))
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::ECDSA
    }
}

#[derive(Debug)]
struct HostSigner(Arc<dyn Signer>);

impl sign::Signer for HostSigner {
    fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rustls::Error> {
        self.0
            .sign(message)
            .map_err(|error| rustls::Error::General(error.to_string()))
    }

    fn scheme(&self) -> SignatureScheme {
        SignatureScheme::ECDSA_NISTP256_SHA256
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rcgen::{CertificateParams, KeyPair, PKCS_ECDSA_P256_SHA256};

    use super::super::signer::SoftwareSigner;
    use super::*;

    fn self_signed() -> (KeyPair, Vec<u8>) {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let certificate = CertificateParams::default()
            .self_signed(&key)
            .unwrap()
            .der()
            .to_vec();
        (key, certificate)
    }

    #[test]
    fn a_certificate_for_another_key_is_refused_before_any_handshake() {
        let (key, certificate) = self_signed();
        let own: Arc<dyn Signer> =
            Arc::new(SoftwareSigner::from_pkcs8(key.serialized_der()).unwrap());
        client_config(&certificate, Some((certificate.clone(), own))).unwrap();
        let other: Arc<dyn Signer> = Arc::new(SoftwareSigner::generate().unwrap());
        let refused = client_config(&certificate, Some((certificate.clone(), other)));
        assert!(matches!(refused, Err(ClientConfigError::Identity(_))));
    }

    #[test]
    fn a_center_certificate_that_is_none_is_refused() {
        assert!(matches!(
            client_config(b"no certificate", None),
            Err(ClientConfigError::Center(_))
        ));
    }
}
