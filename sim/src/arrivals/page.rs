//! The report as one page that needs nothing else.

use std::fmt::Write as _;

use askama::Template;
use server::plot::{Bar, Bars, Curve, Curves};

use super::map::{CELL_M, Place};
use super::natures::Origin;
use super::report::{ApartFigures, Figures, Report};
use super::{City, CityError};
use crate::stage::network::Network;

/// Most reasons in a plot, the most frequent.
const REASONS_MAX: usize = 12;
/// Most misses that the page names of each priority; the JSON has them all.
const MISSES_SHOWN_MAX: usize = 150;
/// The map's width.
const MAP_PX: f64 = 640.0;
/// The side of what is drawn in one colour.
const TILE_M: f64 = 2.0 * CELL_M;
/// One of so many calls lies beyond each edge of the map.
const MAP_OUT: usize = 200;

#[derive(Template)]
#[template(path = "arrivals.html")]
struct Page<'a> {
    report: &'a Report,
    first: Share,
    complete: Share,
    everything: Share,
    most: String,
    dead_travel: String,
    days: String,
    rows: Vec<Row>,
    models: Vec<Modelled>,
    apart: Vec<ApartRow>,
    lead_plot: String,
    raise_plot: String,
    response_plot: String,
    map: String,
    misses: Vec<MissRow>,
    misses_not_shown: usize,
    incomplete: Vec<MissRow>,
}

struct Share {
    percent: String,
    of: String,
}

struct Row {
    name: String,
    calls: usize,
    reachable: String,
    complete: String,
    everything: String,
    lead: String,
    response: String,
}

struct Modelled {
    what: String,
    how: String,
}

struct ApartRow {
    name: &'static str,
    calls: usize,
    there: String,
    after: String,
}

struct MissRow {
    priority: String,
    call: String,
    why: String,
}

pub(super) fn of(city: &City, report: &Report) -> Result<String, CityError> {
    let none = &report.all;
    let first = report.priorities.get("priority_1").unwrap_or(none);
    let misses: Vec<MissRow> = report
        .priorities
        .iter()
        .flat_map(|(name, figures)| {
            let misses = figures.misses.iter().take(MISSES_SHOWN_MAX);
            misses.map(move |miss| MissRow {
                priority: words(name),
                call: miss.call.clone(),
                why: miss.why.clone(),
            })
        })
        .collect();
    let incomplete = report.priorities.iter().flat_map(|(name, figures)| {
        let own = figures.misses.iter().filter(|m| m.reachable && !m.complete);
        own.map(move |miss| MissRow {
            priority: words(name),
            call: miss.call.clone(),
            why: miss.why.clone(),
        })
    });
    let page = Page {
        first: share(first.reachable, first.calls),
        complete: share(first.complete_before_arrival, first.reachable),
        everything: share(first.everything_asked_answered_and_there, first.calls),
        most: most(first),
        dead_travel: format!("{:.1} %", 100.0 * report.modelled.travel_without_link_share),
        days: days(city),
        rows: rows(report),
        models: models(city, report),
        apart: vec![
            apart("Begun by officers", &report.apart.officer_initiated),
            apart("Administrative", &report.apart.administrative),
        ],
        lead_plot: lead_plot(report)?,
        raise_plot: raise_plot(first)?,
        response_plot: response_plot(city)?,
        map: map(city),
        misses_not_shown: report.all.misses.len().saturating_sub(misses.len()),
        misses,
        incomplete: incomplete.collect(),
        report,
    };
    Ok(page.render()?)
}

/// `priority_1` as `Priority 1`.
fn words(name: &str) -> String {
    name.replace("priority_", "Priority ")
}

#[allow(clippy::cast_precision_loss)] // counts of calls
fn percent(part: usize, whole: usize) -> String {
    if whole == 0 {
        return "–".into();
    }
    // Never rounded up to all of them.
    let thousandths = (100_000.0 * part as f64 / whole as f64).floor() / 1_000.0;
    format!("{thousandths:.2} %")
}

fn share(part: usize, whole: usize) -> Share {
    Share {
        percent: percent(part, whole),
        of: format!("{part} of {whole}"),
    }
}

fn most(first: &Figures) -> String {
    let missing = first.calls - first.everything_asked_answered_and_there;
    match first.would_raise.first() {
        None => "Nothing: none was missed for one reason alone.".into(),
        Some(raise) => format!(
            "Without “{}”: {} of the {missing} misses have no other reason. The figure would be {}.",
            raise.without,
            raise.calls,
            percent(
                first.everything_asked_answered_and_there + raise.calls,
                first.calls
            )
        ),
    }
}

