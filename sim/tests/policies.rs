//! A thousand random agreements, people, calls and histories over the real log, hub, relay
//! and device machine, on one thread: **no device ever holds, after a sync, what its officer
//! may not have; and all that they may have, it has.**
//!
//! What may be had is said twice: by the policies, as Cedar text drawn from a grammar of
//! agreements, and by a few lines of this file that know nothing of Cedar. Between two syncs
//! agreements are replaced, certifications given and taken, days end, calls open and change
//! hands, units come and go, restricted entries appear, officers change units, links break in
//! the middle of a message.
#![allow(clippy::unwrap_used)]

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, LazyLock, mpsc};

use fastrand::Rng;
use jiff::civil::{Date, date};
use jiff::tz::TimeZone;
use packet::{CallId, CenterId, Compartment, DeviceNumber, DocumentId, Entry, Note};
use server::calls;
use server::clock::Clock;
use server::config::AgencyConfig;
use server::config::OfficerConfig;
use server::hub::{Hub, Place};
use server::intake::{CallReport, CallStatus};
use server::log::{Desk, Ledger, LogError, LogOptions, Surroundings, Task, slice};
use server::policy::{Carries, Certifications, LivePolicies, Names, People, Policies};
use server::session::ended;
use server::shifts::Shift;
use server::triage::Rules;
use sync::device::{Device, Kept, Next as DeviceNext, Store};
use sync::frame::Hello;
use sync::limits::REPORT_MS_MAX;
use sync::relay::{Next, Relay, Standing};

const CASES: usize = 1_000;
/// Cases that go on in one log: the policies of one become those of the next while devices
/// hold what they hold.
const CASES_PER_LOG: usize = 50;
const STEPS: usize = 8;
const AGENCIES: [&str; 3] = ["pd", "so", "campus"];
const UNITS_EACH: usize = 2;
const DAY_MS: i64 = 24 * 60 * 60 * 1_000;

/// One agreement, as this file understands it.
#[derive(Debug, Clone)]
struct Agreement {
    reader: usize,
    owner: usize,
    compartments: Vec<Compartment>,
    from: Option<Date>,
    until: Option<Date>,
    /// For these purposes; none: for all. What devices carry is for the first, `C`.
    purposes: Vec<&'static str>,
    /// It takes away instead.
    forbids: bool,
}

impl Agreement {
    fn random(rng: &mut Rng, today: Date) -> Self {
        let reader = rng.usize(..3);
        let near = |rng: &mut Rng| {
            today
                .checked_add(jiff::Span::new().days(rng.i64(-2..=2)))
                .unwrap()
        };
        let compartments = Compartment::ALL
            .into_iter()
            .filter(|_| rng.bool())
            .collect();
        Self {
            reader,
            owner: (reader + 1 + rng.usize(..2)) % 3,
            compartments,
            from: rng.bool().then(|| near(rng)),
            until: rng.bool().then(|| near(rng)),
            purposes: match rng.usize(..4) {
                0 => vec!["F"],
                1 => vec!["C", "F"],
                _ => vec![],
            },
            forbids: rng.usize(..6) == 0,
        }
    }

    /// As lawyers and Cedar read it.
    fn text(&self, number: usize) -> String {
        let compartments: Vec<String> = self
            .compartments
            .iter()
            .map(|compartment| format!("Compartment::\"{}\"", compartment.name()))
            .collect();
        let mut when = vec![format!("resource in [{}]", compartments.join(", "))];
        if compartments.is_empty() {
            when = vec!["false".into()];
        }
        when.extend(
            self.from
                .map(|day| format!("context.today >= datetime(\"{day}\")")),
        );
        when.extend(
            self.until
                .map(|day| format!("context.today < datetime(\"{day}\")")),
        );
        if !self.purposes.is_empty() {
            let purposes: Vec<String> = self
                .purposes
                .iter()
                .map(|code| format!("Purpose::\"{code}\""))
                .collect();
            when.push(format!(
                "[{}].contains(context.purpose)",
                purposes.join(", ")
            ));
        }
        format!(
            "@id(\"agreement-{number}\")\n{} (principal in Agency::\"{}\", action in Action::\"share\", resource in Agency::\"{}\")\nwhen {{ {} }};\n",
            if self.forbids { "forbid" } else { "permit" },
            AGENCIES[self.reader],
            AGENCIES[self.owner],
            when.join(" && ")
        )
    }

