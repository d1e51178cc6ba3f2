//! Signing on by the agency's own provider (OpenID Connect), which the center asks: the device
//! opens an address, and hands in where that led back to. It sees no token and no secret.
//!
//! What was handed in is good once at the center. What came of it is kept in memory until the
//! shift has begun, so that a PIN that is wanted first, or a link that breaks, costs the
//! officer no second sign-in.

use serde::Deserialize;
use serde_json::json;

use super::enrol::unfit;
use super::{Core, Enrolled, lock};
use crate::CoreError;
use crate::net::Method;
use crate::shift::Shift;

/// As the center says that the provider does not answer.
const BAD_GATEWAY: u16 = 502;

#[derive(Deserialize)]
struct BegunAnswer {
    url: Option<String>,
}

#[derive(Clone, Deserialize)]
struct FinishedAnswer {
    officer: String,
    unit: String,
    proof: String,
}

/// Who is back from the provider, and has no shift yet.
#[derive(Clone)]
pub(super) struct SignedIn {
    back: String,
    finished: FinishedAnswer,
}

impl Core {
    /// Where the officer signs in, who is to work on this unit: the address of the agency's
    /// own provider. The host opens it in the system's browser, never in a view of its own
    /// (RFC 8252), and hands to [`Core::finish_sign_on`] where that leads back to. `redirect`
    /// is where: the agency's configuration says what may stand there, `http://127.0.0.1:PORT/…`
    /// with any port among it. `None`: the agency's officers sign on with the badge
    /// ([`Core::sign_on`]).
    ///
    /// # Errors
    /// When the center or the provider cannot be reached, or the unit or the redirect is not
    /// one; [`CoreError::PinFirst`] where the rules want one.
    pub async fn begin_sign_on(
        &self,
        unit: &str,
        redirect: &str,
    ) -> Result<Option<String>, CoreError> {
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        self.must_have_a_pin().await?;
        *lock(&self.0.signed_in) = None;
        let body = json!({"unit": unit, "redirect": redirect});
        let answer = self.ask_provider(&enrolled, "/v1/sign-on/begin", &body);
        let answer: BegunAnswer =
            serde_json::from_slice(&answer.await?).map_err(|e| unfit(&e.to_string()))?;
        Ok(answer.url)
    }

    /// Begins the shift of whoever the provider has signed in, as [`Core::sign_on`] does.
    /// `back` is the whole address that the browser was led back to. It is good on this
    /// device, for a few minutes, until a shift has begun with it: after
    /// [`CoreError::PinFirst`] or a link that broke it may be handed in again.
    ///
    /// # Errors
    /// As [`Core::sign_on`]; when the provider signed nobody in, or nobody whom the center
    /// knows as an officer.
    pub async fn finish_sign_on(&self, back: &str) -> Result<Shift, CoreError> {
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        let kept = lock(&self.0.signed_in).clone();
        let finished = match kept.filter(|kept| kept.back == back) {
            Some(kept) => kept.finished,
            None => {
                let body = json!({"back": back});
                let answer = self.ask_provider(&enrolled, "/v1/sign-on/finish", &body);
                let finished: FinishedAnswer =
                    serde_json::from_slice(&answer.await?).map_err(|e| unfit(&e.to_string()))?;
                *lock(&self.0.signed_in) = Some(SignedIn {
                    back: back.to_owned(),
                    finished: finished.clone(),
                });
                finished
            }
        };
        let (officer, unit) = (&finished.officer, &finished.unit);
        if self.is_anothers(officer)? {
            self.must_make_room().await?;
            self.make_room().await?;
        }
        let begun = self
            .sign_on_with(&enrolled, officer, unit, Some(&finished.proof))
            .await;
        // The center has spent it, or takes it no more.
        if matches!(begun, Ok(_) | Err(CoreError::Refused { .. })) {
            *lock(&self.0.signed_in) = None;
        }
        begun
    }

    /// A provider that does not answer may do so later.
    async fn ask_provider(
        &self,
        enrolled: &Enrolled,
        path: &str,
        body: &serde_json::Value,
    ) -> Result<Vec<u8>, CoreError> {
        match self.ask_as(enrolled, Method::POST, path, body).await {
            Err(CoreError::Refused {
                status: BAD_GATEWAY,
                reason,
            }) => Err(CoreError::Unreachable(reason)),
            answer => answer,
        }
    }
}
