//! Becoming a device of a center, and an officer's shift on it: all that needs the network.

use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
use packet::custody::ErasedWhy;
use packet::{CenterId, DeviceNumber};
use serde::Deserialize;
use serde_json::json;

use super::lock::{PENDING, RELEASE_SECRET, save_json, store_name};
use super::{Core, ENROLMENT, Enrolled, enrolled, keys_error, read, replace};
use crate::identity::{client_config, signing_request};
use crate::lock::shift_clock::SHIFT_MS_MAX;
use crate::lock::{LockState, LockedWhy};
use crate::net::{Method, ask};
use crate::shift::{Enrolment, Purpose, Shift};
use crate::{CoreError, LogLevel, Ticket};

/// How old a certificate gets before it is renewed.
const RENEW_AFTER_MS: i64 = 24 * 60 * 60 * 1_000;
/// How old one is that may have ended: they hold for three days, and clocks go wrong.
const ENDED_AFTER_MS: i64 = 2 * RENEW_AFTER_MS;

#[derive(Deserialize)]
struct EnrolAnswer {
    device: u32,
    certificate: String,
    center_id: String,
    sealing_key: String,
    agency: String,
    #[serde(default)]
    mounted: bool,
    /// In base64; an older center gives none.
    release_secret: Option<String>,
}

#[derive(Deserialize)]
struct RenewAnswer {
    certificate: String,
    #[serde(default)]
    mounted: bool,
    release_secret: Option<String>,
}

#[derive(Deserialize)]
struct ShiftAnswer {
    token: String,
    officer: String,
    unit: String,
    agency: String,
    expires_ms: i64,
    /// How long it lasts from now: the two clocks need not agree.
    lasts_ms: Option<i64>,
    #[serde(default)]
    mounted: bool,
    #[serde(default)]
    purposes: Vec<Purpose>,
}

pub(super) fn unfit(what: &str) -> CoreError {
    CoreError::Unreachable(format!("its answer cannot be read: {what}"))
}

impl Core {
    #[must_use]
    pub fn is_enrolled(&self) -> bool {
        self.enrolled().is_some()
    }

    /// This device's number at its center.
    #[must_use]
    pub fn device(&self) -> Option<DeviceNumber> {
        Some(self.enrolled()?.enrolment.device)
    }

    /// Makes this device one of the center's.
    ///
    /// # Errors
    /// When the center cannot be reached, or does not take the ticket's code.
    pub async fn enrol(&self, ticket: &Ticket) -> Result<(), CoreError> {
        let tls = client_config(&ticket.ca, None)
            .map_err(|error| CoreError::Ticket(error.to_string()))?;
        let request = signing_request(&self.0.signer).map_err(|e| keys_error(&e))?;
        let body = json!({"code": ticket.code, "request": BASE64.encode(&request)});
        let answer = self
            .ask(&ticket.center, tls, Method::POST, "/v1/enrol", &body)
            .await?;
        let answer: EnrolAnswer =
            serde_json::from_slice(&answer).map_err(|e| unfit(&e.to_string()))?;
        let base64 = |text: &str| BASE64.decode(text.as_bytes()).map_err(|_| unfit("base64"));
        let center_id = HEXLOWER_PERMISSIVE
            .decode(answer.center_id.as_bytes())
            .ok()
            .and_then(|id| id.try_into().ok())
            .ok_or_else(|| unfit("center_id"))?;
        let enrolment = Enrolment {
            center: ticket.center.clone(),
            ca: ticket.ca.clone(),
            device: DeviceNumber(answer.device),
            certificate: base64(&answer.certificate)?,
            center_id: CenterId(center_id),
            sealing_key: base64(&answer.sealing_key)?,
            agency: answer.agency,
            certified_ms: self.0.clock.wall_ms(),
            mounted: answer.mounted,
        };
        self.keep_release_secret(answer.release_secret.as_deref())?;
        self.keep_enrolment(enrolment)?;
        self.0.gate.send_modify(|gate| gate.standing += 1);
        self.bump();
        Ok(())
    }

    fn keep_enrolment(&self, enrolment: Enrolment) -> Result<(), CoreError> {
        let kept = enrolment.to_json().map_err(|e| keys_error(&e))?;
        let enrolled = enrolled(enrolment, &self.0.signer)?;
        self.0
            .keys
            .save(ENROLMENT, &kept)
            .map_err(|e| keys_error(&e))?;
        replace(&self.0.enrolled, Some(enrolled));
        Ok(())
    }

