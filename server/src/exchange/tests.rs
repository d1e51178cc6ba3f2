#![allow(clippy::unwrap_used)]

mod schema;

use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use packet::{Caution, Compartment, Correction, Finding, Note, UnitState};
use proptest::prelude::*;
use tower::ServiceExt;

use super::*;
use crate::cads::CadConfig;
use crate::center::{Center, Running};
use crate::config::{AgencyConfig, LimitsConfig};
use crate::identity::KeyExchange;
use crate::log::Happening;

/// A center, and dispatch at its API.
struct Bench {
    running: Running,
    api: Router,
    _folder: tempfile::TempDir,
}

impl Bench {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let any = "127.0.0.1:0".parse().unwrap();
        let running = Center::start(Config {
            name: "Test RTCC".into(),
            data: folder.path().into(),
            sync: any,
            console: any,
            console_tls: false,
            sign_in: crate::people::config::SignInConfig::default(),
            names: vec!["rtcc.example".into()],
            triage: None,
            keep_closed_s: 1_800,
            key_exchange: KeyExchange::default(),
            limits: LimitsConfig::default(),
            agencies: vec![AgencyConfig {
                id: "pd".into(),
                name: "City Police".into(),
                units: vec!["4A12".into()],
                officers: vec![],
            }],
            links: crate::calls::LinksConfig::default(),
            cads: vec![CadConfig {
                agency: "pd".into(),
                eido_id: Some("pd.example".into()),
                zone: "UTC".into(),
                codes: None,
                folder: None,
                view: None,
            }],
            sources: vec![],
            purposes: crate::config::default_purposes(),
            beats: vec![],
            plate_reads: crate::plate_reads::PlateReadsConfig::default(),
            cameras: vec![],
            video: None,
        })
        .await
        .unwrap();
        let api = crate::api::router(running.center.clone());
        Self {
            running,
            api,
            _folder: folder,
        }
    }

    fn center(&self) -> &Arc<Center> {
        &self.running.center
    }

    async fn ask(&self, request: axum::http::request::Builder, body: Body) -> (StatusCode, Value) {
        let bearer = format!("Bearer {}", self.center().token);
        let request = request
            .header(header::AUTHORIZATION, bearer)
            .body(body)
            .unwrap();
        let response = self.api.clone().oneshot(request).await.unwrap();
        let status = response.status();
        let body = response.into_body().collect().await.unwrap().to_bytes();
        (status, serde_json::from_slice(&body).unwrap_or_default())
    }

    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        self.ask(Request::post(path), body.to_string().into()).await
    }

    /// The call of what is told.
    async fn tell(&self, path: &str, body: &Value) -> CallId {
        let (status, answer) = self.post(path, body).await;
        assert!(status.is_success(), "{answer}");
        answer["id"].as_str().unwrap().parse().unwrap()
    }

    async fn eido(&self, call: CallId) -> Value {
        let path = format!("/v1/calls/{call}/eido");
        let (status, eido) = self.ask(Request::get(path), Body::empty()).await;
        assert_eq!(status, StatusCode::OK, "{eido}");
        eido
    }

    async fn write(&self, call: CallId, entry: Entry) -> packet::EntryId {
        self.center().write(call, entry, "a test").await.unwrap().id
    }
}

fn by() -> String {
    "Analyst <RTCC>".into()
}

/// A packet with something of every sort.
async fn full(bench: &Bench) -> CallId {
    let report = json!({
        "agency": "pd", "number": "26-1", "nature": "SHOTS FIRED", "location": "400 W STATE ST, rear",
        "received": "2026-01-05T18:22:31-05:00", "updated": "2026-01-05T18:24:00-05:00",
        "latitude": 43.041, "longitude": -87.914, "district": "5", "priority": 1,
        "narrative": ["he has a gun & <runs>", "second line"],
        "units": [{"unit": "4A12", "status": "en_route"}],
        "status": {"closed": {"disposition": "Arrest"}},
    });
    let call = bench.tell("/v1/calls", &report).await;
    bench
        .write(
            call,
            Entry::Note(Note {
                text: "a <b>note</b>\nin two lines".into(),
                by: by(),
            }),
        )
        .await;
    let wrong = bench
        .write(
            call,
            Entry::Note(Note {
                text: "wrong".into(),
                by: by(),
            }),
        )
        .await;
    let correction = Correction {
        of: wrong,
        text: Some("right".into()),
        by: by(),
    };
    bench.write(call, Entry::Correction(correction)).await;
    bench
        .write(
            call,
            Entry::Caution(Caution {
                text: "large dog".into(),
                by: by(),
                ends_ms: None,
            }),
        )
        .await;
    bench
        .write(
            call,
            Entry::Finding(Finding {
                source: "Records".into(),
                title: "Prior arrest".into(),
                text: "2019".into(),
                query: "400 W STATE ST".into(),
                recorded_ms: None,
                answered_ms: 1,
                confidence: Confidence::Partial,
                topic: packet::Topic::default(),
                link: None,
                ends_ms: None,
                answers: None,
            }),
        )
        .await;
    let other = json!({"agency": "so", "number": "9", "nature": "SHOTS FIRED", "location": "400 W STATE ST"});
    let other = bench.tell("/v1/calls", &other).await;
    let link = |how| {
        Entry::Link(packet::Link {
            other,
            how,
            why: "the same place".into(),
            by: by(),
        })
    };
    bench.write(call, link(LinkHow::Proposed)).await;
    bench.write(call, link(LinkHow::Hand)).await;
    call
}

