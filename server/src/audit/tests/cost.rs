//! What hashing adds to a commit. Prints, for docs/audit.md; asserts what was measured.

use std::time::{Duration, Instant};

use super::*;

const ENTRIES: u32 = 20_000;

#[tokio::test]
async fn what_is_measured_is_a_log_that_holds() {
    let bench = Bench::new();
    let per = |took: Duration, count: u32| took.as_secs_f64() * 1e6 / f64::from(count);
    let plain = bench.log.write(|ledger| {
        let began = Instant::now();
        ledger.sql().execute_batch("CREATE TABLE plain_audit (id INTEGER PRIMARY KEY, at_ms INTEGER, who TEXT, act TEXT, object TEXT, allowed INTEGER, detail TEXT)")?;
        for n in 0..ENTRIES {
            let document = DocumentId::new(CallId(u64::from(n)), Compartment::Call);
            ledger
                .sql()
                .prepare_cached("INSERT INTO plain_audit (at_ms, who, act, object, allowed, detail) VALUES (?1, ?2, ?3, ?4, 1, ?5)")?
                .execute(params![ledger.now_ms(), "Analyst", "SeePacket", document.to_string(), "3..4"])?;
        }
        Ok::<_, LogError>(began.elapsed())
    });
    println!(
        "a row as before: {:.1} us",
        per(plain.await.unwrap(), ENTRIES)
    );
    let began = Instant::now();
    bench.enter(u64::from(ENTRIES)).await;
    println!("an entry: {:.1} us", per(began.elapsed(), ENTRIES));
    let entry = bench
        .read(|c| {
            let everything = find::Sight::of(&crate::policy::built_in(), &Actor::of(Role::Auditor));
            let found = find::find(c, &find::Criteria::default(), &everything, None, 1)?;
            Ok(found.entries[0].clone())
        })
        .await;
    let began = Instant::now();
    let hashes =
        (0..ENTRIES).filter(|_| std::hint::black_box(&entry).leaf_hash() == entry.leaf_hash());
    assert_eq!(hashes.count(), ENTRIES as usize);
    println!(
        "of it the leaf and its hash: {:.1} us",
        per(began.elapsed(), 2 * ENTRIES)
    );
    let began = Instant::now();
    bench.sign().await;
    println!(
        "a checkpoint over {ENTRIES} new entries: {:.1} ms",
        began.elapsed().as_secs_f64() * 1e3
    );
    bench.enter(1).await;
    let began = Instant::now();
    bench.sign().await;
    println!(
        "a checkpoint over one more: {:.1} ms",
        began.elapsed().as_secs_f64() * 1e3
    );
    let carriers: Vec<_> = (1..=200)
        .map(|n| carrier_named(n, &format!("MDT {n}"), &format!("Officer {n} (1A{n})")))
        .collect();
    let mut took = Duration::ZERO;
    const NOTES: u64 = 100;
    for n in 0..NOTES {
        let mut batch = Batch::default();
        for carrier in &carriers {
            let document = DocumentId::new(CallId(7), Compartment::Call);
            let report = Report {
                sent: [(document, (n, n + 1))].into(),
                ..Report::default()
            };
            batch.add(carrier, report, 0);
        }
        let kept = bench.log.write(move |ledger| {
            let began = Instant::now();
            let kept = batch.write(ledger)?;
            Ok::<_, LogError>((kept, began.elapsed()))
        });
        let (kept, wrote) = kept.await.unwrap();
        kept.committed();
        took += wrote;
    }
    println!("an entry of 200 devices: {:.1} us", per(took, NOTES as u32));
    let began = Instant::now();
    let verified = bench.verify().await;
    println!(
        "verifying {} entries: {:.0} ms",
        verified.last,
        began.elapsed().as_secs_f64() * 1e3
    );
    assert_eq!(verified.faults, []);
    assert_eq!(verified.last, u64::from(ENTRIES) + 1 + NOTES);
}
