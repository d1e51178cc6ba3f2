//! Whether the center takes a device's change.
//!
//! The order is by what a step costs and by whom it trusts: the signature before
//! anything that reads the contents, the change alone before the document, and the
//! document is touched only by what has passed all else. A refused change leaves no
//! trace: nothing waits in a queue for dependencies that may never come.

use crate::change::{self, Inspected};
use crate::document::{DOCUMENT_CHANGES_MAX, Document};
use crate::entry::{EntryError, Kind, may_write};
use crate::ids::{Author, CenterId, Compartment, DeviceNumber, DocumentId};
use crate::sabotage::{Sabotage, is_on};
use crate::signature::{self, MAC_BYTES, MacKey};

const DAY_MS: i64 = 24 * 60 * 60 * 1_000;
/// How long ago a change may have been written. Devices work offline for long, and one
/// found in a drawer still gives up its notes; what is older is a broken clock.
pub const WRITTEN_BEFORE_MS_MAX: i64 = 90 * DAY_MS;
/// How far in the future a change may have been written: a clock drifts after the last
/// contact that measured it. A device whose clock was never measured is refused once, has
/// then had contact, and writes its work anew with what its clock is off by.
pub const WRITTEN_AHEAD_MS_MAX: i64 = 10 * 60 * 1_000;

/// A change as a device hands it in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Offer {
    pub document: DocumentId,
    pub bytes: Vec<u8>,
    pub proof: Proof,
}

/// What vouches for an offered change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// Its author's word: ECDSA P-256 in DER, at most [`signature::SIGNATURE_BYTES_MAX`]
    /// bytes, over [`signature::signing_input`]. The author is the device that offers it.
    Signature(Vec<u8>),
    /// The center's own word, from when it had the change ([`signature::MacKey::mac`]):
    /// whoever holds it gives the change back, whoever wrote it.
    CenterMac([u8; MAC_BYTES]),
}

impl Proof {
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        match self {
            Self::Signature(der) => der,
            Self::CenterMac(mac) => mac,
        }
    }
}

/// Against what an offer is judged.
#[derive(Debug, Clone, Copy)]
pub struct Admission<'a> {
    pub center: CenterId,
    /// The device that speaks, by its certificate.
    pub device: DeviceNumber,
    /// Its key: an uncompressed P-256 point of 65 bytes.
    pub public_key: &'a [u8],
    pub now_ms: i64,
    /// Whether this very device opened the packet.
    pub opened_by_device: bool,
    /// With which the center vouches for what it has taken before.
    pub mac: &'a MacKey,
}

/// Why a change is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    #[error("The entry is too large: {bytes} bytes, at most {bytes_max} are taken.")]
    TooLarge { bytes: usize, bytes_max: usize },
    #[error("The device's signature does not fit the entry.")]
    Signature,
    #[error("The entry cannot be read: {0}.")]
    Malformed(String),
    #[error("The entry is compressed, which is not taken.")]
    Compressed,
    #[error("The entry has too many parts: {operations}, at most {operations_max} are taken.")]
    TooManyOperations {
        operations: u64,
        operations_max: u64,
    },
    #[error("The entry was not written by the device that sent it.")]
    WrongActor,
    #[error("The entry is out of order: number {wanted} was expected, not {found}.")]
    WrongNumber { wanted: u64, found: u64 },
    #[error("The entry stands on another that the center does not have.")]
    UnknownDependency,
    #[error("The entry does not stand on its author's entry before it.")]
    SkipsOwnChange,
    #[error("The entry is numbered wrongly: part {wanted} was expected, not {found}.")]
    StartOperation { wanted: u64, found: u64 },
    #[error("The entry's time is not possible: the device's clock may be wrong.")]
    Time,
    #[error("The entry would change what is already written: {0}.")]
    NotAddOnly(String),
    #[error("The entry is not complete or too long: {0}.")]
    Entry(#[from] EntryError),
    #[error("This device may not write {} into the {} part of a packet.", kind_in_words(*kind), compartment.name())]
    MayNotWrite {
        kind: Kind,
        compartment: Compartment,
    },
    #[error("The entry does not fit the packet.")]
    Inapplicable,
    #[error("The packet is full: it has {DOCUMENT_CHANGES_MAX} entries.")]
    DocumentFull,
    /// The center's own decision said no.
    #[error("The center does not allow this: {0}.")]
    Policy(String),
    #[error("The center's mark does not fit the entry that is given back.")]
    Mac,
    /// It was written anew, and the log has taken it in another form: all is well.
    #[error("The center has this entry already, as it was written at another time.")]
    HasIt,
}

