//! `forerunner restore`: a center's data folder of a backup.

use std::path::PathBuf;

use clap::Args;
use server::backup;

use crate::Ended;

/// Stop the center first. When it starts again, its devices give back what it had after
/// the backup, as far as they have it; officers whose shift began after the backup sign on
/// again. Revoke again each device that was revoked after the backup: that is not in it.
#[derive(Debug, Args)]
pub(crate) struct RestoreArgs {
    /// A folder that `forerunner backup` made.
    #[arg(long, value_name = "DIR")]
    from: PathBuf,
    /// The center's data folder, `data` in its configuration: empty, or not there.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The file of document keys as the last backup left it. (A backup of before there were
    /// document keys needs none.)
    #[arg(long, value_name = "FILE")]
    document_keys: Option<PathBuf>,
    /// Rename what is in the data folder, with the date, instead of refusing. Nothing of
    /// it is deleted.
    #[arg(long)]
    set_aside: bool,
}

pub(crate) fn run(args: &RestoreArgs) -> Ended {
    let restored = backup::restore(
        &args.from,
        &args.data,
        args.document_keys.as_deref(),
        args.set_aside,
    )
    .map_err(|e| e.to_string())?;
    if let Some(aside) = &restored.set_aside {
        println!("What was in the data folder is in {} now.", aside.display());
    }
    println!(
        "Restored to {}: {} changes, as log {:x} (it was {:x}).",
        args.data.display(),
        restored.manifest.head,
        restored.incarnation,
        restored.manifest.incarnation
    );
    println!("Devices revoked since the backup have to be revoked again.");
    Ok(())
}
