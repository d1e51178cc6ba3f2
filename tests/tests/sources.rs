//! The center's sources over real sockets: what becomes of each answer, good or bad, and
//! of an officer's query.

#![allow(clippy::unwrap_used)]

use forerunner_tests::{Manner, TestCenter, TestDevice, TestSource, until};
use packet::{CallId, Entry, EntryId, Finding, Outcome, OutcomeState, QueryWhat};
use serde_json::json;

const NOTHING: &str = "{}";
const TWO_INCIDENTS: &str = r#"{"incidents": [
    {"number": "17-1", "date": "2017-03-02", "nature": "BATTERY", "outcome": "arrest"},
    {"number": "17-9", "date": "2017-05-02", "nature": "TRESPASS", "outcome": ""}]}"#;
const VEHICLE: &str = r#"{"plate": "ABC123", "state": "WI", "make": "Ford", "model": "F-150",
    "year": 2011, "color": "red", "registered_owner": "A. PERSON", "status": "valid",
    "recorded": "2018-01-01"}"#;

/// A source of records, with these fields besides.
fn records(name: &str, source: &TestSource, more: &str) -> String {
    let url = source.url("/records?address={address}");
    format!(
        "\n[[sources]]\nname = \"{name}\"\nasks = \"address\"\ngives = \"records\"\n\
         http = {{ url = \"{url}\" }}\n{more}\n"
    )
}

fn vehicles(name: &str, source: &TestSource, more: &str) -> String {
    let url = source.url("/vehicles?plate={plate}&state={state}&purpose={purpose}&why={reason}");
    format!(
        "\n[[sources]]\nname = \"{name}\"\nasks = \"plate\"\ngives = \"registration\"\n\
         http = {{ url = \"{url}\" }}\n{more}\n"
    )
}

async fn outcomes(center: &TestCenter, call: CallId) -> Vec<(u64, Outcome)> {
    let entries = center.entries(call).await;
    let outcomes = entries.into_iter().filter_map(|logged| match logged.entry {
        Entry::Outcome(outcome) => Some((logged.seq, outcome)),
        _ => None,
    });
    outcomes.collect()
}

async fn findings(center: &TestCenter, call: CallId) -> Vec<Finding> {
    let entries = center.entries(call).await;
    let findings = entries.into_iter().filter_map(|logged| match logged.entry {
        Entry::Finding(finding) => Some(finding),
        _ => None,
    });
    findings.collect()
}

fn is_last(outcome: &Outcome) -> bool {
    !matches!(outcome.state, OutcomeState::Asked | OutcomeState::Retrying)
}

/// The last word of a source on a call.
async fn last_word(center: &TestCenter, call: CallId, source: &str) -> Outcome {
    until(&format!("{source} has its last word"), async || {
        let all = outcomes(center, call).await;
        let of_source = all
            .into_iter()
            .filter(|(_, o)| o.source == source && is_last(o));
        of_source.map(|(_, outcome)| outcome).next_back()
    })
    .await
}

/// … that answers a query.
async fn answer_to(center: &TestCenter, call: CallId, source: &str, query: EntryId) -> Outcome {
    until(&format!("{source} answers the query"), async || {
        let all = outcomes(center, call).await;
        all.into_iter()
            .map(|(_, outcome)| outcome)
            .find(|o| o.source == source && o.answers == Some(query) && is_last(o))
    })
    .await
}

/// Times that end a test soon, for who is asked again and again in vain. A machine that
/// halts for a second in between still asks twice.
const SHORT: &str = "timeout_ms = 1500\ndeadline_ms = 5000";
/// Who that is.
const AGAIN: [&str; 6] = [
    "Garbage",
    "Endless head",
    "Closes",
    "Silent",
    "Trickles",
    "Broken",
];

