//! How a change's bytes are packed.
//!
//! The first byte of a body says how: so any receiver can tell, and a center packs a
//! change once for each form that its devices know, never once a device.
//!
//! | first byte | what follows |
//! |---|---|
//! | 0 | the change as it is |
//! | 1 | the change, by zstd with dictionary 1: what a device offers |
//! | 2 | the change's [`crate::brief`], by zstd with dictionary 2: what the center sends |
//! | 3 | the change's brief as it is: what comes out of a [`crate::frame::BundleFrame`] |
//!
//! A zstd frame (RFC 8878) goes without its magic number, dictionary id and checksum.
//! With plain zstd a note's change grows; by dictionary 1 its 215 bytes are about 120
//! (what is left is mostly hashes), and as a brief about 60: little more than its words.

use std::cell::RefCell;

use packet::change::CHANGE_BYTES_MAX;

use crate::frame::FrameError;

/// No dictionary: the bytes as they are.
pub const RAW: u16 = 0;
/// The newest dictionary that this build knows.
pub const DICTIONARY_NEWEST: u16 = 2;

/// Trained by `cargo xtask dictionary` on the made-up city's packets: on changes …
const DICTIONARY_1: &[u8] = include_bytes!("../dictionary/1.zdict");
/// … and on their briefs.
const DICTIONARY_2: &[u8] = include_bytes!("../dictionary/2.zdict");
/// On packets' changes level 12 gained 2%, and 19 nothing more; level 3 lost 5%.
const LEVEL: i32 = 9;

/// The magic number that every zstd frame starts with (RFC 8878, 3.1.1): known, so not sent.
const MAGIC: [u8; 4] = 0xFD2F_B528_u32.to_le_bytes();

/// What a body holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unpacked {
    Change(Vec<u8>),
    Brief(Vec<u8>),
}

/// zstd's contexts, with the dictionaries digested: some 600 KB. One set a thread, since
/// each use leaves nothing behind in them, and a session each would cost a center that
/// much for every device connected.
struct Contexts {
    change: Pair,
    brief: Pair,
}

struct Pair {
    pack: zstd::bulk::Compressor<'static>,
    unpack: zstd::bulk::Decompressor<'static>,
}

impl Pair {
    fn new(dictionary: &'static [u8]) -> std::io::Result<Self> {
        let mut pack = zstd::bulk::Compressor::with_dictionary(LEVEL, dictionary)?;
        // What the dictionary is, the body's first byte says; the size is bounded by the receiver.
        pack.include_dictid(false)?;
        pack.include_checksum(false)?;
        let unpack = zstd::bulk::Decompressor::with_dictionary(dictionary)?;
        Ok(Self { pack, unpack })
    }

    fn unpack(&mut self, packed: &[u8]) -> std::io::Result<Vec<u8>> {
        let frame = [&MAGIC, packed].concat();
        self.unpack.decompress(&frame, CHANGE_BYTES_MAX)
    }
}

thread_local! {
    static CONTEXTS: RefCell<Option<Contexts>> = const { RefCell::new(None) };
}

/// Packs a change for a receiver that knows dictionaries up to this version; whichever is
/// smaller.
#[must_use]
pub fn pack(bytes: &[u8], dictionary: u16) -> Vec<u8> {
    if dictionary >= 1
        && let Ok(frame) = with_contexts(|contexts| contexts.change.pack.compress(bytes))
        && let Some(packed) = frame.strip_prefix(&MAGIC)
        && packed.len() < bytes.len()
    {
        return [&[1], packed].concat();
    }
    [&[0], bytes].concat()
}

/// Packs a change's brief, for receivers that know dictionary 2. `None` when zstd cannot.
#[must_use]
pub fn pack_brief(brief: &[u8]) -> Option<Vec<u8>> {
    let frame = with_contexts(|contexts| contexts.brief.pack.compress(brief)).ok()?;
    Some([&[2], frame.strip_prefix(&MAGIC)?].concat())
}

