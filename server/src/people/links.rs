//! Single-use links: by one a person adds a passkey, by another the demo lets one in.
//!
//! The secret stands behind the `#` of the address: no server, proxy or preview is sent
//! it, and what fetches a link beforehand does not spend it. The store has its hash.

use rusqlite::{OptionalExtension, params};

use super::{PersonId, accounts, hash, new_secret, put_on_record};
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// How long a link is good for.
pub const LINK_MS: i64 = 24 * 60 * 60 * 1_000;

/// What a link is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkFor {
    /// Adding a passkey to one's account.
    Passkey,
    /// Signing in without one. Only the demo, whose center has no other people than its
    /// own, makes such a link, and only such a center takes it.
    Demo,
}

impl LinkFor {
    fn name(self) -> &'static str {
        match self {
            Self::Passkey => "passkey",
            Self::Demo => "demo",
        }
    }
}

/// Makes a link; those that the person had before for the same are void.
///
/// # Errors
/// When the person is not known or disabled, or the store's.
pub fn new(
    ledger: &mut Ledger<'_>,
    id: PersonId,
    purpose: LinkFor,
    by: &str,
) -> Result<String, LogError> {
    let Some(person) = accounts::find(ledger.sql(), id)? else {
        return Err(LogError::Unknown {
            what: "such an account:",
            id: id.to_string(),
        });
    };
    if person.disabled.is_some() {
        return Err(LogError::Conflict(format!(
            "{} is disabled: enable the account first.",
            person.name
        )));
    }
    let secret = new_secret()?;
    let now_ms = ledger.now_ms();
    ledger.sql().execute(
        "DELETE FROM sign_in_links WHERE expires_ms <= ?1 OR (person = ?2 AND purpose = ?3)",
        params![now_ms, id.0, purpose.name()],
    )?;
    ledger.sql().execute(
        "INSERT INTO sign_in_links (link, person, purpose, expires_ms) VALUES (?1, ?2, ?3, ?4)",
        params![hash(&secret), id.0, purpose.name(), now_ms + LINK_MS],
    )?;
    let detail = format!("a link made: {}", purpose.name());
    put_on_record(ledger, by, Act::ChangePeople, id, true, detail)?;
    Ok(secret)
}

/// Whose link this is, while it is good; it stays so.
///
/// # Errors
/// When the store fails.
pub fn holder(
    connection: &rusqlite::Connection,
    secret: &str,
    purpose: LinkFor,
    now_ms: i64,
) -> Result<Option<PersonId>, LogError> {
    let holder = connection
        .prepare_cached(
            "SELECT person FROM sign_in_links WHERE link = ?1 AND purpose = ?2 AND expires_ms > ?3",
        )?
        .query_row(params![hash(secret), purpose.name(), now_ms], |row| {
            row.get(0)
        })
        .optional()?;
    Ok(holder.map(PersonId))
}

/// Spends a link: whoever comes second gets nothing.
///
/// # Errors
/// When the store fails.
pub fn spend(
    ledger: &mut Ledger<'_>,
    secret: &str,
    purpose: LinkFor,
) -> Result<Option<PersonId>, LogError> {
    let spent = ledger
        .sql()
        .query_row(
            "DELETE FROM sign_in_links WHERE link = ?1 AND purpose = ?2 AND expires_ms > ?3 RETURNING person",
            params![hash(secret), purpose.name(), ledger.now_ms()],
            |row| row.get(0),
        )
        .optional()?;
    Ok(spent.map(PersonId))
}
