//! Names, dates and phones in what people write, until the call's mentions say them.

use jiff::civil::Date;

/// Words that may stand between a given name and a surname.
const BETWEEN_NAMES_MAX: usize = 1;
const PHONE_DIGITS: usize = 10;
/// Between two groups of one number: `) `.
const PHONE_GAP_BYTES_MAX: usize = 2;
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

/// A name, and the day of birth that stands behind it.
pub(super) fn split_born(text: &str) -> (String, Option<Date>) {
    let text = text.trim();
    if let Some((name, last)) = text.rsplit_once(' ')
        && let Some(born) = date(last)
    {
        let name = name.trim().trim_end_matches([',', ';']);
        let before = name.rsplit_once(' ');
        let name = match before {
            Some((name, word)) if word.eq_ignore_ascii_case("DOB") => name,
            _ => name,
        };
        return (name.trim().to_owned(), Some(born));
    }
    (text.to_owned(), None)
}

fn date(text: &str) -> Option<Date> {
    if let Ok(date) = text.parse() {
        return Some(date);
    }
    let parts: Vec<&str> = text.split(['/', '-']).collect();
    let [month, day, year] = parts[..] else {
        return None;
    };
    if year.len() != 4 {
        return None;
    }
    Date::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?).ok()
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

/// Phones in a text: ten digits in one, or in groups of 3, 3 and 4 as people write them.
pub(super) fn phones(text: &str) -> Vec<String> {
    let groups = digit_groups(text);
    let is_gap = |one: &str, other: &str| {
        let from = one.as_ptr() as usize - text.as_ptr() as usize + one.len();
        let to = other.as_ptr() as usize - text.as_ptr() as usize;
        let gap = &text[from..to];
        gap.len() <= PHONE_GAP_BYTES_MAX
            && gap
                .chars()
                .all(|c| matches!(c, '-' | '.' | '(' | ')' | ' '))
    };
    let mut found: Vec<String> = groups.iter().filter_map(|group| phone(group)).collect();
    for three in groups.windows(3) {
        let lengths = [three[0].len(), three[1].len(), three[2].len()];
        if lengths == [3, 3, 4] && is_gap(three[0], three[1]) && is_gap(three[1], three[2]) {
            found.push(three.concat());
        }
    }
    found.sort();
    found.dedup();
    found
}

fn digit_groups(text: &str) -> Vec<&str> {
    let groups = text.split(|c: char| !c.is_ascii_digit());
    groups.filter(|group| !group.is_empty()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn phones_are_ten_digits_and_dates_and_amounts_are_none() {
        for (text, found) in [
            ("call back 414-555-0123 asap", &["4145550123"][..]),
            (
                "(414) 555-0123, +1 414.555.0124",
                &["4145550123", "4145550124"],
            ),
            ("4145550123", &["4145550123"]),
            ("555-0123", &[]),
            ("2018-05-01 12:30:00", &[]),
            ("100 200 300 4", &[]),
            ("units 100, 200 and 3000", &[]),
            ("41455501234", &[]),
        ] {
            assert_eq!(phones(text), found, "{text}");
        }
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
    fn a_day_of_birth_stands_behind_the_name_in_either_order() {
        let born = Some("1980-02-03".parse().unwrap());
        for text in [
            "Doe, Jane 1980-02-03",
            "Doe, Jane DOB 02/03/1980",
            "Doe, Jane, 2/3/1980",
        ] {
            assert_eq!(split_born(text), ("Doe, Jane".to_owned(), born), "{text}");
        }
        assert_eq!(split_born("Doe, Jane 13/40/1980").1, None);
        assert!(has_date("dob 2/3/1980.", "1980-02-03".parse().unwrap()));
        assert!(!has_date("12/3/1980", "1980-02-03".parse().unwrap()));
    }
}
