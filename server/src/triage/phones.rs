//! Telephone numbers in a text: ten digits of the North American Numbering Plan, as people
//! write them (`414-555-0118`, `(414) 555 0118`, `414/555-0118`).
//!
//! Ten digits in a row are also a student's number or an account's: those count only where
//! the text says that they are a telephone's.

use std::ops::Range;

/// Words right ahead by which ten digits in a row are a telephone number.
const ANNOUNCING: [&str; 18] = [
    "PHONE",
    "PH",
    "TEL",
    "TELEPHONE",
    "CELL",
    "CELLPHONE",
    "MOBILE",
    "CALL",
    "CALLBACK",
    "CB",
    "NUMBER",
    "NUM",
    "TEXT",
    "HOME",
    "WORK",
    "WK",
    "CONTACT",
    "LANDLINE",
];
/// How far ahead such a word may stand.
const ANNOUNCED_WORDS_MAX: usize = 3;
const DIGITS: usize = 10;
/// Digits in groups, as they are written.
const GROUPS: [usize; 3] = [3, 3, 4];

pub(super) struct FoundPhone {
    pub(super) bytes: Range<usize>,
    /// `4145550118`
    pub(super) number: String,
}

pub(super) fn find(text: &str) -> Vec<FoundPhone> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        if !bytes[at].is_ascii_digit() {
            at += 1;
            continue;
        }
        let whole = digits(bytes, at);
        let free = at == 0 || !joins(text, at);
        match phone(text, at).filter(|_| free) {
            Some(phone) => {
                at = phone.bytes.end;
                found.push(phone);
            }
            None => at += whole,
        }
    }
    found
}

/// How many digits stand here in a row.
fn digits(bytes: &[u8], at: usize) -> usize {
    bytes[at..]
        .iter()
        .take_while(|byte| byte.is_ascii_digit())
        .count()
}

/// Whether the digits at `at` are the rest of something longer, such as `A555`, `98-414`.
fn joins(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end_matches(['-', '.', '/', '(']);
    let parted = before.len() < at && !text[before.len()..at].starts_with(['-', '.']);
    let country = before.ends_with('1')
        && !before[..before.len() - 1].ends_with(|d: char| d.is_alphanumeric());
    !parted && !country && before.ends_with(char::is_alphanumeric)
}

fn phone(text: &str, start: usize) -> Option<FoundPhone> {
    let bytes = text.as_bytes();
    let mut number = String::with_capacity(DIGITS);
    let mut at = start;
    if digits(bytes, at) == DIGITS {
        number.push_str(&text[at..at + DIGITS]);
        at += DIGITS;
        if !is_announced(&text[..start]) {
            return None;
        }
    } else {
        for (group, length) in GROUPS.into_iter().enumerate() {
            if group > 0 {
                at += separator(&text[at..])?;
            }
            if digits(bytes, at) != length {
                return None;
            }
            number.push_str(&text[at..at + length]);
            at += length;
        }
    }
    // What goes on is no telephone number: `414-555-0118-22`, `4145550118B`.
    let rest = &text[at..];
    let goes_on = rest.starts_with(char::is_alphanumeric)
        || rest
            .strip_prefix(['-', '.', '/'])
            .is_some_and(|rest| rest.starts_with(|d: char| d.is_ascii_digit()));
    let (area, exchange) = (number.as_bytes()[0], number.as_bytes()[3]);
    if goes_on || area < b'2' || exchange < b'2' {
        return None;
    }
    let bracket = usize::from(text[..start].ends_with('(') && text[start..at].contains(')'));
    Some(FoundPhone {
        bytes: start - bracket..at,
        number,
    })
}

/// How long the separator between two groups is: `-`, `. `, `) `, `/`, a space.
fn separator(text: &str) -> Option<usize> {
    let length = text
        .bytes()
        .take_while(|byte| b"-./) ".contains(byte))
        .count();
    (1..=3).contains(&length).then_some(length)
}

fn is_announced(ahead: &str) -> bool {
    let words = ahead.rsplit(|sign: char| !sign.is_alphanumeric());
    words
        .filter(|word| !word.is_empty())
        .take(ANNOUNCED_WORDS_MAX)
        .any(|word| ANNOUNCING.contains(&word.to_uppercase().as_str()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn numbers(text: &str) -> Vec<String> {
        find(text).into_iter().map(|phone| phone.number).collect()
    }

    #[test]
    fn numbers_are_read_as_people_write_them() {
        for text in [
            "CALL 414-555-0118 AFTER 1600",
            "414 555 0118",
            "(414) 555-0118",
            "(414)555-0118",
            "414/555-0118",
            "414.555.0118",
            "1-414-555-0118",
            "PHONE NUMBER 4145550118.",
            "X:414-555-0118",
        ] {
            assert_eq!(numbers(text), ["4145550118"], "{text}");
        }
        let found = find("RP (414) 555-0118, CELL");
        assert_eq!(
            &"RP (414) 555-0118, CELL"[found[0].bytes.clone()],
            "(414) 555-0118"
        );
        assert_eq!(numbers("414-555-0118 OR 414-555-0119").len(), 2);
    }

    #[test]
    fn other_numbers_are_no_telephones() {
        for text in [
            "STUDENT ID 9074412280",
            "CASE 414-555-0118-22",
            "ORDER NO. 414-555-98-1",
            "CARD 6039 5530 0144 2219",
            "ACCOUNT 5550142",
            "SN 114-155-0118",
            "114 155 0118",
            "A414-555-0118",
            "98-414-555-0118",
            "414-555-01189",
            "é4145550118é",
        ] {
            assert_eq!(numbers(text), Vec::<String>::new(), "{text}");
        }
    }
}
