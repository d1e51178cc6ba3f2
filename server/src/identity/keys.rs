//! The center's own keys: one folder, one interface (CJIS SC-12).
//!
//! All that must never change after the first start (the center's id, its
//! certificate authority, the MAC, sealing and store keys) is one file, because
//! a set of which half is new and half is old is worse than none: written whole,
//! backed up by copying one file, restored the same way. The sync port's own
//! key and certificate are a second file; they follow from the first and are
//! made anew when the certificate runs out or the port's names change.
//!
//! The key that signs the audit log's checkpoints is a third, made where there is none: a
//! center from before it has the first already. Whether it is the one that has signed
//! before, the log knows.
//!
//! A first file that is missing beside a second one is an error and not a first
//! start: new keys could read nothing that the old ones wrote.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::agreement::{ECDH_P256, PrivateKey};
use data_encoding::HEXLOWER;
use rcgen::{Issuer, KeyPair};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::{EncapsulatedSecret, Hpke, HpkePrivateKey, HpkePublicKey};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};

use super::audit_key::AuditKey;
use super::certificates::CertificateError;
use super::files::PrivateFolder;
use super::stored::{self, StoredKeys, StoredServer};

const KEYS_FILE: &str = "center-keys.json";
const SERVER_FILE: &str = "server-identity.json";
/// Bytes of an uncompressed P-256 point (SEC 1, 2.3.3), which is what DHKEM(P-256) sends.
pub(super) const P256_POINT_BYTES: usize = 65;

/// Why the center cannot have its keys, and so cannot start.
#[derive(Debug, thiserror::Error)]
pub enum KeysError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(
        "{} holds keys of the center and is open to other users (mode {mode:04o}): make it private with chmod {wanted:o}",
        path.display()
    )]
    TooOpen {
        path: PathBuf,
        mode: u32,
        wanted: u32,
    },
    #[error("{} is missing beside a server identity made from it: restore it from the backup", .0.display())]
    Lost(PathBuf),
    #[error("{} is not a key file of this center ({why}): restore it from the backup", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error("{} is the key of center {center}: restore this center's from the backup", path.display())]
    OtherCenters { path: PathBuf, center: String },
    #[error("this machine gives no randomness or cannot make a key")]
    KeyGeneration,
    #[error(transparent)]
    Certificate(#[from] CertificateError),
}

/// Something sealed that this center cannot open: cut, altered, sealed to another
/// center, or under another `info` or `aad`. HPKE does not say which.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("what was sealed does not open with this center's key")]
pub struct UnsealError;

/// The center's keys, open. `Debug` shows the center's id and nothing more.
pub struct CenterKeys {
    center_id: [u8; 16],
    authority: Issuer<'static, KeyPair>,
    authority_certificate: CertificateDer<'static>,
    server_key: PrivatePkcs8KeyDer<'static>,
    server_certificate: CertificateDer<'static>,
    mac_key: [u8; 32],
    store_key: [u8; 32],
    sealing_key: HpkePrivateKey,
    sealing_public_key: Vec<u8>,
    audit: AuditKey,
}

impl fmt::Debug for CenterKeys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CenterKeys")
            .field("center_id", &HEXLOWER.encode(&self.center_id))
            .finish_non_exhaustive()
    }
}

/// What opens the center's log, and whose it is: for work on the log beside the center.
pub struct LogKey {
    pub center_id: [u8; 16],
    /// SQLCipher's raw key.
    pub store_key: [u8; 32],
}

impl fmt::Debug for LogKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogKey")
            .field("center_id", &HEXLOWER.encode(&self.center_id))
            .finish_non_exhaustive()
    }
}

impl LogKey {
    /// Reads it from the center's keys in `dir`, and makes none where there are none.
    ///
    /// # Errors
    /// As [`CenterKeys::open_or_create`]; [`KeysError::Lost`] where there are no keys.
    pub fn open(dir: &Path) -> Result<Self, KeysError> {
        let folder = PrivateFolder::open_or_create(dir)?;
        let bytes = folder.read(KEYS_FILE)?;
        let bytes = bytes.ok_or_else(|| KeysError::Lost(folder.path_of(KEYS_FILE)))?;
        let stored = stored::parse::<StoredKeys>(&folder, KEYS_FILE, &bytes)?;
        let damaged = |why: &str| KeysError::Damaged {
            path: folder.path_of(KEYS_FILE),
            why: why.into(),
        };
        Ok(Self {
            center_id: stored
                .center_id
                .try_into()
                .map_err(|_| damaged("the center's id is not 16 bytes"))?,
            store_key: stored
                .store_key
                .try_into()
                .map_err(|_| damaged("the store key is not 32 bytes"))?,
        })
    }
}

