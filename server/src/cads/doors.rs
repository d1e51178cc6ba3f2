//! What a CAD's own doors say, and how they stand: a folder or a view that has gone
//! silent must not look like a quiet night.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use serde::Serialize;

use crate::audit::{self, Record};
use crate::calls::{self, News, Reported};
use crate::center::Center;
use crate::intake::CallReport;
use crate::log::{Ledger, LogError};
use crate::policy::{Act, Actor, Role, decide};

/// Most bad rows of a CAD that are remembered, the newest.
const FAULTS_MAX: usize = 20;

/// How a CAD's door stands.
#[derive(Debug, Default, Clone, Serialize)]
pub struct DoorView {
    /// When it was last looked at and could be read: milliseconds since 1970, UTC.
    pub heard_ms: Option<i64>,
    /// Why it cannot be read now.
    pub trouble: Option<String>,
    /// Rows since the center started: taken, and skipped because they are no call.
    pub rows: u64,
    pub bad_rows: u64,
    /// The newest of the bad ones: where, which column, what was wanted.
    pub faults: VecDeque<String>,
}

/// A door's standing, for whoever asks.
#[derive(Debug, Default)]
pub(crate) struct Door(Mutex<DoorView>);

impl Door {
    pub(crate) fn view(&self) -> DoorView {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    fn change(&self, change: impl FnOnce(&mut DoorView)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn heard(&self, now_ms: i64) {
        self.change(|view| {
            view.heard_ms = Some(now_ms);
            view.trouble = None;
        });
    }

    /// Said in the log once, not at every look.
    pub(super) fn troubled(&self, agency: &str, why: String) {
        self.change(|view| {
            if view.trouble.as_ref() != Some(&why) {
                tracing::warn!(agency, trouble = %why, "a CAD cannot be heard");
            }
            view.trouble = Some(why);
        });
    }

    pub(super) fn skipped(&self, agency: &str, fault: String) {
        tracing::warn!(agency, row = %fault, "a row is no call and was skipped");
        self.change(|view| {
            view.bad_rows += 1;
            view.faults.push_front(fault);
            view.faults.truncate(FAULTS_MAX);
        });
    }

    fn took(&self, rows: usize) {
        self.change(|view| view.rows += rows as u64);
    }
}

/// A call and where it stood, for whoever has to mend it.
#[derive(Debug)]
pub(super) struct Placed {
    pub(super) place: String,
    pub(super) report: CallReport,
}

/// Takes these calls in one commit, and with them `mark`: that they were taken. A call
/// that does not fit is skipped and told; when the store fails nothing was taken.
pub(super) async fn take(
    center: &Center,
    agency: &str,
    door: &Door,
    placed: Vec<Placed>,
    mark: impl FnOnce(&Ledger<'_>) -> Result<(), LogError> + Send + 'static,
) -> Result<(), LogError> {
    if !decide(Role::Dispatch, Act::ReportCall) {
        center
            .denied(
                &Actor::of(Role::Dispatch),
                Act::ReportCall,
                agency.to_owned(),
            )
            .await;
        return Err(LogError::Conflict("dispatch may not report calls".into()));
    }
    let count = placed.len();
    let understood: Vec<_> = placed
        .into_iter()
        .map(|Placed { place, mut report }| {
            let triage = center.understand(&mut report);
            (place, report, triage)
        })
        .collect();
    let who = format!("The CAD of {agency}");
    let refused = center
        .log
        .write(move |ledger| {
            let mut refused = Vec::new();
            for (place, report, triage) in understood {
                let taken = ledger.attempt(|ledger| {
                    let reported = calls::report(ledger, &report, &triage)?;
                    record(ledger, &who, reported)
                });
                match taken {
                    Ok(()) => {}
                    Err(e @ (LogError::Entry(_) | LogError::Conflict(_))) => {
                        refused.push(format!("{place}: {e}"));
                    }
                    Err(e) => return Err(e),
                }
            }
            mark(ledger)?;
            Ok(refused)
        })
        .await?;
    door.took(count - refused.len());
    refused
        .into_iter()
        .for_each(|fault| door.skipped(agency, fault));
    Ok(())
}

/// What is read again and says nothing new leaves no trace: a door that looks every second
/// would fill the audit log with it.
fn record(ledger: &Ledger<'_>, who: &str, reported: Reported) -> Result<(), LogError> {
    if reported.news == News::Unchanged {
        return Ok(());
    }
    let record = Record {
        object: reported.call.to_string(),
        detail: format!("{:?}", reported.news),
        ..Record::of(who, Act::ReportCall)
    };
    audit::record(ledger, &record)
}
