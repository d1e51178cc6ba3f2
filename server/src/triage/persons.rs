//! Persons of the call in a text: names, and dates of birth beside them.
//!
//! In capitals everything looks like a name. So a name is two words of which the first is
//! a given name and the last a family name (of the US Census Bureau's lists of 1990, which
//! are in the public domain: `lists/given_names.txt`, `lists/surnames.txt`), or one that
//! the text announces: `MR NGUYEN`, `HUSBAND DAVID`, `NAMED CODY`. Colleagues are no
//! persons of the call.

mod dates;

use std::collections::HashSet;
use std::ops::Range;
use std::sync::LazyLock;

use crate::address::{is_sure_suffix, ordinal_number};

use super::lexicon::{Lexicon, is_common};
use super::tokens::Text;

static GIVEN: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("lists/given_names.txt")
        .split_whitespace()
        .collect()
});
static SURNAMES: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("lists/surnames.txt")
        .split_whitespace()
        .collect()
});

/// Most names between the first and the last.
const MIDDLE_MAX: usize = 2;
/// Most words between a name and its date of birth.
const BORN_WORDS_MAX: usize = 5;
/// Given names that are ordinary words or places: no name alone, and none before a family
/// name that is a word.
const DOUBTFUL: [&str; 46] = [
    "MARK", "GRANT", "ART", "APRIL", "JUNE", "HOPE", "FAITH", "JOY", "ROSE", "LILY", "IVY", "DAWN",
    "CLAY", "CLIFF", "HEATH", "REED", "WADE", "DALE", "GLEN", "PAGE", "DREW", "RUSTY", "BILL",
    "ROB", "SUE", "PAT", "DON", "RAY", "JACK", "MASON", "HUNTER", "CHANCE", "GENE", "MISTY",
    "STORMY", "AUSTIN", "DALLAS", "HOUSTON", "MADISON", "CARSON", "ISRAEL", "CHINA", "LINCOLN",
    "MERCEDES", "JEWEL", "DUSTY",
];
/// Family names so frequent that they are believed though they are words.
const NAMES_AND_WORDS: [&str; 7] = ["BROWN", "WHITE", "GREEN", "BLACK", "GRAY", "YOUNG", "HALL"];
/// What follows a business or a place that is called after a person.
const BUSINESSES: [&str; 36] = [
    "AUTO",
    "INC",
    "LLC",
    "CO",
    "PARK",
    "SCHOOL",
    "HOSPITAL",
    "HIGH",
    "MIDDLE",
    "ELEMENTARY",
    "CHURCH",
    "CLINIC",
    "BANK",
    "STORE",
    "LIQUOR",
    "MARKET",
    "PIZZA",
    "HOTEL",
    "INN",
    "CENTER",
    "COMMONS",
    "HALL",
    "DORM",
    "LIBRARY",
    "UNION",
    "TOWER",
    "TOWERS",
    "STADIUM",
    "ARENA",
    "APARTMENTS",
    "APTS",
    "ESTATES",
    "VILLAGE",
    "PLAZA",
    "MALL",
    "CREEK",
];

pub(super) struct FoundName {
    pub(super) tokens: Range<usize>,
    pub(super) name: Name,
    pub(super) born: Option<String>,
}

/// One name, or two and more.
pub(super) struct Name {
    pub(super) first: Option<String>,
    pub(super) last: Option<String>,
}

/// Where a name stands, and what it is.
type Named = (Range<usize>, Name);

