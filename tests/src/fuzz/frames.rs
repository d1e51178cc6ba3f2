//! What crosses the link: the hello, the frames of both ways, a packed change.

use std::fmt;

use packet::change::CHANGE_BYTES_MAX;
use packet::{Proof, inspect};
use sync::brief::{Place, restore};
use sync::codec::{DICTIONARY_NEWEST, RAW, Unpacked, pack, pack_brief, unpack as open};
use sync::decode_down;
use sync::frame::{DownFrame, FrameError, UpFrame, decode_hello, decode_message, encode};
use sync::limits::FRAME_BYTES_MAX;

use super::changes;

/// A hello that is read is written as one that reads the same.
pub(super) fn hello(bytes: &[u8]) {
    if let Ok(hello) = decode_hello(bytes) {
        assert_eq!(decode_hello(&encode(&hello)), Ok(hello));
    }
}

pub(super) fn up_frames(bytes: &[u8]) {
    come_back(bytes, |bytes| decode_message::<UpFrame>(bytes), encode);
}

pub(super) fn down_frames(bytes: &[u8]) {
    come_back(bytes, |bytes| decode_message::<DownFrame>(bytes), encode);
    let _ = decode_down(bytes);
}

/// Two spellings of a frame may be read alike; the one that we write is read as it was meant.
fn come_back<T: PartialEq + fmt::Debug>(
    bytes: &[u8],
    read: impl Fn(&[u8]) -> Result<Vec<T>, FrameError>,
    write: impl Fn(&T) -> Vec<u8>,
) {
    let Ok(frames) = read(bytes) else {
        return;
    };
    let again: Vec<u8> = frames.iter().flat_map(write).collect();
    // Another spelling can be a byte shorter than ours, at the very limit.
    if again.len() <= FRAME_BYTES_MAX {
        assert_eq!(read(&again), Ok(frames));
    }
}

/// A packed change unpacks to no more than a change may have, and packs again; one that
/// is written anew from its brief can be taken.
pub(super) fn unpack(body: &[u8]) {
    match open(body) {
        Ok(Unpacked::Change(bytes)) => {
            assert!(bytes.len() <= CHANGE_BYTES_MAX, "{}", bytes.len());
            for dictionary in [RAW, DICTIONARY_NEWEST] {
                let packed = pack(&bytes, dictionary);
                assert!(packed.len() <= bytes.len() + 1);
                assert_eq!(open(&packed), Ok(Unpacked::Change(bytes.clone())));
            }
        }
        Ok(Unpacked::Brief(brief)) => {
            let packed = pack_brief(&brief).unwrap();
            assert_eq!(open(&packed), Ok(Unpacked::Brief(brief.clone())));
            let place = Place {
                seq: changes::NEXT_SEQ,
                received_ms: changes::NOW_MS,
            };
            if let Ok(change) = restore(&brief, place, changes::standing) {
                assert_eq!(inspect(&change.bytes).unwrap().hash, change.hash);
            }
        }
        Err(_) => {}
    }
}

pub(super) mod seeds {
    use packet::{CallId, Compartment, DocumentId};
    use sync::frame::{
        AcceptedFrame, Agreement, BlobId, BundleFrame, Bundled, Bye, ByeWhy, ChangeItem,
        ChangesFrame, ChunkFrame, GrantFrame, HaveFrame, Hello, LateFrame, Lease, OfferFrame,
        PartFrame, PutFrame, RefusedFrame, SeenFrame, ShownFrame, Through, WantFrame, Welcome,
    };
    use sync::limits::PROTOCOL_VERSION;

    use super::*;

