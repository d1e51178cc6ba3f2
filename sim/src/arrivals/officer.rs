//! An officer's device: the real store, the real sync machine and the real pace of dialling,
//! in a car that drives through the city's coverage.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Arc;

use mobile_core::identity::{Signer, SoftwareSigner};
use mobile_core::simulation::{CONNECT_MS_MAX, Dialler, Due, Enrolment, SimulatedDevice};
use packet::{
    CallId, CenterId, Compartment, DeviceNumber, DocumentId, Entry, UnitState, UnitStatus,
};
use server::devices;
use server::shifts::{self, Shift};
use sync::device::Store as Operation;

use super::event::{End, Event};
use super::map::Place;
use super::wire::{Load, Wire};
use super::{City, CityError, Step};
use crate::stage::keys::{EvenSigner, MemoryKeys};
use crate::stage::network::Network;

/// A commit takes this long, at least and at most.
const COMMIT_MS: std::ops::RangeInclusive<u64> = 1..=40;
/// TLS resumed and the upgrade's request, as measured.
const HANDSHAKE_BYTES: usize = 900;
/// Round trips after TCP's own until the upgrade's request is on its way: TLS 1.3.
const TLS_TRIPS: u64 = 1;
/// When TCP sends the first packet of a connection again, after the first (RFC 6298: 1 s).
const FIRST_PACKET_MS: u64 = 1_000;
const AGENCY: &str = "city";

#[derive(Debug)]
pub(super) struct Officer {
    pub(super) number: DeviceNumber,
    pub(super) unit: String,
    name: String,
    pub(super) district: String,
    token: Vec<u8>,
    device: SimulatedDevice,
    pub(super) is_off: bool,
    pub(super) place: Place,
    /// Where the car is; the device may be off there.
    pub(super) cell: Option<Network>,
    /// What the car will pass, the next first, and the number of the way.
    pub(super) ahead: VecDeque<(u64, Option<Network>)>,
    pub(super) way: u64,
    /// The call it is on.
    pub(super) call: Option<usize>,
    pub(super) wire: Option<u64>,
    /// The upgrade was answered.
    is_up: bool,
    dialler: Dialler,
    dial_plan: u64,
    /// When the dial that is under way is given up.
    dial_until_ms: u64,
    session: u64,
    commit_due: bool,
    /// Heard since the last commit: documents, and through which `seq` they will be here.
    heard: Vec<(DocumentId, u64)>,
    /// Packets that were looked at.
    seen: BTreeSet<CallId>,
}

impl Officer {
    /// The link that its device has.
    pub(super) fn link(&self) -> Option<Network> {
        self.cell.filter(|_| !self.is_off)
    }
}

impl City {
    /// Enrols a device, signs its officer on and has it dial.
    pub(super) fn enrol(
        &mut self,
        folder: &Path,
        district: &str,
        number_there: usize,
        place: Place,
    ) -> Step {
        let index = self.officers.len();
        let signer = EvenSigner(SoftwareSigner::generate()?);
        let (key, label) = (signer.public_key(), format!("MDT {index}"));
        let device = self.center.write_now(move |ledger| {
            let code = devices::new_code(ledger, AGENCY, &label)?;
            devices::enrol(ledger, &code, &key)
        })?;
        let unit = format!("{district}A{number_there:02}");
        let name = format!("Officer {index}");
        let shift = Shift {
            device: device.number,
            officer: name.clone(),
            badge: index.to_string(),
            unit: unit.clone(),
            agency: AGENCY.into(),
            expires_ms: i64::MAX,
        };
        let token = self
            .center
            .write_now(move |ledger| shifts::sign_on(ledger, &shift))?;
        let enrolment = Enrolment {
            device: device.number,
            center: CenterId(self.center.keys.center_id()),
            sealing_key: self.center.keys.sealing_public_key(),
            signer: Arc::new(signer),
        };
        let directory = folder.join(format!("device-{index}"));
        std::fs::create_dir_all(&directory)?;
        let keys = Arc::<MemoryKeys>::default();
        let wall_ms = self.center.wall_ms();
        let (simulated, _) = SimulatedDevice::open(&directory, keys, enrolment, wall_ms)?;
        self.devices.insert(device.number, index);
        self.units.insert(unit.clone(), index);
        self.officers.push(Officer {
            number: device.number,
            unit,
            name,
            district: district.to_owned(),
            token: token.to_vec(),
            device: simulated,
            is_off: false,
            place,
            cell: self.coverage.at(place),
            ahead: VecDeque::new(),
            way: 0,
            call: None,
            wire: None,
            is_up: false,
            dialler: Dialler::default(),
            dial_plan: 0,
            dial_until_ms: 0,
            session: 0,
            commit_due: false,
            heard: Vec::new(),
            seen: BTreeSet::new(),
        });
        self.plan_dial(index, 0);
        Ok(())
    }

