//! Components of the center's own.

use jiff::Timestamp;
use packet::{CallId, DocumentId};
use serde_json::{Value, json};

use super::Ids;
use crate::log::Logged;

/// What every component has (NENA-STA-021.1, prologue).
pub(super) const PROLOGUE: [&str; 4] = [
    "$id",
    "lastUpdateTimeStamp",
    "updatedByAgencyReference",
    "updatedByAgentReference",
];

/// Writes the components of one packet.
pub(super) struct Writer<'a> {
    ids: &'a Ids,
    call: CallId,
    last_ms: i64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(ids: &'a Ids, call: CallId, last_ms: i64) -> Self {
        Self { ids, call, last_ms }
    }

    /// When the packet last changed.
    pub(super) fn updated(&self) -> Timestamp {
        time(self.last_ms)
    }

    /// A reference to one of the packet's own components.
    pub(super) fn reference(&self, what: &str) -> Value {
        json!({"$ref": self.ids.of(self.call, what)})
    }

    /// A component about the packet as a whole.
    pub(super) fn component(&self, what: &str, more: Value) -> Value {
        self.component_at(what, self.updated(), more)
    }

    pub(super) fn component_at(&self, what: &str, at: Timestamp, more: Value) -> Value {
        self.with_id(&self.ids.of(self.call, what), at, more)
    }

    /// … that another system has named.
    pub(super) fn with_id(&self, id: &str, at: Timestamp, more: Value) -> Value {
        let mut component = json!({
            "$id": id,
            "lastUpdateTimeStamp": at.to_string(),
            "updatedByAgencyReference": {"$ref": self.ids.host},
        });
        if let (Value::Object(component), Value::Object(more)) = (&mut component, more) {
            component.extend(more);
        }
        component
    }

    /// The component of one entry.
    pub(super) fn of_entry(&self, document: DocumentId, logged: &Logged, more: Value) -> Value {
        let what = entry_name(document, logged);
        self.with_id(
            &self.ids.of(self.call, &what),
            time(logged.received_ms),
            more,
        )
    }

    pub(super) fn agency(&self, id: &str, owns: bool) -> Value {
        let more = json!({
            "agencyRoleDescriptionRegistryText": [],
            "agencyType": [],
            "incidentOwningAgencyIndicator": owns,
        });
        self.with_id(id, self.updated(), more)
    }

    /// Whoever wrote something, by name; and what refers to it.
    pub(super) fn agent(&self, name: &str) -> (Value, Value) {
        let what = format!("agent:{}", data_encoding::HEXLOWER.encode(name.as_bytes()));
        let card = json!([
            "vcard",
            [["version", {}, "text", "4.0"], ["fn", {}, "text", name]]
        ]);
        let more = json!({
            "agentJcard": card.to_string(),
            "agentRoleRegistryText": [],
            "agencyReference": {"$ref": self.ids.host},
        });
        (self.component(&what, more), self.reference(&what))
    }
}

/// What an entry's component is called.
pub(super) fn entry_name(document: DocumentId, logged: &Logged) -> String {
    format!("{}:{}", document.compartment.name(), logged.inspected.id)
}

pub(super) fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}
