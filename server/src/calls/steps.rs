//! A call's life as steps: what its entries say happened to it, in the order of the log.

use std::collections::{BTreeMap, HashMap};

use packet::{Author, CallId, CallState, Entry, EntryId, Facts, LinkHow, UnitState};

use crate::log::Logged;

/// One step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Step {
    /// The center's receipt.
    pub(crate) at_ms: i64,
    pub(crate) what: StepWhat,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum StepWhat {
    Opened {
        by_officer: bool,
    },
    Upgraded {
        from: u8,
        to: u8,
    },
    Downgraded {
        from: u8,
        to: u8,
    },
    /// Dispatch says another nature.
    Renamed {
        to: String,
    },
    Moved {
        to: String,
    },
    /// Anything else that dispatch says of it.
    Updated,
    Unit {
        unit: String,
        state: UnitState,
    },
    Linked {
        other: CallId,
        how: LinkHow,
    },
    Unlinked {
        other: CallId,
    },
    Closed {
        disposition: Option<String>,
    },
    Reopened,
}

/// Reads a call's own document, an entry at a time.
#[derive(Debug, Default)]
pub(crate) struct Life {
    facts: Option<Facts>,
    units: BTreeMap<String, UnitState>,
    links: HashMap<EntryId, CallId>,
}

impl Life {
    /// The steps that an entry is; mostly one, or none.
    pub(crate) fn read(&mut self, logged: &Logged) -> Vec<Step> {
        let id = logged.inspected.id;
        let whats = match &logged.inspected.written.entry {
            Entry::Facts(facts) => self.facts(facts, id),
            Entry::UnitStatus(status) => {
                let before = self.units.insert(status.unit.clone(), status.status);
                let unit = status.unit.clone();
                let state = status.status;
                let step = (before != Some(state)).then_some(StepWhat::Unit { unit, state });
                step.into_iter().collect()
            }
            Entry::Link(link) => {
                self.links.insert(id, link.other);
                let (other, how) = (link.other, link.how);
                vec![StepWhat::Linked { other, how }]
            }
            Entry::Correction(correction) if correction.text.is_none() => {
                let undone = self.links.remove(&correction.of);
                // What was proposed and then made stays linked.
                let undone = undone.filter(|other| !self.links.values().any(|it| it == other));
                undone
                    .map(|other| StepWhat::Unlinked { other })
                    .into_iter()
                    .collect()
            }
            _ => Vec::new(),
        };
        let at_ms = logged.received_ms;
        whats.into_iter().map(|what| Step { at_ms, what }).collect()
    }

    fn facts(&mut self, facts: &Facts, id: EntryId) -> Vec<StepWhat> {
        let Some(before) = self.facts.replace(facts.clone()) else {
            let by_officer = matches!(id.actor.author(), Author::Device(_));
            let mut steps = vec![StepWhat::Opened { by_officer }];
            steps.extend(closed(facts));
            return steps;
        };
        let mut steps = Vec::new();
        if before.state == CallState::Closed && facts.state == CallState::Open {
            steps.push(StepWhat::Reopened);
        }
        let (from, to) = (before.priority, facts.priority);
        match from.cmp(&to) {
            std::cmp::Ordering::Greater => steps.push(StepWhat::Upgraded { from, to }),
            std::cmp::Ordering::Less => steps.push(StepWhat::Downgraded { from, to }),
            std::cmp::Ordering::Equal => {}
        }
        if before.nature != facts.nature {
            let to = facts.nature.clone();
            steps.push(StepWhat::Renamed { to });
        }
        if before.location != facts.location {
            let to = facts.location.clone();
            steps.push(StepWhat::Moved { to });
        }
        if before.state == CallState::Open {
            steps.extend(closed(facts));
        }
        if steps.is_empty() {
            steps.push(StepWhat::Updated);
        }
        steps
    }
}

fn closed(facts: &Facts) -> Option<StepWhat> {
    (facts.state == CallState::Closed).then(|| StepWhat::Closed {
        disposition: facts.disposition.clone(),
    })
}
