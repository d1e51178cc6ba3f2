#![allow(clippy::unwrap_used)]

use packet::{Mention, MentionWhat};

use super::*;
use crate::intake::{CallReport, CallStatus};
use crate::search::tests::{Bench, note, report};

/// 2026-11-28, noon.
const NOW_MS: i64 = 1_795_867_200_000;

/// So far to the north and east of one corner.
fn placed(number: i64, nature: &str, location: &str, north_m: f64, east_m: f64) -> CallReport {
    CallReport {
        latitude: Some(43.0 + north_m / 111_320.0),
        longitude: Some(-88.0 + east_m / (111_320.0 * 43.0_f64.to_radians().cos())),
        ..report(number, nature, location)
    }
}

fn closed(report: CallReport, disposition: &str) -> CallReport {
    CallReport {
        status: CallStatus::Closed {
            disposition: disposition.into(),
        },
        ..report
    }
}

fn opened(bench: &Bench, cameras: &[Camera], call: CallId) -> Vec<Answer> {
    bench.read(|c| ask(c, cameras, call, Question::Opened, None, NOW_MS))
}

fn titles(answer: &Answer) -> Vec<(&str, Confidence)> {
    answer
        .findings
        .iter()
        .map(|finding| (finding.title.as_str(), finding.confidence))
        .collect()
}

/// The query that is answered, where it does not matter which.
const ANY: EntryId = EntryId {
    actor: packet::Actor([7; 8]),
    number: 1,
};

fn plate(value: &str) -> Query {
    Query {
        what: QueryWhat::Plate,
        value: value.into(),
        by: "Diaz (4A12)".into(),
        purpose: None,
        reason: None,
    }
}

#[test]
fn earlier_calls_here_in_the_building_and_near_by_say_what_came_of_them() {
    let mut bench = Bench::new();
    // Received on 1 November: within the 30 days.
    bench.report(closed(
        placed(1, "BATTERY", "5237 N 35TH ST APT 4,MKE", 0.0, 0.0),
        "Arrest made",
    ));
    bench.report(placed(2, "NOISE", "5237 N 35TH ST APT 4", 0.0, 0.0));
    bench.report(closed(placed(3, "NOISE", "5237 N 35TH ST", 0.0, 0.0), ""));
    bench.report(placed(4, "SHOTS FIRED", "5241 N 35TH ST", 60.0, 0.0));
    bench.report(placed(5, "NOISE", "5500 N 35TH ST", 400.0, 0.0));
    let call = bench.report(placed(9, "TROUBLE", "5237 n 35th st apt 4", 0.0, 0.0));
    let answers = opened(&bench, &[], call);
    let earlier = &answers[0];
    assert_eq!(earlier.source, earlier::SOURCE);
    assert_eq!(
        titles(earlier),
        [
            ("2 earlier calls here, 1 with violence", Confidence::Exact),
            (
                "1 earlier call at other units of this building",
                Confidence::Partial
            ),
            (
                "1 earlier call within 100 m in 30 days, 1 with violence",
                Confidence::Nearby
            ),
        ]
    );
    assert_eq!(
        earlier.findings[0].text,
        "2026-11-01 00:02 UTC: NOISE – open now\n2026-11-01 00:01 UTC: BATTERY – Arrest made"
    );
    assert!(earlier.findings[2].text.contains("SHOTS FIRED (60 m N)"));
    assert!(
        earlier
            .findings
            .iter()
            .all(|finding| finding.topic == Topic::Earlier)
    );
    let near = &answers[1];
    assert_eq!(
        titles(near),
        [("3 open calls within 500 m", Confidence::Nearby)]
    );
    assert!(near.findings[0].text.starts_with("at this place: "));
    assert_eq!(answers.len(), 2, "no camera is configured");
}

#[test]
fn what_is_long_ago_is_told_of_this_place_and_not_of_next_door() {
    let mut bench = Bench::new();
    let before = |number| CallReport {
        received: "2024-01-01T00:00:00Z".parse().unwrap(),
        ..closed(placed(number, "NOISE", "1 A ST", 0.0, 0.0), "Advised")
    };
    bench.report(before(1));
    bench.report(CallReport {
        location: "3 A ST".into(),
        ..before(2)
    });
    let call = bench.report(placed(9, "TROUBLE", "1 A ST", 0.0, 0.0));
    let answers = opened(&bench, &[], call);
    assert_eq!(
        titles(&answers[0]),
        [("1 earlier call here", Confidence::Exact)]
    );
    assert_eq!(answers[1].findings, []);
}

