//! A person says of a caution that was derived from a restricted record whether it is shown.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::Response;

use super::forms::{answer, not_known, refused};
use super::{Console, words};
use crate::api::find_call;
use crate::enrich::held;
use crate::log::LogError;
use crate::policy::{Act, Actor, On, Who};
use crate::problem::Problem;

/// `POST /calls/{id}/held/{held}/release`
pub(super) async fn release(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path((id, number)): Path<(String, i64)>,
) -> Result<Response, Problem> {
    settle(&console, &actor, &id, number, true).await
}

/// `POST /calls/{id}/held/{held}/withhold`
pub(super) async fn withhold(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path((id, number)): Path<(String, i64)>,
) -> Result<Response, Problem> {
    settle(&console, &actor, &id, number, false).await
}

async fn settle(
    console: &Arc<Console>,
    actor: &Actor,
    id: &str,
    number: i64,
    released: bool,
) -> Result<Response, Problem> {
    let center = &console.center;
    let Some(call) = find_call(center, actor, Act::SeePacket, id).await? else {
        return Ok(not_known());
    };
    let found = center
        .log
        .readers()
        .read(move |connection| held::find(connection, call, number))
        .await?;
    let who = Who::from(actor);
    let may = |held: &held::Held| {
        let on = On::Source {
            agency: &held.agency,
            name: &held.source,
            compartment: held.compartment,
        };
        center.policies.decide(&who, Act::ReleaseCaution, on)
    };
    // That one waits is told to nobody else: it is answered as if there were none.
    if !found.as_ref().is_some_and(may) {
        if found.is_some() {
            center
                .denied(actor, Act::ReleaseCaution, call.to_string())
                .await;
        }
        return Ok(refused(
            StatusCode::NOT_FOUND,
            "No such caution waits here.".into(),
        ));
    }
    let by = actor.name.clone();
    let settled = center
        .log
        .write(move |ledger| held::settle(ledger, call, number, released, &by))
        .await;
    Ok(match settled {
        Ok(()) if released => answer(
            StatusCode::OK,
            true,
            "Released: it goes to the devices.".into(),
        ),
        Ok(()) => answer(
            StatusCode::OK,
            true,
            "Not released. That is on record.".into(),
        ),
        Err(LogError::Unknown { .. }) => {
            refused(StatusCode::NOT_FOUND, "No such caution waits here.".into())
        }
        Err(e) => {
            tracing::error!(error = %e, "a caution was not settled");
            refused(StatusCode::SERVICE_UNAVAILABLE, words::trouble(&e))
        }
    })
}
