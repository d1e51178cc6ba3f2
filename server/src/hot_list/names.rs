//! What a packet, a query or a plate read names, what an entry lists, and whether the two
//! are the same.
//!
//! A match is never called better than it is: exact is the plate with its state, the person
//! with the day of birth, the phone. All else is a lead to verify, and what contradicts
//! (another state, another day of birth) is no match at all.

use std::collections::BTreeSet;

use jiff::civil::Date;
use packet::{Confidence, Query, QueryWhat, Subject, lookup};
use serde::{Deserialize, Serialize};

use super::soundex::soundex;
use super::words;
use crate::triage::{Entity, EntityWhat};

/// Words of a vehicle's description that must be in both, of those that tell cars apart.
const VEHICLE_WORDS_MIN: usize = 3;
/// Words that tell no car from another.
const VEHICLE_WORDS_NOT_TELLING: [&str; 24] = [
    "A", "AN", "AND", "AUTO", "CAR", "DOOR", "DR", "IN", "LAST", "LIGHT", "DARK", "NO", "OF",
    "OLDER", "OR", "PLATE", "PLATES", "POSSIBLE", "SEEN", "THE", "TINTED", "UNK", "VEHICLE",
    "WITH",
];
/// Colours and bodies as registrations write them, and in words.
const VEHICLE_WORDS_SHORT: [(&str, &str); 18] = [
    ("BLK", "BLACK"),
    ("WHI", "WHITE"),
    ("WHT", "WHITE"),
    ("SIL", "SILVER"),
    ("SLV", "SILVER"),
    ("GRY", "GRAY"),
    ("GREY", "GRAY"),
    ("BLU", "BLUE"),
    ("GRN", "GREEN"),
    ("BRO", "BROWN"),
    ("MAR", "MAROON"),
    ("GLD", "GOLD"),
    ("YEL", "YELLOW"),
    ("CHEV", "CHEVROLET"),
    ("CHEVY", "CHEVROLET"),
    ("TOYT", "TOYOTA"),
    ("HOND", "HONDA"),
    ("TK", "TRUCK"),
];

/// Something that is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Named {
    /// Letters and digits, in capitals, and the state's two letters.
    Plate {
        plate: String,
        state: Option<String>,
    },
    /// `?` stands for one character, `*` for any number of them.
    PartialPlate {
        plate: String,
        state: Option<String>,
    },
    Person {
        name: String,
        born: Option<Date>,
    },
    /// Ten digits.
    Phone(String),
    /// A vehicle in words.
    Vehicle(String),
    /// What somebody wrote: listed persons are looked for in it by name.
    Words(String),
}

/// What of an entry is looked for. At least one is there, unless it is a lookout in words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wanted {
    /// Where it has `?` or `*` in it, a part of one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plate: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub date_of_birth: Option<Date>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<String>,
}

impl Named {
    /// The keys of entries that may be meant.
    pub(super) fn keys(&self) -> Vec<Sought> {
        match self {
            Self::Plate { plate, .. } => {
                vec![Sought::Key(format!("P:{plate}")), Sought::Kind("Q:")]
            }
            Self::PartialPlate { .. } => vec![Sought::Kind("P:")],
            Self::Person { name, .. } => person_key(name).map(Sought::Key).into_iter().collect(),
            Self::Phone(phone) => vec![Sought::Key(format!("T:{phone}"))],
            Self::Vehicle(_) => vec![Sought::Kind("V:")],
            Self::Words(text) => {
                let words: BTreeSet<_> = words::plain(text).into_iter().collect();
                let long = words.into_iter().filter(|word| word.chars().count() > 1);
                long.map(|word| Sought::Key(format!("S:{word}"))).collect()
            }
        }
    }

    /// Under which key it is kept for entries that are listed later.
    pub(super) fn key(&self) -> Option<String> {
        match self {
            Self::Plate { plate, .. } => Some(format!("P:{plate}")),
            Self::PartialPlate { plate, .. } => Some(format!("Q:{plate}")),
            Self::Person { name, .. } => person_key(name),
            Self::Phone(phone) => Some(format!("T:{phone}")),
            Self::Vehicle(_) => Some("V:".into()),
            Self::Words(_) => Some("W:".into()),
        }
    }

    /// What a person asks, where it is something that is listed.
    #[must_use]
    pub fn asked(query: &Query) -> Option<Self> {
        match query.what {
            QueryWhat::Plate => Self::plate(&query.value),
            QueryWhat::Person => Self::person(&query.value),
            QueryWhat::Phone => words::phone(&query.value).map(Self::Phone),
            QueryWhat::Address | QueryWhat::Clip => None,
        }
    }

