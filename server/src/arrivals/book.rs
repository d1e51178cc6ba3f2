//! The calls of some hours, judged.
//!
//! A judgement is kept for as long as nothing can change it: entries are never changed, so
//! a call is read again only when its packet grew, or while its arrival is so fresh that a
//! receipt may still be on its way.

use std::collections::BTreeMap;
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};

use lru::LruCache;
use packet::{CallId, DocumentId};
use rusqlite::{Connection, params};

use super::{Arrival, Figures, SourceFigures, Timeline};
use crate::hub::Hub;
use crate::log::{Ledger, LogError};

/// Most hours that are looked back: two weeks.
pub const HOURS_MAX: u32 = 336;
/// Most calls in one report, the newest.
const CALLS_MAX: usize = 30_000;
/// Most calls whose judgement is kept.
const KEPT_MAX: NonZeroUsize = NonZeroUsize::new(CALLS_MAX).unwrap();
/// Most misses that a report names, the newest.
const MISSES_MAX: usize = 500;
/// After so long no receipt of a device in contact is still on its way.
const FRESH_MS: i64 = 10 * 60 * 1_000;

/// What was judged of one call.
#[derive(Debug)]
struct Judged {
    /// The last change of each of its documents.
    through: Vec<u64>,
    /// Nothing can change it but a change of the packet.
    is_final: bool,
    number: String,
    agency: String,
    priority: u8,
    has_travel: bool,
    arrival: Option<Arrival>,
    sources: BTreeMap<String, SourceFigures>,
}

/// Judges calls, and remembers.
#[derive(Debug)]
pub struct Book {
    kept: Mutex<LruCache<CallId, Arc<Judged>>>,
}

impl Default for Book {
    fn default() -> Self {
        Self {
            kept: Mutex::new(LruCache::new(KEPT_MAX)),
        }
    }
}

/// A call that somebody came to before everything that was asked was answered and there.
#[derive(Debug, Clone)]
pub struct Miss {
    pub call: CallId,
    pub number: String,
    pub agency: String,
    pub priority: u8,
    /// What there was, was there.
    pub is_complete: bool,
    pub why: String,
}

/// The calls of some hours.
#[derive(Debug, Default)]
pub struct Report {
    pub all: Figures,
    pub priorities: BTreeMap<u8, Figures>,
    pub agencies: BTreeMap<String, Figures>,
    pub sources: BTreeMap<String, SourceFigures>,
    /// The newest first.
    pub misses: Vec<Miss>,
    pub misses_not_named: u64,
    /// Calls that nobody came to, so far.
    pub nobody_came: u64,
    /// Stops, patrol, paper, and packets that officers opened.
    pub no_travel: u64,
    /// Calls beyond the most that one report takes in.
    pub not_looked_at: u64,
}

impl Book {
    /// Judges the calls that were received since then, by CAD's clock.
    ///
    /// # Errors
    /// When the store fails.
    pub fn read(
        &self,
        connection: &Connection,
        hub: &Hub,
        since_ms: i64,
        now_ms: i64,
    ) -> Result<Report, LogError> {
        let mut report = Report::default();
        let count: u64 = connection
            .prepare_cached("SELECT count(*) FROM calls WHERE received_ms >= ?1")?
            .query_row([since_ms], |row| row.get(0))?;
        report.not_looked_at = count.saturating_sub(CALLS_MAX as u64);
        let mut statement = connection.prepare_cached(
            "SELECT call FROM calls WHERE received_ms >= ?1 ORDER BY received_ms DESC LIMIT ?2",
        )?;
        let mut rows = statement.query(params![since_ms, CALLS_MAX])?;
        while let Some(row) = rows.next()? {
            let call = CallId(row.get::<_, i64>(0)?.cast_unsigned());
            if let Some(judged) = self.judge(connection, hub, call, now_ms)? {
                report.add(call, &judged);
            }
        }
        Ok(report)
    }

    fn judge(
        &self,
        connection: &Connection,
        hub: &Hub,
        call: CallId,
        now_ms: i64,
    ) -> Result<Option<Arc<Judged>>, LogError> {
        let through = through(connection, call)?;
        let known = {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.get(&call).cloned()
        };
        if let Some(known) = known
            && known.is_final
            && known.through == through
        {
            return Ok(Some(known));
        }
        let Some(timeline) = Timeline::read(connection, hub, call)? else {
            return Ok(None);
        };
        let judged = Arc::new(Judged::of(&timeline, through, now_ms));
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.put(call, judged.clone());
        Ok(Some(judged))
    }
}

fn through(connection: &Connection, call: CallId) -> Result<Vec<u64>, LogError> {
    let mut statement = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM changes WHERE document = ?1")?;
    Ledger::carried()
        .map(|compartment| DocumentId::new(call, compartment).to_bytes())
        .into_iter()
        .map(|id| Ok(statement.query_row([id], |row| row.get(0))?))
        .collect()
}

impl Judged {
    fn of(timeline: &Timeline, through: Vec<u64>, now_ms: i64) -> Self {
        let arrival = Arrival::of(timeline);
        let mut sources: BTreeMap<String, SourceFigures> = BTreeMap::new();
        if let Some(arrival) = &arrival {
            for question in &timeline.questions {
                let source = sources.entry(question.source.clone()).or_default();
                source.add(question, timeline, arrival);
            }
        }
        Self {
            through,
            is_final: arrival
                .as_ref()
                .is_none_or(|arrival| arrival.at_ms + FRESH_MS < now_ms),
            number: timeline.number.clone(),
            agency: timeline.agency.clone(),
            priority: timeline.priority,
            has_travel: timeline.has_travel(),
            arrival,
            sources,
        }
    }
}

impl Report {
    fn add(&mut self, call: CallId, judged: &Judged) {
        if !judged.has_travel {
            self.no_travel += 1;
            return;
        }
        let Some(arrival) = &judged.arrival else {
            self.nobody_came += 1;
            return;
        };
        self.all.add(arrival);
        self.priorities
            .entry(judged.priority)
            .or_default()
            .add(arrival);
        self.agencies
            .entry(judged.agency.clone())
            .or_default()
            .add(arrival);
        for (name, figures) in &judged.sources {
            self.sources.entry(name.clone()).or_default().merge(figures);
        }
        if arrival.is_everything() {
            return;
        }
        if self.misses.len() >= MISSES_MAX {
            self.misses_not_named += 1;
            return;
        }
        let why: Vec<String> = arrival.why.iter().map(ToString::to_string).collect();
        self.misses.push(Miss {
            call,
            number: judged.number.clone(),
            agency: judged.agency.clone(),
            priority: judged.priority,
            is_complete: arrival.complete_ms.is_some(),
            why: why.join("; "),
        });
    }
}
