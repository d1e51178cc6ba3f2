//! What is modelled, number by number. `docs/arriving-first.md` says where each comes from.

use crate::stage::network::{Network, network};

/// Where a source gets what it is asked by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trigger {
    Address,
    Position,
    Plate,
}

/// One modelled agency database.
#[derive(Debug, Clone)]
pub struct SourceModel {
    pub name: &'static str,
    pub trigger: Trigger,
    /// How long it takes to answer: log-normal, by its median …
    pub median_ms: f64,
    /// … and the standard deviation of the logarithm.
    pub sigma: f64,
    /// In this share of the questions it knows something.
    pub hit_share: f64,
    /// In this share of the answers that know something there is a caution.
    pub caution_share: f64,
    /// Between two outages, in the mean (exponential); it begins with one where this is 0.
    pub up_h: f64,
    /// How long an outage lasts, in the mean (exponential).
    pub down_min: f64,
    pub timeout_ms: u32,
    /// Most questions that it takes in a minute.
    pub per_minute_max: u32,
}

/// All of it.
#[derive(Debug, Clone)]
pub struct Model {
    pub sources: Vec<SourceModel>,
    /// The share of the places where calls come from that has no link at all.
    pub dead_share: f64,
    /// … that has 9,600 bit/s, and 3G; what is left over has LTE.
    pub narrow_share: f64,
    pub slow_share: f64,
    /// From the receipt of a call to its dispatch, in the mean, by priority from 1 on:
    /// log-normal, [`DISPATCH_SIGMA`].
    pub dispatch_min: [f64; 5],
    /// A unit is only told to the center when it is there: by voice, and typed in later.
    pub assigned_at_arrival: bool,
    /// Between two times that a device is off (an update, a flat battery), in the mean.
    pub device_on_h: f64,
    pub device_off_min: f64,
}

pub(crate) const LTE: Network = network("LTE", 5_000_000, 40, 1, false);
pub(super) const THIRD_GENERATION: Network = network("3G", 700_000, 120, 2, false);
pub(super) const NARROW: Network = network("9,600 bit/s", 9_600, 300, 3, false);

/// Of the time from receipt to dispatch: what makes the mean a fourth longer than the median.
pub(super) const DISPATCH_SIGMA: f64 = 0.7;
/// No call is dispatched sooner after its receipt, or later but for want of a unit.
pub(super) const DISPATCH_S: std::ops::RangeInclusive<f64> = 20.0..=5_400.0;
/// The call is in CAD, and so at the center, after this share of that time …
pub(super) const ENTRY_SHARE: f64 = 0.4;
/// … and within these seconds.
pub(super) const ENTRY_S: std::ops::RangeInclusive<f64> = 10.0..=60.0;
/// From the assignment until the unit moves: log-normal.
pub(super) const TURNOUT_MEDIAN_S: f64 = 20.0;
pub(super) const TURNOUT_SIGMA: f64 = 0.6;
/// How fast a unit gets along, in the mean over its way: with lights and siren, and without.
pub(super) const URGENT_KMH: f64 = 40.0;
pub(super) const CALM_KMH: f64 = 28.0;
/// … log-normal from call to call: traffic, weather, the hour.
pub(super) const SPEED_SIGMA: f64 = 0.35;
/// How long a unit stays: log-normal, by origin of the call.
pub(super) const STAY_MEDIAN_MIN: f64 = 22.0;
pub(super) const STOP_MEDIAN_MIN: f64 = 12.0;
pub(super) const STAY_SIGMA: f64 = 0.7;
/// Calls of these priorities have two units, others one.
pub(super) const TWO_UNITS: std::ops::RangeInclusive<u8> = 1..=2;
/// So many free units of the district, drawn by chance, a dispatcher has in mind.
pub(super) const UNITS_KNOWN: usize = 3;

impl Default for Model {
    fn default() -> Self {
        Self {
            sources: sources(),
            dead_share: 0.20,
            narrow_share: 0.07,
            slow_share: 0.15,
            dispatch_min: [2.7, 6.6, 10.5, 16.5, 16.5],
            assigned_at_arrival: false,
            device_on_h: 48.0,
            device_off_min: 4.0,
        }
    }
}

const fn source(
    name: &'static str,
    trigger: Trigger,
    (median_ms, sigma): (f64, f64),
    (hit_share, caution_share): (f64, f64),
    (up_h, down_min): (f64, f64),
) -> SourceModel {
    SourceModel {
        name,
        trigger,
        median_ms,
        sigma,
        hit_share,
        caution_share,
        up_h,
        down_min,
        timeout_ms: 8_000,
        per_minute_max: 600,
    }
}

fn sources() -> Vec<SourceModel> {
    use Trigger::{Address, Plate, Position};
    vec![
        source(
            "City records",
            Address,
            (350.0, 0.6),
            (0.45, 0.05),
            (168.0, 10.0),
        ),
        source(
            "County records",
            Address,
            (800.0, 0.7),
            (0.25, 0.05),
            (120.0, 15.0),
        ),
        source(
            "University records",
            Address,
            (500.0, 0.6),
            (0.05, 0.0),
            (120.0, 20.0),
        ),
        source(
            "Premise hazards",
            Address,
            (150.0, 0.5),
            (0.04, 1.0),
            (336.0, 10.0),
        ),
        source(
            "Court orders",
            Address,
            (1_200.0, 0.8),
            (0.08, 0.3),
            (96.0, 20.0),
        ),
        source(
            "Probation and parole",
            Address,
            (2_500.0, 0.9),
            (0.10, 0.1),
            (72.0, 30.0),
        ),
        source("Vehicles", Plate, (900.0, 0.6), (0.80, 0.03), (120.0, 10.0)),
        source(
            "Cameras",
            Position,
            (200.0, 0.4),
            (0.70, 0.0),
            (168.0, 10.0),
        ),
        source(
            "Plate readers",
            Position,
            (600.0, 0.6),
            (0.30, 0.0),
            (120.0, 15.0),
        ),
    ]
}
