//! One entry of the audit log: what it says, and the bytes that are its leaf.
//!
//! The columns of the table `audit` are the entry. Its leaf is the entry as canonical JSON
//! (RFC 8785: members in order, no spaces), so that anybody who has an export can work the
//! hashes out with the tools at hand. The hash of the leaf stands beside the columns, written
//! with them: whoever changes one and not the other is found, and whoever changes both is
//! found by the checkpoints.

use std::collections::HashMap;

use packet::{CallId, Compartment};
use rusqlite::{Connection, OptionalExtension, Row, params};
use serde::{Deserialize, Serialize};

use super::tree::{Hash, leaf_hash};
use crate::log::LogError;

/// One entry, as it is exported. The members stand in the order of RFC 8785: a test holds
/// them to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// What was done, or asked for.
    pub act: String,
    /// Of a stretch of a document: after this `seq` …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// Whose person or system it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agency: Option<String>,
    /// What was decided.
    pub allowed: bool,
    /// The center's clock: milliseconds since 1970, UTC.
    pub at_ms: i64,
    /// Those who were given the same at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub carriers: Vec<GivenTo>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub device: Option<u32>,
    /// The address that it came from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// From 1 on, without a gap.
    pub id: u64,
    /// The document, call, device or else that it was done to.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub object: String,
    /// The policies that decided it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The second recipient: another agency than the one whose information it is (CJIS
    /// 5.1.3, AU-3(1)).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receiver: Option<String>,
    /// Who or what was looked up, as keyed hashes ([`super::subjects`]).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subjects: Vec<String>,
    /// … through this one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub through: Option<u64>,
    /// The person, the system or the device, as the center knows it.
    pub who: String,
}

/// One of many who were given the same.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GivenTo {
    pub device: u32,
    pub who: String,
}

impl Entry {
    /// The bytes that are hashed.
    #[must_use]
    pub fn leaf(&self) -> Vec<u8> {
        // Strings, numbers and lists of them: that it is written cannot fail.
        serde_json::to_vec(self).unwrap_or_default()
    }

    #[must_use]
    pub fn leaf_hash(&self) -> Hash {
        leaf_hash(&self.leaf())
    }

    /// The call that it is about, where it is about one.
    #[must_use]
    pub fn call(&self) -> Option<CallId> {
        call_of(&self.object)
    }
}

/// The call that an object is, or is of.
pub(super) fn call_of(object: &str) -> Option<CallId> {
    let end = object.find(['/', ' ']).unwrap_or(object.len());
    let call: CallId = object[..end].parse().ok()?;
    // A source asked by hand is asked for no call.
    (call.0 != 0).then_some(call)
}

/// The compartment of the document that an object is, or is of.
pub(super) fn compartment_of(object: &str) -> Option<Compartment> {
    call_of(object)?;
    let (_, rest) = object.split_once('/')?;
    let name = rest.split(' ').next()?;
    let mut all = Compartment::ALL.into_iter();
    all.find(|compartment| compartment.name() == name)
}

/// The columns that an entry is read from, in the order of [`Entries::entry`].
pub(super) const COLUMNS: &str = "id, at_ms, who, agency, device, act, object, allowed, detail, after_seq, through_seq, subjects, purpose, reason, came_from, policies, receiver, carriers, leaf";

/// Writes an entry and the hash of its leaf. `carriers` is the list of rows whose names
/// stand in the entry.
pub(super) fn insert(
    connection: &Connection,
    entry: &Entry,
    carriers: Option<&str>,
) -> Result<(), LogError> {
    let list = |all: &[String]| match all {
        [] => Ok(None),
        some => serde_json::to_string(some).map(Some),
    };
    let unwritable = |e: serde_json::Error| LogError::Store(e.to_string());
    let call = entry.call();
    connection
        .prepare_cached(
            "INSERT INTO audit (id, at_ms, who, agency, device, act, object, allowed, detail, after_seq, through_seq,
                 subjects, purpose, reason, came_from, policies, receiver, carriers, leaf, call)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20)",
        )?
        .execute(params![
            entry.id.cast_signed(),
            entry.at_ms,
            entry.who,
            entry.agency,
            entry.device,
            entry.act,
            entry.object,
            entry.allowed,
            entry.detail,
            entry.after.map(u64::cast_signed),
            entry.through.map(u64::cast_signed),
            list(&entry.subjects).map_err(unwritable)?,
            entry.purpose,
            entry.reason,
            entry.from,
            list(&entry.policies).map_err(unwritable)?,
            entry.receiver,
            carriers,
            entry.leaf_hash().0,
            call.map(|call| call.0.cast_signed()),
        ])?;
    let mut index = connection
        .prepare_cached("INSERT OR IGNORE INTO audit_subjects (subject, id) VALUES (?1, ?2)")?;
    for subject in &entry.subjects {
        index.execute(params![subject, entry.id.cast_signed()])?;
    }
    Ok(())
}

