//! The page *People*: whom a supervisor lets in, and how. Of one's own agency only; whoever
//! belongs to the center itself sees all agencies', and adds people to the center.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;

use super::access::SignedIn;
use super::forms::fields_of;
use super::view::{MadeView, PasskeyRowView, PeoplePage, PersonFormView, PersonRowView};
use super::{Console, pages, words};
use crate::api::allow;
use crate::log::{Ledger, LogError};
use crate::people::accounts::{self, NewPerson};
use crate::people::links::{self, LinkFor};
use crate::people::oidc;
use crate::people::passkeys::{self, Stored};
use crate::people::{Person, PersonId, Post, watch};
use crate::policy::{Act, Actor, decide};
use crate::problem::Problem;

const PLACE: &str = "/people";

/// What the page says besides the list.
#[derive(Debug, Default)]
struct Said {
    refused: Option<String>,
    made: Option<MadeView>,
    form: PersonFormView,
}

impl Said {
    fn refused(why: String) -> Self {
        Self {
            refused: Some(why),
            ..Self::default()
        }
    }
}

/// `GET /people`
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeePeople, "").await?;
    Ok(shown(&console, &actor, StatusCode::OK, Said::default()).await)
}

async fn shown(console: &Arc<Console>, actor: &Actor, status: StatusCode, said: Said) -> Response {
    let agency = actor.agency.clone();
    let read = console.center.log.readers().read(move |connection| {
        let people = accounts::all(connection, agency.as_deref())?;
        people
            .into_iter()
            .map(|person| {
                let passkeys = passkeys::of(connection, person.id)?;
                Ok((person, passkeys))
            })
            .collect::<Result<Vec<_>, LogError>>()
    });
    let (people, open_calls) = match (read.await, console.open_calls(actor).await) {
        (Ok(people), Ok(open_calls)) => (people, open_calls),
        (Err(e), _) | (_, Err(e)) => return pages::failed(&e),
    };
    super::disclosure::listed(console, actor, Act::SeePeople, people.len()).await;
    let page = PeoplePage {
        header: console.header(open_calls),
        agency: agency_name(console, actor),
        may_change: decide(actor.role, Act::ChangePeople),
        refused: said.refused,
        made: said.made,
        form: said.form,
        people: people
            .iter()
            .map(|(person, has)| row(console, person, has))
            .collect(),
    };
    pages::html(status, &page)
}

fn agency_name(console: &Console, actor: &Actor) -> String {
    let center = &console.center.config;
    match &actor.agency {
        Some(id) => center
            .agencies
            .iter()
            .find(|agency| agency.id == *id)
            .map_or_else(|| id.clone(), |agency| agency.name.clone()),
        None => format!("{} and its agencies", center.name),
    }
}

fn row(console: &Console, person: &Person, has: &[Stored]) -> PersonRowView {
    let minute = |ms| console.times.minute(ms);
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).date();
    PersonRowView {
        number: person.id.0,
        name: person.name.clone(),
        role: match &person.agency {
            Some(agency) => format!("{}, {agency}", person.post.name()),
            None => person.post.name().to_owned(),
        },
        certifications: person
            .certifications
            .iter()
            .map(|one| {
                (
                    format!("{} until {}", one.name, one.until),
                    one.until < today,
                )
            })
            .collect(),
        certifications_text: person
            .certifications
            .iter()
            .map(|one| format!("{} {}\n", one.name, one.until))
            .collect(),
        seen: person.seen_ms.map_or_else(|| "never".to_owned(), minute),
        disabled: person
            .disabled
            .as_ref()
            .map(|d| format!("{} by {}: {}", minute(d.since_ms), d.by, d.why)),
        locked: person.locked_ms.map(minute),
        has_provider: console
            .center
            .people
            .providers
            .has(person.agency.as_deref()),
        claim: person.claim.clone().unwrap_or_default(),
        is_bound: person.is_bound,
        passkeys: has
            .iter()
            .map(|stored| PasskeyRowView {
                number: stored.number,
                label: stored.label.clone(),
                added: minute(stored.added_ms),
                used: stored.used_ms.map_or_else(|| "never".to_owned(), minute),
            })
            .collect(),
    }
}

#[derive(Debug, Deserialize)]
struct PersonForm {
    name: String,
    role: String,
    #[serde(default)]
    certifications: String,
}

impl PersonForm {
    fn read(&self, agency: Option<String>) -> Result<NewPerson, String> {
        Ok(NewPerson {
            agency,
            name: accounts::checked_name(&self.name)?,
            post: self
                .role
                .parse::<Post>()
                .map_err(|()| "role: analyst, supervisor or auditor")?,
            certifications: accounts::certifications(&self.certifications)?,
        })
    }
}

