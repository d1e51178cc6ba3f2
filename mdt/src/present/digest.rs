//! What a packet asks of the officer while another one is open: cautions that wait
//! for the tap, entries that the center did not take.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use mobile_core::{Core, CoreError, MineState, PacketSummary};
use packet::CallId;

use super::Scene;
use super::entry::caution_asks;
use crate::view::AlertView;
use packet::Entry;

/// Alerts on a page, those of the most urgent calls. The list of calls counts them all.
const ALERTS_MAX: usize = 20;

/// What of a packet's summary changes when its digest does.
#[derive(Debug, PartialEq, Eq)]
struct Version {
    newest_ms: i64,
    unsent: usize,
    cautions: usize,
    unacknowledged: usize,
    unit: String,
}

#[derive(Debug, Clone, Default)]
struct Digest {
    /// Entry and text.
    asking: Vec<(String, String)>,
    refused: usize,
}

/// What all packets ask.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(super) alerts: Vec<AlertView>,
    pub(super) refused: usize,
}

/// One for each packet on the device, and no others.
#[derive(Debug, Default)]
pub(crate) struct Digests(Mutex<HashMap<CallId, (Version, Digest)>>);

impl Digests {
    pub(super) async fn of(
        &self,
        core: &Core,
        scene: &Scene,
        summaries: &[PacketSummary],
    ) -> Result<Told, CoreError> {
        let mut told = Told::default();
        for summary in summaries {
            let digest = self.digest(core, scene, summary).await?;
            told.refused += digest.refused;
            let room = ALERTS_MAX.saturating_sub(told.alerts.len());
            let call = super::desk::title(summary);
            let asking = digest.asking.into_iter().take(room);
            told.alerts.extend(asking.map(|(entry, text)| AlertView {
                call_id: summary.call.to_string(),
                entry,
                text,
                call: call.clone(),
            }));
        }
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() > summaries.len() {
            kept.retain(|call, _| summaries.iter().any(|summary| summary.call == *call));
        }
        Ok(told)
    }

    async fn digest(
        &self,
        core: &Core,
        scene: &Scene,
        summary: &PacketSummary,
    ) -> Result<Digest, CoreError> {
        let version = Version {
            newest_ms: summary.newest_ms,
            unsent: summary.unsent,
            cautions: summary.cautions,
            unacknowledged: summary.unacknowledged,
            unit: scene.unit.clone(),
        };
        if let Some((kept, digest)) = self
            .0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&summary.call)
            && *kept == version
        {
            return Ok(digest.clone());
        }
        let digest = match core.packet(summary.call).await? {
            Some(packet) => Digest {
                asking: packet
                    .entries
                    .iter()
                    .rev()
                    .filter(|entry| caution_asks(scene, &packet, entry))
                    .filter_map(|entry| match &entry.written.entry {
                        Entry::Caution(caution) => {
                            Some((entry.id.to_string(), caution.text.clone()))
                        }
                        _ => None,
                    })
                    .collect(),
                refused: packet
                    .entries
                    .iter()
                    .filter(|entry| matches!(entry.mine, Some(MineState::Refused { .. })))
                    .count(),
            },
            None => Digest::default(),
        };
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(summary.call, (version, digest.clone()));
        Ok(digest)
    }
}
