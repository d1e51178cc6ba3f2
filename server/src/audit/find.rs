//! Looking through the audit log: by person, subject, call, device, time, purpose.
//!
//! Who may look at all is decided before ([`crate::policy`]). A supervisor looks at what
//! was done by the own agency's people and devices, and at no compartment whose documents
//! are hidden from supervisors. Auditors see every entry: ids and hashes, never contents,
//! since there are none in it.

use jiff::Timestamp;
use packet::{CallId, Compartment};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};
use serde::Deserialize;

use super::entry::{COLUMNS, Entries, Entry};
use super::subjects::{self, KINDS, Subject};
use crate::log::LogError;
use crate::policy::{Act, Actor, LivePolicies, On, Role, Who};

/// Most entries on a page.
pub const PAGE_MAX: usize = 500;
/// Where nobody says since when, the last so many days are looked through.
pub const DAYS_DEFAULT: i64 = 7;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// What is asked, as the API and the console's form name it. Empty: not asked.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
pub struct FindRequest {
    /// A part of the name of who did it.
    pub who: String,
    /// `plate`, `person`, `phone`, `address` or `words`, and what was looked up.
    pub subject_kind: String,
    pub subject: String,
    pub call: String,
    pub device: String,
    /// RFC 3339, or a date (UTC): from its beginning, to its end.
    pub from: String,
    pub to: String,
    pub purpose: String,
    /// As entries name it.
    pub act: String,
    /// `yes` or `no`.
    pub allowed: String,
}

/// What is wrong with a search.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{field}: {wanted}")]
pub struct Wrong {
    pub field: &'static str,
    pub wanted: String,
}

/// What is asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Criteria {
    pub who: Option<String>,
    pub subject: Option<Subject>,
    pub call: Option<CallId>,
    pub device: Option<u32>,
    pub from_ms: Option<i64>,
    pub to_ms: Option<i64>,
    pub purpose: Option<String>,
    pub act: Option<String>,
    pub allowed: Option<bool>,
}

impl Criteria {
    /// # Errors
    /// Names the first part that is wrong, and what was wanted.
    pub fn of(request: &FindRequest) -> Result<Self, Wrong> {
        let wrong = |field, wanted: &str| Wrong {
            field,
            wanted: wanted.to_owned(),
        };
        let filled = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
        let subject = match (filled(&request.subject_kind), filled(&request.subject)) {
            (_, None) => None,
            (None, Some(_)) => {
                return Err(wrong(
                    "subject_kind",
                    &format!("one of {}", KINDS.join(", ")),
                ));
            }
            (Some(kind), Some(value)) => {
                if !KINDS.contains(&kind.as_str()) {
                    return Err(wrong(
                        "subject_kind",
                        &format!("one of {}", KINDS.join(", ")),
                    ));
                }
                let subject = Subject::read(&kind, &value);
                Some(subject.ok_or_else(|| wrong("subject", "letters or digits"))?)
            }
        };
        let call = filled(&request.call).map(|call| call.parse());
        let device = filled(&request.device).map(|device| {
            // As screens and entries name it.
            let number = device.strip_prefix("device-").unwrap_or(&device);
            number.parse()
        });
        Ok(Self {
            who: filled(&request.who),
            subject,
            call: call
                .transpose()
                .map_err(|_| wrong("call", "a call's id: 16 hexadecimal digits"))?,
            device: device
                .transpose()
                .map_err(|_| wrong("device", "a device's number"))?,
            from_ms: time("from", &request.from, false)?,
            to_ms: time("to", &request.to, true)?,
            purpose: filled(&request.purpose),
            act: filled(&request.act),
            allowed: match request.allowed.trim() {
                "" => None,
                "yes" => Some(true),
                "no" => Some(false),
                _ => return Err(wrong("allowed", "yes or no")),
            },
        })
    }

    /// In words, without the subject: that stands in the record as a hash.
    #[must_use]
    pub fn in_words(&self) -> String {
        let time = |ms: &i64| {
            Timestamp::from_millisecond(*ms).map_or_else(|_| ms.to_string(), |at| at.to_string())
        };
        let parts = [
            self.who.clone().map(|who| format!("who {who}")),
            self.subject.as_ref().map(|s| format!("a {}", s.kind())),
            self.call.map(|call| format!("call {call}")),
            self.device.map(|device| format!("device {device}")),
            self.from_ms.as_ref().map(|ms| format!("from {}", time(ms))),
            self.to_ms.as_ref().map(|ms| format!("to {}", time(ms))),
            self.purpose
                .clone()
                .map(|purpose| format!("purpose {purpose}")),
            self.act.clone().map(|act| format!("act {act}")),
            self.allowed
                .map(|allowed| if allowed { "allowed" } else { "denied" }.to_owned()),
        ];
        let said: Vec<String> = parts.into_iter().flatten().collect();
        if said.is_empty() {
            "everything".into()
        } else {
            said.join("; ")
        }
    }
}

