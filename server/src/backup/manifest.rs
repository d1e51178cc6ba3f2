//! What a backup says of itself: of which log, through where, and each file's sum.

use std::path::{Component, Path};

use data_encoding::HEXLOWER;
use serde::{Deserialize, Serialize};

use super::files::{failed, sum_of, write_private};
use super::{BackupError, KEY_FILES, KEYS, LOG};

const MANIFEST: &str = "manifest.json";
/// Of the manifest's own form; another is not read.
const VERSION: u32 = 1;
/// Far more than a manifest has.
const MANIFEST_BYTES_MAX: u64 = 64 * 1024;

/// `manifest.json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    version: u32,
    /// Whose: 32 hexadecimal digits.
    pub center: String,
    pub incarnation: u64,
    /// The last `seq` that is in it.
    pub head: u64,
    /// When, by the center's clock: milliseconds since 1970, UTC.
    pub made_ms: i64,
    files: Vec<Sum>,
}

/// One file of a backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Sum {
    /// Its path in the backup, with `/`.
    pub name: String,
    pub bytes: u64,
    /// SHA-256, 64 hexadecimal digits.
    pub sha256: String,
}

impl Manifest {
    pub(super) fn new(
        center: [u8; 16],
        incarnation: u64,
        head: u64,
        made_ms: i64,
        files: Vec<Sum>,
    ) -> Self {
        Self {
            version: VERSION,
            center: HEXLOWER.encode(&center),
            incarnation,
            head,
            made_ms,
            files,
        }
    }

    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(MANIFEST);
        let json = serde_json::to_vec_pretty(self)
            .map_err(|e| failed("write", &path)(std::io::Error::other(e)))?;
        write_private(&path, &json)
    }

    /// Reads the manifest and holds every file against it.
    pub(super) fn read_and_check(folder: &Path) -> Result<Self, BackupError> {
        let not_whole = |why: String| BackupError::NotWhole {
            path: folder.to_owned(),
            why,
        };
        let path = folder.join(MANIFEST);
        let size = std::fs::metadata(&path)
            .map_err(failed("find", &path))?
            .len();
        if size > MANIFEST_BYTES_MAX {
            return Err(not_whole(format!("{MANIFEST} has {size} bytes")));
        }
        let json = std::fs::read(&path).map_err(failed("read", &path))?;
        let manifest: Self =
            serde_json::from_slice(&json).map_err(|e| not_whole(format!("{MANIFEST}: {e}")))?;
        if manifest.version != VERSION {
            return Err(not_whole(format!(
                "{MANIFEST} is of version {}, not {VERSION}",
                manifest.version
            )));
        }
        manifest.check(folder, not_whole)?;
        Ok(manifest)
    }

    fn check(
        &self,
        folder: &Path,
        not_whole: impl Fn(String) -> BackupError,
    ) -> Result<(), BackupError> {
        let wanted = KEY_FILES.map(|name| format!("{KEYS}/{name}"));
        let wanted = wanted.iter().map(String::as_str).chain([LOG]);
        for name in wanted {
            if !self.files.iter().any(|file| file.name == name) {
                return Err(not_whole(format!("{name} is not in it")));
            }
        }
        for file in &self.files {
            if !is_inside(&file.name) {
                return Err(not_whole(format!("{:?} is no name in it", file.name)));
            }
            if sum_of(&folder.join(&file.name), file.name.clone())? != *file {
                return Err(not_whole(format!(
                    "{} is not as it was when the backup was made",
                    file.name
                )));
            }
        }
        Ok(())
    }

    /// The files' names, each a path within the backup.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.files.iter().map(|file| file.name.as_str())
    }
}

fn is_inside(name: &str) -> bool {
    let mut parts = Path::new(name).components();
    !name.is_empty() && parts.all(|part| matches!(part, Component::Normal(_)))
}
