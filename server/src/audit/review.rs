//! The weekly review (CJIS AU-6): what a reviewer looks at, and that it was looked at.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use rusqlite::{Connection, OptionalExtension, params};
use serde::Serialize;

use super::keep::AuditConfig;
use super::{Record, record};
use crate::log::{Ledger, LogError};
use crate::policy::{Act, Actor};

/// How often the log is reviewed.
pub const REVIEW_EVERY_MS: i64 = 7 * 24 * 60 * 60 * 1_000;
/// Most rows of one list on the page.
pub const ROWS_MAX: usize = 50;
/// Longest that a reviewer says was found, in characters.
pub const FOUND_CHARS_MAX: usize = 1_000;

/// What a reading of a document is called: somebody had what is in it.
const READS: &str = "(act LIKE 'carry %' OR act LIKE 'release %' OR act LIKE 'search in %' OR act IN ('SeePacket', 'FetchAttachment'))";
/// What changes what the center is, or takes its contents elsewhere.
const PRIVILEGED: &str = "(act LIKE 'purge %' OR act LIKE 'retain %' OR act IN ('Backup', 'Restore', 'ExportAudit', 'PurgeAudit', 'ForgetSubject', 'VerifyAudit',
    'NewEnrolmentCode', 'RevokeDevice', 'Readmit', 'Enrol', 'ReplaceHotList', 'ExplainTriage', 'AuditFailed', 'ReviewAudit', 'StartCenter',
    'StopCenter', 'CosignCheckpoint'))";
/// Criminal history and the like that another agency got (AU-3(1), 5.1.3), and not what is
/// shared every day. Beside the document's name an object may say more.
const RESTRICTED_GIVEN_ON: &str = "(receiver IS NOT NULL AND (object LIKE '%/records%' OR object LIKE '%/juvenile%' OR object LIKE '%/intel%'))";

/// A line of a list: what it is about, and how often.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Count {
    pub who: String,
    pub what: String,
    pub count: u64,
    /// The newest of them.
    pub last_id: u64,
    pub last_ms: i64,
}

/// A review that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Reviewed {
    pub after: u64,
    pub through: u64,
    pub by: String,
    pub at_ms: i64,
    pub found: String,
}

/// Auditing that failed for a time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    pub began_ms: i64,
    pub ended_ms: i64,
    pub why: String,
    pub late: u64,
    pub lost: u64,
    pub seen_by: Option<String>,
}

/// What there is to be looked at since the last review.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Review {
    /// Entries after here …
    pub after: u64,
    /// … through here.
    pub through: u64,
    pub last: Option<Reviewed>,
    /// It is later than a week after the last one, or after the first entry.
    pub overdue: bool,
    pub denials: Vec<Count>,
    pub after_hours: Vec<Count>,
    pub bulk_reads: Vec<Count>,
    pub purposes: Vec<Count>,
    pub without_reason: u64,
    pub second_recipients: Vec<Count>,
    pub privileged: Vec<Count>,
    pub failures: Vec<Failure>,
}

/// The last review that was made.
///
/// # Errors
/// When the store fails.
pub fn last(connection: &Connection) -> Result<Option<Reviewed>, LogError> {
    let found = connection
        .prepare_cached("SELECT after, through, by, at_ms, found FROM audit_reviews ORDER BY review DESC LIMIT 1")?
        .query_row([], |row| {
            Ok(Reviewed {
                after: row.get::<_, i64>(0)?.unsigned_abs(),
                through: row.get::<_, i64>(1)?.unsigned_abs(),
                by: row.get(2)?,
                at_ms: row.get(3)?,
                found: row.get(4)?,
            })
        })
        .optional()?;
    Ok(found)
}

/// Reads what there is to review now. Hours are `zone`'s.
///
/// # Errors
/// When the store fails.
pub fn due(
    connection: &Connection,
    config: &AuditConfig,
    zone: &TimeZone,
    now_ms: i64,
) -> Result<Review, LogError> {
    let last = last(connection)?;
    let after = last.as_ref().map_or(0, |last| last.through);
    let through = super::entry::last(connection)?;
    let first_ms: Option<i64> =
        connection.query_row("SELECT min(at_ms) FROM audit", [], |row| row.get(0))?;
    let since_ms = last.as_ref().map(|last| last.at_ms).or(first_ms);
    let list = |what: &str, condition: &str| counts(connection, what, condition, after, through);
    let without_reason: i64 = connection.query_row(
        "SELECT count(*) FROM audit WHERE id > ?1 AND id <= ?2 AND purpose IS NOT NULL AND reason IS NULL",
        params![after.cast_signed(), through.cast_signed()],
        |row| row.get(0),
    )?;
    Ok(Review {
        after,
        through,
        overdue: since_ms.is_some_and(|since_ms| now_ms - since_ms > REVIEW_EVERY_MS),
        last,
        denials: list("act || ' ' || object", "allowed = 0")?,
        after_hours: after_hours(connection, config, zone, after, through)?,
        bulk_reads: bulk_reads(connection, config, after, through)?,
        purposes: list("'purpose ' || purpose", "purpose IS NOT NULL")?,
        without_reason: without_reason.unsigned_abs(),
        second_recipients: list("'to ' || receiver || ': ' || object", RESTRICTED_GIVEN_ON)?,
        privileged: list("act || ' ' || object", PRIVILEGED)?,
        failures: failures(connection)?,
    })
}

