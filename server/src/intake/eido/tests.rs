#![allow(clippy::unwrap_used)]
use serde_json::{Value, json};

use packet::UnitState;

use super::*;
use crate::intake::report::CallStatus;
use crate::intake::shared_files::shared_file;

const T: &str = "2026-03-01T21:04:05.250-06:00";

fn component(id: &str, more: Value) -> Value {
    let mut component = json!({
        "$id": id,
        "lastUpdateTimeStamp": T,
        "updatedByAgencyReference": {"$ref": "psap.example"},
    });
    for (key, value) in more.as_object().unwrap() {
        component[key] = value.clone();
    }
    component
}

fn agency(id: &str, owns: bool) -> Value {
    component(
        id,
        json!({"agencyRoleDescriptionRegistryText": ["Dispatching"], "agencyType": ["psap"], "incidentOwningAgencyIndicator": owns}),
    )
}

/// A made-up incident with everything that is read.
fn whole() -> Value {
    component(
        "urn:emergency:uid:incidentid:77:cad.example",
        json!({
            "eidoVersion": "1.0",
            "issuingElementIdentification": "cad.example",
            "agencyComponent": [agency("psap.example", false), agency("campus.example", true)],
            "incidentComponent": component("inc", json!({
                "incidentTypeCommonRegistryText": "WEAPON",
                "incidentTypeInternalText": "SUBJ WITH GUN",
                "internalIncidentId": "26-00077",
                "incidentStatusCommonRegistryText": ["Active"],
                "incidentCommonPriorityNumber": 2,
                "beatOrDispatchGroupText": "C4",
                "locationReference": [{"$ref": "caller"}, {"$ref": "here"}],
                "notesReference": [{"$ref": "n2"}],
            })),
            "callComponent": [component("urn:emergency:uid:callid:c1:bcf.example", json!({
                "callStateRegistryText": "callAnswered", "standardPrimaryCallType": "emergency",
                "direction": "incoming", "callStartTimestamp": "2026-03-01T21:03:00-06:00",
                "locationReference": [{"$ref": "caller"}],
            }))],
            "locationComponent": [
                component("caller", json!({"locationTypeDescriptionRegistryText": "Caller", "locationDescriptionText": "dormitory window"})),
                component("here", json!({
                    "locationTypeDescriptionRegistryText": "CurrentIncident",
                    "locationDescriptionText": "by the fountain",
                    "locationByValue": "<presence xmlns='p'><Circle xmlns='s'><pos>43.076 -89.404</pos><radius>25</radius></Circle><civicAddress><HNO>1</HNO><RD>Quad</RD><A3>Cedarport</A3></civicAddress></presence>",
                })),
            ],
            "personComponent": [component("p1", json!({
                "personIncidentRoleRegistryText": ["Suspect"],
                "ncPersonComponent": {"name": [{"personGivenName": [{"value": "Ann"}], "personSurName": [{"value": "Example"}]}], "description": [{"value": "red coat"}]},
            }))],
            "vehicleComponent": [component("v1", json!({
                "vehicleRelationshipType": ["SuspectVehicle"], "vehicleRelationshipTimeStamp": T,
                "ncVehicleComponent": {"makeName": [{"value": "Honda"}], "description": [{"value": "dent in door"}]},
            }))],
            "notesComponent": [
                component("n2", json!({"notesActionComments": "<p>later &amp; calmer</p>", "lastUpdateTimeStamp": "2026-03-01T21:09:00-06:00"})),
                component("n1", json!({"notesActionComments": "<p>subj w/ gun</p>"})),
            ],
            "emergencyResourceComponent": [component("u-9", json!({
                "agentReference": [], "emergencyResourceTypeCommonRegistryText": "Patrol",
                "primaryUnitStatusRegistryText": "Enroute", "resourceAttributeRegistryText": [],
                "secondaryUnitStatusRegistryText": [], "emergencyResourceName": "C12",
            }))],
        }),
    )
}

