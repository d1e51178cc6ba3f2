//! The page on which an analyst looks through all packets, and what saved searches found.

use askama::Template;

use super::{HeaderView, PriorityView};
use crate::search::SearchRequest;
use crate::search::saved::NAME_CHARS_MAX;

#[derive(Debug, Clone, Template)]
#[template(path = "search_page.html")]
pub struct SearchPage {
    pub header: HeaderView,
    pub notices: NoticesView,
    /// What was asked, as it was typed.
    pub asked: SearchRequest,
    /// What is wrong with it; empty when nothing is.
    pub wrong: String,
    /// None while nothing was asked.
    pub results: Option<ResultsView>,
    pub saved: Vec<SavedView>,
}

/// One page of the packets that match.
#[derive(Debug, Clone)]
pub struct ResultsView {
    /// Such as `12 packets` or `at least 20000 packets`.
    pub total: String,
    pub packets: Vec<FoundView>,
    /// For the next page; none on the last.
    pub after: Option<String>,
}

#[derive(Debug, Clone)]
pub struct FoundView {
    /// As in the address of the call's page.
    pub id: String,
    pub priority: PriorityView,
    pub nature: String,
    pub location: String,
    /// The agency, the call's number where it has one.
    pub agency: String,
    /// By dispatch's clock.
    pub received: String,
    /// Such as `Open` or `Closed: Advised`.
    pub state: String,
    pub entries: Vec<FoundEntryView>,
}

#[derive(Debug, Clone)]
pub struct FoundEntryView {
    /// Such as `Note`.
    pub kind: String,
    pub text: String,
    /// The center's receipt.
    pub received: String,
    /// It was corrected or withdrawn later: it is struck through.
    pub is_corrected: bool,
}

#[derive(Debug, Clone)]
pub struct SavedView {
    pub id: i64,
    pub name: String,
    /// What is searched, in words.
    pub criteria: String,
    /// Where its results are.
    pub request: SearchRequest,
    pub unseen: u64,
    /// Matches that there was no room for.
    pub untold: u64,
}

/// What saved searches found that nobody has seen.
#[derive(Debug, Clone, Template)]
#[template(path = "notices.html")]
pub struct NoticesView {
    /// The newest first.
    pub notices: Vec<NoticeView>,
    /// Older ones beyond those: said at the end, never left out silently.
    pub not_shown: usize,
}

#[derive(Debug, Clone)]
pub struct NoticeView {
    pub id: i64,
    /// The saved search's name.
    pub search: String,
    pub call_id: String,
    /// Such as `TRESPASS, 2900 W OKLAHOMA AV`.
    pub call: String,
    /// When the search matched, by the center's clock.
    pub time: String,
    pub entry: FoundEntryView,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>";

    fn entry() -> FoundEntryView {
        FoundEntryView {
            kind: "Note".into(),
            text: HOSTILE.into(),
            received: "12:03:02".into(),
            is_corrected: true,
        }
    }

    #[test]
    fn results_are_escaped_lead_to_their_packets_and_the_next_page_asks_the_same() {
        let asked = SearchRequest {
            words: "a&b \"c\"".into(),
            ..SearchRequest::default()
        };
        let page = SearchPage {
            header: HeaderView {
                center_name: "Center".into(),
                open_calls: 1,
                connected_devices: 1,
                notices: 2,
                alert: None,
                now_ms: 1,
            },
            notices: NoticesView {
                notices: vec![NoticeView {
                    id: 5,
                    search: "zebras".into(),
                    call_id: "17".into(),
                    call: HOSTILE.into(),
                    time: "12:00:00".into(),
                    entry: entry(),
                }],
                not_shown: 3,
            },
            asked: asked.clone(),
            wrong: String::new(),
            results: Some(ResultsView {
                total: "12 packets".into(),
                packets: vec![FoundView {
                    id: "17".into(),
                    priority: PriorityView {
                        number: 1,
                        word: "Emergency".into(),
                    },
                    nature: HOSTILE.into(),
                    location: HOSTILE.into(),
                    agency: "Police".into(),
                    received: "2026-11-28 12:00:00".into(),
                    state: "Closed: Advised".into(),
                    entries: vec![entry()],
                }],
                after: Some("5.17".into()),
            }),
            saved: vec![SavedView {
                id: 3,
                name: "zebras".into(),
                criteria: "words zebra".into(),
                request: asked,
                unseen: 1,
                untold: 4,
            }],
        };
        let html = page.render().unwrap();
        for word in [
            "12 packets",
            "href=\"/calls/17\"",
            "Closed: Advised",
            "<s>&#60;script&#62;",
            "/search?words=a%26b%20%22c%22",
            "after=5.17",
            "hx-post=\"/search/saved\"",
            "hx-post=\"/search/saved/3/forget\"",
            "hx-post=\"/search/notices/5/seen\"",
            "id=\"notices\" hx-swap-oob=\"true\"",
            "ws-connect=\"/live?page=search\"",
            "3 older ones",
            "4 more",
        ] {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
        assert!(!html.contains("<script>alert"));
        assert!(!html.contains("style="));
    }
}
