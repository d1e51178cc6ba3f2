//! The live line: what the center does, once a second on a terminal.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::Shared;

pub(super) async fn run(center: Shared, stop: CancellationToken) {
    let terminal = std::io::stdout().is_terminal();
    let every = Duration::from_secs(if terminal { 1 } else { 10 });
    loop {
        tokio::select! {
            () = tokio::time::sleep(every) => {}
            () = stop.cancelled() => return,
        }
        let text = text(&center);
        let mut out = std::io::stdout().lock();
        // Nobody may be reading any more: that is no reason to stop.
        let _ = if terminal {
            write!(out, "\r{text}\x1b[K").and_then(|()| out.flush())
        } else {
            writeln!(out, "{text}")
        };
    }
}

fn text(center: &Shared) -> String {
    let metrics = &center.metrics;
    let delay = metrics.note_to_device(false);
    let note = if delay.count == 0 {
        "no note delivered yet".to_owned()
    } else {
        format!(
            "note to device p50 {:.1} ms, p99 {:.1} ms",
            delay.p50_ms, delay.p99_ms
        )
    };
    format!(
        "{} calls in · {} findings · {} changes delivered · {} devices · {note} · {} MB",
        metrics.calls.get(),
        metrics.findings.get(),
        metrics.delivered.get(),
        center.hub.counts().0,
        server::metrics::resident_bytes() / 1_000_000,
    )
}
