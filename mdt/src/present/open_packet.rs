//! The open packet, region by region. Of several facts, statuses or outcomes of
//! the same thing the last in the packet's order is current.

use std::cmp::Reverse;
use std::collections::BTreeMap;

use mobile_core::{EntryView as Stored, Found, Intel, Lease, LeaseState, Packet};
use packet::{
    Author, CallId, CallState, Compartment, Confidence, DocumentId, Entry, EntryId, Facts, Finding,
    Outcome, OutcomeState, Topic, UnitState, UnitStatus,
};

use super::beat::found_view;
use super::entry::{caution_asks, entry, is_refused, taps, when};
use super::glance::glance;
use super::notes::{notes, status_word};
use super::{Scene, priority};
use crate::view::{
    CautionsView, ConfidenceView, EntryView, FactsView, FindingView, FindingsView, IntelAnswerView,
    IntelView, KnownView, PacketView, QueriesView, ShownThroughView, SourceOutcome, SourceView,
    SourcesView, StatusView, SummaryView, UnitView, UnitsView,
};

pub(super) fn view(scene: &Scene, packet: &Packet) -> PacketView {
    PacketView {
        id: packet.call.to_string(),
        summary: summary(scene, packet),
        glance: glance(scene, packet),
        known: known(scene, &[]),
        status: status(scene, packet),
        cautions: cautions(scene, packet),
        facts: packet
            .facts
            .as_ref()
            .map_or_else(no_facts, |facts| facts_view(scene, facts)),
        findings: findings(scene, packet),
        intel: IntelView {
            call_id: packet.call.to_string(),
            is_online: scene.is_online,
        },
        notes: notes(scene, packet),
        units: units(scene, packet),
        sources: sources(scene, packet),
        queries: queries(scene, packet),
        shown_through: shown_through(packet),
    }
}

/// What the beat knows about the packet.
pub(super) fn known(scene: &Scene, known: &[Found]) -> KnownView {
    let known = known.iter().filter_map(|found| found_view(scene, found));
    KnownView {
        known: known.collect(),
    }
}

fn summary(scene: &Scene, packet: &Packet) -> SummaryView {
    let facts = packet.facts.as_ref();
    let is_at_center = packet.entries.iter().any(|entry| entry.seq.is_some());
    let first_ms = packet.entries.first().map(|entry| entry.author_ms);
    SummaryView {
        priority: priority(facts.map(|facts| facts.priority)),
        nature: facts.map_or("Details are on their way".into(), |facts| {
            facts.nature.clone()
        }),
        address: facts
            .map(|facts| facts.location.clone())
            .unwrap_or_default(),
        received_ms: facts
            .map(|facts| facts.received_ms)
            .or(first_ms)
            .unwrap_or(scene.now_ms),
        last_heard_ms: scene.last_heard_ms.filter(|_| is_at_center),
        leases: packet.leases.iter().filter_map(lease).collect(),
    }
}

/// What leaves this laptop where nothing is heard from the center.
fn lease(lease: &Lease) -> Option<String> {
    let what = match lease.compartment {
        Compartment::Juvenile => "The juvenile records",
        Compartment::Records => "The records",
        other => other.name(),
    };
    match lease.state {
        LeaseState::Held => None,
        LeaseState::EndsSoon => Some(format!(
            "{what} leave this laptop soon unless it hears from the center."
        )),
        LeaseState::Ended => Some(format!(
            "{what} have left this laptop: it has not heard from the center for too long. They come again when it does."
        )),
    }
}

/// Newest first.
fn cautions(scene: &Scene, packet: &Packet) -> CautionsView {
    let cautions = packet.entries.iter().rev().filter_map(|stored| {
        let Entry::Caution(caution) = &stored.written.entry else {
            return None;
        };
        let tapped = taps(packet, stored).map(|(by, _, tap)| format!("{by} {}", when(scene, tap)));
        let acknowledged = tapped.collect();
        let text = caution.text.clone();
        Some(EntryView {
            asks: caution_asks(scene, packet, stored),
            acknowledged,
            ..entry(scene, packet, stored, "Caution", &caution.by, text)
        })
    });
    CautionsView {
        call_id: packet.call.to_string(),
        cautions: cautions.collect(),
    }
}

fn statuses(packet: &Packet) -> impl DoubleEndedIterator<Item = (&UnitStatus, &Stored)> {
    packet
        .entries
        .iter()
        .filter_map(|stored| match &stored.written.entry {
            Entry::UnitStatus(status) if !is_refused(stored) => Some((status, stored)),
            _ => None,
        })
}

