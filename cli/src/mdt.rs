//! `forerunner mdt`: the officer's page on a vehicle laptop.

use std::path::PathBuf;

use clap::Args;
use tokio_util::sync::CancellationToken;

use crate::Ended;

#[derive(Debug, Args)]
pub(crate) struct MdtArgs {
    /// The folder of this device's encrypted store and keys.
    #[arg(long, value_name = "DIR", default_value = "forerunner-mdt")]
    data: PathBuf,
    /// The page's port on this laptop; 0 takes a free one.
    #[arg(long, default_value_t = 8790)]
    port: u16,
    /// The enrolment ticket, at the first start. Other programs can read a command
    /// line, so give it in the environment.
    #[arg(
        long,
        value_name = "TICKET",
        env = "FORERUNNER_TICKET",
        hide_env_values = true
    )]
    ticket: Option<String>,
    /// What the agency calls this laptop.
    #[arg(long, default_value = "MDT")]
    label: String,
    /// The officer's badge, to sign on with.
    #[arg(long, requires = "unit")]
    officer: Option<String>,
    /// The unit to sign on for. Without a badge: for whoever signs on by the agency's own
    /// sign-in.
    #[arg(long)]
    unit: Option<String>,
    /// End when standard input closes: for a program that starts this one.
    #[arg(long)]
    until_stdin_closes: bool,
    /// Let the page's host cut the link by `POST /link` (for tests and demos).
    #[arg(long)]
    allow_link_switch: bool,
    /// For demos: set this PIN and open with it by itself, and show it on the page.
    #[arg(
        long,
        value_name = "PIN",
        env = "FORERUNNER_DEMO_PIN",
        hide_env_values = true
    )]
    demo_pin: Option<String>,
}

/// What this program has in its memory leaves it by no core dump, and not to other programs
/// of the same user.
#[cfg(target_os = "linux")]
fn keep_memory_to_itself() {
    use rustix::process::{DumpableBehavior, Resource, Rlimit, set_dumpable_behavior, setrlimit};
    let none = Rlimit {
        current: Some(0),
        maximum: Some(0),
    };
    let limited = setrlimit(Resource::Core, none);
    if let Err(error) = limited.and_then(|()| set_dumpable_behavior(DumpableBehavior::NotDumpable))
    {
        tracing::warn!(%error, "this program's memory can be dumped");
    }
}

pub(crate) async fn run(args: MdtArgs, stop: CancellationToken) -> Ended {
    #[cfg(target_os = "linux")]
    keep_memory_to_itself();
    if args.until_stdin_closes {
        let stop = stop.clone();
        // A thread of its own: a read of standard input cannot be taken back.
        std::thread::spawn(move || {
            let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
            stop.cancel();
        });
    }
    let options = mdt::MdtOptions {
        directory: args.data,
        port: args.port,
        ticket: args.ticket,
        officer: args.officer,
        unit: args.unit,
        label: args.label,
        allow_link_switch: args.allow_link_switch,
        demo_pin: args.demo_pin,
        pin_hash: mdt::PinHash::default(),
    };
    mdt::run(options, stop, |url| println!("{url}"))
        .await
        .map_err(|e| e.to_string())
}
