//! License plates in a narrative.
//!
//! A plate found here is run against registrations, and what comes back colours
//! how a car is approached. So a plate counts only where the text says that it
//! is one ("plate", "tag", "lic" …), says it without doubt ("partial", "poss",
//! "or"), and it looks like one; all else is left for an analyst to read.

use std::ops::Range;

/// Most words between the word that announces a plate and the plate.
const FILLERS_MAX: usize = 4;
const DOUBT_WORDS_BEFORE: usize = 2;
const PLATE_CHARS: std::ops::RangeInclusive<usize> = 5..=7;
const PLATE_LETTERS_RUN_MAX: usize = 3;
/// ABC1234 changes once between letters and digits, 1ABC234 twice.
const PLATE_CHANGES_MAX: usize = 2;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundPlate {
    /// Letters and digits only, in capitals.
    pub plate: String,
    /// The state's two letters, where the text says them.
    pub state: Option<String>,
    /// The words it comes from, verbatim.
    pub words: String,
}

const ANNOUNCING: [&str; 11] = [
    "PLATE",
    "PLATES",
    "TAG",
    "TAGS",
    "LP",
    "LPN",
    "LIC",
    "LICENSE",
    "LICENCE",
    "REG",
    "REGISTRATION",
];
const FILLERS: [&str; 8] = ["NO", "NUM", "NBR", "NUMBER", "IS", "OF", "STATE", "ON"];
/// Ahead of "license": what is licensed is no car.
const OTHER_LICENSES: [&str; 9] = [
    "DRIVER", "DRIVERS", "DRIVER'S", "DL", "OL", "OP", "OPERATOR", "LIQUOR", "BUSINESS",
];
const DOUBTS: [&str; 24] = [
    "PARTIAL",
    "PART",
    "POSSIBLE",
    "POSSIBLY",
    "POSS",
    "MAYBE",
    "UNK",
    "UNKNOWN",
    "UNSURE",
    "SIMILAR",
    "LIKE",
    "ENDS",
    "ENDING",
    "STARTS",
    "STARTING",
    "BEGINS",
    "BEGINNING",
    "OLD",
    "PREVIOUS",
    "WRONG",
    "APPROX",
    "OR",
    "INCOMPLETE",
    "THINKS",
];
const DENIALS: [&str; 3] = ["NO", "NOT", "WITHOUT"];
const ADJECTIVES: [&str; 6] = ["FRONT", "REAR", "VISIBLE", "VALID", "LICENSE", "LIC"];
const UNITS_OF_MEASURE: [&str; 15] = [
    "HRS", "HR", "AM", "PM", "MPH", "YOA", "YO", "YRS", "LBS", "FT", "IN", "ST", "ND", "RD", "TH",
];
const NO_PLATE_BEGINS: [&str; 4] = ["APT", "EXP", "RAM", "RM"];
const STATES: [&str; 51] = [
    "AL", "AK", "AZ", "AR", "CA", "CO", "CT", "DC", "DE", "FL", "GA", "HI", "ID", "IL", "IN", "IA",
    "KS", "KY", "LA", "ME", "MD", "MA", "MI", "MN", "MS", "MO", "MT", "NE", "NV", "NH", "NJ", "NM",
    "NY", "NC", "ND", "OH", "OK", "OR", "PA", "RI", "SC", "SD", "TN", "TX", "UT", "VT", "VA", "WA",
    "WV", "WI", "WY",
];
/// States that are words too: believed only between "plate" and the plate.
const STATES_OR_WORDS: [&str; 9] = ["IN", "OR", "OK", "ME", "HI", "OH", "ID", "LA", "DE"];

struct Token<'t> {
    text: &'t str,
    upper: String,
    bytes: Range<usize>,
    /// A comma, a full stop or the like comes right after it.
    ends_clause: bool,
}

/// Adds the plates of `text` that are not there yet.
pub(super) fn find(text: &str, found: &mut Vec<FoundPlate>) {
    let tokens = tokens(text);
    for at in 0..tokens.len() {
        if !ANNOUNCING.contains(&tokens[at].upper.as_str()) || in_doubt(&tokens, at) {
            continue;
        }
        if let Some(plate) = announced(text, &tokens, at)
            && !found.iter().any(|known| known.plate == plate.plate)
        {
            found.push(plate);
        }
    }
}

/// Letters and digits only, in capitals, as plates are compared.
pub(super) fn bare(plate: &str) -> String {
    let kept = plate.chars().filter(|kept| kept.is_ascii_alphanumeric());
    kept.map(|kept| kept.to_ascii_uppercase()).collect()
}

