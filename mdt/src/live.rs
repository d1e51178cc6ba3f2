//! One page's WebSocket: what changed goes out, what was on the screen comes in.
//!
//! One task a page reads and writes. Changes are not queued: they mark the page as
//! behind, and once in [`PACE_MS`] at most it is sent the regions whose HTML differs
//! from what it was sent last. A page that does not read for [`SEND_MS_MAX`] is closed.
//!
//! *Shown* is taken from the page only, which says it when it is visible, and only
//! for what the page has: when more has come since, the page hears of that first,
//! and says it again.

mod regions;

use std::time::Duration;

use axum::Extension;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use mobile_core::CoreError;
use packet::CallId;
use serde::Deserialize;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};

use crate::app::App;
use crate::present::{Look, here, through};
use crate::serve::Place;
use regions::Regions;

/// Between two messages.
const PACE_MS: u64 = 100;
/// The page says that the program does not answer after 12 s of silence.
const HEADER_EVERY_MS: u64 = 4_000;
const SEND_MS_MAX: u64 = 10_000;
/// A page says which of five documents it shows.
const MESSAGE_BYTES_MAX: usize = 4 * 1024;

#[derive(Debug, Deserialize)]
pub(crate) struct LiveQuery {
    call: Option<String>,
}

/// What a page says it shows, or that the officer touched it.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct ShownMessage {
    shown: Vec<String>,
    through: String,
    touched: bool,
}

pub(crate) async fn live(
    State(app): State<App>,
    Query(query): Query<LiveQuery>,
    place: Option<Extension<Place>>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let call = match query.call.as_deref().map(str::parse::<CallId>).transpose() {
        Ok(call) => call,
        Err(_) => return StatusCode::NOT_FOUND.into_response(),
    };
    let Ok(permit) = app.live_pages().try_acquire_owned() else {
        let text = "Too many of this laptop's pages are open: close some.\n";
        return (StatusCode::SERVICE_UNAVAILABLE, text).into_response();
    };
    upgrade
        .max_message_size(MESSAGE_BYTES_MAX)
        .max_frame_size(MESSAGE_BYTES_MAX)
        .on_upgrade(move |socket| async move {
            let page = LivePage {
                app,
                call,
                socket,
                sent: Regions::default(),
                _permit: permit,
                _place: place.map(|Extension(place)| place),
            };
            if let Err(end) = page.run().await {
                tracing::debug!(%end, "a page is gone");
            }
        })
}

/// How a page's socket ended, otherwise than with the program.
#[derive(Debug, thiserror::Error)]
enum LiveEnd {
    #[error("the page closed")]
    Closed,
    #[error("the page does not read")]
    Stuck,
    #[error("WebSocket: {0}")]
    Socket(#[from] axum::Error),
    #[error("store: {0}")]
    Core(#[from] CoreError),
    #[error("a region could not be rendered: {0}")]
    Render(#[from] askama::Error),
}

struct LivePage {
    app: App,
    call: Option<CallId>,
    socket: WebSocket,
    sent: Regions,
    _permit: OwnedSemaphorePermit,
    _place: Option<Place>,
}

impl LivePage {
    async fn run(mut self) -> Result<(), LiveEnd> {
        let mut changes = self.app.core().changes();
        let mut link = self.app.core().link();
        let mut standing = self.app.standing();
        let mut locked = self.app.core().lock_state();
        let shutdown = self.app.shutdown().clone();
        let mut header = interval(Duration::from_millis(HEADER_EVERY_MS));
        header.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // The first tick, at once, sends everything.
        let (mut behind, mut header_due) = (false, false);
        let mut next = Instant::now();
        loop {
            tokio::select! {
                // First the end, since the watches end with the program too; then what
                // is due, so that no stream of news or of messages holds it up.
                biased;
                () = shutdown.cancelled() => {
                    // 1012, "service restart": the page tries again by itself.
                    self.close().await;
                    return Ok(());
                }
                () = sleep_until(next), if behind => {
                    changes.mark_unchanged();
                    link.mark_unchanged();
                    standing.mark_unchanged();
                    locked.mark_unchanged();
                    self.send(header_due).await?;
                    (behind, header_due) = (false, false);
                    next = Instant::now() + Duration::from_millis(PACE_MS);
                }
                heard = self.socket.recv() => {
                    let message = heard.ok_or(LiveEnd::Closed)??;
                    self.hear(message).await?;
                }
                changed = changes.changed() => {
                    changed.map_err(|_| LiveEnd::Closed)?;
                    behind = true;
                }
                changed = link.changed() => {
                    changed.map_err(|_| LiveEnd::Closed)?;
                    behind = true;
                }
                changed = standing.changed() => {
                    changed.map_err(|_| LiveEnd::Closed)?;
                    behind = true;
                }
                changed = locked.changed() => {
                    changed.map_err(|_| LiveEnd::Closed)?;
                    // What may not be seen any more goes at once.
                    (behind, next) = (true, Instant::now());
                }
                _ = header.tick() => {
                    (behind, header_due) = (true, true);
                }
            }
        }
    }

    /// What differs from what this page was sent last.
    async fn send(&mut self, header_due: bool) -> Result<(), LiveEnd> {
        let look = Look::take(&self.app, self.call).await?;
        let html = self.sent.news(&look, self.call.is_some(), header_due)?;
        if html.is_empty() {
            return Ok(());
        }
        let sending = self.socket.send(Message::Text(html.into()));
        timeout(Duration::from_millis(SEND_MS_MAX), sending)
            .await
            .map_err(|_| LiveEnd::Stuck)??;
        Ok(())
    }

    async fn hear(&mut self, message: Message) -> Result<(), LiveEnd> {
        let text = match message {
            Message::Text(text) => text,
            Message::Close(_) => return Err(LiveEnd::Closed),
            Message::Binary(_) | Message::Ping(_) | Message::Pong(_) => return Ok(()),
        };
        let Ok(said) = serde_json::from_str::<ShownMessage>(&text) else {
            return Ok(());
        };
        if said.touched {
            self.app.core().touch();
        }
        let Some(call) = self.call else {
            return Ok(());
        };
        let packet = here(self.app.core(), call).await?;
        if packet.is_some_and(|packet| through(&packet) == said.through) && !said.shown.is_empty() {
            self.app.core().shown(call).await?;
        }
        Ok(())
    }

    async fn close(&mut self) {
        use axum::extract::ws::{CloseFrame, close_code};
        let frame = CloseFrame {
            code: close_code::RESTART,
            reason: "the program ends".into(),
        };
        let closing = self.socket.send(Message::Close(Some(frame)));
        if timeout(Duration::from_millis(PACE_MS), closing)
            .await
            .is_err()
        {
            tracing::debug!("a page did not hear that the program ends");
        }
    }
}
