//! The audit log as pages: looked through, exported, reviewed once a week.

use std::sync::Arc;

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use serde::Deserialize;

use super::forms::{self, fields_of};
use super::view::{
    AuditPage, AuditRowView, ReviewListView, ReviewPage, ReviewRowView, WitnessView,
};
use super::{Console, pages, words};
use crate::api::{allow, export_audit, look_through_audit, percent_encoded};
use crate::audit::export::{Form, rfc3339};
use crate::audit::find::{Criteria, FindRequest, Found};
use crate::audit::review::{self, Count, FOUND_CHARS_MAX, Review};
use crate::audit::{Entry, stored, witness};
use crate::clock;
use crate::doors::{Doors, get, post};
use crate::log::LogError;
use crate::policy::{Act, Actor, decide};
use crate::problem::Problem;

/// Entries on a page.
const PAGE: usize = 100;
const REVIEW: &str = "/audit/review";
/// Most names of one entry on the page.
const NAMES_MAX: usize = 8;

pub(super) fn routes() -> Doors<Arc<Console>> {
    Doors::new()
        .route("/audit", get(page))
        .route("/audit/export", get(export))
        .route(REVIEW, get(review_page))
        .route("/audit/reviews", post(sign_off))
        .route("/audit/failures/seen", post(failures_seen))
        .layer(DefaultBodyLimit::max(forms::BODY_BYTES_MAX))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct PageRequest {
    before: Option<u64>,
}

/// `GET /audit`
async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    request: Result<Query<FindRequest>, QueryRejection>,
    page: Result<Query<PageRequest>, QueryRejection>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeeAudit, "").await?;
    let Query(asked) = request.unwrap_or_default();
    let before = page.ok().and_then(|Query(page)| page.before);
    let (criteria, wrong) = match Criteria::of(&asked) {
        Ok(criteria) => (Some(criteria), String::new()),
        Err(wrong) => (
            None,
            format!("{}: {} is wanted.", wrong.field, wrong.wanted),
        ),
    };
    let found = match criteria {
        Some(criteria) => {
            look_through_audit(&console.center, &actor, &criteria, before, PAGE).await
        }
        None => Ok(Found::default()),
    };
    let sight = console.sight(&actor);
    let read = console.center.log.readers().read(move |connection| {
        Ok((
            stored::latest(connection)?,
            witness::latest(connection)?,
            super::board::open_calls(connection, &sight)?,
        ))
    });
    let (found, (signed, cosigned, open_calls)) = match (found, read.await) {
        (Ok(found), Ok(read)) => (found, read),
        (Err(e), _) | (_, Err(e)) => return Ok(pages::failed(&e)),
    };
    let now_ms = clock::now_ms();
    let query = query_of(&asked);
    let status = if wrong.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::UNPROCESSABLE_ENTITY
    };
    let page = AuditPage {
        header: console.header(open_calls),
        wrong,
        next: found.next.map(|next| format!("before={next}&{query}")),
        rows: found.entries.iter().map(row).collect(),
        signed: signed.map(|latest| (latest.size, console.times.second(latest.at_ms, now_ms))),
        witnesses: cosigned
            .into_iter()
            .map(|cosigned| WitnessView {
                agency: cosigned.agency,
                witness: cosigned.witness,
                size: cosigned.size,
                time: console.times.minute(cosigned.time_s.saturating_mul(1_000)),
            })
            .collect(),
        may_export: decide(actor.role, Act::ExportAudit),
        asked,
        query,
    };
    Ok(pages::html(status, &page))
}

/// What is asked, as a query string.
fn query_of(asked: &FindRequest) -> String {
    let mut query = String::new();
    for (name, value) in [
        ("who", &asked.who),
        ("subject_kind", &asked.subject_kind),
        ("subject", &asked.subject),
        ("call", &asked.call),
        ("device", &asked.device),
        ("from", &asked.from),
        ("to", &asked.to),
        ("purpose", &asked.purpose),
        ("act", &asked.act),
        ("allowed", &asked.allowed),
    ] {
        if !value.is_empty() {
            query += &format!("{name}={}&", percent_encoded(value));
        }
    }
    query
}

fn row(entry: &Entry) -> AuditRowView {
    let mut who = entry.who.clone();
    let names = entry.carriers.iter().take(NAMES_MAX);
    let names: Vec<String> = names
        .map(|c| format!("{} on device {}", c.who, c.device))
        .collect();
    if !names.is_empty() {
        who += &format!(": {}", names.join("; "));
        if entry.carriers.len() > names.len() {
            who += &format!("; and {} more", entry.carriers.len() - names.len());
        }
    }
    if let Some(device) = entry.device {
        who += &format!(", device {device}");
    }
    if let Some(agency) = &entry.agency {
        who += &format!(" ({agency})");
    }
    let stretch = entry.through.map(|through| match entry.after {
        Some(after) => format!("after {after} through {through}"),
        None => format!("through {through}"),
    });
    let said = |name: &str, value: &Option<String>| value.as_ref().map(|v| format!("{name} {v}"));
    let says = [
        stretch,
        Some(entry.detail.clone()).filter(|detail| !detail.is_empty()),
        (!entry.subjects.is_empty()).then(|| format!("about {}", entry.subjects.join(", "))),
        said("purpose", &entry.purpose),
        said("reason:", &entry.reason),
        said("from", &entry.from),
        said("given on to", &entry.receiver),
        (!entry.policies.is_empty()).then(|| format!("by {}", entry.policies.join(", "))),
    ];
    AuditRowView {
        id: entry.id,
        time: rfc3339(entry.at_ms),
        who,
        act: entry.act.clone(),
        object: entry.object.clone(),
        allowed: entry.allowed,
        says: says.into_iter().flatten().collect::<Vec<_>>().join(" · "),
    }
}

