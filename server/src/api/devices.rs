//! Devices: enrolled, signed on, renewed, revoked; and what they had sealed, taken in.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};
use packet::{DeviceNumber, Offer, Refusal};
use serde::{Deserialize, Serialize};
use sync::codec::{self, Unpacked};
use sync::frame::{SEALED_INFO, UpFrame, decode};

use super::session::{in_good_standing, may_renew};
use super::{allow, caller, fleet, officers, read_json};
use crate::accept::Peer;
use crate::audit::{self, Record};
use crate::beats;
use crate::calls;
use crate::center::Center;
use crate::clock;
use crate::devices::{self, custody};
use crate::identity::{IssuedCertificate, public_key_of_request};
use crate::log::{LogError, OfferedBy};
use crate::policy::{Act, Actor, Role};
use crate::problem::Problem;
use crate::session::admit;
use crate::shifts::{self, SHIFT_MS, Shift};

/// How long a device's certificate is good for.
const CERTIFICATE_H: u32 = 72;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeRequest {
    agency: String,
    label: String,
    /// Fixed in a vehicle.
    #[serde(default)]
    mounted: bool,
}

#[derive(Debug, Serialize)]
pub(crate) struct CodeView {
    pub(crate) code: String,
    /// All that a device needs to enrol, on one line: JSON `{"center": "host:port", "ca":
    /// the center's certificate authority (DER in base64), "code"}`, in base64url. The
    /// device trusts nothing but that authority.
    pub(crate) ticket: String,
}

/// `POST /v1/enrolment-codes` with `{"agency", "label", "mounted"}`: a one-time code for one
/// device.
pub(super) async fn new_code(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    body: Bytes,
) -> Result<(StatusCode, Json<CodeView>), Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::NewEnrolmentCode, "").await?;
    let request: CodeRequest = read_json(&body)?;
    let view = new_ticket(
        &center,
        &caller,
        request.agency,
        &request.label,
        request.mounted,
    );
    Ok((StatusCode::CREATED, Json(view.await?)))
}

/// A code and its ticket for one new device.
///
/// # Errors
/// What is wrong with the agency or the label.
pub(crate) async fn new_ticket(
    center: &Arc<Center>,
    actor: &Actor,
    agency: String,
    label: &str,
    mounted: bool,
) -> Result<CodeView, Problem> {
    if !center
        .config
        .agencies
        .iter()
        .any(|known| known.id == agency)
    {
        return Err(Problem::bad_field("agency", "one of the center's agencies"));
    }
    if actor.agency.as_ref().is_some_and(|own| *own != agency) {
        return Err(Problem::bad_field("agency", "your own"));
    }
    let label = label.trim().to_owned();
    if !(1..=40).contains(&label.chars().count()) {
        return Err(Problem::bad_field("label", "1 to 40 characters"));
    }
    let who = actor.name.clone();
    let code = center
        .log
        .write(move |ledger| {
            let code = devices::new_code_for(ledger, &agency, &label, mounted)?;
            let record = Record {
                who,
                ..record(Act::NewEnrolmentCode, label)
            };
            audit::record(ledger, &record)?;
            Ok::<_, LogError>(code)
        })
        .await?;
    let ticket = ticket(center, &code);
    Ok(CodeView { code, ticket })
}

/// A ticket for this code: see [`CodeView::ticket`].
#[must_use]
pub fn ticket(center: &Center, code: &str) -> String {
    let name = center
        .config
        .names
        .first()
        .map_or("localhost", String::as_str);
    let ticket = serde_json::json!({
        "center": format!("{name}:{}", center.sync.port()),
        "ca": BASE64.encode(center.keys.ca_certificate_der()),
        "code": code,
    });
    BASE64URL_NOPAD.encode(ticket.to_string().as_bytes())
}

fn record(act: Act, object: String) -> Record {
    Record {
        object,
        ..Record::of(Role::Dispatch.name(), act)
    }
}

