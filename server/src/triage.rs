//! How urgent a call is, and why.
//!
//! The answer comes from a table in a file (`triage.toml`; the built-in one
//! stands where an agency has none of its own), because who runs a center must
//! be able to read and change it, and each answer carries its reasons, because
//! who works there must be able to argue with it. Dispatch's own priority is
//! never lowered: of nature, words and dispatch, the most urgent wins.
//!
//! Words of the narrative also become cautions and plates to run. Both go to an
//! officer who will act on them, so they err in opposite directions: a caution
//! is shown unless its words clearly deny it, verbatim and as unverified; a plate
//! is left out unless it clearly is one, since a wrong plate stops the wrong car.

mod entities;
mod entity;
pub mod explain;
mod lexicon;
pub mod live;
mod looks;
mod persons;
mod phones;
mod places;
mod plates;
mod rules;
pub mod score;
mod tokens;
mod vehicles;
mod words;

use crate::intake::CallReport;

use self::words::Narrative;

pub use self::entities::ENTITIES_MAX;
pub use self::entity::{Entity, EntityWhat, Person, Plate, Vehicle};
pub use self::live::LiveRules;
pub use self::rules::{Rules, TriageError, Verdict};

/// What is shown of one sentence at most.
const WORDS_CHARS_MAX: usize = 160;
pub const CAUTIONS_MAX: usize = 10;
pub const FOUND_PLATES_MAX: usize = 10;
pub(crate) const CATEGORY_UNSORTED: &str = "unsorted";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Triage {
    /// 1 (most urgent) to 5.
    pub priority: u8,
    pub category: String,
    /// Every finding that spoke on the priority, the most urgent first.
    pub reasons: Vec<String>,
    pub cautions: Vec<Caution>,
    /// Plates to run: whole ones of the narrative that are not among the report's own.
    pub plates: Vec<Plate>,
}

/// A danger that the narrative speaks of. Nobody has verified it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caution {
    /// As the officer reads it.
    pub text: String,
    /// The sentence it comes from, verbatim.
    pub words: String,
}

/// One voice on the priority.
struct Vote {
    priority: u8,
    reason: String,
}

impl Rules {
    pub fn triage(&self, report: &CallReport) -> Triage {
        let mut votes = Vec::new();
        let mut category = None;
        if let Some(rule) = self.nature(&report.nature) {
            votes.push(Vote {
                priority: rule.priority,
                reason: format!(
                    "nature {} → {} (rule {})",
                    report.nature, rule.priority, rule.name
                ),
            });
            category = Some(rule.category.as_str());
        }
        if let Some(priority) = report.priority {
            votes.push(Vote {
                priority,
                reason: format!("dispatch says → {priority}"),
            });
        }
        let mut cautions: Vec<Caution> = Vec::new();
        let mut heard = vec![false; self.words.len()];
        for text in &report.narrative {
            let narrative = Narrative::of(text);
            for hit in self.hits(&narrative) {
                let rule = &self.words[hit.rule];
                if !std::mem::replace(&mut heard[hit.rule], true) {
                    votes.push(Vote {
                        priority: rule.priority,
                        reason: format!(
                            "words \"{}\" → {} (rule {})",
                            narrative.text(&hit.tokens),
                            rule.priority,
                            rule.name
                        ),
                    });
                    category = category.or(Some(&rule.category));
                }
                if rule.caution {
                    caution(
                        &mut cautions,
                        narrative.sentence(&hit.tokens, WORDS_CHARS_MAX),
                    );
                }
            }
        }
        let entities = self.entities(&report.narrative.join("\n"));
        let plates = to_run(&entities, &report.plates);
        if votes.is_empty() {
            votes.push(Vote {
                priority: self.default_priority,
                reason: format!(
                    "no rule knows the nature {} → {}",
                    report.nature, self.default_priority
                ),
            });
        }
        // Stable: of equally urgent ones the nature comes first.
        votes.sort_by_key(|vote| vote.priority);
        Triage {
            priority: votes[0].priority,
            category: category.unwrap_or(CATEGORY_UNSORTED).to_owned(),
            reasons: votes.into_iter().map(|vote| vote.reason).collect(),
            cautions,
            plates,
        }
    }
}

/// The whole plates among these, each once, that are not known.
fn to_run(entities: &[Entity], known: &[String]) -> Vec<Plate> {
    let mut plates: Vec<Plate> = Vec::new();
    for entity in entities {
        let EntityWhat::Plate(plate) = &entity.what else {
            continue;
        };
        let new = !known
            .iter()
            .any(|known| lexicon::bare(known) == plate.plate)
            && !plates.iter().any(|known| known.plate == plate.plate);
        if !plate.partial && new && plates.len() < FOUND_PLATES_MAX {
            plates.push(plate.clone());
        }
    }
    plates
}

/// Adds the caution of a sentence, once.
fn caution(cautions: &mut Vec<Caution>, words: String) {
    let known = cautions.iter().any(|caution| caution.words == words);
    if !known && cautions.len() < CAUTIONS_MAX {
        cautions.push(Caution {
            text: format!("Caller's words: \"{words}\" (unverified)"),
            words,
        });
    }
}

#[cfg(test)]
mod tests;
