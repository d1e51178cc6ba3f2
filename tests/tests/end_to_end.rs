//! The whole way, on real sockets, TLS and files: from dispatch to the officer's
//! screen and back.

#![allow(clippy::unwrap_used)]

use forerunner_tests::{AGENCY, TestCenter, TestDevice, note_texts, notes, shared_file, until};
use mobile_core::identity::{FileKeyStore, KeyStore};
use mobile_core::{MineState, OpenPacket, Packet};
use packet::{Author, CallId, Compartment, DocumentId, Entry, UnitState};
use rusqlite::Connection;
use serde_json::{Value, json};
use server::receipts::ReceiptKind;

fn words(call: CallId) -> DocumentId {
    DocumentId::new(call, Compartment::Call)
}

fn safety(call: CallId) -> DocumentId {
    DocumentId::new(call, Compartment::Safety)
}

fn has_facts(packet: &Packet) -> bool {
    packet.facts.is_some()
}

#[tokio::test]
async fn a_call_and_an_analysts_note_reach_both_officers_of_the_unit() {
    let center = TestCenter::start().await;
    let phone = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let mdt = TestDevice::on_duty(&center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &[]).await;
    center.api.assign(call, "1A1").await;
    for device in [&phone, &mdt] {
        let packet = device.packet(call, has_facts).await;
        let facts = packet.facts.unwrap();
        assert_eq!(
            (facts.number.as_str(), facts.nature.as_str()),
            ("26-1", "TRESPASS")
        );
    }
    center.note(call, "the caller is upstairs").await;
    for device in [&phone, &mdt] {
        let note = device.has_note(call, "the caller is upstairs").await;
        assert_eq!(note.mine, None);
        assert!(note.received_ms.is_some() && note.seq.is_some());
    }
    let id = phone
        .core
        .add_note(call, "back door is open")
        .await
        .unwrap();
    phone.is_at_center(call, id).await;
    assert_eq!(mdt.has_note(call, "back door is open").await.mine, None);
}

#[tokio::test]
async fn what_an_officer_writes_in_a_dead_zone_arrives_once_and_shown_to_comes_back() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, has_facts).await;
    device.cut().await;

    let note = device
        .core
        .add_note(call, "two men left in a car")
        .await
        .unwrap();
    let open = OpenPacket {
        nature: "TRAFFIC STOP".into(),
        location: "5th and Oak".into(),
        plate: Some("ABC123".into()),
        note: Some("broken light".into()),
    };
    let stop = device.core.open_packet(open).await.unwrap();
    assert_eq!(stop.author(), Author::Device(device.core.device().unwrap()));
    let packet = device.core.packet(call).await.unwrap().unwrap();
    let entry = packet
        .entries
        .iter()
        .find(|entry| entry.id == note)
        .unwrap();
    assert_eq!(entry.mine, Some(MineState::OnDevice));
    assert_eq!(device.core.outbox_len().await.unwrap(), 5);
    assert_eq!(center.notes(call).await, [""; 0]);

    device.core.set_link(true);
    device.has_sent_all().await;
    device.is_at_center(call, note).await;
    assert_eq!(center.notes(call).await, ["two men left in a car"]);
    assert_eq!(center.notes(stop).await, ["broken light"]);
    let entries = center.entries(stop).await;
    assert_eq!(entries.iter().filter(|logged| logged.by_device).count(), 4);
    // Dispatch sees the packet that the officer opened, with the unit on it.
    let listed = center.api.get("/v1/calls").await.unwrap().body;
    assert_eq!(listed["total"], 2);
    let calls = listed["calls"].as_array().unwrap();
    let id = Value::String(stop.to_string());
    let opened = calls.iter().find(|call| call["id"] == id).unwrap();
    assert_eq!(opened["units"], json!(["1A1"]));

    let entries = center.entries(call).await;
    let seq = entries
        .iter()
        .find(|logged| logged.id == note && logged.by_device)
        .unwrap()
        .seq;
    center.look_at(words(call), seq).await;
    let is_shown = |packet: &Packet| notes(packet).any(|entry| !entry.shown_to.is_empty());
    let packet = device.packet(call, is_shown).await;
    let shown = notes(&packet).next().unwrap().shown_to.clone();
    assert_eq!((shown.len(), shown[0].who.as_str()), (1, "an analyst"));
}

