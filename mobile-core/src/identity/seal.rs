//! Sealing to the center: what the device writes and can no longer read.
//!
//! Unsent work is sealed when it is written, beside the store and not under its
//! key, so that lock, erasure or a lost key never destroys it. The device keeps
//! no way to open it again; the center's public key is all that is needed here.

use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{Hpke, HpkePublicKey};

use super::signer::P256_POINT_BYTES;

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("the center's public key is not a point of P-256")]
    PublicKey,
}

/// Seals `plaintext` to the center whose sealing key is `center_public_key` (an
/// uncompressed P-256 point, 65 bytes).
///
/// HPKE base mode, single shot (RFC 9180, section 6.1), with DHKEM(P-256,
/// HKDF-SHA256), HKDF-SHA256 and AES-256-GCM: 256 bits because what is sealed lies
/// at rest on the device, where CJIS SC-28 asks for them. The result is
///
/// | bytes | |
/// |---|---|
/// | 2 | length of `enc`, big endian; 65 in this suite |
/// | 65 | `enc`, the encapsulated key: an uncompressed P-256 point |
/// | rest | ciphertext, its 16-byte tag last |
///
/// so 83 bytes more than `plaintext`. It opens only under the same `info` and `aad`.
/// Base mode says nothing of who sealed: what is inside carries its own signature.
///
/// # Errors
/// [`SealError::PublicKey`].
pub fn seal_to_center(
    center_public_key: &[u8],
    info: &[u8],
    aad: &[u8],
    plaintext: &[u8],
) -> Result<Vec<u8>, SealError> {
    if center_public_key.len() != P256_POINT_BYTES {
        return Err(SealError::PublicKey);
    }
    let (enc, ciphertext) = DH_KEM_P256_HKDF_SHA256_AES_256
        .seal(
            info,
            aad,
            plaintext,
            &HpkePublicKey(center_public_key.to_vec()),
        )
        .map_err(|_| SealError::PublicKey)?;
    let enc_bytes = u16::try_from(enc.0.len()).map_err(|_| SealError::PublicKey)?;
    Ok([&enc_bytes.to_be_bytes()[..], &enc.0, &ciphertext].concat())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use rustls::crypto::hpke::EncapsulatedSecret;

    use super::*;

    #[test]
    fn what_is_sealed_has_the_documented_form_and_opens_with_the_private_key() {
        let (public, private) = DH_KEM_P256_HKDF_SHA256_AES_256.generate_key_pair().unwrap();
        let sealed = seal_to_center(&public.0, b"outbox", b"device-7", b"a note").unwrap();
        assert_eq!(sealed.len(), 83 + b"a note".len());
        assert_eq!(sealed[..3], [0, 65, 4]);
        let enc = EncapsulatedSecret(sealed[2..67].to_vec());
        let opened = DH_KEM_P256_HKDF_SHA256_AES_256.open(
            &enc,
            b"outbox",
            b"device-7",
            &sealed[67..],
            &private,
        );
        assert_eq!(opened.unwrap(), b"a note");
    }

    #[test]
    fn sealing_the_same_twice_gives_nothing_in_common() {
        let (public, _) = DH_KEM_P256_HKDF_SHA256_AES_256.generate_key_pair().unwrap();
        let [first, second] =
            [(); 2].map(|()| seal_to_center(&public.0, b"", b"", b"a note").unwrap());
        assert_ne!(first[2..67], second[2..67]);
        assert_ne!(first[67..], second[67..]);
    }

    #[test]
    fn what_is_no_point_of_the_curve_is_refused() {
        for key in [
            vec![],
            vec![4; P256_POINT_BYTES],
            vec![0; P256_POINT_BYTES],
            vec![2; 33],
        ] {
            assert_eq!(
                seal_to_center(&key, b"", b"", b"a note"),
                Err(SealError::PublicKey)
            );
        }
    }
}
