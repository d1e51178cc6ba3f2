//! A plate that was spelled on the radio: `Lincoln Ocean Nora four four two`, `D X R 8 2 1`.

use super::super::tokens::Text;
use super::shape::Read;

/// The alphabets of APCO and of the ICAO, and some older words.
const LETTERS: [(&str, char); 56] = [
    ("ADAM", 'A'),
    ("ALPHA", 'A'),
    ("ALFA", 'A'),
    ("BOY", 'B'),
    ("BAKER", 'B'),
    ("BRAVO", 'B'),
    ("CHARLES", 'C'),
    ("CHARLIE", 'C'),
    ("DAVID", 'D'),
    ("DELTA", 'D'),
    ("EDWARD", 'E'),
    ("ECHO", 'E'),
    ("FRANK", 'F'),
    ("FOXTROT", 'F'),
    ("GEORGE", 'G'),
    ("GOLF", 'G'),
    ("HENRY", 'H'),
    ("HOTEL", 'H'),
    ("IDA", 'I'),
    ("INDIA", 'I'),
    ("JOHN", 'J'),
    ("JULIET", 'J'),
    ("KING", 'K'),
    ("KILO", 'K'),
    ("LINCOLN", 'L'),
    ("LIMA", 'L'),
    ("MARY", 'M'),
    ("MIKE", 'M'),
    ("NORA", 'N'),
    ("NANCY", 'N'),
    ("NOVEMBER", 'N'),
    ("OCEAN", 'O'),
    ("OSCAR", 'O'),
    ("PAUL", 'P'),
    ("PAPA", 'P'),
    ("QUEEN", 'Q'),
    ("QUEBEC", 'Q'),
    ("ROBERT", 'R'),
    ("ROMEO", 'R'),
    ("SAM", 'S'),
    ("SIERRA", 'S'),
    ("TOM", 'T'),
    ("TANGO", 'T'),
    ("UNION", 'U'),
    ("UNIFORM", 'U'),
    ("VICTOR", 'V'),
    ("WILLIAM", 'W'),
    ("WHISKEY", 'W'),
    ("X-RAY", 'X'),
    ("XRAY", 'X'),
    ("YOUNG", 'Y'),
    ("YELLOW", 'Y'),
    ("YANKEE", 'Y'),
    ("ZEBRA", 'Z'),
    ("ZULU", 'Z'),
    ("EASY", 'E'),
];
const DIGITS: [(&str, char); 12] = [
    ("ZERO", '0'),
    ("OH", '0'),
    ("ONE", '1'),
    ("TWO", '2'),
    ("THREE", '3'),
    ("FOUR", '4'),
    ("FIVE", '5'),
    ("SIX", '6'),
    ("SEVEN", '7'),
    ("EIGHT", '8'),
    ("NINE", '9'),
    ("NINER", '9'),
];
const CHARS: std::ops::RangeInclusive<usize> = 5..=7;
const LETTERS_MIN: usize = 2;
const DIGITS_MIN: usize = 2;

/// The plate that is spelled from this token on.
pub(super) fn read(text: &Text<'_>, at: usize) -> Option<Read> {
    let mut plate = String::new();
    let mut letters = 0;
    let mut next = at;
    // `20 M I/F/O`: what a slash joins is an abbreviation.
    let goes_on = |next| !text.begins_clause(next) && !text.gap(next).contains('/');
    while next < text.tokens.len() && (next == at || goes_on(next)) {
        let upper = text.upper(next);
        if let Some(letter) = letter(upper) {
            plate.push(letter);
            letters += 1;
        } else if let Some(digit) = digit(upper) {
            plate.push(digit);
        } else if text.tokens[next].is_digits() && plate.len() + upper.len() <= *CHARS.end() {
            plate.push_str(upper);
        } else {
            break;
        }
        next += 1;
    }
    let digits = plate.len() - letters;
    let spelled = CHARS.contains(&plate.len()) && letters >= LETTERS_MIN && digits >= DIGITS_MIN;
    spelled.then_some(Read {
        plate,
        tokens: next - at,
    })
}

fn letter(upper: &str) -> Option<char> {
    let single = upper.len() == 1 && upper.as_bytes()[0].is_ascii_alphabetic();
    let spelled = LETTERS.iter().find(|(word, _)| *word == upper);
    spelled
        .map(|(_, letter)| *letter)
        .or_else(|| upper.chars().next().filter(|_| single))
}

fn digit(upper: &str) -> Option<char> {
    let spelled = DIGITS.iter().find(|(word, _)| *word == upper);
    spelled.map(|(_, digit)| *digit)
}
