//! Identifiers: who wrote, which call, which document, which entry.
//!
//! All are small and fixed in size, because each of them crosses slow links.

use std::fmt;
use std::str::FromStr;

use data_encoding::{BASE64URL_NOPAD, HEXLOWER};
use serde::{Deserialize, Serialize};

/// An identifier in text form that is not one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found:?} is not {wanted}")]
pub struct IdError {
    pub wanted: &'static str,
    pub found: String,
}

fn wrong(wanted: &'static str, found: &str) -> IdError {
    IdError {
        wanted,
        found: found.chars().take(80).collect(),
    }
}

/// The center that a change belongs to: 16 random bytes, made at its first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct CenterId(pub [u8; 16]);

/// A device's number, given by the center at enrolment; below [`DeviceNumber::MAX`].
///
/// Numbers from 2³¹ on are the center's own: one for each incarnation of its log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DeviceNumber(pub u32);

impl DeviceNumber {
    pub const MAX: u32 = (1 << 31) - 1;
}

impl fmt::Display for DeviceNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "device-{}", self.0)
    }
}

/// Who wrote a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Author {
    /// The center, in the incarnation whose number is this one.
    Center(u32),
    Device(DeviceNumber),
}

impl Author {
    fn from_issuer(issuer: u32) -> Self {
        if issuer > DeviceNumber::MAX {
            Self::Center(issuer)
        } else {
            Self::Device(DeviceNumber(issuer))
        }
    }

    /// The first four bytes of everything that this author names.
    #[must_use]
    pub fn issuer(self) -> u32 {
        match self {
            Self::Center(incarnation) => incarnation | (1 << 31),
            Self::Device(device) => device.0,
        }
    }
}

/// One call for service: who named it (a device opens packets too) and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct CallId(pub u64);

impl CallId {
    #[must_use]
    pub fn new(author: Author, low: u32) -> Self {
        Self(u64::from(author.issuer()) << 32 | u64::from(low))
    }

    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn author(self) -> Author {
        Author::from_issuer((self.0 >> 32) as u32)
    }

    /// The numbers that the center gives calls are below this one; from here on they are
    /// those of beat packets.
    pub const BEATS_FIRST: u32 = 1 << 31;

    /// Whether this is no call but a beat's packet: what is known of a beat before there
    /// is a call. Its id says so, hence the center, a relay and a device all know it
    /// without having read a word of it.
    #[must_use]
    #[allow(clippy::cast_possible_truncation)]
    pub fn is_beat(self) -> bool {
        matches!(self.author(), Author::Center(_)) && self.0 as u32 >= Self::BEATS_FIRST
    }
}

impl fmt::Display for CallId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl FromStr for CallId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const WANTED: &str = "a call id (16 hexadecimal digits, in small letters)";
        let number = u64::from_str_radix(text, 16).map_err(|_| wrong(WANTED, text))?;
        // One spelling an id: neither `+` nor capitals.
        if Self(number).to_string() == text {
            Ok(Self(number))
        } else {
            Err(wrong(WANTED, text))
        }
    }
}

impl TryFrom<String> for CallId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<CallId> for String {
    fn from(id: CallId) -> Self {
        id.to_string()
    }
}

/// What is released together to the same people.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Compartment {
    /// What can hurt: readable without anything else, always first.
    Safety = 0,
    Call = 1,
    /// Criminal justice information.
    Records = 2,
    Juvenile = 3,
    /// Criminal intelligence (28 CFR Part 23): never stored on a device.
    Intel = 4,
}

impl Compartment {
    pub const ALL: [Self; 5] = [
        Self::Safety,
        Self::Call,
        Self::Records,
        Self::Juvenile,
        Self::Intel,
    ];

    #[must_use]
    pub fn from_number(number: u8) -> Option<Self> {
        Self::ALL.get(usize::from(number)).copied()
    }

    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Safety => "safety",
            Self::Call => "call",
            Self::Records => "records",
            Self::Juvenile => "juvenile",
            Self::Intel => "intel",
        }
    }
}

/// One Automerge document: the unit of access, of keys, of purge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DocumentId {
    pub call: CallId,
    pub compartment: Compartment,
}

impl DocumentId {
    pub const BYTES: usize = 9;

    #[must_use]
    pub fn new(call: CallId, compartment: Compartment) -> Self {
        Self { call, compartment }
    }

    /// The call's eight bytes, then the compartment's one.
    #[must_use]
    pub fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..8].copy_from_slice(&self.call.0.to_be_bytes());
        bytes[8] = self.compartment as u8;
        bytes
    }

    /// # Errors
    /// When these are not nine bytes that end with a compartment's number.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        const WANTED: &str = "a document id (9 bytes: call, compartment)";
        let (call, compartment) = bytes
            .split_first_chunk::<8>()
            .ok_or_else(|| wrong(WANTED, &HEXLOWER.encode(bytes)))?;
        match compartment {
            [number] => Compartment::from_number(*number)
                .map(|compartment| Self::new(CallId(u64::from_be_bytes(*call)), compartment))
                .ok_or_else(|| wrong(WANTED, &HEXLOWER.encode(bytes))),
            _ => Err(wrong(WANTED, &HEXLOWER.encode(bytes))),
        }
    }
}

