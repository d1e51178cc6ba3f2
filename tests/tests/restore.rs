//! A center that is lost and restored from a backup, and devices that lose their stores,
//! sleep for a month, or keep what the center lost.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use data_encoding::{BASE64, HEXLOWER};
use forerunner_tests::{
    AGENCY, LedgerCopy, ServedCenter, TestCenter, TestDevice, forerunner_binary, note_texts, until,
};
use mobile_core::identity::{FileKeyStore, KeyStore, Signer, SoftwareSigner, signing_request};
use mobile_core::{MineState, OpenPacket, Packet};
use packet::{CallId, CenterId, Compartment, DocumentId, Entry, EntryId, Note, UnitState};
use rusqlite::types::ValueRef;
use serde_json::{Value, json};
use server::attachments::File;
use server::identity::LogKey;
use server::log::{Log, LogOptions};
use server::policy::{Actor, Role};
use server::retention::purge::purge;

/// All entries of a call, each by its document and id.
async fn ids(center: &TestCenter, call: CallId) -> BTreeSet<(DocumentId, EntryId)> {
    let entries = center.entries(call).await;
    let ids: BTreeSet<_> = entries.iter().map(|e| (e.document, e.id)).collect();
    assert_eq!(ids.len(), entries.len(), "each entry is in the log once");
    ids
}

fn has_all(packet: &Packet, wanted: &[&str]) -> bool {
    let mut found = note_texts(packet);
    found.sort();
    let mut wanted: Vec<_> = wanted.to_vec();
    wanted.sort_unstable();
    found == wanted && packet.entries.iter().all(|entry| entry.seq.is_some())
}

fn cautions(packet: &Packet) -> Vec<String> {
    let text = |entry: &mobile_core::EntryView| match &entry.written.entry {
        Entry::Caution(caution) => Some(caution.text.clone()),
        _ => None,
    };
    packet.entries.iter().filter_map(text).collect()
}

async fn on_the_board(center: &TestCenter, call: CallId) -> Option<Value> {
    let board = center.api.get("/v1/calls?state=all").await.unwrap().body;
    let id = Value::String(call.to_string());
    let calls = board["calls"].as_array().unwrap().clone();
    calls.into_iter().find(|call| call["id"] == id)
}

