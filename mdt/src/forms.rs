//! What the officer writes. Each answer comes after the device's own commit, with
//! or without a link, and says in words what was done; anything but a 2xx leaves
//! the text in its box.

use axum::Form;
use axum::Json;
use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use mobile_core::{CoreError, OpenPacket};
use packet::entry::ATTACHMENT_BYTES_MAX;
use packet::{CallId, EntryError};
use serde::Deserialize;

use crate::app::App;
use crate::pages::html;
use crate::present::{query_of, status_of};
use crate::view::{AnswerView, LINE_CHARS_MAX, TEXT_CHARS_MAX};

/// Where htmx leads the page after a form was taken.
const HX_REDIRECT: &str = "HX-Redirect";
pub(crate) const KEPT: &str = "Kept on this device. It goes to the center by itself.";

#[derive(Debug, Deserialize)]
pub(crate) struct NoteRequest {
    text: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct StatusRequest {
    status: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct AcknowledgeRequest {
    entry: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct PacketRequest {
    kind: String,
    location: String,
    #[serde(default)]
    plate: String,
    #[serde(default)]
    text: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct QueryRequest {
    what: String,
    value: String,
    #[serde(default)]
    purpose: String,
    #[serde(default)]
    reason: String,
}

#[derive(Debug, Deserialize)]
pub(crate) struct LinkRequest {
    up: bool,
}

/// Why a form was not taken.
#[derive(Debug, thiserror::Error)]
pub(crate) enum FormError {
    #[error("This call is not on this device any more.")]
    NoCall,
    #[error("{what} is too long: {chars} characters, at most {chars_max}.")]
    TooLong {
        what: &'static str,
        chars: usize,
        chars_max: usize,
    },
    #[error("The file is too large: at most {} MB are taken.", ATTACHMENT_BYTES_MAX / 1_000_000)]
    FileTooLarge,
    #[error("{0} is empty.")]
    Empty(&'static str),
    #[error("This choice is not known here. Reload the page.")]
    Choice,
    #[error("What the page sent cannot be read. Reload the page.")]
    Unreadable(StatusCode),
    #[error(transparent)]
    Core(#[from] CoreError),
}

impl FormError {
    fn status(&self) -> StatusCode {
        match self {
            Self::NoCall | Self::Core(CoreError::NotHere) => StatusCode::NOT_FOUND,
            Self::TooLong { .. }
            | Self::Empty(_)
            | Self::Choice
            | Self::Core(CoreError::Entry(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::FileTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Unreadable(status) => *status,
            Self::Core(
                CoreError::SignOnFirst
                | CoreError::NotEnrolled
                | CoreError::AttachmentsUnsent { .. },
            ) => StatusCode::CONFLICT,
            Self::Core(
                CoreError::Locked
                | CoreError::WrongPin { .. }
                | CoreError::WrongCode { .. }
                | CoreError::LockedOut
                | CoreError::ShiftOver
                | CoreError::NoPin,
            ) => StatusCode::LOCKED,
            Self::Core(CoreError::Pin(_)) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Core(
                CoreError::DiskFull | CoreError::OutboxFull | CoreError::AttachmentsFull,
            ) => StatusCode::INSUFFICIENT_STORAGE,
            Self::Core(_) => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What it is, and what to do.
    fn words(&self) -> String {
        match self {
            Self::Core(CoreError::SignOnFirst | CoreError::NotEnrolled) => {
                "Nobody is signed on here: nothing can be written. Use the radio.".into()
            }
            Self::Core(CoreError::DiskFull) => {
                "This laptop's disk is full: nothing can be written. Use the radio.".into()
            }
            Self::Core(CoreError::OutboxFull | CoreError::AttachmentsFull) => {
                "Too much waits to be sent: nothing more can be written until there is a link."
                    .into()
            }
            // What stands over the page says the rest.
            Self::Core(CoreError::Locked) => "This laptop is locked.".into(),
            Self::Core(
                error @ (CoreError::WrongPin { .. }
                | CoreError::WrongCode { .. }
                | CoreError::LockedOut
                | CoreError::ShiftOver
                | CoreError::NoPin
                | CoreError::Pin(_)
                | CoreError::AttachmentsUnsent { .. }
                | CoreError::Unreachable(_)
                | CoreError::Refused { .. }),
            ) => crate::words::sentence(&error.to_string()),
            Self::Core(CoreError::NotHere) => Self::NoCall.to_string(),
            Self::Core(CoreError::Entry(EntryError::Field { field, wanted })) => {
                format!("Not taken: {field} should have {wanted}.")
            }
            Self::Core(error) => {
                tracing::warn!(%error, "an entry could not be written");
                "This laptop could not write it. Try again.".into()
            }
            error => error.to_string(),
        }
    }
}

impl IntoResponse for FormError {
    fn into_response(self) -> Response {
        let kept = match self {
            // There was no text.
            Self::Core(
                CoreError::WrongPin { .. }
                | CoreError::WrongCode { .. }
                | CoreError::LockedOut
                | CoreError::ShiftOver
                | CoreError::NoPin
                | CoreError::Pin(_)
                | CoreError::AttachmentsUnsent { .. }
                | CoreError::Unreachable(_)
                | CoreError::Refused { .. },
            ) => "",
            _ => " Your text is still in its box.",
        };
        let answer = AnswerView {
            taken: false,
            text: format!("{}{kept}", self.words()),
        };
        (self.status(), html(&answer)).into_response()
    }
}

impl From<FormRejection> for FormError {
    fn from(rejection: FormRejection) -> Self {
        Self::Unreadable(rejection.status())
    }
}

pub(crate) type Sent<T> = Result<Form<T>, FormRejection>;

pub(crate) fn taken(text: &str) -> Response {
    html(&AnswerView {
        taken: true,
        text: text.into(),
    })
}

pub(crate) fn call_of(text: &str) -> Result<CallId, FormError> {
    text.parse().map_err(|_| FormError::NoCall)
}

fn at_most(what: &'static str, text: &str, chars_max: usize) -> Result<(), FormError> {
    match text.chars().count() {
        chars if chars > chars_max => Err(FormError::TooLong {
            what,
            chars,
            chars_max,
        }),
        _ => Ok(()),
    }
}

pub(crate) fn filled(what: &'static str, text: &str, chars_max: usize) -> Result<(), FormError> {
    if text.trim().is_empty() {
        return Err(FormError::Empty(what));
    }
    at_most(what, text, chars_max)
}

pub(crate) async fn note(
    State(app): State<App>,
    Path(call): Path<String>,
    sent: Sent<NoteRequest>,
) -> Result<Response, FormError> {
    let (call, Form(sent)) = (call_of(&call)?, sent?);
    filled("The note", &sent.text, TEXT_CHARS_MAX)?;
    app.core().add_note(call, sent.text.trim()).await?;
    Ok(taken(KEPT))
}

pub(crate) async fn status(
    State(app): State<App>,
    Path(call): Path<String>,
    sent: Sent<StatusRequest>,
) -> Result<Response, FormError> {
    let (call, Form(sent)) = (call_of(&call)?, sent?);
    let status = status_of(&sent.status).ok_or(FormError::Choice)?;
    app.core().set_status(call, status).await?;
    Ok(taken(KEPT))
}

pub(crate) async fn query(
    State(app): State<App>,
    Path(call): Path<String>,
    sent: Sent<QueryRequest>,
) -> Result<Response, FormError> {
    let (call, Form(sent)) = (call_of(&call)?, sent?);
    let what = query_of(&sent.what).ok_or(FormError::Choice)?;
    filled("What to ask about", &sent.value, LINE_CHARS_MAX)?;
    at_most("The reason", &sent.reason, LINE_CHARS_MAX)?;
    let (purpose, reason) = (Some(&*sent.purpose), Some(&*sent.reason));
    app.core()
        .add_query(call, what, &sent.value, purpose, reason)
        .await?;
    Ok(taken(
        "Kept on this device. It is asked as soon as there is a link; what is found comes by itself.",
    ))
}

pub(crate) async fn acknowledge(
    State(app): State<App>,
    Path(call): Path<String>,
    sent: Sent<AcknowledgeRequest>,
) -> Result<Response, FormError> {
    let (call, Form(sent)) = (call_of(&call)?, sent?);
    let caution = sent.entry.parse().map_err(|_| FormError::Choice)?;
    app.core().acknowledge(call, caution).await?;
    Ok(taken(
        "Acknowledged. Kept on this device; it goes to the center by itself.",
    ))
}

pub(crate) async fn open_packet(
    State(app): State<App>,
    sent: Sent<PacketRequest>,
) -> Result<Response, FormError> {
    let Form(sent) = sent?;
    let nature = match sent.kind.as_str() {
        "traffic-stop" => "Traffic stop",
        "on-view" => "On-view",
        _ => return Err(FormError::Choice),
    };
    filled("The place", &sent.location, LINE_CHARS_MAX)?;
    at_most("The plate", &sent.plate, LINE_CHARS_MAX)?;
    at_most("The note", &sent.text, TEXT_CHARS_MAX)?;
    let open = OpenPacket {
        nature: nature.into(),
        location: sent.location,
        plate: Some(sent.plate),
        note: Some(sent.text),
    };
    let call = app.core().open_packet(open).await?;
    let mut answer = taken(KEPT);
    // Sixteen hexadecimal digits: no header can break on them.
    if let Ok(place) = HeaderValue::try_from(format!("/calls/{call}")) {
        answer.headers_mut().insert(HX_REDIRECT, place);
    }
    Ok(answer)
}

/// Cuts this laptop's link, or lets it be used again. Tests and demos only.
pub(crate) async fn link(State(app): State<App>, Json(sent): Json<LinkRequest>) -> StatusCode {
    app.core().set_link(sent.up);
    StatusCode::NO_CONTENT
}
