use packet::Compartment;
use sync::frame::{BlobId, DownFrame};
use sync::limits::WINDOW_MS;
use sync::relay::Urgency;

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
    net.links[0].messages_down.clear();
    net.run_ms(3_000);
    let frames = net.links[0].frames_down();
    let sync::frame::DownFrame::Changes(first) = &frames[0] else {
        panic!("{frames:?}")
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

#[test]
fn a_caution_passes_a_long_note_that_is_half_sent() {
    for down in [true, false] {
        let mut net = Network::new(1);
        net.center.grant(0, call(1));
        net.center.grant(0, safety(1));
        net.dial(0);
        net.settle();
        net.links[0].bytes_per_s = 1_200;
        // So that both sides know how slow it is.
        for _ in 0..12 {
            net.center.write(call(1), 400);
            net.officers[0].write(call(1), 400, false);
        }
        net.settle();
        let count = |net: &Network| net.center.seqs(safety(1)).len();
        let (written_ms, before) = (net.now_ms + 2_000, count(&net));
        if down {
            net.center.write(call(1), 12_000);
            net.run_ms(2_000);
            net.center.write(safety(1), 150);
        } else {
            net.officers[0].write(call(1), 12_000, false);
            net.run_ms(2_000);
            net.officers[0].write(safety(1), 150, false);
        }
        let has_caution = |net: &Network| match down {
            true => net.officers[0].count(safety(1)) > before,
            false => count(net) > before,
        };
        while !has_caution(&net) {
            net.run_ms(50);
            assert!(net.now_ms < written_ms + 60_000);
        }
        let took_ms = net.now_ms - written_ms;
        assert!(took_ms <= 2 * WINDOW_MS + 600, "{took_ms} ms, down: {down}");
        let is_whole = match down {
            true => net.center.seqs(call(1)).len() == net.officers[0].count(call(1)),
            false => net.officers[0].disk.outbox.is_empty(),
        };
        assert!(!is_whole, "the long note is still on its way");
        net.check_converged();
    }
}

#[test]
fn a_call_that_becomes_urgent_passes_those_that_waited_before_it() {
    let mut net = Network::new(1);
    net.links[0].bytes_per_s = 1_200;
    for number in 1..20 {
        net.center.grant(0, call(number));
        for _ in 0..10 {
            net.center.write(call(number), 400);
        }
    }
    net.dial(0);
    net.run_ms(5_000);
    let relay = net.center.sessions.get_mut(&0).unwrap();
    relay.urgency(call(19), Urgency::of(Compartment::Call, true, 1));
    net.links[0].messages_down.clear();
    net.run_ms(4_000);
    let last = net.links[0].frames_down().pop();
    let Some(DownFrame::Changes(changes)) = last else {
        panic!("{last:?}")
    };
    assert_eq!(changes.document, call(19));
}

#[test]
fn a_caution_passes_an_image_and_the_image_goes_on_where_it_was_cut() {
    let mut net = Network::new(1);
    net.center.grant(0, safety(1));
    net.dial(0);
    net.settle();
    net.links[0].bytes_per_s = 1_200;
    let (mine, theirs) = (BlobId([1; 32]), BlobId([2; 32]));
    let image: Vec<u8> = (0..40_000_u32).map(|n| (n * 7) as u8).collect();
    net.officers[0].disk.blobs.insert(mine, image.clone());
    net.center.blobs.insert(theirs, image.clone());
    let ask = |net: &mut Network| {
        let here = net.officers[0].disk.blobs.get(&theirs).map_or(0, Vec::len);
        net.officers[0].device.put(safety(1), mine, 40_000);
        net.officers[0].device.want(theirs, here as u64);
    };
    ask(&mut net);
    net.run_ms(15_000);
    let (written_ms, hash) = (net.now_ms, net.center.write(safety(1), 150));
    let hash = net.center.logged(hash).note.hash;
    while !net.officers[0].disk.documents[&safety(1)]
        .changes
        .contains_key(&hash)
    {
        net.run_ms(50);
        assert!(net.now_ms < written_ms + 60_000);
    }
    let took_ms = net.now_ms - written_ms;
    assert!(took_ms <= 2 * WINDOW_MS + 600, "{took_ms} ms");
    net.cut(0);
    net.run_ms(100);
    let here = net.officers[0].disk.blobs[&theirs].len();
    let there = net.center.blobs[&mine].len();
    assert!(here > 5_000 && here < 40_000, "{here}");
    assert!(there > 5_000 && there < 40_000, "{there}");
    let before = net.links[0].bytes_down;
    net.dial(0);
    ask(&mut net);
    net.settle();
    assert_eq!(net.officers[0].disk.blobs[&theirs], image);
    assert_eq!(net.center.blobs[&mine], image);
    assert_eq!(net.officers[0].disk.sent[&mine], 40_000);
    let again = net.links[0].bytes_down - before;
    assert!(
        again < (40_000 - here as u64) * 3 / 2 + 4_000,
        "{again} after {here}"
    );
    net.check_converged();
}
