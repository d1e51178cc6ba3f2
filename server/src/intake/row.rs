//! A call as a row of named texts: what a file of calls and a CAD's view have in common.
//!
//! | column | |
//! |---|---|
//! | `id` | the CAD's own number for the call |
//! | `time` | when it was received; local ([`LocalTime`]), or with an offset |
//! | `location`, `nature` | text |
//! | `updated` | when this row was true; else `time` |
//! | `latitude`, `longitude` | degrees, WGS 84; both or neither |
//! | `district`, `narrative` | text |
//! | `priority` | 1 (most urgent) to 5 |
//! | `plates` | separated by `,` or `;` |
//! | `units` | separated by `,` or `;`, each a name or `NAME=on_scene` (`assigned`, `en_route`, `clear`) |
//! | `status` | how the call ended; none, or *Service in Progress*: it has not |
//!
//! The first four rows' columns but `updated` must be there; empty is as if it was not.

use super::local_time::LocalTime;
use super::narrative;
use super::reading::excerpt;
use super::report::{
    CallReport, CallStatus, DISPOSITION_CHARS_MAX, DISTRICT_CHARS_MAX, LATITUDE_DEGREES_MAX,
    LOCATION_CHARS_MAX, LONGITUDE_DEGREES_MAX, NATURE_CHARS_MAX, NUMBER_CHARS_MAX, PLATE_CHARS_MAX,
    PLATES_MAX, PRIORITY_MAX, UNIT_CHARS_MAX, UNITS_MAX, UnitReport, checked_text, in_range,
    unit_state,
};

const STATUS_STILL_OPEN: &str = "Service in Progress";
const SEPARATORS: [char; 2] = [',', ';'];

pub(crate) const REQUIRED: [&str; 4] = ["id", "time", "location", "nature"];
pub(crate) const COLUMNS: [&str; 13] = [
    "id",
    "time",
    "location",
    "nature",
    "updated",
    "latitude",
    "longitude",
    "district",
    "narrative",
    "priority",
    "plates",
    "units",
    "status",
];

/// What is wrong with a row.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{field}: wanted {wanted}, found {found}")]
pub struct RowFault {
    /// The column, or `row` where the row as a whole is broken.
    pub field: String,
    pub wanted: String,
    pub found: String,
}

impl RowFault {
    pub(crate) fn new(field: &str, wanted: impl Into<String>, found: impl Into<String>) -> Self {
        Self {
            field: field.to_owned(),
            wanted: wanted.into(),
            found: found.into(),
        }
    }
}

/// A row's texts by the names of their columns.
pub(crate) trait Texts {
    /// The text of one of [`COLUMNS`]; empty where the row has none.
    fn text(&self, column: &str) -> Result<&str, RowFault>;
}

/// Whose rows they are.
#[derive(Debug, Clone)]
pub(crate) struct Rows {
    pub(crate) agency: String,
    pub(crate) local: LocalTime,
}

impl Rows {
    /// The call in a row.
    pub(crate) fn call(&self, texts: &impl Texts) -> Result<CallReport, RowFault> {
        let row = Row(texts);
        let received = self.time(&row, "time")?;
        let (latitude, longitude) = row.coordinates()?;
        let status = row.optional("status", DISPOSITION_CHARS_MAX)?;
        Ok(CallReport {
            agency: self.agency.clone(),
            number: row.required("id", NUMBER_CHARS_MAX)?,
            received,
            updated: if row.text("updated")?.is_empty() {
                received
            } else {
                self.time(&row, "updated")?
            },
            nature: row.required("nature", NATURE_CHARS_MAX)?,
            location: row.required("location", LOCATION_CHARS_MAX)?,
            latitude,
            longitude,
            district: row.optional("district", DISTRICT_CHARS_MAX)?,
            priority: row.priority()?,
            narrative: row.narrative()?,
            plates: row.listed("plates", PLATES_MAX, |plate| {
                checked_text(plate, PLATE_CHARS_MAX)
            })?,
            units: row.listed("units", UNITS_MAX, unit)?,
            status: match status {
                Some(disposition) if disposition != STATUS_STILL_OPEN => {
                    CallStatus::Closed { disposition }
                }
                _ => CallStatus::Open,
            },
        })
    }

