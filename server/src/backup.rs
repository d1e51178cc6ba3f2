//! Backup of a running center, and the restore of one that was lost.
//!
//! A backup is a folder: the log as one file, the center's keys beside it, and a manifest
//! with the sum of each. It is whole or not there: made under another name, synced,
//! renamed. With the center's keys in it, it is as secret as the center's own data folder.
//!
//! The keys of the documents are not in it. They are a file of their own, which each backup
//! replaces: with it any backup is this center again, but for the documents that were purged
//! meanwhile, whose keys are in no file any more (docs/adr/0026-purge.md).
//!
//! - [`make`] takes one while the center runs.
//! - [`restore`] makes a data folder of one, of a new incarnation (docs/adr/0007-restore.md).

mod files;
mod manifest;
mod restore;

use std::path::{Path, PathBuf};

use crate::audit::Record;
use crate::clock;
use crate::config::Config;
use crate::identity::{AUDIT_FILE, KeysError, LogKey};
use crate::log::{self, Copied, LogError};
use crate::policy::{Act, Role, decide};

pub use manifest::{Manifest, Sum};
pub use restore::{Restored, restore};

use files::{copy_private, failed, make_private, sum_of, sync};

/// The log's file in the data folder, and in a backup.
pub(crate) const LOG: &str = "center.db";
/// The folder of the center's keys, and those of its files that make it this center.
pub(crate) const KEYS: &str = "keys";
const KEY_FILES: [&str; 3] = ["center-keys.json", "server-identity.json", "api-token"];
/// … and those that a center from before them has not.
const LATER_KEY_FILES: [&str; 2] = [AUDIT_FILE, "auditor-token"];

/// Why there is no backup, or no restore.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: std::io::Error,
    },
    #[error("{} is there already, and is not written over", .0.display())]
    Exists(PathBuf),
    #[error(
        "{} is no place for the document keys: a file outside of the backup is wanted",
        .0.display()
    )]
    KeysPlace(PathBuf),
    #[error(
        "{} is not empty: stop its center, and let its data be set aside (--set-aside) or name another folder",
        .0.display()
    )]
    InUse(PathBuf),
    #[error("{} is no backup that can be restored: {why}", path.display())]
    NotWhole { path: PathBuf, why: String },
    #[error(transparent)]
    Keys(#[from] KeysError),
    #[error(transparent)]
    Log(#[from] LogError),
}

/// Makes a backup of the center of this configuration, which may be running, in the new
/// folder `to`. The file `document_keys` is replaced: the keys in it open this backup and
/// every one before it, but for what was purged.
///
/// # Errors
/// When `to` is there already, or something cannot be read, written or opened again.
pub fn make(config: &Config, to: &Path, document_keys: &Path) -> Result<Manifest, BackupError> {
    if to.exists() {
        return Err(BackupError::Exists(to.to_owned()));
    }
    if document_keys.starts_with(to) || document_keys.is_dir() {
        return Err(BackupError::KeysPlace(document_keys.to_owned()));
    }
    let unfinished = files::beside(to, "unfinished");
    files::remove(&unfinished)?;
    make_private(&unfinished)?;
    let keys = files::beside(document_keys, "unfinished");
    files::remove_file(&keys)?;
    let made = fill(config, &unfinished, &keys);
    let made = made.and_then(|manifest| {
        // The keys first: they open the backups before this one too.
        std::fs::rename(&keys, document_keys).map_err(failed("rename", &keys))?;
        files::sync_parent(document_keys)?;
        std::fs::rename(&unfinished, to).map_err(failed("rename", &unfinished))?;
        files::sync_parent(to)?;
        Ok(manifest)
    });
    if made.is_err() {
        // What it is that failed is worth more than that this does too.
        let _ = files::remove(&unfinished);
        let _ = files::remove_file(&keys);
    }
    made
}

fn fill(config: &Config, folder: &Path, keys: &Path) -> Result<Manifest, BackupError> {
    let from = config.data.join(KEYS);
    make_private(&folder.join(KEYS))?;
    let mut sums = Vec::new();
    let later = LATER_KEY_FILES.into_iter();
    let later = later.filter(|name| from.join(name).exists());
    for name in KEY_FILES.into_iter().chain(later) {
        let name = format!("{KEYS}/{name}");
        let (from, to) = (config.data.join(&name), folder.join(&name));
        sums.push(copy_private(&from, &to, name)?);
    }
    sync(&folder.join(KEYS))?;
    let key = LogKey::open(&from)?;
    let made_ms = clock::now_ms();
    let log = folder.join(LOG);
    log::copy(
        &config.data.join(LOG),
        &key.store_key,
        &log,
        keys,
        &record(Act::Backup, String::new()),
    )?;
    files::keep_private(keys)?;
    // A backup that does not open is none, and the time to know is now.
    let Copied { incarnation, head } = log::check(&log, &key.store_key)?;
    files::keep_private(&log)?;
    sums.push(sum_of(&log, LOG.to_owned())?);
    let manifest = Manifest::new(key.center_id, incarnation, head, made_ms, sums);
    manifest.write(folder)?;
    sync(folder)?;
    Ok(manifest)
}

fn record(act: Act, detail: String) -> Record {
    Record {
        object: "the log".to_owned(),
        allowed: decide(Role::Operator, act),
        detail,
        ..Record::of(Role::Operator.name(), act)
    }
}
