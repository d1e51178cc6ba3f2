//! The MDT pages: `forerunner mdt`, a process each, enrolled like any device.

use std::process::Stdio;
use std::time::Duration;

use server::devices;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio_util::sync::CancellationToken;

use super::Shared;
use super::city::Folder;

/// How long a page may take to come up, and to end when told.
const START_MS_MAX: u64 = 10_000;
const END_MS_MAX: u64 = 5_000;
/// Made up, set and entered by the demo itself; each page shows it when it is locked.
pub(super) const DEMO_PIN: &str = "482916";

#[derive(Debug)]
pub(super) struct Page {
    pub(super) unit: String,
    pub(super) url: String,
    child: Child,
    /// Closed, it tells the page to end. (Apart: waiting for a child closes what it holds.)
    until: Option<ChildStdin>,
}

/// The pages that run; each ends when its standard input closes, so none outlives this.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) pages: Vec<Page>,
}

/// Starts the pages, side by side, with the first officers of the first agency.
pub(super) async fn start(
    center: &Shared,
    folder: &Folder,
    count: u8,
    stop: &CancellationToken,
) -> Result<Pages, String> {
    let agency = &sim::agencies()[0];
    let mut starting = Vec::new();
    for (number, unit) in (0_u16..).zip(&agency.units).take(usize::from(count)) {
        let officer = unit
            .officers
            .first()
            .ok_or("a made-up unit has no officer")?;
        let label = format!("MDT {}", number + 1);
        // Used once, at the first start; later ones are enrolled.
        let ticket = ticket(center, agency.id, &label, true).await?;
        let mut command = Command::new(std::env::current_exe().map_err(|e| e.to_string())?);
        command
            .arg("mdt")
            .args(["--port", &folder.mdt_port(number).to_string()])
            .args(["--officer", officer.badge, "--unit", unit.id])
            .args([
                "--label",
                &label,
                "--until-stdin-closes",
                "--allow-link-switch",
                "--data",
            ])
            .arg(folder.root().join(format!("mdt-{}", number + 1)))
            .env("FORERUNNER_TICKET", ticket)
            .env("FORERUNNER_DEMO_PIN", DEMO_PIN)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let child = command
            .spawn()
            .map_err(|e| format!("an MDT page cannot start: {e}"))?;
        starting.push((unit.id.to_owned(), child));
    }
    let mut pages = Vec::new();
    for (unit, mut child) in starting {
        let output = child.stdout.take().ok_or("an MDT page has no output")?;
        let mut lines = BufReader::new(output).lines();
        let line = tokio::select! {
            line = tokio::time::timeout(Duration::from_millis(START_MS_MAX), lines.next_line()) => line,
            () = stop.cancelled() => return Err("stopped while starting".into()),
        };
        match line {
            Ok(Ok(Some(url))) => {
                let until = child.stdin.take();
                pages.push(Page {
                    unit,
                    url,
                    child,
                    until,
                });
            }
            _ => return Err(format!("the MDT page of unit {unit} did not come up")),
        }
    }
    Ok(Pages { pages })
}

/// A one-time ticket for a device of this agency, fixed in a vehicle or not.
pub(super) async fn ticket(
    center: &Shared,
    agency: &'static str,
    label: &str,
    mounted: bool,
) -> Result<String, String> {
    let label = label.to_owned();
    let code = center
        .log
        .write(move |ledger| devices::new_code_for(ledger, agency, &label, mounted))
        .await
        .map_err(|e| e.to_string())?;
    Ok(server::api::ticket(center, &code))
}

impl Pages {
    /// Waits until a page ends by itself, and says so; for ever where there is none.
    pub(super) async fn ended(&mut self) -> String {
        if self.pages.is_empty() {
            return std::future::pending().await;
        }
        let waits = self
            .pages
            .iter_mut()
            .map(|page| Box::pin(async { (page.unit.clone(), page.child.wait().await) }));
        let ((unit, status), ..) = futures_util::future::select_all(waits).await;
        match status {
            Ok(status) => format!("the MDT page of unit {unit} ended by itself: {status}"),
            Err(e) => format!("the MDT page of unit {unit} is lost: {e}"),
        }
    }

    pub(super) async fn stop(self) {
        for mut page in self.pages {
            drop(page.until.take());
            if tokio::time::timeout(Duration::from_millis(END_MS_MAX), page.child.wait())
                .await
                .is_err()
            {
                let _ = page.child.kill().await;
            }
        }
    }
}
