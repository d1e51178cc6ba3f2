//! The whole page: who I am, whether the center hears me, my calls, what other
//! calls of mine ask for, and the packet that is open.

use askama::Template;

use super::{
    BeatView, LINE_CHARS_MAX, LockView, LockedAs, PacketView, PriorityView, TEXT_CHARS_MAX,
};

#[derive(Debug, Clone, Template)]
#[template(path = "desk.html")]
pub struct DeskView {
    pub lock: LockView,
    pub header: HeaderView,
    pub alerts: AlertsView,
    pub calls: CallsView,
    pub packet: Option<PacketView>,
    /// Of the beat's page alone.
    pub beat: Option<BeatView>,
    /// The page's address names a call that is not on this device (any more).
    pub is_missing: bool,
}

#[derive(Debug, Clone, Template)]
#[template(path = "header.html")]
pub struct HeaderView {
    /// Such as `4A12`; empty when not signed on.
    pub unit: String,
    pub officer: String,
    /// The laptop, as its agency calls it.
    pub device: String,
    /// What the officer should know of the laptop itself; mostly empty.
    pub notice: String,
    /// When the shift ends, where that is soon.
    pub shift_ends: Option<String>,
    pub connection: ConnectionView,
    /// Entries of mine that the center does not have yet.
    pub not_at_center: usize,
    /// Entries of mine that the center did not take.
    pub not_accepted: usize,
    /// Milliseconds since 1970, by the clock that every `…_ms` of this page goes by.
    pub now_ms: i64,
}

#[derive(Debug, Clone)]
pub enum ConnectionView {
    Online {
        as_of: String,
    },
    Offline {
        since: String,
    },
    /// … and why not, as a sentence.
    NotSignedOn {
        why: String,
        /// By the agency's own sign-in.
        agency: bool,
    },
}

/// Cautions that nobody of this officer's unit has acknowledged, on calls other than the open
/// one (that one shows its own).
#[derive(Debug, Clone, Template)]
#[template(path = "alerts.html")]
pub struct AlertsView {
    pub alerts: Vec<AlertView>,
}

#[derive(Debug, Clone)]
pub struct AlertView {
    pub call_id: String,
    /// The caution's entry.
    pub entry: String,
    pub text: String,
    /// Such as `WEAPON, 2900 W OKLAHOMA AV`.
    pub call: String,
}

#[derive(Debug, Clone, Template)]
#[template(path = "calls.html")]
pub struct CallsView {
    /// Most urgent first.
    pub calls: Vec<CallView>,
}

#[derive(Debug, Clone)]
pub struct CallView {
    /// As in the address of the call's page.
    pub id: String,
    pub priority: PriorityView,
    pub nature: String,
    pub address: String,
    pub received_ms: i64,
    /// Entries of mine that the center does not have yet.
    pub unsent: usize,
    /// Cautions that nobody of this officer's unit has acknowledged.
    pub unacknowledged: usize,
    pub is_open_on_page: bool,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn header(connection: ConnectionView) -> HeaderView {
        HeaderView {
            unit: "4A12".into(),
            officer: "<script>Diaz".into(),
            device: "Laptop 7".into(),
            notice: String::new(),
            shift_ends: None,
            connection,
            not_at_center: 2,
            not_accepted: 1,
            now_ms: 1_000,
        }
    }

    fn not_signed_on() -> ConnectionView {
        ConnectionView::NotSignedOn {
            why: "The center does not know this badge.".into(),
            agency: false,
        }
    }

    #[test]
    fn the_header_says_in_words_whether_the_center_hears_this_device() {
        let online = header(ConnectionView::Online {
            as_of: "12:04:31".into(),
        });
        let html = online.render().unwrap();
        assert!(html.contains("Online — as of 12:04:31"));
        assert!(html.contains("2 entries are not at the center yet"));
        assert!(html.contains("1 was not accepted"));
        assert!(!html.contains("<script>"));

        let offline = header(ConnectionView::Offline {
            since: "12:01".into(),
        });
        let html = offline.render().unwrap();
        assert!(html.contains("Offline since 12:01 — showing what this device has."));
        assert!(html.contains("Your notes are kept and will be sent."));
        assert!(!html.contains("Online"));

        let html = header(not_signed_on()).render().unwrap();
        assert!(html.contains("Not signed on. The center does not know this badge."));
    }

    #[test]
    fn a_caution_on_another_call_is_told_in_full_and_can_be_acknowledged_at_once() {
        let html = AlertsView {
            alerts: vec![AlertView {
                call_id: "17".into(),
                entry: "a1-7".into(),
                text: "<script>Armed".into(),
                call: "WEAPON, 2900 W OKLAHOMA AV".into(),
            }],
        }
        .render()
        .unwrap();
        for word in [
            "&#60;script&#62;Armed",
            "hx-post=\"/calls/17/acknowledge\"",
            "name=\"entry\"",
            "value=\"a1-7\"",
            "data-asks=\"a1-7\"",
            "WEAPON, 2900 W OKLAHOMA AV",
        ] {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
    }

    #[test]
    fn a_desk_without_an_open_packet_lists_my_calls_and_offers_to_open_one() {
        let html = DeskView {
            lock: LockView {
                locked: LockedAs::Open,
                title: String::new(),
                words: String::new(),
                demo_pin: None,
                agency: false,
            },
            header: header(not_signed_on()),
            alerts: AlertsView { alerts: vec![] },
            calls: CallsView {
                calls: vec![CallView {
                    id: "17".into(),
                    priority: PriorityView {
                        number: 1,
                        word: "Emergency".into(),
                    },
                    nature: "<script>WEAPON".into(),
                    address: "2900 W OKLAHOMA AV".into(),
                    received_ms: 5,
                    unsent: 3,
                    unacknowledged: 1,
                    is_open_on_page: false,
                }],
            },
            packet: None,
            beat: None,
            is_missing: false,
        }
        .render()
        .unwrap();
        for word in [
            "ws-connect=\"/live\"",
            "href=\"/calls/17\"",
            "3 not at the center yet",
            "1 caution to acknowledge",
            "hx-post=\"/packets\"",
            "value=\"traffic-stop\"",
            "value=\"on-view\"",
            "name=\"location\"",
            "name=\"plate\"",
            "name=\"text\"",
            "Tap to turn on sound",
            "not answering",
        ] {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
        assert!(!html.contains("<script>WEAPON"));
        assert!(!html.contains("style="));
        assert!(!html.contains("onclick"));
    }
}
