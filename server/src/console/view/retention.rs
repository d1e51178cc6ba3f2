//! `GET /retention`.

use askama::Template;

use super::HeaderView;

#[derive(Debug, Clone, Template)]
#[template(path = "retention_page.html")]
pub struct RetentionPage {
    pub header: HeaderView,
    /// Why something was not done.
    pub refused: Option<String>,
    pub warn_days: u32,
    /// What comes to its end, the first first.
    pub due: Vec<DueRowView>,
    /// The newest first, as are those that were purged.
    pub held: Vec<HeldRowView>,
    pub purged: Vec<PurgedRowView>,
}

#[derive(Debug, Clone)]
pub struct DueRowView {
    /// As the form names it: the call's id, a stroke, the compartment.
    pub document: String,
    /// CAD's number of the call; may be empty.
    pub number: String,
    pub first: String,
    /// When it is purged.
    pub ends: String,
}

#[derive(Debug, Clone)]
pub struct HeldRowView {
    pub document: String,
    pub number: String,
    pub at: String,
    pub by: String,
    pub why: String,
}

#[derive(Debug, Clone)]
pub struct PurgedRowView {
    pub document: String,
    pub at: String,
    pub by: String,
    pub why: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn page(due: Vec<DueRowView>, held: Vec<HeldRowView>) -> String {
        let page = RetentionPage {
            header: HeaderView {
                center_name: "Center".into(),
                open_calls: 1,
                connected_devices: 1,
                notices: 0,
                alert: None,
                now_ms: 1,
            },
            refused: None,
            warn_days: 90,
            due,
            held,
            purged: vec![],
        };
        let html = page.render().unwrap();
        // What is above the form for any other document.
        html.split_once("Another document").unwrap().0.to_owned()
    }

    #[test]
    fn what_is_due_can_be_kept_held_or_purged_and_what_is_held_only_released() {
        let due = DueRowView {
            document: "0102030405060708/intel".into(),
            number: "26-1".into(),
            first: "2021-12-01 12:00".into(),
            ends: "2026-11-30 12:00".into(),
        };
        let due = page(vec![due], vec![]);
        for what in ["keep", "hold", "purge"] {
            assert!(due.contains(&format!("value=\"{what}\"")), "{what}");
        }
        let held = HeldRowView {
            document: "0102030405060708/intel".into(),
            number: "26-1".into(),
            at: "2026-11-01 12:00".into(),
            by: "Lt. Ortega".into(),
            why: "<case>".into(),
        };
        let held = page(vec![], vec![held]);
        assert!(
            held.contains("value=\"release\"") && held.contains("&#60;case&#62;"),
            "{held}"
        );
        assert!(!held.contains("value=\"purge\""), "{held}");
    }
}
