//! What the center knows by itself, from its own log to the officer's screen: earlier calls,
//! cameras, a recording; and the search that finds it all afterwards.

#![allow(clippy::unwrap_used)]

use forerunner_tests::{AGENCY, TestCenter, TestDevice, until};
use mobile_core::{AttachmentState, Packet};
use packet::glance::{LINES_MAX, Rank};
use packet::{CallId, Entry, Finding, Outcome, OutcomeState, QueryWhat};
use serde_json::{Value, json};
use sim::{Faults, Sources};

/// A corner of Cedarport, with a camera on it and one that looks away from it.
const CAMERAS: &str = r#"
[[cameras]]
name = "Corner"
latitude = 44.0612
longitude = -89.287
direction_deg = 180
view_deg = 90
range_m = 100
stream = "https://cameras.cedarport.example/corner"

[[cameras]]
name = "Beside"
latitude = 44.0612
longitude = -89.2871
direction_deg = 0
view_deg = 90
range_m = 100
stream = "https://cameras.cedarport.example/beside"
"#;

fn config(sources: &Sources) -> String {
    let video = format!(
        "[video]\nname = \"City video\"\nurl = \"http://{}/clips\"\n",
        sources.video
    );
    format!("{video}{CAMERAS}")
}

fn report(number: &str, nature: &str, location: &str, status: &Value) -> Value {
    json!({
        "agency": AGENCY,
        "number": number,
        "nature": nature,
        "location": location,
        "latitude": 44.061,
        "longitude": -89.287,
        "units": ["1A1"],
        "status": status,
    })
}

async fn told(center: &TestCenter, body: &Value) -> CallId {
    let answer = center.api.post("/v1/calls", body).await.unwrap();
    assert!(answer.is_success(), "{answer:?}");
    answer.call_id()
}

fn findings(packet: &Packet) -> Vec<&Finding> {
    packet
        .entries
        .iter()
        .filter_map(|entry| match &entry.written.entry {
            Entry::Finding(finding) => Some(finding),
            _ => None,
        })
        .collect()
}

fn outcomes(packet: &Packet) -> Vec<&Outcome> {
    packet
        .entries
        .iter()
        .filter_map(|entry| match &entry.written.entry {
            Entry::Outcome(outcome) => Some(outcome),
            _ => None,
        })
        .collect()
}

#[tokio::test]
async fn what_the_center_knows_of_a_place_is_on_the_device_and_the_first_look_says_it() {
    let sources = sim::start(1, Faults::NONE).await.unwrap();
    let center = TestCenter::start_with(&config(&sources)).await;
    let closed = json!({"closed": {"disposition": "Arrest made"}});
    let before = report("26-1", "BATTERY DV", "1200 N MAIN ST APT 2", &closed);
    told(&center, &before).await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let now = report(
        "26-2",
        "TROUBLE",
        "1200 North Main Street #2",
        &json!("open"),
    );
    let call = told(&center, &now).await;
    let all = |packet: &Packet| findings(packet).len() >= 3;
    let packet = device.packet(call, all).await;
    let found = findings(&packet);
    let titles: Vec<&str> = found.iter().map(|finding| finding.title.as_str()).collect();
    assert_eq!(
        titles,
        ["1 earlier call here, 1 with violence", "Corner", "Beside"]
    );
    assert!(found[0].text.ends_with("BATTERY DV – Arrest made"));

    let glance = device.core.glance(&packet);
    assert!(glance.lines.len() <= LINES_MAX);
    let ranks: Vec<Rank> = glance.lines.iter().map(|line| line.rank).collect();
    assert_eq!(ranks, [Rank::Violence, Rank::Camera]);
    let camera = &glance.lines[1];
    let stream = "https://cameras.cedarport.example/corner";
    assert_eq!(camera.link.as_deref(), Some(stream));
    assert_eq!((camera.is_lead, camera.more), (false, 1));
    sources.shutdown().await;
}

