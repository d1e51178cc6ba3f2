//! The table of rules: reading it, and saying where it is wrong.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use super::entity::EntityWhat;
use super::lexicon::{
    DescriptionsTable, FinderTables, Lexicon, MakeTable, NamedTable, PersonsTable, PlatesTable,
};
use super::words::{self, Denial, Hit, Narrative, Phrase, Phrases};

const BUILT_IN: &str = include_str!("../../triage.toml");
const PRIORITY_MAX: u8 = 5;

/// Where a table of rules is wrong; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct TriageError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// Whether a phrase that stands in the words counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    Counts,
    /// The words deny it: `NO WEAPONS`.
    Denied,
    /// The rule itself excepts it: `NAIL GUN`.
    Excepted,
}

/// A table of rules, ready to be asked.
#[derive(Debug)]
pub struct Rules {
    pub(super) default_priority: u8,
    natures: Vec<NatureRule>,
    exact: HashMap<String, usize>,
    /// The longest first.
    prefixes: Vec<(String, usize)>,
    pub(super) words: Vec<WordRule>,
    pub(super) lexicon: Lexicon,
    phrases: Phrases,
    excepted: Phrases,
    denial: Denial,
}

#[derive(Debug)]
pub(super) struct NatureRule {
    pub(super) name: String,
    pub(super) category: String,
    pub(super) priority: u8,
}

