//! The real center, and what a real device needs, on turmoil's simulated network.
//!
//! Simulated time must not run while other threads work: a tokio runtime that is paused waits
//! for its own blocking threads, but not for the log's. So whoever steps the simulation waits
//! for the log after each step ([`SimulatedCenter::wait_for_the_log`]), and a center that
//! starts, whose log nobody has yet, holds the clock itself.

use std::fmt;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use mobile_core::BootClock;
use mobile_core::network::{Connecting, Connection, Connector, NetError};
use rustls::ClientConfig;
use serde_json::Value;
use server::accept::Listener;
use server::center::Center;
use server::config::Config;
use server::log::LogError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use turmoil::net::{TcpListener, TcpStream};

/// The host's name, and its ports.
pub const CENTER: &str = "center";
pub const SYNC_PORT: u16 = 8_443;
const CONSOLE_PORT: u16 = 8_080;
/// Between two tries.
const TRY_AGAIN: Duration = Duration::from_millis(200);

/// How a host ends.
pub type Done = Result<(), Box<dyn std::error::Error>>;

/// turmoil's listener, as the center takes connections.
struct SimulatedListener(TcpListener);

impl Listener for SimulatedListener {
    type Stream = TcpStream;

    async fn accept(&self) -> std::io::Result<(TcpStream, SocketAddr)> {
        self.0.accept().await
    }

    fn prepare(_: &TcpStream) -> std::io::Result<()> {
        Ok(())
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

/// The center while it runs, for whoever stands beside the simulation.
#[derive(Debug, Clone, Default)]
pub struct SimulatedCenter(Arc<Mutex<Option<Arc<Center>>>>);

impl SimulatedCenter {
    /// The center, where it runs.
    #[must_use]
    pub fn running(&self) -> Option<Arc<Center>> {
        self.0.lock().unwrap().clone()
    }

    /// It crashes, or the simulation is over.
    pub fn forget(&self) {
        *self.0.lock().unwrap() = None;
    }

    /// Its host: until that crashes, or the simulation is over.
    ///
    /// # Errors
    /// When the center does not start.
    pub async fn serve(self, config: PathBuf) -> Done {
        let listen = async |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
        let sync = SimulatedListener(listen(SYNC_PORT).await?);
        let console = SimulatedListener(listen(CONSOLE_PORT).await?);
        // A blocking task holds the clock.
        let (starting, started) = std::sync::mpsc::channel::<()>();
        tokio::task::spawn_blocking(move || started.recv());
        let running = Center::start_on(Config::read(&config)?, sync, console).await?;
        drop(starting);
        *self.0.lock().unwrap() = Some(running.center.clone());
        std::future::pending().await
    }

    /// What was given to the log's thread is done before simulated time goes on.
    pub fn wait_for_the_log(&self, threads: &tokio::runtime::Runtime) {
        if let Some(center) = self.running() {
            let nothing = center.log.write(|_| Ok::<(), LogError>(()));
            threads.block_on(nothing).unwrap();
        }
    }

    /// As dispatch, from another host: asks until the answer has this field.
    pub async fn post(&self, path: &str, body: &Value, field: &str) -> String {
        loop {
            let token = self.running().map(|center| center.token.clone());
            if let Some(token) = token
                && let Ok(answer) = ask(path, &token, body).await
                && let Some(text) = answer[field].as_str()
            {
                return text.to_owned();
            }
            tokio::time::sleep(TRY_AGAIN).await;
        }
    }
}

async fn ask(path: &str, token: &str, body: &Value) -> std::io::Result<Value> {
    let body = body.to_string();
    let mut stream = TcpStream::connect((CENTER, CONSOLE_PORT)).await?;
    let request = format!(
        "POST {path} HTTP/1.1\r\nHost: {CENTER}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok(serde_json::from_str(body).unwrap_or(Value::Null))
}

/// Simulated time since the process started; the machine's wall clock, by which
/// certificates end.
#[derive(Debug)]
pub struct SimulatedClock(Instant);

impl SimulatedClock {
    /// Of a process that starts now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }
}

impl BootClock for SimulatedClock {
    fn now_ms(&self) -> u64 {
        self.0.elapsed().as_millis().try_into().unwrap()
    }

    fn wall_ms(&self) -> i64 {
        let since_1970 = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
        since_1970.as_millis().try_into().unwrap()
    }
}

/// TLS over the simulated network, wherever the ticket says that the center is; over the
/// socket as this function wraps it.
pub struct SimulatedNetwork<F>(pub F);

impl<F> fmt::Debug for SimulatedNetwork<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SimulatedNetwork")
    }
}

impl<F, S> Connector for SimulatedNetwork<F>
where
    F: Fn(TcpStream) -> S + Send + Sync,
    S: Connection + 'static,
{
    fn connect<'a>(&'a self, _: &'a str, tls: Arc<ClientConfig>) -> Connecting<'a> {
        Box::pin(async move {
            let stream = TcpStream::connect((CENTER, SYNC_PORT)).await;
            let stream = self.0(stream.map_err(NetError::Connect)?);
            let name = "localhost".try_into().unwrap();
            let stream = tokio_rustls::TlsConnector::from(tls).connect(name, stream);
            let stream = stream.await.map_err(NetError::Connect)?;
            Ok(Box::new(stream) as Box<dyn Connection>)
        })
    }
}
