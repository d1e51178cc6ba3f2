//! Changes, as a device with a good key and bad intent hands them in, and the names in them.
//!
//! Bytes that no checksum fits get no further than the first look, and no fuzzer guesses
//! SHA-256. So the bytes are the *contents* of a change: header, checksum and signature are
//! made over whatever they have become.

use std::collections::BTreeSet;
use std::fmt::Display;
use std::str::FromStr;
use std::sync::LazyLock;

use automerge::Automerge;
use aws_lc_rs::digest;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use packet::signature::{MacKey, signing_input};
use packet::{
    Actor, Admission, Author, CallId, Caution, CenterId, ChangeHash, Compartment, Composed,
    DeviceNumber, Document, DocumentId, Draft, Entry, EntryId, Inspected, Note, Offer, Proof,
    Refusal, Written, admit, change_hash, compose, inspect,
};
use sync::brief::{Place, Standing, abridge, restore};

const CENTER: CenterId = CenterId([8; 16]);
const DEVICE: DeviceNumber = DeviceNumber(7);
pub(super) const NOW_MS: i64 = 1_790_000_000_000;
/// Behind the three changes of the document that is there.
pub(super) const NEXT_SEQ: u64 = 4;

const PLACE: Place = Place {
    seq: NEXT_SEQ,
    received_ms: NOW_MS + 500,
};

/// The device's own line.
fn own() -> Actor {
    Actor::new(Author::Device(DEVICE), [1, 2, 3, 4])
}

