//! How fast calls are replayed.

use std::str::FromStr;
use std::time::Duration;

/// Seconds of the file's time in one second, or as fast as the center takes them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Speed {
    Times(f64),
    Max,
}

impl FromStr for Speed {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == "max" {
            return Ok(Self::Max);
        }
        match text.parse() {
            Ok(times) if (0.1..=100_000.0).contains(&times) => Ok(Self::Times(times)),
            _ => Err("a number from 0.1 to 100000, or max".into()),
        }
    }
}

impl Speed {
    /// How long this many seconds of the file's time last here.
    pub(crate) fn real(self, seconds: f64) -> Duration {
        match self {
            Self::Times(times) => Duration::from_secs_f64((seconds / times).max(0.0)),
            Self::Max => Duration::ZERO,
        }
    }
}
