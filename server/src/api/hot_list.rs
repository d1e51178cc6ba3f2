//! Hot lists: an entry added, all listed, one cleared, a whole list replaced.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use serde::{Deserialize, Serialize};

use super::{allow, caller, read_json};
use crate::audit::{self, Record};
use crate::center::Center;
use crate::clock;
use crate::hot_list::entry::{EntryRequest, NAME_CHARS_MAX};
use crate::hot_list::file::{self, Defaults, FileError};
use crate::hot_list::{self, HotEntry, Listed, PAGE_MAX, Which};
use crate::policy::{Act, Actor};
use crate::problem::Problem;

#[derive(Debug, Serialize)]
pub(super) struct AddedView {
    id: i64,
}

/// `POST /v1/hot-list`: an entry, live at once. 201 with its number.
pub(super) async fn add(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<AddedView>), Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::AddHotListEntry, "").await?;
    let request: EntryRequest = read_json(&super::calls::body_of(body)?)?;
    let entry = request.checked(clock::now_ms()).map_err(Problem::from)?;
    let is_none = |id: &&String| !center.config.beats.iter().any(|beat| beat.id == **id);
    if let Some(unknown) = entry.beats.iter().find(is_none) {
        let wanted = format!("the center's beats, which {unknown} is not");
        return Err(Problem::bad_field("beats", wanted));
    }
    let id = hot_list::add_for(&center, entry, &caller.name).await?;
    Ok((StatusCode::CREATED, Json(AddedView { id })))
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum WhichState {
    Live,
    Ended,
    All,
}

#[derive(Debug, Deserialize)]
pub(super) struct ListRequest {
    #[serde(default)]
    state: Option<WhichState>,
    /// `next` of the page before.
    #[serde(default)]
    before: Option<i64>,
    #[serde(default)]
    limit: Option<usize>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListView {
    /// How many there are in this state, on all pages.
    total: u64,
    /// The newest first.
    entries: Vec<EntryView>,
    /// To be given as `before` for the next page; absent on the last.
    next: Option<i64>,
}

#[derive(Debug, Serialize)]
struct EntryView {
    id: i64,
    added_ms: i64,
    ended_ms: Option<i64>,
    ended_by: Option<String>,
    #[serde(flatten)]
    entry: HotEntry,
}

impl From<Listed> for EntryView {
    fn from(listed: Listed) -> Self {
        Self {
            id: listed.id,
            added_ms: listed.added_ms,
            ended_ms: listed.ended_ms,
            ended_by: listed.ended_by,
            entry: listed.entry,
        }
    }
}

/// `GET /v1/hot-list?state=live|ended|all&before=ID&limit=N`.
pub(super) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<ListRequest>, QueryRejection>,
) -> Result<Json<ListView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::SeeHotLists, "").await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("state", e.body_text()))?;
    let which = match request.state {
        None | Some(WhichState::Live) => Which::Live,
        Some(WhichState::Ended) => Which::Ended,
        Some(WhichState::All) => Which::All,
    };
    let limit = request.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let before = request.before;
    let (total, mut listed) = center
        .log
        .readers()
        .read(move |connection| hot_list::page(connection, which, before, limit + 1))
        .await?;
    let more = listed.len() > limit;
    listed.truncate(limit);
    let next = listed.last().filter(|_| more).map(|listed| listed.id);
    seen(&center, &caller, Act::SeeHotLists, listed.len()).await?;
    Ok(Json(ListView {
        total,
        entries: listed.into_iter().map(Into::into).collect(),
        next,
    }))
}

/// Puts on record that so much was shown.
pub(super) async fn seen(
    center: &Center,
    caller: &Actor,
    act: Act,
    count: usize,
) -> Result<(), Problem> {
    let record = Record {
        detail: format!("{count} shown"),
        ..Record::by(caller, act)
    };
    center
        .log
        .write(move |ledger| audit::record(ledger, &record))
        .await?;
    Ok(())
}

/// Who ends something that is listed.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct EndRequest {
    pub(super) by: String,
}

impl EndRequest {
    pub(super) fn read(body: Result<Bytes, BytesRejection>) -> Result<Self, Problem> {
        let mut request: Self = read_json(&super::calls::body_of(body)?)?;
        hot_list::entry::trim("by", &mut request.by, NAME_CHARS_MAX).map_err(Problem::from)?;
        Ok(request)
    }
}

/// `POST /v1/hot-list/{id}/clear` with `{"by"}`: what was written from it is withdrawn.
pub(super) async fn clear(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::ClearHotListEntry, &id).await?;
    let request = EndRequest::read(body)?;
    let id = id.parse().map_err(|_| Problem::not_found())?;
    hot_list::clear_for(&center, id, &caller.name, &request.by).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Serialize)]
pub(super) struct ReplacedView {
    added: usize,
    unchanged: usize,
    ended: usize,
}

/// `PUT /v1/hot-list/lists/{list}?agency=…&author=…`: a whole list, as JSON or as CSV
/// (`text/csv`), in the place of what it had.
pub(super) async fn replace(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(list): Path<String>,
    defaults: Result<Query<Defaults>, QueryRejection>,
    body: Result<Bytes, BytesRejection>,
) -> Result<Json<ReplacedView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::ReplaceHotList, &list).await?;
    let Query(defaults) = defaults.map_err(|e| Problem::bad_field("agency", e.body_text()))?;
    let body = super::calls::body_of(body)?;
    let is_csv = headers
        .get(header::CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|value| value.trim().to_ascii_lowercase().starts_with("text/csv"));
    let mut name = list;
    hot_list::entry::trim("list", &mut name, NAME_CHARS_MAX).map_err(Problem::from)?;
    let now_ms = clock::now_ms();
    let parsed = if is_csv {
        file::csv(&body, &name, &defaults, now_ms)
    } else {
        file::json(&body, &name, &defaults, now_ms)
    };
    let entries =
        parsed.map_err(|FileError::Field { path, wanted }| Problem::bad_field(path, wanted))?;
    let replaced = hot_list::replace_for(&center, name, entries, &caller.name).await?;
    Ok(Json(ReplacedView {
        added: replaced.added,
        unchanged: replaced.unchanged,
        ended: replaced.ended,
    }))
}
