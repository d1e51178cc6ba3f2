//! What each fuzz target is made of: a function of `tests/src/fuzz.rs`, the bound on its
//! memory, and its seeds.

#![allow(clippy::unwrap_used)]

#[path = "../../tests/src/fuzz.rs"]
mod fuzz;
#[path = "../../packet/tests/hostile/memory.rs"]
mod memory;

use std::path::PathBuf;

use fuzz::{TARGETS, Target};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// What one target's bytes may hold at a time, far above what honest ones do.
const PEAK_BYTES_MAX: usize = 16 * 1024 * 1024;

fn target(name: &str) -> &'static Target {
    TARGETS.iter().find(|target| target.name == name).unwrap()
}

/// Before the first bytes: lays the target's seeds into the folder that
/// `FORERUNNER_SEEDS` names, which libFuzzer reads afterwards.
pub fn begin(name: &str) {
    let seeds = (target(name).seeds)();
    if let Some(folder) = std::env::var_os("FORERUNNER_SEEDS").map(PathBuf::from) {
        for (number, seed) in seeds.iter().enumerate() {
            std::fs::write(folder.join(format!("seed-{number:02}")), seed).unwrap();
        }
    }
    // What its seeds make for all bytes to come is not those bytes' memory.
    for seed in seeds.iter().take(1) {
        target(name).holds(seed).unwrap();
    }
}

/// # Panics
/// When something does not hold of these bytes: libFuzzer keeps them.
pub fn run(name: &str, bytes: &[u8]) {
    let (held, peak) = memory::peak_bytes(|| target(name).holds(bytes));
    assert_eq!(held, Ok(()), "{name}");
    assert!(peak < PEAK_BYTES_MAX, "{name}: {peak} bytes of memory");
}

/// A fuzz target: `fuzz!("NAME");` and nothing else.
#[macro_export]
macro_rules! fuzz {
    ($name:literal) => {
        libfuzzer_sys::fuzz_target!(
            init: $crate::begin($name),
            |bytes: &[u8]| $crate::run($name, bytes)
        );
    };
}
