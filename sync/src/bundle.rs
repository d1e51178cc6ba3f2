//! Small changes of several documents as one frame, for a slow link.
//!
//! A change is packed once for all who receive it, each by itself, and so pays for itself:
//! what zstd needs around it, a head, words that the one before it had too. That is right
//! where two hundred devices hear the same. Behind 9,600 bit/s, where twenty notes of as
//! many calls are two seconds, it is not: there the briefs of a message are packed
//! together, and what stands beside them is told by how it differs from the one before.

use packet::DocumentId;

use crate::at_most;
use crate::codec::{self, Unpacked};
use crate::frame::{
    BundleFrame, Bundled, ChangeItem, ChangesFrame, DownFrame, FrameError, decode, decode_message,
};
use crate::limits::CHANGES_PER_FRAME_MAX;
use crate::relay::PackedChange;

/// What a change takes in a bundle beside its brief: document, `seq`, time and MAC.
const BESIDE_BYTES: usize = 32;

/// The changes that wait to be sent together.
#[derive(Debug, Default)]
pub(crate) struct Bundle {
    changes: Vec<Bundled>,
    /// Of the last change: document, `seq` and time of receipt.
    last: Option<(DocumentId, u64, i64)>,
    /// Each as a byte string, one after the other.
    briefs: Vec<u8>,
    bytes: usize,
}

impl Bundle {
    /// About as many bytes as it will take, or more.
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    /// Takes all of these changes, or none: where one has no brief, or they are too many.
    pub(crate) fn take_in(&mut self, document: DocumentId, changes: &[PackedChange]) -> bool {
        let read: Option<Vec<_>> = changes.iter().map(with_brief).collect();
        let Some(read) = read else { return false };
        let briefs_bytes: usize = read.iter().map(|(_, brief)| brief.len() + 3).sum();
        if self.changes.len() + read.len() > CHANGES_PER_FRAME_MAX
            || self.briefs.len() + briefs_bytes > packet::change::CHANGE_BYTES_MAX
        {
            return false;
        }
        for (item, brief) in read {
            self.bytes += BESIDE_BYTES + item.body.len();
            self.push(document, &item, &brief);
        }
        true
    }

    fn push(&mut self, document: DocumentId, item: &ChangeItem, brief: &[u8]) {
        let (of, seq, received_ms) = match self.last {
            Some((of, seq, received_ms)) => (Some(of), seq, received_ms),
            None => (None, 0, BundleFrame::EPOCH_MS),
        };
        self.changes.push(Bundled {
            document: (of != Some(document)).then_some(document),
            seq: item.seq.wrapping_sub(seq).cast_signed(),
            received_ms: item.received_ms.wrapping_sub(received_ms),
            mac: item.mac,
        });
        self.last = Some((document, item.seq, item.received_ms));
        let mut e = minicbor::Encoder::new(&mut self.briefs);
        // Writing into a `Vec` cannot fail.
        let _ = e.bytes(brief);
    }

    /// The frame; `None` where nothing waits. `position`: see [`ChangesFrame::ahead`].
    pub(crate) fn take_frame(&mut self, position: Option<u64>) -> Option<BundleFrame> {
        let bundle = std::mem::take(self);
        let (_, last, _) = bundle.last?;
        Some(BundleFrame {
            changes: bundle.changes,
            briefs: codec::pack_together(&bundle.briefs),
            ahead: position.map(|position| position.saturating_sub(last)),
        })
    }
}

fn with_brief(change: &PackedChange) -> Option<(ChangeItem, Vec<u8>)> {
    let item: ChangeItem = decode(change.encoded()).ok()?;
    match codec::unpack(&item.body).ok()? {
        Unpacked::Brief(brief) => Some((item, brief)),
        Unpacked::Change(_) => None,
    }
}

/// The frames that a bundle stands for.
pub(crate) fn open(bundle: BundleFrame) -> Result<Vec<ChangesFrame>, FrameError> {
    at_most("changes", bundle.changes.len(), CHANGES_PER_FRAME_MAX)?;
    let wrong = |what: &str| FrameError::Malformed(what.to_owned());
    let Unpacked::Brief(briefs) = codec::unpack(&bundle.briefs)? else {
        return Err(wrong("a bundle has briefs"));
    };
    let mut decoder = minicbor::Decoder::new(&briefs);
    let mut frames: Vec<ChangesFrame> = Vec::new();
    let (mut document, mut seq, mut received_ms) = (None, 0_u64, BundleFrame::EPOCH_MS);
    for change in bundle.changes {
        let brief = decoder.bytes().map_err(|e| wrong(&e.to_string()))?;
        document = change.document.or(document);
        seq = seq.wrapping_add_signed(change.seq);
        received_ms = received_ms.wrapping_add(change.received_ms);
        frames.push(ChangesFrame {
            document: document.ok_or_else(|| wrong("a change of no document"))?,
            changes: vec![ChangeItem {
                seq,
                received_ms,
                mac: change.mac,
                body: codec::plain_brief(brief),
            }],
            ahead: None,
            through: None,
        });
    }
    if decoder.position() != briefs.len() {
        return Err(wrong("briefs are left over"));
    }
    let last = frames.last_mut().ok_or_else(|| wrong("an empty bundle"))?;
    last.ahead = bundle.ahead;
    Ok(frames)
}