#[test]
fn a_place_with_many_calls_is_named_within_bounds() {
    let mut bench = Bench::new();
    for number in 0..40 {
        bench.report(closed(
            placed(number, &"N".repeat(120), "1 A ST", 0.0, 0.0),
            &"D".repeat(200),
        ));
    }
    let call = bench.report(placed(99, "TROUBLE", "1 A ST", 0.0, 0.0));
    let answers = opened(&bench, &[], call);
    assert_eq!(answers[0].findings[0].title, "40 earlier calls here");
    for answer in answers {
        for finding in answer.findings {
            Entry::Finding(finding).check().unwrap();
        }
    }
}

fn mention(what: MentionWhat, value: &str) -> Mention {
    Mention {
        what,
        value: value.into(),
        words: format!("words with {value}"),
        of: None,
    }
}

#[test]
fn the_same_plate_phone_or_person_meets_its_earlier_calls() {
    let mut bench = Bench::new();
    let named = bench.report(closed(report(1, "FIGHT", "1 A ST"), "Report taken"));
    bench.append(named, Entry::Mention(mention(MentionWhat::Plate, "ABC123")));
    bench.append(named, note("John Smith, 414-555-0123"));
    let worded = bench.report(report(2, "STOP", "2 A ST"));
    bench.append(worded, note("a car, plate ABC 123"));
    let call = bench.report(report(3, "STOP", "3 A ST"));
    for (what, value) in [
        (MentionWhat::Plate, "ABC123"),
        (MentionWhat::Phone, "4145550123"),
        (MentionWhat::Person, "SMITH, JOHN"),
        (MentionWhat::Weapon, "KNIFE"),
    ] {
        bench.append(call, Entry::Mention(mention(what, value)));
    }
    let answers = opened(&bench, &[], call);
    let asked: Vec<&str> = answers.iter().map(|answer| answer.query.as_str()).collect();
    assert_eq!(
        asked,
        [
            "3 A ST",
            "plate ABC123",
            "phone 4145550123",
            "person SMITH, JOHN"
        ]
    );
    assert_eq!(
        titles(&answers[1]),
        [
            (
                "1 earlier call with plate ABC123, 1 with violence",
                Confidence::Exact
            ),
            (
                "1 earlier call whose words have plate ABC123",
                Confidence::Partial
            ),
        ]
    );
    assert_eq!(answers[2].findings[0].confidence, Confidence::Partial);
    assert_eq!(answers[3].findings[0].confidence, Confidence::Partial);
    assert!(answers[1].findings[0].text.contains("Report taken"));
    // What was found of other packets is not itself found.
    let written = answers.clone();
    bench
        .write(move |ledger| write(ledger, call, &written))
        .unwrap();
    let elsewhere = bench.report(report(4, "STOP", "4 A ST"));
    let plate = plate("ABC123");
    let there = bench.read(|c| {
        ask(
            c,
            &[],
            elsewhere,
            Question::Asked(ANY, &plate),
            None,
            NOW_MS,
        )
    });
    assert_eq!(
        there[0].findings[0].title,
        "2 earlier calls with plate ABC123, 1 with violence"
    );
    assert!(
        there[0].findings[1]
            .title
            .starts_with("1 earlier call whose words")
    );
}

#[test]
fn what_stands_in_a_closer_kept_compartment_does_not_come_into_the_call() {
    let mut bench = Bench::new();
    let hidden = bench.report(report(1, "STOP", "1 A ST"));
    let intel = DocumentId::new(hidden, Compartment::Intel);
    bench.append_to(intel, note("plate ABC123"));
    let call = bench.report(report(2, "STOP", "2 A ST"));
    let plate = plate("ABC123");
    let answers = bench.read(|c| ask(c, &[], call, Question::Asked(ANY, &plate), None, NOW_MS));
    assert_eq!(answers[0].findings, []);
}

