//! The replay door: a file of calls as cities publish them.
//!
//! Header `id,time,location,latitude,longitude,district,nature,status`, in any
//! order; the columns are those of [`super::row`], others are ignored. Published files have
//! broken rows, and a replay of a fortnight must not stop at one: a bad row is
//! an item like any other, with its line, and the next row follows. Only a file
//! that has no calls at all to give (wrong columns, not text) is refused, up
//! front.
//!
//! `time` is local to the city, so the time zone is an argument.

pub(crate) mod record;

use std::io::BufRead;

use jiff::Timestamp;
use jiff::tz::TimeZone;

use self::record::Record;
pub(crate) use self::record::Records;
use super::local_time::LocalTime;
use super::reading::excerpt;
use super::report::CallReport;
use super::row::{COLUMNS, REQUIRED, RowFault, Rows, Texts};

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
#[error("line {line}: {fault}")]
pub struct BadRow {
    /// The line of the file on which the row begins; the header is line 1.
    pub line: u64,
    pub fault: RowFault,
}

/// Where each column is.
#[derive(Debug)]
struct Columns {
    count: usize,
    /// In the order of [`COLUMNS`].
    places: [Option<usize>; COLUMNS.len()],
}

/// The calls of a file, one at a time; never more than one row is in memory.
#[derive(Debug)]
pub struct CallRows<R> {
    records: Records<R>,
    columns: Columns,
    rows: Rows,
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
            rows: Rows {
                agency: agency.to_owned(),
                local: LocalTime::new(zone),
            },
        })
    }

    /// The file was written by this time: what that is for says [`LocalTime`].
    #[must_use]
    pub fn written_by(mut self, at: Timestamp) -> Self {
        self.rows.local = self.rows.local.read_at(at);
        self
    }

    fn call(&self, record: Record) -> Result<CallReport, BadRow> {
        let line = record.line;
        let at_line = |fault| BadRow { line, fault };
        let fields = record
            .fields
            .map_err(|fault| at_line(RowFault::new("row", fault.wanted, fault.found)))?;
        if fields.len() != self.columns.count {
            return Err(at_line(RowFault::new(
                "row",
                format!("{} fields", self.columns.count),
                format!("{} fields", fields.len()),
            )));
        }
        let row = Row {
            columns: &self.columns,
            fields: &fields,
        };
        self.rows.call(&row).map_err(at_line)
    }
}

impl<R: BufRead> Iterator for CallRows<R> {
    type Item = Result<CallReport, BadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        match self.records.next() {
            Ok(record) => record.map(|record| self.call(record)),
            Err(error) => {
                let line = self.records.give_up();
                let fault = RowFault::new("row", "a readable file", error.to_string());
                Some(Err(BadRow { line, fault }))
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
            let known = COLUMNS.contains(&name.as_str());
            if known && place(name) != Some(at) {
                return Err(CsvError::ColumnTwice(name.clone()));
            }
        }
        let missing: Vec<_> = REQUIRED
            .into_iter()
            .filter(|name| place(name).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(CsvError::MissingColumns {
                missing,
                found: names.iter().map(|name| excerpt(name)).take(20).collect(),
            });
        }
        Ok(Self {
            count: names.len(),
            places: COLUMNS.map(place),
        })
    }
}

/// One row's fields.
struct Row<'a> {
    columns: &'a Columns,
    fields: &'a [Vec<u8>],
}

impl Texts for Row<'_> {
    fn text(&self, column: &str) -> Result<&str, RowFault> {
        let known = COLUMNS.iter().position(|name| *name == column);
        let place = known.and_then(|at| self.columns.places[at]);
        let field = place.and_then(|place| self.fields.get(place));
        std::str::from_utf8(field.map_or(&[], Vec::as_slice))
            .map_err(|_| RowFault::new(column, "UTF-8 text", "other bytes"))
    }
}

#[cfg(test)]
mod tests;
