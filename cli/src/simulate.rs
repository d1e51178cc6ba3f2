//! `forerunner simulate`: cities in virtual time. Without calls, one whose mishaps look for
//! faults, seed after seed; with a file of calls, one that measures who arrives first.

use std::path::{Path, PathBuf};
use std::time::Instant;

use clap::Args;
use jiff::tz::TimeZone;
use sim::arrivals::{self, Figures, Model, Options, Report};
use sim::world::{Stats, run};

/// How long a city lives before it is healed.
const RUN_MS: u64 = 10 * 60_000;

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The first seed; with --calls the only one.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// How many seeds, one after another; ten simulated minutes each.
    #[arg(long, default_value_t = 1, conflicts_with = "hours")]
    seeds: u64,
    /// As many seeds as make this many simulated hours.
    #[arg(long)]
    hours: Option<u64>,
    /// Write what happened, a line an event; of the last seed, or of the one that found
    /// something broken.
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Live through the calls of this CSV (as `replay` takes it) over modelled sources, travel
    /// and coverage, and measure what was on each device before its officer arrived.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["seeds", "hours", "trace"])]
    calls: Option<PathBuf>,
    /// Officers on duty, one to a unit.
    #[arg(long, default_value_t = 200, requires = "calls")]
    officers: usize,
    /// Write the report as one page.
    #[arg(long, value_name = "FILE", requires = "calls")]
    html: Option<PathBuf>,
    /// … and as JSON.
    #[arg(long, value_name = "FILE", requires = "calls")]
    json: Option<PathBuf>,
}

pub(crate) fn simulate(args: &SimulateArgs) -> crate::Ended {
    match &args.calls {
        Some(calls) => arrive(args, calls),
        None => find_faults(args),
    }
}

/// Lives through a file of calls, and says who arrived first.
fn arrive(args: &SimulateArgs, calls: &Path) -> crate::Ended {
    let began = Instant::now();
    // Only times between calls count here, and those are the same in every zone.
    let rows = crate::replay::open(calls, "city", TimeZone::UTC)?;
    let mut reports = Vec::new();
    for row in rows {
        match row {
            Ok(report) => reports.push(report),
            Err(row) => eprintln!("{}", crate::replay::bad_row(calls, &row)),
        }
    }
    let report = arrivals::run(Options {
        calls: reports,
        officers: args.officers,
        seed: args.seed,
        model: Model::default(),
    })
    .map_err(|e| format!("the city of {}: {e}", calls.display()))?;
    if let Some(path) = &args.html {
        write(path, report.html())?;
    }
    if let Some(path) = &args.json {
        let json = serde_json::to_string_pretty(&report).map_err(|e| e.to_string())?;
        write(path, &json)?;
    }
    tell(&report);
    println!("{:.0?} on this machine", began.elapsed());
    Ok(())
}

fn write(path: &Path, text: &str) -> crate::Ended {
    std::fs::write(path, text).map_err(|e| format!("{} cannot be written: {e}", path.display()))
}

fn tell(report: &Report) {
    println!("{}", report.note);
    println!(
        "{} calls, {} officers, seed {}; {:.1} % of travel without a link",
        report.calls,
        report.officers,
        report.seed,
        100.0 * report.modelled.travel_without_link_share
    );
    println!(
        "{:<12} {:>6} {:>10} {:>22} {:>34} {:>14}",
        "",
        "calls",
        "reachable",
        "complete of reachable",
        "everything answered, there, of all",
        "median lead"
    );
    let named = report.priorities.iter().map(|(name, f)| (name.as_str(), f));
    for (name, figures) in named.chain([("all", &report.all)]) {
        row(name, figures);
    }
    println!("What the misses of priority 1 have for their only reason:");
    let first = report.priorities.get("priority_1");
    for raise in first.iter().flat_map(|f| &f.would_raise) {
        println!("  {:>5}  {}", raise.calls, raise.without);
    }
}

#[allow(clippy::cast_precision_loss)] // counts of calls
fn row(name: &str, figures: &Figures) {
    let percent = |part: usize, whole: usize| match whole {
        0 => "–".to_owned(),
        whole => format!("{part} = {:.2} %", 100.0 * part as f64 / whole as f64),
    };
    println!(
        "{name:<12} {:>6} {:>10} {:>22} {:>34} {:>14}",
        figures.calls,
        figures.reachable,
        percent(figures.complete_before_arrival, figures.reachable),
        percent(figures.everything_asked_answered_and_there, figures.calls),
        figures
            .lead_s
            .p50
            .map_or_else(|| "–".to_owned(), |s| format!("{s:.0} s"))
    );
}

/// Runs until a seed finds something broken, or all have come to rest.
fn find_faults(args: &SimulateArgs) -> crate::Ended {
    let began = Instant::now();
    let seeds = args
        .hours
        .map_or(args.seeds, |hours| hours * 3_600_000 / RUN_MS);
    let mut total = Stats::default();
    for seed in args.seed..args.seed.saturating_add(seeds) {
        let ran = run(seed, RUN_MS);
        let trace = match &ran {
            Ok(run) => &run.trace,
            Err(broken) => &broken.trace,
        };
        if let Some(path) = &args.trace {
            std::fs::write(path, trace.lines().join("\n"))
                .map_err(|e| format!("the trace {} cannot be written: {e}", path.display()))?;
        }
        let digest = trace.digest();
        let run = ran.map_err(|broken| broken.to_string())?;
        println!("seed {seed}: trace {digest}, {} events", run.stats.events);
        total += run.stats;
    }
    println!("{seeds} seeds in {:.0?}: {total}", began.elapsed());
    Ok(())
}
