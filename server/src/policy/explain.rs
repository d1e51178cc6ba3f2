//! Who may see a document, and by which policies: for `forerunner policy explain`.

use std::fmt;

use jiff::civil::Date;
use packet::{CallId, Compartment, Kind};
use rusqlite::{Connection, OptionalExtension};

use super::set::{Policies, Question, Verdict};
use super::who::{Certifications, On, Who};
use super::{Act, People, Role, agency_of, decide};
use crate::audit::{self, Record};
use crate::backup::{KEYS, LOG};
use crate::clock;
use crate::config::Config;
use crate::identity::LogKey;
use crate::log::{self, LogError};
use crate::people::{Person, accounts};

/// A document as people name it, and whose it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    pub agency: String,
    pub compartment: Compartment,
}

/// One decision with what made it.
#[derive(Debug)]
pub struct Explained {
    pub act: Act,
    pub verdict: Verdict,
}

impl fmt::Display for Explained {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let act = self.act.name();
        let said = if self.verdict.allowed {
            "allowed"
        } else {
            "denied"
        };
        write!(f, "{act}: {said}")?;
        if self.verdict.by.is_empty() {
            return write!(f, ": no policy permits it");
        }
        for by in &self.verdict.by {
            write!(f, "\n  by {by}")?;
        }
        Ok(())
    }
}

/// Reads `AGENCY/BADGE` or `AGENCY/NAME`, of one in this role.
///
/// # Errors
/// Says what was wanted.
pub fn who(config: &Config, people: &People, role: Role, user: &str) -> Result<Who, String> {
    let wanted = "AGENCY/BADGE of an officer, or AGENCY/NAME";
    let (agency, name) = user
        .split_once('/')
        .ok_or_else(|| format!("user: {wanted} is wanted, not {user}"))?;
    let found = config.agencies.iter().find(|known| known.id == agency);
    if found.is_none() && agency != super::CENTER {
        let known: Vec<_> = config.agencies.iter().map(|a| a.id.as_str()).collect();
        return Err(format!(
            "user: {agency} is none of the agencies: {}, or {} is wanted",
            known.join(", "),
            super::CENTER
        ));
    }
    let certifications = match (role, found) {
        (Role::Officer, Some(found)) if !found.officers.iter().any(|o| o.badge == name) => {
            return Err(format!("user: a badge of {agency} is wanted, not {name}"));
        }
        (Role::Officer, _) => people.officer(agency, name),
        (Role::Analyst | Role::Supervisor | Role::Auditor, _) => account(config, agency, name)?,
        _ => Certifications::default(),
    };
    Ok(Who {
        role,
        agency: agency.into(),
        name: name.into(),
        certifications,
        device: (role == Role::Officer).then(|| agency.into()),
    })
}

/// What the account of somebody at the console says, in the log of this configuration's center.
fn account(config: &Config, agency: &str, name: &str) -> Result<Certifications, String> {
    let path = config.data.join(LOG);
    if !path.exists() {
        return Err(format!(
            "user: {name} is at the console, and there is no center in {} yet",
            config.data.display()
        ));
    }
    let key = LogKey::open(&config.data.join(KEYS)).map_err(|e| e.to_string())?;
    let failed = |e: LogError| e.to_string();
    let connection = log::beside(&path, &key.store_key).map_err(failed)?;
    let of = (agency != super::CENTER).then_some(agency);
    let all = accounts::all(&connection, of).map_err(failed)?;
    let is_named = |person: &Person| person.agency.as_deref() == of && person.name == name;
    let found = all.into_iter().find(is_named);
    let found = found.ok_or_else(|| format!("user: nobody of {agency} has the account {name}"))?;
    Ok(found.actor().certifications)
}

