//! All that a host uses, in one handle.

mod agency;
mod attach;
mod enrol;
mod erase;
mod find;
mod follow;
mod intel;
mod leases;
mod lock;
mod push;
mod read;
mod standing;
mod sync_once;
mod write;

pub use attach::AttachmentContent;
pub use find::FOUND_MAX;
#[cfg(test)]
pub(crate) use find::found_in;
pub use follow::{
    Difference, EntryKey, LinkFollower, ListFollower, ListNews, PacketFollower, PacketNews,
};
pub use intel::Intel;
pub use leases::{Lease, LeaseState};
pub use lock::Unlocked;
pub use push::Woken;
pub(crate) use sync_once::Progress;
pub use sync_once::{Budget, Ended, Synced};

use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use packet::ChangeHash;
use rustls::ClientConfig;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use crate::driver::{self, LinkState};
use crate::host::{BootClock, LogLevel, Logger};
use crate::identity::{KeyStore, Signer, SoftwareSigner, client_config};
use crate::lock::shift_clock::ShiftClock;
use crate::lock::tries::Moment;
use crate::lock::{LockRules, LockState};
use crate::net::{Connector, TlsConnector};
use crate::shift::{Enrolment, Shift};
use crate::store::{Contact, Pen, Store};
use crate::{CoreError, StoreError};

/// The device's own key in the host's key store, where the host has no hardware for it.
const DEVICE_KEY: &str = "device-key";
/// What enrolment gave, in the host's key store.
const ENROLMENT: &str = "enrolment";
/// How long closing may take: iOS gives a suspended app about this much.
const PAUSE_MS_MAX: u64 = 5_000;

/// What a host gives.
#[derive(Debug)]
pub struct Options {
    /// A folder of the device's own; made where it is missing.
    pub directory: PathBuf,
    pub keys: Arc<dyn KeyStore>,
    /// `None`: a key in software, kept in `keys`.
    pub signer: Option<Arc<dyn Signer>>,
    pub clock: Arc<dyn BootClock>,
    pub log: Arc<dyn Logger>,
}

#[derive(Debug)]
pub struct Opened {
    pub core: Core,
    /// A store that could not be opened is here now. What was unsent in it is not lost:
    /// it is handed in, sealed, at the next contact.
    pub set_aside: Option<PathBuf>,
}

/// Counts since the start.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Metrics {
    /// Sessions that the center welcomed.
    pub sessions: u64,
    /// … in which everything had to come anew.
    pub resets: u64,
    /// Connections that were tried.
    pub dials: u64,
    /// Times that a session's loop woke: for a message, for something written here, or
    /// because a time had come.
    pub wake_ups: u64,
    pub frames_received: u64,
    pub bytes_received: u64,
    pub frames_sent: u64,
    pub bytes_sent: u64,
    /// Transactions with what the center said.
    pub commits: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sessions: AtomicU64,
    pub(crate) resets: AtomicU64,
    pub(crate) dials: AtomicU64,
    pub(crate) wake_ups: AtomicU64,
    pub(crate) frames_received: AtomicU64,
    pub(crate) bytes_received: AtomicU64,
    pub(crate) frames_sent: AtomicU64,
    pub(crate) bytes_sent: AtomicU64,
    pub(crate) commits: AtomicU64,
}

/// Whether a session may be, and as whom. When it changes, the session ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Gate {
    pub(crate) paused: bool,
    /// The device is locked, or being erased: there is no session.
    pub(crate) locked: bool,
    /// The host, or a test, has cut the network.
    pub(crate) cut: bool,
    /// Rises with enrolment, sign-on, sign-off and unlocking.
    pub(crate) standing: u64,
}

/// Who this device is to its center.
#[derive(Debug)]
pub(crate) struct Enrolled {
    pub(crate) enrolment: Enrolment,
    /// Kept, because it remembers TLS sessions.
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) pen: Pen,
}

