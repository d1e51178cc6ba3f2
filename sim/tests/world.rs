//! The city in virtual time: twenty seeds, and one of them twice.

#![allow(clippy::unwrap_used)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use forerunner_sim::world::{Stats, run};

const MINUTE_MS: u64 = 60_000;
const SEEDS: u64 = 20;
const THREADS: usize = 2;

#[test]
fn twenty_cities_keep_every_promise_and_come_to_rest() {
    let (next, total) = (AtomicU64::new(1), Mutex::new(Stats::default()));
    let broken = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                loop {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed > SEEDS {
                        return;
                    }
                    match run(seed, 10 * MINUTE_MS) {
                        Ok(run) => *total.lock().unwrap() += run.stats,
                        Err(why) => broken.lock().unwrap().push(why.to_string()),
                    }
                }
            });
        }
    });
    let broken = broken.into_inner().unwrap();
    assert!(broken.is_empty(), "{}", broken.join("\n\n"));
    let total = total.into_inner().unwrap();
    println!("seeds 1 to {SEEDS}: {total}");
    assert!(total.simulated_ms >= SEEDS * 10 * MINUTE_MS);
    // A city in which nothing happens would keep every promise too.
    assert!(total.center_crashes > 0 && total.device_crashes > 0 && total.stores_lost > 0);
    assert!(total.restores > 0 && total.device_restores > 0);
    assert!(total.refused > 0 && total.written > 1_000);
}

#[test]
fn a_seed_has_one_trace_to_the_byte() {
    let [first, second] = [(); 2].map(|()| run(7, 3 * MINUTE_MS).unwrap());
    assert_eq!(
        first.trace.lines().join("\n"),
        second.trace.lines().join("\n")
    );
    assert_eq!(first.trace.digest(), second.trace.digest());
    let other = run(8, 3 * MINUTE_MS).unwrap();
    assert_ne!(first.trace.digest(), other.trace.digest());
}
