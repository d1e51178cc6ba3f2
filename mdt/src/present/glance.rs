//! What the open packet opens on.

use mobile_core::Packet;
use packet::Entry;
use packet::glance::{Fresh, Line, Rank};

use super::Scene;
use super::entry::when;
use crate::view::{GlanceView, LineView, Tone};

pub(super) fn glance(scene: &Scene, packet: &Packet) -> GlanceView {
    let glance = packet.glance(Some(&scene.unit), scene.now_ms);
    GlanceView {
        call_id: packet.call.to_string(),
        lines: glance
            .lines
            .into_iter()
            .map(|line| view(scene, packet, line))
            .collect(),
        cautions_below: glance.cautions_below,
    }
}

fn view(scene: &Scene, packet: &Packet, line: Line) -> LineView {
    LineView {
        entry: line.id.to_string(),
        name: line.rank.rule().name.into(),
        tone: tone(line.rank),
        fresh: match line.fresh {
            Fresh::Recorded(ms) => format!("record of {}", scene.times.day(ms)),
            Fresh::Answered(ms) => format!("answered {}", scene.second(ms)),
            Fresh::Written(ms) => written(scene, packet, &line, ms),
        },
        text: line.text,
        source: line.source,
        is_lead: line.is_lead,
        link: line.link,
        more: line.more,
    }
}

fn tone(rank: Rank) -> Tone {
    match rank {
        Rank::CautionAsks => Tone::Asks,
        Rank::Caution => Tone::Caution,
        rank if rank.is_danger() => Tone::Danger,
        _ => Tone::Plain,
    }
}

/// By which clock: that of the entry itself, or of what corrects it.
fn written(scene: &Scene, packet: &Packet, line: &Line, ms: i64) -> String {
    let is_its = |entry: &&mobile_core::EntryView| {
        entry.document.compartment == line.compartment
            && entry.received_ms.unwrap_or(entry.author_ms) == ms
            && (entry.id == line.id
                || matches!(&entry.written.entry, Entry::Correction(said) if said.of == line.id))
    };
    match packet.entries.iter().find(is_its) {
        Some(entry) => when(scene, entry),
        None => scene.second(ms),
    }
}