fn time(field: &'static str, text: &str, is_end: bool) -> Result<Option<i64>, Wrong> {
    let text = text.trim();
    if text.is_empty() {
        return Ok(None);
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Ok(Some(at.as_millisecond()));
    }
    let date: Option<jiff::civil::Date> = text.parse().ok();
    let midnight = date.and_then(|date| date.to_zoned(jiff::tz::TimeZone::UTC).ok());
    match midnight {
        Some(midnight) if is_end => Ok(Some(midnight.timestamp().as_millisecond() + DAY_MS - 1)),
        Some(midnight) => Ok(Some(midnight.timestamp().as_millisecond())),
        None => Err(Wrong {
            field,
            wanted: "a time such as 2026-05-01T08:00:00Z, or a date such as 2026-05-01".into(),
        }),
    }
}

/// How much of the log somebody sees.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sight {
    /// Only what this agency's people and devices did.
    agency: Option<String>,
    /// Compartments of which nothing is shown.
    hidden: Vec<Compartment>,
}

impl Sight {
    /// Of one who may look; a supervisor of no agency sees nothing.
    #[must_use]
    pub fn of(policies: &LivePolicies, actor: &Actor) -> Self {
        if matches!(actor.role, Role::Auditor | Role::Operator) {
            return Self {
                agency: None,
                hidden: Vec::new(),
            };
        }
        let who = Who::from(actor);
        let is_hidden = |compartment: &Compartment| {
            let act = Act::SearchIn(*compartment);
            !policies.decide(&who, act, On::call(act, &who.agency))
        };
        Self {
            agency: Some(actor.agency.clone().unwrap_or_default()),
            hidden: Compartment::ALL.into_iter().filter(is_hidden).collect(),
        }
    }
}

const OF_AGENCY: &str = "(agency = ? OR device IN (SELECT device FROM devices WHERE agency = ?)
    OR EXISTS (SELECT 1 FROM json_each(audit.carriers) AS each
        JOIN carriers AS carrier ON carrier.carrier = each.value
        JOIN devices ON devices.device = carrier.device WHERE devices.agency = ?))";
const OF_DEVICE: &str = "(device = ? OR EXISTS (SELECT 1 FROM json_each(audit.carriers) AS each
        JOIN carriers AS carrier ON carrier.carrier = each.value WHERE carrier.device = ?))";
const OF_PERSON: &str = "(instr(lower(who), ?) > 0 OR EXISTS (SELECT 1 FROM json_each(audit.carriers) AS each
        JOIN carriers AS carrier ON carrier.carrier = each.value WHERE instr(lower(carrier.who), ?) > 0))";

/// The condition in SQL, and its values; `None`: nothing can be found.
fn condition(
    connection: &Connection,
    criteria: &Criteria,
    sight: &Sight,
) -> Result<Option<(String, Vec<Value>)>, LogError> {
    let (mut parts, mut values) = (Vec::new(), Vec::new());
    let mut add = |part: &str, of: Vec<Value>| {
        parts.push(part.to_owned());
        values.extend(of);
    };
    let text = |text: &String| Value::from(text.clone());
    if let Some(who) = &criteria.who {
        add(OF_PERSON, vec![Value::from(who.to_lowercase()); 2]);
    }
    if let Some(subject) = &criteria.subject {
        let Some(hashed) = subjects::find(connection, subject)? else {
            return Ok(None);
        };
        add(
            "id IN (SELECT id FROM audit_subjects WHERE subject = ?)",
            vec![hashed.into()],
        );
    }
    if let Some(call) = criteria.call {
        add("call = ?", vec![call.0.cast_signed().into()]);
    }
    if let Some(device) = criteria.device {
        add(OF_DEVICE, vec![Value::from(i64::from(device)); 2]);
    }
    if let Some(from_ms) = criteria.from_ms {
        add("at_ms >= ?", vec![from_ms.into()]);
    }
    if let Some(to_ms) = criteria.to_ms {
        add("at_ms <= ?", vec![to_ms.into()]);
    }
    if let Some(purpose) = &criteria.purpose {
        add("purpose = ?", vec![text(purpose)]);
    }
    if let Some(act) = &criteria.act {
        add("act = ?", vec![text(act)]);
    }
    if let Some(allowed) = criteria.allowed {
        add("allowed = ?", vec![i64::from(allowed).into()]);
    }
    if let Some(agency) = &sight.agency {
        add(OF_AGENCY, vec![text(agency); 3]);
    }
    for compartment in &sight.hidden {
        // Behind the call's sixteen digits.
        let name = format!("/{}", compartment.name());
        add(
            "NOT (call IS NOT NULL AND (substr(object, 17) = ? OR substr(object, 17) LIKE ?))",
            vec![text(&name), format!("{name} %").into()],
        );
    }
    if parts.is_empty() {
        parts.push("1".into());
    }
    Ok(Some((parts.join(" AND "), values)))
}

