//! Addresses and crossings in a text.
//!
//! Text is full of numbers, and of words that streets are called by. So a house number
//! counts only with a street that shows itself as one (a suffix, a direction, a numbered
//! road, a block), and a crossing only where at least one of its streets does, or where the
//! two are all that stands between two commas. What is found is normalised by Publication
//! 28 (`crate::address`).

use std::ops::Range;

use crate::address::{
    self, Address, direction, is_bound, is_sure_suffix, ordinal_number, spelled_ordinal, suffix,
    unit_alone, unit_numbered,
};

use super::lexicon::is_common;
use super::tokens::Text;

/// Most words of a street's name.
const NAME_WORDS_MAX: usize = 4;
/// … of the side of a crossing that shows itself by nothing.
const PLAIN_WORDS_MAX: usize = 2;
const HOUSE_DIGITS_MAX: usize = 5;
/// A number of so many digits is rarely that of persons or minutes.
const HOUSE_DIGITS_SURE: usize = 3;
/// Right ahead of a number that is no house's.
const NO_HOUSE: [&str; 20] = [
    "MM", "MP", "EXIT", "MILE", "UNIT", "BOX", "LOT", "APT", "RM", "ROOM", "STE", "CASE", "REF",
    "LANE", "LN", "ZONE", "BUS", "CAM", "SQUAD", "BADGE",
];
/// Words that no street's name has.
const NO_NAME: [&str; 54] = [
    "A", "AN", "AND", "AT", "BY", "FOR", "FROM", "IN", "INTO", "IS", "OF", "ON", "OFF", "OR",
    "OUT", "OVER", "PER", "THE", "TO", "UNDER", "UP", "W", "WAS", "WITH", "HAS", "HAVE", "HAD",
    "HE", "SHE", "THEY", "IT", "HIS", "HER", "MALE", "FEMALE", "MALES", "BLK", "ENRT", "CODE",
    "HRS", "RP", "STS", "ADV", "UNK", "NEAR", "X", "SHOWS", "SAYS", "STATES", "TOWARD", "TOWARDS",
    "BLOCKS", "BLOCKING", "BEHIND",
];
/// Most pieces of a unit: `BLDG 14 APT 1422`.
const UNIT_PIECES_MAX: usize = 2;
/// Streets that are called so without a suffix.
const NAME_BEGINS: [&str; 9] = [
    "VIA", "RUE", "CALLE", "CAMINO", "PASEO", "AVENIDA", "AVENUE", "BROADWAY", "CAMINITO",
];
/// Words right ahead by which a bare number and name are an address.
const ANNOUNCING: [&str; 8] = [
    "AT", "ADDRESS", "ADDR", "OF", "FROM", "IFO", "LOC", "LOCATION",
];
/// What streets are called by that ordinary words are too.
const WORDS_AND_NAMES: [&str; 22] = [
    "NORTH", "SOUTH", "EAST", "WEST", "LAKE", "PARK", "MAIN", "RIVER", "CHURCH", "MILL", "STATE",
    "WATER", "CENTER", "SCHOOL", "HIGH", "UNION", "BRIDGE", "CROSS", "GREEN", "OLD", "COUNTRY",
    "CLUB",
];
const ROADS: [&str; 23] = [
    "I",
    "IH",
    "INTERSTATE",
    "US",
    "USH",
    "SH",
    "STH",
    "SR",
    "HWY",
    "HIGHWAY",
    "HY",
    "RT",
    "RTE",
    "ROUTE",
    "CR",
    "CTH",
    "CH",
    "FM",
    "STATE",
    "COUNTY",
    "CO",
    "CTY",
    "PCH",
];
const ROAD_KINDS: [&str; 8] = [
    "RD", "ROAD", "HWY", "HIGHWAY", "RTE", "ROUTE", "RT", "TRUNK",
];

pub(super) struct FoundPlace {
    pub(super) tokens: Range<usize>,
    pub(super) address: Address,
}

