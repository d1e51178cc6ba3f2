//! The officer's host: the device as a process runs it, from its folder, writing all the time.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use forerunner_tests::simulated::{Done, SimulatedClock, SimulatedNetwork};
use mobile_core::identity::FileKeyStore;
use mobile_core::{Core, Options, TracingLogger};

use crate::world::Beside;

const TRY_AGAIN: Duration = Duration::from_millis(500);
/// Between two notes, at most.
const PACE_MS_MAX: u64 = 400;

/// Opens what is in the folder, becomes the center's device, and writes until all is silent.
pub(crate) async fn write(beside: Beside, folder: PathBuf, seed: u64) -> Done {
    let keys = FileKeyStore::open(&folder.join("keys"))?;
    let options = Options {
        directory: folder,
        keys: Arc::new(keys),
        signer: None,
        clock: Arc::new(SimulatedClock::start()),
        log: Arc::new(TracingLogger),
    };
    let opened = Core::open_with(options, Arc::new(SimulatedNetwork(|socket| socket)))?;
    assert_eq!(opened.set_aside, None);
    let core = opened.core;
    join(&beside, &core).await;
    beside.lock().unwrap().core = Some(core.clone());
    let _driver = core.start();
    // Told apart from what another run wrote.
    let run = turmoil::sim_elapsed().unwrap().as_millis();
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0_u64.. {
        tokio::time::sleep(Duration::from_millis(random.u64(..PACE_MS_MAX))).await;
        if beside.lock().unwrap().silence {
            break;
        }
        let text = format!("officer note {run}.{n}");
        if let Some(packet) = core.packets().await?.first() {
            core.add_note(packet.call, &text).await?;
            beside.lock().unwrap().told.push(text);
        }
    }
    std::future::pending().await
}

/// Enrolled and signed on, as soon as the center can be reached.
async fn join(beside: &Beside, core: &Core) {
    while !core.is_enrolled() {
        tokio::time::sleep(TRY_AGAIN).await;
        let ticket = beside.lock().unwrap().ticket.clone();
        if let Some(ticket) = ticket {
            // A code is for one device: what the center did and could not say is done.
            let _ = core.enrol(&ticket).await;
        }
    }
    while core.shift().is_none() {
        tokio::time::sleep(TRY_AGAIN).await;
        let _ = core.sign_on("101", "1A1").await;
    }
}