#[derive(Debug)]
pub(super) struct WordRule {
    pub(super) name: String,
    pub(super) category: String,
    pub(super) priority: u8,
    pub(super) caution: bool,
    /// The weapon or danger that its words name.
    pub(super) names: Option<EntityWhat>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    default_priority: Spanned<u8>,
    #[serde(default)]
    nature: Vec<NatureTable>,
    #[serde(default)]
    words: Vec<WordTable>,
    #[serde(default)]
    denied: DeniedTable,
    plates: Option<PlatesTable>,
    persons: Option<PersonsTable>,
    descriptions: Option<DescriptionsTable>,
    #[serde(default)]
    color: Vec<NamedTable>,
    #[serde(default)]
    body: Vec<NamedTable>,
    #[serde(default)]
    make: Vec<MakeTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NatureTable {
    rule: String,
    category: String,
    priority: Spanned<u8>,
    #[serde(default)]
    exact: Vec<Spanned<String>>,
    #[serde(default)]
    prefix: Vec<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WordTable {
    rule: String,
    category: String,
    priority: Spanned<u8>,
    #[serde(default)]
    caution: bool,
    weapon: Option<Spanned<String>>,
    danger: Option<Spanned<String>>,
    words: Vec<Spanned<String>>,
    #[serde(default)]
    except: Vec<Spanned<String>>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct DeniedTable {
    before: Vec<Spanned<String>>,
    between: Vec<Spanned<String>>,
    after: Vec<Spanned<String>>,
}

impl Default for Rules {
    fn default() -> Self {
        Self::parse(BUILT_IN).expect("the built-in table is good, as a test shows")
    }
}

impl Rules {
    pub fn parse(text: &str) -> Result<Self, TriageError> {
        let table: Table = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(text, at, error.message())
        })?;
        let finders = FinderTables {
            plates: table.plates,
            persons: table.persons,
            descriptions: table.descriptions,
            color: table.color,
            body: table.body,
            make: table.make,
        };
        let mut rules = Self {
            default_priority: priority(text, &table.default_priority)?,
            lexicon: Lexicon::new(text, &finders)?,
            natures: Vec::new(),
            exact: HashMap::new(),
            prefixes: Vec::new(),
            words: Vec::new(),
            phrases: Phrases::default(),
            excepted: Phrases::default(),
            denial: Denial::default(),
        };
        for nature in table.nature {
            rules.add_nature(text, nature)?;
        }
        for words in table.words {
            rules.add_words(text, words)?;
        }
        rules
            .prefixes
            .sort_by_key(|(prefix, _)| std::cmp::Reverse(prefix.len()));
        let phrases = |list: &[Spanned<String>]| {
            list.iter()
                .map(|words| phrase(text, words))
                .collect::<Result<Vec<_>, _>>()
        };
        rules.denial = Denial {
            before: phrases(&table.denied.before)?
                .concat()
                .into_iter()
                .collect(),
            between: phrases(&table.denied.between)?
                .concat()
                .into_iter()
                .collect(),
            after: phrases(&table.denied.after)?,
        };
        Ok(rules)
    }

    fn add_nature(&mut self, text: &str, table: NatureTable) -> Result<(), TriageError> {
        let at = self.natures.len();
        for exact in &table.exact {
            let key = nature_key(text, exact)?;
            if self.exact.insert(key, at).is_some() {
                return Err(twice(text, exact));
            }
        }
        for prefix in &table.prefix {
            let key = nature_key(text, prefix)?;
            if self.prefixes.iter().any(|(known, _)| *known == key) {
                return Err(twice(text, prefix));
            }
            self.prefixes.push((key, at));
        }
        self.natures.push(NatureRule {
            priority: priority(text, &table.priority)?,
            name: table.rule,
            category: table.category,
        });
        Ok(())
    }

    fn add_words(&mut self, text: &str, table: WordTable) -> Result<(), TriageError> {
        let at = self.words.len();
        for words in &table.words {
            self.phrases.add(phrase(text, words)?, at);
        }
        for words in &table.except {
            self.excepted.add(phrase(text, words)?, at);
        }
        let names = match (table.weapon, table.danger) {
            (Some(_), Some(danger)) => {
                let message = "words name a weapon or a danger, not both";
                return Err(wrong(text, danger.span().start, message));
            }
            (Some(weapon), None) => Some(EntityWhat::Weapon(kind(text, &weapon)?)),
            (None, Some(danger)) => Some(EntityWhat::Danger(kind(text, &danger)?)),
            (None, None) => None,
        };
        self.words.push(WordRule {
            names,
            priority: priority(text, &table.priority)?,
            name: table.rule,
            category: table.category,
            caution: table.caution,
        });
        Ok(())
    }

    /// The rule for a nature, if one knows it.
    pub(super) fn nature(&self, nature: &str) -> Option<&NatureRule> {
        let nature = normal(nature);
        let at = self.exact.get(&nature).copied().or_else(|| {
            self.prefixes
                .iter()
                .find(|(prefix, _)| begins(&nature, prefix))
                .map(|(_, at)| *at)
        })?;
        self.natures.get(at)
    }

    /// What of the narrative speaks, in its order: neither excepted nor denied.
    pub(super) fn hits(&self, narrative: &Narrative<'_>) -> Vec<Hit> {
        let judged = self.judged(narrative).into_iter();
        judged
            .filter(|(_, verdict)| *verdict == Verdict::Counts)
            .map(|(hit, _)| hit)
            .collect()
    }

    /// Every phrase of a rule in the narrative, in its order, and whether it counts.
    pub(super) fn judged(&self, narrative: &Narrative<'_>) -> Vec<(Hit, Verdict)> {
        let excepted = self.excepted.hits(narrative);
        let hits = self.phrases.hits(narrative);
        let judge = |hit: &Hit| {
            let inside = |other: &Hit| {
                other.rule == hit.rule
                    && other.tokens.start <= hit.tokens.start
                    && hit.tokens.end <= other.tokens.end
            };
            if excepted.iter().any(inside) {
                Verdict::Excepted
            } else if self.denial.denies(narrative, hit, &self.phrases) {
                Verdict::Denied
            } else {
                Verdict::Counts
            }
        };
        hits.into_iter()
            .map(|hit| {
                let verdict = judge(&hit);
                (hit, verdict)
            })
            .collect()
    }
}

/// Upper case, single spaces.
fn normal(nature: &str) -> String {
    let words: Vec<_> = nature.split_whitespace().map(str::to_uppercase).collect();
    words.join(" ")
}

/// Whether `nature` begins with `prefix` and a word ends there.
fn begins(nature: &str, prefix: &str) -> bool {
    nature.strip_prefix(prefix).is_some_and(|rest| {
        let next = rest.chars().next();
        !next.is_some_and(char::is_alphanumeric)
    })
}

fn nature_key(text: &str, nature: &Spanned<String>) -> Result<String, TriageError> {
    let key = normal(nature.get_ref());
    if key.is_empty() {
        return Err(wrong(text, nature.span().start, "an empty nature"));
    }
    Ok(key)
}

/// A name for a kind of weapon or danger.
fn kind(text: &str, kind: &Spanned<String>) -> Result<String, TriageError> {
    if kind.get_ref().trim().is_empty() {
        return Err(wrong(text, kind.span().start, "text without a word"));
    }
    Ok(kind.get_ref().trim().to_owned())
}

fn phrase(text: &str, words: &Spanned<String>) -> Result<Phrase, TriageError> {
    let phrase = words::phrase(words.get_ref());
    if phrase.is_empty() {
        return Err(wrong(text, words.span().start, "text without a word"));
    }
    Ok(phrase)
}

fn priority(text: &str, priority: &Spanned<u8>) -> Result<u8, TriageError> {
    let value = *priority.get_ref();
    if (1..=PRIORITY_MAX).contains(&value) {
        return Ok(value);
    }
    let message = format!("priority {value}: wanted 1 (most urgent) to {PRIORITY_MAX}");
    Err(wrong(text, priority.span().start, &message))
}

fn twice(text: &str, nature: &Spanned<String>) -> TriageError {
    let message = format!(
        "the nature {} is here and in a rule before",
        nature.get_ref()
    );
    wrong(text, nature.span().start, &message)
}

pub(super) fn wrong(text: &str, at: usize, message: &str) -> TriageError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    TriageError {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: message.to_owned(),
    }
}
