use serde_json::{Value, json};

use super::super::{EidoError, Taken, tell_eido};
use super::*;
use crate::intake::eido::Eido;

impl Bench {
    fn tell_eido(&mut self, message: &Value) -> Taken {
        let message = Eido::read(message.to_string().as_bytes()).unwrap();
        let rules = Rules::default();
        self.write(move |ledger| {
            tell_eido(ledger, message, None, |report| rules.triage(report)).map_err(|e| match e {
                EidoError::Log(e) => e,
                EidoError::Intake(e) => panic!("{e}"),
            })
        })
    }
}

/// A component of this second.
fn part(id: &str, second: i64, more: Value) -> Value {
    let mut part = json!({
        "$id": id,
        "lastUpdateTimeStamp": at(second).to_string(),
        "updatedByAgencyReference": {"$ref": "pd"},
    });
    for (name, value) in more.as_object().unwrap() {
        part[name] = value.clone();
    }
    part
}

/// A document of incident 1 with nothing in it.
fn shell(second: i64) -> Value {
    part(
        "1",
        second,
        json!({"eidoVersion": "1.0", "issuingElementIdentification": "cad", "agencyComponent": []}),
    )
}

fn incident(second: i64, nature: &str, status: &str) -> Value {
    part(
        "incident",
        second,
        json!({
            "incidentTypeCommonRegistryText": "X", "incidentTypeInternalText": nature,
            "incidentStatusCommonRegistryText": [status], "locationReference": [{"$ref": "here"}],
        }),
    )
}

fn note(id: &str, second: i64, words: &str) -> Value {
    part(id, second, json!({"notesActionComments": words}))
}

fn resource(unit: &str, second: i64, status: &str) -> Value {
    part(
        unit,
        second,
        json!({
            "agentReference": [], "emergencyResourceTypeCommonRegistryText": "Patrol",
            "primaryUnitStatusRegistryText": status, "resourceAttributeRegistryText": [],
            "secondaryUnitStatusRegistryText": [],
        }),
    )
}

/// A message that brings some of the incident.
fn some_part() -> impl Strategy<Value = Value> {
    let incident = (
        0..5_i64,
        prop::sample::select(&["TRESPASS", "SHOTS FIRED"][..]),
        prop::sample::select(&["Active", "Closed"][..]),
    )
        .prop_map(|(second, nature, status)| incident(second, nature, status));
    let note = (
        prop::sample::select(&["n1", "n2"][..]),
        0..5_i64,
        prop::sample::select(&["he has a gun", "she has a knife", "loud"][..]),
    )
        .prop_map(|(id, second, words)| note(id, second, words));
    let resource = (
        prop::sample::select(&["1A1", "1A2"][..]),
        0..5_i64,
        prop::sample::select(&["Assigned", "Enroute", "OnScene", "Available"][..]),
    )
        .prop_map(|(unit, second, status)| resource(unit, second, status));
    let place = prop::sample::select(&["rear lot", "front door"][..]);
    let place = (0..5_i64, place).prop_map(|(second, words)| {
        let kind = "locationTypeDescriptionRegistryText";
        part(
            "here",
            second,
            json!({kind: "CurrentIncident", "locationDescriptionText": words}),
        )
    });
    (
        0..5_i64,
        prop::option::of(incident),
        prop::collection::vec(note, 0..3),
        prop::collection::vec(resource, 0..3),
        prop::option::of(place),
    )
        .prop_map(|(second, incident, notes, resources, place)| {
            let mut message = shell(second);
            if let Some(incident) = incident {
                message["incidentComponent"] = incident;
            }
            message["notesComponent"] = json!(notes);
            message["emergencyResourceComponent"] = json!(resources);
            message["locationComponent"] = json!(Vec::from_iter(place));
            message
        })
}

#[test]
fn parts_of_an_incident_in_any_order_and_twice_end_as_in_order() {
    let messages = prop::collection::vec(some_part(), 0..7).prop_map(|mut messages| {
        // What it is about is said by one of them.
        let mut whole = shell(0);
        whole["incidentComponent"] = incident(0, "TRESPASS", "Active");
        messages.insert(0, whole);
        messages
    });
    any_order_is_the_same(messages, 200, |bench, name, order| {
        let mut call = None;
        for message in order {
            let mut message = message.clone();
            message["$id"] = json!(name);
            if let Taken::Call(reported) = bench.tell_eido(&message) {
                assert!(call.is_none_or(|call| call == reported.call));
                call = Some(reported.call);
            }
        }
        bench.state(call.unwrap())
    });
}

