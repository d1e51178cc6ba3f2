//! From an occasion to what is to be fetched: what the center itself knows is written at
//! once, and what is asked of others is on record before it is asked.

use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use packet::{CallId, DeviceNumber, EntryId, Query, Subject};

use super::Occasion;
use super::known::{answered_to, known};
use super::own;
use super::plan::{Behalf, NotAsked, Plan, Planned, not_understood, plan};
use super::write::{record_asked, set_asked, write_not_asked};
use crate::center::Center;
use crate::clock;
use crate::devices;
use crate::log::{Ledger, LogError};
use crate::policy::{Act, CENTER, On, Who};

/// Most questions of the center's own that are remembered as asked. Of older ones the log
/// says it.
const CLAIMS_MAX: NonZeroUsize = NonZeroUsize::new(65_536).unwrap();

/// A question that the center asks by itself: the call, the source, what.
type Claim = (CallId, String, String);

/// What the center itself is asked.
#[derive(Debug)]
enum OfOwn {
    Opened,
    Asked(EntryId, Query),
}

/// What is to be asked on one behalf.
#[derive(Debug)]
pub(super) struct Ready {
    pub(super) behalf: Behalf,
    pub(super) priority: u8,
    pub(super) asks: Vec<Planned>,
    /// What was asked on an earlier occasion: it may have become more urgent.
    pub(super) asked_before: Vec<Planned>,
}

#[derive(Debug, Clone)]
pub(super) struct Planner {
    center: Arc<Center>,
    claims: Arc<Mutex<LruCache<Claim, ()>>>,
}

impl Planner {
    pub(super) fn new(center: Arc<Center>) -> Self {
        Self {
            center,
            claims: Arc::new(Mutex::new(LruCache::new(CLAIMS_MAX))),
        }
    }

    /// `None` where there is nothing to ask.
    pub(super) async fn ready(self, occasion: Occasion) -> Option<Ready> {
        let ready = match occasion {
            Occasion::Call(call) => self.of_call(call).await,
            Occasion::Query {
                call,
                id,
                query,
                device,
            } => self.of_query(call, id, query, device).await,
        };
        ready.unwrap_or_else(|e| {
            tracing::warn!(error = %e, "a question could not be asked");
            None
        })
    }

    async fn of_query(
        &self,
        call: CallId,
        id: EntryId,
        query: Query,
        device: Option<DeviceNumber>,
    ) -> Result<Option<Ready>, LogError> {
        let reading = self.center.log.readers().read(move |connection| {
            let priority = connection
                .prepare_cached("SELECT priority FROM calls WHERE call = ?1")?
                .query_row([call.0.cast_signed()], |row| row.get(0))?;
            Ok((priority, answered_to(connection, call, id)?))
        });
        let (priority, answered) = reading.await?;
        let is_new = |source: &str, shown: &str| {
            let asked = (source.to_owned(), shown.to_owned());
            !answered.contains(&asked)
        };
        let behalf = Behalf::of_query(call, id, &query, device, &self.center.config.purposes);
        match Subject::parse(query.what, &query.value) {
            Ok(subject) => {
                let own = OfOwn::Asked(id, query);
                let ready = self.prepare(behalf, priority, vec![subject], own, is_new);
                ready.await.map(Some)
            }
            Err(e) => {
                let not_asked = not_understood(&query, &e);
                if is_new(&not_asked.source, &not_asked.shown) {
                    let write =
                        move |ledger: &mut Ledger<'_>| write_not_asked(ledger, &behalf, &not_asked);
                    self.center.log.write(write).await?;
                }
                Ok(None)
            }
        }
    }

    async fn of_call(&self, call: CallId) -> Result<Option<Ready>, LogError> {
        let center = self.center.clone();
        let reading = self.center.log.readers().read(move |connection| {
            known(connection, call, |narrative| {
                let found = center.triage_words(narrative).plates;
                found.into_iter().map(|p| (p.plate, p.state)).collect()
            })
        });
        let Some(known) = reading.await?.filter(|known| known.open) else {
            return Ok(None);
        };
        let purposes = &self.center.config.purposes;
        let behalf = Behalf::of_new_call(call, &known.facts.nature, purposes);
        let answered = known.answered;
        let is_new = |source: &str, shown: &str| {
            let claim = (source.to_owned(), shown.to_owned());
            !answered.contains(&claim) && self.claim((call, claim.0, claim.1))
        };
        let priority = known.facts.priority;
        self.prepare(behalf, priority, known.subjects, OfOwn::Opened, is_new)
            .await
            .map(Some)
    }

