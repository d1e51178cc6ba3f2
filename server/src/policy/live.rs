//! The policies of a running center: asked by every route, session and query; read again when
//! their files change.
//!
//! **Nothing stale is allowed.** A decision depends on who asks (role, agency,
//! certifications), what for, whose the document is and of which compartment, and on the
//! date: nothing else, no policy can name a single call. So it is kept for all alike, and
//! forgotten as a whole when a file of policies or people changes and when a day of the
//! center's zone ends: the clock is looked at before each kept decision is used. Whoever is
//! connected is told at the same moment by [`LivePolicies::changes`] and decided about anew.
//!
//! A file that is wrong changes nothing: what was in force stays, and the fault is said with
//! its line and column in the log and as `forerunner_policies_wrong`, until the file is right.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use jiff::Timestamp;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use packet::Compartment;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::people::{PEOPLE, People};
use super::set::{Names, Policies, PolicyFault, Question, Verdict};
use super::sight::Sight;
use super::who::{Certifications, On, Who};
use super::{Act, Actor, Role};
use crate::clock::Clock;
use crate::config::{AgencyConfig, Config, LeaseConfig};
use crate::metrics::Metrics;
use crate::shifts::Shift;

/// How often the files, and the date, are looked at.
const LOOK_MS: u64 = 1_000;
/// Most decisions that are kept; with more all are made anew.
const KEPT_MAX: usize = 64 * 1024;

/// What a decision depends on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    who: Who,
    act: Act,
    on: OnKey,
    purpose: Option<Arc<str>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum OnKey {
    Center,
    Document(Arc<str>, Compartment),
    Source(Arc<str>, Arc<str>, Compartment),
}

/// A decision, and the ids of the policies that made it.
#[derive(Debug, Clone)]
struct Kept {
    allowed: bool,
    by: Arc<[String]>,
}

/// What is in force on one day.
#[derive(Debug)]
struct InForce {
    policies: Arc<Policies>,
    people: Arc<People>,
    today: Date,
    /// `today` is the date from here …
    from_ms: i64,
    /// … to here.
    until_ms: i64,
    kept: RwLock<HashMap<Key, Kept>>,
}

/// By this a changed folder is told from an unchanged one.
type Stamp = Vec<(PathBuf, Option<SystemTime>, u64)>;

/// The policies in force, and who is certified for what.
#[derive(Debug)]
pub struct LivePolicies {
    folder: Option<PathBuf>,
    agencies: Vec<AgencyConfig>,
    leases: Vec<LeaseConfig>,
    clock: Clock,
    zone: TimeZone,
    /// The folder as it was when it was read at the start.
    read_at: Stamp,
    in_force: RwLock<Arc<InForce>>,
    /// Counts what may have changed decisions.
    generation: watch::Sender<u64>,
    fault: watch::Sender<Option<String>>,
    /// How often it was asked, and how often nothing kept answered.
    asked: AtomicU64,
    made: AtomicU64,
}

impl LivePolicies {
    /// Reads the configuration's folder of policies; the built-in ones where there is none.
    ///
    /// # Errors
    /// Names the file, the line and the column, and what was wanted.
    pub fn open(config: &Config) -> Result<Self, PolicyFault> {
        Self::open_in(config, Clock::default(), TimeZone::system())
    }

    /// … by this clock, with days of this zone.
    ///
    /// # Errors
    /// As [`LivePolicies::open`].
    pub fn open_in(config: &Config, clock: Clock, zone: TimeZone) -> Result<Self, PolicyFault> {
        let folder = config.policies.clone();
        // Before it is read: what is written meanwhile is a change.
        let read_at = folder.as_deref().map(stamp).unwrap_or_default();
        let names = Names::of(config);
        let (policies, people) = read(&names, &config.agencies, folder.as_deref())?;
        Ok(Self {
            leases: config.leases.clone(),
            ..Self::new(
                folder,
                &config.agencies,
                read_at,
                (policies, people),
                clock,
                zone,
            )
        })
    }

