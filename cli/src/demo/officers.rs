//! The simulated officers: real devices (the same core as a phone's, with encrypted
//! stores and certificates) whose officer is a loop. They look at their calls,
//! acknowledge cautions after some seconds, report their status and write now and then.

use std::sync::Arc;
use std::time::Duration;

use mobile_core::identity::FileKeyStore;
use mobile_core::{Core, LockRules, LockState, LockedWhy, Options, SystemClock, TracingLogger};
use packet::{Compartment, Entry, UnitState};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::city::Folder;
use super::mdts::{DEMO_PIN, ticket};

/// How many there are: units of the second and third agency, and one of the first.
const OFFICERS: [(usize, usize); 4] = [(0, 4), (1, 0), (1, 1), (2, 0)];
/// How often one looks at the screen.
const LOOK_MS: u64 = 4_000;
const NOTES: [&str; 4] = [
    "Nobody at the front door, going round the back",
    "Spoke to the complainant, statement taken",
    "Area checked, nothing found",
    "Parties separated, all calm",
];

/// The officers that run.
#[derive(Debug)]
pub(super) struct Officers {
    cores: Vec<(Core, CancellationToken)>,
    loops: JoinSet<()>,
}

pub(super) async fn start(
    center: &Shared,
    folder: &Folder,
    stop: &CancellationToken,
) -> Result<Officers, String> {
    let mut officers = Officers {
        cores: Vec::new(),
        loops: JoinSet::new(),
    };
    for (number, (agency, unit)) in OFFICERS.iter().enumerate() {
        let agency = &sim::agencies()[*agency];
        let unit = &agency.units[*unit];
        let Some(officer) = unit.officers.first() else {
            continue;
        };
        let directory = folder.root().join(format!("officer-{}", number + 1));
        let keys = FileKeyStore::open(&directory.join("keys")).map_err(|e| e.to_string())?;
        let options = Options {
            directory,
            keys: Arc::new(keys),
            signer: None,
            clock: Arc::new(SystemClock::new()),
            log: Arc::new(TracingLogger),
        };
        let rules = LockRules {
            pin_first: true,
            ..LockRules::default()
        };
        let opened = Core::open_under(options, rules)
            .map_err(|e| format!("a simulated officer's device cannot start: {e}"))?;
        let core = opened.core;
        if !core.is_enrolled() {
            let ticket = ticket(center, agency.id, &format!("Phone {}", number + 1), false).await?;
            let ticket = ticket
                .parse()
                .map_err(|e: mobile_core::CoreError| e.to_string())?;
            core.enrol(&ticket)
                .await
                .map_err(|e| format!("a simulated officer's device cannot enrol: {e}"))?;
        }
        open(&core)
            .await
            .map_err(|e| format!("a simulated officer's PIN does not open the phone: {e}"))?;
        core.sign_on(officer.badge, unit.id)
            .await
            .map_err(|e| format!("a simulated officer cannot sign on: {e}"))?;
        let running = core.start();
        officers.loops.spawn(patrol(core.clone(), stop.clone()));
        officers.cores.push((core, running));
    }
    Ok(officers)
}

/// As its officer would, with the demo's PIN; a shift that was over has begun again by then.
async fn open(core: &Core) -> Result<(), mobile_core::CoreError> {
    let state = core.lock_state().borrow().clone();
    match state {
        LockState::Open { has_pin: false } => core.set_pin(DEMO_PIN).await,
        LockState::Open { has_pin: true } => Ok(()),
        // Of a demo that was started again after more than a shift.
        LockState::Locked {
            why: LockedWhy::ShiftOver,
            ..
        } => {
            core.sign_off_anyway().await?;
            core.set_pin(DEMO_PIN).await
        }
        _ => core.unlock(DEMO_PIN).await.map(drop),
    }
}

impl Officers {
    pub(super) async fn stop(mut self) {
        while self.loops.join_next().await.is_some() {}
        for (core, running) in self.cores {
            running.cancel();
            // What could not be closed is found whole at the next start.
            let _ = core.pause().await;
        }
    }
}

async fn patrol(core: Core, stop: CancellationToken) {
    loop {
        let nap = Duration::from_millis(LOOK_MS / 2 + fastrand::u64(..LOOK_MS));
        tokio::select! {
            () = tokio::time::sleep(nap) => {}
            () = stop.cancelled() => return,
        }
        // A device that cannot write (its disk is full) tries again at the next look.
        if let Err(e) = look(&core).await {
            tracing::warn!(error = %e, "a simulated officer could not write");
        }
    }
}

/// Most calls that are looked at in one go.
const CALLS_MAX: usize = 4;

async fn look(core: &Core) -> Result<(), mobile_core::CoreError> {
    core.touch();
    for summary in core.packets().await?.into_iter().take(CALLS_MAX) {
        let Some(packet) = core.packet(summary.call).await? else {
            continue;
        };
        core.shown(summary.call).await?;
        let mine = packet
            .entries
            .iter()
            .filter(|entry| entry.mine.is_some())
            .count();
        let acknowledged: Vec<_> = packet
            .entries
            .iter()
            .filter_map(|entry| match &entry.written.entry {
                Entry::Acknowledgement(tap) => Some(tap.of),
                _ => None,
            })
            .collect();
        for entry in &packet.entries {
            let caution = entry.document.compartment == Compartment::Safety
                && matches!(entry.written.entry, Entry::Caution(_));
            if caution && !acknowledged.contains(&entry.id) {
                core.acknowledge(summary.call, entry.id).await?;
            }
        }
        match mine {
            // Nobody answers what a beat carries.
            _ if summary.call.is_beat() => {}
            0 => {
                core.set_status(summary.call, UnitState::EnRoute).await?;
            }
            1..=3 if fastrand::u8(..4) == 0 => {
                core.set_status(summary.call, UnitState::OnScene).await?;
            }
            1..=6 if fastrand::u8(..6) == 0 => {
                let text = format!(
                    "{} (simulated officer)",
                    fastrand::choice(NOTES).unwrap_or(NOTES[0])
                );
                core.add_note(summary.call, &text).await?;
            }
            _ => {}
        }
    }
    Ok(())
}
