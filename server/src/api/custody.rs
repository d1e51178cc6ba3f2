//! What a device asks beside its session, by its certificate alone: how it stands and what
//! it is to do (`POST /v1/standing`); and the receipts that it hands in
//! (`POST /v1/erasures`).
//!
//! Both answer a device that is revoked, and one whose certificate ended not long ago: a
//! device that was lost is the one that an order has to reach. Neither gives anything away.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use packet::CenterId;
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep_until};

use super::session::{Doors, known};
use super::{allow, read_json};
use crate::accept::Peer;
use crate::audit::{self, Record};
use crate::center::Center;
use crate::clock;
use crate::devices::{self, Device, custody};
use crate::log::LogError;
use crate::policy::{Act, Actor, Role};
use crate::problem::Problem;
use crate::shifts;

/// How long an answer is kept back that has nothing to tell.
const WAIT_MS_MAX: u64 = 25_000;
const STATES: [&str; 3] = ["open", "locked", "locked-out"];

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct StandingRequest {
    /// One of [`STATES`].
    state: String,
    /// Entries that are sealed on it.
    sealed: u64,
    /// The token of the shift that it works in, in base64url.
    shift: Option<String>,
    /// How many of the center's releases it knows.
    releases: u64,
    #[serde(default)]
    wait_ms: u64,
}

#[derive(Debug, Serialize)]
pub(super) struct StandingView {
    mounted: bool,
    releases: u64,
    /// The number of an order to erase that is not confirmed.
    erase: Option<i64>,
    /// Whether the shift that it named is in force; `null` where it named none.
    shift: Option<bool>,
}

impl StandingView {
    fn has_news(&self, asked: &StandingRequest) -> bool {
        self.erase.is_some() || self.releases > asked.releases || self.shift == Some(false)
    }
}

/// `POST /v1/standing` with `{"state", "sealed", "shift", "releases", "wait_ms"}`.
pub(super) async fn standing(
    State(doors): State<Doors>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<Json<StandingView>, Problem> {
    let center = &doors.center;
    let device = known(center, &peer).await?;
    let actor = Actor::of(Role::Device);
    allow(
        center,
        &actor,
        Act::ReportStanding,
        &device.number.to_string(),
    )
    .await?;
    let asked: StandingRequest = read_json(&body)?;
    if !STATES.contains(&asked.state.as_str()) {
        return Err(Problem::bad_field("state", STATES.join(", ")));
    }
    keep_said(center, &device, &asked).await?;
    let mut orders = center.hub.orders();
    let until = Instant::now() + Duration::from_millis(asked.wait_ms.min(WAIT_MS_MAX));
    loop {
        orders.mark_unchanged();
        let view = look(center, &device, &asked).await?;
        if view.has_news(&asked) || Instant::now() >= until {
            return Ok(Json(view));
        }
        tokio::select! {
            _ = orders.changed() => {}
            () = sleep_until(until) => {}
            () = doors.stop.cancelled() => return Ok(Json(view)),
        }
    }
}

async fn keep_said(
    center: &Arc<Center>,
    device: &Device,
    asked: &StandingRequest,
) -> Result<(), Problem> {
    let (number, said, sealed) = (device.number, asked.state.clone(), asked.sealed);
    let now_ms = clock::now_ms();
    let told = said.clone();
    let is_news = center
        .log
        .readers()
        .read(move |connection| custody::is_news(connection, number, &told, sealed, now_ms));
    if is_news.await? {
        center
            .log
            .write(move |ledger| custody::said(ledger, number, &said, sealed))
            .await?;
    }
    Ok(())
}

async fn look(
    center: &Arc<Center>,
    device: &Device,
    asked: &StandingRequest,
) -> Result<StandingView, Problem> {
    let number = device.number;
    let token = asked.shift.as_ref().map(|token| {
        let bytes = BASE64URL_NOPAD.decode(token.as_bytes());
        bytes.unwrap_or_default()
    });
    let view = center.log.readers().read(move |connection| {
        let device = devices::find(connection, number)?;
        let device = device.ok_or_else(|| LogError::Unknown {
            what: "device",
            id: number.to_string(),
        })?;
        let shift = match token {
            // Its sessions have ended: what else becomes of it is the supervisor's word.
            Some(_) if device.revoked => None,
            Some(token) => {
                let shift = shifts::find(connection, number, &token, clock::now_ms())?;
                Some(shift.is_some())
            }
            None => None,
        };
        Ok(StandingView {
            mounted: device.mounted,
            releases: custody::releases(connection, number)?,
            erase: device.erase_order,
            shift,
        })
    });
    Ok(view.await?)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ErasureRequest {
    /// The JSON of a [`packet::custody::Erasure`], as it was signed.
    statement: String,
    /// The device's, DER in base64.
    signature: String,
}

/// `POST /v1/erasures` with `{"statement", "signature"}`: 204 when it is kept, also before.
pub(super) async fn erasures(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let device = known(&center, &peer).await?;
    let number = device.number;
    let actor = Actor::of(Role::Device);
    allow(&center, &actor, Act::ConfirmErasure, &number.to_string()).await?;
    let request: ErasureRequest = read_json(&body)?;
    let signature = BASE64
        .decode(request.signature.as_bytes())
        .map_err(|e| Problem::bad_field("signature", e.to_string()))?;
    let statement = request.statement;
    let center_id = CenterId(center.keys.center_id());
    let erasure = custody::read_receipt(&device, center_id, &statement, &signature)
        .map_err(|e| Problem::bad_field("receipt", e.to_string()))?;
    let kept = center.log.write(move |ledger| {
        if custody::keep_receipt(ledger, &erasure, &statement, &signature)? {
            let record = Record {
                agency: Some(device.agency),
                device: Some(number),
                object: number.to_string(),
                detail: statement,
                ..Record::of(device.label, Act::ConfirmErasure)
            };
            audit::record(ledger, &record)?;
        }
        Ok::<_, LogError>(())
    });
    kept.await?;
    Ok(StatusCode::NO_CONTENT)
}