#[derive(Debug, Deserialize)]
struct ExportRequest {
    form: Form,
}

/// `GET /audit/export`
async fn export(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    request: Result<Query<FindRequest>, QueryRejection>,
    form: Result<Query<ExportRequest>, QueryRejection>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::ExportAudit, "").await?;
    let Query(ExportRequest { form }) =
        form.map_err(|_| Problem::bad_field("form", "json or csv"))?;
    let Query(asked) = request.unwrap_or_default();
    export_audit(&console.center, &actor, &Criteria::of(&asked)?, form).await
}

/// `GET /audit/review`
async fn review_page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::ReviewAudit, "").await?;
    Ok(shown(&console, &actor, StatusCode::OK, None, String::new()).await)
}

async fn shown(
    console: &Arc<Console>,
    actor: &Actor,
    status: StatusCode,
    refused: Option<String>,
    typed: String,
) -> Response {
    let (reading, sight) = (console.clone(), console.sight(actor));
    let read = console.center.log.readers().read(move |connection| {
        let (config, zone) = (&reading.center.config.audit, reading.times.zone());
        let due = review::due(connection, config, zone, clock::now_ms())?;
        Ok((due, super::board::open_calls(connection, &sight)?))
    });
    match read.await {
        Ok((due, open_calls)) => {
            let page = ReviewPage {
                header: console.header(open_calls),
                refused,
                found: typed,
                ..view(&console.times, due, console.header(open_calls))
            };
            pages::html(status, &page)
        }
        Err(e) => pages::failed(&e),
    }
}

fn view(times: &words::Times, due: Review, header: super::HeaderView) -> ReviewPage {
    let list = |title, none, rows: Vec<Count>| ReviewListView {
        title,
        none,
        rows: rows
            .into_iter()
            .map(|count| ReviewRowView {
                who: count.who,
                what: count.what,
                count: count.count,
                last: times.minute(count.last_ms),
            })
            .collect(),
    };
    let failures = due.failures.into_iter().map(|failure| ReviewRowView {
        who: match failure.seen_by {
            Some(by) => format!("seen by {by}"),
            None => "not seen yet".into(),
        },
        what: format!(
            "{}; {} entries were made late, {} are lost",
            failure.why, failure.late, failure.lost
        ),
        count: failure.late + failure.lost,
        last: times.minute(failure.ended_ms),
    });
    ReviewPage {
        header,
        refused: None,
        after: due.after,
        through: due.through,
        last: due
            .last
            .map(|last| (last.by, times.minute(last.at_ms), last.found)),
        overdue: due.overdue,
        lists: vec![
            list("What was denied", "Nothing was denied.", due.denials),
            list(
                "Read after hours, at the console",
                "Nothing was read after hours.",
                due.after_hours,
            ),
            list(
                "Very many documents",
                "Nobody had very many documents within an hour.",
                due.bulk_reads,
            ),
            list("Queries by purpose", "Nobody asked a source.", due.purposes),
            list(
                "Given on to another agency",
                "Nothing was given on to another agency.",
                due.second_recipients,
            ),
            list(
                "Privileged acts",
                "There was no privileged act.",
                due.privileged,
            ),
            ReviewListView {
                title: "Auditing failed",
                none: "It never did.",
                rows: failures.collect(),
            },
        ],
        without_reason: due.without_reason,
        found: String::new(),
    }
}

#[derive(Debug, Deserialize)]
struct ReviewRequest {
    through: u64,
    found: String,
}

/// `POST /audit/reviews`
async fn sign_off(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    request: Request,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::ReviewAudit, "").await?;
    let bad = StatusCode::UNPROCESSABLE_ENTITY;
    let form: ReviewRequest = match fields_of(request).await {
        Ok(form) => form,
        Err(why) => return Ok(shown(&console, &actor, bad, Some(why), String::new()).await),
    };
    let found = form.found.replace("\r\n", "\n").trim().to_owned();
    if found.is_empty() || found.chars().count() > FOUND_CHARS_MAX {
        let why = format!("Say what was found, in at most {FOUND_CHARS_MAX} characters.");
        return Ok(shown(&console, &actor, bad, Some(why), form.found).await);
    }
    let (by, said) = (actor.clone(), found.clone());
    let signed = console
        .center
        .log
        .write(move |ledger| review::sign_off(ledger, form.through, &by, &said));
    Ok(match signed.await {
        Ok(()) => Redirect::to(REVIEW).into_response(),
        Err(LogError::Conflict(why)) => {
            shown(&console, &actor, StatusCode::CONFLICT, Some(why), found).await
        }
        Err(e) => pages::failed(&e),
    })
}

/// `POST /audit/failures/seen`
async fn failures_seen(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::ReviewAudit, "").await?;
    let seen = console
        .center
        .log
        .write(move |ledger| review::see_failures(ledger, &actor));
    seen.await?;
    console.center.unkept.seen();
    Ok(Redirect::to(REVIEW).into_response())
}
