//! Attachments: given to a call, and given out again.

use std::sync::Arc;
use std::time::Duration;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{FromRequest, Path, Query, Request, State};
use axum::http::header::{CONTENT_DISPOSITION, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use packet::EntryId;
use serde::{Deserialize, Serialize};

use super::{allow, allow_call, caller};
use crate::attachments::{self, AttachmentError, Blob, File, Found, blob_of, digits, find, piece};
use crate::audit::{self, Record};
use crate::center::Center;
use crate::log::LogError;
use crate::policy::{Act, Role};
use crate::problem::Problem;

/// How long a body may take to arrive.
const BODY_MS_MAX: u64 = 60_000;
/// What the packet says of who gave a file over the API.
const DISPATCH: &str = "Dispatch";

#[derive(Debug, Deserialize)]
pub(super) struct AddRequest {
    /// What the file is called.
    name: String,
}

#[derive(Debug, Serialize)]
pub(super) struct AddedView {
    entry: EntryId,
    /// SHA-256 of the content.
    blob: String,
    /// … of its thumbnail; images have one.
    #[serde(skip_serializing_if = "Option::is_none")]
    thumbnail: Option<String>,
}

/// `POST /v1/calls/{id}/attachments?name=plate.jpg`: the body is the file. 201 when it is
/// durable and the packet names it.
pub(super) async fn add(
    State(center): State<Arc<Center>>,
    Path(id): Path<String>,
    request: Result<Query<AddRequest>, QueryRejection>,
    headers: HeaderMap,
    body: Request,
) -> Result<(StatusCode, Json<AddedView>), Problem> {
    let act = Act::Write(packet::Kind::Attachment);
    let call = allow_call(&center, &caller(&center, &headers), act, &id).await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("name", e.body_text()))?;
    let media_type = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
        .to_owned();
    let content = body_of(body).await?;
    let file = File {
        content: content.as_ref().into(),
        media_type,
        name: request.name,
        by: DISPATCH.into(),
    };
    let added = attachments::add(&center, call, file, Role::Dispatch.name()).await?;
    let view = AddedView {
        entry: added.entry,
        blob: digits(&added.blob),
        thumbnail: added.thumbnail.as_ref().map(digits),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

/// The body, when it came in time and is not too large.
pub(crate) async fn body_of(request: Request) -> Result<Bytes, Problem> {
    let reading = Bytes::from_request(request, &());
    match tokio::time::timeout(Duration::from_millis(BODY_MS_MAX), reading).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(e)) => Err(Problem::new(
            e.status(),
            "The body cannot be read",
            e.body_text(),
        )),
        Err(_) => Err(Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            "The body cannot be read",
            "It did not arrive in time.",
        )),
    }
}

/// `GET /v1/attachments/{blob}`: the whole content, as it was given.
pub(super) async fn content(
    State(center): State<Arc<Center>>,
    Path(blob): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let found = asked(&center, &headers, &blob).await?;
    give(&center, &found.1, found.0).await
}

/// `GET /v1/attachments/{blob}/thumbnail`: a small JPEG of that image.
pub(super) async fn thumbnail(
    State(center): State<Arc<Center>>,
    Path(blob): Path<String>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let (_, found) = asked(&center, &headers, &blob).await?;
    let thumbnail = found.thumbnail.ok_or_else(Problem::not_found)?;
    let found = look(&center, thumbnail).await?;
    give(&center, &found, thumbnail).await
}

async fn asked(center: &Center, headers: &HeaderMap, blob: &str) -> Result<(Blob, Found), Problem> {
    let caller = caller(center, headers);
    allow(center, &caller, Act::FetchAttachment, blob).await?;
    let blob = blob_of(blob).ok_or_else(Problem::not_found)?;
    let found = look(center, blob).await?;
    // It is of a packet, and for who may see that.
    allow_call(
        center,
        &caller,
        Act::FetchAttachment,
        &found.document.call.to_string(),
    )
    .await?;
    Ok((blob, found))
}

async fn look(center: &Center, blob: Blob) -> Result<Found, Problem> {
    let found = center
        .log
        .readers()
        .read(move |connection| find(connection, &blob))
        .await?;
    found.ok_or_else(Problem::not_found)
}

async fn give(center: &Center, found: &Found, blob: Blob) -> Result<Response, Problem> {
    disclose(center, Role::Dispatch.name(), found, &blob).await?;
    served(center, found).await
}

/// Puts on record that somebody is given this content. What cannot be put on record is
/// not given.
pub(crate) async fn disclose(
    center: &Center,
    who: &str,
    found: &Found,
    blob: &Blob,
) -> Result<(), LogError> {
    let record = Record {
        object: format!("{} {}", found.document, digits(blob)),
        detail: format!("0..{}", found.bytes),
        ..Record::of(who, Act::FetchAttachment)
    };
    center
        .log
        .write(move |ledger| audit::record(ledger, &record))
        .await
}

/// The content as an answer. Only the two kinds of image are shown by a browser; all else
/// is a file to keep, and nothing in it runs.
pub(crate) async fn served(center: &Center, found: &Found) -> Result<Response, Problem> {
    let (content, bytes) = (found.content, found.bytes);
    let body = center
        .log
        .readers()
        .read(move |connection| piece(connection, content, 0, bytes as usize))
        .await?;
    let shown = matches!(found.media_type.as_str(), "image/png" | "image/jpeg");
    let media_type = if shown {
        found.media_type.as_str()
    } else {
        "application/octet-stream"
    };
    let way = if shown { "inline" } else { "attachment" };
    let mut response = (
        [(CONTENT_TYPE, media_type)],
        [
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            (CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"),
            (header::CACHE_CONTROL, "no-store"),
        ],
        body,
    )
        .into_response();
    let (name, value): (HeaderName, _) = (
        CONTENT_DISPOSITION,
        format!("{way}; filename*=UTF-8''{}", percent_encoded(&found.name)),
    );
    if let Ok(value) = HeaderValue::try_from(value) {
        response.headers_mut().insert(name, value);
    }
    Ok(response)
}

/// RFC 8187, section 3.2.1.
pub(crate) fn percent_encoded(name: &str) -> String {
    use std::fmt::Write;
    let mut encoded = String::with_capacity(name.len());
    for byte in name.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

impl From<AttachmentError> for Problem {
    fn from(error: AttachmentError) -> Self {
        match error {
            AttachmentError::Refused(reason) => Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The attachment was not taken",
                reason,
            ),
            AttachmentError::Log(error) => error.into(),
        }
    }
}
