//! Locking, unlocking and the PIN, and what locks by itself.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use packet::ChangeHash;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::sync::watch;

use super::{Core, keys_error, lock, read, replace, whole};
use crate::identity::KeyStore;
use crate::lock::pin::{self, Kept, UnderPin, WrapError};
use crate::lock::shift_clock::{KeptShift, ShiftClock};
use crate::lock::tries::{Moment, Tries};
use crate::lock::{IDLE_MS_MAX, LockState, LockedWhy, Pin, SHIFT_WARNING_MS, ShiftLeft};
use crate::shift::Shift;
use crate::store::{Contact, KEY_NAME, Store, StoreKey, erase_files, new_key};
use crate::{CoreError, StoreError};

/// In the host's key store, beside the store's key:
const TRIES: &str = "pin-tries";
pub(super) const SHIFT_CLOCK: &str = "shift-clock";
/// A shift that began while the device was locked.
pub(super) const PENDING: &str = "pending-shift";
pub(super) const STORE_ID: &str = "store-id";
pub(super) const RELEASE_SECRET: &str = "release-secret";

/// How often what locks by itself is looked at …
const LOOK_MS: u64 = 5_000;
/// … and how much of a shift's time a restart may forget.
const KEEP_MS: u64 = 60_000;

/// What opens the store.
pub(crate) struct Custody {
    /// `None`: no PIN is set.
    pub(super) under_pin: Option<Arc<UnderPin>>,
    pub(super) tries: Tries,
    /// When the tries' ages were true.
    tries_at: Moment,
    pub(super) pending: Option<Shift>,
}

/// The device as it is when the program starts.
pub(super) struct Begun {
    pub(super) store: Store,
    pub(super) custody: Custody,
    pub(super) state: LockState,
    pub(super) shift: Option<Shift>,
    pub(super) shift_clock: Option<ShiftClock>,
    pub(super) contact: Contact,
    pub(super) orphans: Vec<ChangeHash>,
    pub(super) set_aside: Option<PathBuf>,
}

/// How much of the shift is left, and whose it is: also known while the store is closed.
#[derive(Serialize, Deserialize)]
struct KeptClock {
    shift: KeptShift,
    badge: String,
}

/// What `unlock` found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unlocked {
    /// A store that could not be opened is here now: see [`crate::Opened`].
    pub set_aside: Option<PathBuf>,
}

pub(super) fn load_json<T: DeserializeOwned>(
    keys: &dyn KeyStore,
    name: &str,
) -> Result<Option<T>, CoreError> {
    let Some(kept) = keys.load(name).map_err(|e| keys_error(&e))? else {
        return Ok(None);
    };
    let read = serde_json::from_slice(&kept);
    read.map(Some)
        .map_err(|_| CoreError::Keys(format!("{name} cannot be read")))
}

pub(super) fn save_json(
    keys: &dyn KeyStore,
    name: &str,
    value: &impl Serialize,
) -> Result<(), CoreError> {
    let kept = zeroize::Zeroizing::new(serde_json::to_vec(value).map_err(|e| keys_error(&e))?);
    keys.save(name, &kept).map_err(|e| keys_error(&e))
}

fn wrap_error(error: WrapError) -> CoreError {
    CoreError::Keys(error.to_string())
}

/// A new name for a new store: receipts call it by that.
pub(super) fn name_store(keys: &dyn KeyStore) -> Result<String, CoreError> {
    let mut id = [0; 16];
    aws_lc_rs::rand::fill(&mut id)
        .map_err(|_| CoreError::Keys("the machine gives no randomness".into()))?;
    keys.save(STORE_ID, &id).map_err(|e| keys_error(&e))?;
    Ok(data_encoding::HEXLOWER.encode(&id))
}

pub(super) fn store_name(keys: &dyn KeyStore) -> Result<Option<String>, CoreError> {
    let kept = keys.load(STORE_ID).map_err(|e| keys_error(&e))?;
    Ok(kept.map(|id| data_encoding::HEXLOWER.encode(&id)))
}

