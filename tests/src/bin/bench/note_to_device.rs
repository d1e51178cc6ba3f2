//! An analyst's note to 200 light devices and 4 with real stores, all on one call.
//!
//! From the moment the console's form is sent to the moment the note is received
//! (light) or durable (real: a reader of the store has it). The center is `forerunner
//! serve`, a process of its own, with TLS, certificates, admission, receipts and audit.

use std::collections::{HashMap, HashSet};
use std::time::{Duration, Instant};

use forerunner_tests::{ServedCenter, TestDevice, UNITS, note_texts};
use packet::{Compartment, DocumentId};
use server::identity::{CenterKeys, KeyExchange, server_config};
use tokio::sync::mpsc;

use crate::fleet::{self, Online};
use crate::light::Came;
use crate::process::resident_bytes;
use crate::row::{Row, quantile};
use crate::{limit, notes};

const LIGHT: usize = 200;
const REAL: usize = 4;
const NOTES: u64 = 500;
const EVERY: Duration = Duration::from_millis(50);
/// How long the last note may take to be in all stores.
const LAST_MS_MAX: u64 = 30_000;

pub(crate) async fn run() -> Vec<Row> {
    let units = [UNITS[0].to_owned()];
    let center = ServedCenter::start_with(&units, LIGHT).await;
    let call = center.api.call("B-1", &[UNITS[0]]).await;
    let mut lights = fleet::enrol(&center.api, &units, LIGHT).await;
    let (wire, _) = fleet::count_together(&mut lights);
    let tls = lights[0].tls();
    let before = resident_bytes(center.process());
    let (came, mut received) = mpsc::unbounded_channel();
    let mut online = Online::new(came);
    online.join(lights).await;
    notes::settled(&mut received).await;
    let grown = resident_bytes(center.process()).saturating_sub(before);

    let mut devices = Vec::new();
    let (stored, mut durable) = mpsc::unbounded_channel();
    for _ in 0..REAL {
        let device = TestDevice::on_duty(&center.api, "102", UNITS[0]).await;
        device.packet(call, |_| true).await;
        tokio::spawn(watch(device.core.clone(), call, stored.clone()));
        devices.push(device);
    }
    notes::settled(&mut received).await;

    let from = wire.down();
    let sent = notes::send(&center.api, call, 0..NOTES, EVERY).await;
    let document = DocumentId::new(call, Compartment::Call);
    let wanted = LIGHT * sent.len();
    let is_note = |came: &Came| came.is_note && came.document == document;
    let light = notes::take(&mut received, is_note, wanted).await.unwrap();
    let light = notes::took_ms(&light, &sent);
    let real = take(&mut durable, &sent, REAL * sent.len()).await;
    notes::settled(&mut received).await;
    let per_note = (wire.down() - from) as f64 / wanted as f64;
    notes::check(&online.leave().await, 0..NOTES);

    let folder = tempfile::tempdir().unwrap();
    let keys = CenterKeys::open_or_create(
        &center.data().join("keys"),
        &["localhost".into(), "127.0.0.1".into()],
    )
    .unwrap();
    let server_tls = server_config(&keys, KeyExchange::Classical).unwrap();
    let fsync = ms(&limit::fsync(folder.path()));
    let write = ms(&limit::tls_write(tls, server_tls).await);

    let mut rows = Vec::new();
    for (figure, at) in [("p50", 0.5), ("p99", 0.99)] {
        let limit = quantile(&fsync, at) + quantile(&write, at);
        rows.push(
            Row::new("note to 200 light devices, received", figure)
                .ours(quantile(&light, at), "ms")
                .limit(limit),
        );
        rows.push(
            Row::new("note to 4 real stores, durable there", figure)
                .ours(quantile(&real, at), "ms")
                .limit(limit + quantile(&fsync, at)),
        );
    }
    rows.push(
        Row::new("a 110-byte note on the wire, TLS and all", "bytes down").ours(per_note, "B"),
    );
    let connection_kb = grown as f64 / LIGHT as f64 / 1_000.0;
    rows.push(Row::new("server memory", "a connection").ours(connection_kb, "KB"));
    rows
}

/// Tells of each note when the store first has it.
async fn watch(
    core: mobile_core::Core,
    call: packet::CallId,
    stored: mpsc::UnboundedSender<(String, Instant)>,
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
    stored: &mut mpsc::UnboundedReceiver<(String, Instant)>,
    sent: &[Instant],
    wanted: usize,
) -> Vec<f64> {
    let sent: HashMap<String, Instant> = (0..).map(notes::text).zip(sent.iter().copied()).collect();
    let mut took = Vec::with_capacity(wanted);
    let deadline = tokio::time::Instant::now() + Duration::from_millis(LAST_MS_MAX);
    while took.len() < wanted {
        let next = tokio::time::timeout_at(deadline, stored.recv()).await;
        let (text, at) = next.expect("every note reaches every store").unwrap();
        if let Some(sent) = sent.get(&text) {
            took.push(at.duration_since(*sent));
        }
    }
    ms(&took)
}

fn ms(took: &[Duration]) -> Vec<f64> {
    took.iter()
        .map(|took| took.as_secs_f64() * 1_000.0)
        .collect()
}
