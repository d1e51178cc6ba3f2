//! One call as dispatch reports it, and the limits that every door keeps.
//!
//! The limits are here and not in the doors, so that a call that came in by one
//! door fits wherever a call that came in by another does.

use jiff::Timestamp;
use packet::UnitState;
use serde::{Deserialize, Serialize};

pub const BODY_BYTES_MAX: usize = 1 << 20;
pub const AGENCY_CHARS_MAX: usize = 120;
pub const NUMBER_CHARS_MAX: usize = 64;
pub const NATURE_CHARS_MAX: usize = 120;
pub const LOCATION_CHARS_MAX: usize = 200;
pub const DISTRICT_CHARS_MAX: usize = 32;
pub const DISPOSITION_CHARS_MAX: usize = 120;
pub const NARRATIVE_CHARS_MAX: usize = 2000;
pub const NARRATIVE_ITEMS_MAX: usize = 20;
pub const UNIT_CHARS_MAX: usize = 64;
pub const UNITS_MAX: usize = 20;
pub const PLATE_CHARS_MAX: usize = 16;
pub const PLATES_MAX: usize = 10;
pub const LATITUDE_DEGREES_MAX: f64 = 90.0;
pub const LONGITUDE_DEGREES_MAX: f64 = 180.0;
/// 1 is the most urgent.
pub const PRIORITY_MAX: u8 = 5;

/// A call for service as dispatch tells it, once or again: (`agency`, `number`)
/// says which call it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CallReport {
    pub agency: String,
    /// CAD's own number for the call, unique in the agency.
    pub number: String,
    pub received: Timestamp,
    /// When dispatch last touched the call; of two reports the later is current.
    pub updated: Timestamp,
    /// The type of call, in dispatch's words.
    pub nature: String,
    pub location: String,
    /// Degrees, WGS 84; there is a longitude where there is a latitude.
    pub latitude: Option<f64>,
    pub longitude: Option<f64>,
    pub district: Option<String>,
    /// As dispatch says it, 1 (most urgent) to 5.
    pub priority: Option<u8>,
    pub narrative: Vec<String>,
    pub plates: Vec<String>,
    /// What is said of units. A unit that is not named is not spoken of: nobody loses a
    /// packet because a message was short.
    pub units: Vec<UnitReport>,
    pub status: CallStatus,
}

/// What dispatch says of one unit of a call. In JSON `"T2"`, or
/// `{"unit": "T2", "status": "on_scene", "at": "2026-01-05T18:25:00-05:00"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(from = "UnitForm", into = "UnitForm")]
pub struct UnitReport {
    pub unit: String,
    /// `None`: it is on the call, and no more is said of it.
    pub status: Option<UnitState>,
    /// Since when; `None`: the report's `updated`.
    pub at: Option<Timestamp>,
}

impl UnitReport {
    #[must_use]
    pub fn on_it(unit: impl Into<String>) -> Self {
        Self {
            unit: unit.into(),
            status: None,
            at: None,
        }
    }
}

impl From<&str> for UnitReport {
    fn from(unit: &str) -> Self {
        Self::on_it(unit)
    }
}

/// The two ways to write a [`UnitReport`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(untagged)]
enum UnitForm {
    Name(String),
    Whole {
        unit: String,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<UnitState>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        at: Option<Timestamp>,
    },
}

impl From<UnitForm> for UnitReport {
    fn from(form: UnitForm) -> Self {
        match form {
            UnitForm::Name(unit) => Self::on_it(unit),
            UnitForm::Whole { unit, status, at } => Self { unit, status, at },
        }
    }
}

