use sync::device::{Device, Kept};
use sync::frame::{Through, UpFrame, encode};
use sync::relay::{Granted, Next, Relay, Standing, Urgency};

use crate::network::Network;
use crate::note::{call, safety};
use crate::officer::State;

#[test]
fn a_late_grant_brings_the_documents_history() {
    let mut net = Network::new(2);
    net.center.grant(0, call(1));
    for _ in 0..30 {
        net.center.write(call(1), 300);
    }
    net.center.grant(1, call(2));
    net.dial(1);
    net.settle();
    assert!(!net.officers[1].has(call(1)));
    net.center.grant(1, call(1));
    net.settle();
    assert_eq!(net.officers[1].count(call(1)), 32);
    assert_eq!(net.officers[1].disk.position, net.center.head());
    net.check_converged();
    assert_eq!(net.officers[1].disk.resets, 1, "only the very first hello");
    assert_eq!(net.officers[1].disk.came_again, 0);
}

#[test]
fn a_history_that_was_cut_off_goes_on_where_it_stopped() {
    let mut net = Network::new(1);
    net.center.grant(0, safety(9));
    net.dial(0);
    net.settle();
    net.links[0].bytes_per_s = 1_200;
    for _ in 0..60 {
        net.center.write(call(1), 300);
    }
    net.center.grant(0, call(1));
    net.run_ms(6_000);
    net.cut(0);
    net.run_ms(100);
    let part = net.officers[0].count(call(1));
    assert!((5..55).contains(&part), "cut in the middle: {part}");
    net.center.write(call(1), 300);
    net.dial(0);
    net.settle();
    assert_eq!(net.officers[0].disk.came_again, 0, "nothing was sent twice");
    net.check_converged();
    assert_eq!(net.officers[0].disk.resets, 1);
}

#[test]
fn what_is_revoked_leaves_the_device_and_what_is_unsent_stays() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.center.grant(0, call(2));
    net.dial(0);
    net.settle();
    net.cut(0);
    let note = net.officers[0].write(call(1), 3_000, false);
    net.center.revoke(0, call(1));
    // The revoke is down before the note is up.
    net.links[0].bytes_per_s = 1_200;
    net.dial(0);
    net.run_ms(1_000);
    assert!(!net.officers[0].has(call(1)));
    assert!(net.officers[0].has(call(2)));
    assert_eq!(net.officers[0].state(note), State::OnDevice);
    net.crash(0);
    assert_eq!(net.officers[0].disk.outbox.len(), 1);
    net.check_converged();
    assert_eq!(net.officers[0].state(note), State::AtCenter);
    assert_eq!(net.officers[0].disk.resets, 1);
}

#[test]
fn a_document_that_is_granted_again_comes_whole_with_my_own_notes_of_this_session() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.officers[0].write(call(1), 120, false);
    net.settle();
    net.center.revoke(0, call(1));
    net.settle();
    assert!(!net.officers[0].has(call(1)));
    net.center.grant(0, call(1));
    net.settle();
    let in_log = net.center.seqs(call(1)).len();
    assert_eq!(net.officers[0].count(call(1)), in_log);
    net.check_converged();
}

#[test]
fn what_was_written_between_two_grants_comes_though_the_first_ones_end_was_never_told() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.center.grant_anew_untold(0, call(1));
    net.settle();
    let in_log = net.center.seqs(call(1)).len();
    assert_eq!(net.officers[0].count(call(1)), in_log);
    net.check_converged();
}

#[test]
fn revoked_and_granted_again_while_away_is_one_grant() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.cut(0);
    net.center.revoke(0, call(1));
    net.center.write(call(1), 100);
    net.center.grant(0, call(1));
    net.center.grant(0, call(2));
    net.center.revoke(0, call(2));
    net.check_converged();
    assert_eq!(net.officers[0].disk.resets, 1);
}

#[test]
fn a_log_that_was_restored_resets_the_device_and_nothing_unsent_is_lost() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.center.grant(0, call(2));
    net.dial(0);
    net.settle();
    net.cut(0);
    let note = net.officers[0].write(call(1), 100, false);
    net.center.incarnation = 8;
    net.center.grants.retain(|g| g.document != call(2));
    net.check_converged();
    assert_eq!(net.officers[0].disk.resets, 2);
    assert_eq!(net.officers[0].state(note), State::AtCenter);
    assert!(!net.officers[0].has(call(2)));
    assert_eq!(net.officers[0].disk.came_again, 2, "known by their hashes");
}

#[test]
fn a_restored_log_that_is_empty_takes_the_old_documents_away() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.center = crate::center::Center::new();
    net.center.incarnation = 8;
    net.dial(0);
    net.settle();
    assert!(net.officers[0].disk.documents.is_empty());
}

#[test]
fn another_unit_means_another_set_of_documents() {
    let mut net = Network::new(1);
    for number in 0..6 {
        net.center.grant(0, call(number));
    }
    net.dial(0);
    net.settle();
    net.cut(0);
    // Signed on with another unit: its grants are as old as the ones before.
    for grant in &mut net.center.grants {
        grant.document = call(grant.document.call.0 + 3);
    }
    net.check_converged();
    assert!(!net.officers[0].has(call(0)));
    let disk = &net.officers[0].disk;
    assert_eq!((disk.resets, disk.came_again), (1, 0), "they compared");
}

