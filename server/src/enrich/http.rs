//! One HTTP question, bounded in time and size.

use std::time::Duration;

use packet::entry::NAME_CHARS_MAX;

/// Largest answer that is read.
const BODY_BYTES_MAX: usize = 256 * 1024;

#[derive(Debug, thiserror::Error)]
pub(super) enum FetchError {
    #[error("it did not answer in time")]
    TimedOut,
    #[error("it answered {0}")]
    Status(u16),
    #[error("its answer is over {BODY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("it cannot be reached: {0}")]
    Unreachable(String),
}

pub(super) fn client() -> Result<reqwest::Client, reqwest::Error> {
    // One provider for the whole process; the second start in a test finds it installed.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    reqwest::Client::builder()
        .redirect(reqwest::redirect::Policy::none())
        .no_proxy()
        .build()
}

/// The body of a 200; `None` of a 404: the source knows nothing.
pub(super) async fn get(
    client: &reqwest::Client,
    url: &str,
    timeout: Duration,
) -> Result<Option<Vec<u8>>, FetchError> {
    match tokio::time::timeout(timeout, fetch(client, url)).await {
        Ok(fetched) => fetched,
        Err(_) => Err(FetchError::TimedOut),
    }
}

async fn fetch(client: &reqwest::Client, url: &str) -> Result<Option<Vec<u8>>, FetchError> {
    // The address of a source holds what was asked: it is not repeated in an error.
    let unreachable = |e: reqwest::Error| FetchError::Unreachable(root_cause(&e.without_url()));
    let mut response = client.get(url).send().await.map_err(unreachable)?;
    match response.status().as_u16() {
        200 => {}
        404 => return Ok(None),
        status => return Err(FetchError::Status(status)),
    }
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(unreachable)? {
        if body.len() + chunk.len() > BODY_BYTES_MAX {
            return Err(FetchError::TooLarge);
        }
        body.extend_from_slice(&chunk);
    }
    Ok(Some(body))
}

fn root_cause(error: &dyn std::error::Error) -> String {
    let mut cause = error;
    while let Some(source) = cause.source() {
        cause = source;
    }
    cause.to_string()
}

/// Fills the placeholders of a URL, percent-encoded.
pub(super) fn fill(template: &str, values: &[(&str, &str)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |url, (placeholder, value)| {
            url.replace(placeholder, &encoded(value))
        })
}

fn encoded(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// Within the limit of a name.
pub(super) fn short(text: &str) -> String {
    text.chars().take(NAME_CHARS_MAX).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_cannot_change_the_address_asked_at() {
        let url = fill(
            "http://a/r?address={address}&x=1",
            &[("{address}", "1 A ST&x=2#/../é")],
        );
        assert_eq!(
            url,
            "http://a/r?address=1%20A%20ST%26x%3D2%23%2F..%2F%C3%A9&x=1"
        );
    }
}
