//! A view of a CAD's database, polled by an increasing key.
//!
//! The agency makes a read-only view whose columns are those of a file of calls
//! ([`crate::intake::row`](crate::intake)), and one more: a whole number that goes up with
//! every row, and that a row gets anew when it changes (an identity column of a history
//! table, SQL Server's `rowversion`, a trigger). The center asks for what is beyond the
//! highest key that it has, and writes that key **in the same commit** as the calls: a
//! center that is killed reads on from where its log ends, nothing twice and nothing lost.
//!
//! **Rows that come late.** Databases give out keys before they commit, so a row with a
//! lower key may appear after one with a higher. So each look begins `overlap` keys below
//! the position, and what was read there before is known by its key and content: a late
//! row is taken, the others are not taken again. A row that comes later than that, by more
//! than `overlap` keys, is never seen; the overlap is to be larger than the number of keys
//! that the CAD gives out while its longest transaction runs.
//!
//! The center only reads: the session is read-only, the view is all that it asks for, and
//! neither its name nor the key's can be anything but a name.

mod postgres;
mod sqlite;

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use jiff::Timestamp;
use rusqlite::{OptionalExtension, params};
use tokio_util::sync::CancellationToken;

use self::postgres::Postgres;
use self::sqlite::Sqlite;
use super::Cad;
use super::config::ViewConfig;
use super::doors::{Placed, take};
use crate::center::Center;
use crate::clock;
use crate::intake::{COLUMNS, LocalTime, REQUIRED, RowFault, Rows, Texts};
use crate::log::{Ledger, LogError};

/// Most new rows of one look.
const ROWS_MAX: usize = 500;
/// How long one look may take the CAD.
const LOOK_MAX: Duration = Duration::from_secs(20);
/// Longest text of a column, in characters; more is cut off by the CAD's own database.
const TEXT_CHARS_MAX: usize = 64 * 1024;
/// Of a row's digest.
const DIGEST_BYTES: usize = 16;

/// A row of the view, its columns as text.
#[derive(Debug)]
struct Fetched {
    key: i64,
    /// By column; what is NULL is not here.
    texts: BTreeMap<&'static str, String>,
}

impl Texts for Fetched {
    fn text(&self, column: &str) -> Result<&str, RowFault> {
        Ok(self.texts.get(column).map_or("", String::as_str))
    }
}

type Digest = [u8; DIGEST_BYTES];

impl Fetched {
    /// What tells it from another row with its key.
    fn digest(&self) -> Digest {
        let mut context = digest::Context::new(&digest::SHA256);
        for (column, text) in &self.texts {
            context.update(column.as_bytes());
            context.update(&text.len().to_be_bytes());
            context.update(text.as_bytes());
        }
        let mut bytes = [0; DIGEST_BYTES];
        bytes.copy_from_slice(&context.finish().as_ref()[..DIGEST_BYTES]);
        bytes
    }
}

/// A view, ready to be read.
#[derive(Debug)]
pub(super) struct View {
    config: ViewConfig,
    engine: Engine,
}

#[derive(Debug)]
enum Engine {
    Postgres(Box<Postgres>),
    Sqlite(Sqlite),
}

impl View {
    /// # Errors
    /// Which part of the section does not hold, and what was wanted.
    pub(super) fn open(config: &ViewConfig) -> Result<Self, (&'static str, String)> {
        let engine = if config.is_postgres() {
            Engine::Postgres(Box::new(Postgres::open(config)?))
        } else {
            Engine::Sqlite(Sqlite::new(config))
        };
        Ok(Self {
            config: config.clone(),
            engine,
        })
    }

    /// The first rows beyond this key, the lowest first.
    async fn rows(&self, after: i64, rows_max: usize) -> Result<Vec<Fetched>, String> {
        match &self.engine {
            Engine::Postgres(postgres) => postgres.rows(after, rows_max).await,
            Engine::Sqlite(sqlite) => sqlite.rows(after, rows_max).await,
        }
    }
}

/// Where the reading stands, as the log has it.
#[derive(Debug, Default)]
struct Position {
    key: Option<i64>,
    /// Read already, of the keys that are asked for again.
    read: HashSet<(i64, Digest)>,
}

pub(super) async fn poll(center: Arc<Center>, agency: String, stop: CancellationToken) {
    let Some(cad) = center.cads.of(&agency) else {
        return;
    };
    let Some(view) = &cad.view else {
        return;
    };
    loop {
        let looked = tokio::select! {
            looked = look(&center, cad, view) => looked,
            () = stop.cancelled() => return,
        };
        let is_more = match looked {
            Ok(is_more) => {
                cad.view_door.heard(clock::now_ms());
                is_more
            }
            Err(why) => {
                cad.view_door.troubled(&agency, why);
                false
            }
        };
        if is_more {
            continue;
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_millis(view.config.poll_ms)) => {}
            () = stop.cancelled() => return,
        }
    }
}

