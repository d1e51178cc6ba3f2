//! Signing in by an agency's own OpenID Connect provider: code flow with PKCE (RFC 7636), a
//! nonce, and a state that is bound to whoever asked.
//!
//! ```text
//! browser ──▶ center: state, nonce, PKCE ──▶ provider ──▶ browser: state, code ──▶ center
//!                                              ▲                                     │
//!                                              └── code, verifier, client's secret ──┘
//! ```
//!
//! The provider says who somebody is. At the console, whether that person has an account here
//! a supervisor has said beforehand, by the value of a claim: a verified e-mail address, or an
//! employee's number. At the first sign-in the account is bound to (issuer, subject), which a
//! provider gives to nobody else later, as it may an address; from then on nothing else counts
//! ([`person`]). On a device, the claim's value is the officer's badge: the center's
//! configuration says whose officers there are.
//!
//! The provider is asked to sign the person in anew each time (`prompt=login`): a session at
//! the provider from this morning is no sign-in now (IA-5). Its tokens are looked at once, by
//! the center alone, and kept nowhere.
//!
//! - [`config`] reads `[[sign_in.providers]]`.
//! - `provider`: one of them: what it says of itself, and what its answer is worth.
//! - `asked`: who is there now, and may come back: once, in time, from where they went.
//! - `binding`: whose account a login opens.

mod asked;
mod binding;
pub mod config;
mod provider;

use std::fmt;
use std::net::IpAddr;

use packet::DeviceNumber;
use reqwest::Url;
use serde::Deserialize;

use super::sessions::SessionId;
use super::{hash, new_secret};
use asked::{ASKED_MS_MAX, Asked, Asker, Browser, Device, PROOF_MS_MAX, Proof, Proofs, Waiting};
use config::{OfficersConfig, ProviderConfig};
use provider::{As, Provider, Question};

pub use binding::{name_by, person};

/// A sign-in at the provider that is older is none.
const SIGNED_IN_MS_MAX: i64 = ASKED_MS_MAX;
/// Of what a provider says is wrong, so much is put on record, in characters.
const WHY_CHARS_MAX: usize = 100;

/// Why nobody was signed in.
#[derive(Debug, thiserror::Error)]
pub enum OidcError {
    #[error("this agency has no provider here")]
    NoProvider,
    /// A device asks to be led where its agency's app is not.
    #[error("this is none of the addresses that the agency's officers are led back to")]
    Redirect,
    /// The state is not one that this browser or device was given, or not any more.
    #[error("this took too long, was answered before, or began elsewhere")]
    Over,
    /// The person turned back, or the provider did not let them in.
    #[error("the provider signed nobody in: {0}")]
    Declined(String),
    #[error("the provider does not answer: {0}")]
    Silent(String),
    #[error("the provider's answer does not hold: {0}")]
    Wrong(String),
}

/// What somebody at the console wants who was sent to the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    SignIn { to: String },
    Unlock(SessionId),
}

/// Where to send the browser, and the cookie's secret that binds it.
#[derive(Debug)]
pub struct Sent {
    pub url: String,
    pub secret: String,
}

/// What comes back from a provider (RFC 6749, section 4.1.2).
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct Answer {
    pub state: String,
    pub code: String,
    /// Whose answer it is (RFC 9207), where the provider says so.
    pub iss: Option<String>,
    /// The provider's word for why there is no code.
    pub error: Option<String>,
}

/// Whom the provider has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub agency: String,
    pub issuer: String,
    pub subject: String,
    /// The claim's value in small letters, where the provider vouches for it.
    pub claim: Option<String>,
}

impl Known {
    /// As records name it.
    #[must_use]
    pub fn login(&self) -> String {
        format!("subject {} of {}", self.subject, self.issuer)
    }
}

/// The officer whom the provider has signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SignedOn {
    pub badge: String,
    pub unit: String,
    /// As records name it.
    pub login: String,
}

/// The agencies' providers.
pub struct Providers {
    providers: Vec<Provider>,
    redirect: String,
    browsers: Waiting<Browser>,
    devices: Waiting<Device>,
    proofs: Proofs,
}

impl fmt::Debug for Providers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Providers")
            .field("redirect", &self.redirect)
            .finish_non_exhaustive()
    }
}

