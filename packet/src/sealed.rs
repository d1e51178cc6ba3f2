//! What is kept under a key of its own, so that destroying the key destroys it wherever
//! copies of it are: AES-256-GCM (NIST SP 800-38D), bound to the place where it is kept.
//!
//! The center keeps each document's changes so, a device those whose lease is shorter than
//! the shift. What was sealed is the nonce, the ciphertext and the tag, in this order. A
//! nonce is random: the same change is sealed anew, with other words beside it, when a
//! restored center takes it once more.

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, Nonce, UnboundKey};

pub const KEY_BYTES: usize = 32;
pub const NONCE_BYTES: usize = 12;

/// The key or the place is another's, or what was sealed was altered. AES-GCM does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was sealed does not open with this key")]
pub struct SealError;

fn cipher(key: &[u8; KEY_BYTES]) -> Result<LessSafeKey, SealError> {
    let key = UnboundKey::new(&AES_256_GCM, key).map_err(|_| SealError)?;
    Ok(LessSafeKey::new(key))
}

/// Seals `plain` for this place. `nonce` is random, and for this once.
///
/// # Errors
/// When it is larger than AES-GCM takes (64 GiB).
pub fn seal(
    key: &[u8; KEY_BYTES],
    place: &[u8],
    nonce: [u8; NONCE_BYTES],
    plain: &[u8],
) -> Result<Vec<u8>, SealError> {
    let mut sealed = Vec::with_capacity(NONCE_BYTES + plain.len() + AES_256_GCM.tag_len());
    sealed.extend_from_slice(&nonce);
    sealed.extend_from_slice(plain);
    let nonce = Nonce::assume_unique_for_key(nonce);
    let tag = cipher(key)?
        .seal_in_place_separate_tag(nonce, Aad::from(place), &mut sealed[NONCE_BYTES..])
        .map_err(|_| SealError)?;
    sealed.extend_from_slice(tag.as_ref());
    Ok(sealed)
}

/// Opens what was sealed for this place.
///
/// # Errors
/// [`SealError`].
pub fn open(key: &[u8; KEY_BYTES], place: &[u8], sealed: &[u8]) -> Result<Vec<u8>, SealError> {
    let (nonce, sealed) = sealed.split_first_chunk().ok_or(SealError)?;
    let mut plain = sealed.to_vec();
    let nonce = Nonce::assume_unique_for_key(*nonce);
    let bytes = cipher(key)?
        .open_in_place(nonce, Aad::from(place), &mut plain)
        .map_err(|_| SealError)?
        .len();
    plain.truncate(bytes);
    Ok(plain)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const KEY: [u8; KEY_BYTES] = [1; KEY_BYTES];

    #[test]
    fn what_was_sealed_opens_with_its_key_at_its_place_and_not_otherwise() {
        let sealed = seal(&KEY, b"here", [7; NONCE_BYTES], b"armed").unwrap();
        assert_eq!(open(&KEY, b"here", &sealed).unwrap(), b"armed");
        assert_eq!(sealed.len(), NONCE_BYTES + b"armed".len() + 16);
        for at in 0..sealed.len() {
            let mut altered = sealed.clone();
            altered[at] ^= 1;
            assert_eq!(open(&KEY, b"here", &altered), Err(SealError), "byte {at}");
            assert_eq!(
                open(&KEY, b"here", &sealed[..at]),
                Err(SealError),
                "{at} bytes"
            );
        }
        assert_eq!(open(&[2; KEY_BYTES], b"here", &sealed), Err(SealError));
        assert_eq!(open(&KEY, b"there", &sealed), Err(SealError));
    }
}
