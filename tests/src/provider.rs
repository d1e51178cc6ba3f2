//! An agency's OpenID Connect provider, which may lie.
//!
//! It holds whoever comes to what was asked: redirect, client, PKCE. What it says of the
//! person is this test's to choose, and what of it is not so.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use aws_lc_rs::digest::{SHA256, digest};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED_SIGNING, EcdsaKeyPair, KeyPair};
use axum::extract::{Form, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use data_encoding::{BASE64, BASE64URL_NOPAD};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

/// What in its ID token is not as it should be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Lie {
    /// Another provider's.
    Issuer,
    /// For another client.
    Audience,
    /// For another client besides.
    AudienceBesides,
    /// Of another sign-in.
    Nonce,
    Expired,
    /// Signed by a key that the provider does not publish.
    Key,
    /// Signed by nothing.
    Unsigned,
    /// The person signed in this morning.
    SignedInEarlier,
    /// It does not say when the person signed in.
    NoTime,
    /// The access token beside it is another's.
    AccessToken,
}

impl Lie {
    pub const ALL: [Self; 10] = [
        Self::Issuer,
        Self::Audience,
        Self::AudienceBesides,
        Self::Nonce,
        Self::Expired,
        Self::Key,
        Self::Unsigned,
        Self::SignedInEarlier,
        Self::NoTime,
        Self::AccessToken,
    ];
}

struct Granted {
    client: String,
    redirect: String,
    challenge: String,
    nonce: String,
    person: Value,
}

struct Inner {
    issuer: String,
    secret: String,
    key: EcdsaKeyPair,
    key_id: u32,
    granted: HashMap<String, Granted>,
    person: Value,
    lie: Option<Lie>,
    down: bool,
    discovered: usize,
    exchanged: usize,
}

/// Running until it is dropped.
#[derive(Debug)]
pub struct TestProvider {
    pub issuer: String,
    inner: Shared,
    browser: reqwest::Client,
    _serving: JoinSet<()>,
}

#[derive(Clone)]
struct Shared(Arc<Mutex<Inner>>);

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TestProvider")
    }
}

fn new_key() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_FIXED_SIGNING).unwrap()
}

fn random() -> String {
    let mut bytes = [0; 16];
    aws_lc_rs::rand::fill(&mut bytes).unwrap();
    BASE64URL_NOPAD.encode(&bytes)
}

fn now_s() -> i64 {
    server::clock::now_ms() / 1_000
}

impl TestProvider {
    /// Whose clients have this secret.
    pub async fn start(secret: &str) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address: SocketAddr = listener.local_addr().unwrap();
        let issuer = format!("http://{address}");
        let inner = Shared(Arc::new(Mutex::new(Inner {
            issuer: issuer.clone(),
            secret: secret.into(),
            key: new_key(),
            key_id: 1,
            granted: HashMap::new(),
            person: Value::Null,
            lie: None,
            down: false,
            discovered: 0,
            exchanged: 0,
        })));
        let routes = Router::new()
            .route("/.well-known/openid-configuration", get(discovery))
            .route("/keys", get(keys))
            .route("/authorize", get(authorize))
            .route("/token", post(token))
            .with_state(inner.clone());
        let mut serving = JoinSet::new();
        serving.spawn(async move { axum::serve(listener, routes).await.unwrap() });
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let browser = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .build()
            .unwrap();
        Self {
            issuer,
            inner,
            browser,
            _serving: serving,
        }
    }

    fn with<T>(&self, work: impl FnOnce(&mut Inner) -> T) -> T {
        work(&mut self.inner.0.lock().unwrap())
    }

    /// Who signs in from now on: `sub` and whatever else it says of them.
    pub fn person(&self, claims: Value) {
        self.with(|inner| inner.person = claims);
    }

    pub fn lies(&self, lie: Option<Lie>) {
        self.with(|inner| inner.lie = lie);
    }

    /// Answers everything with 503.
    pub fn is_down(&self, down: bool) {
        self.with(|inner| inner.down = down);
    }

    /// Signs with another key from now on.
    pub fn changes_its_key(&self) {
        self.with(|inner| {
            inner.key = new_key();
            inner.key_id += 1;
        });
    }

    /// How often it was asked what it is.
    #[must_use]
    pub fn discovered(&self) -> usize {
        self.with(|inner| inner.discovered)
    }

    /// How often a code was exchanged.
    #[must_use]
    pub fn exchanged(&self) -> usize {
        self.with(|inner| inner.exchanged)
    }

    /// What a person does there who is sent to this address: signs in, and is led back.
    /// Where to.
    pub async fn signs_in(&self, url: &str) -> String {
        assert!(url.starts_with(&self.issuer), "{url}");
        let answer = self.browser.get(url).send().await.unwrap();
        let status = answer.status();
        let Some(back) = answer.headers().get("location") else {
            panic!("{status}: {}", answer.text().await.unwrap());
        };
        back.to_str().unwrap().to_owned()
    }
}

fn not(why: &str) -> Response {
    (StatusCode::BAD_REQUEST, why.to_owned()).into_response()
}

fn down() -> Response {
    StatusCode::SERVICE_UNAVAILABLE.into_response()
}

async fn discovery(State(shared): State<Shared>) -> Response {
    let mut inner = shared.0.lock().unwrap();
    inner.discovered += 1;
    if inner.down {
        return down();
    }
    let issuer = &inner.issuer;
    Json(json!({
        "issuer": issuer,
        "authorization_endpoint": format!("{issuer}/authorize"),
        "token_endpoint": format!("{issuer}/token"),
        "jwks_uri": format!("{issuer}/keys"),
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
    }))
    .into_response()
}

