//! What one reader may see of whose packets: as a list, and as a condition in SQL.

use packet::{CallId, Compartment, DocumentId};
use rusqlite::{Connection, OptionalExtension};

use super::live::LivePolicies;
use super::who::{CENTER, On, Who};
use super::{Act, Actor};
use crate::log::{Ledger, LogError};

/// An agency that no policy can name: calls of one that is not configured.
const UNKNOWN: &str = "";

/// Of each agency the compartments that a reader may see.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Sight {
    agencies: Vec<(String, Vec<Compartment>)>,
    /// Of an agency that is not configured.
    others: Vec<Compartment>,
    /// The agencies of whose sources the reader may release a caution.
    releases: Vec<String>,
}

impl Sight {
    /// What may be done so: `act` of a compartment, such as [`Act::Show`].
    #[must_use]
    pub fn of(policies: &LivePolicies, actor: &Actor, act: fn(Compartment) -> Act) -> Self {
        let who = Who::from(actor);
        let mut agencies = policies.agencies();
        let sight = Self::by_agency(&agencies, |agency| {
            compartments(policies, &who, agency, act)
        });
        agencies.retain(|agency| {
            let on = On::Source {
                agency,
                name: "",
                compartment: Compartment::Records,
            };
            policies.decide(&who, Act::ReleaseCaution, on)
        });
        Self {
            releases: agencies,
            ..sight
        }
    }

    /// Of each of these agencies what `seen` says; and of one that no policy can name.
    pub(super) fn by_agency(agencies: &[String], seen: impl Fn(&str) -> Vec<Compartment>) -> Self {
        Self {
            others: seen(UNKNOWN),
            agencies: agencies
                .iter()
                .map(|agency| (agency.clone(), seen(agency)))
                .collect(),
            releases: Vec::new(),
        }
    }

    /// Everything of these compartments, whosever it is: for whoever decides elsewhere.
    #[must_use]
    pub fn everywhere(compartments: &[Compartment]) -> Self {
        Self {
            agencies: Vec::new(),
            others: compartments.to_vec(),
            releases: Vec::new(),
        }
    }

    #[must_use]
    pub fn compartments(&self, agency: &str) -> &[Compartment] {
        let listed = self.agencies.iter().find(|(listed, _)| listed == agency);
        listed.map_or(&self.others, |(_, seen)| seen)
    }

    #[must_use]
    pub fn sees(&self, agency: &str, compartment: Compartment) -> bool {
        self.compartments(agency).contains(&compartment)
    }

    /// Whether the reader may release a caution that comes of this agency's records: nobody
    /// else is told that one waits.
    #[must_use]
    pub fn releases(&self, agency: &str) -> bool {
        self.releases.iter().any(|known| known == agency)
    }

    /// A condition on a compartment's number and an agency, as they stand in a row. What is in
    /// it are numbers and the configuration's names: nothing that a request says.
    #[must_use]
    pub fn condition(&self, compartment: &str, agency: &str) -> String {
        let apart: Vec<_> = self
            .agencies
            .iter()
            .filter(|(_, seen)| *seen != self.others)
            .collect();
        let others = crate::search::sql_list(&self.others);
        if apart.is_empty() {
            return format!("{compartment} IN ({others})");
        }
        let names: Vec<String> = apart.iter().map(|(name, _)| quoted(name)).collect();
        let mut parts = vec![format!(
            "({agency} NOT IN ({}) AND {compartment} IN ({others}))",
            names.join(",")
        )];
        parts.extend(apart.iter().map(|(name, seen)| {
            let seen = crate::search::sql_list(seen);
            format!(
                "({agency} = {} AND {compartment} IN ({seen}))",
                quoted(name)
            )
        }));
        format!("({})", parts.join(" OR "))
    }

    /// A join and a condition, for entries of the index that stand in the query as `e`.
    #[must_use]
    pub(crate) fn of_entries(&self) -> (&'static str, String) {
        let condition = self.condition("e.compartment", "whose.agency");
        if self.agencies.iter().all(|(_, seen)| *seen == self.others) {
            return ("", condition);
        }
        // Why two calls are linked may tell of one that is hidden.
        let condition = format!("{condition} AND e.kind <> 'link'");
        ("JOIN calls AS whose ON whose.call = e.call", condition)
    }

    /// A condition on an agency: that it may be known of its calls at all.
    #[must_use]
    pub fn knows(&self, agency: &str) -> String {
        self.condition(&(Compartment::Call as u8).to_string(), agency)
    }
}

/// Of an agency's packets the compartments that this may be done to.
#[must_use]
pub fn compartments(
    policies: &LivePolicies,
    who: &Who,
    agency: &str,
    act: fn(Compartment) -> Act,
) -> Vec<Compartment> {
    let may = |compartment: &Compartment| {
        let on = On::Document {
            agency,
            compartment: *compartment,
        };
        policies.decide(who, act(*compartment), on)
    };
    Compartment::ALL.into_iter().filter(may).collect()
}

fn quoted(name: &str) -> String {
    format!("'{}'", name.replace('\'', "''"))
}

/// The agency whose call, or beat, this is; `None` where nothing is known of it.
///
/// # Errors
/// When the store fails.
pub fn agency_of(connection: &Connection, call: CallId) -> Result<Option<String>, LogError> {
    let number = call.0.cast_signed();
    let agency: Option<String> = if call.is_beat() {
        connection
            .prepare_cached(
                "SELECT coalesce(config ->> '$.agency', ?2) FROM beat_packets
                 LEFT JOIN beats ON beats.beat = beat_packets.beat WHERE call = ?1",
            )?
            .query_row(rusqlite::params![number, CENTER], |row| row.get(0))
            .optional()?
    } else {
        connection
            .prepare_cached("SELECT agency FROM calls WHERE call = ?1")?
            .query_row([number], |row| row.get(0))
            .optional()?
    };
    if agency.is_some() {
        return Ok(agency);
    }
    // What was given back to a restored center may have no call's row yet.
    let has = connection
        .prepare_cached("SELECT 1 FROM changes WHERE document = ?1 OR document = ?2")?
        .exists(Ledger::carried().map(|c| DocumentId::new(call, c).to_bytes().to_vec()))?;
    Ok(has.then(|| CENTER.to_owned()))
}