    fn speaks_of(
        &self,
        reader: usize,
        owner: usize,
        compartment: Compartment,
        today: Date,
    ) -> bool {
        self.reader == reader
            && self.owner == owner
            && self.compartments.contains(&compartment)
            && self.from.is_none_or(|from| today >= from)
            && self.until.is_none_or(|until| today < until)
            && (self.purposes.is_empty() || self.purposes.contains(&"C"))
    }
}

/// Who may have what, by this file's own understanding.
#[derive(Debug, Clone, Default)]
struct Law {
    agreements: Vec<Agreement>,
    /// By agency and badge.
    certified: BTreeMap<(usize, usize), Certifications>,
}

impl Law {
    fn random(rng: &mut Rng, today: Date) -> Self {
        let count = rng.usize(..6);
        let mut law = Self {
            agreements: (0..count).map(|_| Agreement::random(rng, today)).collect(),
            certified: BTreeMap::new(),
        };
        for agency in 0..3 {
            for badge in 0..3 {
                let day = |rng: &mut Rng| {
                    let days = jiff::Span::new().days(rng.i64(-1..=3));
                    rng.bool().then(|| today.checked_add(days).unwrap())
                };
                let certifications = Certifications {
                    cjis: day(rng),
                    intel: day(rng),
                };
                law.certified.insert((agency, badge), certifications);
            }
        }
        law
    }

    fn may_carry(
        &self,
        (reader, badge): (usize, usize),
        owner: usize,
        compartment: Compartment,
        today: Date,
    ) -> bool {
        let certified = self
            .certified
            .get(&(reader, badge))
            .copied()
            .unwrap_or_default();
        let is_good = |until: Option<Date>| until.is_some_and(|until| today < until);
        match compartment {
            Compartment::Safety | Compartment::Call => {}
            Compartment::Records | Compartment::Juvenile => {
                if !is_good(certified.cjis) {
                    return false;
                }
            }
            // On no device, whoever holds it.
            Compartment::Intel => return false,
        }
        let speaking = || {
            self.agreements
                .iter()
                .filter(|one| one.speaks_of(reader, owner, compartment, today))
        };
        let permitted = reader == owner || speaking().any(|one| !one.forbids);
        permitted && !speaking().any(|one| one.forbids)
    }

    fn in_force(&self) -> (Policies, People) {
        // The roles are read and validated once: they are the same for all.
        static ROLES: LazyLock<Policies> = LazyLock::new(|| {
            let names = Names::new(AGENCIES.map(String::from), ["C", "F"].map(String::from));
            Policies::of(&names, &[]).unwrap()
        });
        let text: String = (0..)
            .zip(&self.agreements)
            .map(|(number, agreement)| agreement.text(number))
            .collect();
        let policies = ROLES
            .clone()
            .and(&[("agreements.cedar".into(), text.clone())]);
        let policies = policies.unwrap_or_else(|e| panic!("{e}\n{text}"));
        let agencies: Vec<AgencyConfig> = (0..3)
            .map(|agency| AgencyConfig {
                id: AGENCIES[agency].into(),
                name: AGENCIES[agency].into(),
                units: vec![],
                officers: (0..3)
                    .map(|badge| OfficerConfig {
                        badge: badge.to_string(),
                        name: "Officer".into(),
                        certifications: self
                            .certified
                            .get(&(agency, badge))
                            .copied()
                            .unwrap_or_default(),
                    })
                    .collect(),
            })
            .collect();
        (policies, People::of(&agencies))
    }
}

/// What a device keeps.
#[derive(Debug, Default)]
struct Disk {
    incarnation: u64,
    position: u64,
    digest: u64,
    dictionary: u16,
    /// Granted or not, where it stands apart, and its changes by `seq`.
    documents: BTreeMap<DocumentId, (bool, Option<u64>, BTreeSet<u64>)>,
}

struct Session {
    place: Place,
    relay: Relay,
}

