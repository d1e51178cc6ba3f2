//! What every store must do, told from the center's side and the officer's.

#![allow(clippy::unwrap_used)]

mod give_back;
mod leases;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use packet::signature::{MacKey, signing_input};
use packet::{
    Actor, Admission, Author, CallId, Caution, CenterId, ChangeHash, Compartment, Composed,
    DeviceNumber, Document, DocumentId, Draft, Entry, EntryId, Lineage, Note, Offer, Proof,
    Refusal, Written, admit, change_hash, compose,
};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey};
use sync::codec::Unpacked;
use sync::device::{Received, Store as Operation, Unsent};
use sync::frame::{OfferFrame, SEALED_INFO, UpFrame, decode, digest};
use tempfile::TempDir;

mod attachments;
mod older;
mod words;

use super::{Intent, OUTBOX_ENTRIES_MAX, Pen, Standing, Store, StoreError, connection};
use crate::identity::{FileKeyStore, KeyStore, SoftwareSigner};

const CENTER: CenterId = CenterId([9; 16]);
const DEVICE: DeviceNumber = DeviceNumber(7);
const NOW_MS: i64 = 1_790_000_000_000;

fn call() -> CallId {
    CallId::new(Author::Center(1 << 31), 5)
}

fn notes() -> DocumentId {
    DocumentId::new(call(), Compartment::Call)
}

fn safety() -> DocumentId {
    DocumentId::new(call(), Compartment::Safety)
}

/// A store, and what its center would know.
struct Bench {
    dir: TempDir,
    keys: Arc<dyn KeyStore>,
    store: Store,
    pen: Pen,
    sealing: HpkePrivateKey,
    /// What the center wrote into the notes.
    written: Lineage,
    seq: u64,
}

fn mac_key() -> MacKey {
    MacKey::new(&[6; 32])
}

fn note(text: &str) -> Entry {
    Entry::Note(Note {
        text: text.into(),
        by: "Diaz (4A12)".into(),
    })
}

