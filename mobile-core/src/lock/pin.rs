//! From a PIN to the store's key, and at a price.
//!
//! A PIN of six digits has a million values. What keeps it is the count of tries
//! ([`super::tries`]) and the host's key store; Argon2id (RFC 9106) is there for the day
//! that both are lost, and makes each guess cost what it costs here. On a machine without
//! hardware for keys that is hours for six digits, and years for twelve: docs/devices.md.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, Version};
use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use aws_lc_rs::rand;
use data_encoding::BASE64;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::store::{KEY_BYTES, StoreKey};

const DIGITS_MIN: usize = 6;
const DIGITS_MAX: usize = 12;
const SALT_BYTES: usize = 16;
/// Bound to what is sealed: a key of another kind is not taken for this one.
const AAD: &[u8] = b"forerunner store key under a pin v1";
/// A damaged record does not make this device take all its memory.
const MEMORY_KIB_MAX: u32 = 1024 * 1024;
const PASSES_MAX: u32 = 64;

/// What is wrong with a PIN.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PinError {
    #[error("PIN: {DIGITS_MIN} to {DIGITS_MAX} digits")]
    Form,
    #[error("PIN: not one digit over and over, nor a row such as 123456")]
    Weak,
}

/// An officer's PIN; gone from memory when dropped.
#[derive(Clone, PartialEq, Eq)]
pub struct Pin(Zeroizing<String>);

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin(..)")
    }
}

impl Pin {
    /// One to be set: digits as many as wanted, and not the first that anybody would try.
    ///
    /// # Errors
    /// [`PinError`].
    pub fn new(text: &str) -> Result<Self, PinError> {
        let pin = Self::tried(text)?;
        let digits = pin.0.as_bytes();
        let runs_by = |step: i16| {
            digits
                .windows(2)
                .all(|two| i16::from(two[1]) - i16::from(two[0]) == step)
        };
        if [-1, 0, 1].into_iter().any(runs_by) {
            return Err(PinError::Weak);
        }
        Ok(pin)
    }

    /// One that is tried: only what cannot be any is refused, without counting.
    ///
    /// # Errors
    /// [`PinError::Form`].
    pub fn tried(text: &str) -> Result<Self, PinError> {
        let fits = (DIGITS_MIN..=DIGITS_MAX).contains(&text.len());
        if !fits || !text.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(PinError::Form);
        }
        Ok(Self(Zeroizing::new(text.to_owned())))
    }
}

/// What one try of a PIN costs: Argon2id's parameters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PinHash {
    pub memory_kib: u32,
    pub passes: u32,
}

impl Default for PinHash {
    /// 64 MiB, three passes, one lane: RFC 9106's second choice, but in one lane, since a
    /// phone's other cores have other work. About 0.15 s on a laptop's core.
    fn default() -> Self {
        Self {
            memory_kib: 64 * 1024,
            passes: 3,
        }
    }
}

impl PinHash {
    /// The least that Argon2 takes, for tests that try many PINs.
    pub const CHEAP: Self = Self {
        memory_kib: 8,
        passes: 1,
    };
}

/// Why the store's key could not be wrapped, or its wrapping not be read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum WrapError {
    #[error("what is kept of the store's key cannot be read")]
    Unreadable,
    #[error("the machine gives no randomness")]
    Random,
    #[error("Argon2 cannot be run at this cost on this machine")]
    Cost,
}

/// The store's key under a PIN, as it lies in the host's key store.
#[derive(Clone, Serialize, Deserialize)]
struct Wrapped {
    hash: PinHash,
    /// Both in base64; `sealed` is AES-256-GCM, nonce first.
    salt: String,
    sealed: String,
}

/// What the host's key store has of the store's key.
pub(crate) enum Kept {
    /// No PIN is set.
    Plain(StoreKey),
    UnderPin(UnderPin),
}

pub(crate) struct UnderPin(Wrapped);

pub(crate) fn read(kept: &[u8]) -> Result<Kept, WrapError> {
    if let Ok(key) = <[u8; KEY_BYTES]>::try_from(kept) {
        return Ok(Kept::Plain(Zeroizing::new(key)));
    }
    let wrapped: Wrapped = serde_json::from_slice(kept).map_err(|_| WrapError::Unreadable)?;
    if wrapped.hash.memory_kib > MEMORY_KIB_MAX || wrapped.hash.passes > PASSES_MAX {
        return Err(WrapError::Unreadable);
    }
    Ok(Kept::UnderPin(UnderPin(wrapped)))
}

