//! What people wrote, and whatever would otherwise not be seen: entries of kinds
//! that this version does not know, and entries of mine of any kind that the
//! center did not take.

use mobile_core::{AttachmentState, AttachmentView as Content, EntryView as Stored, Packet};
use packet::{Attachment, Entry, LinkHow, MentionWhat, QueryWhat, UnitState};
use serde_json::{Map, Value};

use super::Scene;
use super::entry::{entry, is_refused};
use crate::view::{AttachmentView, EntryView, NotesView};

/// Newest first.
pub(super) fn notes(scene: &Scene, packet: &Packet) -> NotesView {
    let entries = packet.entries.iter().rev();
    NotesView {
        call_id: packet.call.to_string(),
        entries: entries
            .filter_map(|stored| note(scene, packet, stored))
            .collect(),
    }
}

fn note(scene: &Scene, packet: &Packet, stored: &Stored) -> Option<EntryView> {
    let shown =
        |kind: &str, by: &str, text: String| Some(entry(scene, packet, stored, kind, by, text));
    match &stored.written.entry {
        Entry::Note(note) => shown("Note", &note.by, note.text.clone()),
        Entry::Query(query) => {
            let text = format!("{}: {}{}", query_word(query.what), query.value, query.why());
            shown("Query", &query.by, text)
        }
        Entry::Mention(mention) => {
            let (what, value) = (mention_word(mention.what), &mention.value);
            let text = format!("{what} {value} (\u{201c}{}\u{201d})", mention.words);
            shown("Mentioned", "The center", text)
        }
        Entry::Link(link) => {
            let other = scene.titles.get(&link.other);
            let other = other.map_or("a call that is not on this device", String::as_str);
            let text = format!("{} {other}: {}", link_word(link.how), link.why);
            shown("Link", &link.by, text)
        }
        Entry::Other { kind, fields } => {
            let by = fields.get("by").and_then(Value::as_str);
            shown(kind, by.unwrap_or("The center"), plainly(fields))
        }
        // A correction stands with what it corrects, where that is on this device.
        Entry::Correction(said) if is_refused(stored) || !is_here(packet, stored) => {
            let text = said.text.clone();
            shown("Correction", &said.by, text.unwrap_or("Withdrawn.".into()))
        }
        Entry::Attachment(attachment) => Some(EntryView {
            attachment: stored
                .attachment
                .as_ref()
                .map(|content| attachment_view(attachment, content)),
            ..entry(
                scene,
                packet,
                stored,
                "Attachment",
                &attachment.by,
                attachment.name.clone(),
            )
        }),
        Entry::Acknowledgement(tap) if is_refused(stored) => {
            shown("Acknowledgement", &tap.by, "The tap on a caution".into())
        }
        Entry::UnitStatus(status) if is_refused(stored) => {
            let text = format!("{}: {}", status.unit, status_word(status.status));
            shown("Status", &status.by, text)
        }
        Entry::Facts(facts) if is_refused(stored) => {
            let text = format!("{}, {}", facts.nature, facts.location);
            shown("The call", "", text)
        }
        Entry::Facts(_)
        | Entry::Caution(_)
        | Entry::Finding(_)
        | Entry::Outcome(_)
        | Entry::UnitStatus(_)
        | Entry::Correction(_)
        | Entry::Acknowledgement(_) => None,
    }
}

fn attachment_view(attachment: &Attachment, content: &Content) -> AttachmentView {
    let kb = |bytes: u32| bytes.div_ceil(1_000);
    let (total, here) = (kb(attachment.bytes), kb(content.bytes_here));
    let state = match &content.state {
        AttachmentState::OnItsWay => "on its way: not at the center yet".into(),
        AttachmentState::AtCenter if here > 0 => format!("at the center; {here} KB of it are here"),
        AttachmentState::AtCenter => "at the center".into(),
        AttachmentState::Coming => format!("coming: {here} of {total} KB are on this device"),
        AttachmentState::Here => "on this device, at the center".into(),
        AttachmentState::Sending { bytes_at_center } => {
            let sent = kb(*bytes_at_center);
            format!("on this device; {sent} of {total} KB are at the center")
        }
        AttachmentState::Refused { .. } => "on this device only".into(),
    };
    AttachmentView {
        thumbnail: content.thumbnail.clone(),
        blob: content.blob.clone(),
        is_here: matches!(
            content.state,
            AttachmentState::Here
                | AttachmentState::Sending { .. }
                | AttachmentState::Refused { .. }
        ),
        can_fetch: content.state == AttachmentState::AtCenter,
        state: format!("{total} KB, {state}"),
    }
}

/// Whether what this corrects is among the packet's entries.
fn is_here(packet: &Packet, correction: &Stored) -> bool {
    let Entry::Correction(said) = &correction.written.entry else {
        return false;
    };
    packet
        .entries
        .iter()
        .any(|entry| entry.id == said.of && entry.document == correction.document)
}

/// `name: value` by name, for a kind that this version does not know.
fn plainly(fields: &Map<String, Value>) -> String {
    if fields.is_empty() {
        return "This version cannot read this entry.".into();
    }
    let mut said = String::new();
    for (name, value) in fields {
        if !said.is_empty() {
            said.push_str("; ");
        }
        said.push_str(name);
        said.push_str(": ");
        match value {
            Value::String(text) => said.push_str(text),
            other => said.push_str(&other.to_string()),
        }
    }
    said
}

/// What a form's `what` says (the view's `QueriesView::CHOICES`).
pub(crate) fn query_of(value: &str) -> Option<QueryWhat> {
    Some(match value {
        "plate" => QueryWhat::Plate,
        "person" => QueryWhat::Person,
        "phone" => QueryWhat::Phone,
        "address" => QueryWhat::Address,
        _ => return None,
    })
}

fn query_word(what: QueryWhat) -> &'static str {
    match what {
        QueryWhat::Plate => "Plate",
        QueryWhat::Person => "Person",
        QueryWhat::Phone => "Phone",
        QueryWhat::Address => "Address",
        QueryWhat::Clip => "Recording",
    }
}

fn mention_word(what: MentionWhat) -> &'static str {
    match what {
        MentionWhat::Plate => "Plate",
        MentionWhat::PartialPlate => "A part of a plate",
        MentionWhat::Vehicle => "Vehicle",
        MentionWhat::Phone => "Phone",
        MentionWhat::Person => "Person",
        MentionWhat::Address => "Address",
        MentionWhat::Weapon => "Weapon",
        MentionWhat::Danger => "Danger",
    }
}

fn link_word(how: LinkHow) -> &'static str {
    match how {
        LinkHow::Proposed => "Perhaps the same event as",
        LinkHow::Rule | LinkHow::Hand => "The same event as",
    }
}

pub(super) fn status_word(status: UnitState) -> &'static str {
    match status {
        UnitState::Assigned => "Assigned",
        UnitState::EnRoute => "En route",
        UnitState::OnScene => "On scene",
        UnitState::Clear => "Clear",
    }
}
