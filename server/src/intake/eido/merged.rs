//! All that was said of one incident, put together from messages that come late, twice
//! and in parts.
//!
//! An EIDO is the state of an incident, and a message carries what of it the sender thinks
//! worth sending: some of the components, each whole, each with its `$id` and its own
//! `lastUpdateTimeStamp` (NENA-STA-021.1, the prologue of every component). So the state
//! is, for each `$id`, the component that was updated last; and for what stands beside the
//! components, each member by the time of the document that it came in. Two that are of
//! the same time and differ are told apart by their text, which is arbitrary and the same
//! in whatever order they came.
//!
//! Nothing that is not understood is dropped: a component of an unknown kind, an unknown
//! member of a known one, an unknown member of the document are kept as they came and
//! handed back. Of a note that was changed the words that it had are kept too: a danger
//! that was spoken of is not out of date, and triage hears of it whichever came first.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::intake::report::IntakeError;

/// Largest state of one incident, as text. A day of the largest incidents is some hundreds
/// of kilobytes.
pub const EIDO_BYTES_MAX: usize = 4 << 20;

/// Most notes' former words that are kept.
const FORMER_WORDS_MAX: usize = 64;
const NOTES: &str = "notesComponent";

/// A member of the document and the time that it is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Said {
    at: Timestamp,
    value: Value,
}

/// The state of one incident.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Merged {
    /// What stands beside the lists of components, the incident among it.
    members: BTreeMap<String, Said>,
    /// By kind and `$id`.
    components: BTreeMap<String, BTreeMap<String, Said>>,
    /// What notes said that say something else now, as they came.
    #[serde(default)]
    former_words: BTreeSet<String>,
}

impl Merged {
    /// One message by itself: a document whose prologue was checked.
    pub(super) fn of(document: &Map<String, Value>, updated: Timestamp) -> Self {
        let mut merged = Self::default();
        for (name, value) in document {
            if let Some(components) = components(value) {
                merged.add(name, components);
                continue;
            }
            let own = updated_of(value);
            let said = Said {
                at: own.unwrap_or(updated),
                value: value.clone(),
            };
            newest(&mut merged.members, name.clone(), said);
        }
        merged
    }

    /// In any order, and any number of times: the same comes of it.
    pub(super) fn merge(&mut self, other: Self) {
        for (name, said) in other.members {
            newest(&mut self.members, name, said);
        }
        for (kind, components) in other.components {
            self.add(&kind, components);
        }
        self.former_words.extend(other.former_words);
        // The first by their letters: the same ones in any order.
        while self.former_words.len() > FORMER_WORDS_MAX {
            self.former_words.pop_last();
        }
    }

    fn add(&mut self, kind: &str, components: impl IntoIterator<Item = (String, Said)>) {
        let known = self.components.entry(kind.to_owned()).or_default();
        for (id, said) in components {
            let former = newest(known, id, said);
            if kind == NOTES {
                let words = former
                    .as_ref()
                    .and_then(|former| former.value.get("notesActionComments")?.as_str());
                self.former_words.extend(words.map(str::to_owned));
            }
        }
    }

    pub(super) fn forget(&mut self, is_forgotten: impl Fn(&str, &str) -> bool) {
        let stays = |said: &Said| {
            let by = &said.value["updatedByAgencyReference"]["$ref"];
            let id = said.value["$id"].as_str().unwrap_or_default();
            !is_forgotten(id, by.as_str().unwrap_or_default())
        };
        self.members
            .retain(|_, said| updated_of(&said.value).is_none() || stays(said));
        for components in self.components.values_mut() {
            components.retain(|_, said| stays(said));
        }
    }

    pub(super) fn former_words(&self) -> &BTreeSet<String> {
        &self.former_words
    }

    /// As one document again.
    pub(super) fn document(&self) -> Map<String, Value> {
        let members = self.members.iter();
        let mut document: Map<String, Value> = members
            .map(|(name, said)| (name.clone(), said.value.clone()))
            .collect();
        for (kind, components) in &self.components {
            let list = components.values().map(|said| said.value.clone()).collect();
            document.insert(kind.clone(), Value::Array(list));
        }
        document
    }

    /// When anything of the incident was last updated. A document that only passes it on
    /// is newer than what it says.
    pub(super) fn updated(&self) -> Timestamp {
        let incident = self
            .members
            .values()
            .filter(|said| updated_of(&said.value).is_some());
        let components = self.components.values().flat_map(BTreeMap::values);
        let parts = incident.chain(components).map(|said| said.at).max();
        let passed_on = || self.members.values().map(|said| said.at).max();
        parts.or_else(passed_on).unwrap_or_default()
    }

    pub(super) fn written(&self) -> Result<String, IntakeError> {
        let text =
            serde_json::to_string(self).map_err(|error| IntakeError::NotJson(error.to_string()))?;
        if text.len() > EIDO_BYTES_MAX {
            return Err(IntakeError::field(
                "$",
                format!("at most {EIDO_BYTES_MAX} bytes of one incident"),
                format!("{} bytes with all that came before", text.len()),
            ));
        }
        Ok(text)
    }
}

/// Keeps the one of two that is later; gives the other, where it is another.
fn newest(known: &mut BTreeMap<String, Said>, key: String, said: Said) -> Option<Said> {
    let Some(kept) = known.get_mut(&key) else {
        known.insert(key, said);
        return None;
    };
    if *kept == said {
        return None;
    }
    if said.is_after(kept) {
        return Some(std::mem::replace(kept, said));
    }
    Some(said)
}

impl Said {
    fn is_after(&self, other: &Self) -> bool {
        self.at
            .cmp(&other.at)
            .then_with(|| order(&self.value, &other.value))
            .is_gt()
    }
}

/// The components of a list in which each is one: with an `$id` and a time.
fn components(value: &Value) -> Option<Vec<(String, Said)>> {
    let items = value.as_array()?.iter();
    items
        .map(|item| {
            let id = item.get("$id")?.as_str()?.to_owned();
            let at = updated_of(item)?;
            let value = item.clone();
            Some((id, Said { at, value }))
        })
        .collect()
}

fn updated_of(value: &Value) -> Option<Timestamp> {
    value.get("lastUpdateTimeStamp")?.as_str()?.parse().ok()
}

/// An order of values that does not ask how their members are kept in memory.
fn order(a: &Value, b: &Value) -> Ordering {
    match (a, b) {
        (Value::Object(a), Value::Object(b)) => {
            let sorted = |members: &Map<String, Value>| {
                let members = members
                    .iter()
                    .map(|(name, value)| (name.clone(), value.clone()));
                members.collect::<BTreeMap<_, _>>()
            };
            let (a, b) = (sorted(a), sorted(b));
            a.keys().cmp(b.keys()).then_with(|| {
                let pairs = a.values().zip(b.values());
                first_difference(pairs)
            })
        }
        (Value::Array(a), Value::Array(b)) => a
            .len()
            .cmp(&b.len())
            .then_with(|| first_difference(a.iter().zip(b))),
        _ => a.to_string().cmp(&b.to_string()),
    }
}

fn first_difference<'a>(pairs: impl Iterator<Item = (&'a Value, &'a Value)>) -> Ordering {
    pairs
        .map(|(a, b)| order(a, b))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}
