use sync::frame::{DownFrame, UpFrame, decode_message};

use crate::network::Network;
use crate::note::call;

#[test]
fn what_was_missed_comes_in_one_round_trip() {
    let mut net = Network::new(1);
    net.links[0].latency_ms = 200;
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.cut(0);
    for _ in 0..8 {
        net.center.write(call(1), 150);
    }
    net.officers[0].write(call(1), 150, false);
    net.links[0].commit_ms = 0;
    let dialed_ms = net.now_ms;
    net.dial(0);
    net.run_ms(402);
    assert_eq!(net.officers[0].count(call(1)), 10);
    assert_eq!(
        net.officers[0].disk.outbox,
        [],
        "the outbox went with the hello"
    );
    assert_eq!(net.officers[0].disk.position, net.center.head());
    assert_eq!(net.now_ms - dialed_ms, 402, "one round trip of 400 ms");
}

#[test]
fn a_hundred_documents_with_twenty_missed_changes_need_no_question() {
    let mut net = Network::new(1);
    net.links[0].latency_ms = 100;
    for number in 0..100 {
        net.center.grant(0, call(number));
    }
    net.dial(0);
    net.settle();
    net.cut(0);
    for _ in 0..20 {
        for number in 0..100 {
            net.center.write(call(number), 150);
        }
    }
    net.links[0].messages_up.clear();
    net.links[0].messages_down.clear();
    let dialed_ms = net.now_ms;
    net.dial(0);
    net.settle();
    assert!((0..100).all(|number| net.officers[0].count(call(number)) == 21));
    assert_eq!(net.officers[0].disk.position, net.center.head());
    assert_eq!(net.officers[0].disk.came_again, 0);
    // After the hello the device says nothing but that it has what came.
    for message in &net.links[0].messages_up[1..] {
        for frame in decode_message(message).unwrap() {
            assert!(matches!(frame, UpFrame::Delivered(_)), "{frame:?}");
        }
    }
    let frames = net.links[0].frames_down();
    let asks = frames
        .iter()
        .filter(|frame| !matches!(frame, DownFrame::Welcome(_) | DownFrame::Changes(_)));
    assert_eq!(asks.count(), 0, "the position rides on the last changes");
    // The window starts small, for the slowest links, and opens once a round trip.
    let round_trips = (net.now_ms - dialed_ms).div_ceil(200);
    assert!(round_trips <= 5, "{round_trips}");
}

#[test]
fn a_session_that_missed_nothing_costs_one_frame_each_way() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.cut(0);
    net.links[0].messages_up.clear();
    net.links[0].messages_down.clear();
    net.dial(0);
    net.settle();
    assert_eq!(net.links[0].messages_down.len(), 1, "the welcome");
    assert_eq!(
        net.links[0].messages_up.len(),
        2,
        "the hello, and delivered"
    );
}

#[test]
fn a_slow_device_costs_the_center_nothing_that_grows() {
    let mut net = Network::new(1);
    net.links[0].bytes_per_s = 50;
    net.center.grant(0, call(1));
    net.dial(0);
    net.run_ms(60_000);
    for _ in 0..20 {
        net.center.write(call(1), 400);
    }
    net.pump();
    let bytes = |net: &Network| format!("{:?}", net.center.sessions[&0]).len();
    let few = bytes(&net);
    for _ in 0..5_000 {
        net.center.write(call(1), 400);
        net.pump();
    }
    // The relay's whole state, printed: it holds no change and no list of changes.
    assert!(bytes(&net) < few + 64, "{} after {few}", bytes(&net));
}
