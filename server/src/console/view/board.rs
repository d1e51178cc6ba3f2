//! The board of live calls: one region, sent whole. Order changes with every call
//! that comes, and 200 rows are a few kilobytes compressed: moving single rows
//! about would cost more in mistakes than it saves in bytes.

use askama::Template;

use super::{HeaderView, PriorityView, UNACKNOWLEDGED_MS_MAX, plural};

#[derive(Debug, Clone, Template)]
#[template(path = "board_page.html")]
pub struct BoardPage {
    pub header: HeaderView,
    pub board: BoardView,
}

#[derive(Debug, Clone, Template)]
#[template(path = "board.html")]
pub struct BoardView {
    /// What whoever runs the center has to mend, in one sentence.
    pub fault: Option<String>,
    /// Doors of CADs that cannot be read now, and why.
    pub troubles: Vec<String>,
    /// Calls of which a caution waits for a person to release it.
    pub held: Vec<String>,
    /// In the order in which they are shown; at most [`BoardView::ROWS_MAX`].
    pub rows: Vec<CallRowView>,
    /// Open calls beyond the rows: said at the end, never left out silently.
    pub calls_not_shown: u64,
    /// Those that closed last, the newest first.
    pub closed: Vec<ClosedRowView>,
}

impl BoardView {
    pub const ROWS_MAX: usize = 200;
    pub const CLOSED_MAX: usize = 10;
}

#[derive(Debug, Clone)]
pub struct CallRowView {
    /// As in the address of the call's page.
    pub id: String,
    pub priority: PriorityView,
    pub nature: String,
    /// The last step of its life and when, such as `Upgraded from 3 to 1, 12:03:02`.
    pub step: String,
    /// Calls that are about the same event, and those that may be.
    pub linked: usize,
    pub perhaps_linked: usize,
    pub location: String,
    pub agency: String,
    /// When the center received the call, milliseconds since 1970.
    pub received_ms: i64,
    /// Units with their status, such as `4A12 on scene`.
    pub units: Vec<String>,
    pub findings: usize,
    pub cautions: usize,
    /// Cautions that no officer has acknowledged.
    pub unacknowledged: usize,
    /// The center's receipt of the oldest of those.
    pub unacknowledged_since_ms: Option<i64>,
}

/// A call that is over.
#[derive(Debug, Clone)]
pub struct ClosedRowView {
    pub id: String,
    pub nature: String,
    pub location: String,
    pub agency: String,
    /// How it ended and when, such as `Closed: Advised, 12:40:02`.
    pub step: String,
}

impl CallRowView {
    fn linked_text(&self) -> String {
        plural(self.linked, "linked call", "linked calls")
    }

    fn perhaps_linked_text(&self) -> String {
        plural(
            self.perhaps_linked,
            "call perhaps linked",
            "calls perhaps linked",
        )
    }

    fn cautions_text(&self) -> String {
        plural(self.cautions, "caution", "cautions")
    }

    fn findings_text(&self) -> String {
        plural(self.findings, "finding", "findings")
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn row() -> CallRowView {
        CallRowView {
            id: "17".into(),
            priority: PriorityView {
                number: 1,
                word: "Emergency".into(),
            },
            nature: "<script>alert(1)</script>".into(),
            step: "Upgraded from 3 to 1, 12:03:02".into(),
            linked: 1,
            perhaps_linked: 2,
            location: "2900 W OKLAHOMA AV".into(),
            agency: "Police".into(),
            received_ms: 1_000,
            units: vec!["4A12 on scene".into()],
            findings: 3,
            cautions: 1,
            unacknowledged: 1,
            unacknowledged_since_ms: Some(2_000),
        }
    }

    fn header() -> HeaderView {
        HeaderView {
            center_name: "Real Time Crime Center".into(),
            open_calls: 1,
            connected_devices: 2,
            notices: 0,
            alert: None,
            now_ms: 3_000,
        }
    }

    #[test]
    fn a_board_shows_its_rows_and_escapes_what_callers_say() {
        let html = BoardView {
            fault: Some("triage.toml: line 5, column 12: <priority> 6".into()),
            troubles: vec!["The folder of pd's CAD cannot be read: it is gone".into()],
            held: vec![],
            rows: vec![row()],
            calls_not_shown: 12,
            closed: vec![],
        }
        .render()
        .unwrap();
        assert!(html.contains("&#60;script&#62;alert(1)"));
        assert!(!html.contains("<script>"));
        for word in [
            "href=\"/calls/17\"",
            "Emergency",
            "2900 W OKLAHOMA AV",
            "4A12 on scene",
            "3 findings",
            "1 caution",
            "1 not acknowledged",
            "use the radio",
            "data-since=\"2000\"",
            "12 more open calls",
            "Upgraded from 3 to 1, 12:03:02",
            "1 linked call",
            "2 calls perhaps linked",
            "rules of before stay",
            "line 5, column 12: &#60;priority&#62; 6",
        ] {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
    }

    #[test]
    fn a_row_with_nothing_to_acknowledge_has_no_mark() {
        let quiet = CallRowView {
            unacknowledged: 0,
            unacknowledged_since_ms: None,
            ..row()
        };
        let html = BoardView {
            fault: None,
            troubles: vec![],
            held: vec![],
            rows: vec![quiet],
            calls_not_shown: 0,
            closed: vec![],
        }
        .render()
        .unwrap();
        assert!(!html.contains("not acknowledged"));
        assert!(!html.contains("more open calls"));
        assert!(!html.contains("role=\"alert\""));
    }

    #[test]
    fn calls_that_closed_last_stand_below() {
        let html = BoardView {
            fault: None,
            troubles: vec![],
            held: vec![],
            rows: vec![],
            calls_not_shown: 0,
            closed: vec![ClosedRowView {
                id: "18".into(),
                nature: "<i>FIGHT</i>".into(),
                location: "1 MAIN ST".into(),
                agency: "Police".into(),
                step: "Closed: Advised, 12:40:02".into(),
            }],
        }
        .render()
        .unwrap();
        for words in [
            "href=\"/calls/18\"",
            "Closed: Advised, 12:40:02",
            "&#60;i&#62;FIGHT",
        ] {
            assert!(html.contains(words), "{words} is missing in {html}");
        }
    }

    #[test]
    fn the_board_page_connects_and_does_not_claim_to_be_live_before_it_is() {
        let page = BoardPage {
            header: header(),
            board: BoardView {
                fault: None,
                troubles: vec![],
                held: vec![],
                rows: vec![],
                calls_not_shown: 0,
                closed: vec![],
            },
        };
        let html = page.render().unwrap();
        assert!(html.contains("ws-connect=\"/live?page=board\""));
        assert!(html.contains("Connecting"));
        assert!(!html.contains(">Live<"));
        assert!(html.contains("No open calls"));
        assert!(!html.contains("style="));
        assert!(!html.contains("onclick"));
    }
}
