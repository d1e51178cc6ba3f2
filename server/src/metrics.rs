//! What the center counts, for Prometheus and for the demo's live line.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hdrhistogram::Histogram;
use packet::Kind;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram as Buckets, exponential_buckets};
use prometheus_client::registry::Registry;

use crate::arrivals::Arrival;
use crate::log::Committed;

/// Longest delay that the histogram tells apart, in microseconds: ten minutes.
const DELAY_US_MAX: u64 = 600_000_000;

/// The call's priority.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfPriority {
    priority: u8,
}

/// An arrival, and what was on the device: `everything` that was asked, `complete`, or `not`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfArrival {
    priority: u8,
    had: &'static str,
}

/// Why not everything was there.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct OfReason {
    priority: u8,
    why: &'static str,
}

/// Counters live as long as the process.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    pub calls: Counter,
    pub changes: Counter,
    pub findings: Counter,
    pub delivered: Counter,
    pub refused: Counter,
    pub protocol_errors: Counter,
    pub bytes_up: Counter,
    pub hot_list_found: Counter,
    pub withdrawn: Counter,
    pub plate_reads: Counter,
    pub plate_read_hits: Counter,
    pub plate_reads_forgotten: Counter,
    pub hot_list_entries: Gauge,
    pub premises: Gauge,
    pub searches: Counter,
    pub notices: Counter,
    pub clips_attached: Counter,
    pub clips_failed: Counter,
    pub clips_waiting: Gauge,
    pub devices: Gauge,
    pub calls_carried: Gauge,
    pub catch_ups_waiting: Gauge,
    /// 1 while the file of triage rules is wrong and older ones stand.
    pub triage_rules_wrong: Gauge,
    /// 1 while a file of policies is wrong and those of before stand.
    pub policies_wrong: Gauge,
    /// Entries of the audit log that are signed.
    pub audit_entries: Gauge,
    /// What could not be entered in it, and waits.
    pub audit_unkept: Gauge,
    /// Times that something could not be put on record.
    pub audit_failures: Counter,
    /// Decisions asked for since the start, and those of them that nothing kept answered.
    pub policy_decisions: Gauge,
    pub policy_decisions_made: Gauge,
    pub resident_bytes: Gauge,
    delay_s: Buckets,
    delay_us: Mutex<Histogram<u64>>,
    lead_s: Family<OfPriority, Buckets>,
    arrivals: Family<OfArrival, Counter>,
    not_everything: Family<OfReason, Counter>,
}

/// From the log's commit of a note or caution to its receipt from a device, which
/// comes after that device's own commit.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct NoteToDevice {
    pub count: u64,
    pub p50_ms: f64,
    pub p99_ms: f64,
}

impl Metrics {
    #[must_use]
    pub fn new() -> Arc<Self> {
        let mut registry = Registry::with_prefix("forerunner");
        let mut counter = |name: &str, help: &str| {
            let counter = Counter::default();
            registry.register(name, help, counter.clone());
            counter
        };
        let (calls, changes, findings, delivered, refused, protocol_errors, bytes_up) = (
            counter("calls", "Calls opened"),
            counter("changes", "Changes in the log since the start"),
            counter("findings", "Findings of sources"),
            counter(
                "delivered",
                "Changes that a device has confirmed as durable",
            ),
            counter("refused", "Changes that were refused"),
            counter(
                "protocol_errors",
                "Sessions ended by a frame that broke the protocol",
            ),
            counter("bytes_up", "Bytes of frames from devices"),
        );
        let (hot_list_found, withdrawn, plate_reads, plate_read_hits, plate_reads_forgotten) = (
            counter(
                "hot_list_found",
                "Findings that come of a hot-list entry, alerts and what beats carry among them",
            ),
            counter(
                "withdrawn",
                "Entries that the center withdrew because what they came of has ended",
            ),
            counter("plate_reads", "Plate reads taken"),
            counter("plate_read_hits", "Packets that were told of a plate read"),
            counter(
                "plate_reads_forgotten",
                "Plate reads deleted for good after the hours that they are kept",
            ),
        );
        let (searches, notices, clips_attached, clips_failed) = (
            counter("searches", "Searches over all packets"),
            counter("notices", "Notices that saved searches gave"),
            counter(
                "clips_attached",
                "Recordings that were attached to a packet",
            ),
            counter(
                "clips_failed",
                "Recordings that were asked for and did not come",
            ),
        );
        let audit_failures = counter(
            "audit_failures",
            "Times that something could not be put on record, or the audit log was found changed",
        );
        let mut gauge = |name: &str, help: &str| {
            let gauge = Gauge::default();
            registry.register(name, help, gauge.clone());
            gauge
        };
        let devices = gauge("devices", "Devices connected now");
        let catch_ups_waiting = gauge(
            "catch_ups_waiting",
            "Devices that wait for their turn to catch up from the disk",
        );
        let triage_rules_wrong = gauge(
            "triage_rules_wrong",
            "1 while the file of triage rules is wrong and older rules stand",
        );
        let policies_wrong = gauge(
            "policies_wrong",
            "1 while a file of policies or people is wrong and those of before stand",
        );
        let policy_decisions = gauge("policy_decisions", "Decisions asked for since the start");
        let policy_decisions_made = gauge(
            "policy_decisions_made",
            "Of those, decisions that were made anew",
        );
        let calls_carried = gauge("calls_carried", "Calls that a unit carries now");
        let clips_waiting = gauge("clips_waiting", "Recordings that are waited for");
        let audit_entries = gauge("audit_entries", "Entries of the audit log that are signed");
        let audit_unkept = gauge(
            "audit_unkept",
            "Records that wait beside the log because it could not be written",
        );
        let resident_bytes = gauge("resident_bytes", "Resident memory of the process");
        let hot_list_entries = gauge("hot_list_entries", "Hot-list entries that are live");
        let premises = gauge("premises", "Premise cautions that are live");
        let delay_s = Buckets::new(exponential_buckets(0.001, 2.0, 18));
        registry.register(
            "note_to_device_seconds",
            "From the log's commit of a note or caution to its being on a device that had the packet",
            delay_s.clone(),
        );
        let lead_s = Family::new_with_constructor(lead_buckets as fn() -> Buckets);
        registry.register(
            "arrival_lead_seconds",
            "From when all that was known was on the primary unit's device to its arrival; calls that had it",
            lead_s.clone(),
        );
        let arrivals = Family::default();
        registry.register(
            "arrivals",
            "Arrivals of primary units, by what their devices had",
            arrivals.clone(),
        );
        let not_everything = Family::default();
        registry.register(
            "arrivals_without",
            "Why not everything that was asked was answered and there at an arrival",
            not_everything.clone(),
        );
        let delay_us = Histogram::new_with_bounds(1, DELAY_US_MAX, 3).unwrap_or_else(|_| {
            Histogram::new(3).unwrap_or_else(|_| unreachable!("three digits are allowed"))
        });
        Arc::new(Self {
            registry,
            calls,
            changes,
            findings,
            delivered,
            refused,
            protocol_errors,
            bytes_up,
            hot_list_found,
            withdrawn,
            plate_reads,
            plate_read_hits,
            plate_reads_forgotten,
            hot_list_entries,
            premises,
            searches,
            notices,
            clips_attached,
            clips_failed,
            clips_waiting,
            devices,
            calls_carried,
            catch_ups_waiting,
            triage_rules_wrong,
            policies_wrong,
            audit_entries,
            audit_unkept,
            audit_failures,
            policy_decisions,
            policy_decisions_made,
            resident_bytes,
            delay_s,
            delay_us: Mutex::new(delay_us),
            lead_s,
            arrivals,
            not_everything,
        })
    }