fn taken(eido: &Value) -> CallReport {
    parse(&serde_json::to_vec(eido).unwrap()).unwrap()
}

/// The path at which the whole document is refused once `pointer` is `value`,
/// or gone if that is null.
fn refused(pointer: &str, value: Value) -> String {
    let mut eido = whole();
    let (parent, key) = pointer.rsplit_once('/').unwrap();
    let parent = eido.pointer_mut(parent).unwrap();
    match parent {
        Value::Array(items) => items[key.parse::<usize>().unwrap()] = value,
        Value::Object(fields) if value.is_null() => drop(fields.remove(key).unwrap()),
        _ => parent[key] = value,
    }
    let error = parse(&serde_json::to_vec(&eido).unwrap()).unwrap_err();
    error.path().unwrap().to_owned()
}

#[test]
fn an_incident_becomes_a_call() {
    let call = taken(&whole());
    assert_eq!(call.agency, "campus.example");
    assert_eq!(call.number, "26-00077");
    assert_eq!(call.nature, "SUBJ WITH GUN");
    assert_eq!(call.received, "2026-03-02T03:03:00Z".parse().unwrap());
    // When the later note was.
    assert_eq!(call.updated, "2026-03-01T21:09:00-06:00".parse().unwrap());
    assert_eq!(call.location, "1 Quad, Cedarport, by the fountain");
    assert_eq!(
        (call.latitude, call.longitude),
        (Some(43.076), Some(-89.404))
    );
    assert_eq!(
        (call.priority, call.district.as_deref()),
        (Some(2), Some("C4"))
    );
    let [unit] = &call.units[..] else {
        panic!("{:?}", call.units)
    };
    assert_eq!(
        (unit.unit.as_str(), unit.status),
        ("C12", Some(UnitState::EnRoute))
    );
    assert_eq!(unit.at, Some(T.parse().unwrap()));
    assert_eq!(call.status, CallStatus::Open);
    assert_eq!(
        call.narrative,
        [
            "subj w/ gun",
            "later & calmer",
            "Suspect: Ann Example, red coat",
            "SuspectVehicle: Honda, dent in door",
            "The point is good to 25 m",
            "Further place, Caller: dormitory window",
        ]
    );
}

#[test]
fn an_incident_that_is_over_says_how_it_ended() {
    let mut eido = whole();
    eido["incidentComponent"]["incidentStatusCommonRegistryText"] = json!(["Closed"]);
    let status = |disposition: &str| CallStatus::Closed {
        disposition: disposition.to_owned(),
    };
    assert_eq!(taken(&eido).status, status("Closed"));
    eido["incidentComponent"]["dispositionComponent"] = json!([
        component("d1", json!({"dispositionCommonRegistryCode": "RPT"})),
        component(
            "d2",
            json!({"dispositionCommonRegistryCode": "ARR", "dispositionPrimaryIndicator": true, "dispositionDescriptionText": "Arrest"})
        ),
    ]);
    assert_eq!(taken(&eido).status, status("Arrest"));
}

#[test]
fn a_call_without_an_incident_is_taken_by_its_own_id() {
    let mut eido = whole();
    eido.as_object_mut().unwrap().remove("incidentComponent");
    let call = taken(&eido);
    assert_eq!(call.number, "c1:bcf.example");
    assert_eq!(call.nature, "911 CALL");
    assert_eq!(call.location, "dormitory window");
    assert_eq!((call.latitude, call.priority), (None, None));
    eido.as_object_mut().unwrap().remove("callComponent");
    let error = parse(&serde_json::to_vec(&eido).unwrap()).unwrap_err();
    assert_eq!(error.path(), Some("incidentComponent"));
}

