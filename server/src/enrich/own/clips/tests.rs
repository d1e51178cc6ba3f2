#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Mutex;

use aws_lc_rs::digest;
use axum::Router;
use axum::extract::{Path as Place, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Json, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER;
use packet::entry::ATTACHMENT_BYTES_MAX;
use packet::{CallId, Compartment, DocumentId, EntryId, Finding, Outcome, OutcomeState};
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::*;
use crate::center::Running;
use crate::config::{AgencyConfig, Config};
use crate::search::tests::report;

const WINDOW: &str = "2026-11-28T18:00:00Z/2026-11-28T18:05:00Z";
/// What never comes fails the test instead of holding it for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A video system as the test wants it.
struct Video {
    asked: Mutex<Vec<Value>>,
    looks: Mutex<Vec<String>>,
    /// What it says to a question, and to each look: the last one again and again.
    to_question: (StatusCode, Value),
    standings: Vec<Value>,
    contents: Vec<Vec<u8>>,
    fetched: Mutex<usize>,
}

impl Video {
    fn new(standings: &[Value], contents: &[&[u8]]) -> Self {
        Self {
            asked: Mutex::default(),
            looks: Mutex::default(),
            to_question: (StatusCode::ACCEPTED, json!({"id": "job-1"})),
            standings: standings.to_vec(),
            contents: contents.iter().map(|content| content.to_vec()).collect(),
            fetched: Mutex::default(),
        }
    }

    async fn start(self) -> (Arc<Self>, VideoConfig) {
        let video = Arc::new(self);
        let routes = Router::new()
            .route("/clips", post(ask))
            .route("/clips/{id}", get(look))
            .route("/clips/{id}/content", get(content))
            .with_state(video.clone());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/clips", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let config = VideoConfig {
            name: "City video".into(),
            url,
            timeout_ms: 5_000,
        };
        (video, config)
    }
}

async fn ask(State(video): State<Arc<Video>>, Json(body): Json<Value>) -> Response {
    video.asked.lock().unwrap().push(body);
    let (status, answer) = video.to_question.clone();
    (status, Json(answer)).into_response()
}

async fn look(State(video): State<Arc<Video>>, Place(id): Place<String>) -> Json<Value> {
    let mut looks = video.looks.lock().unwrap();
    looks.push(id);
    let at = (looks.len() - 1).min(video.standings.len() - 1);
    Json(video.standings[at].clone())
}

async fn content(State(video): State<Arc<Video>>) -> Response {
    let mut fetched = video.fetched.lock().unwrap();
    let at = (*fetched).min(video.contents.len() - 1);
    *fetched += 1;
    let head = [(header::CONTENT_TYPE, "video/mp4")];
    (head, video.contents[at].clone()).into_response()
}

async fn center(data: &Path, video: Option<VideoConfig>) -> Running {
    let any = "127.0.0.1:0".parse().unwrap();
    let config = Config {
        name: "Test RTCC".into(),
        data: data.into(),
        sync: any,
        console: any,
        console_tls: false,
        sign_in: crate::people::config::SignInConfig::default(),
        names: vec!["localhost".into()],
        triage: None,
        keep_closed_s: 1_800,
        key_exchange: crate::identity::KeyExchange::default(),
        limits: crate::config::LimitsConfig::default(),
        agencies: vec![AgencyConfig {
            id: "pd".into(),
            name: "City Police".into(),
            units: vec![],
            officers: vec![],
        }],
        cads: vec![],
        links: crate::calls::LinksConfig::default(),
        sources: vec![],
        purposes: crate::config::default_purposes(),
        beats: vec![],
        plate_reads: crate::plate_reads::PlateReadsConfig::default(),
        cameras: vec![],
        video,
    };
    Center::start(config).await.unwrap()
}

struct Asked {
    call: CallId,
    query: EntryId,
}

