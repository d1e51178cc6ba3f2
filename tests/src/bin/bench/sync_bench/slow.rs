//! Catching up behind 9,600 bit/s and a round trip of 600 ms.
//!
//! 100 calls are held, 20 notes were missed in 20 of them. Times run from when the proxy
//! accepts the connection, as the rigs measure; TLS is resumed.

use std::time::Duration;

use forerunner_tests::{ServedCenter, TestApi, UNITS};
use futures_util::{StreamExt, stream};
use packet::CallId;
use rustls::HandshakeKind;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::Peers;
use crate::fleet::{self, Online};
use crate::light::{Came, Light};
use crate::notes;
use crate::proxy::{Proxy, Shape};
use crate::row::{Row, median};

const CALLS: usize = 100;
const NOTES_HELD: u64 = 20;
const MISSED: usize = 20;
const RUNS: u64 = 5;
const WRITERS: usize = 8;

/// The link of the rigs.
pub(super) fn link() -> Shape {
    Shape {
        rate: 9_600,
        one_way: Duration::from_millis(300),
        air: None,
    }
}

struct Run {
    first_s: f64,
    all_s: f64,
    up_inside: f64,
    up_wire: f64,
    down_wire: f64,
}

pub(super) async fn run(peers: &Peers) -> Vec<Row> {
    let units = [UNITS[0].to_owned()];
    let center = ServedCenter::start_with(&units, 1).await;
    let calls = held(&center.api).await;
    let mut light = fleet::enrol(&center.api, &units, 1).await.remove(0);
    let proxy = Proxy::to(light.to).await;
    light.to = proxy.address();
    let (came, mut received) = unbounded_channel();
    let mut online = Online::new(came.clone());
    online.join([light]).await;
    notes::settled(&mut received).await;
    let mut light = online.leave().await.remove(0);
    let mut runs = Vec::new();
    for number in 0..RUNS {
        let missed = calls.iter().rev().take(MISSED);
        for (call, note) in missed.zip(100_000 * (number + 1)..) {
            notes::write(&center.api, *call, &notes::text(note)).await;
        }
        proxy.cut();
        proxy.shape(link());
        let mut online = Online::new(came.clone());
        let run;
        (light, run) = reconnect(light, &proxy, &mut online, &mut received).await;
        proxy.shape(Shape::default());
        runs.push(run);
    }
    for number in 0..RUNS {
        let first = 100_000 * (number + 1);
        notes::check([&light], first..first + MISSED as u64);
    }
    rows(peers, &runs)
}

/// The calls of one unit, with a caution and notes each.
async fn held(api: &TestApi) -> Vec<CallId> {
    let writing = (0..CALLS).map(|number| async move {
        let call = api.call(&format!("S-{number}"), &[UNITS[0]]).await;
        notes::warn(api, call, "dog on premises").await;
        for note in 0..NOTES_HELD {
            let text = notes::text(number as u64 * 100 + note);
            notes::write(api, call, &text).await;
        }
        call
    });
    stream::iter(writing).buffered(WRITERS).collect().await
}

async fn reconnect(
    light: Light,
    proxy: &Proxy,
    online: &mut Online,
    received: &mut UnboundedReceiver<Came>,
) -> (Light, Run) {
    let inside = light.inside.clone();
    let from = (inside.up(), proxy.traffic().up(), proxy.traffic().down());
    online.join([light]).await;
    let mut came = notes::take(received, |came| came.is_note, 1).await.unwrap();
    let rest = notes::take(received, |came| came.is_note, MISSED - 1).await;
    came.extend(rest.unwrap());
    let up_inside = inside.up() - from.0;
    let (up_wire, down_wire) = (
        proxy.traffic().up() - from.1,
        proxy.traffic().down() - from.2,
    );
    let accepted = proxy.accepted().unwrap();
    let after_s = |came: &Came| came.at.duration_since(accepted).as_secs_f64();
    let (first_s, all_s) = (after_s(&came[0]), after_s(&came[MISSED - 1]));
    // The last report is on its way, and so is the next session's ticket.
    notes::settled(received).await;
    let light = std::mem::replace(online, Online::new(unbounded_channel().0));
    let light = light.leave().await.remove(0);
    assert_eq!(light.handshake, Some(HandshakeKind::Resumed));
    let run = Run {
        first_s,
        all_s,
        up_inside: up_inside as f64,
        up_wire: up_wire as f64,
        down_wire: down_wire as f64,
    };
    (light, run)
}

fn rows(peers: &Peers, runs: &[Run]) -> Vec<Row> {
    let of = |figure: fn(&Run) -> f64| median(&runs.iter().map(figure).collect::<Vec<_>>());
    let work = "9,600 bit/s, 600 ms round trip, 100 held, 20 missed";
    let limits = peers.yardstick();
    vec![
        peers
            .beside("first", Row::new(work, "to the first"))
            .ours(of(|run| run.first_s), "s")
            .goal(2.5)
            .limit(limits.first_s),
        peers
            .beside("all", Row::new(work, "to all"))
            .ours(of(|run| run.all_s), "s")
            .goal(4.2)
            .limit(limits.all_s),
        peers
            .beside("up", Row::new(work, "bytes up, inside TLS"))
            .ours(of(|run| run.up_inside), "B")
            .goal(250.0)
            .limit(limits.up_bytes),
        Row::new(work, "bytes up, on the wire").ours(of(|run| run.up_wire), "B"),
        peers
            .beside("down", Row::new(work, "bytes down, on the wire"))
            .ours(of(|run| run.down_wire), "B")
            .limit(limits.down_bytes),
    ]
}
