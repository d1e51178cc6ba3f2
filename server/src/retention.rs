//! How long documents are kept, what keeps them longer, and their end.
//!
//! A document of a closed call has a period by its compartment (`[retention]`), counted from
//! its first entry. Criminal intelligence has one always: five years at most, by the end of
//! which somebody has reviewed it, or it goes (28 CFR 23.20(h)). Before a period ends the
//! document stands on the console's page *Retention*; a supervisor of its agency then says
//! why it is kept for another, or it is purged when the time has come ([`due`]).
//!
//! A legal hold keeps a document from any purge, by whomever, until it is ended ([`hold`]).
//!
//! A purge destroys the document's key, what is derived from it and its contents
//! ([`purge`]); copies of the log have no key and cannot bring it back. That there was such a
//! document, who purged it, when and why stays on record.

pub mod due;
pub mod hold;
pub mod purge;
#[cfg(test)]
mod tests;

use packet::{Compartment, DocumentId};
use serde::Deserialize;

use crate::log::LogError;

/// 28 CFR 23.20(h): no longer than five years.
pub const INTEL_DAYS_MAX: u32 = 5 * 365;
const WARN_DAYS_DEFAULT: u32 = 90;

/// `[retention]`: for how many days documents are kept, by compartment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RetentionConfig {
    /// The packet's own two documents, together; kept without an end when absent.
    pub call_days: Option<u32>,
    /// Kept without an end when absent.
    pub records_days: Option<u32>,
    /// Kept without an end when absent.
    pub juvenile_days: Option<u32>,
    /// Five years at most.
    pub intel_days: u32,
    /// So many days before its end a document stands on the page *Retention*.
    pub warn_days: u32,
}

impl Default for RetentionConfig {
    fn default() -> Self {
        Self {
            call_days: None,
            records_days: None,
            juvenile_days: None,
            intel_days: INTEL_DAYS_MAX,
            warn_days: WARN_DAYS_DEFAULT,
        }
    }
}

impl RetentionConfig {
    /// # Errors
    /// Names the first field that does not hold, and what is wanted.
    pub fn check(&self) -> Result<(), (String, String)> {
        let wrong = |field: &str, wanted: &str| Err((format!("retention.{field}"), wanted.into()));
        for (field, days) in [
            ("call_days", self.call_days),
            ("records_days", self.records_days),
            ("juvenile_days", self.juvenile_days),
        ] {
            if days == Some(0) {
                return wrong(
                    field,
                    "at least 1; leave it out to keep them without an end",
                );
            }
        }
        if !(1..=INTEL_DAYS_MAX).contains(&self.intel_days) {
            return wrong(
                "intel_days",
                "1 to 1825: intelligence is reviewed or purged within five years (28 CFR 23.20(h))",
            );
        }
        Ok(())
    }

    /// For how many days; `None` without an end.
    #[must_use]
    pub fn days(&self, compartment: Compartment) -> Option<u32> {
        match compartment {
            Compartment::Safety | Compartment::Call => self.call_days,
            Compartment::Records => self.records_days,
            Compartment::Juvenile => self.juvenile_days,
            Compartment::Intel => Some(self.intel_days),
        }
    }
}

/// The document whose nine bytes stand first.
fn document_of(row: &rusqlite::Row<'_>) -> Result<DocumentId, LogError> {
    DocumentId::from_bytes(&row.get::<_, Vec<u8>>(0)?).map_err(|e| LogError::Store(e.to_string()))
}
