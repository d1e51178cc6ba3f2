//! The kinds of entry, their fields, their limits, and who may write which.
//!
//! An entry is flat: its fields are text, whole numbers or yes/no. It is kept in
//! the document as one map, field by field, so that any Automerge tool can read it.
//! Entries are never overwritten: a [`Correction`] names what it corrects; of
//! several [`Facts`], [`UnitStatus`] or [`Outcome`]s the highest in the log is current.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::ids::{Author, CallId, ChangeHash, Compartment, EntryId};

/// The version of this schema. A newer center may send kinds that this one does
/// not know: they are kept as [`Entry::Other`] and shown plainly.
pub const SCHEMA_VERSION: u16 = 1;

/// Longest text that a person or a source writes in one entry, in characters.
pub const TEXT_CHARS_MAX: usize = 2_000;
/// Longest name: a unit, an officer, a source, a nature, an address.
pub const NAME_CHARS_MAX: usize = 200;
/// Longest address of something that a screen opens, such as a camera's stream.
pub const LINK_CHARS_MAX: usize = 500;
/// What such an address may begin with: nothing that a page would run.
pub const LINK_SCHEMES: [&str; 3] = ["https://", "http://", "rtsp://"];
/// Largest attachment, in bytes: a photograph as a phone makes it, with room.
pub const ATTACHMENT_BYTES_MAX: u32 = 8 * 1024 * 1024;
/// Longest media type (RFC 6838, section 4.2, allows 127 on each side of the slash).
pub const MEDIA_TYPE_CHARS_MAX: usize = 100;
/// A SHA-256 in hexadecimal digits.
pub const BLOB_CHARS: usize = 64;
/// Most fields that an entry of any kind may have.
pub const FIELDS_MAX: usize = 24;

/// What is wrong with an entry, by the name of the field.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EntryError {
    #[error("{field}: {wanted}")]
    Field { field: &'static str, wanted: String },
    /// Not the fields of this kind: a missing, unknown or mistyped one.
    #[error("{kind}: {problem}")]
    Shape { kind: String, problem: String },
}

/// An entry, and what its author says of the writing of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    pub entry: Entry,
    /// The author's clock less the center's at their last contact, in milliseconds; `None`
    /// before the first.
    pub clock_off_ms: Option<i64>,
    /// The change in which this entry was first written, where it had to be written anew.
    /// Of all the changes that say the same a log takes one.
    pub instead: Option<ChangeHash>,
}

/// One entry of a packet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Entry {
    Facts(Facts),
    Note(Note),
    Caution(Caution),
    Finding(Finding),
    Outcome(Outcome),
    Query(Query),
    UnitStatus(UnitStatus),
    Correction(Correction),
    Acknowledgement(Acknowledgement),
    Attachment(Attachment),
    Mention(Mention),
    Link(Link),
    /// A kind that this version does not know: its name and its fields as they came.
    #[serde(skip)]
    Other {
        kind: String,
        fields: Map<String, Value>,
    },
}

/// What dispatch, or the officer who opened the packet, says of the call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Facts {
    /// The agency whose CAD the call is in.
    pub agency: String,
    /// CAD's own call number; empty for a packet that an officer opened.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub number: String,
    pub nature: String,
    pub category: String,
    /// 1 is the most urgent, 5 the least.
    pub priority: u8,
    /// Why it has this priority.
    pub reason: String,
    pub location: String,
    /// Millionths of a degree, WGS 84.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub latitude_e6: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub longitude_e6: Option<i32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub district: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub narrative: Option<String>,
    /// When the call was received, by CAD's clock: milliseconds since 1970, UTC.
    pub received_ms: i64,
    pub state: CallState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disposition: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CallState {
    Open,
    Closed,
}

/// What a person adds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Note {
    pub text: String,
    /// The person, as screens show them.
    pub by: String,
}

/// What can hurt whoever comes to the door. Sounds on the device and asks for a tap.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Caution {
    pub text: String,
    pub by: String,
    /// When whoever set it said that it ends: milliseconds since 1970, UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<i64>,
}

