//! Asking the agencies' databases what they know, all side by side.
//!
//! A new call, and an officer's query, puts a question to every source that can answer
//! it. Each has a time-out and a bound on what is in flight, and none waits for
//! another: what one says is written when it says it. What became of each question is
//! an entry too, so that the officer sees who answered and who did not.

mod answers;
mod fill;
mod http;
mod map;
pub mod own;
pub mod schedule;
mod secret;
mod xml;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use packet::{
    CallId, Caution, Compartment, DocumentId, Entry, EntryId, Finding, Outcome, OutcomeState,
    Query, QueryWhat,
};
use serde::Deserialize;
use tokio::sync::{Semaphore, mpsc};
use tokio_util::sync::CancellationToken;

use crate::center::Center;
use crate::clock;
use crate::log::{Happening, Ledger, LogError};
use crate::triage::Triage;

/// Most questions that wait to be asked; beyond it a call's are not asked, and counted.
const QUEUE_MAX: usize = 65_536;
/// Most calls whose sources are asked at a time.
const CALLS_IN_FLIGHT_MAX: usize = 64;
/// Most questions in flight at one source.
const PER_SOURCE_MAX: usize = 32;
/// An answer that takes longer than this is announced: *asked*, and being waited for.
const ASKED_AFTER_MS: u64 = 1_500;
/// Most findings and cautions that one answer brings.
const ENTRIES_PER_ANSWER_MAX: usize = 8;

/// `[[sources]]` in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SourceConfig {
    /// As screens show it.
    pub name: String,
    /// What it can be asked.
    pub asks: Asks,
    /// `http://…` with `{address}`, `{plate}`, `{state}`, `{latitude}`, `{longitude}`.
    pub url: String,
    /// The shape of its answers.
    pub gives: Gives,
    #[serde(default = "three_seconds")]
    pub timeout_ms: u64,
}

fn three_seconds() -> u64 {
    3_000
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asks {
    Address,
    Plate,
    Position,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Gives {
    /// Prior incidents and cautions at an address.
    Records,
    /// A vehicle's registration.
    Registration,
    /// Cameras near a place, the nearest first.
    Cameras,
}

impl SourceConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() || self.name.chars().count() > 60 {
            return Err("a name of 1 to 60 characters".into());
        }
        if !(10..=60_000).contains(&self.timeout_ms) {
            return Err("timeout_ms from 10 to 60000".into());
        }
        let wants: &[&str] = match self.asks {
            Asks::Address => &["{address}"],
            Asks::Plate => &["{plate}"],
            Asks::Position => &["{latitude}", "{longitude}"],
        };
        match wants
            .iter()
            .find(|placeholder| !self.url.contains(**placeholder))
        {
            Some(missing) => Err(format!("a url with {missing} in it")),
            None => Ok(()),
        }
    }
}

/// Something to ask on behalf of a packet.
#[derive(Debug, Clone)]
enum Question {
    /// A call is new: everything that can be asked about it.
    Opened(CallId),
    /// An officer or analyst asks, by this entry.
    Asked(CallId, EntryId, Query),
}

/// Takes questions from the log's writer, without waiting.
#[derive(Debug, Clone)]
pub struct Questions {
    queue: mpsc::Sender<Question>,
}

/// The other end, for [`run`].
#[derive(Debug)]
pub struct Asked(mpsc::Receiver<Question>);

/// A queue of questions.
#[must_use]
pub fn questions() -> (Questions, Asked) {
    let (queue, asked) = mpsc::channel(QUEUE_MAX);
    (Questions { queue }, Asked(asked))
}

impl Questions {
    /// Called by the log's writer after each commit.
    pub fn publish(&self, happenings: &[Happening]) {
        for happening in happenings {
            let question = match happening {
                Happening::Call {
                    call, opened: true, ..
                } => Question::Opened(*call),
                Happening::Change(change) if !change.given_back => match &change.entry {
                    Entry::Query(query) => {
                        Question::Asked(change.document.call, change.id, query.clone())
                    }
                    _ => continue,
                },
                _ => continue,
            };
            if self.queue.try_send(question).is_err() {
                tracing::warn!("too many questions wait: the sources are not asked about one call");
            }
        }
    }

    /// Asks again about calls that were open, and not yet asked about, when the center stopped.
    pub(crate) fn reopen(&self, calls: Vec<CallId>) {
        for call in calls {
            let _ = self.queue.try_send(Question::Opened(call));
        }
    }
}

/// What is known of a call that sources can be asked about.
#[derive(Debug, Clone, Default)]
struct Known {
    open: bool,
    location: String,
    position: Option<(f64, f64)>,
    plates: Vec<(String, Option<String>)>,
}

/// One question to one source, with its words filled in.
#[derive(Debug, Clone)]
struct Ask {
    source: usize,
    url: String,
    /// As screens show it.
    query: String,
}

/// What an answer brings to the packet.
#[derive(Debug, Default, PartialEq, Eq)]
struct Brings {
    findings: Vec<Finding>,
    cautions: Vec<Caution>,
}

