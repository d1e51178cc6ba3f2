//! Passkeys over HTTP: a question, and the authenticator's answer to it, as JSON.
//!
//! To whoever is refused it is not said whether the account is known, disabled or locked:
//! the audit log has that.

use std::sync::Arc;

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential};

use super::{
    Console, browser, earlier, end_earlier, entered, failed, is_exempt, nobody, refused, session,
};
use crate::clock;
use crate::log::{Ledger, LogError};
use crate::people::links::{self, LinkFor};
use crate::people::passkeys::{self, Asked, PasskeyError, Passkeys};
use crate::people::{PersonId, accounts, put_on_record, sessions, watch};
use crate::policy::Act;

const NOT_SIGNED_IN: &str = "Not signed in. Try again; when it goes on, ask your agency's supervisor whether your account is locked.";
const LINK_OVER: &str =
    "This link was used already, or is too old. Ask your agency's supervisor for another.";

async fn json<T: DeserializeOwned>(request: Request) -> Result<T, Response> {
    match Json::<T>::from_request(request, &()).await {
        Ok(Json(body)) => Ok(body),
        Err(e) => Err(refused(StatusCode::UNPROCESSABLE_ENTITY, &e.body_text())),
    }
}

fn question(asked: Result<Asked, LogError>) -> Response {
    match asked {
        Ok(asked) => Json(asked).into_response(),
        Err(e) => failed(&e),
    }
}

/// `POST /sign-in/passkey/start`
pub(super) async fn start(State(console): State<Arc<Console>>) -> Response {
    question(
        console
            .center
            .people
            .passkeys
            .ask_to_sign_in(clock::now_ms()),
    )
}

#[derive(Debug, Deserialize)]
struct Answered {
    ceremony: String,
    credential: PublicKeyCredential,
}

/// What became of a try.
enum Tried {
    In(String),
    Not,
}

/// `POST /sign-in/passkey/finish`
pub(super) async fn finish(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    let earlier = earlier(&console, request.headers(), &from).await;
    let Answered {
        ceremony,
        credential,
    } = match json(request).await {
        Ok(answered) => answered,
        Err(refused) => return refused,
    };
    let (handle, id) = Passkeys::claimed(&credential);
    let (handle, id) = (handle.unwrap_or_default().to_vec(), id.to_vec());
    let read = console
        .center
        .log
        .readers()
        .read(move |connection| passkeys::find(connection, &handle, &id));
    let stored = match read.await {
        Ok(Some(stored)) => stored,
        Ok(None) => {
            nobody(&console, "a passkey that no account has", &from).await;
            return refused(StatusCode::FORBIDDEN, NOT_SIGNED_IN);
        }
        Err(e) => return failed(&e),
    };
    let now_ms = clock::now_ms();
    let judged = console
        .center
        .people
        .passkeys
        .signed_in(&ceremony, &credential, &stored, now_ms);
    let exempt = is_exempt(&console, &from);
    let work = move |ledger: &mut Ledger<'_>| {
        let (number, person) = (stored.number, stored.person);
        let passkey = match judged {
            Ok(passkey) => passkey,
            Err(why) => return not(ledger, person, &why).map(|()| Tried::Not),
        };
        match sessions::begin(ledger, person, "passkey", &from, exempt) {
            Ok((_, token)) => {
                passkeys::used(ledger, number, &passkey)?;
                end_earlier(ledger, earlier)?;
                Ok(Tried::In(token))
            }
            Err(LogError::Conflict(why)) => barred(ledger, person, &why).map(|()| Tried::Not),
            Err(e) => Err(e),
        }
    };
    match watch::change(&console.center, work).await {
        Ok(Tried::In(token)) => entered(&token),
        Ok(Tried::Not) => refused(StatusCode::FORBIDDEN, NOT_SIGNED_IN),
        Err(e) => failed(&e),
    }
}

/// A wrong answer counts; a late one does not.
fn not(ledger: &mut Ledger<'_>, person: PersonId, why: &PasskeyError) -> Result<(), LogError> {
    match why {
        PasskeyError::Refused(why) => accounts::bad_try(ledger, person, why).map(|_| ()),
        PasskeyError::Over => barred(ledger, person, &why.to_string()),
    }
}

/// A good key that opens nothing, on record.
fn barred(ledger: &Ledger<'_>, person: PersonId, why: &str) -> Result<(), LogError> {
    let name = accounts::find(ledger.sql(), person)?.map_or_else(|| person.to_string(), |p| p.name);
    let detail = format!("refused: {why}");
    put_on_record(ledger, &name, Act::SignInAtConsole, person, false, detail)
}

#[derive(Debug, Deserialize)]
struct EnrolRequest {
    link: String,
}

