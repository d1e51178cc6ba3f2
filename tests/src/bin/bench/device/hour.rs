//! An hour of connection, idle or with a change a minute, in simulated time.
//!
//! The real center and the real device over turmoil's network: frames, WebSocket and TLS are
//! real and counted on the device's side of the wire. Beside them, over the same network and
//! counted by the same counter: a plain WebSocket over TLS whose client pings every 30 s and
//! is told each change as JSON; and a client that asks once a minute over a connection of its
//! own (TLS 1.3, resumed), which hears of a change half a minute late on average.
//!
//! **Modelled**, since no radio is here: TCP/IP's headers ([`HEADERS_BYTES`] for each segment
//! and as much for its acknowledgement), and when a phone's radio is on (for [`TAIL`] after
//! anything crosses, as LTE's inactivity timer commonly has it).

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forerunner_tests::simulated::{
    CENTER, Done, SYNC_PORT, SimulatedCenter, SimulatedClock, SimulatedNetwork,
};
use forerunner_tests::{AGENCY, config_text, note_texts};
use futures_util::{SinkExt, StreamExt};
use mobile_core::identity::FileKeyStore;
use mobile_core::{Core, LinkState, Metrics, Options, TracingLogger};
use packet::{CallId, Entry, Note};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::Message;
use turmoil::net::{TcpListener, TcpStream};

use crate::counted::{Counted, Meter};
use crate::row::Row;

const HOUR: Duration = Duration::from_secs(3_600);
/// Until all that a beginning brings is over.
const SETTLED: Duration = Duration::from_secs(90);
const TICK: Duration = Duration::from_millis(100);
const SIMULATED_MAX: Duration = Duration::from_secs(5_000);
const LOOK_AGAIN: Duration = Duration::from_millis(500);
const PING: Duration = Duration::from_secs(30);
const POLL: Duration = Duration::from_secs(60);
/// Of IPv4 and of TCP with its timestamps.
const HEADERS_BYTES: u64 = 52;
const SEGMENT_BYTES: usize = 1_400;
/// How long a radio stays on after anything has crossed.
const TAIL: Duration = Duration::from_secs(10);

const NOTE: &str =
    "white pickup seen northbound on 27th from the alley behind the store, two in it, no plate yet";

/// What crossed, and when.
#[derive(Debug, Default, Clone)]
struct Crossed {
    bytes: u64,
    segments: u64,
    moments: Vec<Duration>,
}

type Wire = Arc<Mutex<Crossed>>;

impl Meter for Wire {
    fn up(&self, bytes: usize) {
        if bytes > 0 {
            let mut crossed = self.lock().unwrap();
            crossed.bytes += bytes as u64;
            crossed.segments += bytes.div_ceil(SEGMENT_BYTES) as u64;
            crossed.moments.extend(turmoil::sim_elapsed());
        }
    }

    fn down(&self, bytes: usize) {
        self.up(bytes);
    }
}

/// What an hour cost.
#[derive(Debug, Default, Clone, Copy)]
struct Hour {
    /// TLS and all.
    bytes: u64,
    /// … with TCP/IP's headers.
    bytes_on_air: u64,
    wake_ups: u64,
    radio_bursts: u64,
    radio_s: f64,
}

impl Hour {
    fn of(before: &Crossed, after: &Crossed, wake_ups: u64) -> Self {
        let bytes = after.bytes - before.bytes;
        let segments = after.segments - before.segments;
        let moments = &after.moments[before.moments.len()..];
        let (mut bursts, mut on) = (0, Duration::ZERO);
        let mut last: Option<Duration> = None;
        for moment in moments {
            let silent = last.map_or(Duration::MAX, |last| *moment - last);
            match silent < TAIL {
                true => on += silent,
                false => {
                    bursts += 1;
                    on += if last.is_some() { TAIL } else { Duration::ZERO };
                }
            }
            last = Some(*moment);
        }
        if last.is_some() {
            on += TAIL;
        }
        Self {
            bytes,
            bytes_on_air: bytes + segments * 2 * HEADERS_BYTES,
            wake_ups,
            radio_bursts: bursts,
            radio_s: on.as_secs_f64(),
        }
    }
}

