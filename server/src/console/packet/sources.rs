//! What each source answered, or that it did not: of several outcomes of one question
//! the highest in the log.

use std::collections::HashMap;

use ::packet::{Entry, EntryId, Outcome, OutcomeState};

use super::{Logged, Read};
use crate::config::Config;
use crate::console::view::{SourceOutcome, SourceView, SourcesView};
use crate::console::words::Times;

/// What identifies a question: the source, what it was asked, and the query, where a
/// person asked.
type Question<'a> = (&'a str, &'a str, Option<EntryId>);

pub(super) fn view(documents: &[Read], config: &Config, times: &Times, now_ms: i64) -> SourcesView {
    let all = || documents.iter().flat_map(|read| &read.entries);
    let mut current: Vec<(&Logged, &Outcome)> = Vec::new();
    let mut places: HashMap<Question<'_>, usize> = HashMap::new();
    for logged in all() {
        let Entry::Outcome(outcome) = &logged.inspected.written.entry else {
            continue;
        };
        let place = *places
            .entry((&outcome.source, &outcome.query, outcome.answers))
            .or_insert(current.len());
        match current.get_mut(place) {
            Some(known) => *known = (logged, outcome),
            None => current.push((logged, outcome)),
        }
    }
    let sources = current.into_iter().map(|(logged, outcome)| {
        let took_ms = outcome.took_ms.map_or(0, i64::from);
        SourceView {
            name: outcome.source.clone(),
            agency: agency_of(config, &outcome.source),
            query: outcome.query.clone(),
            outcome: what_became(logged, outcome, times, now_ms, || brought(all(), outcome)),
            asked_at: times.second(logged.received_ms - took_ms, now_ms),
        }
    });
    SourcesView {
        sources: sources.collect(),
    }
}

/// As people say it; empty where the configuration does not say it.
fn agency_of(config: &Config, source: &str) -> String {
    let source = config.sources.iter().find(|known| known.name == source);
    let id = source.and_then(|source| source.agency.as_deref());
    let agency = config
        .agencies
        .iter()
        .find(|agency| Some(&*agency.id) == id);
    agency.map(|agency| agency.name.clone()).unwrap_or_default()
}

fn what_became(
    logged: &Logged,
    outcome: &Outcome,
    times: &Times,
    now_ms: i64,
    brought: impl FnOnce() -> usize,
) -> SourceOutcome {
    let took_ms = outcome.took_ms.map(u64::from);
    let since_ms = logged.received_ms;
    let reason = || {
        outcome
            .detail
            .clone()
            .unwrap_or_else(|| "it did not say why".into())
    };
    // How old an answer is that was not asked for just now, and what else is to be said.
    let besides = || {
        let as_of = outcome
            .as_of_ms
            .map(|ms| format!("as of {}", times.second(ms, now_ms)));
        let said = as_of.into_iter().chain(outcome.detail.clone());
        said.collect::<Vec<_>>().join(" · ")
    };
    match outcome.state {
        OutcomeState::Asked => SourceOutcome::Asked { since_ms },
        OutcomeState::Retrying => SourceOutcome::Retrying {
            reason: reason(),
            since_ms,
        },
        OutcomeState::Answered => SourceOutcome::Answered {
            findings: brought(),
            took_ms,
            besides: besides(),
        },
        OutcomeState::NothingFound => SourceOutcome::NothingFound {
            took_ms,
            besides: besides(),
        },
        OutcomeState::Refused => SourceOutcome::Refused { reason: reason() },
        OutcomeState::TimedOut => SourceOutcome::TimedOut {
            after_ms: took_ms.unwrap_or(0),
        },
        OutcomeState::Failed => SourceOutcome::Failed { reason: reason() },
    }
}

/// Findings that answer this question, and cautions that this source brought: those
/// name it before a colon.
fn brought<'a>(all: impl Iterator<Item = &'a Logged>, outcome: &Outcome) -> usize {
    all.filter(|logged| match &logged.inspected.written.entry {
        Entry::Finding(finding) => {
            finding.source == outcome.source
                && finding.query == outcome.query
                && finding.answers == outcome.answers
        }
        Entry::Caution(caution) if logged.device.is_none() => {
            let rest = caution.by.strip_prefix(outcome.source.as_str());
            rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        }
        _ => false,
    })
    .count()
}
