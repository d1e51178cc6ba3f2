//! One step of one recording: ask, look, or fetch and attach.

use std::sync::Arc;

use aws_lc_rs::digest;
use data_encoding::HEXLOWER;
use packet::entry::{ATTACHMENT_BYTES_MAX, NAME_CHARS_MAX};
use packet::{Confidence, Finding, Outcome, OutcomeState, Topic};
use reqwest::Client;

use super::rows::{self, Clip, Then, outcome};
use super::video::{self, Content, Standing, VideoError, short};
use super::{FAILURES_MAX, Request, VideoConfig, WAIT_MS_MAX};
use crate::attachments::{self, AttachmentError, File};
use crate::center::Center;
use crate::clock;
use crate::log::LogError;

/// Between two looks at what is being made: a quarter of how long it took so far, within
/// these.
const LOOK_MS_MIN: i64 = 500;
const LOOK_MS_MAX: i64 = 15_000;
/// After the first failure; each further one doubles it.
const RETRY_MS: i64 = 2_000;

/// What a step came to.
enum Came {
    /// The video system will make it.
    Asked(String),
    NotYet,
    Here(Content),
}

pub(super) async fn take(
    center: &Arc<Center>,
    client: &Client,
    clip: Clip,
) -> Result<(), LogError> {
    let Some(video) = &center.config.video else {
        let why = "this center has no video system";
        return end(center, "Recordings", clip, OutcomeState::Refused, why).await;
    };
    let request = match Request::parse(&clip.value) {
        Ok(request) => request,
        Err(why) => return end(center, &video.name, clip, OutcomeState::Failed, &why).await,
    };
    let now_ms = clock::now_ms();
    if now_ms - clip.asked_ms > WAIT_MS_MAX {
        let why = format!("it was not there after {} minutes", WAIT_MS_MAX / 60_000);
        return end(center, &video.name, clip, OutcomeState::TimedOut, &why).await;
    }
    let came = step(client, video, &clip, &request).await;
    let again = |due_ms, job| Then::Again {
        due_ms,
        job,
        failures: 0,
    };
    match came {
        Ok(Came::Asked(job)) => {
            let told = Outcome {
                detail: Some("the recording is being made".into()),
                ..of(&video.name, &clip, OutcomeState::Asked)
            };
            let then = again(now_ms + LOOK_MS_MIN, Some(job));
            keep(center, clip, then, None, Some(told)).await
        }
        Ok(Came::NotYet) => {
            let rest_ms = ((now_ms - clip.asked_ms) / 4).clamp(LOOK_MS_MIN, LOOK_MS_MAX);
            let then = again(now_ms + rest_ms, clip.job.clone());
            keep(center, clip, then, None, None).await
        }
        Ok(Came::Here(content)) => attach(center, video, clip, &request, content).await,
        Err(VideoError::Trouble(why)) => {
            let failures = clip.failures + 1;
            if failures > FAILURES_MAX {
                return end(center, &video.name, clip, OutcomeState::Failed, &why).await;
            }
            // Said once: that it is tried again, and why.
            let told = (failures == 1).then(|| Outcome {
                detail: Some(short(&why)),
                ..of(&video.name, &clip, OutcomeState::Retrying)
            });
            // Those that failed together do not come again together.
            let spread_ms = clip.clip.rem_euclid(8) * RETRY_MS / 8;
            let then = Then::Again {
                due_ms: now_ms + (RETRY_MS << (failures - 1)) + spread_ms,
                job: clip.job.clone(),
                failures,
            };
            keep(center, clip, then, None, told).await
        }
        Err(e @ VideoError::Refused(_)) => {
            let why = e.to_string();
            end(center, &video.name, clip, OutcomeState::Refused, &why).await
        }
        Err(e @ (VideoError::Failed(_) | VideoError::TooLarge)) => {
            let why = e.to_string();
            end(center, &video.name, clip, OutcomeState::Failed, &why).await
        }
    }
}

