#![allow(clippy::unwrap_used)]

mod cost;
mod exports;
mod retention;
mod unkept;

use std::path::Path;
use std::sync::Arc;

use packet::{CallId, CenterId, Compartment, DeviceNumber, DocumentId};
use rusqlite::{Connection, params};

use super::note::{Checkpoint, KeyKind, Note, SigningKey};
use super::stored::{self, Stored};
use super::tree::{Tree, is_consistent, is_included};
use super::verify::{self, Fault, Former, Of, Verified};
use super::witness::{self, WitnessConfig, judge};
use super::{Record, Subject, find, record, review};
use crate::clock::Clock;
use crate::log::{Log, LogError, LogOptions, Surroundings};
use crate::policy::{Act, Actor, LivePolicies, Role};
use crate::receipts::tests::{named as carrier_named, of_agency};
use crate::receipts::{Batch, Report};

const CENTER: [u8; 16] = [1; 16];

/// A log of some entries, and the key that signs it.
struct Bench {
    log: Log,
    key: Arc<SigningKey>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        Self::by(Clock::default())
    }

    fn by(clock: Clock) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let log = open(folder.path(), clock);
        let origin = stored::origin(CENTER, log.incarnation());
        let key = SigningKey::new(&origin, KeyKind::Note, &[4; 32]).unwrap();
        Self {
            log,
            key: Arc::new(key),
            _folder: folder,
        }
    }

    /// Enters so many, each about another document.
    async fn enter(&self, count: u64) {
        let entered = self.log.write(move |ledger| {
            for n in 1..=count {
                let document = DocumentId::new(CallId(n), Compartment::Call);
                let seen = Record {
                    object: document.to_string(),
                    stretch: Some((n, n + 1)),
                    ..Record::of("Analyst", Act::SeePacket)
                };
                record(ledger, &seen)?;
            }
            Ok::<_, LogError>(())
        });
        entered.await.unwrap();
    }

    async fn enter_one(&self, one: Record) {
        let entered = self.log.write(move |ledger| record(ledger, &one));
        entered.await.unwrap();
    }

    async fn sign(&self) -> String {
        let key = self.key.clone();
        let signed = self
            .log
            .write(move |ledger| stored::checkpoint(ledger.sql(), &key, ledger.now_ms()));
        signed.await.unwrap().unwrap().note
    }

    /// Two checkpoints over these.
    async fn of(count: u64) -> (Self, String) {
        let bench = Self::new();
        bench.enter(count / 2).await;
        let former = bench.sign().await;
        bench.enter(count - count / 2).await;
        bench.sign().await;
        (bench, former)
    }

    async fn read<T: Send + 'static>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, LogError> + Send + 'static,
    ) -> T {
        self.log.readers().read(read).await.unwrap()
    }

    /// As somebody who has the store's key and nothing else.
    async fn tamper(&self, sql: &str) {
        let sql = sql.to_owned();
        let tampered = self.log.write(move |ledger| {
            ledger.sql().execute_batch(&sql)?;
            Ok::<_, LogError>(())
        });
        tampered.await.unwrap();
    }

    async fn verify_against(&self, former: &[String], witnesses: &[WitnessConfig]) -> Verified {
        let public = *self.key.verifier().public();
        let former: Vec<Former> = former
            .iter()
            .map(|note| Former {
                name: "kept".into(),
                note: note.clone(),
            })
            .collect();
        let witnesses: Vec<_> = witnesses.iter().map(|w| w.verifier().unwrap()).collect();
        self.read(move |connection| {
            let of = Of {
                center: CENTER,
                public,
                witnesses: &witnesses,
            };
            verify::store(connection, &of, &former)
        })
        .await
    }

    async fn verify(&self) -> Verified {
        self.verify_against(&[], &[]).await
    }
}

fn open(folder: &Path, clock: Clock) -> Log {
    let options = LogOptions {
        center: CenterId(CENTER),
        store_key: [2; 32],
        mac_key: [3; 32],
    };
    let surroundings = Surroundings::new(clock, |bytes| {
        let _ = aws_lc_rs::rand::fill(bytes);
    });
    Log::open_in(&folder.join("log.db"), &options, &surroundings, |_| {}).unwrap()
}

