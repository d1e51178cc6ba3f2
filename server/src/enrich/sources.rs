//! The sources of a center, ready to be asked.

use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::config::{SOURCES_MAX, SourceConfig, Wrong};
use super::connect::{Connector, FetchError, Question};
use super::map::{Brings, Gives, Labels, Mapper, Mapping};
use super::own;
use super::plan::CENTER;
use super::schedule::{Fetched, Limits};
use crate::config::{Config, ConfigError};
use crate::{hot_list, plate_reads};

/// As packets name what the center itself says: an agency's source is told apart from it.
const OUR_NAMES: [&str; 6] = [
    CENTER,
    own::earlier::SOURCE,
    own::near::SOURCE,
    own::cameras::SOURCE,
    hot_list::SOURCE,
    plate_reads::SOURCE,
];

/// One source, opened: its secret is read, its mapping compiled, its certificates loaded.
pub struct Source {
    pub config: SourceConfig,
    connector: Connector,
    mapping: Mapping,
    labels: Labels,
    mapper: Mapper,
}

impl fmt::Debug for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Source")
            .field("name", &self.config.name)
            .finish_non_exhaustive()
    }
}

/// All of them, in the order of the configuration.
#[derive(Debug, Clone, Default)]
pub struct Sources(Arc<[Source]>);

impl std::ops::Deref for Sources {
    type Target = [Source];

    fn deref(&self) -> &[Source] {
        &self.0
    }
}

impl Sources {
    /// Reads the files that the configuration names: mappings, secrets, certificates. No
    /// source is asked anything.
    ///
    /// # Errors
    /// The source, the field that does not hold, and what was wanted.
    pub fn open(config: &Config) -> Result<Self, ConfigError> {
        check(config)?;
        let mapper = Mapper::default();
        let opened = config.sources.iter().map(|source| {
            Source::open(source, &mapper).map_err(|wrong| not_so(&source.name, wrong))
        });
        Ok(Self(opened.collect::<Result<_, _>>()?))
    }

    #[must_use]
    pub fn limits(&self) -> Vec<Limits> {
        self.iter().map(|source| source.config.limits()).collect()
    }
}

/// What can be said of the sources without opening a file.
pub(crate) fn check(config: &Config) -> Result<(), ConfigError> {
    if config.sources.len() > SOURCES_MAX {
        let wanted = format!("at most {SOURCES_MAX}");
        return Err(ConfigError::Field {
            field: "sources".into(),
            wanted,
        });
    }
    let agencies: Vec<String> = config.agencies.iter().map(|a| a.id.clone()).collect();
    let mut names = std::collections::HashSet::new();
    for source in &config.sources {
        if OUR_NAMES.contains(&&*source.name) || !names.insert(&source.name) {
            let wanted = "a name that no other source has, and none of the center's own".to_owned();
            return Err(not_so(&source.name, ("name", wanted)));
        }
        source
            .check(&agencies, &config.purposes)
            .map_err(|wrong| not_so(&source.name, wrong))?;
    }
    Ok(())
}

fn not_so(name: &str, (field, wanted): Wrong) -> ConfigError {
    ConfigError::Field {
        field: format!("sources.{name}.{field}"),
        wanted,
    }
}

/// What came of asking a source once, with what it said, for a person who tries it.
#[derive(Debug, Clone)]
pub struct Tried {
    pub raw: Value,
    pub brings: Result<Brings, String>,
}

impl Source {
    fn open(config: &SourceConfig, mapper: &Mapper) -> Result<Self, Wrong> {
        let secret = config.secret.as_ref().map(|secret| secret.read());
        let secret = secret.transpose().map_err(|wanted| ("secret", wanted))?;
        let mapping = match (&config.mapping, config.gives) {
            (Some(path), _) => Mapping::read(path),
            (None, gives) => Mapping::built_in(gives.unwrap_or(Gives::Rows)),
        };
        Ok(Self {
            connector: Connector::open(config, secret)?,
            mapping: mapping.map_err(|wanted| ("mapping", wanted))?,
            labels: Labels {
                source: config.name.clone(),
                confidence: config.confidence,
            },
            mapper: mapper.clone(),
            config: config.clone(),
        })
    }

    /// Asks it once.
    pub async fn fetch(&self, question: &Question) -> Fetched<Arc<Brings>> {
        let raw = match self.connector.fetch(question).await {
            Ok(raw) => raw,
            Err(FetchError::Refused(why)) => return Fetched::Refused(why),
            Err(FetchError::Failed { why, again }) => return Fetched::Failed { why, again },
        };
        match self.map(raw, question).await {
            Ok(brings) => Fetched::Answer(Arc::new(brings)),
            Err(why) => Fetched::Failed { why, again: false },
        }
    }

    /// Asks it once, and keeps what it said as it said it.
    ///
    /// # Errors
    /// Why there is no answer.
    pub async fn try_once(&self, question: &Question) -> Result<Tried, FetchError> {
        let raw = self.connector.fetch(question).await?;
        let brings = self.map(raw.clone(), question).await;
        Ok(Tried { raw, brings })
    }

    async fn map(&self, raw: Value, question: &Question) -> Result<Brings, String> {
        self.mapper
            .map(&self.mapping, raw, &question.subject, &self.labels)
            .await
    }
}
