//! Dispatch, modelled: which unit goes, when, and how long it stays.

use fastrand::Rng;
use packet::CallId;
use server::calls;
use server::intake::{CallReport, CallStatus};
use server::log::LogError;

use super::center::Answer;
use super::event::Event;
use super::model::{
    DISPATCH_S, DISPATCH_SIGMA, ENTRY_S, ENTRY_SHARE, STAY_MEDIAN_MIN, STAY_SIGMA, STOP_MEDIAN_MIN,
    TWO_UNITS, UNITS_KNOWN,
};
use super::natures::Origin;
use super::travel::{milliseconds, way};
use super::{City, Step};
use crate::chance::{log_normal, stream};

impl City {
    /// Plans a call: when it is in CAD, and when a dispatcher looks for a unit. What is drawn
    /// for a call is the call's own: another model of something else does not change it.
    pub(super) fn plan_call(&mut self, index: usize) {
        let call = &mut self.calls.all[index];
        let triage = self.center.rules.triage(&call.report);
        call.priority = triage.priority;
        call.plates = triage.plates.into_iter().map(|p| p.plate).collect();
        let mut rng = stream(self.seed, &format!("dispatch of {}", call.report.number));
        let (entered_s, dispatched_s) = match call.origin {
            Origin::Dispatched => {
                let at = usize::from(call.priority.clamp(1, 5)) - 1;
                let mean_s = self.model.dispatch_min[at] * 60.0;
                let median_s = mean_s / (DISPATCH_SIGMA * DISPATCH_SIGMA / 2.0).exp();
                let s = log_normal(&mut rng, median_s, DISPATCH_SIGMA);
                let s = s.clamp(*DISPATCH_S.start(), *DISPATCH_S.end());
                let entry_s = (ENTRY_SHARE * s).clamp(*ENTRY_S.start(), *ENTRY_S.end());
                (entry_s, s)
            }
            // The officer says it on the radio, and the dispatcher types it in.
            Origin::Officer | Origin::Administrative => (5.0, 6.0),
        };
        let at_ms = |s: f64| call.received_ms + milliseconds(s);
        self.queue
            .plan(at_ms(entered_s), Event::Entered { call: index });
        self.queue
            .plan(at_ms(dispatched_s), Event::Dispatch { call: index });
    }

    /// CAD tells the center of the call.
    pub(super) fn entered(&mut self, call: usize) {
        let report = self.calls.all[call].report.clone();
        let triage = self.center.rules.triage(&report);
        self.task(
            move |ledger| calls::report(ledger, &report, &triage),
            move |result: Result<calls::Reported, LogError>| {
                Some(match result {
                    Ok(reported) => Answer::Opened {
                        call,
                        id: reported.call,
                    },
                    Err(e) => Answer::Failed(e),
                })
            },
        );
    }

    pub(super) fn opened(&mut self, call: usize, id: CallId) {
        if self.by_id.contains_key(&id) {
            // Twice the same number in the file: one call for the center.
            self.calls.all[call].id = None;
            return;
        }
        self.calls.all[call].id = Some(id);
        self.by_id.insert(id, call);
    }

    /// A dispatcher looks for a unit, or puts the call behind the more urgent that wait.
    pub(super) fn dispatch(&mut self, call: usize) -> Step {
        let Call { priority, .. } = self.call(call);
        if self.calls.all[call].id.is_none() {
            self.left -= 1;
            return Ok(());
        }
        let received_ms = self.calls.all[call].received_ms;
        self.waiting.insert((priority, received_ms, call));
        self.assign_waiting()
    }

    /// Gives waiting calls to free units, the most urgent first.
    fn assign_waiting(&mut self) -> Step {
        while let Some(&(priority, received_ms, call)) = self.waiting.first() {
            let number = &self.calls.all[call].report.number;
            let mut rng = stream(self.seed, &format!("units of {number}"));
            let Some(officer) = self.choose_free(call, &mut rng) else {
                return Ok(());
            };
            self.waiting.remove(&(priority, received_ms, call));
            self.assign(call, officer, true)?;
            let is_dispatched = self.calls.all[call].origin == Origin::Dispatched;
            if is_dispatched
                && TWO_UNITS.contains(&priority)
                && let Some(second) = self.choose_free(call, &mut rng)
            {
                self.assign(call, second, false)?;
            }
        }
        Ok(())
    }

