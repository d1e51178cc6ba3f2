//! The real center and the real device, WebSocket, TLS and SQLite among them, over a
//! network that loses, holds and delays what it likes.
//!
//! Simulated: the network, and every timer and clock that a session or a device goes by.
//! Real: SQLite on files with its threads, TLS's randomness, the wall clock (certificates
//! end by it). So a seed says what goes wrong when, and not each byte. Simulated time
//! waits for the log's thread after each step, and tokio's clock for all other threads: a
//! slow disk makes these tests slower and nothing else.
//!
//! `FORERUNNER_SEED` says which storms.

#![allow(clippy::unwrap_used)]

#[path = "turmoil/officer.rs"]
mod officer;
#[path = "turmoil/world.rs"]
mod world;

use std::time::Duration;

use world::{Fault, Story, World};

const STORMS: u64 = 20;

#[test]
fn a_catch_up_that_a_partition_cuts_goes_on_where_it_was() {
    let mut world = World::new(1);
    world.run(Story {
        // What may be under way goes by the link as the handshake shows it: on a far one,
        // what was missed comes in many messages, and not at once.
        faults: vec![(Duration::ZERO, Fault::Far, Duration::from_secs(600))],
        writing: Duration::from_secs(10),
        cut_catch_up: true,
    });
    world.judge();
}

#[test]
fn what_a_link_held_back_comes_after_all() {
    let mut world = World::new(2);
    world.run(Story {
        faults: vec![
            (Duration::from_secs(8), Fault::Hold, Duration::from_secs(12)),
            (
                Duration::from_secs(40),
                Fault::Hold,
                Duration::from_secs(100),
            ),
        ],
        writing: Duration::from_secs(60),
        cut_catch_up: false,
    });
    world.judge();
}

#[test]
fn a_center_that_crashes_and_comes_back_has_all_that_it_acknowledged() {
    let mut world = World::new(3);
    let second = Duration::from_secs;
    let crash = |at| (second(at), Fault::CenterCrash, Duration::from_millis(700));
    world.run(Story {
        faults: (1..8).map(|n| crash(7 * n)).collect(),
        writing: second(60),
        cut_catch_up: false,
    });
    world.judge();
}

#[test]
fn twenty_storms_lose_and_double_nothing_and_end_in_agreement() {
    let seed = std::env::var("FORERUNNER_SEED").ok();
    let seed = seed.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    for storm in 0..STORMS {
        let seed = seed.wrapping_add(storm);
        println!("turmoil: seed {seed}");
        let mut world = World::new(seed);
        world.run(Story::storm(seed));
        world.judge();
    }
}