#[test]
fn what_the_schema_allows_is_taken_and_what_is_missing_is_said() {
    let mut eido = whole();
    eido["locationComponent"][1]["locationByValue"] = json!("<presence");
    eido["locationComponent"][1]["locationDescriptionText"] = json!("");
    eido["incidentComponent"]["incidentCommonPriorityNumber"] = json!(0);
    let call = taken(&eido);
    assert_eq!((call.latitude, call.priority), (None, None));
    assert_eq!(call.location, "dormitory window");
    let said = call.narrative.join("|");
    assert!(said.contains("Dispatch's own priority: 0"), "{said}");
    assert!(said.contains("cannot be read"), "{said}");
    eido["incidentComponent"]["locationReference"] = json!([]);
    eido["callComponent"] = json!([]);
    assert_eq!(taken(&eido).location, "LOCATION NOT GIVEN");
}

#[test]
fn each_missing_required_field_is_named_by_its_path() {
    for pointer in [
        "/$id",
        "/lastUpdateTimeStamp",
        "/updatedByAgencyReference",
        "/updatedByAgencyReference/$ref",
        "/eidoVersion",
        "/issuingElementIdentification",
        "/agencyComponent",
        "/agencyComponent/0/agencyType",
        "/incidentComponent/$id",
        "/incidentComponent/incidentTypeCommonRegistryText",
        "/callComponent/0/callStartTimestamp",
        "/locationComponent/1/locationTypeDescriptionRegistryText",
        "/personComponent/0/personIncidentRoleRegistryText",
        "/vehicleComponent/0/vehicleRelationshipTimeStamp",
        "/notesComponent/1/notesActionComments",
        "/notesComponent/0/lastUpdateTimeStamp",
        "/emergencyResourceComponent/0/primaryUnitStatusRegistryText",
    ] {
        let path = pointer[1..]
            .replace("/0/", "[0].")
            .replace("/1/", "[1].")
            .replace('/', ".");
        assert_eq!(refused(pointer, Value::Null), path);
    }
}

#[test]
fn wrong_types_and_bad_times_are_named_by_their_path() {
    for (pointer, value, path) in [
        ("/eidoVersion", json!("2.0"), "eidoVersion"),
        ("/incidentComponent", json!([]), "incidentComponent"),
        ("/notesComponent", json!({}), "notesComponent"),
        ("/notesComponent/0", json!("x"), "notesComponent[0]"),
        (
            "/lastUpdateTimeStamp",
            json!("2026-13-01T00:00:00Z"),
            "lastUpdateTimeStamp",
        ),
        ("/lastUpdateTimeStamp", json!(1e300), "lastUpdateTimeStamp"),
        (
            "/incidentComponent/incidentCommonPriorityNumber",
            json!(1.5),
            "incidentComponent.incidentCommonPriorityNumber",
        ),
        (
            "/incidentComponent/incidentCommonPriorityNumber",
            json!(u64::MAX),
            "incidentComponent.incidentCommonPriorityNumber",
        ),
        (
            "/incidentComponent/incidentTypeInternalText",
            json!("x".repeat(121)),
            "incidentComponent.incidentTypeInternalText",
        ),
        (
            "/incidentComponent/internalIncidentId",
            json!("9".repeat(65)),
            "incidentComponent.internalIncidentId",
        ),
        (
            "/incidentComponent/locationReference",
            json!([{"$ref": 7}]),
            "incidentComponent.locationReference[0].$ref",
        ),
        (
            "/incidentComponent/notesReference",
            json!(["gone"]),
            "incidentComponent.notesReference[0]",
        ),
        (
            "/personComponent/0/ncPersonComponent/description",
            json!([{"value": 7}]),
            "personComponent[0].ncPersonComponent.description[0].value",
        ),
    ] {
        assert_eq!(refused(pointer, value), path);
    }
}

#[test]
fn what_a_message_names_and_does_not_bring_is_waited_for() {
    let mut eido = whole();
    eido["agencyComponent"] = json!([agency("other.example", false)]);
    eido["incidentComponent"]["locationReference"] = json!([{"$ref": "gone"}]);
    eido["incidentComponent"]["notesReference"] = json!([{"$ref": "gone"}]);
    let call = taken(&eido);
    assert_eq!(call.agency, "psap.example");
    assert_eq!(call.location, "LOCATION NOT GIVEN");
    let said = call.narrative.join("|");
    assert!(
        said.contains("A place is named that has not come yet (gone)"),
        "{said}"
    );
}

