//! Who gets an answer: a browser on this machine that shows the center's own pages.
//!
//! The console listens on loopback, which keeps other machines out, but not a web page
//! that the analyst's browser has open. So each request passes two gates before any route:
//!
//! 1. `Host` is a loopback name. A name that an attacker has pointed at 127.0.0.1
//!    (DNS rebinding) is not.
//! 2. What writes, and the WebSocket, come from these very pages (`Origin`).

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const NOT_OURS: &str =
    "This is the analysts' console: it answers its own pages on this machine, and nobody else.\n";
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// By which schemes the pages and their sockets come.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schemes {
    page: &'static str,
    socket: &'static str,
}

impl Schemes {
    pub(super) fn new(tls: bool) -> Self {
        if tls {
            Self {
                page: "https",
                socket: "wss",
            }
        } else {
            Self {
                page: "http",
                socket: "ws",
            }
        }
    }

    /// The request's host, when both gates let it through.
    fn judge(self, request: &Request) -> Option<&str> {
        let headers = request.headers();
        let host = only(headers, &HOST).filter(|host| is_loopback(host))?;
        let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if writes || headers.contains_key(UPGRADE) {
            let own = format!("{}://{host}", self.page);
            only(headers, &ORIGIN).filter(|origin| *origin == own)?;
        }
        Some(host)
    }

    /// What a page from this host may load and speak to.
    fn policy(self, host: &str) -> Option<HeaderValue> {
        HeaderValue::try_from(format!(
            "default-src 'self'; connect-src 'self' {}://{host}; object-src 'none'; \
             frame-ancestors 'none'; base-uri 'none'; form-action 'self'",
            self.socket
        ))
        .ok()
    }
}

/// The port is not compared: a page from another port is another origin, which
/// the browser keeps from reading this one, and `Origin` from writing to it.
fn is_loopback(host: &str) -> bool {
    LOOPBACK_NAMES.iter().any(|name| {
        host.strip_prefix(name).is_some_and(|rest| {
            let port = rest.strip_prefix(':');
            rest.is_empty() || port.is_some_and(is_port)
        })
    })
}

fn is_port(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit()) && text.parse::<u16>().is_ok()
}

/// The value of a header that came once.
fn only<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<&'a str> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok(),
        _ => None,
    }
}

/// The gates, and on every answer what the browser must hold to.
pub(super) async fn guard(
    State(schemes): State<Schemes>,
    request: Request,
    next: Next,
) -> Response {
    let policy = schemes
        .judge(&request)
        .and_then(|host| schemes.policy(host));
    let (mut response, policy) = match policy {
        Some(policy) => (next.run(request).await, policy),
        None => {
            tracing::warn!(path = %request.uri().path(), "a request to the console from elsewhere");
            (
                (StatusCode::FORBIDDEN, NOT_OURS).into_response(),
                HeaderValue::from_static("default-src 'none'"),
            )
        }
    };
    let headers = response.headers_mut();
    headers.insert(CONTENT_SECURITY_POLICY, policy);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_loopback_names_are_this_machine() {
        for own in ["127.0.0.1:8080", "localhost", "localhost:80", "[::1]:8443"] {
            assert!(is_loopback(own), "{own}");
        }
        for other in [
            "",
            "127.0.0.1.example.com",
            "localhost.example.com:80",
            "localhost:",
            "localhost:80;x",
            "localhost:99999",
            "localhost:+80",
            "example.com:8080",
            "127.0.0.2:80",
        ] {
            assert!(!is_loopback(other), "{other}");
        }
    }
}
