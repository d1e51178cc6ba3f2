//! From what the device has to what the page shows.
//!
//! Each look reads the store anew: the page is never further than the last commit.
//! Only what other packets ask for is remembered between looks ([`Digests`]), so
//! that a change to one packet does not read them all.

mod beat;
mod desk;
mod digest;
mod entry;
mod glance;
mod notes;
mod open_packet;
#[cfg(test)]
mod tests;

use std::collections::HashMap;

use mobile_core::{Core, CoreError, LinkState, Packet};
use packet::CallId;

use crate::app::App;
use crate::lock;
use crate::view::{
    AlertsView, BeatView, CallsView, DeskView, HeaderView, LockView, PacketView, PriorityView,
};
use crate::words::Times;

pub(crate) use beat::found;
pub(crate) use digest::Digests;
pub(crate) use notes::query_of;
pub(crate) use open_packet::{intel, status_of, through};

/// What every part of a page needs to say things by.
#[derive(Debug, Clone)]
pub(crate) struct Scene {
    pub(crate) times: Times,
    /// By the center's clock, as well as this device knows it.
    pub(crate) now_ms: i64,
    /// As entries name their author; empty when nobody is signed on.
    pub(crate) officer: String,
    pub(crate) unit: String,
    pub(crate) is_online: bool,
    /// What a query may be for: (code, in words).
    pub(crate) purposes: Vec<(String, String)>,
    /// When the center was last heard, by its own clock.
    pub(crate) last_heard_ms: Option<i64>,
    /// What the calls are whose packets are on this device.
    pub(crate) titles: HashMap<CallId, String>,
}

impl Scene {
    pub(crate) fn of(app: &App) -> Self {
        let shift = app.core().shift();
        Self {
            times: app.times().clone(),
            now_ms: app.now_ms(),
            is_online: matches!(*app.core().link().borrow(), LinkState::Online { .. }),
            officer: shift
                .as_ref()
                .map(mobile_core::Shift::by)
                .unwrap_or_default(),
            purposes: shift
                .iter()
                .flat_map(|shift| &shift.purposes)
                .map(|purpose| (purpose.code.clone(), purpose.name.clone()))
                .collect(),
            unit: shift.map(|shift| shift.unit).unwrap_or_default(),
            last_heard_ms: app.core().last_contact_ms(),
            titles: HashMap::new(),
        }
    }

    fn second(&self, ms: i64) -> String {
        self.times.second(ms, self.now_ms)
    }

    fn minute(&self, ms: i64) -> String {
        self.times.minute(ms, self.now_ms)
    }
}

/// The whole page as it is now. Nobody signed on sees nobody's calls.
#[derive(Debug)]
pub(crate) struct Look {
    pub(crate) lock: LockView,
    pub(crate) header: HeaderView,
    pub(crate) alerts: AlertsView,
    pub(crate) calls: CallsView,
    pub(crate) packet: Option<PacketView>,
    /// What the beats on this device carry, where that was asked for.
    pub(crate) beat: Option<BeatView>,
}

impl Look {
    /// With what the beats carry.
    pub(crate) async fn take_with_beat(app: &App) -> Result<Self, CoreError> {
        let mut look = Self::take(app, None).await?;
        look.beat = match app.core().shift() {
            Some(_) => Some(beat::view(&Scene::of(app), app.core()).await?),
            None => None,
        };
        Ok(look)
    }

    /// With this call open, where it is on the device.
    pub(crate) async fn take(app: &App, open: Option<CallId>) -> Result<Self, CoreError> {
        let core = app.core();
        let summaries = match core.shift() {
            Some(_) => core.packets().await?,
            None => Vec::new(),
        };
        let scene = Scene {
            titles: desk::titles(&summaries),
            ..Scene::of(app)
        };
        let open_packet = match open {
            Some(call) => here(core, call).await?,
            None => None,
        };
        let told = app.digests().of(core, &scene, &summaries).await?;
        // What waits in a locked store, nobody can count.
        let unsent = match core.outbox_len().await {
            Err(CoreError::Locked) => 0,
            unsent => unsent?,
        };
        Ok(Self {
            lock: lock::view(app),
            header: desk::header(app, &scene, unsent, told.refused),
            alerts: desk::alerts(&summaries, told.alerts, open),
            calls: desk::calls(&summaries, open),
            packet: match open_packet {
                Some(packet) => {
                    let known = core.known_about(packet.call).await?;
                    Some(PacketView {
                        known: open_packet::known(&scene, &known),
                        ..open_packet::view(&scene, &packet)
                    })
                }
                None => None,
            },
            beat: None,
        })
    }

    pub(crate) fn desk(self, is_missing: bool) -> DeskView {
        DeskView {
            lock: self.lock,
            header: self.header,
            alerts: self.alerts,
            calls: self.calls,
            packet: self.packet,
            beat: self.beat,
            is_missing,
        }
    }
}

/// A packet that has anything in it, for whoever is signed on.
pub(crate) async fn here(core: &Core, call: CallId) -> Result<Option<Packet>, CoreError> {
    if core.shift().is_none() {
        return Ok(None);
    }
    let packet = core.packet(call).await?;
    Ok(packet.filter(|packet| !packet.entries.is_empty()))
}

/// A number and a word; 0 until the facts have come.
fn priority(number: Option<u8>) -> PriorityView {
    let word = match number {
        Some(1) => "Emergency",
        Some(2) => "Urgent",
        Some(3) => "Prompt",
        Some(4) => "Routine",
        Some(_) => "When free",
        None => "Not known yet",
    };
    PriorityView {
        number: number.unwrap_or(0),
        word: word.into(),
    }
}
