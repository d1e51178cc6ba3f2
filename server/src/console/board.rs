//! The board: read and rendered once for all who may see the same, and only while somebody
//! watches it.

use std::collections::{BTreeMap, HashMap};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use askama::Template;
use axum::extract::ws::Utf8Bytes;
use lru::LruCache;
use packet::{CallId, Compartment, DocumentId, Entry, Kind, LinkHow, UnitState};
use rusqlite::Connection;
use tokio::sync::broadcast::error::{RecvError, TryRecvError};
use tokio::sync::watch;

use super::view::{BoardView, CallRowView, ClosedRowView};
use super::words::Times;
use super::{Console, words};
use crate::calls::{self, Life, Step, StepWhat};
use crate::center::Center;
use crate::clock;
use crate::config::Config;
use crate::enrich::held;
use crate::log::{Happening, LogError, document_after};
use crate::policy::{Sight, agency_of};

/// Least time between two looks at the store.
const REST_MS: u64 = 250;
/// Calls whose units' statuses are kept between two looks: those on the board, and
/// some that leave it and come back.
const CALLS_KEPT_MAX: NonZeroUsize = NonZeroUsize::new(2 * BoardView::ROWS_MAX).unwrap();

/// The board as its pages get it.
#[derive(Debug)]
pub(super) struct Rendered {
    pub(super) html: Utf8Bytes,
    pub(super) open_calls: u64,
}

/// The board of all who may see the same.
type Rendering = watch::Sender<Option<Arc<Rendered>>>;

/// What the boards' tasks and their pages share.
#[derive(Debug)]
pub(super) struct Board {
    /// By what those who watch may see; one is here while somebody does.
    watched: Mutex<HashMap<Sight, Arc<Rendering>>>,
    kept: Mutex<LruCache<CallId, Kept>>,
}

/// What was read of a call's document. Entries are never changed: only what came
/// after is read the next time.
#[derive(Debug, Default)]
struct Kept {
    through: u64,
    /// The center's receipt of the call.
    received_ms: Option<i64>,
    statuses: BTreeMap<String, UnitState>,
    life: Life,
    last: Option<Step>,
    /// Units are cleared after it.
    closed: Option<Step>,
}

impl Default for Board {
    fn default() -> Self {
        Self {
            watched: Mutex::default(),
            kept: Mutex::new(LruCache::new(CALLS_KEPT_MAX)),
        }
    }
}

/// To be told of each new rendering of what may be seen so; the first comes at once.
pub(super) fn watch(
    console: &Arc<Console>,
    sight: &Sight,
) -> watch::Receiver<Option<Arc<Rendered>>> {
    let board = &console.board;
    let mut watched = board.watched.lock().unwrap_or_else(PoisonError::into_inner);
    let rendering = watched.entry(sight.clone()).or_insert_with(|| {
        let rendering = Arc::new(watch::channel(None).0);
        tokio::spawn(keep(console.clone(), sight.clone(), rendering.clone()));
        rendering
    });
    let mut watching = rendering.subscribe();
    watching.mark_changed();
    watching
}

