//! What entries say, typed: a screen switches over the kind and reads no JSON.

use packet::{
    Attachment, CallState, Confidence, Entry, Facts, Finding, LinkHow, MentionWhat, OutcomeState,
    QueryWhat, Topic, UnitState,
};

use super::{QueryKind, StatusKind};

/// What dispatch, or the officer who opened the packet, says of the call.
#[derive(Debug, Clone, uniffi::Record)]
pub struct FactsRecord {
    pub agency: String,
    /// CAD's own call number; empty for a packet that an officer opened.
    pub number: String,
    pub nature: String,
    pub category: String,
    /// 1 is the most urgent, 5 the least; and why.
    pub priority: u8,
    pub reason: String,
    pub location: String,
    /// Millionths of a degree, WGS 84.
    pub latitude_e6: Option<i32>,
    pub longitude_e6: Option<i32>,
    pub district: Option<String>,
    pub narrative: Option<String>,
    /// By CAD's clock: milliseconds since 1970, UTC.
    pub received_ms: i64,
    pub is_open: bool,
    pub disposition: Option<String>,
}

impl From<Facts> for FactsRecord {
    fn from(facts: Facts) -> Self {
        Self {
            agency: facts.agency,
            number: facts.number,
            nature: facts.nature,
            category: facts.category,
            priority: facts.priority,
            reason: facts.reason,
            location: facts.location,
            latitude_e6: facts.latitude_e6,
            longitude_e6: facts.longitude_e6,
            district: facts.district,
            narrative: facts.narrative,
            received_ms: facts.received_ms,
            is_open: facts.state == CallState::Open,
            disposition: facts.disposition,
        }
    }
}

/// How a finding matched what was asked; all but `Exact` read as a lead to verify.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum ConfidenceKind {
    Exact,
    Partial,
    Phonetic,
    Nearby,
}

impl From<Confidence> for ConfidenceKind {
    fn from(confidence: Confidence) -> Self {
        match confidence {
            Confidence::Exact => Self::Exact,
            Confidence::Partial => Self::Partial,
            Confidence::Phonetic => Self::Phonetic,
            Confidence::Nearby => Self::Nearby,
        }
    }
}

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum TopicKind {
    Record,
    Weapon,
    Wanted,
    Missing,
    Stolen,
    Bolo,
    Premise,
    Person,
    Vehicle,
    Earlier,
    Near,
    Camera,
}

impl From<Topic> for TopicKind {
    fn from(topic: Topic) -> Self {
        match topic {
            Topic::Record => Self::Record,
            Topic::Weapon => Self::Weapon,
            Topic::Wanted => Self::Wanted,
            Topic::Missing => Self::Missing,
            Topic::Stolen => Self::Stolen,
            Topic::Bolo => Self::Bolo,
            Topic::Premise => Self::Premise,
            Topic::Person => Self::Person,
            Topic::Vehicle => Self::Vehicle,
            Topic::Earlier => Self::Earlier,
            Topic::Near => Self::Near,
            Topic::Camera => Self::Camera,
        }
    }
}

/// What became of asking a source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum OutcomeKind {
    Asked,
    Answered,
    NothingFound,
    Refused,
    Failed,
    TimedOut,
    Retrying,
}

impl From<OutcomeState> for OutcomeKind {
    fn from(state: OutcomeState) -> Self {
        match state {
            OutcomeState::Asked => Self::Asked,
            OutcomeState::Answered => Self::Answered,
            OutcomeState::NothingFound => Self::NothingFound,
            OutcomeState::Refused => Self::Refused,
            OutcomeState::Failed => Self::Failed,
            OutcomeState::TimedOut => Self::TimedOut,
            OutcomeState::Retrying => Self::Retrying,
        }
    }
}

/// What somebody's words name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum MentionKind {
    Plate,
    PartialPlate,
    Vehicle,
    Phone,
    Person,
    Address,
    Weapon,
    Danger,
}

impl From<MentionWhat> for MentionKind {
    fn from(what: MentionWhat) -> Self {
        match what {
            MentionWhat::Plate => Self::Plate,
            MentionWhat::PartialPlate => Self::PartialPlate,
            MentionWhat::Vehicle => Self::Vehicle,
            MentionWhat::Phone => Self::Phone,
            MentionWhat::Person => Self::Person,
            MentionWhat::Address => Self::Address,
            MentionWhat::Weapon => Self::Weapon,
            MentionWhat::Danger => Self::Danger,
        }
    }
}

/// How two calls came to be linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LinkKind {
    /// A rule thinks so, and a person is asked.
    Proposed,
    Rule,
    Hand,
}

impl From<LinkHow> for LinkKind {
    fn from(how: LinkHow) -> Self {
        match how {
            LinkHow::Proposed => Self::Proposed,
            LinkHow::Rule => Self::Rule,
            LinkHow::Hand => Self::Hand,
        }
    }
}

impl From<QueryWhat> for QueryKind {
    fn from(what: QueryWhat) -> Self {
        match what {
            QueryWhat::Plate => Self::Plate,
            QueryWhat::Person => Self::Person,
            QueryWhat::Phone => Self::Phone,
            QueryWhat::Address => Self::Address,
            QueryWhat::Clip => Self::Clip,
        }
    }
}