/// Opens the store where no PIN is set and a shift that it holds is not over.
pub(super) fn begin(
    directory: &Path,
    keys_of_host: &Arc<dyn KeyStore>,
    now: Moment,
) -> Result<Begun, CoreError> {
    let keys = keys_of_host.as_ref();
    let kept = keys.load(KEY_NAME).map_err(|e| keys_error(&e))?;
    let kept = kept.map(zeroize::Zeroizing::new);
    let kept = kept.map(|kept| pin::read(&kept)).transpose();
    let store = Store::locked(directory, keys_of_host.clone(), now)?;
    let clock: Option<KeptClock> = load_json(keys, SHIFT_CLOCK)?;
    let shift_clock = clock.map(|kept| ShiftClock::load(kept.shift, now));
    let (key, under_pin) = match kept.map_err(wrap_error)? {
        None => {
            let key = new_key()?;
            keys.save(KEY_NAME, &*key).map_err(|e| keys_error(&e))?;
            (Some(key), None)
        }
        Some(Kept::Plain(key)) => (Some(key), None),
        Some(Kept::UnderPin(under_pin)) => (None, Some(Arc::new(under_pin))),
    };
    if store_name(keys)?.is_none() {
        name_store(keys)?;
    }
    let tries = match load_json(keys, TRIES) {
        Ok(Some(tries)) => tries,
        Ok(None) if under_pin.is_none() => Tries::default(),
        // Whoever takes the count away gets no more tries for it.
        Ok(None) | Err(_) => {
            let tries = Tries::lost(fastrand::u32(..));
            save_json(keys, TRIES, &tries)?;
            tries
        }
    };
    let is_over = shift_clock.is_some_and(|clock| clock.left_ms(now) == 0);
    let mut begun = Begun {
        orphans: store.sealed().all().map_err(StoreError::from)?,
        store,
        state: LockState::Open { has_pin: false },
        custody: Custody {
            under_pin,
            tries,
            tries_at: now,
            pending: load_json(keys, PENDING)?,
        },
        shift: None,
        shift_clock,
        contact: Contact::default(),
        set_aside: None,
    };
    let why = if is_over {
        LockedWhy::ShiftOver
    } else {
        LockedWhy::Started
    };
    match key {
        Some(key) if !is_over => {
            begun.set_aside = begun.store.unlock(key, now.wall_ms)?;
            begun.shift = begun.store.shift()?;
            begun.contact = begun.store.contact()?;
            begun.orphans = orphans(&begun.store)?;
        }
        _ => begun.state = begun.custody.state(why),
    }
    Ok(begun)
}

/// Sealed files whose store does not have them any more: to be handed in.
pub(super) fn orphans(store: &Store) -> Result<Vec<ChangeHash>, StoreError> {
    let mut orphans = Vec::new();
    for hash in store.sealed().all()? {
        if !store.is_waiting(hash)? {
            orphans.push(hash);
        }
    }
    Ok(orphans)
}

impl Custody {
    fn state(&self, why: LockedWhy) -> LockState {
        match self.tries.challenge() {
            Some(challenge) => LockState::LockedOut {
                challenge: challenge.to_owned(),
                code_tries_left: self.tries.code_tries_left(),
            },
            None => LockState::Locked {
                why,
                tries_left: self.tries.tries_left(),
            },
        }
    }
}

impl Core {
    pub(super) fn moment(&self) -> Moment {
        Moment {
            boot_ms: self.0.clock.now_ms(),
            wall_ms: self.0.clock.wall_ms(),
        }
    }

    /// Whether the device is open, and what opens it if not.
    #[must_use]
    pub fn lock_state(&self) -> watch::Receiver<LockState> {
        self.0.lock_state.subscribe()
    }

    pub(super) fn is_open(&self) -> bool {
        self.0.lock_state.borrow().is_open()
    }

    pub(super) async fn has_pin(&self) -> bool {
        self.0.custody.lock().await.under_pin.is_some()
    }

    /// Nothing is read or written while the device is locked, or should be by now.
    pub(super) fn must_be_open(&self) -> Result<(), CoreError> {
        if !self.is_open() {
            return Err(CoreError::Locked);
        }
        if self.due().is_some() {
            self.0.lock_due.notify_one();
            return Err(CoreError::Locked);
        }
        self.pass_leases();
        Ok(())
    }