impl Providers {
    /// For a console whose pages come from this origin.
    ///
    /// # Errors
    /// When a secret or a certificate cannot be read, in one sentence.
    pub fn new(configs: &[ProviderConfig], origin: &str) -> Result<Self, String> {
        let providers = configs.iter().map(Provider::open);
        Ok(Self {
            providers: providers.collect::<Result<_, _>>()?,
            redirect: format!("{origin}/sign-in/oidc/back"),
            browsers: Waiting::default(),
            devices: Waiting::default(),
            proofs: Proofs::default(),
        })
    }

    /// The agencies that have one.
    pub fn agencies(&self) -> impl Iterator<Item = &str> {
        let providers = self.providers.iter();
        providers.map(|provider| provider.config.agency.as_str())
    }

    /// Whether the agency's people sign in at the console by a provider of their own.
    #[must_use]
    pub fn has(&self, agency: Option<&str>) -> bool {
        self.agencies().any(|known| Some(known) == agency)
    }

    /// Whether the agency's officers sign on by it: then a badge alone is not taken.
    #[must_use]
    pub fn has_officers(&self, agency: &str) -> bool {
        self.officers(agency).is_ok()
    }

    fn provider(&self, agency: &str) -> Result<&Provider, OidcError> {
        let mut providers = self.providers.iter();
        providers
            .find(|provider| provider.config.agency == agency)
            .ok_or(OidcError::NoProvider)
    }

    fn officers(&self, agency: &str) -> Result<(&Provider, &OfficersConfig), OidcError> {
        let provider = self.provider(agency)?;
        let officers = provider.config.officers.as_ref();
        Ok((provider, officers.ok_or(OidcError::NoProvider)?))
    }

    /// Sends a browser to the agency's provider. It comes from this address.
    ///
    /// # Errors
    /// When the agency has none, or it does not answer.
    pub async fn send(
        &self,
        agency: &str,
        wanted: Wanted,
        from: Option<IpAddr>,
        now_ms: i64,
    ) -> Result<Sent, OidcError> {
        let provider = self.provider(agency)?;
        let question = provider.question(As::Console, &self.redirect).await?;
        let secret = new_secret().map_err(|e| OidcError::Wrong(e.to_string()))?;
        let browser = Browser {
            secret: hash(&secret),
            from,
            wanted,
        };
        let url = keep(
            &self.browsers,
            question,
            agency,
            &self.redirect,
            browser,
            now_ms,
        );
        Ok(Sent { url, secret })
    }

    /// Takes what a browser brings back from the provider: whom it has signed in, and what
    /// that person wanted.
    ///
    /// # Errors
    /// When it did not begin in this browser, or the provider's answer does not hold.
    pub async fn back(
        &self,
        answer: Answer,
        secret: &str,
        now_ms: i64,
    ) -> Result<(Known, Wanted), OidcError> {
        let is_mine = |browser: &Browser| browser.secret == hash(secret);
        let asked = self.browsers.take(&answer.state, is_mine, now_ms);
        let asked = asked.ok_or(OidcError::Over)?;
        let provider = self.provider(&asked.agency)?;
        let code = code_of(provider, answer)?;
        let (verifier, nonce) = (asked.verifier, &asked.nonce);
        let vouched = provider
            .redeem(As::Console, &asked.redirect, code, verifier, nonce, now_ms)
            .await?;
        let claim = vouched.value(provider.config.claim.name());
        let known = Known {
            agency: asked.agency,
            issuer: provider.config.issuer.clone(),
            subject: vouched.subject,
            claim: claim.map(|claim| claim.to_lowercase()),
        };
        Ok((known, asked.by.wanted))
    }

    /// Where the officer at this device signs in, to begin a shift on this unit.
    ///
    /// # Errors
    /// As [`Providers::send`]; [`OidcError::Redirect`].
    pub async fn send_officer(
        &self,
        agency: &str,
        device: DeviceNumber,
        unit: &str,
        redirect: &str,
        now_ms: i64,
    ) -> Result<String, OidcError> {
        let (provider, officers) = self.officers(agency)?;
        if !officers.leads_back_to(redirect) {
            return Err(OidcError::Redirect);
        }
        let question = provider.question(As::Officers, redirect).await?;
        let device = Device {
            number: device,
            unit: unit.to_owned(),
        };
        let devices = &self.devices;
        Ok(keep(devices, question, agency, redirect, device, now_ms))
    }

