//! The plain door: `POST /v1/calls`, for a CAD that speaks nothing else.
//!
//! ```json
//! {"agency": "tpd", "number": "2026-000123", "nature": "SHOTS FIRED",
//!  "location": "400 W STATE ST", "received": "2026-01-05T18:22:31-05:00",
//!  "latitude": 43.04, "longitude": -87.91, "priority": 1,
//!  "narrative": ["2 rounds, rear lot"], "units": ["T2"], "status": "open"}
//! ```
//!
//! A closed call says `"status": {"closed": {"disposition": "Advised"}}`. A unit may say
//! what it does: `{"unit": "T2", "status": "en_route"}` (`assigned`, `en_route`,
//! `on_scene`, `clear`), and since when (`"at"`, else `updated`). A unit that is not named
//! is not spoken of: it leaves the call when it is said to be `clear`. Unknown
//! fields are refused by name: a misspelt `narative` would lose what the officer
//! needs most.

use jiff::Timestamp;
use packet::UnitState;

use super::reading::{self, Node};
use super::report::{
    AGENCY_CHARS_MAX, CallReport, CallStatus, DISPOSITION_CHARS_MAX, DISTRICT_CHARS_MAX,
    IntakeError, LATITUDE_DEGREES_MAX, LOCATION_CHARS_MAX, LONGITUDE_DEGREES_MAX,
    NARRATIVE_CHARS_MAX, NARRATIVE_ITEMS_MAX, NATURE_CHARS_MAX, NUMBER_CHARS_MAX, PLATE_CHARS_MAX,
    PLATES_MAX, PRIORITY_MAX, UNIT_CHARS_MAX, UNITS_MAX, UnitReport, unit_state,
};

const FIELDS: [&str; 14] = [
    "agency",
    "number",
    "received",
    "updated",
    "nature",
    "location",
    "latitude",
    "longitude",
    "district",
    "priority",
    "narrative",
    "plates",
    "units",
    "status",
];

/// The call in `body`; `now` stands in for the times that it does not say.
pub fn parse(body: &[u8], now: Timestamp) -> Result<CallReport, IntakeError> {
    let value = reading::json(body)?;
    let call = Node::root(&value);
    call.only(&FIELDS)?;
    let text = |key: &str, chars_max| call.need(key, "text")?.text(chars_max);
    let time = |key: &str| call.get(key)?.map(|at| at.timestamp()).transpose();
    let texts = |key: &str, items_max, chars_max| {
        call.get(key)?
            .map_or(Ok(Vec::new()), |list| list.texts(items_max, chars_max))
    };
    let (latitude, longitude) = coordinates(&call)?;
    Ok(CallReport {
        agency: text("agency", AGENCY_CHARS_MAX)?,
        number: text("number", NUMBER_CHARS_MAX)?,
        received: time("received")?.unwrap_or(now),
        updated: time("updated")?.unwrap_or(now),
        nature: text("nature", NATURE_CHARS_MAX)?,
        location: text("location", LOCATION_CHARS_MAX)?,
        latitude,
        longitude,
        district: call
            .get("district")?
            .map(|district| district.text(DISTRICT_CHARS_MAX))
            .transpose()?,
        priority: call.get("priority")?.map(|at| priority(&at)).transpose()?,
        narrative: texts("narrative", NARRATIVE_ITEMS_MAX, NARRATIVE_CHARS_MAX)?,
        plates: texts("plates", PLATES_MAX, PLATE_CHARS_MAX)?,
        units: units(&call)?,
        status: call
            .get("status")?
            .map_or(Ok(CallStatus::Open), |at| status(&at))?,
    })
}

fn coordinates(call: &Node<'_>) -> Result<(Option<f64>, Option<f64>), IntakeError> {
    let (latitude, longitude) = (call.get("latitude")?, call.get("longitude")?);
    match (latitude, longitude) {
        (None, None) => Ok((None, None)),
        (Some(latitude), Some(longitude)) => Ok((
            Some(latitude.degrees(LATITUDE_DEGREES_MAX)?),
            Some(longitude.degrees(LONGITUDE_DEGREES_MAX)?),
        )),
        (Some(_), None) => Err(IntakeError::field(
            "longitude",
            "a number, as there is a latitude",
            "nothing",
        )),
        (None, Some(_)) => Err(IntakeError::field(
            "latitude",
            "a number, as there is a longitude",
            "nothing",
        )),
    }
}

