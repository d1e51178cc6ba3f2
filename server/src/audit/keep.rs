//! What keeps the audit log by itself: checkpoints, a look at itself, retention.
//!
//! - Once a second, when something was entered, a checkpoint is signed and kept; one more
//!   when the center stops. After a day one of each hour is left, and all that were
//!   cosigned.
//! - At the start and then once a day the whole log is verified; what is wrong is told to
//!   everybody at the console (CJIS AU-9).
//! - What could not be entered is entered when there is room ([`super::unkept`]).
//! - Entries older than `audit.keep_days` go, a year at least (AU-11): the oldest, in whole
//!   blocks of 256 that are signed, never one from the middle. Their subtrees' hashes and the
//!   next checkpoint stay, and by them all that follows is verified as before.

use std::sync::Arc;
use std::time::Duration;

use rusqlite::{Connection, params};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::note::VerifierKey;
use super::stored::{self, purged_through};
use super::tree::BLOCK;
use super::verify::{self, Of, Verified};
use super::witness::WitnessConfig;
use super::{Record, record};
use crate::center::Center;
use crate::clock;
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// CJIS AU-11 wants a year; one with a leap day.
pub const KEEP_DAYS_MIN: u32 = 366;
const KEEP_DAYS_DEFAULT: u32 = 5 * 366;
/// Most witnesses.
pub const WITNESSES_MAX: usize = 16;

const CHECKPOINT_EVERY_MS: u64 = 1_000;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
const HOUR_MS: i64 = DAY_MS / 24;
/// How long each checkpoint is kept.
const ALL_CHECKPOINTS_MS: i64 = DAY_MS;
/// How often is looked for what is too old, in checkpoints' time.
const TIDY_EVERY_TICKS: u64 = 3_600;
const VERIFY_EVERY_TICKS: u64 = 24 * TIDY_EVERY_TICKS;
/// Most blocks of entries that are purged in one commit.
const BLOCKS_PER_COMMIT_MAX: u64 = 4;

/// `[audit]`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct AuditConfig {
    /// How long entries are kept, in days.
    pub keep_days: u32,
    /// Hours of the center's zone in which few people work, from and to: the weekly review
    /// lists what was read then.
    pub after_hours: (u8, u8),
    /// So many documents read by one person in an hour are listed in the weekly review.
    pub bulk_reads: u32,
    pub witnesses: Vec<WitnessConfig>,
}

impl Default for AuditConfig {
    fn default() -> Self {
        Self {
            keep_days: KEEP_DAYS_DEFAULT,
            after_hours: (0, 5),
            bulk_reads: 100,
            witnesses: Vec::new(),
        }
    }
}

impl AuditConfig {
    /// # Errors
    /// Names the first field that does not hold, and what is wanted.
    pub fn check(&self) -> Result<(), (String, String)> {
        let wrong = |field: &str, wanted: String| Err((format!("audit.{field}"), wanted));
        if self.keep_days < KEEP_DAYS_MIN {
            return wrong(
                "keep_days",
                format!("at least {KEEP_DAYS_MIN}: a year (CJIS AU-11)"),
            );
        }
        let (from, to) = self.after_hours;
        if from > 23 || to > 24 {
            return wrong(
                "after_hours",
                "two hours of the day, such as [22, 6]".into(),
            );
        }
        if self.bulk_reads == 0 {
            return wrong("bulk_reads", "at least 1".into());
        }
        if self.witnesses.len() > WITNESSES_MAX {
            return wrong("witnesses", format!("at most {WITNESSES_MAX}"));
        }
        for witness in &self.witnesses {
            if let Err(e) = witness.verifier() {
                return wrong(&format!("witnesses.{}", witness.agency), e.to_string());
            }
        }
        Ok(())
    }

    /// The witnesses' keys; those that are none were told at the start.
    #[must_use]
    pub fn verifiers(&self) -> Vec<VerifierKey> {
        let keys = self.witnesses.iter().map(WitnessConfig::verifier);
        keys.filter_map(Result::ok).collect()
    }
}

/// Runs until the center stops.
pub(crate) async fn run(center: Arc<Center>, stop: CancellationToken) {
    let mut ticks = 0_u64;
    loop {
        if ticks.is_multiple_of(VERIFY_EVERY_TICKS) {
            look_at_itself(&center).await;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(CHECKPOINT_EVERY_MS)) => {}
            () = stop.cancelled() => return,
        }
        ticks += 1;
        if center.unkept.waiting() > 0 {
            match center.unkept.enter(&center.keys, &center.log).await {
                Ok(count) => tracing::info!(count, "what waited beside the log is entered"),
                Err(error) => tracing::warn!(%error, "what waits beside the log waits on"),
            }
        }
        sign(&center).await;
        if ticks.is_multiple_of(TIDY_EVERY_TICKS) {
            tidy(&center).await;
        }
        let waiting = i64::try_from(center.unkept.waiting()).unwrap_or(i64::MAX);
        center.metrics.audit_unkept.set(waiting);
    }
}