fn said(faults: &[Fault]) -> Vec<String> {
    faults.iter().map(ToString::to_string).collect()
}

#[tokio::test]
async fn a_log_that_nobody_touched_is_as_it_was_written() {
    let (bench, former) = Bench::of(700).await;
    let verified = bench.verify_against(&[former], &[]).await;
    assert_eq!(said(&verified.faults), [""; 0]);
    assert_eq!(
        (verified.last, verified.checkpoints, verified.signed),
        (700, 2, 700)
    );
}

/// Each thing that an entry says, changed in the store: the entry is named.
#[tokio::test]
async fn an_entry_that_was_changed_is_named() {
    for change in [
        "who = 'Somebody else'",
        "at_ms = at_ms + 1",
        "object = '0000000000000001/safety'",
        "act = 'SeeBoard'",
        "allowed = 0",
        "detail = 'x'",
        "after_seq = 0",
        "through_seq = 900",
        "device = 3",
        "agency = 'so'",
        "purpose = 'C'",
        "reason = 'none'",
        "came_from = '10.0.0.1'",
        "policies = '[\"p\"]'",
        "receiver = 'so'",
        "subjects = '[\"plate:x\"]'",
        "carriers = '[1]', who = 'x'",
        "subjects = 'no list'",
    ] {
        let (bench, _) = Bench::of(20).await;
        bench
            .tamper(&format!("UPDATE audit SET {change} WHERE id = 13"))
            .await;
        let verified = bench.verify().await;
        assert_eq!(verified.faults, [Fault::Changed { id: 13 }], "{change}");
    }
}

/// Whoever changes the hash with it is found by what was signed.
#[tokio::test]
async fn an_entry_that_was_changed_with_its_hash_is_found_by_the_checkpoint() {
    let (bench, former) = Bench::of(20).await;
    let reforged = bench.log.write(|ledger| {
        let sql = ledger.sql();
        sql.execute(
            "UPDATE audit SET who = 'Somebody else', leaf = NULL WHERE id = 13",
            [],
        )?;
        stored::enter_late(sql, 13)?;
        Ok::<_, LogError>(())
    });
    reforged.await.unwrap();
    let verified = bench.verify().await;
    let [
        Fault::Rewritten {
            from: 11, to: 20, ..
        },
    ] = verified.faults[..]
    else {
        panic!("{:?}", said(&verified.faults));
    };
    // The former one is over the ten before it, and holds.
    assert_eq!(verified.signed, 10);
    // Nobody can make the center sign over it either.
    bench.enter(1).await;
    let key = bench.key.clone();
    let signed = bench
        .log
        .write(move |ledger| stored::checkpoint(ledger.sql(), &key, 0));
    let refused = signed.await.unwrap_err().to_string();
    assert!(
        refused.contains("are not those that were signed"),
        "{refused}"
    );
    // With the checkpoints gone as well, the one kept elsewhere tells of all before it.
    bench
        .tamper(
            "DELETE FROM audit_checkpoints; UPDATE audit SET who = 'x', leaf = NULL WHERE id = 3",
        )
        .await;
    let late = bench
        .log
        .write(|ledger| stored::enter_late(ledger.sql(), 3));
    late.await.unwrap();
    let verified = bench.verify_against(&[former], &[]).await;
    let told = said(&verified.faults);
    assert_eq!(
        told,
        ["kept: its 10 entries are not the first 10 of this log"]
    );
}

