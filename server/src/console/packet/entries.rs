//! Cautions, findings, notes: each entry with its author, both clocks, how far it has
//! come, and what was said of it later.

use std::cmp::Reverse;
use std::collections::{HashMap, HashSet};

use ::packet::{
    Attachment, Compartment, Confidence, Correction, DocumentId, Entry, EntryId, Finding, Topic,
};
use serde_json::{Map, Value};

use super::devices::Devices;
use super::{Beside, Logged, REGION_ENTRIES_MAX, Read};
use crate::console::view::{
    AttachmentView, CautionsView, ConfidenceView, CorrectionView, EntryView, FindingView,
    FindingsView, HeldView, NotesView,
};
use crate::console::words::{self, Times};

/// An entry and the document that it is in.
#[derive(Debug)]
struct Placed<'a> {
    document: DocumentId,
    logged: &'a Logged,
}

impl<'a> Placed<'a> {
    fn entry(&self) -> &'a Entry {
        &self.logged.inspected.written.entry
    }

    /// Entries of two documents may have the same id.
    fn key(&self) -> (Compartment, EntryId) {
        (self.document.compartment, self.logged.inspected.id)
    }
}

/// What was said in a packet.
#[derive(Debug)]
pub(super) struct Said<'a> {
    beside: &'a Beside,
    devices: &'a Devices,
    times: &'a Times,
    /// What can be corrected on this page, in the order of the log.
    entries: Vec<Placed<'a>>,
    /// The last of each entry.
    corrections: HashMap<(Compartment, EntryId), CorrectionView>,
    /// What the center says that it has, by blob.
    at_center: HashMap<&'a str, &'a Attachment>,
}

impl<'a> Said<'a> {
    pub(super) fn new(
        documents: &'a [Read],
        beside: &'a Beside,
        devices: &'a Devices,
        times: &'a Times,
    ) -> Self {
        let all = documents.iter().flat_map(|read| {
            read.entries.iter().map(|logged| Placed {
                document: read.document,
                logged,
            })
        });
        let mut said = Self {
            beside,
            devices,
            times,
            entries: Vec::new(),
            corrections: HashMap::new(),
            at_center: HashMap::new(),
        };
        let mut sent = HashSet::new();
        let mut corrections = Vec::new();
        for placed in all {
            match placed.entry() {
                Entry::Correction(_) => corrections.push(placed),
                Entry::Attachment(attachment) => {
                    if placed.logged.device.is_some() {
                        sent.insert(attachment.blob.as_str());
                        said.entries.push(placed);
                        continue;
                    }
                    said.at_center.insert(&attachment.blob, attachment);
                    // Of what a device sent, the center's entry says how far it has come.
                    if !sent.contains(attachment.blob.as_str()) {
                        said.entries.push(placed);
                    }
                }
                // Why two calls are linked tells of the other one, too.
                Entry::Link(link) if !beside.linked.knows(link.other) => {}
                Entry::Note(_)
                | Entry::Caution(_)
                | Entry::Finding(_)
                | Entry::Query(_)
                | Entry::Mention(_)
                | Entry::Link(_)
                | Entry::Other { .. } => said.entries.push(placed),
                Entry::Facts(_)
                | Entry::Outcome(_)
                | Entry::UnitStatus(_)
                | Entry::Acknowledgement(_) => {}
            }
        }
        let known: HashSet<_> = said.entries.iter().map(Placed::key).collect();
        for placed in corrections {
            said.correct(placed, &known);
        }
        said.entries.sort_by_key(|placed| placed.logged.seq);
        said
    }

    /// A correction stands with what it corrects; of what is not here, by itself.
    fn correct(&mut self, placed: Placed<'a>, known: &HashSet<(Compartment, EntryId)>) {
        let Entry::Correction(Correction { of, text, by }) = placed.entry() else {
            return;
        };
        let of = (placed.document.compartment, *of);
        if !known.contains(&of) {
            self.entries.push(placed);
            return;
        }
        let correction = CorrectionView {
            text: text.clone(),
            author: by.clone(),
            center_time: self.time(placed.logged.received_ms),
        };
        self.corrections.insert(of, correction);
    }

