//! To an agency's own provider, and back.
//!
//! Who has come back has proved who they are to the agency: they are told what is wrong with
//! their own account, which nobody else learns.

use std::sync::Arc;

use axum::extract::{Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::{
    Console, Standing, To, browser, cookie, earlier, end_earlier, is_exempt, leading_to, nobody,
    pages, session,
};
use crate::clock;
use crate::console::view::NoticePage;
use crate::log::{Ledger, LogError};
use crate::people::oidc::{self, Answer, Known, OidcError, Wanted};
use crate::people::sessions::{self, Browser, SessionId};
use crate::people::{PersonId, accounts, put_on_record, watch};
use crate::policy::Act;

const NOBODYS: &str = "Your agency's sign-in knows you, but no account here is linked with it. Your agency's supervisor makes one, and says how your agency's sign-in names you.";
const SILENT: &str = "Your agency's sign-in does not answer. Try again, or use your passkey.";

#[derive(Debug, Deserialize)]
pub(super) struct SendRequest {
    agency: String,
    #[serde(default)]
    to: String,
    /// For the session of this browser, which is locked.
    #[serde(default)]
    unlock: Option<String>,
}

fn page(status: StatusCode, title: &str, text: &str) -> Response {
    let page = NoticePage {
        title: title.into(),
        text: text.into(),
    };
    pages::html(status, &page)
}

fn not(status: StatusCode, text: &str) -> Response {
    page(status, "Not signed in", text)
}

/// Why not, as the person reads it.
fn not_for(error: &OidcError) -> Response {
    let (status, text) = match error {
        OidcError::NoProvider => (
            StatusCode::NOT_FOUND,
            "This agency has no sign-in of its own here.",
        ),
        OidcError::Silent(_) => (StatusCode::BAD_GATEWAY, SILENT),
        OidcError::Over | OidcError::Redirect => (
            StatusCode::FORBIDDEN,
            "This took too long, was answered before, or began in another browser. Try again.",
        ),
        OidcError::Declined(_) => (
            StatusCode::FORBIDDEN,
            "Your agency's sign-in was not completed. Try again.",
        ),
        OidcError::Wrong(_) => (
            StatusCode::FORBIDDEN,
            "What your agency's sign-in said does not hold, and is on record here. Try again; if it stays so, tell your agency's administrator.",
        ),
    };
    not(status, text)
}

/// `GET /sign-in/oidc?agency=&to=`, or `&unlock=`
pub(super) async fn send(
    State(console): State<Arc<Console>>,
    Query(asked): Query<SendRequest>,
    request: Request,
) -> Response {
    let from = browser(&request);
    let wanted = if asked.unlock.is_some() {
        match session(&console, request.headers(), &from).await {
            Ok(Some((session, _))) => Wanted::Unlock(session.id),
            Ok(None) => return Redirect::to("/sign-in").into_response(),
            Err(failed) => return failed,
        }
    } else {
        let to = To { to: asked.to };
        Wanted::SignIn {
            to: to.place().to_owned(),
        }
    };
    let providers = &console.center.people.providers;
    let sent = providers.send(&asked.agency, wanted, from.address, clock::now_ms());
    match sent.await {
        Ok(sent) => match cookie::asked(&sent.secret) {
            Some(value) => {
                let mut response = Redirect::to(&sent.url).into_response();
                response.headers_mut().insert(header::SET_COOKIE, value);
                response
            }
            None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        },
        Err(e) => {
            tracing::warn!(error = %e, agency = ?asked.agency, "a provider cannot be asked");
            not_for(&e)
        }
    }
}

enum Done {
    In {
        token: String,
        to: String,
    },
    Unlocked {
        token: String,
    },
    /// Why not, as its person reads it.
    Not(String),
}

/// `GET /sign-in/oidc/back`
pub(super) async fn back(
    State(console): State<Arc<Console>>,
    Query(answer): Query<Answer>,
    request: Request,
) -> Response {
    let from = browser(&request);
    let secret = cookie::asked_before(request.headers()).unwrap_or_default();
    let providers = &console.center.people.providers;
    let (known, wanted) = match providers.back(answer, secret, clock::now_ms()).await {
        Ok(known) => known,
        Err(e) => {
            nobody(&console, format!("an agency's sign-in: {e}"), &from).await;
            return not_for(&e);
        }
    };
    let done = let_in(&console, request.headers(), from, known, wanted);
    let mut response = match done.await {
        Ok(Done::In { token, to }) => {
            let place = leading_to("/notice", &to);
            entered(&token, Redirect::to(&place).into_response())
        }
        Ok(Done::Unlocked { token }) => entered(
            &token,
            page(
                StatusCode::OK,
                "Unlocked",
                "Close this window: your page goes on behind it.",
            ),
        ),
        Ok(Done::Not(why)) => not(StatusCode::FORBIDDEN, &why),
        Err(e) => pages::failed(&e),
    };
    let headers = response.headers_mut();
    headers.append(header::SET_COOKIE, cookie::asked_no_more());
    response
}

async fn let_in(
    console: &Console,
    headers: &HeaderMap,
    from: Browser,
    known: Known,
    wanted: Wanted,
) -> Result<Done, LogError> {
    let earlier = earlier(console, headers, &from).await;
    let exempt = is_exempt(console, &from);
    let work = move |ledger: &mut Ledger<'_>| {
        let Some(person) = oidc::person(ledger, &known)? else {
            let why = format!("nobody's account: {}", known.login());
            refuse(ledger, PersonId(0), "anonymous", &why)?;
            return Ok(Done::Not(NOBODYS.into()));
        };
        match wanted {
            Wanted::SignIn { to } => {
                match sessions::begin(ledger, person, "the agency's sign-in", &from, exempt) {
                    Ok((_, token)) => {
                        end_earlier(ledger, earlier)?;
                        Ok(Done::In { token, to })
                    }
                    Err(LogError::Conflict(why)) => barred(ledger, person, &why),
                    Err(e) => Err(e),
                }
            }
            Wanted::Unlock(id) => unlock(ledger, id, person, &from, exempt),
        }
    };
    watch::change(&console.center, work).await
}

