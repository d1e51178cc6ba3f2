//! The call's life, and the calls that it is linked with.

use ::packet::{CallId, Compartment, LinkHow};
use rusqlite::{Connection, OptionalExtension};

use super::Read;
use crate::calls::{Life, Linked, links_of};
use crate::config::Config;
use crate::console::board;
use crate::console::view::{LifeView, LinkedView, StepView};
use crate::console::words::{self, Times};
use crate::log::LogError;

/// Most steps that are shown, the newest.
const STEPS_MAX: usize = 60;

/// A link, and what the other call is.
#[derive(Debug)]
pub(super) struct Other {
    link: Linked,
    number: String,
    agency: String,
    nature: String,
    location: String,
    open: bool,
}

/// The calls that this one is linked with.
///
/// # Errors
/// When the store fails.
pub(super) fn others(connection: &Connection, call: CallId) -> Result<Vec<Other>, LogError> {
    let mut statement = connection.prepare_cached(
        "SELECT number, agency, nature, location, open FROM calls WHERE call = ?1",
    )?;
    let mut others = Vec::new();
    for link in links_of(connection, call)? {
        let other = statement
            .query_row([link.other.0.cast_signed()], |row| {
                Ok(Other {
                    link: link.clone(),
                    number: row.get(0)?,
                    agency: row.get(1)?,
                    nature: row.get(2)?,
                    location: row.get(3)?,
                    open: row.get(4)?,
                })
            })
            .optional()?;
        others.extend(other);
    }
    Ok(others)
}

pub(super) fn view(
    call: CallId,
    documents: &[Read],
    others: &[Other],
    config: &Config,
    times: &Times,
    now_ms: i64,
) -> LifeView {
    let own = documents
        .iter()
        .filter(|read| read.document.compartment == Compartment::Call);
    let mut life = Life::default();
    let mut steps: Vec<StepView> = own
        .flat_map(|read| &read.entries)
        .flat_map(|logged| life.read(logged))
        .map(|step| StepView {
            time: times.second(step.at_ms, now_ms),
            what: words::step(&step.what),
        })
        .collect();
    let not_shown = steps.len().saturating_sub(STEPS_MAX);
    steps.drain(..not_shown);
    let linked = others.iter().map(|other| LinkedView {
        id: other.link.other.to_string(),
        name: if other.number.is_empty() {
            "opened by an officer".into()
        } else {
            other.number.clone()
        },
        agency: board::agency(config, &other.agency),
        nature: other.nature.clone(),
        location: other.location.clone(),
        state: if other.open { "open" } else { "closed" }.into(),
        is_proposed: other.link.how == LinkHow::Proposed,
        why: other.link.why.clone(),
        from: format!(
            "{}, {}",
            other.link.by,
            times.second(other.link.at_ms, now_ms)
        ),
    });
    LifeView {
        call: call.to_string(),
        steps,
        not_shown,
        linked: linked.collect(),
    }
}
