//! An analyst's note to 200 light devices and 4 with real stores, all on one call.
//!
//! From the moment the console's form is sent to the moment the note is received
//! (light) or durable (real: a reader of the store has it). The center is `forerunner
//! serve`, a process of its own, with TLS, certificates, admission, receipts and audit.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use forerunner_tests::{HostileDevice, ServedCenter, TestDevice, UNITS, note_texts};
use server::identity::{CenterKeys, KeyExchange, server_config};
use tokio::sync::mpsc;

use crate::{Row, light, limit};

const LIGHT: usize = 200;
const REAL: usize = 4;
const NOTES: usize = 500;
const EVERY: Duration = Duration::from_millis(50);
/// As the peers' rigs have it.
const NOTE_CHARS: usize = 110;
/// How long the last note may take to reach all.
const LAST_MS_MAX: u64 = 30_000;

pub(crate) async fn run() -> Vec<Row> {
    let center = ServedCenter::start().await;
    let call = center.api.call("B-1", &[UNITS[0]]).await;
    let mut identities = Vec::new();
    for _ in 0..LIGHT {
        identities.push(HostileDevice::on_duty(&center.api, "101", UNITS[0]).await);
    }
    let tls = identities[0].tls();
    let before = resident_bytes(center.process());
    let bytes = Arc::new(AtomicU64::new(0));
    let (came, mut received) = mpsc::unbounded_channel();
    for identity in identities {
        tokio::spawn(light::run(identity, bytes.clone(), came.clone()));
    }
    settled(&bytes).await;
    let connection_bytes = resident_bytes(center.process()).saturating_sub(before) / LIGHT as u64;

    let mut devices = Vec::new();
    let (stored, mut durable) = mpsc::unbounded_channel();
    for _ in 0..REAL {
        let device = TestDevice::on_duty(&center.api, "102", UNITS[0]).await;
        device.packet(call, |_| true).await;
        tokio::spawn(watch(device.core.clone(), call, stored.clone()));
        devices.push(device);
    }
    settled(&bytes).await;

    let from = bytes.load(Ordering::Relaxed);
    let mut sent = HashMap::new();
    let mut tick = tokio::time::interval(EVERY);
    for number in 0..NOTES {
        tick.tick().await;
        let text = format!(
            "{:x<NOTE_CHARS$}",
            format!("note {number} silver sedan partial tag ABC rear lot ")
        );
        sent.insert(text.clone(), Instant::now());
        let answer = center
            .api
            .form(&format!("/calls/{call}/notes"), &text)
            .await
            .unwrap();
        assert!(answer.is_success(), "{answer:?}");
    }
    let light = take(&mut received, &sent, LIGHT * NOTES).await;
    let real = take(&mut durable, &sent, REAL * NOTES).await;
    settled(&bytes).await;
    let per_note = (bytes.load(Ordering::Relaxed) - from) as f64 / (LIGHT * NOTES) as f64;

    let folder = tempfile::tempdir().unwrap();
    let keys = CenterKeys::open_or_create(
        &center.data().join("keys"),
        &["localhost".into(), "127.0.0.1".into()],
    )
    .unwrap();
    let server_tls = server_config(&keys, KeyExchange::Classical).unwrap();
    let fsync = limit::fsync(folder.path());
    let write = limit::tls_write(tls, server_tls).await;
    let limit = |quantile| ms(&fsync, quantile) + ms(&write, quantile);

    let row = |work, figure, unit, ours, limit| Row {
        work,
        figure,
        unit,
        ours: Some(ours),
        goal: None,
        limit,
        peers: BTreeMap::new(),
    };
    let (to_light, to_real) = (
        "note to 200 light devices, received",
        "note to 4 real stores, durable there",
    );
    vec![
        row(to_light, "p50", "ms", ms(&light, 0.5), Some(limit(0.5))),
        row(to_light, "p99", "ms", ms(&light, 0.99), Some(limit(0.99))),
        row(
            to_real,
            "p50",
            "ms",
            ms(&real, 0.5),
            Some(limit(0.5) + ms(&fsync, 0.5)),
        ),
        row(
            to_real,
            "p99",
            "ms",
            ms(&real, 0.99),
            Some(limit(0.99) + ms(&fsync, 0.99)),
        ),
        row(
            "a 110-byte note on the wire, TLS and all",
            "bytes down",
            "B",
            per_note,
            None,
        ),
        row(
            "server memory",
            "a connection",
            "KB",
            connection_bytes as f64 / 1_000.0,
            None,
        ),
    ]
}

/// Tells of each note when the store first has it.
async fn watch(
    core: mobile_core::Core,
    call: packet::CallId,
    stored: mpsc::UnboundedSender<light::Came>,
) {
    let mut changes = core.changes();
    let mut known: HashSet<String> = HashSet::new();
    while changes.changed().await.is_ok() {
        let at = Instant::now();
        let Ok(Some(packet)) = core.packet(call).await else {
            continue;
        };
        for text in note_texts(&packet) {
            if known.insert(text.clone()) {
                let _ = stored.send((text, at));
            }
        }
    }
}

async fn take(
    came: &mut mpsc::UnboundedReceiver<light::Came>,
    sent: &HashMap<String, Instant>,
    wanted: usize,
) -> Vec<Duration> {
    let mut took = Vec::with_capacity(wanted);
    let deadline = tokio::time::Instant::now() + Duration::from_millis(LAST_MS_MAX);
    while took.len() < wanted {
        let next = tokio::time::timeout_at(deadline, came.recv()).await;
        let (text, at) = next.expect("every note reaches every device").unwrap();
        if let Some(sent) = sent.get(&text) {
            took.push(at.duration_since(*sent));
        }
    }
    took
}

/// Waits until nothing more comes down for a second.
async fn settled(bytes: &AtomicU64) {
    let mut last = u64::MAX;
    loop {
        let now = bytes.load(Ordering::Relaxed);
        if now == last && now > 0 {
            return;
        }
        last = now;
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

fn ms(took: &[Duration], quantile: f64) -> f64 {
    let mut sorted = took.to_vec();
    sorted.sort_unstable();
    #[allow(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss
    )]
    let at = ((sorted.len() as f64 * quantile) as usize).min(sorted.len() - 1);
    sorted[at].as_secs_f64() * 1_000.0
}

fn resident_bytes(process: u32) -> u64 {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).unwrap();
    text.split_whitespace()
        .nth(1)
        .unwrap()
        .parse::<u64>()
        .unwrap()
        * 4_096
}