fn tokens(text: &str) -> Vec<Token<'_>> {
    let mut tokens: Vec<Token<'_>> = Vec::new();
    let separates = |character: char| {
        character.is_whitespace() || ":#=/()\",;|\u{201c}\u{201d}".contains(character)
    };
    let mut start = 0;
    let ends = text
        .char_indices()
        .filter(|(_, character)| separates(*character))
        .chain([(text.len(), ' ')]);
    for (at, character) in ends {
        let whole = &text[start..at];
        let bare = whole.trim_end_matches(['.', '!', '\'']);
        let ends_clause =
            bare.len() < whole.len() || matches!(character, ',' | ';' | '(' | ')' | '|' | '\n');
        if !bare.is_empty() {
            tokens.push(Token {
                text: bare,
                upper: bare.to_uppercase(),
                bytes: start..start + bare.len(),
                ends_clause,
            });
        } else if ends_clause && let Some(last) = tokens.last_mut() {
            last.ends_clause = true;
        }
        start = at + character.len_utf8().min(text.len() - at);
    }
    tokens
}

/// The tokens right ahead of `at` in its clause, the nearest first.
fn ahead<'a, 't>(tokens: &'a [Token<'t>], at: usize) -> impl Iterator<Item = &'a Token<'t>> {
    let ahead = tokens[..at].iter().rev();
    ahead.take_while(|token| !token.ends_clause)
}

