//! The states, as a plate's state is written: the two letters, the name, older
//! abbreviations.

use super::super::tokens::Text;

/// The code, and what else it is called.
const STATES: [(&str, &[&str]); 51] = [
    ("AL", &["ALABAMA", "ALA"]),
    ("AK", &["ALASKA"]),
    ("AZ", &["ARIZONA", "ARIZ"]),
    ("AR", &["ARKANSAS", "ARK"]),
    ("CA", &["CALIFORNIA", "CALIF", "CAL"]),
    ("CO", &["COLORADO", "COLO"]),
    ("CT", &["CONNECTICUT", "CONN"]),
    ("DC", &[]),
    ("DE", &["DELAWARE", "DEL"]),
    ("FL", &["FLORIDA", "FLA"]),
    ("GA", &["GEORGIA"]),
    ("HI", &["HAWAII"]),
    ("ID", &["IDAHO"]),
    ("IL", &["ILLINOIS", "ILL"]),
    ("IN", &["INDIANA", "IND"]),
    ("IA", &["IOWA"]),
    ("KS", &["KANSAS", "KAN"]),
    ("KY", &["KENTUCKY"]),
    ("LA", &["LOUISIANA"]),
    ("ME", &["MAINE"]),
    ("MD", &["MARYLAND"]),
    ("MA", &["MASSACHUSETTS", "MASS"]),
    ("MI", &["MICHIGAN", "MICH"]),
    ("MN", &["MINNESOTA", "MINN"]),
    ("MS", &["MISSISSIPPI"]),
    ("MO", &["MISSOURI"]),
    ("MT", &["MONTANA", "MONT"]),
    ("NE", &["NEBRASKA", "NEB", "NEBR"]),
    ("NV", &["NEVADA", "NEV"]),
    ("NH", &["NEW HAMPSHIRE"]),
    ("NJ", &["NEW JERSEY"]),
    ("NM", &["NEW MEXICO"]),
    ("NY", &["NEW YORK"]),
    ("NC", &["NORTH CAROLINA"]),
    ("ND", &["NORTH DAKOTA"]),
    ("OH", &["OHIO"]),
    ("OK", &["OKLAHOMA", "OKLA"]),
    ("OR", &["OREGON", "ORE"]),
    ("PA", &["PENNSYLVANIA", "PENNA"]),
    ("RI", &["RHODE ISLAND"]),
    ("SC", &["SOUTH CAROLINA"]),
    ("SD", &["SOUTH DAKOTA"]),
    ("TN", &["TENNESSEE", "TENN"]),
    ("TX", &["TEXAS", "TEX"]),
    ("UT", &["UTAH"]),
    ("VT", &["VERMONT"]),
    ("VA", &["VIRGINIA"]),
    ("WA", &["WASHINGTON", "WASH"]),
    ("WV", &["WEST VIRGINIA"]),
    ("WI", &["WISCONSIN", "WISC", "WIS"]),
    ("WY", &["WYOMING"]),
];
/// Codes that are words too.
const WORDS_TOO: [&str; 13] = [
    "IN", "OR", "OK", "ME", "HI", "OH", "ID", "LA", "DE", "AL", "MA", "PA", "CO",
];

/// A state that a text names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) code: &'static str,
    /// How many tokens it takes.
    pub(super) tokens: usize,
    /// It can hardly be another word.
    pub(super) sure: bool,
}

/// The state that is named at this token.
pub(super) fn at(text: &Text<'_>, at: usize) -> Option<Named> {
    let upper = text.upper(at);
    let two = format!("{upper} {}", text.upper(at + 1));
    STATES.iter().find_map(|(code, names)| {
        let named = |tokens, sure| Named { code, tokens, sure };
        if *code == upper {
            return Some(named(1, !WORDS_TOO.contains(code)));
        }
        let tokens = if names.contains(&upper) {
            1
        } else if names.contains(&two.as_str()) && !text.begins_clause(at + 1) {
            2
        } else {
            return None;
        };
        Some(named(tokens, true))
    })
}

/// The state that is named right ahead of this token, and where it begins.
pub(super) fn ahead(text: &Text<'_>, before: usize) -> Option<(Named, usize)> {
    [2, 1].into_iter().find_map(|tokens| {
        let from = before.checked_sub(tokens)?;
        let named = at(text, from).filter(|named| named.tokens == tokens)?;
        Some((named, from))
    })
}