#[test]
fn a_query_is_answered_with_its_own_id_and_written_with_its_outcome() {
    let mut bench = Bench::new();
    bench.report(closed(report(1, "NOISE", "9 Q ST"), "Advised"));
    let call = bench.report(report(2, "STOP", "2 A ST"));
    let query = Query {
        what: QueryWhat::Address,
        value: "9 q st".into(),
        by: "Diaz (4A12)".into(),
        purpose: None,
        reason: None,
    };
    let id = bench.append(call, Entry::Query(query.clone())).id;
    let answers = bench.read(|c| ask(c, &[], call, Question::Asked(id, &query), None, NOW_MS));
    assert_eq!(answers[0].answers, Some(id));
    assert_eq!(answers[0].findings[0].answers, Some(id));
    bench
        .write(move |ledger| write(ledger, call, &answers))
        .unwrap();
    let document = DocumentId::new(call, Compartment::Call);
    let logged = bench.read(|c| crate::log::document(c, document));
    let last = &logged.last().unwrap().inspected.written.entry;
    let Entry::Outcome(outcome) = last else {
        panic!("no outcome: {last:?}");
    };
    assert_eq!(
        (outcome.state, outcome.answers),
        (OutcomeState::Answered, Some(id))
    );
    let unknown = bench.read(|c| ask(c, &[], CallId(5), Question::Opened, None, NOW_MS));
    assert_eq!(unknown, []);
}

fn camera(name: &str, north_m: f64, east_m: f64, direction_deg: f64) -> Camera {
    Camera {
        name: name.into(),
        latitude: 43.0 + north_m / 111_320.0,
        longitude: -88.0 + east_m / (111_320.0 * 43.0_f64.to_radians().cos()),
        direction_deg,
        view_deg: 60.0,
        range_m: 150.0,
        stream: format!("https://cameras.example/{name}"),
    }
}

#[test]
fn cameras_that_look_at_the_place_come_first_by_distance_each_with_its_stream() {
    let mut bench = Bench::new();
    let call = bench.report(placed(1, "TROUBLE", "1 A ST", 0.0, 0.0));
    let cameras = [
        // To the north, facing south: it sees the place.
        camera("north", 100.0, 0.0, 180.0),
        // At the edge of its view, and just beyond it.
        camera("edge", 60.0, 0.0, 151.0),
        camera("beside", 50.0, 0.0, 149.0),
        // Faces across north, so that its view goes over 0 degrees.
        camera("south", -80.0, 0.0, 350.0),
        camera("too far", 0.0, 160.0, 270.0),
        camera("out of reach", 0.0, 400.0, 270.0),
    ];
    let answers = opened(&bench, &cameras, call);
    let cameras = answers
        .iter()
        .find(|a| a.source == cameras::SOURCE)
        .unwrap();
    assert_eq!(
        titles(cameras),
        [
            ("edge", Confidence::Exact),
            ("south", Confidence::Exact),
            ("north", Confidence::Exact),
            ("beside", Confidence::Nearby),
        ]
    );
    let edge = &cameras.findings[0];
    assert_eq!(edge.link.as_deref(), Some("https://cameras.example/edge"));
    assert_eq!(edge.text, "60 m N, faces SE, looks at this place");
    assert_eq!(edge.topic, Topic::Camera);
    assert!(
        cameras.findings[3]
            .text
            .ends_with("does not look at this place")
    );
}

#[test]
fn a_camera_that_cannot_be_is_named_with_what_was_wanted() {
    let good = camera("a", 0.0, 0.0, 0.0);
    good.check().unwrap();
    for (bad, says) in [
        (
            Camera {
                latitude: 91.0,
                ..good.clone()
            },
            "latitude",
        ),
        (
            Camera {
                latitude: f64::NAN,
                ..good.clone()
            },
            "latitude",
        ),
        (
            Camera {
                direction_deg: -1.0,
                ..good.clone()
            },
            "direction_deg",
        ),
        (
            Camera {
                view_deg: 0.0,
                ..good.clone()
            },
            "view_deg",
        ),
        (
            Camera {
                range_m: 0.0,
                ..good.clone()
            },
            "range_m",
        ),
        (
            Camera {
                stream: "javascript:alert(1)".into(),
                ..good.clone()
            },
            "stream",
        ),
        (
            Camera {
                name: " ".into(),
                ..good
            },
            "name",
        ),
    ] {
        let why = bad.check().unwrap_err();
        assert!(why.contains(says), "{why}");
    }
}
