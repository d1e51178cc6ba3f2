//! What crosses the link: the hello, the frames of both ways, a packed change.

use std::fmt;

use packet::change::CHANGE_BYTES_MAX;
use sync::codec::{Codec, DICTIONARY_NEWEST, RAW};
use sync::frame::{DownFrame, FrameError, UpFrame, decode, decode_hello, encode};
use sync::limits::FRAME_BYTES_MAX;

/// A hello that is read is written as one that reads the same.
pub(super) fn hello(bytes: &[u8]) {
    if let Ok(hello) = decode_hello(bytes) {
        assert_eq!(decode_hello(&encode(&hello)), Ok(hello));
    }
}

pub(super) fn up_frame(bytes: &[u8]) {
    comes_back(bytes, |bytes| decode::<UpFrame>(bytes), encode);
}

pub(super) fn down_frame(bytes: &[u8]) {
    comes_back(bytes, |bytes| decode::<DownFrame>(bytes), encode);
}

/// Two spellings of a frame may be read alike; the one that we write is read as it was meant.
fn comes_back<T: PartialEq + fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<T, FrameError>,
    write: impl Fn(&T) -> Vec<u8>,
) {
    let Ok(frame) = read(bytes) else {
        return;
    };
    let again = write(&frame);
    // Another spelling can be a byte shorter than ours, at the very limit.
    if again.len() <= FRAME_BYTES_MAX {
        assert_eq!(read(&again), Ok(frame));
    }
}

/// A packed change unpacks to no more than a change may have, and packs again.
pub(super) fn unpack(body: &[u8]) {
    let mut codec = Codec::new().unwrap();
    let Ok(bytes) = codec.unpack(body) else {
        return;
    };
    assert!(bytes.len() <= CHANGE_BYTES_MAX, "{}", bytes.len());
    for dictionary in [RAW, DICTIONARY_NEWEST] {
        let packed = codec.pack(&bytes, dictionary);
        assert!(packed.len() <= bytes.len() + 1);
        assert_eq!(codec.unpack(&packed).as_ref(), Ok(&bytes));
    }
}

pub(super) mod seeds {
    use packet::{CallId, Compartment, DocumentId};
    use sync::frame::{
        AcceptedFrame, Bye, ByeWhy, ChangeItem, ChangesFrame, GrantFrame, Hello, OfferFrame,
        RefusedFrame, SeenFrame, ShownFrame, Through, Welcome,
    };
    use sync::limits::PROTOCOL_VERSION;

    use super::*;
    use crate::fuzz::changes;

    pub(in crate::fuzz) fn hello() -> Vec<Vec<u8>> {
        let through = |call| Through {
            document: DocumentId::new(CallId(call), Compartment::Safety),
            through: call,
        };
        let hello = |exceptions| Hello {
            version: PROTOCOL_VERSION,
            incarnation: 1 << 60,
            position: 300,
            exceptions,
            digest: u64::MAX,
            dictionary: DICTIONARY_NEWEST,
            receipts: 70_000,
            shift: vec![7; 32],
        };
        let many = (0..40).map(through).collect();
        vec![encode(&hello(vec![])), encode(&hello(many))]
    }

    fn document() -> DocumentId {
        DocumentId::new(CallId(99), Compartment::Safety)
    }

    pub(in crate::fuzz) fn up_frame() -> Vec<Vec<u8>> {
        let offer = OfferFrame {
            document: document(),
            body: vec![0; 40],
            signature: vec![0x30; 71],
        };
        let shown = ShownFrame {
            document: document(),
            through: 9,
            at_ms: 1_790_000_000_000,
        };
        let frames = [
            UpFrame::Offer(offer),
            UpFrame::Delivered(4),
            UpFrame::Shown(shown),
            UpFrame::Ping,
            UpFrame::Pong,
        ];
        frames.iter().map(encode).collect()
    }

    pub(in crate::fuzz) fn down_frame() -> Vec<Vec<u8>> {
        let (document, hash) = (document(), packet::ChangeHash([9; 32]));
        let changes = changes::honest().into_iter().zip(1..);
        let changes = changes.map(|(change, seq)| ChangeItem {
            seq,
            received_ms: 1_790_000_000_000,
            body: Codec::new().unwrap().pack(&change, DICTIONARY_NEWEST),
            mac: vec![5; 16],
        });
        let frames = [
            DownFrame::Welcome(Welcome {
                version: PROTOCOL_VERSION,
                incarnation: 1 << 60,
                now_ms: 1_790_000_000_000,
                reset: true,
                dictionary: DICTIONARY_NEWEST,
            }),
            DownFrame::Grant(GrantFrame { document }),
            DownFrame::Revoke(document),
            DownFrame::Changes(ChangesFrame {
                document,
                changes: changes.collect(),
                through: 10,
                position: Some(10),
            }),
            DownFrame::Position(10),
            DownFrame::Accepted(AcceptedFrame {
                hash,
                seq: 11,
                received_ms: 1_790_000_000_000,
            }),
            DownFrame::Refused(RefusedFrame {
                hash,
                code: 3,
                reason: "It cannot be read.".into(),
            }),
            DownFrame::Seen(SeenFrame {
                number: 3,
                document,
                through: 10,
                who: "Ferris (1A2)".into(),
                at_ms: 1_790_000_000_000,
            }),
            DownFrame::Ping,
            DownFrame::Pong,
            DownFrame::Bye(Bye {
                why: ByeWhy::Busy,
                reason: "the center is stopping".into(),
                retry_after_ms: 500,
            }),
        ];
        frames.iter().map(encode).collect()
    }

    pub(in crate::fuzz) fn unpack() -> Vec<Vec<u8>> {
        let mut codec = Codec::new().unwrap();
        let packed = changes::honest()
            .into_iter()
            .flat_map(|change| [RAW, DICTIONARY_NEWEST].map(|by| codec.pack(&change, by)));
        packed.collect()
    }
}
