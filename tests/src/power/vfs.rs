//! A SQLite VFS that notes down what is done to files, over the system's own.
//!
//! Each file is the system's own, with another method table: writing, truncating, syncing
//! and closing are ours, all else (locks, shared memory) goes straight through. Syncs
//! are noted and not done: what survives is decided by [`super::Disk`] alone.

#![allow(unsafe_code)] // SQLite takes a file system as a table of C functions.

use std::collections::HashMap;
use std::ffi::{CStr, OsStr, c_char, c_int, c_void};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError};

use rusqlite::ffi::{
    SQLITE_OK, SQLITE_OPEN_MAIN_DB, SQLITE_OPEN_MAIN_JOURNAL, SQLITE_OPEN_WAL, sqlite3_file,
    sqlite3_initialize, sqlite3_int64, sqlite3_io_methods, sqlite3_vfs, sqlite3_vfs_find,
    sqlite3_vfs_register,
};

/// Memory-mapped writes would pass us by: the first methods' version without them.
const METHODS_WITHOUT_MAPPING: c_int = 2;

/// Something that was done to a file, by its number in [`Tape::files`].
#[derive(Debug, Clone)]
pub enum Event {
    Write {
        file: usize,
        at: usize,
        bytes: Vec<u8>,
    },
    Truncate {
        file: usize,
        size: usize,
    },
    Sync {
        file: usize,
    },
    Delete {
        file: usize,
        /// The folder was synced behind it.
        is_durable: bool,
    },
}

/// All that was done, in order.
#[derive(Debug, Default)]
pub struct Tape {
    pub files: Vec<PathBuf>,
    pub events: Vec<Event>,
    numbers: HashMap<PathBuf, usize>,
    runs: bool,
}

static TAPE: OnceLock<Mutex<Tape>> = OnceLock::new();

fn tape() -> MutexGuard<'static, Tape> {
    let tape = TAPE.get_or_init(Mutex::default);
    tape.lock().unwrap_or_else(PoisonError::into_inner)
}

fn note(event: impl FnOnce() -> Event) {
    let mut tape = tape();
    if tape.runs {
        tape.events.push(event());
    }
}

fn number(path: &Path) -> usize {
    let mut tape = tape();
    if let Some(number) = tape.numbers.get(path) {
        return *number;
    }
    let number = tape.files.len();
    tape.files.push(path.to_owned());
    tape.numbers.insert(path.to_owned(), number);
    number
}

/// Notes down what this process does through SQLite, from its start to [`Recorder::end`].
#[derive(Debug)]
pub struct Recorder(());

impl Recorder {
    /// To be called before anything is opened; once in a process.
    #[must_use]
    pub fn start() -> Self {
        // SAFETY: SQLite may be initialised at any time; it copies nothing of the table,
        // which therefore lives for ever.
        unsafe {
            assert_eq!(sqlite3_initialize(), SQLITE_OK);
            let real = sqlite3_vfs_find(std::ptr::null());
            assert!(REAL.set(Real(real)).is_ok(), "one recorder a process");
            let vfs = sqlite3_vfs {
                szOsFile: (*real).szOsFile + size_of::<Beside>() as c_int,
                zName: c"power".as_ptr(),
                pNext: std::ptr::null_mut(),
                xOpen: Some(open),
                xDelete: Some(delete),
                ..*real
            };
            let vfs = Box::leak(Box::new(vfs));
            assert_eq!(sqlite3_vfs_register(vfs, 1), SQLITE_OK);
        }
        tape().runs = true;
        Self(())
    }

    /// How much was done until now: what was told before is told of these events.
    #[must_use]
    pub fn position(&self) -> usize {
        tape().events.len()
    }

    /// What was done. Files go on working, unrecorded.
    #[must_use]
    pub fn end(self) -> Tape {
        std::mem::take(&mut *tape())
    }
}

struct Real(*mut sqlite3_vfs);

// SAFETY: SQLite's own table, which any thread may use and nobody changes.
unsafe impl Send for Real {}
// SAFETY: as above.
unsafe impl Sync for Real {}

static REAL: OnceLock<Real> = OnceLock::new();

fn real() -> *mut sqlite3_vfs {
    REAL.get().map_or(std::ptr::null_mut(), |real| real.0)
}

