//! The standard door: NENA's Emergency Incident Data Object (NENA-STA-021.1).
//!
//! An EIDO is a flat set of components that refer to each other by `$id`. Read
//! here is what an officer needs; of that, everything that the published schema
//! requires is checked, and an error names the JSON path. What the schema allows
//! is taken, even where it helps little: an incident without a place, a location
//! whose XML cannot be read, a call transfer that has no incident yet. Refusing
//! those would lose a call over a detail; the narrative says what was missing.
//!
//! What becomes what:
//!
//! | call | from |
//! |---|---|
//! | agency | the agency that owns the incident, else the one that sent the update |
//! | number | `internalIncidentId`, else the incident's id; without an incident, the call's id |
//! | nature | the agency's own text, else its code, else the common registry's; without an incident, the call's type |
//! | received | the earliest call's start, else the incident's time |
//! | location | the incident's places, else the calls': the current incident first, the routing location last (that may be a cell tower) |
//! | narrative | notes in order of time, then people, vehicles, further places |
//! | units | the emergency resources |

mod component;
mod incident;
mod people;
mod pidf_lo;
mod place;
mod text;
mod units;

use self::component::{Component, Components, Shape};
use self::incident::Subject;
use super::narrative;
use super::reading::{self, Node};
use super::report::{AGENCY_CHARS_MAX, CallReport, IntakeError, checked_text};

const VERSION: &str = "1.0";

/// The call in `body`.
pub fn parse(body: &[u8]) -> Result<CallReport, IntakeError> {
    let value = reading::json(body)?;
    let root = Node::root(&value);
    let eido = Component::of(root.clone())?;
    let version = root.need("eidoVersion", "text")?;
    if version.str()? != VERSION {
        return Err(version.error(format!("'{VERSION}'"), reading::excerpt(version.str()?)));
    }
    root.need("issuingElementIdentification", "text")?.str()?;
    root.need("agencyComponent", "a list")?;

    let notes = Components::of(
        &root,
        "notesComponent",
        &[("notesActionComments", Shape::Text)],
    )?;
    let subject = Subject::of(&root, &eido, &notes)?;
    let places = place::read(&root, &subject.location_refs)?;
    let mut lines = text::notes(&notes)?;
    lines.extend(subject.remarks);
    lines.extend(people::lines(&root)?);
    lines.extend(places.remarks);
    let (latitude, longitude) = places.point.unzip();
    Ok(CallReport {
        agency: agency(&root, &eido)?,
        number: subject.number,
        received: subject.received,
        updated: eido.updated,
        nature: subject.nature,
        location: places.location,
        latitude,
        longitude,
        district: subject.district,
        priority: subject.priority,
        narrative: narrative::fit(lines),
        plates: Vec::new(),
        units: units::read(&root)?,
        status: subject.status,
    })
}

fn agency(root: &Node<'_>, eido: &Component<'_>) -> Result<String, IntakeError> {
    let agencies = Components::of(
        root,
        "agencyComponent",
        &[
            ("agencyRoleDescriptionRegistryText", Shape::List),
            ("agencyType", Shape::List),
        ],
    )?;
    let mut owner = None;
    for agency in &agencies.all {
        let owns = agency.node.get("incidentOwningAgencyIndicator")?;
        if owns.map_or(Ok(false), |owns| owns.flag())? && owner.is_none() {
            owner = Some(agency);
        }
    }
    let agency = match owner {
        Some(owner) => owner,
        None => agencies.follow(&eido.updated_by)?,
    };
    agency.id.text(AGENCY_CHARS_MAX)
}

/// Text that may be empty, which then is as if it was not there.
fn some_text(node: Option<Node<'_>>, chars_max: usize) -> Result<Option<String>, IntakeError> {
    match node {
        Some(node) if !node.str()?.trim().is_empty() => checked_text(node.str()?, chars_max)
            .map(Some)
            .map_err(|(wanted, found)| node.error(wanted, found)),
        _ => Ok(None),
    }
}

#[cfg(test)]
mod tests;
