//! The doors over HTTP: dispatch and integrators on the console's port, devices on
//! the sync port. One file a verb; each asks [`crate::policy::decide`] first.

mod arrivals;
mod attachments;
mod audit;
mod cads;
mod calls;
mod custody;
mod devices;
mod eido;
pub(crate) mod fleet;
mod health;
mod hot_list;
mod intel;
mod links;
mod officers;
mod plate_reads;
mod premises;
mod search;
mod session;

pub(crate) use arrivals::{HOURS, report as report_of_arrivals};
pub(crate) use attachments::{body_of, disclose, percent_encoded, served};
pub(crate) use audit::{give as export_audit, look as look_through_audit};
pub(crate) use devices::new_ticket;
pub use devices::ticket;
pub(crate) use search::disclose as disclose_found;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::http::{HeaderMap, header};
use packet::CallId;
use packet::entry::ATTACHMENT_BYTES_MAX;
use serde::de::DeserializeOwned;
use tokio_util::sync::CancellationToken;

use crate::center::Center;
use crate::doors::{Doors, delete, get, post, put};
use crate::hot_list::file::FILE_BYTES_MAX;
use crate::intake::report::BODY_BYTES_MAX;
use crate::policy::{Act, Actor, On, Role, Who, agency_of};
use crate::problem::Problem;

/// Largest body of a route that takes no call.
const SMALL_BODY_BYTES_MAX: usize = 32 * 1024;

/// The routes of [`router`], for the API's description: a test holds them together.
pub const ROUTES: &[(&str, &str)] = &[
    ("post", "/v1/calls"),
    ("get", "/v1/calls"),
    ("post", "/v1/eido"),
    ("get", "/v1/calls/{id}"),
    ("get", "/v1/cads"),
    ("get", "/v1/calls/{id}/eido"),
    ("post", "/v1/calls/{id}/links"),
    ("delete", "/v1/calls/{id}/links/{other}"),
    ("get", "/v1/search"),
    ("post", "/v1/calls/{id}/units"),
    ("delete", "/v1/calls/{id}/units/{unit}"),
    ("post", "/v1/calls/{id}/attachments"),
    ("get", "/v1/attachments/{blob}"),
    ("get", "/v1/attachments/{blob}/thumbnail"),
    ("post", "/v1/hot-list"),
    ("get", "/v1/hot-list"),
    ("post", "/v1/hot-list/{id}/clear"),
    ("put", "/v1/hot-list/lists/{list}"),
    ("post", "/v1/plate-reads"),
    ("post", "/v1/premises"),
    ("get", "/v1/premises"),
    ("post", "/v1/premises/{id}/end"),
    ("post", "/v1/enrolment-codes"),
    ("get", "/v1/devices"),
    ("delete", "/v1/devices/{device}"),
    ("post", "/v1/devices/{device}/erase"),
    ("post", "/v1/devices/{device}/release"),
    ("put", "/v1/devices/{device}/mounted"),
    ("get", "/v1/audit"),
    ("get", "/v1/audit/export"),
    ("get", "/v1/audit/checkpoint"),
    ("get", "/v1/audit/consistency"),
    ("post", "/v1/audit/cosignatures"),
    ("get", "/v1/metrics/before-arrival"),
    ("get", "/v1/openapi.json"),
    ("get", "/healthz"),
    ("get", "/metrics"),
];

/// The API on the console's port.
pub fn router(center: Arc<Center>) -> Router {
    doors(center).into_router()
}

pub(crate) fn doors(center: Arc<Center>) -> Doors {
    let attachments = Doors::new()
        .route("/v1/calls/{id}/attachments", post(attachments::add))
        .layer(DefaultBodyLimit::max(ATTACHMENT_BYTES_MAX as usize));
    let lists = Doors::new()
        .route("/v1/hot-list/lists/{list}", put(hot_list::replace))
        .layer(DefaultBodyLimit::max(FILE_BYTES_MAX));
    Doors::new()
        .route("/v1/calls", post(calls::report).get(calls::list))
        .route("/v1/eido", post(calls::report_eido))
        .route("/v1/plate-reads", post(plate_reads::report))
        .route("/v1/hot-list", post(hot_list::add).get(hot_list::list))
        .route("/v1/hot-list/{id}/clear", post(hot_list::clear))
        .route("/v1/premises", post(premises::add).get(premises::list))
        .route("/v1/premises/{id}/end", post(premises::end))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX + 1))
        .route("/v1/calls/{id}", get(calls::one))
        .route("/v1/cads", get(cads::list))
        .route("/v1/calls/{id}/eido", get(eido::one))
        .route("/v1/calls/{id}/links", post(links::add))
        .route("/v1/calls/{id}/links/{other}", delete(links::undo))
        .route("/v1/search", get(search::search))
        .route("/v1/calls/{id}/units", post(calls::assign))
        .route("/v1/calls/{id}/units/{unit}", delete(calls::release))
        .route("/v1/attachments/{blob}", get(attachments::content))
        .route(
            "/v1/attachments/{blob}/thumbnail",
            get(attachments::thumbnail),
        )
        .route("/v1/enrolment-codes", post(devices::new_code))
        .route("/v1/devices", get(fleet::all))
        .route("/v1/devices/{device}", delete(devices::revoke))
        .route("/v1/devices/{device}/erase", post(fleet::erase))
        .route("/v1/devices/{device}/release", post(fleet::release_one))
        .route("/v1/devices/{device}/mounted", put(fleet::mounted))
        .route("/v1/audit", get(audit::list))
        .route("/v1/audit/export", get(audit::export))
        .route("/v1/audit/checkpoint", get(audit::checkpoint))
        .route("/v1/audit/consistency", get(audit::consistency))
        .route("/v1/audit/cosignatures", post(audit::cosign))
        .route("/v1/metrics/before-arrival", get(arrivals::before_arrival))
        .route("/v1/openapi.json", get(health::openapi))
        .route("/healthz", get(health::healthz))
        .route("/metrics", get(health::metrics))
        .merge(attachments)
        .merge(lists)
        .with_state(center)
}

