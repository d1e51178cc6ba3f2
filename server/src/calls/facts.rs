//! What dispatch says of a call as entries: its facts, and the cautions in its words.

use packet::entry::{NAME_CHARS_MAX, TEXT_CHARS_MAX};
use packet::{CallId, CallState, Compartment, DocumentId, Entry, Facts, Note};

use crate::intake::{CallReport, CallStatus};
use crate::log::{Ledger, LogError};
use crate::triage::Triage;

use super::units::DISPATCH;

pub(super) fn facts(report: &CallReport, triage: &Triage) -> Facts {
    let micro = |degrees: Option<f64>| {
        #[allow(clippy::cast_possible_truncation)] // intake has held it against ±180
        degrees.map(|degrees| (degrees * 1e6).round() as i32)
    };
    let (state, disposition) = match &report.status {
        CallStatus::Open => (CallState::Open, None),
        CallStatus::Closed { disposition } => {
            (CallState::Closed, Some(cut(disposition, NAME_CHARS_MAX)))
        }
    };
    Facts {
        agency: report.agency.clone(),
        number: report.number.clone(),
        nature: report.nature.clone(),
        category: triage.category.clone(),
        priority: triage.priority,
        reason: cut(&triage.reasons.join("; "), TEXT_CHARS_MAX),
        location: report.location.clone(),
        latitude_e6: micro(report.latitude),
        longitude_e6: micro(report.longitude),
        district: report.district.clone(),
        narrative: Some(narrative(report).1)
            .filter(|items| !items.is_empty())
            .map(|items| cut(&items.join("\n"), TEXT_CHARS_MAX)),
        received_ms: report.received.as_millisecond(),
        state,
        disposition,
    }
}

/// The narrative in two: what is too old to have room in the facts, and the newest items,
/// which do.
fn narrative(report: &CallReport) -> (&[String], &[String]) {
    let mut room = TEXT_CHARS_MAX;
    let newest = report.narrative.iter().rev().take_while(|item| {
        let chars = item.chars().count();
        let fits = chars <= room;
        room = room.saturating_sub(chars + 1);
        fits
    });
    // Of an item that is too long by itself, the beginning is shown.
    let newest = newest.count().max(1).min(report.narrative.len());
    report.narrative.split_at(report.narrative.len() - newest)
}

/// The whole text stays in the report; the entry says that it goes on.
pub(super) fn cut(text: &str, chars_max: usize) -> String {
    if text.chars().count() <= chars_max {
        return text.to_owned();
    }
    text.chars().take(chars_max - 1).chain(['…']).collect()
}

/// The facts in the call's document; and in `safety`, without the words, so that a
/// caution can be read with the place it is about and nothing else. What of the narrative
/// has no room in the facts stands before them, as notes, each once.
pub(super) fn write(
    ledger: &mut Ledger<'_>,
    call: CallId,
    facts: &Facts,
    report: &CallReport,
) -> Result<(), LogError> {
    note_once(ledger, call, narrative(report).0)?;
    let brief = Facts {
        narrative: None,
        reason: String::new(),
        district: None,
        ..facts.clone()
    };
    ledger.append(
        DocumentId::new(call, Compartment::Safety),
        Entry::Facts(brief),
    )?;
    ledger.append(
        DocumentId::new(call, Compartment::Call),
        Entry::Facts(facts.clone()),
    )?;
    Ok(())
}

/// Writes what dispatch said as notes, each text once; true when one was new.
pub(super) fn note_once(
    ledger: &mut Ledger<'_>,
    call: CallId,
    texts: &[String],
) -> Result<bool, LogError> {
    if texts.is_empty() {
        return Ok(false);
    }
    let document = DocumentId::new(call, Compartment::Call);
    let known: Vec<String> = entries(ledger, document)?
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Note(note) if note.by == DISPATCH => Some(note.text),
            _ => None,
        })
        .collect();
    let mut noted = false;
    for text in texts.iter().filter(|text| !known.contains(text)) {
        let note = Note {
            text: text.clone(),
            by: DISPATCH.to_owned(),
        };
        ledger.append(document, Entry::Note(note))?;
        noted = true;
    }
    Ok(noted)
}

/// Writes the cautions that the packet does not have yet; true when there were any. Also
/// of a message that came late: that somebody has a gun is not out of date.
pub(super) fn warn(
    ledger: &mut Ledger<'_>,
    call: CallId,
    triage: &Triage,
) -> Result<bool, LogError> {
    if triage.cautions.is_empty() {
        return Ok(false);
    }
    let known: Vec<String> = entries(ledger, DocumentId::new(call, Compartment::Safety))?
        .into_iter()
        .filter_map(|entry| match entry {
            Entry::Caution(caution) => Some(caution.text),
            _ => None,
        })
        .collect();
    let mut warned = false;
    for caution in &triage.cautions {
        if !known.contains(&caution.text) {
            write_caution(ledger, call, &caution.text)?;
            warned = true;
        }
    }
    Ok(warned)
}

fn write_caution(ledger: &mut Ledger<'_>, call: CallId, text: &str) -> Result<(), LogError> {
    let caution = packet::Caution {
        text: text.to_owned(),
        by: "Triage".to_owned(),
        ends_ms: None,
    };
    ledger.append(
        DocumentId::new(call, Compartment::Safety),
        Entry::Caution(caution),
    )?;
    Ok(())
}

fn entries(ledger: &Ledger<'_>, document: DocumentId) -> Result<Vec<Entry>, LogError> {
    let logged = crate::log::document(ledger.sql(), document)?;
    Ok(logged
        .into_iter()
        .map(|l| l.inspected.written.entry)
        .collect())
}
