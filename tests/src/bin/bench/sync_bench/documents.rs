//! What a change costs while the center holds ever more documents, in all, over 50 units.
//!
//! Always the same 200 devices, and the same call on all of them; the other calls lie on
//! one unit each, so a device comes to hold up to 200 documents itself.

use forerunner_tests::{ServedCenter, TestApi};
use futures_util::{StreamExt, stream};
use tokio::sync::mpsc::unbounded_channel;

use super::city::{everywhere, units};
use super::fan::{EVERY, fan};
use crate::fleet::{self, Online};
use crate::notes;
use crate::row::{Row, median};

const DEVICES: usize = 200;
const SIZES: [usize; 4] = [10, 100, 1_000, 10_000];
/// A call's: `call` and `safety`.
const DOCUMENTS_PER_CALL: usize = 2;
const NOTES: u64 = 100;
const WRITERS: usize = 8;
/// What is not slower than by this share is flat, on a machine that is shared.
pub(super) const FLAT: f64 = 1.2;

pub(super) async fn run() -> Vec<Row> {
    let units = units();
    let center = ServedCenter::start_with(&units, DEVICES).await;
    let call = everywhere(&center.api, &units).await;
    let lights = fleet::enrol(&center.api, &units, DEVICES).await;
    let (came, mut received) = unbounded_channel();
    let mut online = Online::new(came);
    online.join(lights).await;
    let (mut held, mut next) = (1, 0);
    let mut measured = Vec::new();
    for documents in SIZES {
        let wanted = documents / DOCUMENTS_PER_CALL;
        open(&center.api, &units, held..wanted).await;
        held = wanted;
        let numbers = next..next + NOTES;
        let newest = notes::caught_up(&center.api, call, &mut received, DEVICES)
            .await
            .unwrap();
        let fan = fan(
            &center,
            call,
            &mut received,
            (DEVICES, newest),
            numbers,
            EVERY,
        )
        .await
        .unwrap();
        next += NOTES;
        let (cpu_ms, p50_ms) = (fan.cpu_ms, median(&fan.took_ms));
        eprintln!("{documents} documents: {cpu_ms:.2} ms CPU a change, p50 {p50_ms:.2} ms");
        measured.push((cpu_ms, p50_ms));
    }
    notes::check(online.leave().await.iter().step_by(20), 0..next);
    let (least, most) = (measured[0], measured[SIZES.len() - 1]);
    let work = "a change, documents held 10 → 10,000";
    vec![
        Row::new(work, "server CPU, last against first")
            .ours(most.0 / least.0, "×")
            .goal(FLAT)
            .limit(1.0),
        Row::new(work, "p50, last against first")
            .ours(most.1 / least.1, "×")
            .goal(FLAT)
            .limit(1.0),
    ]
}

/// Calls with both compartments, on the units in turn.
async fn open(api: &TestApi, units: &[String], numbers: std::ops::Range<usize>) {
    let opening = numbers.map(|number| async move {
        let unit = units[number % units.len()].as_str();
        let call = api.call(&format!("D-{number}"), &[unit]).await;
        notes::warn(api, call, "dog on premises").await;
    });
    stream::iter(opening)
        .buffer_unordered(WRITERS)
        .collect::<Vec<()>>()
        .await;
}
