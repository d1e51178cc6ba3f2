//! Tells the owners of saved searches that something new matches.
//!
//! After a commit each saved search is held against the entries since the last look: those
//! that have its words, person, plate or phone; for a search without such, the facts of
//! calls. A call's facts come again with every update, and are told once. Notices and how
//! far they go are one commit, so that a stop in between loses none and gives none twice.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use packet::CallId;
use rusqlite::{Connection, OptionalExtension, params, params_from_iter};
use tokio::sync::broadcast::error::RecvError;
use tokio_util::sync::CancellationToken;

use super::criteria::Criteria;
use super::saved::{self, UNSEEN_PER_SEARCH_MAX};
use crate::center::Center;
use crate::log::{Happening, Ledger, LogError};
use crate::policy::{Act, Actor, Role, Sight};

/// Least time between two looks.
const REST_MS: u64 = 500;
/// Most changes that one look goes over.
const CHANGES_PER_LOOK_MAX: i64 = 5_000;
/// Most new entries of one search in one look; what is beyond is counted as untold.
const MATCHES_PER_LOOK_MAX: usize = 500;
/// The kind of what the center reads from words.
const MENTION: &str = "mention";
/// Where in the log the next look begins.
const THROUGH: &str = "notices_through";

/// A saved search and what it has newly matched.
struct Matched {
    search: i64,
    /// Call, `subject` of the notice, `seq` of the entry.
    entries: Vec<(CallId, u64, u64)>,
}

/// What one look found.
struct Look {
    through: i64,
    head: i64,
    /// Through here the store knows that it was looked at.
    known: i64,
    matched: Vec<Matched>,
}

impl Look {
    /// A look that found nothing is kept only now and then: to look again finds nothing again.
    fn is_to_keep(&self) -> bool {
        !self.matched.is_empty() || self.through - self.known > CHANGES_PER_LOOK_MAX
    }
}

/// Looks until told to stop.
pub async fn run(center: Arc<Center>, stop: CancellationToken) {
    tokio::select! {
        () = run_on(&center) => {}
        () = stop.cancelled() => {}
    }
}

async fn run_on(center: &Arc<Center>) {
    let mut happenings = center.log.subscribe();
    let mut is_behind = true;
    let mut after = 0;
    loop {
        if !is_behind {
            is_behind = match happenings.recv().await {
                Ok(group) => group.iter().any(|h| matches!(h, Happening::Change(_))),
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return,
            };
            continue;
        }
        match look_once(center, after).await {
            Ok(look) => {
                after = look.through;
                is_behind = look.through < look.head;
            }
            Err(LogError::Stopping) => return,
            Err(e) => tracing::warn!(error = %e, "saved searches wait"),
        }
        tokio::time::sleep(Duration::from_millis(REST_MS)).await;
    }
}

/// One look at what came after this.
async fn look_once(center: &Arc<Center>, after: i64) -> Result<Arc<Look>, LogError> {
    // Every owner is an analyst; what one may not see is left out where notices are read.
    let sight = Sight::of(&center.policies, &Actor::of(Role::Analyst), Act::SearchIn);
    let looked = center
        .log
        .readers()
        .read(move |connection| look(connection, &sight, after))
        .await?;
    let looked = Arc::new(looked);
    if looked.is_to_keep() {
        let telling = looked.clone();
        let raised = center
            .log
            .write(move |ledger| tell(ledger, &telling))
            .await?;
        center.metrics.notices.inc_by(raised);
        if raised > 0 {
            center.notices.send_modify(|count| *count += 1);
        }
    }
    Ok(looked)
}

/// Brings the notices up to date at once: for a simulated city, and for tests.
///
/// # Errors
/// When the store fails.
pub fn catch_up(ledger: &mut Ledger<'_>) -> Result<u64, LogError> {
    let (mut raised, mut after) = (0, 0);
    let sight = Sight::everywhere(&Ledger::carried());
    loop {
        let look = look(ledger.sql(), &sight, after)?;
        raised += tell(ledger, &look)?;
        if look.through >= look.head {
            return Ok(raised);
        }
        after = look.through;
    }
}

