//! Locked: the store is closed, its key is out of memory, there is no session.
//!
//! ```text
//!               PIN ──Argon2id──▶ key ──opens──▶ the store's key ──▶ store
//!                                                    ▲
//!    host's key store ──keeps, by its own means──────┘ (sealed under the PIN's key)
//! ```
//!
//! The store's key is wrapped twice: by whatever the host's [`crate::identity::KeyStore`]
//! does, and by a key that comes of the officer's PIN ([`pin`]). What counts and what
//! limits is kept in the key store too, beside that key and not under it, since it is
//! needed while the store is closed:
//!
//! * [`tries`]: five bad PINs within fifteen minutes lock the device out until a
//!   supervisor releases it (AC-7). A try is on record before it is made.
//! * [`shift_clock`]: how much of the shift is left. It only ever runs down.
//!
//! Both go by time that nobody can turn to their gain. **For tries**, time has passed only
//! where the boot clock and the wall clock agree that it has: a clock that went back, and a
//! restart, count as no time passed. **For the shift**, time has passed where either of
//! them says so: a wall clock that is set back takes nothing off, and one that was set
//! forward is believed until the center is heard again.
//!
//! What expires locks. It never erases: that takes the officer, or the center's order
//! ([`crate::Core::sign_off`]).

pub(crate) mod lease_clock;
pub(crate) mod pin;
pub(crate) mod shift_clock;
pub(crate) mod tries;

pub use pin::{Pin, PinError, PinHash};

/// How long nobody may touch the device before it locks (AC-11). Devices that are mounted
/// in a vehicle are exempt.
pub const IDLE_MS_MAX: u64 = 30 * 60 * 1_000;
/// From when on the officer is told that the shift ends.
pub const SHIFT_WARNING_MS: i64 = 60 * 60 * 1_000;

/// What the host sets once, when it opens the device.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct LockRules {
    /// What it costs to try a PIN. One that is set keeps the cost that it was set with.
    pub hash: PinHash,
    /// Nobody signs on before a PIN is set. Without it a device whose officer has set none
    /// opens for whoever holds it.
    pub pin_first: bool,
}

/// Whether the device is open, and what opens it if not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    Open {
        has_pin: bool,
    },
    Locked {
        why: LockedWhy,
        /// Tries of the PIN before a supervisor is needed.
        tries_left: u8,
    },
    /// Too many bad tries (AC-7): a supervisor releases it from the center, or by a code
    /// that is read out over the radio.
    LockedOut {
        /// Eight digits, to be read to the supervisor.
        challenge: String,
        /// Tries of the code. Without any, only the center can release it.
        code_tries_left: u8,
    },
}

impl LockState {
    #[must_use]
    pub fn is_open(&self) -> bool {
        matches!(self, Self::Open { .. })
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LockedWhy {
    /// The program has just started.
    Started,
    /// The officer locked it.
    Asked,
    /// Nobody touched it for [`IDLE_MS_MAX`].
    Idle,
    /// The shift is over. The PIN alone opens nothing: the officer signs on first.
    ShiftOver,
}

/// How much of the shift is left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShiftLeft {
    pub ms: i64,
    /// It ends within [`SHIFT_WARNING_MS`]: say so, and offer to renew it.
    pub is_warned: bool,
}
