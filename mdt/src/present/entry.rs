//! One entry: whose, by which clock, how far it has come, and whether it still holds.

use mobile_core::{EntryView as Stored, MineState, Packet};
use packet::{Author, Entry};

use super::Scene;
use crate::view::{CorrectionView, EntryProgress, EntryView, SeenBy};
use crate::words::clock_off;

/// The view's own word for what this device's officer wrote.
const YOU: &str = "You";

/// Everything about an entry but what it says.
pub(super) fn entry(
    scene: &Scene,
    packet: &Packet,
    stored: &Stored,
    kind: &str,
    by: &str,
    text: String,
) -> EntryView {
    let is_centers = matches!(stored.id.actor.author(), Author::Center(_));
    let is_own = stored.mine.is_some() && (by == scene.officer || by.is_empty());
    EntryView {
        id: stored.id.to_string(),
        kind: kind.into(),
        text,
        author: if is_own { YOU.into() } else { by.into() },
        author_time: (!is_centers).then(|| scene.second(stored.author_ms)),
        author_clock_off: stored.written.clock_off_ms.and_then(clock_off),
        center_time: stored.received_ms.map(|ms| scene.second(ms)),
        progress: progress(scene, stored),
        corrected: correction(scene, packet, stored),
        attachment: None,
        acknowledged: Vec::new(),
        asks: false,
    }
}

pub(super) fn progress(scene: &Scene, stored: &Stored) -> Option<EntryProgress> {
    Some(match stored.mine.as_ref()? {
        MineState::OnDevice => EntryProgress::OnThisDevice,
        MineState::Refused { reason } => EntryProgress::Refused {
            reason: reason.clone(),
        },
        MineState::AtCenter if stored.shown_to.is_empty() => EntryProgress::AtTheCenter,
        MineState::AtCenter => {
            let seen = stored.shown_to.iter().map(|shown| SeenBy {
                name: shown.who.clone(),
                time: scene.second(shown.at_ms),
            });
            EntryProgress::ShownTo(seen.collect())
        }
    })
}

/// What was said instead, and by which clock.
fn correction(scene: &Scene, packet: &Packet, stored: &Stored) -> Option<CorrectionView> {
    let by = stored.corrected_by?;
    let correction = packet
        .entries
        .iter()
        .find(|entry| entry.id == by && entry.document == stored.document)?;
    let Entry::Correction(said) = &correction.written.entry else {
        return None;
    };
    let is_own = correction.mine.is_some() && said.by == scene.officer;
    Some(CorrectionView {
        text: said.text.clone(),
        author: if is_own { YOU.into() } else { said.by.clone() },
        time: when(scene, correction),
    })
}

/// With its clock: by the center's, where the center has it.
pub(super) fn when(scene: &Scene, stored: &Stored) -> String {
    match stored.received_ms {
        Some(ms) => format!("{} at the center", scene.second(ms)),
        None => format!(
            "{} by this device, not at the center yet",
            scene.second(stored.author_ms)
        ),
    }
}

/// Whether this caution waits for a tap of this officer's unit. One's own does not:
/// whoever wrote it knows it.
pub(super) fn caution_asks(scene: &Scene, packet: &Packet, stored: &Stored) -> bool {
    matches!(stored.written.entry, Entry::Caution(_))
        && stored.mine.is_none()
        && !is_withdrawn(packet, stored)
        && !taps(packet, stored).any(|(_, unit, _)| !scene.unit.is_empty() && unit == scene.unit)
}

fn is_withdrawn(packet: &Packet, stored: &Stored) -> bool {
    stored.corrected_by.is_some_and(|by| {
        packet.entries.iter().any(|entry| {
            entry.id == by
                && matches!(&entry.written.entry, Entry::Correction(said) if said.text.is_none())
        })
    })
}

/// Who tapped on this caution: officer, unit and the tap itself. What the center
/// did not take is no tap.
pub(super) fn taps<'a>(
    packet: &'a Packet,
    caution: &'a Stored,
) -> impl Iterator<Item = (&'a str, &'a str, &'a Stored)> {
    packet
        .entries
        .iter()
        .filter_map(|entry| match &entry.written.entry {
            Entry::Acknowledgement(tap)
                if tap.of == caution.id
                    && entry.document == caution.document
                    && !is_refused(entry) =>
            {
                Some((tap.by.as_str(), tap.unit.as_str(), entry))
            }
            _ => None,
        })
}

pub(super) fn is_refused(stored: &Stored) -> bool {
    matches!(stored.mine, Some(MineState::Refused { .. }))
}
