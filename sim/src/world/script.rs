//! What happens in the city, and to it: acts by weight.

use packet::{
    Acknowledgement, Author, CallId, CallState, Caution, Compartment, Confidence, DocumentId,
    Entry, EntryId, Facts, Finding, Note, Topic,
};
use serde_json::json;
use server::intake::CallReport;
use server::{calls, devices};

use super::center::CrashPoint;
use super::event::Event;
use super::fault::{Fault, Step};
use super::network::NETWORKS;
use super::officer::{self, Left};
use super::witness::Intent;
use super::{UNITS, World};

/// The mean time between two acts.
const ACT_MS_MEAN: u64 = 600;
/// Longest outage of a network.
const OUTAGE_MS_MAX: u64 = 90_000;
/// Most calls that are open at a time.
const OPEN_CALLS_MAX: usize = 6;
/// What an officer writes in one go where there was no signal for long.
const BURST_NOTES: usize = 80;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Act {
    AnalystNote,
    AnalystCaution,
    Finding,
    Note,
    Caution,
    Acknowledge,
    Look,
    OwnPacket,
    Burst,
    OpenCall,
    UpdateCall,
    CloseCall,
    Assign,
    Release,
    ChangeUnit,
    Outage,
    HalfOpen,
    OtherNetwork,
    DeviceCrash,
    DeviceCrashAtCommit,
    DeviceDiskFull,
    DeviceClock,
    StoreLost,
    DeviceBackup,
    DeviceRestore,
    CenterCrash,
    CenterCrashAtCommit,
    CenterDiskFull,
    CenterClock,
    Backup,
    Restore,
    Revoke,
}

const ACTS: [(Act, u32); 32] = [
    (Act::AnalystNote, 130),
    (Act::AnalystCaution, 40),
    (Act::Finding, 50),
    (Act::Note, 160),
    (Act::Caution, 40),
    (Act::Acknowledge, 60),
    (Act::Look, 80),
    (Act::OwnPacket, 8),
    (Act::Burst, 2),
    (Act::OpenCall, 30),
    (Act::UpdateCall, 20),
    (Act::CloseCall, 15),
    (Act::Assign, 40),
    (Act::Release, 30),
    (Act::ChangeUnit, 8),
    (Act::Outage, 45),
    (Act::HalfOpen, 25),
    (Act::OtherNetwork, 45),
    (Act::DeviceCrash, 12),
    (Act::DeviceCrashAtCommit, 16),
    (Act::DeviceDiskFull, 6),
    (Act::DeviceClock, 5),
    (Act::StoreLost, 3),
    (Act::DeviceBackup, 16),
    (Act::DeviceRestore, 5),
    (Act::CenterCrash, 3),
    (Act::CenterCrashAtCommit, 6),
    (Act::CenterDiskFull, 4),
    (Act::CenterClock, 4),
    (Act::Backup, 6),
    (Act::Restore, 2),
    (Act::Revoke, 1),
];

/// What dispatch knows.
#[derive(Debug, Default)]
pub(super) struct Dispatch {
    calls: Vec<Call>,
    numbers: u64,
}

#[derive(Debug)]
struct Call {
    number: u64,
    narrative: Vec<String>,
    is_open: bool,
}

impl World {
    pub(super) fn act(&mut self) -> Step {
        if self.healing {
            return Ok(());
        }
        let in_ms = self.rng.u64(1..2 * ACT_MS_MEAN);
        self.queue.plan(self.now_ms + in_ms, Event::Act);
        let total: u32 = ACTS.iter().map(|(_, weight)| weight).sum();
        let mut left = self.rng.u32(..total);
        for (act, weight) in ACTS {
            if left < weight {
                return self.do_act(act);
            }
            left -= weight;
        }
        Ok(())
    }

