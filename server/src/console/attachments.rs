//! What the analyst attaches to a packet, and looks at.

use std::sync::Arc;

use ::packet::Kind;
use axum::Extension;
use axum::extract::{Path, Query, Request, State};
use axum::http::{StatusCode, header};
use axum::response::Response;
use serde::Deserialize;

use super::forms::{answer, not_known, refused};
use super::{Console, words};
use crate::api::{body_of, disclose, find_call, served};
use crate::attachments::{self, AttachmentError, File, blob_of, find_in_call};
use crate::log::LogError;
use crate::policy::{Act, Actor};
use crate::problem::Problem;

#[derive(Debug, Deserialize)]
pub(super) struct AddRequest {
    name: String,
}

/// `POST /calls/{id}/attachments?name=…`: the body is the file.
pub(super) async fn add(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
    Query(asked): Query<AddRequest>,
    request: Request,
) -> Result<Response, Problem> {
    let act = Act::Write(Kind::Attachment);
    let Some(call) = find_call(&console.center, &actor, act, &id).await? else {
        return Ok(not_known());
    };
    let media_type = request
        .headers()
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let content = match body_of(request).await {
        Ok(content) => content,
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
            return Ok(refused(status, problem.detail));
        }
    };
    let file = File {
        content: content.as_ref().into(),
        media_type,
        name: asked.name,
        by: actor.name.clone(),
    };
    let unprocessable = StatusCode::UNPROCESSABLE_ENTITY;
    match attachments::add(&console.center, call, file, &actor.name).await {
        Ok(_) => {
            let done = "Attached. Devices of this call get its thumbnail by themselves.";
            Ok(answer(StatusCode::OK, true, done.into()))
        }
        Err(AttachmentError::Refused(why)) => Ok(refused(unprocessable, why)),
        Err(AttachmentError::Log(LogError::Unknown { .. })) => Ok(not_known()),
        Err(AttachmentError::Log(LogError::Entry(e))) => Ok(refused(unprocessable, e.to_string())),
        Err(AttachmentError::Log(e)) => {
            tracing::error!(error = %e, "an analyst's attachment was not taken");
            Ok(refused(StatusCode::SERVICE_UNAVAILABLE, words::trouble(&e)))
        }
    }
}

/// `GET /calls/{id}/attachments/{blob}`: the whole, or the thumbnail, by its hash.
pub(super) async fn content(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path((id, blob)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let call = find_call(&console.center, &actor, Act::FetchAttachment, &id).await?;
    let (Some(call), Some(blob)) = (call, blob_of(&blob)) else {
        return Err(Problem::not_found());
    };
    let found = console
        .center
        .log
        .readers()
        .read(move |connection| find_in_call(connection, &blob, call))
        .await?
        .ok_or_else(Problem::not_found)?;
    disclose(&console.center, &actor.name, &found, &blob).await?;
    served(&console.center, &found).await
}
