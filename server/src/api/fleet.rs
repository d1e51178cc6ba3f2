//! The devices as a supervisor looks after them, over HTTP: the list, and what can be done
//! to one. The console's page does the same by the same functions.

use std::sync::Arc;

use axum::Json;
use axum::body::Bytes;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{HeaderMap, StatusCode};
use packet::DeviceNumber;
use serde::{Deserialize, Serialize};

use super::{allow, caller, read_json};
use crate::audit::{self, Record};
use crate::center::Center;
use crate::clock;
use crate::devices::list::{self, Standing, State as DeviceState};
use crate::devices::{self, custody};
use crate::log::{Ledger, LogError};
use crate::policy::{Act, Actor};
use crate::problem::Problem;

/// Most devices in one answer.
pub(crate) const DEVICES_MAX: usize = 1_000;

/// Does this to a device, and puts on record who had it done. To who answers for one agency
/// the devices of others are not there.
pub(crate) async fn done<T: Send + 'static>(
    center: &Arc<Center>,
    actor: &Actor,
    act: Act,
    device: DeviceNumber,
    work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
) -> Result<T, LogError> {
    let record = Record {
        object: device.to_string(),
        ..Record::by(actor, act)
    };
    let own = actor.agency.clone();
    let writing = center.log.write(move |ledger| {
        if let Some(own) = own {
            let known = devices::find(ledger.sql(), device)?;
            if known.is_none_or(|known| known.agency != own) {
                return Err(LogError::Unknown {
                    what: "device",
                    id: device.to_string(),
                });
            }
        }
        let done = work(ledger)?;
        audit::record(ledger, &record)?;
        Ok::<_, LogError>(done)
    });
    writing.await
}

/// Orders a device to erase what it was given: at once where it is connected, else before
/// anything else when it is next heard.
pub(crate) async fn order_erasure(
    center: &Arc<Center>,
    actor: &Actor,
    device: DeviceNumber,
) -> Result<i64, LogError> {
    let by = actor.name.clone();
    let ordering = done(center, actor, Act::EraseDevice, device, move |ledger| {
        custody::order_erasure(ledger, device, &by)
    });
    let order = ordering.await?;
    center.hub.order(device);
    Ok(order)
}

/// Gives the tries of the PIN back: in a moment where the device is in reach.
pub(crate) async fn release(
    center: &Arc<Center>,
    actor: &Actor,
    device: DeviceNumber,
) -> Result<(), LogError> {
    let releasing = done(center, actor, Act::ReleaseDevice, device, move |ledger| {
        custody::release(ledger, device)
    });
    releasing.await?;
    center.hub.order(device);
    Ok(())
}

/// The code to read out for the digits on the device's screen.
pub(crate) async fn code_for(
    center: &Arc<Center>,
    actor: &Actor,
    device: DeviceNumber,
    challenge: String,
) -> Result<String, LogError> {
    let code = done(center, actor, Act::ReleaseDevice, device, move |ledger| {
        custody::code_for(ledger.sql(), device, &challenge)
    });
    let code = code.await?;
    code.ok_or_else(|| {
        let why = "this device has no code yet: it gets its secret with its next certificate";
        LogError::Conflict(why.into())
    })
}

pub(crate) async fn set_mounted(
    center: &Arc<Center>,
    actor: &Actor,
    device: DeviceNumber,
    mounted: bool,
) -> Result<(), LogError> {
    let marking = done(center, actor, Act::MarkMounted, device, move |ledger| {
        custody::set_mounted(ledger, device, mounted)
    });
    marking.await
}

