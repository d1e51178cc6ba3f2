//! A change as these stories need it: sync never looks into one.

use packet::{CallId, ChangeHash, Compartment, DocumentId};

/// What a person wrote, and the change that carries it at the moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Note {
    pub(crate) hash: ChangeHash,
    /// The same however often it is written anew.
    pub(crate) number: u64,
    pub(crate) actor: u64,
    pub(crate) change_number: u64,
    /// The center will refuse it.
    pub(crate) forbidden: bool,
}

impl Note {
    /// `bytes` long, at least 57, and nothing that zstd could make smaller.
    pub(crate) fn bytes(&self, bytes: usize) -> Vec<u8> {
        let mut out = self.hash.0.to_vec();
        out.extend(self.number.to_be_bytes());
        out.extend(self.actor.to_be_bytes());
        out.extend(self.change_number.to_be_bytes());
        out.push(u8::from(self.forbidden));
        let mut filler = fastrand::Rng::with_seed(self.number);
        out.resize_with(bytes.max(out.len()), || filler.u8(..));
        out
    }

    pub(crate) fn read(bytes: &[u8]) -> Self {
        let number = |at: usize| u64::from_be_bytes(bytes[at..at + 8].try_into().unwrap());
        Self {
            hash: ChangeHash(bytes[..32].try_into().unwrap()),
            number: number(32),
            actor: number(40),
            change_number: number(48),
            forbidden: bytes[56] == 1,
        }
    }
}

/// A hash that nothing else has.
pub(crate) fn hash(who: u64, count: u64) -> ChangeHash {
    let mut rng = fastrand::Rng::with_seed(who.wrapping_mul(1 << 32) ^ count);
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&who.to_be_bytes());
    bytes[8..16].copy_from_slice(&count.to_be_bytes());
    bytes[16..].fill_with(|| rng.u8(..));
    ChangeHash(bytes)
}

pub(crate) fn call(number: u64) -> DocumentId {
    DocumentId::new(CallId(number), Compartment::Call)
}

pub(crate) fn safety(number: u64) -> DocumentId {
    DocumentId::new(CallId(number), Compartment::Safety)
}
