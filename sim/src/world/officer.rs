//! An officer's device: the real store and the real sync machine, dialling, talking,
//! crashing.

use std::collections::{BTreeSet, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mobile_core::simulation::{Due, Enrolment, SimulatedDevice};
use packet::{ChangeHash, Compartment, DeviceNumber, DocumentId, inspect};
use server::shifts::{self, Shift};
use sync::codec::{self, Unpacked};
use sync::device::Store as Operation;
use sync::frame::{DownFrame, LateFrame, UpFrame};
use sync::limits::OFFERS_IN_FLIGHT_MAX;

use crate::stage::keys::MemoryKeys;
use crate::stage::network::Network;

use super::event::{End, Event};
use super::fault::{Fault, Invariant, Step, must};
use super::messages::{Joined, Messages};
use super::network::{Cut, Wire};

use super::witness::serial_of;
use super::{World, wall_ms};

/// As the device's driver has it.
const BACKOFF_MS_START: u64 = 250;
const BACKOFF_MS_MAX: u64 = 30_000;
const CONNECT_MS_MAX: u64 = 15_000;
/// A commit takes this long, at least and at most.
const COMMIT_MS: std::ops::RangeInclusive<u64> = 1..=40;
/// TLS resumed and the upgrade's request, as measured.
const HANDSHAKE_BYTES: usize = 900;
/// Round trips until the upgrade's request is on its way: TCP, TLS 1.3.
const HANDSHAKE_TRIPS: u64 = 2;

pub(super) struct Officer {
    pub(super) number: DeviceNumber,
    pub(super) name: String,
    pub(super) unit: String,
    pub(super) token: Vec<u8>,
    folder: PathBuf,
    directory: PathBuf,
    copies: u64,
    keys: Arc<MemoryKeys>,
    enrolment: Enrolment,
    /// `None`: it is off.
    pub(super) device: Option<SimulatedDevice>,
    pub(super) boot: u64,
    pub(super) wall_off_ms: i64,
    pub(super) network: Network,
    pub(super) no_network_until_ms: u64,
    pub(super) wire: Option<u64>,
    /// The upgrade was answered.
    is_up: bool,
    failures: u32,
    dial_plan: u64,
    commit_due: bool,
    pub(super) crash_due: Option<CrashPoint>,
    /// How it crashed last.
    left: Left,
    /// The center took it out of good standing.
    pub(super) is_revoked: bool,
    /// Someone else has the device, and misuses it.
    pub(super) is_hostile: bool,
    pub(super) books: Books,
}

/// Where in the device's next commit its battery goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CrashPoint {
    Before,
    /// What is written anew is sealed, and the store does not have it yet.
    Within,
    /// It is committed, and nothing is told of it.
    After,
}

impl CrashPoint {
    pub(super) const ALL: [Self; 3] = [Self::Before, Self::Within, Self::After];
}

/// What is on a device's disk when it starts again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Left {
    All,
    /// What is unsent is in the sealed files and nowhere else.
    NoStore,
    /// The store as it was before its last transaction, with what was sealed before and in it.
    WithinCommit,
    /// The store is that of the last backup, and what was sealed beside it perhaps too.
    OfBackup {
        sealed_too: bool,
    },
}

/// The folders in which a device has its files.
const PARTS: [&str; 2] = ["store", "sealed"];

