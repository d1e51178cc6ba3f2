//! `forerunner`: the center, the officer's page, and a demo of both, in one file.

mod audit;
mod backup;
mod demo;
mod init;
mod mdt;
mod pacer;
mod policy;
mod replay;
mod restore;
mod serve;
mod simulate;
mod sources;
mod speed;
mod triage;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

/// Everything that is known about a call, in the officer's hand before the officer
/// is at the door.
#[derive(Debug, Parser)]
#[command(name = "forerunner", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start a whole center with made-up agencies, calls, officers and two MDT pages.
    Demo(demo::DemoArgs),
    /// Make a new center: its configuration, its keys, and the first supervisor's link.
    Init(init::InitArgs),
    /// Run the center.
    Serve {
        /// The center's configuration.
        #[arg(long, value_name = "FILE")]
        config: PathBuf,
        /// Write where everything is, as JSON, when all is up.
        #[arg(long, value_name = "FILE")]
        ready_file: Option<PathBuf>,
    },
    /// Back a center up while it runs: its log and its keys, in a new folder.
    Backup(backup::BackupArgs),
    /// Make a center's data folder of a backup, in place of one that was lost.
    Restore(restore::RestoreArgs),
    /// The audit log: verify, export, sign, cosign.
    #[command(subcommand)]
    Audit(audit::AuditCommand),
    /// Ask the sources of a configuration, to see whether they work.
    #[command(subcommand)]
    Sources(sources::SourcesCommand),
    /// Tell a running center the calls of a CSV file, paced as they came.
    Replay(replay::ReplayArgs),
    /// Run the officer's page on a vehicle laptop (loopback only).
    Mdt(mdt::MdtArgs),
    /// Run a whole city in virtual time over the real center and devices, with every
    /// mishap that a seed can bring, and check every promise at each step; or, with --calls,
    /// measure what was on each device before its officer arrived.
    Simulate(simulate::SimulateArgs),
    /// Say what the agencies' policies allow, of whom and why.
    Policy(policy::PolicyArgs),
    /// Say which triage rule said what, and how well the rules do.
    Triage(triage::TriageArgs),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    // Before any command asks anything over HTTP.
    server::identity::tls::install_provider();
    // What a person reads goes to standard output, what happens inside to standard error.
    let quiet = if matches!(
        cli.command,
        Command::Demo(_)
            | Command::Audit(_)
            | Command::Init(_)
            | Command::Mdt(_)
            | Command::Policy(_)
            | Command::Simulate(_)
            | Command::Triage(_)
    ) {
        "error"
    } else {
        "info"
    };
    tracing_subscriber::fmt()
        .with_env_filter(
            EnvFilter::try_from_env("FORERUNNER_LOG").unwrap_or_else(|_| EnvFilter::new(quiet)),
        )
        .with_writer(std::io::stderr)
        .init();
    let stop = stop_on_signals();
    let ended = match cli.command {
        Command::Demo(args) => demo::run(args, stop).await,
        Command::Init(args) => init::run(args).await,
        Command::Serve { config, ready_file } => {
            serve::run(&config, ready_file.as_deref(), stop).await
        }
        Command::Backup(args) => backup::run(&args),
        Command::Restore(args) => restore::run(&args),
        Command::Audit(command) => audit::run(command).await,
        Command::Sources(command) => sources::run(command).await,
        Command::Replay(args) => replay::run(args, stop).await,
        Command::Mdt(args) => mdt::run(args, stop).await,
        Command::Simulate(args) => simulate::simulate(&args),
        Command::Policy(args) => policy::run(&args),
        Command::Triage(args) => triage::run(&args),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => {
            eprintln!("forerunner: {why}");
            ExitCode::FAILURE
        }
    }
}

/// Cancelled by Ctrl-C or a polite kill.
fn stop_on_signals() -> CancellationToken {
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        let terminate = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::terminate());
        match terminate {
            Ok(mut terminate) => tokio::select! {
                _ = tokio::signal::ctrl_c() => {}
                _ = terminate.recv() => {}
            },
            Err(_) => {
                let _ = tokio::signal::ctrl_c().await;
            }
        }
        told.cancel();
    });
    stop
}

/// Why a command ended: one sentence for the person at the terminal.
type Ended = Result<(), String>;

/// Writes where everything is, whole or not at all.
fn write_ready(path: &std::path::Path, ready: &serde_json::Value) -> Ended {
    let failed =
        |e: std::io::Error| format!("the ready file {} cannot be written: {e}", path.display());
    let half = path.with_extension("half");
    std::fs::write(&half, ready.to_string()).map_err(failed)?;
    std::fs::rename(&half, path).map_err(failed)
}
