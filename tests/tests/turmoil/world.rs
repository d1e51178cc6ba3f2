//! A center, an officer's device and dispatch as hosts of one simulated network.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use forerunner_tests::simulated::{CENTER, Done, SimulatedCenter};
use forerunner_tests::{AGENCY, LedgerCopy, config_text, note_texts};
use mobile_core::{Core, Ticket};
use packet::{CallId, DocumentId, Entry, EntryId, Note};
use serde_json::json;
use server::center::Center;
use server::log::{LogError, document};
use tempfile::TempDir;

use crate::officer;

pub(crate) const OFFICER: &str = "officer";
const DISPATCH: &str = "dispatch";

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
    pub(crate) core: Option<Core>,
    pub(crate) ticket: Option<Ticket>,
    /// Texts of notes that somebody was told are kept.
    pub(crate) told: Vec<String>,
    pub(crate) silence: bool,
}

pub(crate) type Beside = Arc<Mutex<Shared>>;

#[derive(Debug)]
pub(crate) struct World {
    seed: u64,
    center: SimulatedCenter,
    beside: Beside,
    dir: TempDir,
}

impl World {
    pub(crate) fn new(seed: u64) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let any = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let text = config_text(&dir.path().join("data"), any, any);
        std::fs::write(dir.path().join("center.toml"), text).unwrap();
        Self {
            seed,
            center: SimulatedCenter::default(),
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
        let (center, config) = (self.center.clone(), self.path("center.toml"));
        sim.host(CENTER, move || center.clone().serve(config.clone()));
        let (beside, folder) = (self.beside.clone(), self.path("device"));
        let seed = self.seed;
        sim.host(OFFICER, move || {
            officer::write(beside.clone(), folder.clone(), seed)
        });
        sim.client(
            DISPATCH,
            dispatch(
                self.center.clone(),
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
            self.center.wait_for_the_log(&threads);
        }
        self.center.forget();
        self.beside.lock().unwrap().core = None;
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
                self.center.forget();
                sim.crash(CENTER);
            }
            Fault::OfficerCrash => {
                self.beside.lock().unwrap().core = None;
                sim.crash(OFFICER);
            }
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

/// Dispatch, an analyst, and whoever looks at both ends in the end.
async fn dispatch(
    center: SimulatedCenter,
    beside: Beside,
    writing: Duration,
    cut_catch_up: bool,
    seed: u64,
) -> Done {
    let report = json!({
        "agency": AGENCY, "number": "26-1", "nature": "TRESPASS",
        "location": "400 W STATE ST", "units": ["1A1"],
    });
    let call: CallId = center.post("/v1/calls", &report, "id").await.parse()?;
    let label = json!({"agency": AGENCY, "label": "MDT"});
    let ticket = center.post("/v1/enrolment-codes", &label, "ticket").await;
    beside.lock().unwrap().ticket = Some(ticket.parse()?);
    let mut random = fastrand::Rng::with_seed(seed);
    for n in 0_u64.. {
        if turmoil::sim_elapsed().unwrap() > writing {
            break;
        }
        note(&center, &beside, call, format!("analyst note {n}")).await;
        tokio::time::sleep(Duration::from_millis(random.u64(..PACE_MS_MAX))).await;
    }
    if cut_catch_up {
        cut_in_the_middle(&center, &beside, call).await;
    }
    beside.lock().unwrap().silence = true;
    agree(&center, &beside, call).await;
    Ok(())
}

/// An analyst's note, if the center is there to take it.
async fn note(center: &SimulatedCenter, beside: &Beside, call: CallId, text: String) {
    let Some(center) = center.running() else {
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

async fn cut_in_the_middle(center: &SimulatedCenter, beside: &Beside, call: CallId) {
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
        note(center, beside, call, format!("analyst missed {n}")).await;
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
async fn agree(center: &SimulatedCenter, beside: &Beside, call: CallId) {
    loop {
        tokio::time::sleep(LOOK_AGAIN).await;
        let core = beside.lock().unwrap().core.clone();
        let (Some(center), Some(core)) = (center.running(), core) else {
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