fn priority(at: &Node<'_>) -> Result<u8, IntakeError> {
    let priority = at.whole()?;
    u8::try_from(priority)
        .ok()
        .filter(|priority| (1..=PRIORITY_MAX).contains(priority))
        .ok_or_else(|| {
            at.error(
                format!("a whole number, 1 (most urgent) to {PRIORITY_MAX}"),
                priority.to_string(),
            )
        })
}

fn units(call: &Node<'_>) -> Result<Vec<UnitReport>, IntakeError> {
    let Some(list) = call.get("units")? else {
        return Ok(Vec::new());
    };
    list.at_most(UNITS_MAX)?.iter().map(unit).collect()
}

fn unit(at: &Node<'_>) -> Result<UnitReport, IntakeError> {
    if at.str().is_ok() {
        return at.text(UNIT_CHARS_MAX).map(UnitReport::on_it);
    }
    at.only(&["unit", "status", "at"])?;
    Ok(UnitReport {
        unit: at.need("unit", "text")?.text(UNIT_CHARS_MAX)?,
        status: at.get("status")?.map(|at| state(&at)).transpose()?,
        at: at.get("at")?.map(|at| at.timestamp()).transpose()?,
    })
}

fn state(at: &Node<'_>) -> Result<UnitState, IntakeError> {
    let word = at.str()?;
    unit_state(word).ok_or_else(|| {
        at.error(
            "assigned, en_route, on_scene or clear",
            format!("'{}'", reading::excerpt(word)),
        )
    })
}

