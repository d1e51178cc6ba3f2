#![allow(clippy::unwrap_used)]
use proptest::prelude::*;

use super::*;
use crate::entry::{
    Acknowledgement, Caution, Confidence, Correction, Finding, Mention, MentionWhat, Note, Topic,
};
use crate::ids::{Actor, Author};

const NOW_MS: i64 = 1_000_000;

fn id(number: u64) -> EntryId {
    EntryId {
        actor: Actor::new(Author::Center(1 << 31), [0; 4]),
        number,
    }
}

fn caution(text: &str) -> Entry {
    Entry::Caution(Caution {
        text: text.into(),
        by: "K. Lund".into(),
        ends_ms: None,
    })
}

fn note(text: &str) -> Entry {
    Entry::Note(Note {
        text: text.into(),
        by: "K. Lund".into(),
    })
}

fn finding(topic: Topic, title: &str) -> Finding {
    Finding {
        source: "Records".into(),
        title: title.into(),
        text: String::new(),
        query: "1 A ST".into(),
        recorded_ms: None,
        answered_ms: 500,
        confidence: Confidence::Exact,
        topic,
        link: None,
        ends_ms: None,
        answers: None,
    }
}

fn correction(of: u64, text: Option<&str>) -> Entry {
    Entry::Correction(Correction {
        of: id(of),
        text: text.map(Into::into),
        by: "K. Lund".into(),
    })
}

fn tap(of: u64, unit: &str) -> Entry {
    Entry::Acknowledgement(Acknowledgement {
        of: id(of),
        by: format!("Diaz ({unit})"),
        unit: unit.into(),
    })
}

/// Entries in the order of the log, numbered from 1; what is about cautions in `safety`.
fn said(entries: &[Entry]) -> Vec<Said<'_>> {
    let of = |number: usize, entry| Said {
        id: id(number as u64),
        compartment: Compartment::Call,
        entry,
        at_ms: 100 + number as i64,
        mine: false,
    };
    (1..)
        .zip(entries)
        .map(|(number, entry)| of(number, entry))
        .collect()
}

fn texts(entries: &[Entry]) -> Vec<String> {
    let glance = glance(&said(entries), Some("4A12"), NOW_MS);
    glance.lines.into_iter().map(|line| line.text).collect()
}

#[test]
fn the_table_in_the_docs_is_the_table_in_the_code() {
    let text = include_str!("../../../docs/one-glance.md");
    let rows: Vec<Vec<&str>> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"))
        .map(|row| row.split(" | ").collect::<Vec<_>>())
        .filter(|row| row[0].parse::<usize>().is_ok())
        .collect();
    let in_code: Vec<Vec<String>> = (1..)
        .zip(RULES)
        .map(|(number, rule)| {
            vec![
                number.to_string(),
                rule.name.into(),
                rule.of.into(),
                rule.lines_max.to_string(),
            ]
        })
        .collect();
    assert_eq!(rows, in_code);
    for (at, rule) in RULES.iter().enumerate() {
        assert_eq!(rule.rank as usize, at, "{:?}", rule.rank);
    }
    let words = VIOLENCE_WORDS.join(", ");
    assert!(text.contains(&words), "the words of violence: {words}");
    assert!(text.contains(&format!("at most {LINES_MAX} lines")));
}

#[test]
fn what_can_hurt_comes_first_and_each_line_says_whose_it_is() {
    let vehicle = Finding {
        text: "2011 red Ford\nRegistered owner: A. Person".into(),
        recorded_ms: Some(7),
        ..finding(Topic::Vehicle, "Plate ABC123 WI")
    };
    let entries = [
        Entry::Finding(vehicle),
        note("Back door is open"),
        Entry::Finding(finding(Topic::Earlier, "2 earlier calls here")),
        Entry::Finding(finding(Topic::Wanted, "A. Person is wanted")),
        Entry::Finding(finding(
            Topic::Earlier,
            "3 earlier calls here, 1 with violence",
        )),
        caution("Large dog in the yard"),
        Entry::Finding(finding(Topic::Record, "Liquor licence")),
    ];
    let glance = glance(&said(&entries), Some("4A12"), NOW_MS);
    let ranks: Vec<Rank> = glance.lines.iter().map(|line| line.rank).collect();
    assert_eq!(
        ranks,
        [
            Rank::CautionAsks,
            Rank::Wanted,
            Rank::Violence,
            Rank::Note,
            Rank::Vehicle
        ]
    );
    assert_eq!((glance.below, glance.cautions_below), (2, 0));
    let vehicle = &glance.lines[4];
    assert_eq!(
        vehicle.text,
        "Plate ABC123 WI: 2011 red Ford; Registered owner: A. Person"
    );
    assert_eq!(vehicle.fresh, Fresh::Recorded(7));
    assert_eq!(glance.lines[0].source, "K. Lund");
    assert_eq!(glance.lines[1].fresh, Fresh::Answered(500));
}

