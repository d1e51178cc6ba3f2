//! Ten thousand devices at one center: what an idle one costs, what a change to all of
//! them costs, and how they come back together.
//!
//! One center, which is ended and started again between the three, so that each begins
//! with the memory of a fresh process. It is a process of its own: its memory is its own.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use forerunner_tests::{ServedCenter, TestApi};
use packet::{CallId, Compartment};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Peers;
use super::fan::{EVERY, fan};
use crate::fleet::{self, Online};
use crate::light::{Came, Light};
use crate::process::{at_rest, connections_max, peak_bytes, resident_bytes};
use crate::row::Row;
use crate::{bare, notes};

const DEVICES_MAX: usize = 10_000;
const UNITS: usize = 50;
/// A report of a call names at most so many units; others are assigned after.
const UNITS_AT_FIRST: usize = 20;

/// Connected before the memory is looked at for the first time …
const WARM: usize = 20;
/// … and counted.
const IDLE: usize = 2_000;

const SIZES: [usize; 4] = [10, 100, 1_000, DEVICES_MAX];

const MISSED: u64 = 20;
const WITHIN: Duration = Duration::from_secs(10);
/// How long a storm is watched.
const STORM_MAX: Duration = Duration::from_secs(120);

pub(super) fn units() -> Vec<String> {
    (0..UNITS).map(|number| format!("U{number}")).collect()
}

/// A call with all of these units on it.
pub(super) async fn everywhere(api: &TestApi, units: &[String]) -> CallId {
    let (first, rest) = units.split_at(UNITS_AT_FIRST);
    let first: Vec<&str> = first.iter().map(String::as_str).collect();
    let call = api.call("ALL", &first).await;
    for unit in rest {
        api.assign(call, unit).await;
    }
    call
}

/// The center as a fresh process.
async fn anew(center: &mut ServedCenter) {
    center.stop().await;
    center.start_again().await;
}

pub(super) async fn run(peers: &Peers) -> Vec<Row> {
    let units = units();
    let mut center = ServedCenter::start_with(&units, DEVICES_MAX).await;
    let shared = everywhere(&center.api, &units).await;
    let mut own = Vec::new();
    for (number, unit) in units.iter().enumerate() {
        own.push(center.api.call(&format!("C-{number}"), &[unit]).await);
    }
    let devices = DEVICES_MAX.min(connections_max());
    let began = Instant::now();
    let lights = fleet::enrol(&center.api, &units, devices).await;
    eprintln!("{devices} devices enrolled in {:.0?}", began.elapsed());
    let (lights, mut rows) = idle(peers, &mut center, lights).await;
    let (lights, growth) = growth(&mut center, shared, lights).await;
    rows.extend(growth);
    for (call, first) in own.iter().zip((0..).step_by(100)) {
        for number in first..first + MISSED {
            notes::write(&center.api, *call, &notes::text(number)).await;
        }
        notes::warn(&center.api, *call, "man with gun").await;
    }
    rows.extend(storm(&mut center, lights).await);
    rows
}

/// Memory of a connection that says nothing.
async fn idle(
    peers: &Peers,
    center: &mut ServedCenter,
    mut lights: Vec<Light>,
) -> (Vec<Light>, Vec<Row>) {
    anew(center).await;
    let others = lights.split_off(WARM + IDLE.min(lights.len() - WARM));
    let counted = lights.split_off(WARM);
    let count = counted.len();
    let bare_kb = bare::bytes_a_connection(&center.data().join("keys"), &counted).await / 1_000.0;
    let (came, mut received) = unbounded_channel();
    let mut online = Online::new(came);
    online.join(lights).await;
    notes::settled(&mut received).await;
    let mut rested = at_rest(center.process()).await;
    let before = resident_bytes(center.process());
    online.join(counted).await;
    notes::settled(&mut received).await;
    rested = rested.and(at_rest(center.process()).await);
    let grown_kb = resident_bytes(center.process()).saturating_sub(before) as f64 / 1_000.0;
    let mut lights = online.leave().await;
    lights.extend(others);
    let work = format!("server memory, {count} idle connections");
    let row = peers.beside("memory", Row::new(work, "a connection"));
    let row = row.goal(24.0).limit(10.5 + bare_kb);
    let row = match rested {
        Ok(()) => row.ours(grown_kb / count as f64, "KB"),
        Err(why) => {
            eprintln!("idle connections, no figure: {why}");
            row
        }
    };
    let bare = Row::new(
        "… of which rustls alone, measured the same way",
        "a connection",
    );
    (lights, vec![row, bare.ours(bare_kb, "KB")])
}

