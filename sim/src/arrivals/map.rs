//! The city as a plane, and where on it there is what link.
//!
//! Coverage is a field of smooth chance over the city, three sizes of hill on top of each
//! other: where it is lowest there is no link, around that the slow kinds. So dead zones are
//! patches of some hundred metres to a kilometre with slow edges, as one drives into and out
//! of them, and not single points. The levels are set so that the wanted shares hold for *where calls
//! come from*: a lake without a link is nobody's trouble.

use fastrand::Rng;
use server::intake::CallReport;

use super::model::{LTE, Model, NARROW, THIRD_GENERATION};
use crate::chance::hash;
use crate::stage::network::Network;

/// The side of a square in which coverage is the same.
pub(super) const CELL_M: f64 = 100.0;
/// The field's hills, from one to the next, and how high they are.
const HILLS: [(f64, f64); 3] = [(1_500.0, 1.0), (600.0, 0.8), (250.0, 0.6)];
/// What lies further from the middle is placed wrongly.
const CITY_M_MAX: f64 = 40_000.0;
const METRES_PER_DEGREE: f64 = 111_320.0;

/// A place in metres, east and north of the middle.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub(super) struct Place {
    pub(super) x: f64,
    pub(super) y: f64,
}

impl Place {
    /// Along the streets of a grid.
    pub(super) fn way_m(self, other: Self) -> f64 {
        (self.x - other.x).abs() + (self.y - other.y).abs()
    }
}

/// How degrees become metres here.
#[derive(Debug, Clone, Copy)]
pub(super) struct Plane {
    latitude: f64,
    longitude: f64,
    east_m: f64,
}

impl Plane {
    /// Its middle is where most calls are: published files place some on the other side of
    /// the world.
    pub(super) fn around(reports: &[CallReport]) -> Self {
        let middle = |degrees: fn(&CallReport) -> Option<f64>| {
            let mut all: Vec<f64> = reports.iter().filter_map(degrees).collect();
            all.sort_unstable_by(f64::total_cmp);
            all.get(all.len() / 2).copied().unwrap_or_default()
        };
        let latitude = middle(|report| report.latitude);
        let longitude = middle(|report| report.longitude);
        Self {
            latitude,
            longitude,
            east_m: METRES_PER_DEGREE * latitude.to_radians().cos(),
        }
    }

    /// `None` where it cannot be this city.
    pub(super) fn place(&self, latitude: f64, longitude: f64) -> Option<Place> {
        let place = Place {
            x: (longitude - self.longitude) * self.east_m,
            y: (latitude - self.latitude) * METRES_PER_DEGREE,
        };
        let is_near = place.x.abs().max(place.y.abs()) <= CITY_M_MAX;
        is_near.then_some(place)
    }
}

/// Where there is what link.
#[derive(Debug)]
pub(super) struct Coverage {
    seed: u64,
    /// Below the first level there is none; below each further one this kind.
    dead_below: f64,
    slow_below: [(f64, Network); 2],
}

impl Coverage {
    /// `places`: where calls come from.
    pub(super) fn new(seed: u64, model: &Model, places: &[Place]) -> Self {
        let seed = hash(seed, b"coverage");
        let mut levels: Vec<f64> = places.iter().map(|place| field(seed, *place)).collect();
        levels.sort_unstable_by(f64::total_cmp);
        let level = |share: f64| {
            #[allow(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                clippy::cast_sign_loss
            )] // a share of a count
            let at = (share.clamp(0.0, 1.0) * levels.len() as f64) as usize;
            match share {
                share if share <= 0.0 => f64::NEG_INFINITY,
                _ => levels.get(at).copied().unwrap_or(f64::INFINITY),
            }
        };
        let (dead, narrow) = (model.dead_share, model.dead_share + model.narrow_share);
        Self {
            seed,
            dead_below: level(dead),
            slow_below: [
                (level(narrow), NARROW),
                (level(narrow + model.slow_share), THIRD_GENERATION),
            ],
        }
    }

    /// The link here; `None` in a dead zone.
    pub(super) fn at(&self, place: Place) -> Option<Network> {
        let height = field(self.seed, cell_of(place));
        if height < self.dead_below {
            return None;
        }
        let slow = self.slow_below.iter().find(|(below, _)| height < *below);
        Some(slow.map_or(LTE, |(_, network)| *network))
    }
}

/// The middle of the square that a place lies in.
fn cell_of(place: Place) -> Place {
    let middle = |m: f64| ((m / CELL_M).floor() + 0.5) * CELL_M;
    Place {
        x: middle(place.x),
        y: middle(place.y),
    }
}

/// The field's height.
fn field(seed: u64, place: Place) -> f64 {
    let hills = HILLS.iter().enumerate();
    hills
        .map(|(number, (size_m, height))| {
            let seed = seed.wrapping_add(number as u64);
            height * hill(seed, place.x / size_m, place.y / size_m)
        })
        .sum()
}

/// Smooth chance: one number a corner of a grid, and between the corners what is between.
fn hill(seed: u64, x: f64, y: f64) -> f64 {
    let (left, below) = (x.floor(), y.floor());
    let (u, v) = (smooth(x - left), smooth(y - below));
    let corner = |dx: f64, dy: f64| {
        let at = [(left + dx).to_le_bytes(), (below + dy).to_le_bytes()].concat();
        Rng::with_seed(hash(seed, &at)).f64()
    };
    let bottom = corner(0.0, 0.0) * (1.0 - u) + corner(1.0, 0.0) * u;
    let top = corner(0.0, 1.0) * (1.0 - u) + corner(1.0, 1.0) * u;
    bottom * (1.0 - v) + top * v
}

fn smooth(t: f64) -> f64 {
    t * t * (3.0 - 2.0 * t)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::cast_precision_loss)]
    use super::*;

    fn places() -> Vec<Place> {
        let mut rng = Rng::with_seed(1);
        let mut at = || (rng.f64() - 0.5) * 15_000.0;
        (0..4_000).map(|_| Place { x: at(), y: at() }).collect()
    }

    #[test]
    fn the_shares_are_those_of_the_model_where_calls_come_from() {
        let places = places();
        let coverage = Coverage::new(7, &Model::default(), &places);
        let dead = places.iter().filter(|p| coverage.at(**p).is_none()).count();
        let share = dead as f64 / places.len() as f64;
        assert!((0.15..0.21).contains(&share), "{share}");
        let narrow = places
            .iter()
            .filter_map(|place| coverage.at(*place))
            .filter(|network| network.bits_per_s == 9_600)
            .count();
        let share = narrow as f64 / places.len() as f64;
        assert!((0.05..0.09).contains(&share), "{share}");
    }

    #[test]
    fn a_dead_zone_is_a_patch() {
        let places = places();
        let coverage = Coverage::new(7, &Model::default(), &places);
        let dead: Vec<&Place> = places
            .iter()
            .filter(|p| coverage.at(**p).is_none())
            .collect();
        let beside = |place: &&&Place| {
            let next = Place {
                x: place.x + CELL_M,
                ..***place
            };
            coverage.at(next).is_none()
        };
        let share = dead.iter().filter(beside).count() as f64 / dead.len() as f64;
        assert!(share > 0.8, "{share}");
    }

    #[test]
    fn without_a_dead_share_there_is_a_link_everywhere() {
        let places = places();
        let model = Model {
            dead_share: 0.0,
            narrow_share: 0.0,
            slow_share: 0.0,
            ..Model::default()
        };
        let coverage = Coverage::new(7, &model, &places);
        assert!(places.iter().all(|p| coverage.at(*p) == Some(LTE)));
    }
}
