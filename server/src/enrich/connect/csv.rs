//! A source in a CSV file with a header (RFC 4180), kept in memory and read again when the
//! file changes.

use std::collections::HashMap;
use std::fs::{File, Metadata};
use std::io::BufReader;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use serde_json::{Map, Value};

use super::{ANSWER_BYTES_MAX, FetchError, Question, ROWS_MAX, blocking};
use crate::address;
use crate::enrich::config::{Asks, FileConfig, SourceConfig, Wrong};
use crate::enrich::fill::Name;
use crate::intake::csv::Records;

/// Largest file.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Most columns.
const COLUMNS_MAX: usize = 100;

#[derive(Debug)]
pub(super) struct CsvFile {
    path: PathBuf,
    /// What is asked about, and the column that must be it.
    matches: Vec<(Name, String)>,
    table: Arc<Mutex<Option<Arc<Table>>>>,
}

/// The file as it was when it was read.
#[derive(Debug)]
struct Table {
    stamp: Stamp,
    columns: Vec<String>,
    rows: Vec<Vec<Box<str>>>,
    /// What stands in the columns that must match, and the rows in which it does.
    places: HashMap<String, Vec<usize>>,
}

/// By which a change is noticed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stamp {
    bytes: u64,
    modified: Option<SystemTime>,
}

impl Stamp {
    fn of(file: &Metadata) -> Self {
        Self {
            bytes: file.len(),
            modified: file.modified().ok(),
        }
    }
}

impl CsvFile {
    pub(super) fn open(config: &SourceConfig, file: &FileConfig) -> Result<Self, Wrong> {
        if config.asks.contains(&Asks::Position) {
            return Err((
                "asks",
                "no position: a file is looked up by what stands in it".into(),
            ));
        }
        let matches = file
            .columns
            .iter()
            .map(|(word, column)| match Name::of(word) {
                Some(Name::Purpose | Name::Reason | Name::Secret) | None => {
                    let wanted = format!("what is asked about, such as plate or last, not {word}");
                    Err(("file.match", wanted))
                }
                Some(name) => Ok((name, column.clone())),
            });
        let matches: Vec<_> = matches.collect::<Result<_, Wrong>>()?;
        config.check_names("file.match", |name| matches.iter().any(|(n, _)| *n == name))?;
        Ok(Self {
            path: file.csv.clone(),
            matches,
            table: Arc::default(),
        })
    }

    pub(super) async fn fetch(&self, question: &Question) -> Result<Value, FetchError> {
        let key = key(self
            .matches
            .iter()
            .map(|(name, _)| (*name, name.value(&question.subject))));
        let (path, kept, matches) = (self.path.clone(), self.table.clone(), self.matches.clone());
        let table = blocking(move || {
            let file = File::open(&path);
            let file =
                file.map_err(|e| FetchError::again(format!("its file cannot be read: {e}")))?;
            let seen = file
                .metadata()
                .map_err(|e| FetchError::again(e.to_string()))?;
            // One reads it, the others wait for that.
            let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(table) = kept
                .as_ref()
                .filter(|table| table.stamp == Stamp::of(&seen))
            {
                return Ok(table.clone());
            }
            *kept = None;
            let table = Arc::new(Table::read(file, Stamp::of(&seen), &matches)?);
            *kept = Some(table.clone());
            Ok(table)
        })
        .await?;
        table.answer(&key)
    }
}

impl Table {
    fn read(file: File, stamp: Stamp, matches: &[(Name, String)]) -> Result<Self, FetchError> {
        if stamp.bytes > FILE_BYTES_MAX {
            return Err(FetchError::in_vain(format!(
                "its file is over {FILE_BYTES_MAX} bytes"
            )));
        }
        let at_line = |line: u64, why: &str| {
            FetchError::in_vain(format!("its file cannot be read, line {line}: {why}"))
        };
        let mut records = Records::new(BufReader::new(file));
        let mut next = || {
            let record = records
                .next()
                .map_err(|e| FetchError::again(e.to_string()))?;
            let Some(record) = record else {
                return Ok(None);
            };
            let fields = record.fields.map_err(|fault| {
                at_line(
                    record.line,
                    &format!("wanted {}, found {}", fault.wanted, fault.found),
                )
            })?;
            let fields = fields
                .into_iter()
                .map(|field| String::from_utf8_lossy(&field).trim().into())
                .collect::<Vec<Box<str>>>();
            Ok(Some((record.line, fields)))
        };
        let (_, columns) = next()?.ok_or_else(|| at_line(1, "there is no header"))?;
        if columns.len() > COLUMNS_MAX {
            return Err(at_line(1, &format!("over {COLUMNS_MAX} columns")));
        }
        let at = matches.iter().map(|(name, column)| {
            let at = columns.iter().position(|found| **found == **column);
            at.map(|at| (*name, at))
                .ok_or_else(|| at_line(1, &format!("there is no column {column}")))
        });
        let at: Vec<(Name, usize)> = at.collect::<Result<_, _>>()?;
        let (mut rows, mut places) = (Vec::new(), HashMap::<String, Vec<usize>>::new());
        while let Some((line, fields)) = next()? {
            if fields.len() != columns.len() {
                let why = format!(
                    "{} fields, and the header has {}",
                    fields.len(),
                    columns.len()
                );
                return Err(at_line(line, &why));
            }
            let key = key(at.iter().map(|(name, at)| (*name, fields[*at].to_string())));
            places.entry(key).or_default().push(rows.len());
            rows.push(fields);
        }
        Ok(Self {
            stamp,
            columns: columns.iter().map(ToString::to_string).collect(),
            rows,
            places,
        })
    }

    fn answer(&self, key: &str) -> Result<Value, FetchError> {
        let found = self.places.get(key).map(Vec::as_slice).unwrap_or_default();
        if found.len() > ROWS_MAX {
            return Err(FetchError::in_vain(format!(
                "its answer has over {ROWS_MAX} rows"
            )));
        }
        let (mut answers, mut bytes) = (Vec::new(), 0);
        for row in found.iter().map(|at| &self.rows[*at]) {
            bytes += row.iter().map(|field| field.len()).sum::<usize>();
            if bytes > ANSWER_BYTES_MAX {
                let why = format!("its answer is over {ANSWER_BYTES_MAX} bytes");
                return Err(FetchError::in_vain(why));
            }
            let fields = self.columns.iter().zip(row);
            let fields = fields.map(|(column, field)| (column.clone(), Value::from(&**field)));
            answers.push(Value::Object(fields.collect::<Map<_, _>>()));
        }
        Ok(Value::Array(answers))
    }
}

/// How values are compared: by letters and digits alone, in capitals.
fn key(values: impl Iterator<Item = (Name, String)>) -> String {
    let folded = values.map(|(name, value)| {
        let value = match name {
            Name::Address => address::normalise(&value).building,
            _ => value,
        };
        let kept = value.chars().filter(|c| c.is_alphanumeric());
        kept.flat_map(char::to_uppercase).collect::<String>()
    });
    folded.collect::<Vec<_>>().join("\u{1f}")
}