fn status(scene: &Scene, packet: &Packet) -> StatusView {
    let mine = statuses(packet).rfind(|(status, _)| status.unit == scene.unit);
    let (current, current_text) = match mine {
        Some((status, stored)) => {
            let ms = stored.received_ms.unwrap_or(stored.author_ms);
            let place = match stored.received_ms {
                Some(_) => "at the center",
                None => "on this device, not at the center yet",
            };
            let text = format!("since {}, {place}", scene.minute(ms));
            (status_value(status.status).map(Into::into), text)
        }
        None => (None, String::new()),
    };
    StatusView {
        call_id: packet.call.to_string(),
        current,
        current_text,
    }
}

/// As the form names it; what dispatch alone sets has no button.
fn status_value(status: UnitState) -> Option<&'static str> {
    match status {
        UnitState::Assigned => None,
        UnitState::EnRoute => Some("en-route"),
        UnitState::OnScene => Some("on-scene"),
        UnitState::Clear => Some("clear"),
    }
}

/// What a form's `status` says.
pub(crate) fn status_of(value: &str) -> Option<UnitState> {
    [UnitState::EnRoute, UnitState::OnScene, UnitState::Clear]
        .into_iter()
        .find(|status| status_value(*status) == Some(value))
}

fn no_facts() -> FactsView {
    FactsView {
        triage_reason: String::new(),
        details: Vec::new(),
    }
}

fn facts_view(scene: &Scene, facts: &Facts) -> FactsView {
    let number = (!facts.number.is_empty()).then(|| facts.number.clone());
    let state = match facts.state {
        CallState::Open => "Open",
        CallState::Closed => "Closed",
    };
    let position = facts.latitude_e6.zip(facts.longitude_e6);
    let degrees = |e6: i32| f64::from(e6) / 1e6;
    let details = [
        ("Dispatch says", facts.narrative.clone()),
        ("Agency", Some(facts.agency.clone())),
        ("Call number", number),
        ("Kind", Some(facts.category.clone())),
        ("State", Some(state.into())),
        ("Disposition", facts.disposition.clone()),
        ("District", facts.district.clone()),
        (
            "Position",
            position.map(|(latitude, longitude)| {
                format!("{:.5}, {:.5}", degrees(latitude), degrees(longitude))
            }),
        ),
        (
            "Received",
            Some(format!(
                "{} by dispatch's clock",
                scene.second(facts.received_ms)
            )),
        ),
    ];
    let said = details
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), value?)));
    FactsView {
        triage_reason: facts.reason.clone(),
        details: said.collect(),
    }
}

fn findings(scene: &Scene, packet: &Packet) -> FindingsView {
    let found = packet.entries.iter().filter_map(|stored| {
        let Entry::Finding(finding) = &stored.written.entry else {
            return None;
        };
        Some((stored, finding))
    });
    let mut found: Vec<_> = found.collect();
    // The newest answer first; within one as the source gave them: of four cameras the nearest.
    found.sort_by_key(|(_, finding)| Reverse(finding.answered_ms));
    let findings = found.into_iter().map(|(stored, finding)| {
        let text = finding_text(scene, finding);
        FindingView {
            entry: entry(scene, packet, stored, "Finding", &finding.source, text),
            source: finding.source.clone(),
            query: finding.query.clone(),
            link: finding.link.clone(),
            camera: (finding.topic == Topic::Camera && finding.link.is_some())
                .then(|| finding.title.clone()),
            confidence: match finding.confidence {
                Confidence::Exact => ConfidenceView::Exact,
                Confidence::Partial => ConfidenceView::Lead("only a part of it matches".into()),
                Confidence::Phonetic => ConfidenceView::Lead("it sounds alike".into()),
                Confidence::Nearby => ConfidenceView::Lead("near by, not at this place".into()),
            },
            answers: finding.answers.is_some(),
        }
    });
    FindingsView {
        call_id: packet.call.to_string(),
        findings: findings.collect(),
    }
}

/// What the center showed, at this moment.
pub(crate) fn intel(scene: &Scene, call: CallId, intel: Intel) -> IntelAnswerView {
    let shown = Packet {
        call,
        facts: None,
        entries: intel.entries,
        leases: Vec::new(),
    };
    IntelAnswerView {
        at: scene.second(scene.now_ms),
        findings: findings(scene, &shown).findings,
        earlier: intel.earlier,
    }
}

fn finding_text(scene: &Scene, finding: &Finding) -> String {
    let recorded = finding
        .recorded_ms
        .map(|ms| format!(" (record of {})", scene.times.day(ms)));
    format!(
        "{}: {}{}",
        finding.title,
        finding.text,
        recorded.unwrap_or_default()
    )
}

