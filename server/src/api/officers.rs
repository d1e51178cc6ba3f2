//! Officers who sign on by their agency's own provider.
//!
//! ```text
//! app ─▶ POST /v1/sign-on/begin ─▶ the provider's address, which the app opens in the browser
//!        the provider leads the browser back to the app (RFC 8252)
//! app ─▶ POST /v1/sign-on/finish ─▶ whose badge it is, and a proof
//! app ─▶ POST /v1/shifts with the badge and the proof ─▶ the shift
//! ```
//!
//! The center exchanges the code itself: no device holds the client's secret or sees a token.
//! The state is the device's whose certificate it was asked with, as the proof is; both are
//! good once, for minutes. Two steps, since the app may first have to end another officer's
//! shift, of whom it hears only in the answer.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::StatusCode;
use axum::{Extension, Json};
use packet::DeviceNumber;
use serde::{Deserialize, Serialize};

use super::session::in_good_standing;
use super::{allow, read_json};
use crate::accept::Peer;
use crate::audit::{self, Record};
use crate::center::Center;
use crate::clock;
use crate::config::{AgencyConfig, OfficerConfig};
use crate::devices::Device;
use crate::people::oidc::{OidcError, SignedOn};
use crate::policy::{Act, Actor, Role};
use crate::problem::Problem;

const TITLE: &str = "The agency's sign-in is wanted";

/// A device in good standing, which is to erase nothing first, and its agency.
pub(super) async fn may_sign_on<'c>(
    center: &'c Arc<Center>,
    peer: &Peer,
) -> Result<(Device, &'c AgencyConfig), Problem> {
    let (device, _) = in_good_standing(center, peer).await?;
    let number = device.number.to_string();
    allow(center, &Actor::of(Role::Device), Act::SignOn, &number).await?;
    let not = |why| Problem::new(StatusCode::FORBIDDEN, "Not allowed", why);
    if device.erase_order.is_some() {
        return Err(not(
            "The center has an order for this device: it erases first.",
        ));
    }
    let mut agencies = center.config.agencies.iter();
    let agency = agencies
        .find(|agency| agency.id == device.agency)
        .ok_or_else(|| not("The device's agency is not one of this center's."))?;
    Ok((device, agency))
}

pub(super) fn check_unit(agency: &AgencyConfig, unit: &str) -> Result<(), Problem> {
    if agency.units.iter().any(|known| known == unit) {
        return Ok(());
    }
    Err(Problem::bad_field(
        "unit",
        format!("a unit of {}", agency.name),
    ))
}

pub(super) fn officer<'a>(agency: &'a AgencyConfig, badge: &str) -> Option<&'a OfficerConfig> {
    let mut officers = agency.officers.iter();
    officers.find(|officer| officer.badge == badge)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct BeginRequest {
    unit: String,
    /// Where the provider leads the officer back to.
    redirect: String,
}

#[derive(Debug, Serialize)]
pub(super) struct BegunView {
    /// What the app opens in the browser; null where the agency's officers sign on with their
    /// badges.
    url: Option<String>,
}

