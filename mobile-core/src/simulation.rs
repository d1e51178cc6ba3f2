//! The device without its network: the real store and the real sync machine, driven step
//! by step as [`crate::driver`] drives them. For a simulated city, where time is virtual
//! and all happens on one thread; no part of what a host uses.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use packet::{CallId, CenterId, ChangeHash, DeviceNumber, DocumentId, Entry, EntryId};
use rusqlite::Connection;
use sync::device::{Device, Next, Store as Operation};
use sync::frame::{Bye, FrameError, Hello};
use sync::limits::SILENCE_MS_MAX;

use crate::StoreError;
use crate::driver::Failures;
use crate::identity::{KeyStore, Signer};
use crate::net::answer_ms_max;
use crate::store::{Intent, Pen, ShownRow, Store};

/// How long the center may take to be reached, TLS and the first answer among it.
pub const CONNECT_MS_MAX: u64 = crate::net::CONNECT_MS_MAX;

/// When the device dials, as its driver does: after how long it gives a dial up, and how
/// long it waits before the next.
#[derive(Debug, Default)]
pub struct Dialler {
    dials: u32,
    failures: Failures,
}

impl Dialler {
    /// Begins a dial: how long the network may take to answer it.
    pub fn dial(&mut self) -> u64 {
        let dial = self.dials;
        self.dials = dial.wrapping_add(1);
        answer_ms_max(dial)
    }

    /// A dial or its session ended. `welcomed`: the center had answered the hello, and did not
    /// say bye. `no_way`: nothing had answered at all.
    pub fn ended(&mut self, welcomed: bool, no_way: bool) {
        self.failures.count(welcomed, no_way);
    }

    /// How long to wait before the next dial: something between these.
    #[must_use]
    pub fn wait_ms(&self) -> RangeInclusive<u64> {
        let ceiling_ms = self.failures.ceiling_ms();
        ceiling_ms / 2..=ceiling_ms
    }
}

/// What enrolment gave the device.
#[derive(Debug, Clone)]
pub struct Enrolment {
    pub device: DeviceNumber,
    pub center: CenterId,
    /// An uncompressed P-256 point, 65 bytes.
    pub sealing_key: Vec<u8>,
    pub signer: Arc<dyn Signer>,
}

/// Why a step failed: the session is to be hung up.
#[derive(Debug, thiserror::Error)]
pub enum StepError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Frame(#[from] FrameError),
    #[error("no session is open")]
    NoSession,
    /// All is stored; the session begins again.
    #[error("a document has to come anew")]
    ComesAnew,
}

/// What to do next on the link.
#[derive(Debug, PartialEq, Eq)]
pub enum Due {
    Send(Vec<u8>),
    /// Nothing until something happens or this time comes.
    Wait {
        until_ms: u64,
    },
    /// Nothing was heard for too long, or no session is open: dial.
    Dead,
}

/// A session as the driver keeps it.
#[derive(Debug)]
struct Session {
    device: Device,
    outbox_high: i64,
    told: BTreeMap<DocumentId, (ShownRow, u64)>,
    welcomed: bool,
    /// Taken from the link and not yet committed.
    heard: Vec<Operation>,
}

/// A device. Dropping it leaves its files as they are.
#[derive(Debug)]
pub struct SimulatedDevice {
    store: Store,
    pen: Pen,
    orphans: Vec<ChangeHash>,
    session: Option<Session>,
}

