//! Packets for other agencies' systems: a packet as a NENA EIDO (NENA-STA-021.1).
//!
//! What came as an EIDO is handed back as it came, every component and every member that
//! this center does not understand among it; what the packet knows besides is added as
//! components of the center's own. A call that came by another door is written anew.
//!
//! | component | from |
//! |---|---|
//! | incident | the call's facts; one that came is left as it came, unless the facts are newer |
//! | location | the facts' place: its words, and its point as PIDF-LO (RFC 4119, RFC 5491) |
//! | notes | cautions, notes, corrections, findings, and why triage chose the priority |
//! | agent | who wrote those, by name (jCard, RFC 7095) |
//! | emergency resource | units on the call, and what each does |
//! | link | calls that are linked, not those that a rule only proposes |
//! | agency | the owner, and this center |
//!
//! **Who gets what is decided by compartment** ([`crate::policy`], act *release*), and each
//! release is on record before it is given. What was kept of an EIDO is of the compartment
//! `call`: without that, nothing of it goes out.
//!
//! The center's components are known by their ids ([`Ids`]): when they come back in an EIDO
//! they are left out there, since the packet has them.
//!
//! Two things the standard takes from registries that are not part of the published schema,
//! and where the center has no value of theirs: the incident's type is the center's own
//! category, and this center's role and type are empty lists.

mod component;
mod incident;
mod notes;
mod units;

use std::collections::HashMap;

use packet::{CallId, Compartment, DocumentId, Entry, EntryId, Facts, LinkHow};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value, json};

use crate::calls;
use crate::config::Config;
use crate::intake::eido::Eido;
use crate::log::{LogError, Logged, document};

use self::component::Writer;

/// How the center's own components are named.
#[derive(Debug, Clone)]
pub struct Ids {
    /// Of this center, and of nobody else.
    prefix: String,
    /// This center's functional element (NENA-STA-010, 2.1.3): its first name.
    host: String,
}

impl Ids {
    #[must_use]
    pub fn new(center: [u8; 16], config: &Config) -> Self {
        let center = data_encoding::HEXLOWER.encode(&center);
        Self {
            host: host(&center, config),
            prefix: format!("urn:forerunner:{center}:"),
        }
    }

    /// Whether this center wrote the component that has this id and was updated by them.
    #[must_use]
    pub fn is_own(&self, id: &str, updated_by: &str) -> bool {
        id.starts_with(&self.prefix) || updated_by == self.host
    }

    fn of(&self, call: CallId, what: &str) -> String {
        format!("{}{call}:{what}", self.prefix)
    }

    /// The incident, where nobody else has named it.
    fn incident(&self, call: CallId) -> String {
        format!("urn:emergency:uid:incidentid:{call}:{}", self.host)
    }

    /// The call of an incident that this center has named.
    #[must_use]
    pub fn call_of(&self, incident: &str) -> Option<CallId> {
        let name = incident.strip_prefix("urn:emergency:uid:incidentid:")?;
        let (call, host) = name.split_once(':')?;
        (host == self.host).then(|| call.parse().ok())?
    }
}

/// The center's first name; one that every machine has for itself names nobody.
fn host(center: &str, config: &Config) -> String {
    let name = config
        .names
        .first()
        .filter(|name| *name != "localhost" && name.parse::<std::net::IpAddr>().is_err());
    name.cloned().unwrap_or_else(|| format!("{center}.invalid"))
}

/// What is given out of one packet.
#[derive(Debug)]
pub(crate) struct Released {
    call: CallId,
    /// Of each compartment that is released, its entries.
    documents: Vec<(DocumentId, Vec<Logged>)>,
    /// What came as an EIDO, where `call` is released.
    kept: Option<Eido>,
    /// When dispatch said what the facts are.
    said_ms: i64,
    /// Whether that is later than what came as an EIDO: it came by another door.
    facts_are_newer: bool,
    /// The units that have the packet.
    units: Vec<String>,
    /// How EIDOs name the calls that this one is linked with.
    linked: HashMap<CallId, String>,
}

