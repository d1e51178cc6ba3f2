//! The pages' sockets: each sends a region when it differs from what the page has.
//!
//! A socket ends when its page goes, when it is too slow, when its session is locked or
//! over, or when the center stops.

mod board;
mod packet;
mod search;

use std::sync::Arc;
use std::time::Duration;

use ::packet::CallId;
use askama::Template;
use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::ws::{Message, Utf8Bytes, WebSocket};
use axum::extract::{Query, State, WebSocketUpgrade};
use axum::http::StatusCode;
use axum::response::Response;
use serde::Deserialize;
use tokio::sync::watch;

use super::access::SignedIn;
use super::{Console, access};
use crate::api::{allow, allow_call};
use crate::policy::{Act, Actor};
use crate::problem::Problem;

/// A page hears something at least so often; after 12 s it says that it is not live.
const HEARTBEAT_MS: u64 = 4_000;
/// How long a page may take one message.
const SEND_MS_MAX: u64 = 10_000;
/// Largest message that a page sends.
const MESSAGE_BYTES_MAX: usize = 1_024;

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum PageName {
    Board,
    Call,
    Search,
}

#[derive(Debug, Deserialize)]
pub(super) struct LiveRequest {
    page: PageName,
    #[serde(default)]
    id: Option<CallId>,
}

/// Which page, and what is shown on it.
#[derive(Debug, Clone, Copy)]
enum Page {
    Board,
    Call(CallId),
    Search,
}

/// `GET /live?page=board`, `GET /live?page=call&id={id}`, `GET /live?page=search`
pub(super) async fn open(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Extension(signed_in): Extension<SignedIn>,
    request: Result<Query<LiveRequest>, QueryRejection>,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let Query(request) = request.map_err(|e| Problem::bad_field("page", e.body_text()))?;
    let page = match (&request.page, request.id) {
        (PageName::Board, _) => Page::Board,
        (PageName::Search, _) => Page::Search,
        (PageName::Call, Some(call)) => Page::Call(call),
        (PageName::Call, None) => return Err(Problem::bad_field("id", "a call's id")),
    };
    let act = page.act();
    let object = match page {
        Page::Board | Page::Search => String::new(),
        Page::Call(call) => call.to_string(),
    };
    // Before it is decided: a change of policies that comes between is heard.
    let changes = console.center.policies.changes();
    match page {
        Page::Call(_) => drop(allow_call(&console.center, &actor, act, &object).await?),
        Page::Board | Page::Search => allow(&console.center, &actor, act, &object).await?,
    }
    let Ok(place) = console.places.clone().try_acquire_owned() else {
        return Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "Too many pages",
            "The center keeps no more pages up to date.",
        ));
    };
    let upgrade = upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX);
    Ok(upgrade.on_upgrade(move |socket| async move {
        let mut line = Line {
            socket,
            actor: actor.clone(),
        };
        tokio::select! {
            biased;
            // Locked or over: from this moment on nothing more is said.
            () = access::over(&console, signed_in.session, &actor) => {}
            () = run(&console, &mut line, page) => {}
            () = console.stop.cancelled() => {}
            // The page comes back, and it is decided about anew what it is given.
            () = decided_otherwise(&console, &actor, page, changes) => {}
        }
        line.close().await;
        drop(place);
    }))
}

/// Waits until policies, people or the date have changed what this person may see on the page.
async fn decided_otherwise(
    console: &Arc<Console>,
    actor: &Actor,
    page: Page,
    mut changes: watch::Receiver<u64>,
) {
    let (sight, may) = (console.sight(actor), page.act());
    while changes.changed().await.is_ok() {
        if console.sight(actor) != sight || !console.center.policies.may(actor, may) {
            return;
        }
    }
    // The center has gone, and with it whatever could change.
    std::future::pending().await
}

impl Page {
    fn act(self) -> Act {
        match self {
            Self::Board => Act::SeeBoard,
            Self::Search => Act::Search,
            Self::Call(_) => Act::SeePacket,
        }
    }
}

async fn run(console: &Arc<Console>, line: &mut Line, page: Page) {
    match page {
        Page::Board => board::run(console, line).await,
        Page::Search => search::run(console, line).await,
        Page::Call(call) => packet::run(console, line, call).await,
    }
}

/// What a page says.
#[derive(Debug, Deserialize)]
struct ShownRequest {
    shown: bool,
    through: String,
}

/// What came from a page.
enum Heard {
    /// Its person had this before their eyes: [`super::view::ShownThroughView::through`].
    Shown(u64),
    Nothing,
    Gone,
}

/// A page's socket.
struct Line {
    socket: WebSocket,
    /// Who looks at it.
    actor: Actor,
}

impl Line {
    /// False when the page is gone or too slow.
    async fn say(&mut self, html: Utf8Bytes) -> bool {
        let sent = tokio::time::timeout(
            Duration::from_millis(SEND_MS_MAX),
            self.socket.send(Message::Text(html)),
        );
        matches!(sent.await, Ok(Ok(())))
    }

    /// The header: also the sign that the center is there.
    async fn say_header(&mut self, console: &Console, open_calls: u64) -> bool {
        match console.header(open_calls).render() {
            Ok(html) => self.say(html.into()).await,
            Err(_) => false,
        }
    }

    async fn hear(&mut self) -> Heard {
        match self.socket.recv().await {
            Some(Ok(Message::Text(text))) => shown(&text).map_or(Heard::Nothing, Heard::Shown),
            Some(Ok(Message::Close(_)) | Err(_)) | None => Heard::Gone,
            Some(Ok(_)) => Heard::Nothing,
        }
    }

    async fn close(mut self) {
        let close = self.socket.send(Message::Close(None));
        let _ = tokio::time::timeout(Duration::from_millis(SEND_MS_MAX), close).await;
    }
}

fn shown(text: &str) -> Option<u64> {
    let request: ShownRequest = serde_json::from_str(text).ok()?;
    request.shown.then(|| request.through.parse().ok())?
}

fn heartbeat() -> tokio::time::Interval {
    let mut ticks = tokio::time::interval(Duration::from_millis(HEARTBEAT_MS));
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    ticks
}
