//! The witness: what every log has said, who might have what, and what officers wrote.
//!
//! It learns from what the log publishes after a commit and from the officers' own
//! hands, never from the machines that it judges. Each incarnation of the log has a page
//! of its own: a device that has not heard of a restore yet is judged by the page that it
//! knows.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use packet::{CallId, ChangeHash, DeviceNumber, DocumentId, Entry, Refusal};
use server::log::{Committed, Happening};

use super::fault::{Invariant, Step, broken, must};

/// A change as a log has it; its `seq` is its place in [`Page::changes`], from 1.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    pub(super) document: DocumentId,
    pub(super) hash: ChangeHash,
    pub(super) device: Option<DeviceNumber>,
    pub(super) serial: Option<String>,
}

/// A unit had a call's documents from one `seq` to another.
#[derive(Debug, Clone)]
struct Grant {
    unit: String,
    call: CallId,
    from: u64,
    to: Option<u64>,
}

/// One incarnation of the log.
#[derive(Debug, Clone, Default)]
pub(super) struct Page {
    pub(super) changes: Vec<Seen>,
    by_hash: HashMap<ChangeHash, u64>,
    by_serial: HashMap<String, u64>,
    by_document: BTreeMap<DocumentId, Vec<u64>>,
    grants: Vec<Grant>,
}

impl Page {
    pub(super) fn head(&self) -> u64 {
        self.changes.len() as u64
    }

    pub(super) fn at(&self, seq: u64) -> Option<&Seen> {
        self.changes.get(usize::try_from(seq.checked_sub(1)?).ok()?)
    }

    pub(super) fn seq_of(&self, hash: &ChangeHash) -> Option<u64> {
        self.by_hash.get(hash).copied()
    }

    pub(super) fn has_serial(&self, serial: &str) -> bool {
        self.by_serial.contains_key(serial)
    }

    /// The places of a document's changes.
    pub(super) fn of(&self, document: DocumentId) -> &[u64] {
        self.by_document.get(&document).map_or(&[], Vec::as_slice)
    }

    /// … after one and through another.
    pub(super) fn between(&self, document: DocumentId, after: u64, through: u64) -> &[u64] {
        let all = self.of(document);
        let from = all.partition_point(|seq| *seq <= after);
        let to = all.partition_point(|seq| *seq <= through).max(from);
        &all[from..to]
    }

    /// The calls that the log has something of.
    pub(super) fn calls(&self) -> Vec<CallId> {
        let mut calls: Vec<CallId> = self.by_document.keys().map(|id| id.call).collect();
        calls.dedup();
        calls
    }

    pub(super) fn has_now(&self, unit: &str, call: CallId) -> bool {
        self.grants
            .iter()
            .any(|g| g.unit == unit && g.call == call && g.to.is_none())
    }

    pub(super) fn had_ever(&self, unit: &str, call: CallId) -> bool {
        self.grants.iter().any(|g| g.unit == unit && g.call == call)
    }

    pub(super) fn had_at(&self, unit: &str, call: CallId, seq: u64) -> bool {
        self.grants.iter().any(|g| {
            g.unit == unit && g.call == call && g.from <= seq && g.to.is_none_or(|to| to > seq)
        })
    }

    /// The calls that a unit had at a place in the log.
    pub(super) fn calls_at(&self, unit: &str, seq: u64) -> BTreeSet<CallId> {
        let calls = self.grants.iter().map(|grant| grant.call);
        calls.filter(|call| self.had_at(unit, *call, seq)).collect()
    }

    pub(super) fn calls_of(&self, unit: &str) -> BTreeSet<CallId> {
        let now = self.grants.iter().filter(|g| g.to.is_none());
        now.filter(|g| g.unit == unit).map(|g| g.call).collect()
    }

    /// The units that a call is with.
    pub(super) fn units_of(&self, call: CallId) -> Vec<&str> {
        let now = self.grants.iter().filter(|g| g.to.is_none());
        now.filter(|g| g.call == call)
            .map(|g| g.unit.as_str())
            .collect()
    }

    pub(super) fn granted(&mut self, unit: &str, call: CallId, from: u64, to: Option<u64>) {
        self.grants.push(Grant {
            unit: unit.to_owned(),
            call,
            from,
            to,
        });
    }

    fn ended(&mut self, unit: &str, call: CallId, to: u64) {
        for grant in &mut self.grants {
            if grant.unit == unit && grant.call == call {
                grant.to.get_or_insert(to);
            }
        }
    }

