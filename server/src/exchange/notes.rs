//! What people and sources said, as notes with their authors.

use packet::{Confidence, Entry};
use serde_json::{Value, json};

use super::Released;
use super::component::Writer;
use crate::calls::DISPATCH;

/// A note's words and who said them.
struct Said {
    text: String,
    by: String,
}

/// The notes, and the agents that they name.
pub(super) fn components(released: &Released, writer: &Writer<'_>) -> Vec<(&'static str, Value)> {
    let came_as_eido = released.came_as_eido();
    let mut all = Vec::new();
    for (document, logged) in released.entries() {
        if released.is_undone(document, logged.inspected.id) {
            continue;
        }
        let entry = &logged.inspected.written.entry;
        if let Entry::Note(note) = entry
            && note.by == DISPATCH
            && (came_as_eido || released.came_in_words(&note.text))
        {
            continue;
        }
        let Some(said) = said(entry) else {
            continue;
        };
        let (agent, agent_reference) = writer.agent(&said.by);
        all.push(("agentComponent", agent));
        let more = json!({
            "notesActionComments": html(&said.text),
            "agentReference": agent_reference,
        });
        all.push(("notesComponent", writer.of_entry(document, logged, more)));
    }
    if let Some(facts) = released.facts()
        && !facts.reason.is_empty()
    {
        let text = format!("Priority {} by triage: {}", facts.priority, facts.reason);
        let more = json!({"notesActionComments": html(&text)});
        all.push(("notesComponent", writer.component("triage", more)));
    }
    if !came_as_eido && let Some(narrative) = released.facts().and_then(|it| it.narrative.as_ref())
    {
        let more = json!({"notesActionComments": html(narrative)});
        all.push(("notesComponent", writer.component("narrative", more)));
    }
    all
}

fn said(entry: &Entry) -> Option<Said> {
    let said = |text: String, by: &str| {
        Some(Said {
            text,
            by: by.to_owned(),
        })
    };
    match entry {
        Entry::Note(note) => said(note.text.clone(), &note.by),
        Entry::Caution(caution) => said(format!("CAUTION: {}", caution.text), &caution.by),
        Entry::Correction(correction) => {
            let text = correction.text.as_ref()?;
            said(format!("Correction: {text}"), &correction.by)
        }
        Entry::Finding(finding) => {
            let confidence = match finding.confidence {
                Confidence::Exact => "exact match",
                Confidence::Partial => "a lead to verify: it matches in part",
                Confidence::Phonetic => "a lead to verify: it sounds alike",
                Confidence::Nearby => "a lead to verify: near by",
            };
            let text = format!(
                "{} ({confidence}): {}\n{}",
                finding.source, finding.title, finding.text
            );
            said(text, &finding.source)
        }
        // What was asked and seen is not the incident's; facts, units and links have
        // components of their own.
        _ => None,
    }
}

/// Text as HTML (the standard's form of a note).
fn html(text: &str) -> String {
    let mut html = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '\n' => html.push_str("<br/>"),
            other => html.push(other),
        }
    }
    html
}