/// What a change to all costs as they become more.
async fn growth(
    center: &mut ServedCenter,
    shared: CallId,
    mut lights: Vec<Light>,
) -> (Vec<Light>, Vec<Row>) {
    anew(center).await;
    let (came, mut received) = unbounded_channel();
    let mut online = Online::new(came);
    let (mut count, mut next) = (0, 1_000_000);
    let (mut measured, mut reached) = (Vec::new(), 0..0);
    for size in SIZES {
        let more = size.min(count + lights.len()) - count;
        online.join(lights.drain(..more)).await;
        count += more;
        // A note to thousands is seconds of work, also for the devices, which share the
        // machine; and this is about its cost, not about more notes than can be.
        let (every, notes) = if count > 1_000 {
            (80 * EVERY, 5)
        } else {
            (EVERY, 100)
        };
        let numbers = next..next + notes;
        next += notes;
        let caught_up = notes::caught_up(&center.api, shared, &mut received, count).await;
        let fan = match caught_up {
            Ok(newest) => {
                let devices = (count, newest);
                fan(
                    center,
                    shared,
                    &mut received,
                    devices,
                    numbers.clone(),
                    every,
                )
                .await
            }
            Err(why) => Err(why),
        };
        match fan {
            Ok(fan) => {
                eprintln!("{count} devices: {:.2} ms CPU a change", fan.cpu_ms);
                measured.push((count, fan.cpu_ms));
                reached = numbers;
            }
            // The row stays empty, and the storm is still measured.
            Err(why) => {
                eprintln!("{count} devices, no figure: {why}");
                break;
            }
        }
    }
    let rows = [(0, 3), (2, 3)].map(|pair| grown(&measured, pair));
    let mut joined = online.leave().await;
    if measured.len() == SIZES.len() {
        notes::check(joined.iter().step_by(500), reached);
    }
    joined.extend(lights);
    (joined, rows.into())
}

/// What a change costs at the last of two sizes, against what the first one's cost says.
fn grown(measured: &[(usize, f64)], (first, last): (usize, usize)) -> Row {
    let (few, many) = (SIZES[first], SIZES[last]);
    let row = Row::new(
        format!("a change, devices on its call {few} → {many}"),
        "server CPU, against linear",
    );
    let row = row.goal(1.0).limit(1.0);
    match (measured.get(first), measured.get(last)) {
        (Some((few, least)), Some((many, most))) => {
            row.ours(most / least / (*many as f64 / *few as f64), "×")
        }
        _ => row,
    }
}

/// All come back within ten seconds, with full handshakes: the center is another process
/// than the one that gave them their tickets.
async fn storm(center: &mut ServedCenter, lights: Vec<Light>) -> Vec<Row> {
    anew(center).await;
    let count = lights.len();
    let (came, mut received) = unbounded_channel();
    let mut online = Online::new(came);
    let began = Instant::now();
    online.storm(lights, WITHIN);
    let seen = watch(&mut received, count, began).await;
    let peak_mb = peak_bytes(center.process()) as f64 / 1e6;
    let lights = online.leave().await;
    let work = format!("{count} devices reconnect within 10 s, 20 notes missed each");
    eprintln!("{work}: {} have all", seen.complete);
    for light in lights.iter().step_by(500) {
        let first = (light.index % UNITS) as u64 * 100;
        if seen.complete == count {
            notes::check([light], first..first + MISSED);
        }
    }
    let row = |figure, value: Option<f64>, unit| {
        let row = Row::new(work.as_str(), figure);
        value.map_or(row.clone(), |value| row.ours(value, unit))
    };
    vec![
        row("all have all", seen.all_s, "s").goal(30.0),
        row("all have the caution", seen.cautions_s, "s").goal(30.0),
        row(
            "devices that had a note before the caution",
            Some(seen.late as f64),
            "",
        )
        .goal(0.0),
        row("server memory at its peak", Some(peak_mb), "MB"),
    ]
}

#[derive(Debug, Default)]
struct Seen {
    /// Devices that have all.
    complete: usize,
    all_s: Option<f64>,
    cautions_s: Option<f64>,
    late: usize,
}

async fn watch(received: &mut UnboundedReceiver<Came>, count: usize, began: Instant) -> Seen {
    let deadline = tokio::time::Instant::now() + STORM_MAX;
    let mut seen = Seen::default();
    // By device: notes, and whether it has the caution.
    let mut has: HashMap<usize, (u64, bool)> = HashMap::new();
    let mut warned = 0;
    while seen.complete < count {
        let Ok(Some(came)) = tokio::time::timeout_at(deadline, received.recv()).await else {
            return seen;
        };
        let after_s = came.at.duration_since(began).as_secs_f64();
        let device = has.entry(came.device).or_default();
        if came.document.compartment == Compartment::Safety {
            seen.late += usize::from(device.0 > 0);
            device.1 = true;
            warned += 1;
            seen.cautions_s = (warned == count).then_some(after_s);
        } else {
            device.0 += 1;
        }
        if *device == (MISSED, true) {
            seen.complete += 1;
            seen.all_s = (seen.complete == count).then_some(after_s);
        }
    }
    seen
}
