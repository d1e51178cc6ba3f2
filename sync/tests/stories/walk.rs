//! A seeded random walk over everything that can happen, checked at every step
//! (positions, reports of delivery) and at the end (all is where it belongs).

use fastrand::Rng;
use packet::DocumentId;

use crate::network::Network;
use crate::note::{call, safety};

const SEEDS: u64 = 400;
const STEPS: usize = 250;
const OFFICERS: usize = 3;

fn document(rng: &mut Rng, calls: u64) -> DocumentId {
    let number = rng.u64(..calls);
    if rng.u8(..4) == 0 {
        safety(number)
    } else {
        call(number)
    }
}

fn step(net: &mut Network, rng: &mut Rng, calls: u64) {
    let officer = rng.usize(..OFFICERS);
    let document = document(rng, calls);
    match rng.u8(..100) {
        0..20 => {
            net.center.write(document, rng.usize(80..500));
        }
        20..38 => {
            let granted: Vec<_> = net.officers[officer]
                .disk
                .documents
                .keys()
                .copied()
                .collect();
            if !granted.is_empty() {
                let document = granted[rng.usize(..granted.len())];
                let forbidden = rng.u8(..8) == 0;
                net.officers[officer].write(document, rng.usize(60..300), forbidden);
            }
        }
        38..52 => net.center.grant(officer, document),
        52..58 => net.center.revoke(officer, document),
        58..62 => net.cut(officer),
        62..72 => net.dial(officer),
        72..76 => net.crash(officer),
        76..80 => {
            let link = &mut net.links[officer];
            link.bytes_per_s = [300, 1_200, 20_000, 10_000_000][rng.usize(..4)];
            link.latency_ms = [1, 20, 300][rng.usize(..3)];
            link.commit_ms = [0, 5, 400][rng.usize(..3)];
        }
        80..96 => net.run_ms(rng.u64(1..400)),
        _ => net.run_ms(rng.u64(1..8_000)),
    }
    net.pump();
}

fn walk(seed: u64) {
    let mut rng = Rng::with_seed(seed);
    // Now and then so many documents that a hello cannot list them.
    let is_crowded = seed.is_multiple_of(8);
    let calls = if is_crowded { 150 } else { 6 };
    let mut net = Network::new(OFFICERS);
    if is_crowded {
        (0..calls).for_each(|number| net.center.grant(0, call(number)));
    }
    for _ in 0..STEPS {
        step(&mut net, &mut rng, calls);
    }
    net.check_converged();
    for officer in &net.officers {
        let disk = &officer.disk;
        assert!(disk.resets <= 1, "{} resets without a cause", disk.resets);
    }
}

#[test]
fn whatever_happens_nothing_is_lost_doubled_or_left_behind() {
    for seed in 0..SEEDS {
        if let Err(panic) = std::panic::catch_unwind(|| walk(seed)) {
            eprintln!("seed {seed}");
            std::panic::resume_unwind(panic);
        }
    }
}
