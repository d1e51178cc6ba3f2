//! The incident, and where it is.

use std::fmt::Write as _;

use packet::{CallState, Facts};
use serde_json::{Map, Value, json};

use super::Released;
use super::component::{PROLOGUE, Writer, time};

const INCIDENT: &str = "incident";
const LOCATION: &str = "location";
const DISPOSITION: &str = "disposition";

/// The incident, where the facts say it, and its place. One that came is left as it came:
/// whoever gets it must not take it for newer than it is.
pub(super) fn components(
    came: Option<&Map<String, Value>>,
    facts: &Facts,
    released: &Released,
    writer: &Writer<'_>,
    notes: &[Value],
) -> Option<(Value, Value)> {
    if came.is_some() && !released.facts_are_newer {
        return None;
    }
    let mut incident = came.cloned().unwrap_or_default();
    let id = incident
        .get("$id")
        .and_then(Value::as_str)
        .map(str::to_owned);
    for name in PROLOGUE {
        incident.remove(name);
    }
    incident.extend(said(facts, writer));
    incident.insert(
        "locationReference".into(),
        json!([writer.reference(LOCATION)]),
    );
    let references = incident
        .entry("notesReference")
        .or_insert_with(|| json!([]));
    if let Value::Array(references) = references {
        references.extend(notes.iter().map(|note| json!({"$ref": note["$id"]})));
    }
    let at = time(released.said_ms);
    let more = Value::Object(incident);
    let incident = match id {
        Some(id) => writer.with_id(&id, at, more),
        None => writer.component_at(INCIDENT, at, more),
    };
    Some((incident, location(facts, released, writer)))
}

fn said(facts: &Facts, writer: &Writer<'_>) -> Map<String, Value> {
    let status = match facts.state {
        CallState::Open => "Active",
        CallState::Closed => "Closed",
    };
    let mut said = Map::new();
    let mut say = |name: &str, value: Value| drop(said.insert(name.into(), value));
    say("incidentTypeCommonRegistryText", json!(facts.category));
    say("incidentTypeInternalText", json!(facts.nature));
    say("incidentStatusCommonRegistryText", json!([status]));
    say("incidentCommonPriorityNumber", json!(facts.priority));
    if !facts.number.is_empty() {
        say("internalIncidentId", json!(facts.number));
    }
    if let Some(district) = &facts.district {
        say("beatOrDispatchGroupText", json!(district));
    }
    if let Some(disposition) = &facts.disposition {
        let more = json!({
            "dispositionCommonRegistryCode": disposition,
            "dispositionDescriptionText": disposition,
            "dispositionPrimaryIndicator": true,
        });
        say(
            "dispositionComponent",
            json!([writer.component(DISPOSITION, more)]),
        );
    }
    said
}

fn location(facts: &Facts, released: &Released, writer: &Writer<'_>) -> Value {
    let mut place = json!({
        "locationTypeDescriptionRegistryText": "CurrentIncident",
        "locationDescriptionText": facts.location,
    });
    if let (Some(latitude), Some(longitude)) = (facts.latitude_e6, facts.longitude_e6) {
        place["locationByValue"] = json!(pidf_lo(released, latitude, longitude));
    }
    writer.component_at(LOCATION, time(released.said_ms), place)
}

/// A point (RFC 5491, section 5.2.1) in a presence document (RFC 4119).
fn pidf_lo(released: &Released, latitude_e6: i32, longitude_e6: i32) -> String {
    let mut xml = String::from(r#"<?xml version="1.0" encoding="UTF-8"?>"#);
    let (latitude, longitude) = (f64::from(latitude_e6) / 1e6, f64::from(longitude_e6) / 1e6);
    let _ = write!(
        xml,
        concat!(
            r#"<presence xmlns="urn:ietf:params:xml:ns:pidf" xmlns:gp="urn:ietf:params:xml:ns:pidf:geopriv10" "#,
            r#"xmlns:gml="http://www.opengis.net/gml" entity="pres:{call}@forerunner.invalid">"#,
            r#"<tuple id="place"><status><gp:geopriv><gp:location-info>"#,
            r#"<gml:Point srsName="urn:ogc:def:crs:EPSG::4326"><gml:pos>{latitude} {longitude}</gml:pos></gml:Point>"#,
            r#"</gp:location-info><gp:usage-rules/></gp:geopriv></status></tuple></presence>"#,
        ),
        call = released.call,
        latitude = latitude,
        longitude = longitude,
    );
    xml
}