impl Bench {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let keys: Arc<dyn KeyStore> =
            Arc::new(FileKeyStore::open(&dir.path().join("keys")).unwrap());
        let (store, set_aside) = Store::open(dir.path(), keys.clone(), NOW_MS).unwrap();
        assert!(set_aside.is_none());
        let (public, sealing) = DH_KEM_P256_HKDF_SHA256_AES_256.generate_key_pair().unwrap();
        let pen = Pen {
            device: DEVICE,
            center: CENTER,
            sealing_key: public.0,
            signer: Arc::new(SoftwareSigner::generate().unwrap()),
        };
        Self {
            dir,
            keys,
            store,
            pen,
            sealing,
            written: Lineage::default(),
            seq: 0,
        }
    }

    /// … that has had contact, and has the call's notes and safety.
    fn granted() -> Self {
        let bench = Self::new();
        bench.apply(&[
            welcome(1, true),
            Operation::Grant(notes()),
            Operation::Grant(safety()),
        ]);
        bench
    }

    fn apply(&self, operations: &[Operation]) -> super::apply::Applied {
        self.store.apply(&self.pen, operations, NOW_MS).unwrap()
    }

    fn write(&self, text: &str) -> EntryId {
        self.write_entry(notes(), note(text)).unwrap()
    }

    fn write_entry(&self, document: DocumentId, entry: Entry) -> Result<EntryId, StoreError> {
        let intents = [Intent { document, entry }];
        let ids = self
            .store
            .write_entries(&self.pen, &intents, NOW_MS, false)?;
        Ok(ids[0])
    }

    /// A note of the center's.
    fn center(&mut self, text: &str) -> (Composed, Operation) {
        self.says(note(text))
    }

    /// An entry of the center's.
    fn says(&mut self, entry: Entry) -> (Composed, Operation) {
        let actor = Actor::new(Author::Center(1 << 31), [1; 4]);
        let written = Written {
            entry,
            clock_off_ms: None,
            instead: None,
        };
        let change = composed(actor, &self.written, &written);
        self.written.add(change.hash, change.id, change.max_op);
        let operation = self.changes(std::slice::from_ref(&change.bytes));
        (change, operation)
    }

    fn changes(&mut self, changes: &[Vec<u8>]) -> Operation {
        let changes = changes.iter().map(|bytes| {
            self.seq += 1;
            let hash = change_hash(bytes).unwrap_or(ChangeHash([0; 32]));
            Received {
                seq: self.seq,
                received_ms: NOW_MS + 5,
                body: Unpacked::Change(bytes.clone()),
                mac: mac_key().mac(notes(), &hash),
            }
        });
        Operation::Changes {
            document: notes(),
            changes: changes.collect(),
            through: 100,
        }
    }

    fn outbox(&self) -> Vec<Unsent> {
        self.store.load().unwrap().kept.outbox
    }

    fn sealed_files(&self) -> usize {
        fs::read_dir(self.dir.path().join("sealed"))
            .unwrap()
            .count()
    }

    /// The packet's texts, and how far each has come.
    fn packet(&self) -> Vec<(String, Standing)> {
        let rows = self.store.packet(call()).unwrap().unwrap_or_default();
        rows.into_iter()
            .map(|row| match row.written.entry {
                Entry::Note(note) => (note.text, row.standing),
                other => (format!("{:?}", other.kind()), row.standing),
            })
            .collect()
    }

    fn unseal(&self, hash: &ChangeHash) -> OfferFrame {
        let sealed = self.store.sealed().load(hash).unwrap();
        let plaintext = DH_KEM_P256_HKDF_SHA256_AES_256
            .open(
                &EncapsulatedSecret(sealed[2..67].to_vec()),
                SEALED_INFO,
                &7_u32.to_be_bytes(),
                &sealed[67..],
                &self.sealing,
            )
            .unwrap();
        match decode(&plaintext).unwrap() {
            UpFrame::Offer(offer) => offer,
            other => panic!("{other:?}"),
        }
    }

    /// What a rewriting made of this before it was killed: only its sealed file is left.
    fn sealed_and_not_kept(&self, document: &Document, old: &Unsent) -> Unsent {
        let actor = Actor::new(Author::Device(DEVICE), [77; 4]);
        let mut written = packet::inspect(&old.bytes).unwrap().written;
        written.instead = Some(old.hash);
        let change = composed(actor, document.lineage(), &written);
        let input = signing_input(CENTER, old.document, &change.hash);
        Unsent {
            document: old.document,
            hash: change.hash,
            bytes: change.bytes,
            proof: Proof::Signature(self.pen.signer.sign(&input).unwrap()),
        }
    }

    /// The center's own judgement.
    fn admit(&self, document: &mut Document, unsent: &Unsent) -> Result<(), Refusal> {
        let admission = Admission {
            center: CENTER,
            device: DEVICE,
            public_key: &self.pen.signer.public_key(),
            now_ms: NOW_MS,
            opened_by_device: false,
            mac: &mac_key(),
        };
        let offer = Offer {
            document: unsent.document,
            bytes: unsent.bytes.clone(),
            proof: unsent.proof.clone(),
        };
        admit(document, &offer, &admission).map(|_| ())
    }
}

/// The actor's next change.
fn composed(actor: Actor, lineage: &Lineage, written: &Written) -> Composed {
    let basis = lineage.basis(actor);
    let draft = Draft {
        actor,
        number: basis.number,
        deps: basis.deps,
        start_op: basis.start_op,
        time_ms: NOW_MS,
        written,
    };
    compose(&draft).unwrap()
}

fn welcome(incarnation: u64, reset: bool) -> Operation {
    Operation::Welcome {
        incarnation,
        center_now_ms: NOW_MS - 30,
        dictionary: 1,
        digest: 0,
        anew: reset,
        leases: Vec::new(),
    }
}

fn position(documents: &[DocumentId]) -> Operation {
    Operation::Position {
        position: 100,
        digest: digest(1, documents.iter().copied()),
    }
}

fn accepted(hash: ChangeHash, seq: u64) -> Operation {
    Operation::Accepted {
        hash,
        seq,
        received_ms: NOW_MS + 9,
    }
}

fn refused(hash: ChangeHash, refusal: &Refusal) -> Operation {
    Operation::Refused {
        hash,
        code: refusal.code(),
        reason: refusal.to_string(),
    }
}

fn texts(bench: &Bench) -> Vec<String> {
    bench.packet().into_iter().map(|(text, _)| text).collect()
}

