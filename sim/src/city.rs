//! Cedarport's streets: a grid about a river town's center.
//!
//! Numbered streets run north and south, named avenues west, as in many
//! Midwestern cities: `2412 N 18TH ST` is in the 24th block north of the base line,
//! on 18th. So an address says where it is, and the position follows from it.

use std::collections::HashSet;

use fastrand::Rng;

use crate::chance::{happens, pick_word, stream};

/// Comes after each location, as dispatch writes it.
pub(crate) const CITY_CODE: &str = ",CDR";

/// Where no city is, in the middle of Wisconsin.
const CENTER_LATITUDE: f64 = 44.061;
const CENTER_LONGITUDE: f64 = -89.287;
const BLOCK_LATITUDE: f64 = 0.0018;
const BLOCK_LONGITUDE: f64 = 0.0025;

pub(crate) const STREETS: u32 = 40;
pub(crate) const AVENUES_NORTH: [&str; 22] = [
    "HARBOR", "MILL", "ALDER", "BIRCH", "CHERRY", "DOGWOOD", "ELDER", "FIR", "GINKGO", "HAZEL",
    "IRONWOOD", "JUNIPER", "LINDEN", "MAPLE", "NUTMEG", "OSAGE", "PECAN", "QUINCE", "ROWAN",
    "SUMAC", "TAMARACK", "WILLOW",
];
pub(crate) const AVENUES_SOUTH: [&str; 14] = [
    "FERRY", "ANCHOR", "BARGE", "CANAL", "DRYDOCK", "ESTUARY", "FATHOM", "GALLEY", "HALYARD",
    "KEEL", "LANTERN", "MARINER", "PILOT", "RUDDER",
];

const HOMES: usize = 1_200;
const SHOPS: usize = 240;
const ROADS: usize = 520;
const APARTMENT_SHARE: f64 = 0.12;
/// A draw that gives an address for the second time is drawn anew; this bounds
/// how often, so that a small grid ends in fewer places and not in a loop.
const DRAWS_PER_PLACE_MAX: usize = 4;

/// What a place is, so that a battery happens at a home and a stop on a road.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Setting {
    Home,
    Shop,
    Road,
}

/// One place as dispatch knows it.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Place {
    /// With the apartment, where there is one, and the city's code.
    pub(crate) location: String,
    pub(crate) latitude: f64,
    pub(crate) longitude: f64,
    pub(crate) district: u8,
}

/// Where a crossing is, so many blocks north and west of the center.
pub(crate) fn corner(north: f64, west: f64) -> (f64, f64) {
    (
        CENTER_LATITUDE + north * BLOCK_LATITUDE,
        CENTER_LONGITUDE - west * BLOCK_LONGITUDE,
    )
}

/// All places of one seed's Cedarport.
#[derive(Debug)]
pub(crate) struct City {
    pub(crate) homes: Vec<Place>,
    shops: Vec<Place>,
    roads: Vec<Place>,
    /// Normalised addresses of all of them.
    addresses: HashSet<String>,
}

impl City {
    pub(crate) fn new(seed: u64) -> Self {
        let mut rng = stream(seed, "city");
        let mut addresses = HashSet::new();
        let homes = places(&mut rng, HOMES, &mut addresses, home);
        let shops = places(&mut rng, SHOPS, &mut addresses, shop);
        let roads = places(&mut rng, ROADS, &mut addresses, road);
        Self {
            homes,
            shops,
            roads,
            addresses,
        }
    }

    pub(crate) fn places(&self, setting: Setting) -> &[Place] {
        match setting {
            Setting::Home => &self.homes,
            Setting::Shop => &self.shops,
            Setting::Road => &self.roads,
        }
    }

    /// Whether a normalised address is one of Cedarport's.
    pub(crate) fn has(&self, address: &str) -> bool {
        self.addresses.contains(address)
    }
}

fn places(
    rng: &mut Rng,
    count: usize,
    addresses: &mut HashSet<String>,
    draw: fn(&mut Rng) -> Place,
) -> Vec<Place> {
    let mut places = Vec::with_capacity(count);
    for _ in 0..count * DRAWS_PER_PLACE_MAX {
        if places.len() == count {
            break;
        }
        let place = draw(rng);
        if addresses.insert(packet::lookup::place(&place.location)) {
            places.push(place);
        }
    }
    places
}

