//! The frames, as they cross the wire: CBOR (RFC 8949) with integer keys.
//!
//! One WebSocket message holds one frame. An unknown integer key is skipped, so a
//! newer peer may add fields; an unknown frame ends the session with a reason.

use minicbor::{Decode, Encode};
use packet::{ChangeHash, DocumentId};

use crate::limits::{FRAME_BYTES_MAX, HELLO_BYTES_MAX};
use crate::relay::PackedChange;

/// The header of the upgrade request that carries the hello: base64url, no padding.
pub const HELLO_HEADER: &str = "forerunner-hello";
/// HPKE's `info` for what a device seals to the center (an encoded [`UpFrame::Offer`]);
/// its `aad` is the device's number, four bytes, big-endian.
pub const SEALED_INFO: &[u8] = b"forerunner sealed outbox 1";

/// A frame that cannot be taken. The session ends; the process goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    #[error("the frame has {bytes} bytes, at most {bytes_max} are taken")]
    TooLong { bytes: usize, bytes_max: usize },
    #[error("the frame cannot be read: {0}")]
    Malformed(String),
    #[error("{what}: {found} is over the limit of {most}")]
    OverLimit {
        what: &'static str,
        found: usize,
        most: usize,
    },
    #[error("a change cannot be unpacked: {0}")]
    Body(String),
    #[error("out of turn: {0}")]
    OutOfTurn(&'static str),
}

/// What a device says first. It rides in the upgrade request, so that the reply
/// to it can be everything that the device has missed.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Hello {
    #[n(0)]
    pub version: u16,
    /// The log that the position speaks of; 0 when the device has none.
    #[n(1)]
    pub incarnation: u64,
    /// The device has everything of its granted documents up to here …
    #[n(2)]
    pub position: u64,
    /// … but for these, which it has through another `seq`.
    #[n(3)]
    pub exceptions: Vec<Through>,
    /// The exclusive or of [`document_digest`] over the documents that were granted
    /// to it when it took the position.
    #[n(4)]
    pub digest: u64,
    /// The newest dictionary that it can unpack with.
    #[n(5)]
    pub dictionary: u16,
    /// The highest receipt number that it has.
    #[n(6)]
    pub receipts: u64,
    /// Proof of the officer's sign-on: the token that the center gave for the shift.
    #[n(7)]
    #[cbor(with = "minicbor::bytes")]
    pub shift: Vec<u8>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct Through {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    #[n(1)]
    pub through: u64,
}

