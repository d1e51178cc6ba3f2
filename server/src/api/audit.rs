//! The audit log: looked through, exported, proved, cosigned.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::{Deserialize, Serialize};

use super::{allow, caller};
use crate::audit::export::{self, ExportError, Form};
use crate::audit::find::{self, Criteria, FindRequest, Found, Sight, Wrong};
use crate::audit::stored::{self, Stored};
use crate::audit::tree::{Hash, Tree};
use crate::audit::witness::{self, ConsistencyView, NotTaken};
use crate::audit::{self, Entry, Record};
use crate::center::Center;
use crate::log::LogError;
use crate::policy::{Act, Actor};
use crate::problem::Problem;

/// Entries on a page, where nobody says how many.
const PAGE_DEFAULT: usize = 100;
/// Most entries of an export over the API; the command line knows no limit.
const EXPORT_MAX: usize = 20_000;

#[derive(Debug, Deserialize)]
pub(super) struct PageRequest {
    /// `next` of the page before.
    #[serde(default)]
    before: Option<u64>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct FoundView {
    /// The newest first.
    entries: Vec<EntryView>,
    /// To be given as `before` for the next page; absent on the last.
    next: Option<u64>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    /// RFC 3339, UTC, to the millisecond.
    at: String,
    #[serde(flatten)]
    entry: Entry,
}

/// `GET /v1/audit?who=…&subject_kind=…&subject=…&call=…&device=…&from=…&to=…&purpose=…&act=…&allowed=…`.
pub(super) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<FindRequest>, QueryRejection>,
    page: Result<Query<PageRequest>, QueryRejection>,
) -> Result<Json<FoundView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::SeeAudit, "").await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("who", e.body_text()))?;
    let Query(page) = page.map_err(|e| Problem::bad_field("limit", e.body_text()))?;
    let criteria = Criteria::of(&request)?;
    let limit = page.limit.unwrap_or(PAGE_DEFAULT);
    let found = look(&center, &caller, &criteria, page.before, limit).await?;
    let view = |entry: Entry| EntryView {
        at: export::rfc3339(entry.at_ms),
        entry,
    };
    Ok(Json(FoundView {
        entries: found.entries.into_iter().map(view).collect(),
        next: found.next,
    }))
}

/// Looks, for one who may, and puts on record that it was looked at. What cannot be put on
/// record is not given.
pub(crate) async fn look(
    center: &Center,
    actor: &Actor,
    criteria: &Criteria,
    before: Option<u64>,
    limit: usize,
) -> Result<Found, LogError> {
    let (asked, sight) = (criteria.clone(), Sight::of(&center.policies, actor));
    let found = center
        .log
        .readers()
        .read(move |connection| find::find(connection, &asked, &sight, before, limit))
        .await?;
    let looked = Record {
        detail: format!("{}: {} shown", criteria.in_words(), found.entries.len()),
        subjects: criteria.subject.clone().into_iter().collect(),
        ..Record::by(actor, Act::SeeAudit)
    };
    center
        .log
        .write(move |ledger| audit::record(ledger, &looked))
        .await?;
    Ok(found)
}

#[derive(Debug, Deserialize)]
pub(super) struct ExportRequest {
    form: Form,
}

/// `GET /v1/audit/export?form=json|csv` and what [`list`] takes: the signed entries.
pub(super) async fn export(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<FindRequest>, QueryRejection>,
    form: Result<Query<ExportRequest>, QueryRejection>,
) -> Result<Response, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::ExportAudit, "").await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("who", e.body_text()))?;
    let Query(ExportRequest { form }) =
        form.map_err(|_| Problem::bad_field("form", "json or csv"))?;
    let criteria = Criteria::of(&request)?;
    give(&center, &caller, &criteria, form).await
}

