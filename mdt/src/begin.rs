//! Enrolment and sign-on, in the background: both need the center, and the page
//! does not wait for it.

use std::sync::Arc;
use std::time::Duration;

use mobile_core::identity::KeyStore;
use mobile_core::{BootClock, Core, CoreError, LockState, LockedWhy, Ticket};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::words::sentence;

const BACKOFF_MS_START: u64 = 500;
const BACKOFF_MS_MAX: u64 = 15_000;
/// How often an open shift is looked at: it may have ended.
const LOOK_MS: u64 = 60_000;
/// Under this name the key store holds whose shift is open on this laptop.
const BADGE: &str = "shift-badge";

/// Who starts this laptop.
#[derive(Debug, Clone)]
pub(crate) struct Officer {
    pub(crate) badge: String,
    pub(crate) unit: String,
}

pub(crate) struct Beginning {
    pub(crate) core: Core,
    pub(crate) keys: Arc<dyn KeyStore>,
    pub(crate) clock: Arc<dyn BootClock>,
    pub(crate) ticket: Option<Ticket>,
    pub(crate) officer: Option<Officer>,
    /// There is a unit to sign on for, with or without an officer.
    pub(crate) has_unit: bool,
    /// The agency's own sign-in is wanted: the page offers it.
    pub(crate) agency: watch::Sender<bool>,
    /// Whether a shift is to be begun; changes too when what it waited for has come about.
    pub(crate) wants_shift: watch::Receiver<bool>,
    pub(crate) demo_pin: Option<String>,
    /// Why nobody is signed on, as a sentence; empty when somebody is.
    pub(crate) why_not: watch::Sender<String>,
}

impl Beginning {
    /// Until `stop` is cancelled, since a shift ends and must begin again.
    pub(crate) async fn run(self, stop: CancellationToken) {
        let mut backoff_ms = BACKOFF_MS_START;
        let mut wants_shift = self.wants_shift.clone();
        let mut locked = self.core.lock_state();
        loop {
            wants_shift.mark_unchanged();
            locked.mark_unchanged();
            let done = tokio::select! {
                () = stop.cancelled() => return,
                done = self.step() => done,
            };
            let rest_ms = match done {
                Ok(()) => {
                    backoff_ms = BACKOFF_MS_START;
                    LOOK_MS
                }
                Err(error) => {
                    tracing::info!(%error, "not signed on, trying again");
                    let text = format!("{} Trying again.", sentence(&error.to_string()));
                    self.why_not.send_replace(text);
                    let rest_ms = backoff_ms;
                    backoff_ms = (backoff_ms * 2).min(BACKOFF_MS_MAX);
                    rest_ms
                }
            };
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_millis(rest_ms)) => {}
                _ = wants_shift.changed() => {}
                _ = locked.changed() => {}
            }
        }
    }

    /// A demo's laptop opens by itself when it starts, as if its officer had typed the PIN.
    pub(crate) async fn open_a_demo(&self) {
        let Some(pin) = &self.demo_pin else { return };
        let state = self.core.lock_state().borrow().clone();
        let opened = match state {
            LockState::Open { has_pin: false } => self.core.set_pin(pin).await,
            LockState::Locked {
                why: LockedWhy::Started,
                ..
            } => self.core.unlock(pin).await.map(drop),
            _ => return,
        };
        if let Err(error) = opened {
            tracing::warn!(%error, "the demo's PIN does not open this laptop");
        }
    }

    async fn step(&self) -> Result<(), CoreError> {
        // First of all: nothing more is written in the name of whoever was here before.
        if let Some(officer) = &self.officer
            && self.core.shift_left().is_some()
            && !self.is_whose_shift_is_open(officer)?
        {
            self.core.sign_off().await?;
        }
        if !self.core.is_enrolled()
            && let Some(ticket) = &self.ticket
        {
            self.core.enrol(ticket).await?;
        }
        let state = self.core.lock_state().borrow().clone();
        match (state, &self.demo_pin) {
            _ if !*self.wants_shift.borrow() => return self.nobody("The shift was ended here."),
            (LockState::Open { has_pin: false }, Some(pin)) => self.core.set_pin(pin).await?,
            (LockState::Open { has_pin: false }, None) => return self.nobody("Choose a PIN."),
            (LockState::Open { has_pin: true }, _) => {}
            _ => return self.nobody("This laptop is locked."),
        }
        let is_open = |shift: mobile_core::Shift| shift.expires_ms > self.center_now_ms();
        if !self.core.shift().is_some_and(is_open)
            && let Some(officer) = &self.officer
        {
            // Before: a shift is never open without it.
            self.keys
                .save(BADGE, officer.written().as_bytes())
                .map_err(|error| CoreError::Keys(error.to_string()))?;
            let signed_on = self.core.sign_on(&officer.badge, &officer.unit).await;
            if let Err(error) = &signed_on
                && error.wants_the_agencys_sign_in()
            {
                // Not again and again: the officer has to do something.
                self.agency.send_replace(true);
                return self.nobody(&sentence(&error.to_string()));
            }
            signed_on?;
        }
        self.why_not.send_replace(match self.core.shift() {
            Some(_) => String::new(),
            None if self.has_unit => {
                self.agency.send_replace(true);
                "Sign on with your agency's own sign-in.".into()
            }
            None => "Start this program with your badge and your unit.".into(),
        });
        Ok(())
    }

    fn nobody(&self, why: &str) -> Result<(), CoreError> {
        self.why_not.send_replace(why.into());
        Ok(())
    }

    fn is_whose_shift_is_open(&self, officer: &Officer) -> Result<bool, CoreError> {
        let kept = self
            .keys
            .load(BADGE)
            .map_err(|error| CoreError::Keys(error.to_string()))?;
        Ok(kept.is_some_and(|kept| kept == officer.written().as_bytes()))
    }

    fn center_now_ms(&self) -> i64 {
        self.clock.wall_ms() - self.core.clock_off_ms().unwrap_or(0)
    }
}

impl Officer {
    fn written(&self) -> String {
        format!("{}\n{}", self.badge, self.unit)
    }
}
