//! House number, direction, name and suffix (Publication 28, sections 232 to 237), the
//! numbered highways (appendix F) and rural routes (section 24).

use super::Address;
use super::unit;
use super::words::{
    direction, direction_in_full, is_bound, is_sure_suffix, number, ordinal, ordinal_number,
    spelled_ordinal, spelled_tens, suffix, suffix_in_name,
};

/// Fewest digits on each side of a range such as `2145-2147`: `94-1035` and `31-42` are
/// one number.
const RANGE_DIGITS_MIN: usize = 3;

/// The number of a house as it stands ahead of the street.
struct House {
    number: String,
    /// The letter of `3017-A`.
    letter: Option<String>,
    /// How many words it takes.
    took: usize,
}

/// Whether a house number begins these words, and a street follows it.
pub(super) fn is_numbered(words: &[String]) -> bool {
    let words = unit::ahead(words).map_or(words, |(took, _)| &words[took..]);
    let (Some(first), Some(second)) = (words.first(), words.get(1)) else {
        return false;
    };
    let no_street = match words.get(2) {
        None => suffix(second).is_some(),
        Some(third) => words.len() == 3 && suffix(second).is_some() && direction(third).is_some(),
    };
    begins_number(first) && !no_street && !matches!(second.as_str(), "TH" | "ND")
}

/// Whether a word begins a house number. `35TH` begins a street.
pub(super) fn begins_number(word: &str) -> bool {
    let digit = word.starts_with(|digit: char| digit.is_ascii_digit());
    (digit && ordinal_number(word).is_none()) || is_grid(word)
}

/// `N6W23001`, as parts of Wisconsin number their houses (appendix D3).
fn is_grid(word: &str) -> bool {
    let half = |word: &str| {
        let letter = word.starts_with(['N', 'S', 'E', 'W']);
        letter && word.len() > 1 && word.bytes().skip(1).all(|byte| byte.is_ascii_digit())
    };
    let second = word.rfind(['N', 'S', 'E', 'W']).unwrap_or_default();
    second > 0 && half(&word[..second]) && half(&word[second..])
}

/// What is no crossing: a house, a block, or a name.
pub(super) fn address(words: &[String]) -> Address {
    let (unit_ahead, words) = match unit::ahead(words) {
        Some((took, unit)) => (unit, &words[took..]),
        None => (String::new(), words),
    };
    if let Some(rural) = rural_route(words) {
        return Address {
            building: rural,
            unit: unit_ahead,
        };
    }
    let joined;
    let mut words = from_number(words);
    // `W180 N8085` is one number.
    if let [first, second, rest @ ..] = words
        && is_grid(&format!("{first}{second}"))
    {
        joined = [&[format!("{first}{second}")], rest].concat();
        words = &joined;
    }
    let house = if is_numbered(words) {
        house(words)
    } else {
        None
    };
    let rest = house.as_ref().map_or(words, |house| &words[house.took..]);
    let before_road = usize::from(rest.first().is_some_and(|word| direction(word).is_some()));
    let road = numbered_road(&rest[before_road..]).map_or(0, |(_, took)| before_road + took);
    let (street, mut unit) = match unit::within(rest, road) {
        Some((at, unit)) => (&rest[..at], unit),
        None => (rest, String::new()),
    };
    if unit.is_empty() {
        unit = unit_ahead;
    }
    let name = name(street);
    let Some(house) = house else {
        return Address {
            building: name,
            unit,
        };
    };
    if unit.is_empty() {
        unit = house.letter.unwrap_or_default();
    }
    Address {
        building: format!("{} {name}", house.number),
        unit,
    }
}

/// Leaves out a name ahead of the house number: `MARKET 8923 W MILITARY DR`.
fn from_number(words: &[String]) -> &[String] {
    let named = words.iter().take_while(|word| {
        word.bytes().all(|byte| byte.is_ascii_alphabetic()) && direction(word).is_none()
    });
    let at = named.count();
    let (ahead, rest) = words.split_at(at);
    let street = rest.iter().skip(2).any(|word| is_sure_suffix(word));
    let numbered = rest.first().is_some_and(|word| number(word).is_some());
    if at > 0
        && street
        && numbered
        && numbered_road(words).is_none()
        && !ahead.iter().any(|w| suffix(w).is_some())
    {
        rest
    } else {
        words
    }
}

fn house(words: &[String]) -> Option<House> {
    let first = words.first()?.as_str();
    let next = words.get(1).map(String::as_str);
    if is_block(next) || first.ends_with("-BLK") || first.ends_with("-BLOCK") {
        let digits = first.trim_end_matches(|kept: char| !kept.is_ascii_digit());
        let took = 1 + usize::from(is_block(next));
        let of = usize::from(words.get(took).is_some_and(|word| word == "OF"));
        return Some(House {
            number: format!("{digits} BLK"),
            letter: None,
            took: took + of,
        });
    }
    if is_grid(first) {
        return Some(House {
            number: first.to_owned(),
            letter: None,
            took: 1,
        });
    }
    let (mut number, letter) = number_and_letter(first);
    let fraction = next.filter(|next| next.contains('/'));
    if let Some(fraction) = fraction {
        number = format!("{number} {fraction}");
    }
    Some(House {
        number,
        letter,
        took: 1 + usize::from(fraction.is_some()),
    })
}