    fn time(&self, row: &Row<'_, impl Texts>, column: &str) -> Result<jiff::Timestamp, RowFault> {
        let text = row.text(column)?;
        self.local
            .read(text)
            .ok_or_else(|| row.bad(column, "a local time as in 2018-05-01 00:00:14", text))
    }
}

struct Row<'a, T>(&'a T);

impl<T: Texts> Row<'_, T> {
    fn text(&self, column: &str) -> Result<&str, RowFault> {
        self.0.text(column).map(str::trim)
    }

    fn bad(&self, column: &str, wanted: impl Into<String>, found: &str) -> RowFault {
        let found = if found.is_empty() {
            "nothing".to_owned()
        } else {
            format!("'{}'", excerpt(found))
        };
        RowFault::new(column, wanted, found)
    }

    fn required(&self, column: &str, chars_max: usize) -> Result<String, RowFault> {
        checked_text(self.text(column)?, chars_max)
            .map_err(|(wanted, found)| RowFault::new(column, wanted, found))
    }

    fn optional(&self, column: &str, chars_max: usize) -> Result<Option<String>, RowFault> {
        if self.text(column)?.is_empty() {
            return Ok(None);
        }
        self.required(column, chars_max).map(Some)
    }

    fn coordinates(&self) -> Result<(Option<f64>, Option<f64>), RowFault> {
        let latitude = self.degrees("latitude", LATITUDE_DEGREES_MAX)?;
        let longitude = self.degrees("longitude", LONGITUDE_DEGREES_MAX)?;
        match (latitude, longitude) {
            (Some(_), None) => Err(self.bad("longitude", "a number beside the latitude", "")),
            (None, Some(_)) => Err(self.bad("latitude", "a number beside the longitude", "")),
            both => Ok(both),
        }
    }

    fn degrees(&self, column: &str, degrees_max: f64) -> Result<Option<f64>, RowFault> {
        let text = self.text(column)?;
        if text.is_empty() {
            return Ok(None);
        }
        let degrees = text.parse().ok();
        match degrees.filter(|degrees| in_range(*degrees, degrees_max)) {
            Some(degrees) => Ok(Some(degrees)),
            None => Err(self.bad(
                column,
                format!("a number, -{degrees_max} to {degrees_max}"),
                text,
            )),
        }
    }

    fn priority(&self) -> Result<Option<u8>, RowFault> {
        let text = self.text("priority")?;
        if text.is_empty() {
            return Ok(None);
        }
        let priority = text.parse().ok();
        match priority.filter(|priority| (1..=PRIORITY_MAX).contains(priority)) {
            Some(priority) => Ok(Some(priority)),
            None => Err(self.bad(
                "priority",
                format!("a whole number, 1 (most urgent) to {PRIORITY_MAX}"),
                text,
            )),
        }
    }

    fn narrative(&self) -> Result<Vec<String>, RowFault> {
        let text = self.text("narrative")?;
        if text.contains('\0') {
            return Err(RowFault::new("narrative", "text", "a NUL character"));
        }
        Ok(narrative::fit(vec![text.to_owned()]))
    }

    fn listed<U>(
        &self,
        column: &str,
        items_max: usize,
        read: impl Fn(&str) -> Result<U, (String, String)>,
    ) -> Result<Vec<U>, RowFault> {
        let text = self.text(column)?;
        let items = text
            .split(SEPARATORS)
            .map(str::trim)
            .filter(|item| !item.is_empty());
        let items: Vec<U> = items
            .take(items_max + 1)
            .map(|item| read(item).map_err(|(wanted, found)| RowFault::new(column, wanted, found)))
            .collect::<Result<_, _>>()?;
        if items.len() > items_max {
            return Err(RowFault::new(
                column,
                format!("at most {items_max} items"),
                "more",
            ));
        }
        Ok(items)
    }
}

/// `T2`, or `T2=on_scene`.
fn unit(text: &str) -> Result<UnitReport, (String, String)> {
    let (name, state) = match text.split_once('=') {
        Some((name, state)) => (name, Some(state.trim())),
        None => (text, None),
    };
    let status = state
        .map(|word| {
            unit_state(word).ok_or_else(|| {
                (
                    "NAME or NAME=assigned, en_route, on_scene or clear".to_owned(),
                    format!("'{}'", excerpt(text)),
                )
            })
        })
        .transpose()?;
    Ok(UnitReport {
        status,
        ..UnitReport::on_it(checked_text(name, UNIT_CHARS_MAX)?)
    })
}