fn days(city: &City) -> String {
    let last_ms = city.calls.all.last().map_or(0, |call| call.received_ms);
    #[allow(clippy::cast_precision_loss)] // milliseconds of weeks
    let days = last_ms as f64 / 86_400_000.0;
    format!("{days:.1}")
}

fn seconds(s: Option<f64>) -> String {
    s.map_or_else(|| "–".into(), |s| format!("{s:.0} s"))
}

fn minutes(min: Option<f64>) -> String {
    min.map_or_else(|| "–".into(), |min| format!("{min:.1}"))
}

fn rows(report: &Report) -> Vec<Row> {
    let named = report.priorities.iter().map(|(name, f)| (words(name), f));
    let all = named.chain([("All".to_owned(), &report.all)]);
    all.filter(|(_, figures)| figures.calls > 0)
        .map(|(name, figures)| Row {
            name,
            calls: figures.calls,
            reachable: percent(figures.reachable, figures.calls),
            complete: percent(figures.complete_before_arrival, figures.reachable),
            everything: percent(figures.everything_asked_answered_and_there, figures.calls),
            lead: format!(
                "{} / {} / {}",
                seconds(figures.lead_s.p10),
                seconds(figures.lead_s.p50),
                seconds(figures.lead_s.p90)
            ),
            response: format!(
                "{} mean; {} / {} / {}",
                minutes(figures.response_mean_min),
                minutes(figures.response_min.p10),
                minutes(figures.response_min.p50),
                minutes(figures.response_min.p90)
            ),
        })
        .collect()
}

fn apart(name: &'static str, figures: &ApartFigures) -> ApartRow {
    ApartRow {
        name,
        calls: figures.calls,
        there: percent(figures.everything_answered_and_there, figures.calls),
        after: format!(
            "{} / {} / {}",
            seconds(figures.after_s.p10),
            seconds(figures.after_s.p50),
            seconds(figures.after_s.p90)
        ),
    }
}

fn models(city: &City, report: &Report) -> Vec<Modelled> {
    let model = &city.model;
    let row = |what: &str, how: String| Modelled {
        what: what.to_owned(),
        how,
    };
    let mut rows = vec![
        row(
            "Coverage",
            format!(
                "no link at {:.0} % of the places where calls come from, 9,600 bit/s at {:.0} %, 3G \
                 at {:.0} %, LTE elsewhere. In this run {} of the time from assignment to arrival had no link.",
                100.0 * model.dead_share,
                100.0 * model.narrow_share,
                100.0 * model.slow_share,
                format_args!("{:.1} %", 100.0 * report.modelled.travel_without_link_share),
            ),
        ),
        row(
            "Receipt to dispatch",
            format!(
                "log-normal; means by priority {:?} minutes, and longer when no unit is free.",
                model.dispatch_min
            ),
        ),
        row(
            "Places",
            format!(
                "as in the file; {} calls without a position in the city are where the call of \
                 their district before them was.",
                report.modelled.unplaced
            ),
        ),
        row(
            "Devices",
            format!(
                "each is off for {:.0} minutes every {:.0} hours, in the mean.",
                model.device_off_min, model.device_on_h
            ),
        ),
    ];
    rows.extend(model.sources.iter().map(|source| {
        let words = format!(
            "by {:?}; median {:.0} ms, σ {:.1}; down {:.0} minutes every {:.0} hours; knows something {:.0} % of the time.",
            source.trigger,
            source.median_ms,
            source.sigma,
            source.down_min,
            source.up_h,
            100.0 * source.hit_share
        );
        row(source.name, words)
    }));
    rows
}

fn lead_plot(report: &Report) -> Result<String, CityError> {
    let curves: Vec<Curve<'_>> = report
        .priorities
        .iter()
        .filter(|(_, figures)| figures.calls > 0)
        .map(|(name, figures)| Curve {
            name: words(name),
            values: &figures.lead_seconds,
            of: figures.calls,
        })
        .collect();
    let x_max = report.all.lead_s.p90.unwrap_or(60.0).min(1_800.0);
    let title = "Share of all calls that had all that was known at least so long before arrival";
    Ok(Curves::new(title, "seconds before arrival", x_max, &curves).render()?)
}