pub(super) fn run() -> Vec<Row> {
    let mut rows = Vec::new();
    for changes in [0_u64, 60] {
        let ours = forerunner(changes);
        let peers = [
            ("plain WebSocket, 30 s ping", web_socket(changes)),
            ("polling each 60 s", polling(changes)),
        ];
        let work = match changes {
            0 => "an hour of idle connection".to_owned(),
            n => format!("an hour with {n} changes"),
        };
        let mut row = |figure: &str, unit, of: fn(&Hour) -> f64| {
            let mut row = Row::new(&work, figure).ours(of(&ours), unit);
            for (name, peer) in &peers {
                row.peers.insert((*name).to_owned(), Some(of(peer)));
            }
            rows.push(row);
        };
        #[allow(clippy::cast_precision_loss)]
        {
            row("bytes, TLS and all", "B", |hour| hour.bytes as f64);
            row("bytes with TCP/IP (modelled)", "B", |hour| {
                hour.bytes_on_air as f64
            });
            row("wake-ups of the process", "", |hour| hour.wake_ups as f64);
            row("times that the radio goes on (modelled)", "", |hour| {
                hour.radio_bursts as f64
            });
            row("seconds that the radio is on (modelled)", "s", |hour| {
                hour.radio_s
            });
        }
    }
    rows
}

fn simulation() -> turmoil::Sim<'static> {
    turmoil::Builder::new()
        .rng_seed(6)
        .enable_tokio_io()
        .tick_duration(TICK)
        .simulation_duration(SIMULATED_MAX)
        .min_message_latency(Duration::from_millis(20))
        .max_message_latency(Duration::from_millis(60))
        .tcp_capacity(4_096)
        .build()
}

// --- ours

/// What the hosts share, as if somebody stood beside all of them.
#[derive(Default)]
struct Shared {
    ticket: Option<(String, CallId)>,
    hour: Option<Hour>,
}

type Beside = Arc<Mutex<Shared>>;

fn forerunner(changes: u64) -> Hour {
    let dir = tempfile::tempdir().unwrap();
    let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let text = config_text(&dir.path().join("data"), any, any);
    let config = dir.path().join("center.toml");
    std::fs::write(&config, text).unwrap();
    let (center, beside) = (SimulatedCenter::default(), Beside::default());
    let mut sim = simulation();
    let at_center = center.clone();
    sim.host(CENTER, move || at_center.clone().serve(config.clone()));
    sim.client("dispatch", dispatch(center.clone(), beside.clone()));
    let officer = officer(center.clone(), beside.clone(), dir, changes);
    sim.client("officer", officer);
    let threads = tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap();
    while !sim.step().unwrap() {
        center.wait_for_the_log(&threads);
    }
    let hour = beside.lock().unwrap().hour.take();
    hour.expect("the hour is over")
}

async fn dispatch(center: SimulatedCenter, beside: Beside) -> Done {
    let report = json!({
        "agency": AGENCY, "number": "26-1", "nature": "TRESPASS",
        "location": "400 W STATE ST", "units": ["1A1"],
    });
    let call = center.post("/v1/calls", &report, "id").await.parse()?;
    let label = json!({"agency": AGENCY, "label": "Phone"});
    let ticket = center.post("/v1/enrolment-codes", &label, "ticket").await;
    beside.lock().unwrap().ticket = Some((ticket, call));
    Ok(())
}

