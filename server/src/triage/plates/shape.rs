//! What letters and digits look like a plate.

use super::super::lexicon::{Lexicon, bare, is_common};
use super::super::tokens::Text;
use crate::address::is_sure_suffix;

const CHARS: std::ops::RangeInclusive<usize> = 5..=7;
/// Without a word that announces it.
const CHARS_UNANNOUNCED: std::ops::RangeInclusive<usize> = 6..=7;
/// Letters side by side, where nothing says that it is a vanity plate.
const LETTERS_RUN_MAX: usize = 3;
const LETTERS_RUN_MAX_STATED: usize = 5;
/// ABC1234 changes once between letters and digits, 1ABC234 twice.
const CHANGES_MAX: usize = 2;
const VANITY_CHARS: std::ops::RangeInclusive<usize> = 3..=8;
const PARTIAL_CHARS: std::ops::RangeInclusive<usize> = 2..=7;
/// Most tokens that one plate is written in.
const PIECES_MAX: usize = 3;

const UNITS_OF_MEASURE: [&str; 22] = [
    "HRS", "HR", "AM", "PM", "MPH", "YOA", "YO", "YRS", "YOM", "YOF", "LBS", "FT", "IN", "ST",
    "ND", "RD", "TH", "MIN", "MM", "X", "BLK", "K",
];
const NO_PLATE_BEGINS: [&str; 6] = ["APT", "EXP", "RAM", "RM", "STE", "BLK"];

/// By what right letters and digits are read as a plate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Grounds {
    /// A word says that a plate follows.
    pub(super) announced: bool,
    /// The state stands beside it.
    pub(super) stated: bool,
    /// It may be a word: `VANITY`, or in quotation marks.
    pub(super) vanity: bool,
    /// A part of one is all that is looked for.
    pub(super) partial: bool,
}

/// What was read, and how many tokens it takes.
pub(super) struct Read {
    pub(super) plate: String,
    pub(super) tokens: usize,
}

/// The plate that begins at this token.
pub(super) fn read(
    text: &Text<'_>,
    lexicon: &Lexicon,
    at: usize,
    grounds: Grounds,
) -> Option<Read> {
    let token = text.tokens.get(at)?;
    let whole = bare(&token.upper);
    let signed = token.gap.ends_with('-') && token.gap.len() > 1;
    if signed
        || !is_plain(&token.upper)
        || (token.is_letters() && !grounds.vanity && is_word(text, lexicon, at))
    {
        return None;
    }
    if is_plate(&whole, &token.upper, grounds) {
        return (grounds.partial || !goes_on(text, at, &whole)).then_some(Read {
            plate: whole,
            tokens: 1,
        });
    }
    let joined = (2..=PIECES_MAX)
        .rev()
        .find_map(|pieces| join(text, lexicon, at, pieces, grounds));
    joined.or_else(|| {
        let known = grounds.partial && is_part(&whole);
        known.then_some(Read {
            plate: whole,
            tokens: 1,
        })
    })
}

fn is_plain(upper: &str) -> bool {
    upper
        .chars()
        .all(|kept| kept.is_ascii_alphanumeric() || kept == '-')
}

/// Whether letters are an English word, a color, a make or a suffix.
fn is_word(text: &Text<'_>, lexicon: &Lexicon, at: usize) -> bool {
    let upper = text.upper(at);
    is_common(upper)
        || lexicon.colors.has(text, at)
        || lexicon.bodies.has(text, at)
        || lexicon.makes.at(text, at).is_some()
        || lexicon.plates.doubt.has(text, at)
        || lexicon.plates.announce.has(text, at)
        || is_sure_suffix(upper)
        || UNITS_OF_MEASURE.contains(&upper)
}

/// Several short tokens as one: `KZV 4471`, `1PR 734`, `V 88 1204`.
fn join(
    text: &Text<'_>,
    lexicon: &Lexicon,
    at: usize,
    pieces: usize,
    grounds: Grounds,
) -> Option<Read> {
    let mut plate = String::new();
    for piece in at..at + pieces {
        let token = text.tokens.get(piece)?;
        let plain = token.upper.bytes().all(|byte| byte.is_ascii_alphanumeric());
        let apart = piece > at && !matches!(token.gap, " " | "  " | "");
        let word = token.is_letters() && is_word(text, lexicon, piece);
        if !plain || apart || word || token.upper.len() > 5 {
            return None;
        }
        plate.push_str(&token.upper);
    }
    // Three pieces only where the first is one letter.
    if pieces == PIECES_MAX && text.upper(at).len() > 1 {
        return None;
    }
    let next = text
        .tokens
        .get(at + pieces)
        .filter(|next| next.gap == " " && next.has_digit());
    let longer = next.is_some_and(|next| plate.len() + next.upper.len() <= *CHARS.end());
    let fits = is_plate(&plate, &plate, grounds)
        || (grounds.partial && is_part(&plate) && plate.bytes().any(|b| b.is_ascii_alphabetic()));
    (fits && !longer).then_some(Read {
        plate,
        tokens: pieces,
    })
}

