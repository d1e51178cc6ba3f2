#![allow(clippy::unwrap_used)]

use std::sync::mpsc;

use jiff::Timestamp;
use jiff::tz::TimeZone;
use packet::{
    CallId, Caution, CenterId, Correction, DocumentId, Entry, Facts, Mention, MentionWhat, Note,
};
use tempfile::TempDir;

use super::criteria::Criteria;
use super::*;
use crate::intake::{CallReport, CallStatus};
use crate::log::{Appended, Desk, Ledger, LogError, LogOptions, Surroundings, Task};
use crate::policy::{Act, Actor, LivePolicies, Role, Sight};
use crate::triage::Rules;

/// A log without a center around it.
pub(crate) struct Bench {
    desk: Desk,
    rules: Rules,
    folder: TempDir,
}

impl Bench {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self {
            desk: desk(&folder),
            rules: Rules::default(),
            folder,
        }
    }

    /// As after a stop of the center.
    pub(crate) fn again(self) -> Self {
        drop(self.desk);
        Self {
            desk: desk(&self.folder),
            ..self
        }
    }

    pub(crate) fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    pub(crate) fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let (answer, answered) = mpsc::channel();
        let task = Task::new(work, move |result| answer.send(result).unwrap());
        self.desk.commit([task]);
        answered.recv().unwrap()
    }

    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> Result<T, LogError>,
    ) -> T {
        self.desk.readers().read_blocking(read).unwrap()
    }

    pub(crate) fn report(&mut self, report: CallReport) -> CallId {
        let triage = self.rules.triage(&report);
        self.write(move |ledger| crate::calls::report(ledger, &report, &triage))
            .unwrap()
            .call
    }

    pub(crate) fn append(&mut self, call: CallId, entry: Entry) -> Appended {
        let compartment = match entry {
            Entry::Caution(_) => Compartment::Safety,
            _ => Compartment::Call,
        };
        self.append_to(DocumentId::new(call, compartment), entry)
    }

    pub(crate) fn append_to(&mut self, document: DocumentId, entry: Entry) -> Appended {
        self.write(move |ledger| ledger.append(document, entry))
            .unwrap()
    }

    fn find(&self, criteria: &Criteria) -> Found {
        let page = Page {
            after: None,
            limit: 10,
        };
        self.read(|c| find(c, criteria, &Sight::everywhere(&Ledger::carried()), page))
    }

    fn calls(&self, criteria: &Criteria) -> Vec<CallId> {
        let found = self.find(criteria);
        assert_eq!(found.total, found.packets.len() as u64);
        found
            .packets
            .into_iter()
            .map(|packet| packet.call)
            .collect()
    }
}

pub(crate) fn desk(folder: &TempDir) -> Desk {
    let options = LogOptions {
        center: CenterId([1; 16]),
        store_key: [2; 32],
        mac_key: [3; 32],
    };
    let path = folder.path().join("log.db");
    Desk::open(&path, &options, &Surroundings::default(), |_| {}).unwrap()
}

/// Received as many minutes after 2026-11-01 as its number says.
pub(crate) fn report(number: i64, nature: &str, location: &str) -> CallReport {
    let start: Timestamp = "2026-11-01T00:00:00Z".parse().unwrap();
    let received = Timestamp::from_second(start.as_second() + number * 60).unwrap();
    CallReport {
        agency: "pd".into(),
        number: format!("26-{number}"),
        received,
        updated: received,
        nature: nature.into(),
        location: location.into(),
        latitude: None,
        longitude: None,
        district: None,
        priority: None,
        narrative: vec![],
        plates: vec![],
        units: vec![],
        status: CallStatus::Open,
    }
}

pub(crate) fn note(text: &str) -> Entry {
    Entry::Note(Note {
        text: text.into(),
        by: "K. Lund".into(),
    })
}

fn of(request: SearchRequest) -> Criteria {
    Criteria::of(&request, &TimeZone::UTC).unwrap()
}

fn words(words: &str) -> Criteria {
    of(SearchRequest {
        words: words.into(),
        ..SearchRequest::default()
    })
}

fn everything() -> Sight {
    Sight::everywhere(&Compartment::ALL)
}

