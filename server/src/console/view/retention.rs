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
    pub held: Vec<DueRowView>,
    /// The newest first.
    pub purged: Vec<PurgedRowView>,
}

#[derive(Debug, Clone)]
pub struct DueRowView {
    /// As the form names it.
    pub document: String,
    /// CAD's number of the call; may be empty.
    pub number: String,
    pub compartment: &'static str,
    pub first: String,
    /// When it is purged.
    pub ends: Option<String>,
    /// By whom, since when and why.
    pub hold: Option<String>,
}

#[derive(Debug, Clone)]
pub struct PurgedRowView {
    pub document: String,
    pub compartment: &'static str,
    pub at: String,
    pub by: String,
    pub why: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn page(hold: Option<&str>) -> String {
        let row = DueRowView {
            document: "0102030405060708/intel".into(),
            number: "26-1".into(),
            compartment: "intel",
            first: "2021-12-01 12:00".into(),
            ends: hold.is_none().then(|| "2026-11-30 12:00".into()),
            hold: hold.map(Into::into),
        };
        let (due, held) = match hold {
            Some(_) => (vec![], vec![row]),
            None => (vec![row], vec![]),
        };
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
        page.render().unwrap()
    }

    #[test]
    fn what_is_due_can_be_kept_held_or_purged_and_what_is_held_only_released() {
        let due = page(None);
        for what in ["keep", "hold", "purge"] {
            assert!(due.contains(&format!("value=\"{what}\"")), "{what}");
        }
        let held = page(Some("Lt. Ortega, since today: <case>"));
        assert!(
            held.contains("value=\"release\"") && held.contains("&#60;case&#62;"),
            "{held}"
        );
        let (row, _) = held.split_once("Another document").unwrap();
        assert!(!row.contains("value=\"purge\""), "{row}");
    }
}