    /// Why the open device should be locked by now.
    fn due(&self) -> Option<LockedWhy> {
        let now = self.moment();
        let state = self.0.lock_state.borrow().clone();
        let LockState::Open { has_pin } = state else {
            return None;
        };
        let clock = *lock(&self.0.shift_clock);
        if clock.is_some_and(|clock| clock.left_ms(now) == 0) {
            return Some(LockedWhy::ShiftOver);
        }
        let is_idle = lock(&self.0.touched).perhaps_until(now) >= IDLE_MS_MAX;
        (has_pin && is_idle && !self.is_mounted()).then_some(LockedWhy::Idle)
    }

    /// The officer is there: a key, a touch, a look that was asked for. Comes too late where
    /// the device should be locked already.
    pub fn touch(&self) {
        if self.due().is_some() {
            self.0.lock_due.notify_one();
        } else {
            *lock(&self.0.touched) = self.moment();
        }
    }

    /// The center says that this device is fixed in a vehicle: it does not lock by itself
    /// for want of use (AC-11).
    #[must_use]
    pub fn is_mounted(&self) -> bool {
        self.enrolled()
            .is_some_and(|enrolled| enrolled.enrolment.mounted)
    }

    /// How much of the shift is left, by clocks that setting does not help.
    #[must_use]
    pub fn shift_left(&self) -> Option<ShiftLeft> {
        let clock = (*lock(&self.0.shift_clock))?;
        let ms = clock.left_ms(self.moment());
        Some(ShiftLeft {
            ms,
            is_warned: ms <= SHIFT_WARNING_MS,
        })
    }

    /// Locks what should be locked by now, and keeps how much of the shift is left. The
    /// driver does it every few seconds; a host whose app was asleep does it first of all.
    ///
    /// # Errors
    /// When the store does not close, or the host's key store does not keep.
    pub async fn tend(&self) -> Result<(), CoreError> {
        {
            // Not while an erasure is at it: nothing of the shift is put back.
            let _custody = self.0.custody.lock().await;
            self.keep_shift_clock()?;
            self.keep_leases()?;
        }
        self.end_leases().await?;
        match self.due() {
            Some(why) => self.lock_because(why).await,
            None => Ok(()),
        }
    }