/// The phone: its session, and whoever measures it.
async fn officer(center: SimulatedCenter, beside: Beside, dir: TempDir, changes: u64) -> Done {
    let folder = dir.path().join("device");
    let wire = Wire::default();
    let options = Options {
        directory: folder.clone(),
        keys: Arc::new(FileKeyStore::open(&folder.join("keys"))?),
        signer: None,
        clock: Arc::new(SimulatedClock::start()),
        log: Arc::new(TracingLogger),
    };
    let counted = wire.clone();
    let network = SimulatedNetwork(move |socket| Counted::new(socket, counted.clone()));
    let core = Core::open_with(options, Arc::new(network))?.core;
    let (ticket, call) = loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        if let Some(ticket) = beside.lock().unwrap().ticket.clone() {
            break ticket;
        }
    };
    core.enrol(&ticket.parse()?).await?;
    core.sign_on("101", "1A1").await?;
    let _driver = core.start();
    while core.packet(call).await?.is_none() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    tokio::time::sleep(SETTLED).await;
    let before = (wire.lock().unwrap().clone(), core.metrics());
    for n in 0..changes {
        analyst(&center, call, n).await;
        tokio::time::sleep(HOUR / u32::try_from(changes).unwrap()).await;
    }
    if changes == 0 {
        tokio::time::sleep(HOUR).await;
    }
    let after: (Crossed, Metrics) = (wire.lock().unwrap().clone(), core.metrics());
    let wake_ups = after.1.wake_ups - before.1.wake_ups;
    let packet = core.packet(call).await?.expect("it stays");
    assert_eq!(note_texts(&packet).len() as u64, changes, "each came");
    assert_eq!(after.1.dials, before.1.dials, "one session all the time");
    assert!(matches!(*core.link().borrow(), LinkState::Online { .. }));
    let frames = |m: &Metrics| m.bytes_received + m.bytes_sent;
    eprintln!(
        "an hour with {changes} changes: {} bytes of frames, {} commits",
        frames(&after.1) - frames(&before.1),
        after.1.commits - before.1.commits,
    );
    beside.lock().unwrap().hour = Some(Hour::of(&before.0, &after.0, wake_ups));
    Ok(())
}

async fn analyst(center: &SimulatedCenter, call: CallId, n: u64) {
    let center = center.running().unwrap();
    let note = Note {
        text: format!("{NOTE} {n}"),
        by: "an analyst".into(),
    };
    center
        .write(call, Entry::Note(note), "an analyst")
        .await
        .unwrap();
}

// --- the peers

/// The change as a plain service would tell it.
fn change(n: u64) -> String {
    json!({
        "call": "80000000000000a1", "seq": 1_000 + n, "kind": "note", "by": "an analyst",
        "at": 1_790_000_000_000_u64 + n * 60_000, "text": format!("{NOTE} {n}"),
    })
    .to_string()
}

fn tls() -> (Arc<ServerConfig>, Arc<ClientConfig>) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()]).unwrap();
    let certificate: CertificateDer<'static> = made.cert.der().clone();
    let key = PrivateKeyDer::try_from(made.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider.clone())
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], key)
        .unwrap();
    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client = ClientConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    (Arc::new(server), Arc::new(client))
}

async fn connected(
    tls: &Arc<ClientConfig>,
    wire: &Wire,
) -> std::io::Result<tokio_rustls::client::TlsStream<Counted<TcpStream, Wire>>> {
    let inner = TcpStream::connect((CENTER, SYNC_PORT)).await?;
    let wire = wire.clone();
    let connector = tokio_rustls::TlsConnector::from(tls.clone());
    connector
        .connect("localhost".try_into().unwrap(), Counted::new(inner, wire))
        .await
}

/// Runs what a peer's client does; it gives what its hour cost.
fn peer<S, C>(
    server: impl Fn(tokio_rustls::server::TlsStream<TcpStream>) -> S + Clone + Send + 'static,
    client: impl FnOnce(Arc<ClientConfig>, Wire) -> C,
) -> Hour
where
    S: Future<Output = ()> + Send + 'static,
    C: Future<Output = Hour> + 'static,
{
    let (server_tls, client_tls) = tls();
    let mut sim = simulation();
    sim.host(CENTER, move || {
        let (acceptor, server) = (
            tokio_rustls::TlsAcceptor::from(server_tls.clone()),
            server.clone(),
        );
        async move {
            let listener = TcpListener::bind((Ipv4Addr::UNSPECIFIED, SYNC_PORT)).await?;
            loop {
                let (stream, _) = listener.accept().await?;
                let (acceptor, server) = (acceptor.clone(), server.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        server(stream).await;
                    }
                });
            }
        }
    });
    let told = Arc::new(Mutex::new(None));
    let hour = told.clone();
    let client = client(client_tls, Wire::default());
    sim.client("phone", async move {
        *hour.lock().unwrap() = Some(client.await);
        Ok(())
    });
    while !sim.step().unwrap() {}
    let hour = told.lock().unwrap().take();
    hour.unwrap()
}

