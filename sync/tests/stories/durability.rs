use sync::device::{Device, Kept, Next};
use sync::frame::{DownFrame, UpFrame, decode, encode};

use crate::network::Network;
use crate::note::call;
use crate::officer::State;

#[test]
fn a_note_whose_answer_was_lost_is_accepted_again_and_logged_once() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    let note = net.officers[0].write(call(1), 120, false);
    net.run_ms(30);
    assert_eq!(net.center.seqs(call(1)).len(), 2, "it is in the log");
    net.cut(0);
    assert_eq!(net.officers[0].state(note), State::OnDevice);
    net.dial(0);
    net.settle();
    assert_eq!(net.officers[0].state(note), State::AtCenter);
    assert_eq!(net.center.seqs(call(1)).len(), 2);
    net.check_converged();
}

#[test]
fn nothing_is_reported_delivered_before_the_devices_commit() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.links[0].commit_ms = 500;
    net.center.write(call(1), 120);
    // `check_delivered` holds every report against the disk as it is at that time.
    net.run_ms(200);
    assert!(
        !net.officers[0].uncommitted.is_empty(),
        "received, not committed"
    );
    net.crash(0);
    assert_eq!(net.officers[0].count(call(1)), 1);
    net.dial(0);
    net.settle();
    assert_eq!(net.officers[0].count(call(1)), 2);
    net.check_converged();
}

#[test]
fn an_answer_that_was_received_and_not_committed_comes_again() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.links[0].commit_ms = 500;
    let note = net.officers[0].write(call(1), 120, false);
    net.run_ms(100);
    net.crash(0);
    assert_eq!(net.officers[0].state(note), State::OnDevice);
    net.check_converged();
    assert_eq!(net.officers[0].state(note), State::AtCenter);
}

#[test]
fn a_frame_that_could_not_be_taken_is_not_reported_as_delivered() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    // The changes, without the grant that comes before them.
    let mut frames = net.links[0].frames_down();
    frames.retain(|frame| !matches!(frame, DownFrame::Grant(_)));
    let mut device = Device::new(Kept::default());
    device.dial(vec![], 0);
    device.message(&encode(&frames[0]), 0).unwrap();
    assert!(device.message(&encode(&frames[1]), 0).is_err());
    device.committed();
    let Next::Send(frame) = device.next(0) else {
        panic!("delivered")
    };
    assert_eq!(decode::<UpFrame>(&frame).unwrap(), UpFrame::Delivered(1));
}
