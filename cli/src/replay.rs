//! `forerunner replay`: tells a running center the calls of a file.

use std::fs::File;
use std::io::BufReader;
use std::path::{Path, PathBuf};

use clap::Args;
use jiff::tz::TimeZone;
use server::intake::CallReport;
use server::intake::csv::CallRows;
use tokio_util::sync::CancellationToken;

use crate::Ended;
use crate::pacer::{Event, Pacer};
use crate::speed::Speed;

/// How often a call is told again when the center does not answer, with a second between.
const TRIES_MAX: usize = 60;

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// CSV with the header id,time,location,latitude,longitude,district,nature,status.
    #[arg(long, value_name = "FILE")]
    calls: PathBuf,
    /// Seconds of the file in one second, or max.
    #[arg(long, default_value = "60")]
    speed: Speed,
    /// The center's API.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8780")]
    api: String,
    /// The API's bearer token; the center keeps it in its data folder, keys/api-token.
    #[arg(long, env = "FORERUNNER_TOKEN", hide_env_values = true)]
    token: String,
    /// The agency whose calls they are.
    #[arg(long)]
    agency: String,
    /// The time zone of the file's times (IANA).
    #[arg(long, default_value = "America/Chicago")]
    zone: String,
}

pub(crate) async fn run(args: ReplayArgs, stop: CancellationToken) -> Ended {
    let zone = TimeZone::get(&args.zone).map_err(|e| format!("--zone {}: {e}", args.zone))?;
    let rows = open(&args.calls, &args.agency, zone)?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .build()
        .map_err(|e| e.to_string())?;
    let url = format!("{}/v1/calls", args.api.trim_end_matches('/'));
    let mut pacer = Pacer::new(rows, args.speed);
    let (mut told, mut bad) = (0_usize, 0_usize);
    while let Some(event) = pacer.next(&stop).await {
        match event {
            Event::Bad(row) => {
                bad += 1;
                println!("{}", bad_row(&args.calls, &row));
            }
            Event::Opened(report) => {
                tell(&client, &url, &args.token, &report, &stop).await?;
                told += 1;
            }
            Event::Closed(report) => tell(&client, &url, &args.token, &report, &stop).await?,
        }
    }
    println!("{told} calls told, {bad} rows skipped.");
    Ok(())
}

/// Opens a file of calls; a file that is not one is told before anything starts.
pub(crate) fn open(
    path: &Path,
    agency: &str,
    zone: TimeZone,
) -> Result<CallRows<BufReader<File>>, String> {
    let file = File::open(path).map_err(|e| format!("{} cannot be read: {e}", path.display()))?;
    CallRows::open(BufReader::new(file), agency, zone)
        .map_err(|e| format!("{}: {e}", path.display()))
}

pub(crate) fn bad_row(path: &Path, row: &server::intake::csv::BadRow) -> String {
    format!("{}: {row}; skipped", path.display())
}

async fn tell(
    client: &reqwest::Client,
    url: &str,
    token: &str,
    report: &CallReport,
    stop: &CancellationToken,
) -> Ended {
    for _ in 0..TRIES_MAX {
        match client
            .post(url)
            .bearer_auth(token)
            .json(report)
            .send()
            .await
        {
            Ok(answer) if answer.status().is_success() => return Ok(()),
            Ok(answer) if answer.status().is_client_error() => {
                let why = answer.text().await.unwrap_or_default();
                return Err(format!(
                    "the center did not take call {}: {why}",
                    report.number
                ));
            }
            // A center that is down, or that cannot write now, is told again.
            Ok(_) | Err(_) => tokio::select! {
                () = tokio::time::sleep(std::time::Duration::from_secs(1)) => {}
                () = stop.cancelled() => return Ok(()),
            },
        }
    }
    Err(format!(
        "the center at {url} has not answered {TRIES_MAX} times"
    ))
}