#[test]
fn an_incident_is_the_same_call_whatever_its_parts_say_of_its_number() {
    let mut bench = Bench::new();
    let mut notes = shell(0);
    notes["notesComponent"] = json!([note("n1", 0, "he has a gun")]);
    assert_eq!(bench.tell_eido(&notes), Taken::Awaited);
    let mut transfer = shell(1);
    transfer["callComponent"] = json!([part(
        "urn:emergency:uid:callid:77:x",
        1,
        json!({
            "callStateRegistryText": "callAnswered", "standardPrimaryCallType": "emergency",
            "direction": "incoming", "callStartTimestamp": at(0).to_string(),
        })
    )]);
    let Taken::Call(opened) = bench.tell_eido(&transfer) else {
        panic!("there is a call");
    };
    assert_eq!(opened.news, News::New);
    assert_eq!(bench.state(opened.call).cautions.len(), 1);
    let mut dispatched = shell(2);
    dispatched["incidentComponent"] = incident(2, "SHOTS FIRED", "Active");
    dispatched["incidentComponent"]["internalIncidentId"] = json!("26-1");
    let Taken::Call(updated) = bench.tell_eido(&dispatched) else {
        panic!("there is a call");
    };
    assert_eq!((updated.call, updated.news), (opened.call, News::Updated));
    // The number is the call's own now, also for another door.
    assert_eq!(bench.tell(said("26-1", 9)).call, opened.call);
    let again = Taken::Call(Reported::unchanged(opened.call));
    assert_eq!(bench.tell_eido(&dispatched), again);
    assert_eq!(bench.tell_eido(&notes), again);
}

#[test]
fn incidents_that_say_they_are_linked_are_linked_whichever_comes_first() {
    for turned in [false, true] {
        let mut bench = Bench::new();
        let mut first = shell(0);
        first["incidentComponent"] = incident(0, "FIRE", "Active");
        first["linkComponent"] = json!([part(
            "l",
            0,
            json!({
                "incidentTrackingIdentifier": "2", "linkDirectionCode": "RELATED",
            })
        )]);
        let mut second = shell(0);
        second["$id"] = json!("2");
        second["incidentComponent"] = incident(0, "FIRE", "Active");
        second["incidentComponent"]["internalIncidentId"] = json!("26-2");
        let mut told = [first.clone(), second];
        if turned {
            told.reverse();
        }
        let mut calls = told.map(|message| match bench.tell_eido(&message) {
            Taken::Call(reported) => reported.call,
            Taken::Awaited => panic!("there is a call"),
        });
        if turned {
            calls.reverse();
        }
        let [call, other] = calls;
        let links = |bench: &mut Bench| {
            bench.write(move |ledger| super::super::links_of(ledger.sql(), call))
        };
        let linked = links(&mut bench);
        assert_eq!((linked.len(), linked[0].other), (1, other));
        // Until it says otherwise.
        first["linkComponent"][0]["linkDirectionCode"] = json!("UNLINK");
        first["linkComponent"][0]["lastUpdateTimeStamp"] = json!(at(9).to_string());
        bench.tell_eido(&first);
        assert_eq!(links(&mut bench), []);
        let relink = |first: &mut Value, second: i64| {
            first["linkComponent"][0]["linkDirectionCode"] = json!("RELATED");
            first["linkComponent"][0]["lastUpdateTimeStamp"] = json!(at(second).to_string());
        };
        relink(&mut first, 5);
        bench.tell_eido(&first);
        assert_eq!(links(&mut bench), [], "that came late");
        relink(&mut first, 12);
        bench.tell_eido(&first);
        assert_eq!(links(&mut bench).len(), 1);
        // What a person at the center has undone it does not make again.
        bench.write(move |ledger| super::super::unlink(ledger, call, other, "Analyst"));
        relink(&mut first, 15);
        bench.tell_eido(&first);
        assert_eq!(links(&mut bench), []);
    }
}