impl From<UnitState> for StatusKind {
    fn from(state: UnitState) -> Self {
        match state {
            UnitState::Assigned => Self::Assigned,
            UnitState::EnRoute => Self::EnRoute,
            UnitState::OnScene => Self::OnScene,
            UnitState::Clear => Self::Clear,
        }
    }
}

/// One result from a source.
#[derive(Debug, Clone, uniffi::Record)]
pub struct FindingRecord {
    pub source: String,
    pub title: String,
    pub text: String,
    /// What was asked: the plate, the address.
    pub query: String,
    /// The time of the record itself, where the source says one.
    pub recorded_ms: Option<i64>,
    pub answered_ms: i64,
    pub confidence: ConfidenceKind,
    pub topic: TopicKind,
    /// What a tap opens; `https`, `http` or `rtsp`.
    pub link: Option<String>,
    pub ends_ms: Option<i64>,
    /// The query of the same compartment that it answers.
    pub answers: Option<String>,
}

impl From<Finding> for FindingRecord {
    fn from(finding: Finding) -> Self {
        Self {
            source: finding.source,
            title: finding.title,
            text: finding.text,
            query: finding.query,
            recorded_ms: finding.recorded_ms,
            answered_ms: finding.answered_ms,
            confidence: finding.confidence.into(),
            topic: finding.topic.into(),
            link: finding.link,
            ends_ms: finding.ends_ms,
            answers: finding.answers.map(|id| id.to_string()),
        }
    }
}

/// What an entry says. A screen shows each `text` as it stands; it never holds markup.
#[derive(Debug, Clone, uniffi::Enum)]
pub enum Said {
    Facts {
        facts: FactsRecord,
    },
    Note {
        text: String,
        by: String,
    },
    Caution {
        text: String,
        by: String,
        ends_ms: Option<i64>,
    },
    Finding {
        finding: FindingRecord,
    },
    Outcome {
        source: String,
        query: String,
        state: OutcomeKind,
        took_ms: Option<u32>,
        detail: Option<String>,
        as_of_ms: Option<i64>,
        answers: Option<String>,
    },
    Query {
        what: QueryKind,
        value: String,
        by: String,
        purpose: Option<String>,
        reason: Option<String>,
    },
    UnitStatus {
        unit: String,
        status: StatusKind,
        by: String,
    },
    /// Without a text it withdraws the entry.
    Correction {
        of: String,
        text: Option<String>,
        by: String,
    },
    Acknowledgement {
        of: String,
        by: String,
        unit: String,
    },
    /// How far its content has come, [`super::EntryRecord::attachment`] says.
    Attachment {
        media_type: String,
        bytes: u32,
        name: String,
        by: String,
        is_image: bool,
    },
    Mention {
        what: MentionKind,
        value: String,
        words: String,
        /// The note that they stand in; none: the call's facts.
        of: Option<String>,
    },
    Link {
        other: String,
        how: LinkKind,
        why: String,
        by: String,
    },
    /// A kind that a newer center writes: shown plainly, its fields as JSON.
    Other {
        kind: String,
        fields: String,
    },
}

impl From<Entry> for Said {
    fn from(entry: Entry) -> Self {
        match entry {
            Entry::Facts(facts) => Self::Facts {
                facts: facts.into(),
            },
            Entry::Note(note) => Self::Note {
                text: note.text,
                by: note.by,
            },
            Entry::Caution(caution) => Self::Caution {
                text: caution.text,
                by: caution.by,
                ends_ms: caution.ends_ms,
            },
            Entry::Finding(finding) => Self::Finding {
                finding: finding.into(),
            },
            Entry::Outcome(outcome) => Self::Outcome {
                source: outcome.source,
                query: outcome.query,
                state: outcome.state.into(),
                took_ms: outcome.took_ms,
                detail: outcome.detail,
                as_of_ms: outcome.as_of_ms,
                answers: outcome.answers.map(|id| id.to_string()),
            },
            Entry::Query(query) => Self::Query {
                what: query.what.into(),
                value: query.value,
                by: query.by,
                purpose: query.purpose,
                reason: query.reason,
            },
            Entry::UnitStatus(status) => Self::UnitStatus {
                unit: status.unit,
                status: status.status.into(),
                by: status.by,
            },
            Entry::Correction(correction) => Self::Correction {
                of: correction.of.to_string(),
                text: correction.text,
                by: correction.by,
            },
            Entry::Acknowledgement(tap) => Self::Acknowledgement {
                of: tap.of.to_string(),
                by: tap.by,
                unit: tap.unit,
            },
            Entry::Attachment(attachment) => attached(attachment),
            Entry::Mention(mention) => Self::Mention {
                what: mention.what.into(),
                value: mention.value,
                words: mention.words,
                of: mention.of.map(|id| id.to_string()),
            },
            Entry::Link(link) => Self::Link {
                other: link.other.to_string(),
                how: link.how.into(),
                why: link.why,
                by: link.by,
            },
            Entry::Other { kind, fields } => Self::Other {
                kind,
                fields: serde_json::Value::Object(fields).to_string(),
            },
        }
    }
}

fn attached(attachment: Attachment) -> Said {
    Said::Attachment {
        is_image: attachment.is_image(),
        media_type: attachment.media_type,
        bytes: attachment.bytes,
        name: attachment.name,
        by: attachment.by,
    }
}
