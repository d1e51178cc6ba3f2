//! Which officers are certified for what, and until when.
//!
//! `center.toml` says it; `people.toml` in the folder of policies says it of whoever it names,
//! and is read again when it changes: a certification that was renewed, or taken away, is in
//! force without a restart. Of who signs in at the console it stands in the account.

use std::collections::HashMap;
use std::path::Path;

use serde::Deserialize;

use super::set::PolicyFault;
use super::who::Certifications;
use crate::config::AgencyConfig;

/// In the folder of policies.
pub const PEOPLE: &str = "people.toml";

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PeopleFile {
    #[serde(default)]
    people: Vec<PersonEntry>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct PersonEntry {
    agency: String,
    /// Of an officer.
    badge: String,
    certifications: Certifications,
}

/// The certifications of all officers who have some: by agency and badge.
#[derive(Debug, Default)]
pub struct People {
    officers: HashMap<(String, String), Certifications>,
}

impl People {
    #[must_use]
    pub fn of(agencies: &[AgencyConfig]) -> Self {
        let mut people = Self::default();
        for agency in agencies {
            for officer in &agency.officers {
                let key = (agency.id.clone(), officer.badge.clone());
                people.officers.insert(key, officer.certifications);
            }
        }
        people
    }

    /// … and what the folder's file says, where there is one.
    ///
    /// # Errors
    /// Names the file, the line and the field, and what was wanted.
    pub fn read(
        agencies: &[AgencyConfig],
        known: &[String],
        folder: &Path,
    ) -> Result<Self, PolicyFault> {
        let mut people = Self::of(agencies);
        let path = folder.join(PEOPLE);
        let file = path.display().to_string();
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(people),
            Err(e) => {
                return Err(PolicyFault {
                    file,
                    at: None,
                    what: format!("it cannot be read: {e}"),
                });
            }
        };
        let fault = |what: String| PolicyFault {
            file: file.clone(),
            at: None,
            what,
        };
        let read: PeopleFile =
            toml::from_str(&text).map_err(|e| fault(e.to_string().trim().replace('\n', " ")))?;
        for (number, person) in (1..).zip(read.people) {
            if !known.contains(&person.agency) {
                let what = format!(
                    "people[{number}].agency: {} is none of the agencies: {} is wanted",
                    person.agency,
                    known.join(", ")
                );
                return Err(fault(what));
            }
            let key = (person.agency, person.badge);
            people.officers.insert(key, person.certifications);
        }
        Ok(people)
    }

    pub(super) fn officer(&self, agency: &str, badge: &str) -> Certifications {
        let key = (agency.to_owned(), badge.to_owned());
        self.officers.get(&key).copied().unwrap_or_default()
    }
}
