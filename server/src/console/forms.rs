//! What the analyst adds to a packet. The answer is a sentence beside the box.

use std::sync::Arc;
use std::time::Duration;

use axum::Extension;
use axum::Form;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use packet::{
    CallId, Caution, Compartment, DocumentId, Entry, Facts, Kind, Note, Query, QueryWhat, Subject,
};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::pages::html;
use super::view::{AnswerView, TEXT_CHARS_MAX};
use super::{Console, words};
use crate::api::{allow, find_call};
use crate::clock;
use crate::log::{LogError, document};
use crate::policy::{Act, Actor};
use crate::premises::{self, Premise};
use crate::problem::Problem;

/// A text of the longest, each of its characters percent-encoded, and its name.
pub(super) const BODY_BYTES_MAX: usize = TEXT_CHARS_MAX * 12 + 1_024;
/// How long a body may take to arrive.
const BODY_MS_MAX: u64 = 10_000;

#[derive(Debug, Deserialize)]
struct TextRequest {
    text: String,
}

/// `POST /calls/{id}/notes`
pub(super) async fn note(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let entry = |text| {
        Entry::Note(Note {
            text,
            by: actor.name.clone(),
        })
    };
    add(&console, &actor, &id, request, entry, "Note added.").await
}

#[derive(Debug, Deserialize)]
struct PremiseRequest {
    text: String,
    /// As a browser writes a time without a zone: the center's.
    #[serde(default)]
    ends: String,
}

/// `POST /calls/{id}/premises`: a caution that is kept with the call's place.
pub(super) async fn premise(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SetPremise, &id).await?;
    let Some(call) = find_call(&console.center, &actor, Act::SeePacket, &id).await? else {
        return Ok(not_known());
    };
    let unprocessable = |why| Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, why));
    let form = match fields_of::<PremiseRequest>(request).await {
        Ok(form) => form,
        Err(why) => return unprocessable(why),
    };
    let text = match text(&form.text) {
        Ok(text) => text,
        Err(why) => return unprocessable(why),
    };
    let Some(ends) = console.times.local(&form.ends) else {
        return unprocessable("Say until when it is kept.".into());
    };
    let facts = match facts_of(&console, call).await {
        Ok(Some(facts)) => facts,
        Ok(None) => return Ok(not_known()),
        Err(e) => return Ok(failed(&e)),
    };
    let degrees = |e6: i32| f64::from(e6) / 1e6;
    let premise = Premise {
        location: facts.location,
        latitude: facts.latitude_e6.map(degrees),
        longitude: facts.longitude_e6.map(degrees),
        district: facts.district,
        text,
        set_by: actor.name.clone(),
        ends,
    };
    let premise = match premise.checked(clock::now_ms()) {
        Ok(premise) => premise,
        Err(e) => return unprocessable(e.to_string()),
    };
    match premises::add_for(&console.center, premise, &actor.name).await {
        Ok(_) => {
            let done = "Kept with the place: each call there has it until then.";
            Ok(answer(StatusCode::OK, true, done.into()))
        }
        Err(LogError::Conflict(why)) => Ok(refused(StatusCode::CONFLICT, why)),
        Err(e) => Ok(failed(&e)),
    }
}

/// What is said of the call now.
async fn facts_of(console: &Console, call: CallId) -> Result<Option<Facts>, LogError> {
    let words = DocumentId::new(call, Compartment::Call);
    let read = console.center.log.readers().read(move |connection| {
        let logged = document(connection, words)?;
        let mut newest = logged.into_iter().rev();
        Ok(
            newest.find_map(|logged| match logged.inspected.written.entry {
                Entry::Facts(facts) => Some(facts),
                _ => None,
            }),
        )
    });
    read.await
}

fn failed(error: &LogError) -> Response {
    tracing::error!(%error, "an analyst's entry was not taken");
    refused(StatusCode::SERVICE_UNAVAILABLE, words::trouble(error))
}

/// `POST /calls/{id}/cautions`
pub(super) async fn caution(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let entry = |text| {
        Entry::Caution(Caution {
            text,
            by: actor.name.clone(),
            ends_ms: None,
        })
    };
    let done = "Caution sent. Beside it stands which devices have it.";
    add(&console, &actor, &id, request, entry, done).await
}

#[derive(Debug, Deserialize)]
struct QueryRequest {
    what: QueryWhat,
    value: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    reason: String,
}

