//! What each source answered, or that it did not: of several outcomes of one question
//! the highest in the log.

use std::collections::HashMap;

use ::packet::{Entry, Outcome, OutcomeState};

use super::{Logged, Read};
use crate::console::view::{SourceOutcome, SourceView, SourcesView};
use crate::console::words::Times;

pub(super) fn view(documents: &[Read], times: &Times, now_ms: i64) -> SourcesView {
    let all = || documents.iter().flat_map(|read| &read.entries);
    let mut current: Vec<(&Logged, &Outcome)> = Vec::new();
    let mut places: HashMap<(&str, &str), usize> = HashMap::new();
    for logged in all() {
        let Entry::Outcome(outcome) = &logged.inspected.written.entry else {
            continue;
        };
        let place = *places
            .entry((&outcome.source, &outcome.query))
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
            query: outcome.query.clone(),
            outcome: what_became(logged, outcome, || brought(all(), outcome)),
            asked_at: times.second(logged.received_ms - took_ms, now_ms),
        }
    });
    SourcesView {
        sources: sources.collect(),
    }
}

fn what_became(
    logged: &Logged,
    outcome: &Outcome,
    brought: impl FnOnce() -> usize,
) -> SourceOutcome {
    let took_ms = outcome.took_ms.map(u64::from);
    match outcome.state {
        OutcomeState::Asked => SourceOutcome::Asked {
            since_ms: logged.received_ms,
        },
        OutcomeState::Answered => SourceOutcome::Answered {
            findings: brought(),
            took_ms,
        },
        OutcomeState::NothingFound => SourceOutcome::NothingFound { took_ms },
        OutcomeState::TimedOut => SourceOutcome::TimedOut {
            after_ms: took_ms.unwrap_or(0),
        },
        OutcomeState::Retrying | OutcomeState::Refused | OutcomeState::Failed => {
            SourceOutcome::Failed {
                reason: outcome
                    .detail
                    .clone()
                    .unwrap_or_else(|| "it did not say why".into()),
            }
        }
    }
}

/// Findings that answer this question, and cautions that this source brought: those
/// name it before a colon. A source that names the place in its own words is asked
/// one such question a call.
fn brought<'a>(all: impl Iterator<Item = &'a Logged>, outcome: &Outcome) -> usize {
    let (mut to_this, mut of_source, mut cautions) = (0, 0, 0);
    for logged in all {
        match &logged.inspected.written.entry {
            Entry::Finding(finding) if finding.source == outcome.source => {
                of_source += 1;
                to_this += usize::from(finding.query == outcome.query);
            }
            Entry::Caution(caution) if logged.device.is_none() => {
                let rest = caution.by.strip_prefix(outcome.source.as_str());
                cautions +=
                    usize::from(rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(':')));
            }
            _ => {}
        }
    }
    cautions + if to_this > 0 { to_this } else { of_source }
}