impl CenterKeys {
    /// Opens the keys in `dir`, or makes them where there are none yet.
    ///
    /// `names` are the host names and addresses under which devices reach the
    /// sync port; the server certificate carries them.
    ///
    /// # Errors
    /// [`KeysError::TooOpen`] before any key is read, when another user could have read it too.
    pub fn open_or_create(dir: &Path, names: &[String]) -> Result<Self, KeysError> {
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self::open_or_create_at(
            dir,
            names,
            i64::try_from(since_1970.as_millis()).unwrap_or(i64::MAX),
        )
    }

    fn open_or_create_at(dir: &Path, names: &[String], now_ms: i64) -> Result<Self, KeysError> {
        let folder = PrivateFolder::open_or_create(dir)?;
        let server = folder.read(SERVER_FILE)?;
        let stored = match folder.read(KEYS_FILE)? {
            Some(bytes) => stored::parse::<StoredKeys>(&folder, KEYS_FILE, &bytes)?,
            None if server.is_some() => return Err(KeysError::Lost(folder.path_of(KEYS_FILE))),
            None => {
                let made = StoredKeys::generate(now_ms)?;
                folder.write(KEYS_FILE, &stored::to_json(&made)?)?;
                made
            }
        };
        let damaged = |why: &str| KeysError::Damaged {
            path: folder.path_of(KEYS_FILE),
            why: why.into(),
        };
        if stored.version != stored::FORMAT_VERSION {
            return Err(damaged("unknown version"));
        }

        let authority_certificate = CertificateDer::from(stored.authority_certificate);
        let authority_key = stored::key_pair(&stored.authority_key)
            .ok_or_else(|| damaged("the authority's key does not parse"))?;
        let authority = Issuer::from_ca_cert_der(&authority_certificate, authority_key)
            .map_err(|_| damaged("the authority's certificate does not parse"))?;

        let server = match server {
            Some(bytes) => Some(stored::parse::<StoredServer>(&folder, SERVER_FILE, &bytes)?),
            None => None,
        };
        let server = match server.filter(|server| server.serves(&stored.center_id, names, now_ms)) {
            Some(server) => server,
            None => {
                let made = StoredServer::generate(&stored.center_id, &authority, names, now_ms)?;
                folder.write(SERVER_FILE, &stored::to_json(&made)?)?;
                made
            }
        };

        let sealing_public_key = PrivateKey::from_private_key(&ECDH_P256, &stored.sealing_key)
            .ok()
            .and_then(|key| key.compute_public_key().ok())
            .ok_or_else(|| damaged("the sealing key is not a P-256 key"))?;
        let center_id = stored
            .center_id
            .try_into()
            .map_err(|_| damaged("the center's id is not 16 bytes"))?;
        Ok(Self {
            center_id,
            audit: AuditKey::open_or_create(&folder, center_id)?,
            authority,
            authority_certificate,
            server_key: PrivatePkcs8KeyDer::from(server.key),
            server_certificate: CertificateDer::from(server.certificate),
            mac_key: stored
                .mac_key
                .try_into()
                .map_err(|_| damaged("the MAC key is not 32 bytes"))?,
            store_key: stored
                .store_key
                .try_into()
                .map_err(|_| damaged("the store key is not 32 bytes"))?,
            sealing_key: HpkePrivateKey::from(stored.sealing_key),
            sealing_public_key: sealing_public_key.as_ref().to_vec(),
        })
    }

    #[must_use]
    pub fn center_id(&self) -> [u8; 16] {
        self.center_id
    }

    /// The one certificate that a device trusts (X.509, DER).
    #[must_use]
    pub fn ca_certificate_der(&self) -> &[u8] {
        &self.authority_certificate
    }

    /// The key of the MAC under which changes of others go down to devices.
    #[must_use]
    pub fn mac_key(&self) -> &[u8; 32] {
        &self.mac_key
    }

    /// The raw key of the center's SQLCipher store.
    #[must_use]
    pub fn store_key(&self) -> &[u8; 32] {
        &self.store_key
    }

    /// Where devices seal their outboxes to: an uncompressed P-256 point, 65 bytes.
    #[must_use]
    pub fn sealing_public_key(&self) -> Vec<u8> {
        self.sealing_public_key.clone()
    }