async fn ask_for(running: &Running, value: &str) -> Asked {
    let center = &running.center;
    let call = center
        .report(report(1, "TRESPASS", "1 A ST"), "Dispatch")
        .await
        .unwrap()
        .call;
    let query = Entry::Query(Query {
        what: QueryWhat::Clip,
        value: value.into(),
        by: "Analyst".into(),
        purpose: None,
        reason: None,
    });
    let written = center.write(call, query, "analyst").await.unwrap();
    Asked {
        call,
        query: written.id,
    }
}

fn clip() -> String {
    format!("Ramp 4 @ {WINDOW}")
}

async fn entries(running: &Running, call: CallId) -> Vec<Entry> {
    let document = DocumentId::new(call, Compartment::Call);
    let read = move |c: &rusqlite::Connection| crate::log::document(c, document);
    let logged = running.center.log.readers().read(read).await.unwrap();
    logged
        .into_iter()
        .map(|logged| logged.inspected.written.entry)
        .collect()
}

async fn outcomes(running: &Running, asked: &Asked) -> Vec<Outcome> {
    let of = |entry| match entry {
        Entry::Outcome(outcome) if outcome.answers == Some(asked.query) => Some(outcome),
        _ => None,
    };
    let all = entries(running, asked.call).await;
    all.into_iter().filter_map(of).collect()
}

/// The outcome, once there is one of this state.
async fn until(running: &Running, asked: &Asked, state: OutcomeState) -> Outcome {
    let mut happenings = running.center.log.subscribe();
    let waiting = async {
        loop {
            let all = outcomes(running, asked).await;
            if let Some(found) = all.into_iter().find(|outcome| outcome.state == state) {
                return found;
            }
            let _ = happenings.recv().await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap()
}

fn sha256(content: &[u8]) -> String {
    HEXLOWER.encode(digest::digest(&digest::SHA256, content).as_ref())
}

fn ready(content: &[u8]) -> Value {
    json!({"state": "ready", "bytes": content.len(), "sha256": sha256(content)})
}

#[tokio::test]
async fn a_recording_is_asked_for_waited_for_and_attached_with_its_hash_and_source() {
    let folder = tempfile::tempdir().unwrap();
    let pending = json!({"state": "pending"});
    let (video, config) = Video::new(&[pending.clone(), pending, ready(b"film")], &[b"film"])
        .start()
        .await;
    let running = center(folder.path(), Some(config)).await;
    let asked = ask_for(&running, &clip()).await;
    let answered = until(&running, &asked, OutcomeState::Answered).await;
    assert_eq!(answered.source, "City video");
    assert!(answered.took_ms.is_some());
    let states: Vec<OutcomeState> = outcomes(&running, &asked)
        .await
        .iter()
        .map(|outcome| outcome.state)
        .collect();
    assert_eq!(states, [OutcomeState::Asked, OutcomeState::Answered]);
    let entries = entries(&running, asked.call).await;
    let attachment = entries.iter().find_map(|entry| match entry {
        Entry::Attachment(attachment) => Some(attachment),
        _ => None,
    });
    let attachment = attachment.unwrap();
    assert_eq!(attachment.blob, sha256(b"film"));
    assert_eq!(attachment.by, "City video");
    assert_eq!(attachment.media_type, "video/mp4");
    assert_eq!(attachment.name, "Ramp 4 2026-11-28T18-00-00Z.mp4");
    let finding = entries.iter().find_map(|entry| match entry {
        Entry::Finding(finding) if finding.source == "City video" => Some(finding),
        _ => None,
    });
    let Finding { text, answers, .. } = finding.unwrap();
    assert!(text.contains(&sha256(b"film")), "{text}");
    assert_eq!(*answers, Some(asked.query));
    let question = video.asked.lock().unwrap()[0].clone();
    assert_eq!(question["camera"], "Ramp 4");
    assert_eq!(question["to"], "2026-11-28T18:05:00Z");

    // The step that attached is taken once more, as after a stop in the middle of it.
    let due = |ledger: &mut crate::log::Ledger<'_>| {
        ledger.sql().execute("UPDATE clips SET due_ms = 1", [])?;
        Ok::<_, LogError>(())
    };
    running.center.log.write(due).await.unwrap();
    running.stop().await;
    let (_, config) = Video::new(&[ready(b"film")], &[b"film"]).start().await;
    let running = center(folder.path(), Some(config)).await;
    let mut happenings = running.center.log.subscribe();
    while outcomes(&running, &asked).await.len() < 3 {
        let _ = tokio::time::timeout(PATIENCE, happenings.recv())
            .await
            .unwrap();
    }
    let attachments = self::entries(&running, asked.call).await;
    let attachments = attachments
        .iter()
        .filter(|entry| matches!(entry, Entry::Attachment(_)));
    assert_eq!(attachments.count(), 1);
    running.stop().await;
}

#[tokio::test]
async fn a_stop_of_the_center_loses_no_recording_and_asks_for_none_twice() {
    let folder = tempfile::tempdir().unwrap();
    let (before, config) = Video::new(&[json!({"state": "pending"})], &[b""])
        .start()
        .await;
    let running = center(folder.path(), Some(config)).await;
    let asked = ask_for(&running, &clip()).await;
    until(&running, &asked, OutcomeState::Asked).await;
    running.stop().await;
    let (after, config) = Video::new(&[ready(b"film")], &[b"film"]).start().await;
    let running = center(folder.path(), Some(config)).await;
    until(&running, &asked, OutcomeState::Answered).await;
    running.stop().await;
    assert_eq!(before.asked.lock().unwrap().len(), 1);
    assert_eq!(after.asked.lock().unwrap().len(), 0);
    assert_eq!(after.looks.lock().unwrap()[0], "job-1");
}

/// What the packet says of one that does not come.
async fn why_not(video: Video, value: &str, state: OutcomeState) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (_, config) = video.start().await;
    let running = center(folder.path(), Some(config)).await;
    let asked = ask_for(&running, value).await;
    let outcome = until(&running, &asked, state).await;
    let entries = entries(&running, asked.call).await;
    assert!(
        !entries
            .iter()
            .any(|entry| matches!(entry, Entry::Attachment(_)))
    );
    running.stop().await;
    outcome.detail.unwrap()
}