    fn do_act(&mut self, act: Act) -> Step {
        let index = self.rng.usize(..self.officers.len());
        if self.officers[index].is_hostile || self.officers[index].is_revoked {
            return Ok(());
        }
        match act {
            Act::AnalystNote | Act::AnalystCaution | Act::Finding => self.analyst(act),
            Act::Note | Act::Caution | Act::Burst => self.officer_writes(index, act),
            Act::Acknowledge => self.acknowledge(index),
            Act::Look => self.look(index),
            Act::OwnPacket => self.own_packet(index),
            Act::OpenCall | Act::UpdateCall | Act::CloseCall => self.dispatch(act),
            Act::Assign | Act::Release => self.assign(act),
            Act::ChangeUnit => {
                let unit = UNITS[self.rng.usize(..UNITS.len())];
                if self.officers[index].is_online() && self.officers[index].unit != unit {
                    return self.sign_on_for(index, unit);
                }
                Ok(())
            }
            Act::Outage => {
                let outage_ms = self.rng.u64(1_000..OUTAGE_MS_MAX);
                let late_ms = self.rng.bool().then(|| self.rng.u64(1_000..40_000));
                let notices = self.rng.u8(..4) > 0;
                self.note(&format!(
                    "D{index} no network for {outage_ms} ms, late={late_ms:?}"
                ));
                self.officers[index].no_network_until_ms = self.now_ms + outage_ms;
                self.cut(index, late_ms, notices);
                if notices {
                    self.plan_dial(index, 0);
                }
                Ok(())
            }
            Act::HalfOpen => {
                self.note(&format!("D{index} half open"));
                let late_ms = self.rng.bool().then(|| self.rng.u64(1_000..40_000));
                let notices = self.rng.bool();
                self.cut(index, late_ms, notices);
                if notices {
                    self.plan_dial(index, 200);
                }
                Ok(())
            }
            Act::OtherNetwork => {
                let network = NETWORKS[self.rng.usize(..NETWORKS.len())];
                self.officers[index].network = network;
                self.cut(index, Some(100), true);
                self.plan_dial(index, 500);
                Ok(())
            }
            _ => self.mishap(index, act),
        }
    }

    fn mishap(&mut self, index: usize, act: Act) -> Step {
        match act {
            Act::DeviceCrash => self.crash_device(index, Left::All),
            Act::DeviceCrashAtCommit => {
                let points = officer::CrashPoint::ALL;
                let point = points[self.rng.usize(..points.len())];
                self.officers[index].crash_due = Some(point);
                Ok(())
            }
            Act::DeviceDiskFull => self.fill_disk(index),
            Act::DeviceClock => {
                let off_ms = self.rng.i64(-200_000_000..200_000_000);
                self.officers[index].wall_off_ms = off_ms;
                self.note(&format!("D{index} clock off by {off_ms} ms"));
                Ok(())
            }
            Act::StoreLost => self.lose_store(index),
            Act::DeviceBackup => self.back_up_device(index),
            Act::DeviceRestore => self.restore_device(index),
            Act::CenterCrash => self.center_crash_now(),
            Act::CenterCrashAtCommit => {
                self.center.crash_due = Some(if self.rng.bool() {
                    CrashPoint::BeforeCommit
                } else {
                    CrashPoint::BeforeAnswers
                });
                Ok(())
            }
            Act::CenterDiskFull => {
                let for_ms = self.rng.u64(1_000..20_000);
                let officer = None;
                self.queue
                    .plan(self.now_ms + for_ms, Event::RoomOnDisk { officer });
                self.limit_center_disk(true)
            }
            Act::CenterClock => {
                self.center.wall_off_ms = self.rng.i64(-4_000_000..4_000_000);
                self.center.set_clock(self.now_ms);
                let off_ms = self.center.wall_off_ms;
                self.note(&format!("C clock off by {off_ms} ms"));
                Ok(())
            }
            Act::Backup => self.back_up(),
            Act::Restore => self.restore(),
            Act::Revoke => self.revoke(index),
            _ => Ok(()),
        }
    }

    fn center_crash_now(&mut self) -> Step {
        if self.center.running.is_some() {
            self.crash_center(None)?;
        }
        Ok(())
    }

    /// A call that the log knows.
    fn any_call(&mut self) -> Step<Option<CallId>> {
        let calls = self.witness.page()?.calls();
        Ok((!calls.is_empty()).then(|| calls[self.rng.usize(..calls.len())]))
    }

