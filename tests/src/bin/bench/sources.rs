//! Twenty sources, of which five are dead and five take ten seconds: when what the other
//! ten found is on the officer's device.
//!
//! The center is `forerunner serve`, a process of its own; the device has a real store, and
//! *on the device* is durable there. From the moment that dispatch's report is sent. The
//! goal is 1.2 times the slowest of the ten and one delivery: an analyst's note from the
//! console's form to the store, measured in the same run.

use std::time::{Duration, Instant};

use forerunner_tests::{Manner, ServedCenter, TestDevice, TestSource, UNITS, note_texts};
use packet::{CallId, Entry};
use serde_json::json;

use crate::row::{Row, median, quantile};

/// How long each of the ten takes, as agencies' systems do: most soon, a few late.
const FAST_MS: [u64; 10] = [40, 55, 70, 90, 120, 160, 220, 300, 420, 600];
const SLOW: usize = 5;
const SLOW_MS: u64 = 10_000;
const DEAD: usize = 5;
const CALLS: usize = 20;
const NOTES: usize = 20;
/// How long a call's ten findings may take at the most.
const LAST_MS_MAX: u64 = 60_000;

struct Asked {
    name: String,
    server: TestSource,
}

pub(crate) async fn run() -> Vec<Row> {
    let sources = start().await;
    let sections: String = sources.iter().map(section).collect();
    let center = ServedCenter::start_also(&sections).await;
    let device = TestDevice::on_duty(&center.api, "102", UNITS[0]).await;
    let delivery = deliveries(&center, &device).await;

    let mut came: Vec<Vec<f64>> = vec![Vec::new(); FAST_MS.len()];
    let mut all = Vec::new();
    for number in 0..CALLS {
        let took = one_call(&center, &device, number).await;
        all.push(took.iter().copied().fold(0.0, f64::max));
        for (source, took) in came.iter_mut().zip(took) {
            source.push(took);
        }
    }
    // The sources' own, as a client that asks nobody else finds them.
    let mut own = Vec::new();
    for source in &sources[..FAST_MS.len()] {
        own.push(own_ms(source).await);
    }
    let slowest = own.iter().copied().fold(0.0, f64::max);
    let one = median(&delivery);
    let work = "20 sources, 5 dead, 5 take 10 s: the fast ten's findings durable on the device";
    let mut rows = vec![
        Row::new(work, "p50 of 20 calls")
            .ours(median(&all), "ms")
            .goal(1.2 * slowest + one)
            .limit(slowest + one),
        Row::new(work, "slowest of 20 calls")
            .ours(quantile(&all, 1.0), "ms")
            .goal(1.2 * slowest + one)
            .limit(slowest + one),
        Row::new("one delivery: a note from the console to the device", "p50").ours(one, "ms"),
    ];
    for ((source, own), came) in sources.iter().zip(own).zip(&came) {
        let mut row = Row::new(format!("{}, on the device", source.name), "p50")
            .ours(median(came), "ms")
            .limit(own);
        row.peers.insert("asked by itself".into(), Some(own));
        rows.push(row);
    }
    rows
}

/// The fast ten first.
async fn start() -> Vec<Asked> {
    let body = r#"{"incidents": [{"number": "17-1", "date": "2017-03-02", "nature": "BATTERY"}]}"#;
    let after = |after_ms| Manner::Answers {
        status: 200,
        body: body.into(),
        after_ms,
    };
    let fast = FAST_MS.into_iter().map(|ms| ("fast", after(ms)));
    let slow = (0..SLOW).map(|_| ("slow", after(SLOW_MS)));
    let dead = (0..DEAD).map(|number| match number % 2 {
        0 => ("dead", Manner::Silent),
        _ => ("dead", Manner::Closes),
    });
    let mut all = Vec::new();
    for (number, (kind, manner)) in fast.chain(slow).chain(dead).enumerate() {
        all.push(Asked {
            name: format!("{kind} {number}"),
            server: TestSource::start(manner).await,
        });
    }
    all
}

/// Each with time for ten seconds; no answer is kept, so that each call is asked about.
fn section(source: &Asked) -> String {
    let url = source.server.url("/records?address={address}");
    format!(
        "\n[[sources]]\nname = \"{}\"\nasks = \"address\"\ngives = \"records\"\n\
         timeout_ms = 15000\ncache_s = 0\nhttp = {{ url = \"{url}\" }}\n",
        source.name
    )
}

/// How long a note takes from the console's form to the store.
async fn deliveries(center: &ServedCenter, device: &TestDevice) -> Vec<f64> {
    let call = center.api.call("B-0", &[UNITS[0]]).await;
    device.packet(call, |_| true).await;
    let mut took = Vec::new();
    for number in 0..NOTES {
        let text = format!("note {number}");
        let path = format!("/calls/{call}/notes");
        let began = Instant::now();
        let note = center.api.form(&path, &text);
        let there = async {
            device
                .packet(call, |packet| note_texts(packet).contains(&text))
                .await;
            ms(began.elapsed())
        };
        let (answer, there_ms) = tokio::join!(note, there);
        assert!(answer.unwrap().is_success());
        took.push(there_ms);
    }
    took
}

/// For each of the fast ten, how long after dispatch's report its finding was there.
async fn one_call(center: &ServedCenter, device: &TestDevice, number: usize) -> Vec<f64> {
    let body = json!({
        "agency": forerunner_tests::AGENCY, "number": format!("B-{}", number + 1),
        "nature": "TRESPASS", "location": format!("{} N MAIN ST", 100 + number),
        "units": [UNITS[0]],
    });
    let mut changes = device.core.changes();
    let began = Instant::now();
    let answer = center.api.post("/v1/calls", &body).await.unwrap();
    let call = answer.call_id();
    let mut there = vec![None; FAST_MS.len()];
    let looking = async {
        loop {
            changes.mark_unchanged();
            let found = found(device, call).await;
            let at = ms(began.elapsed());
            for number in found {
                there[number].get_or_insert(at);
            }
            if there.iter().all(Option::is_some) {
                return;
            }
            changes.changed().await.unwrap();
        }
    };
    let limit = Duration::from_millis(LAST_MS_MAX);
    let came = tokio::time::timeout(limit, looking).await;
    came.expect("the fast ten's findings come");
    there.into_iter().flatten().collect()
}

/// The numbers of the fast sources whose finding the store has.
async fn found(device: &TestDevice, call: CallId) -> Vec<usize> {
    let packet = device.core.packet(call).await.unwrap();
    let entries = packet.map(|packet| packet.entries).unwrap_or_default();
    let number = |entry: &mobile_core::EntryView| match &entry.written.entry {
        Entry::Finding(finding) => finding.source.strip_prefix("fast ")?.parse().ok(),
        _ => None,
    };
    entries.iter().filter_map(number).collect()
}

/// How long a source takes that is asked by itself.
async fn own_ms(source: &Asked) -> f64 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let url = source.server.url("/records?address=x");
    let mut took = Vec::new();
    for _ in 0..3 {
        let began = Instant::now();
        let answer = client.get(&url).send().await.unwrap();
        answer.bytes().await.unwrap();
        took.push(ms(began.elapsed()));
    }
    median(&took)
}

fn ms(took: Duration) -> f64 {
    took.as_secs_f64() * 1_000.0
}
