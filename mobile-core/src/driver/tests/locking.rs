//! The lock, the PIN, the end of a shift: over whole devices, killed and restarted.

mod leases;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use packet::custody::{Erasure, erasure_signing_input, release_code};
use tempfile::TempDir;

use super::center::{Center, DEVICE, RELEASE_SECRET, ToCenter};
use super::{PATIENCE, call, facts, notes};
use crate::identity::{FileKeyStore, KeyStore, KeyStoreError};
use crate::lock::{IDLE_MS_MAX, PinError, PinHash};
use crate::{
    BootClock, Core, CoreError, LockRules, LockState, LockedWhy, Options, Ticket, TracingLogger,
};

const PIN: &str = "482916";
const HOUR_MS: i64 = 60 * 60 * 1_000;

/// Clocks that a thief may set.
#[derive(Debug, Default)]
struct Clock {
    boot_ms: AtomicU64,
    wall_ms: AtomicI64,
}

impl Clock {
    fn new() -> Arc<Self> {
        let clock = Self::default();
        clock.wall_ms.store(1_790_000_000_000, Ordering::Relaxed);
        Arc::new(clock)
    }

    /// Time passes.
    fn pass(&self, ms: i64) {
        self.boot_ms.fetch_add(ms.unsigned_abs(), Ordering::Relaxed);
        self.set(ms);
    }

    /// The wall clock alone is set.
    fn set(&self, by_ms: i64) {
        self.wall_ms.fetch_add(by_ms, Ordering::Relaxed);
    }
}

impl BootClock for Clock {
    fn now_ms(&self) -> u64 {
        self.boot_ms.load(Ordering::Relaxed)
    }

    fn wall_ms(&self) -> i64 {
        self.wall_ms.load(Ordering::Relaxed)
    }
}

/// The device's key store, which notes what the folder was like around each of its writes,
/// and can die at one of them.
#[derive(Debug)]
struct Watched {
    inner: FileKeyStore,
    folder: PathBuf,
    /// Copies of the folder, each as a kill at that moment would leave it.
    copies: Mutex<Option<Vec<TempDir>>>,
    /// Writes that are still made.
    left: AtomicUsize,
}

impl Watched {
    fn new(folder: &Path) -> Arc<Self> {
        Arc::new(Self {
            inner: FileKeyStore::open(&folder.join("keys")).unwrap(),
            folder: folder.to_owned(),
            copies: Mutex::new(None),
            left: AtomicUsize::new(usize::MAX),
        })
    }

    fn watch(&self) {
        *self.copies.lock().unwrap() = Some(Vec::new());
    }

    fn copies(&self) -> Vec<TempDir> {
        self.copies.lock().unwrap().take().unwrap()
    }

    fn dies_after(&self, writes: usize) {
        self.left.store(writes, Ordering::Relaxed);
    }

    fn moment(&self) {
        if let Some(copies) = &mut *self.copies.lock().unwrap() {
            copies.push(copied(&self.folder));
        }
    }

    fn write(&self, work: impl FnOnce() -> Result<(), KeyStoreError>) -> Result<(), KeyStoreError> {
        self.moment();
        let lives = |left: usize| left.checked_sub(1);
        if self
            .left
            .fetch_update(Ordering::Relaxed, Ordering::Relaxed, lives)
            .is_err()
        {
            return Err(KeyStoreError::Host("killed".into()));
        }
        work()?;
        self.moment();
        Ok(())
    }
}

impl KeyStore for Watched {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        self.inner.load(name)
    }

    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeyStoreError> {
        self.write(|| self.inner.save(name, value))
    }

    fn erase(&self, name: &str) -> Result<(), KeyStoreError> {
        self.write(|| self.inner.erase(name))
    }
}

fn copied(folder: &Path) -> TempDir {
    let copy = tempfile::tempdir().unwrap();
    copy_into(folder, copy.path());
    copy
}

fn copy_into(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_into(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).unwrap();
        }
    }
}