#[tokio::test]
async fn entries_that_were_removed_are_named() {
    for (gone, from, to) in [("id = 1", 1, 1), ("id IN (7, 8)", 7, 8)] {
        let (bench, _) = Bench::of(20).await;
        bench
            .tamper(&format!("DELETE FROM audit WHERE {gone}"))
            .await;
        let verified = bench.verify().await;
        assert_eq!(verified.faults, [Fault::Missing { from, to }], "{gone}");
    }
    for (gone, has) in [("id = 20", 19), ("id > 5", 5), ("1", 0)] {
        let (bench, former) = Bench::of(20).await;
        bench
            .tamper(&format!("DELETE FROM audit WHERE {gone}"))
            .await;
        let verified = bench.verify().await;
        let is_told = matches!(
            verified.faults[..],
            [Fault::CutShort { has: found, signed: 20, .. }] if found == has
        );
        assert!(is_told, "{gone}: {:?}", said(&verified.faults));
        // Taken away with all that speaks of it, but for a checkpoint that somebody kept.
        bench
            .tamper("DELETE FROM audit_checkpoints; DELETE FROM audit_nodes")
            .await;
        let verified = bench
            .verify_against(std::slice::from_ref(&former), &[])
            .await;
        let told = said(&verified.faults);
        if has < 10 {
            let says = format!("kept: it is of 10 entries, and the log ends with entry {has}:");
            assert!(told.len() == 1 && told[0].starts_with(&says), "{told:?}");
        } else {
            assert!(told.is_empty(), "{told:?}");
        }
    }
}

#[tokio::test]
async fn entries_that_changed_places_are_named_with_their_hashes_or_without() {
    let swap = "UPDATE audit SET id = 999 WHERE id = 4; UPDATE audit SET id = 4 WHERE id = 9; UPDATE audit SET id = 9 WHERE id = 999";
    let (bench, _) = Bench::of(20).await;
    bench.tamper(swap).await;
    let verified = bench.verify().await;
    assert_eq!(
        verified.faults[..2],
        [Fault::Changed { id: 4 }, Fault::Changed { id: 9 }]
    );
    let reforge = bench.log.write(|ledger| {
        for id in [4, 9] {
            stored::enter_late(ledger.sql(), id)?;
        }
        Ok::<_, LogError>(())
    });
    reforge.await.unwrap();
    let verified = bench.verify().await;
    assert!(matches!(
        verified.faults[..],
        [Fault::Rewritten {
            from: 1,
            to: 10,
            ..
        }]
    ));
}

#[tokio::test]
async fn an_entry_that_was_put_in_is_named() {
    let (bench, _) = Bench::of(20).await;
    bench
        .tamper("INSERT INTO audit (id, at_ms, who, act, object, allowed, detail) VALUES (21, 0, 'x', 'y', '', 1, '')")
        .await;
    let verified = bench.verify().await;
    assert_eq!(verified.faults, [Fault::NotEntered { id: 21 }]);
}

#[tokio::test]
async fn what_is_beside_the_entries_cannot_be_changed_either() {
    let (bench, _) = Bench::of(600).await;
    bench
        .tamper("UPDATE audit_nodes SET hash = zeroblob(32) WHERE level = 8 AND position = 1")
        .await;
    let verified = bench.verify().await;
    assert_eq!(verified.faults, [Fault::Node { from: 257, to: 512 }]);
    // A checkpoint by another key, and one moved to another size.
    let (bench, _) = Bench::of(20).await;
    let other = SigningKey::new(bench.key.verifier().name(), KeyKind::Note, &[9; 32]).unwrap();
    let note = other.sign(
        &Checkpoint {
            origin: bench.key.verifier().name().into(),
            size: 20,
            root: super::tree::Hash([0; 32]),
        }
        .text(),
    );
    let forged = bench.log.write(move |ledger| {
        let sql = ledger.sql();
        sql.execute(
            "UPDATE audit_checkpoints SET note = ?1 WHERE size = 20",
            [note],
        )?;
        sql.execute("UPDATE audit_checkpoints SET size = 11 WHERE size = 10", [])?;
        Ok::<_, LogError>(())
    });
    forged.await.unwrap();
    let verified = bench.verify().await;
    let sizes: Vec<u64> = verified
        .faults
        .iter()
        .map(|fault| match fault {
            Fault::Checkpoint { size, .. } => *size,
            other => panic!("{other}"),
        })
        .collect();
    assert_eq!(sizes, [11, 20]);
}

