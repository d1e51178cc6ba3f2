//! Words in a narrative: finding phrases, and whether the text denies them.
//!
//! Call takers write telegrams ("SUBJ ARMED W/ KNIFE NO GUN SEEN"), so there is
//! no grammar to lean on. What is leaned on: whole words, clauses as punctuation
//! cuts them, and a denial only counts right ahead of what it denies or right
//! after it at the end of a clause. Where that is in doubt, the words speak.

use std::collections::{HashMap, HashSet};
use std::ops::Range;

use super::lexicon::is_common;

/// How far ahead of a word its denial may stand.
const BETWEEN_WORDS_MAX: usize = 6;

/// Words, as [`Narrative`] cuts them; [`ANY_NUMBER`] stands for any number.
pub(super) type Phrase = Vec<String>;

/// How a table writes it.
const ANY_NUMBER_WRITTEN: &str = "{number}";
const ANY_NUMBER: &str = "#";
const NUMBERS: [&str; 12] = [
    "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "several",
    "multiple",
];
/// A word of so many letters is also known with a letter missing, doubled, or in its
/// neighbour's place: nobody corrects what is typed while somebody screams. With another
/// letter it is not: `SHOUTING` is not `SHOOTING`.
const MISSPELLED_LETTERS_MIN: usize = 7;

/// The phrase that a table writes so.
pub(super) fn phrase(written: &str) -> Phrase {
    let words = written.split_whitespace().flat_map(|word| {
        if word == ANY_NUMBER_WRITTEN {
            vec![ANY_NUMBER.to_owned()]
        } else {
            Narrative::of(word).words()
        }
    });
    words.collect()
}

#[derive(Debug)]
pub(super) struct Narrative<'t> {
    text: &'t str,
    tokens: Vec<Token>,
}

#[derive(Debug)]
struct Token {
    word: String,
    bytes: Range<usize>,
    clause: usize,
    sentence: usize,
}

/// A phrase of a rule that was found, at these tokens.
#[derive(Clone, Debug)]
pub(super) struct Hit {
    pub(super) rule: usize,
    pub(super) tokens: Range<usize>,
}

/// Phrases by their first word.
#[derive(Debug, Default)]
pub(super) struct Phrases {
    by_first: HashMap<String, Vec<(Phrase, usize)>>,
    lasts: HashSet<String>,
    /// Words that stand alone and are long enough to be known misspelled.
    long: Vec<(String, usize)>,
}

/// The words by which a narrative says that something is not so.
#[derive(Debug, Default)]
pub(super) struct Denial {
    pub(super) before: HashSet<String>,
    pub(super) between: HashSet<String>,
    pub(super) after: Vec<Phrase>,
}

impl<'t> Narrative<'t> {
    pub(super) fn of(text: &'t str) -> Self {
        let mut narrative = Self {
            text,
            tokens: Vec::new(),
        };
        let (mut clause, mut sentence) = (0, 0);
        let mut word_start = None;
        let mut characters = text.char_indices().peekable();
        while let Some((at, character)) = characters.next() {
            let next = characters.peek().map(|(_, next)| *next);
            if character.is_alphanumeric() || matches!(character, '\'' | '’') {
                word_start.get_or_insert(at);
                continue;
            }
            let in_without = |start| at == start + 1 && without(&text[start..]);
            if character == '/' && word_start.is_some_and(in_without) {
                continue;
            }
            if let Some(start) = word_start.take() {
                narrative.push(start..at, clause, sentence);
            }
            let ends_sentence = match character {
                '.' => next.is_none_or(char::is_whitespace),
                '!' | '?' | ';' | '\n' => true,
                _ => false,
            };
            sentence += usize::from(ends_sentence);
            clause += usize::from(ends_sentence || matches!(character, ',' | '(' | ')' | '|'));
        }
        if let Some(start) = word_start {
            narrative.push(start..text.len(), clause, sentence);
        }
        narrative
    }

    fn push(&mut self, bytes: Range<usize>, clause: usize, sentence: usize) {
        let word = self.text[bytes.clone()]
            .to_lowercase()
            .replace('’', "'")
            .trim_matches('\'')
            .to_owned();
        if !word.is_empty() {
            self.tokens.push(Token {
                word,
                bytes,
                clause,
                sentence,
            });
        }
    }

    pub(super) fn words(&self) -> Phrase {
        self.tokens.iter().map(|token| token.word.clone()).collect()
    }

    pub(super) fn bytes(&self, tokens: &Range<usize>) -> Range<usize> {
        self.tokens[tokens.start].bytes.start..self.tokens[tokens.end - 1].bytes.end
    }

