//! Packets that officers open: with no signal, triaged and asked about at the first contact,
//! and linked with dispatch's call when that comes.

#![allow(clippy::unwrap_used)]

use forerunner_tests::{AGENCY, TestCenter, TestDevice, until};
use mobile_core::{OpenPacket, Packet};
use packet::{CallId, Entry, Facts, LinkHow, OutcomeState};
use serde_json::json;

const PLACE: &str = "5TH ST & OAK AV";

fn stop(note: Option<&str>) -> OpenPacket {
    OpenPacket {
        nature: "TRAFFIC STOP".into(),
        location: PLACE.into(),
        plate: None,
        note: note.map(str::to_owned),
    }
}

/// Facts and links of a packet as the center has them, in the order of the log; and what
/// each source answered.
async fn known(center: &TestCenter, call: CallId) -> (Vec<(bool, Facts)>, Vec<LinkHow>, usize) {
    let (mut facts, mut links, mut answers) = (Vec::new(), Vec::new(), 0);
    for logged in center.entries(call).await {
        match logged.entry {
            Entry::Facts(said) => facts.push((logged.by_device, said)),
            Entry::Link(link) => links.push(link.how),
            Entry::Outcome(outcome) if outcome.state != OutcomeState::Asked => answers += 1,
            _ => {}
        }
    }
    (facts, links, answers)
}

async fn tell(center: &TestCenter, number: &str, location: &str, units: &[&str]) -> CallId {
    let report = json!({
        "agency": AGENCY, "number": number, "nature": "TRAFFIC STOP", "location": location,
        "units": units,
    });
    let answer = center.api.post("/v1/calls", &report).await.unwrap();
    assert!(answer.is_success(), "{answer:?}");
    answer.call_id()
}

