//! What a screen shows of a packet.

mod attachment;

use packet::glance::{Glance, Said, glance};
use packet::{CallId, DocumentId, Entry, EntryId, Facts, Written};

use crate::Lease;
use crate::store::{Content, PacketRows, Row, Standing};
use attachment::Attachments;

pub use attachment::{AttachmentState, AttachmentView};

/// A line in the list of packets.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacketSummary {
    pub call: CallId,
    /// The current facts; `None` until they have come.
    pub facts: Option<Facts>,
    /// Cautions that were not withdrawn.
    pub cautions: usize,
    /// Those of them that others wrote and nobody of this unit has acknowledged.
    pub unacknowledged: usize,
    /// Entries of this device that the center does not have yet, attachments until it has
    /// their contents.
    pub unsent: usize,
    pub newest_ms: i64,
    /// This device opened the packet.
    pub opened_here: bool,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Packet {
    pub call: CallId,
    pub facts: Option<Facts>,
    /// Of all compartments, in the order of the log; this device's unsent ones last.
    pub entries: Vec<EntryView>,
    /// What of it does not stay for the shift.
    pub leases: Vec<Lease>,
}

impl Packet {
    /// The few lines that it opens on: what the center did not take is none of them.
    #[must_use]
    pub fn glance(&self, unit: Option<&str>, now_ms: i64) -> Glance {
        let said: Vec<Said<'_>> = self
            .entries
            .iter()
            .filter(|entry| !matches!(entry.mine, Some(MineState::Refused { .. })))
            .map(|entry| Said {
                id: entry.id,
                compartment: entry.document.compartment,
                entry: &entry.written.entry,
                at_ms: entry.received_ms.unwrap_or(entry.author_ms),
                mine: entry.mine.is_some(),
            })
            .collect();
        glance(&said, unit, now_ms)
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntryView {
    /// Unique within its document.
    pub id: EntryId,
    pub document: DocumentId,
    pub written: Written,
    /// By the author's clock.
    pub author_ms: i64,
    /// By the center's clock; `None` until it has it.
    pub received_ms: Option<i64>,
    pub seq: Option<u64>,
    /// `None` for what others wrote.
    pub mine: Option<MineState>,
    /// Who saw it, of what this device wrote.
    pub shown_to: Vec<ShownTo>,
    /// The newest entry that corrects or withdraws it.
    pub corrected_by: Option<EntryId>,
    /// Of an attachment: how far its content has come.
    pub attachment: Option<AttachmentView>,
}

/// An entry that a search met.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    pub call: CallId,
    /// It is a beat's: known before there is a call.
    pub is_beat: bool,
    /// The current facts of its packet, where they have come.
    pub facts: Option<Facts>,
    pub entry: EntryView,
}

impl Found {
    pub(crate) fn new(packet: &Packet, entry: &EntryView) -> Self {
        Self {
            call: packet.call,
            is_beat: packet.call.is_beat(),
            facts: packet.facts.clone(),
            entry: entry.clone(),
        }
    }
}

/// How far an entry of mine has come. An attachment has come as far as its content has:
/// a half-sent one is on this device.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MineState {
    OnDevice,
    AtCenter,
    Refused { reason: String },
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownTo {
    pub who: String,
    pub at_ms: i64,
}

/// What an officer says of a stop or an on-view.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPacket {
    pub nature: String,
    pub location: String,
    pub plate: Option<String>,
    pub note: Option<String>,
}

/// Of several facts the highest in the log is current, this device's unsent last.
fn current_facts(rows: &[Row]) -> Option<Facts> {
    rows.iter()
        .rev()
        .filter(|row| !matches!(row.standing, Standing::Refused(_)))
        .find_map(|row| match &row.written.entry {
            Entry::Facts(facts) => Some(facts.clone()),
            _ => None,
        })
}

