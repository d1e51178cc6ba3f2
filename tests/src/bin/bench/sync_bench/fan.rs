//! A live call on 200 devices: delivery, CPU, bytes. As the rigs have it: notes of 110
//! bytes, one every 100 ms, server and devices on one machine.

use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use forerunner_tests::{ServedCenter, UNITS};
use packet::{CallId, Compartment, DocumentId};
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Peers;
use crate::bare_fan::{self, BareFan};
use crate::counted::Traffic;
use crate::fleet::{self, Online};
use crate::light::Came;
use crate::notes;
use crate::process::{at_rest, cpu};
use crate::row::{Row, median, quantile};

const DEVICES: usize = 200;
const NOTES: Range<u64> = 0..100;
pub(crate) const EVERY: Duration = Duration::from_millis(100);
const RUNS: usize = 3;

/// What notes on one call took.
pub(super) struct Fan {
    pub(super) took_ms: Vec<f64>,
    /// Of the center, a note.
    pub(super) cpu_ms: f64,
}

/// Sends these notes to a call on so many devices that have caught up with it to `newest`
/// ([`notes::caught_up`]), and waits until all have all.
///
/// # Errors
/// When they do not get them, or the center does not come to rest, in a sentence.
pub(super) async fn fan(
    center: &ServedCenter,
    call: CallId,
    received: &mut UnboundedReceiver<Came>,
    (devices, newest): (usize, u64),
    numbers: Range<u64>,
    every: Duration,
) -> Result<Fan, String> {
    at_rest(center.process()).await?;
    let document = DocumentId::new(call, Compartment::Call);
    let before = cpu(center.process());
    let sent = notes::send(&center.api, call, numbers, every).await;
    let is_note = |came: &Came| came.is_note && came.document == document && came.seq > newest;
    let came = notes::take(received, is_note, devices * sent.len()).await?;
    // Reports and receipts are a part of it.
    at_rest(center.process()).await?;
    let cpu = cpu(center.process()) - before;
    Ok(Fan {
        took_ms: notes::took_ms(&came, &sent),
        cpu_ms: cpu.as_secs_f64() * 1_000.0 / sent.len() as f64,
    })
}

struct Run {
    p50_ms: f64,
    p99_ms: f64,
    cpu_ms: f64,
    framed: f64,
    wire: f64,
}

async fn once() -> Run {
    let units = [UNITS[0].to_owned()];
    let center = ServedCenter::start_with(&units, DEVICES).await;
    let call = center.api.call("F-1", &[UNITS[0]]).await;
    let mut lights = fleet::enrol(&center.api, &units, DEVICES).await;
    let (wire, inside) = fleet::count_together(&mut lights);
    let (came, mut received) = unbounded_channel();
    let mut online = Online::new(came);
    online.join(lights).await;
    let newest = notes::caught_up(&center.api, call, &mut received, DEVICES)
        .await
        .unwrap();
    let from = (wire.down(), inside.down());
    let fan = fan(
        &center,
        call,
        &mut received,
        (DEVICES, newest),
        NOTES,
        EVERY,
    )
    .await
    .unwrap();
    let a_note = |traffic: &Arc<Traffic>, from: u64| {
        (traffic.down() - from) as f64 / (DEVICES as u64 * (NOTES.end - NOTES.start)) as f64
    };
    let (wire, framed) = (a_note(&wire, from.0), a_note(&inside, from.1));
    notes::check(&online.leave().await, NOTES);
    Run {
        p50_ms: quantile(&fan.took_ms, 0.5),
        p99_ms: quantile(&fan.took_ms, 0.99),
        cpu_ms: fan.cpu_ms,
        framed,
        wire,
    }
}

pub(super) async fn run(peers: &Peers) -> Vec<Row> {
    // In turn: what else the machine does is in both.
    let (mut runs, mut bare) = (Vec::new(), Vec::new());
    for _ in 0..RUNS {
        runs.push(once().await);
        let notes = u32::try_from(NOTES.end - NOTES.start).unwrap();
        bare.push(bare_fan::run(DEVICES, notes).await);
    }
    let bare_of =
        |figure: fn(&BareFan) -> f64| median(&bare.iter().map(figure).collect::<Vec<_>>());
    let of = |figure: fn(&Run) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
    let work = "note to 200 devices on one call";
    let p50 = peers.beside(
        "p50",
        Row::new(work, "p50").limit(bare_of(|bare| quantile(&bare.took_ms, 0.5))),
    );
    let p99 = peers.beside(
        "p99",
        Row::new(work, "p99").limit(bare_of(|bare| quantile(&bare.took_ms, 0.99))),
    );
    // Where no peer was measured: the figures that the rigs gave on another day.
    let p50_goal = p50.best_peer().map_or(6.0, |(_, best)| best) / 2.0;
    let p99_goal = p99.best_peer().map_or(19.0, |(_, best)| best) / 3.0;
    let bytes = "a 110-byte note, down";
    vec![
        p50.ours(of(|run| run.p50_ms), "ms").goal(p50_goal),
        p99.ours(of(|run| run.p99_ms), "ms").goal(p99_goal),
        peers
            .beside("cpu", Row::new(work, "server CPU a change"))
            .ours(of(|run| run.cpu_ms), "ms")
            .goal(3.0)
            .limit(bare_of(|bare| bare.cpu_ms)),
        peers
            .beside("framed", Row::new(bytes, "framed, inside TLS"))
            .ours(of(|run| run.framed), "B")
            .goal(130.0),
        Row::new(bytes, "on the wire, with TLS").ours(of(|run| run.wire), "B"),
    ]
}
