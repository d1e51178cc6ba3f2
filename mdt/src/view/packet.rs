//! The open packet: on top the few lines that matter most, then what I can say about
//! myself, then all that is known, and last what was asked in vain.

use askama::Template;

use super::{
    ConfidenceView, EntryProgress, EntryView, FindingView, GlanceView, KnownView, LINE_CHARS_MAX,
    PriorityView,
};

/// The regions of a packet, each sent by itself when it changed.
#[derive(Debug, Clone)]
pub struct PacketView {
    /// As in the page's address.
    pub id: String,
    pub summary: SummaryView,
    pub glance: GlanceView,
    pub known: KnownView,
    pub status: StatusView,
    pub cautions: CautionsView,
    pub facts: FactsView,
    pub findings: FindingsView,
    pub intel: IntelView,
    pub notes: NotesView,
    pub units: UnitsView,
    pub sources: SourcesView,
    pub queries: QueriesView,
    pub shown_through: ShownThroughView,
}

#[derive(Debug, Clone, Template)]
#[template(path = "summary.html")]
pub struct SummaryView {
    pub priority: PriorityView,
    pub nature: String,
    pub address: String,
    pub received_ms: i64,
    /// When the center last said anything about this packet, or that it is
    /// complete; none for a packet opened here that the center does not have.
    pub last_heard_ms: Option<i64>,
    /// What of the packet leaves this laptop soon, or has left it, in a sentence each.
    pub leases: Vec<String>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "cautions.html")]
pub struct CautionsView {
    pub call_id: String,
    /// Newest first.
    pub cautions: Vec<EntryView>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "my_status.html")]
pub struct StatusView {
    pub call_id: String,
    /// The value of one's current status (see [`StatusView::CHOICES`]), if any.
    pub current: Option<String>,
    /// Since when, and how far that entry has come, such as `since 12:03, at the center`.
    pub current_text: String,
}

impl StatusView {
    /// What the form's `status` can be, and what its button says.
    pub const CHOICES: [(&'static str, &'static str); 3] = [
        ("en-route", "En route"),
        ("on-scene", "On scene"),
        ("clear", "Clear"),
    ];

    fn is_current(&self, value: &str) -> bool {
        self.current.as_deref() == Some(value)
    }
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
    /// What the form's `what` can be, and what its button says.
    pub const CHOICES: [(&'static str, &'static str); 4] = [
        ("plate", "Plate"),
        ("person", "Person"),
        ("phone", "Phone"),
        ("address", "Address"),
    ];
}

#[derive(Debug, Clone, Template)]
#[template(path = "facts.html")]
pub struct FactsView {
    /// Why triage chose this priority, in words; empty when there was none.
    pub triage_reason: String,
    /// Agency, the call's number, state, and what else dispatch said: (name, value).
    pub details: Vec<(String, String)>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "findings.html")]
pub struct FindingsView {
    pub call_id: String,
    pub findings: Vec<FindingView>,
}

/// Where the center can be asked for what this laptop never keeps. With the link what was
/// answered goes from the page.
#[derive(Debug, Clone, Template)]
#[template(path = "intel.html")]
pub struct IntelView {
    pub call_id: String,
    pub is_online: bool,
}

/// What the center answered.
#[derive(Debug, Clone, Template)]
#[template(path = "intel_answer.html")]
pub struct IntelAnswerView {
    /// Such as `12:03:21`.
    pub at: String,
    pub findings: Vec<FindingView>,
    /// How many are older, and did not fit.
    pub earlier: u64,
}

/// Notes, queries and what else people wrote.
#[derive(Debug, Clone, Template)]
#[template(path = "notes.html")]
pub struct NotesView {
    pub call_id: String,
    /// Newest first.
    pub entries: Vec<EntryView>,
}

#[derive(Debug, Clone, Template)]
#[template(path = "units.html")]
pub struct UnitsView {
    pub units: Vec<UnitView>,
}

