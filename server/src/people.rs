//! The people who sign in at the console: analysts, supervisors, auditors.
//!
//! - [`accounts`]: who they are. An account is made by a supervisor of the same agency
//!   (the first by `forerunner init`), disabled or released, and never deleted: the audit
//!   log refers to it.
//! - [`links`]: single-use links, by which a person adds a passkey.
//! - [`passkeys`]: WebAuthn with user verification: what one has, and a PIN or a
//!   fingerprint, in one gesture (CJIS IA-2(1)(2)).
//! - [`oidc`]: an agency's own sign-in (OpenID Connect).
//! - [`sessions`]: what a browser proves with its cookie: open, locked, or over.
//! - [`watch`]: what is due by time, and who is told of it at once.
//! - [`found`]: the first supervisor of a new center.
//!
//! Nothing here decides what a person may do: that is [`crate::policy`]'s, which is given
//! the person as an [`Actor`]. Whatever changes here, and each try that fails, is put on
//! record in the same transaction.
//!
//! | number | where it is from |
//! |---|---|
//! | 12 h to the next sign-in | IA-5 |
//! | 30 min without use: locked; what was typed stays | AC-11 |
//! | 1 h without use: over | SC-10 |
//! | 5 bad tries in 15 min: until a supervisor releases | AC-7 |
//! | 90 days without a sign-in: disabled | AC-2(3) |

pub mod accounts;
pub mod config;
pub mod found;
pub mod links;
pub mod oidc;
pub mod passkeys;
pub mod sessions;
pub mod watch;

#[cfg(test)]
mod tests;

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::{digest, rand};
use data_encoding::BASE64URL_NOPAD;
use jiff::civil::Date;
use serde::{Deserialize, Serialize};

use crate::audit::{self, Record};
use crate::log::{Ledger, LogError};
use crate::policy::{Act, Actor, Certifications, Role};

/// Longest name of a person, in characters.
pub const NAME_CHARS_MAX: usize = 80;
/// Longest reason that is given for what is done to an account, in characters.
pub const WHY_CHARS_MAX: usize = 200;
/// Most certifications of one person.
pub const CERTIFICATIONS_MAX: usize = 12;

/// A person's number at this center; never given twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PersonId(pub i64);

impl fmt::Display for PersonId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "person {}", self.0)
    }
}

/// What a person is at the console. Only these of [`Role`] sign in here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Post {
    Analyst,
    Supervisor,
    Auditor,
}

impl Post {
    pub const ALL: [Self; 3] = [Self::Analyst, Self::Supervisor, Self::Auditor];

    #[must_use]
    pub fn role(self) -> Role {
        match self {
            Self::Analyst => Role::Analyst,
            Self::Supervisor => Role::Supervisor,
            Self::Auditor => Role::Auditor,
        }
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        self.role().name()
    }
}

impl FromStr for Post {
    type Err = ();

    fn from_str(name: &str) -> Result<Self, ()> {
        Self::ALL
            .into_iter()
            .find(|post| post.name() == name)
            .ok_or(())
    }
}

/// A training or clearance that policies ask for, such as CJIS security awareness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certification {
    pub name: String,
    pub until: Date,
}

/// An account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    pub id: PersonId,
    /// `None`: the center itself.
    pub agency: Option<String>,
    pub name: String,
    pub post: Post,
    pub certifications: Vec<Certification>,
    pub disabled: Option<Disabled>,
    /// Since when too many bad tries keep it from signing in.
    pub locked_ms: Option<i64>,
    /// The last sign-in or use of the console, to within a minute.
    pub seen_ms: Option<i64>,
    pub added_ms: i64,
    /// By which claim the agency's provider names this person, as a supervisor says.
    pub claim: Option<String>,
    /// The provider has signed this person in before: who it is there stands fast.
    pub is_bound: bool,
}

/// Who may not sign in any more, since when, by whom and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Disabled {
    pub since_ms: i64,
    pub by: String,
    pub why: String,
}

impl Person {
    /// Of the certifications those that policies look at.
    fn certified(&self) -> Certifications {
        let until = |name: &str| {
            let named = |one: &&Certification| one.name.eq_ignore_ascii_case(name);
            let found = self.certifications.iter().find(named);
            found.map(|found| found.until)
        };
        Certifications {
            cjis: until("CJIS"),
            intel: until("intel"),
        }
    }

    /// As [`crate::policy`] is asked about this person.
    #[must_use]
    pub fn actor(&self) -> Actor {
        Actor {
            role: self.post.role(),
            name: self.name.clone(),
            agency: self.agency.clone(),
            certifications: self.certified(),
        }
    }
}

/// What the running center has for signing people in.
#[derive(Debug)]
pub struct People {
    pub passkeys: passkeys::Passkeys,
    pub providers: oidc::Providers,
    pub changes: watch::Changes,
}

impl People {
    /// For a console whose pages come from this origin.
    ///
    /// # Errors
    /// When it cannot have passkeys, or what an agency's provider needs cannot be read.
    pub fn new(
        origin: &str,
        center_name: &str,
        config: &config::SignInConfig,
    ) -> Result<Self, String> {
        Ok(Self {
            passkeys: passkeys::Passkeys::new(origin, center_name)?,
            providers: oidc::Providers::new(&config.providers, origin)?,
            changes: watch::Changes::default(),
        })
    }
}

/// 256 bits that nobody guesses, as they cross; the store has only their hash.
fn new_secret() -> Result<String, LogError> {
    let mut random = [0; 32];
    rand::fill(&mut random).map_err(|_| LogError::Store("no randomness".into()))?;
    Ok(BASE64URL_NOPAD.encode(&random))
}

fn hash(secret: &str) -> Vec<u8> {
    digest::digest(&digest::SHA256, secret.as_bytes())
        .as_ref()
        .to_vec()
}

/// Puts on record what `who` did, or tried, to this person's account or session.
pub(crate) fn put_on_record(
    ledger: &Ledger<'_>,
    who: &str,
    act: Act,
    whom: PersonId,
    allowed: bool,
    detail: String,
) -> Result<(), LogError> {
    let record = Record {
        object: whom.to_string(),
        allowed,
        detail,
        ..Record::of(who, act)
    };
    audit::record(ledger, &record)
}
