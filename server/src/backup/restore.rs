//! A data folder of a backup: checked, of a new incarnation, and in its place by one rename.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use super::files::{self, copy_private, failed, keep_private, make_private, sync};
use super::{BackupError, KEYS, LOG, Manifest, record};
use crate::clock;
use crate::identity::LogKey;
use crate::log;
use crate::policy::Act;

/// What was restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    pub manifest: Manifest,
    /// Of the log that begins now.
    pub incarnation: u64,
    /// Where the data is now that was in the folder before.
    pub set_aside: Option<PathBuf>,
}

/// Makes the data folder `data` of the backup at `from`, with the document keys that the last
/// backup left in a file. No center may be running on it.
///
/// # Errors
/// When the backup is not as it was made, `data` is not empty and may not be set aside,
/// or something cannot be read or written. `data` is then as it was.
pub fn restore(
    from: &Path,
    data: &Path,
    document_keys: Option<&Path>,
    set_aside: bool,
) -> Result<Restored, BackupError> {
    let manifest = Manifest::read_and_check(from)?;
    if !set_aside && !is_free(data)? {
        return Err(BackupError::InUse(data.to_owned()));
    }
    let unfinished = files::beside(data, "unfinished");
    files::remove(&unfinished)?;
    let incarnation = fill(&manifest, from, document_keys, &unfinished).inspect_err(|_| {
        // What it is that failed is worth more than that this does too.
        let _ = files::remove(&unfinished);
    })?;
    let set_aside = put_aside(data)?;
    fs::rename(&unfinished, data).map_err(failed("rename", &unfinished))?;
    files::sync_parent(data)?;
    Ok(Restored {
        manifest,
        incarnation,
        set_aside,
    })
}

fn fill(
    manifest: &Manifest,
    from: &Path,
    document_keys: Option<&Path>,
    folder: &Path,
) -> Result<u64, BackupError> {
    if let Some(file) = document_keys.filter(|file| !file.is_file()) {
        // Opening would make one.
        return Err(BackupError::KeysPlace(file.to_owned()));
    }
    make_private(&folder.join(KEYS))?;
    for name in manifest.names() {
        let to = folder.join(name);
        if let Some(parent) = to.parent() {
            make_private(parent)?;
        }
        copy_private(&from.join(name), &to, name.to_owned())?;
    }
    let key = LogKey::open(&folder.join(KEYS))?;
    let log = folder.join(LOG);
    let found = log::check(&log, &key.store_key)?;
    if (found.incarnation, found.head) != (manifest.incarnation, manifest.head) {
        return Err(BackupError::NotWhole {
            path: from.to_owned(),
            why: "the log in it is not the one that its manifest names".to_owned(),
        });
    }
    let now_ms = clock::now_ms();
    let detail = format!("through {} of {}", manifest.head, manifest.made_ms);
    let record = record(Act::Restore, detail);
    let incarnation = log::begin_anew_at(&log, &key.store_key, now_ms, document_keys, &record)?;
    keep_private(&log)?;
    sync(&folder.join(KEYS))?;
    sync(folder)?;
    Ok(incarnation)
}

/// Not there, or a folder with nothing in it.
fn is_free(data: &Path) -> Result<bool, BackupError> {
    match fs::read_dir(data) {
        Ok(mut entries) => Ok(entries.next().is_none()),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(true),
        Err(e) => Err(failed("read", data)(e)),
    }
}

/// Renames what is there: nothing of it is ever deleted.
fn put_aside(data: &Path) -> Result<Option<PathBuf>, BackupError> {
    if is_free(data)? {
        // A rename takes the place of an empty folder.
        return Ok(None);
    }
    let date = jiff::Timestamp::now().strftime("%Y-%m-%dT%H%M%S%.3fZ");
    let aside = files::beside(data, &format!("set-aside-{date}"));
    fs::rename(data, &aside).map_err(failed("set aside", data))?;
    Ok(Some(aside))
}