#[tokio::test]
async fn a_recording_that_an_officer_asks_for_with_no_signal_comes_with_the_first_contact() {
    let sources = sim::start(1, Faults::NONE).await.unwrap();
    let center = TestCenter::start_with(&config(&sources)).await;
    let device = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = told(
        &center,
        &report("26-1", "TROUBLE", "1200 N MAIN ST", &json!("open")),
    )
    .await;
    device.packet(call, |packet| packet.facts.is_some()).await;
    device.cut().await;
    // A minute of it, of an hour at which this made-up camera was on.
    let window = "2026-11-28T18:00:00Z/2026-11-28T18:01:00Z";
    let value = format!("Corner @ {window}");
    let query = device
        .core
        .add_query(call, QueryWhat::Clip, &value, None, None)
        .await
        .unwrap();
    device.core.set_link(true);
    device.has_sent_all().await;
    let is_answered = |packet: &Packet| {
        let mut of_it = outcomes(packet)
            .into_iter()
            .filter(|outcome| outcome.answers == Some(query));
        of_it
            .next_back()
            .is_some_and(|outcome| outcome.state == OutcomeState::Answered)
    };
    let packet = device.packet(call, is_answered).await;
    let finding = findings(&packet)
        .into_iter()
        .find(|finding| finding.answers == Some(query))
        .unwrap();
    assert_eq!(finding.source, "City video");
    // No other source was asked what it cannot know.
    let answered = outcomes(&packet);
    let mut answered = answered
        .iter()
        .filter(|outcome| outcome.answers == Some(query));
    assert!(answered.all(|outcome| outcome.source == "City video"));
    let attached = packet
        .entries
        .iter()
        .find_map(|entry| match &entry.written.entry {
            Entry::Attachment(attachment) => Some((attachment, entry)),
            _ => None,
        });
    let (attachment, entry) = attached.unwrap();
    assert_eq!(attachment.bytes, 600_000);
    assert!(finding.text.contains(&attachment.blob), "{}", finding.text);
    let state = &entry.attachment.as_ref().unwrap().state;
    assert_eq!(*state, AttachmentState::AtCenter);
    // What came is what was made, and says what it is.
    let path = format!("/v1/attachments/{}", attachment.blob);
    let content = center.api.download(&path).await;
    assert!(
        content
            .bytes
            .starts_with(b"MADE UP, not a recording: Corner")
    );
    sources.shutdown().await;
}

#[tokio::test]
async fn a_search_finds_closed_packets_page_by_page_and_nobody_without_the_token_does() {
    let center = TestCenter::start().await;
    let closed = json!({"closed": {"disposition": "Advised"}});
    let mut calls = Vec::new();
    for number in 0..5 {
        let location = format!("12{number}0 N MAIN ST");
        let body = report(&format!("26-{number}"), "NOISE", &location, &closed);
        calls.push(told(&center, &body).await);
    }
    center.note(calls[3], "a zebra, plate ABC 123").await;
    let search = async |query: &str| {
        let path = format!("/v1/search?{query}");
        center.api.get(&path).await.unwrap()
    };
    let found = search("plate=abc123").await.body;
    assert_eq!(found["total"], 1);
    let packet = &found["packets"][0];
    assert_eq!(packet["id"], calls[3].to_string());
    assert_eq!(packet["disposition"], "Advised");
    // The note, and the mention that stands behind it.
    let kinds: Vec<_> = packet["entries"].as_array().unwrap().iter().collect();
    assert!(
        kinds.iter().any(|entry| entry["kind"] == "note"),
        "{kinds:?}"
    );
    assert_eq!(packet["entries"][0]["compartment"], "call");

    let mut seen = Vec::new();
    let mut query = "words=noise&limit=2".to_owned();
    loop {
        let page = search(&query).await.body;
        assert_eq!(page["total"], 5);
        let packets = page["packets"].as_array().unwrap();
        seen.extend(packets.iter().map(|packet| packet["id"].clone()));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        query = format!("words=noise&limit=2&after={next}");
    }
    assert_eq!(seen.len(), 5);
    seen.dedup();
    assert_eq!(seen.len(), 5);

    for (query, field) in [
        ("", "words"),
        ("words=%22", "words"),
        ("phone=12", "phone"),
        ("latitude=100&longitude=1", "latitude"),
        ("words=a&after=x", "after"),
    ] {
        let answer = search(query).await;
        assert_eq!(answer.status, 422, "{query}");
        assert_eq!(answer.body["field"], field, "{query}");
    }
    let stranger = center.api.stranger("GET", "/v1/search?words=noise").await;
    assert_eq!(stranger.unwrap().status, 403);
    let count = async |act: &'static str| {
        let read = move |c: &rusqlite::Connection| {
            let sql = "SELECT count(*) FROM audit WHERE act = ?1 AND allowed = 1";
            Ok(c.query_row(sql, [act], |row| row.get::<_, i64>(0))?)
        };
        center.center().log.readers().read(read).await.unwrap()
    };
    assert_eq!(count("Search").await, 4);
    assert_eq!(count("search in call").await, 6);
}

#[tokio::test]
async fn a_notice_outlives_the_center() {
    let mut center = TestCenter::start().await;
    let call = center.api.call("26-1", &[]).await;
    let saved = center
        .api
        .raw_form("/search/saved", "name=zebras&words=zebra");
    assert_eq!(saved.await.unwrap().status, 204);
    center.note(call, "a zebra").await;
    // Stopped before it could be told, or after: it is told once.
    center.stop().await;
    center.start_again().await;
    let told = until("the notice is there", async || {
        let html = center.api.page("/search").await.ok()?.text;
        html.contains("New for your saved searches").then_some(html)
    });
    let html = told.await;
    assert_eq!(html.matches("class=\"panel notice\"").count(), 1);
    assert!(html.contains("<b>1</b> new for saved searches"));
}