/// A change chunk with these contents: magic, checksum, type, length (LEB128), contents.
fn chunk(contents: &[u8]) -> Vec<u8> {
    let mut hashed = vec![1];
    let mut length = contents.len();
    while length >= 0x80 {
        hashed.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    hashed.push(length as u8);
    hashed.extend_from_slice(contents);
    let sum = digest::digest(&digest::SHA256, &hashed);
    [&[0x85, 0x6f, 0x4a, 0x83], &sum.as_ref()[..4], &hashed].concat()
}

/// What [`chunk`] puts a header before.
fn contents(change: &[u8]) -> &[u8] {
    let length_bytes = change[9..].iter().take_while(|byte| **byte >= 0x80).count() + 1;
    &change[9 + length_bytes..]
}

/// A change that is read says all that it is made of: composed anew, it is the same bytes.
pub(super) fn change(bytes: &[u8]) {
    has_one_form(bytes);
    has_one_form(&chunk(bytes));
}

fn has_one_form(bytes: &[u8]) {
    let Ok(read) = inspect(bytes) else {
        return;
    };
    assert_eq!(change_hash(bytes), Ok(read.hash));
    let composed = compose(&Draft {
        actor: read.id.actor,
        number: read.id.number,
        deps: read.deps.clone(),
        start_op: read.start_op,
        time_ms: read.time_ms,
        written: &read.written,
    });
    let composed = composed.expect("what was taken can be written");
    assert_eq!(composed.bytes, bytes);
    assert_eq!(composed.max_op, read.max_op);
}

/// A document in which the center and the device have written, and its log.
struct Begun {
    document: Document,
    log: Vec<Vec<u8>>,
    key: EcdsaKeyPair,
}

static BEGUN: LazyLock<Begun> = LazyLock::new(|| {
    let mut document = Document::new();
    let mut log = Vec::new();
    let center = Actor::new(Author::Center(1), [5; 4]);
    for (actor, text) in [
        (center, "man with gun"),
        (own(), "on scene"),
        (center, "two exits"),
    ] {
        let written = next(&document, actor, note(text));
        let read = inspect(&written.bytes).unwrap();
        document.apply(&read, &written.bytes).unwrap();
        log.push(written.bytes);
    }
    Begun {
        document,
        log,
        key: EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap(),
    }
});

fn note(text: &str) -> Entry {
    Entry::Note(Note {
        text: text.into(),
        by: "Diaz (4A12)".into(),
    })
}

fn next(document: &Document, actor: Actor, entry: Entry) -> Composed {
    let basis = document.lineage().basis(actor);
    let written = Written {
        entry,
        clock_off_ms: Some(40),
        instead: None,
    };
    compose(&Draft {
        actor,
        number: basis.number,
        deps: basis.deps,
        start_op: basis.start_op,
        time_ms: NOW_MS,
        written: &written,
    })
    .unwrap()
}

/// Where a change is handed in: the first byte says which compartment, and whether the
/// device opened the packet.
#[derive(Clone, Copy)]
struct Door {
    compartment: Compartment,
    opened: bool,
}

impl Door {
    fn of(byte: u8) -> Self {
        Self {
            compartment: Compartment::ALL[usize::from(byte >> 1) % Compartment::ALL.len()],
            opened: byte & 1 == 1,
        }
    }

    /// What a device may write next wherever it may write at all.
    fn honest(self) -> Entry {
        match self.compartment {
            Compartment::Safety => Entry::Caution(Caution {
                text: "honest".into(),
                by: "Diaz (4A12)".into(),
                ends_ms: None,
            }),
            _ => note("honest"),
        }
    }

    fn offer(self, document: &mut Document, bytes: Vec<u8>) -> Result<Inspected, Refusal> {
        let id = DocumentId::new(CallId(99), self.compartment);
        // What has no hash cannot be signed: any signature will do.
        let hash = change_hash(&bytes).unwrap_or(ChangeHash([0; 32]));
        let input = signing_input(CENTER, id, &hash);
        let signed = BEGUN.key.sign(&SystemRandom::new(), &input).unwrap();
        let offer = Offer {
            document: id,
            bytes,
            proof: Proof::Signature(signed.as_ref().to_vec()),
        };
        let admission = Admission {
            center: CENTER,
            device: DEVICE,
            public_key: BEGUN.key.public_key().as_ref(),
            now_ms: NOW_MS,
            opened_by_device: self.opened,
            mac: &MacKey::new(&[3; 32]),
        };
        admit(document, &offer, &admission)
    }
}

/// What is admitted leaves a document that saves and loads with every change that it says
/// it has, and that its honest writers go on with. What is refused leaves no trace.
pub(super) fn admission(bytes: &[u8]) {
    let Some((door, contents)) = bytes.split_first() else {
        return;
    };
    let (door, bytes) = (Door::of(*door), chunk(contents));
    let mut document = BEGUN.document.clone();
    match door.offer(&mut document, bytes.clone()) {
        Ok(read) => {
            assert_eq!(read.id.actor, own());
            assert!(document.lineage().knows(&read.hash));
            assert_comes_down(&read, &bytes);
            let mut log = BEGUN.log.clone();
            log.push(bytes);
            assert_sound(&document, &log);
            let honest = next(&document, own(), door.honest());
            door.offer(&mut document, honest.bytes.clone()).unwrap();
            log.push(honest.bytes);
            assert_sound(&document, &log);
        }
        Err(refusal) => {
            // Automerge is asked only about what has passed all else, and then says yes.
            assert_ne!(refusal, Refusal::Inapplicable);
            assert_eq!(document.lineage().len(), BEGUN.log.len());
            assert_eq!(document.save(), BEGUN.document.save());
        }
    }
}

/// What a change of the document says of itself to those that stand on it.
pub(super) fn standing(seq: u64) -> Option<Standing> {
    let at = usize::try_from(seq.checked_sub(1)?).ok()?;
    let read = inspect(BEGUN.log.get(at)?).unwrap();
    Some(Standing {
        hash: read.hash,
        id: read.id,
        max_op: read.max_op,
    })
}

fn brief(read: &Inspected) -> Option<Vec<u8>> {
    let known: Vec<_> = (1..NEXT_SEQ)
        .map(|seq| (seq, standing(seq).unwrap()))
        .collect();
    let of = |dep: &ChangeHash| known.iter().find(|(_, standing)| standing.hash == *dep);
    let deps = read.deps.iter().map(|dep| {
        let (seq, standing) = of(dep).unwrap();
        (*seq, standing.id)
    });
    abridge(read, PLACE, &deps.collect::<Vec<_>>())
}

/// Every device writes an admitted change anew from its brief: one that comes out as
/// another would be a stone in the way of all that follows it.
fn assert_comes_down(read: &Inspected, bytes: &[u8]) {
    if let Some(brief) = brief(read) {
        let anew = restore(&brief, PLACE, standing).expect("a brief is enough");
        assert_eq!(anew.bytes, bytes);
    }
}

pub(super) fn honest_briefs() -> Vec<Vec<u8>> {
    let honest = honest().into_iter();
    honest
        .filter_map(|change| brief(&inspect(&change).unwrap()))
        .collect()
}

/// The document is its log: saved and loaded it has the same changes and heads, and built
/// anew it is saved as the same bytes.
fn assert_sound(document: &Document, log: &[Vec<u8>]) {
    let read: Vec<_> = log.iter().map(|bytes| inspect(bytes).unwrap()).collect();
    let saved = document.save();
    let loaded = Automerge::load(&saved).expect("what was admitted can be loaded");
    let mut heads: BTreeSet<_> = read.iter().map(|change| change.hash.0).collect();
    let changes: BTreeSet<_> = loaded.get_changes(&[]).iter().map(|c| c.hash().0).collect();
    assert_eq!(changes, heads);
    for dep in read.iter().flat_map(|change| &change.deps) {
        heads.remove(&dep.0);
    }
    let found: BTreeSet<_> = loaded.get_heads().iter().map(|head| head.0).collect();
    assert_eq!(found, heads);
    let pairs = read.into_iter().zip(log.iter().map(Vec::as_slice));
    let rebuilt = Document::from_changes(pairs).expect("a log is a document");
    assert_eq!(rebuilt.save(), saved);
}

/// A name has one spelling.
pub(super) fn ids(bytes: &[u8]) {
    if let Ok(id) = DocumentId::from_bytes(bytes) {
        assert_eq!(id.to_bytes(), bytes);
    }
    if let Ok(actor) = Actor::from_bytes(bytes) {
        assert_eq!(actor.0, bytes);
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        one_spelling::<CallId>(text);
        one_spelling::<EntryId>(text);
    }
}

fn one_spelling<T: FromStr + Display>(text: &str) {
    if let Ok(id) = text.parse::<T>() {
        assert_eq!(id.to_string(), text);
    }
}

/// One honest change of each kind, as the device would write it next into [`BEGUN`].
pub(super) fn honest() -> Vec<Vec<u8>> {
    let entries = seeds::entries().into_iter();
    entries
        .map(|entry| next(&BEGUN.document, own(), entry).bytes)
        .collect()
}

pub(super) mod seeds {
    use packet::{
        Acknowledgement, CallState, Confidence, Correction, Facts, Finding, Outcome, OutcomeState,
        Query, QueryWhat, Topic, UnitState, UnitStatus,
    };

    use super::*;

    pub(in crate::fuzz) fn change() -> Vec<Vec<u8>> {
        let whole = honest();
        let inside: Vec<_> = whole.iter().map(|bytes| contents(bytes).to_vec()).collect();
        [whole, inside].concat()
    }

    pub(in crate::fuzz) fn admission() -> Vec<Vec<u8>> {
        let places = 0..2 * Compartment::ALL.len() as u8;
        let at = |place: u8| move |change: Vec<u8>| [&[place], contents(&change)].concat();
        places
            .flat_map(|place| honest().into_iter().map(at(place)))
            .collect()
    }

    pub(in crate::fuzz) fn ids() -> Vec<Vec<u8>> {
        let entry = EntryId {
            actor: own(),
            number: 12,
        };
        let document = DocumentId::new(CallId(99), Compartment::Intel);
        vec![
            entry.to_string().into_bytes(),
            CallId(u64::MAX / 3).to_string().into_bytes(),
            document.to_bytes().to_vec(),
            own().0.to_vec(),
        ]
    }

    pub(super) fn entries() -> Vec<Entry> {
        let by = || "Diaz (4A12)".to_owned();
        let of = EntryId {
            actor: own(),
            number: 1,
        };
        let facts = Facts {
            agency: "cedarport-pd".into(),
            number: "26-1".into(),
            nature: "SHOTS FIRED".into(),
            category: "weapons".into(),
            priority: 1,
            reason: "nature".into(),
            location: "100 N MAIN ST".into(),
            latitude_e6: Some(-90_000_000),
            longitude_e6: None,
            district: None,
            narrative: Some("man with gun".into()),
            received_ms: 1,
            state: CallState::Open,
            disposition: None,
        };
        let finding = Finding {
            source: "records".into(),
            title: "t".into(),
            text: "x".into(),
            query: String::new(),
            recorded_ms: Some(i64::MIN),
            answered_ms: i64::MAX,
            confidence: Confidence::Partial,
            topic: Topic::Record,
            link: None,
            ends_ms: None,
            answers: None,
        };
        let outcome = Outcome {
            source: "records".into(),
            query: "q".into(),
            state: OutcomeState::TimedOut,
            took_ms: Some(3),
            detail: None,
            as_of_ms: None,
            answers: None,
        };
        let other = serde_json::json!({"url": "rtsp://x", "live": true, "count": -3, "empty": ""});
        let serde_json::Value::Object(fields) = other else {
            unreachable!("it is written as an object")
        };
        vec![
            note("\u{1f693} \u{e9}, two subjects detained"),
            Entry::Facts(facts),
            Entry::Finding(finding),
            Entry::Outcome(outcome),
            Entry::Caution(Caution {
                text: "c".into(),
                by: by(),
                ends_ms: None,
            }),
            Entry::Query(Query {
                what: QueryWhat::Plate,
                value: "ABC123".into(),
                by: by(),
                purpose: None,
                reason: None,
            }),
            Entry::UnitStatus(UnitStatus {
                unit: "4A12".into(),
                status: UnitState::OnScene,
                by: by(),
            }),
            Entry::Correction(Correction {
                of,
                text: None,
                by: by(),
            }),
            Entry::Acknowledgement(Acknowledgement {
                of,
                by: by(),
                unit: "4A12".into(),
            }),
            Entry::Other {
                kind: "drone_feed".into(),
                fields,
            },
        ]
    }
}
