//! An officer asks for a camera's recording. Offline it waits like any other query.

use axum::Form;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::{SignedDuration, Timestamp};
use packet::QueryWhat;
use packet::entry::NAME_CHARS_MAX;
use serde::Deserialize;

use crate::app::App;
use crate::forms::{FormError, Sent, call_of, filled, taken};
use crate::present::here;

/// How long a recording is: from five minutes before the call, or the last ten minutes.
const CLIP_MIN: i64 = 10;
const BEFORE_CALL_MIN: i64 = 5;
/// The window's two times, and what stands between them and the camera's name.
const WINDOW_CHARS: usize = 64;

#[derive(Debug, Deserialize)]
pub(crate) struct ClipRequest {
    camera: String,
    window: String,
}

/// `POST /calls/{id}/clips`
pub(crate) async fn ask(
    State(app): State<App>,
    Path(call): Path<String>,
    sent: Sent<ClipRequest>,
) -> Result<Response, FormError> {
    let (call, Form(sent)) = (call_of(&call)?, sent?);
    filled(
        "The camera's name",
        &sent.camera,
        NAME_CHARS_MAX - WINDOW_CHARS,
    )?;
    let packet = here(app.core(), call).await?.ok_or(FormError::NoCall)?;
    let received_ms = packet.facts.map(|facts| facts.received_ms);
    let (from_ms, to_ms) = window(&sent.window, received_ms, app.now_ms())?;
    let time = |ms: i64| Timestamp::from_second(ms / 1_000).map_err(|_| FormError::Choice);
    let value = format!(
        "{} @ {}/{}",
        sent.camera.trim(),
        time(from_ms)?,
        time(to_ms)?
    );
    app.core()
        .add_query(call, QueryWhat::Clip, &value, None, None)
        .await?;
    Ok(taken(
        "Asked for. It goes to the center by itself; how far it is stands among the sources.",
    ))
}

/// No window goes beyond now: what is to come cannot be had.
fn window(window: &str, received_ms: Option<i64>, now_ms: i64) -> Result<(i64, i64), FormError> {
    let ms = |minutes: i64| SignedDuration::from_mins(minutes).as_millis() as i64;
    match (window, received_ms) {
        ("call", Some(received_ms)) => {
            let from_ms = received_ms - ms(BEFORE_CALL_MIN);
            Ok((from_ms, (from_ms + ms(CLIP_MIN)).min(now_ms)))
        }
        ("now", _) => Ok((now_ms - ms(CLIP_MIN), now_ms)),
        _ => Err(FormError::Choice),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MINUTE_MS: i64 = 60_000;

    #[test]
    fn a_window_ends_now_at_the_latest() {
        let now_ms = 1_000 * MINUTE_MS;
        let long_ago = window("call", Some(now_ms - 30 * MINUTE_MS), now_ms).unwrap();
        assert_eq!(long_ago, (now_ms - 35 * MINUTE_MS, now_ms - 25 * MINUTE_MS));
        let just_now = window("call", Some(now_ms - MINUTE_MS), now_ms).unwrap();
        assert_eq!(just_now, (now_ms - 6 * MINUTE_MS, now_ms));
        let last = window("now", None, now_ms).unwrap();
        assert_eq!(last, (now_ms - 10 * MINUTE_MS, now_ms));
        assert!(window("call", None, now_ms).is_err());
        assert!(window("tomorrow", Some(1), now_ms).is_err());
    }
}