fn home(rng: &mut Rng) -> Place {
    let spot = Spot::draw(rng, 1);
    let (on_avenue, house) = (rng.bool(), rng.u32(1..100));
    let mut address = spot.address(on_avenue, house);
    if happens(rng, APARTMENT_SHARE) {
        address.push_str(&format!(" APT {}", rng.u32(1..13)));
    }
    spot.place(address, on_avenue, house)
}

/// Shops stand on every fourth street and avenue only: places that are called
/// about again and again lie along a few arterials.
fn shop(rng: &mut Rng) -> Place {
    let spot = Spot::draw(rng, 4);
    let (on_avenue, house) = (rng.bool(), rng.u32(1..20) * 5);
    spot.place(spot.address(on_avenue, house), on_avenue, house)
}

/// A crossing, or a whole block as an officer reports it (`1800 W ALDER AV`).
fn road(rng: &mut Rng) -> Place {
    let spot = Spot::draw(rng, 1);
    let location = if happens(rng, 0.6) {
        spot.crossing()
    } else {
        spot.address(rng.bool(), 0)
    };
    spot.place(location, true, 0)
}

/// A crossing of the grid. `north` is in blocks, below zero in the south.
struct Spot {
    street: u32,
    north: i32,
    avenue: &'static str,
}

impl Spot {
    fn draw(rng: &mut Rng, every: u32) -> Self {
        let street = rng.u32(1..=STREETS / every) * every;
        let (side, names): (i32, &[&str]) = if happens(rng, 0.6) {
            (1, &AVENUES_NORTH)
        } else {
            (-1, &AVENUES_SOUTH)
        };
        let step = every as usize;
        let at = rng.usize(..names.len().div_ceil(step)) * step;
        Self {
            street,
            // South avenues begin one block below the base line.
            north: side * (at as i32 + i32::from(side < 0)),
            avenue: names[at],
        }
    }

    fn side(&self) -> char {
        if self.north < 0 { 'S' } else { 'N' }
    }

    fn street_name(&self) -> String {
        format!("{} {} ST", self.side(), ordinal(self.street))
    }

    fn avenue_name(&self) -> String {
        format!("W {} AV", self.avenue)
    }

    fn crossing(&self) -> String {
        format!("{} / {}", self.street_name(), self.avenue_name())
    }

    fn address(&self, on_avenue: bool, house: u32) -> String {
        if on_avenue {
            format!("{} {}", self.street * 100 + house, self.avenue_name())
        } else {
            // Blocks are counted from 1 here, so that no number begins with 0.
            let block = self.north.unsigned_abs() + u32::from(self.north >= 0);
            format!("{} {}", block * 100 + house, self.street_name())
        }
    }

    /// A house number leads along its block, away from the center.
    fn place(&self, location: String, on_avenue: bool, house: u32) -> Place {
        let along = f64::from(house) / 100.0;
        let (mut north, mut west) = (f64::from(self.north), f64::from(self.street));
        if on_avenue {
            west += along;
        } else if self.north < 0 {
            north -= along;
        } else {
            north += along;
        }
        let (latitude, longitude) = corner(north, west);
        Place {
            location: format!("{location}{CITY_CODE}"),
            latitude: rounded(latitude),
            longitude: rounded(longitude),
            district: self.district(),
        }
    }

    fn district(&self) -> u8 {
        match (self.north, self.street) {
            (-4..=4, ..=12) => 1,
            (..0, ..=20) => 2,
            (..0, _) => 3,
            (_, 21..) => 4,
            _ => 5,
        }
    }
}

/// Six decimals: a tenth of a metre, as dispatch systems export positions.
fn rounded(degrees: f64) -> f64 {
    (degrees * 1e6).round() / 1e6
}

fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "TH",
        (1, _) => "ST",
        (2, _) => "ND",
        (3, _) => "RD",
        _ => "TH",
    };
    format!("{number}{ending}")
}

/// A name for a place in a narrative: a shop, a tavern, a school.
pub(crate) fn landmark(rng: &mut Rng) -> &'static str {
    const LANDMARKS: [&str; 10] = [
        "THE GAS STATION",
        "HARBOR TAP",
        "THE LAUNDROMAT",
        "THE BUS SHELTER",
        "MILL ST PHARMACY",
        "THE CORNER STORE",
        "ROWAN PARK",
        "THE SCHOOL LOT",
        "FERRY LANDING",
        "THE ALLEY",
    ];
    pick_word(rng, &LANDMARKS)
}