#[allow(clippy::cast_precision_loss)] // counts of calls
fn raise_plot(first: &Figures) -> Result<String, CityError> {
    let bars: Vec<Bar> = first
        .would_raise
        .iter()
        .take(REASONS_MAX)
        .map(|raise| Bar {
            label: raise.without.clone(),
            value: raise.calls as f64,
            words: format!("{} calls", raise.calls),
        })
        .collect();
    let title = "Priority 1: calls without everything for this reason alone";
    Ok(Bars::new(title, &bars).render()?)
}

fn response_plot(city: &City) -> Result<String, CityError> {
    let of = |priority: u8| -> Vec<f64> {
        let all = city.calls.all.iter().zip(&city.records);
        all.filter(|(call, _)| call.origin == Origin::Dispatched && call.priority == priority)
            .filter_map(|(call, record)| {
                let arrived_ms = record.judged.as_ref()?.arrived_ms;
                #[allow(clippy::cast_precision_loss)] // milliseconds of hours
                let minutes = (arrived_ms - call.received_ms) as f64 / 60_000.0;
                Some(minutes)
            })
            .collect()
    };
    let all: Vec<(u8, Vec<f64>)> = (1..=5).map(|priority| (priority, of(priority))).collect();
    let curves: Vec<Curve<'_>> = all
        .iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(priority, values)| Curve {
            name: format!("Priority {priority}"),
            values,
            of: values.len(),
        })
        .collect();
    let title =
        "Modelled: share of calls to which it took at least so long from receipt to arrival";
    Ok(Curves::new(title, "minutes", 60.0, &curves).render()?)
}

/// Coverage, with the calls of priority 1 that missed something.
fn map(city: &City) -> String {
    // Without the few that lie far out.
    let range = |of: fn(Place) -> f64| {
        let mut all: Vec<f64> = city.calls.all.iter().map(|call| of(call.place)).collect();
        all.sort_unstable_by(f64::total_cmp);
        let out = all.len() / MAP_OUT;
        let at = |at: usize| all.get(at).copied().unwrap_or_default();
        (at(out), at(all.len().saturating_sub(1 + out)))
    };
    let ((west, east), (south, north)) = (range(|p| p.x), range(|p| p.y));
    let (width_m, height_m) = ((east - west).max(TILE_M), (north - south).max(TILE_M));
    let px = MAP_PX / width_m;
    let mut svg = format!(
        "<svg viewBox=\"0 0 {MAP_PX:.0} {:.0}\" role=\"img\" aria-label=\"Coverage\">",
        height_m * px
    );
    let mut y = south;
    while y < south + height_m {
        let mut x = west;
        while x < west + width_m {
            let link = city.coverage.at(Place { x, y });
            let mut end = x + TILE_M;
            // One rectangle for a row of the same.
            while end < west + width_m && city.coverage.at(Place { x: end, y }) == link {
                end += TILE_M;
            }
            // Writing into a `String` cannot fail.
            let _ = write!(
                svg,
                "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" fill=\"{}\"/>",
                (x - west) * px,
                (south + height_m - y - TILE_M) * px,
                (end - x) * px + 0.2,
                TILE_M * px + 0.2,
                colour(link)
            );
            x = end;
        }
        y += TILE_M;
    }
    for (call, record) in city.calls.all.iter().zip(&city.records) {
        let is_on_map =
            (west..=east).contains(&call.place.x) && (south..=north).contains(&call.place.y);
        let Some(judged) = record
            .judged
            .as_ref()
            .filter(|_| call.priority == 1 && is_on_map)
        else {
            continue;
        };
        let (radius, fill) = match judged.why.is_empty() {
            true => (1.2, "#00000055"),
            false => (3.0, "#d55e00"),
        };
        let _ = write!(
            svg,
            "<circle cx=\"{:.1}\" cy=\"{:.1}\" r=\"{radius}\" fill=\"{fill}\"/>",
            (call.place.x - west) * px,
            (south + height_m - call.place.y) * px
        );
    }
    svg.push_str("</svg>");
    svg
}

fn colour(link: Option<Network>) -> &'static str {
    match link {
        None => "#8c8c8c",
        Some(network) if network.bits_per_s < 100_000 => "#cbb8a0",
        Some(network) if network.bits_per_s < 1_000_000 => "#dfe6d5",
        Some(_) => "#eef4f8",
    }
}