    /// Built-in policies of these agencies, for what runs without a configuration.
    ///
    /// # Panics
    /// When the built-in policies do not hold.
    #[must_use]
    pub fn built_in(agencies: &[String]) -> Self {
        let names = Names::new(agencies.iter().cloned(), [String::from("C")]);
        #[allow(clippy::expect_used)] // A test of this crate asks for nothing else.
        let policies = Policies::built_in(&names).expect("the built-in policies hold");
        let (clock, zone) = (Clock::default(), TimeZone::UTC);
        Self::new(
            None,
            &[],
            Vec::new(),
            (policies, People::default()),
            clock,
            zone,
        )
    }

    /// These policies and people, by this clock: for a simulated center.
    #[must_use]
    pub fn with(policies: Policies, people: People, clock: Clock, zone: TimeZone) -> Self {
        Self::new(None, &[], Vec::new(), (policies, people), clock, zone)
    }

    fn new(
        folder: Option<PathBuf>,
        agencies: &[AgencyConfig],
        read_at: Stamp,
        (policies, people): (Policies, People),
        clock: Clock,
        zone: TimeZone,
    ) -> Self {
        let in_force = day(Arc::new(policies), Arc::new(people), &clock, &zone);
        Self {
            folder,
            agencies: agencies.to_vec(),
            leases: Vec::new(),
            clock,
            zone,
            read_at,
            in_force: RwLock::new(Arc::new(in_force)),
            generation: watch::channel(0).0,
            fault: watch::channel(None).0,
            asked: AtomicU64::new(0),
            made: AtomicU64::new(0),
        }
    }

    /// How many decisions were asked for so far, and how many of them Cedar made.
    #[must_use]
    pub fn decisions(&self) -> (u64, u64) {
        let read = |count: &AtomicU64| count.load(Ordering::Relaxed);
        (read(&self.asked), read(&self.made))
    }

    /// What is in force now, on the day that it is now.
    fn now(&self) -> Arc<InForce> {
        let in_force = self
            .in_force
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .clone();
        let now_ms = self.clock.now_ms();
        if (in_force.from_ms..in_force.until_ms).contains(&now_ms) {
            return in_force;
        }
        self.turn(in_force.policies.clone(), in_force.people.clone())
    }

    /// Puts these in force, on the day that it is now, and tells whoever is connected.
    fn turn(&self, policies: Arc<Policies>, people: Arc<People>) -> Arc<InForce> {
        let fresh = Arc::new(day(policies, people, &self.clock, &self.zone));
        *self
            .in_force
            .write()
            .unwrap_or_else(PoisonError::into_inner) = fresh.clone();
        self.generation.send_modify(|generation| *generation += 1);
        fresh
    }

    /// Puts other policies and people in force.
    pub fn replace(&self, policies: Policies, people: People) {
        self.turn(Arc::new(policies), Arc::new(people));
    }