async fn step(
    client: &Client,
    video: &VideoConfig,
    clip: &Clip,
    request: &Request,
) -> Result<Came, VideoError> {
    let Some(job) = &clip.job else {
        // The same query has the same reference, however often it is asked.
        let reference = format!("{}.{}", clip.document, clip.entry);
        let asked = video::ask(client, video, request, &reference).await?;
        return Ok(Came::Asked(asked));
    };
    match video::look(client, video, job).await? {
        Standing::Pending => Ok(Came::NotYet),
        Standing::Failed { reason } => Err(VideoError::Failed(if reason.is_empty() {
            "the recording could not be made".into()
        } else {
            short(&reason)
        })),
        Standing::Ready { bytes, .. }
            if bytes.is_some_and(|bytes| bytes > u64::from(ATTACHMENT_BYTES_MAX)) =>
        {
            Err(VideoError::TooLarge)
        }
        Standing::Ready { sha256, .. } => {
            let content = video::fetch(client, video, job).await?;
            let is = HEXLOWER.encode(digest::digest(&digest::SHA256, &content.bytes).as_ref());
            match sha256 {
                Some(said) if !said.eq_ignore_ascii_case(&is) => Err(VideoError::Trouble(
                    "what came does not fit the hash that it stated".into(),
                )),
                _ => Ok(Came::Here(content)),
            }
        }
    }
}

/// Attaches what came, where the packet has it not yet, and says so.
async fn attach(
    center: &Arc<Center>,
    video: &VideoConfig,
    clip: Clip,
    request: &Request,
    content: Content,
) -> Result<(), LogError> {
    let blob = digest::digest(&digest::SHA256, &content.bytes);
    let digits = HEXLOWER.encode(blob.as_ref());
    let bytes = content.bytes.len();
    if !is_attached(center, &clip, &digits).await? {
        let media_type = if content.media_type.is_empty() {
            "application/octet-stream".into()
        } else {
            content.media_type
        };
        let file = File {
            content: content.bytes.into(),
            name: file_name(request, &media_type),
            media_type,
            by: video.name.clone(),
        };
        match attachments::add(center, clip.document.call, file, &video.name).await {
            Ok(_) => {}
            Err(AttachmentError::Log(e @ (LogError::Full | LogError::Stopping))) => return Err(e),
            Err(e) => {
                let why = e.to_string();
                return end(center, &video.name, clip, OutcomeState::Failed, &why).await;
            }
        }
    }
    center.metrics.clips_attached.inc();
    let finding = Finding {
        source: video.name.clone(),
        title: short(&format!("Recording of {}", request.camera)),
        text: format!(
            "{} to {}, {bytes} bytes, attached.\nSHA-256 {digits}",
            request.from, request.to
        ),
        query: short(&clip.value),
        recorded_ms: Some(request.from.as_millisecond()),
        answered_ms: clock::now_ms(),
        confidence: Confidence::Exact,
        topic: Topic::Camera,
        link: None,
        ends_ms: None,
        answers: Some(clip.entry),
    };
    let told = Outcome {
        took_ms: u32::try_from(clock::now_ms() - clip.asked_ms).ok(),
        ..of(&video.name, &clip, OutcomeState::Answered)
    };
    keep(center, clip, Then::End, Some(finding), Some(told)).await
}

async fn is_attached(center: &Arc<Center>, clip: &Clip, digits: &str) -> Result<bool, LogError> {
    let (call, blob) = (clip.document.call, attachments::blob_of(digits));
    let found = center
        .log
        .readers()
        .read(move |connection| match &blob {
            Some(blob) => attachments::find_in_call(connection, blob, call),
            None => Ok(None),
        })
        .await?;
    Ok(found.is_some())
}

/// Such as `Ramp 4 2026-11-28T18-00-00Z.mp4`: no slash, colon or control character is in it.
fn file_name(request: &Request, media_type: &str) -> String {
    let ending = if media_type == "video/mp4" {
        ".mp4"
    } else {
        ""
    };
    let name = format!("{} {}{ending}", request.camera, request.from);
    let plain = name.chars().map(|c| {
        if c.is_alphanumeric() || " -.".contains(c) {
            c
        } else {
            '-'
        }
    });
    plain.take(NAME_CHARS_MAX).collect()
}

fn of(source: &str, clip: &Clip, state: OutcomeState) -> Outcome {
    outcome(source, short(&clip.value), state, clip.entry)
}

async fn end(
    center: &Arc<Center>,
    source: &str,
    clip: Clip,
    state: OutcomeState,
    why: &str,
) -> Result<(), LogError> {
    center.metrics.clips_failed.inc();
    let told = Outcome {
        detail: Some(short(why)),
        ..of(source, &clip, state)
    };
    keep(center, clip, Then::End, None, Some(told)).await
}

async fn keep(
    center: &Arc<Center>,
    clip: Clip,
    then: Then,
    finding: Option<Finding>,
    told: Option<Outcome>,
) -> Result<(), LogError> {
    center
        .log
        .write(move |ledger| rows::keep(ledger, &clip, &then, finding, told))
        .await
}
