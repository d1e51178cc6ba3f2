//! The three doors for calls: what comes in by one fits wherever a call does.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use server::intake::eido::{self, Eido};
use server::intake::{CallReport, csv, json};

/// More messages than this find nothing that these do not.
const MESSAGES_MAX: usize = 6;
const NOW: Timestamp = Timestamp::constant(1_790_000_000, 0);
/// A degree's ten millionth is a centimetre: JSON's shortest form may end in another digit.
const DEGREES_APART_MAX: f64 = 1e-7;

pub(super) fn intake_json(body: &[u8]) {
    if let Ok(report) = json::parse(body, NOW) {
        fits(report);
    }
}

/// Messages of one incident, with a zero byte between: in any order, and twice, they come
/// to the same; what is kept is read again; what is handed back says nothing new.
pub(super) fn intake_eido(body: &[u8]) {
    if let Ok(report) = eido::parse(body) {
        fits(report);
    }
    let mut messages: Vec<Eido> = body
        .split(|byte| *byte == 0)
        .take(MESSAGES_MAX)
        .filter_map(|message| Eido::read(message).ok())
        .collect();
    let Some(first) = messages.first() else {
        return;
    };
    let id = first.id().to_owned();
    messages.retain(|message| message.id() == id);
    let sum = |messages: &[Eido]| {
        let mut sum = messages[0].clone();
        messages
            .iter()
            .for_each(|message| sum.merge(message.clone()));
        sum
    };
    let forward = sum(&messages);
    messages.reverse();
    let backward = sum(&messages);
    assert_eq!(forward, backward);
    let written = forward.written().expect("some messages are not too much");
    assert_eq!(Eido::of_written(&id, &written).unwrap(), forward);
    let report = forward
        .report()
        .expect("what is good in each message is good in all");
    forward
        .units()
        .expect("what is good in each message is good in all");
    if let Some(report) = report {
        fits(report);
    }
    let handed_back = Value::Object(forward.document());
    let mut again = forward.clone();
    if let Ok(echo) = Eido::read(handed_back.to_string().as_bytes()) {
        again.merge(echo);
    }
    assert_eq!(Value::Object(again.document()), handed_back);
}

/// Each row comes to a call or to one fault, and the lines go up.
pub(super) fn intake_csv(file: &[u8]) {
    let Ok(rows) = csv::CallRows::open(file, "cedarport-pd", TimeZone::UTC) else {
        return;
    };
    let lines_max = file.iter().filter(|byte| **byte == b'\n').count();
    let (mut count, mut line) = (0, 1);
    for row in rows {
        count += 1;
        assert!(
            count <= lines_max,
            "{count} rows in {lines_max} lines after the first"
        );
        match row {
            Ok(report) => fits(report),
            Err(bad) => {
                assert!(bad.line > line, "line {} after line {line}", bad.line);
                line = bad.line;
            }
        }
    }
}

/// Written as JSON it comes in by that door as the same call.
fn fits(report: CallReport) {
    let body = serde_json::to_vec(&report).unwrap();
    let mut again = json::parse(&body, NOW).expect("one door takes what another took");
    for (again, first) in [
        (&mut again.latitude, report.latitude),
        (&mut again.longitude, report.longitude),
    ] {
        if let (Some(degrees), Some(wanted)) = (again.as_mut(), first) {
            assert!(
                (*degrees - wanted).abs() < DEGREES_APART_MAX,
                "{degrees}, {wanted}"
            );
            *degrees = wanted;
        }
    }
    assert_eq!(again, report);
}

pub(super) mod seeds {
    use serde_json::{Value, json};

    pub(in crate::fuzz) fn intake_json() -> Vec<Vec<u8>> {
        let whole = json!({
            "agency": "tpd", "number": "7", "nature": "SHOTS FIRED", "location": "1 MAIN ST",
            "received": "2026-01-05T18:22:31-05:00", "updated": "2026-01-05T23:30:00Z",
            "latitude": 43.04, "longitude": -87.91, "district": "5", "priority": 1,
            "narrative": ["2 rounds, rear lot", "b"], "plates": ["ABC1234"], "units": ["T2"],
            "status": {"closed": {"disposition": "Advised"}},
        });
        let least =
            json!({"agency": "tpd", "number": "7", "nature": "FIGHT", "location": "1 MAIN ST"});
        [whole, least]
            .map(|call| call.to_string().into_bytes())
            .to_vec()
    }