struct Officer {
    number: DeviceNumber,
    agency: usize,
    badge: usize,
    unit: String,
    disk: Disk,
    device: Device,
    session: Option<Session>,
    syncs: usize,
}

impl Officer {
    fn new(number: u32, agency: usize) -> Self {
        Self {
            number: DeviceNumber(number),
            agency,
            badge: 0,
            unit: unit(agency, 0),
            disk: Disk::default(),
            device: Device::new(Kept::default()),
            session: None,
            syncs: 0,
        }
    }

    fn apply(&mut self, store: Store) {
        let disk = &mut self.disk;
        match store {
            Store::Welcome {
                incarnation,
                dictionary,
                digest,
                anew,
                ..
            } => {
                (disk.incarnation, disk.dictionary, disk.digest) =
                    (incarnation, dictionary, digest);
                if anew {
                    disk.position = 0;
                    disk.documents.values_mut().for_each(|held| held.0 = false);
                }
            }
            Store::Grant(document) => {
                let held = disk.documents.entry(document).or_default();
                (held.0, held.1) = (true, Some(0));
            }
            Store::Revoke(document) => {
                disk.documents.remove(&document);
            }
            Store::Changes {
                document,
                changes,
                through,
            } => {
                let held = disk.documents.get_mut(&document).unwrap();
                held.2.extend(changes.iter().map(|change| change.seq));
                held.1 = Some(through);
            }
            Store::Position { position, digest } => {
                (disk.position, disk.digest) = (position, digest);
                disk.documents.retain(|_, held| held.0);
                disk.documents.values_mut().for_each(|held| held.1 = None);
            }
            _ => {}
        }
    }

    /// The link breaks, or the process dies: what was not stored is gone.
    fn hang_up(&mut self, crash: bool) {
        self.session = None;
        self.device.hang_up();
        if crash {
            let disk = &self.disk;
            let granted = disk.documents.iter().filter(|(_, held)| held.0);
            self.device = Device::new(Kept {
                incarnation: disk.incarnation,
                position: disk.position,
                digest: disk.digest,
                dictionary: disk.dictionary,
                documents: granted.map(|(id, held)| (*id, held.1)).collect(),
                receipts: 0,
                outbox: vec![],
                wants_whole: true,
            });
        }
    }
}

fn unit(agency: usize, number: usize) -> String {
    format!("{}-{number}", AGENCIES[agency])
}

struct World {
    rng: Rng,
    desk: Desk,
    hub: Hub,
    live: Arc<LivePolicies>,
    law: Law,
    wall: Arc<AtomicI64>,
    now_ms: u64,
    rules: Rules,
    officers: Vec<Officer>,
    /// Each call and whose it is.
    calls: Vec<(CallId, usize)>,
    numbers: usize,
    _folder: tempfile::TempDir,
}

impl World {
    fn new(seed: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let rng = Rng::with_seed(seed);
        let start = date(2026, 11, 28).to_zoned(TimeZone::UTC).unwrap();
        let wall = Arc::new(AtomicI64::new(
            start.timestamp().as_millisecond() + DAY_MS / 2,
        ));
        let clock = {
            let wall = wall.clone();
            Clock::new(move || wall.load(Ordering::Relaxed))
        };
        let law = Law::default();
        let (policies, people) = law.in_force();
        let live = LivePolicies::with(policies, people, clock.clone(), TimeZone::UTC);
        let live = Arc::new(live);
        let hub = Hub::default();
        let surroundings = Surroundings::new(clock, {
            let random = std::sync::Mutex::new(Rng::with_seed(seed));
            move |bytes| random.lock().unwrap().fill(bytes)
        })
        .deciding(live.clone());
        let options = LogOptions {
            center: CenterId([1; 16]),
            store_key: [2; 32],
            mac_key: [3; 32],
        };
        let desk = {
            let hub = hub.clone();
            let path = folder.path().join("center.db");
            Desk::open(&path, &options, &surroundings, move |told| {
                hub.publish(told)
            })
            .unwrap()
        };
        let officers = (0..6)
            .map(|n| Officer::new(n + 1, n as usize % 3))
            .collect();
        Self {
            rng,
            desk,
            hub,
            live,
            law,
            wall,
            now_ms: 0,
            rules: Rules::default(),
            officers,
            calls: vec![],
            numbers: 0,
            _folder: folder,
        }
    }

