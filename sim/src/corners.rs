//! The city's own cameras at Cedarport's crossings, each with where it looks: what a
//! center's configuration lists. **Made up**, like the city; streams lead to the reserved
//! `.example` domain.

use crate::chance::{happens, hash, pick_word};
use crate::city::{AVENUES_NORTH, AVENUES_SOUTH, STREETS, corner};

/// Crossings with a camera.
const CAMERA_SHARE: f64 = 0.4;
/// Of them, those that look everywhere.
const DOME_SHARE: f64 = 0.3;
const VIEW_DEG: f64 = 75.0;
const RANGE_M: f64 = 180.0;
const KINDS: [&str; 3] = ["Traffic signal", "Street pole", "Roof edge"];

/// A camera that the city has.
#[derive(Clone, Debug, PartialEq)]
pub struct CornerCamera {
    pub name: String,
    /// Degrees, WGS 84.
    pub latitude: f64,
    pub longitude: f64,
    /// Where it faces: degrees from north, clockwise.
    pub direction_deg: f64,
    /// How wide it looks; 360 is everywhere.
    pub view_deg: f64,
    pub range_m: f64,
    pub stream: String,
}

/// All of one seed's Cedarport. No two have the same name.
#[must_use]
pub fn corner_cameras(seed: u64) -> Vec<CornerCamera> {
    let south = -(AVENUES_SOUTH.len() as i32);
    let north = AVENUES_NORTH.len() as i32;
    (south..north)
        .flat_map(|north| (0..STREETS as i32).map(move |west| (north, west)))
        .filter_map(|(north, west)| camera(seed, north, west))
        .collect()
}

fn camera(seed: u64, north: i32, west: i32) -> Option<CornerCamera> {
    let label = format!("corner {north} {west}");
    let mut rng = fastrand::Rng::with_seed(hash(seed, label.as_bytes()));
    if !happens(&mut rng, CAMERA_SHARE) {
        return None;
    }
    let kind = pick_word(&mut rng, &KINDS);
    let quarter = rng.u8(0..4);
    let is_dome = happens(&mut rng, DOME_SHARE);
    let (latitude, longitude) = corner(f64::from(north), f64::from(west));
    let side = if north < 0 { "S" } else { "N" };
    let number = format!("{side}{:02}-{west:02}", north.unsigned_abs());
    Some(CornerCamera {
        name: format!("{kind} {number}"),
        latitude,
        longitude,
        direction_deg: f64::from(quarter) * 90.0,
        view_deg: if is_dome { 360.0 } else { VIEW_DEG },
        range_m: RANGE_M,
        stream: format!("https://cameras.cedarport.example/{number}"),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_seeds_cameras_are_always_the_same_and_no_two_share_a_name() {
        let cameras = corner_cameras(1);
        assert_eq!(cameras, corner_cameras(1));
        assert!(cameras.len() > 300, "{}", cameras.len());
        let names: HashSet<&str> = cameras.iter().map(|camera| camera.name.as_str()).collect();
        assert_eq!(names.len(), cameras.len());
    }
}
