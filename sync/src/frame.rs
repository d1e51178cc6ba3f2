//! The frames, as they cross the wire: CBOR (RFC 8949) with integer keys.
//!
//! One WebSocket message holds a sequence of frames (a CBOR sequence, RFC 8742): on a
//! slow link the twenty bytes around a message cost more than some frames. What comes
//! often is an array, whose fields have their places; what is left out at the end is
//! absent, so a newer peer may add fields. An unknown frame ends the session with a reason.

use minicbor::{Decode, Encode};
use packet::{ChangeHash, DocumentId, Proof};

use crate::limits::{FRAME_BYTES_MAX, FRAMES_PER_MESSAGE_MAX, HELLO_BYTES_MAX};
use crate::relay::PackedChange;

/// The header of the upgrade request that carries the hello: base64url, no padding.
/// Short, since each of its letters crosses a slow link at each contact.
pub const HELLO_HEADER: &str = "hello";
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
pub struct Hello {
    #[n(0)]
    pub version: u16,
    /// The device has everything of its granted documents up to here …
    #[n(1)]
    pub position: u64,
    /// [`digest`] over the log that the position speaks of and the documents that were
    /// granted to the device when it took the position. 0 when it has none.
    #[n(2)]
    pub digest: u64,
    /// The newest dictionary that it can unpack with; 0 for none.
    #[n(3)]
    pub dictionary: u16,
    /// The highest receipt number that it has.
    #[n(4)]
    pub receipts: u64,
    /// Proof of the officer's sign-on: the token that the center gave for the shift.
    #[n(5)]
    #[cbor(with = "minicbor::bytes")]
    pub shift: Vec<u8>,
    /// … but for these, which it has through another `seq`.
    #[n(6)]
    pub exceptions: Vec<Through>,
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
    /// The first so many messages of this session are durable on the device.
    #[n(1)]
    Delivered(#[n(0)] u64),
    /// The document was on a lit, unlocked screen, through this `seq`.
    #[n(2)]
    Shown(#[n(0)] ShownFrame),
    #[n(3)]
    Ping,
    #[n(4)]
    Pong,
    /// The answer to [`Agreement::Compare`]: through which `seq` the device has each of its
    /// documents, of this very log.
    #[n(5)]
    Heads(#[n(0)] Vec<Through>),
    /// A part of a frame that is too long for the link.
    #[n(6)]
    Part(#[n(0)] PartFrame),
    /// Send this attachment, from here on.
    #[n(7)]
    Want(#[n(0)] WantFrame),
    /// … no longer.
    #[n(8)]
    Unwant(#[n(0)] BlobId),
    /// I have an attachment for this document: how much of it do you have?
    #[n(9)]
    Put(#[n(0)] PutFrame),
    #[n(10)]
    Chunk(#[n(0)] ChunkFrame),
    /// As `Delivered`, held back by the device for a while.
    #[n(11)]
    DeliveredLate(#[n(0)] LateFrame),
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
    #[n(11)]
    Part(#[n(0)] PartFrame),
    #[n(12)]
    Chunk(#[n(0)] ChunkFrame),
    /// The center has so much of an attachment, durably.
    #[n(13)]
    Have(#[n(0)] HaveFrame),
    /// A part came that was not its frame's last: so a device learns how fast its way up is.
    #[n(14)]
    Got,
    /// Small changes of several documents, as [`DownFrame::Changes`] of one change each:
    /// for a slow link.
    #[n(15)]
    Bundle(#[n(0)] BundleFrame),
}

/// An attachment, by the SHA-256 of its content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Encode, Decode)]
#[cbor(transparent)]
pub struct BlobId(
    #[n(0)]
    #[cbor(with = "minicbor::bytes")]
    pub [u8; 32],
);

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PartFrame {
    #[n(0)]
    pub lane: u8,
    #[n(1)]
    pub last: bool,
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct WantFrame {
    #[n(0)]
    pub blob: BlobId,
    #[n(1)]
    pub offset: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct PutFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    #[n(1)]
    pub blob: BlobId,
    /// How large it is, whole.
    #[n(2)]
    pub bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChunkFrame {
    #[n(0)]
    pub blob: BlobId,
    #[n(1)]
    pub offset: u64,
    /// How large the attachment is, whole.
    #[n(2)]
    pub total: u64,
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub bytes: Vec<u8>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct HaveFrame {
    #[n(0)]
    pub blob: BlobId,
    #[n(1)]
    pub bytes: u64,
    /// Why the center does not take it, in a sentence for the officer.
    #[n(2)]
    pub refused: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct OfferFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    /// Packed ([`crate::codec`]).
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Vec<u8>,
    #[n(2)]
    #[cbor(with = "proof")]
    pub proof: Proof,
}

/// What a device reports later than it could.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
pub struct LateFrame {
    /// The first so many messages of this session are durable on the device …
    #[n(0)]
    pub messages: u64,
    /// … the last of them for so long: no fault of the link's.
    #[n(1)]
    pub held_ms: u64,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
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
pub struct Welcome {
    #[n(0)]
    pub incarnation: u64,
    /// The center's clock: milliseconds since 1970, UTC.
    #[n(1)]
    pub now_ms: i64,
    #[n(2)]
    pub agreement: Agreement,
    /// The dictionary that this session's bodies are packed with.
    #[n(3)]
    pub dictionary: u16,
    /// What does not last for the shift on a device that has no contact; absent where all
    /// does.
    #[n(4)]
    pub leases: Option<Vec<Lease>>,
}

/// How long a device keeps a document that it cannot hear of: each contact in which it is
/// still granted begins the time anew.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Lease {
    /// Whose calls.
    #[n(0)]
    pub agency: String,
    /// The number of the compartment: one that a device does not know it has nothing of.
    #[n(1)]
    pub compartment: u8,
    #[n(2)]
    pub minutes: u32,
}

/// Whether what the device says it has is what the center knows it to have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Encode, Decode)]
#[cbor(index_only)]
pub enum Agreement {
    #[n(0)]
    Agreed,
    /// It is not: the device says through which `seq` it has each document, or, where
    /// its log was another, that it has none.
    #[n(1)]
    Compare,
    /// It has nothing yet: everything granted follows from the start.
    #[n(2)]
    Anew,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct GrantFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChangesFrame {
    #[n(0)]
    #[cbor(with = "document")]
    pub document: DocumentId,
    /// In the order of the log. What this device itself offered in this session is
    /// not among them: it was answered.
    #[n(1)]
    pub changes: Vec<ChangeItem>,
    /// As [`DownFrame::Position`], where nothing else is left to send: by how much it is
    /// above the last change's `seq`.
    #[n(2)]
    pub ahead: Option<u64>,
    /// With these the device has the document through this `seq`, where that is not the
    /// last change's.
    #[n(3)]
    pub through: Option<u64>,
}

impl ChangesFrame {
    /// With these the device has the document through this `seq`.
    #[must_use]
    pub fn through(&self) -> u64 {
        self.through
            .or_else(|| self.changes.last().map(|change| change.seq))
            .unwrap_or(0)
    }

    #[must_use]
    pub fn position(&self) -> Option<u64> {
        Some(self.through().saturating_add(self.ahead?))
    }
}

/// One change of a document, packed once and shared by all who receive it.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct ChangeItem {
    #[n(0)]
    pub seq: u64,
    /// The center's receipt: milliseconds since 1970, UTC.
    #[n(1)]
    #[cbor(with = "millis")]
    pub received_ms: i64,
    /// The center's MAC over document and hash: with it a device can give the
    /// change back to a center that was restored from a backup.
    #[n(2)]
    #[cbor(with = "minicbor::bytes")]
    pub mac: [u8; packet::signature::MAC_BYTES],
    /// Packed ([`crate::codec`]).
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub body: Vec<u8>,
}

/// Changes whose briefs are packed together; [`crate::decode_down`] takes it apart.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct BundleFrame {
    /// In the order in which they were sent.
    #[n(0)]
    pub changes: Vec<Bundled>,
    /// Their briefs, each as a byte string, packed ([`crate::codec`]).
    #[n(1)]
    #[cbor(with = "minicbor::bytes")]
    pub briefs: Vec<u8>,
    /// As [`ChangesFrame::ahead`], of the last change.
    #[n(2)]
    pub ahead: Option<u64>,
}

impl BundleFrame {
    /// What the first change's time is told from.
    pub const EPOCH_MS: i64 = millis::EPOCH_MS;
}

/// What stands beside a brief: all but the MAC as it differs from the change before.
#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
pub struct Bundled {
    /// Where it is another than the one before.
    #[n(0)]
    #[cbor(with = "other_document")]
    pub document: Option<DocumentId>,
    /// How far behind the last one's; the first one's own.
    #[n(1)]
    pub seq: i64,
    /// The center's receipt: so many milliseconds after the last one's; of the first one
    /// after [`BundleFrame::EPOCH_MS`].
    #[n(2)]
    pub received_ms: i64,
    /// As [`ChangeItem::mac`].
    #[n(3)]
    #[cbor(with = "minicbor::bytes")]
    pub mac: [u8; packet::signature::MAC_BYTES],
}

#[derive(Debug, Clone, PartialEq, Eq, Encode, Decode)]
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

/// What stands for a log and the documents granted of it in a [`Hello`]: the exclusive or
/// of a mix of each (the finaliser of SplitMix64). That is enough, since a mismatch costs
/// bytes and never access.
#[must_use]
pub fn digest(incarnation: u64, documents: impl IntoIterator<Item = DocumentId>) -> u64 {
    documents.into_iter().fold(mix(incarnation), |digest, id| {
        let compartment = (id.compartment as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        digest ^ mix(id.call.0 ^ compartment)
    })
}

fn mix(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
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
    let through_differs = changes.last().is_none_or(|last| last.seq != through);
    let ahead = position.map(|position| position.saturating_sub(through));
    let fields = match (through_differs, ahead) {
        (true, _) => 4,
        (false, Some(_)) => 3,
        (false, None) => 2,
    };
    let mut e = minicbor::Encoder::new(Vec::with_capacity(bytes + 48));
    // As the derived encoding has it; a test holds them together. Writing into a `Vec`
    // cannot fail.
    let _ = (|| {
        e.array(2)?.u8(3)?.array(1)?.array(fields)?;
        e.bytes(&document.to_bytes())?;
        e.array(changes.len() as u64)?;
        for change in changes {
            e.writer_mut().extend_from_slice(change.encoded());
        }
        if fields > 2 {
            e.encode(ahead)?;
        }
        if fields > 3 {
            e.u64(through)?;
        }
        Ok::<_, minicbor::encode::Error<std::convert::Infallible>>(())
    })();
    e.into_writer()
}

/// The frames of a message, in their order.
///
/// # Errors
/// When the message is too long, has too many frames, or one of them cannot be read.
pub fn decode_message<'b, T: Decode<'b, ()>>(bytes: &'b [u8]) -> Result<Vec<T>, FrameError> {
    let mut decoder = bounded(bytes, FRAME_BYTES_MAX)?;
    let mut frames = Vec::new();
    if bytes.is_empty() {
        return Err(FrameError::Malformed("the message is empty".into()));
    }
    while decoder.position() < bytes.len() {
        crate::at_most("frames", frames.len() + 1, FRAMES_PER_MESSAGE_MAX)?;
        frames.push(next(&mut decoder)?);
    }
    Ok(frames)
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
    let mut decoder = bounded(bytes, bytes_max)?;
    let frame = next(&mut decoder)?;
    if decoder.position() != bytes.len() {
        return Err(FrameError::Malformed("bytes are left over".into()));
    }
    Ok(frame)
}

fn bounded(bytes: &[u8], bytes_max: usize) -> Result<minicbor::Decoder<'_>, FrameError> {
    if bytes.len() > bytes_max {
        return Err(FrameError::TooLong {
            bytes: bytes.len(),
            bytes_max,
        });
    }
    Ok(minicbor::Decoder::new(bytes))
}

fn next<'b, T: Decode<'b, ()>>(decoder: &mut minicbor::Decoder<'b>) -> Result<T, FrameError> {
    decoder
        .decode()
        .map_err(|e| FrameError::Malformed(e.to_string()))
}

/// Milliseconds since 2020: until 2054 a time takes one byte of head and five.
mod millis {
    use minicbor::{Decoder, Encoder};

    /// The first of January 2020, UTC.
    pub(super) const EPOCH_MS: i64 = 1_577_836_800_000;

    pub(super) fn encode<C, W: minicbor::encode::Write>(
        ms: &i64,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        let bytes = ms.wrapping_sub(EPOCH_MS).to_be_bytes();
        // Five bytes where they are enough, all eight for what is long past or far to come.
        match bytes {
            [0, 0, 0, short @ ..] => e.bytes(&short)?,
            long => e.bytes(&long)?,
        };
        Ok(())
    }

    pub(super) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<i64, minicbor::decode::Error> {
        let bytes = d.bytes()?;
        let mut whole = [0; 8];
        match bytes.len() {
            5 => whole[3..].copy_from_slice(bytes),
            8 => whole.copy_from_slice(bytes),
            _ => return Err(minicbor::decode::Error::message("a time has 5 or 8 bytes")),
        }
        Ok(i64::from_be_bytes(whole).wrapping_add(EPOCH_MS))
    }
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

/// A document, or null.
mod other_document {
    use minicbor::data::Type;
    use minicbor::{Decoder, Encoder};
    use packet::DocumentId;

    pub(super) fn encode<C, W: minicbor::encode::Write>(
        id: &Option<DocumentId>,
        e: &mut Encoder<W>,
        c: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match id {
            Some(id) => super::document::encode(id, e, c),
            None => e.null().map(|_| ()),
        }
    }

    pub(super) fn decode<C>(
        d: &mut Decoder<'_>,
        c: &mut C,
    ) -> Result<Option<DocumentId>, minicbor::decode::Error> {
        if d.datatype()? == Type::Null {
            return d.null().map(|()| None);
        }
        super::document::decode(d, c).map(Some)
    }
}

/// A signature is a byte string; the center's MAC is one in an array of its own.
mod proof {
    use minicbor::data::Type;
    use minicbor::{Decoder, Encoder};
    use packet::Proof;

    pub(super) fn encode<C, W: minicbor::encode::Write>(
        proof: &Proof,
        e: &mut Encoder<W>,
        _: &mut C,
    ) -> Result<(), minicbor::encode::Error<W::Error>> {
        match proof {
            Proof::Signature(der) => e.bytes(der)?,
            Proof::CenterMac(mac) => e.array(1)?.bytes(mac)?,
        };
        Ok(())
    }

    pub(super) fn decode<C>(
        d: &mut Decoder<'_>,
        _: &mut C,
    ) -> Result<Proof, minicbor::decode::Error> {
        if d.datatype()? == Type::Bytes {
            return Ok(Proof::Signature(d.bytes()?.to_vec()));
        }
        let wrong = || minicbor::decode::Error::message("a center's MAC has 16 bytes");
        match d.array()? {
            Some(1) => d.bytes()?.try_into().map(Proof::CenterMac),
            _ => return Err(wrong()),
        }
        .map_err(|_| wrong())
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
            through in proptest::option::of(any::<u64>()),
            ahead in proptest::option::of(0..5_u64),
        ) {
            let item = |(seq, received_ms, body)| ChangeItem { seq, received_ms, body, mac: [7; 16] };
            let changes: Vec<_> = items.into_iter().map(item).collect();
            let packed: Vec<_> = changes.iter().map(PackedChange::new).collect();
            let document = DocumentId::new(CallId(call), Compartment::Call);
            let through = through.filter(|through| changes.last().is_none_or(|c| c.seq != *through));
            let through = if changes.is_empty() { through.or(Some(3)) } else { through };
            let frame = ChangesFrame { document, changes, ahead, through };
            prop_assume!(frame.through() < u64::MAX - 9);
            let by_hand = encode_changes(document, &packed, frame.through(), frame.position());
            let frame = DownFrame::Changes(frame);
            prop_assert_eq!(&by_hand, &encode(&frame));
            prop_assert_eq!(decode::<DownFrame>(&by_hand).unwrap(), frame);
        }
    }

    #[test]
    fn a_message_is_a_sequence_of_frames() {
        let frames = [UpFrame::Delivered(3), UpFrame::Ping];
        let message: Vec<u8> = frames.iter().flat_map(encode).collect();
        assert_eq!(decode_message::<UpFrame>(&message).unwrap(), frames);
        assert!(decode_message::<UpFrame>(&[]).is_err());
        assert!(decode_message::<UpFrame>(&message[..message.len() - 1]).is_err());
        let many: Vec<u8> = std::iter::repeat_n(encode(&UpFrame::Ping), FRAMES_PER_MESSAGE_MAX + 1)
            .flatten()
            .collect();
        let error = decode_message::<UpFrame>(&many).unwrap_err();
        assert!(matches!(
            error,
            FrameError::OverLimit { what: "frames", .. }
        ));
    }

    #[test]
    fn an_offer_says_which_proof_it_has() {
        for proof in [Proof::Signature(vec![9; 16]), Proof::CenterMac([9; 16])] {
            let offer = UpFrame::Offer(OfferFrame {
                document: DocumentId::new(CallId(1), Compartment::Call),
                body: vec![0, 1],
                proof,
            });
            assert_eq!(decode::<UpFrame>(&encode(&offer)).unwrap(), offer);
        }
    }

    #[test]
    fn the_digest_names_the_log_and_each_document() {
        let document = |call| DocumentId::new(CallId(call), Compartment::Call);
        let both = digest(7, [document(1), document(2)]);
        assert_eq!(both, digest(7, [document(2), document(1)]));
        assert_ne!(both, digest(8, [document(1), document(2)]));
        assert_ne!(both, digest(7, [document(1)]));
    }
}
