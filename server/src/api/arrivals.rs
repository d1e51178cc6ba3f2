//! The measure of the mission: what was on the devices before the officers arrived.

use std::collections::BTreeMap;
use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use jiff::Timestamp;
use packet::CallId;
use serde::{Deserialize, Serialize};

use super::{allow, caller};
use crate::arrivals::{FiguresView, HOURS_MAX, Miss, Report, SourceView};
use crate::audit::Record;
use crate::center::Center;
use crate::clock;
use crate::log::LogError;
use crate::policy::Act;
use crate::problem::Problem;

/// How far back it looks where nothing else is asked.
pub(crate) const HOURS: u32 = 24;

#[derive(Debug, Deserialize)]
pub(super) struct BeforeArrivalRequest {
    #[serde(default)]
    hours: Option<u32>,
}

/// Shares and times of [`crate::arrivals`].
#[derive(Debug, Serialize)]
pub(super) struct BeforeArrivalView {
    since: String,
    until: String,
    all: FiguresView,
    priorities: BTreeMap<String, FiguresView>,
    agencies: BTreeMap<String, FiguresView>,
    sources: BTreeMap<String, SourceView>,
    misses: Vec<MissView>,
    misses_not_named: u64,
    nobody_came: u64,
    no_travel: u64,
    not_looked_at: u64,
}

#[derive(Debug, Serialize)]
struct MissView {
    call: CallId,
    number: String,
    agency: String,
    priority: u8,
    complete: bool,
    why: String,
}

impl From<Miss> for MissView {
    fn from(miss: Miss) -> Self {
        Self {
            call: miss.call,
            number: miss.number,
            agency: miss.agency,
            priority: miss.priority,
            complete: miss.is_complete,
            why: miss.why,
        }
    }
}

/// `GET /v1/metrics/before-arrival?hours=N`: the calls received in the last N hours.
pub(super) async fn before_arrival(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<BeforeArrivalRequest>, QueryRejection>,
) -> Result<Json<BeforeArrivalView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::SeeArrivals, "").await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("hours", e.body_text()))?;
    let hours = request.hours.unwrap_or(HOURS);
    if !(1..=HOURS_MAX).contains(&hours) {
        let wanted = format!("a whole number from 1 to {HOURS_MAX}");
        return Err(Problem::bad_field("hours", wanted));
    }
    let (report, since_ms, until_ms) = report(&center, &caller.name, hours).await?;
    Ok(Json(view(report, since_ms, until_ms)))
}

/// Reads the report of the last hours, and puts on record who had it.
///
/// # Errors
/// When the store fails.
pub(crate) async fn report(
    center: &Arc<Center>,
    who: &str,
    hours: u32,
) -> Result<(Report, i64, i64), LogError> {
    let until_ms = clock::now_ms();
    let since_ms = until_ms - i64::from(hours) * 3_600_000;
    let reading = center.clone();
    let report = center
        .log
        .readers()
        .read(move |connection| {
            reading
                .book
                .read(connection, &reading.hub, since_ms, until_ms)
        })
        .await?;
    let record = Record {
        detail: format!("the last {hours} hours"),
        ..Record::of(who, Act::SeeArrivals)
    };
    // With a full disk reading goes on.
    center.put_on_record(vec![record]).await;
    Ok((report, since_ms, until_ms))
}

fn view(report: Report, since_ms: i64, until_ms: i64) -> BeforeArrivalView {
    let priority = |(priority, figures): (u8, crate::arrivals::Figures)| {
        (priority.to_string(), figures.view())
    };
    BeforeArrivalView {
        since: rfc3339(since_ms),
        until: rfc3339(until_ms),
        all: report.all.view(),
        priorities: report.priorities.into_iter().map(priority).collect(),
        agencies: report
            .agencies
            .into_iter()
            .map(|(agency, figures)| (agency, figures.view()))
            .collect(),
        sources: report
            .sources
            .into_iter()
            .map(|(source, figures)| (source, figures.view()))
            .collect(),
        misses: report.misses.into_iter().map(MissView::from).collect(),
        misses_not_named: report.misses_not_named,
        nobody_came: report.nobody_came,
        no_travel: report.no_travel,
        not_looked_at: report.not_looked_at,
    }
}

fn rfc3339(ms: i64) -> String {
    Timestamp::from_millisecond(ms).map_or_else(|_| String::new(), |at| at.to_string())
}
