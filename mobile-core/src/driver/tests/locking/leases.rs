//! Leases that are shorter than the shift: what ends with them, when, and that it comes again.

use packet::{Author, CallId, Compartment, DocumentId, Entry, Note};
use sync::frame::Lease;

use super::*;
use crate::store::Store;
use crate::{Budget, CancellationToken, Difference, Ended, LeaseState, PacketNews};

/// Words that stand in the leased document, and nowhere else.
const SECRET: &str = "QZ the boy lives with his aunt QZ";
const NEEDLE: &[u8] = b"lives with his aunt";
const MINUTE_MS: i64 = 60_000;
const KEYS: &str = "keys/lease-keys.key";

fn juvenile() -> DocumentId {
    DocumentId::new(call(), Compartment::Juvenile)
}

fn note(text: &str) -> Entry {
    Entry::Note(Note {
        text: text.into(),
        by: "records".into(),
    })
}

fn lease(minutes: u32) -> Lease {
    Lease {
        agency: "cedarport-pd".into(),
        compartment: Compartment::Juvenile as u8,
        minutes,
    }
}

impl Device {
    /// On duty in a vehicle, with a juvenile record on a lease of four hours.
    async fn leased() -> Self {
        let device = Self::enrolled().await;
        {
            let mut state = device.center.state.lock().unwrap();
            state.leases = vec![lease(240)];
            state.mounted = true;
        }
        device.center.write(juvenile(), note(SECRET));
        device.core.set_pin(PIN).await.unwrap();
        device.core.sign_on("1234", "4A12").await.unwrap();
        device.core.ask_standing(0).await.unwrap();
        device.contact().await;
        assert!(device.has_the_secret().await);
        device
    }

    /// A session, until all is here; then the link is gone.
    async fn contact(&self) {
        let budget = Budget {
            ms_max: 60_000,
            bytes_max: u64::MAX,
            call: None,
        };
        let synced = self.core.sync_once(budget, CancellationToken::new());
        let ended = synced.await.unwrap().ended;
        assert!(matches!(ended, Ended::CaughtUp | Ended::Quiet), "{ended:?}");
    }

    async fn has_the_secret(&self) -> bool {
        let packet = self.core.packet(call()).await.unwrap().unwrap();
        let has_other = packet.entries.iter().any(|entry| entry.document == notes());
        assert!(has_other, "what is not leased stays");
        format!("{packet:?}").contains(SECRET)
    }

    async fn lease_state(&self) -> LeaseState {
        let packet = self.core.packet(call()).await.unwrap().unwrap();
        let [lease] = packet.leases[..] else {
            panic!("{:?}", packet.leases)
        };
        assert_eq!(lease.compartment, Compartment::Juvenile);
        lease.state
    }

    fn minutes_left(&self) -> Option<i64> {
        let left = self.core.lease_left(call(), Compartment::Juvenile);
        left.map(|left| left.ms / MINUTE_MS)
    }

    fn has_key(&self) -> bool {
        self.dir.path().join(KEYS).exists()
    }

    fn sealed_rows(&self) -> u32 {
        sealed_rows(&self.core.0.store)
    }

    /// Whether the words are in any row of any table, to whoever has the store's key.
    fn is_in_the_store(&self) -> bool {
        is_in_the_store(&self.core.0.store)
    }
}

fn sealed_rows(store: &Store) -> u32 {
    let sql = "SELECT count(*) FROM changes WHERE kind = 'sealed'";
    let count = store.read(|tx| Ok(tx.query_row(sql, [], |row| row.get(0))?));
    count.unwrap()
}

fn is_in_the_store(store: &Store) -> bool {
    let all = store.read(|tx| {
        let mut all = Vec::new();
        let mut tables = tx.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'")?;
        let tables = tables.query_map([], |row| row.get::<_, String>(0))?;
        for table in tables {
            let mut statement = tx.prepare(&format!("SELECT * FROM {}", table?))?;
            let columns = statement.column_count();
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                for column in 0..columns {
                    match row.get_ref(column)? {
                        rusqlite::types::ValueRef::Text(bytes)
                        | rusqlite::types::ValueRef::Blob(bytes) => all.extend_from_slice(bytes),
                        _ => {}
                    }
                }
            }
        }
        Ok(all)
    });
    let all = all.unwrap();
    assert!(all.len() > 1_000, "{} bytes looked at", all.len());
    all.windows(NEEDLE.len()).any(|window| window == NEEDLE)
}