fn web_socket(changes: u64) -> Hour {
    let server = move |stream: tokio_rustls::server::TlsStream<TcpStream>| async move {
        let mut socket = tokio_tungstenite::accept_async(stream).await.unwrap();
        tokio::time::sleep(SETTLED).await;
        let mut next = 0;
        let mut due = tokio::time::interval(HOUR / u32::try_from(changes.max(1)).unwrap());
        loop {
            tokio::select! {
                message = socket.next() => match message {
                    Some(Ok(_)) => {}
                    _ => return,
                },
                _ = due.tick(), if next < changes => {
                    let text = Message::text(change(next));
                    next += 1;
                    if socket.send(text).await.is_err() {
                        return;
                    }
                }
            }
        }
    };
    peer(server, move |tls, wire| async move {
        let stream = connected(&tls, &wire).await.unwrap();
        let (mut socket, _) = tokio_tungstenite::client_async("wss://localhost/changes", stream)
            .await
            .unwrap();
        // The first change comes within the hour, and so does the last.
        tokio::time::sleep(SETTLED - POLL / 10).await;
        let mut ping = tokio::time::interval(PING);
        ping.tick().await;
        let before = wire.lock().unwrap().clone();
        let end = Instant::now() + HOUR;
        let (mut wake_ups, mut heard) = (0, 0);
        loop {
            tokio::select! {
                message = socket.next() => {
                    if let Message::Text(_) = message.unwrap().unwrap() {
                        heard += 1;
                    }
                }
                _ = ping.tick() => socket.send(Message::Ping(Vec::new().into())).await.unwrap(),
                () = tokio::time::sleep_until(end) => break,
            }
            wake_ups += 1;
        }
        assert_eq!(heard, changes);
        let after = wire.lock().unwrap().clone();
        Hour::of(&before, &after, wake_ups)
    })
}

fn polling(changes: u64) -> Hour {
    let asked = Arc::new(Mutex::new(0));
    let server = move |mut stream: tokio_rustls::server::TlsStream<TcpStream>| {
        let asked = asked.clone();
        async move {
            let mut request = [0; 2_048];
            if stream.read(&mut request).await.is_err() {
                return;
            }
            let n = {
                let mut asked = asked.lock().unwrap();
                *asked += 1;
                *asked
            };
            // The first one only makes the ticket by which the others resume.
            let body = if n > 1 && n <= changes + 1 {
                change(n)
            } else {
                String::new()
            };
            let answer = match body.len() {
                0 => "HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n".to_owned(),
                length => format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\
                     Connection: close\r\n\r\n{body}"
                ),
            };
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    };
    peer(server, move |tls, wire| async move {
        let poll = async || {
            let mut stream = connected(&tls, &wire).await.unwrap();
            let request = "GET /v1/changes?after=1000 HTTP/1.1\r\nHost: localhost\r\n\
                           Authorization: Bearer 0123456789abcdef0123456789abcdef\r\nConnection: close\r\n\r\n";
            stream.write_all(request.as_bytes()).await.unwrap();
            let mut answer = Vec::new();
            stream.read_to_end(&mut answer).await.unwrap();
            answer.len()
        };
        poll().await;
        tokio::time::sleep(SETTLED).await;
        let before = wire.lock().unwrap().clone();
        let mut due = tokio::time::interval(POLL);
        let mut wake_ups = 0;
        for _ in 0..HOUR.as_secs() / POLL.as_secs() {
            due.tick().await;
            poll().await;
            // To ask, for the handshake's answer, for the answer.
            wake_ups += 3;
        }
        let after = wire.lock().unwrap().clone();
        Hour::of(&before, &after, wake_ups)
    })
}
