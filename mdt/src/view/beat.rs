//! What is known before there is a call: the beat's page, what a search of this device
//! found, and what of it an open packet is told.

use askama::Template;

/// The page's main part. It has a box to type in, so it is no region.
#[derive(Debug, Clone, Template)]
#[template(path = "beat.html")]
pub struct BeatView {
    /// This unit's beats, as far as they are on the device.
    pub beats: Vec<BeatNameView>,
    /// What they carry, what can hurt first.
    pub carried: FoundsView,
}

#[derive(Debug, Clone)]
pub struct BeatNameView {
    pub name: String,
    pub places: usize,
    pub listed: usize,
    /// What the center says of all that it does not carry.
    pub short: Option<String>,
}

/// The answer to a search, or what there is without one.
#[derive(Debug, Clone, Template)]
#[template(path = "founds.html")]
pub struct FoundsView {
    pub found: Vec<FoundView>,
    /// There may be more.
    pub is_cut: bool,
    /// What to say where nothing was found.
    pub nothing: String,
}

#[derive(Debug, Clone)]
pub struct FoundView {
    pub id: String,
    pub title: String,
    pub text: String,
    /// Where it comes from, such as `Hot list: Stolen vehicles` or `Note of Diaz`.
    pub source: String,
    /// Until when it holds, where it says so.
    pub until: Option<String>,
    /// Of something in `safety`.
    pub hurts: bool,
    /// The call's page, for what is no beat's.
    pub call: Option<String>,
}

/// What the beat knows about the open packet's place or plate.
#[derive(Debug, Clone, Template)]
#[template(path = "known.html")]
pub struct KnownView {
    pub known: Vec<FoundView>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn found(call: Option<&str>) -> FoundView {
        FoundView {
            id: "a1-7".into(),
            title: "900 W OAK ST".into(),
            text: "<script>dog".into(),
            source: "Premise".into(),
            until: Some("2026-01-02 12:00".into()),
            hurts: true,
            call: call.map(Into::into),
        }
    }

    #[test]
    fn a_beats_page_searches_this_device_and_says_what_it_does_not_carry() {
        let page = BeatView {
            beats: vec![BeatNameView {
                name: "North 1".into(),
                places: 12,
                listed: 1,
                short: Some("More is listed than is carried here".into()),
            }],
            carried: FoundsView {
                found: vec![found(None), found(Some("17"))],
                is_cut: true,
                nothing: String::new(),
            },
        };
        let html = page.render().unwrap();
        for words in [
            "North 1",
            "12 places, 1 listed",
            "More is listed than is carried here",
            "hx-get=\"/beat/found\"",
            "name=\"words\"",
            "900 W OAK ST",
            "until 2026-01-02 12:00",
            "href=\"/calls/17\"",
            "&#60;script&#62;dog",
            "There may be more",
        ] {
            assert!(html.contains(words), "{words} is missing in {html}");
        }
        assert!(!html.contains("style=") && !html.contains("onclick"));
    }

    #[test]
    fn a_search_that_found_nothing_does_not_say_that_there_is_nothing() {
        let html = FoundsView {
            found: vec![],
            is_cut: false,
            nothing: "Nothing on this device has that.".into(),
        };
        assert!(
            html.render()
                .unwrap()
                .contains("Nothing on this device has that.")
        );
    }

    #[test]
    fn what_the_beat_knows_is_a_region_that_is_empty_where_it_knows_nothing() {
        let html = KnownView { known: vec![] }.render().unwrap();
        assert!(
            html.contains("id=\"known\" hx-swap-oob=\"true\"></section>"),
            "{html}"
        );
        let html = KnownView {
            known: vec![found(None)],
        };
        assert!(html.render().unwrap().contains("Known in your beat"));
    }
}
