//! The cameras that look at a place, by where they stand and which way they face.

use packet::entry::{LINK_CHARS_MAX, LINK_SCHEMES, NAME_CHARS_MAX};
use packet::{Confidence, Finding, Topic};
use serde::Deserialize;

use super::{Answer, finding};
use crate::search::place::{Point, compass, way};

/// As screens show it.
pub const SOURCE: &str = "Cameras of the center";
/// Most cameras that a packet names.
pub const CAMERAS_SHOWN_MAX: usize = 4;
/// How far a camera that looks elsewhere may stand to be named all the same.
pub const ELSEWHERE_M_MAX: f64 = 250.0;
/// A camera that stands so near is at the place, whichever way it faces.
const AT_THE_PLACE_M: f64 = 10.0;
/// Most cameras of a center: each call is held against all of them.
pub const CAMERAS_MAX: usize = 20_000;

/// `[[cameras]]` in the configuration.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Camera {
    /// As screens show it, and as the video system knows it.
    pub name: String,
    /// Degrees, WGS 84.
    pub latitude: f64,
    pub longitude: f64,
    /// Where it faces: degrees from north, clockwise.
    pub direction_deg: f64,
    /// How wide it looks, in degrees; 360 looks everywhere.
    pub view_deg: f64,
    /// How far it shows anything, in metres.
    pub range_m: f64,
    /// What a tap opens: `https://…`, `http://…` or `rtsp://…`.
    pub stream: String,
}

impl Camera {
    pub(crate) fn check(&self) -> Result<(), String> {
        let name = self.name.trim();
        if name.is_empty() || name.chars().count() > NAME_CHARS_MAX / 2 {
            return Err(format!("a name of 1 to {} characters", NAME_CHARS_MAX / 2));
        }
        if !(-90.0..=90.0).contains(&self.latitude) || !(-180.0..=180.0).contains(&self.longitude) {
            return Err("a latitude and longitude in degrees".into());
        }
        if !(0.0..=360.0).contains(&self.direction_deg) {
            return Err("direction_deg from 0 to 360".into());
        }
        if !(1.0..=360.0).contains(&self.view_deg) {
            return Err("view_deg from 1 to 360".into());
        }
        if !(1.0..=10_000.0).contains(&self.range_m) {
            return Err("range_m from 1 to 10000".into());
        }
        let has_scheme = LINK_SCHEMES
            .iter()
            .any(|scheme| self.stream.starts_with(scheme));
        if !has_scheme || self.stream.chars().count() > LINK_CHARS_MAX {
            return Err(format!(
                "a stream that begins with {} and has at most {LINK_CHARS_MAX} characters",
                LINK_SCHEMES.join(" or ")
            ));
        }
        Ok(())
    }

    fn point(&self) -> Point {
        Point::of_degrees(self.latitude, self.longitude)
    }

    /// Whether the place is within its range and its field of view.
    fn sees(&self, place: Point, metres: f64) -> bool {
        if metres <= AT_THE_PLACE_M {
            return true;
        }
        let off = (self.point().bearing_to(place) - self.direction_deg).rem_euclid(360.0);
        metres <= self.range_m && off.min(360.0 - off) <= self.view_deg / 2.0
    }
}

struct Seen<'a> {
    camera: &'a Camera,
    metres: f64,
    sees: bool,
}

/// The nearest that look at the place, then the nearest that do not, a finding each.
pub(super) fn near(cameras: &[Camera], place: Point, now_ms: i64) -> Answer {
    let mut all: Vec<Seen<'_>> = cameras
        .iter()
        .map(|camera| {
            let metres = place.metres_to(camera.point());
            Seen {
                sees: camera.sees(place, metres),
                camera,
                metres,
            }
        })
        .filter(|seen| seen.sees || seen.metres <= ELSEWHERE_M_MAX)
        .collect();
    all.sort_by(|a, b| (!a.sees).cmp(&!b.sees).then(a.metres.total_cmp(&b.metres)));
    all.truncate(CAMERAS_SHOWN_MAX);
    let query = format!(
        "{:.5}, {:.5}",
        f64::from(place.latitude_e6) / 1e6,
        f64::from(place.longitude_e6) / 1e6
    );
    let findings = all.iter().map(|seen| {
        let Seen {
            camera,
            metres,
            sees,
        } = seen;
        let way = way(*metres, place.bearing_to(camera.point()));
        let faces = if camera.view_deg >= 360.0 {
            "looks everywhere".to_owned()
        } else {
            format!("faces {}", compass(camera.direction_deg))
        };
        Finding {
            title: camera.name.clone(),
            text: format!(
                "{way}, {faces}, {}",
                if *sees {
                    "looks at this place"
                } else {
                    "does not look at this place"
                }
            ),
            confidence: if *sees {
                Confidence::Exact
            } else {
                Confidence::Nearby
            },
            link: Some(camera.stream.clone()),
            ..finding(SOURCE, Topic::Camera, &query, now_ms)
        }
    });
    Answer::new(SOURCE, &query, findings.collect())
}
