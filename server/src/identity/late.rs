//! Client certificates, and those that ended not long ago.
//!
//! A device's certificate is short, since that bounds what a stolen one is good for. But a
//! device that lay in a drawer for a month has unsent work in it, and must be able to ask
//! for a new certificate with the old one: so an ended one still says who is calling, to
//! the one route that renews it. All others look at its end themselves, and so does
//! whoever resumes a session, which no verifier sees.

use std::sync::Arc;
use std::time::Duration;

use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::{DigitallySignedStruct, DistinguishedName, Error, SignatureScheme};

use super::certificates::peer_of;

/// How long after its end a certificate is still good for being renewed: as long as
/// admission takes what was written.
pub const RENEWED_LATE_MS_MAX: i64 = packet::admission::WRITTEN_BEFORE_MS_MAX;

/// Verifies as `0` does, at the end of the certificate where that has passed.
#[derive(Debug)]
pub(super) struct AlsoLate(pub(super) Arc<dyn ClientCertVerifier>);

/// When to verify this certificate, if it is a device's and ended lately.
fn at_its_end(certificate: &CertificateDer<'_>, now: UnixTime) -> Option<UnixTime> {
    let end_ms = peer_of(certificate).ok()?.not_after_ms;
    let late_ms = i64::try_from(now.as_secs()).ok()?.checked_mul(1_000)? - end_ms;
    let end = Duration::from_millis(u64::try_from(end_ms).ok()?);
    (0..=RENEWED_LATE_MS_MAX)
        .contains(&late_ms)
        .then(|| UnixTime::since_unix_epoch(end))
}

impl ClientCertVerifier for AlsoLate {
    fn offer_client_auth(&self) -> bool {
        self.0.offer_client_auth()
    }

    fn client_auth_mandatory(&self) -> bool {
        self.0.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.0.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        let at = at_its_end(end_entity, now).unwrap_or(now);
        self.0.verify_client_cert(end_entity, intermediates, at)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.0.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.supported_verify_schemes()
    }
}
