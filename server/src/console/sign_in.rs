//! The pages by which people sign in, and what becomes of a session afterwards.
//!
//! | route | needs |
//! |---|---|
//! | `GET /sign-in?to=` | nothing |
//! | `POST /sign-in/passkey/start`, `…/finish` | nothing: [`passkey`] |
//! | `GET /sign-in/oidc?agency=&to=`, `GET /sign-in/oidc/back` | nothing; the way to an agency's provider and back: [`oidc`] |
//! | `POST /sign-in/link` | a demo's link |
//! | `GET /enrol`, `POST /enrol/start`, `…/finish` | a link; the page reads it from behind its `#` |
//! | `GET /session` | nothing; says how the cookie's session stands |
//! | `GET /notice?to=`, `POST /notice` | a session |
//! | `POST /session/used`, `/session/lock`, `/session/end` | a session |
//! | `POST /session/unlock/start`, `…/finish` | a session that is not over |
//!
//! A sign-in never makes an account.

pub(super) mod cookie;
mod oidc;
mod passkey;

use std::sync::Arc;

use axum::Json;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::{Deserialize, Serialize};

use super::access::{browser, session_of};
use super::view::{EnrolPage, NoticeToReadPage, SignInPage};
use super::{Console, pages};
use crate::doors::{Doors, get, post};
use crate::log::LogError;
use crate::people::links::{self, LinkFor};
use crate::people::sessions::{self, Browser, Session, SessionId, Standing};
use crate::people::{PersonId, passkeys, put_on_record, watch};
use crate::policy::Act;

/// An answer of an authenticator, with room for a large attestation.
const BODY_BYTES_MAX: usize = 64 * 1024;

pub(super) fn router() -> Doors<Arc<Console>> {
    Doors::new()
        .route("/sign-in", get(page))
        .route("/sign-in/passkey/start", post(passkey::start))
        .route("/sign-in/passkey/finish", post(passkey::finish))
        .route("/sign-in/link", post(by_link))
        .route("/sign-in/oidc", get(oidc::send))
        .route("/sign-in/oidc/back", get(oidc::back))
        .route("/enrol", get(enrol_page))
        .route("/enrol/start", post(passkey::enrol_start))
        .route("/enrol/finish", post(passkey::enrol_finish))
        .route("/notice", get(notice).post(acknowledge))
        .route("/session", get(standing))
        .route("/session/used", post(used))
        .route("/session/lock", post(lock))
        .route("/session/end", post(end))
        .route("/session/unlock/start", post(passkey::unlock_start))
        .route("/session/unlock/finish", post(passkey::unlock_finish))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
}

/// Where to go when it is done.
#[derive(Debug, Default, Deserialize)]
struct To {
    #[serde(default)]
    to: String,
}

impl To {
    /// A page of this console, and nothing else: a link must not lead elsewhere.
    fn place(&self) -> &str {
        let own = self.to.starts_with('/')
            && !self.to.starts_with("//")
            && !self.to.contains(|c: char| c == '\\' || c.is_control());
        if own { &self.to } else { "/" }
    }
}

/// This page, and where it leads to afterwards.
pub(super) fn leading_to(page: &str, to: &str) -> String {
    let mut escaped = String::new();
    for byte in to.bytes() {
        match byte {
            b'/' | b'-' | b'_' | b'.' | b'~' => escaped.push(char::from(byte)),
            _ if byte.is_ascii_alphanumeric() => escaped.push(char::from(byte)),
            _ => escaped.push_str(&format!("%{byte:02X}")),
        }
    }
    format!("{page}?to={escaped}")
}

/// The session of the request, unless it is over.
async fn session(
    console: &Console,
    headers: &HeaderMap,
    browser: &Browser,
) -> Result<Option<(Session, Standing)>, Response> {
    session_of(console, headers, browser)
        .await
        .map_err(|e| pages::failed(&e))
}

/// `GET /sign-in`
async fn page(
    State(console): State<Arc<Console>>,
    Query(to): Query<To>,
    request: Request,
) -> Response {
    let from = browser(&request);
    match session(&console, request.headers(), &from).await {
        Ok(Some((_, Standing::Open))) => return Redirect::to(to.place()).into_response(),
        Ok(_) => {}
        Err(failed) => return failed,
    }
    let page = SignInPage {
        center_name: console.center.config.name.clone(),
        to: to.place().to_owned(),
        providers: providers(&console),
    };
    pages::html(StatusCode::OK, &page)
}

