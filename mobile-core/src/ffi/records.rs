//! Flat records of what a screen shows.

use super::{FactsRecord, Said};
use packet::glance::{Fresh, Glance, Line};
use packet::{QueryWhat, UnitState};

use crate::{
    AttachmentContent, AttachmentState, AttachmentView, EntryView, Found, Intel, Lease, LeaseState,
    LinkState, MineState, Packet, PacketSummary, Purpose, Shift, ShownTo,
};

#[derive(Debug, Clone, uniffi::Record)]
pub struct ShiftRecord {
    pub officer: String,
    pub unit: String,
    pub agency: String,
    pub expires_ms: i64,
    /// What a query may be for, the usual one first.
    pub purposes: Vec<PurposeRecord>,
}

/// A purpose code of the center's.
#[derive(Debug, Clone, uniffi::Record)]
pub struct PurposeRecord {
    pub code: String,
    pub name: String,
}

impl From<Shift> for ShiftRecord {
    fn from(shift: Shift) -> Self {
        Self {
            officer: shift.officer,
            unit: shift.unit,
            agency: shift.agency,
            expires_ms: shift.expires_ms,
            purposes: shift
                .purposes
                .into_iter()
                .map(|Purpose { code, name }| PurposeRecord { code, name })
                .collect(),
        }
    }
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct SummaryRecord {
    pub call: String,
    /// The current facts; `None` until they have come.
    pub facts: Option<FactsRecord>,
    pub cautions: u64,
    pub unacknowledged: u64,
    pub unsent: u64,
    pub newest_ms: i64,
    pub opened_here: bool,
}

impl From<PacketSummary> for SummaryRecord {
    fn from(summary: PacketSummary) -> Self {
        Self {
            call: summary.call.to_string(),
            facts: summary.facts.map(Into::into),
            cautions: summary.cautions as u64,
            unacknowledged: summary.unacknowledged as u64,
            unsent: summary.unsent as u64,
            newest_ms: summary.newest_ms,
            opened_here: summary.opened_here,
        }
    }
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct PacketRecord {
    pub call: String,
    /// As in [`SummaryRecord`].
    pub facts: Option<FactsRecord>,
    /// What it opens on, the most important first: at most five lines.
    pub glance: Vec<GlanceRecord>,
    /// Cautions that have no line.
    pub cautions_below: u64,
    pub entries: Vec<EntryRecord>,
    /// What of it does not stay for the shift.
    pub leases: Vec<LeaseRecord>,
}

impl PacketRecord {
    pub(super) fn new(packet: Packet, glance: Glance) -> Self {
        Self {
            glance: glance.lines.into_iter().map(Into::into).collect(),
            cautions_below: glance.cautions_below as u64,
            call: packet.call.to_string(),
            facts: packet.facts.map(Into::into),
            entries: packet.entries.into_iter().map(Into::into).collect(),
            leases: packet.leases.into_iter().map(Into::into).collect(),
        }
    }
}

/// A compartment of a packet that leaves the device by itself where there is no contact with
/// the center: say so before it does, and after.
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Record)]
pub struct LeaseRecord {
    pub compartment: String,
    pub state: LeaseStateRecord,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum LeaseStateRecord {
    /// It stays for as long as `lease_left_ms` says; each contact begins that anew.
    Held,
    /// … which is not long.
    EndsSoon,
    /// It has left. The next contact brings it again.
    Ended,
}

impl From<Lease> for LeaseRecord {
    fn from(lease: Lease) -> Self {
        Self {
            compartment: lease.compartment.name().into(),
            state: match lease.state {
                LeaseState::Held => LeaseStateRecord::Held,
                LeaseState::EndsSoon => LeaseStateRecord::EndsSoon,
                LeaseState::Ended => LeaseStateRecord::Ended,
            },
        }
    }
}

/// One line of a packet's first look.
#[derive(Debug, Clone, uniffi::Record)]
pub struct GlanceRecord {
    /// What it is about, such as `Caution` or `Camera`.
    pub name: String,
    pub text: String,
    pub source: String,
    /// The entry that it is read from, and that entry's compartment.
    pub entry: String,
    pub compartment: String,
    /// A caution that waits for a tap of this officer's unit.
    pub asks: bool,
    /// It is no exact match: a lead to verify.
    pub is_lead: bool,
    /// When the record is of, where the source says; else when it was answered or written.
    pub as_of_ms: i64,
    pub is_of_record: bool,
    /// What a tap opens.
    pub link: Option<String>,
    /// Further entries about the same, without a line of their own.
    pub more: u64,
}

impl From<Line> for GlanceRecord {
    fn from(line: Line) -> Self {
        let (as_of_ms, is_of_record) = match line.fresh {
            Fresh::Recorded(ms) => (ms, true),
            Fresh::Answered(ms) | Fresh::Written(ms) => (ms, false),
        };
        Self {
            name: line.rank.rule().name.to_owned(),
            text: line.text,
            source: line.source,
            entry: line.id.to_string(),
            compartment: line.compartment.name().to_owned(),
            asks: line.rank == packet::glance::Rank::CautionAsks,
            is_lead: line.is_lead,
            as_of_ms,
            is_of_record,
            link: line.link,
            more: line.more as u64,
        }
    }
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct EntryRecord {
    pub id: String,
    pub compartment: String,
    pub said: Said,
    pub author_ms: i64,
    /// The author's clock less the center's.
    pub clock_off_ms: Option<i64>,
    pub received_ms: Option<i64>,
    pub mine: Option<MineRecord>,
    pub shown_to: Vec<ShownToRecord>,
    pub corrected_by: Option<String>,
    /// Of an attachment: how far its content has come.
    pub attachment: Option<AttachmentRecord>,
}

impl From<EntryView> for EntryRecord {
    fn from(entry: EntryView) -> Self {
        Self {
            id: entry.id.to_string(),
            compartment: entry.document.compartment.name().to_owned(),
            clock_off_ms: entry.written.clock_off_ms,
            said: entry.written.entry.into(),
            author_ms: entry.author_ms,
            received_ms: entry.received_ms,
            mine: entry.mine.map(Into::into),
            shown_to: entry.shown_to.into_iter().map(Into::into).collect(),
            corrected_by: entry.corrected_by.map(|id| id.to_string()),
            attachment: entry.attachment.map(Into::into),
        }
    }
}

/// What the center has shown, for this moment.
#[derive(Debug, Clone, uniffi::Record)]
pub struct IntelRecord {
    /// None: there is nothing, or the officer may not see it.
    pub entries: Vec<EntryRecord>,
    /// How many are older, and did not fit into the answer.
    pub earlier: u64,
}

impl From<Intel> for IntelRecord {
    fn from(intel: Intel) -> Self {
        Self {
            entries: intel.entries.into_iter().map(Into::into).collect(),
            earlier: intel.earlier,
        }
    }
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct FoundRecord {
    pub call: String,
    /// It is a beat's: known before there is a call.
    pub is_beat: bool,
    /// As in [`SummaryRecord`].
    pub facts: Option<FactsRecord>,
    pub entry: EntryRecord,
}

impl From<Found> for FoundRecord {
    fn from(found: Found) -> Self {
        Self {
            call: found.call.to_string(),
            is_beat: found.is_beat,
            facts: found.facts.map(Into::into),
            entry: found.entry.into(),
        }
    }
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct AttachmentRecord {
    pub blob: String,
    /// When it is on this device.
    pub thumbnail: Option<String>,
    pub bytes_here: u32,
    pub state: AttachmentStateRecord,
}

impl From<AttachmentView> for AttachmentRecord {
    fn from(view: AttachmentView) -> Self {
        Self {
            blob: view.blob,
            thumbnail: view.thumbnail,
            bytes_here: view.bytes_here,
            state: view.state.into(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum AttachmentStateRecord {
    OnItsWay,
    AtCenter,
    Coming,
    Here,
    Sending { bytes_at_center: u32 },
    Refused { reason: String },
}

impl From<AttachmentState> for AttachmentStateRecord {
    fn from(state: AttachmentState) -> Self {
        match state {
            AttachmentState::OnItsWay => Self::OnItsWay,
            AttachmentState::AtCenter => Self::AtCenter,
            AttachmentState::Coming => Self::Coming,
            AttachmentState::Here => Self::Here,
            AttachmentState::Sending { bytes_at_center } => Self::Sending { bytes_at_center },
            AttachmentState::Refused { reason } => Self::Refused { reason },
        }
    }
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct ContentRecord {
    pub bytes_here: u32,
    /// The whole, once it is here.
    pub content: Option<Vec<u8>>,
}

impl From<AttachmentContent> for ContentRecord {
    fn from(found: AttachmentContent) -> Self {
        Self {
            bytes_here: found.bytes_here,
            content: found.content,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum MineRecord {
    OnDevice,
    AtCenter,
    Refused { reason: String },
}

impl From<MineState> for MineRecord {
    fn from(state: MineState) -> Self {
        match state {
            MineState::OnDevice => Self::OnDevice,
            MineState::AtCenter => Self::AtCenter,
            MineState::Refused { reason } => Self::Refused { reason },
        }
    }
}

#[derive(Debug, Clone, uniffi::Record)]
pub struct ShownToRecord {
    pub who: String,
    pub at_ms: i64,
}

impl From<ShownTo> for ShownToRecord {
    fn from(shown: ShownTo) -> Self {
        Self {
            who: shown.who,
            at_ms: shown.at_ms,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum LinkRecord {
    Online { since_ms: i64 },
    Offline { since_ms: i64, why: String },
}

impl From<LinkState> for LinkRecord {
    fn from(state: LinkState) -> Self {
        match state {
            LinkState::Online { since_ms } => Self::Online { since_ms },
            LinkState::Offline { since_ms, why } => Self::Offline { since_ms, why },
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum QueryKind {
    Plate,
    Person,
    Phone,
    Address,
    /// A camera's recording.
    Clip,
}

impl From<QueryKind> for QueryWhat {
    fn from(kind: QueryKind) -> Self {
        match kind {
            QueryKind::Plate => Self::Plate,
            QueryKind::Person => Self::Person,
            QueryKind::Phone => Self::Phone,
            QueryKind::Address => Self::Address,
            QueryKind::Clip => Self::Clip,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, uniffi::Enum)]
pub enum StatusKind {
    Assigned,
    EnRoute,
    OnScene,
    Clear,
}

impl From<StatusKind> for UnitState {
    fn from(kind: StatusKind) -> Self {
        match kind {
            StatusKind::Assigned => Self::Assigned,
            StatusKind::EnRoute => Self::EnRoute,
            StatusKind::OnScene => Self::OnScene,
            StatusKind::Clear => Self::Clear,
        }
    }
}