#[tokio::test]
async fn a_look_while_the_device_was_away_is_told_when_it_comes_back() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, has_facts).await;
    let note = device.core.add_note(call, "nobody home").await.unwrap();
    device.is_at_center(call, note).await;
    device.cut().await;
    let head = center.entries(call).await.last().unwrap().seq;
    center.look_at(words(call), head).await;
    device.core.set_link(true);
    let is_shown = |packet: &Packet| notes(packet).any(|entry| !entry.shown_to.is_empty());
    device.packet(call, is_shown).await;
}

#[tokio::test]
async fn a_tap_on_a_caution_is_an_acknowledgement_in_the_log() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    let caution = center.caution(call, "man with gun").await;
    let has_caution = |packet: &Packet| {
        packet
            .entries
            .iter()
            .any(|e| e.id == caution.id && e.document == safety(call))
    };
    device.packet(call, has_caution).await;
    assert_eq!(device.core.packets().await.unwrap()[0].unacknowledged, 1);
    let waiting = move |c: &Connection| server::receipts::caution_waiting_since(c, call);
    let readers = center.center().log.readers().clone();
    assert!(readers.read(waiting).await.unwrap().is_some());

    let tap = device.core.acknowledge(call, caution.id).await.unwrap();
    assert_eq!(device.core.packets().await.unwrap()[0].unacknowledged, 0);
    device.is_at_center(call, tap).await;
    let entries = center.entries(call).await;
    let taps: Vec<_> = entries
        .iter()
        .filter_map(|logged| match &logged.entry {
            Entry::Acknowledgement(tap) => Some((logged.document, tap)),
            _ => None,
        })
        .collect();
    let [(document, tap)] = taps[..] else {
        panic!("{taps:?}")
    };
    assert_eq!((document, tap.of), (safety(call), caution.id));
    assert_eq!((tap.by.as_str(), tap.unit.as_str()), ("Diaz (1A1)", "1A1"));
    assert_eq!(readers.read(waiting).await.unwrap(), None);
}

/// The device's own store, held by somebody else: it can commit nothing meanwhile.
fn hold_the_store(device: &TestDevice) -> Connection {
    let keys = FileKeyStore::open(&device.folder().join("keys")).unwrap();
    let key = keys.load("store-key").unwrap().unwrap();
    let hex: String = key.iter().map(|byte| format!("{byte:02x}")).collect();
    let store = Connection::open(device.folder().join("store/packets.db")).unwrap();
    store
        .execute_batch(&format!("PRAGMA key = \"x'{hex}'\""))
        .unwrap();
    store
        .busy_timeout(std::time::Duration::from_secs(20))
        .unwrap();
    store.execute_batch("BEGIN IMMEDIATE").unwrap();
    store
}

#[tokio::test]
async fn delivered_is_said_after_the_devices_own_commit_and_not_before() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, has_facts).await;
    let delivered = async |seq: u64| {
        let receipts = center.receipts(words(call)).await;
        let mut receipts = receipts
            .into_iter()
            .filter(|r| r.kind == ReceiptKind::Delivered);
        receipts.any(|receipt| receipt.device == device.core.device() && receipt.through >= seq)
    };

    let held = hold_the_store(&device);
    // A commit that was under way has ended; that it is counted follows.
    let (mut before, mut looks_alike) = (device.core.metrics(), 0);
    until("the commits of before are counted", async || {
        let now = device.core.metrics();
        looks_alike = if now.commits == before.commits {
            looks_alike + 1
        } else {
            0
        };
        before = now;
        (looks_alike >= 25).then_some(())
    })
    .await;
    let note = center.note(call, "the third floor").await;
    until(
        "the device has received the note, and could not keep it",
        async || {
            let now = device.core.metrics();
            (now.frames_received > before.frames_received).then_some(())
        },
    )
    .await;
    // Its commit waits for five seconds, fails, and the session with it: never a word.
    device.offline().await;
    assert!(!delivered(note.seq).await);
    assert_eq!(device.core.metrics().commits, before.commits);

    held.execute_batch("ROLLBACK").unwrap();
    device.has_note(call, "the third floor").await;
    until("the center knows that the note was delivered", async || {
        delivered(note.seq).await.then_some(())
    })
    .await;
    let receipts = center.receipts(words(call)).await;
    assert!(
        receipts
            .iter()
            .all(|receipt| receipt.kind == ReceiptKind::Delivered)
    );
    device.core.shown(call).await.unwrap();
    until("the center knows that the note was shown", async || {
        let receipts = center.receipts(words(call)).await;
        receipts
            .iter()
            .any(|r| r.kind == ReceiptKind::Shown && r.through >= note.seq && r.who == "Diaz (1A1)")
            .then_some(())
    })
    .await;
}

