//! A whole list in one file, as JSON or as CSV: `PUT /v1/hot-list/lists/{list}`.
//!
//! The file replaces what that list had, so it is taken whole or not at all: of a file with
//! one bad row nothing is taken, and the row is named. JSON is a list of entries; CSV
//! (RFC 4180) has the same fields as columns, in any order, with `danger` as `yes` or `no`
//! and the beats with semicolons between them. Each entry has the list's own number, by
//! which an entry of before is known again.

use std::collections::HashSet;

use packet::EntryError;
use serde::Deserialize;
use serde_json::{Map, Value};

use super::HotEntry;
use super::entry::EntryRequest;
use crate::intake::csv::record::Records;

/// Most entries of one list.
pub const LIST_ENTRIES_MAX: usize = 20_000;
/// Longest file.
pub const FILE_BYTES_MAX: usize = 8 * 1024 * 1024;

/// Why a file was not taken.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum FileError {
    #[error("{path}: {wanted}")]
    Field { path: String, wanted: String },
}

fn wrong(path: impl Into<String>, wanted: impl Into<String>) -> FileError {
    FileError::Field {
        path: path.into(),
        wanted: wanted.into(),
    }
}

/// What every entry of the file has that does not say it itself.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Defaults {
    /// Whose list it is.
    pub agency: Option<String>,
    pub author: Option<String>,
}

/// The entries of a JSON file.
///
/// # Errors
/// Names the first entry and field that does not hold.
pub fn json(
    body: &[u8],
    list: &str,
    defaults: &Defaults,
    now_ms: i64,
) -> Result<Vec<HotEntry>, FileError> {
    let rows: Vec<Value> = serde_json::from_slice(body)
        .map_err(|e| wrong("$", format!("a list of entries as JSON: {e}")))?;
    let rows = rows
        .into_iter()
        .enumerate()
        .map(|(at, row)| (format!("[{at}]"), row));
    entries(rows, list, defaults, now_ms)
}

/// The entries of a CSV file.
///
/// # Errors
/// Names the first line and column that does not hold.
pub fn csv(
    body: &[u8],
    list: &str,
    defaults: &Defaults,
    now_ms: i64,
) -> Result<Vec<HotEntry>, FileError> {
    let mut records = Records::new(body);
    let mut header: Option<Vec<String>> = None;
    let mut rows = Vec::new();
    loop {
        let record = records
            .next()
            .map_err(|e| wrong("$", format!("a file that can be read: {e}")))?;
        let Some(record) = record else { break };
        let path = format!("line {}", record.line);
        let cells = record
            .fields
            .map_err(|fault| wrong(&path, format!("{}, found {}", fault.wanted, fault.found)))?;
        let cells: Vec<String> = cells
            .into_iter()
            .map(|cell| String::from_utf8(cell).map_err(|_| wrong(&path, "text in UTF-8")))
            .collect::<Result<_, _>>()?;
        let Some(columns) = &header else {
            header = Some(
                cells
                    .iter()
                    .map(|name| name.trim().to_lowercase())
                    .collect(),
            );
            continue;
        };
        if cells.len() != columns.len() {
            let wanted = format!("{} columns, as the first line has", columns.len());
            return Err(wrong(path, wanted));
        }
        if rows.len() == LIST_ENTRIES_MAX {
            return Err(too_many());
        }
        rows.push((path.clone(), row(&path, columns, &cells)?));
    }
    if header.is_none() {
        return Err(wrong("line 1", "the columns' names"));
    }
    entries(rows.into_iter(), list, defaults, now_ms)
}

fn row(path: &str, columns: &[String], cells: &[String]) -> Result<Value, FileError> {
    let mut fields = Map::new();
    for (column, cell) in columns.iter().zip(cells) {
        let cell = cell.trim();
        if cell.is_empty() {
            continue;
        }
        let value = match column.as_str() {
            "danger" => match cell.to_lowercase().as_str() {
                "yes" | "true" | "1" => Value::Bool(true),
                "no" | "false" | "0" => Value::Bool(false),
                _ => return Err(wrong(format!("{path}: danger"), "yes or no")),
            },
            "beats" => cell
                .split(';')
                .map(|beat| Value::from(beat.trim()))
                .collect(),
            _ => Value::from(cell),
        };
        fields.insert(column.clone(), value);
    }
    Ok(Value::Object(fields))
}

fn too_many() -> FileError {
    wrong("$", format!("at most {LIST_ENTRIES_MAX} entries"))
}

