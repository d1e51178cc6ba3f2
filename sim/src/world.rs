//! The city in virtual time: one center, its officers' devices and the links between
//! them, over the real crates.
//!
//! What decides is real: the state machines of `sync`, admission, the center's log and
//! hub, the devices' stores, on real files. What is made up is around them: time, links,
//! people, and every mishap that a seed can bring. All of it is on one thread and asks
//! one seeded source of chance, so a seed gives the same trace to the byte; what is
//! random by nature (keys, signatures) has the same length each time and is in no line.
//!
//! ```text
//! script ─▶ officers: store + machine ═ wires ═▶ sessions: relay ─▶ log + hub :center
//!    │          │ after each commit                │ each message      │ each commit
//!    └──────────┴──────────▶ witness ◀─────────────┴───────────────────┘
//! ```
//!
//! The witness knows what each log said and what each officer wrote. After every step it
//! holds that against what a machine says and what lies on a disk; the first thing that
//! does not fit ends the run as [`Broken`], with the seed and the last lines of the trace.
//! At the end all is healed, and everything has to come to rest, the same everywhere.
//!
//! * `event`, `network`, `links`: time and wires.
//! * `center`, `session`: the center's side. `officer`, `sealed`: the devices' side.
//! * `script`, `hostile`, `restores`: what happens. `witness`, `checks`, `settle`: what must hold.

mod center;
mod checks;
mod event;
mod fault;
mod hostile;
mod links;
mod messages;
mod network;
mod officer;
mod restores;
mod script;
mod sealed;
mod session;
mod settle;
mod stats;
mod trace;
mod witness;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use fastrand::Rng;
use mobile_core::identity::{Signer, SoftwareSigner};
use mobile_core::simulation::Enrolment;
use packet::CenterId;
use server::devices;
use tempfile::TempDir;

use crate::stage::queue::Queue;
use crate::stage::{self, keys::EvenSigner};
use center::Center;
use event::Event;
use fault::{Fault, Step};
use network::{NETWORKS, Wire};
use officer::Officer;
use script::Dispatch;
use witness::Witness;

pub use fault::Invariant;
pub use stats::Stats;
pub use trace::Trace;

/// 2026-09-21, 06:00 UTC: when every run begins.
const EPOCH_MS: i64 = 1_789_970_400_000;
/// How long a closed call's packet stays with its units.
const KEEP_CLOSED_MS: i64 = 60_000;
const UNITS: [&str; 3] = ["1A11", "2B12", "3C13"];

/// Milliseconds since 1970 by a clock that is right.
fn wall_ms(now_ms: u64) -> i64 {
    EPOCH_MS + now_ms.cast_signed()
}

/// A run that came to its end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Run {
    pub seed: u64,
    pub stats: Stats,
    pub trace: Trace,
}

/// A run that found something broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Broken {
    pub seed: u64,
    /// Virtual time since the run began.
    pub at_ms: u64,
    pub invariant: Invariant,
    pub what: String,
    pub trace: Trace,
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for line in self.trace.tail() {
            writeln!(f, "{line}")?;
        }
        write!(
            f,
            "seed {} at {} ms: \"{}\" does not hold: {}",
            self.seed, self.at_ms, self.invariant, self.what
        )
    }
}

impl std::error::Error for Broken {}

struct World {
    now_ms: u64,
    rng: Rng,
    queue: Queue<Event>,
    trace: Trace,
    stats: Stats,
    center: Center,
    officers: Vec<Officer>,
    hostile_signer: EvenSigner,
    wires: BTreeMap<u64, Wire>,
    next_wire: u64,
    witness: Witness,
    dispatch: Dispatch,
    /// Nothing bad happens any more.
    healing: bool,
    _folder: TempDir,
}

/// Runs the city of this seed for this long in virtual time, heals it and waits for it to
/// come to rest.
///
/// # Errors
/// The first thing that did not hold.
pub fn run(seed: u64, run_ms: u64) -> Result<Run, Box<Broken>> {
    let broken = |at_ms, fault: Fault, trace| {
        Box::new(Broken {
            seed,
            at_ms,
            invariant: fault.invariant,
            what: fault.what,
            trace,
        })
    };
    let mut world = World::new(seed).map_err(|fault| broken(0, fault, Trace::default()))?;
    match world.live(run_ms) {
        Ok(()) => {
            world.stats.simulated_ms = world.now_ms;
            Ok(Run {
                seed,
                stats: world.stats,
                trace: world.trace,
            })
        }
        Err(fault) => Err(broken(world.now_ms, fault, world.trace)),
    }
}