/// The places of a text, in its order; none of `taken` tokens.
pub(super) fn find(text: &Text<'_>, taken: &[Range<usize>]) -> Vec<FoundPlace> {
    let finder = Finder { text, taken };
    let mut found: Vec<FoundPlace> = Vec::new();
    let mut at = 0;
    while at < text.tokens.len() {
        let floor = found.last().map_or(0, |last| last.tokens.end);
        let tokens = finder
            .rural(at)
            .or_else(|| finder.house(at))
            .or_else(|| finder.crossing(at, floor));
        match tokens {
            Some(tokens) => {
                at = tokens.end;
                let words = &text.whole[text.bytes(&tokens)];
                found.push(FoundPlace {
                    address: address::normalise(&as_crossing(words)),
                    tokens,
                });
            }
            None => at += 1,
        }
    }
    found.retain(|place| !place.address.building.is_empty());
    found
}

/// `X` and `NEAR` are crossings in a text; in a location they would be names.
fn as_crossing(words: &str) -> String {
    let mut all: Vec<&str> = words.split(' ').collect();
    for word in &mut all {
        if matches!(*word, "X" | "x" | "NEAR" | "near" | "Near") {
            *word = "&";
        }
    }
    all.join(" ")
}

struct Finder<'a> {
    text: &'a Text<'a>,
    taken: &'a [Range<usize>],
}