fn entries(
    rows: impl ExactSizeIterator<Item = (String, Value)>,
    list: &str,
    defaults: &Defaults,
    now_ms: i64,
) -> Result<Vec<HotEntry>, FileError> {
    if rows.len() > LIST_ENTRIES_MAX {
        return Err(too_many());
    }
    let mut numbers = HashSet::new();
    let mut all = Vec::with_capacity(rows.len());
    for (path, value) in rows {
        let row: EntryRequest = serde_path_to_error::deserialize(value).map_err(|e| {
            let field = e.path().to_string();
            wrong(format!("{path}: {field}"), e.inner().to_string())
        })?;
        let row = EntryRequest {
            list: Some(list.to_owned()),
            agency: row.agency.or_else(|| defaults.agency.clone()),
            author: row.author.or_else(|| defaults.author.clone()),
            ..row
        };
        let entry = row.checked(now_ms).map_err(|e| match e {
            EntryError::Field { field, wanted } => wrong(format!("{path}: {field}"), wanted),
            e @ EntryError::Shape { .. } => wrong(&path, e.to_string()),
        })?;
        if entry.number().is_empty() || !numbers.insert(entry.number().to_owned()) {
            return Err(wrong(
                format!("{path}: number"),
                "the list's own number, once in the file",
            ));
        }
        all.push(entry);
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const NOW_MS: i64 = 1_767_268_982_000;

    fn defaults() -> Defaults {
        Defaults {
            agency: Some("County sheriff".into()),
            author: Some("The list's desk".into()),
        }
    }

    #[test]
    fn a_list_is_the_same_as_csv_and_as_json() {
        let csv_text = "number,kind,plate,state,ends,danger,text,beats\n\
                        7,stolen,abc-123,WI,2026-02-01T00:00:00Z,yes,\"Taken, armed\",N1; N2\n\n\
                        8,stolen,DEF456,,2026-02-01T00:00:00Z,,x,\n";
        let json_text = r#"[
            {"number": "7", "kind": "stolen", "plate": "ABC123", "state": "wi", "danger": true,
             "ends": "2026-02-01T00:00:00Z", "text": "Taken, armed", "beats": ["N1", "N2"]},
            {"number": "8", "kind": "stolen", "plate": "DEF456",
             "ends": "2026-02-01T00:00:00Z", "text": "x"}]"#;
        let by_csv = csv(csv_text.as_bytes(), "L", &defaults(), NOW_MS).unwrap();
        assert_eq!(
            by_csv,
            json(json_text.as_bytes(), "L", &defaults(), NOW_MS).unwrap()
        );
        assert_eq!(by_csv.len(), 2);
        assert_eq!(by_csv[0].wanted.text(), "ABC123 WI");
        assert!(by_csv[0].danger && by_csv[0].author == "The list's desk");
    }

    #[test]
    fn a_bad_row_is_named_and_nothing_of_its_file_is_taken() {
        let csv_of = |row: &str| {
            let text = format!(
                "number,kind,plate,ends,danger,text\n1,stolen,ABC123,2026-02-01T00:00:00Z,no,x\n{row}\n"
            );
            csv(text.as_bytes(), "L", &defaults(), NOW_MS)
                .unwrap_err()
                .to_string()
        };
        for (row, says) in [
            (
                "2,stole,ABC123,2026-02-01T00:00:00Z,no,x",
                "line 3: kind: unknown variant",
            ),
            ("2,stolen,,2026-02-01T00:00:00Z,no,x", "line 3: plate:"),
            ("2,stolen,ABC123,2025-01-01T00:00:00Z,no,x", "line 3: ends:"),
            (
                "2,stolen,ABC123,2026-02-01T00:00:00Z,perhaps,x",
                "line 3: danger:",
            ),
            (
                "1,stolen,ABC123,2026-02-01T00:00:00Z,no,x",
                "line 3: number:",
            ),
            ("2,stolen,ABC123", "line 3: 6 columns"),
            ("2,stolen,\"ABC", "line 3: a quote that closes"),
        ] {
            let error = csv_of(row);
            assert!(error.starts_with(says), "{row}: {error}");
        }
        let unknown = json(
            br#"[{"number": "1", "plat": "x"}]"#,
            "L",
            &defaults(),
            NOW_MS,
        );
        assert!(unknown.unwrap_err().to_string().starts_with("[0]: plat"));
        let nobodys =
            r#"[{"number": "1", "kind": "bolo", "ends": "2026-02-01T00:00:00Z", "text": "x"}]"#;
        let error = json(nobodys.as_bytes(), "L", &Defaults::default(), NOW_MS).unwrap_err();
        assert!(error.to_string().starts_with("[0]: agency"), "{error}");
        assert!(csv(b"", "L", &defaults(), NOW_MS).is_err());
    }
}
