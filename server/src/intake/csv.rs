//! The replay door: a file of calls as cities publish them.
//!
//! Header `id,time,location,latitude,longitude,district,nature,status`, in any
//! order; `narrative` besides; unknown columns are ignored. Published files have
//! broken rows, and a replay of a fortnight must not stop at one: a bad row is
//! an item like any other, with its line, and the next row follows. Only a file
//! that has no calls at all to give (wrong columns, not text) is refused, up
//! front.
//!
//! `time` is local to the city, so the time zone is an argument. What `status`
//! says is how the call ended: a row with one is a closed call, except while it
//! says that the service is still going on.

pub(crate) mod record;

use std::io::BufRead;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;

use self::record::{Record, Records};
use super::reading::excerpt;
use super::report::{
    CallReport, CallStatus, DISPOSITION_CHARS_MAX, DISTRICT_CHARS_MAX, LATITUDE_DEGREES_MAX,
    LOCATION_CHARS_MAX, LONGITUDE_DEGREES_MAX, NARRATIVE_CHARS_MAX, NATURE_CHARS_MAX,
    NUMBER_CHARS_MAX, checked_text, in_range,
};

const STATUS_STILL_OPEN: &str = "Service in Progress";

/// Why there is nothing to read in a file.
#[derive(Debug, thiserror::Error)]
pub enum CsvError {
    #[error("the file cannot be read: {0}")]
    Unreadable(#[from] std::io::Error),
    #[error("the file is empty; wanted a first line id,time,location,…,nature,…")]
    Empty,
    #[error("the file is not CSV text: its first line is {0}")]
    NotCsv(String),
    #[error("the first line lacks the column {}; it has {}", .missing.join(", "), .found.join(", "))]
    MissingColumns {
        missing: Vec<&'static str>,
        found: Vec<String>,
    },
    #[error("the first line has the column {0} twice")]
    ColumnTwice(String),
}

/// A row that is no call.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {field}: wanted {wanted}, found {found}")]
pub struct BadRow {
    /// The line of the file on which the row begins; the header is line 1.
    pub line: u64,
    /// The column, or `row` where the row as a whole is broken.
    pub field: String,
    pub wanted: String,
    pub found: String,
}

/// Where each column is.
#[derive(Debug)]
struct Columns {
    count: usize,
    id: usize,
    time: usize,
    location: usize,
    nature: usize,
    latitude: Option<usize>,
    longitude: Option<usize>,
    district: Option<usize>,
    status: Option<usize>,
    narrative: Option<usize>,
}

/// The calls of a file, one at a time; never more than one row is in memory.
#[derive(Debug)]
pub struct CallRows<R> {
    records: Records<R>,
    columns: Columns,
    agency: String,
    zone: TimeZone,
}

impl<R: BufRead> CallRows<R> {
    /// Reads the header; the calls are `agency`'s, their times are in `zone`.
    pub fn open(reader: R, agency: &str, zone: TimeZone) -> Result<Self, CsvError> {
        let mut records = Records::new(reader);
        let header = records.next()?.ok_or(CsvError::Empty)?;
        let columns = Columns::of(header)?;
        Ok(Self {
            records,
            columns,
            agency: agency.to_owned(),
            zone,
        })
    }

    fn call(&self, record: Record) -> Result<CallReport, BadRow> {
        let line = record.line;
        let fields = record
            .fields
            .map_err(|fault| bad(line, "row", fault.wanted, fault.found))?;
        if fields.len() != self.columns.count {
            return Err(bad(
                line,
                "row",
                format!("{} fields", self.columns.count),
                format!("{} fields", fields.len()),
            ));
        }
        let row = Row {
            line,
            fields: &fields,
        };
        let columns = &self.columns;
        let at = self.time(&row)?;
        let (latitude, longitude) = row.coordinates(columns)?;
        let status = row.optional("status", columns.status, DISPOSITION_CHARS_MAX)?;
        Ok(CallReport {
            agency: self.agency.clone(),
            number: row.required("id", columns.id, NUMBER_CHARS_MAX)?,
            received: at,
            updated: at,
            nature: row.required("nature", columns.nature, NATURE_CHARS_MAX)?,
            location: row.required("location", columns.location, LOCATION_CHARS_MAX)?,
            latitude,
            longitude,
            district: row.optional("district", columns.district, DISTRICT_CHARS_MAX)?,
            priority: None,
            narrative: row
                .optional("narrative", columns.narrative, NARRATIVE_CHARS_MAX)?
                .into_iter()
                .collect(),
            plates: Vec::new(),
            units: Vec::new(),
            status: match status {
                Some(disposition) if disposition != STATUS_STILL_OPEN => {
                    CallStatus::Closed { disposition }
                }
                _ => CallStatus::Open,
            },
        })
    }

