//! The driver of a locked device: no session, but it is not out of reach.
//!
//! By its certificate alone it asks how it stands, over and over, and each answer waits
//! until there is one to give: so an order to erase, or a supervisor's release, is here in
//! a moment. What is sealed to the center goes up, since nobody knows when the device is
//! opened again. The certificate is renewed.

use std::time::Duration;

use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::session::hand_in_sealed;
use super::{BACKOFF_MS_MAX, BACKOFF_MS_START, log_failed, set_offline};
use crate::Core;
use crate::core::Gate;

/// How long the center may keep an answer back that has nothing to tell.
const WAIT_MS: u64 = 20_000;

/// Until the gate changes, or `stop` is cancelled.
pub(super) async fn run(core: &Core, gate: &mut watch::Receiver<Gate>, stop: &CancellationToken) {
    set_offline(core, "the device is locked".into());
    // An erasure changes the gate while it is at it: it is not to be dropped half-way. What
    // waits for the network alone is.
    let asking = ask(core);
    tokio::select! {
        () = asking => {}
        _ = gate.wait_for(|now| !now.locked || now.paused || now.cut) => {}
        () = stop.cancelled() => {}
    }
}

async fn ask(core: &Core) {
    let mut backoff_ms = BACKOFF_MS_START;
    let mut wait_ms = 0;
    loop {
        core.renew_if_ended().await;
        let asked = core.ask_standing(wait_ms).await;
        let is_heard = asked.is_ok();
        log_failed(core, "how it stands", asked);
        if is_heard {
            backoff_ms = BACKOFF_MS_START;
            if wait_ms == 0 {
                log_failed(core, "for a certificate", core.renew_if_due().await);
                core.hand_in_receipts().await;
                if let Some(enrolled) = core.enrolled() {
                    hand_in_sealed(core, &enrolled).await;
                }
            }
            wait_ms = WAIT_MS;
        } else {
            wait_ms = 0;
            let rest_ms = fastrand::u64(backoff_ms / 2..=backoff_ms);
            tokio::time::sleep(Duration::from_millis(rest_ms)).await;
            backoff_ms = (backoff_ms * 2).min(BACKOFF_MS_MAX);
        }
    }
}
