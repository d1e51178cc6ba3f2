//! What an incident says of being linked with others (NENA-STA-021.1, link and merge
//! components). A component that cannot be read says nothing; it is handed back.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde_json::{Map, Value};

/// What was said last of one other incident.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkSaid {
    Linked,
    /// … and is so no longer.
    Unlinked,
}

pub(super) fn read(document: &Map<String, Value>) -> Vec<(String, LinkSaid)> {
    let mut last: BTreeMap<&str, (Timestamp, LinkSaid)> = BTreeMap::new();
    for kind in ["linkComponent", "mergeComponent"] {
        let components = document.get(kind).and_then(Value::as_array);
        for component in components.into_iter().flatten() {
            let Some((other, said)) = said(component) else {
                continue;
            };
            let known = last.entry(other).or_insert(said);
            *known = (*known).max(said);
        }
    }
    let links = last.into_iter();
    links
        .map(|(other, (_, said))| (other.to_owned(), said))
        .collect()
}

fn said(component: &Value) -> Option<(&str, (Timestamp, LinkSaid))> {
    let other = component.get("incidentTrackingIdentifier")?.as_str()?;
    let at = component
        .get("lastUpdateTimeStamp")?
        .as_str()?
        .parse()
        .ok()?;
    let direction = component.get("linkDirectionCode").and_then(Value::as_str);
    let said = match direction {
        Some("UNLINK") => LinkSaid::Unlinked,
        _ => LinkSaid::Linked,
    };
    Some((other, (at, said)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use serde_json::json;

    use super::*;

    #[test]
    fn of_each_other_incident_the_last_word_counts() {
        let link = |other: &str, at: &str, direction: &str| {
            json!({
                "$id": at, "lastUpdateTimeStamp": at,
                "incidentTrackingIdentifier": other, "linkDirectionCode": direction,
            })
        };
        let document = json!({
            "linkComponent": [
                link("a", "2026-01-01T00:00:02Z", "UNLINK"),
                link("a", "2026-01-01T00:00:01Z", "RELATED"),
                link("b", "2026-01-01T00:00:01Z", "PARENT"),
                {"$id": "broken"},
            ],
            "mergeComponent": [{
                "$id": "m", "lastUpdateTimeStamp": "2026-01-01T00:00:01Z",
                "incidentTrackingIdentifier": "c", "incidentMergeDirectionCode": "SPLIT",
            }],
        });
        let found = read(document.as_object().unwrap());
        let wanted = [
            ("a", LinkSaid::Unlinked),
            ("b", LinkSaid::Linked),
            ("c", LinkSaid::Linked),
        ];
        assert_eq!(found, wanted.map(|(other, said)| (other.to_owned(), said)));
    }
}
