//! `GET /v1/sync`: a device's session. The hello rides in the upgrade request, so
//! that the reply to it is everything that the device has missed.

use std::sync::Arc;

use axum::Extension;
use axum::extract::{FromRef, State, WebSocketUpgrade};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;
use sync::Handshake;
use sync::frame::{HELLO_HEADER, Hello, decode_hello};
use sync::limits::{FRAME_BYTES_MAX, HANDSHAKE_BYTES_MIN};
use tokio_util::sync::CancellationToken;

use super::allow;
use crate::accept::Peer;
use crate::audit::{self, Record};
use crate::center::Center;
use crate::clock;
use crate::devices::{self, Device};
use crate::identity::{DevicePeer, RENEWED_LATE_MS_MAX};
use crate::log::{LogError, restored};
use crate::policy::{Act, Actor, Role, decide};
use crate::problem::Problem;
use crate::session::{self, Opening, Speaker};
use crate::shifts;

/// What a device sends is short, and what is longer gets room of its own. Each connection
/// keeps this, and it is wiped at each read; the library's own 128 KiB would be most of
/// what an idle connection costs.
const READ_BUFFER_BYTES: usize = 512;

/// What the doors on the sync port share.
#[derive(Debug, Clone)]
pub(super) struct Doors {
    pub(super) center: Arc<Center>,
    /// Sessions end when it is cancelled.
    pub(super) stop: CancellationToken,
}

impl FromRef<Doors> for Arc<Center> {
    fn from_ref(doors: &Doors) -> Self {
        doors.center.clone()
    }
}

pub(super) async fn open(
    State(doors): State<Doors>,
    Extension(peer): Extension<Peer>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Result<Response, Problem> {
    let (device, certificate) = in_good_standing(&doors.center, &peer).await?;
    let hello = hello(&headers)?;
    if device.erase_order.is_some() {
        return Err(refused("The center has an order for this device."));
    }
    let (number, token) = (device.number, hello.shift.clone());
    let (shift, was_a_shift) = doors
        .center
        .log
        .readers()
        .read(move |connection| {
            let shift = shifts::find(connection, number, &token, clock::now_ms())?;
            Ok((shift, shifts::is_known(connection, number, &token)?))
        })
        .await?;
    // A session without a shift takes all documents from the device. One whose officer has
    // yet to sign on again keeps them, locked.
    if shift.is_none() && was_a_shift {
        return Err(refused("The officer's shift is over."));
    }
    let role = if shift.is_some() {
        Role::Officer
    } else {
        Role::Device
    };
    allow(
        &doors.center,
        &Actor::of(role),
        Act::OpenSession,
        &device.number.to_string(),
    )
    .await?;
    let speaker = Speaker {
        device,
        certificate_ends_ms: certificate.not_after_ms,
        shift,
        handshake: Handshake {
            bytes: HANDSHAKE_BYTES_MIN,
            ms: u64::try_from(peer.since.elapsed().as_millis()).unwrap_or(u64::MAX),
        },
    };
    let upgrade = upgrade
        .max_message_size(FRAME_BYTES_MAX)
        .max_frame_size(FRAME_BYTES_MAX)
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0);
    let opening = Box::new(Opening {
        center: doors.center,
        speaker,
        hello,
    });
    Ok(upgrade
        .on_upgrade(move |mut socket| {
            Box::pin(async move { session::run(opening, &mut socket, doors.stop).await })
        })
        .into_response())
}

/// The device asks why ([`super::custody`]).
fn refused(why: &str) -> Problem {
    Problem::new(StatusCode::FORBIDDEN, "No session", why)
}

fn hello(headers: &HeaderMap) -> Result<Hello, Problem> {
    let wanted = |why: String| Problem::bad_field(HELLO_HEADER, why);
    let text = headers
        .get(HELLO_HEADER)
        .ok_or_else(|| wanted("a hello in base64url".into()))?;
    let bytes = BASE64URL_NOPAD
        .decode(text.as_bytes())
        .map_err(|e| wanted(format!("base64url without padding: {e}")))?;
    decode_hello(&bytes).map_err(|e| wanted(e.to_string()))
}

