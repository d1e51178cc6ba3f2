//! The files of a store whose key is gone already: they are noise, and go all the same.

use std::fs;
use std::io;
use std::path::Path;

use super::connection::SET_ASIDE;

/// Removes the store in `directory`, with all that SQLite put beside it, and stores that
/// were set aside. What is sealed to the center stays. Doing it again does what is left to
/// do. `step` is told before each.
pub(crate) fn erase_files(directory: &Path, step: &mut dyn FnMut(&'static str)) -> io::Result<()> {
    erase_folder(&directory.join("store"), step)?;
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        if name
            .to_str()
            .is_some_and(|name| name.starts_with(SET_ASIDE))
        {
            erase_folder(&entry.path(), step)?;
        }
    }
    sync_folder(directory)
}

fn erase_folder(folder: &Path, step: &mut dyn FnMut(&'static str)) -> io::Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        entries => entries?,
    };
    for entry in entries {
        step("a file of the store");
        fs::remove_file(entry?.path())?;
    }
    step("the store's folder");
    fs::remove_dir(folder)
}

/// A removal is durable when the folder is. Windows has no such call, and needs none.
fn sync_folder(_folder: &Path) -> io::Result<()> {
    #[cfg(unix)]
    fs::File::open(_folder)?.sync_all()?;
    Ok(())
}