    fn analyst(&mut self, act: Act) -> Step {
        let Some(call) = self.any_call()? else {
            return Ok(());
        };
        let words = self.words(act == Act::Finding);
        let (compartment, entry) = match act {
            Act::AnalystCaution => {
                let by = "Analyst Iyer".to_owned();
                (
                    Compartment::Safety,
                    Entry::Caution(Caution {
                        text: words,
                        by,
                        ends_ms: None,
                    }),
                )
            }
            Act::Finding => (Compartment::Call, finding(words)),
            _ => {
                let by = "Analyst Iyer".to_owned();
                (Compartment::Call, Entry::Note(Note { text: words, by }))
            }
        };
        let document = DocumentId::new(call, compartment);
        self.desk_task(format!("{act:?}"), move |ledger| {
            ledger.append(document, entry).map(drop)
        });
        Ok(())
    }

    fn words(&mut self, are_many: bool) -> String {
        const WORDS: [&str; 16] = [
            "silver", "sedan", "north", "rear", "gate", "two", "males", "leaving", "partial",
            "plate", "dog", "porch", "caller", "states", "again", "quiet",
        ];
        let count = if are_many {
            self.rng.usize(20..200)
        } else {
            self.rng.usize(3..25)
        };
        let mut words = String::new();
        for _ in 0..count {
            words.push_str(WORDS[self.rng.usize(..WORDS.len())]);
            words.push(' ');
        }
        words.push_str(&self.now_ms.to_string());
        words
    }

    /// A packet on the device, as its list of packets has them.
    fn packet_on(&mut self, index: usize) -> Step<Option<CallId>> {
        let Some(device) = &self.officers[index].device else {
            return Ok(None);
        };
        let calls: Vec<CallId> = device
            .look(|c| {
                let mut statement = c.prepare_cached(
                    "SELECT doc FROM documents WHERE standing > 0 OR opened = 1 ORDER BY doc",
                )?;
                let rows = statement.query_map([], |row| row.get::<_, [u8; 9]>(0))?;
                let documents = rows.collect::<Result<Vec<_>, _>>()?;
                let calls = documents
                    .iter()
                    .filter_map(|id| DocumentId::from_bytes(id).ok());
                Ok(calls.map(|id| id.call).collect())
            })
            .map_err(Fault::of_world)?;
        Ok((!calls.is_empty()).then(|| calls[self.rng.usize(..calls.len())]))
    }

    fn officer_writes(&mut self, index: usize, act: Act) -> Step {
        let Some(call) = self.packet_on(index)? else {
            return Ok(());
        };
        let count = if act == Act::Burst { BURST_NOTES } else { 1 };
        for _ in 0..count {
            let (serial, by) = self.signed(index);
            let text = self.words(false);
            let (compartment, entry) = if act == Act::Caution {
                (
                    Compartment::Safety,
                    Entry::Caution(Caution {
                        text,
                        by,
                        ends_ms: None,
                    }),
                )
            } else {
                (Compartment::Call, Entry::Note(Note { text, by }))
            };
            let document = DocumentId::new(call, compartment);
            if !self.write(index, document, entry, serial, false)? {
                break;
            }
        }
        self.poll_officer(index)
    }

    fn signed(&mut self, index: usize) -> (String, String) {
        let serial = self.witness.serial();
        let officer = &self.officers[index];
        let by = format!("{} ({}) {serial}", officer.name, officer.unit);
        (serial, by)
    }

    /// Whether the device kept it; then the witness holds it to that.
    fn write(
        &mut self,
        index: usize,
        document: DocumentId,
        entry: Entry,
        serial: String,
        opens: bool,
    ) -> Step<bool> {
        let officer = &mut self.officers[index];
        let clocks = officer.clocks(self.now_ms);
        let Some(device) = &mut officer.device else {
            return Ok(false);
        };
        let kind = entry.kind();
        match device.write(document, vec![entry], opens, clocks) {
            Ok(_) => {
                self.note(&format!("D{index} writes {serial} {kind:?}"));
                let intent = Intent {
                    officer: index,
                    document,
                    is_off_device: false,
                    is_unsealed: false,
                    refused_sealed: false,
                    is_lost: false,
                };
                self.witness.intents.insert(serial, intent);
                self.stats.written += 1;
                Ok(true)
            }
            Err(e) => {
                self.note(&format!("D{index} cannot keep {serial}: {e}"));
                Ok(false)
            }
        }
    }

