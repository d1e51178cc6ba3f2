//! The wire to the center: TLS, one request, one WebSocket.
//!
//! [`Connector`] is all that a test replaces.

mod connector;
mod http;
mod socket;

pub use connector::{Connecting, Connection, Connector};
pub(crate) use connector::{TlsConnector, answer_ms_max};
pub(crate) use http::ask;
pub(crate) use hyper::Method;
pub(crate) use socket::{Heard, Link, open};

use crate::CoreError;

/// How long the center may take to be reached, TLS and the first answer among it.
/// At 9,600 bit/s a full handshake alone takes some five seconds.
pub(crate) const CONNECT_MS_MAX: u64 = 30_000;

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum NetError {
    /// Nothing came back at all: there is no network, or it leads nowhere.
    #[error("there is no way to the center: {0}")]
    NoWay(std::io::Error),
    #[error("no connection to the center: {0}")]
    Connect(std::io::Error),
    #[error("{0:?} is no center's address")]
    Address(String),
    #[error("the center did not answer in time")]
    TimedOut,
    #[error("{reason}")]
    Refused { status: u16, reason: String },
    #[error("the center's answer cannot be used: {0}")]
    Answer(String),
}

impl From<NetError> for CoreError {
    fn from(error: NetError) -> Self {
        match error {
            NetError::Refused { status, reason } => Self::Refused { status, reason },
            error => Self::Unreachable(error.to_string()),
        }
    }
}

/// What a center says in words when it says no (RFC 9457), or the status alone.
fn reason(status: u16, body: &[u8]) -> String {
    let problem: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let words = problem.as_ref().and_then(|problem| {
        let word = |name: &str| problem.get(name)?.as_str();
        word("detail").or_else(|| word("title"))
    });
    match words {
        Some(words) => words.chars().take(300).collect(),
        None => format!("the center answered {status}"),
    }
}
