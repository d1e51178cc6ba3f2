//! The index of words, against reading everything.

use std::collections::HashMap;

use packet::{
    Actor, Author, CallId, Caution, Compartment, Correction, DocumentId, Entry, EntryId, Lineage,
    Note, Query, QueryWhat, Refusal, Written,
};
use sync::codec::Unpacked;
use sync::device::{Received, Store as Operation};

use super::super::words::Asked;
use super::{Bench, NOW_MS, composed, mac_key, note, refused, welcome};
use crate::core::found_in;

const SEARCHES: usize = 3_000;
/// A world is 12 packets and what becomes of them.
const WORLDS: u64 = 4;
const ENTRIES: usize = 400;

/// What texts and searches are made of.
const PIECES: [&str; 40] = [
    "red",
    "Ford",
    "FORD",
    "fordham",
    "O'Neil",
    "O\u{2019}Neil",
    "oneill",
    "Muñoz",
    "MUNOZ",
    "Munoz",
    "mun\u{303}oz",
    "José",
    "Łódź",
    "lodz",
    "straße",
    "STRASSE",
    "Đặng",
    "Smørgås",
    "900 W Oak Street",
    "900 west oak st",
    "N",
    "north",
    "north ave",
    "n",
    "ABC-123",
    "abc 123",
    "ABC123 WI",
    "KRT482",
    "4-82",
    "5237 N 35TH ST #4",
    "35th",
    "man with gun",
    "gun.",
    "x1",
    "Иванов",
    "東京1234",
    "a1b2c3d4e5",
    "AND",
    "NOT",
    "near",
];
const MARKS: [&str; 9] = [" ", " ", " ", ", ", "-", "/", "\n", "", "\u{a0}"];
/// What means something to FTS5, or nothing to anybody.
const NOISE: [&str; 16] = [
    "\"", "\"", "*", "(", ")", ":", "^", "-", "+", "AND", "OR", "NOT", "NEAR(", "words:", "{", "\0",
];

fn text(random: &mut fastrand::Rng) -> String {
    let mut text = String::new();
    for _ in 0..random.usize(1..6) {
        text.push_str(random.choice(PIECES).unwrap());
        text.push_str(random.choice(MARKS).unwrap());
    }
    text.trim().to_owned()
}

/// What somebody may type: parts of texts, in quotes or not, and what nobody would.
fn search(random: &mut fastrand::Rng) -> String {
    let mut search = String::new();
    for _ in 0..random.usize(1..4) {
        let piece: Vec<char> = random.choice(PIECES).unwrap().chars().collect();
        let from = if random.u8(..4) == 0 {
            random.usize(..piece.len())
        } else {
            0
        };
        let to = if random.bool() {
            piece.len()
        } else {
            random.usize(from..piece.len()) + 1
        };
        let part: String = piece[from..to].iter().collect();
        match random.u8(..8) {
            0 => search.push_str(&format!("\"{part}\"")),
            1 => search.push_str(&format!("{part}{}", random.choice(NOISE).unwrap())),
            2 => search.push_str(&part.to_lowercase()),
            _ => search.push_str(&part),
        }
        search.push_str(random.choice(MARKS).unwrap());
    }
    search
}

fn entry(random: &mut fastrand::Rng, before: &[EntryId]) -> Entry {
    let by = random
        .choice(["Diaz (4A12)", "Muñoz (1A1)"])
        .unwrap()
        .to_owned();
    match (random.u8(..10), random.choice(before)) {
        (0, Some(of)) => Entry::Correction(Correction {
            of: *of,
            text: random.bool().then(|| text(random)),
            by,
        }),
        (0 | 1, _) => Entry::Caution(Caution {
            text: text(random),
            by,
            ends_ms: random.bool().then(|| NOW_MS + random.i64(-5..5)),
        }),
        (2, _) => Entry::Query(Query {
            what: QueryWhat::Plate,
            value: random
                .choice(["ABC-123", "KRT482 WI", "a1b2c3"])
                .unwrap()
                .to_owned(),
            by,
            purpose: None,
            reason: None,
        }),
        _ => Entry::Note(Note {
            text: text(random),
            by,
        }),
    }
}

/// Packets with all sorts of documents, and what the center says of each.
struct World {
    bench: Bench,
    lineages: HashMap<DocumentId, Lineage>,
    ids: HashMap<DocumentId, Vec<EntryId>>,
    documents: Vec<DocumentId>,
    seq: u64,
}

