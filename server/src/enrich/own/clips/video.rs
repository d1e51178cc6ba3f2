//! What is said to a video system, and what it says.
//!
//! | question | answer |
//! |---|---|
//! | `POST URL` with `{"camera", "from", "to", "reference"}`, times by RFC 3339 | 200, 201 or 202 with `{"id"}`; the same reference gets the same id |
//! | `GET URL/{id}` | `{"state": "pending"}`, `{"state": "ready", "bytes", "sha256"}` (both may be missing) or `{"state": "failed", "reason"}` |
//! | `GET URL/{id}/content` | the recording, with its `Content-Type` |
//!
//! Addresses in its answers are not followed, nor is where it redirects to: what is asked
//! goes to the configured address and nowhere else. All that it says is bounded in size and
//! time.

use std::time::Duration;

use packet::entry::{ATTACHMENT_BYTES_MAX, NAME_CHARS_MAX};
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::json;

use super::{Request, VideoConfig};

/// Largest answer that is no recording.
const ANSWER_BYTES_MAX: usize = 16 * 1024;
/// Longest name of a job.
const JOB_CHARS_MAX: usize = 100;
/// How long a recording may take to come.
const CONTENT_MS_MAX: u64 = 60_000;

/// Why there is nothing.
#[derive(Debug, thiserror::Error)]
pub(super) enum VideoError {
    /// It says no: to ask again is no use.
    #[error("{0}")]
    Refused(String),
    #[error("{0}")]
    Failed(String),
    #[error(
        "the recording is too large: at most {} MB are taken. Ask for a shorter window.",
        ATTACHMENT_BYTES_MAX / 1_000_000
    )]
    TooLarge,
    /// It may go better the next time.
    #[error("{0}")]
    Trouble(String),
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(tag = "state", rename_all = "lowercase")]
pub(super) enum Standing {
    Pending,
    Ready {
        #[serde(default)]
        bytes: Option<u64>,
        #[serde(default)]
        sha256: Option<String>,
    },
    Failed {
        #[serde(default)]
        reason: String,
    },
}

#[derive(Debug)]
pub(super) struct Content {
    pub(super) bytes: Vec<u8>,
    pub(super) media_type: String,
}

#[derive(Deserialize)]
struct Asked {
    id: String,
}

#[derive(Deserialize)]
struct Problem {
    error: String,
}

/// The system's own name for what it will make.
pub(super) async fn ask(
    client: &Client,
    video: &VideoConfig,
    request: &Request,
    reference: &str,
) -> Result<String, VideoError> {
    let body = json!({
        "camera": request.camera,
        "from": request.from.to_string(),
        "to": request.to.to_string(),
        "reference": reference,
    });
    let sent = client.post(&video.url).json(&body);
    let Asked { id } = answer(video, sent).await?;
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    if id.is_empty() || id.len() > JOB_CHARS_MAX || !id.chars().all(is_plain) {
        return Err(VideoError::Failed(
            "its answer does not fit: an id of letters, digits, - and _ was wanted".into(),
        ));
    }
    Ok(id)
}

pub(super) async fn look(
    client: &Client,
    video: &VideoConfig,
    job: &str,
) -> Result<Standing, VideoError> {
    answer(video, client.get(format!("{}/{job}", video.url))).await
}

/// The recording itself; no more of it is read than is taken.
pub(super) async fn fetch(
    client: &Client,
    video: &VideoConfig,
    job: &str,
) -> Result<Content, VideoError> {
    let sent = client.get(format!("{}/{job}/content", video.url));
    let fetching = async {
        let response = sent.send().await.map_err(trouble)?;
        let response = accepted(response).await?;
        let media_type = response
            .headers()
            .get("content-type")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.split(';').next())
            .map_or("", str::trim)
            .to_owned();
        let bytes = bounded(response, ATTACHMENT_BYTES_MAX as usize).await?;
        Ok(Content { bytes, media_type })
    };
    within(CONTENT_MS_MAX, fetching).await
}

async fn answer<T: serde::de::DeserializeOwned>(
    video: &VideoConfig,
    sent: reqwest::RequestBuilder,
) -> Result<T, VideoError> {
    let answering = async {
        let response = sent.send().await.map_err(trouble)?;
        let response = accepted(response).await?;
        let body = match bounded(response, ANSWER_BYTES_MAX).await {
            Err(VideoError::TooLarge) => {
                let why = format!("its answer is over {ANSWER_BYTES_MAX} bytes");
                return Err(VideoError::Failed(why));
            }
            body => body?,
        };
        serde_json::from_slice(&body)
            .map_err(|e| VideoError::Failed(short(&format!("its answer does not fit: {e}"))))
    };
    within(video.timeout_ms, answering).await
}

async fn within<T>(
    ms: u64,
    work: impl Future<Output = Result<T, VideoError>>,
) -> Result<T, VideoError> {
    match tokio::time::timeout(Duration::from_millis(ms), work).await {
        Ok(done) => done,
        Err(_) => Err(VideoError::Trouble(format!("no answer in {ms} ms"))),
    }
}

/// What it says no to stays no; a server in trouble may come out of it.
async fn accepted(response: Response) -> Result<Response, VideoError> {
    let status = response.status();
    if status.is_success() {
        return Ok(response);
    }
    let said = match bounded(response, ANSWER_BYTES_MAX).await {
        Ok(body) => serde_json::from_slice::<Problem>(&body).map_or(String::new(), |p| p.error),
        Err(_) => String::new(),
    };
    let why = if said.is_empty() {
        format!("it answered {}", status.as_u16())
    } else {
        short(&format!("it answered {}: {said}", status.as_u16()))
    };
    Err(match status.as_u16() {
        401 | 403 => VideoError::Refused(why),
        408 | 429 | 500.. => VideoError::Trouble(why),
        _ => VideoError::Failed(why),
    })
}

async fn bounded(mut response: Response, bytes_max: usize) -> Result<Vec<u8>, VideoError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(trouble)? {
        if body.len() + chunk.len() > bytes_max {
            return Err(VideoError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The address holds what was asked: it is not repeated.
fn trouble(error: reqwest::Error) -> VideoError {
    let error = error.without_url();
    let mut cause: &dyn std::error::Error = &error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    VideoError::Trouble(short(&format!("it cannot be reached: {cause}")))
}

pub(super) fn short(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}
