//! A city's calls for service in virtual time: was everything there before the officer was?
//!
//! What decides is real: triage, the scheduler that asks the sources, the center's log on a
//! file, its hub, the relays, the sync machines and encrypted stores of the devices, and the
//! pace at which a device dials. **What is around it is modelled**: how long sources take and
//! when they are down, who is sent and how fast a car gets through a city, where there is a
//! link and of what kind ([`model`]; `docs/arriving-first.md` says where each number comes
//! from, and the report says it at its top). A published file of calls says none of that.
//!
//! ```text
//! file ─▶ calls ─▶ entered ─▶ center: triage, log, hub ─▶ session ═ wire ═▶ device: store
//!            │                  ▲        │                            ▲
//!            ├─▶ dispatch       └ enrich ┘ scheduler ⇄ sources        │ link, or none
//!            └─▶ way ─────────────────────────────▶ coverage ─────────┘
//! ```
//!
//! One thread, one queue, chance from the seed alone: a seed gives the same report to the
//! byte. Every arrival is judged by somebody who sees both ends ([`record`]), against what
//! the device's store holds at that moment.

mod calls;
mod center;
mod dispatch;
mod enrich;
mod event;
mod links;
mod map;
mod model;
mod natures;
mod officer;
mod page;
mod record;
mod report;
mod session;
mod sources;
mod travel;
mod wire;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;

use fastrand::Rng;
use packet::{CallId, DeviceNumber};
use server::intake::CallReport;
use sync::frame::Hello;

use calls::Calls;
use center::Center;
use enrich::Enrich;
use event::Event;
use map::Coverage;
use officer::Officer;
use record::Record;
use wire::Wire;

pub use model::{Model, SourceModel, Trigger};
pub use report::{Figures, Report};

use crate::chance::{exponential, stream};
use crate::stage;
use crate::stage::queue::Queue;

/// Most officers of one city.
pub const OFFICERS_MAX: usize = 5_000;
/// Most calls of one run.
pub const CALLS_MAX: usize = 200_000;
/// After the last call the city goes on for this long at most …
const AFTER_MS_MAX: u64 = 24 * 3_600_000;
/// … and so long after the last unit has left: what is on its way still comes.
const AFTERGLOW_MS: u64 = 10 * 60_000;

/// Why there is no report.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct CityError(String);

impl CityError {
    fn new(what: impl Display) -> Self {
        Self(what.to_string())
    }
}

type Step<T = ()> = Result<T, CityError>;

/// Who lives in the city.
#[derive(Debug, Clone)]
pub struct Options {
    /// As they came to dispatch.
    pub calls: Vec<CallReport>,
    /// On duty all the time, one to a unit, each with a device.
    pub officers: usize,
    pub seed: u64,
    pub model: Model,
}

/// What the machinery did.
#[derive(Debug, Default, Clone, Copy)]
pub(crate) struct Stats {
    pub(crate) events: u64,
    pub(crate) commits: u64,
    pub(crate) device_commits: u64,
    pub(crate) sessions: u64,
    pub(crate) bytes_up: u64,
    pub(crate) bytes_down: u64,
}

struct City {
    now_ms: u64,
    seed: u64,
    /// For links, commits and dials.
    rng: Rng,
    queue: Queue<Event>,
    model: Model,
    calls: Calls,
    coverage: Coverage,
    center: Center,
    enrich: Enrich,
    officers: Vec<Officer>,
    units: HashMap<String, usize>,
    devices: HashMap<DeviceNumber, usize>,
    by_id: HashMap<CallId, usize>,
    /// The officers whose units have a call's packet.
    on_call: HashMap<CallId, Vec<usize>>,
    /// Calls without a unit: priority, receipt, which.
    waiting: BTreeSet<(u8, u64, usize)>,
    wires: BTreeMap<u64, Wire>,
    hellos: HashMap<u64, Box<Hello>>,
    next_wire: u64,
    records: Vec<Record>,
    /// Calls that are not over.
    left: usize,
    stats: Stats,
}

/// Lives through the calls, and reports.
///
/// # Errors
/// When there is nothing to live through, or the machine does not bear the city.
pub fn run(options: Options) -> Result<Report, CityError> {
    if options.calls.is_empty() {
        return Err(CityError::new("there is no call to live through"));
    }
    if options.calls.len() > CALLS_MAX {
        let what = format!("{} calls, at most {CALLS_MAX}", options.calls.len());
        return Err(CityError::new(what));
    }
    if !(1..=OFFICERS_MAX).contains(&options.officers) {
        let what = format!("{} officers, from 1 to {OFFICERS_MAX}", options.officers);
        return Err(CityError::new(what));
    }
    let folder = stage::folder()?;
    let mut city = City::new(folder.path(), options)?;
    city.live()?;
    report::of(&city)
}

