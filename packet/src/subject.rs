//! What a query is about, in the form in which it is looked up.
//!
//! The device reads an officer's words by it before it keeps them, with no signal, and the
//! center before it asks: what is none is said where it was typed, not at a source.

use crate::entry::QueryWhat;

/// Longest name or address that is asked about, in characters.
pub const SUBJECT_CHARS_MAX: usize = 120;
/// Most characters of a plate.
pub const PLATE_CHARS_MAX: usize = 8;
/// How many digits a telephone number has (ITU-T E.164 allows 15; seven without its area).
pub const PHONE_DIGITS: std::ops::RangeInclusive<usize> = 7..=15;

/// Two letters of the states, the district and the territories (USPS Publication 28,
/// appendix B).
const STATES: [&str; 56] = [
    "AL", "AK", "AS", "AZ", "AR", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "GU", "HI", "IA", "ID",
    "IL", "IN", "KS", "KY", "LA", "MA", "MD", "ME", "MI", "MN", "MO", "MP", "MS", "MT", "NC", "ND",
    "NE", "NH", "NJ", "NM", "NV", "NY", "OH", "OK", "OR", "PA", "PR", "RI", "SC", "SD", "TN", "TX",
    "UT", "VA", "VI", "VT", "WA", "WI", "WV", "WY",
];

/// Equal subjects are the same question.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Subject {
    /// As it was written; how addresses are compared is the source's to know.
    Address(String),
    Plate {
        /// Letters and digits only, in capitals.
        plate: String,
        /// Two letters, where they were said.
        state: Option<String>,
    },
    Person {
        /// In capitals, as are first names, which may be none.
        last: String,
        first: String,
        /// The date of birth, such as `1984-05-03`.
        born: Option<String>,
    },
    /// Digits only, without a leading 1 of eleven.
    Phone(String),
    /// Millionths of a degree, WGS 84.
    Position { latitude_e6: i32, longitude_e6: i32 },
}

/// Why these words ask about nothing: what was wanted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct SubjectError(pub &'static str);

impl Subject {
    /// Reads what a person typed. A plate may be followed by its state's two letters; a
    /// person is `LAST, FIRST` or `FIRST LAST`, with a date of birth anywhere.
    ///
    /// # Errors
    /// Says what was wanted.
    pub fn parse(what: QueryWhat, value: &str) -> Result<Self, SubjectError> {
        let value = value.trim();
        if value.chars().count() > SUBJECT_CHARS_MAX || value.contains(char::is_control) {
            return Err(SubjectError("one line of at most 120 characters"));
        }
        match what {
            QueryWhat::Plate => plate(value),
            QueryWhat::Person => person(value),
            QueryWhat::Phone => phone(value),
            QueryWhat::Address if value.chars().any(char::is_alphanumeric) => {
                Ok(Self::Address(spaced(value)))
            }
            QueryWhat::Address => Err(SubjectError("an address, such as 5237 N 35TH ST")),
            QueryWhat::Clip => Err(SubjectError(
                "a plate, a person, a phone or an address: a recording is asked for of its camera",
            )),
        }
    }

    /// As screens show it, and as [`Subject::parse`] reads it.
    #[must_use]
    pub fn shown(&self) -> String {
        match self {
            Self::Address(address) => address.clone(),
            Self::Plate { plate, state } => match state {
                Some(state) => format!("{plate} {state}"),
                None => plate.clone(),
            },
            Self::Person { last, first, born } => {
                let name = if first.is_empty() {
                    last.clone()
                } else {
                    format!("{last}, {first}")
                };
                match born {
                    Some(born) => format!("{name} {born}"),
                    None => name,
                }
            }
            Self::Phone(digits) => digits.clone(),
            Self::Position {
                latitude_e6,
                longitude_e6,
            } => format!(
                "{:.5}, {:.5}",
                f64::from(*latitude_e6) / 1e6,
                f64::from(*longitude_e6) / 1e6
            ),
        }
    }
}

