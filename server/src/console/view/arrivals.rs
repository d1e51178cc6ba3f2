//! What was on the devices before the officers arrived: the page of the measure.

use askama::Template;

use super::HeaderView;

/// It has no socket: the browser asks for it anew each minute.
#[derive(Debug, Clone, Template)]
#[template(path = "arrivals_page.html")]
pub struct ArrivalsPage {
    pub header: HeaderView,
    pub hours: u32,
    /// Such as `97.1 %`; `no arrival yet` where there was none.
    pub everything: String,
    pub complete: String,
    /// All, by priority, by agency.
    pub calls: Vec<ArrivalsRowView>,
    pub sources: Vec<SourceRowView>,
    /// Plots, as SVG.
    pub lead_plot: String,
    pub why_plot: String,
    pub misses: Vec<MissRowView>,
    pub misses_not_named: u64,
    pub nobody_came: u64,
    pub no_travel: u64,
    pub not_looked_at: u64,
}

/// One group of calls, in words.
#[derive(Debug, Clone)]
pub struct ArrivalsRowView {
    pub name: String,
    pub calls: u64,
    pub complete: String,
    pub everything: String,
    /// Such as `41 s`, or `–`.
    pub p10: String,
    pub p50: String,
    pub p90: String,
}

#[derive(Debug, Clone)]
pub struct SourceRowView {
    pub name: String,
    pub asked: u64,
    pub answered: String,
    pub there: String,
    pub p50: String,
    pub p90: String,
}

#[derive(Debug, Clone)]
pub struct MissRowView {
    /// As in the call's address.
    pub id: String,
    pub number: String,
    pub agency: String,
    pub priority: u8,
    pub why: String,
}
