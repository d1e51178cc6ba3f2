#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use jiff::Timestamp;
use packet::{
    CallId, CenterId, Compartment, Confidence, DeviceNumber, DocumentId, Entry, Finding, Outcome,
    OutcomeState, Topic, UnitState, UnitStatus,
};

use super::{Arrival, Book, DELIVERY_MS, Report, Timeline, Why};
use crate::clock::Clock;
use crate::contacts::Contact;
use crate::hub::Hub;
use crate::intake::{CallReport, CallStatus};
use crate::log::{Desk, Ledger, LogError, LogOptions, Surroundings, Task};
use crate::receipts::tests::named as carrier_named;
use crate::receipts::{Batch, Report as Says};
use crate::shifts::{self, Shift};
use crate::triage::Rules;
use crate::{calls, devices};

/// The time that each story begins at.
const T: i64 = 1_800_000_000_000;
const SECOND: i64 = 1_000;

/// A center whose clock a test sets.
struct Bench {
    desk: Desk,
    hub: Hub,
    now: Arc<AtomicI64>,
    _folder: tempfile::TempDir,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let now = Arc::new(AtomicI64::new(T));
        let told = now.clone();
        let surroundings = Surroundings::new(
            Clock::new(move || told.load(Ordering::Relaxed)),
            |bytes: &mut [u8]| bytes.fill(7),
        );
        let options = LogOptions {
            center: CenterId([1; 16]),
            store_key: [2; 32],
            mac_key: [3; 32],
        };
        let file = Path::new(folder.path()).join("center.db");
        let desk = Desk::open(&file, &options, &surroundings, |_| {}).unwrap();
        Self {
            desk,
            hub: Hub::default(),
            now,
            _folder: folder,
        }
    }

    /// Does this at so many milliseconds of the story.
    fn at<R: Send + 'static>(
        &mut self,
        ms: i64,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<R, LogError> + Send + 'static,
    ) -> R {
        self.now.store(T + ms, Ordering::Relaxed);
        let (answer, answered) = std::sync::mpsc::channel();
        self.desk.commit([Task::new(work, move |result| {
            answer.send(result).unwrap();
        })]);
        answered.recv().unwrap().unwrap()
    }

    /// A device of 4A12, with somebody signed on.
    fn device(&mut self) -> DeviceNumber {
        self.at(-60_000, |ledger| {
            let code = devices::new_code(ledger, "pd", "MDT 1")?;
            let device = devices::enrol(ledger, &code, &[1])?;
            shifts::sign_on(
                ledger,
                &Shift {
                    device: device.number,
                    officer: "Diaz".into(),
                    badge: "7".into(),
                    unit: "4A12".into(),
                    agency: "pd".into(),
                    expires_ms: i64::MAX,
                },
            )?;
            Ok(device.number)
        })
    }

    fn call(&mut self, nature: &str) -> CallId {
        let at = Timestamp::from_millisecond(T).unwrap();
        let report = CallReport {
            agency: "pd".into(),
            number: "1".into(),
            received: at,
            updated: at,
            nature: nature.into(),
            location: "2900 W OKLAHOMA AV".into(),
            latitude: None,
            longitude: None,
            district: None,
            priority: None,
            narrative: vec![],
            plates: vec![],
            units: vec![],
            status: CallStatus::Open,
        };
        let triage = Rules::default().triage(&report);
        self.at(0, move |ledger| calls::report(ledger, &report, &triage))
            .call
    }

    fn outcome(&mut self, ms: i64, call: CallId, source: &str, state: OutcomeState) {
        let (source, document) = (source.to_owned(), DocumentId::new(call, Compartment::Call));
        self.at(ms, move |ledger| {
            if state == OutcomeState::Answered {
                let finding = Finding {
                    source: source.clone(),
                    title: "1 prior incident".into(),
                    text: "x".into(),
                    query: "q".into(),
                    recorded_ms: None,
                    answered_ms: ledger.now_ms(),
                    confidence: Confidence::Exact,
                    topic: Topic::Record,
                    link: None,
                    ends_ms: None,
                    answers: None,
                };
                ledger.append(document, Entry::Finding(finding))?;
            }
            let outcome = Outcome {
                source,
                query: "q".into(),
                state,
                took_ms: Some(900),
                detail: None,
                as_of_ms: None,
                answers: None,
            };
            ledger.append(document, Entry::Outcome(outcome))
        });
    }

    fn assign(&mut self, ms: i64, call: CallId) {
        self.at(ms, move |ledger| calls::assign(ledger, call, "4A12"));
    }

    fn on_scene(&mut self, ms: i64, call: CallId) {
        let status = UnitStatus {
            unit: "4A12".into(),
            status: UnitState::OnScene,
            by: "Diaz".into(),
        };
        self.at(ms, move |ledger| {
            let document = DocumentId::new(call, Compartment::Call);
            ledger.append(document, Entry::UnitStatus(status))
        });
    }

    /// The device says that it has all that there is.
    fn delivered(&mut self, ms: i64, call: CallId, device: DeviceNumber) {
        let carrier = carrier_named(device.0, "4A12 MDT 1", "Diaz (4A12)");
        self.at(ms, move |ledger| {
            let mut says = Says::default();
            for compartment in Ledger::carried() {
                let document = DocumentId::new(call, compartment);
                says.delivered.insert(document, ledger.last(document)?);
            }
            let mut batch = Batch::default();
            batch.add(&carrier, says, ledger.now_ms());
            batch.write(ledger).map(drop)
        });
    }

    fn contact(&mut self, device: DeviceNumber, from_ms: i64, to_ms: i64) {
        let carrier = carrier_named(device.0, "4A12 MDT 1", "Diaz (4A12)");
        self.at(to_ms, move |ledger| {
            let contact = Some(Contact {
                began_ms: T + from_ms,
                heard_ms: Some(T + to_ms),
            });
            let mut batch = Batch::default();
            let says = Says {
                contact,
                ..Says::default()
            };
            batch.add(&carrier, says, ledger.now_ms());
            batch.write(ledger).map(drop)
        });
    }

    fn arrival(&self, call: CallId) -> Option<Arrival> {
        let read = |connection: &rusqlite::Connection| Timeline::read(connection, &self.hub, call);
        let timeline = self.desk.readers().read_blocking(read).unwrap().unwrap();
        Arrival::of(&timeline)
    }

    fn why(&self, call: CallId) -> Vec<Why> {
        self.arrival(call).unwrap().why.into_iter().collect()
    }

    fn report(&self, book: &Book, now_ms: i64) -> Report {
        let read =
            |connection: &rusqlite::Connection| book.read(connection, &self.hub, T - 1, T + now_ms);
        self.desk.readers().read_blocking(read).unwrap()
    }
}