/// The frames of a message to a device, in their order; a bundle as what it stands for.
///
/// # Errors
/// As [`decode_message`].
pub fn decode_down(bytes: &[u8]) -> Result<Vec<DownFrame>, FrameError> {
    let mut frames = Vec::new();
    for frame in decode_message(bytes)? {
        match frame {
            DownFrame::Bundle(bundle) => {
                frames.extend(open(bundle)?.into_iter().map(DownFrame::Changes));
            }
            frame => frames.push(frame),
        }
    }
    Ok(frames)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::collections::HashMap;

    use packet::{Actor, CallId, Compartment, Document, Draft, Entry, Lineage, Written};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;
    use crate::brief::{self, Place};
    use crate::frame::encode;

    fn document(call: u64) -> DocumentId {
        DocumentId::new(CallId(call), Compartment::Call)
    }

    fn item(seq: u64, received_ms: i64, brief: &[u8]) -> ChangeItem {
        ChangeItem {
            seq,
            received_ms,
            mac: [u8::try_from(seq % 251).unwrap(); 16],
            body: codec::pack_brief(brief).unwrap(),
        }
    }

    proptest! {
        #[test]
        fn what_is_bundled_comes_out_as_it_went_in(
            changes in vec((0..4_u64, any::<u64>(), any::<i64>(), vec(any::<u8>(), 0..80)), 1..40),
            ahead in proptest::option::of(0..5_u64),
        ) {
            let mut bundle = Bundle::default();
            for (call, seq, ms, brief) in &changes {
                let packed = [PackedChange::new(&item(*seq, *ms, brief))];
                prop_assert!(bundle.take_in(document(*call), &packed));
            }
            let last = changes.last().unwrap().1;
            prop_assume!(last < u64::MAX - 9);
            let frame = DownFrame::Bundle(bundle.take_frame(ahead.map(|by| last + by)).unwrap());
            let frames = decode_down(&encode(&frame)).unwrap();
            prop_assert_eq!(frames.len(), changes.len());
            for ((call, seq, ms, brief), frame) in changes.iter().zip(&frames) {
                let DownFrame::Changes(frame) = frame else { panic!("{frame:?}") };
                prop_assert_eq!(frame.document, document(*call));
                let found = &frame.changes[0];
                prop_assert_eq!((found.seq, found.received_ms), (*seq, *ms));
                prop_assert_eq!(found.mac, item(*seq, *ms, brief).mac);
                prop_assert_eq!(codec::unpack(&found.body), Ok(Unpacked::Brief(brief.clone())));
            }
            let DownFrame::Changes(frame) = frames.last().unwrap() else { panic!() };
            prop_assert_eq!(frame.ahead, ahead);
        }
    }

    #[test]
    fn a_change_that_goes_whole_is_not_bundled() {
        let whole = ChangeItem {
            body: codec::pack(b"a change", codec::DICTIONARY_NEWEST),
            ..item(1, 2, b"")
        };
        let mut bundle = Bundle::default();
        assert!(!bundle.take_in(document(1), &[PackedChange::new(&whole)]));
        assert_eq!(bundle.take_frame(None), None);
    }

    #[test]
    fn a_bundle_that_lacks_something_is_refused() {
        let mut bundle = Bundle::default();
        let two = [item(1, 2, b"one"), item(2, 3, b"two")].map(|item| PackedChange::new(&item));
        assert!(bundle.take_in(document(1), &two));
        let good = bundle.take_frame(None).unwrap();
        assert_eq!(open(good.clone()).unwrap().len(), 2);
        let refused = |change: fn(&mut BundleFrame)| {
            let mut bad = good.clone();
            change(&mut bad);
            open(bad).is_err()
        };
        assert!(refused(|bad| bad.changes[0].document = None));
        assert!(refused(|bad| bad.changes.truncate(1)));
        assert!(refused(|bad| bad.changes.push(bad.changes[1].clone())));
        assert!(refused(|bad| bad.changes.clear()));
        assert!(refused(|bad| bad.briefs = codec::pack(b"x", codec::RAW)));
        assert!(refused(|bad| {
            bad.changes = vec![bad.changes[0].clone(); CHANGES_PER_FRAME_MAX + 1];
            bad.briefs = codec::pack_together(&[0x40; CHANGES_PER_FRAME_MAX + 1]);
        }));
    }

    /// Notes as officers write them, near enough: words of a small language, a plate each.
    fn note(random: &mut fastrand::Rng) -> Entry {
        const WORDS: &str = "the a on at in north south east west side door back alley car sedan \
            silver black white red blue male female subject wearing hoodie jacket running last seen \
            near store street avenue fence gate yard dog loud plate partial registered to owner says \
            no weapon seen knife possible witness on scene advises units hold perimeter camera shows \
            two males leaving toward park garage second floor apartment caller hung up callback";
        let words: Vec<&str> = WORDS.split_whitespace().collect();
        let mut text: Vec<String> = Vec::new();
        while text.iter().map(String::len).sum::<usize>() < 90 {
            text.push(words[random.usize(..words.len())].to_owned());
        }
        text.push(format!(
            "{:03}-{:04}",
            random.u32(..1_000),
            random.u32(..10_000)
        ));
        let by =
            ["A. Ferris (4A12)", "J. Okafor (1B2)", "an analyst"][random.usize(..3)].to_owned();
        let text = text.join(" ");
        Entry::Note(packet::Note { text, by })
    }

    /// What a snapshot would have to bring beside Automerge's saved document: of each change
    /// the MAC, without which it could not be given back, its `seq` and its time.
    const BESIDE_SNAPSHOT_BYTES: usize = 16 + 2 + 4;

    /// Why there are no snapshots: up to hundreds of entries the changes are smaller, and for
    /// thousands, which no call has, a snapshot would save a tenth.
    #[test]
    fn the_changes_of_a_document_are_no_larger_than_the_document_as_automerge_saves_it() {
        for count in [20, 200, 2_000] {
            let mut random = fastrand::Rng::with_seed(7);
            let (mut lineage, mut places) = (Lineage::default(), HashMap::new());
            let mut log = Vec::new();
            let (mut bundle, mut delta_bytes, mut each_bytes) = (Bundle::default(), 0, 0);
            for seq in 1..=count {
                let actor = Actor([random.u8(..6); 8]);
                let basis = lineage.basis(actor);
                let received_ms = 1_800_000_000_000 + i64::try_from(seq).unwrap() * 31_007;
                let composed = packet::compose(&Draft {
                    actor,
                    number: basis.number,
                    deps: basis.deps,
                    start_op: basis.start_op,
                    time_ms: received_ms - random.i64(20..900),
                    written: &Written {
                        entry: note(&mut random),
                        clock_off_ms: Some(random.i64(-900..900)),
                        instead: None,
                    },
                })
                .unwrap();
                let change = packet::inspect(&composed.bytes).unwrap();
                lineage.add(change.hash, change.id, change.max_op);
                let standing: Vec<_> = change.deps.iter().map(|dep| places[dep]).collect();
                let brief = brief::abridge(&change, Place { seq, received_ms }, &standing).unwrap();
                places.insert(change.hash, (seq, change.id));
                let mut mac = [0; 16];
                mac.copy_from_slice(&change.hash.0[..16]);
                let body = codec::pack_brief(&brief).unwrap();
                let packed = PackedChange::new(&ChangeItem {
                    seq,
                    received_ms,
                    mac,
                    body,
                });
                each_bytes += packed.encoded().len();
                if !bundle.take_in(document(1), std::slice::from_ref(&packed)) {
                    delta_bytes +=
                        encode(&DownFrame::Bundle(bundle.take_frame(None).unwrap())).len();
                    assert!(bundle.take_in(document(1), &[packed]));
                }
                log.push((change, composed.bytes));
            }
            delta_bytes += encode(&DownFrame::Bundle(bundle.take_frame(None).unwrap())).len();
            let log = log
                .iter()
                .map(|(change, bytes)| (change.clone(), bytes.as_slice()));
            let save_bytes = Document::from_changes(log).unwrap().save().len();
            let snapshot_bytes =
                save_bytes + usize::try_from(count).unwrap() * BESIDE_SNAPSHOT_BYTES;
            println!(
                "{count} notes: {each_bytes} bytes each by itself, {delta_bytes} bundled, \
                 {snapshot_bytes} as a snapshot ({save_bytes} of them Automerge's)"
            );
            let most_bytes = match count {
                ..=200 => snapshot_bytes,
                _ => snapshot_bytes * 10 / 9,
            };
            assert!(
                delta_bytes < most_bytes,
                "{delta_bytes} of {snapshot_bytes}"
            );
        }
    }
}