    /// True for the first who claims it.
    fn claim(&self, claim: Claim) -> bool {
        let mut claims = self.claims.lock().unwrap_or_else(PoisonError::into_inner);
        claims.put(claim, ()).is_none()
    }

    /// `is_new` says of a source and what it is asked whether it has not been asked yet.
    async fn prepare(
        &self,
        behalf: Behalf,
        priority: u8,
        subjects: Vec<Subject>,
        own: OfOwn,
        is_new: impl Fn(&str, &str) -> bool,
    ) -> Result<Ready, LogError> {
        let config = &self.center.config;
        let mut plan = plan(&config.sources, &config.purposes, &behalf, &subjects);
        self.decide(&mut plan, &behalf).await?;
        plan.not_asked
            .retain(|not_asked| is_new(&not_asked.source, &not_asked.shown));
        let (asks, asked_before): (Vec<_>, Vec<_>) = plan.asks.into_iter().partition(|planned| {
            let source = &config.sources[planned.source];
            is_new(&source.name, &planned.asker.shown)
        });
        let (call, center) = (behalf.call, self.center.clone());
        let found = self.center.log.readers().read(move |connection| {
            let question = match &own {
                OfOwn::Opened => own::Question::Opened,
                OfOwn::Asked(id, query) => own::Question::Asked(*id, query),
            };
            let cameras = &center.config.cameras;
            let policies = Some(&*center.policies);
            own::ask(
                connection,
                cameras,
                call,
                question,
                policies,
                clock::now_ms(),
            )
        });
        let mut found = found.await?;
        found.retain(|answer| is_new(answer.source, &answer.query));
        let findings: usize = found.iter().map(|answer| answer.findings.len()).sum();
        self.center.metrics.findings.inc_by(findings as u64);
        let center = self.center.clone();
        let (for_record, on_behalf) = (asks.clone(), behalf.clone());
        let write = self.center.log.write(move |ledger| {
            own::write(ledger, call, &found)?;
            for not_asked in &plan.not_asked {
                write_not_asked(ledger, &on_behalf, not_asked)?;
            }
            let sources = &center.config.sources;
            let asks = for_record.iter();
            record_asked(
                ledger,
                asks.map(|planned| (planned, &sources[planned.source])),
            )?;
            if on_behalf.query.is_none() && !for_record.is_empty() {
                set_asked(ledger, on_behalf.call, false)?;
            }
            Ok::<_, LogError>(())
        });
        write.await?;
        Ok(Ready {
            behalf,
            priority,
            asks,
            asked_before,
        })
    }

    /// Leaves out what the policies of whose source it is do not let this one ask.
    async fn decide(&self, plan: &mut Plan, behalf: &Behalf) -> Result<(), LogError> {
        let device = match behalf.device {
            Some(number) => {
                let find = move |connection: &_| devices::find(connection, number);
                self.center.log.readers().read(find).await?
            }
            None => None,
        };
        let agency = device.map(|device| device.agency);
        let policies = &self.center.policies;
        let who = Who {
            role: behalf.role,
            ..Who::device(agency.as_deref().unwrap_or(CENTER))
        };
        let may = |planned: &Planned| {
            let source = &self.center.config.sources[planned.source];
            let on = On::Source {
                agency: source.agency.as_deref().unwrap_or(CENTER),
                name: &source.name,
                compartment: source.compartment,
            };
            policies.decide_for(&who, Act::AskSource, on, Some(&behalf.purpose))
        };
        let (asks, not): (Vec<_>, Vec<_>) = plan.asks.drain(..).partition(may);
        plan.asks = asks;
        plan.not_asked
            .extend(not.into_iter().map(|planned| NotAsked {
                source: self.center.config.sources[planned.source].name.clone(),
                shown: planned.asker.shown,
                subject: planned.asker.subject,
                why: "the policies do not let whoever asks ask it for this purpose".into(),
            }));
        Ok(())
    }
}