/// Reads `AGENCY/COMPARTMENT` (any document of that agency's calls).
///
/// # Errors
/// Says what was wanted.
pub fn named(config: &Config, document: &str) -> Result<Named, String> {
    let wanted = "AGENCY/COMPARTMENT, CALL/COMPARTMENT or AGENCY/NUMBER/COMPARTMENT";
    let (agency, compartment) = document
        .rsplit_once('/')
        .ok_or_else(|| format!("document: {wanted} is wanted, not {document}"))?;
    let compartment = compartment_named(compartment)?;
    let is_known = agency == super::CENTER || config.agencies.iter().any(|a| a.id == agency);
    if !is_known {
        return Err(format!(
            "document: {agency} is no agency and no call that is known: {wanted} is wanted"
        ));
    }
    Ok(Named {
        agency: agency.into(),
        compartment,
    })
}

/// # Errors
/// Says what was wanted.
pub fn compartment_named(name: &str) -> Result<Compartment, String> {
    let named = |compartment: &Compartment| compartment.name() == name;
    Compartment::ALL.into_iter().find(named).ok_or_else(|| {
        let all = Compartment::ALL.map(Compartment::name);
        format!(
            "compartment: one of {} is wanted, not {name}",
            all.join(", ")
        )
    })
}

/// As [`named`], of a call in the log of this configuration's center, which may be running.
/// That it was asked is put on record.
///
/// # Errors
/// Says what was wanted, or why the log cannot be read.
pub fn find(config: &Config, user: &str, document: &str) -> Result<Named, String> {
    let path = config.data.join(LOG);
    let (call, compartment) = document.rsplit_once('/').unwrap_or((document, ""));
    let is_agency = call == super::CENTER || config.agencies.iter().any(|a| a.id == call);
    if is_agency || !path.exists() {
        return named(config, document);
    }
    let compartment = compartment_named(compartment)?;
    let key = LogKey::open(&config.data.join(KEYS)).map_err(|e| e.to_string())?;
    let failed = |e: LogError| e.to_string();
    let mut connection = log::beside(&path, &key.store_key).map_err(failed)?;
    let record = Record {
        object: document.chars().take(100).collect(),
        allowed: decide(Role::Operator, Act::ExplainPolicy),
        detail: format!("of {user}"),
        ..Record::of(Role::Operator.name(), Act::ExplainPolicy)
    };
    audit::record_in(&mut connection, &record, clock::now_ms()).map_err(failed)?;
    match owner(&connection, call).map_err(failed)? {
        Some(agency) => Ok(Named {
            agency,
            compartment,
        }),
        None => named(config, document),
    }
}

fn owner(connection: &Connection, call: &str) -> Result<Option<String>, LogError> {
    if let Ok(call) = call.parse::<CallId>() {
        return agency_of(connection, call);
    }
    let Some((agency, number)) = call.split_once('/') else {
        return Ok(None);
    };
    let found = connection
        .prepare_cached("SELECT agency FROM calls WHERE agency = ?1 AND number = ?2")?
        .query_row([agency, number], |row| row.get(0))
        .optional()?;
    Ok(found)
}

/// What this one may do to the document, each with what made it so.
#[must_use]
pub fn explain(
    policies: &Policies,
    who: &Who,
    document: &Named,
    purpose: Option<&str>,
    today: Date,
) -> Vec<Explained> {
    let compartment = document.compartment;
    let mut acts = match who.role {
        // What no device keeps is shown where there is a link.
        Role::Officer if compartment == Compartment::Intel => {
            vec![Act::Carry(compartment), Act::Show(compartment)]
        }
        Role::Officer | Role::Device => vec![Act::Carry(compartment)],
        _ => vec![Act::Show(compartment), Act::SearchIn(compartment)],
    };
    if compartment == Compartment::Call {
        acts.extend([Act::SeePacket, Act::FetchAttachment, Act::Write(Kind::Note)]);
    }
    let asked = acts.into_iter().map(|act| {
        let verdict = policies.judge(&Question {
            who,
            act,
            on: On::Document {
                agency: &document.agency,
                compartment,
            },
            purpose: purpose.unwrap_or_else(|| policies.names().purpose()),
            today,
        });
        Explained { act, verdict }
    });
    asked.collect()
}
