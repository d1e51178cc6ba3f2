use packet::ChangeHash;
use sync::device::{Device, Kept, Next};
use sync::frame::{ByeWhy, SeenFrame};
use sync::limits::{PROTOCOL_VERSION, QUIET_MS_MAX, SILENCE_MS_MAX};
use sync::relay::{self, Relay, Standing};

use crate::network::Network;
use crate::note::call;

fn nothing_granted() -> Standing {
    Standing {
        incarnation: 7,
        head: 0,
        center_now_ms: 0,
        granted: vec![],
        ended: vec![],
    }
}

#[test]
fn pings_keep_a_quiet_link() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.run_ms(10 * SILENCE_MS_MAX);
    assert!(net.links[0].up);
    let frames = net.links[0].messages_down.len();
    assert!(frames < 80, "few frames keep it: {frames}");
    net.center.write(call(1), 100);
    net.settle();
    assert_eq!(net.officers[0].count(call(1)), 2);
}

#[test]
fn silence_ends_the_session_on_both_sides() {
    let mut device = Device::new(Kept::default());
    let hello = device.dial(vec![], 0);
    let mut relay = Relay::open(&hello, nothing_granted(), None, 0).unwrap();
    let mut asked = 0;
    let mut now_ms = 0;
    while now_ms < SILENCE_MS_MAX {
        match device.next(now_ms) {
            Next::Send(_) => asked += 1,
            Next::Wait { until_ms } => now_ms = until_ms,
            other => panic!("too early, at {now_ms}: {other:?}"),
        }
    }
    assert_eq!(asked, 1, "one ping, after {QUIET_MS_MAX} ms");
    assert_eq!(device.next(now_ms), Next::Dead);
    let relay::Next::Send(_) = relay.next(0) else {
        panic!("the welcome")
    };
    while let relay::Next::Send(_) = relay.next(QUIET_MS_MAX) {}
    assert_eq!(relay.next(SILENCE_MS_MAX), relay::Next::Over);
}

#[test]
fn another_version_gets_a_bye_that_names_both() {
    let mut device = Device::new(Kept::default());
    let mut hello = device.dial(vec![], 0);
    hello.version = 99;
    let bye = Relay::open(&hello, nothing_granted(), None, 0).unwrap_err();
    assert_eq!(bye.why, ByeWhy::Version);
    assert!(bye.reason.contains("99"));
    assert!(bye.reason.contains(&PROTOCOL_VERSION.to_string()));
    let frame = sync::frame::encode(&sync::frame::DownFrame::Bye(bye.clone()));
    assert_eq!(device.message(&frame, 1).unwrap().bye, Some(bye));
}

#[test]
fn a_session_that_is_closed_says_why_and_is_over() {
    let mut device = Device::new(Kept::default());
    let hello = device.dial(vec![], 0);
    let mut relay = Relay::open(&hello, nothing_granted(), None, 0).unwrap();
    relay.close(ByeWhy::Busy, "the disk is full", 5_000);
    let mut byes = Vec::new();
    while let relay::Next::Send(frame) = relay.next(0) {
        byes.extend(device.message(&frame, 0).unwrap().bye);
    }
    assert_eq!(relay.next(0), relay::Next::Over);
    assert_eq!(byes[0].reason, "the disk is full");
    assert_eq!(byes[0].retry_after_ms, 5_000);
}

#[test]
fn what_was_read_offline_is_shown_at_the_center_later_and_seen_comes_back() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.cut(0);
    net.officers[0].device.shown(call(1), 1, 5);
    net.officers[0].device.shown(call(2), 1, 5);
    net.dial(0);
    net.settle();
    assert_eq!(net.center.shown, [(0, call(1), 1)]);
    let seen = |number| SeenFrame {
        number,
        document: call(1),
        through: 1,
        who: format!("analyst {number}"),
        at_ms: 9,
    };
    let relay = net.center.sessions.get_mut(&0).unwrap();
    relay.seen(seen(4));
    relay.seen(seen(5));
    net.settle();
    assert_eq!(net.officers[0].seen, ["analyst 4", "analyst 5"]);
    assert_eq!(net.officers[0].disk.receipts, 5);
}

#[test]
fn a_device_that_reports_nothing_as_delivered_gets_a_bounded_number_of_frames() {
    let mut device = Device::new(Kept::default());
    let hello = device.dial(vec![], 0);
    let mut relay = Relay::open(&hello, nothing_granted(), None, 0).unwrap();
    let ping = sync::frame::encode(&sync::frame::UpFrame::Ping);
    let mut frames = 0;
    for _ in 0..20_000 {
        relay.message(&ping, 0).unwrap();
        relay.refused(sync::frame::RefusedFrame {
            hash: ChangeHash([0; 32]),
            code: 1,
            reason: String::new(),
        });
        while let relay::Next::Send(_) = relay.next(0) {
            frames += 1;
        }
        if !relay.takes_frames() {
            break;
        }
    }
    assert!(!relay.takes_frames(), "nothing more is read from it");
    assert!(frames <= sync::limits::MESSAGES_UNDER_WAY_MAX, "{frames}");
}
