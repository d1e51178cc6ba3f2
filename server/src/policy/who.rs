//! Who asks and what about, as policies see it.

use std::sync::Arc;

use jiff::civil::Date;
use packet::{Compartment, Kind};
use serde::{Deserialize, Deserializer, Serialize};

use super::{Act, Actor, Role};

/// The agency of what is no agency's: the center's own people, and packets without a call.
pub const CENTER: &str = "center";

/// The day on which each certification ends, in the center's zone: on that day it is no
/// longer good.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Certifications {
    /// Screened and trained for criminal justice information (CJIS Security Policy 5.2, 5.12).
    #[serde(rename = "CJIS", default, deserialize_with = "day")]
    pub cjis: Option<Date>,
    /// Trained for criminal intelligence (28 CFR Part 23).
    #[serde(default, deserialize_with = "day")]
    pub intel: Option<Date>,
}

fn day<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Date>, D::Error> {
    let wanted = "the day on which it ends, as a date in quotes such as \"2027-01-31\"";
    let text = String::deserialize(deserializer)
        .map_err(|_| serde::de::Error::custom(format_args!("wanted {wanted}")))?;
    let is_plain = text.len() == 10;
    text.parse()
        .ok()
        .filter(|_| is_plain)
        .map(Some)
        .ok_or_else(|| serde::de::Error::custom(format_args!("{text:?}: wanted {wanted}")))
}

/// Who asks, with all that a policy may look at.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Who {
    pub role: Role,
    /// [`CENTER`] where it is nobody's.
    pub agency: Arc<str>,
    /// An officer's badge; the name of who signs in; else the role's.
    pub name: Arc<str>,
    pub certifications: Certifications,
    /// The agency of the device that it asks from.
    pub device: Option<Arc<str>>,
}

impl Who {
    /// One that has nothing but its role.
    #[must_use]
    pub fn of(role: Role) -> Self {
        Self {
            role,
            agency: CENTER.into(),
            name: role.name().into(),
            certifications: Certifications::default(),
            device: None,
        }
    }

    /// A device without an officer.
    #[must_use]
    pub fn device(agency: &str) -> Self {
        Self {
            agency: agency.into(),
            device: Some(agency.into()),
            ..Self::of(Role::Device)
        }
    }
}

impl From<&Actor> for Who {
    fn from(actor: &Actor) -> Self {
        Self {
            role: actor.role,
            agency: actor.agency.as_deref().unwrap_or(CENTER).into(),
            name: actor.name.as_str().into(),
            certifications: actor.certifications,
            device: None,
        }
    }
}

/// What it is asked about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum On<'a> {
    /// No packet.
    Center,
    /// A document of a call that this agency has.
    Document {
        agency: &'a str,
        compartment: Compartment,
    },
    /// A source of this agency, whose answers go into this compartment.
    Source {
        agency: &'a str,
        name: &'a str,
        compartment: Compartment,
    },
}

impl<'a> On<'a> {
    /// What this act is done to, where it is done to a call of this agency.
    #[must_use]
    pub fn call(act: Act, agency: &'a str) -> Self {
        match compartment_of(act) {
            Some(compartment) => Self::Document {
                agency,
                compartment,
            },
            None => Self::Center,
        }
    }
}

/// The compartment that an act is about; `None` for what concerns no packet.
#[must_use]
pub fn compartment_of(act: Act) -> Option<Compartment> {
    match act {
        Act::Show(compartment)
        | Act::Carry(compartment)
        | Act::Release(compartment)
        | Act::SearchIn(compartment)
        | Act::Retain(compartment)
        | Act::Purge(compartment) => Some(compartment),
        Act::Write(Kind::Caution | Kind::Acknowledgement) => Some(Compartment::Safety),
        Act::Write(_)
        | Act::SeePacket
        | Act::FetchAttachment
        | Act::LinkCalls
        | Act::AssignUnit => Some(Compartment::Call),
        _ => None,
    }
}