    /// A plate as people write it, with its state behind it or without: `ABC-123 WI`.
    #[must_use]
    pub fn plate(text: &str) -> Option<Self> {
        let (plate, state) = match text.trim().rsplit_once([' ', ',', '/']) {
            Some((plate, state)) if words::is_state(state) => {
                (plate, Some(state.trim().to_uppercase()))
            }
            _ => (text, None),
        };
        let pattern = lookup::partial_plate(plate);
        match pattern.contains(['?', '*']) {
            _ if pattern.is_empty() => None,
            true => Some(Self::PartialPlate {
                plate: pattern,
                state,
            }),
            false => Some(Self::Plate {
                plate: pattern,
                state,
            }),
        }
    }

    /// A person as people write one, with the day of birth anywhere: `DOE, JANE 1980-02-03`.
    #[must_use]
    pub fn person(text: &str) -> Option<Self> {
        match Subject::parse(QueryWhat::Person, text) {
            Ok(Subject::Person { last, first, born }) => Some(Self::Person {
                name: format!("{last}, {first}"),
                born: born.and_then(|born| born.parse().ok()),
            }),
            _ => None,
        }
    }

    /// What the rules in force read in somebody's words, where it is of a kind that is listed.
    pub(super) fn read(entity: &Entity) -> Option<Self> {
        match &entity.what {
            EntityWhat::Plate(plate) => Some(if plate.partial {
                Self::PartialPlate {
                    plate: format!("*{}*", plate.plate),
                    state: plate.state.clone(),
                }
            } else {
                Self::Plate {
                    plate: plate.plate.clone(),
                    state: plate.state.clone(),
                }
            }),
            EntityWhat::Person(_) => Self::person(&entity.subject()?.shown()),
            EntityWhat::Phone(digits) => words::phone(digits).map(Self::Phone),
            EntityWhat::Vehicle(vehicle) => Some(Self::Vehicle(vehicle.to_string())),
            EntityWhat::Address(_) | EntityWhat::Weapon(_) | EntityWhat::Danger(_) => None,
        }
    }

    /// As a finding says it.
    pub(super) fn text(&self) -> String {
        let with = |what: &str, more: Option<String>| match more {
            Some(more) => format!("{what} {more}"),
            None => what.to_owned(),
        };
        match self {
            Self::Plate { plate, state } | Self::PartialPlate { plate, state } => {
                with(plate, state.clone())
            }
            Self::Person { name, born } => with(name, born.map(|born| born.to_string())),
            Self::Phone(phone) => phone.clone(),
            Self::Vehicle(words) => words.clone(),
            Self::Words(_) => "what was written".into(),
        }
    }
}

/// Where candidates are looked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Sought {
    Key(String),
    /// All of this kind: they are few.
    Kind(&'static str),
}

impl Wanted {
    /// The keys under which the entry is found.
    pub(super) fn keys(&self) -> Vec<String> {
        let mut keys = Vec::new();
        if let Some(plate) = &self.plate {
            let kind = if is_partial(plate) { "Q" } else { "P" };
            keys.push(format!("{kind}:{plate}"));
        }
        if let Some(name) = &self.name {
            keys.extend(person_key(name));
            let (surname, _) = words::name_parts(name);
            keys.push(format!("S:{surname}"));
        }
        if let Some(phone) = &self.phone {
            keys.push(format!("T:{phone}"));
        }
        if self.vehicle.is_some() {
            keys.push("V:".into());
        }
        keys
    }

    /// Where names are looked for that may mean this entry.
    pub(super) fn sought(&self) -> Vec<Sought> {
        let mut sought = Vec::new();
        if let Some(plate) = &self.plate {
            if is_partial(plate) {
                sought.push(Sought::Kind("P:"));
            } else {
                sought.extend([Sought::Key(format!("P:{plate}")), Sought::Kind("Q:")]);
            }
        }
        if let Some(name) = &self.name {
            sought.extend(person_key(name).map(Sought::Key));
            sought.push(Sought::Kind("W:"));
        }
        if let Some(phone) = &self.phone {
            sought.push(Sought::Key(format!("T:{phone}")));
        }
        if self.vehicle.is_some() {
            sought.push(Sought::Kind("V:"));
        }
        sought
    }