/// Asks until told to stop. What is in flight then is given up: its call is asked about
/// again at the next start.
pub async fn run(center: Arc<Center>, mut asked: Asked, stop: CancellationToken) {
    let client = match http::client() {
        Ok(client) => client,
        Err(e) => {
            tracing::error!(error = %e, "sources cannot be asked");
            return;
        }
    };
    let limits: Arc<HashMap<usize, Arc<Semaphore>>> = Arc::new(
        (0..center.config.sources.len())
            .map(|i| (i, Arc::new(Semaphore::new(PER_SOURCE_MAX))))
            .collect(),
    );
    let calls = Arc::new(Semaphore::new(CALLS_IN_FLIGHT_MAX));
    loop {
        let question = tokio::select! {
            question = asked.0.recv() => question,
            () = stop.cancelled() => None,
        };
        let (Some(question), Ok(place)) = (question, calls.clone().acquire_owned().await) else {
            return;
        };
        let (center, client, limits, stop) =
            (center.clone(), client.clone(), limits.clone(), stop.clone());
        tokio::spawn(async move {
            let _place = place;
            tokio::select! {
                answered = answer(&center, &client, &limits, question) => {
                    if let Err(e) = answered {
                        tracing::warn!(error = %e, "a question could not be answered");
                    }
                }
                () = stop.cancelled() => {}
            }
        });
    }
}

async fn answer(
    center: &Arc<Center>,
    client: &reqwest::Client,
    limits: &HashMap<usize, Arc<Semaphore>>,
    question: Question,
) -> Result<(), LogError> {
    let (call, opened) = match &question {
        Question::Opened(call) => (*call, true),
        Question::Asked(call, ..) => (*call, false),
    };
    let mut known = known(center, call).await?;
    if opened && !known.open {
        return Ok(());
    }
    if let Question::Asked(_, _, query) = &question {
        known = only(query, &known);
    }
    ask_own(center, question).await?;
    let asks = asks(&center.config.sources, &known);
    let one = |ask: Ask| ask_one(center, client, limits, call, ask);
    futures_util::future::join_all(asks.into_iter().map(one))
        .await
        .into_iter()
        .collect::<Result<(), _>>()?;
    if opened {
        center
            .log
            .write(move |ledger| {
                ledger.sql().execute(
                    "UPDATE calls SET asked = 1 WHERE call = ?1",
                    [call.0.cast_signed()],
                )?;
                Ok::<(), LogError>(())
            })
            .await?;
    }
    Ok(())
}

/// What the center itself knows, at once.
async fn ask_own(center: &Arc<Center>, question: Question) -> Result<(), LogError> {
    let (reading, now_ms) = (center.clone(), clock::now_ms());
    let (call, answers) = center
        .log
        .readers()
        .read(move |connection| {
            let cameras = &reading.config.cameras;
            let (call, asked) = match &question {
                Question::Opened(call) => (*call, own::Question::Opened),
                Question::Asked(call, id, query) => (*call, own::Question::Asked(*id, query)),
            };
            let answers = own::ask(connection, cameras, call, asked, now_ms)?;
            Ok((call, answers))
        })
        .await?;
    let findings = answers.iter().map(|answer| answer.findings.len() as u64);
    center.metrics.findings.inc_by(findings.sum());
    center
        .log
        .write(move |ledger| own::write(ledger, call, answers))
        .await
}

async fn known(center: &Arc<Center>, call: CallId) -> Result<Known, LogError> {
    let (facts, open) = center
        .log
        .readers()
        .read(move |connection| {
            let open = connection
                .prepare_cached("SELECT open FROM calls WHERE call = ?1")?
                .query_row([call.0.cast_signed()], |row| row.get(0))?;
            let logged =
                crate::log::document(connection, DocumentId::new(call, Compartment::Call))?;
            let facts = logged
                .into_iter()
                .rev()
                .find_map(|l| match l.inspected.written.entry {
                    Entry::Facts(facts) => Some(facts),
                    _ => None,
                });
            Ok((facts, open))
        })
        .await?;
    let Some(facts) = facts else {
        return Ok(Known::default());
    };
    let found: Triage = center.triage_words(facts.narrative.as_deref().unwrap_or_default());
    Ok(Known {
        open,
        position: facts
            .latitude_e6
            .zip(facts.longitude_e6)
            .map(|(lat, lon)| (f64::from(lat) / 1e6, f64::from(lon) / 1e6)),
        location: facts.location,
        plates: found
            .plates
            .into_iter()
            .map(|p| (p.plate, p.state))
            .collect(),
    })
}

/// What an officer's query asks, and nothing else.
fn only(query: &Query, known: &Known) -> Known {
    match query.what {
        QueryWhat::Plate => Known {
            plates: vec![(query.value.clone(), None)],
            ..Known::default()
        },
        QueryWhat::Address => Known {
            location: query.value.clone(),
            position: known.position,
            ..Known::default()
        },
        QueryWhat::Person | QueryWhat::Phone | QueryWhat::Clip => Known::default(),
    }
}

