//! The same for other languages, by UniFFI: no logic, only other shapes.
//!
//! An [`Officer`] owns the threads that the core runs on. Its calls block, for as long
//! as a disk takes; `enrol`, `intel` and those that sign on wait for the network. Hosts call them off
//! the thread that draws. What they hear of without asking, [`Subscription`]s tell; what
//! they do in the background is in [`SyncBudget`] and [`SyncReport`].

mod contact;
mod host;
mod records;
mod said;
mod subscription;

use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use packet::{CallId, Compartment, DocumentId, EntryId};
use tokio::runtime::Runtime;
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub use contact::{MetricsRecord, SyncBudget, SyncEnd, SyncReport, WokenRecord};
pub use host::{HostClock, HostKeyStore, HostLogger, HostSigner};
pub use records::{
    AttachmentRecord, AttachmentStateRecord, ContentRecord, EntryRecord, FoundRecord, GlanceRecord,
    IntelRecord, LeaseRecord, LeaseStateRecord, LinkRecord, MineRecord, PacketRecord, QueryKind,
    ShiftRecord, ShownToRecord, StatusKind, SummaryRecord,
};

pub use said::{
    ConfidenceKind, FactsRecord, FindingRecord, LinkKind, MentionKind, OutcomeKind, Said, TopicKind,
};
pub use subscription::{
    EntryKeyRecord, LinkListener, ListListener, ListUpdate, PacketListener, PacketUpdate,
    PlacedEntry, PlacedSummary, Subscription,
};

use crate::core::lock;
use crate::{
    CancellationToken, Core, CoreError, LockState, LockedWhy, OpenPacket, Options, Ticket,
};

/// Threads for the network; disk work has its own.
const WORKERS: usize = 1;
/// How long letting a device go waits for its threads: for a listener that is still busy.
const END_MS_MAX: u64 = 2_000;

/// What went wrong, by what the app can do about it. No message holds anything that was
/// typed, nor anything of a packet; `reason` is for the officer's eyes.
#[derive(Debug, thiserror::Error, uniffi::Error)]
#[uniffi(name = "ForerunnerError")]
pub enum FfiError {
    /// Nothing is written without a name. Show the sign-on page, keep what was typed.
    #[error("sign on first")]
    SignOnFirst,
    /// Ask for a ticket and enrol.
    #[error("this device is not enrolled")]
    NotEnrolled,
    /// Between `pause` and `resume`: a call came too late, or too early. Resume, then again.
    #[error("the store is closed while the app is suspended")]
    Paused,
    /// Ask for the PIN, then again.
    #[error("the device is locked")]
    Locked,
    /// Not the PIN, or not the code: so many tries are left.
    #[error("{reason}")]
    Wrong { tries_left: u8, reason: String },
    /// A supervisor has to release the device: [`Officer::lock_state`] has the challenge.
    #[error("too many wrong PINs: a supervisor has to release this device")]
    LockedOut,
    /// Show the sign-on page: what is on the device stays.
    #[error("the shift is over: sign on again")]
    ShiftOver,
    /// `cancel` ended the call. Nothing is half done; calling again is safe.
    #[error("it was cancelled")]
    Cancelled,
    /// The disk is full, or too much waits to be sent. Say so at once, keep what was typed;
    /// reading goes on.
    #[error("{reason}")]
    CannotWrite { reason: String },
    /// The packet or the entry is not on this device any more. Go back to the list.
    #[error("{reason}")]
    NotFound { reason: String },
    /// What was typed or passed is not what is wanted; the reason names the field.
    #[error("{reason}")]
    Invalid { reason: String },
    /// The center did not answer. Try again later, or when the network changes.
    #[error("{reason}")]
    Unreachable { reason: String },
    /// The center said no, in its own words. Trying again changes nothing: show why.
    #[error("{reason}")]
    Refused { reason: String },
    /// The key store, the signer or the disk does not work. Report it; once the phone was
    /// unlocked it may work.
    #[error("{reason}")]
    Failed { reason: String },
}