#[test]
fn a_caution_that_my_unit_tapped_on_stands_behind_one_that_waits() {
    let entries = [
        caution("Armed"),
        caution("Dog"),
        tap(1, "4A12"),
        tap(2, "2A15"),
    ];
    assert_eq!(texts(&entries), ["Dog", "Armed"]);
    // For the console anybody's tap does.
    let glance = glance(&said(&entries), None, NOW_MS);
    assert!(glance.lines.iter().all(|line| line.rank == Rank::Caution));
    // One's own waits for nobody.
    let mut own = said(&entries[..1]);
    own[0].mine = true;
    assert_eq!(
        super::glance(&own, Some("4A12"), NOW_MS).lines[0].rank,
        Rank::Caution
    );
}

#[test]
fn what_was_withdrawn_or_has_ended_is_no_line_and_a_correction_speaks_instead() {
    let ended = Entry::Caution(Caution {
        ends_ms: Some(NOW_MS),
        ..match caution("Ended") {
            Entry::Caution(caution) => caution,
            _ => unreachable!(),
        }
    });
    let bolo = Finding {
        ends_ms: Some(NOW_MS + 1),
        ..finding(Topic::Bolo, "Red Ford")
    };
    let entries = [
        caution("Man with a gun"),
        caution("Gas leak"),
        ended,
        Entry::Finding(bolo),
        correction(1, Some("It is a toy")),
        correction(2, None),
    ];
    assert_eq!(texts(&entries), ["Corrected: It is a toy", "Red Ford"]);
}

#[test]
fn words_that_a_caution_repeats_are_no_line_of_their_own() {
    let mention = |words: &str| {
        Entry::Mention(Mention {
            what: MentionWhat::Weapon,
            value: "KNIFE".into(),
            words: words.into(),
            of: None,
        })
    };
    let entries = [
        caution("Caller's words: \"he has a knife\" (unverified)"),
        mention("he has a knife"),
        mention("a machete"),
    ];
    assert_eq!(
        texts(&entries)[1..],
        ["\u{201c}a machete\u{201d} (unverified)"]
    );
}

#[test]
fn a_title_does_not_repeat_the_rank_beside_it() {
    let entries = [
        Entry::Finding(finding(Topic::Stolen, "Stolen: KRT482 WI")),
        Entry::Finding(finding(Topic::Vehicle, "Stolen: KRT482 WI")),
    ];
    assert_eq!(texts(&entries), ["KRT482 WI", "Stolen: KRT482 WI"]);
}

#[test]
fn of_four_cameras_the_first_has_a_line_and_the_rest_are_counted() {
    let camera = |name: &str| {
        Entry::Finding(Finding {
            link: Some(format!("rtsp://cameras.example/{name}")),
            ..finding(Topic::Camera, name)
        })
    };
    let entries = ["a", "b", "c", "d"].map(camera);
    let glance = glance(&said(&entries), None, NOW_MS);
    assert_eq!(glance.lines.len(), 1);
    assert_eq!(
        glance.lines[0].link.as_deref(),
        Some("rtsp://cameras.example/a")
    );
    assert_eq!((glance.lines[0].more, glance.below), (3, 3));
}

#[test]
fn an_exact_match_comes_before_a_newer_lead() {
    let lead = Finding {
        confidence: Confidence::Phonetic,
        answered_ms: 900,
        ..finding(Topic::Wanted, "A. Pearson is wanted")
    };
    let entries = [
        Entry::Finding(lead),
        Entry::Finding(finding(Topic::Wanted, "A. Person is wanted")),
    ];
    assert_eq!(
        texts(&entries),
        ["A. Person is wanted", "A. Pearson is wanted"]
    );
}