/// The names of a text, in its order; none of `taken` tokens.
pub(super) fn find(text: &Text<'_>, lexicon: &Lexicon, taken: &[Range<usize>]) -> Vec<FoundName> {
    let small = text.whole.chars().any(char::is_lowercase);
    let finder = Finder {
        text,
        lexicon,
        taken,
        small,
    };
    let mut found = Vec::new();
    let mut at = 0;
    while at < text.tokens.len() {
        let named = finder
            .name(at)
            .map(|(tokens, name)| finder.with_birth(tokens, name));
        match named {
            Some(named) => {
                at = named.tokens.end;
                found.push(named);
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
    /// The text has small letters: a name begins with a capital then.
    small: bool,
}

impl Finder<'_> {
    fn name(&self, at: usize) -> Option<Named> {
        let title = self.lexicon.persons.titles.has(self.text, at);
        if !self.is_word(at) || self.is_staff(at) || title {
            return None;
        }
        self.titled(at)
            .or_else(|| self.last_first(at))
            .or_else(|| self.first_last(at))
            .or_else(|| self.announced(at))
            .filter(|(tokens, _)| !self.is_of_business(tokens.end))
    }

    /// `MR NGUYEN`, `MS. PAIGE ARNETT`.
    fn titled(&self, at: usize) -> Option<Named> {
        let (_, from) = self.lexicon.persons.titles.ahead(self.text, at)?;
        let near = self.text.gap(at).trim_matches(['.', ' ']).is_empty();
        if !near || is_common(self.text.upper(at)) || !self.is_capital(at) {
            return None;
        }
        let full = self.first_last(at).map(|(tokens, name)| (tokens.end, name));
        let alone = || Name {
            first: None,
            last: Some(self.plain(at)),
        };
        let (end, name) = full.unwrap_or_else(|| (at + 1, alone()));
        Some((from..end, name))
    }

    /// `SMITH,LINDA`, `O'BRIEN, SEAN P`.
    fn last_first(&self, at: usize) -> Option<Named> {
        let comma = self.text.gap(at + 1).trim() == ",";
        let (last, first) = (self.text.upper(at), self.text.upper(at + 1));
        let written = SURNAMES.contains(last) || last.contains(['-', '\'']);
        let word = is_common(last) && !NAMES_AND_WORDS.contains(&last);
        let surname = self.is_surname(at) && written && !word && !DOUBTFUL.contains(&last);
        let fits = comma && surname && self.is_word(at + 1) && GIVEN.contains(first);
        // `MOTHER, MARY` is told by its ordinary word; `JOHN, MARY` is two given names.
        if !fits || (GIVEN.contains(last) && !SURNAMES.contains(last)) {
            return None;
        }
        let end = self.middle(at + 2);
        let given: Vec<String> = (at + 1..end).map(|at| self.plain(at)).collect();
        let name = Name {
            first: Some(given.join(" ")),
            last: Some(self.plain(at)),
        };
        Some((at..end, name))
    }

    /// Behind a given name: initials and more given names.
    fn middle(&self, at: usize) -> usize {
        let more = (at..at + MIDDLE_MAX).take_while(|at| {
            let upper = self.text.upper(*at);
            let initial =
                upper.len() == 1 && self.text.upper(at + 1) != "M" && self.text.gap(at + 1) != "/";
            let name = GIVEN.contains(upper) && !DOUBTFUL.contains(&upper);
            self.is_word(*at) && !self.text.begins_clause(*at) && (initial || name)
        });
        at + more.count()
    }

    /// `DWIGHT L HARMON`, `Richard Alan Boyce`.
    fn first_last(&self, at: usize) -> Option<Named> {
        let announced = self.is_announced(at);
        let first = self.text.upper(at);
        let given = GIVEN.contains(first);
        if !self.is_capital(at) || (!given && !announced) || is_common(first) {
            return None;
        }
        let mut end = at + 1;
        let mut names = vec![self.plain(at)];
        for _ in 0..=MIDDLE_MAX {
            let upper = self.text.upper(end);
            let nickname = self.text.gap(end).contains('"') && self.text.gap(end + 1).contains('"');
            let quoted = self.text.gap(end).contains('"') && self.text.gap(end + 2).contains('"');
            if end > at && (nickname || quoted) {
                end += if nickname { 1 } else { 2 };
                continue;
            }
            let follows = self.is_word(end)
                && self.text.gap(end).trim_matches(['.', ' ', '"']).is_empty()
                && !self.text.begins_sentence(end);
            if !follows {
                return None;
            }
            let initial = upper.len() == 1;
            let last = !initial && self.is_surname(end) && self.is_capital(end);
            let next_is_last = self.is_word(end + 1)
                && self.is_surname(end + 1)
                && !self.text.begins_clause(end + 1)
                && (SURNAMES.contains(self.text.upper(end + 1)) || self.born(end + 2).is_some());
            let middle = initial || (GIVEN.contains(upper) && next_is_last);
            if !middle && last && self.is_believed(at, end, announced) {
                let name = Name {
                    first: Some(names.join(" ")),
                    last: Some(self.plain(end)),
                };
                return Some((at..end + 1, name));
            }
            if !middle {
                return None;
            }
            names.push(self.plain(end));
            end += 1;
        }
        None
    }

    /// Whether a given name and what follows are a person: on the lists, or announced.
    fn is_believed(&self, first: usize, last: usize, announced: bool) -> bool {
        let (given, surname) = (self.text.upper(first), self.text.upper(last));
        let listed = SURNAMES.contains(surname);
        let word = is_common(surname);
        let doubtful = DOUBTFUL.contains(&given);
        let mixed = self.small && self.is_capital(first) && self.is_capital(last);
        let born = self.born(last + 1).is_some();
        let initial = last > first + 1;
        born || (listed && !(word && (doubtful || !announced)))
            || (!word && (announced || mixed || initial) && GIVEN.contains(given) && !doubtful)
    }

    /// `HUSBAND DAVID`, `NAMED CODY`, `B/M JEROME`.
    fn announced(&self, at: usize) -> Option<Named> {
        let upper = self.text.upper(at);
        let words = &self.lexicon.persons;
        let near = !self.text.begins_clause(at) || self.text.gap(at).trim() == ",";
        let relation = words.relations.ahead(self.text, at).filter(|_| near);
        let named = words
            .announce
            .ahead(self.text, at)
            .filter(|_| !self.text.begins_sentence(at));
        let from = named
            .or(relation)
            .map(|(_, from)| from)
            .or_else(|| self.look_ahead(at))?;
        let known = GIVEN.contains(upper) && (named.is_some() || !DOUBTFUL.contains(&upper));
        let short = upper.len() > 2 || known;
        let unknown = named.is_some()
            && !is_common(upper)
            && self.is_capital(at)
            && self.text.upper(at - 1) != "NAME"
            && self.text.upper(at - 1) != "NAMES";
        // A comma parts a list too: `SON, DAUGHTER`.
        let apposed = self.text.gap(at).trim() == "," && self.text.gap(at + 1).trim() != ",";
        (short && !apposed && (known || unknown)).then(|| {
            let name = Name {
                first: Some(self.plain(at)),
                last: None,
            };
            (from..at + 1, name)
        })
    }

    /// `B/M JEROME`: where the look begins that stands right ahead.
    fn look_ahead(&self, at: usize) -> Option<usize> {
        let pair = at > 1 && self.text.gap(at - 1) == "/" && self.text.gap(at) == " ";
        let letter = |at: usize, of: &str| of.contains(self.text.upper(at));
        let look = pair
            && ((letter(at - 2, "WBHAI") && letter(at - 1, "MF"))
                || (letter(at - 2, "MF") && letter(at - 1, "WBHAI")));
        look.then_some(at)
    }

    fn is_announced(&self, at: usize) -> bool {
        let words = &self.lexicon.persons;
        let near = !self.text.begins_sentence(at);
        near && (words.relations.ahead(self.text, at).is_some()
            || words.announce.ahead(self.text, at).is_some()
            || words.titles.ahead(self.text, at).is_some()
            || (at > 0 && self.text.upper(at - 1) == "LOCATE"))
    }

    fn is_surname(&self, at: usize) -> bool {
        let upper = self.text.upper(at);
        let listed = SURNAMES.contains(upper);
        let long = upper.len() >= 3 && !is_common(upper);
        let place = is_sure_suffix(upper) && upper.len() <= 3;
        let color = self.lexicon.colors.has(self.text, at);
        self.is_word(at) && !place && (listed || (long && !color))
    }

    fn is_word(&self, at: usize) -> bool {
        let Some(token) = self.text.tokens.get(at) else {
            return false;
        };
        let letters = token
            .upper
            .chars()
            .all(|sign| sign.is_alphabetic() || matches!(sign, '\'' | '-'));
        letters
            && ordinal_number(&token.upper).is_none()
            && !self.taken.iter().any(|taken| taken.contains(&at))
    }

    fn is_capital(&self, at: usize) -> bool {
        let capital = self
            .text
            .tokens
            .get(at)
            .is_some_and(|token| token.text.starts_with(char::is_uppercase));
        capital || !self.small
    }

    /// `OFC BROWN`, `SGT MILLER`, and the given name between.
    fn is_staff(&self, at: usize) -> bool {
        let staff = |at: usize| {
            self.lexicon.persons.staff.ahead(self.text, at).is_some()
                && !self.text.begins_sentence(at)
        };
        staff(at) || (at > 0 && staff(at - 1) && self.is_word(at - 1))
    }

    fn is_of_business(&self, end: usize) -> bool {
        let owned = self.text.upper(end - 1).ends_with("'S");
        let follows = BUSINESSES.contains(&self.text.upper(end)) && !self.text.begins_clause(end);
        let street = is_sure_suffix(self.text.upper(end))
            && !self.text.begins_clause(end)
            && self.text.upper(end).len() > 1;
        let itself = BUSINESSES.contains(&self.text.upper(end - 1));
        owned || follows || street || itself
    }

    fn plain(&self, at: usize) -> String {
        self.text.upper(at).to_owned()
    }

    fn with_birth(&self, tokens: Range<usize>, name: Name) -> FoundName {
        match self.born(tokens.end) {
            Some((born, end)) => FoundName {
                tokens: tokens.start..end,
                name,
                born: Some(born),
            },
            None => FoundName {
                tokens,
                name,
                born: None,
            },
        }
    }

    /// The date of birth behind a name that ends here, and where it ends.
    fn born(&self, end: usize) -> Option<(String, usize)> {
        let mut said = false;
        for at in end..=end + BORN_WORDS_MAX {
            if at >= self.text.tokens.len() || self.text.gap(at).contains(['\n', ';']) {
                return None;
            }
            if let Some((born, took)) = dates::read(self.text, at, said) {
                return Some((born, at + took));
            }
            let upper = self.text.upper(at);
            said |= matches!(upper, "DOB" | "BORN" | "BDAY");
            let look = matches!(
                upper,
                "M" | "F"
                    | "W"
                    | "B"
                    | "H"
                    | "A"
                    | "BM"
                    | "BF"
                    | "WM"
                    | "WF"
                    | "HM"
                    | "HF"
                    | "AM"
                    | "AF"
            );
            if !(said || look) {
                return None;
            }
        }
        None
    }
}
