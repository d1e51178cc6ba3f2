//! License plates in a text.
//!
//! A plate found here is run against registrations, and what comes back colours how a car
//! is approached. So a plate counts only where the text says that it is one ("plate", "tag",
//! "lic" …), where its state stands beside it and a vehicle near by, or where it stands
//! right behind a vehicle and looks like nothing else. One that is said with doubt
//! ("partial", "poss", "or") is a partial one, to be searched for and never run; all else is
//! left for an analyst to read.

mod shape;
mod spelled;
mod states;

use std::ops::Range;

use super::entity::Plate;
use super::lexicon::Lexicon;
use super::tokens::Text;
use super::vehicles::FoundVehicle;

use self::shape::{Grounds, Read};

/// Most words between the word that announces a plate and the plate.
const FILLERS_MAX: usize = 5;
const DOUBT_WORDS_AHEAD: usize = 3;
/// Most words between a vehicle and a plate that belongs to it.
const VEHICLE_AHEAD_WORDS: usize = 3;
const VEHICLE_BEHIND_WORDS: usize = 3;
/// Between a denial and what it denies.
const ADJECTIVES: [&str; 9] = [
    "FRONT", "REAR", "VISIBLE", "VALID", "LICENSE", "LIC", "CURRENT", "ANY", "THE",
];
/// Spelled letters without a word that announces them: at least so many.
const SPELLED_TOKENS_MIN: usize = 5;

pub(super) struct FoundPlate {
    pub(super) tokens: Range<usize>,
    pub(super) plate: Plate,
}

/// The plates of a text, in its order.
pub(super) fn find(
    text: &Text<'_>,
    lexicon: &Lexicon,
    vehicles: &[FoundVehicle],
) -> Vec<FoundPlate> {
    let finder = Finder {
        text,
        lexicon,
        vehicles,
    };
    let mut found: Vec<FoundPlate> = Vec::new();
    for at in 0..text.tokens.len() {
        let floor = found.last().map_or(0, |last: &FoundPlate| last.tokens.end);
        if at < floor {
            continue;
        }
        let plate = finder
            .announced(at, floor)
            .or_else(|| finder.beside_state(at))
            .or_else(|| finder.behind_vehicle(at))
            .or_else(|| finder.spelled_out(at));
        let Some(plate) = plate else { continue };
        let other = finder.alternative(&plate);
        found.push(plate);
        found.extend(other);
    }
    found
}

struct Finder<'a> {
    text: &'a Text<'a>,
    lexicon: &'a Lexicon,
    vehicles: &'a [FoundVehicle],
}