    /// The nearest of some free units, its own district's rather than another's: a dispatcher
    /// knows whose beat it is and who is on the radio, not where every car stands.
    fn choose_free(&self, call: usize, rng: &mut Rng) -> Option<usize> {
        let call = &self.calls.all[call];
        let free: Vec<usize> = self
            .officers
            .iter()
            .enumerate()
            .filter(|(_, officer)| officer.call.is_none())
            .map(|(index, _)| index)
            .collect();
        let own: Vec<usize> = free
            .iter()
            .copied()
            .filter(|index| self.officers[*index].district == call.district)
            .collect();
        let from = if own.is_empty() { &free } else { &own };
        if from.is_empty() {
            return None;
        }
        let known = (0..UNITS_KNOWN).map(|_| from[rng.usize(..from.len())]);
        let way_m = |index: &usize| self.officers[*index].place.way_m(call.place);
        known.min_by(|a, b| way_m(a).total_cmp(&way_m(b)))
    }

    fn assign(&mut self, index: usize, officer: usize, is_primary: bool) -> Step {
        let Call { id, priority, .. } = self.call(index);
        let call = &self.calls.all[index];
        let mut rng = stream(
            self.seed,
            &format!("way of {officer} to {}", call.report.number),
        );
        let now_ms = self.now_ms;
        let (to, is_urgent) = (call.place, TWO_UNITS.contains(&priority));
        if call.origin != Origin::Dispatched {
            // The officer was there: that is where it began.
            self.officers[officer].place = to;
        }
        let from = self.officers[officer].place;
        let mut way = way(&self.coverage, (from, to), is_urgent, now_ms, &mut rng);
        if call.origin != Origin::Dispatched {
            way.arrives_ms = now_ms;
        }
        let record = &mut self.records[index];
        if is_primary {
            record.officer = Some(officer);
            record.assigned_ms = now_ms;
            record.moving_ms = way.moving_ms;
            record.dead_ms = way.dead_ms;
        }
        let own = &mut self.officers[officer];
        own.call = Some(index);
        own.way += 1;
        own.ahead = way.links.into();
        let (unit, number) = (own.unit.clone(), own.way);
        self.link_changes(officer, number);
        if let Some(id) = id
            && !self.model.assigned_at_arrival
        {
            self.desk_task(move |ledger| calls::assign(ledger, id, &unit));
        }
        let call = index;
        self.queue
            .plan(way.arrives_ms, Event::Arrives { officer, call });
        Ok(())
    }

    /// The unit is there.
    pub(super) fn arrives(&mut self, officer: usize, index: usize) -> Step {
        let Call { id, origin, .. } = self.call(index);
        let call = &self.calls.all[index];
        self.officers[officer].place = call.place;
        let is_primary = self.records[index].officer == Some(officer);
        let mut rng = stream(
            self.seed,
            &format!("stay of {officer} at {}", call.report.number),
        );
        if let Some(id) = id {
            if self.model.assigned_at_arrival {
                let unit = self.officers[officer].unit.clone();
                self.desk_task(move |ledger| calls::assign(ledger, id, &unit));
            }
            if is_primary && origin == Origin::Dispatched {
                if self.model.assigned_at_arrival {
                    self.records[index].assigned_ms = self.now_ms;
                }
                self.judge(index, officer)?;
            }
            self.on_scene(officer, id)?;
        }
        let median_min = match origin {
            Origin::Officer => STOP_MEDIAN_MIN,
            Origin::Dispatched | Origin::Administrative => STAY_MEDIAN_MIN,
        };
        let stay_min = log_normal(&mut rng, median_min, STAY_SIGMA).clamp(1.0, 240.0);
        let at_ms = self.now_ms + milliseconds(stay_min * 60.0);
        let call = index;
        self.queue.plan(at_ms, Event::Leaves { officer, call });
        Ok(())
    }

    /// The unit is free; the primary one closes the call.
    pub(super) fn leaves(&mut self, officer: usize, index: usize) -> Step {
        let is_primary = self.records[index].officer == Some(officer);
        if is_primary {
            let Call { origin, .. } = self.call(index);
            if origin != Origin::Dispatched {
                self.judge_apart(index);
            }
            self.close_call(index);
            self.left -= 1;
        }
        self.officers[officer].call = None;
        self.assign_waiting()
    }

    fn close_call(&mut self, index: usize) {
        let call = &self.calls.all[index];
        let now = jiff::Timestamp::from_millisecond(self.center.wall_ms());
        let report = CallReport {
            updated: now.unwrap_or(call.report.updated),
            status: match &call.ends {
                CallStatus::Closed { disposition } => CallStatus::Closed {
                    disposition: disposition.clone(),
                },
                CallStatus::Open => CallStatus::Closed {
                    disposition: "Open in the file".into(),
                },
            },
            ..call.report.clone()
        };
        let triage = self.center.rules.triage(&report);
        self.desk_task(move |ledger| calls::report(ledger, &report, &triage).map(drop));
    }

    fn call(&self, index: usize) -> Call {
        let call = &self.calls.all[index];
        Call {
            id: call.id,
            priority: call.priority,
            origin: call.origin,
        }
    }
}

/// What is asked of a call most often.
struct Call {
    id: Option<CallId>,
    priority: u8,
    origin: Origin,
}
