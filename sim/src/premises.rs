//! What the records source holds about an address.
//!
//! Nothing is stored: the past of an address is drawn from the seed and a hash
//! of the address, so it is the same each time it is asked for, for Cedarport's
//! addresses and for those of any other city.

use fastrand::Rng;
use serde::Serialize;

use crate::chance::{happens, hash, pick_weighted, pick_word};
use crate::city::City;
use crate::people::past_day;

/// Of Cedarport's own addresses, so many have a past.
const KNOWN_SHARE: f64 = 0.45;
/// Of all other addresses: about one in four.
const KNOWN_SHARE_ELSEWHERE: f64 = 0.25;
const CAUTION_SHARE: f64 = 0.3;
const INCIDENTS_MAX: usize = 6;
const CAUTIONS_MAX: usize = 2;

const INCIDENTS: [(u32, &str); 14] = [
    (16, "TRBL W/SUBJ"),
    (10, "FAMILY TROUBLE"),
    (9, "BATTERY DV"),
    (8, "WELFARE CITIZEN"),
    (7, "BATTERY"),
    (7, "NOISE NUISANCE"),
    (6, "ENTRY"),
    (6, "THEFT"),
    (5, "INJ PERSON/SICK"),
    (5, "SUBJ WANTED"),
    (4, "DRUG DEALING"),
    (4, "SHOTS FIRED"),
    (3, "SUBJ WITH GUN"),
    (3, "VIOL REST ORDER"),
];
const OUTCOMES: [(u32, &str); 6] = [
    (8, "Advised"),
    (6, "Assignment Completed"),
    (4, "Unable to Locate Complainant"),
    (3, "Report filed"),
    (3, "Cleared by Arrest"),
    (2, "Advised/Referral"),
];
const CAUTIONS: [&str; 12] = [
    "Large dog loose in the yard, has bitten",
    "Resident has a valid carry permit, firearm kept by the door",
    "Resident is deaf, knock hard and show light",
    "Prior armed subject at this address",
    "Resident in mental health crisis before, ask for the crisis team",
    "Oxygen in use, no flame or sparks",
    "Cameras cover the front walk, approach is seen",
    "Subject fought with officers on the last visit",
    "Needles found on the premises",
    "Court order protects a resident here, respondent may return",
    "Rear stairs are unsafe, use the front",
    "Threats against officers were recorded here",
];
const SET_BY: [&str; 5] = [
    "Cedarport PD district 2",
    "Cedarport PD district 4",
    "River County Sheriff",
    "State University PD",
    "Cedarport Fire",
];

/// The answer of the records source.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Premises {
    pub(crate) address: String,
    /// Newest first.
    pub(crate) incidents: Vec<Incident>,
    pub(crate) cautions: Vec<Caution>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Incident {
    pub(crate) number: String,
    pub(crate) date: String,
    pub(crate) nature: &'static str,
    pub(crate) outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct Caution {
    pub(crate) text: &'static str,
    pub(crate) set_by: &'static str,
    pub(crate) date: String,
}

/// The past of a normalised address, where it has one.
pub(crate) fn premises_at(seed: u64, city: &City, address: &str) -> Option<Premises> {
    if address.is_empty() {
        return None;
    }
    let mut rng = Rng::with_seed(hash(seed, address.as_bytes()));
    let share = if city.has(address) {
        KNOWN_SHARE
    } else {
        KNOWN_SHARE_ELSEWHERE
    };
    if !happens(&mut rng, share) {
        return None;
    }
    let mut incidents: Vec<Incident> = (0..rng.usize(1..=INCIDENTS_MAX))
        .map(|_| incident(&mut rng))
        .collect();
    incidents.sort_by(|a, b| b.date.cmp(&a.date));
    let cautions = if happens(&mut rng, CAUTION_SHARE) {
        cautions(&mut rng)
    } else {
        Vec::new()
    };
    Some(Premises {
        address: address.to_owned(),
        incidents,
        cautions,
    })
}

fn incident(rng: &mut Rng) -> Incident {
    let date = past_day(rng);
    Incident {
        number: format!("{}-{:06}", &date[2..4], rng.u32(1..400_000)),
        date,
        nature: pick_weighted(rng, &INCIDENTS, |(weight, _)| *weight).1,
        outcome: pick_weighted(rng, &OUTCOMES, |(weight, _)| *weight).1,
    }
}

fn cautions(rng: &mut Rng) -> Vec<Caution> {
    let first = rng.usize(..CAUTIONS.len());
    (0..rng.usize(1..=CAUTIONS_MAX))
        .map(|at| Caution {
            // Neighbours in the list, so that none comes twice.
            text: CAUTIONS[(first + at) % CAUTIONS.len()],
            set_by: pick_word(rng, &SET_BY),
            date: past_day(rng),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_one_in_four_addresses_elsewhere_has_a_past() {
        let city = City::new(1);
        let known = (0..4_000)
            .filter(|house| premises_at(1, &city, &format!("{house} N NOWHERE ST")).is_some())
            .count();
        assert!((850..1_150).contains(&known), "{known} of 4000");
    }

    #[test]
    fn an_address_has_the_same_past_each_time() {
        let city = City::new(1);
        for house in 0..200 {
            let address = format!("{house} N NOWHERE ST");
            let first = premises_at(1, &city, &address);
            assert_eq!(first, premises_at(1, &city, &address));
        }
    }
}
