//! Five small agency databases and a video system ([`video`]), each a real HTTP service
//! on loopback.
//!
//! | service | question | answer |
//! |---|---|---|
//! | records | `GET /records?address=…` | `{"address", "incidents": [{"number", "date", "nature", "outcome"}], "cautions": [{"text", "set_by", "date"}]}` |
//! | vehicles | `GET /vehicles?plate=ABC123&state=WI` (`state` is WI when missing) | `{"plate", "state", "make", "model", "year", "color", "registered_owner", "status", "recorded"}`, status `valid`, `expired` or `stolen` |
//! | persons | `GET /persons?last=…&first=…&born=YYYY-MM-DD` (`first` and `born` may be empty) | `{"persons": [{"name", "born", "description", "wanted_for", "cautions", "matched", "recorded"}]}`, `matched` is `exact` where the date of birth is the same, `partial` by name alone, `phonetic` by sound |
//! | phones | `GET /phones?number=…` | `{"phone", "subscriber", "address", "kind", "recorded"}` |
//! | cameras | `GET /cameras?lat=…&lon=…` | `{"cameras": [{"name", "distance_m", "direction", "stream"}]}`, the nearest four of those that others than the city have |
//!
//! Nothing known is 404, a question that cannot be one 400, both with
//! `{"error"}`. All of them answer like agency systems do: after a while, and now
//! and then not at all (see [`Faults`]).
//!
//! What is known: addresses are looked up [normalised](packet::lookup::place); of
//! Cedarport's, a bit under half have a past. **For an address that is not in
//! Cedarport records makes something up for about one in four**, always the same
//! for the same address, and cameras stand everywhere: so the replay of a real
//! city's calls has findings, none of which says anything about a real place.
//! Plates, persons and phones are known only if they are Cedarport's.

mod faults;
mod video;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, State};
use axum::http::StatusCode;
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Json, Response};
use axum::routing::get;
use packet::lookup::place;
use serde::Deserialize;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::faults::Faults;
use self::faults::{Mood, behave};
use crate::cameras::nearest;
use crate::city::City;
use crate::people::{People, STATE};
use crate::premises::premises_at;

const ADDRESS_BYTES_MAX: usize = 200;
const PLATE_BYTES_MAX: usize = 16;
const NAME_BYTES_MAX: usize = 120;
const PHONE_BYTES_MAX: usize = 20;
/// How long a stopping service waits for the answers it is still giving.
const SHUTDOWN_MS_MAX: u64 = 1_000;

/// The services, running until [`Sources::shutdown`] or until dropped.
#[derive(Debug)]
pub struct Sources {
    /// Where records listens; free again once its service has ended.
    pub records: SocketAddr,
    /// Where vehicles listens; free again once its service has ended.
    pub vehicles: SocketAddr,
    /// Where persons listens; free again once its service has ended.
    pub persons: SocketAddr,
    /// Where phones listens; free again once its service has ended.
    pub phones: SocketAddr,
    /// Where cameras listens; free again once its service has ended.
    pub cameras: SocketAddr,
    /// Where the video system listens; free again once its service has ended.
    pub video: SocketAddr,
    /// Says to all of them that it is over, also when `Sources` is only dropped:
    /// listeners close, and answers still held back for a delay or a hang are
    /// given up with 503.
    stop: DropGuard,
    /// The services themselves: [`Sources::shutdown`] waits for them to end;
    /// dropped, they are aborted.
    services: JoinSet<io::Result<()>>,
}

impl Sources {
    /// Stops all of them and returns when they are gone, at the latest after a
    /// second: a client that keeps a half-sent question open is not waited for.
    pub async fn shutdown(self) {
        let Self {
            stop, mut services, ..
        } = self;
        drop(stop);
        let all_ended = async {
            while let Some(ended) = services.join_next().await {
                if let Ok(Err(error)) = ended {
                    tracing::warn!(%error, "an agency database ended with an error");
                }
            }
        };
        let limit = Duration::from_millis(SHUTDOWN_MS_MAX);
        if tokio::time::timeout(limit, all_ended).await.is_err() {
            tracing::warn!("an agency database did not end in time, aborted");
        }
    }
}

