//! One spelling for one place: addresses by USPS Publication 28.
//!
//! Dispatch writes `5237 N 35TH ST,MKE`, a records system `5237 North 35th Street Apt 4`,
//! an officer `5237 n. 35th st #4`. What happened there before is found only if the three
//! meet. So a place has a key, [`Address::building`]: house number, direction, name and
//! suffix in their standard abbreviations (sections 232 to 237, appendices B and C1) in
//! capitals and without punctuation (section 222), and beside it the unit (section 213,
//! appendix C2). City, state and ZIP are not in the key: half of the systems leave them
//! out, and those that do not write `MKE`.
//!
//! What is no mailing address has a key too: a block (`1600 BLK S 6TH ST`), a crossing,
//! whose streets stand in one order whichever was said first (`CAPITOL DR & N 60TH ST`),
//! and a place that has only a name, whose key is that name.
//!
//! A key is for comparing. It is never what a person is shown for the place.

mod street;
mod unit;
mod words;

pub use words::{
    direction, is_bound, is_sure_suffix, ordinal_number, spelled_ordinal, suffix, unit_alone,
    unit_numbered,
};

/// Longest text that is read; of more the beginning.
const CHARS_MAX: usize = 4_096;
/// Most streets that meet in one place.
const STREETS_MAX: usize = 4;
/// What is left out of a text can make a street of the rest (`4 ST APT 4`): it is read again
/// until it stays, at most so often.
const AGAIN_MAX: usize = 4;
/// Between the streets of a crossing; also what all its spellings are read as.
const CROSSING: &str = "&";
/// What stands between the streets of a crossing, as words and as signs.
const CROSSING_WORDS: [&str; 2] = ["AND", "AT"];
const CROSSING_SIGNS: [char; 5] = ['&', '/', '@', '+', '\\'];

/// A place, normalised.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Address {
    /// The key of the building, block, crossing or named place; empty where the text has
    /// no letter and no digit.
    pub building: String,
    /// The unit within it, such as `APT 4` or `LOWR`; empty where none is said.
    pub unit: String,
}

/// Reads a place as any system or person writes it. Whatever the text, there is an answer;
/// case, runs of spaces and punctuation (but for commas, which part a city from a street)
/// do not matter, and normalising a key changes nothing.
#[must_use]
pub fn normalise(location: &str) -> Address {
    let parts = parts(location);
    let parts: Vec<&[String]> = parts.iter().map(Vec::as_slice).collect();
    // What begins with a comma has a city and no street.
    let only_city = location.trim_start().starts_with(',');
    let main = main_part(&parts).filter(|at| !only_city || is_street(parts[*at]));
    let Some(at) = main else {
        return Address::default();
    };
    let mut address = place(parts[at]);
    for _ in 0..AGAIN_MAX {
        let again = place(&self::parts(&address.building).concat());
        if again.building == address.building {
            break;
        }
        address.building = again.building;
    }
    let others = parts.iter().enumerate().filter(|(other, _)| *other != at);
    for (_, part) in others {
        if address.unit.is_empty() {
            address.unit = unit::alone(part);
        }
    }
    address
}

/// The words between commas. A hyphen stays within what has a digit: `94-1035`, `22-C`.
fn parts(location: &str) -> Vec<Vec<String>> {
    let mut parts = vec![Vec::new()];
    let mut word = String::new();
    let mut read = location.chars().take(CHARS_MAX).peekable();
    let end = |word: &mut String, parts: &mut Vec<Vec<String>>| {
        let whole = std::mem::take(word);
        let whole = whole.trim_matches('-');
        let has_digit = whole.contains(|digit: char| digit.is_ascii_digit());
        let words = whole.split(|sign| sign == '-' && !has_digit);
        if let Some(part) = parts.last_mut() {
            part.extend(words.filter(|word| !word.is_empty()).map(spelling));
        }
    };
    while let Some(sign) = read.next() {
        match sign {
            '\'' | '’' | '.' => {}
            // A fraction is a part of the house number; any other stroke is a crossing.
            '/' if is_fraction(&word, read.peek().copied()) => word.push('/'),
            '-' => word.push('-'),
            // Some letters have an accent of its own in capitals: that is no letter.
            _ if sign.is_alphanumeric() => {
                word.extend(sign.to_uppercase().filter(|sign| sign.is_alphanumeric()));
            }
            _ => {
                end(&mut word, &mut parts);
                match sign {
                    ',' => parts.push(Vec::new()),
                    '#' => push(&mut parts, "#"),
                    _ if CROSSING_SIGNS.contains(&sign) => push(&mut parts, CROSSING),
                    _ => {}
                }
            }
        }
    }
    end(&mut word, &mut parts);
    parts.retain(|part| part.iter().any(|word| word != "#" && word != CROSSING));
    parts
}

fn push(parts: &mut [Vec<String>], word: &str) {
    if let Some(last) = parts.last_mut() {
        last.push(word.to_owned());
    }
}

fn is_fraction(word: &str, next: Option<char>) -> bool {
    let one_digit = word.len() == 1 && word.as_bytes()[0].is_ascii_digit();
    one_digit && matches!(next, Some('2'..='4' | '8'))
}

fn spelling(word: &str) -> String {
    let word = if CROSSING_WORDS.contains(&word) {
        CROSSING
    } else {
        word
    };
    word.to_owned()
}

/// The part that says the street: the first that has a house number or a crossing, or else
/// the first that is not a unit alone.
fn main_part(parts: &[&[String]]) -> Option<usize> {
    parts
        .iter()
        .position(|part| is_street(part))
        .or_else(|| parts.iter().position(|part| !unit::is_only(part)))
        .or(if parts.is_empty() { None } else { Some(0) })
}

fn is_street(part: &[String]) -> bool {
    street::is_numbered(part) || part.iter().any(|word| word == CROSSING)
}

fn place(part: &[String]) -> Address {
    let sides: Vec<&[String]> = part
        .split(|word| word == CROSSING)
        .filter(|side| !side.is_empty())
        .take(STREETS_MAX)
        .collect();
    match sides.as_slice() {
        [] => Address::default(),
        [only] => street::address(only),
        // A house at a corner, or `MARKET @ 8923 W MILITARY DR`.
        sides => match sides.iter().find(|side| street::is_numbered(side)) {
            Some(house) => street::address(house),
            None => crossing(sides),
        },
    }
}

fn crossing(sides: &[&[String]]) -> Address {
    let mut streets: Vec<String> = sides.iter().map(|side| street::name(side)).collect();
    streets.retain(|street| !street.is_empty());
    streets.sort_unstable();
    streets.dedup();
    Address {
        building: streets.join(&format!(" {CROSSING} ")),
        unit: String::new(),
    }
}

#[cfg(test)]
mod tests;