fn units(call: &Value) -> BTreeSet<String> {
    let units = call["units"].as_array().unwrap().iter();
    units
        .map(|unit| unit.as_str().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn a_center_restored_from_a_backup_gets_all_that_its_devices_still_have() {
    let mut center = TestCenter::start().await;
    let early = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let old = center.api.call("26-1", &["1A1"]).await;
    center.note(old, "before the backup").await;
    early.has_note(old, "before the backup").await;

    // Backed up while it writes.
    let writing = async {
        for n in 0..40 {
            center
                .note(old, &format!("while it is backed up {n}"))
                .await;
        }
    };
    let (backup, ()) = tokio::join!(center.back_up(), writing);

    // All of this is lost at the center: a device, a shift, a call, its units, its entries.
    let late = TestDevice::on_duty(&center.api, "102", "1A2").await;
    let number = late.core.device().unwrap();
    let new = center.api.call("26-2", &["1A1"]).await;
    center.api.assign(new, "1A2").await;
    center.note(new, "from the analyst").await;
    let dog = center.caution(new, "dog in the yard").await;
    for device in [&early, &late] {
        device.has_note(new, "from the analyst").await;
        let has_dog = |packet: &Packet| packet.entries.iter().any(|entry| entry.id == dog.id);
        device.packet(new, has_dog).await;
    }
    let written = [
        early.core.add_note(new, "from the early device").await,
        late.core.add_note(new, "from the late device").await,
        late.core.add_caution(new, "back door is open").await,
        early.core.acknowledge(new, dog.id).await,
        late.core.set_status(new, UnitState::OnScene).await,
    ];
    let in_old = early.core.add_note(old, "after the backup").await.unwrap();
    let open = OpenPacket {
        nature: "TRAFFIC STOP".into(),
        location: "5th and Oak".into(),
        plate: None,
        note: Some("broken light".into()),
    };
    let stop = late.core.open_packet(open).await.unwrap();
    for device in [&early, &late] {
        device.has_sent_all().await;
    }
    early.is_at_center(old, in_old).await;
    for id in written {
        let id = id.unwrap();
        for device in [&early, &late] {
            let is_there = |packet: &Packet| {
                packet
                    .entries
                    .iter()
                    .any(|entry| entry.id == id && entry.seq.is_some())
            };
            device.packet(new, is_there).await;
        }
    }
    let mut before = Vec::new();
    for call in [old, new, stop] {
        before.push((call, ids(&center, call).await));
    }
    let incarnation = center.center().log.incarnation();

    center.stop().await;
    for device in [&early, &late] {
        device.offline().await;
    }
    early.core.add_note(new, "while it is gone").await.unwrap();
    late.core
        .add_caution(new, "also while it is gone")
        .await
        .unwrap();
    center.lose_and_restore(&backup);
    center.start_again().await;
    assert_ne!(center.center().log.incarnation(), incarnation);
    for device in [&early, &late] {
        device.core.network_changed();
    }
    late.online().await;
    late.core.sign_on("102", "1A2").await.unwrap();

    let wanted = [
        "from the analyst",
        "from the early device",
        "from the late device",
        "while it is gone",
    ];
    center.has_notes(new, &wanted).await;
    let warned: BTreeSet<_> = [
        "dog in the yard",
        "back door is open",
        "also while it is gone",
    ]
    .map(str::to_owned)
    .into();
    for device in [&early, &late] {
        device.has_sent_all().await;
        let is_whole = |packet: &Packet| {
            let cautions: BTreeSet<_> = cautions(packet).into_iter().collect();
            has_all(packet, &wanted) && cautions == warned
        };
        device.packet(new, is_whole).await;
    }
    for (call, before) in before {
        let now = ids(&center, call).await;
        assert_eq!(
            before.difference(&now).count(),
            0,
            "{call} has lost nothing"
        );
    }
    assert_eq!(early.core.device().map(|device| device.0), Some(1));
    assert_eq!(
        late.core.device(),
        Some(number),
        "it is the device that it was"
    );

    // The board, as it was.
    let listed = on_the_board(&center, new).await.unwrap();
    assert_eq!(listed["number"], "26-2");
    assert_eq!(units(&listed), ["1A1", "1A2"].map(str::to_owned).into());
    let listed = on_the_board(&center, stop).await.unwrap();
    assert_eq!(units(&listed), ["1A2".to_owned()].into());
    late.has_note(stop, "broken light").await;
    // Mine are mine again, and where they are.
    let packet = early.core.packet(new).await.unwrap().unwrap();
    let mine: Vec<_> = packet
        .entries
        .iter()
        .filter_map(|e| e.mine.as_ref())
        .collect();
    assert_eq!(mine.len(), 3);
    assert!(mine.iter().all(|state| **state == MineState::AtCenter));

    // Life goes on, and no number is given twice.
    center.note(new, "after the restore").await;
    for device in [&early, &late] {
        device.has_note(new, "after the restore").await;
    }
    let next = center.api.call("26-3", &["1A1"]).await;
    early.packet(next, |packet| packet.facts.is_some()).await;
    assert!(![old, new, stop].contains(&next));
    let third = TestDevice::enrolled(&center.api, "MDT 3").await;
    assert!(third.core.device().unwrap() > number);
}

#[tokio::test]
async fn what_dispatch_said_since_the_restore_stays_what_counts() {
    let mut center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let known = center.api.call("26-1", &["1A1"]).await;
    device.packet(known, |packet| packet.facts.is_some()).await;
    let backup = center.back_up().await;
    let report = |number: &str, nature: &str| {
        json!({"agency": AGENCY, "number": number, "nature": nature,
            "location": "400 W STATE ST", "units": ["1A1"]})
    };
    center
        .api
        .post("/v1/calls", &report("26-1", "FIGHT"))
        .await
        .unwrap();
    let lost = center.api.call("26-2", &["1A1"]).await;
    let is_fight = |packet: &Packet| packet.facts.as_ref().is_some_and(|f| f.nature == "FIGHT");
    device.packet(known, is_fight).await;
    device.packet(lost, |packet| packet.facts.is_some()).await;
    center.note(lost, "only in the lost one").await;
    device.has_note(lost, "only in the lost one").await;

    device.cut().await;
    center.stop().await;
    center.lose_and_restore(&backup);
    center.start_again().await;
    // Dispatch is quicker than the device.
    center
        .api
        .post("/v1/calls", &report("26-1", "SHOTS FIRED"))
        .await
        .unwrap();
    let told_again = center
        .api
        .post("/v1/calls", &report("26-2", "TRESPASS"))
        .await
        .unwrap();
    assert_ne!(told_again.call_id(), lost);
    device.core.set_link(true);
    device.has_sent_all().await;
    center.has_notes(lost, &["only in the lost one"]).await;

    let is_newest = |packet: &Packet| {
        let newest = packet
            .facts
            .as_ref()
            .is_some_and(|f| f.nature == "SHOTS FIRED");
        newest && packet.entries.iter().all(|entry| entry.seq.is_some())
    };
    device.packet(known, is_newest).await;
    let listed = on_the_board(&center, known).await.unwrap();
    assert_eq!(listed["nature"], "SHOTS FIRED");
    // The call that dispatch told again has two packets now, and says so.
    let both = [told_again.call_id(), lost];
    for call in both {
        assert!(on_the_board(&center, call).await.is_some());
    }
    let notes = center.notes(told_again.call_id()).await;
    assert!(notes[0].contains(&lost.to_string()), "{notes:?}");
}

#[tokio::test]
async fn a_restored_center_lets_a_stranger_write_nothing_and_takes_no_spent_code() {
    let mut center = TestCenter::start().await;
    let unspent = center.api.ticket("MDT 1").await;
    let backup = center.back_up().await;
    let device = TestDevice::enrolled(&center.api, "MDT 2").await;
    center.api.revoke(device.core.device().unwrap()).await;
    center.stop().await;
    let not_lost = center.lose_and_restore(&backup);
    center.start_again().await;
    assert!(not_lost.join("center.db").is_file(), "nothing is deleted");
    let folder = tempfile::tempdir().unwrap();
    let stranger = TestDevice::open(folder.path());
    let refused = stranger.core.enrol(&unspent).await;
    assert!(
        refused.is_err(),
        "a code of before the restore is good no more"
    );
}

/// The command, as an operator runs it.
async fn forerunner(args: &[&str]) -> (bool, String) {
    let ran = tokio::process::Command::new(forerunner_binary())
        .args(args)
        .output()
        .await
        .unwrap();
    let said = [ran.stdout, ran.stderr].concat();
    (ran.status.success(), String::from_utf8(said).unwrap())
}

#[tokio::test]
async fn the_commands_back_a_running_center_up_and_bring_it_back_after_a_kill() {
    let mut center = ServedCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let data = center.data();
    let path = |name: &str| data.with_file_name(name).to_str().unwrap().to_owned();
    let (config, backup, keys) = (
        path("center.toml"),
        path("backup"),
        path("document-keys.db"),
    );
    let back_up = [
        "backup",
        "--config",
        &config,
        "--to",
        &backup,
        "--document-keys",
        &keys,
    ];
    let (made, said) = forerunner(&back_up).await;
    assert!(made, "{said}");
    let (made, said) = forerunner(&back_up).await;
    assert!(!made && said.contains("is there already"), "{said}");

    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, |packet| packet.facts.is_some()).await;
    let note = device
        .core
        .add_note(call, "lost with the disk")
        .await
        .unwrap();
    device.is_at_center(call, note).await;
    center.kill().await;

    let data = data.to_str().unwrap();
    let restore = [
        "restore",
        "--from",
        &backup,
        "--data",
        data,
        "--document-keys",
        &keys,
    ];
    let (restored, said) = forerunner(&restore).await;
    assert!(!restored && said.contains("--set-aside"), "{said}");
    let (restored, said) = forerunner(&[&restore[..], &["--set-aside"]].concat()).await;
    assert!(restored && said.contains("set-aside-"), "{said}");
    center.start_again().await;
    device.core.network_changed();
    until(
        "the call is on the board again, with its unit",
        async || {
            let board = center.api.get("/v1/calls").await.ok()?.body;
            (board["total"] == 1 && board["calls"][0]["units"] == json!(["1A1"])).then_some(())
        },
    )
    .await;
    device.has_sent_all().await;
    device.is_at_center(call, note).await;
}

#[tokio::test]
async fn a_backup_that_was_altered_is_not_restored() {
    let center = TestCenter::start().await;
    center.api.call("26-1", &[]).await;
    let backup = center.back_up().await;
    let keys = backup.with_file_name("document-keys.db");
    let target = tempfile::tempdir().unwrap();
    let target = target.path().join("data");
    for name in ["center.db", "keys/center-keys.json", "manifest.json"] {
        let file = backup.join(name);
        let whole = std::fs::read(&file).unwrap();
        let mut altered = whole.clone();
        let middle = altered.len() / 2;
        altered[middle] ^= 1;
        std::fs::write(&file, altered).unwrap();
        assert!(
            server::backup::restore(&backup, &target, Some(&keys), false).is_err(),
            "{name}"
        );
        assert!(!target.exists(), "{name}");
        std::fs::write(&file, whole).unwrap();
    }
    for other in [None, Some(backup.join("manifest.json"))] {
        let why = server::backup::restore(&backup, &target, other.as_deref(), false).unwrap_err();
        assert!(!target.exists(), "{why}");
    }
    server::backup::restore(&backup, &target, Some(&keys), false).unwrap();
    assert!(target.join("center.db").is_file());
}

#[tokio::test]
async fn a_device_whose_store_is_gone_and_one_whose_store_is_of_yesterday_get_all_again() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    center.note(call, "theirs").await;
    device.has_note(call, "theirs").await;
    let mine = device.core.add_note(call, "mine").await.unwrap();
    device.is_at_center(call, mine).await;
    let dir = device.close().await.unwrap();
    let store = dir.path().join("store/packets.db");
    let yesterday = std::fs::read(&store).unwrap();

    let device = TestDevice::open(dir.path());
    let today = device.core.add_note(call, "mine, today").await.unwrap();
    device.is_at_center(call, today).await;
    center.note(call, "theirs, today").await;
    let all = ["theirs", "mine", "mine, today", "theirs, today"];
    device.packet(call, |packet| has_all(packet, &all)).await;

    // Of yesterday: it knows nothing of today's, not even of its own number.
    device.close().await;
    std::fs::write(&store, yesterday).unwrap();
    let device = TestDevice::open(dir.path());
    device.cut().await;
    device.core.add_note(call, "mine, anew").await.unwrap();
    device.core.set_link(true);
    let all = [&all[..], &["mine, anew"]].concat();
    device.packet(call, |packet| has_all(packet, &all)).await;
    center.has_notes(call, &all).await;

    // Gone, and with it the shift.
    device.close().await;
    std::fs::remove_file(&store).unwrap();
    let device = TestDevice::open(dir.path());
    device.core.sign_on("101", "1A1").await.unwrap();
    let packet = device.packet(call, |packet| has_all(packet, &all)).await;
    let mine = packet.entries.iter().filter(|entry| entry.mine.is_some());
    assert_eq!(mine.count(), 3);
    center.has_notes(call, &all).await;
}

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// The closed device in this folder got its certificate a month ago. Says when.
fn age_certificate(center: &TestCenter, folder: &Path) -> i64 {
    let keys = FileKeyStore::open(&folder.join("keys")).unwrap();
    let key = keys.load("device-key").unwrap().unwrap();
    let signer: Arc<dyn Signer> = Arc::new(SoftwareSigner::from_pkcs8(&key).unwrap());
    let request = signing_request(&signer).unwrap();
    let enrolment = keys.load("enrolment").unwrap().unwrap();
    let mut enrolment: Value = serde_json::from_slice(&enrolment).unwrap();
    let device = enrolment["device"].as_u64().unwrap().try_into().unwrap();
    let month_ago_ms = server::clock::now_ms() - 30 * DAY_MS;
    let issued = center
        .center()
        .keys
        .issue_device(&request, device, AGENCY, month_ago_ms, 72)
        .unwrap();
    enrolment["certificate"] = Value::String(BASE64.encode(&issued.der));
    enrolment["certified_ms"] = json!(month_ago_ms);
    keys.save("enrolment", enrolment.to_string().as_bytes())
        .unwrap();
    month_ago_ms
}

