#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use packet::{CallId, CenterId, Compartment};
use tokio_util::sync::CancellationToken;

use super::*;
use crate::log::{Log, LogOptions};
use crate::policy::{Carries, LivePolicies};

fn document() -> DocumentId {
    DocumentId::new(CallId(7), Compartment::Call)
}

fn log(folder: &Path) -> Log {
    let options = LogOptions {
        center: CenterId([1; 16]),
        store_key: [2; 32],
        mac_key: [3; 32],
    };
    Log::open(&folder.join("log.db"), &options, |_| {}).unwrap()
}

fn carrier(device: u32) -> Arc<Carrier> {
    named(
        device,
        &format!("1A{device} MDT"),
        &format!("Diaz (1A{device})"),
    )
}

pub(crate) fn named(device: u32, screen: &str, who: &str) -> Arc<Carrier> {
    of_agency("pd", device, screen, who)
}

/// … by the built-in policies, with nobody signed on.
pub(crate) fn of_agency(agency: &str, device: u32, screen: &str, who: &str) -> Arc<Carrier> {
    static POLICIES: LazyLock<Arc<LivePolicies>> =
        LazyLock::new(|| Arc::new(LivePolicies::built_in(&["pd".into(), "so".into()])));
    let carries = Carries::new(POLICIES.clone(), None, agency);
    Carrier::new(DeviceNumber(device), screen.into(), who.into(), carries)
}

fn report(after: u64, through: u64) -> Report {
    Report {
        sent: [(document(), (after, through))].into(),
        delivered: [(document(), through)].into(),
        ..Report::default()
    }
}

async fn kept(log: &Log, batch: Batch) {
    let kept = log.write(move |ledger| batch.write(ledger)).await;
    kept.unwrap().committed();
}

async fn count(log: &Log, table: &'static str) -> usize {
    let count = log.readers().read(move |connection| {
        let sql = format!("SELECT count(*) FROM {table}");
        Ok(connection.query_row(&sql, [], |row| row.get(0))?)
    });
    count.await.unwrap()
}

async fn receipts(log: &Log) -> Vec<Receipt> {
    let read = log.readers().read(|c| of_document(c, document()));
    read.await.unwrap()
}

/// Who was sent it, and which stretch.
async fn sent(log: &Log) -> Vec<(String, u32, String)> {
    let read = log.readers().read(|connection| {
        let mut statement = connection.prepare(
            "SELECT who, device, detail FROM audit_by_person WHERE object = ?1 ORDER BY id, device",
        )?;
        let rows = statement.query_map([document().to_string()], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        Ok(rows.collect::<Result<_, _>>()?)
    });
    read.await.unwrap()
}

#[tokio::test]
async fn what_many_devices_had_is_one_row_and_still_each_ones_receipt_and_record() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let carriers: Vec<_> = (1..=200).map(carrier).collect();
    for (after, through) in [(3, 4), (4, 5)] {
        let mut batch = Batch::default();
        for carrier in &carriers {
            batch.add(carrier, report(after, through), 1_000 * after.cast_signed());
        }
        kept(&log, batch).await;
    }
    assert_eq!(count(&log, "deliveries").await, 2);
    assert_eq!(count(&log, "audit").await, 2);
    assert_eq!(count(&log, "carriers").await, 200, "each is named once");
    let receipts = receipts(&log).await;
    assert_eq!(receipts.len(), 400);
    let of_17: Vec<_> = receipts
        .iter()
        .filter(|receipt| receipt.device == Some(DeviceNumber(17)))
        .map(|receipt| (receipt.who.as_str(), receipt.through, receipt.at_ms))
        .collect();
    assert_eq!(of_17, [("1A17 MDT", 4, 3_000), ("1A17 MDT", 5, 4_000)]);
    let sent = sent(&log).await;
    assert_eq!(sent.len(), 400);
    assert_eq!(sent[16], ("Diaz (1A17)".into(), 17, "3..4".into()));
    assert_eq!(sent[399], ("Diaz (1A200)".into(), 200, "4..5".into()));
}

#[tokio::test]
async fn receipts_of_other_stretches_or_seconds_stay_apart() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let mut batch = Batch::default();
    batch.add(&carrier(1), report(3, 4), 5_999);
    batch.add(&carrier(2), report(2, 4), 6_001);
    kept(&log, batch).await;
    let receipts = receipts(&log).await;
    let times: Vec<_> = receipts.iter().map(|receipt| receipt.at_ms).collect();
    assert_eq!(times, [5_999, 6_001]);
    let details: Vec<_> = sent(&log).await.into_iter().map(|sent| sent.2).collect();
    assert_eq!(details, ["2..4", "3..4"]);
}

#[tokio::test]
async fn what_was_handed_in_before_the_end_is_kept_and_once() {
    let folder = tempfile::tempdir().unwrap();
    let log = log(folder.path());
    let (reports, collector) = reports();
    let stop = CancellationToken::new();
    let collecting = tokio::spawn(collector.run(log.clone(), stop.clone(), |_, _| {}));
    let (first, second) = (carrier(1), carrier(2));
    let mut said = report(0, 4);
    reports.hand_in(&first, &mut said);
    assert!(said.is_empty());
    // The same at its next hello, with more behind it.
    reports.hand_in(&first, &mut report(0, 4));
    reports.hand_in(&first, &mut report(4, 6));
    reports.hand_in_last(&second, report(0, 6)).await;
    stop.cancel();
    collecting.await.unwrap();
    let found: BTreeSet<_> = receipts(&log)
        .await
        .into_iter()
        .map(|receipt| (receipt.device.unwrap().0, receipt.through))
        .collect();
    assert_eq!(receipts(&log).await.len(), found.len(), "each once");
    let found: Vec<_> = found.into_iter().collect();
    assert_eq!(found, [(1, 4), (1, 6), (2, 6)]);
    assert_eq!(sent(&log).await.len(), 4, "all that was sent is on record");
}

#[tokio::test]
async fn what_finds_no_room_stays_with_its_session_as_one_position() {
    let (reports, collector) = reports();
    let device = carrier(1);
    let is_full = (0..100_000).any(|_| {
        let mut one = report(0, 1);
        reports.hand_in(&device, &mut one);
        !one.is_empty()
    });
    assert!(
        is_full,
        "the queue has an end, and what finds no room is kept"
    );
    let mut waiting = report(1, 2);
    reports.hand_in(&device, &mut waiting);
    assert!(waiting.is_due());
    waiting.sends(document(), 2, 3);
    waiting.delivered.insert(document(), 3);
    reports.hand_in(&device, &mut waiting);
    assert_eq!(waiting.sent, [(document(), (1, 3))].into());
    assert_eq!(waiting.delivered, [(document(), 3)].into());
    drop(collector);
    assert!(waiting.is_due(), "nor does it go with the center");
}