    fn plan_dial(&mut self, index: usize, in_ms: u64) {
        let officer = &mut self.officers[index];
        officer.dial_plan += 1;
        let (officer, plan) = (index, officer.dial_plan);
        let at_ms = self.now_ms + in_ms;
        self.queue.plan(at_ms, Event::Dial { officer, plan });
    }

    /// Dials again when the driver would, and not before the center wants it.
    pub(super) fn dial_later(&mut self, index: usize, retry_after_ms: u64) {
        let wait_ms = self.rng.u64(self.officers[index].dialler.wait_ms());
        self.plan_dial(index, wait_ms + retry_after_ms);
    }

    pub(super) fn dial(&mut self, index: usize, plan: u64) -> Step {
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        if officer.dial_plan != plan || officer.wire.is_some() || officer.is_off {
            return Ok(());
        }
        officer.dial_until_ms = now_ms + officer.dialler.dial();
        self.first_packet(index, plan, 0)
    }

    /// TCP's first packet: answered, or sent again after a time that doubles.
    pub(super) fn first_packet(&mut self, index: usize, plan: u64, tries: u32) -> Step {
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        if officer.dial_plan != plan || officer.wire.is_some() || officer.is_off {
            return Ok(());
        }
        if now_ms >= officer.dial_until_ms {
            officer.dialler.ended(false, true);
            self.dial_later(index, 0);
            return Ok(());
        }
        let link = officer.link();
        let until_ms = officer.dial_until_ms;
        let answered = link.filter(|link| {
            let lost = self.rng.u64(..100) < 2 * link.loss_percent;
            !lost && now_ms + 2 * link.latency_ms <= until_ms
        });
        if let Some(link) = answered {
            return self.connected(index, link);
        }
        let again_ms = now_ms + (FIRST_PACKET_MS << tries.min(8));
        let event = Event::FirstPacket {
            officer: index,
            plan,
            tries: tries + 1,
        };
        self.queue.plan(again_ms.min(until_ms), event);
        Ok(())
    }

    /// The network answers: the device makes its hello and sends it behind TLS's handshake.
    fn connected(&mut self, index: usize, link: Network) -> Step {
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        let hello = officer.device.dial(officer.token.clone(), now_ms)?;
        self.next_wire += 1;
        let id = self.next_wire;
        officer.wire = Some(id);
        officer.is_up = false;
        officer.session += 1;
        officer.heard.clear();
        officer.commit_due = false;
        // The hello rides in a header, in base64.
        let bytes = HANDSHAKE_BYTES + sync::frame::encode(&hello).len() * 4 / 3;
        let trips_ms = (1 + TLS_TRIPS) * 2 * link.latency_ms;
        self.wires.insert(id, Wire::new(index, link, now_ms));
        self.hellos.insert(id, Box::new(hello));
        self.send(id, End::Device, Load::Hello(bytes), trips_ms);
        let at_ms = now_ms + CONNECT_MS_MAX;
        self.queue.plan(at_ms, Event::GiveUp { wire: id });
        Ok(())
    }

