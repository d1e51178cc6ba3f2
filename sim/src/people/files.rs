//! What is on file of each of Cedarport's people, and whose telephone it is. All made up.

use fastrand::Rng;
use serde::Serialize;
use server::hot_list::soundex;

use super::{People, Person, past_day};
use crate::chance::{happens, pick_word};

/// Most persons of one answer.
const FILES_MAX: usize = 5;
/// Of all people, so many are wanted, and so many are on file with a caution.
const WANTED_SHARE: f64 = 0.03;
const CAUTION_SHARE: f64 = 0.05;
const WANTED_FOR: [&str; 4] = ["failure to appear", "burglary", "battery", "fraud"];
const CAUTIONS: [&str; 3] = [
    "known to carry a knife",
    "has fought with officers before",
    "known to run",
];
const HAIR: [&str; 4] = ["BLK", "BRO", "BLN", "GRY"];

#[derive(Clone, Debug)]
pub(super) struct File {
    born: String,
    phone: String,
    description: String,
    wanted_for: Option<&'static str>,
    caution: Option<&'static str>,
    recorded: String,
}

/// A person as the persons source answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct PersonFile {
    name: String,
    born: String,
    description: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    wanted_for: Option<&'static str>,
    cautions: Vec<&'static str>,
    matched: &'static str,
    recorded: String,
}

/// Whose number it is, as the phones source answers.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Subscriber {
    phone: String,
    subscriber: String,
    address: String,
    kind: &'static str,
    recorded: String,
}

pub(super) fn file(rng: &mut Rng, number: usize) -> File {
    let (year, month, day) = (rng.u16(1945..2000), rng.u8(1..13), rng.u8(1..29));
    let description = format!(
        "{}'{}\", {} lb, hair {}",
        rng.u8(5..7),
        rng.u8(0..12),
        rng.u16(110..260),
        pick_word(rng, &HAIR)
    );
    File {
        born: format!("{year}-{month:02}-{day:02}"),
        // 555-01xx are for made-up numbers; the area code makes them enough.
        phone: format!("{}5550{:03}", 201 + number / 100 * 10, 100 + number % 100),
        description,
        wanted_for: happens(rng, WANTED_SHARE).then(|| pick_word(rng, &WANTED_FOR)),
        caution: happens(rng, CAUTION_SHARE).then(|| pick_word(rng, &CAUTIONS)),
        recorded: past_day(rng),
    }
}

impl People {
    /// Who has this name, or one that sounds like it; without a first name anybody with
    /// the last. The nearest match first.
    pub(crate) fn files(&self, last: &str, first: &str, born: &str) -> Vec<PersonFile> {
        let same = |a: &str, b: &str| a.trim().eq_ignore_ascii_case(b.trim());
        let matched = |person: &Person| {
            let first_fits = first.trim().is_empty() || same(person.first, first);
            if same(person.last, last) && first_fits {
                let is_exact = !first.trim().is_empty() && person.file.born == born;
                return Some(if is_exact { "exact" } else { "partial" });
            }
            let sounds = soundex(person.last) == soundex(last)
                && (first.trim().is_empty() || soundex(person.first) == soundex(first));
            sounds.then_some("phonetic")
        };
        let mut found: Vec<PersonFile> = self
            .people
            .iter()
            .filter_map(|person| matched(person).map(|matched| person.on_file(matched)))
            .collect();
        // The three words stand in this order in the alphabet too.
        found.sort_by_key(|file| (file.matched, file.born.clone()));
        found.truncate(FILES_MAX);
        found
    }

    pub(crate) fn subscriber(&self, number: &str) -> Option<Subscriber> {
        let digits: String = number.chars().filter(char::is_ascii_digit).collect();
        let person = self
            .people
            .iter()
            .find(|person| person.file.phone == digits)?;
        Some(Subscriber {
            phone: digits,
            subscriber: person.name(),
            address: person.home.clone(),
            kind: "mobile",
            recorded: person.file.recorded.clone(),
        })
    }
}

impl Person {
    fn name(&self) -> String {
        format!("{}, {}", self.last, self.first).to_uppercase()
    }

    fn on_file(&self, matched: &'static str) -> PersonFile {
        PersonFile {
            name: self.name(),
            born: self.file.born.clone(),
            description: self.file.description.clone(),
            wanted_for: self.file.wanted_for,
            cautions: self.file.caution.into_iter().collect(),
            matched,
            recorded: self.file.recorded.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::city::City;

    #[test]
    fn a_person_is_found_by_name_and_birth_by_name_and_by_sound() {
        let people = People::new(1, &City::new(1));
        let one = &people.people[0];
        let exact = people.files(one.last, one.first, &one.file.born);
        assert_eq!(exact[0].matched, "exact");
        let partial = people.files(&one.last.to_lowercase(), one.first, "");
        assert_eq!(partial[0].matched, "partial");
        let phonetic = people.files("Lindkvist", "", "");
        assert!(phonetic.iter().all(|file| file.matched == "phonetic"));
        assert!(phonetic[0].name.starts_with("LINDQUIST"));
        assert_eq!(phonetic.len(), FILES_MAX);
    }

    #[test]
    fn each_has_a_phone_of_their_own_and_a_few_are_wanted() {
        let people = People::new(1, &City::new(1));
        let mut phones: Vec<_> = people.people.iter().map(|p| &p.file.phone).collect();
        phones.sort();
        phones.dedup();
        assert_eq!(phones.len(), people.people.len());
        assert!(phones.iter().all(|phone| phone.len() == 10));
        let wanted = people.people.iter().filter(|p| p.file.wanted_for.is_some());
        assert!((5..80).contains(&wanted.count()));
        let one = &people.people[7];
        let subscriber = people.subscriber(&one.file.phone);
        assert_eq!(subscriber.map(|s| s.address).as_ref(), Some(&one.home));
    }
}