    /// A device has confirmed this change, so long after it had it; `None` where the time
    /// from the commit says nothing of the way.
    pub fn delivered(&self, change: &Committed, held: Option<Duration>) {
        self.delivered.inc();
        let Some(held) = held else { return };
        if !matches!(change.entry.kind(), Kind::Note | Kind::Caution) {
            return;
        }
        let delay = change.at.elapsed().saturating_sub(held);
        self.delay_s.observe(delay.as_secs_f64());
        let us = u64::try_from(delay.as_micros()).unwrap_or(DELAY_US_MAX);
        self.delay_us
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .saturating_record(us);
    }

    /// A call's primary unit came to the scene.
    pub fn arrived(&self, priority: u8, arrival: &Arrival) {
        let had = match arrival.lead_ms() {
            _ if arrival.is_everything() => "everything",
            Some(_) => "complete",
            None => "not",
        };
        let labels = OfArrival { priority, had };
        self.arrivals.get_or_create(&labels).inc();
        if let Some(lead_ms) = arrival.lead_ms() {
            #[allow(clippy::cast_precision_loss)] // milliseconds of days
            let lead_s = lead_ms as f64 / 1_000.0;
            let labels = OfPriority { priority };
            self.lead_s.get_or_create(&labels).observe(lead_s);
        }
        for why in &arrival.why {
            let why = why.kind();
            let labels = OfReason { priority, why };
            self.not_everything.get_or_create(&labels).inc();
        }
    }

    /// Note to device since the last time it was asked with `reset`.
    #[must_use]
    #[allow(clippy::cast_precision_loss)]
    pub fn note_to_device(&self, reset: bool) -> NoteToDevice {
        let mut histogram = self.delay_us.lock().unwrap_or_else(PoisonError::into_inner);
        let ms = |quantile| histogram.value_at_quantile(quantile) as f64 / 1_000.0;
        let figure = NoteToDevice {
            count: histogram.len(),
            p50_ms: ms(0.5),
            p99_ms: ms(0.99),
        };
        if reset {
            histogram.reset();
        }
        figure
    }

    /// The text that Prometheus reads (OpenMetrics 1.0).
    #[must_use]
    pub fn text(&self) -> String {
        self.resident_bytes.set(resident_bytes());
        let mut text = String::new();
        // Writing into a `String` cannot fail.
        let _ = encode(&mut text, &self.registry);
        text
    }
}

/// From one second to a bit over an hour.
fn lead_buckets() -> Buckets {
    Buckets::new(exponential_buckets(1.0, 2.0, 13))
}

/// The resident memory of this process, where the system says it; else 0.
#[must_use]
pub fn resident_bytes() -> i64 {
    let pages = std::fs::read_to_string("/proc/self/statm")
        .ok()
        .and_then(|text| text.split_whitespace().nth(1)?.parse::<i64>().ok());
    pages.unwrap_or(0) * 4_096
}
