//! Earlier calls at an address, from the center's own log.

use jiff::Timestamp;
use packet::{CallId, Confidence, Finding, Topic};
use rusqlite::Connection;

use crate::address;
use crate::intake::{CallReport, CallStatus};
use crate::log::LogError;

/// As screens show it.
pub(super) const SOURCE: &str = "Earlier calls";
/// Most earlier calls that are named, the newest first.
const NAMED_MAX: usize = 5;

/// One finding that names the newest earlier calls, and counts all.
pub(super) fn at_this_address(
    connection: &Connection,
    call: CallId,
    location: &str,
    now_ms: i64,
) -> Result<Option<Finding>, LogError> {
    let address = address::normalise(location).building;
    if address.is_empty() {
        return Ok(None);
    }
    let count: usize = connection
        .prepare_cached("SELECT count(*) FROM calls WHERE address = ?1 AND call <> ?2")?
        .query_row(rusqlite::params![address, call.0.cast_signed()], |row| {
            row.get(0)
        })?;
    let newest: Vec<(i64, String, String)> = connection
        .prepare_cached(
            "SELECT received_ms, nature, report FROM calls WHERE address = ?1 AND call <> ?2
             ORDER BY received_ms DESC LIMIT ?3",
        )?
        .query_map(
            rusqlite::params![address, call.0.cast_signed(), NAMED_MAX],
            |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)),
        )?
        .collect::<Result<_, _>>()?;
    if count == 0 {
        return Ok(None);
    }
    let lines: Vec<String> = newest
        .iter()
        .map(|(received_ms, nature, report)| line(*received_ms, nature, report))
        .collect();
    Ok(Some(Finding {
        source: SOURCE.into(),
        title: if count == 1 {
            "1 earlier call here".into()
        } else {
            format!("{count} earlier calls here")
        },
        text: lines.join("\n"),
        query: address
            .chars()
            .take(packet::entry::NAME_CHARS_MAX)
            .collect(),
        recorded_ms: newest.first().map(|(received_ms, ..)| *received_ms),
        answered_ms: now_ms,
        confidence: Confidence::Exact,
        topic: Topic::Earlier,
        link: None,
        ends_ms: None,
        answers: None,
    }))
}

fn line(received_ms: i64, nature: &str, report: &str) -> String {
    let when = Timestamp::from_millisecond(received_ms).map_or_else(
        |_| "?".to_owned(),
        |t| t.strftime("%Y-%m-%d %H:%M UTC").to_string(),
    );
    let outcome = match serde_json::from_str::<CallReport>(report).map(|report| report.status) {
        Ok(CallStatus::Closed { disposition }) if !disposition.is_empty() => {
            format!(" – {disposition}")
        }
        Ok(CallStatus::Closed { .. }) => " – closed".to_owned(),
        Ok(CallStatus::Open) => " – open now".to_owned(),
        Err(_) => String::new(),
    };
    format!("{when}: {nature}{outcome}")
}