impl World {
    fn new() -> Self {
        let bench = Bench::new();
        let number = |n: u32| match n {
            // Beats come first.
            0 | 1 => CallId::BEATS_FIRST + n,
            n => n,
        };
        let calls = (0..12).map(|n| CallId::new(Author::Center(1 << 31), number(n)));
        let compartments = [
            Compartment::Safety,
            Compartment::Call,
            Compartment::Records,
            Compartment::Juvenile,
        ];
        let documents: Vec<_> = calls
            .flat_map(|call| compartments.map(|compartment| DocumentId::new(call, compartment)))
            .collect();
        let mut operations = vec![welcome(1, true)];
        operations.extend(documents.iter().map(|id| Operation::Grant(*id)));
        bench.apply(&operations);
        Self {
            bench,
            lineages: HashMap::new(),
            ids: HashMap::new(),
            documents,
            seq: 0,
        }
    }

    fn center_says(&mut self, document: DocumentId, entry: Entry) -> Operation {
        let actor = Actor::new(Author::Center(1 << 31), [1; 4]);
        let written = Written {
            entry,
            clock_off_ms: None,
            instead: None,
        };
        let lineage = self.lineages.entry(document).or_default();
        let change = composed(actor, lineage, &written);
        lineage.add(change.hash, change.id, change.max_op);
        self.ids.entry(document).or_default().push(change.id);
        self.seq += 1;
        Operation::Changes {
            document,
            changes: vec![Received {
                seq: self.seq,
                received_ms: NOW_MS + i64::try_from(self.seq).unwrap(),
                body: Unpacked::Change(change.bytes),
                mac: mac_key().mac(document, &change.hash),
            }],
            through: self.seq,
        }
    }

    fn grow(&mut self, random: &mut fastrand::Rng) {
        let mut operations = Vec::new();
        for _ in 0..ENTRIES {
            let document = *random.choice(&self.documents).unwrap();
            let before = self.ids.get(&document).cloned().unwrap_or_default();
            let entry = entry(random, &before);
            operations.push(self.center_says(document, entry));
        }
        self.bench.apply(&operations);
        for _ in 0..12 {
            let document = *random.choice(&self.documents).unwrap();
            let written = self.bench.write_entry(document, note(&text(random)));
            written.unwrap();
        }
    }

    /// Some is refused, some documents are taken back.
    fn shrink(&mut self, random: &mut fastrand::Rng) {
        let unsent = self.bench.outbox();
        for unsent in unsent.iter().take(4) {
            let no = Refusal::Policy("not this".into());
            self.bench.apply(&[refused(unsent.hash, &no)]);
        }
        let gone: Vec<_> = self
            .documents
            .extract_if(.., |_| random.u8(..5) == 0)
            .collect();
        let gone: Vec<_> = gone.into_iter().map(Operation::Revoke).collect();
        self.bench.apply(&gone);
    }

    /// What is found with the index, and what by reading everything.
    fn find(&self, asked: &Asked) -> [Vec<(CallId, DocumentId, EntryId)>; 2] {
        let store = &self.bench.store;
        [
            store.calls_that_may_say(asked).unwrap(),
            store.calls().unwrap(),
        ]
        .map(|calls| {
            let found = found_in(store, calls, asked, NOW_MS).unwrap().into_iter();
            found
                .map(|found| (found.call, found.entry.document, found.entry.id))
                .collect()
        })
    }

    /// Rows of the index, and rows that should be in it.
    fn rows(&self) -> (i64, i64) {
        let sql = "SELECT (SELECT count(*) FROM searched), (SELECT count(*) FROM changes
             WHERE kind IN ('note', 'caution', 'query') AND substr(doc, 9) IN (?1, ?2))";
        let codes = [Compartment::Safety, Compartment::Call];
        let call = CallId::new(Author::Center(1), 1);
        let codes = codes.map(|code| DocumentId::new(call, code).to_bytes()[8..].to_vec());
        self.bench
            .store
            .read(|tx| Ok(tx.query_row(sql, codes, |row| Ok((row.get(0)?, row.get(1)?)))?))
            .unwrap()
    }
}

#[test]
fn the_index_finds_exactly_what_reading_everything_finds() {
    let seed = std::env::var("FORERUNNER_SEED").ok();
    let seed = seed.map_or_else(|| fastrand::u64(..), |seed| seed.parse().unwrap());
    println!("words: seed {seed}");
    let (mut searches, mut hits) = (0, 0);
    for world in 0..WORLDS {
        let mut random = fastrand::Rng::with_seed(seed.wrapping_add(world));
        let mut world = World::new();
        world.grow(&mut random);
        for shrunk in [false, true] {
            if shrunk {
                world.shrink(&mut random);
            }
            let (indexed, searched) = world.rows();
            assert_eq!(indexed, searched);
            assert!(indexed > 50);
            for _ in 0..SEARCHES / 2 / WORLDS as usize {
                let words = search(&mut random);
                let Some(asked) = Asked::read(&words) else {
                    continue;
                };
                let [with, without] = world.find(&asked);
                assert_eq!(with, without, "{words:?} {asked:?}");
                searches += 1;
                hits += usize::from(!with.is_empty());
            }
        }
    }
    println!("words: {searches} searches, {hits} of them found something");
    assert!(hits > searches / 4 && hits < searches);
}

