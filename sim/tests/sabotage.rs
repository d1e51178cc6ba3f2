//! Each promise broken once, on purpose: the city has to find out.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use forerunner_sim::world::{Invariant, run};
use packet::sabotage::{Sabotage, turn_on};

const RUN_MS: u64 = 10 * 60_000;
/// A sabotage that this many cities do not notice is not noticed.
const SEEDS_MAX: u64 = 12;
const THREADS: usize = 2;

/// How a sabotage was found out.
struct Caught {
    sabotage: Sabotage,
    by: Invariant,
    what: String,
    seed: u64,
    /// Over all seeds until then.
    simulated_ms: u64,
}

fn catch(sabotage: Sabotage) -> Option<Caught> {
    turn_on(Some(sabotage));
    let mut simulated_ms = 0;
    let caught = (1..=SEEDS_MAX).find_map(|seed| match run(seed, RUN_MS) {
        Ok(run) => {
            simulated_ms += run.stats.simulated_ms;
            None
        }
        Err(broken) => {
            // A world that does not work has found nothing out.
            assert_ne!(broken.invariant, Invariant::World, "{sabotage:?}: {broken}");
            Some(Caught {
                sabotage,
                by: broken.invariant,
                what: broken.what,
                seed,
                simulated_ms: simulated_ms + broken.at_ms,
            })
        }
    });
    turn_on(None);
    caught
}

#[test]
fn every_sabotage_is_found_out() {
    let (next, found) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                while let Some(sabotage) = Sabotage::ALL.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let caught = catch(*sabotage);
                    found.lock().unwrap().push((*sabotage, caught));
                }
            });
        }
    });
    let found = found.into_inner().unwrap();
    println!(
        "{:<24} {:<30} {:>10} {:>5}  what was seen",
        "sabotage", "caught by", "after", "seed"
    );
    for sabotage in Sabotage::ALL {
        let caught = found.iter().find(|(other, _)| *other == sabotage);
        match caught.and_then(|(_, caught)| caught.as_ref()) {
            Some(caught) => println!(
                "{:<24} {:<30} {:>8} s {:>5}  {}",
                format!("{:?}", caught.sabotage),
                caught.by.to_string(),
                caught.simulated_ms / 1_000,
                caught.seed,
                caught.what
            ),
            None => println!(
                "{:<24} NOT CAUGHT in {SEEDS_MAX} seeds",
                format!("{sabotage:?}")
            ),
        }
    }
    let missed: Vec<Sabotage> = found
        .iter()
        .filter(|(_, caught)| caught.is_none())
        .map(|(sabotage, _)| *sabotage)
        .collect();
    assert!(missed.is_empty(), "nobody noticed {missed:?}");
}
