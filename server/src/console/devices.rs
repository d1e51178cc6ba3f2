//! The devices as a page: who has each, how it stands, and who is silent that should have
//! answered. A supervisor makes tickets here, erases, releases, revokes.

use std::sync::Arc;

use axum::extract::rejection::FormRejection;
use axum::extract::{Path, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Redirect, Response};
use axum::{Extension, Form};
use packet::DeviceNumber;
use qrcode::render::svg;
use qrcode::{EcLevel, QrCode};
use serde::Deserialize;

use super::view::{DeviceRowView, DevicesPage, DoneView};
use super::{Console, disclosure, pages, words};
use crate::api::fleet::{self, DEVICES_MAX};
use crate::api::{allow, new_ticket};
use crate::clock;
use crate::devices::list::{self, Standing, State as DeviceState};
use crate::log::LogError;
use crate::policy::{Act, Actor, decide};
use crate::problem::Problem;

const PLACE: &str = "/devices";
/// A device that says nothing for so long is called silent, where it owes an answer.
const SILENT_MS: i64 = 2 * 60 * 1_000;
/// Pixels of the ticket's picture: a phone reads it from a screen at arm's length.
const PICTURE_PIXELS_MIN: u32 = 280;

/// `GET /devices`
pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeeDevices, "").await?;
    Ok(shown(&console, &actor, StatusCode::OK, None, None).await)
}

async fn shown(
    console: &Arc<Console>,
    actor: &Actor,
    status: StatusCode,
    refused: Option<String>,
    done: Option<DoneView>,
) -> Response {
    let now_ms = clock::now_ms();
    let own = actor.agency.clone();
    let read = console
        .center
        .log
        .readers()
        .read(move |connection| list::list(connection, own.as_deref(), now_ms, DEVICES_MAX));
    let ((total, devices), open_calls) = match (read.await, console.open_calls(actor).await) {
        (Ok(read), Ok(open_calls)) => (read, open_calls),
        (Err(e), _) | (_, Err(e)) => return pages::failed(&e),
    };
    disclosure::listed(console, actor, Act::SeeDevices, devices.len()).await;
    let agencies = &console.center.config.agencies;
    let page = DevicesPage {
        header: console.header(open_calls),
        refused,
        done,
        may_act: decide(actor.role, Act::EraseDevice),
        agencies: agencies
            .iter()
            .filter(|agency| actor.agency.as_ref().is_none_or(|own| *own == agency.id))
            .map(|agency| (agency.id.clone(), agency.name.clone()))
            .collect(),
        not_shown: total.saturating_sub(devices.len() as u64),
        rows: devices
            .iter()
            .map(|device| row(console, device, now_ms))
            .collect(),
    };
    pages::html(status, &page)
}

fn row(console: &Console, device: &Standing, now_ms: i64) -> DeviceRowView {
    let minute = |ms| console.times.minute(ms);
    let state = device.state();
    let is_connected = console.center.hub.is_connected(device.number);
    let on = device.shift.as_ref().filter(|shift| shift.is_on);
    let owes = match state {
        DeviceState::Ordered | DeviceState::NotConfirmed => true,
        DeviceState::InUse => !is_connected,
        _ => false,
    };
    let is_silent = device
        .heard_ms
        .is_none_or(|heard_ms| now_ms - heard_ms >= SILENT_MS);
    let silent = (owes && is_silent && !is_connected).then(|| match device.heard_ms {
        Some(heard_ms) => format!("silent since {}", minute(heard_ms)),
        None => "never heard".into(),
    });
    let agency = console.center.config.agencies.iter();
    let agency = agency.into_iter().find(|agency| agency.id == device.agency);
    let certificate = match (device.revoked_ms, device.certificate_until_ms) {
        (Some(ms), _) => format!("revoked {}", minute(ms)),
        (None, Some(ms)) if ms < now_ms => format!("ended {}", minute(ms)),
        (None, Some(ms)) => format!("until {}", minute(ms)),
        (None, None) => "not known: from before this version".into(),
    };
    DeviceRowView {
        number: device.number.0,
        label: device.label.clone(),
        agency: agency.map_or_else(|| device.agency.clone(), |agency| agency.name.clone()),
        who: on.map_or_else(String::new, |shift| {
            format!("{}, {}", shift.unit, shift.officer)
        }),
        state: state.name(),
        known_by: known_by(device, state, &minute),
        silent,
        heard: device.heard_ms.map_or_else(|| "never".into(), minute),
        is_connected,
        mounted: device.mounted,
        certificate,
        is_revoked: device.revoked_ms.is_some(),
        is_locked_out: state == DeviceState::LockedOut,
        is_ordered: state == DeviceState::Ordered,
    }
}