    /// Opens what a device sealed to [`Self::sealing_public_key`].
    ///
    /// HPKE base mode, single shot (RFC 9180, section 6.1), with DHKEM(P-256,
    /// HKDF-SHA256), HKDF-SHA256 and AES-256-GCM: 256 bits because what is sealed
    /// lies at rest on a device, where CJIS SC-28 asks for them. `sealed` is
    ///
    /// | bytes | |
    /// |---|---|
    /// | 2 | length of `enc`, big endian; 65 in this suite |
    /// | 65 | `enc`, the encapsulated key: an uncompressed P-256 point |
    /// | rest | ciphertext, its 16-byte tag last |
    ///
    /// # Errors
    /// [`UnsealError`] for whatever this key, `info` and `aad` do not open.
    pub fn unseal(&self, info: &[u8], aad: &[u8], sealed: &[u8]) -> Result<Vec<u8>, UnsealError> {
        let (length, rest) = sealed.split_first_chunk::<2>().ok_or(UnsealError)?;
        if usize::from(u16::from_be_bytes(*length)) != P256_POINT_BYTES {
            return Err(UnsealError);
        }
        let (enc, ciphertext) = rest.split_at_checked(P256_POINT_BYTES).ok_or(UnsealError)?;
        DH_KEM_P256_HKDF_SHA256_AES_256
            .open(
                &EncapsulatedSecret(enc.to_vec()),
                info,
                aad,
                ciphertext,
                &self.sealing_key,
            )
            .map_err(|_| UnsealError)
    }

    /// Seals something that only this center opens, with [`Self::unseal`].
    ///
    /// # Errors
    /// [`UnsealError`] when this machine gives no randomness.
    pub fn seal(&self, info: &[u8], aad: &[u8], open: &[u8]) -> Result<Vec<u8>, UnsealError> {
        let to = HpkePublicKey(self.sealing_public_key.clone());
        let (enc, ciphertext) = DH_KEM_P256_HKDF_SHA256_AES_256
            .seal(info, aad, open, &to)
            .map_err(|_| UnsealError)?;
        let length = u16::try_from(enc.0.len()).map_err(|_| UnsealError)?;
        Ok([&length.to_be_bytes()[..], &enc.0, &ciphertext].concat())
    }

    /// What signs the audit log's checkpoints.
    #[must_use]
    pub fn audit(&self) -> &AuditKey {
        &self.audit
    }

