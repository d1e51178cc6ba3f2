//! A camera's recording, asked of a video system: tracked from the query until it is one of
//! the packet's attachments, or until it is said why it is not.
//!
//! ```text
//! query (clip) ─▶ log + clips (one commit) ─▶ POST ─▶ poll … ready ─▶ fetch ─▶ attachment,
//!                                               └─ each step: an outcome      finding, outcome
//! ```
//!
//! What is asked and how far it has come stands in the store, written in the commit of the
//! query and of each step, so that a stop of the center loses none: it goes on where it was.
//! A video system is told a reference that is always the same for one query, so that one
//! that was asked twice makes one recording. What came is held against the hash that the
//! system states, attached by its content, and never twice.
//!
//! **The query's value** is `CAMERA @ FROM/TO`: the camera's name, and a window of time as
//! two timestamps of RFC 3339, at most [`CLIP_S_MAX`] long.
//!
//! **The video system** answers JSON (see [`video`]).

mod rows;
mod step;
#[cfg(test)]
mod tests;
mod video;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use packet::{Entry, Kind, Query, QueryWhat};
use serde::Deserialize;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::center::Center;
use crate::clock;
use crate::log::{Happening, LogError};

pub(crate) use rows::add;

/// Longest recording that is asked for, in seconds.
pub const CLIP_S_MAX: i64 = 900;
/// Most recordings that are waited for, in all and of one packet.
pub const WAITING_MAX: u64 = 500;
pub const PER_CALL_MAX: u64 = 20;
/// How long a recording is waited for.
pub const WAIT_MS_MAX: i64 = 60 * 60 * 1_000;
/// Most that are asked about or fetched at a time: each may hold a whole attachment.
const IN_FLIGHT_MAX: usize = 4;
/// Failures in a row after which one is given up.
const FAILURES_MAX: u32 = 5;
/// A look that finds nothing due is the last for so long, where nothing happens.
const IDLE_MS: u64 = 5_000;

/// `[video]` in the configuration.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct VideoConfig {
    /// As screens show it.
    pub name: String,
    /// Where recordings are asked for: `http://…` or `https://…`, without a slash at its end.
    pub url: String,
    #[serde(default = "five_seconds")]
    pub timeout_ms: u64,
}

fn five_seconds() -> u64 {
    5_000
}

impl VideoConfig {
    pub(crate) fn check(&self) -> Result<(), String> {
        if self.name.trim().is_empty() || self.name.chars().count() > 60 {
            return Err("a name of 1 to 60 characters".into());
        }
        if !(10..=60_000).contains(&self.timeout_ms) {
            return Err("timeout_ms from 10 to 60000".into());
        }
        let has_scheme = self.url.starts_with("https://") || self.url.starts_with("http://");
        if !has_scheme || self.url.ends_with('/') {
            return Err(
                "a url that begins with https:// or http:// and ends without a slash".into(),
            );
        }
        Ok(())
    }
}

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Request {
    pub(crate) camera: String,
    pub(crate) from: Timestamp,
    pub(crate) to: Timestamp,
}

impl Request {
    /// # Errors
    /// What was wanted instead, as a sentence for the packet.
    pub(crate) fn parse(value: &str) -> Result<Self, String> {
        const WANTED: &str =
            "CAMERA @ FROM/TO, such as Ramp 4 @ 2026-11-28T18:00:00Z/2026-11-28T18:05:00Z";
        let wanted = || format!("wanted: {WANTED}");
        let (camera, window) = value.rsplit_once(" @ ").ok_or_else(wanted)?;
        let (from, to) = window.split_once('/').ok_or_else(wanted)?;
        let time = |text: &str| text.trim().parse::<Timestamp>().map_err(|_| wanted());
        let (from, to) = (time(from)?, time(to)?);
        let camera = camera.trim().to_owned();
        if camera.is_empty() {
            return Err(wanted());
        }
        let seconds = (to.as_millisecond() - from.as_millisecond()) / 1_000;
        if !(1..=CLIP_S_MAX).contains(&seconds) {
            return Err(format!("a window of 1 to {CLIP_S_MAX} seconds is wanted"));
        }
        Ok(Self { camera, from, to })
    }

    /// As a query's value.
    #[must_use]
    pub(crate) fn value(&self) -> String {
        format!("{} @ {}/{}", self.camera, self.from, self.to)
    }
}

/// It follows nobody elsewhere, and asks no proxy.
fn client() -> Result<reqwest::Client, reqwest::Error> {
    // One provider for the whole process; the second start in a test finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// Works on what was asked for until told to stop. What is in flight then goes on at the
/// next start.
pub async fn run(center: Arc<Center>, stop: CancellationToken) {
    tokio::select! {
        () = run_on(&center) => {}
        () = stop.cancelled() => {}
    }
}

async fn run_on(center: &Arc<Center>) {
    let client = match client() {
        Ok(client) => client,
        Err(e) => {
            tracing::error!(error = %e, "recordings cannot be asked for");
            return;
        }
    };
    let mut happenings = center.log.subscribe();
    let mut working: JoinSet<i64> = JoinSet::new();
    let mut in_flight: HashSet<i64> = HashSet::new();
    loop {
        let due = match due(center, &in_flight).await {
            Ok(due) => due,
            Err(LogError::Stopping) => return,
            Err(e) => {
                tracing::warn!(error = %e, "recordings wait");
                rows::Due::default()
            }
        };
        for clip in due.clips {
            in_flight.insert(clip.clip);
            let (center, client) = (center.clone(), client.clone());
            working.spawn(async move {
                let number = clip.clip;
                if let Err(e) = step::take(&center, &client, clip).await {
                    tracing::warn!(error = %e, "a recording waits");
                }
                number
            });
        }
        let wait_ms = due.next_ms.map_or(IDLE_MS, |next_ms| {
            u64::try_from(next_ms - clock::now_ms())
                .unwrap_or(0)
                .clamp(10, IDLE_MS)
        });
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(wait_ms)) => {}
            Some(done) = working.join_next() => {
                match done {
                    Ok(number) => { in_flight.remove(&number); }
                    // A step that panicked is taken again: the others are not told apart.
                    Err(_) if working.is_empty() => in_flight.clear(),
                    Err(_) => {}
                }
            }
            () = is_asked(&mut happenings) => {}
        }
    }
}

async fn due(center: &Arc<Center>, in_flight: &HashSet<i64>) -> Result<rows::Due, LogError> {
    let (in_flight, now_ms) = (in_flight.clone(), clock::now_ms());
    let due = center
        .log
        .readers()
        .read(move |connection| rows::due(connection, &in_flight, IN_FLIGHT_MAX, now_ms))
        .await?;
    let waiting = i64::try_from(due.waiting).unwrap_or(i64::MAX);
    center.metrics.clips_waiting.set(waiting);
    Ok(due)
}

/// Returns when somebody asks for a recording. What was missed is found by looking.
async fn is_asked(happenings: &mut tokio::sync::broadcast::Receiver<Arc<[Happening]>>) {
    loop {
        match happenings.recv().await {
            Ok(group) if group.iter().any(asks) => return,
            Ok(_) => {}
            Err(RecvError::Lagged(_)) => return,
            Err(RecvError::Closed) => return std::future::pending().await,
        }
    }
}

fn asks(happening: &Happening) -> bool {
    let Happening::Change(change) = happening else {
        return false;
    };
    change.entry.kind() == Kind::Query
        && matches!(
            change.entry,
            Entry::Query(Query {
                what: QueryWhat::Clip,
                ..
            })
        )
}
