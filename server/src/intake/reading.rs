//! Reading JSON with the path always at hand.
//!
//! An error that does not name the field costs a CAD vendor a day. Serde loses
//! the path wherever it buffers (flatten, tagged enums), and says "expected u8"
//! where a person wants "a whole number, 1 to 5"; so both JSON doors walk the
//! parsed value with this cursor instead. Nesting is bounded by the parser
//! (128 levels), size by [`BODY_BYTES_MAX`].

use jiff::Timestamp;
use serde_json::{Map, Value};

use super::report::{BODY_BYTES_MAX, IntakeError, checked_text, in_range};

/// A value and where it is.
#[derive(Clone, Debug)]
pub(super) struct Node<'a> {
    value: &'a Value,
    path: String,
}

/// The body as JSON.
pub(super) fn json(body: &[u8]) -> Result<Value, IntakeError> {
    if body.len() > BODY_BYTES_MAX {
        return Err(IntakeError::TooLarge { found: body.len() });
    }
    serde_json::from_slice(body).map_err(|error| IntakeError::NotJson(error.to_string()))
}

impl<'a> Node<'a> {
    pub(super) fn root(value: &'a Value) -> Self {
        Self {
            value,
            path: String::new(),
        }
    }

    pub(super) fn path(&self) -> &str {
        if self.path.is_empty() {
            "$"
        } else {
            &self.path
        }
    }

    /// An error at this place.
    pub(super) fn error(&self, wanted: impl Into<String>, found: impl Into<String>) -> IntakeError {
        IntakeError::field(self.path(), wanted, found)
    }

    fn wrong_type(&self, wanted: &str) -> IntakeError {
        self.error(wanted, kind(self.value))
    }

    fn child_path(&self, key: &str) -> String {
        if self.path.is_empty() {
            key.to_owned()
        } else {
            format!("{}.{key}", self.path)
        }
    }

    fn object(&self) -> Result<&'a Map<String, Value>, IntakeError> {
        self.value
            .as_object()
            .ok_or_else(|| self.wrong_type("an object"))
    }

    /// The field `key`; `null` is the same as not there.
    pub(super) fn get(&self, key: &str) -> Result<Option<Node<'a>>, IntakeError> {
        let value = self.object()?.get(key).filter(|value| !value.is_null());
        Ok(value.map(|value| Node {
            value,
            path: self.child_path(key),
        }))
    }

    pub(super) fn need(&self, key: &str, wanted: &str) -> Result<Node<'a>, IntakeError> {
        self.get(key)?
            .ok_or_else(|| IntakeError::field(self.child_path(key), wanted, "nothing"))
    }

    /// Refuses fields that are not among `known`, by name.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), IntakeError> {
        for key in self.object()?.keys() {
            if !known.contains(&key.as_str()) {
                return Err(IntakeError::field(
                    self.child_path(key),
                    format!("one of {}", known.join(", ")),
                    "an unknown field",
                ));
            }
        }
        Ok(())
    }

    pub(super) fn list(&self) -> Result<Vec<Node<'a>>, IntakeError> {
        let items = self
            .value
            .as_array()
            .ok_or_else(|| self.wrong_type("a list"))?;
        Ok(items
            .iter()
            .enumerate()
            .map(|(at, value)| Node {
                value,
                path: format!("{}[{at}]", self.path),
            })
            .collect())
    }

    /// The items of the list under `key`; none where it is not there.
    pub(super) fn items(&self, key: &str) -> Result<Vec<Node<'a>>, IntakeError> {
        self.get(key)?.map_or(Ok(Vec::new()), |list| list.list())
    }

    pub(super) fn str(&self) -> Result<&'a str, IntakeError> {
        self.value.as_str().ok_or_else(|| self.wrong_type("text"))
    }

    pub(super) fn text(&self, chars_max: usize) -> Result<String, IntakeError> {
        checked_text(self.str()?, chars_max).map_err(|(wanted, found)| self.error(wanted, found))
    }

    /// The items of a list that has no more than these.
    pub(super) fn at_most(&self, items_max: usize) -> Result<Vec<Node<'a>>, IntakeError> {
        let items = self.list()?;
        if items.len() > items_max {
            return Err(self.error(
                format!("at most {items_max} items"),
                format!("{} items", items.len()),
            ));
        }
        Ok(items)
    }

    pub(super) fn texts(
        &self,
        items_max: usize,
        chars_max: usize,
    ) -> Result<Vec<String>, IntakeError> {
        let items = self.at_most(items_max)?;
        items.iter().map(|item| item.text(chars_max)).collect()
    }

    pub(super) fn degrees(&self, degrees_max: f64) -> Result<f64, IntakeError> {
        let wanted = format!("a number, -{degrees_max} to {degrees_max}");
        let degrees = self
            .value
            .as_f64()
            .ok_or_else(|| self.wrong_type(&wanted))?;
        if in_range(degrees, degrees_max) {
            Ok(degrees)
        } else {
            Err(self.error(wanted, degrees.to_string()))
        }
    }

    pub(super) fn whole(&self) -> Result<i64, IntakeError> {
        self.value
            .as_i64()
            .ok_or_else(|| self.wrong_type("a whole number"))
    }

    pub(super) fn flag(&self) -> Result<bool, IntakeError> {
        self.value
            .as_bool()
            .ok_or_else(|| self.wrong_type("true or false"))
    }

    /// RFC 3339: date, time and offset.
    pub(super) fn timestamp(&self) -> Result<Timestamp, IntakeError> {
        let wanted = "a time as in 2026-01-05T18:22:31-05:00 (RFC 3339)";
        let text = self.value.as_str().ok_or_else(|| self.wrong_type(wanted))?;
        text.parse()
            .map_err(|_| self.error(wanted, format!("'{}'", excerpt(text))))
    }
}

fn kind(value: &Value) -> String {
    match value {
        Value::Null => "null".to_owned(),
        Value::Bool(_) => "true or false".to_owned(),
        Value::Number(number) => format!("the number {number}"),
        Value::String(text) => format!("the text '{}'", excerpt(text)),
        Value::Array(_) => "a list".to_owned(),
        Value::Object(_) => "an object".to_owned(),
    }
}

/// The start of what was found: enough to find it again, never a whole narrative.
pub(super) fn excerpt(text: &str) -> String {
    const EXCERPT_CHARS_MAX: usize = 40;
    let mut start: String = text.chars().take(EXCERPT_CHARS_MAX).collect();
    if start.len() < text.len() {
        start.push('…');
    }
    start
}