/// Whether what follows may be the rest of a longer plate.
fn goes_on(text: &Text<'_>, at: usize, plate: &str) -> bool {
    let Some(next) = text
        .tokens
        .get(at + 1)
        .filter(|_| !text.begins_clause(at + 1))
    else {
        return false;
    };
    let rest_chars_max = if plate.len() < 6 { 4 } else { 2 };
    // `2 OCC` is how many are in it.
    let counts = next.upper.len() == 1 && !text.begins_clause(at + 2);
    next.has_digit() && next.upper.len() <= rest_chars_max && !counts
}

/// A part of a plate: with a digit, or so short that it is no word.
fn is_part(plate: &str) -> bool {
    let digits = plate.bytes().filter(u8::is_ascii_digit).count();
    // `PARTIAL 30`: of digits alone at least three.
    let digit = digits > 0 && (digits < plate.len() || digits > 2);
    PARTIAL_CHARS.contains(&plate.len())
        && (digit || plate.len() <= LETTERS_RUN_MAX)
        && !is_measure(plate)
}

fn is_measure(plate: &str) -> bool {
    let counted = plate.trim_start_matches(|digit: char| digit.is_ascii_digit());
    UNITS_OF_MEASURE.contains(&counted) && counted.len() < plate.len()
}

fn is_plate(plate: &str, written: &str, grounds: Grounds) -> bool {
    let is_digit: Vec<bool> = plate.bytes().map(|byte| byte.is_ascii_digit()).collect();
    let digits = is_digit.iter().filter(|digit| **digit).count();
    if grounds.vanity && VANITY_CHARS.contains(&plate.len()) && digits < plate.len() {
        return !is_measure(plate);
    }
    if is_hired(plate) {
        return grounds.announced;
    }
    let chars = if grounds.announced {
        CHARS
    } else {
        CHARS_UNANNOUNCED
    };
    if !chars.contains(&plate.len()) || digits == 0 || is_measure(plate) {
        return false;
    }
    if digits == plate.len() {
        // Also the look of a telephone number: only where a state is named.
        return grounds.stated && grounds.announced && plate.len() >= 6 && !written.contains('-');
    }
    let changes = is_digit
        .windows(2)
        .filter(|pair| pair[0] != pair[1])
        .count();
    let run = is_digit.split(|digit| *digit).map(<[bool]>::len).max();
    let run = run.unwrap_or_default();
    let begins_other = NO_PLATE_BEGINS.iter().any(|word| {
        // `RM4`, not `RMD442`.
        let rest = plate.strip_prefix(word);
        rest.is_some_and(|rest| rest.starts_with(|next: char| next.is_ascii_digit()))
    });
    let usual = digits >= 2 && changes <= CHANGES_MAX && run <= LETTERS_RUN_MAX;
    let stated = grounds.stated
        && run <= LETTERS_RUN_MAX_STATED
        && !is_common(&plate[..run.min(plate.len())]);
    !begins_other && (usual || stated)
}

/// New York's hired cars have eight: `T694718C`.
fn is_hired(plate: &str) -> bool {
    let bytes = plate.as_bytes();
    bytes.len() == 8
        && bytes[0] == b'T'
        && bytes[7] == b'C'
        && bytes[1..7].iter().all(u8::is_ascii_digit)
}

/// A shape that hardly anything but a plate has: `ABC123`, `ABC1234`, `123ABC`, `7ABC123`,
/// `7J13398`.
pub(super) fn is_unmistakable(plate: &str) -> bool {
    let mut runs: Vec<(bool, usize)> = Vec::new();
    for byte in plate.bytes() {
        let digit = byte.is_ascii_digit();
        match runs.last_mut() {
            Some((kind, length)) if *kind == digit => *length += 1,
            _ => runs.push((digit, 1)),
        }
    }
    matches!(
        runs.as_slice(),
        [(false, 3), (true, 3 | 4)]
            | [(true, 3), (false, 3)]
            | [(true, 1), (false, 3), (true, 3)]
            | [(true, 1), (false, 1), (true, 5)]
    ) && !is_measure(plate)
}