#[test]
fn a_note_its_outbox_row_and_its_sealed_file_come_together_and_the_latter_go_when_it_is_accepted() {
    let bench = Bench::granted();
    bench.write("he left by the back");
    let [unsent] = &bench.outbox()[..] else {
        panic!("one entry waits")
    };
    assert_eq!(
        bench.packet(),
        [("he left by the back".to_owned(), Standing::OnDevice)]
    );
    let offer = bench.unseal(&unsent.hash);
    assert_eq!(offer.document, notes());
    assert_eq!(offer.body, [&[0], unsent.bytes.as_slice()].concat());
    assert_eq!(offer.proof, unsent.proof);
    assert_eq!(bench.admit(&mut Document::new(), unsent), Ok(()));

    bench.apply(&[accepted(unsent.hash, 1)]);
    assert!(bench.outbox().is_empty());
    assert_eq!(bench.sealed_files(), 0);
    assert_eq!(bench.packet()[0].1, Standing::AtCenter);
}

#[test]
fn what_is_kept_survives_a_restart() {
    let mut bench = Bench::granted();
    let (_, change) = bench.center("from dispatch");
    bench.apply(&[change, position(&[notes(), safety()])]);
    bench.write("mine");
    let before = bench.store.load().unwrap().kept;
    bench.store.pause().unwrap();
    let (store, set_aside) = Store::open(bench.dir.path(), bench.keys.clone(), NOW_MS).unwrap();
    assert!(set_aside.is_none());
    bench.store = store;
    assert_eq!(bench.store.load().unwrap().kept, before);
    assert_eq!(before.position, 100);
    assert_eq!(texts(&bench), ["from dispatch", "mine"]);
    assert_eq!(bench.store.contact().unwrap().clock_off_ms, Some(30));
}

#[test]
fn nothing_that_was_written_is_readable_in_the_files() {
    let mut bench = Bench::granted();
    let (_, change) = bench.center("PLAINTEXT-FROM-DISPATCH");
    bench.apply(&[change]);
    bench.write("PLAINTEXT-MINE");
    let mut looked_at = 0;
    for folder in ["store", "sealed"] {
        for file in fs::read_dir(bench.dir.path().join(folder)).unwrap() {
            let bytes = fs::read(file.unwrap().path()).unwrap();
            looked_at += bytes.len();
            let found = |what: &[u8]| bytes.windows(what.len()).any(|part| part == what);
            assert!(!found(b"PLAINTEXT") && !found(b"SQLite format") && !found(b"CREATE TABLE"));
        }
    }
    assert!(looked_at > 4_096, "the store and its WAL were looked at");
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn a_store_whose_key_is_another_is_set_aside_whole_and_a_new_one_is_made() {
    let bench = Bench::granted();
    bench.write("unsent");
    bench.store.pause().unwrap();
    bench.keys.save("store-key", &[3; 32]).unwrap();
    let (store, aside) = Store::open(bench.dir.path(), bench.keys.clone(), NOW_MS).unwrap();
    let aside = aside.unwrap();
    assert_eq!(
        aside.file_name().unwrap().to_str().unwrap(),
        format!("store.set-aside-{NOW_MS}")
    );
    assert!(fs::metadata(aside.join("packets.db")).unwrap().len() > 0);
    assert!(store.packets().unwrap().is_empty());
    assert_eq!(
        store.sealed().all().unwrap().len(),
        1,
        "the sealed copy stays"
    );
}

#[test]
fn a_damaged_store_is_set_aside() {
    let bench = Bench::granted();
    bench.store.pause().unwrap();
    let file = bench.dir.path().join("store/packets.db");
    let mut bytes = fs::read(&file).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle..middle + 64].fill(0x5a);
    fs::write(&file, bytes).unwrap();
    let (store, aside) = Store::open(bench.dir.path(), bench.keys.clone(), NOW_MS).unwrap();
    assert!(files(&aside.unwrap()).contains(&"packets.db".to_owned()));
    assert!(store.packets().unwrap().is_empty());
}

#[test]
fn a_store_of_a_newer_app_is_set_aside_and_not_changed() {
    let bench = Bench::granted();
    bench
        .store
        .write(|tx, _| Ok(tx.pragma_update(None, "user_version", 99)?))
        .unwrap();
    bench.store.pause().unwrap();
    let (_, aside) = Store::open(bench.dir.path(), bench.keys.clone(), NOW_MS).unwrap();
    let key = connection::plain_key(bench.keys.as_ref()).unwrap();
    let old = connection::reopen(&aside.unwrap().join("packets.db"), &key).unwrap();
    let version: u32 = old
        .query_row("PRAGMA user_version", [], |row| row.get(0))
        .unwrap();
    assert_eq!(version, 99);
}

