//! The officer's shift on this device, and the device's place at its center.

use packet::{CenterId, DeviceNumber};
use serde::{Deserialize, Serialize};

/// Who works with this device now.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shift {
    /// As screens show it.
    pub officer: String,
    pub unit: String,
    pub agency: String,
    pub expires_ms: i64,
    /// What a query may be for, the usual one first. Empty: the center did not say.
    #[serde(default)]
    pub purposes: Vec<Purpose>,
    /// Whose shift it is, as the center knows the officer.
    #[serde(default)]
    pub(crate) badge: String,
    /// The center's proof of the sign-on, in base64url.
    pub(crate) token: String,
}

/// A purpose code of the center's, for queries to its sources.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Purpose {
    /// Such as `C`.
    pub code: String,
    /// In words, such as `Criminal justice`.
    pub name: String,
}

/// Without the token: what prints ends in logs.
impl std::fmt::Debug for Shift {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shift")
            .field("unit", &self.unit)
            .finish_non_exhaustive()
    }
}

impl Shift {
    /// The author of what is written in this shift.
    #[must_use]
    pub fn by(&self) -> String {
        format!("{} ({})", self.officer, self.unit)
    }
}

/// What enrolment gave: kept in the host's key store, so that it outlives the store
/// and what is sealed can be handed in without it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Enrolment {
    /// `host:port`.
    pub(crate) center: String,
    pub(crate) ca: Vec<u8>,
    pub(crate) device: DeviceNumber,
    pub(crate) certificate: Vec<u8>,
    pub(crate) center_id: CenterId,
    pub(crate) sealing_key: Vec<u8>,
    pub(crate) agency: String,
    /// When the certificate came, by this device's clock.
    pub(crate) certified_ms: i64,
    /// The center says that the device is fixed in a vehicle.
    pub(crate) mounted: bool,
}

#[derive(Serialize, Deserialize)]
struct Stored {
    center: String,
    ca: String,
    device: DeviceNumber,
    certificate: String,
    center_id: String,
    sealing_key: String,
    agency: String,
    certified_ms: i64,
    #[serde(default)]
    mounted: bool,
}

impl Enrolment {
    pub(crate) fn to_json(&self) -> Result<Vec<u8>, serde_json::Error> {
        use data_encoding::{BASE64, HEXLOWER};
        serde_json::to_vec(&Stored {
            center: self.center.clone(),
            ca: BASE64.encode(&self.ca),
            device: self.device,
            certificate: BASE64.encode(&self.certificate),
            center_id: HEXLOWER.encode(&self.center_id.0),
            sealing_key: BASE64.encode(&self.sealing_key),
            agency: self.agency.clone(),
            certified_ms: self.certified_ms,
            mounted: self.mounted,
        })
    }

    pub(crate) fn from_json(bytes: &[u8]) -> Option<Self> {
        use data_encoding::{BASE64, HEXLOWER_PERMISSIVE};
        let stored: Stored = serde_json::from_slice(bytes).ok()?;
        let center_id = HEXLOWER_PERMISSIVE
            .decode(stored.center_id.as_bytes())
            .ok()?;
        Some(Self {
            center: stored.center,
            ca: BASE64.decode(stored.ca.as_bytes()).ok()?,
            device: stored.device,
            certificate: BASE64.decode(stored.certificate.as_bytes()).ok()?,
            center_id: CenterId(center_id.try_into().ok()?),
            sealing_key: BASE64.decode(stored.sealing_key.as_bytes()).ok()?,
            agency: stored.agency,
            certified_ms: stored.certified_ms,
            mounted: stored.mounted,
        })
    }
}
