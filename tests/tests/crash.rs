//! `kill -9`, again and again, of the center and of devices that write all the time.
//!
//! What somebody was told is kept must be in the log in the end, once: an officer's
//! note when `add_note` has returned, dispatch's and the analyst's when the center has
//! answered. What nobody was told may be there or not, but never twice.
//!
//! Several worlds, each a center of its own with its devices, are killed side by side: a
//! kill waits more than it works. Most come in short order, some late enough for devices
//! to have come back and caught up.
//!
//! `FORERUNNER_KILLS` says how many kills in all, `FORERUNNER_SEED` which moments.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use forerunner_tests::{AGENCY, LedgerCopy, ServedCenter, TestApi, TestDevice, until};
use futures_util::future::join_all;
use mobile_core::{CancellationToken, Packet};
use packet::{CallId, Compartment, Entry};
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::task::JoinHandle;

const KILLS: u32 = 2_000;
const WORLDS: u32 = 4;
/// Between two kills; one of so many waits for up to the longer time.
const PAUSE_MS_MAX: u64 = 100;
const LONG_PAUSE_MS_MAX: u64 = 800;
const LONG_PAUSE_ONE_OF: u32 = 5;

/// What somebody was told is kept.
#[derive(Debug, Default)]
struct Kept {
    /// Texts of notes, by devices and by the analyst.
    notes: Vec<String>,
    /// Narratives of updates.
    updates: Vec<String>,
    /// CAD's numbers of calls.
    numbers: Vec<String>,
}

type Told = Arc<Mutex<Kept>>;

/// A device's process, on a folder that outlives it.
struct Writer {
    dir: TempDir,
    badge: &'static str,
    unit: &'static str,
    runs: u32,
    process: Option<(Child, JoinHandle<()>)>,
    told: Told,
}

impl Writer {
    async fn start(api: &TestApi, badge: &'static str, unit: &'static str, told: &Told) -> Self {
        let ticket = api.ticket(unit).await.to_string();
        let mut writer = Self {
            dir: tempfile::tempdir().unwrap(),
            badge,
            unit,
            runs: 0,
            process: None,
            told: told.clone(),
        };
        writer.run(Some(ticket)).await;
        writer
    }

    async fn run(&mut self, ticket: Option<String>) {
        self.runs += 1;
        let mut child = Command::new(env!("CARGO_BIN_EXE_crash_device"))
            .arg(self.dir.path())
            .arg(format!("{}.{}", self.unit, self.runs))
            .args([self.badge, self.unit])
            .args(ticket)
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let first = tokio::time::timeout(forerunner_tests::PATIENCE, lines.next_line()).await;
        let first = first.expect("the device starts").unwrap();
        assert_eq!(first.as_deref(), Some("up"), "{} did not start", self.unit);
        let told = self.told.clone();
        let listener = tokio::spawn(async move {
            while let Some(line) = lines.next_line().await.unwrap() {
                // A line that the kill has cut was not said.
                let mut words = line.splitn(4, ' ');
                if words.next() == Some("kept")
                    && let Some(text) = words.nth(2)
                {
                    told.lock().unwrap().notes.push(text.to_owned());
                }
            }
        });
        self.process = Some((child, listener));
    }

    async fn kill(&mut self) {
        let (mut child, listener) = self.process.take().unwrap();
        let ended = child.try_wait().unwrap();
        assert!(ended.is_none(), "{} ended by itself: {ended:?}", self.unit);
        child.start_kill().unwrap();
        child.wait().await.unwrap();
        listener.await.unwrap();
    }
}