/// Copies a device's files of one kind. SQLite makes the shared memory anew after a crash.
fn copy_part(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if !entry.file_name().to_string_lossy().ends_with("-shm") {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}

/// What the witness notes of a session at the device's end.
#[derive(Debug, Default)]
pub(super) struct Books {
    up: Messages<UpFrame>,
    down: Messages<DownFrame>,
    /// What each message that is not yet reported brought.
    messages: VecDeque<Vec<(DocumentId, u64)>>,
    reported: u64,
    under_way: BTreeSet<ChangeHash>,
    /// Told in what was heard since the last commit.
    pub(super) heard: Vec<Operation>,
    /// What the device had of its own before it heard of another log.
    pub(super) had_before_reset: Option<BTreeSet<String>>,
}

impl Officer {
    pub(super) fn new(
        folder: &Path,
        index: usize,
        unit: &str,
        enrolment: Enrolment,
        network: Network,
    ) -> Step<Self> {
        let folder = folder.join(format!("device-{index}"));
        let mut officer = Self {
            number: enrolment.device,
            name: NAMES[index % NAMES.len()].to_owned(),
            unit: unit.to_owned(),
            token: Vec::new(),
            directory: folder.join("0"),
            folder,
            copies: 0,
            keys: Arc::default(),
            enrolment,
            device: None,
            boot: 0,
            wall_off_ms: 0,
            network,
            no_network_until_ms: 0,
            wire: None,
            is_up: false,
            failures: 0,
            dial_plan: 0,
            commit_due: false,
            crash_due: None,
            left: Left::All,
            is_revoked: false,
            is_hostile: false,
            books: Books::default(),
        };
        std::fs::create_dir_all(&officer.directory).map_err(Fault::of_world)?;
        officer.open(0)?;
        Ok(officer)
    }

    fn open(&mut self, now_ms: u64) -> Step {
        let wall_ms = self.wall_ms(now_ms);
        let opened = SimulatedDevice::open(
            &self.directory,
            self.keys.clone(),
            self.enrolment.clone(),
            wall_ms,
        );
        let (device, _) = opened.map_err(Fault::of_world)?;
        self.device = Some(device);
        self.boot += 1;
        Ok(())
    }

    pub(super) fn wall_ms(&self, now_ms: u64) -> i64 {
        wall_ms(now_ms) + self.wall_off_ms
    }

    pub(super) fn clocks(&self, now_ms: u64) -> (u64, i64) {
        (now_ms, self.wall_ms(now_ms))
    }

    /// The sealed file of a change.
    pub(super) fn sealed_file(&self, hash: &str) -> PathBuf {
        self.directory.join("sealed").join(format!("{hash}.sealed"))
    }

    /// The files as they lie now, in a folder of their own: what a crash leaves.
    fn leave_files(&mut self, left: Left) -> std::io::Result<()> {
        self.copies += 1;
        let copy = self.folder.join(self.copies.to_string());
        let before = std::mem::replace(&mut self.directory, copy);
        let (backup, aside) = (self.backup(), self.aside());
        for part in PARTS {
            let from: &[_] = match left {
                Left::NoStore if part == "store" => continue,
                Left::OfBackup { sealed_too } if part == "store" || sealed_too => &[&backup],
                Left::WithinCommit if part == "store" => &[&aside],
                Left::WithinCommit => &[&aside, &before],
                _ => &[&before],
            };
            for from in from {
                copy_part(&from.join(part), &self.directory.join(part))?;
            }
        }
        self.device = None;
        self.left = left;
        std::fs::remove_dir_all(before)
    }

    fn backup(&self) -> PathBuf {
        self.folder.join("backup")
    }

    pub(super) fn has_backup(&self) -> bool {
        self.backup().is_dir()
    }

    /// Where its files lie as they were before a transaction.
    fn aside(&self) -> PathBuf {
        self.folder.join("aside")
    }

    pub(super) fn back_up(&self) -> std::io::Result<()> {
        self.copy_to(&self.backup())
    }

    /// Copies the files as they lie now, in place of the last such copy.
    fn copy_to(&self, copy: &Path) -> std::io::Result<()> {
        if copy.is_dir() {
            std::fs::remove_dir_all(copy)?;
        }
        PARTS
            .iter()
            .try_for_each(|part| copy_part(&self.directory.join(part), &copy.join(part)))
    }

    /// In session, with the upgrade answered.
    pub(super) fn is_online(&self) -> bool {
        self.wire.is_some() && self.is_up
    }

    pub(super) fn is_at_rest(&self) -> bool {
        let welcomed = self
            .device
            .as_ref()
            .is_some_and(SimulatedDevice::is_welcomed);
        welcomed && self.is_online() && !self.commit_due && self.books.under_way.is_empty()
    }
}

const NAMES: [&str; 8] = [
    "Okafor",
    "Lindqvist",
    "Marsh",
    "Delgado",
    "Ferris",
    "Tanaka",
    "Boone",
    "Whitfield",
];

impl World {
    pub(super) fn sign_on(&mut self, index: usize) -> Step {
        let unit = self.officers[index].unit.clone();
        self.sign_on_for(index, &unit)
    }

    /// An officer signs on at the center, which forgets the shift before. Without an
    /// answer, the shift before goes on.
    pub(super) fn sign_on_for(&mut self, index: usize, unit: &str) -> Step {
        let unit = unit.to_owned();
        let officer = &self.officers[index];
        let shift = Shift {
            device: officer.number,
            officer: officer.name.clone(),
            badge: format!("{index}"),
            unit: unit.clone(),
            agency: "cedarport".into(),
            expires_ms: i64::MAX,
        };
        let number = officer.number;
        let token = self.write_now(move |ledger| shifts::sign_on(ledger, &shift))?;
        let Some(token) = token else {
            let officer = index;
            self.queue
                .plan(self.now_ms + 5_000, Event::SignOn { officer });
            return Ok(());
        };
        if let Some(running) = &self.center.running {
            running.hub.close_device(number, "an officer signed on");
        }
        self.witness.shifts.insert((number, unit.clone()));
        self.note(&format!("D{index} signs on for {unit}"));
        self.officers[index].token = token.to_vec();
        self.officers[index].unit = unit;
        self.hang_up(index);
        self.plan_dial(index, 100);
        self.poll_all_sessions()
    }

    pub(super) fn plan_dial(&mut self, index: usize, in_ms: u64) {
        let officer = &mut self.officers[index];
        officer.dial_plan += 1;
        let plan = officer.dial_plan;
        let at_ms = (self.now_ms + in_ms).max(officer.no_network_until_ms);
        self.queue.plan(
            at_ms,
            Event::Dial {
                officer: index,
                plan,
            },
        );
    }

    fn back_off(&mut self, index: usize, retry_after_ms: u64) {
        let officer = &mut self.officers[index];
        let ceiling_ms = (BACKOFF_MS_START << officer.failures.min(16)).min(BACKOFF_MS_MAX);
        let backoff_ms = self.rng.u64(ceiling_ms / 2..=ceiling_ms);
        self.plan_dial(index, backoff_ms.max(retry_after_ms));
    }

    pub(super) fn dial(&mut self, index: usize, plan: u64) -> Step {
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        if officer.dial_plan != plan || officer.wire.is_some() || officer.is_hostile {
            return Ok(());
        }
        if officer.no_network_until_ms > now_ms {
            self.plan_dial(index, 0);
            return Ok(());
        }
        let Some(device) = &mut officer.device else {
            return Ok(());
        };
        let hello = match device.dial(officer.token.clone(), now_ms) {
            Ok(hello) => hello,
            Err(e) => return Err(Fault::of_world(e)),
        };
        officer.failures += 1;
        officer.is_up = false;
        officer.books = Books::default();
        self.next_wire += 1;
        let id = self.next_wire;
        officer.wire = Some(id);
        let mut wire = Wire::new(index, officer.network, now_ms);
        let bytes = HANDSHAKE_BYTES + sync::frame::encode(&hello).len() * 4 / 3;
        let trips_ms = HANDSHAKE_TRIPS * 2 * wire.network.latency_ms;
        let at_ms = wire.send(End::Device, bytes, now_ms, &mut self.rng) + trips_ms;
        self.wires.insert(id, wire);
        self.note(&format!(
            "D{index} dials w{id} ({}) position={} exceptions={}",
            self.officers[index].network.name,
            hello.position,
            hello.exceptions.len()
        ));
        let hello = Box::new(hello);
        self.queue.plan(at_ms, Event::Hello { wire: id, hello });
        self.queue
            .plan(now_ms + CONNECT_MS_MAX, Event::GiveUp { wire: id });
        Ok(())
    }

    /// The upgrade was answered.
    pub(super) fn up(&mut self, wire: u64) -> Step {
        let Some(index) = self.officer_at(wire) else {
            return Ok(());
        };
        self.officers[index].is_up = true;
        self.poll_officer(index)
    }

    /// The officer whose session is on this wire, if bytes still come through it.
    fn officer_at(&self, wire: u64) -> Option<usize> {
        let link = self.wires.get(&wire)?;
        let is_its = self.officers.get(link.officer)?.wire == Some(wire);
        (is_its && link.cut.is_none()).then_some(link.officer)
    }

    pub(super) fn give_up(&mut self, wire: u64) {
        if let Some(link) = self.wires.get(&wire)
            && let Some(officer) = self.officers.get(link.officer)
            && officer.wire == Some(wire)
            && !officer.is_up
        {
            let index = link.officer;
            self.note(&format!("D{index} gets no answer"));
            self.hang_up(index);
            self.back_off(index, 0);
        }
    }

    /// The device gives its link up, and closes it where it can.
    pub(super) fn hang_up(&mut self, index: usize) {
        let officer = &mut self.officers[index];
        if let Some(device) = &mut officer.device {
            device.hang_up();
        }
        officer.is_up = false;
        officer.commit_due = false;
        if let Some(wire) = officer.wire.take() {
            self.close(wire, End::Device);
        }
    }

    /// Does all that the device can do on its link now.
    pub(super) fn poll_officer(&mut self, index: usize) -> Step {
        loop {
            let now_ms = self.now_ms;
            let officer = &mut self.officers[index];
            let (Some(wire), true, Some(device)) =
                (officer.wire, officer.is_up, officer.device.as_mut())
            else {
                return Ok(());
            };
            let Some(link) = self.wires.get_mut(&wire) else {
                return Ok(());
            };
            let room_ms = link.room_ms(End::Device, now_ms);
            if room_ms > now_ms {
                self.plan_poll(wire, End::Device, room_ms);
                return Ok(());
            }
            match device.next(now_ms) {
                Due::Send(bytes) => {
                    let says = self.check_up(index, &bytes)?;
                    self.note(&format!("D{index} sends {} B{says}", bytes.len()));
                    self.send(wire, End::Device, bytes);
                }
                Due::Wait { until_ms } => {
                    self.plan_poll(wire, End::Device, until_ms);
                    return Ok(());
                }
                Due::Dead => {
                    self.note(&format!("D{index} hears nothing"));
                    self.hang_up(index);
                    self.back_off(index, 0);
                    return Ok(());
                }
            }
        }
    }

    /// Holds what the device says against its own disk. Gives it in words.
    fn check_up(&mut self, index: usize, bytes: &[u8]) -> Step<String> {
        let mut says = String::new();
        let read = self.officers[index].books.up.read(bytes);
        for joined in read.map_err(Fault::of_world)? {
            match joined {
                Joined::Frame(
                    UpFrame::Delivered(messages)
                    | UpFrame::DeliveredLate(LateFrame { messages, .. }),
                ) => {
                    self.check_delivered(index, messages)?;
                    says.push_str(&format!(" delivered:{messages}"));
                }
                Joined::Frame(UpFrame::Offer(offer)) => {
                    let unpacked = codec::unpack(&offer.body).map_err(Fault::of_world)?;
                    let Unpacked::Change(bytes) = unpacked else {
                        return Err(Fault::of_world("a device offers a brief"));
                    };
                    let change = inspect(&bytes).map_err(Fault::of_world)?;
                    self.check_offer(index, offer.document, change.hash)?;
                    let serial = serial_of(&change.written.entry).unwrap_or("?");
                    says.push_str(&format!(" offer:{serial}={}", change.id.number));
                }
                Joined::Frame(UpFrame::Ping) => says.push_str(" ping"),
                Joined::Frame(UpFrame::Pong) => says.push_str(" pong"),
                Joined::Frame(UpFrame::Shown(_)) => says.push_str(" shown"),
                Joined::Frame(UpFrame::Heads(heads)) => {
                    says.push_str(&format!(" heads:{}", heads.len()));
                }
                Joined::Frame(_) => {}
                Joined::Part(lane) => says.push_str(&format!(" part:{lane}")),
            }
        }
        Ok(says)
    }

    fn check_delivered(&mut self, index: usize, messages: u64) -> Step {
        let officer = &mut self.officers[index];
        let Some(device) = &officer.device else {
            return Ok(());
        };
        while officer.books.reported < messages {
            officer.books.reported += 1;
            let Some(brought) = officer.books.messages.pop_front() else {
                break;
            };
            for (document, seq) in brought {
                let sql = "SELECT EXISTS (SELECT 1 FROM changes WHERE doc = ?1 AND seq = ?2)
                     OR NOT EXISTS (SELECT 1 FROM documents WHERE doc = ?1 AND standing = 1)";
                let id = document.to_bytes();
                let holds: bool = device
                    .look(|c| {
                        c.prepare_cached(sql)?
                            .query_row((id, seq.cast_signed()), |row| row.get(0))
                    })
                    .map_err(Fault::of_world)?;
                must(holds, Invariant::Durable, || {
                    format!(
                        "D{index} says that {seq} of {document} is delivered, and does not hold it"
                    )
                })?;
            }
        }
        Ok(())
    }

    fn check_offer(&mut self, index: usize, document: DocumentId, hash: ChangeHash) -> Step {
        let officer = &mut self.officers[index];
        officer.books.under_way.insert(hash);
        let under_way = officer.books.under_way.len();
        must(
            under_way <= OFFERS_IN_FLIGHT_MAX,
            Invariant::Bounded,
            || format!("D{index} has {under_way} offers under way"),
        )?;
        if document.compartment == Compartment::Safety {
            return Ok(());
        }
        let Some(device) = &officer.device else {
            return Ok(());
        };
        let sql = "SELECT hash, doc FROM outbox WHERE refused IS NULL";
        let waiting: Vec<([u8; 32], [u8; DocumentId::BYTES])> = device
            .look(|c| {
                let mut statement = c.prepare_cached(sql)?;
                let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
                rows.collect()
            })
            .map_err(Fault::of_world)?;
        let heard = &officer.books.heard;
        let is_answered = |hash: &ChangeHash| {
            heard.iter().any(|operation| match operation {
                Operation::Accepted { hash: h, .. } | Operation::Refused { hash: h, .. } => {
                    h == hash
                }
                _ => false,
            })
        };
        for (hash, id) in waiting {
            let hash = ChangeHash(hash);
            let is_safety = id.last() == Some(&(Compartment::Safety as u8));
            must(
                !is_safety || officer.books.under_way.contains(&hash) || is_answered(&hash),
                Invariant::UrgentFirst,
                || format!("D{index} offers a note while a caution waits"),
            )?;
        }
        Ok(())
    }

    /// A message from the center came out of the wire.
    pub(super) fn arrived_down(&mut self, wire: u64, bytes: &[u8]) -> Step {
        let Some(index) = self.officer_at(wire) else {
            return Ok(());
        };
        let now_ms = self.now_ms;
        let read = self.officers[index].books.down.read(bytes);
        let joined = read.map_err(Fault::of_world)?;
        let frames: Vec<DownFrame> = joined
            .into_iter()
            .filter_map(|joined| match joined {
                Joined::Frame(frame) => Some(frame),
                Joined::Part(_) => None,
            })
            .collect();
        let before = self.own_before_reset(index, &frames)?;
        let officer = &mut self.officers[index];
        let Some(device) = &mut officer.device else {
            return Ok(());
        };
        if before.is_some() {
            officer.books.had_before_reset = before;
        }
        let (operations, bye) = match device.hear(bytes, now_ms) {
            Ok(heard) => heard,
            Err(e) => {
                self.note(&format!("D{index} cannot take what came: {e}"));
                let what = format!("D{index} cannot take what an honest center sent: {e}");
                return Err(super::fault::broken(Invariant::Order, what));
            }
        };
        let brings = frames.iter().flat_map(brought).collect();
        officer.books.messages.push_back(brings);
        for frame in &frames {
            match frame {
                DownFrame::Accepted(a) => drop(officer.books.under_way.remove(&a.hash)),
                DownFrame::Refused(r) => drop(officer.books.under_way.remove(&r.hash)),
                _ => {}
            }
        }
        officer.books.heard.extend(operations);
        let retry_after_ms = bye.map(|bye| bye.retry_after_ms);
        if let Some(retry_after_ms) = retry_after_ms {
            let committed = self.commit_heard(index)?;
            self.note(&format!("D{index} bye, committed={committed}"));
            self.hang_up(index);
            self.back_off(index, retry_after_ms);
            return Ok(());
        }
        if !officer.commit_due {
            officer.commit_due = true;
            let (in_ms, boot) = (self.rng.u64(COMMIT_MS), officer.boot);
            let officer = index;
            self.queue
                .plan(now_ms + in_ms, Event::Commit { officer, boot });
        }
        self.poll_officer(index)
    }

    pub(super) fn commit(&mut self, index: usize, boot: u64) -> Step {
        let officer = &mut self.officers[index];
        if officer.boot != boot || !officer.commit_due {
            return Ok(());
        }
        officer.commit_due = false;
        match officer.crash_due.take() {
            Some(CrashPoint::Before) => self.crash_device(index, Left::All),
            Some(CrashPoint::Within) => {
                officer.copy_to(&officer.aside()).map_err(Fault::of_world)?;
                let (now_ms, wall_ms) = (self.now_ms, officer.wall_ms(self.now_ms));
                if let Some(device) = &mut officer.device {
                    // Whatever it says, nobody hears it.
                    let _ = device.commit(now_ms, wall_ms);
                }
                self.note(&format!("D{index} is cut within a commit"));
                self.crash_device(index, Left::WithinCommit)
            }
            crash => {
                if !self.commit_heard(index)? {
                    self.hang_up(index);
                    self.back_off(index, 0);
                    return Ok(());
                }
                if crash == Some(CrashPoint::After) {
                    return self.crash_device(index, Left::All);
                }
                self.hand_in_sealed(index)?;
                self.poll_officer(index)
            }
        }
    }

    /// False when the disk did not take it.
    fn commit_heard(&mut self, index: usize) -> Step<bool> {
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        let wall_ms = officer.wall_ms(now_ms);
        let heard = std::mem::take(&mut officer.books.heard);
        let had_before = officer.books.had_before_reset.take();
        let Some(device) = &mut officer.device else {
            return Ok(false);
        };
        if let Err(e) = device.commit(now_ms, wall_ms) {
            self.note(&format!("D{index} could not commit: {e}"));
            return Ok(false);
        }
        if device.is_welcomed() {
            officer.failures = 0;
        }
        self.stats.commits += 1;
        self.check_device(index, &heard, had_before)?;
        Ok(true)
    }

    /// The battery is out. What no transaction committed is gone.
    pub(super) fn crash_device(&mut self, index: usize, left: Left) -> Step {
        let officer = &mut self.officers[index];
        if officer.device.is_none() {
            return Ok(());
        }
        officer.leave_files(left).map_err(Fault::of_world)?;
        officer.boot += 1;
        officer.commit_due = false;
        officer.crash_due = None;
        officer.is_up = false;
        let wire = officer.wire.take();
        // The center hears nothing of it.
        if let Some(link) = wire.and_then(|wire| self.wires.get_mut(&wire)) {
            link.open_at_device = false;
            link.cut = Some(Cut { late_ms: None });
        }
        self.stats.device_crashes += 1;
        let in_ms = self.rng.u64(500..15_000);
        self.note(&format!("D{index} crash, back in {in_ms} ms"));
        let officer = index;
        self.queue
            .plan(self.now_ms + in_ms, Event::StartDevice { officer });
        Ok(())
    }

    pub(super) fn start_device(&mut self, index: usize) -> Step {
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        if officer.device.is_some() {
            return Ok(());
        }
        officer.open(now_ms)?;
        let orphans = officer.device.as_ref().map_or(0, |d| d.orphans().len());
        let left = officer.left;
        self.note(&format!("D{index} starts, {orphans} orphans"));
        if let Left::OfBackup { sealed_too } = left {
            self.settle_intents_of_restored_device(index, sealed_too)?;
        }
        self.check_device(index, &[], None)?;
        self.plan_dial(index, 100);
        Ok(())
    }
}

/// The changes that a frame brings.
fn brought(frame: &DownFrame) -> Vec<(DocumentId, u64)> {
    match frame {
        DownFrame::Changes(changes) => {
            let all = changes.changes.iter();
            all.map(|change| (changes.document, change.seq)).collect()
        }
        _ => Vec::new(),
    }
}
