//! What a packet opens on: at most five lines (`docs/one-glance.md`).

use askama::Template;

#[derive(Debug, Clone, Template)]
#[template(path = "glance.html")]
pub struct GlanceView {
    pub call_id: String,
    /// The most important first.
    pub lines: Vec<LineView>,
    /// Cautions that have no line: said, never left out silently.
    pub cautions_below: usize,
}

#[derive(Debug, Clone)]
pub struct LineView {
    /// The entry that it is read from: it stands below.
    pub entry: String,
    /// What it is about, such as `Caution` or `Camera`.
    pub name: String,
    pub tone: Tone,
    pub text: String,
    /// Who says so.
    pub source: String,
    /// How fresh it is, and by which clock.
    pub fresh: String,
    pub is_lead: bool,
    /// What a tap opens.
    pub link: Option<String>,
    /// Further ones of the same kind, below.
    pub more: usize,
}

/// How a line looks; its name says the same in words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tone {
    /// It waits for the officer's tap.
    Asks,
    Caution,
    /// What may hurt.
    Danger,
    Plain,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Asks => "caution asks",
            Self::Caution => "caution",
            Self::Danger => "danger",
            Self::Plain => "plain",
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn line(tone: Tone) -> LineView {
        LineView {
            entry: "a1.7".into(),
            name: "Caution".into(),
            tone,
            text: "<script>Armed".into(),
            source: "K. Lund".into(),
            fresh: "12:03:02 at the center".into(),
            is_lead: false,
            link: None,
            more: 0,
        }
    }

    #[test]
    fn a_line_says_whose_it_is_how_fresh_and_what_a_tap_does() {
        let camera = LineView {
            name: "Camera".into(),
            link: Some("https://cameras.example/7?a=1&b=2".into()),
            is_lead: true,
            more: 3,
            ..line(Tone::Plain)
        };
        let html = GlanceView {
            call_id: "17".into(),
            lines: vec![line(Tone::Asks), camera],
            cautions_below: 2,
        }
        .render()
        .unwrap();
        for word in [
            "class=\"line caution asks\" data-asks=\"a1.7\"",
            "hx-post=\"/calls/17/acknowledge\"",
            "name=\"entry\" value=\"a1.7\"",
            "href=\"#entry-a1.7\"",
            "&#60;script&#62;Armed",
            "K. Lund",
            "12:03:02 at the center",
            "A lead to verify",
            "href=\"https://cameras.example/7?a=1&#38;b=2\"",
            "3 more below",
            "2 more cautions below",
        ] {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
        assert_eq!(html.matches("<button").count(), 1);
        assert!(!html.contains("<script>"));
    }

    #[test]
    fn a_packet_of_which_nothing_is_known_says_so() {
        let html = GlanceView {
            call_id: "17".into(),
            lines: vec![],
            cautions_below: 0,
        }
        .render()
        .unwrap();
        assert!(html.contains("Nothing is known yet"));
    }
}
