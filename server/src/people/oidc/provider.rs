//! One provider: what it says of itself, the question, and what its answer is worth.
//!
//! What a provider says of itself (its addresses and keys) is kept for an hour, and that it
//! says nothing for a few seconds: whoever presses the button again and again does not make
//! the center ask again and again, and one who waits for it makes nobody wait longer. Keys
//! that a provider changes meanwhile are asked for once more when a signature needs them.

use std::fmt;
use std::pin::Pin;
use std::time::{Duration, Instant};

use openidconnect::core::{
    CoreAuthPrompt, CoreAuthenticationFlow, CoreClient, CoreClientAuthMethod, CoreIdToken,
    CoreIdTokenClaims, CoreProviderMetadata,
};
use openidconnect::{
    AccessToken, AccessTokenHash, AuthType, AuthorizationCode, ClaimsVerificationError, ClientId,
    ClientSecret, CsrfToken, EndpointMaybeSet, EndpointNotSet, EndpointSet, HttpRequest,
    HttpResponse, IssuerUrl, Nonce, OAuth2TokenResponse, PkceCodeChallenge, PkceCodeVerifier,
    RedirectUrl, RequestTokenError, Scope, TokenResponse,
};
use reqwest::Certificate;
use serde_json::Value;
use tokio::sync::Mutex;

use super::config::{ProviderConfig, is_safe};
use super::{OidcError, SIGNED_IN_MS_MAX};
use crate::enrich::secret::Secret;

/// How long a provider may take to answer, and how much.
const ANSWER_TIME_MAX: Duration = Duration::from_secs(10);
const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// For so long stands what it says of itself …
const KNOWN_TIME_MAX: Duration = Duration::from_secs(60 * 60);
/// … but not where a signature needs a key that was not there …
const KEYS_TIME_MAX: Duration = Duration::ZERO;
/// … and for so long, that it says nothing.
const SILENT_TIME_MAX: Duration = Duration::from_secs(5);
/// Longest value of a claim that names somebody, in characters.
const CLAIM_CHARS_MAX: usize = 200;

type Client = CoreClient<
    EndpointSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointNotSet,
    EndpointMaybeSet,
    EndpointMaybeSet,
>;

/// As whom the center comes to the provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum As {
    Console,
    Officers,
}

pub(super) struct Provider {
    pub(super) config: ProviderConfig,
    secret: Option<Secret>,
    officers_secret: Option<Secret>,
    http: reqwest::Client,
    known: Mutex<Option<Discovered>>,
}

struct Discovered {
    at: Instant,
    what: Result<CoreProviderMetadata, String>,
}

/// Where to send somebody, and what to keep of it.
pub(super) struct Question {
    pub(super) url: String,
    pub(super) state: String,
    pub(super) verifier: PkceCodeVerifier,
    pub(super) nonce: Nonce,
}

/// What the provider vouches for.
pub(super) struct Vouched {
    pub(super) subject: String,
    claims: Value,
}

impl Vouched {
    /// The claim's value, where it can be relied on: a text in one line, or a number. An
    /// e-mail address counts only where the provider says that it has verified it.
    pub(super) fn value(&self, claim: &str) -> Option<String> {
        if claim == "email" && self.claims["email_verified"] != Value::Bool(true) {
            return None;
        }
        let text = match &self.claims[claim] {
            Value::String(text) => text.trim().to_owned(),
            Value::Number(number) => number.as_u64()?.to_string(),
            _ => return None,
        };
        let good = (1..=CLAIM_CHARS_MAX).contains(&text.chars().count())
            && !text.contains(char::is_control);
        good.then_some(text)
    }
}

#[derive(Debug, thiserror::Error)]
enum HttpError {
    #[error("{}", reasons(.0))]
    Reqwest(#[from] reqwest::Error),
    #[error(transparent)]
    Http(#[from] axum::http::Error),
    #[error("its answer is over {ANSWER_BYTES_MAX} bytes")]
    TooLong,
}

/// An error and what is behind it; addresses of a provider hold no secret.
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text.push_str(": ");
        text.push_str(&error.to_string());
        next = error.source();
    }
    text
}

type Asking = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send>>;

