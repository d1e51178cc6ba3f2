//! What a text names: a plate, a vehicle, a telephone, a person, a place, a weapon, a
//! danger. Each with the words that it was read from, so that a person can judge it.

use std::ops::Range;

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
    /// Ten digits, `414-555-0118`.
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
    /// In capitals, the given name first: `JAMAR T OWENS`; or the one name that is said.
    pub name: Option<String>,
    /// `1990-08-08`, where the text says it.
    pub born: Option<String>,
    /// Sex, race, age, build, clothing: verbatim.
    pub description: Option<String>,
}

impl Entity {
    pub(super) fn new(text: &str, bytes: Range<usize>, what: EntityWhat) -> Self {
        Self {
            what,
            words: text[bytes.clone()].to_owned(),
            bytes,
        }
    }
}
