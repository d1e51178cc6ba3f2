//! A search page's socket: what saved searches found, as it is found, and a heartbeat.

use std::sync::Arc;

use askama::Template;

use super::{Heard, Line, heartbeat};
use crate::console::Console;
use crate::console::search::{read_notices, record_notices};

pub(super) async fn run(console: &Arc<Console>, line: &mut Line) {
    let mut changes = console.notices.subscribe();
    changes.mark_changed();
    let mut ticks = heartbeat();
    loop {
        tokio::select! {
            changed = changes.changed() => {
                if changed.is_err() || !tell(console, line).await {
                    return;
                }
            }
            _ = ticks.tick() => {
                // Silence tells the page that the center is not well.
                let Ok(open_calls) = console.open_calls(&line.actor).await else { continue };
                if !line.say_header(console, open_calls).await {
                    return;
                }
            }
            heard = line.hear() => {
                if matches!(heard, Heard::Gone) {
                    return;
                }
            }
        }
    }
}

/// False when the page is over.
async fn tell(console: &Arc<Console>, line: &mut Line) -> bool {
    let (notices, open_calls) = match (
        read_notices(console, &line.actor).await,
        console.open_calls(&line.actor).await,
    ) {
        (Ok(notices), Ok(open_calls)) => (notices, open_calls),
        (Err(e), _) | (_, Err(e)) => {
            tracing::warn!(error = %e, "notices could not be read");
            return true;
        }
    };
    let Ok(html) = notices.view(&console.times).render() else {
        return false;
    };
    record_notices(console, &line.actor, &notices).await;
    line.say_header(console, open_calls).await && line.say(html.into()).await
}
