//! A link that is up for 8 s and down for 60, and loses every tenth segment.
//!
//! A caution is written while it is down. Nobody tells the device that the network has
//! changed: its driver has to find out. Several devices side by side, each on a link of
//! its own with its own phase, each with a caution at another moment of the silence.

use std::time::{Duration, Instant};

use forerunner_tests::ServedCenter;
use futures_util::future::join_all;

use super::officer::Officer;
use crate::notes;
use crate::proxy::{Air, Shape};
use crate::row::{Row, median};

const DEVICES: u32 = 8;
const UP: Duration = Duration::from_secs(8);
const DOWN: Duration = Duration::from_secs(60);
const LOST_PERCENT: u32 = 10;
/// An LTE cell's edge.
const RATE: u32 = 128_000;
const ONE_WAY: Duration = Duration::from_millis(50);
/// Between the phases of two devices.
const APART: Duration = Duration::from_secs(3);
/// How long a caution is waited for: two times more that the link comes up.
const WAIT_MAX: Duration = Duration::from_secs(3 * 68);

pub(super) async fn run() -> Vec<Row> {
    let units: Vec<String> = (0..DEVICES).map(|number| format!("U{number}")).collect();
    let center = ServedCenter::start_with(&units, 0).await;
    let one = |number: u32| one(&center, &units, number);
    let took: Vec<f64> = join_all((0..DEVICES).map(one)).await;
    eprintln!("up 8 s, down 60 s, 10% lost: caution after {took:.1?} s");
    let work = "up 8 s, down 60 s, 10% lost (128 kbit/s, 100 ms)";
    vec![
        Row::new(work, "caution, after the link is up")
            .ours(median(&took), "s")
            .goal(2.0),
        Row::new(work, "… the slowest of 8 devices")
            .ours(took.iter().copied().fold(0.0, f64::max), "s"),
    ]
}

/// One device's seconds from the link's coming up to the caution's being in its store.
async fn one(center: &ServedCenter, units: &[String], number: u32) -> f64 {
    let unit = units[number as usize].as_str();
    let call = center.api.call(&format!("L-{number}"), &[unit]).await;
    let officer = Officer::on_duty(&center.api, unit).await;
    officer.device.packet(call, |_| true).await;
    let since = Instant::now() + APART * number;
    tokio::time::sleep_until(since.into()).await;
    officer.proxy.shape(Shape {
        rate: RATE,
        one_way: ONE_WAY,
        air: Some(Air {
            since,
            up: UP,
            down: DOWN,
            lost_percent: LOST_PERCENT,
        }),
    });
    let into_silence = DOWN.mul_f64((f64::from(number) + 0.5) / f64::from(DEVICES));
    tokio::time::sleep_until((since + UP + into_silence).into()).await;
    notes::warn(&center.api, call, "man with gun").await;
    let up_again = since + UP + DOWN;
    let came = officer.has_caution(call, "man with gun", WAIT_MAX).await;
    let came = came.unwrap_or_else(|| Instant::now().max(up_again + WAIT_MAX));
    came.duration_since(up_again).as_secs_f64()
}
