//! What an app on an officer's device pays: the first packet on the screen, a search, a note
//! from another language, an hour of connection.
//!
//! One store of 500 packets with 20,000 entries, which a real device has synced from a real
//! center, serves all of it.

mod border;
mod cold;
mod full;
mod hour;

use crate::row::Row;

/// Arguments by which this program becomes a process that is measured.
pub(crate) const COLD: &str = "device-cold";
pub(crate) const COLD_PLAIN: &str = "device-cold-plain";

pub(crate) async fn run() -> Vec<Row> {
    let full = full::Full::make().await;
    let mut rows = cold::run(&full).await;
    rows.extend(border::run(&full).await);
    drop(full);
    // Simulated hosts have runtimes of their own.
    let hours = tokio::task::spawn_blocking(hour::run).await;
    rows.extend(hours.unwrap());
    rows
}

/// A process that opens the folder and says `shown` when the first packet could be drawn.
pub(crate) async fn cold(arguments: &[String]) {
    match arguments {
        [kind, folder] if kind == COLD => cold::show(folder.as_ref()).await,
        [_, folder] => cold::show_plain(folder.as_ref()),
        _ => unreachable!("started by this program"),
    }
}
