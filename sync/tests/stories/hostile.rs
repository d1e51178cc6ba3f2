use proptest::collection::vec;
use proptest::prelude::*;
use sync::device::{Device, Kept};
use sync::frame::{BlobId, ChangesFrame, DownFrame, decode, decode_hello, encode};
use sync::relay::{Granted, Next, Relay, Standing, Urgency};

use crate::network::Network;
use crate::note::{call, safety};

fn pair() -> (Device, Relay) {
    let mut device = Device::new(Kept::default());
    let hello = device.dial(vec![], 0);
    let granted = [call(1), safety(1)].map(|document| Granted {
        document,
        from: 1,
        last: 5,
        urgency: Urgency::of(document.compartment, true, 1),
    });
    let standing = Standing {
        incarnation: 7,
        head: 5,
        center_now_ms: 0,
        granted: granted.to_vec(),
        ended: vec![],
    };
    let mut relay = Relay::open(&hello, standing, None, 0).unwrap();
    let welcome = loop {
        match relay.next(0) {
            Next::Send(message) => break message,
            Next::Fetch { document, .. } => relay.fetched(document, &[], 5),
            other => panic!("the welcome comes first, not {other:?}"),
        }
    };
    device.message(&welcome, 0).unwrap();
    device.committed();
    (device, relay)
}

/// Neither side panics, whatever it is told; it is asked afterwards what it would do.
fn tell(device: &mut Device, relay: &mut Relay, bytes: &[u8]) {
    let _ = decode_hello(bytes);
    let _ = device.message(bytes, 1);
    device.committed();
    let _ = device.next(1);
    let _ = relay.message(bytes, 1);
    loop {
        match relay.next(1) {
            Next::Fetch { document, .. } => relay.fetched(document, &[], 5),
            Next::FetchChunk { blob, offset, .. } => relay.chunk(blob, offset, vec![7; 9], 20),
            _ => break,
        }
    }
}

/// Every kind of frame, as they cross in a lively session.
fn good_frames() -> Vec<Vec<u8>> {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.center.grant(0, call(2));
    net.dial(0);
    net.settle();
    net.officers[0].write(call(1), 100, false);
    net.officers[0].write(call(1), 100, true);
    net.center.write(call(1), 100);
    net.center.revoke(0, call(2));
    net.officers[0].device.shown(call(1), 2, 3);
    // A note that crosses in parts, an attachment each way, and a hello that disagrees.
    net.officers[0].write(call(1), 9_000, false);
    let (mine, theirs) = (BlobId([1; 32]), BlobId([2; 32]));
    net.officers[0].disk.blobs.insert(mine, vec![1; 3_000]);
    net.center.blobs.insert(theirs, vec![2; 3_000]);
    net.officers[0].device.put(call(1), mine, 3_000);
    net.officers[0].device.want(theirs, 0);
    net.settle();
    net.officers[0].disk.digest ^= 1;
    net.crash(0);
    net.dial(0);
    net.run_ms(100_000);
    let link = &net.links[0];
    [link.messages_up.clone(), link.messages_down.clone()].concat()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_panic_neither_side(frames in vec(vec(any::<u8>(), 0..200), 1..4)) {
        let (mut device, mut relay) = pair();
        for frame in &frames {
            tell(&mut device, &mut relay, frame);
        }
    }

    #[test]
    fn good_frames_with_flaws_panic_neither_side(
        picks in vec((any::<prop::sample::Index>(), vec((any::<prop::sample::Index>(), any::<u8>()), 0..4), any::<prop::sample::Index>(), any::<bool>()), 1..12),
    ) {
        static FRAMES: std::sync::OnceLock<Vec<Vec<u8>>> = std::sync::OnceLock::new();
        let frames = FRAMES.get_or_init(good_frames);
        let (mut device, mut relay) = pair();
        for (which, flips, cut, is_cut) in picks {
            let mut frame = which.get(frames).clone();
            for (at, byte) in flips {
                let at = at.index(frame.len());
                frame[at] = byte;
            }
            if is_cut {
                frame.truncate(cut.index(frame.len()));
            }
            tell(&mut device, &mut relay, &frame);
        }
    }
}

#[test]
fn a_frame_that_claims_much_and_has_little_costs_little() {
    // Arrays and strings of 2^32 and more, in a few bytes.
    for head in [0x9b, 0x5b, 0x7b, 0xbb] {
        let mut frame = vec![0x82, 3, 0x81, 0x82, 0x40, head];
        frame.extend(u64::MAX.to_be_bytes());
        assert!(decode::<DownFrame>(&frame).is_err());
        let mut hello = vec![0x87, 2, 0, 0, 0, 0, 0x40, head];
        hello.extend((1_u64 << 32).to_be_bytes());
        assert!(decode_hello(&hello).is_err());
    }
}

#[test]
fn frames_out_of_turn_are_refused() {
    let (mut device, mut relay) = pair();
    let changes = encode(&DownFrame::Changes(ChangesFrame {
        document: call(99),
        changes: vec![],
        through: Some(1),
        ahead: None,
    }));
    assert!(device.message(&changes, 1).is_err(), "never granted");
    let many = encode(&sync::frame::UpFrame::Delivered(99));
    assert!(relay.message(&many, 1).is_err(), "more than was sent");
    let mut early = Device::new(Kept::default());
    assert!(early.message(&changes, 1).is_err(), "no session");
    early.dial(vec![], 1);
    assert!(early.message(&changes, 1).is_err(), "no welcome");
}
