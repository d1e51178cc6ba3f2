//! Files that only the center's own user may read, durable when a function returns.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

use aws_lc_rs::digest::{Context, SHA256};
use data_encoding::HEXLOWER;

use super::{BackupError, Sum};

const BUFFER_BYTES: usize = 64 * 1024;

pub(super) fn failed(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> BackupError {
    let path = path.to_owned();
    move |source| BackupError::Io {
        doing,
        path,
        source,
    }
}

/// A name beside this one.
pub(super) fn beside(path: &Path, what: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(format!(".{what}"));
    path.with_file_name(name)
}

/// Takes away what a run before this one left unfinished.
pub(super) fn remove(folder: &Path) -> Result<(), BackupError> {
    match fs::remove_dir_all(folder) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", folder)(e)),
        _ => Ok(()),
    }
}

pub(super) fn remove_file(path: &Path) -> Result<(), BackupError> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(failed("remove", path)(e)),
        _ => Ok(()),
    }
}

pub(super) fn make_private(folder: &Path) -> Result<(), BackupError> {
    let mut builder = DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(folder).map_err(failed("create", folder))
}

fn create_private(path: &Path) -> Result<File, BackupError> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path).map_err(failed("create", path))
}

/// For a file that a library made.
pub(super) fn keep_private(path: &Path) -> Result<(), BackupError> {
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let private = fs::Permissions::from_mode(0o600);
        fs::set_permissions(path, private).map_err(failed("make private", path))?;
    }
    sync(path)
}

pub(super) fn write_private(path: &Path, bytes: &[u8]) -> Result<(), BackupError> {
    let mut file = create_private(path)?;
    file.write_all(bytes).map_err(failed("write", path))?;
    file.sync_all().map_err(failed("sync", path))
}

/// Copies a file; what is copied is what the sum is of.
pub(super) fn copy_private(from: &Path, to: &Path, name: String) -> Result<Sum, BackupError> {
    let mut copy = create_private(to)?;
    let sum = read_through(from, name, |part| {
        copy.write_all(part).map_err(failed("write", to))
    })?;
    copy.sync_all().map_err(failed("sync", to))?;
    Ok(sum)
}

pub(super) fn sum_of(path: &Path, name: String) -> Result<Sum, BackupError> {
    read_through(path, name, |_| Ok(()))
}

fn read_through(
    path: &Path,
    name: String,
    mut each: impl FnMut(&[u8]) -> Result<(), BackupError>,
) -> Result<Sum, BackupError> {
    let mut file = File::open(path).map_err(failed("open", path))?;
    let (mut context, mut bytes) = (Context::new(&SHA256), 0);
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        let read = file.read(&mut buffer).map_err(failed("read", path))?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else {
            break;
        };
        context.update(part);
        each(part)?;
        bytes += read as u64;
    }
    Ok(Sum {
        name,
        bytes,
        sha256: HEXLOWER.encode(context.finish().as_ref()),
    })
}

/// A file, or a folder's names. Windows has no such call for folders, and needs none.
pub(super) fn sync(path: &Path) -> Result<(), BackupError> {
    if cfg!(unix) || path.is_file() {
        File::open(path)
            .and_then(|file| file.sync_all())
            .map_err(failed("sync", path))?;
    }
    Ok(())
}

pub(super) fn sync_parent(path: &Path) -> Result<(), BackupError> {
    match path.parent() {
        Some(parent) if !parent.as_os_str().is_empty() => sync(parent),
        _ => sync(Path::new(".")),
    }
}