/// The agencies that have a sign-in of their own, by id and name.
fn providers(console: &Console) -> Vec<(String, String)> {
    let agencies = &console.center.config.agencies;
    let with_name = |id: &str| {
        let name = agencies.iter().find(|agency| agency.id == id);
        (
            id.to_owned(),
            name.map_or(id, |agency| &agency.name).to_owned(),
        )
    };
    console
        .center
        .people
        .providers
        .agencies()
        .map(with_name)
        .collect()
}

/// `GET /enrol`
async fn enrol_page(State(console): State<Arc<Console>>) -> Response {
    let page = EnrolPage {
        center_name: console.center.config.name.clone(),
    };
    pages::html(StatusCode::OK, &page)
}

#[derive(Debug, Deserialize)]
struct LinkRequest {
    link: String,
}

/// `POST /sign-in/link`: the demo's.
async fn by_link(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    let headers = request.headers().clone();
    let link = match super::forms::fields_of::<LinkRequest>(request).await {
        Ok(LinkRequest { link }) => link,
        Err(why) => return refused(StatusCode::UNPROCESSABLE_ENTITY, &why),
    };
    if !console.center.config.sign_in.demo {
        return refused(StatusCode::FORBIDDEN, "This center takes no such link.");
    }
    let earlier = earlier(&console, &headers, &from).await;
    let work = move |ledger: &mut crate::log::Ledger<'_>| {
        let Some(person) = links::spend(ledger, &link, LinkFor::Demo)? else {
            return Ok(None);
        };
        end_earlier(ledger, earlier)?;
        // Without a passkey it could not be unlocked.
        let exempt = true;
        sessions::begin(ledger, person, "a demo's link", &from, exempt).map(Some)
    };
    match watch::change(&console.center, work).await {
        Ok(Some((_, token))) => entered(&token),
        Ok(None) => refused(
            StatusCode::FORBIDDEN,
            "This link was used already, or is too old. The demo prints one at each start.",
        ),
        Err(e) => failed(&e),
    }
}

/// The session that the browser had, whose place the new one takes.
async fn earlier(console: &Console, headers: &HeaderMap, from: &Browser) -> Option<SessionId> {
    let found = session_of(console, headers, from).await;
    found.ok().flatten().map(|(session, _)| session.id)
}

fn end_earlier(
    ledger: &mut crate::log::Ledger<'_>,
    earlier: Option<SessionId>,
) -> Result<(), LogError> {
    match earlier {
        Some(earlier) => sessions::end(ledger, earlier, "somebody signed in at the same browser"),
        None => Ok(()),
    }
}

fn is_exempt(console: &Console, from: &Browser) -> bool {
    let config = &console.center.config.sign_in;
    config.is_dispatch_console(from.address)
}

/// The cookie of a new token; the page then asks how the session stands.
fn entered(token: &str) -> Response {
    let Some(value) = cookie::with(token) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let mut response = Json(serde_json::json!({ "entered": true })).into_response();
    response.headers_mut().insert(header::SET_COOKIE, value);
    response
}

#[derive(Debug, Serialize)]
struct Why<'a> {
    why: &'a str,
}

/// Why not, for the page's script to show.
fn refused(status: StatusCode, why: &str) -> Response {
    (status, Json(Why { why })).into_response()
}

fn failed(error: &LogError) -> Response {
    match error {
        LogError::Conflict(why) => refused(StatusCode::CONFLICT, why),
        LogError::Unknown { .. } => refused(StatusCode::NOT_FOUND, "There is no such account."),
        error => {
            tracing::error!(%error, "a sign-in failed");
            refused(
                StatusCode::SERVICE_UNAVAILABLE,
                "The center cannot do this now. Try again.",
            )
        }
    }
}

/// As the page's script shows it.
#[derive(Debug, Serialize)]
struct StandingView {
    standing: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    person: Option<PersonView>,
    /// Where it is to be acknowledged.
    #[serde(skip_serializing_if = "Option::is_none")]
    notice: Option<String>,
}

#[derive(Debug, Serialize)]
struct PersonView {
    number: i64,
    name: String,
    role: &'static str,
    /// The agency by whose own sign-in the person unlocks, where that is so.
    #[serde(skip_serializing_if = "Option::is_none")]
    provider: Option<String>,
}

