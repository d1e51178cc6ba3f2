//! An XML answer as JSON, so that one kind of mapping reads both.
//!
//! Every element is an object: its attributes as `"@name"`, its own text as `"#text"`, its
//! children by their local names, each **always a list**, so that one and many look alike.
//! The root element stands under its own name, as an object:
//! `<r id="7"><i>A</i><i>B</i></r>` is
//! `{"r": {"@id": "7", "i": [{"#text": "A"}, {"#text": "B"}]}}`.

use roxmltree::{Document, Node, ParsingOptions};
use serde_json::{Map, Value};

/// Most elements, texts and attributes of an answer.
const NODES_MAX: u32 = 50_000;
/// Deepest nesting, as of JSON.
const DEPTH_MAX: usize = 128;

/// # Errors
/// Says why it is none.
pub(super) fn to_json(body: &[u8]) -> Result<Value, String> {
    let text = std::str::from_utf8(body).map_err(|_| "it is not UTF-8".to_owned())?;
    // Without a document type there are no entities to expand.
    let options = ParsingOptions {
        allow_dtd: false,
        nodes_limit: NODES_MAX,
        ..ParsingOptions::default()
    };
    let document = Document::parse_with_options(text, options).map_err(|e| e.to_string())?;
    let root = document.root_element();
    let mut all = Map::new();
    all.insert(root.tag_name().name().to_owned(), element(root, 0)?);
    Ok(Value::Object(all))
}

fn element(node: Node<'_, '_>, depth: usize) -> Result<Value, String> {
    if depth >= DEPTH_MAX {
        return Err(format!("it is nested deeper than {DEPTH_MAX}"));
    }
    let mut all = Map::new();
    for attribute in node.attributes() {
        all.insert(format!("@{}", attribute.name()), attribute.value().into());
    }
    let mut text = String::new();
    for child in node.children() {
        if child.is_text() {
            text.push_str(child.text().unwrap_or_default());
        } else if child.is_element() {
            let name = child.tag_name().name().to_owned();
            let value = element(child, depth + 1)?;
            match all.entry(name).or_insert_with(|| Value::Array(Vec::new())) {
                Value::Array(list) => list.push(value),
                // An attribute's name begins with @, the text's with #: no element's does.
                _ => return Err("an element is called like an attribute".into()),
            }
        }
    }
    let text = text.trim();
    if !text.is_empty() {
        all.insert("#text".into(), text.into());
    }
    Ok(Value::Object(all))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn one_and_many_look_alike() {
        let body = br#"<?xml version="1.0"?><r id="7"><i n="1"> A </i><i>B</i><one><x/></one></r>"#;
        assert_eq!(
            to_json(body).unwrap(),
            serde_json::json!({"r": {
                "@id": "7",
                "i": [{"@n": "1", "#text": "A"}, {"#text": "B"}],
                "one": [{"x": [{}]}],
            }})
        );
    }

    #[test]
    fn what_would_take_the_reader_down_is_refused_in_words() {
        let deep = "<a>".repeat(100_000);
        let closed = format!("{}{}", "<a>".repeat(200), "</a>".repeat(200));
        let many = format!("<r>{}</r>", "<a/>".repeat(60_000));
        let laughs = r#"<!DOCTYPE r [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]><r>&b;</r>"#;
        for body in [deep.as_str(), &closed, &many, laughs, "", "{}", "<r>"] {
            assert!(to_json(body.as_bytes()).is_err(), "{:.20}", body);
        }
        assert!(to_json(b"<r>\xff</r>").unwrap_err().contains("UTF-8"));
    }
}