#[tokio::test]
async fn a_device_that_slept_for_a_month_catches_up_without_a_reset() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let (stays, closes, leaves) = (
        center.api.call("26-1", &["1A1"]).await,
        center.api.call("26-2", &["1A1"]).await,
        center.api.call("26-3", &["1A1"]).await,
    );
    for call in [stays, closes, leaves] {
        device.packet(call, |packet| packet.facts.is_some()).await;
    }
    let dir = device.close().await.unwrap();
    for n in 0..600 {
        center.note(stays, &format!("note {n}")).await;
    }
    let report = json!({"agency": AGENCY, "number": "26-2", "nature": "TRESPASS",
        "location": "400 W STATE ST", "status": {"closed": {"disposition": "REPORT"}}});
    let closed = center.api.post("/v1/calls", &report).await.unwrap();
    assert_eq!(closed.call_id(), closes, "{closed:?}");
    center
        .execute("UPDATE calls SET seen_ms = 0 WHERE open = 0")
        .await;
    center.api.release(leaves, "1A1").await;
    // What came and went while it slept.
    for n in 0..30 {
        let call = center.api.call(&format!("26-1{n:03}"), &["1A1"]).await;
        center.api.release(call, "1A1").await;
    }
    let new = center.api.call("26-4", &["1A1"]).await;
    until(
        "the closed call's packet was taken from its unit",
        async || {
            let board = on_the_board(&center, closes).await.unwrap();
            units(&board).is_empty().then_some(())
        },
    )
    .await;

    let issued_ms = age_certificate(&center, dir.path());
    assert!(issued_ms + 29 * DAY_MS < server::clock::now_ms());
    let device = TestDevice::open(dir.path());
    device.packet(new, |packet| packet.facts.is_some()).await;
    device.has_note(stays, "note 599").await;
    for gone in [closes, leaves] {
        device.packet_is_gone(gone).await;
    }
    assert_eq!(device.core.packets().await.unwrap().len(), 2);
    let packet = device.core.packet(stays).await.unwrap().unwrap();
    assert_eq!(note_texts(&packet).len(), 600);
    let metrics = device.core.metrics();
    assert_eq!(metrics.resets, 0, "it went on from where it stood");
    assert_eq!(metrics.sessions, 1);
}

