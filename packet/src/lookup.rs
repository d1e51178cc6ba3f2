//! How plates, places and words are compared: the same at the center and on a device
//! with no signal.

/// Long words of street addresses and their short ones (USPS Publication 28, appendices B
/// and C1): the few that dispatch writes both ways.
const SHORT: [(&str, &str); 21] = [
    ("NORTH", "N"),
    ("SOUTH", "S"),
    ("EAST", "E"),
    ("WEST", "W"),
    ("NORTHEAST", "NE"),
    ("NORTHWEST", "NW"),
    ("SOUTHEAST", "SE"),
    ("SOUTHWEST", "SW"),
    ("STREET", "ST"),
    ("AVENUE", "AVE"),
    ("AV", "AVE"),
    ("ROAD", "RD"),
    ("BOULEVARD", "BLVD"),
    ("DRIVE", "DR"),
    ("LANE", "LN"),
    ("COURT", "CT"),
    ("PLACE", "PL"),
    ("PARKWAY", "PKWY"),
    ("HIGHWAY", "HWY"),
    ("TERRACE", "TER"),
    ("CIRCLE", "CIR"),
];
/// What has at least so many characters, a digit among them, is also found across the
/// marks that split it: `ABC123` in `ABC-123`, and the other way round.
pub const SQUEEZED_CHARS_MIN: usize = 4;
/// `N` is north, and not every word that begins with it.
pub const WHOLE_CHARS_MAX: usize = 2;

/// A plate as plates are compared: letters and digits, in capitals.
#[must_use]
pub fn plate(text: &str) -> String {
    let kept = text.chars().filter(char::is_ascii_alphanumeric);
    kept.map(|kept| kept.to_ascii_uppercase()).collect()
}

/// A part of a plate as it is compared: `?` stands for one character that is not known, `*`
/// for any number of them.
#[must_use]
pub fn partial_plate(text: &str) -> String {
    let is_kept = |c: &char| c.is_ascii_alphanumeric() || matches!(c, '?' | '*');
    let kept = text.chars().filter(is_kept);
    kept.map(|kept| kept.to_ascii_uppercase()).collect()
}

/// A plate or a part of one, and its state where it is said: `ABC-123 WI`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatedPlate {
    /// As [`partial_plate`] has it.
    pub plate: String,
    /// Two letters, in capitals.
    pub state: Option<String>,
}

impl StatedPlate {
    /// `None` where there is no letter and no digit. Two letters behind a plate are taken
    /// for its state, which a caller who knows the states may hold against them.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let text = text.trim();
        let (plate, state) = match text.rsplit_once([' ', ',', '/']) {
            Some((plate, state))
                if state.len() == 2 && state.bytes().all(|b| b.is_ascii_alphabetic()) =>
            {
                (plate, Some(state.to_ascii_uppercase()))
            }
            _ => (text, None),
        };
        let plate = partial_plate(plate);
        let is_plate = plate.contains(|c: char| c.is_ascii_alphanumeric());
        is_plate.then_some(Self { plate, state })
    }

    /// Whether the other, a whole plate, may be meant: no state contradicts.
    #[must_use]
    pub fn may_be(&self, other: &Self) -> bool {
        let contradicts =
            self.state.is_some() && other.state.is_some() && self.state != other.state;
        !contradicts && plate_fits(&self.plate, &other.plate)
    }
}

/// Whether a plate has what is known of this part of one. Takes time in proportion to the
/// two lengths, whatever the pattern.
#[must_use]
pub fn plate_fits(pattern: &str, plate: &str) -> bool {
    let (pattern, plate) = (pattern.as_bytes(), plate.as_bytes());
    let (mut at, mut in_plate) = (0, 0);
    // Where the last `*` was, and what of the plate it stands for so far ends.
    let mut star: Option<(usize, usize)> = None;
    while in_plate < plate.len() {
        match pattern.get(at) {
            Some(b'*') => {
                star = Some((at, in_plate));
                at += 1;
            }
            Some(known) if *known == b'?' || *known == plate[in_plate] => {
                at += 1;
                in_plate += 1;
            }
            _ => {
                let Some((star_at, through)) = star else {
                    return false;
                };
                star = Some((star_at, through + 1));
                at = star_at + 1;
                in_plate = through + 1;
            }
        }
    }
    pattern[at..].iter().all(|rest| *rest == b'*')
}

