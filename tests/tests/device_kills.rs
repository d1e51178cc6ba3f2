//! `kill -9` of a device in the midst of a contact, of closing its store, of migrating it,
//! and of the end of a shift.
//!
//! After each kill the store opens, every note that the officer was told is kept is there
//! once, and each that is unsent has its sealed file; in the end the center has each once. A
//! kill counts only where it came between the beginning of what it was meant for and its end.
//!
//! `FORERUNNER_KILLS` says how many kills in all, `FORERUNNER_SEED` which moments.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::fs;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use forerunner_tests::{PATIENCE, TestCenter, TestDevice, note_texts, until};
use mobile_core::identity::FileKeyStore;
use mobile_core::{
    CancellationToken, Core, MineState, Opened, Options, Packet, SystemClock, TracingLogger,
};
use packet::CallId;
use tempfile::TempDir;
use tokio::runtime::Handle;

/// Over the four works, in equal parts.
const KILLS: u32 = 520;
/// Of so many kills, one at least has to come where it was meant to.
const MISSES_MAX: u32 = 5;
/// The longest that is waited for the moment, and what a work is taken to last at first.
const WAIT_MAX: Duration = Duration::from_millis(80);
const LASTS_FIRST: Duration = Duration::from_millis(10);
/// The work is done up to so often before the one in which the kill comes.
const TIMES_MAX: u32 = 3;
/// What an older store has to be migrated with, beside what it had.
const NOTES_MULTIPLIED: usize = 1_200;
/// Analysts write this often.
const NEWS: Duration = Duration::from_millis(25);

/// What a killed process had said.
#[derive(Debug, Default)]
struct Said {
    kept: Vec<String>,
    /// … since its work was last done.
    kept_since: Vec<String>,
    begun: u32,
    done: u32,
    /// How long what it did took, by when it was heard.
    took: Vec<Duration>,
    began: Option<Instant>,
}

impl Said {
    fn take(&mut self, (at, line): (Instant, String)) {
        match line.as_str() {
            "begin" => {
                self.begun += 1;
                self.began = Some(at);
            }
            "done" => {
                self.done += 1;
                self.took.extend(self.began.map(|began| at - began));
                self.kept_since.clear();
            }
            line => {
                let text = line
                    .strip_prefix("kept ")
                    .unwrap_or_else(|| panic!("{line}"));
                self.kept.push(text.to_owned());
                self.kept_since.push(text.to_owned());
            }
        }
    }

    fn is_within(&self) -> bool {
        self.begun > self.done
    }
}

/// A device's process, and what it says.
struct Worker {
    child: Child,
    lines: Receiver<(Instant, String)>,
}

/// A device on a folder that outlives its processes.
#[derive(Clone)]
struct Place {
    work: &'static str,
    folder: PathBuf,
    call: CallId,
    badge: &'static str,
    unit: &'static str,
}

impl Worker {
    fn start(place: &Place, run: u32) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_killed_device"))
            .arg(place.work)
            .arg(&place.folder)
            .args([&place.call.to_string(), place.badge, place.unit])
            .arg(run.to_string())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let (say, lines) = channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            while out.read_line(&mut line).is_ok_and(|read| read > 0) {
                // One that the kill has cut was not said.
                if let Some(whole) = line.strip_suffix('\n') {
                    let _ = say.send((Instant::now(), whole.to_owned()));
                }
                line.clear();
            }
        });
        Self { child, lines }
    }

    /// Kills it so long after its work has begun for the `nth` time.
    fn strike(mut self, nth: u32, wait: Duration) -> Said {
        let mut said = Said::default();
        while said.begun < nth {
            match self.lines.recv_timeout(PATIENCE) {
                Ok(line) => said.take(line),
                Err(error) => {
                    let ended = self.child.try_wait().unwrap();
                    let _ = self.child.kill();
                    panic!("it does not begin: {error}, {ended:?}");
                }
            }
        }
        std::thread::sleep(wait);
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "it ended by itself: {ended:?}");
        self.child.kill().unwrap();
        self.child.wait().unwrap();
        self.lines.iter().for_each(|line| said.take(line));
        said
    }
}

/// How many kills came where they were meant to, and what they left.
#[derive(Debug, Default)]
struct Tally {
    within: u32,
    beside: u32,
    left: BTreeMap<&'static str, u32>,
}