async fn keys(State(shared): State<Shared>) -> Response {
    let inner = shared.0.lock().unwrap();
    if inner.down {
        return down();
    }
    let point = inner.key.public_key().as_ref();
    Json(json!({"keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "alg": "ES256",
        "kid": inner.key_id.to_string(),
        "x": BASE64URL_NOPAD.encode(&point[1..33]),
        "y": BASE64URL_NOPAD.encode(&point[33..65]),
    }]}))
    .into_response()
}

async fn authorize(
    State(shared): State<Shared>,
    Query(asked): Query<HashMap<String, String>>,
) -> Response {
    let mut inner = shared.0.lock().unwrap();
    let value = |name: &str| asked.get(name).cloned().unwrap_or_default();
    for (name, wanted) in [
        ("response_type", "code"),
        ("code_challenge_method", "S256"),
        ("prompt", "login"),
        ("max_age", "0"),
    ] {
        if value(name) != wanted {
            return not(&format!("{name} is {}", value(name)));
        }
    }
    if !value("scope").split(' ').any(|scope| scope == "openid") {
        return not("scope");
    }
    for name in ["state", "nonce", "code_challenge"] {
        if value(name).len() < 20 {
            return not(&format!("{name} is too short"));
        }
    }
    let code = random();
    let granted = Granted {
        client: value("client_id"),
        redirect: value("redirect_uri"),
        challenge: value("code_challenge"),
        nonce: value("nonce"),
        person: inner.person.clone(),
    };
    let back = format!("{}?code={code}&state={}", granted.redirect, value("state"));
    inner.granted.insert(code, granted);
    Redirect::to(&back).into_response()
}

async fn token(
    State(shared): State<Shared>,
    headers: HeaderMap,
    Form(sent): Form<HashMap<String, String>>,
) -> Response {
    let mut inner = shared.0.lock().unwrap();
    inner.exchanged += 1;
    if inner.down {
        return down();
    }
    let value = |name: &str| sent.get(name).cloned().unwrap_or_default();
    let Some(granted) = inner.granted.remove(&value("code")) else {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": "invalid_grant"})),
        )
            .into_response();
    };
    let shown = headers.get(header::AUTHORIZATION);
    let shown = shown.and_then(|shown| shown.to_str().ok()).unwrap_or("");
    // As a form has it (RFC 6749, section 2.3.1).
    let secret = inner.secret.replace(' ', "+");
    let known = BASE64.encode(format!("{}:{secret}", granted.client).as_bytes());
    let challenge =
        BASE64URL_NOPAD.encode(digest(&SHA256, value("code_verifier").as_bytes()).as_ref());
    if shown != format!("Basic {known}") {
        return (
            StatusCode::UNAUTHORIZED,
            Json(json!({"error": "invalid_client"})),
        )
            .into_response();
    }
    if challenge != granted.challenge || value("redirect_uri") != granted.redirect {
        return (
            StatusCode::BAD_REQUEST,
            Json(json!({"error": "invalid_grant"})),
        )
            .into_response();
    }
    let access = random();
    Json(json!({
        "access_token": access,
        "token_type": "Bearer",
        "id_token": inner.id_token(&granted, &access),
    }))
    .into_response()
}

impl Inner {
    fn id_token(&self, granted: &Granted, access: &str) -> String {
        let lies = |lie| self.lie == Some(lie);
        let half = &digest(&SHA256, access.as_bytes()).as_ref()[..16].to_vec();
        let mut claims = json!({
            "iss": self.issuer,
            "aud": granted.client,
            "nonce": granted.nonce,
            "iat": now_s(),
            "exp": now_s() + 300,
            "auth_time": now_s(),
            "at_hash": BASE64URL_NOPAD.encode(half),
        });
        for (name, value) in granted.person.as_object().unwrap() {
            claims[name] = value.clone();
        }
        match self.lie {
            Some(Lie::Issuer) => claims["iss"] = json!("https://login.elsewhere.example"),
            Some(Lie::Audience) => claims["aud"] = json!("another"),
            Some(Lie::AudienceBesides) => claims["aud"] = json!([granted.client, "another"]),
            Some(Lie::Nonce) => claims["nonce"] = json!("another"),
            Some(Lie::Expired) => claims["exp"] = json!(now_s() - 1),
            Some(Lie::SignedInEarlier) => claims["auth_time"] = json!(now_s() - 3 * 60 * 60),
            Some(Lie::NoTime) => drop(claims.as_object_mut().unwrap().remove("auth_time")),
            Some(Lie::AccessToken) => {
                claims["at_hash"] = json!(BASE64URL_NOPAD.encode(&[0; 16]));
            }
            Some(Lie::Key | Lie::Unsigned) | None => {}
        }
        let alg = if lies(Lie::Unsigned) { "none" } else { "ES256" };
        let head = json!({"alg": alg, "typ": "JWT", "kid": self.key_id.to_string()});
        let encode = |value: &Value| BASE64URL_NOPAD.encode(value.to_string().as_bytes());
        let text = format!("{}.{}", encode(&head), encode(&claims));
        if lies(Lie::Unsigned) {
            return format!("{text}.");
        }
        let other = lies(Lie::Key).then(new_key);
        let key = other.as_ref().unwrap_or(&self.key);
        let signature = key.sign(&SystemRandom::new(), text.as_bytes()).unwrap();
        format!("{text}.{}", BASE64URL_NOPAD.encode(signature.as_ref()))
    }
}
