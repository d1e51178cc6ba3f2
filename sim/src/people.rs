//! Who lives in Cedarport and what they drive.
//!
//! A person has a home among the city's, a vehicle an owner among its people,
//! so that a caller at an address can read out the plate of somebody who lives
//! there, and registration and records then tell of the same household.

mod files;

use std::collections::BTreeMap;

use fastrand::Rng;
use serde::Serialize;

use crate::chance::{pick, pick_weighted, pick_word, stream};
use crate::city::City;

const PEOPLE: usize = 900;
const VEHICLES: usize = 1_000;
/// Drawing the same plate twice is rare; this bounds what it can cost.
const PLATE_DRAWS_MAX: usize = VEHICLES * 4;

/// All vehicles of Cedarport are registered here; others are not on file.
pub(crate) const STATE: &str = "WI";

const FIRST_NAMES: [&str; 32] = [
    "Nora", "Ansel", "Imani", "Tobias", "Marisol", "Felix", "Leona", "Dmitri", "Priya", "Walter",
    "Yesenia", "Otis", "Hanne", "Jamal", "Beatriz", "Curtis", "Mai", "Roland", "Delia", "Emeka",
    "Ingrid", "Luis", "Odette", "Pavel", "Ruth", "Silas", "Tamsin", "Victor", "Wren", "Xiong",
    "Yvonne", "Abel",
];
const LAST_NAMES: [&str; 32] = [
    "Lindquist",
    "Okafor",
    "Brandvold",
    "Castellan",
    "Yangvue",
    "Hartsough",
    "Pelkeytown",
    "Dravecky",
    "Montrose",
    "Fairwether",
    "Kowalke",
    "Bellamont",
    "Sorensby",
    "Tranholm",
    "Escarra",
    "Whitlatch",
    "Arnesen",
    "Duquesnel",
    "Grabowicz",
    "Hollerman",
    "Ibarrola",
    "Jesperson",
    "Kettleby",
    "Larkspur",
    "Mwangale",
    "Nordhaus",
    "Oberlein",
    "Pruittson",
    "Quillfeld",
    "Rasmuth",
    "Stavros",
    "Thorngate",
];
const MODELS: [(&str, &str); 14] = [
    ("HONDA", "CIVIC"),
    ("HONDA", "ACCORD"),
    ("TOYOTA", "CAMRY"),
    ("TOYOTA", "RAV4"),
    ("FORD", "F150"),
    ("FORD", "FUSION"),
    ("CHEVROLET", "MALIBU"),
    ("CHEVROLET", "IMPALA"),
    ("DODGE", "CARAVAN"),
    ("DODGE", "CHARGER"),
    ("NISSAN", "ALTIMA"),
    ("KIA", "OPTIMA"),
    ("HYUNDAI", "ELANTRA"),
    ("JEEP", "CHEROKEE"),
];
const COLORS: [&str; 8] = ["BLK", "WHI", "SIL", "GRY", "BLU", "RED", "GRN", "TAN"];
const STATUSES: [(u32, Status); 3] = [
    (84, Status::Valid),
    (11, Status::Expired),
    (5, Status::Stolen),
];
/// Neither vowels (no words) nor letters that are read as digits.
const PLATE_LETTERS: &[u8] = b"BCDFGHJKLMNPRSTVWXZ";

#[derive(Clone, Debug)]
pub(crate) struct Person {
    pub(crate) first: &'static str,
    pub(crate) last: &'static str,
    /// The location of one of the city's homes.
    pub(crate) home: String,
    /// What else is on file.
    file: files::File,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Valid,
    Expired,
    Stolen,
}

/// A registration as the vehicles source answers it.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Vehicle {
    pub(crate) plate: String,
    pub(crate) state: &'static str,
    pub(crate) make: &'static str,
    pub(crate) model: &'static str,
    pub(crate) year: u16,
    pub(crate) color: &'static str,
    pub(crate) registered_owner: String,
    pub(crate) status: Status,
    /// The day of the registration, `YYYY-MM-DD`.
    pub(crate) recorded: String,
    /// The owner's home; not on the registration's answer.
    #[serde(skip)]
    pub(crate) kept_at: String,
}