    pub(super) async fn tend_for_ever(&self) {
        let mut kept_ms = self.0.clock.now_ms();
        let mut warned = 0;
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
                () = self.0.lock_due.notified() => {}
            }
            let now_ms = self.0.clock.now_ms();
            let is_time = now_ms.saturating_sub(kept_ms) >= KEEP_MS;
            let warned_before = std::mem::replace(&mut warned, self.leases_warned());
            if warned != warned_before {
                // Screens say so.
                self.bump();
            }
            if is_time || self.due().is_some() || self.is_lease_over() {
                kept_ms = now_ms;
                if let Err(error) = self.tend().await {
                    tracing::warn!(%error, "the device could not be locked");
                }
            }
        }
    }

    /// The center was heard: how much of the shift is left is what it says.
    pub(crate) fn anchor_shift(&self) {
        let left_ms = match (self.shift(), read(&self.0.contact).last_ms) {
            (Some(shift), Some(center_ms)) => shift.expires_ms.saturating_sub(center_ms),
            _ => return,
        };
        if left_ms > 0 {
            *lock(&self.0.shift_clock) = Some(ShiftClock::new(left_ms, self.moment()));
            if let Err(error) = self.keep_shift_clock() {
                tracing::warn!(%error, "how much of the shift is left was not kept");
            }
        }
    }

    fn keep_shift_clock(&self) -> Result<(), CoreError> {
        let badge = self.badge()?.unwrap_or_default();
        let kept = {
            let mut clock = lock(&self.0.shift_clock);
            clock.as_mut().map(|clock| clock.keep(self.moment()))
        };
        match kept {
            Some(shift) => save_json(
                self.0.keys.as_ref(),
                SHIFT_CLOCK,
                &KeptClock { shift, badge },
            ),
            None => Ok(()),
        }
    }

    /// Whose shift is on this device, also while it is locked.
    pub(super) fn badge(&self) -> Result<Option<String>, CoreError> {
        if let Some(shift) = self.shift() {
            return Ok(Some(shift.badge));
        }
        let kept: Option<KeptClock> = load_json(self.0.keys.as_ref(), SHIFT_CLOCK)?;
        Ok(kept.map(|kept| kept.badge))
    }

    /// A shift begins, with so much of it left.
    pub(super) fn begin_shift_clock(&self, left_ms: i64, badge: &str) -> Result<(), CoreError> {
        let mut clock = ShiftClock::new(left_ms, self.moment());
        let kept = KeptClock {
            shift: clock.keep(self.moment()),
            badge: badge.to_owned(),
        };
        save_json(self.0.keys.as_ref(), SHIFT_CLOCK, &kept)?;
        *lock(&self.0.shift_clock) = Some(clock);
        Ok(())
    }

    /// The center says that the shift is over.
    pub(super) fn end_shift_clock(&self) -> Result<(), CoreError> {
        let badge = self.badge()?.unwrap_or_default();
        self.begin_shift_clock(0, &badge)
    }

    /// Locks the device: the store is closed, its key forgotten, the session ends.
    ///
    /// # Errors
    /// [`CoreError::NoPin`] where nothing would open it again.
    pub async fn lock(&self) -> Result<(), CoreError> {
        let state = self.0.lock_state.borrow().clone();
        match state {
            LockState::Open { has_pin: false } => return Err(CoreError::NoPin),
            LockState::Open { has_pin: true } => {}
            _ => return Ok(()),
        }
        self.lock_because(LockedWhy::Asked).await
    }

    pub(super) async fn lock_because(&self, why: LockedWhy) -> Result<(), CoreError> {
        let core = self.clone();
        whole(async move { core.lock_all(why).await }).await
    }

    async fn lock_all(&self, why: LockedWhy) -> Result<(), CoreError> {
        let custody = self.0.custody.lock().await;
        if !self.is_open() {
            return Ok(());
        }
        self.0.gate.send_modify(|gate| gate.locked = true);
        self.0.lock_state.send_replace(custody.state(why));
        replace(&self.0.shift, None);
        let closed = self.0.store.run(Store::lock).await;
        let sealed = self.0.store.sealed().all().map_err(StoreError::from)?;
        *lock(&self.0.orphans) = sealed;
        self.bump();
        Ok(closed?)
    }

    /// Opens the device.
    ///
    /// # Errors
    /// [`CoreError::WrongPin`], [`CoreError::LockedOut`], [`CoreError::ShiftOver`]; what is
    /// wrong with the form of the PIN, which is not counted.
    pub async fn unlock(&self, pin: &str) -> Result<Unlocked, CoreError> {
        let (core, pin) = (self.clone(), Pin::tried(pin)?);
        whole(async move { core.unlock_by(&pin).await }).await
    }

    async fn unlock_by(&self, pin: &Pin) -> Result<Unlocked, CoreError> {
        let mut custody = self.0.custody.lock().await;
        if self.is_open() {
            return Ok(Unlocked::default());
        }
        if self.is_shift_over() {
            return Err(CoreError::ShiftOver);
        }
        let key = self.try_pin(&mut custody, pin).await?;
        self.open_store(&mut custody, key).await
    }

    fn is_shift_over(&self) -> bool {
        let clock = *lock(&self.0.shift_clock);
        clock.is_some_and(|clock| clock.left_ms(self.moment()) == 0)
    }

    /// With the key at hand.
    pub(super) async fn open_store(
        &self,
        custody: &mut Custody,
        key: StoreKey,
    ) -> Result<Unlocked, CoreError> {
        let (now_ms, pending) = (self.0.clock.wall_ms(), custody.pending.clone());
        let opened = self.0.store.run(move |store| {
            let set_aside = store.unlock(key, now_ms)?;
            if let Some(shift) = &pending {
                store.set_shift(Some(shift))?;
            }
            Ok((set_aside, store.shift()?, store.contact()?, orphans(store)?))
        });
        let (set_aside, shift, contact, orphans) = opened.await?;
        if custody.pending.take().is_some() {
            let keys = self.0.keys.as_ref();
            keys.erase(PENDING).map_err(|e| keys_error(&e))?;
        }
        replace(&self.0.shift, shift);
        replace(&self.0.contact, contact);
        *lock(&self.0.orphans) = orphans;
        *lock(&self.0.touched) = self.moment();
        let has_pin = custody.under_pin.is_some();
        self.0.lock_state.send_replace(LockState::Open { has_pin });
        self.0.gate.send_modify(|gate| {
            gate.locked = false;
            gate.standing += 1;
        });
        self.bump();
        Ok(Unlocked { set_aside })
    }

    /// The store's key where it lies open.
    pub(super) fn plain_key(&self) -> Result<StoreKey, CoreError> {
        let kept = self.0.keys.load(KEY_NAME).map_err(|e| keys_error(&e))?;
        let kept = zeroize::Zeroizing::new(kept.unwrap_or_default());
        match pin::read(&kept).map_err(wrap_error)? {
            Kept::Plain(key) => Ok(key),
            Kept::UnderPin(_) => Err(CoreError::Locked),
        }
    }

    /// Tries a PIN, and counts it before it is tried.
    async fn try_pin(&self, custody: &mut Custody, pin: &Pin) -> Result<StoreKey, CoreError> {
        let now = self.moment();
        custody.tries.pass(custody.tries_at.surely_until(now));
        custody.tries_at = now;
        let under_pin = custody.under_pin.clone().ok_or(CoreError::NoPin)?;
        let begun = custody.tries.begin(fastrand::u32(..));
        begun.map_err(|_| CoreError::LockedOut)?;
        self.keep_tries(custody)?;
        let pin = pin.clone();
        // Argon2 takes its time: off the threads that talk.
        let tried = tokio::task::spawn_blocking(move || under_pin.open(&pin));
        let opened = tried.await.map_err(|e| keys_error(&e))?.map_err(wrap_error);
        match opened? {
            Some(key) => {
                custody.tries.good();
                self.keep_tries(custody)?;
                Ok(key)
            }
            None => {
                self.publish_tries(custody);
                match custody.tries.tries_left() {
                    _ if custody.tries.challenge().is_some() => Err(CoreError::LockedOut),
                    tries_left => Err(CoreError::WrongPin { tries_left }),
                }
            }
        }
    }

    pub(super) fn keep_tries(&self, custody: &Custody) -> Result<(), CoreError> {
        save_json(self.0.keys.as_ref(), TRIES, &custody.tries)
    }

    /// The screen says how many tries are left.
    pub(super) fn publish_tries(&self, custody: &Custody) {
        self.0.lock_state.send_modify(|state| {
            if !state.is_open() {
                let why = match state {
                    LockState::Locked { why, .. } => *why,
                    _ => LockedWhy::Asked,
                };
                *state = custody.state(why);
            }
        });
    }

    /// Sets the officer's PIN, on a device that has none.
    ///
    /// # Errors
    /// [`CoreError::PinIsSet`], [`CoreError::Locked`], what is wrong with the PIN, or why
    /// the host's key store does not keep it.
    pub async fn set_pin(&self, pin: &str) -> Result<(), CoreError> {
        let (core, pin) = (self.clone(), Pin::new(pin)?);
        whole(async move { core.set_first_pin(&pin).await }).await
    }

    async fn set_first_pin(&self, pin: &Pin) -> Result<(), CoreError> {
        let mut custody = self.0.custody.lock().await;
        let state = self.0.lock_state.borrow().clone();
        match state {
            LockState::Open { has_pin: false } => {}
            LockState::Open { has_pin: true } => return Err(CoreError::PinIsSet),
            _ => return Err(CoreError::Locked),
        }
        custody.tries.good();
        self.keep_tries(&custody)?;
        if self.0.store.run(Store::is_unused).await? {
            // The key that lay open is used for nothing.
            self.begin_anew_under(&mut custody, pin).await?;
        } else {
            let key = self.0.store.key().ok_or(CoreError::Locked)?;
            self.keep_under(&mut custody, key, pin).await?;
        }
        *lock(&self.0.touched) = self.moment();
        let open = LockState::Open { has_pin: true };
        self.0.lock_state.send_replace(open);
        self.bump();
        Ok(())
    }

    /// An empty store under a key that was never on the disk but under the PIN.
    async fn begin_anew_under(&self, custody: &mut Custody, pin: &Pin) -> Result<(), CoreError> {
        self.0.gate.send_modify(|gate| gate.locked = true);
        let session_is_over = self.0.in_session.lock().await;
        let (directory, now_ms) = (self.0.directory.clone(), self.0.clock.wall_ms());
        let key = new_key()?;
        self.0
            .store
            .run(move |store| {
                store.lock()?;
                Ok(erase_files(&directory, &mut |_| ())?)
            })
            .await?;
        self.keep_under(custody, key.clone(), pin).await?;
        let opened = self.0.store.run(move |store| store.unlock(key, now_ms));
        opened.await?;
        drop(session_is_over);
        self.0.gate.send_modify(|gate| gate.locked = false);
        Ok(())
    }

    async fn keep_under(
        &self,
        custody: &mut Custody,
        key: StoreKey,
        pin: &Pin,
    ) -> Result<(), CoreError> {
        let (pin, hash) = (pin.clone(), self.0.rules.hash);
        let wrapping = tokio::task::spawn_blocking(move || pin::wrap(&key, &pin, hash));
        let wrapped = wrapping.await.map_err(|e| keys_error(&e))?;
        let wrapped = wrapped.map_err(wrap_error)?;
        // In the place of what was there, whole or not at all.
        let keys = self.0.keys.as_ref();
        keys.save(KEY_NAME, &wrapped).map_err(|e| keys_error(&e))?;
        match pin::read(&wrapped).map_err(wrap_error)? {
            Kept::UnderPin(under_pin) => custody.under_pin = Some(Arc::new(under_pin)),
            Kept::Plain(_) => return Err(wrap_error(WrapError::Unreadable)),
        }
        Ok(())
    }

    /// Changes the PIN of an open device. A wrong old one counts as a bad try.
    ///
    /// # Errors
    /// As [`Core::unlock`] of the old PIN, and [`Core::set_pin`] of the new one.
    pub async fn change_pin(&self, old: &str, new: &str) -> Result<(), CoreError> {
        let (old, new) = (Pin::tried(old)?, Pin::new(new)?);
        self.must_be_open()?;
        let core = self.clone();
        whole(async move { core.change_pin_to(&old, &new).await }).await
    }

    async fn change_pin_to(&self, old: &Pin, new: &Pin) -> Result<(), CoreError> {
        let mut custody = self.0.custody.lock().await;
        let tried = self.try_pin(&mut custody, old).await;
        if matches!(tried, Err(CoreError::LockedOut)) {
            drop(custody);
            self.lock_all(LockedWhy::Asked).await?;
            return Err(CoreError::LockedOut);
        }
        self.keep_under(&mut custody, tried?, new).await
    }

    /// Gives the tries of the PIN back, by a code that a supervisor read out.
    ///
    /// # Errors
    /// [`CoreError::WrongCode`]; [`CoreError::LockedOut`] when no more codes are taken.
    pub async fn release(&self, code: &str) -> Result<(), CoreError> {
        let enrolled = self.enrolled().ok_or(CoreError::NotEnrolled)?;
        let mut custody = self.0.custody.lock().await;
        if custody.tries.challenge().is_none() {
            return Ok(());
        }
        let secret = self.0.keys.load(RELEASE_SECRET);
        let secret = secret.map_err(|e| keys_error(&e))?;
        let secret = zeroize::Zeroizing::new(secret.ok_or(CoreError::LockedOut)?);
        let begun = custody.tries.begin_code();
        begun.map_err(|_| CoreError::LockedOut)?;
        self.keep_tries(&custody)?;
        let device = enrolled.enrolment.device;
        let code = packet::custody::digits(code).unwrap_or_default();
        if !custody.tries.answers(&secret, device, &code) {
            self.publish_tries(&custody);
            let tries_left = custody.tries.code_tries_left();
            return Err(CoreError::WrongCode { tries_left });
        }
        custody.tries.good();
        self.keep_tries(&custody)?;
        self.publish_tries(&custody);
        Ok(())
    }
}
