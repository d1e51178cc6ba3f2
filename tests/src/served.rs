//! The `forerunner` binary as a process of its own, to be killed and started again.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use server::config::Config;
use server::people::found::found;
use tempfile::TempDir;
use tokio::process::{Child, Command};

use crate::config::config_text_of;
use crate::{AGENCY, PATIENCE, TestApi, UNITS, until};

/// The binary that users run: what `FORERUNNER_BIN` names, or what was built beside
/// this test.
///
/// # Panics
/// When there is none.
#[must_use]
pub fn forerunner_binary() -> PathBuf {
    if let Some(named) = std::env::var_os("FORERUNNER_BIN") {
        return named.into();
    }
    // A test is …/release/deps/crash-1234, a benchmark …/release/bench.
    let here = std::env::current_exe().unwrap();
    let folder = here
        .ancestors()
        .find(|folder| folder.ends_with("release"))
        .unwrap();
    let binary = folder.join("forerunner");
    assert!(
        binary.is_file(),
        "There is no {}: build it first with `cargo build --release`, or name it in FORERUNNER_BIN.",
        binary.display()
    );
    binary
}

#[derive(Debug)]
pub struct ServedCenter {
    child: Option<Child>,
    binary: PathBuf,
    /// The same after every start.
    pub api: TestApi,
    dir: TempDir,
}

impl ServedCenter {
    pub async fn start() -> Self {
        Self::start_with(&UNITS.map(str::to_owned), 0).await
    }

    /// For an agency with these units, and so many officers more ([`crate::MORE_BADGES`]).
    pub async fn start_with(units: &[String], more_officers: usize) -> Self {
        Self::start_as(units, more_officers, "").await
    }

    /// With these sections more in its configuration.
    pub async fn start_also(sections: &str) -> Self {
        Self::start_as(&UNITS.map(str::to_owned), 0, sections).await
    }

    async fn start_as(units: &[String], more_officers: usize, also: &str) -> Self {
        let binary = forerunner_binary();
        let dir = tempfile::tempdir().unwrap();
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let configure = |sync, console| {
            let data = dir.path().join("data");
            let text = config_text_of(units, more_officers, &data, sync, console) + also;
            std::fs::write(dir.path().join("center.toml"), text).unwrap();
        };
        configure(any, any);
        let config = Config::read(&dir.path().join("center.toml")).unwrap();
        let link = found(&config, AGENCY, "Supervisor (RTCC)").await.unwrap();
        let (child, ready) = serve(&binary, &dir).await;
        // What the system has given is kept from now on: devices come back there.
        let text = |name: &str| ready[name].as_str().unwrap().to_owned();
        let console = text("console");
        let address = console.strip_prefix("http://").unwrap().parse().unwrap();
        let sync = text("sync").parse().unwrap();
        configure(sync, address);
        Self {
            child: Some(child),
            binary,
            api: TestApi::new(text("api"), text("token")).enrol(&link).await,
            dir,
        }
    }

    #[must_use]
    pub fn data(&self) -> PathBuf {
        self.dir.path().join("data")
    }

    /// The process's number.
    #[must_use]
    pub fn process(&self) -> u32 {
        self.child.as_ref().and_then(Child::id).expect("it runs")
    }

    /// As the power would: SIGKILL.
    pub async fn kill(&mut self) {
        let mut child = self.child.take().expect("it runs");
        child.start_kill().unwrap();
        child.wait().await.unwrap();
    }

    /// At the same address, with the same data.
    pub async fn start_again(&mut self) {
        assert!(self.child.is_none());
        let (child, _) = serve(&self.binary, &self.dir).await;
        self.child = Some(child);
    }

    /// Politely.
    pub async fn stop(&mut self) -> ExitStatus {
        let mut child = self.child.take().expect("it runs");
        let id = child.id().expect("it has not ended").to_string();
        let told = Command::new("kill").args(["-TERM", &id]).status().await;
        assert!(told.unwrap().success());
        let ended = tokio::time::timeout(PATIENCE, child.wait()).await;
        ended.expect("it ends when it is told to").unwrap()
    }
}

async fn serve(binary: &Path, dir: &TempDir) -> (Child, Value) {
    let ready = dir.path().join("ready.json");
    match std::fs::remove_file(&ready) {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => panic!("{}: {e}", ready.display()),
        _ => {}
    }
    let errors = std::fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(dir.path().join("errors.txt"))
        .unwrap();
    let mut child = Command::new(binary)
        .args(["serve", "--config"])
        .arg(dir.path().join("center.toml"))
        .arg("--ready-file")
        .arg(&ready)
        .env("FORERUNNER_LOG", "warn")
        .stdout(Stdio::null())
        .stderr(errors)
        .kill_on_drop(true)
        .spawn()
        .unwrap();
    let ready = until("the center says that it is up", async || {
        if let Some(ended) = child.try_wait().unwrap() {
            let errors = std::fs::read_to_string(dir.path().join("errors.txt")).unwrap();
            panic!("the center ended ({ended}):\n{errors}");
        }
        std::fs::read(&ready).ok()
    })
    .await;
    (child, serde_json::from_slice(&ready).unwrap())
}
