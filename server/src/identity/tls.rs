//! TLS of the sync port: version 1.3 only, by rustls over aws-lc-rs.
//!
//! A client certificate is asked for and not demanded: a device that enrols has
//! none yet. One that is shown must be ours and in its time, or not long past it
//! ([`super::RENEWED_LATE_MS_MAX`]), or the handshake fails; what a connection without one may do is decided by the routes.

use std::sync::Arc;

use rustls::crypto::aws_lc_rs::{default_provider, kx_group};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::pki_types::CertificateDer;
use rustls::server::{ServerSessionMemoryCache, VerifierBuilderError, WebPkiClientVerifier};
use rustls::{RootCertStore, ServerConfig, version};

use super::keys::CenterKeys;
use super::late::AlsoLate;

/// Makes this process's HTTP clients use the center's own cryptography: reqwest comes without
/// any. A second time it does nothing.
pub fn install_provider() {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}

/// Sessions that can be resumed; the oldest go first. About a kilobyte each.
const RESUMABLE_SESSIONS_MAX: usize = 16 * 1024;
/// One ticket a handshake: a device has one connection to the center at a time.
const TICKETS_PER_HANDSHAKE: usize = 1;

/// How the two sides of a connection agree on its keys. The center chooses;
/// devices can do either.
///
/// The post-quantum group protects today's recordings from tomorrow's machines,
/// and costs 1.2 KB up and 1.1 KB down in each handshake, a second each way on a
/// link of 9,600 bit/s, and on the first contact one more round trip (devices
/// guess the small group). Hence not the default where radio carries it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum KeyExchange {
    /// X25519, or P-256 where only that is approved.
    #[default]
    Classical,
    /// X25519 with ML-KEM-768, and nothing less: a center that asks for it means it.
    PostQuantum,
}

impl KeyExchange {
    /// In a build with the validated module, X25519 is not among what is approved.
    fn groups(self) -> Vec<&'static dyn SupportedKxGroup> {
        match self {
            Self::Classical if IS_FIPS_BUILD => vec![kx_group::SECP256R1],
            Self::Classical => vec![kx_group::X25519, kx_group::SECP256R1],
            Self::PostQuantum if IS_FIPS_BUILD => vec![kx_group::SECP256R1MLKEM768],
            Self::PostQuantum => vec![kx_group::X25519MLKEM768],
        }
    }
}

/// Made by `cargo xtask fips`.
pub const IS_FIPS_BUILD: bool = cfg!(feature = "fips");

/// Whether the validated cryptographic module (FIPS 140-3, CJIS SC-13) is what TLS and the
/// center's own keys run on, as the module itself says; and nothing of this configuration
/// is outside of it.
#[must_use]
pub fn is_fips_in_force(config: &ServerConfig) -> bool {
    aws_lc_rs::try_fips_mode().is_ok() && config.fips()
}

/// Why TLS could not be set up from the center's keys.
#[derive(Debug, thiserror::Error)]
pub enum TlsConfigError {
    #[error("the center's certificate or key does not serve for TLS: {0}")]
    Certificate(#[from] rustls::Error),
    #[error("devices' certificates cannot be verified: {0}")]
    Verifier(#[from] VerifierBuilderError),
}

/// The sync port's TLS, for as long as the server certificate lasts.
///
/// Resumption is stateful: a ticket is then 32 random bytes. One that carries its
/// own state carries the device's certificate too, down and up again (measured:
/// resuming took 426 bytes up and 337 down, against 938 and 849 so, and 802 and
/// 853 for a full handshake). No 0-RTT: it can be replayed.
///
/// # Errors
/// When the keys do not fit together; not to be expected of [`CenterKeys`] that opened.
pub fn server_config(
    keys: &CenterKeys,
    key_exchange: KeyExchange,
) -> Result<Arc<ServerConfig>, TlsConfigError> {
    let provider = Arc::new(CryptoProvider {
        kx_groups: key_exchange.groups(),
        ..default_provider()
    });
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from(keys.ca_certificate_der()))?;
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        // Devices hold one certificate; a hint at which to choose is only bytes.
        .clear_root_hint_subjects()
        .build()?;

    let (certificate, key) = keys.server_identity();
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&version::TLS13])?
        .with_client_cert_verifier(Arc::new(AlsoLate(verifier)))
        .with_single_cert(vec![certificate], key)?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.session_storage = ServerSessionMemoryCache::new(RESUMABLE_SESSIONS_MAX);
    config.send_tls13_tickets = TICKETS_PER_HANDSHAKE;
    Ok(Arc::new(config))
}
