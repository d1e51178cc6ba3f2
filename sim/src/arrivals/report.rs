//! What the arrivals came to: figures, and every miss with its reason.

use std::collections::BTreeMap;

use serde::Serialize;
use server::arrivals::{Arrival, LeadView, Timeline, Why};

use super::natures::Origin;
use super::page;
use super::record::{Judged, Record};
use super::{City, CityError, Stats};

/// All of it, as JSON. What is modelled says so.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    /// For whoever opens the file.
    pub note: &'static str,
    pub seed: u64,
    pub officers: usize,
    /// Calls of the file, those apart among them.
    pub calls: usize,
    #[serde(flatten)]
    pub priorities: BTreeMap<String, Figures>,
    pub all: Figures,
    /// Calls that nobody travels to.
    pub apart: Apart,
    /// Calls that no unit came to before the run ended.
    pub nobody_came: usize,
    /// What the center's own measure says of the same calls, by what it heard.
    pub center_measures: CenterMeasures,
    pub modelled: Modelled,
    #[serde(skip)]
    html: String,
}

const NOTE: &str = "Simulated. Triage, the scheduler of questions, the center's log, sync and \
the devices' stores are the real ones. Sources, dispatch, travel and coverage are modelled: \
the file of calls has no priority, unit, dispatch or arrival time.";

/// One group of calls that a unit was sent to and came to.
#[derive(Debug, Clone, Serialize)]
pub struct Figures {
    pub calls: usize,
    /// The unit's device was on and had a link for 10 s in one piece between its assignment
    /// and its arrival.
    pub reachable: usize,
    /// Of the reachable: all that the center had written 2 s before the arrival was durable on
    /// the device at the arrival.
    pub complete_before_arrival: usize,
    /// Of all: every question had its answer, and the device had it.
    pub everything_asked_answered_and_there: usize,
    /// From when all was there to the arrival; of the complete ones.
    pub lead_s: LeadView,
    /// From the receipt of the call to the arrival: modelled.
    pub response_min: LeadView,
    pub response_mean_min: Option<f64>,
    /// What the calls that miss for this reason alone would add to the last share but one.
    pub would_raise: Vec<Raise>,
    /// Each call without everything.
    pub misses: Vec<Miss>,
    #[serde(skip)]
    pub(super) lead_seconds: Vec<f64>,
}

/// What a reason alone costs.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Raise {
    pub without: String,
    pub calls: usize,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Miss {
    /// CAD's number.
    pub call: String,
    pub reachable: bool,
    /// All that was written in time was there.
    pub complete: bool,
    pub why: String,
}

/// Calls that nobody travels to: how long after the opening all that was asked was answered
/// and on the officer's device.
#[derive(Debug, Clone, Serialize)]
pub struct Apart {
    pub officer_initiated: ApartFigures,
    pub administrative: ApartFigures,
}

#[derive(Debug, Clone, Serialize)]
pub struct ApartFigures {
    pub calls: usize,
    /// Before the officer left.
    pub everything_answered_and_there: usize,
    pub after_s: LeadView,
}

/// As `GET /v1/metrics/before-arrival` counts, over those calls of [`Report::all`] whose
/// primary unit's arrival has come to the center.
#[derive(Debug, Clone, Default, Serialize)]
pub struct CenterMeasures {
    pub calls: usize,
    pub complete_before_arrival: usize,
    pub everything_asked_answered_and_there: usize,
    /// Calls that it takes for complete and that were not: there must be none.
    pub overstated: usize,
}

/// What the models came to, to be held against what is published.
#[derive(Debug, Clone, Serialize)]
pub struct Modelled {
    /// Of the time between assignment and arrival, that without any link.
    pub travel_without_link_share: f64,
    /// Calls without a position in the city, put where the call of their district before was.
    pub unplaced: usize,
    pub events: u64,
    pub center_commits: u64,
    pub device_commits: u64,
    pub sessions: u64,
    pub bytes_up: u64,
    pub bytes_down: u64,
}

