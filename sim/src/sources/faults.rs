//! How agency databases behave: slow, and now and then broken.
//!
//! Delays are drawn log-normally (most answers come soon, a few late), as
//! response times of such systems tend to be; the numbers are our own. A failure
//! is an error at once or a hang. A hang is not scaled with the delays: it is
//! there to run into the client's timeout, which does not scale either.

use std::f64::consts::TAU;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::Response;
use fastrand::Rng;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

use super::problem;
use crate::chance::{happens, hash};

const DELAY_MS_MEDIAN: f64 = 80.0;
const DELAY_SPREAD: f64 = 0.8;
const DELAY_MS_MIN: f64 = 20.0;
const DELAY_MS_MAX: f64 = 400.0;
/// Whatever the scale, no delay is longer.
const SCALED_DELAY_MS_MAX: f64 = 10_000.0;
const HANG_MS_MIN: u64 = 4_000;
const HANG_MS_MAX: u64 = 9_000;
/// Of the failures, so many hang; the others are errors at once.
const HANG_SHARE: f64 = 0.3;
/// What one database works on at a time; a question beyond that gets 503.
const QUESTIONS_AT_ONCE_MAX: usize = 256;

/// How slow and how unreliable the agency databases are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Faults {
    /// Multiplies the natural delays of 20 to 400 ms; 0 is no delay.
    pub delay_scale: f64,
    /// The share of questions that fail, 0 to 1: status 500, or a hang of 4 to
    /// 9 seconds (never scaled) that ends in 504.
    pub failure_share: f64,
}

impl Default for Faults {
    /// Natural delays; of a hundred questions three fail.
    fn default() -> Self {
        Self {
            delay_scale: 1.0,
            failure_share: 0.03,
        }
    }
}

impl Faults {
    /// At once and always: for tests that are about something else.
    pub const NONE: Self = Self {
        delay_scale: 0.0,
        failure_share: 0.0,
    };
}

/// What one question meets.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fate {
    Answer(Duration),
    Error(Duration),
    Hang(Duration),
}

/// One database's temper. The n-th question to it meets the same in each run.
pub(super) struct Mood {
    seed: u64,
    faults: Faults,
    questions: AtomicU64,
    at_once: Semaphore,
    stop: CancellationToken,
}

impl Mood {
    pub(super) fn new(seed: u64, name: &str, faults: Faults, stop: CancellationToken) -> Self {
        Self {
            seed: hash(seed, name.as_bytes()),
            faults,
            questions: AtomicU64::new(0),
            at_once: Semaphore::new(QUESTIONS_AT_ONCE_MAX),
            stop,
        }
    }

    fn fate(&self) -> Fate {
        let number = self.questions.fetch_add(1, Ordering::Relaxed);
        let mut rng = Rng::with_seed(hash(self.seed, &number.to_le_bytes()));
        let delay = delay(&mut rng, self.faults.delay_scale);
        if !happens(&mut rng, self.faults.failure_share) {
            Fate::Answer(delay)
        } else if happens(&mut rng, HANG_SHARE) {
            Fate::Hang(Duration::from_millis(rng.u64(HANG_MS_MIN..=HANG_MS_MAX)))
        } else {
            Fate::Error(delay)
        }
    }
}

#[cfg(test)]
impl Mood {
    /// Whether the next question hangs; counts as one.
    pub(super) fn hangs(&self) -> bool {
        matches!(self.fate(), Fate::Hang(_))
    }
}

fn delay(rng: &mut Rng, scale: f64) -> Duration {
    // Box and Muller; 1 - f64() is never zero.
    let normal = (-2.0 * (1.0 - rng.f64()).ln()).sqrt() * (TAU * rng.f64()).cos();
    let natural_ms = DELAY_MS_MEDIAN * (DELAY_SPREAD * normal).exp();
    let scaled_ms = natural_ms.clamp(DELAY_MS_MIN, DELAY_MS_MAX) * scale;
    // The conversion takes what is below zero or not a number as zero.
    Duration::from_micros((scaled_ms.clamp(0.0, SCALED_DELAY_MS_MAX) * 1_000.0) as u64)
}

/// Lets the question through, late or not at all.
pub(super) async fn behave(
    State(mood): State<Arc<Mood>>,
    request: Request,
    next: Next,
) -> Response {
    let Ok(_permit) = mood.at_once.try_acquire() else {
        return problem(
            StatusCode::SERVICE_UNAVAILABLE,
            "too many questions at once",
        );
    };
    let fate = mood.fate();
    let (Fate::Answer(wait) | Fate::Error(wait) | Fate::Hang(wait)) = fate;
    tokio::select! {
        () = tokio::time::sleep(wait) => {}
        () = mood.stop.cancelled() => {
            return problem(StatusCode::SERVICE_UNAVAILABLE, "shutting down");
        }
    }
    if !matches!(fate, Fate::Answer(_)) {
        tracing::debug!(?fate, "an agency database fails as asked");
    }
    match fate {
        Fate::Answer(_) => next.run(request).await,
        Fate::Error(_) => problem(StatusCode::INTERNAL_SERVER_ERROR, "database error"),
        Fate::Hang(_) => problem(StatusCode::GATEWAY_TIMEOUT, "database did not answer"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fates(faults: Faults) -> Vec<Fate> {
        let mood = Mood::new(5, "records", faults, CancellationToken::new());
        (0..2_000).map(|_| mood.fate()).collect()
    }

    #[test]
    fn delays_lie_within_the_limits_and_scale() {
        let scaled = Faults {
            delay_scale: 0.5,
            failure_share: 0.0,
        };
        for fate in fates(scaled) {
            let Fate::Answer(delay) = fate else {
                unreachable!("no failure was asked for, got {fate:?}")
            };
            assert!((10..=200).contains(&delay.as_millis()), "{delay:?}");
        }
    }

    #[test]
    fn the_share_of_failures_is_as_asked_and_the_same_each_run() {
        let faults = Faults {
            delay_scale: 1.0,
            failure_share: 0.1,
        };
        let fates_once = fates(faults);
        let is_hang = |fate: &&Fate| matches!(fate, Fate::Hang(_));
        let is_error = |fate: &&Fate| matches!(fate, Fate::Error(_));
        let hangs = fates_once.iter().filter(is_hang).count();
        let errors = fates_once.iter().filter(is_error).count();
        assert!((30..=95).contains(&hangs), "{hangs}");
        assert!((95..=190).contains(&errors), "{errors}");
        assert_eq!(fates_once, fates(faults));
    }

    #[test]
    fn a_scale_that_makes_no_sense_makes_no_endless_delay() {
        let mut rng = Rng::with_seed(1);
        assert_eq!(delay(&mut rng, f64::NAN), Duration::ZERO);
        assert_eq!(delay(&mut rng, -1.0), Duration::ZERO);
        let limit = Duration::from_millis(SCALED_DELAY_MS_MAX as u64);
        assert_eq!(delay(&mut rng, f64::INFINITY), limit);
    }
}
