//! What is known before there is a call, on real sockets, TLS and files: hot lists and
//! plate reads up to the officer's own store, their withdrawal there, and a beat's packet
//! searched with no signal.

#![allow(clippy::unwrap_used)]

use forerunner_tests::{AGENCY, TestCenter, TestDevice, until};
use jiff::Timestamp;
use mobile_core::{EntryView, Found, MineState, OpenPacket, Packet};
use packet::{CallId, Compartment, Entry, QueryWhat, Topic};
use serde_json::{Value, json};

const BEATS: &str = r#"
[[beats]]
id = "N1"
name = "North 1"
agency = "cedarport-pd"
districts = ["5"]
area = [[43.0, -88.0], [43.1, -88.0], [43.1, -87.9], [43.0, -87.9]]
units = ["1A1", "1A2"]
"#;

fn in_seconds(seconds: i64) -> String {
    let at = Timestamp::now().as_millisecond() + seconds * 1_000;
    Timestamp::from_millisecond(at).unwrap().to_string()
}

fn stolen(plate: &str) -> Value {
    json!({
        "kind": "stolen", "list": "Stolen vehicles", "agency": "County", "author": "K. Lund",
        "ends": in_seconds(86_400), "danger": true, "text": "Driver is armed",
        "plate": plate, "state": "WI",
    })
}

async fn list(center: &TestCenter, entry: &Value) -> i64 {
    let answer = center.api.post("/v1/hot-list", entry).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_i64().unwrap()
}

async fn clear(center: &TestCenter, id: i64) {
    let path = format!("/v1/hot-list/{id}/clear");
    let answer = center
        .api
        .post(&path, &json!({"by": "R. Ito"}))
        .await
        .unwrap();
    assert_eq!(answer.status, 204, "{answer:?}");
}

/// A call at this place whose caller says this.
async fn call(center: &TestCenter, number: &str, location: &str, says: &str) -> CallId {
    let body = json!({
        "agency": AGENCY, "number": number, "nature": "TRBL W/SUBJ", "location": location,
        "narrative": [says], "units": ["1A1"],
    });
    let answer = center.api.post("/v1/calls", &body).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.call_id()
}

/// The packet's findings and cautions of the hot lists.
fn hot(packet: &Packet) -> Vec<&EntryView> {
    let entries = packet.entries.iter();
    entries
        .filter(|stored| match &stored.written.entry {
            Entry::Finding(finding) => finding.source.starts_with("Hot list"),
            Entry::Caution(caution) => caution.by.starts_with("Hot list"),
            _ => false,
        })
        .collect()
}

/// Whether all of them are struck through by a withdrawal, each once.
fn all_withdrawn(packet: &Packet) -> bool {
    let withdrawals = |of: &EntryView| {
        let entries = packet.entries.iter();
        entries
            .filter(|other| match &other.written.entry {
                Entry::Correction(said) => {
                    said.of == of.id && other.document == of.document && said.text.is_none()
                }
                _ => false,
            })
            .count()
    };
    hot(packet)
        .iter()
        .all(|stored| stored.corrected_by.is_some() && withdrawals(stored) == 1)
}

#[tokio::test]
async fn what_is_listed_is_on_the_device_in_safety_and_a_cleared_entry_is_withdrawn_there() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let id = list(&center, &stolen("KRT482")).await;
    let call = call(
        &center,
        "26-1",
        "400 W STATE ST",
        "red car, plate KRT482 WI",
    )
    .await;
    let packet = device.packet(call, |packet| hot(packet).len() == 2).await;
    let compartments: Vec<_> = hot(&packet)
        .iter()
        .map(|e| e.document.compartment)
        .collect();
    assert_eq!(compartments, [Compartment::Safety, Compartment::Call]);
    assert_eq!(device.core.packets().await.unwrap()[0].unacknowledged, 1);

    clear(&center, id).await;
    device
        .packet(call, |p| hot(p).len() == 2 && all_withdrawn(p))
        .await;
    assert_eq!(device.core.packets().await.unwrap()[0].unacknowledged, 0);
    let listed = center
        .api
        .get("/v1/hot-list?state=ended")
        .await
        .unwrap()
        .body;
    assert_eq!(listed["entries"][0]["ended_by"], "cleared by R. Ito");
}