#[test]
fn violence_next_door_is_no_violence_here() {
    let near = Finding {
        confidence: Confidence::Nearby,
        ..finding(Topic::Earlier, "5 earlier calls near by, 1 with violence")
    };
    let entries = [Entry::Finding(near)];
    let glance = glance(&said(&entries), None, NOW_MS);
    assert_eq!(glance.lines[0].rank, Rank::Earlier);
    assert!(glance.lines[0].is_lead);
    for (words, is) in [
        ("BATTERY DV", true),
        ("SHOTS FIRED", true),
        ("ARMY SURPLUS", false),
        ("TRAFFIC STOP", false),
        ("SHOTSPOTTER", true),
    ] {
        assert_eq!(names_violence(words), is, "{words}");
    }
}

#[test]
fn a_line_is_one_line_and_cut_at_its_limit() {
    let entries = [caution(&format!("first\n  second {}", "x".repeat(400)))];
    let text = &texts(&entries)[0];
    assert_eq!(text.chars().count(), LINE_CHARS_MAX);
    assert!(text.starts_with("first; second x") && text.ends_with('…'));
}

fn any_finding() -> impl Strategy<Value = Entry> {
    let topics = [
        Topic::Record,
        Topic::Weapon,
        Topic::Wanted,
        Topic::Missing,
        Topic::Stolen,
        Topic::Bolo,
        Topic::Premise,
        Topic::Person,
        Topic::Vehicle,
        Topic::Earlier,
        Topic::Near,
        Topic::Camera,
    ];
    let confidence = [Confidence::Exact, Confidence::Partial, Confidence::Nearby];
    (
        prop::sample::select(topics.to_vec()),
        prop::sample::select(confidence.to_vec()),
        0..2_000_i64,
        "[a-z]{1,4}",
        prop::option::of(NOW_MS - 1..NOW_MS + 2),
    )
        .prop_map(|(topic, confidence, answered_ms, title, ends_ms)| {
            Entry::Finding(Finding {
                confidence,
                answered_ms,
                ends_ms,
                ..finding(topic, &title)
            })
        })
}

/// What can stand at any place of a packet; `of` is one of the first forty entries.
fn any_entry() -> impl Strategy<Value = Entry> {
    prop_oneof![
        3 => any_finding(),
        2 => "[a-z]{1,4}".prop_map(|text| caution(&text)),
        1 => "[a-z]{1,4}".prop_map(|text| note(&text)),
        1 => (1..40_u64, prop::option::of("[A-Z]{1,4}"))
            .prop_map(|(of, text)| correction(of, text.as_deref())),
        1 => (1..40_u64).prop_map(|of| tap(of, "4A12")),
    ]
}

proptest! {
    #[test]
    fn a_glance_is_short_deterministic_and_honest(
        entries in prop::collection::vec(any_entry(), 0..40),
        rotate in 0..40_usize,
    ) {
        let said = said(&entries);
        let first = glance(&said, Some("4A12"), NOW_MS);
        prop_assert!(first.lines.len() <= LINES_MAX);
        let last_caution = first.lines.iter().rposition(|line| line.rank.is_caution());
        let first_other = first.lines.iter().position(|line| !line.rank.is_caution());
        if let (Some(caution), Some(other)) = (last_caution, first_other) {
            prop_assert!(caution < other);
        }
        if first.cautions_below > 0 {
            prop_assert!(first.lines.iter().all(|line| line.rank.is_caution()));
        }
        for line in &first.lines {
            let later = entries.iter().rev().find_map(|entry| match entry {
                Entry::Correction(correction) if correction.of == line.id => Some(&correction.text),
                _ => None,
            });
            match later {
                Some(None) => prop_assert!(false, "a withdrawn entry has a line"),
                Some(Some(text)) => prop_assert_eq!(&line.text, &format!("Corrected: {text}")),
                None => {}
            }
            let at = usize::try_from(line.id.number).unwrap() - 1;
            if let Entry::Finding(Finding { ends_ms: Some(ends_ms), .. }) = &entries[at] {
                prop_assert!(*ends_ms > NOW_MS, "an ended finding has a line");
            }
        }
        // The order does not hang on the order in which entries that correct nothing are given.
        let (mut plain, last): (Vec<_>, Vec<_>) = said
            .iter()
            .partition(|said| !matches!(said.entry, Entry::Correction(_)));
        let rotate = rotate.min(plain.len());
        plain.rotate_left(rotate);
        plain.extend(last);
        prop_assert_eq!(glance(&plain, Some("4A12"), NOW_MS), first);
    }
}