    pub(super) fn authority(&self) -> &Issuer<'static, KeyPair> {
        &self.authority
    }

    pub(super) fn server_identity(&self) -> (CertificateDer<'static>, PrivateKeyDer<'static>) {
        (
            self.server_certificate.clone(),
            PrivateKeyDer::Pkcs8(self.server_key.clone_key()),
        )
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use std::fs;

    use super::super::audit_key::AUDIT_FILE;
    use super::super::stored::DAY_MS;
    use super::*;

    const NOW_MS: i64 = 1_800_000_000_000;

    fn names() -> Vec<String> {
        vec!["localhost".into(), "127.0.0.1".into()]
    }

    fn open(dir: &Path, now_ms: i64) -> Result<CenterKeys, KeysError> {
        CenterKeys::open_or_create_at(dir, &names(), now_ms)
    }

    #[test]
    fn a_second_start_finds_the_same_keys() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let first = open(&path, NOW_MS).unwrap();
        let second = open(&path, NOW_MS + DAY_MS).unwrap();
        assert_eq!(first.center_id(), second.center_id());
        assert_eq!(first.ca_certificate_der(), second.ca_certificate_der());
        assert_eq!(first.mac_key(), second.mac_key());
        assert_eq!(first.store_key(), second.store_key());
        assert_eq!(first.sealing_public_key(), second.sealing_public_key());
        assert_eq!(first.server_certificate, second.server_certificate);
        assert_ne!(first.mac_key(), first.store_key());
    }

    #[test]
    fn a_server_certificate_near_its_end_or_with_other_names_is_made_anew() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let first = open(&path, NOW_MS).unwrap();
        let late = open(&path, NOW_MS + 340 * DAY_MS).unwrap();
        assert_ne!(first.server_certificate, late.server_certificate);
        assert_eq!(first.ca_certificate_der(), late.ca_certificate_der());
        let moved =
            CenterKeys::open_or_create_at(&path, &["sync.example".into()], NOW_MS + 340 * DAY_MS)
                .unwrap();
        assert_ne!(moved.server_certificate, late.server_certificate);
    }

    #[cfg(unix)]
    #[test]
    fn keys_that_others_may_read_are_refused_with_the_command_that_mends_it() {
        use std::os::unix::fs::PermissionsExt;

        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        open(&path, NOW_MS).unwrap();
        for (loose, mode, tight) in [
            (path.clone(), 0o750, 0o700),
            (path.join(KEYS_FILE), 0o640, 0o600),
            (path.join(SERVER_FILE), 0o604, 0o600),
        ] {
            fs::set_permissions(&loose, fs::Permissions::from_mode(mode)).unwrap();
            let error = open(&path, NOW_MS).unwrap_err();
            assert!(matches!(error, KeysError::TooOpen { .. }), "{error}");
            assert!(
                error.to_string().contains(&format!("chmod {tight:o}")),
                "{error}"
            );
            fs::set_permissions(&loose, fs::Permissions::from_mode(tight)).unwrap();
        }
        open(&path, NOW_MS).unwrap();
    }

    #[test]
    fn lost_keys_are_reported_and_never_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        open(&path, NOW_MS).unwrap();
        fs::remove_file(path.join(KEYS_FILE)).unwrap();
        assert!(matches!(open(&path, NOW_MS), Err(KeysError::Lost(_))));
        assert!(!path.join(KEYS_FILE).exists());
    }

    #[test]
    fn a_server_certificate_of_another_center_is_made_anew_when_keys_are_restored_beside_it() {
        let dir = tempfile::tempdir().unwrap();
        let (path, backup) = (dir.path().join("keys"), dir.path().join("backup"));
        let fresh = open(&path, NOW_MS).unwrap();
        let kept = open(&backup, NOW_MS).unwrap();
        fs::copy(backup.join(KEYS_FILE), path.join(KEYS_FILE)).unwrap();
        let restored = open(&path, NOW_MS).unwrap();
        assert_eq!(restored.center_id(), kept.center_id());
        assert_ne!(restored.server_certificate, fresh.server_certificate);
        // The other center's audit key is not used, and not lost.
        assert_ne!(restored.audit().public(), fresh.audit().public());
        let of = format!("{AUDIT_FILE}.{}", HEXLOWER.encode(&fresh.center_id()));
        assert!(path.join(of).exists());
    }

    #[test]
    fn a_cut_key_file_is_reported_without_quoting_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        open(&path, NOW_MS).unwrap();
        let whole = fs::read_to_string(path.join(KEYS_FILE)).unwrap();
        fs::write(path.join(KEYS_FILE), &whole[..whole.len() / 2]).unwrap();
        let error = open(&path, NOW_MS).unwrap_err();
        assert!(matches!(error, KeysError::Damaged { .. }));
        assert!(error.to_string().len() < 300, "{error}");
    }

    #[test]
    fn a_write_that_a_crash_cut_short_does_not_disturb_the_next_start() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        drop(PrivateFolder::open_or_create(&path).unwrap());
        fs::write(path.join("center-keys.json.new"), b"{\"version\":").unwrap();
        let first = open(&path, NOW_MS).unwrap();
        assert_eq!(open(&path, NOW_MS).unwrap().center_id(), first.center_id());
    }

    #[test]
    fn a_center_from_before_there_was_an_audit_key_gets_one_and_keeps_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("keys");
        let first = open(&path, NOW_MS).unwrap();
        fs::remove_file(path.join(AUDIT_FILE)).unwrap();
        let upgraded = open(&path, NOW_MS).unwrap();
        assert_eq!(upgraded.center_id(), first.center_id());
        assert_ne!(upgraded.audit().public(), first.audit().public());
        let again = open(&path, NOW_MS).unwrap();
        assert_eq!(again.audit().public(), upgraded.audit().public());
        assert_eq!(
            AuditKey::open(&path).unwrap().public(),
            upgraded.audit().public()
        );
    }

    #[test]
    fn debug_shows_no_key() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(&dir.path().join("keys"), NOW_MS).unwrap();
        let id = HEXLOWER.encode(&keys.center_id);
        assert_eq!(
            format!("{keys:?}"),
            format!("CenterKeys {{ center_id: {id:?}, .. }}")
        );
    }

    #[test]
    fn what_is_sealed_to_the_center_opens_only_whole_and_under_its_own_words() {
        let dir = tempfile::tempdir().unwrap();
        let keys = open(&dir.path().join("keys"), NOW_MS).unwrap();
        let (enc, ciphertext) = DH_KEM_P256_HKDF_SHA256_AES_256
            .seal(
                b"outbox",
                b"device-7",
                b"a note",
                &HpkePublicKey(keys.sealing_public_key()),
            )
            .unwrap();
        let sealed = [&[0, 65][..], &enc.0, &ciphertext].concat();
        assert_eq!(
            keys.unseal(b"outbox", b"device-7", &sealed).unwrap(),
            b"a note"
        );
        let own = keys.seal(b"outbox", b"device-7", b"a note").unwrap();
        assert_eq!(
            keys.unseal(b"outbox", b"device-7", &own).unwrap(),
            b"a note"
        );
        assert_eq!(
            keys.unseal(b"outbox", b"device-8", &sealed),
            Err(UnsealError)
        );
        assert_eq!(
            keys.unseal(b"other", b"device-7", &sealed),
            Err(UnsealError)
        );
        for at in 0..sealed.len() {
            assert_eq!(
                keys.unseal(b"outbox", b"device-7", &sealed[..at]),
                Err(UnsealError)
            );
            let mut flipped = sealed.clone();
            flipped[at] ^= 1;
            assert_eq!(
                keys.unseal(b"outbox", b"device-7", &flipped),
                Err(UnsealError)
            );
        }
    }
}
