//! How a change's bytes are packed: raw, or by zstd with a shipped dictionary.
//!
//! A note's change is about 215 bytes and grows under plain zstd; with a dictionary
//! trained on packets it is about 120, or 165 where its words are unforeseen (what is
//! left is mostly hashes). The first byte of a body is the dictionary's version, 0 for
//! raw: so any receiver can tell, and a center packs a change once for each version
//! that its devices know, never once a device. The rest of a packed body is a zstd
//! frame (RFC 8878) without its magic number, dictionary id and checksum.

use std::cell::RefCell;

use packet::change::CHANGE_BYTES_MAX;

use crate::frame::FrameError;

/// No dictionary: the bytes as they are.
pub const RAW: u16 = 0;
/// The newest dictionary that this build knows.
pub const DICTIONARY_NEWEST: u16 = 1;

/// Trained by `cargo xtask dictionary` on the made-up city's packets.
const DICTIONARY_1: &[u8] = include_bytes!("../dictionary/1.zdict");
/// On packets' changes level 12 gained 2%, and 19 nothing more; level 3 lost 5%.
const LEVEL: i32 = 9;

/// The magic number that every zstd frame starts with (RFC 8878, 3.1.1): known, so not sent.
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// zstd's contexts, with the dictionary digested: some 300 KB. One pair a thread, since
/// each use leaves nothing behind in them, and a session each would cost a center that
/// much for every device connected.
struct Contexts {
    pack: zstd::bulk::Compressor<'static>,
    unpack: zstd::bulk::Decompressor<'static>,
}

impl Contexts {
    fn new() -> std::io::Result<Self> {
        let mut pack = zstd::bulk::Compressor::with_dictionary(LEVEL, DICTIONARY_1)?;
        // What the dictionary is, the body's first byte says; the size is bounded by the receiver.
        pack.include_dictid(false)?;
        pack.include_checksum(false)?;
        let unpack = zstd::bulk::Decompressor::with_dictionary(DICTIONARY_1)?;
        Ok(Self { pack, unpack })
    }
}

thread_local! {
    static CONTEXTS: RefCell<Option<Contexts>> = const { RefCell::new(None) };
}

/// Packs and unpacks. Costs nothing to have: the contexts are the thread's.
#[derive(Debug)]
pub struct Codec(());

impl Codec {
    /// # Errors
    /// When zstd cannot take the dictionary, which only a damaged build can cause.
    pub fn new() -> Result<Self, FrameError> {
        with_contexts(|_| Ok(Self(())))
    }

    /// Packs for a receiver that knows dictionaries up to this version; whichever is smaller.
    pub fn pack(&mut self, bytes: &[u8], dictionary: u16) -> Vec<u8> {
        if dictionary >= 1
            && let Ok(frame) = with_contexts(|contexts| contexts.pack.compress(bytes))
            && let Some(packed) = frame.strip_prefix(&MAGIC)
            && packed.len() < bytes.len()
        {
            return [&[1], packed].concat();
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
            Some((1, packed)) => with_contexts(|contexts| {
                let frame = [&MAGIC, packed].concat();
                contexts.unpack.decompress(&frame, CHANGE_BYTES_MAX)
            }),
            Some((version, _)) => Err(FrameError::Body(format!(
                "dictionary {version} is not known here"
            ))),
            None => Err(FrameError::Body("is empty".into())),
        }
    }
}

fn with_contexts<T>(
    work: impl FnOnce(&mut Contexts) -> std::io::Result<T>,
) -> Result<T, FrameError> {
    CONTEXTS
        .with_borrow_mut(|kept| {
            let contexts = match kept {
                Some(contexts) => contexts,
                None => kept.insert(Contexts::new()?),
            };
            work(contexts)
        })
        .map_err(|e: std::io::Error| FrameError::Body(e.to_string()))
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
    fn a_notes_change_is_packed_to_little_more_than_its_hashes_and_words() {
        let note = packet::Entry::Note(packet::Note {
            text: "Silver sedan seen leaving north, partial plate".into(),
            by: "A. Ferris (4A12)".into(),
        });
        let change = packet::compose(&packet::Draft {
            actor: packet::Actor([9; 8]),
            number: 3,
            deps: vec![packet::ChangeHash([0xc5; 32])],
            start_op: 12,
            time_ms: 1_526_680_800_000,
            written: &packet::Written {
                entry: note,
                clock_off_ms: Some(-31),
            },
        });
        let bytes = change.unwrap().bytes;
        let packed = Codec::new().unwrap().pack(&bytes, DICTIONARY_NEWEST);
        assert!(
            packed.len() * 3 < bytes.len() * 2,
            "{} of {}",
            packed.len(),
            bytes.len()
        );
    }

    #[test]
    fn a_bomb_is_refused() {
        let mut codec = Codec::new().unwrap();
        let frame = with_contexts(|contexts| contexts.pack.compress(&vec![0; 50_000_000])).unwrap();
        let body = [&[1], frame.strip_prefix(&MAGIC).unwrap()].concat();
        assert!(body.len() < 10_000);
        assert!(codec.unpack(&body).is_err());
        assert!(codec.unpack(&vec![0; CHANGE_BYTES_MAX + 2]).is_err());
        assert!(codec.unpack(&[]).is_err());
        assert!(codec.unpack(&[9, 1, 2]).is_err());
    }
}