async fn is_linked(center: &TestCenter, call: CallId, how: LinkHow) {
    until("the packet is linked", async || {
        let (_, links, _) = known(center, call).await;
        (links == [how]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_stop_opened_with_no_signal_is_triaged_and_asked_about_at_the_first_contact() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    device.cut().await;
    let opened = device
        .core
        .open_packet(stop(Some("broken light")))
        .await
        .unwrap();
    let here = device.core.packet(opened).await.unwrap().unwrap();
    assert_eq!(here.facts.unwrap().category, "officer");
    assert!(center.entries(opened).await.is_empty());

    device.core.set_link(true);
    // Triage: the center has said what kind of call it is, in both documents.
    let (facts, answers) = until("the center has triaged it and asked", async || {
        let (facts, _, answers) = known(&center, opened).await;
        let is_triaged = facts.iter().filter(|(by_device, _)| !by_device).count() == 2;
        (is_triaged && answers > 0).then_some((facts, answers))
    })
    .await;
    let (_, last) = facts.last().unwrap();
    assert_ne!(last.category, "officer");
    assert!(
        last.reason
            .starts_with("opened by Diaz (1A1); nature TRAFFIC STOP"),
        "{last:?}"
    );
    assert!(answers > 0);
    // The officer sees both.
    let category = last.category.clone();
    let is_triaged = move |packet: &Packet| {
        let facts = packet.facts.as_ref();
        facts.is_some_and(|facts| facts.category == category)
    };
    device.packet(opened, is_triaged).await;
    let listed = center.api.get("/v1/calls").await.unwrap().body;
    assert_eq!(listed["calls"][0]["id"], json!(opened));
    assert_eq!(listed["calls"][0]["priority"], last.priority);
    assert_eq!(listed["calls"][0]["units"], json!(["1A1"]));
}

#[tokio::test]
async fn dispatchs_call_for_a_stop_is_linked_with_the_officers_packet_whichever_comes_first() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    // The officer's first.
    let opened = device.core.open_packet(stop(None)).await.unwrap();
    device.has_sent_all().await;
    let call = tell(&center, "26-1", PLACE, &["1A1"]).await;
    is_linked(&center, opened, LinkHow::Rule).await;
    is_linked(&center, call, LinkHow::Rule).await;
    // The officer reads it, in both packets.
    for packet in [opened, call] {
        let has_link = |packet: &Packet| {
            let mut entries = packet.entries.iter();
            entries.any(|entry| matches!(entry.written.entry, Entry::Link(_)))
        };
        device.packet(packet, has_link).await;
    }
    let listed = center
        .api
        .get(&format!("/v1/calls/{call}"))
        .await
        .unwrap()
        .body;
    assert_eq!(listed["links"][0]["other"], json!(opened));
    // Dispatch's first: the packet comes out of a dead zone later.
    device.cut().await;
    let late = device.core.open_packet(OpenPacket {
        location: "9 ELM ST".into(),
        ..stop(None)
    });
    let late = late.await.unwrap();
    let call = tell(&center, "26-2", "9 Elm Street", &["1A1"]).await;
    device.core.set_link(true);
    is_linked(&center, late, LinkHow::Rule).await;
    is_linked(&center, call, LinkHow::Rule).await;
}

#[tokio::test]
async fn the_number_that_the_officer_says_links_and_what_is_only_proposed_can_be_refused() {
    let center = TestCenter::start().await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = tell(&center, "26-00123", "elsewhere", &[]).await;
    let opened = device.core.open_packet(stop(None)).await.unwrap();
    device.has_sent_all().await;
    let (_, links, _) = known(&center, opened).await;
    assert_eq!(links, []);
    device
        .core
        .add_note(opened, "CAD has it as 26-00123")
        .await
        .unwrap();
    is_linked(&center, opened, LinkHow::Rule).await;

    let next = device.core.open_packet(stop(None)).await.unwrap();
    device.has_sent_all().await;
    let near = tell(&center, "26-4", "somewhere on 5th", &["1A1"]).await;
    // Not with the first, which has its call already.
    is_linked(&center, near, LinkHow::Proposed).await;
    is_linked(&center, next, LinkHow::Proposed).await;
    let path = format!("/v1/calls/{near}/links/{next}");
    assert_eq!(center.api.delete(&path).await.unwrap().status, 204);
    tell(&center, "26-4", "somewhere on 5th street", &["1A1"]).await;
    let listed = center
        .api
        .get(&format!("/v1/calls/{near}"))
        .await
        .unwrap()
        .body;
    assert_eq!(listed["links"], json!([]));
    // A link by hand, and once more.
    let body = json!({"other": call, "why": "the same car"});
    let path = format!("/v1/calls/{near}/links");
    assert_eq!(center.api.post(&path, &body).await.unwrap().status, 201);
    assert_eq!(center.api.post(&path, &body).await.unwrap().status, 200);
    let unknown = json!({"other": "00000000000000ff"});
    assert_eq!(center.api.post(&path, &unknown).await.unwrap().status, 404);
    assert_eq!(
        center.api.stranger("POST", &path).await.unwrap().status,
        403
    );
}

#[tokio::test]
async fn a_link_brings_no_device_the_packet_of_the_other_call() {
    let center = TestCenter::start_with(
        "[links]\nthen = \"link\"\n\
         [[agencies]]\nid = \"so\"\nname = \"Sheriff\"\nunits = [\"S9\"]\nofficers = []\n",
    )
    .await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let ours = tell(&center, "26-1", PLACE, &["1A1"]).await;
    let theirs = center
        .api
        .post(
            "/v1/calls",
            &json!({
                "agency": "so", "number": "S-4477", "nature": "TRAFFIC STOP", "location": PLACE,
                "units": ["S9"],
            }),
        )
        .await
        .unwrap()
        .call_id();
    assert_ne!(ours, theirs);
    is_linked(&center, theirs, LinkHow::Rule).await;
    let link_in = |packet: &Packet| {
        let mut entries = packet.entries.iter();
        entries.find_map(|entry| match &entry.written.entry {
            Entry::Link(link) => Some(link.clone()),
            _ => None,
        })
    };
    let packet = device
        .packet(ours, |packet| link_in(packet).is_some())
        .await;
    let link = link_in(&packet).unwrap();
    assert_eq!(link.other, theirs);
    assert!(
        !link.why.contains("S-4477") && !link.why.contains("Sheriff"),
        "{link:?}"
    );
    // Whatever comes next, it comes after what the link would have brought.
    center.note(theirs, "for the sheriff alone").await;
    center.note(ours, "for 1A1").await;
    device.has_note(ours, "for 1A1").await;
    assert!(device.core.packet(theirs).await.unwrap().is_none());
    assert_eq!(device.core.packets().await.unwrap().len(), 1);
}
