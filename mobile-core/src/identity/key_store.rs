//! Where the host keeps what must survive a restart and nobody else may read.

use std::fmt;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

/// Keys and certificates; whatever is longer is neither.
const VALUE_BYTES_MAX: usize = 64 * 1024;
const NAME_CHARS_MAX: usize = 64;

/// Why the host's key store did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum KeyStoreError {
    /// Passing: it answers again once the device is unlocked.
    #[error("the key store is locked")]
    Locked,
    #[error("{0:?} is no name for a key: a to z, 0 to 9 and '-', at most {NAME_CHARS_MAX}")]
    Name(String),
    #[error("a value of more than {VALUE_BYTES_MAX} bytes is no key")]
    TooLarge,
    #[error("{} is open to other users (mode {mode:04o}): make it private with chmod {wanted:o}", path.display())]
    TooOpen {
        path: PathBuf,
        mode: u32,
        wanted: u32,
    },
    #[error("cannot {doing} {}: {source}", path.display())]
    Io {
        doing: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("the host's key store: {0}")]
    Host(String),
}

/// Small secrets by name, kept by the host (Keychain, Android Keystore, Secret Service).
///
/// Names are `a` to `z`, `0` to `9` and `-`, at most 64 characters.
pub trait KeyStore: Send + Sync + fmt::Debug {
    /// What was saved under `name`, or `None` where nothing is.
    ///
    /// # Errors
    /// Never for something that is not there: an error means that it may be.
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError>;

    /// Keeps `value` under `name`, durably when this returns, in place of what was there.
    ///
    /// # Errors
    /// What was there before is still there.
    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeyStoreError>;

    /// Forgets `name`, for good when this returns; nothing to forget is no error.
    ///
    /// # Errors
    /// It may still be there.
    fn erase(&self, name: &str) -> Result<(), KeyStoreError>;
}

/// Keys as files of mode 0600 in a folder of mode 0700: for laptops where nothing
/// better exists.
///
/// It keeps other users of the laptop out, and nothing else: whoever has the disk
/// has the keys, unless the disk itself is encrypted, and on flash memory an erased
/// file may be found again. Where the host has a keychain or a TPM, use that.
#[derive(Debug)]
pub struct FileKeyStore {
    folder: PathBuf,
}

impl FileKeyStore {
    /// Uses `folder`, which is made where it is missing and should hold nothing else.
    ///
    /// # Errors
    /// [`KeyStoreError::TooOpen`] where other users may look into it.
    pub fn open(folder: &Path) -> Result<Self, KeyStoreError> {
        let mut builder = DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder.create(folder).map_err(failed("create", folder))?;
        check_rights(folder)?;
        Ok(Self {
            folder: folder.to_owned(),
        })
    }

    fn path_of(&self, name: &str) -> Result<PathBuf, KeyStoreError> {
        let allowed = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-');
        if name.is_empty() || name.len() > NAME_CHARS_MAX || !name.bytes().all(allowed) {
            return Err(KeyStoreError::Name(
                name.chars().take(NAME_CHARS_MAX).collect(),
            ));
        }
        Ok(self.folder.join(format!("{name}.key")))
    }

    /// A rename or removal is durable when the folder is. Windows has no such call, and needs none.
    fn sync_folder(&self) -> Result<(), KeyStoreError> {
        #[cfg(unix)]
        File::open(&self.folder)
            .and_then(|folder| folder.sync_all())
            .map_err(failed("sync", &self.folder))?;
        Ok(())
    }
}

impl KeyStore for FileKeyStore {
    fn load(&self, name: &str) -> Result<Option<Vec<u8>>, KeyStoreError> {
        let path = self.path_of(name)?;
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(failed("open", &path)(error)),
        };
        check_rights(&path)?;
        let mut value = Vec::new();
        file.take(VALUE_BYTES_MAX as u64 + 1)
            .read_to_end(&mut value)
            .map_err(failed("read", &path))?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(KeyStoreError::TooLarge);
        }
        Ok(Some(value))
    }

    fn save(&self, name: &str, value: &[u8]) -> Result<(), KeyStoreError> {
        if value.len() > VALUE_BYTES_MAX {
            return Err(KeyStoreError::TooLarge);
        }
        let path = self.path_of(name)?;
        // Written whole or not at all: after a crash there is the old value or the new one.
        let unfinished = path.with_extension("new");
        remove(&unfinished)?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let mut file = options
            .open(&unfinished)
            .map_err(failed("create", &unfinished))?;
        file.write_all(value)
            .map_err(failed("write", &unfinished))?;
        file.sync_all().map_err(failed("sync", &unfinished))?;
        fs::rename(&unfinished, &path).map_err(failed("rename", &path))?;
        self.sync_folder()
    }

    fn erase(&self, name: &str) -> Result<(), KeyStoreError> {
        let path = self.path_of(name)?;
        remove(&path.with_extension("new"))?;
        remove(&path)?;
        self.sync_folder()
    }
}