fn units(scene: &Scene, packet: &Packet) -> UnitsView {
    let mut last: BTreeMap<&str, (&UnitStatus, &Stored)> = BTreeMap::new();
    let mut officers: BTreeMap<&str, Vec<String>> = BTreeMap::new();
    for (status, stored) in statuses(packet) {
        last.insert(&status.unit, (status, stored));
        let of_unit = format!(" ({})", status.unit);
        if let Author::Device(_) = stored.id.actor.author()
            && let Some(officer) = status.by.strip_suffix(&of_unit)
        {
            let known = officers.entry(&status.unit).or_default();
            if !known.iter().any(|known| known == officer) {
                known.push(officer.to_owned());
            }
        }
    }
    let units = last.into_iter().map(|(unit, (status, stored))| UnitView {
        unit: unit.to_owned(),
        officers: officers.remove(unit).unwrap_or_default(),
        status: status_word(status.status).into(),
        status_from: format!("{}, {}", status.by, when(scene, stored)),
    });
    UnitsView {
        units: units.collect(),
    }
}

fn queries(scene: &Scene, packet: &Packet) -> QueriesView {
    QueriesView {
        call_id: packet.call.to_string(),
        purposes: scene.purposes.clone(),
    }
}

/// What identifies a question: of several outcomes of the same one the last is current.
type Question<'a> = (&'a str, &'a str, Option<EntryId>);

fn sources(scene: &Scene, packet: &Packet) -> SourcesView {
    let mut last: BTreeMap<Question<'_>, (&Outcome, &Stored)> = BTreeMap::new();
    for stored in &packet.entries {
        if let Entry::Outcome(outcome) = &stored.written.entry {
            let question = (&*outcome.source, &*outcome.query, outcome.answers);
            last.insert(question, (outcome, stored));
        }
    }
    let sources = last.into_values().map(|(outcome, stored)| SourceView {
        name: outcome.source.clone(),
        query: outcome.query.clone(),
        outcome: what_became(scene, packet, outcome, stored),
    });
    SourcesView {
        sources: sources.collect(),
    }
}

fn what_became(
    scene: &Scene,
    packet: &Packet,
    outcome: &Outcome,
    stored: &Stored,
) -> SourceOutcome {
    let at = scene.minute(stored.received_ms.unwrap_or(stored.author_ms));
    let reason = || outcome.detail.clone().unwrap_or("no reason given".into());
    match outcome.state {
        OutcomeState::Asked => SourceOutcome::Asked { at },
        OutcomeState::Retrying => SourceOutcome::Retrying {
            reason: reason(),
            at,
        },
        OutcomeState::Answered => SourceOutcome::Answered {
            findings: findings_of(packet, outcome),
            at,
            besides: besides(scene, outcome),
        },
        OutcomeState::NothingFound => SourceOutcome::NothingFound {
            at,
            besides: besides(scene, outcome),
        },
        OutcomeState::TimedOut => SourceOutcome::TimedOut { at },
        OutcomeState::Refused => SourceOutcome::Refused { reason: reason() },
        OutcomeState::Failed => SourceOutcome::Failed { reason: reason() },
    }
}

/// How old an answer is that was not asked for just now, and what else is to be said of it.
fn besides(scene: &Scene, outcome: &Outcome) -> String {
    let as_of = outcome
        .as_of_ms
        .map(|ms| format!("as of {}", scene.second(ms)));
    let said = as_of.into_iter().chain(outcome.detail.clone());
    said.collect::<Vec<_>>().join(", ")
}

fn findings_of(packet: &Packet, outcome: &Outcome) -> usize {
    let is_its = |stored: &&Stored| match &stored.written.entry {
        Entry::Finding(finding) => {
            finding.source == outcome.source
                && finding.query == outcome.query
                && finding.answers == outcome.answers
        }
        _ => false,
    };
    packet.entries.iter().filter(is_its).count()
}

/// How far the log goes in each of the packet's documents.
fn reach(packet: &Packet) -> BTreeMap<DocumentId, u64> {
    let mut reach = BTreeMap::new();
    for stored in &packet.entries {
        if let Some(seq) = stored.seq {
            let through = reach.entry(stored.document).or_insert(seq);
            *through = seq.max(*through);
        }
    }
    reach
}

fn shown_through(packet: &Packet) -> ShownThroughView {
    ShownThroughView {
        documents: reach(packet).keys().map(ToString::to_string).collect(),
        through: through(packet),
    }
}

/// What a page that shows this packet as it is now says that it shows.
pub(crate) fn through(packet: &Packet) -> String {
    let stretches: Vec<String> = reach(packet)
        .iter()
        .map(|(document, through)| format!("{}:{through}", document.compartment.name()))
        .collect();
    stretches.join(",")
}
