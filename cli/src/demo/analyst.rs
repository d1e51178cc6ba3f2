//! The simulated analyst: now and then a note, seldom a caution, on a call that a unit
//! is on, so that there is something to see. What it writes says that it is simulated.

use std::time::Duration;

use packet::{CallId, Caution, Entry, Note};
use server::log::LogError;
use tokio_util::sync::CancellationToken;

use super::{Shared, simulated};

const EVERY_S: u64 = 5;
const NOTES: [&str; 8] = [
    "Camera on the corner shows one person waiting at the side door",
    "Caller rang back: the other party has left on foot, northbound",
    "Earlier report from this address was unfounded",
    "Vehicle seen on the plate reader 4 minutes ago, 3 blocks east",
    "Complainant will meet the unit in front",
    "Building has a rear exit to the alley; gate is unlocked",
    "Second caller confirms the description",
    "Interpreter on the line if needed: ask on channel 2",
];
const CAUTIONS: [&str; 4] = [
    "Subject was armed with a knife at this address last month",
    "Large dog loose in the yard",
    "Subject threatened officers on an earlier call",
    "Two more people in the house than the caller said",
];

pub(super) async fn run(center: Shared, stop: CancellationToken) {
    let by = simulated("RTCC analyst");
    let mut turn = 0_usize;
    loop {
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(EVERY_S)) => {}
            () = stop.cancelled() => return,
        }
        let Ok(Some(call)) = some_call(&center).await else {
            continue;
        };
        turn += 1;
        let entry = if turn.is_multiple_of(6) {
            Entry::Caution(Caution {
                text: CAUTIONS[turn / 6 % CAUTIONS.len()].into(),
                by: by.clone(),
                ends_ms: None,
            })
        } else {
            Entry::Note(Note {
                text: NOTES[turn % NOTES.len()].into(),
                by: by.clone(),
            })
        };
        if let Err(e) = center.write(call, entry, &by).await {
            println!("\rThe simulated analyst's note was not taken: {e}");
        }
    }
}

/// An open call that a unit is on: one of the newest.
async fn some_call(center: &Shared) -> Result<Option<CallId>, LogError> {
    center
        .log
        .readers()
        .read(|connection| {
            let mut statement = connection.prepare(
                "SELECT call FROM calls WHERE open = 1 AND EXISTS
                 (SELECT 1 FROM grants WHERE grants.call = calls.call AND to_seq IS NULL) ORDER BY call DESC LIMIT 12",
            )?;
            let calls: Vec<i64> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
            Ok(fastrand::choice(calls).map(|call| CallId(call.cast_unsigned())))
        })
        .await
}