/// Dispatch and an analyst, who write all the time too.
async fn write_at_the_center(api: TestApi, call: CallId, told: Told, stop: CancellationToken) {
    for n in 0_u64.. {
        let number = format!("crash-{n}");
        // Dispatch repeats what was not answered: told twice, it is one call.
        let report = json!({
            "agency": AGENCY, "number": number, "nature": "TRESPASS",
            "location": format!("{n} W STATE ST"), "received": "2026-01-05T18:22:31-05:00",
            "updated": "2026-01-05T18:22:31-05:00",
        });
        loop {
            match api.post("/v1/calls", &report).await {
                Ok(answer) if answer.is_success() => break,
                _ if stop.is_cancelled() => return,
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
        told.lock().unwrap().numbers.push(number);

        let narrative = format!("update {n}");
        let update = json!({
            "agency": AGENCY, "number": "26-1", "nature": "TRESPASS",
            "location": "400 W STATE ST", "narrative": [narrative],
        });
        if let Ok(answer) = api.post("/v1/calls", &update).await
            && answer.body["news"] == "updated"
        {
            told.lock().unwrap().updates.push(narrative);
        }

        let text = format!("analyst note {n}");
        if let Ok(answer) = api.form(&format!("/calls/{call}/notes"), &text).await {
            assert_eq!(answer.status, 200, "{answer:?}");
            told.lock().unwrap().notes.push(text);
        }
        if stop.is_cancelled() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(15)).await;
    }
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_that_was_acknowledged_is_lost_or_doubled_by_kills() {
    let kills = number_from("FORERUNNER_KILLS").map_or(KILLS, |kills| kills.try_into().unwrap());
    let seed = number_from("FORERUNNER_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("crash: seed {seed}, {kills} kills in {WORLDS} worlds");
    let began = Instant::now();
    let world = |world: u32| {
        let moments = fastrand::Rng::with_seed(seed.wrapping_add(world.into()));
        survive(kills.div_ceil(WORLDS), moments)
    };
    join_all((0..WORLDS).map(world)).await;
    println!("crash: done in {:?}", began.elapsed());
}

/// The moment is the test's matter: anywhere in a commit, a frame, a start.
async fn pause(moments: &mut fastrand::Rng) {
    let ms_max = if moments.u32(..LONG_PAUSE_ONE_OF) == 0 {
        LONG_PAUSE_MS_MAX
    } else {
        PAUSE_MS_MAX
    };
    tokio::time::sleep(Duration::from_millis(moments.u64(..ms_max))).await;
}

/// One world, from its start to its judgement.
async fn survive(kills: u32, mut moments: fastrand::Rng) {
    let told = Told::default();
    let mut center = ServedCenter::start().await;
    let call = center.api.call("26-1", &["1A1", "1A2"]).await;
    center.api.call("26-2", &["1A1", "1A2"]).await;
    let mut writers = [
        Writer::start(&center.api, "101", "1A1", &told).await,
        Writer::start(&center.api, "102", "1A2", &told).await,
    ];
    let stop = CancellationToken::new();
    let traffic = tokio::spawn(write_at_the_center(
        center.api.clone(),
        call,
        told.clone(),
        stop.clone(),
    ));

    let began = Instant::now();
    for kill in 0..kills {
        pause(&mut moments).await;
        if kill % 2 == 0 {
            center.kill().await;
            center.start_again().await;
        } else {
            let writer = &mut writers[moments.usize(..2)];
            writer.kill().await;
            writer.run(None).await;
        }
        assert!(!traffic.is_finished(), "dispatch has stopped writing");
    }
    stop.cancel();
    traffic.await.unwrap();
    for writer in &mut writers {
        writer.kill().await;
    }
    println!("crash: {kills} kills in {:?}", began.elapsed());

    for writer in &writers {
        let device = TestDevice::open(writer.dir.path());
        assert_eq!(device.set_aside, None);
        device.core.network_changed();
        device.has_sent_all().await;
        // A kill between the sealed file and the commit leaves a file of what was not kept,
        // which the center may have refused since; nothing else may be left.
        let few = async || (device.sealed_files() <= writer.runs as usize).then_some(());
        until("what was sealed is handed in", few).await;
        device.close().await;
    }
    // Both again, now that nothing more comes.
    for writer in &writers {
        let device = TestDevice::open(writer.dir.path());
        device.online().await;
        has_what_the_center_has(&center.api, &device, writer.unit).await;
        device.close().await;
    }
    assert!(center.stop().await.success());

    let log = LedgerCopy::read(&center.data());
    let kept = std::mem::take(&mut *told.lock().unwrap());
    judge(&log, &kept);
}

/// The calls that the center says this unit has.
async fn calls_of(api: &TestApi, unit: &str) -> Vec<CallId> {
    let mut path = "/v1/calls?state=all&limit=500".to_owned();
    let mut calls = Vec::new();
    loop {
        let page = api.get(&path).await.unwrap().body;
        let listed = page["calls"].as_array().unwrap().iter();
        let mine = listed.filter(|call| call["units"].as_array().unwrap().contains(&json!(unit)));
        calls.extend(mine.map(|call| call["id"].as_str().unwrap().parse::<CallId>().unwrap()));
        match page["next"].as_str() {
            Some(after) => path = format!("/v1/calls?state=all&limit=500&after={after}"),
            None => break,
        }
    }
    calls.sort_unstable();
    calls
}

/// Waits until the packets of this unit on the device are those of the center.
async fn has_what_the_center_has(api: &TestApi, device: &TestDevice, unit: &str) {
    // Asked again with each look: a packet whose opening was sealed beside a commit that
    // a kill prevented is handed in only now.
    let same = async || {
        let packets = device.core.packets().await.unwrap();
        let mut here: Vec<_> = packets.iter().map(|packet| packet.call).collect();
        here.sort_unstable();
        (here == calls_of(api, unit).await).then_some(here)
    };
    let calls = until("the device has the packets of its unit", same).await;
    assert!(calls.len() > 1, "both units have packets");
    for call in calls {
        // Asked again with each look: what was sealed may be handed in only now.
        let mut apart = String::new();
        let deadline = Instant::now() + forerunner_tests::PATIENCE;
        loop {
            let at_center = api.get(&format!("/v1/calls/{call}")).await.unwrap().body;
            let at_center = at_center["entries"].as_array().unwrap().clone();
            let packet = device.core.packet(call).await.unwrap();
            let here = packet.as_ref().map(on_device).unwrap_or_default();
            if here == at_center {
                break;
            }
            if Instant::now() > deadline {
                let only = |these: &[Value], those: &[Value]| -> Vec<Value> {
                    these
                        .iter()
                        .filter(|entry| !those.contains(entry))
                        .take(3)
                        .cloned()
                        .collect()
                };
                apart = format!(
                    "{call} on {unit}, {:?}: {} entries, {} at the center; only here {:?}; only there {:?}",
                    *device.core.link().borrow(),
                    here.len(),
                    at_center.len(),
                    only(&here, &at_center),
                    only(&at_center, &here),
                );
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        assert_eq!(apart, "", "the device has what the center has");
    }
}

/// The packet's entries as the center's API has them.
fn on_device(packet: &Packet) -> Vec<Value> {
    let entry = |entry: &mobile_core::EntryView| {
        let mut fields: Map<String, Value> = entry.written.entry.to_fields().unwrap();
        fields.insert("id".into(), json!(entry.id));
        fields.insert("seq".into(), json!(entry.seq));
        let compartment = entry.document.compartment.name();
        fields.insert("compartment".into(), json!(compartment));
        fields.insert("author_ms".into(), json!(entry.author_ms));
        fields.insert("center_ms".into(), json!(entry.received_ms));
        Value::Object(fields)
    };
    packet.entries.iter().map(entry).collect()
}

fn judge(log: &LedgerCopy, kept: &Kept) {
    let mut notes: BTreeMap<&str, u32> = BTreeMap::new();
    let mut updates: BTreeMap<&str, u32> = BTreeMap::new();
    for logged in &log.entries {
        match &logged.entry {
            Entry::Note(note) => *notes.entry(&note.text).or_default() += 1,
            Entry::Facts(facts) if logged.document.compartment == Compartment::Call => {
                if let Some(narrative) = &facts.narrative {
                    *updates.entry(narrative).or_default() += 1;
                }
            }
            _ => {}
        }
    }
    let numbers: BTreeMap<&str, u32> = log
        .numbers
        .iter()
        .map(|(n, times)| (n.as_str(), *times))
        .collect();
    let (mut lost, mut doubled) = (Vec::new(), Vec::new());
    for (kept, found) in [
        (&kept.notes, &notes),
        (&kept.updates, &updates),
        (&kept.numbers, &numbers),
    ] {
        lost.extend(
            kept.iter()
                .filter(|text| !found.contains_key(text.as_str())),
        );
        doubled.extend(
            found
                .iter()
                .filter(|(_, times)| **times > 1)
                .map(|(text, _)| *text),
        );
    }
    println!(
        "crash: {} notes, {} updates and {} calls were acknowledged; the log has {} entries, {} of them notes; {} lost, {} doubled",
        kept.notes.len(),
        kept.updates.len(),
        kept.numbers.len(),
        log.entries.len(),
        notes.len(),
        lost.len(),
        doubled.len(),
    );
    assert_eq!((lost, doubled), (vec![], vec![]), "lost; doubled");
    assert!(
        log.seqs.iter().copied().eq(1..=log.seqs.len() as u64),
        "a gap in the log"
    );
    assert_eq!(log.integrity, "ok");
    let analysts = kept
        .notes
        .iter()
        .filter(|text| text.starts_with("analyst"))
        .count();
    assert!(analysts > 0 && kept.notes.len() > analysts && !kept.updates.is_empty());
}
