//! What device and center agree on about what a device was given to keep: the receipt of
//! its erasure, and the code that gives an officer the tries of the PIN back.
//!
//! A receipt is a few words of JSON that the device's own key has signed, as they stand:
//! the center keeps both, so that whoever doubts it later can check it again. A code is
//! read out over the radio, so it is short, good for one challenge, and a device takes
//! few wrong ones.

use aws_lc_rs::hmac;
use serde::{Deserialize, Serialize};

use crate::ids::DeviceNumber;

const ERASURE_DOMAIN: &[u8] = b"forerunner erasure receipt v1\0";
const RELEASE_DOMAIN: &[u8] = b"forerunner release code v1\0";
/// Longest statement of a receipt.
pub const ERASURE_BYTES_MAX: usize = 2 * 1024;
/// Of the secret that a device and its center share for codes.
pub const RELEASE_SECRET_BYTES: usize = 32;
/// A code has so many digits, and so has what it answers.
pub const CODE_DIGITS: usize = 8;
const CODES: u64 = 100_000_000;

/// Why a device erased what it had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErasedWhy {
    /// The officer ended the shift, or another officer took the device.
    EndOfShift,
    /// The center ordered it.
    Ordered,
}

/// What a device says when it has erased a store: what is signed is its JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Erasure {
    pub device: DeviceNumber,
    /// The center's id, 32 hexadecimal digits: at another center it says nothing.
    pub center: String,
    /// Which store, 32 hexadecimal digits: the device drew them when it made it.
    pub store: String,
    pub why: ErasedWhy,
    /// The center's order, where there was one.
    pub order: Option<i64>,
    /// By the device's clock …
    pub at_ms: i64,
    /// … which was off by this much when the center was last heard.
    pub clock_off_ms: Option<i64>,
    /// Entries that were sealed to the center and are still on the device.
    pub sealed: u64,
    /// Attachments whose content the center does not have and now never will. `None`: the
    /// store was locked, so nobody could count them.
    pub attachments_lost: Option<u64>,
}

/// What a device signs of a statement: a domain, then the statement as it stands.
#[must_use]
pub fn erasure_signing_input(statement: &[u8]) -> Vec<u8> {
    [ERASURE_DOMAIN, statement].concat()
}

/// The digits of what was typed, where they are as many as a code's: people put spaces in.
#[must_use]
pub fn digits(typed: &str) -> Option<String> {
    let digits: String = typed
        .chars()
        .filter(|found| !matches!(found, ' ' | '-'))
        .collect();
    let is_code = digits.len() == CODE_DIGITS && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_code.then_some(digits)
}

/// The code that releases `device` from `challenge`, which are the digits on its screen.
///
/// HMAC-SHA-256 (RFC 2104) over a domain, the device and the challenge, its first eight
/// bytes modulo 10^8.
#[must_use]
pub fn release_code(secret: &[u8], device: DeviceNumber, challenge: &str) -> String {
    let mut context = hmac::Context::with_key(&hmac::Key::new(hmac::HMAC_SHA256, secret));
    context.update(RELEASE_DOMAIN);
    context.update(&device.0.to_be_bytes());
    context.update(challenge.as_bytes());
    let tag = context.sign();
    let first = tag.as_ref().iter().take(8);
    let number = first.fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{:08}", number % CODES)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_code_answers_one_challenge_of_one_device_and_nothing_else() {
        let code = release_code(&[7; 32], DeviceNumber(3), "00112345");
        assert_eq!(code.len(), CODE_DIGITS);
        assert_eq!(code, release_code(&[7; 32], DeviceNumber(3), "00112345"));
        assert_ne!(code, release_code(&[8; 32], DeviceNumber(3), "00112345"));
        assert_ne!(code, release_code(&[7; 32], DeviceNumber(4), "00112345"));
        assert_ne!(code, release_code(&[7; 32], DeviceNumber(3), "00112346"));
    }

    #[test]
    fn what_is_read_out_may_be_typed_with_spaces_and_is_eight_digits_or_nothing() {
        assert_eq!(digits("0011 2345").as_deref(), Some("00112345"));
        assert_eq!(digits(" 0011-2345 ").as_deref(), Some("00112345"));
        for wrong in ["", "1234567", "123456789", "1234567x", "١٢٣٤٥٦٧٨"] {
            assert_eq!(digits(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_receipt_is_taken_as_it_was_given_and_with_nothing_more_in_it() {
        let erasure = Erasure {
            device: DeviceNumber(7),
            center: "00".repeat(16),
            store: "11".repeat(16),
            why: ErasedWhy::EndOfShift,
            order: None,
            at_ms: 1,
            clock_off_ms: Some(-2),
            sealed: 3,
            attachments_lost: None,
        };
        let json = serde_json::to_string(&erasure).unwrap();
        assert_eq!(serde_json::from_str::<Erasure>(&json).unwrap(), erasure);
        let more = json.replacen('{', "{\"also\":1,", 1);
        serde_json::from_str::<Erasure>(&more).unwrap_err();
    }
}