impl World {
    fn new(seed: u64) -> Step<Self> {
        let folder = stage::folder().map_err(Fault::of_world)?;
        // The devices name their actors by the thread's own randomness.
        fastrand::seed(seed);
        let mut rng = Rng::with_seed(seed);
        let signer = EvenSigner(SoftwareSigner::generate().map_err(Fault::of_world)?);
        let mut world = Self {
            now_ms: 0,
            center: Center::new(folder.path(), rng.u64(..))?,
            rng,
            queue: Queue::default(),
            trace: Trace::default(),
            stats: Stats::default(),
            officers: Vec::new(),
            hostile_signer: signer,
            wires: BTreeMap::new(),
            next_wire: 0,
            witness: Witness::default(),
            dispatch: Dispatch::default(),
            healing: false,
            _folder: folder,
        };
        world.center.set_clock(0);
        world.start_center()?;
        world.enrol_all()?;
        world.queue.plan(1, Event::Act);
        world.queue.plan(5_000, Event::Attack);
        Ok(world)
    }

    /// Four to eight devices, the last of them in bad hands.
    fn enrol_all(&mut self) -> Step {
        let count = self.rng.usize(4..=8);
        for index in 0..count {
            let is_hostile = index + 1 == count;
            let signer: Arc<dyn Signer> = if is_hostile {
                Arc::new(HostileKey(self.hostile_signer.public_key()))
            } else {
                let own = SoftwareSigner::generate().map_err(Fault::of_world)?;
                Arc::new(EvenSigner(own))
            };
            let key = signer.public_key();
            let enrolled = self.write_now(move |ledger| {
                let code = devices::new_code(ledger, "cedarport", &format!("MDT {index}"))?;
                devices::enrol(ledger, &code, &key)
            })?;
            let device = enrolled.ok_or_else(|| Fault::of_world("no room to enrol"))?;
            let enrolment = Enrolment {
                device: device.number,
                center: CenterId(self.center.keys.center_id()),
                sealing_key: self.center.keys.sealing_public_key(),
                signer,
            };
            let network = NETWORKS[self.rng.usize(..NETWORKS.len())];
            let unit = UNITS[index % UNITS.len()];
            let folder = self._folder.path().to_owned();
            let mut officer = Officer::new(&folder, index, unit, enrolment, network)?;
            if is_hostile {
                officer.is_hostile = true;
                officer.device = None;
            }
            self.officers.push(officer);
            self.sign_on(index)?;
        }
        Ok(())
    }

    fn note(&mut self, line: &str) {
        self.trace.add(self.now_ms, line);
    }

    fn live(&mut self, run_ms: u64) -> Step {
        self.until(run_ms)?;
        self.heal()?;
        self.settle()
    }

    /// Lets time pass.
    fn until(&mut self, until_ms: u64) -> Step {
        while let Some((at_ms, event)) = self.queue.next(until_ms) {
            self.now_ms = at_ms;
            self.center.set_clock(at_ms);
            self.stats.events += 1;
            self.happen(event)?;
        }
        self.now_ms = until_ms;
        self.center.set_clock(until_ms);
        Ok(())
    }

    fn happen(&mut self, event: Event) -> Step {
        match event {
            Event::Act => self.act(),
            Event::Attack => self.attack(),
            Event::Dial { officer, plan } => self.dial(officer, plan),
            Event::Hello { wire, hello } => self.hello(wire, &hello),
            Event::Up { wire } => self.up(wire),
            Event::GiveUp { wire } => {
                self.give_up(wire);
                Ok(())
            }
            Event::Arrive {
                wire,
                at,
                bytes,
                late,
            } => self.arrive(wire, at, bytes, late),
            Event::Closed { wire, at } => self.closed(wire, at),
            Event::Poll { wire, at } => self.poll(wire, at),
            Event::Commit { officer, boot } => self.commit(officer, boot),
            Event::Group { boot } => self.group(boot),
            Event::StartDevice { officer } => self.start_device(officer),
            Event::StartCenter => self.start_center(),
            Event::SignOn { officer } => self.sign_on(officer),
            Event::RoomOnDisk { officer } => self.room_on_disk(officer),
            Event::Tick => {
                self.tick(KEEP_CLOSED_MS);
                Ok(())
            }
        }
    }
}

/// The hostile device signs by itself; its store writes nothing.
#[derive(Debug)]
struct HostileKey(Vec<u8>);

impl Signer for HostileKey {
    fn public_key(&self) -> Vec<u8> {
        self.0.clone()
    }

    fn sign(&self, _: &[u8]) -> Result<Vec<u8>, mobile_core::identity::SignerError> {
        Err(mobile_core::identity::SignerError::Gone)
    }
}
