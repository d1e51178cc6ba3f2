//! A device that does one thing over and over until it is killed, for `tests/device_kills.rs`.
//!
//! What it says on its standard output, one line each: `kept TEXT` once the call that wrote
//! it has returned, `begin` and `done` around what it is to be killed in.

use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use mobile_core::identity::FileKeyStore;
use mobile_core::{
    Budget, CancellationToken, Core, CoreError, Opened, Options, SystemClock, TracingLogger,
};
use packet::CallId;

/// Between a resumed store and what is written next: a session may be at any of its steps.
const PACE_MS_MAX: u64 = 25;
const NOTES_A_SHIFT: u32 = 2;

struct Arguments {
    work: String,
    folder: PathBuf,
    call: CallId,
    badge: String,
    unit: String,
    /// Told apart from every other run.
    run: String,
}

fn arguments() -> Option<Arguments> {
    let mut arguments = std::env::args().skip(1);
    Some(Arguments {
        work: arguments.next()?,
        folder: arguments.next()?.into(),
        call: arguments.next()?.parse().ok()?,
        badge: arguments.next()?,
        unit: arguments.next()?,
        run: arguments.next()?,
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), CoreError> {
    let Some(arguments) = arguments() else {
        eprintln!("killed_device contact|pause|shift|open FOLDER CALL BADGE UNIT RUN");
        std::process::exit(2);
    };
    let core = match arguments.work.as_str() {
        "open" => {
            say("begin");
            let core = open(&arguments)?;
            say("done");
            let _open = core;
            return std::future::pending().await;
        }
        _ => open(&arguments)?,
    };
    let worked = match arguments.work.as_str() {
        "contact" => contact(&core, &arguments).await,
        "pause" => pause(&core, &arguments).await,
        _ => shift(&core, &arguments).await,
    };
    eprintln!(
        "{} {}: {:?}, {:?}, {:?}",
        arguments.work,
        arguments.run,
        *core.lock_state().borrow(),
        core.shift_left(),
        *core.link().borrow()
    );
    worked
}

fn open(arguments: &Arguments) -> Result<Core, CoreError> {
    let keys = FileKeyStore::open(&arguments.folder.join("keys"));
    let Opened { core, set_aside } = Core::open(Options {
        directory: arguments.folder.clone(),
        keys: Arc::new(keys.map_err(|error| CoreError::Keys(error.to_string()))?),
        signer: None,
        clock: Arc::new(SystemClock::new()),
        log: Arc::new(TracingLogger),
    })?;
    match set_aside {
        None => Ok(core),
        Some(aside) => Err(CoreError::Store(format!("set aside: {}", aside.display()))),
    }
}

async fn note(core: &Core, arguments: &Arguments, n: u32) -> Result<(), CoreError> {
    let text = format!("{} {} note {n}", arguments.work, arguments.run);
    core.add_note(arguments.call, &text).await?;
    say(&format!("kept {text}"));
    Ok(())
}

/// As a background task does: a note, a contact within some budget, and again.
async fn contact(core: &Core, arguments: &Arguments) -> Result<(), CoreError> {
    for n in 0.. {
        note(core, arguments, n).await?;
        let budget = Budget {
            ms_max: [20, 500, 5_000][fastrand::usize(..3)],
            bytes_max: [0, 2_000, 1_000_000][fastrand::usize(..3)],
            call: None,
        };
        say("begin");
        core.sync_once(budget, CancellationToken::new()).await?;
        say("done");
    }
    Ok(())
}

/// As an app that comes and goes, with a session that is somewhere each time.
async fn pause(core: &Core, arguments: &Arguments) -> Result<(), CoreError> {
    let _driver = core.start();
    for n in 0.. {
        note(core, arguments, n).await?;
        tokio::time::sleep(Duration::from_millis(fastrand::u64(..PACE_MS_MAX))).await;
        say("begin");
        core.pause().await?;
        say("done");
        core.resume().await?;
    }
    Ok(())
}

/// A shift with two notes that are not sent, its end, and the next one.
async fn shift(core: &Core, arguments: &Arguments) -> Result<(), CoreError> {
    for shift in 0.. {
        if core.shift().is_none() {
            core.sign_on(&arguments.badge, &arguments.unit).await?;
        }
        while core.packet(arguments.call).await?.is_none() {
            let budget = Budget {
                ms_max: 5_000,
                bytes_max: 1_000_000,
                call: Some(arguments.call),
            };
            core.sync_once(budget, CancellationToken::new()).await?;
        }
        for n in 0..NOTES_A_SHIFT {
            note(core, arguments, shift * NOTES_A_SHIFT + n).await?;
        }
        say("begin");
        core.sign_off().await?;
        say("done");
    }
    Ok(())
}

/// Before anything else happens.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody who listens: the test is over, and so is this.
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
