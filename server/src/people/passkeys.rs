//! Passkeys (WebAuthn), always with user verification: the key is what one has, the PIN
//! or fingerprint that unlocks it what one knows or is.
//!
//! A ceremony is a question that is asked once: whatever comes back, it is gone, so that
//! no answer counts twice. They wait in memory, bounded: a restart costs a second tap.
//!
//! A passkey is made discoverable, so that nobody types a name to sign in, and nobody can
//! ask whose accounts there are.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Mutex, PoisonError};

use rusqlite::{Connection, OptionalExtension, Row, params};
use webauthn_rs::prelude::{
    CredentialID, DiscoverableAuthentication, DiscoverableKey, Passkey, PasskeyAuthentication,
    PasskeyRegistration, PublicKeyCredential, RegisterPublicKeyCredential, Url, Uuid,
};
use webauthn_rs::{Webauthn, WebauthnBuilder};
use webauthn_rs_proto::ResidentKeyRequirement;

use super::sessions::SessionId;
use super::{Person, PersonId, accounts, new_secret, put_on_record};
use crate::log::{Ledger, LogError};
use crate::policy::Act;

/// How long a question waits for its answer.
const CEREMONY_MS_MAX: i64 = 5 * 60 * 1_000;
/// Most questions that wait at a time; then the oldest goes.
const CEREMONIES_MAX: usize = 4_096;
/// Most passkeys of one person.
pub const PASSKEYS_MAX: usize = 10;

/// Why a ceremony came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum PasskeyError {
    /// It was answered already, waited too long, or is another's.
    #[error("this took too long or was answered before: try again")]
    Over,
    #[error("{0}")]
    Refused(String),
}

enum Ceremony {
    Add(PersonId, Box<PasskeyRegistration>),
    SignIn(Box<DiscoverableAuthentication>),
    Unlock(SessionId, Box<PasskeyAuthentication>),
}

/// What the browser is told: the ceremony's name, and WebAuthn's options.
#[derive(Debug, serde::Serialize)]
pub struct Asked {
    pub ceremony: String,
    pub options: serde_json::Value,
}

/// The center as a WebAuthn relying party.
pub struct Passkeys {
    party: Webauthn,
    waiting: Mutex<HashMap<String, (i64, Ceremony)>>,
}

impl fmt::Debug for Passkeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passkeys")
    }
}

impl Passkeys {
    /// For pages of this origin; on `localhost` whatever its port.
    ///
    /// # Errors
    /// When the origin cannot have passkeys: it has no name.
    pub fn new(origin: &str, center_name: &str) -> Result<Self, String> {
        let no_name = || format!("{origin} cannot have passkeys: a name is wanted, not an address");
        let url = Url::parse(origin).map_err(|_| no_name())?;
        let host = url.domain().ok_or_else(no_name)?.to_owned();
        let party = WebauthnBuilder::new(&host, &url)
            .map_err(|_| no_name())?
            .rp_name(center_name)
            .allow_any_port(host == "localhost")
            .build()
            .map_err(|e| e.to_string())?;
        Ok(Self {
            party,
            waiting: Mutex::new(HashMap::new()),
        })
    }

    fn wait(&self, ceremony: Ceremony, now_ms: i64) -> Result<String, LogError> {
        let name = new_secret()?;
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        waiting.retain(|_, (expires_ms, _)| *expires_ms > now_ms);
        if waiting.len() >= CEREMONIES_MAX {
            let oldest = waiting
                .iter()
                .min_by_key(|(_, (expires_ms, _))| *expires_ms);
            if let Some(oldest) = oldest.map(|(name, _)| name.clone()) {
                waiting.remove(&oldest);
            }
        }
        waiting.insert(name.clone(), (now_ms + CEREMONY_MS_MAX, ceremony));
        Ok(name)
    }