    /// What codes are answered by: known to this device and its center alone.
    fn keep_release_secret(&self, secret: Option<&str>) -> Result<(), CoreError> {
        let Some(secret) = secret else { return Ok(()) };
        let secret = BASE64.decode(secret.as_bytes());
        let secret = zeroize::Zeroizing::new(secret.map_err(|_| unfit("base64"))?);
        let keys = &self.0.keys;
        keys.save(RELEASE_SECRET, &secret)
            .map_err(|e| keys_error(&e))
    }

    /// The center says whether the device is fixed in a vehicle.
    pub(super) fn set_mounted(&self, mounted: bool) -> Result<(), CoreError> {
        match self.enrolled() {
            Some(enrolled) if enrolled.enrolment.mounted != mounted => {
                self.keep_enrolment(Enrolment {
                    mounted,
                    ..enrolled.enrolment.clone()
                })
            }
            _ => Ok(()),
        }
    }

    /// Who works with this device now; nobody while it is locked.
    #[must_use]
    pub fn shift(&self) -> Option<Shift> {
        read(&self.0.shift)
    }

    /// Begins a shift on this device, in place of the one that was: the officer's own is
    /// renewed, another's ends first, with all that it had here ([`Core::sign_off`]). Where
    /// the device is locked, the PIN opens it afterwards.
    ///
    /// # Errors
    /// When the center cannot be reached, or does not know the officer or the unit;
    /// [`CoreError::PinFirst`] where the rules want one; [`CoreError::OtherOfficer`] when the
    /// device is locked by another.
    pub async fn sign_on(&self, officer: &str, unit: &str) -> Result<Shift, CoreError> {
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        if self.is_anothers(officer)? {
            self.must_make_room().await?;
            // The center first: a badge that nobody has ends nobody's shift.
            self.ask_for_a_shift(&enrolled, officer, unit, None, None)
                .await?;
            self.make_room().await?;
        }
        self.sign_on_with(&enrolled, officer, unit, None).await
    }

    /// Whether another officer's shift is on this device.
    pub(super) fn is_anothers(&self, officer: &str) -> Result<bool, CoreError> {
        let badge = self.badge()?;
        Ok(badge.is_some_and(|badge| !badge.is_empty() && badge != officer))
    }

    /// The other's shift may end here.
    pub(super) async fn must_make_room(&self) -> Result<(), CoreError> {
        if !self.is_open() {
            return Err(CoreError::OtherOfficer);
        }
        self.must_lose_nothing().await
    }

    pub(super) async fn make_room(&self) -> Result<(), CoreError> {
        self.erase(ErasedWhy::EndOfShift, None).await?;
        self.hand_in_receipts().await;
        Ok(())
    }

    pub(super) async fn must_have_a_pin(&self) -> Result<(), CoreError> {
        if self.0.rules.pin_first && !self.has_pin().await {
            return Err(CoreError::PinFirst);
        }
        Ok(())
    }

    pub(super) async fn sign_on_with(
        &self,
        enrolled: &Enrolled,
        officer: &str,
        unit: &str,
        proof: Option<&str>,
    ) -> Result<Shift, CoreError> {
        self.must_have_a_pin().await?;
        let store = store_name(self.0.keys.as_ref())?;
        let asked = self.ask_for_a_shift(enrolled, officer, unit, store, proof);
        let answer = asked.await?;
        let lasts_ms = answer.lasts_ms.unwrap_or(SHIFT_MS_MAX);
        let shift = Shift {
            officer: answer.officer,
            unit: answer.unit,
            agency: answer.agency,
            expires_ms: answer.expires_ms,
            purposes: answer.purposes,
            badge: officer.to_owned(),
            token: answer.token,
        };
        self.set_mounted(answer.mounted)?;
        self.begin_shift(shift.clone(), lasts_ms).await?;
        Ok(shift)
    }

    async fn ask_for_a_shift(
        &self,
        enrolled: &Enrolled,
        officer: &str,
        unit: &str,
        store: Option<String>,
        proof: Option<&str>,
    ) -> Result<ShiftAnswer, CoreError> {
        let pin = self.has_pin().await;
        let mut body = json!({"officer": officer, "unit": unit, "store": store, "pin": pin});
        // A center from before takes no field that it does not know.
        if let Some(proof) = proof {
            body["proof"] = proof.into();
        }
        let answer = self
            .ask_as(enrolled, Method::POST, "/v1/shifts", &body)
            .await?;
        serde_json::from_slice(&answer).map_err(|e| unfit(&e.to_string()))
    }

