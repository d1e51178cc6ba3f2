use std::sync::atomic::{AtomicI64, Ordering};

use super::super::keep::{self, AuditConfig, KEEP_DAYS_MIN};
use super::super::tree::BLOCK;
use super::*;

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

#[test]
fn less_than_a_year_is_refused() {
    let config = |keep_days| AuditConfig {
        keep_days,
        ..AuditConfig::default()
    };
    assert!(config(KEEP_DAYS_MIN).check().is_ok());
    let (field, wanted) = config(365).check().unwrap_err();
    assert_eq!(field, "audit.keep_days");
    assert!(wanted.contains("366"), "{wanted}");
}

#[tokio::test]
async fn what_is_too_old_goes_from_the_front_and_the_rest_is_verified_as_before() {
    let now = Arc::new(AtomicI64::new(0));
    let clock = now.clone();
    let bench = Bench::by(Clock::new(move || clock.load(Ordering::Relaxed)));
    let subject = || Subject::read("plate", "OLD123").unwrap();
    bench
        .enter_one(Record {
            subjects: vec![subject()],
            ..Record::of("Ames", Act::AskSource)
        })
        .await;
    bench.enter(599).await;
    let old = bench.sign().await;
    now.store(400 * DAY_MS, Ordering::Relaxed);
    bench.enter(400).await;
    let kept = bench.sign().await;
    let purge = || {
        bench
            .log
            .write(|ledger| keep::purge(ledger, ledger.now_ms() - 366 * DAY_MS, 10))
    };
    // 600 are old enough: two whole blocks of them.
    assert_eq!(purge().await.unwrap(), 2);
    assert_eq!(purge().await.unwrap(), 0);
    let verified = bench.verify_against(std::slice::from_ref(&kept), &[]).await;
    assert_eq!(said(&verified.faults), [""; 0]);
    assert_eq!((verified.purged_through, verified.last), (2 * BLOCK, 1_001));
    assert_eq!(verified.checkpoints, 2, "both are of more than was purged");
    // It goes on being signed, and proves what it proved.
    bench.enter(300).await;
    let later = bench.sign().await;
    let read = |note: &str| Checkpoint::of(&Note::read(note).unwrap()).unwrap();
    let (former, later) = (read(&kept), read(&later));
    let (from, to) = (former.size, later.size);
    let proof = bench
        .read(move |c| Tree::new(Stored(c)).consistency(from, to))
        .await;
    assert_eq!(judge(Some(&former), &later, &proof), Ok(()));
    assert_eq!(
        said(&bench.verify_against(&[old], &[]).await.faults),
        [""; 0]
    );
    // What was purged is on record, and cannot be stretched by hand.
    let purged = bench.read(|c| {
        Ok(c.query_row(
            "SELECT object FROM audit WHERE act = 'PurgeAudit'",
            [],
            |r| r.get::<_, String>(0),
        )?)
    });
    assert_eq!(purged.await, "audit entries 1 to 512");
    let found = bench
        .read(move |c| super::super::subjects::find(c, &subject()))
        .await;
    assert_eq!(found, None, "its key went with the last entry about it");
    bench.tamper("DELETE FROM audit WHERE id = 513").await;
    assert_eq!(
        bench.verify().await.faults,
        [Fault::Missing { from: 513, to: 513 }]
    );
}

#[tokio::test]
async fn nothing_young_or_unsigned_is_purged() {
    let bench = Bench::new();
    bench.enter(600).await;
    let purge = |before_ms: i64| {
        bench
            .log
            .write(move |ledger| keep::purge(ledger, before_ms, 10))
    };
    assert_eq!(purge(i64::MAX).await.unwrap(), 0, "nothing is signed");
    bench.sign().await;
    assert_eq!(purge(0).await.unwrap(), 0, "all are young");
    assert_eq!(purge(i64::MAX).await.unwrap(), 2);
}

#[tokio::test]
async fn of_old_checkpoints_one_an_hour_is_left_and_those_that_were_cosigned() {
    const HOUR_MS: i64 = DAY_MS / 24;
    let now = Arc::new(AtomicI64::new(0));
    let clock = now.clone();
    let bench = Bench::by(Clock::new(move || clock.load(Ordering::Relaxed)));
    for minute in 0..120 {
        now.store(minute * HOUR_MS / 60, Ordering::Relaxed);
        bench.enter(1).await;
        bench.sign().await;
    }
    bench
        .tamper("INSERT INTO audit_cosignatures VALUES (7, 'w', 'so', 0, '', 0)")
        .await;
    let thinned = bench
        .log
        .write(|ledger| keep::thin(ledger.sql(), 2 * HOUR_MS));
    thinned.await.unwrap();
    let left = bench.read(|c| {
        Ok(stored::all(c)?
            .iter()
            .map(|kept| kept.size)
            .collect::<Vec<_>>())
    });
    assert_eq!(left.await, [7, 60, 120]);
}
