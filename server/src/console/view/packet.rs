//! The page of one call: everything that is known, what each source answered, and
//! how far every entry has come.

use askama::Template;

use super::{
    ConfidenceView, EntryView, FindingView, GlanceView, HeaderView, LifeView, PriorityView,
    TEXT_CHARS_MAX, UNACKNOWLEDGED_MS_MAX,
};

#[derive(Debug, Clone, Template)]
#[template(path = "packet_page.html")]
pub struct PacketPage {
    pub header: HeaderView,
    /// Five minutes before the call, as a box of a date and a time has it.
    pub clip_from: String,
    pub packet: PacketView,
}

/// The regions of a packet, each sent by itself when it changed.
#[derive(Debug, Clone)]
pub struct PacketView {
    /// As in the page's address.
    pub id: String,
    pub glance: GlanceView,
    /// Where the search for what is about this place begins; none without a position.
    pub around: Option<String>,
    pub facts: FactsView,
    pub cautions: CautionsView,
    pub findings: FindingsView,
    pub notes: NotesView,
    pub sources: SourcesView,
    pub queries: QueriesView,
    pub units: UnitsView,
    pub life: LifeView,
    pub timeline: TimelineView,
    pub shown_through: ShownThroughView,
}

#[derive(Debug, Clone, Template)]
#[template(path = "facts.html")]
pub struct FactsView {
    /// The number that dispatch uses.
    pub call_number: String,
    pub priority: PriorityView,
    /// Why triage chose this priority, in words.
    pub triage_reason: String,
    pub nature: String,
    pub location: String,
    pub agency: String,
    /// Such as `Open` or `Closed 12:40:02: Assignment Completed`.
    pub state: String,
    pub is_open: bool,
    /// When the center received the call.
    pub received: String,
    pub received_ms: i64,
    /// Anything else that dispatch said: (name, value).
    pub details: Vec<(String, String)>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "cautions.html")]
pub struct CautionsView {
    /// Those that wait for a person to release them, for whoever may.
    pub held: Vec<HeldView>,
    /// Newest first.
    pub cautions: Vec<EntryView>,
    /// Older ones beyond those: said at the end, never left out silently.
    pub not_shown: usize,
}

/// A caution that was derived from a restricted record, and that nobody has but this page.
#[derive(Debug, Clone)]
pub struct HeldView {
    pub number: i64,
    pub call_id: String,
    pub text: String,
    pub source: String,
    pub since: String,
}

#[derive(Debug, Clone, Template)]
#[template(path = "findings.html")]
pub struct FindingsView {
    pub findings: Vec<FindingView>,
    /// Older ones beyond those: said at the end, never left out silently.
    pub not_shown: usize,
}

/// Notes, queries and what else people and devices wrote.
#[derive(Debug, Clone, Template)]
#[template(path = "notes.html")]
pub struct NotesView {
    /// Newest first.
    pub entries: Vec<EntryView>,
    /// Older ones beyond those: said at the end, never left out silently.
    pub not_shown: usize,
}

/// The form that asks the sources. No region: it has boxes to type in.
#[derive(Debug, Clone, Template)]
#[template(path = "queries.html")]
pub struct QueriesView {
    pub call_id: String,
    /// What a query may be for, the usual one first: (code, in words).
    pub purposes: Vec<(String, String)>,
}

impl QueriesView {
    /// What the form's `what` can be, and what the list says.
    pub const CHOICES: [(&'static str, &'static str); 4] = [
        ("plate", "Plate"),
        ("person", "Person"),
        ("phone", "Phone"),
        ("address", "Address"),
    ];
}

#[derive(Debug, Clone, Template)]
#[template(path = "sources.html")]
pub struct SourcesView {
    pub sources: Vec<SourceView>,
}

#[derive(Debug, Clone)]
pub struct SourceView {
    pub name: String,
    /// Whose it is; empty where that is not said.
    pub agency: String,
    /// What was asked, such as `address`.
    pub query: String,
    pub outcome: SourceOutcome,
    /// When it was asked, by the center's clock.
    pub asked_at: String,
}

/// What became of one question to one source. Silence is told, never left out.
#[derive(Debug, Clone)]
pub enum SourceOutcome {
    Asked {
        since_ms: i64,
    },
    Retrying {
        reason: String,
        since_ms: i64,
    },
    Answered {
        findings: usize,
        /// None: the center's own log was asked, which is not worth a measure.
        took_ms: Option<u64>,
        /// What is left to say, such as how old the answer is; mostly empty.
        besides: String,
    },
    NothingFound {
        took_ms: Option<u64>,
        besides: String,
    },
    Refused {
        reason: String,
    },
    TimedOut {
        after_ms: u64,
    },
    Failed {
        reason: String,
    },
}

#[derive(Debug, Clone, Template)]
#[template(path = "units.html")]
pub struct UnitsView {
    pub units: Vec<UnitView>,
}