#[tokio::test]
async fn with_the_center_gone_the_device_reads_and_writes_on() {
    let mut center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    center.note(call, "before").await;
    device.has_note(call, "before").await;
    center.stop().await;
    device.offline().await;
    assert_eq!(device.core.packets().await.unwrap().len(), 1);
    let note = device.core.add_note(call, "meanwhile").await.unwrap();
    device
        .core
        .set_status(call, UnitState::OnScene)
        .await
        .unwrap();
    let packet = device.core.packet(call).await.unwrap().unwrap();
    assert_eq!(note_texts(&packet), ["before", "meanwhile"]);

    center.start_again().await;
    device.core.network_changed();
    device.is_at_center(call, note).await;
    center.has_notes(call, &["before", "meanwhile"]).await;
    center.note(call, "after").await;
    device.has_note(call, "after").await;
}

#[tokio::test]
async fn a_device_that_was_closed_unsent_sends_when_it_is_opened_again() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, has_facts).await;
    device.cut().await;
    device
        .core
        .add_note(call, "kept over a restart")
        .await
        .unwrap();
    let dir = device.close().await.unwrap();
    let device = TestDevice::open(dir.path());
    device.has_sent_all().await;
    center.has_notes(call, &["kept over a restart"]).await;
    until("no sealed copy is left", async || {
        (device.sealed_files() == 0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_released_unit_loses_the_packet_and_what_it_had_not_sent_still_arrives() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    let other = center.api.call("26-2", &["1A1"]).await;
    for call in [call, other] {
        device.packet(call, has_facts).await;
    }
    device.cut().await;
    device
        .core
        .add_note(call, "written before I knew")
        .await
        .unwrap();
    center.api.release(call, "1A1").await;
    device.core.set_link(true);
    device.packet_is_gone(call).await;
    device.has_sent_all().await;
    center.has_notes(call, &["written before I knew"]).await;
    // With a link it goes at once.
    center.api.release(other, "1A1").await;
    device.packet_is_gone(other).await;
    assert!(device.core.packets().await.unwrap().is_empty());
    // And comes back whole.
    center.api.assign(call, "1A1").await;
    let note = device.has_note(call, "written before I knew").await;
    assert_eq!(note.mine, Some(MineState::AtCenter));
}

#[tokio::test]
async fn a_call_that_is_told_again_is_updated_and_not_doubled() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let report = |nature: &str| {
        json!({
            "agency": AGENCY, "number": "26-1", "nature": nature, "location": "400 W STATE ST",
            "received": "2026-01-05T18:22:31-05:00", "units": ["1A1"],
        })
    };
    let first = center
        .api
        .post("/v1/calls", &report("TRESPASS"))
        .await
        .unwrap();
    let second = center
        .api
        .post("/v1/calls", &report("SHOTS FIRED"))
        .await
        .unwrap();
    assert_eq!(
        (first.status, first.body["news"].as_str()),
        (201, Some("new"))
    );
    assert_eq!(
        (second.status, second.body["news"].as_str()),
        (200, Some("updated"))
    );
    assert_eq!(first.body["id"], second.body["id"]);
    let call = first.call_id();
    let is_updated = |packet: &Packet| {
        packet
            .facts
            .as_ref()
            .is_some_and(|facts| facts.nature == "SHOTS FIRED")
    };
    let packet = device.packet(call, is_updated).await;
    assert_eq!(packet.facts.unwrap().number, "26-1");
    assert_eq!(device.core.packets().await.unwrap().len(), 1);
    let listed = center.api.get("/v1/calls?state=all").await.unwrap().body;
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["calls"][0]["units"], json!(["1A1"]));
}

