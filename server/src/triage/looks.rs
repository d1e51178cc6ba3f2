//! How a person looks: two or more of sex, race, age, build, clothing, side by side.

use std::ops::Range;

use super::lexicon::{Lexicon, Look};
use super::tokens::Text;

/// Words that say nothing and stand between two that do, at most so many in a row.
const BETWEEN_MAX: usize = 3;
/// Fewest different things that a description tells.
const KINDS_MIN: usize = 2;

/// One word that tells something of a person.
struct Told {
    kinds: &'static [Look],
    tokens: usize,
}

/// The descriptions of a text, in its order.
pub(super) fn find(
    text: &Text<'_>,
    lexicon: &Lexicon,
    taken: &[Range<usize>],
) -> Vec<Range<usize>> {
    let finder = Finder {
        text,
        lexicon,
        taken,
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.tokens.len() {
        match finder.description(at) {
            Some(tokens) => {
                at = tokens.end;
                found.push(tokens);
            }
            None => at += 1,
        }
    }
    found
}

struct Finder<'a> {
    text: &'a Text<'a>,
    lexicon: &'a Lexicon,
    taken: &'a [Range<usize>],
}

impl Finder<'_> {
    fn description(&self, start: usize) -> Option<Range<usize>> {
        let mut kinds: Vec<Look> = Vec::new();
        let (mut at, mut end, mut between) = (start, start, 0);
        while at < self.text.tokens.len() && !(at > start && self.parts(at)) {
            if let Some(told) = self.told(at) {
                kinds.extend(told.kinds.iter().copied());
                at += told.tokens;
                (end, between) = (at, 0);
            } else if end > start && between < BETWEEN_MAX && self.is_between(at) {
                at += 1;
                between += 1;
            } else {
                break;
            }
        }
        kinds.sort_unstable();
        let pieces = kinds.len();
        kinds.dedup();
        let clothed = kinds == [Look::Clothing] && pieces >= KINDS_MIN;
        let person = kinds
            .iter()
            .any(|kind| matches!(kind, Look::Sex | Look::Race | Look::Build | Look::Clothing));
        (end > start && person && (kinds.len() >= KINDS_MIN || clothed)).then_some(start..end)
    }

    /// Whether a description does not go on over what stands ahead of this token.
    fn parts(&self, at: usize) -> bool {
        self.taken.iter().any(|taken| taken.contains(&at))
            || self.text.begins_sentence(at)
            || self.text.gap(at).contains([':', ')', '('])
    }

    fn is_between(&self, at: usize) -> bool {
        let known = self
            .lexicon
            .looks
            .at(self.text, at)
            .is_some_and(|(look, _)| *look == Look::Between);
        let color = self.lexicon.colors.has(self.text, at);
        // A brand or a team right ahead of what is worn: `SAINTS HOODIE`, `UNDER ARMOUR HAT`.
        let brand = (at + 1..=at + 2).any(|next| {
            let worn = self
                .lexicon
                .looks
                .at(self.text, next)
                .is_some_and(|(look, _)| *look == Look::Clothing);
            worn && (at + 1..=next).all(|at| !self.text.begins_clause(at))
        });
        known || color || (brand && self.text.tokens[at].is_letters())
    }

    fn told(&self, at: usize) -> Option<Told> {
        if self.taken.iter().any(|taken| taken.contains(&at)) {
            return None;
        }
        let told = |kinds: &'static [Look], tokens: usize| Some(Told { kinds, tokens });
        let upper = self.text.upper(at);
        match self.race_and_sex(at) {
            // `BF` is a boyfriend too, `AM` the morning: alone it tells but half.
            Some(1) if upper.len() == 2 => return told(&[Look::Race], 1),
            Some(tokens) => return told(&[Look::Race, Look::Sex], tokens),
            None => {}
        }
        if let Some((kinds, tokens)) = self.age(at) {
            return told(kinds, tokens);
        }
        if is_height(upper) {
            let weight = self.is_weight(at + 1);
            return told(&[Look::Build], 1 + usize::from(weight));
        }
        if self.is_weight(at) && matches!(self.text.upper(at + 1), "LBS" | "LB" | "POUNDS") {
            return told(&[Look::Build], 2);
        }
        let (look, tokens) = self.lexicon.looks.at(self.text, at)?;
        let kinds: &'static [Look] = match look {
            Look::Sex => &[Look::Sex],
            // A color is a race only of a person.
            Look::Race if self.is_of_person(at + tokens) => &[Look::Race],
            Look::Race | Look::Between => return None,
            Look::Age => &[Look::Age],
            Look::Build => &[Look::Build],
            Look::Clothing => &[Look::Clothing],
        };
        told(kinds, tokens)
    }

    /// `W/M`, `BMA`, `F/B`, `WM`, `B/M'S`, `HMJ`.
    fn race_and_sex(&self, at: usize) -> Option<usize> {
        let token = self.text.tokens.get(at)?;
        let upper = token.upper.trim_end_matches("'S").trim_end_matches("S");
        let capital = token.text == token.upper;
        let race = |letter: char| matches!(letter, 'W' | 'B' | 'H' | 'A' | 'I' | 'L');
        let sex = |letter: char| matches!(letter, 'M' | 'F');
        let mut letters = upper.chars();
        match (
            letters.next(),
            letters.next(),
            letters.next(),
            letters.next(),
        ) {
            (Some(one), None, ..) if race(one) || sex(one) => {
                let next = self
                    .text
                    .tokens
                    .get(at + 1)
                    .filter(|next| next.gap == "/")?;
                let other = next.upper.trim_end_matches("'S").trim_end_matches('S');
                let mut letters = other.chars();
                let (first, rest) = (letters.next()?, letters.as_str());
                let pair = (race(one) && sex(first)) || (sex(one) && race(first));
                // `F/H/34`
                (pair && matches!(rest, "" | "A" | "J")).then_some(2)
            }
            (Some(one), Some(two), None, _) if capital => {
                let pair = (race(one) && sex(two)) || (sex(one) && matches!(two, 'W' | 'B' | 'H'));
                pair.then_some(1)
            }
            (Some(one), Some(two), Some('A' | 'J'), None) if capital => {
                (race(one) && sex(two)).then_some(1)
            }
            _ => None,
        }
    }

    /// An age, alone or with the sex right behind it: `40S`, `25-30`, `14 YOA`, `68YOM`, `MALE 55`.
    fn age(&self, at: usize) -> Option<(&'static [Look], usize)> {
        let token = self.text.tokens.get(at)?;
        let upper = token.upper.as_str();
        let digits = upper.bytes().take_while(u8::is_ascii_digit).count();
        if !(1..=2).contains(&digits) || token.gap.ends_with(['$', '#', '.', '-', ':']) {
            return None;
        }
        let (number, rest) = upper.split_at(digits);
        let counted: u8 = number.parse().ok()?;
        match rest {
            "S" if digits == 2 => return Some((&[Look::Age], 1)),
            "YOM" | "YOF" | "YM" | "YF" | "M" | "F" if digits == 2 || rest.starts_with('Y') => {
                return Some((&[Look::Age, Look::Sex], 1));
            }
            "YO" | "YOA" | "YRS" | "YR" => return Some((&[Look::Age], 1)),
            "" => {}
            range if range.starts_with('-') => {
                let years = range[1..]
                    .parse::<u8>()
                    .is_ok_and(|to| to > counted && to - counted <= 10);
                let sexed = self.sexed(at);
                return (years && sexed).then_some((&[Look::Age], 1));
            }
            _ => return None,
        }
        let next = self.text.upper(at + 1);
        let joined = !self.text.begins_clause(at + 1);
        match next {
            "YOM" | "YOF" if joined => Some((&[Look::Age, Look::Sex], 2)),
            "YOA" | "YRS" | "YEARS" | "YR" if joined => {
                let old =
                    matches!(self.text.upper(at + 2), "OLD") && !self.text.begins_clause(at + 2);
                Some((&[Look::Age], 2 + usize::from(old)))
            }
            "YO" | "Y" if joined => {
                let stroke = next == "Y" && self.text.upper(at + 2) == "O";
                let took = 2 + usize::from(stroke);
                let sex = matches!(self.text.upper(at + took), "M" | "F")
                    && !self.text.begins_clause(at + took);
                (next == "YO" || stroke).then_some(if sex {
                    (&[Look::Age, Look::Sex], took + 1)
                } else {
                    (&[Look::Age], took)
                })
            }
            // `MALE 55`, `B/M 15`: a number right behind the sex.
            _ => (digits == 2 && self.sexed(at)).then_some((&[Look::Age], 1)),
        }
    }

    /// Whether the sex stands right ahead.
    fn sexed(&self, at: usize) -> bool {
        if at == 0 || self.text.begins_sentence(at) {
            return false;
        }
        let sex = self.lexicon.looks.at(self.text, at - 1);
        let word = sex.is_some_and(|(look, _)| *look == Look::Sex);
        let pair = self.race_and_sex(at - 1) == Some(1)
            || (at > 1 && self.race_and_sex(at - 2) == Some(2));
        word || pair
    }

    fn is_of_person(&self, at: usize) -> bool {
        let told = self.lexicon.looks.at(self.text, at);
        let free = !self.taken.iter().any(|taken| taken.contains(&at));
        free && !self.text.begins_clause(at) && told.is_some_and(|(look, _)| *look == Look::Sex)
            || (self.text.begins_clause(at) && self.text.gap(at).starts_with(','))
    }

    /// Pounds: two or three digits.
    fn is_weight(&self, at: usize) -> bool {
        let token = self.text.tokens.get(at);
        token.is_some_and(|token| {
            let number = token
                .upper
                .parse::<u16>()
                .is_ok_and(|pounds| (80..400).contains(&pounds));
            number && matches!(token.gap, " " | ", " | "\" " | "  ")
        })
    }
}

/// `5'10`, `6-2`, `6FT4`.
fn is_height(upper: &str) -> bool {
    let (feet, inches) = match upper.split_once(['\'', '-']) {
        Some(split) => split,
        None => match upper.split_once("FT") {
            Some(split) => split,
            None => return false,
        },
    };
    let feet = matches!(feet, "4" | "5" | "6");
    feet && (inches.is_empty() || inches.parse::<u8>().is_ok_and(|inches| inches < 12))
}