impl From<UnitReport> for UnitForm {
    fn from(report: UnitReport) -> Self {
        let UnitReport { unit, status, at } = report;
        if status.is_none() && at.is_none() {
            Self::Name(unit)
        } else {
            Self::Whole { unit, status, at }
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallStatus {
    Open,
    Closed { disposition: String },
}

/// Why a door did not take a body. Everything in it may be told to the sender.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IntakeError {
    #[error("the body has {found} bytes, at most {BODY_BYTES_MAX} are taken")]
    TooLarge { found: usize },
    #[error("not JSON: {0}")]
    NotJson(String),
    #[error("{path}: wanted {wanted}, found {found}")]
    Field {
        /// Where in the body, as in `units[2]`; `$` is the body itself.
        path: String,
        wanted: String,
        found: String,
    },
}

impl IntakeError {
    pub(crate) fn field(
        path: impl Into<String>,
        wanted: impl Into<String>,
        found: impl Into<String>,
    ) -> Self {
        Self::Field {
            path: path.into(),
            wanted: wanted.into(),
            found: found.into(),
        }
    }

    /// The field that is at fault, where it is one field.
    pub fn path(&self) -> Option<&str> {
        match self {
            Self::Field { path, .. } => Some(path),
            Self::TooLarge { .. } | Self::NotJson(_) => None,
        }
    }
}

/// A unit's state by the word that the JSON door and rows use for it.
pub(crate) fn unit_state(word: &str) -> Option<UnitState> {
    match word {
        "assigned" => Some(UnitState::Assigned),
        "en_route" => Some(UnitState::EnRoute),
        "on_scene" => Some(UnitState::OnScene),
        "clear" => Some(UnitState::Clear),
        _ => None,
    }
}

/// Trimmed text of 1 to `chars_max` characters, or what is wrong with it as
/// (wanted, found). A NUL is refused: parts of the field's software end text there.
pub(crate) fn checked_text(text: &str, chars_max: usize) -> Result<String, (String, String)> {
    let text = text.trim();
    let chars = text.chars().count();
    let wanted = || format!("text of 1 to {chars_max} characters");
    if chars == 0 {
        return Err((wanted(), "empty text".to_owned()));
    }
    if chars > chars_max {
        return Err((wanted(), format!("{chars} characters")));
    }
    if text.contains('\0') {
        return Err((wanted(), "a NUL character".to_owned()));
    }
    Ok(text.to_owned())
}

/// Whether `degrees` is a number within ±`degrees_max`; NaN is not.
pub(crate) fn in_range(degrees: f64, degrees_max: f64) -> bool {
    degrees.abs() <= degrees_max
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn text_is_trimmed_and_its_limits_are_in_characters_not_bytes() {
        assert_eq!(checked_text("  a b \r\n", 3).unwrap(), "a b");
        assert_eq!(checked_text(&"é".repeat(64), 64).unwrap().len(), 128);
        let (wanted, found) = checked_text(&"é".repeat(65), 64).unwrap_err();
        assert_eq!(
            (wanted.as_str(), found.as_str()),
            ("text of 1 to 64 characters", "65 characters")
        );
        assert!(checked_text(" \t ", 3).is_err());
        assert!(checked_text("a\0b", 3).is_err());
    }

    #[test]
    fn degrees_that_are_no_number_or_not_on_earth_are_out_of_range() {
        assert!(in_range(-90.0, LATITUDE_DEGREES_MAX));
        for degrees in [90.000_001, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            assert!(!in_range(degrees, LATITUDE_DEGREES_MAX), "{degrees}");
        }
    }

    #[test]
    fn a_report_survives_being_written_and_read() {
        let report = CallReport {
            agency: "tpd".to_owned(),
            number: "1".to_owned(),
            received: Timestamp::UNIX_EPOCH,
            updated: Timestamp::UNIX_EPOCH,
            nature: "FIRE".to_owned(),
            location: "1 MAIN ST".to_owned(),
            latitude: Some(43.1),
            longitude: Some(-87.9),
            district: None,
            priority: Some(2),
            narrative: vec!["smoke".to_owned()],
            plates: vec![],
            units: vec![
                "T2".into(),
                UnitReport {
                    status: Some(UnitState::OnScene),
                    ..UnitReport::on_it("T3")
                },
            ],
            status: CallStatus::Closed {
                disposition: "Advised".to_owned(),
            },
        };
        let text = serde_json::to_string(&report).unwrap();
        assert_eq!(serde_json::from_str::<CallReport>(&text).unwrap(), report);
    }
}
