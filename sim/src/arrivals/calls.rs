//! The calls of a file, as the city lives through them.

use packet::CallId;
use server::intake::{CallReport, CallStatus};

use super::map::{Place, Plane};
use super::natures::{Origin, origin};

/// One call.
#[derive(Debug)]
pub(super) struct Call {
    /// As dispatch reports it when it opens: without what came of it.
    pub(super) report: CallReport,
    pub(super) ends: CallStatus,
    pub(super) origin: Origin,
    pub(super) received_ms: u64,
    pub(super) place: Place,
    pub(super) district: String,
    /// By the real triage.
    pub(super) priority: u8,
    /// … that it found in the narrative.
    pub(super) plates: Vec<String>,
    /// Once the center has opened it.
    pub(super) id: Option<CallId>,
}

/// Calls in the order of their receipt, and where virtual time begins.
#[derive(Debug)]
pub(super) struct Calls {
    pub(super) all: Vec<Call>,
    pub(super) epoch_ms: i64,
    /// Calls without a position, or with one that is not in this city: they are put where the
    /// call of their district before them was.
    pub(super) unplaced: usize,
}

/// What a call without a district belongs to.
const NO_DISTRICT: &str = "0";
/// Virtual time begins so long before the first call: devices have to be in session.
const BEFORE_MS: i64 = 120_000;

impl Calls {
    /// `reports` must not be empty.
    pub(super) fn new(mut reports: Vec<CallReport>) -> Self {
        // Stable: at one time in the order of the file.
        reports.sort_by_key(|report| report.received);
        let first_ms = reports.first().map_or(0, |r| r.received.as_millisecond());
        let epoch_ms = first_ms - BEFORE_MS;
        let plane = Plane::around(&reports);
        let mut unplaced = 0;
        let mut last = std::collections::BTreeMap::new();
        let all = reports
            .into_iter()
            .map(|mut report| {
                let district = report
                    .district
                    .clone()
                    .unwrap_or_else(|| NO_DISTRICT.to_owned());
                let position = report.latitude.zip(report.longitude);
                let place = position
                    .and_then(|(latitude, longitude)| plane.place(latitude, longitude))
                    .unwrap_or_else(|| {
                        unplaced += 1;
                        last.get(&district).copied().unwrap_or_default()
                    });
                last.insert(district.clone(), place);
                let received_ms = report.received.as_millisecond() - epoch_ms;
                let ends = std::mem::replace(&mut report.status, CallStatus::Open);
                Call {
                    origin: origin(&report.nature),
                    received_ms: received_ms.unsigned_abs(),
                    place,
                    district,
                    priority: 3,
                    plates: Vec::new(),
                    id: None,
                    ends,
                    report,
                }
            })
            .collect();
        Self {
            all,
            epoch_ms,
            unplaced,
        }
    }
}
