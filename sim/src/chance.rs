//! Randomness that is the same for the same seed.
//!
//! Each part of the city draws from a stream of its own, named by a label, so
//! that a change in one part (one more surname, say) leaves the others as they
//! were.

use fastrand::Rng;

/// The stream of `label` in the city of `seed`.
pub(crate) fn stream(seed: u64, label: &str) -> Rng {
    Rng::with_seed(hash(seed, label.as_bytes()))
}

/// A hash that stays the same from run to run and from build to build, which
/// the standard library's does not promise (FNV-1a, then a finishing mix).
pub(crate) fn hash(seed: u64, bytes: &[u8]) -> u64 {
    let mut state = 0xcbf2_9ce4_8422_2325_u64;
    for byte in seed.to_le_bytes().iter().chain(bytes) {
        state ^= u64::from(*byte);
        state = state.wrapping_mul(0x0000_0100_0000_01b3);
    }
    state = (state ^ (state >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    state = (state ^ (state >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    state ^ (state >> 33)
}

/// One of `items`, each as likely. `items` must not be empty.
pub(crate) fn pick<'a, T>(rng: &mut Rng, items: &'a [T]) -> &'a T {
    &items[rng.usize(..items.len())]
}

/// One of `words`, each as likely. `words` must not be empty.
pub(crate) fn pick_word(rng: &mut Rng, words: &[&'static str]) -> &'static str {
    words[rng.usize(..words.len())]
}

/// One of `items`, as likely as its weight says. Weights must not sum to zero.
pub(crate) fn pick_weighted<'a, T>(
    rng: &mut Rng,
    items: &'a [T],
    weight: impl Fn(&T) -> u32,
) -> &'a T {
    let total: u32 = items.iter().map(&weight).sum();
    let mut left = rng.u32(..total);
    for item in items {
        let weight = weight(item);
        if left < weight {
            return item;
        }
        left -= weight;
    }
    unreachable!("what is drawn is less than the sum of the weights")
}

/// True in `share` (0 to 1) of the draws.
pub(crate) fn happens(rng: &mut Rng, share: f64) -> bool {
    rng.f64() < share
}

/// Log-normal, by its median and the standard deviation of its logarithm.
pub(crate) fn log_normal(rng: &mut Rng, median: f64, sigma: f64) -> f64 {
    // Box and Muller; no logarithm of zero.
    let radius = (-2.0 * (1.0 - rng.f64()).ln()).sqrt();
    let normal = radius * (std::f64::consts::TAU * rng.f64()).cos();
    median * (sigma * normal).exp()
}

/// Exponential, by its mean.
pub(crate) fn exponential(rng: &mut Rng, mean: f64) -> f64 {
    -mean * (1.0 - rng.f64()).ln()
}