#[tokio::test]
async fn each_kind_of_bad_source_has_its_stated_outcome() {
    let elsewhere = TestSource::start(Manner::answers(TWO_INCIDENTS)).await;
    let trusted = TestSource::start_tls(Manner::answers(TWO_INCIDENTS)).await;
    let stranger = TestSource::start_tls(Manner::answers(TWO_INCIDENTS)).await;
    let deep = format!("{}1{}", "[".repeat(100_000), "]".repeat(100_000));
    let bad = [
        (
            "Garbage",
            Manner::Garbage,
            OutcomeState::Failed,
            "it cannot be reached",
        ),
        (
            "No JSON",
            Manner::answers("<html>"),
            OutcomeState::Failed,
            "its answer is no JSON",
        ),
        (
            "Deep",
            Manner::answers(deep),
            OutcomeState::Failed,
            "its answer is no JSON: recursion limit",
        ),
        (
            "Unfit",
            Manner::answers(r#"{"incidents": 7}"#),
            OutcomeState::Failed,
            "its answer does not fit",
        ),
        (
            "Endless",
            Manner::Endless,
            OutcomeState::Failed,
            "its answer is over 262144 bytes",
        ),
        (
            "Endless head",
            Manner::EndlessHead,
            OutcomeState::Failed,
            "it cannot be reached",
        ),
        (
            "No body",
            Manner::status(200),
            OutcomeState::Failed,
            "its answer is no JSON",
        ),
        (
            "Closes",
            Manner::Closes,
            OutcomeState::Failed,
            "it cannot be reached",
        ),
        (
            "Silent",
            Manner::Silent,
            OutcomeState::TimedOut,
            "no answer in",
        ),
        (
            "Redirects",
            Manner::Redirects {
                to: elsewhere.url("/"),
            },
            OutcomeState::Failed,
            "it sends elsewhere (302), which is not followed",
        ),
        (
            "Trickles",
            Manner::Trickles {
                body: TWO_INCIDENTS.into(),
            },
            OutcomeState::TimedOut,
            "no answer in",
        ),
        (
            "Broken",
            Manner::status(500),
            OutcomeState::Failed,
            "it answered 500",
        ),
        (
            "Forbids",
            Manner::status(403),
            OutcomeState::Refused,
            "it answered 403",
        ),
        (
            "Puzzled",
            Manner::status(400),
            OutcomeState::Failed,
            "it answered 400",
        ),
        ("Empty", Manner::status(404), OutcomeState::NothingFound, ""),
        (
            "Never ends",
            Manner::answers(NOTHING),
            OutcomeState::Failed,
            "its mapping did not end",
        ),
    ];
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("endless.jq"), "def f: f; f").unwrap();
    let certificate = trusted.certificate.clone().unwrap();
    std::fs::write(dir.path().join("trusted.pem"), certificate).unwrap();
    let mut servers = Vec::new();
    let mut more = String::new();
    for (name, manner, ..) in &bad {
        let server = TestSource::start(manner.clone()).await;
        let times = if AGAIN.contains(name) { SHORT } else { "" };
        let mut section = records(name, &server, times);
        if *name == "Never ends" {
            section = section.replace("gives = \"records\"", "mapping = \"endless.jq\"");
        }
        more.push_str(&section);
        servers.push(server);
    }
    for (name, server) in [("Trusted", &trusted), ("Stranger", &stranger)] {
        let section = records(name, server, "");
        more.push_str(&section.replace("\" }", "\", ca = \"trusted.pem\" }"));
    }
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    let center = TestCenter::start_in(dir, address, &more).await;
    let call = center.api.call("26-1", &[]).await;
    for (name, _, state, detail) in &bad {
        let outcome = last_word(&center, call, name).await;
        let said = outcome.detail.unwrap_or_default();
        assert_eq!(outcome.state, *state, "{name}: {said}");
        assert!(said.starts_with(detail), "{name}: {said}");
        assert!(!said.contains("127.0.0.1"), "{name}: {said}");
    }
    let outcome = last_word(&center, call, "Stranger").await;
    assert_eq!(outcome.state, OutcomeState::Failed);
    let said = outcome.detail.unwrap();
    assert!(said.starts_with("its certificate does not hold"), "{said}");
    let outcome = last_word(&center, call, "Trusted").await;
    assert_eq!(outcome.state, OutcomeState::Answered);
    assert_eq!(findings(&center, call).await.len(), 1);
    assert_eq!(elsewhere.asked(), 0, "no redirect is followed");
    assert_eq!(
        stranger.asked(),
        0,
        "nothing is asked of who cannot say who it is"
    );
    // What was offered without end was taken to the limit and no further: the rest lies in
    // the system's own buffers.
    for ((name, ..), server) in bad.iter().zip(&servers) {
        let of_one = server.bytes_sent() / server.asked() as u64;
        assert!(of_one < 64 * 1024 * 1024, "{name}: {of_one} bytes");
    }
    // Each failure that might pass was tried again, no other was.
    for (name, server) in bad.iter().map(|(name, ..)| *name).zip(&servers) {
        let again = AGAIN.contains(&name);
        assert_eq!(server.asked() > 1, again, "{name}: {}", server.asked());
    }
}