#[test]
fn words_are_found_in_whatever_kind_of_entry_they_stand_and_the_newest_call_comes_first() {
    let mut bench = Bench::new();
    let first = bench.report(CallReport {
        narrative: vec!["Caller hears glass breaking in the basement".into()],
        ..report(1, "BURGLARY", "1 A ST")
    });
    let second = bench.report(report(2, "TRESPASS", "2 B ST"));
    bench.append(second, note("A red Ford left the basement garage"));
    let third = bench.report(report(3, "NOISE", "3 C ST"));
    assert_eq!(bench.calls(&words("basement")), [second, first]);
    assert_eq!(bench.calls(&words("BASE*")), [second, first]);
    assert_eq!(bench.calls(&words("\"red ford\"")), [second]);
    assert_eq!(bench.calls(&words("\"ford red\"")), []);
    // All words in one entry.
    assert_eq!(bench.calls(&words("basement glass")), [first]);
    assert_eq!(bench.calls(&words("basement trespass")), []);
    assert_eq!(bench.calls(&words("noise")), [third]);
    let found = bench.find(&words("glass"));
    let entry = &found.packets[0].entries[0];
    assert_eq!((entry.kind.as_str(), entry.corrected), ("facts", false));
    assert!(entry.text.contains("glass breaking"));
}

#[test]
fn plates_phones_and_persons_are_found_as_people_write_them() {
    let mut bench = Bench::new();
    let spaced = bench.report(report(1, "STOP", "1 A ST"));
    bench.append(spaced, note("plate ABC 123, phone 414-555-0123"));
    let joined = bench.report(report(2, "STOP", "2 A ST"));
    let mention = Mention {
        what: MentionWhat::Plate,
        value: "ABC123".into(),
        words: "tag ABC123".into(),
        of: None,
    };
    bench.append(joined, Entry::Mention(mention));
    bench.append(joined, note("driver is SMITH, JOHN Q, call 4145550123"));
    let other = bench.report(report(3, "STOP", "3 A ST"));
    bench.append(other, note("ABC 124; John is not here, Miller says"));
    let by = |field: fn(&mut SearchRequest, String), value: &str| {
        let mut request = SearchRequest::default();
        field(&mut request, value.to_owned());
        bench.calls(&of(request))
    };
    assert_eq!(by(|r, v| r.plate = v, "abc-123"), [joined, spaced]);
    assert_eq!(by(|r, v| r.plate = v, "ABC123 WI"), [joined, spaced]);
    assert_eq!(by(|r, v| r.phone = v, "(414) 555-0123"), [joined, spaced]);
    assert_eq!(by(|r, v| r.person = v, "John Smith"), [joined]);
    assert_eq!(by(|r, v| r.person = v, "Miller"), [other]);
}

#[test]
fn an_address_finds_its_apartments_a_circle_what_is_in_it_and_a_time_what_came_then() {
    let mut bench = Bench::new();
    let at = |number, location, north_m: f64| CallReport {
        latitude: Some(43.0 + north_m / 111_320.0),
        longitude: Some(-88.0),
        ..report(number, "NOISE", location)
    };
    let house = bench.report(at(1, "5237 N 35TH ST,MKE", 0.0));
    let flat = bench.report(at(2, "5237 N 35TH ST APT 4", 1.0));
    let corner = bench.report(at(3, "5300 N 35TH ST", 99.0));
    let beyond = bench.report(at(4, "5400 N 35TH ST", 102.0));
    let address = |address: &str| {
        of(SearchRequest {
            address: address.into(),
            ..SearchRequest::default()
        })
    };
    assert_eq!(bench.calls(&address("5237 n 35th st")), [flat, house]);
    assert_eq!(bench.calls(&address("5237 N 35TH ST #9")), [flat, house]);
    let circle = SearchRequest {
        latitude: "43.0".into(),
        longitude: "-88.0".into(),
        radius_m: "100".into(),
        ..SearchRequest::default()
    };
    assert_eq!(bench.calls(&of(circle.clone())), [corner, flat, house]);
    let later = SearchRequest {
        from: "2026-11-01T00:02:00Z".into(),
        to: "2026-11-01T00:03:00Z".into(),
        ..circle
    };
    assert_eq!(bench.calls(&of(later)), [corner, flat]);
    // A place that dispatch corrects is looked up where it is now.
    let moved = CallReport {
        updated: "2026-11-02T00:00:00Z".parse().unwrap(),
        ..at(4, "5237 N 35TH ST APT 2", 2.0)
    };
    assert_eq!(bench.report(moved), beyond);
    assert_eq!(
        bench.calls(&address("5237 N 35TH ST")),
        [beyond, flat, house]
    );
}

