//! The officer's page on a vehicle laptop: `mobile-core` behind a web page that
//! only this laptop's officer can open.
//!
//! ```text
//!   browser ── 127.0.0.1 ──▶ access (Host, Origin, cookie) ──▶ pages, forms ──▶ Core
//!      ▲                                                                         │
//!      └──────────── live: one WebSocket a page ◀── present ◀── changes() ───────┘
//! ```
//!
//! All that the page shows is on the laptop, and all that the officer writes is kept
//! here before it is answered: with the center gone, the page stays up, says so, and
//! is written on as before.
//!
//! * [`run`] is the whole program; it prints nothing.
//! * [`view`] is what the page shows, `present` fills it from the device.
//! * `access` is who gets an answer at all.
//! * `begin` enrols the laptop and signs the officer on, in the background; `agency` where
//!   the agency has a sign-in of its own for that.

mod access;
mod agency;
mod app;
pub mod assets;
mod attachments;
mod beat;
mod begin;
mod clips;
mod error;
mod forms;
mod intel;
mod live;
mod lock;
mod pages;
mod present;
mod serve;
#[cfg(test)]
mod tests;
pub mod view;
mod words;

use std::fs::{self, File, TryLockError};
use std::io;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use mobile_core::identity::{FileKeyStore, KeyStore};
use mobile_core::{
    BootClock, Core, CoreError, LockRules, Options, SystemClock, Ticket, TracingLogger,
};
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use access::Access;
use app::{App, Inner};
use begin::{Beginning, Officer};
use words::Times;

pub use error::MdtError;
pub use mobile_core::PinHash;

/// How one laptop's program is started.
#[derive(Debug, Clone)]
pub struct MdtOptions {
    /// The laptop's own folder: keys, store, what is unsent. Made where it is missing.
    pub directory: PathBuf,
    /// On 127.0.0.1; 0 takes any that is free.
    pub port: u16,
    /// As the agency handed it over. Used while the laptop is not enrolled.
    pub ticket: Option<String>,
    /// The officer's badge. Signs on with `unit`; a shift of somebody else ends.
    pub officer: Option<String>,
    /// Alone: for whoever signs on by the agency's own sign-in.
    pub unit: Option<String>,
    /// The laptop, as its agency calls it; the page shows it.
    pub label: String,
    /// Lets whoever has the page's secret cut the laptop's link: `POST /link` with
    /// `{"up": bool}`. For tests and demos.
    pub allow_link_switch: bool,
    /// For demos: the program sets this PIN and opens with it by itself, and the page shows
    /// it. Without it the officer chooses one before the first sign-on.
    pub demo_pin: Option<String>,
    /// What it costs to try a PIN.
    pub pin_hash: PinHash,
}