impl Tally {
    /// Kills until `kills` of them came within the work; after each, `judge` says what it left.
    fn of(
        kills: u32,
        mut random: fastrand::Rng,
        mut place: impl FnMut() -> Place,
        mut judge: impl FnMut(&Place, &Said) -> &'static str,
    ) -> Self {
        let mut tally = Self::default();
        let mut lasts = LASTS_FIRST;
        for run in 0.. {
            if tally.within == kills {
                break;
            }
            assert!(
                run < kills * MISSES_MAX + 10,
                "too few come within: {tally:?}"
            );
            let place = place();
            // What is short at its beginning is met there half of the time.
            let longest = lasts.min(WAIT_MAX) / [1, 4][random.usize(..2)];
            let wait = longest.mul_f64(random.f64());
            let times = match place.work {
                "open" => 1,
                _ => random.u32(1..=TIMES_MAX),
            };
            let said = Worker::start(&place, run).strike(times, wait);
            for took in &said.took {
                lasts = (lasts * 3 + *took) / 4;
            }
            let left = judge(&place, &said);
            // What is done once is as long as it takes to miss it now and then.
            if said.took.is_empty() {
                lasts = lasts.mul_f64(if said.is_within() { 1.1 } else { 0.7 });
            }
            if said.is_within() {
                tally.within += 1;
                *tally.left.entry(left).or_default() += 1;
            } else {
                tally.beside += 1;
            }
        }
        tally
    }
}

/// Opens what the kill has left, as the next start does, and keeps no session.
fn open(folder: &Path) -> Core {
    let Opened { core, set_aside } = Core::open(Options {
        directory: folder.to_owned(),
        keys: Arc::new(FileKeyStore::open(&folder.join("keys")).unwrap()),
        signer: None,
        clock: Arc::new(SystemClock::new()),
        log: Arc::new(TracingLogger),
    })
    .unwrap();
    assert_eq!(set_aside, None, "the store opens");
    core
}

fn sealed_files(folder: &Path) -> usize {
    let files = fs::read_dir(folder.join("sealed")).unwrap();
    let is_whole = |path: &Path| path.extension().is_some_and(|found| found == "sealed");
    files
        .filter(|file| is_whole(&file.as_ref().unwrap().path()))
        .count()
}

/// Each text that was kept is in the packet, once.
fn has_all(packet: &Packet, kept: &[String]) {
    let mut counts: BTreeMap<String, u32> = BTreeMap::new();
    for text in note_texts(packet) {
        *counts.entry(text).or_default() += 1;
    }
    for text in kept {
        assert_eq!(counts.get(text), Some(&1), "{text}");
    }
}

/// What is unsent is in the outbox, and sealed. What has come down from the center stays there
/// until its offer was answered.
async fn outbox_is_whole(core: &Core, packet: &Packet, folder: &Path) {
    let entries = packet.entries.iter();
    let unsent = entries.filter(|entry| entry.mine == Some(MineState::OnDevice));
    let (unsent, waiting) = (unsent.count(), core.outbox_len().await.unwrap());
    assert!(waiting >= unsent, "{waiting} wait, {unsent} are unsent");
    let sealed = sealed_files(folder);
    assert!(sealed >= waiting, "{sealed} sealed files for {waiting}");
}

/// The device that was killed in `sync_once` or in `pause`.
fn judge_open(handle: &Handle, place: &Place, kept: &[String]) -> &'static str {
    let core = open(&place.folder);
    handle.block_on(async {
        let packet = core
            .packet(place.call)
            .await
            .unwrap()
            .expect("the packet stays");
        has_all(&packet, kept);
        outbox_is_whole(&core, &packet, &place.folder).await;
        let unsent = core.outbox_len().await.unwrap();
        core.pause().await.unwrap();
        match unsent {
            0 => "all sent",
            _ => "some unsent",
        }
    })
}

/// The device that was killed in the end of a shift: opening it has finished what was begun.
/// `unsent` are the notes of the shift.
fn judge_shift(handle: &Handle, place: &Place, unsent: &[String]) -> &'static str {
    let begun = place.folder.join("keys/erasing.key").exists();
    let core = open(&place.folder);
    handle.block_on(async {
        let left = if core.shift().is_some() {
            // A kill beside the end may come before the packet is here.
            match core.packet(place.call).await.unwrap() {
                Some(packet) => {
                    has_all(&packet, unsent);
                    outbox_is_whole(&core, &packet, &place.folder).await;
                }
                None => assert_eq!(unsent, [""; 0], "the packet stays"),
            }
            assert!(!begun);
            "as before"
        } else {
            assert!(core.packets().await.unwrap().is_empty());
            assert_eq!(core.outbox_len().await.unwrap(), 0);
            if begun {
                "finished when opened"
            } else {
                "erased"
            }
        };
        assert!(
            sealed_files(&place.folder) >= unsent.len(),
            "what is sealed stays"
        );
        core.pause().await.unwrap();
        left
    })
}