    /// The officer's own shift anew, for as long as the center gives one. Where the agency's
    /// officers sign on by its own provider, the center refuses and says so: that is
    /// [`Core::begin_sign_on`] once more.
    ///
    /// # Errors
    /// As [`Core::sign_on`]; [`CoreError::SignOnFirst`].
    pub async fn renew_shift(&self) -> Result<Shift, CoreError> {
        let shift = self.shift().ok_or(CoreError::SignOnFirst)?;
        self.sign_on(&shift.badge, &shift.unit).await
    }

    async fn begin_shift(&self, shift: Shift, lasts_ms: i64) -> Result<(), CoreError> {
        let mut custody = self.0.custody.lock().await;
        if self.is_open() {
            self.begin_shift_clock(lasts_ms, &shift.badge)?;
            self.touch();
            return self.set_shift(shift).await;
        }
        // First what is needed to open it, then the time to do so.
        save_json(self.0.keys.as_ref(), PENDING, &shift)?;
        self.begin_shift_clock(lasts_ms, &shift.badge)?;
        custody.pending = Some(shift);
        if custody.under_pin.is_none() {
            let key = self.plain_key()?;
            self.open_store(&mut custody, key).await?;
            return Ok(());
        }
        self.0.lock_state.send_modify(|state| {
            if let LockState::Locked { why, .. } = state {
                *why = LockedWhy::Asked;
            }
        });
        self.bump();
        Ok(())
    }

    /// A new certificate for the same key, when the last is a day old: it holds for a few.
    ///
    /// # Errors
    /// As [`Core::enrol`].
    pub(crate) async fn renew_if_due(&self) -> Result<(), CoreError> {
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        let now_ms = self.0.clock.wall_ms();
        let age_ms = now_ms.saturating_sub(enrolled.enrolment.certified_ms);
        if (0..RENEW_AFTER_MS).contains(&age_ms) {
            return Ok(());
        }
        let request = signing_request(&self.0.signer).map_err(|e| keys_error(&e))?;
        let body = json!({"request": BASE64.encode(&request)});
        let answer = self
            .ask_as(&enrolled, Method::POST, "/v1/certificate", &body)
            .await?;
        let answer: RenewAnswer =
            serde_json::from_slice(&answer).map_err(|e| unfit(&e.to_string()))?;
        let certificate = BASE64
            .decode(answer.certificate.as_bytes())
            .map_err(|_| unfit("base64"))?;
        self.keep_release_secret(answer.release_secret.as_deref())?;
        self.keep_enrolment(Enrolment {
            certificate,
            certified_ms: now_ms,
            mounted: answer.mounted,
            ..enrolled.enrolment.clone()
        })
    }

    /// A certificate that may have ended opens no session any more; it is still good for
    /// a new one, which comes first then.
    pub(crate) async fn renew_if_ended(&self) {
        let Some(enrolled) = self.enrolled() else {
            return;
        };
        let age_ms = self
            .0
            .clock
            .wall_ms()
            .saturating_sub(enrolled.enrolment.certified_ms);
        if (0..ENDED_AFTER_MS).contains(&age_ms) {
            return;
        }
        if let Err(error) = self.renew_if_due().await {
            let words = format!("the certificate was not renewed: {error}");
            self.0.log.log(LogLevel::Warning, &words);
        }
    }

    async fn set_shift(&self, shift: Shift) -> Result<(), CoreError> {
        let kept = shift.clone();
        self.0
            .store
            .run(move |store| store.set_shift(Some(&kept)))
            .await?;
        replace(&self.0.shift, Some(shift));
        // The session speaks for the shift that it began with.
        self.0.gate.send_modify(|gate| gate.standing += 1);
        self.bump();
        Ok(())
    }

    pub(super) async fn ask_as(
        &self,
        enrolled: &Enrolled,
        method: Method,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, CoreError> {
        let center = &enrolled.enrolment.center;
        self.ask(center, enrolled.tls.clone(), method, path, body)
            .await
    }

    async fn ask(
        &self,
        center: &str,
        tls: Arc<rustls::ClientConfig>,
        method: Method,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, CoreError> {
        if self.0.gate.borrow().cut {
            return Err(CoreError::Unreachable("the network is cut off".into()));
        }
        let body = body.to_string().into_bytes();
        let connector = self.0.connector.as_ref();
        let kind = "application/json";
        Ok(ask(connector, center, tls, method, path, kind, body).await?)
    }
}
