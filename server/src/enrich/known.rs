//! What is known of a call that sources can be asked about, read from the log.

use std::collections::HashSet;

use packet::{
    CallId, Compartment, DocumentId, Entry, EntryId, Facts, Mention, MentionWhat, OutcomeState,
    Query, QueryWhat, Subject,
};
use rusqlite::{Connection, OptionalExtension};
use serde::Deserialize;

use crate::log::{LogError, document};

/// Most things that are asked about one call by itself.
pub const SUBJECTS_MAX: usize = 16;

/// A call, as far as asking goes.
#[derive(Debug, Clone)]
pub struct Known {
    pub open: bool,
    pub facts: Facts,
    /// What there is to ask about, each once.
    pub subjects: Vec<Subject>,
    /// (source, what was asked) of each question of the center's own that has its last word.
    pub answered: HashSet<(String, String)>,
}

/// A query that has not been answered to the end.
#[derive(Debug, Clone)]
pub struct Unanswered {
    pub id: EntryId,
    pub query: Query,
    pub device: Option<packet::DeviceNumber>,
}

/// A plate in words, and its state where they say it.
pub type PlateIn = (String, Option<String>);

/// The part of dispatch's report that is no entry's.
#[derive(Debug, Default, Deserialize)]
struct Plates {
    #[serde(default)]
    plates: Vec<String>,
}

/// Reads what is known; `None` of a call whose facts are not here yet. `plates_in` finds
/// plates in words.
///
/// # Errors
/// When the store fails.
pub fn known(
    connection: &Connection,
    call: CallId,
    plates_in: impl Fn(&str) -> Vec<PlateIn>,
) -> Result<Option<Known>, LogError> {
    let row: Option<(bool, String)> = connection
        .prepare_cached("SELECT open, report FROM calls WHERE call = ?1")?
        .query_row([call.0.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))
        .optional()?;
    let Some((open, report)) = row else {
        return Ok(None);
    };
    let (mut facts, mut answered, mut mentions) = (None, HashSet::new(), Vec::new());
    for logged in document(connection, DocumentId::new(call, Compartment::Call))? {
        match logged.inspected.written.entry {
            Entry::Facts(newer) => facts = Some(newer),
            Entry::Mention(mention) => mentions.push(mention),
            Entry::Outcome(outcome) if outcome.answers.is_none() && is_last(outcome.state) => {
                answered.insert((outcome.source, outcome.query));
            }
            _ => {}
        }
    }
    let Some(facts) = facts else {
        return Ok(None);
    };
    let reported = serde_json::from_str::<Plates>(&report).unwrap_or_default();
    let mut subjects = of_facts(&facts);
    let plates = reported.plates.into_iter().map(|plate| (plate, None));
    let in_words = plates_in(facts.narrative.as_deref().unwrap_or_default());
    subjects.extend(plates.chain(in_words).filter_map(plate));
    subjects.extend(mentions.iter().filter_map(mentioned));
    let mut seen = HashSet::new();
    subjects.retain(|subject| seen.insert(subject.clone()));
    subjects.truncate(SUBJECTS_MAX);
    Ok(Some(Known {
        open,
        facts,
        subjects,
        answered,
    }))
}

fn of_facts(facts: &Facts) -> Vec<Subject> {
    let address = facts.location.trim();
    let address = (!address.is_empty()).then(|| Subject::Address(address.to_owned()));
    let position = facts.latitude_e6.zip(facts.longitude_e6);
    let position = position.map(|(latitude_e6, longitude_e6)| Subject::Position {
        latitude_e6,
        longitude_e6,
    });
    address.into_iter().chain(position).collect()
}

fn plate((plate, state): PlateIn) -> Option<Subject> {
    let words = format!("{plate} {}", state.unwrap_or_default());
    Subject::parse(QueryWhat::Plate, &words).ok()
}

/// What a mention can be looked up by.
fn mentioned(mention: &Mention) -> Option<Subject> {
    let what = match mention.what {
        MentionWhat::Plate => QueryWhat::Plate,
        MentionWhat::Phone => QueryWhat::Phone,
        MentionWhat::Person => QueryWhat::Person,
        MentionWhat::Address => QueryWhat::Address,
        MentionWhat::PartialPlate
        | MentionWhat::Vehicle
        | MentionWhat::Weapon
        | MentionWhat::Danger => return None,
    };
    Subject::parse(what, &mention.value).ok()
}

fn is_last(state: OutcomeState) -> bool {
    !matches!(state, OutcomeState::Asked | OutcomeState::Retrying)
}

/// The queries of a call that nobody has had the last word on. What was given back to a
/// restored center had its answer before.
///
/// # Errors
/// When the store fails.
pub(super) fn unanswered(
    connection: &Connection,
    call: CallId,
) -> Result<Vec<Unanswered>, LogError> {
    let in_call = DocumentId::new(call, Compartment::Call);
    let (mut queries, mut answered, mut waiting) = (Vec::new(), HashSet::new(), HashSet::new());
    for logged in document(connection, in_call)? {
        let id = logged.inspected.id;
        match logged.inspected.written.entry {
            // Recordings are waited for in a table of their own (`own::clips`).
            Entry::Query(query) if query.what != QueryWhat::Clip => {
                queries.push((logged.seq, id, query, logged.device));
            }
            Entry::Outcome(outcome) => {
                let Some(query) = outcome.answers else {
                    continue;
                };
                let asked = (query, outcome.source, outcome.query);
                if is_last(outcome.state) {
                    waiting.remove(&asked);
                    answered.insert(query);
                } else {
                    waiting.insert(asked);
                }
            }
            _ => {}
        }
    }
    let mut unanswered = Vec::new();
    for (seq, id, query, device) in queries {
        let is_waited_for = waiting.iter().any(|(of, ..)| *of == id);
        if answered.contains(&id) && !is_waited_for {
            continue;
        }
        let given_back: bool = connection
            .prepare_cached("SELECT given_back_by IS NOT NULL FROM changes WHERE seq = ?1")?
            .query_row([seq.cast_signed()], |row| row.get(0))?;
        if !given_back {
            unanswered.push(Unanswered { id, query, device });
        }
    }
    Ok(unanswered)
}