pub(crate) fn summary(call: CallId, packet: PacketRows, unit: Option<&str>) -> PacketSummary {
    let rows = &packet.entries;
    let is_withdrawn = |caution: &Row| {
        let last = rows.iter().rev().find_map(|row| match &row.written.entry {
            Entry::Correction(correction)
                if correction.of == caution.id && row.document == caution.document =>
            {
                Some(correction.text.is_none())
            }
            _ => None,
        });
        last.unwrap_or(false)
    };
    let is_acknowledged = |caution: &Row| {
        rows.iter().any(|row| match &row.written.entry {
            Entry::Acknowledgement(tap) => {
                tap.of == caution.id
                    && row.document == caution.document
                    && Some(tap.unit.as_str()) == unit
            }
            _ => false,
        })
    };
    let cautions: Vec<&Row> = rows
        .iter()
        .filter(|row| matches!(row.written.entry, Entry::Caution(_)) && !is_withdrawn(row))
        .collect();
    PacketSummary {
        call,
        facts: current_facts(rows),
        cautions: cautions.len(),
        unacknowledged: cautions
            .iter()
            .filter(|caution| !caution.mine && !is_acknowledged(caution))
            .count(),
        unsent: packet.unsent,
        newest_ms: packet.newest_ms,
        opened_here: packet.opened_here,
    }
}

/// Open before closed, most urgent first, newest first.
pub(crate) fn sort(packets: &mut [PacketSummary]) {
    packets.sort_by_key(|packet| {
        let closed = packet
            .facts
            .as_ref()
            .is_some_and(|facts| facts.state == packet::CallState::Closed);
        let priority = packet
            .facts
            .as_ref()
            .map_or(u8::MAX, |facts| facts.priority);
        (
            closed,
            priority,
            std::cmp::Reverse(packet.newest_ms),
            packet.call,
        )
    });
}

pub(crate) fn packet(
    call: CallId,
    rows: Vec<Row>,
    seen: &[(DocumentId, u64, String, i64)],
    contents: &[(DocumentId, String, Content)],
) -> Packet {
    let facts = current_facts(&rows);
    let attachments = Attachments::of(&rows, contents);
    let corrections: Vec<(DocumentId, EntryId, EntryId)> = rows
        .iter()
        .filter_map(|row| match &row.written.entry {
            Entry::Correction(correction) if !matches!(row.standing, Standing::Refused(_)) => {
                Some((row.document, correction.of, row.id))
            }
            _ => None,
        })
        .collect();
    let rows = attachments.shown(rows);
    let entries = rows
        .into_iter()
        .map(|row| EntryView {
            corrected_by: corrections
                .iter()
                .rev()
                .find(|(document, of, _)| *document == row.document && *of == row.id)
                .map(|(_, _, by)| *by),
            shown_to: shown_to(&row, attachments.whole_since(&row), seen),
            mine: mine(&row, &attachments),
            attachment: attachments.view(&row),
            id: row.id,
            document: row.document,
            written: row.written,
            author_ms: row.author_ms,
            received_ms: row.received_ms,
            seq: row.seq,
        })
        .collect();
    Packet {
        call,
        facts,
        entries,
        leases: Vec::new(),
    }
}

fn mine(row: &Row, attachments: &Attachments) -> Option<MineState> {
    let state = match &row.standing {
        Standing::AtCenter if attachments.whole_since(row).is_some() => MineState::AtCenter,
        Standing::OnDevice | Standing::AtCenter => match attachments.refusal(row) {
            Some(reason) => MineState::Refused { reason },
            None => MineState::OnDevice,
        },
        Standing::Refused(reason) => MineState::Refused {
            reason: reason.clone(),
        },
    };
    row.mine.then_some(state)
}

fn shown_to(
    row: &Row,
    since: Option<u64>,
    seen: &[(DocumentId, u64, String, i64)],
) -> Vec<ShownTo> {
    let Some(seq) = since.filter(|_| row.mine) else {
        return Vec::new();
    };
    seen.iter()
        .filter(|(document, through, ..)| *document == row.document && *through >= seq)
        .map(|(.., who, at_ms)| ShownTo {
            who: who.clone(),
            at_ms: *at_ms,
        })
        .collect()
}