#[tokio::test]
async fn an_entry_that_ends_while_the_center_is_down_is_withdrawn_once_when_it_is_back() {
    let mut center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let ends_s = 4;
    let soon = Value::String(in_seconds(ends_s));
    let mut entry = stolen("KRT482");
    entry["ends"] = soon;
    list(&center, &entry).await;
    let call = call(
        &center,
        "26-1",
        "400 W STATE ST",
        "red car, plate KRT482 WI",
    )
    .await;
    device.packet(call, |packet| hot(packet).len() == 2).await;
    center.stop().await;
    // Only its own clock can tell that the end has come.
    until("the entry's end comes", async || {
        (Timestamp::now().to_string().as_str() > entry["ends"].as_str().unwrap()).then_some(())
    })
    .await;
    center.start_again().await;
    device
        .packet(call, |p| hot(p).len() == 2 && all_withdrawn(p))
        .await;
}

#[tokio::test]
async fn a_lists_file_replaces_what_the_list_had_and_withdraws_what_it_has_no_more() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let ends = in_seconds(86_400);
    let row = |number: &str, plate: &str| {
        format!("{number},stolen,{plate},WI,{ends},no,Taken on Monday\n")
    };
    let header = "number,kind,plate,state,ends,danger,text\n";
    let path = "/v1/hot-list/lists/Stolen%20vehicles?agency=County&author=The%20list";
    let both = format!("{header}{}{}", row("1", "KRT482"), row("2", "ABC123"));
    let answer = center.api.put(path, "text/csv", &both).await.unwrap();
    assert_eq!(
        answer.body,
        json!({"added": 2, "unchanged": 0, "ended": 0}),
        "{answer:?}"
    );
    let (one, two) = (
        call(&center, "26-1", "1 A ST", "plate KRT482 WI").await,
        call(&center, "26-2", "2 A ST", "plate ABC123 WI").await,
    );
    device.packet(one, |packet| hot(packet).len() == 1).await;
    device.packet(two, |packet| hot(packet).len() == 1).await;

    let bad = format!("{header}{}x,stolen\n", row("1", "KRT482"));
    let answer = center.api.put(path, "text/csv", &bad).await.unwrap();
    assert_eq!(
        (answer.status, answer.body["field"].as_str()),
        (422, Some("line 3"))
    );
    let only_one = format!("{header}{}", row("1", "KRT482"));
    let answer = center.api.put(path, "text/csv", &only_one).await.unwrap();
    assert_eq!(answer.body, json!({"added": 0, "unchanged": 1, "ended": 1}));
    device
        .packet(two, |p| hot(p).len() == 1 && all_withdrawn(p))
        .await;
    let packet = device.core.packet(one).await.unwrap().unwrap();
    assert!(
        hot(&packet)
            .iter()
            .all(|stored| stored.corrected_by.is_none())
    );
}

async fn premise(center: &TestCenter, location: &str, text: &str) -> i64 {
    let body = json!({
        "location": location, "latitude": 43.05, "longitude": -87.95, "text": text,
        "set_by": "Diaz", "ends": in_seconds(86_400),
    });
    let answer = center.api.post("/v1/premises", &body).await.unwrap();
    assert_eq!(answer.status, 201, "{answer:?}");
    answer.body["id"].as_i64().unwrap()
}

/// The beat's packet, once it has so many findings that hold.
async fn beat_with(device: &TestDevice, findings: usize) -> CallId {
    let mut changes = device.core.changes();
    loop {
        changes.mark_unchanged();
        for summary in device.core.packets().await.unwrap() {
            let packet = device.core.packet(summary.call).await.unwrap();
            let is_whole = |packet: &Packet| {
                let entries = packet.entries.iter();
                let holds = entries.filter(|stored| {
                    matches!(stored.written.entry, Entry::Finding(_))
                        && stored.corrected_by.is_none()
                });
                holds.count() == findings
            };
            if summary.call.is_beat() && packet.is_some_and(|packet| is_whole(&packet)) {
                return summary.call;
            }
        }
        let soon = tokio::time::timeout(forerunner_tests::PATIENCE, changes.changed());
        soon.await.expect("the beat's packet comes").unwrap();
    }
}

