//! People and vehicles, as one line of narrative each.
//!
//! The NIEM types behind them have hundreds of fields; taken are those that say
//! whom or what to look for. Anything else an officer asks of a records source,
//! where the disclosure is accounted for.

use super::component::{Component, Components, Shape};
use crate::intake::reading::Node;
use crate::intake::report::IntakeError;

const PERSON_FIELDS: [&str; 8] = [
    "ageDescription",
    "sex",
    "race",
    "heightDescription",
    "weightDescription",
    "hairColor",
    "generalAppearanceDescription",
    "description",
];
const VEHICLE_FIELDS: [&str; 6] = [
    "conveyanceColorPrimary",
    "colorDescription",
    "makeName",
    "modelName",
    "style",
    "description",
];

pub(super) fn lines(root: &Node<'_>) -> Result<Vec<String>, IntakeError> {
    let persons = Components::of(
        root,
        "personComponent",
        &[("personIncidentRoleRegistryText", Shape::List)],
    )?;
    let vehicles = Components::of(
        root,
        "vehicleComponent",
        &[
            ("vehicleRelationshipType", Shape::List),
            ("vehicleRelationshipTimeStamp", Shape::Time),
        ],
    )?;
    let mut lines = Vec::new();
    for person in &persons.all {
        let mut words = Vec::new();
        if let Some(about) = person.node.get("ncPersonComponent")? {
            words.extend(name(&about)?);
            words.extend(values_of(&about, &PERSON_FIELDS)?);
        }
        lines.extend(line(person, "personIncidentRoleRegistryText", &words)?);
    }
    for vehicle in &vehicles.all {
        let mut words = Vec::new();
        if let Some(about) = vehicle.node.get("ncVehicleComponent")? {
            words.extend(values_of(&about, &VEHICLE_FIELDS)?);
        }
        lines.extend(line(vehicle, "vehicleRelationshipType", &words)?);
    }
    Ok(lines)
}

/// `SuspectVehicle: silver, Honda`; nothing where a role is all there is.
fn line(
    component: &Component<'_>,
    roles_key: &str,
    words: &[String],
) -> Result<Option<String>, IntakeError> {
    let mut roles = Vec::new();
    for role in component.node.items(roles_key)? {
        roles.push(role.str()?.trim());
    }
    if words.is_empty() {
        return Ok(None);
    }
    Ok(Some(format!("{}: {}", roles.join(", "), words.join(", "))))
}

fn name(person: &Node<'_>) -> Result<Option<String>, IntakeError> {
    for name in person.items("name")? {
        let mut parts = values(&name, "personFullName")?;
        if parts.is_empty() {
            for key in ["personGivenName", "personMiddleName", "personSurName"] {
                parts.extend(values(&name, key)?);
            }
        }
        if !parts.is_empty() {
            return Ok(Some(parts.join(" ")));
        }
    }
    Ok(None)
}

fn values_of(node: &Node<'_>, keys: &[&str]) -> Result<Vec<String>, IntakeError> {
    let mut all = Vec::new();
    for key in keys {
        all.extend(values(node, key)?);
    }
    Ok(all)
}

/// NIEM's way to say a text: a list of `{"value": …}`.
fn values(node: &Node<'_>, key: &str) -> Result<Vec<String>, IntakeError> {
    let mut values = Vec::new();
    for item in node.items(key)? {
        if let Some(value) = item.get("value")? {
            let text = value.str()?.trim();
            if !text.is_empty() {
                values.push(text.to_owned());
            }
        }
    }
    Ok(values)
}
