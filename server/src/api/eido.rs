//! Packets as EIDOs, for other agencies' systems.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, State};
use axum::http::HeaderMap;
use serde_json::Value;

use super::{allow_call, caller};
use crate::audit::{self, Record};
use crate::center::Center;
use crate::exchange::Released;
use crate::log::LogError;
use crate::policy::{Act, Sight, agency_of};
use crate::problem::Problem;

/// `GET /v1/calls/{id}/eido`: the packet as a NENA EIDO (NENA-STA-021.1), with those
/// compartments that may be released to the caller. Each is on record before it is given.
pub(super) async fn one(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(id): Path<String>,
) -> Result<Json<Value>, Problem> {
    let caller = caller(&center, &headers);
    let call = allow_call(&center, &caller, Act::SeePacket, &id).await?;
    let sight = Sight::of(&center.policies, &caller, Act::Release);
    let ids = center.ids.clone();
    let read = center.log.readers().read(move |connection| {
        let agency = agency_of(connection, call)?.unwrap_or_default();
        Released::read(connection, &ids, call, sight.compartments(&agency))
    });
    let released = read.await?.ok_or_else(Problem::not_found)?;
    let stretches = released.stretches();
    center
        .log
        .write(move |ledger| {
            for (document, through) in &stretches {
                let record = Record {
                    object: document.to_string(),
                    detail: format!("as an EIDO, through {through}"),
                    ..Record::by(&caller, Act::Release(document.compartment))
                };
                audit::record(ledger, &record)?;
            }
            Ok::<_, LogError>(())
        })
        .await?;
    Ok(Json(released.eido(&center.ids, &center.config)))
}
