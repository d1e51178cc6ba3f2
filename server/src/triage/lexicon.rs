//! The words that the finders of entities know: the built-in `finders.toml`, and what a
//! center's own table of rules says instead or besides.

use std::collections::{HashMap, HashSet};
use std::ops::Range;
use std::sync::LazyLock;

use serde::Deserialize;
use toml::Spanned;

use super::rules::{TriageError, wrong};
use super::tokens::Text;

const BUILT_IN: &str = include_str!("../../finders.toml");
/// Most words of one phrase.
pub(super) const PHRASE_WORDS_MAX: usize = 4;

/// Words that are no name of a person or street: ordinary English as dispatch writes it.
static COMMON: LazyLock<HashSet<&'static str>> = LazyLock::new(|| {
    include_str!("lists/common.txt")
        .split_whitespace()
        .collect()
});

pub(super) fn is_common(upper: &str) -> bool {
    COMMON.contains(upper)
}

/// The sections of a table that are the finders'; one that is absent stays as built in.
#[derive(Debug, Default, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FinderTables {
    pub(super) plates: Option<PlatesTable>,
    pub(super) persons: Option<PersonsTable>,
    pub(super) descriptions: Option<DescriptionsTable>,
    #[serde(default)]
    pub(super) color: Vec<NamedTable>,
    #[serde(default)]
    pub(super) body: Vec<NamedTable>,
    #[serde(default)]
    pub(super) make: Vec<MakeTable>,
}