    /// Whether this is meant, and how sure that is.
    #[must_use]
    pub fn is_meant(&self, named: &Named) -> Option<Confidence> {
        match named {
            Named::Plate { plate, state } => {
                let wanted = self.plate.as_ref()?;
                let same_state = agree(self.state.as_ref(), state.as_ref())?;
                match is_partial(wanted) {
                    true => lookup::plate_fits(wanted, plate).then_some(Confidence::Partial),
                    false if wanted != plate => None,
                    false if same_state == Agreed::Same => Some(Confidence::Exact),
                    false => Some(Confidence::Partial),
                }
            }
            Named::PartialPlate { plate, state } => {
                let wanted = self.plate.as_ref().filter(|wanted| !is_partial(wanted))?;
                agree(self.state.as_ref(), state.as_ref())?;
                lookup::plate_fits(plate, wanted).then_some(Confidence::Partial)
            }
            Named::Person { name, born } => self.is_person(name, *born),
            Named::Phone(phone) => (self.phone.as_ref()? == phone).then_some(Confidence::Exact),
            Named::Vehicle(words) => {
                is_vehicle(self.vehicle.as_ref()?, words).then_some(Confidence::Partial)
            }
            Named::Words(text) => {
                let name = self.name.as_ref()?;
                if !words::has_name(text, name) {
                    return None;
                }
                match self.date_of_birth {
                    Some(born) if words::has_date(text, born) => Some(Confidence::Exact),
                    _ => Some(Confidence::Partial),
                }
            }
        }
    }

    fn is_person(&self, name: &str, born: Option<Date>) -> Option<Confidence> {
        let (surname, given) = words::name_parts(self.name.as_ref()?);
        let (other_surname, other_given) = words::name_parts(name);
        let (first, other_first) = (given.first()?, other_given.first()?);
        let same_day = agree(self.date_of_birth.as_ref(), born.as_ref())? == Agreed::Same;
        let (same_surname, same_first) = (surname == other_surname, first == other_first);
        if same_surname && same_first {
            return Some(if same_day {
                Confidence::Exact
            } else {
                Confidence::Partial
            });
        }
        let is_initial =
            |short: &str, long: &str| short.chars().count() == 1 && long.starts_with(short);
        if same_surname && (is_initial(first, other_first) || is_initial(other_first, first)) {
            return same_day.then_some(Confidence::Partial);
        }
        let alike = |a: &str, b: &str| a == b || (soundex(a).is_some() && soundex(a) == soundex(b));
        let is_alike = alike(&surname, &other_surname) && alike(first, other_first);
        (is_alike && (same_day || same_surname || same_first)).then_some(Confidence::Phonetic)
    }