impl From<CoreError> for FfiError {
    fn from(error: CoreError) -> Self {
        let reason = error.to_string();
        match error {
            CoreError::SignOnFirst => Self::SignOnFirst,
            CoreError::NotEnrolled => Self::NotEnrolled,
            CoreError::Paused => Self::Paused,
            CoreError::Locked => Self::Locked,
            CoreError::WrongPin { tries_left } | CoreError::WrongCode { tries_left } => {
                Self::Wrong { tries_left, reason }
            }
            CoreError::LockedOut => Self::LockedOut,
            CoreError::ShiftOver => Self::ShiftOver,
            CoreError::DiskFull | CoreError::OutboxFull | CoreError::AttachmentsFull => {
                Self::CannotWrite { reason }
            }
            CoreError::NotHere => Self::NotFound { reason },
            CoreError::Entry(_)
            | CoreError::Ticket(_)
            | CoreError::Pin(_)
            | CoreError::PinFirst
            | CoreError::PinIsSet
            | CoreError::NoPin => Self::Invalid { reason },
            CoreError::Unreachable(_) => Self::Unreachable { reason },
            CoreError::Refused { .. }
            | CoreError::OtherOfficer
            | CoreError::AttachmentsUnsent { .. } => Self::Refused { reason },
            CoreError::Keys(_) | CoreError::Store(_) => Self::Failed { reason },
        }
    }
}

/// A callback of the host that fails without saying how.
impl From<uniffi::UnexpectedUniFFICallbackError> for FfiError {
    fn from(error: uniffi::UnexpectedUniFFICallbackError) -> Self {
        Self::Failed {
            reason: error.reason,
        }
    }
}

/// The officer's device.
#[derive(Debug, uniffi::Object)]
pub struct Officer {
    core: Core,
    set_aside: Option<String>,
    running: Mutex<Option<CancellationToken>>,
    changes: Mutex<watch::Receiver<u64>>,
    /// Of the calls that wait for the network now.
    cancelled: Mutex<CancellationToken>,
    runtime: Threads,
}

/// The threads of one device. They end with it: whoever lets a device go waits for them, so
/// that none calls into a host that is ending. Within a listener nobody waits, since that is
/// such a thread.
#[derive(Debug)]
struct Threads(Option<Runtime>);

impl Threads {
    fn block_on<F: Future>(&self, work: F) -> F::Output {
        self.get().block_on(work)
    }

    fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future<Output: Send> + Send + 'static,
    {
        self.get().spawn(work)
    }

    #[allow(clippy::expect_used)]
    fn get(&self) -> &Runtime {
        self.0.as_ref().expect("it is taken only by drop")
    }
}

impl Drop for Threads {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            if tokio::runtime::Handle::try_current().is_ok() {
                runtime.shutdown_background();
            } else {
                runtime.shutdown_timeout(Duration::from_millis(END_MS_MAX));
            }
        }
    }
}

/// Without what was passed: it may be anything.
fn wanted(error: &packet::IdError) -> FfiError {
    FfiError::Invalid {
        reason: format!("this is not {}", error.wanted),
    }
}

fn call_id(call: &str) -> Result<CallId, FfiError> {
    call.parse().map_err(|error| wanted(&error))
}

fn document_id(call: &str, compartment: &str) -> Result<DocumentId, FfiError> {
    let named = |found: &Compartment| found.name() == compartment;
    let compartment = Compartment::ALL.into_iter().find(named);
    let compartment = compartment.ok_or_else(|| FfiError::Invalid {
        reason: "there is no such compartment".into(),
    })?;
    Ok(DocumentId::new(call_id(call)?, compartment))
}

fn entry_id(entry: &str) -> Result<EntryId, FfiError> {
    entry.parse().map_err(|error| wanted(&error))
}

