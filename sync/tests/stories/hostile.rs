use proptest::collection::vec;
use proptest::prelude::*;
use sync::device::{Device, Kept};
use sync::frame::{ChangesFrame, DownFrame, decode, decode_hello, encode};
use sync::relay::{Granted, Next, Relay, Standing, Urgency};

use crate::network::Network;
use crate::note::{call, safety};

fn pair() -> (Device, Relay) {
    let mut device = Device::new(Kept::default()).unwrap();
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
    let mut relay = Relay::open(&hello, standing, 0).unwrap();
    let Next::Send(welcome) = relay.next(0) else {
        panic!("the welcome comes first")
    };
    device.frame(&welcome, 0).unwrap();
    device.committed();
    (device, relay)
}

/// Neither side panics, whatever it is told; it is asked afterwards what it would do.
fn tell(device: &mut Device, relay: &mut Relay, bytes: &[u8]) {
    let _ = decode_hello(bytes);
    let _ = device.frame(bytes, 1);
    device.committed();
    let _ = device.next(1);
    let _ = relay.frame(bytes, 1);
    if let Next::Fetch { document, .. } = relay.next(1) {
        relay.fetched(document, &[], 5, 1);
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
    net.run_ms(100_000);
    let link = &net.links[0];
    [link.frames_up.clone(), link.frames_down.clone()].concat()
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
        let mut frame = vec![0x82, 3, 0x81, 0xa1, 1, head];
        frame.extend(u64::MAX.to_be_bytes());
        assert!(decode::<DownFrame>(&frame).is_err());
        let mut hello = vec![0xa1, 3, head];
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
        through: 1,
        position: None,
    }));
    assert!(device.frame(&changes, 1).is_err(), "never granted");
    let many = encode(&sync::frame::UpFrame::Delivered(99));
    assert!(relay.frame(&many, 1).is_err(), "more than was sent");
    let mut early = Device::new(Kept::default()).unwrap();
    assert!(early.frame(&changes, 1).is_err(), "no session");
    early.dial(vec![], 1);
    assert!(early.frame(&changes, 1).is_err(), "no welcome");
}
