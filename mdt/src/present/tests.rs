#![allow(clippy::unwrap_used)]
use std::collections::HashMap;

use askama::Template;
use mobile_core::{
    AttachmentState, AttachmentView, EntryView as Stored, Intel, Lease, LeaseState, MineState,
    Packet, ShownTo,
};
use packet::{
    Acknowledgement, Actor, Attachment, Author, CallId, Caution, Compartment, Confidence,
    Correction, DeviceNumber, DocumentId, Entry, EntryId, Finding, Link, LinkHow, Note, Outcome,
    OutcomeState, Topic, UnitState, UnitStatus, Written,
};
use serde_json::{Map, json};

use super::{Scene, open_packet};
use crate::words::Times;

const NOON_MS: i64 = 1_767_268_982_000;
const ME: &str = "J. Diaz (4A12)";
const DEVICE: Author = Author::Device(DeviceNumber(7));
const CENTER: Author = Author::Center(1 << 31);

fn scene() -> Scene {
    Scene {
        times: Times::utc(),
        now_ms: NOON_MS,
        is_online: true,
        officer: ME.into(),
        purposes: vec![],
        unit: "4A12".into(),
        last_heard_ms: Some(NOON_MS),
        titles: HashMap::new(),
    }
}

/// What nobody keeps stands on the page while there is a link, and goes with it.
#[test]
fn intelligence_is_asked_for_with_a_link_and_leaves_the_page_with_it() {
    let region = |is_online| {
        let scene = Scene {
            is_online,
            ..scene()
        };
        let view = open_packet::view(&scene, &packet(vec![]));
        view.intel.render().unwrap()
    };
    assert!(region(true).contains("Ask the center"), "{}", region(true));
    // Another region than before: it takes the place of what was answered.
    let offline = region(false);
    assert!(
        offline.contains("Without a link") && !offline.contains("hx-post"),
        "{offline}"
    );

    let finding = Entry::Finding(Finding {
        source: "Intelligence".into(),
        title: "Gang file".into(),
        text: "MEMBER OF 4TH ST".into(),
        query: "plate ABC123 WI".into(),
        recorded_ms: None,
        answered_ms: NOON_MS,
        confidence: Confidence::Exact,
        topic: Topic::Record,
        link: None,
        ends_ms: None,
        answers: None,
    });
    let known = stored(CENTER, 1, finding);
    let asked = |entries, earlier| {
        let shown = open_packet::intel(&scene(), CallId(17), Intel { entries, earlier });
        shown.render().unwrap()
    };
    let html = asked(vec![known], 3);
    for wanted in [
        "Gang file: MEMBER OF 4TH ST",
        "3 older did not fit",
        "As the center had it at",
    ] {
        assert!(html.contains(wanted), "{wanted}: {html}");
    }
    assert!(asked(vec![], 0).contains("Nothing for you about this call."));
}

fn id(author: Author, number: u64) -> EntryId {
    EntryId {
        actor: Actor::new(author, [0; 4]),
        number,
    }
}

/// As others wrote it: at the center since a second after it was written.
fn stored(author: Author, number: u64, entry: Entry) -> Stored {
    let compartment = match entry {
        Entry::Caution(_) | Entry::Acknowledgement(_) => Compartment::Safety,
        _ => Compartment::Call,
    };
    Stored {
        id: id(author, number),
        document: DocumentId::new(CallId(17), compartment),
        written: Written {
            entry,
            clock_off_ms: None,
            instead: None,
        },
        author_ms: NOON_MS,
        received_ms: Some(NOON_MS + 1_000),
        seq: Some(number),
        mine: None,
        shown_to: vec![],
        corrected_by: None,
        attachment: None,
    }
}

fn mine(number: u64, entry: Entry, state: MineState) -> Stored {
    let is_at_center = state == MineState::AtCenter;
    let stored = stored(DEVICE, number, entry);
    Stored {
        received_ms: stored.received_ms.filter(|_| is_at_center),
        seq: stored.seq.filter(|_| is_at_center),
        mine: Some(state),
        ..stored
    }
}

