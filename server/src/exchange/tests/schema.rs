//! The schema as NENA has published it, beside the repository: an OpenAPI file that names
//! its parts by relative paths.
//!
//! Judged here and not by a crate: one that was tried expands every reference before it
//! judges, which for NIEM's types takes gigabytes. What of JSON Schema draft 4 the files
//! use is eight words, and a ninth ends the test.

use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use jiff::Timestamp;
use serde_json::{Value, json};

use crate::intake::shared_files::shared_file;

const ROOT: &str = "openapi.yaml#/components/schemas/EmergencyIncidentDataObjectType";

/// Ends the test where the schema is there and one of these does not fit.
pub(super) fn must_fit(eidos: &[Value], test: &str) {
    let Some(root) = shared_file("eido/openapi.yaml", test) else {
        return;
    };
    let schema = Schema::new(root.parent().unwrap());
    for eido in eidos {
        let faults = schema.faults(eido);
        assert!(faults.is_empty(), "{faults:#?}");
    }
    // It would notice, as deep as NIEM's names of persons.
    for (pointer, wrong) in [
        ("/eidoVersion", json!("2.0")),
        ("/agencyComponent/0/agencyType", json!("police")),
        ("/agencyComponent/0/lastUpdateTimeStamp", json!("noon")),
        (
            "/incidentComponent/incidentCommonPriorityNumber",
            json!(1.5),
        ),
        ("/notesComponent/0/notesActionComments", json!(null)),
        (
            "/personComponent/0/ncPersonComponent/name/0/personGivenName",
            json!("Ann"),
        ),
        (
            "/personComponent/0/ncPersonComponent/name/0/personGivenName/0/value",
            json!(7),
        ),
    ] {
        let mut broken = some_eido();
        *broken.pointer_mut(pointer).unwrap() = wrong;
        assert_eq!(schema.faults(&broken).len(), 1, "{pointer}");
    }
    let mut without = some_eido();
    without["callComponent"][0]
        .as_object_mut()
        .unwrap()
        .remove("direction");
    assert_eq!(schema.faults(&without).len(), 1);
}

/// The files, each read when something refers to it.
struct Schema {
    folder: PathBuf,
    files: RefCell<HashMap<String, Rc<Value>>>,
}

impl Schema {
    fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
            files: RefCell::default(),
        }
    }

    fn faults(&self, value: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        self.follow("", ROOT, value, "$", &mut faults);
        faults
    }

    fn file(&self, name: &str) -> Rc<Value> {
        let mut files = self.files.borrow_mut();
        let read = || {
            let text = std::fs::read_to_string(self.folder.join(name)).unwrap();
            Rc::new(serde_saphyr::from_str::<Value>(&text).unwrap())
        };
        files.entry(name.to_owned()).or_insert_with(read).clone()
    }

    /// Holds a value to what `reference` names; `file` is where the reference stands.
    fn follow(
        &self,
        file: &str,
        reference: &str,
        value: &Value,
        at: &str,
        faults: &mut Vec<String>,
    ) {
        let (path, pointer) = reference.split_once('#').unwrap();
        let name = match (path, file.rsplit_once('/')) {
            ("", _) => file.to_owned(),
            (path, Some((folder, _))) => format!("{folder}/{path}"),
            (path, None) => path.replace("//", "/"),
        };
        let file = self.file(&name);
        let schema = file.pointer(pointer);
        let schema = schema.unwrap_or_else(|| panic!("{name} has no {pointer}"));
        self.judge(&name, schema, value, at, faults);
    }

    fn judge(&self, file: &str, schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
        // Draft 4: beside a reference nothing counts.
        if let Some(reference) = schema.get("$ref") {
            return self.follow(file, reference.as_str().unwrap(), value, at, faults);
        }
        for (word, what) in schema.as_object().unwrap() {
            match word.as_str() {
                "title" | "description" | "example" => {}
                "allOf" => {
                    for part in what.as_array().unwrap() {
                        self.judge(file, part, value, at, faults);
                    }
                }
                "properties" => {
                    for (name, part) in what.as_object().unwrap() {
                        if let Some(member) = value.get(name) {
                            self.judge(file, part, member, &format!("{at}.{name}"), faults);
                        }
                    }
                }
                "items" => {
                    for (place, item) in value.as_array().into_iter().flatten().enumerate() {
                        self.judge(file, what, item, &format!("{at}[{place}]"), faults);
                    }
                }
                "required" => {
                    let names = what
                        .as_array()
                        .unwrap()
                        .iter()
                        .map(|name| name.as_str().unwrap());
                    let missing =
                        names.filter(|name| value.is_object() && value.get(*name).is_none());
                    faults.extend(missing.map(|name| format!("{at}: {name} is missing")));
                }
                word => {
                    if !holds(word, what, value) {
                        faults.push(format!("{at}: {value} is not {word} {what}"));
                    }
                }
            }
        }
    }
}