fn status(at: &Node<'_>) -> Result<CallStatus, IntakeError> {
    const WANTED: &str = "\"open\" or {\"closed\": {\"disposition\": \"…\"}}";
    if let Ok(word) = at.str() {
        return if word == "open" {
            Ok(CallStatus::Open)
        } else {
            Err(at.error(WANTED, format!("'{}'", reading::excerpt(word))))
        };
    }
    at.only(&["closed"])?;
    let closed = at.need("closed", WANTED)?;
    closed.only(&["disposition"])?;
    let disposition = closed.need("disposition", "text")?;
    Ok(CallStatus::Closed {
        disposition: disposition.text(DISPOSITION_CHARS_MAX)?,
    })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::intake::report::BODY_BYTES_MAX;
    use serde_json::{Value, json};

    const NOW: Timestamp = Timestamp::constant(1_700_000_000, 0);

    fn call(changes: Value) -> Vec<u8> {
        let mut call =
            json!({"agency": "tpd", "number": "7", "nature": "FIGHT", "location": "1 MAIN ST"});
        for (key, value) in changes.as_object().unwrap() {
            call[key] = value.clone();
        }
        serde_json::to_vec(&call).unwrap()
    }

    /// The path and the whole message of what is wrong.
    fn wrong(changes: Value) -> (String, String) {
        let error = parse(&call(changes), NOW).unwrap_err();
        (error.path().unwrap().to_owned(), error.to_string())
    }

    #[test]
    fn the_four_required_fields_make_an_open_call_received_now() {
        let report = parse(&call(json!({})), NOW).unwrap();
        assert_eq!((report.received, report.updated), (NOW, NOW));
        assert_eq!(report.status, CallStatus::Open);
        assert_eq!((report.latitude, report.priority), (None, None));
    }

    #[test]
    fn every_field_is_taken() {
        let report = parse(
            &call(json!({
                "received": "2026-01-05T18:22:31-05:00", "updated": "2026-01-05T23:30:00Z",
                "latitude": 43, "longitude": -87.9, "district": "5", "priority": 1,
                "narrative": ["a", "b"], "plates": ["ABC1234"],
                "units": ["T2", {"unit": "T3", "status": "on_scene", "at": "2026-01-05T23:29:00Z"}],
                "status": {"closed": {"disposition": "Advised"}},
            })),
            NOW,
        )
        .unwrap();
        assert_eq!(report.received, "2026-01-05T23:22:31Z".parse().unwrap());
        assert_eq!(
            (report.latitude, report.longitude),
            (Some(43.0), Some(-87.9))
        );
        assert_eq!(report.narrative, ["a", "b"]);
        assert_eq!(report.units[0], "T2".into());
        let UnitReport { unit, status, at } = &report.units[1];
        assert_eq!((unit.as_str(), *status), ("T3", Some(UnitState::OnScene)));
        assert_eq!(*at, Some("2026-01-05T23:29:00Z".parse().unwrap()));
        assert_eq!(
            report.status,
            CallStatus::Closed {
                disposition: "Advised".to_owned()
            }
        );
    }

    #[test]
    fn a_written_report_is_a_body_that_this_door_takes() {
        let report = parse(
            &call(json!({
                "status": {"closed": {"disposition": "x"}},
                "units": ["T2", {"unit": "T3", "status": "clear"}, {"unit": "T4", "at": "2026-01-05T23:29:00Z"}],
            })),
            NOW,
        )
        .unwrap();
        assert_eq!(
            parse(&serde_json::to_vec(&report).unwrap(), NOW).unwrap(),
            report
        );
    }

    #[test]
    fn each_required_field_that_is_missing_null_or_blank_is_named() {
        for field in ["agency", "number", "nature", "location"] {
            assert_eq!(wrong(json!({field: null})).0, field);
            assert_eq!(wrong(json!({field: "  "})).0, field);
            assert_eq!(wrong(json!({field: 7})).0, field);
        }
        assert_eq!(
            wrong(json!({"number": null})).1,
            "number: wanted text, found nothing"
        );
    }

    #[test]
    fn an_unknown_field_is_refused_by_name() {
        let (path, message) = wrong(json!({"narative": ["x"]}));
        assert_eq!(path, "narative");
        assert!(message.contains("narrative"), "{message}");
        assert_eq!(
            wrong(json!({"status": {"closed": {"disposition": "x", "by": 1}}})).0,
            "status.closed.by"
        );
    }

    #[test]
    fn limits_and_types_name_the_item_at_fault() {
        assert_eq!(wrong(json!({"units": ["a", "b", 3]})).0, "units[2]");
        assert_eq!(wrong(json!({"units": vec!["a"; 21]})).0, "units");
        for (unit, path) in [
            (json!({"status": "clear"}), "units[0].unit"),
            (json!({"unit": "a", "status": "gone"}), "units[0].status"),
            (json!({"unit": "a", "at": "noon"}), "units[0].at"),
            (json!({"unit": "a", "by": "b"}), "units[0].by"),
        ] {
            assert_eq!(wrong(json!({"units": [unit]})).0, path);
        }
        assert_eq!(
            wrong(json!({"narrative": ["ok", "x".repeat(2001)]})).0,
            "narrative[1]"
        );
        assert_eq!(wrong(json!({"plates": vec!["a"; 11]})).0, "plates");
        assert_eq!(wrong(json!({"number": "9".repeat(65)})).0, "number");
        assert_eq!(wrong(json!({"nature": "x".repeat(121)})).0, "nature");
        assert_eq!(wrong(json!({"location": "x".repeat(201)})).0, "location");
        assert_eq!(wrong(json!({"status": "shut"})).0, "status");
        assert_eq!(
            wrong(json!({"status": {"closed": {}}})).0,
            "status.closed.disposition"
        );
    }

    #[test]
    fn numbers_out_of_range_are_refused() {
        for latitude in [
            json!(90.1),
            json!("43.0"),
            json!("NaN"),
            json!(1e300),
            json!(true),
        ] {
            assert_eq!(
                wrong(json!({"latitude": latitude, "longitude": 0})).0,
                "latitude"
            );
        }
        assert_eq!(wrong(json!({"latitude": 43.0})).0, "longitude");
        for priority in [
            json!(0),
            json!(6),
            json!(1.5),
            json!(u64::MAX),
            json!(-1),
            json!("1"),
        ] {
            assert_eq!(wrong(json!({"priority": priority})).0, "priority");
        }
    }

    #[test]
    fn times_without_an_offset_are_refused() {
        for time in [
            json!("2026-01-05 18:22:31"),
            json!("yesterday"),
            json!(1_700_000_000),
        ] {
            assert_eq!(wrong(json!({"received": time})).0, "received");
        }
    }

    #[test]
    fn what_is_no_json_object_is_one_clear_error() {
        let whole = call(json!({}));
        for end in 0..whole.len() {
            assert!(matches!(
                parse(&whole[..end], NOW),
                Err(IntakeError::NotJson(_))
            ));
        }
        assert!(matches!(
            parse(b"{\"latitude\": NaN}", NOW),
            Err(IntakeError::NotJson(_))
        ));
        assert!(matches!(
            parse(b"{\"priority\": 1e999}", NOW),
            Err(IntakeError::NotJson(_))
        ));
        assert!(matches!(
            parse(b"\xff\xfe", NOW),
            Err(IntakeError::NotJson(_))
        ));
        let deep = [b"[".repeat(100_000), b"]".repeat(100_000)].concat();
        assert!(matches!(parse(&deep, NOW), Err(IntakeError::NotJson(_))));
        assert_eq!(parse(b"[]", NOW).unwrap_err().path(), Some("$"));
        let large = vec![b' '; BODY_BYTES_MAX + 1];
        assert!(matches!(
            parse(&large, NOW),
            Err(IntakeError::TooLarge { .. })
        ));
    }
}
