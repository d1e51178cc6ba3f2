//! The officer's host: the device as a process runs it, from its folder, writing all the time.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mobile_core::identity::FileKeyStore;
use mobile_core::network::{Connecting, Connection, Connector, NetError};
use mobile_core::{BootClock, Core, Options, TracingLogger};
use rustls::ClientConfig;
use tokio::time::Instant;
use turmoil::net::TcpStream;

use crate::world::{Beside, CENTER, Done, SYNC_PORT};

const TRY_AGAIN: Duration = Duration::from_millis(500);
/// Between two notes, at most.
const PACE_MS_MAX: u64 = 400;

/// Simulated time since the process started; the machine's wall clock, by which
/// certificates end.
#[derive(Debug)]
struct SimulatedClock {
    started: Instant,
}

impl BootClock for SimulatedClock {
    fn now_ms(&self) -> u64 {
        self.started.elapsed().as_millis().try_into().unwrap()
    }

    fn wall_ms(&self) -> i64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        since_1970.as_millis().try_into().unwrap()
    }
}

/// TLS over the simulated network, wherever the ticket says that the center is.
struct SimulatedNetwork;

impl fmt::Debug for SimulatedNetwork {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedNetwork")
    }
}

impl Connector for SimulatedNetwork {
    fn connect<'a>(&'a self, _: &'a str, tls: Arc<ClientConfig>) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((CENTER, SYNC_PORT)).await;
            let stream = stream.map_err(NetError::Connect)?;
            let name = "localhost".try_into().unwrap();
            let connector = tokio_rustls::TlsConnector::from(tls);
            let stream = connector.connect(name, stream).await;
            Ok(Box::new(stream.map_err(NetError::Connect)?) as Box<dyn Connection>)
        })
    }
}

/// Opens what is in the folder, becomes the center's device, and writes until all is silent.
pub(crate) async fn write(beside: Beside, folder: PathBuf, seed: u64) -> Done {
    let keys = FileKeyStore::open(&folder.join("keys"))?;
    let options = Options {
        directory: folder,
        keys: Arc::new(keys),
        signer: None,
        clock: Arc::new(SimulatedClock {
            started: Instant::now(),
        }),
        log: Arc::new(TracingLogger),
    };
    let opened = Core::open_with(options, Arc::new(SimulatedNetwork))?;
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
