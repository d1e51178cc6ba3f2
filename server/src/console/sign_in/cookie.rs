//! The session's cookie.
//!
//! `__Host-`: a browser takes it from this very host over TLS alone (or from loopback),
//! so that no neighbouring name can plant one. `HttpOnly`: no script reads it.
//! `SameSite=Lax`: another site's form does not bring it, while a link to a call from a
//! dispatch system's page opens without a second sign-in. It goes with the browser.

use axum::http::{HeaderMap, HeaderValue, header};

const NAME: &str = "__Host-forerunner";
/// A token is 43 characters.
const TOKEN_CHARS_MAX: usize = 64;

/// The token, when exactly one came.
pub(in crate::console) fn token(headers: &HeaderMap) -> Option<&str> {
    named(headers, NAME)
}

fn named<'h>(headers: &'h HeaderMap, wanted: &str) -> Option<&'h str> {
    let all = headers.get_all(header::COOKIE).iter();
    let pairs = all
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    let mut tokens = pairs.filter_map(|pair| {
        let (name, value) = pair.trim().split_once('=')?;
        (name == wanted).then_some(value)
    });
    match (tokens.next(), tokens.next()) {
        (Some(token), None) if (1..=TOKEN_CHARS_MAX).contains(&token.len()) => Some(token),
        _ => None,
    }
}

/// Sets it.
pub(in crate::console) fn with(token: &str) -> Option<HeaderValue> {
    let text = format!("{NAME}={token}; Path=/; Secure; HttpOnly; SameSite=Lax");
    HeaderValue::try_from(text).ok()
}

/// Takes it away.
pub(in crate::console) fn without() -> HeaderValue {
    HeaderValue::from_static(
        "__Host-forerunner=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
    )
}

/// Binds a browser to what it asks of an agency's provider.
const ASKED: &str = "__Host-forerunner-asked";

pub(in crate::console) fn asked(secret: &str) -> Option<HeaderValue> {
    let text = format!("{ASKED}={secret}; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=600");
    HeaderValue::try_from(text).ok()
}

pub(in crate::console) fn asked_before(headers: &HeaderMap) -> Option<&str> {
    named(headers, ASKED)
}

pub(in crate::console) fn asked_no_more() -> HeaderValue {
    HeaderValue::from_static(
        "__Host-forerunner-asked=; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age=0",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(cookies: &[&'static str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for cookie in cookies {
            headers.append(header::COOKIE, HeaderValue::from_static(cookie));
        }
        token(&headers).map(str::to_owned)
    }

    #[test]
    fn of_two_session_cookies_none_counts() {
        assert_eq!(of(&["a=1; __Host-forerunner=x"]).as_deref(), Some("x"));
        assert_eq!(of(&["__Host-forerunner=x; __Host-forerunner=y"]), None);
        assert_eq!(of(&["__Host-forerunner=x", "__Host-forerunner=x"]), None);
        assert_eq!(of(&["forerunner=x", "__host-forerunner=y"]), None);
        assert_eq!(of(&["__Host-forerunner="]), None);
    }
}
