//! What the packet opens on, the same as on the officers' devices but for the taps: here
//! any officer's settles a caution.

use ::packet::glance::{Fresh, Line, Rank, Said, glance};

use super::Read;
use crate::console::view::{GlanceView, LineView, Tone};
use crate::console::words::Times;

pub(super) fn view(documents: &[Read], times: &Times, now_ms: i64) -> GlanceView {
    let mut logged: Vec<_> = documents
        .iter()
        .flat_map(|read| {
            let compartment = read.document.compartment;
            read.entries.iter().map(move |logged| (compartment, logged))
        })
        .collect();
    logged.sort_by_key(|(_, logged)| logged.seq);
    let said: Vec<Said<'_>> = logged
        .iter()
        .map(|(compartment, logged)| Said {
            id: logged.inspected.id,
            compartment: *compartment,
            entry: &logged.inspected.written.entry,
            at_ms: logged.received_ms,
            mine: false,
        })
        .collect();
    let glance = glance(&said, None, now_ms);
    let lines = glance.lines.into_iter();
    GlanceView {
        lines: lines.map(|line| view_line(line, times, now_ms)).collect(),
        cautions_below: glance.cautions_below,
    }
}

fn view_line(line: Line, times: &Times, now_ms: i64) -> LineView {
    LineView {
        entry: format!("{}-{}", line.compartment.name(), line.id),
        name: line.rank.rule().name.into(),
        tone: tone(line.rank),
        fresh: match line.fresh {
            Fresh::Recorded(ms) => match Times::record_date(ms) {
                Some(date) => format!("record of {date}"),
                None => "record of an unknown date".into(),
            },
            Fresh::Answered(ms) => format!("answered {}", times.second(ms, now_ms)),
            Fresh::Written(ms) => format!("received {} at the center", times.second(ms, now_ms)),
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
        Rank::CautionAsks => Tone::Waits,
        Rank::Caution => Tone::Caution,
        rank if rank.is_danger() => Tone::Danger,
        _ => Tone::Plain,
    }
}