/// `DELETE /v1/devices/{number}`: out of good standing; its session ends at once.
pub(super) async fn revoke(
    State(center): State<Arc<Center>>,
    headers: HeaderMap,
    Path(device): Path<String>,
) -> Result<StatusCode, Problem> {
    let caller = caller(&center, &headers);
    allow(&center, &caller, Act::RevokeDevice, &device).await?;
    let number = device
        .parse()
        .map(DeviceNumber)
        .map_err(|_| Problem::not_found())?;
    fleet::revoke(&center, &caller, number).await?;
    Ok(StatusCode::NO_CONTENT)
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnrolRequest {
    code: String,
    /// PKCS#10, DER in base64.
    request: String,
}

#[derive(Debug, Serialize)]
pub(super) struct EnrolledView {
    device: u32,
    agency: String,
    label: String,
    /// DER in base64.
    certificate: String,
    /// 32 hexadecimal digits.
    center_id: String,
    /// The center's sealing key, in base64.
    sealing_key: String,
    /// Fixed in a vehicle: it does not lock for want of use.
    mounted: bool,
    /// In base64: what the codes are made of that release it from too many bad PINs.
    release_secret: String,
}

/// `POST /v1/enrol` with `{"code", "request"}`: spends the code, gives a certificate.
pub(super) async fn enrol(
    State(center): State<Arc<Center>>,
    body: Bytes,
) -> Result<(StatusCode, Json<EnrolledView>), Problem> {
    allow(&center, &Actor::of(Role::Anonymous), Act::Enrol, "").await?;
    let request: EnrolRequest = read_json(&body)?;
    let csr = BASE64.decode(request.request.as_bytes()).map_err(|e| {
        Problem::bad_field("request", format!("a PKCS#10 request, DER in base64: {e}"))
    })?;
    let public_key =
        public_key_of_request(&csr).map_err(|e| Problem::bad_field("request", e.to_string()))?;
    let device = center
        .log
        .write(move |ledger| {
            let device = devices::enrol(ledger, &request.code, &public_key)?;
            audit::record(
                ledger,
                &Record {
                    who: device.label.clone(),
                    device: Some(device.number),
                    ..record(Act::Enrol, device.number.to_string())
                },
            )?;
            Ok::<_, LogError>(device)
        })
        .await;
    if let Err(LogError::Unknown { .. }) = &device {
        let stranger = Actor::of(Role::Anonymous);
        let object = "a code that is not good".to_owned();
        center.denied(&stranger, Act::Enrol, object).await;
    }
    let device = device?;
    let issued = issue(&center, &csr, device.number, &device.agency)?;
    let secret = certified(&center, device.number).await?;
    let view = EnrolledView {
        device: device.number.0,
        agency: device.agency,
        label: device.label,
        certificate: BASE64.encode(&issued.der),
        center_id: HEXLOWER.encode(&center.keys.center_id()),
        sealing_key: BASE64.encode(&center.keys.sealing_public_key()),
        mounted: device.mounted,
        release_secret: BASE64.encode(&secret),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

fn issue(
    center: &Center,
    csr: &[u8],
    device: DeviceNumber,
    agency: &str,
) -> Result<IssuedCertificate, Problem> {
    center
        .keys
        .issue_device(csr, device.0, agency, clock::now_ms(), CERTIFICATE_H)
        .map_err(|e| Problem::bad_field("request", e.to_string()))
}

/// Until when the certificate is good that was just issued is kept; the secret of the
/// device's codes.
async fn certified(center: &Center, device: DeviceNumber) -> Result<Vec<u8>, LogError> {
    let until_ms = clock::now_ms() + i64::from(CERTIFICATE_H) * 60 * 60 * 1_000;
    let writing = center.log.write(move |ledger| {
        custody::certified(ledger, device, until_ms)?;
        custody::release_secret(ledger, device)
    });
    writing.await
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct RenewRequest {
    request: String,
}

#[derive(Debug, Serialize)]
pub(super) struct RenewedView {
    certificate: String,
    mounted: bool,
    release_secret: String,
}

/// `POST /v1/certificate` with `{"request"}`: a new certificate for the same key, also for a
/// while after the old one has ended.
pub(super) async fn renew(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<Json<RenewedView>, Problem> {
    let device = may_renew(&center, &peer).await?;
    allow(&center, &Actor::of(Role::Device), Act::SignOn, "").await?;
    let request: RenewRequest = read_json(&body)?;
    let csr = BASE64
        .decode(request.request.as_bytes())
        .map_err(|e| Problem::bad_field("request", e.to_string()))?;
    let issued = issue(&center, &csr, device.number, &device.agency)?;
    if issued.public_key != device.public_key {
        return Err(Problem::bad_field(
            "request",
            "the key that the device was enrolled with",
        ));
    }
    let secret = certified(&center, device.number).await?;
    Ok(Json(RenewedView {
        certificate: BASE64.encode(&issued.der),
        mounted: device.mounted,
        release_secret: BASE64.encode(&secret),
    }))
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ShiftRequest {
    /// The officer's badge.
    officer: String,
    unit: String,
    /// The name of the store that the shift is in: its receipt says that this one is gone.
    store: Option<String>,
    /// A PIN opens it.
    pin: Option<bool>,
    /// That the agency's own provider signed the officer in ([`super::officers`]).
    proof: Option<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct ShiftView {
    /// Base64url: the proof that every hello of this shift carries.
    token: String,
    officer: String,
    unit: String,
    agency: String,
    expires_ms: i64,
    /// How long that is from now: the device's clock may be wrong.
    lasts_ms: i64,
    /// The device is fixed in a vehicle.
    mounted: bool,
    /// What a query may be for, the usual one first.
    purposes: Vec<PurposeView>,
}

#[derive(Debug, Serialize)]
struct PurposeView {
    code: String,
    name: String,
}

/// `POST /v1/shifts` with `{"officer", "unit"}`: binds the officer to the unit and the device.
/// Where the agency's officers sign on by its own provider, with the `proof` of that, too.
pub(super) async fn sign_on(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<(StatusCode, Json<ShiftView>), Problem> {
    let (device, agency) = officers::may_sign_on(&center, &peer).await?;
    let request: ShiftRequest = read_json(&body)?;
    let officer = officers::officer(agency, &request.officer)
        .ok_or_else(|| Problem::bad_field("officer", format!("a badge of {}", agency.name)))?;
    officers::check_unit(agency, &request.unit)?;
    if let Some(store) = &request.store
        && !is_store_name(store)
    {
        return Err(Problem::bad_field("store", "32 hexadecimal digits"));
    }
    let whose = (officer.badge.as_str(), request.unit.as_str());
    let proof = request.proof.as_deref();
    officers::check_proof(&center, device.number, agency, whose, proof).await?;
    let by = proof.map_or("", |_| "by the agency's sign-in");
    let shift = Shift {
        device: device.number,
        officer: officer.name.clone(),
        badge: officer.badge.clone(),
        unit: request.unit,
        agency: agency.id.clone(),
        expires_ms: clock::now_ms() + SHIFT_MS,
    };
    let kept = shift.clone();
    let (store, pin) = (request.store, request.pin);
    let token = center
        .log
        .write(move |ledger| {
            let token = shifts::sign_on(ledger, &kept)?;
            if let Some(store) = store {
                shifts::keep_store(ledger, &token, &store, pin.unwrap_or(false))?;
            }
            calls::adopt(ledger, kept.device, &kept.unit)?;
            beats::sign_on(ledger, &kept.unit)?;
            audit::record(
                ledger,
                &Record {
                    who: kept.officer.clone(),
                    agency: Some(kept.agency.clone()),
                    device: Some(kept.device),
                    detail: by.into(),
                    ..record(Act::SignOn, kept.unit.clone())
                },
            )?;
            Ok::<_, LogError>(token)
        })
        .await?;
    center
        .hub
        .close_device(device.number, "an officer signed on");
    let view = ShiftView {
        token: BASE64URL_NOPAD.encode(&token),
        officer: shift.officer,
        unit: shift.unit,
        agency: shift.agency,
        expires_ms: shift.expires_ms,
        lasts_ms: SHIFT_MS,
        mounted: device.mounted,
        purposes: center
            .config
            .purposes
            .iter()
            .map(|purpose| PurposeView {
                code: purpose.code.clone(),
                name: purpose.name.clone(),
            })
            .collect(),
    };
    Ok((StatusCode::CREATED, Json(view)))
}

fn is_store_name(name: &str) -> bool {
    name.len() == 32 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// `DELETE /v1/shifts`: ends the shift on this device.
pub(super) async fn sign_off(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
) -> Result<StatusCode, Problem> {
    let (device, _) = in_good_standing(&center, &peer).await?;
    allow(
        &center,
        &Actor::of(Role::Device),
        Act::SignOff,
        &device.number.to_string(),
    )
    .await?;
    let number = device.number;
    center
        .log
        .write(move |ledger| {
            shifts::sign_off(ledger, number)?;
            audit::record(
                ledger,
                &Record {
                    who: number.to_string(),
                    device: Some(number),
                    ..record(Act::SignOff, number.to_string())
                },
            )
        })
        .await?;
    center
        .hub
        .close_device(device.number, "the officer signed off");
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /v1/sealed`: an unsent change that was sealed to the center (HPKE, RFC 9180),
/// whose device cannot open its store any more. 200 when the log has it, also from before.
pub(super) async fn sealed(
    State(center): State<Arc<Center>>,
    Extension(peer): Extension<Peer>,
    body: Bytes,
) -> Result<StatusCode, Problem> {
    let (device, _) = in_good_standing(&center, &peer).await?;
    allow(
        &center,
        &Actor::of(Role::Device),
        Act::HandInSealed,
        &device.number.to_string(),
    )
    .await?;
    let unreadable = |why: String| Problem::bad_field("body", why);
    let opened = center
        .keys
        .unseal(SEALED_INFO, &device.number.0.to_be_bytes(), &body)
        .map_err(|_| {
            unreadable("something that was sealed to this center by this device".into())
        })?;
    let UpFrame::Offer(frame) = decode(&opened).map_err(|e| unreadable(e.to_string()))? else {
        return Err(unreadable("an offer".into()));
    };
    let body = codec::unpack(&frame.body).map_err(|e| unreadable(e.to_string()))?;
    let Unpacked::Change(bytes) = body else {
        return Err(unreadable("a whole change".into()));
    };
    let offer = Offer {
        document: frame.document,
        bytes,
        proof: frame.proof,
    };
    let by = OfferedBy {
        device: device.number,
        public_key: device.public_key,
    };
    match admit(&center.log, offer, by, device.label, Role::Device).await? {
        Ok(_) | Err(Refusal::HasIt) => Ok(StatusCode::OK),
        Err(refusal) => Err(Problem::new(
            StatusCode::UNPROCESSABLE_ENTITY,
            "The change was refused",
            refusal.to_string(),
        )),
    }
}
