//! What beats carry, and what a search of this device found, in words.

use mobile_core::{Core, CoreError, FOUND_MAX, Found, Packet};
use packet::{Compartment, Entry, Topic};

use super::Scene;
use crate::app::App;
use crate::view::{BeatNameView, BeatView, FoundView, FoundsView, LINE_CHARS_MAX};

/// Entries on the page before anything is searched, what can hurt first.
const CARRIED_SHOWN_MAX: usize = 40;

pub(super) async fn view(scene: &Scene, core: &Core) -> Result<BeatView, CoreError> {
    let mut beats = Vec::new();
    for summary in core.packets().await? {
        if summary.call.is_beat()
            && let Some(packet) = core.packet(summary.call).await?
        {
            beats.push(packet);
        }
    }
    let mut carried: Vec<FoundView> = beats
        .iter()
        .flat_map(|packet| standing(scene, packet))
        .collect();
    carried.sort_by_key(|found| !found.hurts);
    let is_cut = carried.len() > CARRIED_SHOWN_MAX;
    carried.truncate(CARRIED_SHOWN_MAX);
    Ok(BeatView {
        beats: beats.iter().map(|packet| name(scene, packet)).collect(),
        carried: FoundsView {
            found: carried,
            is_cut,
            nothing: String::new(),
        },
    })
}

fn name(scene: &Scene, packet: &Packet) -> BeatNameView {
    let carried: Vec<_> = packet
        .entries
        .iter()
        .filter(|stored| holds(scene, stored))
        .filter_map(|stored| match &stored.written.entry {
            Entry::Finding(finding) => Some(finding.topic == Topic::Premise),
            _ => None,
        })
        .collect();
    let places = carried.iter().filter(|is_place| **is_place).count();
    BeatNameView {
        name: packet
            .facts
            .as_ref()
            .map_or_else(|| "A beat".into(), |facts| facts.nature.clone()),
        places,
        listed: carried.len() - places,
        // The center's note in a beat's packet is about what is not in it.
        short: packet
            .entries
            .iter()
            .find_map(|stored| match &stored.written.entry {
                Entry::Note(note) => Some(note.text.clone()),
                _ => None,
            }),
    }
}

/// What of a beat's packet holds now, the newest first.
fn standing(scene: &Scene, packet: &Packet) -> Vec<FoundView> {
    let holding = packet.entries.iter().rev();
    holding
        .filter(|stored| holds(scene, stored))
        .filter_map(|stored| {
            let found = Found {
                call: packet.call,
                is_beat: true,
                facts: packet.facts.clone(),
                entry: stored.clone(),
            };
            found_view(scene, &found)
        })
        .collect()
}

fn holds(scene: &Scene, stored: &mobile_core::EntryView) -> bool {
    let ends_ms = ends_ms(&stored.written.entry);
    let is_carried = matches!(stored.written.entry, Entry::Finding(_) | Entry::Caution(_));
    is_carried && stored.corrected_by.is_none() && ends_ms.is_none_or(|ends| ends > scene.now_ms)
}

fn ends_ms(entry: &Entry) -> Option<i64> {
    match entry {
        Entry::Finding(finding) => finding.ends_ms,
        Entry::Caution(caution) => caution.ends_ms,
        _ => None,
    }
}

/// The answer to a search of this device.
pub(crate) async fn found(app: &App, words: &str) -> Result<FoundsView, CoreError> {
    let words: String = words.chars().take(LINE_CHARS_MAX).collect();
    let scene = Scene::of(app);
    let found = match app.core().find(&words).await {
        Ok(found) => found,
        Err(CoreError::SignOnFirst) => Vec::new(),
        Err(error) => return Err(error),
    };
    Ok(FoundsView {
        is_cut: found.len() == FOUND_MAX,
        found: found
            .iter()
            .filter_map(|found| found_view(&scene, found))
            .collect(),
        nothing: "Nothing on this device has that. It may still be on record: ask the center."
            .into(),
    })
}

pub(super) fn found_view(scene: &Scene, found: &Found) -> Option<FoundView> {
    let stored = &found.entry;
    let (title, text, source) = match &stored.written.entry {
        Entry::Finding(finding) => (
            finding.title.clone(),
            finding.text.clone(),
            finding.source.clone(),
        ),
        Entry::Caution(caution) => ("Caution".into(), caution.text.clone(), caution.by.clone()),
        Entry::Note(note) => ("Note".into(), note.text.clone(), note.by.clone()),
        Entry::Query(query) => ("Query".into(), query.value.clone(), query.by.clone()),
        Entry::Mention(mention) => (
            mention.value.clone(),
            format!("\u{201c}{}\u{201d}", mention.words),
            "Mentioned".into(),
        ),
        Entry::Facts(facts) => (
            facts.nature.clone(),
            facts.location.clone(),
            "The call".into(),
        ),
        _ => return None,
    };
    Some(FoundView {
        id: format!("{}-{}", stored.document.compartment.name(), stored.id),
        title,
        text,
        source,
        until: ends_ms(&stored.written.entry).map(|ms| scene.times.minute(ms, scene.now_ms)),
        hurts: stored.document.compartment == Compartment::Safety,
        call: (!found.is_beat).then(|| found.call.to_string()),
    })
}
