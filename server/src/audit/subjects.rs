//! Who and what was looked up, so that it can be asked for and be forgotten.
//!
//! The audit log can never be changed, and it must not keep alive what a court has
//! expunged. So no plate, name or phone stands in it: an entry has a keyed hash of each
//! (HMAC-SHA-256, FIPS 198-1), whose key is random, is this one subject's alone, and lies
//! beside the log. Whoever asks *who has looked for this plate* has the plate hashed by the
//! same key. Once the key is destroyed nobody can ask that any more, not with all of the
//! center's other keys: the entry stays, verifiable as ever, and says that somebody was
//! looked up.
//!
//! The hashes differ from log to log, and an export holds no key: nothing can be tried
//! against it.

use std::fmt;

use aws_lc_rs::{hmac, rand};
use data_encoding::BASE64URL_NOPAD;
use packet::entry::QueryWhat;
use packet::lookup;
use rusqlite::{Connection, OptionalExtension, params};

use crate::log::LogError;

/// Of a hash so many bytes stand in an entry: no two are the same by chance.
const HASH_BYTES: usize = 16;
/// The name in `meta` of the key by which a subject's own key is found.
const FINDING_KEY: &str = "audit_finding_key";

/// Something by which a person can be found, in one spelling. `Debug` shows its kind alone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Subject {
    kind: &'static str,
    value: String,
}

/// The kinds, as the API and the console name them.
pub const KINDS: [&str; 5] = ["plate", "person", "phone", "address", "words"];

impl fmt::Debug for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a {}", self.kind)
    }
}

impl Subject {
    /// As people type it, of one of [`KINDS`]; `None` where it is of none, or empty.
    #[must_use]
    pub fn read(kind: &str, value: &str) -> Option<Self> {
        let parsed = |what| packet::Subject::parse(what, value).ok();
        let words = |text: &str| lookup::words(text).join(" ");
        let (kind, value) = match kind {
            "plate" => match parsed(QueryWhat::Plate) {
                Some(packet::Subject::Plate { plate, .. }) => ("plate", plate),
                // A part of one.
                _ => ("plate", lookup::partial_plate(value)),
            },
            "person" => match parsed(QueryWhat::Person) {
                // Without the date of birth, which one asks by and another does not.
                Some(packet::Subject::Person { last, first, .. }) => {
                    ("person", words(&format!("{last} {first}")))
                }
                _ => ("person", words(value)),
            },
            "phone" => match parsed(QueryWhat::Phone) {
                Some(packet::Subject::Phone(digits)) => ("phone", digits),
                _ => (
                    "phone",
                    value.chars().filter(char::is_ascii_digit).collect(),
                ),
            },
            "address" => ("address", lookup::place(value)),
            "words" => ("words", words(value)),
            _ => return None,
        };
        (!value.is_empty()).then_some(Self { kind, value })
    }

    /// Of what a source is asked about; a position is nobody.
    #[must_use]
    pub fn of(asked: &packet::Subject) -> Option<Self> {
        let kind = match asked {
            packet::Subject::Address(_) => "address",
            packet::Subject::Plate { .. } => "plate",
            packet::Subject::Person { .. } => "person",
            packet::Subject::Phone(_) => "phone",
            packet::Subject::Position { .. } => return None,
        };
        Self::read(kind, &asked.shown())
    }

    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// In its one spelling, which [`Subject::read`] gives back.
    pub(super) fn value(&self) -> &str {
        &self.value
    }

    fn keyed(&self, key: &[u8]) -> hmac::Tag {
        let key = hmac::Key::new(hmac::HMAC_SHA256, key);
        let text = [self.kind.as_bytes(), &[0], self.value.as_bytes()].concat();
        hmac::sign(&key, &text)
    }

    /// As it stands in entries: its kind and its hash under its own key.
    fn hashed(&self, own_key: &[u8]) -> String {
        let tag = self.keyed(own_key);
        let hash = BASE64URL_NOPAD.encode(&tag.as_ref()[..HASH_BYTES]);
        format!("{}:{hash}", self.kind)
    }
}

/// As it stands in entries; `None` where nobody was ever asked about it, or it is forgotten.
///
/// # Errors
/// When the store fails.
pub(super) fn find(connection: &Connection, subject: &Subject) -> Result<Option<String>, LogError> {
    let Some(finding_key) = finding_key(connection)? else {
        return Ok(None);
    };
    let found: Option<Vec<u8>> = connection
        .prepare_cached("SELECT key FROM audit_subject_keys WHERE found_by = ?1")?
        .query_row([subject.keyed(&finding_key).as_ref()], |row| row.get(0))
        .optional()?;
    Ok(found.map(|own_key| subject.hashed(&own_key)))
}

/// As it stands in entries, with a key of its own from now on.
pub(super) fn hash(connection: &Connection, subject: &Subject) -> Result<String, LogError> {
    if let Some(known) = find(connection, subject)? {
        return Ok(known);
    }
    let finding_key = match finding_key(connection)? {
        Some(known) => known,
        None => {
            let fresh = random()?;
            connection.execute(
                "INSERT INTO meta VALUES (?1, ?2)",
                params![FINDING_KEY, fresh],
            )?;
            fresh
        }
    };
    let own_key = random()?;
    let hashed = subject.hashed(&own_key);
    connection
        .prepare_cached(
            "INSERT INTO audit_subject_keys (found_by, key, subject) VALUES (?1, ?2, ?3)",
        )?
        .execute(params![
            subject.keyed(&finding_key).as_ref(),
            own_key,
            hashed
        ])?;
    Ok(hashed)
}

/// Destroys a subject's key: that it was ever looked up can no longer be found out. Says
/// whether there was one.
///
/// # Errors
/// When the store fails.
pub(super) fn forget(connection: &Connection, subject: &Subject) -> Result<bool, LogError> {
    let Some(finding_key) = finding_key(connection)? else {
        return Ok(false);
    };
    let gone = connection
        .prepare_cached("DELETE FROM audit_subject_keys WHERE found_by = ?1")?
        .execute([subject.keyed(&finding_key).as_ref()])?;
    Ok(gone > 0)
}

fn finding_key(connection: &Connection) -> Result<Option<Vec<u8>>, LogError> {
    let key = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([FINDING_KEY], |row| row.get(0))
        .optional()?;
    Ok(key)
}

fn random() -> Result<Vec<u8>, LogError> {
    let mut key = vec![0; 32];
    rand::fill(&mut key).map_err(|_| LogError::Store("this machine gives no randomness".into()))?;
    Ok(key)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_subject_has_one_spelling() {
        for (kind, one, other) in [
            ("plate", "abc-123 WI", "ABC123"),
            ("person", "Doe, Jane 1984-05-03", "jane doe"),
            ("phone", "1 (414) 555-0100", "414-555-0100"),
            ("address", "5237 North 35th Street Apt 4", "5237 N 35TH ST"),
            ("words", "silver   sedan", "Silver sedan"),
        ] {
            assert_eq!(
                Subject::read(kind, one),
                Subject::read(kind, other),
                "{one}"
            );
            assert!(Subject::read(kind, one).is_some());
        }
        assert_ne!(
            Subject::read("plate", "ABC123"),
            Subject::read("words", "ABC123")
        );
        assert_eq!(Subject::read("plate", " - "), None);
        assert_eq!(Subject::read("colour", "red"), None);
        let asked = packet::Subject::parse(QueryWhat::Plate, "abc123 wi").unwrap();
        assert_eq!(Subject::of(&asked), Subject::read("plate", "ABC 123"));
    }
}