/// One result from a source.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    pub source: String,
    pub title: String,
    pub text: String,
    /// What was asked: the plate, the address.
    pub query: String,
    /// The time of the record itself, where the source says one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_ms: Option<i64>,
    pub answered_ms: i64,
    pub confidence: Confidence,
    /// What it is about: by this a screen says what comes first.
    #[serde(default, skip_serializing_if = "Topic::is_record")]
    pub topic: Topic,
    /// What a tap opens, such as a camera's stream: one of [`LINK_SCHEMES`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// When it ends to be so, where the source says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ends_ms: Option<i64>,
    /// The query of the same document that it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<EntryId>,
}

/// How a finding matched what was asked; all but `Exact` read as a lead to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    Exact,
    Partial,
    /// It sounds like what was asked.
    Phonetic,
    Nearby,
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Topic {
    /// Whatever a source has on record, and nothing of what follows.
    #[default]
    Record,
    /// A weapon that is known here, or of this person.
    Weapon,
    /// A person that is wanted.
    Wanted,
    /// A person that is missed.
    Missing,
    /// A vehicle or thing that is stolen.
    Stolen,
    /// "Be on the lookout".
    Bolo,
    /// A hazard of the place.
    Premise,
    Person,
    Vehicle,
    /// Earlier calls: here, near by, or with this plate, phone or person.
    Earlier,
    /// Calls that are open near by now.
    Near,
    Camera,
}

impl Topic {
    #[allow(clippy::trivially_copy_pass_by_ref)] // serde asks so
    fn is_record(&self) -> bool {
        *self == Self::Record
    }
}

/// What became of asking one source one thing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Outcome {
    pub source: String,
    pub query: String,
    pub state: OutcomeState,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u32>,
    /// Why it failed or refused, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// How fresh the answer is, where it was not asked for just now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub as_of_ms: Option<i64>,
    /// The query of the same document that was put to the source.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<EntryId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OutcomeState {
    Asked,
    Answered,
    NothingFound,
    /// It answers, but not this: the purpose, the reason or the asker does not do.
    Refused,
    Failed,
    TimedOut,
    /// It failed or timed out, and is asked once more.
    Retrying,
}

/// Something that a person asks of the sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    pub what: QueryWhat,
    pub value: String,
    pub by: String,
    /// Why it may be asked: a purpose code of the center's configuration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub purpose: Option<String>,
    /// … and the asker's own words for it, where a source wants them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

impl Query {
    /// What it is for, to be shown behind what it asks; empty where that was not said.
    #[must_use]
    pub fn why(&self) -> String {
        match (&self.purpose, &self.reason) {
            (None, None) => String::new(),
            (Some(purpose), None) => format!(" (purpose {purpose})"),
            (None, Some(reason)) => format!(" ({reason})"),
            (Some(purpose), Some(reason)) => format!(" (purpose {purpose}: {reason})"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum QueryWhat {
    Plate,
    Person,
    Phone,
    Address,
    /// A camera's recording: its name and a window of time.
    Clip,
}

/// A unit on this call. Does not reach dispatch's own system.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct UnitStatus {
    pub unit: String,
    pub status: UnitState,
    pub by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum UnitState {
    Assigned,
    EnRoute,
    OnScene,
    Clear,
}

/// Corrects an entry of the same document, or withdraws it when there is no text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    pub of: EntryId,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    pub by: String,
}

/// One tap by a named officer on a caution of the same document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Acknowledgement {
    pub of: EntryId,
    pub by: String,
    pub unit: String,
}

/// An image or another small file that goes with the packet. Its content is no part of the
/// document: it travels apart, behind every kind of text, and is known by its hash.
///
/// Written by a device it says that the content is on its way. Written by the center it
/// says that the center has all of it, and that it fits its hash; of a device's attachment
/// the center writes a second entry with the same `blob`, so the log itself tells what is
/// half sent from what is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Attachment {
    /// SHA-256 of the whole content, 64 lower-case hexadecimal digits.
    pub blob: String,
    /// … of the small JPEG that stands for it. The center makes it, of images only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<String>,
    /// Such as `image/jpeg` (RFC 6838).
    pub media_type: String,
    /// Size of the whole content.
    pub bytes: u32,
    /// What the person called it, such as `plate.jpg`. No path.
    pub name: String,
    pub by: String,
}

impl Attachment {
    /// Whether screens show it as a picture: the two kinds of image that the center reads.
    #[must_use]
    pub fn is_image(&self) -> bool {
        matches!(self.media_type.as_str(), "image/png" | "image/jpeg")
    }
}

/// A plate, person, place or danger that somebody's words name, found by the center.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mention {
    pub what: MentionWhat,
    /// In the form in which it is looked up.
    pub value: String,
    /// The words that it was read from, as they stand, so that a person can judge it.
    pub words: String,
    /// The note that they stand in; none: the call's facts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub of: Option<EntryId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MentionWhat {
    Plate,
    /// A part of a plate.
    PartialPlate,
    Vehicle,
    Phone,
    Person,
    Address,
    Weapon,
    Danger,
}

