//! What the officer attaches, fetches and looks at. A file is the body of its request,
//! as it is; its name is in the address.

use axum::Form;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, FormRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use packet::{Attachment, Entry};
use serde::Deserialize;

use crate::app::App;
use crate::forms::{FormError, KEPT, call_of, taken};

/// What a browser calls a file whose kind it does not know.
const ANY_FILE: &str = "application/octet-stream";

#[derive(Debug, Deserialize)]
pub(crate) struct AttachRequest {
    name: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct FetchRequest {
    blob: String,
}

pub(crate) async fn attach(
    State(app): State<App>,
    Path(call): Path<String>,
    asked: Result<Query<AttachRequest>, QueryRejection>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, FormError> {
    let call = call_of(&call)?;
    let Query(asked) = asked.map_err(|e| FormError::Unreadable(e.status()))?;
    let content = body.map_err(|e| match e.status() {
        StatusCode::PAYLOAD_TOO_LARGE => FormError::FileTooLarge,
        status => FormError::Unreadable(status),
    })?;
    let media_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or(ANY_FILE);
    app.core()
        .attach(call, content.into(), media_type, &asked.name)
        .await?;
    Ok(taken(KEPT))
}

pub(crate) async fn fetch(
    State(app): State<App>,
    Path(call): Path<String>,
    sent: Result<Form<FetchRequest>, FormRejection>,
) -> Result<Response, FormError> {
    let (_, Form(sent)) = (call_of(&call)?, sent?);
    app.core().fetch(&sent.blob).await?;
    Ok(taken("It comes when there is a link."))
}

/// The content of an attachment of this packet, or of a thumbnail, when it is whole here.
/// Only images are shown; all else is a file to keep.
pub(crate) async fn content(
    State(app): State<App>,
    Path((call, blob)): Path<(String, String)>,
) -> Response {
    match look(&app, &call, &blob).await {
        Ok(Some((media_type, way, content))) => (
            [(CONTENT_TYPE, media_type), (CONTENT_DISPOSITION, way)],
            content,
        )
            .into_response(),
        Ok(None) => (StatusCode::NOT_FOUND, "This is not on this device.\n").into_response(),
        Err(error) => error.into_response(),
    }
}

type Shown = (&'static str, &'static str, Vec<u8>);

async fn look(app: &App, call: &str, blob: &str) -> Result<Option<Shown>, FormError> {
    let Some(packet) = app.core().packet(call_of(call)?).await? else {
        return Ok(None);
    };
    let named = packet.entries.iter().find_map(|entry| {
        let (Entry::Attachment(attachment), Some(content)) =
            (&entry.written.entry, &entry.attachment)
        else {
            return None;
        };
        if content.thumbnail.as_deref() == Some(blob) {
            return Some(("image/jpeg", "inline"));
        }
        (content.blob == blob).then(|| way(attachment))
    });
    let Some((media_type, way)) = named else {
        return Ok(None);
    };
    let found = app.core().attachment(blob).await?;
    Ok(found
        .and_then(|found| found.content)
        .map(|content| (media_type, way, content)))
}

fn way(attachment: &Attachment) -> (&'static str, &'static str) {
    match attachment.media_type.as_str() {
        "image/png" => ("image/png", "inline"),
        "image/jpeg" => ("image/jpeg", "inline"),
        _ => (ANY_FILE, "attachment"),
    }
}