#[derive(Debug)]
pub(crate) struct People {
    people: Vec<Person>,
    /// Sorted by plate.
    vehicles: Vec<Vehicle>,
}

impl People {
    pub(crate) fn new(seed: u64, city: &City) -> Self {
        let mut rng = stream(seed, "people");
        // Of a stream of its own: what is on file changes nobody's name or home.
        let mut filing = stream(seed, "files");
        let people: Vec<Person> = (0..PEOPLE)
            .map(|number| person(&mut rng, files::file(&mut filing, number), city))
            .collect();
        let mut rng = stream(seed, "vehicles");
        let mut by_plate = BTreeMap::new();
        for _ in 0..PLATE_DRAWS_MAX {
            if by_plate.len() == VEHICLES {
                break;
            }
            let vehicle = vehicle(&mut rng, &people);
            by_plate.entry(vehicle.plate.clone()).or_insert(vehicle);
        }
        Self {
            people,
            vehicles: by_plate.into_values().collect(),
        }
    }

    pub(crate) fn any_person(&self, rng: &mut Rng) -> &Person {
        pick(rng, &self.people)
    }

    /// A vehicle kept at the place where there is one, else any.
    pub(crate) fn vehicle_near(&self, rng: &mut Rng, location: &str) -> &Vehicle {
        self.vehicles
            .iter()
            .find(|vehicle| vehicle.kept_at == location)
            .unwrap_or_else(|| pick(rng, &self.vehicles))
    }

    pub(crate) fn stolen_vehicle(&self, rng: &mut Rng) -> &Vehicle {
        pick_weighted(rng, &self.vehicles, |vehicle| {
            u32::from(vehicle.status == Status::Stolen)
        })
    }

    /// The registration of a plate of [`STATE`]; neither spaces nor hyphens nor
    /// case matter.
    pub(crate) fn registration(&self, plate: &str) -> Option<&Vehicle> {
        let plate: String = plate
            .chars()
            .filter(char::is_ascii_alphanumeric)
            .map(|c| c.to_ascii_uppercase())
            .collect();
        let at = self
            .vehicles
            .binary_search_by(|vehicle| vehicle.plate.cmp(&plate));
        at.ok().map(|at| &self.vehicles[at])
    }
}

fn person(rng: &mut Rng, file: files::File, city: &City) -> Person {
    Person {
        first: pick_word(rng, &FIRST_NAMES),
        last: pick_word(rng, &LAST_NAMES),
        home: pick(rng, &city.homes).location.clone(),
        file,
    }
}

fn vehicle(rng: &mut Rng, people: &[Person]) -> Vehicle {
    let owner = pick(rng, people);
    let (make, model) = *pick(rng, &MODELS);
    Vehicle {
        plate: plate(rng),
        state: STATE,
        make,
        model,
        year: rng.u16(1999..2015),
        color: pick_word(rng, &COLORS),
        registered_owner: format!("{}, {}", owner.last, owner.first).to_uppercase(),
        status: pick_weighted(rng, &STATUSES, |(weight, _)| *weight).1,
        recorded: past_day(rng),
        kept_at: owner.home.clone(),
    }
}

fn plate(rng: &mut Rng) -> String {
    let mut plate: String = (0..3)
        .map(|_| char::from(*pick(rng, PLATE_LETTERS)))
        .collect();
    plate.push_str(&rng.u32(100..1_000).to_string());
    plate
}

/// A day of 2015 to 2017: before the made-up evening, and before the calls of
/// 2018 that are replayed, so that what is *prior* is so.
pub(crate) fn past_day(rng: &mut Rng) -> String {
    let (year, month, day) = (rng.u16(2015..2018), rng.u8(1..13), rng.u8(1..29));
    format!("{year}-{month:02}-{day:02}")
}