    /// Adds the next change; that it is the next, and here for the first time, is checked.
    pub(super) fn add(&mut self, seq: u64, seen: Seen) -> Step {
        must(seq == self.head() + 1, Invariant::Durable, || {
            format!("the log's seq {seq} follows {}", self.head())
        })?;
        must(
            self.by_hash.insert(seen.hash, seq).is_none(),
            Invariant::Idempotent,
            || format!("a change is in the log twice, again as {seq}"),
        )?;
        if let Some(serial) = &seen.serial
            && let Some(before) = self.by_serial.insert(serial.clone(), seq)
        {
            let what = format!("entry {serial} is in the log as {before} and as {seq}");
            return Err(broken(Invariant::Idempotent, what));
        }
        self.by_document.entry(seen.document).or_default().push(seq);
        self.changes.push(seen);
        Ok(())
    }
}

/// An entry that an officer was told is kept.
#[derive(Debug, Clone)]
pub(super) struct Intent {
    pub(super) officer: usize,
    pub(super) document: DocumentId,
    /// Not in its device's store any more: in a sealed file, or at the center.
    pub(super) is_off_device: bool,
    /// It waits in a store of earlier whose sealed files are not of then.
    pub(super) is_unsealed: bool,
    /// The center refused what was sealed.
    pub(super) refused_sealed: bool,
    /// It was on disks that were lost, and may be nowhere else.
    pub(super) is_lost: bool,
}

#[derive(Debug, Default)]
pub(super) struct Witness {
    pub(super) pages: BTreeMap<u64, Page>,
    /// The incarnation that is now.
    pub(super) incarnation: u64,
    pub(super) intents: BTreeMap<String, Intent>,
    /// What a hostile device made that no center may take.
    pub(super) forged: HashMap<ChangeHash, &'static str>,
    /// What the center wrote and lost with its disk, by the devices that had it still when
    /// they heard of that: all of it has to come back, but for what they lose before.
    pub(super) owed: BTreeMap<ChangeHash, BTreeSet<usize>>,
    refused_a_time: bool,
    /// The units that each device was ever signed on for.
    pub(super) shifts: BTreeSet<(DeviceNumber, String)>,
    written: u64,
}

impl Witness {
    pub(super) fn page(&self) -> Step<&Page> {
        let page = self.pages.get(&self.incarnation);
        page.ok_or_else(|| broken(Invariant::World, "no log has been opened"))
    }

    pub(super) fn page_mut(&mut self) -> &mut Page {
        self.pages.entry(self.incarnation).or_default()
    }

    /// A name for the next entry that an officer writes.
    pub(super) fn serial(&mut self) -> String {
        self.written += 1;
        format!("#{}", self.written)
    }