    fn take(&self, name: &str, now_ms: i64) -> Option<Ceremony> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (expires_ms, ceremony) = waiting.remove(name)?;
        (expires_ms > now_ms).then_some(ceremony)
    }

    /// Asks for a new passkey of this person; those that the person has are left out.
    ///
    /// # Errors
    /// When the question cannot be made.
    pub fn ask_to_add(
        &self,
        person: &Person,
        handle: [u8; 16],
        has: &[Stored],
        now_ms: i64,
    ) -> Result<Asked, LogError> {
        let known: Vec<CredentialID> = has
            .iter()
            .map(|stored| stored.passkey.cred_id().clone())
            .collect();
        let (mut options, registration) = self
            .party
            .start_passkey_registration(
                Uuid::from_bytes(handle),
                &person.name,
                &person.name,
                Some(known),
            )
            .map_err(|e| LogError::Store(e.to_string()))?;
        if let Some(selection) = &mut options.public_key.authenticator_selection {
            selection.resident_key = Some(ResidentKeyRequirement::Required);
            selection.require_resident_key = true;
        }
        let ceremony = Ceremony::Add(person.id, Box::new(registration));
        asked(self.wait(ceremony, now_ms)?, &options.public_key)
    }

    /// The new passkey, and whose it is.
    ///
    /// # Errors
    /// When the answer is not one to this question.
    pub fn added(
        &self,
        ceremony: &str,
        answer: &RegisterPublicKeyCredential,
        now_ms: i64,
    ) -> Result<(PersonId, Passkey), PasskeyError> {
        let Some(Ceremony::Add(person, registration)) = self.take(ceremony, now_ms) else {
            return Err(PasskeyError::Over);
        };
        let passkey = self
            .party
            .finish_passkey_registration(answer, &registration)
            .map_err(|e| PasskeyError::Refused(e.to_string()))?;
        Ok((person, passkey))
    }

    /// Asks whoever is there to sign in.
    ///
    /// # Errors
    /// When the question cannot be made.
    pub fn ask_to_sign_in(&self, now_ms: i64) -> Result<Asked, LogError> {
        let (options, state) = self
            .party
            .start_discoverable_authentication()
            .map_err(|e| LogError::Store(e.to_string()))?;
        let name = self.wait(Ceremony::SignIn(Box::new(state)), now_ms)?;
        asked(name, &options.public_key)
    }

    /// Which passkey the answer says it is by: nothing is proven yet.
    #[must_use]
    pub fn claimed(answer: &PublicKeyCredential) -> (Option<&[u8]>, &[u8]) {
        (answer.get_user_unique_id(), answer.get_credential_id())
    }

    /// Whether the answer is by this passkey, with user verification. The passkey as it is
    /// to be kept from now on.
    ///
    /// # Errors
    /// When it is not, or not an answer to this question.
    pub fn signed_in(
        &self,
        ceremony: &str,
        answer: &PublicKeyCredential,
        stored: &Stored,
        now_ms: i64,
    ) -> Result<Passkey, PasskeyError> {
        let Some(Ceremony::SignIn(state)) = self.take(ceremony, now_ms) else {
            return Err(PasskeyError::Over);
        };
        let key = DiscoverableKey::from(&stored.passkey);
        let result = self
            .party
            .finish_discoverable_authentication(answer, *state, &[key])
            .map_err(|e| PasskeyError::Refused(e.to_string()))?;
        verified(&result, &stored.passkey)
    }

    /// Asks the person of a locked session for one of its passkeys.
    ///
    /// # Errors
    /// When the person has none, or the question cannot be made.
    pub fn ask_to_unlock(
        &self,
        session: SessionId,
        has: &[Stored],
        now_ms: i64,
    ) -> Result<Asked, LogError> {
        let keys: Vec<Passkey> = has.iter().map(|stored| stored.passkey.clone()).collect();
        if keys.is_empty() {
            return Err(LogError::Conflict(
                "This account has no passkey: sign out, and in again.".into(),
            ));
        }
        let (options, state) = self
            .party
            .start_passkey_authentication(&keys)
            .map_err(|e| LogError::Store(e.to_string()))?;
        let name = self.wait(Ceremony::Unlock(session, Box::new(state)), now_ms)?;
        asked(name, &options.public_key)
    }

    /// As [`Passkeys::signed_in`], for the session that was asked.
    ///
    /// # Errors
    /// When it is another's question, or the answer is none to it.
    pub fn unlocked(
        &self,
        ceremony: &str,
        session: SessionId,
        answer: &PublicKeyCredential,
        has: &[Stored],
        now_ms: i64,
    ) -> Result<Passkey, PasskeyError> {
        let Some(Ceremony::Unlock(asked, state)) = self.take(ceremony, now_ms) else {
            return Err(PasskeyError::Over);
        };
        if asked != session {
            return Err(PasskeyError::Over);
        }
        let result = self
            .party
            .finish_passkey_authentication(answer, &state)
            .map_err(|e| PasskeyError::Refused(e.to_string()))?;
        let stored = has
            .iter()
            .find(|stored| stored.passkey.cred_id() == result.cred_id())
            .ok_or(PasskeyError::Over)?;
        verified(&result, &stored.passkey)
    }
}

fn asked(ceremony: String, options: &impl serde::Serialize) -> Result<Asked, LogError> {
    let options = serde_json::to_value(options).map_err(|e| LogError::Store(e.to_string()))?;
    Ok(Asked { ceremony, options })
}

fn verified(
    result: &webauthn_rs::prelude::AuthenticationResult,
    passkey: &Passkey,
) -> Result<Passkey, PasskeyError> {
    if !result.user_verified() {
        return Err(PasskeyError::Refused("the user was not verified".into()));
    }
    let mut passkey = passkey.clone();
    passkey.update_credential(result);
    Ok(passkey)
}

/// A passkey as the center has it.
#[derive(Debug, Clone)]
pub struct Stored {
    pub number: i64,
    pub person: PersonId,
    /// What the person calls it.
    pub label: String,
    pub passkey: Passkey,
    pub added_ms: i64,
    pub used_ms: Option<i64>,
}

