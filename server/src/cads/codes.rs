//! A CAD's nature codes in the center's words: a table in a file.
//!
//! ```toml
//! [[code]]
//! codes = ["10-50", "ACC"]
//! nature = "ACCIDENT"
//! category = "traffic"     # over what the triage rules say
//! priority = 3             # 1 to 5; a call may still be more urgent
//! ```
//!
//! Capitals and spaces do not matter. A code that is not in the table stays as it is:
//! triage may know it. The file is read at start, and a fault is told with its place.

use std::collections::HashMap;

use serde::Deserialize;
use toml::Spanned;

use crate::intake::report::{NATURE_CHARS_MAX, PRIORITY_MAX, checked_text};

/// Most codes of one CAD.
const CODES_MAX: usize = 10_000;

/// Where a table is wrong; line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {message}")]
pub struct CodesError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

/// What a code means.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Code {
    pub(crate) nature: String,
    pub(crate) category: Option<String>,
    pub(crate) priority: Option<u8>,
}

/// A table, ready to be asked.
#[derive(Debug, Default)]
pub(crate) struct Codes {
    meanings: Vec<Code>,
    by_code: HashMap<String, usize>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    #[serde(default)]
    code: Vec<CodeTable>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CodeTable {
    codes: Vec<Spanned<String>>,
    nature: Spanned<String>,
    category: Option<Spanned<String>>,
    priority: Option<Spanned<u8>>,
}

impl Codes {
    pub(crate) fn parse(text: &str) -> Result<Self, CodesError> {
        let table: Table = toml::from_str(text).map_err(|error| {
            let at = error.span().map_or(0, |span| span.start);
            wrong(text, at, error.message())
        })?;
        let mut codes = Self::default();
        for entry in table.code {
            let meaning = codes.meanings.len();
            for code in &entry.codes {
                let at = code.span().start;
                let key = normal(code.get_ref());
                if key.is_empty() {
                    return Err(wrong(text, at, "an empty code"));
                }
                if codes.by_code.len() >= CODES_MAX {
                    let most = format!("more than {CODES_MAX} codes");
                    return Err(wrong(text, at, &most));
                }
                if codes.by_code.insert(key, meaning).is_some() {
                    let twice = format!("the code {} is here and before", code.get_ref());
                    return Err(wrong(text, at, &twice));
                }
            }
            codes.meanings.push(Code {
                nature: name(text, &entry.nature)?,
                category: entry.category.map(|it| name(text, &it)).transpose()?,
                priority: entry.priority.map(|it| priority(text, &it)).transpose()?,
            });
        }
        Ok(codes)
    }

    pub(crate) fn find(&self, code: &str) -> Option<&Code> {
        self.meanings.get(*self.by_code.get(&normal(code))?)
    }
}

/// Upper case, single spaces.
fn normal(code: &str) -> String {
    let words: Vec<_> = code.split_whitespace().map(str::to_uppercase).collect();
    words.join(" ")
}

fn name(text: &str, name: &Spanned<String>) -> Result<String, CodesError> {
    checked_text(name.get_ref(), NATURE_CHARS_MAX).map_err(|(wanted, found)| {
        let message = format!("wanted {wanted}, found {found}");
        wrong(text, name.span().start, &message)
    })
}

fn priority(text: &str, priority: &Spanned<u8>) -> Result<u8, CodesError> {
    let value = *priority.get_ref();
    if (1..=PRIORITY_MAX).contains(&value) {
        return Ok(value);
    }
    let message = format!("priority {value}: wanted 1 (most urgent) to {PRIORITY_MAX}");
    Err(wrong(text, priority.span().start, &message))
}

fn wrong(text: &str, at: usize, message: &str) -> CodesError {
    let before = text.get(..at).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |at| at + 1);
    CodesError {
        line: before.matches('\n').count() + 1,
        column: before[line_start..].chars().count() + 1,
        message: message.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const GOOD: &str = "[[code]]\ncodes = [\"10-50\", \"acc\"]\nnature = \"ACCIDENT\"\n\
        category = \"traffic\"\npriority = 3\n\n[[code]]\ncodes = [\"T\"]\nnature = \"TRAFFIC STOP\"\n";

    #[test]
    fn a_code_is_found_whatever_its_spelling() {
        let codes = Codes::parse(GOOD).unwrap();
        let accident = codes.find(" Acc ").unwrap();
        assert_eq!(accident, codes.find("10-50").unwrap());
        assert_eq!(
            (
                accident.nature.as_str(),
                accident.category.as_deref(),
                accident.priority
            ),
            ("ACCIDENT", Some("traffic"), Some(3))
        );
        assert_eq!(codes.find("t").unwrap().priority, None);
        assert_eq!(codes.find("10-51"), None);
        assert!(Codes::parse("").unwrap().find("").is_none());
    }

    #[test]
    fn a_fault_is_told_with_its_line_and_column() {
        for (from, to, line, column, says) in [
            (
                "priority = 3",
                "priority = 6",
                5,
                12,
                "1 (most urgent) to 5",
            ),
            ("\"T\"", "\"ACC\"", 8, 10, "here and before"),
            ("\"T\"", "\" \"", 8, 10, "an empty code"),
            (
                "\"ACCIDENT\"",
                "\" \"",
                3,
                10,
                "text of 1 to 120 characters",
            ),
            ("nature = \"T", "natur = \"T", 9, 1, "unknown field `natur`"),
            ("\"T\"]", "\"T\"", 9, 1, ""),
        ] {
            let bad = GOOD.replacen(from, to, 1);
            assert_ne!(bad, GOOD);
            let error = Codes::parse(&bad).unwrap_err();
            assert_eq!((error.line, error.column), (line, column), "{to}: {error}");
            assert!(error.message.contains(says), "{error}");
        }
    }
}