#[tokio::test]
async fn what_was_purged_no_backup_brings_back() {
    let mut center = TestCenter::start().await;
    let call = center.api.call("26-1", &[]).await;
    center.note(call, "stays").await;
    let records = DocumentId::new(call, Compartment::Records);
    let secret = Entry::Note(Note {
        text: "Zqxnarwhal".into(),
        by: "a source".into(),
    });
    let written = center.center().write_to(records, secret, "a source").await;
    written.unwrap();
    // Another packet, all of it secret: its call's row, what it names, what is attached.
    // Elsewhere, so that the kept one is not linked with it and does not say so.
    let report = json!({"agency": AGENCY, "number": "26-Zqxnarwhal", "nature": "NOISE",
        "location": "9000 N FAR ST"});
    let other = center
        .api
        .post("/v1/calls", &report)
        .await
        .unwrap()
        .call_id();
    center
        .note(other, "phone 414-555-0118, plate ABC1234")
        .await;
    let file = |name: &str| File {
        content: Arc::from(format!("content {name}").into_bytes()),
        media_type: "text/plain".into(),
        name: name.into(),
        by: "an analyst".into(),
    };
    for (call, name) in [(call, "stays.txt"), (other, "Zqxnarwhal.txt")] {
        let added = server::attachments::add(center.center(), call, file(name), "an analyst");
        added.await.unwrap();
    }
    center.execute("UPDATE calls SET open = 0").await;
    let secrets = ["zqxnarwhal", "4145550118", "abc1234"];
    assert!(
        !clear_in(&center.data(), &secrets).is_empty(),
        "the check finds it where it is"
    );
    let backup = center.back_up().await;
    let keys = backup.with_file_name("document-keys.db");
    let keys_before = std::fs::read(&keys).unwrap();
    assert_eq!(clear_in(&backup, &secrets), BTreeSet::new());

    let purged = center.center().log.write(move |ledger| {
        let by = Actor {
            name: "Lt. Ortega".into(),
            ..Actor::of(Role::Supervisor)
        };
        // Both have the call's facts.
        for compartment in [Compartment::Call, Compartment::Safety] {
            let document = DocumentId::new(other, compartment);
            purge(ledger, document, Some(&by), "expunged")?;
        }
        purge(ledger, records, Some(&by), "expunged")
    });
    purged.await.unwrap();
    // The next backup replaces the file of keys; its folder is another.
    let config = center.center().config.clone();
    let later = backup.with_file_name("backup-2");
    let made = {
        let (to, keys) = (later.clone(), keys.clone());
        tokio::task::spawn_blocking(move || server::backup::make(&config, &to, &keys))
    };
    made.await.unwrap().unwrap();
    let keys_after = std::fs::read(&keys).unwrap();
    center.stop().await;

    // With the file as it was (which nobody should still have) the check does find it …
    std::fs::write(&keys, keys_before).unwrap();
    center.lose_and_restore(&backup);
    assert!(has(&center, "Zqxnarwhal") && has(&center, "stays"));
    assert!(!clear_in(&center.data(), &secrets).is_empty());
    // … and with the file as it is, in none of the backups.
    for folder in [&backup, &later] {
        std::fs::write(&keys, &keys_after).unwrap();
        center.lose_and_restore(folder);
        assert!(!has(&center, "Zqxnarwhal") && has(&center, "stays"));
        assert_eq!(clear_in(&center.data(), &secrets), BTreeSet::new());
    }
    center.start_again().await;
    let nature = |listed: Option<Value>| listed.unwrap()["nature"].clone();
    assert_eq!(nature(on_the_board(&center, other).await), "PURGED");
    assert_eq!(nature(on_the_board(&center, call).await), "TRESPASS");
    // Who may see the kept one's attachment has it whole, and nobody the other's.
    let reading = center.center().log.readers().read(move |store| {
        let mut names = store.prepare("SELECT name FROM attachments")?;
        let names = names.query_map([], |row| row.get::<_, String>(0))?;
        let names: Vec<String> = names.collect::<Result<_, _>>()?;
        let contents = "SELECT count(*), max(opened(key, content, at, 2, data))
            FROM contents JOIN chunks USING (content) JOIN content_keys USING (content)";
        let contents: (i64, Vec<u8>) =
            store.query_row(contents, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        Ok((names, contents))
    });
    let (names, contents) = reading.await.unwrap();
    assert_eq!(names, ["stays.txt"]);
    assert_eq!(contents, (1, b"content stays.txt".to_vec()));
    let entries = center.entries(call).await;
    assert!(entries.iter().all(|logged| logged.document != records));
    let again = center.center().log.write(move |ledger| {
        let entry = Entry::Note(Note {
            text: "again".into(),
            by: "a source".into(),
        });
        ledger.append(records, entry)
    });
    assert!(
        again.await.is_err(),
        "a restored center knows that it was purged"
    );
}

/// The tables of a backup, or of a center's data, in which one of these words stands in the
/// clear.
fn clear_in(folder: &Path, words: &[&str]) -> BTreeSet<String> {
    let key = LogKey::open(&folder.join("keys")).unwrap().store_key;
    let log = rusqlite::Connection::open(folder.join("center.db")).unwrap();
    log.execute_batch(&format!("PRAGMA key = \"x'{}'\";", HEXLOWER.encode(&key)))
        .unwrap();
    let mut tables = log
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND sql NOT LIKE 'CREATE VIRTUAL%'")
        .unwrap();
    let tables = tables.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut clear = BTreeSet::new();
    for table in tables.map(Result::unwrap) {
        let mut all = log.prepare(&format!("SELECT * FROM {table}")).unwrap();
        let columns = all.column_count();
        let mut rows = all.query([]).unwrap();
        while let Some(row) = rows.next().unwrap() {
            let says = |column| match row.get_ref(column).unwrap() {
                ValueRef::Text(bytes) | ValueRef::Blob(bytes) => {
                    let bytes = bytes.to_ascii_lowercase();
                    let has = |word: &&str| bytes.windows(word.len()).any(|p| p == word.as_bytes());
                    words.iter().any(has)
                }
                _ => false,
            };
            if (0..columns).any(says) {
                clear.insert(table.clone());
            }
        }
    }
    clear
}

/// Whether a note with this text can be read in the data of a center that does not run.
fn has(center: &TestCenter, text: &str) -> bool {
    let copy = LedgerCopy::read(&center.data());
    copy.entries.iter().any(|logged| match &logged.entry {
        Entry::Note(note) => note.text == text,
        _ => false,
    })
}

/// A backup is of a later time than the file of keys: some of its documents have none.
#[tokio::test]
async fn a_backup_is_not_restored_with_a_file_of_keys_that_is_older() {
    let center = TestCenter::start().await;
    center.api.call("26-1", &[]).await;
    let backup = center.back_up().await;
    let keys = backup.with_file_name("document-keys.db");
    let older = backup.with_file_name("older.db");
    std::fs::copy(&keys, &older).unwrap();
    center.api.call("26-2", &[]).await;
    let config = center.center().config.clone();
    let later = backup.with_file_name("backup-2");
    let made = {
        let (to, keys) = (later.clone(), keys.clone());
        tokio::task::spawn_blocking(move || server::backup::make(&config, &to, &keys))
    };
    made.await.unwrap().unwrap();
    let target = backup.with_file_name("target");
    let why = server::backup::restore(&later, &target, Some(&older), false).unwrap_err();
    assert!(why.to_string().contains("older than this backup"), "{why}");
    let why = server::backup::restore(&later, &target, None, false).unwrap_err();
    assert!(why.to_string().contains("--document-keys"), "{why}");
    assert!(!target.exists());
    // The newer file opens the older backup.
    server::backup::restore(&backup, &target, Some(&keys), false).unwrap();

    // Nor is a backup a center as it lies there: it would have packets without an entry.
    let key = LogKey::open(&backup.join("keys")).unwrap();
    let options = LogOptions {
        center: CenterId(key.center_id),
        store_key: key.store_key,
        mac_key: [0; 32],
    };
    let opened = Log::open(&backup.join("center.db"), &options, |_| ());
    let why = opened.unwrap_err().to_string();
    assert!(why.contains("it is a backup"), "{why}");
}
