//! What the analyst adds to a packet. The answer is a sentence beside the box.

use std::sync::Arc;
use std::time::Duration;

use axum::Form;
use axum::extract::{FromRequest, Path, Request, State};
use axum::http::StatusCode;
use axum::response::Response;
use packet::{CallId, Caution, Entry, Note};
use serde::Deserialize;

use super::pages::html;
use super::view::{AnswerView, TEXT_CHARS_MAX};
use super::{ANALYST, ANALYST_NAME, Console, words};
use crate::api::allow;
use crate::log::LogError;
use crate::policy::Act;
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
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let entry = |text| {
        Entry::Note(Note {
            text,
            by: ANALYST_NAME.into(),
        })
    };
    add(&console, &id, request, entry, "Note added.").await
}

/// `POST /calls/{id}/cautions`
pub(super) async fn caution(
    State(console): State<Arc<Console>>,
    Path(id): Path<String>,
    request: Request,
) -> Result<Response, Problem> {
    let entry = |text| {
        Entry::Caution(Caution {
            text,
            by: ANALYST_NAME.into(),
            ends_ms: None,
        })
    };
    let done = "Caution sent. Beside it stands which devices have it.";
    add(&console, &id, request, entry, done).await
}

async fn add(
    console: &Arc<Console>,
    id: &str,
    request: Request,
    entry: impl FnOnce(String) -> Entry,
    done: &str,
) -> Result<Response, Problem> {
    let text = text_of(request).await;
    let entry = entry(text.as_ref().cloned().unwrap_or_default());
    allow(&console.center, ANALYST, Act::Write(entry.kind()), id).await?;
    if let Err(why) = text {
        return Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, why));
    }
    let Ok(call) = id.parse::<CallId>() else {
        return Ok(not_known());
    };
    match console.center.write(call, entry, ANALYST_NAME).await {
        Ok(_) => Ok(answer(StatusCode::OK, true, done.into())),
        Err(LogError::Unknown { .. }) => Ok(not_known()),
        Err(LogError::Entry(e)) => Ok(refused(StatusCode::UNPROCESSABLE_ENTITY, e.to_string())),
        Err(e) => {
            tracing::error!(error = %e, "an analyst's entry was not taken");
            Ok(refused(StatusCode::SERVICE_UNAVAILABLE, words::trouble(&e)))
        }
    }
}

/// What is in the box, or why it cannot be taken.
async fn text_of(request: Request) -> Result<String, String> {
    let read = tokio::time::timeout(
        Duration::from_millis(BODY_MS_MAX),
        Form::<TextRequest>::from_request(request, &()),
    );
    let text = match read.await {
        // Browsers write line ends as two characters.
        Ok(Ok(Form(form))) => form.text.replace("\r\n", "\n"),
        Ok(Err(e)) if e.status() == StatusCode::PAYLOAD_TOO_LARGE => return Err(too_long()),
        Ok(Err(e)) => {
            return Err(format!(
                "The center could not read this: {}.",
                e.body_text()
            ));
        }
        Err(_) => return Err("The text did not arrive in time.".into()),
    };
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