pub(crate) async fn revoke(
    center: &Arc<Center>,
    actor: &Actor,
    device: DeviceNumber,
) -> Result<(), LogError> {
    let revoking = done(center, actor, Act::RevokeDevice, device, move |ledger| {
        devices::revoke(ledger, device)
    });
    revoking.await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ListRequest {
    agency: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListView {
    total: u64,
    /// By number; at most [`DEVICES_MAX`].
    devices: Vec<DeviceView>,
}

#[derive(Debug, Serialize)]
struct DeviceView {
    device: u32,
    agency: String,
    label: String,
    /// `new`, `in use`, `locked`, `locked out`, `erased`, `not confirmed`, `erase ordered`.
    state: &'static str,
    is_connected: bool,
    heard_ms: Option<i64>,
    mounted: bool,
    revoked_ms: Option<i64>,
    certificate_until_ms: Option<i64>,
    officer: Option<String>,
    unit: Option<String>,
    /// When the newest receipt of an erasure came.
    erased_ms: Option<i64>,
    /// Entries that were sealed on it when it last said.
    sealed: u64,
}

impl DeviceState {
    /// As the API and the page name it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::InUse => "in use",
            Self::Locked => "locked",
            Self::LockedOut => "locked out",
            Self::Erased => "erased",
            Self::NotConfirmed => "not confirmed",
            Self::Ordered => "erase ordered",
        }
    }
}

fn view(center: &Center, device: Standing) -> DeviceView {
    let on = device.shift.as_ref().filter(|shift| shift.is_on);
    DeviceView {
        device: device.number.0,
        state: device.state().name(),
        is_connected: center.hub.is_connected(device.number),
        officer: on.map(|shift| shift.officer.clone()),
        unit: on.map(|shift| shift.unit.clone()),
        erased_ms: device.erasure.as_ref().map(|receipt| receipt.received_ms),
        agency: device.agency,
        label: device.label,
        heard_ms: device.heard_ms,
        mounted: device.mounted,
        revoked_ms: device.revoked_ms,
        certificate_until_ms: device.certificate_until_ms,
        sealed: device.sealed,
    }
}

/// `GET /v1/devices?agency=ID`.
pub(super) async fn all(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    request: Result<Query<ListRequest>, QueryRejection>,
) -> Result<Json<ListView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::SeeDevices, "").await?;
    let Query(request) = request.map_err(|e| Problem::bad_field("agency", e.body_text()))?;
    let read = center.log.readers().read(move |connection| {
        let agency = caller.agency.as_deref().or(request.agency.as_deref());
        list::list(connection, agency, clock::now_ms(), DEVICES_MAX)
    });
    let (total, devices) = read.await?;
    let devices = devices.into_iter().map(|device| view(&center, device));
    Ok(Json(ListView {
        total,
        devices: devices.collect(),
    }))
}

fn number(device: &str) -> Result<DeviceNumber, Problem> {
    let number = device.parse().map(DeviceNumber);
    number.map_err(|_| Problem::not_found())
}

#[derive(Debug, Serialize)]
pub(super) struct OrderView {
    order: i64,
}

/// `POST /v1/devices/{device}/erase`: the order stands until the device's receipt is here.
pub(super) async fn erase(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(device): Path<String>,
) -> Result<(StatusCode, Json<OrderView>), Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::EraseDevice, &device).await?;
    let order = order_erasure(&center, &caller, number(&device)?).await?;
    Ok((StatusCode::ACCEPTED, Json(OrderView { order })))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ReleaseRequest {
    challenge: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ReleaseView {
    /// To be read out over the radio.
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
}

/// `POST /v1/devices/{device}/release` with `{}`, or with `{"challenge"}`, the digits on its
/// screen, for a code.
pub(super) async fn release_one(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(device): Path<String>,
    body: Bytes,
) -> Result<Json<ReleaseView>, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::ReleaseDevice, &device).await?;
    let request: ReleaseRequest = read_json(&body)?;
    let number = number(&device)?;
    let code = match request.challenge {
        Some(challenge) => Some(code_for(&center, &caller, number, challenge).await?),
        None => {
            release(&center, &caller, number).await?;
            None
        }
    };
    Ok(Json(ReleaseView { code }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MountedRequest {
    mounted: bool,
}

/// `PUT /v1/devices/{device}/mounted` with `{"mounted"}`: whether it is fixed in a vehicle.
pub(super) async fn mounted(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(device): Path<String>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::MarkMounted, &device).await?;
    let request: MountedRequest = read_json(&body)?;
    set_mounted(&center, &caller, number(&device)?, request.mounted).await?;
    Ok(StatusCode::NO_CONTENT)
}
