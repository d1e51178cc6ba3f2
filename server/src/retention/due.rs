//! What comes to its end: told beforehand, purged when it is over.

use std::sync::Arc;
use std::time::Duration;

use packet::{Compartment, DocumentId};
use rusqlite::{Connection, params};
use tokio_util::sync::CancellationToken;

use super::hold::{self, Hold};
use super::{RetentionConfig, purge};
use crate::center::Center;
use crate::clock;
use crate::log::LogError;
use crate::policy::{Actor, Role};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How often is looked for what is over.
const LOOK_EVERY: Duration = Duration::from_secs(60 * 60);
/// Most documents that one look finds, those first that are over first.
const DUE_MAX: i64 = 500;

/// A document whose period ends, or that is on hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Due {
    pub document: DocumentId,
    /// Whose call it is.
    pub agency: String,
    /// CAD's number of it; empty where it has none.
    pub number: String,
    /// Its first entry.
    pub first_ms: i64,
    /// `None`: it is kept without an end.
    pub ends_ms: Option<i64>,
    pub hold: Option<Hold>,
}

/// Documents of closed calls whose period ends before `until_ms`, those first that end first.
///
/// # Errors
/// When the store fails.
pub fn before(
    connection: &Connection,
    config: &RetentionConfig,
    until_ms: i64,
) -> Result<Vec<Due>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT k.document, calls.agency, calls.number,
             (SELECT received_ms FROM changes AS c WHERE c.document = k.document ORDER BY seq LIMIT 1) AS first_ms,
             coalesce((SELECT max(at_ms) FROM retained AS r WHERE r.document = k.document), 0) AS kept_ms
         FROM calls CROSS JOIN document_keys AS k
         WHERE calls.open = 0 AND k.document = unhex(printf('%016x', calls.call) || ?1)
             AND max(first_ms, kept_ms) < ?2
         ORDER BY max(first_ms, kept_ms) LIMIT ?3",
    )?;
    let mut all = Vec::new();
    for compartment in Compartment::ALL {
        let Some(days) = config.days(compartment) else {
            continue;
        };
        let period_ms = i64::from(days) * DAY_MS;
        let suffix = format!("{:02x}", compartment as u8);
        let mut rows = statement.query(params![suffix, until_ms - period_ms, DUE_MAX])?;
        while let Some(row) = rows.next()? {
            let document = document_of(row)?;
            let (first_ms, kept_ms): (i64, i64) = (row.get(3)?, row.get(4)?);
            all.push(Due {
                document,
                agency: row.get(1)?,
                number: row.get(2)?,
                first_ms,
                ends_ms: Some(first_ms.max(kept_ms) + period_ms),
                hold: hold::of(connection, document)?,
            });
        }
    }
    all.sort_by_key(|due| due.ends_ms);
    Ok(all)
}

/// Documents that are on hold, the newest hold first.
///
/// # Errors
/// When the store fails.
pub fn on_hold(connection: &Connection) -> Result<Vec<Due>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT document, coalesce(calls.agency, 'center'), coalesce(calls.number, ''),
             (SELECT received_ms FROM changes AS c WHERE c.document = holds.document ORDER BY seq LIMIT 1),
             at_ms, by, why
         FROM holds LEFT JOIN calls ON hex(substr(document, 1, 8)) = printf('%016X', calls.call)
         WHERE ended_ms IS NULL ORDER BY hold DESC LIMIT ?1",
    )?;
    let mut rows = statement.query([DUE_MAX])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(Due {
            document: document_of(row)?,
            agency: row.get(1)?,
            number: row.get(2)?,
            first_ms: row.get(3)?,
            ends_ms: None,
            hold: Some(Hold {
                at_ms: row.get(4)?,
                by: row.get(5)?,
                why: row.get(6)?,
            }),
        });
    }
    Ok(all)
}

fn document_of(row: &rusqlite::Row<'_>) -> Result<DocumentId, LogError> {
    let bytes: Vec<u8> = row.get(0)?;
    DocumentId::from_bytes(&bytes).map_err(|e| LogError::Store(e.to_string()))
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
        .read(move |connection| before(connection, &config, now_ms));
    let mut purged = 0;
    for due in over.await? {
        if due.hold.is_some() {
            continue;
        }
        let done = center.log.write(move |ledger| {
            let by = Actor {
                name: "The center, by itself".into(),
                ..Actor::of(Role::Operator)
            };
            purge::purge(ledger, due.document, &by, "its period is over")
        });
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