    /// Takes what the log published, and judges what of it can be judged at once.
    pub(super) fn take(&mut self, happening: &Happening) -> Step {
        match happening {
            Happening::Change(change) => self.change(change),
            Happening::Granted {
                unit, call, from, ..
            } => {
                self.page_mut().granted(unit, *call, *from, None);
                Ok(())
            }
            Happening::Ended { unit, call } => {
                let page = self.page_mut();
                let at = page.head();
                page.ended(unit, *call, at);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    fn change(&mut self, change: &Committed) -> Step {
        if let Some(why) = self.forged.get(&change_hash(change)?) {
            let what = format!("the log took a change as {}, though {why}", change.seq);
            return Err(broken(Invariant::Denied, what));
        }
        let seen = Seen {
            document: change.document,
            hash: change_hash(change)?,
            device: change.device,
            serial: serial_of(&change.entry).map(str::to_owned),
        };
        let call = change.document.call;
        if let Some(device) = change.device
            && call.author() != packet::Author::Device(device)
        {
            // A log that was restored takes the center's word for what is given back, and
            // cannot say any more who had which call.
            let is_restored = self.pages.len() > 1;
            must(
                is_restored || self.had_ever(device, call),
                Invariant::Denied,
                || format!("the log took a change of {device} on call {call}, which it never had"),
            )?;
        }
        self.page_mut().add(change.seq, seen)
    }

    /// Whether a unit that the device was ever signed on for ever had the call.
    fn had_ever(&self, device: DeviceNumber, call: CallId) -> bool {
        let units = self
            .shifts
            .iter()
            .filter(|(signed_on, _)| *signed_on == device);
        units.into_iter().any(|(_, unit)| {
            let mut pages = self.pages.values();
            pages.any(|page| page.had_ever(unit, call))
        })
    }
}

impl Witness {
    /// The log starts, on a new page if it is restored from a backup: what the center alone
    /// had is nowhere now. Whether it is restored.
    pub(super) fn begins(&mut self, incarnation: u64, page: Page) -> bool {
        let is_restored = !self.pages.is_empty() && !self.pages.contains_key(&incarnation);
        let before = self.pages.get(&self.incarnation);
        for (serial, intent) in &mut self.intents {
            let had = before.is_some_and(|before| before.has_serial(serial));
            if intent.is_off_device && had && !page.has_serial(serial) {
                intent.is_lost = true;
            }
        }
        if let (true, Some(before)) = (is_restored, before) {
            // Devices that have it still are going to say so.
            self.owed.retain(|hash, _| before.seq_of(hash).is_none());
        }
        self.incarnation = incarnation;
        self.pages.insert(incarnation, page);
        is_restored
    }

    /// The device's store is gone. What the log does not have is in sealed files, or was
    /// refused and is in the store that was set aside.
    pub(super) fn store_lost(&mut self, officer: usize, waiting: &BTreeSet<String>) {
        self.owes_nothing(officer);
        let page = self.pages.get(&self.incarnation);
        for (serial, intent) in &mut self.intents {
            if intent.officer != officer {
                continue;
            }
            if waiting.contains(serial) && !intent.is_unsealed {
                intent.is_off_device = true;
            } else if !intent.is_off_device && !page.is_some_and(|page| page.has_serial(serial)) {
                intent.is_lost = true;
            }
        }
    }
}

impl Witness {
    /// A device hears of another log, and has these changes.
    pub(super) fn owes(&mut self, officer: usize, held: &[ChangeHash]) {
        for hash in held {
            let seen = self.pages.values().find_map(|p| p.at(p.seq_of(hash)?));
            if seen.is_some_and(|seen| seen.device.is_none()) {
                self.owed.entry(*hash).or_default().insert(officer);
            }
        }
    }

    /// The center has refused a change. What stood on one whose time it did not believe, this
    /// once, can stand nowhere: such an entry of the center's is given up.
    pub(super) fn refused(&mut self, hash: &ChangeHash, refusal: &Refusal) {
        self.refused_a_time |= *refusal == Refusal::Time;
        if self.refused_a_time {
            self.owed.remove(hash);
        }
    }

    fn owes_nothing(&mut self, officer: usize) {
        for holders in self.owed.values_mut() {
            holders.remove(&officer);
        }
    }

    /// The device's files are of earlier. What its outbox has waits once more; what the log
    /// does not have, and no sealed file, is lost.
    pub(super) fn device_restored(
        &mut self,
        officer: usize,
        waiting: &BTreeSet<String>,
        sealed: &BTreeSet<String>,
        sealed_too: bool,
    ) {
        self.owes_nothing(officer);
        let page = self.pages.get(&self.incarnation);
        for (serial, intent) in &mut self.intents {
            if intent.officer != officer {
                continue;
            }
            intent.is_off_device = !waiting.contains(serial);
            intent.is_unsealed = !intent.is_off_device && !sealed_too;
            let is_elsewhere =
                sealed.contains(serial) || page.is_some_and(|page| page.has_serial(serial));
            intent.is_lost |= intent.is_off_device && !is_elsewhere;
        }
    }
}

fn change_hash(change: &Committed) -> Step<ChangeHash> {
    packet::change_hash(&change.bytes).map_err(super::fault::Fault::of_world)
}

/// The name that an officer's entry of this world carries, in who wrote it.
pub(super) fn serial_of(entry: &Entry) -> Option<&str> {
    let by = match entry {
        Entry::Note(packet::Note { by, .. })
        | Entry::Caution(packet::Caution { by, .. })
        | Entry::Acknowledgement(packet::Acknowledgement { by, .. })
        | Entry::UnitStatus(packet::UnitStatus { by, .. })
        | Entry::Query(packet::Query { by, .. })
        | Entry::Correction(packet::Correction { by, .. }) => by,
        Entry::Facts(packet::Facts { reason, .. }) => reason,
        _ => return None,
    };
    by.find('#').map(|at| &by[at..])
}
