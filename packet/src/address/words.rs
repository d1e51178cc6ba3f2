//! The words of an address: directions, suffixes, units, ordinals.
//!
//! USPS Publication 28: section 233 and appendix B (directionals), appendix C1 (street
//! suffixes, `suffixes.txt`: the standard abbreviation, the full word, other spellings),
//! appendix C2 (secondary unit designators). To appendix C1 are added the two-letter
//! spellings that dispatch systems use (`BL`, `BD`, `LA`, `PK`, `TR`, `CR`, `WA`); where
//! such a one could be two suffixes, it is what Milwaukee means by it: `TR` a terrace,
//! `PK` a parkway, `CR` a circle.

use std::collections::HashMap;
use std::sync::LazyLock;

/// Of one spelling: the standard abbreviation and the full word.
type Suffixes = HashMap<&'static str, (&'static str, &'static str)>;

static SUFFIXES: LazyLock<Suffixes> = LazyLock::new(|| {
    let mut all = HashMap::new();
    for line in include_str!("suffixes.txt").lines() {
        let mut spellings = line.split_whitespace();
        if let (Some(standard), Some(full)) = (spellings.next(), spellings.next()) {
            for spelling in spellings.chain([standard, full]) {
                all.insert(spelling, (standard, full));
            }
        }
    }
    all
});

/// Suffixes that hardly anything but a street is called by. After one of these what
/// follows is a city, even where no comma says so.
const SURE_SUFFIXES: [&str; 21] = [
    "AVE", "BLVD", "BYP", "CIR", "CT", "CSWY", "CRES", "DR", "EXPY", "FWY", "HWY", "LN", "PKWY",
    "PL", "RD", "SQ", "ST", "TER", "TPKE", "TRL", "WAY",
];

const DIRECTIONS: [(&str, &str); 8] = [
    ("N", "NORTH"),
    ("S", "SOUTH"),
    ("E", "EAST"),
    ("W", "WEST"),
    ("NE", "NORTHEAST"),
    ("NW", "NORTHWEST"),
    ("SE", "SOUTHEAST"),
    ("SW", "SOUTHWEST"),
];

/// The direction in which traffic goes is no part of a road's name.
const BOUND: [&str; 8] = [
    "NB",
    "SB",
    "EB",
    "WB",
    "NORTHBOUND",
    "SOUTHBOUND",
    "EASTBOUND",
    "WESTBOUND",
];

/// Units that a number or letter follows.
const UNITS_NUMBERED: [(&str, &str); 27] = [
    ("APT", "APT"),
    ("APARTMENT", "APT"),
    ("BLDG", "BLDG"),
    ("BUILDING", "BLDG"),
    ("DEPT", "DEPT"),
    ("DEPARTMENT", "DEPT"),
    ("FL", "FL"),
    ("FLR", "FL"),
    ("FLOOR", "FL"),
    ("HNGR", "HNGR"),
    ("HANGAR", "HNGR"),
    ("KEY", "KEY"),
    ("LOT", "LOT"),
    ("PIER", "PIER"),
    ("RM", "RM"),
    ("ROOM", "RM"),
    ("SLIP", "SLIP"),
    ("SPC", "SPC"),
    ("SPACE", "SPC"),
    ("STOP", "STOP"),
    ("STE", "STE"),
    ("SUITE", "STE"),
    ("TRLR", "TRLR"),
    ("TRAILER", "TRLR"),
    ("TRAILOR", "TRLR"),
    ("UNIT", "UNIT"),
    ("#", "#"),
];

/// Units that stand alone.
const UNITS_ALONE: [(&str, &str); 18] = [
    ("BSMT", "BSMT"),
    ("BASEMENT", "BSMT"),
    ("FRNT", "FRNT"),
    ("FRONT", "FRNT"),
    ("LBBY", "LBBY"),
    ("LOBBY", "LBBY"),
    ("LOWR", "LOWR"),
    ("LOWER", "LOWR"),
    ("LWR", "LOWR"),
    ("OFC", "OFC"),
    ("OFFICE", "OFC"),
    ("PH", "PH"),
    ("PENTHOUSE", "PH"),
    ("REAR", "REAR"),
    ("SIDE", "SIDE"),
    ("UPPR", "UPPR"),
    ("UPPER", "UPPR"),
    ("UPR", "UPPR"),
];

const ORDINALS: [&str; 20] = [
    "ZEROTH",
    "FIRST",
    "SECOND",
    "THIRD",
    "FOURTH",
    "FIFTH",
    "SIXTH",
    "SEVENTH",
    "EIGHTH",
    "NINTH",
    "TENTH",
    "ELEVENTH",
    "TWELFTH",
    "THIRTEENTH",
    "FOURTEENTH",
    "FIFTEENTH",
    "SIXTEENTH",
    "SEVENTEENTH",
    "EIGHTEENTH",
    "NINETEENTH",
];