    fn time(&self, ms: i64) -> String {
        self.times.second(ms, self.beside.now_ms)
    }

    pub(super) fn cautions(&self) -> CautionsView {
        let (cautions, not_shown) = self.newest(|entry| matches!(entry, Entry::Caution(_)));
        let cautions = cautions
            .into_iter()
            .filter_map(|placed| match placed.entry() {
                Entry::Caution(caution) => {
                    let (text, by) = (caution.text.clone(), caution.by.clone());
                    Some(self.view(placed, "Caution", text, by))
                }
                _ => None,
            })
            .collect();
        let held = self.beside.held.iter().map(|held| HeldView {
            number: held.number,
            call_id: held.call.to_string(),
            text: held.caution.text.clone(),
            source: held.source.clone(),
            since: self.time(held.at_ms),
        });
        CautionsView {
            held: held.collect(),
            cautions,
            not_shown,
        }
    }

    pub(super) fn findings(&self) -> FindingsView {
        let (findings, not_shown) = self.newest(|entry| matches!(entry, Entry::Finding(_)));
        let mut findings: Vec<_> = findings
            .into_iter()
            .filter_map(|placed| match placed.entry() {
                Entry::Finding(finding) => Some((placed, finding)),
                _ => None,
            })
            .collect();
        // Within one answer as the source gave them: of four cameras the nearest first.
        // What is restricted stands below, a compartment at a time.
        findings.sort_by_key(|(placed, finding)| {
            let compartment = placed.document.compartment;
            let section = restricted(compartment).map(|_| compartment);
            (section, Reverse(finding.answered_ms), placed.logged.seq)
        });
        let findings = findings
            .into_iter()
            .map(|(placed, finding)| self.finding(placed, finding))
            .collect();
        FindingsView {
            findings,
            not_shown,
        }
    }

    pub(super) fn notes(&self) -> NotesView {
        let is_else = |entry: &Entry| !matches!(entry, Entry::Caution(_) | Entry::Finding(_));
        let (notes, not_shown) = self.newest(is_else);
        NotesView {
            entries: notes.into_iter().map(|placed| self.note(placed)).collect(),
            not_shown,
        }
    }

    /// The newest of a region, the newest first, and how many are left out.
    fn newest(&self, wanted: impl Fn(&Entry) -> bool) -> (Vec<&Placed<'a>>, usize) {
        let all = || self.entries.iter().filter(|placed| wanted(placed.entry()));
        let newest = all().rev().take(REGION_ENTRIES_MAX).collect();
        (newest, all().count().saturating_sub(REGION_ENTRIES_MAX))
    }

    fn note(&self, placed: &Placed<'_>) -> EntryView {
        match placed.entry() {
            Entry::Note(note) => self.view(placed, "Note", note.text.clone(), note.by.clone()),
            Entry::Query(query) => {
                let what = words::query(query.what);
                let text = format!("Asked: {what} {}{}", query.value, query.why());
                self.view(placed, "Query", text, query.by.clone())
            }
            Entry::Mention(mention) => {
                let text = format!(
                    "{} {} (\u{201c}{}\u{201d})",
                    words::mention(mention.what),
                    mention.value,
                    mention.words
                );
                self.view(placed, "Mentioned", text, String::new())
            }
            Entry::Link(link) => {
                let other = self.beside.linked.name(link.other);
                let text = format!("{} {other}: {}", words::link(link.how), link.why);
                self.view(placed, "Link", text, link.by.clone())
            }
            Entry::Attachment(attachment) => EntryView {
                attachment: Some(self.attachment(placed.document, attachment)),
                ..self.view(
                    placed,
                    "Attachment",
                    attachment.name.clone(),
                    attachment.by.clone(),
                )
            },
            Entry::Correction(correction) => {
                let text = correction
                    .text
                    .clone()
                    .unwrap_or_else(|| "Withdrawn.".into());
                self.view(placed, "Correction", text, correction.by.clone())
            }
            Entry::Other { kind, fields } => {
                let author = match fields.get("by") {
                    Some(Value::String(by)) => by.clone(),
                    _ => String::new(),
                };
                self.view(placed, &words::heading(kind), plainly(fields), author)
            }
            other => self.view(
                placed,
                &format!("{:?}", other.kind()),
                String::new(),
                String::new(),
            ),
        }
    }