#[derive(Debug, Clone)]
pub struct UnitView {
    pub unit: String,
    pub officers: Vec<String>,
    pub status: String,
    /// Who says so and when, such as `dispatch, 12:03`.
    pub status_from: String,
}

#[derive(Debug, Clone, Template)]
#[template(path = "sources.html")]
pub struct SourcesView {
    pub sources: Vec<SourceView>,
}

#[derive(Debug, Clone)]
pub struct SourceView {
    pub name: String,
    /// What was asked, such as `address`.
    pub query: String,
    pub outcome: SourceOutcome,
}

/// What became of one question to one source. Silence is told, never left out.
#[derive(Debug, Clone)]
pub enum SourceOutcome {
    Asked {
        at: String,
    },
    Retrying {
        reason: String,
        at: String,
    },
    Answered {
        findings: usize,
        at: String,
        /// What is left to say, such as how old the answer is; mostly empty.
        besides: String,
    },
    NothingFound {
        at: String,
        besides: String,
    },
    Refused {
        reason: String,
    },
    TimedOut {
        at: String,
    },
    Failed {
        reason: String,
    },
}

/// What the page shows so far. The browser sends it back when the page is visible.
#[derive(Debug, Clone, Template)]
#[template(path = "shown_through.html")]
pub struct ShownThroughView {
    /// The documents on the page, by the ids that the caller knows them by.
    pub documents: Vec<String>,
    /// Opaque to the page; changes when content does.
    pub through: String,
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::super::{CorrectionView, SeenBy};
    use super::*;

    const HOSTILE: &str = "<script>alert(1)</script>";

    fn entry(text: &str) -> EntryView {
        EntryView {
            id: "a1-7".into(),
            kind: "Note".into(),
            text: text.into(),
            author: "K. Lund".into(),
            author_time: Some("12:03:02".into()),
            author_clock_off: None,
            center_time: Some("12:03:04".into()),
            progress: None,
            corrected: None,
            attachment: None,
            acknowledged: vec![],
            asks: false,
        }
    }

    fn assert_words(html: &str, words: &[&str]) {
        assert!(!html.contains("<script>alert"), "not escaped: {html}");
        for word in words {
            assert!(html.contains(word), "{word} is missing in {html}");
        }
    }

