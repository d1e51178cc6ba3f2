//! Reads the number and byte forms of Automerge's storage format, strictly.
//!
//! Only the shortest LEB128 is a number here: with one spelling for each value a
//! change has one encoding, and two parsers cannot disagree about it.

use crate::admission::Refusal;

/// What is left to read. Nothing is copied and nothing is allocated.
#[derive(Debug, Clone)]
pub(super) struct Reader<'a> {
    left: &'a [u8],
}

pub(super) fn malformed(what: &str) -> Refusal {
    Refusal::Malformed(what.to_owned())
}

impl<'a> Reader<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Self { left: bytes }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.left.is_empty()
    }

    pub(super) fn left(&self) -> usize {
        self.left.len()
    }

    pub(super) fn byte(&mut self) -> Result<u8, Refusal> {
        let (first, left) = self
            .left
            .split_first()
            .ok_or_else(|| malformed("it ends too early"))?;
        self.left = left;
        Ok(*first)
    }

    pub(super) fn take(&mut self, length: u64) -> Result<&'a [u8], Refusal> {
        let taken = usize::try_from(length)
            .ok()
            .and_then(|length| self.left.split_at_checked(length));
        let (taken, left) = taken.ok_or_else(|| malformed("it ends too early"))?;
        self.left = left;
        Ok(taken)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Refusal> {
        let (taken, left) = self
            .left
            .split_first_chunk()
            .ok_or_else(|| malformed("it ends too early"))?;
        self.left = left;
        Ok(*taken)
    }

    /// An unsigned LEB128 of at most 64 bits, in its shortest form.
    pub(super) fn unsigned(&mut self) -> Result<u64, Refusal> {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte > 1 {
                return Err(malformed("a number is too large"));
            }
            value |= u64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return if byte == 0 && shift > 0 {
                    Err(malformed("a number is not in its shortest form"))
                } else {
                    Ok(value)
                };
            }
        }
        Err(malformed("a number is too large"))
    }

    /// A signed LEB128 of at most 64 bits, in its shortest form.
    pub(super) fn signed(&mut self) -> Result<i64, Refusal> {
        let mut value = 0_i64;
        let mut before = 0_u8;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            if shift == 63 && byte != 0 && byte != 0x7f {
                return Err(malformed("a number is too large"));
            }
            value |= i64::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                // A last byte that only repeats the sign of the one before it says nothing.
                let idle = shift > 0
                    && ((byte == 0 && before & 0x40 == 0) || (byte == 0x7f && before & 0x40 != 0));
                if idle {
                    return Err(malformed("a number is not in its shortest form"));
                }
                let negative = byte & 0x40 != 0 && shift < 63;
                return Ok(if negative {
                    value | (-1_i64 << (shift + 7).min(63))
                } else {
                    value
                });
            }
            before = byte;
        }
        Err(malformed("a number is too large"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;

    fn write_unsigned(mut value: u64) -> Vec<u8> {
        let mut out = Vec::new();
        while value >= 0x80 {
            out.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        out.push(value as u8);
        out
    }

    fn write_signed(mut value: i64) -> Vec<u8> {
        let mut out = Vec::new();
        loop {
            let byte = (value & 0x7f) as u8;
            value >>= 7;
            if (value == 0 && byte & 0x40 == 0) || (value == -1 && byte & 0x40 != 0) {
                out.push(byte);
                return out;
            }
            out.push(byte | 0x80);
        }
    }

    proptest! {
        #[test]
        fn every_unsigned_number_is_read_as_written(value: u64) {
            let bytes = write_unsigned(value);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.unsigned().unwrap(), value);
            prop_assert!(reader.is_empty());
        }

        #[test]
        fn every_signed_number_is_read_as_written(value: i64, shift in 0_u32..64) {
            let value = value >> shift;
            let bytes = write_signed(value);
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(reader.signed().unwrap(), value);
            prop_assert!(reader.is_empty());
        }
    }

    #[test]
    fn the_ends_of_the_range_are_read() {
        for value in [i64::MIN, i64::MIN + 1, -65, -64, -1, 0, 63, 64, i64::MAX] {
            assert_eq!(Reader::new(&write_signed(value)).signed().unwrap(), value);
        }
        for value in [0, 127, 128, u64::MAX] {
            assert_eq!(
                Reader::new(&write_unsigned(value)).unsigned().unwrap(),
                value
            );
        }
    }

    #[test]
    fn a_longer_spelling_of_a_number_is_refused() {
        for bytes in [&[0x80, 0x00][..], &[0xff, 0x00], &[0x81, 0x80, 0x00]] {
            assert!(Reader::new(bytes).unsigned().is_err(), "{bytes:?}");
        }
        for bytes in [
            &[0x80, 0x00][..],
            &[0xff, 0x7f],
            &[0x81, 0x80, 0x00],
            &[0xc0, 0x7f],
        ] {
            assert!(Reader::new(bytes).signed().is_err(), "{bytes:?}");
        }
        // Not idle: 0x40 alone would be negative, 0x3f alone would be 63.
        assert_eq!(Reader::new(&[0xc0, 0x00]).signed().unwrap(), 64);
        assert_eq!(Reader::new(&[0xbf, 0x7f]).signed().unwrap(), -65);
    }

    #[test]
    fn a_number_past_64_bits_or_past_the_end_is_refused() {
        assert!(Reader::new(&[0xff; 11]).unsigned().is_err());
        assert!(
            Reader::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x02])
                .unsigned()
                .is_err()
        );
        assert!(
            Reader::new(&[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x01])
                .signed()
                .is_err()
        );
        assert!(Reader::new(&[0xff; 11]).signed().is_err());
        assert!(Reader::new(&[0x80]).unsigned().is_err());
        assert!(Reader::new(&[1, 2]).take(u64::MAX).is_err());
        assert!(Reader::new(&[1, 2]).array::<3>().is_err());
    }
}
