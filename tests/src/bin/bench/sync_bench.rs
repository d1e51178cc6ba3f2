//! `bench sync`: what sync must show, ours and the peers on the same work in one run.
//!
//! Ours runs as users run it: the `forerunner` binary in a process of its own, with TLS,
//! certificates, storage, admission, receipts and audit. Devices are light ones, or where
//! the driver is what is measured, real ones. `FORERUNNER_BENCH_ONLY` names the parts to
//! run (`links` or of them `catch-up` alone, `fan`, `documents`, `city`), where not all are wanted.

mod city;
mod documents;
mod fan;
mod flapping;
mod image;
mod officer;
mod slow;

use std::path::Path;
use std::time::Instant;

pub(crate) use crate::peers::Peers;
use crate::row::Row;
use crate::{page, plot};
pub(crate) use fan::EVERY;

pub(crate) async fn run(with_peers: bool) -> Vec<Row> {
    let began = Instant::now();
    let only = std::env::var("FORERUNNER_BENCH_ONLY").unwrap_or_default();
    let wanted = |part| only.is_empty() || only.split(',').any(|name| name == part);
    let peers = if with_peers {
        Peers::measured()
    } else {
        Peers::default()
    };
    let mut rows = Vec::new();
    if wanted("fan") {
        rows.extend(fan::run(&peers).await);
    }
    let mut city = Vec::new();
    if wanted("city") {
        city = city::run(&peers).await;
    }
    if wanted("links") {
        // Slow links leave the machine idle: side by side they disturb nobody.
        let (slow, flapping, image) =
            tokio::join!(slow::run(&peers), flapping::run(), image::run());
        rows.extend([slow, flapping, image].concat());
    } else if wanted("catch-up") {
        rows.extend(slow::run(&peers).await);
    }
    rows.extend(city);
    if wanted("documents") {
        rows.extend(documents::run().await);
    }
    // What is published is one whole run, peers and all; of others the plot is in `target`.
    let is_whole = with_peers && only.is_empty();
    let folder = if is_whole { "docs" } else { "target" };
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    plot::draw(&root.join(folder).join("performance.svg"), &rows);
    if is_whole {
        page::rewrite(&root.join("docs/performance.md"), &rows, began.elapsed());
    }
    rows
}