/// Another call that is, or may be, about the same event. Neither is merged into the other.
/// It is undone by a [`Correction`] without text.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Link {
    pub other: CallId,
    pub how: LinkHow,
    /// What the two have in common, in words.
    pub why: String,
    pub by: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LinkHow {
    /// A rule thinks so, and a person is asked.
    Proposed,
    Rule,
    Hand,
}

/// The kinds, without their contents: what a rule speaks of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    Facts,
    Note,
    Caution,
    Finding,
    Outcome,
    Query,
    UnitStatus,
    Correction,
    Acknowledgement,
    Attachment,
    Mention,
    Link,
    Other,
}

impl Kind {
    pub const ALL: [Self; 13] = [
        Self::Facts,
        Self::Note,
        Self::Caution,
        Self::Finding,
        Self::Outcome,
        Self::Query,
        Self::UnitStatus,
        Self::Correction,
        Self::Acknowledgement,
        Self::Attachment,
        Self::Mention,
        Self::Link,
        Self::Other,
    ];
}

/// Whether this author may write this kind into this compartment.
///
/// `opened_by_author` is true of a packet that this very device opened: it writes
/// the call's facts too. Deny is the default: what is not named here is refused.
#[must_use]
pub fn may_write(
    author: Author,
    compartment: Compartment,
    kind: Kind,
    opened_by_author: bool,
) -> bool {
    use Compartment::{Call, Safety};
    use Kind::{Acknowledgement, Attachment, Caution, Correction, Facts, Note, Query, UnitStatus};
    match (author, compartment, kind) {
        (_, _, Kind::Other) => false,
        (Author::Center(_), _, _) => true,
        (Author::Device(_), Safety, Caution | Acknowledgement | Correction)
        | (Author::Device(_), Call, Note | Query | UnitStatus | Correction | Attachment) => true,
        (Author::Device(_), Safety | Call, Facts) => opened_by_author,
        _ => false,
    }
}

