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
    /// What the center asked by itself and has the last word on.
    pub answered: Answered,
}

/// A query of a call's packet.
#[derive(Debug, Clone)]
pub struct Queried {
    pub id: EntryId,
    pub query: Query,
    pub device: Option<packet::DeviceNumber>,
}

/// What has been asked: the source, and what about, as screens show it.
pub type Answered = HashSet<(String, String)>;

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
    let (mut facts, mut answered, mut mentions) = (None, Answered::new(), Vec::new());
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

/// The queries of a call, but for recordings, which are waited for in a table of their own
/// (`own::clips`). What was given back to a restored center had its answers before.
///
/// # Errors
/// When the store fails.
pub(super) fn queries(connection: &Connection, call: CallId) -> Result<Vec<Queried>, LogError> {
    let mut queries = Vec::new();
    for logged in document(connection, DocumentId::new(call, Compartment::Call))? {
        let id = logged.inspected.id;
        let Entry::Query(query) = logged.inspected.written.entry else {
            continue;
        };
        let given_back: bool = connection
            .prepare_cached("SELECT given_back_by IS NOT NULL FROM changes WHERE seq = ?1")?
            .query_row([logged.seq.cast_signed()], |row| row.get(0))?;
        if query.what != QueryWhat::Clip && !given_back {
            let device = logged.device;
            queries.push(Queried { id, query, device });
        }
    }
    Ok(queries)
}

/// What has its last word of what a query asks.
///
/// # Errors
/// When the store fails.
pub(super) fn answered_to(
    connection: &Connection,
    call: CallId,
    query: EntryId,
) -> Result<Answered, LogError> {
    let document = document(connection, DocumentId::new(call, Compartment::Call))?;
    let outcomes = document.into_iter().filter_map(|logged| {
        let Entry::Outcome(outcome) = logged.inspected.written.entry else {
            return None;
        };
        (outcome.answers == Some(query) && is_last(outcome.state))
            .then_some((outcome.source, outcome.query))
    });
    Ok(outcomes.collect())
}