#[tokio::test]
async fn sources_that_hang_hold_nobody_else_up() {
    let good = TestSource::start(Manner::answers(TWO_INCIDENTS)).await;
    let mut more = records("Good", &good, "cache_s = 0");
    let mut silent = Vec::new();
    for number in 0..5 {
        let source = TestSource::start(Manner::Silent).await;
        let slow = "timeout_ms = 60000\ndeadline_ms = 600000\ncache_s = 0\nin_flight = 64";
        more.push_str(&records(&format!("Silent {number}"), &source, slow));
        silent.push(source);
    }
    let center = TestCenter::start_with(&more).await;
    let mut calls = Vec::new();
    for number in 0..100 {
        let body = json!({
            "agency": forerunner_tests::AGENCY, "number": format!("26-{number}"),
            "nature": "TRESPASS", "location": format!("{number} N MAIN ST"),
        });
        let answer = center.api.post("/v1/calls", &body).await.unwrap();
        calls.push(answer.call_id());
    }
    for call in &calls {
        let outcome = last_word(&center, *call, "Good").await;
        assert_eq!(outcome.state, OutcomeState::Answered);
    }
    assert_eq!(good.asked(), 100);
    for source in &silent {
        assert!(
            (1..100).contains(&source.asked()),
            "bounded: {}",
            source.asked()
        );
    }
    for call in calls {
        let all = outcomes(&center, call).await;
        let hung = all.iter().filter(|(_, o)| o.source.starts_with("Silent"));
        assert!(hung.clone().all(|(_, outcome)| !is_last(outcome)));
    }
}

#[tokio::test]
async fn the_same_question_for_two_calls_is_asked_once_and_says_how_old_the_answer_is() {
    let source = TestSource::start(Manner::answers(TWO_INCIDENTS)).await;
    let center = TestCenter::start_with(&records("Records", &source, "")).await;
    let first = center.api.call("26-1", &[]).await;
    last_word(&center, first, "Records").await;
    let second = center.api.call("26-2", &[]).await;
    last_word(&center, second, "Records").await;
    assert_eq!(source.asked(), 1);
    for call in [first, second] {
        let found = findings(&center, call).await;
        assert!(found.iter().any(|f| f.source == "Records"), "{found:?}");
    }
    // The answer is the first one's, and so is its time.
    let answered = |found: Vec<Finding>| {
        let of_source = found.into_iter().find(|f| f.source == "Records");
        of_source.unwrap().answered_ms
    };
    let times = [first, second].map(|call| findings(&center, call));
    let [one, two] = times;
    assert_eq!(answered(one.await), answered(two.await));
}

#[tokio::test]
async fn a_source_that_comes_back_is_asked_again_and_answers() {
    let source = TestSource::start(Manner::status(503)).await;
    let center = TestCenter::start_with(&records("Records", &source, "")).await;
    let call = center.api.call("26-1", &[]).await;
    let retrying = until("it says that it is asked again", async || {
        let all = outcomes(&center, call).await;
        all.into_iter()
            .map(|(_, outcome)| outcome)
            .find(|outcome| outcome.state == OutcomeState::Retrying)
    })
    .await;
    assert_eq!(retrying.detail.as_deref(), Some("it answered 503"));
    source.behave(Manner::answers(TWO_INCIDENTS));
    let outcome = last_word(&center, call, "Records").await;
    assert_eq!(outcome.state, OutcomeState::Answered);
    assert!(outcome.took_ms.unwrap() > 0);
}

