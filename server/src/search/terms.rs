//! What is looked for, in FTS5's own language, and the words of an entry that it is looked
//! for in.
//!
//! Nothing that somebody typed is ever read as a query's language: each word stands in
//! quotes (FTS5, section 3.1, *strings*), and what has no letter or digit is left out.

use packet::Entry;
use serde_json::Value;

use crate::enrich::own::is_own;

/// How far apart the names of a person may stand.
const NAMES_APART_MAX: usize = 3;

/// `red "blue ford" guns*`: all of it in one entry. `None` when there is no word in it.
pub(super) fn words(text: &str) -> Option<String> {
    let mut terms = Vec::new();
    for (at, part) in text.split('"').enumerate() {
        if at % 2 == 1 {
            terms.extend(quoted(part));
        } else {
            terms.extend(part.split_whitespace().filter_map(word));
        }
    }
    (!terms.is_empty()).then(|| terms.join(" AND "))
}

/// How many words a text asks for.
pub(super) fn count(text: &str) -> usize {
    text.split_whitespace().count()
}

fn word(word: &str) -> Option<String> {
    let term = quoted(word)?;
    Some(if word.ends_with('*') {
        format!("{term}*")
    } else {
        term
    })
}

fn quoted(text: &str) -> Option<String> {
    let has_word = text.chars().any(char::is_alphanumeric);
    has_word.then(|| {
        format!(
            "\"{}\"",
            text.replace('"', " ").trim_end_matches('*').trim()
        )
    })
}

/// The names of one person, in any order, near each other.
pub(super) fn person(text: &str) -> Option<String> {
    let names: Vec<String> = text
        .split(|c: char| !c.is_alphanumeric())
        .filter_map(quoted)
        .collect();
    match names.as_slice() {
        [] => None,
        [one] => Some(one.clone()),
        names => Some(format!("NEAR({}, {NAMES_APART_MAX})", names.join(" "))),
    }
}

/// A plate as it is written: in one, or with a gap between letters and digits; with or
/// without its state's two letters behind it.
pub(super) fn plate(text: &str) -> Option<String> {
    let is_state = |word: &str| word.len() == 2 && word.bytes().all(|b| b.is_ascii_alphabetic());
    let without = match text.trim().rsplit_once(' ') {
        Some((plate, state)) if is_state(state) => plate,
        _ => text,
    };
    let mut forms = written(&bare_plate(without));
    forms.extend(written(&bare_plate(text)));
    any_of(forms)
}

fn written(bare: &str) -> Vec<String> {
    let mut parts = vec![String::new()];
    let mut last: Option<char> = None;
    for c in bare.chars() {
        if last.is_some_and(|last| last.is_ascii_digit() != c.is_ascii_digit()) {
            parts.push(String::new());
        }
        if let Some(part) = parts.last_mut() {
            part.push(c);
        }
        last = Some(c);
    }
    vec![bare.to_owned(), parts.join(" ")]
}

/// Letters and digits, in capitals.
fn bare_plate(text: &str) -> String {
    text.chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .collect()
}

/// A phone of ten digits (eleven with the country's) or of seven, as it is written.
pub(super) fn phone(text: &str) -> Option<String> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let digits = match digits.strip_prefix('1') {
        Some(rest) if rest.len() == 10 => rest,
        _ => digits.as_str(),
    };
    match digits.len() {
        10 => {
            let (area, rest) = digits.split_at(3);
            let (exchange, line) = rest.split_at(3);
            any_of(vec![
                digits.to_owned(),
                format!("1{digits}"),
                format!("{area} {exchange} {line}"),
                format!("{area} {exchange}{line}"),
            ])
        }
        7 => {
            let (exchange, line) = digits.split_at(3);
            any_of(vec![digits.to_owned(), format!("{exchange} {line}")])
        }
        _ => None,
    }
}

fn any_of(phrases: Vec<String>) -> Option<String> {
    let mut terms: Vec<String> = Vec::new();
    for term in phrases.iter().filter_map(|phrase| quoted(phrase)) {
        if !terms.contains(&term) {
            terms.push(term);
        }
    }
    (!terms.is_empty()).then(|| format!("({})", terms.join(" OR ")))
}

/// What can be found of an entry; empty for one that nobody looks for.
pub(super) fn of_entry(entry: &Entry) -> String {
    let none = String::new();
    let or_none = |text: &Option<String>| text.clone().unwrap_or_default();
    let parts: Vec<String> = match entry {
        Entry::Facts(facts) => vec![
            facts.number.clone(),
            facts.nature.clone(),
            facts.category.clone(),
            facts.location.clone(),
            or_none(&facts.district),
            or_none(&facts.narrative),
            or_none(&facts.disposition),
        ],
        Entry::Note(note) => vec![note.text.clone(), note.by.clone()],
        Entry::Caution(caution) => vec![caution.text.clone(), caution.by.clone()],
        Entry::Finding(finding) if is_own(finding) => vec![none],
        Entry::Finding(finding) => vec![
            finding.source.clone(),
            finding.title.clone(),
            finding.text.clone(),
            finding.query.clone(),
        ],
        Entry::Query(query) => vec![
            query.value.clone(),
            query.by.clone(),
            or_none(&query.reason),
        ],
        Entry::Correction(correction) => vec![or_none(&correction.text), correction.by.clone()],
        Entry::Attachment(attachment) => vec![attachment.name.clone(), attachment.by.clone()],
        Entry::Mention(mention) => vec![mention.value.clone(), mention.words.clone()],
        Entry::Link(link) => vec![link.why.clone(), link.by.clone()],
        Entry::Other { fields, .. } => fields
            .values()
            .filter_map(Value::as_str)
            .map(str::to_owned)
            .collect(),
        Entry::Outcome(_) | Entry::UnitStatus(_) | Entry::Acknowledgement(_) => vec![none],
    };
    parts.join("\n").trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_never_read_as_a_querys_language() {
        for (typed, wanted) in [
            ("red ford", Some("\"red\" AND \"ford\"")),
            ("\"red ford\" gun*", Some("\"red ford\" AND \"gun\"*")),
            (
                "a NEAR(b) OR words:c",
                Some("\"a\" AND \"NEAR(b)\" AND \"OR\" AND \"words:c\""),
            ),
            ("\"", None),
            ("-- * ()", None),
            ("\"unclosed phrase", Some("\"unclosed phrase\"")),
        ] {
            assert_eq!(words(typed).as_deref(), wanted, "{typed}");
        }
    }

    #[test]
    fn plates_and_phones_are_found_as_people_write_them() {
        assert_eq!(
            plate("abc-123").as_deref(),
            Some("(\"ABC123\" OR \"ABC 123\")")
        );
        assert_eq!(plate("123456").as_deref(), Some("(\"123456\")"));
        assert!(
            plate("ABC123 WI")
                .unwrap_or_default()
                .starts_with("(\"ABC123\" OR")
        );
        assert_eq!(plate("--"), None);
        let phone_of = |text| phone(text).unwrap_or_default();
        assert!(phone_of("(414) 555-0123").contains("\"414 555 0123\""));
        assert_eq!(phone_of("+1 414 555 0123"), phone_of("4145550123"));
        assert_eq!(phone("12"), None);
        assert_eq!(
            person("Smith, John").as_deref(),
            Some("NEAR(\"Smith\" \"John\", 3)")
        );
        assert_eq!(person(" , "), None);
    }
}
