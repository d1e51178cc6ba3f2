//! Files that only the center's own user may read, written whole or not at all.
//!
//! Rights are checked before anything is read: a key that others could have
//! read is no longer a secret, and going on would hide that.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use super::keys::KeysError;

/// Far more than the largest file of ours; whatever is longer is not ours.
const KEY_FILE_BYTES_MAX: u64 = 64 * 1024;

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeysError {
    let path = path.to_owned();
    move |source| KeysError::Io {
        doing,
        path,
        source,
    }
}

/// A folder of mode 0700, locked against a second process for as long as this lives.
#[derive(Debug)]
pub(super) struct PrivateFolder {
    path: PathBuf,
    /// Held open for its lock: two first starts at once must not make two sets of keys.
    _lock: File,
}

impl PrivateFolder {
    pub(super) fn open_or_create(path: &Path) -> Result<Self, KeysError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(path).map_err(failed("create", path))?;
        check_rights(path)?;

        let lock_path = path.join("lock");
        let lock = private_options()
            .create(true)
            .truncate(false)
            .open(&lock_path);
        let lock = lock.map_err(failed("open", &lock_path))?;
        lock.lock().map_err(failed("lock", &lock_path))?;
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(super) fn path_of(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// The file's bytes, or `None` where there is no such file.
    pub(super) fn read(&self, name: &str) -> Result<Option<Vec<u8>>, KeysError> {
        let path = self.path_of(name);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        check_rights(&path)?;
        let mut bytes = Vec::new();
        file.take(KEY_FILE_BYTES_MAX)
            .read_to_end(&mut bytes)
            .map_err(failed("read", &path))?;
        Ok(Some(bytes))
    }

    /// Gives a file another name, under which nobody looks for it.
    pub(super) fn set_aside(&self, name: &str, suffix: &str) -> Result<(), KeysError> {
        let path = self.path_of(name);
        let aside = self.path_of(&format!("{name}.{suffix}"));
        fs::rename(&path, aside).map_err(failed("rename", &path))
    }

    /// Puts `bytes` under `name`: after a crash at any moment there is the old file or the new one.
    pub(super) fn write(&self, name: &str, bytes: &[u8]) -> Result<(), KeysError> {
        let path = self.path_of(name);
        let unfinished = self.path_of(&format!("{name}.new"));
        match fs::remove_file(&unfinished) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(failed("remove", &unfinished)(error));
            }
            _ => {}
        }
        let mut file = private_options()
            .create_new(true)
            .open(&unfinished)
            .map_err(failed("create", &unfinished))?;
        file.write_all(bytes)
            .map_err(failed("write", &unfinished))?;
        file.sync_all().map_err(failed("sync", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(failed("rename", &path))?;
        // A rename is durable when the folder is. Windows has no such call, and needs none.
        #[cfg(unix)]
        File::open(&self.path)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("sync", &self.path))?;
        Ok(())
    }
}

fn private_options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

/// Refuses what the group or others may touch. On Windows the profile's own
/// access list stands in for this.
#[cfg(unix)]
fn check_rights(path: &Path) -> Result<(), KeysError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = fs::metadata(path).map_err(failed("examine", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
    Err(KeysError::TooOpen {
        path: path.to_owned(),
        mode,
        wanted,
    })
}

#[cfg(not(unix))]
fn check_rights(_path: &Path) -> Result<(), KeysError> {
    Ok(())
}
