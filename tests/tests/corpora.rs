//! All that fuzzing ever found, and honest bytes altered at random, through the functions
//! that the fuzzer runs.
//!
//! `fuzz/corpus/TARGET` is what the fuzzer kept, cut down to what each file alone reaches.
//! `FORERUNNER_MUTATIONS` says how many mutations for each target, `FORERUNNER_SEED` which.

#![allow(clippy::unwrap_used)]

#[path = "../../packet/tests/hostile/memory.rs"]
mod memory;

use std::path::{Path, PathBuf};

use forerunner_tests::fuzz::{TARGETS, Target};

#[global_allocator]
static MEMORY: memory::Counting = memory::Counting;

/// What one target's bytes may hold at a time, far above what honest ones do.
const PEAK_BYTES_MAX: usize = 16 * 1024 * 1024;
const FILES_MAX: usize = 100;
const FILE_BYTES_MAX: usize = 16 * 1024;
const MUTATIONS: u64 = 400;
const SEED: u64 = 3;

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

/// Says which bytes it was.
fn run(target: &Target, from: &str, bytes: &[u8]) {
    let (held, peak) = memory::peak_bytes(|| target.holds(bytes));
    let name = target.name;
    assert_eq!(held, Ok(()), "{name}, {from}: {bytes:02x?}");
    assert!(
        peak < PEAK_BYTES_MAX,
        "{name}, {from}: {peak} bytes of memory"
    );
}

#[test]
fn every_file_of_the_corpora_holds() {
    let names: Vec<_> = TARGETS.iter().map(|target| target.name).collect();
    for folder in std::fs::read_dir(fuzz().join("corpus"))
        .into_iter()
        .flatten()
    {
        let folder = folder.unwrap().file_name().into_string().unwrap();
        assert!(names.contains(&folder.as_str()), "{folder} is no target");
    }
    for target in TARGETS {
        // A target that nothing was found for yet has its seeds alone.
        let files: Vec<_> = std::fs::read_dir(fuzz().join("corpus").join(target.name))
            .into_iter()
            .flatten()
            .map(|file| file.unwrap().path())
            .collect();
        assert!(files.len() <= FILES_MAX, "{}", target.name);
        for file in files {
            let bytes = std::fs::read(&file).unwrap();
            assert!(bytes.len() <= FILE_BYTES_MAX, "{}", file.display());
            run(target, &file.display().to_string(), &bytes);
        }
    }
}

#[test]
fn every_target_is_one_of_cargo_fuzz() {
    let manifest = std::fs::read_to_string(fuzz().join("Cargo.toml")).unwrap();
    for Target { name, .. } in TARGETS {
        assert!(manifest.contains(&format!("name = \"{name}\"")), "{name}");
        let wrapper = fuzz().join(format!("fuzz_targets/{name}.rs"));
        assert!(wrapper.is_file(), "{}", wrapper.display());
    }
}

fn number_from(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
fn honest_bytes_and_their_mutations_hold() {
    let mutations = number_from("FORERUNNER_MUTATIONS").unwrap_or(MUTATIONS);
    let seed = number_from("FORERUNNER_SEED").unwrap_or(SEED);
    let mut random = fastrand::Rng::with_seed(seed);
    for target in TARGETS {
        let seeds = (target.seeds)();
        for seed in &seeds {
            run(target, "a seed", seed);
        }
        for _ in 0..mutations {
            let mut bytes = seeds[random.usize(..seeds.len())].clone();
            mutate(&mut random, &mut bytes);
            run(target, "a mutation", &bytes);
        }
    }
}

/// A flip, another byte, a cut, an insertion, a splice of itself; one to three of them.
fn mutate(random: &mut fastrand::Rng, bytes: &mut Vec<u8>) {
    for _ in 0..random.usize(1..4) {
        let at = random.usize(0..=bytes.len());
        let length = random.usize(0..=8.min(bytes.len() - at));
        match random.u8(0..5) {
            0 if at < bytes.len() => bytes[at] ^= 1 << random.u8(0..8),
            1 if at < bytes.len() => bytes[at] = random.u8(..),
            2 => drop(bytes.drain(at..at + length)),
            3 => {
                let new: Vec<_> = (0..random.usize(1..6)).map(|_| random.u8(..)).collect();
                drop(bytes.splice(at..at, new));
            }
            _ => {
                let from = random.usize(0..=bytes.len());
                let copy = bytes[from..(from + 12).min(bytes.len())].to_vec();
                drop(bytes.splice(at..at + length, copy));
            }
        }
    }
}