/// Packs briefs that go together, each a byte string.
pub(crate) fn pack_together(briefs: &[u8]) -> Vec<u8> {
    let packed = pack_brief(briefs).filter(|packed| packed.len() <= briefs.len());
    packed.unwrap_or_else(|| plain_brief(briefs))
}

/// A brief that came out of a bundle.
pub(crate) fn plain_brief(brief: &[u8]) -> Vec<u8> {
    [&[3], brief].concat()
}

/// # Errors
/// When the body is empty, damaged, by an unknown dictionary, or larger than a change may be.
pub fn unpack(body: &[u8]) -> Result<Unpacked, FrameError> {
    match body.split_first() {
        Some((0, bytes)) if bytes.len() <= CHANGE_BYTES_MAX => Ok(Unpacked::Change(bytes.to_vec())),
        Some((3, brief)) if brief.len() <= CHANGE_BYTES_MAX => Ok(Unpacked::Brief(brief.to_vec())),
        Some((0 | 3, _)) => Err(FrameError::Body(format!(
            "is over {CHANGE_BYTES_MAX} bytes"
        ))),
        Some((1, packed)) => {
            with_contexts(|contexts| contexts.change.unpack(packed)).map(Unpacked::Change)
        }
        Some((2, packed)) => {
            with_contexts(|contexts| contexts.brief.unpack(packed)).map(Unpacked::Brief)
        }
        Some((version, _)) => Err(FrameError::Body(format!(
            "dictionary {version} is not known here"
        ))),
        None => Err(FrameError::Body("is empty".into())),
    }
}

fn with_contexts<T>(
    work: impl FnOnce(&mut Contexts) -> std::io::Result<T>,
) -> Result<T, FrameError> {
    CONTEXTS
        .with_borrow_mut(|kept| {
            let contexts = match kept {
                Some(contexts) => contexts,
                None => kept.insert(Contexts {
                    change: Pair::new(DICTIONARY_1)?,
                    brief: Pair::new(DICTIONARY_2)?,
                }),
            };
            work(contexts)
        })
        .map_err(|e: std::io::Error| FrameError::Body(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back() {
        for dictionary in [RAW, DICTIONARY_NEWEST, 99] {
            for bytes in [
                &b""[..],
                b"x",
                &[7; CHANGE_BYTES_MAX],
                b"silver sedan, partial tag ABC",
            ] {
                let body = pack(bytes, dictionary);
                assert_eq!(unpack(&body), Ok(Unpacked::Change(bytes.to_vec())));
                assert!(body.len() <= bytes.len() + 1);
            }
        }
        let brief = pack_brief(b"silver sedan").map(|body| unpack(&body));
        assert_eq!(brief, Some(Ok(Unpacked::Brief(b"silver sedan".to_vec()))));
        for together in [&b"x"[..], &[9; 1_000]] {
            let body = pack_together(together);
            assert!(body.len() <= together.len() + 1);
            assert_eq!(unpack(&body), Ok(Unpacked::Brief(together.to_vec())));
        }
    }

    #[test]
    fn a_bomb_is_refused() {
        let bombs = [
            with_contexts(|contexts| contexts.change.pack.compress(&vec![0; 50_000_000])),
            with_contexts(|contexts| contexts.brief.pack.compress(&vec![0; 50_000_000])),
        ];
        for (form, frame) in (1..).zip(bombs) {
            let frame = frame.unwrap_or_default();
            let body = [&[form], frame.strip_prefix(&MAGIC).unwrap_or_default()].concat();
            assert!((100..10_000).contains(&body.len()));
            assert!(unpack(&body).is_err());
        }
        assert!(unpack(&vec![0; CHANGE_BYTES_MAX + 2]).is_err());
        assert!(unpack(&vec![3; CHANGE_BYTES_MAX + 2]).is_err());
        assert!(unpack(&[]).is_err());
        assert!(unpack(&[9, 1, 2]).is_err());
    }
}
