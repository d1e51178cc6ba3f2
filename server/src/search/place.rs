//! Where a call is, and how far apart two places are.

const METRES_A_DEGREE: f64 = 111_320.0;

/// A point, in millionths of a degree, WGS 84.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Point {
    pub(crate) latitude_e6: i32,
    pub(crate) longitude_e6: i32,
}

/// The box about a circle, in millionths of a degree.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Around {
    pub(crate) south: i64,
    pub(crate) north: i64,
    pub(crate) west: i64,
    pub(crate) east: i64,
}

impl Point {
    #[allow(clippy::cast_possible_truncation)] // held against ±180 degrees
    pub(crate) fn of_degrees(latitude: f64, longitude: f64) -> Self {
        Self {
            latitude_e6: (latitude * 1e6).round() as i32,
            longitude_e6: (longitude * 1e6).round() as i32,
        }
    }

    /// Metres in a millionth of a degree, to the north and to the east. On a flat earth,
    /// which is good to a metre over the distances that are looked at here.
    pub(crate) fn scale(self) -> (f64, f64) {
        let north = METRES_A_DEGREE / 1e6;
        let latitude = f64::from(self.latitude_e6) / 1e6;
        (north, north * latitude.to_radians().cos().max(1e-3))
    }

    #[allow(clippy::cast_possible_truncation)]
    pub(crate) fn around(self, radius_m: u32) -> Around {
        let (north, east) = self.scale();
        let radius = f64::from(radius_m);
        let (high, wide) = (
            (radius / north).ceil() as i64,
            (radius / east).ceil() as i64,
        );
        let (latitude, longitude) = (i64::from(self.latitude_e6), i64::from(self.longitude_e6));
        Around {
            south: latitude - high,
            north: latitude + high,
            west: longitude - wide,
            east: longitude + wide,
        }
    }

    /// To the other point, north and east, in metres.
    fn to(self, other: Self) -> (f64, f64) {
        let (north, east) = self.scale();
        (
            f64::from(other.latitude_e6 - self.latitude_e6) * north,
            f64::from(other.longitude_e6 - self.longitude_e6) * east,
        )
    }

    pub(crate) fn metres_to(self, other: Self) -> f64 {
        let (north, east) = self.to(other);
        north.hypot(east)
    }

    /// The way to the other point: degrees from north, clockwise, 0 to 360.
    pub(crate) fn bearing_to(self, other: Self) -> f64 {
        let (north, east) = self.to(other);
        east.atan2(north).to_degrees().rem_euclid(360.0)
    }
}

/// How far and which way: `82 m NE`, or that it is the same place.
pub(crate) fn way(metres: f64, bearing: f64) -> String {
    if metres < 1.0 {
        "at this place".into()
    } else {
        format!("{metres:.0} m {}", compass(bearing))
    }
}

/// Such as `NE`.
pub(crate) fn compass(bearing: f64) -> &'static str {
    const POINTS: [&str; 8] = ["N", "NE", "E", "SE", "S", "SW", "W", "NW"];
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let eighth = (bearing.rem_euclid(360.0) / 45.0).round() as usize;
    POINTS[eighth % POINTS.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_and_ways_are_those_of_the_map() {
        let here = Point::of_degrees(43.0, -88.0);
        let north = Point::of_degrees(43.001, -88.0);
        let east = Point::of_degrees(43.0, -87.999);
        assert!((here.metres_to(north) - 111.3).abs() < 0.1);
        assert!((here.metres_to(east) - 81.4).abs() < 0.1);
        assert_eq!(compass(here.bearing_to(north)), "N");
        assert_eq!(compass(here.bearing_to(east)), "E");
        assert_eq!(compass(north.bearing_to(here)), "S");
        assert_eq!(compass(359.0), "N");
        assert_eq!(way(82.4, 46.0), "82 m NE");
        assert_eq!(way(0.4, 46.0), "at this place");
        let around = here.around(100);
        assert!(around.east - around.west > around.north - around.south);
    }
}
