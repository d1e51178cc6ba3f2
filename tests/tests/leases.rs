//! What does not stay on a device for the shift, from the center's configuration to the last
//! byte on the officer's disk: leases that are shorter, and what is shown and never kept.

#![allow(clippy::unwrap_used)]

use std::fs;
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use forerunner_tests::{TestApi, TestCenter, TestDevice, until};
use mobile_core::{CoreError, Lease, LeaseState, Ticket};
use packet::entry::Topic;
use packet::{CallId, Compartment, Confidence, DocumentId, Entry, Finding};
use rusqlite::Connection;
use rusqlite::types::ValueRef;
use serde_json::json;

const AGENCY: &str = "mallory-so";
const WORDS: [&str; 2] = ["QZTITLEQZ", "QZFINDINGQZ"];
const HOUR_MS: i64 = 60 * 60 * 1_000;
/// Of a second agency beside the tests' own.
const CONFIG: &str = r#"
[[agencies]]
id = "mallory-so"
name = "Mallory County Sheriff"
units = ["S1"]
officers = [
    { badge = "201", name = "Vega", certifications = { CJIS = "2099-01-01", intel = "2099-01-01" } },
    { badge = "202", name = "Okon" },
]

[[leases]]
agency = "mallory-so"
compartment = "juvenile"
minutes = 120

[[leases]]
agency = "cedarport-pd"
compartment = "records"
minutes = 30
"#;

fn finding([title, text]: [&str; 2]) -> Entry {
    Entry::Finding(Finding {
        source: "juvenile".into(),
        title: title.into(),
        text: text.into(),
        query: "QZ".into(),
        recorded_ms: None,
        answered_ms: 1,
        confidence: Confidence::Exact,
        topic: Topic::Record,
        link: None,
        ends_ms: None,
        answers: None,
    })
}

async fn ticket(api: &TestApi) -> Ticket {
    let body = json!({"agency": AGENCY, "label": "MDT"});
    let answer = api.post("/v1/enrolment-codes", &body).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["ticket"].as_str().unwrap().parse().unwrap()
}

async fn call(api: &TestApi) -> CallId {
    let body = json!({
        "agency": AGENCY, "number": "S-1", "nature": "RUNAWAY",
        "location": "400 W STATE ST", "units": ["S1"],
    });
    let answer = api.post("/v1/calls", &body).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.call_id()
}

async fn write(center: &TestCenter, call: CallId, compartment: Compartment, words: [&str; 2]) {
    let document = DocumentId::new(call, compartment);
    let written = center
        .center()
        .write_to(document, finding(words), "a test")
        .await;
    written.unwrap();
}

struct Stage {
    center: TestCenter,
    device: TestDevice,
    call: CallId,
}

impl Stage {
    /// An officer of the county with a juvenile record, and another one that is not leased.
    async fn set() -> Self {
        let center = TestCenter::start_with(CONFIG).await;
        let device = TestDevice::enrolled_by(ticket(&center.api).await).await;
        device.core.sign_on("201", "S1").await.unwrap();
        device.online().await;
        let call = call(&center.api).await;
        write(&center, call, Compartment::Juvenile, WORDS).await;
        write(
            &center,
            call,
            Compartment::Records,
            ["in records", "theirs"],
        )
        .await;
        let stage = Self {
            center,
            device,
            call,
        };
        stage.has_the_record().await;
        stage
    }

    async fn has_the_record(&self) {
        let has = |packet: &mobile_core::Packet| {
            let shown = format!("{packet:?}");
            shown.contains("QZTITLEQZ") && shown.contains("in records")
        };
        let packet = self.device.packet(self.call, has).await;
        let held = Lease {
            compartment: Compartment::Juvenile,
            state: LeaseState::Held,
        };
        assert_eq!(packet.leases, [held], "records are not leased");
    }

    fn minutes_left(&self) -> i64 {
        let left = self
            .device
            .core
            .lease_left(self.call, Compartment::Juvenile);
        left.unwrap().ms / 60_000
    }