#[test]
fn what_was_confirmed_before_the_arrival_was_there_by_as_much() {
    let mut bench = Bench::new();
    let device = bench.device();
    let call = bench.call("SHOTS FIRED");
    bench.outcome(900, call, "Records", OutcomeState::Answered);
    bench.assign(60 * SECOND, call);
    bench.delivered(62 * SECOND, call, device);
    assert_eq!(bench.arrival(call), None);
    bench.on_scene(200 * SECOND, call);
    // What comes after the arrival, and its late receipt, change nothing.
    bench.outcome(201 * SECOND, call, "Late", OutcomeState::Answered);
    bench.delivered(203 * SECOND, call, device);
    let arrival = bench.arrival(call).unwrap();
    assert_eq!(arrival.lead_ms(), Some(138 * SECOND));
    assert!(arrival.complete_ms.is_some());
    // It was asked before the arrival (it took 0.9 s), and answered after it …
    bench.outcome(200 * SECOND + 500, call, "Slow", OutcomeState::NothingFound);
    assert_eq!(bench.why(call), [Why::SlowSource("Slow".into())]);
}

#[test]
fn what_came_in_the_last_moment_is_not_asked_for_and_what_came_before_it_is() {
    for (before_ms, is_complete) in [(DELIVERY_MS - 1, true), (DELIVERY_MS, false)] {
        let mut bench = Bench::new();
        let device = bench.device();
        let call = bench.call("SHOTS FIRED");
        bench.assign(10 * SECOND, call);
        bench.delivered(11 * SECOND, call, device);
        let late_ms = 100 * SECOND - before_ms;
        bench.outcome(late_ms, call, "Records", OutcomeState::Answered);
        bench.on_scene(100 * SECOND, call);
        let arrival = bench.arrival(call).unwrap();
        assert_eq!(arrival.complete_ms.is_some(), is_complete);
        // An answer that is not there is a miss either way.
        assert!(!arrival.is_everything());
    }
}

