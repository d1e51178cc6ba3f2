//! Links between calls that are about the same event: made and undone by hand.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use packet::CallId;
use packet::entry::NAME_CHARS_MAX;
use serde::Deserialize;

use super::calls::body_of;
use super::{allow_call, caller};
use crate::center::Center;
use crate::policy::Act;
use crate::problem::Problem;

/// As the entries name whoever links over the API.
const DISPATCH: &str = "Dispatch";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct LinkRequest {
    /// The other call's id.
    other: CallId,
    /// What they have in common, in words.
    #[serde(default)]
    why: Option<String>,
}

/// `POST /v1/calls/{id}/links` with `{"other": ID, "why": "…"}`. 201 when it is new, 200
/// when they are linked already.
pub(super) async fn add(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let caller = caller(&center, &headers);
    let call = allow_call(&center, &caller, Act::LinkCalls, &id).await?;
    let request: LinkRequest = serde_json::from_slice(&body_of(body)?)
        .map_err(|e| Problem::bad_field("other", format!("the other call's id: {e}")))?;
    let why = request.why.unwrap_or_else(|| "dispatch says so".into());
    if why.trim().is_empty() || why.chars().count() > NAME_CHARS_MAX {
        let wanted = format!("1 to {NAME_CHARS_MAX} characters");
        return Err(Problem::bad_field("why", wanted));
    }
    let other = request.other.to_string();
    allow_call(&center, &caller, Act::LinkCalls, &other).await?;
    let is_new = center.link(call, request.other, why, DISPATCH).await?;
    Ok(if is_new {
        StatusCode::CREATED
    } else {
        StatusCode::OK
    })
}

/// `DELETE /v1/calls/{id}/links/{other}`: undone in both packets.
pub(super) async fn undo(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path((id, other)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let caller = caller(&center, &headers);
    let call = allow_call(&center, &caller, Act::LinkCalls, &id).await?;
    let other = allow_call(&center, &caller, Act::LinkCalls, &other).await?;
    center.unlink(call, other, DISPATCH).await?;
    Ok(StatusCode::NO_CONTENT)
}