    /// A time that the clocks skipped or had twice is taken as the first of the
    /// two readings that make sense (RFC 5545).
    fn time(&self, row: &Row<'_>) -> Result<Timestamp, BadRow> {
        let text = row.text("time", self.columns.time)?;
        let local = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
            .iter()
            .find_map(|format| DateTime::strptime(format, text).ok());
        local
            .and_then(|local| self.zone.to_ambiguous_timestamp(local).compatible().ok())
            .ok_or_else(|| row.bad("time", "a local time as in 2018-05-01 00:00:14", text))
    }
}

impl<R: BufRead> Iterator for CallRows<R> {
    type Item = Result<CallReport, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.records.next() {
            Ok(record) => record.map(|record| self.call(record)),
            Err(error) => {
                let line = self.records.give_up();
                Some(Err(bad(line, "row", "a readable file", error.to_string())))
            }
        }
    }
}

impl Columns {
    fn of(header: Record) -> Result<Self, CsvError> {
        let names = header
            .fields
            .map_err(|fault| CsvError::NotCsv(fault.found))?
            .into_iter()
            .map(|name| match String::from_utf8(name) {
                Ok(name) if !name.contains('\0') => Ok(name.trim().to_ascii_lowercase()),
                _ => Err(CsvError::NotCsv("not UTF-8 text".to_owned())),
            })
            .collect::<Result<Vec<_>, _>>()?;
        let place = |name: &str| names.iter().position(|found| found == name);
        for (at, name) in names.iter().enumerate() {
            let known = KNOWN.contains(&name.as_str());
            if known && place(name) != Some(at) {
                return Err(CsvError::ColumnTwice(name.clone()));
            }
        }
        let (Some(id), Some(time), Some(location), Some(nature)) = (
            place("id"),
            place("time"),
            place("location"),
            place("nature"),
        ) else {
            let missing = REQUIRED.into_iter().filter(|name| place(name).is_none());
            return Err(CsvError::MissingColumns {
                missing: missing.collect(),
                found: names.iter().map(|name| excerpt(name)).take(20).collect(),
            });
        };
        Ok(Self {
            id,
            time,
            location,
            nature,
            latitude: place("latitude"),
            longitude: place("longitude"),
            district: place("district"),
            status: place("status"),
            narrative: place("narrative"),
            count: names.len(),
        })
    }
}

const REQUIRED: [&str; 4] = ["id", "time", "location", "nature"];
const KNOWN: [&str; 9] = [
    "id",
    "time",
    "location",
    "nature",
    "latitude",
    "longitude",
    "district",
    "status",
    "narrative",
];

/// One row's fields, with the line for what is wrong with them.
struct Row<'a> {
    line: u64,
    fields: &'a [Vec<u8>],
}

impl Row<'_> {
    fn bad(&self, field: &str, wanted: impl Into<String>, found: &str) -> BadRow {
        let found = if found.is_empty() {
            "nothing".to_owned()
        } else {
            format!("'{}'", excerpt(found))
        };
        bad(self.line, field, wanted, found)
    }

    fn text(&self, field: &str, at: usize) -> Result<&str, BadRow> {
        std::str::from_utf8(&self.fields[at])
            .map(str::trim)
            .map_err(|_| bad(self.line, field, "UTF-8 text", "other bytes"))
    }

    fn required(&self, field: &str, at: usize, chars_max: usize) -> Result<String, BadRow> {
        checked_text(self.text(field, at)?, chars_max)
            .map_err(|(wanted, found)| bad(self.line, field, wanted, found))
    }

    fn optional(
        &self,
        field: &str,
        at: Option<usize>,
        chars_max: usize,
    ) -> Result<Option<String>, BadRow> {
        match at {
            Some(at) if !self.text(field, at)?.is_empty() => {
                self.required(field, at, chars_max).map(Some)
            }
            _ => Ok(None),
        }
    }

    fn coordinates(&self, columns: &Columns) -> Result<(Option<f64>, Option<f64>), BadRow> {
        let latitude = self.degrees("latitude", columns.latitude, LATITUDE_DEGREES_MAX)?;
        let longitude = self.degrees("longitude", columns.longitude, LONGITUDE_DEGREES_MAX)?;
        match (latitude, longitude) {
            (Some(_), None) => Err(self.bad("longitude", "a number beside the latitude", "")),
            (None, Some(_)) => Err(self.bad("latitude", "a number beside the longitude", "")),
            both => Ok(both),
        }
    }

    fn degrees(
        &self,
        field: &str,
        at: Option<usize>,
        degrees_max: f64,
    ) -> Result<Option<f64>, BadRow> {
        let Some(at) = at else { return Ok(None) };
        let text = self.text(field, at)?;
        if text.is_empty() {
            return Ok(None);
        }
        let degrees = text.parse().ok();
        match degrees.filter(|degrees| in_range(*degrees, degrees_max)) {
            Some(degrees) => Ok(Some(degrees)),
            None => Err(self.bad(
                field,
                format!("a number, -{degrees_max} to {degrees_max}"),
                text,
            )),
        }
    }
}

fn bad(line: u64, field: &str, wanted: impl Into<String>, found: impl Into<String>) -> BadRow {
    BadRow {
        line,
        field: field.to_owned(),
        wanted: wanted.into(),
        found: found.into(),
    }
}

#[cfg(test)]
mod tests;