/// Entries that were found, the newest first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    pub entries: Vec<Entry>,
    /// To be given as `before` for the next page; `None` on the last.
    pub next: Option<u64>,
}

/// A page of what is asked, before this entry.
///
/// # Errors
/// When the store fails.
pub fn find(
    connection: &Connection,
    criteria: &Criteria,
    sight: &Sight,
    before: Option<u64>,
    limit: usize,
) -> Result<Found, LogError> {
    let Some((condition, mut values)) = condition(connection, criteria, sight)? else {
        return Ok(Found::default());
    };
    let limit = limit.clamp(1, PAGE_MAX);
    let before = before.map_or(i64::MAX, u64::cast_signed);
    values.extend([Value::from(before), Value::from(limit as i64 + 1)]);
    let sql = format!(
        "SELECT {COLUMNS} FROM audit WHERE {condition} AND id < ? ORDER BY id DESC LIMIT ?"
    );
    let mut statement = connection.prepare(&sql)?;
    let mut rows = statement.query(params_from_iter(values))?;
    let (mut reader, mut entries) = (Entries::default(), Vec::new());
    while let Some(row) = rows.next()? {
        entries.push(reader.entry(connection, row)?.0);
    }
    let more = entries.len() > limit;
    entries.truncate(limit);
    if let Some(agency) = &sight.agency {
        for entry in &mut entries {
            own_only(connection, entry, agency)?;
        }
    }
    let next = entries.last().filter(|_| more).map(|last| last.id);
    Ok(Found { entries, next })
}

/// Of many who were given the same, those of one agency.
fn own_only(connection: &Connection, entry: &mut Entry, agency: &str) -> Result<(), LogError> {
    // Its own officers, at whose devices ever.
    if entry.agency.as_deref() == Some(agency) {
        return Ok(());
    }
    let mut is_own =
        connection.prepare_cached("SELECT 1 FROM devices WHERE device = ?1 AND agency = ?2")?;
    let mut own = Vec::with_capacity(entry.carriers.len());
    for carrier in entry.carriers.drain(..) {
        if is_own.exists(rusqlite::params![carrier.device, agency])? {
            own.push(carrier);
        }
    }
    entry.carriers = own;
    Ok(())
}

/// Calls `each` for every entry of those that are asked, the oldest first, through this one.
///
/// # Errors
/// When the store fails, or the caller does.
pub(super) fn each<E: From<LogError>>(
    connection: &Connection,
    criteria: &Criteria,
    through: u64,
    mut each: impl FnMut(Entry) -> Result<(), E>,
) -> Result<(), E> {
    let everything = Sight {
        agency: None,
        hidden: Vec::new(),
    };
    let Some((condition, mut values)) = condition(connection, criteria, &everything)? else {
        return Ok(());
    };
    values.push(Value::from(through.cast_signed()));
    let sql = format!("SELECT {COLUMNS} FROM audit WHERE {condition} AND id <= ? ORDER BY id");
    let failed = |e: rusqlite::Error| E::from(LogError::from(e));
    let mut statement = connection.prepare(&sql).map_err(failed)?;
    let mut rows = statement.query(params_from_iter(values)).map_err(failed)?;
    let mut reader = Entries::default();
    while let Some(row) = rows.next().map_err(failed)? {
        each(reader.entry(connection, row)?.0)?;
    }
    Ok(())
}