#[derive(Debug, Clone)]
pub struct UnitView {
    pub unit: String,
    pub agency: String,
    /// Signed on at this unit; empty when nobody is.
    pub officers: Vec<String>,
    pub status: String,
    /// Who says so and when, such as `dispatch, 12:03:02`.
    pub status_from: String,
    /// Such as `MDT online` or `no device online since 12:01:10`.
    pub devices: String,
    pub is_online: bool,
}

/// The call's way, moment by moment.
#[derive(Debug, Clone, Template)]
#[template(path = "timeline.html")]
pub struct TimelineView {
    /// What the arrival came to, in words; empty before there was one.
    pub verdict: String,
    /// The first first.
    pub moments: Vec<MomentView>,
}

#[derive(Debug, Clone)]
pub struct MomentView {
    /// By the center's clock.
    pub time: String,
    /// From the opening of the packet, such as `+1:07`.
    pub after: String,
    pub what: String,
}

/// What the page shows so far. The browser sends it back when the page is visible.
#[derive(Debug, Clone, Template)]
#[template(path = "shown_through.html")]
pub struct ShownThroughView {
    /// Opaque to the page; changes when content does (the highest `seq` rendered).
    pub through: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{AcknowledgementView, CorrectionView, ReceiptView};
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>";

    fn entry(text: &str) -> EntryView {
        EntryView {
            id: "a1-7".into(),
            kind: "Note".into(),
            text: text.into(),
            author: "R. Diaz, 4A12".into(),
            author_time: Some("12:03:02".into()),
            author_clock_off: Some("4 s ahead".into()),
            center_time: "12:03:06".into(),
            receipts: vec![],
            corrected: None,
            attachment: None,
            unacknowledged_since_ms: None,
        }
    }

    fn receipt(device: &str) -> ReceiptView {
        ReceiptView {
            device: device.into(),
            delivered: None,
            shown: None,
            acknowledged: None,
        }
    }

    fn assert_words(html: &str, words: &[&str]) {
        assert!(!html.contains("<script>alert"), "not escaped: {html}");
        for word in words {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
    }

    #[test]
    fn the_three_receipts_of_a_device_are_told_apart_and_both_clocks_are_named() {
        let mut note = entry(HOSTILE);
        note.receipts = vec![ReceiptView {
            delivered: Some("12:03:07".into()),
            shown: Some("12:03:09".into()),
            acknowledged: Some(AcknowledgementView {
                officer: "Diaz".into(),
                time: "12:03:15".into(),
            }),
            ..receipt("4A12 MDT")
        }];
        let html = NotesView {
            entries: vec![note],
            not_shown: 0,
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "4A12 MDT",
                "delivered 12:03:07",
                "shown 12:03:09",
                "ack Diaz 12:03:15",
                "written 12:03:02 by their clock (4 s ahead)",
                "received 12:03:06 at the center",
                "&#60;script&#62;",
            ],
        );
    }