fn counts(
    connection: &Connection,
    what: &str,
    condition: &str,
    after: u64,
    through: u64,
) -> Result<Vec<Count>, LogError> {
    let sql = format!(
        "SELECT who, {what} AS what, count(*), max(id), max(at_ms) FROM audit
         WHERE id > ?1 AND id <= ?2 AND {condition} GROUP BY who, what ORDER BY 3 DESC, 4 DESC LIMIT {ROWS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let bounds = params![after.cast_signed(), through.cast_signed()];
    let found = statement
        .query_map(bounds, count)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

fn count(row: &rusqlite::Row<'_>) -> rusqlite::Result<Count> {
    Ok(Count {
        who: row.get(0)?,
        what: row.get(1)?,
        count: row.get::<_, i64>(2)?.unsigned_abs(),
        last_id: row.get::<_, i64>(3)?.unsigned_abs(),
        last_ms: row.get(4)?,
    })
}

/// What people at the console read while few work. Devices are not in it: a patrol reads by
/// night.
fn after_hours(
    connection: &Connection,
    config: &AuditConfig,
    zone: &TimeZone,
    after: u64,
    through: u64,
) -> Result<Vec<Count>, LogError> {
    let (from, to) = config.after_hours;
    let is_after_hours = |ms: i64| {
        let at = Timestamp::from_millisecond(ms).unwrap_or_default();
        let hour = u8::try_from(at.to_zoned(zone.clone()).hour()).unwrap_or_default();
        if from <= to {
            (from..to).contains(&hour)
        } else {
            hour >= from || hour < to
        }
    };
    let sql = format!(
        "SELECT who, act, count(*), max(id), max(at_ms) FROM audit
         WHERE id > ?1 AND id <= ?2 AND device IS NULL AND carriers IS NULL AND allowed = 1 AND {READS}
         GROUP BY who, act, at_ms / 3600000 ORDER BY 4 DESC"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let bounds = params![after.cast_signed(), through.cast_signed()];
    let mut found: Vec<Count> = Vec::new();
    for hour in statement.query_map(bounds, count)? {
        let hour = hour?;
        if !is_after_hours(hour.last_ms) {
            continue;
        }
        match found
            .iter_mut()
            .find(|c| c.who == hour.who && c.what == hour.what)
        {
            Some(known) => known.count += hour.count,
            None => found.push(hour),
        }
    }
    found.truncate(ROWS_MAX);
    Ok(found)
}

/// Who had very many documents within an hour.
fn bulk_reads(
    connection: &Connection,
    config: &AuditConfig,
    after: u64,
    through: u64,
) -> Result<Vec<Count>, LogError> {
    let sql = format!(
        "SELECT who, 'documents within an hour', count(DISTINCT object) AS documents, max(id), max(at_ms) FROM audit
         WHERE id > ?1 AND id <= ?2 AND carriers IS NULL AND allowed = 1 AND {READS}
         GROUP BY who, at_ms / 3600000 HAVING documents >= ?3 ORDER BY 3 DESC LIMIT {ROWS_MAX}"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let bounds = params![
        after.cast_signed(),
        through.cast_signed(),
        config.bulk_reads
    ];
    let found = statement
        .query_map(bounds, count)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

fn failures(connection: &Connection) -> Result<Vec<Failure>, LogError> {
    let mut statement = connection.prepare_cached(&format!(
        "SELECT began_ms, ended_ms, why, late, lost, seen_by FROM audit_failures ORDER BY failure DESC LIMIT {ROWS_MAX}"
    ))?;
    let found = statement
        .query_map([], |row| {
            Ok(Failure {
                began_ms: row.get(0)?,
                ended_ms: row.get(1)?,
                why: row.get(2)?,
                late: row.get::<_, i64>(3)?.unsigned_abs(),
                lost: row.get::<_, i64>(4)?.unsigned_abs(),
                seen_by: row.get(5)?,
            })
        })?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// How many failures of auditing nobody has seen.
///
/// # Errors
/// When the store fails.
pub fn unseen_failures(connection: &Connection) -> Result<u64, LogError> {
    let count: i64 = connection.query_row(
        "SELECT count(*) FROM audit_failures WHERE seen_ms IS NULL",
        [],
        |row| row.get(0),
    )?;
    Ok(count.unsigned_abs())
}

/// Keeps that this person has reviewed the entries through here, and puts it on record.
///
/// # Errors
/// When there is nothing new through there, or the store fails.
pub fn sign_off(
    ledger: &Ledger<'_>,
    through: u64,
    by: &Actor,
    found: &str,
) -> Result<(), LogError> {
    let after = last(ledger.sql())?.map_or(0, |last| last.through);
    let newest = super::entry::last(ledger.sql())?;
    if through <= after || through > newest {
        return Err(LogError::Conflict(
            "somebody has reviewed these entries meanwhile: look at what is new".into(),
        ));
    }
    ledger.sql().execute(
        "INSERT INTO audit_reviews (after, through, by, at_ms, found) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![
            after.cast_signed(),
            through.cast_signed(),
            by.name,
            ledger.now_ms(),
            found
        ],
    )?;
    let reviewed = Record {
        object: format!("audit entries {} to {through}", after + 1),
        detail: found.to_owned(),
        ..Record::by(by, Act::ReviewAudit)
    };
    record(ledger, &reviewed)
}

/// Keeps that this person has seen that auditing failed.
///
/// # Errors
/// When the store fails.
pub fn see_failures(ledger: &Ledger<'_>, by: &Actor) -> Result<(), LogError> {
    let seen = ledger.sql().execute(
        "UPDATE audit_failures SET seen_by = ?1, seen_ms = ?2 WHERE seen_ms IS NULL",
        params![by.name, ledger.now_ms()],
    )?;
    let record_of = Record {
        object: "failures of auditing".into(),
        detail: format!("{seen} seen"),
        ..Record::by(by, Act::ReviewAudit)
    };
    record(ledger, &record_of)
}
