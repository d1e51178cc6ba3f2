//! Calls: told by dispatch, listed, shown, and units put on them.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use jiff::Timestamp;
use packet::{CallId, Compartment, DocumentId, EntryId, LinkHow};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{allow, allow_call, caller};
use crate::calls::{self, News, Reported, Taken};
use crate::center::Center;
use crate::intake::eido::Eido;
use crate::intake::json;
use crate::log::{LogError, document};
use crate::policy::{Act, Sight, agency_of};
use crate::problem::Problem;

/// Most calls on one page of a list.
const PAGE_MAX: usize = 500;
const UNIT_CHARS_MAX: usize = 32;

#[derive(Debug, Serialize)]
pub(super) struct ReportedView {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<CallId>,
    /// `new`, `updated`, `unchanged`; or `awaited`: no call yet.
    news: &'static str,
}

/// `POST /v1/calls`: a call as JSON. 201 when it is new, 200 when it came before.
pub(super) async fn report(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ReportedView>), Problem> {
    allow(&center, &caller(&center, &headers), Act::ReportCall, "").await?;
    let report = json::parse(&body_of(body)?, Timestamp::now())?;
    Ok(answer(center.report(report, "Dispatch").await?))
}

/// `POST /v1/eido`: a call as a NENA Emergency Incident Data Object (NENA-STA-021.1), or
/// some of its components. 202 where nothing says yet what it is about.
pub(super) async fn report_eido(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<ReportedView>), Problem> {
    allow(&center, &caller(&center, &headers), Act::ReportCall, "").await?;
    let message = Eido::read(&body_of(body)?)?;
    Ok(match center.report_eido(message, "Dispatch").await? {
        Taken::Call(reported) => answer(reported),
        Taken::Awaited => {
            let view = ReportedView {
                id: None,
                news: "awaited",
            };
            (StatusCode::ACCEPTED, Json(view))
        }
    })
}

pub(super) fn body_of(body: Result<Bytes, BytesRejection>) -> Result<Bytes, Problem> {
    body.map_err(|e| Problem::new(e.status(), "The body cannot be read", e.body_text()))
}

fn answer(reported: Reported) -> (StatusCode, Json<ReportedView>) {
    let (status, news) = match reported.news {
        News::New => (StatusCode::CREATED, "new"),
        News::Updated => (StatusCode::OK, "updated"),
        News::Unchanged => (StatusCode::OK, "unchanged"),
    };
    let view = ReportedView {
        id: Some(reported.call),
        news,
    };
    (status, Json(view))
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Which {
    Open,
    Closed,
    All,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListRequest {
    #[serde(default)]
    state: Option<Which>,
    /// `next` of the page before.
    #[serde(default)]
    after: Option<CallId>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListView {
    /// How many there are in this state, on all pages.
    total: u64,
    calls: Vec<CallView>,
    /// To be given as `after` for the next page; absent on the last.
    next: Option<CallId>,
}

#[derive(Debug, Serialize)]
struct CallView {
    id: CallId,
    agency: String,
    number: String,
    nature: String,
    location: String,
    priority: u8,
    open: bool,
    received_ms: i64,
    findings: u32,
    cautions: u32,
    units: Vec<String>,
    links: Vec<LinkView>,
}

/// Another call that is, or may be, about the same event.
#[derive(Debug, Serialize)]
struct LinkView {
    other: CallId,
    /// `proposed`, `rule` or `hand`.
    how: LinkHow,
    why: String,
}

/// `GET /v1/calls?state=open|closed|all&after=ID&limit=N`.
pub(super) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<ListRequest>, axum::extract::rejection::QueryRejection>,
) -> Result<Json<ListView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::ListCalls, "").await?;
    let sight = Sight::of(&center.policies, &caller, Act::Show);
    let Query(request) = request.map_err(|e| Problem::bad_field("state", e.body_text()))?;
    let listed = center
        .log
        .readers()
        .read(move |connection| page(connection, &request, &sight))
        .await?;
    Ok(Json(listed))
}