/// `POST /calls/{id}/queries`
pub(super) async fn query(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let act = Act::Write(Kind::Query);
    let Some(call) = find_call(&console.center, &actor, act, &id).await? else {
        return Ok(not_known());
    };
    let query = match fields_of::<QueryRequest>(request).await {
        Ok(asked) => query_of(&console, &actor, asked),
        Err(why) => Err(why),
    };
    match query {
        Ok(query) => {
            let done = "Asked. What each source answers comes by itself.";
            write(&console, &actor, call, Entry::Query(query), done).await
        }
        Err(why) => Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, why)),
    }
}

/// What is asked, in the form in which it is looked up, or why it is not.
fn query_of(console: &Console, actor: &Actor, asked: QueryRequest) -> Result<Query, String> {
    let subject = Subject::parse(asked.what, &asked.value)
        .map_err(|wanted| format!("It asks about nothing: {wanted} is wanted."))?;
    let purposes = &console.center.config.purposes;
    let purpose = asked.purpose.trim();
    if !purposes.iter().any(|known| known.code == purpose) {
        let codes: Vec<_> = purposes.iter().map(|known| known.code.as_str()).collect();
        return Err(format!(
            "The purpose should be one of {}.",
            codes.join(", ")
        ));
    }
    let reason = asked.reason.trim();
    if reason.contains(char::is_control) {
        return Err("The reason should be one line.".into());
    }
    Ok(Query {
        what: asked.what,
        value: subject.shown(),
        by: actor.name.clone(),
        purpose: Some(purpose.to_owned()),
        reason: (!reason.is_empty()).then(|| reason.to_owned()),
    })
}

async fn add(
    console: &Arc<Console>,
    actor: &Actor,
    id: &str,
    request: Request,
    entry: impl FnOnce(String) -> Entry,
    done: &str,
) -> Result<Response, Problem> {
    let text = text_of(request).await;
    let entry = entry(text.as_ref().cloned().unwrap_or_default());
    let act = Act::Write(entry.kind());
    let Some(call) = find_call(&console.center, actor, act, id).await? else {
        return Ok(not_known());
    };
    if let Err(why) = text {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    write(console, actor, call, entry, done).await
}

/// Who may is decided before.
async fn write(
    console: &Arc<Console>,
    actor: &Actor,
    call: CallId,
    entry: Entry,
    done: &str,
) -> Result<Response, Problem> {
    match console.center.write(call, entry, &actor.name).await {
        Ok(_) => Ok(answer(StatusCode::OK, true, done.into())),
        Err(LogError::Unknown { .. }) => Ok(not_known()),
        Err(LogError::Entry(e)) => Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, e.to_string())),
        Err(e) => Ok(failed(&e)),
    }
}

/// A form's fields, or why they cannot be taken.
pub(super) async fn fields_of<T: DeserializeOwned>(request: Request) -> Result<T, String> {
    let read = tokio::time::timeout(
        Duration::from_millis(BODY_MS_MAX),
        Form::<T>::from_request(request, &()),
    );
    match read.await {
        Ok(Ok(Form(form))) => Ok(form),
        Ok(Err(e)) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => Err(too_long()),
        Ok(Err(e)) => Err(format!(
            "The center could not read this: {}.",
            e.body_text()
        )),
        Err(_) => Err("The text did not arrive in time.".into()),
    }
}

/// What is in the box, or why it cannot be taken.
async fn text_of(request: Request) -> Result<String, String> {
    text(&fields_of::<TextRequest>(request).await?.text)
}

/// Text as it is kept, or why it cannot be.
fn text(text: &str) -> Result<String, String> {
    // Browsers write line ends as two characters.
    let text = text.replace("\r\n", "\n");
    let text = text.trim();
    if text.is_empty() {
        return Err("There is no text in it.".into());
    }
    if text.chars().count() > TEXT_CHARS_MAX {
        return Err(too_long());
    }
    if text.contains(|c: char| c.is_control() && c != '\n' && c != '\t') {
        return Err("There is a character in it that cannot be shown.".into());
    }
    Ok(text.to_owned())
}

fn too_long() -> String {
    format!("It is too long: at most {TEXT_CHARS_MAX} characters.")
}

pub(super) fn not_known() -> Response {
    let why = "The center does not know this call.".into();
    refused(StatusCode::NOT_FOUND, why)
}

pub(super) fn refused(status: StatusCode, why: String) -> Response {
    answer(
        status,
        false,
        format!("Not added. {why} Your text is kept."),
    )
}

pub(super) fn answer(status: StatusCode, taken: bool, text: String) -> Response {
    html(status, &AnswerView { taken, text })
}