impl Officer {
    /// What ends the calls that wait for the network from now on.
    fn cancellation(&self) -> CancellationToken {
        lock(&self.cancelled).clone()
    }

    fn waiting<T>(&self, work: impl Future<Output = Result<T, CoreError>>) -> Result<T, FfiError> {
        let cancelled = self.cancellation();
        self.runtime.block_on(async {
            tokio::select! {
                done = work => Ok(done?),
                () = cancelled.cancelled() => Err(FfiError::Cancelled),
            }
        })
    }
}

#[uniffi::export]
impl Officer {
    /// Opens the device in `directory`, or makes it. Without a signer the device's key
    /// is one in software, kept in the key store.
    #[uniffi::constructor(default(signer = None, clock = None, logger = None))]
    pub fn open(
        directory: String,
        keys: Arc<dyn HostKeyStore>,
        signer: Option<Arc<dyn HostSigner>>,
        clock: Option<Arc<dyn HostClock>>,
        logger: Option<Arc<dyn HostLogger>>,
    ) -> Result<Arc<Self>, FfiError> {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(WORKERS)
            .enable_all()
            .build()
            .map_err(|error| FfiError::Failed {
                reason: error.to_string(),
            })?;
        let opened = Core::open(Options {
            directory: directory.into(),
            keys: host::keys(keys),
            signer: signer.map(host::signer),
            clock: host::clock(clock),
            log: host::logger(logger),
        })?;
        Ok(Arc::new(Self {
            changes: Mutex::new(opened.core.changes()),
            core: opened.core,
            set_aside: opened.set_aside.map(|path| path.display().to_string()),
            running: Mutex::new(None),
            cancelled: Mutex::default(),
            runtime: Threads(Some(runtime)),
        }))
    }

    /// Where a store was put that could not be opened.
    pub fn set_aside(&self) -> Option<String> {
        self.set_aside.clone()
    }

    pub fn is_enrolled(&self) -> bool {
        self.core.is_enrolled()
    }

    /// `ticket` is the line of text that the agency gave.
    pub fn enrol(&self, ticket: String) -> Result<(), FfiError> {
        let ticket: Ticket = ticket.parse()?;
        self.waiting(self.core.enrol(&ticket))
    }

    pub fn sign_on(&self, officer: String, unit: String) -> Result<ShiftRecord, FfiError> {
        let shift = self.waiting(self.core.sign_on(&officer, &unit))?;
        Ok(shift.into())
    }

    /// Where the officer signs in with the agency's own provider. Open it in the system's
    /// browser (a custom tab or an authentication session, no web view); where that leads
    /// back to goes to `finish_sign_on`. `redirect` is one of those that the agency has
    /// configured for this app. `None`: the agency has none; use `sign_on`.
    pub fn begin_sign_on(
        &self,
        unit: String,
        redirect: String,
    ) -> Result<Option<String>, FfiError> {
        self.waiting(self.core.begin_sign_on(&unit, &redirect))
    }

    /// Begins the shift of whoever has signed in there. `back` is the whole address that the
    /// browser was led back to; it is good once.
    pub fn finish_sign_on(&self, back: String) -> Result<ShiftRecord, FfiError> {
        let shift = self.waiting(self.core.finish_sign_on(&back))?;
        Ok(shift.into())
    }