use packet::Confidence;

fn texts(eido: &Value) -> Vec<&str> {
    let notes = eido["notesComponent"].as_array().unwrap().iter();
    notes
        .map(|note| note["notesActionComments"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_packet_goes_out_with_what_is_known_and_comes_in_elsewhere_as_the_same_call() {
    let bench = Bench::start().await;
    let call = full(&bench).await;
    let eido = bench.eido(call).await;
    let texts = texts(&eido);
    for wanted in [
        "he has a gun &amp; &lt;runs&gt;<br/>second line",
        "a &lt;b&gt;note&lt;/b&gt;<br/>in two lines",
        "Correction: right",
        "CAUTION: large dog",
        "Records (a lead to verify: it matches in part): Prior arrest<br/>2019",
    ] {
        assert!(texts.contains(&wanted), "{wanted} is not in {texts:#?}");
    }
    assert!(!texts.contains(&"wrong"));
    let links = eido["linkComponent"].as_array().unwrap();
    assert_eq!(
        links.len(),
        1,
        "what is only proposed does not go out: {links:?}"
    );
    assert_eq!(links[0]["linkDirectionCode"], "RELATED");
    let body = eido.to_string();
    let elsewhere = crate::intake::eido::parse(body.as_bytes()).unwrap();
    assert_eq!(elsewhere.agency, "pd.example");
    assert_eq!(
        (
            elsewhere.number.as_str(),
            elsewhere.nature.as_str(),
            elsewhere.priority
        ),
        ("26-1", "SHOTS FIRED", Some(1))
    );
    assert_eq!(elsewhere.location, "400 W STATE ST, rear");
    assert_eq!(
        (elsewhere.latitude, elsewhere.longitude),
        (Some(43.041), Some(-87.914))
    );
    assert_eq!(elsewhere.district.as_deref(), Some("5"));
    let disposition = "Arrest".to_owned();
    assert_eq!(
        elsewhere.status,
        crate::intake::CallStatus::Closed { disposition }
    );
    let unit = &elsewhere.units[0];
    assert_eq!(
        (unit.unit.as_str(), unit.status),
        ("4A12", Some(UnitState::EnRoute))
    );
    assert!(
        elsewhere
            .narrative
            .contains(&"he has a gun & <runs>\nsecond line".into())
    );
}

#[tokio::test]
async fn what_comes_back_to_the_center_that_gave_it_changes_nothing() {
    let bench = Bench::start().await;
    let mut happenings = bench.center().log.subscribe();
    let told = schema::some_eido();
    let call = bench.tell("/v1/eido", &told).await;
    // What the center looks up by itself is a part of the packet too.
    let is_outcome = |happening: &Happening| match happening {
        Happening::Change(change) => matches!(change.entry, Entry::Outcome(_)),
        _ => false,
    };
    while !happenings.recv().await.unwrap().iter().any(is_outcome) {}
    bench
        .write(
            call,
            Entry::Note(Note {
                text: "ours".into(),
                by: by(),
            }),
        )
        .await;
    let first = bench.eido(call).await;
    let (status, answer) = bench.post("/v1/eido", &first).await;
    assert_eq!(
        (status, answer["news"].as_str()),
        (StatusCode::OK, Some("unchanged"))
    );
    assert_eq!(bench.eido(call).await, first);
}

#[tokio::test]
async fn what_another_agency_adds_to_an_incident_of_this_centers_own_is_in_its_packet() {
    let bench = Bench::start().await;
    let call = full(&bench).await;
    let mut back = bench.eido(call).await;
    let theirs = json!({
        "$id": "n-1", "lastUpdateTimeStamp": "2026-12-01T00:00:00Z",
        "updatedByAgencyReference": {"$ref": "fd.example"}, "notesActionComments": "engine 5 is near",
    });
    back["notesComponent"]
        .as_array_mut()
        .unwrap()
        .push(theirs.clone());
    for news in ["updated", "unchanged"] {
        let (status, answer) = bench.post("/v1/eido", &back).await;
        assert_eq!((status, &answer["news"]), (StatusCode::OK, &json!(news)));
        assert_eq!(answer["id"], json!(call));
    }
    let eido = bench.eido(call).await;
    assert!(eido["notesComponent"].as_array().unwrap().contains(&theirs));
    let (_, packet) = bench
        .ask(Request::get(format!("/v1/calls/{call}")), Body::empty())
        .await;
    let notes = packet["entries"].as_array().unwrap().iter();
    let noted = notes
        .filter(|entry| entry["text"] == "engine 5 is near")
        .count();
    assert_eq!(noted, 1);
    assert_eq!(
        eido["incidentComponent"]["incidentTypeInternalText"],
        "SHOTS FIRED"
    );
}

#[tokio::test]
async fn facts_that_came_later_by_another_door_stand_over_the_incident_that_came() {
    let bench = Bench::start().await;
    let mut told = schema::some_eido();
    told["incidentComponent"]["x-vendor"] = json!({"a": 1});
    let call = bench.tell("/v1/eido", &told).await;
    let number = &told["incidentComponent"]["internalIncidentId"];
    let report = json!({
        "agency": "pd", "number": number, "nature": "FIRE", "location": "1 MAIN ST",
        "updated": "2026-12-01T00:00:00Z", "status": {"closed": {"disposition": "Out"}},
    });
    assert_eq!(bench.tell("/v1/calls", &report).await, call);
    let eido = bench.eido(call).await;
    let incident = &eido["incidentComponent"];
    assert_eq!(incident["$id"], told["incidentComponent"]["$id"]);
    assert_eq!(incident["incidentTypeInternalText"], "FIRE");
    assert_eq!(
        incident["incidentStatusCommonRegistryText"],
        json!(["Closed"])
    );
    assert_eq!(incident["lastUpdateTimeStamp"], "2026-12-01T00:00:00Z");
    assert_eq!(incident["x-vendor"], json!({"a": 1}));
    schema::must_fit(
        &[eido],
        "facts_that_came_later_by_another_door_stand_over_the_incident_that_came",
    );
}

#[tokio::test]
async fn what_may_be_released_is_decided_by_compartment_and_put_on_record() {
    let bench = Bench::start().await;
    let call = full(&bench).await;
    let stranger = Request::get(format!("/v1/calls/{call}/eido"))
        .body(Body::empty())
        .unwrap();
    let refused = bench.api.clone().oneshot(stranger).await.unwrap();
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    // What nobody may have is not given, and is not seen to be there.
    let records = DocumentId::new(call, Compartment::Records);
    let note = Entry::Note(Note {
        text: "sealed record".into(),
        by: by(),
    });
    bench
        .center()
        .write_to(records, note, "a test")
        .await
        .unwrap();
    let eido = bench.eido(call).await;
    assert!(!eido.to_string().contains("sealed record"));
    let recorded = bench.center().log.readers().read(|connection| {
        let mut statement = connection.prepare(
            "SELECT act, object, who, allowed FROM audit WHERE act LIKE 'release%' ORDER BY id",
        )?;
        let rows = statement.query_map([], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?))
        })?;
        Ok(rows.collect::<Result<Vec<(String, String, String, bool)>, _>>()?)
    });
    let release = |compartment: &str| {
        let (act, object) = (
            format!("release {compartment}"),
            format!("{call}/{compartment}"),
        );
        (act, object, "dispatch".to_owned(), true)
    };
    assert_eq!(
        recorded.await.unwrap(),
        [release("safety"), release("call")]
    );
    // With `safety` alone nothing of the words goes out, nor of what came as an EIDO.
    let brief = bench.center().log.readers().read({
        let ids = bench.center().ids.clone();
        move |connection| Released::read(connection, &ids, call, &[Compartment::Safety])
    });
    let brief = brief
        .await
        .unwrap()
        .unwrap()
        .eido(&bench.center().ids, &bench.center().config);
    let brief = brief.to_string();
    assert!(
        brief.contains("large dog") && !brief.contains("second line"),
        "{brief}"
    );
    let nothing = Request::get("/v1/calls/00000000000000ab/eido");
    assert_eq!(
        bench.ask(nothing, Body::empty()).await.0,
        StatusCode::NOT_FOUND
    );
}