    #[test]
    fn each_entry_of_mine_says_how_far_it_has_come() {
        let states = [
            EntryProgress::OnThisDevice,
            EntryProgress::AtTheCenter,
            EntryProgress::ShownTo(vec![SeenBy {
                name: "analyst Lund".into(),
                time: "12:05:00".into(),
            }]),
            EntryProgress::Refused {
                reason: "too large".into(),
            },
        ];
        let entries = states.map(|progress| EntryView {
            author: "You".into(),
            progress: Some(progress),
            ..entry(HOSTILE)
        });
        let html = NotesView {
            call_id: "17".into(),
            entries: entries.into(),
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "<b class=\"here\">On this device</b>",
                "<b class=\"center\">at the center</b>",
                "shown to analyst Lund 12:05:00",
                "Not accepted: too large",
                "Your text is kept: “&#60;script&#62;",
                "written 12:03:02 by this device · received 12:03:04 at the center",
            ],
        );
    }

    #[test]
    fn a_caution_that_asks_has_one_button_and_a_withdrawn_one_has_none() {
        let asking = EntryView {
            asks: true,
            ..entry(HOSTILE)
        };
        let withdrawn = EntryView {
            id: "a1-8".into(),
            corrected: Some(CorrectionView {
                text: None,
                author: "K. Lund".into(),
                time: "12:06:00 at the center".into(),
            }),
            ..asking.clone()
        };
        let html = CautionsView {
            call_id: "17".into(),
            cautions: vec![asking, withdrawn],
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "hx-post=\"/calls/17/acknowledge\"",
                "name=\"entry\" value=\"a1-7\"",
                "Withdrawn.",
                "<s>&#60;script&#62;",
            ],
        );
        assert_eq!(html.matches("<button").count(), 1);
        assert_eq!(html.matches("data-asks").count(), 1);
    }

    #[test]
    fn the_status_buttons_say_what_they_do_not_do() {
        let html = StatusView {
            call_id: "17".into(),
            current: Some("on-scene".into()),
            current_text: HOSTILE.into(),
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "This does not change your status in dispatch's own system.",
                "value=\"en-route\"",
                "value=\"clear\"",
                "aria-pressed=\"true\">✓ On scene",
                "hx-post=\"/calls/17/status\"",
            ],
        );
    }

    #[test]
    fn a_packet_says_how_fresh_it_is_or_that_the_center_never_spoke() {
        let mut summary = SummaryView {
            priority: PriorityView {
                number: 1,
                word: "Emergency".into(),
            },
            nature: HOSTILE.into(),
            address: HOSTILE.into(),
            received_ms: 1,
            last_heard_ms: Some(77),
            leases: vec![],
        };
        let html = summary.render().unwrap();
        assert_words(&html, &["Last heard from the center", "data-since=\"77\""]);
        summary.last_heard_ms = None;
        assert_words(&summary.render().unwrap(), &["Opened on this device"]);
    }

    #[test]
    fn findings_and_sources_say_what_is_certain_and_what_was_not_checked() {
        let html = FindingsView {
            call_id: "17".into(),
            findings: vec![FindingView {
                entry: entry(HOSTILE),
                source: "City records".into(),
                query: "address".into(),
                confidence: ConfidenceView::Lead("similar name".into()),
                answers: true,
                link: Some("rtsp://cameras.example/7".into()),
                camera: Some(HOSTILE.into()),
            }],
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "City records",
                "A lead to verify: similar name",
                "Answers a query",
                "href=\"rtsp://cameras.example/7\"",
                "hx-post=\"/calls/17/clips\"",
            ],
        );
        let outcomes = [
            SourceOutcome::Asked { at: "12:00".into() },
            SourceOutcome::Retrying {
                reason: "it answered 500".into(),
                at: "12:00".into(),
            },
            SourceOutcome::Answered {
                findings: 2,
                at: "12:01".into(),
                besides: "as of 11:59".into(),
            },
            SourceOutcome::NothingFound {
                at: "12:02".into(),
                besides: String::new(),
            },
            SourceOutcome::Refused {
                reason: "it wants a reason".into(),
            },
            SourceOutcome::TimedOut { at: "12:03".into() },
            SourceOutcome::Failed {
                reason: HOSTILE.into(),
            },
        ];
        let html = SourcesView {
            sources: outcomes
                .map(|outcome| SourceView {
                    name: "Vehicles".into(),
                    query: "plate".into(),
                    outcome,
                })
                .into(),
        }
        .render()
        .unwrap();
        assert_words(
            &html,
            &[
                "no answer yet",
                "Trying again: it answered 500",
                "Answered 12:01: 2 found, as of 11:59",
                "Nothing found",
                "Refused: it wants a reason",
                "Did not answer in time",
                "Failed: &#60;script&#62;",
            ],
        );
    }

    #[test]
    fn facts_units_and_shown_documents_are_rendered_and_escaped() {
        let facts = FactsView {
            triage_reason: "nature says weapon".into(),
            details: vec![("Agency".into(), HOSTILE.into())],
        };
        assert_words(&facts.render().unwrap(), &["nature says weapon", "Agency"]);
        let units = UnitsView {
            units: vec![UnitView {
                unit: "4A12".into(),
                officers: vec![HOSTILE.into()],
                status: "On scene".into(),
                status_from: "dispatch, 12:03".into(),
            }],
        };
        assert_words(&units.render().unwrap(), &["4A12", "dispatch, 12:03"]);
        let shown = ShownThroughView {
            documents: vec!["17/safety".into()],
            through: "88".into(),
        };
        assert_words(
            &shown.render().unwrap(),
            &["data-through=\"88\"", "data-document=\"17/safety\""],
        );
    }
}