/// The words of a text: letters and digits, in capitals, those of street addresses short.
#[must_use]
pub fn words(text: &str) -> Vec<String> {
    let is_mark = |c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '\u{2019}');
    text.split(is_mark)
        .map(|word| {
            let word: String = word.chars().filter(|c| c.is_alphanumeric()).collect();
            let word = word.to_uppercase();
            match SHORT.iter().find(|(long, _)| *long == word) {
                Some((_, short)) => (*short).to_owned(),
                None => word,
            }
        })
        .filter(|word| !word.is_empty())
        .collect()
}

/// A location's building, as [`crate::address`] writes it.
#[must_use]
pub fn place(location: &str) -> String {
    crate::address::normalise(location).building
}

/// Whether a text of these words has all that is asked for, each as a word's beginning; one
/// that is as short as a short word of an address, as a whole word.
#[must_use]
pub fn says(text: &[String], asked: &str) -> bool {
    let squeezed = text.concat();
    let is_across = |words: &[String]| {
        let asked = words.concat();
        asked.chars().count() >= SQUEEZED_CHARS_MIN
            && asked.contains(|c: char| c.is_ascii_digit())
            && squeezed.contains(&asked)
    };
    let has = |asked: &String| {
        text.iter().any(|word| {
            let is_begun =
                asked.chars().count() > WHOLE_CHARS_MAX && word.starts_with(asked.as_str());
            word == asked || is_begun
        })
    };
    is_across(&words(asked))
        || asked.split_whitespace().all(|asked| {
            let asked = words(asked);
            asked.iter().all(has) || is_across(&asked)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_of_a_plate_fits_what_has_it() {
        for (pattern, plate, fits) in [
            ("ABC123", "ABC123", true),
            ("ABC1??", "ABC123", true),
            ("ABC1??", "ABC12", false),
            ("ABC1*", "ABC123", true),
            ("ABC1*", "ABC1", true),
            ("*C12*", "ABC123", true),
            ("*C1*3", "ABC123", true),
            ("*C2*", "ABC123", false),
            ("*23", "ABC123", true),
            ("*12", "ABC123", false),
            ("", "ABC123", false),
            ("*", "ABC123", true),
            ("A*", "", false),
        ] {
            assert_eq!(plate_fits(pattern, plate), fits, "{pattern} {plate}");
        }
        let (stars, plate) = ("*A".repeat(50), "A".repeat(49));
        assert!(!plate_fits(&stars, &plate));
    }

    #[test]
    fn a_plate_may_be_another_where_no_state_contradicts() {
        let read = |text| StatedPlate::read(text).unwrap_or_else(|| panic!("{text}"));
        for (listed, named, may_be) in [
            ("ABC123 WI", "abc-123 wi", true),
            ("ABC123 WI", "ABC123", true),
            ("ABC123 WI", "ABC123 IL", false),
            ("ABC1?? WI", "ABC123", true),
            ("ABC124", "ABC123", false),
        ] {
            assert_eq!(
                read(listed).may_be(&read(named)),
                may_be,
                "{listed} {named}"
            );
        }
        assert_eq!(StatedPlate::read(" - "), None);
    }

    #[test]
    fn one_building_has_one_place_however_it_is_written() {
        for location in [
            "5237 N 35TH ST,MKE",
            "5237 NORTH 35TH STREET",
            "5237 n. 35th st. Apt 4",
            "5237 N 35TH ST #4",
        ] {
            assert_eq!(place(location), "5237 N 35TH ST", "{location}");
        }
        assert_ne!(place("5237 S 35TH ST"), place("5237 N 35TH ST"));
        assert_eq!(place("  , MKE"), "");
    }

    #[test]
    fn a_text_says_what_is_asked_word_by_word() {
        let text = words("Stolen: ABC-123 WI, KRT482. Red Ford, O\u{2019}Neil, 900 W Oak Street");
        for (asked, is_said) in [
            ("abc123", true),
            ("ABC-123", true),
            ("abc", true),
            ("abc 123", true),
            ("A BC123", true),
            ("krt-482 ford", true),
            ("oneil ford", true),
            ("O'Neil", true),
            ("900 west oak st", true),
            ("ord", false),
            ("C12", false),
            ("R", false),
            ("north", false),
            ("ford blue", false),
            ("", true),
        ] {
            assert_eq!(says(&text, asked), is_said, "{asked}");
        }
    }
}