#[tokio::test]
async fn what_is_leased_is_read_and_never_lies_open_in_the_store() {
    let device = Device::leased().await;
    assert_eq!(device.lease_state().await, LeaseState::Held);
    assert_eq!((device.sealed_rows(), device.has_key()), (1, true));
    assert!(!device.is_in_the_store());
    // The scan sees what does lie open there.
    device.core.add_note(call(), SECRET).await.unwrap();
    assert!(device.is_in_the_store());
    // Its words are found, and it is not written to.
    let found = device.core.find("aunt").await.unwrap();
    assert!(found.iter().any(|found| found.entry.document == juvenile()));
    let packet = device.core.packet(call()).await.unwrap().unwrap();
    let entry = packet.entries.iter().find(|e| e.document == juvenile());
    let corrected = device.core.correct(juvenile(), entry.unwrap().id, None);
    let refused = corrected.await.unwrap_err().to_string();
    assert!(refused.contains("at the console"), "{refused}");
}

#[tokio::test]
async fn a_lease_is_warned_of_and_ends_and_the_next_contact_brings_the_document_anew() {
    let device = Device::leased().await;
    device.clock.pass(179 * MINUTE_MS);
    assert_eq!(device.minutes_left(), Some(61));
    assert_eq!(device.lease_state().await, LeaseState::Held);
    device.clock.pass(2 * MINUTE_MS);
    assert_eq!(device.lease_state().await, LeaseState::EndsSoon);
    assert!(device.has_the_secret().await);
    device.clock.pass(59 * MINUTE_MS);
    // Before anything has tended it: nothing is shown that is over.
    assert!(!device.has_the_secret().await);
    assert!(device.core.find("aunt").await.unwrap().is_empty());
    assert_eq!(device.lease_state().await, LeaseState::Ended);
    device.core.tend().await.unwrap();
    assert_eq!((device.sealed_rows(), device.has_key()), (0, false));
    assert_eq!(device.lease_state().await, LeaseState::Ended);
    assert_eq!(device.minutes_left(), None);
    device.contact().await;
    assert!(device.has_the_secret().await);
    assert_eq!(device.lease_state().await, LeaseState::Held);
    assert!(!device.is_in_the_store());
    // And it goes on from there.
    device.center.write(juvenile(), note("one more"));
    device.contact().await;
    let packet = device.core.packet(call()).await.unwrap().unwrap();
    let of_it = packet.entries.iter().filter(|e| e.document == juvenile());
    assert_eq!(of_it.count(), 2);
}

#[tokio::test]
async fn a_screen_that_follows_the_packet_hears_of_the_end_of_a_lease() {
    let device = Device::leased().await;
    let mut follower = device.core.follow_packet(call());
    let first = follower.next().await.unwrap();
    assert!(matches!(first, PacketNews::Whole { packet, .. } if packet.leases.len() == 1));
    device.clock.pass(240 * MINUTE_MS);
    device.core.tend().await.unwrap();
    let news = tokio::time::timeout(PATIENCE, follower.next())
        .await
        .unwrap();
    let PacketNews::Changed {
        entries, leases, ..
    } = news.unwrap()
    else {
        panic!("it was whole before")
    };
    let Difference { removed, .. } = entries;
    assert_eq!(removed.len(), 1);
    assert_eq!(leases[0].state, LeaseState::Ended);
}

#[tokio::test]
async fn each_contact_begins_a_lease_anew() {
    let device = Device::leased().await;
    for _ in 0..4 {
        device.clock.pass(200 * MINUTE_MS);
        assert_eq!(device.minutes_left(), Some(40));
        device.contact().await;
        assert_eq!(device.minutes_left(), Some(240));
        assert!(device.has_the_secret().await);
    }
    assert_eq!(device.sealed_rows(), 1, "it did not come again");
}

