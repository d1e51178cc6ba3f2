use sync::limits::WINDOW_MS;

use crate::network::Network;
use crate::note::{call, safety};

/// How long a caution takes that is written in the middle of a long transfer.
fn caution_ms(bytes_per_s: u64, commit_ms: u64) -> (u64, u64) {
    let mut net = Network::new(1);
    let link = &mut net.links[0];
    (link.bytes_per_s, link.latency_ms, link.commit_ms) = (bytes_per_s, 100, commit_ms);
    // Last of all, were it not for its urgency.
    net.center.grant(0, safety(99));
    for number in 1..40 {
        net.center.grant(0, call(number));
        for _ in 0..20 {
            net.center.write(call(number), 400);
        }
    }
    net.dial(0);
    net.run_ms(30_000);
    let written = net.center.write(safety(99), 150);
    let (written_ms, bytes_before) = (net.now_ms, net.links[0].bytes_down);
    let hash = net.center.logged(written).note.hash;
    let has = |net: &Network| {
        let held = &net.officers[0].disk.documents[&safety(99)];
        held.changes.contains_key(&hash)
    };
    while !has(&net) {
        net.run_ms(50);
        assert!(net.now_ms < written_ms + 60_000);
    }
    assert!(
        net.officers[0].disk.position < net.center.head(),
        "the transfer goes on"
    );
    (
        net.now_ms - written_ms,
        net.links[0].bytes_down - bytes_before,
    )
}

#[test]
fn a_caution_passes_a_transfer_on_a_slow_link_within_the_window() {
    // Under way are at most the window, one frame that was chosen before, the
    // caution itself, and what the device takes to commit.
    let (ms, _) = caution_ms(1_200, 20);
    assert!(ms <= 2 * WINDOW_MS + 600, "{ms} ms");
}

#[test]
fn commits_that_take_long_and_come_in_a_bunch_do_not_hold_a_caution_up() {
    let (ms, _) = caution_ms(1_200, 900);
    assert!(ms <= 3 * WINDOW_MS, "{ms} ms");
}

#[test]
fn after_a_caution_is_written_it_is_the_next_to_be_sent() {
    let mut net = Network::new(1);
    net.links[0].bytes_per_s = 1_200;
    net.center.grant(0, call(1));
    net.center.grant(0, safety(2));
    for _ in 0..100 {
        net.center.write(call(1), 400);
    }
    net.dial(0);
    net.run_ms(10_000);
    net.center.write(safety(2), 150);
    net.links[0].frames_down.clear();
    net.run_ms(3_000);
    let first = sync::frame::decode(&net.links[0].frames_down[0]).unwrap();
    let sync::frame::DownFrame::Changes(first) = first else {
        panic!("{first:?}")
    };
    assert_eq!(first.document, safety(2));
}

#[test]
fn a_caution_that_an_officer_writes_goes_before_the_notes_that_wait() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.center.grant(0, safety(1));
    net.dial(0);
    net.settle();
    net.cut(0);
    for _ in 0..40 {
        net.officers[0].write(call(1), 300, false);
    }
    net.officers[0].write(safety(1), 150, false);
    net.dial(0);
    net.settle();
    let seqs = net.center.seqs(safety(1));
    let first_note = net.center.seqs(call(1))[1];
    assert!(
        *seqs.last().unwrap() < first_note,
        "the caution is logged first"
    );
}