#[tokio::test]
async fn what_goes_out_fits_the_published_schema() {
    let test = "what_goes_out_fits_the_published_schema";
    let bench = Bench::start().await;
    let by_json = full(&bench).await;
    let by_eido = bench.tell("/v1/eido", &schema::some_eido()).await;
    let mut all = vec![bench.eido(by_json).await, bench.eido(by_eido).await];
    for name in [
        "eido/minimal_cfs_eido.json",
        "eido/sample_call_transfer.json",
    ] {
        let Some(path) = crate::intake::shared_files::shared_file(name, test) else {
            continue;
        };
        let sample: Value = serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap();
        let call = bench.tell("/v1/eido", &sample).await;
        let note = Note {
            text: "ours".into(),
            by: by(),
        };
        bench.write(call, Entry::Note(note)).await;
        let eido = bench.eido(call).await;
        assert_holds(&eido, &sample);
        all.extend([sample, eido]);
    }
    schema::must_fit(&all, test);
}

/// What the center changes in the document itself: it is another document, of this center.
const OF_THE_DOCUMENT: [&str; 3] = [
    "lastUpdateTimeStamp",
    "updatedByAgencyReference",
    "issuingElementIdentification",
];

/// Every member and component that came is in what goes out, as it came.
fn assert_holds(out: &Value, came: &Value) {
    for (name, value) in came.as_object().unwrap() {
        if OF_THE_DOCUMENT.contains(&name.as_str()) || name == "updatedByAgentReference" {
            continue;
        }
        match value.as_array() {
            Some(items) if items.iter().all(|item| item.get("$id").is_some()) => {
                let list = out[name].as_array().unwrap();
                for item in items {
                    assert!(list.contains(item), "{name}: {item} is not in {list:#?}");
                }
            }
            _ => assert_eq!(&out[name], value, "{name}"),
        }
    }
}