/// What is kept of this key once the PIN is set. Takes as long as `hash` says.
pub(crate) fn wrap(key: &StoreKey, pin: &Pin, hash: PinHash) -> Result<Vec<u8>, WrapError> {
    let mut salt = [0; SALT_BYTES];
    let mut nonce = [0; NONCE_LEN];
    rand::fill(&mut salt).map_err(|_| WrapError::Random)?;
    rand::fill(&mut nonce).map_err(|_| WrapError::Random)?;
    let mut sealed = Zeroizing::new(key.to_vec());
    derived(pin, hash, &salt)?
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(AAD),
            &mut *sealed,
        )
        .map_err(|_| WrapError::Random)?;
    let wrapped = Wrapped {
        hash,
        salt: BASE64.encode(&salt),
        sealed: BASE64.encode(&[&nonce[..], &sealed[..]].concat()),
    };
    serde_json::to_vec(&wrapped).map_err(|_| WrapError::Unreadable)
}

impl UnderPin {
    /// The store's key; `None` where this is not the PIN. Takes as long as it was set to.
    pub(crate) fn open(&self, pin: &Pin) -> Result<Option<StoreKey>, WrapError> {
        let decode = |text: &str| {
            let bytes = BASE64.decode(text.as_bytes());
            bytes.map_err(|_| WrapError::Unreadable)
        };
        let (salt, sealed) = (decode(&self.0.salt)?, decode(&self.0.sealed)?);
        let (nonce, sealed) = sealed
            .split_first_chunk::<NONCE_LEN>()
            .ok_or(WrapError::Unreadable)?;
        let mut sealed = Zeroizing::new(sealed.to_vec());
        let opened = derived(pin, self.0.hash, &salt)?.open_in_place(
            Nonce::assume_unique_for_key(*nonce),
            Aad::from(AAD),
            &mut sealed,
        );
        let Ok(opened) = opened else { return Ok(None) };
        let key = <[u8; KEY_BYTES]>::try_from(&*opened).map_err(|_| WrapError::Unreadable)?;
        Ok(Some(Zeroizing::new(key)))
    }
}

fn derived(pin: &Pin, hash: PinHash, salt: &[u8]) -> Result<LessSafeKey, WrapError> {
    let params = Params::new(hash.memory_kib, hash.passes, 1, Some(KEY_BYTES));
    let params = params.map_err(|_| WrapError::Cost)?;
    let mut key = Zeroizing::new([0; KEY_BYTES]);
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
        .hash_password_into(pin.0.as_bytes(), salt, &mut *key)
        .map_err(|_| WrapError::Cost)?;
    let key = UnboundKey::new(&AES_256_GCM, &*key).map_err(|_| WrapError::Cost)?;
    Ok(LessSafeKey::new(key))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn under_pin(kept: &[u8]) -> UnderPin {
        match read(kept).unwrap() {
            Kept::UnderPin(under_pin) => under_pin,
            Kept::Plain(_) => panic!("it lies open"),
        }
    }

    #[test]
    fn a_pin_is_six_to_twelve_digits_and_not_the_first_that_anybody_would_try() {
        for good in ["482916", "112233", "123457", "482916482916"] {
            Pin::new(good).unwrap();
        }
        for form in ["", "48291", "4829164829164", "48291a", "4829 16", "٤٨٢٩١٦"] {
            assert_eq!(Pin::new(form), Err(PinError::Form), "{form}");
        }
        for weak in ["000000", "123456", "987654", "0123456789"] {
            assert_eq!(Pin::new(weak), Err(PinError::Weak), "{weak}");
            Pin::tried(weak).unwrap();
        }
    }

    #[test]
    fn the_key_comes_back_by_its_pin_and_by_no_other() {
        let (key, pin) = (Zeroizing::new([7; KEY_BYTES]), Pin::new("482916").unwrap());
        let kept = wrap(&key, &pin, PinHash::CHEAP).unwrap();
        assert_eq!(under_pin(&kept).open(&pin).unwrap().unwrap(), key);
        let other = Pin::new("482917").unwrap();
        assert!(under_pin(&kept).open(&other).unwrap().is_none());
        // The same twice has nothing in common.
        assert_ne!(kept, wrap(&key, &pin, PinHash::CHEAP).unwrap());
        let text = String::from_utf8(kept).unwrap();
        assert!(!text.contains(&BASE64.encode(&*key)) && !text.contains("482916"));
    }

    #[test]
    fn what_is_spoiled_or_asks_for_too_much_is_not_tried() {
        let (key, pin) = (Zeroizing::new([7; KEY_BYTES]), Pin::new("482916").unwrap());
        let kept = String::from_utf8(wrap(&key, &pin, PinHash::CHEAP).unwrap()).unwrap();
        for spoiled in [
            String::new(),
            "{}".into(),
            kept.replace("\"memory_kib\":8", "\"memory_kib\":4000000000"),
            kept.replace("\"passes\":1", "\"passes\":1000000"),
        ] {
            assert!(read(spoiled.as_bytes()).is_err(), "{spoiled}");
        }
    }
}