    fn today(&self) -> Date {
        self.live.today()
    }

    fn write<T: Send + 'static>(
        &mut self,
        work: impl FnOnce(&mut Ledger<'_>) -> Result<T, LogError> + Send + 'static,
    ) -> T {
        let (answer, answered) = mpsc::channel();
        self.desk
            .commit([Task::new(work, move |result| answer.send(result).unwrap())]);
        answered.recv().unwrap().unwrap()
    }

    fn open_call(&mut self) {
        let owner = self.rng.usize(..3);
        self.numbers += 1;
        let report = CallReport {
            agency: AGENCIES[owner].into(),
            number: format!("26-{}", self.numbers),
            received: jiff::Timestamp::UNIX_EPOCH,
            updated: jiff::Timestamp::UNIX_EPOCH,
            nature: "TRESPASS".into(),
            location: format!("{} A ST", self.numbers),
            latitude: None,
            longitude: None,
            district: None,
            priority: None,
            narrative: vec![],
            plates: vec![],
            units: vec![],
            status: CallStatus::Open,
        };
        let triage = self.rules.triage(&report);
        let reported = self.write(move |ledger| calls::report(ledger, &report, &triage));
        self.calls.push((reported.call, owner));
    }

    fn a_call(&mut self) -> Option<(CallId, usize)> {
        // Lately opened ones: old cases' calls stay as they are.
        let from = self.calls.len().saturating_sub(12);
        self.rng.choice(self.calls[from..].to_vec())
    }

    fn step(&mut self) {
        match self.rng.usize(..14) {
            0 => self.open_call(),
            1..=3 => {
                let Some((call, _)) = self.a_call() else {
                    return;
                };
                let compartment = Compartment::ALL[self.rng.usize(..5)];
                let note = Entry::Note(Note {
                    text: "words".into(),
                    by: "somebody".into(),
                });
                let document = DocumentId::new(call, compartment);
                self.write(move |ledger| ledger.append(document, note).map(drop));
            }
            4..=6 => {
                let Some((call, _)) = self.a_call() else {
                    return;
                };
                let unit = unit(self.rng.usize(..3), self.rng.usize(..UNITS_EACH));
                self.write(move |ledger| calls::assign(ledger, call, &unit));
            }
            7 => {
                let Some((call, _)) = self.a_call() else {
                    return;
                };
                let unit = unit(self.rng.usize(..3), self.rng.usize(..UNITS_EACH));
                self.write(move |ledger| match calls::release(ledger, call, &unit) {
                    Ok(()) | Err(LogError::Unknown { .. }) => Ok(()),
                    Err(e) => Err(e),
                });
            }
            8 => self.change_law(),
            9 => {
                // A day ends.
                self.wall.fetch_add(DAY_MS, Ordering::Relaxed);
                let _ = self.live.today();
                self.hub.decide_anew();
            }
            10 => {
                let officer = self.rng.usize(..self.officers.len());
                let crash = self.rng.bool();
                self.officers[officer].hang_up(crash);
            }
            11 => {
                // Another officer takes the device, on another unit of the same agency.
                let officer = self.rng.usize(..self.officers.len());
                let (badge, number) = (self.rng.usize(..3), self.rng.usize(..UNITS_EACH));
                let officer = &mut self.officers[officer];
                officer.hang_up(false);
                officer.badge = badge;
                officer.unit = unit(officer.agency, number);
            }
            _ => {
                let officer = self.rng.usize(..self.officers.len());
                let messages = self.rng.usize(..6);
                self.talk(officer, messages);
            }
        }
    }

    fn change_law(&mut self) {
        let today = self.today();
        self.law = Law::random(&mut self.rng, today);
        let (policies, people) = self.law.in_force();
        self.live.replace(policies, people);
        self.hub.decide_anew();
    }

    fn shift(&self, officer: &Officer) -> Shift {
        Shift {
            device: officer.number,
            officer: "Officer".into(),
            badge: officer.badge.to_string(),
            unit: officer.unit.clone(),
            agency: AGENCIES[officer.agency].into(),
            expires_ms: i64::MAX,
        }
    }

