//! How well a table of rules does on narratives that somebody has marked: precision (of
//! what was found, how much is right) and recall (of what is there, how much was found),
//! by kind.
//!
//! The form of a file of narratives is told in `tests/narratives/README.md`. A find is
//! right where its value is the marked one in every part (of a plate also its state and
//! whether it is whole, of a vehicle each of color, year, make, model and body, of an
//! address the unit) and its words overlap those that are marked. Addresses of both sides
//! are compared by their keys ([`crate::address`]); descriptions by their words, of which
//! at least half must be the same.

use std::collections::BTreeSet;
use std::ops::Range;
use std::path::Path;

use serde::Deserialize;

use super::{Entity, EntityWhat, Person, Plate, Rules, Vehicle};
use crate::address;

/// A find and a marked description are the same where so much of their words are.
const WORDS_SHARED_MIN: f64 = 0.5;

/// The kinds, in the order of the table.
pub const KINDS: [&str; 10] = [
    "plates",
    "partial plates",
    "vehicles",
    "phones",
    "names",
    "dates of birth",
    "descriptions",
    "addresses",
    "weapons",
    "dangers",
];

/// A file of marked narratives.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Narratives {
    pub narrative: Vec<Marked>,
}

/// A narrative and what a careful person marked in it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Marked {
    pub text: String,
    #[serde(default)]
    plates: Vec<PlateMark>,
    #[serde(default)]
    vehicles: Vec<VehicleMark>,
    #[serde(default)]
    phones: Vec<Mark>,
    #[serde(default)]
    names: Vec<NameMark>,
    #[serde(default)]
    descriptions: Vec<DescriptionMark>,
    #[serde(default)]
    addresses: Vec<AddressMark>,
    #[serde(default)]
    weapons: Vec<Mark>,
    #[serde(default)]
    dangers: Vec<Mark>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Mark {
    is: String,
    words: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PlateMark {
    is: String,
    state: Option<String>,
    #[serde(default)]
    partial: bool,
    words: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct VehicleMark {
    color: Option<String>,
    year: Option<u16>,
    make: Option<String>,
    model: Option<String>,
    body: Option<String>,
    words: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct NameMark {
    is: String,
    born: Option<String>,
    words: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct DescriptionMark {
    words: String,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct AddressMark {
    is: String,
    #[serde(default)]
    unit: String,
    words: String,
}

/// Of one kind: how many are marked, how many were found, how many of those are right.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Tally {
    pub marked: u32,
    pub found: u32,
    pub right: u32,
}

impl Tally {
    /// Of what was found, the share that is right; `None` where nothing was found.
    #[must_use]
    pub fn precision(&self) -> Option<f64> {
        (self.found > 0).then(|| f64::from(self.right) / f64::from(self.found))
    }

    /// Of what is marked, the share that was found; `None` where nothing is.
    #[must_use]
    pub fn recall(&self) -> Option<f64> {
        (self.marked > 0).then(|| f64::from(self.right) / f64::from(self.marked))
    }
}

/// One thing that was not found, or found and not marked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    pub kind: &'static str,
    /// It is marked and was missed; else it was found and is wrong.
    pub missed: bool,
    pub words: String,
    /// … as it was read or marked.
    pub value: String,
    /// Its narrative.
    pub text: String,
}

/// The tallies, in the order of [`KINDS`], and each mistake.
#[derive(Debug, Default)]
pub struct Score {
    pub tallies: [Tally; KINDS.len()],
    pub mistakes: Vec<Mistake>,
}

/// A file of narratives that cannot be used, in one sentence.
#[derive(Debug, thiserror::Error)]
#[error("{path}: {reason}")]
pub struct NarrativesError {
    pub path: String,
    pub reason: String,
}

/// What is marked or found, of any kind, in one form.
#[derive(Debug, PartialEq)]
struct Item {
    kind: usize,
    value: String,
    bytes: Range<usize>,
    words: String,
}

impl Narratives {
    /// # Errors
    /// When the file cannot be read or is not of the form, or marked words do not stand in
    /// their narrative exactly once.
    pub fn read(path: &Path) -> Result<Self, NarrativesError> {
        let failed = |reason: String| NarrativesError {
            path: path.display().to_string(),
            reason,
        };
        let text = std::fs::read_to_string(path).map_err(|e| failed(e.to_string()))?;
        let all: Self = toml::from_str(&text).map_err(|e| failed(e.to_string()))?;
        for marked in &all.narrative {
            let wrong = marked
                .words()
                .find(|words| marked.text.matches(*words).count() != 1);
            if let Some(words) = wrong {
                return Err(failed(format!(
                    "the words {words:?} stand not once in {:?}",
                    marked.text
                )));
            }
        }
        Ok(all)
    }
}

impl Marked {
    fn words(&self) -> impl Iterator<Item = &str> {
        let plates = self.plates.iter().map(|mark| mark.words.as_str());
        let vehicles = self.vehicles.iter().map(|mark| mark.words.as_str());
        let names = self.names.iter().map(|mark| mark.words.as_str());
        let descriptions = self.descriptions.iter().map(|mark| mark.words.as_str());
        let addresses = self.addresses.iter().map(|mark| mark.words.as_str());
        let others = self.phones.iter().chain(&self.weapons).chain(&self.dangers);
        plates
            .chain(vehicles)
            .chain(names)
            .chain(descriptions)
            .chain(addresses)
            .chain(others.map(|mark| mark.words.as_str()))
    }

    fn items(&self) -> Vec<Item> {
        let mut items = Vec::new();
        let mut add = |kind: &str, value: String, words: &str| {
            let start = self.text.find(words).unwrap_or_default();
            items.push(Item {
                kind: KINDS
                    .iter()
                    .position(|known| *known == kind)
                    .unwrap_or_default(),
                value,
                bytes: start..start + words.len(),
                words: words.to_owned(),
            });
        };
        for mark in &self.plates {
            let plate = Plate {
                plate: mark.is.clone(),
                state: mark.state.clone(),
                partial: mark.partial,
            };
            add(plate_kind(&plate), plate_value(&plate), &mark.words);
        }
        for mark in &self.vehicles {
            let vehicle = Vehicle {
                color: mark.color.clone(),
                year: mark.year,
                make: mark.make.clone(),
                model: mark.model.clone(),
                body: mark.body.clone(),
            };
            add("vehicles", vehicle_value(&vehicle), &mark.words);
        }
        for mark in &self.names {
            add("names", mark.is.clone(), &mark.words);
            if let Some(born) = &mark.born {
                add("dates of birth", format!("{} {born}", mark.is), &mark.words);
            }
        }
        for mark in &self.descriptions {
            add("descriptions", String::new(), &mark.words);
        }
        for mark in &self.addresses {
            let read = address::normalise(&mark.is);
            let unit = if mark.unit.is_empty() {
                &read.unit
            } else {
                &mark.unit
            };
            add(
                "addresses",
                address_value(&read.building, unit),
                &mark.words,
            );
        }
        for mark in &self.phones {
            add("phones", mark.is.replace('-', ""), &mark.words);
        }
        for (kind, marks) in [("weapons", &self.weapons), ("dangers", &self.dangers)] {
            for mark in marks {
                add(kind, mark.is.clone(), &mark.words);
            }
        }
        items
    }
}

/// Reads each narrative by these rules and holds what they find against what is marked.
#[must_use]
pub fn score(rules: &Rules, narratives: &Narratives) -> Score {
    let mut score = Score::default();
    for marked in &narratives.narrative {
        let mut left = marked.items();
        for item in &left {
            score.tallies[item.kind].marked += 1;
        }
        for found in rules.entities(&marked.text).iter().flat_map(items) {
            let tally = &mut score.tallies[found.kind];
            tally.found += 1;
            match left.iter().position(|item| is_same(item, &found)) {
                Some(at) => {
                    tally.right += 1;
                    left.remove(at);
                }
                None => score.mistakes.push(mistake(found, false, &marked.text)),
            }
        }
        let missed = left
            .into_iter()
            .map(|item| mistake(item, true, &marked.text));
        score.mistakes.extend(missed);
    }
    score
}

fn mistake(item: Item, missed: bool, text: &str) -> Mistake {
    Mistake {
        kind: KINDS[item.kind],
        missed,
        words: item.words,
        value: item.value,
        text: text.to_owned(),
    }
}

fn is_same(marked: &Item, found: &Item) -> bool {
    let overlap = marked.bytes.start < found.bytes.end && found.bytes.start < marked.bytes.end;
    let same = marked.kind == found.kind && marked.value == found.value;
    let described =
        KINDS[marked.kind] != "descriptions" || is_same_look(&marked.words, &found.words);
    overlap && same && described
}

fn is_same_look(one: &str, other: &str) -> bool {
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|sign: char| !sign.is_alphanumeric());
        words
            .filter(|word| !word.is_empty())
            .map(str::to_uppercase)
            .collect()
    };
    let (one, other) = (words(one), words(other));
    let (shared, all) = (one.intersection(&other).count(), one.union(&other).count());
    #[allow(clippy::cast_precision_loss)] // words of one narrative
    let share = shared as f64 / all.max(1) as f64;
    share >= WORDS_SHARED_MIN
}

/// What was found, as the kinds that are scored: of one person up to three.
fn items(entity: &Entity) -> Vec<Item> {
    let item = |kind: &str, value: String| Item {
        kind: KINDS
            .iter()
            .position(|known| *known == kind)
            .unwrap_or_default(),
        value,
        bytes: entity.bytes.clone(),
        words: entity.words.clone(),
    };
    match &entity.what {
        EntityWhat::Plate(plate) => vec![item(plate_kind(plate), plate_value(plate))],
        EntityWhat::Vehicle(vehicle) => vec![item("vehicles", vehicle_value(vehicle))],
        EntityWhat::Phone(number) => vec![item("phones", number.clone())],
        EntityWhat::Person(person) => person_items(person, &item),
        EntityWhat::Address(found) => {
            vec![item(
                "addresses",
                address_value(&found.building, &found.unit),
            )]
        }
        EntityWhat::Weapon(kind) => vec![item("weapons", kind.clone())],
        EntityWhat::Danger(kind) => vec![item("dangers", kind.clone())],
    }
}

fn person_items(person: &Person, item: &dyn Fn(&str, String) -> Item) -> Vec<Item> {
    let mut items = Vec::new();
    if let Some(name) = person.name() {
        items.push(item("names", name.clone()));
        items.extend(
            person
                .born
                .iter()
                .map(|born| item("dates of birth", format!("{name} {born}"))),
        );
    }
    if let Some(look) = &person.description {
        let mut look_item = item("descriptions", String::new());
        look_item.words.clone_from(look);
        items.push(look_item);
    }
    items
}

fn plate_kind(plate: &Plate) -> &'static str {
    if plate.partial {
        "partial plates"
    } else {
        "plates"
    }
}

fn plate_value(plate: &Plate) -> String {
    format!("{} {}", plate.plate, plate.state.as_deref().unwrap_or("-"))
}

fn vehicle_value(vehicle: &Vehicle) -> String {
    let year = vehicle.year.map(|year| year.to_string());
    let parts = [
        &vehicle.color,
        &year,
        &vehicle.make,
        &vehicle.model,
        &vehicle.body,
    ];
    parts
        .map(|part| part.as_deref().unwrap_or("-").to_owned())
        .join(" ")
}

fn address_value(building: &str, unit: &str) -> String {
    format!("{building}; {unit}")
}