    #[test]
    fn an_unacknowledged_caution_asks_for_the_radio_and_says_when_no_device_has_it() {
        let waiting = EntryView {
            unacknowledged_since_ms: Some(5_000),
            receipts: vec![receipt("4A12 MDT")],
            ..entry("Armed")
        };
        let nowhere = entry("Dog in the yard");
        let html = CautionsView {
            held: vec![],
            cautions: vec![waiting, nowhere],
            not_shown: 0,
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "Not acknowledged for",
                "use the radio",
                "data-since=\"5000\"",
                "data-overdue-ms=\"30000\"",
                "Not delivered to any device yet",
                "No device has this packet",
            ],
        );
    }

    #[test]
    fn a_corrected_caution_is_struck_through_and_asks_for_nothing() {
        let corrected = EntryView {
            unacknowledged_since_ms: Some(5_000),
            corrected: Some(CorrectionView {
                text: Some("It is a toy".into()),
                author: "K. Lund".into(),
                center_time: "12:04:00".into(),
            }),
            ..entry("Armed")
        };
        let html = CautionsView {
            held: vec![],
            cautions: vec![corrected],
            not_shown: 0,
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &["<s>Armed</s>", "Corrected: It is a toy", "K. Lund"],
        );
        assert!(!html.contains("radio"));
    }

    #[test]
    fn what_the_center_wrote_names_the_center_clock_only() {
        let html = NotesView {
            entries: vec![EntryView {
                author_time: None,
                author_clock_off: None,
                ..entry("Three prior calls")
            }],
            not_shown: 7,
        }
        .render()
        .unwrap();
        assert_words(&html, &["written 12:03:06 at the center", "7 older ones"]);
        assert!(!html.contains("their clock"));
    }

    #[test]
    fn a_finding_that_is_not_exact_is_a_lead_to_verify() {
        let findings = [
            ConfidenceView::Exact,
            ConfidenceView::Lead("similar name".into()),
        ]
        .map(|confidence| FindingView {
            entry: entry(HOSTILE),
            source: "City records".into(),
            query: "address".into(),
            confidence,
            recorded: Some("2018-01-01".into()),
            answers: true,
            link: Some("https://cameras.example/7".into()),
            is_camera: true,
            restricted: None,
        });
        let html = FindingsView {
            findings: findings.into(),
            not_shown: 0,
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "City records",
                "exact match",
                "record of 2018-01-01",
                "answers a query",
                "a lead to verify: similar name",
                "href=\"https://cameras.example/7\"",
            ],
        );
    }

    #[test]
    fn every_source_says_what_it_answered_or_that_it_did_not() {
        let outcomes = [
            SourceOutcome::Asked { since_ms: 9_000 },
            SourceOutcome::Retrying {
                reason: "it answered 500".into(),
                since_ms: 9_000,
            },
            SourceOutcome::Answered {
                findings: 2,
                took_ms: Some(120),
                besides: "as of 11:59:00".into(),
            },
            SourceOutcome::NothingFound {
                took_ms: Some(80),
                besides: String::new(),
            },
            SourceOutcome::Refused {
                reason: "it wants a reason".into(),
            },
            SourceOutcome::TimedOut { after_ms: 3_000 },
            SourceOutcome::Failed {
                reason: HOSTILE.into(),
            },
        ];
        let html = SourcesView {
            sources: outcomes
                .map(|outcome| SourceView {
                    name: "Vehicles".into(),
                    agency: "Cedarport Police".into(),
                    query: "plate".into(),
                    outcome,
                    asked_at: "12:00:00".into(),
                })
                .into(),
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "Cedarport Police",
                "no answer yet",
                "Trying again: it answered 500",
                "as of 11:59:00",
                "Refused: it wants a reason",
                "Answered in 120 ms",
                "Nothing found",
                "Timed out after 3000 ms",
                "Failed: &#60;script&#62;",
            ],
        );
    }

    #[test]
    fn the_packet_page_holds_every_region_once_and_posts_where_the_docs_say() {
        let page = PacketPage {
            clip_from: "2026-11-28T18:00:00".into(),
            header: HeaderView {
                center_name: "Center".into(),
                open_calls: 1,
                connected_devices: 1,
                notices: 0,
                alert: None,
                now_ms: 1,
            },
            packet: PacketView {
                id: "17".into(),
                glance: GlanceView {
                    lines: vec![],
                    cautions_below: 0,
                },
                around: None,
                facts: FactsView {
                    call_number: "1211376".into(),
                    priority: PriorityView {
                        number: 2,
                        word: "Urgent".into(),
                    },
                    triage_reason: "nature says weapon".into(),
                    nature: HOSTILE.into(),
                    location: HOSTILE.into(),
                    agency: "Police".into(),
                    state: "Open".into(),
                    is_open: true,
                    received: "12:00:00".into(),
                    received_ms: 1,
                    details: vec![("District".into(), HOSTILE.into())],
                },
                cautions: CautionsView {
                    held: vec![],
                    cautions: vec![],
                    not_shown: 0,
                },
                findings: FindingsView {
                    findings: vec![],
                    not_shown: 0,
                },
                notes: NotesView {
                    entries: vec![],
                    not_shown: 0,
                },
                sources: SourcesView { sources: vec![] },
                queries: QueriesView {
                    call_id: "17".into(),
                    purposes: vec![("C".into(), HOSTILE.into())],
                },
                units: UnitsView {
                    units: vec![UnitView {
                        unit: "4A12".into(),
                        agency: "Police".into(),
                        officers: vec!["R. Diaz".into()],
                        status: "On scene".into(),
                        status_from: "MDT, 12:03:00".into(),
                        devices: "MDT online".into(),
                        is_online: true,
                    }],
                },
                life: LifeView {
                    call: "17".into(),
                    steps: vec![],
                    not_shown: 0,
                    linked: vec![],
                },
                timeline: TimelineView {
                    verdict: HOSTILE.into(),
                    moments: vec![MomentView {
                        time: "12:00:00".into(),
                        after: "+0:00".into(),
                        what: HOSTILE.into(),
                    }],
                },
                shown_through: ShownThroughView {
                    through: "88".into(),
                },
            },
        };
        let html = page.render().unwrap();
        assert_words(
            &html,
            &[
                "hx-post=\"/calls/17/notes\"",
                "hx-post=\"/calls/17/cautions\"",
                "hx-post=\"/calls/17/links\"",
                "hx-post=\"/calls/17/clips\"",
                "ws-connect=\"/live?page=call&amp;id=17\"",
                "name=\"text\"",
                "nature says weapon",
                "data-through=\"88\"",
                "R. Diaz",
            ],
        );
        for region in [
            "header",
            "glance",
            "facts",
            "cautions",
            "findings",
            "notes",
            "sources",
            "units",
            "life",
            "timeline",
            "shown-through",
        ] {
            let id = format!("id=\"{region}\" hx-swap-oob=\"true\"");
            assert_eq!(html.matches(&id).count(), 1, "{region}");
        }
        assert!(!html.contains("style="));
    }
}