/// Gives an export to one who may, and puts that on record.
pub(crate) async fn give(
    center: &Arc<Center>,
    actor: &Actor,
    criteria: &Criteria,
    form: Form,
) -> Result<Response, Problem> {
    let reading = center.clone();
    let asked = criteria.clone();
    let written = center.log.readers().read(move |connection| {
        let mut file = Vec::new();
        let key = reading.audit_key();
        let exported = export::write(connection, key, &asked, form, EXPORT_MAX, &mut file);
        Ok(exported.map(|exported| (file, exported)))
    });
    let (file, exported) = written.await?.map_err(|error| match error {
        ExportError::Log(e) => e.into(),
        other => Problem::new(
            StatusCode::CONFLICT,
            "There is no export",
            other.to_string(),
        ),
    })?;
    let record = Record {
        object: format!(
            "{} entries, by checkpoint {}",
            exported.entries, exported.checkpoint
        ),
        detail: criteria.in_words(),
        subjects: criteria.subject.clone().into_iter().collect(),
        ..Record::by(actor, Act::ExportAudit)
    };
    center
        .log
        .write(move |ledger| audit::record(ledger, &record))
        .await?;
    let (media_type, name) = match form {
        Form::Json => ("application/jsonl", "audit.jsonl"),
        Form::Csv => ("text/csv; charset=utf-8", "audit.csv"),
    };
    Ok((
        [
            (header::CONTENT_TYPE, media_type),
            (header::CACHE_CONTROL, "no-store"),
        ],
        [(
            header::CONTENT_DISPOSITION,
            format!("attachment; filename=\"{name}\""),
        )],
        file,
    )
        .into_response())
}

/// `GET /v1/audit/checkpoint`: the newest one, with each witness's line (text/plain).
pub(super) async fn checkpoint(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    allow(&center, &caller(&center, &headers), Act::SeeCheckpoint, "").await?;
    let note = center.log.readers().read(|connection| {
        let latest = stored::latest(connection)?;
        latest
            .map(|latest| stored::with_cosignatures(connection, &latest))
            .transpose()
    });
    let note = note.await?.ok_or_else(Problem::not_found)?;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], note).into_response())
}

#[derive(Debug, Deserialize)]
pub(super) struct ConsistencyRequest {
    from: u64,
    to: u64,
}

/// `GET /v1/audit/consistency?from=N&to=M`: that the first N entries are the beginning of
/// the first M.
pub(super) async fn consistency(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<ConsistencyRequest>, QueryRejection>,
) -> Result<Json<ConsistencyView>, Problem> {
    allow(&center, &caller(&center, &headers), Act::SeeCheckpoint, "").await?;
    let wanted = "two sizes of the log, the smaller first";
    let Query(ConsistencyRequest { from, to }) =
        request.map_err(|_| Problem::bad_field("from", wanted))?;
    let proof = center.log.readers().read(move |connection| {
        let signed = stored::latest(connection)?.map_or(0, |latest| latest.size);
        let purged = stored::purged_through(connection)?;
        if from > to || to > signed || (from > 0 && from < purged) {
            return Ok(None);
        }
        let mut tree = Tree::new(Stored(connection));
        tree.consistency(from, to).map(Some)
    });
    let proof = proof.await?.ok_or_else(|| {
        Problem::bad_field(
            "from",
            format!("{wanted}, neither purged nor larger than what is signed"),
        )
    })?;
    Ok(Json(ConsistencyView {
        from,
        to,
        proof: proof.iter().map(Hash::text).collect(),
    }))
}

#[derive(Debug, Serialize)]
pub(super) struct TakenView {
    /// The agencies whose witnesses' lines were taken.
    agencies: Vec<String>,
}

/// `POST /v1/audit/cosignatures`: a checkpoint of this center with witnesses' lines
/// (text/plain). Who may is known by the signature.
pub(super) async fn cosign(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    body: String,
) -> Result<Json<TakenView>, Problem> {
    allow(
        &center,
        &caller(&center, &headers),
        Act::CosignCheckpoint,
        "",
    )
    .await?;
    let taking = center.clone();
    let taken = center
        .log
        .write(move |ledger| witness::take(ledger, &body, &taking.config.audit.witnesses));
    let agencies = taken.await.map_err(|error| match error {
        NotTaken::Log(e) => e.into(),
        other => Problem::bad_field("body", other.to_string()),
    })?;
    Ok(Json(TakenView { agencies }))
}

impl From<Wrong> for Problem {
    fn from(wrong: Wrong) -> Self {
        Self::bad_field(wrong.field, wrong.wanted)
    }
}
