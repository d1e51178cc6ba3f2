//! A source in a SQLite file: one `SELECT`, read-only.
//!
//! The file is opened for each question, so that one that another program has put in its
//! place is the one that is read.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::types::ValueRef;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Map, Value};

use super::select::Select;
use super::{ANSWER_BYTES_MAX, FetchError, Question, ROWS_MAX, blocking};
use crate::enrich::config::{SourceConfig, SqlConfig, Wrong};

#[derive(Debug)]
pub(super) struct SqliteFile {
    path: PathBuf,
    select: Select,
}

/// How many of the database's own steps come between looks at whether anybody still waits.
const STEPS_A_LOOK: i32 = 10_000;

/// Says, when it is dropped, that nobody waits any more.
struct GivenUp(Arc<AtomicBool>);

impl Drop for GivenUp {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

impl SqliteFile {
    pub(super) fn open(config: &SourceConfig, sql: &SqlConfig) -> Result<Self, Wrong> {
        if sql.ca.is_some() {
            return Err(("sql.ca", "nothing: it is for a PostgreSQL".into()));
        }
        if sql.database.contains("://") {
            return Err((
                "sql.database",
                "postgresql://… or the path of a SQLite file".into(),
            ));
        }
        let select = Select::parse(&sql.select, |number| format!("?{number}"))
            .map_err(|wanted| ("sql.select", wanted))?;
        config.check_names("sql.select", |name| select.parameters.contains(&name))?;
        let text = format!("SELECT * FROM (\n{}\n) LIMIT {}", select.text, ROWS_MAX + 1);
        Ok(Self {
            path: PathBuf::from(&sql.database),
            select: Select { text, ..select },
        })
    }

    pub(super) async fn fetch(&self, question: &Question) -> Result<Value, FetchError> {
        let (path, text) = (self.path.clone(), self.select.text.clone());
        let values = self.select.parameters.iter();
        let values: Vec<String> = values.map(|name| question.value(*name, None)).collect();
        let given_up = Arc::new(AtomicBool::new(false));
        let is_given_up = given_up.clone();
        // Whoever gives the question up drops this future, and with it the guard.
        let _guard = GivenUp(given_up);
        blocking(move || {
            let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
            let mut connection =
                Connection::open_with_flags(path, flags).map_err(|e| failed(&e))?;
            let handler = move || is_given_up.load(Ordering::Relaxed);
            connection
                .progress_handler(STEPS_A_LOOK, Some(handler))
                .map_err(|e| failed(&e))?;
            rows(&connection, &text, &values)
        })
        .await
    }
}

fn rows(connection: &Connection, text: &str, values: &[String]) -> Result<Value, FetchError> {
    let failed = |e: rusqlite::Error| failed(&e);
    connection
        .pragma_update(None, "query_only", true)
        .map_err(failed)?;
    let mut statement = connection.prepare(text).map_err(failed)?;
    let columns: Vec<String> = statement.column_names().map(ToOwned::to_owned).collect();
    let mut rows = statement
        .query(rusqlite::params_from_iter(values))
        .map_err(failed)?;
    let (mut answers, mut bytes) = (Vec::new(), 0);
    while let Some(row) = rows.next().map_err(failed)? {
        if answers.len() == ROWS_MAX {
            return Err(FetchError::in_vain(format!(
                "its answer has over {ROWS_MAX} rows"
            )));
        }
        let mut answer = Map::new();
        for (at, column) in columns.iter().enumerate() {
            let value = value(row.get_ref(at).map_err(failed)?, &mut bytes);
            answer.insert(column.clone(), value);
        }
        if bytes > ANSWER_BYTES_MAX {
            let why = format!("its answer is over {ANSWER_BYTES_MAX} bytes");
            return Err(FetchError::in_vain(why));
        }
        answers.push(Value::Object(answer));
    }
    Ok(Value::Array(answers))
}

/// Bytes that are no text say nothing to a mapping. What is too large is only counted.
fn value(value: ValueRef<'_>, bytes: &mut usize) -> Value {
    match value {
        ValueRef::Null | ValueRef::Blob(_) => Value::Null,
        ValueRef::Integer(number) => number.into(),
        ValueRef::Real(number) => number.into(),
        ValueRef::Text(text) => {
            *bytes += text.len();
            if *bytes > ANSWER_BYTES_MAX {
                return Value::Null;
            }
            String::from_utf8_lossy(text).into()
        }
    }
}

fn failed(error: &rusqlite::Error) -> FetchError {
    use rusqlite::ErrorCode::{DatabaseBusy, DatabaseLocked, OperationInterrupted};
    let why = match error {
        // Without the statement, which its text repeats.
        rusqlite::Error::SqlInputError { msg, .. } => msg.clone(),
        other => other.to_string(),
    };
    match error.sqlite_error_code() {
        Some(
            DatabaseBusy | DatabaseLocked | OperationInterrupted | rusqlite::ErrorCode::CannotOpen,
        ) => FetchError::again(why),
        _ => FetchError::in_vain(why),
    }
}
