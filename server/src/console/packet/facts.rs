//! What dispatch says of the call: of several facts the highest in the log.

use ::packet::{CallState, Entry, Facts};

use super::Read;
use crate::config::Config;
use crate::console::board;
use crate::console::view::FactsView;
use crate::console::words::{self, Times};
use crate::search::criteria::RADIUS_M_DEFAULT;

pub(super) fn view(documents: &[Read], config: &Config, times: &Times, now_ms: i64) -> FactsView {
    let first = documents
        .iter()
        .filter_map(|read| read.entries.first())
        .min_by_key(|logged| logged.seq);
    let received_ms = first.map_or(now_ms, |logged| logged.received_ms);
    let received = times.second(received_ms, now_ms);
    // The call's own document says more; before it is there, the brief one speaks.
    let current = documents.iter().rev().find_map(current);
    let Some((facts, said_ms)) = current else {
        return FactsView {
            call_number: "none".into(),
            priority: words::priority(3),
            triage_reason: String::new(),
            nature: "Nothing said of the call yet".into(),
            location: String::new(),
            agency: String::new(),
            state: "Open".into(),
            is_open: true,
            received,
            received_ms,
            details: Vec::new(),
        };
    };
    FactsView {
        call_number: if facts.number.is_empty() {
            "none, opened by an officer".into()
        } else {
            facts.number.clone()
        },
        priority: words::priority(facts.priority),
        triage_reason: facts.reason.clone(),
        nature: facts.nature.clone(),
        location: facts.location.clone(),
        agency: board::agency(config, &facts.agency),
        state: state(facts, &times.second(said_ms, now_ms)),
        is_open: facts.state == CallState::Open,
        received,
        received_ms,
        details: details(facts, times, now_ms),
    }
}

fn current(read: &Read) -> Option<(&Facts, i64)> {
    read.entries
        .iter()
        .rev()
        .find_map(|logged| match &logged.inspected.written.entry {
            Entry::Facts(facts) => Some((facts, logged.received_ms)),
            _ => None,
        })
}

/// The search for what happened about this place.
pub(super) fn around(documents: &[Read]) -> Option<String> {
    let (facts, _) = documents.iter().rev().find_map(current)?;
    let (latitude, longitude) = facts.latitude_e6.zip(facts.longitude_e6)?;
    let degrees = |e6: i32| f64::from(e6) / 1e6;
    Some(format!(
        "/search?latitude={:.6}&longitude={:.6}&radius_m={RADIUS_M_DEFAULT}",
        degrees(latitude),
        degrees(longitude)
    ))
}

fn state(facts: &Facts, said_at: &str) -> String {
    match (facts.state, &facts.disposition) {
        (CallState::Open, _) => "Open".into(),
        (CallState::Closed, Some(disposition)) => format!("Closed {said_at}: {disposition}"),
        (CallState::Closed, None) => format!("Closed {said_at}"),
    }
}

fn details(facts: &Facts, times: &Times, now_ms: i64) -> Vec<(String, String)> {
    let degrees = |e6: i32| f64::from(e6) / 1e6;
    let position = facts
        .latitude_e6
        .zip(facts.longitude_e6)
        .map(|(lat, lon)| format!("{:.5}, {:.5}", degrees(lat), degrees(lon)));
    let at_dispatch = format!("{} by their clock", times.second(facts.received_ms, now_ms));
    [
        ("Dispatch", Some(at_dispatch)),
        ("Category", Some(facts.category.clone())),
        ("District", facts.district.clone()),
        ("Position", position),
        ("Narrative", facts.narrative.clone()),
    ]
    .into_iter()
    .filter_map(|(name, value)| Some((name.to_owned(), value?)))
    .collect()
}