/// What devices reach, over TLS with their certificates.
pub fn sync_router(center: Arc<Center>, stop: CancellationToken) -> Router {
    sync_doors(center, stop).into_router()
}

pub(crate) fn sync_doors(center: Arc<Center>, stop: CancellationToken) -> Doors {
    Doors::new()
        .route("/v1/enrol", post(devices::enrol))
        .route("/v1/certificate", post(devices::renew))
        .route("/v1/sign-on/begin", post(officers::begin))
        .route("/v1/sign-on/finish", post(officers::finish))
        .route(
            "/v1/shifts",
            post(devices::sign_on).delete(devices::sign_off),
        )
        .route("/v1/calls/{id}/intel", post(intel::look))
        .route("/v1/sealed", post(devices::sealed))
        .route("/v1/standing", post(custody::standing))
        .route("/v1/erasures", post(custody::erasures))
        .route("/v1/sync", get(session::open))
        .layer(DefaultBodyLimit::max(SMALL_BODY_BYTES_MAX))
        .with_state(session::Doors { center, stop })
}

/// A body as JSON; what does not fit is named by its path.
pub(crate) fn read_json<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    serde_path_to_error::deserialize(&mut json)
        .map_err(|e| Problem::bad_field(e.path().to_string(), e.inner().to_string()))
}

/// Who calls the API: dispatch or an auditors' system when it shows its token, else nobody.
pub(crate) fn caller(center: &Center, headers: &HeaderMap) -> Actor {
    #[cfg(test)]
    if let Some(actor) = crate::policy::walk::walker(headers) {
        return actor;
    }
    let shown = headers
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    let is_shown = |token: &str| {
        shown.is_some_and(|shown| {
            aws_lc_rs::constant_time::verify_slices_are_equal(shown.as_bytes(), token.as_bytes())
                .is_ok()
        })
    };
    Actor::of(if is_shown(&center.token) {
        Role::Dispatch
    } else if is_shown(&center.auditor_token) {
        Role::Auditor
    } else {
        Role::Anonymous
    })
}

/// Lets the caller in, or says no and puts that on record.
pub(crate) async fn allow(
    center: &Center,
    actor: &Actor,
    act: Act,
    object: &str,
) -> Result<(), Problem> {
    if center.policies.may(actor, act) {
        return Ok(());
    }
    center
        .denied(actor, act, object.chars().take(100).collect())
        .await;
    Err(Problem::denied())
}

/// Lets the caller do this to one call. A call that may not be known of is answered like one
/// that never was, in the same words.
pub(crate) async fn allow_call(
    center: &Center,
    actor: &Actor,
    act: Act,
    id: &str,
) -> Result<CallId, Problem> {
    find_call(center, actor, act, id)
        .await?
        .ok_or_else(Problem::not_found)
}

/// As [`allow_call`]; `None` for a call that is not there, or may not be known of.
pub(crate) async fn find_call(
    center: &Center,
    actor: &Actor,
    act: Act,
    id: &str,
) -> Result<Option<CallId>, Problem> {
    allow(center, actor, act, id).await?;
    let Ok(call) = id.parse::<CallId>() else {
        return Ok(None);
    };
    let agency = center
        .log
        .readers()
        .read(move |connection| agency_of(connection, call))
        .await?;
    let who = Who::from(actor);
    let may = |agency: &str| center.policies.decide(&who, act, On::call(act, agency));
    if agency.is_some_and(|agency| may(&agency)) {
        return Ok(Some(call));
    }
    // For whom something is hidden, what is not there is put on record like what is: it takes
    // as long.
    if !center.policies.agencies().iter().all(|agency| may(agency)) {
        center.denied(actor, act, call.to_string()).await;
    }
    Ok(None)
}