impl fmt::Display for DocumentId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.call, self.compartment.name())
    }
}

/// One writer's unbroken line of changes in one document: the author, then four random bytes.
///
/// A device takes a new actor after a refusal; the center in each incarnation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Actor(pub [u8; 8]);

impl Actor {
    #[must_use]
    pub fn new(author: Author, random: [u8; 4]) -> Self {
        let mut bytes = [0; 8];
        bytes[..4].copy_from_slice(&author.issuer().to_be_bytes());
        bytes[4..].copy_from_slice(&random);
        Self(bytes)
    }

    #[must_use]
    pub fn author(self) -> Author {
        Author::from_issuer(u32::from_be_bytes([
            self.0[0], self.0[1], self.0[2], self.0[3],
        ]))
    }

    /// # Errors
    /// When these are not eight bytes.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, IdError> {
        bytes
            .try_into()
            .map(Self)
            .map_err(|_| wrong("an actor (8 bytes)", &HEXLOWER.encode(bytes)))
    }
}

/// An entry's key in its document: the actor that wrote it and its change number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct EntryId {
    pub actor: Actor,
    /// Automerge's per-actor `seq`, from 1.
    pub number: u64,
}

impl fmt::Display for EntryId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{}.{}",
            BASE64URL_NOPAD.encode(&self.actor.0),
            self.number
        )
    }
}

impl FromStr for EntryId {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        const WANTED: &str = "an entry id (actor in base64url, a dot, the change number)";
        let (actor, number) = text.split_once('.').ok_or_else(|| wrong(WANTED, text))?;
        let actor = BASE64URL_NOPAD
            .decode(actor.as_bytes())
            .map_err(|_| wrong(WANTED, text))?;
        let id = Self {
            actor: Actor::from_bytes(&actor)?,
            number: number.parse().map_err(|_| wrong(WANTED, text))?,
        };
        // One spelling an id: `+1` and `01` are not change numbers.
        if id.number == 0 || id.to_string() != text {
            Err(wrong(WANTED, text))
        } else {
            Ok(id)
        }
    }
}

impl TryFrom<String> for EntryId {
    type Error = IdError;

    fn try_from(text: String) -> Result<Self, IdError> {
        text.parse()
    }
}

impl From<EntryId> for String {
    fn from(id: EntryId) -> Self {
        id.to_string()
    }
}

/// SHA-256 over an Automerge change, as Automerge computes it: how a change is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChangeHash(pub [u8; 32]);

impl fmt::Display for ChangeHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&HEXLOWER.encode(&self.0))
    }
}

impl FromStr for ChangeHash {
    type Err = IdError;

    fn from_str(text: &str) -> Result<Self, IdError> {
        let bytes = HEXLOWER.decode(text.as_bytes()).ok();
        let hash = bytes.and_then(|bytes| bytes.try_into().ok());
        let wanted = "a change's hash (64 hexadecimal digits, in small letters)";
        hash.map(Self).ok_or_else(|| wrong(wanted, text))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn ids_survive_their_text_form() {
        let call = CallId::new(Author::Device(DeviceNumber(7)), 99);
        assert_eq!(call.to_string().parse::<CallId>().unwrap(), call);
        assert_eq!(call.author(), Author::Device(DeviceNumber(7)));
        let entry = EntryId {
            actor: Actor::new(Author::Center(1 << 31 | 5), [1, 2, 3, 4]),
            number: 12,
        };
        assert_eq!(entry.to_string().parse::<EntryId>().unwrap(), entry);
        let document = DocumentId::new(call, Compartment::Intel);
        assert_eq!(
            DocumentId::from_bytes(&document.to_bytes()).unwrap(),
            document
        );
    }

    #[test]
    fn only_the_centers_high_numbers_are_beats() {
        let (center, device) = (Author::Center(1 << 31 | 5), Author::Device(DeviceNumber(7)));
        assert!(CallId::new(center, CallId::BEATS_FIRST).is_beat());
        assert!(CallId::new(center, u32::MAX).is_beat());
        assert!(!CallId::new(center, CallId::BEATS_FIRST - 1).is_beat());
        assert!(!CallId::new(device, u32::MAX).is_beat());
    }

    #[test]
    fn a_call_id_has_one_spelling() {
        assert!("00000000000000ab".parse::<CallId>().is_ok());
        for bad in [
            "+0000000000000ab",
            "00000000000000AB",
            "ab",
            "",
            "é000000000000ab",
        ] {
            assert!(bad.parse::<CallId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn an_entry_id_has_one_spelling() {
        let id = EntryId {
            actor: Actor([9; 8]),
            number: 3,
        };
        let text = id.to_string();
        for bad in [
            text.replace(".3", ".03"),
            text.replace(".3", ".+3"),
            text.replace(".3", ".0"),
            text + "x",
        ] {
            assert!(bad.parse::<EntryId>().is_err(), "{bad}");
        }
        assert!(DocumentId::from_bytes(&[0, 0, 0, 0, 0, 0, 0, 1, 9]).is_err());
        assert!(DocumentId::from_bytes(&[0; 8]).is_err());
    }
}
