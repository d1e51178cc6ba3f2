//! What both cities in virtual time stand on: time, kinds of link, keys, a place for files.

pub(crate) mod keys;
pub(crate) mod network;
pub(crate) mod queue;

use std::path::Path;

use tempfile::TempDir;

/// Files in memory, where the machine has such a place.
const MEMORY: &str = "/dev/shm";

/// A folder that is gone with the city.
pub(crate) fn folder() -> std::io::Result<TempDir> {
    let mut builder = tempfile::Builder::new();
    builder.prefix("forerunner-sim-");
    if Path::new(MEMORY).is_dir() {
        builder.tempdir_in(MEMORY)
    } else {
        builder.tempdir()
    }
}
