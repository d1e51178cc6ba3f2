//! The unit within a building (Publication 28, section 213 and appendix C2).

use super::street;
use super::words::{direction, is_sure_suffix, ordinal_number, unit_alone, unit_numbered};

/// Longest number or letter of a unit, such as `22-C` or `G-104`.
const ID_CHARS_MAX: usize = 6;
/// A unit without its designator is no longer: five digits are a ZIP.
const BARE_ID_CHARS_MAX: usize = 4;
/// A building and an apartment in it; more are a city.
const PIECES_MAX: usize = 3;

/// Where the unit begins in the words of a street (its number left out), and what it is.
/// The street takes at least so many words.
pub(super) fn within(words: &[String], street: usize) -> Option<(usize, String)> {
    (street.max(1)..words.len()).find_map(|at| {
        let unit = read(words, at)?;
        Some((at, unit))
    })
}

/// The unit of words that are no street: what stands between commas, such as `#4` or
/// `CDR APT 4`.
pub(super) fn alone(words: &[String]) -> String {
    if let [only] = words
        && is_bare_id(only)
    {
        return format!("# {only}");
    }
    let found = (0..words.len()).find_map(|at| {
        let (unit, _) = pieces(words, at)?;
        Some(unit)
    });
    found.unwrap_or_default()
}

/// Whether these words are a unit and nothing else.
pub(super) fn is_only(words: &[String]) -> bool {
    let bare = matches!(words, [only] if is_bare_id(only));
    bare || pieces(words, 0).is_some_and(|(_, end)| end == words.len())
}

/// A unit that stands ahead of the house number, and how many words it takes.
pub(super) fn ahead(words: &[String]) -> Option<(usize, String)> {
    let (unit, took) = pieces(words, 0)?;
    words.get(took).filter(|next| street::begins_number(next))?;
    Some((took, unit))
}

fn read(words: &[String], at: usize) -> Option<String> {
    let before = &words[at - 1];
    let named = words[..at].iter().any(|word| direction(word).is_none());
    let closed = is_sure_suffix(before) || (direction(before).is_some() && named && at > 1);
    if !named {
        return None;
    }
    let word = words[at].as_str();
    let last = at + 1 == words.len();
    if closed && last && (is_bare_id(word) || floor_of(word).is_some()) {
        return Some(floor_of(word).unwrap_or_else(|| format!("# {word}")));
    }
    // `SIDE`, `FRONT` and their like are names as well: only at the very end.
    if unit_alone(word).is_some() && !last && pieces(words, at + 1).is_none() {
        return None;
    }
    if matches!(word, "SIDE" | "FRONT" | "OFFICE") && !closed {
        return None;
    }
    pieces(words, at).map(|(unit, _)| unit)
}

/// The pieces of a unit from this word on: `BLDG 14 APT 1422`; and how many words it takes.
fn pieces(words: &[String], at: usize) -> Option<(String, usize)> {
    let mut unit = Vec::new();
    let mut next = at;
    while unit.len() < PIECES_MAX
        && let Some((piece, took)) = piece(&words[next..])
    {
        unit.push(piece);
        next += took;
    }
    (!unit.is_empty()).then(|| (unit.join(" "), next))
}

fn piece(words: &[String]) -> Option<(String, usize)> {
    let (word, next) = (words.first()?.as_str(), words.get(1).map(String::as_str));
    if let (Some(floor), Some("FL" | "FLR" | "FLOOR")) = (ordinal_number(word), next) {
        return Some((format!("FL {floor}"), 2));
    }
    if let Some(designator) = unit_numbered(word) {
        // `APT # 4`
        let number_sign = usize::from(designator != "#" && next == Some("#"));
        let id = words.get(1 + number_sign).filter(|id| is_id(id))?;
        return Some((format!("{designator} {id}"), 2 + number_sign));
    }
    if let Some(standing_alone) = unit_alone(word) {
        return Some((standing_alone.to_owned(), 1));
    }
    joined(word).map(|unit| (unit, 1))
}

/// `APT4`, `STE1501`.
fn joined(word: &str) -> Option<String> {
    let digits = word.find(|digit: char| digit.is_ascii_digit())?;
    let (designator, id) = word.split_at(digits);
    let designator = unit_numbered(designator).filter(|_| designator.len() > 1)?;
    is_id(id).then(|| format!("{designator} {id}"))
}

/// `2F`, as Chicago says the second floor.
fn floor_of(word: &str) -> Option<String> {
    let digits = word.strip_suffix('F')?;
    let short = (1..=2).contains(&digits.len());
    let floor = short && digits.bytes().all(|byte| byte.is_ascii_digit());
    floor.then(|| format!("FL {digits}"))
}

fn is_id(word: &str) -> bool {
    let letter = word.len() == 1 && word.as_bytes()[0].is_ascii_alphabetic();
    let short = word.len() <= ID_CHARS_MAX && ordinal_number(word).is_none();
    letter || (short && word.contains(|digit: char| digit.is_ascii_digit()))
}

fn is_bare_id(word: &str) -> bool {
    word.len() <= BARE_ID_CHARS_MAX
        && is_id(word)
        && word.contains(|digit: char| digit.is_ascii_digit())
}
