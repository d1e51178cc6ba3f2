//! The analyst looks through all packets, keeps searches, and is told what they find.
//!
//! Until people sign in there is one analyst, who owns every search. What was asked, what
//! was shown and which notices came are put on record.

mod notices;

use std::sync::Arc;

use axum::Extension;
use axum::Form;
use axum::extract::rejection::{FormRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderName, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::pages::{failed, html};
use super::view::{FoundEntryView, FoundView, ResultsView, SavedView, SearchPage};
use super::{Console, board, forms, words};
use crate::api::{allow, disclose_found};
use crate::audit::{self, Record};
use crate::clock;
use crate::log::LogError;
use crate::policy::{Act, Actor, Sight};
use crate::problem::Problem;
use crate::search::{
    Criteria, Found, FoundEntry, FoundPacket, Page, SearchRequest, Wrong, find, saved,
};

pub(super) use notices::{keep, read as read_notices, record as record_notices};

/// Packets on one page.
const PAGE: usize = 25;
/// Whose the searches are.
const OWNER: &str = "Analyst (RTCC)";
/// Tells htmx to load the page anew, with what is typed in its address.
const HX_REFRESH: HeaderName = HeaderName::from_static("hx-refresh");

#[derive(Debug, Deserialize)]
pub(super) struct PageRequest {
    #[serde(default)]
    after: Option<String>,
}

/// `GET /search`
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    request: Result<Query<SearchRequest>, QueryRejection>,
    page: Result<Query<PageRequest>, QueryRejection>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::Search, "").await?;
    let Query(asked) = request.map_err(|e| Problem::bad_field("words", e.body_text()))?;
    let after = page.map_or(None, |Query(page)| page.after);
    match shown(&console, &actor, asked, after).await {
        Ok(page) => Ok(html(StatusCode::OK, &page)),
        Err(e) => Ok(failed(&e)),
    }
}

async fn shown(
    console: &Arc<Console>,
    actor: &Actor,
    asked: SearchRequest,
    after: Option<String>,
) -> Result<SearchPage, LogError> {
    let (results, wrong) = match criteria_of(console, &asked) {
        Ok(None) => (None, String::new()),
        Ok(Some(criteria)) => (
            Some(results(console, actor, &criteria, after).await?),
            String::new(),
        ),
        Err(wrong) => (
            None,
            format!("{}: {} is wanted.", wrong.field, wrong.wanted),
        ),
    };
    let notices = read_notices(console, actor).await?;
    record_notices(console, actor, &notices).await;
    let (reading, sight) = (console.clone(), console.sight(actor));
    let (saved, open_calls) = console
        .center
        .log
        .readers()
        .read(move |connection| {
            let saved = saved::of_owner(connection, OWNER)?;
            Ok((saved, board::open_calls(connection, &sight)?))
        })
        .await?;
    Ok(SearchPage {
        header: console.header(open_calls),
        notices: notices.view(&reading.times),
        asked,
        wrong,
        results,
        saved: saved.into_iter().map(saved_view).collect(),
    })
}

/// None while every part is empty.
fn criteria_of(console: &Console, asked: &SearchRequest) -> Result<Option<Criteria>, Wrong> {
    if asked.is_empty() {
        return Ok(None);
    }
    Criteria::of(asked, console.times.zone()).map(Some)
}

async fn results(
    console: &Arc<Console>,
    actor: &Actor,
    criteria: &Criteria,
    after: Option<String>,
) -> Result<ResultsView, LogError> {
    let page = Page {
        // What cannot be read is the first page.
        after: after.and_then(|after| after.parse().ok()),
        limit: PAGE,
    };
    let asked = criteria.clone();
    let sight = Sight::of(&console.center.policies, actor, Act::SearchIn);
    let found = console
        .center
        .log
        .readers()
        .read(move |connection| find(connection, &asked, &sight, page))
        .await?;
    disclose_found(&console.center, &actor.name, criteria, &found).await?;
    Ok(view(console, found))
}

fn view(console: &Console, found: Found) -> ResultsView {
    let packets = if found.total == 1 {
        "packet"
    } else {
        "packets"
    };
    ResultsView {
        total: if found.at_least {
            format!("At least {} {packets}", found.total)
        } else {
            format!("{} {packets}", found.total)
        },
        packets: found
            .packets
            .into_iter()
            .map(|packet| packet_view(console, packet))
            .collect(),
        after: found.next.map(|next| next.to_string()),
    }
}

fn packet_view(console: &Console, packet: FoundPacket) -> FoundView {
    let now_ms = clock::now_ms();
    let agency = board::agency(&console.center.config, &packet.agency);
    FoundView {
        id: packet.call.to_string(),
        priority: words::priority(packet.priority),
        nature: packet.nature,
        location: packet.location,
        agency: if packet.number.is_empty() {
            agency
        } else {
            format!("{agency}, call {}", packet.number)
        },
        received: console.times.second(packet.received_ms, now_ms),
        state: match (packet.open, packet.disposition.as_str()) {
            (true, _) => "Open".into(),
            (false, "") => "Closed".into(),
            (false, disposition) => format!("Closed: {disposition}"),
        },
        entries: packet
            .entries
            .into_iter()
            .map(|entry| entry_view(&console.times, entry))
            .collect(),
    }
}