    /// Words of the record in the device's files as they are, and in the store as whoever
    /// has its key reads it.
    fn found(&self) -> Vec<String> {
        self.found_of(WORDS)
    }

    fn found_of(&self, words: [&str; 2]) -> Vec<String> {
        let folder = self.device.folder();
        let mut all: Vec<(String, Vec<u8>)> = files(folder)
            .into_iter()
            .map(|file| (file.display().to_string(), fs::read(&file).unwrap()))
            .collect();
        all.push(("the store, decrypted".into(), decrypted(folder)));
        let mut found = Vec::new();
        for (name, bytes) in &all {
            for word in words {
                if bytes.windows(word.len()).any(|w| w == word.as_bytes()) {
                    found.push(format!("{word} in {name}"));
                }
            }
        }
        found
    }
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            all.extend(files(&path));
        } else {
            all.push(path);
        }
    }
    all
}

/// All values of all tables. Of a device without a PIN the key lies open.
fn decrypted(folder: &Path) -> Vec<u8> {
    let key = fs::read(folder.join("keys/store-key.key")).unwrap();
    assert_eq!(key.len(), 32);
    let store = Connection::open(folder.join("store/packets.db")).unwrap();
    let key = format!("PRAGMA key = \"x'{}'\"", HEXLOWER.encode(&key));
    store.execute_batch(&key).unwrap();
    let mut tables = store
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")
        .unwrap();
    let tables: Vec<String> = tables
        .query_map([], |row| row.get(0))
        .unwrap()
        .map(Result::unwrap)
        .collect();
    let mut all = Vec::new();
    for table in tables {
        let mut statement = store.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = statement.column_count();
        let mut rows = statement.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            for column in 0..columns {
                if let ValueRef::Text(bytes) | ValueRef::Blob(bytes) = row.get_ref(column).unwrap()
                {
                    all.extend_from_slice(bytes);
                }
            }
        }
    }
    // What is not leased is read: so the scan sees.
    let seen = b"in records";
    assert!(all.windows(seen.len()).any(|window| window == seen));
    all
}

#[tokio::test]
async fn a_leased_record_is_read_in_no_file_even_by_who_has_the_stores_key_and_leaves_and_comes_again()
 {
    let stage = Stage::set().await;
    let device = &stage.device;
    assert_eq!(stage.found(), [""; 0], "while it is held");
    assert!((100..120).contains(&stage.minutes_left()));
    device.cut().await;
    device.clock.set_off_ms(HOUR_MS + HOUR_MS / 2);
    device.core.tend().await.unwrap();
    let packet = device.core.packet(stage.call).await.unwrap().unwrap();
    assert_eq!(packet.leases[0].state, LeaseState::EndsSoon);
    let keys = device.folder().join("keys/lease-keys.key");
    let key = fs::read(&keys).unwrap();
    assert_eq!(key.len(), 42, "one key");
    device.clock.set_off_ms(2 * HOUR_MS);
    device.core.tend().await.unwrap();
    let packet = device.core.packet(stage.call).await.unwrap().unwrap();
    let shown = format!("{packet:?}");
    assert!(
        shown.contains("in records") && WORDS.iter().all(|word| !shown.contains(word)),
        "{shown}"
    );
    assert_eq!(packet.leases[0].state, LeaseState::Ended);
    assert!(!keys.exists());
    assert_eq!(stage.found(), [""; 0], "after its end");
    for file in files(device.folder()) {
        let bytes = fs::read(&file).unwrap();
        let is_there = bytes.windows(32).any(|window| window == &key[10..]);
        assert!(!is_there, "the key is still in {}", file.display());
    }
    // With the next contact it comes again, and what was written meanwhile.
    write(
        &stage.center,
        stage.call,
        Compartment::Juvenile,
        ["one more", "QZ"],
    )
    .await;
    device.core.set_link(true);
    stage.has_the_record().await;
    device
        .packet(stage.call, |packet| {
            format!("{packet:?}").contains("one more")
        })
        .await;
    assert_eq!(stage.found(), [""; 0]);
}