fn is_block(word: Option<&str>) -> bool {
    matches!(word, Some("BLK" | "BLOCK" | "BLKS"))
}

/// `3017-A` and `3037A` are units of one building; of `2145-2147` the first counts.
fn number_and_letter(word: &str) -> (String, Option<String>) {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = word.split_at(digits);
    let rest = rest.trim_start_matches('-');
    let letter = rest.len() == 1 && rest.bytes().all(|byte| byte.is_ascii_alphabetic());
    let range = rest.len() == digits
        && digits >= RANGE_DIGITS_MIN
        && rest.bytes().all(|byte| byte.is_ascii_digit())
        && rest > number;
    match (letter, range) {
        (true, _) => (number.to_owned(), Some(rest.to_owned())),
        (_, true) => (number.to_owned(), None),
        _ => (word.to_owned(), None),
    }
}

fn rural_route(words: &[String]) -> Option<String> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let (route, rest) = match words.as_slice() {
        [
            "RR" | "RTE" | "RT" | "ROUTE" | "RFD",
            route,
            "BOX",
            rest @ ..,
        ] => (route, rest),
        ["RURAL", "ROUTE" | "RTE", route, "BOX", rest @ ..] => (route, rest),
        ["PO", "BOX", of, ..] => return Some(format!("PO BOX {of}")),
        _ => return None,
    };
    Some(format!("RR {route} BOX {}", rest.first()?))
}

/// A street without its house number, in its standard form.
pub(super) fn name(words: &[String]) -> String {
    let words: Vec<&str> = words
        .iter()
        .map(String::as_str)
        .filter(|word| !is_bound(word) && *word != "#")
        .collect();
    let words = joined_ordinals(&words);
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let Some(last) = words.len().checked_sub(1) else {
        return String::new();
    };
    let before_road = usize::from(direction(words[0]).is_some());
    if let Some((road, took)) = numbered_road_of(&words[before_road..]) {
        let mut all: Vec<String> = Vec::new();
        all.extend(
            words[..before_road]
                .iter()
                .filter_map(|w| direction(w))
                .map(str::to_owned),
        );
        all.push(road);
        let after = words
            .get(before_road + took)
            .filter(|_| before_road + took == last);
        all.extend(after.and_then(|word| direction(word)).map(str::to_owned));
        return all.join(" ");
    }
    let suffix_at = suffix_at(&words);
    let end = suffix_at.unwrap_or(words.len());
    let ahead = directions_ahead(&words[..end]);
    let mut all: Vec<String> = Vec::new();
    if ahead > 0 {
        all.push(
            words[..ahead]
                .iter()
                .filter_map(|word| direction(word))
                .collect(),
        );
    }
    all.extend(core(&words[ahead..end], suffix_at.is_some(), ahead > 0));
    if let Some(at) = suffix_at {
        all.extend(suffix(words[at]).map(str::to_owned));
        all.extend(direction_after(&words[at + 1..]).map(str::to_owned));
    }
    all.join(" ")
}

/// Where the suffix stands: the last word that is one, has a name ahead of it, and ends the
/// street or is surely a suffix.
fn suffix_at(words: &[&str]) -> Option<usize> {
    (1..words.len()).rev().find(|at| {
        let after = &words[at + 1..];
        let ends = after.is_empty() || (after.len() == 1 && direction(after[0]).is_some());
        let saint = words[*at] == "ST" && words[..*at].iter().all(|word| direction(word).is_some());
        suffix(words[*at]).is_some() && (ends || (is_sure_suffix(words[*at]) && !saint))
    })
}

/// How many words of direction stand ahead of the name: it must leave a name.
fn directions_ahead(words: &[&str]) -> usize {
    let is = |at: usize| words.get(at).and_then(|word| direction(word));
    match (is(0), is(1)) {
        (Some("N" | "S"), Some("E" | "W")) if words.len() > 2 => 2,
        (Some(_), _) if words.len() > 1 => 1,
        _ => 0,
    }
}

/// The direction after the suffix. `WEST ALLIS` is a city.
fn direction_after(words: &[&str]) -> Option<&'static str> {
    let first = words.first()?;
    let short = direction(first)? == *first;
    direction(first).filter(|_| words.len() == 1 || short)
}

