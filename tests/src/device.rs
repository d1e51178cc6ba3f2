//! An officer's device: a [`Core`] with its files, as a host runs it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use mobile_core::identity::FileKeyStore;
use mobile_core::{
    BootClock, CancellationToken, Core, EntryView, LinkState, LockRules, MineState, Options,
    Packet, PinHash, SystemClock, Ticket, TracingLogger,
};
use packet::{CallId, Entry, EntryId};
use tempfile::TempDir;

use crate::{PATIENCE, SlowLink, TestApi};

/// The machine's clock, and by how much it is wrong.
#[derive(Debug, Default)]
pub struct SkewedClock {
    clock: SystemClock,
    off_ms: AtomicI64,
}

impl SkewedClock {
    /// From now on the device believes it to be this much later.
    pub fn set_off_ms(&self, off_ms: i64) {
        self.off_ms.store(off_ms, Ordering::Relaxed);
    }
}

impl BootClock for SkewedClock {
    fn now_ms(&self) -> u64 {
        self.clock.now_ms()
    }

    fn wall_ms(&self) -> i64 {
        self.clock.wall_ms() + self.off_ms.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub struct TestDevice {
    pub core: Core,
    pub clock: Arc<SkewedClock>,
    /// A store that did not open is here now.
    pub set_aside: Option<PathBuf>,
    driver: CancellationToken,
    folder: PathBuf,
    dir: Option<TempDir>,
}

impl Drop for TestDevice {
    fn drop(&mut self) {
        self.driver.cancel();
    }
}

impl TestDevice {
    /// Opens what is in this folder, or makes it, and keeps a session alive.
    #[must_use]
    pub fn open(folder: &Path) -> Self {
        Self::open_under(folder, LockRules::default())
    }

    /// … under these rules of locking.
    #[must_use]
    pub fn open_under(folder: &Path, rules: LockRules) -> Self {
        let clock = Arc::new(SkewedClock::default());
        let keys = FileKeyStore::open(&folder.join("keys")).unwrap();
        let options = Options {
            directory: folder.to_owned(),
            keys: Arc::new(keys),
            signer: None,
            clock: clock.clone(),
            log: Arc::new(TracingLogger),
        };
        let opened = Core::open_under(options, rules).unwrap();
        let driver = opened.core.start();
        Self {
            core: opened.core,
            clock,
            set_aside: opened.set_aside,
            driver,
            folder: folder.to_owned(),
            dir: None,
        }
    }

    /// A new device, enrolled by a ticket of the API.
    pub async fn enrolled(api: &TestApi, label: &str) -> Self {
        Self::enrolled_by(api.ticket(label).await).await
    }

    /// A new device, enrolled, that nobody may sign on to without this PIN, which is cheap to
    /// try.
    pub async fn with_pin(api: &TestApi, pin: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let rules = LockRules {
            hash: PinHash::CHEAP,
            pin_first: true,
        };
        let mut device = Self::open_under(dir.path(), rules);
        device.dir = Some(dir);
        let ticket = api.ticket("with a PIN").await;
        device.core.enrol(&ticket).await.unwrap();
        device.core.set_pin(pin).await.unwrap();
        device
    }

    /// A new device, enrolled by this ticket.
    pub async fn enrolled_by(ticket: Ticket) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let mut device = Self::open(dir.path());
        device.dir = Some(dir);
        device.core.enrol(&ticket).await.unwrap();
        device
    }

    /// Enrolled, signed on to this unit, and with a session.
    pub async fn on_duty(api: &TestApi, badge: &str, unit: &str) -> Self {
        let device = Self::enrolled(api, &format!("MDT of {badge}")).await;
        device.core.sign_on(badge, unit).await.unwrap();
        device.online().await;
        device
    }

    /// As [`TestDevice::on_duty`], over this link.
    pub async fn on_duty_over(link: &SlowLink, api: &TestApi, badge: &str, unit: &str) -> Self {
        let mut ticket = api.ticket(&format!("MDT of {badge}")).await;
        ticket.center = link.address.to_string();
        let device = Self::enrolled_by(ticket).await;
        device.core.sign_on(badge, unit).await.unwrap();
        device.online().await;
        device
    }

    /// Where its keys, its store and what is sealed are.
    #[must_use]
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Closes all its files: the folder's device can be opened again.
    pub async fn close(mut self) -> Option<TempDir> {
        self.driver.cancel();
        self.core.pause().await.unwrap();
        self.dir.take()
    }

    pub async fn online(&self) {
        let mut link = self.core.link();
        let online = link.wait_for(|link| matches!(link, LinkState::Online { .. }));
        if tokio::time::timeout(PATIENCE, online).await.is_err() {
            panic!("in {PATIENCE:?} it has no session: {:?}", *link.borrow());
        }
    }

    /// Waits until there is no session, and says why.
    pub async fn offline(&self) -> String {
        let mut link = self.core.link();
        let offline = link.wait_for(|link| matches!(link, LinkState::Offline { .. }));
        let offline = tokio::time::timeout(PATIENCE, offline).await;
        match &*offline.expect("the device has no session").unwrap() {
            LinkState::Offline { why, .. } => why.clone(),
            LinkState::Online { .. } => unreachable!("it was waited for"),
        }
    }

    /// Drives into a dead zone.
    pub async fn cut(&self) {
        self.core.set_link(false);
        self.offline().await;
    }

    /// Waits until this holds of the packet.
    pub async fn packet(&self, call: CallId, is_so: impl Fn(&Packet) -> bool) -> Packet {
        let mut changes = self.core.changes();
        let mut last = None;
        let waiting = async {
            loop {
                changes.mark_unchanged();
                last = self.core.packet(call).await.unwrap();
                if let Some(packet) = last.take_if(|packet| is_so(packet)) {
                    return packet;
                }
                changes.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, waiting).await {
            Ok(packet) => packet,
            Err(_) => {
                let entries = last.map(|packet| packet.entries).unwrap_or_default();
                let (count, newest) = (entries.len(), entries.last());
                panic!("in {PATIENCE:?} it did not come about: {count} entries, last {newest:#?}")
            }
        }
    }

    /// Waits until the packet is no longer here.
    pub async fn packet_is_gone(&self, call: CallId) {
        let mut changes = self.core.changes();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                let packets = self.core.packets().await.unwrap();
                if packets.iter().all(|packet| packet.call != call) {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        let gone = tokio::time::timeout(PATIENCE, waiting).await;
        gone.expect("the packet leaves the device");
    }

    pub async fn has_note(&self, call: CallId, text: &str) -> EntryView {
        let is_there = |packet: &Packet| note_texts(packet).iter().any(|found| found == text);
        let packet = self.packet(call, is_there).await;
        let mut entries = packet.entries.into_iter();
        entries.find(|entry| is_note(entry, text)).unwrap()
    }

    /// Waits until the center has this entry of mine.
    pub async fn is_at_center(&self, call: CallId, id: EntryId) {
        let is_there = |packet: &Packet| {
            let mut entries = packet.entries.iter();
            entries.any(|entry| entry.id == id && entry.mine == Some(MineState::AtCenter))
        };
        self.packet(call, is_there).await;
    }

    /// Waits until nothing is unsent.
    pub async fn has_sent_all(&self) {
        let mut changes = self.core.changes();
        let waiting = async {
            loop {
                changes.mark_unchanged();
                if self.core.outbox_len().await.unwrap() == 0 {
                    return;
                }
                changes.changed().await.unwrap();
            }
        };
        let sent = tokio::time::timeout(PATIENCE, waiting).await;
        sent.expect("the device sends all that it has");
    }

    /// What lies in the folder of sealed entries.
    #[must_use]
    pub fn sealed_files(&self) -> usize {
        std::fs::read_dir(self.folder.join("sealed"))
            .unwrap()
            .count()
    }
}

fn is_note(entry: &EntryView, text: &str) -> bool {
    matches!(&entry.written.entry, Entry::Note(note) if note.text == text)
}

/// The packet's notes.
pub fn notes(packet: &Packet) -> impl Iterator<Item = &EntryView> {
    let is_note = |entry: &&EntryView| matches!(entry.written.entry, Entry::Note(_));
    packet.entries.iter().filter(is_note)
}

/// The texts of the packet's notes, as the screen has them.
#[must_use]
pub fn note_texts(packet: &Packet) -> Vec<String> {
    let text = |entry: &EntryView| match &entry.written.entry {
        Entry::Note(note) => note.text.clone(),
        _ => unreachable!("these are notes"),
    };
    notes(packet).map(text).collect()
}