#[tokio::test]
async fn a_lease_that_ends_while_there_is_a_session_comes_anew_at_once() {
    let device = Device::leased().await;
    let driver = device.core.start();
    // The wall clock is set forward by half a day: to this device the lease is over.
    device.clock.set(12 * HOUR_MS - 5 * MINUTE_MS);
    device.core.tend().await.unwrap();
    let mut changes = device.core.changes();
    let waiting = async {
        while !device.has_the_secret().await {
            changes.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    driver.cancel();
}

#[tokio::test]
async fn a_lease_ends_also_with_the_clock_set_back_and_the_machine_restarted() {
    // The program runs on: the boot clock has counted.
    let device = Device::leased().await;
    device.clock.set(-24 * HOUR_MS);
    device.core.tend().await.unwrap();
    assert!(device.has_the_secret().await);
    device.clock.pass(240 * MINUTE_MS);
    assert!(!device.has_the_secret().await);
    device.core.tend().await.unwrap();
    assert_eq!((device.sealed_rows(), device.has_key()), (0, false));

    // (hours until the restart, hours that the wall clock is set by, whether it is over)
    for (passed, set, is_over) in [(1, 1, false), (1, 4, true), (3, 0, false), (1, -24, true)] {
        let mut device = Device::leased().await;
        device.clock.pass(passed * HOUR_MS);
        device.core.tend().await.unwrap();
        device.clock.set(set * HOUR_MS);
        device.restart(true);
        // While it is locked: the key has gone before anybody opened the store.
        assert_eq!(device.has_key(), !is_over, "{passed} {set}");
        device.core.unlock(PIN).await.unwrap();
        assert_eq!(device.has_the_secret().await, !is_over, "{passed} {set}");
        assert_eq!(device.sealed_rows(), u32::from(!is_over));
        if !is_over {
            device.clock.pass(4 * HOUR_MS);
            assert!(!device.has_the_secret().await);
        }
    }
}

#[tokio::test]
async fn a_lease_that_ends_while_the_device_is_locked_loses_its_key_there_and_its_rows_when_opened()
{
    let device = Device::leased().await;
    device.core.lock().await.unwrap();
    device.core.tend().await.unwrap();
    assert!(device.has_key());
    device.clock.pass(240 * MINUTE_MS);
    device.core.tend().await.unwrap();
    assert!(!device.has_key());
    device.core.unlock(PIN).await.unwrap();
    assert_eq!(device.sealed_rows(), 0);
    assert_eq!(device.lease_state().await, LeaseState::Ended);
    device.contact().await;
    assert!(device.has_the_secret().await);
}

#[tokio::test]
async fn a_lease_that_ends_while_the_app_is_suspended_has_ended_when_it_wakes() {
    let device = Device::leased().await;
    device.core.pause().await.unwrap();
    device.clock.pass(240 * MINUTE_MS);
    device.core.tend().await.unwrap();
    assert!(!device.has_key());
    device.core.resume().await.unwrap();
    assert_eq!(device.sealed_rows(), 0);
    assert!(!device.has_the_secret().await);
}

#[tokio::test]
async fn the_end_of_a_lease_killed_anywhere_is_finished_at_the_next_start_and_nothing_comes_back() {
    let device = Device::leased().await;
    device.core.add_note(call(), "unsent").await.unwrap();
    device.clock.pass(240 * MINUTE_MS);
    device.keys.watch();
    device.core.tend().await.unwrap();
    let copies = device.keys.copies();
    let with_key = |copy: &TempDir| copy.path().join(KEYS).exists();
    let is_cut_between = |copy: &&TempDir| !with_key(copy);
    assert!(copies.iter().any(with_key));
    assert!(copies.iter().filter(is_cut_between).count() >= 3);
    for copy in &copies {
        let had_key = with_key(copy);
        if !had_key {
            // The rows are still there, and whoever has the store's key reads nothing.
            let key = device.core.0.store.key().unwrap();
            let path = copied(copy.path());
            let keys = Arc::new(FileKeyStore::open(&path.path().join("keys")).unwrap());
            let now = crate::lock::tries::Moment {
                boot_ms: 0,
                wall_ms: device.clock.wall_ms(),
            };
            let store = Store::locked(path.path(), keys, now).unwrap();
            store.unlock(key, 0).unwrap();
            assert!(!is_in_the_store(&store));
        }
        let keys = Arc::new(FileKeyStore::open(&copy.path().join("keys")).unwrap());
        let core = open_at(copy.path(), keys, &device.clock, &device.center);
        assert!(!with_key(copy), "gone before it is opened");
        core.unlock(PIN).await.unwrap();
        let packet = core.packet(call()).await.unwrap().unwrap();
        assert!(!format!("{packet:?}").contains(SECRET));
        assert_eq!(packet.leases[0].state, LeaseState::Ended);
        assert_eq!(sealed_rows(&core.0.store), 0);
        assert_eq!(core.outbox_len().await.unwrap(), 1, "own work stays");
    }
}

#[tokio::test]
async fn a_key_store_that_does_not_forget_is_asked_again_and_nothing_is_read_meanwhile() {
    let mut device = Device::leased().await;
    device.clock.pass(240 * MINUTE_MS);
    device.keys.dies_after(0);
    device.core.tend().await.unwrap_err();
    assert!(device.has_key());
    assert!(!device.has_the_secret().await);
    device.restart(false);
    assert!(!device.has_key());
}

#[tokio::test]
async fn a_document_that_came_while_the_device_died_has_its_key_or_comes_anew() {
    let device = Device::leased().await;
    device.clock.pass(240 * MINUTE_MS);
    device.core.tend().await.unwrap();
    device.keys.watch();
    device.contact().await;
    let copies = device.keys.copies();
    assert!(copies.len() >= 4, "{}", copies.len());
    for copy in copies {
        let keys = Arc::new(FileKeyStore::open(&copy.path().join("keys")).unwrap());
        let core = open_at(copy.path(), keys, &device.clock, &device.center);
        core.unlock(PIN).await.unwrap();
        let driver = core.start();
        let mut changes = core.changes();
        let waiting = async {
            loop {
                let packet = core.packet(call()).await.unwrap().unwrap();
                if format!("{packet:?}").contains(SECRET) {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
        driver.cancel();
    }
}

#[tokio::test]
async fn a_revoked_document_a_rule_that_came_later_and_the_end_of_the_shift_each_take_the_key() {
    // A rule that came later: what lay under the store's key comes anew under its own.
    let device = Device::leased().await;
    device.center.state.lock().unwrap().leases = vec![];
    device.contact().await;
    assert_eq!(device.sealed_rows(), 1);
    assert_eq!(device.minutes_left(), Some(12 * 60), "no rule: the shift");
    let other = DocumentId::new(call(), Compartment::Records);
    device.center.write(other, note("QZ of records"));
    device.contact().await;
    assert_eq!(device.sealed_rows(), 1);
    device.center.state.lock().unwrap().leases = vec![
        lease(60),
        Lease {
            compartment: Compartment::Records as u8,
            ..lease(30)
        },
        Lease {
            agency: "mallory-so".into(),
            ..lease(5)
        },
    ];
    device.contact().await;
    assert_eq!(device.sealed_rows(), 2);
    assert_eq!(device.minutes_left(), Some(60), "another agency's rule");
    let keys = fs::read(device.dir.path().join(KEYS)).unwrap();
    // Taken back: that key goes, the other stays.
    device.center.state.lock().unwrap().take_back(other);
    device.contact().await;
    assert_eq!(device.sealed_rows(), 1);
    let left = fs::read(device.dir.path().join(KEYS)).unwrap();
    assert_eq!((keys.len(), left.len()), (1 + 2 * 41, 1 + 41));
    device.keys.watch();
    device.core.sign_off().await.unwrap();
    assert!(!device.has_key());
    for copy in device.keys.copies() {
        let is_gone = |name: &str| !copy.path().join(name).exists();
        assert!(
            is_gone(KEYS) || !is_gone("store/packets.db"),
            "the keys go before the files do"
        );
    }
    assert!(!device.dir.path().join("keys/lease-clock.key").exists());
}

#[tokio::test]
async fn more_leases_than_a_hello_can_name_end_at_once_and_all_documents_come_again() {
    let device = Device::leased().await;
    let calls: Vec<CallId> = (100..180)
        .map(|number| CallId::new(Author::Center(1 << 31), number))
        .collect();
    for call in &calls {
        let document = DocumentId::new(*call, Compartment::Juvenile);
        // Each its own: a change is known by its hash.
        device
            .center
            .write(document, note(&format!("{SECRET} {call}")));
    }
    device.contact().await;
    assert_eq!(device.sealed_rows(), 81);
    device.clock.pass(240 * MINUTE_MS);
    device.core.tend().await.unwrap();
    assert_eq!((device.sealed_rows(), device.has_key()), (0, false));
    device.contact().await;
    assert_eq!(device.sealed_rows(), 81);
    for call in calls {
        let packet = device.core.packet(call).await.unwrap().unwrap();
        assert!(format!("{packet:?}").contains(SECRET), "{call}");
    }
}