impl Entry {
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Facts(_) => Kind::Facts,
            Self::Note(_) => Kind::Note,
            Self::Caution(_) => Kind::Caution,
            Self::Finding(_) => Kind::Finding,
            Self::Outcome(_) => Kind::Outcome,
            Self::Query(_) => Kind::Query,
            Self::UnitStatus(_) => Kind::UnitStatus,
            Self::Correction(_) => Kind::Correction,
            Self::Acknowledgement(_) => Kind::Acknowledgement,
            Self::Attachment(_) => Kind::Attachment,
            Self::Mention(_) => Kind::Mention,
            Self::Link(_) => Kind::Link,
            Self::Other { .. } => Kind::Other,
        }
    }

    /// The fields as they stand in the document, `kind` among them.
    ///
    /// # Errors
    /// When the entry breaks a limit ([`Entry::check`]).
    pub fn to_fields(&self) -> Result<Map<String, Value>, EntryError> {
        self.check()?;
        if let Self::Other { kind, fields } = self {
            let mut all = fields.clone();
            all.insert("kind".into(), Value::String(kind.clone()));
            return Ok(all);
        }
        match serde_json::to_value(self) {
            Ok(Value::Object(fields)) => Ok(fields),
            _ => Err(EntryError::Shape {
                kind: "entry".into(),
                problem: "has no flat form".into(),
            }),
        }
    }

    /// Reads what [`Entry::to_fields`] wrote. A kind that this version does not
    /// know becomes [`Entry::Other`]; a known kind must have exactly its fields.
    ///
    /// # Errors
    /// When `kind` is missing, the fields are not those of a known kind, or a limit is broken.
    pub fn from_fields(mut fields: Map<String, Value>) -> Result<Self, EntryError> {
        let shape = |kind: &str, problem: String| EntryError::Shape {
            kind: kind.to_owned(),
            problem,
        };
        if fields.len() > FIELDS_MAX {
            return Err(shape(
                "entry",
                format!("has {} fields, at most {FIELDS_MAX}", fields.len()),
            ));
        }
        let kind = match fields.get("kind") {
            Some(Value::String(kind)) => kind.clone(),
            _ => return Err(shape("entry", "has no kind".into())),
        };
        let entry = if KNOWN.contains(&kind.as_str()) {
            serde_json::from_value(Value::Object(fields))
                .map_err(|e| shape(&kind, e.to_string()))?
        } else {
            fields.remove("kind");
            Self::Other { kind, fields }
        };
        entry.check()?;
        Ok(entry)
    }

    /// Holds the entry against the limits of its fields.
    ///
    /// # Errors
    /// Names the first field that breaks one.
    pub fn check(&self) -> Result<(), EntryError> {
        match self {
            Self::Facts(facts) => facts.check(),
            Self::Note(note) => text("text", &note.text).and(name("by", &note.by)),
            Self::Caution(caution) => text("text", &caution.text).and(name("by", &caution.by)),
            Self::Finding(finding) => name("source", &finding.source)
                .and(name("title", &finding.title))
                .and(text("text", &finding.text))
                .and(at_most("query", &finding.query, NAME_CHARS_MAX))
                .and(finding.link.as_deref().map_or(Ok(()), link)),
            Self::Outcome(outcome) => name("source", &outcome.source)
                .and(at_most("query", &outcome.query, NAME_CHARS_MAX))
                .and(optional(
                    "detail",
                    outcome.detail.as_deref(),
                    NAME_CHARS_MAX,
                )),
            Self::Query(query) => name("value", &query.value)
                .and(name("by", &query.by))
                .and(optional(
                    "purpose",
                    query.purpose.as_deref(),
                    NAME_CHARS_MAX,
                ))
                .and(optional("reason", query.reason.as_deref(), NAME_CHARS_MAX)),
            Self::UnitStatus(status) => name("unit", &status.unit).and(name("by", &status.by)),
            Self::Correction(correction) => {
                optional("text", correction.text.as_deref(), TEXT_CHARS_MAX)
                    .and(name("by", &correction.by))
            }
            Self::Acknowledgement(tap) => name("by", &tap.by).and(name("unit", &tap.unit)),
            Self::Attachment(attachment) => attachment.check(),
            Self::Mention(mention) => {
                name("value", &mention.value).and(name("words", &mention.words))
            }
            Self::Link(link) => name("why", &link.why).and(name("by", &link.by)),
            Self::Other { kind, fields } => name("kind", kind).and_then(|()| {
                fields
                    .values()
                    .filter_map(Value::as_str)
                    .try_for_each(|value| at_most("(unknown)", value, TEXT_CHARS_MAX))
            }),
        }
    }
}

const KNOWN: [&str; 12] = [
    "facts",
    "note",
    "caution",
    "finding",
    "outcome",
    "query",
    "unit_status",
    "correction",
    "acknowledgement",
    "attachment",
    "mention",
    "link",
];

impl Attachment {
    fn check(&self) -> Result<(), EntryError> {
        let wrong = |field, wanted: String| Err(EntryError::Field { field, wanted });
        if !(1..=ATTACHMENT_BYTES_MAX).contains(&self.bytes) {
            return wrong(
                "bytes",
                format!("a size from 1 to {ATTACHMENT_BYTES_MAX} bytes"),
            );
        }
        if !is_media_type(&self.media_type) {
            return wrong("media_type", "a media type such as image/jpeg".into());
        }
        // It names a file on somebody's disk one day: a name, not a way to another folder.
        if self
            .name
            .contains(|c: char| c.is_control() || matches!(c, '/' | '\\'))
        {
            return wrong(
                "name",
                "a name without slashes or control characters".into(),
            );
        }
        blob("blob", &self.blob)
            .and(
                self.thumbnail
                    .as_deref()
                    .map_or(Ok(()), |thumbnail| blob("thumbnail", thumbnail)),
            )
            .and(name("name", &self.name))
            .and(name("by", &self.by))
    }
}