#[tokio::test]
async fn a_contact_renews_a_lease_and_one_in_which_it_is_no_longer_granted_takes_it() {
    let stage = Stage::set().await;
    let device = &stage.device;
    device.cut().await;
    device.clock.set_off_ms(HOUR_MS);
    device.core.tend().await.unwrap();
    assert!((40..60).contains(&stage.minutes_left()));
    device.core.set_link(true);
    until("the lease begins anew", async || {
        (stage.minutes_left() > 100).then_some(())
    })
    .await;
    device.cut().await;
    stage.center.api.release(stage.call, "S1").await;
    device.core.set_link(true);
    device.packet_is_gone(stage.call).await;
    let left = device.core.lease_left(stage.call, Compartment::Juvenile);
    assert!(left.is_none());
    assert!(!device.folder().join("keys/lease-keys.key").exists());
    assert_eq!(stage.found_nothing_of_it(), [""; 0]);
}

impl Stage {
    /// As [`Stage::found`], where nothing of the packet is left.
    fn found_nothing_of_it(&self) -> Vec<String> {
        let mut found = Vec::new();
        for file in files(self.device.folder()) {
            let bytes = fs::read(&file).unwrap();
            for word in WORDS {
                if bytes.windows(word.len()).any(|w| w == word.as_bytes()) {
                    found.push(file.display().to_string());
                }
            }
        }
        found
    }
}

#[tokio::test]
async fn whoever_may_not_carry_it_has_neither_the_record_nor_a_lease_of_it() {
    let center = TestCenter::start_with(CONFIG).await;
    let device = TestDevice::enrolled_by(ticket(&center.api).await).await;
    device.core.sign_on("202", "S1").await.unwrap();
    device.online().await;
    let call = call(&center.api).await;
    write(&center, call, Compartment::Juvenile, WORDS).await;
    center.note(call, "after it").await;
    device.has_note(call, "after it").await;
    let packet = device.core.packet(call).await.unwrap().unwrap();
    assert!(packet.leases.is_empty() && !format!("{packet:?}").contains("QZ"));
}

#[tokio::test]
async fn intelligence_is_shown_while_there_is_a_link_and_is_in_no_file() {
    let stage = Stage::set().await;
    let (core, call) = (&stage.device.core, stage.call);
    let words = ["QZGANGQZ", "QZMEMBERQZ"];
    let shown = core.intel(call).await.unwrap();
    assert_eq!((shown.entries.len(), shown.earlier), (0, 0));
    write(&stage.center, call, Compartment::Intel, words).await;
    stage.center.note(call, "after it").await;
    stage.device.has_note(call, "after it").await;

    let shown = core.intel(call).await.unwrap();
    let [entry] = &shown.entries[..] else {
        panic!("{shown:?}");
    };
    assert_eq!(entry.document, DocumentId::new(call, Compartment::Intel));
    assert!(words.iter().all(|word| format!("{entry:?}").contains(word)));
    // It is the caller's: the packet has none of it, nor has a search, nor a file.
    let packet = core.packet(call).await.unwrap();
    assert!(!format!("{packet:?}").contains(words[0]));
    assert_eq!(core.find(words[0]).await.unwrap(), []);
    assert_eq!(stage.found_of(words), [""; 0]);

    stage.center.api.release(call, "S1").await;
    stage.device.packet_is_gone(call).await;
    let refused = core.intel(call).await;
    assert!(
        matches!(refused, Err(CoreError::Refused { status: 404, .. })),
        "{refused:?}"
    );
    stage.device.cut().await;
    let asked = core.intel(call).await;
    assert!(matches!(asked, Err(CoreError::Unreachable(_))), "{asked:?}");
    core.set_pin("271828").await.unwrap();
    core.lock().await.unwrap();
    assert!(matches!(core.intel(call).await, Err(CoreError::Locked)));
    for file in files(stage.device.folder()) {
        let bytes = fs::read(&file).unwrap();
        let has = |word: &str| bytes.windows(word.len()).any(|w| w == word.as_bytes());
        assert!(!words.into_iter().any(has), "{}", file.display());
    }
}