#[tokio::test]
async fn a_query_written_without_a_link_is_answered_at_the_first_contact() {
    let dmv = TestSource::start(Manner::answers(VEHICLE)).await;
    let strict = TestSource::start(Manner::answers(VEHICLE)).await;
    let more = [
        vehicles("Vehicles", &dmv, "reason = true\nautomatic = false"),
        vehicles(
            "Employers",
            &strict,
            "purposes = [\"J\"]\nautomatic = false",
        ),
    ];
    let center = TestCenter::start_with(&more.concat()).await;
    let officer = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let purposes = officer.core.shift().unwrap().purposes;
    assert_eq!(
        purposes[0].code, "C",
        "the device knows what a query may be for"
    );
    let call = center.api.call("26-1", &["1A1"]).await;
    officer.packet(call, |packet| packet.facts.is_some()).await;
    officer.cut().await;
    let core = &officer.core;
    let ask = |what, value, purpose, reason| core.add_query(call, what, value, purpose, reason);
    // What cannot be asked is said at once, with no link.
    for (value, purpose, says) in [
        ("not a plate!", "C", "value: a plate"),
        ("ABC123", "Z", "purpose: one of C, F, J"),
    ] {
        let error = ask(QueryWhat::Plate, value, Some(purpose), None)
            .await
            .unwrap_err();
        assert!(error.to_string().contains(says), "{error}");
    }
    let why = Some("left the scene of a battery");
    let query = ask(QueryWhat::Plate, "abc-123 wi", Some("C"), why)
        .await
        .unwrap();
    let unreasoned = ask(QueryWhat::Plate, "XYZ987", Some("C"), None)
        .await
        .unwrap();
    let phone = ask(QueryWhat::Phone, "414-555-0137", None, None)
        .await
        .unwrap();
    assert_eq!(dmv.asked(), 0);
    officer.core.set_link(true);
    let has_answer = |packet: &mobile_core::Packet| {
        packet
            .entries
            .iter()
            .any(|entry| match &entry.written.entry {
                Entry::Finding(finding) => finding.answers.is_some(),
                _ => false,
            })
    };
    let packet = officer.packet(call, has_answer).await;
    let found = packet
        .entries
        .iter()
        .find_map(|entry| match &entry.written.entry {
            Entry::Finding(finding) if finding.answers.is_some() => Some(finding.clone()),
            _ => None,
        });
    let found = found.unwrap();
    assert_eq!(
        (found.source.as_str(), found.title.as_str()),
        ("Vehicles", "Plate ABC123 WI")
    );
    assert_eq!(found.query, "ABC123 WI");
    assert_eq!(found.answers, Some(query));

    let outcome = answer_to(&center, call, "Vehicles", query).await;
    assert_eq!(outcome.state, OutcomeState::Answered);
    let refused = answer_to(&center, call, "Employers", query).await;
    assert_eq!(refused.state, OutcomeState::Refused);
    let said = refused.detail.unwrap();
    assert_eq!(said, "it is not asked for purpose C: only for J");
    let refused = answer_to(&center, call, "Vehicles", unreasoned).await;
    assert_eq!(refused.detail.as_deref(), Some("it wants a reason"));
    let nobody = answer_to(&center, call, "This center", phone).await;
    assert_eq!(nobody.state, OutcomeState::Refused);
    let said = nobody.detail.unwrap();
    assert_eq!(said, "no agency's source is asked about: phone");

    assert_eq!((dmv.asked(), strict.asked()), (1, 0));
    let asked = &dmv.questions().await[0];
    let wanted = "/vehicles?plate=ABC123&state=WI&purpose=C&why=left%20the%20scene";
    assert!(asked.contains(wanted), "{asked}");
    let on_record = center.asked_of_sources().await;
    let line = |says: &[&str]| {
        on_record.iter().any(|(who, _, detail)| {
            who == "Diaz (1A1)" && says.iter().all(|word| detail.contains(word))
        })
    };
    let why = "purpose C; reason: left the scene of a battery";
    assert!(line(&["Vehicles: asked about plate", why]), "{on_record:?}");
    assert!(line(&[
        "Vehicles: answered: 1 findings, 0 cautions about plate",
        why
    ]));
    assert!(line(&[
        "Employers: not asked: it is not asked for purpose C: only for J about plate"
    ]));
    assert!(!format!("{on_record:?}").contains("ABC123"));
}

#[tokio::test]
async fn an_analysts_query_is_checked_asked_and_kept_with_its_purpose() {
    let dmv = TestSource::start(Manner::answers(VEHICLE)).await;
    let more = vehicles("Vehicles", &dmv, "automatic = false");
    let center = TestCenter::start_with(&more).await;
    let call = center.api.call("26-1", &[]).await;
    let path = format!("/calls/{call}/queries");
    for (form, says) in [
        (
            "what=plate&value=%21&purpose=C&reason=",
            "a plate of 2 to 8",
        ),
        (
            "what=plate&value=ABC123&purpose=Z&reason=",
            "one of C, F, J",
        ),
        (
            "what=shoe&value=ABC123&purpose=C&reason=",
            "could not read this",
        ),
    ] {
        let answer = center.api.raw_form(&path, form).await.unwrap();
        assert_eq!(answer.status, 422, "{form}: {answer:?}");
        assert!(answer.text.contains(says), "{form}: {}", answer.text);
    }
    let form = "what=plate&value=abc123+wi&purpose=F&reason=seen+at+the+door";
    let answer = center.api.raw_form(&path, form).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    let outcome = last_word(&center, call, "Vehicles").await;
    assert_eq!(outcome.state, OutcomeState::Answered);
    let query = center
        .entries(call)
        .await
        .into_iter()
        .find_map(|logged| match logged.entry {
            Entry::Query(query) => Some(query),
            _ => None,
        });
    let query = query.unwrap();
    assert_eq!(query.value, "ABC123 WI");
    assert_eq!(query.purpose.as_deref(), Some("F"));
    assert_eq!(query.reason.as_deref(), Some("seen at the door"));
}

