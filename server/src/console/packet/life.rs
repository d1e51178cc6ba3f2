//! The call's life, and the calls that it is linked with.

use ::packet::{CallId, Compartment, LinkHow};
use rusqlite::Connection;

use super::Read;
use crate::calls::{Life, Linked, links_of};
use crate::config::Config;
use crate::console::board;
use crate::console::view::{LifeView, LinkedView, StepView};
use crate::console::words::{self, Times};
use crate::log::LogError;
use crate::policy::Sight;

/// Most steps that are shown, the newest.
const STEPS_MAX: usize = 60;

/// The calls that this one is linked with, or was, of those that may be known of.
#[derive(Debug)]
pub(super) struct Others(Vec<Other>);

#[derive(Debug)]
struct Other {
    call: CallId,
    number: String,
    /// As screens show it.
    agency: String,
    nature: String,
    location: String,
    open: bool,
    /// `None` where it was undone.
    link: Option<Linked>,
}

impl Other {
    fn name(&self) -> String {
        if self.number.is_empty() {
            format!("a packet that an officer opened ({})", self.agency)
        } else {
            format!("{} {}", self.agency, self.number)
        }
    }
}

impl Others {
    /// # Errors
    /// When the store fails.
    pub(super) fn of(
        connection: &Connection,
        call: CallId,
        config: &Config,
        sight: &Sight,
    ) -> Result<Self, LogError> {
        let mut links = links_of(connection, call)?;
        let known_of = sight.knows("agency");
        let mut statement = connection.prepare_cached(&format!(
            "SELECT calls.call, number, agency, nature, location, open
             FROM links JOIN calls ON calls.call = links.other
             WHERE links.call = ?1 AND {known_of} ORDER BY links.at_ms, links.other"
        ))?;
        let others = statement.query_map([call.0.cast_signed()], |row| {
            let call = CallId(row.get::<_, i64>(0)?.cast_unsigned());
            let link = links.iter().position(|link| link.other == call);
            Ok(Other {
                call,
                number: row.get(1)?,
                agency: board::agency(config, &row.get::<_, String>(2)?),
                nature: row.get(3)?,
                location: row.get(4)?,
                open: row.get(5)?,
                link: link.map(|at| links.swap_remove(at)),
            })
        })?;
        Ok(Self(others.collect::<Result<_, _>>()?))
    }

    /// What a call is called that this one's packet names.
    pub(super) fn name(&self, call: CallId) -> String {
        let other = self.0.iter().find(|other| other.call == call);
        other.map_or_else(|| "a call that is not known here".into(), Other::name)
    }

    pub(super) fn knows(&self, call: CallId) -> bool {
        self.0.iter().any(|other| other.call == call)
    }

    /// All of which something is shown.
    pub(super) fn shown(&self) -> Vec<CallId> {
        self.0.iter().map(|other| other.call).collect()
    }
}

pub(super) fn view(
    call: CallId,
    documents: &[Read],
    others: &Others,
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
            what: words::step(&step.what, |call| others.name(call)),
        })
        .collect();
    let not_shown = steps.len().saturating_sub(STEPS_MAX);
    steps.drain(..not_shown);
    let linked = others.0.iter().filter_map(|other| {
        let link = other.link.as_ref()?;
        Some(LinkedView {
            id: other.call.to_string(),
            name: other.name(),
            nature: other.nature.clone(),
            location: other.location.clone(),
            state: if other.open { "open" } else { "closed" }.into(),
            is_proposed: link.how == LinkHow::Proposed,
            why: link.why.clone(),
            from: format!("{}, {}", link.by, times.second(link.at_ms, now_ms)),
        })
    });
    LifeView {
        call: call.to_string(),
        steps,
        not_shown,
        linked: linked.collect(),
    }
}
