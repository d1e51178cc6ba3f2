//! A source in PostgreSQL: one `SELECT`, read-only, its rows made JSON by the database.

use std::sync::{Mutex, PoisonError};

use futures_util::{TryStreamExt, pin_mut};
use serde_json::Value;
use tokio_postgres::Client;
use tokio_postgres::error::SqlState;

use super::select::Select;
use super::{ANSWER_BYTES_MAX, FetchError, Question, ROWS_MAX};
use crate::enrich::config::{SourceConfig, SqlConfig, Wrong};
use crate::enrich::secret::Secret;
use crate::postgres::{self, Place};

#[derive(Debug)]
pub(super) struct PostgresDatabase {
    place: Place,
    select: Select,
    /// What each connection is told first.
    preamble: String,
    /// Connections that nobody uses now: no more than may be asked at a time.
    idle: Mutex<Vec<Client>>,
    idle_max: usize,
    secret: Option<Secret>,
}

impl PostgresDatabase {
    pub(super) fn open(
        config: &SourceConfig,
        sql: &SqlConfig,
        secret: Option<Secret>,
    ) -> Result<Self, Wrong> {
        let select = Select::parse(&sql.select, |number| format!("${number}::text"))
            .map_err(|wanted| ("sql.select", wanted))?;
        config.check_names("sql.select", |name| select.parameters.contains(&name))?;
        let password = secret.as_ref().map(Secret::expose);
        let place = Place::parse(&sql.database, password, sql.ca.as_deref()).map_err(
            |(field, wanted)| match field {
                postgres::Field::Url => ("sql.database", wanted),
                postgres::Field::Ca => ("sql.ca", wanted),
            },
        )?;
        // Each row is one JSON text, of any types; one that is too long is none, so that
        // not even a hostile row is kept in memory whole.
        let rows = ROWS_MAX + 1;
        let text = format!(
            "SELECT CASE WHEN octet_length(answer) <= {ANSWER_BYTES_MAX} THEN answer END FROM \
             (SELECT to_json(answers)::text AS answer FROM (\n{}\n) AS answers LIMIT {rows}) AS limited",
            select.text
        );
        Ok(Self {
            place,
            select: Select { text, ..select },
            preamble: format!(
                "SET default_transaction_read_only = on; SET statement_timeout = {}; SET idle_session_timeout = 0",
                config.timeout_ms
            ),
            idle: Mutex::new(Vec::new()),
            idle_max: usize::from(config.in_flight),
            secret,
        })
    }

    /// A connection is used by one question at a time. When the question is given up the
    /// connection goes with it, and the database ends the statement by its own timeout.
    pub(super) async fn fetch(&self, question: &Question) -> Result<Value, FetchError> {
        let client = match self.idle_client() {
            Some(client) => client,
            None => self.connect().await?,
        };
        let answer = self.ask(&client, question).await?;
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.idle_max {
            idle.push(client);
        }
        Ok(answer)
    }

    fn idle_client(&self) -> Option<Client> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        idle.retain(|client| !client.is_closed());
        idle.pop()
    }

    async fn connect(&self) -> Result<Client, FetchError> {
        let client = self.place.connect().await.map_err(|e| self.failed(&e))?;
        let told = client.batch_execute(&self.preamble).await;
        told.map_err(|e| self.failed(&e))?;
        Ok(client)
    }

    async fn ask(&self, client: &Client, question: &Question) -> Result<Value, FetchError> {
        let values = self.select.parameters.iter();
        let values: Vec<String> = values.map(|name| question.value(*name, None)).collect();
        let failed = |e: tokio_postgres::Error| self.failed(&e);
        let rows = client
            .query_raw(&self.select.text, &values)
            .await
            .map_err(failed)?;
        pin_mut!(rows);
        let (mut answers, mut bytes) = (Vec::new(), 0);
        while let Some(row) = rows.try_next().await.map_err(failed)? {
            let text: Option<&str> = row.try_get(0).map_err(failed)?;
            bytes += text.map_or(ANSWER_BYTES_MAX + 1, str::len);
            if bytes > ANSWER_BYTES_MAX {
                let why = format!("its answer is over {ANSWER_BYTES_MAX} bytes");
                return Err(FetchError::in_vain(why));
            }
            if answers.len() == ROWS_MAX {
                return Err(FetchError::in_vain(format!(
                    "its answer has over {ROWS_MAX} rows"
                )));
            }
            let answer = serde_json::from_str(text.unwrap_or_default());
            answers
                .push(answer.map_err(|e| FetchError::in_vain(format!("a row is no JSON: {e}")))?);
        }
        Ok(Value::Array(answers))
    }

    fn failed(&self, error: &tokio_postgres::Error) -> FetchError {
        let why = Secret::hide(self.secret.as_ref(), postgres::why(error));
        match error.code() {
            Some(&SqlState::INSUFFICIENT_PRIVILEGE) => FetchError::Refused(why),
            Some(&SqlState::INVALID_PASSWORD | &SqlState::INVALID_AUTHORIZATION_SPECIFICATION) => {
                FetchError::Refused(why)
            }
            // What is wrong with the statement stays wrong: classes 22 and 42.
            Some(code) if code.code().starts_with("42") || code.code().starts_with("22") => {
                FetchError::in_vain(why)
            }
            Some(_) => FetchError::again(why),
            None if postgres::is_certificate(error) => {
                FetchError::in_vain(format!("its certificate does not hold: {why}"))
            }
            None => FetchError::again(format!("it cannot be reached: {why}")),
        }
    }
}