/// Kills one device, whose notes are then all at the center, each once.
async fn killed(
    center: &TestCenter,
    (work, badge, unit): (&'static str, &'static str, &'static str),
    kills: u32,
    random: fastrand::Rng,
) -> (&'static str, Tally) {
    let call = center.api.call(&format!("26-{unit}"), &[unit]).await;
    let device = TestDevice::on_duty(&center.api, badge, unit).await;
    device.packet(call, |_| true).await;
    let dir = device.close().await.unwrap();
    let place = Place {
        work,
        folder: dir.path().to_owned(),
        call,
        badge,
        unit,
    };
    let stop = CancellationToken::new();
    let news = async {
        for n in 0_u64.. {
            if stop.is_cancelled() {
                break;
            }
            center.note(call, &format!("analyst {n}")).await;
            tokio::time::sleep(NEWS).await;
        }
    };
    let (handle, at) = (Handle::current(), place.clone());
    let killing = tokio::task::spawn_blocking(move || {
        let (mut kept, mut in_shift): (Vec<String>, Vec<String>) = Default::default();
        let again = at.clone();
        let tally = Tally::of(
            kills,
            random,
            || again.clone(),
            |place, said| {
                kept.extend(said.kept.iter().cloned());
                if work != "shift" {
                    return judge_open(&handle, place, &kept);
                }
                if said.done > 0 {
                    in_shift.clear();
                }
                in_shift.extend(said.kept_since.iter().cloned());
                let left = judge_shift(&handle, place, &in_shift);
                if left != "as before" {
                    in_shift.clear();
                }
                left
            },
        );
        (tally, kept)
    });
    let killing = async {
        let killed = killing.await;
        stop.cancel();
        killed.unwrap()
    };
    let ((tally, kept), ()) = tokio::join!(killing, news);
    hands_in(center, &place, &kept).await;
    (work, tally)
}

/// In the end the center has each note that was kept, once.
async fn hands_in(center: &TestCenter, place: &Place, kept: &[String]) {
    let device = TestDevice::open(&place.folder);
    assert_eq!(device.set_aside, None);
    if device.core.shift().is_none() {
        device.core.sign_on(place.badge, place.unit).await.unwrap();
    }
    device.online().await;
    device.has_sent_all().await;
    let has_all = async || {
        let notes = center.notes(place.call).await;
        kept.iter()
            .all(|text| notes.contains(text))
            .then_some(notes)
    };
    let notes = until("the center has every note that was kept", has_all).await;
    let mut counts: BTreeMap<&str, u32> = BTreeMap::new();
    for text in &notes {
        *counts.entry(text).or_default() += 1;
    }
    let doubled: Vec<_> = counts.iter().filter(|(_, count)| **count > 1).collect();
    assert!(doubled.is_empty(), "{doubled:?}");
    assert!(!kept.is_empty());
    device.close().await;
}

/// What the version of schema 3 wrote, taken back to `schema`, with many more of its notes.
fn older(schema: u32, into: &Path) -> CallId {
    let fixture =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../bindings/python/tests/older_stores/3");
    let keys = into.join("keys");
    for (from, to, suffix) in [
        ("keys", keys.clone(), ".key"),
        ("device/store", into.join("store"), ""),
        ("device/sealed", into.join("sealed"), ""),
    ] {
        fs::create_dir_all(&to).unwrap();
        for file in fs::read_dir(fixture.join(from)).unwrap() {
            let file = file.unwrap();
            let name = file.file_name().into_string().unwrap();
            let copy = to.join(format!("{name}{suffix}"));
            fs::copy(file.path(), &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o600)).unwrap();
        }
    }
    fs::set_permissions(&keys, fs::Permissions::from_mode(0o700)).unwrap();
    let store = raw(into);
    let multiply = format!(
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {NOTES_MULTIPLIED})
         INSERT INTO changes (hash, doc, entry, kind, fields, clock_off_ms, max_op, author_ms, mine, seq, received_ms, bytes, mac)
         SELECT randomblob(32), doc, entry, kind, fields, clock_off_ms, max_op, author_ms, mine, seq, received_ms, bytes, mac
         FROM changes, n WHERE kind = 'note' AND seq IS NOT NULL;"
    );
    store.execute_batch(&multiply).unwrap();
    if schema < 3 {
        store
            .execute_batch(
                "DELETE FROM changes WHERE kind = 'attachment';
                 DROP TABLE chunks; DROP TABLE puts; DROP TABLE blobs; DROP TABLE attached;",
            )
            .unwrap();
    }
    if schema < 2 {
        store
            .execute_batch("DROP INDEX changes_given_back; ALTER TABLE changes DROP COLUMN again;")
            .unwrap();
    }
    store.pragma_update(None, "user_version", schema).unwrap();
    let call = fs::read_to_string(fixture.join("call")).unwrap();
    call.trim().parse().unwrap()
}

