//! The audit log, and its weekly review.

use askama::Template;

use super::HeaderView;
use crate::audit::find::FindRequest;
use crate::audit::subjects::KINDS;

#[derive(Debug, Clone, Template)]
#[template(path = "audit_page.html")]
pub struct AuditPage {
    pub header: HeaderView,
    /// As it was typed.
    pub asked: FindRequest,
    /// What is wrong with it; empty: nothing.
    pub wrong: String,
    /// The newest first.
    pub rows: Vec<AuditRowView>,
    /// The query of the next page, with the same questions.
    pub next: Option<String>,
    /// How many entries are signed, and when.
    pub signed: Option<(u64, String)>,
    pub witnesses: Vec<WitnessView>,
    pub may_export: bool,
    /// The query of an export of what is asked.
    pub query: String,
}

impl AuditPage {
    /// What can be looked up.
    pub const KINDS: [&str; 5] = KINDS;
}

#[derive(Debug, Clone)]
pub struct AuditRowView {
    pub id: u64,
    /// With hundredths of a second, UTC.
    pub time: String,
    pub who: String,
    pub act: String,
    pub object: String,
    pub allowed: bool,
    /// What there is besides, in words.
    pub says: String,
}

/// An agency that has cosigned the log.
#[derive(Debug, Clone)]
pub struct WitnessView {
    pub agency: String,
    pub witness: String,
    pub size: u64,
    pub time: String,
}

#[derive(Debug, Clone, Template)]
#[template(path = "audit_review_page.html")]
pub struct ReviewPage {
    pub header: HeaderView,
    pub refused: Option<String>,
    pub after: u64,
    pub through: u64,
    /// Who made the last one, when, and what was found.
    pub last: Option<(String, String, String)>,
    pub overdue: bool,
    pub lists: Vec<ReviewListView>,
    pub without_reason: u64,
    /// As it was typed.
    pub found: String,
}

#[derive(Debug, Clone)]
pub struct ReviewListView {
    pub title: &'static str,
    /// What stands there when there is nothing.
    pub none: &'static str,
    pub rows: Vec<ReviewRowView>,
}

#[derive(Debug, Clone)]
pub struct ReviewRowView {
    pub who: String,
    pub what: String,
    pub count: u64,
    pub last: String,
}