/// Whether what is ahead of the announcing word denies or doubts the plate, or
/// says that another kind of license follows.
fn in_doubt(tokens: &[Token<'_>], at: usize) -> bool {
    let is = |token: &Token<'_>, words: &[&str]| words.contains(&token.upper.as_str());
    let mut near = ahead(tokens, at).skip_while(|token| is(token, &ADJECTIVES));
    if near.next().is_some_and(|token| is(token, &DENIALS)) {
        return true;
    }
    let doubted = ahead(tokens, at)
        .take(DOUBT_WORDS_BEFORE)
        .any(|token| is(token, &DOUBTS));
    let numbered: Vec<_> = ahead(tokens, at)
        .take(3)
        .map(|token| &token.upper)
        .collect();
    // "first 3 of plate", "last 4 of tag"; "last seen" is no doubt.
    let piece = numbered.windows(2).any(|pair| {
        matches!(pair[1].as_str(), "FIRST" | "LAST")
            && pair[0].starts_with(|digit: char| digit.is_ascii_digit())
    });
    let other = ahead(tokens, at)
        .next()
        .is_some_and(|token| is(token, &OTHER_LICENSES));
    doubted || piece || other
}

/// The plate that the word at `at` announces.
fn announced(text: &str, tokens: &[Token<'_>], at: usize) -> Option<FoundPlate> {
    let before = at.checked_sub(1).map(|before| &tokens[before]);
    let before = before.filter(|token| !token.ends_clause).and_then(state);
    let mut first = at;
    let mut stated = None;
    let mut plate_at = at + 1;
    for filler in tokens.iter().skip(at + 1).take(FILLERS_MAX) {
        let code = STATES.iter().find(|code| **code == filler.text);
        if let Some(code) = code.copied().or_else(|| state(filler)) {
            stated = Some(code);
        } else if !FILLERS.contains(&filler.upper.as_str())
            && !ANNOUNCING.contains(&filler.upper.as_str())
        {
            break;
        }
        plate_at += 1;
    }
    let token = tokens.get(plate_at)?;
    let next = tokens.get(plate_at + 1).filter(|_| !token.ends_clause);
    if stated.is_none() && before.is_some() {
        stated = before;
        first = at - 1;
    }
    let mut last = plate_at;
    if stated.is_none()
        && let Some(after) = next.and_then(state)
    {
        stated = Some(after);
        last += 1;
    }
    if !is_plate(&token.upper, stated.is_some()) || next.is_some_and(|next| goes_on(token, next)) {
        return None;
    }
    Some(FoundPlate {
        plate: bare(token.text),
        state: stated.map(str::to_owned),
        words: text[tokens[first].bytes.start..tokens[last].bytes.end].to_owned(),
    })
}

/// The state that a token names where it can hardly be a word.
fn state(token: &Token<'_>) -> Option<&'static str> {
    let code = STATES.iter().find(|code| **code == token.upper)?;
    (!STATES_OR_WORDS.contains(code)).then_some(*code)
}

/// Whether what follows makes the plate doubtful, or a piece of a longer one.
fn goes_on(plate: &Token<'_>, next: &Token<'_>) -> bool {
    let has_digit = next.upper.contains(|digit: char| digit.is_ascii_digit());
    let rest_chars_max = if plate.upper.len() < 6 { 4 } else { 2 };
    DOUBTS.contains(&next.upper.as_str())
        || next.upper.starts_with(['?', '*'])
        || (has_digit && next.upper.len() <= rest_chars_max)
}

fn is_plate(upper: &str, with_state: bool) -> bool {
    let known = |kept: char| kept.is_ascii_alphanumeric() || kept == '-';
    if !upper.chars().all(known) || upper.starts_with('-') || upper.ends_with('-') {
        return false;
    }
    let plate = bare(upper);
    let is_digit: Vec<bool> = plate.bytes().map(|byte| byte.is_ascii_digit()).collect();
    let digits = is_digit.iter().filter(|digit| **digit).count();
    if !PLATE_CHARS.contains(&plate.len()) || digits < 2 {
        return false;
    }
    if digits == plate.len() {
        // Also the look of a telephone number: only where a state is named.
        return with_state && plate.len() >= 6 && !upper.contains('-');
    }
    let changes = is_digit
        .windows(2)
        .filter(|pair| pair[0] != pair[1])
        .count();
    let letters_run = is_digit.split(|digit| *digit).map(<[bool]>::len).max();
    let counted = plate.trim_start_matches(|digit: char| digit.is_ascii_digit());
    changes <= PLATE_CHANGES_MAX
        && letters_run.is_some_and(|run| run <= PLATE_LETTERS_RUN_MAX)
        && !(UNITS_OF_MEASURE.contains(&counted) && counted.len() < plate.len())
        && !NO_PLATE_BEGINS.iter().any(|word| plate.starts_with(word))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(text: &str) -> Vec<(String, Option<String>)> {
        let mut plates = Vec::new();
        find(text, &mut plates);
        plates
            .into_iter()
            .map(|found| (found.plate, found.state))
            .collect()
    }

    fn one(plate: &str, state: Option<&str>) -> Vec<(String, Option<String>)> {
        vec![(plate.to_owned(), state.map(str::to_owned))]
    }

    #[test]
    fn plates_are_found_as_call_takers_write_them() {
        for (text, plate, state) in [
            (
                "GRY 2015 HONDA CIVIC WI PLATE KRT482, SPEED 48 IN 30",
                "KRT482",
                Some("WI"),
            ),
            (
                "GRY 2015 HONDA CIVIC PLATE KRT482 NO HEADLIGHTS",
                "KRT482",
                None,
            ),
            (
                "veh il PLATE 4151123 DRIVING WRONG WAY",
                "4151123",
                Some("IL"),
            ),
            ("tag: abc-1234.", "ABC1234", None),
            ("LP#ABC1234/WI", "ABC1234", Some("WI")),
            ("license plate number is MN 123-ABC", "123ABC", Some("MN")),
            ("lic no IN 12AB34", "12AB34", Some("IN")),
            ("Lic. WI/AB12345", "AB12345", Some("WI")),
            ("left in a car (reg 7ABC123) at speed", "7ABC123", None),
            ("last seen w/ plates ABC1234 MI", "ABC1234", Some("MI")),
            ("plate ABC1234 in lot", "ABC1234", None),
            ("stolen plate ABC1234, 2 occupants", "ABC1234", None),
        ] {
            assert_eq!(found(text), one(plate, state), "{text}");
        }
    }

    #[test]
    fn the_words_of_a_plate_are_verbatim() {
        let mut plates = Vec::new();
        find("silver sedan, Tag  # abc-1234 wi, fled", &mut plates);
        assert_eq!(plates[0].words, "Tag  # abc-1234 wi");
    }

    #[test]
    fn a_plate_said_twice_is_found_once() {
        assert_eq!(found("plate ABC1234, rpt license plate ABC-1234").len(), 1);
    }

    #[test]
    fn what_may_not_be_a_plate_is_left_out() {
        for text in [
            "ABC1234",
            "plate ABC",
            "partial plate ABC123",
            "poss tag ABC1234",
            "plate unk ABC1234",
            "plate ABC1234 or ABC1235",
            "plate ABC1234 partial",
            "plate ABC12?4",
            "plate ABC1234?",
            "plate ABC1*34",
            "first 5 of plate ABC12",
            "no plate ABC1234",
            "no front plate ABC1234",
            "drivers license D1234567",
            "driver lic D123456",
            "plate 5551234",
            "tag 1200HRS",
            "plate 18000LBS",
            "reg 100TH ST",
            "plate F150",
            "license FORD150",
            "reg EXP2019",
            "plate ABC12 34",
            "plate ABC 1234",
            "plate 123 ABC",
            "reg check req",
            "tagged AB1234",
            "plate A1B2C3D",
            "plate HONDA12",
            "plate: ",
            "plate",
            "tag WI",
            "lic 1HGCM82633A004352",
            "plate 123-4567",
            "plate ÄBC1234",
            "IL plate 12345",
            "plate -1234A",
            "plate wrong ABC1234",
        ] {
            assert_eq!(found(text), vec![], "{text}");
        }
    }

    #[test]
    fn no_cut_of_a_text_breaks_the_search() {
        let text = "“plate” é: WI/ABC-1234,\u{a0}tag…ñ LP#12AB34 ’";
        for (at, _) in text.char_indices() {
            found(&text[at..]);
            found(&text[..at]);
        }
    }
}
