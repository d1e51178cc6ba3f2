//! Which of a call's reports is current.
//!
//! The one with the highest `updated`. Two of the same millisecond that differ are told
//! apart by what they say, so that it does not matter which came first: *closed* before
//! *open*, which is how a call goes; and then by their text, which is arbitrary and the
//! same for everybody. What an EIDO's messages come to stands over a report of the same
//! millisecond that came by another door.

use packet::CallId;
use rusqlite::{OptionalExtension, Row};

use crate::intake::{CallReport, CallStatus};
use crate::log::{Ledger, LogError};

/// A call as it is kept.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) call: CallId,
    /// The current report, as text.
    pub(super) report: String,
    pub(super) updated_ms: i64,
    pub(super) open: bool,
    /// Whether the sources were asked about it.
    pub(super) asked: bool,
    /// Whether the current report is what an EIDO's messages come to.
    is_sum: bool,
}

impl Kept {
    /// Whether this report is current from now on.
    pub(super) fn gives_way_to(&self, report: &CallReport, text: &str) -> bool {
        let updated_ms = report.updated.as_millisecond();
        if updated_ms == self.updated_ms && self.is_sum {
            return false;
        }
        let closed = matches!(report.status, CallStatus::Closed { .. });
        (updated_ms, closed, text) > (self.updated_ms, !self.open, self.report.as_str())
    }

    /// As [`Kept::gives_way_to`], of a sum of messages: of two that are of the same time the
    /// one that is read later knows more.
    pub(super) fn grows_to(&self, sum: &CallReport) -> bool {
        let updated_ms = sum.updated.as_millisecond();
        updated_ms > self.updated_ms || (updated_ms == self.updated_ms && !self.says_the_same(sum))
    }

    /// Whether it differs from the current one only in its time and its units: both are
    /// kept elsewhere, and the same facts are not written twice.
    pub(super) fn says_the_same(&self, report: &CallReport) -> bool {
        serde_json::from_str::<CallReport>(&self.report).is_ok_and(|kept| {
            let words = |report: &CallReport| CallReport {
                updated: jiff::Timestamp::UNIX_EPOCH,
                units: Vec::new(),
                ..report.clone()
            };
            words(&kept) == words(report)
        })
    }

    fn of(row: &Row<'_>) -> rusqlite::Result<Self> {
        Ok(Self {
            call: CallId(row.get::<_, i64>(0)?.cast_unsigned()),
            report: row.get(1)?,
            updated_ms: row.get(2)?,
            open: row.get(3)?,
            asked: row.get(4)?,
            is_sum: row.get(5)?,
        })
    }
}

const KEPT: &str = "SELECT call, report, updated_ms, open, asked,
    EXISTS (SELECT 1 FROM eidos WHERE eidos.call = calls.call AND eidos.updated_ms = calls.updated_ms)
    FROM calls WHERE";

/// The call that an agency's CAD has under this number.
pub(super) fn find(
    ledger: &Ledger<'_>,
    agency: &str,
    number: &str,
) -> Result<Option<Kept>, LogError> {
    let kept = ledger
        .sql()
        .prepare_cached(&format!(
            "{KEPT} agency = ?1 AND number = ?2 AND number <> ''"
        ))?
        .query_row([agency, number], Kept::of)
        .optional()?;
    Ok(kept)
}

/// The call with this id.
pub(super) fn of(ledger: &Ledger<'_>, call: CallId) -> Result<Option<Kept>, LogError> {
    let kept = ledger
        .sql()
        .prepare_cached(&format!("{KEPT} call = ?1"))?
        .query_row([call.0.cast_signed()], Kept::of)
        .optional()?;
    Ok(kept)
}