/// `POST /enrol/start`: the link stays good until a passkey is there.
pub(super) async fn enrol_start(State(console): State<Arc<Console>>, request: Request) -> Response {
    let from = browser(&request);
    let EnrolRequest { link } = match json(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let now_ms = clock::now_ms();
    let read = console.center.log.readers().read(move |connection| {
        let Some(id) = links::holder(connection, &link, LinkFor::Passkey, now_ms)? else {
            return Ok(None);
        };
        let Some(person) = accounts::find(connection, id)? else {
            return Ok(None);
        };
        let handle = accounts::handle(connection, id)?;
        Ok(Some((person, handle, passkeys::of(connection, id)?)))
    });
    match read.await {
        Ok(Some((person, _, _))) if person.disabled.is_some() => {
            refused(StatusCode::FORBIDDEN, LINK_OVER)
        }
        Ok(Some((person, handle, has))) => {
            let asked = console
                .center
                .people
                .passkeys
                .ask_to_add(&person, handle, &has, now_ms);
            match asked {
                Ok(asked) => Json(serde_json::json!({
                    "ceremony": asked.ceremony,
                    "options": asked.options,
                    "name": person.name,
                }))
                .into_response(),
                Err(e) => failed(&e),
            }
        }
        Ok(None) => {
            nobody(&console, "a link that is not good", &from).await;
            refused(StatusCode::FORBIDDEN, LINK_OVER)
        }
        Err(e) => failed(&e),
    }
}

#[derive(Debug, Deserialize)]
struct EnrolledRequest {
    link: String,
    ceremony: String,
    #[serde(default)]
    label: String,
    credential: RegisterPublicKeyCredential,
}

/// `POST /enrol/finish`: spends the link, keeps the passkey and signs its person in.
pub(super) async fn enrol_finish(
    State(console): State<Arc<Console>>,
    request: Request,
) -> Response {
    let from = browser(&request);
    let earlier = earlier(&console, request.headers(), &from).await;
    let EnrolledRequest {
        link,
        ceremony,
        label,
        credential,
    } = match json(request).await {
        Ok(request) => request,
        Err(refused) => return refused,
    };
    let added = console
        .center
        .people
        .passkeys
        .added(&ceremony, &credential, clock::now_ms());
    let (person, passkey) = match added {
        Ok(added) => added,
        Err(why) => {
            nobody(&console, "a passkey that could not be added", &from).await;
            return refused(
                StatusCode::UNPROCESSABLE_ENTITY,
                &format!("Not added: {why}."),
            );
        }
    };
    let exempt = is_exempt(&console, &from);
    let work = move |ledger: &mut Ledger<'_>| {
        if links::spend(ledger, &link, LinkFor::Passkey)? != Some(person) {
            return Ok(Tried::Not);
        }
        passkeys::keep(ledger, person, &passkey, &label)?;
        end_earlier(ledger, earlier)?;
        let (_, token) = sessions::begin(ledger, person, "a new passkey", &from, exempt)?;
        Ok(Tried::In(token))
    };
    match watch::change(&console.center, work).await {
        Ok(Tried::In(token)) => entered(&token),
        Ok(Tried::Not) => refused(StatusCode::FORBIDDEN, LINK_OVER),
        Err(e) => failed(&e),
    }
}

/// `POST /session/unlock/start`
pub(super) async fn unlock_start(
    State(console): State<Arc<Console>>,
    request: Request,
) -> Response {
    let from = browser(&request);
    let found = match session(&console, request.headers(), &from).await {
        Ok(found) => found,
        Err(failed) => return failed,
    };
    let Some((session, _)) = found else {
        return refused(StatusCode::UNAUTHORIZED, "Your session is over. Sign in.");
    };
    let person = session.person.id;
    let read = console
        .center
        .log
        .readers()
        .read(move |connection| passkeys::of(connection, person));
    let asked = match read.await {
        Ok(has) => {
            let passkeys = &console.center.people.passkeys;
            passkeys.ask_to_unlock(session.id, &has, clock::now_ms())
        }
        Err(e) => Err(e),
    };
    question(asked)
}

/// `POST /session/unlock/finish`
pub(super) async fn unlock_finish(
    State(console): State<Arc<Console>>,
    request: Request,
) -> Response {
    let from = browser(&request);
    let found = match session(&console, request.headers(), &from).await {
        Ok(found) => found,
        Err(failed) => return failed,
    };
    let Some((session, _)) = found else {
        return refused(StatusCode::UNAUTHORIZED, "Your session is over. Sign in.");
    };
    let Answered {
        ceremony,
        credential,
    } = match json(request).await {
        Ok(answered) => answered,
        Err(refused) => return refused,
    };
    let person = session.person.id;
    let read = console
        .center
        .log
        .readers()
        .read(move |connection| passkeys::of(connection, person));
    let has = match read.await {
        Ok(has) => has,
        Err(e) => return failed(&e),
    };
    let now_ms = clock::now_ms();
    let judged =
        console
            .center
            .people
            .passkeys
            .unlocked(&ceremony, session.id, &credential, &has, now_ms);
    let exempt = is_exempt(&console, &from);
    let work = move |ledger: &mut Ledger<'_>| {
        let passkey = match judged {
            Ok(passkey) => passkey,
            Err(why) => return not(ledger, person, &why).map(|()| Tried::Not),
        };
        match sessions::unlock(ledger, &session, "passkey", &from, exempt) {
            Ok(token) => {
                let stored = has
                    .iter()
                    .find(|s| s.passkey.cred_id() == passkey.cred_id());
                if let Some(stored) = stored {
                    passkeys::used(ledger, stored.number, &passkey)?;
                }
                Ok(Tried::In(token))
            }
            Err(LogError::Conflict(why)) => barred(ledger, person, &why).map(|()| Tried::Not),
            Err(e) => Err(e),
        }
    };
    match watch::change(&console.center, work).await {
        Ok(Tried::In(token)) => entered(&token),
        Ok(Tried::Not) => refused(StatusCode::FORBIDDEN, NOT_SIGNED_IN),
        Err(e) => failed(&e),
    }
}
