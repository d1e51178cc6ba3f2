//! Premise cautions: kept with a place, listed, ended.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use serde::{Deserialize, Serialize};

use super::hot_list::{EndRequest, seen};
use super::{allow, caller, read_json};
use crate::center::Center;
use crate::clock;
use crate::policy::Act;
use crate::premises::{self, Kept, PAGE_MAX, Premise};
use crate::problem::Problem;

#[derive(Debug, Serialize)]
pub(super) struct AddedView {
    id: i64,
}

/// `POST /v1/premises`: a caution for every call at this building until it ends.
pub(super) async fn add(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<(StatusCode, Json<AddedView>), Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::SetPremise, "").await?;
    let premise: Premise = read_json(&super::calls::body_of(body)?)?;
    let premise = premise.checked(clock::now_ms()).map_err(Problem::from)?;
    let id = premises::add_for(&center, premise, &caller.name).await?;
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
    premises: Vec<PremiseView>,
    /// To be given as `before` for the next page; absent on the last.
    next: Option<i64>,
}

#[derive(Debug, Serialize)]
struct PremiseView {
    id: i64,
    added_ms: i64,
    ended_ms: Option<i64>,
    ended_by: Option<String>,
    #[serde(flatten)]
    premise: Premise,
}

impl From<Kept> for PremiseView {
    fn from(kept: Kept) -> Self {
        Self {
            id: kept.id,
            added_ms: kept.added_ms,
            ended_ms: kept.ended_ms,
            ended_by: kept.ended_by,
            premise: kept.premise,
        }
    }
}

/// `GET /v1/premises?state=live|ended|all&before=ID&limit=N`.
pub(super) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<ListRequest>, QueryRejection>,
) -> Result<Json<ListView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::SeePremises, "").await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("state", e.body_text()))?;
    let is_live = match request.state {
        None | Some(WhichState::Live) => Some(true),
        Some(WhichState::Ended) => Some(false),
        Some(WhichState::All) => None,
    };
    let limit = request.limit.unwrap_or(100).clamp(1, PAGE_MAX);
    let before = request.before;
    let (total, mut kept) = center
        .log
        .readers()
        .read(move |connection| premises::page(connection, is_live, before, limit + 1))
        .await?;
    let more = kept.len() > limit;
    kept.truncate(limit);
    let next = kept.last().filter(|_| more).map(|kept| kept.id);
    seen(&center, &caller, Act::SeePremises, kept.len()).await?;
    Ok(Json(ListView {
        total,
        premises: kept.into_iter().map(Into::into).collect(),
        next,
    }))
}

/// `POST /v1/premises/{id}/end` with `{"by"}`: it is withdrawn wherever it was written.
pub(super) async fn end(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(id): Path<String>,
    body: Result<Bytes, BytesRejection>,
) -> Result<StatusCode, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::EndPremise, &id).await?;
    let request = EndRequest::read(body)?;
    let id = id.parse().map_err(|_| Problem::not_found())?;
    premises::end_for(&center, id, &caller.name, &request.by).await?;
    Ok(StatusCode::NO_CONTENT)
}
