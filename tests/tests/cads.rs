//! A CAD's view: over `kill -9` of the center (nothing twice, nothing lost), and in a real
//! PostgreSQL.
//!
//! The CAD writes all the time; rows come late, with lower keys than others. Each call has
//! three rows: it is opened, updated, and closed. In the end the log has for each call
//! those three facts in that order, whatever was killed in between.
//!
//! `FORERUNNER_SEED` says which moments.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;
use std::time::Duration;

use forerunner_tests::{AGENCY, LedgerCopy, Postgres, ServedCenter, TestApi, TestCenter, until};
use packet::{CallId, CallState, Compartment, Entry};
use rusqlite::{Connection, params};
use serde_json::Value;

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
        "[[cads]]\nagency = \"{AGENCY}\"\nzone = \"America/Chicago\"\n[cads.view]\n\
         database = {path:?}\nname = \"calls\"\nkey = \"version\"\npoll_ms = 100\noverlap = {OVERLAP}\n"
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

#[tokio::test]
async fn a_view_in_postgresql_is_read_by_its_key_with_the_zone_of_its_cad() {
    let test = "a_view_in_postgresql_is_read_by_its_key_with_the_zone_of_its_cad";
    let Some(postgres) = Postgres::start(test) else {
        return;
    };
    postgres
        .run(
            "CREATE TABLE history (version bigserial PRIMARY KEY, number int, at timestamp,
                changed timestamptz, place text, position point, type text, remarks text, ended text, urgent smallint);
             CREATE VIEW calls AS SELECT version, number AS id, at AS time, changed AS updated,
                place AS location, position[0] AS latitude, position[1] AS longitude,
                type AS nature, remarks AS narrative, ended AS status, urgent AS priority FROM history;
             INSERT INTO history (number, at, changed, place, position, type, urgent) VALUES
                (7, '2026-05-01 00:00:14.5', '2026-05-01 00:00:20-05', '1 MAIN ST', '(43.04,-87.91)', 'TRESPASS', 4);
             INSERT INTO history (number, at, place, type) VALUES
                (8, 'infinity', '2 MAIN ST', 'FIGHT');",
        )
        .await;
    let center = TestCenter::start_with(&format!(
        "[[cads]]\nagency = \"{AGENCY}\"\nzone = \"America/Chicago\"\n[cads.view]\n\
         database = {:?}\nsecret = {{ file = {:?} }}\nname = \"public.calls\"\nkey = \"version\"\npoll_ms = 100\n",
        postgres.url_without_password(),
        postgres.password_file(),
    ))
    .await;
    let calls = async || center.api.get("/v1/calls?state=all").await.unwrap().body["calls"].clone();
    let first = until("the call is there", async || calls().await.get(0).cloned()).await;
    assert_eq!(
        (&first["number"], &first["priority"]),
        (&"7".into(), &4.into()),
        "{first}"
    );
    // Its own local time, five hours behind in May.
    let received = "2026-05-01T05:00:14.5Z".parse::<jiff::Timestamp>().unwrap();
    assert_eq!(first["received_ms"], received.as_millisecond());
    postgres
        .run(
            "INSERT INTO history (number, at, changed, place, type, remarks, ended) VALUES
                (7, '2026-05-01 00:00:14.5', '2026-05-01 00:09:00-05', '1 MAIN ST', 'TRESPASS', 'he has a gun', 'Arrest')",
        )
        .await;
    until("it is closed", async || {
        let call = calls().await[0].clone();
        (call["open"] == false && call["cautions"] == 1).then_some(())
    })
    .await;
    let doors = center.api.get("/v1/cads").await.unwrap().body;
    let door = &doors[0]["view"];
    assert_eq!(doors[0]["agency"], AGENCY);
    assert_eq!(
        (&doors[0]["folder"], &door["bad_rows"]),
        (&Value::Null, &1.into())
    );
    let fault = door["faults"][0].as_str().unwrap();
    assert!(fault.contains("time"), "{fault}");
    let stranger = center.api.stranger("GET", "/v1/cads").await.unwrap();
    assert_eq!(stranger.status, 403);
    // A session that ends is made again.
    postgres
        .run(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'forerunner';
             INSERT INTO history (number, at, changed, place, type) VALUES
                (9, '2026-05-01 00:10:00', NULL, '3 MAIN ST', 'FIRE')",
        )
        .await;
    until("the third call is there", async || {
        (calls().await.as_array().unwrap().len() == 2).then_some(())
    })
    .await;
}
