//! When a device says that it has something: at once where it counts, together where it
//! does not.

use sync::frame::{UpFrame, decode_message};
use sync::limits::{FRAME_BYTES_TARGET_MIN, REPORT_CALM_BYTES_MAX, REPORT_CALM_MS_MAX};

use crate::network::Network;
use crate::note::{call, safety};

/// An officer with a live call, whose session has been measured once.
fn on_a_call() -> Network {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.center.grant(0, safety(1));
    net.dial(0);
    net.run_ms(2_000);
    net.links[0].messages_up.clear();
    net
}

/// How many reports the device sent.
fn reports(net: &Network) -> usize {
    let frames = |message: &Vec<u8>| decode_message::<UpFrame>(message).unwrap();
    let all = net.links[0].messages_up.iter().flat_map(frames);
    all.filter(|frame| matches!(frame, UpFrame::Delivered(_) | UpFrame::DeliveredLate(_)))
        .count()
}

/// Notes, one every 100 ms.
fn write(net: &mut Network, notes: usize, bytes: usize) -> u64 {
    let mut last = 0;
    for _ in 0..notes {
        last = net.center.write(call(1), bytes);
        net.run_ms(100);
    }
    last
}

#[test]
fn what_comes_one_small_change_at_a_time_is_reported_together_and_soon() {
    let mut net = on_a_call();
    let last = write(&mut net, 10, 60);
    net.run_ms(REPORT_CALM_MS_MAX + 50);
    assert!(reports(&net) <= 4, "{}", reports(&net));
    assert_eq!(net.reported[&(0, call(1))], last);
}

#[test]
fn a_report_says_how_long_it_waited() {
    let mut net = on_a_call();
    write(&mut net, 1, 60);
    net.run_ms(REPORT_CALM_MS_MAX);
    let waited = REPORT_CALM_MS_MAX - 100..=REPORT_CALM_MS_MAX;
    assert!(
        waited.contains(&net.center.held_ms),
        "{}",
        net.center.held_ms
    );
    net.center.write(safety(1), 60);
    net.run_ms(50);
    assert_eq!(net.center.held_ms, 0);
}

#[test]
fn a_caution_is_reported_at_once_and_what_was_held_back_with_it() {
    let mut net = on_a_call();
    let note = write(&mut net, 1, 60);
    assert_eq!(reports(&net), 0);
    let caution = net.center.write(safety(1), 60);
    // There, committed, and back.
    net.run_ms(50);
    assert_eq!(net.reported[&(0, call(1))], note);
    assert_eq!(net.reported[&(0, safety(1))], caution);
}

#[test]
fn what_is_large_is_reported_at_once() {
    let mut net = on_a_call();
    let last = net.center.write(call(1), 2 * REPORT_CALM_BYTES_MAX);
    net.run_ms(50);
    assert_eq!(net.reported[&(0, call(1))], last);
}

#[test]
fn a_report_that_was_held_back_does_not_make_the_link_look_slow() {
    let mut net = on_a_call();
    write(&mut net, 100, 60);
    net.run_ms(REPORT_CALM_MS_MAX);
    net.links[0].messages_down.clear();
    for _ in 0..40 {
        net.center.write(call(1), 400);
    }
    net.run_ms(2_000);
    // How much the center trusts the link with, before it is measured anew: as much as if
    // each note had been reported at once.
    let first = net.links[0].messages_down.first().map(Vec::len);
    assert!(first > Some(FRAME_BYTES_TARGET_MIN), "{first:?}");
}