/// Whether this search finds a note of this text.
fn is_found(text: &str, search: &str) -> bool {
    let bench = Bench::granted();
    bench.write(text);
    let Some(asked) = Asked::read(search) else {
        return false;
    };
    let calls = bench.store.calls_that_may_say(&asked).unwrap();
    !found_in(&bench.store, calls, &asked, NOW_MS)
        .unwrap()
        .is_empty()
}

#[test]
fn a_search_is_by_beginnings_several_words_any_case_and_without_marks() {
    let text = "Red Ford, Muñoz at 900 W Oak Street; plate ABC-123. Łódź";
    for (search, finds) in [
        ("ford", true),
        ("FOR red", true),
        ("blue ford", false),
        ("munoz", true),
        ("MUÑ", true),
        ("mun\u{303}oz", true),
        ("lodz", true),
        ("abc123", true),
        ("BC12", true),
        ("BC1", false),
        ("900 west oak", true),
        ("\"red ford\"", true),
        ("\"ford red\"", false),
        ("\u{201c}oak st\u{201d} muñoz", true),
        ("\"red for\"", false),
        ("\"red", true),
        ("\"", false),
        ("", false),
        ("ord", false),
    ] {
        assert_eq!(is_found(text, search), finds, "{search}");
    }
}

#[test]
fn nothing_that_can_be_typed_is_an_error() {
    let bench = Bench::granted();
    bench.write("AND OR NOT near gun");
    let long = "gun1 ".repeat(5_000);
    let digits = "1234567890".repeat(2_000);
    let quotes = "\"a\" ".repeat(2_000);
    for search in [
        "\"",
        "\"\"",
        "\"\"\"",
        "*",
        "gun*",
        "(gun",
        "gun)",
        "NEAR(gun",
        "NOT",
        "AND",
        "OR gun",
        "words:gun",
        "pieces : gun",
        "{words} : gun",
        "^gun",
        "-gun",
        "gun + near",
        "'",
        "''",
        ";",
        "gun\0near",
        "\u{301}",
        "\u{1f600} gun",
        "\u{fffd}",
        &long,
        &digits,
        &quotes,
    ] {
        let Some(asked) = Asked::read(search) else {
            continue;
        };
        bench.store.calls_that_may_say(&asked).unwrap();
    }
    let asked = Asked::read("gun*").unwrap();
    assert_eq!(bench.store.calls_that_may_say(&asked).unwrap().len(), 1);
}

#[test]
fn a_word_goes_with_its_row_and_leaves_nothing_in_the_index() {
    let mut bench = Bench::granted();
    let (_, change) = bench.center("qqxzzyqq 7766551 stays not");
    bench.apply(&[change]);
    let mut others = Vec::new();
    for n in 0..40 {
        let (_, change) = bench.center(&format!("another {n}"));
        others.push(change);
    }
    bench.apply(&others);
    // Wherever FTS5 keeps what it knows.
    let traces = |bench: &Bench| -> i64 {
        let sql = "SELECT (SELECT count(*) FROM searched_data
             WHERE instr(lower(CAST(block AS TEXT)), 'qxzzyqq') OR instr(block, CAST('xzzyqq' AS BLOB)))
             + (SELECT count(*) FROM searched_content WHERE c0 LIKE '%qqxzzyqq%')";
        bench
            .store
            .read(|tx| Ok(tx.query_row(sql, [], |row| row.get(0))?))
            .unwrap()
    };
    assert!(traces(&bench) >= 2);
    bench.apply(&[Operation::Revoke(super::notes())]);
    assert_eq!(traces(&bench), 0);
    let rows: i64 = bench
        .store
        .read(|tx| Ok(tx.query_row("SELECT count(*) FROM searched", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(rows, 0);
}

#[test]
fn what_has_a_key_of_its_own_is_found_and_stands_in_no_index() {
    let records = DocumentId::new(super::call(), Compartment::Records);
    let bench = Bench::granted();
    bench.apply(&[Operation::Grant(records)]);
    bench.write_entry(records, note("rrxzzyrr")).unwrap();
    let asked = Asked::read("rrxzzy").unwrap();
    let calls = bench.store.calls_that_may_say(&asked).unwrap();
    assert_eq!(
        found_in(&bench.store, calls, &asked, NOW_MS).unwrap().len(),
        1
    );
    let rows: i64 = bench
        .store
        .read(|tx| Ok(tx.query_row("SELECT count(*) FROM searched", [], |row| row.get(0))?))
        .unwrap();
    assert_eq!(rows, 0);
}
