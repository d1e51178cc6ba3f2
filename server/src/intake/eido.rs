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

//!
//! # Updates
//! A message may bring some of the components only, late, or again: what was said of an
//! incident is put together by `$id` and `lastUpdateTimeStamp` ([`merged`]), and the call
//! is read from the sum. A reference to a component that has not come is waited for, not
//! refused. Of a document in which nothing says yet what it is about (notes that overtook
//! their incident), there is no call until that comes.

mod callbacks;
mod component;
mod incident;
mod links;
mod merged;
mod people;
mod pidf_lo;
mod place;
mod text;
mod units;

use jiff::Timestamp;
use serde_json::{Map, Value};

use self::component::{Component, Components, Shape};
use self::incident::Subject;
use self::merged::Merged;
use super::narrative;
use super::reading::{self, Node};
use super::report::{
    AGENCY_CHARS_MAX, CallReport, IntakeError, UNITS_MAX, UnitReport, checked_text,
};

pub use self::links::LinkSaid;
pub use self::merged::EIDO_BYTES_MAX;

const VERSION: &str = "1.0";

/// What has been said of one incident so far: one message, or many together.
#[derive(Clone, Debug, PartialEq)]
pub struct Eido {
    /// The document's `$id`: which incident it is about.
    id: String,
    merged: Merged,
}

impl Eido {
    /// One message. All that the published schema requires of what is read here is checked.
    ///
    /// # Errors
    /// Names the JSON path, and what was wanted there.
    pub fn read(body: &[u8]) -> Result<Self, IntakeError> {
        let value = reading::json(body)?;
        let root = Node::root(&value);
        let document = Component::of(root.clone())?;
        let version = root.need("eidoVersion", "text")?;
        if version.str()? != VERSION {
            return Err(version.error(format!("'{VERSION}'"), reading::excerpt(version.str()?)));
        }
        root.need("issuingElementIdentification", "text")?.str()?;
        root.need("agencyComponent", "a list")?.list()?;
        let told = units::read(&root)?;
        if told.len() > UNITS_MAX {
            return Err(IntakeError::field(
                "emergencyResourceComponent",
                format!("at most {UNITS_MAX} items"),
                format!("{} items", told.len()),
            ));
        }
        report(&root)?;
        let Value::Object(members) = &value else {
            return Err(root.error("an object", "something else"));
        };
        Ok(Self {
            id: document.id.str()?.to_owned(),
            merged: Merged::of(members, document.updated),
        })
    }

    /// Of the same incident what [`Eido::written`] gave.
    ///
    /// # Errors
    /// When that was written by something else.
    pub fn of_written(id: &str, text: &str) -> Result<Self, IntakeError> {
        let merged =
            serde_json::from_str(text).map_err(|error| IntakeError::NotJson(error.to_string()))?;
        Ok(Self {
            id: id.to_owned(),
            merged,
        })
    }

    /// As it is kept.
    ///
    /// # Errors
    /// When it is larger than [`EIDO_BYTES_MAX`].
    pub fn written(&self) -> Result<String, IntakeError> {
        self.merged.written()
    }

    #[must_use]
    pub fn id(&self) -> &str {
        &self.id
    }

    /// Adds what another message says. In any order, and any number of times, the same
    /// comes of it.
    pub fn merge(&mut self, other: Self) {
        self.merged.merge(other.merged);
    }

    /// Leaves out the components with such an `$id`, or that such an agency updated.
    pub fn forget(&mut self, is_forgotten: impl Fn(&str, &str) -> bool) {
        self.merged.forget(is_forgotten);
    }

    /// As one document: every component and every member as it came.
    #[must_use]
    pub fn document(&self) -> Map<String, Value> {
        self.merged.document()
    }

    /// When anything of it was last updated.
    #[must_use]
    pub fn updated(&self) -> Timestamp {
        self.merged.updated()
    }