fn spaced(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn plate(value: &str) -> Result<Subject, SubjectError> {
    let wanted = SubjectError(
        "a plate of 2 to 8 letters and digits, and its state's two letters if known, such as ABC123 WI",
    );
    let upper = value.to_uppercase();
    let words: Vec<&str> = upper.split_whitespace().collect();
    let (plate, state) = match words.split_last() {
        Some((last, before)) if !before.is_empty() && STATES.contains(last) => {
            (before.concat(), Some((*last).to_owned()))
        }
        _ => (words.concat(), None),
    };
    let plate: String = plate.chars().filter(|c| !matches!(c, '-' | '.')).collect();
    let fits = (2..=PLATE_CHARS_MAX).contains(&plate.len())
        && plate.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if fits {
        Ok(Subject::Plate { plate, state })
    } else {
        Err(wanted)
    }
}

fn phone(value: &str) -> Result<Subject, SubjectError> {
    let wanted = SubjectError("a telephone number of 7 to 15 digits");
    if value
        .chars()
        .any(|c| !c.is_ascii_digit() && !" -().+/".contains(c))
    {
        return Err(wanted);
    }
    let digits: String = value.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix('1') {
        Some(national) if national.len() == 10 => national.to_owned(),
        _ => digits,
    };
    if PHONE_DIGITS.contains(&digits.len()) {
        Ok(Subject::Phone(digits))
    } else {
        Err(wanted)
    }
}

fn person(value: &str) -> Result<Subject, SubjectError> {
    let wanted = SubjectError("a name, and a date of birth if known, such as DOE, JANE 1984-05-03");
    let upper = value.to_uppercase();
    let mut born = None;
    let mut words = Vec::new();
    for word in upper.split_whitespace() {
        let bare = word.trim_matches(|c: char| matches!(c, ',' | '(' | ')' | ':'));
        match date(bare) {
            Some(date) if born.is_none() => born = Some(date),
            Some(_) => return Err(wanted),
            None if matches!(bare, "DOB" | "BORN") => {}
            None => words.push(word),
        }
    }
    let name = words.join(" ");
    let (last, first) = match name.split_once(',') {
        Some((last, first)) => (last, first),
        None => match name.rsplit_once(' ') {
            Some((first, last)) => (last, first),
            None => (name.as_str(), ""),
        },
    };
    let (last, first) = (last.trim(), first.trim());
    let is_name = |text: &str| {
        text.chars()
            .all(|c| c.is_alphabetic() || " '-.\u{2019}".contains(c))
    };
    if !last.contains(char::is_alphabetic) || !is_name(last) || !is_name(first) {
        return Err(wanted);
    }
    Ok(Subject::Person {
        last: last.to_owned(),
        first: spaced(first),
        born,
    })
}

/// `1984-05-03` or `05/03/1984`, as `1984-05-03`.
fn date(word: &str) -> Option<String> {
    let parts: Vec<&str> = word.split(['-', '/']).collect();
    let [a, b, c] = parts[..] else {
        return None;
    };
    let (year, month, day) = if a.len() == 4 { (a, b, c) } else { (c, a, b) };
    let number = |text: &str| -> Option<u16> {
        text.bytes()
            .all(|byte| byte.is_ascii_digit())
            .then(|| text.parse().ok())?
    };
    let (year, month, day) = (number(year)?, number(month)?, number(day)?);
    let is_date =
        (1900..=2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day);
    is_date.then(|| format!("{year}-{month:02}-{day:02}"))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn what_is_typed_is_read_and_shown_in_one_form() {
        for (what, typed, shown) in [
            (QueryWhat::Plate, "abc-123", "ABC123"),
            (QueryWhat::Plate, " abc 123 wi ", "ABC123 WI"),
            // A plate that is a state's two letters, and no state.
            (QueryWhat::Plate, "wi", "WI"),
            (QueryWhat::Phone, "+1 (414) 555-0137", "4145550137"),
            (QueryWhat::Phone, "555-0137", "5550137"),
            (
                QueryWhat::Person,
                "Doe, Jane Q 5/3/1984",
                "DOE, JANE Q 1984-05-03",
            ),
            (QueryWhat::Person, "jane q o'doe", "O'DOE, JANE Q"),
            (QueryWhat::Person, "DOE DOB 1984-05-03", "DOE 1984-05-03"),
            (
                QueryWhat::Address,
                " 5237  N 35TH ST,MKE",
                "5237 N 35TH ST,MKE",
            ),
        ] {
            let subject = Subject::parse(what, typed).unwrap();
            assert_eq!(subject.shown(), shown);
            assert_eq!(Subject::parse(what, shown), Ok(subject), "{shown}");
        }
    }

    #[test]
    fn what_asks_about_nothing_says_what_was_wanted() {
        let long = "x".repeat(SUBJECT_CHARS_MAX + 1);
        for (what, typed, wanted) in [
            (QueryWhat::Plate, "", "a plate"),
            (QueryWhat::Plate, "A", "a plate"),
            (QueryWhat::Plate, "ABC123456", "a plate"),
            (QueryWhat::Plate, "ABC'--", "a plate"),
            (QueryWhat::Phone, "555", "7 to 15 digits"),
            (QueryWhat::Phone, "call me", "7 to 15 digits"),
            (QueryWhat::Person, "1984-05-03", "a name"),
            (QueryWhat::Person, "DOE 1984-05-03 1985-05-03", "a name"),
            (QueryWhat::Person, "DOE <script>", "a name"),
            (QueryWhat::Address, " , ", "an address"),
            (QueryWhat::Address, "1 A ST\n2 B ST", "one line"),
            (QueryWhat::Address, &long, "at most 120"),
            (QueryWhat::Clip, "camera 7", "a recording"),
        ] {
            let error = Subject::parse(what, typed).unwrap_err();
            assert!(error.0.contains(wanted), "{typed}: {error}");
        }
    }
}