    /// Takes the address that the provider led this device's officer back to.
    ///
    /// # Errors
    /// When it is not what this device began, or the provider's answer does not hold.
    pub async fn back_officer(
        &self,
        back: &str,
        device: DeviceNumber,
        now_ms: i64,
    ) -> Result<SignedOn, OidcError> {
        let mut led_to = Url::parse(back).map_err(|_| OidcError::Over)?;
        let answer = answer_in(&led_to);
        let is_mine = |asker: &Device| asker.number == device;
        let asked = self.devices.take(&answer.state, is_mine, now_ms);
        let asked = asked.ok_or(OidcError::Over)?;
        led_to.set_query(None);
        led_to.set_fragment(None);
        if Url::parse(&asked.redirect).ok() != Some(led_to) {
            return Err(OidcError::Redirect);
        }
        let (provider, officers) = self.officers(&asked.agency)?;
        let code = code_of(provider, answer)?;
        let (verifier, nonce) = (asked.verifier, &asked.nonce);
        let vouched = provider
            .redeem(As::Officers, &asked.redirect, code, verifier, nonce, now_ms)
            .await?;
        let badge = vouched.value(&officers.claim).ok_or_else(|| {
            OidcError::Wrong(format!("it has no {}, which is the badge", officers.claim))
        })?;
        Ok(SignedOn {
            badge,
            unit: asked.by.unit,
            login: format!("subject {} of {}", vouched.subject, provider.config.issuer),
        })
    }

    /// What the device shows to begin the shift: good once, for a few minutes, on this device,
    /// for this badge and this unit. And how long.
    ///
    /// # Errors
    /// When there is no randomness.
    pub fn prove(
        &self,
        device: DeviceNumber,
        signed_on: &SignedOn,
        now_ms: i64,
    ) -> Result<(String, i64), OidcError> {
        let secret = new_secret().map_err(|e| OidcError::Wrong(e.to_string()))?;
        let proof = Proof {
            hash: hash(&secret),
            badge: signed_on.badge.clone(),
            unit: signed_on.unit.clone(),
            expires_ms: now_ms + PROOF_MS_MAX,
        };
        self.proofs.put(device, proof, now_ms);
        Ok((secret, PROOF_MS_MAX))
    }

    /// Spends the proof, where it is one of this badge and unit on this device.
    pub fn is_proven(
        &self,
        device: DeviceNumber,
        proof: &str,
        badge: &str,
        unit: &str,
        now_ms: i64,
    ) -> bool {
        let shown = Proof {
            hash: hash(proof),
            badge: badge.to_owned(),
            unit: unit.to_owned(),
            expires_ms: 0,
        };
        self.proofs.spend(device, &shown, now_ms)
    }
}

/// Keeps who goes to the provider, and says where that is.
fn keep<A: Asker>(
    waiting: &Waiting<A>,
    question: Question,
    agency: &str,
    redirect: &str,
    by: A,
    now_ms: i64,
) -> String {
    let asked = Asked {
        expires_ms: now_ms + ASKED_MS_MAX,
        agency: agency.to_owned(),
        redirect: redirect.to_owned(),
        verifier: question.verifier,
        nonce: question.nonce,
        by,
    };
    waiting.put(question.state, asked, now_ms);
    question.url
}

/// The code, where this provider gave one. Another's answer is not sent to this one's door,
/// nor this one's to another's (RFC 9207).
fn code_of(provider: &Provider, answer: Answer) -> Result<String, OidcError> {
    if let Some(iss) = answer.iss
        && iss != provider.config.issuer
    {
        return Err(OidcError::Wrong("it comes from another provider".into()));
    }
    if let Some(error) = answer.error {
        let said = error.chars().filter(|c| !c.is_control());
        return Err(OidcError::Declined(said.take(WHY_CHARS_MAX).collect()));
    }
    if answer.code.is_empty() {
        return Err(OidcError::Wrong("it has no code".into()));
    }
    Ok(answer.code)
}

fn answer_in(url: &Url) -> Answer {
    let value = |name: &str| {
        let mut pairs = url.query_pairs();
        pairs.find_map(|(key, value)| (key == name).then(|| value.into_owned()))
    };
    Answer {
        state: value("state").unwrap_or_default(),
        code: value("code").unwrap_or_default(),
        iss: value("iss"),
        error: value("error"),
    }
}
