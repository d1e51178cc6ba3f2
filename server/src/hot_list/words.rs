//! Names, dates and phones as people and records write them.

use jiff::civil::Date;

/// Words that may stand between a given name and a surname.
const BETWEEN_NAMES_MAX: usize = 1;
const PHONE_DIGITS: usize = 10;
/// The states, the district and the territories whose plates are met.
const STATES: &str = "AL AK AZ AR CA CO CT DE DC FL GA HI ID IL IN IA KS KY LA ME MD MA MI MN \
                      MS MO MT NE NV NH NJ NM NY NC ND OH OK OR PA RI SC SD TN TX UT VT VA WA \
                      WV WI WY PR GU VI ON";

/// The words of a text, in capitals.
pub(super) fn plain(text: &str) -> Vec<String> {
    let is_mark = |c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '\u{2019}');
    text.split(is_mark)
        .map(|word| {
            let kept = word.chars().filter(|c| c.is_alphanumeric());
            kept.collect::<String>().to_uppercase()
        })
        .filter(|word| !word.is_empty())
        .collect()
}

pub(super) fn is_state(text: &str) -> bool {
    let text = text.trim().to_uppercase();
    text.len() == 2 && STATES.split_whitespace().any(|state| state == text)
}

/// Surname and given names, in capitals: `DOE, JANE M` or `Jane M Doe`. A surname of two
/// words is one only before a comma.
pub(super) fn name_parts(name: &str) -> (String, Vec<String>) {
    match name.split_once(',') {
        Some((surname, given)) => (plain(surname).concat(), plain(given)),
        None => {
            let mut given = plain(name);
            let surname = given.pop().unwrap_or_default();
            (surname, given)
        }
    }
}

/// Whether the text has this person's surname and first given name side by side, in either
/// order, one word between them at the most.
pub(super) fn has_name(text: &str, name: &str) -> bool {
    let (surname, given) = name_parts(name);
    let Some(first) = given.first() else {
        return false;
    };
    // A full stop after a letter is an initial's; any other ends the sentence.
    let initials = |sentence: &str| {
        sentence
            .chars()
            .rev()
            .take_while(|c| c.is_alphabetic())
            .count()
            < 2
    };
    let mut sentences: Vec<String> = Vec::new();
    for piece in text.split_inclusive(['.', ';', '\n', '!', '?']) {
        match sentences.last_mut() {
            Some(last) if initials(last.trim_end_matches('.')) && last.ends_with('.') => {
                last.push_str(piece);
            }
            _ => sentences.push(piece.to_owned()),
        }
    }
    sentences.iter().any(|sentence| {
        let words = plain(sentence);
        let at = |wanted: &str| -> Vec<usize> {
            let all = words.iter().enumerate();
            all.filter(|(_, word)| *word == wanted)
                .map(|(at, _)| at)
                .collect()
        };
        let (surnames, firsts) = (at(&surname), at(first));
        surnames.iter().any(|surname| {
            let is_near =
                |first: &usize| (1..=BETWEEN_NAMES_MAX + 1).contains(&first.abs_diff(*surname));
            firsts.iter().any(is_near)
        })
    })
}

/// Whether the text has this date as people write one: year first, or month first.
pub(super) fn has_date(text: &str, date: Date) -> bool {
    let (year, month, day) = (date.year(), date.month(), date.day());
    let short = year.rem_euclid(100);
    [
        format!("{year}-{month:02}-{day:02}"),
        format!("{month:02}/{day:02}/{year}"),
        format!("{month}/{day}/{year}"),
        format!("{month:02}-{day:02}-{year}"),
        format!("{month:02}{day:02}{year}"),
        format!("{month:02}/{day:02}/{short:02}"),
    ]
    .iter()
    .any(|written| {
        text.match_indices(written.as_str()).any(|(at, _)| {
            let is_digit = |c: Option<char>| c.is_some_and(|c| c.is_ascii_digit());
            !is_digit(text[..at].chars().next_back())
                && !is_digit(text[at + written.len()..].chars().next())
        })
    })
}

/// The ten digits of a North American number.
pub(super) fn phone(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix('1') {
        Some(rest) if rest.len() == PHONE_DIGITS => rest,
        _ => &digits,
    };
    (digits.len() == PHONE_DIGITS).then(|| digits.to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_phone_is_its_ten_digits() {
        for text in [
            "414-555-0123",
            "(414) 555-0123",
            "+1 414.555.0123",
            "4145550123",
        ] {
            assert_eq!(phone(text).as_deref(), Some("4145550123"), "{text}");
        }
        assert_eq!((phone("555-0123"), phone("24145550123")), (None, None));
    }

    #[test]
    fn a_name_is_taken_apart_as_records_and_people_write_it() {
        let jane = || ("DOE".to_owned(), vec!["JANE".to_owned(), "M".to_owned()]);
        assert_eq!(name_parts("DOE, JANE M"), jane());
        assert_eq!(name_parts("Jane M. Doe"), jane());
        assert_eq!(name_parts("O'Neil, Al").0, "ONEIL");
        assert_eq!(name_parts("").0, "");
    }

    #[test]
    fn a_date_is_met_as_people_write_it_and_in_no_longer_number() {
        let born = "1980-02-03".parse().unwrap();
        for text in ["dob 2/3/1980.", "1980-02-03", "02031980", "born 02/03/80"] {
            assert!(has_date(text, born), "{text}");
        }
        for text in ["12/3/1980", "2/3/19801", "1980-02-04"] {
            assert!(!has_date(text, born), "{text}");
        }
    }
}