fn remove(path: &Path) -> Result<(), KeyStoreError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> KeyStoreError {
    let path = path.to_owned();
    move |source| KeyStoreError::Io {
        doing,
        path,
        source,
    }
}

/// Refuses what the group or others may touch. On Windows the profile's own access
/// list stands in for this.
#[cfg(unix)]
fn check_rights(path: &Path) -> Result<(), KeyStoreError> {
    use std::os::unix::fs::PermissionsExt;

    let metadata = fs::metadata(path).map_err(failed("examine", path))?;
    let mode = metadata.permissions().mode() & 0o777;
    if mode & 0o077 == 0 {
        return Ok(());
    }
    let wanted = if metadata.is_dir() { 0o700 } else { 0o600 };
    Err(KeyStoreError::TooOpen {
        path: path.to_owned(),
        mode,
        wanted,
    })
}

#[cfg(not(unix))]
fn check_rights(_path: &Path) -> Result<(), KeyStoreError> {
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]

    use super::*;

    fn store() -> (tempfile::TempDir, FileKeyStore) {
        let dir = tempfile::tempdir().unwrap();
        let store = FileKeyStore::open(&dir.path().join("keys")).unwrap();
        (dir, store)
    }

    #[test]
    fn what_was_saved_is_there_after_a_restart_until_it_is_erased() {
        let (dir, store) = store();
        assert!(store.load("store-key").unwrap().is_none());
        store.save("store-key", b"first").unwrap();
        store.save("store-key", b"second").unwrap();
        let store = FileKeyStore::open(&dir.path().join("keys")).unwrap();
        assert_eq!(store.load("store-key").unwrap().unwrap(), b"second");
        store.erase("store-key").unwrap();
        store.erase("store-key").unwrap();
        assert!(store.load("store-key").unwrap().is_none());
    }

    #[test]
    fn a_save_that_a_crash_cut_short_leaves_the_old_value_and_goes_with_it() {
        let (dir, store) = store();
        store.save("store-key", b"whole").unwrap();
        let unfinished = dir.path().join("keys/store-key.new");
        fs::write(&unfinished, b"ha").unwrap();
        assert_eq!(store.load("store-key").unwrap().unwrap(), b"whole");
        store.erase("store-key").unwrap();
        assert!(!unfinished.exists());
    }

    #[test]
    fn a_name_cannot_lead_out_of_the_folder() {
        let (_dir, store) = store();
        for name in ["", "..", "../key", "a/b", "Key", "a.new", &"x".repeat(65)] {
            assert!(
                matches!(store.save(name, b""), Err(KeyStoreError::Name(_))),
                "{name:?}"
            );
        }
    }

    #[test]
    fn a_value_too_large_to_be_a_key_is_refused() {
        let (_dir, store) = store();
        let large = vec![0; VALUE_BYTES_MAX + 1];
        assert!(matches!(
            store.save("large", &large),
            Err(KeyStoreError::TooLarge)
        ));
    }

    #[cfg(unix)]
    #[test]
    fn keys_that_others_may_read_are_refused() {
        use std::os::unix::fs::PermissionsExt;

        let (dir, store) = store();
        let folder = dir.path().join("keys");
        store.save("store-key", b"secret").unwrap();
        let file = folder.join("store-key.key");
        assert_eq!(
            fs::metadata(&file).unwrap().permissions().mode() & 0o777,
            0o600
        );
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(
            store.load("store-key"),
            Err(KeyStoreError::TooOpen { wanted: 0o600, .. })
        ));
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        assert!(matches!(
            FileKeyStore::open(&folder),
            Err(KeyStoreError::TooOpen { wanted: 0o700, .. })
        ));
    }
}