impl Board {
    /// The board as the store has it now, and how many calls are open.
    ///
    /// # Errors
    /// When the store fails.
    pub(super) fn read(
        &self,
        connection: &Connection,
        center: &Center,
        times: &Times,
        sight: &Sight,
    ) -> Result<(BoardView, u64), LogError> {
        let now_ms = clock::now_ms();
        let known_of = sight.knows("agency");
        let open_calls = open_calls(connection, sight)?;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut statement = connection.prepare_cached(&format!(
            "SELECT call, agency, priority, nature, location, findings, cautions, received_ms FROM calls
             WHERE open = 1 AND {known_of} ORDER BY priority, received_ms DESC, call DESC LIMIT ?1"
        ))?;
        let mut found = statement.query([BoardView::ROWS_MAX])?;
        let mut rows = Vec::new();
        while let Some(row) = found.next()? {
            let call = CallId(row.get::<_, i64>(0)?.cast_unsigned());
            let known = kept.get_or_insert_mut(call, Kept::default);
            known.read_on(connection, call)?;
            let (unacknowledged, unacknowledged_since_ms) = waiting(connection, call)?;
            let (linked, perhaps_linked) = links(connection, call, sight)?;
            rows.push(CallRowView {
                id: call.to_string(),
                priority: words::priority(row.get(2)?),
                nature: row.get(3)?,
                step: known.last(times, now_ms),
                linked,
                perhaps_linked,
                location: row.get(4)?,
                agency: agency(&center.config, &row.get::<_, String>(1)?),
                received_ms: known.received_ms.unwrap_or(row.get(7)?),
                units: units(connection, call, &known.statuses)?,
                findings: row.get(5)?,
                cautions: row.get(6)?,
                unacknowledged,
                unacknowledged_since_ms,
            });
        }
        let mut held = Vec::new();
        for one in held::waiting(connection, None)? {
            let (call, agency) = (
                one.call,
                agency_of(connection, one.call)?.unwrap_or_default(),
            );
            let may = sight.sees(&agency, Compartment::Call) && sight.releases(&one.agency);
            if may && !held.contains(&call.to_string()) {
                held.push(call.to_string());
            }
        }
        let calls_not_shown = open_calls.saturating_sub(rows.len() as u64);
        let mut statement = connection.prepare_cached(&format!(
            "SELECT call, nature, location, agency FROM calls WHERE open = 0 AND {known_of} ORDER BY seen_ms DESC LIMIT ?1"
        ))?;
        let mut found = statement.query([BoardView::CLOSED_MAX])?;
        let mut closed = Vec::new();
        while let Some(row) = found.next()? {
            let call = CallId(row.get::<_, i64>(0)?.cast_unsigned());
            let known = kept.get_or_insert_mut(call, Kept::default);
            known.read_on(connection, call)?;
            closed.push(ClosedRowView {
                id: call.to_string(),
                nature: row.get(1)?,
                location: row.get(2)?,
                agency: agency(&center.config, &row.get::<_, String>(3)?),
                step: known.closed(times, now_ms),
            });
        }
        Ok((
            BoardView {
                fault: center.rules_fault().borrow().clone(),
                troubles: center.cads.troubles(),
                held,
                rows,
                calls_not_shown,
                closed,
            },
            open_calls,
        ))
    }
}

impl Kept {
    fn read_on(&mut self, connection: &Connection, call: CallId) -> Result<(), LogError> {
        let document = DocumentId::new(call, Compartment::Call);
        for logged in document_after(connection, document, self.through)? {
            self.through = logged.seq;
            self.received_ms.get_or_insert(logged.received_ms);
            if let Some(step) = self.life.read(&logged).pop() {
                if matches!(step.what, StepWhat::Closed { .. }) {
                    self.closed = Some(step.clone());
                }
                self.last = Some(step);
            }
            if let Entry::UnitStatus(status) = logged.inspected.written.entry {
                self.statuses.insert(status.unit, status.status);
            }
        }
        Ok(())
    }
}

impl Kept {
    /// The last step of its life.
    fn last(&self, times: &Times, now_ms: i64) -> String {
        in_words(self.last.as_ref(), times, now_ms)
    }

    /// How it ended.
    fn closed(&self, times: &Times, now_ms: i64) -> String {
        in_words(self.closed.as_ref(), times, now_ms)
    }
}

fn in_words(step: Option<&Step>, times: &Times, now_ms: i64) -> String {
    let words = |step: &Step| {
        format!(
            "{}, {}",
            words::step(&step.what, |_| "another call".into()),
            times.second(step.at_ms, now_ms)
        )
    };
    step.map(words).unwrap_or_default()
}

/// How many calls that may be known of are linked with this one, and how many perhaps.
fn links(connection: &Connection, call: CallId, sight: &Sight) -> Result<(usize, usize), LogError> {
    let mut links = Vec::new();
    for link in calls::links_of(connection, call)? {
        let agency = agency_of(connection, link.other)?.unwrap_or_default();
        if sight.sees(&agency, Compartment::Call) {
            links.push(link);
        }
    }
    let proposed = links
        .iter()
        .filter(|link| link.how == LinkHow::Proposed)
        .count();
    Ok((links.len() - proposed, proposed))
}

/// How many calls are open, of those that may be known of.
///
/// # Errors
/// When the store fails.
pub(super) fn open_calls(connection: &Connection, sight: &Sight) -> Result<u64, LogError> {
    let known_of = sight.knows("agency");
    let open = connection
        .prepare_cached(&format!(
            "SELECT count(*) FROM calls WHERE open = 1 AND {known_of}"
        ))?
        .query_row([], |row| row.get(0))?;
    Ok(open)
}

/// An agency's name, by its id.
pub(super) fn agency(config: &Config, id: &str) -> String {
    let known = config.agencies.iter().find(|agency| agency.id == id);
    known.map_or_else(|| id.to_owned(), |agency| agency.name.clone())
}