#[tokio::test]
async fn those_who_were_given_the_same_cannot_be_exchanged() {
    let bench = Bench::new();
    let carrier = |n: u32| carrier_named(n, &format!("MDT {n}"), &format!("Diaz (1A{n})"));
    let mut batch = Batch::default();
    for n in 1..=200 {
        let document = DocumentId::new(CallId(7), Compartment::Call);
        let report = Report {
            sent: [(document, (3, 4))].into(),
            ..Report::default()
        };
        batch.add(&carrier(n), report, 0);
    }
    let kept = bench.log.write(move |ledger| batch.write(ledger)).await;
    kept.unwrap().committed();
    let rows =
        bench.read(|c| Ok(c.query_row("SELECT count(*) FROM audit", [], |r| r.get::<_, u64>(0))?));
    assert_eq!(rows.await, 1, "one entry for all of them");
    assert!(bench.verify().await.faults.is_empty());
    bench
        .tamper("UPDATE carriers SET who = 'Roe' WHERE device = 100")
        .await;
    assert_eq!(bench.verify().await.faults, [Fault::Changed { id: 1 }]);
}

/// The store's own proofs, across its blocks, are those of RFC 6962.
#[tokio::test]
async fn proofs_of_the_store_hold_across_blocks_and_checkpoints() {
    let bench = Bench::new();
    let mut notes = Vec::new();
    for count in [1, 254, 1, 1, 255, 300] {
        bench.enter(count).await;
        notes.push(bench.sign().await);
    }
    let checkpoints: Vec<Checkpoint> = notes
        .iter()
        .map(|note| Checkpoint::of(&Note::read(note).unwrap()).unwrap())
        .collect();
    bench
        .read(move |connection| {
            let mut tree = Tree::new(Stored(connection));
            for (at, former) in checkpoints.iter().enumerate() {
                assert_eq!(tree.root(former.size)?, former.root);
                for later in &checkpoints[at..] {
                    let proof = tree.consistency(former.size, later.size)?;
                    assert!(is_consistent(
                        former.size,
                        &former.root,
                        later.size,
                        &later.root,
                        &proof
                    ));
                }
                let found = find::find(
                    connection,
                    &find::Criteria::default(),
                    &find::Sight::of(&crate::policy::built_in(), &Actor::of(Role::Auditor)),
                    Some(former.size + 1),
                    1,
                )?;
                let last = &found.entries[0];
                for id in [1, former.size / 2 + 1, former.size] {
                    let path = tree.inclusion(id - 1, former.size)?;
                    let leaf = tree.edge(id)?; // its last leaf is entry `id`
                    assert_eq!(leaf.size(), id);
                    if id == last.id {
                        assert!(is_included(
                            &last.leaf_hash(),
                            id - 1,
                            former.size,
                            &path,
                            &former.root
                        ));
                    }
                }
            }
            Ok(())
        })
        .await;
}

