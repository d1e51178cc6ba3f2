//! One Friday evening of calls for service.
//!
//! Modelled on what a city of about 600,000 publishes for its busiest hours:
//! one call a minute, a tenth of them traffic stops, about half at an address
//! that was called about before. The day is in 2018, as the real calls that the
//! replay was made for are: the past in the records source lies before both.

use std::collections::{HashMap, HashSet};

use fastrand::Rng;
use serde::Serialize;

use crate::chance::{happens, pick, pick_weighted, stream};
use crate::city::{City, Place, Setting};
use crate::narrative::narrative;
use crate::natures::{NATURES, Nature};
use crate::people::People;

const DAY: &str = "2018-05-18";
const NEXT_DAY: &str = "2018-05-19";
const FIRST_HOUR: u32 = 17;
/// Calls in each hour from [`FIRST_HOUR`] on, before the seed's own deviation.
const CALLS_BY_HOUR: [u32; 8] = [58, 54, 57, 60, 60, 58, 53, 50];
/// An hour has so many calls more or fewer.
const CALLS_DEVIATION: u32 = 4;
/// A little above the half that is aimed at: a place can only come again once
/// its setting had a call.
const REPEAT_SHARE: f64 = 0.51;

/// One row of the replay CSV, fields in the order of its columns.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReplayCall {
    pub id: String,
    /// Local, to the second: `2018-05-18 17:00:14`.
    pub time: String,
    /// As dispatch writes it, with the city's code: `1420 W ALDER AV APT 4,CDR`.
    pub location: String,
    pub latitude: f64,
    pub longitude: f64,
    pub district: String,
    pub nature: String,
    /// How the call ended; dispatch knows it only afterwards.
    pub status: String,
    pub narrative: String,
}

/// The calls from 17:00 to 01:00, about 450, by time. The same for a seed.
pub fn evening(seed: u64) -> Vec<ReplayCall> {
    let city = City::new(seed);
    let people = People::new(seed, &city);
    let mut rng = stream(seed, "evening");
    let mut places = Places::new(&city);
    let mut id = 3_400_000 + rng.u32(..50_000);
    let times = times(&mut rng);
    times
        .into_iter()
        .map(|time| {
            // Numbers are dispatch's own: other business takes some between.
            id += rng.u32(1..4);
            let nature = pick_weighted(&mut rng, &NATURES, |nature| nature.weight);
            let place = places.next(&mut rng, nature.setting);
            call(&mut rng, id, time, nature, place, &people)
        })
        .collect()
}

fn call(
    rng: &mut Rng,
    id: u32,
    time: String,
    nature: &Nature,
    place: &Place,
    people: &People,
) -> ReplayCall {
    ReplayCall {
        id: id.to_string(),
        time,
        location: place.location.clone(),
        latitude: place.latitude,
        longitude: place.longitude,
        district: place.district.to_string(),
        nature: nature.name.to_owned(),
        status: pick_weighted(rng, nature.endings, |(weight, _)| *weight)
            .1
            .to_owned(),
        narrative: narrative(rng, nature.story, people, &place.location),
    }
}

/// Ascending.
fn times(rng: &mut Rng) -> Vec<String> {
    let mut seconds = Vec::new();
    for (hour, calls) in (FIRST_HOUR..).zip(CALLS_BY_HOUR) {
        let calls = calls - CALLS_DEVIATION + rng.u32(..=2 * CALLS_DEVIATION);
        seconds.extend((0..calls).map(|_| hour * 3_600 + rng.u32(..3_600)));
    }
    seconds.sort_unstable();
    seconds.into_iter().map(local_time).collect()
}

fn local_time(second: u32) -> String {
    let (hour, minute) = (second / 3_600, second / 60 % 60);
    let day = if hour < 24 { DAY } else { NEXT_DAY };
    format!("{day} {:02}:{minute:02}:{:02}", hour % 24, second % 60)
}

/// Gives places out, new ones and ones that had a call.
///
/// A repeated place is drawn from the calls so far, not from the places so far:
/// who was called about most is called about most again, which gives the few
/// addresses with very many calls that every city has.
struct Places<'a> {
    city: &'a City,
    called: HashMap<Setting, Vec<&'a Place>>,
    seen: HashSet<&'a str>,
}

impl<'a> Places<'a> {
    fn new(city: &'a City) -> Self {
        Self {
            city,
            called: HashMap::new(),
            seen: HashSet::new(),
        }
    }

    fn next(&mut self, rng: &mut Rng, setting: Setting) -> &'a Place {
        let called = self.called.entry(setting).or_default();
        let place = if !called.is_empty() && happens(rng, REPEAT_SHARE) {
            *pick(rng, called)
        } else {
            Self::unseen(self.city.places(setting), rng, &self.seen)
        };
        self.seen.insert(&place.location);
        called.push(place);
        place
    }

    /// The first place without a call from a drawn one on; that one again when
    /// every place had its call.
    fn unseen(places: &'a [Place], rng: &mut Rng, seen: &HashSet<&str>) -> &'a Place {
        let first = rng.usize(..places.len());
        let (before, after) = places.split_at(first);
        after
            .iter()
            .chain(before)
            .find(|place| !seen.contains(place.location.as_str()))
            .unwrap_or(&places[first])
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    const SEEDS: std::ops::Range<u64> = 0..12;

    #[test]
    fn one_seed_makes_one_evening() {
        assert_eq!(evening(7), evening(7));
        assert_ne!(evening(7), evening(8));
    }

    #[test]
    fn calls_come_by_time_between_five_and_one() {
        for seed in SEEDS {
            let calls = evening(seed);
            assert!((410..=490).contains(&calls.len()), "{}", calls.len());
            assert!(calls.is_sorted_by_key(|call| call.time.clone()));
            assert!(calls[0].time.as_str() >= "2018-05-18 17:00:00");
            assert!(calls.last().unwrap().time.as_str() < "2018-05-19 01:00:00");
            let ids: HashSet<_> = calls.iter().map(|call| &call.id).collect();
            assert_eq!(ids.len(), calls.len());
        }
    }

    #[test]
    fn about_half_of_the_calls_are_at_an_address_seen_before() {
        for seed in SEEDS {
            let calls = evening(seed);
            let addresses: HashSet<_> = calls.iter().map(|call| &call.location).collect();
            let share = 1.0 - addresses.len() as f64 / calls.len() as f64;
            assert!((0.35..=0.65).contains(&share), "seed {seed}: {share}");
        }
    }

    #[test]
    fn about_a_tenth_of_the_calls_are_traffic_stops() {
        let calls: Vec<_> = SEEDS.flat_map(evening).collect();
        let stops = calls.iter().filter(|call| call.nature == "TRAFFIC STOP");
        let share = stops.count() as f64 / calls.len() as f64;
        assert!((0.07..=0.13).contains(&share), "{share}");
    }

    #[test]
    fn every_narrative_is_filled_in() {
        for call in SEEDS.flat_map(evening) {
            assert!(!call.narrative.contains(['{', '}']), "{}", call.narrative);
        }
    }

    #[test]
    fn some_calm_natures_have_a_text_that_is_not() {
        let calls: Vec<_> = SEEDS.flat_map(evening).collect();
        let armed = calls.iter().filter(|call| {
            call.nature == "NOISE NUISANCE" && call.narrative.to_uppercase().contains("ARMED W/")
        });
        assert!(armed.count() > 0);
    }
}
