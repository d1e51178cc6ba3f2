//! What a host hears when something does not work: few kinds, each one to act on,
//! with nothing of a packet or a person in them.

use packet::EntryError;

use crate::lock::PinError;
use crate::store::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum CoreError {
    /// Nothing is written without a name: the officer signs on first.
    #[error("sign on first")]
    SignOnFirst,
    #[error("this device is not enrolled")]
    NotEnrolled,
    #[error("the enrolment ticket cannot be read: {0}")]
    Ticket(String),
    /// What was typed is missing or too long; the field is named.
    #[error(transparent)]
    Entry(#[from] EntryError),
    /// The packet or the entry is not on this device (any more).
    #[error("this is no longer on the device")]
    NotHere,
    #[error("too much waits to be sent: nothing more can be written before there is a link")]
    OutboxFull,
    /// What is unsent, and what is being fetched, never gives way.
    #[error("too many attachments wait on this device: no more fit before there is a link")]
    AttachmentsFull,
    #[error("the device's disk is full: nothing can be written")]
    DiskFull,
    /// Between [`crate::Core::pause`] and [`crate::Core::resume`].
    #[error("the store is closed while the app is suspended")]
    Paused,
    /// No answer; it may work later.
    #[error("the center cannot be reached: {0}")]
    Unreachable(String),
    /// The center answered no.
    #[error("{reason}")]
    Refused { status: u16, reason: String },
    /// The device is locked: [`crate::Core::unlock`] opens it.
    #[error("the device is locked")]
    Locked,
    #[error("this is not the PIN: {tries_left} more tries before a supervisor is needed")]
    WrongPin { tries_left: u8 },
    /// Too many bad PINs: [`crate::LockState::LockedOut`] has what to read to a supervisor.
    #[error("too many wrong PINs: a supervisor has to release this device")]
    LockedOut,
    #[error("this is not the code: {tries_left} more tries of a code")]
    WrongCode { tries_left: u8 },
    /// The PIN alone opens nothing any more.
    #[error("the shift is over: sign on again")]
    ShiftOver,
    /// Another officer's shift is on this locked device, and only its end makes room.
    #[error("another officer's shift is on this device: end it first")]
    OtherOfficer,
    #[error("choose a PIN first")]
    PinFirst,
    #[error("a PIN is set already: change it with the old one")]
    PinIsSet,
    /// Nothing would open the device again.
    #[error("no PIN is set")]
    NoPin,
    #[error(transparent)]
    Pin(#[from] PinError),
    /// Their content is on this device alone, and would be lost.
    #[error("{count} attachments are not at the center yet: the end of the shift would lose them")]
    AttachmentsUnsent { count: u64 },
    #[error("the device's keys cannot be used: {0}")]
    Keys(String),
    #[error("the store does not work: {0}")]
    Store(String),
}

impl CoreError {
    /// The center takes no badge alone: [`crate::Core::begin_sign_on`].
    #[must_use]
    pub fn wants_the_agencys_sign_in(&self) -> bool {
        matches!(self, Self::Refused { status: 401, .. })
    }
}

impl From<StoreError> for CoreError {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::DiskFull => Self::DiskFull,
            StoreError::Paused => Self::Paused,
            StoreError::Locked => Self::Locked,
            StoreError::OutboxFull => Self::OutboxFull,
            StoreError::AttachmentsFull => Self::AttachmentsFull,
            StoreError::NotHere => Self::NotHere,
            StoreError::Entry(error) => Self::Entry(error),
            StoreError::Keys(error) => Self::Keys(error.to_string()),
            StoreError::Signer(error) => Self::Keys(error.to_string()),
            StoreError::Seal(error) => Self::Keys(error.to_string()),
            error @ (StoreError::Sqlite(_)
            | StoreError::Io(_)
            | StoreError::Damaged(_)
            | StoreError::Gone) => Self::Store(error.to_string()),
        }
    }
}
