//! A log under a clock of the test's own, for what is listed, read and withdrawn.
#![allow(clippy::unwrap_used)]

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::mpsc;

use jiff::Timestamp;
use packet::{CallId, CenterId, Compartment, DocumentId, Entry, EntryId, Note};

use super::{WITHDRAWN_PER_COMMIT_MAX, withdraw_due};
use crate::beats;
use crate::calls;
use crate::clock::Clock;
use crate::hot_list::{self, HotEntry, HotKind};
use crate::intake::{CallReport, CallStatus};
use crate::log::{Desk, Ledger, LogError, LogOptions, Surroundings, Task, document};
use crate::plate_reads::{self, PlateRead, Taken};
use crate::premises;
use crate::triage::{Rules, Triage};

pub(crate) const HOUR_MS: i64 = 60 * 60 * 1_000;
const START_MS: i64 = 1_767_268_982_000;
/// How long plate reads are kept here.
pub(crate) const KEEP_MS: i64 = 24 * HOUR_MS;
/// A place, and one 300 m from it.
pub(crate) const HERE: (f64, f64) = (43.05, -87.95);
pub(crate) const NEAR_BY: (f64, f64) = (43.0527, -87.95);

/// One entry as it stands in the log.
#[derive(Debug, Clone)]
pub(crate) struct Stands {
    pub(crate) document: DocumentId,
    pub(crate) id: EntryId,
    pub(crate) entry: Entry,
    /// How often it was withdrawn.
    pub(crate) withdrawn: usize,
}

impl Stands {
    /// Of a finding or caution: all that it says.
    pub(crate) fn text(&self) -> String {
        match &self.entry {
            Entry::Finding(finding) => {
                format!("{} | {} | {}", finding.source, finding.title, finding.text)
            }
            Entry::Caution(caution) => format!("{} | {}", caution.by, caution.text),
            other => format!("{:?}", other.kind()),
        }
    }

    pub(crate) fn in_safety(&self) -> bool {
        self.document.compartment == Compartment::Safety
    }
}

#[derive(Debug)]
pub(crate) struct Bench {
    desk: Option<Desk>,
    now_ms: Arc<AtomicI64>,
    folder: tempfile::TempDir,
}

fn triage(report: &CallReport) -> Triage {
    Rules::default().triage(report)
}

impl Bench {
    pub(crate) fn new() -> Self {
        let mut bench = Self {
            desk: None,
            now_ms: Arc::new(AtomicI64::new(START_MS)),
            folder: tempfile::tempdir().unwrap(),
        };
        bench.open();
        bench
    }

    fn open(&mut self) {
        let now_ms = self.now_ms.clone();
        let clock = Clock::new(move || now_ms.load(Ordering::Relaxed));
        let options = LogOptions {
            center: CenterId([1; 16]),
            store_key: [2; 32],
            mac_key: [3; 32],
        };
        let rules = Rules::default();
        let surroundings = Surroundings::new(clock, |bytes| {
            aws_lc_rs::rand::fill(bytes).unwrap();
        })
        .reading(move |words| rules.entities(words));
        let path = self.folder.path().join("center.db");
        self.desk = Some(Desk::open(&path, &options, &surroundings, |_| {}).unwrap());
    }

    /// The process was killed after its last commit, and is started again.
    pub(crate) fn restart(&mut self) {
        self.desk = None;
        self.open();
        self.due();
    }

    pub(crate) fn now_ms(&self) -> i64 {
        self.now_ms.load(Ordering::Relaxed)
    }

    pub(crate) fn pass(&self, ms: i64) {
        self.now_ms.fetch_add(ms, Ordering::Relaxed);
    }

    pub(crate) fn in_hours(&self, hours: i64) -> Timestamp {
        Timestamp::from_millisecond(self.now_ms() + hours * HOUR_MS).unwrap()
    }

    /// As one commit of its own.
    pub(crate) fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> Result<T, LogError> {
        let (answer, answered) = mpsc::channel();
        let task = Task::new(work, move |result| answer.send(result).unwrap());
        self.desk.as_mut().unwrap().commit([task]);
        answered.recv().unwrap()
    }

    pub(crate) fn read<T>(
        &self,
        read: impl FnOnce(&rusqlite::Connection) -> Result<T, LogError>,
    ) -> T {
        let readers = self.desk.as_ref().unwrap().readers();
        readers.read_blocking(read).unwrap()
    }

    /// All that the center's tick does.
    pub(crate) fn due(&mut self) {
        while self
            .write(|ledger| withdraw_due(ledger, WITHDRAWN_PER_COMMIT_MAX))
            .unwrap()
            > 0
        {}
        self.write(|ledger| {
            hot_list::expire(ledger, 1_000)?;
            premises::expire(ledger, 1_000)?;
            plate_reads::forget(ledger, KEEP_MS, 1_000)?;
            plate_reads::close_old(ledger, 1_000, &triage)
        })
        .unwrap();
        while self.write(beats::tend_some).unwrap() {}
    }

