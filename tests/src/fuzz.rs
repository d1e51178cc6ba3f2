//! What any bytes may do, as functions of bytes: the fuzz targets.
//!
//! A fuzzer only finds what is asserted. *It did not panic* says little, so each function
//! asserts what must hold of the bytes that it takes: what is read is written again as
//! the same thing, what is admitted can be saved and loaded, a session ends. They are
//! fed from two sides: by libFuzzer (`fuzz/`, `cargo xtask fuzz`), which includes this
//! file without the rest of this crate so that it builds only what it needs, and by
//! `tests/corpora.rs` with all that was ever found.
//!
//! Nothing here may look at the machine's clock or be random: a finding has to come again.

// By name, because `fuzz/` includes this file from elsewhere.
#[path = "fuzz/changes.rs"]
mod changes;
#[path = "fuzz/frames.rs"]
mod frames;
#[path = "fuzz/intake.rs"]
mod intake;
#[path = "fuzz/sealed.rs"]
mod sealed;
#[path = "fuzz/sessions.rs"]
mod sessions;

use std::cell::RefCell;
use std::fmt;
use std::panic::{catch_unwind, set_hook, take_hook};
use std::sync::Once;

/// One way for bytes to come in.
#[derive(Clone, Copy)]
pub struct Target {
    /// Of the fuzz target, and of its folder in `fuzz/corpus`.
    pub name: &'static str,
    run: fn(&[u8]),
    /// Bytes that go deep, made by the code as it is now.
    pub seeds: fn() -> Vec<Vec<u8>>,
}

impl fmt::Debug for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

thread_local! {
    /// The last panic's words, while a target runs.
    static WORDS: RefCell<Option<String>> = const { RefCell::new(None) };
}

impl Target {
    /// Runs it. Admission lets Automerge panic and catches it, which is no finding: so
    /// the words of a panic are kept (a backtrace of each would cost more than the work),
    /// and count only when the function itself ends by it.
    ///
    /// # Errors
    /// What does not hold of these bytes.
    pub fn holds(&self, bytes: &[u8]) -> Result<(), String> {
        static HOOK: Once = Once::new();
        HOOK.call_once(|| {
            let before = take_hook();
            set_hook(Box::new(move |panic| {
                let kept = WORDS.with_borrow_mut(|words| {
                    words.as_mut().map(|words| *words = panic.to_string())
                });
                if kept.is_none() {
                    before(panic);
                }
            }));
        });
        WORDS.set(Some(String::new()));
        let ended = catch_unwind(|| (self.run)(bytes));
        let words = WORDS.take().unwrap_or_default();
        ended.map_err(|_| words)
    }
}

macro_rules! targets {
    ($($module:ident: $($name:ident)*;)*) => {
        &[$($(Target {
            name: stringify!($name),
            run: $module::$name,
            seeds: $module::seeds::$name,
        },)*)*]
    };
}

/// All of them. A name here is a file in `fuzz/fuzz_targets`.
pub const TARGETS: &[Target] = targets! {
    frames: hello up_frames down_frames unpack;
    sessions: relay device;
    changes: change admission ids;
    sealed: sealed;
    intake: intake_json intake_eido intake_csv;
};
