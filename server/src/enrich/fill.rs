//! A source's question as its configuration writes it: text with names in braces, each of
//! which is filled in with what is asked, escaped for the place that it stands in.

use packet::Subject;

/// What may stand in braces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(super) enum Name {
    Address,
    Plate,
    State,
    /// A person as screens show it.
    #[allow(clippy::enum_variant_names)] // the person's, as templates call it
    Name,
    First,
    Last,
    /// The date of birth, such as `1984-05-03`; nothing where it is not known.
    Born,
    Phone,
    Latitude,
    Longitude,
    Purpose,
    Reason,
    Secret,
}

impl Name {
    pub(super) const ALL: [(Self, &'static str); 13] = [
        (Self::Address, "address"),
        (Self::Plate, "plate"),
        (Self::State, "state"),
        (Self::Name, "name"),
        (Self::First, "first"),
        (Self::Last, "last"),
        (Self::Born, "born"),
        (Self::Phone, "phone"),
        (Self::Latitude, "latitude"),
        (Self::Longitude, "longitude"),
        (Self::Purpose, "purpose"),
        (Self::Reason, "reason"),
        (Self::Secret, "secret"),
    ];

    pub(super) fn of(text: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find_map(|(name, word)| (word == text).then_some(name))
    }

    pub(super) fn word(self) -> &'static str {
        Self::ALL
            .into_iter()
            .find_map(|(name, word)| (name == self).then_some(word))
            .unwrap_or_default()
    }

    /// What it stands for in a question about this; nothing where it is about something else.
    pub(super) fn value(self, subject: &Subject) -> String {
        let degrees = |e6: i32| (f64::from(e6) / 1e6).to_string();
        match (self, subject) {
            (Self::Address, Subject::Address(address)) => address.clone(),
            (Self::Plate, Subject::Plate { plate, .. }) => plate.clone(),
            (Self::State, Subject::Plate { state, .. }) => state.clone().unwrap_or_default(),
            (Self::Name, Subject::Person { .. }) => subject.shown(),
            (Self::First, Subject::Person { first, .. }) => first.clone(),
            (Self::Last, Subject::Person { last, .. }) => last.clone(),
            (Self::Born, Subject::Person { born, .. }) => born.clone().unwrap_or_default(),
            (Self::Phone, Subject::Phone(digits)) => digits.clone(),
            (Self::Latitude, Subject::Position { latitude_e6, .. }) => degrees(*latitude_e6),
            (Self::Longitude, Subject::Position { longitude_e6, .. }) => degrees(*longitude_e6),
            _ => String::new(),
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Text(String),
    Name(Name),
}

/// Parsed once; filled for each question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

impl Template {
    /// Braces around anything but a lower-case word are text, as JSON has them.
    ///
    /// # Errors
    /// Names what stands in braces and is none of ours.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut rest = text;
        let mut plain = String::new();
        while let Some(open) = rest.find('{') {
            plain.push_str(&rest[..open]);
            rest = &rest[open..];
            let word = rest[1..].split('}').next().unwrap_or_default();
            let is_word = !word.is_empty()
                && rest.len() > word.len() + 1
                && word
                    .bytes()
                    .all(|byte| byte.is_ascii_lowercase() || byte == b'_');
            if !is_word {
                plain.push('{');
                rest = &rest[1..];
                continue;
            }
            let Some(name) = Name::of(word) else {
                let words = Name::ALL.map(|(_, word)| word).join(", ");
                return Err(format!("in braces one of {words}, not {word}"));
            };
            parts.push(Part::Text(std::mem::take(&mut plain)));
            parts.push(Part::Name(name));
            rest = &rest[word.len() + 2..];
        }
        plain.push_str(rest);
        parts.push(Part::Text(plain));
        Ok(Self(parts))
    }

    pub(super) fn uses(&self, name: Name) -> bool {
        self.0.contains(&Part::Name(name))
    }

    pub(super) fn fill(
        &self,
        value: impl Fn(Name) -> String,
        escape: impl Fn(&str) -> String,
    ) -> String {
        self.0
            .iter()
            .map(|part| match part {
                Part::Text(text) => text.clone(),
                Part::Name(name) => escape(&value(*name)),
            })
            .collect()
    }
}

/// For a part of an address (RFC 3986, section 2.1), and for a form's value.
pub(super) fn percent(value: &str) -> String {
    value
        .bytes()
        .map(|byte| match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                char::from(byte).to_string()
            }
            _ => format!("%{byte:02X}"),
        })
        .collect()
}

/// For the inside of a JSON string (RFC 8259, section 7).
pub(super) fn json(value: &str) -> String {
    let quoted = serde_json::Value::from(value).to_string();
    quoted[1..quoted.len() - 1].to_owned()
}

/// For text or an attribute of XML (section 2.4).
pub(super) fn xml(value: &str) -> String {
    value
        .chars()
        .filter(|c| !c.is_control())
        .map(|c| match c {
            '&' => "&amp;".to_owned(),
            '<' => "&lt;".to_owned(),
            '>' => "&gt;".to_owned(),
            '"' => "&quot;".to_owned(),
            '\'' => "&apos;".to_owned(),
            c => c.to_string(),
        })
        .collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOSTILE: &str = "1 A ST\"},{\"x\":\"&x=2#/../é<b>'";

    fn filled(template: &str, escape: fn(&str) -> String) -> String {
        let template = Template::parse(template).unwrap();
        template.fill(|_| HOSTILE.to_owned(), escape)
    }

    #[test]
    fn what_is_asked_cannot_change_the_question() {
        assert_eq!(
            filled("http://a/r?address={address}&x=1", percent),
            "http://a/r?address=1%20A%20ST%22%7D%2C%7B%22x%22%3A%22%26x%3D2%23%2F..%2F%C3%A9%3Cb%3E%27&x=1"
        );
        let body = filled(r#"{"address": "{address}", "max": {"n": 5}}"#, json);
        let parsed: serde_json::Value = serde_json::from_str(&body).unwrap();
        assert_eq!(parsed["address"], HOSTILE);
        assert_eq!(parsed["max"]["n"], 5);
        let body = filled("<q a=\"{address}\">{address}</q>", xml);
        let parsed = roxmltree::Document::parse(&body).unwrap();
        assert_eq!(parsed.root_element().text(), Some(HOSTILE));
        assert_eq!(parsed.root_element().attribute("a"), Some(HOSTILE));
    }

    #[test]
    fn a_name_that_is_none_is_told_and_other_braces_are_text() {
        let error = Template::parse("http://a/{adress}").unwrap_err();
        assert!(error.contains("not adress"), "{error}");
        for text in ["{", "{}", "{ make }", "a{plate", "{\"a\":1}"] {
            let template = Template::parse(text).unwrap();
            assert_eq!(template.fill(|_| "X".into(), percent), text);
        }
        assert!(Template::parse("{plate}{state}").unwrap().uses(Name::State));
    }
}
