//! Asking one source one thing, over whatever it speaks. How often, and for how long, is
//! for others to say: an attempt that is given up is dropped.

mod csv;
mod http;
mod postgres;
mod select;
mod sqlite;
#[cfg(test)]
mod tests;

use packet::Subject;
use serde_json::Value;

use self::csv::CsvFile;
use self::http::Http;
use self::postgres::PostgresDatabase;
use self::sqlite::SqliteFile;
use super::config::{SourceConfig, Wrong};
use super::fill::Name;
use super::secret::Secret;

/// Largest answer that is read, in bytes.
pub const ANSWER_BYTES_MAX: usize = 256 * 1024;
/// Most rows of a database or a file that are one answer.
pub const ROWS_MAX: usize = 200;

/// What is asked. Equal questions are the same to the source: what it is not told is not
/// in them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Question {
    pub subject: Subject,
    /// The purpose code, where the source is told it.
    pub purpose: Option<String>,
    /// The asker's reason, where the source is told it.
    pub reason: Option<String>,
}

impl Question {
    fn value(&self, name: Name, secret: Option<&Secret>) -> String {
        match name {
            Name::Purpose => self.purpose.clone().unwrap_or_default(),
            Name::Reason => self.reason.clone().unwrap_or_default(),
            Name::Secret => secret.map(|s| s.expose().to_owned()).unwrap_or_default(),
            name => name.value(&self.subject),
        }
    }
}

/// Why there is no answer, in words for the packet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FetchError {
    /// It answers, but not this.
    Refused(String),
    Failed {
        why: String,
        /// Another attempt may fare better.
        again: bool,
    },
}

impl FetchError {
    fn again(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            again: true,
        }
    }

    fn in_vain(why: impl Into<String>) -> Self {
        Self::Failed {
            why: why.into(),
            again: false,
        }
    }
}

/// Ready to be asked.
#[derive(Debug)]
pub(super) struct Connector(Kind);

#[derive(Debug)]
enum Kind {
    Http(Box<Http>),
    Postgres(Box<PostgresDatabase>),
    Sqlite(SqliteFile),
    Csv(CsvFile),
}

impl Connector {
    /// # Errors
    /// The field that does not hold, and what was wanted.
    pub(super) fn open(config: &SourceConfig, secret: Option<Secret>) -> Result<Self, Wrong> {
        let kind = match (&config.http, &config.sql, &config.file) {
            (Some(http), None, None) => Kind::Http(Box::new(Http::open(config, http, secret)?)),
            (None, Some(sql), None) if sql.is_postgres() => {
                Kind::Postgres(Box::new(PostgresDatabase::open(config, sql, secret)?))
            }
            (None, Some(sql), None) => Kind::Sqlite(SqliteFile::open(config, sql)?),
            (None, None, Some(file)) => Kind::Csv(CsvFile::open(config, file)?),
            _ => return Err(("http, sql, file", "exactly one of them".into())),
        };
        Ok(Self(kind))
    }

    /// The answer as JSON; `Null` where the source says that it has none.
    ///
    /// # Errors
    /// Why there is no answer.
    pub(super) async fn fetch(&self, question: &Question) -> Result<Value, FetchError> {
        match &self.0 {
            Kind::Http(http) => http.fetch(question).await,
            Kind::Postgres(postgres) => postgres.fetch(question).await,
            Kind::Sqlite(sqlite) => sqlite.fetch(question).await,
            Kind::Csv(csv) => csv.fetch(question).await,
        }
    }
}

/// On a thread that may block.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, FetchError> + Send + 'static,
) -> Result<T, FetchError> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|e| FetchError::again(e.to_string()))?
}
