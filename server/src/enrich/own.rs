//! What the center itself knows: earlier calls, open calls near by, cameras.
//!
//! Nobody is asked over a network, so it is there at once, and it is the same for a running
//! center and for a city in virtual time: [`ask`] reads one state of the store and returns
//! findings. It reads only what devices may carry ([`Ledger::carried`]): what it says goes
//! into the packet's `call` document, and nothing of a closer-kept compartment may come
//! there by this way.
//!
//! | source | what it says | how sure |
//! |---|---|---|
//! | [`earlier::SOURCE`] | earlier calls at this address | exact |
//! | | … in this building, at other units | a lead: in part |
//! | | … within [`earlier::RADIUS_M`], in the last [`earlier::NEAR_DAYS`] days | a lead: near by |
//! | | … that name this plate or phone | exact where the plate or phone itself was named, else a lead |
//! | | … that name this person | a lead: two people may have one name |
//! | [`near::SOURCE`] | calls that are open within [`near::RADIUS_M`] | a lead: near by |
//! | [`cameras::SOURCE`] | the [`cameras::CAMERAS_SHOWN_MAX`] nearest cameras that look at the place | exact |
//! | | where there are fewer: those that stand near by and look elsewhere | a lead: near by |
//!
//! * [`clips`] is the one that takes time: a recording asked of a video system.

pub mod cameras;
pub mod clips;
pub mod earlier;
pub mod near;
#[cfg(test)]
mod tests;

use packet::entry::{NAME_CHARS_MAX, TEXT_CHARS_MAX};
use packet::{
    CallId, Compartment, Confidence, DocumentId, Entry, EntryId, Finding, Mention, MentionWhat,
    Outcome, OutcomeState, Query, QueryWhat, Topic,
};
use rusqlite::{Connection, OptionalExtension};

use crate::address::{self, Address};
use crate::log::{Ledger, LogError};
use crate::policy::{LivePolicies, agency_of};
use crate::search::index;
use crate::search::place::Point;
use cameras::Camera;

/// Most plates, phones and persons of one packet that are looked up.
const MENTIONS_MAX: usize = 24;

/// What is asked of the center's own data.
#[derive(Debug, Clone, Copy)]
pub enum Question<'a> {
    /// A call is new: all that is known about it.
    Opened,
    /// Somebody asks; `EntryId` is the query's.
    Asked(EntryId, &'a Query),
}

/// What one source of the center's own says to one question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    pub source: &'static str,
    /// What was asked, as screens show it.
    pub query: String,
    /// None: nothing found.
    pub findings: Vec<Finding>,
    /// The query of the same document that it answers.
    pub answers: Option<EntryId>,
}

/// Whether it only says again what other packets say: it is not looked up, or one packet
/// would vouch for another.
#[must_use]
pub(crate) fn is_own(finding: &Finding) -> bool {
    [earlier::SOURCE, near::SOURCE, cameras::SOURCE].contains(&finding.source.as_str())
}

/// Where a call is, as its last facts say.
#[derive(Debug, Clone)]
struct Place {
    call: CallId,
    address: Address,
    point: Option<Point>,
    /// Which other calls may be named in its packet: a condition on a call that stands in a
    /// query as `c`. Whoever has this packet may know of those.
    named: String,
}

/// All that the center itself knows to this question, and may say in this packet; without
/// policies there is nothing that it may not.
///
/// # Errors
/// When the store fails.
pub fn ask(
    connection: &Connection,
    cameras: &[Camera],
    call: CallId,
    question: Question<'_>,
    policies: Option<&LivePolicies>,
    now_ms: i64,
) -> Result<Vec<Answer>, LogError> {
    let Some(place) = place_of(connection, call, policies)? else {
        return Ok(Vec::new());
    };
    match question {
        Question::Opened => {
            let mut answers = vec![earlier::at(connection, &place, now_ms)?];
            if let Some(point) = place.point {
                answers.push(near::open_calls(
                    connection,
                    call,
                    point,
                    &place.named,
                    now_ms,
                )?);
                if !cameras.is_empty() {
                    answers.push(cameras::near(cameras, point, now_ms));
                }
            }
            for mention in mentions(connection, call)? {
                answers.extend(earlier::with_mention(connection, &place, &mention, now_ms)?);
            }
            Ok(answers)
        }
        Question::Asked(id, query) => {
            let answer = asked(connection, &place, query, now_ms)?;
            Ok(answer.map(|answer| answer.to(id)).into_iter().collect())
        }
    }
}

