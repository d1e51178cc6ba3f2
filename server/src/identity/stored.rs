//! The key files as they are stored: JSON, byte strings in base64.
//!
//! JSON, so that whoever restores a backup at night can see what a file is, and
//! that it is whole.

use aws_lc_rs::rand;
use data_encoding::HEXLOWER;
use rcgen::{Issuer, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls::crypto::aws_lc_rs::hpke::DH_KEM_P256_HKDF_SHA256_AES_256;
use rustls::crypto::hpke::Hpke;
use rustls::pki_types::PrivatePkcs8KeyDer;
use serde::{Deserialize, Serialize};

use super::certificates;
use super::files::PrivateFolder;
use super::keys::KeysError;

pub(super) const FORMAT_VERSION: u32 = 1;
pub(super) const DAY_MS: i64 = 24 * 60 * 60 * 1000;
/// A server certificate with less than this left is made anew at start.
const SERVER_RENEWAL_MS: i64 = 30 * DAY_MS;

/// What must never change after the first start.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredKeys {
    pub(super) version: u32,
    #[serde(with = "base64")]
    pub(super) center_id: Vec<u8>,
    /// PKCS#8.
    #[serde(with = "base64")]
    pub(super) authority_key: Vec<u8>,
    #[serde(with = "base64")]
    pub(super) authority_certificate: Vec<u8>,
    #[serde(with = "base64")]
    pub(super) mac_key: Vec<u8>,
    #[serde(with = "base64")]
    pub(super) store_key: Vec<u8>,
    /// The P-256 scalar, 32 bytes, big endian; its point follows from it.
    #[serde(with = "base64")]
    pub(super) sealing_key: Vec<u8>,
}

impl StoredKeys {
    pub(super) fn generate(now_ms: i64) -> Result<Self, KeysError> {
        let center_id = random::<16>()?;
        let authority_key =
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| KeysError::KeyGeneration)?;
        let name = format!("Forerunner center {}", HEXLOWER.encode(&center_id[..4]));
        let authority_certificate =
            certificates::authority_certificate(&authority_key, &name, now_ms)?;
        let (_, sealing_key) = DH_KEM_P256_HKDF_SHA256_AES_256
            .generate_key_pair()
            .map_err(|_| KeysError::KeyGeneration)?;
        Ok(Self {
            version: FORMAT_VERSION,
            center_id,
            authority_key: authority_key.serialize_der(),
            authority_certificate: authority_certificate.to_vec(),
            mac_key: random::<32>()?,
            store_key: random::<32>()?,
            sealing_key: sealing_key.secret_bytes().to_vec(),
        })
    }
}

/// The sync port's own identity; follows from [`StoredKeys`] and is made anew at need.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredServer {
    pub(super) version: u32,
    /// Whose authority signed it: a backup may be restored beside another center's.
    #[serde(with = "base64")]
    pub(super) center_id: Vec<u8>,
    pub(super) names: Vec<String>,
    pub(super) not_after_ms: i64,
    /// PKCS#8.
    #[serde(with = "base64")]
    pub(super) key: Vec<u8>,
    #[serde(with = "base64")]
    pub(super) certificate: Vec<u8>,
}

impl StoredServer {
    pub(super) fn generate(
        center_id: &[u8],
        authority: &Issuer<'_, KeyPair>,
        names: &[String],
        now_ms: i64,
    ) -> Result<Self, KeysError> {
        let key =
            KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(|_| KeysError::KeyGeneration)?;
        let (certificate, not_after_ms) =
            certificates::server_certificate(authority, &key, names, now_ms)?;
        Ok(Self {
            version: FORMAT_VERSION,
            center_id: center_id.to_vec(),
            names: names.to_vec(),
            not_after_ms,
            key: key.serialize_der(),
            certificate: certificate.to_vec(),
        })
    }

    pub(super) fn serves(&self, center_id: &[u8], names: &[String], now_ms: i64) -> bool {
        self.version == FORMAT_VERSION
            && self.center_id == center_id
            && self.names == names
            && self.not_after_ms.saturating_sub(now_ms) >= SERVER_RENEWAL_MS
    }
}

/// What signs the audit log's checkpoints.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredAuditKey {
    pub(super) version: u32,
    /// Whose: a backup may be restored beside another center's.
    #[serde(with = "base64")]
    pub(super) center_id: Vec<u8>,
    /// Ed25519, as RFC 8032, section 5.1.5, begins with it.
    #[serde(with = "base64")]
    pub(super) seed: Vec<u8>,
}

impl StoredAuditKey {
    pub(super) fn generate(center_id: &[u8]) -> Result<Self, KeysError> {
        Ok(Self {
            version: FORMAT_VERSION,
            center_id: center_id.to_vec(),
            seed: random::<32>()?,
        })
    }
}

fn random<const N: usize>() -> Result<Vec<u8>, KeysError> {
    let mut bytes = [0; N];
    rand::fill(&mut bytes).map_err(|_| KeysError::KeyGeneration)?;
    Ok(bytes.to_vec())
}

pub(super) fn key_pair(pkcs8: &[u8]) -> Option<KeyPair> {
    let key = PrivatePkcs8KeyDer::from(pkcs8);
    KeyPair::from_pkcs8_der_and_sign_algo(&key, &PKCS_ECDSA_P256_SHA256).ok()
}

pub(super) fn to_json(stored: &impl Serialize) -> Result<Vec<u8>, KeysError> {
    serde_json::to_vec_pretty(stored).map_err(|_| KeysError::KeyGeneration)
}

pub(super) fn parse<T: for<'de> Deserialize<'de>>(
    folder: &PrivateFolder,
    name: &str,
    bytes: &[u8],
) -> Result<T, KeysError> {
    // Only where it went wrong: serde's own words could quote a key.
    serde_json::from_slice(bytes).map_err(|error| KeysError::Damaged {
        path: folder.path_of(name),
        why: format!("line {}, column {}", error.line(), error.column()),
    })
}

mod base64 {
    use data_encoding::BASE64;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(bytes: &[u8], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(bytes))
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Vec<u8>, D::Error> {
        let text = String::deserialize(deserializer)?;
        BASE64
            .decode(text.as_bytes())
            .map_err(|_| D::Error::custom("not base64"))
    }
}
