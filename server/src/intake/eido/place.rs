//! Where it is, out of several places that may be given.
//!
//! The text and the point are always of one and the same place: an address of
//! the caller beside the point of a cell tower would send a car to neither.

use super::component::{Component, Components, Reference, Shape};
use super::pidf_lo::{self, PidfLo};
use super::some_text;
use crate::intake::reading::{Node, excerpt};
use crate::intake::report::{IntakeError, LOCATION_CHARS_MAX};

const LOCATION_MISSING: &str = "LOCATION NOT GIVEN";
const DESCRIPTION_CHARS_MAX: usize = 4000;

pub(super) struct Places {
    pub(super) location: String,
    /// Latitude, longitude.
    pub(super) point: Option<(f64, f64)>,
    pub(super) remarks: Vec<String>,
}

struct Place {
    kind: String,
    rank: u8,
    read: PidfLo,
    description: Option<String>,
    remarks: Vec<String>,
}

pub(super) fn read(root: &Node<'_>, references: &[Reference<'_>]) -> Result<Places, IntakeError> {
    let components = Components::of(
        root,
        "locationComponent",
        &[("locationTypeDescriptionRegistryText", Shape::Text)],
    )?;
    let mut places = Vec::new();
    let mut awaited = Vec::new();
    for reference in references {
        match components.follow(reference)? {
            Some(component) => places.push(Place::of(component)?),
            None => awaited.push(reference.target().str()?),
        }
    }
    places.sort_by_key(|place| (!place.says_where(), place.rank));
    let mut chosen = choose(places);
    chosen.remarks.extend(
        awaited
            .into_iter()
            .map(|id| format!("A place is named that has not come yet ({})", excerpt(id))),
    );
    Ok(chosen)
}

fn choose(places: Vec<Place>) -> Places {
    let mut chosen = Places {
        location: LOCATION_MISSING.to_owned(),
        point: None,
        remarks: Vec::new(),
    };
    for (at, place) in places.into_iter().enumerate() {
        let Some(text) = place.text() else {
            chosen.remarks.extend(place.remarks);
            continue;
        };
        if at > 0 {
            chosen
                .remarks
                .push(format!("Further place, {}: {text}", place.kind));
        } else {
            if text.chars().count() > LOCATION_CHARS_MAX {
                chosen.remarks.push(format!("Place in full: {text}"));
            }
            chosen.location = shortened(&text);
            chosen.point = place.read.point;
            if let (Some(_), Some(meters)) = (place.read.point, place.read.radius_meters) {
                chosen
                    .remarks
                    .push(format!("The point is good to {meters:.0} m"));
            }
        }
        chosen.remarks.extend(place.remarks);
    }
    chosen
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= LOCATION_CHARS_MAX {
        return text.to_owned();
    }
    let mut short: String = text.chars().take(LOCATION_CHARS_MAX - 1).collect();
    short.push('…');
    short
}

impl Place {
    fn of(component: &Component<'_>) -> Result<Self, IntakeError> {
        let node = &component.node;
        let kind = node.need("locationTypeDescriptionRegistryText", "text")?;
        let kind = kind.str()?.trim().to_owned();
        let description = some_text(node.get("locationDescriptionText")?, DESCRIPTION_CHARS_MAX)?;
        let mut remarks = Vec::new();
        let mut read = PidfLo::default();
        if let Some(value) = node.get("locationByValue")? {
            match pidf_lo::read(value.str()?) {
                Ok(place) => read = place,
                Err(reason) => {
                    remarks.push(format!("A place was sent that cannot be read ({reason})"));
                }
            }
        }
        for (key, what) in [
            ("intersectingStreetByValue", "Intersecting street"),
            ("crossStreetByValue", "Cross street"),
        ] {
            for street in node.items(key)? {
                // One that cannot be read is handed back, and helps nobody here.
                let street = pidf_lo::read(street.str()?).unwrap_or_default();
                remarks.extend(street.civic.map(|civic| format!("{what}: {civic}")));
            }
        }
        Ok(Self {
            rank: rank(&kind),
            kind,
            read,
            description,
            remarks,
        })
    }

    fn says_where(&self) -> bool {
        self.text().is_some()
    }

    fn text(&self) -> Option<String> {
        let words: Vec<_> = [&self.read.civic, &self.description]
            .into_iter()
            .flatten()
            .cloned()
            .collect();
        let text = match self.read.point {
            _ if !words.is_empty() => words.join(", "),
            Some((latitude, longitude)) => format!("{latitude:.5}, {longitude:.5}"),
            None => return None,
        };
        Some(if self.rank == RANK_ROUTING {
            format!("{text} (routing location)")
        } else {
            text
        })
    }
}

const RANK_ROUTING: u8 = 3;

fn rank(kind: &str) -> u8 {
    match kind.to_ascii_lowercase().as_str() {
        "currentincident" => 0,
        "caller" | "callerlocation" => 2,
        "routinglocation" => RANK_ROUTING,
        _ => 1,
    }
}
