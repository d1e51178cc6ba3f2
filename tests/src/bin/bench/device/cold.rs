//! From the start of a process to the first packet on its screen; and searching.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use data_encoding::HEXLOWER;
use rusqlite::Connection;

use super::full::{Full, RARE, open};
use super::{COLD, COLD_PLAIN};
use crate::row::{Row, median};

const STARTS: usize = 15;
const SEARCHES: usize = 11;

/// Opens the device, reads the list and its first packet, as a screen does.
pub(super) async fn show(folder: &Path) {
    let began = Instant::now();
    let core = open(folder);
    let opened = began.elapsed();
    let packets = core.packets().await.unwrap();
    let listed = began.elapsed();
    let packet = core.packet(packets[0].call).await.unwrap().unwrap();
    let glance = core.glance(&packet);
    assert!(glance.lines.len() <= packet.entries.len());
    said(
        packets.len(),
        packet.entries.len(),
        [opened, listed - opened],
    );
}

/// The same rows by SQLCipher alone: the key, the list's, those of one packet, each row's
/// fields read as JSON.
pub(super) fn show_plain(folder: &Path) {
    let connection = plain(folder);
    let listed = rows(
        &connection,
        "SELECT doc, fields FROM changes WHERE kind IN ('facts', 'caution', 'acknowledgement', 'correction')
         ORDER BY seq",
        [],
    );
    let newest: Vec<u8> = connection
        .query_row(
            "SELECT doc FROM changes ORDER BY received_ms DESC LIMIT 1",
            [],
            |row| row.get(0),
        )
        .unwrap();
    let (first, last) = (
        [&newest[..8], &[0]].concat(),
        [&newest[..8], &[255]].concat(),
    );
    let packet = rows(
        &connection,
        "SELECT doc, fields FROM changes WHERE doc BETWEEN ?1 AND ?2 ORDER BY seq",
        [first, last],
    );
    said(listed, packet, [Duration::ZERO; 2]);
}

fn plain(folder: &Path) -> Connection {
    let key = std::fs::read(folder.join("keys/store-key.key")).unwrap();
    let connection = Connection::open(folder.join("store/packets.db")).unwrap();
    let key = format!(
        "PRAGMA key = \"x'{}'\"; PRAGMA journal_mode = WAL;",
        HEXLOWER.encode(&key)
    );
    connection.execute_batch(&key).unwrap();
    connection
}

fn rows(connection: &Connection, sql: &str, parameters: impl rusqlite::Params) -> usize {
    let mut statement = connection.prepare(sql).unwrap();
    let fields = statement
        .query_map(parameters, |row| row.get::<_, String>(1))
        .unwrap();
    let read = fields.map(|fields| serde_json::from_str::<serde_json::Value>(&fields.unwrap()));
    read.filter(Result::is_ok).count()
}

fn said(list: usize, packet: usize, steps: [Duration; 2]) {
    assert!(list > 0 && packet > 0);
    let [opened, listed] = steps.map(|step| step.as_micros());
    let mut out = std::io::stdout().lock();
    writeln!(out, "shown {opened} {listed}").unwrap();
    out.flush().unwrap();
}

/// Milliseconds from the start of a process until it says that the packet is shown; of them
/// those that opening took, and those that the list took.
fn start(kind: &str, folder: &Path) -> [f64; 3] {
    let began = Instant::now();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .arg(kind)
        .arg(folder)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    out.read_line(&mut line).unwrap();
    let took = began.elapsed();
    assert!(child.wait().unwrap().success());
    let steps = line.trim_end().strip_prefix("shown ").unwrap();
    let (opened, listed) = steps.split_once(' ').unwrap();
    let ms = |micros: &str| micros.parse::<f64>().unwrap() / 1_000.0;
    [took.as_secs_f64() * 1_000.0, ms(opened), ms(listed)]
}

pub(super) async fn run(full: &Full) -> Vec<Row> {
    let folder = full.folder();
    let (mut ours, mut plain) = (Vec::new(), Vec::new());
    for _ in 0..STARTS {
        plain.push(start(COLD_PLAIN, folder)[0]);
        ours.push(start(COLD, folder));
    }
    let step = |at: usize| -> f64 {
        let took: Vec<f64> = ours.iter().map(|took| took[at]).collect();
        median(&took)
    };
    let work = format!("500 packets, {} entries", full.entries);
    let mut cold =
        Row::new(&work, "a process's start to the first packet on its screen").ours(step(0), "ms");
    cold.peers.insert(
        "plain SQLCipher, the same rows".into(),
        Some(median(&plain)),
    );
    let mut rows = vec![
        cold,
        Row::new(&work, "… of that, opening: every page is checked").ours(step(1), "ms"),
        Row::new(&work, "… of that, the list of packets").ours(step(2), "ms"),
    ];
    rows.extend(searches(full, &work).await);
    rows.extend(sizes(full, &work));
    rows
}

async fn searches(full: &Full, work: &str) -> Vec<Row> {
    let core = open(full.folder());
    let mut rows = Vec::new();
    for (what, words) in [
        ("a word of one entry", RARE),
        ("two words of many entries", "knife alley"),
        ("the beginning of a plate, across marks", "krt-1"),
        ("a word that nothing has", "submarine"),
    ] {
        let (mut with, mut without, mut found) = (Vec::new(), Vec::new(), 0);
        for _ in 0..SEARCHES {
            let began = Instant::now();
            let all = core.find_by_reading_all(words).await.unwrap();
            without.push(began.elapsed().as_secs_f64() * 1_000.0);
            let began = Instant::now();
            let indexed = core.find(words).await.unwrap();
            with.push(began.elapsed().as_secs_f64() * 1_000.0);
            assert_eq!(indexed, all, "{words}");
            found = indexed.len();
        }
        let mut row =
            Row::new(work, format!("a search: {what} ({found} found)")).ours(median(&with), "ms");
        row.peers
            .insert("reading every packet".into(), Some(median(&without)));
        rows.push(row);
    }
    core.pause().await.unwrap();
    rows
}

#[allow(clippy::cast_precision_loss)]
fn sizes(full: &Full, work: &str) -> Vec<Row> {
    let connection = plain(full.folder());
    let bytes = |like: &str| -> f64 {
        let sql = "SELECT coalesce(sum(pgsize), 0) FROM dbstat WHERE name LIKE ?1";
        connection
            .query_row(sql, [like], |row| row.get::<_, i64>(0))
            .unwrap() as f64
    };
    let (all, index) = (bytes("%"), bytes("searched%"));
    let mut row = Row::new(work, "the store on the disk, index and all").ours(all / 1e6, "MB");
    row.peers
        .insert("without the index".into(), Some((all - index) / 1e6));
    vec![row]
}