pub(crate) struct Inner {
    pub(crate) store: Store,
    directory: PathBuf,
    rules: LockRules,
    /// What opens the store; held by whoever locks, unlocks or erases.
    custody: tokio::sync::Mutex<lock::Custody>,
    lock_state: watch::Sender<LockState>,
    shift_clock: Mutex<Option<ShiftClock>>,
    /// When the officer was last there.
    touched: Mutex<Moment>,
    /// Something may have to be locked.
    lock_due: Notify,
    /// Held while a session runs.
    pub(crate) in_session: tokio::sync::Mutex<()>,
    keys: Arc<dyn KeyStore>,
    signer: Arc<dyn Signer>,
    pub(crate) clock: Arc<dyn BootClock>,
    pub(crate) log: Arc<dyn Logger>,
    pub(crate) connector: Arc<dyn Connector>,
    enrolled: RwLock<Option<Arc<Enrolled>>>,
    shift: RwLock<Option<Shift>>,
    contact: RwLock<Contact>,
    /// Back from the agency's own sign-in, and without a shift yet.
    signed_in: Mutex<Option<agency::SignedIn>>,
    /// Sealed files of another store: to be handed in.
    pub(crate) orphans: Mutex<Vec<ChangeHash>>,
    pub(crate) gate: watch::Sender<Gate>,
    pub(crate) link: watch::Sender<LinkState>,
    pub(crate) progress: watch::Sender<Progress>,
    changes: watch::Sender<u64>,
    /// Something waits in the store to be sent.
    pub(crate) work: Notify,
    /// The network came back, or changed.
    pub(crate) network: Notify,
    pub(crate) counters: Counters,
    /// One driver at a time.
    driving: tokio::sync::Mutex<()>,
}

/// The officer's device. Cheap to clone: all clones are one device.
#[derive(Clone)]
pub struct Core(pub(crate) Arc<Inner>);

impl fmt::Debug for Core {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Core").finish_non_exhaustive()
    }
}

/// What is behind these locks is replaced whole: a panic elsewhere does not spoil it.
pub(crate) fn read<T: Clone>(value: &RwLock<T>) -> T {
    value.read().unwrap_or_else(PoisonError::into_inner).clone()
}

pub(crate) fn lock<T>(value: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    value.lock().unwrap_or_else(PoisonError::into_inner)
}

fn replace<T>(value: &RwLock<T>, new: T) {
    *value.write().unwrap_or_else(PoisonError::into_inner) = new;
}

/// Goes on to its end though whoever waits for it may leave: half of a lock is none.
async fn whole<T: Send + 'static>(
    work: impl Future<Output = Result<T, CoreError>> + Send + 'static,
) -> Result<T, CoreError> {
    tokio::spawn(work).await.map_err(|e| keys_error(&e))?
}

fn keys_error(error: &dyn fmt::Display) -> CoreError {
    CoreError::Keys(error.to_string())
}

impl Core {
    /// Opens the device, or makes it. Blocks for as long as a disk takes.
    ///
    /// # Errors
    /// When the folder cannot be written, the disk is full or the keys are locked. A
    /// store that is damaged is no error: it is set aside, and [`Opened`] says where.
    pub fn open(options: Options) -> Result<Opened, CoreError> {
        Self::open_with(options, Arc::new(TlsConnector::default()))
    }

    /// As [`Core::open`], under these rules of locking.
    ///
    /// # Errors
    /// As [`Core::open`].
    pub fn open_under(options: Options, rules: LockRules) -> Result<Opened, CoreError> {
        Self::open_all(options, rules, Arc::new(TlsConnector::default()))
    }

    /// As [`Core::open`], over a network that a test gives.
    ///
    /// # Errors
    /// As [`Core::open`].
    #[doc(hidden)]
    pub fn open_with(options: Options, connector: Arc<dyn Connector>) -> Result<Opened, CoreError> {
        Self::open_all(options, LockRules::default(), connector)
    }