impl SimulatedDevice {
    /// Opens the device's files, or makes them. Says where a store was put that did not open.
    ///
    /// # Errors
    /// As the store's.
    pub fn open(
        directory: &Path,
        keys: Arc<dyn KeyStore>,
        enrolment: Enrolment,
        wall_ms: i64,
    ) -> Result<(Self, Option<PathBuf>), StoreError> {
        let (store, set_aside) = Store::open(directory, keys, wall_ms)?;
        let mut orphans = Vec::new();
        for hash in store.sealed().all()? {
            if !store.is_waiting(hash)? {
                orphans.push(hash);
            }
        }
        // The disk's clock is not the city's.
        orphans.sort_unstable();
        let pen = Pen {
            device: enrolment.device,
            center: enrolment.center,
            sealing_key: enrolment.sealing_key,
            signer: enrolment.signer,
        };
        let device = Self {
            store,
            pen,
            orphans,
            session: None,
        };
        Ok((device, set_aside))
    }

    /// Begins a session: the machine anew from the store, and its hello.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn dial(&mut self, shift: Vec<u8>, now_ms: u64) -> Result<Hello, StepError> {
        let loaded = self.store.load()?;
        let mut device = Device::new(loaded.kept);
        let hello = device.dial(shift, now_ms);
        self.session = Some(Session {
            device,
            outbox_high: loaded.outbox_high,
            told: BTreeMap::new(),
            welcomed: false,
            heard: Vec::new(),
        });
        Ok(hello)
    }

    /// The link is gone, or given up.
    pub fn hang_up(&mut self) {
        self.session = None;
    }

    /// What to do next on the link.
    pub fn next(&mut self, now_ms: u64) -> Due {
        let Some(session) = &mut self.session else {
            return Due::Dead;
        };
        loop {
            match session.device.next(now_ms) {
                // No attachments here: each is given up.
                Next::FetchChunk { blob, offset, .. } => {
                    session.device.chunk(blob, offset, Vec::new(), now_ms);
                }
                Next::Send(bytes) => return Due::Send(bytes),
                Next::Wait { until_ms } => return Due::Wait { until_ms },
                Next::Dead => return Due::Dead,
            }
        }
    }

    /// Takes what came over the link; it is stored by the next [`Self::commit`]. Gives
    /// back what it asked for, and whether the center ends the session.
    ///
    /// # Errors
    /// When it breaks the protocol: what came before it is good and to be committed.
    pub fn hear(
        &mut self,
        bytes: &[u8],
        now_ms: u64,
    ) -> Result<(Vec<Operation>, Option<Bye>), StepError> {
        let session = self.session.as_mut().ok_or(StepError::NoSession)?;
        let effects = session.device.message(bytes, now_ms)?;
        session.heard.extend(effects.store.iter().cloned());
        Ok((effects.store, effects.bye))
    }

    /// Commits what was heard, in one transaction; then the machine may report it.
    ///
    /// # Errors
    /// When the store cannot be written: nothing of it was stored.
    pub fn commit(&mut self, now_ms: u64, wall_ms: i64) -> Result<(), StepError> {
        let session = self.session.as_mut().ok_or(StepError::NoSession)?;
        let operations = std::mem::take(&mut session.heard);
        if !operations.is_empty() {
            let applied = self.store.apply(&self.pen, &operations, wall_ms)?;
            if let Some((outbox, high)) = applied.outbox {
                for (document, unsent) in outbox {
                    session.device.rewritten(document, unsent);
                }
                session.outbox_high = session.outbox_high.max(high);
            }
            if applied.comes_anew {
                return Err(StepError::ComesAnew);
            }
        }
        session.device.committed();
        if !session.welcomed && session.device.is_welcomed() {
            session.welcomed = true;
            session.take_work(&self.store, now_ms)?;
        }
        session.forget_told(&self.store, now_ms)?;
        Ok(())
    }

    /// Whether the center has welcomed this session, and that is stored.
    #[must_use]
    pub fn is_welcomed(&self) -> bool {
        self.session.as_ref().is_some_and(|s| s.welcomed)
    }

    /// The officer writes an entry. `opens` makes its packet this device's own.
    ///
    /// # Errors
    /// When nothing of it was kept.
    pub fn write(
        &mut self,
        document: DocumentId,
        entries: Vec<Entry>,
        opens: bool,
        clocks: (u64, i64),
    ) -> Result<Vec<EntryId>, StepError> {
        let (now_ms, wall_ms) = clocks;
        let intent = |entry| Intent { document, entry };
        let intents: Vec<Intent> = entries.into_iter().map(intent).collect();
        let ids = self
            .store
            .write_entries(&self.pen, &intents, wall_ms, opens)?;
        self.take_work(now_ms)?;
        Ok(ids)
    }

    /// The packet was on a lit, unlocked screen.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn show(&mut self, call: CallId, clocks: (u64, i64)) -> Result<(), StepError> {
        let (now_ms, wall_ms) = clocks;
        let off_ms = self.store.contact()?.clock_off_ms.unwrap_or(0);
        if self.store.show(call, wall_ms - off_ms)? {
            self.take_work(now_ms)?;
        }
        Ok(())
    }

    fn take_work(&mut self, now_ms: u64) -> Result<(), StepError> {
        match &mut self.session {
            Some(session) => Ok(session.take_work(&self.store, now_ms)?),
            None => Ok(()),
        }
    }

    /// Sealed files whose store is gone, as [`crate::Core::open`] finds them.
    #[must_use]
    pub fn orphans(&self) -> &[ChangeHash] {
        &self.orphans
    }

    /// # Errors
    /// When the file cannot be read.
    pub fn sealed(&self, hash: &ChangeHash) -> Result<Vec<u8>, StoreError> {
        Ok(self.store.sealed().load(hash)?)
    }

    /// The center has it now.
    pub fn handed_in(&mut self, hash: &ChangeHash) {
        self.store.sealed().remove(hash);
        self.orphans.retain(|orphan| orphan != hash);
    }

    /// The center did not take what is left of them: they stay on the disk until the next start.
    pub fn give_orphans_up(&mut self) {
        self.orphans.clear();
    }

    /// What is committed, as another connection sees it.
    ///
    /// # Errors
    /// The look's own.
    pub fn look<T>(
        &self,
        look: impl FnOnce(&Connection) -> rusqlite::Result<T>,
    ) -> Result<T, StoreError> {
        self.store.read(|tx| Ok(look(tx)?))
    }

    /// The disk takes no more than this many pages of the store.
    ///
    /// # Errors
    /// When the store cannot be written.
    pub fn limit_pages(&self, pages_max: u32) -> Result<(), StoreError> {
        self.store.write(|tx, _| {
            tx.query_row(&format!("PRAGMA max_page_count = {pages_max}"), [], |_| {
                Ok(())
            })?;
            Ok(())
        })
    }
}

