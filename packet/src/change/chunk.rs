//! The outer form of a change: Automerge's chunk, and the hash by which a change is known.
//!
//! Read by us, because the hash is what a device signs: it must be known before
//! Automerge sees a byte. The form is section "Chunk containers" of Automerge's
//! binary format: magic, checksum, type, length, contents.

use aws_lc_rs::digest;

use super::reader::{Reader, malformed};
use crate::admission::Refusal;
use crate::ids::ChangeHash;

const MAGIC: [u8; 4] = [0x85, 0x6f, 0x4a, 0x83];
const CHECKSUM_BYTES: usize = 4;
const TYPE_CHANGE: u8 = 1;
const TYPE_COMPRESSED: u8 = 2;

/// An uncompressed change chunk with a right checksum and nothing behind it.
#[derive(Debug)]
pub(super) struct Chunk<'a> {
    pub(super) hash: ChangeHash,
    pub(super) contents: Reader<'a>,
}

pub(super) fn open(bytes: &[u8]) -> Result<Chunk<'_>, Refusal> {
    let mut reader = Reader::new(bytes);
    if reader.array()? != MAGIC {
        return Err(malformed("it does not start as an Automerge chunk"));
    }
    let checksum: [u8; CHECKSUM_BYTES] = reader.array()?;
    let hashed = &bytes[MAGIC.len() + CHECKSUM_BYTES..];
    match reader.byte()? {
        TYPE_CHANGE => {}
        TYPE_COMPRESSED => return Err(Refusal::Compressed),
        other => {
            return Err(Refusal::Malformed(format!(
                "chunk type {other} is not a change"
            )));
        }
    }
    let length = reader.unsigned()?;
    let contents = Reader::new(reader.take(length)?);
    if !reader.is_empty() {
        return Err(malformed("something follows the change"));
    }
    let mut hash = ChangeHash([0; digest::SHA256_OUTPUT_LEN]);
    hash.0
        .copy_from_slice(digest::digest(&digest::SHA256, hashed).as_ref());
    if hash.0[..CHECKSUM_BYTES] != checksum {
        return Err(malformed("its checksum is wrong"));
    }
    Ok(Chunk { hash, contents })
}