/// The store's file with its key, as no device opens it.
fn raw(folder: &Path) -> rusqlite::Connection {
    let key = fs::read(folder.join("keys/store-key.key")).unwrap();
    let connection = rusqlite::Connection::open(folder.join("store/packets.db")).unwrap();
    let key = HEXLOWER.encode(&key);
    connection
        .execute_batch(&format!("PRAGMA key = \"x'{key}'\""))
        .unwrap();
    connection
}

fn copied(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    for name in ["keys", "store", "sealed"] {
        let (from, to) = (folder.join(name), copy.path().join(name));
        fs::create_dir(&to).unwrap();
        fs::set_permissions(&to, fs::metadata(&from).unwrap().permissions()).unwrap();
        for file in fs::read_dir(from).unwrap() {
            let file = file.unwrap();
            fs::copy(file.path(), to.join(file.file_name())).unwrap();
        }
    }
    copy
}

/// Kills devices while they open a store of each older schema.
fn killed_migrating(handle: &Handle, kills: u32, mut random: fastrand::Rng) -> Tally {
    let mut tally = Tally::default();
    for schema in 1..=3 {
        let template = tempfile::tempdir().unwrap();
        let call = older(schema, template.path());
        let mut copy = None;
        let place = || Place {
            work: "open",
            folder: copy.insert(copied(template.path())).path().to_owned(),
            call,
            badge: "101",
            unit: "1A1",
        };
        let part = Tally::of(kills / 3, random.fork(), place, |place, _| {
            // Looked at as it lies there, in a copy: looking recovers what a kill has left.
            let look = copied(&place.folder);
            let wal = place.folder.join("store/packets.db-wal");
            let is_written = wal.metadata().is_ok_and(|wal| wal.len() > 0);
            let version: u32 = raw(look.path())
                .query_row("PRAGMA user_version", [], |row| row.get(0))
                .unwrap();
            let core = open(&place.folder);
            handle.block_on(async {
                let packet = core.packet(place.call).await.unwrap().unwrap();
                let notes = note_texts(&packet);
                let many = notes.iter().filter(|text| *text == "at the center").count();
                assert_eq!(many, 1 + NOTES_MULTIPLIED);
                has_all(&packet, &["only on this device".to_owned()]);
                assert_eq!(core.outbox_len().await.unwrap(), 2);
                assert_eq!(sealed_files(&place.folder), 2);
                let found = core.find("only device").await.unwrap();
                assert_eq!(found.len(), 1, "what was there before is found");
                core.pause().await.unwrap();
            });
            match (version == schema, is_written) {
                (true, false) => "as before, nothing written",
                (true, true) => "as before, the commit half written",
                (false, _) => "migrated",
            }
        });
        tally.within += part.within;
        tally.beside += part.beside;
        for (left, count) in part.left {
            *tally.left.entry(left).or_default() += count;
        }
    }
    tally
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_device_that_is_killed_in_the_midst_of_anything_opens_whole_and_has_lost_nothing() {
    let kills = number_from("FORERUNNER_KILLS").map_or(KILLS, |kills| kills.try_into().unwrap());
    let seed = number_from("FORERUNNER_SEED").unwrap_or_else(|| fastrand::u64(..));
    println!("device kills: seed {seed}, {kills} kills");
    let began = Instant::now();
    let (each, center) = (kills.div_ceil(4), TestCenter::start().await);
    let random = move |n| fastrand::Rng::with_seed(seed.wrapping_add(n));
    let handle = Handle::current();
    let migrating = tokio::task::spawn_blocking(move || {
        let each = each.next_multiple_of(3);
        killed_migrating(&handle, each, random(3))
    });
    let (contact, pause, shift, migrating) = tokio::join!(
        killed(&center, ("contact", "101", "1A1"), each, random(0)),
        killed(&center, ("pause", "102", "1A2"), each, random(1)),
        killed(&center, ("shift", "103", "1B1"), each, random(2)),
        migrating,
    );
    println!("| killed in | kills in its midst | beside it | what they left |");
    println!("| --- | --: | --: | --- |");
    let mut all = 0;
    for (name, tally) in [
        ("sync_once", contact.1),
        ("pause", pause.1),
        ("the end of a shift", shift.1),
        ("migrating a store of schema 1, 2 or 3", migrating.unwrap()),
    ] {
        let left: Vec<_> = tally
            .left
            .iter()
            .map(|(left, n)| format!("{n} {left}"))
            .collect();
        let (within, beside) = (tally.within, tally.beside);
        println!("| {name} | {within} | {beside} | {} |", left.join(", "));
        all += within;
    }
    println!("device kills: {all} in {:?}", began.elapsed());
    assert!(all >= kills);
}
