//! A device's signature over a change, and the center's MAC.
//!
//! Both cover where the change belongs, not only what it says: a change that is right
//! in one document is not taken in another, nor at another center. The MAC is how a
//! device knows what the center has admitted, so that another device, or a center
//! restored from backup, can take it back without the author's signature.

use std::fmt;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use aws_lc_rs::{constant_time, hmac};

use crate::ids::{CenterId, ChangeHash, DocumentId};

const SIGNING_DOMAIN: &[u8] = b"forerunner change signature v1\0";
const MAC_DOMAIN: &[u8] = b"forerunner change mac v1\0";
/// A change's MAC is HMAC-SHA-256 cut to this (RFC 2104 section 5).
pub const MAC_BYTES: usize = 16;
/// Longest DER form of a P-256 signature is 72 bytes; what is longer is none.
pub const SIGNATURE_BYTES_MAX: usize = 80;

/// What a device signs: a domain, then center, document and change hash, each of fixed length.
#[must_use]
pub fn signing_input(center: CenterId, document: DocumentId, hash: &ChangeHash) -> Vec<u8> {
    [SIGNING_DOMAIN, &center.0, &document.to_bytes(), &hash.0].concat()
}

/// Whether this is an ECDSA P-256 SHA-256 signature in DER by the key that is this
/// uncompressed point of 65 bytes.
#[must_use]
pub fn verify(public_key: &[u8], input: &[u8], signature_der: &[u8]) -> bool {
    signature_der.len() <= SIGNATURE_BYTES_MAX
        && UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, public_key)
            .verify(input, signature_der)
            .is_ok()
}

/// The center's key for MACs over changes.
#[derive(Clone)]
pub struct MacKey(hmac::Key);

impl fmt::Debug for MacKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MacKey(..)")
    }
}

impl MacKey {
    #[must_use]
    pub fn new(key: &[u8; 32]) -> Self {
        Self(hmac::Key::new(hmac::HMAC_SHA256, key))
    }

    #[must_use]
    pub fn mac(&self, document: DocumentId, hash: &ChangeHash) -> [u8; MAC_BYTES] {
        let mut context = hmac::Context::with_key(&self.0);
        context.update(MAC_DOMAIN);
        context.update(&document.to_bytes());
        context.update(&hash.0);
        let mut mac = [0; MAC_BYTES];
        mac.copy_from_slice(&context.sign().as_ref()[..MAC_BYTES]);
        mac
    }

    /// Takes the same time wherever the two differ.
    #[must_use]
    pub fn verify(&self, document: DocumentId, hash: &ChangeHash, mac: &[u8]) -> bool {
        constant_time::verify_slices_are_equal(&self.mac(document, hash), mac).is_ok()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ids::{CallId, Compartment};
    use aws_lc_rs::rand::SystemRandom;
    use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};

    const CENTER: CenterId = CenterId([1; 16]);
    const HASH: ChangeHash = ChangeHash([2; 32]);

    fn document(compartment: Compartment) -> DocumentId {
        DocumentId::new(CallId(7), compartment)
    }

    #[test]
    fn a_signature_holds_for_its_center_document_and_change_only() {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        let point = key.public_key().as_ref();
        assert_eq!(point.len(), 65);
        let input = signing_input(CENTER, document(Compartment::Call), &HASH);
        let signature = key.sign(&SystemRandom::new(), &input).unwrap();
        let holds = |input: &[u8]| verify(point, input, signature.as_ref());
        assert!(holds(&input));
        assert!(!holds(&signing_input(
            CenterId([9; 16]),
            document(Compartment::Call),
            &HASH
        )));
        assert!(!holds(&signing_input(
            CENTER,
            document(Compartment::Safety),
            &HASH
        )));
        assert!(!holds(&signing_input(
            CENTER,
            document(Compartment::Call),
            &ChangeHash([3; 32])
        )));
        let other = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
        assert!(!verify(
            other.public_key().as_ref(),
            &input,
            signature.as_ref()
        ));
        assert!(!verify(&point[..64], &input, signature.as_ref()));
        assert!(!verify(point, &input, &[0; SIGNATURE_BYTES_MAX + 1]));
        assert!(!verify(point, &input, &[]));
    }

    #[test]
    fn a_mac_holds_for_its_key_document_and_change_only() {
        let key = MacKey::new(&[5; 32]);
        let mac = key.mac(document(Compartment::Call), &HASH);
        assert!(key.verify(document(Compartment::Call), &HASH, &mac));
        assert!(!key.verify(document(Compartment::Safety), &HASH, &mac));
        assert!(!key.verify(document(Compartment::Call), &ChangeHash([3; 32]), &mac));
        assert!(!key.verify(document(Compartment::Call), &HASH, &mac[..15]));
        assert!(!key.verify(document(Compartment::Call), &HASH, &[]));
        assert!(!MacKey::new(&[6; 32]).verify(document(Compartment::Call), &HASH, &mac));
    }

    #[test]
    fn a_mac_key_does_not_print_itself() {
        assert_eq!(format!("{:?}", MacKey::new(&[0x41; 32])), "MacKey(..)");
    }
}
