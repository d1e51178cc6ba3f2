//! What all routes share, and the routes.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::middleware::{self, Next};
use axum::response::Response;
use axum::routing::{get, post};
use mobile_core::{BootClock, Core, CoreError, LinkState};
use packet::entry::ATTACHMENT_BYTES_MAX;
use tokio::sync::{Semaphore, watch};
use tokio_util::sync::CancellationToken;

use crate::access::{Access, guard};
use crate::begin::Officer;
use crate::present::Digests;
use crate::words::Times;
use crate::{agency, attachments, beat, clips, forms, intel, live, lock, pages};

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
    /// Whose shift this program begins.
    pub(crate) officer: Option<Officer>,
    /// The unit to sign on for, whoever does.
    pub(crate) unit: Option<String>,
    pub(crate) port: u16,
    /// The agency's own sign-in is wanted.
    pub(crate) agency: watch::Sender<bool>,
    /// Whether it does: not after the officer ended it here.
    pub(crate) wants_shift: watch::Sender<bool>,
    pub(crate) demo_pin: Option<String>,
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

    pub(crate) fn wants_shift(&self) -> bool {
        *self.inner.wants_shift.borrow()
    }

    pub(crate) fn want_shift(&self, wants: bool) {
        self.inner.wants_shift.send_replace(wants);
    }

    /// Something that a sign-on waits for has come about.
    pub(crate) fn look_at_shift(&self) {
        self.inner.wants_shift.send_modify(|_| ());
    }

    /// Signs on whoever started this program, on a laptop whose shift is over.
    pub(crate) async fn sign_on_again(&self) -> Result<(), CoreError> {
        let officer = self.inner.officer.as_ref().ok_or(CoreError::SignOnFirst)?;
        let signed_on = self.core().sign_on(&officer.badge, &officer.unit).await;
        signed_on.map(drop)
    }

    pub(crate) fn unit(&self) -> Option<&str> {
        self.inner.unit.as_deref()
    }

    /// Where this page is, as the agency's sign-in leads back to it.
    pub(crate) fn origin(&self) -> String {
        format!("http://127.0.0.1:{}", self.inner.port)
    }

    pub(crate) fn wants_agency(&self) -> bool {
        *self.inner.agency.borrow()
    }

    pub(crate) fn want_agency(&self) {
        self.inner.agency.send_replace(true);
    }

    /// Somebody has, by the agency's own sign-in.
    pub(crate) fn signed_on(&self) {
        self.want_shift(true);
    }

    pub(crate) fn demo_pin(&self) -> Option<&str> {
        self.inner.demo_pin.as_deref()
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
        .route("/calls/{call}/intel", post(intel::ask))
        .route("/calls/{call}/fetch", post(attachments::fetch))
        .route(
            "/calls/{call}/attachments/{blob}",
            get(attachments::content),
        )
        .route("/lock", post(lock::lock))
        .route("/lock/digits", post(lock::digits))
        .route("/shift/renew", post(lock::renew))
        .route("/shift/end", post(lock::end))
        .route("/shift/begin", post(lock::begin))
        .route("/sign-on", get(agency::begin))
        .route(agency::BACK, get(agency::back))
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
        .layer(middleware::from_fn_with_state(app.clone(), touched))
        .layer(middleware::from_fn_with_state(access, guard))
        .with_state(app)
}

/// What the officer sends or opens is a touch; what the page asks for by itself is none.
async fn touched(State(app): State<App>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    if path != "/live" && !path.starts_with("/assets/") {
        app.core().touch();
    }
    next.run(request).await
}