/// RFC 6838, section 4.2: two names of restricted characters, a slash between them.
fn is_media_type(text: &str) -> bool {
    let is_name = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphanumeric())
            && name
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    text.len() <= MEDIA_TYPE_CHARS_MAX
        && text
            .split_once('/')
            .is_some_and(|(kind, subtype)| is_name(kind) && is_name(subtype))
}

/// One spelling a hash: a blob is looked up by these very digits.
fn blob(field: &'static str, text: &str) -> Result<(), EntryError> {
    let is_hash =
        text.len() == BLOB_CHARS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if is_hash {
        Ok(())
    } else {
        Err(EntryError::Field {
            field,
            wanted: format!("{BLOB_CHARS} lower-case hexadecimal digits"),
        })
    }
}

impl Facts {
    fn check(&self) -> Result<(), EntryError> {
        if !(1..=5).contains(&self.priority) {
            return Err(EntryError::Field {
                field: "priority",
                wanted: "a number from 1 to 5".into(),
            });
        }
        let degrees = |field, value: Option<i32>, most: i32| match value {
            Some(value) if value.unsigned_abs() > most.unsigned_abs() * 1_000_000 => {
                Err(EntryError::Field {
                    field,
                    wanted: format!("at most {most} degrees either way"),
                })
            }
            _ => Ok(()),
        };
        name("agency", &self.agency)
            .and(at_most("number", &self.number, NAME_CHARS_MAX))
            .and(name("nature", &self.nature))
            .and(name("category", &self.category))
            .and(at_most("reason", &self.reason, TEXT_CHARS_MAX))
            .and(name("location", &self.location))
            .and(degrees("latitude_e6", self.latitude_e6, 90))
            .and(degrees("longitude_e6", self.longitude_e6, 180))
            .and(optional(
                "district",
                self.district.as_deref(),
                NAME_CHARS_MAX,
            ))
            .and(optional(
                "narrative",
                self.narrative.as_deref(),
                TEXT_CHARS_MAX,
            ))
            .and(optional(
                "disposition",
                self.disposition.as_deref(),
                NAME_CHARS_MAX,
            ))
    }
}

fn at_most(field: &'static str, value: &str, chars_max: usize) -> Result<(), EntryError> {
    let chars = value.chars().count();
    if chars > chars_max {
        return Err(EntryError::Field {
            field,
            wanted: format!("at most {chars_max} characters, not {chars}"),
        });
    }
    Ok(())
}

fn filled(field: &'static str, value: &str, chars_max: usize) -> Result<(), EntryError> {
    if value.trim().is_empty() {
        return Err(EntryError::Field {
            field,
            wanted: "something, not nothing".into(),
        });
    }
    at_most(field, value, chars_max)
}

fn text(field: &'static str, value: &str) -> Result<(), EntryError> {
    filled(field, value, TEXT_CHARS_MAX)
}

fn name(field: &'static str, value: &str) -> Result<(), EntryError> {
    filled(field, value, NAME_CHARS_MAX)
}

fn link(value: &str) -> Result<(), EntryError> {
    if !LINK_SCHEMES.iter().any(|scheme| value.starts_with(scheme)) {
        return Err(EntryError::Field {
            field: "link",
            wanted: format!("an address that begins with one of {LINK_SCHEMES:?}"),
        });
    }
    at_most("link", value, LINK_CHARS_MAX)
}