    /// The upgrade was answered.
    pub(super) fn up(&mut self, wire: u64) -> Step {
        match self.officer_at(wire) {
            Some(index) => {
                self.officers[index].is_up = true;
                self.poll_officer(index)
            }
            None => Ok(()),
        }
    }

    /// The officer whose session is on this wire.
    fn officer_at(&self, wire: u64) -> Option<usize> {
        let officer = self.wires.get(&wire)?.officer;
        (self.officers[officer].wire == Some(wire)).then_some(officer)
    }

    pub(super) fn give_up(&mut self, wire: u64) {
        if let Some(index) = self.officer_at(wire)
            && !self.officers[index].is_up
        {
            self.hang_up(index);
            self.dial_later(index, 0);
        }
    }

    /// The device gives its connection up, and closes it.
    pub(super) fn hang_up(&mut self, index: usize) {
        let welcomed = self.officers[index].device.is_welcomed();
        self.end_dial(index, welcomed);
    }

    fn end_dial(&mut self, index: usize, welcomed: bool) {
        let officer = &mut self.officers[index];
        officer.dialler.ended(welcomed, false);
        officer.device.hang_up();
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
            let Some(wire) = officer.wire.filter(|_| officer.is_up) else {
                return Ok(());
            };
            let Some(link) = self.wires.get_mut(&wire) else {
                return Ok(());
            };
            match link.room_ms(End::Device, now_ms) {
                Some(room_ms) if room_ms <= now_ms => {}
                room_ms => {
                    // While the kernel takes nothing the driver waits for its time as well.
                    let look_ms = room_ms.unwrap_or(now_ms + 1_000);
                    self.plan_poll(wire, End::Device, look_ms);
                    return Ok(());
                }
            }
            match officer.device.next(now_ms) {
                Due::Send(bytes) => self.send(wire, End::Device, Load::Message(bytes), 0),
                Due::Wait { until_ms } => {
                    self.plan_poll(wire, End::Device, until_ms);
                    return Ok(());
                }
                Due::Dead => {
                    self.hang_up(index);
                    self.dial_later(index, 0);
                    return Ok(());
                }
            }
        }
    }

    /// A message from the center came out of the wire.
    pub(super) fn arrived_down(&mut self, wire: u64, bytes: &[u8]) -> Step {
        let Some(index) = self.officer_at(wire) else {
            return Ok(());
        };
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        let (operations, bye) = officer.device.hear(bytes, now_ms)?;
        officer.heard.extend(operations.iter().filter_map(brought));
        if let Some(bye) = bye {
            self.commit_heard(index)?;
            self.end_dial(index, false);
            self.dial_later(index, bye.retry_after_ms);
            return Ok(());
        }
        let officer = &mut self.officers[index];
        if !officer.commit_due {
            officer.commit_due = true;
            let (in_ms, session) = (self.rng.u64(COMMIT_MS), officer.session);
            let officer = index;
            let event = Event::Commit { officer, session };
            self.queue.plan(now_ms + in_ms, event);
        }
        self.poll_officer(index)
    }

    pub(super) fn commit(&mut self, index: usize, session: u64) -> Step {
        let officer = &mut self.officers[index];
        if officer.session != session || !officer.commit_due {
            return Ok(());
        }
        officer.commit_due = false;
        self.commit_heard(index)?;
        self.poll_officer(index)
    }

    /// One transaction of the device's store; what it brought is durable there from now on.
    fn commit_heard(&mut self, index: usize) -> Step {
        let (now_ms, wall_ms) = (self.now_ms, self.center.wall_ms());
        let officer = &mut self.officers[index];
        officer.device.commit(now_ms, wall_ms)?;
        self.stats.device_commits += 1;
        let heard = std::mem::take(&mut officer.heard);
        for (document, through) in heard {
            self.durable(index, document, through);
            self.look(index, document.call)?;
        }
        Ok(())
    }

    /// The officer looks at a packet when it has come.
    fn look(&mut self, index: usize, call: CallId) -> Step {
        let clocks = (self.now_ms, self.center.wall_ms());
        let officer = &mut self.officers[index];
        if officer.seen.insert(call) {
            officer.device.show(call, clocks)?;
        }
        Ok(())
    }

    /// The `seq`s of these documents that the device's store holds.
    pub(super) fn held(&self, index: usize, call: CallId) -> Step<BTreeSet<u64>> {
        let mut held = BTreeSet::new();
        for compartment in server::log::Ledger::carried() {
            let document = DocumentId::new(call, compartment);
            let found: Vec<u64> = self.officers[index].device.look(|connection| {
                let mut statement = connection
                    .prepare_cached("SELECT seq FROM changes WHERE doc = ?1 AND seq IS NOT NULL")?;
                let rows = statement.query_map([document.to_bytes()], |row| row.get(0))?;
                rows.collect()
            })?;
            held.extend(found);
        }
        Ok(held)
    }

    /// The officer says that the unit is there: with a tap, where the packet is on the device;
    /// by voice to the dispatcher where it is not.
    pub(super) fn on_scene(&mut self, index: usize, call: CallId) -> Step {
        let is_here = !self.held(index, call)?.is_empty() && !self.officers[index].is_off;
        let clocks = (self.now_ms, self.center.wall_ms());
        let document = DocumentId::new(call, Compartment::Call);
        let officer = &mut self.officers[index];
        let status = |by: &str| {
            Entry::UnitStatus(UnitStatus {
                unit: officer.unit.clone(),
                status: UnitState::OnScene,
                by: by.to_owned(),
            })
        };
        if !is_here {
            let status = status("Dispatch");
            self.append(document, status);
            return Ok(());
        }
        let status = status(&officer.name);
        officer
            .device
            .write(document, vec![status], false, clocks)?;
        self.poll_officer(index)
    }

    /// The car is in another cell.
    pub(super) fn link_changes(&mut self, index: usize, way: u64) {
        let now_ms = self.now_ms;
        let officer = &mut self.officers[index];
        if officer.way != way {
            return;
        }
        while let Some((_, cell)) = officer.ahead.pop_front_if(|(at_ms, _)| *at_ms <= now_ms) {
            officer.cell = cell;
        }
        if let Some((at_ms, _)) = officer.ahead.front() {
            let event = Event::LinkChanges {
                officer: index,
                way,
            };
            self.queue.plan(*at_ms, event);
        }
        self.link_moved(index);
    }

    /// What its device has of links is another now.
    fn link_moved(&mut self, index: usize) {
        let link = self.officers[index].link();
        self.link_is(index, link);
        self.note_link(index);
    }

    pub(super) fn device_off(&mut self, index: usize) {
        let officer = &mut self.officers[index];
        officer.is_off = true;
        officer.dial_plan += 1;
        officer.device.hang_up();
        officer.is_up = false;
        officer.commit_due = false;
        officer.session += 1;
        if let Some(wire) = officer.wire.take() {
            self.cut(wire);
        }
        self.note_link(index);
    }

    pub(super) fn device_on(&mut self, index: usize) {
        self.officers[index].is_off = false;
        self.officers[index].dialler = Dialler::default();
        self.note_link(index);
        self.plan_dial(index, 0);
    }
}

/// What an operation brings to the device: a document, and through which `seq` it is here.
fn brought(operation: &Operation) -> Option<(DocumentId, u64)> {
    match operation {
        Operation::Changes {
            document, through, ..
        } => Some((*document, *through)),
        _ => None,
    }
}

impl From<mobile_core::simulation::StepError> for CityError {
    fn from(error: mobile_core::simulation::StepError) -> Self {
        Self::new(error)
    }
}