fn note(text: &str) -> Entry {
    Entry::Note(Note {
        text: text.into(),
        by: ME.into(),
    })
}

fn caution(by: &str) -> Entry {
    Entry::Caution(Caution {
        text: "Knife in the kitchen".into(),
        by: by.into(),
        ends_ms: None,
    })
}

fn tap(of: EntryId, unit: &str) -> Entry {
    Entry::Acknowledgement(Acknowledgement {
        of,
        by: format!("K. Roe ({unit})"),
        unit: unit.into(),
    })
}

fn status(unit: &str, by: &str, status: UnitState) -> Entry {
    Entry::UnitStatus(UnitStatus {
        unit: unit.into(),
        status,
        by: by.into(),
    })
}

fn packet(entries: Vec<Stored>) -> Packet {
    Packet {
        call: CallId(17),
        facts: None,
        entries,
        leases: vec![],
    }
}

#[test]
fn an_officer_is_told_that_records_leave_soon_and_that_they_have_left() {
    let said = |state| {
        let lease = Lease {
            compartment: Compartment::Juvenile,
            state,
        };
        let packet = Packet {
            leases: vec![lease],
            ..packet(vec![])
        };
        open_packet::view(&scene(), &packet).summary.leases
    };
    assert!(said(LeaseState::Held).is_empty());
    assert!(said(LeaseState::EndsSoon)[0].contains("leave this laptop soon"));
    assert!(said(LeaseState::Ended)[0].contains("They come again"));
}

fn assert_words(html: &str, words: &[&str]) {
    for word in words {
        assert!(html.contains(word), "{word} is missing in {html}");
    }
}

#[test]
fn an_entry_of_mine_goes_from_this_device_to_the_center_to_somebodys_screen() {
    let seen = Stored {
        shown_to: vec![ShownTo {
            who: "analyst Lund".into(),
            at_ms: NOON_MS + 60_000,
        }],
        ..mine(3, note("three"), MineState::AtCenter)
    };
    let packet = packet(vec![
        mine(1, note("one"), MineState::OnDevice),
        mine(2, note("two"), MineState::AtCenter),
        seen,
        mine(
            4,
            status("4A12", ME, UnitState::Clear),
            MineState::Refused {
                reason: "the call is closed".into(),
            },
        ),
    ]);
    let html = open_packet::view(&scene(), &packet).notes.render().unwrap();
    assert_words(
        &html,
        &[
            "On this device</b>, not at the center yet",
            "at the center</b>",
            "shown to analyst Lund 12:04:02",
            "written 12:03:02 by this device · received 12:03:03 at the center",
            "Not accepted: the call is closed",
            "4A12: Clear",
        ],
    );
}

#[test]
fn a_note_of_the_officer_before_me_on_this_laptop_is_not_called_mine() {
    let theirs = Entry::Note(Note {
        text: "gate is open".into(),
        by: "A. Poe (2B1)".into(),
    });
    let packet = packet(vec![mine(1, theirs, MineState::OnDevice)]);
    let notes = open_packet::view(&scene(), &packet).notes;
    assert_eq!(notes.entries.first().unwrap().author, "A. Poe (2B1)");
}

#[test]
fn a_caution_asks_until_somebody_of_my_unit_has_tapped() {
    let of = id(CENTER, 1);
    let mut entries = vec![stored(CENTER, 1, caution("K. Lund"))];
    let asks = |entries: &[Stored]| {
        let view = open_packet::view(&scene(), &packet(entries.to_vec()));
        view.cautions.cautions.first().unwrap().asks
    };
    assert!(asks(&entries));
    entries.push(stored(CENTER, 2, tap(of, "9Z9")));
    assert!(asks(&entries), "another unit's tap is not ours");
    let refused = MineState::Refused {
        reason: "forged".into(),
    };
    entries.push(mine(3, tap(of, "4A12"), refused));
    assert!(asks(&entries), "what the center did not take is no tap");
    entries.push(mine(4, tap(of, "4A12"), MineState::OnDevice));
    assert!(!asks(&entries));
    let view = open_packet::view(&scene(), &packet(entries));
    assert_words(
        &view.cautions.render().unwrap(),
        &[
            "K. Roe (9Z9) 12:03:03 at the center",
            "K. Roe (4A12) 12:03:02 by this device, not at the center yet",
        ],
    );
}

