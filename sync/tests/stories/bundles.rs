//! What a slow link changes in how a message is put together.

use std::collections::BTreeMap;

use packet::{Compartment, DocumentId};
use sync::Handshake;
use sync::codec::{DICTIONARY_NEWEST, Unpacked, pack, pack_brief};
use sync::device::{Device, Kept, Store};
use sync::frame::{ChangeItem, DownFrame, decode_message, digest};
use sync::relay::{Granted, Next, PackedChange, Relay, Standing, Urgency};

use crate::note::call;

const CALLS: u64 = 20;
/// Where the device stands; the change that it missed of a call is this and the call's number.
const POSITION: u64 = 1_000;
/// As it is for a resumed handshake at 9,600 bit/s, and in a room.
const SLOW: Handshake = Handshake {
    bytes: 600,
    ms: 1_600,
};
const FAST: Handshake = Handshake { bytes: 600, ms: 5 };

fn brief(number: u64) -> Vec<u8> {
    format!("silver sedan seen {number} blocks north, partial plate, two occupants").into()
}

fn item(number: u64) -> ChangeItem {
    ChangeItem {
        seq: POSITION + number,
        received_ms: 1_800_000_000_000 + number.cast_signed() * 700,
        mac: [7; 16],
        body: pack_brief(&brief(number)).unwrap(),
    }
}

struct Told {
    messages: Vec<Vec<u8>>,
    device: Device,
    store: Vec<Store>,
}

/// A device that missed one note in each of its calls; the last call is the most urgent.
fn catch_up(handshake: Handshake, item: impl Fn(u64) -> ChangeItem) -> Told {
    let documents: Vec<DocumentId> = (1..=CALLS).map(call).collect();
    let mut device = Device::new(Kept {
        incarnation: 7,
        position: POSITION,
        digest: digest(7, documents.iter().copied()),
        documents: documents.iter().map(|document| (*document, None)).collect(),
        ..Kept::default()
    });
    let granted = (1..=CALLS).map(|number| Granted {
        document: call(number),
        from: 1,
        last: POSITION + number,
        urgency: Urgency::of(Compartment::Call, number == CALLS, 3),
    });
    let standing = Standing {
        incarnation: 7,
        head: POSITION + CALLS,
        center_now_ms: 0,
        granted: granted.collect(),
        ended: vec![],
    };
    let hello = device.dial(vec![1; 16], 0);
    let mut relay = Relay::open(&hello, standing, Some(handshake), 0).unwrap();
    let (mut messages, mut store) = (Vec::new(), Vec::new());
    loop {
        match relay.next(10) {
            Next::Send(message) => {
                store.extend(device.message(&message, 20).unwrap().store);
                messages.push(message);
            }
            Next::Fetch { document, .. } => {
                let number = (1..=CALLS)
                    .find(|number| call(*number) == document)
                    .unwrap();
                let change = PackedChange::new(&item(number));
                relay.fetched(document, &[change], POSITION + number);
            }
            Next::Wait { .. } => break,
            other => panic!("{other:?}"),
        }
    }
    Told {
        messages,
        device,
        store,
    }
}

fn frames(message: &[u8]) -> Vec<DownFrame> {
    decode_message(message).unwrap()
}

fn bytes(told: &Told) -> usize {
    told.messages.iter().map(Vec::len).sum()
}

/// What came, by document.
fn came(told: &Told) -> BTreeMap<DocumentId, (u64, Unpacked)> {
    let mut came = BTreeMap::new();
    for store in &told.store {
        if let Store::Changes {
            document,
            changes,
            through,
        } = store
        {
            assert_eq!(changes[0].seq, *through);
            came.insert(*document, (*through, changes[0].body.clone()));
        }
    }
    came
}

#[test]
fn what_comes_in_bundles_over_a_slow_link_is_what_comes_over_a_fast_one() {
    let (slow, fast) = (catch_up(SLOW, item), catch_up(FAST, item));
    let wanted: BTreeMap<_, _> = (1..=CALLS)
        .map(|number| {
            let body = Unpacked::Brief(brief(number));
            (call(number), (POSITION + number, body))
        })
        .collect();
    assert_eq!((came(&slow), came(&fast)), (wanted.clone(), wanted));
    for told in [&slow, &fast] {
        let position = told.store.iter().rev().find_map(|store| match store {
            Store::Position { position, .. } => Some(*position),
            _ => None,
        });
        assert_eq!(position, Some(POSITION + CALLS));
        assert!(told.device.is_welcomed());
    }
    let bundled = |told: &Told| {
        let all = told.messages.iter().flat_map(|message| frames(message));
        all.filter(|frame| matches!(frame, DownFrame::Bundle(_)))
            .count()
    };
    assert!(bundled(&slow) > 1);
    assert_eq!(bundled(&fast), 0, "packed once for all who receive it");
    assert!(
        bytes(&slow) < bytes(&fast) * 3 / 4,
        "{} of {}",
        bytes(&slow),
        bytes(&fast)
    );
}

#[test]
fn on_a_slow_link_the_most_urgent_that_was_missed_goes_ahead_alone() {
    let slow = catch_up(SLOW, item);
    let first = frames(&slow.messages[0]);
    let [DownFrame::Welcome(_), DownFrame::Bundle(bundle)] = &first[..] else {
        panic!("{first:?}")
    };
    assert_eq!(bundle.changes.len(), 1);
    assert_eq!(bundle.changes[0].document, Some(call(CALLS)));
    let second = frames(&slow.messages[1]);
    let [DownFrame::Bundle(bundle)] = &second[..] else {
        panic!("{second:?}")
    };
    assert!(bundle.changes.len() > 2, "{bundle:?}");
    let fast = catch_up(FAST, item);
    assert_eq!(fast.messages.len(), 1, "nothing is gained by it there");
}

#[test]
fn a_change_that_has_no_brief_is_sent_as_ever() {
    let whole = |number| ChangeItem {
        body: pack(b"as good as a change", DICTIONARY_NEWEST),
        ..item(number)
    };
    let mixed = |number| {
        if number % 3 == 0 {
            whole(number)
        } else {
            item(number)
        }
    };
    let told = catch_up(SLOW, mixed);
    let order: Vec<u64> = came(&told).into_values().map(|(seq, _)| seq).collect();
    assert_eq!(order.len() as u64, CALLS);
    let all = told.messages.iter().flat_map(|message| frames(message));
    let plain = all.filter(|frame| matches!(frame, DownFrame::Changes(_)));
    assert_eq!(plain.count() as u64, CALLS / 3);
    let last = told.store.last();
    assert!(matches!(last, Some(Store::Position { .. })), "{last:?}");
}