impl Refusal {
    /// A number for the wire; it never gets another meaning.
    #[must_use]
    pub fn code(&self) -> u16 {
        match self {
            Self::TooLarge { .. } => 1,
            Self::Signature => 2,
            Self::Malformed(_) => 3,
            Self::Compressed => 4,
            Self::TooManyOperations { .. } => 5,
            Self::WrongActor => 6,
            Self::WrongNumber { .. } => 7,
            Self::UnknownDependency => 8,
            Self::SkipsOwnChange => 9,
            Self::StartOperation { .. } => 10,
            Self::Time => 11,
            Self::NotAddOnly(_) => 12,
            Self::Entry(_) => 13,
            Self::MayNotWrite { .. } => 14,
            Self::Inapplicable => 15,
            Self::DocumentFull => 16,
            Self::Policy(_) => 17,
            Self::Mac => 18,
            Self::HasIt => 19,
        }
    }
}

fn kind_in_words(kind: Kind) -> &'static str {
    match kind {
        Kind::Facts => "call facts",
        Kind::Note => "a note",
        Kind::Caution => "a caution",
        Kind::Finding => "a finding",
        Kind::Outcome => "a source's outcome",
        Kind::Query => "a query",
        Kind::UnitStatus => "a unit's status",
        Kind::Correction => "a correction",
        Kind::Acknowledgement => "an acknowledgement",
        Kind::Attachment => "an attachment",
        Kind::Mention => "a mention",
        Kind::Link => "a link to another call",
        Kind::Other => "an entry of an unknown kind",
    }
}

/// Takes a device's change into the document, or says why not.
///
/// The document gets the change only when it is taken; the caller then logs it. A change
/// that the document has already ([`crate::Lineage::knows`]) is for the caller to answer.
///
/// A change that is given back ([`Proof::CenterMac`]) was judged when the center first took
/// it: who wrote it, when, and what kind is not asked again. Where it stands in the
/// document is, since this document may be another than that one was.
///
/// # Errors
/// The first step that the change did not pass.
pub fn admit(
    document: &mut Document,
    offer: &Offer,
    admission: &Admission<'_>,
) -> Result<Inspected, Refusal> {
    check_proof(offer, admission)?;
    let change = change::inspect(&offer.bytes)?;
    let is_new = matches!(offer.proof, Proof::Signature(_));
    let author = Author::Device(admission.device);
    if is_new && change.id.actor.author() != author && !is_on(Sabotage::SkipActor) {
        return Err(Refusal::WrongActor);
    }
    if document.lineage().has_in_another_form(&change) && !is_on(Sabotage::LogTwice) {
        return Err(Refusal::HasIt);
    }
    document.lineage().check(&change)?;
    if is_new {
        check_time(&change, admission.now_ms)?;
        let (kind, compartment) = (change.written.entry.kind(), offer.document.compartment);
        if !may_write(author, compartment, kind, admission.opened_by_device) {
            return Err(Refusal::MayNotWrite { kind, compartment });
        }
    }
    document.apply(&change, &offer.bytes)?;
    Ok(change)
}

fn check_proof(offer: &Offer, admission: &Admission<'_>) -> Result<(), Refusal> {
    let hash = change::change_hash(&offer.bytes)?;
    match &offer.proof {
        Proof::Signature(der) => {
            let input = signature::signing_input(admission.center, offer.document, &hash);
            (signature::verify(admission.public_key, &input, der) || is_on(Sabotage::SkipSignature))
                .then_some(())
                .ok_or(Refusal::Signature)
        }
        Proof::CenterMac(mac) => admission
            .mac
            .verify(offer.document, &hash, mac)
            .then_some(())
            .ok_or(Refusal::Mac),
    }
}

/// The author's time by the center's clock must be neither long past nor to come.
fn check_time(change: &Inspected, now_ms: i64) -> Result<(), Refusal> {
    let off_ms = change.written.clock_off_ms.unwrap_or(0);
    let age_ms = change
        .time_ms
        .checked_sub(off_ms)
        .and_then(|written_ms| now_ms.checked_sub(written_ms));
    match age_ms {
        _ if is_on(Sabotage::SkipTime) => Ok(()),
        Some(age_ms) if (-WRITTEN_AHEAD_MS_MAX..=WRITTEN_BEFORE_MS_MAX).contains(&age_ms) => Ok(()),
        _ => Err(Refusal::Time),
    }
}
