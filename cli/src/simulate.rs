//! `forerunner simulate`: the city in virtual time, seed after seed.

use std::path::PathBuf;
use std::time::Instant;

use clap::Args;
use sim::world::{Stats, run};

/// How long a city lives before it is healed.
const RUN_MS: u64 = 10 * 60_000;

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// The first seed.
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
}

/// Runs until a seed finds something broken, or all have come to rest.
pub(crate) fn simulate(args: &SimulateArgs) -> crate::Ended {
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
