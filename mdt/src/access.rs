//! Who gets an answer: the officer's browser, and nobody else on this laptop.
//!
//! Listening on loopback keeps other machines out, but not other programs of this
//! one, nor a web page in the officer's own browser. So each request passes three
//! gates, before any route:
//!
//! 1. `Host` is this very server. A name that an attacker has pointed at 127.0.0.1
//!    (DNS rebinding) is not.
//! 2. What writes, and the WebSocket, come from this server's own pages (`Origin`).
//! 3. The cookie holds the secret of this start. It is set once, by the address
//!    that the program gives to the officer, and leaves that address at once.
//!
//! Who comes back from the agency's own sign-in comes from another site, without the cookie:
//! [`crate::agency`] has a page for that, which shows nothing.
//!
//! Browsers send a cookie to every port of a host. Its name holds the port, so that
//! two laptops' pages on one machine do not put each other out; the secret is a new
//! one at each start.

use std::sync::Arc;

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, COOKIE, HOST, HeaderName, LOCATION, ORIGIN,
    REFERRER_POLICY, SET_COOKIE, UPGRADE, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use data_encoding::BASE64URL_NOPAD;

use crate::{MdtError, agency};

const SECRET_BYTES: usize = 32;
const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const NOT_YOURS: &str = "This page belongs to the officer at this laptop. Open the address that the \
     program gave when it started: it is a new one at each start.\n";

/// What the gates compare with.
pub(crate) struct Access {
    port: u16,
    secret: String,
    cookie: String,
    policy: HeaderValue,
}

/// Without the secret: what prints ends in logs.
impl std::fmt::Debug for Access {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Access")
            .field("port", &self.port)
            .finish_non_exhaustive()
    }
}

impl Access {
    /// With a new secret.
    pub(crate) fn new(port: u16) -> Result<Self, MdtError> {
        let mut secret = [0; SECRET_BYTES];
        aws_lc_rs::rand::fill(&mut secret).map_err(|_| MdtError::Random)?;
        let policy = format!(
            "default-src 'self'; connect-src 'self' ws://127.0.0.1:{port} ws://localhost:{port}; \
             object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'"
        );
        Ok(Self {
            port,
            secret: BASE64URL_NOPAD.encode(&secret),
            cookie: format!("forerunner-mdt-{port}"),
            policy: HeaderValue::try_from(policy).map_err(|_| MdtError::Random)?,
        })
    }

    /// What the officer opens.
    pub(crate) fn address(&self) -> String {
        format!("http://127.0.0.1:{}/?key={}", self.port, self.secret)
    }

    /// The request's one `Host`, when it is this server.
    fn own_host<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let host = only(headers, &HOST)?;
        let (name, port) = host.rsplit_once(':')?;
        let is_own = matches!(name, "127.0.0.1" | "localhost") && port == self.port.to_string();
        is_own.then_some(host)
    }

    fn is_secret(&self, candidate: &str) -> bool {
        verify_slices_are_equal(candidate.as_bytes(), self.secret.as_bytes()).is_ok()
    }

    fn has_cookie(&self, headers: &HeaderMap) -> bool {
        headers
            .get_all(COOKIE)
            .iter()
            .filter_map(|value| value.to_str().ok())
            .flat_map(|value| value.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .any(|(name, value)| name == self.cookie && self.is_secret(value))
    }

    /// The way in: the secret moves from the address to the cookie.
    fn let_in(&self) -> Response {
        let cookie = format!(
            "{}={}; HttpOnly; SameSite=Strict; Path=/",
            self.cookie, self.secret
        );
        let headers = [(SET_COOKIE, cookie), (LOCATION, "/".into())];
        (StatusCode::SEE_OTHER, headers).into_response()
    }

    /// What is answered in place of the route; `None` lets the request through.
    fn stop(&self, request: &Request) -> Option<Response> {
        let headers = request.headers();
        let Some(host) = self.own_host(headers) else {
            return Some((StatusCode::MISDIRECTED_REQUEST, "Not this server.\n").into_response());
        };
        let forbidden = || Some((StatusCode::FORBIDDEN, NOT_YOURS).into_response());
        let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if writes || headers.contains_key(UPGRADE) {
            let own = format!("http://{host}");
            if only(headers, &ORIGIN) != Some(own.as_str()) {
                return forbidden();
            }
        }
        if request.uri().path() == "/"
            && request.method() == Method::GET
            && let Some(key) = key_of(request.uri().query())
        {
            return if self.is_secret(key) {
                Some(self.let_in())
            } else {
                forbidden()
            };
        }
        if self.has_cookie(headers) {
            return None;
        }
        if request.method() == Method::GET
            && let Some(arrival) = agency::arrival(request.uri())
        {
            return Some(arrival);
        }
        forbidden()
    }
}

/// The value of a header that came once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

fn key_of(query: Option<&str>) -> Option<&str> {
    query?.split('&').find_map(|pair| pair.strip_prefix("key="))
}

/// The gates, and on every answer what the browser must hold to.
pub(crate) async fn guard(
    State(access): State<Arc<Access>>,
    request: Request,
    next: Next,
) -> Response {
    let mut response = match access.stop(&request) {
        None => next.run(request).await,
        Some(answer) => answer,
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, access.policy.clone());
    for (name, value) in [
        (X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (CACHE_CONTROL, "no-store"),
        // Not `no-referrer`: browsers then send `Origin: null` with a form.
        (REFERRER_POLICY, "same-origin"),
        (CROSS_ORIGIN_RESOURCE_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