/// What the state is known by.
fn known_by(device: &Standing, state: DeviceState, minute: &impl Fn(i64) -> String) -> String {
    match state {
        DeviceState::New => "nobody has signed on yet".into(),
        DeviceState::InUse => match device.shift.as_ref().and_then(|shift| shift.pin) {
            Some(true) => "a PIN opens it".into(),
            _ => "no PIN is set on it".into(),
        },
        DeviceState::Locked => "by its own word".into(),
        DeviceState::LockedOut => "too many wrong PINs, by its own word".into(),
        DeviceState::NotConfirmed => {
            "the shift is over, and no receipt says that what it had is gone".into()
        }
        DeviceState::Ordered => match &device.order {
            Some(order) => format!(
                "ordered by {}, {}; not confirmed",
                order.by,
                minute(order.ordered_ms)
            ),
            None => String::new(),
        },
        DeviceState::Erased => match &device.erasure {
            Some(receipt) => {
                let sealed = match receipt.sealed {
                    0 => String::new(),
                    1 => "; 1 entry was sealed to the center".into(),
                    count => format!("; {count} entries were sealed to the center"),
                };
                let lost = match receipt.attachments_lost {
                    None | Some(0) => String::new(),
                    Some(1) => "; 1 attachment was lost".into(),
                    Some(count) => format!("; {count} attachments were lost"),
                };
                format!(
                    "{}, {}; its signed receipt came {}{sealed}{lost}",
                    receipt.why,
                    minute(receipt.at_ms),
                    minute(receipt.received_ms)
                )
            }
            None => String::new(),
        },
    }
}

#[derive(Debug, Deserialize)]
pub(super) struct CodeForm {
    agency: String,
    label: String,
    mounted: Option<String>,
}

/// `POST /devices/codes`: a ticket for one new device, as text and as a picture.
pub(super) async fn new_code(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    form: Result<Form<CodeForm>, FormRejection>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::NewEnrolmentCode, "").await?;
    let Form(form) = form.map_err(|e| Problem::bad_field("label", e.body_text()))?;
    let mounted = form.mounted.is_some();
    let made = new_ticket(&console.center, &actor, form.agency, &form.label, mounted);
    Ok(match made.await {
        Ok(made) => {
            let done = DoneView::Ticket {
                label: form.label,
                picture: picture(&made.ticket),
                code: made.code,
                ticket: made.ticket,
            };
            shown(&console, &actor, StatusCode::CREATED, None, Some(done)).await
        }
        Err(problem) => {
            let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::BAD_REQUEST);
            shown(&console, &actor, status, Some(problem.detail), None).await
        }
    })
}

/// Empty where the ticket is too long for one: it is there as text as well.
fn picture(ticket: &str) -> String {
    let Ok(code) = QrCode::with_error_correction_level(ticket, EcLevel::L) else {
        return String::new();
    };
    let picture = code
        .render::<svg::Color<'_>>()
        .min_dimensions(PICTURE_PIXELS_MIN, PICTURE_PIXELS_MIN)
        .build();
    // Within a page it needs no declaration of its own.
    let begin = picture.find("<svg").unwrap_or(0);
    picture[begin..].to_owned()
}

#[derive(Debug, Default, Deserialize)]
pub(super) struct ActForm {
    challenge: Option<String>,
    mounted: Option<String>,
}

/// `POST /devices/{device}/{what}`: `erase`, `revoke`, `release`, `code`, `mounted`.
pub(super) async fn act(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
    Path((device, what)): Path<(String, String)>,
    form: Result<Form<ActForm>, FormRejection>,
) -> Result<Response, Problem> {
    let act = match what.as_str() {
        "erase" => Act::EraseDevice,
        "revoke" => Act::RevokeDevice,
        "release" | "code" => Act::ReleaseDevice,
        "mounted" => Act::MarkMounted,
        _ => return Err(Problem::not_found()),
    };
    let center = &console.center;
    allow(center, &actor, act, &device).await?;
    let number = device.parse().map(DeviceNumber);
    let number = number.map_err(|_| Problem::not_found())?;
    // A button alone sends nothing.
    let form = form.map(|Form(form)| form).unwrap_or_default();
    let done = match what.as_str() {
        "erase" => fleet::order_erasure(center, &actor, number).await.map(drop),
        "revoke" => fleet::revoke(center, &actor, number).await,
        "release" => fleet::release(center, &actor, number).await,
        "mounted" => fleet::set_mounted(center, &actor, number, form.mounted.is_some()).await,
        _ => {
            let challenge = form.challenge.unwrap_or_default();
            match fleet::code_for(center, &actor, number, challenge).await {
                Ok(code) => {
                    let (first, last) = code.split_at(4);
                    let done = DoneView::Code {
                        device: format!("device no. {}", number.0),
                        code: format!("{first} {last}"),
                    };
                    return Ok(shown(&console, &actor, StatusCode::OK, None, Some(done)).await);
                }
                Err(error) => Err(error),
            }
        }
    };
    Ok(match done {
        Ok(()) => Redirect::to(PLACE).into_response(),
        Err(error) => {
            let (status, why) = match &error {
                LogError::Unknown { .. } => {
                    (StatusCode::NOT_FOUND, "There is no such device.".into())
                }
                LogError::Conflict(why) => (StatusCode::UNPROCESSABLE_ENTITY, why.clone()),
                error => (StatusCode::SERVICE_UNAVAILABLE, words::trouble(error)),
            };
            shown(&console, &actor, status, Some(why), None).await
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_ticket_is_a_picture_that_fits_into_a_page_without_styles_or_scripts_of_its_own() {
        let drawn = picture(&"a".repeat(900));
        assert!(drawn.starts_with("<svg") && drawn.contains("<path"));
        for word in ["style=", "<script", "<?xml", "href"] {
            assert!(!drawn.contains(word), "{word}");
        }
        // More than a picture holds: the text is there all the same.
        assert_eq!(picture(&"a".repeat(4_000)), "");
    }
}