#[tokio::test]
async fn a_witness_cosigns_what_is_proved_to_begin_with_what_it_cosigned_and_nothing_else() {
    let (bench, former) = Bench::of(20).await;
    let later = bench.read(|c| Ok(stored::latest(c)?.unwrap().note)).await;
    let read = |note: &str| Checkpoint::of(&Note::read(note).unwrap()).unwrap();
    let (former, later_one) = (read(&former), read(&later));
    let proof = bench
        .read(|c| Tree::new(Stored(c)).consistency(10, 20))
        .await;
    assert_eq!(judge(None, &later_one, &[]), Ok(()));
    assert_eq!(judge(Some(&former), &later_one, &proof), Ok(()));
    assert!(judge(Some(&later_one), &former, &proof).is_err(), "shorter");
    assert!(judge(Some(&former), &later_one, &proof[1..]).is_err());
    let forked = Checkpoint {
        root: super::tree::Hash([7; 32]),
        ..later_one.clone()
    };
    assert!(judge(Some(&former), &forked, &proof).is_err());
    assert!(
        judge(Some(&later_one), &forked, &[]).is_err(),
        "same size, another log"
    );

    let witness = SigningKey::new("so.example.gov/witness", KeyKind::Witness, &[5; 32]).unwrap();
    let known = WitnessConfig {
        agency: "so".into(),
        key: witness.verifier().to_string(),
    };
    let cosigned = later.clone() + &witness.cosign(&later_one, 1_800_000_000);
    let take = |note: String, known: Vec<WitnessConfig>| {
        bench
            .log
            .write(move |ledger| witness::take(ledger, &note, &known))
    };
    let nobody = take(cosigned.clone(), vec![]).await.unwrap_err();
    assert!(
        nobody
            .to_string()
            .contains("none of this center's witnesses"),
        "{nobody}"
    );
    for _ in 0..2 {
        let taken = take(cosigned.clone(), vec![known.clone()]).await.unwrap();
        assert_eq!(taken, ["so"]);
    }
    let forged = later.clone() + &witness.cosign(&forked, 1);
    assert!(take(forged, vec![known.clone()]).await.is_err());
    let foreign = later.replace("\n20\n", "\n21\n");
    assert!(take(foreign, vec![known.clone()]).await.is_err());
    let verified = bench
        .verify_against(&[], std::slice::from_ref(&known))
        .await;
    assert_eq!(verified.witnessed["so.example.gov/witness"], 20);
    // Taken twice, on record once.
    let acts = bench.read(|c| {
        Ok(c.query_row(
            "SELECT count(*) FROM audit WHERE act = 'CosignCheckpoint'",
            [],
            |r| r.get::<_, u64>(0),
        )?)
    });
    assert_eq!(acts.await, 1);
    bench
        .tamper("UPDATE audit_cosignatures SET line = replace(line, 'A', 'B')")
        .await;
    let verified = bench.verify_against(&[], &[known]).await;
    assert!(!verified.faults.is_empty());
}

#[tokio::test]
async fn a_subject_is_found_by_any_spelling_and_stands_nowhere() {
    let bench = Bench::new();
    for (who, kind, value) in [
        ("Ames", "plate", "abc-123 WI"),
        ("Bell", "plate", "XYZ9"),
        ("Cole", "person", "Doe, Jane 1984-05-03"),
    ] {
        let asked = Record {
            subjects: Subject::read(kind, value).into_iter().collect(),
            purpose: Some("C".into()),
            ..Record::of(who, Act::AskSource)
        };
        bench.enter_one(asked).await;
    }
    let who_asked = async |kind: &'static str, value: &'static str| {
        let found = bench.read(move |c| {
            let criteria = find::Criteria {
                subject: Subject::read(kind, value),
                ..find::Criteria::default()
            };
            find::find(
                c,
                &criteria,
                &find::Sight::of(&crate::policy::built_in(), &Actor::of(Role::Auditor)),
                None,
                10,
            )
        });
        let entries = found.await.entries;
        entries.into_iter().map(|e| e.who).collect::<Vec<_>>()
    };
    assert_eq!(who_asked("plate", "ABC123").await, ["Ames"]);
    assert_eq!(who_asked("person", "jane doe").await, ["Cole"]);
    assert_eq!(who_asked("plate", "NONE1").await, [""; 0]);
    // All that the store has of it.
    let all = bench
        .read(|c| {
            let mut all = String::new();
            for table in ["audit", "audit_subjects", "audit_subject_keys", "meta"] {
                let mut statement = c.prepare(&format!("SELECT * FROM {table}"))?;
                let columns = statement.column_count();
                let mut rows = statement.query([])?;
                while let Some(row) = rows.next()? {
                    for n in 0..columns {
                        all += &format!("{:?} ", row.get_ref(n)?);
                    }
                }
            }
            Ok(all.to_uppercase())
        })
        .await;
    for plain in ["ABC123", "ABC-123", "XYZ9", "JANE", "DOE"] {
        assert!(!all.contains(plain), "{plain}");
    }
}