impl Released {
    /// Reads what of a packet may be given out; `None` when there is nothing.
    ///
    /// # Errors
    /// When the store fails.
    pub(crate) fn read(
        connection: &Connection,
        ids: &Ids,
        call: CallId,
        compartments: &[Compartment],
    ) -> Result<Option<Self>, LogError> {
        let mut documents = Vec::new();
        for compartment in compartments {
            let id = DocumentId::new(call, *compartment);
            let entries = document(connection, id)?;
            if !entries.is_empty() {
                documents.push((id, entries));
            }
        }
        if documents.is_empty() {
            return Ok(None);
        }
        let kept = if compartments.contains(&Compartment::Call) {
            calls::eido_of(connection, call)?
        } else {
            None
        };
        let said_ms: Option<i64> = connection
            .prepare_cached("SELECT updated_ms FROM calls WHERE call = ?1")?
            .query_row([call.0.cast_signed()], |row| row.get(0))
            .optional()?;
        let said_ms = said_ms.unwrap_or(0);
        let facts_are_newer = kept
            .as_ref()
            .is_some_and(|kept| said_ms > kept.updated().as_millisecond());
        let mut released = Self {
            call,
            documents,
            kept,
            said_ms,
            facts_are_newer,
            units: calls::units_on_it(connection, call)?,
            linked: HashMap::new(),
        };
        for link in released.links() {
            let name = match calls::eido_of(connection, link)? {
                Some(eido) => eido.id().to_owned(),
                None => ids.incident(link),
            };
            released.linked.insert(link, name);
        }
        Ok(Some(released))
    }

    /// What is put on record: each document, and through which `seq`.
    pub(crate) fn stretches(&self) -> Vec<(DocumentId, u64)> {
        let last = |entries: &Vec<Logged>| entries.last().map_or(0, |logged| logged.seq);
        self.documents
            .iter()
            .map(|(id, entries)| (*id, last(entries)))
            .collect()
    }

    /// The packet as an EIDO.
    pub(crate) fn eido(&self, ids: &Ids, config: &Config) -> Value {
        let writer = Writer::new(ids, self.call, self.last_ms());
        let kept = self.kept.as_ref();
        let mut eido = kept.map(Eido::document).unwrap_or_default();
        let facts = self.facts();
        let mut more = notes::components(self, &writer);
        more.extend(units::components(self, &writer, &eido));
        more.extend(self.link_components(&writer));
        if let Some(facts) = facts {
            let notes = more.iter().filter(|(kind, _)| *kind == "notesComponent");
            let notes: Vec<Value> = notes.map(|(_, note)| note.clone()).collect();
            let came = eido.get("incidentComponent").and_then(Value::as_object);
            if let Some((incident, place)) =
                incident::components(came, facts, self, &writer, &notes)
            {
                eido.insert("incidentComponent".into(), incident);
                more.push(("locationComponent", place));
            }
            let owner = owner(config, &facts.agency);
            if !has(&eido, "agencyComponent", &owner) {
                more.push(("agencyComponent", writer.agency(&owner, true)));
            }
        }
        more.push(("agencyComponent", writer.agency(&ids.host, false)));
        for (kind, component) in more {
            put(&mut eido, kind, component);
        }
        let id = kept.map_or_else(|| ids.incident(self.call), |kept| kept.id().to_owned());
        let updated = kept.map_or(writer.updated(), |kept| {
            writer.updated().max(kept.updated())
        });
        for (name, value) in [
            ("$id", json!(id)),
            ("lastUpdateTimeStamp", json!(updated.to_string())),
            ("updatedByAgencyReference", json!({"$ref": ids.host})),
            ("eidoVersion", json!("1.0")),
            ("issuingElementIdentification", json!(ids.host)),
        ] {
            eido.insert(name.into(), value);
        }
        // Who in the sender's house had updated it says nothing of this center's update.
        eido.remove("updatedByAgentReference");
        Value::Object(eido)
    }

