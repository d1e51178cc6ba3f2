//! What the host gives beside keys: clocks and a place for the log.

use std::fmt;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

/// The host's clocks.
pub trait BootClock: Send + Sync + fmt::Debug {
    /// Milliseconds that never go back; where the host can, they go on while it sleeps.
    fn now_ms(&self) -> u64;

    /// Milliseconds since 1970, UTC, as the device believes it to be.
    fn wall_ms(&self) -> i64;
}

/// The process's own clocks, for laptops. A phone stops counting in its sleep: its
/// host gives its own.
#[derive(Debug)]
pub struct SystemClock {
    started: Instant,
}

impl SystemClock {
    #[must_use]
    pub fn new() -> Self {
        Self {
            started: Instant::now(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl BootClock for SystemClock {
    fn now_ms(&self) -> u64 {
        u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn wall_ms(&self) -> i64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH);
        since.map_or(0, |since| {
            i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
        })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogLevel {
    Info,
    Warning,
}

/// Where the core's few words for engineers go. They hold nothing of a packet.
pub trait Logger: Send + Sync + fmt::Debug {
    fn log(&self, level: LogLevel, message: &str);
}

/// To the process's `tracing` subscriber.
#[derive(Debug)]
pub struct TracingLogger;

impl Logger for TracingLogger {
    fn log(&self, level: LogLevel, message: &str) {
        match level {
            LogLevel::Info => tracing::info!("{message}"),
            LogLevel::Warning => tracing::warn!("{message}"),
        }
    }
}