struct Device {
    dir: TempDir,
    clock: Arc<Clock>,
    keys: Arc<Watched>,
    center: Arc<Center>,
    core: Core,
}

fn rules() -> LockRules {
    LockRules {
        hash: PinHash::CHEAP,
        pin_first: true,
    }
}

fn open_at(
    folder: &Path,
    keys: Arc<dyn KeyStore>,
    clock: &Arc<Clock>,
    center: &Arc<Center>,
) -> Core {
    let options = Options {
        directory: folder.to_owned(),
        keys,
        signer: None,
        clock: clock.clone(),
        log: Arc::new(TracingLogger),
    };
    Core::open_all(options, rules(), Arc::new(ToCenter(center.clone())))
        .unwrap()
        .core
}

impl Device {
    /// Enrolled, with nobody's PIN and no shift.
    async fn enrolled() -> Self {
        let (dir, clock, center) = (tempfile::tempdir().unwrap(), Clock::new(), Center::new());
        center.write(notes(), facts());
        let keys = Watched::new(dir.path());
        let core = open_at(dir.path(), keys.clone(), &clock, &center);
        let ticket = Ticket {
            center: "center.example:8443".into(),
            ca: center.ca.clone(),
            code: "once".into(),
        };
        core.enrol(&ticket).await.unwrap();
        Self {
            dir,
            clock,
            keys,
            center,
            core,
        }
    }

    /// … signed on, with a PIN and the call.
    async fn on_duty() -> Self {
        let device = Self::enrolled().await;
        device.core.set_pin(PIN).await.unwrap();
        device.core.sign_on("1234", "4A12").await.unwrap();
        let driver = device.core.start();
        device.has_the_call().await;
        driver.cancel();
        device.is_offline().await;
        device
    }