const COLUMNS: &str = "number, person, label, passkey, added_ms, used_ms";

fn stored(row: &Row<'_>) -> rusqlite::Result<Stored> {
    let text: String = row.get(3)?;
    let passkey = serde_json::from_str(&text).map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(3, rusqlite::types::Type::Text, Box::new(e))
    })?;
    Ok(Stored {
        number: row.get(0)?,
        person: PersonId(row.get(1)?),
        label: row.get(2)?,
        passkey,
        added_ms: row.get(4)?,
        used_ms: row.get(5)?,
    })
}

/// The person's passkeys that are good.
///
/// # Errors
/// When the store fails.
pub fn of(connection: &Connection, person: PersonId) -> Result<Vec<Stored>, LogError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM passkeys WHERE person = ?1 AND withdrawn_ms IS NULL ORDER BY number"
        ))?
        .query_map([person.0], stored)?
        .collect::<Result<_, _>>()?;
    Ok(found)
}

/// The good passkey with this credential id, of the account with this handle.
///
/// # Errors
/// When the store fails.
pub fn find(
    connection: &Connection,
    handle: &[u8],
    credential: &[u8],
) -> Result<Option<Stored>, LogError> {
    let found = connection
        .prepare_cached(&format!(
            "SELECT {COLUMNS} FROM passkeys WHERE credential = ?1 AND withdrawn_ms IS NULL
             AND person = (SELECT person FROM people WHERE handle = ?2)"
        ))?
        .query_row(params![credential, handle], stored)
        .optional()?;
    Ok(found)
}

/// Keeps a new passkey.
///
/// # Errors
/// When somebody has it already, or the person has too many; or the store's.
pub fn keep(
    ledger: &mut Ledger<'_>,
    person: PersonId,
    passkey: &Passkey,
    label: &str,
) -> Result<(), LogError> {
    if of(ledger.sql(), person)?.len() >= PASSKEYS_MAX {
        return Err(LogError::Conflict(format!(
            "An account has {PASSKEYS_MAX} passkeys at most: have one withdrawn first."
        )));
    }
    let credential: &[u8] = passkey.cred_id().as_ref();
    let taken = ledger
        .sql()
        .prepare_cached("SELECT 1 FROM passkeys WHERE credential = ?1")?
        .exists([credential])?;
    if taken {
        return Err(LogError::Conflict(
            "The center knows this passkey already.".into(),
        ));
    }
    let text = serde_json::to_string(passkey).map_err(|e| LogError::Store(e.to_string()))?;
    let label: String = label.chars().filter(|c| !c.is_control()).take(60).collect();
    let label = if label.trim().is_empty() {
        "Passkey".to_owned()
    } else {
        label.trim().to_owned()
    };
    ledger.sql().execute(
        "INSERT INTO passkeys (credential, person, label, passkey, added_ms) VALUES (?1, ?2, ?3, ?4, ?5)",
        params![credential, person.0, label, text, ledger.now_ms()],
    )?;
    let who = name_of(ledger, person)?;
    put_on_record(
        ledger,
        &who,
        Act::ChangePeople,
        person,
        true,
        format!("passkey added: {label}"),
    )
}

fn name_of(ledger: &Ledger<'_>, person: PersonId) -> Result<String, LogError> {
    Ok(accounts::find(ledger.sql(), person)?
        .map_or_else(|| person.to_string(), |person| person.name))
}

/// It was used: its counter counts from here.
///
/// # Errors
/// When the store fails.
pub fn used(ledger: &mut Ledger<'_>, number: i64, passkey: &Passkey) -> Result<(), LogError> {
    let text = serde_json::to_string(passkey).map_err(|e| LogError::Store(e.to_string()))?;
    ledger.sql().execute(
        "UPDATE passkeys SET passkey = ?2, used_ms = ?3 WHERE number = ?1",
        params![number, text, ledger.now_ms()],
    )?;
    Ok(())
}

/// Nobody signs in with it any more; the person's sessions end, since one of them may be
/// whoever found the key.
///
/// # Errors
/// When it is not this person's or was withdrawn already, or the store's.
pub fn withdraw(
    ledger: &mut Ledger<'_>,
    person: PersonId,
    number: i64,
    by: &str,
) -> Result<(), LogError> {
    let changed = ledger.sql().execute(
        "UPDATE passkeys SET withdrawn_ms = ?3, withdrawn_by = ?4 WHERE number = ?1 AND person = ?2 AND withdrawn_ms IS NULL",
        params![number, person.0, ledger.now_ms(), by],
    )?;
    if changed == 0 {
        return Err(LogError::Unknown {
            what: "passkey",
            id: number.to_string(),
        });
    }
    super::sessions::end_all_of(ledger, person, "a passkey was withdrawn")?;
    put_on_record(
        ledger,
        by,
        Act::ChangePeople,
        person,
        true,
        format!("passkey {number} withdrawn"),
    )
}
