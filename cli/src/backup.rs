//! `forerunner backup`: the center as it stands now, in a folder.

use std::path::PathBuf;

use clap::Args;
use server::backup;
use server::config::Config;

use crate::Ended;

/// The backup holds the center's keys: whoever has it can be this center and read all of
/// its log. Keep it as you keep the center's own data.
#[derive(Debug, Args)]
pub(crate) struct BackupArgs {
    /// The center's configuration. The center may be running.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A folder that is not there yet. It appears when the backup is whole, and not before.
    #[arg(long, value_name = "DIR")]
    to: PathBuf,
    /// Where the keys of the documents go: a file that each backup replaces. Keep one copy of
    /// it, apart from the backups: what was purged is in every backup, and its key in none.
    #[arg(long, value_name = "FILE")]
    document_keys: PathBuf,
}

pub(crate) fn run(args: &BackupArgs) -> Ended {
    let config = Config::read(&args.config).map_err(|e| e.to_string())?;
    let manifest =
        backup::make(&config, &args.to, &args.document_keys).map_err(|e| e.to_string())?;
    println!(
        "Backed up to {}: {} changes of log {:x}, center {}. It holds the center's keys; the documents' are in {}.",
        args.to.display(),
        manifest.head,
        manifest.incarnation,
        manifest.center,
        args.document_keys.display()
    );
    Ok(())
}