fn titles(found: &[Found]) -> Vec<String> {
    let findings = found
        .iter()
        .filter_map(|found| match &found.entry.written.entry {
            Entry::Finding(finding) => Some(finding.title.clone()),
            _ => None,
        });
    findings.collect()
}

#[tokio::test]
async fn a_device_has_its_beat_at_sign_on_and_searches_it_with_no_signal() {
    let center = TestCenter::start_with(BEATS).await;
    premise(&center, "5237 N 35TH ST,MKE", "Large dog").await;
    let id = list(&center, &stolen("KRT482")).await;
    let mut wanted = stolen("KRT482");
    wanted["kind"] = "wanted".into();
    for field in ["plate", "state"] {
        wanted.as_object_mut().unwrap().remove(field);
    }
    wanted["name"] = "DOE, JANE".into();
    list(&center, &wanted).await;

    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let beat = beat_with(&device, 3).await;
    // It is no call: not in dispatch's list, not in the counts.
    let listed = center.api.get("/v1/calls?state=all").await.unwrap().body;
    assert_eq!(listed["total"], 0);
    let other = TestDevice::on_duty(&center.api, "103", "1B1").await;
    assert!(
        other.core.packets().await.unwrap().is_empty(),
        "it is not this unit's beat"
    );

    device.cut().await;
    for (words, title) in [
        ("5237 north 35th street", "5237 N 35TH ST,MKE"),
        ("large DOG", "5237 N 35TH ST,MKE"),
        ("krt-482", "Stolen: KRT482 WI"),
        ("jane doe", "Wanted: DOE, JANE"),
    ] {
        let found = device.core.find(words).await.unwrap();
        assert_eq!(titles(&found), [title], "{words}");
        assert!(found[0].is_beat && found[0].call == beat);
    }
    assert!(device.core.find("5238 N 35TH").await.unwrap().is_empty());
    assert!(device.core.find(" - ").await.unwrap().is_empty());

    // A stop that is begun here knows what the beat knows about its place and plate.
    let open = |location: &str, plate: Option<&str>| OpenPacket {
        nature: "TRAFFIC STOP".into(),
        location: location.into(),
        plate: plate.map(Into::into),
        note: None,
    };
    for (location, plate, known) in [
        ("5237 North 35th Street Apt 4", None, "5237 N 35TH ST,MKE"),
        ("5th and Oak", Some("krt 482"), "Stolen: KRT482 WI"),
    ] {
        let stop = device
            .core
            .open_packet(open(location, plate))
            .await
            .unwrap();
        assert_eq!(
            titles(&device.core.known_about(stop).await.unwrap()),
            [known]
        );
    }
    let stop = device
        .core
        .open_packet(open("9 Elm St", Some("ZZZ999")))
        .await
        .unwrap();
    assert!(device.core.known_about(stop).await.unwrap().is_empty());

    // Nothing is written into a beat's packet but the tap on an alert.
    let note = device.core.add_note(beat, "quiet tonight").await.unwrap();
    device.core.set_link(true);
    let is_refused = |packet: &Packet| {
        let mut entries = packet.entries.iter();
        entries.any(|e| e.id == note && matches!(e.mine, Some(MineState::Refused { .. })))
    };
    device.packet(beat, is_refused).await;

    // With the first contact the stop has it from the center, and the beat loses what was cleared.
    clear(&center, id).await;
    beat_with(&device, 2).await;
    assert!(
        titles(&device.core.find("KRT482").await.unwrap())
            .iter()
            .all(|title| !title.starts_with("Stolen"))
    );
}

#[tokio::test]
async fn a_query_from_an_officers_own_stop_is_answered_by_the_hot_lists() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    list(&center, &stolen("KRT482")).await;
    device.cut().await;
    let open = OpenPacket {
        nature: "TRAFFIC STOP".into(),
        location: "5th and Oak".into(),
        plate: None,
        note: None,
    };
    let stop = device.core.open_packet(open).await.unwrap();
    let query = device
        .core
        .add_query(stop, QueryWhat::Plate, "KRT482 WI", None, None);
    let query = query.await.unwrap();
    device.core.set_link(true);
    let packet = device.packet(stop, |packet| hot(packet).len() == 2).await;
    let answer = hot(&packet)
        .into_iter()
        .find_map(|stored| match &stored.written.entry {
            Entry::Finding(finding) => Some(finding),
            _ => None,
        });
    let answer = answer.unwrap();
    assert_eq!((answer.topic, answer.answers), (Topic::Stolen, Some(query)));
}