/// `POST /people`
pub(super) async fn add(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::ChangePeople, "").await?;
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    let origin = origin_of(request.headers());
    let form: PersonForm = match fields_of(request).await {
        Ok(form) => form,
        Err(why) => return Ok(shown(&console, &actor, bad, Said::refused(why)).await),
    };
    let kept = PersonFormView {
        name: form.name.clone(),
        role: form.role.clone(),
        certifications: form.certifications.clone(),
    };
    let new = match form.read(actor.agency.clone()) {
        Ok(new) => new,
        Err(why) => {
            let said = Said {
                form: kept,
                ..Said::refused(why)
            };
            return Ok(shown(&console, &actor, bad, said).await);
        }
    };
    let (name, by) = (new.name.clone(), actor.name.clone());
    let made = watch::change(&console.center, move |ledger| {
        let id = accounts::add(ledger, &new, &by)?;
        links::new(ledger, id, LinkFor::Passkey, &by)
    });
    let (status, said) = match made.await {
        Ok(secret) => (StatusCode::OK, made_said(name, &origin, &secret)),
        Err(e) => {
            let (status, said) = refused(&e);
            (status, Said { form: kept, ..said })
        }
    };
    Ok(shown(&console, &actor, status, said).await)
}

/// Where this page came from: the guard has seen to it that it is the console's own.
fn origin_of(headers: &HeaderMap) -> String {
    let origin = headers.get(header::ORIGIN).and_then(|o| o.to_str().ok());
    origin.unwrap_or_default().to_owned()
}

fn made_said(name: String, origin: &str, secret: &str) -> Said {
    let link = format!("{origin}/enrol#{secret}");
    Said {
        made: Some(MadeView { name, link }),
        ..Said::default()
    }
}

fn refused(error: &LogError) -> (StatusCode, Said) {
    match error {
        LogError::Conflict(why) => (StatusCode::CONFLICT, Said::refused(why.clone())),
        LogError::Unknown { .. } => (
            StatusCode::NOT_FOUND,
            Said::refused(
                "There is nothing of that kind to change: see the list as it is now.".into(),
            ),
        ),
        e => (
            StatusCode::SERVICE_UNAVAILABLE,
            Said::refused(words::trouble(e)),
        ),
    }
}

#[derive(Debug, Default, Deserialize)]
struct ChangeForm {
    #[serde(default)]
    text: String,
}

/// What is done to an account.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum Change {
    Disable,
    Enable,
    Release,
    Link,
    Certify,
    /// To the agency's own sign-in.
    Claim,
}

/// `POST /people/{id}/{act}`
pub(super) async fn change(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Extension(signed_in): Extension<SignedIn>,
    Path((id, act)): Path<(i64, Change)>,
    request: Request,
) -> Result<Response, Problem> {
    let id = PersonId(id);
    allow(&console.center, &actor, Act::ChangePeople, &id.to_string()).await?;
    let origin = origin_of(request.headers());
    let text = fields_of::<ChangeForm>(request)
        .await
        .unwrap_or_default()
        .text;
    if id == signed_in.person && matches!(act, Change::Disable | Change::Certify | Change::Claim) {
        let why = "Another supervisor does this to your own account.".to_owned();
        return Ok(shown(&console, &actor, StatusCode::CONFLICT, Said::refused(why)).await);
    }
    let certifications = match accounts::certifications(&text) {
        Err(why) if matches!(act, Change::Certify) => {
            let bad = StatusCode::UNPROCESSABLE_ENTITY;
            return Ok(shown(&console, &actor, bad, Said::refused(why)).await);
        }
        read => read.unwrap_or_default(),
    };
    let by = actor.clone();
    let done = watch::change(&console.center, move |ledger| {
        let person = own(ledger, &by, id)?;
        let by = &by.name;
        match act {
            Change::Disable => accounts::disable(ledger, id, by, &text)?,
            Change::Enable => accounts::enable(ledger, id, by)?,
            Change::Release => accounts::release(ledger, id, by)?,
            Change::Certify => accounts::certify(ledger, id, &certifications, by)?,
            Change::Claim => oidc::name_by(ledger, id, &text, by)?,
            Change::Link => {
                let secret = links::new(ledger, id, LinkFor::Passkey, by)?;
                return Ok(Some((person.name, secret)));
            }
        }
        Ok(None)
    });
    Ok(match done.await {
        Ok(Some((name, secret))) => {
            let said = made_said(name, &origin, &secret);
            shown(&console, &actor, StatusCode::OK, said).await
        }
        Ok(None) => Redirect::to(PLACE).into_response(),
        Err(e) => {
            let (status, said) = refused(&e);
            shown(&console, &actor, status, said).await
        }
    })
}

/// `POST /people/{id}/passkeys/{number}/withdraw`
pub(super) async fn withdraw(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path((id, number)): Path<(i64, i64)>,
) -> Result<Response, Problem> {
    let id = PersonId(id);
    allow(&console.center, &actor, Act::ChangePeople, &id.to_string()).await?;
    let by = actor.clone();
    let done = watch::change(&console.center, move |ledger| {
        own(ledger, &by, id)?;
        passkeys::withdraw(ledger, id, number, &by.name)
    });
    Ok(match done.await {
        Ok(()) => Redirect::to(PLACE).into_response(),
        Err(e) => {
            let (status, said) = refused(&e);
            shown(&console, &actor, status, said).await
        }
    })
}

/// A person that this supervisor answers for; another agency's does not exist here.
fn own(ledger: &Ledger<'_>, by: &Actor, id: PersonId) -> Result<Person, LogError> {
    let person = accounts::find(ledger.sql(), id)?;
    person
        .filter(|person| by.agency.is_none() || by.agency == person.agency)
        .ok_or(LogError::Unknown {
            what: "such an account:",
            id: id.to_string(),
        })
}