/// `POST /v1/sign-on/begin` with `{"unit", "redirect"}`
pub(super) async fn begin(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<Json<BegunView>, Problem> {
    let (device, agency) = may_sign_on(&center, &peer).await?;
    let request: BeginRequest = read_json(&body)?;
    check_unit(agency, &request.unit)?;
    let providers = &center.people.providers;
    if !providers.has_officers(&agency.id) {
        return Ok(Json(BegunView { url: None }));
    }
    let (unit, redirect) = (&request.unit, &request.redirect);
    let number = device.number;
    let sent = providers.send_officer(&agency.id, number, unit, redirect, clock::now_ms());
    match sent.await {
        Ok(url) => Ok(Json(BegunView { url: Some(url) })),
        Err(OidcError::Redirect) => Err(Problem::bad_field(
            "redirect",
            format!(
                "an address that the center leads officers of {} back to (sign_in.providers.officers.redirects)",
                agency.name
            ),
        )),
        Err(e) => {
            tracing::warn!(error = %e, agency = %agency.id, "a provider cannot be asked");
            Err(not_signed_in(&e, agency))
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct FinishRequest {
    /// The whole address that the provider led back to.
    back: String,
}

#[derive(Debug, Serialize)]
pub(super) struct FinishedView {
    /// The badge.
    officer: String,
    unit: String,
    /// Shown to begin the shift.
    proof: String,
    /// How long it is good for.
    lasts_ms: i64,
}

/// `POST /v1/sign-on/finish` with `{"back"}`
pub(super) async fn finish(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<Json<FinishedView>, Problem> {
    let (device, agency) = may_sign_on(&center, &peer).await?;
    let request: FinishRequest = read_json(&body)?;
    let providers = &center.people.providers;
    let now_ms = clock::now_ms();
    let number = device.number;
    let signed_on = match providers.back_officer(&request.back, number, now_ms).await {
        Ok(signed_on) => signed_on,
        Err(e) => {
            refused(
                &center,
                number,
                agency,
                format!("the agency's sign-in: {e}"),
            )
            .await;
            return Err(not_signed_in(&e, agency));
        }
    };
    let SignedOn { badge, unit, login } = &signed_on;
    let Some(officer) = officer(agency, badge) else {
        let why = format!("the agency's sign-in: no officer has the badge of {login}");
        refused(&center, number, agency, why).await;
        let why = format!(
            "{}'s sign-in knows you, but no officer of this center has your badge. Your agency's supervisor sees to it.",
            agency.name
        );
        return Err(Problem::new(StatusCode::FORBIDDEN, "Not signed on", why));
    };
    let (proof, lasts_ms) = providers
        .prove(number, &signed_on, now_ms)
        .map_err(|e| not_signed_in(&e, agency))?;
    let record = Record {
        agency: Some(agency.id.clone()),
        device: Some(number),
        object: unit.clone(),
        detail: format!("signed in by the agency's sign-in: {login}"),
        ..Record::of(officer.name.clone(), Act::SignOn)
    };
    let kept = center
        .log
        .write(move |ledger| audit::record(ledger, &record));
    kept.await?;
    Ok(Json(FinishedView {
        officer: badge.clone(),
        unit: unit.clone(),
        proof,
        lasts_ms,
    }))
}

/// Where the agency's officers sign on by its provider, a proof of that; spent by this.
pub(super) async fn check_proof(
    center: &Arc<Center>,
    device: DeviceNumber,
    agency: &AgencyConfig,
    (badge, unit): (&str, &str),
    proof: Option<&str>,
) -> Result<(), Problem> {
    let providers = &center.people.providers;
    if !providers.has_officers(&agency.id) {
        return match proof {
            None => Ok(()),
            Some(_) => Err(Problem::bad_field(
                "proof",
                format!(
                    "none: {} has no sign-in of its own for officers",
                    agency.name
                ),
            )),
        };
    }
    let (why, words) = match proof {
        None => (
            "a badge alone",
            format!(
                "Officers of {} sign on by the agency's own sign-in: a badge alone is not taken.",
                agency.name
            ),
        ),
        Some(proof) if providers.is_proven(device, proof, badge, unit, clock::now_ms()) => {
            return Ok(());
        }
        Some(_) => (
            "a proof that was used, is over, or is of another officer, unit or device",
            format!(
                "This sign-in was used already, or took too long. Sign in at {} again.",
                agency.name
            ),
        ),
    };
    refused(center, device, agency, format!("{why}, for badge {badge}")).await;
    Err(Problem {
        field: Some("proof".into()),
        ..Problem::new(StatusCode::UNAUTHORIZED, TITLE, words)
    })
}

/// Put on record; that it is not let stands without it.
async fn refused(center: &Center, device: DeviceNumber, agency: &AgencyConfig, why: String) {
    let record = Record {
        agency: Some(agency.id.clone()),
        device: Some(device),
        object: device.to_string(),
        allowed: false,
        detail: format!("refused: {why}"),
        ..Record::of(device.to_string(), Act::SignOn)
    };
    let kept = center
        .log
        .write(move |ledger| audit::record(ledger, &record));
    if let Err(e) = kept.await {
        tracing::error!(error = %e, "a refused sign-on could not be put on record");
    }
}

/// Why not, for the officer.
fn not_signed_in(error: &OidcError, agency: &AgencyConfig) -> Problem {
    let name = &agency.name;
    let (status, words) = match error {
        OidcError::NoProvider => (
            StatusCode::NOT_FOUND,
            format!("{name} has no sign-in of its own for officers: sign on with the badge."),
        ),
        OidcError::Silent(_) => (
            StatusCode::BAD_GATEWAY,
            format!("The sign-in of {name} does not answer. Try again."),
        ),
        OidcError::Over | OidcError::Redirect => (
            StatusCode::FORBIDDEN,
            "This sign-in took too long, was answered before, or began on another device. Begin again."
                .into(),
        ),
        OidcError::Declined(_) => (
            StatusCode::FORBIDDEN,
            format!("The sign-in of {name} was not completed. Begin again."),
        ),
        OidcError::Wrong(_) => (
            StatusCode::FORBIDDEN,
            format!(
                "What the sign-in of {name} said does not hold, and is on record at the center."
            ),
        ),
    };
    Problem::new(status, "Not signed on", words)
}
