#![allow(clippy::unwrap_used)]

use packet::{Confidence, Topic};

use super::*;

fn plate() -> Subject {
    Subject::Plate {
        plate: "ABC123".into(),
        state: Some("WI".into()),
    }
}

fn labels() -> Labels {
    Labels {
        source: "Records".into(),
        confidence: Confidence::Exact,
    }
}

async fn map_by(mapping: &Mapping, answer: &str) -> Result<Brings, String> {
    let answer = serde_json::from_str(answer).unwrap();
    let mapper = Mapper::default();
    mapper.map(mapping, answer, &plate(), &labels()).await
}

async fn map(gives: Gives, answer: &str) -> Result<Brings, String> {
    map_by(&Mapping::built_in(gives).unwrap(), answer).await
}

async fn map_with(program: &str, answer: &str) -> Result<Brings, String> {
    map_by(&Mapping::compile("test.jq", program).unwrap(), answer).await
}

#[tokio::test]
async fn records_bring_cautions_and_one_finding() {
    let brings = map(
        Gives::Records,
        r#"{"address":"1 A ST","incidents":[{"number":"17-1","date":"2017-03-02","nature":"BATTERY","outcome":"arrest"}],
            "cautions":[{"text":"Large dog in the yard","set_by":"Unit 4A12","date":"2017-05-01"}]}"#,
    )
    .await
    .unwrap();
    assert_eq!(brings.findings[0].title, "1 prior incident");
    assert_eq!(brings.findings[0].text, "2017-03-02 17-1 BATTERY arrest");
    assert_eq!(brings.findings[0].recorded_ms, Some(1_488_412_800_000));
    assert_eq!(brings.cautions[0].by, "Records: Unit 4A12, 2017-05-01");
    assert_eq!(map(Gives::Records, "{}").await.unwrap(), Brings::default());
}

#[tokio::test]
async fn a_stolen_plate_is_a_caution_and_a_lead() {
    let brings = map(
        Gives::Registration,
        r#"{"plate":"ABC123","state":"WI","make":"Ford","model":"F-150","year":2011,"color":"red",
            "registered_owner":"A. Person","status":"stolen","recorded":"2018-01-01"}"#,
    )
    .await
    .unwrap();
    assert!(brings.cautions[0].text.contains("a lead to verify"));
    assert!(brings.findings[0].text.contains("2011 red Ford F-150"));
    assert_eq!(brings.findings[0].topic, Topic::Stolen);
}

#[tokio::test]
async fn cameras_bring_the_nearest_four_each_with_its_stream() {
    let camera = |number: u32| {
        format!(
            r#"{{"name":"Pole {number}","distance_m":{number}.6,"direction":"N","stream":"rtsp://c.example/{number}"}}"#
        )
    };
    let all: Vec<String> = (1..=6).map(camera).collect();
    let brings = map(
        Gives::Cameras,
        &format!(r#"{{"cameras":[{}]}}"#, all.join(",")),
    )
    .await
    .unwrap();
    assert_eq!(brings.findings.len(), 4);
    let first = &brings.findings[0];
    assert_eq!(first.text, "2 m away, facing N");
    assert_eq!(first.link.as_deref(), Some("rtsp://c.example/1"));
    assert_eq!(
        (first.topic, first.confidence),
        (Topic::Camera, Confidence::Nearby)
    );
}

#[tokio::test]
async fn a_wanted_person_who_only_sounds_alike_is_a_lead_and_warns_nobody() {
    let answer = r#"{"persons":[{"name":"DOE, JANE","born":"1984-05-03","description":"F, 5'6\"","wanted_for":"robbery",
            "cautions":["known to carry a knife"],"matched":"exact","recorded":"2018-01-01T10:00:00Z"}]}"#;
    let exact = map(Gives::Persons, answer).await.unwrap();
    assert_eq!(exact.cautions.len(), 2);
    let brings = map(Gives::Persons, &answer.replace("exact", "phonetic")).await;
    let brings = brings.unwrap();
    assert_eq!(brings.cautions, []);
    let text = &brings.findings[0].text;
    assert!(
        text.contains("Caution on file: known to carry a knife"),
        "{text}"
    );
    assert!(text.contains("Wanted: robbery"), "{text}");
    assert_eq!(brings.findings[0].confidence, Confidence::Phonetic);
    assert_eq!(brings.findings[0].topic, Topic::Wanted);
    assert_eq!(brings.findings[0].title, "DOE, JANE born 1984-05-03");
}

