//! The simulated dispatcher: takes the replayed calls to the center and puts units on
//! them. Who goes where is **modelled**: the free unit of the call's agency that has
//! waited longest, MDT pages first so that there is something to see on them. With no
//! unit free a call waits, the newest going first.

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;

use packet::CallId;
use server::calls;
use server::intake::CallReport;
use server::intake::csv::BadRow;
use server::log::LogError;
use tokio_util::sync::CancellationToken;

use super::Shared;
use crate::pacer::{Event, Pacer};
use crate::replay::bad_row;

/// Most reports told at a time: the log commits them as a group.
const TOLD_TOGETHER_MAX: usize = 128;

/// The units that are free, and who is where.
#[derive(Debug)]
pub(super) struct Units {
    free: HashMap<&'static str, VecDeque<String>>,
    on: HashMap<CallId, (&'static str, String)>,
    first: Vec<String>,
    waiting: Vec<(String, CallId)>,
}

impl Units {
    /// `first`: the units of the MDT pages, which go whenever they are free.
    pub(super) fn new(first: Vec<String>) -> Self {
        let free = sim::agencies()
            .into_iter()
            .map(|agency| {
                (
                    agency.id,
                    agency.units.iter().map(|unit| unit.id.to_owned()).collect(),
                )
            })
            .collect();
        Self {
            free,
            on: HashMap::new(),
            first,
            waiting: Vec::new(),
        }
    }

    /// A unit for this call; without one it waits.
    fn send(&mut self, call: CallId, agency: &str) -> Option<String> {
        let (id, free) = self.free.iter_mut().find(|(id, _)| **id == agency)?;
        let preferred = free.iter().position(|unit| self.first.contains(unit));
        let Some(unit) = free.remove(preferred.unwrap_or(0)) else {
            self.waiting.push((agency.to_owned(), call));
            return None;
        };
        self.on.insert(call, (id, unit.clone()));
        Some(unit)
    }

    /// The call is over: its unit is free, and goes to the newest call that waits.
    fn back(&mut self, call: CallId) -> Option<(CallId, String)> {
        self.waiting.retain(|(_, waits)| *waits != call);
        let (agency, unit) = self.on.remove(&call)?;
        self.free.get_mut(agency)?.push_back(unit);
        let next = self
            .waiting
            .iter()
            .rposition(|(waits, _)| waits == agency)?;
        let (_, next) = self.waiting.remove(next);
        Some((next, self.send(next, agency)?))
    }
}

async fn put_on(center: &Shared, call: CallId, unit: String) {
    if let Err(e) = center
        .log
        .write(move |ledger| calls::assign(ledger, call, &unit))
        .await
    {
        println!("\rA unit could not be put on a call: {e}");
    }
}

pub(super) async fn run<I>(
    center: Shared,
    mut pacer: Pacer<I>,
    mut units: Units,
    file: Option<PathBuf>,
    stop: CancellationToken,
) where
    I: Iterator<Item = Result<CallReport, BadRow>>,
{
    let mut known = match known(&center).await {
        Ok(known) => known,
        Err(e) => {
            println!("The calls of the last run cannot be read: {e}");
            return;
        }
    };
    let mut waiting: Option<Event> = None;
    loop {
        // Openings that come at once are told together; a call never closes before it opened.
        let mut together = Vec::new();
        let mut closing = None;
        while together.len() < TOLD_TOGETHER_MAX {
            let event = match waiting.take() {
                Some(event) => event,
                None if together.is_empty() => match pacer.next(&stop).await {
                    Some(event) => event,
                    None => return ended(&stop),
                },
                None => match pacer.next_due(&stop).await {
                    Some(event) => event,
                    None => break,
                },
            };
            match event {
                Event::Bad(row) => {
                    println!("\r{}", bad_row(&file.clone().unwrap_or_default(), &row))
                }
                Event::Opened(report)
                    if known.contains_key(&(report.agency.clone(), report.number.clone())) => {}
                Event::Opened(report) => together.push(report),
                Event::Closed(report) => {
                    closing = Some(report);
                    break;
                }
            }
        }
        let told = together.into_iter().map(|report| open(&center, report));
        for (key, call) in futures_util::future::join_all(told)
            .await
            .into_iter()
            .flatten()
        {
            if let Some(unit) = units.send(call, &key.0) {
                put_on(&center, call, unit).await;
            }
            known.insert(key, call);
        }
        if let Some(report) = closing {
            let call = known
                .get(&(report.agency.clone(), report.number.clone()))
                .copied();
            if let Err(e) = center.report(report, "Replay").await {
                println!("\rA call could not be closed: {e}");
            }
            if let Some((next, unit)) = call.and_then(|call| units.back(call)) {
                put_on(&center, next, unit).await;
            }
        }
    }
}

fn ended(stop: &CancellationToken) {
    if !stop.is_cancelled() {
        println!("\rThe replay is over; the center stays up.");
    }
}

type Key = (String, String);

async fn open(center: &Shared, report: CallReport) -> Option<(Key, CallId)> {
    let key = (report.agency.clone(), report.number.clone());
    match center.report(report, "Replay").await {
        Ok(reported) => Some((key, reported.call)),
        Err(e) => {
            println!("\rCall {} was not taken: {e}", key.1);
            None
        }
    }
}

/// The calls of an earlier run: they are not told again.
async fn known(center: &Shared) -> Result<HashMap<Key, CallId>, LogError> {
    center
        .log
        .readers()
        .read(|connection| {
            let mut statement =
                connection.prepare("SELECT agency, number, call FROM calls WHERE number <> ''")?;
            let rows = statement.query_map([], |row| {
                Ok((
                    (row.get(0)?, row.get(1)?),
                    CallId(row.get::<_, i64>(2)?.cast_unsigned()),
                ))
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
}