/// `GET /session`: asking is no use of it.
async fn standing(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    let found = match session(&console, request.headers(), &from).await {
        Ok(found) => found,
        Err(failed) => return failed,
    };
    let view = match found {
        None => StandingView {
            standing: "over",
            person: None,
            notice: None,
        },
        Some((session, standing)) => StandingView {
            notice: (standing == Standing::Notice)
                .then(|| console.center.config.sign_in.notice().to_owned()),
            standing: match standing {
                Standing::Notice => "notice",
                Standing::Open => "open",
                Standing::Locked => "locked",
                Standing::Over => "over",
            },
            person: Some(PersonView {
                number: session.person.id.0,
                provider: session
                    .person
                    .agency
                    .filter(|_| session.person.is_bound)
                    .filter(|agency| console.center.people.providers.has(Some(agency))),
                name: session.person.name,
                role: session.person.post.name(),
            }),
        },
    };
    Json(view).into_response()
}

/// `GET /notice`
async fn notice(
    State(console): State<Arc<Console>>,
    Query(to): Query<To>,
    request: Request,
) -> Response {
    let from = browser(&request);
    match session(&console, request.headers(), &from).await {
        Ok(Some((_, Standing::Notice))) => {}
        Ok(Some((_, Standing::Open))) => return Redirect::to(to.place()).into_response(),
        Ok(_) => return Redirect::to(&leading_to("/sign-in", to.place())).into_response(),
        Err(failed) => return failed,
    }
    let config = &console.center.config;
    let page = NoticeToReadPage {
        center_name: config.name.clone(),
        notice: config.sign_in.notice().to_owned(),
        to: to.place().to_owned(),
    };
    pages::html(StatusCode::OK, &page)
}

/// `POST /notice`
async fn acknowledge(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    let found = match session(&console, request.headers(), &from).await {
        Ok(found) => found,
        Err(failed) => return failed,
    };
    let to = super::forms::fields_of::<To>(request)
        .await
        .unwrap_or_default();
    if let Some((session, Standing::Notice)) = found {
        let done = watch::change(&console.center, move |ledger| {
            sessions::acknowledge(ledger, &session)
        });
        if let Err(e) = done.await {
            return pages::failed(&e);
        }
    }
    Redirect::to(to.place()).into_response()
}

/// `POST /session/used`: a hand was at the page.
async fn used(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    let found = match session(&console, request.headers(), &from).await {
        Ok(found) => found,
        Err(failed) => return failed,
    };
    let Some((session, Standing::Open)) = found else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let kept = console
        .center
        .log
        .write(move |ledger| sessions::seen(ledger, &session));
    match kept.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => failed(&e),
    }
}

/// `POST /session/lock`
async fn lock(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    let found = match session(&console, request.headers(), &from).await {
        Ok(found) => found,
        Err(failed) => return failed,
    };
    let Some((session, _)) = found else {
        return StatusCode::UNAUTHORIZED.into_response();
    };
    let done = watch::change(&console.center, move |ledger| {
        let person = &session.person;
        if !person.is_bound && passkeys::of(ledger.sql(), person.id)?.is_empty() {
            let why = "This account has no passkey to unlock with: sign out instead.";
            return Err(LogError::Conflict(why.into()));
        }
        sessions::lock(ledger, session.id, "by its person")
    });
    match done.await {
        Ok(()) => StatusCode::NO_CONTENT.into_response(),
        Err(e) => failed(&e),
    }
}

/// `POST /session/end`: signs out.
async fn end(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    match session(&console, request.headers(), &from).await {
        Ok(Some((session, _))) => {
            let done = watch::change(&console.center, move |ledger| {
                sessions::end(ledger, session.id, "signed out")
            });
            if let Err(e) = done.await {
                return pages::failed(&e);
            }
        }
        Ok(None) => {}
        Err(failed) => return failed,
    }
    let mut response = Redirect::to("/sign-in").into_response();
    response
        .headers_mut()
        .insert(header::SET_COOKIE, cookie::without());
    response
}

/// A try that belongs to nobody's account: on record all the same.
async fn nobody(console: &Console, why: impl Into<String>, from: &Browser) {
    let why = why.into();
    let detail = format!(
        "refused: {why}, {} at {}",
        from.kind,
        from.address.map(|a| a.to_string()).unwrap_or_default()
    );
    let kept = console.center.log.write(move |ledger| {
        put_on_record(
            ledger,
            "anonymous",
            Act::SignInAtConsole,
            PersonId(0),
            false,
            detail,
        )
    });
    if let Err(e) = kept.await {
        tracing::error!(error = %e, "a refused sign-in could not be put on record");
    }
}