async fn ask(http: reqwest::Client, request: HttpRequest) -> Result<HttpResponse, HttpError> {
    let (parts, body) = request.into_parts();
    let request = http
        .request(parts.method, parts.uri.to_string())
        .headers(parts.headers)
        .body(body);
    let mut response = request.send().await?;
    let mut answer = axum::http::Response::builder().status(response.status());
    for (name, value) in response.headers() {
        answer = answer.header(name, value);
    }
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await? {
        if bytes.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err(HttpError::TooLong);
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(answer.body(bytes)?)
}

fn wrong(why: &dyn fmt::Display) -> OidcError {
    OidcError::Wrong(why.to_string())
}

impl Provider {
    pub(super) fn open(config: &ProviderConfig) -> Result<Self, String> {
        let of = |e: &dyn fmt::Display| format!("the sign-in of {}: {e}", config.agency);
        // One provider of cryptography for the whole process.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let mut builder = reqwest::Client::builder()
            // Else an answer could send us to where only the center can go.
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .http1_only()
            .timeout(ANSWER_TIME_MAX);
        if let Some(ca) = &config.ca {
            let pem = std::fs::read(ca).map_err(|e| of(&format!("{}: {e}", ca.display())))?;
            let found = Certificate::from_pem_bundle(&pem).map_err(|e| of(&e))?;
            if found.is_empty() {
                return Err(of(&format!("{} has no certificate in PEM", ca.display())));
            }
            builder = builder.tls_certs_only(found);
        }
        let read = |secret: &Option<_>| {
            let read = secret
                .as_ref()
                .map(crate::enrich::secret::SecretConfig::read);
            read.transpose().map_err(|e| of(&e))
        };
        let officers = config.officers.as_ref();
        let secret = read(&config.client_secret)?;
        let officers_secret = match officers {
            Some(officers) if officers.client_id.is_some() => read(&officers.client_secret)?,
            _ => secret.clone(),
        };
        Ok(Self {
            config: config.clone(),
            secret,
            officers_secret,
            http: builder.build().map_err(|e| of(&e))?,
            known: Mutex::new(None),
        })
    }

    /// Makes requests as the library wants them made.
    fn http(&self) -> impl Fn(HttpRequest) -> Asking {
        let http = self.http.clone();
        move |request| Box::pin(ask(http.clone(), request))
    }

    /// What the provider says of itself, at most so old.
    async fn metadata(&self, age_max: Duration) -> Result<CoreProviderMetadata, OidcError> {
        // One asks, and who comes meanwhile waits for what that one hears.
        let mut known = self.known.lock().await;
        let still = known.as_ref().filter(|known| {
            let age_max = match known.what {
                Ok(_) => age_max,
                Err(_) => SILENT_TIME_MAX,
            };
            known.at.elapsed() < age_max
        });
        let what = match still {
            Some(known) => known.what.clone(),
            None => {
                let what = self.discover().await;
                *known = Some(Discovered {
                    at: Instant::now(),
                    what: what.clone(),
                });
                what
            }
        };
        what.map_err(OidcError::Silent)
    }

    async fn discover(&self) -> Result<CoreProviderMetadata, String> {
        let issuer = IssuerUrl::new(self.config.issuer.clone()).map_err(|e| e.to_string())?;
        let http = self.http();
        let said = CoreProviderMetadata::discover_async(issuer, &http)
            .await
            .map_err(|e| reasons(&e))?;
        // The code and the client's secret go there, and keys come from there.
        let token = said.token_endpoint().map(|url| url.url());
        let places = [Some(said.authorization_endpoint().url()), token];
        let places = places.into_iter().flatten().chain([said.jwks_uri().url()]);
        for place in places {
            if !is_safe(place) {
                return Err(format!("it names an address that is not https: {place}"));
            }
        }
        Ok(said)
    }

    async fn client(
        &self,
        whom: As,
        redirect: &str,
        age_max: Duration,
    ) -> Result<Client, OidcError> {
        let metadata = self.metadata(age_max).await?;
        let officers = self.config.officers.as_ref();
        let (id, secret) = match whom {
            As::Console => (None, &self.secret),
            As::Officers => (
                officers.and_then(|officers| officers.client_id.clone()),
                &self.officers_secret,
            ),
        };
        let id = id.unwrap_or_else(|| self.config.client_id.clone());
        let secret = secret.as_ref();
        let secret = secret.map(|secret| ClientSecret::new(secret.expose().to_owned()));
        let redirect = RedirectUrl::new(redirect.to_owned()).map_err(|e| wrong(&e))?;
        // Absent, it is the header (OpenID Connect Discovery, section 3).
        let by_body = metadata
            .token_endpoint_auth_methods_supported()
            .is_some_and(|ways| {
                !ways.contains(&CoreClientAuthMethod::ClientSecretBasic)
                    && ways.contains(&CoreClientAuthMethod::ClientSecretPost)
            });
        let client = CoreClient::from_provider_metadata(metadata, ClientId::new(id), secret)
            .set_redirect_uri(redirect);
        Ok(if by_body {
            client.set_auth_type(AuthType::RequestBody)
        } else {
            client
        })
    }

    /// The question that somebody is sent to the provider with: signed in anew, and with the
    /// claim that names people among what is answered.
    pub(super) async fn question(&self, whom: As, redirect: &str) -> Result<Question, OidcError> {
        let client = self.client(whom, redirect, KNOWN_TIME_MAX).await?;
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let (url, state, nonce) = client
            .authorize_url(
                CoreAuthenticationFlow::AuthorizationCode,
                CsrfToken::new_random,
                Nonce::new_random,
            )
            .add_scope(Scope::new("email".into()))
            .add_scope(Scope::new("profile".into()))
            .add_prompt(CoreAuthPrompt::Login)
            .set_max_age(Duration::ZERO)
            .set_pkce_challenge(challenge)
            .url();
        Ok(Question {
            url: url.to_string(),
            state: state.secret().clone(),
            verifier,
            nonce,
        })
    }

    /// Exchanges the code, and says what the provider vouches for.
    pub(super) async fn redeem(
        &self,
        whom: As,
        redirect: &str,
        code: String,
        verifier: PkceCodeVerifier,
        nonce: &Nonce,
        now_ms: i64,
    ) -> Result<Vouched, OidcError> {
        let client = self.client(whom, redirect, KNOWN_TIME_MAX).await?;
        let http = self.http();
        let tokens = client
            .exchange_code(AuthorizationCode::new(code))
            .map_err(|e| wrong(&e))?
            .set_pkce_verifier(verifier)
            .request_async(&http)
            .await
            .map_err(|e| match &e {
                RequestTokenError::Request(_) => OidcError::Silent(reasons(&e)),
                RequestTokenError::ServerResponse(said) => wrong(said.error()),
                e => wrong(e),
            })?;
        let id_token = tokens
            .id_token()
            .ok_or_else(|| OidcError::Wrong("it has no ID token".into()))?;
        let checked = checked(&client, id_token, nonce, tokens.access_token());
        let claims = match checked {
            Err(Unverified::Signature(_)) => {
                let client = self.client(whom, redirect, KEYS_TIME_MAX).await?;
                self::checked(&client, id_token, nonce, tokens.access_token())
            }
            checked => checked,
        }
        .map_err(|e| wrong(&e))?;
        self.is_fresh(claims, now_ms)?;
        Ok(Vouched {
            subject: claims.subject().as_str().to_owned(),
            claims: body_of(&id_token.to_string())
                .ok_or_else(|| OidcError::Wrong("its ID token cannot be read".into()))?,
        })
    }

    /// Signed in now, and in a way that the agency wants.
    fn is_fresh(&self, claims: &CoreIdTokenClaims, now_ms: i64) -> Result<(), OidcError> {
        let Some(at) = claims.auth_time() else {
            return Err(OidcError::Wrong(
                "it does not say when the person signed in (auth_time)".into(),
            ));
        };
        // Either way: a clock that is wrong vouches for nothing.
        if (now_ms - at.timestamp_millis()).abs() > SIGNED_IN_MS_MAX {
            return Err(OidcError::Wrong(
                "the person did not sign in just now (auth_time)".into(),
            ));
        }
        let wanted = &self.config.amr;
        let has = |wanted: &String| {
            let ways = claims.auth_method_refs();
            ways.is_some_and(|ways| ways.iter().any(|way| way.as_str() == wanted))
        };
        if !wanted.is_empty() && !wanted.iter().any(has) {
            return Err(OidcError::Wrong(format!(
                "none of {} is among its ways of signing in (amr)",
                wanted.join(", ")
            )));
        }
        Ok(())
    }
}

#[derive(Debug, thiserror::Error)]
enum Unverified {
    /// Perhaps by a key that is new.
    #[error("{}", reasons(.0))]
    Signature(ClaimsVerificationError),
    #[error("{0}")]
    Not(String),
}

/// Issuer, audience, signature, expiry and nonce; and that the access token belongs to it.
fn checked<'t>(
    client: &Client,
    id_token: &'t CoreIdToken,
    nonce: &Nonce,
    access: &AccessToken,
) -> Result<&'t CoreIdTokenClaims, Unverified> {
    let not = |e: &dyn fmt::Display| Unverified::Not(e.to_string());
    let verifier = client.id_token_verifier();
    let claims = id_token.claims(&verifier, nonce).map_err(|e| match e {
        e @ ClaimsVerificationError::SignatureVerification(_) => Unverified::Signature(e),
        e => not(&reasons(&e)),
    })?;
    if let Some(expected) = claims.access_token_hash() {
        let alg = id_token.signing_alg().map_err(|e| not(&e))?;
        let key = id_token.signing_key(&verifier).map_err(|e| not(&e))?;
        let actual = AccessTokenHash::from_token(access, alg, key).map_err(|e| not(&e))?;
        if actual != *expected {
            return Err(not(&"the access token is another's"));
        }
    }
    Ok(claims)
}

/// The claims of a token that is verified, those of the agency's own among them.
fn body_of(id_token: &str) -> Option<Value> {
    let body = id_token.split('.').nth(1)?;
    let body = data_encoding::BASE64URL_NOPAD
        .decode(body.as_bytes())
        .ok()?;
    serde_json::from_slice(&body).ok()
}
