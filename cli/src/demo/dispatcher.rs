//! The simulated dispatcher: takes the replayed calls to the center and puts units on
//! them. Who goes where is **modelled**: the free unit of the call's agency that has
//! waited longest, MDT pages first so that there is something to see on them.

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
    on: HashMap<CallId, Vec<(&'static str, String)>>,
    first: Vec<String>,
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
        }
    }

    fn send(&mut self, call: CallId, agency: &str) -> Option<String> {
        let (id, free) = self.free.iter_mut().find(|(id, _)| **id == agency)?;
        let preferred = free
            .iter()
            .position(|unit| self.first.contains(unit))
            .unwrap_or(0);
        let unit = free.remove(preferred)?;
        self.on.entry(call).or_default().push((id, unit.clone()));
        Some(unit)
    }

    fn back(&mut self, call: CallId) {
        for (agency, unit) in self.on.remove(&call).into_iter().flatten() {
            if let Some(free) = self.free.get_mut(agency) {
                free.push_back(unit);
            }
        }
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
            if let Some(unit) = units.send(call, &key.0)
                && let Err(e) = center
                    .log
                    .write(move |ledger| calls::assign(ledger, call, &unit))
                    .await
            {
                println!("\rA unit could not be put on a call: {e}");
            }
            known.insert(key, call);
        }
        if let Some(report) = closing {
            // What has closed is not looked at again: the file's numbers are its own.
            if let Some(call) = known.get(&(report.agency.clone(), report.number.clone())) {
                units.back(*call);
            }
            if let Err(e) = center.report(report, "Replay").await {
                println!("\rA call could not be closed: {e}");
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
