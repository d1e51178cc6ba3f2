//! All devices and how they stand; without a socket, as the lists are: whoever does
//! something is led back to the page.

use askama::Template;

use super::HeaderView;

#[derive(Debug, Clone, Template)]
#[template(path = "devices_page.html")]
pub struct DevicesPage {
    pub header: HeaderView,
    /// Why something was not done.
    pub refused: Option<String>,
    /// What was done, where that is more than the list shows.
    pub done: Option<DoneView>,
    /// Whoever looks may do something about it.
    pub may_act: bool,
    /// Id and name.
    pub agencies: Vec<(String, String)>,
    pub rows: Vec<DeviceRowView>,
    /// Those beyond: said at the end, never left out silently.
    pub not_shown: u64,
}

#[derive(Debug, Clone)]
pub enum DoneView {
    /// For one new device; not shown again.
    Ticket {
        label: String,
        code: String,
        ticket: String,
        /// The ticket as a picture, in SVG.
        picture: String,
    },
    /// To be read out over the radio.
    Code { device: String, code: String },
}

#[derive(Debug, Clone)]
pub struct DeviceRowView {
    pub number: u32,
    pub label: String,
    pub agency: String,
    /// Such as `4A12, J. Diaz`; empty when nobody is signed on.
    pub who: String,
    pub state: &'static str,
    /// What the state is known by, or that it is not.
    pub known_by: String,
    /// It should have answered, and is not heard: since when.
    pub silent: Option<String>,
    /// When it was last heard.
    pub heard: String,
    pub is_connected: bool,
    pub mounted: bool,
    /// Until when its certificate is good, or that it was revoked.
    pub certificate: String,
    pub is_revoked: bool,
    /// It waits for a supervisor after too many bad PINs.
    pub is_locked_out: bool,
    pub is_ordered: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn page(may_act: bool) -> String {
        let row = DeviceRowView {
            number: 7,
            label: "<script>MDT".into(),
            agency: "City Police".into(),
            who: "4A12, <b>Diaz".into(),
            state: "erase ordered",
            known_by: "by K. Lund, 12:00".into(),
            silent: Some("silent since 11:58".into()),
            heard: "11:58".into(),
            is_connected: false,
            mounted: true,
            certificate: "until 2026-01-03 12:00".into(),
            is_revoked: false,
            is_locked_out: true,
            is_ordered: true,
        };
        let page = DevicesPage {
            header: HeaderView {
                center_name: "Center".into(),
                open_calls: 1,
                connected_devices: 1,
                notices: 0,
                alert: None,
                now_ms: 1,
            },
            refused: Some("challenge: the eight digits".into()),
            done: Some(DoneView::Code {
                device: "MDT 2".into(),
                code: "1234 5678".into(),
            }),
            may_act,
            agencies: vec![("pd".into(), "City Police".into())],
            rows: vec![row],
            not_shown: 2,
        };
        page.render().unwrap()
    }

    #[test]
    fn who_is_silent_is_said_plainly_and_what_can_be_done_stands_beside_it() {
        let html = page(true);
        assert!(!html.contains("<script>MDT") && !html.contains("<b>Diaz"));
        assert!(!html.contains("style="));
        for words in [
            "silent since 11:58",
            "erase ordered",
            "by K. Lund, 12:00",
            "1234 5678",
            "challenge: the eight digits",
            "action=\"/devices/7/erase\"",
            "action=\"/devices/7/release\"",
            "action=\"/devices/7/code\"",
            "action=\"/devices/7/revoke\"",
            "action=\"/devices/7/mounted\"",
            "action=\"/devices/codes\"",
            "2 older ones",
        ] {
            assert!(html.contains(words), "{words} is missing in {html}");
        }
    }

    #[test]
    fn who_may_only_look_is_offered_nothing_to_do() {
        // But for signing out, in the corner.
        assert!(!page(false).contains("action=\"/devices"));
    }
}