    pub(crate) fn report(&self, number: &str) -> CallReport {
        let now = Timestamp::from_millisecond(self.now_ms()).unwrap();
        CallReport {
            agency: "pd".into(),
            number: number.into(),
            received: now,
            updated: now,
            nature: "TRBL W/SUBJ".into(),
            location: format!("{number} N 35TH ST,MKE"),
            latitude: Some(HERE.0),
            longitude: Some(HERE.1),
            district: None,
            priority: None,
            narrative: vec![],
            plates: vec![],
            units: vec![],
            status: CallStatus::Open,
        }
    }

    pub(crate) fn tell(&mut self, report: CallReport) -> CallId {
        self.write(move |ledger| {
            let triaged = triage(&report);
            Ok(calls::report(ledger, &report, &triaged)?.call)
        })
        .unwrap()
    }

    /// A call whose caller names this plate.
    pub(crate) fn call_naming(&mut self, number: &str, plate: &str) -> CallId {
        let report = CallReport {
            narrative: vec![format!("red car left, plate {plate}")],
            ..self.report(number)
        };
        self.tell(report)
    }

    pub(crate) fn note(&mut self, call: CallId, text: &str) {
        let note = Entry::Note(Note {
            text: text.into(),
            by: "Diaz".into(),
        });
        self.add(DocumentId::new(call, Compartment::Call), note);
    }

    pub(crate) fn add(&mut self, document: DocumentId, entry: Entry) -> EntryId {
        self.write(move |ledger| Ok(ledger.append(document, entry)?.id))
            .unwrap()
    }

    /// A stolen plate of Wisconsin, for a day.
    pub(crate) fn stolen(&self, plate: &str) -> HotEntry {
        HotEntry {
            kind: HotKind::Stolen,
            list: "Stolen vehicles".into(),
            agency: "County sheriff".into(),
            author: "K. Lund".into(),
            number: None,
            ends: self.in_hours(24),
            danger: false,
            text: "Taken on Monday".into(),
            wanted: hot_list::names::Wanted {
                plate: Some(plate.into()),
                state: Some("WI".into()),
                ..Default::default()
            },
            beats: vec![],
        }
    }

    pub(crate) fn list(&mut self, entry: HotEntry) -> i64 {
        let entry = entry.checked(self.now_ms()).unwrap();
        let id = self
            .write(move |ledger| hot_list::add(ledger, &entry, &triage))
            .unwrap();
        while self.write(beats::tend_some).unwrap() {}
        id
    }

    pub(crate) fn clear(&mut self, id: i64) -> Result<(), LogError> {
        self.write(move |ledger| hot_list::clear(ledger, id, "R. Ito"))
    }

    pub(crate) fn plate_read(&self, plate: &str, camera: &str) -> PlateRead {
        PlateRead {
            plate: plate.into(),
            state: Some("WI".into()),
            camera: camera.into(),
            place: Some("N 35TH ST at W VLIET ST".into()),
            latitude: Some(HERE.0),
            longitude: Some(HERE.1),
            district: None,
            read: Timestamp::from_millisecond(self.now_ms()).unwrap(),
            confidence: Some(0.97),
        }
    }

    pub(crate) fn see(&mut self, read: PlateRead) -> Taken {
        let read = read.checked(self.now_ms()).unwrap();
        self.write(move |ledger| plate_reads::take(ledger, &[read], KEEP_MS, &triage))
            .unwrap()
    }

    /// The findings and cautions of a packet, in the order of the log.
    pub(crate) fn said(&self, call: CallId) -> Vec<Stands> {
        let mut all = Vec::new();
        for compartment in Ledger::carried() {
            let id = DocumentId::new(call, compartment);
            let logged = self.read(|connection| document(connection, id));
            for one in &logged {
                if !matches!(
                    one.inspected.written.entry,
                    Entry::Finding(_) | Entry::Caution(_)
                ) {
                    continue;
                }
                let withdraws = |other: &&crate::log::Logged| match &other.inspected.written.entry {
                    Entry::Correction(said) => said.of == one.inspected.id && said.text.is_none(),
                    _ => false,
                };
                all.push(Stands {
                    document: id,
                    id: one.inspected.id,
                    entry: one.inspected.written.entry.clone(),
                    withdrawn: logged.iter().filter(withdraws).count(),
                });
            }
        }
        all
    }

    /// Those of them that come of a hot list.
    pub(crate) fn hot(&self, call: CallId) -> Vec<Stands> {
        let mut said = self.said(call);
        said.retain(|stands| stands.text().starts_with(hot_list::SOURCE));
        said
    }

    pub(crate) fn calls(&self) -> Vec<CallId> {
        self.read(|connection| {
            let mut statement = connection.prepare("SELECT call FROM calls ORDER BY call")?;
            let calls =
                statement.query_map([], |row| Ok(CallId(row.get::<_, i64>(0)?.cast_unsigned())))?;
            Ok(calls.collect::<Result<_, _>>()?)
        })
    }
}