    pub fn sign_off(&self) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.sign_off())?)
    }

    pub fn shift(&self) -> Option<ShiftRecord> {
        self.core.shift().map(Into::into)
    }

    /// Keeps a session with the center alive from now on.
    pub fn start(&self) {
        let mut running = lock(&self.running);
        if running.is_none() {
            let (core, stop) = (self.core.clone(), CancellationToken::new());
            *running = Some(stop.clone());
            self.runtime.spawn(async move { core.run(stop).await });
        }
    }

    pub fn stop(&self) {
        if let Some(running) = lock(&self.running).take() {
            running.cancel();
        }
    }

    /// Ends the calls that wait for the network now: `enrol`, `intel` and those that sign on
    /// fail with `Cancelled`, `sync_once` reports what it came to. A language's own cancellation of a
    /// task does not reach this library, so this is how it is told.
    pub fn cancel(&self) {
        std::mem::take(&mut *lock(&self.cancelled)).cancel();
    }

    pub fn packets(&self) -> Result<Vec<SummaryRecord>, FfiError> {
        let packets = self.runtime.block_on(self.core.packets())?;
        Ok(packets.into_iter().map(Into::into).collect())
    }

    pub fn packet(&self, call: String) -> Result<Option<PacketRecord>, FfiError> {
        let packet = self.runtime.block_on(self.core.packet(call_id(&call)?))?;
        Ok(packet.map(|packet| {
            let glance = self.core.glance(&packet);
            PacketRecord::new(packet, glance)
        }))
    }

    /// The entries on this device that have all these words in them, with or without a link.
    pub fn find(&self, words: String) -> Result<Vec<FoundRecord>, FfiError> {
        let found = self.runtime.block_on(self.core.find(&words))?;
        Ok(found.into_iter().map(Into::into).collect())
    }

    /// Asks the center for the criminal intelligence of a call (28 CFR Part 23); waits for the
    /// network. Show it while there is a link and the device is open, and keep it nowhere: it
    /// may be on no disk, and this library keeps none of it. The center has on record who asked.
    pub fn intel(&self, call: String) -> Result<IntelRecord, FfiError> {
        Ok(self.waiting(self.core.intel(call_id(&call)?))?.into())
    }

    /// What the beats on this device know about the place and the plates of a packet.
    pub fn known_about(&self, call: String) -> Result<Vec<FoundRecord>, FfiError> {
        let known = self
            .runtime
            .block_on(self.core.known_about(call_id(&call)?))?;
        Ok(known.into_iter().map(Into::into).collect())
    }

    /// Returns the entry's id, when it is durable on this device.
    pub fn add_note(&self, call: String, text: String) -> Result<String, FfiError> {
        let id = self.core.add_note(call_id(&call)?, &text);
        Ok(self.runtime.block_on(id)?.to_string())
    }

    pub fn add_caution(&self, call: String, text: String) -> Result<String, FfiError> {
        let id = self.core.add_caution(call_id(&call)?, &text);
        Ok(self.runtime.block_on(id)?.to_string())
    }

    /// Asks the sources, once the center has it. `purpose` is one of the shift's codes;
    /// without one it is asked for the usual. Some sources want a reason.
    pub fn add_query(
        &self,
        call: String,
        what: QueryKind,
        value: String,
        purpose: Option<String>,
        reason: Option<String>,
    ) -> Result<String, FfiError> {
        let (purpose, reason) = (purpose.as_deref(), reason.as_deref());
        let call = call_id(&call)?;
        let id = self
            .core
            .add_query(call, what.into(), &value, purpose, reason);
        Ok(self.runtime.block_on(id)?.to_string())
    }

    pub fn set_status(&self, call: String, status: StatusKind) -> Result<String, FfiError> {
        let id = self.core.set_status(call_id(&call)?, status.into());
        Ok(self.runtime.block_on(id)?.to_string())
    }

    pub fn acknowledge(&self, call: String, caution: String) -> Result<String, FfiError> {
        let id = self.core.acknowledge(call_id(&call)?, entry_id(&caution)?);
        Ok(self.runtime.block_on(id)?.to_string())
    }

    /// Attaches an image or another small file: `content` as it is, `media_type` such as
    /// `image/jpeg`, `name` without folders. Returns the entry's id.
    pub fn attach(
        &self,
        call: String,
        content: Vec<u8>,
        media_type: String,
        name: String,
    ) -> Result<String, FfiError> {
        let call = call_id(&call)?;
        let id = self.core.attach(call, content, &media_type, &name);
        Ok(self.runtime.block_on(id)?.to_string())
    }

    /// Asks for the whole content of an attachment.
    pub fn fetch(&self, blob: String) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.fetch(&blob))?)
    }

    /// What is here of an attachment, or of a thumbnail.
    pub fn attachment(&self, blob: String) -> Result<Option<ContentRecord>, FfiError> {
        let found = self.runtime.block_on(self.core.attachment(&blob))?;
        Ok(found.map(Into::into))
    }

    /// Corrects an entry of this compartment, or withdraws it when there is no text.
    pub fn correct(
        &self,
        call: String,
        compartment: String,
        entry: String,
        text: Option<String>,
    ) -> Result<String, FfiError> {
        let document = document_id(&call, &compartment)?;
        let id = self
            .core
            .correct(document, entry_id(&entry)?, text.as_deref());
        Ok(self.runtime.block_on(id)?.to_string())
    }

    /// Returns the new packet's call.
    #[uniffi::method(default(plate = None, note = None))]
    pub fn open_packet(
        &self,
        nature: String,
        location: String,
        plate: Option<String>,
        note: Option<String>,
    ) -> Result<String, FfiError> {
        let call = self.core.open_packet(OpenPacket {
            nature,
            location,
            plate,
            note,
        });
        Ok(self.runtime.block_on(call)?.to_string())
    }

    /// The packet was on a lit, unlocked screen.
    pub fn shown(&self, call: String) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.shown(call_id(&call)?))?)
    }

    pub fn network_changed(&self) {
        self.core.network_changed();
    }

    pub fn set_link(&self, may_connect: bool) {
        self.core.set_link(may_connect);
    }

    pub fn link(&self) -> LinkRecord {
        self.core.link().borrow().clone().into()
    }

    /// When the center was last heard, by its clock.
    pub fn last_contact_ms(&self) -> Option<i64> {
        self.core.last_contact_ms()
    }

    pub fn outbox_len(&self) -> Result<u64, FfiError> {
        Ok(self.runtime.block_on(self.core.outbox_len())? as u64)
    }

    /// Waits until something stored has changed since the last call of this kind; `false`
    /// when nothing did in time.
    pub fn wait_for_change(&self, timeout_ms: u64) -> bool {
        let mut changes = lock(&self.changes).clone();
        let limit = Duration::from_millis(timeout_ms);
        let changed = self
            .runtime
            .block_on(async { tokio::time::timeout(limit, changes.changed()).await });
        let changed = matches!(changed, Ok(Ok(())));
        // What was seen here is not waited for again.
        *lock(&self.changes) = changes;
        changed
    }

    /// Closes every file, before the app is suspended.
    pub fn pause(&self) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.pause())?)
    }

    pub fn resume(&self) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.resume())?)
    }
}

