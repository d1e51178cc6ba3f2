//! A store as full as a large agency's shift makes it, synced from a real center.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use forerunner_tests::{AGENCY, TestCenter, TestDevice};
use futures_util::{StreamExt, stream};
use mobile_core::identity::FileKeyStore;
use mobile_core::{Core, Options, SystemClock, TracingLogger};
use packet::{CallId, Caution, Entry, Note};
use serde_json::json;
use tempfile::TempDir;

pub(super) const PACKETS: usize = 500;
pub(super) const ENTRIES: usize = 20_000;
const AT_ONCE: usize = 64;
/// One of so many entries is a caution.
const CAUTION_EVERY: usize = 20;
const PATIENCE: Duration = Duration::from_secs(120);

/// Words of dispatchers and analysts, to be put together.
const WORDS: [&str; 40] = [
    "male",
    "female",
    "white",
    "black",
    "hoodie",
    "vehicle",
    "sedan",
    "pickup",
    "northbound",
    "southbound",
    "door",
    "rear",
    "window",
    "camera",
    "shows",
    "seen",
    "running",
    "weapon",
    "knife",
    "handgun",
    "shouting",
    "caller",
    "states",
    "subject",
    "left",
    "on",
    "foot",
    "toward",
    "alley",
    "intoxicated",
    "refused",
    "medical",
    "child",
    "dog",
    "unknown",
    "apartment",
    "upstairs",
    "locked",
    "responding",
    "clear",
];
/// Stands in one entry of the store.
pub(super) const RARE: &str = "zeppelin";

pub(super) struct Full {
    dir: TempDir,
    pub(super) call: CallId,
    pub(super) entries: usize,
}

fn text(random: &mut fastrand::Rng) -> String {
    let count = random.usize(8..22);
    let mut words: Vec<_> = (0..count)
        .map(|_| (*random.choice(WORDS).unwrap()).to_owned())
        .collect();
    if random.u8(..5) == 0 {
        words.push(format!(
            "plate {}{}",
            random.choice(["ABC", "KRT", "AHX"]).unwrap(),
            random.u16(100..999)
        ));
    }
    if random.u8(..5) == 0 {
        words.push(format!(
            "{} N {} ST",
            random.u16(100..9_000),
            random.u8(1..99)
        ));
    }
    words.join(" ")
}

/// How many entries the calls have when the center's own sources have answered.
async fn settled(center: &TestCenter, calls: &[CallId]) -> usize {
    let mut before = 0;
    loop {
        let mut now = 0;
        for call in calls {
            now += center.entries(*call).await.len();
        }
        if now == before {
            return now;
        }
        before = now;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

impl Full {
    pub(super) async fn make() -> Self {
        let began = Instant::now();
        let center = TestCenter::start().await;
        let calls: Vec<CallId> = stream::iter(0..PACKETS)
            .map(|n| {
                let report = json!({
                    "agency": AGENCY, "number": format!("F-{n}"), "nature": "TRESPASS",
                    "location": format!("{n} W STATE ST"), "units": ["1A1"],
                });
                let api = center.api.clone();
                async move { api.post("/v1/calls", &report).await.unwrap().call_id() }
            })
            .buffered(16)
            .collect()
            .await;
        let mut random = fastrand::Rng::with_seed(6);
        let mut entries = (0..).map(|n| {
            let (text, by) = match n {
                0 => (format!("a {RARE} over the yard"), "an analyst".to_owned()),
                _ => (text(&mut random), "an analyst".to_owned()),
            };
            let entry = match n % CAUTION_EVERY {
                1 => Entry::Caution(Caution {
                    text,
                    by,
                    ends_ms: None,
                }),
                _ => Entry::Note(Note { text, by }),
            };
            (calls[n % PACKETS], entry)
        });
        // The center adds what it reads from them: so in parts, until there are enough.
        let mut here = settled(&center, &calls).await;
        while here < ENTRIES {
            let some = entries.by_ref().take((ENTRIES - here).div_ceil(2));
            stream::iter(some)
                .map(|(call, entry)| {
                    let center = center.center().clone();
                    async move { center.write(call, entry, "an analyst").await.unwrap() }
                })
                .buffer_unordered(AT_ONCE)
                .collect::<Vec<_>>()
                .await;
            here = settled(&center, &calls).await;
        }
        let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
        let mut has = 0;
        let deadline = Instant::now() + PATIENCE;
        while has < ENTRIES {
            assert!(Instant::now() < deadline, "{has} entries came");
            tokio::time::sleep(Duration::from_millis(500)).await;
            has = 0;
            for packet in device.core.packets().await.unwrap() {
                let packet = device.core.packet(packet.call).await.unwrap();
                has += packet.map_or(0, |packet| packet.entries.len());
            }
        }
        let dir = device.close().await.unwrap();
        eprintln!(
            "{PACKETS} packets, {has} entries, made in {:?}",
            began.elapsed()
        );
        Self {
            dir,
            call: calls[0],
            entries: has,
        }
    }

    pub(super) fn folder(&self) -> &Path {
        self.dir.path()
    }

    /// A copy, to be written to.
    pub(super) fn copy(&self) -> TempDir {
        let copy = tempfile::tempdir().unwrap();
        let copied = std::process::Command::new("cp")
            .arg("-a")
            .arg(format!("{}/.", self.folder().display()))
            .arg(copy.path())
            .status();
        assert!(copied.unwrap().success());
        copy
    }
}

/// The device in this folder, with no session.
pub(super) fn open(folder: &Path) -> Core {
    let options = Options {
        directory: folder.to_owned(),
        keys: Arc::new(FileKeyStore::open(&folder.join("keys")).unwrap()),
        signer: None,
        clock: Arc::new(SystemClock::new()),
        log: Arc::new(TracingLogger),
    };
    let opened = Core::open(options).unwrap();
    assert_eq!(opened.set_aside, None);
    opened.core
}
