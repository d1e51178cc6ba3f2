//! What the device asks beside its session, by its certificate alone: how it stands at the
//! center, and whether there is an order.
//!
//! It asks when the center ended a session or refused one, and all the time while it is
//! locked. A session itself has no word for an order: whoever has one to carry out has no
//! session, and an open one is ended first.

use packet::custody::ErasedWhy;
use serde::Deserialize;
use serde_json::json;

use super::{Core, lock};
use crate::CoreError;
use crate::lock::{LockState, LockedWhy};
use crate::net::Method;

#[derive(Deserialize)]
struct StandingAnswer {
    mounted: bool,
    /// How often the center has released this device.
    releases: u64,
    /// The number of an order to erase that the center has no receipt of.
    erase: Option<i64>,
    /// The shift that this device named is in force.
    shift: Option<bool>,
}

impl Core {
    /// Asks how this device stands, and does what it is told. The center may take `wait_ms`
    /// to answer when there is nothing to tell.
    pub(crate) async fn ask_standing(&self, wait_ms: u64) -> Result<(), CoreError> {
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        let lock_state = self.0.lock_state.borrow().clone();
        let state = match lock_state {
            LockState::Open { .. } => "open",
            LockState::Locked { .. } => "locked",
            LockState::LockedOut { .. } => "locked-out",
        };
        let sealed = lock(&self.0.orphans).len();
        let token = self.shift().map(|shift| shift.token);
        let body = json!({
            "state": state,
            "sealed": sealed,
            "shift": token,
            "releases": self.0.custody.lock().await.tries.releases(),
            "wait_ms": wait_ms,
        });
        let answer = self.ask_as(&enrolled, Method::POST, "/v1/standing", &body);
        let answer: StandingAnswer = serde_json::from_slice(&answer.await?)
            .map_err(|e| CoreError::Unreachable(format!("its answer cannot be read: {e}")))?;
        if let Some(order) = answer.erase {
            if !self.has_receipt_of(order)? {
                self.erase(ErasedWhy::Ordered, Some(order)).await?;
            }
            self.hand_in_receipts().await;
            return Ok(());
        }
        self.set_mounted(answer.mounted)?;
        let mut custody = self.0.custody.lock().await;
        if custody.tries.released(answer.releases) {
            self.keep_tries(&custody)?;
            self.publish_tries(&custody);
        }
        drop(custody);
        // Another shift may have begun here since it asked.
        let is_same = token.is_some() && token == self.shift().map(|shift| shift.token);
        if answer.shift == Some(false) && is_same {
            self.end_shift_clock()?;
            self.lock_because(LockedWhy::ShiftOver).await?;
        }
        Ok(())
    }
}
