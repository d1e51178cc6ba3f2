//! A CAD's view over `kill -9` of the center: nothing twice, nothing lost.
//!
//! The CAD writes all the time; rows come late, with lower keys than others. Each call has
//! three rows: it is opened, updated, and closed. In the end the log has for each call
//! those three facts in that order, whatever was killed in between.
//!
//! `FORERUNNER_SEED` says which moments.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use forerunner_tests::{AGENCY, LedgerCopy, ServedCenter, TestApi, until};
use packet::{CallId, CallState, Compartment, Entry};
use rusqlite::{Connection, params};

const KILLS: u32 = 25;
const PAUSE_MS_MAX: u64 = 250;
/// Keys that are read again at each look, and how far a row comes late at most.
const OVERLAP: i64 = 100;
const LATE_MAX: i64 = 40;

/// The CAD: keys go up, commits do not come in their order.
struct Cad {
    database: Connection,
    rng: fastrand::Rng,
    version: i64,
    calls: i64,
    /// Rows that have their key and are not committed yet.
    late: Vec<Row>,
}

struct Row {
    version: i64,
    call: i64,
    step: i64,
}

impl Cad {
    fn new(path: &std::path::Path, seed: u64) -> Self {
        let database = Connection::open(path).unwrap();
        database
            .execute_batch(
                "PRAGMA journal_mode = WAL; PRAGMA synchronous = OFF;
                 CREATE TABLE calls (version INTEGER PRIMARY KEY, id TEXT, time TEXT, updated TEXT,
                    location TEXT, nature TEXT, narrative TEXT, status TEXT);",
            )
            .unwrap();
        Self {
            database,
            rng: fastrand::Rng::with_seed(seed),
            version: 0,
            calls: 0,
            late: Vec::new(),
        }
    }

    /// One call's life. What is late comes before its key is out of the overlap, and a
    /// call's own rows never overtake each other.
    fn write_a_call(&mut self) {
        self.calls += 1;
        for step in 0..3 {
            self.version += 1;
            let row = Row {
                version: self.version,
                call: self.calls,
                step,
            };
            if step == 2 && self.rng.u8(..4) == 0 {
                self.late.push(row);
            } else {
                self.commit(&row);
            }
        }
        let due = self.version - self.rng.i64(..LATE_MAX);
        let (now, later) = std::mem::take(&mut self.late)
            .into_iter()
            .partition(|row: &Row| row.version <= due);
        self.late = later;
        now.iter().for_each(|row| self.commit(row));
    }

    fn commit(&self, row: &Row) {
        let status = (row.step == 2).then_some("Advised");
        self.database
            .execute(
                "INSERT INTO calls VALUES (?1, ?2, '2026-05-01 00:00:00', ?3, '1 MAIN ST', 'TRESPASS', ?4, ?5)",
                params![
                    row.version,
                    row.call.to_string(),
                    format!("2026-05-01 00:00:{:02}", row.step),
                    format!("step {}", row.step),
                    status
                ],
            )
            .unwrap();
    }

    fn finish(&mut self) {
        let late = std::mem::take(&mut self.late);
        late.iter().for_each(|row| self.commit(row));
    }
}

async fn closed(api: &TestApi) -> u64 {
    let page = api.get("/v1/calls?state=closed&limit=1").await.unwrap();
    page.body["total"].as_u64().unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cads_view_is_read_once_over_kills_of_the_center() {
    let seed = std::env::var("FORERUNNER_SEED").ok();
    let seed = seed.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("cads: seed {seed}, {KILLS} kills");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("cad.db");
    let mut cad = Cad::new(&path, seed);
    let mut center = ServedCenter::start_also(&format!(
        "[[cads]]\nagency = \"{AGENCY}\"\nzone = \"America/Chicago\"\n[cads.database]\n\
         sqlite = {path:?}\nview = \"calls\"\nkey = \"version\"\npoll_ms = 100\noverlap = {OVERLAP}\n"
    ))
    .await;
    let mut moments = fastrand::Rng::with_seed(seed);
    for _ in 0..KILLS {
        for _ in 0..moments.u32(1..8) {
            cad.write_a_call();
            // The moment is the test's matter.
            tokio::time::sleep(Duration::from_millis(moments.u64(..PAUSE_MS_MAX / 4))).await;
        }
        center.kill().await;
        cad.write_a_call();
        center.start_again().await;
    }
    cad.finish();
    let calls = u64::try_from(cad.calls).unwrap();
    let api = center.api.clone();
    until("every call is closed", async || {
        (closed(&api).await == calls).then_some(())
    })
    .await;
    assert!(center.stop().await.success());

    let log = LedgerCopy::read(&center.data());
    assert_eq!(log.numbers.len() as u64, calls);
    assert!(log.numbers.iter().all(|(_, times)| *times == 1));
    let mut told: BTreeMap<CallId, Vec<(String, CallState)>> = BTreeMap::new();
    for logged in &log.entries {
        if let (Entry::Facts(facts), Compartment::Call) =
            (&logged.entry, logged.document.compartment)
        {
            let words = facts.narrative.clone().unwrap();
            told.entry(logged.document.call)
                .or_default()
                .push((words, facts.state));
        }
    }
    let life = [
        ("step 0".to_owned(), CallState::Open),
        ("step 1".to_owned(), CallState::Open),
        ("step 2".to_owned(), CallState::Closed),
    ];
    assert_eq!(told.len() as u64, calls);
    for (call, told) in told {
        assert_eq!(told, life, "{call}");
    }
    println!("cads: {calls} calls, {} rows, each told once", cad.version);
}