#[tokio::test]
async fn the_eido_samples_are_taken_and_shown() {
    let test = "the_eido_samples_are_taken_and_shown";
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    for name in [
        "eido/minimal_cfs_eido.json",
        "eido/sample_call_transfer.json",
    ] {
        let Some(path) = shared_file(name, test) else {
            continue;
        };
        let eido: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let answer = center.api.post("/v1/eido", &eido).await.unwrap();
        assert_eq!(answer.status, 201, "{name}: {answer:?}");
        let again = center.api.post("/v1/eido", &eido).await.unwrap();
        assert_eq!(
            (again.status, again.call_id()),
            (200, answer.call_id()),
            "{name}"
        );
        center.api.assign(answer.call_id(), "1A1").await;
        let packet = device.packet(answer.call_id(), has_facts).await;
        let facts = packet.facts.unwrap();
        assert!(
            !facts.nature.is_empty() && !facts.location.is_empty(),
            "{name}: {facts:?}"
        );
    }
}

#[tokio::test]
async fn an_eido_that_does_not_fit_gets_an_error_that_names_the_path() {
    let center = TestCenter::start().await;
    let eido = json!({
        "$id": "urn:emergency:uid:incidentid:1:cad.example",
        "lastUpdateTimeStamp": "2026-01-05T18:22:31-05:00",
        "updatedByAgencyReference": {"$ref": "pd.example"},
        "eidoVersion": "1.0",
        "issuingElementIdentification": "cad.example",
        "agencyComponent": [{
            "$id": "pd.example", "lastUpdateTimeStamp": "2026-01-05T18:22:31-05:00",
            "updatedByAgencyReference": {"$ref": "pd.example"},
            "agencyRoleDescriptionRegistryText": ["Dispatching"], "agencyType": ["police"],
            "incidentOwningAgencyIndicator": true,
        }],
        "incidentComponent": {
            "$id": "inc", "lastUpdateTimeStamp": "2026-01-05T18:22:31-05:00",
            "updatedByAgencyReference": {"$ref": "pd.example"},
            "incidentTypeCommonRegistryText": "SHOOT", "incidentTypeInternalText": "SHOTS FIRED",
            "internalIncidentId": "1",
            "incidentStatusCommonRegistryText": ["Active"], "incidentCommonPriorityNumber": "urgent",
        },
    });
    let answer = center.api.post("/v1/eido", &eido).await.unwrap();
    assert_eq!(
        (answer.status, answer.content_type.as_str()),
        (422, "application/problem+json")
    );
    let field = answer.body["field"].as_str().unwrap();
    assert!(
        field.contains("incidentComponent") && field.contains("incidentCommonPriorityNumber"),
        "{answer:?}"
    );
    let answer = center.api.post("/v1/calls", &json!({"agency": AGENCY, "number": "1", "nature": "X", "location": "Y", "narative": []})).await.unwrap();
    assert_eq!(answer.status, 422);
    assert!(
        answer.body["field"].as_str().unwrap().contains("narative"),
        "{answer:?}"
    );
    let listed = center.api.get("/v1/calls?state=all").await.unwrap().body;
    assert_eq!(listed["total"], 0);
}

#[tokio::test]
async fn a_revoked_device_is_out_at_once_and_does_not_come_back() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let other = TestDevice::on_duty(&center.api, "102", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, has_facts).await;
    center.api.revoke(device.core.device().unwrap()).await;
    // The session's last word, or already the refusal of the next one.
    let why = device.offline().await;
    assert!(
        why.contains("good standing") || why.contains("not allowed"),
        "{why}"
    );
    let sessions = device.core.metrics().sessions;
    // A cut link and a new one: it dials at once, and is refused.
    device.core.set_link(false);
    device.core.set_link(true);
    let mut link = device.core.link();
    let refused = link.wait_for(|link| matches!(link, mobile_core::LinkState::Offline { why, .. } if why.contains("not allowed")));
    tokio::time::timeout(forerunner_tests::PATIENCE, refused)
        .await
        .expect("it is refused")
        .unwrap();
    assert!(device.core.sign_on("101", "1A1").await.is_err());
    center.note(call, "not for the revoked").await;
    other.has_note(call, "not for the revoked").await;
    let packet = device.core.packet(call).await.unwrap().unwrap();
    assert_eq!(note_texts(&packet), [""; 0]);
    assert_eq!(device.core.metrics().sessions, sessions);
}

