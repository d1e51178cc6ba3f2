//! A device that writes without pause until it is killed, for `tests/crash.rs`.
//!
//! What it has kept it says on its standard output, one line each, after the call that
//! wrote it has returned: `kept CALL ENTRY TEXT`, and `up` before the first.

use std::io::Write as _;
use std::path::PathBuf;
use std::time::Duration;

use forerunner_tests::TestDevice;
use mobile_core::{Core, CoreError, OpenPacket};
use packet::{CallId, EntryId};

/// Between two notes.
const PACE_MS_MAX: u64 = 40;
/// One note of so many begins a packet of the device's own.
const OPENS_ONE_OF: u32 = 40;

struct Arguments {
    folder: PathBuf,
    /// Told apart from every other run.
    run: String,
    badge: String,
    unit: String,
    ticket: Option<String>,
}

fn arguments() -> Option<Arguments> {
    let mut arguments = std::env::args().skip(1);
    Some(Arguments {
        folder: arguments.next()?.into(),
        run: arguments.next()?,
        badge: arguments.next()?,
        unit: arguments.next()?,
        ticket: arguments.next(),
    })
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), CoreError> {
    let Some(arguments) = arguments() else {
        eprintln!("crash_device FOLDER RUN BADGE UNIT [TICKET]");
        std::process::exit(2);
    };
    let device = TestDevice::open(&arguments.folder);
    let core = &device.core;
    if let Some(ticket) = &arguments.ticket {
        core.enrol(&ticket.parse()?).await?;
        core.sign_on(&arguments.badge, &arguments.unit).await?;
    }
    say("up");
    for n in 0_u64.. {
        let text = format!("device {} note {n}", arguments.run);
        match write(core, &text).await {
            Ok(Some((call, id))) => say(&format!("kept {call} {id} {text}")),
            // Nothing is here yet, or a packet has just left.
            Ok(None) | Err(CoreError::NotHere | CoreError::OutboxFull) => {}
            Err(error) => return Err(error),
        }
        tokio::time::sleep(Duration::from_millis(fastrand::u64(1..PACE_MS_MAX))).await;
    }
    Ok(())
}

async fn write(core: &Core, text: &str) -> Result<Option<(CallId, EntryId)>, CoreError> {
    if fastrand::u32(..OPENS_ONE_OF) == 0 {
        let open = OpenPacket {
            nature: "ON VIEW".into(),
            location: "5th and Oak".into(),
            plate: None,
            note: None,
        };
        core.open_packet(open).await?;
    }
    let packets = core.packets().await?;
    let Some(packet) = fastrand::choice(&packets) else {
        return Ok(None);
    };
    let id = core.add_note(packet.call, text).await?;
    Ok(Some((packet.call, id)))
}

/// Before anything else happens.
fn say(line: &str) {
    let mut out = std::io::stdout().lock();
    // Nobody who listens: the test is over, and so is this.
    if writeln!(out, "{line}").and_then(|()| out.flush()).is_err() {
        std::process::exit(0);
    }
}
