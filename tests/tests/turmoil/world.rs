//! A center, an officer's device and dispatch as hosts of one simulated network.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forerunner_tests::{AGENCY, LedgerCopy, config_text, note_texts};
use mobile_core::{Core, Ticket};
use packet::{CallId, DocumentId, Entry, EntryId, Note};
use serde_json::{Value, json};
use server::accept::Listener;
use server::center::Center;
use server::config::Config;
use server::log::{LogError, document};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use turmoil::net::{TcpListener, TcpStream};

use crate::officer;

pub(crate) const CENTER: &str = "center";
pub(crate) const OFFICER: &str = "officer";
const DISPATCH: &str = "dispatch";
pub(crate) const SYNC_PORT: u16 = 8443;
const CONSOLE_PORT: u16 = 8080;

/// What a step of the simulation is.
const TICK: Duration = Duration::from_millis(10);
/// Far beyond what anything takes, once the network is whole.
const STORY_MAX: Duration = Duration::from_secs(1_200);
/// Longer than an end waits before it gives up a link that is silent.
const SILENCE: Duration = Duration::from_secs(70);
/// What comes down in more than one round trip.
const CATCH_UP_NOTES: usize = 400;
/// Between two looks, or tries.
const LOOK_AGAIN: Duration = Duration::from_millis(200);
/// Between two notes, at most.
const PACE_MS_MAX: u64 = 400;

/// What goes wrong, and then is well again.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Fault {
    /// What is sent is lost, and nobody is told.
    Partition,
    /// What is sent waits.
    Hold,
    /// Up to two seconds each way.
    Delay,
    /// A second each way, whatever is sent.
    Far,
    CenterCrash,
    OfficerCrash,
}

/// What goes wrong when and for how long, and how long all write.
#[derive(Debug)]
pub(crate) struct Story {
    pub(crate) faults: Vec<(Duration, Fault, Duration)>,
    pub(crate) writing: Duration,
    /// Then the device misses much, and the link goes again while all that comes down.
    pub(crate) cut_catch_up: bool,
}

impl Story {
    /// Faults one after the other, each as the seed has it.
    pub(crate) fn storm(seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut at = Duration::from_secs(5);
        let mut faults = Vec::new();
        for _ in 0..5 {
            let fault = match random.u8(..6) {
                0 => Fault::Partition,
                1 => Fault::Hold,
                2 => Fault::Delay,
                3 => Fault::OfficerCrash,
                _ => Fault::CenterCrash,
            };
            at += Duration::from_millis(random.u64(100..6_000));
            let lasts = Duration::from_millis(random.u64(200..8_000));
            faults.push((at, fault, lasts));
            at += lasts;
        }
        let writing = at;
        Self {
            faults,
            writing,
            cut_catch_up: false,
        }
    }
}

/// What the hosts share, as if somebody stood beside all of them.
#[derive(Debug, Default)]
pub(crate) struct Shared {
    pub(crate) center: Option<Arc<Center>>,
    pub(crate) core: Option<Core>,
    pub(crate) ticket: Option<Ticket>,
    /// Texts of notes that somebody was told are kept.
    pub(crate) told: Vec<String>,
    pub(crate) silence: bool,
}

pub(crate) type Beside = Arc<Mutex<Shared>>;

pub(crate) type Done = Result<(), Box<dyn std::error::Error>>;