/// The word for so many tens, and for the ordinal of them.
const TENS: [(&str, &str, u32); 8] = [
    ("TWENTY", "TWENTIETH", 20),
    ("THIRTY", "THIRTIETH", 30),
    ("FORTY", "FORTIETH", 40),
    ("FIFTY", "FIFTIETH", 50),
    ("SIXTY", "SIXTIETH", 60),
    ("SEVENTY", "SEVENTIETH", 70),
    ("EIGHTY", "EIGHTIETH", 80),
    ("NINETY", "NINETIETH", 90),
];

/// A number of more digits is no street's.
const ORDINAL_DIGITS_MAX: usize = 4;

/// The standard abbreviation of a suffix, in any spelling.
#[must_use]
pub fn suffix(word: &str) -> Option<&'static str> {
    SUFFIXES.get(word).map(|(standard, _)| *standard)
}

/// The full word of an abbreviated suffix: what it is as a part of a name. One of two
/// letters may be a saint, a fort or Spanish there.
pub(super) fn suffix_in_name(word: &str) -> Option<&'static str> {
    let (_, full) = SUFFIXES.get(word).filter(|_| word.len() > 2)?;
    Some(full)
}

/// Whether hardly anything but a street is called by this suffix, in any spelling.
#[must_use]
pub fn is_sure_suffix(word: &str) -> bool {
    suffix(word).is_some_and(|standard| SURE_SUFFIXES.contains(&standard))
}

/// `N`, `SW`, of either spelling.
#[must_use]
pub fn direction(word: &str) -> Option<&'static str> {
    let known = DIRECTIONS
        .iter()
        .find(|(short, full)| *short == word || *full == word);
    known.map(|(short, _)| *short)
}

pub(super) fn direction_in_full(short: &str) -> Option<&'static str> {
    let known = DIRECTIONS.iter().find(|(known, _)| *known == short);
    known.map(|(_, full)| *full)
}

/// `NB`, `WESTBOUND`: where the traffic goes.
#[must_use]
pub fn is_bound(word: &str) -> bool {
    BOUND.contains(&word)
}

/// The standard designator of a unit that a number or letter follows.
#[must_use]
pub fn unit_numbered(word: &str) -> Option<&'static str> {
    let known = UNITS_NUMBERED
        .iter()
        .find(|(spelling, _)| *spelling == word);
    known.map(|(_, standard)| *standard)
}

/// The standard designator of a unit that stands alone, such as `UPPR`.
#[must_use]
pub fn unit_alone(word: &str) -> Option<&'static str> {
    let known = UNITS_ALONE.iter().find(|(spelling, _)| *spelling == word);
    known.map(|(_, standard)| *standard)
}

/// The number of `35TH`, whatever its ending.
#[must_use]
pub fn ordinal_number(word: &str) -> Option<u32> {
    let digits = word
        .strip_suffix("ST")
        .or_else(|| word.strip_suffix("ND"))
        .or_else(|| word.strip_suffix("RD"))
        .or_else(|| word.strip_suffix("TH"))?;
    number(digits)
}

/// The number of a word of digits that may be a street's.
pub(super) fn number(word: &str) -> Option<u32> {
    let plausible = (1..=ORDINAL_DIGITS_MAX).contains(&word.len());
    let digits = plausible && word.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| word.parse().ok()).flatten()
}

/// The number of `THIRD` or `TWENTIETH`.
#[must_use]
pub fn spelled_ordinal(word: &str) -> Option<u32> {
    let below_twenty = ORDINALS.iter().position(|known| *known == word);
    let below_twenty = below_twenty.and_then(|at| u32::try_from(at).ok());
    let tens = TENS.iter().find(|(_, ordinal, _)| *ordinal == word);
    below_twenty.or(tens.map(|(.., number)| *number))
}

/// The number of `TWENTY` before an ordinal below ten.
pub(super) fn spelled_tens(word: &str) -> Option<u32> {
    let known = TENS.iter().find(|(tens, ..)| *tens == word);
    known.map(|(.., number)| *number)
}

/// `1ST`, `22ND`, `113TH`.
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 100, number % 10) {
        (11..=13, _) => "TH",
        (_, 1) => "ST",
        (_, 2) => "ND",
        (_, 3) => "RD",
        _ => "TH",
    };
    format!("{number}{ending}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_suffix_is_one_suffix_and_its_standard_is_its_own() {
        let mut seen = HashMap::new();
        for (line, spellings) in include_str!("suffixes.txt").lines().enumerate() {
            for spelling in spellings.split_whitespace() {
                let before = seen.insert(spelling, line);
                assert!(before.is_none_or(|other| other == line), "{spelling}");
            }
        }
        for (standard, _) in SUFFIXES.values() {
            assert_eq!(suffix(standard), Some(*standard));
        }
    }
}
