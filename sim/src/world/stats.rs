//! What a run, or many, went through.

use std::fmt;
use std::ops::AddAssign;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Virtual time, the rest at the end included.
    pub simulated_ms: u64,
    pub events: u64,
    pub sessions: u64,
    /// Transactions at the center and on devices.
    pub commits: u64,
    /// Changes that the logs took.
    pub changes: u64,
    /// Entries that officers wrote.
    pub written: u64,
    pub refused: u64,
    pub device_crashes: u64,
    pub center_crashes: u64,
    /// Of centers, from a backup.
    pub restores: u64,
    pub device_restores: u64,
    pub stores_lost: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
}

impl AddAssign for Stats {
    fn add_assign(&mut self, other: Self) {
        self.simulated_ms += other.simulated_ms;
        self.events += other.events;
        self.sessions += other.sessions;
        self.commits += other.commits;
        self.changes += other.changes;
        self.written += other.written;
        self.refused += other.refused;
        self.device_crashes += other.device_crashes;
        self.center_crashes += other.center_crashes;
        self.restores += other.restores;
        self.device_restores += other.device_restores;
        self.stores_lost += other.stores_lost;
        self.bytes_up += other.bytes_up;
        self.bytes_down += other.bytes_down;
    }
}

impl fmt::Display for Stats {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        #[allow(clippy::cast_precision_loss)] // two digits are shown
        let hours = self.simulated_ms as f64 / 3_600_000.0;
        write!(
            f,
            "{hours:.2} simulated hours, {} events, {} sessions, {} commits, {} changes \
             ({} written on devices, {} refused), crashes: {} devices, {} centers; restores: {} devices, \
             {} centers; {} stores lost, {} bytes up, {} down",
            self.events,
            self.sessions,
            self.commits,
            self.changes,
            self.written,
            self.refused,
            self.device_crashes,
            self.center_crashes,
            self.device_restores,
            self.restores,
            self.stores_lost,
            self.bytes_up,
            self.bytes_down
        )
    }
}