#[test]
fn a_cut_in_the_middle_of_a_reset_takes_nothing_that_is_granted_and_leaves_nothing_that_is_not() {
    let mut net = Network::new(1);
    for number in 0..20 {
        net.center.grant(0, call(number));
        for _ in 0..5 {
            net.center.write(call(number), 300);
        }
    }
    net.dial(0);
    net.settle();
    net.center.incarnation = 8;
    net.center.revoke(0, call(3));
    net.links[0].bytes_per_s = 1_200;
    net.dial(0);
    net.run_ms(8_000);
    net.cut(0);
    net.run_ms(10);
    assert_eq!(net.officers[0].disk.position, 0, "in the middle of it");
    net.check_converged();
    assert_eq!(
        net.officers[0].disk.resets, 2,
        "the reset went on, no third"
    );
}

#[test]
fn more_documents_apart_than_a_hello_lists_still_converge() {
    let mut net = Network::new(1);
    net.center.grant(0, safety(999));
    for number in 0..150 {
        net.center.grant(0, call(1_000 + number));
    }
    net.dial(0);
    net.settle();
    net.links[0].bytes_per_s = 20_000;
    for number in 0..150 {
        for _ in 0..4 {
            net.center.write(call(1_000 + number), 300);
        }
        net.center.grant(0, call(number));
    }
    net.run_ms(8_000);
    net.cut(0);
    net.run_ms(100);
    let apart = net.officers[0].disk.documents.values();
    let apart = apart.filter(|held| held.apart.is_some()).count();
    assert!(apart > 64, "{apart}");
    // Some that it has, and cannot list, are taken from it meanwhile.
    assert!(net.officers[0].has(call(149)));
    for number in 0..150 {
        net.center.revoke(0, call(number));
    }
    net.check_converged();
    assert_eq!(net.officers[0].disk.resets, 1);
    assert!(
        net.officers[0].disk.came_again > 0,
        "what was not listed came again"
    );
}

#[test]
fn a_grant_that_ends_while_the_center_reads_the_standing_is_no_disagreement() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    net.cut(0);
    // The grant is in the list that was read first, its end in the one read after.
    let grant = net.center.grants[0];
    net.center.grants.push(crate::center::GrantRecord {
        to: Some(grant.from + 1),
        ..grant
    });
    net.dial(0);
    net.settle();
    assert_eq!(net.officers[0].disk.resets, 1, "only the very first hello");
}

#[test]
fn a_digest_that_does_not_match_costs_one_more_round_trip_and_no_change_twice() {
    let mut net = Network::new(1);
    net.links[0].latency_ms = 100;
    for number in 0..50 {
        net.center.grant(0, call(number));
    }
    net.dial(0);
    net.settle();
    net.officers[0].disk.digest ^= 1;
    net.crash(0);
    net.center.write(call(7), 200);
    net.center.revoke(0, call(8));
    net.center.grant(0, call(90));
    let dialed_ms = net.now_ms;
    net.dial(0);
    net.settle();
    assert!(net.now_ms - dialed_ms < 700, "{}", net.now_ms - dialed_ms);
    assert!(!net.officers[0].has(call(8)));
    let disk = &net.officers[0].disk;
    assert_eq!((disk.resets, disk.came_again), (1, 0));
    net.check_converged();
}

#[test]
fn heads_that_the_log_does_not_reach_are_not_believed() {
    let granted = Granted {
        document: call(1),
        from: 1,
        last: 5,
        urgency: Urgency::of(call(1).compartment, true, 3),
    };
    let standing = Standing {
        incarnation: 7,
        head: 5,
        center_now_ms: 0,
        granted: vec![granted],
        ended: vec![],
    };
    // A log whose end was lost, without anybody telling it so.
    let mut device = Device::new(Kept {
        position: 15,
        ..Kept::default()
    });
    let hello = device.dial(vec![], 0);
    let mut relay = Relay::open(&hello, standing, None, 0).unwrap();
    let Next::Send(_) = relay.next(0) else {
        panic!("the welcome")
    };
    assert!(
        matches!(relay.next(0), Next::Wait { .. }),
        "it waits for the heads"
    );
    let heads = UpFrame::Heads(vec![Through {
        document: call(1),
        through: 15,
    }]);
    relay.message(&encode(&heads), 0).unwrap();
    let Next::Fetch {
        document, after, ..
    } = relay.next(0)
    else {
        panic!("the document")
    };
    assert_eq!((document, after), (call(1), 0));
    assert!(relay.message(&encode(&heads), 0).is_err(), "asked once");
}

#[test]
fn signed_on_as_another_unit_and_back_before_a_position_was_told_is_no_agreement() {
    let mut net = Network::new(1);
    for number in 0..4 {
        net.center.grant(0, call(number));
    }
    net.dial(0);
    net.settle();
    net.cut(0);
    // Another unit's documents: the two compare, and what is not that unit's goes.
    let mine = net.center.grants.clone();
    for grant in &mut net.center.grants {
        grant.document = call(grant.document.call.0 + 10);
    }
    for _ in 0..30 {
        net.center.write(call(10), 400);
    }
    net.links[0].bytes_per_s = 1_200;
    net.dial(0);
    net.run_ms(3_000);
    assert!(!net.officers[0].has(call(1)), "it has gone");
    net.cut(0);
    assert!(net.officers[0].disk.position < net.center.head());
    net.center.grants = mine;
    net.crash(0);
    net.check_converged();
}

#[test]
fn a_document_that_has_to_come_anew_is_said_however_many_others_are_apart() {
    let ahead = (1..200).map(|number| (call(number), Some(900)));
    let kept = Kept {
        incarnation: 7,
        position: 500,
        documents: ahead.chain([(call(1_000), Some(0))]).collect(),
        ..Kept::default()
    };
    let hello = Device::new(kept).dial(Vec::new(), 0);
    let anew = Through {
        document: call(1_000),
        through: 0,
    };
    assert!(hello.exceptions.contains(&anew));
}