    /// … and under these rules.
    ///
    /// # Errors
    /// As [`Core::open`].
    #[doc(hidden)]
    pub fn open_all(
        options: Options,
        rules: LockRules,
        connector: Arc<dyn Connector>,
    ) -> Result<Opened, CoreError> {
        let Options {
            directory,
            keys,
            signer,
            clock,
            log,
        } = options;
        let signer = match signer {
            Some(signer) => signer,
            None => software_signer(keys.as_ref())?,
        };
        let enrolled = match keys.load(ENROLMENT).map_err(|e| keys_error(&e))? {
            Some(kept) => {
                let enrolment = Enrolment::from_json(&kept)
                    .ok_or_else(|| CoreError::Keys("the enrolment cannot be read".into()))?;
                Some(enrolled(enrolment, &signer)?)
            }
            None => None,
        };
        std::fs::create_dir_all(&directory).map_err(StoreError::from)?;
        erase::finish(
            &erase::Place {
                directory: &directory,
                keys: keys.as_ref(),
                signer: signer.as_ref(),
                enrolled: enrolled.as_deref(),
            },
            &mut |_| (),
        )?;
        let now = Moment {
            boot_ms: clock.now_ms(),
            wall_ms: clock.wall_ms(),
        };
        let begun = lock::begin(&directory, &keys, now)?;
        if begun.set_aside.is_some() {
            log.log(
                LogLevel::Warning,
                "the store could not be opened and was set aside",
            );
        }
        let why = if enrolled.is_some() {
            "not connected yet"
        } else {
            "this device is not enrolled"
        };
        let link = LinkState::Offline {
            since_ms: clock.wall_ms(),
            why: why.into(),
        };
        let is_locked = !begun.state.is_open();
        let inner = Inner {
            shift: RwLock::new(begun.shift),
            signed_in: Mutex::new(None),
            contact: RwLock::new(begun.contact),
            store: begun.store,
            directory,
            rules,
            custody: tokio::sync::Mutex::new(begun.custody),
            lock_state: watch::Sender::new(begun.state),
            shift_clock: Mutex::new(begun.shift_clock),
            touched: Mutex::new(now),
            lock_due: Notify::new(),
            in_session: tokio::sync::Mutex::new(()),
            keys,
            signer,
            clock,
            log,
            connector,
            enrolled: RwLock::new(enrolled),
            orphans: Mutex::new(begun.orphans),
            gate: watch::Sender::new(Gate {
                paused: false,
                locked: is_locked,
                cut: false,
                standing: 0,
            }),
            link: watch::Sender::new(link),
            progress: watch::Sender::default(),
            changes: watch::Sender::new(0),
            work: Notify::new(),
            network: Notify::new(),
            counters: Counters::default(),
            driving: tokio::sync::Mutex::new(()),
        };
        Ok(Opened {
            core: Self(Arc::new(inner)),
            set_aside: begun.set_aside,
        })
    }

    /// Keeps a session with the center alive until `stop` is cancelled. One at a time:
    /// a second call waits for the first to end.
    pub async fn run(&self, stop: CancellationToken) {
        let _driving = tokio::select! {
            driving = self.0.driving.lock() => driving,
            () = stop.cancelled() => return,
        };
        tokio::select! {
            () = driver::run(self, &stop) => {}
            () = self.tend_for_ever() => {}
        }
    }

    /// [`Core::run`] as a task of its own; to be called within a Tokio runtime. Cancel what is returned to end it.
    #[must_use]
    pub fn start(&self) -> CancellationToken {
        let stop = CancellationToken::new();
        let (core, stopped) = (self.clone(), stop.clone());
        tokio::spawn(async move { core.run(stopped).await });
        stop
    }

    /// Ends the session, writes everything back and closes every file.
    ///
    /// # Errors
    /// When the disk fails, or it takes longer than five seconds.
    pub async fn pause(&self) -> Result<(), CoreError> {
        self.0.gate.send_modify(|gate| gate.paused = true);
        let closing = self.0.store.run(Store::pause);
        tokio::time::timeout(Duration::from_millis(PAUSE_MS_MAX), closing)
            .await
            .map_err(|_| CoreError::Store("it took too long to close".into()))??;
        Ok(())
    }