/// Each component of the whole in a message of its own, which says as little as it may.
fn parts() -> Vec<Value> {
    let whole = whole();
    let shell = || {
        let mut shell = whole.clone();
        let members = shell.as_object_mut().unwrap();
        members.retain(|name, _| !name.ends_with("Component"));
        members.insert("agencyComponent".into(), json!([]));
        shell
    };
    let mut parts = Vec::new();
    for (name, value) in whole.as_object().unwrap() {
        if !name.ends_with("Component") {
            continue;
        }
        let components = value.as_array().cloned().unwrap_or_default();
        for component in components {
            let mut part = shell();
            part[name] = json!([component]);
            parts.push(part);
        }
        if value.is_object() {
            let mut part = shell();
            part[name] = value.clone();
            parts.push(part);
        }
    }
    parts
}

fn read(eido: &Value) -> Eido {
    Eido::read(&serde_json::to_vec(eido).unwrap()).unwrap()
}

fn merged(parts: &[Value]) -> Eido {
    let mut sum = read(&parts[0]);
    parts[1..].iter().for_each(|part| sum.merge(read(part)));
    sum
}

#[test]
fn an_incident_in_parts_in_any_order_and_twice_is_the_whole() {
    let mut parts = parts();
    assert_eq!(parts.len(), 11);
    let wanted = merged(&parts);
    let report = wanted.report().unwrap().unwrap();
    let mut whole = taken(&whole());
    assert_eq!(wanted.units().unwrap(), whole.units);
    whole.units = Vec::new();
    assert_eq!(report, whole);
    for turn in 0..parts.len() {
        parts.rotate_left(turn);
        parts.push(parts[turn / 2].clone());
        assert_eq!(merged(&parts), wanted);
        parts.pop();
        parts.reverse();
        assert_eq!(merged(&parts), wanted);
    }
    let written = wanted.written().unwrap();
    assert_eq!(Eido::of_written(wanted.id(), &written).unwrap(), wanted);
}

#[test]
fn a_component_that_was_updated_later_counts_whichever_came_first() {
    let old = whole();
    let mut new = whole();
    new["incidentComponent"]["incidentTypeInternalText"] = json!("SHOTS FIRED");
    new["incidentComponent"]["lastUpdateTimeStamp"] = json!("2026-03-01T21:05:00-06:00");
    // An older word of the unit, in a document that is newer as a whole.
    new["emergencyResourceComponent"][0]["primaryUnitStatusRegistryText"] = json!("Assigned");
    new["emergencyResourceComponent"][0]["lastUpdateTimeStamp"] =
        json!("2026-03-01T21:00:00-06:00");
    new["lastUpdateTimeStamp"] = json!("2026-03-01T21:10:00-06:00");
    for order in [[&old, &new], [&new, &old]] {
        let sum = merged(&order.map(Clone::clone));
        let report = sum.report().unwrap().unwrap();
        assert_eq!(report.nature, "SHOTS FIRED");
        assert_eq!(sum.units().unwrap()[0].status, Some(UnitState::EnRoute));
    }
    // Two of the same time: either, but always the same one.
    let mut other = whole();
    other["incidentComponent"]["incidentTypeInternalText"] = json!("ZZZ");
    assert_eq!(merged(&[old.clone(), other.clone()]), merged(&[other, old]));
}

#[test]
fn what_is_not_understood_is_handed_back() {
    let mut eido = whole();
    eido["x-vendor"] = json!({"deep": [1, {"er": null}]});
    eido["weatherComponent"] = json!([
        component("w1", json!({"wind": "NW"})),
        component("w2", json!({}))
    ]);
    eido["riverComponent"] = json!([{"level": 3}]);
    eido["personComponent"][0]["x-tattoo"] = json!("anchor");
    eido["alarmsSensorsComponent"] = json!([component(
        "a1",
        json!({"alarmUrl": "https://alarm.example/1"})
    )]);
    let sum = merged(&[eido.clone(), whole()]);
    let back = Value::Object(sum.document());
    for name in eido.as_object().unwrap().keys() {
        let sorted = |value: &Value| {
            let mut items = value
                .as_array()
                .cloned()
                .unwrap_or_else(|| vec![value.clone()]);
            items.sort_by_key(ToString::to_string);
            items
        };
        // The person is of the same time in both, and one is kept whole.
        if name != "personComponent" {
            assert_eq!(sorted(&back[name]), sorted(&eido[name]), "{name}");
        }
    }
}

