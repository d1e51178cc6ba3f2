//! The calls: opened, updated, upgraded, units put on them and taken off, closed, reopened.
//! What dispatch says becomes entries of the packet's documents; what the board shows is
//! kept beside them.
//!
//! # Messages in any order
//! Messages of one call come late, twice, and in any order: a CAD resends what it had no
//! answer to, two doors carry the same call, an archive is read again. So a message is not
//! *applied* to the call; it is **folded** into what is known, and the fold does not ask in
//! which order its parts came:
//!
//! | of | what counts |
//! |---|---|
//! | the report (words, place, priority, open or closed) | the one with the highest `updated` ([`life`]) |
//! | each unit: on the call or not, and what it does | the last word by time, for itself ([`units`]) |
//! | cautions in the words | all of them, also those of a late message |
//! | an EIDO's components | each by `$id` and `lastUpdateTimeStamp` ([`crate::intake::eido`]) |
//!
//! Any order and any repetition of the same messages ends in the same state, and no late
//! one moves the call backwards; `calls/tests.rs` holds it to that.

mod eidos;
mod facts;
mod given_back;
mod life;
mod links;
mod officers;
mod rows;
mod steps;
#[cfg(test)]
mod tests;
mod units;

use packet::CallId;

use crate::intake::CallReport;
use crate::log::{Happening, Ledger, LogError};
use crate::triage::Triage;

use self::life::Kept;

pub(crate) use eidos::of_call as eido_of;
pub use eidos::{EidoError, Taken, tell as tell_eido};
pub(crate) use given_back::given_back;
pub use links::rule::{LinksConfig, LinksThen};
pub use links::{LINKS_MAX, Linked, link, of_call as links_of, unlink};
pub use officers::adopt;
pub(crate) use rows::count;
pub(crate) use steps::{Life, Step, StepWhat};
pub(crate) use units::{DISPATCH, on_it as units_on_it};
pub use units::{Grace, UNITS_MAX, assign, end_closed, release};
pub(crate) use units::{end_grant, grant};

/// What a report came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reported {
    pub call: CallId,
    pub news: News,
}

impl Reported {
    fn unchanged(call: CallId) -> Self {
        Self {
            call,
            news: News::Unchanged,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum News {
    New,
    Updated,
    /// It came before, or says nothing newer than what is here: nothing was written.
    Unchanged,
}

/// How a report came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Origin {
    /// One message, which says all of it.
    Message,
    /// What the messages of an EIDO come to so far: it only grows.
    Sum,
}

/// Takes what dispatch says of a call: opens it, or folds it into what is known of it.
///
/// # Errors
/// When the store fails or the report does not fit into an entry.
pub fn report(
    ledger: &mut Ledger<'_>,
    report: &CallReport,
    triage: &Triage,
) -> Result<Reported, LogError> {
    let text = written(report)?;
    match life::find(ledger, &report.agency, &report.number)? {
        None => open(ledger, report, triage, &text, Origin::Message),
        Some(kept) => fold(ledger, &kept, report, triage, &text, Origin::Message),
    }
}

fn written(report: &CallReport) -> Result<String, LogError> {
    serde_json::to_string(report).map_err(|e| LogError::Store(e.to_string()))
}

fn open(
    ledger: &mut Ledger<'_>,
    report: &CallReport,
    triage: &Triage,
    text: &str,
    origin: Origin,
) -> Result<Reported, LogError> {
    let call = ledger.new_call()?;
    let facts = facts::facts(report, triage);
    rows::insert(ledger, call, &facts, text, report.updated.as_millisecond())?;
    facts::write(ledger, call, &facts, report)?;
    facts::warn(ledger, call, triage)?;
    units::hear(ledger, call, &report.units, report.updated, origin)?;
    let agency = ledger.agency_of(call)?;
    ledger.tell(Happening::Call {
        agency,
        call,
        open: rows::is_open(&facts),
        priority: facts.priority,
        opened: true,
    });
    if !rows::is_open(&facts) {
        rows::closed(ledger, call)?;
    }
    links::rule::look(ledger, call)?;
    Ok(Reported {
        call,
        news: News::New,
    })
}

fn fold(
    ledger: &mut Ledger<'_>,
    kept: &Kept,
    report: &CallReport,
    triage: &Triage,
    text: &str,
    origin: Origin,
) -> Result<Reported, LogError> {
    let call = kept.call;
    if kept.report == text {
        return Ok(Reported::unchanged(call));
    }
    let is_current = match origin {
        Origin::Message => kept.gives_way_to(report, text),
        Origin::Sum => kept.grows_to(report),
    };
    let facts = facts::facts(report, triage);
    if is_current {
        rows::update(ledger, call, &facts, text, report.updated.as_millisecond())?;
        if !kept.says_the_same(report) {
            facts::write(ledger, call, &facts, report)?;
        }
    }
    let warned = facts::warn(ledger, call, triage)?;
    let moved = units::hear(ledger, call, &report.units, report.updated, origin)?;
    if is_current {
        let open = rows::is_open(&facts);
        let agency = ledger.agency_of(call)?;
        ledger.tell(Happening::Call {
            agency,
            call,
            open,
            priority: facts.priority,
            // What was over before it was known here has not been asked about.
            opened: open && !kept.open && !kept.asked,
        });
    }
    let is_over = if is_current {
        !rows::is_open(&facts)
    } else {
        !kept.open
    };
    if is_over {
        rows::closed(ledger, call)?;
    }
    if is_current || moved {
        links::rule::look(ledger, call)?;
    }
    if is_current || warned || moved {
        return Ok(Reported {
            call,
            news: News::Updated,
        });
    }
    Ok(Reported::unchanged(call))
}
