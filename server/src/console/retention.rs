//! What comes to the end of its period, what is on hold and what was purged, as a page; a form
//! to say what becomes of a document.
//!
//! A supervisor sees what is their agency's. A document of another agency is answered like
//! one that never was, in the same words.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use packet::{CallId, Compartment, DocumentId};
use serde::Deserialize;

use super::forms::fields_of;
use super::view::{DueRowView, HeldRowView, PurgedRowView, RetentionPage};
use super::words::Times;
use super::{Console, disclosure, pages, words};
use crate::api::allow;
use crate::clock;
use crate::log::LogError;
use crate::policy::{Act, Actor, CENTER, On, Who, agency_of};
use crate::problem::Problem;
use crate::retention::due::{self, Due};
use crate::retention::hold::{self, Hold};
use crate::retention::purge::{self, Purged};

const PLACE: &str = "/retention";
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// Characters of a reason.
const WHY_CHARS: std::ops::RangeInclusive<usize> = 3..=500;
const NO_SUCH: &str = "Your agency has no such document.";

/// `GET /retention`
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeeRetention, "").await?;
    Ok(shown(&console, &actor, StatusCode::OK, None).await)
}

async fn shown(
    console: &Arc<Console>,
    actor: &Actor,
    status: StatusCode,
    refused: Option<String>,
) -> Response {
    let config = console.center.config.retention;
    let until_ms = clock::now_ms() + i64::from(config.warn_days) * DAY_MS;
    let agency = actor.agency.clone().unwrap_or_else(|| CENTER.to_owned());
    let of = agency.clone();
    let read = console.center.log.readers().read(move |connection| {
        let due = due::before(connection, &config, until_ms, Some(&of))?;
        let held = hold::in_force(connection, &of)?;
        Ok((due, held, purge::purged(connection, &of)?))
    });
    let ((due, held, purged), open_calls) = match (read.await, console.open_calls(actor).await) {
        (Ok(read), Ok(open_calls)) => (read, open_calls),
        (Err(e), _) | (_, Err(e)) => return pages::failed(&e),
    };
    let may = |of: DocumentId| may(console, actor, Act::Retain(of.compartment), &agency);
    let times = &console.times;
    let due = due.iter().filter(|due| may(due.document));
    let held = held.iter().filter(|hold| may(hold.document));
    let purged = purged.iter().filter(|purged| may(purged.document));
    let page = RetentionPage {
        header: console.header(open_calls),
        refused,
        warn_days: config.warn_days,
        due: due.map(|due| row(times, due)).collect(),
        held: held.map(|hold| held_row(times, hold)).collect(),
        purged: purged.map(|purged| gone(times, purged)).collect(),
    };
    let count = page.due.len() + page.held.len() + page.purged.len();
    disclosure::listed(console, actor, Act::SeeRetention, count).await;
    pages::html(status, &page)
}

fn may(console: &Console, actor: &Actor, act: Act, agency: &str) -> bool {
    let policies = &console.center.policies;
    policies.decide(&Who::from(actor), act, On::call(act, agency))
}

fn row(times: &Times, due: &Due) -> DueRowView {
    DueRowView {
        document: due.document.to_string(),
        number: due.number.clone(),
        first: times.minute(due.first_ms),
        ends: times.minute(due.ends_ms),
    }
}

fn held_row(times: &Times, hold: &Hold) -> HeldRowView {
    HeldRowView {
        document: hold.document.to_string(),
        number: hold.number.clone(),
        at: times.minute(hold.at_ms),
        by: hold.by.clone(),
        why: hold.why.clone(),
    }
}

fn gone(times: &Times, purged: &Purged) -> PurgedRowView {
    PurgedRowView {
        document: purged.document.to_string(),
        at: times.minute(purged.at_ms),
        by: purged.by.clone(),
        why: purged.why.clone(),
    }
}

/// As the form sends it.
#[derive(Debug, Deserialize)]
struct DocumentForm {
    /// `CALL/compartment`.
    document: String,
    why: String,
    what: What,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum What {
    Hold,
    Release,
    Keep,
    Purge,
}

impl What {
    fn act(self, compartment: Compartment) -> Act {
        match self {
            Self::Purge => Act::Purge(compartment),
            _ => Act::Retain(compartment),
        }
    }
}

fn document_of(text: &str) -> Option<DocumentId> {
    let (call, compartment) = text.trim().split_once('/')?;
    let call: CallId = call.parse().ok()?;
    let named = |known: &Compartment| known.name() == compartment;
    let compartment = Compartment::ALL.into_iter().find(named)?;
    Some(DocumentId::new(call, compartment))
}

/// `POST /retention`
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeeRetention, "").await?;
    Ok(match done(&console, &actor, request).await {
        Ok(()) => Redirect::to(PLACE).into_response(),
        Err((status, why)) => shown(&console, &actor, status, Some(why)).await,
    })
}

async fn done(
    console: &Arc<Console>,
    actor: &Actor,
    request: Request,
) -> Result<(), (StatusCode, String)> {
    let wrong = |why: String| (StatusCode::UNPROCESSABLE_ENTITY, why);
    let form: DocumentForm = fields_of(request).await.map_err(wrong)?;
    let document = document_of(&form.document).ok_or_else(|| {
        wrong("Document: a call's id, a stroke and a compartment, as in this page's rows.".into())
    })?;
    let why = form.why.trim().to_owned();
    if !WHY_CHARS.contains(&why.chars().count()) {
        return Err(wrong("Reason: 3 to 500 characters.".into()));
    }
    let failed = |error: LogError| match error {
        LogError::Conflict(why) => wrong(why),
        LogError::Unknown { .. } => (StatusCode::NOT_FOUND, NO_SUCH.into()),
        error => (StatusCode::SERVICE_UNAVAILABLE, words::trouble(&error)),
    };
    let center = &console.center;
    let agency = center
        .log
        .readers()
        .read(move |connection| agency_of(connection, document.call));
    let agency = agency.await.map_err(failed)?;
    let act = form.what.act(document.compartment);
    if !agency.is_some_and(|agency| may(console, actor, act, &agency)) {
        center.denied(actor, act, document.to_string()).await;
        return Err((StatusCode::NOT_FOUND, NO_SUCH.into()));
    }
    let (by, what) = (actor.clone(), form.what);
    let write = center.log.write(move |ledger| match what {
        What::Hold => hold::begin(ledger, document, &by, &why),
        What::Release => hold::end(ledger, document, &by, &why),
        What::Keep => hold::retain(ledger, document, &by, &why),
        What::Purge => purge::purge(ledger, document, Some(&by), &why),
    });
    write.await.map_err(failed)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_document_is_named_as_the_rows_name_it() {
        let document = DocumentId::new(CallId(0x0102_0304_0506_0708), Compartment::Intel);
        assert_eq!(document_of(&document.to_string()), Some(document));
        for wrong in ["", "intel", "x/intel", "0102030405060708/secrets"] {
            assert_eq!(document_of(wrong), None, "{wrong}");
        }
    }
}