impl Finder<'_> {
    fn upper(&self, at: usize) -> &str {
        self.text.upper(at)
    }

    fn is_free(&self, at: usize) -> bool {
        at < self.text.tokens.len() && !self.taken.iter().any(|taken| taken.contains(&at))
    }

    /// Whether the token goes on from the one before it, with a space between.
    fn goes_on(&self, at: usize) -> bool {
        self.is_free(at)
            && self
                .text
                .gap(at)
                .chars()
                .all(|sign| sign == ' ' || sign == '.')
            && !self.text.begins_sentence(at)
    }

    /// `RTE 3 BOX 118`.
    fn rural(&self, at: usize) -> Option<Range<usize>> {
        let route = matches!(self.upper(at), "RR" | "RTE" | "RT" | "ROUTE" | "RFD");
        let boxed = self.upper(at + 2) == "BOX" && self.text.tokens.get(at + 3)?.has_digit();
        (route && boxed && (at + 1..=at + 3).all(|next| self.goes_on(next))).then_some(at..at + 4)
    }

    /// A house number and its street, or a block.
    fn house(&self, at: usize) -> Option<Range<usize>> {
        if !self.is_house_number(at) {
            return None;
        }
        let mut next = at + 1;
        let mut block = self.upper(at).ends_with("-BLK");
        // `BLK` is black, too: a block is a round number.
        if self.upper(at).ends_with("00")
            && matches!(self.upper(next), "BLK" | "BLOCK")
            && self.goes_on(next)
        {
            block = true;
            next += 1;
            next += usize::from(self.upper(next) == "OF");
        } else if self.text.gap(next) == "/" && matches!(self.upper(next), "2" | "4") {
            // `12 1/2`: the fraction's second half.
            return None;
        }
        let long = self.upper(at).len() >= HOUSE_DIGITS_SURE;
        let end = self.street(next, block || (long && self.is_announced(at)), long)?;
        Some(at..self.with_unit(end))
    }

    fn is_house_number(&self, at: usize) -> bool {
        let Some(token) = self.text.tokens.get(at).filter(|_| self.is_free(at)) else {
            return false;
        };
        let digits = token.upper.bytes().take_while(u8::is_ascii_digit).count();
        let (number, rest) = token.upper.split_at(digits);
        let letter = rest.trim_start_matches('-');
        let plain = letter.is_empty()
            || letter == "BLK"
            || (letter.len() == 1 && letter.bytes().all(|byte| byte.is_ascii_alphabetic()))
            || (rest.starts_with('-') && letter.bytes().all(|byte| byte.is_ascii_digit()));
        let after_sign = token.gap.ends_with(['$', '#', '/', '-', '.', ':']);
        let aged = letter == "S" && !rest.starts_with('-');
        let ahead = if at > 0 { self.upper(at - 1) } else { "" };
        let numbered = (NO_HOUSE.contains(&ahead)
            || (ROADS.contains(&ahead) && direction(ahead).is_none()))
            && !self.text.begins_clause(at);
        !aged
            && !numbered
            && (1..=HOUSE_DIGITS_MAX).contains(&digits)
            && plain
            && !number.is_empty()
            && !after_sign
    }

    fn is_announced(&self, at: usize) -> bool {
        at > 0 && ANNOUNCING.contains(&self.upper(at - 1))
    }

    /// Where the street that begins here ends. `bare`: a name alone will do. `sure`: ordinary
    /// words may be a name ahead of a suffix.
    fn street(&self, at: usize, bare: bool, sure: bool) -> Option<usize> {
        if !self.goes_on(at) {
            return None;
        }
        if let Some(end) = self.numbered_road(at) {
            return Some(end);
        }
        let directed = direction(self.upper(at)).is_some() && self.goes_on(at + 1);
        let name = at + usize::from(directed);
        if let Some(end) = directed.then(|| self.numbered_road(name)).flatten() {
            return Some(end);
        }
        // The first sure suffix behind a name; `ST MARYS ST` has its own behind it.
        let mut next = name;
        let mut words = 0;
        while words <= NAME_WORDS_MAX && self.goes_on(next) {
            let upper = self.upper(next);
            let named = words > 0 || (directed && suffix(upper).is_some());
            if named && is_sure_suffix(upper) && !self.is_suffix_of_more(next, name) {
                return Some(self.with_direction(next + 1));
            }
            if named && suffix(upper).is_some() && self.ends_clause(next + 1) && words > 0 {
                return Some(next + 1);
            }
            let ordinary = (sure || directed)
                && self.text.tokens[next].is_letters()
                && !NO_NAME.contains(&upper)
                && (next + 1..next + 3)
                    .any(|at| self.goes_on(at) && is_sure_suffix(self.upper(at)));
            if !self.is_name_word(next) && !ordinary {
                break;
            }
            words += 1;
            next += 1;
        }
        let first = self.upper(name);
        if NAME_BEGINS.contains(&first) && self.goes_on(name + 1) && self.is_name_word(name + 1) {
            let more =
                (name + 1..name + 4).take_while(|at| self.goes_on(*at) && self.is_name_word(*at));
            return Some(name + 1 + more.count());
        }
        let plain = self.is_plain_name(name) || ordinal_number(first).is_some();
        if directed && plain && direction(self.upper(at)) == Some(self.upper(at)) {
            return Some(name + 1);
        }
        (bare && !directed && plain).then(|| {
            let more = (name + 1..name + PLAIN_WORDS_MAX)
                .take_while(|at| self.goes_on(*at) && self.is_plain_name(*at));
            name + 1 + more.count()
        })
    }

    /// Whether a suffix is a part of the name (`LAKE PARK DR`, `COURT ST`): another follows.
    fn is_suffix_of_more(&self, at: usize, name: usize) -> bool {
        let saint = self.upper(at) == "ST" && at == name;
        let followed = self.goes_on(at + 1)
            && is_sure_suffix(self.upper(at + 1))
            && self.upper(at + 1) != "CT";
        saint || followed
    }

    fn with_direction(&self, end: usize) -> usize {
        let upper = self.upper(end);
        let known = direction(upper).is_some() && self.goes_on(end);
        let of = matches!(self.upper(end + 1), "OF" | "ON" | "BOUND");
        end + usize::from(known && !of)
    }

    fn is_name_word(&self, at: usize) -> bool {
        let Some(token) = self.text.tokens.get(at) else {
            return false;
        };
        let upper = token.upper.as_str();
        let ordinal = ordinal_number(upper).is_some();
        let letters = token.is_letters() && (!is_common(upper) || WORDS_AND_NAMES.contains(&upper));
        let named_suffix = suffix(upper).is_some() && upper.len() > 2;
        let number =
            token.is_digits() && is_sure_suffix(self.upper(at + 1)) && self.goes_on(at + 1);
        (ordinal || letters || named_suffix || number)
            && !is_bound(upper)
            && unit_numbered(upper).is_none()
    }

    fn is_plain_name(&self, at: usize) -> bool {
        let upper = self.upper(at);
        let letters = self
            .text
            .tokens
            .get(at)
            .is_some_and(super::tokens::Token::is_letters);
        letters
            && upper.len() >= 3
            && !is_common(upper)
            && !is_bound(upper)
            && direction(upper).is_none()
            && unit_numbered(upper).is_none()
            && unit_alone(upper).is_none()
    }

    /// `US 41`, `I-94`, `STATE HWY 6`, `CTH K`.
    fn numbered_road(&self, at: usize) -> Option<usize> {
        let upper = self.upper(at);
        if !self.is_free(at) {
            return None;
        }
        if upper == "PCH" {
            return Some(at + 1);
        }
        let letters = upper.trim_end_matches(|digit: char| digit.is_ascii_digit());
        let kind = letters.trim_end_matches('-');
        if letters.len() < upper.len() {
            return (ROADS.contains(&kind) && kind != "CO").then_some(at + 1);
        }
        if !ROADS.contains(&upper) {
            return None;
        }
        let kinds = usize::from(self.goes_on(at + 1) && ROAD_KINDS.contains(&self.upper(at + 1)));
        let needs_kind = matches!(upper, "STATE" | "COUNTY" | "CO" | "CTY");
        let number = at + 1 + kinds;
        let token = self
            .text
            .tokens
            .get(number)
            .filter(|_| self.goes_on(number))?;
        let short = token.upper.len() <= 4
            && token
                .upper
                .starts_with(|digit: char| digit.is_ascii_digit());
        let lettered =
            matches!(upper, "CTH" | "COUNTY") && token.upper.len() <= 2 && token.is_letters();
        let numbered = (short && ordinal_number(&token.upper).is_none()) || lettered;
        // `RT 4 MIN`, `US 2` …: words that are roads only in part.
        let word = matches!(upper, "US" | "I" | "CH" | "RT") && token.upper.len() < 2;
        (numbered && !word && (kinds == 1 || !needs_kind)).then_some(number + 1)
    }

    fn ends_clause(&self, at: usize) -> bool {
        self.text.begins_clause(at)
    }

    /// Takes in the unit behind the street.
    fn with_unit(&self, end: usize) -> usize {
        let mut end = end;
        for _ in 0..UNIT_PIECES_MAX {
            let Some(more) = self.unit(end) else { break };
            end = more;
        }
        end
    }

    fn unit(&self, at: usize) -> Option<usize> {
        let token = self.text.tokens.get(at).filter(|_| self.is_free(at))?;
        let gap = token.gap;
        let near = gap.chars().all(|sign| " ,.#-(".contains(sign)) && gap.len() <= 3;
        if !near || self.text.begins_sentence(at) {
            return None;
        }
        let id = |at: usize| {
            let token = self.text.tokens.get(at)?;
            let letter = token.upper.len() == 1 && token.is_letters();
            let short = token.upper.len() <= 6
                && token.has_digit()
                && ordinal_number(&token.upper).is_none();
            let joined = token.gap.chars().all(|sign| " #.".contains(sign));
            ((letter || short) && joined).then_some(at + 1)
        };
        let upper = token.upper.as_str();
        if gap.ends_with('#') {
            return id_alone(token).then_some(at + 1);
        }
        if ordinal_number(upper).is_some() && matches!(self.upper(at + 1), "FL" | "FLR" | "FLOOR") {
            return Some(at + 2);
        }
        if unit_numbered(upper).is_some() {
            return id(at + 1);
        }
        if unit_alone(upper).is_some() {
            let last = self.ends_clause(at + 1) || self.unit(at + 1).is_some();
            return last.then_some(at + 1);
        }
        let digits = upper.find(|digit: char| digit.is_ascii_digit())?;
        let joined = digits > 1 && unit_numbered(&upper[..digits]).is_some();
        let bare = gap == " "
            && digits < upper.len()
            && !token.is_digits()
            && upper.len() <= 4
            && digits == 0
            && upper.ends_with(|letter: char| letter.is_ascii_alphabetic())
            && upper[..upper.len() - 1]
                .bytes()
                .all(|byte| byte.is_ascii_digit());
        (joined || bare).then_some(at + 1)
    }

    /// Two streets that meet: `at` is the first word of the second one, or a word between.
    fn crossing(&self, at: usize, floor: usize) -> Option<Range<usize>> {
        let (first_end, second) = self.between(at)?;
        let (start, first_shown) = self.side_ahead(first_end, floor)?;
        let (end, second_shown) = self.side(second)?;
        let alone = self.text.begins_clause(start) && self.ends_clause(end);
        let sign = first_end == second;
        if !(first_shown || second_shown || alone && sign) {
            return None;
        }
        // `1ST AND 2ND CALLER`
        let counted = |at: usize| ordinal_number(self.upper(at)).is_some_and(|number| number <= 3);
        let counts = counted(start)
            && first_end == start + 1
            && !sign
            && !self.ends_clause(end)
            && counted(second);
        (!counts).then_some(start..end)
    }

    /// Where the first street ends and the second begins, if they meet around this token.
    fn between(&self, at: usize) -> Option<(usize, usize)> {
        if at == 0 || !self.is_free(at) {
            return None;
        }
        let gap = self.text.gap(at).trim();
        if matches!(gap, "/" | "&" | "@" | "/@") {
            return Some((at, at));
        }
        let word = matches!(self.upper(at), "AND" | "AT" | "X" | "NEAR");
        let plain =
            |at: usize| self.text.gap(at).trim().is_empty() && !self.text.begins_sentence(at);
        (word && plain(at) && plain(at + 1)).then_some((at, at + 1))
    }

    /// The street that ends ahead of `end`: where it begins, and whether it shows itself.
    fn side_ahead(&self, end: usize, floor: usize) -> Option<(usize, bool)> {
        let mut end = end;
        // `I-94 WB AT`
        while end > floor && is_bound(self.upper(end - 1)) {
            end -= 1;
        }
        let first = floor.max(end.saturating_sub(NAME_WORDS_MAX + 1));
        let starts = (first..end)
            .filter(|start| self.is_free(*start) && (start + 1..end).all(|at| self.goes_on(at)));
        // The longest that is a street and nothing more.
        let mut plain = None;
        for start in starts {
            match self.whole_street(start, end) {
                Some(true) => return Some((start, true)),
                Some(false) if plain.is_none() => plain = Some(start),
                _ => {}
            }
        }
        plain.map(|start| (start, false))
    }

    /// Whether these tokens are one street: `Some(true)` where it shows itself as one.
    fn whole_street(&self, start: usize, end: usize) -> Option<bool> {
        if self
            .numbered_road(start)
            .is_some_and(|road| road == end || (road + 1 == end && self.is_plain_name(road)))
        {
            return Some(true);
        }
        let directed = direction(self.upper(start)).is_some();
        let name = start + usize::from(directed && start + 1 < end);
        let names = |from: usize, to: usize| {
            (from..to).all(|at| self.is_name_word(at) || self.is_plain_name(at))
        };
        let last = end - 1;
        let suffixed = is_sure_suffix(self.upper(last))
            || (suffix(self.upper(last)).is_some()
                && self.upper(last).len() == 2
                && self.ends_clause(end));
        if name < last && suffixed {
            return names(name, last).then_some(true);
        }
        if name == last && directed && name > start {
            let plain = self.is_plain_name(name) || ordinal_number(self.upper(name)).is_some();
            return plain.then_some(direction(self.upper(start)) == Some(self.upper(start)));
        }
        if name == last {
            let upper = self.upper(last);
            if ordinal_number(upper).is_some()
                || (spelled_ordinal(upper).is_some() && self.text.begins_clause(start))
            {
                return Some(true);
            }
        }
        let short = end - start <= PLAIN_WORDS_MAX;
        let plain =
            (start..end).all(|at| self.is_plain_name(at) || self.is_half_of_name(at, start, end));
        (short && plain).then_some(false)
    }

    /// `COUNTRY CLUB`, `CROSS BAY`: two words of which one is ordinary.
    fn is_half_of_name(&self, at: usize, start: usize, end: usize) -> bool {
        end - start <= 2 && WORDS_AND_NAMES.contains(&self.upper(at))
    }

    /// The street that begins here: where it ends, and whether it shows itself.
    fn side(&self, start: usize) -> Option<(usize, bool)> {
        if !self.is_free(start) {
            return None;
        }
        let longest = (start + 1..=start + NAME_WORDS_MAX + 1).take_while(|end| {
            *end <= self.text.tokens.len() && (*end == start + 1 || self.goes_on(end - 1))
        });
        let ends: Vec<usize> = longest.collect();
        let shown = ends
            .iter()
            .rev()
            .find(|end| self.whole_street(start, **end) == Some(true));
        if let Some(end) = shown {
            return Some((self.with_direction(*end), true));
        }
        // A number alone is a highway's, where the other street shows itself.
        let number = self.text.tokens[start].is_digits()
            && self.upper(start).len() <= 3
            && self.ends_clause(start + 1);
        if number {
            return Some((start + 1, false));
        }
        let plain = ends
            .iter()
            .rev()
            .find(|end| self.whole_street(start, **end) == Some(false))?;
        Some((*plain, false))
    }
}

/// A unit behind `#`: whatever is short.
fn id_alone(token: &super::tokens::Token<'_>) -> bool {
    token.upper.len() <= 6 && (token.has_digit() || token.upper.len() == 1)
}
