//! Many arrivals as few numbers.

use std::collections::BTreeMap;

use packet::OutcomeState;
use serde::Serialize;

use super::{Arrival, Question, Timeline};

/// The arrivals of some calls, added up.
#[derive(Debug, Clone, Default)]
pub struct Figures {
    calls: u64,
    everything: u64,
    /// From when all was there to the arrival, of those calls that had it.
    lead_ms: Vec<i64>,
    why: BTreeMap<String, u64>,
}

impl Figures {
    pub fn add(&mut self, arrival: &Arrival) {
        self.calls += 1;
        self.everything += u64::from(arrival.is_everything());
        self.lead_ms.extend(arrival.lead_ms());
        for why in &arrival.why {
            *self.why.entry(why.to_string()).or_default() += 1;
        }
    }

    #[must_use]
    pub fn view(&self) -> FiguresView {
        FiguresView {
            calls: self.calls,
            complete_before_arrival: self.lead_ms.len() as u64,
            everything_asked_answered_and_there: self.everything,
            lead_s: LeadView::of(&self.lead_ms),
            why_not: self.why.clone(),
        }
    }

    /// The leads, the shortest first.
    #[must_use]
    pub fn leads_ms(&self) -> Vec<i64> {
        let mut leads = self.lead_ms.clone();
        leads.sort_unstable();
        leads
    }
}

/// As [`Figures`] go out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct FiguresView {
    /// Calls that somebody came to.
    pub calls: u64,
    pub complete_before_arrival: u64,
    pub everything_asked_answered_and_there: u64,
    /// Of the complete ones.
    pub lead_s: LeadView,
    /// Why not everything, each reason of each call.
    pub why_not: BTreeMap<String, u64>,
}

/// Seconds between *all there* and the arrival; `None` where there was no such call.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct LeadView {
    pub p10: Option<f64>,
    pub p50: Option<f64>,
    pub p90: Option<f64>,
}

impl LeadView {
    /// Of milliseconds, in any order, by nearest rank.
    #[must_use]
    pub fn of(lead_ms: &[i64]) -> Self {
        let mut sorted = lead_ms.to_vec();
        sorted.sort_unstable();
        let at = |percent| percentile(&sorted, percent).map(seconds);
        Self {
            p10: at(10),
            p50: at(50),
            p90: at(90),
        }
    }
}

/// By nearest rank: the least value that so many of a hundred do not exceed.
fn percentile(sorted: &[i64], percent: usize) -> Option<i64> {
    let rank = (sorted.len() * percent).div_ceil(100);
    sorted.get(rank.saturating_sub(1)).copied()
}

#[allow(clippy::cast_precision_loss)] // milliseconds of days
fn seconds(ms: i64) -> f64 {
    ms as f64 / 1_000.0
}

/// What one source did for these calls.
#[derive(Debug, Clone, Default)]
pub struct SourceFigures {
    asked: u64,
    answered: u64,
    there: u64,
    took_ms: Vec<i64>,
}

/// As [`SourceFigures`] go out.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SourceView {
    /// Questions that it was asked for calls that somebody came to.
    pub asked: u64,
    /// … that it had answered before the arrival, or said that it found nothing.
    pub answered_before_arrival: u64,
    /// … of which the answer was on a device of the primary unit.
    pub there_before_arrival: u64,
    /// How long its answers took.
    pub answer_s: LeadView,
}

impl SourceFigures {
    pub(super) fn add(&mut self, question: &Question, timeline: &Timeline, arrival: &Arrival) {
        self.asked += 1;
        let Some(said) = question.at(arrival.at_ms) else {
            return;
        };
        if !matches!(
            said.state,
            OutcomeState::Answered | OutcomeState::NothingFound
        ) {
            return;
        }
        self.answered += 1;
        self.took_ms.extend(said.took_ms.map(i64::from));
        let is_there = timeline.devices.iter().any(|times| {
            let since = times.since(said.document, said.seq);
            times.unit == arrival.unit && since.is_some_and(|since_ms| since_ms <= arrival.at_ms)
        });
        self.there += u64::from(is_there);
    }

    pub(super) fn merge(&mut self, other: &Self) {
        self.asked += other.asked;
        self.answered += other.answered;
        self.there += other.there;
        self.took_ms.extend(&other.took_ms);
    }

    #[must_use]
    pub fn view(&self) -> SourceView {
        SourceView {
            asked: self.asked,
            answered_before_arrival: self.answered,
            there_before_arrival: self.there,
            answer_s: LeadView::of(&self.took_ms),
        }
    }
}