#[test]
fn a_change_that_comes_twice_is_there_once() {
    let mut bench = Bench::granted();
    let (change, first) = bench.center("once");
    bench.apply(&[first]);
    let again = bench.changes(&[change.bytes]);
    bench.apply(&[again]);
    let rows = bench.store.packet(call()).unwrap().unwrap();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[0].seq, Some(2));
}

#[test]
fn a_change_that_came_down_before_its_answer_counts_as_there() {
    let mut bench = Bench::granted();
    bench.write("mine");
    let unsent = bench.outbox().remove(0);
    let down = bench.changes(std::slice::from_ref(&unsent.bytes));
    bench.apply(&[down]);
    assert_eq!(bench.packet(), [("mine".to_owned(), Standing::AtCenter)]);
    bench.apply(&[accepted(unsent.hash, 1)]);
    assert_eq!(bench.packet().len(), 1);
    assert!(bench.outbox().is_empty());
}

#[test]
fn a_change_that_this_app_cannot_read_is_shown_as_such_and_stops_nothing() {
    let mut bench = Bench::granted();
    let operation = bench.changes(&[b"not a change".to_vec()]);
    let (_, after) = bench.center("after");
    bench.apply(&[operation, after, position(&[notes(), safety()])]);
    assert_eq!(texts(&bench), ["Other", "after"]);
    bench.write("mine");
    assert_eq!(bench.packet().len(), 3);
}

#[test]
fn a_refused_entry_is_kept_with_the_reason_and_later_ones_are_written_anew() {
    let mut bench = Bench::granted();
    let (_, base) = bench.center("base");
    bench.apply(std::slice::from_ref(&base));
    bench.write("refused");
    let second = bench.write("second");
    bench.write("third");
    let correction = Entry::Correction(packet::Correction {
        of: second,
        text: Some("second, better".into()),
        by: "Diaz (4A12)".into(),
    });
    bench.write_entry(notes(), correction).unwrap();
    let before = bench.outbox();
    let refusal = Refusal::Policy("not tonight".into());
    let applied = bench.apply(&[refused(before[0].hash, &refusal)]);

    let after = bench.outbox();
    assert_eq!(after.len(), 3);
    assert_eq!(bench.sealed_files(), 3);
    let (told, _) = applied.outbox.unwrap();
    assert_eq!(
        told[&notes()],
        after,
        "the machine hears what is offered now"
    );

    // The center, which has only the base, takes all of them.
    let Operation::Changes { changes, .. } = base else {
        unreachable!()
    };
    let Unpacked::Change(bytes) = &changes[0].body else {
        unreachable!()
    };
    let inspected = packet::inspect(bytes).unwrap();
    let mut document = Document::new();
    document.apply(&inspected, bytes).unwrap();
    for unsent in &after {
        assert_eq!(bench.admit(&mut document, unsent), Ok(()));
        bench.unseal(&unsent.hash);
    }
    assert_eq!(
        texts(&bench),
        ["base", "second", "third", "Correction", "refused"]
    );
    let rows = bench.store.packet(call()).unwrap().unwrap();
    let Entry::Correction(correction) = &rows[3].written.entry else {
        panic!("{:?}", rows[3])
    };
    assert_eq!(correction.of, rows[1].id, "it names the entry as it is now");
    assert_eq!(
        rows[4].standing,
        Standing::Refused("The center does not allow this: not tonight.".into())
    );
    // The answers to what was offered behind it name changes that are no more.
    let unknown = bench.apply(&[refused(before[1].hash, &Refusal::UnknownDependency)]);
    assert_eq!(unknown.outbox, None);
    assert_eq!(bench.outbox(), after);
}

