//! Dates of birth as they are typed: `11/02/1979`, `02-28-1977`, `1967-12-25`, `061589`,
//! `05141988`, `8 JUL 86`. Month before day, as the United States write it.

use jiff::civil::Date;

use super::super::tokens::Text;

const MONTHS: [&str; 12] = [
    "JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC",
];
/// Two digits up to here are of this century.
const SHORT_YEAR_MAX: i16 = 25;
const YEARS: std::ops::RangeInclusive<i16> = 1900..=2030;

/// The date that begins at this token as `1979-11-02`, and how many tokens it takes.
/// `said`: the text says that it is a date of birth, so spaces between the numbers will do.
pub(super) fn read(text: &Text<'_>, at: usize, said: bool) -> Option<(String, usize)> {
    let token = text.tokens.get(at)?;
    let numbers: Vec<&str> = token.upper.split('-').collect();
    if let [one, two, three] = numbers.as_slice() {
        return Some((of_three(one, two, three)?, 1));
    }
    if token.is_digits() && matches!(token.upper.len(), 6 | 8) {
        let (month, rest) = token.upper.split_at(2);
        let (day, year) = rest.split_at(2);
        return Some((date(year, month, day)?, 1));
    }
    let (second, third) = (text.tokens.get(at + 1)?, text.tokens.get(at + 2)?);
    let joined = |gap: &str| gap == "/" || gap == "." || (said && gap == " ");
    if let Some(month) = MONTHS
        .iter()
        .position(|month| second.upper.starts_with(month))
    {
        let month = (month + 1).to_string();
        return Some((date(&third.upper, &month, &token.upper)?, 3));
    }
    if !joined(second.gap) || !joined(third.gap) {
        return None;
    }
    Some((of_three(&token.upper, &second.upper, &third.upper)?, 3))
}

fn of_three(one: &str, two: &str, three: &str) -> Option<String> {
    if one.len() == 4 {
        date(one, two, three)
    } else {
        date(three, one, two)
    }
}

fn date(year: &str, month: &str, day: &str) -> Option<String> {
    let short = year.len() == 2;
    if !short && year.len() != 4 {
        return None;
    }
    let number: i16 = year.parse().ok()?;
    let year = match (short, number) {
        (true, ..=SHORT_YEAR_MAX) => 2000 + number,
        (true, _) => 1900 + number,
        (false, _) => number,
    };
    let date = Date::new(year, month.parse().ok()?, day.parse().ok()?).ok()?;
    YEARS.contains(&year).then(|| date.to_string())
}
