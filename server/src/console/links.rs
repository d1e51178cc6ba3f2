//! The analyst links calls that are about the same event, and undoes it.

use std::sync::Arc;

use axum::Extension;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use packet::CallId;
use rusqlite::Connection;
use serde::Deserialize;

use super::forms::{answer, not_known};
use super::{Console, words};
use crate::api::find_call;
use crate::log::LogError;
use crate::policy::{Act, Actor, Sight};
use crate::problem::Problem;

/// What the packets say of why.
const WHY: &str = "an analyst says so";

#[derive(Debug, Deserialize)]
pub(super) struct OtherRequest {
    /// The other call's id, or its number where no other call has it.
    other: String,
}

/// `POST /calls/{id}/links`
pub(super) async fn link(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Result<Form<OtherRequest>, FormRejection>,
) -> Result<Response, Problem> {
    let (call, other) = match both(&console, &actor, &id, sent).await? {
        Ok(both) => both,
        Err(answer) => return Ok(answer),
    };
    let linked = console.center.link(call, other, WHY.into(), &actor.name);
    Ok(match linked.await {
        Ok(true) => answer(StatusCode::OK, true, "Linked, in both packets.".into()),
        Ok(false) => answer(StatusCode::OK, true, "They are linked already.".into()),
        Err(e) => failed(&e),
    })
}

/// `POST /calls/{id}/links/undo`
pub(super) async fn undo(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Result<Form<OtherRequest>, FormRejection>,
) -> Result<Response, Problem> {
    let (call, other) = match both(&console, &actor, &id, sent).await? {
        Ok(both) => both,
        Err(answer) => return Ok(answer),
    };
    Ok(
        match console.center.unlink(call, other, &actor.name).await {
            Ok(()) => answer(StatusCode::OK, true, "Undone, in both packets.".into()),
            Err(e) => failed(&e),
        },
    )
}

/// Both calls, or what to answer where one of them is not said.
async fn both(
    console: &Arc<Console>,
    actor: &Actor,
    id: &str,
    sent: Result<Form<OtherRequest>, FormRejection>,
) -> Result<Result<(CallId, CallId), Response>, Problem> {
    let unprocessable = |why: &str| Ok(Err(refused(StatusCode::UNPROCESSABLE_ENTITY, why)));
    let center = &console.center;
    let Some(call) = find_call(center, actor, Act::LinkCalls, id).await? else {
        return Ok(Err(not_known()));
    };
    let Ok(Form(OtherRequest { other })) = sent else {
        return unprocessable("The other call's number is wanted.");
    };
    let other = other.trim().to_owned();
    if other.parse::<CallId>().is_ok() {
        let other = find_call(center, actor, Act::LinkCalls, &other).await?;
        return Ok(other.map(|other| (call, other)).ok_or_else(not_known));
    }
    let sight = console.sight(actor);
    let found = console
        .center
        .log
        .readers()
        .read(move |connection| with_number(connection, &other, &sight))
        .await;
    match found {
        Ok(calls) => match calls[..] {
            [other] => Ok(Ok((call, other))),
            [] => unprocessable("The center knows no call with this number."),
            _ => unprocessable(
                "More than one call has this number: give the last part of its page's address.",
            ),
        },
        Err(e) => Ok(Err(failed(&e))),
    }
}

fn refused(status: StatusCode, why: &str) -> Response {
    answer(status, false, format!("Nothing was changed. {why}"))
}

/// Two agencies may use the same number.
fn with_number(
    connection: &Connection,
    number: &str,
    sight: &Sight,
) -> Result<Vec<CallId>, LogError> {
    let known_of = sight.knows("agency");
    let mut statement = connection.prepare_cached(&format!(
        "SELECT call FROM calls INDEXED BY calls_by_number_alone WHERE number = ?1 AND number <> '' AND {known_of} LIMIT 2"
    ))?;
    let calls = statement.query_map([number], |row| {
        row.get::<_, i64>(0)
            .map(|call| CallId(call.cast_unsigned()))
    })?;
    Ok(calls.collect::<Result<_, _>>()?)
}

fn failed(error: &LogError) -> Response {
    match error {
        LogError::Unknown { .. } | LogError::Conflict(_) => {
            let why = format!("{}.", capital(&error.to_string()));
            refused(StatusCode::UNPROCESSABLE_ENTITY, &why)
        }
        error => {
            tracing::error!(%error, "a link was not taken");
            refused(StatusCode::SERVICE_UNAVAILABLE, &words::trouble(error))
        }
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map(|first| first.to_uppercase().chain(letters).collect())
        .unwrap_or_default()
}