#[tokio::test]
async fn a_plate_that_is_read_opens_a_packet_and_alerts_the_beat_it_is_in() {
    let center = TestCenter::start_with(BEATS).await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let beat = beat_with(&device, 0).await;
    list(&center, &stolen("KRT482")).await;
    beat_with(&device, 1).await;
    let read = json!({
        "plate": "KRT-482", "state": "WI", "camera": "CAM 7", "place": "N 35TH ST at W VLIET ST",
        "latitude": 43.05, "longitude": -87.95, "read": in_seconds(0), "confidence": 0.97,
    });
    let nobody =
        json!({"reads": [read, {"plate": "ZZZ999", "camera": "CAM 7", "read": in_seconds(0)}]});
    let answer = center.api.post("/v1/plate-reads", &nobody).await.unwrap();
    assert_eq!(
        (answer.status, &answer.body["taken"]),
        (200, &json!(2)),
        "{answer:?}"
    );
    let opened: CallId = answer.body["calls"][0].as_str().unwrap().parse().unwrap();
    let listed = center.api.get("/v1/calls").await.unwrap().body;
    assert_eq!(listed["total"], 1);
    assert_eq!(listed["calls"][0]["nature"], "PLATE READ HIT");
    assert_eq!(listed["calls"][0]["priority"], 1);

    // The beat's alert sounds on the device, and is acknowledged there.
    let is_alerted = |packet: &Packet| {
        let mut entries = packet.entries.iter();
        entries.any(|e| matches!(e.written.entry, Entry::Caution(_)))
    };
    let packet = device.packet(beat, is_alerted).await;
    let alert = packet
        .entries
        .iter()
        .find(|e| matches!(e.written.entry, Entry::Caution(_)));
    let alert = alert.unwrap().id;
    let summary = device.core.packets().await.unwrap();
    assert_eq!(
        summary
            .iter()
            .find(|s| s.call == beat)
            .unwrap()
            .unacknowledged,
        1
    );
    let tap = device.core.acknowledge(beat, alert).await.unwrap();
    device.is_at_center(beat, tap).await;

    center.api.assign(opened, "1A1").await;
    let packet = device.packet(opened, |packet| hot(packet).len() == 2).await;
    let is_read = |stored: &EntryView| match &stored.written.entry {
        Entry::Finding(finding) => finding.source == "Plate reader",
        _ => false,
    };
    assert!(packet.entries.iter().any(is_read));
    let bad = json!({"plate": "KRT482", "camera": "CAM 7", "read": "now"});
    let answer = center.api.post("/v1/plate-reads", &bad).await.unwrap();
    assert_eq!(
        (answer.status, answer.body["field"].as_str()),
        (422, Some("read"))
    );
}

#[tokio::test]
async fn a_restored_center_gives_the_beats_anew_and_takes_none_for_a_call() {
    let mut center = TestCenter::start_with(BEATS).await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    list(&center, &stolen("KRT482")).await;
    beat_with(&device, 1).await;
    let backup = center.back_up().await;
    list(&center, &stolen("ABC123")).await;
    beat_with(&device, 2).await;
    center.stop().await;
    center.lose_and_restore(&backup);
    center.start_again().await;
    list(&center, &stolen("XYZ789")).await;
    device.online().await;
    until("the device finds what is listed since", async || {
        let found = device.core.find("XYZ789").await.unwrap();
        (titles(&found) == ["Stolen: XYZ789 WI"]).then_some(())
    })
    .await;
    let found = device.core.find("KRT482").await.unwrap();
    assert_eq!(titles(&found), ["Stolen: KRT482 WI"]);
    let listed = center.api.get("/v1/calls?state=all").await.unwrap().body;
    assert_eq!(listed["total"], 0, "{listed}");
}