    /// As [`server::session`] opens one.
    fn open(&mut self, index: usize, hello: &Hello) -> Session {
        let officer = &self.officers[index];
        let shift = self.shift(officer);
        let agency = AGENCIES[officer.agency];
        let carries = Carries::new(self.live.clone(), Some(shift), agency);
        let unit = officer.unit.clone();
        let (place, head, granted) = self.hub.join(officer.number, Some(&unit), carries.clone());
        let after = hello.position;
        let ended = self
            .desk
            .readers()
            .read_blocking(|connection| ended(connection, Some(&unit), after, &carries.now()))
            .unwrap();
        let standing = Standing {
            incarnation: self.desk.incarnation(),
            head,
            center_now_ms: self.wall.load(Ordering::Relaxed),
            granted,
            ended,
        };
        let relay = Relay::open(hello, standing, None, self.now_ms).unwrap();
        Session { place, relay }
    }

    /// So many messages cross, each way together; true when nothing is left to say.
    fn talk(&mut self, index: usize, messages_max: usize) -> bool {
        if self.officers[index].session.is_none() {
            let hello = self.officers[index]
                .device
                .dial(b"shift".to_vec(), self.now_ms);
            let session = self.open(index, &hello);
            self.officers[index].session = Some(session);
            self.officers[index].syncs += 1;
        }
        let mut messages = 0;
        loop {
            self.now_ms += 1;
            let down = self.next_down(index);
            let is_down = down.is_some();
            if let Some(bytes) = down {
                if messages == messages_max {
                    // It was sent, and the link broke before it came.
                    self.officers[index].hang_up(true);
                    return false;
                }
                messages += 1;
                let officer = &mut self.officers[index];
                let effects = officer.device.message(&bytes, self.now_ms).unwrap();
                assert!(effects.bye.is_none(), "{:?}", effects.bye);
                for store in effects.store {
                    officer.apply(store);
                }
                officer.device.committed();
            }
            let up = self.next_up(index);
            if !is_down && !up {
                return true;
            }
        }
    }

    fn next_down(&mut self, index: usize) -> Option<Vec<u8>> {
        let session = self.officers[index].session.as_mut().unwrap();
        // As `Session::take_news` does.
        let news = session.place.take();
        for granted in &news.granted {
            session.relay.grant(granted);
        }
        for document in news.ended {
            session.relay.revoke(document);
        }
        for (document, urgency) in news.urgency {
            session.relay.urgency(document, urgency);
        }
        session.relay.grown(news.head, &news.grown);
        loop {
            match session.relay.next(self.now_ms) {
                Next::Send(bytes) => return Some(bytes),
                Next::Fetch {
                    document,
                    after,
                    bytes_max,
                    ..
                } => {
                    let dictionary = session.relay.dictionary();
                    let skip = BTreeSet::new();
                    let found = self
                        .desk
                        .readers()
                        .read_blocking(|c| slice(c, document, after, bytes_max, &skip, dictionary))
                        .unwrap();
                    session
                        .relay
                        .fetched(document, &found.changes, found.through);
                }
                Next::FetchChunk { .. } => panic!("nobody asked for one"),
                Next::Wait { .. } => return None,
                Next::Over => panic!("the session is over"),
            }
        }
    }

    fn next_up(&mut self, index: usize) -> bool {
        let officer = &mut self.officers[index];
        // A report may wait for so long; nothing is asked of the link in that time.
        for later_ms in [0, REPORT_MS_MAX] {
            self.now_ms += later_ms;
            if let DeviceNext::Send(bytes) = officer.device.next(self.now_ms) {
                let session = officer.session.as_mut().unwrap();
                session.relay.heard(self.now_ms);
                session.relay.message(&bytes, self.now_ms).unwrap();
                return true;
            }
        }
        false
    }