fn waiting(connection: &Connection, call: CallId) -> Result<(usize, Option<i64>), LogError> {
    let waiting = connection
        .prepare_cached(
            "SELECT count(*), min(received_ms) FROM cautions WHERE call = ?1 AND settled_ms IS NULL",
        )?
        .query_row([call.0.cast_signed()], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(waiting)
}

fn units(
    connection: &Connection,
    call: CallId,
    statuses: &BTreeMap<String, UnitState>,
) -> Result<Vec<String>, LogError> {
    let units = calls::units_on_it(connection, call)?;
    Ok(units
        .into_iter()
        .map(|unit| match statuses.get(&unit) {
            Some(status) => format!("{unit} {}", words::unit_state(*status)),
            None => unit,
        })
        .collect())
}

/// Keeps one board up to date while somebody watches it, or until the center stops.
async fn keep(console: Arc<Console>, sight: Sight, rendering: Arc<Rendering>) {
    tokio::select! {
        () = keep_on(&console, &sight, &rendering) => {}
        () = console.stop.cancelled() => {}
    }
}

async fn keep_on(console: &Arc<Console>, sight: &Sight, rendering: &Arc<Rendering>) {
    let mut happenings = console.center.log.subscribe();
    let mut fault = console.center.rules_fault();
    let mut doors = tokio::time::interval(Duration::from_millis(DOORS_MS));
    let mut troubles = Vec::new();
    let mut is_old = true;
    while !is_left(console, sight, rendering) {
        if is_old {
            is_old = !render(console, sight, rendering).await;
            tokio::time::sleep(Duration::from_millis(REST_MS)).await;
            continue;
        }
        is_old = tokio::select! {
            group = happenings.recv() => match group {
                Ok(group) => group.iter().any(is_on_board),
                Err(RecvError::Lagged(_)) => true,
                Err(RecvError::Closed) => return,
            },
            _ = fault.changed() => true,
            _ = doors.tick() => {
                let now = console.center.cads.troubles();
                let before = std::mem::replace(&mut troubles, now);
                before != troubles
            }
            () = rendering.closed() => false,
        };
        // One look answers all that has been told so far.
        while is_old
            && !matches!(
                happenings.try_recv(),
                Err(TryRecvError::Empty | TryRecvError::Closed)
            )
        {}
    }
}

/// Nobody watches it any more; whoever comes next begins anew.
fn is_left(console: &Arc<Console>, sight: &Sight, rendering: &Arc<Rendering>) -> bool {
    let mut watched = console
        .board
        .watched
        .lock()
        .unwrap_or_else(PoisonError::into_inner);
    let is_left = rendering.receiver_count() == 0;
    if is_left {
        watched.remove(sight);
    }
    is_left
}

/// How often the doors of the CADs are looked at, while somebody looks at the board.
const DOORS_MS: u64 = 2_000;

/// Whether it may change what a row says.
fn is_on_board(happening: &Happening) -> bool {
    match happening {
        Happening::Change(change) => !matches!(
            change.entry.kind(),
            Kind::Note | Kind::Query | Kind::Outcome | Kind::Mention | Kind::Other
        ),
        Happening::Call { .. }
        | Happening::Granted { .. }
        | Happening::Ended { .. }
        | Happening::Held(_) => true,
        Happening::Receipt(_) | Happening::Delivered(_) | Happening::DeviceRevoked(_) => false,
    }
}

/// False when the store could not be read: the board stays as it was.
async fn render(console: &Arc<Console>, sight: &Sight, rendering: &Arc<Rendering>) -> bool {
    let (reading, sight) = (console.clone(), sight.clone());
    let read = console
        .center
        .log
        .readers()
        .read(move |connection| {
            let (view, open_calls) =
                reading
                    .board
                    .read(connection, &reading.center, &reading.times, &sight)?;
            let html = view.render().map_err(|e| LogError::Store(e.to_string()))?;
            Ok(Rendered {
                html: html.into(),
                open_calls,
            })
        })
        .await;
    match read {
        Ok(rendered) => {
            rendering.send_if_modified(|current| {
                let is_new = current.as_ref().is_none_or(|c| c.html != rendered.html);
                if is_new {
                    *current = Some(Arc::new(rendered));
                }
                is_new
            });
            true
        }
        Err(e) => {
            tracing::warn!(error = %e, "the board could not be read");
            false
        }
    }
}