    async fn has_the_call(&self) {
        let mut changes = self.core.changes();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if self.core.packet(call()).await.unwrap().is_some() {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        tokio::time::timeout(PATIENCE, waiting).await.unwrap();
    }

    async fn is_offline(&self) {
        let mut link = self.core.link();
        let stopped = link.wait_for(
            |link| matches!(link, crate::LinkState::Offline { why, .. } if why == "stopped"),
        );
        tokio::time::timeout(PATIENCE, stopped)
            .await
            .unwrap()
            .unwrap();
    }

    /// The program is killed and starts again; the machine too, where that is so.
    fn restart(&mut self, machine_too: bool) {
        if machine_too {
            self.clock.boot_ms.store(0, Ordering::Relaxed);
        }
        self.keys = Watched::new(self.dir.path());
        let keys = self.keys.clone();
        self.core = open_at(self.dir.path(), keys, &self.clock, &self.center);
    }

    fn state(&self) -> LockState {
        self.core.lock_state().borrow().clone()
    }

    fn challenge(&self) -> String {
        match self.state() {
            LockState::LockedOut { challenge, .. } => challenge,
            other => panic!("{other:?}"),
        }
    }

    async fn becomes(&self, is_so: impl Fn(&LockState) -> bool) {
        let mut state = self.core.lock_state();
        let waiting = state.wait_for(is_so);
        tokio::time::timeout(PATIENCE, waiting)
            .await
            .unwrap()
            .unwrap();
    }

    /// Nothing of the packet can be had, nor written.
    async fn is_shut(&self) {
        for refused in [
            self.core.packets().await.err(),
            self.core.packet(call()).await.err(),
            self.core.find("shots").await.err(),
            self.core.known_about(call()).await.err(),
            self.core.add_note(call(), "x").await.err(),
            self.core.shown(call()).await.err(),
            self.core.outbox_len().await.err(),
        ] {
            assert!(matches!(refused, Some(CoreError::Locked)), "{refused:?}");
        }
        assert!(self.core.shift().is_none());
    }

    fn sealed_files(&self) -> usize {
        fs::read_dir(self.dir.path().join("sealed"))
            .unwrap()
            .count()
    }
}

#[tokio::test]
async fn a_locked_device_gives_nothing_and_its_pin_opens_it_as_it_was() {
    let mut device = Device::on_duty().await;
    device.core.add_note(call(), "unsent").await.unwrap();
    device.core.lock().await.unwrap();
    assert_eq!(
        device.state(),
        LockState::Locked {
            why: LockedWhy::Asked,
            tries_left: 5
        }
    );
    device.is_shut().await;
    device.core.resume().await.unwrap();
    device.is_shut().await;
    assert!(matches!(
        device.core.unlock("482917").await,
        Err(CoreError::WrongPin { tries_left: 4 })
    ));
    device.is_shut().await;
    device.core.unlock(PIN).await.unwrap();
    assert_eq!(device.core.outbox_len().await.unwrap(), 1);
    assert_eq!(device.core.shift().unwrap().unit, "4A12");
    device.restart(false);
    assert!(matches!(
        device.state(),
        LockState::Locked {
            why: LockedWhy::Started,
            ..
        }
    ));
    device.is_shut().await;
    device.core.unlock(PIN).await.unwrap();
    assert!(device.core.packet(call()).await.unwrap().is_some());
}

#[tokio::test]
async fn nobody_signs_on_before_a_pin_is_set_and_it_is_set_once() {
    let device = Device::enrolled().await;
    let signed_on = device.core.sign_on("1234", "4A12").await;
    assert!(matches!(signed_on, Err(CoreError::PinFirst)));
    assert!(matches!(device.core.lock().await, Err(CoreError::NoPin)));
    let weak = device.core.set_pin("123456").await;
    assert!(matches!(weak, Err(CoreError::Pin(PinError::Weak))));
    let before = fs::read(device.dir.path().join("keys/store-key.key")).unwrap();
    device.core.set_pin(PIN).await.unwrap();
    let again = device.core.set_pin("583027").await;
    assert!(matches!(again, Err(CoreError::PinIsSet)));
    device.core.sign_on("1234", "4A12").await.unwrap();
    // The key that lay open before opens nothing now.
    device.core.lock().await.unwrap();
    let keys = &device.keys.inner;
    keys.save("store-key", &before).unwrap();
    let thief = copied(device.dir.path());
    let keys = Arc::new(FileKeyStore::open(&thief.path().join("keys")).unwrap());
    let core = open_at(thief.path(), keys, &device.clock, &device.center);
    assert!(core.shift().is_none() && core.packets().await.unwrap().is_empty());
}

#[tokio::test]
async fn a_hundred_thousand_wrong_pins_are_five_tries_however_clocks_are_set_and_it_is_restarted() {
    let mut device = Device::on_duty().await;
    device.core.lock().await.unwrap();
    let mut tried = 0;
    for number in 0..100_000_u32 {
        if number % 9_973 == 2 {
            device.restart(number % 2 == 0);
        }
        match number % 4 {
            0 => device.clock.set(24 * HOUR_MS),
            1 => device.clock.set(-48 * HOUR_MS),
            _ => {}
        }
        // The right one is among them.
        let pin = format!("{:06}", 482_910 + number);
        let opened = device.core.unlock(&pin).await;
        match opened {
            Err(CoreError::WrongPin { .. }) => tried += 1,
            Err(CoreError::LockedOut) if tried == 4 => tried += 1,
            Err(CoreError::LockedOut | CoreError::ShiftOver) => {}
            other => panic!("{pin}: {other:?}"),
        }
    }
    assert_eq!(tried, 5);
    device.challenge();
    device.is_shut().await;
}

#[tokio::test]
async fn a_device_that_dies_while_a_pin_is_tried_has_used_the_try() {
    let mut device = Device::on_duty().await;
    device.core.lock().await.unwrap();
    for tries_left in [4, 3, 2, 1] {
        // The count is kept; then it dies, before anybody hears of it.
        device.keys.dies_after(1);
        let _ = device.core.unlock("111222").await;
        device.restart(true);
        let LockState::Locked {
            tries_left: found, ..
        } = device.state()
        else {
            panic!("{:?}", device.state());
        };
        assert_eq!(found, tries_left);
        // It dies before the count is kept: then the PIN was not tried either.
        device.keys.dies_after(0);
        let opened = device.core.unlock(PIN).await;
        assert!(matches!(opened, Err(CoreError::Keys(_))), "{opened:?}");
        device.restart(false);
    }
}

#[tokio::test]
async fn bad_tries_age_only_while_the_program_runs_and_both_clocks_go_on() {
    let mut device = Device::on_duty().await;
    device.core.lock().await.unwrap();
    let minute_ms = 60_000;
    for tries_left in [4, 3, 2, 1] {
        let wrong = device.core.unlock("111222").await;
        assert!(
            matches!(wrong, Err(CoreError::WrongPin { tries_left: left }) if left == tries_left),
            "{wrong:?}"
        );
    }
    // A quarter of an hour on the wall clock alone, or while it was off, is none.
    device.clock.set(16 * minute_ms);
    device.restart(false);
    device.clock.set(16 * minute_ms);
    device.clock.set(-32 * minute_ms);
    device.core.unlock(PIN).await.unwrap();
    device.core.lock().await.unwrap();
    for _ in 0..4 {
        device.core.unlock("111222").await.unwrap_err();
    }
    device.clock.pass(16 * minute_ms);
    let wrong = device.core.unlock("111222").await;
    assert!(matches!(wrong, Err(CoreError::WrongPin { tries_left: 4 })));
}

#[tokio::test]
async fn taking_the_count_of_tries_away_gives_none() {
    let mut device = Device::on_duty().await;
    device.core.lock().await.unwrap();
    device.keys.inner.erase("pin-tries").unwrap();
    device.restart(false);
    device.challenge();
    let opened = device.core.unlock(PIN).await;
    assert!(matches!(opened, Err(CoreError::LockedOut)));
}

async fn lock_out(device: &Device) {
    for _ in 0..5 {
        device.core.unlock("111222").await.unwrap_err();
    }
    let opened = device.core.unlock(PIN).await;
    assert!(matches!(opened, Err(CoreError::LockedOut)), "{opened:?}");
}

#[tokio::test]
async fn a_code_over_the_radio_gives_the_tries_back_once_and_wrong_ones_are_few() {
    let mut device = Device::on_duty().await;
    device.core.lock().await.unwrap();
    lock_out(&device).await;
    let first = device.challenge();
    device.restart(true);
    assert_eq!(device.challenge(), first);
    let code = release_code(&RELEASE_SECRET, DEVICE, &first);
    let wrong = device.core.release("0000 0000").await;
    assert!(matches!(wrong, Err(CoreError::WrongCode { tries_left: 4 })));
    let spoken = format!("{} {}", &code[..4], &code[4..]);
    device.core.release(&spoken).await.unwrap();
    device.core.unlock(PIN).await.unwrap();
    device.core.lock().await.unwrap();
    lock_out(&device).await;
    assert_ne!(device.challenge(), first);
    let again = device.core.release(&code).await;
    assert!(matches!(again, Err(CoreError::WrongCode { tries_left: 4 })));
    for _ in 0..4 {
        device.core.release("00000000").await.unwrap_err();
        device.restart(false);
    }
    let right = release_code(&RELEASE_SECRET, DEVICE, &device.challenge());
    let refused = device.core.release(&right).await;
    assert!(matches!(refused, Err(CoreError::LockedOut)), "{refused:?}");
}

#[tokio::test]
async fn a_supervisor_at_the_center_releases_a_device_that_has_a_link() {
    let device = Device::on_duty().await;
    device.core.lock().await.unwrap();
    lock_out(&device).await;
    let driver = device.core.start();
    let stood = |state: &super::center::State| state.stood.iter().any(|said| said == "locked-out");
    tokio::time::timeout(PATIENCE, device.center.until(stood))
        .await
        .unwrap();
    device.center.state.lock().unwrap().releases = 1;
    device
        .becomes(|state| matches!(state, LockState::Locked { tries_left: 5, .. }))
        .await;
    device.core.unlock(PIN).await.unwrap();
    // The same release again is none.
    device.core.lock().await.unwrap();
    lock_out(&device).await;
    device.core.ask_standing(0).await.unwrap();
    device.challenge();
    driver.cancel();
}

#[tokio::test]
async fn a_change_of_the_pin_killed_anywhere_leaves_the_old_one_or_the_new_one() {
    let device = Device::on_duty().await;
    device.core.add_note(call(), "kept").await.unwrap();
    let wrong = device.core.change_pin("111222", "583027").await;
    assert!(matches!(wrong, Err(CoreError::WrongPin { tries_left: 4 })));
    device.keys.watch();
    device.core.change_pin(PIN, "583027").await.unwrap();
    let copies = device.keys.copies();
    assert!(copies.len() >= 4, "{}", copies.len());
    let mut opened_by = Vec::new();
    for copy in copies {
        let keys = Arc::new(FileKeyStore::open(&copy.path().join("keys")).unwrap());
        let core = open_at(copy.path(), keys, &device.clock, &device.center);
        let old = core.unlock(PIN).await.is_ok();
        let new = old || core.unlock("583027").await.is_ok();
        assert!(new, "neither opens it");
        assert_eq!(core.outbox_len().await.unwrap(), 1);
        opened_by.push(old);
    }
    // Once the new one opens it, the old one never does again.
    assert!(opened_by.is_sorted_by(|before, after| before >= after));
    assert_eq!(
        (opened_by.first(), opened_by.last()),
        (Some(&true), Some(&false))
    );
}

fn receipts(center: &Center) -> Vec<Erasure> {
    let state = center.state.lock().unwrap();
    let read = |receipt: &serde_json::Value| {
        let statement = receipt["statement"].as_str().unwrap();
        let signature = data_encoding::BASE64
            .decode(receipt["signature"].as_str().unwrap().as_bytes())
            .unwrap();
        let input = erasure_signing_input(statement.as_bytes());
        assert!(packet::signature::verify(
            &state.device_key,
            &input,
            &signature
        ));
        serde_json::from_str(statement).unwrap()
    };
    state.receipts.iter().map(read).collect()
}

#[tokio::test]
async fn the_end_of_a_shift_killed_anywhere_is_finished_at_the_next_start_and_keeps_what_is_sealed()
{
    let device = Device::on_duty().await;
    device.core.add_note(call(), "unsent").await.unwrap();
    device.core.set_link(false);
    let name = |folder: &Path| fs::read(folder.join("keys/store-id.key")).unwrap();
    let before = name(device.dir.path());
    device.keys.watch();
    device.core.sign_off().await.unwrap();
    let mut copies = device.keys.copies();
    // SQLite's files go one by one: a kill between two of them leaves any of these.
    let with_files: Vec<_> = copies
        .iter()
        .filter(|copy| copy.path().join("store/packets.db").exists())
        .map(|copy| copied(copy.path()))
        .collect();
    for copy in with_files {
        if copy.path().join("keys/erasing.key").exists() {
            fs::remove_file(copy.path().join("store/packets.db")).unwrap();
            fs::write(copy.path().join("store/packets.db-wal"), b"noise").unwrap();
            copies.push(copy);
        }
    }
    assert!(copies.len() > 12, "{}", copies.len());
    let mut finished = 0;
    for copy in &copies {
        let begun = copy.path().join("keys/erasing.key").exists();
        let key_is_there = copy.path().join("keys/store-key.key").exists();
        let keys = Arc::new(FileKeyStore::open(&copy.path().join("keys")).unwrap());
        let core = open_at(copy.path(), keys, &device.clock, &device.center);
        if !begun && key_is_there && !core.lock_state().borrow().is_open() {
            // Before it was begun: as if it had not been asked for.
            core.unlock(PIN).await.unwrap();
            assert_eq!(core.outbox_len().await.unwrap(), 1);
            continue;
        }
        finished += 1;
        assert!(core.shift().is_none() && core.shift_left().is_none());
        assert!(core.packets().await.unwrap().is_empty());
        assert_eq!(core.outbox_len().await.unwrap(), 0);
        let sealed = fs::read_dir(copy.path().join("sealed")).unwrap().count();
        assert_eq!(sealed, 1, "what is sealed stays");
        // Its receipt would end the shift of the next store too.
        assert_ne!(name(copy.path()), before, "another store, another name");
        let names = fs::read_dir(copy.path()).unwrap();
        let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        assert!(names.into_iter().all(|name| !name.contains("set-aside")));
    }
    assert!(finished > 8, "{finished}");

    // At the next contact the center has the receipt, and what was sealed.
    device.core.set_link(true);
    let driver = device.core.start();
    let done =
        |state: &super::center::State| !state.receipts.is_empty() && !state.sealed.is_empty();
    tokio::time::timeout(PATIENCE, device.center.until(done))
        .await
        .unwrap();
    driver.cancel();
    let [receipt] = &receipts(&device.center)[..] else {
        panic!("one receipt");
    };
    assert_eq!(
        (receipt.device, receipt.sealed, receipt.order),
        (DEVICE, 1, None)
    );
    assert_eq!(receipt.attachments_lost, Some(0));
}

#[tokio::test]
async fn an_order_reaches_a_device_that_is_in_use_and_one_that_is_locked() {
    for locked in [false, true] {
        let device = Device::on_duty().await;
        device.core.add_note(call(), "unsent").await.unwrap();
        if locked {
            device.core.lock().await.unwrap();
        }
        {
            let mut state = device.center.state.lock().unwrap();
            state.erase = Some(17);
            // Its session is ended, as a center does that has an order.
            state.bye = (!locked).then_some("the center has an order for this device");
        }
        let driver = device.core.start();
        let done = |state: &super::center::State| {
            !state.receipts.is_empty() && (!locked || !state.sealed.is_empty())
        };
        tokio::time::timeout(PATIENCE, device.center.until(done))
            .await
            .unwrap();
        let receipt = receipts(&device.center).remove(0);
        assert_eq!(receipt.order, Some(17));
        assert_eq!(receipt.attachments_lost, (!locked).then_some(0));
        // (This center brings its packets to any session; the real one to none without a shift.)
        assert!(device.core.shift().is_none());
        assert_eq!(device.core.outbox_len().await.unwrap(), 0);
        driver.cancel();
    }
}

#[tokio::test]
async fn a_shift_that_is_over_locks_and_erases_nothing_also_with_the_clock_set_back() {
    for set_back in [false, true] {
        let mut device = Device::on_duty().await;
        device.core.add_note(call(), "unsent").await.unwrap();
        device.clock.pass(11 * HOUR_MS);
        device.core.touch();
        let left = device.core.shift_left();
        assert!(left.is_none_or(|left| left.is_warned), "{left:?}");
        device.core.unlock(PIN).await.unwrap();
        if set_back {
            device.clock.set(-24 * HOUR_MS);
            device.core.tend().await.unwrap();
            device.restart(true);
            device.core.unlock(PIN).await.unwrap();
        }
        device.clock.pass(HOUR_MS);
        device.core.tend().await.unwrap();
        assert!(
            matches!(
                device.state(),
                LockState::Locked {
                    why: LockedWhy::ShiftOver,
                    ..
                }
            ),
            "{:?}",
            device.state()
        );
        device.is_shut().await;
        let opened = device.core.unlock(PIN).await;
        assert!(matches!(opened, Err(CoreError::ShiftOver)), "{opened:?}");
        device.restart(true);
        let opened = device.core.unlock(PIN).await;
        assert!(matches!(opened, Err(CoreError::ShiftOver)), "{opened:?}");
        assert_eq!(device.sealed_files(), 1);
        // Another officer ends it first; the same one signs on, and the PIN opens it.
        let other = device.core.sign_on("9999", "4A12").await;
        assert!(matches!(other, Err(CoreError::OtherOfficer)), "{other:?}");
        device.core.sign_on("1234", "4A12").await.unwrap();
        device.is_shut().await;
        // The sign-on is not lost by a restart.
        device.restart(false);
        device.core.unlock(PIN).await.unwrap();
        assert_eq!(device.core.outbox_len().await.unwrap(), 1);
        assert_eq!(device.core.shift().unwrap().unit, "4A12");
        assert!(device.core.packet(call()).await.unwrap().is_some());
    }
}

#[tokio::test]
async fn an_idle_device_locks_after_half_an_hour_and_one_in_a_vehicle_does_not() {
    for mounted in [false, true] {
        let device = Device::on_duty().await;
        device.center.state.lock().unwrap().mounted = mounted;
        device.core.ask_standing(0).await.unwrap();
        assert_eq!(device.core.is_mounted(), mounted);
        let half = i64::try_from(IDLE_MS_MAX / 2).unwrap();
        device.clock.pass(half);
        device.core.touch();
        device.clock.pass(half);
        device.core.tend().await.unwrap();
        assert!(device.state().is_open(), "it was touched");
        device.clock.pass(half);
        // Too late: it should be locked already, whoever touches it now.
        device.core.touch();
        let read = device.core.packets().await;
        assert_eq!(read.is_ok(), mounted, "{read:?}");
        device.core.tend().await.unwrap();
        assert_eq!(device.state().is_open(), mounted);
    }
}

#[tokio::test]
async fn the_agencys_sign_in_says_whose_shift_it_is_and_ends_the_one_before() {
    const BACK: &str = "http://127.0.0.1:1/back";
    let device = Device::on_duty().await;
    let none = device.core.begin_sign_on("4A13", BACK).await.unwrap();
    assert_eq!(none, None);
    device.center.state.lock().unwrap().signs_in = Some("9999");
    let url = device.core.begin_sign_on("4A13", BACK).await.unwrap();
    assert!(url.unwrap().starts_with("https://login.example/"));
    // A locked device is its own officer's.
    device.core.lock().await.unwrap();
    let back = format!("{BACK}?code=1");
    let other = device.core.finish_sign_on(&back).await;
    assert!(matches!(other, Err(CoreError::OtherOfficer)), "{other:?}");
    device.core.unlock(PIN).await.unwrap();
    assert!(device.core.packet(call()).await.unwrap().is_some());
    // Opened, the shift before ends; the PIN went with it, and the sign-in did not.
    let other = device.core.finish_sign_on(&back).await;
    assert!(matches!(other, Err(CoreError::PinFirst)), "{other:?}");
    assert!(device.core.packets().await.unwrap().is_empty());
    device.core.set_pin("583027").await.unwrap();
    let shift = device.core.finish_sign_on(&back).await.unwrap();
    assert_eq!(shift.unit, "4A13");
    assert_eq!(receipts(&device.center).len(), 1);
    let proofs = device.center.state.lock().unwrap().proofs.clone();
    assert_eq!(proofs, [serde_json::Value::Null, back.clone().into()]);
    // Once it has begun a shift, it is over.
    let again = device.core.finish_sign_on(&back).await;
    assert!(matches!(again, Err(CoreError::Refused { .. })), "{again:?}");
    assert_eq!(device.core.shift().unwrap().unit, "4A13");
}

#[tokio::test]
async fn another_officers_sign_on_ends_the_shift_before_with_all_it_had() {
    let device = Device::on_duty().await;
    let other = device.core.sign_on("9999", "4A13").await;
    // The PIN went with the shift: the next officer chooses one.
    assert!(matches!(other, Err(CoreError::PinFirst)), "{other:?}");
    assert!(device.core.packets().await.unwrap().is_empty());
    device.core.set_pin("583027").await.unwrap();
    device.core.sign_on("9999", "4A13").await.unwrap();
    assert_eq!(receipts(&device.center).len(), 1);
    // A badge that the center does not know ends nobody's shift.
    let unknown = device.core.sign_on("0000", "4A13").await;
    assert!(
        matches!(unknown, Err(CoreError::Refused { .. })),
        "{unknown:?}"
    );
    assert_eq!(device.core.shift().unwrap().unit, "4A13");
}