#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    beside: Beside,
    dir: TempDir,
}

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

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let text = config_text(&dir.path().join("data"), any, any);
        std::fs::write(dir.path().join("center.toml"), text).unwrap();
        Self {
            seed,
            beside: Beside::default(),
            dir,
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// Until all agree; the faults come and go on the way.
    pub(crate) fn run(&mut self, story: Story) {
        let mut sim = turmoil::Builder::new()
            .rng_seed(self.seed)
            .enable_tokio_io()
            .tick_duration(TICK)
            .simulation_duration(STORY_MAX)
            .min_message_latency(Duration::from_millis(5))
            .max_message_latency(Duration::from_millis(80))
            .tcp_capacity(4_096)
            .build();
        let (beside, config) = (self.beside.clone(), self.path("center.toml"));
        sim.host(CENTER, move || serve(beside.clone(), config.clone()));
        let (beside, folder) = (self.beside.clone(), self.path("device"));
        let seed = self.seed;
        sim.host(OFFICER, move || {
            officer::write(beside.clone(), folder.clone(), seed)
        });
        sim.client(
            DISPATCH,
            dispatch(
                self.beside.clone(),
                story.writing,
                story.cut_catch_up,
                self.seed,
            ),
        );
        let threads = tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap();
        let mut coming = story.faults;
        coming.sort_by_key(|(at, ..)| *at);
        coming.reverse();
        let mut well_again: Vec<(Duration, Fault)> = Vec::new();
        while !sim.step().unwrap() {
            let now = sim.elapsed();
            while let Some((_, fault, lasts)) = coming.pop_if(|(at, ..)| *at <= now) {
                self.begin(&mut sim, fault);
                well_again.push((now + lasts, fault));
            }
            for (_, fault) in well_again.extract_if(.., |(at, _)| *at <= now) {
                end(&mut sim, fault);
            }
            self.wait_for_the_log(&threads);
        }
        let mut beside = self.beside.lock().unwrap();
        (beside.center, beside.core) = (None, None);
    }

    fn begin(&self, sim: &mut turmoil::Sim<'_>, fault: Fault) {
        match fault {
            Fault::Partition => sim.partition(CENTER, OFFICER),
            Fault::Hold => sim.hold(CENTER, OFFICER),
            Fault::Delay => {
                sim.set_link_max_message_latency(CENTER, OFFICER, Duration::from_secs(2));
            }
            Fault::Far => sim.set_link_latency(CENTER, OFFICER, Duration::from_secs(1)),
            Fault::CenterCrash => {
                self.beside.lock().unwrap().center = None;
                sim.crash(CENTER);
            }
            Fault::OfficerCrash => {
                self.beside.lock().unwrap().core = None;
                sim.crash(OFFICER);
            }
        }
    }

    /// What was given to the log's thread is done before simulated time goes on.
    fn wait_for_the_log(&self, threads: &tokio::runtime::Runtime) {
        let center = self.beside.lock().unwrap().center.clone();
        if let Some(center) = center {
            let nothing = center.log.write(|_| Ok::<(), LogError>(()));
            threads.block_on(nothing).unwrap();
        }
    }

    /// What was told is in the log, once.
    pub(crate) fn judge(&self) {
        let log = LedgerCopy::read(&self.path("data"));
        let mut notes = std::collections::BTreeMap::<_, u32>::new();
        for logged in &log.entries {
            if let Entry::Note(note) = &logged.entry {
                *notes.entry(note.text.as_str()).or_default() += 1;
            }
        }
        let told = &self.beside.lock().unwrap().told;
        let lost: Vec<_> = told
            .iter()
            .filter(|t| !notes.contains_key(t.as_str()))
            .collect();
        let doubled: Vec<_> = notes.iter().filter(|(_, count)| **count > 1).collect();
        assert!(
            lost.is_empty() && doubled.is_empty(),
            "lost {lost:?}, doubled {doubled:?}"
        );
        assert!(
            log.seqs.iter().copied().eq(1..=log.seqs.len() as u64),
            "a gap in the log"
        );
        assert_eq!(log.integrity, "ok");
        for who in ["analyst", "officer"] {
            let count = told.iter().filter(|text| text.starts_with(who)).count();
            assert!(count > 20, "{who} wrote only {count} notes");
        }
    }
}

fn end(sim: &mut turmoil::Sim<'_>, fault: Fault) {
    match fault {
        Fault::Partition => sim.repair(CENTER, OFFICER),
        Fault::Hold => sim.release(CENTER, OFFICER),
        Fault::Delay => {
            sim.set_link_max_message_latency(CENTER, OFFICER, Duration::from_millis(80));
        }
        Fault::Far => sim.set_link_latency(CENTER, OFFICER, Duration::from_millis(80)),
        Fault::CenterCrash => sim.bounce(CENTER),
        Fault::OfficerCrash => sim.bounce(OFFICER),
    }
}

/// The center's host.
async fn serve(beside: Beside, config: PathBuf) -> Done {
    let listen = async |port| TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await;
    let sync = SimulatedListener(listen(SYNC_PORT).await?);
    let console = SimulatedListener(listen(CONSOLE_PORT).await?);
    // No center yet whose log's thread could be waited for: a blocking task holds the clock.
    let (starting, started) = std::sync::mpsc::channel::<()>();
    tokio::task::spawn_blocking(move || started.recv());
    let running = Center::start_on(Config::read(&config)?, sync, console).await?;
    drop(starting);
    beside.lock().unwrap().center = Some(running.center.clone());
    // Until it crashes, or the simulation is over.
    std::future::pending().await
}

