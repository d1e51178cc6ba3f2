//! A board page's socket: what the board's task rendered, and a heartbeat.

use std::sync::Arc;

use super::{Heard, Line, heartbeat};
use crate::console::{Console, board, disclosure};

pub(super) async fn run(console: &Arc<Console>, line: &mut Line) {
    disclosure::board(console, &line.actor, "socket opened".into()).await;
    let mut updates = 0_u64;
    tell(console, line, &mut updates).await;
    let detail = format!("socket closed after {updates} updates");
    disclosure::board(console, &line.actor, detail).await;
}

async fn tell(console: &Arc<Console>, line: &mut Line, updates: &mut u64) {
    let sight = console.sight(&line.actor);
    let mut watching = board::watch(console, &sight);
    let mut notices = console.notices.subscribe();
    let mut ticks = heartbeat();
    loop {
        tokio::select! {
            changed = watching.changed() => {
                if changed.is_err() {
                    return;
                }
                let rendered = watching.borrow_and_update().clone();
                let Some(rendered) = rendered else { continue };
                *updates += 1;
                if !line.say_header(console, rendered.open_calls).await
                    || !line.say(rendered.html.clone()).await
                {
                    return;
                }
            }
            // A saved search found something: the header says so at once.
            Ok(()) = notices.changed() => ticks.reset_immediately(),
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
