//! What is known before there is a call: hot lists, premise cautions, and what beats carry.
//! The two pages have no socket: whoever adds something is led back to the page.

use askama::Template;

use super::HeaderView;

#[derive(Debug, Clone, Template)]
#[template(path = "hot_list_page.html")]
pub struct HotListPage {
    pub header: HeaderView,
    /// Why the form was not taken; its fields are kept.
    pub refused: Option<String>,
    pub form: HotFormView,
    /// The newest first.
    pub rows: Vec<HotRowView>,
    /// Entries beyond those: said at the end, never left out silently.
    pub not_shown: u64,
    pub beats: Vec<BeatRowView>,
}

/// The form's fields, as they were typed.
#[derive(Debug, Clone, Default)]
pub struct HotFormView {
    pub kind: String,
    pub list: String,
    pub agency: String,
    pub author: String,
    pub plate: String,
    pub state: String,
    pub name: String,
    pub date_of_birth: String,
    pub phone: String,
    pub vehicle: String,
    pub text: String,
    pub ends: String,
    pub danger: bool,
}

impl HotFormView {
    /// Values and words of the kinds.
    pub const KINDS: [(&'static str, &'static str); 4] = [
        ("stolen", "Stolen"),
        ("wanted", "Wanted"),
        ("missing", "Missing"),
        ("bolo", "BOLO"),
    ];
}

#[derive(Debug, Clone)]
pub struct HotRowView {
    pub id: i64,
    /// Such as `Stolen: ABC123 WI`.
    pub title: String,
    pub text: String,
    pub danger: bool,
    pub list: String,
    /// Author and agency.
    pub by: String,
    pub added: String,
    pub ends: String,
    /// Why it ended, by whom and when: it is struck through.
    pub ended: Option<String>,
}

/// What the units of one beat carry.
#[derive(Debug, Clone)]
pub struct BeatRowView {
    pub name: String,
    /// As in the address of its packet's page.
    pub packet: String,
    pub carried: i64,
    pub changes: i64,
    /// More is listed than it carries.
    pub is_short: bool,
    /// Its units have it; another is being filled to follow.
    pub given: bool,
}

#[derive(Debug, Clone, Template)]
#[template(path = "premises_page.html")]
pub struct PremisesPage {
    pub header: HeaderView,
    /// Why something was not done.
    pub refused: Option<String>,
    /// The newest first.
    pub rows: Vec<PremiseRowView>,
    /// Those beyond: said at the end, never left out silently.
    pub not_shown: u64,
}

#[derive(Debug, Clone)]
pub struct PremiseRowView {
    pub id: i64,
    pub location: String,
    pub text: String,
    pub set_by: String,
    pub added: String,
    pub ends: String,
    /// Who ended it and when: it is struck through.
    pub ended: Option<String>,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn header() -> HeaderView {
        HeaderView {
            center_name: "Center".into(),
            open_calls: 1,
            connected_devices: 1,
            notices: 0,
            alert: None,
            now_ms: 1,
        }
    }

    fn row(ended: Option<&str>) -> HotRowView {
        HotRowView {
            id: 7,
            title: "Stolen: ABC123 WI".into(),
            text: "<script>alert(1)</script>".into(),
            danger: true,
            list: "Stolen vehicles".into(),
            by: "K. Lund (County)".into(),
            added: "2026-01-01 12:00".into(),
            ends: "2026-01-02 12:00".into(),
            ended: ended.map(Into::into),
        }
    }

    #[test]
    fn a_live_entry_can_be_cleared_and_one_that_has_ended_is_struck_through() {
        let page = HotListPage {
            header: header(),
            refused: Some("plate: letters and digits".into()),
            form: HotFormView {
                plate: "AB\"C".into(),
                kind: "bolo".into(),
                ..HotFormView::default()
            },
            rows: vec![
                row(None),
                HotRowView {
                    id: 8,
                    ..row(Some("cleared by R. Ito, 13:00"))
                },
            ],
            not_shown: 3,
            beats: vec![BeatRowView {
                name: "North 1".into(),
                packet: "80000001800000ff".into(),
                carried: 400,
                changes: 410,
                is_short: true,
                given: true,
            }],
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<script>alert") && !html.contains("style="));
        assert_eq!(html.matches("<s>Stolen: ABC123 WI</s>").count(), 1);
        for words in [
            "action=\"/hot-list/7/clear\"",
            "cleared by R. Ito, 13:00",
            "value=\"AB&#34;C\"",
            "<option value=\"bolo\" selected>",
            "plate: letters and digits",
            "3 older ones",
            "href=\"/calls/80000001800000ff\"",
            "more is listed than it carries",
        ] {
            assert!(html.contains(words), "{words} is missing in {html}");
        }
        assert!(!html.contains("action=\"/hot-list/8/clear\""));
    }

    #[test]
    fn a_premise_caution_says_who_set_it_and_until_when() {
        let premise = |id, ended: Option<&str>| PremiseRowView {
            id,
            location: "1 A ST".into(),
            text: "<b>dog".into(),
            set_by: "Diaz".into(),
            added: "2026-01-01 12:00".into(),
            ends: "2026-01-02 12:00".into(),
            ended: ended.map(Into::into),
        };
        let page = PremisesPage {
            header: header(),
            refused: None,
            rows: vec![premise(1, None), premise(2, Some("ended by Diaz, 13:00"))],
            not_shown: 0,
        };
        let html = page.render().unwrap();
        assert!(!html.contains("<b>dog"));
        for words in [
            "action=\"/premises/1/end\"",
            "Diaz",
            "2026-01-02 12:00",
            "<s>",
            "ended by Diaz, 13:00",
        ] {
            assert!(html.contains(words), "{words} is missing in {html}");
        }
        assert!(!html.contains("action=\"/premises/2/end\""));
    }
}
