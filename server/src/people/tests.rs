#![allow(clippy::unwrap_used)]

use axum::http::{HeaderMap, HeaderValue, header};

use super::accounts::certifications;
use super::sessions::Browser;

fn kind(said: &'static str) -> String {
    let mut headers = HeaderMap::new();
    headers.insert(header::USER_AGENT, HeaderValue::from_static(said));
    Browser::new(&headers, None).kind
}

#[test]
fn a_browser_is_its_kind_and_system_whatever_its_version() {
    for (said, is) in [
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/141.0.0.0 Safari/537.36",
            "Chrome on Windows",
        ),
        (
            "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36 Edg/142.0.0.0",
            "Edge on Windows",
        ),
        (
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Safari/605.1.15",
            "Safari on macOS",
        ),
        (
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
        ),
        (
            "Mozilla/5.0 (iPhone; CPU iPhone OS 18_4 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.4 Mobile/15E148 Safari/604.1",
            "Safari on iOS",
        ),
        ("curl/8.14.1", "another on another"),
    ] {
        assert_eq!(kind(said), is, "{said}");
    }
}

#[test]
fn a_certification_is_a_name_and_a_day() {
    let read = certifications("CJIS 2027-03-31\r\n\r\n Intel training 2026-01-01 ").unwrap();
    assert_eq!(read.len(), 2);
    assert_eq!(read[1].name, "Intel training");
    assert_eq!(read[1].until.to_string(), "2026-01-01");
    for bad in ["CJIS", "2027-03-31", "CJIS 2027-02-30", "CJIS 31.3.2027"] {
        let why = certifications(bad).unwrap_err();
        assert!(why.contains(bad), "{why}");
    }
    assert!(certifications(&"CJIS 2027-03-31\n".repeat(13)).is_err());
}
