//! The call's way, moment by moment, from its receipt to the arrival.

use ::packet::OutcomeState;

use crate::arrivals::{Arrival, DELIVERY_MS, DeviceTimes, Timeline};
use crate::console::view::{MomentView, TimelineView};
use crate::console::words::Times;

/// Most moments that are shown, the first.
const MOMENTS_MAX: usize = 80;

pub(super) fn view(timeline: &Timeline, times: &Times, now_ms: i64) -> TimelineView {
    let mut moments: Vec<(i64, String)> = vec![
        // Another clock.
        (timeline.received_ms, "received, by dispatch's clock".into()),
        (timeline.opened_ms, "packet opened".into()),
    ];
    for question in &timeline.questions {
        let Some(said) = question.said.last() else {
            continue;
        };
        let what = match said.state {
            OutcomeState::Asked => "asked",
            OutcomeState::Answered => "answered",
            OutcomeState::NothingFound => "found nothing",
            OutcomeState::Failed => "failed",
            OutcomeState::TimedOut => "timed out",
            OutcomeState::Refused => "refused",
            OutcomeState::Retrying => "is asked once more",
        };
        moments.push((said.at_ms, format!("{} {what}", question.source)));
    }
    for unit in &timeline.units {
        let name = &unit.unit;
        moments.push((unit.assigned_ms, format!("{name} assigned")));
        moments.extend(unit.en_route_ms.map(|at| (at, format!("{name} en route"))));
        moments.extend(unit.on_scene_ms.map(|at| (at, format!("{name} on scene"))));
    }
    for device in &timeline.devices {
        let name = format!("{} {}", device.unit, device.label);
        let first = first_ms(device);
        moments.extend(first.map(|at| (at, format!("{name} has the packet"))));
        moments.extend(device.shown_ms.map(|at| (at, format!("{name} shows it"))));
    }
    moments.sort();
    moments.truncate(MOMENTS_MAX);
    let arrival = Arrival::of(timeline);
    if let Some(complete_ms) = arrival.as_ref().and_then(|arrival| arrival.complete_ms) {
        let at = moments.partition_point(|(at_ms, _)| *at_ms <= complete_ms);
        moments.insert(at, (complete_ms, "all that was known is there".into()));
    }
    TimelineView {
        moments: moments
            .into_iter()
            .map(|(at_ms, what)| MomentView {
                time: times.second(at_ms, now_ms),
                after: after(at_ms - timeline.opened_ms),
                what,
            })
            .collect(),
        verdict: arrival.map_or_else(String::new, |arrival| verdict(&arrival)),
    }
}

/// When the device first said that it has something of every document that it was told of.
fn first_ms(device: &DeviceTimes) -> Option<i64> {
    let firsts = device.delivered.values().filter_map(|steps| steps.first());
    firsts.map(|step| step.at_ms).max()
}

/// Such as `+1:07`.
fn after(ms: i64) -> String {
    let sign = if ms < 0 { "−" } else { "+" };
    let s = ms.unsigned_abs() / 1_000;
    format!("{sign}{}:{:02}", s / 60, s % 60)
}

fn verdict(arrival: &Arrival) -> String {
    #[allow(clippy::cast_precision_loss)] // milliseconds of a call
    let seconds = |ms: i64| format!("{:.1} s", ms as f64 / 1_000.0);
    let known = match arrival.lead_ms() {
        Some(lead_ms) => format!(
            "All that was known {} before the arrival of {} was on its device {} before it.",
            seconds(DELIVERY_MS),
            arrival.unit,
            seconds(lead_ms)
        ),
        None => format!(
            "Not all that was known {} before the arrival of {} was on its device.",
            seconds(DELIVERY_MS),
            arrival.unit
        ),
    };
    if arrival.is_everything() {
        return format!("{known} All that was asked was answered and there.");
    }
    let why: Vec<String> = arrival.why.iter().map(ToString::to_string).collect();
    format!(
        "{known} Not all that was asked was answered and there: {}.",
        why.join("; ")
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_told_from_the_opening_on() {
        assert_eq!(after(67_900), "+1:07");
        assert_eq!(after(-5_000), "−0:05");
    }
}