type Words = Vec<Spanned<String>>;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PlatesTable {
    announce: Words,
    fill: Words,
    doubt: Words,
    deny: Words,
    other: Words,
    no_plate: Words,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct PersonsTable {
    titles: Words,
    relations: Words,
    announce: Words,
    staff: Words,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DescriptionsTable {
    sex: Words,
    race: Words,
    age: Words,
    look: Words,
    clothing: Words,
    between: Words,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NamedTable {
    name: Spanned<String>,
    #[serde(default)]
    also: Words,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct MakeTable {
    name: Spanned<String>,
    #[serde(default)]
    also: Words,
    #[serde(default)]
    models: Words,
    #[serde(default)]
    with_make: Words,
    #[serde(default = "yes")]
    bare: bool,
}

fn yes() -> bool {
    true
}

/// Phrases, and what each stands for.
#[derive(Debug)]
pub(super) struct Lookup<T> {
    by_first: HashMap<String, Vec<(Vec<String>, T)>>,
}

impl<T> Default for Lookup<T> {
    fn default() -> Self {
        Self {
            by_first: HashMap::new(),
        }
    }
}

impl<T> Lookup<T> {
    fn add(&mut self, text: &str, phrase: &Spanned<String>, value: T) -> Result<(), TriageError> {
        let words = words(phrase.get_ref());
        let at = phrase.span().start;
        let Some(first) = words.first().cloned() else {
            return Err(wrong(text, at, "text without a word"));
        };
        if words.len() > PHRASE_WORDS_MAX {
            let message = format!("more than {PHRASE_WORDS_MAX} words");
            return Err(wrong(text, at, &message));
        }
        let phrases = self.by_first.entry(first).or_default();
        phrases.push((words, value));
        // The longest first.
        phrases.sort_by_key(|(words, _)| std::cmp::Reverse(words.len()));
        Ok(())
    }

    /// The longest phrase that begins at this token, and how many tokens it takes.
    pub(super) fn at(&self, text: &Text<'_>, at: usize) -> Option<(&T, usize)> {
        let phrases = self.by_first.get(text.upper(at))?;
        phrases.iter().find_map(|(words, value)| {
            let follows = words.iter().enumerate().skip(1).all(|(offset, word)| {
                text.upper(at + offset) == word && !text.begins_clause(at + offset)
            });
            follows.then_some((value, words.len()))
        })
    }

    /// The longest phrase that ends right ahead of this token, and where it begins.
    pub(super) fn ahead(&self, text: &Text<'_>, at: usize) -> Option<(&T, usize)> {
        (1..=PHRASE_WORDS_MAX.min(at)).rev().find_map(|length| {
            let (value, took) = self.at(text, at - length)?;
            (took == length).then_some((value, at - length))
        })
    }

    pub(super) fn has(&self, text: &Text<'_>, at: usize) -> bool {
        self.at(text, at).is_some()
    }
}

/// As [`Text`] cuts them, in capitals.
fn words(phrase: &str) -> Vec<String> {
    let text = Text::of(phrase);
    text.tokens.into_iter().map(|token| token.upper).collect()
}

#[derive(Debug)]
pub(super) struct Lexicon {
    pub(super) plates: PlateWords,
    pub(super) persons: PersonWords,
    /// What the words of a description tell of.
    pub(super) looks: Lookup<Look>,
    pub(super) colors: Lookup<String>,
    pub(super) bodies: Lookup<String>,
    pub(super) makes: Makes,
}

#[derive(Debug, Default)]
pub(super) struct PlateWords {
    pub(super) announce: Lookup<()>,
    pub(super) fill: Lookup<()>,
    pub(super) doubt: Lookup<()>,
    pub(super) deny: Lookup<()>,
    pub(super) other: Lookup<()>,
    pub(super) no_plate: Lookup<()>,
}

#[derive(Debug, Default)]
pub(super) struct PersonWords {
    pub(super) titles: Lookup<()>,
    pub(super) relations: Lookup<()>,
    pub(super) announce: Lookup<()>,
    pub(super) staff: Lookup<()>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Look {
    Sex,
    Race,
    Age,
    Build,
    Clothing,
    /// Says nothing, and may stand between two that do.
    Between,
}

/// Makes and models, known by their letters and digits alone: `F-150`, `F150` and `F 150`
/// are one.
#[derive(Debug, Default)]
pub(super) struct Makes {
    all: Vec<Make>,
    by_words: Lookup<usize>,
    /// Models that are known without their make.
    alone: HashMap<String, (usize, usize)>,
}

#[derive(Debug)]
pub(super) struct Make {
    pub(super) name: String,
    /// Believed alone: no ordinary word.
    pub(super) bare: bool,
    pub(super) models: Vec<String>,
    /// Letters and digits of a spelling, and whose model it is.
    spelled: HashMap<String, usize>,
}

/// A model that was found, and how many tokens it takes.
pub(super) struct FoundModel {
    pub(super) make: usize,
    pub(super) model: usize,
    pub(super) tokens: usize,
}

/// A word with a wrong letter is believed from so many letters on.
const FUZZY_LETTERS_MIN: usize = 5;
/// A model is cut to at least so many letters.
const CUT_LETTERS: Range<usize> = 3..5;

impl Lexicon {
    /// The built-in words, with `tables` (read from `text`) instead and besides.
    ///
    /// # Errors
    /// Names the line and column of what is wrong in `text`.
    pub(super) fn new(text: &str, tables: &FinderTables) -> Result<Self, TriageError> {
        let built_in: FinderTables = toml::from_str(BUILT_IN).map_err(|error| {
            wrong(
                BUILT_IN,
                error.span().map_or(0, |span| span.start),
                error.message(),
            )
        })?;
        let mut lexicon = Self {
            plates: PlateWords::default(),
            persons: PersonWords::default(),
            looks: Lookup::default(),
            colors: Lookup::default(),
            bodies: Lookup::default(),
            makes: Makes::default(),
        };
        match (&tables.plates, &built_in.plates) {
            (Some(own), _) => lexicon.add_plates(text, own)?,
            (None, Some(ours)) => lexicon.add_plates(BUILT_IN, ours)?,
            (None, None) => {}
        }
        match (&tables.persons, &built_in.persons) {
            (Some(own), _) => lexicon.add_persons(text, own)?,
            (None, Some(ours)) => lexicon.add_persons(BUILT_IN, ours)?,
            (None, None) => {}
        }
        match (&tables.descriptions, &built_in.descriptions) {
            (Some(own), _) => lexicon.add_looks(text, own)?,
            (None, Some(ours)) => lexicon.add_looks(BUILT_IN, ours)?,
            (None, None) => {}
        }
        for (text, tables) in [(BUILT_IN, &built_in), (text, tables)] {
            for color in &tables.color {
                named(text, color, &mut lexicon.colors)?;
            }
            for body in &tables.body {
                named(text, body, &mut lexicon.bodies)?;
            }
            for make in &tables.make {
                lexicon.makes.add(text, make)?;
            }
        }
        Ok(lexicon)
    }

    fn add_plates(&mut self, text: &str, table: &PlatesTable) -> Result<(), TriageError> {
        let words = &mut self.plates;
        for (list, lookup) in [
            (&table.announce, &mut words.announce),
            (&table.fill, &mut words.fill),
            (&table.doubt, &mut words.doubt),
            (&table.deny, &mut words.deny),
            (&table.other, &mut words.other),
            (&table.no_plate, &mut words.no_plate),
        ] {
            add_all(text, list, (), lookup)?;
        }
        Ok(())
    }

    fn add_persons(&mut self, text: &str, table: &PersonsTable) -> Result<(), TriageError> {
        let words = &mut self.persons;
        for (list, lookup) in [
            (&table.titles, &mut words.titles),
            (&table.relations, &mut words.relations),
            (&table.announce, &mut words.announce),
            (&table.staff, &mut words.staff),
        ] {
            add_all(text, list, (), lookup)?;
        }
        Ok(())
    }

    fn add_looks(&mut self, text: &str, table: &DescriptionsTable) -> Result<(), TriageError> {
        for (list, look) in [
            (&table.sex, Look::Sex),
            (&table.race, Look::Race),
            (&table.age, Look::Age),
            (&table.look, Look::Build),
            (&table.clothing, Look::Clothing),
            (&table.between, Look::Between),
        ] {
            add_all(text, list, look, &mut self.looks)?;
        }
        Ok(())
    }
}

fn add_all<T: Copy>(
    text: &str,
    list: &Words,
    value: T,
    lookup: &mut Lookup<T>,
) -> Result<(), TriageError> {
    list.iter()
        .try_for_each(|phrase| lookup.add(text, phrase, value))
}

fn named(text: &str, table: &NamedTable, lookup: &mut Lookup<String>) -> Result<(), TriageError> {
    let spellings = table.also.iter().chain([&table.name]);
    spellings
        .into_iter()
        .try_for_each(|phrase| lookup.add(text, phrase, table.name.get_ref().clone()))
}

impl Makes {
    fn add(&mut self, text: &str, table: &MakeTable) -> Result<(), TriageError> {
        let name = table.name.get_ref();
        // One that is known already gets more models.
        let known = self.all.iter().position(|make| make.name == *name);
        let at = known.unwrap_or(self.all.len());
        if known.is_none() {
            self.all.push(Make {
                name: name.clone(),
                bare: table.bare,
                models: Vec::new(),
                spelled: HashMap::new(),
            });
        }
        for phrase in table.also.iter().chain([&table.name]) {
            self.by_words.add(text, phrase, at)?;
        }
        for (list, alone) in [(&table.with_make, false), (&table.models, true)] {
            for model in list {
                self.add_model(text, at, model, alone)?;
            }
        }
        Ok(())
    }

    fn add_model(
        &mut self,
        text: &str,
        make: usize,
        model: &Spanned<String>,
        alone: bool,
    ) -> Result<(), TriageError> {
        let mut spellings = model.get_ref().split('|');
        let name = spellings.next().unwrap_or_default();
        if bare(name).is_empty() {
            return Err(wrong(text, model.span().start, "text without a word"));
        }
        let models = &mut self.all[make].models;
        let at = models.len();
        models.push(name.to_owned());
        for spelling in spellings.chain([name]).map(bare) {
            if alone {
                self.alone.insert(spelling.clone(), (make, at));
            }
            self.all[make].spelled.insert(spelling, at);
        }
        Ok(())
    }

    pub(super) fn make(&self, at: usize) -> &Make {
        &self.all[at]
    }

    /// The make that begins at this token, and how many it takes.
    pub(super) fn at(&self, text: &Text<'_>, at: usize) -> Option<(usize, usize)> {
        let (make, took) = self.by_words.at(text, at)?;
        Some((*make, took))
    }

    /// A make of which one letter is wrong (`HUNDA`).
    pub(super) fn misspelled(&self, upper: &str) -> Option<usize> {
        let name = |make: &Make| is_nearly(upper, &bare(&make.name));
        (!is_common(upper))
            .then(|| self.all.iter().position(name))
            .flatten()
    }

    /// The model of this make that begins at this token: the longest.
    pub(super) fn model(&self, text: &Text<'_>, at: usize, make: usize) -> Option<FoundModel> {
        let known = &self.all[make];
        let found = |model: usize, tokens: usize| FoundModel {
            make,
            model,
            tokens,
        };
        let whole = joined(text, at).find_map(|(spelling, tokens)| {
            let model = known.spelled.get(&spelling)?;
            Some(found(*model, tokens))
        });
        if whole.is_some() {
            return whole;
        }
        let upper = text.upper(at);
        if is_common(upper) || text.begins_clause(at) {
            return None;
        }
        let nearly = known
            .spelled
            .iter()
            .find(|(spelling, _)| is_nearly(upper, spelling));
        if let Some((_, model)) = nearly {
            return Some(found(*model, 1));
        }
        // `CIV`, `TAHO`: cut, where only one model begins so.
        let letters = upper.bytes().all(|byte| byte.is_ascii_alphabetic());
        let mut begun = known.spelled.iter().filter(|(spelling, _)| {
            letters && CUT_LETTERS.contains(&upper.len()) && spelling.starts_with(upper)
        });
        match (begun.next(), begun.next()) {
            (Some((_, model)), None) => Some(found(*model, 1)),
            _ => None,
        }
    }

    /// A model that is known without its make.
    pub(super) fn alone(&self, text: &Text<'_>, at: usize) -> Option<FoundModel> {
        joined(text, at).find_map(|(spelling, tokens)| {
            let (make, model) = *self.alone.get(&spelling)?;
            Some(FoundModel {
                make,
                model,
                tokens,
            })
        })
    }

    /// A model that is an ordinary word, right behind a color: `TAN DAKOTA`.
    pub(super) fn behind_color(&self, text: &Text<'_>, at: usize) -> Option<FoundModel> {
        let token = text.tokens.get(at)?;
        if is_common(&token.upper) || !token.is_letters() || token.upper.len() < 4 {
            return None;
        }
        self.all.iter().enumerate().find_map(|(make, known)| {
            let model = *known.spelled.get(&token.upper)?;
            Some(FoundModel {
                make,
                model,
                tokens: 1,
            })
        })
    }
}

/// The letters and digits of three tokens, of two, of one; with how many.
fn joined<'a>(text: &'a Text<'_>, at: usize) -> impl Iterator<Item = (String, usize)> + 'a {
    (1..=3).rev().filter_map(move |tokens| {
        let apart = |next: usize| next >= text.tokens.len() || text.begins_clause(next);
        if at >= text.tokens.len() || (at + 1..at + tokens).any(apart) {
            return None;
        }
        let spelling: String = (at..at + tokens)
            .map(|next| bare(text.upper(next)))
            .collect();
        Some((spelling, tokens))
    })
}

/// Letters and digits only, in capitals.
pub(super) fn bare(text: &str) -> String {
    let kept = text.chars().filter(|kept| kept.is_ascii_alphanumeric());
    kept.map(|kept| kept.to_ascii_uppercase()).collect()
}

/// Whether a word is this one but for one letter that is wrong, missing, too much, or
/// changed places with its neighbour.
fn is_nearly(word: &str, known: &str) -> bool {
    let long = word.len() >= FUZZY_LETTERS_MIN && known.len() >= FUZZY_LETTERS_MIN;
    let letters = |word: &str| word.bytes().all(|byte| byte.is_ascii_alphabetic());
    long && letters(word)
        && letters(known)
        && word.as_bytes()[0] == known.as_bytes()[0]
        && strsim::osa_distance(word, known) == 1
}