/// The device behind a connection: its certificate is valid now, its key is the one
/// that was enrolled, and it was not revoked. Resumption skips the verifier, so this
/// is asked each time.
pub(super) async fn in_good_standing(
    center: &Arc<Center>,
    peer: &Peer,
) -> Result<(Device, DevicePeer), Problem> {
    standing(center, peer, 0).await
}

/// … or whose certificate ended not long ago: good for a new one, and for nothing else.
pub(super) async fn may_renew(center: &Arc<Center>, peer: &Peer) -> Result<Device, Problem> {
    let (device, _) = standing(center, peer, RENEWED_LATE_MS_MAX).await?;
    Ok(device)
}

/// … or that is out of good standing, too: it may be told what to erase, and nothing else.
pub(super) async fn known(center: &Arc<Center>, peer: &Peer) -> Result<Device, Problem> {
    let (device, certificate) = called(center, peer).await?;
    let device = device.filter(|device| {
        let until_ms = certificate.not_after_ms.saturating_add(RENEWED_LATE_MS_MAX);
        device.public_key == certificate.public_key && until_ms > clock::now_ms()
    });
    match device {
        Some(device) => Ok(device),
        None => Err(not_known(center, &certificate).await),
    }
}

async fn not_known(center: &Arc<Center>, certificate: &DevicePeer) -> Problem {
    let number = packet::DeviceNumber(certificate.device).to_string();
    center
        .denied(&Actor::of(Role::Anonymous), Act::OpenSession, number)
        .await;
    Problem::denied()
}

async fn standing(
    center: &Arc<Center>,
    peer: &Peer,
    late_ms_max: i64,
) -> Result<(Device, DevicePeer), Problem> {
    let (device, certificate) = called(center, peer).await?;
    match device {
        Some(device)
            if !device.revoked
                && device.public_key == certificate.public_key
                && certificate.not_after_ms.saturating_add(late_ms_max) > clock::now_ms() =>
        {
            Ok((device, certificate))
        }
        _ => Err(not_known(center, &certificate).await),
    }
}

/// The device that the certificate names, as the center knows it.
async fn called(
    center: &Arc<Center>,
    peer: &Peer,
) -> Result<(Option<Device>, DevicePeer), Problem> {
    let Some(certificate) = peer.device.clone() else {
        center
            .denied(
                &Actor::of(Role::Anonymous),
                Act::OpenSession,
                peer.address.ip().to_string(),
            )
            .await;
        return Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            "No device certificate",
            "This needs an enrolled device.",
        ));
    };
    let number = packet::DeviceNumber(certificate.device);
    let device = center
        .log
        .readers()
        .read(move |connection| devices::find(connection, number))
        .await?;
    let device = match device {
        None if decide(Role::Device, Act::Readmit) => readmit(center, &certificate).await?,
        known => known,
    };
    Ok((device, certificate))
}

/// A restored center has forgotten whom it enrolled after the backup.
async fn readmit(
    center: &Arc<Center>,
    certificate: &DevicePeer,
) -> Result<Option<Device>, Problem> {
    // Asked of every device that is not known: the writer is troubled only where it may help.
    let is_restored = center.log.readers().read(restored).await?.is_some();
    if !is_restored || certificate.not_after_ms <= clock::now_ms() {
        return Ok(None);
    }
    let certificate = certificate.clone();
    let readmitted = center.log.write(move |ledger| {
        let Some(device) = devices::readmit(ledger, &certificate)? else {
            return Ok(None);
        };
        audit::record(
            ledger,
            &Record {
                device: Some(device.number),
                object: device.number.to_string(),
                detail: format!("agency {}", device.agency),
                ..Record::of(device.label.clone(), Act::Readmit)
            },
        )?;
        Ok::<_, LogError>(Some(device))
    });
    Ok(readmitted.await?)
}