/// What lies behind the system's own part of an open file.
#[repr(C)]
struct Beside {
    methods: sqlite3_io_methods,
    real: *const sqlite3_io_methods,
    file: usize,
}

/// # Safety
/// `file` was opened by [`open`], which gives each file room for this.
unsafe fn beside(file: *mut sqlite3_file) -> *mut Beside {
    // SAFETY: SQLite allocates `szOsFile` bytes, of which the system's part comes first;
    // its size is a multiple of a pointer's alignment, as it holds pointers.
    unsafe {
        file.cast::<u8>()
            .add((*real()).szOsFile as usize)
            .cast::<Beside>()
    }
}

unsafe fn path<'a>(name: *const c_char) -> &'a Path {
    // SAFETY: SQLite's names end with a NUL and outlive the call.
    Path::new(OsStr::from_bytes(
        unsafe { CStr::from_ptr(name) }.to_bytes(),
    ))
}

unsafe extern "C" fn open(
    _: *mut sqlite3_vfs,
    name: *const c_char,
    file: *mut sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    const RECORDED: c_int = SQLITE_OPEN_MAIN_DB | SQLITE_OPEN_MAIN_JOURNAL | SQLITE_OPEN_WAL;
    // SAFETY: what SQLite gives goes to the system's VFS unchanged. On success `file` has a
    // method table, which is put aside and replaced by one that calls it.
    unsafe {
        let Some(open) = (*real()).xOpen else {
            return rusqlite::ffi::SQLITE_ERROR;
        };
        let code = open(real(), name, file, flags, flags_out);
        let methods = (*file).pMethods;
        if code != SQLITE_OK || methods.is_null() || name.is_null() || flags & RECORDED == 0 {
            return code;
        }
        let beside = beside(file);
        beside.write(Beside {
            methods: sqlite3_io_methods {
                iVersion: (*methods).iVersion.min(METHODS_WITHOUT_MAPPING),
                xWrite: Some(write),
                xTruncate: Some(truncate),
                xSync: Some(sync),
                ..*methods
            },
            real: methods,
            file: number(path(name)),
        });
        (*file).pMethods = &raw const (*beside).methods;
        code
    }
}

unsafe extern "C" fn delete(_: *mut sqlite3_vfs, name: *const c_char, sync_folder: c_int) -> c_int {
    // SAFETY: as in `open`.
    unsafe {
        let Some(delete) = (*real()).xDelete else {
            return rusqlite::ffi::SQLITE_ERROR;
        };
        let code = delete(real(), name, 0);
        if code == SQLITE_OK {
            let file = number(path(name));
            note(|| Event::Delete {
                file,
                is_durable: sync_folder != 0,
            });
        }
        code
    }
}

unsafe extern "C" fn write(
    file: *mut sqlite3_file,
    bytes: *const c_void,
    length: c_int,
    at: sqlite3_int64,
) -> c_int {
    // SAFETY: `file` is one that `open` prepared, and SQLite's buffer has `length` bytes.
    unsafe {
        let beside = beside(file);
        let code = match (*(*beside).real).xWrite {
            Some(write) => write(file, bytes, length, at),
            None => rusqlite::ffi::SQLITE_ERROR,
        };
        if code == SQLITE_OK {
            let written = std::slice::from_raw_parts(bytes.cast::<u8>(), length as usize);
            note(|| Event::Write {
                file: (*beside).file,
                at: at as usize,
                bytes: written.to_vec(),
            });
        }
        code
    }
}

unsafe extern "C" fn truncate(file: *mut sqlite3_file, size: sqlite3_int64) -> c_int {
    // SAFETY: as in `write`.
    unsafe {
        let beside = beside(file);
        let code = match (*(*beside).real).xTruncate {
            Some(truncate) => truncate(file, size),
            None => rusqlite::ffi::SQLITE_ERROR,
        };
        if code == SQLITE_OK {
            note(|| Event::Truncate {
                file: (*beside).file,
                size: size as usize,
            });
        }
        code
    }
}

unsafe extern "C" fn sync(file: *mut sqlite3_file, _: c_int) -> c_int {
    // SAFETY: as in `write`.
    let file = unsafe { (*beside(file)).file };
    note(|| Event::Sync { file });
    SQLITE_OK
}