/// The laptop's program, until `shutdown` is cancelled.
///
/// `on_ready` is given the address for the officer to open, with this start's secret
/// in it, when the page answers. That does not wait for the center: enrolment and
/// sign-on go on in the background, and the page says how they stand.
///
/// # Errors
/// Why it could not start; each is a sentence for the person who started it.
pub async fn run(
    options: MdtOptions,
    shutdown: CancellationToken,
    on_ready: impl FnOnce(String) + Send,
) -> Result<(), MdtError> {
    let ticket = options
        .ticket
        .as_deref()
        .map(str::parse::<Ticket>)
        .transpose()
        .map_err(MdtError::Ticket)?;
    let (listener, port) = listen(options.port).await?;
    let _alone = lock(&options.directory)?;
    let device = open(&options.directory, options.pin_hash).await?;
    let core = device.core.clone();
    if !core.is_enrolled() && ticket.is_none() {
        return Err(MdtError::NoTicket);
    }
    let access = Arc::new(Access::new(port)?);
    let (why_not, standing) = watch::channel("Signing on.".to_owned());
    let wants_shift = watch::Sender::new(true);
    let agency = watch::Sender::new(false);
    let officer = options.officer.zip(options.unit.clone());
    let officer = officer.map(|(badge, unit)| Officer { badge, unit });
    let app = App::new(Inner {
        core: core.clone(),
        clock: device.clock.clone(),
        times: Times::of_this_laptop(),
        label: options.label,
        notice: device.notice,
        why_not: standing,
        officer: officer.clone(),
        unit: options.unit.clone(),
        port,
        agency: agency.clone(),
        wants_shift: wants_shift.clone(),
        demo_pin: options.demo_pin.clone(),
        shutdown: shutdown.clone(),
    });
    let beginning = Beginning {
        core: core.clone(),
        keys: device.keys,
        clock: device.clock,
        ticket,
        officer,
        has_unit: options.unit.is_some(),
        agency,
        wants_shift: wants_shift.subscribe(),
        demo_pin: options.demo_pin,
        why_not,
    };
    beginning.open_a_demo().await;
    let beginning = tokio::spawn(beginning.run(shutdown.clone()));
    let driving = tokio::spawn({
        let (core, stop) = (core.clone(), shutdown.clone());
        async move { core.run(stop).await }
    });
    let routes = app::routes(app, access.clone(), options.allow_link_switch);
    let serving = tokio::spawn(serve::serve(listener, routes, shutdown));
    on_ready(access.address());
    for task in [serving, beginning, driving] {
        if let Err(error) = task.await {
            tracing::warn!(%error, "a part of the program ended in a panic");
        }
    }
    // The WAL goes back into the store; without it the next start does the same.
    if let Err(error) = core.pause().await {
        tracing::warn!(%error, "the store was not closed");
    }
    Ok(())
}

async fn listen(port: u16) -> Result<(TcpListener, u16), MdtError> {
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::AddrInUse => MdtError::PortTaken { port },
        _ => MdtError::Listen { port, source },
    };
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
        .await
        .map_err(failed)?;
    let port = listener.local_addr().map_err(failed)?.port();
    Ok((listener, port))
}

/// One program a folder: two would write one outbox.
fn lock(directory: &Path) -> Result<File, MdtError> {
    let failed = |error: io::Error| MdtError::Folder {
        path: directory.to_owned(),
        reason: error.to_string(),
    };
    fs::create_dir_all(directory).map_err(failed)?;
    let file = File::create(directory.join("in-use")).map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(MdtError::FolderInUse {
            path: directory.to_owned(),
        }),
        Err(TryLockError::Error(error)) => Err(failed(error)),
    }
}

struct Device {
    core: Core,
    keys: Arc<dyn KeyStore>,
    clock: Arc<dyn BootClock>,
    /// What the officer should know of the store.
    notice: String,
}

async fn open(directory: &Path, hash: PinHash) -> Result<Device, MdtError> {
    let directory = directory.to_owned();
    let opening = tokio::task::spawn_blocking(move || {
        let keys =
            FileKeyStore::open(&directory.join("keys")).map_err(|error| MdtError::Folder {
                path: directory.clone(),
                reason: error.to_string(),
            })?;
        let keys: Arc<dyn KeyStore> = Arc::new(keys);
        let clock: Arc<dyn BootClock> = Arc::new(SystemClock::new());
        let options = Options {
            directory: directory.join("device"),
            keys: keys.clone(),
            signer: None,
            clock: clock.clone(),
            log: Arc::new(TracingLogger),
        };
        let rules = LockRules {
            hash,
            pin_first: true,
        };
        let opened = Core::open_under(options, rules).map_err(MdtError::Open)?;
        let notice = opened.set_aside.map_or_else(String::new, |path| {
            format!(
                "An older store on this laptop could not be opened. It was set aside as {}; \
                 what was not sent from it is handed in.",
                path.display()
            )
        });
        Ok(Device {
            core: opened.core,
            keys,
            clock,
            notice,
        })
    });
    opening
        .await
        .map_err(|error| MdtError::Open(CoreError::Store(error.to_string())))?
}