#[test]
fn what_the_asker_may_not_see_is_neither_shown_nor_counted() {
    let mut bench = Bench::new();
    let call = bench.report(report(1, "TRESPASS", "1 A ST"));
    for compartment in [
        Compartment::Intel,
        Compartment::Juvenile,
        Compartment::Records,
    ] {
        bench.append_to(DocumentId::new(call, compartment), note("zebra"));
    }
    let found = bench.find(&words("zebra"));
    assert_eq!((found.total, found.packets.len()), (0, 0));
    // It is in the index: who may see it finds it.
    let page = Page {
        after: None,
        limit: 10,
    };
    let all = bench.read(|c| {
        find(
            c,
            &words("zebra"),
            &Sight::everywhere(&Compartment::ALL),
            page,
        )
    });
    assert_eq!((all.total, all.packets[0].entries.len()), (1, 3));
    let nobody = bench.read(|c| find(c, &words("trespass"), &Sight::everywhere(&[]), page));
    assert_eq!(nobody.total, 0);
    let policies = LivePolicies::built_in(&["pd".into()]);
    for role in [Role::Anonymous, Role::Officer] {
        let sight = Sight::of(&policies, &Actor::of(role), Act::SearchIn);
        assert_eq!(
            sight,
            Sight::of(&policies, &Actor::of(Role::Anonymous), Act::SearchIn)
        );
        assert_eq!(sight.compartments("pd"), []);
    }
}

#[test]
fn a_hidden_hit_does_not_take_the_place_of_one_that_may_be_seen() {
    let mut bench = Bench::new();
    let call = bench.report(report(1, "TRESPASS", "1 A ST"));
    bench.append(call, note("zebra in the yard"));
    for _ in 0..8 {
        bench.append_to(DocumentId::new(call, Compartment::Intel), note("zebra"));
    }
    let found = bench.find(&words("zebra"));
    let texts: Vec<&str> = found.packets[0]
        .entries
        .iter()
        .map(|e| e.text.as_str())
        .collect();
    assert_eq!(texts, ["zebra in the yard\nK. Lund"]);
}

#[test]
fn pages_come_one_after_the_other_and_lose_none() {
    let mut bench = Bench::new();
    let calls: Vec<CallId> = (0..7)
        .map(|number| bench.report(report(number / 2, "NOISE", &format!("{number} A ST"))))
        .collect();
    // Seven reports, but of two numbers each one call.
    let mut wanted = calls;
    wanted.dedup();
    wanted.reverse();
    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = Page { after, limit: 3 };
        let one = bench.read(|c| {
            find(
                c,
                &words("noise"),
                &Sight::everywhere(&Ledger::carried()),
                page,
            )
        });
        assert_eq!(one.total, wanted.len() as u64);
        found.extend(one.packets.iter().map(|packet| packet.call));
        let Some(next) = one.next else { break };
        after = Some(next.to_string().parse().unwrap());
    }
    assert_eq!(found, wanted);
}

#[test]
fn what_was_withdrawn_is_found_and_says_so() {
    let mut bench = Bench::new();
    let call = bench.report(report(1, "TRESPASS", "1 A ST"));
    let caution = Entry::Caution(Caution {
        text: "Armed with a machete".into(),
        by: "K. Lund".into(),
        ends_ms: None,
    });
    let written = bench.append(call, caution);
    let withdrawn = Entry::Correction(Correction {
        of: written.id,
        text: None,
        by: "K. Lund".into(),
    });
    bench.append_to(DocumentId::new(call, Compartment::Safety), withdrawn);
    let found = bench.find(&words("machete"));
    assert!(found.packets[0].entries[0].corrected);
}

/// The index of a log as it was before there was one.
fn forget_index(bench: &mut Bench) {
    bench
        .write(|ledger| {
            ledger.sql().execute_batch(
                "DELETE FROM search_entries; DELETE FROM call_outcomes; DELETE FROM call_places;
                 INSERT INTO entry_words (entry_words) VALUES ('delete-all');
                 INSERT INTO meta SELECT 'unindexed_through', max(seq) FROM changes HAVING max(seq) IS NOT NULL;",
            )?;
            Ok(())
        })
        .unwrap();
}

