//! What a packet opens on: at most five lines (`docs/one-glance.md`).

use askama::Template;

#[derive(Debug, Clone, Template)]
#[template(path = "glance.html")]
pub struct GlanceView {
    /// The most important first.
    pub lines: Vec<LineView>,
    /// Cautions that have no line: said, never left out silently.
    pub cautions_below: usize,
}

#[derive(Debug, Clone)]
pub struct LineView {
    /// The entry that it is read from, as [`super::EntryView::id`]: it stands below.
    pub entry: String,
    /// What it is about, such as `Caution` or `Camera`.
    pub name: String,
    pub tone: Tone,
    pub text: String,
    /// Who says so.
    pub source: String,
    /// How fresh it is.
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
    /// No officer has acknowledged it.
    Waits,
    Caution,
    /// What may hurt.
    Danger,
    Plain,
}

impl Tone {
    fn class(self) -> &'static str {
        match self {
            Self::Waits => "caution waits",
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

    #[test]
    fn a_line_says_whose_it_is_how_fresh_and_leads_to_its_entry() {
        let html = GlanceView {
            lines: vec![LineView {
                entry: "call-a1.7".into(),
                name: "Camera".into(),
                tone: Tone::Plain,
                text: "<script>Ramp 4".into(),
                source: "Cameras".into(),
                fresh: "answered 12:03:02".into(),
                is_lead: true,
                link: Some("rtsp://cameras.example/7".into()),
                more: 3,
            }],
            cautions_below: 1,
        }
        .render()
        .unwrap();
        for word in [
            "href=\"#entry-call-a1.7\"",
            "&#60;script&#62;Ramp 4",
            "Cameras",
            "answered 12:03:02",
            "a lead to verify",
            "href=\"rtsp://cameras.example/7\"",
            "3 more below",
            "1 more caution below",
        ] {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
        assert!(!html.contains("<script>"));
    }
}