    /// The text of these tokens, verbatim.
    pub(super) fn text(&self, tokens: &Range<usize>) -> &'t str {
        &self.text[self.bytes(tokens)]
    }

    /// The sentence around these tokens, verbatim; of a long one the part around.
    pub(super) fn sentence(&self, tokens: &Range<usize>, chars_max: usize) -> String {
        let sentence = self.tokens[tokens.start].sentence;
        let chars = |range: &Range<usize>| self.text(range).chars().count();
        let mut shown = tokens.clone();
        loop {
            let before = shown.start.checked_sub(1);
            let wider = [
                before.map(|start| start..shown.end),
                Some(shown.start..shown.end + 1),
            ];
            // The shorter side grows first, so that the words stay in the middle.
            let mut wider: Vec<_> = wider
                .into_iter()
                .flatten()
                .filter(|range| {
                    range.end <= self.tokens.len()
                        && self.tokens[range.start].sentence == sentence
                        && self.tokens[range.end - 1].sentence == sentence
                        && chars(range) <= chars_max
                })
                .collect();
            wider.sort_by_key(|range| (tokens.start - range.start).max(range.end - tokens.end));
            match wider.into_iter().next() {
                Some(range) => shown = range,
                None => break,
            }
        }
        let of_sentence = |at: Option<usize>| {
            at.and_then(|at| self.tokens.get(at))
                .is_some_and(|token| token.sentence == sentence)
        };
        let mut words = String::new();
        if of_sentence(shown.start.checked_sub(1)) {
            words.push('…');
        }
        words.extend(self.text(&shown).chars().take(chars_max));
        if of_sentence(Some(shown.end)) {
            words.push('…');
        }
        words
    }

    fn clause(&self, at: usize) -> Option<usize> {
        self.tokens.get(at).map(|token| token.clause)
    }

    fn has(&self, phrase: &[String], at: usize) -> bool {
        let clause = self.clause(at);
        phrase.iter().enumerate().all(|(offset, word)| {
            let token = self.tokens.get(at + offset);
            token.is_some_and(|token| is(&token.word, word) && Some(token.clause) == clause)
        })
    }
}

/// Whether `text` begins with `w/o`, the one word that has a slash in it.
fn without(text: &str) -> bool {
    let bytes = text.as_bytes();
    bytes.len() >= 3
        && bytes[..3].eq_ignore_ascii_case(b"w/o")
        && !bytes.get(3).is_some_and(u8::is_ascii_alphanumeric)
}

/// Whether a word of a text is the one of a phrase.
fn is(word: &str, wanted: &str) -> bool {
    word == wanted || (wanted == ANY_NUMBER && is_number(word))
}

fn is_number(word: &str) -> bool {
    word.bytes().all(|byte| byte.is_ascii_digit()) || NUMBERS.contains(&word)
}

/// Whether `word` is `known` with a letter missing, doubled or moved by one place.
fn is_misspelled(word: &str, known: &str) -> bool {
    let long = |word: &str| word.len() >= MISSPELLED_LETTERS_MIN && word.is_ascii();
    let first = |word: &str| word.bytes().next();
    if !long(word) || !long(known) || first(word) != first(known) {
        return false;
    }
    let sorted = |word: &str| {
        let mut letters = word.as_bytes().to_vec();
        letters.sort_unstable();
        letters
    };
    let moved = word.len() == known.len() && sorted(word) == sorted(known);
    (word.len().abs_diff(known.len()) == 1 || moved) && strsim::osa_distance(word, known) == 1
}

impl Phrases {
    pub(super) fn add(&mut self, phrase: Phrase, rule: usize) {
        if let [only] = phrase.as_slice()
            && only.len() >= MISSPELLED_LETTERS_MIN
        {
            self.long.push((only.clone(), rule));
        }
        self.lasts.extend(phrase.last().cloned());
        if let Some(first) = phrase.first().cloned() {
            self.by_first.entry(first).or_default().push((phrase, rule));
        }
    }

    pub(super) fn hits(&self, narrative: &Narrative<'_>) -> Vec<Hit> {
        let mut hits = Vec::new();
        for (at, token) in narrative.tokens.iter().enumerate() {
            let begin = self.by_first.get(&token.word);
            let number = is_number(&token.word).then(|| self.by_first.get(ANY_NUMBER));
            if begin.is_none() {
                hits.extend(self.misspelled(&token.word).map(|rule| Hit {
                    rule,
                    tokens: at..at + 1,
                }));
            }
            for (phrase, rule) in begin.into_iter().chain(number.flatten()).flatten() {
                if narrative.has(phrase, at) {
                    hits.push(Hit {
                        rule: *rule,
                        tokens: at..at + phrase.len(),
                    });
                }
            }
        }
        hits
    }
}

impl Phrases {
    fn misspelled(&self, word: &str) -> Option<usize> {
        if word.len() < MISSPELLED_LETTERS_MIN - 1 || is_common(&word.to_uppercase()) {
            return None;
        }
        let known = self
            .long
            .iter()
            .find(|(known, _)| is_misspelled(word, known))?;
        Some(known.1)
    }
}

impl Denial {
    pub(super) fn denies(&self, narrative: &Narrative<'_>, hit: &Hit, phrases: &Phrases) -> bool {
        self.denied_before(narrative, hit, phrases) || self.denied_after(narrative, hit)
    }

    /// "no weapons", "not armed", "denies having a gun", "no guns or knives".
    fn denied_before(&self, narrative: &Narrative<'_>, hit: &Hit, phrases: &Phrases) -> bool {
        let clause = narrative.clause(hit.tokens.start);
        let mut after_or = false;
        for at in (0..hit.tokens.start).rev().take(BETWEEN_WORDS_MAX) {
            let token = &narrative.tokens[at];
            if Some(token.clause) != clause {
                return false;
            }
            if self.before.contains(&token.word) {
                return true;
            }
            let of_list = after_or && phrases.lasts.contains(&token.word);
            let or = matches!(token.word.as_str(), "or" | "nor");
            if !of_list && !or && !self.between.contains(&token.word) {
                return false;
            }
            after_or = or;
        }
        false
    }

    /// "weapons: none", "gun not seen", where the clause ends with it.
    fn denied_after(&self, narrative: &Narrative<'_>, hit: &Hit) -> bool {
        let (clause, next) = (narrative.clause(hit.tokens.start), hit.tokens.end);
        self.after.iter().any(|words| {
            narrative.clause(next) == clause
                && narrative.has(words, next)
                && narrative.clause(next + words.len()) != clause
        })
    }
}