fn entry_view(times: &words::Times, entry: FoundEntry) -> FoundEntryView {
    FoundEntryView {
        kind: words::heading(&entry.kind),
        text: entry.text,
        received: times.second(entry.received_ms, clock::now_ms()),
        is_corrected: entry.corrected,
    }
}

fn saved_view(saved: saved::Saved) -> SavedView {
    SavedView {
        id: saved.search,
        name: saved.name,
        criteria: saved.criteria.in_words(),
        request: saved.criteria.request(),
        unseen: saved.unseen,
        untold: saved.untold,
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct NameRequest {
    #[serde(default)]
    name: String,
}

/// `POST /search/saved`
pub(super) async fn save(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    body: Result<String, axum::extract::rejection::StringRejection>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::Search, "saved").await?;
    let body = body.map_err(|e| Problem::new(e.status(), "It cannot be read", e.body_text()))?;
    // Both are read of one body, which has the fields of both.
    let form = |e: FormRejection| Problem::bad_field("name", e.body_text());
    let Form(NameRequest { name }) = read_form(&body).await.map_err(form)?;
    let Form(asked) = read_form::<SearchRequest>(&body).await.map_err(form)?;
    let criteria = match Criteria::of(&asked, console.times.zone()) {
        Ok(criteria) => criteria,
        Err(wrong) => {
            let why = format!("Not saved. {}: {} is wanted.", wrong.field, wrong.wanted);
            return Ok(forms::answer(StatusCode::UNPROCESSABLE_ENTITY, false, why));
        }
    };
    let record = Record {
        object: "saved".into(),
        detail: format!("saved: {}", criteria.on_record()),
        subjects: criteria.subjects(),
        ..Record::by(&actor, Act::Search)
    };
    let saved = console.center.log.write(move |ledger| {
        saved::save(ledger, OWNER, &name, &criteria)?;
        audit::record(ledger, &record)
    });
    Ok(match saved.await {
        Ok(()) => refreshed(),
        Err(e @ (LogError::Entry(_) | LogError::Conflict(_))) => {
            let why = format!("Not saved. {e}.");
            forms::answer(StatusCode::UNPROCESSABLE_ENTITY, false, why)
        }
        Err(e) => trouble(&e),
    })
}

async fn read_form<T: serde::de::DeserializeOwned>(body: &str) -> Result<Form<T>, FormRejection> {
    use axum::extract::FromRequest;
    let request = axum::http::Request::post("/")
        .header("content-type", "application/x-www-form-urlencoded")
        .body(body.to_owned().into())
        .unwrap_or_default();
    Form::from_request(request, &()).await
}

/// `POST /search/saved/{id}/forget`
pub(super) async fn forget(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::Search, "saved").await?;
    let who = actor.name;
    let forgotten = console.center.log.write(move |ledger| {
        saved::forget(ledger, OWNER, id)?;
        notices::put_on_record(ledger, who, "saved", format!("forgot {id}"))
    });
    forgotten.await?;
    changed(&console);
    Ok(refreshed())
}

/// `POST /search/notices/{id}/seen`
pub(super) async fn seen(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<i64>,
) -> Result<Response, Problem> {
    see(&console, &actor, Some(id)).await
}

/// `POST /search/notices/seen`
pub(super) async fn all_seen(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    see(&console, &actor, None).await
}

async fn see(
    console: &Arc<Console>,
    actor: &Actor,
    notice: Option<i64>,
) -> Result<Response, Problem> {
    allow(&console.center, actor, Act::Search, "notices").await?;
    let who = actor.name.clone();
    let seen = console.center.log.write(move |ledger| {
        saved::seen(ledger, OWNER, notice)?;
        let which = notice.map_or("all".to_owned(), |notice| notice.to_string());
        notices::put_on_record(ledger, who, "notices", format!("seen: {which}"))
    });
    seen.await?;
    changed(console);
    // The region itself comes over the page's socket.
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// The notices are not what they were: pages hear of it.
fn changed(console: &Arc<Console>) {
    console.center.notices.send_modify(|count| *count += 1);
}

fn refreshed() -> Response {
    let head = [(HX_REFRESH, HeaderValue::from_static("true"))];
    (StatusCode::NO_CONTENT, head).into_response()
}

fn trouble(error: &LogError) -> Response {
    tracing::error!(%error, "a search was not saved");
    forms::answer(
        StatusCode::SERVICE_UNAVAILABLE,
        false,
        words::trouble(error),
    )
}
