//! What a mapping gives, as entries of the packet.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use packet::entry::{LINK_CHARS_MAX, LINK_SCHEMES, NAME_CHARS_MAX, TEXT_CHARS_MAX};
use packet::{Caution, Confidence, Finding, Topic};
use serde::Deserialize;
use serde_json::Value;

/// Most findings that one answer brings, and most cautions.
const ENTRIES_PER_ANSWER_MAX: usize = 8;

/// What an answer brings to a packet. The same for all who asked: which question it
/// answers is put in when it is written.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub struct Brings {
    pub findings: Vec<Finding>,
    pub cautions: Vec<Caution>,
    /// Findings and cautions beyond eight of each: said, never left out silently.
    pub left_out: usize,
}

impl Brings {
    #[must_use]
    pub fn is_nothing(&self) -> bool {
        self.findings.is_empty() && self.cautions.is_empty()
    }
}

/// What the source's configuration says of all that it brings.
#[derive(Debug, Clone)]
pub(in super::super) struct Labels {
    /// As screens show the source.
    pub(in super::super) source: String,
    /// … of a finding that does not say how it matched.
    pub(in super::super) confidence: Confidence,
}

/// A mapping's output. No field of another name.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    #[serde(default)]
    title: Option<String>,
    #[serde(default)]
    text: Option<String>,
    #[serde(default)]
    topic: Option<Topic>,
    #[serde(default)]
    recorded: Option<Value>,
    #[serde(default)]
    confidence: Option<Confidence>,
    #[serde(default)]
    link: Option<String>,
    #[serde(default)]
    ends: Option<Value>,
    #[serde(default)]
    caution: Option<String>,
    #[serde(default)]
    by: Option<String>,
}

/// # Errors
/// One sentence for the packet: what the mapping gives and nobody can read.
pub(in super::super) fn brings(outputs: Vec<Value>, labels: &Labels) -> Result<Brings, String> {
    let mut all = Brings::default();
    for output in outputs {
        let given: Given = serde_json::from_value(output)
            .map_err(|e| format!("its mapping gives what is no entry: {e}"))?;
        match (&given.caution, &given.title) {
            (Some(_), None) => all.cautions.extend(caution(given, labels)),
            (None, Some(_)) => all.findings.push(finding(given, labels)?),
            _ => return Err("its mapping gives an object without title or caution".into()),
        }
    }
    let left_out = |entries: usize| entries.saturating_sub(ENTRIES_PER_ANSWER_MAX);
    all.left_out = left_out(all.findings.len()) + left_out(all.cautions.len());
    all.findings.truncate(ENTRIES_PER_ANSWER_MAX);
    all.cautions.truncate(ENTRIES_PER_ANSWER_MAX);
    Ok(all)
}

/// Who set it is said with the source in front. A caution without text is none.
fn caution(given: Given, labels: &Labels) -> Option<Caution> {
    let text = printable(&given.caution.unwrap_or_default(), TEXT_CHARS_MAX);
    let by = match given.by.as_deref().map(str::trim) {
        Some(by) if !by.is_empty() => format!("{}: {by}", labels.source),
        _ => labels.source.clone(),
    };
    (!text.is_empty()).then(|| Caution {
        text,
        by: printable(&by, NAME_CHARS_MAX),
        ends_ms: given.ends.as_ref().and_then(time_ms),
    })
}

fn finding(given: Given, labels: &Labels) -> Result<Finding, String> {
    let title = printable(&given.title.unwrap_or_default(), NAME_CHARS_MAX);
    if title.is_empty() {
        return Err("its mapping gives a finding with an empty title".into());
    }
    let mut text = given.text.unwrap_or_default();
    let mut time = |name: &str, value: Option<Value>| {
        let value = value.filter(|value| !value.is_null())?;
        let ms = time_ms(&value);
        if ms.is_none() {
            // What cannot be read as a time is still what the source says.
            text.push_str(&format!("\n{name}: {value}"));
        }
        ms
    };
    let recorded_ms = time("Recorded", given.recorded);
    let ends_ms = time("Ends", given.ends);
    let link = given.link.filter(|link| {
        let opens = LINK_SCHEMES.iter().any(|scheme| link.starts_with(scheme));
        opens && link.chars().count() <= LINK_CHARS_MAX && !link.contains(char::is_whitespace)
    });
    let text = printable(&text, TEXT_CHARS_MAX);
    Ok(Finding {
        source: labels.source.clone(),
        text: if text.is_empty() { title.clone() } else { text },
        title,
        query: String::new(),
        recorded_ms,
        answered_ms: 0,
        confidence: given.confidence.unwrap_or(labels.confidence),
        topic: given.topic.unwrap_or_default(),
        link,
        ends_ms,
        answers: None,
    })
}

/// A date is the midnight, UTC, at which it begins, as is a time without a zone.
fn time_ms(value: &Value) -> Option<i64> {
    let text = match value {
        Value::String(text) => text.trim(),
        Value::Number(seconds) => return seconds.as_i64()?.checked_mul(1_000),
        _ => return None,
    };
    if let Ok(timestamp) = text.parse::<Timestamp>() {
        return Some(timestamp.as_millisecond());
    }
    let date_time = match text.parse::<Date>() {
        Ok(date) => date.at(0, 0, 0, 0),
        Err(_) => text.parse::<DateTime>().ok()?,
    };
    let zoned = date_time.to_zoned(TimeZone::UTC).ok()?;
    Some(zoned.timestamp().as_millisecond())
}

/// As a screen can show it, and no longer than an entry takes.
fn printable(text: &str, chars_max: usize) -> String {
    let shown = |c: &char| *c == '\n' || !c.is_control();
    let mut cut: String = text
        .trim()
        .chars()
        .filter(shown)
        .take(chars_max + 1)
        .collect();
    if cut.chars().count() > chars_max {
        cut.pop();
        cut.pop();
        cut.push('…');
    }
    cut
}