/// Members that no standard knows.
fn unknown() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i32>().prop_map(Value::from),
        "[a-zé<&\"]{0,8}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map("[a-z$]{1,6}", inner, 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

#[test]
fn whatever_comes_as_an_eido_is_handed_back_whole() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let bench = runtime.block_on(Bench::start());
    let mut runner = prop::test_runner::TestRunner::new(ProptestConfig {
        cases: 60,
        failure_persistence: None,
        ..ProptestConfig::default()
    });
    let case = std::cell::Cell::new(0);
    let inputs = (
        prop::collection::btree_map("x-[a-z]{1,6}", unknown(), 0..4),
        prop::collection::vec(unknown(), 0..6),
        prop::collection::vec(any::<prop::sample::Index>(), 0..6),
    );
    let judged = runner.run(&inputs, |(members, values, places)| {
        let mut eido = schema::some_eido();
        case.set(case.get() + 1);
        eido["$id"] = json!(format!(
            "urn:emergency:uid:incidentid:{}:cad.example",
            case.get()
        ));
        eido["incidentComponent"]["internalIncidentId"] = json!(case.get().to_string());
        for (name, value) in &members {
            eido[name] = value.clone();
        }
        let kinds: Vec<String> = eido
            .as_object()
            .unwrap()
            .keys()
            .filter(|name| name.ends_with("Component"))
            .cloned()
            .collect();
        for (value, place) in values.iter().zip(&places) {
            let kind = place.get(&kinds);
            let component = match &mut eido[kind.as_str()] {
                Value::Array(components) => &mut components[0],
                incident => incident,
            };
            component["x-more"] = value.clone();
        }
        eido["x-newComponent"] = json!([
            {"$id": "w1", "lastUpdateTimeStamp": "2026-03-01T21:04:05Z", "wind": values},
        ]);
        let out = runtime.block_on(async {
            let call = bench.tell("/v1/eido", &eido).await;
            bench.eido(call).await
        });
        assert_holds(&out, &eido);
        Ok(())
    });
    judged.unwrap_or_else(|failed| panic!("{failed}"));
}