#[tokio::test]
async fn what_cannot_be_had_is_said_and_why() {
    let failed = json!({"state": "failed", "reason": "this camera was off"});
    let why = why_not(Video::new(&[failed], &[b""]), &clip(), OutcomeState::Failed).await;
    assert_eq!(why, "this camera was off");

    let large = json!({"state": "ready", "bytes": u64::from(ATTACHMENT_BYTES_MAX) + 1});
    let why = why_not(Video::new(&[large], &[b""]), &clip(), OutcomeState::Failed).await;
    assert!(
        why.contains("too large") && why.contains("shorter window"),
        "{why}"
    );

    let long = vec![0; ATTACHMENT_BYTES_MAX as usize + 1];
    let unsaid = Video::new(&[json!({"state": "ready"})], &[&long]);
    let why = why_not(unsaid, &clip(), OutcomeState::Failed).await;
    assert!(why.contains("too large"), "{why}");

    let no = Video {
        to_question: (StatusCode::FORBIDDEN, json!({"error": "not this agency"})),
        ..Video::new(&[json!({})], &[b""])
    };
    let why = why_not(no, &clip(), OutcomeState::Refused).await;
    assert_eq!(why, "it answered 403: not this agency");

    let odd = Video {
        to_question: (StatusCode::OK, json!({"id": "../../etc"})),
        ..Video::new(&[json!({})], &[b""])
    };
    let why = why_not(odd, &clip(), OutcomeState::Failed).await;
    assert!(why.starts_with("its answer does not fit"), "{why}");

    let away = Video {
        to_question: (StatusCode::FOUND, json!({})),
        ..Video::new(&[json!({})], &[b""])
    };
    let why = why_not(away, &clip(), OutcomeState::Failed).await;
    assert_eq!(why, "it answered 302");

    let why = why_not(
        Video::new(&[json!({})], &[b""]),
        "Ramp 4",
        OutcomeState::Failed,
    )
    .await;
    assert!(why.starts_with("wanted: CAMERA @ FROM/TO"), "{why}");
}

