//! Who gets an answer: a browser that shows the center's own pages, and behind it a person
//! who is signed in.
//!
//! Each request passes two gates before any route:
//!
//! 1. `Host` is the console's own name: that of `sign_in.origin`, or without one a
//!    loopback name. A name that an attacker has pointed here (DNS rebinding) is not.
//! 2. What writes, and the WebSocket, come from these very pages (`Origin`). The cookie's
//!    `SameSite` says the same once more.
//!
//! and, but for the pages by which people sign in ([`super::sign_in`]), a third
//! ([`signed_in`]): its cookie proves a session that is open. A route behind it finds the
//! [`Actor`] among the request's extensions, and the [`SignedIn`] session.

use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, HOST, HeaderName, ORIGIN, REFERRER_POLICY, UPGRADE,
    X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};

use super::sign_in::{self, cookie};
use super::view::{AnswerView, LockedPage};
use super::{Console, pages};
use crate::accept::Peer;
use crate::clock;
use crate::config::Config;
use crate::log::LogError;
use crate::people::sessions::{self, Browser, Session, SessionId, Standing};
use crate::people::{PersonId, watch};
use crate::policy::Actor;

const CROSS_ORIGIN_RESOURCE_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-resource-policy");
const CROSS_ORIGIN_OPENER_POLICY: HeaderName =
    HeaderName::from_static("cross-origin-opener-policy");
const STRICT_TRANSPORT_SECURITY: HeaderName = HeaderName::from_static("strict-transport-security");
const NOT_OURS: &str =
    "This is the analysts' console: it answers its own pages, and nobody else.\n";
const LOOPBACK_NAMES: [&str; 3] = ["127.0.0.1", "localhost", "[::1]"];

/// Where the pages come from.
#[derive(Debug, Clone)]
pub(super) struct Gate {
    page: &'static str,
    socket: &'static str,
    /// The only `Host`; loopback names where there is none.
    host: Option<Arc<str>>,
}

impl Gate {
    pub(super) fn new(config: &Config) -> Self {
        let host = config.sign_in.host();
        let (page, socket) = if config.console_tls || host.is_some() {
            ("https", "wss")
        } else {
            ("http", "ws")
        };
        Self {
            page,
            socket,
            host: host.map(Arc::from),
        }
    }

