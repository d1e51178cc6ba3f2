//! Cameras that others than the city have (shops, schools, the transit company) and that
//! are on a register, anywhere in the lower 48 states.
//!
//! As with premises nothing is stored: the world is cut into cells, and a hash
//! of seed and cell says whether a camera stands in it, and where. A search
//! looks at the cells about a position.

use std::f64::consts::PI;

use fastrand::Rng;
use serde::Serialize;

use crate::chance::{happens, hash, pick_word};

/// About 440 m each way at Cedarport's latitude.
const CELL_LATITUDE: f64 = 0.004;
const CELL_LONGITUDE: f64 = 0.0055;
/// Cells that are searched to each side of the position's own.
const CELLS_ASIDE: i64 = 3;
/// No farther than the searched cells reach up to 49 degrees north, so that
/// what is found is the nearest there is.
const REACH_M: f64 = 1_200.0;
const CAMERA_SHARE: f64 = 0.45;
const CAMERAS_MAX: usize = 4;
const METRES_A_DEGREE: f64 = 111_320.0;

const KINDS: [&str; 6] = [
    "Shop front",
    "Bus shelter",
    "Park entrance",
    "Parking ramp",
    "School corner",
    "Bank entrance",
];
const DIRECTIONS: [&str; 8] = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];

/// One camera as the cameras source answers it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Camera {
    pub(crate) name: String,
    pub(crate) distance_m: u32,
    /// Where it looks.
    pub(crate) direction: &'static str,
    pub(crate) stream: String,
}

/// The nearest cameras to a position, nearest first. Degrees must be finite.
pub(crate) fn nearest(seed: u64, latitude: f64, longitude: f64) -> Vec<Camera> {
    let row = (latitude / CELL_LATITUDE).floor() as i64;
    let column = (longitude / CELL_LONGITUDE).floor() as i64;
    let mut found: Vec<Camera> = (row - CELLS_ASIDE..=row + CELLS_ASIDE)
        .flat_map(|row| {
            (column - CELLS_ASIDE..=column + CELLS_ASIDE).map(move |column| (row, column))
        })
        .filter_map(|cell| camera_in(seed, cell, (latitude, longitude)))
        .collect();
    found.sort_by(|a, b| (a.distance_m, &a.name).cmp(&(b.distance_m, &b.name)));
    found.truncate(CAMERAS_MAX);
    found
}

fn camera_in(seed: u64, (row, column): (i64, i64), from: (f64, f64)) -> Option<Camera> {
    let mut cell = [0; 16];
    cell[..8].copy_from_slice(&row.to_le_bytes());
    cell[8..].copy_from_slice(&column.to_le_bytes());
    let number = hash(seed, &cell);
    let mut rng = Rng::with_seed(number);
    if !happens(&mut rng, CAMERA_SHARE) {
        return None;
    }
    let at = (
        (row as f64 + rng.f64()) * CELL_LATITUDE,
        (column as f64 + rng.f64()) * CELL_LONGITUDE,
    );
    let distance_m = metres(from, at);
    if distance_m > REACH_M {
        return None;
    }
    let number = number % 100_000;
    Some(Camera {
        name: format!("{} {number:05}", pick_word(&mut rng, &KINDS)),
        distance_m: distance_m.round() as u32,
        direction: pick_word(&mut rng, &DIRECTIONS),
        stream: format!("rtsp://cameras.cedarport.example/{number:05}"),
    })
}

/// On a flat earth, which is good to well under a metre over these distances.
fn metres(from: (f64, f64), to: (f64, f64)) -> f64 {
    let north = (to.0 - from.0) * METRES_A_DEGREE;
    let east = (to.1 - from.1) * METRES_A_DEGREE * (from.0 * PI / 180.0).cos();
    north.hypot(east)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_position_has_four_cameras_nearest_first() {
        for (latitude, longitude) in [(44.061, -89.287), (42.9896, -87.9508), (33.45, -112.07)] {
            let found = nearest(3, latitude, longitude);
            assert_eq!(found.len(), CAMERAS_MAX);
            assert!(found.is_sorted_by_key(|camera| camera.distance_m));
            assert_eq!(found, nearest(3, latitude, longitude));
        }
    }

    #[test]
    fn a_camera_is_the_same_one_from_both_sides() {
        let here = nearest(3, 44.061, -89.287);
        let near = nearest(3, 44.0612, -89.2868);
        let shared = here
            .iter()
            .filter(|camera| near.iter().any(|other| other.stream == camera.stream))
            .count();
        assert!(shared >= 2, "{shared} in common");
    }
}
