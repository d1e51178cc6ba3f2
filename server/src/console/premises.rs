//! The premise cautions as a page, with a button to end each before its time.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};

use super::view::{PremiseRowView, PremisesPage};
use super::{Console, disclosure, pages, words};
use crate::api::allow;
use crate::log::LogError;
use crate::policy::{Act, Actor};
use crate::premises::{self, Kept};
use crate::problem::Problem;

/// Most of them on the page, the newest.
const ROWS_MAX: usize = 200;
const PLACE: &str = "/premises";

/// `GET /premises`
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeePremises, "").await?;
    Ok(shown(&console, &actor, StatusCode::OK, None).await)
}

async fn shown(
    console: &Arc<Console>,
    actor: &Actor,
    status: StatusCode,
    refused: Option<String>,
) -> Response {
    let read = console
        .center
        .log
        .readers()
        .read(|connection| premises::page(connection, None, None, ROWS_MAX));
    let ((total, kept), open_calls) = match (read.await, console.open_calls(actor).await) {
        (Ok(read), Ok(open_calls)) => (read, open_calls),
        (Err(e), _) | (_, Err(e)) => return pages::failed(&e),
    };
    disclosure::listed(console, actor, Act::SeePremises, kept.len()).await;
    let page = PremisesPage {
        header: console.header(open_calls),
        refused,
        not_shown: total.saturating_sub(kept.len() as u64),
        rows: kept.iter().map(|kept| row(console, kept)).collect(),
    };
    pages::html(status, &page)
}

fn row(console: &Console, kept: &Kept) -> PremiseRowView {
    let premise = &kept.premise;
    let ended = kept.ended_ms.map(|ms| {
        let by = kept.ended_by.as_deref().unwrap_or("nobody");
        format!("ended by {by}, {}", console.times.minute(ms))
    });
    PremiseRowView {
        id: kept.id,
        location: premise.location.clone(),
        text: premise.text.clone(),
        set_by: premise.set_by.clone(),
        added: console.times.minute(kept.added_ms),
        ends: console.times.minute(premise.ends.as_millisecond()),
        ended,
    }
}

/// `POST /premises/{id}/end`
pub(super) async fn end(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path(id): Path<String>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::EndPremise, &id).await?;
    let id = id.parse().map_err(|_| Problem::not_found())?;
    match premises::end_for(&console.center, id, &actor.name, &actor.name).await {
        Ok(()) => Ok(Redirect::to(PLACE).into_response()),
        Err(LogError::Unknown { .. }) => {
            let why = Some("It has ended already.".into());
            Ok(shown(&console, &actor, StatusCode::NOT_FOUND, why).await)
        }
        Err(e) => {
            let why = Some(words::trouble(&e));
            Ok(shown(&console, &actor, StatusCode::SERVICE_UNAVAILABLE, why).await)
        }
    }
}
