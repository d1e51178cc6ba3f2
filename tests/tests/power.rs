//! Power cuts in the middle of traffic, at the center and on a device at the same moment.
//!
//! One recording of a center and a device that both write; then states of both their disks
//! as a power cut may leave them, each opened by the code that opens it on any morning.
//! What somebody was told is kept before the cut must be there, once; and what the device
//! believes the center to have, the center has.
//!
//! `FORERUNNER_SEED` says which moments and what is lost.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use forerunner_tests::power::{Disk, Recorder, Tape};
use forerunner_tests::{LedgerCopy, LoggedEntry, TestCenter, TestDevice, notes};
use mobile_core::identity::{FileKeyStore, KeyStore};
use mobile_core::{Core, Options, SystemClock, TracingLogger};
use packet::{CallId, DocumentId, Entry, EntryId};
use tempfile::TempDir;

/// Each leaves the center's disk and the device's: two states.
const CUTS: usize = 100;
/// Enough for both stores to write their logs back several times.
const NOTES_EACH: usize = 300;
/// One of so many of the device's notes is written while there is no link.
const OFFLINE_EVERY: usize = 50;

/// A text that somebody was told is kept, when so much was done.
struct Told {
    text: String,
    position: usize,
}

/// What was done, and what is beside the stores.
struct Recording {
    tape: Tape,
    /// Once both had their stores.
    began: usize,
    analyst: Vec<Told>,
    officer: Vec<Told>,
    calls: [CallId; 2],
    center: PathBuf,
    device: PathBuf,
    _dirs: (TestCenter, Option<TempDir>),
}

async fn record() -> Recording {
    let recorder = Recorder::start();
    let mut center = TestCenter::start().await;
    let calls = [
        center.api.call("26-1", &["1A1"]).await,
        center.api.call("26-2", &["1A1"]).await,
    ];
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    for call in calls {
        device.packet(call, |_| true).await;
    }
    let began = recorder.position();
    let told = |text: String| Told {
        text,
        position: recorder.position(),
    };
    let at_center = async {
        let mut all = Vec::new();
        for n in 0..NOTES_EACH {
            let text = format!("analyst note {n}");
            center.note(calls[n % 2], &text).await;
            all.push(told(text));
        }
        all
    };
    let on_device = async {
        let mut all = Vec::new();
        for n in 0..NOTES_EACH {
            if n % OFFLINE_EVERY == 0 {
                device.core.set_link((n / OFFLINE_EVERY).is_multiple_of(2));
            }
            let text = format!("device note {n}");
            device.core.add_note(calls[n % 2], &text).await.unwrap();
            all.push(told(text));
        }
        device.core.set_link(true);
        all
    };
    let (analyst, officer) = tokio::join!(at_center, on_device);
    device.has_sent_all().await;
    let tape = recorder.end();
    let (center_data, device_folder) = (center.data(), device.folder().to_owned());
    let dir = device.close().await;
    center.stop().await;
    Recording {
        tape,
        began,
        analyst,
        officer,
        calls,
        center: center_data,
        device: device_folder,
        _dirs: (center, dir),
    }
}

/// What a folder of keys held: small files that were durable before the stores were made.
fn copy_keys(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for file in fs::read_dir(from).unwrap() {
        let file = file.unwrap();
        fs::copy(file.path(), to.join(file.file_name())).unwrap();
    }
}

/// What lay below `folder`, in a new one.
fn lay_out(disk: &Disk<'_>, folder: &Path, random: &mut fastrand::Rng) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_keys(&folder.join("keys"), &dir.path().join("keys"));
    for (place, bytes) in disk.cut(folder, random) {
        let path = dir.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, bytes).unwrap();
    }
    dir
}

/// What was told before the cut and is not there, and what is there twice.
fn faults<'a>(told: impl Iterator<Item = &'a Told>, cut: usize, found: &[String]) -> Vec<String> {
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for text in found {
        *counts.entry(text).or_default() += 1;
    }
    let doubled = counts.iter().filter(|(_, count)| **count > 1);
    let mut faults: Vec<_> = doubled
        .map(|(text, _)| format!("doubled: {text}"))
        .collect();
    let before = told.filter(|told| told.position <= cut);
    let lost = before.filter(|told| !counts.contains_key(told.text.as_str()));
    faults.extend(lost.map(|told| format!("lost: {}", told.text)));
    faults
}

struct AtCenter {
    faults: Vec<String>,
    /// Each entry's place in the log.
    seqs: BTreeMap<(DocumentId, EntryId), u64>,
}