impl Report {
    /// One self-contained page.
    #[must_use]
    pub fn html(&self) -> &str {
        &self.html
    }
}

/// A call that a unit came to.
pub(super) struct Came<'a> {
    pub(super) number: &'a str,
    pub(super) priority: u8,
    pub(super) received_ms: u64,
    pub(super) judged: &'a Judged,
}

/// Asks the center's own measure about the calls that a unit was sent to.
fn center_measures(city: &City) -> Result<CenterMeasures, CityError> {
    let mut measures = CenterMeasures::default();
    for (call, record) in city.calls.all.iter().zip(&city.records) {
        let (Some(id), Some(judged)) = (call.id, &record.judged) else {
            continue;
        };
        let read = |connection: &_| Timeline::read(connection, &city.center.hub, id);
        let timeline = city.center.readers().read_blocking(read)?;
        // Where the first unit's word is still on its way, the center takes the next one's.
        let unit = record.officer.map(|officer| &city.officers[officer].unit);
        let arrival = timeline.as_ref().and_then(Arrival::of);
        let Some(arrival) = arrival.filter(|arrival| Some(&arrival.unit) == unit) else {
            continue;
        };
        let is_complete = arrival.complete_ms.is_some();
        measures.calls += 1;
        measures.complete_before_arrival += usize::from(is_complete);
        measures.everything_asked_answered_and_there += usize::from(arrival.is_everything());
        measures.overstated += usize::from(is_complete && !judged.is_complete());
    }
    Ok(measures)
}

pub(super) fn of(city: &City) -> Result<Report, CityError> {
    let all = || city.calls.all.iter().zip(&city.records);
    let came: Vec<Came<'_>> = all()
        .filter(|(call, _)| call.origin == Origin::Dispatched)
        .filter_map(|(call, record)| {
            Some(Came {
                number: &call.report.number,
                priority: call.priority,
                received_ms: call.received_ms,
                judged: record.judged.as_ref()?,
            })
        })
        .collect();
    let dispatched = all().filter(|(call, record)| {
        call.origin == Origin::Dispatched && (call.id.is_some() || record.judged.is_some())
    });
    let nobody_came = dispatched.count() - came.len();
    let mut priorities = BTreeMap::new();
    for priority in 1..=5 {
        let own = came.iter().filter(|came| came.priority == priority);
        priorities.insert(format!("priority_{priority}"), figures(own));
    }
    let apart = |origin| {
        let own = all().filter(move |(call, _)| call.origin == origin && call.id.is_some());
        apart_figures(own.map(|(_, record)| record))
    };
    let mut report = Report {
        note: NOTE,
        seed: city.seed,
        officers: city.officers.len(),
        calls: city.calls.all.len(),
        all: figures(came.iter()),
        priorities,
        apart: Apart {
            officer_initiated: apart(Origin::Officer),
            administrative: apart(Origin::Administrative),
        },
        nobody_came,
        center_measures: center_measures(city)?,
        modelled: modelled(city, city.stats),
        html: String::new(),
    };
    report.html = page::of(city, &report)?;
    Ok(report)
}

fn figures<'a>(came: impl Iterator<Item = &'a Came<'a>>) -> Figures {
    let came: Vec<&Came<'_>> = came.collect();
    let reachable: Vec<&&Came<'_>> = came.iter().filter(|c| c.judged.is_reachable).collect();
    let leads_ms: Vec<i64> = reachable
        .iter()
        .filter_map(|came| came.judged.lead_ms)
        .map(u64::cast_signed)
        .collect();
    // Of minutes as if they were seconds, to a thousandth.
    let response: Vec<i64> = came
        .iter()
        .map(|came| ((came.judged.arrived_ms - came.received_ms) / 60).cast_signed())
        .collect();
    let misses: Vec<&&Came<'_>> = came.iter().filter(|c| !c.judged.why.is_empty()).collect();
    Figures {
        calls: came.len(),
        reachable: reachable.len(),
        complete_before_arrival: leads_ms.len(),
        everything_asked_answered_and_there: came.len() - misses.len(),
        lead_s: LeadView::of(&leads_ms),
        response_mean_min: mean(&response),
        response_min: LeadView::of(&response),
        would_raise: would_raise(&misses),
        misses: misses.iter().map(|came| miss(came)).collect(),
        lead_seconds: leads_ms.iter().map(|ms| seconds(*ms)).collect(),
    }
}

