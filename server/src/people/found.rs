//! The first supervisor of a center: `forerunner init` makes the account and its link in
//! the new log, before the center ever ran.

use packet::CenterId;

use super::accounts::{self, NewPerson};
use super::links::{self, LinkFor};
use super::{PersonId, Post};
use crate::config::Config;
use crate::identity::CenterKeys;
use crate::log::{Log, LogError, LogOptions, Surroundings};
use crate::policy::Role;

/// Why there is no first supervisor.
#[derive(Debug, thiserror::Error)]
pub enum FoundError {
    #[error("the data folder {path} cannot be made: {reason}")]
    Data { path: String, reason: String },
    #[error("the center's keys cannot be made: {0}")]
    Keys(String),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Makes the center's keys and log where there are none, and the account; gives the secret
/// of a link by which the supervisor adds a passkey. The center must not be running.
///
/// # Errors
/// When the folder, the keys or the log cannot be made, or the name is taken.
pub async fn found(config: &Config, agency: &str, name: &str) -> Result<String, FoundError> {
    let failed = |reason: String| FoundError::Data {
        path: config.data.display().to_string(),
        reason,
    };
    std::fs::create_dir_all(&config.data).map_err(|e| failed(e.to_string()))?;
    let keys = CenterKeys::open_or_create(&config.data.join("keys"), &config.names)
        .map_err(|e| FoundError::Keys(e.to_string()))?;
    let options = LogOptions {
        center: CenterId(keys.center_id()),
        store_key: *keys.store_key(),
        mac_key: *keys.mac_key(),
    };
    let path = config.data.join("center.db");
    let log = Log::open_in(&path, &options, &Surroundings::default(), |_| {})?;
    let new = NewPerson {
        agency: Some(agency.to_owned()),
        name: name.to_owned(),
        post: Post::Supervisor,
        certifications: Vec::new(),
    };
    let operator = Role::Operator.name();
    let secret = log
        .write(move |ledger| {
            let id: PersonId = accounts::add(ledger, &new, operator)?;
            links::new(ledger, id, LinkFor::Passkey, operator)
        })
        .await?;
    Ok(secret)
}
