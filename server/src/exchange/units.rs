//! Units as emergency resources.

use std::collections::BTreeMap;

use packet::{Entry, UnitState};
use serde_json::{Map, Value, json};

use super::Released;
use super::component::{PROLOGUE, Writer, time};

const RESOURCES: &str = "emergencyResourceComponent";

/// Of each unit that the packet speaks of, its last state; what came of a unit is kept,
/// and changed where the packet knows later.
pub(super) fn components(
    released: &Released,
    writer: &Writer<'_>,
    eido: &Map<String, Value>,
) -> Vec<(&'static str, Value)> {
    let mut last: BTreeMap<&str, (i64, UnitState)> = BTreeMap::new();
    for (_, logged) in released.entries() {
        if let Entry::UnitStatus(status) = &logged.inspected.written.entry {
            last.insert(&status.unit, (logged.received_ms, status.status));
        }
    }
    // An officer's own packet names its unit by the grant alone.
    for unit in &released.units {
        let state = (released.last_ms(), UnitState::Assigned);
        last.entry(unit).or_insert(state);
    }
    let mut all = Vec::new();
    for (unit, (at_ms, state)) in last {
        let (at, said) = (time(at_ms), said(state));
        match came(eido, unit) {
            Some(came) => {
                let came_at = came.get("lastUpdateTimeStamp").and_then(Value::as_str);
                let came_at = came_at.and_then(|at| at.parse().ok()).unwrap_or_default();
                let says_the_same = said
                    .iter()
                    .all(|(name, value)| came.get(name) == Some(value));
                if at <= came_at || says_the_same {
                    continue;
                }
                let mut resource = came.clone();
                for name in PROLOGUE {
                    resource.remove(name);
                }
                resource.extend(said);
                let id = came.get("$id").and_then(Value::as_str).unwrap_or_default();
                all.push((RESOURCES, writer.with_id(id, at, Value::Object(resource))));
            }
            None => {
                let mut resource = said;
                resource.insert("emergencyResourceName".into(), json!(unit));
                resource.insert(
                    "emergencyResourceTypeCommonRegistryText".into(),
                    json!("Other"),
                );
                resource.insert("agentReference".into(), json!([]));
                resource.insert("resourceAttributeRegistryText".into(), json!([]));
                let name = format!("unit:{unit}");
                let resource = writer.component_at(&name, at, Value::Object(resource));
                all.push((RESOURCES, resource));
            }
        }
    }
    all
}

/// What came of this unit.
fn came<'e>(eido: &'e Map<String, Value>, unit: &str) -> Option<&'e Map<String, Value>> {
    let resources = eido.get(RESOURCES)?.as_array()?;
    let named = resources
        .iter()
        .find(|it| match it.get("emergencyResourceName") {
            Some(name) => *name == unit,
            None => it["$id"] == unit,
        });
    named.and_then(Value::as_object)
}

fn said(state: UnitState) -> Map<String, Value> {
    let (primary, secondary) = match state {
        UnitState::Assigned => ("Assigned", json!([])),
        UnitState::EnRoute => ("Assigned", json!(["Enroute"])),
        UnitState::OnScene => ("Assigned", json!(["OnScene"])),
        UnitState::Clear => ("Available", json!([])),
    };
    let mut said = Map::new();
    said.insert("primaryUnitStatusRegistryText".into(), json!(primary));
    said.insert("secondaryUnitStatusRegistryText".into(), secondary);
    said
}