fn judge_center(recording: &Recording, cut: usize, data: &Path) -> AtCenter {
    let Ok(log) = std::panic::catch_unwind(|| LedgerCopy::read(data)) else {
        return AtCenter {
            faults: vec!["the center's log does not open".into()],
            seqs: BTreeMap::new(),
        };
    };
    let texts: Vec<String> = log
        .entries
        .iter()
        .filter_map(|logged| note(&logged.entry))
        .collect();
    let mut faults = faults(recording.analyst.iter(), cut, &texts);
    if log.integrity != "ok" {
        faults.push(format!("the center's pages: {}", log.integrity));
    }
    if !log.seqs.iter().copied().eq(1..=log.seqs.len() as u64) {
        faults.push("a gap in the log".into());
    }
    let place = |logged: &LoggedEntry| ((logged.document, logged.id), logged.seq);
    AtCenter {
        faults,
        seqs: log.entries.iter().map(place).collect(),
    }
}

fn note(entry: &Entry) -> Option<String> {
    match entry {
        Entry::Note(note) => Some(note.text.clone()),
        _ => None,
    }
}

/// Opens the device's store as the device does, and reads its screen.
async fn judge_device(
    recording: &Recording,
    cut: usize,
    folder: &Path,
    center: &AtCenter,
) -> Vec<String> {
    let keys = Arc::new(FileKeyStore::open(&folder.join("keys")).unwrap());
    let opened = Core::open(Options {
        directory: folder.to_owned(),
        keys: keys.clone(),
        signer: None,
        clock: Arc::new(SystemClock::new()),
        log: Arc::new(TracingLogger),
    });
    let opened = match opened {
        Ok(opened) => opened,
        Err(error) => return vec![format!("the device does not open: {error}")],
    };
    let mut all = Vec::new();
    if let Some(aside) = &opened.set_aside {
        all.push(format!(
            "the device's store was set aside: {}",
            aside.display()
        ));
    }
    let mut texts = Vec::new();
    for call in recording.calls {
        let Some(packet) = opened.core.packet(call).await.unwrap() else {
            continue;
        };
        texts.extend(notes(&packet).filter_map(|view| note(&view.written.entry)));
        for entry in &packet.entries {
            if let Some(seq) = entry.seq
                && center.seqs.get(&(entry.document, entry.id)) != Some(&seq)
            {
                all.push(format!(
                    "the device has {} as {seq}, the center not",
                    entry.id
                ));
            }
        }
    }
    all.extend(faults(recording.officer.iter(), cut, &texts));
    opened.core.pause().await.unwrap();
    let found = integrity(&folder.join("store/packets.db"), keys.as_ref());
    if found != "ok" {
        all.push(format!("the device's pages: {found}"));
    }
    all
}

fn integrity(file: &Path, keys: &dyn KeyStore) -> String {
    let key = keys.load("store-key").unwrap().unwrap();
    let key = data_encoding::HEXLOWER.encode(&key);
    let connection = rusqlite::Connection::open(file).unwrap();
    connection
        .execute_batch(&format!("PRAGMA key = \"x'{key}'\""))
        .unwrap();
    let check = "PRAGMA integrity_check";
    connection.query_row(check, [], |row| row.get(0)).unwrap()
}

/// When the power fails: nine of ten times while both write, else while the stores are made.
fn moments(recording: &Recording, random: &mut fastrand::Rng) -> Vec<usize> {
    let length = recording.tape.events.len();
    let early = (0..CUTS / 10).map(|_| random.usize(..recording.began));
    let mut cuts: Vec<usize> = early.collect();
    cuts.extend((cuts.len()..CUTS).map(|_| random.usize(recording.began..=length)));
    cuts.sort_unstable();
    cuts
}

/// The faults of the first cut that has any.
async fn judge(recording: &Recording, lies: bool, seed: u64) -> Vec<String> {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut disk = Disk::new(&recording.tape);
    for cut in moments(recording, &mut random) {
        if lies && cut > recording.began {
            disk.lie();
        }
        disk.advance(cut);
        let data = lay_out(&disk, &recording.center, &mut random);
        let folder = lay_out(&disk, &recording.device, &mut random);
        let center = judge_center(recording, cut, data.path());
        let mut faults = judge_device(recording, cut, folder.path(), &center).await;
        faults.extend(center.faults);
        if !faults.is_empty() {
            faults.truncate(10);
            faults.insert(0, format!("seed {seed}, cut after {cut} steps"));
            return faults;
        }
    }
    Vec::new()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_power_cut_loses_and_doubles_nothing_that_was_told() {
    let seed = std::env::var("FORERUNNER_SEED").ok();
    let seed = seed.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    let recording = record().await;
    let events = recording.tape.events.len();
    println!("power: seed {seed}, {events} steps recorded, {CUTS} cuts of two disks");
    let found = judge(&recording, false, seed).await;
    assert_eq!(found, Vec::<String>::new());
    // That there is something to find: a disk that calls synced what it has not written.
    let found = judge(&recording, true, seed).await;
    assert!(!found.is_empty(), "a disk that lies is not caught");
    println!("power: a lying disk is caught: {}", found.join("; "));
}
