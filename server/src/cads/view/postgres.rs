//! A CAD that keeps its calls in PostgreSQL.

use std::collections::BTreeMap;

use tokio::sync::Mutex;
use tokio_postgres::Client;

use super::{Fetched, LOOK_MAX, Select, TEXT_CHARS_MAX};
use crate::cads::config::ViewConfig;
use crate::enrich::secret::{Secret, SecretConfig};
use crate::postgres::{Field, Place, why};

/// One connection, kept between two looks.
#[derive(Debug)]
pub(super) struct Postgres {
    config: ViewConfig,
    place: Place,
    secret: Option<Secret>,
    client: Mutex<Option<Client>>,
}

impl Postgres {
    pub(super) fn open(config: &ViewConfig) -> Result<Self, (&'static str, String)> {
        let secret = config.secret.as_ref().map(SecretConfig::read).transpose();
        let secret = secret.map_err(|wanted| ("view.secret", wanted))?;
        let password = secret.as_ref().map(Secret::expose);
        let place = Place::parse(&config.database, password, config.ca.as_deref());
        let place = place.map_err(|(field, wanted)| match field {
            Field::Url => ("view.database", wanted),
            Field::Ca => ("view.ca", wanted),
        })?;
        Ok(Self {
            config: config.clone(),
            place,
            secret,
            client: Mutex::new(None),
        })
    }

    /// A look that fails, or that nobody waits for any more, takes its connection along.
    pub(super) async fn rows(&self, after: i64, rows_max: usize) -> Result<Vec<Fetched>, String> {
        let mut kept = self.client.lock().await;
        let client = match kept.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.connect().await?,
        };
        let rows = self.ask(&client, after, rows_max).await?;
        *kept = Some(client);
        Ok(rows)
    }

    async fn connect(&self) -> Result<Client, String> {
        let client = self.place.connect().await.map_err(|e| self.failed(&e))?;
        // Times come as ISO 8601, and where they have a zone with an offset.
        let preamble = format!(
            "SET default_transaction_read_only = on; SET datestyle = ISO; SET timezone = 'UTC';
             SET statement_timeout = {}; SET idle_session_timeout = 0",
            LOOK_MAX.as_millis()
        );
        let told = client.batch_execute(&preamble).await;
        told.map_err(|e| self.failed(&e))?;
        Ok(client)
    }

    async fn ask(
        &self,
        client: &Client,
        after: i64,
        rows_max: usize,
    ) -> Result<Vec<Fetched>, String> {
        let failed = |e: tokio_postgres::Error| self.failed(&e);
        // Both are names and nothing else: the configuration was held to that.
        let (view, key) = (&self.config.name, &self.config.key);
        let found = client
            .prepare(&format!("SELECT * FROM {view} LIMIT 0"))
            .await;
        let found = found.map_err(failed)?;
        let found: Vec<String> = found
            .columns()
            .iter()
            .map(|it| it.name().to_owned())
            .collect();
        let select = Select::of(
            &self.config,
            &found,
            |key| format!("{key}::int8"),
            |column| format!("left({column}::text, {TEXT_CHARS_MAX})"),
        )?;
        let text = format!(
            "SELECT {} FROM {view} WHERE {key} > $1::int8 ORDER BY {key} LIMIT $2::int8",
            select.list
        );
        let limit = i64::try_from(rows_max).unwrap_or(i64::MAX);
        let rows = client
            .query(&text, &[&after, &limit])
            .await
            .map_err(failed)?;
        let mut fetched = Vec::with_capacity(rows.len());
        for row in rows {
            let mut texts = BTreeMap::new();
            for (at, column) in select.columns.iter().enumerate() {
                let text: Option<String> = row.try_get(at + 1).map_err(failed)?;
                texts.extend(text.map(|text| (*column, text)));
            }
            let key = row.try_get(0).map_err(failed)?;
            fetched.push(Fetched { key, texts });
        }
        Ok(fetched)
    }

    fn failed(&self, error: &tokio_postgres::Error) -> String {
        Secret::hide(self.secret.as_ref(), why(error))
    }
}
