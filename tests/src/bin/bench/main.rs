//! `cargo xtask bench NAME [--json FILE] [--peers]`: how fast, beside the limit and the
//! peers, in one run.
//!
//! Numbers are medians; less is better in every row. `note-to-device`, `policy` and `triage` have no peers.

// A benchmark that cannot go on ends, and says where.
#![allow(clippy::unwrap_used)]

mod bare;
mod bare_fan;
mod counted;
mod device;
mod fleet;
mod light;
mod limit;
mod note_to_device;
mod notes;
mod page;
mod peers;
mod plot;
mod policy;
mod process;
mod proxy;
mod row;
mod sources;
mod sync_bench;
mod triage;

use row::table;

#[tokio::main]
async fn main() {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let json = args
        .iter()
        .position(|arg| arg == "--json")
        .and_then(|at| args.get(at + 1));
    let with_peers = args.iter().any(|arg| arg == "--peers");
    let rows = match args.first().map(String::as_str) {
        Some("device") => device::run().await,
        Some("note-to-device") => note_to_device::run().await,
        Some("policy") => policy::run().await,
        Some("sync") => sync_bench::run(with_peers).await,
        Some("sources") => sources::run().await,
        Some("triage") => triage::run(),
        // Processes of their own, which the benchmark starts.
        Some(bare::NAME) => return bare::serve(&args[1]).await,
        Some(device::COLD | device::COLD_PLAIN) => return device::cold(&args).await,
        Some(bare_fan::NAME) => return bare_fan::serve().await,
        other => {
            eprintln!(
                "There is no benchmark {}: device, note-to-device, policy, sources, sync, triage",
                other.unwrap_or("without a name")
            );
            std::process::exit(2);
        }
    };
    print!("{}", table(&rows));
    if let Some(file) = json {
        std::fs::write(file, serde_json::to_string_pretty(&rows).unwrap()).unwrap();
    }
}
