//! That the most urgent goes first is what the figures stand on: without it they fall.

#![allow(clippy::unwrap_used)]

#[path = "common/arrivals.rs"]
mod common;

use common::{because_of, easy, live};
use packet::sabotage::{Sabotage, turn_on};

/// Sources that take hardly more questions than are asked.
const PER_MINUTE: u32 = 1;

#[test]
fn with_priorities_ignored_fewer_of_the_urgent_calls_have_everything() {
    let mut model = easy();
    for source in &mut model.sources {
        source.per_minute_max = PER_MINUTE;
    }
    let urgent = |sabotage| {
        turn_on(sabotage);
        let report = live(1, model.clone());
        turn_on(None);
        report.priorities["priority_1"].clone()
    };
    let (good, broken) = (urgent(None), urgent(Some(Sabotage::IgnorePriority)));
    println!(
        "of {} calls of priority 1: {} with everything, {} when the least urgent goes first",
        good.calls,
        good.everything_asked_answered_and_there,
        broken.everything_asked_answered_and_there
    );
    assert!(good.calls > 10);
    assert!(broken.everything_asked_answered_and_there < good.everything_asked_answered_and_there);
    assert!(because_of(&broken, "source") > because_of(&good, "source"));
}