    pub(in crate::fuzz) fn intake_eido() -> Vec<Vec<u8>> {
        const T: &str = "2026-03-01T21:04:05.250-06:00";
        let part = |id: &str, more: Value| {
            let mut part = json!({
                "$id": id, "lastUpdateTimeStamp": T,
                "updatedByAgencyReference": {"$ref": "psap.example"},
            });
            for (key, value) in more.as_object().unwrap() {
                part[key] = value.clone();
            }
            part
        };
        let incident = json!({
            "incidentTypeCommonRegistryText": "WEAPON", "incidentTypeInternalText": "SUBJ WITH GUN",
            "internalIncidentId": "26-00077", "incidentStatusCommonRegistryText": ["Active"],
            "incidentCommonPriorityNumber": 2, "beatOrDispatchGroupText": "C4",
            "locationReference": [{"$ref": "here"}], "notesReference": [{"$ref": "n1"}],
        });
        let call = json!({
            "callStateRegistryText": "callAnswered", "standardPrimaryCallType": "emergency",
            "direction": "incoming", "callStartTimestamp": "2026-03-01T21:03:00-06:00",
        });
        let here = json!({
            "locationTypeDescriptionRegistryText": "CurrentIncident",
            "locationDescriptionText": "by the fountain",
            "locationByValue": "<presence xmlns='p'><Circle xmlns='s'><pos>43.076 -89.404</pos>\
                <radius>25</radius></Circle><civicAddress><HNO>1</HNO><RD>Quad</RD></civicAddress></presence>",
        });
        let person = json!({
            "personIncidentRoleRegistryText": ["Suspect"],
            "ncPersonComponent": {"name": [{"personSurName": [{"value": "Example"}]}]},
        });
        let agency = json!({
            "agencyRoleDescriptionRegistryText": ["Dispatching"], "agencyType": ["psap"],
            "incidentOwningAgencyIndicator": true,
        });
        let unit = json!({
            "agentReference": [], "emergencyResourceTypeCommonRegistryText": "Patrol",
            "primaryUnitStatusRegistryText": "Enroute", "resourceAttributeRegistryText": [],
            "secondaryUnitStatusRegistryText": [], "emergencyResourceName": "C12",
        });
        let whole = json!({
            "eidoVersion": "1.0", "issuingElementIdentification": "cad.example",
            "agencyComponent": [part("psap.example", agency)],
            "incidentComponent": part("inc", incident),
            "callComponent": [part("urn:emergency:uid:callid:c1:bcf.example", call)],
            "locationComponent": [part("here", here)],
            "personComponent": [part("p1", person)],
            "notesComponent": [part("n1", json!({"notesActionComments": "<p>subj w/ gun</p>"}))],
            "emergencyResourceComponent": [part("u-9", unit)],
        });
        let whole = part("urn:emergency:uid:incidentid:77:cad.example", whole);
        let mut later = whole.clone();
        later["lastUpdateTimeStamp"] = json!("2026-03-01T21:09:00-06:00");
        later.as_object_mut().unwrap().remove("incidentComponent");
        later["notesComponent"][0]["notesActionComments"] = json!("he has a gun");
        later["x-vendor"] = json!({"a": [1]});
        let two = format!("{whole}\0{later}");
        vec![whole.to_string().into_bytes(), two.into_bytes()]
    }

    pub(in crate::fuzz) fn intake_csv() -> Vec<Vec<u8>> {
        let file = "id,time,location,latitude,longitude,district,nature,status,narrative\n\
            1,2018-05-01 00:00:14,\"100 N MAIN ST, #2\",43.04,-87.91,5,FIGHT,Advised,\n\
            2,2018-05-01T00:01:14.5,\"a \"\"b\"\"\",,,,TRESPASS,Service in Progress,x\n\
            3,yesterday,1 MAIN ST,,,,FIGHT,,\n\
            4,2018-05-01 00:02:14,\"never closed,,,,FIGHT,,\n\
            5,2018-05-01 00:03:14,2 MAIN ST,91,0,,FIGHT,,\n";
        vec![
            file.into(),
            b"nature,location,time,id\r\nA,B,2018-05-01 00:00:14,1".to_vec(),
            b"id,time,updated,location,nature,priority,plates,units\n\
              7,2018-11-04 01:30:00,2018-11-04 01:30:00-05,A,B,2,X1;Y2,\"4A12, 4A13=on_scene\"\n"
                .to_vec(),
        ]
    }
}
