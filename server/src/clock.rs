//! The center's clock: the one place that reads it.

use std::time::{SystemTime, UNIX_EPOCH};

/// Milliseconds since 1970, UTC.
#[must_use]
pub fn now_ms() -> i64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
}
