//! How a change's bytes are packed: raw, or by zstd with a shipped dictionary.
//!
//! A note's change is 199 to 290 bytes and stays as large under plain zstd; with a
//! dictionary trained on packets it is 82 to 204. The first byte of a body is the
//! dictionary's version, 0 for raw: so any receiver can tell, and a center packs a
//! change once for each version that its devices know, never once a device.

use packet::change::CHANGE_BYTES_MAX;

use crate::frame::FrameError;

/// No dictionary: the bytes as they are.
pub const RAW: u16 = 0;
/// The newest dictionary that this build knows.
pub const DICTIONARY_NEWEST: u16 = 1;

/// Trained by `cargo xtask dictionary` on the made-up city's packets.
const DICTIONARY_1: &[u8] = include_bytes!("../dictionary/1.zdict");
/// Higher levels gained under 1% on packets' changes and cost several times as much.
const LEVEL: i32 = 9;

/// Packs and unpacks; one for each thread or task, since zstd's contexts are reused.
pub struct Codec {
    pack: zstd::bulk::Compressor<'static>,
    unpack: zstd::bulk::Decompressor<'static>,
}

impl std::fmt::Debug for Codec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Codec")
    }
}

impl Codec {
    /// # Errors
    /// When zstd cannot take the dictionary, which only a damaged build can cause.
    pub fn new() -> Result<Self, FrameError> {
        let body = |e: std::io::Error| FrameError::Body(e.to_string());
        let mut pack =
            zstd::bulk::Compressor::with_dictionary(LEVEL, DICTIONARY_1).map_err(body)?;
        // What the dictionary is, the body's first byte says; the size is bounded by the receiver.
        pack.include_dictid(false)
            .and(pack.include_checksum(false))
            .map_err(body)?;
        Ok(Self {
            pack,
            unpack: zstd::bulk::Decompressor::with_dictionary(DICTIONARY_1).map_err(body)?,
        })
    }

    /// Packs for a receiver that knows dictionaries up to this version; whichever is smaller.
    pub fn pack(&mut self, bytes: &[u8], dictionary: u16) -> Vec<u8> {
        if dictionary >= 1
            && let Ok(packed) = self.pack.compress(bytes)
            && packed.len() < bytes.len()
        {
            return [&[1], packed.as_slice()].concat();
        }
        [&[0], bytes].concat()
    }

    /// # Errors
    /// When the body is empty, damaged, by an unknown dictionary, or larger than a change may be.
    pub fn unpack(&mut self, body: &[u8]) -> Result<Vec<u8>, FrameError> {
        match body.split_first() {
            Some((0, bytes)) if bytes.len() <= CHANGE_BYTES_MAX => Ok(bytes.to_vec()),
            Some((0, _)) => Err(FrameError::Body(format!(
                "is over {CHANGE_BYTES_MAX} bytes"
            ))),
            Some((1, packed)) => self
                .unpack
                .decompress(packed, CHANGE_BYTES_MAX)
                .map_err(|e| FrameError::Body(e.to_string())),
            Some((version, _)) => Err(FrameError::Body(format!(
                "dictionary {version} is not known here"
            ))),
            None => Err(FrameError::Body("is empty".into())),
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        let mut codec = Codec::new().unwrap();
        for dictionary in [RAW, DICTIONARY_NEWEST, 99] {
            for bytes in [
                &b""[..],
                b"x",
                &[7; CHANGE_BYTES_MAX],
                b"silver sedan, partial tag ABC",
            ] {
                let body = codec.pack(bytes, dictionary);
                assert_eq!(codec.unpack(&body).unwrap(), bytes);
                assert!(body.len() <= bytes.len() + 1);
            }
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut codec = Codec::new().unwrap();
        let mut body = vec![1];
        body.extend(codec.pack.compress(&vec![0; 50_000_000]).unwrap());
        assert!(body.len() < 10_000);
        assert!(codec.unpack(&body).is_err());
        assert!(codec.unpack(&vec![0; CHANGE_BYTES_MAX + 2]).is_err());
        assert!(codec.unpack(&[]).is_err());
        assert!(codec.unpack(&[9, 1, 2]).is_err());
    }
}