#[test]
fn each_miss_says_why() {
    let story = |tell: &dyn Fn(&mut Bench, CallId)| {
        let mut bench = Bench::new();
        let call = bench.call("SHOTS FIRED");
        tell(&mut bench, call);
        bench.on_scene(200 * SECOND, call);
        bench.why(call)
    };
    let why = story(&|bench, call| bench.assign(20 * SECOND, call));
    assert_eq!(why, [Why::NoDevice]);

    let why = story(&|bench, call| {
        bench.device();
        bench.assign(195 * SECOND, call);
    });
    assert_eq!(why, [Why::LateAssignment]);

    let why = story(&|bench, call| {
        bench.device();
        bench.assign(20 * SECOND, call);
    });
    assert_eq!(why, [Why::DeviceOff]);

    let why = story(&|bench, call| {
        let device = bench.device();
        bench.contact(device, -50_000, -10_000);
        bench.assign(20 * SECOND, call);
    });
    assert_eq!(why, [Why::NoCoverage]);

    // It had what there was, and lost its link before the last answer.
    let why = story(&|bench, call| {
        let device = bench.device();
        bench.assign(20 * SECOND, call);
        bench.delivered(22 * SECOND, call, device);
        bench.outcome(90 * SECOND, call, "Records", OutcomeState::Answered);
    });
    assert_eq!(why, [Why::NoCoverage]);

    let why = story(&|bench, call| {
        let device = bench.device();
        bench.assign(20 * SECOND, call);
        bench.contact(device, 30_000, 150_000);
    });
    assert_eq!(why, [Why::SlowLink]);

    let why = story(&|bench, call| {
        let device = bench.device();
        bench.assign(20 * SECOND, call);
        bench.outcome(21 * SECOND, call, "Records", OutcomeState::TimedOut);
        bench.outcome(21 * SECOND, call, "Cameras", OutcomeState::Asked);
        bench.delivered(22 * SECOND, call, device);
    });
    let cameras = Why::SlowSource("Cameras".into());
    assert_eq!(why, [cameras, Why::DeadSource("Records".into())]);

    let why = story(&|bench, call| {
        let device = bench.device();
        bench.assign(20 * SECOND, call);
        bench.outcome(21 * SECOND, call, "Records", OutcomeState::NothingFound);
        bench.delivered(22 * SECOND, call, device);
    });
    assert_eq!(why, []);
}

#[test]
fn a_report_counts_what_is_apart_apart_and_follows_what_comes_later() {
    let mut bench = Bench::new();
    let book = Book::default();
    let device = bench.device();
    let call = bench.call("SHOTS FIRED");
    bench.outcome(900, call, "Records", OutcomeState::Answered);
    let report = bench.report(&book, 60_000);
    assert_eq!((report.nobody_came, report.all.view().calls), (1, 0));
    bench.assign(20 * SECOND, call);
    bench.delivered(22 * SECOND, call, device);
    bench.on_scene(200 * SECOND, call);
    let long_after = 3_600_000;
    let report = bench.report(&book, long_after);
    let figures = report.priorities[&1].view();
    assert_eq!(figures.complete_before_arrival, 1);
    assert_eq!(figures.everything_asked_answered_and_there, 1);
    assert_eq!(figures.lead_s.p50, Some(178.0));
    assert_eq!(report.agencies["pd"].view(), figures);
    let records = report.sources["Records"].view();
    assert_eq!((records.asked, records.there_before_arrival), (1, 1));
    assert_eq!(records.answer_s.p90, Some(0.9));
    // What is written later counts, though the judgement was kept.
    bench.outcome(150 * SECOND, call, "Cameras", OutcomeState::TimedOut);
    let report = bench.report(&book, long_after);
    assert_eq!(report.misses.len(), 1);
    assert_eq!(report.misses[0].why, "no coverage; dead source: Cameras");
    assert!(!report.misses[0].is_complete);
}

#[test]
fn a_stop_is_in_no_figure() {
    let mut bench = Bench::new();
    bench.device();
    let call = bench.call("TRAFFIC STOP");
    bench.assign(0, call);
    bench.on_scene(0, call);
    let report = bench.report(&Book::default(), 60_000);
    assert_eq!((report.no_travel, report.all.view().calls), (1, 0));
}