#[tokio::test]
async fn without_the_token_there_is_nothing_but_health_and_the_description() {
    let center = TestCenter::start().await;
    let call = center.api.call("26-1", &[]).await;
    let (one, units) = (
        format!("/v1/calls/{call}"),
        format!("/v1/calls/{call}/units"),
    );
    let unit = format!("{units}/1A1");
    for (method, path) in [
        ("POST", "/v1/calls"),
        ("GET", "/v1/calls"),
        ("POST", "/v1/eido"),
        ("GET", one.as_str()),
        ("POST", units.as_str()),
        ("DELETE", unit.as_str()),
        ("POST", "/v1/enrolment-codes"),
        ("DELETE", "/v1/devices/1"),
    ] {
        let answer = center.api.stranger(method, path).await.unwrap();
        assert_eq!(
            (answer.status, answer.content_type.as_str()),
            (403, "application/problem+json"),
            "{method} {path}"
        );
    }
    for path in ["/healthz", "/metrics", "/v1/openapi.json"] {
        assert_eq!(
            center.api.stranger("GET", path).await.unwrap().status,
            200,
            "{path}"
        );
    }
    let mut wrong = center.api.clone();
    wrong.token = "wrong".into();
    assert_eq!(wrong.get("/v1/calls").await.unwrap().status, 403);
}

#[tokio::test]
async fn a_device_of_another_unit_never_has_the_packet() {
    let center = TestCenter::start().await;
    let mine = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let others = TestDevice::on_duty(&center.api, "102", "1B1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    center.caution(call, "man with gun").await;
    center.note(call, "only for 1A1").await;
    mine.has_note(call, "only for 1A1").await;
    // What comes later in the log has come: what was before it would have, too.
    let theirs = center.api.call("26-2", &["1B1"]).await;
    others.packet(theirs, has_facts).await;
    let packets = others.core.packets().await.unwrap();
    assert_eq!(
        packets.iter().map(|packet| packet.call).collect::<Vec<_>>(),
        [theirs]
    );
    assert!(others.core.packet(call).await.unwrap().is_none());
    assert!(others.core.add_note(call, "let me in").await.is_err());
    // Nor after a session of its own from the start.
    others.cut().await;
    others.core.set_link(true);
    others.online().await;
    center.note(theirs, "for 1B1").await;
    others.has_note(theirs, "for 1B1").await;
    assert!(others.core.packet(call).await.unwrap().is_none());
    // A unit that the officer joins brings it; the one that is left takes it along.
    others.core.sign_on("102", "1A1").await.unwrap();
    others.has_note(call, "only for 1A1").await;
    others.packet_is_gone(theirs).await;
}

#[tokio::test]
async fn a_device_without_an_officer_has_nothing() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, has_facts).await;
    device.core.sign_off().await.unwrap();
    device.packet_is_gone(call).await;
    assert!(device.core.add_note(call, "nobody's").await.is_err());
}

#[tokio::test]
async fn the_sealed_outbox_of_a_lost_store_reaches_the_log() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    device.packet(call, has_facts).await;
    device.cut().await;
    // Each stands on the one before: in any other order the center takes but the first.
    let texts = ["one", "two", "three", "four", "five"];
    for text in texts {
        device.core.add_note(call, text).await.unwrap();
    }
    let dir = device.close().await.unwrap();
    let keys = FileKeyStore::open(&dir.path().join("keys")).unwrap();
    keys.erase("store-key").unwrap();
    let device = TestDevice::open(dir.path());
    assert!(device.set_aside.is_some());
    center.has_notes(call, &texts).await;
    until("no sealed copy is left", async || {
        (device.sealed_files() == 0).then_some(())
    })
    .await;
}
