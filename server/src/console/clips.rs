//! The analyst asks for a camera's recording.

use std::sync::Arc;

use axum::Extension;
use axum::Form;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;
use jiff::civil::DateTime;
use jiff::{SignedDuration, Timestamp};
use packet::{Entry, Kind, Query, QueryWhat};
use serde::Deserialize;

use super::forms::{answer, not_known, refused};
use super::{Console, words};
use crate::api::find_call;
use crate::enrich::own::clips::Request;
use crate::log::LogError;
use crate::policy::{Act, Actor};
use crate::problem::Problem;

#[derive(Debug, Deserialize)]
pub(super) struct ClipRequest {
    camera: String,
    /// A date and time of the center's zone.
    from: String,
    minutes: i64,
}

/// `POST /calls/{id}/clips`
pub(super) async fn ask(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    sent: Result<Form<ClipRequest>, FormRejection>,
) -> Result<Response, Problem> {
    let act = Act::Write(Kind::Query);
    let Some(call) = find_call(&console.center, &actor, act, &id).await? else {
        return Ok(not_known());
    };
    let unprocessable = |why: String| refused(StatusCode::UNPROCESSABLE_ENTITY, why);
    let Ok(Form(sent)) = sent else {
        return Ok(unprocessable(
            "A camera, a time and minutes are wanted.".into(),
        ));
    };
    let request = match wanted(&console, &sent) {
        Ok(request) => request,
        Err(why) => return Ok(unprocessable(why)),
    };
    let query = Entry::Query(Query {
        what: QueryWhat::Clip,
        value: request.value(),
        by: actor.name.clone(),
        purpose: None,
        reason: None,
    });
    Ok(match console.center.write(call, query, &actor.name).await {
        Ok(_) => {
            let done = "Asked for. How far it is stands among the sources.";
            answer(StatusCode::OK, true, done.into())
        }
        Err(LogError::Unknown { .. }) => not_known(),
        Err(LogError::Entry(e)) => unprocessable(e.to_string()),
        Err(e) => {
            tracing::error!(error = %e, "a recording was not asked for");
            refused(StatusCode::SERVICE_UNAVAILABLE, words::trouble(&e))
        }
    })
}

/// Held against what a query may ask, so that a mistake is told here and not by the packet.
fn wanted(console: &Console, sent: &ClipRequest) -> Result<Request, String> {
    let from = sent
        .from
        .parse::<DateTime>()
        .ok()
        .and_then(|at| at.to_zoned(console.times.zone().clone()).ok())
        .map(|at| at.timestamp())
        .ok_or("The time cannot be read: a date and a time are wanted.")?;
    let from = Timestamp::from_second(from.as_second()).map_err(|e| e.to_string())?;
    let to = from
        .checked_add(SignedDuration::from_mins(sent.minutes.clamp(0, 60)))
        .map_err(|e| e.to_string())?;
    let request = Request {
        camera: sent.camera.trim().to_owned(),
        from,
        to,
    };
    Request::parse(&request.value())
}