impl City {
    fn new(folder: &std::path::Path, options: Options) -> Step<Self> {
        let seed = options.seed;
        // The devices name their actors by the thread's own randomness.
        fastrand::seed(seed);
        let calls = Calls::new(options.calls);
        let places: Vec<map::Place> = calls.all.iter().map(|call| call.place).collect();
        let last_ms = calls.all.last().map_or(0, |call| call.received_ms);
        let mut rng = stream(seed, "links");
        let mut city = Self {
            now_ms: 0,
            seed,
            coverage: Coverage::new(seed, &options.model, &places),
            center: Center::new(folder, rng.u64(..))?,
            enrich: Enrich::new(seed, &options.model, last_ms + AFTER_MS_MAX),
            rng,
            queue: Queue::default(),
            model: options.model,
            officers: Vec::new(),
            units: HashMap::new(),
            devices: HashMap::new(),
            by_id: HashMap::new(),
            on_call: HashMap::new(),
            waiting: BTreeSet::new(),
            wires: BTreeMap::new(),
            hellos: HashMap::new(),
            next_wire: 0,
            records: calls.all.iter().map(|_| Record::default()).collect(),
            left: calls.all.len(),
            calls,
            stats: Stats::default(),
        };
        city.center.set_clock(city.calls.epoch_ms);
        city.man(folder, options.officers)?;
        for call in 0..city.calls.all.len() {
            city.plan_call(call);
        }
        city.queue.plan(1, Event::Tick);
        Ok(city)
    }

    /// Spreads the officers over the districts as the calls are, each where a call was.
    fn man(&mut self, folder: &std::path::Path, officers: usize) -> Step {
        let mut rng = stream(self.seed, "posts");
        let mut there: BTreeMap<String, usize> = BTreeMap::new();
        for officer in 0..officers {
            let call = &self.calls.all[rng.usize(..self.calls.all.len())];
            let (district, place) = (call.district.clone(), call.place);
            let number = there.entry(district.clone()).or_default();
            *number += 1;
            self.enrol(folder, &district, *number, place)?;
            self.plan_off(officer);
        }
        Ok(())
    }

    /// When this officer's device is off next.
    fn plan_off(&mut self, officer: usize) {
        let hours = exponential(&mut self.rng, self.model.device_on_h);
        let at_ms = self.now_ms + travel::milliseconds(hours * 3_600.0);
        self.queue.plan(at_ms, Event::DeviceOff { officer });
    }

    fn live(&mut self) -> Step {
        let last_ms = self.calls.all.last().map_or(0, |call| call.received_ms);
        let mut until_ms = last_ms + AFTER_MS_MAX;
        while let Some((at_ms, event)) = self.queue.next(until_ms) {
            if self.left == 0 {
                until_ms = until_ms.min(self.now_ms + AFTERGLOW_MS);
            }
            self.now_ms = at_ms;
            let wall_ms = self.calls.epoch_ms.saturating_add_unsigned(at_ms);
            self.center.set_clock(wall_ms);
            self.stats.events += 1;
            self.happen(event)?;
        }
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Step {
        match event {
            Event::Entered { call } => self.entered(call),
            Event::Dispatch { call } => self.dispatch(call)?,
            Event::LinkChanges { officer, way } => self.link_changes(officer, way),
            Event::Arrives { officer, call } => self.arrives(officer, call)?,
            Event::Leaves { officer, call } => self.leaves(officer, call)?,
            Event::DeviceOff { officer } => {
                self.device_off(officer);
                let minutes = exponential(&mut self.rng, self.model.device_off_min);
                let at_ms = self.now_ms + travel::milliseconds(minutes * 60.0);
                self.queue.plan(at_ms, Event::DeviceOn { officer });
            }
            Event::DeviceOn { officer } => {
                self.device_on(officer);
                self.plan_off(officer);
            }
            Event::Answer { attempt } => self.source_replies(attempt),
            Event::Due => self.scheduler_due(),
            Event::Group => self.group()?,
            Event::Gathered => self.gathered(),
            Event::Tick => self.tick(),
            Event::Dial { officer, plan } => self.dial(officer, plan)?,
            Event::FirstPacket {
                officer,
                plan,
                tries,
            } => self.first_packet(officer, plan, tries)?,
            Event::GiveUp { wire } => self.give_up(wire),
            Event::Out { wire, at, held } => self.out(wire, at, held)?,
            Event::Poll { wire, at } => self.poll(wire, at)?,
            Event::Commit { officer, session } => self.commit(officer, session)?,
        }
        Ok(())
    }
}

macro_rules! from_errors {
    ($($error:ty),*) => {
        $(impl From<$error> for CityError {
            fn from(error: $error) -> Self {
                Self::new(error)
            }
        })*
    };
}

from_errors!(
    std::io::Error,
    server::log::LogError,
    server::identity::KeysError,
    mobile_core::StoreError,
    mobile_core::identity::SignerError,
    askama::Error
);