/// Signs what was entered since the last checkpoint.
pub(crate) async fn sign(center: &Arc<Center>) {
    let is_news = center.log.readers().read(|connection| {
        let signed = stored::latest(connection)?.map_or(0, |latest| latest.size);
        Ok(super::entry::last(connection)? != signed)
    });
    if matches!(is_news.await, Ok(false)) {
        return;
    }
    let signing = center.clone();
    let signed = center.log.write(move |ledger| {
        stored::checkpoint(ledger.sql(), signing.audit_key(), ledger.now_ms())
    });
    match signed.await {
        Ok(Some(checkpoint)) => {
            let size = i64::try_from(checkpoint.size).unwrap_or(i64::MAX);
            center.metrics.audit_entries.set(size);
        }
        Ok(None) | Err(LogError::Full | LogError::Stopping) => {}
        Err(error) => found_changed(center, error.to_string()).await,
    }
}

/// Verifies the whole log.
async fn look_at_itself(center: &Arc<Center>) {
    let looking = center.clone();
    let verified = center.log.readers().read(move |connection| {
        verify::store(
            connection,
            &Of {
                center: looking.keys.center_id(),
                public: looking.keys.audit().public(),
                witnesses: &looking.config.audit.verifiers(),
            },
            &[],
        )
    });
    match verified.await {
        Ok(Verified { faults, .. }) => {
            if let Some(fault) = faults.first() {
                found_changed(center, fault.to_string()).await;
            }
        }
        Err(LogError::Stopping) => {}
        Err(error) => found_changed(center, error.to_string()).await,
    }
}

/// Tells everybody, and puts it on record, once.
async fn found_changed(center: &Arc<Center>, what: String) {
    if center.unkept.tampered(&what) {
        center.metrics.audit_failures.inc();
        let found = Record {
            detail: format!("the audit log is not as it was written: {what}"),
            ..Record::of("the center", Act::AuditFailed)
        };
        center.put_on_record(vec![found]).await;
    }
}

async fn tidy(center: &Arc<Center>) {
    let before_ms = clock::now_ms() - ALL_CHECKPOINTS_MS;
    let thinned = center
        .log
        .write(move |ledger| thin(ledger.sql(), before_ms));
    if let Err(error) = thinned.await {
        tracing::warn!(%error, "old checkpoints stay for now");
    }
    let keep_ms = i64::from(center.config.audit.keep_days) * DAY_MS;
    loop {
        let purged = center
            .log
            .write(move |ledger| purge(ledger, ledger.now_ms() - keep_ms, BLOCKS_PER_COMMIT_MAX));
        match purged.await {
            Ok(blocks) if blocks == BLOCKS_PER_COMMIT_MAX => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%error, "audit entries that are too old stay for now");
                return;
            }
        }
    }
}

/// Of the checkpoints before this time, leaves the last of each hour and those that somebody
/// has cosigned.
///
/// # Errors
/// When the store fails.
pub fn thin(connection: &Connection, before_ms: i64) -> Result<(), LogError> {
    connection.execute(
        "DELETE FROM audit_checkpoints WHERE at_ms < ?1
           AND size NOT IN (SELECT size FROM audit_cosignatures)
           AND size NOT IN (SELECT max(size) FROM audit_checkpoints GROUP BY at_ms / ?2)",
        params![before_ms, HOUR_MS],
    )?;
    Ok(())
}

/// Purges entries of before this time, at most so many blocks, and puts that on record.
/// Returns how many blocks went.
///
/// # Errors
/// When the store fails.
pub fn purge(ledger: &Ledger<'_>, before_ms: i64, blocks_max: u64) -> Result<u64, LogError> {
    let sql = ledger.sql();
    let from = purged_through(sql)?;
    let signed = stored::latest(sql)?.map_or(0, |latest| latest.size);
    let young: Option<i64> = sql
        .prepare_cached("SELECT min(id) FROM audit WHERE at_ms >= ?1")?
        .query_row([before_ms], |row| row.get(0))?;
    // Never the last entry: its number is where the next one goes on.
    let last = super::entry::last(sql)?;
    let end = young
        .map_or(last, i64::unsigned_abs)
        .saturating_sub(1)
        .min(signed);
    let blocks = (end.saturating_sub(from) / BLOCK).min(blocks_max);
    if blocks == 0 {
        return Ok(0);
    }
    let through = from + blocks * BLOCK;
    let bound = [through.cast_signed()];
    sql.execute("DELETE FROM audit WHERE id <= ?1", bound)?;
    sql.execute("DELETE FROM audit_subjects WHERE id <= ?1", bound)?;
    sql.execute(
        "DELETE FROM audit_subject_keys WHERE subject NOT IN (SELECT subject FROM audit_subjects)",
        [],
    )?;
    for table in ["audit_checkpoints", "audit_cosignatures"] {
        sql.execute(&format!("DELETE FROM {table} WHERE size < ?1"), bound)?;
    }
    sql.execute(
        "INSERT OR REPLACE INTO meta VALUES ('audit_purged_through', ?1)",
        bound,
    )?;
    let purged = Record {
        object: format!("audit entries {} to {through}", from + 1),
        detail: "older than they are kept".into(),
        ..Record::of("the center", Act::PurgeAudit)
    };
    record(ledger, &purged)?;
    Ok(blocks)
}