/// Starts the agency databases and the video system of one seed's city on free ports of
/// 127.0.0.1. They accept connections when this returns.
///
/// # Errors
/// When a loopback port cannot be had.
pub async fn start(seed: u64, faults: Faults) -> io::Result<Sources> {
    let city = City::new(seed);
    let people = People::new(seed, &city);
    let world = Arc::new(World { seed, city, people });
    let stop = CancellationToken::new();
    let mut services = JoinSet::new();
    let mut addresses = Vec::with_capacity(6);
    let of_world = |routes: Router<Arc<World>>| routes.with_state(world.clone());
    for (name, routes) in [
        (
            "records",
            of_world(Router::new().route("/records", get(records))),
        ),
        (
            "vehicles",
            of_world(Router::new().route("/vehicles", get(vehicles))),
        ),
        (
            "persons",
            of_world(Router::new().route("/persons", get(persons))),
        ),
        (
            "phones",
            of_world(Router::new().route("/phones", get(phones))),
        ),
        (
            "cameras",
            of_world(Router::new().route("/cameras", get(cameras))),
        ),
        ("video", video::routes(seed, faults.delay_scale)),
    ] {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        tracing::info!(name, %address, "agency database listens");
        addresses.push(address);
        let mood = Arc::new(Mood::new(seed, name, faults, stop.clone()));
        let routes = routes.layer(from_fn_with_state(mood, behave));
        let stopped = stop.clone().cancelled_owned();
        services.spawn(
            axum::serve(listener, routes)
                .with_graceful_shutdown(stopped)
                .into_future(),
        );
    }
    Ok(Sources {
        records: addresses[0],
        vehicles: addresses[1],
        persons: addresses[2],
        phones: addresses[3],
        cameras: addresses[4],
        video: addresses[5],
        stop: stop.drop_guard(),
        services,
    })
}

struct World {
    seed: u64,
    city: City,
    people: People,
}

#[derive(Deserialize)]
struct RecordsRequest {
    address: String,
}

async fn records(
    State(world): State<Arc<World>>,
    Query(request): Query<RecordsRequest>,
) -> Response {
    if request.address.len() > ADDRESS_BYTES_MAX {
        return problem(StatusCode::BAD_REQUEST, "the address is too long");
    }
    match premises_at(world.seed, &world.city, &place(&request.address)) {
        Some(premises) => Json(premises).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no records at this address"),
    }
}

#[derive(Deserialize)]
struct VehiclesRequest {
    plate: String,
    state: Option<String>,
}

async fn vehicles(
    State(world): State<Arc<World>>,
    Query(request): Query<VehiclesRequest>,
) -> Response {
    if request.plate.len() > PLATE_BYTES_MAX {
        return problem(StatusCode::BAD_REQUEST, "the plate is too long");
    }
    let state = request.state.as_deref().unwrap_or(STATE);
    let registration = world.people.registration(&request.plate);
    match registration.filter(|vehicle| vehicle.state.eq_ignore_ascii_case(state)) {
        Some(vehicle) => Json(vehicle).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no registration for this plate"),
    }
}

#[derive(Deserialize)]
struct PersonsRequest {
    last: String,
    #[serde(default)]
    first: String,
    #[serde(default)]
    born: String,
}

async fn persons(
    State(world): State<Arc<World>>,
    Query(request): Query<PersonsRequest>,
) -> Response {
    let PersonsRequest { last, first, born } = request;
    if last.trim().is_empty() || last.len() + first.len() + born.len() > NAME_BYTES_MAX {
        return problem(StatusCode::BAD_REQUEST, "that is not a name");
    }
    let found = world.people.files(&last, &first, &born);
    if found.is_empty() {
        return problem(StatusCode::NOT_FOUND, "nobody of this name");
    }
    Json(json!({ "persons": found })).into_response()
}

#[derive(Deserialize)]
struct PhonesRequest {
    number: String,
}

async fn phones(State(world): State<Arc<World>>, Query(request): Query<PhonesRequest>) -> Response {
    if request.number.len() > PHONE_BYTES_MAX {
        return problem(StatusCode::BAD_REQUEST, "the number is too long");
    }
    match world.people.subscriber(&request.number) {
        Some(subscriber) => Json(subscriber).into_response(),
        None => problem(StatusCode::NOT_FOUND, "no subscriber of this number"),
    }
}

#[derive(Deserialize)]
struct CamerasRequest {
    lat: f64,
    lon: f64,
}

async fn cameras(
    State(world): State<Arc<World>>,
    Query(CamerasRequest { lat, lon }): Query<CamerasRequest>,
) -> Response {
    // Not-a-number is in no range, so this refuses it too.
    if !(-90.0..=90.0).contains(&lat) || !(-180.0..=180.0).contains(&lon) {
        return problem(StatusCode::BAD_REQUEST, "that is not a position");
    }
    let found = nearest(world.seed, lat, lon);
    if found.is_empty() {
        return problem(StatusCode::NOT_FOUND, "no camera near this position");
    }
    Json(json!({ "cameras": found })).into_response()
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

#[cfg(test)]
mod tests;
