use crate::network::Network;
use crate::note::call;
use crate::officer::State;

#[test]
fn a_refused_note_does_not_hold_up_the_ones_behind_it() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.center.grant(0, call(2));
    net.dial(0);
    net.settle();
    net.cut(0);
    let before = net.officers[0].write(call(1), 120, false);
    let refused = net.officers[0].write(call(1), 120, true);
    let behind: Vec<_> = (0..20)
        .map(|_| net.officers[0].write(call(1), 120, false))
        .collect();
    let elsewhere = net.officers[0].write(call(2), 120, false);
    net.dial(0);
    net.settle();
    let officer = &net.officers[0];
    assert_eq!(officer.state(refused), State::Refused);
    for note in behind.into_iter().chain([before, elsewhere]) {
        assert_eq!(officer.state(note), State::AtCenter);
    }
    assert_eq!(
        officer.disk.refusals, 1,
        "answers to what is gone fall away"
    );
    net.check_converged();
}

#[test]
fn refusal_upon_refusal_never_wedges() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    let mut good = Vec::new();
    for round in 0..30 {
        net.officers[0].write(call(1), 120, round % 3 == 0);
        good.push(net.officers[0].write(call(1), 120, false));
        net.run_ms(round * 3);
    }
    net.settle();
    let officer = &net.officers[0];
    assert!(
        good.iter()
            .all(|note| officer.state(*note) == State::AtCenter)
    );
    assert_eq!(officer.disk.refusals, 10);
    net.check_converged();
}

#[test]
fn a_refusal_that_was_lost_on_the_way_is_said_again() {
    let mut net = Network::new(1);
    net.center.grant(0, call(1));
    net.dial(0);
    net.settle();
    let refused = net.officers[0].write(call(1), 120, true);
    let behind = net.officers[0].write(call(1), 120, false);
    // Up, judged, and cut before the answer is down.
    net.run_ms(30);
    net.cut(0);
    assert_eq!(net.officers[0].state(refused), State::OnDevice);
    net.dial(0);
    net.settle();
    assert_eq!(net.officers[0].state(refused), State::Refused);
    assert_eq!(net.officers[0].state(behind), State::AtCenter);
    net.check_converged();
}