/// The last entry's number; 0 where there is none.
pub(super) fn last(connection: &Connection) -> Result<u64, LogError> {
    let last: Option<i64> = connection
        .prepare_cached("SELECT max(id) FROM audit")?
        .query_row([], |row| row.get(0))?;
    Ok(last.unwrap_or(0).unsigned_abs())
}

/// Reads entries; remembers the carriers that it met.
#[derive(Debug, Default)]
pub(super) struct Entries {
    carriers: HashMap<i64, GivenTo>,
}

/// An entry and the hash that was written with it; `None`: it was not entered by the log.
pub(super) type Kept = (Entry, Option<Hash>);

impl Entries {
    /// Of a row with [`COLUMNS`].
    pub(super) fn entry(
        &mut self,
        connection: &Connection,
        row: &Row<'_>,
    ) -> Result<Kept, LogError> {
        let list = |text: Option<String>| -> Result<Vec<String>, LogError> {
            let read = text.map(|text| serde_json::from_str(&text)).transpose();
            let read = read.map_err(|e| LogError::Store(format!("an audit entry's list: {e}")))?;
            Ok(read.unwrap_or_default())
        };
        let seq = |seq: Option<i64>| seq.map(i64::unsigned_abs);
        let carriers: Option<String> = row.get(17)?;
        let leaf: Option<Vec<u8>> = row.get(18)?;
        let entry = Entry {
            id: row.get::<_, i64>(0)?.unsigned_abs(),
            at_ms: row.get(1)?,
            who: row.get(2)?,
            agency: row.get(3)?,
            device: row.get(4)?,
            act: row.get(5)?,
            object: row.get(6)?,
            allowed: row.get(7)?,
            detail: row.get(8)?,
            after: seq(row.get(9)?),
            through: seq(row.get(10)?),
            subjects: list(row.get(11)?)?,
            purpose: row.get(12)?,
            reason: row.get(13)?,
            from: row.get(14)?,
            policies: list(row.get(15)?)?,
            receiver: row.get(16)?,
            carriers: match carriers {
                Some(numbers) => self.named(connection, &numbers)?,
                None => Vec::new(),
            },
        };
        let leaf = leaf.and_then(|leaf| leaf.try_into().ok()).map(Hash);
        Ok((entry, leaf))
    }

    fn named(&mut self, connection: &Connection, numbers: &str) -> Result<Vec<GivenTo>, LogError> {
        let numbers: Vec<i64> = serde_json::from_str(numbers)
            .map_err(|e| LogError::Store(format!("an audit entry's carriers: {e}")))?;
        let mut named = Vec::with_capacity(numbers.len());
        for number in numbers {
            if !self.carriers.contains_key(&number) {
                let found = connection
                    .prepare_cached("SELECT device, who FROM carriers WHERE carrier = ?1")?
                    .query_row([number], |row| {
                        Ok(GivenTo {
                            device: row.get(0)?,
                            who: row.get(1)?,
                        })
                    })
                    .optional()?;
                // One that is gone makes another leaf: it is found as a changed entry.
                self.carriers.extend(found.map(|found| (number, found)));
            }
            named.extend(self.carriers.get(&number).cloned());
        }
        Ok(named)
    }
}