    /// # Errors
    /// When the store does not open again.
    pub async fn resume(&self) -> Result<(), CoreError> {
        self.0.store.run(Store::resume).await?;
        self.0.gate.send_modify(|gate| gate.paused = false);
        Ok(())
    }

    /// The network is there again, or is another: dial at once.
    pub fn network_changed(&self) {
        self.0.network.notify_one();
    }

    /// Cuts the network off (`false`), or lets it be used again.
    pub fn set_link(&self, may_connect: bool) {
        self.0.gate.send_if_modified(|gate| {
            let changes = gate.cut == may_connect;
            gate.cut = !may_connect;
            changes
        });
    }

    /// Whether there is a session with the center, and since when.
    #[must_use]
    pub fn link(&self) -> watch::Receiver<LinkState> {
        self.0.link.subscribe()
    }

    /// When the center was last heard, by its clock: how fresh all of this is.
    #[must_use]
    pub fn last_contact_ms(&self) -> Option<i64> {
        read(&self.0.contact).last_ms
    }

    /// What this device's clock was off by at the last contact: its own less the center's.
    #[must_use]
    pub fn clock_off_ms(&self) -> Option<i64> {
        read(&self.0.contact).clock_off_ms
    }

    /// How long ago the center was last heard, as well as this device knows its clock.
    #[must_use]
    pub fn age_ms(&self) -> Option<i64> {
        let contact = read(&self.0.contact);
        let now_ms = self.0.clock.wall_ms() - contact.clock_off_ms?;
        Some((now_ms - contact.last_ms?).max(0))
    }

    /// Rises whenever anything that is stored has changed.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.changes.subscribe()
    }

    #[must_use]
    pub fn metrics(&self) -> Metrics {
        let counters = &self.0.counters;
        let get = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        Metrics {
            sessions: get(&counters.sessions),
            resets: get(&counters.resets),
            dials: get(&counters.dials),
            wake_ups: get(&counters.wake_ups),
            frames_received: get(&counters.frames_received),
            bytes_received: get(&counters.bytes_received),
            frames_sent: get(&counters.frames_sent),
            bytes_sent: get(&counters.bytes_sent),
            commits: get(&counters.commits),
        }
    }

    pub(crate) fn enrolled(&self) -> Option<Arc<Enrolled>> {
        read(&self.0.enrolled)
    }

    pub(crate) fn set_contact(&self, contact: Contact) {
        replace(&self.0.contact, contact);
    }

    pub(crate) fn bump(&self) {
        self.0.changes.send_modify(|changes| *changes += 1);
    }
}

/// The device's key in software: made at the first start.
fn software_signer(keys: &dyn KeyStore) -> Result<Arc<dyn Signer>, CoreError> {
    if let Some(kept) = keys.load(DEVICE_KEY).map_err(|e| keys_error(&e))? {
        let kept = zeroize::Zeroizing::new(kept);
        let signer = SoftwareSigner::from_pkcs8(&kept).map_err(|e| keys_error(&e))?;
        return Ok(Arc::new(signer));
    }
    let signer = SoftwareSigner::generate().map_err(|e| keys_error(&e))?;
    let pkcs8 = zeroize::Zeroizing::new(signer.to_pkcs8().map_err(|e| keys_error(&e))?);
    keys.save(DEVICE_KEY, &pkcs8).map_err(|e| keys_error(&e))?;
    Ok(Arc::new(signer))
}

fn enrolled(enrolment: Enrolment, signer: &Arc<dyn Signer>) -> Result<Arc<Enrolled>, CoreError> {
    let identity = (enrolment.certificate.clone(), signer.clone());
    let tls = client_config(&enrolment.ca, Some(identity)).map_err(|e| keys_error(&e))?;
    let pen = Pen {
        device: enrolment.device,
        center: enrolment.center_id,
        sealing_key: enrolment.sealing_key.clone(),
        signer: signer.clone(),
    };
    Ok(Arc::new(Enrolled {
        enrolment,
        tls,
        pen,
    }))
}