#[test]
fn notes_without_their_incident_are_no_call_yet() {
    let mut eido = whole();
    eido.as_object_mut().unwrap().remove("incidentComponent");
    eido.as_object_mut().unwrap().remove("callComponent");
    assert_eq!(read(&eido).report().unwrap(), None);
}

#[test]
fn a_callers_number_and_streets_that_cross_are_in_the_words() {
    let mut eido = whole();
    eido["callbackComponent"] = json!([component(
        "cb",
        json!({
            "callBackInformationUri": ["sip:x@y.example", "tel:4145550101"],
            "updatedCbn": component("u", json!({"updatedCbnIdentifierUri": "tel:4145550102"})),
        })
    )]);
    let street = "<presence xmlns='p'><civicAddress><PRD>N</PRD><RD>35th</RD><STS>St</STS></civicAddress></presence>";
    eido["locationComponent"][1]["intersectingStreetByValue"] = json!([street, "<broken"]);
    let said = taken(&eido).narrative;
    for words in [
        "Call back: 4145550101",
        "Call back: 4145550102",
        "Intersecting street: N 35th St",
    ] {
        assert!(
            said.iter().any(|line| line == words),
            "{words} is not in {said:?}"
        );
    }
}

#[test]
fn more_units_than_a_call_holds_are_refused_by_name() {
    let unit = whole()["emergencyResourceComponent"][0].clone();
    assert_eq!(
        refused("/emergencyResourceComponent", json!(vec![unit; 21])),
        "emergencyResourceComponent"
    );
}

#[test]
fn what_is_no_json_object_is_refused() {
    let body = serde_json::to_vec(&whole()).unwrap();
    for end in (0..body.len()).step_by(7) {
        assert!(matches!(parse(&body[..end]), Err(IntakeError::NotJson(_))));
    }
    for other in ["[]", "1", "null", "\"x\""] {
        assert_eq!(parse(other.as_bytes()).unwrap_err().path(), Some("$"));
    }
    let deep = [b"{\"a\":".repeat(10_000), vec![b'1']].concat();
    assert!(matches!(parse(&deep), Err(IntakeError::NotJson(_))));
}

#[test]
fn nenas_call_transfer_is_taken() {
    let Some(path) = shared_file(
        "eido/sample_call_transfer.json",
        "nenas_call_transfer_is_taken",
    ) else {
        return;
    };
    let call = parse(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(call.agency, "state.pa.us");
    assert_eq!(call.number, "a56e556d871:bcf.state.pa.us");
    assert_eq!(call.nature, "911 CALL");
    assert_eq!(
        call.location,
        "42 W Cellular Street, Wilmington, DE (routing location)"
    );
    assert_eq!(call.received, "2021-04-30T18:40:00Z".parse().unwrap());
}

#[test]
fn the_minimal_call_for_service_is_taken() {
    let Some(path) = shared_file(
        "eido/minimal_cfs_eido.json",
        "the_minimal_call_for_service_is_taken",
    ) else {
        return;
    };
    let call = parse(&std::fs::read(path).unwrap()).unwrap();
    assert_eq!(
        (call.agency.as_str(), call.number.as_str()),
        ("tpd.example", "2026-000123")
    );
    assert_eq!(
        (call.nature.as_str(), call.priority),
        ("SHOTS FIRED", Some(1))
    );
    assert_eq!(call.location, "rear lot");
    assert_eq!(call.narrative, ["Silver sedan, partial tag ABC"]);
}
