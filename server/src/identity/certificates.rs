//! The certificates of the center: its own authority and server, and its devices'.
//!
//! A device's certificate says which device and which agency, in words that the
//! center chose: of the request only the key counts, and that the requester holds
//! it. So nobody gains a name by asking for it. What a device may do is not in
//! its certificate; that is decided at each request, and can be taken back.

#[cfg(test)]
mod tests;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use packet::DeviceNumber;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, PKCS_ECDSA_P256_SHA256, PublicKeyData, SubjectPublicKeyInfo,
};
use rustls::pki_types::CertificateDer;
use x509_parser::certification_request::X509CertificationRequest;
use x509_parser::oid_registry::OID_SIG_ECDSA_WITH_SHA256;
use x509_parser::prelude::{ASN1Time, FromDer, X509Certificate};

use super::keys::{CenterKeys, P256_POINT_BYTES};

/// Several times a P-256 request with a long subject.
const REQUEST_BYTES_MAX: usize = 4 * 1024;
/// Upper bound of an organization's name (RFC 5280, appendix A.1).
const AGENCY_CHARS_MAX: usize = 64;
const HOUR_MS: i64 = 60 * 60 * 1000;
const AUTHORITY_VALID_H: u32 = 10 * 365 * 24;
const SERVER_VALID_H: u32 = 365 * 24;
/// Certificates begin this much in the past: clocks in vehicles run behind.
const BEGINS_BEFORE_MS: i64 = 24 * HOUR_MS;

/// Why a certificate was not made, or not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CertificateError {
    #[error("the certificate request is larger than {REQUEST_BYTES_MAX} bytes or is not PKCS#10")]
    Request,
    #[error("the certificate request is not over a P-256 key")]
    KeyKind,
    #[error("the certificate request is not signed by the key that it names")]
    Signature,
    #[error(
        "{0:?} cannot be an agency's name: 1 to {AGENCY_CHARS_MAX} characters, none of them control characters"
    )]
    Agency(String),
    #[error("{0} cannot be a device's number")]
    Device(u32),
    #[error("{0:?} is neither a host name nor an address")]
    Name(String),
    #[error("the time of a certificate is out of range")]
    Time,
    #[error("the certificate could not be made: {0}")]
    Making(String),
    #[error("this is not a certificate that the center gives to devices")]
    NotADevice,
}

impl From<rcgen::Error> for CertificateError {
    fn from(error: rcgen::Error) -> Self {
        Self::Making(error.to_string())
    }
}

/// A device's certificate, new.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuedCertificate {
    /// X.509, DER.
    pub der: Vec<u8>,
    /// Uncompressed P-256 point, 65 bytes.
    pub public_key: Vec<u8>,
    pub not_after_ms: i64,
}

/// The device at the other end of a connection, as its certificate says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DevicePeer {
    pub device: u32,
    pub agency: String,
    /// Uncompressed P-256 point, 65 bytes: the key that signs this device's changes.
    pub public_key: Vec<u8>,
    pub not_after_ms: i64,
}

impl CenterKeys {
    /// Gives device number `device` of `agency` a certificate over the key in `csr_der`
    /// (PKCS#10, RFC 2986), valid for `valid_h` hours from `now_ms`.
    ///
    /// Whether the requester may be that device is the caller's to decide before.
    ///
    /// # Errors
    /// A request that is not one, is over another kind of key, or does not prove
    /// that its sender holds the key.
    pub fn issue_device(
        &self,
        csr_der: &[u8],
        device: u32,
        agency: &str,
        now_ms: i64,
        valid_h: u32,
    ) -> Result<IssuedCertificate, CertificateError> {
        if device > DeviceNumber::MAX {
            return Err(CertificateError::Device(device));
        }
        let length = agency.chars().count();
        if !(1..=AGENCY_CHARS_MAX).contains(&length) || agency.chars().any(char::is_control) {
            return Err(CertificateError::Agency(
                agency.chars().take(AGENCY_CHARS_MAX).collect(),
            ));
        }
        let key = requested_key(csr_der)?;

        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, DeviceNumber(device).to_string());
        subject.push(DnType::OrganizationName, agency);
        let mut params = leaf_params(subject, ExtendedKeyUsagePurpose::ClientAuth);
        let not_after_ms = set_validity(&mut params, now_ms, valid_h)?;
        let certificate = params.signed_by(&key, self.authority())?;
        Ok(IssuedCertificate {
            der: certificate.der().to_vec(),
            public_key: key.der_bytes().to_vec(),
            not_after_ms,
        })
    }
}