    /// In a few words, for a title or a beat's search.
    #[must_use]
    pub fn text(&self) -> String {
        let plate = self.plate.as_ref().map(|plate| match &self.state {
            Some(state) => format!("{plate} {state}"),
            None => plate.clone(),
        });
        let name = self.name.as_ref().map(|name| match self.date_of_birth {
            Some(born) => format!("{name} ({born})"),
            None => name.clone(),
        });
        let all = [plate, name, self.phone.clone(), self.vehicle.clone()];
        let all: Vec<_> = all.into_iter().flatten().collect();
        all.join(", ")
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Agreed {
    Same,
    /// One of the two does not say it.
    Unsaid,
}

/// `None` where they contradict.
fn agree<T: PartialEq>(one: Option<&T>, other: Option<&T>) -> Option<Agreed> {
    match (one, other) {
        (Some(one), Some(other)) => (one == other).then_some(Agreed::Same),
        _ => Some(Agreed::Unsaid),
    }
}

pub(super) fn is_partial(plate: &str) -> bool {
    plate.contains(['?', '*'])
}

fn person_key(name: &str) -> Option<String> {
    let (surname, _) = words::name_parts(name);
    Some(format!("N:{}", soundex(&surname)?))
}

fn is_vehicle(wanted: &str, named: &str) -> bool {
    let telling = |text: &str| -> BTreeSet<String> {
        words::plain(text)
            .into_iter()
            .map(|word| {
                let long = VEHICLE_WORDS_SHORT.iter().find(|(short, _)| *short == word);
                long.map_or(word, |(_, long)| (*long).to_owned())
            })
            .filter(|word| !VEHICLE_WORDS_NOT_TELLING.contains(&word.as_str()))
            .collect()
    };
    telling(wanted).intersection(&telling(named)).count() >= VEHICLE_WORDS_MIN
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn plate(text: &str) -> Named {
        Named::plate(text).unwrap()
    }

    fn wanted_plate(plate: &str, state: Option<&str>) -> Wanted {
        Wanted {
            plate: Some(plate.into()),
            state: state.map(Into::into),
            ..Wanted::default()
        }
    }

    fn person(name: &str, born: Option<&str>) -> Named {
        Named::Person {
            name: name.into(),
            born: born.map(|born| born.parse().unwrap()),
        }
    }

    /// Whether what the keys say may be meant has everything that is meant.
    fn is_found(wanted: &Wanted, named: &Named) -> bool {
        let fits = |sought: &Sought, keys: &[String]| match sought {
            Sought::Key(key) => keys.contains(key),
            Sought::Kind(kind) => keys.iter().any(|key| key.starts_with(kind)),
        };
        let by_name = named.keys().iter().any(|s| fits(s, &wanted.keys()));
        let kept: Vec<_> = named.key().into_iter().collect();
        let by_entry = wanted.sought().iter().any(|s| fits(s, &kept));
        assert_eq!(by_name, by_entry, "{wanted:?} {named:?}");
        by_name
    }

    #[test]
    fn a_plate_is_exact_with_its_state_and_nobodys_in_another() {
        use Confidence::{Exact, Partial};
        for (wanted, state, named, how) in [
            ("ABC123", Some("WI"), "abc-123 WI", Some(Exact)),
            ("ABC123", Some("WI"), "ABC123", Some(Partial)),
            ("ABC123", None, "ABC123 WI", Some(Partial)),
            ("ABC123", Some("WI"), "ABC123 IL", None),
            ("ABC123", Some("WI"), "ABC124 WI", None),
            ("ABC1??", Some("WI"), "ABC123 WI", Some(Partial)),
            ("ABC1??", Some("WI"), "ABC123 IL", None),
            ("ABC123", Some("WI"), "ABC1* WI", Some(Partial)),
            ("ABC1??", None, "ABC1*", None),
        ] {
            let (wanted, named) = (wanted_plate(wanted, state), plate(named));
            assert_eq!(wanted.is_meant(&named), how, "{wanted:?} {named:?}");
            assert!(how.is_none() || is_found(&wanted, &named), "{named:?}");
        }
        assert_eq!(Named::plate(" - "), None);
    }

    #[test]
    fn a_person_is_exact_by_name_and_day_of_birth_and_phonetic_by_sound() {
        use Confidence::{Exact, Partial, Phonetic};
        let day = Some("1980-02-03");
        for (name, born, how) in [
            ("Smith, John", day, Some(Exact)),
            ("JOHN ALLEN SMITH", day, Some(Exact)),
            ("Smith, John", None, Some(Partial)),
            ("Smith, John", Some("1981-02-03"), None),
            ("Smith, J", day, Some(Partial)),
            ("Smith, J", None, None),
            ("Smyth, Jon", day, Some(Phonetic)),
            ("Smyth, John", None, Some(Phonetic)),
            ("Smyth, Jon", None, None),
            ("Smyth, Mary", day, None),
            ("Smith", day, None),
        ] {
            let wanted = Wanted {
                name: Some("SMITH, JOHN".into()),
                date_of_birth: Some("1980-02-03".parse().unwrap()),
                ..Wanted::default()
            };
            let named = person(name, born);
            assert_eq!(wanted.is_meant(&named), how, "{name} {born:?}");
            assert!(how.is_none() || is_found(&wanted, &named), "{name}");
        }
    }

    #[test]
    fn a_listed_person_is_met_in_words_by_the_whole_name_only() {
        use Confidence::{Exact, Partial};
        let wanted = Wanted {
            name: Some("Doe, Jane".into()),
            date_of_birth: Some("1980-02-03".parse().unwrap()),
            ..Wanted::default()
        };
        for (text, how) in [
            ("caller says JANE DOE is on the porch", Some(Partial)),
            ("susp: Doe, Jane dob 02/03/1980", Some(Exact)),
            ("Jane M. Doe was here", Some(Partial)),
            ("Jane is here. A doe stood in the road", None),
            ("DOE reported, no first name", None),
        ] {
            let named = Named::Words(text.into());
            assert_eq!(wanted.is_meant(&named), how, "{text}");
            assert!(how.is_none() || is_found(&wanted, &named), "{text}");
        }
    }

    #[test]
    fn a_vehicle_in_words_needs_three_that_tell_it_from_others() {
        let wanted = Wanted {
            vehicle: Some("red Ford F150 pickup, ladder rack".into()),
            ..Wanted::default()
        };
        for (words, is_meant) in [
            ("RED FORD F150", true),
            ("red 2011 Ford pickup with a dent", true),
            ("red Ford with plates", false),
            ("BLU FORD FOCUS", false),
        ] {
            let named = Named::Vehicle(words.into());
            assert_eq!(wanted.is_meant(&named).is_some(), is_meant, "{words}");
            assert!(is_found(&wanted, &named));
        }
    }

    #[test]
    fn a_query_names_what_it_asks() {
        let query = |what, value: &str| Query {
            what,
            value: value.into(),
            by: "Diaz".into(),
            purpose: None,
            reason: None,
        };
        assert_eq!(
            Named::asked(&query(QueryWhat::Person, "Doe, Jane 1980-02-03")),
            Some(person("DOE, JANE", Some("1980-02-03")))
        );
        assert_eq!(
            Named::asked(&query(QueryWhat::Phone, "+1 (414) 555-0123")),
            Some(Named::Phone("4145550123".into()))
        );
        assert_eq!(Named::asked(&query(QueryWhat::Address, "1 A ST")), None);
    }
}