impl Finder<'_> {
    /// The plate that the word at `at` announces.
    fn announced(&self, at: usize, floor: usize) -> Option<FoundPlate> {
        let words = &self.lexicon.plates;
        let (_, took) = words.announce.at(self.text, at)?;
        // `24TH PL` is a place.
        let ordinal = at > 0 && crate::address::ordinal_number(self.text.upper(at - 1)).is_some();
        if ordinal && !self.text.begins_clause(at) {
            return None;
        }
        let state_ahead = states::ahead(self.text, at).filter(|(named, from)| {
            *from >= floor
                && !self.text.begins_clause(at)
                && (named.sure || self.stands_free(*from))
        });
        let mut first = state_ahead.map_or(at, |(_, from)| from);
        let mut state = state_ahead.map(|(named, _)| named.code);
        let mut partial = self.doubted_ahead(first)? || words.doubt.has(self.text, at);
        let mut vanity = self.text.upper(at) == "VANITY";
        let mut from = at + took;
        let end = (from + FILLERS_MAX).min(self.text.tokens.len());
        let mut read = None;
        while from <= end && from < self.text.tokens.len() {
            if self.text.begins_sentence(from)
                || (self.text.gap(from).contains(',') && state.is_none())
            {
                return None;
            }
            if let Some(named) =
                states::at(self.text, from).filter(|named| named.sure || self.is_code(from))
            {
                state = Some(named.code);
                from += named.tokens;
                continue;
            }
            let quoted = self.is_quoted(from);
            vanity |= self.text.upper(from) == "VANITY" || quoted;
            if let Some((_, took)) = words.doubt.at(self.text, from).filter(|_| !quoted) {
                partial = true;
                from += took;
            } else if let Some((_, took)) = words
                .fill
                .at(self.text, from)
                .or_else(|| words.announce.at(self.text, from))
                .filter(|_| !quoted)
            {
                from += took;
            } else if partial && matches!(self.text.upper(from), "IN" | "WITH" | "W") {
                from += 1;
            } else {
                read = self.read(from, state.is_some(), vanity, partial);
                break;
            }
        }
        let read = read?;
        let mut last = from + read.tokens;
        if state.is_none()
            && let Some(named) = self.state_behind(last)
        {
            state = Some(named.code);
            last += named.tokens;
        }
        partial |= self.doubted_behind(last);
        if partial {
            first = self.doubt_begins(first);
        }
        Some(found(first..last, read.plate, state, partial))
    }

    fn read(&self, at: usize, stated: bool, vanity: bool, partial: bool) -> Option<Read> {
        let grounds = Grounds {
            announced: true,
            stated: stated || self.state_behind(at + 1).is_some(),
            vanity,
            partial: partial || (at + 1..=at + 2).any(|end| self.is_open(end)),
        };
        spelled::read(self.text, at).or_else(|| shape::read(self.text, self.lexicon, at, grounds))
    }

    /// `NV 482-M6X` or `ABC123 WI`, with a vehicle near by.
    fn beside_state(&self, at: usize) -> Option<FoundPlate> {
        let grounds = Grounds {
            announced: false,
            stated: true,
            vanity: false,
            partial: false,
        };
        if self.lexicon.plates.no_plate.ahead(self.text, at).is_some() {
            return None;
        }
        if let Some(named) =
            states::at(self.text, at).filter(|named| named.sure || self.stands_free(at))
        {
            let from = at + named.tokens;
            if from >= self.text.tokens.len() || self.text.begins_sentence(from) {
                return None;
            }
            let comma = self.text.gap(from).contains(',');
            let spelled = spelled::read(self.text, from);
            let usual = || shape::read(self.text, self.lexicon, from, grounds).filter(|_| !comma);
            let announced_later = self.lexicon.plates.announce.has(self.text, from);
            let read = spelled.or_else(usual).filter(|_| !announced_later)?;
            let tokens = at..from + read.tokens;
            let near = self.vehicle_near(&tokens) || read.tokens >= SPELLED_TOKENS_MIN;
            let open = self.doubted_behind(tokens.end);
            return near.then(|| found(tokens, read.plate, Some(named.code), open));
        }
        let read = shape::read(self.text, self.lexicon, at, grounds)?;
        let behind = at + read.tokens;
        let named = self.state_behind(behind)?;
        let tokens = at..behind + named.tokens;
        let near =
            self.vehicle_near(&tokens) || (read.tokens == 1 && shape::is_unmistakable(&read.plate));
        let open = self.doubted_behind(tokens.end);
        near.then(|| found(tokens, read.plate, Some(named.code), open))
    }

    /// `SIL ACURA TL 6KRD909`.
    fn behind_vehicle(&self, at: usize) -> Option<FoundPlate> {
        let vehicle = self
            .vehicles
            .iter()
            .find(|vehicle| vehicle.tokens.end == at)?;
        let token = self.text.tokens.get(at)?;
        let plate = super::lexicon::bare(&token.upper);
        let plain = matches!(token.gap, " " | ", " | " (" | "  ");
        let free = plain && !self.is_open(at + 1) && shape::is_unmistakable(&plate);
        free.then(|| found(vehicle.tokens.start..at + 1, plate, None, false))
    }

    /// `Lincoln Ocean Nora four four two`, with nothing said ahead of it.
    fn spelled_out(&self, at: usize) -> Option<FoundPlate> {
        // From its beginning only: not from the second letter.
        if at > 0 && !self.text.begins_clause(at) && self.text.upper(at - 1).len() == 1 {
            return None;
        }
        let read = spelled::read(self.text, at).filter(|read| read.tokens >= SPELLED_TOKENS_MIN)?;
        Some(found(at..at + read.tokens, read.plate, None, false))
    }

    /// The second of `ABC1234 OR ABC1284`: both are doubtful.
    fn alternative(&self, first: &FoundPlate) -> Option<FoundPlate> {
        let mut at = first.tokens.end;
        if self.text.upper(at) != "OR" || self.text.begins_clause(at) {
            return None;
        }
        at += 1;
        let grounds = Grounds {
            announced: true,
            stated: false,
            vanity: false,
            partial: true,
        };
        let read = shape::read(self.text, self.lexicon, at, grounds)?;
        let alike = read.plate.len() == first.plate.plate.len();
        alike.then(|| found(at..at + read.tokens, read.plate, None, true))
    }

    /// Whether what is ahead of the announcing word doubts the plate; `None` where it denies
    /// it, or says that another kind of license follows.
    fn doubted_ahead(&self, at: usize) -> Option<bool> {
        let words = &self.lexicon.plates;
        if at == 0 || self.text.begins_clause(at) {
            return Some(false);
        }
        let mut near = at;
        while near > 1
            && ADJECTIVES.contains(&self.text.upper(near - 1))
            && !self.text.begins_clause(near)
        {
            near -= 1;
        }
        let denied = words.deny.ahead(self.text, near).is_some() && !self.text.begins_clause(near);
        if denied || words.other.ahead(self.text, at).is_some() {
            return None;
        }
        let mut doubted = self.begins_part(at);
        for back in 1..=DOUBT_WORDS_AHEAD.min(at) {
            if self.text.begins_clause(at - back + 1) {
                break;
            }
            doubted |= words.doubt.has(self.text, at - back);
        }
        Some(doubted)
    }

    /// `FIRST 3 OF`, `LAST FOUR ON`.
    fn begins_part(&self, at: usize) -> bool {
        (1..=4.min(at)).any(|back| {
            let from = at - back;
            let counted = self.text.upper(from + 1);
            let number = counted.bytes().all(|byte| byte.is_ascii_digit())
                || matches!(counted, "TWO" | "THREE" | "FOUR" | "FIVE");
            matches!(self.text.upper(from), "FIRST" | "LAST") && number && from + 1 < at
        })
    }

    /// The words of a doubtful plate begin with the doubt.
    fn doubt_begins(&self, first: usize) -> usize {
        let right_ahead = first > 0
            && !self.text.begins_clause(first)
            && self.lexicon.plates.doubt.ahead(self.text, first).is_some();
        first - usize::from(right_ahead)
    }

    fn doubted_behind(&self, end: usize) -> bool {
        // `SHE THINKS`
        let says = matches!(
            self.text.upper(end),
            "SHE" | "HE" | "I" | "CALLER" | "RP" | "IS"
        );
        let doubt = end + usize::from(says);
        let joined =
            (end..=doubt).all(|at| at < self.text.tokens.len() && !self.text.begins_clause(at));
        self.is_open(end) || (joined && self.lexicon.plates.doubt.has(self.text, doubt))
    }

    /// Whether the plate goes on with what is not known: `?`, `*` or `UNK` behind what ends here.
    fn is_open(&self, end: usize) -> bool {
        let unknown =
            matches!(self.text.upper(end), "UNK" | "UNKNOWN") && !self.text.begins_clause(end);
        self.text.gap(end).starts_with(['?', '*']) || unknown
    }

    /// The state behind a plate, where it can hardly be a word.
    fn state_behind(&self, at: usize) -> Option<states::Named> {
        let plain = matches!(
            self.text.gap(at),
            " " | "  " | "/" | " (" | "-" | ", " | " - "
        );
        let named = states::at(self.text, at).filter(|named| plain && named.sure)?;
        // `FL 3` is a floor, and what stands ahead of the next announcing word is that one's.
        let other = self
            .lexicon
            .plates
            .announce
            .has(self.text, at + named.tokens);
        (!other).then_some(named)
    }

    /// A state that is a word too is believed where nothing stands ahead of it but a vehicle.
    fn stands_free(&self, at: usize) -> bool {
        let vehicle = self.vehicles.iter().any(|vehicle| vehicle.tokens.end == at);
        (vehicle || self.text.begins_clause(at)) && self.is_code(at)
    }

    /// Two capital letters in the text itself.
    fn is_code(&self, at: usize) -> bool {
        self.text
            .tokens
            .get(at)
            .is_some_and(|token| token.text == token.upper)
    }

    fn is_quoted(&self, at: usize) -> bool {
        let marks = ['"', '\u{201c}', '\u{201d}'];
        self.text.gap(at).contains(marks) && self.text.gap(at + 1).contains(marks)
    }

    fn vehicle_near(&self, plate: &Range<usize>) -> bool {
        self.vehicles.iter().any(|vehicle| {
            let ahead = vehicle.tokens.end <= plate.start
                && plate.start - vehicle.tokens.end <= VEHICLE_AHEAD_WORDS;
            let behind = vehicle.tokens.start >= plate.end
                && vehicle.tokens.start - plate.end <= VEHICLE_BEHIND_WORDS;
            let mut between =
                vehicle.tokens.end.min(plate.end)..=vehicle.tokens.start.max(plate.start);
            (ahead || behind) && !between.any(|at| self.text.begins_sentence(at))
        })
    }
}

fn found(
    tokens: Range<usize>,
    plate: String,
    state: Option<&'static str>,
    partial: bool,
) -> FoundPlate {
    FoundPlate {
        tokens,
        plate: Plate {
            plate,
            state: state.map(str::to_owned),
            partial,
        },
    }
}

#[cfg(test)]
mod tests;