    /// Whether the call itself came as an EIDO; else that has only what others added.
    fn came_as_eido(&self) -> bool {
        let kept = self.kept.as_ref();
        kept.is_some_and(|kept| kept.report().is_ok_and(|report| report.is_some()))
    }

    /// Whether these words of dispatch's stand in what came as an EIDO.
    fn came_in_words(&self, text: &str) -> bool {
        let words = self.kept.as_ref().and_then(|kept| kept.words().ok());
        words.is_some_and(|words| words.iter().any(|line| line == text))
    }

    fn entries(&self) -> impl Iterator<Item = (DocumentId, &Logged)> {
        self.documents
            .iter()
            .flat_map(|(id, entries)| entries.iter().map(|logged| (*id, logged)))
    }

    fn last_ms(&self) -> i64 {
        self.entries()
            .map(|(_, logged)| logged.received_ms)
            .max()
            .unwrap_or(0)
    }

    /// The current facts of the compartment that says most.
    fn facts(&self) -> Option<&Facts> {
        self.documents.iter().rev().find_map(|(_, entries)| {
            entries
                .iter()
                .rev()
                .find_map(|logged| match &logged.inspected.written.entry {
                    Entry::Facts(facts) => Some(facts),
                    _ => None,
                })
        })
    }

    /// What was corrected or withdrawn.
    fn is_undone(&self, document: DocumentId, id: EntryId) -> bool {
        self.entries().any(|(other, logged)| {
            other == document
                && matches!(&logged.inspected.written.entry, Entry::Correction(correction) if correction.of == id)
        })
    }

    fn links(&self) -> Vec<CallId> {
        self.made_links().map(|(_, _, link)| link.other).collect()
    }

    fn made_links(&self) -> impl Iterator<Item = (DocumentId, &Logged, &packet::Link)> {
        self.entries()
            .filter_map(|(id, logged)| match &logged.inspected.written.entry {
                Entry::Link(link)
                    if link.how != LinkHow::Proposed
                        && !self.is_undone(id, logged.inspected.id) =>
                {
                    Some((id, logged, link))
                }
                _ => None,
            })
    }

    fn link_components(&self, writer: &Writer<'_>) -> Vec<(&'static str, Value)> {
        let component = |(id, logged, link): (DocumentId, &Logged, &packet::Link)| {
            let other = self.linked.get(&link.other).cloned().unwrap_or_default();
            let more = json!({
                "incidentTrackingIdentifier": other,
                "linkDirectionCode": "RELATED",
                "transactionReasonText": link.why,
            });
            ("linkComponent", writer.of_entry(id, logged, more))
        };
        self.made_links().map(component).collect()
    }
}

/// The agency's `$id` in EIDOs.
fn owner(config: &Config, agency: &str) -> String {
    let cad = config.cads.iter().find(|cad| cad.agency == agency);
    cad.and_then(|cad| cad.eido_id.clone())
        .unwrap_or_else(|| agency.to_owned())
}

fn has(eido: &Map<String, Value>, kind: &str, id: &str) -> bool {
    let components = eido.get(kind).and_then(Value::as_array);
    components.is_some_and(|components| components.iter().any(|it| it["$id"] == id))
}

/// Puts a component in its list; one with its id gives way.
fn put(eido: &mut Map<String, Value>, kind: &str, component: Value) {
    let list = eido.entry(kind).or_insert_with(|| json!([]));
    if let Value::Array(components) = list {
        match components
            .iter_mut()
            .find(|it| it["$id"] == component["$id"])
        {
            Some(known) => *known = component,
            None => components.push(component),
        }
    }
}

#[cfg(test)]
mod tests;