    fn attachment(&self, document: DocumentId, attachment: &Attachment) -> AttachmentView {
        let here = self.at_center.get(attachment.blob.as_str());
        let place = |blob: &str| format!("/calls/{}/attachments/{blob}", document.call);
        let standing = match here {
            Some(_) => "at the center",
            None => "on its way: not at the center yet",
        };
        AttachmentView {
            thumbnail: here.and_then(|here| here.thumbnail.as_deref()).map(place),
            content: here.map(|here| place(&here.blob)),
            state: format!("{}, {standing}", words::size(attachment.bytes)),
        }
    }

    fn finding(&self, placed: &Placed<'_>, finding: &Finding) -> FindingView {
        let text = if finding.text.is_empty() {
            finding.title.clone()
        } else {
            format!("{}\n{}", finding.title, finding.text)
        };
        FindingView {
            entry: self.view(placed, "Finding", text, finding.source.clone()),
            source: finding.source.clone(),
            query: finding.query.clone(),
            confidence: match finding.confidence {
                Confidence::Exact => ConfidenceView::Exact,
                Confidence::Partial => ConfidenceView::Lead("it matches in part".into()),
                Confidence::Phonetic => ConfidenceView::Lead("it sounds alike".into()),
                Confidence::Nearby => ConfidenceView::Lead("near by, not at this place".into()),
            },
            recorded: finding.recorded_ms.and_then(Times::record_date),
            answers: finding.answers.is_some(),
            link: finding
                .link
                .clone()
                .filter(|_| !self.corrections.contains_key(&placed.key())),
            is_camera: finding.topic == Topic::Camera && finding.link.is_some(),
            restricted: restricted(placed.document.compartment),
        }
    }

    fn view(&self, placed: &Placed<'_>, kind: &str, text: String, author: String) -> EntryView {
        let Placed { document, logged } = *placed;
        let (id, written) = (logged.inspected.id, &logged.inspected.written);
        // The center's own entries have the center's one time.
        let author_ms = logged.device.map(|_| logged.inspected.time_ms);
        let is_waiting = matches!(written.entry, Entry::Caution(_))
            && self.beside.waiting.contains(&id.to_string());
        EntryView {
            id: format!("{}-{id}", document.compartment.name()),
            kind: kind.to_owned(),
            text,
            author,
            author_time: author_ms.map(|ms| self.time(ms)),
            author_clock_off: author_ms
                .and(written.clock_off_ms)
                .and_then(words::clock_off),
            center_time: self.time(logged.received_ms),
            receipts: self.devices.of(document, logged.seq, id, logged.device),
            corrected: self.corrections.get(&placed.key()).cloned(),
            attachment: None,
            unacknowledged_since_ms: is_waiting.then_some(logged.received_ms),
        }
    }
}

/// The fields of a kind that this version does not know, one a line.
fn plainly(fields: &Map<String, Value>) -> String {
    let lines: Vec<String> = fields
        .iter()
        .filter(|(name, _)| *name != "by")
        .map(|(name, value)| match value {
            Value::String(text) => format!("{}: {text}", words::heading(name)),
            other => format!("{}: {other}", words::heading(name)),
        })
        .collect();
    lines.join("\n")
}

/// A compartment that not everybody who has the packet may see, as the page heads it.
fn restricted(compartment: Compartment) -> Option<&'static str> {
    match compartment {
        Compartment::Safety | Compartment::Call => None,
        Compartment::Records => Some("Records: criminal justice information"),
        Compartment::Juvenile => Some("Juvenile"),
        Compartment::Intel => Some("Intelligence (28 CFR Part 23)"),
    }
}