#[tokio::test]
async fn what_was_asked_when_the_center_stopped_is_asked_after_its_start() {
    let dmv = TestSource::start(Manner::Silent).await;
    let rms = TestSource::start(Manner::Silent).await;
    let slow = "timeout_ms = 60000\ndeadline_ms = 600000";
    let more = [
        vehicles("Vehicles", &dmv, &format!("automatic = false\n{slow}")),
        records("Records", &rms, slow),
    ];
    let mut center = TestCenter::start_with(&more.concat()).await;
    let officer = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    officer.packet(call, |packet| packet.facts.is_some()).await;
    let query = officer
        .core
        .add_query(call, QueryWhat::Plate, "ABC123 WI", None, None)
        .await
        .unwrap();
    until("both have been asked", async || {
        (dmv.asked() == 1 && rms.asked() == 1).then_some(())
    })
    .await;
    center.stop().await;
    dmv.behave(Manner::answers(VEHICLE));
    rms.behave(Manner::answers(TWO_INCIDENTS));
    center.start_again().await;
    let outcome = answer_to(&center, call, "Vehicles", query).await;
    assert_eq!(outcome.state, OutcomeState::Answered);
    let outcome = last_word(&center, call, "Records").await;
    assert_eq!(outcome.state, OutcomeState::Answered);
    assert_eq!((dmv.asked(), rms.asked()), (2, 2));
    // What has its last word is not asked once more.
    center.stop().await;
    center.start_again().await;
    let again = center.api.call("26-2", &[]).await;
    last_word(&center, again, "Records").await;
    assert_eq!(dmv.asked(), 2);
    assert_eq!(
        outcomes(&center, call)
            .await
            .iter()
            .filter(|(_, o)| is_last(o) && o.source == "Records")
            .count(),
        1
    );
}

#[tokio::test]
async fn a_question_is_posted_as_its_section_says_and_its_secret_is_shown_nowhere() {
    let source = TestSource::start(Manner::answers(
        "<rap><row no=\"7\"><name>DOE, JANE</name></row></rap>",
    ))
    .await;
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("token"), "hunter2\n").unwrap();
    let mapping = ".rap.row[] | {title: \"\\(child(\"name\")), no. \\(.[\"@no\"])\", topic: \"person\", confidence: \"phonetic\"}";
    std::fs::write(dir.path().join("rap.jq"), mapping).unwrap();
    let more = format!(
        "\n[[sources]]\nname = \"Rap sheets\"\nasks = \"person\"\nmapping = \"rap.jq\"\n\
         secret = {{ file = \"token\" }}\n\
         http = {{ url = \"{}\", format = \"xml\", content_type = \"text/xml\", \
         body = \"<q token='{{secret}}'><last>{{last}}</last><why>{{purpose}}</why></q>\", \
         headers = {{ authorization = \"Bearer {{secret}}\" }} }}\n",
        source.url("/soap")
    );
    let address = std::net::Ipv4Addr::LOCALHOST.into();
    let center = TestCenter::start_in(dir, address, &more).await;
    let officer = TestDevice::on_duty(&center.api, "101", "1A1").await;
    let call = center.api.call("26-1", &["1A1"]).await;
    officer.packet(call, |packet| packet.facts.is_some()).await;
    let query = officer
        .core
        .add_query(call, QueryWhat::Person, "O'Doe & Sons, Jane", None, None);
    assert!(query.await.is_err(), "no name has that sign");
    let query = officer
        .core
        .add_query(call, QueryWhat::Person, "O'Doe, Jane", None, None)
        .await
        .unwrap();
    let outcome = answer_to(&center, call, "Rap sheets", query).await;
    assert_eq!(outcome.state, OutcomeState::Answered, "{outcome:?}");
    let found = findings(&center, call).await;
    assert_eq!(found[0].title, "DOE, JANE, no. 7");
    assert_eq!(found[0].confidence, packet::Confidence::Phonetic);
    let asked = &source.questions().await[0];
    assert!(asked.starts_with("POST /soap "), "{asked}");
    assert!(asked.contains("authorization: Bearer hunter2"), "{asked}");
    let body = "<q token='hunter2'><last>O&apos;DOE</last><why>C</why></q>";
    assert!(asked.ends_with(body), "{asked}");
    let said = format!(
        "{:?}{:?}",
        center.entries(call).await,
        center.asked_of_sources().await
    );
    assert!(!said.contains("hunter2"));
    assert!(!format!("{:?}", center.center().config).contains("hunter2"));
}