/// A kill between the sealed files of what was written anew and its commit leaves both:
/// the next start offers the old ones, hands in the new ones, and writes anew once more.
#[test]
fn what_was_written_anew_twice_is_logged_once_and_comes_from_the_center_then() {
    let bench = Bench::granted();
    bench.write("first");
    bench.write("second");
    let old = bench.outbox();
    let mut document = Document::new();
    for unsent in &old {
        let anew = bench.sealed_and_not_kept(&document, unsent);
        assert_eq!(bench.admit(&mut document, &anew), Ok(()));
    }

    bench.apply(&[refused(old[0].hash, &Refusal::UnknownDependency)]);
    for _ in 0..2 {
        let mine = bench.outbox();
        let refusal = bench.admit(&mut document, &mine[0]).unwrap_err();
        assert_eq!(refusal, Refusal::HasIt);
        let position = position(&[notes(), safety()]);
        let applied = bench.apply(&[refused(mine[0].hash, &refusal), position]);
        assert!(applied.comes_anew);
        let kept = bench.store.load().unwrap().kept;
        assert!(kept.documents.contains(&(notes(), Some(0))), "{kept:?}");
    }
    assert!(bench.outbox().is_empty());
    assert!(bench.packet().is_empty(), "nothing is shown as refused");
    assert_eq!(bench.sealed_files(), 0);
    assert_eq!(document.lineage().len(), 2);
}

#[test]
fn an_entry_that_only_stands_in_the_wrong_place_is_written_anew_itself_but_not_for_ever() {
    let bench = Bench::granted();
    bench.write("the text");
    for _ in 0..super::apply::REWRITES_MAX {
        let before = bench.outbox();
        bench.apply(&[refused(before[0].hash, &Refusal::UnknownDependency)]);
        let after = bench.outbox();
        assert_eq!(after.len(), 1);
        assert_ne!(before[0].hash, after[0].hash);
        assert_eq!(bench.admit(&mut Document::new(), &after[0]), Ok(()));
    }
    bench.apply(&[refused(bench.outbox()[0].hash, &Refusal::UnknownDependency)]);
    assert!(bench.outbox().is_empty());
    assert!(matches!(&bench.packet()[..], [(text, Standing::Refused(_))] if text == "the text"));
}

#[test]
fn after_a_reset_what_is_not_granted_again_goes_but_what_is_unsent_stays() {
    let mut bench = Bench::granted();
    let (_, change) = bench.center("old");
    bench.apply(&[change, position(&[notes(), safety()])]);
    bench.write("unsent");
    bench.apply(&[welcome(1, true)]);
    let kept = bench.store.load().unwrap().kept;
    assert_eq!((kept.position, kept.documents.len()), (0, 0));
    assert_eq!(texts(&bench), ["old", "unsent"], "still readable meanwhile");
    bench.apply(&[Operation::Grant(safety()), position(&[safety()])]);
    assert_eq!(texts(&bench), ["unsent"]);
    assert_eq!(bench.outbox().len(), 1);
    let kept = bench.store.load().unwrap().kept;
    assert_eq!(kept.documents, [(safety(), None)]);
    // Once it is at the center, it goes as well.
    bench.apply(&[accepted(bench.outbox()[0].hash, 50)]);
    assert_eq!(texts(&bench), [""; 0]);
}

#[test]
fn after_a_reset_what_is_granted_again_doubles_nothing() {
    let mut bench = Bench::granted();
    let (change, operation) = bench.center("old");
    bench.apply(&[operation, position(&[notes(), safety()])]);
    let again = bench.changes(&[change.bytes]);
    bench.apply(&[
        welcome(1, true),
        Operation::Grant(notes()),
        again,
        position(&[notes()]),
    ]);
    assert_eq!(texts(&bench), ["old"]);
}

#[test]
fn a_revoked_document_leaves_but_what_is_unsent_stays() {
    let mut bench = Bench::granted();
    let (_, change) = bench.center("theirs");
    bench.apply(&[change]);
    bench.write("mine");
    bench.apply(&[Operation::Revoke(notes())]);
    assert_eq!(texts(&bench), ["mine"]);
    assert_eq!(bench.outbox().len(), 1);
    let kept = bench.store.load().unwrap().kept;
    assert!(
        kept.documents
            .iter()
            .all(|(document, _)| *document != notes())
    );
    bench.apply(&[Operation::Revoke(safety())]);
    assert!(matches!(
        bench.write_entry(notes(), note("no longer mine")),
        Err(StoreError::NotHere)
    ));
}