/// The name between direction and suffix.
fn core(words: &[&str], has_suffix: bool, has_direction: bool) -> Vec<String> {
    let mut core: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    if let [first, _, ..] = core.as_mut_slice()
        && first == "SAINT"
    {
        "ST".clone_into(first);
    }
    if !has_suffix
        && let [first, letter] = core.as_mut_slice()
        && suffix(first) == Some("AVE")
        && (letter.len() == 1 || number(letter).is_some())
    {
        "AVENUE".clone_into(first);
        return core;
    }
    let only = core.len() == 1;
    if let Some(last) = core.last_mut() {
        if let Some(number) = ordinal_number(last).or_else(|| spelled_ordinal(last)) {
            *last = ordinal(number);
        } else if let Some(number) = number(last).filter(|_| only && (has_suffix || has_direction))
        {
            *last = ordinal(number);
        } else if let Some(full) =
            direction_in_full(last).filter(|_| only && has_suffix && last.len() > 1)
        {
            full.clone_into(last);
        } else if let Some(full) = suffix_in_name(last).filter(|_| !only && has_suffix) {
            full.clone_into(last);
        }
    }
    core
}

/// `35 TH` is one word, and so is `TWENTY FIRST`.
fn joined_ordinals(words: &[&str]) -> Vec<String> {
    let mut joined: Vec<String> = Vec::with_capacity(words.len());
    for word in words {
        let before = joined.last().map(String::as_str);
        let tens = before.and_then(spelled_tens);
        let units = spelled_ordinal(word).filter(|units| (1..10).contains(units));
        let whole = match (before.and_then(number), tens.zip(units)) {
            (_, Some((tens, units))) => Some(ordinal(tens + units)),
            (Some(number), None) if matches!(*word, "TH" | "ND") => Some(ordinal(number)),
            _ => None,
        };
        match (whole, joined.last_mut()) {
            (Some(whole), Some(last)) => *last = whole,
            _ => joined.push((*word).to_owned()),
        }
    }
    joined
}

fn numbered_road(words: &[String]) -> Option<(String, usize)> {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    numbered_road_of(&words)
}

/// A road that is called by its number, and how many words it takes: `I94`, `US 41`,
/// `STATE HWY 6`, `CTH K`.
fn numbered_road_of(words: &[&str]) -> Option<(String, usize)> {
    let (first, rest) = words.split_first()?;
    // `I-94`, `US41`, `CR14`
    let digits = first.find(|digit: char| digit.is_ascii_digit());
    if let Some(at) = digits.filter(|at| *at > 0) {
        let (kind, number) = (first[..at].trim_end_matches('-'), &first[at..]);
        let kind = road(kind).filter(|_| is_road_number(number))?;
        return Some((format!("{kind} {number}"), 1));
    }
    let takes = |kind: &str, ahead: usize| {
        // Wisconsin's county highways are called by a letter, of any direction too.
        let letter = |word: &str| kind == "COUNTY HIGHWAY" && word.len() == 1;
        let number = words
            .get(ahead)
            .filter(|number| is_road_number(number) || letter(number))?;
        Some((format!("{kind} {number}"), ahead + 1))
    };
    let second = rest.first().copied().unwrap_or_default();
    let is_highway = matches!(second, "HWY" | "HIGHWAY" | "HY" | "TRUNK");
    let is_road = matches!(second, "RD" | "ROAD");
    let is_route = matches!(second, "RTE" | "RT" | "ROUTE");
    match *first {
        "US" if is_highway || is_route => takes("US HIGHWAY", 2),
        "STATE" if is_highway => takes("STATE HIGHWAY", 2),
        "STATE" if is_road || is_route => takes("STATE ROUTE", 2),
        "COUNTY" | "CO" | "CTY" | "CNTY" if is_road => takes("COUNTY ROAD", 2),
        "COUNTY" | "CO" | "CTY" | "CNTY" if is_highway => takes("COUNTY HIGHWAY", 2),
        "INTERSTATE" if is_highway => takes("INTERSTATE", 2),
        kind => takes(road(kind)?, 1),
    }
}

/// What appendix F calls a road of this abbreviation.
fn road(kind: &str) -> Option<&'static str> {
    Some(match kind {
        "I" | "IH" | "INTERSTATE" => "INTERSTATE",
        "US" | "USH" => "US HIGHWAY",
        "SH" | "STH" => "STATE HIGHWAY",
        "SR" => "STATE ROUTE",
        "HWY" | "HIGHWAY" | "HY" => "HIGHWAY",
        "RT" | "RTE" | "ROUTE" => "ROUTE",
        "CR" => "COUNTY ROAD",
        "CTH" | "CH" => "COUNTY HIGHWAY",
        "FM" => "FM",
        "RM" => "RM",
        _ => return None,
    })
}

/// `94`, `35E`, and the letters of Wisconsin's county highways.
fn is_road_number(word: &str) -> bool {
    let digits = word.bytes().take_while(u8::is_ascii_digit).count();
    let letters = &word[digits..];
    let short = letters.len() <= 2 && letters.bytes().all(|byte| byte.is_ascii_alphabetic());
    let is_suffix = suffix(word).is_some() || direction(word).is_some();
    short && digits <= 4 && !word.is_empty() && !is_suffix && ordinal_number(word).is_none()
}
