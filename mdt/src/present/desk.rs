//! The page around the open packet: who I am, the link, my calls.

use std::collections::HashMap;

use mobile_core::{LinkState, PacketSummary};
use packet::{CallId, CallState};

use super::{Scene, priority};
use crate::app::App;
use crate::view::{AlertView, AlertsView, CallView, CallsView, ConnectionView, HeaderView};

/// Calls in the list: the open ones come first, the most urgent of them before all.
const CALLS_MAX: usize = 200;

pub(super) fn header(app: &App, scene: &Scene, unsent: usize, refused: usize) -> HeaderView {
    let shift = app.core().shift();
    let connection = match (&shift, app.link()) {
        (None, _) => ConnectionView::NotSignedOn {
            why: app.why_not(),
            agency: app.wants_agency(),
        },
        (Some(_), LinkState::Online { since_ms }) => ConnectionView::Online {
            as_of: scene.second(scene.last_heard_ms.unwrap_or(since_ms)),
        },
        (Some(_), LinkState::Offline { since_ms, .. }) => ConnectionView::Offline {
            since: scene.minute(since_ms),
        },
    };
    HeaderView {
        unit: scene.unit.clone(),
        officer: shift.map(|shift| shift.officer).unwrap_or_default(),
        device: app.label().to_owned(),
        notice: app.notice().to_owned(),
        shift_ends: app
            .core()
            .shift_left()
            .filter(|left| left.is_warned && app.core().shift().is_some())
            .map(|left| match left.ms / 60_000 {
                0 => "within a minute".into(),
                1 => "in 1 minute".into(),
                minutes => format!("in {minutes} minutes"),
            }),
        connection,
        not_at_center: unsent,
        not_accepted: refused,
        now_ms: scene.now_ms,
    }
}

pub(super) fn alerts(
    summaries: &[PacketSummary],
    mut alerts: Vec<AlertView>,
    open: Option<CallId>,
) -> AlertsView {
    // The open packet shows its own.
    let open = open.filter(|call| summaries.iter().any(|summary| summary.call == *call));
    if let Some(open) = open.map(|call| call.to_string()) {
        alerts.retain(|alert| alert.call_id != open);
    }
    AlertsView { alerts }
}

pub(super) fn calls(summaries: &[PacketSummary], open: Option<CallId>) -> CallsView {
    let is_call = |summary: &&PacketSummary| !summary.call.is_beat();
    let calls = summaries
        .iter()
        .filter(is_call)
        .take(CALLS_MAX)
        .map(|summary| {
            let facts = summary.facts.as_ref();
            let is_closed = facts.is_some_and(|facts| facts.state == CallState::Closed);
            let nature = facts.map_or("Details are on their way", |facts| facts.nature.as_str());
            CallView {
                id: summary.call.to_string(),
                priority: priority(facts.map(|facts| facts.priority)),
                nature: format!("{nature}{}", if is_closed { " — closed" } else { "" }),
                address: facts
                    .map(|facts| facts.location.clone())
                    .unwrap_or_default(),
                received_ms: facts.map_or(summary.newest_ms, |facts| facts.received_ms),
                unsent: summary.unsent,
                unacknowledged: summary.unacknowledged,
                is_open_on_page: open == Some(summary.call),
            }
        });
    CallsView {
        calls: calls.collect(),
    }
}

/// Each with dispatch's number, where it has one.
pub(super) fn titles(summaries: &[PacketSummary]) -> HashMap<CallId, String> {
    let titles = summaries.iter().map(|summary| {
        let facts = summary.facts.as_ref();
        let number = facts.map(|facts| facts.number.as_str());
        let title = match number.filter(|number| !number.is_empty()) {
            Some(number) => format!("{number} ({})", title(summary)),
            None => title(summary),
        };
        (summary.call, title)
    });
    titles.collect()
}

/// Such as `WEAPON, 2900 W OKLAHOMA AV`.
pub(super) fn title(summary: &PacketSummary) -> String {
    match &summary.facts {
        Some(facts) if summary.call.is_beat() => format!("Your beat, {}", facts.nature),
        Some(facts) => format!("{}, {}", facts.nature, facts.location),
        None => "A call whose details are on their way".into(),
    }
}
