//! What comes to its end: told beforehand, purged when it is over.

use std::sync::Arc;
use std::time::Duration;

use packet::{Compartment, DocumentId};
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;

use super::{RetentionConfig, purge};
use crate::center::Center;
use crate::clock;
use crate::log::LogError;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How often is looked for what is over.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Most documents that one look finds, those first that are over first.
const DUE_MAX: i64 = 500;

/// A document whose period ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub document: DocumentId,
    /// CAD's number of the call; empty where it has none.
    pub number: String,
    /// Its first entry.
    pub first_ms: i64,
    pub ends_ms: i64,
}

/// Documents of closed calls whose period ends before `until_ms` and that are not on hold,
/// those first that end first: of this agency's, or of all.
///
/// # Errors
/// When the store fails.
pub fn before(
    connection: &Connection,
    config: &RetentionConfig,
    until_ms: i64,
    agency: Option<&str>,
) -> Result<Vec<Due>, LogError> {
    // A document's id is its call's eight bytes and its compartment's one.
    let mut statement = connection.prepare_cached(
        "SELECT k.document, calls.number,
             (SELECT received_ms FROM changes AS c WHERE c.document = k.document ORDER BY seq LIMIT 1) AS first_ms,
             coalesce((SELECT max(at_ms) FROM retained AS r WHERE r.document = k.document), 0) AS kept_ms
         FROM calls CROSS JOIN document_keys AS k
         WHERE calls.open = 0 AND (?1 IS NULL OR calls.agency = ?1)
             AND k.document = unhex(printf('%016x%02x', calls.call, ?2))
             AND max(first_ms, kept_ms) < ?3
             AND NOT EXISTS (SELECT 1 FROM holds WHERE holds.document = k.document AND ended_ms IS NULL)
         ORDER BY max(first_ms, kept_ms) LIMIT ?4",
    )?;
    let mut all = Vec::new();
    for compartment in Compartment::ALL {
        let Some(days) = config.days(compartment) else {
            continue;
        };
        let period_ms = i64::from(days) * DAY_MS;
        let mut rows = statement.query(params![
            agency,
            compartment as u8,
            until_ms - period_ms,
            DUE_MAX
        ])?;
        while let Some(row) = rows.next()? {
            let (first_ms, kept_ms): (i64, i64) = (row.get(2)?, row.get(3)?);
            all.push(Due {
                document: super::document_of(row)?,
                number: row.get(1)?,
                first_ms,
                ends_ms: first_ms.max(kept_ms) + period_ms,
            });
        }
    }
    all.sort_by_key(|due| due.ends_ms);
    Ok(all)
}

/// Purges what is over, each in a commit of its own, and says how many.
///
/// # Errors
/// When the store fails.
pub async fn purge_what_is_over(center: &Arc<Center>, now_ms: i64) -> Result<usize, LogError> {
    let config = center.config.retention;
    let over = center
        .log
        .readers()
        .read(move |connection| before(connection, &config, now_ms, None));
    let mut purged = 0;
    for due in over.await? {
        let done = center
            .log
            .write(move |ledger| purge::purge(ledger, due.document, None, "its period is over"));
        match done.await {
            Ok(()) => purged += 1,
            // It was put on hold, purged or opened again meanwhile.
            Err(LogError::Conflict(_) | LogError::Unknown { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(purged)
}

/// Runs until the center stops.
pub(crate) async fn run(center: Arc<Center>, stop: CancellationToken) {
    loop {
        match purge_what_is_over(&center, clock::now_ms()).await {
            Ok(0) => {}
            Ok(count) => tracing::info!(count, "documents whose period is over were purged"),
            Err(LogError::Stopping) => return,
            Err(error) => tracing::warn!(%error, "what is over was not purged; it is tried again"),
        }
        tokio::select! {
            () = tokio::time::sleep(LOOK_EVERY) => {}
            () = stop.cancelled() => return,
        }
    }
}
