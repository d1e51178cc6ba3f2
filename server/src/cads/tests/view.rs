use rusqlite::{Connection, params};

use super::*;

const OVERLAP: u32 = 10;

fn with_a_view(folder: &Path) -> Vec<CadConfig> {
    let path = folder.join("cad.db");
    let cad = Connection::open(&path).unwrap();
    cad.execute_batch(
        "PRAGMA journal_mode = WAL;
         CREATE TABLE history (version INTEGER PRIMARY KEY, number TEXT, at TEXT, changed TEXT,
            place TEXT, lat REAL, lon REAL, type TEXT, ended TEXT, on_it TEXT);
         CREATE VIEW calls AS SELECT version AS key, number AS ID, at AS time, changed AS updated,
            place AS location, lat AS latitude, lon AS longitude, type AS nature, ended AS status,
            on_it AS units FROM history;",
    )
    .unwrap();
    vec![CadConfig {
        view: Some(ViewConfig {
            database: path.display().to_string(),
            secret: None,
            ca: None,
            name: "calls".into(),
            key: "key".into(),
            poll_ms: 100,
            overlap: OVERLAP,
        }),
        ..section("pd")
    }]
}

/// The CAD writes a row of its history.
fn write(bench: &Bench, version: i64, number: &str, at: &str, nature: &str, ended: Option<&str>) {
    let cad = Connection::open(bench.folder.path().join("cad.db")).unwrap();
    cad.execute(
        "INSERT INTO history VALUES (?1, ?2, '2026-05-01 00:00:14', ?3, '1 MAIN ST', 43.04, -87.91, ?4, ?5, '4A12')",
        params![version, number, at, nature, ended],
    )
    .unwrap();
}

#[tokio::test]
async fn a_view_is_read_by_its_key_and_each_row_updates_its_call() {
    let bench = Bench::start(with_a_view).await;
    write(&bench, 1, "7", "2026-05-01 00:00:20", "TRESPASS", None);
    write(&bench, 2, "8", "2026-05-01 00:00:21", "FIGHT", None);
    write(&bench, 3, "9", "noon", "FIGHT", None);
    write(&bench, 4, "7", "2026-05-01 00:05:00", "SHOTS FIRED", None);
    bench.until_numbers_are(&["7", "8"]).await;
    write(
        &bench,
        5,
        "8",
        "2026-05-01 00:06:00",
        "FIGHT",
        Some("Advised"),
    );
    bench
        .until("8 is closed and 7 upgraded", async || {
            let calls = bench.calls().await;
            calls[0].1 == "SHOTS FIRED" && !calls[1].2
        })
        .await;
    let door = bench.cad("pd").view_door.view();
    assert_eq!((door.rows, door.bad_rows), (4, 1), "{door:?}");
    assert!(
        door.faults[0].starts_with("key 3: updated: wanted a local time"),
        "{door:?}"
    );
}

#[tokio::test]
async fn after_a_start_it_reads_on_and_a_late_row_is_taken_within_the_overlap() {
    let mut bench = Bench::start(with_a_view).await;
    write(&bench, 100, "100", "2026-05-01 00:01:00", "FIGHT", None);
    bench.until_numbers_are(&["100"]).await;
    bench.stop().await;
    write(&bench, 95, "95", "2026-05-01 00:01:00", "FIGHT", None);
    write(&bench, 89, "89", "2026-05-01 00:01:00", "FIGHT", None);
    bench.start_again().await;
    bench.until_numbers_are(&["100", "95"]).await;
    write(&bench, 101, "101", "2026-05-01 00:01:00", "FIGHT", None);
    bench.until_numbers_are(&["100", "101", "95"]).await;
    // What is counted follows the commit.
    let counted = async {
        while bench.cad("pd").view_door.view().rows < 2 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(30), counted)
        .await
        .unwrap();
    let door = bench.cad("pd").view_door.view();
    assert_eq!(
        (door.rows, door.bad_rows),
        (2, 0),
        "nothing twice: {door:?}"
    );
    let kept = bench.center().log.readers().read(|connection| {
        Ok(connection.query_row(
            "SELECT (SELECT key FROM cad_positions), (SELECT count(*) FROM cad_rows)",
            [],
            |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)),
        )?)
    });
    assert_eq!(kept.await.unwrap(), (101, 3));
}

#[tokio::test]
async fn a_database_that_is_not_there_or_lacks_a_column_is_told_and_read_when_it_is_mended() {
    let bench = Bench::start(|folder| {
        let sections = with_a_view(folder);
        std::fs::rename(folder.join("cad.db"), folder.join("away.db")).unwrap();
        sections
    })
    .await;
    let troubled = async |words: &str| {
        bench
            .until(words, async || {
                let trouble = bench.cad("pd").view_door.view().trouble;
                trouble.is_some_and(|why| why.contains(words))
            })
            .await;
    };
    troubled("unable to open").await;
    let path = bench.folder.path().join("cad.db");
    let cad = Connection::open(&path).unwrap();
    cad.execute_batch("CREATE TABLE calls (key, id, location, nature)")
        .unwrap();
    troubled("the view calls lacks the column time").await;
    cad.execute_batch("DROP TABLE calls").unwrap();
    troubled("no such table").await;
    cad.execute_batch(
        "CREATE TABLE calls (key, id, time, location, nature);
         INSERT INTO calls VALUES (1, 7, '2026-05-01T00:00:14Z', '1 MAIN ST', 'FIRE')",
    )
    .unwrap();
    bench.until_numbers_are(&["7"]).await;
    bench
        .until("it is heard", async || {
            bench.cad("pd").view_door.view().trouble.is_none()
        })
        .await;
}

#[tokio::test]
async fn keys_that_are_not_unique_do_not_hold_the_reading_without_a_word() {
    let bench = Bench::start(with_a_view).await;
    let cad = Connection::open(bench.folder.path().join("cad.db")).unwrap();
    cad.execute_batch(
        "DROP VIEW calls;
         CREATE TABLE calls (key, id, time, location, nature);
         WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 600)
         INSERT INTO calls SELECT 1, i, '2026-05-01T00:00:14Z', '1 MAIN ST', 'FIRE' FROM n;",
    )
    .unwrap();
    bench
        .until("it is told", async || {
            let trouble = bench.cad("pd").view_door.view().trouble;
            trouble.is_some_and(|why| why.contains("key must be another for each row"))
        })
        .await;
}