/// Dispatch, an analyst, and whoever looks at both ends in the end.
async fn dispatch(beside: Beside, writing: Duration, cut_catch_up: bool, seed: u64) -> Done {
    let report = json!({
        "agency": AGENCY, "number": "26-1", "nature": "TRESPASS",
        "location": "400 W STATE ST", "units": ["1A1"],
    });
    let call: CallId = post(&beside, "/v1/calls", &report, "id").await.parse()?;
    let label = json!({"agency": AGENCY, "label": "MDT"});
    let ticket = post(&beside, "/v1/enrolment-codes", &label, "ticket").await;
    beside.lock().unwrap().ticket = Some(ticket.parse()?);
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0_u64.. {
        if turmoil::sim_elapsed().unwrap() > writing {
            break;
        }
        note(&beside, call, format!("analyst note {n}")).await;
        tokio::time::sleep(Duration::from_millis(random.u64(..PACE_MS_MAX))).await;
    }
    if cut_catch_up {
        cut_in_the_middle(&beside, call).await;
    }
    beside.lock().unwrap().silence = true;
    agree(&beside, call).await;
    Ok(())
}

/// An analyst's note, if the center is there to take it.
async fn note(beside: &Beside, call: CallId, text: String) {
    let center = beside.lock().unwrap().center.clone();
    let Some(center) = center else {
        return;
    };
    let by = "an analyst".to_owned();
    let entry = Entry::Note(Note {
        text: text.clone(),
        by,
    });
    if center.write(call, entry, "an analyst").await.is_ok() {
        beside.lock().unwrap().told.push(text);
    }
}

async fn cut_in_the_middle(beside: &Beside, call: CallId) {
    // None before the device has the packet.
    let here = async || {
        let core = beside.lock().unwrap().core.clone()?;
        let packet = core.packet(call).await.unwrap()?;
        let notes = note_texts(&packet);
        let missed = notes.iter().filter(|t| t.starts_with("analyst missed"));
        Some(missed.count())
    };
    while here().await.is_none() {
        tokio::time::sleep(LOOK_AGAIN).await;
    }
    turmoil::partition(CENTER, OFFICER);
    for n in 0..CATCH_UP_NOTES {
        note(beside, call, format!("analyst missed {n}")).await;
    }
    tokio::time::sleep(SILENCE).await;
    assert_eq!(here().await, Some(0));
    turmoil::repair(CENTER, OFFICER);
    let mut came = 0;
    while came == 0 {
        tokio::time::sleep(TICK).await;
        came = here().await.unwrap();
    }
    assert!(came < CATCH_UP_NOTES, "all came at once");
    println!("turmoil: the link goes when {came} of {CATCH_UP_NOTES} notes have come");
    turmoil::partition(CENTER, OFFICER);
    tokio::time::sleep(SILENCE).await;
    turmoil::repair(CENTER, OFFICER);
}

/// Waits until nothing is unsent and the device has what the log has.
async fn agree(beside: &Beside, call: CallId) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let (center, core) = {
            let beside = beside.lock().unwrap();
            (beside.center.clone(), beside.core.clone())
        };
        let (Some(center), Some(core)) = (center, core) else {
            continue;
        };
        if core.outbox_len().await.unwrap() > 0 {
            continue;
        }
        let Some(packet) = core.packet(call).await.unwrap() else {
            continue;
        };
        let here = packet.entries.iter();
        let mut here: Vec<_> = here
            .map(|e| (e.seq.unwrap_or(0), e.document, e.id))
            .collect();
        here.sort();
        if here == logged(&center, call).await {
            return;
        }
    }
}

async fn logged(center: &Center, call: CallId) -> Vec<(u64, DocumentId, EntryId)> {
    let read = move |connection: &rusqlite::Connection| {
        let mut all = Vec::new();
        for compartment in server::log::Ledger::carried() {
            let id = DocumentId::new(call, compartment);
            let entries = document(connection, id)?.into_iter();
            all.extend(entries.map(|logged| (logged.seq, id, logged.inspected.id)));
        }
        all.sort();
        Ok::<_, LogError>(all)
    };
    center.log.readers().read(read).await.unwrap()
}

/// Asks until the answer has this field.
async fn post(beside: &Beside, path: &str, body: &Value, field: &str) -> String {
    loop {
        let token = beside
            .lock()
            .unwrap()
            .center
            .as_ref()
            .map(|center| center.token.clone());
        if let Some(token) = token
            && let Ok(answer) = ask(path, &token, body).await
            && let Some(text) = answer[field].as_str()
        {
            return text.to_owned();
        }
        tokio::time::sleep(LOOK_AGAIN).await;
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