    /// What may have changed decisions, each time it happens: whoever is connected is decided
    /// about anew.
    #[must_use]
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.generation.subscribe()
    }

    /// What is wrong with the files, and each change of that.
    #[must_use]
    pub fn fault(&self) -> watch::Receiver<Option<String>> {
        self.fault.subscribe()
    }

    /// The policies themselves.
    #[must_use]
    pub fn policies(&self) -> Arc<Policies> {
        self.now().policies.clone()
    }

    /// The date in the center's zone.
    #[must_use]
    pub fn today(&self) -> Date {
        self.now().today
    }

    /// Who an officer on shift is, at a device of this agency.
    #[must_use]
    pub fn officer(&self, shift: &Shift, device_agency: &str) -> Who {
        Who {
            role: Role::Officer,
            agency: shift.agency.as_str().into(),
            name: shift.badge.as_str().into(),
            certifications: self.certifications(&shift.agency, &shift.badge),
            device: Some(device_agency.into()),
        }
    }

    /// An officer's, today.
    pub(super) fn certifications(&self, agency: &str, badge: &str) -> Certifications {
        self.now().people.officer(agency, badge)
    }

    /// May this be done? Deny is the default.
    #[must_use]
    pub fn decide(&self, who: &Who, act: Act, on: On<'_>) -> bool {
        self.decide_for(who, act, on, None)
    }

    /// … for this purpose; `None`: the center's first.
    #[must_use]
    pub fn decide_for(&self, who: &Who, act: Act, on: On<'_>, purpose: Option<&str>) -> bool {
        self.kept(who, act, on, purpose, |kept| kept.allowed)
    }

    /// The decision, and the ids of the policies that make it; none: no policy permits it.
    #[must_use]
    pub fn decided_by(&self, who: &Who, act: Act, on: On<'_>) -> (bool, Arc<[String]>) {
        self.kept(who, act, on, None, |kept| (kept.allowed, kept.by.clone()))
    }

    fn kept<T>(
        &self,
        who: &Who,
        act: Act,
        on: On<'_>,
        purpose: Option<&str>,
        take: impl Fn(&Kept) -> T,
    ) -> T {
        self.asked.fetch_add(1, Ordering::Relaxed);
        let in_force = self.now();
        let key = in_force.key(who, act, &on, purpose);
        let kept = in_force.kept.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(kept) = kept.get(&key) {
            return take(kept);
        }
        drop(kept);
        self.made.fetch_add(1, Ordering::Relaxed);
        let verdict = in_force.judge(who, act, on, purpose);
        let made = Kept {
            allowed: verdict.allowed,
            by: verdict.by.into_iter().map(|policy| policy.id).collect(),
        };
        let taken = take(&made);
        let mut kept = in_force
            .kept
            .write()
            .unwrap_or_else(PoisonError::into_inner);
        if kept.len() >= KEPT_MAX {
            kept.clear();
        }
        kept.insert(key, made);
        taken
    }

    /// Whether this role may ever do this: to what concerns no packet, or to a call of its
    /// own agency's. What it may do to one that is there is asked apart.
    #[must_use]
    pub fn may(&self, actor: &Actor, act: Act) -> bool {
        let who = Who::from(actor);
        self.decide(&who, act, On::call(act, &who.agency))
    }

    /// The decision with the policies that made it, made anew.
    #[must_use]
    pub fn explain(&self, who: &Who, act: Act, on: On<'_>, purpose: Option<&str>) -> Verdict {
        self.now().judge(who, act, on, purpose)
    }

    /// What does not last for the shift on devices.
    #[must_use]
    pub fn leases(&self) -> &[LeaseConfig] {
        &self.leases
    }

    /// The agencies that the policies know, the center itself last.
    #[must_use]
    pub fn agencies(&self) -> Vec<String> {
        self.now().policies.names().agencies().to_vec()
    }

    /// Whether all who may know of a call of `of` may know of one of `other` too, as far as
    /// roles and agencies go: what is written into a packet of the one may name the other.
    #[must_use]
    pub fn may_name(&self, of: &str, other: &str) -> bool {
        if of == other {
            return true;
        }
        let sees = |role: Role, agency: &str, whose: &str| {
            let who = Who {
                agency: agency.into(),
                ..Who::of(role)
            };
            let act = match role {
                Role::Officer => Act::Carry(Compartment::Call),
                _ => Act::Show(Compartment::Call),
            };
            self.decide(&who, act, On::call(act, whose))
        };
        let agencies = self.agencies();
        [Role::Officer, Role::Analyst, Role::Supervisor]
            .into_iter()
            .all(|role| {
                agencies
                    .iter()
                    .all(|agency| !sees(role, agency, of) || sees(role, agency, other))
            })
    }

    /// Whose calls what is written into a packet of this agency's may name.
    #[must_use]
    pub fn nameable(&self, of: &str) -> Sight {
        let may = |other: &str| {
            let may = self.may_name(of, other);
            may.then_some(Compartment::Call).into_iter().collect()
        };
        Sight::by_agency(&self.agencies(), may)
    }

    /// Reads the files again and puts them in force where they are right.
    fn reload(&self, folder: &Path) {
        let names = self.now().policies.names().clone();
        match read(&names, &self.agencies, Some(folder)) {
            Ok((policies, people)) => {
                self.replace(policies, people);
                self.fault.send_replace(None);
                tracing::info!(path = %folder.display(), "the policies were read again");
            }
            Err(fault) => {
                tracing::error!(%fault, "the policies are wrong; those of before stay");
                self.fault.send_replace(Some(fault.to_string()));
            }
        }
    }

    /// Looks at the files and the date until told to stop.
    pub async fn watch(self: Arc<Self>, metrics: Arc<Metrics>, stop: CancellationToken) {
        let mut known = self.read_at.clone();
        loop {
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(LOOK_MS)) => {}
                () = stop.cancelled() => return,
            }
            // A day may have ended while nobody asked anything.
            drop(self.now());
            let Some(folder) = self.folder.clone() else {
                continue;
            };
            let now = stamp(&folder);
            if now == known {
                continue;
            }
            known = now;
            let policies = self.clone();
            // Reading and validating takes a moment.
            let read = tokio::task::spawn_blocking(move || policies.reload(&folder));
            if read.await.is_ok() {
                let is_wrong = self.fault.borrow().is_some();
                metrics.policies_wrong.set(i64::from(is_wrong));
            }
        }
    }
}