fn optional(field: &'static str, value: Option<&str>, chars_max: usize) -> Result<(), EntryError> {
    value.map_or(Ok(()), |value| at_most(field, value, chars_max))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::ids::{Actor, DeviceNumber};

    fn id() -> EntryId {
        EntryId {
            actor: Actor([3; 8]),
            number: 4,
        }
    }

    fn facts() -> Facts {
        Facts {
            agency: "cedarport-pd".into(),
            number: "26-1".into(),
            nature: "SHOTS FIRED".into(),
            category: "weapons".into(),
            priority: 1,
            reason: "nature".into(),
            location: "100 N MAIN ST".into(),
            latitude_e6: Some(-90_000_000),
            longitude_e6: Some(180_000_000),
            district: None,
            narrative: Some("man with gun".into()),
            received_ms: 1,
            state: CallState::Open,
            disposition: None,
        }
    }

    fn one_of_each() -> Vec<Entry> {
        let by = || "Diaz (4A12)".to_owned();
        vec![
            Entry::Facts(facts()),
            Entry::Note(Note {
                text: "n".into(),
                by: by(),
            }),
            Entry::Caution(Caution {
                text: "c".into(),
                by: by(),
                ends_ms: Some(7),
            }),
            Entry::Finding(Finding {
                source: "records".into(),
                title: "t".into(),
                text: "x".into(),
                query: "q".into(),
                recorded_ms: Some(5),
                answered_ms: 6,
                confidence: Confidence::Partial,
                topic: Topic::Camera,
                link: Some("rtsp://cameras.example/1".into()),
                ends_ms: Some(8),
                answers: Some(id()),
            }),
            Entry::Outcome(Outcome {
                source: "records".into(),
                query: "q".into(),
                state: OutcomeState::TimedOut,
                took_ms: Some(3),
                detail: Some("no answer in 3 s".into()),
                as_of_ms: Some(2),
                answers: Some(id()),
            }),
            Entry::Query(Query {
                what: QueryWhat::Plate,
                value: "ABC123".into(),
                by: by(),
                purpose: Some("C".into()),
                reason: Some("a stop".into()),
            }),
            Entry::UnitStatus(UnitStatus {
                unit: "4A12".into(),
                status: UnitState::OnScene,
                by: by(),
            }),
            Entry::Correction(Correction {
                of: id(),
                text: None,
                by: by(),
            }),
            Entry::Acknowledgement(Acknowledgement {
                of: id(),
                by: by(),
                unit: "4A12".into(),
            }),
            Entry::Attachment(attachment()),
            Entry::Mention(Mention {
                what: MentionWhat::Plate,
                value: "ABC123".into(),
                words: "plate Adam Boy Charles 1 2 3".into(),
                of: Some(id()),
            }),
            Entry::Link(Link {
                other: CallId(9),
                how: LinkHow::Proposed,
                why: "the same place within 2 minutes".into(),
                by: "The center".into(),
            }),
        ]
    }

    fn attachment() -> Attachment {
        Attachment {
            blob: "0a".repeat(32),
            thumbnail: Some("f9".repeat(32)),
            media_type: "image/jpeg".into(),
            bytes: 1_000_000,
            name: "plate.jpg".into(),
            by: "Diaz (4A12)".into(),
        }
    }

    #[test]
    fn an_attachment_names_a_hash_a_media_type_a_size_and_no_path() {
        type Breaks = fn(&mut Attachment);
        let broken: [(&str, Breaks); 9] = [
            ("blob", |a| a.blob = "0A".repeat(32)),
            ("blob", |a| a.blob = "0a".repeat(31)),
            ("thumbnail", |a| a.thumbnail = Some(String::new())),
            ("media_type", |a| a.media_type = "image".into()),
            ("media_type", |a| {
                a.media_type = "image/jpeg; x=\r\ny".into()
            }),
            ("bytes", |a| a.bytes = 0),
            ("bytes", |a| a.bytes = ATTACHMENT_BYTES_MAX + 1),
            ("name", |a| a.name = "../../etc/passwd".into()),
            ("by", |a| a.by = String::new()),
        ];
        attachment().check().unwrap();
        for (field, breaks) in broken {
            let mut attachment = attachment();
            breaks(&mut attachment);
            let error = attachment.check().unwrap_err().to_string();
            assert!(error.starts_with(field), "{field}: {error}");
        }
    }

    #[test]
    fn every_kind_survives_its_fields() {
        let all = one_of_each();
        assert_eq!(all.len(), KNOWN.len());
        for entry in all {
            let fields = entry.to_fields().unwrap();
            assert!(
                fields
                    .values()
                    .all(|v| v.is_string() || v.is_i64() || v.is_boolean()),
                "{fields:?}"
            );
            assert!(KNOWN.contains(&fields["kind"].as_str().unwrap()));
            assert_eq!(Entry::from_fields(fields).unwrap(), entry);
        }
    }

    #[test]
    fn a_link_opens_a_stream_or_a_page_and_runs_nothing() {
        let finding = |link: &str| {
            let fields = one_of_each()[3].to_fields().unwrap();
            let Entry::Finding(finding) = Entry::from_fields(fields).unwrap() else {
                unreachable!("it was a finding");
            };
            Entry::Finding(Finding {
                link: Some(link.into()),
                ..finding
            })
        };
        finding("https://cameras.example/1").check().unwrap();
        let long = format!("https://{}", "x".repeat(LINK_CHARS_MAX));
        for link in ["javascript:alert(1)", " https://x", "", &long] {
            let error = finding(link).check().unwrap_err().to_string();
            assert!(error.starts_with("link:"), "{link}: {error}");
        }
    }

    #[test]
    fn an_unknown_kind_is_kept_as_it_came() {
        let mut fields = Map::new();
        fields.insert("kind".into(), "drone_feed".into());
        fields.insert("url".into(), "rtsp://x".into());
        let entry = Entry::from_fields(fields.clone()).unwrap();
        assert_eq!(entry.kind(), Kind::Other);
        assert_eq!(entry.to_fields().unwrap(), fields);
    }

    #[test]
    fn a_broken_limit_names_its_field() {
        let long = Entry::Note(Note {
            text: "x".repeat(TEXT_CHARS_MAX + 1),
            by: "a".into(),
        });
        assert!(
            long.check()
                .unwrap_err()
                .to_string()
                .starts_with("text: at most 2000")
        );
        let blank = Entry::Note(Note {
            text: " ".into(),
            by: "a".into(),
        });
        assert!(blank.check().unwrap_err().to_string().starts_with("text:"));
        let zero = Entry::Facts(Facts {
            priority: 0,
            ..facts()
        });
        assert!(
            zero.check()
                .unwrap_err()
                .to_string()
                .starts_with("priority:")
        );
        let far = Entry::Facts(Facts {
            latitude_e6: Some(90_000_001),
            ..facts()
        });
        assert!(
            far.check()
                .unwrap_err()
                .to_string()
                .starts_with("latitude_e6:")
        );
    }

    #[test]
    fn a_known_kind_takes_exactly_its_fields() {
        for entry in one_of_each() {
            let mut fields = entry.to_fields().unwrap();
            fields.insert("extra".into(), 1.into());
            assert!(Entry::from_fields(fields).is_err(), "{:?}", entry.kind());
        }
        let mut fields = one_of_each()[1].to_fields().unwrap();
        fields.remove("by");
        assert!(
            Entry::from_fields(fields)
                .unwrap_err()
                .to_string()
                .contains("by")
        );
    }

    #[test]
    fn a_device_writes_only_what_it_may() {
        let device = Author::Device(DeviceNumber(1));
        assert!(may_write(device, Compartment::Call, Kind::Note, false));
        assert!(may_write(device, Compartment::Safety, Kind::Caution, false));
        assert!(!may_write(device, Compartment::Call, Kind::Facts, false));
        assert!(may_write(device, Compartment::Call, Kind::Facts, true));
        for kind in Kind::ALL {
            assert!(
                !may_write(device, Compartment::Records, kind, true),
                "{kind:?}"
            );
            assert!(
                !may_write(device, Compartment::Intel, kind, true),
                "{kind:?}"
            );
        }
        assert!(!may_write(device, Compartment::Call, Kind::Finding, true));
        assert!(may_write(
            device,
            Compartment::Call,
            Kind::Attachment,
            false
        ));
        let safety = Compartment::Safety;
        assert!(!may_write(device, safety, Kind::Attachment, true));
        assert!(!may_write(
            Author::Center(1 << 31),
            Compartment::Call,
            Kind::Other,
            true
        ));
    }
}
