//! What all routes share, and the routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware;
use axum::routing::{get, post};
use mobile_core::{BootClock, Core, LinkState};
use packet::entry::ATTACHMENT_BYTES_MAX;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::access::{Access, guard};
use crate::present::Digests;
use crate::words::Times;
use crate::{attachments, beat, clips, forms, live, pages};

/// The longest form: its longest text, each character four bytes, each byte escaped.
const FORM_BYTES_MAX: usize = 64 * 1024;
/// Pages that are open at once. An officer has one or two.
const LIVE_PAGES_MAX: usize = 32;

pub(crate) struct Inner {
    pub(crate) core: Core,
    pub(crate) clock: Arc<dyn BootClock>,
    pub(crate) times: Times,
    pub(crate) label: String,
    pub(crate) notice: String,
    pub(crate) why_not: watch::Receiver<String>,
    /// Cancelled when the program ends: open pages close.
    pub(crate) shutdown: CancellationToken,
}

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct App {
    inner: Arc<Inner>,
    digests: Arc<Digests>,
    live_pages: Arc<Semaphore>,
}

impl std::fmt::Debug for App {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("App").finish_non_exhaustive()
    }
}

impl App {
    pub(crate) fn new(inner: Inner) -> Self {
        Self {
            inner: Arc::new(inner),
            digests: Arc::default(),
            live_pages: Arc::new(Semaphore::new(LIVE_PAGES_MAX)),
        }
    }

    pub(crate) fn core(&self) -> &Core {
        &self.inner.core
    }

    pub(crate) fn times(&self) -> &Times {
        &self.inner.times
    }

    pub(crate) fn label(&self) -> &str {
        &self.inner.label
    }

    pub(crate) fn notice(&self) -> &str {
        &self.inner.notice
    }

    pub(crate) fn digests(&self) -> &Digests {
        &self.digests
    }

    pub(crate) fn live_pages(&self) -> Arc<Semaphore> {
        self.live_pages.clone()
    }

    pub(crate) fn shutdown(&self) -> &CancellationToken {
        &self.inner.shutdown
    }

    pub(crate) fn link(&self) -> LinkState {
        self.core().link().borrow().clone()
    }

    /// Why nobody is signed on, as a sentence.
    pub(crate) fn why_not(&self) -> String {
        self.inner.why_not.borrow().clone()
    }

    /// Rises with [`App::why_not`].
    pub(crate) fn standing(&self) -> watch::Receiver<String> {
        self.inner.why_not.clone()
    }

    /// By the center's clock, as well as this device knows it: the clock that the
    /// page's ages go by.
    pub(crate) fn now_ms(&self) -> i64 {
        self.inner.clock.wall_ms() - self.core().clock_off_ms().unwrap_or(0)
    }
}

/// All routes, behind the gates of [`crate::access`]. `allow_link_switch` adds the one
/// with which tests and demos cut the link.
pub(crate) fn routes(app: App, access: Arc<Access>, allow_link_switch: bool) -> Router {
    let attachments = Router::new()
        .route("/calls/{call}/attachments", post(attachments::attach))
        .layer(DefaultBodyLimit::max(ATTACHMENT_BYTES_MAX as usize));
    let mut routes = Router::new()
        .route("/", get(pages::desk))
        .route("/calls/{call}", get(pages::call))
        .route("/calls/{call}/notes", post(forms::note))
        .route("/calls/{call}/queries", post(forms::query))
        .route("/calls/{call}/status", post(forms::status))
        .route("/calls/{call}/acknowledge", post(forms::acknowledge))
        .route("/calls/{call}/clips", post(clips::ask))
        .route("/calls/{call}/fetch", post(attachments::fetch))
        .route(
            "/calls/{call}/attachments/{blob}",
            get(attachments::content),
        )
        .route("/packets", post(forms::open_packet))
        .route("/beat", get(beat::page))
        .route("/beat/found", get(beat::found))
        .route("/assets/{name}", get(pages::asset))
        .route("/live", get(live::live));
    if allow_link_switch {
        routes = routes.route("/link", post(forms::link));
    }
    routes
        .layer(DefaultBodyLimit::max(FORM_BYTES_MAX))
        .merge(attachments)
        .layer(middleware::from_fn_with_state(access, guard))
        .with_state(app)
}
