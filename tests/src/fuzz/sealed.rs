//! What a device had sealed to the center and somebody else has touched.

use std::sync::LazyLock;

use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{Hpke, HpkePublicKey};
use server::identity::CenterKeys;
use sync::frame::SEALED_INFO;

const DEVICE: [u8; 4] = [0, 0, 0, 7];
const INSIDE: &[u8] = b"an offer, as the device wrote it";

struct Center {
    keys: CenterKeys,
    /// [`INSIDE`], sealed to it.
    sealed: Vec<u8>,
}

static CENTER: LazyLock<Center> = LazyLock::new(|| {
    let dir = tempfile::tempdir().unwrap();
    let keys = CenterKeys::open_or_create(&dir.path().join("keys"), &["localhost".into()]).unwrap();
    let to = HpkePublicKey(keys.sealing_public_key());
    let (enc, ciphertext) = DH_KEM_P256_HKDF_SHA256_AES_256
        .seal(SEALED_INFO, &DEVICE, INSIDE, &to)
        .unwrap();
    let length = u16::try_from(enc.0.len()).unwrap().to_be_bytes();
    let sealed = [&length[..], &enc.0, &ciphertext].concat();
    Center { keys, sealed }
});

/// Only what was sealed opens: the bytes are what is done to it (each three of them a
/// place and what is flipped there, a rest how much is cut off), and they do not open alone.
pub(super) fn sealed(bytes: &[u8]) {
    let Center { keys, sealed } = &*CENTER;
    let unseal = |sealed: &[u8]| keys.unseal(SEALED_INFO, &DEVICE, sealed);
    assert!(unseal(bytes).is_err());
    let mut touched = sealed.clone();
    let (flips, cut) = bytes.as_chunks::<3>();
    for [high, low, flip] in flips {
        let at = usize::from(u16::from_be_bytes([*high, *low])) % touched.len();
        touched[at] ^= flip;
    }
    touched.truncate(
        sealed.len()
            - cut
                .first()
                .map_or(0, |cut| usize::from(*cut) % sealed.len()),
    );
    match unseal(&touched) {
        Ok(opened) => {
            assert_eq!(opened, INSIDE);
            assert_eq!(&touched, sealed);
        }
        Err(_) => assert_ne!(&touched, sealed),
    }
}

pub(super) mod seeds {
    use super::*;

    pub(in crate::fuzz) fn sealed() -> Vec<Vec<u8>> {
        // Untouched, the length, the key, the ciphertext, its tag; and another center's.
        let mut other = CENTER.sealed.clone();
        other.reverse();
        other[..3].copy_from_slice(&CENTER.sealed[..3]);
        let touched: [&[u8]; 5] = [&[], &[0, 1, 1], &[0, 9, 1], &[0, 70, 1], &[1]];
        let mut all = touched.map(<[u8]>::to_vec).to_vec();
        all.push(other);
        all
    }
}