    /// What this officer's device should hold: each document and its changes.
    fn due(&self, index: usize) -> BTreeMap<DocumentId, BTreeSet<u64>> {
        let officer = &self.officers[index];
        let today = self.today();
        let unit = officer.unit.clone();
        let on: Vec<CallId> = self
            .desk
            .readers()
            .read_blocking(|connection| {
                let mut statement = connection
                    .prepare("SELECT call FROM grants WHERE unit = ?1 AND to_seq IS NULL")?;
                let calls = statement.query_map([&unit], |row| row.get::<_, i64>(0))?;
                Ok(calls
                    .map(|call| CallId(call.unwrap().cast_unsigned()))
                    .collect())
            })
            .unwrap();
        let mut due = BTreeMap::new();
        for (call, owner) in self.calls.iter().filter(|(call, _)| on.contains(call)) {
            for compartment in Compartment::ALL {
                let who = (officer.agency, officer.badge);
                if !self.law.may_carry(who, *owner, compartment, today) {
                    continue;
                }
                let document = DocumentId::new(*call, compartment);
                let seqs = self.seqs(document);
                let is_always = matches!(compartment, Compartment::Safety | Compartment::Call);
                if is_always || !seqs.is_empty() {
                    due.insert(document, seqs);
                }
            }
        }
        due
    }

    fn seqs(&self, document: DocumentId) -> BTreeSet<u64> {
        self.desk
            .readers()
            .read_blocking(|connection| {
                let mut statement =
                    connection.prepare("SELECT seq FROM changes WHERE document = ?1")?;
                let seqs = statement.query_map([document.to_bytes()], |row| row.get(0))?;
                Ok(seqs.map(|seq: Result<u64, _>| seq.unwrap()).collect())
            })
            .unwrap()
    }

    /// Everybody syncs, and holds exactly what they may.
    fn check(&mut self, case: usize) -> (usize, usize) {
        let (mut held_in_all, mut withheld) = (0, 0);
        for index in 0..self.officers.len() {
            if self.rng.bool() {
                let crash = self.rng.bool();
                self.officers[index].hang_up(crash);
            }
            while !self.talk(index, usize::MAX) {}
            let due = self.due(index);
            let officer = &self.officers[index];
            let held: BTreeMap<DocumentId, BTreeSet<u64>> = officer
                .disk
                .documents
                .iter()
                .map(|(document, held)| (*document, held.2.clone()))
                .collect();
            assert_eq!(
                held,
                due,
                "case {case}: device {index} of {} ({}), on {}; {:#?}",
                officer.unit,
                officer.badge,
                self.today(),
                self.law
            );
            held_in_all += held.len();
            withheld += self.calls.len() * Compartment::ALL.len() - held.len();
        }
        (held_in_all, withheld)
    }
}

#[test]
fn no_device_holds_what_its_officer_may_not_have_and_all_that_they_may() {
    let count = CASES / CASES_PER_LOG;
    let threads = std::thread::available_parallelism()
        .map_or(1, usize::from)
        .min(count);
    let (held, withheld, syncs) = std::thread::scope(|scope| {
        let work = |thread: usize| (thread..count).step_by(threads);
        let running: Vec<_> = (0..threads)
            .map(|thread| scope.spawn(move || run(work(thread))))
            .collect();
        let done = running.into_iter().map(|running| running.join().unwrap());
        done.fold((0, 0, 0), |a, b| (a.0 + b.0, a.1 + b.1, a.2 + b.2))
    });
    println!(
        "{CASES} agreements and histories: {syncs} sessions, {held} documents held, {withheld} not"
    );
    // It was about something, both ways.
    assert!(held > CASES && withheld > CASES);
}

/// These logs, one after the other: documents held and not, and sessions.
fn run(logs: impl Iterator<Item = usize>) -> (usize, usize, usize) {
    let (mut held, mut withheld, mut syncs) = (0, 0, 0);
    for log in logs {
        let mut world = World::new(log as u64);
        for _ in 0..3 {
            world.open_call();
        }
        for case in 0..CASES_PER_LOG {
            world.change_law();
            for _ in 0..STEPS {
                world.step();
            }
            let (more_held, more_withheld) = world.check(log * CASES_PER_LOG + case);
            held += more_held;
            withheld += more_withheld;
        }
        syncs += world
            .officers
            .iter()
            .map(|officer| officer.syncs)
            .sum::<usize>();
    }
    (held, withheld, syncs)
}
