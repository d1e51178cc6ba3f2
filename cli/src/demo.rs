//! `forerunner demo`: a whole center on one machine, with made-up agencies, calls and
//! officers, and real parts all the way.
//!
//! The center and the agencies' databases run in this process; each MDT page is a
//! process of its own with its own encrypted store, enrolled like any device. The
//! dispatcher (who goes where), some officers and one analyst are **simulated**, and
//! what they write says so.

mod analyst;
mod city;
mod dispatcher;
mod line;
mod listed;
mod mdts;
mod officers;
mod person;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::Args;
use jiff::tz::TimeZone;
use server::center::Center;
use server::intake::CallReport;
use server::intake::csv::BadRow;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::pacer::Pacer;
use crate::speed::Speed;
use crate::{Ended, replay, write_ready};

#[derive(Debug, Args)]
pub(crate) struct DemoArgs {
    /// Replay a CSV file of calls instead of the made-up evening.
    #[arg(long, value_name = "FILE")]
    calls: Option<PathBuf>,
    /// Seconds of the evening in one second, or max.
    #[arg(long, default_value = "30")]
    speed: Speed,
    /// The folder of all that the demo keeps.
    #[arg(long, value_name = "DIR", default_value = "forerunner-demo")]
    data: PathBuf,
    /// Start anew: what an earlier demo left in the folder goes.
    #[arg(long)]
    fresh: bool,
    /// The console's port; the others follow it. 0 takes free ones.
    #[arg(long, default_value_t = 8780)]
    port: u16,
    /// How many MDT pages.
    #[arg(long, default_value_t = 2, value_parser = clap::value_parser!(u8).range(0..=4))]
    mdts: u8,
    /// Write where everything is, as JSON, when all is up.
    #[arg(long, value_name = "FILE")]
    ready_file: Option<PathBuf>,
}

pub(crate) async fn run(args: DemoArgs, stop: CancellationToken) -> Ended {
    let rows = rows(&args)?;
    let folder = city::Folder::open(&args.data, args.fresh, args.port)?;
    let sources = sim::start(city::SEED, city::faults(args.speed))
        .await
        .map_err(|e| format!("the made-up agencies' databases cannot start: {e}"))?;
    let config = city::config(&folder, &sources, args.speed);
    let running = Center::start(config).await.map_err(|e| e.to_string())?;
    let center = running.center.clone();
    folder.keep_ports(running.console.port(), running.sync.port())?;
    // Whatever ends one part ends all.
    let stop = stop.child_token();

    let api = format!("http://{}", running.console);
    // By its name: a passkey is bound to one, and cookies are not shared with the MDT pages.
    let console = center.config.console_origin(running.console.port());
    let sign_in = person::sign_in(&center, &console).await?;
    println!("Forerunner demo: everything in it is made up, but for the parts it runs on.");
    println!("  Console (analysts)   {sign_in}");
    println!("                       signs you in, once; after that {console}");
    let mut officers = mdts::start(&center, &folder, args.mdts, &stop).await?;
    for mdt in &officers.pages {
        println!("  MDT page, unit {}  {}", mdt.unit, mdt.url);
    }
    println!(
        "  MDT pages' PIN       {} (set and entered by the demo itself)",
        mdts::DEMO_PIN
    );
    println!(
        "  API                  {api}/v1/openapi.json   token in {}",
        folder.token_file().display()
    );
    println!("  Data                 {}", folder.root().display());
    println!("  Ctrl-C stops everything.");
    let simulated = officers::start(&center, &folder, &stop).await?;
    if let Some(path) = &args.ready_file {
        write_ready(
            path,
            &serde_json::json!({
                "console": console,
                "sign_in": sign_in,
                "api": api,
                "sync": running.sync.to_string(),
                "mdts": officers.pages.iter().map(|mdt| &mdt.url).collect::<Vec<_>>(),
                "data": folder.root(),
                "token": center.token,
            }),
        )?;
    }

    let mut tasks = JoinSet::new();
    let units = dispatcher::Units::new(officers.pages.iter().map(|mdt| mdt.unit.clone()).collect());
    let calls_file = args.calls.clone();
    tasks.spawn(dispatcher::run(
        center.clone(),
        Pacer::new(rows, args.speed),
        units,
        calls_file,
        stop.clone(),
    ));
    tasks.spawn(analyst::run(center.clone(), stop.clone()));
    tasks.spawn(listed::run(center.clone(), args.speed, stop.clone()));
    tasks.spawn(line::run(center.clone(), stop.clone()));
    let ended = tokio::select! {
        () = stop.cancelled() => Ok(()),
        why = officers.ended() => Err(why),
    };
    stop.cancel();
    while tasks.join_next().await.is_some() {}
    simulated.stop().await;
    officers.stop().await;
    running.stop().await;
    sources.shutdown().await;
    println!("\nStopped. The data is in {}.", folder.root().display());
    ended
}

type Rows = Box<dyn Iterator<Item = Result<CallReport, BadRow>> + Send>;

/// The calls to replay, of a file or of the made-up evening; each gets one of the
/// three agencies by its place, which such files do not say.
fn rows(args: &DemoArgs) -> Result<Rows, String> {
    let zone = || TimeZone::get("America/Chicago").map_err(|e| e.to_string());
    let rows: Rows = match &args.calls {
        Some(path) => Box::new(replay::open(path, "file", zone()?)?),
        None => Box::new(city::evening(zone()?)?.into_iter().map(Ok)),
    };
    Ok(Box::new(rows.map(|row| {
        row.map(|report| CallReport {
            agency: city::agency_of(&report.location),
            ..report
        })
    })))
}

/// A simulated person's words, marked as such wherever they are shown.
fn simulated(name: &str) -> String {
    format!("{name} (simulated)")
}

/// The center, shared by what runs beside it.
type Shared = Arc<Center>;

fn cannot(what: &str, path: &Path, error: &dyn std::fmt::Display) -> String {
    format!("{what} {} cannot be used: {error}", path.display())
}
