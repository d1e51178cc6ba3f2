//! A made-up video system, as a center's `[video]` asks one.
//!
//! | question | answer |
//! |---|---|
//! | `POST /clips` with `{"camera", "from", "to", "reference"}` | 202 with `{"id"}`; one reference is one recording |
//! | `GET /clips/{id}` | `{"state": "pending"}`, later `{"state": "ready", "bytes", "sha256"}` or `{"state": "failed", "reason"}` |
//! | `GET /clips/{id}/content` | the recording |
//!
//! **The recordings are made up**: lines of text that say so, so many a second, which is
//! what a video takes. Some cameras were off, always the same ones at the same hour. Where
//! it keeps what was asked is bounded: beyond, the oldest is forgotten.

use std::collections::VecDeque;
use std::fmt::Write;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use aws_lc_rs::digest;
use axum::Router;
use axum::extract::{Path, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER;
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::problem;
use crate::chance::hash;

/// A second of a recording.
const BYTES_A_SECOND: usize = 10_000;
const LINE_BYTES: usize = 100;
/// How long one takes to be made, at least and at most, before the delays are scaled.
const MAKING_MS_MIN: u64 = 1_500;
const MAKING_MS_MAX: u64 = 6_000;
/// Of so many recordings one cannot be had.
const OFF_ONE_IN: u64 = 12;
/// Most recordings that it remembers.
const JOBS_MAX: usize = 500;
const CAMERA_BYTES_MAX: usize = 200;
/// Longest recording that it makes.
const SECONDS_MAX: i64 = 3_600;

#[derive(Debug, Deserialize)]
struct ClipRequest {
    camera: String,
    from: String,
    to: String,
    reference: String,
}

#[derive(Debug, Clone)]
struct Job {
    id: String,
    request: Arc<ClipRequest>,
    seconds: usize,
    asked: Instant,
    takes_ms: u64,
    is_off: bool,
}

/// What it was asked.
#[derive(Debug)]
pub(super) struct Video {
    seed: u64,
    delay_scale: f64,
    jobs: Mutex<VecDeque<Job>>,
}

pub(super) fn routes(seed: u64, delay_scale: f64) -> Router {
    let video = Arc::new(Video {
        seed,
        delay_scale,
        jobs: Mutex::default(),
    });
    Router::new()
        .route("/clips", post(ask))
        .route("/clips/{id}", get(look))
        .route("/clips/{id}/content", get(content))
        .with_state(video)
}

impl Video {
    fn job(&self, id: &str) -> Option<Job> {
        let jobs = self.jobs.lock().unwrap_or_else(PoisonError::into_inner);
        jobs.iter().find(|job| job.id == id).cloned()
    }
}

async fn ask(State(video): State<Arc<Video>>, Json(request): Json<ClipRequest>) -> Response {
    let Some(seconds) = seconds(&request) else {
        let wanted = "from and to as timestamps of RFC 3339, at most an hour apart";
        return problem(StatusCode::BAD_REQUEST, wanted);
    };
    if request.camera.is_empty() || request.camera.len() > CAMERA_BYTES_MAX {
        return problem(StatusCode::NOT_FOUND, "no such camera");
    }
    let number = hash(video.seed, request.reference.as_bytes());
    let id = format!("{number:016x}");
    let span = MAKING_MS_MAX - MAKING_MS_MIN;
    let takes_ms = MAKING_MS_MIN + number % span;
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let takes_ms = (takes_ms as f64 * video.delay_scale) as u64;
    // By the hour: `2026-11-28T18`.
    let hour = request.from.get(..13).unwrap_or(&request.from);
    let hour = format!("{} {hour}", request.camera);
    let job = Job {
        id: id.clone(),
        request: Arc::new(request),
        seconds,
        asked: Instant::now(),
        takes_ms,
        is_off: hash(video.seed, hour.as_bytes()).is_multiple_of(OFF_ONE_IN),
    };
    let mut jobs = video.jobs.lock().unwrap_or_else(PoisonError::into_inner);
    if jobs.iter().all(|known| known.id != id) {
        if jobs.len() == JOBS_MAX {
            jobs.pop_front();
        }
        jobs.push_back(job);
    }
    (StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response()
}

async fn look(State(video): State<Arc<Video>>, Path(id): Path<String>) -> Response {
    let Some(job) = video.job(&id) else {
        return problem(StatusCode::NOT_FOUND, "no such recording");
    };
    if job.asked.elapsed().as_millis() < u128::from(job.takes_ms) {
        return Json(json!({"state": "pending"})).into_response();
    }
    if job.is_off {
        let reason = "the camera was off at that hour";
        return Json(json!({"state": "failed", "reason": reason})).into_response();
    }
    let sum = match film(job.clone()).await {
        Ok(film) => HEXLOWER.encode(digest::digest(&digest::SHA256, &film).as_ref()),
        Err(response) => return response,
    };
    let bytes = job.seconds * BYTES_A_SECOND;
    Json(json!({"state": "ready", "bytes": bytes, "sha256": sum})).into_response()
}

async fn content(State(video): State<Arc<Video>>, Path(id): Path<String>) -> Response {
    let Some(job) = video.job(&id).filter(|job| !job.is_off) else {
        return problem(StatusCode::NOT_FOUND, "no such recording");
    };
    match film(job).await {
        Ok(film) => ([(header::CONTENT_TYPE, "text/plain")], film).into_response(),
        Err(response) => response,
    }
}

/// Off the async threads: an hour of it is 36 MB.
async fn film(job: Job) -> Result<Vec<u8>, Response> {
    tokio::task::spawn_blocking(move || made_up(&job.request, job.seconds))
        .await
        .map_err(|_| problem(StatusCode::INTERNAL_SERVER_ERROR, "it could not be made"))
}

/// The same for the same request, whenever it is made.
fn made_up(request: &ClipRequest, seconds: usize) -> Vec<u8> {
    let mut film = String::with_capacity(seconds * BYTES_A_SECOND);
    let lines = BYTES_A_SECOND / LINE_BYTES;
    for second in 0..seconds {
        for line in 0..lines {
            let start = film.len();
            let _ = write!(
                film,
                "MADE UP, not a recording: {} from {} second {second} frame {line} ",
                request.camera, request.from
            );
            film.truncate(start + LINE_BYTES - 1);
            while film.len() < start + LINE_BYTES - 1 {
                film.push('.');
            }
            film.push('\n');
        }
    }
    film.into_bytes()
}

/// How long the window is, where it is one.
fn seconds(request: &ClipRequest) -> Option<usize> {
    let seconds = |text: &str| Some(text.parse::<Timestamp>().ok()?.as_second());
    let long = seconds(&request.to)? - seconds(&request.from)?;
    let is_window = (1..=SECONDS_MAX).contains(&long);
    is_window.then(|| usize::try_from(long).ok())?
}