#[tokio::test]
async fn a_center_without_a_video_system_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let running = center(folder.path(), None).await;
    let asked = ask_for(&running, &clip()).await;
    let outcome = until(&running, &asked, OutcomeState::Refused).await;
    assert_eq!(outcome.detail.unwrap(), "this center has no video system");
    running.stop().await;
}

#[tokio::test]
async fn what_does_not_fit_its_hash_is_fetched_again_and_in_the_end_given_up() {
    let folder = tempfile::tempdir().unwrap();
    let (video, config) = Video::new(&[ready(b"film")], &[b"fi", b"film"])
        .start()
        .await;
    let running = center(folder.path(), Some(config)).await;
    let asked = ask_for(&running, &clip()).await;
    let retrying = until(&running, &asked, OutcomeState::Retrying).await;
    assert!(retrying.detail.unwrap().contains("does not fit the hash"));
    until(&running, &asked, OutcomeState::Answered).await;
    assert_eq!(*video.fetched.lock().unwrap(), 2);
    running.stop().await;

    let folder = tempfile::tempdir().unwrap();
    let (_, config) = Video::new(&[ready(b"film")], &[b"fi"]).start().await;
    let running = center(folder.path(), Some(config)).await;
    let asked = ask_for(&running, &clip()).await;
    until(&running, &asked, OutcomeState::Retrying).await;
    // As after all the failures that there may be.
    let last = |ledger: &mut crate::log::Ledger<'_>| {
        let sql = "UPDATE clips SET failures = ?1, due_ms = 1 WHERE due_ms IS NOT NULL";
        ledger.sql().execute(sql, [FAILURES_MAX])?;
        Ok::<_, LogError>(())
    };
    running.center.log.write(last).await.unwrap();
    let failed = until(&running, &asked, OutcomeState::Failed).await;
    assert!(failed.detail.unwrap().contains("does not fit the hash"));
    running.stop().await;
}

#[tokio::test]
async fn one_call_asks_for_so_many_recordings_and_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let (_, config) = Video::new(&[json!({"state": "pending"})], &[b""])
        .start()
        .await;
    let running = center(folder.path(), Some(config)).await;
    let mut last = ask_for(&running, &clip()).await;
    for _ in 0..PER_CALL_MAX {
        last = ask_for(&running, &clip()).await;
    }
    let outcome = until(&running, &last, OutcomeState::Refused).await;
    assert!(outcome.detail.unwrap().contains("is the most"));
    running.stop().await;
}

#[test]
fn a_window_is_read_as_it_is_written_and_has_its_bounds() {
    let request =
        Request::parse("Ramp @ 4 @ 2026-11-28T18:00:00Z/2026-11-28T12:15:00-06:00").unwrap();
    assert_eq!(request.camera, "Ramp @ 4");
    assert_eq!(Request::parse(&request.value()).unwrap(), request);
    for bad in [
        "Ramp 4 @ 2026-11-28T18:00:00Z/2026-11-28T18:15:01Z",
        "Ramp 4 @ 2026-11-28T18:00:00Z/2026-11-28T18:00:00Z",
        "Ramp 4 @ 2026-11-28T18:00:00/2026-11-28T18:01:00",
        " @ 2026-11-28T18:00:00Z/2026-11-28T18:01:00Z",
        "Ramp 4",
    ] {
        assert!(Request::parse(bad).is_err(), "{bad}");
    }
}
