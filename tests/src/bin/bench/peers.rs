//! The peers on the same work: the rigs in `../shared/peers`, driven and read.
//!
//! Each rig prints one line of JSON. What cannot run stays empty, and why is printed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

use crate::row::{Row, median};

/// On a live call, whose figures depend on what else the machine does.
const FAN_RUNS: usize = 3;
/// Behind a slow link, whose figures do not.
const CATCH_RUNS: usize = 1;
const FAILURES_MAX: usize = 2;
const RIGS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/peers");
const WORK: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../target/peers");
/// Without it cargo takes the rigs' package for one of this workspace, in which it lies.
const WORKSPACE: &str = "[workspace]\nmembers = [\"rust\"]\nresolver = \"3\"\n";
/// For automerge-repo, whose own 5 seconds make a link of 9,600 bit/s reconnect for ever.
const KEEP_ALIVE_MS: &str = "120000";

/// Mode and name of the rig, and what the table calls it.
const FANS: [(&str, &str, &str); 4] = [
    ("fan", "hp", "Hocuspocus"),
    ("fan", "yw", "y-websocket"),
    ("light", "amnew", "automerge-repo"),
    ("light", "samod", "samod"),
];
/// A figure, and the fields in which the rigs (the light ones otherwise) print it.
const FAN_FIGURES: [(&str, &str, &str); 5] = [
    ("p50", "p50", "p50"),
    ("p99", "p99", "p99"),
    ("cpu", "srv_cpu_ms_per_change", "srv_cpu_ms_per_change"),
    ("framed", "down_B_per_delivery", "down_B"),
    ("memory", "rssKB_per_conn", "rssKB_per_conn"),
];
const CATCHES: [(&str, &str); 3] = [
    ("hp", "Hocuspocus"),
    ("amnew", "automerge-repo"),
    ("samod", "samod"),
];
const CATCH_FIGURES: [(&str, &str); 4] = [
    ("first", "first_s"),
    ("all", "all_s"),
    ("up", "up_B"),
    ("down", "down_B"),
];
/// Of the rigs' catch-up: all 20 must have come.
const MISSED: u64 = 20;

/// What the least that does the work needs: one hello, one cursor; no TLS, no storage, no
/// checks.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Yardstick {
    pub(crate) first_s: f64,
    pub(crate) all_s: f64,
    pub(crate) up_bytes: f64,
    pub(crate) down_bytes: f64,
}

/// As it was measured when the rigs were made.
impl Default for Yardstick {
    fn default() -> Self {
        Self {
            first_s: 1.7,
            all_s: 5.0,
            up_bytes: 237.0,
            down_bytes: 4_333.0,
        }
    }
}

/// By figure and peer. Without `--peers` it is empty.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    figures: BTreeMap<&'static str, BTreeMap<String, Option<f64>>>,
    yardstick: Yardstick,
}

impl Peers {
    /// Installs the rigs, where that was not done before, and runs them. Minutes.
    pub(crate) fn measured() -> Self {
        let mut peers = Self::default();
        if let Err(why) = set_up() {
            eprintln!("peers: {why}");
            return peers;
        }
        for (mode, rig, name) in FANS {
            let runs = runs(FAN_RUNS, mode, rig, |line| {
                line["delivered"].as_f64() >= Some(1.0)
            });
            for (figure, plain, light) in FAN_FIGURES {
                let field = if mode == "light" { light } else { plain };
                peers.put(figure, name, &runs, field);
            }
        }
        for (rig, name) in CATCHES {
            let runs = runs(CATCH_RUNS, "catch", rig, |line| {
                line["got"].as_u64() == Some(MISSED)
            });
            for (figure, field) in CATCH_FIGURES {
                peers.put(figure, name, &runs, field);
            }
        }
        let runs = runs(CATCH_RUNS, "yardstick", "", |line| {
            line["first_s"].is_number()
        });
        let of = |field| of(&runs, field);
        if let (Some(first_s), Some(all_s), Some(up_bytes), Some(down_bytes)) =
            (of("first_s"), of("all_s"), of("up_B"), of("down_B"))
        {
            peers.yardstick = Yardstick {
                first_s,
                all_s,
                up_bytes,
                down_bytes,
            };
        }
        peers
    }

    fn put(&mut self, figure: &'static str, name: &str, runs: &[Value], field: &str) {
        let values = self.figures.entry(figure).or_default();
        values.insert(name.to_owned(), of(runs, field));
    }

    /// The row, with what the peers took for it.
    pub(crate) fn beside(&self, figure: &str, mut row: Row) -> Row {
        row.peers = self.figures.get(figure).cloned().unwrap_or_default();
        row
    }

    pub(crate) fn yardstick(&self) -> Yardstick {
        self.yardstick
    }
}

fn of(runs: &[Value], field: &str) -> Option<f64> {
    let values: Vec<f64> = runs.iter().filter_map(|run| run[field].as_f64()).collect();
    (!values.is_empty()).then(|| median(&values))
}

fn set_up() -> Result<(), String> {
    let work = Path::new(WORK);
    // What the last step of the setup makes.
    if work.join("target/release/samod_srv").exists() {
        return Ok(());
    }
    if !Path::new(RIGS).join("run").exists() {
        return Err("the rigs are not beside the repository (../shared/peers)".into());
    }
    std::fs::create_dir_all(work)
        .and_then(|()| std::fs::write(work.join("Cargo.toml"), WORKSPACE))
        .map_err(|e| format!("{WORK}: {e}"))?;
    eprintln!("peers: installing the rigs, which takes minutes");
    let status = rig(&["setup"])
        .status()
        .map_err(|e| format!("{RIGS}: {e}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(format!("the rigs cannot be set up: {status}"))
    }
}

fn rig(args: &[&str]) -> Command {
    let mut command = Command::new(PathBuf::from(RIGS).join("run"));
    command
        .args(args)
        .env("PEERS_WORK", WORK)
        .env("KEEPALIVE", KEEP_ALIVE_MS);
    command
}

/// The lines of some runs. A rig that fails is asked once more, and then no longer.
fn runs(wanted: usize, mode: &str, name: &str, is_good: impl Fn(&Value) -> bool) -> Vec<Value> {
    let (mut lines, mut failures) = (Vec::new(), 0);
    while lines.len() < wanted && failures < FAILURES_MAX {
        let printed = printed(&mut rig(&[mode, name]));
        let mut found = printed.lines().rev();
        let line = found.find_map(|line| serde_json::from_str::<Value>(line).ok());
        match line {
            Some(line) if is_good(&line) => {
                eprintln!("{line}");
                lines.push(line);
            }
            _ => {
                eprintln!("peers: {mode} {name} did not finish:\n{printed}");
                failures += 1;
            }
        }
    }
    lines
}

fn printed(command: &mut Command) -> String {
    command.output().map_or_else(
        |e| e.to_string(),
        |output| {
            let errors = String::from_utf8_lossy(&output.stderr).into_owned();
            errors + &String::from_utf8_lossy(&output.stdout)
        },
    )
}