impl Session {
    /// What was written or shown since the last look.
    fn take_work(&mut self, store: &Store, now_ms: u64) -> Result<(), StoreError> {
        let (unsent, high) = store.outbox_after(self.outbox_high)?;
        self.outbox_high = high;
        unsent
            .into_iter()
            .for_each(|unsent| self.device.written(unsent));
        if !self.welcomed {
            return Ok(());
        }
        for row in store.untold()? {
            if self.told.get(&row.document).map(|(told, _)| *told) != Some(row) {
                self.device.shown(row.document, row.through, row.at_ms);
                self.told.insert(row.document, (row, now_ms));
            }
        }
        Ok(())
    }

    /// What the link has surely carried need not be told again.
    fn forget_told(&mut self, store: &Store, now_ms: u64) -> Result<(), StoreError> {
        let before_ms = now_ms.saturating_sub(2 * SILENCE_MS_MAX);
        let is_carried = |told_ms: u64| told_ms < before_ms;
        let carried: Vec<ShownRow> = self
            .told
            .values()
            .filter(|(_, told_ms)| is_carried(*told_ms))
            .map(|(row, _)| *row)
            .collect();
        if carried.is_empty() {
            return Ok(());
        }
        self.told.retain(|_, (_, told_ms)| !is_carried(*told_ms));
        store.told(&carried)
    }
}
