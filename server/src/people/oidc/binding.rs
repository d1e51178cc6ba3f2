//! Whose account a login at a provider opens.

use rusqlite::{Connection, OptionalExtension, params};

use super::Known;
use crate::log::{Ledger, LogError};
use crate::people::{PersonId, accounts, put_on_record};
use crate::policy::Act;

/// The person of the agency whom the provider means: bound before, or now. `None`: nobody,
/// and nobody is made.
///
/// # Errors
/// When the store fails.
pub fn person(ledger: &mut Ledger<'_>, known: &Known) -> Result<Option<PersonId>, LogError> {
    if let Some((person, agency)) = bound(ledger.sql(), known)? {
        // A login is one account's, whichever agencies share the provider.
        return Ok((agency.as_ref() == Some(&known.agency)).then_some(person));
    }
    let Some(claim) = &known.claim else {
        return Ok(None);
    };
    let named: Option<i64> = ledger
        .sql()
        .prepare_cached(
            "SELECT person FROM people WHERE agency = ?1 AND oidc_claim = ?2 AND oidc_subject IS NULL",
        )?
        .query_row(params![known.agency, claim], |row| row.get(0))
        .optional()?;
    let Some(id) = named.map(PersonId) else {
        return Ok(None);
    };
    // Who may not sign in is not bound by trying.
    match accounts::find(ledger.sql(), id)? {
        Some(person) if accounts::barred(&person).is_none() => {
            bind(ledger, id, &person.name, known)?;
        }
        _ => {}
    }
    Ok(Some(id))
}

fn bind(ledger: &mut Ledger<'_>, id: PersonId, name: &str, known: &Known) -> Result<(), LogError> {
    ledger.sql().execute(
        "UPDATE people SET oidc_issuer = ?2, oidc_subject = ?3 WHERE person = ?1",
        params![id.0, known.issuer, known.subject],
    )?;
    let detail = format!("bound to {}", known.login());
    put_on_record(ledger, name, Act::ChangePeople, id, true, detail)
}

fn bound(
    connection: &Connection,
    known: &Known,
) -> Result<Option<(PersonId, Option<String>)>, LogError> {
    let found = connection
        .prepare_cached(
            "SELECT person, agency FROM people WHERE oidc_issuer = ?1 AND oidc_subject = ?2",
        )?
        .query_row(params![known.issuer, known.subject], |row| {
            Ok((PersonId(row.get(0)?), row.get(1)?))
        })
        .optional()?;
    Ok(found)
}

/// Says by which claim's value the provider names this person; a binding of before is gone.
/// An empty text takes it away.
///
/// # Errors
/// When another account of the agency has it, or the person is not known; or the store's.
pub fn name_by(
    ledger: &mut Ledger<'_>,
    id: PersonId,
    claim: &str,
    by: &str,
) -> Result<(), LogError> {
    let claim = claim.trim().to_lowercase();
    if claim.chars().count() > 200 || claim.contains(char::is_control) {
        return Err(LogError::Conflict(
            "provider's claim: at most 200 characters in one line".into(),
        ));
    }
    let claim = Some(claim).filter(|claim| !claim.is_empty());
    let taken = ledger
        .sql()
        .prepare_cached(
            "SELECT 1 FROM people WHERE oidc_claim = ?2 AND person <> ?1
             AND agency IS (SELECT agency FROM people WHERE person = ?1)",
        )?
        .exists(params![id.0, claim])?;
    if taken {
        return Err(LogError::Conflict(
            "provider's claim: another account of this agency has it".into(),
        ));
    }
    let changed = ledger.sql().execute(
        "UPDATE people SET oidc_claim = ?2, oidc_issuer = NULL, oidc_subject = NULL WHERE person = ?1",
        params![id.0, claim],
    )?;
    if changed == 0 {
        return Err(LogError::Unknown {
            what: "such an account:",
            id: id.to_string(),
        });
    }
    let detail = format!("named to the provider as: {}", claim.unwrap_or_default());
    put_on_record(ledger, by, Act::ChangePeople, id, true, detail)
}