#[test]
fn receipts_are_kept_and_never_go_back() {
    let bench = Bench::granted();
    let seen = |number, through, at_ms| Operation::Seen {
        number,
        document: notes(),
        through,
        who: "an analyst".into(),
        at_ms,
    };
    bench.apply(&[seen(4, 9, 70), seen(3, 5, 60)]);
    let kept = bench.store.seen(call()).unwrap();
    assert_eq!(kept, [(notes(), 9, "an analyst".to_owned(), 70)]);
    assert_eq!(bench.store.load().unwrap().kept.receipts, 4);
}

#[test]
fn what_was_shown_is_to_be_told_until_it_was() {
    let mut bench = Bench::granted();
    let (_, change) = bench.center("one");
    bench.apply(&[change]);
    assert!(bench.store.show(call(), 11).unwrap());
    assert!(
        !bench.store.show(call(), 12).unwrap(),
        "nothing new was shown"
    );
    let untold = bench.store.untold().unwrap();
    assert_eq!(
        (untold.len(), untold[0].through, untold[0].at_ms),
        (1, 1, 11)
    );
    bench.store.told(&untold).unwrap();
    assert!(bench.store.untold().unwrap().is_empty());
    let (_, change) = bench.center("two");
    bench.apply(&[change]);
    assert!(bench.store.show(call(), 13).unwrap());
    assert_eq!(bench.store.untold().unwrap()[0].through, 2);
}

#[test]
fn on_a_full_disk_writing_says_so_and_reading_goes_on() {
    let mut bench = Bench::granted();
    let (_, change) = bench.center("readable");
    bench.apply(&[change]);
    let set_pages_max = |pages: u32| {
        let guard = super::lock(&bench.store.0.writer);
        let connection = &guard.as_ref().unwrap().connection;
        connection
            .query_row(&format!("PRAGMA max_page_count = {pages}"), [], |_| Ok(()))
            .unwrap();
    };
    set_pages_max(1);
    let long = "x".repeat(1_900);
    let mut failed = None;
    // What is left of the last page takes a few.
    for _ in 0..20 {
        failed = bench.write_entry(notes(), note(&long)).err();
        if failed.is_some() {
            break;
        }
    }
    assert!(matches!(failed, Some(StoreError::DiskFull)), "{failed:?}");
    assert_eq!(bench.sealed_files(), bench.outbox().len(), "no trace of it");
    assert_eq!(texts(&bench)[0], "readable");
    set_pages_max(100_000);
    bench.write("there is room again");
}

#[test]
fn an_outbox_has_a_limit_that_writing_names() {
    let bench = Bench::granted();
    bench
        .store
        .write(|tx, _| {
            tx.execute(
                "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?1)
                 INSERT INTO outbox (hash, doc, entry, kind, fields, author_ms, bytes, signature)
                 SELECT CAST(i AS BLOB), x'00', '', '', '', 0, x'', x'' FROM n",
                [OUTBOX_ENTRIES_MAX as i64],
            )?;
            Ok(())
        })
        .unwrap();
    assert!(matches!(
        bench.write_entry(notes(), note("one more")),
        Err(StoreError::OutboxFull)
    ));
}

#[test]
fn a_paused_store_has_closed_its_files_and_says_so_until_it_is_resumed() {
    let bench = Bench::granted();
    bench.write("kept");
    assert_eq!(texts(&bench), ["kept"]);
    bench.store.pause().unwrap();
    assert_eq!(
        files(&bench.dir.path().join("store")),
        ["packets.db"],
        "no WAL is left"
    );
    assert!(matches!(bench.store.packets(), Err(StoreError::Paused)));
    assert!(matches!(
        bench.write_entry(notes(), note("no")),
        Err(StoreError::Paused)
    ));
    bench.store.resume().unwrap();
    assert_eq!(texts(&bench), ["kept"]);
    bench.write("and on");
}

#[test]
fn a_caution_is_written_to_the_safety_document_by_its_own_actor() {
    let bench = Bench::granted();
    let caution = Entry::Caution(Caution {
        text: "dog".into(),
        by: "Diaz (4A12)".into(),
        ends_ms: None,
    });
    let caution = bench.write_entry(safety(), caution).unwrap();
    let note = bench.write("note");
    assert_ne!(caution.actor, note.actor);
    assert_eq!(caution.actor.author(), Author::Device(DEVICE));
    assert!(bench.store.has(safety(), caution).unwrap());
    assert!(!bench.store.has(notes(), caution).unwrap());
}
