//! `GET /before-arrival`: the measure of the mission as a page.

use std::collections::BTreeMap;
use std::sync::Arc;

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::Response;

use super::view::{ArrivalsPage, ArrivalsRowView, MissRowView, SourceRowView};
use super::{Console, board, pages};
use crate::api::{HOURS, allow, report_of_arrivals};
use crate::arrivals::{Figures, FiguresView, Report, SourceFigures};
use crate::plot::{Bar, Bars, Curve, Curves};
use crate::policy::{Act, Actor};
use crate::problem::Problem;

/// Most reasons in the plot, the most frequent.
const REASONS_MAX: usize = 12;
/// Most misses on the page, the newest.
const MISSES_SHOWN_MAX: usize = 200;

pub(super) async fn page(
    State(console): State<Arc<Console>>,
    Extension(actor): Extension<Actor>,
) -> Result<Response, Problem> {
    allow(&console.center, &actor, Act::SeeArrivals, "").await?;
    let read = report_of_arrivals(&console.center, &actor.name, HOURS).await;
    let (report, open_calls) = match (read, console.open_calls(&actor).await) {
        (Ok((report, ..)), Ok(open_calls)) => (report, open_calls),
        (Err(e), _) | (_, Err(e)) => return Ok(pages::failed(&e)),
    };
    match view(&console, &report, open_calls) {
        Ok(page) => Ok(pages::html(StatusCode::OK, &page)),
        Err(error) => {
            tracing::error!(%error, "a plot could not be rendered");
            Err(Problem::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "The center failed",
                "A plot could not be drawn.",
            ))
        }
    }
}

fn view(
    console: &Console,
    report: &Report,
    open_calls: u64,
) -> Result<ArrivalsPage, askama::Error> {
    let agency = |id: &str| board::agency(&console.center.config, id);
    let all = report.all.view();
    let misses = report.misses.iter().take(MISSES_SHOWN_MAX);
    let not_shown = report.misses.len().saturating_sub(MISSES_SHOWN_MAX) as u64;
    Ok(ArrivalsPage {
        header: console.header(open_calls),
        hours: HOURS,
        everything: share(all.everything_asked_answered_and_there, all.calls),
        complete: share(all.complete_before_arrival, all.calls),
        calls: rows(console, report),
        sources: report.sources.iter().map(source).collect(),
        lead_plot: lead_plot(report)?,
        why_plot: why_plot(&all.why_not)?,
        misses: misses
            .map(|miss| MissRowView {
                id: miss.call.to_string(),
                number: miss.number.clone(),
                agency: agency(&miss.agency),
                priority: miss.priority,
                why: miss.why.clone(),
            })
            .collect(),
        misses_not_named: report.misses_not_named + not_shown,
        nobody_came: report.nobody_came,
        no_travel: report.no_travel,
        not_looked_at: report.not_looked_at,
    })
}

fn rows(console: &Console, report: &Report) -> Vec<ArrivalsRowView> {
    let mut rows = vec![row("All".into(), &report.all.view())];
    for (priority, figures) in &report.priorities {
        rows.push(row(format!("Priority {priority}"), &figures.view()));
    }
    for (id, figures) in &report.agencies {
        let name = board::agency(&console.center.config, id);
        rows.push(row(name, &figures.view()));
    }
    rows
}

fn row(name: String, figures: &FiguresView) -> ArrivalsRowView {
    ArrivalsRowView {
        name,
        calls: figures.calls,
        complete: share(figures.complete_before_arrival, figures.calls),
        everything: share(figures.everything_asked_answered_and_there, figures.calls),
        p10: seconds(figures.lead_s.p10),
        p50: seconds(figures.lead_s.p50),
        p90: seconds(figures.lead_s.p90),
    }
}

fn source((name, figures): (&String, &SourceFigures)) -> SourceRowView {
    let view = figures.view();
    SourceRowView {
        name: name.clone(),
        asked: view.asked,
        answered: share(view.answered_before_arrival, view.asked),
        there: share(view.there_before_arrival, view.asked),
        p50: seconds(view.answer_s.p50),
        p90: seconds(view.answer_s.p90),
    }
}

/// Such as `97.1 % (34 of 35)`.
#[allow(clippy::cast_precision_loss)] // counts of calls
fn share(part: u64, whole: u64) -> String {
    if whole == 0 {
        return "no arrival yet".into();
    }
    let percent = 100.0 * part as f64 / whole as f64;
    format!("{percent:.1} % ({part} of {whole})")
}

fn seconds(s: Option<f64>) -> String {
    s.map_or_else(|| "–".into(), |s| format!("{s:.1} s"))
}

fn lead_plot(report: &Report) -> Result<String, askama::Error> {
    #[allow(clippy::cast_precision_loss)] // milliseconds of days
    let in_seconds = |figures: &Figures| -> Vec<f64> {
        let leads = figures.leads_ms();
        leads.into_iter().map(|ms| ms as f64 / 1_000.0).collect()
    };
    let leads: Vec<(String, Vec<f64>, u64)> = report
        .priorities
        .iter()
        .map(|(priority, figures)| {
            let name = format!("Priority {priority}");
            (name, in_seconds(figures), figures.view().calls)
        })
        .collect();
    let curves: Vec<Curve<'_>> = leads
        .iter()
        .map(|(name, values, of)| Curve {
            name: name.clone(),
            values,
            of: usize::try_from(*of).unwrap_or(usize::MAX),
        })
        .collect();
    let x_max = report.all.view().lead_s.p90.unwrap_or(60.0);
    let title = "Share of arrivals that had all that was known at least so long before";
    Curves::new(title, "seconds before arrival", x_max, &curves).render()
}

#[allow(clippy::cast_precision_loss)] // counts of calls
fn why_plot(why_not: &BTreeMap<String, u64>) -> Result<String, askama::Error> {
    let mut reasons: Vec<(&String, &u64)> = why_not.iter().collect();
    reasons.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
    let bars: Vec<Bar> = reasons
        .into_iter()
        .take(REASONS_MAX)
        .map(|(why, count)| Bar {
            label: why.clone(),
            value: *count as f64,
            words: count.to_string(),
        })
        .collect();
    Bars::new("Why not everything was answered and there", &bars).render()
}
