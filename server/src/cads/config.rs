//! `[[cads]]` in the configuration.

use std::path::{Path, PathBuf};

use serde::Deserialize;

/// One dispatch system.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CadConfig {
    /// Whose calls it has: the id of one of `agencies`.
    pub agency: String,
    /// As EIDOs name this agency, such as `tpd.example` (NENA-STA-021.1, the `$id` of an
    /// agency component); the agency's own id when absent.
    #[serde(default)]
    pub eido_id: Option<String>,
    /// The zone of the times that it gives without an offset (IANA).
    #[serde(default = "utc")]
    pub zone: String,
    /// Its nature codes in the center's words.
    #[serde(default)]
    pub codes: Option<PathBuf>,
}

fn utc() -> String {
    "UTC".into()
}

impl CadConfig {
    /// Paths in the section are relative to the configuration's folder.
    pub(crate) fn move_to(&mut self, folder: &Path) {
        for path in [&mut self.codes].into_iter().flatten() {
            *path = folder.join(&*path);
        }
    }
}