fn unlock(
    ledger: &mut Ledger<'_>,
    id: SessionId,
    person: PersonId,
    from: &Browser,
    exempt: bool,
) -> Result<Done, LogError> {
    let now_ms = ledger.now_ms();
    let session = sessions::by_id(ledger.sql(), id)?
        .filter(|session| session.standing(now_ms) != Standing::Over);
    let Some(session) = session else {
        return barred(ledger, person, "the session is over");
    };
    if session.person.id != person {
        return barred(ledger, person, "this is another person's session");
    }
    match sessions::unlock(ledger, &session, "the agency's sign-in", from, exempt) {
        Ok(token) => Ok(Done::Unlocked { token }),
        Err(LogError::Conflict(why)) => barred(ledger, person, &why),
        Err(e) => Err(e),
    }
}

/// Known, and not let in.
fn barred(ledger: &Ledger<'_>, person: PersonId, why: &str) -> Result<Done, LogError> {
    let who = accounts::find(ledger.sql(), person)?.map_or_else(|| person.to_string(), |p| p.name);
    refuse(ledger, person, &who, why)?;
    Ok(Done::Not(format!(
        "Your agency's sign-in knows you, but you are not let in: {why}. Ask your agency's supervisor."
    )))
}

fn refuse(ledger: &Ledger<'_>, person: PersonId, who: &str, why: &str) -> Result<(), LogError> {
    let detail = format!("refused: the agency's sign-in: {why}");
    put_on_record(ledger, who, Act::SignInAtConsole, person, false, detail)
}

/// With the session's cookie.
fn entered(token: &str, mut response: Response) -> Response {
    let Some(value): Option<HeaderValue> = cookie::with(token) else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    response.headers_mut().append(header::SET_COOKIE, value);
    response
}