#[tokio::test]
async fn a_subject_that_was_forgotten_is_found_by_nobody_and_the_log_still_holds() {
    let folder = tempfile::tempdir().unwrap();
    let subject = || Subject::read("plate", "ABC123").unwrap();
    let log = open(folder.path(), Clock::default());
    let asked = log.write(move |ledger| {
        let asked = Record {
            subjects: vec![subject()],
            ..Record::of("Ames", Act::AskSource)
        };
        record(ledger, &asked)
    });
    asked.await.unwrap();
    let path = folder.path().join("log.db");
    let mut connection = crate::log::beside(&path, &[2; 32]).unwrap();
    let by = Record {
        reason: Some("order 12-7".into()),
        ..Record::of("Clerk", Act::ForgetSubject)
    };
    assert!(super::forget(&mut connection, &subject(), &by, 5).unwrap());
    assert!(!super::forget(&mut connection, &subject(), &by, 6).unwrap());
    assert_eq!(
        super::subjects::find(&connection, &subject()).unwrap(),
        None
    );
    let rows: u64 = connection
        .query_row(
            "SELECT count(*) FROM audit WHERE act = 'ForgetSubject' AND reason = 'order 12-7'",
            [],
            |r| r.get(0),
        )
        .unwrap();
    assert_eq!(rows, 2, "that it was done is on record");
    let of = Of {
        center: CENTER,
        public: [0; 32],
        witnesses: &[],
    };
    assert!(
        verify::store(&connection, &of, &[])
            .unwrap()
            .faults
            .is_empty()
    );
    // Asked about again, it is somebody new.
    let again = log.write(move |ledger| super::subjects::hash(ledger.sql(), &subject()));
    let again = again.await.unwrap();
    let first: String = connection
        .query_row(
            "SELECT subject FROM audit_subjects ORDER BY id LIMIT 1",
            [],
            |r| r.get(0),
        )
        .unwrap();
    assert_ne!(first, again);
}

#[tokio::test]
async fn a_supervisor_sees_what_the_own_agency_did_and_no_hidden_compartment() {
    let bench = Bench::new();
    bench.tamper("INSERT INTO devices (device, agency, label, public_key) VALUES (1, 'pd', 'a', x''), (2, 'so', 'b', x'')").await;
    let of = |who: &str, agency: Option<&str>, device: Option<u32>, compartment| Record {
        agency: agency.map(Into::into),
        device: device.map(DeviceNumber),
        object: DocumentId::new(CallId(7), compartment).to_string(),
        ..Record::of(who, Act::SeePacket)
    };
    for one in [
        of("Ames", Some("pd"), None, Compartment::Call),
        of("Bell", Some("so"), None, Compartment::Call),
        of("Cole", None, Some(1), Compartment::Call),
        of("Dunn", Some("pd"), None, Compartment::Intel),
        of("Ernst", None, None, Compartment::Call),
    ] {
        bench.enter_one(one).await;
    }
    let mut batch = Batch::default();
    for (n, agency) in (1..).zip(["pd", "so"]) {
        let report = Report {
            sent: [(DocumentId::new(CallId(7), Compartment::Call), (3, 4))].into(),
            ..Report::default()
        };
        batch.add(
            &of_agency(agency, n, "MDT", &format!("Officer {n}")),
            report,
            0,
        );
    }
    let kept = bench.log.write(move |ledger| batch.write(ledger)).await;
    kept.unwrap().committed();
    let seen = async |actor: Actor| {
        let found = bench.read(move |c| {
            find::find(
                c,
                &find::Criteria::default(),
                &find::Sight::of(&LivePolicies::built_in(&["pd".into()]), &actor),
                None,
                10,
            )
        });
        found.await.entries
    };
    let names = |entries: &[super::Entry]| -> Vec<String> {
        entries
            .iter()
            .flat_map(|e| {
                let given = e.carriers.iter().map(|c| c.who.clone());
                given.chain(e.carriers.is_empty().then(|| e.who.clone()))
            })
            .collect()
    };
    let supervisor = Actor {
        agency: Some("pd".into()),
        ..Actor::of(Role::Supervisor)
    };
    assert_eq!(
        names(&seen(supervisor).await),
        ["Officer 1", "Cole", "Ames"]
    );
    assert_eq!(seen(Actor::of(Role::Supervisor)).await, [], "of no agency");
    assert_eq!(seen(Actor::of(Role::Auditor)).await.len(), 7);
}

