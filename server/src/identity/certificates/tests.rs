//! Requests honest and crooked, and what is read back.

#![allow(clippy::unwrap_used)]

use rcgen::{PKCS_ECDSA_P384_SHA384, SanType};

use super::*;

const NOW_MS: i64 = 1_800_000_000_123;

fn keys() -> (tempfile::TempDir, CenterKeys) {
    let dir = tempfile::tempdir().unwrap();
    let keys = CenterKeys::open_or_create(&dir.path().join("keys"), &["localhost".into()]).unwrap();
    (dir, keys)
}

fn request(params: &CertificateParams) -> (KeyPair, Vec<u8>) {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let request = params.serialize_request(&key).unwrap();
    (key, request.der().to_vec())
}

#[test]
fn a_device_is_read_back_from_the_certificate_that_it_was_given() {
    let (_dir, keys) = keys();
    let (key, csr) = request(&CertificateParams::default());
    let issued = keys
        .issue_device(&csr, 7, "Sheriff's Office", NOW_MS, 12)
        .unwrap();
    assert_eq!(issued.public_key, key.der_bytes());
    assert_eq!(issued.not_after_ms, 1_800_000_000_000 + 12 * HOUR_MS);
    let peer = peer_of(&issued.der).unwrap();
    let expected = DevicePeer {
        device: 7,
        agency: "Sheriff's Office".into(),
        public_key: issued.public_key,
        not_after_ms: issued.not_after_ms,
    };
    assert_eq!(peer, expected);
}

#[test]
fn nothing_but_the_key_is_taken_from_a_request() {
    let (_dir, keys) = keys();
    let mut wishes = CertificateParams::default();
    wishes
        .distinguished_name
        .push(DnType::CommonName, "device-1");
    wishes.subject_alt_names = vec![SanType::DnsName("localhost".try_into().unwrap())];
    wishes.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    wishes.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let (_key, csr) = request(&wishes);
    let issued = keys
        .issue_device(&csr, 7, "City Police", NOW_MS, 12)
        .unwrap();
    assert_eq!(peer_of(&issued.der).unwrap().device, 7);
    let (_, certificate) = X509Certificate::from_der(&issued.der).unwrap();
    assert!(!certificate.is_ca());
    assert!(certificate.subject_alternative_name().unwrap().is_none());
    assert!(
        !certificate
            .extended_key_usage()
            .unwrap()
            .unwrap()
            .value
            .server_auth
    );
}

#[test]
fn a_request_whose_signature_does_not_fit_is_refused() {
    let (_dir, keys) = keys();
    let (key, csr) = request(&CertificateParams::default());
    let (other, _) = request(&CertificateParams::default());
    // Someone else's public key, spliced into a request that is signed by one's own.
    let at = csr
        .windows(P256_POINT_BYTES)
        .position(|window| window == key.der_bytes())
        .unwrap();
    let mut spliced = csr.clone();
    spliced[at..at + P256_POINT_BYTES].copy_from_slice(other.der_bytes());
    assert_eq!(
        keys.issue_device(&spliced, 7, "City", NOW_MS, 12),
        Err(CertificateError::Signature)
    );

    for end in 0..csr.len() {
        keys.issue_device(&csr[..end], 7, "City", NOW_MS, 12)
            .unwrap_err();
    }
    let longer = [&csr[..], &[0]].concat();
    assert_eq!(
        keys.issue_device(&longer, 7, "City", NOW_MS, 12),
        Err(CertificateError::Request)
    );
    let huge = vec![0x30; REQUEST_BYTES_MAX + 1];
    assert_eq!(
        keys.issue_device(&huge, 7, "City", NOW_MS, 12),
        Err(CertificateError::Request)
    );
}

#[test]
fn a_key_of_another_kind_is_refused() {
    let (_dir, keys) = keys();
    let key = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let csr = CertificateParams::default()
        .serialize_request(&key)
        .unwrap()
        .der()
        .to_vec();
    assert_eq!(
        keys.issue_device(&csr, 7, "City", NOW_MS, 12),
        Err(CertificateError::KeyKind)
    );
}

#[test]
fn a_number_of_the_centers_own_or_a_crooked_agency_is_refused() {
    let (_dir, keys) = keys();
    let (_key, csr) = request(&CertificateParams::default());
    let issue = |device, agency: &str| keys.issue_device(&csr, device, agency, NOW_MS, 12);
    assert_eq!(
        issue(1 << 31, "City"),
        Err(CertificateError::Device(1 << 31))
    );
    for agency in ["", "City\nPolice", &"x".repeat(65)] {
        assert!(
            matches!(issue(7, agency), Err(CertificateError::Agency(_))),
            "{agency:?}"
        );
    }
}

#[test]
fn the_centers_own_certificates_are_no_devices() {
    let (_dir, keys) = keys();
    let (server, _) = keys.server_identity();
    assert_eq!(peer_of(&server), Err(CertificateError::NotADevice));
    assert_eq!(
        peer_of(keys.ca_certificate_der()),
        Err(CertificateError::NotADevice)
    );
    assert_eq!(
        peer_of(b"no certificate"),
        Err(CertificateError::NotADevice)
    );
}

#[test]
fn a_device_number_written_another_way_is_no_device() {
    let (_dir, keys) = keys();
    for name in [
        "device-007",
        "device-+7",
        "device-",
        "device-2147483648",
        "7",
    ] {
        let mut subject = DistinguishedName::new();
        subject.push(DnType::CommonName, name);
        subject.push(DnType::OrganizationName, "City");
        let params = leaf_params(subject, ExtendedKeyUsagePurpose::ClientAuth);
        let (key, _) = request(&params);
        let certificate = params.signed_by(&key, keys.authority()).unwrap();
        assert_eq!(
            peer_of(certificate.der()),
            Err(CertificateError::NotADevice),
            "{name}"
        );
    }
}
