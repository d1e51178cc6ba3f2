//! Emergency resources: units, and what they do.
//!
//! The standard's registries say *primary* whether a unit is to be had, and *secondary*
//! what it does; a CAD's own words stand beside them. Of all that, the word that says
//! most of the unit's way to the call counts. A unit whose words say nothing of that is
//! on the call.

use packet::UnitState;

use super::component::{Component, Components, Shape};
use crate::intake::reading::Node;
use crate::intake::report::{IntakeError, UNIT_CHARS_MAX, UnitReport};

/// Words of a status, without spaces and signs, in small letters.
const WORDS: [(&str, UnitState); 18] = [
    ("assigned", UnitState::Assigned),
    ("dispatched", UnitState::Assigned),
    ("enroute", UnitState::EnRoute),
    ("responding", UnitState::EnRoute),
    ("onscene", UnitState::OnScene),
    ("atscene", UnitState::OnScene),
    ("arrived", UnitState::OnScene),
    ("staged", UnitState::OnScene),
    ("staging", UnitState::OnScene),
    ("clear", UnitState::Clear),
    ("cleared", UnitState::Clear),
    ("available", UnitState::Clear),
    ("inservice", UnitState::Clear),
    ("returning", UnitState::Clear),
    ("offduty", UnitState::Clear),
    ("outofservice", UnitState::Clear),
    ("cancelled", UnitState::Clear),
    ("canceled", UnitState::Clear),
];

pub(super) fn read(root: &Node<'_>) -> Result<Vec<UnitReport>, IntakeError> {
    let resources = Components::of(
        root,
        "emergencyResourceComponent",
        &[
            ("agentReference", Shape::List),
            ("emergencyResourceTypeCommonRegistryText", Shape::Text),
            ("primaryUnitStatusRegistryText", Shape::Text),
            ("resourceAttributeRegistryText", Shape::List),
            ("secondaryUnitStatusRegistryText", Shape::List),
        ],
    )?;
    resources.all.iter().map(unit).collect()
}

fn unit(resource: &Component<'_>) -> Result<UnitReport, IntakeError> {
    let name = resource.node.get("emergencyResourceName")?;
    Ok(UnitReport {
        unit: name.as_ref().unwrap_or(&resource.id).text(UNIT_CHARS_MAX)?,
        status: status(&resource.node)?,
        at: Some(resource.updated),
    })
}

fn status(resource: &Node<'_>) -> Result<Option<UnitState>, IntakeError> {
    let mut states = Vec::new();
    let primary = resource.need("primaryUnitStatusRegistryText", "text")?;
    states.extend(state(primary.str()?));
    for key in ["secondaryUnitStatusRegistryText", "unitStatusInternal"] {
        for word in resource.items(key)? {
            states.extend(state(word.str()?));
        }
    }
    Ok(states.into_iter().max_by_key(|state| *state as u8))
}

fn state(word: &str) -> Option<UnitState> {
    let letters: String = word
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let known = WORDS.iter().find(|(known, _)| *known == letters)?;
    Some(known.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_a_status_are_read_whatever_their_spelling() {
        for (word, wanted) in [
            ("En Route", Some(UnitState::EnRoute)),
            ("OnScene", Some(UnitState::OnScene)),
            ("ON-SCENE", Some(UnitState::OnScene)),
            ("Available", Some(UnitState::Clear)),
            ("10-7", None),
        ] {
            assert_eq!(state(word), wanted, "{word}");
        }
    }
}