#[test]
fn a_log_from_before_there_was_an_index_is_read_through_at_its_opening() {
    let mut bench = Bench::new();
    let call = bench.report(CallReport {
        latitude: Some(43.0),
        longitude: Some(-88.0),
        ..report(1, "TRESPASS", "1 A ST")
    });
    for number in 0..2_500 {
        bench.append(call, note(&format!("note {number}")));
    }
    forget_index(&mut bench);
    assert_eq!(bench.find(&words("note")).total, 0);
    let mut bench = bench.again();
    let found = bench.find(&words("\"note 2499\""));
    assert_eq!(found.packets[0].entries.len(), 1);
    assert_eq!(bench.find(&words("\"note 0\"")).total, 1);
    let circle = of(SearchRequest {
        latitude: "43".into(),
        longitude: "-88".into(),
        ..SearchRequest::default()
    });
    assert_eq!(bench.calls(&circle), [call]);
    // Once: what is written from now on is added when it is written.
    bench.append(call, note("a note more"));
    let bench = bench.again();
    assert_eq!(bench.find(&words("more")).packets[0].entries.len(), 1);
    assert_eq!(bench.find(&words("\"note 7\"")).packets[0].entries.len(), 1);
}

fn saved(bench: &mut Bench, name: &'static str, criteria: Criteria) -> i64 {
    bench
        .write(move |ledger| saved::save(ledger, "Analyst", name, &criteria))
        .unwrap()
}

fn catch_up(bench: &mut Bench) -> u64 {
    bench.write(watch::catch_up).unwrap()
}

fn told(bench: &Bench) -> Vec<(String, String)> {
    let notices = bench.read(|c| saved::notices(c, "Analyst", &everything()));
    let of = |notice: saved::Notice| (notice.name, notice.entry.text);
    notices.into_iter().map(of).collect()
}

#[test]
fn a_saved_search_tells_of_each_new_match_once_and_keeps_it_until_it_is_seen() {
    let mut bench = Bench::new();
    let call = bench.report(report(1, "TRESPASS", "1 A ST"));
    bench.append(call, note("a zebra"));
    saved(&mut bench, "zebras", words("zebra"));
    assert_eq!(catch_up(&mut bench), 0, "what was there is no news");
    bench.append(call, note("two zebras"));
    bench.append(call, note("a zebra again"));
    assert_eq!(catch_up(&mut bench), 1);
    assert_eq!(catch_up(&mut bench), 0);
    // A stop between: nothing is lost, nothing told twice.
    bench.append(call, note("zebra at night"));
    let mut bench = bench.again();
    assert_eq!(catch_up(&mut bench), 1);
    let mut bench = bench.again();
    assert_eq!(catch_up(&mut bench), 0);
    let texts: Vec<String> = told(&bench).into_iter().map(|(_, text)| text).collect();
    assert_eq!(texts, ["zebra at night\nK. Lund", "a zebra again\nK. Lund"]);
    let newest = bench.read(|c| saved::notices(c, "Analyst", &everything()))[0].notice;
    bench
        .write(move |ledger| saved::seen(ledger, "Analyst", Some(newest)))
        .unwrap();
    assert_eq!(
        bench.read(|c| saved::unseen(c, "Analyst", &everything())),
        1
    );
    let others = bench.write(move |ledger| saved::seen(ledger, "Somebody else", Some(newest)));
    assert!(matches!(others, Err(LogError::Unknown { .. })));
    bench
        .write(|ledger| saved::seen(ledger, "Analyst", None))
        .unwrap();
    assert_eq!(told(&bench), []);
    assert_eq!(catch_up(&mut bench), 0);
}

#[test]
fn a_call_that_dispatch_tells_again_is_told_once() {
    let mut bench = Bench::new();
    let here = of(SearchRequest {
        address: "1 A ST".into(),
        ..SearchRequest::default()
    });
    saved(&mut bench, "that house", here);
    saved(&mut bench, "glass", words("glass"));
    let call = CallReport {
        narrative: vec!["glass breaking".into()],
        ..report(1, "BURGLARY", "1 A ST APT 2")
    };
    bench.report(call.clone());
    bench.report(report(2, "BURGLARY", "2 B ST"));
    assert_eq!(catch_up(&mut bench), 2);
    bench.report(CallReport {
        updated: "2026-11-02T00:00:00Z".parse().unwrap(),
        priority: Some(1),
        ..call
    });
    assert_eq!(catch_up(&mut bench), 0);
    let mut names: Vec<String> = told(&bench).into_iter().map(|(name, _)| name).collect();
    names.sort();
    assert_eq!(names, ["glass", "that house"]);
}