/// Whether the device is open, and what opens it if not; see [`crate::LockState`].
#[derive(Debug, Clone, PartialEq, Eq, uniffi::Enum)]
pub enum LockRecord {
    Open {
        has_pin: bool,
    },
    /// The PIN opens it; where the shift is over, after a new sign-on.
    Locked {
        shift_is_over: bool,
        tries_left: u8,
    },
    /// A supervisor releases it: from the center, or by a code for this challenge.
    LockedOut {
        challenge: String,
        code_tries_left: u8,
    },
}

impl From<LockState> for LockRecord {
    fn from(state: LockState) -> Self {
        match state {
            LockState::Open { has_pin } => Self::Open { has_pin },
            LockState::Locked { why, tries_left } => Self::Locked {
                shift_is_over: why == LockedWhy::ShiftOver,
                tries_left,
            },
            LockState::LockedOut {
                challenge,
                code_tries_left,
            } => Self::LockedOut {
                challenge,
                code_tries_left,
            },
        }
    }
}

#[uniffi::export]
impl Officer {
    pub fn lock_state(&self) -> LockRecord {
        self.core.lock_state().borrow().clone().into()
    }

    /// Sets the officer's PIN, 6 to 12 digits, on a device that has none. Before the first
    /// sign-on, or the device opens for whoever holds it.
    pub fn set_pin(&self, pin: String) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.set_pin(&pin))?)
    }

    pub fn change_pin(&self, old: String, new: String) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.change_pin(&old, &new))?)
    }

    pub fn lock(&self) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.lock())?)
    }

    pub fn unlock(&self, pin: String) -> Result<(), FfiError> {
        self.runtime.block_on(self.core.unlock(&pin))?;
        Ok(())
    }

    /// Gives the tries of the PIN back, by the code that a supervisor read out.
    pub fn release(&self, code: String) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.release(&code))?)
    }

    /// The officer touched the device: it locks half an hour after the last time.
    pub fn touch(&self) {
        self.core.touch();
    }

    /// Locks what should be locked by now: first of all when the app wakes.
    pub fn tend(&self) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.tend())?)
    }

    /// Milliseconds that are left of the shift. Warn, and offer to renew it, below an hour.
    pub fn shift_left_ms(&self) -> Option<i64> {
        self.core.shift_left().map(|left| left.ms)
    }

    /// Milliseconds that this compartment of a packet stays without a contact; none: it stays
    /// for the shift, or is not here.
    pub fn lease_left_ms(
        &self,
        call: String,
        compartment: String,
    ) -> Result<Option<i64>, FfiError> {
        let document = document_id(&call, &compartment)?;
        let left = self.core.lease_left(document.call, document.compartment);
        Ok(left.map(|left| left.ms))
    }

    pub fn renew_shift(&self) -> Result<ShiftRecord, FfiError> {
        Ok(self.runtime.block_on(self.core.renew_shift())?.into())
    }

    /// As `sign_off`, though attachments that the center does not have are lost.
    pub fn sign_off_anyway(&self) -> Result<(), FfiError> {
        Ok(self.runtime.block_on(self.core.sign_off_anyway())?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_error_says_what_an_app_can_do() {
        type Is = fn(&FfiError) -> bool;
        let no = String::new;
        let cases: [(CoreError, Is); 10] = [
            (CoreError::SignOnFirst, |e| {
                matches!(e, FfiError::SignOnFirst)
            }),
            (CoreError::NotEnrolled, |e| {
                matches!(e, FfiError::NotEnrolled)
            }),
            (CoreError::Paused, |e| matches!(e, FfiError::Paused)),
            (CoreError::DiskFull, |e| {
                matches!(e, FfiError::CannotWrite { .. })
            }),
            (CoreError::OutboxFull, |e| {
                matches!(e, FfiError::CannotWrite { .. })
            }),
            (CoreError::AttachmentsFull, |e| {
                matches!(e, FfiError::CannotWrite { .. })
            }),
            (CoreError::NotHere, |e| {
                matches!(e, FfiError::NotFound { .. })
            }),
            (CoreError::Ticket(no()), |e| {
                matches!(e, FfiError::Invalid { .. })
            }),
            (CoreError::Unreachable(no()), |e| {
                matches!(e, FfiError::Unreachable { .. })
            }),
            (CoreError::Store(no()), |e| {
                matches!(e, FfiError::Failed { .. })
            }),
        ];
        for (error, is) in cases {
            let words = format!("{error:?}");
            assert!(is(&FfiError::from(error)), "{words}");
        }
    }

    #[test]
    fn an_id_that_is_none_is_not_repeated() {
        for error in [
            call_id("SECRET").err(),
            document_id("SECRET", "call").err(),
            entry_id("SECRET").err(),
        ] {
            let words = error.map(|error| error.to_string()).unwrap_or_default();
            assert!(
                words.starts_with("this is not ") && !words.contains("SECRET"),
                "{words}"
            );
        }
    }
}