/// Reads the device out of a certificate whose chain TLS has already verified.
///
/// # Errors
/// [`CertificateError::NotADevice`] for anything but what [`CenterKeys::issue_device`] makes.
pub fn peer_of(cert_der: &[u8]) -> Result<DevicePeer, CertificateError> {
    let (rest, certificate) =
        X509Certificate::from_der(cert_der).map_err(|_| CertificateError::NotADevice)?;
    let for_clients = certificate
        .extended_key_usage()
        .ok()
        .flatten()
        .is_some_and(|usage| {
            usage.value.client_auth && !usage.value.server_auth && !usage.value.any
        });
    if !rest.is_empty() || !for_clients {
        return Err(CertificateError::NotADevice);
    }
    let subject = certificate.subject();
    let name = only(subject.iter_common_name()).ok_or(CertificateError::NotADevice)?;
    let agency = only(subject.iter_organization()).ok_or(CertificateError::NotADevice)?;
    let device = name
        .strip_prefix("device-")
        .and_then(|number| number.parse::<u32>().ok())
        // One way to write each number, so that a name is never two devices.
        .filter(|number| *number <= DeviceNumber::MAX && DeviceNumber(*number).to_string() == name)
        .ok_or(CertificateError::NotADevice)?;
    let key = p256_key(certificate.public_key().raw).map_err(|_| CertificateError::NotADevice)?;
    Ok(DevicePeer {
        device,
        agency: agency.to_owned(),
        public_key: key.der_bytes().to_vec(),
        not_after_ms: certificate
            .validity()
            .not_after
            .timestamp()
            .saturating_mul(1000),
    })
}

fn only<'a>(
    mut values: impl Iterator<Item = &'a x509_parser::x509::AttributeTypeAndValue<'a>>,
) -> Option<&'a str> {
    let first = values.next()?.as_str().ok()?;
    values.next().is_none().then_some(first)
}

/// The key that a request asks a certificate for: an uncompressed P-256 point of 65 bytes.
///
/// # Errors
/// When the request cannot be read, its key is not P-256, or its signature does not fit.
pub fn public_key_of_request(csr_der: &[u8]) -> Result<Vec<u8>, CertificateError> {
    requested_key(csr_der).map(|key| key.der_bytes().to_vec())
}

/// The key in a request that proves to hold it (RFC 2986, section 4.2).
fn requested_key(csr_der: &[u8]) -> Result<SubjectPublicKeyInfo, CertificateError> {
    if csr_der.len() > REQUEST_BYTES_MAX {
        return Err(CertificateError::Request);
    }
    let (rest, request) =
        X509CertificationRequest::from_der(csr_der).map_err(|_| CertificateError::Request)?;
    if !rest.is_empty() {
        return Err(CertificateError::Request);
    }
    let info = &request.certification_request_info;
    let key = p256_key(info.subject_pki.raw)?;
    if request.signature_algorithm.algorithm != OID_SIG_ECDSA_WITH_SHA256 {
        return Err(CertificateError::Signature);
    }
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, key.der_bytes())
        .verify(info.raw, &request.signature_value.data)
        .map_err(|_| CertificateError::Signature)?;
    Ok(key)
}

fn p256_key(spki_der: &[u8]) -> Result<SubjectPublicKeyInfo, CertificateError> {
    let key = SubjectPublicKeyInfo::from_der(spki_der).map_err(|_| CertificateError::KeyKind)?;
    let uncompressed =
        key.der_bytes().len() == P256_POINT_BYTES && key.der_bytes().first() == Some(&4);
    if key.algorithm() != &PKCS_ECDSA_P256_SHA256 || !uncompressed {
        return Err(CertificateError::KeyKind);
    }
    Ok(key)
}

/// The authority's certificate, signed by itself; signs nothing but end entities.
pub(super) fn authority_certificate(
    key: &KeyPair,
    name: &str,
    now_ms: i64,
) -> Result<CertificateDer<'static>, CertificateError> {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    set_validity(&mut params, now_ms, AUTHORITY_VALID_H)?;
    Ok(params.self_signed(key)?.der().clone())
}

/// The sync port's certificate, and when it ends.
pub(super) fn server_certificate(
    authority: &Issuer<'_, KeyPair>,
    key: &KeyPair,
    names: &[String],
    now_ms: i64,
) -> Result<(CertificateDer<'static>, i64), CertificateError> {
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, "Forerunner sync");
    let mut params = leaf_params(subject, ExtendedKeyUsagePurpose::ServerAuth);
    for name in names {
        let of_name = CertificateParams::new(vec![name.clone()]);
        let of_name = of_name.map_err(|_| CertificateError::Name(name.clone()))?;
        params.subject_alt_names.extend(of_name.subject_alt_names);
    }
    let not_after_ms = set_validity(&mut params, now_ms, SERVER_VALID_H)?;
    Ok((
        params.signed_by(key, authority)?.der().clone(),
        not_after_ms,
    ))
}

fn leaf_params(subject: DistinguishedName, usage: ExtendedKeyUsagePurpose) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = subject;
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![usage];
    params
}

/// Sets from when until when, and returns the end as the certificate will say it: in whole seconds.
fn set_validity(
    params: &mut CertificateParams,
    now_ms: i64,
    valid_h: u32,
) -> Result<i64, CertificateError> {
    let not_after_ms = now_ms
        .checked_add(i64::from(valid_h) * HOUR_MS)
        .map(|end_ms| end_ms - end_ms.rem_euclid(1000));
    let not_after_ms = not_after_ms.ok_or(CertificateError::Time)?;
    let time = |at_ms: i64| {
        ASN1Time::from_timestamp(at_ms.div_euclid(1000)).map_err(|_| CertificateError::Time)
    };
    params.not_before = time(now_ms.saturating_sub(BEGINS_BEFORE_MS))?.to_datetime();
    params.not_after = time(not_after_ms)?.to_datetime();
    Ok(not_after_ms)
}
