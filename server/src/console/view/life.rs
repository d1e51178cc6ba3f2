//! What became of a call so far, and which other calls are about the same event.

use askama::Template;

#[derive(Debug, Clone, Template)]
#[template(path = "life.html")]
pub struct LifeView {
    /// As in the page's address.
    pub call: String,
    /// Oldest first.
    pub steps: Vec<StepView>,
    /// Older steps beyond those: said, never left out silently.
    pub not_shown: usize,
    pub linked: Vec<LinkedView>,
}

#[derive(Debug, Clone)]
pub struct StepView {
    pub time: String,
    /// Such as `Upgraded from 3 to 1`.
    pub what: String,
}

/// Another call, and why it is here.
#[derive(Debug, Clone)]
pub struct LinkedView {
    pub id: String,
    /// Its agency and dispatch's number.
    pub name: String,
    pub nature: String,
    pub location: String,
    pub state: String,
    /// A rule thinks so, and a person is asked.
    pub is_proposed: bool,
    pub why: String,
    /// Who says so and when.
    pub from: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_proposed_link_asks_and_a_made_one_can_be_undone() {
        let linked = |id: &str, is_proposed| LinkedView {
            id: id.into(),
            name: "County Sheriff 26-77".into(),
            nature: "<b>SHOTS</b>".into(),
            location: "400 W STATE ST".into(),
            state: "open".into(),
            is_proposed,
            why: "82 m and 3 min apart".into(),
            from: "The center, 12:03:02".into(),
        };
        let html = LifeView {
            call: "01".into(),
            steps: vec![StepView {
                time: "12:00:00".into(),
                what: "Upgraded from 3 to 1".into(),
            }],
            not_shown: 2,
            linked: vec![linked("02", true), linked("03", false)],
        }
        .render()
        .unwrap();
        for words in [
            "Upgraded from 3 to 1",
            "2 older steps",
            "href=\"/calls/02\"",
            "hx-post=\"/calls/01/links\"",
            "hx-post=\"/calls/01/links/undo\"",
            "Yes, the same event",
            "No, another",
            "Undo the link",
            "82 m and 3 min apart",
            "&#60;b&#62;SHOTS",
        ] {
            assert!(html.contains(words), "{words} is missing in {html}");
        }
        assert_eq!(html.matches("Yes, the same event").count(), 1);
        assert!(!html.contains("style="));
    }
}