fn miss(came: &Came<'_>) -> Miss {
    let why: Vec<String> = came.judged.why.iter().map(ToString::to_string).collect();
    Miss {
        call: came.number.to_owned(),
        reachable: came.judged.is_reachable,
        complete: came.judged.is_complete(),
        why: why.join("; "),
    }
}

/// For each reason the calls that miss for it alone: what would be won without it, most first.
/// *No answer from any source* counts all reasons of sources together, and so does *no link*
/// those of the way to the device.
fn would_raise(misses: &[&&Came<'_>]) -> Vec<Raise> {
    let mut alone: BTreeMap<String, usize> = BTreeMap::new();
    let mut add = |without: String| *alone.entry(without).or_default() += 1;
    for came in misses {
        let why = &came.judged.why;
        if let (1, Some(only)) = (why.len(), why.first()) {
            add(only.to_string());
        }
        if why.iter().all(is_of_source) {
            add("any source down, slow or refusing".into());
        }
        if why.iter().all(|why| matches!(why, Why::DeadSource(_))) {
            add("any source down".into());
        }
    }
    let mut raises: Vec<Raise> = alone
        .into_iter()
        .map(|(without, calls)| Raise { without, calls })
        .collect();
    raises.sort_by(|a, b| b.calls.cmp(&a.calls).then(a.without.cmp(&b.without)));
    raises
}

fn is_of_source(why: &Why) -> bool {
    matches!(
        why,
        Why::DeadSource(_) | Why::SlowSource(_) | Why::Refused(_)
    )
}

fn apart_figures<'a>(records: impl Iterator<Item = &'a Record>) -> ApartFigures {
    let there: Vec<Option<u64>> = records.map(|record| record.there_ms).collect();
    let after_ms: Vec<i64> = there.iter().flatten().map(|ms| ms.cast_signed()).collect();
    ApartFigures {
        calls: there.len(),
        everything_answered_and_there: after_ms.len(),
        after_s: LeadView::of(&after_ms),
    }
}

#[allow(clippy::cast_precision_loss)] // milliseconds of days
fn modelled(city: &City, stats: Stats) -> Modelled {
    let judged = city.records.iter().filter(|record| record.judged.is_some());
    let (mut dead_ms, mut all_ms) = (0, 0);
    for record in judged {
        dead_ms += record.dead_ms;
        let arrived_ms = record.judged.as_ref().map_or(0, |j| j.arrived_ms);
        all_ms += arrived_ms.saturating_sub(record.assigned_ms);
    }
    Modelled {
        travel_without_link_share: dead_ms as f64 / (all_ms as f64).max(1.0),
        unplaced: city.calls.unplaced,
        events: stats.events,
        center_commits: stats.commits,
        device_commits: stats.device_commits,
        sessions: stats.sessions,
        bytes_up: stats.bytes_up,
        bytes_down: stats.bytes_down,
    }
}

#[allow(clippy::cast_precision_loss)] // milliseconds of days
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

#[allow(clippy::cast_precision_loss)] // thousandths of minutes of a fortnight's calls
fn mean(thousandths: &[i64]) -> Option<f64> {
    let sum: i64 = thousandths.iter().sum();
    let count = thousandths.len();
    // To a hundredth: what the machine adds up is not that exact.
    (count > 0).then(|| (sum as f64 / count as f64 / 10.0).round() / 100.0)
}