    fn acknowledge(&mut self, index: usize) -> Step {
        let Some(call) = self.packet_on(index)? else {
            return Ok(());
        };
        let document = DocumentId::new(call, Compartment::Safety);
        let Some(device) = &self.officers[index].device else {
            return Ok(());
        };
        let caution: Option<String> = device
            .look(|c| {
                let sql = "SELECT max(entry) FROM changes WHERE doc = ?1 AND kind = 'caution'";
                c.query_row(sql, [document.to_bytes()], |row| row.get(0))
            })
            .map_err(Fault::of_world)?;
        let Some(of) = caution.and_then(|id| id.parse::<EntryId>().ok()) else {
            return Ok(());
        };
        let (serial, by) = self.signed(index);
        let unit = self.officers[index].unit.clone();
        let tap = Entry::Acknowledgement(Acknowledgement { of, by, unit });
        self.write(index, document, tap, serial, false)?;
        self.poll_officer(index)
    }

    fn look(&mut self, index: usize) -> Step {
        let Some(call) = self.packet_on(index)? else {
            return Ok(());
        };
        let officer = &mut self.officers[index];
        let clocks = officer.clocks(self.now_ms);
        let Some(device) = &mut officer.device else {
            return Ok(());
        };
        let shown = device.show(call, clocks);
        if let Err(e) = shown {
            self.note(&format!("D{index} cannot keep that it was shown: {e}"));
        }
        self.poll_officer(index)
    }

    /// An on-view: the device itself opens a packet.
    fn own_packet(&mut self, index: usize) -> Step {
        let low = self.rng.u32(..);
        let call = CallId::new(Author::Device(self.officers[index].number), low);
        for compartment in server::log::Ledger::carried() {
            let (serial, reason) = self.signed(index);
            let facts = Facts {
                agency: "cedarport".into(),
                number: String::new(),
                nature: "TRAFFIC STOP".into(),
                category: "officer".into(),
                priority: 3,
                reason,
                location: format!("{} W STATE ST", self.now_ms % 9_000),
                latitude_e6: None,
                longitude_e6: None,
                district: None,
                narrative: None,
                received_ms: self.officers[index].wall_ms(self.now_ms),
                state: CallState::Open,
                disposition: None,
            };
            let document = DocumentId::new(call, compartment);
            if !self.write(index, document, Entry::Facts(facts), serial, true)? {
                break;
            }
        }
        self.poll_officer(index)
    }

    fn dispatch(&mut self, act: Act) -> Step {
        let open = self.dispatch.calls.iter().filter(|call| call.is_open);
        let which = match act {
            Act::OpenCall if open.count() < OPEN_CALLS_MAX => {
                self.dispatch.numbers += 1;
                self.dispatch.calls.push(Call {
                    number: self.dispatch.numbers,
                    narrative: Vec::new(),
                    is_open: true,
                });
                self.dispatch.calls.len() - 1
            }
            _ if self.dispatch.calls.is_empty() => return Ok(()),
            _ => self.rng.usize(..self.dispatch.calls.len()),
        };
        let words = match self.rng.u8(..4) {
            0 => format!("man with a gun seen, {}", self.words(false)),
            _ => self.words(false),
        };
        let unit = UNITS[self.rng.usize(..UNITS.len())];
        let closes = act == Act::CloseCall;
        let call = &mut self.dispatch.calls[which];
        call.is_open &= !closes;
        if call.narrative.len() < 10 {
            call.narrative.push(words);
        }
        let status = if call.is_open {
            json!("open")
        } else {
            json!({"closed": {"disposition": "Advised"}})
        };
        let at = rfc3339(self.now_ms);
        let report: CallReport = serde_json::from_value(json!({
            "agency": "cedarport", "number": format!("26-{:05}", call.number),
            "received": at, "updated": at, "nature": "DISTURBANCE",
            "location": format!("{} N CEDAR AV", call.number), "narrative": call.narrative,
            "priority": 1 + call.number % 5, "plates": [], "status": status,
            "units": if call.is_open { vec![unit] } else { vec![] },
        }))
        .map_err(Fault::of_world)?;
        let triage = self.center.rules.triage(&report);
        self.note(&format!("C {act:?} {}", report.number));
        self.desk_task(format!("{act:?}"), move |ledger| {
            calls::report(ledger, &report, &triage).map(drop)
        });
        Ok(())
    }