/// One look; true when there may be more at once.
async fn look(center: &Center, cad: &Cad, view: &View) -> Result<bool, String> {
    let config = &view.config;
    let position = position(center, &cad.agency)
        .await
        .map_err(|e| e.to_string())?;
    let overlap = i64::from(config.overlap);
    let after = position
        .key
        .map_or(i64::MIN, |key| key.saturating_sub(overlap));
    let rows_max = config.overlap as usize + ROWS_MAX;
    let fetched = tokio::time::timeout(LOOK_MAX, view.rows(after, rows_max))
        .await
        .map_err(|_| format!("no answer in {} s", LOOK_MAX.as_secs()))??;
    let is_full = fetched.len() == rows_max;
    let fresh: Vec<(Fetched, Digest)> = fetched
        .into_iter()
        .map(|row| {
            let digest = row.digest();
            (row, digest)
        })
        .filter(|(row, digest)| !position.read.contains(&(row.key, *digest)))
        .collect();
    let Some(highest) = fresh.iter().map(|(row, _)| row.key).max() else {
        return if is_full {
            Err(format!(
                "more than {rows_max} rows of {} have the same keys: {} must be another for each row",
                config.name, config.key
            ))
        } else {
            Ok(false)
        };
    };
    let now = Timestamp::from_millisecond(clock::now_ms()).unwrap_or_default();
    let rows = Rows {
        agency: cad.agency.clone(),
        local: LocalTime::new(cad.zone.clone()).read_at(now),
    };
    let mut placed = Vec::new();
    let mut read = Vec::with_capacity(fresh.len());
    for (row, digest) in fresh {
        read.push((row.key, digest));
        let place = format!("{} {}", config.key, row.key);
        match rows.call(&row) {
            Ok(report) => placed.push(Placed { place, report }),
            Err(fault) => cad
                .view_door
                .skipped(&cad.agency, format!("{place}: {fault}")),
        }
    }
    let key = position.key.map_or(highest, |key| key.max(highest));
    let agency = cad.agency.clone();
    let mark = move |ledger: &Ledger<'_>| keep(ledger, &agency, key, overlap, &read);
    take(center, &cad.agency, &cad.view_door, placed, mark)
        .await
        .map_err(|e| e.to_string())?;
    Ok(is_full)
}

async fn position(center: &Center, agency: &str) -> Result<Position, LogError> {
    let agency = agency.to_owned();
    center
        .log
        .readers()
        .read(move |connection| {
            let key = connection
                .prepare_cached("SELECT key FROM cad_positions WHERE agency = ?1")?
                .query_row([&agency], |row| row.get(0))
                .optional()?;
            let read = connection
                .prepare_cached("SELECT key, digest FROM cad_rows WHERE agency = ?1")?
                .query_map([&agency], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect::<Result<_, _>>()?;
            Ok(Position { key, read })
        })
        .await
}

fn keep(
    ledger: &Ledger<'_>,
    agency: &str,
    key: i64,
    overlap: i64,
    read: &[(i64, Digest)],
) -> Result<(), LogError> {
    ledger
        .sql()
        .prepare_cached("INSERT OR REPLACE INTO cad_positions (agency, key) VALUES (?1, ?2)")?
        .execute(params![agency, key])?;
    let mut insert = ledger.sql().prepare_cached(
        "INSERT OR IGNORE INTO cad_rows (agency, key, digest) VALUES (?1, ?2, ?3)",
    )?;
    for (key, digest) in read {
        insert.execute(params![agency, key, digest])?;
    }
    // Those are not asked for again.
    ledger
        .sql()
        .prepare_cached("DELETE FROM cad_rows WHERE agency = ?1 AND key <= ?2")?
        .execute(params![agency, key.saturating_sub(overlap)])?;
    Ok(())
}

/// What is asked of the view: its key, and of the columns that say something here each as
/// text that is not too long. Or which column it lacks.
struct Select {
    columns: Vec<&'static str>,
    /// Behind `SELECT`, before `FROM`.
    list: String,
}

impl Select {
    /// `key` and `text` write a column as the database has it: as a whole number, and as text.
    fn of(
        config: &ViewConfig,
        found: &[String],
        key: impl Fn(&str) -> String,
        text: impl Fn(&str) -> String,
    ) -> Result<Self, String> {
        let named = |column: &str| found.iter().find(|name| name.eq_ignore_ascii_case(column));
        let missing: Vec<&str> = REQUIRED
            .into_iter()
            .filter(|column| named(column).is_none())
            .collect();
        if !missing.is_empty() {
            return Err(format!(
                "the view {} lacks the column {}; it has {}",
                config.name,
                missing.join(", "),
                found.join(", ")
            ));
        }
        let mut select = Self {
            columns: Vec::new(),
            list: key(&config.key),
        };
        for column in COLUMNS {
            if let Some(name) = named(column) {
                select.columns.push(column);
                select.list.push_str(", ");
                // As the view spells it; it has no letters but those of ours.
                select.list.push_str(&text(&format!("\"{name}\"")));
            }
        }
        Ok(select)
    }
}