#[test]
fn my_own_caution_does_not_ask_me() {
    let packet = packet(vec![mine(1, caution(ME), MineState::AtCenter)]);
    let view = open_packet::view(&scene(), &packet);
    assert!(!view.cautions.cautions.first().unwrap().asks);
}

#[test]
fn what_was_withdrawn_is_struck_through_and_does_not_ask() {
    let withdrawal = Entry::Correction(Correction {
        of: id(CENTER, 1),
        text: None,
        by: "K. Lund".into(),
    });
    let withdrawal = Stored {
        document: DocumentId::new(CallId(17), Compartment::Safety),
        ..stored(CENTER, 2, withdrawal)
    };
    let withdrawn = Stored {
        corrected_by: Some(withdrawal.id),
        ..stored(CENTER, 1, caution("K. Lund"))
    };
    let view = open_packet::view(&scene(), &packet(vec![withdrawn, withdrawal]));
    assert!(view.notes.entries.is_empty());
    assert_words(
        &view.cautions.render().unwrap(),
        &[
            "<s>Knife in the kitchen</s>",
            "Withdrawn.",
            "12:03:03 at the center",
        ],
    );
    assert!(!view.cautions.cautions.first().unwrap().asks);
}

#[test]
fn a_kind_that_this_version_does_not_know_is_shown_plainly() {
    let mut fields = Map::new();
    fields.insert("floor".into(), json!(3));
    fields.insert("text".into(), json!("<b>roof</b>"));
    let unknown = Entry::Other {
        kind: "floor_plan".into(),
        fields,
    };
    let packet = packet(vec![stored(CENTER, 1, unknown)]);
    let html = open_packet::view(&scene(), &packet).notes.render().unwrap();
    assert_words(
        &html,
        &["floor_plan", "floor: 3; text: &#60;b&#62;roof&#60;/b&#62;"],
    );
}

#[test]
fn of_several_statuses_and_outcomes_the_last_is_current() {
    let outcome = |state| {
        Entry::Outcome(Outcome {
            source: "Vehicles".into(),
            query: "ABC-123".into(),
            state,
            took_ms: None,
            detail: None,
            as_of_ms: None,
            answers: None,
        })
    };
    let packet = packet(vec![
        stored(CENTER, 1, outcome(OutcomeState::Asked)),
        stored(CENTER, 2, status("4A12", "dispatch", UnitState::Assigned)),
        stored(CENTER, 3, outcome(OutcomeState::TimedOut)),
        mine(
            4,
            status("4A12", ME, UnitState::OnScene),
            MineState::OnDevice,
        ),
    ]);
    let view = open_packet::view(&scene(), &packet);
    assert_eq!(view.sources.sources.len(), 1);
    assert_words(&view.sources.render().unwrap(), &["Did not answer in time"]);
    assert_eq!(view.status.current.as_deref(), Some("on-scene"));
    assert_words(
        &view.status.current_text,
        &["12:03", "not at the center yet"],
    );
    assert_words(&view.units.render().unwrap(), &["On scene", "J. Diaz"]);
}

#[test]
fn what_a_page_shows_changes_with_the_log_and_not_with_what_is_unsent() {
    let first = packet(vec![stored(CENTER, 1, caution("K. Lund"))]);
    let mut more = first.clone();
    more.entries
        .push(mine(2, note("mine"), MineState::OnDevice));
    assert_eq!(open_packet::through(&first), open_packet::through(&more));
    more.entries.push(stored(CENTER, 3, note("news")));
    assert_ne!(open_packet::through(&first), open_packet::through(&more));
}