/// At what came behind `after`, or behind what the store knows, where that is more.
fn look(connection: &Connection, sight: &Sight, after: i64) -> Result<Look, LogError> {
    let head = connection
        .prepare_cached("SELECT coalesce(max(seq), 0) FROM changes")?
        .query_row([], |row| row.get(0))?;
    let known: Option<i64> = connection
        .prepare_cached("SELECT value FROM meta WHERE name = ?1")?
        .query_row([THROUGH], |row| row.get(0))
        .optional()?;
    let known = known.unwrap_or(0);
    // What was there before the oldest search is new to none.
    let since: Option<i64> = connection
        .prepare_cached("SELECT min(after_seq) FROM saved_searches")?
        .query_row([], |row| row.get(0))?;
    let after = after.max(known).max(since.unwrap_or(head));
    let through = head.min(after + CHANGES_PER_LOOK_MAX);
    let searches: Vec<(i64, String, i64)> = connection
        .prepare_cached(
            "SELECT search, criteria, after_seq FROM saved_searches WHERE after_seq < ?1",
        )?
        .query_map([through], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?
        .collect::<Result<_, _>>()?;
    // Until people sign in every owner is an analyst.
    let mut matched = Vec::new();
    for (search, criteria, since) in searches {
        let criteria = saved::criteria(&criteria)?;
        let from = after.max(since);
        let entries = matches(connection, &criteria, sight, from, through)?;
        if !entries.is_empty() {
            matched.push(Matched { search, entries });
        }
    }
    Ok(Look {
        through,
        head,
        known: known.max(since.unwrap_or(head)),
        matched,
    })
}

/// Entries behind `after`, through `through`, that this search is told of.
fn matches(
    connection: &Connection,
    criteria: &Criteria,
    sight: &Sight,
    after: i64,
    through: i64,
) -> Result<Vec<(CallId, u64, u64)>, LogError> {
    let (whose, within) = sight.of_entries();
    let mut found: Vec<(i64, i64, String)> = Vec::new();
    let terms = criteria.terms();
    for term in &terms {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT e.seq, e.call, e.kind FROM entry_words AS w JOIN search_entries AS e ON e.seq = w.rowid {whose}
             WHERE w.entry_words MATCH ?1 AND w.rowid > ?2 AND w.rowid <= ?3 AND {within}
             ORDER BY w.rowid LIMIT {MATCHES_PER_LOOK_MAX}"
        ))?;
        let rows = statement.query_map(params![term, after, through], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        found.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    if terms.is_empty() {
        let mut statement = connection.prepare_cached(&format!(
            "SELECT e.seq, e.call, e.kind FROM search_entries AS e {whose}
             WHERE e.seq > ?1 AND e.seq <= ?2 AND e.kind = 'facts' AND {within}
             ORDER BY e.seq LIMIT {MATCHES_PER_LOOK_MAX}"
        ))?;
        let rows = statement.query_map(params![after, through], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?))
        })?;
        found.extend(rows.collect::<Result<Vec<_>, _>>()?);
    }
    found.sort_unstable();
    found.dedup();
    let mut condition = criteria.condition_of_call(sight);
    let call = condition.put(0.into());
    condition.and(format!("c.call = {call}"));
    let mut of_call = connection.prepare(&format!(
        "SELECT 1 FROM calls AS c WHERE {}",
        condition.sql()
    ))?;
    let mut of_entries = connection.prepare_cached(&format!(
        "SELECT 1 FROM entry_words AS w JOIN search_entries AS e ON e.seq = w.rowid {whose}
         WHERE e.call = ?1 AND {within} AND w.entry_words MATCH ?2"
    ))?;
    let mut holds = |call: i64| -> Result<bool, LogError> {
        if let Some(value) = condition.values.last_mut() {
            *value = call.into();
        }
        if !of_call.exists(params_from_iter(&condition.values))? {
            return Ok(false);
        }
        // Of one term the new entry has it.
        for term in terms.iter().filter(|_| terms.len() > 1) {
            if !of_entries.exists(params![call, term])? {
                return Ok(false);
            }
        }
        Ok(true)
    };
    let mut known: HashMap<i64, bool> = HashMap::new();
    let mut told = Vec::new();
    for (seq, call, kind) in found {
        let is_match = match known.get(&call) {
            Some(is_match) => *is_match,
            None => *known.entry(call).or_insert(holds(call)?),
        };
        if is_match {
            told.push((call, seq, kind));
        }
    }
    // A mention repeats the words that it stands behind: those speak for it, where they match.
    let spoken: HashSet<i64> = told
        .iter()
        .filter(|(_, _, kind)| kind != MENTION)
        .map(|(call, ..)| *call)
        .collect();
    told.retain(|(call, _, kind)| kind != MENTION || !spoken.contains(call));
    let notices = told.into_iter().map(|(call, seq, kind)| {
        let seq = seq.unsigned_abs();
        let subject = if kind == "facts" { 0 } else { seq };
        (CallId(call.cast_unsigned()), subject, seq)
    });
    Ok(notices.collect())
}

/// Writes the notices, and how far they go. Returns how many are new.
fn tell(ledger: &mut Ledger<'_>, look: &Look) -> Result<u64, LogError> {
    let now_ms = ledger.now_ms();
    let mut raised = 0;
    for Matched { search, entries } in &look.matched {
        let unseen: u64 = ledger
            .sql()
            .prepare_cached("SELECT count(*) FROM notices WHERE search = ?1 AND seen_ms IS NULL")?
            .query_row([search], |row| row.get(0))?;
        let mut room = UNSEEN_PER_SEARCH_MAX.saturating_sub(unseen);
        for (call, subject, seq) in entries {
            if room == 0 {
                ledger
                    .sql()
                    .prepare_cached(
                        "UPDATE saved_searches SET untold = untold + 1 WHERE search = ?1",
                    )?
                    .execute([search])?;
                continue;
            }
            // The search may have been forgotten since the look.
            let added = ledger
                .sql()
                .prepare_cached(
                    "INSERT OR IGNORE INTO notices (search, call, subject, seq, at_ms)
                     SELECT ?1, ?2, ?3, ?4, ?5 WHERE EXISTS (SELECT 1 FROM saved_searches WHERE search = ?1)",
                )?
                .execute(params![
                    search,
                    call.0.cast_signed(),
                    subject.cast_signed(),
                    seq.cast_signed(),
                    now_ms
                ])? as u64;
            room -= added;
            raised += added;
        }
    }
    ledger
        .sql()
        .prepare_cached("INSERT OR REPLACE INTO meta VALUES (?1, ?2)")?
        .execute(params![THROUGH, look.through])?;
    saved::sweep(ledger)?;
    Ok(raised)
}