    /// The call that it is about, without its units; `None` while nothing says so.
    ///
    /// # Errors
    /// Names the JSON path in the sum of all messages.
    pub fn report(&self) -> Result<Option<CallReport>, IntakeError> {
        let document = Value::Object(self.document());
        let report = report(&Node::root(&document))?;
        Ok(report.map(|report| CallReport {
            updated: self.merged.updated(),
            ..report
        }))
    }

    /// All that it says in words.
    ///
    /// # Errors
    /// Names the JSON path.
    pub fn words(&self) -> Result<Vec<String>, IntakeError> {
        let document = Value::Object(self.document());
        let Words { mut notes, about } = words(&Node::root(&document))?;
        notes.extend(about);
        Ok(narrative::fit(notes))
    }

    /// What notes said that were changed since.
    #[must_use]
    pub fn former_words(&self) -> Vec<String> {
        let words = self.merged.former_words().iter();
        narrative::fit(words.map(|html| text::plain(html)).collect())
    }

    /// The incidents, by their documents' `$id`s, that it says it is linked or merged with:
    /// of each what was said last.
    #[must_use]
    pub fn links(&self) -> Vec<(String, LinkSaid)> {
        links::read(&self.document())
    }

    /// What it says of units.
    ///
    /// # Errors
    /// Names the JSON path.
    pub fn units(&self) -> Result<Vec<UnitReport>, IntakeError> {
        let document = Value::Object(self.document());
        units::read(&Node::root(&document))
    }
}

/// The call in a message that says all of it.
///
/// # Errors
/// Names the JSON path, and what was wanted there.
pub fn parse(body: &[u8]) -> Result<CallReport, IntakeError> {
    let eido = Eido::read(body)?;
    let report = eido.report()?.ok_or_else(|| {
        IntakeError::field(
            "incidentComponent",
            "an incident, or a call in callComponent",
            "neither",
        )
    })?;
    Ok(CallReport {
        units: eido.units()?,
        ..report
    })
}

/// Without its units.
fn report(root: &Node<'_>) -> Result<Option<CallReport>, IntakeError> {
    let document = Component::of(root.clone())?;
    let subject = Subject::of(root, &document)?;
    let agency = agency(root, &document)?;
    let references = subject.as_ref().map(|subject| &subject.location_refs[..]);
    let places = place::read(root, references.unwrap_or_default())?;
    let words = words(root)?;
    let Some(subject) = subject else {
        return Ok(None);
    };
    let mut lines = words.notes;
    lines.extend(subject.remarks);
    lines.extend(words.about);
    lines.extend(places.remarks);
    let (latitude, longitude) = places.point.unzip();
    Ok(Some(CallReport {
        agency,
        number: subject.number,
        received: subject.received,
        updated: document.updated,
        nature: subject.nature,
        location: places.location,
        latitude,
        longitude,
        district: subject.district,
        priority: subject.priority,
        narrative: narrative::fit(lines),
        plates: Vec::new(),
        units: Vec::new(),
        status: subject.status,
    }))
}

/// What is said in words, whatever the incident is.
struct Words {
    notes: Vec<String>,
    /// Of people, vehicles, and how to call back.
    about: Vec<String>,
}

fn words(root: &Node<'_>) -> Result<Words, IntakeError> {
    let notes = Components::of(
        root,
        "notesComponent",
        &[("notesActionComments", Shape::Text)],
    )?;
    let mut about = people::lines(root)?;
    about.extend(callbacks::lines(root)?);
    Ok(Words {
        notes: text::notes(&notes)?,
        about,
    })
}

fn agency(root: &Node<'_>, document: &Component<'_>) -> Result<String, IntakeError> {
    let agencies = Components::of(
        root,
        "agencyComponent",
        &[
            ("agencyRoleDescriptionRegistryText", Shape::List),
            ("agencyType", Shape::List),
        ],
    )?;
    for agency in &agencies.all {
        let owns = agency.node.get("incidentOwningAgencyIndicator")?;
        if owns.map_or(Ok(false), |owns| owns.flag())? {
            return agency.id.text(AGENCY_CHARS_MAX);
        }
    }
    document.updated_by.target().text(AGENCY_CHARS_MAX)
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