    pub(in crate::fuzz) fn hello() -> Vec<Vec<u8>> {
        let through = |call| Through {
            document: DocumentId::new(CallId(call), Compartment::Safety),
            through: call,
        };
        let hello = |exceptions| Hello {
            version: PROTOCOL_VERSION,
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

    const BLOB: BlobId = BlobId([4; 32]);

    fn chunk() -> ChunkFrame {
        ChunkFrame {
            blob: BLOB,
            offset: 9,
            total: 10_000,
            bytes: vec![2; 30],
        }
    }

    fn one_by_one_and_all(frames: Vec<Vec<u8>>) -> Vec<Vec<u8>> {
        let all = frames.concat();
        [frames, vec![all]].concat()
    }

    fn document() -> DocumentId {
        DocumentId::new(CallId(99), Compartment::Safety)
    }

    pub(in crate::fuzz) fn up_frames() -> Vec<Vec<u8>> {
        let offer = OfferFrame {
            document: document(),
            body: vec![0; 40],
            proof: Proof::Signature(vec![0x30; 71]),
        };
        let shown = ShownFrame {
            document: document(),
            through: 9,
            at_ms: 1_790_000_000_000,
        };
        let through = Through {
            document: document(),
            through: 9,
        };
        let part = |last| PartFrame {
            lane: 1,
            last,
            bytes: vec![1; 20],
        };
        let frames = [
            UpFrame::Offer(offer),
            UpFrame::Delivered(4),
            UpFrame::DeliveredLate(LateFrame {
                messages: 4,
                held_ms: 500,
            }),
            UpFrame::Shown(shown),
            UpFrame::Ping,
            UpFrame::Pong,
            UpFrame::Heads(vec![through; 3]),
            UpFrame::Part(part(false)),
            UpFrame::Part(part(true)),
            UpFrame::Want(WantFrame {
                blob: BLOB,
                offset: 9,
            }),
            UpFrame::Unwant(BLOB),
            UpFrame::Put(PutFrame {
                document: document(),
                blob: BLOB,
                bytes: 10_000,
            }),
            UpFrame::Chunk(chunk()),
        ];
        one_by_one_and_all(frames.iter().map(encode).collect())
    }

    fn bundle() -> BundleFrame {
        let mut briefs = changes::honest_briefs();
        // A byte string with one byte of length (RFC 8949, 3.1).
        briefs.retain(|brief| (24..256).contains(&brief.len()));
        let bundled = |of| Bundled {
            document: of,
            seq: 3,
            received_ms: 1_000,
            mac: [5; 16],
        };
        let mut changes = vec![bundled(None); briefs.len()];
        changes[0] = bundled(Some(document()));
        let strings = briefs.iter().flat_map(|brief| {
            let head = [0x58, u8::try_from(brief.len()).unwrap()];
            head.into_iter().chain(brief.iter().copied())
        });
        BundleFrame {
            changes,
            briefs: pack_brief(&strings.collect::<Vec<u8>>()).unwrap(),
            ahead: Some(2),
        }
    }

    pub(in crate::fuzz) fn down_frames() -> Vec<Vec<u8>> {
        let (document, hash) = (document(), packet::ChangeHash([9; 32]));
        let changes = changes::honest().into_iter().zip(1..);
        let changes = changes.map(|(change, seq)| ChangeItem {
            seq,
            received_ms: 1_790_000_000_000,
            body: pack(&change, DICTIONARY_NEWEST),
            mac: [5; 16],
        });
        let frames = [
            DownFrame::Welcome(Welcome {
                incarnation: 1 << 60,
                now_ms: 1_790_000_000_000,
                agreement: Agreement::Compare,
                dictionary: DICTIONARY_NEWEST,
                leases: Some(vec![Lease {
                    agency: "mallory-so".into(),
                    compartment: 3,
                    minutes: 60,
                }]),
            }),
            DownFrame::Grant(GrantFrame { document }),
            DownFrame::Revoke(document),
            DownFrame::Changes(ChangesFrame {
                document,
                changes: changes.collect(),
                ahead: Some(3),
                through: Some(12),
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
            DownFrame::Part(PartFrame {
                lane: 1,
                last: true,
                bytes: vec![1; 20],
            }),
            DownFrame::Chunk(chunk()),
            DownFrame::Have(HaveFrame {
                blob: BLOB,
                bytes: 9,
                refused: Some("It is too large.".into()),
            }),
            DownFrame::Got,
            DownFrame::Bundle(bundle()),
        ];
        one_by_one_and_all(frames.iter().map(encode).collect())
    }

    pub(in crate::fuzz) fn unpack() -> Vec<Vec<u8>> {
        let honest = changes::honest().into_iter();
        let packed = honest.flat_map(|change| [RAW, DICTIONARY_NEWEST].map(|by| pack(&change, by)));
        let briefs = changes::honest_briefs().into_iter();
        packed
            .chain(briefs.filter_map(|brief| pack_brief(&brief)))
            .collect()
    }
}