impl InForce {
    fn key(&self, who: &Who, act: Act, on: &On<'_>, purpose: Option<&str>) -> Key {
        let mut who = who.clone();
        if !self.policies.names_people() {
            // All of one class are decided about alike.
            who.name = "".into();
        }
        Key {
            who,
            act,
            on: match *on {
                On::Center => OnKey::Center,
                On::Document {
                    agency,
                    compartment,
                } => OnKey::Document(agency.into(), compartment),
                On::Source {
                    agency,
                    name,
                    compartment,
                } => OnKey::Source(agency.into(), name.into(), compartment),
            },
            purpose: purpose.map(Into::into),
        }
    }

    fn judge(&self, who: &Who, act: Act, on: On<'_>, purpose: Option<&str>) -> Verdict {
        self.policies.judge(&Question {
            who,
            act,
            on,
            purpose: purpose.unwrap_or_else(|| self.policies.names().purpose()),
            today: self.today,
        })
    }
}

/// These on the day that it is now.
fn day(policies: Arc<Policies>, people: Arc<People>, clock: &Clock, zone: &TimeZone) -> InForce {
    let now_ms = clock.now_ms();
    let now = Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::UNIX_EPOCH);
    let zoned = now.to_zoned(zone.clone());
    let midnight = |at: Result<jiff::Zoned, jiff::Error>, otherwise: i64| {
        at.map_or(otherwise, |at| at.timestamp().as_millisecond())
    };
    let from_ms = midnight(zoned.start_of_day(), now_ms);
    let tomorrow = zoned
        .tomorrow()
        .and_then(|tomorrow| tomorrow.start_of_day());
    InForce {
        policies,
        people,
        today: zoned.date(),
        from_ms: from_ms.min(now_ms),
        until_ms: midnight(tomorrow, now_ms + 1),
        kept: RwLock::default(),
    }
}

fn read(
    names: &Names,
    agencies: &[AgencyConfig],
    folder: Option<&Path>,
) -> Result<(Policies, People), PolicyFault> {
    match folder {
        Some(folder) => Ok((
            Policies::read(names, folder)?,
            People::read(agencies, names.agencies(), folder)?,
        )),
        None => Ok((Policies::built_in(names)?, People::of(agencies))),
    }
}

fn stamp(folder: &Path) -> Stamp {
    let Ok(entries) = std::fs::read_dir(folder) else {
        return Stamp::new();
    };
    let is_ours = |path: &PathBuf| {
        path.extension()
            .is_some_and(|extension| extension == "cedar")
            || path.ends_with(PEOPLE)
    };
    let mut stamp: Stamp = entries
        .filter_map(|entry| Some(entry.ok()?.path()))
        .filter(is_ours)
        .map(|path| {
            let file = std::fs::metadata(&path).ok();
            let modified = file.as_ref().and_then(|file| file.modified().ok());
            (path, modified, file.map_or(0, |file| file.len()))
        })
        .collect();
    stamp.sort();
    stamp
}