#[tokio::test]
async fn a_subscriber_and_rows_read_plainly() {
    let brings = map(
        Gives::Subscriber,
        r#"{"phone":"4145550137","subscriber":"A. PERSON","address":"1 A ST","recorded":"2018-01-01"}"#,
    )
    .await
    .unwrap();
    assert_eq!(
        brings.findings[0].text,
        "Subscriber: A. PERSON\nAddress: 1 A ST"
    );
    let brings = map(
        Gives::Rows,
        r#"[{"title":"Permit 7","holder":"A. PERSON","topic":"weapon","year":2011,"note":null}]"#,
    )
    .await
    .unwrap();
    assert_eq!(brings.findings[0].title, "Permit 7");
    assert_eq!(brings.findings[0].text, "holder: A. PERSON\nyear: 2011");
    assert_eq!(brings.findings[0].topic, Topic::Weapon);
    let brings = map(Gives::Rows, r#"[{"BAIL":"$500","NAME":"DOE"}]"#).await;
    let untitled = &brings.unwrap().findings[0];
    assert_eq!(untitled.title, plate().shown());
    assert_eq!(untitled.text, "BAIL: $500\nNAME: DOE");
    assert!(map(Gives::Rows, "[]").await.unwrap().is_nothing());
}

#[tokio::test]
async fn an_answer_that_does_not_fit_is_said_so() {
    for (gives, answer) in [
        (Gives::Cameras, "{}"),
        (Gives::Cameras, "[1]"),
        (Gives::Cameras, r#"{"cameras":3}"#),
        (Gives::Records, r#"{"incidents":[{"number":"1"}]}"#),
        (Gives::Registration, r#"{"plate":"ABC123"}"#),
        (Gives::Persons, r#"{"persons":[{}]}"#),
        (Gives::Subscriber, "[]"),
        (Gives::Rows, "7"),
    ] {
        let why = map(gives, answer).await.unwrap_err();
        assert!(
            why.starts_with("its answer does not fit"),
            "{gives:?} {answer}: {why}"
        );
    }
    for output in [
        "1",
        "{}",
        "{titel: 1}",
        "{title: \"\"}",
        "{title: \"a\", caution: \"b\"}",
        "{title: \"a\", topic: \"x\"}",
    ] {
        let why = map_with(output, "{}").await.unwrap_err();
        assert!(why.starts_with("its mapping gives"), "{output}: {why}");
    }
}

#[tokio::test]
async fn what_is_too_long_or_too_much_is_cut_and_counted_and_no_link_runs_anything() {
    let program = r#"range(20) | {title: "\(.)\($asked.plate)", text: ("x" * 3000), recorded: "some day", link: "javascript:x"}"#;
    let brings = map_with(program, "{}").await.unwrap();
    assert_eq!((brings.findings.len(), brings.left_out), (8, 12));
    let finding = &brings.findings[0];
    assert_eq!(finding.title, "0ABC123");
    assert_eq!(finding.text.chars().count(), packet::entry::TEXT_CHARS_MAX);
    assert_eq!((finding.recorded_ms, &finding.link), (None, &None));
    let brings = map_with(r#"{title: "a", recorded: "some day"}"#, "{}")
        .await
        .unwrap();
    assert_eq!(brings.findings[0].text, "Recorded: \"some day\"");
}

#[test]
fn a_program_that_is_wrong_says_where() {
    for (program, says) in [
        ("{title: }", "line 1"),
        (".a\n| .b |", "line 2"),
        (
            ".a | nosuch",
            "line 1, column 6, at \u{201c}nosuch\u{201d}: there is no such filter",
        ),
        ("$nosuch", "there is no such variable"),
        ("\"abc", "test.jq"),
        // What reaches outside is not there.
        ("env", "there is no such filter"),
        ("now", "there is no such filter"),
        ("input", "there is no such filter"),
        ("halt", "there is no such filter"),
        ("debug", "there is no such filter"),
    ] {
        let error = Mapping::compile("test.jq", program).unwrap_err();
        assert!(error.contains(says), "{program}: {error}");
    }
}

#[tokio::test]
async fn a_program_that_never_ends_is_ended_and_says_so() {
    for (program, says) in [
        ("def f: f; f", "did not end"),
        ("until(false; .)", "did not end"),
        ("def f: 1 + f; f", "calls itself too deeply"),
        ("def f: [f]; f", "calls itself too deeply"),
        ("[range(1e18)] | length", "did not end"),
        ("last(range(1e18))", "did not end"),
        ("[limit(1e18; repeat(1))]", "did not end"),
        // Caught by no try.
        ("def f: try f catch f; f", "calls itself too deeply"),
        ("def f: (try error catch .) | f; f", "did not end"),
        ("reduce range(1e9) as $i (0; [.])", "did not end"),
        ("recurse([.])", "too deep"),
        ("{title: [range(100000)]}", "too much"),
        ("range(100000) | {title: \"a\"}", "gives over"),
        ("(\"[\" * 100000) | fromjson", "does not fit"),
        ("error(\"not today\")", "does not fit: not today"),
    ] {
        let why = map_with(program, "{}").await.unwrap_err();
        assert!(why.contains(says), "{program}: {why}");
    }
}
