//! What a text names: a plate, a vehicle, a telephone, a person, a place, a weapon, a
//! danger. Each with the words that it was read from, so that a person can judge it.

use std::ops::Range;

use packet::Subject;

use crate::address::Address;

/// One thing that a text names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entity {
    pub what: EntityWhat,
    /// Where its words stand in the text, in bytes.
    pub bytes: Range<usize>,
    /// … and the words, verbatim.
    pub words: String,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EntityWhat {
    Plate(Plate),
    Vehicle(Vehicle),
    /// Ten digits, `4145550118`.
    Phone(String),
    Person(Person),
    Address(Address),
    /// The kind, as the table of rules calls it: `gun`, `blade` …
    Weapon(String),
    /// The kind, as the table of rules calls it: `shots`, `threat` …
    Danger(String),
}

/// A license plate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plate {
    /// Letters and digits only, in capitals.
    pub plate: String,
    /// The state's two letters, where the text says them.
    pub state: Option<String>,
    /// Not all of it, or its writer is not sure: it may be searched for and is never run.
    pub partial: bool,
}

/// A road vehicle, as far as the text says how it looks. Usual names: `Chevrolet`, `gray`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Vehicle {
    pub color: Option<String>,
    pub year: Option<u16>,
    pub make: Option<String>,
    pub model: Option<String>,
    pub body: Option<String>,
}

/// A person: a name, a look, or both.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Person {
    /// Given names and initials, in capitals: `JAMAR T`.
    pub first: Option<String>,
    /// The family name, in capitals.
    pub last: Option<String>,
    /// `1990-08-08`, where the text says it.
    pub born: Option<String>,
    /// Sex, race, age, build, clothing: verbatim.
    pub description: Option<String>,
}

impl Person {
    /// The name as far as it is said: `JAMAR T OWENS`.
    #[must_use]
    pub fn name(&self) -> Option<String> {
        match (&self.first, &self.last) {
            (Some(first), Some(last)) => Some(format!("{first} {last}")),
            (first, last) => first.clone().or_else(|| last.clone()),
        }
    }
}

impl Entity {
    /// What sources are asked about it; `None` for what is not looked up: a vehicle, a
    /// weapon, a danger, and a person whose family name is not said.
    #[must_use]
    pub fn subject(&self) -> Option<Subject> {
        match &self.what {
            EntityWhat::Plate(plate) => Some(Subject::Plate {
                plate: plate.plate.clone(),
                state: plate.state.clone(),
            }),
            EntityWhat::Phone(digits) => Some(Subject::Phone(digits.clone())),
            EntityWhat::Person(person) => Some(Subject::Person {
                last: person.last.clone()?,
                first: person.first.clone().unwrap_or_default(),
                born: person.born.clone(),
            }),
            EntityWhat::Address(Address { building, unit }) => {
                let whole = format!("{building} {unit}");
                Some(Subject::Address(whole.trim_end().to_owned()))
            }
            EntityWhat::Vehicle(_) | EntityWhat::Weapon(_) | EntityWhat::Danger(_) => None,
        }
    }

    pub(super) fn new(text: &str, bytes: Range<usize>, what: EntityWhat) -> Self {
        Self {
            what,
            words: text[bytes.clone()].to_owned(),
            bytes,
        }
    }
}
