//! A CAD that keeps its calls in an SQLite file.

use std::collections::BTreeMap;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, params};

use super::{Fetched, Select, TEXT_CHARS_MAX};
use crate::cads::config::ViewConfig;

/// How long the CAD may hold the file against a look.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Opened anew at each look: the file may be another by then.
#[derive(Debug)]
pub(super) struct Sqlite(ViewConfig);

impl Sqlite {
    pub(super) fn new(config: &ViewConfig) -> Self {
        Self(config.clone())
    }

    pub(super) async fn rows(&self, after: i64, rows_max: usize) -> Result<Vec<Fetched>, String> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let config = self.0.clone();
        let at = |e: &dyn std::fmt::Display| format!("{}: {e}", config.database);
        let opened = Connection::open_with_flags(&config.database, flags);
        let connection = opened.map_err(|e| at(&e))?;
        let stop = StopWhenDropped(connection.get_interrupt_handle());
        let asked = config.clone();
        let looking =
            tokio::task::spawn_blocking(move || rows(&connection, &asked, after, rows_max));
        let looked = looking.await.map_err(|e| e.to_string())?;
        drop(stop);
        looked.map_err(|e| at(&e))
    }
}

/// A look that nobody waits for any more ends.
struct StopWhenDropped(rusqlite::InterruptHandle);

impl Drop for StopWhenDropped {
    fn drop(&mut self) {
        self.0.interrupt();
    }
}

fn rows(
    connection: &Connection,
    config: &ViewConfig,
    after: i64,
    rows_max: usize,
) -> Result<Vec<Fetched>, String> {
    let failed = |e: rusqlite::Error| e.to_string();
    connection.busy_timeout(BUSY_MAX).map_err(failed)?;
    connection
        .pragma_update(None, "query_only", true)
        .map_err(failed)?;
    // Both are names and nothing else: the configuration was held to that.
    let (view, key) = (&config.name, &config.key);
    let found = connection
        .prepare(&format!("SELECT * FROM {view} LIMIT 0"))
        .map_err(failed)?;
    let found: Vec<String> = found.column_names().map(str::to_owned).collect();
    let select = Select::of(config, &found, str::to_owned, |column| {
        format!("substr(CAST({column} AS TEXT), 1, {TEXT_CHARS_MAX})")
    })?;
    let mut statement = connection
        .prepare(&format!(
            "SELECT {} FROM {view} WHERE {key} > ?1 ORDER BY {key} LIMIT ?2",
            select.list
        ))
        .map_err(failed)?;
    let rows = statement
        .query_map(params![after, rows_max], |row| {
            let mut texts = BTreeMap::new();
            for (at, column) in select.columns.iter().enumerate() {
                if let Some(text) = row.get::<_, Option<String>>(at + 1)? {
                    texts.insert(*column, text);
                }
            }
            Ok(Fetched {
                key: row.get(0)?,
                texts,
            })
        })
        .map_err(failed)?;
    rows.collect::<Result<_, _>>().map_err(failed)
}
