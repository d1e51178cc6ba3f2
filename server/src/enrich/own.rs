//! What the center itself knows, looked up in its own store. Each lookup is a variant of
//! [`Own`]: it says what it can be asked about, and reads what it needs. A simulated city
//! asks the same ones.

mod earlier;

use packet::{CallId, Finding, Subject};
use rusqlite::Connection;

use crate::log::LogError;

/// The lookups.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Own {
    /// Earlier calls at an address.
    EarlierAtAddress,
}

/// What one of them found; nothing is an answer too.
#[derive(Debug, Clone)]
pub struct Found {
    pub own: Own,
    /// What was asked, as screens show it.
    pub shown: String,
    pub findings: Vec<Finding>,
}

impl Own {
    pub const ALL: [Self; 1] = [Self::EarlierAtAddress];

    /// As screens show it.
    #[must_use]
    pub fn source(self) -> &'static str {
        match self {
            Self::EarlierAtAddress => earlier::SOURCE,
        }
    }

    fn knows_of(self, subject: &Subject) -> bool {
        match self {
            Self::EarlierAtAddress => matches!(subject, Subject::Address(_)),
        }
    }

    /// # Errors
    /// When the store fails.
    pub fn look(
        self,
        connection: &Connection,
        call: CallId,
        subject: &Subject,
        now_ms: i64,
    ) -> Result<Found, LogError> {
        let findings = match (self, subject) {
            (Self::EarlierAtAddress, Subject::Address(address)) => {
                let finding = earlier::at_this_address(connection, call, address, now_ms)?;
                finding.into_iter().collect()
            }
            _ => Vec::new(),
        };
        Ok(Found {
            own: self,
            shown: subject.shown(),
            findings,
        })
    }
}

/// Who is asked about what of these.
pub fn lookups(subjects: &[Subject]) -> impl Iterator<Item = (Own, &Subject)> {
    subjects.iter().flat_map(|subject| {
        Own::ALL
            .into_iter()
            .filter(|own| own.knows_of(subject))
            .map(move |own| (own, subject))
    })
}
