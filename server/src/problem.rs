//! Errors as problem details (RFC 9457): what went wrong, and for bad input which
//! field and what was wanted.

use axum::Json;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;

use crate::calls::EidoError;
use crate::intake::IntakeError;
use crate::log::LogError;

/// `application/problem+json`.
#[derive(Debug, Clone, Serialize)]
pub struct Problem {
    /// A short text that is the same for every problem of this kind.
    pub title: &'static str,
    pub status: u16,
    /// One sentence about this occurrence.
    pub detail: String,
    /// The path of the field that is wrong, where it is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl Problem {
    #[must_use]
    pub fn new(status: StatusCode, title: &'static str, detail: impl Into<String>) -> Self {
        Self {
            title,
            status: status.as_u16(),
            detail: detail.into(),
            field: None,
        }
    }

    /// Nothing is said of what was asked for, nor whether it exists.
    #[must_use]
    pub fn denied() -> Self {
        Self::new(
            StatusCode::FORBIDDEN,
            "Not allowed",
            "This is not allowed with what was shown to the center.",
        )
    }

    #[must_use]
    pub fn not_found() -> Self {
        Self::new(
            StatusCode::NOT_FOUND,
            "Not found",
            "There is nothing here that this caller may see.",
        )
    }

    #[must_use]
    pub fn bad_field(field: impl Into<String>, wanted: impl Into<String>) -> Self {
        let (field, wanted) = (field.into(), wanted.into());
        Self {
            detail: format!("{field}: {wanted}"),
            field: Some(field),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The input does not fit",
                "",
            )
        }
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = (status, Json(self)).into_response();
        response.headers_mut().insert(
            header::CONTENT_TYPE,
            header::HeaderValue::from_static("application/problem+json"),
        );
        response
    }
}

impl From<packet::EntryError> for Problem {
    fn from(error: packet::EntryError) -> Self {
        LogError::Entry(error).into()
    }
}

impl From<LogError> for Problem {
    fn from(error: LogError) -> Self {
        let detail = error.to_string();
        match error {
            LogError::Entry(packet::EntryError::Field { field, wanted }) => {
                Self::bad_field(field, wanted)
            }
            LogError::Entry(e) => Self::bad_field("entry", e.to_string()),
            LogError::Unknown { .. } => Self::new(StatusCode::NOT_FOUND, "Not found", detail),
            LogError::Conflict(_) => Self::new(
                StatusCode::CONFLICT,
                "It does not go with what is there",
                detail,
            ),
            LogError::Full | LogError::Stopping => Self::new(
                StatusCode::SERVICE_UNAVAILABLE,
                "The center cannot write now",
                detail,
            ),
            LogError::Open { .. } | LogError::Store(_) => {
                // What the store says stays at the center.
                tracing::error!(error = %detail, "a request failed");
                Self::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "The center failed",
                    "The center's store failed; its log says why.",
                )
            }
        }
    }
}

impl From<EidoError> for Problem {
    fn from(error: EidoError) -> Self {
        match error {
            EidoError::Intake(e) => e.into(),
            EidoError::Log(e) => e.into(),
        }
    }
}

impl From<IntakeError> for Problem {
    fn from(error: IntakeError) -> Self {
        Self {
            field: error.path().map(str::to_owned),
            ..Self::new(
                StatusCode::UNPROCESSABLE_ENTITY,
                "The input does not fit",
                error.to_string(),
            )
        }
    }
}