fn page(
    connection: &Connection,
    request: &ListRequest,
    sight: &Sight,
) -> Result<ListView, LogError> {
    let known = sight.knows("agency");
    let open = match request.state {
        None | Some(Which::Open) => Some(true),
        Some(Which::Closed) => Some(false),
        Some(Which::All) => None,
    };
    let limit = request.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let total = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM calls WHERE (?1 IS NULL OR open = ?1) AND {known}"
        ))?
        .query_row([open], |row| row.get::<_, i64>(0))?;
    let after = request.after.map_or(i64::MIN, |call| call.0.cast_signed());
    let mut statement = connection.prepare_cached(&format!(
        "SELECT call, agency, number, nature, location, priority, open, received_ms, findings, cautions FROM calls
         WHERE (?1 IS NULL OR open = ?1) AND call > ?2 AND {known} ORDER BY call LIMIT ?3"
    ))?;
    let mut calls: Vec<CallView> = statement
        .query_map(rusqlite::params![open, after, limit + 1], |row| {
            Ok(CallView {
                id: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
                agency: row.get(1)?,
                number: row.get(2)?,
                nature: row.get(3)?,
                location: row.get(4)?,
                priority: row.get(5)?,
                open: row.get(6)?,
                received_ms: row.get(7)?,
                findings: row.get(8)?,
                cautions: row.get(9)?,
                units: Vec::new(),
                links: Vec::new(),
            })
        })?
        .collect::<Result<_, _>>()?;
    let more = calls.len() > limit;
    calls.truncate(limit);
    for call in &mut calls {
        call.units = calls::units_on_it(connection, call.id)?;
        call.links = links(connection, call.id, sight)?;
    }
    let next = calls.last().filter(|_| more).map(|call| call.id);
    Ok(ListView {
        total: total.unsigned_abs(),
        calls,
        next,
    })
}

/// Those whose other side may be known of.
fn links(connection: &Connection, call: CallId, sight: &Sight) -> Result<Vec<LinkView>, LogError> {
    let mut seen = Vec::new();
    for link in calls::links_of(connection, call)? {
        let agency = agency_of(connection, link.other)?.unwrap_or_default();
        if sight.sees(&agency, Compartment::Call) {
            seen.push(LinkView {
                other: link.other,
                how: link.how,
                why: link.why,
            });
        }
    }
    Ok(seen)
}

#[derive(Debug, Serialize)]
pub(super) struct PacketView {
    id: CallId,
    units: Vec<String>,
    links: Vec<LinkView>,
    /// In the order of the log.
    entries: Vec<EntryView>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    id: EntryId,
    seq: u64,
    compartment: &'static str,
    /// By the author's clock.
    author_ms: i64,
    /// The center's receipt; `received_ms` is a call's facts' own, by CAD's clock.
    center_ms: i64,
    #[serde(flatten)]
    fields: Map<String, Value>,
}

/// `GET /v1/calls/{id}`: the packet's entries.
pub(super) async fn one(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<PacketView>, Problem> {
    let caller = caller(&center, &headers);
    let call = allow_call(&center, &caller, Act::SeePacket, &id).await?;
    let sight = Sight::of(&center.policies, &caller, Act::Show);
    let packet = center
        .log
        .readers()
        .read(move |connection| packet_of(connection, call, &sight))
        .await?;
    match packet {
        Some(packet) => Ok(Json(packet)),
        None => Err(Problem::not_found()),
    }
}

fn packet_of(
    connection: &Connection,
    call: CallId,
    sight: &Sight,
) -> Result<Option<PacketView>, LogError> {
    let agency = agency_of(connection, call)?.unwrap_or_default();
    let mut entries = Vec::new();
    for &compartment in sight.compartments(&agency) {
        for logged in document(connection, DocumentId::new(call, compartment))? {
            entries.push(EntryView {
                id: logged.inspected.id,
                seq: logged.seq,
                compartment: compartment.name(),
                author_ms: logged.inspected.time_ms,
                center_ms: logged.received_ms,
                fields: logged.inspected.written.entry.to_fields()?,
            });
        }
    }
    entries.sort_by_key(|entry| entry.seq);
    if entries.is_empty() {
        return Ok(None);
    }
    Ok(Some(PacketView {
        id: call,
        units: calls::units_on_it(connection, call)?,
        links: links(connection, call, sight)?,
        entries,
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitRequest {
    unit: String,
}

/// `POST /v1/calls/{id}/units` with `{"unit": "4A12"}`: its devices get the packet.
pub(super) async fn assign(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let call = allow_call(&center, &caller(&center, &headers), Act::AssignUnit, &id).await?;
    let request: UnitRequest = serde_json::from_slice(&body_of(body)?)
        .map_err(|e| Problem::bad_field("unit", format!("the unit's name: {e}")))?;
    let unit = request.unit.trim().to_owned();
    if unit.is_empty() || unit.chars().count() > UNIT_CHARS_MAX {
        return Err(Problem::bad_field(
            "unit",
            format!("a name of 1 to {UNIT_CHARS_MAX} characters"),
        ));
    }
    center
        .log
        .write(move |ledger| calls::assign(ledger, call, &unit))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `DELETE /v1/calls/{id}/units/{unit}`: the packet leaves its devices.
pub(super) async fn release(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path((id, unit)): Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    let call = allow_call(&center, &caller(&center, &headers), Act::AssignUnit, &id).await?;
    center
        .log
        .write(move |ledger| calls::release(ledger, call, &unit))
        .await?;
    Ok(StatusCode::NO_CONTENT)
}