#[tokio::test]
async fn the_review_lists_what_is_to_be_looked_at_and_is_signed_off_by_name() {
    let bench = Bench::new();
    let denied = Record {
        allowed: false,
        object: "x".into(),
        ..Record::of("anonymous", Act::ReportCall)
    };
    let asked = Record {
        purpose: Some("C".into()),
        ..Record::of("Ames", Act::AskSource)
    };
    let backup = Record::of("operator", Act::Backup);
    let bell = Actor {
        name: "Bell".into(),
        agency: Some("so".into()),
        ..Actor::of(Role::Analyst)
    };
    let given_on = |compartment| Record {
        object: DocumentId::new(CallId(999), compartment).to_string(),
        ..Record::by(&bell, Act::Release(compartment))
    };
    let restricted = given_on(Compartment::Records);
    // What agencies share every day is none.
    let shared = given_on(Compartment::Call);
    for one in [denied, asked, backup, restricted, shared] {
        bench.enter_one(one).await;
    }
    bench.enter(150).await;
    let due = async |now_ms: i64| {
        bench
            .read(move |c| {
                let utc = jiff::tz::TimeZone::UTC;
                let config = super::keep::AuditConfig {
                    after_hours: (0, 24),
                    ..Default::default()
                };
                review::due(c, &config, &utc, now_ms)
            })
            .await
    };
    let now_ms = crate::clock::now_ms();
    let found = due(now_ms).await;
    let whats = |counts: &[review::Count]| -> Vec<String> {
        counts
            .iter()
            .map(|c| format!("{} {} {}", c.who, c.what, c.count))
            .collect()
    };
    assert_eq!(whats(&found.denials), ["anonymous ReportCall x 1"]);
    assert_eq!(whats(&found.purposes), ["Ames purpose C 1"]);
    assert_eq!(found.without_reason, 1);
    assert_eq!(whats(&found.privileged), ["operator Backup  1"]);
    assert_eq!(
        whats(&found.second_recipients),
        ["Bell to so: 00000000000003e7/records 1"]
    );
    assert_eq!(
        whats(&found.after_hours),
        [
            "Analyst SeePacket 150",
            "Bell release call 1",
            "Bell release records 1"
        ]
    );
    assert_eq!(
        whats(&found.bulk_reads),
        ["Analyst documents within an hour 150"]
    );
    assert!(!found.overdue && found.last.is_none());
    assert!(due(now_ms + review::REVIEW_EVERY_MS + 60_000).await.overdue);
    let through = found.through;
    let sign_off = |through: u64| {
        bench.log.write(move |ledger| {
            let by = Actor {
                name: "R. Auditor".into(),
                ..Actor::of(Role::Auditor)
            };
            review::sign_off(ledger, through, &by, "nothing unusual")
        })
    };
    sign_off(through).await.unwrap();
    assert!(sign_off(through).await.is_err(), "once");
    assert!(
        sign_off(through + 100).await.is_err(),
        "not what is not there"
    );
    let found = due(now_ms).await;
    assert_eq!(found.last.unwrap().by, "R. Auditor");
    assert_eq!(whats(&found.privileged).len(), 1, "the review itself");
    assert!(found.denials.is_empty() && found.bulk_reads.is_empty());
}

#[tokio::test]
async fn what_was_recorded_before_there_was_a_tree_is_entered_as_it_stands() {
    let folder = tempfile::tempdir().unwrap();
    {
        let log = open(folder.path(), Clock::default());
        let old = log.write(|ledger| {
            for n in 0..5 {
                ledger.sql().execute(
                    "INSERT INTO audit (at_ms, who, act, object, allowed, detail) VALUES (?1, 'old', 'SeePacket', '0000000000000007/call', 1, '')",
                    params![n],
                )?;
            }
            Ok::<_, LogError>(())
        });
        old.await.unwrap();
    }
    let log = open(folder.path(), Clock::default());
    let faults = log.readers().read(|c| {
        let of = Of {
            center: CENTER,
            public: [0; 32],
            witnesses: &[],
        };
        let by_call: u64 = c.query_row("SELECT count(*) FROM audit WHERE call = 7", [], |r| {
            r.get(0)
        })?;
        assert_eq!(by_call, 5);
        Ok(verify::store(c, &of, &[])?.faults)
    });
    assert_eq!(faults.await.unwrap(), []);
}