/// From a device to the center.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum UpFrame {
    /// A change for the log.
    #[n(0)]
    Offer(#[n(0)] OfferFrame),
    /// The first `frames` frames of this session are durable on the device.
    #[n(1)]
    Delivered(#[n(0)] u64),
    /// The document was on a lit, unlocked screen, through this `seq`.
    #[n(2)]
    Shown(#[n(0)] ShownFrame),
    #[n(3)]
    Ping,
    #[n(4)]
    Pong,
}

/// From the center to a device.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub enum DownFrame {
    #[n(0)]
    Welcome(#[n(0)] Welcome),
    /// The device may have this document from now on.
    #[n(1)]
    Grant(#[n(0)] GrantFrame),
    /// … and from now on no longer. It leaves the device; what is unsent stays.
    #[n(2)]
    Revoke(#[cbor(n(0), with = "document")] DocumentId),
    #[n(3)]
    Changes(#[n(0)] ChangesFrame),
    /// Everything of the granted documents up to here has been sent.
    #[n(4)]
    Position(#[n(0)] u64),
    #[n(5)]
    Accepted(#[n(0)] AcceptedFrame),
    #[n(6)]
    Refused(#[n(0)] RefusedFrame),
    /// Somebody saw what this device wrote.
    #[n(7)]
    Seen(#[n(0)] SeenFrame),
    #[n(8)]
    Ping,
    #[n(9)]
    Pong,
    /// The session ends, and why.
    #[n(10)]
    Bye(#[n(0)] Bye),
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct OfferFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    /// Packed ([`crate::codec`]).
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// ECDSA P-256 SHA-256 over [`packet::signature::signing_input`], DER.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub signature: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ShownFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    #[n(1)]
    pub through: u64,
    /// By the device's clock, corrected by what it was off at the last contact.
    #[n(2)]
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Welcome {
    #[n(0)]
    pub version: u16,
    #[n(1)]
    pub incarnation: u64,
    /// The center's clock: milliseconds since 1970, UTC.
    #[n(2)]
    pub now_ms: i64,
    /// What the device said it has is not what the center knows: everything
    /// granted follows from the start, and what is not granted again goes.
    #[n(3)]
    pub reset: bool,
    /// The dictionary that this session's bodies are packed with.
    #[n(4)]
    pub dictionary: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct GrantFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct ChangesFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    /// In the order of the log. What this device itself offered in this session is
    /// not among them: it was answered.
    #[n(1)]
    pub changes: Vec<ChangeItem>,
    /// With these the device has the document through this `seq`.
    #[n(2)]
    pub through: u64,
    /// As [`DownFrame::Position`], where nothing else is left to send.
    #[n(3)]
    pub position: Option<u64>,
}

/// One change of a document, packed once and shared by all who receive it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChangeItem {
    #[n(0)]
    pub seq: u64,
    /// The center's receipt: milliseconds since 1970, UTC.
    #[n(1)]
    pub received_ms: i64,
    /// Packed ([`crate::codec`]).
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Vec<u8>,
    /// The center's MAC over document and hash: with it a device can give the
    /// change back to a center that was restored from a backup.
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub mac: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct AcceptedFrame {
    #[n(0)]
    #[cbor(with = "hash")]
    pub hash: ChangeHash,
    #[n(1)]
    pub seq: u64,
    #[n(2)]
    pub received_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct RefusedFrame {
    #[n(0)]
    #[cbor(with = "hash")]
    pub hash: ChangeHash,
    /// [`packet::Refusal::code`].
    #[n(1)]
    pub code: u16,
    /// A sentence for the officer.
    #[n(2)]
    pub reason: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct SeenFrame {
    /// The receipt's number at the center; rises.
    #[n(0)]
    pub number: u64,
    #[n(1)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    #[n(2)]
    pub through: u64,
    /// Whose screen: an officer's name and unit, or an analyst.
    #[n(3)]
    pub who: String,
    #[n(4)]
    pub at_ms: i64,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
#[cbor(map)]
pub struct Bye {
    #[n(0)]
    pub why: ByeWhy,
    #[n(1)]
    pub reason: String,
    /// The device comes back no sooner than this.
    #[n(2)]
    pub retry_after_ms: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum ByeWhy {
    /// The center does not speak the device's version of the protocol.
    #[n(0)]
    Version,
    /// The device, its certificate or its officer's shift is not in good standing.
    #[n(1)]
    Standing,
    /// The center cannot write now (its disk is full, it is stopping). Nothing is refused.
    #[n(2)]
    Busy,
    /// A frame broke the protocol.
    #[n(3)]
    Protocol,
}

/// A document's part of the digest in a [`Hello`]: the first eight bytes of its id's
/// SHA-256 would do; a mix of its nine bytes (the finaliser of SplitMix64) is enough,
/// since a mismatch costs bytes and never access.
#[must_use]
pub fn document_digest(document: DocumentId) -> u64 {
    let mut x = document.call.0 ^ (document.compartment as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

/// A frame's bytes.
pub fn encode<T: Encode<()>>(frame: &T) -> Vec<u8> {
    // A `Vec` takes every write, and no type here refuses to be encoded: there is no error.
    minicbor::to_vec(frame).unwrap_or_default()
}

/// A [`DownFrame::Changes`] of changes that were encoded before, once for all receivers.
#[must_use]
pub(crate) fn encode_changes(
    document: DocumentId,
    changes: &[PackedChange],
    through: u64,
    position: Option<u64>,
) -> Vec<u8> {
    let bytes = changes
        .iter()
        .map(|change| change.encoded().len())
        .sum::<usize>();
    let mut e = minicbor::Encoder::new(Vec::with_capacity(bytes + 48));
    // As the derived encoding has it (a test holds them together): `[3, [{0: document, 1: [...], 2: through, 3: position}]]`.
    // Writing into a `Vec` cannot fail.
    let _ = (|| {
        e.array(2)?
            .u8(3)?
            .array(1)?
            .map(if position.is_some() { 4 } else { 3 })?;
        e.u8(0)?.bytes(&document.to_bytes())?;
        e.u8(1)?.array(changes.len() as u64)?;
        for change in changes {
            e.writer_mut().extend_from_slice(change.encoded());
        }
        e.u8(2)?.u64(through)?;
        if let Some(position) = position {
            e.u8(3)?.u64(position)?;
        }
        Ok::<_, minicbor::encode::Error<std::convert::Infallible>>(())
    })();
    e.into_writer()
}

/// # Errors
/// When the frame is too long, cannot be read, or has bytes left over.
pub fn decode<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<T, FrameError> {
    read(bytes, FRAME_BYTES_MAX)
}

/// # Errors
/// As [`decode`], with a hello's own limit.
pub fn decode_hello(bytes: &[u8]) -> Result<Hello, FrameError> {
    let hello: Hello = read(bytes, HELLO_BYTES_MAX)?;
    crate::at_most(
        "exceptions",
        hello.exceptions.len(),
        crate::limits::EXCEPTIONS_MAX,
    )?;
    Ok(hello)
}

fn read<'b, T: Decode<'b, ()>>(bytes: &'b [u8], bytes_max: usize) -> Result<T, FrameError> {
    if bytes.len() > bytes_max {
        return Err(FrameError::TooLong {
            bytes: bytes.len(),
            bytes_max,
        });
    }
    let mut decoder = minicbor::Decoder::new(bytes);
    let frame = decoder
        .decode()
        .map_err(|e| FrameError::Malformed(e.to_string()))?;
    if decoder.position() != bytes.len() {
        return Err(FrameError::Malformed("bytes are left over".into()));
    }
    Ok(frame)
}

mod document {
    use minicbor::{Decoder, Encoder};
    use packet::DocumentId;

    pub(super) fn encode<C, W: minicbor::encode::Write>(
        id: &DocumentId,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&id.to_bytes())?;
        Ok(())
    }

    pub(super) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<DocumentId, minicbor::decode::Error> {
        DocumentId::from_bytes(d.bytes()?).map_err(minicbor::decode::Error::message)
    }
}

mod hash {
    use minicbor::{Decoder, Encoder};
    use packet::ChangeHash;

    pub(super) fn encode<C, W: minicbor::encode::Write>(
        hash: &ChangeHash,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        e.bytes(&hash.0)?;
        Ok(())
    }

    pub(super) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<ChangeHash, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        bytes
            .try_into()
            .map(ChangeHash)
            .map_err(|_| minicbor::decode::Error::message("a change hash has 32 bytes"))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use packet::{CallId, Compartment};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn changes_are_encoded_as_the_derived_encoding_has_them(
            items in vec((any::<u64>(), any::<i64>(), vec(any::<u8>(), 0..300)), 0..40),
            call in any::<u64>(),
            through in any::<u64>(),
            position in proptest::option::of(any::<u64>()),
        ) {
            let item = |(seq, received_ms, body)| ChangeItem { seq, received_ms, body, mac: vec![7; 16] };
            let changes: Vec<_> = items.into_iter().map(item).collect();
            let packed: Vec<_> = changes.iter().map(PackedChange::new).collect();
            let document = DocumentId::new(CallId(call), Compartment::Call);
            let by_hand = encode_changes(document, &packed, through, position);
            let frame = DownFrame::Changes(ChangesFrame { document, changes, through, position });
            prop_assert_eq!(&by_hand, &encode(&frame));
            prop_assert_eq!(decode::<DownFrame>(&by_hand).unwrap(), frame);
        }
    }
}