#[test]
fn an_attachment_says_how_far_it_has_come_and_offers_only_what_can_be_done() {
    let attachment = Entry::Attachment(Attachment {
        blob: "0a".repeat(32),
        thumbnail: None,
        media_type: "image/jpeg".into(),
        bytes: 1_200_000,
        name: "<b>door.jpg".into(),
        by: "K. Lund".into(),
    });
    let html = |state: AttachmentState, bytes_here: u32| {
        let mut stored = stored(CENTER, 3, attachment.clone());
        stored.attachment = Some(AttachmentView {
            blob: "0a".repeat(32),
            thumbnail: Some("f9".repeat(32)),
            bytes_here,
            state,
        });
        let packet = packet(vec![stored]);
        open_packet::view(&scene(), &packet).notes.render().unwrap()
    };
    let fetch = "Fetch the whole";
    let open = "Open the whole";
    let cases = [
        (
            AttachmentState::OnItsWay,
            0,
            "1200 KB, on its way: not at the center yet",
            [false, false],
        ),
        (
            AttachmentState::AtCenter,
            0,
            "1200 KB, at the center",
            [true, false],
        ),
        (
            AttachmentState::Coming,
            600_000,
            "coming: 600 of 1200 KB",
            [false, false],
        ),
        (
            AttachmentState::Here,
            1_200_000,
            "on this device, at the center",
            [false, true],
        ),
        (
            AttachmentState::Sending {
                bytes_at_center: 5_000,
            },
            1_200_000,
            "on this device; 5 of 1200 KB are at the center",
            [false, true],
        ),
    ];
    for (state, bytes_here, words, [can_fetch, is_here]) in cases {
        let html = html(state, bytes_here);
        assert_words(&html, &[words, "&#60;b&#62;door.jpg", "attachments/f9f9"]);
        assert_eq!(html.contains(fetch), can_fetch, "{html}");
        assert_eq!(html.contains(open), is_here, "{html}");
    }
}

#[test]
fn the_packet_opens_on_what_matters_and_the_tap_is_on_it() {
    let refused = mine(
        9,
        caution(ME),
        MineState::Refused {
            reason: "too large".into(),
        },
    );
    let entries = vec![
        stored(CENTER, 1, caution("K. Lund")),
        mine(2, note("my own words"), MineState::AtCenter),
        stored(CENTER, 3, note("their words")),
        refused,
    ];
    let view = open_packet::view(&scene(), &packet(entries));
    let html = view.glance.render().unwrap();
    assert_words(
        &html,
        &[
            "Knife in the kitchen",
            "data-asks=",
            "name=\"entry\"",
            "their words",
            "K. Lund",
            "12:03:03 at the center",
        ],
    );
    assert!(!html.contains("my own words"), "{html}");
    assert_eq!(html.matches("Knife in the kitchen").count(), 1, "{html}");
    let tapped = vec![
        stored(CENTER, 1, caution("K. Lund")),
        stored(DEVICE, 2, tap(id(CENTER, 1), "4A12")),
    ];
    let view = open_packet::view(&scene(), &packet(tapped));
    let html = view.glance.render().unwrap();
    assert!(!html.contains("data-asks"), "{html}");
    let unsent = vec![mine(1, caution(ME), MineState::OnDevice)];
    let view = open_packet::view(&scene(), &packet(unsent));
    assert_words(
        &view.glance.render().unwrap(),
        &["by this device, not at the center yet"],
    );
}

#[test]
fn a_link_names_the_other_call_where_its_packet_is_on_this_device_alone() {
    let link = stored(
        CENTER,
        1,
        Entry::Link(Link {
            other: CallId(18),
            how: LinkHow::Proposed,
            why: "150 m and 5 min apart, both weapons".into(),
            by: "The center".into(),
        }),
    );
    let packet = packet(vec![link]);
    let shown = |scene: &Scene| open_packet::view(scene, &packet).notes.render().unwrap();
    let apart = "150 m and 5 min apart, both weapons";
    let html = shown(&scene());
    let unknown = format!("Perhaps the same event as a call that is not on this device: {apart}");
    assert!(html.contains(&unknown), "{html}");
    let both = Scene {
        titles: HashMap::from([(CallId(18), "26-2 (FIGHT, 1 MAIN ST)".to_owned())]),
        ..scene()
    };
    let html = shown(&both);
    let known = format!("Perhaps the same event as 26-2 (FIGHT, 1 MAIN ST): {apart}");
    assert!(html.contains(&known), "{html}");
}