fn asks(sources: &[SourceConfig], known: &Known) -> Vec<Ask> {
    let mut all = Vec::new();
    for (index, source) in sources.iter().enumerate() {
        match source.asks {
            Asks::Address if !known.location.is_empty() => all.push(Ask {
                source: index,
                url: http::fill(&source.url, &[("{address}", &known.location)]),
                query: known.location.clone(),
            }),
            Asks::Plate => all.extend(known.plates.iter().map(|(plate, state)| {
                Ask {
                    source: index,
                    url: http::fill(
                        &source.url,
                        &[
                            ("{plate}", plate),
                            ("{state}", state.as_deref().unwrap_or("")),
                        ],
                    ),
                    query: state
                        .as_ref()
                        .map_or_else(|| plate.clone(), |state| format!("{plate} {state}")),
                }
            })),
            Asks::Position => all.extend(known.position.map(|(latitude, longitude)| Ask {
                source: index,
                url: http::fill(
                    &source.url,
                    &[
                        ("{latitude}", &latitude.to_string()),
                        ("{longitude}", &longitude.to_string()),
                    ],
                ),
                query: format!("{latitude:.5}, {longitude:.5}"),
            })),
            Asks::Address => {}
        }
    }
    all
}

async fn ask_one(
    center: &Arc<Center>,
    client: &reqwest::Client,
    limits: &HashMap<usize, Arc<Semaphore>>,
    call: CallId,
    ask: Ask,
) -> Result<(), LogError> {
    let source = &center.config.sources[ask.source];
    let Some(Ok(_place)) = (match limits.get(&ask.source) {
        Some(limit) => Some(limit.acquire().await),
        None => None,
    }) else {
        return Ok(());
    };
    let began = Instant::now();
    let fetch = http::get(client, &ask.url, Duration::from_millis(source.timeout_ms));
    tokio::pin!(fetch);
    let early = tokio::time::timeout(Duration::from_millis(ASKED_AFTER_MS), &mut fetch).await;
    let fetched = match early {
        Ok(fetched) => fetched,
        Err(_) => {
            outcome(
                center,
                call,
                source,
                &ask,
                OutcomeState::Asked,
                None,
                None,
                Brings::default(),
            )
            .await?;
            fetch.await
        }
    };
    let took_ms = u32::try_from(began.elapsed().as_millis()).unwrap_or(u32::MAX);
    let (state, detail, brings) = match fetched {
        Ok(Some(body)) => match answers::read(source, &ask.query, &body, clock::now_ms()) {
            Ok(brings) if brings == Brings::default() => (OutcomeState::NothingFound, None, brings),
            Ok(brings) => (OutcomeState::Answered, None, brings),
            Err(why) => (OutcomeState::Failed, Some(why), Brings::default()),
        },
        Ok(None) => (OutcomeState::NothingFound, None, Brings::default()),
        Err(http::FetchError::TimedOut) => {
            let why = format!("no answer in {} ms", source.timeout_ms);
            (OutcomeState::TimedOut, Some(why), Brings::default())
        }
        Err(e) => (OutcomeState::Failed, Some(e.to_string()), Brings::default()),
    };
    outcome(
        center,
        call,
        source,
        &ask,
        state,
        Some(took_ms),
        detail,
        brings,
    )
    .await
}

#[allow(clippy::too_many_arguments)] // one row of a table: what was asked, what came of it
async fn outcome(
    center: &Arc<Center>,
    call: CallId,
    source: &SourceConfig,
    ask: &Ask,
    state: OutcomeState,
    took_ms: Option<u32>,
    detail: Option<String>,
    mut brings: Brings,
) -> Result<(), LogError> {
    brings.findings.truncate(ENTRIES_PER_ANSWER_MAX);
    brings.cautions.truncate(ENTRIES_PER_ANSWER_MAX);
    center.metrics.findings.inc_by(brings.findings.len() as u64);
    let outcome = Outcome {
        source: source.name.clone(),
        query: http::short(&ask.query),
        state,
        took_ms,
        detail: detail.map(|detail| http::short(&detail)),
        as_of_ms: None,
        answers: None,
    };
    center
        .log
        .write(move |ledger| write_answer(ledger, call, outcome, brings))
        .await
}

/// Cautions first: they are what somebody may be hurt by waiting for.
fn write_answer(
    ledger: &mut Ledger<'_>,
    call: CallId,
    outcome: Outcome,
    brings: Brings,
) -> Result<(), LogError> {
    let safety = DocumentId::new(call, Compartment::Safety);
    let document = DocumentId::new(call, Compartment::Call);
    for caution in brings.cautions {
        ledger.append(safety, Entry::Caution(caution))?;
    }
    for finding in brings.findings {
        ledger.append(document, Entry::Finding(finding))?;
    }
    ledger.append(document, Entry::Outcome(outcome))?;
    Ok(())
}