fn holds(word: &str, what: &Value, value: &Value) -> bool {
    match (word, what.as_str()) {
        ("enum", _) => what.as_array().unwrap().contains(value),
        ("type", Some("array")) => value.is_array(),
        ("type", Some("boolean")) => value.is_boolean(),
        ("type", Some("integer")) => value.is_i64() || value.is_u64(),
        ("type", Some("number")) => value.is_number(),
        ("type", Some("object")) => value.is_object(),
        ("type", Some("string")) => value.is_string(),
        ("format", Some("date-time")) => value
            .as_str()
            .is_none_or(|text| text.parse::<Timestamp>().is_ok()),
        ("format", Some("int32")) => value
            .as_i64()
            .is_none_or(|number| i32::try_from(number).is_ok()),
        // RFC 3986, section 3: a scheme and a colon begin it.
        ("format", Some("uri")) => value.as_str().is_none_or(|text| {
            let scheme = text.split_once(':').map_or("", |(scheme, _)| scheme);
            scheme.starts_with(|c: char| c.is_ascii_alphabetic())
                && scheme
                    .bytes()
                    .all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        }),
        _ => panic!("the schema says {word} {what}, which is not judged here"),
    }
}

/// A made-up incident with a component of every kind.
pub(super) fn some_eido() -> Value {
    const T: &str = "2026-03-01T21:04:05.250-06:00";
    let part = |id: &str, more: Value| {
        let mut part = json!({
            "$id": id, "lastUpdateTimeStamp": T,
            "updatedByAgencyReference": {"$ref": "psap.example"},
            "updatedByAgentReference": {"$ref": "clerk@psap.example"},
        });
        for (name, value) in more.as_object().unwrap() {
            part[name] = value.clone();
        }
        part
    };
    part(
        "urn:emergency:uid:incidentid:77:cad.example",
        json!({
            "eidoVersion": "1.0",
            "issuingElementIdentification": "cad.example",
            "@context": {"@vocab": "./JSON-LD_Contexts/EmergencyIncidentDataObjectType.jsonld"},
            "agencyComponent": [
                part("psap.example", json!({"agencyRoleDescriptionRegistryText": ["Dispatching"], "agencyType": ["psap"]})),
                part("pd.example", json!({"agencyRoleDescriptionRegistryText": ["Dispatched"], "agencyType": ["police"], "incidentOwningAgencyIndicator": true})),
            ],
            "agentComponent": [part("clerk@psap.example", json!({"agentRoleRegistryText": ["Dispatching"], "agencyReference": {"$ref": "psap.example"}}))],
            "incidentComponent": part("inc", json!({
                "incidentTypeCommonRegistryText": "WEAPON", "incidentTypeInternalText": "SUBJ WITH GUN",
                "internalIncidentId": "26-00077", "incidentStatusCommonRegistryText": ["Active"],
                "incidentCommonPriorityNumber": 2, "beatOrDispatchGroupText": "C4",
                "locationReference": [{"$ref": "here"}], "notesReference": [{"$ref": "n1"}],
            })),
            "callComponent": [part("urn:emergency:uid:callid:c1:bcf.example", json!({
                "callStateRegistryText": "callAnswered", "standardPrimaryCallType": "emergency",
                "direction": "incoming", "callStartTimestamp": "2026-03-01T21:03:00-06:00",
                "callBackReference": {"$ref": "cb"},
            }))],
            "callbackComponent": [part("cb", json!({"callBackInformationUri": ["tel:4145550101"]}))],
            "additionalDataComponent": [part("ad", json!({"additionalDataByValue": "<x/>"}))],
            "alarmsSensorsComponent": [part("alarm", json!({"alarmUrl": "https://alarm.example/1"}))],
            "dispatchComponent": [part("d", json!({"emergencyResourceReference": [{"$ref": "u-9"}]}))],
            "linkComponent": [part("l", json!({"incidentTrackingIdentifier": "urn:emergency:uid:incidentid:78:cad.example", "linkDirectionCode": "RELATED"}))],
            "mergeComponent": [part("m", json!({"incidentTrackingIdentifier": "urn:emergency:uid:incidentid:79:cad.example", "incidentMergeDirectionCode": "SPLIT"}))],
            "locationComponent": [part("here", json!({
                "locationTypeDescriptionRegistryText": "CurrentIncident", "locationDescriptionText": "by the fountain",
                "locationByValue": "<presence xmlns='p'><Circle xmlns='s'><pos>43.076 -89.404</pos><radius>25</radius></Circle></presence>",
            }))],
            "personComponent": [part("p1", json!({
                "personIncidentRoleRegistryText": ["Suspect"],
                "ncPersonComponent": {"name": [{"personGivenName": [{"value": "Ann"}]}], "description": [{"value": "red coat"}]},
            }))],
            "vehicleComponent": [part("v1", json!({
                "vehicleRelationshipType": ["SuspectVehicle"], "vehicleRelationshipTimeStamp": T,
                "ncVehicleComponent": {"makeName": [{"value": "Honda"}]},
            }))],
            "notesComponent": [part("n1", json!({"notesActionComments": "<p>subj w/ gun</p>"}))],
            "emergencyResourceComponent": [part("u-9", json!({
                "agentReference": [], "emergencyResourceTypeCommonRegistryText": "Patrol",
                "primaryUnitStatusRegistryText": "Assigned", "resourceAttributeRegistryText": [],
                "secondaryUnitStatusRegistryText": ["Enroute"], "emergencyResourceName": "4A12",
            }))],
        }),
    )
}
