//! The key that signs the audit log's checkpoints: a file of its own beside the center's
//! other keys, because centers from before there was one have those already.

use std::fmt;
use std::path::Path;

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use data_encoding::HEXLOWER;

use super::files::PrivateFolder;
use super::keys::{KeysError, LogKey};
use super::stored::{self, StoredAuditKey};
use crate::audit::note::{KeyKind, SigningKey};
use crate::audit::stored::origin;

pub(crate) const AUDIT_FILE: &str = "audit-key.json";

/// Ed25519. `Debug` shows whose it is and no secret.
pub struct AuditKey {
    center_id: [u8; 16],
    seed: zeroize::Zeroizing<Vec<u8>>,
    public: [u8; 32],
}

impl fmt::Debug for AuditKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuditKey")
            .field("center_id", &HEXLOWER.encode(&self.center_id))
            .finish_non_exhaustive()
    }
}

impl AuditKey {
    /// Reads it from the center's keys in `dir`, and makes none.
    ///
    /// # Errors
    /// As [`LogKey::open`]; [`KeysError::Lost`] where there is none.
    pub fn open(dir: &Path) -> Result<Self, KeysError> {
        let center_id = LogKey::open(dir)?.center_id;
        let folder = PrivateFolder::open_or_create(dir)?;
        match Self::read(&folder, center_id)? {
            Some(key) => Ok(key),
            None => Err(KeysError::Lost(folder.path_of(AUDIT_FILE))),
        }
    }

    pub(super) fn open_or_create(
        folder: &PrivateFolder,
        center_id: [u8; 16],
    ) -> Result<Self, KeysError> {
        match Self::read(folder, center_id) {
            Ok(Some(key)) => return Ok(key),
            Ok(None) => {}
            // The center's own keys were restored beside it. Whether the one that is made now
            // has signed before, the log knows.
            Err(KeysError::OtherCenters { center, .. }) => folder.set_aside(AUDIT_FILE, &center)?,
            Err(e) => return Err(e),
        }
        let made = StoredAuditKey::generate(&center_id)?;
        folder.write(AUDIT_FILE, &stored::to_json(&made)?)?;
        Self::read(folder, center_id)?.ok_or(KeysError::KeyGeneration)
    }

    fn read(folder: &PrivateFolder, center_id: [u8; 16]) -> Result<Option<Self>, KeysError> {
        let Some(bytes) = folder.read(AUDIT_FILE)? else {
            return Ok(None);
        };
        let stored = stored::parse::<StoredAuditKey>(folder, AUDIT_FILE, &bytes)?;
        let damaged = |why: &str| KeysError::Damaged {
            path: folder.path_of(AUDIT_FILE),
            why: why.into(),
        };
        if stored.version != stored::FORMAT_VERSION {
            return Err(damaged("unknown version"));
        }
        if stored.center_id != center_id {
            return Err(KeysError::OtherCenters {
                path: folder.path_of(AUDIT_FILE),
                center: HEXLOWER.encode(&stored.center_id),
            });
        }
        let pair = Ed25519KeyPair::from_seed_unchecked(&stored.seed)
            .map_err(|_| damaged("the key is not 32 bytes"))?;
        let public = pair.public_key().as_ref().try_into();
        Ok(Some(Self {
            center_id,
            seed: stored.seed.into(),
            public: public.map_err(|_| damaged("the key is not 32 bytes"))?,
        }))
    }

    #[must_use]
    pub fn center_id(&self) -> [u8; 16] {
        self.center_id
    }

    #[must_use]
    pub fn public(&self) -> [u8; 32] {
        self.public
    }

    /// What signs for the log of this incarnation.
    ///
    /// # Errors
    /// Never of a key that was read.
    pub fn signer(&self, incarnation: u64) -> Result<SigningKey, KeysError> {
        SigningKey::new(
            &origin(self.center_id, incarnation),
            KeyKind::Note,
            &self.seed,
        )
        .map_err(|_| KeysError::KeyGeneration)
    }
}
