//! A unit's way to a call: along one axis of the street grid, then along the other, and when
//! it passes from one kind of link to another.

use fastrand::Rng;

use super::map::{CELL_M, Coverage, Place};
use super::model::{CALM_KMH, SPEED_SIGMA, TURNOUT_MEDIAN_S, TURNOUT_SIGMA, URGENT_KMH};
use crate::chance::log_normal;
use crate::stage::network::Network;

/// Steps of a way; a longer one is walked in longer steps.
const STEPS_MAX: usize = 4_096;

/// A way and its links.
#[derive(Debug)]
pub(super) struct Way {
    pub(super) arrives_ms: u64,
    /// From then on this link, the first from where the unit stands.
    pub(super) links: Vec<(u64, Option<Network>)>,
    pub(super) moving_ms: u64,
    /// Of the time from the assignment to the arrival, that without a link.
    pub(super) dead_ms: u64,
}

/// How a unit gets from one place to another, from the moment it is told to.
pub(super) fn way(
    coverage: &Coverage,
    (from, to): (Place, Place),
    is_urgent: bool,
    told_ms: u64,
    rng: &mut Rng,
) -> Way {
    let turnout_s = log_normal(rng, TURNOUT_MEDIAN_S, TURNOUT_SIGMA).clamp(3.0, 180.0);
    let mean_kmh = if is_urgent { URGENT_KMH } else { CALM_KMH };
    // The mean of what is drawn is that of the model.
    let median_kmh = mean_kmh / (SPEED_SIGMA * SPEED_SIGMA / 2.0).exp();
    let kmh = log_normal(rng, median_kmh, SPEED_SIGMA).clamp(8.0, 110.0);
    let corner = if rng.bool() {
        Place { x: to.x, y: from.y }
    } else {
        Place { x: from.x, y: to.y }
    };
    let length_m = from.way_m(to);
    let leaves_ms = told_ms + milliseconds(turnout_s);
    let at_m = |m: f64| leaves_ms + milliseconds(m / (kmh / 3.6));
    let mut links: Vec<(u64, Option<Network>)> = Vec::new();
    let mut add = |at_ms: u64, link: Option<Network>| {
        if links.last().is_none_or(|(_, last)| *last != link) {
            links.push((at_ms, link));
        }
    };
    add(told_ms, coverage.at(from));
    // Twice a square: no link is passed over.
    let steps = count(length_m / (CELL_M / 2.0)).clamp(1, STEPS_MAX);
    for step in 1..=steps {
        #[allow(clippy::cast_precision_loss)] // a few thousand
        let m = length_m * step as f64 / steps as f64;
        add(at_m(m), coverage.at(along(from, corner, to, m)));
    }
    let arrives_ms = at_m(length_m);
    let ends = links.iter().skip(1).map(|(at, _)| *at).chain([arrives_ms]);
    let dead_ms = links
        .iter()
        .zip(ends)
        .filter(|((_, link), _)| link.is_none())
        .map(|((at, _), end)| end - at)
        .sum();
    Way {
        arrives_ms,
        moving_ms: arrives_ms - leaves_ms,
        dead_ms,
        links,
    }
}

/// The place so many metres along the way.
fn along(from: Place, corner: Place, to: Place, m: f64) -> Place {
    let first_m = from.way_m(corner);
    let (start, end, m) = if m < first_m {
        (from, corner, m)
    } else {
        (corner, to, m - first_m)
    };
    let leg_m = start.way_m(end);
    let part = if leg_m > 0.0 {
        (m / leg_m).min(1.0)
    } else {
        1.0
    };
    Place {
        x: start.x + (end.x - start.x) * part,
        y: start.y + (end.y - start.y) * part,
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // seconds of a drive
pub(super) fn milliseconds(s: f64) -> u64 {
    (s.max(0.0) * 1_000.0).round() as u64
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // steps of a way
fn count(steps: f64) -> usize {
    steps.max(0.0).ceil() as usize
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::arrivals::model::Model;

    #[test]
    fn a_way_ends_where_it_should_and_its_dead_time_is_within_it() {
        let (from, to) = (
            Place {
                x: -4_000.0,
                y: 300.0,
            },
            Place {
                x: 2_000.0,
                y: 5_000.0,
            },
        );
        let places: Vec<Place> = (0..100)
            .map(|n| Place {
                x: f64::from(n) * 100.0 - 5_000.0,
                y: f64::from(n * 37 % 100) * 100.0 - 5_000.0,
            })
            .collect();
        let coverage = Coverage::new(3, &Model::default(), &places);
        let mut rng = Rng::with_seed(1);
        let way = way(&coverage, (from, to), true, 5_000, &mut rng);
        assert!(way.arrives_ms > 5_000 + way.moving_ms);
        assert!(way.dead_ms <= way.arrives_ms - 5_000);
        assert!(way.links.is_sorted_by_key(|(at, _)| *at));
        assert_eq!(way.links.first().map(|(at, _)| *at), Some(5_000));
        let last = way.links.last().and_then(|(_, link)| *link);
        assert_eq!(last, coverage.at(to));
    }

    #[test]
    fn who_is_there_already_does_not_travel() {
        let coverage = Coverage::new(3, &Model::default(), &[]);
        let here = Place::default();
        let way = way(&coverage, (here, here), false, 0, &mut Rng::with_seed(1));
        assert_eq!((way.moving_ms, way.links.len()), (0, 1));
    }
}
