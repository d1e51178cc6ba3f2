#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use jiff::Timestamp;
use packet::{CenterId, Correction, Note};

use super::*;
use crate::calls;
use crate::intake::{CallReport, CallStatus};
use crate::log::{Desk, LogOptions, Surroundings, Task, document};
use crate::triage::Rules;

struct Bench {
    desk: Desk,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = LogOptions {
            center: CenterId([1; 16]),
            store_key: [2; 32],
            mac_key: [3; 32],
        };
        let rules = Rules::default();
        let surroundings = Surroundings::default().reading(move |words| rules.entities(words));
        let path = folder.path().join("center.db");
        Self {
            desk: Desk::open(&path, &options, &surroundings, |_| ()).unwrap(),
            _folder: folder,
        }
    }

    fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> T {
        let (answer, answered) = mpsc::channel();
        self.desk
            .commit([Task::new(work, move |result| answer.send(result).unwrap())]);
        answered.recv().unwrap().unwrap()
    }

    fn call(&mut self, narrative: &str) -> CallId {
        let report = CallReport {
            agency: "pd".into(),
            number: "1".into(),
            received: Timestamp::UNIX_EPOCH,
            updated: Timestamp::now(),
            nature: "FIGHT".into(),
            location: "1 MAIN ST".into(),
            latitude: None,
            longitude: None,
            district: None,
            priority: None,
            narrative: vec![narrative.into()],
            plates: vec![],
            units: vec![],
            status: CallStatus::Open,
        };
        let triage = Rules::default().triage(&report);
        self.write(move |ledger| calls::report(ledger, &report, &triage))
            .call
    }

    fn note(&mut self, document: DocumentId, text: &str) -> EntryId {
        let note = Note {
            text: text.into(),
            by: "Diaz (4A12)".into(),
        };
        self.write(move |ledger| ledger.append(document, Entry::Note(note)))
            .id
    }

    /// What, value and words of each mention, and what it is of.
    fn mentions(
        &mut self,
        document_id: DocumentId,
    ) -> Vec<(MentionWhat, String, String, Option<EntryId>)> {
        self.write(move |ledger| {
            let logged = document(ledger.sql(), document_id)?;
            let mentions = logged
                .into_iter()
                .filter_map(|l| match l.inspected.written.entry {
                    Entry::Mention(mention) => {
                        Some((mention.what, mention.value, mention.words, mention.of))
                    }
                    _ => None,
                });
            Ok(mentions.collect())
        })
    }

    fn calls_with(&mut self, what: MentionWhat, value: &str) -> Vec<i64> {
        let key = key(what, value);
        self.write(move |ledger| {
            let mut statement = ledger
                .sql()
                .prepare("SELECT call FROM mentions WHERE what = ?1 AND key = ?2 ORDER BY seq")?;
            let calls = statement.query_map(params![name(what), key], |row| row.get(0))?;
            Ok(calls.collect::<Result<_, _>>()?)
        })
    }
}

fn words_of(call: CallId) -> DocumentId {
    DocumentId::new(call, Compartment::Call)
}

#[test]
fn what_the_words_name_stands_behind_them_once_and_in_the_index() {
    let mut bench = Bench::new();
    let call = bench.call("GRY HONDA CIVIC WI PLATE KRT482, SUBJ JAMAR T. OWENS DOB 8-8-90 W/ HANDGUN. CALL 414-555-0118");
    let found: Vec<_> = bench
        .mentions(words_of(call))
        .into_iter()
        .map(|(what, value, ..)| (what, value))
        .collect();
    assert_eq!(
        found,
        [
            (MentionWhat::Vehicle, "gray Honda Civic".into()),
            (MentionWhat::Plate, "KRT482 WI".into()),
            (MentionWhat::Person, "OWENS, JAMAR T 1990-08-08".into()),
            (MentionWhat::Weapon, "gun: handgun".into()),
            (MentionWhat::Phone, "4145550118".into()),
        ]
    );
    let again = bench.call("GRY HONDA CIVIC WI PLATE KRT482, SUBJ JAMAR T. OWENS DOB 8-8-90 W/ HANDGUN. CALL 414-555-0118. NOW FLED");
    assert_eq!((again, bench.mentions(words_of(call)).len()), (call, 5));
    for (what, value) in [
        (MentionWhat::Plate, "krt-482"),
        (MentionWhat::Person, "Owens, Jamar"),
        (MentionWhat::Phone, "4145550118"),
        (MentionWhat::Weapon, "gun"),
    ] {
        assert_eq!(
            bench.calls_with(what, value),
            [call.0.cast_signed()],
            "{value}"
        );
    }
    assert!(bench.calls_with(MentionWhat::Plate, "KRT483").is_empty());
}

#[test]
fn notes_and_corrections_are_read_too_and_each_mention_says_where_its_words_stand() {
    let mut bench = Bench::new();
    let call = bench.call("LOUD MUSIC");
    let note = bench.note(words_of(call), "partial plate 5KP, at 5237 N 35TH ST APT 4");
    let correction = Correction {
        of: note,
        text: Some("plate ABC1234".into()),
        by: "Diaz (4A12)".into(),
    };
    let correction = bench
        .write(move |ledger| ledger.append(words_of(call), Entry::Correction(correction)))
        .id;
    assert_eq!(
        bench.mentions(words_of(call)),
        [
            (
                MentionWhat::PartialPlate,
                "5KP".into(),
                "partial plate 5KP".into(),
                Some(note)
            ),
            (
                MentionWhat::Address,
                "5237 N 35TH ST APT 4".into(),
                "5237 N 35TH ST APT 4".into(),
                Some(note)
            ),
            (
                MentionWhat::Plate,
                "ABC1234".into(),
                "plate ABC1234".into(),
                Some(correction)
            ),
        ]
    );
    assert_eq!(
        bench.calls_with(MentionWhat::Address, "5237 North 35th Street #4"),
        [call.0.cast_signed()]
    );
}

#[test]
fn a_given_name_alone_and_what_is_restricted_have_no_mention() {
    let mut bench = Bench::new();
    let call = bench.call("HUSBAND DAVID W/M 40S RED SHIRT");
    assert_eq!(bench.mentions(words_of(call)), []);
    let intel = DocumentId::new(call, Compartment::Intel);
    bench.note(intel, "plate ABC1234");
    assert_eq!(bench.mentions(intel), []);
    assert_eq!(bench.mentions(words_of(call)), []);
}

#[test]
fn a_call_has_no_more_mentions_than_it_may() {
    let mut bench = Bench::new();
    let call = bench.call("LOUD MUSIC");
    for from in (1000..1000 + 2 * MENTIONS_MAX).step_by(20) {
        let plates: Vec<String> = (from..from + 20).map(|n| format!("plate ABC{n}")).collect();
        bench.note(words_of(call), &plates.join(", "));
    }
    let mentions = i64::try_from(bench.mentions(words_of(call)).len()).unwrap();
    assert_eq!(mentions, MENTIONS_MAX);
}