    /// The request's host, when both gates let it through.
    fn judge<'r>(&self, request: &'r Request) -> Option<&'r str> {
        let headers = request.headers();
        let host = only(headers, &HOST).filter(|host| self.is_own(host))?;
        let writes = !matches!(*request.method(), Method::GET | Method::HEAD);
        if writes || headers.contains_key(UPGRADE) {
            let own = format!("{}://{host}", self.page);
            only(headers, &ORIGIN).filter(|origin| *origin == own)?;
        }
        Some(host)
    }

    fn is_own(&self, host: &str) -> bool {
        match &self.host {
            Some(own) => **own == *host,
            None => is_loopback(host),
        }
    }

    /// What a page from this host may load and speak to.
    fn policy(&self, host: &str) -> Option<HeaderValue> {
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

/// The first two gates, and on every answer what the browser must hold to.
pub(super) async fn guard(State(gate): State<Gate>, request: Request, next: Next) -> Response {
    let policy = gate.judge(&request).and_then(|host| gate.policy(host));
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
        (CROSS_ORIGIN_OPENER_POLICY, "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    if gate.host.is_some() {
        let year = HeaderValue::from_static("max-age=31536000");
        headers.insert(STRICT_TRANSPORT_SECURITY, year);
    }
    response
}

/// Whose session a request is part of.
#[derive(Debug, Clone, Copy)]
pub(super) struct SignedIn {
    pub(super) session: SessionId,
    pub(super) person: PersonId,
}

/// Where a request came from.
pub(super) fn browser(request: &Request) -> Browser {
    let peer = request.extensions().get::<Peer>();
    Browser::new(request.headers(), peer.map(|peer| peer.address.ip()))
}

/// The session of the request's cookie, and how it stands; a cookie from elsewhere is
/// dealt with here.
///
/// # Errors
/// When the store fails: then nobody is let in.
pub(super) async fn session_of(
    console: &Console,
    headers: &HeaderMap,
    browser: &Browser,
) -> Result<Option<(Session, Standing)>, LogError> {
    let Some(token) = cookie::token(headers).map(str::to_owned) else {
        return Ok(None);
    };
    let center = &console.center;
    let read = center
        .log
        .readers()
        .read(move |connection| sessions::find(connection, &token));
    let Some(session) = read.await? else {
        return Ok(None);
    };
    let standing = session.standing(clock::now_ms());
    if standing == Standing::Over {
        return Ok(None);
    }
    let moved = session.moved(browser);
    // One that is locked already is on record once.
    let is_known = standing == Standing::Locked && moved == Some(sessions::Moved::Address);
    let Some(moved) = moved.filter(|_| !is_known) else {
        return Ok(Some((session, standing)));
    };
    let (refused, from) = (session.clone(), browser.clone());
    watch::change(center, move |ledger| {
        sessions::refuse(ledger, &refused, moved, &from)
    })
    .await?;
    Ok(match moved {
        sessions::Moved::Browser => None,
        sessions::Moved::Address => Some((session, Standing::Locked)),
    })
}

/// The third gate.
pub(super) async fn signed_in(
    State(console): State<Arc<Console>>,
    mut request: Request,
    next: Next,
) -> Response {
    #[cfg(test)]
    if let Some(actor) = crate::policy::walk::walker(request.headers()) {
        request.extensions_mut().insert(actor);
        request.extensions_mut().insert(SignedIn {
            session: SessionId(0),
            person: PersonId(0),
        });
        return next.run(request).await;
    }
    let browser = browser(&request);
    let session = match session_of(&console, request.headers(), &browser).await {
        Ok(Some((session, Standing::Open))) => session,
        Ok(Some((_, standing))) => return ask(&console, &request, standing),
        Ok(None) => return ask(&console, &request, Standing::Over),
        Err(e) => return pages::failed(&e),
    };
    if is_by_hand(&request) && session.is_seen_anew(clock::now_ms()) {
        let seen = session.clone();
        let kept = console
            .center
            .log
            .write(move |ledger| sessions::seen(ledger, &seen));
        // With a full disk reading goes on; the session then locks early.
        if let Err(e) = kept.await {
            tracing::warn!(error = %e, "that a session is used could not be kept");
        }
    }
    let extensions = request.extensions_mut();
    extensions.insert(session.person.actor());
    extensions.insert(SignedIn {
        session: session.id,
        person: session.person.id,
    });
    next.run(request).await
}

/// Whether somebody is there: a page that fetches itself anew, or asks how the session
/// stands, shows nothing of that.
fn is_by_hand(request: &Request) -> bool {
    let by_user = only(
        request.headers(),
        &HeaderName::from_static("sec-fetch-user"),
    );
    request.method() != Method::GET || by_user == Some("?1")
}

/// Asks to sign in, to unlock or to acknowledge: a page where a page was asked for, and
/// else a sentence beside the box, whose text is kept.
fn ask(console: &Console, request: &Request, standing: Standing) -> Response {
    let headers = request.headers();
    let wants_page = request.method() == Method::GET
        && !headers.contains_key(UPGRADE)
        && only(headers, &header::ACCEPT).is_none_or(|accept| accept.contains("text/html"));
    let here = request.uri().path_and_query().map_or("/", |p| p.as_str());
    if wants_page {
        return match standing {
            Standing::Locked | Standing::Open => {
                let page = LockedPage {
                    center_name: console.center.config.name.clone(),
                };
                pages::html(StatusCode::UNAUTHORIZED, &page)
            }
            Standing::Notice => Redirect::to(&sign_in::leading_to("/notice", here)).into_response(),
            Standing::Over => Redirect::to(&sign_in::leading_to("/sign-in", here)).into_response(),
        };
    }
    let (is, text) = match standing {
        Standing::Locked | Standing::Open => ("locked", "Your session is locked. Unlock it first."),
        Standing::Notice => ("notice", "Acknowledge the use notice first."),
        Standing::Over => ("over", "Your session is over. Sign in first."),
    };
    let answer = AnswerView {
        taken: false,
        text: format!("{text} Your text is kept."),
    };
    let mut response = pages::html(StatusCode::UNAUTHORIZED, &answer);
    // The page's script asks at once instead of at its next look.
    let name = HeaderName::from_static("x-session");
    response
        .headers_mut()
        .insert(name, HeaderValue::from_static(is));
    response
}

/// Ends when the session is no longer open, or its person is not what they were (another
/// certification): nothing more is shown to it. The page comes back and is asked about anew.
pub(super) async fn over(console: &Console, session: SessionId, actor: &Actor) {
    let mut changes = console.center.people.changes.subscribe();
    loop {
        let read = console
            .center
            .log
            .readers()
            .read(move |connection| sessions::by_id(connection, session));
        match read.await {
            Ok(Some(found))
                if found.standing(clock::now_ms()) == Standing::Open
                    && found.person.actor() == *actor => {}
            Ok(_) => return,
            // What cannot be looked up is not let go on.
            Err(e) => {
                tracing::warn!(error = %e, "a session could not be read: its sockets end");
                return;
            }
        }
        if changes.changed().await.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use axum::body::Body;

    use super::*;

    fn gate(host: Option<&str>, page: &'static str) -> Gate {
        Gate {
            page,
            socket: "wss",
            host: host.map(Arc::from),
        }
    }

    fn asked(gate: &Gate, method: &str, host: &str, origin: Option<&str>) -> bool {
        let mut request = Request::builder().method(method).header(HOST, host);
        if let Some(origin) = origin {
            request = request.header(ORIGIN, origin);
        }
        gate.judge(&request.body(Body::empty()).unwrap()).is_some()
    }

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

    #[test]
    fn a_console_with_an_origin_answers_that_name_alone() {
        let gate = gate(Some("rtcc.example.gov:8443"), "https");
        assert!(asked(&gate, "GET", "rtcc.example.gov:8443", None));
        for other in [
            "rtcc.example.gov",
            "RTCC.example.gov:8443",
            "rtcc.example.gov:8444",
            "elsewhere.example:8443",
            "localhost:8443",
            "127.0.0.1:8443",
        ] {
            assert!(!asked(&gate, "GET", other, None), "{other}");
        }
        let own = Some("https://rtcc.example.gov:8443");
        assert!(asked(&gate, "POST", "rtcc.example.gov:8443", own));
        for origin in [
            None,
            Some("null"),
            Some("http://rtcc.example.gov:8443"),
            Some("https://rtcc.example.gov"),
            Some("https://elsewhere.example"),
        ] {
            for method in ["POST", "PUT", "DELETE", "PATCH", "OPTIONS"] {
                let let_in = asked(&gate, method, "rtcc.example.gov:8443", origin);
                assert!(!let_in, "{method} from {origin:?}");
            }
        }
    }

    #[test]
    fn a_header_that_came_twice_is_none() {
        let gate = gate(None, "http");
        let twice = |name: HeaderName, one: &str, other: &str| {
            let request = Request::post("/")
                .header(HOST, "localhost:1")
                .header(ORIGIN, "http://localhost:1")
                .header(name.clone(), one);
            let mut request = request.body(Body::empty()).unwrap();
            let headers = request.headers_mut();
            headers.insert(name.clone(), one.parse().unwrap());
            headers.append(name, other.parse().unwrap());
            gate.judge(&request).is_some()
        };
        assert!(asked(
            &gate,
            "POST",
            "localhost:1",
            Some("http://localhost:1")
        ));
        assert!(!twice(HOST, "localhost:1", "elsewhere.example"));
        assert!(!twice(
            ORIGIN,
            "http://localhost:1",
            "http://elsewhere.example"
        ));
    }
}