#[test]
fn words_and_the_mention_that_is_read_from_them_are_told_once() {
    let mut bench = Bench::new();
    let plate = of(SearchRequest {
        plate: "ABC123".into(),
        ..SearchRequest::default()
    });
    saved(&mut bench, "that car", plate);
    let call = bench.report(report(1, "STOP", "1 A ST"));
    let written = bench.append(call, note("plate ABC 123"));
    let mention = |value: &str| {
        Entry::Mention(Mention {
            what: MentionWhat::Plate,
            value: value.into(),
            words: "plate".into(),
            of: Some(written.id),
        })
    };
    bench.append(call, mention("ABC123 WI"));
    assert_eq!(catch_up(&mut bench), 1);
    assert_eq!(told(&bench)[0].1, "plate ABC 123\nK. Lund");
    // Of words that are written otherwise the mention alone speaks.
    let other = bench.report(report(2, "STOP", "2 A ST"));
    bench.append(other, note("adam boy charles one two three"));
    bench.append(other, mention("ABC123"));
    assert_eq!(catch_up(&mut bench), 1);
}

#[test]
fn a_search_of_several_parts_is_told_when_the_last_of_them_comes() {
    let mut bench = Bench::new();
    let both = of(SearchRequest {
        words: "basement".into(),
        plate: "ABC123".into(),
        ..SearchRequest::default()
    });
    saved(&mut bench, "both", both);
    let one = bench.report(report(1, "STOP", "1 A ST"));
    bench.append(one, note("the basement"));
    let other = bench.report(report(2, "STOP", "2 A ST"));
    bench.append(other, note("plate ABC 123"));
    assert_eq!(catch_up(&mut bench), 0);
    bench.append(one, note("plate ABC 123"));
    assert_eq!(catch_up(&mut bench), 1);
}

#[test]
fn a_hidden_entry_tells_nobody() {
    let mut bench = Bench::new();
    saved(&mut bench, "zebras", words("zebra"));
    let call = bench.report(report(1, "TRESPASS", "1 A ST"));
    bench.append_to(DocumentId::new(call, Compartment::Intel), note("zebra"));
    assert_eq!(catch_up(&mut bench), 0);
}

#[test]
fn what_there_is_no_room_for_is_counted_and_a_name_is_taken_once() {
    let mut bench = Bench::new();
    saved(&mut bench, "zebras", words("horse"));
    saved(&mut bench, "zebras", words("zebra"));
    let call = bench.report(report(1, "TRESPASS", "1 A ST"));
    for number in 0..saved::UNSEEN_PER_SEARCH_MAX + 3 {
        bench.append(call, note(&format!("zebra {number}")));
        if number % 400 == 0 {
            catch_up(&mut bench);
        }
    }
    catch_up(&mut bench);
    let all = bench.read(|c| saved::of_owner(c, "Analyst"));
    assert_eq!(all.len(), 1);
    assert_eq!(
        (all[0].unseen, all[0].untold),
        (saved::UNSEEN_PER_SEARCH_MAX, 3)
    );
    let search = all[0].search;
    let others = bench.write(move |ledger| saved::forget(ledger, "Somebody else", search));
    assert!(others.is_err());
    bench
        .write(move |ledger| saved::forget(ledger, "Analyst", search))
        .unwrap();
    assert_eq!(
        bench.read(|c| saved::unseen(c, "Analyst", &everything())),
        0
    );
    let unnamed = bench.write(|ledger| saved::save(ledger, "Analyst", "  ", &words("a")));
    assert!(unnamed.unwrap_err().to_string().starts_with("name:"));
}

#[test]
fn a_devices_own_packet_is_found_too() {
    let mut bench = Bench::new();
    let call = bench.report(report(1, "TRESPASS", "1 A ST"));
    let facts = Entry::Facts(Facts {
        agency: "pd".into(),
        number: String::new(),
        nature: "Traffic stop".into(),
        category: "stop".into(),
        priority: 3,
        reason: String::new(),
        location: "5th and Oak".into(),
        latitude_e6: None,
        longitude_e6: None,
        district: None,
        narrative: None,
        received_ms: 1,
        state: packet::CallState::Open,
        disposition: None,
    });
    bench.append(call, facts);
    assert_eq!(bench.calls(&words("\"traffic stop\"")), [call]);
}
