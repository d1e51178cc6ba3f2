//! The outbox once more, as files that only the center can open.
//!
//! A file is durable before the entry's commit and goes after the center accepted
//! the entry. So whatever becomes of the store, its key or the shift, what the
//! officer was told is kept can still be handed in, by the device's certificate alone.
//!
//! HPKE's `info` is [`sync::frame::SEALED_INFO`], its `aad` the device's number in four
//! bytes, big endian. Inside is one [`sync::frame::UpFrame::Offer`] whose body is raw.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use packet::ChangeHash;

const EXTENSION: &str = "sealed";
const UNFINISHED: &str = "new";

#[derive(Debug)]
pub(crate) struct Sealed {
    folder: PathBuf,
}

impl Sealed {
    pub(crate) fn open(directory: &Path) -> io::Result<Self> {
        let folder = directory.join("sealed");
        fs::create_dir_all(&folder)?;
        for entry in fs::read_dir(&folder)? {
            let path = entry?.path();
            // Cut short by a crash: its entry was not told to be kept.
            if path.extension().is_some_and(|found| found == UNFINISHED) {
                fs::remove_file(path)?;
            }
        }
        Ok(Self { folder })
    }

    fn path(&self, hash: &ChangeHash) -> PathBuf {
        self.folder.join(format!("{hash}.{EXTENSION}"))
    }

    /// Durable when this returns.
    pub(super) fn put(&self, hash: &ChangeHash, sealed: &[u8]) -> io::Result<()> {
        let path = self.path(hash);
        let unfinished = path.with_extension(UNFINISHED);
        let mut file = File::create(&unfinished)?;
        file.write_all(sealed)?;
        file.sync_all()?;
        fs::rename(&unfinished, &path)?;
        self.sync_folder()
    }

    /// A rename is durable when the folder is. Windows has no such call, and needs none.
    fn sync_folder(&self) -> io::Result<()> {
        #[cfg(unix)]
        File::open(&self.folder)?.sync_all()?;
        Ok(())
    }

    pub(crate) fn load(&self, hash: &ChangeHash) -> io::Result<Vec<u8>> {
        fs::read(self.path(hash))
    }

    /// One that stays behind is handed in once more, which changes nothing at the center.
    pub(crate) fn remove(&self, hash: &ChangeHash) {
        if let Err(error) = fs::remove_file(self.path(hash))
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(%error, "a sealed entry could not be removed");
        }
    }

    /// The oldest first: a document's changes are taken in the order of their numbers.
    pub(crate) fn all(&self) -> io::Result<Vec<ChangeHash>> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let path = entry.path();
            let name = path.file_stem().and_then(|stem| stem.to_str());
            if path.extension().is_some_and(|found| found == EXTENSION)
                && let Some(hash) = name.and_then(|name| HEXLOWER.decode(name.as_bytes()).ok())
                && let Ok(hash) = hash.try_into()
            {
                all.push((entry.metadata()?.modified()?, ChangeHash(hash)));
            }
        }
        all.sort_by_key(|(written, _)| *written);
        Ok(all.into_iter().map(|(_, hash)| hash).collect())
    }
}
