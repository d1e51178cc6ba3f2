//! How the CADs' own doors stand: whether they can be read, and which rows were no calls.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;

use super::{allow, caller};
use crate::cads::CadView;
use crate::center::Center;
use crate::policy::Act;
use crate::problem::Problem;

/// `GET /v1/cads`.
pub(super) async fn list(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
) -> Result<Json<Vec<CadView>>, Problem> {
    allow(&center, &caller(&center, &headers), Act::SeeCads, "").await?;
    Ok(Json(center.cads.views()))
}