/// Enters what was recorded before there was a tree, as it stands.
///
/// # Errors
/// When the store fails.
pub(crate) fn backfill(connection: &mut Connection) -> Result<(), LogError> {
    const TOGETHER: i64 = 10_000;
    loop {
        let transaction = connection.transaction()?;
        let mut entries = Entries::default();
        let mut found = Vec::new();
        {
            let sql = format!(
                "SELECT {COLUMNS} FROM audit WHERE leaf IS NULL ORDER BY id LIMIT {TOGETHER}"
            );
            let mut statement = transaction.prepare(&sql)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                found.push(entries.entry(&transaction, row)?.0);
            }
        }
        let mut update =
            transaction.prepare("UPDATE audit SET leaf = ?2, call = ?3 WHERE id = ?1")?;
        for entry in &found {
            let call = entry.call().map(|call| call.0.cast_signed());
            update.execute(params![entry.id.cast_signed(), entry.leaf_hash().0, call])?;
        }
        drop(update);
        transaction.commit()?;
        if (found.len() as i64) < TOGETHER {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn full() -> Entry {
        Entry {
            act: "SeePacket".into(),
            after: Some(3),
            agency: Some("pd".into()),
            allowed: true,
            at_ms: 1_800_000_000_123,
            carriers: vec![GivenTo {
                device: 4,
                who: "Diaz (4A12)".into(),
            }],
            detail: "a \"detail\"\n\u{1f}\u{7f} é".into(),
            device: Some(7),
            from: Some("127.0.0.1:5".into()),
            id: 9,
            object: "0000000000000007/call".into(),
            policies: vec!["default".into()],
            purpose: Some("C".into()),
            reason: Some("stop".into()),
            receiver: Some("so".into()),
            subjects: vec!["plate:x".into()],
            through: Some(5),
            who: "Doe".into(),
        }
    }

    #[test]
    fn a_leaf_is_canonical_json() {
        let leaf = String::from_utf8(full().leaf()).unwrap();
        assert_eq!(
            leaf,
            r#"{"act":"SeePacket","after":3,"agency":"pd","allowed":true,"at_ms":1800000000123,"carriers":[{"device":4,"who":"Diaz (4A12)"}],"detail":"a \"detail\"\n\u001f"#
                .to_owned()
                + "\u{7f}"
                + r#" é","device":7,"from":"127.0.0.1:5","id":9,"object":"0000000000000007/call","policies":["default"],"purpose":"C","reason":"stop","receiver":"so","subjects":["plate:x"],"through":5,"who":"Doe"}"#
        );
        // In the order of RFC 8785: as a sorted map would write it.
        let sorted: std::collections::BTreeMap<String, serde_json::Value> =
            serde_json::from_str(&leaf).unwrap();
        assert_eq!(serde_json::to_string(&sorted).unwrap(), leaf);
        assert_eq!(serde_json::from_str::<Entry>(&leaf).unwrap(), full());
    }

    #[test]
    fn each_member_is_in_the_leaf() {
        let whole = full().leaf_hash();
        let changes: [fn(&mut Entry); 18] = [
            |e| e.act.push('x'),
            |e| e.after = None,
            |e| e.agency = None,
            |e| e.allowed = false,
            |e| e.at_ms += 1,
            |e| e.carriers[0].who.push('x'),
            |e| e.detail.clear(),
            |e| e.device = Some(8),
            |e| e.from = None,
            |e| e.id += 1,
            |e| e.object.push('x'),
            |e| e.policies.clear(),
            |e| e.purpose = None,
            |e| e.reason = None,
            |e| e.receiver = None,
            |e| e.subjects.clear(),
            |e| e.through = None,
            |e| e.who.push('x'),
        ];
        for (n, change) in changes.iter().enumerate() {
            let mut changed = full();
            change(&mut changed);
            assert_ne!(changed.leaf_hash(), whole, "member {n}");
        }
    }

    #[test]
    fn an_entry_says_which_call_it_is_about() {
        let of = |object: &str| Entry {
            object: object.into(),
            ..full()
        };
        let call = packet::CallId(7);
        for object in [
            "0000000000000007",
            "0000000000000007/call",
            "0000000000000007/call ab",
        ] {
            assert_eq!(of(object).call(), Some(call), "{object}");
        }
        assert_eq!(
            compartment_of("0000000000000007/call ab"),
            Some(packet::Compartment::Call)
        );
        for object in ["", "7", "the log", "0000000000000000"] {
            assert_eq!(of(object).call(), None, "{object}");
        }
    }
}