fn asked(
    connection: &Connection,
    place: &Place,
    query: &Query,
    now_ms: i64,
) -> Result<Option<Answer>, LogError> {
    let what = match query.what {
        QueryWhat::Plate => MentionWhat::Plate,
        QueryWhat::Phone => MentionWhat::Phone,
        QueryWhat::Person => MentionWhat::Person,
        QueryWhat::Address => {
            let elsewhere = Place {
                address: address::normalise(&query.value),
                point: None,
                ..place.clone()
            };
            return earlier::at(connection, &elsewhere, now_ms).map(Some);
        }
        // A recording is asked for elsewhere, and takes its time.
        QueryWhat::Clip => return Ok(None),
    };
    earlier::with(connection, place, what, &query.value, now_ms)
}

/// Writes what was answered: each source's findings, then what became of asking it.
///
/// # Errors
/// When the store fails or an entry breaks a limit.
pub fn write(ledger: &mut Ledger<'_>, call: CallId, answers: &[Answer]) -> Result<(), LogError> {
    let document = DocumentId::new(call, Compartment::Call);
    for answer in answers {
        let state = if answer.findings.is_empty() {
            OutcomeState::NothingFound
        } else {
            OutcomeState::Answered
        };
        for finding in &answer.findings {
            ledger.append(document, Entry::Finding(finding.clone()))?;
        }
        let outcome = Outcome {
            source: answer.source.into(),
            query: answer.query.clone(),
            state,
            took_ms: None,
            detail: None,
            as_of_ms: None,
            answers: answer.answers,
        };
        ledger.append(document, Entry::Outcome(outcome))?;
    }
    Ok(())
}

impl Answer {
    fn new(source: &'static str, query: &str, findings: Vec<Finding>) -> Self {
        Self {
            source,
            query: cut(query, NAME_CHARS_MAX),
            findings,
            answers: None,
        }
    }

    fn to(mut self, query: EntryId) -> Self {
        self.answers = Some(query);
        for finding in &mut self.findings {
            finding.answers = Some(query);
        }
        self
    }
}

fn finding(source: &str, topic: Topic, query: &str, now_ms: i64) -> Finding {
    Finding {
        source: source.into(),
        title: String::new(),
        text: String::new(),
        query: cut(query, NAME_CHARS_MAX),
        recorded_ms: None,
        answered_ms: now_ms,
        confidence: Confidence::Nearby,
        topic,
        link: None,
        ends_ms: None,
        answers: None,
    }
}

/// A list as a finding's text: no more than fits.
fn lines(lines: &[String]) -> String {
    cut(&lines.join("\n"), TEXT_CHARS_MAX)
}

fn cut(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).collect()
}

fn place_of(
    connection: &Connection,
    call: CallId,
    policies: Option<&LivePolicies>,
) -> Result<Option<Place>, LogError> {
    let address = connection
        .prepare_cached("SELECT address, apartment FROM calls WHERE call = ?1")?
        .query_row([call.0.cast_signed()], |row| {
            Ok(Address {
                building: row.get(0)?,
                unit: row.get(1)?,
            })
        })
        .optional()?;
    let Some(address) = address else {
        return Ok(None);
    };
    let agency = agency_of(connection, call)?.unwrap_or_default();
    let named = policies.map_or_else(
        || "1".to_owned(),
        |policies| policies.nameable(&agency).knows("c.agency"),
    );
    Ok(Some(Place {
        call,
        named,
        address,
        point: index::point_of(connection, call)?,
    }))
}

/// The plates, phones and persons that the packet's words name and that still hold.
fn mentions(connection: &Connection, call: CallId) -> Result<Vec<Mention>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT bytes FROM search_entries AS e JOIN readable ON readable.seq = e.seq
         WHERE e.call = ?1 AND e.compartment = ?2 AND kind = 'mention' AND corrected = 0
         ORDER BY e.seq LIMIT ?3",
    )?;
    let compartment = Compartment::Call as u8;
    let mut rows = statement.query(rusqlite::params![
        call.0.cast_signed(),
        compartment,
        MENTIONS_MAX
    ])?;
    let mut mentions = Vec::new();
    while let Some(row) = rows.next()? {
        let bytes: Vec<u8> = row.get(0)?;
        let change = packet::inspect(&bytes).map_err(|e| LogError::Store(e.to_string()))?;
        if let Entry::Mention(mention) = change.written.entry {
            mentions.push(mention);
        }
    }
    Ok(mentions)
}