    fn assign(&mut self, act: Act) -> Step {
        let Some(call) = self.any_call()? else {
            return Ok(());
        };
        let page = self.witness.page()?;
        let unit = match (act, page.units_of(call).first()) {
            (Act::Release, Some(unit)) => (*unit).to_owned(),
            (Act::Release, None) => return Ok(()),
            _ => UNITS[self.rng.usize(..UNITS.len())].to_owned(),
        };
        self.note(&format!("C {act:?} {unit} {call}"));
        self.desk_task(format!("{act:?}"), move |ledger| match act {
            Act::Release => calls::release(ledger, call, &unit),
            _ => calls::assign(ledger, call, &unit),
        });
        Ok(())
    }

    fn fill_disk(&mut self, index: usize) -> Step {
        let Some(device) = &self.officers[index].device else {
            return Ok(());
        };
        let pages: u32 = device
            .look(|c| c.query_row("PRAGMA page_count", [], |row| row.get(0)))
            .map_err(Fault::of_world)?;
        // It may be full so that not even this is taken.
        let _ = device.limit_pages(pages);
        let for_ms = self.rng.u64(1_000..30_000);
        self.note(&format!("D{index} disk full for {for_ms} ms"));
        let officer = Some(index);
        self.queue
            .plan(self.now_ms + for_ms, Event::RoomOnDisk { officer });
        Ok(())
    }

    pub(super) fn room_on_disk(&mut self, officer: Option<usize>) -> Step {
        match officer {
            None => self.limit_center_disk(false),
            Some(index) => {
                if let Some(device) = &self.officers[index].device {
                    device.limit_pages(1 << 30).map_err(Fault::of_world)?;
                }
                Ok(())
            }
        }
    }

    /// The store is gone: what is unsent is in the sealed files and nowhere else.
    fn lose_store(&mut self, index: usize) -> Step {
        if self.officers[index].device.is_none() {
            return Ok(());
        }
        self.note(&format!("D{index} loses its store"));
        self.stats.stores_lost += 1;
        self.settle_intents_of_lost_store(index)?;
        self.crash_device(index, Left::NoStore)
    }

    fn revoke(&mut self, index: usize) -> Step {
        let good = self
            .officers
            .iter()
            .filter(|o| !o.is_revoked && !o.is_hostile);
        if good.count() < 4 {
            return Ok(());
        }
        let number = self.officers[index].number;
        self.note(&format!("C revokes D{index}"));
        if self
            .write_now(move |ledger| devices::revoke(ledger, number))?
            .is_some()
        {
            self.officers[index].is_revoked = true;
        }
        self.poll_all_sessions()
    }
}

/// A result of a made-up source.
pub(super) fn finding(text: String) -> Entry {
    Entry::Finding(Finding {
        source: "records".into(),
        title: "Earlier contact".into(),
        text,
        query: "address".into(),
        recorded_ms: None,
        answered_ms: 0,
        confidence: Confidence::Exact,
        topic: Topic::Record,
        link: None,
        ends_ms: None,
        answers: None,
    })
}

/// Dispatch's clock, which is never wrong here.
fn rfc3339(now_ms: u64) -> String {
    let (s, ms) = (now_ms / 1_000, now_ms % 1_000);
    let (h, m, s) = (6 + s / 3_600, s / 60 % 60, s % 60);
    format!("2026-09-21T{h:02}:{m:02}:{s:02}.{ms:03}Z")
}
