//! What an agency expects of the policies, held against them: for `forerunner policy test`.
//!
//! ```toml
//! [[expect]]
//! who = { role = "officer", agency = "so", certifications = { CJIS = "2027-01-31" } }
//! may = "carry"
//! document = "pd/records"
//! purpose = "C"
//! on = "2026-12-01"
//! outcome = "deny"
//! ```

use std::path::Path;

use jiff::civil::Date;
use packet::{Compartment, Kind};
use serde::Deserialize;

use super::explain::{self, Named};
use super::set::{Policies, Question};
use super::who::{Certifications, On, Who};
use super::{Act, People, Role};
use crate::config::Config;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ExpectFile {
    #[serde(default)]
    expect: Vec<Expectation>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expectation {
    /// Made up …
    #[serde(default)]
    who: Option<MadeUp>,
    /// … or one of the configuration's: `AGENCY/BADGE`.
    #[serde(default)]
    user: Option<String>,
    may: String,
    #[serde(default)]
    document: Option<String>,
    /// A source's name in the configuration.
    #[serde(default)]
    source: Option<String>,
    #[serde(default)]
    purpose: Option<String>,
    /// Today, where it is not said.
    #[serde(default)]
    on: Option<Date>,
    outcome: Outcome,
    /// The policy that is to make it so.
    #[serde(default)]
    by: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct MadeUp {
    role: String,
    agency: String,
    #[serde(default)]
    certifications: Certifications,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Outcome {
    Allow,
    Deny,
}

/// How it went.
#[derive(Debug)]
pub struct Report {
    pub held: usize,
    /// Which did not, and why.
    pub missed: Vec<String>,
}

/// Holds the expectations of a file against these policies.
///
/// # Errors
/// Names the field that cannot be read, and what was wanted.
pub fn run(
    config: &Config,
    policies: &Policies,
    people: &People,
    today: Date,
    path: &Path,
) -> Result<Report, String> {
    let file = path.display().to_string();
    let text = std::fs::read_to_string(path).map_err(|e| format!("{file}: {e}"))?;
    let read: ExpectFile = toml::from_str(&text)
        .map_err(|e| format!("{file}: {}", e.to_string().trim().replace('\n', " ")))?;
    if read.expect.is_empty() {
        return Err(format!("{file}: at least one [[expect]] is wanted"));
    }
    let mut report = Report {
        held: 0,
        missed: Vec::new(),
    };
    for (number, expectation) in (1..).zip(&read.expect) {
        let wrong = |why: String| format!("{file}: expect[{number}].{why}");
        match expectation
            .miss(config, policies, people, today)
            .map_err(wrong)?
        {
            None => report.held += 1,
            Some(why) => report
                .missed
                .push(format!("{file}: expect[{number}]: {why}")),
        }
    }
    Ok(report)
}

enum Asked {
    Document(Named),
    Source {
        agency: String,
        name: String,
        compartment: Compartment,
    },
}

impl Expectation {
    /// Why it does not hold; `None` where it does.
    fn miss(
        &self,
        config: &Config,
        policies: &Policies,
        people: &People,
        today: Date,
    ) -> Result<Option<String>, String> {
        let who = self.who(config, people)?;
        let asked = self.asked(config)?;
        let (act, on) = match &asked {
            Asked::Document(Named {
                agency,
                compartment,
            }) => {
                let on = On::Document {
                    agency,
                    compartment: *compartment,
                };
                (act(&self.may, *compartment)?, on)
            }
            Asked::Source {
                agency,
                name,
                compartment,
            } => {
                let on = On::Source {
                    agency,
                    name,
                    compartment: *compartment,
                };
                (act(&self.may, *compartment)?, on)
            }
        };
        let purpose = match &self.purpose {
            Some(purpose) if !config.purposes.iter().any(|known| known.code == *purpose) => {
                return Err(format!(
                    "purpose: a code of the center's is wanted, not {purpose}"
                ));
            }
            purpose => purpose.as_deref(),
        };
        let verdict = policies.judge(&Question {
            who: &who,
            act,
            on,
            purpose: purpose.unwrap_or_else(|| policies.names().purpose()),
            today: self.on.unwrap_or(today),
        });
        let by: Vec<String> = verdict.by.iter().map(ToString::to_string).collect();
        let by = match by.is_empty() {
            true => "no policy permits it".to_owned(),
            false => format!("by {}", by.join(", ")),
        };
        let said = if verdict.allowed { "allowed" } else { "denied" };
        if verdict.allowed != (self.outcome == Outcome::Allow) {
            let wanted = if verdict.allowed { "deny" } else { "allow" };
            return Ok(Some(format!("wanted {wanted}, but it is {said}: {by}")));
        }
        let is_by = |wanted: &String| verdict.by.iter().any(|by| by.id == *wanted);
        Ok(match &self.by {
            Some(wanted) if !is_by(wanted) => {
                Some(format!("it is {said} as wanted, but not by {wanted}: {by}"))
            }
            _ => None,
        })
    }

    fn who(&self, config: &Config, people: &People) -> Result<Who, String> {
        match (&self.who, &self.user) {
            (Some(made_up), None) => {
                let named = |role: &Role| role.name() == made_up.role;
                let role = Role::ALL.into_iter().find(named).ok_or_else(|| {
                    let all = Role::ALL.map(Role::name);
                    format!(
                        "who.role: one of {} is wanted, not {}",
                        all.join(", "),
                        made_up.role
                    )
                })?;
                let agency = &made_up.agency;
                let known = config.agencies.iter().any(|known| known.id == *agency);
                if !known && agency != super::CENTER {
                    return Err(format!(
                        "who.agency: an agency's id is wanted, not {agency}"
                    ));
                }
                Ok(Who {
                    role,
                    agency: agency.as_str().into(),
                    name: "made up".into(),
                    certifications: made_up.certifications,
                    device: (role == Role::Officer).then(|| agency.as_str().into()),
                })
            }
            (None, Some(user)) => explain::who(config, people, Role::Officer, user),
            _ => Err("who, user: one of both is wanted".into()),
        }
    }

    fn asked(&self, config: &Config) -> Result<Asked, String> {
        match (&self.document, &self.source) {
            (Some(document), None) => Ok(Asked::Document(explain::named(config, document)?)),
            (None, Some(name)) => {
                let source = config.sources.iter().find(|source| source.name == *name);
                let source = source
                    .ok_or_else(|| format!("source: a source's name is wanted, not {name}"))?;
                Ok(Asked::Source {
                    agency: source
                        .agency
                        .clone()
                        .unwrap_or_else(|| super::CENTER.into()),
                    name: name.clone(),
                    compartment: source.compartment,
                })
            }
            _ => Err("document, source: one of both is wanted".into()),
        }
    }
}

/// An act by the word that policies have for it.
fn act(word: &str, compartment: Compartment) -> Result<Act, String> {
    let mut acts = vec![
        ("show".to_owned(), Act::Show(compartment)),
        ("carry".to_owned(), Act::Carry(compartment)),
        ("search in".to_owned(), Act::SearchIn(compartment)),
        ("release".to_owned(), Act::Release(compartment)),
    ];
    let named = [
        Act::SeePacket,
        Act::FetchAttachment,
        Act::LinkCalls,
        Act::AssignUnit,
        Act::AskSource,
        Act::ReleaseCaution,
    ];
    acts.extend(named.map(|act| (act.name(), act)));
    acts.extend(Kind::ALL.map(Act::Write).map(|act| (act.name(), act)));
    let found = acts.iter().find(|(known, _)| known == word);
    found.map(|(_, act)| *act).ok_or_else(|| {
        let words: Vec<_> = acts.iter().map(|(word, _)| word.as_str()).collect();
        format!("may: one of {} is wanted, not {word}", words.join(", "))
    })
}
